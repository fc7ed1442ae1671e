//! `octroi dataset search`.

use clap::Args;
use octroi_proto::wire::v1;

use super::super::{CommandError, Connection, Output};

/// What to look for.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Words, or `field:value`, with AND, OR, NOT, quotes and parentheses
    #[arg(allow_hyphen_values = true, default_value = "", hide_default_value = true)]
    words: String,
    /// A condition that must hold as well, in the same syntax
    #[arg(long = "filter", value_name = "CONDITION", allow_hyphen_values = true)]
    filters: Vec<String>,
    /// score, name, title_string, metadata_created or metadata_modified, then asc or desc
    #[arg(long, default_value = "", hide_default_value = true)]
    sort: String,
    /// How many to leave out at the beginning
    #[arg(long, default_value_t = 0)]
    start: u32,
    /// How many to name, at most 1000
    #[arg(long, default_value_t = 20)]
    most: u32,
    /// Count by organization, groups, tags, license_id, res_format or level instead of naming datasets
    #[arg(long = "facet", value_name = "FIELD")]
    facets: Vec<String>,
}

impl Search {
    pub(super) async fn run(self, connection: &Connection, output: Output) -> Result<(), CommandError> {
        let counts = !self.facets.is_empty();
        let request = v1::SearchRequest {
            query: self.words,
            filters: self.filters,
            sort: self.sort,
            start: self.start,
            page_size: if counts { 1 } else { self.most },
            facets: self.facets,
        };
        let found = connection.catalogue().search(request).await?.into_inner();
        if counts {
            show_counts(&found.facets, output);
        } else {
            show_records(&found.records, output);
        }
        Ok(())
    }
}

fn show_records(records: &[v1::CatalogueRecord], output: Output) {
    output.list(records, &["id", "level", "publisher", "title"], |record| {
        let level = record.level().as_str_name().trim_start_matches("LEVEL_").to_lowercase().replace('_', "-");
        let title = record.title.get("fr").or_else(|| record.title.values().next()).cloned().unwrap_or_default();
        vec![record.id.clone(), level, record.publisher.clone(), title]
    });
}

fn show_counts(facets: &[v1::SearchFacet], output: Output) {
    for facet in facets {
        output.list(&facet.values, &[facet.name.as_str(), "datasets"], |counted| {
            vec![counted.value.clone(), counted.datasets.to_string()]
        });
    }
}
