//! The search index, kept up with the register, and what may be shown of what it finds.

use std::time::Duration;

use octroi_proto::{Dataset, DatasetId};

use super::Gateway;
use crate::{
    answer::{Chain, OrInternal as _, Refusal},
    authenticate::Caller,
    catalogue::{
        Published,
        search::{Entry, Facet, Found, Question, SearchError, Whose},
    },
};

impl Gateway {
    /// Brings the search index up to the register, again and again, until the gateway ends. What cannot be indexed is
    /// tried again: until then searches show what they showed.
    pub(crate) async fn keep_found(self) {
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let gateway = self.clone();
            let caught_up = tokio::task::spawn_blocking(move || gateway.catch_up()).await;
            if let Ok(Err(error)) = caught_up {
                tracing::warn!(error = %Chain(&error), "the search index could not be brought up to date");
            }
        }
    }

    fn catch_up(&self) -> Result<(), CatchUpError> {
        loop {
            let touched = self.registry.touched(self.search.applied(), MOST_AT_ONCE)?;
            let Some((applied, _)) = touched.last() else { return Ok(()) };
            let mut entries = Vec::with_capacity(touched.len());
            for (_, id) in &touched {
                if let Some(dataset) = self.registry.dataset(id)? {
                    entries.push(self.entry(&dataset)?);
                }
            }
            self.search.replace(&entries, *applied)?;
        }
    }

    fn entry(&self, dataset: &Dataset) -> Result<Entry, CatchUpError> {
        let everybodys = self.gate.may_see(&Caller::Anonymous, dataset).is_some();
        let shown = self.published(self.gate.indexed(dataset), INDEXED_FILES)?;
        Ok(Entry::new(&shown, everybodys))
    }

    /// What a caller may find. Datasets that were hidden a moment ago are left out, though the index still has them.
    ///
    /// # Errors
    /// [`Refusal`] when the index or the register cannot be read; the question's own fault is the inner error.
    pub(crate) async fn found(
        &self,
        caller: Caller,
        question: Question,
    ) -> Result<Result<Shown, SearchError>, Refusal> {
        let gateway = self.clone();
        tokio::task::spawn_blocking(move || match gateway.look_up(&caller, question) {
            Ok(shown) => Ok(Ok(shown)),
            Err(LookUpError::Index(error @ SearchError::Query(_))) => Ok(Err(error)),
            Err(LookUpError::Index(error)) => Err(Refusal::internal(&error)),
            Err(LookUpError::Refused(refusal)) => Err(refusal),
        })
        .await
        .or_internal()?
    }

    /// The names of everybody's publishers, at most as many as one facet tells.
    ///
    /// # Errors
    /// [`Refusal`] when the index or the register cannot be read.
    pub(crate) async fn publishers(&self) -> Result<Vec<String>, Refusal> {
        let facets = vec![Facet::Organization];
        let all = Question { facets, values: Question::MOST_VALUES, ..Question::everything(0, 0) };
        let counted = self.found(Caller::Anonymous, all).await?.or_internal()?.facets;
        let mut names = Vec::new();
        for (slug, _) in counted.into_iter().flat_map(|(_, values)| values) {
            let filters = vec![format!("organization:\"{slug}\"")];
            let first = self
                .found(Caller::Anonymous, Question { filters, ..Question::everything(0, 1) })
                .await?
                .or_internal()?;
            names.extend(first.datasets.first().map(|dataset| dataset.publisher().to_owned()));
        }
        Ok(names)
    }

    fn look_up(&self, caller: &Caller, mut question: Question) -> Result<Shown, LookUpError> {
        if caller.member().is_some() {
            question.whose = Whose::EverybodysAnd(self.others_of(caller, &question)?);
        }
        let Found { total, datasets: ids, facets } = self.search.find(&question)?;
        let mut datasets = Vec::with_capacity(ids.len());
        let mut left = FOUND_FILES;
        for id in ids {
            let Some(dataset) = self.registry.dataset(&id).or_internal()? else { continue };
            let Some(seen) = self.gate.may_see(caller, &dataset) else { continue };
            let shown = self.published(seen, left.min(crate::catalogue::MOST_FILES))?;
            left = left.saturating_sub(shown.files.len());
            datasets.push(shown);
        }
        Ok(Shown { total, datasets, facets })
    }

    /// Of the matches that are not everybody's, those that this caller may know of. Each is asked of the gate before
    /// anything is counted: what the caller may not know of is in no total, no facet and on no page.
    fn others_of(&self, caller: &Caller, question: &Question) -> Result<Vec<DatasetId>, LookUpError> {
        let mut theirs = Vec::new();
        let mut page = Question {
            words: question.words.clone(),
            filters: question.filters.clone(),
            whose: Whose::Others,
            ..Question::everything(0, Question::MOST_ROWS)
        };
        loop {
            let found = self.search.find(&page)?.datasets;
            for id in &found {
                let dataset = self.registry.dataset(id).or_internal()?;
                if dataset.is_some_and(|dataset| self.gate.may_see(caller, &dataset).is_some()) {
                    theirs.push(id.clone());
                }
            }
            if found.len() < page.rows {
                return Ok(theirs);
            }
            page.start += page.rows;
        }
    }
}

/// What was found, as whoever asked may see it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) total: usize,
    pub(crate) datasets: Vec<Published>,
    pub(crate) facets: Vec<(Facet, Vec<(String, u64)>)>,
}

#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error(transparent)]
    Register(#[from] crate::registry::ReadError),
    #[error(transparent)]
    Index(#[from] SearchError),
    #[error(transparent)]
    Published(#[from] Refusal),
}

#[derive(Debug, thiserror::Error)]
enum LookUpError {
    #[error(transparent)]
    Index(#[from] SearchError),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// How often the register is looked at: what is published is found so much later at most.
const ROUND: Duration = Duration::from_millis(500);
/// Datasets put into the index at once: what bounds memory.
const MOST_AT_ONCE: usize = 1_000;
/// Files whose formats are looked at of one dataset.
const INDEXED_FILES: usize = 100;
/// Files named in one answer.
const FOUND_FILES: usize = 10_000;
