//! Reads the lines of the go env file, and runs go with the value of each variable, one by one, in
//! a temporary directory: finds the values that make go stop, and the command that removes each.

use std::io;
use std::path::{Path, PathBuf};

use super::facts::{DoctorFacts, EnvFileLine, Scope, Stop};
use super::file_url;
use super::files::{Disk, Files};
use super::finding::Severity::{Error, Warning};
use super::finding::{Code, DoctorFinding};
use super::gather::short;
use crate::environment::Environment;
use crate::gocmd::{EnvFile, Errand, GoCommand, Trial, run};
use crate::gomod::go_version::{at_least, of_toolchain, toolchain_module};
use crate::mirror::{Layout, VersionFile};
use crate::model::{mask, quoted};
use crate::policy::{Severity, check_value, goflags_words};
use crate::trust;
use crate::vendoring::Shelves;

/// All or most go commands refuse bad values of these variables.
const EVERY: &str = "GOTOOLCHAIN GOPATH GO111MODULE GOFLAGS GOROOT GOWORK GOEXPERIMENT GOFIPS140";
/// Commands that build refuse bad values of these variables.
const BUILD: &str = "GOOS GOARCH GOAMD64 GO386 GOARM GOARM64 GOMIPS GOMIPS64 GOPPC64 GORISCV64 \
                     GOWASM GOTMPDIR";
/// Variables that are checked in addition to those of `values` and those that the policy manages.
pub(super) const NAMES: &str = "GOCACHEPROG GOPATH GOWORK GOEXPERIMENT GOFIPS140 GOOS GOARCH GOAMD64 \
                                GOTMPDIR GOCACHE GOMODCACHE GOBIN GOSUMDB GOVCS XDG_CONFIG_HOME";
/// Maximum number of values that are checked.
const MOST: usize = 64;

/// A variable with its unchanged value.
#[derive(Clone, PartialEq, Eq)]
struct Set {
    name: String,
    value: String,
    in_file: bool,
}

/// Records the lines of the go env file and the values that make go stop.
pub(super) async fn look(facts: &mut DoctorFacts, env: &Environment, go: Option<&GoCommand>) {
    let located = EnvFile::locate(env).ok();
    let file = located.as_ref().and_then(|file| file.read().ok()?);
    let file = file.map(|text| text.0).unwrap_or_default();
    let place = located.map(|file| short(&file.path, &env.home().unwrap_or_default()));
    let mut all = lines(facts, &file, &place.unwrap_or_default());
    for seen in &facts.seen {
        let set = Set {
            name: seen.name.clone(),
            value: seen.value.clone().unwrap_or_default(),
            in_file: false,
        };
        if !set.value.is_empty() && !all.contains(&set) {
            all.push(set);
        }
    }
    all.truncate(MOST);
    build_caches(facts, env);
    facts.stops.extend(all.iter().filter_map(by_grammar));
    let Some(go) = go else { return };
    if let Ok(trial) = Trial::new(go, env) {
        let asker = Asker {
            trial: &trial,
            env,
            go,
        };
        let mut found = Vec::new();
        for set in &all {
            found.extend(asker.stops(set).await);
            found.extend(asker.unfetched(set).await);
        }
        let in_file = found.iter().filter(|stop: &&Stop| stop.in_file);
        let names: Vec<String> = in_file.map(|stop| stop.name.clone()).collect();
        for stop in found.iter_mut().filter(|stop| stop.in_file) {
            stop.undo = asker.undo(&file, &stop.name, &names).await;
        }
        facts.stops.extend(found);
    }
    default_caches(facts, env, go).await;
}

