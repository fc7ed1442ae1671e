//! The catalogue for portals: DCAT-AP 3.0.1 in Turtle, JSON-LD and RDF/XML, a page or a dataset at a time.
//!
//! ```text
//! Page -> Graph (dataset.rs, service.rs) -> Format -> bytes
//! ```
//!
//! Pages follow each other by Hydra's `next`, in the format in which they are asked for.

use std::{io, num::NonZeroU64};

use oxjsonld::JsonLdSerializer;
use oxrdf::{GraphNameRef, Literal, NamedNode, vocab::xsd};
use oxrdfxml::RdfXmlSerializer;
use oxttl::TurtleSerializer;

use super::{
    Page, Published, Site,
    address::Link,
    vocabulary::{THEMES, dcat, dcatap, dct, foaf, geosparql, hydra, language, odrl, prov, rdfs, skos, vcard, word},
};
use graph::Graph;
use service::Service;

mod dataset;
mod graph;
mod service;

/// A syntax of RDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Turtle 1.1.
    Turtle,
    /// JSON-LD 1.1, expanded.
    JsonLd,
    /// RDF/XML.
    RdfXml,
}

impl Format {
    /// All of them, the one that is served by default first.
    pub const ALL: [Self; 3] = [Self::Turtle, Self::JsonLd, Self::RdfXml];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Turtle => "Turtle",
            Self::JsonLd => "JSON-LD",
            Self::RdfXml => "RDF/XML",
        }
    }

    /// What the addresses of such documents end with.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Turtle => "ttl",
            Self::JsonLd => "jsonld",
            Self::RdfXml => "rdf",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Turtle => "text/turtle",
            Self::JsonLd => "application/ld+json",
            Self::RdfXml => "application/rdf+xml",
        }
    }

    /// Its media type, with the character set.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Turtle => "text/turtle; charset=utf-8",
            Self::JsonLd => "application/ld+json; charset=utf-8",
            Self::RdfXml => "application/rdf+xml; charset=utf-8",
        }
    }
}

/// How the pages of one catalogue are addressed: all alike, so that a harvest stays in the format it began in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressed {
    /// By `/catalog` and what the client accepts.
    Plainly,
    /// With the format's suffix.
    BySuffix(Format),
}

/// A page of the catalogue.
///
/// # Errors
/// The serializer's.
pub fn catalogue(site: &Site, page: &Page, addressed: Addressed, format: Format) -> io::Result<Vec<u8>> {
    write(&page_graph(site, page, addressed), format)
}

/// One dataset, by itself.
///
/// # Errors
/// The serializer's.
pub fn dataset(site: &Site, dataset: &Published, format: Format) -> io::Result<Vec<u8>> {
    let mut graph = Graph::default();
    dataset::describe(&mut graph, site, dataset);
    for service in Service::ALL {
        service.describe(&mut graph, site, std::slice::from_ref(dataset), true);
    }
    if Service::of(dataset).is_some() {
        publisher(&mut graph, site);
    }
    write(&graph, format)
}

