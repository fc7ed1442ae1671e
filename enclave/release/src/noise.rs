//! Answers with differential privacy: noise of a known spread, paid from a budget that never comes back.
//!
//! ```text
//! Limits + Spent --reserve--> Reservation            a question's price fits: its own, its organisation's, everybody's
//! NoisyFigures + Reservation --deviations--> spreads  a part of the price for each part, by what one subject can change
//! Deviation + kernel's generator --draw--> n         noise for one number
//! Reservation --recorded--> history::Noise           what the history keeps before the answer can be opened
//! ```
//!
//! The guarantee: of two worlds that differ in all rows of one subject, an answer is about as likely in either: ρ-zCDP (Bun
//! and Steinke 2016), told as (ε, δ = 10⁻⁶). It holds against any question and any knowledge beside, for what leaves this
//! way; what leaves rounded is outside of it. It needs each subject's contributions to be bounded *before* they are added
//! ([`Clamp`], [`Sensitivity`]), by whoever adds them, and a generator that nobody else has: it comes as a parameter and is
//! to be the kernel's own, never one seeded before the clone was.
//!
//! Noise is of whole steps of a lattice (discrete Gaussian, Canonne, Kamath and Steinke 2020), so that no digit of a
//! floating-point number tells more than was paid for (Mironov 2012).

mod accounting;
mod bounding;
mod figures;
mod gaussian;
mod reservation;

pub use accounting::{Epsilon, Rho};
pub use bounding::{Clamp, Sensitivity, mean};
pub use figures::{BoundedPart, NoNoise, NoisyFigures, Share};
pub use gaussian::Deviation;
pub use reservation::{Exhausted, Limits, Malformed, Reservation, Spent, Terms, Usage};
