//! Identifiers of items: `oai:HOST:DATASET-ID`
//! (<https://www.openarchives.org/OAI/2.0/guidelines-oai-identifier.htm>).

use octroi_proto::DatasetId;
use oxrdf::NamedNode;

use super::{
    super::Base,
    problem::{Argument, Problem},
};

/// Where the identifiers of a repository are unique: its host.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    host: String,
}

impl Namespace {
    /// The host of a base, without its port.
    pub(super) fn of(base: &Base) -> Self {
        let base = base.to_string();
        let authority = base.split_once("://").map_or(base.as_str(), |(_, rest)| rest);
        let authority = authority.split_once('/').map_or(authority, |(authority, _)| authority);
        let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let host = bracketed.or_else(|| authority.split_once(':')).map_or(authority, |(host, _)| host);
        Self { host: host.to_ascii_lowercase() }
    }

    /// The host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is a domain name as oai-identifier.xsd demands it: labels with dots between them, each
    /// beginning with a letter.
    pub(super) fn is_domain(&self) -> bool {
        let good = |label: &str| {
            label.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        self.host.contains('.') && self.host.split('.').all(good)
    }

    /// The identifier of a dataset.
    pub(super) fn identifier(&self, dataset: &str) -> String {
        format!("oai:{}:{dataset}", self.host)
    }

    /// The dataset of an identifier; whether there is one, only the register knows.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for what is no URI, [`Problem::IdDoesNotExist`] for one that is not ours.
    pub(super) fn dataset(&self, text: &str) -> Result<DatasetId, Problem> {
        if !is_uri(text) {
            return Err(Problem::Malformed(Argument::Identifier));
        }
        let local = text.strip_prefix("oai:").and_then(|rest| rest.strip_prefix(self.host.as_str()));
        let id = local.and_then(|rest| rest.strip_prefix(':')).and_then(|id| id.parse().ok());
        id.ok_or(Problem::IdDoesNotExist)
    }
}

/// Whether a text is a URI; one without a scheme passes too, since harvesters' tests ask for such to be unknown.
fn is_uri(text: &str) -> bool {
    let ascii = (1..=MOST_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    let absolute = || if text.contains(':') { text.to_owned() } else { format!("oai:{text}") };
    ascii && NamedNode::new(absolute()).is_ok()
}

/// Longer identifiers are nobody's.
const MOST_BYTES: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(base: &str) -> Namespace {
        Namespace::of(&base.parse().unwrap())
    }

    #[test]
    fn identifiers_lead_back_to_their_dataset() {
        for (base, identifier) in [
            ("https://data.dijon.example", "oai:data.dijon.example:velos"),
            ("https://Data.Dijon.example:8443/octroi", "oai:data.dijon.example:velos"),
            ("http://127.0.0.1:8080", "oai:127.0.0.1:velos"),
            ("http://[::1]:8080/o", "oai:::1:velos"),
            ("http://localhost", "oai:localhost:velos"),
        ] {
            let namespace = namespace(base);
            assert_eq!(namespace.identifier("velos"), identifier);
            assert_eq!(namespace.dataset(identifier), Ok("velos".parse().unwrap()), "{base}");
        }
    }

    #[test]
    fn others_do_not_exist_or_are_malformed() {
        let namespace = namespace("https://data.dijon.example");
        for unknown in ["oai:other.example:velos", "oai:data.dijon.example:", "velos", "https://a.example/x?y#z"] {
            assert_eq!(namespace.dataset(unknown), Err(Problem::IdDoesNotExist), "{unknown}");
        }
        for bad in ["", "invalid\"id", "a b", "oai:x:é", "oai:%zz", "1:2", &"x".repeat(501)] {
            assert_eq!(namespace.dataset(bad), Err(Problem::Malformed(Argument::Identifier)), "{bad}");
        }
    }

    #[test]
    fn only_domain_names_are_domain_names() {
        for (base, is) in [
            ("https://data.dijon.example", true),
            ("https://a-b.c", true),
            ("https://localhost", false),
            ("https://127.0.0.1", false),
            ("https://2.dijon.example", false),
            ("https://[::1]", false),
            ("https://data_x.example", false),
            ("https://data.example.", false),
        ] {
            assert_eq!(namespace(base).is_domain(), is, "{base}");
        }
    }
}
