//! A variable as far as the commands tell, and a function.

use std::path::PathBuf;
use std::rc::Rc;

use super::tree::Command;

/// What a word comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Known(String),
    /// A command's output, or a variable that is set elsewhere.
    Unknown,
}

/// What set a variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) value: Value,
    pub(super) file: Rc<PathBuf>,
    pub(super) line: usize,
}

/// A variable as far as the commands tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Variable {
    pub(super) exported: bool,
    pub(super) now: Option<Seen>,
    /// `now` holds for certain, if it is there.
    pub(super) certain: bool,
    /// It may be one of these as well.
    pub(super) may: Vec<Seen>,
}

/// A function, kept for its call.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) body: Rc<Command>,
    /// Where it is defined.
    pub(super) file: Rc<PathBuf>,
    pub(super) certain: bool,
}
