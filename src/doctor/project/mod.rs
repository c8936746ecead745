//! The project that doctor stands in, and values of go's variables that cannot work or harm.
//!
//! ```text
//! look (I/O) → Project, Lines → judge, values (pure) → Finding
//! ```

mod ask;
mod judge;
mod local;
mod look;
mod seen;
mod values;

pub use seen::{Encoding, Line, ModuleFile, Project, Stand, Sums, Wants};

pub(super) use ask::ask;
pub(super) use judge::judge;
pub(super) use look::look;
pub(super) use values::{NAMES, judge as values};
