//! A dataset in unqualified Dublin Core (oai_dc.xsd).
//!
//! The owner is the creator. Coverage is in DCMI's own notations of periods and boxes, rights are IRIs but for the
//! scope of use, the data's languages are ISO 639-3 codes.

use std::io;

use octroi_proto::{
    Localised,
    dataset::{Bounds, TemporalCoverage},
};

use super::{
    super::{Language, Published, Site, words},
    Prefix, day, particulars,
    write::{SCHEMA_INSTANCE, schema_location},
    xml::Xml,
};

/// The record.
pub(super) fn write(xml: &mut Xml, site: &Site, dataset: &Published) -> io::Result<()> {
    let location = schema_location(Prefix::OaiDc.namespace(), Prefix::OaiDc.schema());
    let attributes = [
        ("xmlns:oai_dc", Prefix::OaiDc.namespace()),
        ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
        SCHEMA_INSTANCE,
        ("xsi:schemaLocation", location.as_str()),
    ];
    xml.within("oai_dc:dc", &attributes, |xml| {
        localised(xml, "dc:title", &dataset.title)?;
        xml.text("dc:creator", &[], &dataset.owner)?;
        subjects(xml, dataset)?;
        localised(xml, "dc:description", &dataset.description)?;
        xml.text("dc:publisher", &[], &dataset.publisher)?;
        xml.text("dc:date", &[], &day(dataset.modified))?;
        xml.text("dc:type", &[], "Dataset")?;
        plain(xml, "dc:format", particulars::media_types(dataset))?;
        xml.text("dc:identifier", &[], &particulars::iri(site, &dataset.id))?;
        xml.text("dc:identifier", &[], dataset.id.as_str())?;
        plain(xml, "dc:source", dataset.origins.iter().map(|origin| particulars::origin(site, origin)))?;
        plain(xml, "dc:language", dataset.languages.iter().map(|language| language.code().to_ascii_lowercase()))?;
        plain(xml, "dc:relation", dataset.landing_page.clone())?;
        plain(xml, "dc:relation", particulars::access_page(site, dataset))?;
        plain(xml, "dc:relation", dataset.standards.iter().cloned())?;
        coverage(xml, dataset)?;
        rights(xml, dataset)
    })
}

fn subjects(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    plain(xml, "dc:subject", dataset.keywords.iter().cloned())?;
    for (language, keywords) in &dataset.localised_keywords {
        for keyword in keywords {
            xml.text("dc:subject", &[("xml:lang", language.as_str())], keyword)?;
        }
    }
    for theme in &dataset.themes {
        for language in Language::ALL {
            xml.text("dc:subject", &[("xml:lang", language.code())], words::theme(*theme, language))?;
        }
    }
    Ok(())
}

fn coverage(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    for place in &dataset.spatial {
        plain(xml, "dc:coverage", place.name.clone())?;
        plain(xml, "dc:coverage", place.iri.clone())?;
        plain(xml, "dc:coverage", place.bounds.as_ref().map(dcmi_box))?;
    }
    plain(xml, "dc:coverage", dataset.temporal.iter().map(dcmi_period))
}

fn rights(xml: &mut Xml, dataset: &Published) -> io::Result<()> {
    xml.text("dc:rights", &[], particulars::access(dataset.level).0)?;
    xml.text("dc:rights", &[], &dataset.licence)?;
    plain(xml, "dc:rights", particulars::limitation(dataset).map(|(_, iri)| iri))?;
    for language in Language::ALL {
        xml.text("dc:rights", &[("xml:lang", language.code())], &particulars::scope(dataset, language))?;
    }
    Ok(())
}

fn localised(xml: &mut Xml, name: &str, texts: &Localised) -> io::Result<()> {
    particulars::in_order(texts).try_for_each(|(language, text)| xml.text(name, &[("xml:lang", language)], text))
}

fn plain(xml: &mut Xml, name: &str, texts: impl IntoIterator<Item = String>) -> io::Result<()> {
    texts.into_iter().try_for_each(|text| xml.text(name, &[], &text))
}

/// <https://www.dublincore.org/specifications/dublin-core/dcmi-box/>
fn dcmi_box(bounds: &Bounds) -> String {
    let [west, south, east, north] = bounds.edges();
    format!("westlimit={west}; southlimit={south}; eastlimit={east}; northlimit={north}")
}

/// <https://www.dublincore.org/specifications/dublin-core/dcmi-period/>
fn dcmi_period(TemporalCoverage { from, to }: &TemporalCoverage) -> String {
    let start = from.map(|day| format!("start={day}; ")).unwrap_or_default();
    let end = to.map(|day| format!("end={day}; ")).unwrap_or_default();
    format!("{start}{end}scheme=W3C-DTF")
}
