//! The user's systemd: a unit that starts `goroam agent` with the session.
//!
//! A unit installed by a package is used as it is if it starts this very program. Otherwise goroam
//! writes a unit into the user's own directory, where it overrides the package's.

mod manager;
mod program;
mod surroundings;
mod unit;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::site::{Site, own_uid, refuse_foreign_home};
use super::step::{Logs, ServiceError, ServiceRequest, ServiceState, ServiceStep};
use crate::bounded;
use manager::Manager;
use unit::{MOST_UNIT, Owner, UNIT};

/// The drop-in's name, in the unit's drop-in directory. The number leaves room for later ones.
const DROP_IN: &str = "10-environment.conf";

/// The steps that a request takes.
///
/// # Errors
/// When systemd does not run or cannot be asked, or the service is not safe or not installed.
pub fn plan(wish: ServiceRequest, site: &Site) -> Result<Vec<ServiceStep>, ServiceError> {
    if wish == ServiceRequest::Install {
        // This check comes first: root may have no manager, and does not need one for a refusal.
        program::not_by_sudo(&site.env)?;
    }
    let manager = Manager::find(&site.env)?;
    let known = Known(manager.show()?);
    let verb = match wish {
        ServiceRequest::Install => return install(site, &manager, &known),
        ServiceRequest::Uninstall => return uninstall(site, &manager, &known),
        ServiceRequest::Start => "start",
        ServiceRequest::Stop => "stop",
        ServiceRequest::Restart => "restart",
    };
    if !known.is("LoadState", "loaded") {
        let why = "the service is not installed; run `goroam service install`";
        return Err(ServiceError::Failed(why.to_owned()));
    }
    Ok(vec![manager.systemctl(&[verb, UNIT])])
}

/// The state of the service.
///
/// # Errors
/// When systemd does not run or cannot be asked.
pub fn state(site: &Site) -> Result<ServiceState, ServiceError> {
    let manager = Manager::find(&site.env)?;
    let known = Known(manager.show()?);
    let pid = known.pid();
    let program = known.program();
    let mut troubles = Vec::new();
    if known.is("LoadState", "masked") {
        troubles.push(format!("it is masked; systemctl --user unmask {UNIT}"));
    }
    if known.is("ActiveState", "failed") || !known.is("Result", "success") && pid.is_none() {
        let result = known.get("Result");
        troubles.push(format!(
            "it has failed ({result}); see: goroam service logs"
        ));
    }
    if known.is("NeedDaemonReload", "yes") {
        troubles.push("its files were changed since; systemctl --user daemon-reload".to_owned());
    }
    if let Some(program) = &program {
        if !program.exists() {
            troubles.push(format!(
                "its program {} is not there any more; goroam service install",
                site.short(program)
            ));
        } else if pid.is_some_and(|pid| !runs(pid, program)) {
            troubles.push(
                "it still runs a program that was replaced since; goroam service restart"
                    .to_owned(),
            );
        }
        if !same_file(program, &site.program) {
            troubles.push(format!(
                "it starts {}, but this is {}; goroam service install changes it over",
                site.short(program),
                site.short(&site.program)
            ));
        }
    }
    if known.is("UnitFileState", "static") {
        troubles.push("its unit does not say when to start it: it has no [Install]".to_owned());
    } else if known.is("LoadState", "loaded") && !known.is_enabled() {
        troubles.push("it is not started at login; goroam service install".to_owned());
    }
    let active = known.get("ActiveState");
    Ok(ServiceState {
        kind: format!("systemd user unit {UNIT}"),
        installed: known
            .is("LoadState", "loaded")
            .then(|| known.get("FragmentPath").to_owned()),
        enabled: known.is_enabled(),
        pid,
        program,
        word: format!("{active} ({})", known.get("SubState")),
        lingers: manager.lingers(),
        troubles,
    })
}

/// The command that shows the log.
///
/// # Errors
/// When systemd does not run.
pub fn logs(site: &Site, logs: &Logs) -> Result<ServiceStep, ServiceError> {
    let manager = Manager::find(&site.env)?;
    let lines = logs.lines.to_string();
    let mut args = vec!["--unit", UNIT, "--lines", &lines];
    args.extend(logs.follow.then_some("--follow"));
    Ok(manager.command("journalctl", &args))
}

