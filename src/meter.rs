//! The progress of long work: counted by the work, read by the code that displays it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared counters. The total may grow while the work runs.
#[derive(Debug, Default)]
pub struct Meter {
    things: AtomicU64,
    bytes: AtomicU64,
    all_things: AtomicU64,
    all_bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Finished modules or files.
    pub things: u64,
    /// Finished bytes.
    pub bytes: u64,
    /// The total, including what is finished. 0: not known yet.
    pub all_things: u64,
    /// The total in bytes. 0: not known.
    pub all_bytes: u64,
}

impl Meter {
    /// Adds this much to the total.
    pub fn expect(&self, things: u64, bytes: u64) {
        self.all_things.fetch_add(things, Ordering::Relaxed);
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds this much to what is finished.
    pub fn did(&self, things: u64, bytes: u64) {
        self.things.fetch_add(things, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Starts again at zero, for the next part of the work.
    pub fn restart(&self) {
        for counter in [&self.things, &self.bytes, &self.all_things, &self.all_bytes] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Returns the present counters.
    pub fn read(&self) -> Reading {
        Reading {
            things: self.things.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            all_things: self.all_things.load(Ordering::Relaxed),
            all_bytes: self.all_bytes.load(Ordering::Relaxed),
        }
    }
}
