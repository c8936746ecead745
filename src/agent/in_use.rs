//! What go uses in one directory: the value of each variable, and where it comes from. go itself is
//! asked for the values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::drift;
use super::error::Error;
use super::project::ProjectHere;
use super::relay::is_url_of;
use super::session::Session;
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::run::values_in;
use crate::gocmd::{ApplyError, EnvFile, EnvText, GoCommand, find};
use crate::gomod::{At, go_mod, go_version, go_work};
use crate::model::mask;

/// The variables that decide where modules come from, and which go runs.
const LISTED: [&str; 15] = [
    "GO111MODULE",
    "GOAUTH",
    "GOENV",
    "GOFLAGS",
    "GOINSECURE",
    "GOMOD",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "GOVCS",
    "GOWORK",
];

/// Those that are empty only if this go is too old to know them.
const NEVER_EMPTY: [&str; 3] = ["GOAUTH", "GOMODCACHE", "GOTOOLCHAIN"];

/// go reads these from the OS environment only (`cfg.CanGetenv`, `cfg.EnvFile`).
const NOT_FROM_FILE: [&str; 2] = ["GODEBUG", "GOENV"];

/// The maximum length of a go.mod or go.env, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Where go takes a value from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// The OS environment.
    Environment,
    /// The go env file.
    File,
    /// A `[[project]]` of the policy, or a go.mod or go.work in the directory or above.
    Project,
    /// go itself, or GOROOT/go.env.
    Default,
}

/// A variable as go uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValueInUse {
    /// Its value.
    pub value: String,
    /// Where go takes it from.
    pub source: ValueSource,
    /// The same in words, with who wrote it: "profile office".
    pub why: String,
    /// The value that goroam has written, if the OS environment hides it.
    pub hides: Option<String>,
}

impl ValueInUse {
    /// Removes credentials.
    #[must_use]
    pub fn masked(self) -> ValueInUse {
        ValueInUse {
            value: mask(&self.value),
            hides: self.hides.as_deref().map(mask),
            ..self
        }
    }
}

impl Session {
    /// Returns what go uses in a directory, whose `project` the caller has found: the variables that
    /// concern modules, those that are set anywhere, and `names`. A name that go does not know is
    /// left out. `without_relay`: GOPROXY is
    /// the chain behind the agent's relay. Without a go command, only named values that the
    /// environment or the go env file sets are known.
    ///
    /// # Errors
    /// When go is needed and cannot be run.
    pub async fn in_use(
        &mut self,
        (folder, project): (&Path, Option<&ProjectHere>),
        names: &[String],
        without_relay: bool,
    ) -> Result<BTreeMap<String, ValueInUse>, Error> {
        let env = Arc::clone(&self.env);
        let here = project.map(|project| project.laid_over(&env));
        let here = here.as_ref().unwrap_or(&env);
        let own_file = self.file().ok();
        let own_text = own_file.as_ref().and_then(|file| file.read().ok()?);
        let go = find::find(self.loaded.policy.agent.go.as_deref(), &env).await;
        let go = match go {
            Ok(go) => go,
            Err(error) => {
                let places = Places::new(&env, project, own_text.unwrap_or_default());
                let set = |name: &String| places.set(name).is_some();
                if names.is_empty() || !names.iter().all(set) {
                    return Err(error.into());
                }
                let values = names.iter().filter_map(|name| {
                    let (value, _) = places.set(name)?;
                    Some((name.clone(), value.to_owned()))
                });
                return self
                    .explained(values.collect(), &places, None, without_relay)
                    .await;
            }
        };
        let mut asked: BTreeSet<&str> = LISTED.into_iter().collect();
        asked.extend(names.iter().map(String::as_str));
        asked.extend(
            here.iter()
                .map(|(name, _)| name)
                .filter(|name| is_of_go(name)),
        );
        let own_names = own_text.as_ref().map(EnvText::names);
        asked.extend(
            own_names
                .into_iter()
                .flatten()
                .filter(|name| is_of_go(name)),
        );
        asked.retain(|name| is_name(name));
        let asked = Vec::from_iter(asked);
        let values = values_in(&go, here, folder, &asked).await;
        let mut values = values.map_err(ApplyError::Go)?;
        // goroam sets these two itself for every go that it runs.
        for name in ["GOROOT", "GOTOOLCHAIN"] {
            if let Some(set) = here.get(name) {
                values.insert(name.to_owned(), set.to_owned());
            }
        }
        // go answers for any name; only the whole list, which takes longer, shows what it knows.
        let is_doubtful = |name: &String| {
            let empty = values.get(name).is_none_or(String::is_empty);
            empty && !LISTED.contains(&name.as_str())
        };
        if names.iter().any(is_doubtful) {
            let known = values_in(&go, &env, folder, &[]).await;
            let known = known.map_err(ApplyError::Go)?;
            values.retain(|name, value| !value.is_empty() || known.contains_key(name));
        }
        values.retain(|name, value| !value.is_empty() || !NEVER_EMPTY.contains(&name.as_str()));
        let file = values
            .get("GOENV")
            .filter(|path| !matches!(path.as_str(), "" | "off"));
        let file = file.map(|path| EnvFile {
            path: folder.join(path),
        });
        let is_own =
            file.as_ref().map(|file| &file.path) == own_file.as_ref().map(|file| &file.path);
        let text = match is_own {
            true => own_text,
            false => file.and_then(|file| file.read().ok()?),
        };
        let mut places = Places::new(&env, project, text.unwrap_or_default());
        places.is_own = is_own;
        let installed = bounded::read(&go.goroot.join("go.env"), MOST_BYTES);
        places.installed = EnvText(installed.unwrap_or_default());
        let named = |name: &String| names.contains(name) || LISTED.contains(&name.as_str());
        values.retain(|name, value| named(name) || !value.is_empty() && places.set(name).is_some());
        self.explained(values, &places, Some(&go), without_relay)
            .await
    }

