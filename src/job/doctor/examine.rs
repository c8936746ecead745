//! Gathers everything, in the one order: goroam's own house, then what wins over it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::facts::{Facts, House, Service};
use super::files::{Disk, Files};
use super::{gather, gomany, managers, meaning, programs};
use crate::agent::{Command, Error, Reply, Session};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, find};
use crate::ipc;
use crate::model::status::{AgentState, Status};
use crate::paths::Paths;

/// What the doctor is asked about.
#[derive(Debug)]
pub struct Patient {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The caller's folder.
    pub folder: PathBuf,
    /// The service, as the caller found it; `None`: it could not be told.
    pub service: Option<Service>,
}

/// Looks at everything. Changes nothing.
///
/// # Errors
/// When there is no home folder.
pub async fn examine(patient: Patient) -> Result<Facts, Error> {
    let Patient {
        config,
        env,
        folder,
        service,
    } = patient;
    let paths = Paths::find(config.clone(), &env)?;
    let home = env.home().unwrap_or_default();
    let mut facts = Facts {
        house: House {
            service,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..House::default()
        },
        ..Facts::default()
    };
    let mut names: BTreeSet<String> = meaning::NAMES.map(str::to_owned).into();
    own(&mut facts, &mut names, config, &env, &paths).await;
    go(&mut facts, &env, &paths).await;
    gather::files(&mut facts, &Disk, &env, &home, &folder, &names);
    managers::look(&mut facts, &env, &names).await;
    programs::look(&mut facts, &home, &names);
    Ok(facts)
}

/// goroam's own house: policy, file, agent.
async fn own(
    facts: &mut Facts,
    names: &mut BTreeSet<String>,
    config: Option<PathBuf>,
    env: &Environment,
    paths: &Paths,
) {
    let session = match Session::open(config.clone(), env.clone()) {
        Ok(session) => Some(session),
        Err(error) => {
            facts.house.policy_error = Some(error.to_string());
            Session::open_to_restore(config, env.clone()).ok()
        }
    };
    let mut managed = BTreeSet::new();
    if let Some(session) = &session {
        let loaded = &session.loaded;
        for profile in &loaded.policy.profiles {
            managed.extend(profile.env.keys().cloned());
        }
        if !loaded.warnings.is_empty() && facts.house.policy_error.is_none() {
            facts.house.policy_warnings = Some((loaded.warnings.len(), loaded.origin()));
        }
    }
    facts.house.status = match ask(paths).await {
        Ok(status) => {
            facts.house.agent = true;
            Some(status)
        }
        Err(error) => {
            // One that is there and does not answer well says why.
            let trouble = (!matches!(error, Error::NoAgent)).then(|| error.to_string());
            let mut status = session.as_ref().map(Session::status);
            if let (Some(trouble), Some(status)) = (trouble, &mut status) {
                status.troubles.push(trouble);
            }
            status
        }
    };
    let mut lines = facts
        .house
        .status
        .as_ref()
        .map(Status::lines)
        .unwrap_or_default();
    for name in &managed {
        lines.entry(name.clone()).or_insert(None);
    }
    names.extend(lines.keys().cloned());
    facts.written = lines;
    env_file(facts, env, session.as_ref());
}

/// The file that goroam looks after: the one that it has changed, else the one that go uses
/// where GOENV says nothing.
fn env_file(facts: &mut Facts, env: &Environment, session: Option<&Session>) {
    let kept = session.and_then(|session| session.baseline.as_ref());
    let without: Environment = env.iter().filter(|(name, _)| *name != "GOENV").collect();
    let usual = EnvFile::locate(&without).map(|file| file.path.display().to_string());
    facts.env_file = kept.map(|kept| kept.path.clone()).or(usual.ok());
    let located = match session {
        Some(session) => session.own_file(),
        None => EnvFile::locate(env).map_err(Error::from),
    };
    match located {
        Ok(file) => {
            facts.looked.push(file.path.display().to_string());
            facts.house.read_only = read_only(&file);
            if let Err(error) = file.read() {
                facts.house.env_file_error = Some(format!("{}: {error}", file.path.display()));
            }
        }
        // GOENV is found below, with the place that sets it: not told twice.
        Err(error) if env.get("GOENV").is_some() => {
            if let Some(status) = &mut facts.house.status {
                status.troubles.retain(|known| *known != error.to_string());
            }
        }
        Err(error) => facts.house.env_file_error = Some(error.to_string()),
    }
}

/// The file, or the nearest folder that there is, where it may not be written.
fn read_only(file: &EnvFile) -> Option<String> {
    let there = file.path.ancestors().find(|path| path.exists())?;
    let is_read_only = match there.metadata() {
        // Root may write what it says it may not, and Windows means something else by it.
        Ok(meta) => meta.permissions().readonly() && !(cfg!(windows) && meta.is_dir()),
        Err(_) => false,
    };
    is_read_only.then(|| there.display().to_string())
}

async fn ask(paths: &Paths) -> Result<Status, Error> {
    match ipc::ask(paths, Command::Status).await? {
        Reply::Status(status) => Ok(Status {
            agent: AgentState::Running,
            ..*status
        }),
        Reply::Turn(report) => Ok(report.status),
        Reply::Failed { error, exit } => Err(Error::FromAgent {
            message: error,
            exit,
        }),
    }
}

async fn go(facts: &mut Facts, env: &Environment, paths: &Paths) {
    let wish = crate::agent::load_policy(paths, env)
        .ok()
        .and_then(|loaded| loaded.policy.agent.go);
    facts.house.go_commands = gomany::on_path(env, &Disk as &dyn Files);
    // A go command that lies in a GOROOT on PATH is found without asking any.
    let must_look = facts.house.go_commands.is_empty() || wish.is_some();
    if must_look && let Err(error) = find::find(wish.as_deref(), env).await {
        facts.house.go_error = Some(error.to_string());
    }
}
