//! Linux' own sources of hints: rtnetlink's messages, and the kernel's notification that the wall
//! clock was set or the machine has slept. So a resume is noticed at once even if it changes
//! nothing about the network.

mod link;
mod neighbour;
mod route;

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::SocketFlags;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::netlink::{BUFFER, messages, open, receive};
use super::source::{Hint, HintInbox, HintSource, readable, start};
use route::is_telling;

pub(super) use super::resolv_conf::{resolver, resolver_files};
pub(super) use link::links;
pub(super) use neighbour::link_layer_address;
pub(super) use route::tables;

/// Starts the sources of this system.
pub(super) fn start_sources(inbox: &HintInbox) -> Vec<AbortHandle> {
    vec![start::<RouteMessages>(inbox), start::<ClockSet>(inbox)]
}

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `…_ROUTE`, `…_RULE`, `RTMGRP_IPV6_IFADDR`, `…_ROUTE`, and
/// the group for IPv6 rules, which has no such name.
///
/// Links are included because the kernel sends no message for the IPv4 routes that disappear when a
/// link goes down. It sends none for addresses either, since they stay.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 1 << (libc::RTNLGRP_IPV6_RULE - 1);
/// How many messages are read before other tasks of the runtime get their turn.
const MOST_AT_ONCE: usize = 256;

/// The kernel's messages about links, addresses, routes and rules.
struct RouteMessages {
    socket: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl HintSource for RouteMessages {
    const NAME: &'static str = "route messages";

    fn open() -> io::Result<RouteMessages> {
        Ok(RouteMessages {
            socket: readable(open(None, GROUPS, SocketFlags::NONBLOCK)?)?,
            buffer: vec![0; BUFFER],
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        loop {
            let mut telling = false;
            let mut guard = self.socket.readable().await?;
            for _ in 0..MOST_AT_ONCE {
                let buffer = &mut self.buffer;
                match guard.try_io(|socket| receive(socket.get_ref(), buffer)) {
                    Err(_would_block) => break,
                    // The kernel had more messages than fit into the socket's buffer.
                    Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                        return Ok(Hint::Lost);
                    }
                    Ok(read) => telling |= messages(read?).any(|message| is_telling(&message)),
                }
            }
            if telling {
                return Ok(Hint::Network);
            }
        }
    }
}

/// A timer that never expires, but is cancelled whenever CLOCK_REALTIME jumps: `timerfd_create(2)`,
/// `TFD_TIMER_CANCEL_ON_SET`. Since Linux 5.15 a resume cancels it, too (`timerfd_resume` in
/// `fs/timerfd.c`); before, only if the resume corrected the clock.
///
/// All programs share the real clock, and no namespace has its own, so the tests below do not set
/// it. In another kernel (user-mode Linux 6.1) both were observed: `date -s` ends a pin at once,
/// and `echo mem > /sys/power/state` cancels the timer.
struct ClockSet {
    timer: AsyncFd<OwnedFd>,
}

impl HintSource for ClockSet {
    const NAME: &'static str = "clock and resume";

    fn open() -> io::Result<ClockSet> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
        // The latest time that the kernel can represent; only the flags matter.
        let far = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            },
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        timerfd_settime(&timer, flags, &far)?;
        Ok(ClockSet {
            timer: readable(timer)?,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        let read = |timer: &OwnedFd| Ok(rustix::io::read(timer, &mut [0; 8])?);
        match self.timer.async_io(Interest::READABLE, read).await {
            // The timer stays armed, and the next jump cancels it again.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CANCELED) => Ok(Hint::Wake),
            Err(error) => Err(error),
            // The clock has reached the timer's end: this is no event, and cannot happen again.
            Ok(_) => Err(io::Error::other("the timer has run out")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::time::Duration;

    use super::{ClockSet, HintSource as _};

    #[tokio::test]
    async fn the_timer_is_armed_for_the_real_clock_and_for_its_jumps() {
        let source = ClockSet::open().unwrap();
        let fd = source.timer.get_ref().as_raw_fd();
        let told = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
        let field = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start_matches(':').trim().to_owned())
        };
        assert_eq!(field("clockid").as_deref(), Some("0"), "{told}");
        // In octal: TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET.
        assert_eq!(field("settime flags").as_deref(), Some("03"), "{told}");
        let left = field("it_value").unwrap();
        let seconds: u64 = left[1..].split(',').next().unwrap().parse().unwrap();
        assert!(seconds > 100 * 366 * 24 * 60 * 60, "{told}");
    }

    #[tokio::test]
    async fn while_the_clock_runs_on_there_is_nothing_to_say() {
        let mut source = ClockSet::open().unwrap();
        let said = tokio::time::timeout(Duration::from_millis(300), source.next()).await;
        assert!(said.is_err(), "{said:?}");
    }
}
