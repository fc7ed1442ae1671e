//! Figures as a person reads them, on a terminal or as Markdown.

use super::figure::{Figures, Goal, Summary};

/// A row to be filled with what was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The figure's name, as it was measured.
    pub(super) figure: &'static str,
    /// What it is, for people.
    pub(super) what: &'static str,
    pub(super) unit: &'static str,
    pub(super) goal: Goal,
    /// The figure of what it is compared with.
    pub(super) peer: Option<&'static str>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Table {
    title: String,
    rows: Vec<[String; COLUMNS.len()]>,
}

impl Table {
    /// Those of `wanted` that were measured.
    pub(super) fn new(title: String, wanted: &[Wanted], figures: &Figures) -> Self {
        let row = |wanted: &Wanted| {
            let Wanted { figure, what, unit, goal, peer } = *wanted;
            let Summary { count, p50, p95 } = figures.summary(figure, goal)?;
            let peer = peer.and_then(|peer| Some(figures.summary(peer, Goal::None)?.p50));
            let goal_told = match goal {
                Goal::AtMost(most) => with_unit(format!("≤ {most}"), unit),
                Goal::AtLeast(least) => with_unit(format!("≥ {least}"), unit),
                Goal::TimesPeer(most) => format!("≤ {most} × peer"),
                Goal::None => String::new(),
            };
            let met = goal.met(p50, peer).map_or("", |met| if met { "met" } else { "not met" });
            Some([
                what.to_owned(),
                with_unit(told(p50), unit),
                with_unit(told(p95), unit),
                count.to_string(),
                goal_told,
                met.to_owned(),
                peer.map(|peer| with_unit(told(peer), unit)).unwrap_or_default(),
                peer.map(|peer| format!("{:.2}", p50 / peer)).unwrap_or_default(),
            ])
        };
        Self { title, rows: wanted.iter().filter_map(row).collect() }
    }

    /// For a page of documentation.
    pub(super) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("### {}\n\n", self.title);
        text += &line(&COLUMNS.map(str::to_owned));
        text += &line(&COLUMNS.map(|_| "---".to_owned()));
        self.rows.iter().for_each(|row| text += &line(row));
        text
    }

    /// For a terminal.
    pub(super) fn plain(&self) -> String {
        let heads = COLUMNS.map(str::to_owned);
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&heads]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let mut text = format!("{}\n", self.title);
        for row in [&heads].into_iter().chain(&self.rows) {
            let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column)));
            text += cells.collect::<Vec<_>>().join("  ").trim_end();
            text.push('\n');
        }
        text
    }
}

/// What is counted has none.
fn with_unit(value: String, unit: &str) -> String {
    if unit.is_empty() { value } else { format!("{value} {unit}") }
}

/// Three digits, or all before the point.
fn told(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

const COLUMNS: [&str; 8] = ["figure", "p50", "p95", "n", "goal", "", "peer's p50", "ratio"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_tells_what_was_measured_against_its_goal_and_its_peer() {
        let printed = "{\"figure\": \"ours\", \"values\": [30.0]}\n{\"figure\": \"theirs\", \"values\": [25.0]}\n";
        let figures = Figures::parse(printed).unwrap();
        let wanted = |figure, goal, peer| Wanted { figure, what: "a question", unit: "ms", goal, peer };
        let rows = [
            wanted("ours", Goal::TimesPeer(1.5), Some("theirs")),
            wanted("ours", Goal::AtMost(20.0), None),
            wanted("never measured", Goal::AtMost(20.0), None),
        ];
        let table = Table::new("Questions".to_owned(), &rows, &figures);
        assert_eq!(
            table.markdown(),
            "### Questions\n\n\
             | figure | p50 | p95 | n | goal |  | peer's p50 | ratio |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n\
             | a question | 30.0 ms | 30.0 ms | 1 | ≤ 1.5 × peer | met | 25.0 ms | 1.20 |\n\
             | a question | 30.0 ms | 30.0 ms | 1 | ≤ 20 ms | not met |  |  |\n"
        );
        let plain = table.plain();
        assert_eq!(plain.lines().count(), 4);
        assert!(plain.contains("a question  30.0 ms  30.0 ms  1  ≤ 20 ms       not met"), "{plain}");
    }
}
