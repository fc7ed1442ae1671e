//! A cpio archive in the format `newc`, which the kernel unpacks (its Documentation/driver-api/early-userspace/
//! buffer-format.rst). The same entries in the same order are the same bytes: no time, no owner but root, numbers that
//! count up.

use std::io;

/// An archive under way.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

#[derive(Debug, Default)]
struct Entry<'a> {
    name: &'a str,
    mode: u32,
    content: &'a [u8],
    device: (u32, u32),
}

impl Archive {
    /// A folder; its parent comes before it.
    pub(super) fn folder(&mut self, name: &str) -> io::Result<()> {
        self.entry(&Entry { name, mode: 0o040_755, ..Entry::default() })
    }

    /// A character device.
    pub(super) fn device(&mut self, name: &str, major: u32, minor: u32) -> io::Result<()> {
        self.entry(&Entry { name, mode: 0o020_666, device: (major, minor), ..Entry::default() })
    }

    /// A file that only root reads.
    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(&Entry { name, mode: 0o100_400, content, ..Entry::default() })
    }

    /// A file that everyone may run.
    pub(super) fn program(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.entry(&Entry { name, mode: 0o100_555, content, ..Entry::default() })
    }

    /// The archive.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.entry(&Entry { name: "TRAILER!!!", ..Entry::default() })?;
        Ok(self.bytes)
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let too_large = |_| io::Error::from(io::ErrorKind::FileTooLarge);
        let length = u32::try_from(entry.content.len()).map_err(too_large)?;
        let name_length = u32::try_from(entry.name.len() + 1).map_err(too_large)?;
        self.entries += 1;
        let (major, minor) = entry.device;
        // inode, mode, user, group, links, time, length, device of the file, device it is, length of its name, checksum
        let fields = [self.entries, entry.mode, 0, 0, 1, 0, length, 0, 0, major, minor, name_length, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(entry.name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(entry.content);
        self.pad();
        Ok(())
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn archive() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.folder("dev").unwrap();
        archive.device("dev/null", 1, 3).unwrap();
        archive.program("init", b"#!/bin/sh\n").unwrap();
        archive.finish().unwrap()
    }

    #[test]
    fn the_layout_is_newc() {
        let bytes = archive();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("07070100000001000041ed000000000000000000000001000000000000000000000000"), "{text}");
        assert!(text.contains("070701000000030000816d") && text.contains("TRAILER!!!\0"), "{text}");
    }

    #[test]
    fn another_reader_finds_the_same_entries() {
        // Python is there wherever the tests run; cpio is not.
        let script = "
import sys
data, at, names = sys.stdin.buffer.read(), 0, []
while True:
    fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
    name = data[at + 110:at + 110 + fields[11] - 1].decode()
    at = (at + 110 + fields[11] + 3) // 4 * 4
    content = data[at:at + fields[6]]
    at = (at + fields[6] + 3) // 4 * 4
    if name == 'TRAILER!!!': break
    names.append('%s %o %d:%d %s' % (name, fields[1], fields[9], fields[10], content.decode().strip()))
print('; '.join(names))
";
        let mut python =
            Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        io::Write::write_all(&mut python.stdin.take().unwrap(), &archive()).unwrap();
        let said = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(said.trim(), "dev 40755 0:0 ; dev/null 20666 1:3 ; init 100555 0:0 #!/bin/sh");
    }
}
