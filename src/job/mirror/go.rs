//! The go command as `mirror add` runs it, and what it says.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::error::AddError;
use super::toolchain;
use super::wants::Wants;
use crate::environment::Environment;
use crate::gocmd::job::{Job, Ran};
use crate::gocmd::{GoCommand, find, run};
use crate::gomod::go_version::{at_least, compare};
use crate::policy::expand::expand;

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

/// An object of `go mod download -json` (`modcmd.ModuleJSON`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Downloaded {
    pub(super) path: String,
    pub(super) version: String,
    pub(super) error: Option<String>,
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
            Box::pin(toolchain::want(self, &[name].into(), &mut wants)).await?;
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

    /// What the cache holds and nothing else. `cmdgonetlimit` is go's own switch that forbids
    /// every request (`cmd/go/internal/base/limit.go`): the checksum database, too, is then
    /// what the cache has of it.
    fn offline_settings(&self) -> [(&'static str, OsString); 3] {
        let lookup = |_: &str| Some(self.value("GOMODCACHE").to_owned());
        let proxy = expand("file://${GOMODCACHE}/cache/download,off", &lookup);
        let debug = match self.env.get("GODEBUG") {
            Some(users) => format!("{users},cmdgonetlimit=0"),
            None => "cmdgonetlimit=0".to_owned(),
        };
        [
            ("GOPROXY", proxy.unwrap_or_else(|_| "off".to_owned()).into()),
            ("GONOPROXY", "none".into()),
            ("GODEBUG", debug.into()),
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

/// The objects that go printed one after another. What comes after a broken one is lost.
pub(super) fn downloaded(out: &[u8]) -> Vec<Downloaded> {
    let objects = serde_json::Deserializer::from_slice(out).into_iter::<Downloaded>();
    objects.map_while(Result::ok).collect()
}

/// go's complaint without the lines that only tell what it does.
pub(super) fn complaint(err: &str) -> String {
    let lines: Vec<&str> = err
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("go: downloading "))
        .collect();
    let said = lines.join("\n");
    let said = said.strip_prefix("go: ").unwrap_or(&said);
    if said.is_empty() {
        return "go said nothing".to_owned();
    }
    said.to_owned()
}

/// go's words with the file that is meant in the place of its copy, which go names by its full
/// path or by one from where it runs, whichever is shorter (`base.ShortPath`).
pub(super) fn meant(said: &str, copy: &Path, name: &str) -> String {
    let mut parts = copy.components().rev().map(|part| part.as_os_str());
    let (file, folder) = (parts.next(), parts.next());
    let (Some(file), Some(folder)) = (file, folder) else {
        return said.to_owned();
    };
    // Nothing else has the temporary folder's name in its path.
    let copy = Path::new(folder).join(file).display().to_string();
    let mut out = String::new();
    let mut rest = said;
    while let Some((before, after)) = rest.split_once(&copy) {
        let start = before.rfind([' ', '\t', '\n', '"']).map_or(0, |at| at + 1);
        out.push_str(before.get(..start).unwrap_or_default());
        out.push_str(name);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Does go say that something is not what its checksum says (`modfetch.checkModSum`)?
pub(super) fn is_mismatch(complaint: &str) -> bool {
    complaint.contains("SECURITY ERROR") || complaint.contains(": checksum mismatch")
}

// With paths as Unix has them.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn go_s_complaint_names_the_project_s_file_and_not_its_copy() {
        let copy = Path::new("/tmp/.tmpAb/go.mod");
        for (said, want) in [
            (
                "errors parsing /tmp/.tmpAb/go.mod:\n/tmp/.tmpAb/go.mod:7: replacement",
                "errors parsing /src/go.mod:\n/src/go.mod:7: replacement",
            ),
            ("../../.tmpAb/go.mod:7: x", "/src/go.mod:7: x"),
            ("/tmp/.tmpCd/go.mod:7: x", "/tmp/.tmpCd/go.mod:7: x"),
            ("", ""),
        ] {
            assert_eq!(meant(said, copy, "/src/go.mod"), want);
        }
    }
}
