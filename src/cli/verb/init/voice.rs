//! Reports what `init` has found and done, to a person, a script or no one.

use std::cell::RefCell;
use std::io::{self, Write};

use crate::cli::context::Output;
use crate::cli::render;

/// The reader of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// Standard output is for a person.
    Person,
    /// Standard output is a policy; messages go to standard error.
    Pipe,
    /// Messages are part of the report.
    Report,
}

/// Prints messages, and keeps them for the report.
#[derive(Debug)]
pub(super) struct Voice {
    pub(super) out: Output,
    pub(super) listener: Listener,
    remarks: RefCell<Vec<String>>,
}

impl Voice {
    pub(super) fn new(out: Output, listener: Listener) -> Voice {
        Voice {
            out,
            listener,
            remarks: RefCell::default(),
        }
    }

    /// Prints a success.
    pub(super) fn good(&self, text: &str) -> io::Result<()> {
        self.remarks.borrow_mut().push(text.to_owned());
        self.say(&render::good(text))
    }

    /// Prints a remark.
    pub(super) fn remark(&self, text: &str) -> io::Result<()> {
        self.remarks.borrow_mut().push(text.to_owned());
        self.say(&render::remark(text))
    }

    /// Prints a message for the present reader only.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        match self.listener {
            Listener::Person => self.out.text(text),
            Listener::Pipe => anstream::stderr().lock().write_all(text.as_bytes()),
            Listener::Report => Ok(()),
        }
    }

    /// Returns all messages.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.borrow().clone()
    }
}
