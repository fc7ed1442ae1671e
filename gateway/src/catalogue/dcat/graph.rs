//! Triples as they are built, and subject by subject, which is how streaming serializers like them.

use std::collections::HashMap;

use octroi_proto::{Instant, Localised};
use oxrdf::{
    BlankNode, Literal, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, Triple,
    vocab::{rdf, xsd},
};

use super::super::vocabulary::foaf;

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Graph {
    triples: Vec<Triple>,
    unnamed: usize,
}

impl Graph {
    pub(super) fn say(
        &mut self,
        it: &(impl Clone + Into<NamedOrBlankNode>),
        property: NamedNodeRef<'_>,
        value: impl Into<Term>,
    ) {
        self.triples.push(Triple::new(it.clone(), property.into_owned(), value));
    }

    pub(super) fn about(&mut self, it: &(impl Clone + Into<NamedOrBlankNode>), class: NamedNodeRef<'_>) {
        self.say(it, rdf::TYPE, class.into_owned());
    }

    /// A node without a name of its own, of this class.
    pub(super) fn unnamed(&mut self, class: NamedNodeRef<'_>) -> BlankNode {
        self.unnamed += 1;
        // INVARIANT: a letter and digits are a label in every syntax.
        let node = BlankNode::new_unchecked(format!("b{}", self.unnamed));
        self.about(&node, class);
        node
    }

    pub(super) fn agent(&mut self, it: &NamedNode, name: &str) {
        self.about(it, foaf::AGENT);
        self.say(it, foaf::NAME, Literal::from(name));
    }

    pub(super) fn localised(&mut self, it: &NamedNode, property: NamedNodeRef<'_>, texts: &Localised) {
        for (language, text) in texts.iter() {
            self.say(it, property, in_language(text, language));
        }
    }

    /// The same words in the catalogue's two languages.
    pub(super) fn both(&mut self, it: &NamedNode, property: NamedNodeRef<'_>, french: &str, english: &str) {
        self.say(it, property, in_language(french, "fr"));
        self.say(it, property, in_language(english, "en"));
    }

    /// All of it, subject by subject, in the order in which they are first spoken of.
    pub(super) fn triples(&self) -> Vec<&Triple> {
        let mut places: HashMap<&NamedOrBlankNode, usize> = HashMap::new();
        for triple in &self.triples {
            let next = places.len();
            places.entry(&triple.subject).or_insert(next);
        }
        let mut triples: Vec<&Triple> = self.triples.iter().collect();
        triples.sort_by_key(|triple| places.get(&triple.subject));
        triples
    }
}

/// Text in one of [`Localised::LANGUAGES`], whose codes are well formed.
pub(super) fn in_language(text: &str, language: &str) -> Literal {
    Literal::new_language_tagged_literal_unchecked(text, language)
}

pub(super) fn date_time(at: Instant) -> Literal {
    Literal::new_typed_literal(at.to_string(), xsd::DATE_TIME)
}

/// An IRI; text where it is none after all.
pub(super) fn iri_or_text(text: &str) -> Term {
    NamedNode::new(text).map_or_else(|_| Literal::from(text).into(), Into::into)
}
