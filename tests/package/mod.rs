//! Parts of `tests/lab_package.rs`.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

pub(crate) mod idle;
pub(crate) mod machine;
pub(crate) mod manual;
