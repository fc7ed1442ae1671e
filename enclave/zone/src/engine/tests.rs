//! The engine over a channel, on encrypted files, against what plain loops over the same rows give.

mod answers;
mod harness;
mod questions;
