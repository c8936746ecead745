//! Where `init` says what it has found and done, for a person, a script or nobody.

use std::cell::RefCell;
use std::io::{self, Write};

use crate::cli::context::Output;
use crate::cli::render;

/// Who listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// Standard output is for people.
    Person,
    /// Standard output is a policy; what is said goes to standard error.
    Pipe,
    /// What is said is a part of the report.
    Report,
}

/// Says things, and keeps them for the report.
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

    /// Something that is as it should be.
    pub(super) fn good(&self, text: &str) -> io::Result<()> {
        self.remarks.borrow_mut().push(text.to_owned());
        self.say(&render::good(text))
    }

    /// Something that somebody should know.
    pub(super) fn remark(&self, text: &str) -> io::Result<()> {
        self.remarks.borrow_mut().push(text.to_owned());
        self.say(&render::remark(text))
    }

    /// Only for whoever listens right now.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        match self.listener {
            Listener::Person => self.out.text(text),
            Listener::Pipe => anstream::stderr().lock().write_all(text.as_bytes()),
            Listener::Report => Ok(()),
        }
    }

    /// All that was said.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.remarks.borrow().clone()
    }
}
