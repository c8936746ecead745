//! The go command as `mirror add` runs it, and how its output is read. Also the go toolchains that
//! projects name, as modules, and go's messages that it is too old.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::layout::{Layout, VersionFile};
use super::wants::{AddError, Downloaded, Failed, Wants, downloaded, took};
use crate::environment::Environment;
use crate::gocmd::job::{Job, Ran, offline};
use crate::gocmd::{GoCommand, find, run};
use crate::gomod::ModuleVersion;
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_version::{at_least, compare, of_toolchain, toolchain_for, toolchain_module};
use crate::meter::Meter;
use crate::policy::expand::expand;

/// Makes a temporary module, so that go does not use a go.mod from a parent directory. `more`:
/// further lines of its go.mod.
pub(super) fn own_module(more: &str) -> Result<tempfile::TempDir, AddError> {
    let folder = tempfile::tempdir().map_err(AddError::temporary)?;
    let text = format!("module goroam.invalid/add\n\ngo 1.17\n{more}");
    std::fs::write(folder.path().join("go.mod"), text).map_err(AddError::temporary)?;
    Ok(folder)
}

/// The time between two looks into the module cache.
const LOOKS: Duration = Duration::from_millis(200);

/// The variables that are read with `go env`.
const NAMES: &str = "GOMODCACHE GOPATH GOFLAGS GOPROXY GOSUMDB GOPRIVATE GONOSUMDB GODEBUG GOHOSTOS \
                     GOHOSTARCH";

/// The user's go, with the user's settings.
#[derive(Debug)]
pub(super) struct Go<'a> {
    command: GoCommand,
    env: &'a Environment,
    values: BTreeMap<String, String>,
    offline: bool,
    /// Whether it may be replaced by a newer go if a go.mod requires that.
    switches: bool,
    switched: Mutex<Switched>,
    /// Counts what go downloads.
    meter: &'a Meter,
}

/// A newer go that replaces this one.
#[derive(Debug, Default)]
struct Switched {
    /// GOTOOLCHAIN; `None`: the user's go itself.
    name: Option<String>,
    /// The toolchains that go asked for meanwhile, and which of them failed.
    wants: Wants,
}

/// The mode in which go runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode<'a> {
    /// One module; go may complete the copies of go.mod and go.sum.
    Module,
    /// The workspace of this go.work. go completes its go.work.sum, but no go.mod.
    Work(&'a Path),
}

