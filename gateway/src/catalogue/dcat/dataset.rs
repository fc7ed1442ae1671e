//! A dataset in DCAT-AP 3.0.1, with what the profile for datasets of high value adds.
//!
//! What belongs to a dataset has an IRI of its own below its page (`/dataset/ID#contact`), so that harvests can be
//! compared; only time and place are unnamed, as portals expect them. There is no checksum: data.gouv.fr refuses every
//! dataset that has one.

use octroi_proto::{
    Level,
    dataset::{Limitation, Origin, SpatialCoverage, TemporalCoverage},
};
use oxrdf::{Literal, NamedNode, NamedNodeRef, vocab::xsd};

use super::{
    super::{
        File, Published, Site,
        address::{Link, mailto},
        file_type::file_type,
        vocabulary::{
            HIGH_VALUE_REGULATION, access_right, dcat, dcatap, dct, eli, file_type as file_types, foaf, frequency,
            geosparql, high_value_category, language, limitation, media_type, odrl, prov, rdfs, skos, theme, vcard,
            word,
        },
        words,
    },
    graph::{Graph, date_time, in_language},
    service::Service,
};

/// All that is published of a dataset.
pub(super) fn describe(graph: &mut Graph, site: &Site, dataset: &Published) {
    let it = site.base.iri(&Link::dataset(&dataset.id));
    graph.about(&it, dcat::DATASET_CLASS);
    what(graph, site, &it, dataset);
    who(graph, site, &it, dataset);
    when_and_where(graph, &it, dataset);
    rights(graph, site, &it, dataset);
    law(graph, &it, dataset);
    for distribution in distributions(site, dataset) {
        graph.say(&it, dcat::DISTRIBUTION, distribution.it.clone());
        distribution.describe(graph, site, dataset);
    }
}

fn what(graph: &mut Graph, site: &Site, it: &NamedNode, dataset: &Published) {
    graph.say(it, dct::IDENTIFIER, Literal::from(dataset.id.as_str()));
    graph.localised(it, dct::TITLE, &dataset.title);
    graph.localised(it, dct::DESCRIPTION, &dataset.description);
    for keyword in &dataset.keywords {
        graph.say(it, dcat::KEYWORD, Literal::from(keyword.as_str()));
    }
    for (language, keywords) in &dataset.localised_keywords {
        for keyword in keywords {
            graph.say(it, dcat::KEYWORD, in_language(keyword, language));
        }
    }
    for code in &dataset.themes {
        graph.concept(it, dcat::THEME, &word(theme::PREFIX, code.code()), |language| words::theme(*code, language));
    }
    for code in &dataset.languages {
        graph.refer(it, dct::LANGUAGE, &word(language::PREFIX, code.code()), dct::LINGUISTIC_SYSTEM);
    }
    if let Some(version) = &dataset.version {
        graph.say(it, dcat::VERSION, Literal::from(version.as_str()));
    }
    for standard in &dataset.standards {
        graph.refer_to(it, dct::CONFORMS_TO, standard, dct::STANDARD);
    }
    origins(graph, site, it, dataset);
    // The page, not the dataset that it is about, though both are under one address.
    let page = site.base.iri(&Link::dataset(&dataset.id).part("page")).into_string();
    graph.refer_to(it, dcat::LANDING_PAGE, dataset.landing_page.as_deref().unwrap_or(&page), foaf::DOCUMENT);
}

/// What it was made from: as a link, and in words, which is what portals keep. A parent is not called a dataset here:
/// portals would take the mere mention for one without a title.
fn origins(graph: &mut Graph, site: &Site, it: &NamedNode, dataset: &Published) {
    for (number, origin) in dataset.origins.iter().enumerate() {
        let parent = match origin {
            Origin::Dataset(id) => site.base.iri(&Link::dataset(id)).into_string(),
            Origin::Elsewhere(iri) => iri.clone(),
        };
        if let Ok(parent) = NamedNode::new(&parent) {
            graph.say(it, prov::WAS_DERIVED_FROM, parent);
        }
        let statement = site.base.iri(&Link::dataset(&dataset.id).part(&format!("provenance-{}", number + 1)));
        graph.say(it, dct::PROVENANCE, statement.clone());
        graph.about(&statement, dct::PROVENANCE_STATEMENT);
        graph.both(&statement, rdfs::LABEL, &format!("Issu de {parent}"), &format!("Derived from {parent}"));
    }
}

