//! DCAT that another portal exported, as records for `octroi dataset import`.
//!
//! Reads what our own feed says (`catalogue::dcat`) and what portals say alike. What DCAT has no word for (steward,
//! retention, impacts) is left to the defaults. Nothing is fetched: a JSON-LD context elsewhere is refused.

use std::collections::{BTreeMap, BTreeSet};

use octroi_proto::DatasetId;
use oxjsonld::JsonLdParser;
use oxrdf::{Graph, LiteralRef, NamedNode, NamedNodeRef, NamedOrBlankNodeRef, TermRef, vocab::rdf};
use oxttl::TurtleParser;
use serde_json::{Value, json};

use super::import::{Format, Record};
use crate::catalogue::slug;

/// The datasets of a document, in the order of their names.
///
/// # Errors
/// A sentence when it cannot be parsed, or holds no dataset.
pub(super) fn records(bytes: &[u8], format: Format) -> Result<Vec<Record>, String> {
    let graph = parse(bytes, format)?;
    let class = named("http://www.w3.org/ns/dcat#Dataset");
    let mut subjects: Vec<NamedOrBlankNodeRef<'_>> =
        graph.subjects_for_predicate_object(rdf::TYPE, class.as_ref()).collect();
    subjects.sort_by_key(ToString::to_string);
    if subjects.is_empty() {
        return Err("it holds no dcat:Dataset".to_owned());
    }
    let record = |subject: NamedOrBlankNodeRef<'_>| Record {
        place: subject.to_string(),
        said: Node { graph: &graph, it: subject }.record(),
    };
    Ok(subjects.into_iter().map(record).collect())
}

fn parse(bytes: &[u8], format: Format) -> Result<Graph, String> {
    let mut graph = Graph::new();
    match format {
        Format::Ttl => {
            for triple in TurtleParser::new().for_slice(bytes) {
                graph.insert(&triple.map_err(|error| error.to_string())?);
            }
        }
        Format::Jsonld | Format::Jsonl => {
            for quad in JsonLdParser::new().for_slice(bytes) {
                graph.insert(&oxrdf::Triple::from(quad.map_err(|error| error.to_string())?));
            }
        }
    }
    Ok(graph)
}

/// A thing that a document speaks of.
#[derive(Clone, Copy)]
struct Node<'g> {
    graph: &'g Graph,
    it: NamedOrBlankNodeRef<'g>,
}

impl<'g> Node<'g> {
    fn all(self, property: &str) -> impl Iterator<Item = TermRef<'g>> + use<'g> {
        let property = named(property);
        let terms: Vec<_> = self.graph.objects_for_subject_predicate(self.it, property.as_ref()).collect();
        terms.into_iter()
    }

    fn literals(self, property: &str) -> impl Iterator<Item = LiteralRef<'g>> + use<'g> {
        self.all(property).filter_map(|term| if let TermRef::Literal(literal) = term { Some(literal) } else { None })
    }

    fn iris(self, property: &str) -> impl Iterator<Item = &'g str> + use<'g> {
        self.all(property).filter_map(|term| if let TermRef::NamedNode(iri) = term { Some(iri.as_str()) } else { None })
    }

    fn nodes(self, property: &str) -> impl Iterator<Item = Node<'g>> + use<'g> {
        let graph = self.graph;
        self.all(property).filter_map(move |term| {
            let it = match term {
                TermRef::NamedNode(it) => it.into(),
                TermRef::BlankNode(it) => it.into(),
                TermRef::Literal(_) => return None,
            };
            Some(Node { graph, it })
        })
    }

