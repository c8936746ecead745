//! The files that the menu opens in the user's editor: the status, the log and the policy.

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::face::{headline, notes};
use super::words::clean;
use crate::environment::Environment;
use crate::gocmd::{EnvFile, LocateError};
use crate::model::ago;
use crate::model::status::{Status, TargetStatus};
use crate::paths::Paths;
use crate::policy::templates::Template;
use crate::state::{Entry, Journal, file};

/// Longest fact on one line.
const FACT_CHARACTERS: usize = 200;

/// Writes the status, shorter than `goroam status`; `None`: no agent answers.
///
/// # Errors
/// A message, when the file cannot be written.
pub(super) fn status(paths: &Paths, status: Option<&Status>) -> Result<PathBuf, String> {
    let text = match status {
        Some(status) => status_text(status, &jiff::Zoned::now()),
        None => "No agent is running. go env stays as it was set last.\n\
                 Start it with: goroam service start\n"
            .to_owned(),
    };
    write(paths, "status.txt", &format!("goroam status\n\n{text}"))
}

fn status_text(status: &Status, now: &jiff::Zoned) -> String {
    let mut lines = vec![headline(status, now)];
    lines.extend(
        status
            .since
            .map(|since| format!("for {}", ago(since, now.timestamp()))),
    );
    lines.extend(status.why.as_deref().map(clean_fact));
    lines.push(String::new());
    lines.push(format!("network: {}", network(status)));
    let variables = status.applied.iter();
    lines.extend(variables.map(|(name, value)| clean_fact(&format!("{name} = {value}"))));
    lines.push(String::new());
    lines.extend(status.targets.iter().map(target));
    let notes = notes(status);
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes.iter().map(|note| format!("! {}", clean_fact(note))));
    }
    lines.push(String::new());
    lines.push(format!("policy: {}", clean_fact(&status.policy)));
    lines.join("\n") + "\n"
}

fn network(status: &Status) -> String {
    let routes = status.network.default_routes.iter();
    let routes: Vec<String> = routes
        .map(|route| match &route.gateway {
            Some(gateway) => format!("{} via {gateway}", route.link),
            None => route.link.clone(),
        })
        .collect();
    if routes.is_empty() {
        "no default route".to_owned()
    } else {
        clean_fact(&routes.join(", "))
    }
}

fn target(target: &TargetStatus) -> String {
    let verdict = match target.verdict {
        Some(verdict) => format!("{verdict}: "),
        None => String::new(),
    };
    clean_fact(&format!("{} · {verdict}{}", target.name, target.reason))
}

fn clean_fact(text: &str) -> String {
    clean(text, FACT_CHARACTERS)
}

/// Most turns: some days. `goroam history` shows more.
const MOST_TURNS: usize = 500;
const LINE_CHARACTERS: usize = 400;

/// Writes the last turns as a diary.
///
/// # Errors
/// A message, when the journal cannot be read or the file cannot be written.
pub(super) fn log(paths: &Paths) -> Result<PathBuf, String> {
    let (entries, unreadable) =
        Journal::last(&paths.journal(), MOST_TURNS).map_err(|error| error.to_string())?;
    let text = diary(&entries, unreadable, &TimeZone::system());
    write(paths, "log.txt", &text)
}

/// Writes a file in the socket's directory, which is private to the user.
fn write(paths: &Paths, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = paths.runtime.join(name);
    file::private_folder(&paths.runtime)
        .and_then(|()| file::replace(&path, text.as_bytes()))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Formats the diary, newest first: an editor shows the start of a file.
fn diary(entries: &[Entry], unreadable: usize, zone: &TimeZone) -> String {
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
        let _ = writeln!(out, "{at}  {}", clean(&entry.summary(), LINE_CHARACTERS));
    }
    if unreadable > 0 {
        let _ = writeln!(
            out,
            "\n{unreadable} lines could not be read: goroam history --verify"
        );
    }
    out
}

/// Returns the file that the agent follows, or else this user's. A missing file is written from the
/// default template, as `goroam init` does; an existing one is not changed.
///
/// # Errors
/// A message, when the file cannot be written.
pub(super) fn policy(
    paths: &Paths,
    env: &Environment,
    followed: Option<PathBuf>,
) -> Result<PathBuf, String> {
    // "built in", deleted files and the layers below the user's do not count.
    let is_own = |path: &PathBuf| *path != paths.machine_policy && !path.starts_with(&paths.state);
    let followed = followed.filter(|path| path.is_absolute() && path.is_file() && is_own(path));
    let path = followed.unwrap_or_else(|| paths.policy.clone());
    if path.exists() {
        return Ok(path);
    }
    if !paths.policy_named
        && let Err(error @ LocateError::ForeignHome { .. }) = EnvFile::locate(env)
    {
        return Err(error.to_string());
    }
    match file::write_new(&path, Template::Default.text().as_bytes()) {
        // Another program may have created the file first.
        Ok(true | false) => Ok(path),
        Err(error) => Err(format!("cannot write {}: {error}", path.display())),
    }
}
