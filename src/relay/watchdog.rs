//! Ends the process when the loop that serves a relay is stuck: go has no time limit of its own and
//! would wait for ever for a relay that listens and is silent. A connection that breaks it can
//! report, and a service manager starts the agent again.
//!
//! The system's alarm ticks while the loop works, and ends with the first tick that finds it at
//! rest, so that an idle process is not woken. A loop that has done nothing new for [`STRIKES`] ticks
//! is stuck. Ticks and not clocks are counted: a machine that sleeps has no ticks, and a process that
//! was stopped (SIGSTOP) gets one, however long that took.
//!
//! Windows has no alarm; there nothing ends a stuck loop.

use tokio::runtime::Builder;

/// The time between two ticks, in seconds.
#[cfg(all(unix, not(test)))]
const TICK: u32 = 2;
/// Tests wait for it.
#[cfg(all(unix, test))]
const TICK: u32 = 1;
/// A loop is stuck after this many ticks with nothing new, which is 8 to 10 s.
#[cfg(unix)]
const STRIKES: u32 = 4;

/// While one lives, a stuck loop ends the process.
#[derive(Debug)]
#[must_use]
pub struct Watchdog {
    is_on: bool,
}

impl Watchdog {
    /// Watches the loop of a runtime that [`observed`] has prepared.
    pub fn start() -> Watchdog {
        Watchdog {
            is_on: alarm::start(),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        if self.is_on {
            alarm::stop();
        }
    }
}

/// Lets the watchdog see when the runtime's loop works, and when it rests.
pub fn observed(builder: &mut Builder) -> &mut Builder {
    builder
        .on_thread_unpark(alarm::works)
        .on_thread_park(alarm::rests)
}

/// The loop does something new. Under a full load it never rests.
pub(super) fn progress() {
    alarm::progress();
}

#[cfg(unix)]
mod alarm {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use super::{STRIKES, TICK};

    static WATCHES: AtomicU32 = AtomicU32::new(0);
    static WORKS: AtomicBool = AtomicBool::new(false);
    /// The alarm is on its way.
    static TICKS: AtomicBool = AtomicBool::new(false);
    /// The last tick has found the loop at rest, and wakes it: that is no work.
    static WAKES: AtomicBool = AtomicBool::new(false);
    /// Counts what the loop does.
    static DONE: AtomicU32 = AtomicU32::new(0);
    /// What the last tick saw of it, and for how many ticks.
    static SEEN: AtomicU32 = AtomicU32::new(0);
    static SAME: AtomicU32 = AtomicU32::new(0);

    const WORDS: &[u8] = b"goroam: the relay's loop is stuck; ends, so that go need not wait\n";

    pub(super) fn progress() {
        DONE.fetch_add(1, Ordering::Relaxed);
        if is_due() && !TICKS.load(Ordering::SeqCst) {
            TICKS.store(true, Ordering::SeqCst);
            set(TICK);
        }
    }

    pub(super) fn works() {
        WORKS.store(true, Ordering::SeqCst);
        if !WAKES.swap(false, Ordering::SeqCst) {
            progress();
        }
    }

    pub(super) fn rests() {
        WORKS.store(false, Ordering::SeqCst);
    }

    /// False: another program uses this process's alarm, such as a `timeout` that became goroam.
    pub(super) fn start() -> bool {
        if WATCHES.load(Ordering::SeqCst) == 0 {
            let others = set(0);
            if others > 0 {
                set(others);
                return false;
            }
            let handler: extern "C" fn(libc::c_int) = tick;
            // SAFETY: `sigaction` is plain data, for which zero is a value.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            // SAFETY: the pointer is that of a `sigaction`; the handler calls only functions that
            // signal-safety(7) lists, and is never removed.
            unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
        }
        // The alarm begins when the loop rests no more.
        WATCHES.fetch_add(1, Ordering::SeqCst);
        true
    }

    pub(super) fn stop() {
        if WATCHES.fetch_sub(1, Ordering::SeqCst) == 1 {
            // An alarm would outlive this program if the process becomes another one.
            set(0);
            TICKS.store(false, Ordering::SeqCst);
        }
    }

    /// Sets the alarm; returns what was left of the last one, in seconds.
    fn set(seconds: u32) -> u32 {
        // SAFETY: alarm has no preconditions.
        unsafe { libc::alarm(seconds) }
    }

