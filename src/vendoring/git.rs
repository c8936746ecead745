//! Runs git: bounded in time and output, without pager, prompt or shell, and without the variables
//! by which a hook's git would point it to another repository.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::error::Error;
use crate::environment::{Environment, is_same_name};
use crate::model::mask;

/// Reading a large repository from a slow disk takes a while; a hang is longer.
const LIMIT: Duration = Duration::from_secs(120);
/// Hooks run and keys are asked for.
const LONG: Duration = Duration::from_secs(900);
/// Bytes of output that are kept: a listing of a million files.
const MOST_OUT: u64 = 256 << 20;
/// Bytes of its complaints that are kept.
const MOST_ERR: u64 = 64 << 10;

/// What says which repository, index or objects: set by git for its hooks (`git rev-parse
/// --local-env-vars`), and true for them alone. Configuration (`GIT_CONFIG_*`) stays.
const LOCAL: [&str; 27] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
    "GIT_ATTR_SOURCE",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_TRACE_SETUP",
    "GIT_REFLOG_ACTION",
];

/// A stranger's repository may name programs here that git would run for reading or writing an
/// index. What the user's own commit is to run is for [`Git::for_hooks`].
const QUIET: [&str; 4] = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
];

/// git in one folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    folder: PathBuf,
    /// Do the repository's hooks run?
    hooks: bool,
    /// What keeps the repository's own filters from running.
    guard: Guard,
    env: Vec<(String, OsString)>,
    limit: Duration,
}

