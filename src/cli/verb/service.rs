//! `goroam service`

use crate::agent::error::{EXIT_DONE, EXIT_NO_AGENT};
use crate::agent::{self, Command, Error, Reply, Session};
use crate::cli::args::Json;
use crate::cli::context::confirms;
use crate::cli::render::{BOLD, DIM, GOOD, Mark, Page, Sheet, clean, pad, paint};
use crate::cli::{Context, Failure};
use crate::ipc;
use crate::paths::Paths;
use crate::service::{
    self, ServiceError, ServiceRequest, ServiceState, ServiceStep, Site, carry_out,
};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `goroam service`
#[derive(Debug, Clone, Args)]
pub struct Service {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: ServiceVerb,
}

/// What to do with the service.
#[derive(Debug, Clone, Subcommand)]
pub enum ServiceVerb {
    /// Install the service: start now and at every login
    ///
    /// Prints each step. Run it again after an update, or from a shell whose variables
    /// have changed, to bring the service up to date.
    #[command(after_help = after!(
        "goroam service install",
        "goroam --config team.toml service install    with this policy"
    ))]
    Install,
    /// Stop the service and remove it completely
    ///
    /// The policy stays. What goroam has set stays too unless you pass --restore; on a
    /// terminal it asks.
    #[command(after_help = after!(
        "goroam service uninstall",
        "goroam service uninstall --restore           also restore go env",
        "goroam service uninstall --restore --purge   also remove the journal"
    ))]
    Uninstall(Uninstall),
    /// Start the service now
    #[command(after_help = after!("goroam service start"))]
    Start,
    /// Stop the service until the next login
    #[command(after_help = after!("goroam service stop"))]
    Stop,
    /// Restart the service
    #[command(after_help = after!("goroam service restart"))]
    Restart,
    /// Show the service's state
    ///
    /// The exit code is 0 if it is installed and an agent answers, otherwise 5.
    #[command(after_help = after!(
        "goroam service status",
        "goroam service status --json | jq .enabled"
    ))]
    Status(crate::cli::args::Json),
    /// Show the agent's log
    #[command(after_help = after!("goroam service logs", "goroam service logs -n 200 -f"))]
    Logs(Logs),
}

/// `goroam service uninstall`
#[derive(Debug, Clone, Copy, Args)]
pub struct Uninstall {
    /// Also restore the go env file to its state before goroam
    #[arg(long)]
    pub restore: bool,
    /// Also remove the journal and the rest of goroam's state
    #[arg(long, requires = "restore")]
    pub purge: bool,
}

/// `goroam service logs`
#[derive(Debug, Clone, Copy, Args)]
pub struct Logs {
    /// Number of lines, counted from the end
    #[arg(short = 'n', long, value_name = "N", default_value = "50")]
    pub lines: u32,
    /// Keep printing new lines until interrupted
    #[arg(short, long)]
    pub follow: bool,
}

/// Installs, removes, starts or stops the service, or shows its state.
pub(in crate::cli) async fn run(context: &Context, args: &Service) -> Result<u8, Failure> {
    let site = Site::find(context.paths()?, context.env.clone())?;
    let request = match &args.verb {
        ServiceVerb::Install => ServiceRequest::Install,
        ServiceVerb::Uninstall(args) => return uninstall(context, &site, *args).await,
        ServiceVerb::Start => ServiceRequest::Start,
        ServiceVerb::Stop => ServiceRequest::Stop,
        ServiceVerb::Restart => ServiceRequest::Restart,
        ServiceVerb::Status(Json { json }) => return status(context, &site, *json).await,
        ServiceVerb::Logs(args) => return logs(&site, *args),
    };
    let steps = grant(context, &site, request).await?;
    let did_something = |step: &ServiceStep| !matches!(step, ServiceStep::Tell(_));
    if request == ServiceRequest::Install {
        context.out.text(if steps.iter().any(did_something) {
            "goroam runs, and will after every login; see: goroam status\n"
        } else {
            "goroam is installed and runs already; nothing to do\n"
        })?;
    }
    Ok(EXIT_DONE)
}

