//! The input and output of every verb.

use std::io::{self, BufRead as _, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::render::{Page, Progress};
use crate::agent::{self, Error};
use crate::environment::Environment;
use crate::meter::Meter;
use crate::paths::Paths;
use crate::policy::Policy;

/// Asks a yes/no question on standard error; Enter means no. `None`: input or output is not a
/// terminal, so nothing was asked.
///
/// # Errors
/// When the terminal cannot be read or written.
pub(super) fn confirms(question: &str) -> io::Result<Option<bool>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    let mut err = io::stderr().lock();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    let answer = answer.trim();
    Ok(Some(matches!(answer, "y" | "Y" | "yes" | "Yes")))
}

/// The input and output of every verb.
#[derive(Debug)]
pub(super) struct Context {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The page for the layout of text.
    pub page: Page,
    /// Standard output, for the result.
    pub out: Output,
}

impl Context {
    /// The process's own.
    pub(super) fn new(config: Option<PathBuf>) -> Context {
        let env = Environment::of_process();
        Context {
            config,
            page: Page::new(env.get("COLUMNS")),
            env,
            out: Output,
        }
    }

    /// Returns the locations of goroam's files.
    pub(super) fn paths(&self) -> Result<Paths, Error> {
        Ok(Paths::find(self.config.clone(), &self.env)?)
    }

    /// Returns the mirror's directory by `--mirror`, `$GOROAM_MIRROR`, the policy and the user's
    /// data directory. Use this if the verb has read the policy and must end without a usable one:
    /// a verb that writes to a mirror must not write to one other than the policy's.
    ///
    /// # Errors
    /// When the user has no home directory.
    pub(super) fn mirror_of(
        &self,
        flag: Option<PathBuf>,
        policy: &Policy,
    ) -> Result<PathBuf, Error> {
        let paths = self.paths()?;
        Ok(paths.mirror_at(flag, policy.mirror.path.clone(), &self.env))
    }

    /// Prints a report, as JSON or as text.
    pub(super) fn show<T: Serialize + ?Sized>(
        &self,
        as_json: bool,
        report: &T,
        text: impl FnOnce(&T, &Page) -> String,
    ) -> io::Result<()> {
        if as_json {
            self.out.json(report)
        } else {
            self.out.text(&text(report, &self.page))
        }
    }

    /// Shows the progress of long work until it is dropped, and returns the meter to count with.
    pub(super) fn progress(&self, verb: &'static str) -> (Progress, Arc<Meter>) {
        let meter = Arc::new(Meter::default());
        let progress = Progress::show(verb, &meter, self.page.columns, &self.env);
        (progress, meter)
    }

    /// Returns the same directory for verbs that only read the mirror and also work without it. If
    /// the policy has errors, it does not name the mirror here; `goroam check` reports the errors.
    /// `None` when nothing names a mirror and the user has no home directory.
    pub(super) fn mirror(&self, flag: Option<PathBuf>) -> Option<PathBuf> {
        let Ok(paths) = self.paths() else {
            let named = flag.or_else(|| self.env.path("GOROAM_MIRROR"))?;
            return Some(std::path::absolute(&named).unwrap_or(named));
        };
        let policy = agent::load_policy(&paths, &self.env).ok();
        let named = policy.and_then(|loaded| loaded.policy.mirror.path);
        Some(paths.mirror_at(flag, named, &self.env))
    }
}

/// Standard output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output;

impl Output {
    /// Prints text as it is. Colours are removed if they are not wanted.
    pub(super) fn text(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints bytes that are not text for a person: a file's content.
    pub(super) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a value as indented JSON.
    pub(super) fn json(self, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json_line(self, value: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(value)?;
        text.push(b'\n');
        self.raw(&text)
    }

    /// Reports whether standard output is a terminal.
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Reports whether a screen can be drawn. A dumb terminal (an editor's shell) accepts only one
    /// line after another.
    pub(super) fn is_screen(self, env: &Environment) -> bool {
        let dumb = match env.get("TERM") {
            Some(term) => term == "dumb",
            None => cfg!(unix),
        };
        self.is_terminal() && !dumb
    }
}
