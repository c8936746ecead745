//! Linux: rtnetlink, with all groups that matter.
//!
//! Links are among them because the kernel sends no message for the IPv4 routes that go when
//! a link goes down, and none for addresses either: they stay.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::model::{Route, Rule};
use crate::watch::inbox::Hint;
use crate::watch::netlink::dump::{NetworkTables, is_telling};
use crate::watch::netlink::message::messages;
use crate::watch::source::HintSource;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `…_ROUTE`, `…_RULE`, `RTMGRP_IPV6_IFADDR`, `…_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400;
/// The kernel sends no message that is longer.
const BUFFER: usize = 64 * 1024;
/// So many messages are read before the others in the runtime get their turn.
const MOST_AT_ONCE: usize = 256;

pub(super) fn tables() -> io::Result<(Vec<Route>, Vec<Rule>)> {
    let mut dump = NetworkTables::open()?;
    Ok((dump.routes()?, dump.rules()?))
}

/// The kernel's messages about links, addresses, routes and rules.
pub(in crate::watch) struct RouteMessages {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind(&SocketAddr::new(0, GROUPS))?;
        // Its number is above those that the old bit mask was made for.
        socket.add_membership(libc::RTNLGRP_IPV6_RULE)?;
        // SAFETY: `Socket` owns its descriptor, keeps the same one, and closes it when dropped,
        // which the `AsyncFd` does after it has let go of it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        Ok(RouteMessages {
            socket,
            buffer: Vec::with_capacity(BUFFER),
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        let mut telling = None;
        loop {
            let mut guard = self.socket.readable().await?;
            for _ in 0..MOST_AT_ONCE {
                self.buffer.clear();
                let read = guard.try_io(|socket| {
                    let (_, sender) = socket.get_ref().recv_from(&mut self.buffer, 0)?;
                    Ok(sender.port_number())
                });
                match read {
                    Err(_would_block) => break,
                    // The kernel had more to say than the socket's buffer holds.
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        return Ok(Hint::Lost);
                    }
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) => return Err(error),
                    Ok(Ok(0)) if messages(&self.buffer).any(|message| is_telling(&message)) => {
                        telling = Some(Hint::Network);
                    }
                    Ok(Ok(_)) => {}
                }
            }
            if let Some(hint) = telling {
                return Ok(hint);
            }
        }
    }
}
