//! Paid before it is spent: a price is reserved, recorded for good, and only then turned into noise.

use super::{Deviation, Epsilon, Rho, Sensitivity};

/// Most that may be told with noise. ε, each at a δ of one in a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// By one question; 0.5 by default.
    pub question: Epsilon,
    /// To one organisation, of one subject space and epoch; 3.0 by default.
    pub organisation: Epsilon,
    /// To all together, of one subject space and epoch, for good: it is what is guaranteed to a subject whatever anybody
    /// asks. 10 by default.
    pub lifetime: Epsilon,
}

/// What was reserved so far, of one subject space and epoch, whatever became of it.
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

/// A price that fits. It is not paid until it is recorded.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a price that is not recorded buys nothing"]
pub struct Reservation(Rho);

/// A price that is durable in the evidence log. It buys noise once, and is not given back.
#[derive(Debug, PartialEq, Eq)]
pub struct Reserved {
    entry: u64,
    left: Rho,
}

/// Why there is no noise for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overdrawn {
    /// More than is left of what was reserved.
    #[error("more noise was asked for than was reserved")]
    Reserved,
    /// The price is too small for what one subject can change.
    #[error("the price is too small: bound contributions more tightly, or ask for fewer numbers")]
    TooWide,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            question: Epsilon::of_milli(500),
            organisation: Epsilon::of_milli(3_000),
            lifetime: Epsilon::of_milli(10_000),
        }
    }
}

impl Limits {
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

    /// After it was written and synced: by the number of its entry in the evidence log.
    pub fn recorded(self, entry: u64) -> Reserved {
        Reserved { entry, left: self.0 }
    }
}

impl Reserved {
    /// The number of its entry in the evidence log.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    /// The spread that a part of what is left pays for.
    ///
    /// # Errors
    /// [`Overdrawn`]; nothing is spent then.
    pub fn deviation(&mut self, price: Rho, sensitivity: Sensitivity) -> Result<Deviation, Overdrawn> {
        let left = self.left.less(price).ok_or(Overdrawn::Reserved)?;
        let deviation = Deviation::paying(price, sensitivity).ok_or(Overdrawn::TooWide)?;
        self.left = left;
        Ok(deviation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn no_more_noise_is_drawn_than_was_paid_for() {
        let mut reserved = Limits::default().reserve(Rho::of_micro(1_000), Spent::default()).unwrap().recorded(7);
        assert_eq!(reserved.entry(), 7);
        let (half, one) = (Rho::of_micro(500), Sensitivity::subjects(1));
        assert_eq!(reserved.deviation(half, Sensitivity::rows(1, u32::MAX)), Err(Overdrawn::TooWide));
        assert!(reserved.deviation(half, one).is_ok() && reserved.deviation(half, one).is_ok());
        assert_eq!(reserved.deviation(Rho::of_micro(1), one), Err(Overdrawn::Reserved));
    }
}