impl<'a> Go<'a> {
    pub(super) async fn find(
        wish: Option<&Path>,
        env: &'a Environment,
        offline: bool,
        switches: bool,
        meter: &'a Meter,
    ) -> Result<Go<'a>, AddError> {
        let command = find::find(wish, env).await?;
        let names: Vec<&str> = NAMES.split(' ').collect();
        let values = run::values(&command, env, &names).await?;
        let version = bare(&command.version.text).to_owned();
        Ok(Go {
            command,
            env,
            values,
            offline,
            switches: switches && at_least(&version, FIRST),
            switched: Mutex::default(),
            meter,
        })
    }

    /// `1.24.11`.
    pub(super) fn version(&self) -> &str {
        bare(&self.command.version.text)
    }

    /// From now on runs the go of this name (`go1.24.11`), if it is newer than the current one. It
    /// must be in the module cache.
    pub(super) fn run_as(&self, name: &str) {
        let mut switched = self.switched();
        let now = switched.name.as_deref().map_or(self.version(), bare);
        if self.switches && compare(bare(name), now).is_gt() {
            switched.name = Some(name.to_owned());
        }
    }

    fn switched(&self) -> MutexGuard<'_, Switched> {
        self.switched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The toolchains that go asked for meanwhile, and why any of them could not be downloaded.
    pub(super) fn demanded(&self) -> Wants {
        std::mem::take(&mut self.switched().wants)
    }

    /// The value that `go env` prints; empty if it prints none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    pub(super) fn env(&self) -> &'a Environment {
        self.env
    }

    /// `$GOMODCACHE/cache/download`.
    pub(super) fn cache(&self) -> PathBuf {
        Path::new(self.value("GOMODCACHE"))
            .join("cache")
            .join("download")
    }

    /// Counts the zips of these modules while they come into the module cache, until it is dropped:
    /// `go mod download` prints nothing before it has all of them.
    pub(super) async fn count(&self, modules: impl Iterator<Item = &ModuleVersion>) -> Infallible {
        let cache = Layout::new(self.cache());
        let zips = modules.filter_map(|module| cache.file(module, VersionFile::Zip).ok());
        let mut missing: Vec<PathBuf> = zips.collect();
        let all = missing.len();
        missing.retain(|zip| !zip.is_file());
        self.meter.restart();
        self.meter.expect(all as u64, 0);
        self.meter.did((all - missing.len()) as u64, 0);
        loop {
            tokio::time::sleep(LOOKS).await;
            missing.retain(|zip| match zip.metadata() {
                Ok(zip) => {
                    self.meter.did(1, zip.len());
                    false
                }
                Err(_) => true,
            });
        }
    }

    /// Runs go in a directory; runs it again as a newer go if one is required and allowed.
    pub(super) async fn run(
        &self,
        folder: &Path,
        mode: Mode<'_>,
        args: &[&str],
    ) -> Result<Ran, AddError> {
        loop {
            let ran = self.run_as_it_is(folder, mode, args).await?;
            let Some(name) = demanded(&ran).filter(|_| self.switches) else {
                return Ok(ran);
            };
            let before = self.switched().name.clone();
            let mut wants = Wants::default();
            Box::pin(self.bring(&[name].into(), &mut wants)).await?;
            let mut switched = self.switched();
            switched.wants.join(wants);
            // Each iteration uses a newer go, so the loop ends.
            if switched.name == before {
                return Ok(ran);
            }
        }
    }

    /// Runs the current go (the user's, or the one that replaced it) in a directory.
    pub(super) async fn run_as_it_is(
        &self,
        folder: &Path,
        mode: Mode<'_>,
        args: &[&str],
    ) -> Result<Ran, AddError> {
        let mut set = Vec::new();
        if let Some(name) = self.switched().name.clone() {
            set.push(("GOTOOLCHAIN", OsString::from(name)));
        }
        let mut flags = match mode {
            Mode::Module => {
                set.push(("GOWORK", "off".into()));
                "-mod=mod".to_owned()
            }
            Mode::Work(file) => {
                set.push(("GOWORK", OsString::from(file)));
                "-mod=readonly".to_owned()
            }
        };
        // The only flag of the user's that changes how go works, not what it does.
        let users = [
            self.env.get("GOFLAGS"),
            self.values.get("GOFLAGS").map(String::as_str),
        ];
        let mut words = users.into_iter().flatten().flat_map(str::split_whitespace);
        if words.any(is_cache_rw) {
            flags.push_str(" -modcacherw");
        }
        set.push(("GOFLAGS", flags.into()));
        set.push(("GO111MODULE", "on".into()));
        if self.offline {
            let lookup = |_: &str| Some(self.value("GOMODCACHE").to_owned());
            let cache = expand("file://${GOMODCACHE}/cache/download,off", &lookup);
            set.extend(offline(
                self.env,
                cache.unwrap_or_else(|_| "off".to_owned()),
            ));
        }
        let job = Job {
            go: &self.command,
            env: self.env,
            folder,
            set,
        };
        Ok(job.run(args).await?)
    }

    /// Downloads these toolchains, and runs go as the newest of them from now on if go is older.
    pub(super) async fn bring(
        &self,
        names: &BTreeSet<String>,
        wants: &mut Wants,
    ) -> Result<(), AddError> {
        if names.is_empty() {
            return Ok(());
        }
        let system = [self.value("GOHOSTOS"), self.value("GOHOSTARCH")].join("-");
        let module = |name: &String| toolchain_module(name, &system);
        let modules: Vec<String> = names.iter().map(|name| module(name).to_string()).collect();
        let mut args = vec!["mod", "download", "-json"];
        args.extend(modules.iter().map(String::as_str));
        // Not in the project: its go line may require a newer go than this one.
        let elsewhere = own_module("")?;
        let ran = self
            .run_as_it_is(elsewhere.path(), Mode::Module, &args)
            .await?;
        let came = took(&ran, &modules.join(" "), wants);
        for name in names.iter().filter(|name| came.contains(&module(name))) {
            self.run_as(name);
        }
        Ok(())
    }
}

/// Removes the prefix `go`.
fn bare(name: &str) -> &str {
    name.strip_prefix("go").unwrap_or(name)
}

fn is_cache_rw(flag: &str) -> bool {
    matches!(
        flag,
        "-modcacherw" | "--modcacherw" | "-modcacherw=true" | "--modcacherw=true"
    )
}

/// From this version on, toolchains are available as modules and GOTOOLCHAIN selects one.
const FIRST: &str = "1.21";

/// Returns the toolchain that a go.mod asks for: its `toolchain` line or its `go` line, whichever
/// is newer. A `go` line that names only a language version counts only if this go, of version
/// `own`, is older.
pub(super) fn toolchain_of(go_mod: &GoMod, own: &str) -> Option<String> {
    let line = go_mod.go.as_ref().map(|line| line.value.as_str());
    let line = line.map(|line| (line, toolchain_for(line)));
    let line = line.filter(|(line, name)| {
        let is_release = name.strip_prefix("go") == Some(*line);
        is_release || compare(line, own).is_gt()
    });
    let named = go_mod.toolchain.as_ref().map(|line| line.value.as_str());
    let named = named.and_then(|name| Some((of_toolchain(name)?, name.to_owned())));
    let all = [line, named].into_iter().flatten();
    let (version, name) = all.max_by(|one, other| compare(one.0, other.0))?;
    // A custom toolchain, `go1.24.3-corp`, is not available as a module.
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    (plain && at_least(version, FIRST)).then_some(name)
}

