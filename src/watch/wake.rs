//! Detects whether the machine has slept: the boot-time clock continues during suspend, the
//! monotonic clock does not.

use std::time::Duration;

/// A shorter difference is not a sleep: the two clocks are not read at the same instant, and a busy
/// machine may pause between the two readings. No machine sleeps for less.
const SHORTEST_SLEEP: Duration = Duration::from_secs(1);

/// Compares the two clocks on each call; uses no timer.
#[derive(Debug)]
pub struct WakeClock {
    /// How long the machine has slept since it was booted; `None` if no clock shows it.
    slept: Option<Duration>,
}

impl Default for WakeClock {
    /// Starts from now.
    fn default() -> WakeClock {
        WakeClock {
            slept: time_asleep(),
        }
    }
}

impl WakeClock {
    /// Reports whether the machine has slept since the last call.
    pub fn has_slept(&mut self) -> bool {
        self.compare(time_asleep())
    }

    fn compare(&mut self, slept: Option<Duration>) -> bool {
        let (Some(before), Some(now)) = (self.slept, slept) else {
            self.slept = self.slept.or(slept);
            return false;
        };
        if now.saturating_sub(before) < SHORTEST_SLEEP {
            return false;
        }
        self.slept = slept;
        true
    }
}

/// Returns the clock that continues during suspend minus the one that does not.
fn time_asleep() -> Option<Duration> {
    // They are read in this order, so that a pause between the two makes the difference smaller.
    let [with_sleep, without] = os::clocks();
    Some(with_sleep?.saturating_sub(without?))
}

#[cfg(unix)]
mod os {
    use std::time::Duration;

    #[cfg(target_os = "linux")]
    const CLOCKS: [libc::clockid_t; 2] = [libc::CLOCK_BOOTTIME, libc::CLOCK_MONOTONIC];
    /// `mach_continuous_time` and `mach_absolute_time`, in nanoseconds (clock_gettime(3)).
    #[cfg(target_os = "macos")]
    const CLOCKS: [libc::clockid_t; 2] = [libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_UPTIME_RAW];
    /// The same clock twice: a sleep is never detected on this system.
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    const CLOCKS: [libc::clockid_t; 2] = [libc::CLOCK_MONOTONIC; 2];

    pub(super) fn clocks() -> [Option<Duration>; 2] {
        CLOCKS.map(read)
    }

    fn read(clock: libc::clockid_t) -> Option<Duration> {
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a `timespec` that outlives the call.
        let done = unsafe { libc::clock_gettime(clock, &raw mut now) };
        let seconds = u64::try_from(now.tv_sec).ok().filter(|_| done == 0)?;
        Some(Duration::new(seconds, u32::try_from(now.tv_nsec).ok()?))
    }
}

#[cfg(windows)]
mod os {
    use std::time::Duration;

    use windows_sys::Win32::System::SystemInformation::GetTickCount64;
    use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;

    pub(super) fn clocks() -> [Option<Duration>; 2] {
        // SAFETY: takes no arguments, cannot fail.
        let with_sleep = Duration::from_millis(unsafe { GetTickCount64() });
        let mut ticks = 0_u64;
        // SAFETY: the pointer is to a number that outlives the call.
        let done = unsafe { QueryUnbiasedInterruptTime(&raw mut ticks) };
        // In units of 100 ns.
        let without = (done != 0).then(|| Duration::from_micros(ticks / 10));
        [Some(with_sleep), without]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: u64, now: u64) -> bool {
        let mut clock = WakeClock {
            slept: Some(Duration::from_millis(before)),
        };
        clock.compare(Some(Duration::from_millis(now)))
    }

    #[test]
    fn a_gap_of_a_second_is_a_sleep_and_jitter_is_not() {
        assert!(after(5000, 6000));
        assert!(after(0, 3_600_000));
        assert!(!after(5000, 5999));
        assert!(!after(5000, 4000));
    }

    #[test]
    fn each_sleep_is_seen_once() {
        let mut clock = WakeClock {
            slept: Some(Duration::ZERO),
        };
        assert!(clock.compare(Some(Duration::from_secs(30))));
        assert!(!clock.compare(Some(Duration::from_secs(30))));
        assert!(clock.compare(Some(Duration::from_secs(32))));
    }

    #[test]
    fn jitter_does_not_add_up_nor_hide_a_sleep() {
        let mut clock = WakeClock {
            slept: Some(Duration::ZERO),
        };
        assert!(!clock.compare(Some(Duration::from_millis(900))));
        assert!(clock.compare(Some(Duration::from_millis(1100))));
    }

    #[test]
    fn without_clocks_no_sleep_is_seen() {
        let mut clock = WakeClock { slept: None };
        assert!(!clock.compare(None));
        assert!(!clock.compare(Some(Duration::from_secs(9))));
        assert!(clock.compare(Some(Duration::from_secs(19))));
    }

    #[test]
    fn this_machine_is_awake() {
        let mut clock = WakeClock::default();
        assert!(!clock.has_slept());
    }
}
