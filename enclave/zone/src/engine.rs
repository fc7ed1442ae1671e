//! One piece of work, from `Ready` to its end.

use std::{fs::File, io, process::ExitCode, sync::Arc};

use datafusion::execution::TempFileFactory;
use octroi_attest::{Recipient, frame};
use octroi_proto::wire::zone::{self as wire, to_host};

/// The disks of a zone, opened when the work has arrived.
pub trait Disks {
    /// The ciphertext to read.
    ///
    /// # Errors
    /// Those of opening it.
    fn data(&self) -> io::Result<File>;

    /// Where a load's ciphertext goes.
    ///
    /// # Errors
    /// Those of opening it.
    fn output(&self) -> io::Result<File>;

    /// Where to spill at most so many bytes, encrypted; `None` if there is nowhere.
    ///
    /// # Errors
    /// Those of opening it.
    fn scratch(&self, bytes: u64) -> io::Result<Option<Arc<dyn TempFileFactory>>>;
}

/// Does the zone's one piece of work over the channel.
pub fn run(mut channel: File, disks: &impl Disks) -> ExitCode {
    let Ok(recipient) = Recipient::generate() else { return ExitCode::FAILURE };
    let ready = wire::Ready { public_key: recipient.public_key().to_vec() };
    let ready = wire::ToHost { message: Some(to_host::Message::Ready(ready)) };
    if frame::write(&mut channel, &ready, frame::TO_HOST).is_err() {
        return ExitCode::FAILURE;
    }
    match frame::read::<wire::ToZone>(&mut channel, frame::TO_ZONE) {
        Ok(Some(_)) => {
            // Nothing is done with a piece of work; that it can be reached is all this says.
            drop((disks.data(), disks.output(), disks.scratch(0)));
            ExitCode::FAILURE
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
