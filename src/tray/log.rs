//! The log that the menu opens: the journal as a diary, in a file that any editor shows.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::words::clean;
use crate::paths::Paths;
use crate::state::entry::{Entry, Outcome};
use crate::state::{Journal, file};

/// Turns of some days; more is for `goroam history`.
const MOST_TURNS: usize = 500;
const LINE_CHARACTERS: usize = 400;

/// Writes the last turns to a file beside the socket, private to the user, and says where.
///
/// # Errors
/// In words, when the journal cannot be read or the file cannot be written.
pub(super) fn write(paths: &Paths) -> Result<PathBuf, String> {
    let (entries, unreadable) =
        Journal::last(&paths.journal(), MOST_TURNS).map_err(|error| error.to_string())?;
    let text = text(&entries, unreadable, &TimeZone::system());
    let path = paths.runtime.join("log.txt");
    file::private_folder(&paths.runtime)
        .and_then(|()| file::replace(&path, text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Newest first: that is what an editor shows without scrolling.
fn text(entries: &[Entry], unreadable: usize, zone: &TimeZone) -> String {
    let mut out = String::from(
        "The last turns of goroam, newest first.\n\
         All of them: goroam history. What the agent says of itself: goroam service logs.\n\n",
    );
    if entries.is_empty() {
        out.push_str("no turn was taken yet\n");
    }
    for entry in entries.iter().rev() {
        let at = entry
            .at
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{at}  {}", line(entry));
    }
    if unreadable > 0 {
        let _ = writeln!(
            out,
            "\n{unreadable} lines could not be read: goroam history --verify"
        );
    }
    out
}

/// "home → office: default route moved to wlan0"
fn line(entry: &Entry) -> String {
    let to = entry
        .decision
        .as_ref()
        .map(|decision| decision.profile.as_str());
    let from = entry.from.as_deref();
    let profiles = match (&entry.outcome, from, to) {
        (Outcome::Restored { .. }, _, _) => "everything put back".to_owned(),
        (_, Some(from), Some(to)) if from == to => format!("{to} stays"),
        (_, Some(from), Some(to)) => format!("{from} → {to}"),
        (_, None, Some(to)) => format!("→ {to}"),
        (_, _, None) => "undecided".to_owned(),
    };
    let failed = match &entry.outcome {
        Outcome::Failed { error } => format!(", not written ({error})"),
        Outcome::Written { .. }
        | Outcome::Unchanged
        | Outcome::DryRun
        | Outcome::Restored { .. } => String::new(),
    };
    let major = entry.changes.iter().filter(|change| change.major);
    let mut reasons: Vec<&str> = major.map(|change| change.what.as_str()).take(3).collect();
    if reasons.is_empty() {
        reasons.push(&entry.cause);
    }
    clean(
        &format!("{profiles}{failed}: {}", reasons.join("; ")),
        LINE_CHARACTERS,
    )
}
