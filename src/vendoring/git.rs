//! Runs git: with limits for time and output, without pager, prompt or shell, and without the
//! variables with which the git that runs a hook would point it to another repository.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::{Error, Result};
use crate::environment::{Environment, is_same_name};
use crate::model::mask;

/// Time limit. Reading a large repository from a slow disk takes a while; a git that hangs takes
/// longer.
const LIMIT: Duration = Duration::from_secs(120);
/// Time limit if git runs hooks or asks for keys.
const LONG: Duration = Duration::from_secs(900);
/// Maximum size of the output in bytes: a listing of a million files.
const MOST_OUT: u64 = 256 << 20;
/// Maximum size of the error output in bytes.
const MOST_ERR: u64 = 64 << 10;

/// Variables that select the repository, index or objects: git sets them for its hooks (`git
/// rev-parse --local-env-vars`), and they are valid only for these hooks. Configuration
/// (`GIT_CONFIG_*`) stays.
const LOCAL: &str = "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_OBJECT_DIRECTORY GIT_DIR GIT_WORK_TREE \
    GIT_IMPLICIT_WORK_TREE GIT_GRAFT_FILE GIT_INDEX_FILE GIT_NO_REPLACE_OBJECTS \
    GIT_REPLACE_REF_BASE GIT_PREFIX GIT_SHALLOW_FILE GIT_COMMON_DIR GIT_INTERNAL_SUPER_PREFIX \
    GIT_NAMESPACE GIT_QUARANTINE_PATH GIT_ATTR_SOURCE GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS \
    GIT_ICASE_PATHSPECS GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_TRACE GIT_TRACE2 GIT_TRACE2_EVENT \
    GIT_TRACE2_PERF GIT_TRACE_SETUP GIT_REFLOG_ACTION";

