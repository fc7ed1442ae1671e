//! System calls that no safe interface has: the guest's only unsafe code.
#![expect(unsafe_code, reason = "each call is a few lines over one documented system call")]

use std::{
    ffi::{CStr, c_char, c_void},
    fs::File,
    io,
    os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
    time::Duration,
};

use rustix::ioctl;

/// Takes over a descriptor that whoever started this process left open for it.
///
/// # Errors
/// `EBADF` if there is none by that number.
pub(crate) fn inherited(number: RawFd) -> io::Result<File> {
    // SAFETY: a number that is not open is found out by the very next call, and not used further.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: open, as was just seen; by the contract of `main` nothing else here owns it, and it is taken once.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Mixes a seed into the kernel's pool, credits it in full, and makes every generator of the kernel start anew from it
/// (random(4): `RNDADDENTROPY`, `RNDRESEEDCRNG`). For root alone.
pub(crate) fn reseed(random: &File, seed: &[u8; SEED]) -> io::Result<()> {
    let pool = Pool { bits: SEED_BITS, bytes: SEED_BYTES, seed: *seed };
    // SAFETY: the opcode takes a `struct rand_pool_info` with its buffer behind it, which `Pool` is.
    unsafe { ioctl::ioctl(random, ioctl::Setter::<ADD_ENTROPY, Pool>::new(pool))? };
    // SAFETY: the opcode takes no argument.
    unsafe { ioctl::ioctl(random, ioctl::NoArg::<RESEED>::new())? };
    Ok(())
}

/// Sets the wall clock to this long after 1970. For root alone.
pub(crate) fn set_wall_clock(since_1970: Duration) -> io::Result<()> {
    let invalid = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let time = libc::timespec {
        tv_sec: since_1970.as_secs().try_into().map_err(invalid)?,
        tv_nsec: since_1970.subsec_nanos().into(),
    };
    // SAFETY: `time` outlives the call, which only reads it.
    match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What asks the C library by name for what it may have. A static program finds nothing so, not even `getrandom`, for
/// which the crate of that name would then open `/dev/urandom`: a file, and the engine may open none. So this program
/// answers itself.
#[cfg(target_feature = "crt-static")]
#[unsafe(no_mangle)]
extern "C" fn dlsym(_library: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: by the contract of dlsym(3), a string that ends in a nought.
    if unsafe { CStr::from_ptr(name) } == c"getrandom" { libc::getrandom as *mut c_void } else { std::ptr::null_mut() }
}

/// A seed's length, bytes.
pub(crate) const SEED: usize = 64;

/// `struct rand_pool_info` of linux/random.h.
#[repr(C)]
struct Pool {
    bits: i32,
    bytes: i32,
    seed: [u8; SEED],
}

const SEED_BYTES: i32 = 64;
const SEED_BITS: i32 = 8 * SEED_BYTES;
/// `_IOW('R', 0x03, int[2])`.
const ADD_ENTROPY: ioctl::Opcode = ioctl::opcode::write::<[i32; 2]>(b'R', 0x03);
/// `_IO('R', 0x07)`.
const RESEED: ioctl::Opcode = ioctl::opcode::none(b'R', 0x07);

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::IntoRawFd as _;

    use super::*;

    #[test]
    fn opcodes_are_those_of_the_kernel() {
        assert_eq!((ADD_ENTROPY, RESEED), (0x4008_5203, 0x5207));
        assert_eq!(size_of::<Pool>(), 8 + SEED);
    }

    #[test]
    fn a_descriptor_is_taken_over_if_it_is_there() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"left open").unwrap();
        file.rewind().unwrap();
        let number = file.into_raw_fd();
        let mut taken = inherited(number).unwrap();
        let mut text = String::new();
        taken.read_to_string(&mut text).unwrap();
        assert_eq!(text, "left open");
        assert_eq!(inherited(987_654).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
