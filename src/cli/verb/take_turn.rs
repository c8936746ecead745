//! What the verbs that take a turn have in common: through the agent if there is one, for
//! two writers of the go env file would undo each other; else by ourselves.

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE};
use crate::agent::{Command, Error, Reply, Session, TurnReport};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::gocmd::{EnvFile, shadows};
use crate::ipc;
use crate::paths::Paths;
use crate::state::entry::Outcome;

/// Takes the turn, prints what came of it and returns the exit code.
pub(super) async fn take_turn(
    context: &Context,
    command: Command,
    json: bool,
) -> Result<u8, Failure> {
    let paths = context.paths()?;
    check_policy_of_agent(&paths).await?;
    check_env_file(context, &command)?;
    let mut report = match ipc::ask(&paths, command.clone()).await {
        Ok(Reply::Turn(report)) => *report,
        Ok(Reply::Status(_) | Reply::Failed { .. }) => {
            let message = "the agent answered with something else; after an update, restart it";
            return Err(Failure::said(message, EXIT_FAILED));
        }
        Err(Error::NoAgent) => alone(context, command).await?,
        Err(error) => return Err(error.into()),
    };
    report.status.shadowed = shadows(&context.env, &report.status.lines());
    if json {
        context.out.json(&report.flat())?;
    } else {
        context.out.text(&render::turn(&report, &context.page))?;
    }
    Ok(match report.outcome {
        Outcome::Failed { .. } => EXIT_FAILED,
        Outcome::Written { .. }
        | Outcome::Unchanged
        | Outcome::DryRun
        | Outcome::Restored { .. } => EXIT_DONE,
    })
}

async fn alone(context: &Context, command: Command) -> Result<TurnReport, Error> {
    let (config, env) = (context.config.clone(), context.env.clone());
    let mut session = match command {
        // A policy that cannot be read is no reason to keep what was there before.
        Command::Restore => Session::open_to_restore(config, env)?,
        Command::Once { .. }
        | Command::Use { .. }
        | Command::Auto
        | Command::Status
        | Command::Watch
        | Command::Pause
        | Command::Reload
        | Command::End => Session::open(config, env)?,
    };
    match command {
        Command::Once { dry_run } => session.once(dry_run).await,
        Command::Use { profile, until } => session.use_profile(&profile, until).await,
        Command::Auto => session.auto().await,
        Command::Restore => session.restore().await,
        Command::Status | Command::Watch | Command::Pause | Command::Reload | Command::End => {
            Err(Error::NoAgent)
        }
    }
}

/// An agent has an environment of its own, so it would write its go env file whatever GOENV says
/// here: what is refused without an agent is refused with one. What `restore` puts back is known.
fn check_env_file(context: &Context, command: &Command) -> Result<(), Error> {
    if *command == Command::Restore {
        return Ok(());
    }
    match Session::open_to_restore(context.config.clone(), context.env.clone()) {
        Ok(session) => session.own_file().map(drop),
        // What is wrong with the rest is said by whoever takes the turn.
        Err(_) => EnvFile::locate(&context.env).map(drop).map_err(Error::from),
    }
}

/// An agent follows the policy that it was started with: a `--config` that names another one
/// must not be passed over in silence.
async fn check_policy_of_agent(paths: &Paths) -> Result<(), Failure> {
    if !paths.policy_named {
        return Ok(());
    }
    let status = match ipc::ask(paths, Command::Status).await {
        Ok(Reply::Status(status)) => status,
        Err(error @ Error::AgentSilent { .. }) => return Err(error.into()),
        Ok(Reply::Turn(_) | Reply::Failed { .. }) | Err(_) => return Ok(()),
    };
    let named = paths.policy.canonicalize();
    let same = named.is_ok_and(|named| {
        std::path::Path::new(&status.policy)
            .canonicalize()
            .is_ok_and(|theirs| theirs == named)
    });
    if same {
        return Ok(());
    }
    let message = format!(
        "the running agent follows another policy ({}), not {}; leave out --config and \
         GOROAM_CONFIG, or start the agent with it",
        render::clean(&status.policy),
        paths.policy.display()
    );
    Err(Failure::said(message, EXIT_USAGE))
}
