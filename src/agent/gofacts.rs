//! The go command of this user, and the values of its variables that the policy refers to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use super::error::Error;
use super::present::managed;
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::{ApplyError, EnvFile, EnvText, GoCommand, find, run};
use crate::model::GoRelease;
use crate::policy::expand::expand;
use crate::policy::{EnvValue, Policy};
use crate::probe::GoClient;
use crate::state::Baseline;

/// The go command, and what it says of the variables that the policy refers to by `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoFacts {
    pub(crate) command: GoCommand,
    values: BTreeMap<String, String>,
    /// The lines of the go env file that the values rest on: those that goroam does not manage,
    /// and what those that it manages were before it did.
    lines: BTreeMap<String, String>,
    /// The names that the values were asked for.
    names: BTreeSet<String>,
    /// Those that the OS environment sets, which no line of the file can change.
    fixed: BTreeSet<String>,
    /// GOAUTH as it stands in the go env file now, else in GOROOT/go.env.
    goauth: Option<String>,
}

/// Variables that others take their default from.
const ROOTS: [&str; 2] = ["GOPATH", "GOPRIVATE"];

/// References within referred values are followed this far: two that name each other end.
const DEEPEST: usize = 8;

impl GoFacts {
    /// Finds go and asks it, or takes what is known already when nothing it rests on has changed.
    pub(crate) async fn gather(
        known: Option<&GoFacts>,
        policy: &Policy,
        env: &Environment,
        file: (&EnvFile, &EnvText),
        baseline: Option<&Baseline>,
    ) -> Result<GoFacts, Error> {
        let names = referred(policy);
        let managed = managed(policy, baseline);
        let lines = lines(file.1, &names, &managed, baseline);
        let mirror = policy.mirror.path.as_deref().and_then(|path| path.to_str());
        let mirror = mirror.filter(|_| names.contains("MIRROR"));
        let known = known
            .filter(|known| known.command.path.is_file())
            .filter(|known| known.values.get("MIRROR").map(String::as_str) == mirror);
        if let Some(known) = known
            && known.lines == lines
            && known.names == names
        {
            let goauth = goauth(Some(&known.command), file.1);
            return Ok(GoFacts {
                goauth,
                ..known.clone()
            });
        }
        let command = match known {
            Some(known) => known.command.clone(),
            None => find::find(policy.agent.go.as_deref(), env).await?,
        };
        let asked: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !matches!(*name, "HOME" | "MIRROR"))
            .collect();
        let mut values = BTreeMap::new();
        if !asked.is_empty() {
            let around = surroundings(env, &names, &managed, &lines);
            let around = around.as_ref().unwrap_or(env);
            values = run::values(&command, around, &asked)
                .await
                .map_err(ApplyError::Go)?;
        }
        if names.contains("GOENV") {
            let path = file.0.path.to_string_lossy().into_owned();
            values.insert("GOENV".to_owned(), path);
        }
        if let Some(home) = env.home().and_then(|home| home.to_str().map(str::to_owned)) {
            values.insert("HOME".to_owned(), home);
        }
        values.extend(mirror.map(|path| ("MIRROR".to_owned(), path.to_owned())));
        let fixed = resting_on(&names).filter(|name| env.get(name).is_some());
        Ok(GoFacts {
            goauth: goauth(Some(&command), file.1),
            command,
            values,
            fixed: fixed.map(str::to_owned).collect(),
            lines,
            names,
        })
    }

    /// How this go asks servers.
    pub(crate) fn manner(&self) -> GoClient {
        manner(Some(&self.command), self.goauth.clone())
    }

    /// `${NAME}` put in. What the same profile sets (`own`) counts as set already: the value
    /// must not depend on which profile was there before.
    pub(crate) fn expand(
        &self,
        text: &str,
        own: &BTreeMap<String, String>,
    ) -> Result<String, String> {
        self.expand_within(text, own, 0)
    }

    fn expand_within(
        &self,
        text: &str,
        own: &BTreeMap<String, String>,
        depth: usize,
    ) -> Result<String, String> {
        expand(text, &|name| {
            let own_value = |name: &str| {
                let text = own.get(name).filter(|_| !self.fixed.contains(name))?;
                Some(if depth < DEEPEST {
                    self.expand_within(text, own, depth + 1).ok()
                } else {
                    None
                })
            };
            if let Some(value) = own_value(name) {
                return value;
            }
            // `cfg.GOMODCACHE`: by default it lies in the first folder of GOPATH.
            if name == "GOMODCACHE"
                && !self.fixed.contains(name)
                && !self.lines.contains_key(name)
                && let Some(gopath) = own_value("GOPATH")
            {
                let first = gopath?.split(LIST_SEPARATOR).next()?.to_owned();
                return Some(format!("{first}{0}pkg{0}mod", std::path::MAIN_SEPARATOR));
            }
            let value = self.values.get(name);
            value.filter(|value| !value.is_empty()).cloned()
        })
    }
}

