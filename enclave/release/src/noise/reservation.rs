//! Paid before it is told: a price must fit before there is noise, and is recorded for good before the answer leaves.

use octroi_proto::wire::v1;

use super::{Epsilon, Rho};
use crate::history::Noise;

/// Most that may be told with noise. ε, each at a δ of one in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By one question; 0.5 by default.
    pub question: Epsilon,
    /// To one organisation, of one table's rows; 3.0 by default.
    pub organisation: Epsilon,
    /// To all together, of one table's rows, for good: it is what is guaranteed to a subject of whatever is told of these
    /// rows with noise. 10 by default.
    pub lifetime: Epsilon,
}

/// What the stewards of some tables say of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// When there is any.
    pub usage: Usage,
    /// What it may cost.
    pub limits: Limits,
}

/// When an answer has noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// Where it would be withheld for the sake of other answers.
    InsteadOfRefusal,
    /// Never: what is withheld stays so.
    Never,
    /// Always.
    Only,
}

/// What was paid so far, whatever became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// By the organisation that asks.
    pub organisation: Rho,
    /// By all.
    pub everybody: Rho,
}

/// Which limit a price does not fit. Says nothing of data: prices are known from the question alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// The question's own.
    #[error("the question costs more than one may: ask for fewer numbers, or with wider noise")]
    Question,
    /// The organisation's.
    #[error("the organisation's privacy budget for these rows is used up")]
    Organisation,
    /// Everybody's.
    #[error("the privacy budget of these rows is used up")]
    Lifetime,
}

/// A price that fits, without which there is no noise. It is paid by the record that goes before the answer.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a price that is not recorded buys nothing"]
pub struct Reservation(Rho);

impl Default for Limits {
    fn default() -> Self {
        Self {
            question: Epsilon::of_milli(500),
            organisation: Epsilon::of_milli(3_000),
            lifetime: Epsilon::of_milli(10_000),
        }
    }
}

impl Terms {
    /// Of several datasets: of each limit the least, and noise alone if one demands it, none if one else forbids it.
    ///
    /// # Errors
    /// [`Malformed`] for words that are not of the contract.
    pub fn strictest(policies: &[v1::NoisePolicy]) -> Result<Self, Malformed> {
        let mut strictest: Option<Self> = None;
        for policy in policies {
            let usage = match policy.r#use() {
                v1::NoiseUse::Unspecified => return Err(Malformed),
                v1::NoiseUse::Never => Usage::Never,
                v1::NoiseUse::InsteadOfRefusal => Usage::InsteadOfRefusal,
                v1::NoiseUse::Only => Usage::Only,
            };
            let limits = Limits {
                question: Epsilon::of_milli(policy.question),
                organisation: Epsilon::of_milli(policy.organisation),
                lifetime: Epsilon::of_milli(policy.lifetime),
            };
            strictest = Some(strictest.map_or(Self { usage, limits }, |before| Self {
                usage: before.usage.max(usage),
                limits: before.limits.and(limits),
            }));
        }
        Ok(strictest.unwrap_or(Self { usage: Usage::Never, limits: Limits::default() }))
    }
}

/// A policy in words that are not of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the noise policy is not in its one form")]
pub struct Malformed;

impl Limits {
    fn and(self, other: Self) -> Self {
        Self {
            question: self.question.min(other.question),
            organisation: self.organisation.min(other.organisation),
            lifetime: self.lifetime.min(other.lifetime),
        }
    }

    /// A price, beside what was spent.
    ///
    /// # Errors
    /// [`Exhausted`].
    pub fn reserve(&self, price: Rho, spent: Spent) -> Result<Reservation, Exhausted> {
        if price > self.question.rho() {
            Err(Exhausted::Question)
        } else if spent.organisation.and(price) > self.organisation.rho() {
            Err(Exhausted::Organisation)
        } else if spent.everybody.and(price) > self.lifetime.rho() {
            Err(Exhausted::Lifetime)
        } else {
            Ok(Reservation(price))
        }
    }
}

impl Reservation {
    /// The price.
    pub fn price(&self) -> Rho {
        self.0
    }

    /// As it is recorded, with the answer that it bought. The answer leaves once the record is durable.
    pub fn recorded(self, answer: Vec<u8>) -> Noise {
        Noise { price: self.0, answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_of_several_stewards_holds() {
        let policy = |usage: v1::NoiseUse, question| v1::NoisePolicy {
            r#use: usage.into(),
            question,
            organisation: 3_000,
            lifetime: 9_000,
        };
        let usage = |usages: &[v1::NoiseUse]| {
            let policies: Vec<_> = usages.iter().map(|usage| policy(*usage, 500)).collect();
            Terms::strictest(&policies).map(|terms| terms.usage)
        };
        use v1::NoiseUse::{InsteadOfRefusal, Never, Only, Unspecified};
        assert_eq!(usage(&[InsteadOfRefusal]), Ok(Usage::InsteadOfRefusal));
        assert_eq!(usage(&[InsteadOfRefusal, Never]), Ok(Usage::Never));
        assert_eq!(usage(&[Never, Only, InsteadOfRefusal]), Ok(Usage::Only));
        assert_eq!(usage(&[]), Ok(Usage::Never));
        assert_eq!(usage(&[Unspecified]), Err(Malformed));
        let both = Terms::strictest(&[policy(Only, 200), policy(Only, 300)]).unwrap();
        assert_eq!(both.limits.question, Epsilon::of_milli(200));
        assert_eq!(both.limits.lifetime, Epsilon::of_milli(9_000));
    }

    #[test]
    fn a_price_fits_every_limit_or_none_is_reserved() {
        let limits = Limits::default();
        let (question, organisation, all) = (limits.question.rho(), limits.organisation.rho(), limits.lifetime.rho());
        let reserve = |price, by, everybody| {
            limits.reserve(price, Spent { organisation: by, everybody }).map(|reservation| reservation.price())
        };
        let none = Rho::default();
        assert_eq!(reserve(question, none, none), Ok(question));
        assert_eq!(reserve(question.and(Rho::of_micro(1)), none, none), Err(Exhausted::Question));
        let last = organisation.less(question).unwrap();
        assert_eq!(reserve(question, last, last), Ok(question));
        assert_eq!(reserve(question, last.and(Rho::of_micro(1)), last), Err(Exhausted::Organisation));
        assert_eq!(reserve(question, none, all.less(question).unwrap()), Ok(question));
        assert_eq!(reserve(Rho::of_micro(1), none, all), Err(Exhausted::Lifetime));
        assert_eq!(reserve(Rho::of_micro(1), none, Rho::of_micro(u64::MAX)), Err(Exhausted::Lifetime));
    }
}
