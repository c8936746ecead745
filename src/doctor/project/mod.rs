//! The project in the current directory: go.mod, go.work, go.sum and vendor.

mod findings;

mod look;

pub(super) use look::look;
