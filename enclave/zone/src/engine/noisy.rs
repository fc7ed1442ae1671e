//! Answers with noise: what is told of cells that would be kept back, or of every cell where stewards demand it.
//!
//! ```text
//! History --spent--> Reservation      the price fits, or there is no noise
//! cells --plan::bounded--> exact parts, no subject's share beyond its bounds
//! Reservation --deviations, the kernel's generator--> numbers, and the price to be recorded
//! ```
//!
//! Which cells are told so depends on public sets and on what was paid before, and on nothing else: not on what is told of
//! them. The generator is the kernel's own, asked for each draw; a clone's was seeded anew before anything was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::execution::SessionState;
use octroi_release::{
    Control, CountedCell, Literal, Number, Place, ReleasedRow, Ruling,
    noise::{NoNoise, NoisyFigures, Reservation, Terms, Usage},
};
use rand_core::{TryCryptoRng, TryRng};

use super::{
    counted::{spelled, whole_by_key},
    earlier::Earlier,
    execute::{Run, collect},
    raise::plan,
    refusal::{Cause, Refusal},
};

/// How a question is answered with noise, if it can be.
#[derive(Debug)]
pub(super) struct Noisy {
    pub(super) figures: NoisyFigures,
    pub(super) terms: Terms,
}

/// Noise that was drawn, and is not told before its price is recorded.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) reservation: Reservation,
    /// Of each figure the standard deviation, in its own units; none of ratios.
    pub(super) deviations: Vec<Option<f64>>,
}

/// A cell, and which of its scopes are told with noise.
struct Told<'a> {
    cell: usize,
    set: usize,
    keys: &'a [Literal],
    scopes: BTreeSet<usize>,
}

impl Noisy {
    /// By what the stewards say; none where there is never any, or the question has no figure that could have it.
    ///
    /// # Errors
    /// [`Refusal`] where every answer must have noise and this one cannot.
    pub(super) fn of(
        figures: Result<NoisyFigures, NoNoise>,
        ruling: &Ruling,
        terms: Terms,
    ) -> Result<Option<Self>, Refusal> {
        match (terms.usage, figures) {
            (Usage::Never, _) => Ok(None),
            (Usage::InsteadOfRefusal, figures) => Ok(figures.ok().map(|figures| Self { figures, terms })),
            (Usage::Only, Ok(figures)) if !figures.is_whole() => Err(Refusal::NoNoise(NoNoise::Figures)),
            (Usage::Only, Ok(_)) if ruling.every_cell().is_none() => Err(Refusal::Unlisted),
            (Usage::Only, Ok(figures)) => Ok(Some(Self { figures, terms })),
            (Usage::Only, Err(error)) => Err(Refusal::NoNoise(error)),
        }
    }

    /// Whether there is nothing but noise.
    pub(super) fn alone(&self) -> bool {
        self.terms.usage == Usage::Only
    }
}

impl Run {
    /// Tells with noise what the audit kept back; nothing, where there is no budget for it or it would be too wide.
    pub(super) async fn add_noise(
        &self,
        session: &SessionState,
        cells: &[CountedCell],
        kept_back: &[Place],
        control: &mut Control<'_>,
    ) -> Result<Option<Drawn>, Cause> {
        let (Some(noisy), Some(earlier)) = (&self.noisy, &self.earlier) else { return Ok(None) };
        let mut scopes: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for place in kept_back {
            scopes.entry(place.cell).or_default().insert(place.scope);
        }
        let told = scopes.into_iter().filter_map(|(cell, scopes)| {
            let counted = cells.get(cell)?;
            Some(Told { cell, set: counted.set, keys: &counted.keys, scopes })
        });
        let told: Vec<Told<'_>> = told.collect();
        let Some((numbers, drawn)) = self.drawn(session, noisy, earlier, &told).await? else { return Ok(None) };
        for (told, numbers) in told.iter().zip(numbers) {
            control.tell_with_noise(told.cell, numbers);
        }
        Ok(Some(drawn))
    }

