//! What a question or a load is held to, and its digest, for which keys are sealed.
//!
//! ```text
//! serve: Rules --Question--> zone:         Rules::parse -> digest --Expected--> opens keys of that digest alone
//!        Rules --SealColumnKeys--> keys:   Rules::parse, each table as it was declared at its load -> digest --Binding-->
//! ```
//!
//! `octroi serve` carries rules and keys and can change neither. Whoever adds something to what is held adds it to
//! [`Rules`] alone: it is hashed whole. Trusts nobody who sends rules. Does not give: that a
//! table was declared honestly before its first load, which its steward did through serve.

use std::{collections::BTreeSet, fmt};

use octroi_proto::{
    DatasetId, ReleasePolicy, TableName, TableSchema,
    wire::{v1, zone as wire},
};
use prost::Message as _;
use ring::digest::{Context, SHA256};

/// What a question is held to. Of each table there is one declaration, with subjects unless it was declared public.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    tables: Vec<RuledTable>,
    policies: Vec<ReleasePolicy>,
    least_subjects: u32,
}

/// A table as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledTable {
    /// Its dataset.
    pub dataset: DatasetId,
    /// Its columns, its subjects, what is hidden.
    pub schema: TableSchema,
}

/// SHA-256 of what work is held to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RulesDigest([u8; 32]);

/// SHA-256 of a table as it was declared when it was loaded, whatever was hidden then: hiding is all that may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeclaredDigest([u8; 32]);

/// Why rules cannot be held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRules {
    /// A dataset or a declaration that is none.
    #[error("each table must be of a dataset, and declared as a steward may declare it")]
    Table,
    /// A table that is declared twice.
    #[error("each table must be declared once")]
    Twice,
    /// A policy that is none, or that no table is held to.
    #[error("each release policy must be one, of a dataset that is asked, and there once, in order")]
    Policy,
    /// Fewer than protect anyone.
    #[error("each cell must be about at least {LEAST_SUBJECTS} subjects")]
    LeastSubjects,
}

/// Bytes that are no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a SHA-256: 32 bytes")]
pub struct InvalidDigest;

/// Fewest subjects that any released cell is about, whoever asks for fewer: INSEE's rule for tables of tax data on persons
/// (its guide on statistical confidentiality). It covers the ten of ACRO and of the French rule on energy data.
pub const LEAST_SUBJECTS: u32 = 11;

impl Rules {
    /// Rules over these tables, by these policies: at most one of each dataset, by its name.
    ///
    /// # Errors
    /// [`InvalidRules`].
    pub fn new(
        tables: Vec<RuledTable>,
        policies: Vec<ReleasePolicy>,
        least_subjects: u32,
    ) -> Result<Self, InvalidRules> {
        let mut seen = BTreeSet::new();
        let once = tables.iter().all(|table| seen.insert((table.dataset.as_str(), table.schema.name().as_str())));
        if !once {
            return Err(InvalidRules::Twice);
        }
        let asked = |policy: &ReleasePolicy| tables.iter().any(|table| table.dataset == *policy.dataset());
        let ordered = policies.is_sorted_by(|one, next| one.dataset().as_str() < next.dataset().as_str());
        if !ordered || !policies.iter().all(asked) {
            return Err(InvalidRules::Policy);
        }
        if least_subjects < LEAST_SUBJECTS {
            return Err(InvalidRules::LeastSubjects);
        }
        Ok(Self { tables, policies, least_subjects })
    }

    /// From the wire.
    ///
    /// # Errors
    /// [`InvalidRules`].
    pub fn parse(wire: wire::Rules) -> Result<Self, InvalidRules> {
        let tables = wire.tables.into_iter().map(|table| RuledTable::parse(&table.dataset, table.schema));
        let policies = wire.policies.iter().map(policy);
        Self::new(tables.collect::<Result<_, _>>()?, policies.collect::<Result<_, _>>()?, wire.least_subjects)
    }

    /// As they are written on the wire.
    pub fn to_wire(&self) -> wire::Rules {
        wire::Rules {
            tables: self.tables.iter().map(RuledTable::to_wire).collect(),
            policies: self.policies.iter().map(v1::ReleasePolicy::from).collect(),
            least_subjects: self.least_subjects,
        }
    }

    /// The tables, in the order of the question.
    pub fn tables(&self) -> &[RuledTable] {
        &self.tables
    }

    /// What may leave of the tables, dataset by dataset.
    pub fn policies(&self) -> &[ReleasePolicy] {
        &self.policies
    }

    /// Each released cell is about at least so many subjects of every kind.
    pub fn least_subjects(&self) -> u32 {
        self.least_subjects
    }

