//! The section `[[project]]` that holds in a directory, and the values that it gives to go there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::{EnvFile, EnvText};
use crate::gomod::go_mod;
use crate::model::{Chain, mask};
use crate::policy::expand::expand;
use crate::policy::{Policy, USUAL, project_leak};

/// The section that holds in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectHere {
    /// Its place as written in the policy.
    pub name: String,
    /// What it sets here: without the variables that the environment sets.
    pub env: BTreeMap<String, String>,
    /// Why it sets nothing here, if its values cannot be used.
    pub refused: Option<String>,
}

impl ProjectHere {
    /// Finds the section for a directory. A file in it can only make a section hold: its go.mod is
    /// read for the module's path alone. `env`: without what a hook has exported for a project.
    pub fn find(policy: &Policy, env: &Environment, folder: &Path) -> Option<ProjectHere> {
        if policy.projects.is_empty() {
            return None;
        }
        let real = |path: &Path| dunce::canonicalize(path).ok();
        let here = real(folder)?;
        // Through a link in a repository, go builds that repository's module.
        let is_same = |name| above(folder, name) == above(&here, name);
        let is_entered = std::cell::OnceCell::new();
        let is_in = |dir: &Path| {
            real(dir).is_some_and(|dir| here.starts_with(dir))
                && *is_entered.get_or_init(|| is_same("go.mod") && is_same("go.work"))
        };
        let project = policy.project(&is_in, &|| main_module(folder))?;
        let mut found = ProjectHere {
            name: project.rules.name.clone(),
            env: BTreeMap::new(),
            refused: None,
        };
        let home = env.home();
        let text = |path: Option<&PathBuf>| path?.to_str().map(str::to_owned);
        let lookup = |name: &str| match name {
            "HOME" => text(home.as_ref()),
            "MIRROR" => text(policy.mirror.path.as_ref()),
            _ => None,
        };
        // What is exported counts more, as everywhere in go.
        let values = project.values().filter(|(name, _)| env.get(name).is_none());
        for (name, value) in values {
            match expand(value, &lookup) {
                Ok(value) => drop(found.env.insert(name.to_owned(), value)),
                Err(why) => found.refused = Some(format!("{name}: {why}")),
            }
        }
        found.refused = found.refused.or_else(|| leak(policy, env, &found.env));
        if found.refused.is_some() {
            found.env.clear();
        }
        Some(found)
    }

    /// Returns the environment for a command that runs here.
    pub fn laid_over(&self, env: &Environment) -> Environment {
        let all = env.all().map(|(name, value)| (name, value.to_owned()));
        let own = self.env.iter();
        all.chain(own.map(|(name, value)| (name.as_str(), value.into())))
            .collect()
    }

    /// Says that it is not used, and why.
    pub fn refusal(&self) -> Option<String> {
        let why = self.refused.as_ref()?;
        Some(format!("project {} is not used: {why}", self.name))
    }
}

/// Says which private names these values would show, beside what go uses without them.
fn leak(policy: &Policy, env: &Environment, own: &BTreeMap<String, String>) -> Option<String> {
    let file = EnvFile::locate(env).ok();
    let file = file.and_then(|file| file.read().ok()?);
    let file = file.unwrap_or(EnvText(Vec::new()));
    let before = |name: &str| env.get(name).or_else(|| file.get(name)).map(str::to_owned);
    let own = |name: &str| own.get(name).cloned();
    let chain = own("GOPROXY").or_else(|| before("GOPROXY"));
    let chain = Chain::parse(chain.as_deref().unwrap_or(USUAL));
    project_leak(policy, &chain.ok()?, &own, &before).map(|why| mask(&why))
}

/// The maximum number of bytes of a go.mod that is read for its module's path.
const MOST: u64 = 1 << 20;

/// Returns the nearest file of this name, as go finds it (`modload.findModuleRoot`), without links.
fn above(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut files = folder.ancestors().map(|folder| folder.join(name));
    dunce::canonicalize(files.find(|file| file.is_file())?).ok()
}

/// Returns the path in the nearest go.mod.
fn main_module(folder: &Path) -> Option<String> {
    let text = bounded::read_text(&above(folder, "go.mod")?, MOST).ok()?;
    Some(go_mod::parse(&text).module?.value)
}

/// Returns this process's directory by the name that the shell has for it: go finds a go.mod above
/// a link by that name (`os.Getwd`).
///
/// # Errors
/// If the directory is gone.
pub fn current_folder(env: &Environment) -> io::Result<PathBuf> {
    let real = std::env::current_dir()?;
    let named = env.path("PWD").filter(|path| path.is_absolute());
    let is_same = |path: &PathBuf| {
        let (own, other) = (dunce::canonicalize(&real), dunce::canonicalize(path));
        own.is_ok_and(|own| other.is_ok_and(|other| own == other))
    };
    Ok(named.filter(is_same).unwrap_or(real))
}
