//! Linux' own source of hints: the kernel says that the wall clock was set or the machine has slept,
//! so that a resume is known at once even where it changes nothing about the network.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::inbox::{Hint, HintInbox};
use super::source::{HintSource, start};

/// Starts the sources that only this system has.
pub(super) fn start_sources(inbox: &HintInbox) -> Vec<AbortHandle> {
    vec![start::<ClockSet>(inbox)]
}

/// A timer that never runs out, but is cancelled whenever CLOCK_REALTIME jumps:
/// `timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`. Since Linux 5.15 also by a resume
/// (`timerfd_resume` in `fs/timerfd.c`); before, only where the resume corrected the clock.
///
/// All programs share the real clock, and no namespace has another one, so the tests below set
/// none. In another kernel (user-mode Linux 6.1) both are seen: `date -s` ends a pin
/// at once, and `echo mem > /sys/power/state` cancels the timer.
struct ClockSet {
    timer: AsyncFd<OwnedFd>,
}

impl HintSource for ClockSet {
    const NAME: &'static str = "clock and resume";

    fn open() -> io::Result<ClockSet> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: plain system call; the result is checked below.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and it has no other owner.
        let timer = unsafe { OwnedFd::from_raw_fd(fd) };
        arm(&timer)?;
        // SAFETY: `OwnedFd` owns its descriptor, keeps the same one, and closes it when
        // dropped, which the `AsyncFd` does after it has let go of it.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) };
        Ok(ClockSet {
            timer: timer.map_err(io::Error::from)?,
        })
    }

    async fn next(&mut self) -> io::Result<Hint> {
        loop {
            let mut guard = self.timer.readable().await?;
            match guard.try_io(|timer| expirations(timer.get_ref())) {
                Err(_would_block) => {}
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECANCELED) => {
                    // It stays armed, and is cancelled by the next jump again.
                    return Ok(Hint::Wake);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                // The end of time, or a clock beyond it: no news, and never again.
                Ok(Ok(_)) => return Err(io::Error::other("the timer has run out")),
            }
        }
    }
}

/// As far away as the kernel can count; the flags are what it is for.
fn arm(timer: &OwnedFd) -> io::Result<()> {
    let far = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: libc::timespec {
            tv_sec: libc::time_t::MAX,
            tv_nsec: 0,
        },
    };
    let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
    // SAFETY: the descriptor is open, the pointer is to a value that outlives the call, and
    // the old value is not asked for.
    let done =
        unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const far, ptr::null_mut()) };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn expirations(timer: &OwnedFd) -> io::Result<u64> {
    let mut count = [0_u8; 8];
    // SAFETY: the descriptor is open, and the buffer is as long as is said.
    let read = unsafe { libc::read(timer.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    match read {
        0.. => Ok(u64::from_ne_bytes(count)),
        _ => Err(io::Error::last_os_error()),
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
