//! Octroi.