/// Returns the toolchain that go says it needs because it is too old for a go.mod.
fn demanded(ran: &Ran) -> Option<String> {
    let told = downloaded(&ran.out).into_iter();
    let told = told.filter_map(|Downloaded { error, .. }| error);
    let all: Vec<String> = told.chain([ran.err.clone()]).collect();
    let versions = all.iter().flat_map(|said| requirements(said));
    versions
        .max_by(|one, other| compare(one, other))
        .map(toolchain_for)
}

/// Returns the versions in `requires go >= 1.25 (running go 1.24.11; GOTOOLCHAIN=local)`
/// (`gover.TooNewError`).
fn requirements(said: &str) -> impl Iterator<Item = &str> {
    let parts = said.split("requires go >= ").skip(1);
    parts.filter_map(|part| {
        let (version, rest) = part.split_once(' ')?;
        let is_this = rest.trim_start().starts_with("(running go ");
        (is_this && at_least(version, FIRST)).then_some(version)
    })
}

/// Removes GOTOOLCHAIN, which goroam sets and not the user, from go's message, and adds advice.
pub(super) fn explain(failed: &mut Failed, has_asked: bool) {
    let Some(version) = requirements(&failed.why).last() else {
        return;
    };
    let name = toolchain_for(version);
    failed.why = failed.why.replace("; GOTOOLCHAIN=local)", ")");
    if !has_asked {
        failed.why += &format!(
            "\nadd --toolchain: it brings {name} too, and has that read the go.mod files; or use a newer go"
        );
    }
}

#[cfg(test)]
mod toolchain_tests {
    use super::*;
    use crate::gomod::go_mod::parse;

    #[test]
    fn the_newer_of_both_lines_counts() {
        let of = |text: &str| toolchain_of(&parse(&format!("module a.test/b\n{text}\n")), "1.23.1");
        for (text, want) in [
            ("go 1.24.3\ntoolchain go1.24.11", Some("go1.24.11")),
            ("go 1.24.3\ntoolchain go1.23.1", Some("go1.24.3")),
            ("go 1.24.3", Some("go1.24.3")),
            ("go 1.22.3", Some("go1.22.3")),
            ("go 1.25rc1", Some("go1.25rc1")),
            ("go 1.24.3\ntoolchain default", Some("go1.24.3")),
            ("go 1.24", Some("go1.24.0")),
            ("go 1.22", None),
            ("go 1.22\ntoolchain go1.22.5", Some("go1.22.5")),
            ("go 1.20.5", None),
            ("go 1.24.3\ntoolchain go1.24.4-corp", None),
            ("", None),
        ] {
            assert_eq!(of(text).as_deref(), want, "{text:?}");
        }
    }

    fn ran(out: &str, err: &str) -> Ran {
        Ran {
            success: false,
            out: out.as_bytes().to_vec(),
            err: err.to_owned(),
        }
    }

    #[test]
    fn what_go_demands_is_read_where_go_says_it() {
        let err = "go: go.mod requires go >= 1.24.11 (running go 1.21.13; GOTOOLCHAIN=local)\n";
        assert_eq!(demanded(&ran("", err)).as_deref(), Some("go1.24.11"));
        let out = r#"{"Path":"a.test/b","Error":"a.test/b@v1 requires go \u003e= 1.25 (running go 1.24.11; GOTOOLCHAIN=local)"}"#;
        assert_eq!(demanded(&ran(out, err)).as_deref(), Some("go1.25.0"));
        for other in [
            "go: module . listed in go.work file requires go >= 1.25, but go.work lists go 1.21",
            "a test that requires go >= 1.25 and fails",
            "requires go >= ",
            "requires go >= x (running go 1.21)",
        ] {
            assert_eq!(demanded(&ran("", other)), None, "{other}");
        }
    }

    #[test]
    fn who_is_too_old_is_told_the_way_out() {
        let failed = |asked| {
            let mut failed = Failed {
                module: "/p/go.mod".to_owned(),
                version: String::new(),
                why: "/p/go.mod requires go >= 1.25 (running go 1.21.13; GOTOOLCHAIN=local)"
                    .to_owned(),
                mismatch: false,
            };
            explain(&mut failed, asked);
            failed.why
        };
        let said = "/p/go.mod requires go >= 1.25 (running go 1.21.13)";
        assert_eq!(failed(true), said);
        let more = failed(false);
        let more = more.strip_prefix(said).unwrap();
        assert!(
            more.contains("--toolchain") && more.contains("go1.25.0"),
            "{more}"
        );
    }
}
