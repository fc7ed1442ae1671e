//! A dataset in DataCite's kernel 4.6, within DataCite's wrapper for OAI-PMH (version 1.1).
//!
//! No dataset has a DOI: its identifier is the URL at which it is described, and says so (`identifierType` is free text
//! in the schema, `URL` one of the words that OpenAIRE's guidelines for data archives have for it). The wrapper wants
//! the data centre that registered a record: none did, so the host stands there that answers for it.

use std::io;

use octroi_proto::dataset::{Origin, SpatialCoverage, TemporalCoverage, Theme};

use super::{
    super::{
        Language, Licence, Published, Site,
        vocabulary::{THEMES, theme},
        words,
    },
    Prefix, day,
    identifier::Namespace,
    particulars,
    write::{SCHEMA_INSTANCE, schema_location},
    xml::Xml,
};

/// The record.
pub(super) fn write(xml: &mut Xml, site: &Site, dataset: &Published) -> io::Result<()> {
    let wrapper = schema_location(Prefix::OaiDatacite.namespace(), Prefix::OaiDatacite.schema());
    let wrapper =
        [("xmlns", Prefix::OaiDatacite.namespace()), SCHEMA_INSTANCE, ("xsi:schemaLocation", wrapper.as_str())];
    let kernel = schema_location(KERNEL, KERNEL_SCHEMA);
    let kernel = [("xmlns", KERNEL), SCHEMA_INSTANCE, ("xsi:schemaLocation", kernel.as_str())];
    xml.within("oai_datacite", &wrapper, |xml| {
        xml.text("datacentreSymbol", &[], Namespace::of(&site.base).host())?;
        xml.text("schemaVersion", &[], "4.6")?;
        xml.within("payload", &[], |xml| xml.within("resource", &kernel, |xml| resource(xml, site, dataset)))
    })
}

fn resource(xml: &mut Xml, site: &Site, dataset: &Published) -> io::Result<()> {
    xml.text("identifier", &[("identifierType", "URL")], &particulars::iri(site, &dataset.id))?;
    creators(xml, dataset)?;
    titles(xml, dataset)?;
    xml.text("publisher", &[], &dataset.publisher)?;
    let year = dataset.issued.unwrap_or(dataset.modified).strftime("%Y").to_string();
    xml.text("publicationYear", &[], &year)?;
    xml.text("resourceType", &[("resourceTypeGeneral", "Dataset")], "Dataset")?;
    subjects(xml, dataset)?;
    contributors(xml, dataset)?;
    dates(xml, dataset)?;
    if let Some(language) = language(dataset) {
        xml.text("language", &[], language)?;
    }
    xml.within("alternateIdentifiers", &[], |xml| {
        let kind = [("alternateIdentifierType", "Local accession number")];
        xml.text("alternateIdentifier", &kind, dataset.id.as_str())
    })?;
    related(xml, site, dataset)?;
    xml.list("sizes", &sizes(dataset), |xml, size| xml.text("size", &[], size))?;
    let formats: Vec<String> = particulars::media_types(dataset).into_iter().collect();
    xml.list("formats", &formats, |xml, format| xml.text("format", &[], format))?;
    if let Some(version) = &dataset.version {
        xml.text("version", &[], version)?;
    }
    xml.within("rightsList", &[], |xml| rights(xml, site, dataset))?;
    descriptions(xml, dataset)?;
    xml.list("geoLocations", &dataset.spatial, |xml, place| xml.within("geoLocation", &[], |xml| location(xml, place)))
}

fn creators(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    xml.within("creators", &[], |xml| {
        xml.within("creator", &[], |xml| xml.text("creatorName", &[("nameType", "Organizational")], &dataset.owner))
    })
}

/// The first is the title, others are translations of it.
fn titles(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    xml.within("titles", &[], |xml| {
        for (place, (language, title)) in particulars::in_order(&dataset.title).enumerate() {
            let kind = (place > 0).then_some(("titleType", "TranslatedTitle"));
            let attributes: Vec<(&str, &str)> = [("xml:lang", language)].into_iter().chain(kind).collect();
            xml.text("title", &attributes, title)?;
        }
        Ok(())
    })
}

fn subjects(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    if dataset.keywords.is_empty() && dataset.localised_keywords.is_empty() && dataset.themes.is_empty() {
        return Ok(());
    }
    xml.within("subjects", &[], |xml| {
        dataset.keywords.iter().try_for_each(|keyword| xml.text("subject", &[], keyword))?;
        for (language, keywords) in &dataset.localised_keywords {
            keywords.iter().try_for_each(|keyword| xml.text("subject", &[("xml:lang", language.as_str())], keyword))?;
        }
        dataset.themes.iter().try_for_each(|theme| about(xml, *theme))
    })
}

fn about(xml: &mut Xml, it: Theme) -> io::Result<()> {
    let iri = format!("{}{it}", theme::PREFIX);
    for language in Language::ALL {
        let attributes = [
            ("subjectScheme", "EU data themes"),
            ("schemeURI", THEMES),
            ("valueURI", iri.as_str()),
            ("xml:lang", language.code()),
        ];
        xml.text("subject", &attributes, words::theme(it, language))?;
    }
    Ok(())
}

