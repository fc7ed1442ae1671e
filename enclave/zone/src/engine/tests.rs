//! The engine over a channel, on encrypted files, against what plain loops over the same rows give.

#![expect(clippy::wildcard_enum_match_arm, reason = "whatever else a zone told ends the test")]

mod answers;
mod earlier;
mod harness;
mod known;
mod noisy;
mod questions;
mod roles;
mod spilling;
mod total;
