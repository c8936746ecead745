//! go.mod.