fn who(graph: &mut Graph, site: &Site, it: &NamedNode, dataset: &Published) {
    let part = |name: &str| site.base.iri(&Link::dataset(&dataset.id).part(name));
    let (publisher, owner, contact) = (part("publisher"), part("owner"), part("contact"));
    graph.say(it, dct::PUBLISHER, publisher.clone());
    graph.say(it, dct::RIGHTS_HOLDER, owner.clone());
    graph.say(it, dcat::CONTACT_POINT, contact.clone());
    graph.agent(&publisher, &dataset.publisher);
    graph.agent(&owner, &dataset.owner);
    graph.about(&contact, vcard::KIND);
    graph.say(&contact, vcard::FN, Literal::from(dataset.contact_point.name.as_str()));
    // INVARIANT: percent-encoded, and `@` may stand in a path (RFC 3986, section 3.3).
    let email = NamedNode::new_unchecked(mailto(&dataset.contact_point.email));
    graph.say(&contact, vcard::HAS_EMAIL, email);
}

fn when_and_where(graph: &mut Graph, it: &NamedNode, dataset: &Published) {
    if let Some(issued) = dataset.issued {
        graph.say(it, dct::ISSUED, date_time(issued));
    }
    graph.say(it, dct::MODIFIED, date_time(dataset.modified));
    if let Some(code) = dataset.frequency {
        graph.refer(it, dct::ACCRUAL_PERIODICITY, &word(frequency::PREFIX, code.code()), dct::FREQUENCY);
    }
    for TemporalCoverage { from, to } in &dataset.temporal {
        let period = graph.unnamed(dct::PERIOD_OF_TIME);
        graph.say(it, dct::TEMPORAL, period.clone());
        for (end, day) in [(dcat::START_DATE, from), (dcat::END_DATE, to)] {
            if let Some(day) = day {
                graph.say(&period, end, Literal::new_typed_literal(day.to_string(), xsd::DATE));
            }
        }
    }
    for SpatialCoverage { name, iri, bounds } in &dataset.spatial {
        if let Some(iri) = iri {
            graph.refer_to(it, dct::SPATIAL, iri, dct::LOCATION);
        }
        if name.is_none() && bounds.is_none() {
            continue;
        }
        let place = graph.unnamed(dct::LOCATION);
        graph.say(it, dct::SPATIAL, place.clone());
        if let Some(name) = name {
            graph.say(&place, skos::PREF_LABEL, Literal::from(name.as_str()));
        }
        if let Some(bounds) = bounds {
            let wkt = Literal::new_typed_literal(bounds.to_wkt(), geosparql::WKT_LITERAL);
            graph.say(&place, dcat::BBOX, wkt);
        }
    }
}

fn rights(graph: &mut Graph, site: &Site, it: &NamedNode, dataset: &Published) {
    let scope = site.base.iri(&Link::dataset(&dataset.id).part("scope"));
    graph.refer_to(it, dct::LICENSE, &dataset.licence, dct::LICENSE_DOCUMENT);
    graph.refer(it, dct::ACCESS_RIGHTS, &access_rights(dataset.level).into_owned(), dct::RIGHTS_STATEMENT);
    if dataset.level != Level::Public {
        let letter = dataset.limitation.unwrap_or(Limitation::PERSONAL_DATA);
        let article = word(limitation::PREFIX, &format!("INSPIRE_Directive_Article13_1{letter}"));
        graph.refer(it, dct::RIGHTS, &article, dct::RIGHTS_STATEMENT);
    }
    graph.say(it, dct::RIGHTS, scope.clone());
    graph.about(&scope, dct::RIGHTS_STATEMENT);
    for purpose in &dataset.purposes {
        graph.say(&scope, rdfs::LABEL, Literal::from(purpose.as_str()));
    }
    if dataset.lends() {
        offer(graph, site, it, dataset);
    }
}

/// The terms that what is lent is lent on. Named twice: by ODRL's own property, and as a page, which every portal keeps.
fn offer(graph: &mut Graph, site: &Site, it: &NamedNode, dataset: &Published) {
    let offer = site.base.iri(&Link::access(&dataset.id).part("policy"));
    let page = site.base.iri(&Link::access(&dataset.id));
    graph.say(it, odrl::HAS_POLICY, offer.clone());
    graph.say(it, foaf::PAGE, page.clone());
    graph.about(&page, foaf::DOCUMENT);
    graph.about(&offer, odrl::OFFER);
    graph.about(&offer, odrl::POLICY);
    graph.say(&offer, odrl::ASSIGNER, site.base.iri(&Link::dataset(&dataset.id).part("owner")));
    graph.say(&offer, rdfs::SEE_ALSO, page);
    for (number, purpose) in dataset.purposes.iter().enumerate() {
        let part = |name: &str| site.base.iri(&Link::access(&dataset.id).part(&format!("{name}-{}", number + 1)));
        let (permission, constraint) = (part("permission"), part("purpose"));
        graph.say(&offer, odrl::PERMISSION, permission.clone());
        graph.say(&permission, odrl::TARGET, it.clone());
        graph.say(&permission, odrl::ACTION, odrl::USE.into_owned());
        graph.say(&permission, odrl::CONSTRAINT, constraint.clone());
        graph.say(&constraint, odrl::LEFT_OPERAND, odrl::PURPOSE.into_owned());
        graph.say(&constraint, odrl::OPERATOR, odrl::EQ.into_owned());
        graph.say(&constraint, odrl::RIGHT_OPERAND, Literal::from(purpose.as_str()));
    }
}

