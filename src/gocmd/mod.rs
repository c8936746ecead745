//! The hands: the only room that runs the go command or touches the go env file.
//!
//!     find → GoCommand;  locate → the go env file;  prepare(plan) → commit → Applied
//!
//! May import: model, plan, environment.

pub mod apply;
pub mod envfile;
pub mod find;
pub mod run;

pub use apply::{Applied, ApplyError, Prepared, prepare, restore, shadows};
pub use envfile::{EnvFile, EnvText, LocateError};
pub use find::{FindError, GoCommand, GoVersion};
