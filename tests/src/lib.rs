//! The harness of the end-to-end tests: a whole gateway in a folder of its own, on loopback, and the clients that
//! people use. Everything is real: the binary, TLS, the register, the key process.

pub mod attack;
mod city;
mod client;
pub mod disclosure;
mod disk;
mod python;
mod zone;

pub use city::{City, Serving, Settings, description};
pub use client::{Answer, Said};
pub use disk::SmallDisk;
pub use python::{Portal, portal, python};
pub use zone::{Declared, hostile_image, lake, rows, zone_image};

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The `octroi` binary that `cargo build --workspace` made beside this test.
pub fn octroi_binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.ancestors().find(|folder| folder.join("octroi").is_file());
    folder.map(|folder| folder.join("octroi")).expect("build it first: cargo build --workspace")
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

/// Waits until `done` says so; fails with `what` after the patience is over.
pub fn wait_until(what: &str, patience: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < patience, "waited {patience:?} in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}

/// Every file below a folder, with its bytes.
pub fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => found.push((path.clone(), std::fs::read(&path).unwrap_or_default())),
                _ => {}
            }
        }
    }
    found
}

/// Whether `needle` occurs in `hay`.
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}