/// Plans the request and carries the plan out.
async fn grant(
    context: &Context,
    site: &Site,
    request: ServiceRequest,
) -> Result<Vec<ServiceStep>, Failure> {
    let steps = service::plan(request, site)?;
    do_all(context, site, &steps).await?;
    Ok(steps)
}

/// Carries out the steps one by one, so that completed steps are reported even if the next one
/// fails.
async fn do_all(context: &Context, site: &Site, steps: &[ServiceStep]) -> Result<(), Failure> {
    for step in steps {
        for done in carry_out(std::slice::from_ref(step), site).await? {
            context.out.text(&service_step(&done, &context.page))?;
        }
    }
    Ok(())
}

async fn uninstall(context: &Context, site: &Site, args: Uninstall) -> Result<u8, Failure> {
    let removed = grant(context, site, ServiceRequest::Uninstall).await;
    // The go env file is restored even if no service manager runs, or it fails.
    if removed.is_err() && !args.restore {
        return removed.map(|_| EXIT_DONE);
    }
    let has_set_something = agent::has_set_something(&site.paths);
    if has_set_something {
        let question = "Put `go env` back to what it was before goroam, too? [y/N] ";
        if args.restore || confirms(question)?.unwrap_or(false) {
            put_back(context, site).await?;
        } else {
            let said = "what goroam has set stays in the go env file; to have it as it was \
                        before: goroam restore";
            context.out.text(&service_step(said, &context.page))?;
        }
    } else if args.restore {
        // The service may have kept it elsewhere: with an XDG_STATE_HOME that this shell lacks.
        let baseline = site.short(&site.paths.baseline());
        let said = format!("nothing to put back: there is no {baseline}");
        context.out.text(&service_step(&said, &context.page))?;
    }
    removed?;
    if args.purge {
        // Without the agent's lock, a second agent could start beside it.
        let asked = ipc::ask(&site.paths, Command::Status).await;
        if matches!(asked, Ok(_) | Err(Error::AgentSilent { .. })) {
            return Err(Failure::failed(
                "an agent that the service did not start still runs, so journal and \
                           memory stay; end it and say this again",
            ));
        }
        do_all(context, site, &purge(&site.paths, &site.home)).await?;
    }
    let policy = &site.paths.policy;
    if policy.exists() && !site.paths.policy_named {
        let said = format!("your policy stays: {}", site.short(policy));
        context.out.text(&service_step(&said, &context.page))?;
    }
    Ok(EXIT_DONE)
}

/// Restores the go env file. The service's agent has ended, so this process does it; an agent that
/// runs without the service is asked to do it.
async fn put_back(context: &Context, site: &Site) -> Result<(), Failure> {
    match ipc::ask(&site.paths, Command::Restore).await {
        Ok(_) => {}
        Err(Error::NoAgent) => {
            let (config, env) = (context.config.clone(), context.env.clone());
            let mut session = Session::open_to_restore(config, env)?;
            session.carry_out(&Command::Restore).await?;
        }
        Err(error) => return Err(error.into()),
    }
    let said = "put the go env file back to what it was before goroam";
    context.out.text(&service_step(said, &context.page))?;
    Ok(())
}

/// Removes goroam's own files by name, and their directories if they contain nothing else.
fn purge(paths: &Paths, home: &Path) -> Vec<ServiceStep> {
    let mut files = vec![
        paths.journal(),
        paths.memory(),
        paths.last_good(),
        paths.projects(),
        paths.asked(),
        paths.readiness(),
        paths.undo(),
        paths.panic_log(),
        // Of a tray: its lock beside the state on Windows, its log.
        paths.agent_lock(),
        paths.log(),
    ];
    let rest = [
        "journal.1.jsonl",
        "journal.lock",
        "turn.lock",
        "undo.lock",
        "goroam.log.1",
        // Files that could not be read were renamed to these names.
        "state.json.broken",
        "baseline.json.broken",
    ];
    files.extend(rest.map(|name| paths.state.join(name)));
    // One lock for each go env file that had an agent.
    let entries = std::fs::read_dir(&paths.state).into_iter().flatten();
    files.extend(entries.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let name = name.to_str()?;
        (name.starts_with("agent-") && name.ends_with(".lock")).then(|| entry.path())
    }));
    // ~/.local/state/goroam, ~/.local/state and ~/.local, never the home (XDG_STATE_HOME may be
    // directly in it); on Windows %LocalAppData%\goroam, but not %LocalAppData%, which Windows
    // needs.
    let above = if cfg!(windows) { 1 } else { 2 };
    let above = paths.state.ancestors().skip(1).take(above);
    let above = above.filter(|folder| *folder != home);
    let mut folders = vec![paths.state.join("run"), paths.state.clone()];
    folders.extend(above.map(PathBuf::from));
    let folders = folders.into_iter().map(ServiceStep::RemoveEmpty);
    files
        .into_iter()
        .map(ServiceStep::remove)
        .chain(folders)
        .collect()
}