/// How go asks servers, where nothing else of it is wanted; without one as the newest does.
pub(crate) async fn manner_of(policy: &Policy, env: &Environment, text: &EnvText) -> GoClient {
    let found = find::find(policy.agent.go.as_deref(), env).await.ok();
    let goauth = goauth(found.as_ref(), text);
    manner(found.as_ref(), goauth)
}

fn manner(command: Option<&GoCommand>, goauth: Option<String>) -> GoClient {
    let release = command.map(|command| GoRelease {
        number: command.version.number,
    });
    GoClient {
        release: release.unwrap_or_default(),
        goauth,
    }
}

/// `cfg.Getenv`, without the environment: the user's file, else the one of the installation.
fn goauth(command: Option<&GoCommand>, text: &EnvText) -> Option<String> {
    if let Some(value) = text.get("GOAUTH") {
        return Some(value.to_owned());
    }
    let path = command?.goroot.join("go.env");
    let installed = EnvText(bounded::read(&path, MOST_GO_ENV).ok()?);
    installed.get("GOAUTH").map(str::to_owned)
}

/// GOROOT/go.env has half a kilobyte.
const MOST_GO_ENV: u64 = 64 * 1024;

/// What stands between the folders of GOPATH.
const LIST_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// The names, and those that they take their default from.
fn resting_on(names: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    let roots = ROOTS.into_iter().filter(|root| !names.contains(*root));
    names.iter().map(String::as_str).chain(roots)
}

/// The lines of the file that the values rest on, as they were before goroam.
fn lines(
    text: &EnvText,
    names: &BTreeSet<String>,
    managed: &BTreeSet<String>,
    baseline: Option<&Baseline>,
) -> BTreeMap<String, String> {
    let foreign = text.names().into_iter().filter_map(|name| {
        let value = text.get(name).filter(|_| !managed.contains(name))?;
        Some((name.to_owned(), value.to_owned()))
    });
    let before = resting_on(names).filter_map(|name| {
        managed.get(name)?;
        let kept = baseline.and_then(|baseline| baseline.values.get(name));
        let value = match kept {
            Some(value) => value.clone(),
            None => text.get(name).map(str::to_owned),
        };
        Some((name.to_owned(), value?))
    });
    BTreeMap::from_iter(foreign.chain(before))
}

/// The environment in which go answers as if goroam had written nothing; `None`: no value
/// rests on anything that goroam writes, so go may read its file.
fn surroundings(
    env: &Environment,
    names: &BTreeSet<String>,
    managed: &BTreeSet<String>,
    lines: &BTreeMap<String, String>,
) -> Option<Environment> {
    resting_on(names).find(|name| managed.contains(*name))?;
    let lines = resting_on(names)
        .filter(|name| env.get(name).is_none())
        .filter_map(|name| Some((name, OsStr::new(lines.get(name)?))));
    let off = [("GOENV", OsStr::new("off"))];
    Some(env.all().chain(lines).chain(off).collect())
}

/// Every `${NAME}` of the policy.
fn referred(policy: &Policy) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let note = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        Some(String::new())
    };
    for value in policy
        .profiles
        .iter()
        .flat_map(|profile| profile.env.values())
    {
        let text = match value {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { then, .. } => then.as_ref(),
        };
        // A text that does not expand was refused when the policy was read.
        let _ = text.map(|text| expand(text, &note));
    }
    names.into_inner()
}
