//! One thing to do; data, so that it can be shown and tested before it is done.

use std::ffi::OsString;
use std::path::PathBuf;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write a file in one step (a new one takes its name), with its folders; done already if
    /// it says that.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Remove a file; done already if there is none.
    Remove {
        /// Which.
        path: PathBuf,
    },
    /// Remove a folder if nothing is in it.
    RemoveEmpty {
        /// Which.
        path: PathBuf,
    },
    /// Run a command to its end.
    Run {
        /// The program, looked for in PATH when it is no path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
        /// Go on though it fails: stopping what does not run.
        may_fail: bool,
    },
    /// Run a command again and again, for some seconds, until it succeeds: what was told to end
    /// before it has not let go yet.
    Insist {
        /// The program, looked for in PATH when it is no path.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Start a program that stays, and do not wait for it. It hears nothing of this terminal.
    Spawn {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// Ask the running agent to end, and wait until it has; done already if none runs.
    EndAgent,
    /// Set a value under `HKEY_CURRENT_USER` (Windows).
    SetValue {
        /// The key's path.
        key: String,
        /// The value's name.
        name: String,
        /// Its text.
        text: String,
    },
    /// Remove a value under `HKEY_CURRENT_USER` (Windows); done already if there is none.
    RemoveValue {
        /// The key's path.
        key: String,
        /// The value's name.
        name: String,
    },
    /// Say something that the user is to know at this point; nothing is done.
    Tell {
        /// One line, as it is to be read.
        text: String,
    },
}

/// A step that was carried out, as a person reads it: "wrote ~/.config/systemd/user/…".
pub type Done = String;

impl Step {
    /// A command that must succeed.
    pub fn run(program: &str, args: &[&str]) -> Step {
        Step::Run {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            may_fail: false,
        }
    }

    /// A command that may fail.
    pub fn try_run(program: &str, args: &[&str]) -> Step {
        Step::Run {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            may_fail: true,
        }
    }
}
