//! Launches zones.
