//! Asks go itself about the values of its variables, one by one, in a temporary directory: which
//! of them stop it, and which command takes them out of the go env file again.

use std::path::Path;

use super::facts::{Facts, Scope, Stop};
use super::writable;
use crate::environment::Environment;
use crate::gocmd::{EnvFile, Errand, GoCommand, Trial, run};
use crate::gomod::go_version::{at_least, of_toolchain};
use crate::model::mask;
use crate::policy::{goflags_words, value_faults};

/// Values of these are refused by every go command, or by most.
const EVERY: [&str; 8] = [
    "GOTOOLCHAIN",
    "GOPATH",
    "GO111MODULE",
    "GOFLAGS",
    "GOROOT",
    "GOWORK",
    "GOEXPERIMENT",
    "GOFIPS140",
];
/// Values of these are refused by what builds.
const BUILD: [&str; 12] = [
    "GOOS",
    "GOARCH",
    "GOAMD64",
    "GO386",
    "GOARM",
    "GOARM64",
    "GOMIPS",
    "GOMIPS64",
    "GOPPC64",
    "GORISCV64",
    "GOWASM",
    "GOTMPDIR",
];
/// Variables that are looked for, besides those that the policy manages.
pub(super) const NAMES: [&str; 15] = [
    "GOCACHEPROG",
    "GOPATH",
    "GOWORK",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOOS",
    "GOARCH",
    "GOAMD64",
    "GOTMPDIR",
    "GOCACHE",
    "GOMODCACHE",
    "GOBIN",
    "GOSUMDB",
    "GOVCS",
    "XDG_CONFIG_HOME",
];
/// Values that are asked about.
const MOST: usize = 64;

/// A variable with its value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    name: String,
    value: String,
    in_file: bool,
}

/// Notes which values go stops with.
pub(super) async fn look(facts: &mut Facts, env: &Environment, go: Option<&GoCommand>) {
    let file = EnvFile::locate(env).ok().and_then(|file| file.read().ok()?);
    let file = file.map(|text| text.0).unwrap_or_default();
    let all = sets(facts, &file);
    for set in &all {
        facts.stops.extend(by_grammar(set));
    }
    let Some(go) = go else { return };
    let Ok(trial) = Trial::new(go, env) else {
        return;
    };
    let asker = Asker {
        trial: &trial,
        path: env.get("PATH").unwrap_or_default(),
    };
    let mut found = Vec::new();
    for set in &all {
        found.extend(asker.stops(set).await);
        found.extend(unfetched(set, env, go).await);
    }
    let names: Vec<String> = found
        .iter()
        .filter(|stop| stop.in_file)
        .map(|stop| stop.name.clone())
        .collect();
    for stop in found.iter_mut().filter(|stop| stop.in_file) {
        stop.undo = asker.undo(&file, env, go, &stop.name, &names).await;
    }
    facts.stops.extend(found);
}

/// The lines of the file and what was seen elsewhere, each value of a variable once.
fn sets(facts: &Facts, file: &[u8]) -> Vec<Set> {
    let mut all: Vec<Set> = Vec::new();
    for line in file.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        // The last line of a name counts; an empty value is none.
        all.retain(|set| set.name != name);
        if !value.is_empty() {
            all.push(Set {
                name: name.to_owned(),
                value: value.to_owned(),
                in_file: true,
            });
        }
    }
    for seen in &facts.seen {
        let Some(value) = seen.value.clone().filter(|value| !value.is_empty()) else {
            continue;
        };
        let set = Set {
            name: seen.name.clone(),
            value,
            in_file: false,
        };
        if !all.contains(&set) {
            all.push(set);
        }
    }
    all.truncate(MOST);
    all
}