    async fn explained(
        &mut self,
        mut values: BTreeMap<String, String>,
        places: &Places<'_>,
        go: Option<&GoCommand>,
        without_relay: bool,
    ) -> Result<BTreeMap<String, ValueInUse>, Error> {
        let written = self.writers();
        let goproxy = values.get("GOPROXY").cloned().unwrap_or_default();
        let relayed = is_url_of(&goproxy, &self.paths);
        if relayed
            && without_relay
            && let Some(chain) = self.values(true).await?.remove("GOPROXY")
        {
            values.insert("GOPROXY".to_owned(), chain);
        }
        let mut all = BTreeMap::new();
        for (name, value) in &values {
            let mut one = places.explain(name, value, &written);
            if relayed && name == "GOPROXY" {
                one.why.push_str(match without_relay {
                    true => ", without the agent's relay",
                    false => ", through the agent's relay",
                });
            }
            if let Some(go) = go.filter(|_| name == "GOTOOLCHAIN")
                && let Some(told) = toolchain(value, &values, &go.version.text)
            {
                one.why = format!("{}; {told}", one.why);
            }
            all.insert(name.clone(), one);
        }
        Ok(all)
    }

    /// Returns the managed variables as goroam has written them, each with whose value it is.
    fn writers(&self) -> BTreeMap<String, (Option<String>, String)> {
        let (Ok(file), Some(written)) = (self.file(), &self.memory.written) else {
            return BTreeMap::new();
        };
        let by_hand = drift::find(&self.memory, &file, &self.present());
        let profile = self.memory.in_force(&self.loaded.policy);
        let writer = |(name, value): (&String, &Option<String>)| {
            let whose = match profile {
                _ if by_hand.contains_key(name) => "the go env file, changed by hand".to_owned(),
                Some(profile) if profile.env.contains_key(name) => match &profile.over {
                    None => format!("profile {}", profile.name),
                    Some(_) if name == "GOPROXY" => format!("{}, chosen by hand", profile.name),
                    Some(over) => format!("profile {over}"),
                },
                Some(_) | None => "the go env file, as before goroam".to_owned(),
            };
            (name.clone(), (value.clone(), whose))
        };
        written.values.iter().map(writer).collect()
    }
}

/// The places that set variables.
struct Places<'e> {
    env: &'e Environment,
    project: Option<&'e ProjectHere>,
    file: EnvText,
    /// Whether the file is the one that goroam writes.
    is_own: bool,
    /// GOROOT/go.env.
    installed: EnvText,
}

