//! The routing socket (route(4)) and the kernel's route dump.

use std::ffi::c_int;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, socket};
use tokio::io::unix::AsyncFd;

use crate::model::{Route, Rule};
use crate::watch::route_message::messages;
use crate::watch::source::{Hint, HintSource, readable};

/// A message has a header of up to 160 bytes and eight addresses of up to 256.
const BUFFER: usize = 4096;
/// The usual 8 KB hold some forty messages, and the kernel silently drops those that do not fit: a
/// VPN that starts sends more. The memory is used only while messages wait.
const WAITING: usize = 256 * 1024;
/// How many messages are read before other tasks of the runtime get their turn.
const MOST_AT_ONCE: usize = 256;
/// How often the table is read: it may grow between the request for its size and the one for its
/// contents.
const TRIES: usize = 5;
/// Far more than any policy can need.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Returns the routes that carry information, sorted; there are no rules.
pub(in crate::watch) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let bytes = dump()?;
    let mut routes: Vec<Route> = messages(&bytes).filter_map(|one| one.route()).collect();
    routes.sort();
    routes.dedup();
    Ok((routes, Vec::new()))
}

/// Reads `NET_RT_DUMP` of all families (sysctl(3)).
fn dump() -> io::Result<Vec<u8>> {
    for _ in 0..TRIES {
        let mut size = 0;
        sysctl(std::ptr::null_mut(), &mut size)?;
        // Some room for routes that appear in the meantime.
        size = size.saturating_add(size / 8).saturating_add(BUFFER);
        if size > MOST_BYTES {
            return Err(io::Error::other("the routing table is too large"));
        }
        let mut bytes = vec![0_u8; size];
        match sysctl(bytes.as_mut_ptr(), &mut size) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            done => {
                bytes.truncate(size);
                return done.map(|()| bytes);
            }
        }
    }
    Err(io::Error::other("the routing table does not stand still"))
}

/// With a null pointer, only asks for the size. Otherwise `size` must be that of the memory at
/// `buffer`.
fn sysctl(buffer: *mut u8, size: &mut usize) -> io::Result<()> {
    let dump = libc::NET_RT_DUMP;
    let mut name: [c_int; 6] = [libc::CTL_NET, libc::PF_ROUTE, 0, libc::AF_UNSPEC, dump, 0];
    let (to, nothing) = (buffer.cast(), std::ptr::null_mut());
    // SAFETY: `name` has six elements, and the kernel writes at most `size` bytes to `buffer`,
    // which the callers have made that long, or null.
    match unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            6,
            to,
            std::ptr::from_mut(size),
            nothing,
            0,
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The kernel's messages about links, addresses and routes. If the kernel drops some, configd's
/// messages and the next recheck make up for them.
pub(super) struct RouteMessages {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        let socket = socket(AddressFamily::ROUTE, SocketType::RAW, None)?;
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        fcntl_setfl(&socket, OFlags::NONBLOCK)?;
        // This also works with the usual size.
        let _ = set_socket_recv_buffer_size(&socket, WAITING);
        Ok(RouteMessages {
            socket: readable(socket)?,
            buffer: vec![0; BUFFER],
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        loop {
            let mut telling = false;
            let mut guard = self.socket.readable().await?;
            for _ in 0..MOST_AT_ONCE {
                let buffer = self.buffer.as_mut_slice();
                let read = guard.try_io(|socket| Ok(rustix::io::read(socket.get_ref(), buffer)?));
                let length = match read {
                    Err(_would_block) => break,
                    // The kernel had more messages than fit into the socket's buffer.
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        return Ok(Hint::Lost);
                    }
                    Ok(length) => length?,
                };
                if length == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let bytes = self.buffer.get(..length).unwrap_or_default();
                // A message that fills the buffer is incomplete, and cannot be parsed.
                telling |= length == BUFFER || messages(bytes).any(|one| one.is_telling());
            }
            if telling {
                return Ok(Hint::Network);
            }
        }
    }
}