/// Set for every git that goroam runs.
const ALWAYS: [(&str, &str); 4] = [
    ("LC_ALL", "C"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", ":"),
];

/// Set only for a git that runs no hooks. Without `NO_LAZY_FETCH`, which git knows since 2.45, git
/// would silently fetch what a partial clone lacks. There is no protocol named `none`, so git
/// contacts no remote, and runs no program that a repository names for contacting one.
const NO_HOOKS: [(&str, &str); 4] = [
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
];

/// A repository from another person may name programs here that git would run when it reads or
/// writes an index. [`Git::for_hooks`] runs what the user's own commit needs.
const QUIET: [&str; 2] = ["core.fsmonitor=false", "core.hooksPath=/dev/null"];

/// Settings for a temporary index: git reads every file and skips nothing.
const PLAIN: [&str; 5] = [
    "core.sparseCheckout=false",
    "core.untrackedCache=false",
    "core.safecrlf=false",
    "advice.addEmbeddedRepo=false",
    "gc.auto=0",
];

/// git in one directory. A command consists of words separated by spaces, and further arguments
/// that may contain anything.
#[derive(Debug, Clone)]
pub(super) struct Git {
    pub(super) folder: PathBuf,
    env: Vec<(String, OsString)>,
    /// `KEY=VALUE`, for `-c`.
    pub(super) settings: Vec<String>,
    /// The names of the filters that are not run as the repository configures them.
    filters: BTreeSet<String>,
    limit: Duration,
}

impl Git {
    /// Creates a git for this directory and environment.
    pub(super) fn new(folder: &Path, env: &Environment) -> Git {
        let own = || ALWAYS.iter().chain(&NO_HOOKS);
        let is_ours = |name: &str| {
            let mut names = LOCAL.split(' ').chain(own().map(|(name, _)| *name));
            names.any(|other| is_same_name(name, other))
        };
        let users = env.all().filter(|(name, _)| !is_ours(name));
        let users = users.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = own().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
        Git {
            folder: folder.to_owned(),
            env: users.chain(own).collect(),
            settings: QUIET.map(str::to_owned).to_vec(),
            filters: BTreeSet::new(),
            limit: LIMIT,
        }
    }

    /// Returns the same git with another index than the user's.
    pub(super) fn with_index(&self, index: &Path) -> Git {
        let mut git = self.clone();
        git.env.push(("GIT_INDEX_FILE".to_owned(), index.into()));
        git.settings.extend(PLAIN.map(str::to_owned));
        git
    }

    /// Returns the same git without the filters that the repository's own configuration names. If
    /// the user's configuration has a filter of that name, the user's values apply.
    ///
    /// # Errors
    /// When that configuration cannot be read.
    pub(super) fn guarded(mut self) -> Result<Git> {
        let list = "config --list --includes --show-scope -z";
        let (known, list) = self.asks(list, &[], b"")?;
        if !known {
            let why = "git cannot read the repository's own configuration (.git/config)";
            return Err(Error::System(why.to_owned()));
        }
        for (key, value) in overrides(&list) {
            let filter = filter(&key).unwrap_or_default().0;
            // `-c` would take everything after the `=` for the value.
            if filter.contains('=') {
                return Err(Error::Refused(refusal(".git/config", filter)));
            }
            self.filters.insert(filter.to_owned());
            self.settings.push(format!("{key}={value}"));
        }
        Ok(self)
    }

    /// Returns why the files that this git command lists cannot be processed: one of them has a
    /// filter that is not run. The filter is set in the `.gitattributes` of the work tree or of
    /// git's index.
    ///
    /// # Errors
    /// When git fails.
    pub(super) fn forbids(&self, words: &str, more: &[String]) -> Result<Option<String>> {
        if self.filters.is_empty() {
            return Ok(None);
        }
        let files = self.run(words, more)?;
        for words in [
            "check-attr -z --stdin filter",
            "check-attr -z --stdin --cached filter",
        ] {
            let out = pieces(&self.feed(words, &[], &files)?);
            let (lines, _) = out.as_chunks::<3>();
            if let Some([path, _, filter]) = lines.iter().find(|[.., f]| self.filters.contains(f)) {
                return Ok(Some(refusal(path, filter)));
            }
        }
        Ok(None)
    }

    /// Returns the same git with all filters: for content that the user asks git to store.
    pub(super) fn unguarded(mut self) -> Git {
        self.settings.truncate(QUIET.len());
        self.filters.clear();
        self
    }

    /// Returns the same git with more time, for hooks, filters and keys.
    pub(super) fn patient(&self) -> Git {
        Git {
            limit: LONG,
            ..self.clone()
        }
    }

    /// Returns the same git with the environment that hooks expect: without goroam's own settings
    /// for paths.
    pub(super) fn for_hooks(&self) -> Git {
        let mut git = self.patient();
        git.settings.clear();
        let is_own = |name: &str| NO_HOOKS.iter().any(|(own, _)| *own == name);
        git.env.retain(|(name, _)| !is_own(name));
        git
    }

    /// Returns the output, if git succeeds.
    ///
    /// # Errors
    /// git's own message otherwise.
    pub(super) fn run(&self, words: &str, more: &[String]) -> Result<Vec<u8>> {
        self.feed(words, more, b"")
    }

    /// Returns the first line of the output.
    ///
    /// # Errors
    /// git's own message when it fails.
    pub(super) fn line(&self, words: &str, input: &[u8]) -> Result<String> {
        let out = self.feed(words, &[], input)?;
        let text = String::from_utf8_lossy(&out);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Runs git with this standard input and returns the output.
    ///
    /// # Errors
    /// git's own message when it fails.
    pub(super) fn feed(&self, words: &str, more: &[String], input: &[u8]) -> Result<Vec<u8>> {
        self.feed_to(words, more, input, Stdio::piped())
    }

    /// Returns whether git exited with 0, and its output in any case.
    ///
    /// # Errors
    /// When it could not be run to the end.
    pub(super) fn asks(
        &self,
        words: &str,
        more: &[String],
        input: &[u8],
    ) -> Result<(bool, Vec<u8>)> {
        let (success, out, _) = self.call(words, more, input, Stdio::piped())?;
        Ok((success, out))
    }

    /// The same as [`Git::feed`], with another standard output.
    ///
    /// # Errors
    /// git's own message when it fails.
    pub(super) fn feed_to(
        &self,
        words: &str,
        more: &[String],
        input: &[u8],
        stdout: Stdio,
    ) -> Result<Vec<u8>> {
        let (success, out, err) = self.call(words, more, input, stdout)?;
        if success {
            return Ok(out);
        }
        let said = String::from_utf8_lossy(&err);
        if said.contains("Please tell me who you are") {
            return Err(Error::System(
                "git does not know who you are: `git config user.name NAME` and `git config user.email ADDRESS`, then try again".to_owned(),
            ));
        }
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        let lines: Vec<&str> = lines.collect();
        // git's advice is about other commands than the user's.
        let verdict = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let mut verdicts: Vec<&str> = lines.iter().copied().filter(verdict).collect();
        if verdicts.is_empty() {
            verdicts = lines;
        }
        // The cause comes last, after warnings and the output of hooks.
        let last = verdicts.len().saturating_sub(6);
        let said = match verdicts.get(last..).unwrap_or_default() {
            [] => "failed without a message".to_owned(),
            last => last.join("; "),
        };
        Err(failed(words, &said))
    }

    /// Runs git; returns whether it exited with 0, its output and its error output.
    fn call(
        &self,
        words: &str,
        more: &[String],
        input: &[u8],
        stdout: Stdio,
    ) -> Result<(bool, Vec<u8>, Vec<u8>)> {
        let mut command = Command::new("git");
        command
            .arg("--no-pager")
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .args(words.split(' '))
            .args(more)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Error::System(if error.kind() == io::ErrorKind::NotFound {
                "there is no git in PATH; install it: snapshots are kept in git".to_owned()
            } else {
                format!("git cannot be started: {error}")
            })
        })?;
        let end = Instant::now() + self.limit;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            // If git stops reading early, its exit code gives the reason.
            scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
            let out = scope.spawn(move || out.map_or(Ok(Vec::new()), |out| take(out, MOST_OUT)));
            let err = scope.spawn(move || err.map_or(Ok(Vec::new()), |err| take(err, MOST_ERR)));
            let success = wait(&mut child, end);
            let read = |thread: std::thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
                let read = thread.join().unwrap_or_else(|_| Ok(Vec::new()));
                read.map_err(|error| Error::System(format!("cannot read git's output: {error}")))
            };
            let (out, err) = (read(out)?, read(err)?);
            let success = success.map_err(|error| failed(words, &error.to_string()))?;
            Ok((success, out, err))
        })
    }
}

