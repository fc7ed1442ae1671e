//! What the fuzz targets share: damage done to good bytes, and folders to do it in.
//!
//! Arbitrary bytes alone never get past a checksum, a tag or a signature. So most targets begin with something that
//! the library itself made, damage it as a disk, a network or a forger would, and hold the library to one rule: what
//! is not byte for byte what was made is refused, or gives a true part of it.

use std::path::Path;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use tempfile::TempDir;

/// Bytes after one thing was done to them: a bit flipped, an end cut off, a piece overwritten, put in, left out or
/// repeated. They may come out as they were.
pub fn damage(good: &[u8], input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut bytes = good.to_vec();
    let at = input.int_in_range(0..=bytes.len())?;
    let end = bytes.len().min(at.saturating_add(input.int_in_range(0..=64)?));
    match input.int_in_range(0..=5)? {
        0 => {
            let bit = input.int_in_range(0..=7)?;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.splice(at..end, rest(input)).collect::<Vec<_>>()),
        3 => drop(bytes.splice(at..at, rest(input)).collect::<Vec<_>>()),
        4 => drop(bytes.drain(at..end)),
        _ => {
            let piece = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece).collect::<Vec<_>>());
        }
    }
    Ok(bytes)
}

/// What is left of the input, as text.
pub fn text(input: &mut Unstructured<'_>) -> String {
    String::from_utf8_lossy(&rest(input)).into_owned()
}

/// What is left of the input.
pub fn rest(input: &mut Unstructured<'_>) -> Vec<u8> {
    let left = input.len();
    input.bytes(left).map(<[u8]>::to_vec).unwrap_or_default()
}

/// A folder in memory where there is one: `fsync` costs nothing there.
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("octroi-fuzz-");
    if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() }.expect("a temporary folder")
}
