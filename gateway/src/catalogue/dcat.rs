//! The catalogue for portals: DCAT in Turtle and JSON-LD, a page at a time.
//!
//! Things that belong to a dataset have IRIs of their own below its page (`/dataset/ID#contact`), so that no blank
//! nodes are needed and harvests can be compared. Pages follow each other by Hydra's `next`.

use std::io;

use octroi_proto::{Instant, Level, Localised};
use oxjsonld::JsonLdSerializer;
use oxrdf::{
    GraphNameRef, Literal, NamedNode, NamedNodeRef, Term, Triple,
    vocab::{rdf, xsd},
};
use oxttl::TurtleSerializer;

use super::{
    File, Page, Published, Site,
    address::{Link, mailto},
    vocabulary::{access_right, dcat, dct, foaf, hydra, media_type, rdfs, vcard},
};

/// The media type of [`turtle`].
pub const TURTLE: &str = "text/turtle; charset=utf-8";

/// The media type of [`json_ld`].
pub const JSON_LD: &str = "application/ld+json";

/// A page of the catalogue in Turtle.
///
/// # Errors
/// The serializer's.
pub fn turtle(site: &Site, page: &Page) -> io::Result<Vec<u8>> {
    let mut serializer = TurtleSerializer::new();
    for (name, prefix) in PREFIXES {
        serializer = serializer.with_prefix(*name, *prefix).map_err(io::Error::other)?;
    }
    let mut writer = serializer.for_writer(Vec::new());
    for triple in catalogue(site, page, "ttl") {
        writer.serialize_triple(&triple)?;
    }
    writer.finish()
}

/// A page of the catalogue in JSON-LD, expanded.
///
/// # Errors
/// The serializer's.
pub fn json_ld(site: &Site, page: &Page) -> io::Result<Vec<u8>> {
    let mut writer = JsonLdSerializer::new().for_writer(Vec::new());
    for triple in catalogue(site, page, "jsonld") {
        writer.serialize_quad(triple.as_ref().in_graph(GraphNameRef::DefaultGraph))?;
    }
    writer.finish()
}

const PREFIXES: &[(&str, &str)] = &[
    ("dcat", dcat::PREFIX),
    ("dct", dct::PREFIX),
    ("foaf", foaf::PREFIX),
    ("vcard", vcard::PREFIX),
    ("hydra", hydra::PREFIX),
    ("rdfs", rdfs::PREFIX),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

/// What a page says. The two formats differ in the addresses of their pages alone.
fn catalogue(site: &Site, page: &Page, format: &str) -> Vec<Triple> {
    let catalogue = site.base.iri(&Link::catalogue());
    let view = site.base.iri(&Link::feed(format, page.after.as_ref()));
    let mut graph = Graph::default();

    let french = Literal::new_language_tagged_literal_unchecked(format!("Données de {}", site.publisher), "fr");
    let english = Literal::new_language_tagged_literal_unchecked(format!("Data of {}", site.publisher), "en");
    let publisher = site.base.iri(&Link::catalogue().part("publisher"));
    graph.about(&catalogue, dcat::CATALOG);
    graph.say(&catalogue, dct::TITLE, french.clone());
    graph.say(&catalogue, dct::TITLE, english.clone());
    graph.say(&catalogue, dct::DESCRIPTION, french);
    graph.say(&catalogue, dct::DESCRIPTION, english);
    graph.say(&catalogue, dct::PUBLISHER, publisher.clone());
    graph.say(&catalogue, foaf::HOMEPAGE, site.base.iri(&Link::start(None, None)));
    for dataset in &page.datasets {
        graph.say(&catalogue, dcat::DATASET, site.base.iri(&Link::dataset(&dataset.id)));
    }
    graph.say(&catalogue, hydra::VIEW, view.clone());

    graph.about(&view, hydra::PARTIAL_COLLECTION_VIEW);
    graph.say(&view, hydra::FIRST, site.base.iri(&Link::feed(format, None)));
    if let Some(next) = &page.next {
        graph.say(&view, hydra::NEXT, site.base.iri(&Link::feed(format, Some(next))));
    }
    graph.agent(&publisher, &site.publisher);
    for dataset in &page.datasets {
        describe(&mut graph, site, dataset);
    }
    graph.0
}

fn describe(graph: &mut Graph, site: &Site, dataset: &Published) {
    let place = Link::dataset(&dataset.id);
    let it = site.base.iri(&place);
    let part = |name: &str| site.base.iri(&place.part(name));
    let (publisher, owner, contact, scope) = (part("publisher"), part("owner"), part("contact"), part("scope"));

    graph.about(&it, dcat::DATASET_CLASS);
    graph.say(&it, dct::IDENTIFIER, Literal::from(dataset.id.as_str()));
    graph.localised(&it, dct::TITLE, &dataset.title);
    graph.localised(&it, dct::DESCRIPTION, &dataset.description);
    for keyword in &dataset.keywords {
        graph.say(&it, dcat::KEYWORD, Literal::from(keyword.as_str()));
    }
    graph.say(&it, dct::PUBLISHER, publisher.clone());
    graph.say(&it, dct::RIGHTS_HOLDER, owner.clone());
    graph.say(&it, dcat::CONTACT_POINT, contact.clone());
    graph.say(&it, dct::LICENSE, licence(dataset));
    graph.say(&it, dct::ACCESS_RIGHTS, access_rights(dataset.level).into_owned());
    graph.say(&it, dct::RIGHTS, scope.clone());
    if let Some(issued) = dataset.issued {
        graph.say(&it, dct::ISSUED, date_time(issued));
    }
    graph.say(&it, dct::MODIFIED, date_time(dataset.modified));
    graph.say(&it, dcat::LANDING_PAGE, it.clone());
    let distributions = distributions(site, dataset);
    for distribution in &distributions {
        graph.say(&it, dcat::DISTRIBUTION, distribution.it.clone());
    }

    graph.agent(&publisher, &dataset.publisher);
    graph.agent(&owner, &dataset.owner);
    graph.about(&contact, vcard::KIND);
    graph.say(&contact, vcard::FN, Literal::from(dataset.contact_point.name.as_str()));
    // INVARIANT: percent-encoded, and `@` may stand in a path (RFC 3986, section 3.3).
    let email = NamedNode::new_unchecked(mailto(&dataset.contact_point.email));
    graph.say(&contact, vcard::HAS_EMAIL, email);
    graph.about(&scope, dct::RIGHTS_STATEMENT);
    for purpose in &dataset.purposes {
        graph.say(&scope, rdfs::LABEL, Literal::from(purpose.as_str()));
    }
    for distribution in distributions {
        distribution.describe(graph, dataset);
    }
}

/// A way to the data.
struct Distribution<'a> {
    it: NamedNode,
    access: NamedNode,
    file: Option<&'a File>,
}

