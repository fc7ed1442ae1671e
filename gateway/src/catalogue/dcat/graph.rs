//! Triples as they are built, and subject by subject, which is how streaming serializers like them.

use std::collections::{HashMap, HashSet};

use octroi_proto::{Instant, Localised};
use oxrdf::{
    BlankNode, Literal, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, Triple,
    vocab::{rdf, xsd},
};

use super::super::{
    Language,
    vocabulary::{AUTHORITIES, foaf, skos},
};

/// What a document says.
#[derive(Debug, Default)]
pub(super) struct Graph {
    triples: Vec<Triple>,
    /// What lies elsewhere and was said what it is, once in a document.
    known: HashSet<NamedNode>,
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

    /// Something that lies elsewhere, of this class, which validators look for beside it. Whether it was not named in
    /// this document before.
    pub(super) fn refer(
        &mut self,
        it: &(impl Clone + Into<NamedOrBlankNode>),
        property: NamedNodeRef<'_>,
        to: &NamedNode,
        class: NamedNodeRef<'_>,
    ) -> bool {
        self.say(it, property, to.clone());
        let fresh = self.known.insert(to.clone());
        if fresh {
            self.about(to, class);
            // The table that a word is of: validators ask for it beside the word.
            let table = to.as_str().rsplit_once('/').map(|(table, _)| table);
            if let Some(table) = table.filter(|table| table.starts_with(AUTHORITIES)) {
                self.say(to, skos::IN_SCHEME, NamedNode::new_unchecked(table));
            }
        }
        fresh
    }

    /// The same for a steward's IRI; text where it is none after all.
    pub(super) fn refer_to(
        &mut self,
        it: &(impl Clone + Into<NamedOrBlankNode>),
        property: NamedNodeRef<'_>,
        iri: &str,
        class: NamedNodeRef<'_>,
    ) {
        match NamedNode::new(iri) {
            Ok(iri) => drop(self.refer(it, property, &iri, class)),
            Err(_) => self.say(it, property, Literal::from(iri)),
        }
    }

    /// A concept of a vocabulary elsewhere, with its names.
    pub(super) fn concept(
        &mut self,
        it: &NamedNode,
        property: NamedNodeRef<'_>,
        concept: &NamedNode,
        name: impl Fn(Language) -> &'static str,
    ) {
        if self.refer(it, property, concept, skos::CONCEPT) {
            self.both(concept, skos::PREF_LABEL, name(Language::French), name(Language::English));
        }
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