fn install(
    site: &Site,
    manager: &Manager,
    known: &Known,
) -> Result<Vec<ServiceStep>, ServiceError> {
    refuse_foreign_home(&site.home, own_uid())?;
    let mut told = program::check(&site.program, own_uid())?;
    if known.is("LoadState", "masked") {
        let why = format!(
            "{UNIT} is masked, which keeps it from being started; if that is over: \
             systemctl --user unmask {UNIT}"
        );
        return Err(ServiceError::Refused(why));
    }
    let places = Places::find(site, manager)?;
    let mut files = Vec::new();
    if unit::owner(&places.unit) == Owner::User {
        told.push(format!(
            "{} is not of `goroam service install`, so it stays as it is; with it out of the \
             way the shipped one would be used",
            site.short(&places.unit)
        ));
    } else if places
        .packaged
        .as_deref()
        .is_some_and(|packaged| starts(packaged, site))
    {
        files.push(ServiceStep::remove(&places.unit));
    } else {
        let text = unit::unit(&site.program).ok_or_else(|| unspeakable(&site.program))?;
        files.push(ServiceStep::Write(places.unit.clone(), text));
    }
    let policy = site.paths.policy_named.then_some(&*site.paths.policy);
    let found = surroundings::compare(&site.env, &manager.environment()?, policy);
    let names: Vec<&str> = found.vars.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    if found.vars.is_empty() {
        files.extend(places.without_drop_in());
    } else if unit::owner(&places.drop_in) == Owner::User {
        told.push(format!(
            "{} is not of `goroam service install`, so it stays as it is, and the service does \
             not get {names} as this shell has it; by another name it could stay beside goroam's",
            site.short(&places.drop_in)
        ));
    } else {
        let text = unit::drop_in(&found.vars).ok_or_else(|| unspeakable(&places.drop_in))?;
        files.push(ServiceStep::Write(places.drop_in.clone(), text));
        told.push(format!(
            "the service gets {names} as this shell has it; when that changes, install again"
        ));
    }
    told.extend(found.told);
    files.retain(is_to_be_done);
    let changed = !files.is_empty() || known.is("NeedDaemonReload", "yes");
    let fresh = known.pid().is_some_and(|pid| runs(pid, &site.program));

    let mut steps = files;
    if changed {
        steps.push(manager.systemctl(&["daemon-reload"]));
    }
    if !known.is_enabled() || changed {
        steps.push(manager.systemctl(&["enable", UNIT]));
    }
    if let Some(pid) = other_agent(site, known.pid()) {
        steps.push(ServiceStep::Tell(format!(
            "another agent of this user runs (pid {pid}); the service takes over"
        )));
        steps.push(ServiceStep::EndAgent);
    }
    if changed || !fresh {
        steps.push(manager.systemctl(&["restart", UNIT]));
    }
    if manager.lingers() == Some(false) {
        told.push(
            "it runs from the first login to the last logout; where nobody logs in: \
             loginctl enable-linger"
                .to_owned(),
        );
    }
    steps.extend(told.into_iter().map(ServiceStep::Tell));
    Ok(steps)
}

fn uninstall(
    site: &Site,
    manager: &Manager,
    known: &Known,
) -> Result<Vec<ServiceStep>, ServiceError> {
    let places = Places::find(site, manager)?;
    let mut steps = Vec::new();
    let owner = unit::owner(&places.unit);
    if known.is("LoadState", "loaded") || known.pid().is_some() {
        if owner == Owner::User && places.unit.is_symlink() {
            // `disable` also removes such a link, which the user has created.
            steps.push(manager.systemctl(&["stop", UNIT]));
            steps.push(ServiceStep::remove(places.wants().join(UNIT)));
        } else {
            steps.push(manager.systemctl(&["disable", "--now", UNIT]));
        }
    }
    match owner {
        Owner::Nobody => {}
        Owner::Goroam => steps.push(ServiceStep::remove(&places.unit)),
        Owner::User => steps.push(ServiceStep::Tell(format!(
            "{} is not of `goroam service install`, so it stays",
            site.short(&places.unit)
        ))),
    }
    steps.extend(places.without_drop_in());
    for path in places.folders() {
        steps.push(ServiceStep::RemoveEmpty(path));
    }
    if let Some(others) = places.other_drop_ins() {
        steps.push(ServiceStep::Tell(format!(
            "changes of your own stay: {}",
            site.short(&others)
        )));
    }
    if other_agent(site, known.pid()).is_none() {
        let files = [site.paths.agent_lock(), site.paths.socket()];
        steps.extend(files.map(ServiceStep::remove));
        steps.push(ServiceStep::RemoveEmpty(site.paths.runtime.clone()));
    }
    steps.push(manager.systemctl(&["daemon-reload"]));
    if known.is("ActiveState", "failed") {
        steps.push(manager.systemctl(&["reset-failed", UNIT]).may_fail());
    }
    Ok(steps)
}

/// The unit's properties as systemd reports them.
struct Known(BTreeMap<String, String>);

impl Known {
    fn get(&self, property: &str) -> &str {
        self.0.get(property).map(String::as_str).unwrap_or_default()
    }

    fn is(&self, property: &str, value: &str) -> bool {
        self.get(property) == value
    }

    fn is_enabled(&self) -> bool {
        self.get("UnitFileState").starts_with("enabled")
    }

