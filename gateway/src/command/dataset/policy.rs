//! `octroi dataset policy`: a release policy as a TOML file. What is missing or does not fit is left to the gateway to
//! say.

use std::path::Path;

use octroi_proto::{
    release::written::WrittenPolicy,
    wire::v1::{self, column_policy::Role, dimension::Bins},
};

use super::file::read_as;
use crate::command::{CommandError, Connection, Output};

/// Declares the policy in the file, or shows the one that stands.
pub(super) async fn run(
    dataset: String,
    file: Option<&Path>,
    connection: &Connection,
    output: Output,
) -> Result<(), CommandError> {
    let Some(file) = file else {
        let policy = connection.releases().get_policy(v1::GetPolicyRequest { dataset }).await?.into_inner();
        show(&policy, output);
        return Ok(());
    };
    let policy = Some(read(file, &dataset)?);
    let declared = connection.releases().declare_policy(v1::DeclarePolicyRequest { policy }).await?.into_inner();
    let policy = declared.policy.clone().unwrap_or_default();
    let tables = policy.tables.iter().map(|table| table.table.as_str()).collect::<Vec<_>>().join(", ");
    let sentence = match tables.as_str() {
        "" => format!("{dataset}: policy {}; no table may be asked", policy.revision),
        tables => format!("{dataset}: policy {} of {tables}", policy.revision),
    };
    output.done(&declared, sentence);
    if declared.looser.is_empty() {
        return Ok(());
    }
    output.rows(&["looser than before", ""], declared.looser.iter().map(|it| pair(it)));
    Ok(())
}

/// A line for each column, then the rules; for programs the message.
fn show(policy: &v1::ReleasePolicy, output: Output) {
    if output.json {
        return output.record(policy);
    }
    output.say(format!("{}: policy {}", policy.dataset, policy.revision));
    let columns = policy.tables.iter().flat_map(|table| table.columns.iter().map(|column| row(table, column)));
    output.rows(&["table", "column", "role", "how"], columns);
    let rules = v1::ReleasePolicy { dataset: String::new(), revision: 0, tables: Vec::new(), ..policy.clone() };
    output.record(&rules);
}

fn row(table: &v1::TablePolicy, column: &v1::ColumnPolicy) -> Vec<String> {
    let unit = table.units.iter().find(|unit| unit.column == column.column);
    let (role, mut how) = match &column.role {
        None => ("", Vec::new()),
        Some(Role::Identifier(v1::Identifier {})) => ("identifier", Vec::new()),
        Some(Role::Category(v1::Category {})) => ("category", Vec::new()),
        Some(Role::JoinKey(key)) => ("join-key", vec![format!("to {}", key.to.join(", "))]),
        Some(Role::Measure(measure)) => ("measure", shown_measure(measure)),
        Some(Role::Dimension(dimension)) => ("dimension", shown_dimension(dimension)),
    };
    how.extend(unit.map(|unit| format!("unit, of {}", unit.space)));
    let several = unit.filter(|_| table.noise_rows > 1);
    how.extend(several.map(|_| format!("{} rows of one count where there is noise", table.noise_rows)));
    vec![table.table.clone(), column.column.clone(), role.to_owned(), how.join("; ")]
}

fn shown_measure(measure: &v1::Measure) -> Vec<String> {
    let clamps = measure.low.zip(measure.high).map(|(low, high)| format!("held to {low} to {high}"));
    let points = measure.points.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    clamps.into_iter().chain((!points.is_empty()).then(|| format!("bins cut at {points}"))).collect()
}

fn shown_dimension(dimension: &v1::Dimension) -> Vec<String> {
    let bins = match &dimension.bins {
        None => String::new(),
        Some(Bins::Listed(v1::Listed {})) => "each value of its domain".to_owned(),
        Some(Bins::Cuts(cuts)) => format!("cut at {}", cuts.points.join(", ")),
        Some(Bins::Calendar(it)) => format!("each {} from {} to {}", it.period, it.from, it.to),
    };
    let group = |group: &v1::Group| format!("{} = {}", group.name, group.values.join(" or "));
    std::iter::once(bins).chain(dimension.groups.iter().map(group)).collect()
}

