//! The release: at a tick, the permits are looked at again, the evidence is written and proven, and only then is there
//! a [`Released`]. Whatever keeps an answer back here is recorded and looks like every other refusal.

use std::fmt;

use octroi_proto::wire::v1;

use super::{
    AskError, Register,
    admit::Admitted,
    receipt::{Ground, Prepared},
    verdict::{Cause, Verdict},
};

/// Something that may leave: a zone gave it, its shape is sound, what was granted stood at the release, and the evidence
/// has it. Only this module makes one.
pub struct Released<T> {
    answer: T,
    receipt: v1::Receipt,
}

/// What a question leads to, at a tick.
#[derive(Debug)]
pub enum Outcome {
    /// An answer.
    Released(Box<Released<v1::AnswerTable>>),
    /// Nothing is released: one refusal for every cause.
    Refused,
}

impl<T> Released<T> {
    /// The answer and its receipt, for whoever sends them.
    pub fn into_parts(self) -> (T, v1::Receipt) {
        (self.answer, self.receipt)
    }
}

/// Ends a question.
pub(super) async fn release<R: Register>(
    mut admitted: Admitted<R>,
    verdict: Verdict,
    ground: Ground,
) -> Result<Outcome, AskError> {
    let cause = match verdict {
        Verdict::Withheld(cause) => cause,
        Verdict::Answered(_) if admitted.renew().is_err() => Cause::PermitEnded,
        Verdict::Answered(sound) => {
            let (answer, recorded) = sound.into_parts();
            let prepared = Prepared::new(&admitted, (&answer, recorded.as_ref()), ground)?;
            let Prepared { record, query_key } = prepared;
            let proof = admitted.released(record).await?;
            let receipt = v1::Receipt { proof: Some(proof), query_key: query_key.to_vec() };
            metrics::counter!("octroi_questions_total", "verdict" => "released").increment(1);
            return Ok(Outcome::Released(Box::new(Released { answer, receipt })));
        }
    };
    admitted.withheld(cause).await?;
    metrics::counter!("octroi_questions_total", "verdict" => "refused").increment(1);
    Ok(Outcome::Refused)
}

impl<T> fmt::Debug for Released<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released").finish_non_exhaustive()
    }
}