    fn pid(&self) -> Option<u32> {
        self.get("MainPID").parse().ok().filter(|pid| *pid > 0)
    }

    /// Extracts the program from `{ path=/usr/bin/goroam ; argv[]=… }`.
    fn program(&self) -> Option<PathBuf> {
        let (_, rest) = self.get("ExecStart").split_once("path=")?;
        let (path, _) = rest.split_once(" ; ")?;
        Some(PathBuf::from(path))
    }
}

/// The locations of the unit's files, whether they exist or not.
struct Places {
    /// The unit in the user's own directory.
    unit: PathBuf,
    drop_in: PathBuf,
    /// A unit that a package or the administrator has installed.
    packaged: Option<PathBuf>,
    home: PathBuf,
}

impl Places {
    fn find(site: &Site, manager: &Manager) -> Result<Places, ServiceError> {
        let folders = manager.folders()?;
        let usual = site.home.join(".config/systemd/user");
        // The manager's own XDG_CONFIG_HOME counts, not this shell's. A variable that was set after
        // the manager's start does not count, so the directory must be one of the manager's.
        let its = manager.environment()?;
        let named = its.get("XDG_CONFIG_HOME").map(Path::new);
        let named = named.map(|config| config.join("systemd/user"));
        let own = named.filter(|folder| folder.is_absolute() && folders.contains(folder));
        let own = own.unwrap_or(usual);
        let mut others = folders.iter().filter(|folder| **folder != own);
        let packaged = others.find_map(|folder| {
            let unit = folder.join(UNIT);
            (folder.is_absolute() && unit.is_file()).then_some(unit)
        });
        Ok(Places {
            unit: own.join(UNIT),
            drop_in: own.join(format!("{UNIT}.d")).join(DROP_IN),
            packaged,
            home: site.home.clone(),
        })
    }

    /// Returns the directory of drop-ins, if it contains files of the user.
    fn other_drop_ins(&self) -> Option<PathBuf> {
        let folder = self.drop_in.parent()?;
        let mut entries = std::fs::read_dir(folder).ok()?.flatten();
        let others = entries.any(|entry| entry.path() != self.drop_in);
        others.then(|| folder.to_owned())
    }

    fn without_drop_in(&self) -> Vec<ServiceStep> {
        if unit::owner(&self.drop_in) != Owner::Goroam {
            return Vec::new();
        }
        let folder = self.drop_in.parent().map(Path::to_owned);
        let mut steps = vec![ServiceStep::remove(&self.drop_in)];
        steps.extend(folder.map(ServiceStep::RemoveEmpty));
        steps
    }

    /// The link that starts the unit at login.
    fn wants(&self) -> PathBuf {
        self.unit.with_file_name("default.target.wants")
    }

    /// The directories to remove if empty, innermost first. The home is not among them.
    fn folders(&self) -> Vec<PathBuf> {
        let own = self.unit.parent().unwrap_or(Path::new("/"));
        let above = own
            .ancestors()
            .take_while(|folder| folder.starts_with(&self.home) && *folder != self.home);
        std::iter::once(self.wants())
            .chain(above.map(Path::to_owned))
            .collect()
    }
}

fn unspeakable(path: &Path) -> ServiceError {
    let why = format!(
        "{:?} has characters that a unit cannot hold; put it elsewhere",
        path.display().to_string()
    );
    ServiceError::Refused(why)
}

/// Reports whether the step would change anything.
fn is_to_be_done(step: &ServiceStep) -> bool {
    if let ServiceStep::Write(path, text) = step {
        !bounded::read(path, MOST_UNIT).is_ok_and(|now| now == text.as_bytes())
    } else if let ServiceStep::Remove(path) | ServiceStep::RemoveEmpty(path) = step {
        path.symlink_metadata().is_ok()
    } else {
        true
    }
}

/// Reports whether this unit starts this very program.
fn starts(packaged: &Path, site: &Site) -> bool {
    let text = bounded::read_text(packaged, MOST_UNIT).unwrap_or_default();
    unit::program(&text, &site.home).is_some_and(|program| same_file(&program, &site.program))
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (std::fs::canonicalize(one), std::fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// Reports whether this process runs the present content of this file.
fn runs(pid: u32, program: &Path) -> bool {
    let running = std::fs::metadata(format!("/proc/{pid}/exe"));
    match (running, std::fs::metadata(program)) {
        (Ok(running), Ok(program)) => {
            (running.dev(), running.ino()) == (program.dev(), program.ino())
        }
        _ => false,
    }
}

/// Returns the process id of this user's agent if it runs and is not the service's.
fn other_agent(site: &Site, service: Option<u32>) -> Option<u32> {
    let text = bounded::read_text(&site.paths.agent_lock(), 16).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = program.file_name()?.to_str()?;
    (name.starts_with("goroam") && service != Some(pid)).then_some(pid)
}