fn contributors(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    xml.within("contributors", &[], |xml| {
        xml.within("contributor", &[("contributorType", "ContactPerson")], |xml| {
            // A person or a desk: nobody says which.
            xml.text("contributorName", &[], &dataset.contact_point.name)
        })?;
        xml.within("contributor", &[("contributorType", "RightsHolder")], |xml| {
            xml.text("contributorName", &[("nameType", "Organizational")], &dataset.owner)
        })
    })
}

fn dates(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    let issued = dataset.issued.map(|at| ("Issued", day(at)));
    let coverage = dataset.temporal.iter().map(|period| ("Coverage", interval(period)));
    let dates: Vec<(&str, String)> =
        issued.into_iter().chain([("Updated", day(dataset.modified))]).chain(coverage).collect();
    xml.list("dates", &dates, |xml, (kind, date)| xml.text("date", &[("dateType", *kind)], date))
}

/// RKMS-ISO8601: an end that is open is left empty.
fn interval(TemporalCoverage { from, to }: &TemporalCoverage) -> String {
    let start = from.map(|day| day.to_string()).unwrap_or_default();
    let end = to.map(|day| day.to_string()).unwrap_or_default();
    format!("{start}/{end}")
}

/// The data's language (BCP 47); that of several languages where there are some, since the schema takes only one.
fn language(dataset: &Published) -> Option<&'static str> {
    let mut languages = dataset.languages.iter();
    let first = languages.next()?;
    Some(if languages.next().is_some() { "mul" } else { words::language_tag(*first) })
}

fn related(xml: &mut Xml, site: &Site, dataset: &Published) -> io::Result<()> {
    let made_from = dataset.origins.iter().map(|origin| {
        let general = match origin {
            Origin::Dataset(_) => Some("Dataset"),
            Origin::Elsewhere(_) => None,
        };
        ("IsDerivedFrom", general, particulars::origin(site, origin))
    });
    let page = dataset.landing_page.clone().map(|page| ("IsDescribedBy", None, page));
    let related: Vec<(&str, Option<&str>, String)> = made_from.chain(page).collect();
    xml.list("relatedIdentifiers", &related, |xml, (relation, general, iri)| {
        let mut attributes = vec![("relatedIdentifierType", "URL"), ("relationType", *relation)];
        attributes.extend(general.map(|general| ("resourceTypeGeneral", general)));
        xml.text("relatedIdentifier", &attributes, iri)
    })
}

/// Of the files that anyone may download, all together.
fn sizes(dataset: &Published) -> Vec<String> {
    let bytes = dataset.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.length));
    match dataset.files.len() {
        0 => Vec::new(),
        shown if dataset.more_files => vec![format!("more than {shown} files")],
        1 => vec!["1 file".to_owned(), format!("{bytes} bytes")],
        files => vec![format!("{files} files"), format!("{bytes} bytes")],
    }
}

fn rights(xml: &mut Xml, site: &Site, dataset: &Published) -> io::Result<()> {
    let licence = Licence::of(&dataset.licence, dataset.level);
    xml.text("rights", &[("rightsURI", licence.iri)], licence.title)?;
    let (access, name) = particulars::access(dataset.level);
    xml.text("rights", &[("rightsURI", access), ("xml:lang", "en")], name)?;
    if let Some((limitation, iri)) = particulars::limitation(dataset) {
        for language in Language::ALL {
            let attributes = [("rightsURI", iri.as_str()), ("xml:lang", language.code())];
            xml.text("rights", &attributes, words::limitation(limitation, language))?;
        }
    }
    if let Some(page) = particulars::access_page(site, dataset) {
        for language in Language::ALL {
            let attributes = [("rightsURI", page.as_str()), ("xml:lang", language.code())];
            xml.text("rights", &attributes, language.of("Demande d’accès", "Request for access"))?;
        }
    }
    for language in Language::ALL {
        xml.text("rights", &[("xml:lang", language.code())], &particulars::scope(dataset, language))?;
    }
    Ok(())
}

fn descriptions(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    xml.within("descriptions", &[], |xml| {
        particulars::in_order(&dataset.description).try_for_each(|(language, text)| {
            xml.text("description", &[("descriptionType", "Abstract"), ("xml:lang", language)], text)
        })
    })
}

/// By its name, or by its IRI where it has none, and by the box around it.
fn location(xml: &mut Xml, SpatialCoverage { name, iri, bounds }: &SpatialCoverage) -> io::Result<()> {
    if let Some(place) = name.as_ref().or(iri.as_ref()) {
        xml.text("geoLocationPlace", &[], place)?;
    }
    let Some(bounds) = bounds else { return Ok(()) };
    let [west, south, east, north] = bounds.edges();
    xml.within("geoLocationBox", &[], |xml| {
        xml.text("westBoundLongitude", &[], west)?;
        xml.text("eastBoundLongitude", &[], east)?;
        xml.text("southBoundLatitude", &[], south)?;
        xml.text("northBoundLatitude", &[], north)
    })
}

const KERNEL: &str = "http://datacite.org/schema/kernel-4";
const KERNEL_SCHEMA: &str = "https://schema.datacite.org/meta/kernel-4.6/metadata.xsd";
