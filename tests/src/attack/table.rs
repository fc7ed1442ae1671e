//! A table with known secrets: its rows, what its steward declares of them, and the file that is loaded.

use std::fmt::Write as _;

/// One value.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Value {
    /// None is there.
    Missing,
    /// Words.
    Text(&'static str),
    /// A name that was made up for a row.
    Name(String),
    /// A whole number.
    Whole(i64),
    /// A true number.
    Real(f64),
    /// True or false.
    Flag(bool),
    /// Days since 1970.
    Day(i64),
    /// Seconds since 1970.
    Moment(i64),
}

/// What a column may be used for, and the type that goes with it.
#[derive(Debug, Clone)]
pub enum Role {
    /// Names a subject.
    Identifier,
    /// Leads to rows of a public table.
    JoinKey(&'static str),
    /// A listed dimension: its domain, and groups of it.
    Listed(Vec<&'static str>, &'static [(&'static str, &'static [&'static str])]),
    /// A dimension of whole numbers, cut.
    Cuts(&'static [i64]),
    /// A dimension of days by months, or of moments by hours.
    Calendar {
        /// Its first day.
        from: &'static str,
        /// The day after its last.
        to: &'static str,
        /// `hour` or `month`.
        period: &'static str,
    },
    /// A whole number that is added up.
    Measure {
        /// What a row's is held to.
        clamps: [i64; 2],
        /// Bins to group by.
        points: &'static [i64],
    },
    /// One or zero, and averaged.
    Indicator,
    /// Sensitive words.
    Category,
    /// Sensitive, true or false.
    Flag,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
    /// Of which public table, where it is not the table's own.
    pub through: Option<&'static str>,
}

/// Whose data, and which.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns; those of the public table that it leads to come last.
    pub columns: Vec<Column>,
    /// Columns that name its subjects.
    pub units: &'static [&'static str],
    /// Values in the columns' order; of a row without a partner the partner's are missing.
    pub rows: Vec<Vec<Value>>,
    /// Rows that are loaded later.
    pub later: Vec<Vec<Value>>,
    /// The public table that it leads to.
    pub partner: Partner,
}

/// A public table, about nobody.
#[derive(Debug, Clone)]
pub struct Partner {
    /// Its name.
    pub name: &'static str,
    /// The key, and a number of each of its rows.
    pub columns: [&'static str; 2],
    /// The number's cuts.
    pub cuts: &'static [i64],
    /// Its rows.
    pub rows: Vec<[i64; 2]>,
}

/// What a dataset's policy says beside its tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Whether cells go whose subjects are all of one category.
    pub homogeneity: bool,
    /// `never`, `instead-of-refusal` or `only`; none for the default.
    pub noise: Option<&'static str>,
}

impl Value {
    /// As a number, to compare by.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Whole(number) | Self::Day(number) | Self::Moment(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Flag(flag) => Some(f64::from(u8::from(*flag))),
            Self::Missing | Self::Text(_) | Self::Name(_) => None,
        }
    }

    /// As the gateway tells it.
    pub fn told(&self) -> String {
        match self {
            Self::Missing => MISSING.to_owned(),
            Self::Text(text) => (*text).to_owned(),
            Self::Name(name) => name.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Day(day) => date(*day),
            Self::Moment(second) => {
                let within = second.rem_euclid(DAY);
                let (hour, minute, second_of) = (within / 3_600, within / 60 % 60, within % 60);
                format!("{}T{hour:02}:{minute:02}:{second_of:02}Z", date(second.div_euclid(DAY)))
            }
        }
    }

    /// As SQL has it.
    pub fn sql(&self) -> String {
        match self {
            Self::Missing => "NULL".to_owned(),
            Self::Text(_) | Self::Name(_) => format!("'{}'", self.told()),
            Self::Day(_) => format!("DATE '{}'", self.told()),
            Self::Moment(_) => format!("TIMESTAMP '{}'", self.told().replace('T', " ").trim_end_matches('Z')),
            Self::Whole(_) | Self::Real(_) | Self::Flag(_) => self.told(),
        }
    }
}

impl Column {
    /// Of the table's own.
    pub fn own(name: &'static str, role: Role) -> Self {
        Self { name, role, through: None }
    }

    fn kind(&self) -> &'static str {
        match &self.role {
            Role::Identifier | Role::Listed(..) | Role::Category => "string",
            Role::JoinKey(_) | Role::Cuts(_) | Role::Measure { .. } | Role::Indicator => "integer",
            Role::Calendar { period: "hour", .. } => "timestamp",
            Role::Calendar { .. } => "date",
            Role::Flag => "boolean",
        }
    }

    fn policy(&self) -> String {
        let name = self.name;
        let with = |words: &str| format!("  {{ name = {name:?}, {words} }},\n");
        match &self.role {
            Role::Identifier => with("role = \"identifier\""),
            Role::JoinKey(to) => with(&format!("role = \"join-key\", to = [{to:?}]")),
            Role::Listed(_, groups) => {
                let group = |(name, values): &(&str, &[&str])| format!("{{ name = {name:?}, values = {values:?} }}");
                let groups: Vec<String> = groups.iter().map(group).collect();
                with(&format!("role = \"dimension\", groups = [{}]", groups.join(", ")))
            }
            Role::Cuts(points) => with(&format!("role = \"dimension\", cuts = {points:?}")),
            Role::Calendar { from, to, period } => with(&format!(
                "role = \"dimension\", calendar = {{ from = {from:?}, to = {to:?}, period = {period:?} }}"
            )),
            Role::Measure { clamps: [low, high], points } => {
                with(&format!("role = \"measure\", low = {low}, high = {high}, points = {points:?}"))
            }
            Role::Indicator => with("role = \"measure\", low = 0, high = 1"),
            Role::Category | Role::Flag => with("role = \"category\""),
        }
    }
}

impl Table {
    /// A column's place.
    pub fn place(&self, name: &str) -> usize {
        let found = self.columns.iter().position(|column| column.name == name);
        found.unwrap_or_else(|| panic!("{} has no column {name}", self.name))
    }

