//! goroam's own state: policy, go env file, go command, agent, service.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::facts::{DoctorFacts, ServiceFacts};
use super::files::{Disk, Files};
use super::finding::Severity::{Error, Note, Warning};
use super::finding::{Code, DoctorFinding};
use crate::agent::{self, Command, Reply, Session};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, GoCommand, GoVersion, find};
use crate::ipc;
use crate::model::observation::DISTRUSTED;
use crate::model::status::{AgentState, Status, TelemetryStatus};
use crate::model::{mask, plural};
use crate::paths::Paths;
use crate::policy::Policy;
use crate::relay::setup::VARIABLES;
use crate::trust;

/// Reads the policy, the state of the agent and the go env file.
pub(super) async fn look(
    facts: &mut DoctorFacts,
    config: Option<PathBuf>,
    env: &Environment,
    paths: &Paths,
) {
    let session = match Session::open(config.clone(), env.clone()) {
        Ok(session) => {
            let warnings = session.loaded.warnings.len();
            if warnings > 0 {
                let warnings = plural(warnings, "warning");
                let says = format!("{} has {warnings}", session.loaded.origin());
                facts.add(Code::PolicyWarnings, Note, says, "", "run `goroam check`");
            }
            Some(session)
        }
        Err(error) => {
            let why = "Until then the previous policy, or none, is in effect.";
            let fix = "run `goroam check`";
            facts.add(Code::PolicyUnusable, Error, error.to_string(), why, fix);
            Session::open_to_restore(config, env.clone()).ok()
        }
    };
    let mut status = match ask(paths).await {
        Ok(status) => {
            facts.agent = true;
            Some(status)
        }
        Err(error) => {
            let mut status = session.as_ref().map(Session::status);
            // A running agent that answers badly gives the reason.
            if let Some(status) = &mut status
                && !matches!(error, agent::Error::NoAgent)
            {
                status.troubles.push(error.to_string());
            }
            status
        }
    };
    facts.written = status.as_ref().map(Status::lines).unwrap_or_default();
    let profiles = session
        .iter()
        .flat_map(|session| &session.loaded.policy.profiles);
    for name in profiles.flat_map(|profile| profile.env.keys()) {
        facts.written.entry(name.clone()).or_insert(None);
    }
    // A running agent has reported it.
    if let Some(session) = session.as_ref().filter(|_| !facts.agent)
        && let Some(path) = &session.loaded.policy.metrics.textfile
        && let Err(error) = trust::may_write(path.parent().unwrap_or(path))
    {
        let says = format!("cannot write the metrics to {}: {error}", path.display());
        let fix = "make the directory writable for this user, or set another `textfile`";
        facts.add(Code::Trouble, Warning, says, "", fix);
    }
    env_file(facts, env, session.as_ref(), status.as_mut());
    facts.status = status;
}

async fn ask(paths: &Paths) -> Result<Status, agent::Error> {
    match ipc::ask(paths, Command::Status).await? {
        Reply::Status(status) => Ok(Status {
            agent: AgentState::Running,
            ..*status
        }),
        Reply::Turn(report) => Ok(report.status),
        Reply::Failed { error, exit } => Err(agent::Error::FromAgent {
            message: error,
            exit,
        }),
    }
}

/// Returns the file that goroam writes: the one that it has changed, or else the one that go uses
/// if GOENV is not set.
fn env_file(
    facts: &mut DoctorFacts,
    env: &Environment,
    session: Option<&Session>,
    status: Option<&mut Status>,
) {
    let kept = session.and_then(|session| session.baseline.as_ref());
    let without: Environment = env.all().filter(|(name, _)| *name != "GOENV").collect();
    let usual = EnvFile::locate(&without).map(|file| file.path.display().to_string());
    facts.env_file = kept.map(|kept| kept.path.clone()).or(usual.ok());
    let located = match session {
        Some(session) => session.own_file(),
        None => EnvFile::locate(env).map_err(agent::Error::from),
    };
    let error = match located {
        Ok(file) => {
            facts.looked.push(file.path.display().to_string());
            if let Some(path) = read_only(&file) {
                let says = format!("cannot write {path}");
                let fix = "make it writable for this user, or run goroam as its owner";
                facts.add(Code::EnvFileReadOnly, Error, says, "", fix);
            }
            match file.read() {
                Ok(_) => return,
                Err(error) => format!("{}: {error}", file.path.display()),
            }
        }
        // The place that sets GOENV has its own finding.
        Err(error) if env.get("GOENV").is_some() => {
            if let Some(status) = status {
                status.troubles.retain(|known| *known != error.to_string());
            }
            return;
        }
        Err(error) => error.to_string(),
    };
    let fix = "fix that; goroam writes nothing until then";
    facts.add(Code::NoEnvFile, Error, error, "", fix);
}