async fn status(context: &Context, site: &Site, json: bool) -> Result<u8, Failure> {
    let state = service::state(site)?;
    let agent = match ipc::ask(&site.paths, Command::Status).await {
        Ok(Reply::Status(status)) => Some(*status),
        Ok(Reply::Turn(_) | Reply::Failed { .. }) => None,
        Err(Error::NoAgent) => None,
        Err(error) => return Err(error.into()),
    };
    let answers = agent.is_some();
    let view = ServiceView {
        state: &state,
        answers,
        agent_version: agent.and_then(|status| status.version),
        version: env!("CARGO_PKG_VERSION"),
    };
    context.show(json, &view, service)?;
    Ok(if state.installed.is_some() && answers {
        EXIT_DONE
    } else {
        EXIT_NO_AGENT
    })
}

fn logs(site: &Site, args: Logs) -> Result<u8, Failure> {
    let logs = service::Logs {
        lines: args.lines,
        follow: args.follow,
    };
    let ServiceStep::Run { program, args, .. } = service::logs(site, &logs)? else {
        return Err(Failure::failed("this system's log cannot be shown here"));
    };
    // The child inherits the output, and Ctrl-C ends it as it ends this process.
    let status = std::process::Command::new(&program).args(&args).status();
    match status {
        Ok(status) if status.success() => Ok(EXIT_DONE),
        Ok(_) => Err(Failure::failed(
            "the log cannot be read; where the journal is not kept for each user, \
                           only members of the group systemd-journal may",
        )),
        Err(error) => Err(Failure::failed(format_args!(
            "{}: {error}",
            program.to_string_lossy()
        ))),
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Failure {
        let exit = error.exit_code();
        match error {
            ServiceError::Agent(error) => Failure::Goroam(error),
            ServiceError::Command { .. } => {
                Failure::said(format!("{error}; see: goroam service logs"), exit)
            }
            ServiceError::Failed(_) | ServiceError::Refused(_) => {
                Failure::said(error.to_string(), exit)
            }
        }
    }
}

/// The first column's width: "program" and "login" fit.
const NAME_COLUMNS: usize = 7;

/// The service's state, for people, and as one flat JSON object for scripts.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ServiceView<'a> {
    /// The state that the service manager reports.
    #[serde(flatten)]
    pub(in crate::cli) state: &'a ServiceState,
    /// Whether an agent answers on the socket. It may not be the service's.
    pub(in crate::cli) answers: bool,
    /// The version of the agent that answers.
    pub(in crate::cli) agent_version: Option<String>,
    /// The version of this program.
    pub(in crate::cli) version: &'static str,
}

/// Formats a step that was carried out.
pub(in crate::cli) fn service_step(done: &str, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    sheet.hanging("  ", &clean(done), 4);
    sheet.finish()
}