    /// What a question's keys are sealed for.
    pub fn digest(&self) -> RulesDigest {
        // What parses encodes as it came: proto has a test of it.
        RulesDigest(sha256(QUESTION, &self.to_wire().encode_to_vec()))
    }
}

impl RuledTable {
    /// From the wire.
    ///
    /// # Errors
    /// [`InvalidRules::Table`].
    pub fn parse(dataset: &str, schema: Option<v1::TableSchema>) -> Result<Self, InvalidRules> {
        let dataset = dataset.parse().map_err(|_| InvalidRules::Table)?;
        let schema = schema.ok_or(InvalidRules::Table)?.try_into().map_err(|_| InvalidRules::Table)?;
        Ok(Self { dataset, schema })
    }

    /// As it is written on the wire.
    pub fn to_wire(&self) -> wire::RuledTable {
        wire::RuledTable { dataset: self.dataset.to_string(), schema: Some((&self.schema).into()) }
    }

    /// Its name within its dataset.
    pub fn name(&self) -> &TableName {
        self.schema.name()
    }

    /// What a load's keys are sealed for.
    pub fn load_digest(&self) -> RulesDigest {
        RulesDigest(sha256(LOAD, &self.to_wire().encode_to_vec()))
    }

    /// What its files' keys are kept for.
    pub fn declared_digest(&self) -> DeclaredDigest {
        let shown = Self { dataset: self.dataset.clone(), schema: self.schema.clone().with_all_shown() };
        DeclaredDigest(sha256(DECLARED, &shown.to_wire().encode_to_vec()))
    }
}

/// A policy in its one form: rules encode as they came.
fn policy(wire: &v1::ReleasePolicy) -> Result<ReleasePolicy, InvalidRules> {
    let policy = wire.clone().try_into().map_err(|_| InvalidRules::Policy)?;
    if v1::ReleasePolicy::from(&policy) == *wire { Ok(policy) } else { Err(InvalidRules::Policy) }
}