    fn text(self, property: &str) -> Option<&'g str> {
        self.literals(property).next().map(LiteralRef::value)
    }

    /// Text in the languages understood; what names none is taken for French.
    fn localised(self, property: &str) -> BTreeMap<&'static str, &'g str> {
        let mut texts = BTreeMap::new();
        for literal in self.literals(property) {
            let language = literal.language().unwrap_or("fr");
            let primary = language.split('-').next().unwrap_or_default();
            if let Some(known) = octroi_proto::Localised::LANGUAGES.iter().find(|known| **known == primary) {
                texts.entry(*known).or_insert(literal.value());
            }
        }
        texts
    }

    /// The last parts of the IRIs that begin so.
    fn codes(self, property: &str, prefix: &str) -> Vec<&'g str> {
        self.iris(property).filter_map(|iri| iri.strip_prefix(prefix)).collect()
    }

    fn record(self) -> Result<Value, String> {
        let mut record = json!({ "id": self.id()? });
        let mut say = |key: &str, value: Value| {
            let empty = value.is_null()
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(serde_json::Map::is_empty);
            if let (false, Some(fields)) = (empty, record.as_object_mut()) {
                fields.insert(key.to_owned(), value);
            }
        };
        say("title", json!(self.localised(&dct("title"))));
        say("description", json!(self.localised(&dct("description"))));
        let plain = self.literals(&dcat("keyword")).filter(|literal| literal.language().is_none());
        say("keywords", plain.map(LiteralRef::value).collect());
        say("level", json!(self.level()));
        say("publisher", json!(self.nodes(&dct("publisher")).find_map(|it| it.text(&foaf("name")))));
        say("owner", json!(self.nodes(&dct("rightsHolder")).find_map(|it| it.text(&foaf("name")))));
        say("licence", json!(self.iris(&dct("license")).next()));
        say("contact_point", self.contact());
        say("discovery", self.discovery());
        Ok(record)
    }

    /// Its identifier if that can be an id here; else what its identifier, or its IRI, ends with.
    fn id(self) -> Result<String, String> {
        let said = self.text(&dct("identifier"));
        let iri = if let NamedOrBlankNodeRef::NamedNode(iri) = self.it { Some(iri.as_str()) } else { None };
        let said = said.or(iri).ok_or("it has neither a dct:identifier nor an IRI")?;
        if said.parse::<DatasetId>().is_ok() {
            return Ok(said.to_owned());
        }
        let last = said.trim_end_matches('/').rsplit(['/', '#', ':']).next().unwrap_or_default();
        let id: String = slug(last).chars().take(63).collect();
        id.trim_matches('-')
            .parse::<DatasetId>()
            .map(String::from)
            .map_err(|problem| format!("its dct:identifier gives no id: {problem}"))
    }

    fn level(self) -> Option<&'static str> {
        let rights = self.codes(&dct("accessRights"), "http://publications.europa.eu/resource/authority/access-right/");
        rights.into_iter().find_map(|right| match right {
            "PUBLIC" => Some("public"),
            "RESTRICTED" => Some("quasi-sensitive"),
            "NON_PUBLIC" | "CONFIDENTIAL" | "SENSITIVE" => Some("sensitive"),
            _ => None,
        })
    }

    fn contact(self) -> Value {
        let vcard = |name: &str| format!("http://www.w3.org/2006/vcard/ns#{name}");
        let Some(contact) = self.nodes(&dcat("contactPoint")).next() else { return Value::Null };
        let name = contact.text(&vcard("fn")).or_else(|| contact.text(&vcard("organization-name")));
        let email = contact.iris(&vcard("hasEmail")).next().or_else(|| contact.text(&vcard("hasEmail")));
        match (name, email) {
            (Some(name), Some(email)) => {
                json!({ "name": name, "email": email.strip_prefix("mailto:").unwrap_or(email) })
            }
            (_, _) => Value::Null,
        }
    }

    fn discovery(self) -> Value {
        let authority = |name: &str| format!("http://publications.europa.eu/resource/authority/{name}/");
        let mut keywords: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for literal in self.literals(&dcat("keyword")) {
            if let Some(language) = literal.language().filter(|it| octroi_proto::Localised::LANGUAGES.contains(it)) {
                keywords.entry(language).or_default().push(literal.value());
            }
        }
        let derived = self.iris("http://www.w3.org/ns/prov#wasDerivedFrom");
        let origins: BTreeSet<&str> = self.iris(&dct("source")).chain(derived).collect();
        let fields = json!({
            "keywords": keywords,
            "themes": self.codes(&dcat("theme"), &authority("data-theme")),
            "frequency": self.codes(&dct("accrualPeriodicity"), &authority("frequency")).first(),
            "languages": self.codes(&dct("language"), &authority("language")),
            "temporal": self.nodes(&dct("temporal")).filter_map(Node::period).collect::<Vec<_>>(),
            "spatial": self.nodes(&dct("spatial")).map(Node::place).collect::<Vec<_>>(),
            "version": self.text(&dcat("version")),
            "landing_page": self.iris(&dcat("landingPage")).next(),
            "legislation": self.iris("http://data.europa.eu/r5r/applicableLegislation").collect::<Vec<_>>(),
            "derived_from": origins,
            "standards": self.iris(&dct("conformsTo")).collect::<Vec<_>>(),
        });
        let Value::Object(fields) = fields else { return Value::Null };
        let said = |(_, value): &(String, Value)| {
            !value.is_null()
                && value.as_array().is_none_or(|it| !it.is_empty())
                && value.as_object().is_none_or(|it| !it.is_empty())
        };
        Value::Object(fields.into_iter().filter(said).collect())
    }

    fn period(self) -> Option<Value> {
        let day = |name: &str, elsewhere: &str| {
            let said = self.text(&dcat(name)).or_else(|| self.text(elsewhere))?;
            said.get(..10).map(str::to_owned)
        };
        let (from, to) = (day("startDate", "http://schema.org/startDate"), day("endDate", "http://schema.org/endDate"));
        (from.is_some() || to.is_some())
            .then(|| json!({ "from": from.unwrap_or_default(), "to": to.unwrap_or_default() }))
    }

    fn place(self) -> Value {
        let iri = if let NamedOrBlankNodeRef::NamedNode(iri) = self.it { iri.as_str() } else { "" };
        let name = self.text("http://www.w3.org/2004/02/skos/core#prefLabel");
        let shape = self.text(&dcat("bbox")).or_else(|| self.text("http://www.w3.org/ns/locn#geometry"));
        json!({
            "iri": iri,
            "name": name.unwrap_or_default(),
            "box": shape.and_then(bounds).unwrap_or_default(),
        })
    }
}