fn failed(words: &str, why: &str) -> Error {
    let verb = words.split(' ').next().unwrap_or_default();
    Error::System(mask(&format!("git {verb}: {why}")))
}

/// Polls with small, growing steps: most children exit before their output has been read.
fn wait(child: &mut Child, end: Instant) -> io::Result<bool> {
    let mut step = Duration::from_micros(300);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("timed out and was killed"));
        }
        std::thread::sleep(step);
        step = (step * 2).min(Duration::from_millis(10));
    }
}

fn take(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut from = from.take(most + 1);
    from.read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        // Reads and drops the rest, so that git can exit.
        io::copy(from.get_mut(), &mut io::sink())?;
        return Err(io::Error::other("output is too long"));
    }
    Ok(bytes)
}

/// Splits a `-z` listing into pieces, to show or compare them.
pub(super) fn pieces(out: &[u8]) -> Vec<String> {
    let pieces = out.split(|&b| b == 0).filter(|piece| !piece.is_empty());
    let text = |piece| String::from_utf8_lossy(piece).into_owned();
    pieces.map(text).collect()
}

/// Returns the settings that replace the repository's filters by the user's own or by none. Reads
/// `git config --list --show-scope -z`: `SCOPE NUL KEY LF VALUE NUL`; a key alone means true.
fn overrides(list: &[u8]) -> BTreeMap<String, String> {
    let (mut repository, mut users) = (BTreeMap::new(), BTreeMap::new());
    for [scope, entry] in pieces(list).as_chunks::<2>().0 {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
        let theirs = ["local", "worktree"].contains(&scope.as_str());
        let entries = if theirs { &mut repository } else { &mut users };
        if filter(key).is_some() {
            entries.insert(key.to_owned(), value.to_owned());
        }
    }
    let given_way = repository.into_iter().filter_map(|(key, value)| {
        let is_required = key.ends_with(".required");
        let neutral = if is_required { "false" } else { "" };
        let own = users.get(&key).map_or(neutral, String::as_str).to_owned();
        (own != value).then_some((key, own))
    });
    given_way.collect()
}

/// Returns the error for a file that uses such a filter, with advice.
fn refusal(path: &str, filter: &str) -> String {
    let cure = match filter {
        "lfs" => "`git lfs install`".to_owned(),
        _ => format!("`git config --global filter.{filter}.clean …` (and `.smudge`)"),
    };
    format!(
        "{path} uses the filter {filter:?} from the repository's own configuration, and goroam does not run programs that a repository names; if you trust it, set it in your own configuration: {cure}"
    )
}

/// Returns the name and the last part of a key `filter.NAME.PART`; NAME may have dots.
fn filter(key: &str) -> Option<(&str, &str)> {
    let (name, part) = key.strip_prefix("filter.")?.rsplit_once('.')?;
    let runs = ["clean", "smudge", "process", "required"];
    runs.contains(&part).then_some((name, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_filters_give_way_to_the_user_s_own_or_to_none() {
        let users = b"global\0filter.lfs.clean\nlfs clean\0system\0filter.lfs.smudge\nlfs smudge\0";
        let local = b"local\0core.bare\nfalse\0local\0filter.a.b.clean\nevil\0\
            worktree\0filter.a.b.required\0local\0filter.lfs.clean\nevil\0\
            local\0filter.lfs.smudge\nlfs smudge\0local\0filter.x.other\ny\0";
        let settings = overrides(&[&users[..], local].concat());
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            settings,
            [
                ("filter.a.b.clean", ""),
                ("filter.a.b.required", "false"),
                ("filter.lfs.clean", "lfs clean"),
            ]
        );
        assert!(overrides(users).is_empty());
    }
}
