//! What was measured, and what it should have been.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::BenchError;

/// Values by figure, as programs that measure print them: `{"figure": "clone.wall", "values": [..]}` a line.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<String, Vec<f64>>);

/// One figure, summed up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Summary {
    /// How often it was measured.
    pub(super) count: usize,
    /// The one in the middle.
    pub(super) p50: f64,
    /// What 95 in 100 are no worse than.
    pub(super) p95: f64,
}

/// What a figure's p50 should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// No more than so many times the peer's.
    TimesPeer(f64),
    /// It is told, and that is all.
    None,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    figure: String,
    values: Vec<f64>,
}

impl Figures {
    /// Reads what a program printed.
    pub(super) fn parse(printed: &str) -> Result<Self, BenchError> {
        let parse = |line: &str| {
            let parsed: Result<Line, _> = serde_json::from_str(line);
            parsed
                .map(|line| (line.figure, line.values))
                .map_err(|source| BenchError::Figure { line: line.to_owned(), source })
        };
        printed.lines().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// A figure's summary, if it was measured at all.
    pub(super) fn summary(&self, figure: &str, goal: Goal) -> Option<Summary> {
        let mut values = self.0.get(figure)?.clone();
        values.sort_by(f64::total_cmp);
        let worse_last = match goal {
            Goal::AtMost(_) | Goal::TimesPeer(_) | Goal::None => true,
            Goal::AtLeast(_) => false,
        };
        if !worse_last {
            values.reverse();
        }
        let at = |share: usize| values.get((values.len() * share).div_ceil(100).saturating_sub(1)).copied();
        Some(Summary { count: values.len(), p50: at(50)?, p95: at(95)? })
    }
}

impl Goal {
    /// Whether it is met; `None` where there is nothing to meet, or no peer to compare with.
    pub(super) fn met(self, measured: f64, peer: Option<f64>) -> Option<bool> {
        match self {
            Self::AtMost(most) => Some(measured <= most),
            Self::AtLeast(least) => Some(measured >= least),
            Self::TimesPeer(most) => peer.map(|peer| measured <= most * peer),
            Self::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[f64]) -> Figures {
        Figures::parse(&serde_json::json!({ "figure": "it", "values": values }).to_string()).unwrap()
    }

    #[test]
    fn the_95th_is_the_one_that_few_are_worse_than() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        let most = figures(&values).summary("it", Goal::AtMost(1.0)).unwrap();
        assert_eq!(most, Summary { count: 20, p50: 10.0, p95: 19.0 });
        let least = figures(&values).summary("it", Goal::AtLeast(1.0)).unwrap();
        assert_eq!(least, Summary { count: 20, p50: 11.0, p95: 2.0 });
        let one = figures(&[7.0]).summary("it", Goal::None).unwrap();
        assert_eq!(one, Summary { count: 1, p50: 7.0, p95: 7.0 });
        assert_eq!(figures(&[]).summary("it", Goal::None), None);
        assert_eq!(figures(&[7.0]).summary("other", Goal::None), None);
    }

    #[test]
    fn goals_are_met_up_to_and_with_their_number() {
        for (goal, measured, peer, met) in [
            (Goal::AtMost(60.0), 60.0, None, Some(true)),
            (Goal::AtMost(60.0), 60.1, None, Some(false)),
            (Goal::AtLeast(250.0), 250.0, None, Some(true)),
            (Goal::AtLeast(250.0), 249.9, None, Some(false)),
            (Goal::TimesPeer(1.5), 3.0, Some(2.0), Some(true)),
            (Goal::TimesPeer(1.5), 3.1, Some(2.0), Some(false)),
            (Goal::TimesPeer(1.5), 3.0, None, None),
            (Goal::None, 3.0, Some(2.0), None),
        ] {
            assert_eq!(goal.met(measured, peer), met, "{goal:?} {measured} {peer:?}");
        }
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        for line in ["", "figure 7", "{\"figure\": \"it\"}", "{\"figure\": \"it\", \"values\": [], \"more\": 1}"] {
            assert!(Figures::parse(&format!("{line}\n")).is_err(), "{line}");
        }
    }
}
