//! What became of it all: for the exit code, for a person and for a script.

use serde::Serialize;

use super::class::Class;
use super::classify::{Exit, Seen};
use super::stall::Stuck;
use crate::model::Tier;

/// One run of the command on one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The step.
    pub tier: Tier,
    /// What became of it.
    pub class: Class,
    /// Its exit code; 128 and the signal's number if it ended by one.
    pub exit: i32,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The line that says what was wrong; empty if nothing was.
    pub line: String,
    /// What else is known of it.
    #[serde(skip)]
    pub details: Details,
}

/// What a person is told of an attempt beside the line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// What go's words say.
    pub seen: Option<Seen>,
    /// goroam has ended it.
    pub stuck: Option<Stuck>,
    /// What shows that a login page is there.
    pub portal: Option<String>,
}

/// The end. Serialised it is the last line of `--summary json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The step that was the last.
    pub tier: Tier,
    /// The exit code of `goroam exec`.
    pub exit: i32,
    /// All of them, in order.
    pub attempts: Vec<Attempt>,
    /// Steps that could not be taken, and why.
    #[serde(skip)]
    pub left_out: Vec<(Tier, String)>,
    /// goroam is to end by this signal, as the command did.
    #[serde(skip)]
    pub signal: Option<i32>,
}

impl Summary {
    /// What became of the last attempt.
    pub fn class(&self) -> Class {
        self.attempts
            .last()
            .map_or(Class::Config, |last| last.class)
    }

    /// No step could be taken, or the last one failed for another reason than the code: somebody
    /// has to mend something.
    pub fn is_for_a_person(&self) -> bool {
        self.signal.is_none() && !matches!(self.class(), Class::Ok | Class::Code)
    }
}

/// As a shell tells it: 128 and the signal's number.
pub(super) fn code(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_one_line_with_these_names() {
        let attempt = Attempt {
            tier: Tier::Proxy,
            class: Class::NotFound,
            exit: 1,
            ms: 12,
            line: "go: \"x\"\nlost".to_owned(),
            details: Details::default(),
        };
        let summary = Summary {
            tier: Tier::Mirror,
            exit: 0,
            attempts: vec![attempt],
            left_out: vec![(Tier::Vendor, "none".to_owned())],
            signal: Some(2),
        };
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"tier":"mirror","exit":0,"attempts":[{"tier":"proxy","class":"not-found","exit":1,"ms":12,"line":"go: \"x\"\nlost"}]}"#
        );
    }
}
