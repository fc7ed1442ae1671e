//! What a zone boots: a kernel, an initramfs and a command line, made by `cargo xtask image` into one folder.
//!
//! The first reading fixes what the image is; every later boot reads the files again and refuses what changed. What is
//! measured is what is booted: both are the same sealed copy.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use octroi_attest::Measurement;

use crate::memory::{Open, Sealed};

/// A folder with `vmlinuz`, `initramfs.cpio` and `cmdline`, as it was when first read.
#[derive(Debug, Clone)]
pub struct Image {
    folder: PathBuf,
    kernel: Measurement,
    initramfs: Measurement,
    command_line: String,
}

/// Why a folder is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A part cannot be read.
    #[error("cannot read the zone image's `{part}` in `{folder}`: make one with `cargo xtask image`")]
    Part {
        /// Its file name.
        part: &'static str,
        /// Where it was looked for.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The command line is not one line of printable ASCII.
    #[error("the zone image's `cmdline` must be one line of at most {MOST_COMMAND_LINE} printable ASCII characters")]
    CommandLine,
    /// It is not what it was when it was first read.
    #[error("the zone image's `{part}` changed since it was measured: start the zone host again and approve it anew")]
    Changed {
        /// Its file name.
        part: &'static str,
    },
}

/// The files of one boot.
#[derive(Debug)]
pub(crate) struct Boot {
    pub(crate) kernel: Sealed,
    pub(crate) initramfs: Sealed,
}

impl Image {
    /// Reads and measures the image in a folder.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ImageError> {
        let folder = folder.into();
        let measure = |part| {
            open(&folder, part)
                .and_then(|mut file| Measurement::of_reader(&mut file).map_err(unreadable(&folder, part)))
        };
        let (kernel, initramfs) = (measure(KERNEL)?, measure(INITRAMFS)?);
        let command_line = command_line(&folder)?;
        Ok(Self { folder, kernel, initramfs, command_line })
    }

    /// SHA-256 of the kernel.
    pub fn kernel(&self) -> Measurement {
        self.kernel
    }

    /// SHA-256 of the initramfs.
    pub fn initramfs(&self) -> Measurement {
        self.initramfs
    }

    /// The kernel's command line.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// Whether the guest was told that it serves benchmarks, and may therefore read plaintext.
    pub fn is_for_benchmarks(&self) -> bool {
        self.command_line.split(' ').any(|word| word == FOR_BENCHMARKS)
    }

    /// Sealed copies of its files, proven to be what was measured.
    pub(crate) fn boot(&self) -> Result<Boot, ImageError> {
        let copy = |part, measured| {
            let mut file = open(&self.folder, part)?;
            let sealed = Open::copy_of(part, &mut file).map_err(unreadable(&self.folder, part))?;
            let found = sealed.measure().map_err(unreadable(&self.folder, part))?;
            if found == measured { Ok(sealed) } else { Err(ImageError::Changed { part }) }
        };
        if command_line(&self.folder)? != self.command_line {
            return Err(ImageError::Changed { part: COMMAND_LINE });
        }
        Ok(Boot { kernel: copy(KERNEL, self.kernel)?, initramfs: copy(INITRAMFS, self.initramfs)? })
    }
}

fn open(folder: &Path, part: &'static str) -> Result<File, ImageError> {
    File::open(folder.join(part)).map_err(unreadable(folder, part))
}

fn unreadable(folder: &Path, part: &'static str) -> impl Fn(io::Error) -> ImageError {
    move |source| ImageError::Part { part, folder: folder.to_owned(), source }
}

fn command_line(folder: &Path) -> Result<String, ImageError> {
    let mut text = String::new();
    open(folder, COMMAND_LINE)?
        .take(MOST_COMMAND_LINE + 2)
        .read_to_string(&mut text)
        .map_err(unreadable(folder, COMMAND_LINE))?;
    let line = text.trim_end_matches('\n');
    let fits = u64::try_from(line.len()).is_ok_and(|length| length <= MOST_COMMAND_LINE);
    if fits && line.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Ok(line.to_owned())
    } else {
        Err(ImageError::CommandLine)
    }
}

const KERNEL: &str = "vmlinuz";
const INITRAMFS: &str = "initramfs.cpio";
const COMMAND_LINE: &str = "cmdline";

/// What x86 Linux takes at most (COMMAND_LINE_SIZE less its end).
const MOST_COMMAND_LINE: u64 = 2047;

/// On the command line of an image for benchmarks alone.
const FOR_BENCHMARKS: &str = "octroi.bench";

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(command_line: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [(KERNEL, "kernel"), (INITRAMFS, "files"), (COMMAND_LINE, command_line)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_part_that_changed_after_it_was_measured_does_not_boot() {
        for part in [KERNEL, INITRAMFS, COMMAND_LINE] {
            let folder = folder("quiet\n");
            let image = Image::open(folder.path()).unwrap();
            assert_eq!(image.boot().unwrap().kernel.measure().unwrap(), Measurement::of(b"kernel"));
            std::fs::write(folder.path().join(part), "other").unwrap();
            assert!(matches!(image.boot(), Err(ImageError::Changed { part: changed }) if changed == part));
        }
    }

    #[test]
    fn a_folder_without_a_part_is_no_image() {
        let folder = folder("quiet");
        std::fs::remove_file(folder.path().join(INITRAMFS)).unwrap();
        assert!(matches!(Image::open(folder.path()), Err(ImageError::Part { part: INITRAMFS, .. })));
    }

    #[test]
    fn a_command_line_is_one_printable_line() {
        for bad in ["two\nlines", "a\0b", "\u{e9}", &"x".repeat(2048)] {
            assert!(matches!(Image::open(folder(bad).path()), Err(ImageError::CommandLine)));
        }
        assert_eq!(Image::open(folder("a=1 b\n").path()).unwrap().command_line(), "a=1 b");
    }

    #[test]
    fn an_image_for_benchmarks_says_so_by_a_word_of_its_own() {
        for (line, expected) in [("quiet octroi.bench", true), ("octroi.bench=0", false), ("quiet", false)] {
            assert_eq!(Image::open(folder(line).path()).unwrap().is_for_benchmarks(), expected);
        }
    }
}