/// Formats the service's state.
pub(in crate::cli) fn service(view: &ServiceView<'_>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let state = view.state;
    let Some(installed) = &state.installed else {
        sheet.line(&format!(
            "{} {}",
            paint(DIM, "○"),
            paint(BOLD, "not installed")
        ));
        if state.troubles.is_empty() {
            let way = "`goroam service install` has it start at every login";
            sheet.entry("  ", way);
        }
        for trouble in &state.troubles {
            sheet.marked(Mark::Odd, &clean(trouble));
        }
        if view.answers {
            sheet.entry("  ", "an agent that was started elsewhere answers");
        }
        return sheet.finish();
    };
    let symbol = match state.pid {
        Some(_) => paint(GOOD, "●"),
        None => paint(DIM, "○"),
    };
    sheet.line(&format!(
        "{symbol} {} · {}",
        paint(BOLD, &clean(&state.word)),
        clean(&state.kind)
    ));
    let login = match (state.enabled, state.lingers) {
        (false, _) => "not started",
        (true, Some(true)) => "started, at boot even (linger); stays after logout",
        (true, Some(false)) => "started; ends with the last logout",
        (true, None) => "started",
    };
    let program = state.program.as_deref().map(Path::display);
    let agent = match (&view.agent_version, view.answers) {
        (Some(version), _) => format!("answers, version {}", clean(version)),
        (None, true) => "answers, an older version".to_owned(),
        (None, false) => "does not answer".to_owned(),
    };
    let rows = [
        ("login", Some(login.to_owned())),
        ("agent", Some(agent)),
        ("process", state.pid.map(|pid| pid.to_string())),
        (
            "program",
            program.map(|program| clean(&program.to_string())),
        ),
        ("unit", Some(clean(installed))),
    ];
    for (name, value) in rows {
        let Some(value) = value else { continue };
        let lead = format!("  {} ", paint(DIM, &pad(name, NAME_COLUMNS)));
        sheet.entry(&lead, &value);
    }
    for trouble in troubles(view) {
        sheet.marked(Mark::Odd, &trouble);
    }
    sheet.finish()
}

fn troubles(view: &ServiceView<'_>) -> Vec<String> {
    let mut troubles: Vec<String> = view.state.troubles.iter().map(|line| clean(line)).collect();
    if view.answers && view.state.pid.is_none() {
        troubles.push(
            "the agent that answers is not the service's; goroam service install takes over"
                .to_owned(),
        );
    }
    if !view.answers && view.state.pid.is_some() {
        troubles.push("it runs but does not answer; see: goroam service logs".to_owned());
    }
    if let Some(version) = &view.agent_version
        && version != view.version
    {
        troubles.push(format!(
            "the agent is {}, this is {}; goroam service restart",
            clean(version),
            view.version
        ));
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::{ServiceView, service};
    use crate::cli::render::fixtures::page;
    use crate::service::ServiceState;

    fn state() -> ServiceState {
        ServiceState {
            kind: "systemd user unit goroam.service".to_owned(),
            installed: Some("/usr/lib/systemd/user/goroam.service".to_owned()),
            enabled: true,
            pid: Some(4711),
            program: Some("/usr/bin/goroam".into()),
            word: "active (running)".to_owned(),
            lingers: Some(false),
            troubles: Vec::new(),
        }
    }

    fn view(state: &ServiceState) -> ServiceView<'_> {
        ServiceView {
            state,
            answers: true,
            agent_version: Some("0.1.0".to_owned()),
            version: "0.1.0",
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_service_that_is_well_reads_in_six_lines() {
        let text = plain(&service(&view(&state()), &page()));
        let expected = "\
● active (running) · systemd user unit goroam.service
  login   started; ends with the last logout
  agent   answers, version 0.1.0
  process 4711
  program /usr/bin/goroam
  unit    /usr/lib/systemd/user/goroam.service
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_the_way_out() {
        let mut state = state();
        state.pid = None;
        state.troubles.push("it has failed\u{1b}[2J".to_owned());
        let mut view = view(&state);
        view.version = "0.2.0";
        let text = plain(&service(&view, &page()));
        assert!(text.contains("! it has failed\u{fffd}[2J\n"), "{text}");
        assert!(text.contains("not the service's"), "{text}");
        assert!(text.contains("the agent is 0.1.0, this is 0.2.0; goroam service restart"));
        state.installed = None;
        let view = ServiceView {
            answers: false,
            ..self::view(&state)
        };
        let text = plain(&service(&view, &page()));
        assert_eq!(text, "○ not installed\n! it has failed\u{fffd}[2J\n");
        let nothing = ServiceState::default();
        let view = ServiceView {
            answers: false,
            ..self::view(&nothing)
        };
        let text = plain(&service(&view, &page()));
        assert!(text.contains("`goroam service install` has it"), "{text}");
    }
}