fn page_graph(site: &Site, page: &Page, addressed: Addressed) -> Graph {
    let it = site.base.iri(&Link::catalogue());
    let mut graph = Graph::default();
    graph.about(&it, dcat::CATALOG);
    graph.about(&it, hydra::COLLECTION);
    let (french, english) = (format!("Données de {}", site.publisher), format!("Data of {}", site.publisher));
    graph.both(&it, dct::TITLE, &french, &english);
    graph.both(&it, dct::DESCRIPTION, &french, &english);
    graph.say(&it, dct::PUBLISHER, site.base.iri(&Link::catalogue().part("publisher")));
    for code in ["FRA", "ENG"] {
        graph.refer(&it, dct::LANGUAGE, &word(language::PREFIX, code), dct::LINGUISTIC_SYSTEM);
    }
    let themes = NamedNode::new_unchecked(THEMES);
    graph.refer(&it, dcat::THEME_TAXONOMY, &themes, skos::CONCEPT_SCHEME);
    graph.both(&themes, dct::TITLE, "Thèmes de données de l’Union européenne", "Data themes of the European Union");
    let start = site.base.iri(&Link::start(NonZeroU64::MIN, None));
    graph.refer(&it, foaf::HOMEPAGE, &start, foaf::DOCUMENT);
    for dataset in &page.datasets {
        graph.say(&it, dcat::DATASET, site.base.iri(&Link::dataset(&dataset.id)));
    }
    for service in Service::ALL {
        if page.datasets.iter().any(|dataset| Service::of(dataset) == Some(service)) {
            graph.say(&it, dcat::SERVICE, service.iri(site));
        }
    }
    view(&mut graph, site, page, addressed, &it);
    publisher(&mut graph, site);
    for dataset in &page.datasets {
        dataset::describe(&mut graph, site, dataset);
    }
    for service in Service::ALL {
        service.describe(&mut graph, site, &page.datasets, page.number == NonZeroU64::MIN);
    }
    graph
}

/// Where in the catalogue this page is.
fn view(graph: &mut Graph, site: &Site, page: &Page, addressed: Addressed, collection: &NamedNode) {
    let at = |number| site.base.iri(&Link::feed(addressed, number));
    let it = at(page.number);
    let total = Literal::new_typed_literal(page.total.to_string(), xsd::INTEGER);
    graph.say(collection, hydra::TOTAL_ITEMS, total);
    graph.say(collection, hydra::VIEW, it.clone());
    graph.about(&it, hydra::PARTIAL_COLLECTION_VIEW);
    graph.say(&it, hydra::FIRST, at(NonZeroU64::MIN));
    if let Some(previous) = page.previous() {
        graph.say(&it, hydra::PREVIOUS, at(previous));
    }
    if let Some(next) = page.next() {
        graph.say(&it, hydra::NEXT, at(next));
    }
    graph.say(&it, hydra::LAST, at(page.last));
}

fn publisher(graph: &mut Graph, site: &Site) {
    graph.agent(&site.base.iri(&Link::catalogue().part("publisher")), &site.publisher);
}

fn write(graph: &Graph, format: Format) -> io::Result<Vec<u8>> {
    match format {
        Format::Turtle => {
            let mut serializer = TurtleSerializer::new();
            for (name, prefix) in PREFIXES {
                serializer = serializer.with_prefix(*name, *prefix).map_err(io::Error::other)?;
            }
            let mut writer = serializer.for_writer(Vec::new());
            graph.triples().into_iter().try_for_each(|triple| writer.serialize_triple(triple))?;
            writer.finish()
        }
        Format::JsonLd => {
            let mut writer = JsonLdSerializer::new().for_writer(Vec::new());
            let quads = graph.triples().into_iter().map(|triple| triple.as_ref().in_graph(GraphNameRef::DefaultGraph));
            for quad in quads {
                writer.serialize_quad(quad)?;
            }
            writer.finish()
        }
        Format::RdfXml => {
            let mut serializer = RdfXmlSerializer::new();
            for (name, prefix) in PREFIXES {
                serializer = serializer.with_prefix(*name, *prefix).map_err(io::Error::other)?;
            }
            let mut writer = serializer.for_writer(Vec::new());
            graph.triples().into_iter().try_for_each(|triple| writer.serialize_triple(triple))?;
            writer.finish()
        }
    }
}

const PREFIXES: &[(&str, &str)] = &[
    ("dcat", dcat::PREFIX),
    ("dcatap", dcatap::PREFIX),
    ("dct", dct::PREFIX),
    ("foaf", foaf::PREFIX),
    ("geosparql", geosparql::PREFIX),
    ("hydra", hydra::PREFIX),
    ("odrl", odrl::PREFIX),
    ("prov", prov::PREFIX),
    ("rdfs", rdfs::PREFIX),
    ("skos", skos::PREFIX),
    ("vcard", vcard::PREFIX),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
];

#[cfg(test)]
mod tests;
