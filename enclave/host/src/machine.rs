//! The virtual machine's description: which QEMU, with which devices. The same for a template and all of its clones.
//!
//! ```text
//! Qemu::find -> Qemu (10 or newer) --with settings--> Machine --arguments--> a template, a clone
//! ```
//!
//! No network device, no display, no USB, no clock chips beyond what the kernel needs; no vmgenid either: its
//! notification runs the guest's ACPI interpreter at each wake-up (a third of a clone's instructions) to do late what
//! the host's seed does first.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use octroi_attest::{Measurement, Parts, launch::Accelerator, measure::PartsError};

use crate::image::Image;

/// A QEMU that can clone: 10 or newer.
#[derive(Debug, Clone)]
pub(crate) struct Qemu {
    path: PathBuf,
    measured: Vec<(&'static str, Measurement)>,
}

/// Why there is no QEMU to use.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// It is not there, or does not run.
    #[error("cannot run `{}`: {INSTALL}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is older than what clones need.
    #[error("QEMU {major} is too old for zones, which need 10 or newer: {INSTALL}")]
    TooOld {
        /// What it says it is.
        major: u32,
    },
    /// It does not say what it is.
    #[error("`{}` does not say that it is QEMU: {INSTALL}", path.display())]
    Unknown {
        /// What was run.
        path: PathBuf,
    },
}

/// A machine's size and make, but for who runs it.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) qemu: Qemu,
    pub(crate) memory_mib: u32,
    pub(crate) processors: u8,
}

/// How a machine starts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Boots a kernel with this command line.
    Boot(&'a str),
    /// Takes over a template's state.
    Resume,
}

/// The numbers under which QEMU finds what it was handed; it opens nothing by name.
pub(crate) mod descriptor {
    pub(crate) const QMP: i32 = 3;
    pub(crate) const CHANNEL: i32 = 4;
    pub(crate) const MEMORY: i32 = 5;
    pub(crate) const KERNEL: i32 = 6;
    pub(crate) const INITRAMFS: i32 = 7;
}

