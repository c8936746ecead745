//! The verbs that take a turn: `once`, `auto`, `restore` (and `use`, in `choose`), and `pause`, which
//! takes none.
//! They use the agent if one runs, because two writers of the go env file would undo each other's
//! work; otherwise this process takes the turn.

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::agent::{Command, Error, Reply, Session, TurnReport, user_env};
use crate::cli::args::Json;
use crate::cli::render::{
    self, BAD, BOLD, DIM, Page, Sheet, clean, duration, notes, pad, paint, width,
};
use crate::cli::{Context, Failure};
use crate::gocmd::{EnvFile, shadows};
use crate::ipc;
use crate::model::plan::PlanStep;
use crate::model::status::AgentState;
use crate::paths::Paths;
use crate::state::entry::Outcome;
use clap::Args;
use std::path::Path;

/// `goroam once`
#[derive(Debug, Clone, Copy, Args)]
pub struct Once {
    /// Only print what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

const NOTHING: &str = "\
While paused, nothing is changed: if you set GOPROXY by hand now, what goroam has
set beside it (GONOPROXY=none and the like) stays. `goroam auto` ends the pause.
";

const UNEXPECTED: &str = "the agent sent an unexpected answer; after an update, restart it";

/// Pauses the agent. Without an agent this is an error, since nothing can be paused.
pub(in crate::cli) async fn pause(context: &Context, args: Json) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let Reply::Status(status) = ipc::ask(&paths, Command::Pause).await? else {
        return Err(Failure::failed(UNEXPECTED));
    };
    context.show(args.json, &status, |status, page| {
        format!("{}\n{NOTHING}", render::status(status, page))
    })?;
    Ok(EXIT_DONE)
}

/// Takes the turn, prints the result and returns the exit code.
pub(in crate::cli) async fn take_turn(
    context: &Context,
    command: Command,
    json: bool,
) -> Result<u8, Failure> {
    let mut report = report_of(context, command).await?;
    report.status.shadowed = shadows(&user_env(context.env.clone()), &report.status.lines());
    context.show(json, &report, turn)?;
    let is_real = report.outcome != Outcome::DryRun && report.status.agent == AgentState::Stopped;
    if is_real && report.status.telemetry.is_some() {
        // The next turn reports what does not work.
        let session = Session::open(context.config.clone(), context.env.clone());
        if let Ok(mut session) = session {
            session.send_health().await;
        }
    }
    let has_failed = matches!(report.outcome, Outcome::Failed { .. });
    Ok(if has_failed { EXIT_FAILED } else { EXIT_DONE })
}

/// Takes the turn, in the agent if there is one.
pub(in crate::cli) async fn report_of(
    context: &Context,
    command: Command,
) -> Result<TurnReport, Failure> {
    let paths = context.paths()?;
    check_policy_of_agent(&paths).await?;
    check_env_file(context, &command)?;
    match ipc::ask(&paths, command.clone()).await {
        Ok(Reply::Turn(report)) => Ok(*report),
        Ok(Reply::Status(_) | Reply::Failed { .. }) => Err(Failure::failed(UNEXPECTED)),
        Err(Error::NoAgent) => Ok(alone(context, &command).await?),
        Err(error) => Err(error.into()),
    }
}

async fn alone(context: &Context, command: &Command) -> Result<TurnReport, Error> {
    let (config, env) = (context.config.clone(), context.env.clone());
    let session = if *command == Command::Restore {
        // This works even if the policy cannot be read: the original values are known.
        Session::open_to_restore(config, env)
    } else {
        Session::open(config, env)
    };
    session?.carry_out(command).await
}

/// Checks the go env file as without an agent. The agent has its own environment, so it would write
/// its own go env file whatever GOENV is here: what is refused without an agent is also refused
/// with one. `restore` is exempt, since its values are known.
fn check_env_file(context: &Context, command: &Command) -> Result<(), Error> {
    if *command == Command::Restore {
        return Ok(());
    }
    match Session::open_to_restore(context.config.clone(), context.env.clone()) {
        Ok(session) => session.own_file().map(drop),
        // The turn itself reports all other errors.
        Err(_) => EnvFile::locate(&context.env).map(drop).map_err(Error::from),
    }
}

/// Refuses a `--config` that names another policy than the agent's: an agent follows the policy
/// with which it was started, so the option would be ignored silently.
async fn check_policy_of_agent(paths: &Paths) -> Result<(), Failure> {
    if !paths.policy_named {
        return Ok(());
    }
    let status = match ipc::ask(paths, Command::Status).await {
        Ok(Reply::Status(status)) => status,
        Err(error @ Error::AgentSilent { .. }) => return Err(error.into()),
        Ok(Reply::Turn(_) | Reply::Failed { .. }) | Err(_) => return Ok(()),
    };
    let (named, theirs) = (
        paths.policy.canonicalize(),
        Path::new(&status.policy).canonicalize(),
    );
    if matches!((named, theirs), (Ok(named), Ok(theirs)) if named == theirs) {
        return Ok(());
    }
    Err(Failure::usage(format_args!(
        "the running agent follows another policy ({}), not {}; leave out --config and \
         GOROAM_CONFIG, or start the agent with it",
        render::clean(&status.policy),
        paths.policy.display()
    )))
}

