//! Between `google.protobuf.Timestamp` and [`Instant`].

use crate::Instant;

/// A moment as it is written on the wire.
pub fn to_wire(at: Instant) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// A moment from the wire.
///
/// # Errors
/// A sentence for the caller when it is absent or out of range.
pub fn parse(wire: Option<prost_types::Timestamp>) -> Result<Instant, &'static str> {
    let wire = wire.ok_or("is missing: give a time")?;
    Instant::new(wire.seconds, wire.nanos).map_err(|_| "is not a time between the years -9999 and 9999")
}

/// A moment from the wire that may be absent.
///
/// # Errors
/// A sentence for the caller when it is out of range.
pub fn parse_optional(wire: Option<prost_types::Timestamp>) -> Result<Option<Instant>, &'static str> {
    wire.map(|at| parse(Some(at))).transpose()
}