    fn is_due() -> bool {
        WATCHES.load(Ordering::SeqCst) > 0 && WORKS.load(Ordering::SeqCst)
    }

    extern "C" fn tick(_: libc::c_int) {
        if !is_due() {
            WAKES.store(true, Ordering::SeqCst);
            TICKS.store(false, Ordering::SeqCst);
            // The loop may have begun to work just before, and have seen the alarm still on its way.
            if !is_due() || TICKS.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        let done = DONE.load(Ordering::Relaxed);
        if SEEN.swap(done, Ordering::Relaxed) != done {
            SAME.store(0, Ordering::Relaxed);
        } else if SAME.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            end();
        }
        set(TICK);
    }

    /// Says why, if that does not block, and lets the signal have its default effect.
    fn end() {
        let mut stderr = libc::pollfd {
            fd: libc::STDERR_FILENO,
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: each pointer is that of a live value of the length that is passed with it; all
        // four calls are listed by signal-safety(7).
        unsafe {
            if libc::poll(&raw mut stderr, 1, 0) == 1 {
                libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len());
            }
            libc::signal(libc::SIGALRM, libc::SIG_DFL);
            libc::raise(libc::SIGALRM);
        }
    }
}

#[cfg(not(unix))]
mod alarm {
    pub(super) fn progress() {}
    pub(super) fn works() {}
    pub(super) fn rests() {}
    pub(super) fn start() -> bool {
        false
    }
    pub(super) fn stop() {}
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::{Watchdog, observed, progress};

    /// What the child is to do.
    const PART: &str = "GOROAM_TEST_WATCHED";

    fn block(time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
        }
    }

    async fn act(part: &str) {
        let _watchdog = Watchdog::start();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let long = Duration::from_secs(7);
        match part {
            "stuck" => {
                block(Duration::from_secs(60));
            }
            "works without a rest" => {
                let end = Instant::now() + long;
                while Instant::now() < end {
                    progress();
                    tokio::task::yield_now().await;
                }
            }
            "rests" => {
                let left = std::thread::spawn(|| {
                    block(Duration::from_secs(5));
                    // SAFETY: alarm has no preconditions.
                    unsafe { libc::alarm(0) }
                });
                tokio::time::sleep(long).await;
                assert!(left.join().is_ok_and(|left| left == 0), "it ticks at rest");
            }
            "is busy for a while" => {
                for _ in 0..3 {
                    block(Duration::from_secs(2));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            "is stopped at work" => {
                // SAFETY: plain system calls. The child continues this process.
                unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
                block(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => panic!("no such part: {part}"),
        }
    }

    #[test]
    fn watched() {
        let Ok(part) = std::env::var(PART) else {
            return;
        };
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = observed(builder.enable_all()).build().unwrap();
        runtime.block_on(act(&part));
    }

    #[test]
    fn a_stuck_loop_ends_the_process_and_no_other_does() {
        // This test's process again, in which `watched` plays the part.
        let child = |part: &str| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "relay::watchdog::tests::watched", "--nocapture"]);
            command.env(PART, part).stdout(Stdio::null());
            command.stderr(Stdio::piped()).spawn().unwrap()
        };
        let begun = Instant::now();
        let stuck = child("stuck");
        let parts = ["works without a rest", "rests", "is busy for a while"];
        let others = parts.map(|part| (part, child(part)));
        let stopped = child("is stopped at work");
        let stuck = stuck.wait_with_output().unwrap();
        let took = begun.elapsed();
        assert_eq!(stuck.status.signal(), Some(libc::SIGALRM), "{stuck:?}");
        let said = String::from_utf8_lossy(&stuck.stderr);
        assert!(said.contains("the relay's loop is stuck"), "{said}");
        assert!((4..30).contains(&took.as_secs()), "{took:?}");
        for (part, child) in others {
            let child = child.wait_with_output().unwrap();
            assert!(child.status.success(), "{part}: {child:?}");
        }
        // It was stopped for longer than a stuck one lives.
        let pid = libc::pid_t::try_from(stopped.id()).unwrap();
        // SAFETY: plain system call on a child that was not waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGCONT) }, 0);
        let stopped = stopped.wait_with_output().unwrap();
        assert!(stopped.status.success(), "{stopped:?}");
    }
}
