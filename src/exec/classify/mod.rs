//! What became of a run, told from what it said. Exit codes cannot tell: a dead network, a wrong
//! checksum and a compile error are all 1. Pure: text in, value out.
//!
//! ```text
//! stderr → lines that go itself wrote (`own`) → its statements → request, context, words → Class
//! ```
//!
//! Only go's own statements count (`form`); a test, a linter or a program that prints
//! "connection refused" is `code`.
mod blame;
mod finding;
mod form;
mod json;
mod line;
mod own;
mod said;
mod seen;
mod settings;
mod statement;
mod sums;
mod telling;
mod vcs;
mod words;

pub use blame::{Blame, Who, Why};
pub use json::JsonWords;
pub use said::{Exit, Said};
pub use seen::{Hashes, Seen};

use super::class::Class;
use finding::Finding;

/// Judges one run.
///
/// - Exit 0 is [`Class::Ok`], whatever was printed.
/// - Of several statements (downloads run side by side) the gravest counts; see [`rank`].
/// - A failure of the network goes before compile errors: the build may be whole with the
///   modules of the next step.
/// - A mismatch goes before everything, also before a run that goroam ended.
pub fn classify(said: &Said<'_>) -> Seen {
    if said.exit == Exit::Code(0) && said.killed.is_none() {
        return Seen::plain(Class::Ok, String::new());
    }
    let findings = statement::findings(said);
    let gravest = findings.into_iter().reduce(graver);
    match (gravest, said.killed) {
        (Some(finding), None) => sums::with_hashes(finding),
        (Some(finding), Some(_)) if finding.class == Class::Mismatch => sums::with_hashes(finding),
        (_, Some(why)) => Seen::plain(Class::Stalled, line::shown(why)),
        (None, None) => Seen::plain(Class::Code, telling::telling(said)),
    }
}

/// The graver of two; of equals the first.
fn graver(first: Finding, second: Finding) -> Finding {
    if rank(second.class) < rank(first.class) {
        second
    } else {
        first
    }
}

/// Which of several failures in one run decides what happens next, the gravest first: what
/// must stop; what a person has to mend; what is broken there; what may pass by itself. `busy`
/// is behind what is broken, since waiting helps only where nothing else is wrong.
fn rank(class: Class) -> usize {
    const ORDER: [Class; 18] = [
        Class::Mismatch,
        Class::Stalled,
        Class::Portal,
        Class::Tls,
        Class::Auth,
        Class::Dns,
        Class::Unreachable,
        Class::Refused,
        Class::Timeout,
        Class::Reset,
        Class::Corrupt,
        Class::Server,
        Class::Client,
        Class::Busy,
        Class::Config,
        Class::NotFound,
        Class::Code,
        Class::Ok,
    ];
    ORDER
        .iter()
        .position(|other| *other == class)
        .unwrap_or(ORDER.len())
}
