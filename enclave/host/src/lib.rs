//! Launches zones.
//!
//! ```text
//! image -> machine -> template -> clone -> pool -> lease
//!            jail around every QEMU, qmp to steer it
//! ```
//!
//! A zone is a virtual machine that was never used before and is never used again. It is cloned from a template, in a
//! jail of its own, seeded by the host before it does anything, and killed after its one piece of work. Trusts the
//! kernel, QEMU as installed, and bubblewrap; what guests say is hostile. Does not give: protection from this host's
//! operator (that would take SEV-SNP or TDX), or keys, which it never sees in clear.

mod clone;
pub mod daemon;
mod image;
mod jail;
pub mod lease;
mod machine;
mod memory;
mod pool;
mod powered;
pub mod process;
mod qmp;
pub mod queue;
mod swap;
mod template;

pub use clone::{Disks, Facts, ReadyVm, RunningVm, Writable};
pub use image::{Image, ImageError};
pub use jail::JailError;
pub use machine::{DISK_BYTES, QemuError};
pub use pool::{Clock, Pool, PoolError, PoolInspection, PoolSettings, TakeError};
pub use powered::MachineError;
pub use qmp::QmpError;
pub use swap::Swap;
