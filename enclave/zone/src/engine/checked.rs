//! What is told of a question that is only to be judged: how it would be answered, and what keeps cells back. Nothing of
//! data is here, neither disk nor key.

use octroi_proto::wire::zone as wire;
use octroi_release::{Ruling, rounding::Rounding};

use super::{Planned, noisy::Noisy, released::roundings};

/// The verdict on a question that may be asked.
pub(super) fn checked(planned: &Planned) -> wire::Checked {
    let ruling = &planned.ruling;
    if ruling.units().is_empty() {
        let notes = vec!["its tables are about nobody: it is answered as it is".to_owned()];
        return wire::Checked { tier: "exact".to_owned(), notes, noise_epsilon: 0 };
    }
    let noise_epsilon = planned.noisy.as_ref().map_or(0, |noisy| noisy.terms.limits.question.milli());
    if planned.noisy.as_ref().is_some_and(Noisy::alone) {
        let notes = [ALONE, BOUNDED, UNBIASED, AGAIN].map(str::to_owned).into();
        return wire::Checked { tier: "noise".to_owned(), notes, noise_epsilon };
    }
    let mut notes = vec![few(ruling, planned.question.cells.least_subjects()), DOMINANCE.to_owned()];
    let rounded = roundings(ruling);
    for (rounding, note) in [(Rounding::Count, COUNTS), (Rounding::Digits, SUMS), (Rounding::Parts, RATIOS)] {
        if rounded.contains(&rounding) {
            notes.push(note.to_owned());
        }
    }
    if ruling.plan().sets.len() * ruling.scopes().len() > 1 {
        notes.push(MARGINS.to_owned());
    }
    notes.push(EARLIER.to_owned());
    if planned.noisy.is_none() {
        return wire::Checked { tier: "rounded".to_owned(), notes, noise_epsilon };
    }
    notes.extend([INSTEAD, BOUNDED, UNBIASED, AGAIN].map(str::to_owned));
    wire::Checked { tier: "noise_if_withheld".to_owned(), notes, noise_epsilon }
}

fn few(ruling: &Ruling, least: u32) -> String {
    let units = ruling.unit_names().into_iter().map(|unit| format!("`{}`", unit.0)).collect::<Vec<_>>();
    let note = format!("a cell leaves if it is about at least {least} different values of {}", units.join(" and of "));
    note.chars().take(MOST_NOTE).collect()
}

const DOMINANCE: &str = "a cell that one or two subjects make up most of is kept back";
const COUNTS: &str = "counts are rounded to multiples of 5";
const SUMS: &str = "sums and percentiles are rounded to three significant digits";
const RATIOS: &str = "means, variances and the like are made of rounded parts";
const MARGINS: &str = "further cells are kept back where one could be had from totals and its neighbours";
const EARLIER: &str = "cells that would tell of few together with earlier answers, whoever asked, are kept back";
const INSTEAD: &str = "those are told with noise as long as the privacy budget allows; the answer says how wide it is";
const ALONE: &str = "every declared key is told with noise, also where nobody is; the answer says how wide it is";
const BOUNDED: &str =
    "under noise each subject counts with so many rows of a cell, each value within its clamps, as declared";
const UNBIASED: &str = "numbers with noise are not cut off at zero: they add up without a bias";
const AGAIN: &str = "the same question is given the same answer again, at no price";
/// Characters of a note.
const MOST_NOTE: usize = 300;