/// Returns the first of these that cannot be written: the file, its directory, or the nearest
/// existing directory. Uses the rules of the code that writes the file (`gocmd::copy`).
fn read_only(file: &EnvFile) -> Option<String> {
    // A new file replaces the target of a link, not the link.
    let path = dunce::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
    // A mode without any `w` is the user's intention, even if root could write. On Windows the
    // attribute has another meaning for directories.
    let is_intended = |path: &Path| {
        let meta = path.metadata();
        meta.is_ok_and(|meta| meta.permissions().readonly() && !(cfg!(windows) && meta.is_dir()))
    };
    let folder = path.parent()?;
    let file = Some(path.as_path()).filter(|path| path.exists());
    let nearest = folder.ancestors().find(|path| path.exists());
    let mut all = file.into_iter().chain(nearest);
    // A missing directory is created, whatever the mode of its parent.
    let is_intended = |path: &Path| folder.exists() && is_intended(path);
    let refused = all.find(|path| is_intended(path) || trust::may_write(path).is_err());
    refused.map(|path| path.display().to_string())
}

/// Finds the go commands on PATH, and the one that goroam would run.
pub(super) async fn go(
    facts: &mut DoctorFacts,
    env: &Environment,
    policy: Option<&Policy>,
) -> Option<GoCommand> {
    facts.go_commands = on_path(env);
    if facts.go_commands.len() > 1 {
        let shown = |(path, version): &(String, String)| format!("{path} ({version})");
        let all: Vec<String> = facts.go_commands.iter().map(shown).collect();
        let says = format!("several go commands are on PATH: {}", all.join(", "));
        let fix = "nothing if this is intended; else remove all but one from PATH";
        let why = "They read the same go env file, but older ones know fewer variables.";
        facts.add(Code::SeveralGo, Note, says, why, fix);
    }
    let named = policy.and_then(|policy| policy.agent.go.as_deref());
    match find::find(named, env).await {
        Ok(command) => Some(command),
        Err(error) => {
            // A go command on PATH is enough for the user.
            if facts.go_commands.is_empty() || named.is_some() {
                let fix = "install Go, or set `go` in [agent]";
                facts.add(Code::NoGo, Error, error.to_string(), "", fix);
            }
            None
        }
    }
}

/// Returns path and version of each go command on PATH, in its order; only the first of each
/// version. Reads the version from `GOROOT/VERSION`, without running go. Shims of version managers
/// have none.
fn on_path(env: &Environment) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let path = env.get("PATH").unwrap_or_default();
    let name = if cfg!(windows) { "go.exe" } else { "go" };
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let program = folder.join(name);
        if !Disk.is_file(&program) {
            continue;
        }
        let real = dunce::canonicalize(&program).unwrap_or_else(|_| program.clone());
        let version = real
            .parent()
            .and_then(Path::parent)
            .and_then(|root| Disk.read(&root.join("VERSION")).ok().flatten())
            .and_then(|text| GoVersion::parse(&text));
        if let Some(version) = version
            && !found.iter().any(|(_, known)| *known == version.text)
        {
            found.push((program.display().to_string(), version.text));
        }
    }
    found
}

/// Reports what this shell has of the variables that the relay goes by: a variable of the environment
/// overrides the go env file for this shell's go, and the agent's relay reads the file.
pub(super) fn relay(facts: &mut DoctorFacts, env: &Environment, policy: Option<&Policy>) {
    if !policy.is_some_and(|policy| policy.relay.enabled) {
        return;
    }
    for name in VARIABLES {
        // go takes an empty one as not set.
        let value = mask(env.get(name).unwrap_or_default());
        let in_file = facts.line(name).map(|line| line.value.as_str());
        if value.is_empty() || in_file == Some(&value) {
            continue;
        }
        let (says, why) = match name {
            "GOPROXY" => (
                format!("GOPROXY is set in this shell: {value}"),
                "go asks that and not goroam's relay.",
            ),
            _ => (
                format!(
                    "{name} is set in this shell, where goroam's relay does not see it: {value}"
                ),
                "go follows it; the relay follows the go env file, and may treat a module otherwise.",
            ),
        };
        let fix = format!("set {name} in the profile or with `go env -w`, and unset it here");
        let finding = DoctorFinding::new(Code::UnseenByRelay, Warning, says, why, &fix);
        facts.findings.push(finding.about(name));
    }
}

