//! The first frame, parsed: what is asked, with descriptors that are what they have to be.

use std::{os::fd::OwnedFd, time::Duration};

use octroi_attest::{Backend, frame};
use octroi_proto::{
    OrganisationId,
    wire::zone::{self as wire, LeaseRefusal, lease_request::Request},
};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};

use crate::lease::IMAGE_BYTES;

/// What is asked.
#[derive(Debug)]
pub(super) enum Asked {
    Lease(LeaseAsked),
    Inspect,
}

/// A lease that makes sense.
#[derive(Debug)]
pub(super) struct LeaseAsked {
    pub(super) organisation: OrganisationId,
    pub(super) backend: Backend,
    pub(super) data: Option<OwnedFd>,
    pub(super) output: Option<OwnedFd>,
    pub(super) scratch_bytes: u64,
    pub(super) output_bytes: u64,
    pub(super) wall: Duration,
}

/// The most that may be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) scratch_bytes: u64,
    pub(super) wall: Duration,
}

impl Asked {
    /// Takes a frame and its descriptors apart; a refusal says what the other side is told.
    pub(super) fn parse(bytes: &[u8], passed: Vec<OwnedFd>, most: Most) -> Result<Self, LeaseRefusal> {
        let request = frame::decode::<wire::LeaseRequest>(bytes).map_err(|_| LeaseRefusal::Malformed)?;
        match request.request.ok_or(LeaseRefusal::Malformed)? {
            Request::Inspect(_) if passed.is_empty() => Ok(Self::Inspect),
            Request::Inspect(_) => Err(LeaseRefusal::Malformed),
            Request::Lease(lease) => lease_asked(&lease, passed, most).map(Self::Lease),
        }
    }
}

fn lease_asked(lease: &wire::Lease, passed: Vec<OwnedFd>, most: Most) -> Result<LeaseAsked, LeaseRefusal> {
    let backend = lease.backend.parse().map_err(|_| LeaseRefusal::NoBackend)?;
    let wall = Duration::from_millis(lease.wall_milliseconds);
    let bounded = lease.scratch_bytes <= most.scratch_bytes
        && (1..=IMAGE_BYTES).contains(&lease.output_bytes) == lease.output
        && !wall.is_zero()
        && wall <= most.wall;
    if !bounded || passed.len() != usize::from(lease.data) + usize::from(lease.output) {
        return Err(LeaseRefusal::Malformed);
    }
    let mut passed = passed.into_iter();
    let data = lease.data.then(|| passed.next()).flatten();
    let output = lease.output.then(|| passed.next()).flatten();
    let fit = data.as_ref().is_none_or(|data| is_image(data, OFlags::RDONLY, backend))
        && output.as_ref().is_none_or(|output| is_image(output, OFlags::RDWR, backend));
    if !fit {
        return Err(LeaseRefusal::Malformed);
    }
    Ok(LeaseAsked {
        organisation: lease.organisation.parse().map_err(|_| LeaseRefusal::Malformed)?,
        backend,
        data,
        output,
        scratch_bytes: lease.scratch_bytes,
        output_bytes: lease.output_bytes,
        wall,
    })
}

/// Whether it is a regular file, opened for this and no more, and of the length that a machine saw at its birth.
fn is_image(descriptor: &OwnedFd, access: OFlags, backend: Backend) -> bool {
    let (Ok(found), Ok(flags)) = (fstat(descriptor), fcntl_getfl(descriptor)) else { return false };
    let of_length = backend != Backend::Vm || u64::try_from(found.st_size) == Ok(IMAGE_BYTES);
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile && flags & OFlags::ACCMODE == access && of_length
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use prost::Message as _;

    use super::*;

    const MOST: Most = Most { scratch_bytes: 1 << 20, wall: Duration::from_secs(60) };

    fn lease() -> wire::Lease {
        wire::Lease {
            organisation: "voltaic".to_owned(),
            backend: "process".to_owned(),
            scratch_bytes: 1 << 20,
            wall_milliseconds: 60_000,
            ..wire::Lease::default()
        }
    }

    fn parse(lease: wire::Lease, passed: Vec<OwnedFd>) -> Result<LeaseAsked, LeaseRefusal> {
        let request = wire::LeaseRequest { request: Some(Request::Lease(lease)) };
        match Asked::parse(&request.encode_to_vec(), passed, MOST)? {
            Asked::Lease(lease) => Ok(lease),
            Asked::Inspect => panic!("an inspection"),
        }
    }

    /// An image, opened for reading, or for reading and writing.
    fn image(length: u64, writable: bool) -> OwnedFd {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(length).unwrap();
        File::options().read(true).write(writable).open(file.path()).unwrap().into()
    }

    #[test]
    fn a_lease_with_what_it_says() {
        let asked = parse(lease(), vec![]).unwrap();
        assert_eq!((asked.backend, asked.wall), (Backend::Process, Duration::from_secs(60)));
        let load = wire::Lease { data: true, output: true, output_bytes: 9, backend: "vm".to_owned(), ..lease() };
        let asked = parse(load, vec![image(IMAGE_BYTES, false), image(IMAGE_BYTES, true)]).unwrap();
        assert!(asked.data.is_some() && asked.output.is_some());
    }

    #[test]
    fn nonsense_is_refused_by_its_kind() {
        let refused = |change: fn(&mut wire::Lease)| {
            let mut lease = lease();
            change(&mut lease);
            parse(lease, vec![]).unwrap_err()
        };
        assert_eq!(refused(|lease| lease.backend = "container".to_owned()), LeaseRefusal::NoBackend);
        for change in [
            (|lease| lease.organisation = "No".to_owned()) as fn(&mut wire::Lease),
            |lease| lease.scratch_bytes += 1,
            |lease| lease.wall_milliseconds = 0,
            |lease| lease.wall_milliseconds += 1,
            |lease| lease.output_bytes = 1,
            |lease| lease.data = true,
        ] {
            assert_eq!(refused(change), LeaseRefusal::Malformed);
        }
        assert_eq!(Asked::parse(&[1], vec![], MOST).unwrap_err(), LeaseRefusal::Malformed);
        assert_eq!(Asked::parse(&[], vec![], MOST).unwrap_err(), LeaseRefusal::Malformed);
    }

    #[test]
    fn descriptors_are_what_they_have_to_be() {
        let data = |backend: &str| wire::Lease { data: true, backend: backend.to_owned(), ..lease() };
        assert!(parse(data("process"), vec![image(5, false)]).is_ok());
        assert!(parse(data("vm"), vec![image(IMAGE_BYTES, false)]).is_ok());
        let pipe: OwnedFd = std::io::pipe().unwrap().0.into();
        for (backend, descriptors) in [
            ("vm", vec![image(5, false)]),
            ("process", vec![image(5, true)]),
            ("process", vec![pipe]),
            ("process", vec![image(5, false), image(5, false)]),
            ("process", vec![]),
        ] {
            assert_eq!(parse(data(backend), descriptors).unwrap_err(), LeaseRefusal::Malformed);
        }
        let output = wire::Lease { output: true, output_bytes: 9, ..lease() };
        assert_eq!(parse(output, vec![image(5, false)]).unwrap_err(), LeaseRefusal::Malformed);
    }
}
