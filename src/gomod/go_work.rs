//! go.work.
