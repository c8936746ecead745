//! Gathers everything, in the one order: goroam's own house, then what wins over it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::{Facts, House, Service, Stop};
use super::files::{Disk, Files};
use super::{asked, gather, gomany, managers, meaning, network, programs, project, writable};
use crate::agent::{Command, Error, Reply, Session};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, GoCommand, find, run};
use crate::ipc;
use crate::model::status::{AgentState, Status};
use crate::paths::Paths;
use crate::trust;

/// What the doctor is asked about.
#[derive(Debug)]
pub struct Patient {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The caller's folder.
    pub folder: PathBuf,
    /// The project's folder, or one in it.
    pub project: PathBuf,
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
        project,
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
    names.extend(project::NAMES.map(str::to_owned));
    names.extend(asked::NAMES.map(str::to_owned));
    own(&mut facts, &mut names, config, &env, &paths).await;
    let command = go(&mut facts, &env, &paths).await;
    let loaded = crate::agent::load_policy(&paths, &env).ok();
    network::look(
        &mut facts,
        &env,
        loaded.as_ref().map(|loaded| &loaded.policy),
    );
    gather::files(&mut facts, &Disk, &env, &home, &folder, &names);
    managers::look(&mut facts, &env, &names).await;
    programs::look(&mut facts, &home, &names);
    project::look(&mut facts, &Disk, &env, &project);
    asked::look(&mut facts, &env, command.as_ref()).await;
    caches(&mut facts, &env, command.as_ref()).await;
    project::ask(&mut facts, &env, &project, command.as_ref()).await;
    network::goauth(&mut facts, &env);
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
    let without: Environment = env.all().filter(|(name, _)| *name != "GOENV").collect();
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

/// The file, its folder, or the nearest folder that there is, where it may not be written: by
/// the rules of whoever writes it (`gocmd::copy`).
fn read_only(file: &EnvFile) -> Option<String> {
    // What is written takes the place of what a link leads to.
    let path = dunce::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
    // A mode without any `w` is a wish, also where root could write. Of a folder on Windows it
    // means something else.
    let is_wish = |path: &Path| {
        let meta = path.metadata();
        meta.is_ok_and(|meta| meta.permissions().readonly() && !(cfg!(windows) && meta.is_dir()))
    };
    let folder = path.parent()?;
    let refused = match (path.exists(), folder.exists()) {
        (_, false) => folder
            .ancestors()
            .find(|path| path.exists())
            .filter(|path| trust::may_write(path).is_err()),
        (false, true) => {
            Some(folder).filter(|path| is_wish(path) || trust::may_write(path).is_err())
        }
        (true, true) => [path.as_path(), folder]
            .into_iter()
            .find(|path| is_wish(path) || trust::may_write(path).is_err()),
    };
    refused.map(|path| path.display().to_string())
}

/// Where go writes by default, and may not: after a `sudo go build`, for one.
async fn caches(facts: &mut Facts, env: &Environment, go: Option<&GoCommand>) {
    let Some(go) = go else { return };
    let Ok(values) = run::values(go, env, &["GOCACHE", "GOMODCACHE"]).await else {
        return;
    };
    for (name, value) in values {
        // What is set has a finding of its own.
        let is_same = |stop: &Stop| stop.value == value || stop.name == "GOPATH";
        let is_told = facts.stops.iter().any(is_same);
        if let Some(why) = writable::trouble(Path::new(&value)).filter(|_| !is_told) {
            facts.unwritable.push((name, value, why));
        }
    }
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

/// The go commands on PATH, and the one that goroam would run.
async fn go(facts: &mut Facts, env: &Environment, paths: &Paths) -> Option<GoCommand> {
    let wish = crate::agent::load_policy(paths, env)
        .ok()
        .and_then(|loaded| loaded.policy.agent.go);
    facts.house.go_commands = gomany::on_path(env, &Disk as &dyn Files);
    match find::find(wish.as_deref(), env).await {
        Ok(command) => Some(command),
        Err(error) => {
            // One on PATH is enough for the user.
            if facts.house.go_commands.is_empty() || wish.is_some() {
                facts.house.go_error = Some(error.to_string());
            }
            None
        }
    }
}
