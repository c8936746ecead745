//! The go command of this user, and the values of its variables that the policy refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use super::drift::managed;
use super::error::Error;
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::{ApplyError, EnvFile, EnvText, GoCommand, find, run};
use crate::model::GoRelease;
use crate::policy::Policy;
use crate::policy::expand::expand;
use crate::probe::GoClient;
use crate::state::Baseline;

/// The go command, and its values of the variables that the policy refers to by `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoFacts {
    pub(crate) command: GoCommand,
    values: BTreeMap<String, String>,
    /// The lines of the go env file that the values depend on: variables that goroam does not
    /// manage as they are, and managed variables as they were before goroam.
    lines: BTreeMap<String, String>,
    /// The names whose values were asked for.
    names: BTreeSet<String>,
    /// The names that the OS environment sets, which no line of the file can change.
    fixed: BTreeSet<String>,
    /// GOAUTH from the current go env file, otherwise from GOROOT/go.env.
    goauth: Option<String>,
}

/// Variables that other variables take their default from.
const ROOTS: [&str; 2] = ["GOPATH", "GOPRIVATE"];

/// References within referenced values are followed to this depth; two that name each other end
/// here.
const DEEPEST: usize = 8;

impl GoFacts {
    /// Finds go and asks it, or reuses known facts if nothing that they depend on has changed.
    pub(crate) async fn gather(
        known: Option<&GoFacts>,
        policy: &Policy,
        env: &Environment,
        file: (&EnvFile, &EnvText),
        baseline: Option<&Baseline>,
    ) -> Result<GoFacts, Error> {
        let names = policy.references();
        let roots = ROOTS.into_iter().filter(|root| !names.contains(*root));
        let inputs: Vec<&str> = names.iter().map(String::as_str).chain(roots).collect();
        let managed = managed(policy, baseline);
        let lines = lines_before_goroam(file.1, &inputs, &managed, baseline);
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
        let mut asked: Vec<&str> = names.iter().map(String::as_str).collect();
        asked.retain(|name| !matches!(*name, "HOME" | "MIRROR"));
        let mut values = BTreeMap::new();
        if !asked.is_empty() {
            // If goroam sets one of them, go is asked as if goroam had written nothing.
            let is_managed = inputs.iter().any(|name| managed.contains(*name));
            let without = is_managed.then(|| without_goroam(env, &inputs, &lines));
            values = run::values(&command, without.as_ref().unwrap_or(env), &asked)
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
        let fixed = inputs.into_iter().filter(|name| env.get(name).is_some());
        Ok(GoFacts {
            goauth: goauth(Some(&command), file.1),
            command,
            values,
            fixed: fixed.map(str::to_owned).collect(),
            lines,
            names,
        })
    }

    /// Returns how this go asks servers.
    pub(crate) fn manner(&self) -> GoClient {
        manner(Some(&self.command), self.goauth.clone())
    }

    /// Replaces `${NAME}`. Values that the same profile sets (`own`) count as set already: the
    /// value must not depend on the profile that was active before.
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
                let nested = (depth < DEEPEST).then(|| self.expand_within(text, own, depth + 1));
                Some(nested.and_then(Result::ok))
            };
            if let Some(value) = own_value(name) {
                return value;
            }
            // `cfg.GOMODCACHE`: by default it is in the first directory of GOPATH.
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

/// Returns how go asks servers, when nothing else about go is needed. Without a go command, assumes
/// the newest.
pub(crate) async fn manner_of(policy: &Policy, env: &Environment, text: &EnvText) -> GoClient {
    let found = find::find(policy.agent.go.as_deref(), env).await.ok();
    let goauth = goauth(found.as_ref(), text);
    manner(found.as_ref(), goauth)
}

fn manner(command: Option<&GoCommand>, goauth: Option<String>) -> GoClient {
    let release = command.map_or_else(GoRelease::default, |command| GoRelease {
        number: command.version.number,
    });
    GoClient { release, goauth }
}

/// `cfg.Getenv` without the environment: the user's file, otherwise the file of the installation.
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

/// The separator between the directories of GOPATH.
const LIST_SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// Returns the lines of the go env file that the values depend on, as they were before goroam.
fn lines_before_goroam(
    text: &EnvText,
    inputs: &[&str],
    managed: &BTreeSet<String>,
    baseline: Option<&Baseline>,
) -> BTreeMap<String, String> {
    let foreign = text.names().into_iter().filter_map(|name| {
        let value = text.get(name).filter(|_| !managed.contains(name))?;
        Some((name.to_owned(), value.to_owned()))
    });
    let ours = inputs.iter().filter(|name| managed.contains(**name));
    let before = ours.filter_map(|name| {
        let value = match baseline.and_then(|baseline| baseline.values.get(*name)) {
            Some(value) => value.clone(),
            None => text.get(name).map(str::to_owned),
        };
        Some(((*name).to_owned(), value?))
    });
    foreign.chain(before).collect()
}

/// The environment in which go answers as if goroam had written nothing: it holds the lines, and
/// replaces the file.
fn without_goroam(
    env: &Environment,
    inputs: &[&str],
    lines: &BTreeMap<String, String>,
) -> Environment {
    let lines = inputs
        .iter()
        .filter(|name| env.get(name).is_none())
        .filter_map(|name| Some((*name, OsStr::new(lines.get(*name)?))));
    let off = [("GOENV", OsStr::new("off"))];
    env.all().chain(lines).chain(off).collect()
}
