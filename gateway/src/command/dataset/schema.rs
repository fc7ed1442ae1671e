//! `octroi dataset schema`: a schema as a TOML file. What is missing or does not fit is left to the gateway to say.

use std::path::Path;

use octroi_proto::{table::written::WrittenSchema, wire::v1};

use super::file::read_as;
use crate::command::{CommandError, Connection, Output};

/// Declares the schema in the file, or shows the one that stands.
pub(super) async fn run(
    dataset: String,
    file: Option<&Path>,
    connection: &Connection,
    output: Output,
) -> Result<(), CommandError> {
    let Some(file) = file else {
        output.record(&connection.tables().get_schema(v1::GetSchemaRequest { dataset }).await?.into_inner());
        return Ok(());
    };
    let schema = Some(read(file, &dataset)?);
    let schema = connection.tables().declare_schema(v1::DeclareSchemaRequest { schema }).await?.into_inner();
    let tables = schema.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
    output.done(
        &schema,
        format!(
            "{dataset}: schema {} with {tables}; say what may leave with `octroi dataset policy {dataset} FILE`, \
             fill a table with `octroi dataset load {dataset} TABLE FILE`",
            schema.revision
        ),
    );
    Ok(())
}

pub(super) fn read(path: &Path, dataset: &str) -> Result<v1::DatasetSchema, CommandError> {
    read_as(path, "a dataset's schema", |text| parse(text, dataset))
}

fn parse(text: &str, dataset: &str) -> Result<v1::DatasetSchema, String> {
    let written: WrittenSchema = toml::from_str(text).map_err(|error| error.to_string())?;
    written.into_wire(dataset).map_err(|violations| violations.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use octroi_proto::DatasetSchema;

    use super::*;

    #[test]
    fn the_shipped_schemas_are_whole_and_of_datasets_that_ship() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/demo"));
        let mut found = 0;
        for entry in fs::read_dir(folder.join("schemas")).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            assert!(folder.join(&name).exists(), "{name} has no description");
            let schema = DatasetSchema::try_from(read(&path, name.trim_end_matches(".toml")).unwrap());
            assert!(schema.as_ref().is_ok_and(|schema| !schema.tables().is_empty()), "{name}: {schema:?}");
            found += 1;
        }
        assert!(found >= 2);
    }

    #[test]
    fn errors_name_the_key() {
        let table = "[[tables]]\nname = \"trips\"\ncolumns = [{ name = \"day\", type = \"date\"";
        assert!(parse(&format!("{table} }}]"), "x").is_ok());
        assert!(parse(&format!("{table}, secret = true }}]"), "x").unwrap_err().contains("secret"));
        assert!(parse("[[tables]]\nname = \"trips\"", "x").unwrap_err().contains("columns"));
        let misspelt = parse(&format!("{} }}]", table.replace("date", "weekday")), "x").unwrap_err();
        assert!(misspelt.starts_with("`tables[trips].columns[day].type`: must be one of `boolean`"), "{misspelt}");
    }
}