/// A toolchain that GOTOOLCHAIN names and that is neither the go at hand, nor in PATH, nor in the
/// module cache: go fetches it before all else.
async fn unfetched(set: &Set, env: &Environment, go: &GoCommand) -> Option<Stop> {
    let name = set.value.split('+').next().unwrap_or_default();
    let version = of_toolchain(name).filter(|_| set.name == "GOTOOLCHAIN")?;
    let own = go.version.text.as_str();
    let own = own.strip_prefix("go").unwrap_or(own);
    // A go before 1.21 fetches none.
    if version == own || set.value.ends_with("+path") || !at_least(own, "1.21") {
        return None;
    }
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = env.get("PATH").unwrap_or_default();
    if std::env::split_paths(path).any(|folder| folder.join(&file).is_file()) {
        return None;
    }
    let names = ["GOMODCACHE", "GOHOSTOS", "GOHOSTARCH", "GOPROXY"];
    let said = run::values(go, env, &names).await.ok()?;
    let value = |name: &str| said.get(name).map(String::as_str).unwrap_or_default();
    let (os, arch, cache) = (value("GOHOSTOS"), value("GOHOSTARCH"), value("GOMODCACHE"));
    let module = format!("v0.0.1-{name}.{os}-{arch}");
    let cache = Path::new(cache);
    let download = cache.join("cache/download/golang.org/toolchain/@v");
    let unpacked = cache.join(format!("golang.org/toolchain@{module}"));
    if unpacked.is_dir() || download.join(format!("{module}.zip")).is_file() {
        return None;
    }
    let scope = match value("GOPROXY") {
        "off" => Scope::Every,
        _ => Scope::Offline,
    };
    let says = format!("{name} is neither in PATH nor in the module cache: go fetches it first");
    Some(Stop {
        is_seen: true,
        ..set.stop(scope, None, says)
    })
}

/// What can be told without go.
fn by_grammar(set: &Set) -> Option<Stop> {
    let value = set.value.as_str();
    let is_relative = !value.starts_with('/') && !Path::new(value).is_absolute();
    let (scope, says) = match set.name.as_str() {
        "GOCACHE" if value == "off" => (
            Scope::Build,
            "build cache is disabled by GOCACHE=off, but required as of Go 1.12".to_owned(),
        ),
        "GOCACHE" if is_relative => (Scope::Build, "GOCACHE is not an absolute path".to_owned()),
        "GOTMPDIR" if is_relative || !Path::new(value).is_dir() => (
            Scope::Build,
            format!("creating work dir: stat {value}: no such file or directory"),
        ),
        "GOMODCACHE" if is_relative => (
            Scope::Download,
            "GOMODCACHE entry is relative; must be absolute path".to_owned(),
        ),
        "GOBIN" if is_relative => (
            Scope::Install,
            "cannot install, GOBIN must be an absolute path".to_owned(),
        ),
        "GOCACHE" | "GOTMPDIR" | "GOMODCACHE" | "GOPATH" | "GOBIN" => {
            let first = std::env::split_paths(value).next();
            let is_list = set.name == "GOPATH";
            let path = first.filter(|_| is_list).unwrap_or_else(|| value.into());
            let scope = match set.name.as_str() {
                "GOCACHE" | "GOTMPDIR" => Scope::Build,
                "GOBIN" => Scope::Install,
                _ => Scope::Download,
            };
            let stop = set.stop(scope, None, writable::trouble(&path)?);
            return Some(Stop {
                is_seen: true,
                ..stop
            });
        }
        "GOSUMDB" | "GOVCS" => {
            let faults = value_faults(&set.name, value);
            let fault = faults.into_iter().find(|fault| !fault.mild)?;
            (Scope::Download, fault.message)
        }
        _ => return None,
    };
    Some(Stop {
        is_seen: true,
        ..set.stop(scope, None, says)
    })
}

impl Set {
    fn stop(&self, scope: Scope, part: Option<String>, says: String) -> Stop {
        Stop {
            name: self.name.clone(),
            value: mask(&self.value),
            in_file: self.in_file,
            part,
            scope,
            says: mask(&says),
            is_seen: false,
            undo: None,
        }
    }
}

struct Asker<'a> {
    trial: &'a Trial<'a>,
    path: &'a str,
}

