//! How far long work has come: counted by the work, read by whoever shows it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Shared counters. What is to be done may grow while it is being done.
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
    /// Done: modules, files.
    pub things: u64,
    /// Done, in bytes.
    pub bytes: u64,
    /// To be done, with what is done. 0: not known yet.
    pub all_things: u64,
    /// The same in bytes. 0: not known.
    pub all_bytes: u64,
}

impl Meter {
    /// So much is to be done, besides what was known of.
    pub fn expect(&self, things: u64, bytes: u64) {
        self.all_things.fetch_add(things, Ordering::Relaxed);
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So much has been done.
    pub fn did(&self, things: u64, bytes: u64) {
        self.things.fetch_add(things, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn read(&self) -> Reading {
        Reading {
            things: self.things.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            all_things: self.all_things.load(Ordering::Relaxed),
            all_bytes: self.all_bytes.load(Ordering::Relaxed),
        }
    }
}
