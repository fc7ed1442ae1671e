//! Releases, recorded: what a question's zone is shown of the histories, and what becomes of its sealed answer.

use std::time::Duration;

use octroi_proto::wire::zone as wire;
use tokio::time;

use super::{
    Keys, Register, Subject, Unavailable, Zone,
    history::{Histories, Kept, NotRecorded, Turn},
    verdict::{Cause, Sealed, Verdict},
};

/// What a question's zone is shown, and the turns that it has.
#[derive(Default)]
pub(super) struct Shown {
    /// Each with its offset on the disk.
    pub(super) histories: Vec<(u64, Kept)>,
    /// Of all its tables, or none.
    pub(super) turns: Vec<Turn>,
    /// A history is not what was recorded: nothing is released on the strength of it.
    pub(super) damaged: bool,
}

impl Shown {
    /// Whether something was released since of the same rows.
    pub(super) fn outdated(&self, histories: &Histories) -> bool {
        histories.moved(self.histories.iter().map(|(_, kept)| kept))
    }

    /// As the zone is told of it.
    pub(super) fn to_zone(&self) -> Vec<wire::ReleaseHistory> {
        self.histories.iter().filter_map(|(offset, kept)| kept.to_zone(*offset)).collect()
    }
}

impl<R: Register, K: Keys> Zone<R, K> {
    /// The turns of all the question's tables that are about subjects, when they have come; in one order for all, so that
    /// nobody waits for another who waits for them. `None` when that takes too long.
    pub(super) async fn turns(&self, subject: &Subject) -> Option<Vec<Turn>> {
        let mut turns = Vec::new();
        let take = async {
            for (table, _) in subject.facts() {
                turns.push(self.0.histories.turn(&table).await);
            }
        };
        time::timeout(self.patience_for_turns(), take).await.ok()?;
        Some(turns)
    }

    /// What is committed of the question's tables, with these turns, or with none.
    pub(super) async fn shown(&self, subject: &Subject, turns: Vec<Turn>) -> Result<Shown, Unavailable> {
        let mut shown = Shown { histories: Vec::new(), turns, damaged: false };
        for (table, offset) in subject.facts() {
            let kept = match self.0.histories.known(&table) {
                Some(kept) => Ok(kept),
                None => match shown.turns.iter().position(|turn| *turn.table() == table) {
                    Some(index) => {
                        let (turn, settled) = self.settled(shown.turns.swap_remove(index)).await?;
                        shown.turns.push(turn);
                        settled
                    }
                    None => {
                        let turn = self.0.histories.turn(&table);
                        let turn = time::timeout(self.patience_for_turns(), turn).await;
                        self.settled(turn.map_err(|error| Unavailable(error.into()))?).await?.1
                    }
                },
            };
            match kept {
                Ok(kept) => shown.histories.push((offset, kept)),
                Err(NotRecorded::Damaged) => shown.damaged = true,
                Err(error) => return Err(Unavailable(error.into())),
            }
        }
        Ok(shown)
    }

    /// In a task of its own: what was begun comes to its end, whoever goes away meanwhile.
    async fn settled(&self, turn: Turn) -> Result<(Turn, Result<Kept, NotRecorded>), Unavailable> {
        let zone = self.clone();
        let settling = tokio::spawn(async move {
            let settled = turn.settle(&zone.0.keys).await;
            (turn, settled)
        });
        settling.await.map_err(|error| Unavailable(error.into()))
    }

    /// What becomes of a sealed answer: it opens when its release is recorded.
    pub(super) async fn record(&self, mut sealed: Sealed, turns: Vec<Turn>) -> Verdict {
        let mine = turns.into_iter().find(|turn| turn.table() == sealed.table());
        let turn = match mine {
            Some(turn) => turn,
            None => match time::timeout(self.patience_for_turns(), self.0.histories.turn(sealed.table())).await {
                Ok(turn) => turn,
                Err(_) => return Verdict::Withheld(Cause::Superseded),
            },
        };
        let (zone, sequence) = (self.clone(), sealed.sequence());
        let (record, commitment) = sealed.take_record();
        // In a task of its own, as above.
        let recording = tokio::spawn(async move { turn.record(&zone.0.keys, sequence, record, commitment).await });
        match recording.await {
            Ok(Ok(committed)) => sealed.opened(&committed, &self.0.limits),
            Ok(Err(error)) => Verdict::Withheld(error.into()),
            Err(error) => {
                tracing::error!(%error, "a release was not recorded");
                Verdict::Withheld(Cause::HistoryUnkept)
            }
        }
    }

    /// Whoever has a turn has it for as long as a question runs.
    fn patience_for_turns(&self) -> Duration {
        self.0.limits.wall
    }
}
