//! macOS: the routing socket (route(4)) and the kernel's route dump.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::message::messages;
use crate::model::{Route, Rule};
use crate::watch::inbox::Hint;
use crate::watch::source::HintSource;

/// A message has a header of up to 160 bytes and eight addresses of up to 256.
const BUFFER: usize = 4096;
/// The usual 8 KB are some forty messages, and the kernel drops those that do not fit without a
/// word: a VPN that comes up sends more. It is memory only while messages wait.
const WAITING: c_int = 256 * 1024;
/// So many messages are read before the others in the runtime get their turn.
const MOST_AT_ONCE: usize = 256;
/// The table may grow between the question for its size and the one for its contents.
const TRIES: usize = 5;
/// Far more than any policy can need.
const MOST_BYTES: usize = 16 * 1024 * 1024;

pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let bytes = dump()?;
    let mut routes: Vec<Route> = messages(&bytes).filter_map(|one| one.route()).collect();
    routes.sort();
    routes.dedup();
    Ok((routes, Vec::new()))
}

/// `NET_RT_DUMP` of all families (sysctl(3)).
fn dump() -> io::Result<Vec<u8>> {
    for _ in 0..TRIES {
        let mut size = 0;
        sysctl(std::ptr::null_mut(), &mut size)?;
        // Some room for what appears meanwhile.
        size = size.saturating_add(size / 8).saturating_add(BUFFER);
        if size > MOST_BYTES {
            return Err(io::Error::other("the routing table is too large"));
        }
        let mut bytes = vec![0_u8; size];
        match sysctl(bytes.as_mut_ptr(), &mut size) {
            Ok(()) => {
                bytes.truncate(size);
                return Ok(bytes);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the routing table does not stand still"))
}

/// With a null pointer only the size is asked for. Otherwise `size` must be that of the
/// memory at `buffer`.
fn sysctl(buffer: *mut u8, size: &mut usize) -> io::Result<()> {
    let mut name: [c_int; 6] = [
        libc::CTL_NET,
        libc::PF_ROUTE,
        0,
        libc::AF_UNSPEC,
        libc::NET_RT_DUMP,
        0,
    ];
    // SAFETY: `name` has six elements, and the kernel writes at most `size` bytes to `buffer`,
    // which the callers have made that long, or null.
    let done = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            6,
            buffer.cast(),
            std::ptr::from_mut(size),
            std::ptr::null_mut(),
            0,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The kernel's messages about links, addresses and routes. Those that it drops are made up for
/// by configd's, and by the next re-check.
pub(in crate::watch) struct RouteMessages {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        // SAFETY: plain system call; the result is checked below.
        let fd = unsafe { libc::socket(libc::PF_ROUTE, libc::SOCK_RAW, libc::AF_UNSPEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and it has no other owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the descriptor is open; the flags are those of fcntl(2).
        let flags_set = unsafe {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) == 0
                && libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) == 0
        };
        if !flags_set {
            return Err(io::Error::last_os_error());
        }
        // With the usual size it works too.
        // SAFETY: the descriptor is open, and the option is a number of the size that is said.
        let _ = unsafe {
            libc::setsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                std::ptr::from_ref(&WAITING).cast(),
                size_of_val(&WAITING) as libc::socklen_t,
            )
        };
        // SAFETY: `OwnedFd` owns its descriptor, keeps the same one, and closes it when
        // dropped, which the `AsyncFd` does after it has let go of it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(RouteMessages {
            socket,
            buffer: vec![0; BUFFER],
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        let mut telling = None;
        loop {
            let mut guard = self.socket.readable().await?;
            for _ in 0..MOST_AT_ONCE {
                let buffer = &mut self.buffer;
                match guard.try_io(|socket| receive(socket.get_ref(), buffer)) {
                    Err(_would_block) => break,
                    Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(Ok(length)) => {
                        let bytes = self.buffer.get(..length).unwrap_or_default();
                        // One that fills the buffer is incomplete, and cannot be read.
                        let cut_off = length == BUFFER;
                        if cut_off || messages(bytes).any(|message| message.is_telling()) {
                            telling = Some(Hint::Network);
                        }
                    }
                    // The kernel had more to say than the socket's buffer holds.
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        return Ok(Hint::Lost);
                    }
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) => return Err(error),
                }
            }
            if let Some(hint) = telling {
                return Ok(hint);
            }
        }
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the descriptor is open, and the kernel writes at most `buffer.len()` bytes.
    let read = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    usize::try_from(read).map_err(|_negative| io::Error::last_os_error())
}