impl Qemu {
    /// The QEMU at a path, asked for its version.
    pub(crate) async fn find(path: &Path) -> Result<Self, QemuError> {
        let missing = |source| QemuError::Missing { path: path.to_owned(), source };
        let said = tokio::process::Command::new(path).arg("--version").env_clear().output().await.map_err(missing)?;
        let unknown = || QemuError::Unknown { path: path.to_owned() };
        let major = major_version(&String::from_utf8_lossy(&said.stdout)).ok_or_else(unknown)?;
        if major < OLDEST {
            return Err(QemuError::TooOld { major });
        }
        let measure = |(name, file): (&'static str, &Path)| {
            let measured = File::open(file).and_then(|mut file| Measurement::of_reader(&mut file));
            measured
                .map(|measured| (name, measured))
                .map_err(|source| QemuError::Missing { path: file.to_owned(), source })
        };
        let files = [("qemu", path), ("firmware", Path::new(FIRMWARE)), ("loader", Path::new(LOADER))];
        Ok(Self { path: path.to_owned(), measured: files.into_iter().map(measure).collect::<Result<_, _>>()? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Machine {
    /// What the image's measurement is made of. The accelerator is left out, since each launch names its own.
    pub(crate) fn parts(&self, image: &Image) -> Result<Parts, PartsError> {
        let mut parts = Parts::new();
        parts.push_measured("kernel", image.kernel())?;
        parts.push_measured("initramfs", image.initramfs())?;
        parts.push_text("command-line", image.command_line())?;
        for (name, measured) in &self.qemu.measured {
            parts.push_measured(name, *measured)?;
        }
        let devices: Vec<String> = self.devices(true).into_iter().collect();
        parts.push_text("arguments", &devices.join(" "))?;
        if image.is_for_benchmarks() {
            parts.push_text("bench", "not for data")?;
        }
        Ok(parts)
    }

    /// QEMU's arguments, its own name left off.
    pub(crate) fn arguments(&self, accelerator: Accelerator, start: Start<'_>) -> Vec<String> {
        let (accelerator, processor) = match accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Tcg => ("tcg,thread=multi,tb-size=64", "max"),
        };
        let mut arguments = self.devices(matches!(start, Start::Boot(_)));
        arguments.extend(["-accel", accelerator, "-cpu", processor].map(String::from));
        arguments.extend(match start {
            Start::Boot(command_line) => vec![
                "-kernel".to_owned(),
                format!("/proc/self/fd/{}", descriptor::KERNEL),
                "-initrd".to_owned(),
                format!("/proc/self/fd/{}", descriptor::INITRAMFS),
                "-append".to_owned(),
                command_line.to_owned(),
            ],
            Start::Resume => ["-incoming", "defer"].map(String::from).to_vec(),
        });
        arguments
    }

    fn devices(&self, boots: bool) -> Vec<String> {
        let Self { memory_mib, processors, .. } = self;
        let sharing = if boots { "share=on" } else { "share=off,readonly=on,rom=off" };
        let mut arguments: Vec<String> = FIXED.iter().map(|text| (*text).to_owned()).collect();
        let mut push = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        push("-bios", FIRMWARE.to_owned());
        push("-smp", processors.to_string());
        push("-m", format!("{memory_mib}M"));
        let memory = format!("/proc/self/fd/{}", descriptor::MEMORY);
        push("-object", format!("memory-backend-file,id=ram,size={memory_mib}M,mem-path={memory},{sharing}"));
        push("-chardev", format!("socket,id=qmp,fd={}", descriptor::QMP));
        push("-mon", "chardev=qmp,mode=control".to_owned());
        push("-chardev", format!("socket,id=octroi,fd={}", descriptor::CHANNEL));
        push("-device", "virtio-serial-pci,id=serial,max_ports=2".to_owned());
        push("-device", "virtserialport,chardev=octroi,name=octroi.0".to_owned());
        for (disk, read_only) in [(DATA, "on"), (SCRATCH, "off"), (OUTPUT, "off")] {
            push("-blockdev", format!("null-co,node-name={disk}-none,size={DISK_BYTES},read-only={read_only}"));
            // a full or failing disk is the guest's error, not a reason to stop it until its time is over
            push("-device", format!("virtio-blk-pci,id={disk},drive={disk}-none,werror=report,rerror=report"));
        }
        arguments
    }
}

/// `QEMU emulator version 10.0.2 (Debian ...)`.
fn major_version(said: &str) -> Option<u32> {
    said.lines().next()?.strip_prefix("QEMU emulator version ")?.split('.').next()?.parse().ok()
}

/// The disks, in the order of their devices; in the guest `vda`, `vdb`, `vdc`.
pub(crate) const DATA: &str = "data";
pub(crate) const SCRATCH: &str = "scratch";
pub(crate) const OUTPUT: &str = "output";

/// Every disk's size as the guest sees it: a clone never learns another, so each image is a sparse file of this size.
pub const DISK_BYTES: u64 = 64 << 30;

const FIXED: &[&str] = &[
    "-nodefaults",
    "-no-user-config",
    "-nographic",
    "-no-reboot",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    "-machine",
    "pc,memory-backend=ram,dump-guest-core=off,mem-merge=off,vmport=off,smbus=off,hpet=off,usb=off,graphics=off,i8042=off",
];

/// Debian's SeaBIOS, and the option ROM that starts a kernel; the same paths in 12 and 13.
const FIRMWARE: &str = "/usr/share/seabios/bios-256k.bin";
const LOADER: &str = "/usr/share/qemu/linuxboot_dma.bin";

const OLDEST: u32 = 10;
const INSTALL: &str = "install qemu-system-x86 from Debian 13, or on Debian 12 from bookworm-backports (`apt install -t \
                       bookworm-backports qemu-system-x86`)";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn machine() -> Machine {
        let qemu = Qemu { path: "/usr/bin/qemu-system-x86_64".into(), measured: Vec::new() };
        Machine { qemu, memory_mib: 512, processors: 1 }
    }

    #[test]
    fn the_version_is_what_qemu_says_first() {
        let debian = "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright (c) 2003-2025";
        assert_eq!(major_version(debian), Some(10));
        assert_eq!(major_version("QEMU emulator version 7.2.17"), Some(7));
        assert_eq!(major_version("qemu-img version 10.0.2"), None);
    }

    #[tokio::test]
    async fn an_old_qemu_is_refused_with_the_way_to_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join("qemu");
        std::fs::write(&old, "#!/bin/sh\necho QEMU emulator version 7.2.17\n").unwrap();
        std::fs::set_permissions(&old, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let error = Qemu::find(&old).await.unwrap_err();
        assert!(matches!(error, QemuError::TooOld { major: 7 }));
        assert!(error.to_string().contains("bookworm-backports"), "{error}");
        assert!(matches!(Qemu::find(Path::new("/nowhere")).await, Err(QemuError::Missing { .. })));
    }

    #[test]
    fn a_clone_has_its_templates_devices_in_the_same_order_and_no_kernel() {
        let of = |start| {
            let arguments = machine().arguments(Accelerator::Tcg, start);
            let devices = arguments.iter().filter(|text| text.contains("virtio") || text.contains("null-co"));
            (devices.cloned().collect::<Vec<_>>(), arguments)
        };
        let (boot, booting) = of(Start::Boot("quiet"));
        let (resume, resuming) = of(Start::Resume);
        assert_eq!(boot, resume);
        assert!(booting.contains(&"-kernel".to_owned()) && !resuming.contains(&"-kernel".to_owned()));
        assert!(resuming.iter().any(|text| text.ends_with("share=off,readonly=on,rom=off")));
        for arguments in [booting, resuming] {
            let all = arguments.join(" ");
            for never in ["-net", "netdev", "virtio-net", "virtfs", "vhost", "vga"] {
                assert!(!all.contains(never), "{never}");
            }
            for always in ["dump-guest-core=off", "mem-merge=off", "spawn=deny", "elevateprivileges=deny"] {
                assert!(all.contains(always), "{always}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_version_parser(text in ".*") {
            let _ = major_version(&text);
            let _ = major_version(&format!("QEMU emulator version {text}"));
        }
    }
}