    /// A column.
    pub fn column(&self, name: &str) -> &Column {
        &self.columns[self.place(name)]
    }

    fn own(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.through.is_none())
    }

    /// Rows as the steward's file.
    pub fn csv(&self, rows: &[Vec<Value>]) -> String {
        let names: Vec<&str> = self.own().map(|(_, column)| column.name).collect();
        let mut text = names.join(",") + "\n";
        for row in rows {
            let cells: Vec<String> = self
                .own()
                .map(|(place, _)| if row[place] == Value::Missing { String::new() } else { row[place].told() })
                .collect();
            text += &cells.join(",");
            text.push('\n');
        }
        text
    }

    fn schema(&self) -> String {
        let mut text = format!("[[tables]]\nname = {:?}\nsubjects = {:?}\ncolumns = [\n", self.name, self.units);
        for (_, column) in self.own() {
            let domain = match &column.role {
                Role::Listed(domain, _) => format!(", domain = {domain:?}"),
                _ => String::new(),
            };
            let nullable = if self.units.contains(&column.name) { "" } else { ", nullable = true" };
            let _ = writeln!(text, "  {{ name = {:?}, type = {:?}{nullable}{domain} }},", column.name, column.kind());
        }
        text + "]\n"
    }

    /// Subjects of its own: what was released of another table says nothing of these.
    fn policy(&self) -> String {
        let unit = |column: &&str| format!("{{ column = {column:?}, space = \"{}-{column}\" }}", self.name);
        let units: Vec<String> = self.units.iter().map(unit).collect();
        let columns: String = self.own().map(|(_, column)| column.policy()).collect();
        format!("[[tables]]\nname = {:?}\nunits = [{}]\ncolumns = [\n{columns}]\n", self.name, units.join(", "))
    }
}

impl Partner {
    /// Its rows as the steward's file.
    pub fn csv(&self) -> String {
        let rows: String = self.rows.iter().map(|[key, number]| format!("{key},{number}\n")).collect();
        format!("{}\n{rows}", self.columns.join(","))
    }

    fn schema(&self) -> String {
        let [key, number] = self.columns;
        format!(
            "[[tables]]\nname = {:?}\npublic = true\ncolumns = [\n  {{ name = {key:?}, type = \"integer\" }},\n  \
             {{ name = {number:?}, type = \"integer\" }},\n]\n",
            self.name
        )
    }

    fn policy(&self) -> String {
        let [key, number] = self.columns;
        format!(
            "[[tables]]\nname = {:?}\nunits = []\ncolumns = [\n  {{ name = {key:?}, role = \"identifier\" }},\n  \
             {{ name = {number:?}, role = \"dimension\", cuts = {:?} }},\n]\n",
            self.name, self.cuts
        )
    }
}

/// The schema of a dataset that holds these, which lead to one public table.
pub fn schema(tables: &[Table], isolation: &str) -> String {
    let partner = tables.first().map(|table| table.partner.schema()).unwrap_or_default();
    let own: String = tables.iter().map(Table::schema).collect();
    format!("isolation = {isolation:?}\n{own}{partner}")
}

/// Its policy.
pub fn policy(tables: &[Table], terms: Terms) -> String {
    let partner = tables.first().map(|table| table.partner.policy()).unwrap_or_default();
    let own: String = tables.iter().map(Table::policy).collect();
    let noise = terms.noise.map(|noise| format!("[noise]\nuse = {noise:?}\n")).unwrap_or_default();
    format!("{own}{partner}[cells]\nhomogeneity = {}\n{noise}", terms.homogeneity)
}

/// Days since 1970 of a date (Hinnant, `days_from_civil`).
pub fn day(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of days since 1970.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (years + era * 400 + i64::from(month <= 2), month, day)
}

fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds.
pub const DAY: i64 = 86_400;
/// A key that is missing, or that a grouping set leaves out.
pub const MISSING: &str = "-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (date_of, count) in
            [((1970, 1, 1), 0), ((2024, 2, 29), 19_782), ((2025, 1, 1), 20_089), ((1969, 12, 31), -1)]
        {
            let (year, month, of_month) = date_of;
            assert_eq!((day(year, month, of_month), civil(count)), (count, date_of));
        }
        assert_eq!(Value::Moment(19_782 * DAY + 3_661).told(), "2024-02-29T01:01:01Z");
        assert_eq!(Value::Moment(DAY).sql(), "TIMESTAMP '1970-01-02 00:00:00'");
    }
}