impl Git {
    /// In this folder, in this environment.
    pub(super) fn new(folder: &Path, env: &Environment) -> Git {
        let is_local = |name: &str| LOCAL.iter().any(|local| is_same_name(name, local));
        let mut vars: Vec<(String, OsString)> = env
            .all()
            .filter(|(name, _)| !is_local(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_PAGER", "cat"),
            ("GIT_EDITOR", ":"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            // What a partial clone left behind would be fetched without a word; git knows the first
            // since 2.45. No protocol has the other's name, so that no remote is ever asked, and no
            // program that a repository names for asking one is run.
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_ALLOW_PROTOCOL", "none"),
        ] {
            vars.retain(|(other, _)| !is_same_name(other, name));
            vars.push((name.to_owned(), value.into()));
        }
        Git {
            folder: folder.to_owned(),
            hooks: false,
            guard: Guard::default(),
            env: vars,
            limit: LIMIT,
        }
    }

    /// The same in another folder.
    pub(super) fn within(&self, folder: &Path) -> Git {
        Git {
            folder: folder.to_owned(),
            ..self.clone()
        }
    }

    /// The same with another index than the user's.
    pub(super) fn with_index(&self, index: &Path) -> Git {
        let mut git = self.clone();
        let index = index.to_string_lossy().into_owned();
        git.env.push(("GIT_INDEX_FILE".to_owned(), index.into()));
        git
    }

    /// The same without the filters that the repository's own configuration names.
    ///
    /// # Errors
    /// When that configuration cannot be read.
    pub(super) fn guarded(&self) -> Result<Git, Error> {
        let list = |scope: &str| {
            let args = ["config", scope, "--includes", "--list", "-z"];
            self.asks(&args, Vec::new())
        };
        let (known, local) = list("--local")?;
        if !known {
            let why = "git cannot read the repository's own configuration (.git/config)";
            return Err(Error::Git(why.to_owned()));
        }
        // These fail where there is no such file.
        let worktree = list("--worktree")?.1;
        let users = [list("--system")?.1, list("--global")?.1].concat();
        Ok(Git {
            guard: Guard::of(&[local, worktree].concat(), &users),
            ..self.clone()
        })
    }

    /// Why nothing can be done with these files (paths from the top, a NUL behind each): the
    /// content of one goes through a filter that is not run, as the `.gitattributes` of the work
    /// tree or of git's index have it.
    ///
    /// # Errors
    /// When git cannot say.
    pub(super) fn forbids(&self, files: &[u8]) -> Result<Option<String>, Error> {
        if self.guard.filters.is_empty() {
            return Ok(None);
        }
        for place in [&[][..], &["--cached"]] {
            let args = [&["check-attr", "-z", "--stdin"], place, &["filter"]].concat();
            let out = self.feed(&args, files.to_vec())?;
            if let Some(why) = self.guard.forbids(&out) {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    /// The same with all filters: for what the user asks git to keep.
    pub(super) fn unguarded(&self) -> Git {
        Git {
            guard: Guard::default(),
            ..self.clone()
        }
    }

    /// Are there filters that are not run?
    pub(super) fn is_guarded(&self) -> bool {
        !self.guard.filters.is_empty()
    }

    /// The same with time for hooks, filters and keys.
    pub(super) fn patient(&self) -> Git {
        Git {
            limit: LONG,
            ..self.clone()
        }
    }

    /// The same as hooks are to find it: how goroam names paths is not for them.
    pub(super) fn for_hooks(&self) -> Git {
        let mut git = self.patient();
        git.hooks = true;
        let own = [
            "GIT_LITERAL_PATHSPECS",
            "GIT_OPTIONAL_LOCKS",
            "GIT_NO_LAZY_FETCH",
            "GIT_ALLOW_PROTOCOL",
        ];
        git.env.retain(|(name, _)| !own.contains(&name.as_str()));
        git
    }

    /// Its output, if it succeeds.
    ///
    /// # Errors
    /// git's own words otherwise.
    pub(super) fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Vec<u8>, Error> {
        self.feed(args, Vec::new())
    }

    /// The first line of its output.
    ///
    /// # Errors
    /// git's own words when it fails.
    pub(super) fn line<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String, Error> {
        let out = self.run(args)?;
        let text = String::from_utf8_lossy(&out);
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Its output with this on its standard input.
    ///
    /// # Errors
    /// git's own words when it fails.
    pub(super) fn feed<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        input: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let done = self.bounded(&args, input, Stdio::piped())?;
        done.ok(&args)
    }

    /// Did it exit with 0? Its output in any case.
    ///
    /// # Errors
    /// When it could not be run to its end.
    pub(super) fn asks<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        input: Vec<u8>,
    ) -> Result<(bool, Vec<u8>), Error> {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let done = self.bounded(&args, input, Stdio::piped())?;
        Ok((done.success, done.out))
    }

    /// With something else in the place of its standard output.
    ///
    /// # Errors
    /// git's own words when it fails.
    pub(super) fn feed_to<A: AsRef<OsStr>>(
        &self,
        args: &[A],
        input: Vec<u8>,
        stdout: Stdio,
    ) -> Result<(), Error> {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        self.bounded(&args, input, stdout)?.ok(&args).map(|_| ())
    }

    /// The guard's settings behind those that the environment has (`git-config(1)`,
    /// GIT_CONFIG_COUNT).
    fn overrides(&self) -> Vec<(String, String)> {
        const COUNT: &str = "GIT_CONFIG_COUNT";
        let settings = &self.guard.settings;
        if settings.is_empty() {
            return Vec::new();
        }
        let before = self.env.iter().find(|(name, _)| is_same_name(name, COUNT));
        let before: usize = before
            .and_then(|(_, count)| count.to_str()?.parse().ok())
            .unwrap_or(0);
        let mut out = vec![(COUNT.to_owned(), (before + settings.len()).to_string())];
        for (at, (key, value)) in settings.iter().enumerate() {
            out.push((format!("GIT_CONFIG_KEY_{}", before + at), key.clone()));
            out.push((format!("GIT_CONFIG_VALUE_{}", before + at), value.clone()));
        }
        out
    }

    fn bounded(&self, args: &[&OsStr], input: Vec<u8>, stdout: Stdio) -> Result<Done, Error> {
        let mut command = Command::new("git");
        command
            .arg("--no-pager")
            .args(QUIET.iter().filter(|_| !self.hooks))
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .envs(self.overrides())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Error::Git(if error.kind() == io::ErrorKind::NotFound {
                "there is no git in PATH; install it: snapshots are kept in git".to_owned()
            } else {
                format!("git cannot be started: {error}")
            })
        })?;
        let end = Instant::now() + self.limit;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // If git stops reading early, its exit code says why.
                let _ = stdin.map(|mut stdin| stdin.write_all(&input));
            });
            let out = scope.spawn(move || out.map_or(Ok(Vec::new()), |out| take(out, MOST_OUT)));
            let err = scope.spawn(move || err.map_or(Ok(Vec::new()), |err| take(err, MOST_ERR)));
            let success = wait(&mut child, end);
            let read = |thread: std::thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
                let read = thread.join().unwrap_or_else(|_| Ok(Vec::new()));
                read.map_err(|error| Error::Git(format!("cannot read git's output: {error}")))
            };
            let (out, err) = (read(out)?, read(err)?);
            let success = success.map_err(|why| Error::Git(named(args, &why.to_string())))?;
            Ok(Done { success, out, err })
        })
    }
}