/// The box around a polygon in well-known text, with the digits that it has there.
fn bounds(wkt: &str) -> Option<String> {
    let inside = wkt.get(wkt.find('(')?..)?;
    let inside: String = inside.chars().map(|c| if matches!(c, '(' | ')') { ' ' } else { c }).collect();
    let mut edges: Option<[&str; 4]> = None;
    let number = |text: &str| text.parse::<f64>().ok();
    for point in inside.split(',') {
        let mut numbers = point.split_whitespace();
        let (x, y) = (numbers.next()?, numbers.next()?);
        let [west, south, east, north] = edges.unwrap_or([x, y, x, y]);
        let pick = |a: &'_ str, b: &'_ str, less: bool| -> Option<bool> { Some((number(a)? < number(b)?) == less) };
        edges = Some([
            if pick(x, west, true)? { x } else { west },
            if pick(y, south, true)? { y } else { south },
            if pick(x, east, false)? { x } else { east },
            if pick(y, north, false)? { y } else { north },
        ]);
    }
    edges.map(|edges| edges.join(","))
}

fn named(iri: &str) -> NamedNode {
    NamedNodeRef::new_unchecked(iri).into_owned()
}

fn dct(name: &str) -> String {
    format!("http://purl.org/dc/terms/{name}")
}

fn dcat(name: &str) -> String {
    format!("http://www.w3.org/ns/dcat#{name}")
}

fn foaf(name: &str) -> String {
    format!("http://xmlns.com/foaf/0.1/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURTLE: &str = r#"
        @prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> .
        @prefix foaf: <http://xmlns.com/foaf/0.1/> . @prefix vcard: <http://www.w3.org/2006/vcard/ns#> .
        @prefix eu: <http://publications.europa.eu/resource/authority/> .
        <https://portal.example/datasets/Compteurs%20Vélo> a dcat:Dataset ;
            dct:title "Compteurs vélo"@fr, "Bicycle counters"@en-GB ;
            dct:description "Passages." ;
            dcat:keyword "vélo"@fr, "open" ;
            dct:publisher [ foaf:name "Dijon métropole" ] ;
            dcat:contactPoint [ vcard:fn "Guichet" ; vcard:hasEmail <mailto:donnees@dijon.example> ] ;
            dct:license <https://www.etalab.gouv.fr/licence-ouverte> ;
            dct:accessRights <http://publications.europa.eu/resource/authority/access-right/PUBLIC> ;
            dcat:theme <http://publications.europa.eu/resource/authority/data-theme/TRAN> ;
            dct:temporal [ dcat:startDate "2019-01-01T00:00:00" ] ;
            dct:spatial [ dcat:bbox "POLYGON((5.20 47.20, 4.90 47.20, 4.90 47.40, 5.20 47.40, 5.20 47.20))" ] .
    "#;

    #[test]
    fn what_a_portal_says_becomes_a_record() {
        let records = records(TURTLE.as_bytes(), Format::Ttl).unwrap();
        let expected = json!({
            "id": "compteurs-20velo",
            "title": { "fr": "Compteurs vélo", "en": "Bicycle counters" },
            "description": { "fr": "Passages." },
            "keywords": ["open"],
            "level": "public",
            "publisher": "Dijon métropole",
            "contact_point": { "name": "Guichet", "email": "donnees@dijon.example" },
            "licence": "https://www.etalab.gouv.fr/licence-ouverte",
            "discovery": {
                "keywords": { "fr": ["vélo"] },
                "themes": ["TRAN"],
                "temporal": [{ "from": "2019-01-01", "to": "" }],
                "spatial": [{ "iri": "", "name": "", "box": "4.90,47.20,5.20,47.40" }],
            },
        });
        assert_eq!(records[0].said, Ok(expected));
    }

    #[test]
    fn nothing_is_fetched_and_what_is_no_dcat_is_refused() {
        let remote = br#"{"@context": "https://example.org/context.jsonld", "@id": "https://x.example/d"}"#;
        assert!(records(remote, Format::Jsonld).is_err());
        assert!(records(b"<", Format::Ttl).is_err());
        assert!(records(b"", Format::Ttl).is_err());
    }
}