/// Records each line, and reports those that go ignores. Returns the unchanged values.
fn lines(facts: &mut DoctorFacts, file: &[u8], place: &str) -> Vec<Set> {
    let mut all: Vec<Set> = Vec::new();
    for (number, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let place = format!("{place}:{}", number + 1);
        if let Some(why) = ignored(&line) {
            let shown: String = mask(&line).chars().filter(|c| !c.is_control()).collect();
            let shown = shown.trim_start_matches('\u{feff}').trim();
            let says = format!("go ignores {place}: {shown}");
            let fix = "write NAME=value there, with nothing before it, or delete the line";
            let finding = DoctorFinding::new(Code::EnvLineIgnored, Warning, says, why, fix);
            facts.findings.push(finding.at(place));
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        // The last line of a name counts; an empty value counts as unset.
        facts.lines.retain(|line| line.name != name);
        facts.lines.push(EnvFileLine {
            name: name.to_owned(),
            value: mask(value),
            place,
        });
        all.retain(|set| set.name != name);
        if !value.is_empty() {
            all.push(Set {
                name: name.to_owned(),
                value: value.to_owned(),
                in_file: true,
            });
        }
    }
    all
}

/// Returns why go ignores a line that looks like a setting (`cfg.readEnvFile`); `None` if it does
/// not ignore it.
fn ignored(line: &str) -> Option<&'static str> {
    let (before, _) = line.split_once('=')?;
    if line.starts_with(|c: char| c.is_ascii_uppercase()) {
        // `GOPROXY = off` sets a variable with the name "GOPROXY ".
        let has_space = before.ends_with([' ', '\t']);
        return has_space.then_some("go takes the space before = for a part of the name.");
    }
    if line.contains('\0') {
        return Some("It is UTF-16; go reads only UTF-8.");
    }
    let bare = before.trim_start_matches('\u{feff}').trim_start();
    let name = bare.strip_prefix("export ").unwrap_or(bare);
    let is_name = name.to_ascii_uppercase().starts_with("GO")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some(if line.starts_with('\u{feff}') {
        "It begins with a byte order mark, which editors on Windows write."
    } else {
        "go reads only lines that begin with the variable's name in capital letters."
    })
}

/// Records directories in GOPROXY that hold compiled objects instead of modules.
fn build_caches(facts: &mut DoctorFacts, env: &Environment) {
    let own = env.path("GOCACHE");
    let line = facts.line("GOPROXY").map(|line| &line.value);
    let seen = facts.seen.iter().filter(|one| one.name == "GOPROXY");
    let values = line
        .into_iter()
        .chain(seen.filter_map(|one| one.value.as_ref()));
    let is_build_cache = |part: &&str| {
        let folder = file_url::is_url(part).then(|| file_url::folder_of(part));
        let Some(path) = folder.flatten().map(PathBuf::from) else {
            return false;
        };
        let real = dunce::canonicalize(&path).unwrap_or_else(|_| path.clone());
        // cache/cache.go:Open creates both files there.
        let has_marks = ["trim.txt", "README"]
            .iter()
            .all(|name| Disk.is_file(&real.join(name)));
        let is_named = path.ends_with("go-build") || real.ends_with("go-build");
        is_named || has_marks || own.as_ref() == Some(&path)
    };
    let parts = values
        .flat_map(|value| value.split([',', '|']))
        .map(str::trim);
    facts.build_caches = parts.filter(is_build_cache).map(str::to_owned).collect();
    let shelves = Shelves::find(env, None).layouts;
    let cache = shelves.first().map(|cache| cache.root().display());
    facts.module_cache = cache.map(|path| path.to_string());
}

/// Reports caches at their default place that go cannot write, for example after a `sudo go build`.
async fn default_caches(facts: &mut DoctorFacts, env: &Environment, go: &GoCommand) {
    let Ok(values) = run::values(go, env, &["GOCACHE", "GOMODCACHE"]).await else {
        return;
    };
    for (name, folder) in values {
        // A value that the user has set has its own finding.
        let is_same = |stop: &Stop| stop.value == folder || stop.name == "GOPATH";
        let is_known = facts.stops.iter().any(is_same);
        let Some(why) = write_trouble(Path::new(&folder)).filter(|_| !is_known) else {
            continue;
        };
        let (what, stops) = match name.as_str() {
            "GOCACHE" => ("build cache", "every build"),
            _ => ("module cache", "every download"),
        };
        let says = format!("go cannot write the {what}, {folder}");
        let fix = format!(
            "make it writable for this user, or use another directory: `go env -w {name}=…`"
        );
        let why = format!("{why}: that stops {stops}.");
        let finding = DoctorFinding::new(Code::CacheUnwritable, Error, says, why, fix);
        facts.findings.push(finding.at(folder));
    }
}

/// Judges what can be judged without go.
fn by_grammar(set: &Set) -> Option<Stop> {
    let (name, value) = (set.name.as_str(), set.value.as_str());
    let is_relative = !value.starts_with('/') && !Path::new(value).is_absolute();
    let says = match name {
        "GOCACHE" if value == "off" => {
            "build cache is disabled by GOCACHE=off, but required as of Go 1.12".to_owned()
        }
        "GOCACHE" if is_relative => "GOCACHE is not an absolute path".to_owned(),
        "GOTMPDIR" if is_relative || !Path::new(value).is_dir() => {
            format!("creating work dir: stat {value}: no such file or directory")
        }
        "GOMODCACHE" if is_relative => {
            "GOMODCACHE entry is relative; must be absolute path".to_owned()
        }
        "GOBIN" if is_relative => "cannot install, GOBIN must be an absolute path".to_owned(),
        "GOSUMDB" | "GOVCS" => {
            let mut faults = check_value(name, value).into_iter();
            let fault = faults.find(|fault| fault.severity == Severity::Error)?;
            fault.message
        }
        "GOPATH" => write_trouble(&std::env::split_paths(value).next()?)?,
        "GOCACHE" | "GOTMPDIR" | "GOMODCACHE" | "GOBIN" => write_trouble(Path::new(value))?,
        _ => return None,
    };
    let scope = match name {
        "GOCACHE" | "GOTMPDIR" => Scope::Build,
        "GOBIN" => Scope::Install,
        _ => Scope::Download,
    };
    Some(set.stop(scope, says))
}