struct Done {
    success: bool,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Done {
    fn ok(self, args: &[&OsStr]) -> Result<Vec<u8>, Error> {
        if self.success {
            return Ok(self.out);
        }
        let said = String::from_utf8_lossy(&self.err);
        if said.contains("Please tell me who you are") {
            return Err(Error::Git(
                "git does not know who you are: `git config user.name NAME` and `git config user.email ADDRESS`, then try again".to_owned(),
            ));
        }
        let said: Vec<&str> = said
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        // Its advice is for other commands than the user's.
        let verdict = |line: &&&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let mut verdicts: Vec<&str> = said.iter().filter(verdict).copied().collect();
        if verdicts.is_empty() {
            verdicts = said;
        }
        let said = match verdicts.len() {
            0 => "failed without a message".to_owned(),
            // The cause comes last, after warnings and the output of hooks.
            length => verdicts
                .get(length.saturating_sub(6)..)
                .unwrap_or_default()
                .join("; "),
        };
        Err(Error::Git(named(args, &said)))
    }
}

fn named(args: &[&OsStr], why: &str) -> String {
    let mut words = args.iter().map(|arg| arg.to_string_lossy());
    let verb = words.find(|arg| !arg.starts_with('-') && !arg.contains('='));
    mask(&format!("git {}: {why}", verb.unwrap_or_default()))
}

/// Polls in small steps that grow: most children exit before their output has been read.
fn wait(child: &mut Child, end: Instant) -> io::Result<bool> {
    let mut step = Duration::from_micros(300);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "timed out and was killed",
            ));
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
        // Read and drop the rest, so that git can exit.
        io::copy(from.get_mut(), &mut io::sink())?;
        return Err(io::Error::other("output is too long"));
    }
    Ok(bytes)
}

/// A command with paths behind it.
pub(super) fn with(args: &[&str], paths: &[String]) -> Vec<String> {
    let args = args.iter().map(|arg| (*arg).to_owned());
    args.chain(paths.iter().cloned()).collect()
}

/// The pieces of a `-z` listing, to be shown or compared.
pub(super) fn pieces(out: &[u8]) -> Vec<String> {
    raw_pieces(out)
        .map(|piece| String::from_utf8_lossy(piece).into_owned())
        .collect()
}

/// The same as git has them.
pub(super) fn raw_pieces(out: &[u8]) -> impl Iterator<Item = &[u8]> {
    out.split(|&b| b == 0).filter(|piece| !piece.is_empty())
}

/// What keeps git from running the repository's own filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Guard {
    /// Configuration that goes before the repository's own.
    pub(super) settings: Vec<(String, String)>,
    /// The names of the filters that are not run as the repository would have it.
    pub(super) filters: BTreeSet<String>,
}

impl Guard {
    /// From `git config --list -z` of the repository's own scopes, and of the user's and the system's.
    pub(super) fn of(repository: &[u8], users: &[u8]) -> Guard {
        let users: BTreeMap<String, String> = entries(users).collect();
        let mut guard = Guard::default();
        for (key, value) in entries(repository) {
            let Some((filter, what)) = filter(&key) else {
                continue;
            };
            let neutral = if what == "required" { "false" } else { "" };
            let own = users.get(&key).map_or(neutral, String::as_str);
            if own != value {
                guard.filters.insert(filter.to_owned());
                guard.settings.push((key.clone(), own.to_owned()));
            }
        }
        guard
    }

    /// The error if a file uses such a filter. `attributes` is the output of
    /// `git check-attr -z filter`.
    pub(super) fn forbids(&self, attributes: &[u8]) -> Option<String> {
        let out = pieces(attributes);
        let mut lines = out.chunks_exact(3);
        let line = lines.find(|line| self.filters.contains(&line[2]))?;
        Some(refusal(&line[0], &line[2]))
    }
}

/// The error for a file that uses such a filter, and what to do.
fn refusal(path: &str, filter: &str) -> String {
    let cure = match filter {
        "lfs" => "`git lfs install`".to_owned(),
        _ => format!("`git config --global filter.{filter}.clean …` (and `.smudge`)"),
    };
    format!(
        "{path} uses the filter {filter:?} from the repository's own configuration, and goroam does not run programs that a repository names; if you trust it, set it in your own configuration: {cure}"
    )
}

/// `KEY LF VALUE NUL` each; a key alone means true.
fn entries(list: &[u8]) -> impl Iterator<Item = (String, String)> {
    pieces(list)
        .into_iter()
        .map(|entry| match entry.split_once('\n') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (entry, "true".to_owned()),
        })
}

/// The name and the last part of a key `filter.NAME.PART`; NAME may have dots.
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
        let local = b"core.bare\nfalse\0filter.a.b.clean\nevil\0filter.a.b.required\0\
            filter.lfs.clean\nevil\0filter.lfs.smudge\nlfs smudge\0filter.x.other\ny\0";
        let users = b"filter.lfs.clean\nlfs clean\0filter.lfs.smudge\nlfs smudge\0";
        let guard = Guard::of(local, users);
        let settings: Vec<(&str, &str)> = guard
            .settings
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
        assert_eq!(guard.filters.len(), 2);
        assert_eq!(Guard::of(users, users), Guard::default());
    }
}