    /// Every cell that there can be, with noise: whether there is a row in one is not told either.
    pub(super) async fn noise_alone(
        &self,
        session: &SessionState,
        noisy: &Noisy,
    ) -> Result<(Vec<CountedCell>, Vec<ReleasedRow>, Drawn), Cause> {
        let earlier = self.earlier.as_ref().ok_or(Cause::EngineFailed)?;
        let keys = self.ruling.every_cell().ok_or(Cause::EngineFailed)?;
        let scopes: BTreeSet<usize> = (0..self.ruling.scopes().len()).collect();
        let told = keys.iter().enumerate().map(|(cell, keys)| Told { cell, set: 0, keys, scopes: scopes.clone() });
        let told: Vec<Told<'_>> = told.collect();
        let drawn = self.drawn(session, noisy, earlier, &told).await?;
        let (numbers, drawn) = drawn.ok_or(Cause::NoiseSpent)?;
        let rows = numbers.into_iter().enumerate().map(|(cell, numbers)| {
            let mut row = ReleasedRow { cell, numbers: vec![None; numbers.len()], noise: 0 };
            row.add_noise(&numbers);
            row
        });
        let rows = rows.collect();
        let cell = |keys| CountedCell { set: 0, keys, scopes: Vec::new(), parts: Vec::new() };
        Ok((keys.into_iter().map(cell).collect(), rows, drawn))
    }

    /// Of each cell the numbers of its figures; nothing if the price does not fit.
    async fn drawn(
        &self,
        session: &SessionState,
        noisy: &Noisy,
        earlier: &Earlier,
        told: &[Told<'_>],
    ) -> Result<Option<(Vec<Vec<Option<Number>>>, Drawn)>, Cause> {
        let limits = noisy.terms.limits;
        let Ok(reservation) = limits.reserve(limits.question.rho(), earlier.spent()) else { return Ok(None) };
        let in_scope = |scope| told.iter().filter(|told| told.scopes.contains(&scope)).count();
        let cells = (0..self.ruling.scopes().len()).map(in_scope);
        let cells: Vec<u32> = cells.map(|count| u32::try_from(count).unwrap_or(u32::MAX)).collect();
        let Ok(deviations) = noisy.figures.deviations(&reservation, &cells) else { return Ok(None) };
        if told.is_empty() || told.len() > MOST_CELLS {
            return Ok(None);
        }
        let mut exact: BTreeMap<usize, HashMap<String, Vec<i64>>> = BTreeMap::new();
        for set in told.iter().map(|told| told.set).collect::<BTreeSet<_>>() {
            let bounded = plan::bounded(&self.ruling, &self.tables, set, &noisy.figures)?;
            let bounded = collect(session, bounded, self.limits.memory).await?;
            exact.insert(set, whole_by_key(&bounded, &self.ruling, set)?);
        }
        let nothing = vec![0; noisy.figures.parts().len()];
        let mut numbers = Vec::with_capacity(told.len());
        for Told { set, keys, scopes, .. } in told {
            let parts = exact.get(set).and_then(|cells| cells.get(&spelled(keys))).unwrap_or(&nothing);
            let drawn = noisy.figures.numbers(parts, &deviations, scopes, &mut Kernel);
            numbers.push(drawn.map_err(|_| Cause::EngineFailed)?);
        }
        let figures = 0..self.ruling.figures().len();
        let deviations = figures.map(|figure| noisy.figures.told_deviation(figure, &deviations)).collect();
        Ok(Some((numbers, Drawn { reservation, deviations })))
    }
}

/// The kernel's generator.
struct Kernel;

impl TryRng for Kernel {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        getrandom::u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        getrandom::u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        getrandom::fill(bytes)
    }
}

impl TryCryptoRng for Kernel {}

/// Cells of an answer that are told with noise.
const MOST_CELLS: usize = 2_000;
