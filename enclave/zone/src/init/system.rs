//! Mounts, modules, devices, and the console that production has not.

use std::{
    ffi::CStr,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    mount::{MountFlags, UnmountFlags, mount as mount_at, mount_remount, unmount},
    system::finit_module,
};

use super::NOBODY;
use crate::disks::{Device, Disks};

/// Why the machine is not as it must be.
#[derive(Debug, thiserror::Error)]
pub(super) enum SystemError {
    /// A file system is not mounted, or not as it should be.
    #[error("`{place}` cannot be mounted")]
    Mount {
        place: &'static str,
        #[source]
        source: io::Error,
    },
    /// A module of the image does not load.
    #[error("module `{name}` does not load")]
    Module {
        name: String,
        #[source]
        source: io::Error,
    },
    /// A device that every zone has does not appear.
    #[error("there is no `{path}`: the host must plug every device of a zone")]
    Missing { path: &'static str },
    /// The channel goes by another name than ours.
    #[error("the serial port is not the zone's channel")]
    OtherPort,
    /// A device cannot be handed to the engine.
    #[error("`{path}` cannot be handed to the engine")]
    Device {
        path: &'static str,
        #[source]
        source: io::Error,
    },
}

/// The kernel's own file systems, for as long as init needs them.
pub(super) fn mount() -> Result<(), SystemError> {
    let inert = MountFlags::NOSUID | MountFlags::NOEXEC;
    for (kind, place, flags) in [
        ("proc", PROC, inert | MountFlags::NODEV),
        ("sysfs", SYS, inert | MountFlags::NODEV),
        ("securityfs", SECURITY, inert | MountFlags::NODEV),
        ("devtmpfs", DEV, inert),
    ] {
        mount_at(kind, place, kind, flags, None::<&CStr>)
            .map_err(|source| SystemError::Mount { place, source: source.into() })?;
    }
    Ok(())
}

/// Loads what the image brings, in the order of the names. The kernel unpacks them and checks their signatures.
pub(super) fn load_modules() -> Result<(), SystemError> {
    let failed = |name: &Path, source| SystemError::Module { name: name.display().to_string(), source };
    let entries = fs::read_dir(MODULES).map_err(|source| failed(Path::new(MODULES), source))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|source| failed(Path::new(MODULES), source))?.path());
    }
    files.sort();
    for path in files {
        let module = File::open(&path).map_err(|source| failed(&path, source))?;
        finit_module(&module, c"", COMPRESSED).map_err(|source| failed(&path, source.into()))?;
    }
    Ok(())
}

/// Waits until every device is there, and sees that the serial port is ours.
pub(super) fn await_devices() -> Result<(), SystemError> {
    let paths = Disks::DEVICES.iter().map(|device| device.path).chain([CHANNEL]);
    let patience = Instant::now() + DEVICES_WITHIN;
    for path in paths {
        while !Path::new(path).exists() {
            if Instant::now() > patience {
                return Err(SystemError::Missing { path });
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    let name = fs::read_to_string(CHANNEL_NAME).map_err(|_| SystemError::OtherPort)?;
    if name.trim_end() == "octroi.0" { Ok(()) } else { Err(SystemError::OtherPort) }
}

/// Hands the disks to the engine's user and leaves nothing else: no `/proc`, no `/sys`, all the rest read-only.
pub(super) fn settle() -> Result<(), SystemError> {
    for device in Disks::DEVICES {
        hand_over(*device).map_err(|source| SystemError::Device { path: device.path, source })?;
    }
    for place in [SECURITY, SYS, PROC] {
        unmount(place, UnmountFlags::empty()).map_err(|source| SystemError::Mount { place, source: source.into() })?;
    }
    let inert = MountFlags::RDONLY | MountFlags::NOSUID;
    for (place, flags) in [(DEV, inert | MountFlags::NOEXEC), ("/", inert)] {
        mount_remount(place, flags, c"").map_err(|source| SystemError::Mount { place, source: source.into() })?;
    }
    Ok(())
}

fn hand_over(device: Device) -> io::Result<()> {
    chown(device.path, Some(NOBODY), Some(NOBODY))?;
    let mode = if device.writable { 0o600 } else { 0o400 };
    fs::set_permissions(device.path, fs::Permissions::from_mode(mode))
}

/// A serial console, where the command line asks for one: a person looks for what is wrong with an image.
#[derive(Debug)]
pub(super) struct Console(Option<File>);

impl Console {
    /// Nobody listens.
    pub(super) fn absent() -> Self {
        Self(None)
    }

    /// Whoever the kernel's command line names.
    pub(super) fn find() -> Self {
        let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
        let wanted = line.split_whitespace().any(|word| word == "octroi.console");
        Self(wanted.then(|| File::options().write(true).open("/dev/ttyS0").ok()).flatten())
    }

    /// Says something, if anyone listens.
    pub(super) fn say(&mut self, text: &str) {
        if let Some(console) = &mut self.0 {
            // There is nobody to tell that nobody can be told.
            let _ = writeln!(console, "octroi-zone: {text}");
        }
    }

    /// The same console, for someone else.
    pub(super) fn share(&self) -> io::Result<Self> {
        Ok(Self(self.0.as_ref().map(File::try_clone).transpose()?))
    }

    /// Where the engine's complaints go.
    pub(super) fn standard_error(&self) -> io::Result<Stdio> {
        Ok(match &self.0 {
            Some(console) => console.try_clone()?.into(),
            None => Stdio::null(),
        })
    }
}

/// This program, in the initramfs.
pub(super) const PROGRAM: &str = "/init";
/// The channel to the host: the first port of the one virtio-serial device.
pub(super) const CHANNEL: &str = "/dev/vport0p1";
const CHANNEL_NAME: &str = "/sys/class/virtio-ports/vport0p1/name";
const MODULES: &str = "/modules";
const DEV: &str = "/dev";
const PROC: &str = "/proc";
const SYS: &str = "/sys";
const SECURITY: &str = "/sys/kernel/security";
/// `MODULE_INIT_COMPRESSED_FILE` of linux/module.h.
const COMPRESSED: i32 = 4;
/// Long, because an emulated machine on a busy host is slow.
const DEVICES_WITHIN: Duration = Duration::from_secs(20);