impl Places<'_> {
    fn new<'e>(
        env: &'e Environment,
        project: Option<&'e ProjectHere>,
        file: EnvText,
    ) -> Places<'e> {
        Places {
            env,
            project,
            file,
            is_own: true,
            installed: EnvText::default(),
        }
    }

    /// Returns the value that the environment, the project or the go env file sets (`cfg.Getenv`).
    fn set(&self, name: &str) -> Option<(&str, ValueSource)> {
        let file = || {
            self.file
                .get(name)
                .filter(|_| !NOT_FROM_FILE.contains(&name))
        };
        let of_env = self
            .env
            .get(name)
            .map(|value| (value, ValueSource::Environment));
        let of_project = || Some((self.project?.env.get(name)?.as_str(), ValueSource::Project));
        of_env
            .or_else(of_project)
            .or_else(|| Some((file()?, ValueSource::File)))
    }

    fn explain(
        &self,
        name: &str,
        value: &str,
        written: &BTreeMap<String, (Option<String>, String)>,
    ) -> ValueInUse {
        let writer = written.get(name).filter(|_| self.is_own);
        let mut hides = None;
        let (source, why) = match self.set(name) {
            Some((set, ValueSource::Environment)) => {
                let why = match writer {
                    Some((Some(ours), _)) if ours == set => {
                        "environment; it does not follow the network".to_owned()
                    }
                    Some((Some(ours), whose)) if self.file.get(name) == Some(ours) => {
                        hides = Some(ours.clone());
                        format!("environment; it hides the value of {whose}")
                    }
                    Some(_) | None => "environment".to_owned(),
                };
                (ValueSource::Environment, why)
            }
            Some((_, ValueSource::Project)) => {
                let name = self.project.map_or("", |project| &project.name);
                (
                    ValueSource::Project,
                    format!("project {name} of the policy"),
                )
            }
            Some((_, source)) => {
                let why = writer.map_or("the go env file", |(_, whose)| whose);
                (source, why.to_owned())
            }
            None => match name {
                "GOMOD" | "GOWORK" if project_file(value).is_some() => {
                    (ValueSource::Project, "the project".to_owned())
                }
                "GONOPROXY" | "GONOSUMDB" if !value.is_empty() => (
                    ValueSource::Default,
                    "default, the value of GOPRIVATE".to_owned(),
                ),
                _ if self.installed.get(name).is_some() => (
                    ValueSource::Default,
                    "default, from GOROOT/go.env".to_owned(),
                ),
                _ => (ValueSource::Default, "default".to_owned()),
            },
        };
        ValueInUse {
            value: value.to_owned(),
            source,
            why,
            hides,
        }
    }
}

/// Reports whether go, or the C compiler behind it, may read a variable with this name.
fn is_of_go(name: &str) -> bool {
    name.starts_with("GO") || name.starts_with("CGO_")
}

fn is_name(name: &str) -> bool {
    let may_be = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(may_be)
}

/// Returns the go.mod or go.work that GOMOD or GOWORK names; outside a project that is the null
/// device, nothing, or "off".
fn project_file(value: &str) -> Option<&Path> {
    let path = Path::new(value);
    (path.is_absolute() && value != "/dev/null").then_some(path)
}

/// Says what a go.mod or go.work makes of GOTOOLCHAIN, if it asks for a go newer than this one
/// (`toolchain.Select`).
fn toolchain(gotoolchain: &str, values: &BTreeMap<String, String>, local: &str) -> Option<String> {
    let file = |name: &str| project_file(values.get(name)?);
    let path = file("GOWORK").or_else(|| file("GOMOD"))?;
    let text = bounded::read_text(path, MOST_BYTES).ok()?;
    let project = match file("GOWORK") {
        Some(_) => go_work::parse(&text),
        None => go_mod::parse(&text),
    };
    let shown = path.file_name()?.to_string_lossy();
    let (base, follows) = match gotoolchain.rsplit_once('+') {
        Some((name, mode)) => (
            go_version::of_toolchain(name)?,
            matches!(mode, "auto" | "path"),
        ),
        None if matches!(gotoolchain, "auto" | "path") => (local, true),
        None if gotoolchain == "local" => (local, false),
        None => (go_version::of_toolchain(gotoolchain)?, false),
    };
    let newer = |version: &str| go_version::compare(version, base).is_gt();
    let named = |line: &At<String>| {
        let version = go_version::of_toolchain(&line.value)?;
        newer(version).then(|| (line.value.clone(), line.line))
    };
    let asked = |line: &At<String>| {
        newer(&line.value).then(|| (go_version::toolchain_for(&line.value), line.line))
    };
    let least = project.go.as_ref().and_then(asked);
    if !follows {
        let (name, line) = least?;
        return Some(format!("{shown}:{line} needs {name}, and go stops"));
    }
    let (name, line) = project.toolchain.as_ref().and_then(named).or(least)?;
    Some(format!("{shown}:{line} makes go run {name}"))
}
