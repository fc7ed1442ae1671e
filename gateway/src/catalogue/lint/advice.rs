//! What a description lacks: nothing of it blocks.

use octroi_proto::{DatasetDescription, Localised};

use super::{Code, Finding, Severity};
use crate::catalogue::Language;

/// What others would need to find the dataset and to understand it.
pub(super) fn missing(description: &DatasetDescription) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (field, texts) in [("title", &description.title), ("description", &description.description)] {
        let lacking = Language::ALL.into_iter().filter(|language| !is_in(texts, *language));
        findings.extend(lacking.map(|language| advice(lack_of(language), field)));
    }
    let short = description.description.iter().filter(|(_, text)| text.chars().count() < LEAST_CHARACTERS);
    findings.extend(short.map(|(language, _)| advice(Code::ShortDescription, format!("description.{language}"))));
    if description.keywords.is_empty() && description.discovery.keywords.values().all(Vec::is_empty) {
        findings.push(advice(Code::NoKeywords, "keywords"));
    }
    if description.discovery.themes.is_empty() {
        findings.push(advice(Code::NoTheme, "discovery.themes"));
    }
    findings
}

fn is_in(texts: &Localised, language: Language) -> bool {
    texts.iter().any(|(code, _)| code == language.code())
}

fn lack_of(language: Language) -> Code {
    match language {
        Language::French => Code::MissingFrench,
        Language::English => Code::MissingEnglish,
    }
}

fn advice(code: Code, field: impl Into<String>) -> Finding {
    Finding { code, severity: Severity::Advice, field: field.into(), place: None }
}

/// A description with fewer says little more than its title.
const LEAST_CHARACTERS: usize = 50;
