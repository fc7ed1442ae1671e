//! Where data that nobody downloads is reached all the same: the services of the api listener.

use octroi_proto::Level;
use oxrdf::{Literal, NamedNode};

use super::{
    super::{
        Published, Site,
        address::Link,
        vocabulary::{access_right, dcat, dct},
    },
    graph::Graph,
};

/// A service of the gateway's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// Sealed objects, to holders of a grant.
    Objects,
    /// Questions on sensitive tables.
    Queries,
}

impl Service {
    pub(super) const ALL: [Self; 2] = [Self::Objects, Self::Queries];

    /// The one that serves a dataset, unless its files lie open.
    pub(super) fn of(dataset: &Published) -> Option<Self> {
        match dataset.level {
            Level::Public => None,
            Level::QuasiSensitive => dataset.lends().then_some(Self::Objects),
            Level::Sensitive => dataset.current.then_some(Self::Queries),
        }
    }

    pub(super) fn iri(self, site: &Site) -> NamedNode {
        site.base.iri(&Link::catalogue().part(self.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Queries => "queries",
        }
    }

    /// What it is, and which of these datasets it serves; nothing if it is none of them. It is identified where it is
    /// spoken of first: data.gouv.fr takes the same identifier on a further page for an error.
    pub(super) fn describe(self, graph: &mut Graph, site: &Site, datasets: &[Published], identified: bool) {
        let mut served = datasets.iter().filter(|it| Self::of(it) == Some(self)).peekable();
        if served.peek().is_none() {
            return;
        }
        let it = self.iri(site);
        let endpoint = NamedNode::new_unchecked(match self {
            Self::Objects => format!("{}/v1/datasets", site.api),
            Self::Queries => format!("{}/v1/queries", site.api),
        });
        graph.about(&it, dcat::DATA_SERVICE);
        if identified {
            graph.say(&it, dct::IDENTIFIER, Literal::from(self.name()));
        }
        match self {
            Self::Objects => {
                graph.both(&it, dct::TITLE, "Prêt de données quasi sensibles", "Lending of quasi-sensitive data");
                graph.both(
                    &it,
                    dct::DESCRIPTION,
                    "Téléchargement par HTTPS et gRPC, pour les organisations dont la demande d’accès a été accordée.",
                    "Download over HTTPS and gRPC, for organisations whose request for access was granted.",
                );
                graph.refer(&it, dct::ACCESS_RIGHTS, &access_right::RESTRICTED.into_owned(), dct::RIGHTS_STATEMENT);
            }
            Self::Queries => {
                graph.both(&it, dct::TITLE, "Questions sur données sensibles", "Questions on sensitive data");
                graph.both(
                    &it,
                    dct::DESCRIPTION,
                    "Des chercheurs habilités posent des questions en SQL ; seuls des agrégats contrôlés sont rendus.",
                    "Approved researchers ask in SQL; only checked aggregates are released.",
                );
                graph.refer(&it, dct::ACCESS_RIGHTS, &access_right::NON_PUBLIC.into_owned(), dct::RIGHTS_STATEMENT);
            }
        }
        graph.say(&it, dct::PUBLISHER, site.base.iri(&Link::catalogue().part("publisher")));
        graph.say(&it, dcat::ENDPOINT_URL, endpoint);
        for dataset in served {
            graph.say(&it, dcat::SERVES_DATASET, site.base.iri(&Link::dataset(&dataset.id)));
        }
    }
}
