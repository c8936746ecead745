//! The ways in which a verb can fail.

use std::fmt::Display;
use std::io;

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE};

/// The ways in which a verb can fail.
#[derive(Debug)]
pub(super) enum Failure {
    /// goroam could not do it.
    Goroam(Error),
    /// The result could not be written.
    Output(io::Error),
    /// A failure of the command line itself: a message and an exit code.
    Said {
        /// What is wrong, and what to do about it.
        message: String,
        /// The exit code.
        exit: u8,
    },
}

impl Failure {
    /// Creates a failure of the command line itself.
    pub(super) fn said(message: impl Into<String>, exit: u8) -> Failure {
        Failure::Said {
            message: message.into(),
            exit,
        }
    }

    /// Creates a failure with exit code 1.
    pub(super) fn failed(message: impl Display) -> Failure {
        Failure::said(message.to_string(), EXIT_FAILED)
    }

    /// Creates a failure with exit code 2: wrong usage, or an invalid policy.
    pub(super) fn usage(message: impl Display) -> Failure {
        Failure::said(message.to_string(), EXIT_USAGE)
    }

    /// Returns the exit code. A reader that closes the pipe early (`| head`) is not a failure.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Failure::Goroam(error) => error.exit_code(),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_DONE,
            Failure::Output(_) => EXIT_FAILED,
            Failure::Said { exit, .. } => *exit,
        }
    }

    /// Returns the message to print; `None`: print nothing.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Failure::Goroam(error) => Some(chain(error)),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Failure::Output(error) => Some(format!("cannot write the answer: {error}")),
            Failure::Said { message, .. } => Some(message.clone()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Goroam(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// Formats the error with its causes. Many messages contain their cause; it is not repeated.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Failure;
    use crate::agent::Error;

    #[test]
    fn a_cause_is_told_once() {
        let error = Error::State {
            what: "state.json".to_owned(),
            source: Box::new(io::Error::other("disk full")),
        };
        let message = Failure::from(error).message();
        assert_eq!(message.as_deref(), Some("state.json: disk full"));
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit_code(), failure.message()), (0, None));
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(failure.exit_code(), 1);
    }
}
