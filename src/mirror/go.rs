//! The go command as `mirror add` runs it, and what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::AddError;
use super::said::took;
use super::toolchain;
use super::wants::Wants;
use crate::environment::Environment;
use crate::gocmd::job::{Job, Ran, without_requests};
use crate::gocmd::{GoCommand, find, run};
use crate::gomod::ModuleVersion;
use crate::gomod::go_version::{at_least, compare};
use crate::policy::expand::expand;

/// A module of goroam's own, so that none that lies above a folder is taken for the one meant.
pub(super) const OWN: &str = "module goroam.invalid/add\n\ngo 1.17\n";

/// What is asked of `go env`.
const NAMES: [&str; 10] = [
    "GOMODCACHE",
    "GOPATH",
    "GOFLAGS",
    "GOPROXY",
    "GOSUMDB",
    "GOPRIVATE",
    "GONOSUMDB",
    "GODEBUG",
    "GOHOSTOS",
    "GOHOSTARCH",
];

/// The user's go, with the user's settings.
#[derive(Debug)]
pub(super) struct Go<'a> {
    command: GoCommand,
    env: &'a Environment,
    values: BTreeMap<String, String>,
    offline: bool,
    /// May it be exchanged for a newer one, where a go.mod demands that?
    switches: bool,
    switched: Mutex<Switched>,
}

/// A newer go in this one's place.
#[derive(Debug, Default)]
struct Switched {
    /// GOTOOLCHAIN; `None`: this one itself.
    name: Option<String>,
    /// The toolchains that go demanded on the way, and what failed of them.
    wants: Wants,
}

/// In which mode go runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode<'a> {
    /// One module; go may complete the copies of go.mod and go.sum.
    Module,
    /// The workspace of this go.work. Its go.work.sum is completed, no go.mod is.
    Work(&'a Path),
}

impl<'a> Go<'a> {
    pub(super) async fn find(
        wish: Option<&Path>,
        env: &'a Environment,
        offline: bool,
        switches: bool,
    ) -> Result<Go<'a>, AddError> {
        let command = find::find(wish, env).await?;
        let values = run::values(&command, env, &NAMES).await?;
        let version = bare(&command.version.text).to_owned();
        Ok(Go {
            command,
            env,
            values,
            offline,
            switches: switches && at_least(&version, toolchain::FIRST),
            switched: Mutex::default(),
        })
    }

    /// `1.24.11`.
    pub(super) fn version(&self) -> &str {
        bare(&self.command.version.text)
    }

    /// Has the go of this name (`go1.24.11`) run from now on, if it is newer than the present one.
    /// It must be in the module cache.
    pub(super) fn run_as(&self, name: &str) {
        let mut switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = switched.name.as_deref().map_or(self.version(), bare);
        if self.switches && compare(bare(name), now).is_gt() {
            switched.name = Some(name.to_owned());
        }
    }

    fn running(&self) -> Option<String> {
        let switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
        switched.name.clone()
    }

    /// The toolchains that go demanded on the way, and why any of them could not be had.
    pub(super) fn demanded(&self) -> Wants {
        let mut switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut switched.wants)
    }

    /// What `go env` says; empty where it says nothing.
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

    /// Runs it in a folder; once more as a newer go, where one is demanded and may be had.
    pub(super) async fn run(
        &self,
        folder: &Path,
        mode: Mode<'_>,
        args: &[&str],
    ) -> Result<Ran, AddError> {
        loop {
            let ran = self.run_as_it_is(folder, mode, args).await?;
            let Some(name) = toolchain::demanded(&ran).filter(|_| self.switches) else {
                return Ok(ran);
            };
            let before = self.running();
            let mut wants = Wants::default();
            Box::pin(self.bring(&[name].into(), &mut wants)).await?;
            let mut switched = self.switched.lock().unwrap_or_else(PoisonError::into_inner);
            switched.wants.join(wants);
            // Each turn is a newer go's, so there is an end.
            if switched.name == before {
                return Ok(ran);
            }
        }
    }

    /// Runs it, or the go that it was exchanged for, in a folder.
    pub(super) async fn run_as_it_is(
        &self,
        folder: &Path,
        mode: Mode<'_>,
        args: &[&str],
    ) -> Result<Ran, AddError> {
        let mut set = Vec::new();
        if let Some(name) = self.running() {
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
        // The one flag of the user's that says how, not what.
        let users = [
            self.env.get("GOFLAGS").unwrap_or_default(),
            self.value("GOFLAGS"),
        ];
        if users
            .iter()
            .any(|flags| flags.split_whitespace().any(is_cache_rw))
        {
            flags.push_str(" -modcacherw");
        }
        set.push(("GOFLAGS", flags.into()));
        set.push(("GO111MODULE", "on".into()));
        if self.offline {
            set.extend(self.offline_settings());
        }
        let job = Job {
            go: &self.command,
            env: self.env,
            folder,
            set,
        };
        Ok(job.run(args).await?)
    }

    /// Brings these toolchains, and has go run as the newest of them where it is older itself.
    pub(super) async fn bring(
        &self,
        names: &BTreeSet<String>,
        wants: &mut Wants,
    ) -> Result<(), AddError> {
        if names.is_empty() {
            return Ok(());
        }
        let system = [self.value("GOHOSTOS"), self.value("GOHOSTARCH")].join("-");
        let modules = names.iter().map(|name| {
            let version = format!("v0.0.1-{name}.{system}");
            ModuleVersion::new(toolchain::MODULE, version).to_string()
        });
        let modules: Vec<String> = modules.collect();
        let mut args = vec!["mod", "download", "-json"];
        args.extend(modules.iter().map(String::as_str));
        // Not in the project: its go line may ask for a newer go than this one.
        let elsewhere = tempfile::tempdir().map_err(|error| AddError::File {
            what: "cannot make a temporary folder".to_owned(),
            source: error,
        })?;
        let go_mod = elsewhere.path().join("go.mod");
        std::fs::write(&go_mod, OWN).map_err(|error| AddError::file(&go_mod, error))?;
        let ran = self
            .run_as_it_is(elsewhere.path(), Mode::Module, &args)
            .await?;
        let came = took(&ran, &modules.join(" "), wants);
        let is_there = |name: &&String| {
            let version = format!("v0.0.1-{name}.{system}");
            came.iter().any(|module| module.version == version)
        };
        for name in names.iter().filter(is_there) {
            self.run_as(name);
        }
        Ok(())
    }

    /// What the cache holds and nothing else.
    fn offline_settings(&self) -> [(&'static str, OsString); 3] {
        let lookup = |_: &str| Some(self.value("GOMODCACHE").to_owned());
        let proxy = expand("file://${GOMODCACHE}/cache/download,off", &lookup);
        [
            ("GOPROXY", proxy.unwrap_or_else(|_| "off".to_owned()).into()),
            ("GONOPROXY", "none".into()),
            ("GODEBUG", without_requests(self.env)),
        ]
    }
}

/// Without the `go` in front.
fn bare(name: &str) -> &str {
    name.strip_prefix("go").unwrap_or(name)
}

fn is_cache_rw(flag: &str) -> bool {
    matches!(
        flag,
        "-modcacherw" | "--modcacherw" | "-modcacherw=true" | "--modcacherw=true"
    )
}
