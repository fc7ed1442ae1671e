//! What may leave.