macro_rules! digest {
    ($name:ident) => {
        impl $name {
            /// Its bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidDigest;
            fn try_from(bytes: &[u8]) -> Result<Self, InvalidDigest> {
                bytes.try_into().map(Self).map_err(|_| InvalidDigest)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }
    };
}

digest!(RulesDigest);
digest!(DeclaredDigest);

fn sha256(context: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    digest.update(context);
    digest.update(bytes);
    let mut sum = [0; 32];
    sum.copy_from_slice(digest.finish().as_ref());
    sum
}

const QUESTION: &[u8] = b"octroi rules v1\0";
const LOAD: &[u8] = b"octroi load rules v1\0";
const DECLARED: &[u8] = b"octroi declared table v1\0";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(name: &str, kind: v1::ColumnType) -> v1::Column {
        v1::Column { name: name.into(), r#type: kind.into(), ..v1::Column::default() }
    }

    /// In its one form.
    fn policy() -> v1::ReleasePolicy {
        let unit = v1::Unit { column: "person".into(), space: "patients".into() };
        let stays = v1::TablePolicy { table: "stays".into(), units: vec![unit], columns: Vec::new(), noise_rows: 0 };
        let policy = v1::ReleasePolicy { dataset: "hospital".into(), tables: vec![stays], ..Default::default() };
        (&ReleasePolicy::try_from(policy).unwrap()).into()
    }

    fn wire() -> wire::Rules {
        let ward = v1::Column { domain: vec!["a".into(), "b".into()], ..column("ward", v1::ColumnType::String) };
        let stays = v1::TableSchema {
            name: "stays".into(),
            columns: vec![column("person", v1::ColumnType::Integer), ward, column("cost", v1::ColumnType::Float)],
            subjects: vec!["person".into()],
            public: false,
        };
        let weather = v1::TableSchema {
            name: "weather".into(),
            columns: vec![column("day", v1::ColumnType::Date)],
            subjects: Vec::new(),
            public: true,
        };
        let ruled = |schema| wire::RuledTable { dataset: "hospital".into(), schema: Some(schema) };
        wire::Rules { tables: vec![ruled(stays), ruled(weather)], least_subjects: 11, policies: vec![policy()] }
    }

    /// The rules after a change to the first table.
    fn changed(change: impl FnOnce(&mut v1::TableSchema)) -> Result<Rules, InvalidRules> {
        let mut wire = wire();
        change(wire.tables[0].schema.as_mut().unwrap());
        Rules::parse(wire)
    }

    type Change = fn(&mut v1::TableSchema);

    /// All that a declaration says but for hiding.
    const CHANGES: [Change; 8] = [
        |it| it.name = "visits".into(),
        |it| it.columns[1].name = "wing".into(),
        |it| it.columns[2].r#type = v1::ColumnType::Integer.into(),
        |it| it.columns[1].nullable = true,
        |it| it.columns[1].domain.truncate(1),
        |it| it.columns.swap(1, 2),
        |it| it.subjects = vec!["ward".into()],
        |it| {
            it.subjects.clear();
            it.public = true;
        },
    ];

    #[test]
    fn every_part_of_the_rules_is_in_their_digest() {
        let rules = Rules::parse(wire()).unwrap();
        assert_eq!(rules.to_wire(), wire());
        let hide: Change = |it| it.columns[2].hidden = true;
        for change in CHANGES.into_iter().chain([hide]) {
            assert_ne!(changed(change).unwrap().digest(), rules.digest());
        }
        let more = Rules::parse(wire::Rules { least_subjects: 12, ..wire() }).unwrap();
        assert_ne!(more.digest(), rules.digest());
        let mut turned = wire();
        turned.tables.reverse();
        assert_ne!(Rules::parse(turned).unwrap().digest(), rules.digest());
        let mut elsewhere = wire();
        elsewhere.tables[0].dataset = "clinic".into();
        assert_ne!(Rules::parse(elsewhere).unwrap().digest(), rules.digest());
        let mut stricter = wire();
        stricter.policies[0].cells.as_mut().unwrap().homogeneity = true;
        assert_ne!(Rules::parse(stricter).unwrap().digest(), rules.digest());
        assert_ne!(Rules::parse(wire::Rules { policies: Vec::new(), ..wire() }).unwrap().digest(), rules.digest());
    }

    #[test]
    fn a_declaration_stays_the_same_while_columns_are_hidden_and_no_longer() {
        let declared = |rules: Rules| rules.tables()[0].declared_digest();
        let first = declared(Rules::parse(wire()).unwrap());
        assert_eq!(declared(changed(|it| it.columns[2].hidden = true).unwrap()), first);
        for change in CHANGES {
            assert_ne!(declared(changed(change).unwrap()), first);
        }
        let load = |rules: &Rules| rules.tables()[0].load_digest();
        let hidden = changed(|it| it.columns[2].hidden = true).unwrap();
        assert_ne!(load(&hidden), load(&Rules::parse(wire()).unwrap()), "a load marks what is hidden for good");
    }

    #[test]
    fn rules_that_protect_nobody_are_none() {
        for least in [0, 1, 10] {
            let few = wire::Rules { least_subjects: least, ..wire() };
            assert_eq!(Rules::parse(few), Err(InvalidRules::LeastSubjects), "{least}");
        }
        assert_eq!(changed(|it| it.subjects.clear()), Err(InvalidRules::Table));
        assert_eq!(changed(|it| it.columns[0].hidden = true), Err(InvalidRules::Table));
        let mut twice = wire();
        twice.tables[1] = twice.tables[0].clone();
        assert_eq!(Rules::parse(twice), Err(InvalidRules::Twice));
        let twice = wire::Rules { policies: vec![policy(), policy()], ..wire() };
        assert_eq!(Rules::parse(twice), Err(InvalidRules::Policy));
        let mut lax = wire();
        lax.policies[0].cells.as_mut().unwrap().least_subjects = 5;
        assert_eq!(Rules::parse(lax), Err(InvalidRules::Policy));
        let mut left_out = wire();
        left_out.policies[0].cells = None;
        assert_eq!(Rules::parse(left_out), Err(InvalidRules::Policy), "not in its one form");
        let mut others = wire();
        others.policies[0].dataset = "clinic".into();
        assert_eq!(Rules::parse(others), Err(InvalidRules::Policy));
        let mut bare = wire();
        bare.tables[0].schema = None;
        assert_eq!(Rules::parse(bare), Err(InvalidRules::Table));
    }

    /// Digests bind keys across processes of different builds: they stay what they are.
    #[test]
    fn digests_are_those_of_the_published_encoding() {
        let rules = Rules::parse(wire()).unwrap();
        let expected = sha256(b"octroi rules v1\0", &wire().encode_to_vec());
        assert_eq!(rules.digest().as_bytes(), &expected);
        assert_eq!(hex::encode(expected), GOLDEN);
    }

    const GOLDEN: &str = "809b9e2e93b210554b76b5817ad0a75a16addc20fe16ce77c644b94115859706";

    proptest! {
        #[test]
        fn any_bytes_are_rules_that_encode_as_they_came_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(wire) = wire::Rules::decode(bytes.as_slice())
                && let Ok(rules) = Rules::parse(wire.clone())
            {
                prop_assert_eq!(rules.to_wire(), wire);
            }
        }
    }
}
