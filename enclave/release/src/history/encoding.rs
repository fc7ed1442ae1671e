//! A history as bytes: one encoding for one history, and no other bytes are one.

use octroi_proto::wire::zone as wire;
use prost::Message as _;

use super::{AppendError, Cell, History, Noise, Quantity, Release, Unit, Versions};
use crate::{
    noise::Rho,
    space::{BinSet, Dimension, Facts, Region},
};

/// Why bytes are no history: nothing may be released on their strength.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than a history has.
    #[error("the history is longer than {LONGEST} bytes")]
    TooLong,
    /// Not the message.
    #[error("the history cannot be read: {0}")]
    Message(#[from] prost::DecodeError),
    /// Of a format that is not known here.
    #[error("the history is of format {0}, which is not known here")]
    Format(u32),
    /// A value that no history has.
    #[error("the history has no sound `{0}`")]
    Field(&'static str),
    /// Releases that do not follow one another, or are none.
    #[error("the history's releases are not sound: {0}")]
    Release(#[from] AppendError),
    /// The same history has other bytes.
    #[error("the history is not in its one encoding")]
    NotCanonical,
}

impl History {
    /// The history that these bytes are.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > LONGEST {
            return Err(DecodeError::TooLong);
        }
        let message = wire::History::decode(bytes)?;
        if message.format != FORMAT {
            return Err(DecodeError::Format(message.format));
        }
        let mut history = Self::default();
        for written in message.releases {
            history.append(release(written)?)?;
        }
        if history.encode() == bytes { Ok(history) } else { Err(DecodeError::NotCanonical) }
    }

    /// Its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::History { format: FORMAT, releases: self.releases().iter().map(written_release).collect() }
            .encode_to_vec()
    }
}

impl Release {
    /// One release by itself, as its record holds it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > LONGEST {
            return Err(DecodeError::TooLong);
        }
        release(wire::HistoryRelease::decode(bytes)?)
    }

    /// Its one encoding.
    pub fn encode(&self) -> Vec<u8> {
        written_release(self).encode_to_vec()
    }
}

fn release(written: wire::HistoryRelease) -> Result<Release, DecodeError> {
    let loads = written.loads.iter().map(|loads| Ok((facts(&loads.table)?, set(&loads.runs)?)));
    Ok(Release {
        sequence: written.sequence,
        question: written.question.try_into().map_err(|_| DecodeError::Field("question"))?,
        answer: written.answer.try_into().map_err(|_| DecodeError::Field("answer"))?,
        versions: Versions(loads.collect::<Result<_, DecodeError>>()?),
        organisation: written.organisation,
        cells: written.cells.into_iter().map(cell).collect::<Result<_, _>>()?,
        noise: written.noise.map(|noise| Noise { price: Rho::of_micro(noise.price), answer: noise.answer }),
    })
}

fn cell(written: wire::HistoryCell) -> Result<Cell, DecodeError> {
    let mut region = Region::all(facts(&written.facts)?);
    for restriction in &written.sets {
        region = region.within(Dimension::own(&restriction.dimension), set(&restriction.runs)?);
    }
    Ok(Cell {
        region,
        quantities: written.quantities.into_iter().map(quantity).collect::<Result<_, _>>()?,
        subjects: written.subjects.into_iter().map(|subjects| (Unit(subjects.unit), subjects.count)).collect(),
    })
}

fn quantity(written: wire::HistoryQuantity) -> Result<Quantity, DecodeError> {
    use wire::history_quantity::Quantity as Written;
    match written.quantity {
        Some(Written::Rows(wire::HistoryRows {})) => Ok(Quantity::Rows),
        Some(Written::Subjects(unit)) => Ok(Quantity::Subjects(Unit(unit))),
        Some(Written::Sum(expression)) => Ok(Quantity::Sum(expression)),
        None => Err(DecodeError::Field("quantity")),
    }
}

fn facts(name: &str) -> Result<Facts, DecodeError> {
    let (dataset, table) = name.split_once('/').ok_or(DecodeError::Field("table"))?;
    Ok(Facts::new(dataset, table))
}

fn set(runs: &[u32]) -> Result<BinSet, DecodeError> {
    let (pairs, rest) = runs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::Field("runs"));
    }
    Ok(pairs.iter().map(|[from, to]| (*from, *to)).collect())
}

fn written_release(release: &Release) -> wire::HistoryRelease {
    let loads = |(table, loads): (&Facts, &BinSet)| wire::HistoryLoads { table: table.to_string(), runs: runs(loads) };
    wire::HistoryRelease {
        sequence: release.sequence,
        organisation: release.organisation.clone(),
        question: release.question.to_vec(),
        answer: release.answer.to_vec(),
        loads: release.versions.0.iter().map(loads).collect(),
        cells: release.cells.iter().map(written_cell).collect(),
        noise: release.noise.as_ref().map(written_noise),
    }
}

fn written_noise(noise: &Noise) -> wire::HistoryNoise {
    wire::HistoryNoise { price: noise.price.micro(), answer: noise.answer.clone() }
}

fn written_cell(cell: &Cell) -> wire::HistoryCell {
    use wire::history_quantity::Quantity as Written;
    let quantity = |quantity: &Quantity| match quantity {
        Quantity::Rows => Written::Rows(wire::HistoryRows {}),
        Quantity::Subjects(Unit(unit)) => Written::Subjects(unit.clone()),
        Quantity::Sum(expression) => Written::Sum(expression.clone()),
    };
    let set = |(dimension, set): (&Dimension, &BinSet)| wire::HistorySet {
        dimension: dimension.to_string(),
        runs: runs(set),
    };
    wire::HistoryCell {
        facts: cell.region.facts().to_string(),
        sets: cell.region.sets().map(set).collect(),
        quantities: cell
            .quantities
            .iter()
            .map(|told| wire::HistoryQuantity { quantity: Some(quantity(told)) })
            .collect(),
        subjects: cell
            .subjects
            .iter()
            .map(|(Unit(unit), count)| wire::HistorySubjects { unit: unit.clone(), count: *count })
            .collect(),
    }
}

fn runs(set: &BinSet) -> Vec<u32> {
    set.runs().flat_map(|(from, to)| [from, to]).collect()
}

const FORMAT: u32 = 2;
const LONGEST: usize = 32 << 20;