/// A field and what is looser about it.
fn pair(line: &str) -> Vec<String> {
    let (at, way) = line.split_once(": ").unwrap_or((line, ""));
    vec![at.to_owned(), way.to_owned()]
}

fn read(path: &Path, dataset: &str) -> Result<v1::ReleasePolicy, CommandError> {
    read_as(path, "a release policy", |text| parse(text, dataset))
}

fn parse(text: &str, dataset: &str) -> Result<v1::ReleasePolicy, String> {
    let written: WrittenPolicy = toml::from_str(text).map_err(|error| error.to_string())?;
    written.into_wire(dataset).map_err(|violations| violations.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use octroi_proto::{DatasetId, DatasetSchema, ReleasePolicy, release::Elsewhere};

    use super::{super::schema, *};

    fn schemas() -> Elsewhere {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/demo/schemas"));
        let schema = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap();
            let id = name.trim_end_matches(".toml");
            let schema = DatasetSchema::try_from(schema::read(&entry.path(), id).unwrap()).unwrap();
            (id.parse::<DatasetId>().unwrap(), schema)
        };
        fs::read_dir(folder).unwrap().map(Result::unwrap).map(schema).collect()
    }

    #[test]
    fn the_shipped_policies_fit_the_shipped_schemas_and_none_lacks() {
        let schemas = schemas();
        for (id, schema) in &schemas {
            let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/release/{}.toml"), id);
            let policy = ReleasePolicy::try_from(read(path.as_ref(), id.as_str()).unwrap()).unwrap();
            assert_eq!(policy.fits(schema, &schemas), Ok(()), "{id}");
            let wire = v1::ReleasePolicy::from(&policy);
            assert_eq!(wire.tables.len(), schema.tables().len(), "{id}: every table may be asked");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/release");
        assert_eq!(fs::read_dir(folder).unwrap().count(), schemas.len());
    }

    #[test]
    fn errors_name_the_key() {
        let policy = |column: &str| format!("[[tables]]\nname = \"t\"\ncolumns = [{{ name = \"c\", {column} }}]");
        assert!(parse(&policy("role = \"measure\", low = 0, high = 2.5"), "x").is_ok());
        assert!(parse(&policy("role = \"measure\", secret = true"), "x").unwrap_err().contains("secret"));
        let misspelt = parse(&policy("role = \"key\""), "x").unwrap_err();
        assert!(misspelt.starts_with("`tables[t].columns[c].role`: must be one of `identifier`"), "{misspelt}");
        let misplaced = parse(&policy("role = \"category\", cuts = [1]"), "x").unwrap_err();
        assert!(misplaced.starts_with("`tables[t].columns[c].cuts`: does not go with this role"), "{misplaced}");
        assert!(parse("[cells]\nleast_subjects = 0", "x").unwrap_err().contains("leave it out for the default"));
    }

    #[test]
    fn what_is_shown_says_all_that_is_declared() {
        let unit = v1::Unit { column: "home".into(), space: "household".into() };
        let key = v1::ColumnPolicy {
            column: "home".into(),
            role: Some(Role::JoinKey(v1::JoinKey { to: vec!["homes/homes".into()] })),
        };
        let table = v1::TablePolicy { table: "meters".into(), units: vec![unit], columns: Vec::new(), noise_rows: 0 };
        assert_eq!(row(&table, &key), ["meters", "home", "join-key", "to homes/homes; unit, of household"]);
        let group = v1::Group { name: "far".into(), values: vec!["a".into(), "b".into()] };
        let dimension = v1::Dimension { bins: Some(Bins::Listed(v1::Listed {})), groups: vec![group] };
        assert_eq!(shown_dimension(&dimension), ["each value of its domain", "far = a or b"]);
        let measure = v1::Measure { low: Some(0.0), high: Some(2.5), points: vec![1.0] };
        assert_eq!(shown_measure(&measure), ["held to 0 to 2.5", "bins cut at 1"]);
    }
}