/// Without an agent, goroam does not do what the user expects.
const NOTHING_REACTS: &str = "Nothing reacts when the network changes.";

/// A shorter silence is usual: a laptop may be where its collector cannot be reached.
const LONGEST_SILENCE: SignedDuration = SignedDuration::from_hours(24);

/// Reports a collector that has got nothing for a day, and turns that it will never get.
fn exports(facts: &mut DoctorFacts, telemetry: &TelemetryStatus, now: Timestamp) {
    let dropped = match telemetry.dropped {
        0 => String::new(),
        dropped => format!("the traces of {dropped} turns are lost"),
    };
    let long = telemetry.unsent.map(|since| now.duration_since(since));
    if let Some(silence) = long.filter(|silence| *silence >= LONGEST_SILENCE) {
        let hours = silence.as_hours();
        let why = telemetry.failed.as_deref().unwrap_or("no export succeeded");
        let says = format!("{} has got nothing for {hours} h: {why}", telemetry.otlp);
        let fix = "correct `[telemetry]` in the policy, or set `otlp = \"off\"`";
        facts.add(Code::NotExported, Warning, says, &dropped, fix);
    } else if telemetry.dropped > 0 {
        let fix = "nothing: the journal has them, see `goroam history`";
        facts.add(Code::NotExported, Note, dropped, "", fix);
    }
}

/// Reports the state of the agent and the service. A target in `distrusted` already has a finding.
pub(super) fn report(
    facts: &mut DoctorFacts,
    distrusted: &[String],
    service: Option<&ServiceFacts>,
) {
    let status = facts.status.clone();
    if let Some(status) = &status {
        let or_none = |value: &Option<String>| value.clone().unwrap_or("no line".to_owned());
        for drift in &status.drift {
            let says = format!(
                "{} in the go env file was changed by another program or by hand: {}",
                drift.name,
                or_none(&drift.found)
            );
            let why = format!("goroam wrote: {}.", or_none(&drift.wrote));
            let fix = "run `goroam once` to set it again";
            let finding = DoctorFinding::new(Code::Drift, Warning, says, why, fix);
            facts.findings.push(finding.about(&drift.name));
        }
        for trouble in &status.troubles {
            let is_target = |target: &String| trouble.starts_with(&format!("{target}: "));
            let mut own = facts
                .findings
                .iter()
                .filter(|one| one.code == Code::NoEnvFile);
            let is_known = own.any(|one| one.says.contains(trouble) || trouble.contains(&one.says))
                || trouble.contains(DISTRUSTED) && distrusted.iter().any(is_target);
            if !is_known {
                facts.add(Code::Trouble, Warning, trouble, "", "see `goroam status`");
            }
        }
        if let Some(telemetry) = &status.telemetry {
            exports(facts, telemetry, Timestamp::now());
        }
    }
    let is_installed = service.is_some_and(|service| service.installed);
    match &status {
        // A service that does not run the agent has its own finding.
        _ if !facts.agent && is_installed => {}
        _ if !facts.agent => {
            let says = "no agent is running";
            let fix = "run `goroam service install`, or `goroam agent` in a terminal";
            facts.add(Code::NoAgent, Note, says, NOTHING_REACTS, fix);
        }
        Some(status) => {
            let own = env!("CARGO_PKG_VERSION");
            if status.version.as_deref() != Some(own) {
                let version = status.version.as_deref().unwrap_or("of an older version");
                let says = format!("the agent is goroam {version}, this is goroam {own}");
                let why = "The old version keeps running until then.";
                let fix = "run `goroam service restart`, or restart the agent";
                facts.add(Code::AgentOutdated, Warning, says, why, fix);
            }
            if status.paused {
                let says = "goroam is paused: it writes nothing";
                facts.add(Code::Paused, Note, says, "", "run `goroam auto` to resume");
            }
        }
        None => {}
    }
    let Some(service) = service else { return };
    // An agent that was started in another way needs no service.
    if !service.installed && facts.agent {
        let says = "goroam does not start at login";
        let fix = "run `goroam service install`";
        facts.add(Code::ServiceMissing, Note, says, "", fix);
    }
    if !service.installed {
        return;
    }
    // A trouble of the service explains better why it does not run.
    if !service.running && !facts.agent && service.troubles.is_empty() {
        let says = format!("{} is installed but not running", service.kind);
        let fix = "run `goroam service start`; `goroam service logs` shows why it ended";
        facts.add(Code::ServiceStopped, Warning, says, NOTHING_REACTS, fix);
    }
    for trouble in &service.troubles {
        let fix = "see `goroam service status`";
        facts.add(Code::ServiceTrouble, Warning, trouble, "", fix);
    }
}