/// Formats what a turn found and did: from, to, why, each variable, and how to undo it.
pub(in crate::cli) fn turn(report: &TurnReport, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    head(&mut sheet, report);
    let names = report.plan.steps.iter().map(|step| width(step.name()));
    let columns = names.max().unwrap_or(0);
    for step in &report.plan.steps {
        variable(&mut sheet, step, columns);
    }
    match &report.outcome {
        Outcome::Written { .. } => {
            let took = report.took.get("all").copied().map(duration);
            let took = took.map_or_else(String::new, |took| format!("; took {took}"));
            sheet.line(&paint(DIM, &format!("  undo: goroam restore{took}")));
        }
        Outcome::Unchanged => {
            let told = match report.plan.steps.len() {
                0 => "nothing to set".to_owned(),
                1 => "its one variable is right already".to_owned(),
                count => format!("all {count} variables are as they should be already"),
            };
            sheet.line(&paint(DIM, &format!("  {told}")));
        }
        Outcome::DryRun => sheet.line(&paint(DIM, "  dry run: nothing was written")),
        Outcome::Failed { error, .. } => {
            let lead = format!("  {} ", paint(BAD, "✗"));
            sheet.entry(&lead, &format!("not written: {}", clean(error)));
        }
        Outcome::Restored { changed } => {
            let told = match changed.len() {
                0 => "the go env file is as it was before goroam already".to_owned(),
                _ => format!("put back as before goroam: {}", changed.join(", ")),
            };
            sheet.entry("  ", &clean(&told));
            sheet.line(&paint(DIM, "  `goroam auto` lets goroam choose again"));
        }
    }
    for note in notes(&report.status) {
        sheet.entry("! ", &note);
    }
    sheet.finish()
}

fn head(sheet: &mut Sheet, report: &TurnReport) {
    let from = report.from.as_deref().map(clean);
    let to = report.status.profile.as_deref().map(clean);
    let is_same = from.is_some() && from == to;
    let to = to.as_deref().unwrap_or("none");
    let (before, after) = if is_same {
        (String::new(), " stays")
    } else {
        (format!("{} → ", from.as_deref().unwrap_or("none")), "")
    };
    let lead = format!("{before}{}{after}", paint(BOLD, to));
    let Some(why) = &report.status.why else {
        return sheet.line(&lead);
    };
    sheet.hanging(&format!("{lead}  "), &format!("({})", clean(why)), 4);
}

/// Formats a variable that changes, or that keeps another program's value. A correct one is
/// omitted.
fn variable(sheet: &mut Sheet, step: &PlanStep, columns: usize) {
    let lead = format!("  {}  ", pad(&clean(step.name()), columns));
    match step {
        PlanStep::Set { value, .. } if value.is_empty() => sheet.line(&format!("{lead}(empty)")),
        // Not wrapped, so that the value can be copied.
        PlanStep::Set { value, .. } => sheet.line(&format!("{lead}{}", clean(value))),
        PlanStep::Unset { .. } => sheet.line(&format!("{lead}{}", paint(DIM, "no longer set"))),
        PlanStep::Leave { why, .. } if why == "is right already" => {}
        PlanStep::Leave { why, .. } => {
            let why = format!("left alone: {}", clean(why));
            sheet.styled(&lead, &why, DIM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::turn;
    use crate::cli::render::fixtures::{page, plain, to_offline, too_wide};
    use crate::model::plan::PlanStep;
    use crate::state::entry::Outcome;

    #[test]
    fn a_switch_names_the_variables_and_the_way_back() {
        let text = turn(&to_offline(), &page());
        assert_eq!(
            plain(&text),
            "\
intranet → offline  (nothing answers; wlan0 is down)
  GONOPROXY  none
  GOPRIVATE  no longer set
  GOPROXY    file:///home/me/go/pkg/mod/cache/download,off
  undo: goroam restore; took 41 ms
"
        );
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn a_dry_run_says_so_and_a_failure_says_why() {
        let mut report = to_offline();
        report.outcome = Outcome::DryRun;
        let text = plain(&turn(&report, &page()));
        assert!(text.ends_with("  dry run: nothing was written\n"), "{text}");
        report.outcome = Outcome::Failed {
            error: "/home/me/.config/go/env is read-only".to_owned(),
            kind: String::new(),
        };
        let text = plain(&turn(&report, &page()));
        let told = "  ✗ not written: /home/me/.config/go/env is read-only\n";
        assert!(text.ends_with(told), "{text}");
    }

    #[test]
    fn nothing_to_do_is_told_in_two_lines() {
        let mut report = to_offline();
        report.from = Some("offline".to_owned());
        report.outcome = Outcome::Unchanged;
        for step in &mut report.plan.steps {
            *step = PlanStep::Leave {
                name: step.name().to_owned(),
                why: "is right already".to_owned(),
            };
        }
        assert_eq!(
            plain(&turn(&report, &page())),
            "\
offline stays  (nothing answers; wlan0 is down)
  all 4 variables are as they should be already
"
        );
    }
}
