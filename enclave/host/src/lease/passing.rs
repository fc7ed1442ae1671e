//! The first frame of a connection, and the descriptors that travel with it (SCM_RIGHTS).

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use octroi_attest::frame::{Decoder, FrameError};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::{io::Interest, net::UnixStream};

/// Sends a frame, the descriptors with its first byte.
pub(crate) async fn send_first(stream: &UnixStream, frame: &[u8], passed: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut rest = frame;
    let mut passed = passed;
    while !rest.is_empty() {
        let sent = stream.async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !passed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(passed)) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            Ok(sendmsg(stream.as_fd(), &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL)?)
        });
        rest = rest.get(sent.await?..).unwrap_or_default();
        passed = &[];
    }
    Ok(())
}

/// The first frame, of at most `limit` bytes, and what came with it. Whoever connects sends nothing further until it
/// is answered; what it sends nevertheless makes the frame [`FrameError::Malformed`], as do descriptors that come late
/// or are too many.
pub(crate) async fn receive_first(stream: &UnixStream, limit: usize) -> Result<(Vec<u8>, Vec<OwnedFd>), FrameError> {
    let mut decoder = Decoder::new(limit);
    let mut passed: Option<Vec<OwnedFd>> = None;
    let mut buffer = [0; 4096];
    loop {
        let (length, came) =
            stream.async_io(Interest::READABLE, || receive(stream, &mut buffer)).await.map_err(FrameError::Channel)?;
        match &passed {
            None => passed = Some(came?),
            Some(_) if came?.is_empty() => {}
            Some(_) => return Err(FrameError::Malformed),
        }
        if length == 0 {
            return Err(FrameError::Torn);
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        if let Some(frame) = decoder.pull(&mut rest)? {
            return if rest.is_empty() { Ok((frame, passed.unwrap_or_default())) } else { Err(FrameError::Malformed) };
        }
    }
}

/// One piece; the inner error is for descriptors that are not as they should be.
fn receive(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Result<Vec<OwnedFd>, FrameError>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(stream.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut came = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            came.extend(descriptors);
        }
    }
    let too_many = came.len() > MOST || received.flags.contains(ReturnFlags::CTRUNC);
    Ok((received.bytes, if too_many { Err(FrameError::Malformed) } else { Ok(came) }))
}

/// Descriptors that travel with a frame: data and output.
const MOST: usize = 2;

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _};

    use octroi_attest::frame;
    use octroi_proto::wire::zone::Ready;

    use super::*;

    fn frame_of(length: usize) -> Vec<u8> {
        frame::encode(&Ready { public_key: vec![1; length] }, 100_000).unwrap()
    }

    fn file(content: &str) -> File {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), content).unwrap();
        path.reopen().unwrap()
    }

    #[tokio::test]
    async fn descriptors_arrive_in_their_order_with_a_frame_of_any_length() {
        for length in [0, 10, 5_000, 90_000] {
            let (near, far) = UnixStream::pair().unwrap();
            let (one, two, frame) = (file("one"), file("two"), frame_of(length));
            let passed = [one.as_fd(), two.as_fd()];
            let (sent, received) = tokio::join!(send_first(&near, &frame, &passed), receive_first(&far, 100_000));
            sent.unwrap();
            let (came, descriptors) = received.unwrap();
            assert_eq!(came, frame[4..]);
            let texts: Vec<_> =
                descriptors.into_iter().map(|descriptor| io::read_to_string(File::from(descriptor)).unwrap()).collect();
            assert_eq!(texts, ["one", "two"]);
        }
    }

    #[tokio::test]
    async fn what_is_not_one_frame_is_refused() {
        let refused = async |bytes: Vec<u8>, passed: &[BorrowedFd<'_>]| {
            let (near, far) = UnixStream::pair().unwrap();
            send_first(&near, &bytes, passed).await.unwrap();
            drop(near);
            receive_first(&far, 100).await.unwrap_err()
        };
        assert!(matches!(refused(frame_of(200), &[]).await, FrameError::TooLong { .. }));
        assert!(matches!(refused(frame_of(20)[..9].to_vec(), &[]).await, FrameError::Torn));
        let two_frames = [frame_of(20), frame_of(20)].concat();
        assert!(matches!(refused(two_frames, &[]).await, FrameError::Malformed));
    }

    #[tokio::test]
    async fn more_descriptors_than_expected_are_refused_and_closed() {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut reader, writer) = io::pipe().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let many = [writer.as_fd(); 8];
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        sendmsg(near.as_fd(), &[IoSlice::new(&frame_of(20))], &mut control, SendFlags::empty()).unwrap();
        drop(writer);
        assert!(matches!(receive_first(&far, 100).await.unwrap_err(), FrameError::Malformed));
        // The pipe ends: none of the eight is open any more.
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }
}