impl Set {
    /// Creates a stop whose reason is not go's own text.
    fn stop(&self, scope: Scope, says: String) -> Stop {
        Stop {
            name: self.name.clone(),
            value: mask(&self.value),
            in_file: self.in_file,
            part: None,
            scope,
            says: mask(&says),
            is_seen: true,
            undo: None,
        }
    }
}

struct Asker<'a> {
    trial: &'a Trial<'a>,
    env: &'a Environment,
    go: &'a GoCommand,
}

impl Asker<'_> {
    /// Reports a toolchain in GOTOOLCHAIN that is not this go, is not in PATH and is not in the
    /// module cache: go downloads it first.
    async fn unfetched(&self, set: &Set) -> Option<Stop> {
        let name = set.value.split('+').next().unwrap_or_default();
        let version = of_toolchain(name).filter(|_| set.name == "GOTOOLCHAIN")?;
        let own = self.go.version.text.as_str();
        let own = own.strip_prefix("go").unwrap_or(own);
        // A go before 1.21 downloads no toolchain.
        if version == own || set.value.ends_with("+path") || !at_least(own, "1.21") {
            return None;
        }
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        if self.path().any(|folder| folder.join(&file).is_file()) {
            return None;
        }
        let names = ["GOMODCACHE", "GOHOSTOS", "GOHOSTARCH", "GOPROXY"];
        let said = run::values(self.go, self.env, &names).await.ok()?;
        let value = |name: &str| said.get(name).map(String::as_str).unwrap_or_default();
        let (os, arch, cache) = (value("GOHOSTOS"), value("GOHOSTARCH"), value("GOMODCACHE"));
        let module = toolchain_module(name, &format!("{os}-{arch}"));
        let download = Layout::new(Path::new(cache).join("cache/download"));
        let zip = download.file(&module, VersionFile::Zip);
        if Path::new(cache).join(module.to_string()).is_dir() || zip.is_ok_and(|zip| zip.is_file())
        {
            return None;
        }
        let scope = match value("GOPROXY") {
            "off" => Scope::Every,
            _ => Scope::Offline,
        };
        let says =
            format!("{name} is neither in PATH nor in the module cache: go downloads it first");
        Some(set.stop(scope, says))
    }

    fn path(&self) -> std::env::SplitPaths<'_> {
        std::env::split_paths(self.env.get("PATH").unwrap_or_default())
    }

    /// Reports whether the system can run the first word of a command line as a program.
    fn runs(&self, line: &str) -> bool {
        let words = goflags_words(line).unwrap_or_default();
        let Some(program) = words.first() else {
            return false;
        };
        if program.contains(['/', '\\']) {
            is_program(Path::new(program))
        } else {
            let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
            self.path()
                .any(|folder| is_program(&folder.join(program)) || is_program(&folder.join(&name)))
        }
    }

    /// Returns go's message about a value alone; for GOFLAGS, about each flag.
    async fn stops(&self, set: &Set) -> Vec<Stop> {
        let name = set.name.as_str();
        let (errand, scope) = match name {
            _ if is_one_of(EVERY, name) => (Errand::List, Scope::Every),
            "GOTMPDIR" => return Vec::new(),
            // goroam does not start a program that exists.
            "GOCACHEPROG" if !self.runs(&set.value) => (Errand::List, Scope::Build),
            _ if is_one_of(BUILD, name) => (Errand::Build, Scope::Build),
            _ => return Vec::new(),
        };
        let words = match goflags_words(&set.value).filter(|_| name == "GOFLAGS") {
            Some(words) => words.into_iter().filter(|word| is_asked(word)).collect(),
            None => vec![set.value.as_str()],
        };
        let mut found = Vec::new();
        for word in words {
            let part = word != set.value;
            // In quotes, a flag that contains a space is one word for go, too.
            let one = match (part && word.contains([' ', '\t']), word.contains('\'')) {
                (true, false) => format!("'{word}'"),
                (true, true) => format!("\"{word}\""),
                (false, _) => word.to_owned(),
            };
            if let Some(says) = self.says(set, &one, errand).await {
                found.push(Stop {
                    part: part.then(|| mask(word)),
                    is_seen: false,
                    ..set.stop(scope, says)
                });
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
        // If go also stops without the value, the value is not the cause.
        let without = self.trial.stops(b"", &[], errand).await;
        without.is_none().then_some(says)
    }

    /// Returns a command that removes the line from the file, tested on a copy; `None` if there is
    /// none.
    async fn undo(&self, file: &[u8], name: &str, others: &[String]) -> Option<String> {
        let here = EVERY
            .split(' ')
            .filter_map(|name| Some((name, self.env.get(name)?)));
        let here: Vec<(&str, &str)> = here.collect();
        let pin = |name| Some((name, self.pin(name)?));
        let mut all: Vec<(&str, String)> = others.iter().filter_map(|name| pin(name)).collect();
        all.dedup_by(|one, other| one.0 == other.0);
        let mut tries: Vec<Vec<(&str, String)>> = vec![Vec::new()];
        // The shells of Windows have another syntax for variables before a command.
        if !cfg!(windows) {
            tries.extend(pin(name).map(|pin| vec![pin]));
            tries.push(all);
        }
        for pins in tries {
            let mut vars = here.clone();
            vars.retain(|(name, _)| !pins.iter().any(|(pinned, _)| pinned == name));
            vars.extend(pins.iter().map(|(name, value)| (*name, value.as_str())));
            if self.trial.unsets(file, &vars, name).await {
                let mut words: Vec<String> = pins.iter().map(shown_pin).collect();
                words.push(format!("go env -u {name}"));
                return Some(words.join(" "));
            }
        }
        None
    }

    /// Returns a value for the OS environment that keeps go from reading the file's value.
    fn pin(&self, name: &str) -> Option<String> {
        Some(match name {
            "GOTOOLCHAIN" => "local".to_owned(),
            "GOWORK" => "off".to_owned(),
            "GO111MODULE" => "on".to_owned(),
            "GOPATH" => self.trial.home().join("go").display().to_string(),
            "GOROOT" => self.go.goroot.display().to_string(),
            _ => return None,
        })
    }
}

fn shown_pin((name, value): &(&str, String)) -> String {
    match *name {
        // The trial has a different home directory.
        "GOPATH" => "GOPATH=\"$HOME/go\"".to_owned(),
        name => format!("{name}={}", quoted(value)),
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

fn is_one_of(names: &str, name: &str) -> bool {
    names.split(' ').any(|one| one == name)
}

/// Reports whether a flag is tried. Flags that name programs, or files of one project, are not.
fn is_asked(word: &str) -> bool {
    let flag = word.trim_start_matches('-');
    let name = flag.split('=').next().unwrap_or_default();
    !matches!(
        name,
        "modfile" | "overlay" | "C" | "toolexec" | "exec" | "vettool"
    )
}

/// Returns why go cannot write its files into this directory, or create it; `None` if no obstacle
/// is known. Entries directly below a cache may belong to another user.
fn write_trouble(directory: &Path) -> Option<String> {
    if !directory.is_absolute() {
        return None;
    }
    for path in directory.ancestors() {
        let shown = path.display();
        match path.metadata() {
            Ok(meta) if !meta.is_dir() => return Some(format!("{shown} is not a directory")),
            // The kernel creates these: no user can create a directory there.
            Ok(_) if is_of_kernel(path) => {
                return Some(format!("no directory can be made in {shown}"));
            }
            Ok(_) if path == directory => {
                let below = BELOW.iter().map(|name| path.join(name));
                let all: Vec<PathBuf> = [path.to_owned()].into_iter().chain(below).collect();
                let mut all = all.iter().filter(|path| path.is_dir());
                let refused = all.find(|path| trust::may_write(path).is_err())?;
                return Some(format!("this user cannot write {}", refused.display()));
            }
            Ok(_) if trust::may_write(path).is_err() => {
                return Some(format!("this user cannot write {shown}"));
            }
            Ok(_) => return None,
            Err(_) if path.symlink_metadata().is_ok() => {
                return Some(format!("{shown} is a broken link"));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Some(format!("{shown}: {error}"));
            }
            Err(_) => {}
        }
    }
    None
}

/// The paths that go writes to first, in the build cache and in the module cache.
const BELOW: [&str; 3] = ["00", "cache", "cache/download"];

fn is_of_kernel(path: &Path) -> bool {
    cfg!(target_os = "linux") && (path.starts_with("/proc") || path.starts_with("/sys"))
}
