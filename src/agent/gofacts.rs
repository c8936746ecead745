//! The go command of this user, and the values of its variables that the policy refers to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use crate::environment::Environment;
use crate::gocmd::ApplyError;
use crate::gocmd::{EnvText, GoCommand, find, run};
use crate::policy::expand::expand;
use crate::policy::{EnvValue, Policy};

/// The go command, and what it says of the variables that the policy refers to by `${NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoFacts {
    pub(crate) command: GoCommand,
    values: BTreeMap<String, String>,
    /// The lines of the go env file that goroam does not manage: they may change the values.
    foreign: BTreeMap<String, String>,
    /// The names that the values were asked for.
    names: BTreeSet<String>,
}

impl GoFacts {
    /// Finds go and asks it, or takes what is known already when nothing it rests on has changed.
    pub(crate) async fn gather(
        known: Option<&GoFacts>,
        policy: &Policy,
        env: &Environment,
        text: &EnvText,
    ) -> Result<GoFacts, Error> {
        let names = referred(policy);
        let managed = policy.managed();
        let foreign: BTreeMap<String, String> = text
            .names()
            .into_iter()
            .filter(|name| !managed.contains(name))
            .filter_map(|name| Some((name.to_owned(), text.get(name)?.to_owned())))
            .collect();
        let known = known.filter(|known| known.command.path.is_file());
        if let Some(known) = known
            && known.foreign == foreign
            && known.names == names
        {
            return Ok(known.clone());
        }
        let command = match known {
            Some(known) => known.command.clone(),
            None => find::find(policy.agent.go.as_deref(), env).await?,
        };
        let asked: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|n| *n != "HOME")
            .collect();
        let mut values = match asked.is_empty() {
            true => BTreeMap::new(),
            false => run::values(&command, env, &asked)
                .await
                .map_err(ApplyError::Go)?,
        };
        if let Some(home) = env.home().and_then(|home| home.to_str().map(str::to_owned)) {
            values.insert("HOME".to_owned(), home);
        }
        Ok(GoFacts {
            command,
            values,
            foreign,
            names,
        })
    }

    /// `${NAME}` put in.
    pub(crate) fn expand(&self, text: &str) -> Result<String, String> {
        expand(text, &|name| {
            self.values
                .get(name)
                .filter(|value| !value.is_empty())
                .cloned()
        })
    }
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
