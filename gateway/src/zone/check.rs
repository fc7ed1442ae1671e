//! A question judged alone: in a zone like any other, but without disk and without keys, so that nothing it says of the
//! question can depend on data. It may be told at once and at length, and what the zone says is bounded and typed all the
//! same, for whoever asks sees it in a terminal.

use octroi_host::lease::{Lease, Leased};
use octroi_proto::wire::{v1, zone as wire};
use tokio::time;

use super::{
    Ask, AskError, Keys, Register, Unavailable, Zone,
    admit::Admitting,
    question,
    record::Shown,
    run::{Judged, Planning},
    verdict::{Cause, MOST_EPSILON},
};
use crate::authorise::{AskDataset, Permit};

/// A question may be asked, and so it would be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    tier: Tier,
    notes: Vec<String>,
    /// What noise would cost, thousandths; none without.
    noise_epsilon: u32,
}

/// How a question would be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Rounded, or not at all.
    Rounded,
    /// Rounded; with noise in the place of what could not leave otherwise.
    NoiseIfWithheld,
    /// With noise.
    Noise,
    /// As it is: the tables are about nobody.
    Exact,
}

impl<R: Register, K: Keys> Zone<R, K> {
    /// Judges a question. When the future is dropped, the zone ends with it.
    ///
    /// # Errors
    /// [`AskError`], as for [`Zone::ask`]: what is not allowed is [`AskError::Rejected`].
    pub async fn check(&self, permits: Vec<Permit<AskDataset>>, ask: Ask) -> Result<Checked, AskError> {
        let this = &*self.0;
        let _seat = this.seats.try_acquire().map_err(|_| AskError::Busy)?;
        let admitting = Admitting::new(&this.register, permits, ask)?;
        let rules = admitting.subject().rules(this.limits.least_subjects);
        let rules = rules.map_err(|error| Unavailable(error.into()))?;
        let organisation = admitting.organisation()?;
        let _share = this.shares.take(organisation.clone()).ok_or(AskError::Busy)?;
        let lease = Lease { scratch_bytes: 0, ..this.lease(organisation.clone(), admitting.backend()) };
        let Leased { launch, frames } = this.leased(&lease, None).await?;
        let deadline = time::Instant::now() + this.limits.wall;
        let mut admitted = admitting.admit(launch).await?;
        let question = without_files(question(&admitted, &organisation, &rules, &Shown::default(), &this.limits));
        let judged = async {
            match Planning::begin(frames, question).await {
                Ok(planning) => planning.judged().await,
                Err(cause) => Judged::Ended(cause),
            }
        };
        match time::timeout_at(deadline, judged).await.unwrap_or(Judged::Ended(Cause::Timeout)) {
            Judged::Allowed(checked) => {
                admitted.ended(Cause::Checked);
                metrics::counter!("octroi_questions_total", "verdict" => "checked").increment(1);
                Ok(checked)
            }
            Judged::Rejected(rejection) => {
                admitted.ended(Cause::Rejected);
                Err(AskError::Rejected(rejection))
            }
            Judged::Ended(cause) => {
                admitted.ended(cause);
                Err(AskError::NotJudged(cause.as_str()))
            }
        }
    }
}

impl Checked {
    /// What a zone said; `None` for what is not of the form.
    pub(super) fn parse(wire: &wire::Checked) -> Option<Self> {
        let tier = Tier::parse(&wire.tier)?;
        let priced = matches!(tier, Tier::NoiseIfWithheld | Tier::Noise);
        if wire.notes.len() > MOST_NOTES || wire.noise_epsilon > MOST_EPSILON || priced != (wire.noise_epsilon > 0) {
            return None;
        }
        let notes = wire.notes.iter().map(|note| octroi_proto::id::line(note, MOST_NOTE).ok());
        Some(Self { tier, notes: notes.collect::<Option<_>>()?, noise_epsilon: wire.noise_epsilon })
    }

    /// How it would be answered.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What its asker should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Tier {
    fn parse(word: &str) -> Option<Self> {
        [Self::Rounded, Self::NoiseIfWithheld, Self::Noise, Self::Exact].into_iter().find(|tier| tier.as_str() == word)
    }

    /// As the contract names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rounded => "rounded",
            Self::NoiseIfWithheld => "noise_if_withheld",
            Self::Noise => "noise",
            Self::Exact => "exact",
        }
    }
}

impl From<Checked> for v1::CheckReply {
    fn from(checked: Checked) -> Self {
        Self { tier: checked.tier.as_str().to_owned(), notes: checked.notes, noise_epsilon: checked.noise_epsilon }
    }
}

/// The question, to be judged: of its tables the zone learns how they are declared, and nothing of how they lie.
fn without_files(question: wire::Question) -> wire::Question {
    let tables = question.tables.into_iter().map(|table| wire::Table { files: Vec::new(), ..table }).collect();
    wire::Question { check: true, tables, ..question }
}

const MOST_NOTES: usize = 20;
/// Characters of a note.
const MOST_NOTE: usize = 300;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(tier: &str, notes: Vec<String>) -> Option<Checked> {
        let noise_epsilon = if tier.starts_with("noise") { 500 } else { 0 };
        Checked::parse(&wire::Checked { tier: tier.to_owned(), notes, noise_epsilon })
    }

    #[test]
    fn noise_has_a_price_and_nothing_else_has() {
        let priced = |tier: &str, noise_epsilon| {
            let checked = wire::Checked { tier: tier.to_owned(), notes: Vec::new(), noise_epsilon };
            Checked::parse(&checked).map(|checked| v1::CheckReply::from(checked).noise_epsilon)
        };
        assert_eq!((priced("noise", 500), priced("noise_if_withheld", 1_000)), (Some(500), Some(1_000)));
        for (tier, price) in [("noise", 0), ("noise_if_withheld", 1_001), ("rounded", 1), ("exact", 1)] {
            assert_eq!(priced(tier, price), None, "{tier} at {price}");
        }
    }

    #[test]
    fn tiers_are_of_the_list_and_notes_are_few_lines() {
        for tier in ["rounded", "noise_if_withheld", "noise", "exact"] {
            let checked = parse(tier, vec!["counts are multiples of 5".to_owned(); 20]).unwrap();
            assert_eq!((checked.tier().as_str(), checked.notes().len()), (tier, 20));
        }
        assert_eq!(parse("refused", vec![]), None);
        assert_eq!(parse("rounded", vec!["x".to_owned(); 21]), None);
        for note in ["", "a\nb", "a\u{1b}[2J", &"x".repeat(301)] {
            assert_eq!(parse("rounded", vec![note.to_owned()]), None, "{note:?}");
        }
    }

    proptest! {
        #[test]
        fn any_notes_are_lines_or_none(notes in prop::collection::vec("\\PC{0,400}|.{0,20}", 0..25)) {
            if let Some(checked) = parse("exact", notes) {
                prop_assert!(checked.notes().len() <= 20);
                prop_assert!(checked.notes().iter().all(|note| !note.is_empty() && note.chars().count() <= 300));
                prop_assert!(checked.notes().iter().flat_map(|note| note.chars()).all(|it| !it.is_control()));
            }
        }
    }
}