impl Asker<'_> {
    /// May the first word of a command line be a program that the system runs?
    fn runs(&self, line: &str) -> bool {
        let words = goflags_words(line).unwrap_or_default();
        let Some(program) = words.first() else {
            return false;
        };
        if program.contains(['/', '\\']) {
            is_program(Path::new(program))
        } else {
            std::env::split_paths(self.path).any(|folder| {
                let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
                is_program(&folder.join(program)) || is_program(&folder.join(name))
            })
        }
    }

    /// What go says to a value alone; of GOFLAGS, to each flag that it refuses.
    async fn stops(&self, set: &Set) -> Vec<Stop> {
        let name = set.name.as_str();
        let (errand, scope) = match name {
            _ if EVERY.contains(&name) => (Errand::List, Scope::Every),
            "GOTMPDIR" => return Vec::new(),
            // A program that is there is not started.
            "GOCACHEPROG" if !self.runs(&set.value) => (Errand::List, Scope::Build),
            _ if BUILD.contains(&name) => (Errand::Build, Scope::Build),
            _ => return Vec::new(),
        };
        if name != "GOFLAGS" {
            let says = self.says(set, &set.value, errand).await;
            return says
                .map(|says| set.stop(scope, None, says))
                .into_iter()
                .collect();
        }
        let Some(words) = goflags_words(&set.value) else {
            let says = self.says(set, &set.value, errand).await;
            let stop = says.map(|says| set.stop(scope, None, says));
            return stop.into_iter().collect();
        };
        let mut found = Vec::new();
        for word in words.into_iter().filter(|word| is_asked(word)) {
            // Quoted, a flag with a space in it is one word to go, too.
            let quoted = match (word.contains([' ', '\t']), word.contains('\'')) {
                (true, false) => format!("'{word}'"),
                (true, true) => format!("\"{word}\""),
                (false, _) => word.to_owned(),
            };
            if let Some(says) = self.says(set, &quoted, errand).await {
                let part = (word != set.value).then(|| mask(word));
                found.push(set.stop(scope, part, says));
            }
        }
        found
    }

    async fn says(&self, set: &Set, value: &str, errand: Errand) -> Option<String> {
        let line = format!("{}={value}\n", set.name);
        let vars = [(set.name.as_str(), value)];
        let says = match set.in_file {
            true => self.trial.stops(line.as_bytes(), &[], errand).await,
            false => self.trial.stops(b"", &vars, errand).await,
        }?;
        // A go that stops without the value as well does not stop because of it.
        let without = self.trial.stops(b"", &[], errand).await;
        without.is_none().then_some(says)
    }

    /// A command that takes the line out of the file, as it was tried on a copy; `None`: none does.
    async fn undo(
        &self,
        file: &[u8],
        env: &Environment,
        go: &GoCommand,
        name: &str,
        others: &[String],
    ) -> Option<String> {
        let here: Vec<(&str, String)> = EVERY
            .iter()
            .filter_map(|name| Some((*name, env.get(name)?.to_owned())))
            .collect();
        let own = self.pin(name, go);
        let mut all: Vec<Pin> = others
            .iter()
            .filter_map(|name| self.pin(name, go))
            .collect();
        all.dedup_by(|one, other| one.name == other.name);
        let mut tries: Vec<Vec<Pin>> = vec![Vec::new()];
        // Another shell writes that in another way.
        if !cfg!(windows) {
            tries.extend(own.map(|pin| vec![pin]));
            tries.push(all);
        }
        for pins in tries {
            let mut vars: Vec<(&str, &str)> = here
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            vars.retain(|(name, _)| !pins.iter().any(|pin| pin.name == *name));
            vars.extend(pins.iter().map(|pin| (pin.name, pin.value.as_str())));
            if self.trial.unsets(file, &vars, name).await {
                let shown: Vec<String> = pins.into_iter().map(|pin| pin.shown).collect();
                let command = format!("go env -u {name}");
                return Some([shown, vec![command]].concat().join(" "));
            }
        }
        None
    }

    /// A value of the OS environment with which go does not look at the file's.
    fn pin(&self, name: &str, go: &GoCommand) -> Option<Pin> {
        let (name, value, shown) = match name {
            "GOTOOLCHAIN" => (
                "GOTOOLCHAIN",
                "local".to_owned(),
                "GOTOOLCHAIN=local".to_owned(),
            ),
            "GOWORK" => ("GOWORK", "off".to_owned(), "GOWORK=off".to_owned()),
            "GO111MODULE" => ("GO111MODULE", "on".to_owned(), "GO111MODULE=on".to_owned()),
            "GOPATH" => {
                let value = self.trial.home().join("go").display().to_string();
                ("GOPATH", value, "GOPATH=\"$HOME/go\"".to_owned())
            }
            "GOROOT" => {
                let root = go.goroot.display().to_string();
                let shown = format!("GOROOT={}", crate::model::quoted(&root));
                ("GOROOT", root, shown)
            }
            _ => return None,
        };
        Some(Pin { name, value, shown })
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = path.metadata();
    meta.is_ok_and(|meta| !meta.is_dir() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.exists()
}

#[derive(Debug)]
struct Pin {
    name: &'static str,
    value: String,
    shown: String,
}

/// Flags that name files of one project, or programs, are not tried.
fn is_asked(word: &str) -> bool {
    let flag = word.trim_start_matches('-');
    let name = flag.split('=').next().unwrap_or_default();
    !matches!(
        name,
        "modfile" | "overlay" | "C" | "toolexec" | "exec" | "vettool"
    )
}