/// Laws, and the categories of the one on datasets of high value; of a dataset and of each of its distributions.
fn law(graph: &mut Graph, it: &NamedNode, dataset: &Published) {
    for category in &dataset.high_value_categories {
        let name = |language| words::high_value_category(*category, language);
        graph.concept(it, dcatap::HVD_CATEGORY, &high_value_category(*category), name);
        // data.gouv.fr knows them as themes alone.
        graph.concept(it, dcat::THEME, &high_value_category(*category), name);
    }
    legislation(graph, it, dataset);
}

fn legislation(graph: &mut Graph, it: &NamedNode, dataset: &Published) {
    if !dataset.high_value_categories.is_empty() {
        graph.refer_to(it, dcatap::APPLICABLE_LEGISLATION, HIGH_VALUE_REGULATION, eli::LEGAL_RESOURCE);
    }
    for law in dataset.legislation.iter().filter(|law| *law != HIGH_VALUE_REGULATION) {
        graph.refer_to(it, dcatap::APPLICABLE_LEGISLATION, law, eli::LEGAL_RESOURCE);
    }
}

/// A way to the data.
pub(super) struct Distribution<'a> {
    it: NamedNode,
    access: NamedNode,
    file: Option<&'a File>,
}

/// Public: each file. Quasi-sensitive: the page that says how to ask. Sensitive: none.
pub(super) fn distributions<'a>(site: &Site, dataset: &'a Published) -> Vec<Distribution<'a>> {
    if dataset.lends() {
        let access = site.base.iri(&Link::access(&dataset.id));
        let it = site.base.iri(&Link::dataset(&dataset.id).part("access"));
        return vec![Distribution { it, access, file: None }];
    }
    let file = |file: &'a File| {
        let part = format!("file/{}", file.key);
        let it = site.base.iri(&Link::dataset(&dataset.id).part(&part));
        Distribution { it, access: site.base.iri(&Link::file(&dataset.id, &file.key)), file: Some(file) }
    };
    dataset.files.iter().map(file).collect()
}

impl Distribution<'_> {
    fn describe(self, graph: &mut Graph, site: &Site, dataset: &Published) {
        let Self { it, access, file } = self;
        graph.about(&it, dcat::DISTRIBUTION_CLASS);
        match file {
            Some(file) => {
                graph.say(&it, dct::TITLE, Literal::from(file.key.as_str()));
                graph.say(&it, dcat::DOWNLOAD_URL, access.clone());
                if let Some(media_type) = iana(file) {
                    graph.refer(&it, dcat::MEDIA_TYPE, &media_type, dct::MEDIA_TYPE);
                }
                if let Some(code) = file_type(file.media_type.as_str()) {
                    graph.refer(&it, dct::FORMAT, &word(file_types::PREFIX, code), dct::MEDIA_TYPE_OR_EXTENT);
                }
                let length = file.length.to_string();
                graph.say(&it, dcat::BYTE_SIZE, Literal::new_typed_literal(length, xsd::NON_NEGATIVE_INTEGER));
                graph.say(&it, dct::MODIFIED, date_time(file.stored));
            }
            None => {
                graph.both(&it, dct::TITLE, "Demande d’accès", "Request for access");
                graph.say(&it, odrl::HAS_POLICY, site.base.iri(&Link::access(&dataset.id).part("policy")));
                if let Some(service) = Service::of(dataset) {
                    graph.say(&it, dcat::ACCESS_SERVICE, service.iri(site));
                }
            }
        }
        graph.say(&it, dcat::ACCESS_URL, access);
        graph.refer_to(&it, dct::LICENSE, &dataset.licence, dct::LICENSE_DOCUMENT);
        graph.say(&it, dct::RIGHTS, site.base.iri(&Link::dataset(&dataset.id).part("scope")));
        legislation(graph, &it, dataset);
    }
}

/// The EU's word for a level.
fn access_rights(level: Level) -> NamedNodeRef<'static> {
    match level {
        Level::Public => access_right::PUBLIC,
        Level::QuasiSensitive => access_right::RESTRICTED,
        Level::Sensitive => access_right::NON_PUBLIC,
    }
}

/// IANA's page of a media type, its parameters left off; none for what cannot stand in an IRI.
fn iana(file: &File) -> Option<NamedNode> {
    let essence = file.media_type.as_str().split(';').next().unwrap_or_default().trim();
    NamedNode::new(format!("{}{essence}", media_type::PREFIX)).ok()
}