/// Public: each file. Quasi-sensitive: the page that says how to ask. Sensitive: none.
fn distributions<'a>(site: &Site, dataset: &'a Published) -> Vec<Distribution<'a>> {
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
    fn describe(self, graph: &mut Graph, dataset: &Published) {
        let Self { it, access, file } = self;
        graph.about(&it, dcat::DISTRIBUTION_CLASS);
        match file {
            Some(file) => {
                graph.say(&it, dct::TITLE, Literal::from(file.key.as_str()));
                graph.say(&it, dcat::DOWNLOAD_URL, access.clone());
                if let Some(media_type) = media_type(file) {
                    graph.say(&it, dcat::MEDIA_TYPE, media_type);
                }
                let length = file.length.to_string();
                graph.say(&it, dcat::BYTE_SIZE, Literal::new_typed_literal(length, xsd::NON_NEGATIVE_INTEGER));
                graph.say(&it, dct::MODIFIED, date_time(file.stored));
            }
            None => graph.localised(&it, dct::TITLE, &dataset.title),
        }
        graph.say(&it, dcat::ACCESS_URL, access);
        graph.say(&it, dct::LICENSE, licence(dataset));
        graph.say(&it, dct::ACCESS_RIGHTS, access_rights(dataset.level).into_owned());
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

/// The licence as an IRI; as text where it is none after all.
fn licence(dataset: &Published) -> Term {
    NamedNode::new(&dataset.licence)
        .map_or_else(|_| Literal::from(dataset.licence.as_str()).into(), |licence| licence.into())
}

/// IANA's page of a media type, its parameters left off; none for what cannot stand in an IRI.
fn media_type(file: &File) -> Option<NamedNode> {
    let essence = file.media_type.as_str().split(';').next().unwrap_or_default().trim();
    NamedNode::new(format!("{}{essence}", media_type::PREFIX)).ok()
}

fn date_time(at: Instant) -> Literal {
    Literal::new_typed_literal(at.to_string(), xsd::DATE_TIME)
}

/// Triples, subject by subject, as streaming serializers like them.
#[derive(Default)]
struct Graph(Vec<Triple>);

impl Graph {
    fn say(&mut self, it: &NamedNode, property: NamedNodeRef<'_>, value: impl Into<Term>) {
        self.0.push(Triple::new(it.clone(), property.into_owned(), value));
    }

    fn about(&mut self, it: &NamedNode, class: NamedNodeRef<'_>) {
        self.say(it, rdf::TYPE, class.into_owned());
    }

    fn agent(&mut self, it: &NamedNode, name: &str) {
        self.about(it, foaf::AGENT);
        self.say(it, foaf::NAME, Literal::from(name));
    }

    fn localised(&mut self, it: &NamedNode, property: NamedNodeRef<'_>, texts: &Localised) {
        for (language, text) in texts.iter() {
            // The languages are those of `Localised::LANGUAGES`, which are well formed.
            self.say(it, property, Literal::new_language_tagged_literal_unchecked(text, language));
        }
    }
}

#[cfg(test)]
mod tests;
