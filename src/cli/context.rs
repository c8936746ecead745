//! What every verb is given, standard output among it.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::render::Page;
use crate::agent::{self, Error};
use crate::environment::Environment;
use crate::paths::Paths;
use crate::policy::Policy;

/// What every verb is given.
#[derive(Debug)]
pub(super) struct Context {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The page that text is laid out for.
    pub page: Page,
    /// Where the answer goes.
    pub out: Output,
}

impl Context {
    /// Where goroam keeps what.
    pub(super) fn paths(&self) -> Result<Paths, Error> {
        Ok(Paths::find(self.config.clone(), &self.env)?)
    }

    /// The mirror's folder by `--mirror`, `$GOROAM_MIRROR`, the policy and the user's data folder,
    /// for whoever has read the policy and is to end if it cannot be used: who writes to a mirror
    /// must not write to another one than the policy's.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub(super) fn mirror_of(
        &self,
        flag: Option<PathBuf>,
        policy: &Policy,
    ) -> Result<PathBuf, Error> {
        let paths = self.paths()?;
        Ok(paths.mirror_at(flag, policy.mirror.path.clone(), &self.env))
    }

    /// Prints a report, as JSON or as the text that it makes.
    pub(super) fn show<T: Serialize>(
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

    /// The same for whoever only reads it and does his work without, too: a policy with errors is
    /// for `goroam check` to tell, and here it only does not name the mirror. `None` when nobody
    /// names one and the user has no home folder.
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
    /// Prints text as it is; colours are taken out where they are not wanted.
    pub(super) fn text(self, text: &str) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints bytes that are no text for a person: a file's content.
    pub(super) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Prints a value as indented JSON.
    pub(super) fn json(self, value: &impl Serialize) -> io::Result<()> {
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

    /// Is somebody looking at it?
    pub(super) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Can it be drawn on? A dumb terminal (an editor's shell) only takes one line after another.
    pub(super) fn is_screen(self, env: &Environment) -> bool {
        let dumb = match env.get("TERM") {
            Some(term) => term == "dumb",
            None => cfg!(unix),
        };
        self.is_terminal() && !dumb
    }
}
