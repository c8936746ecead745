//! `goroam status`

mod live;

use crate::agent::error::EXIT_DONE;
use crate::agent::{Command, Error, Reply, Session};
use crate::cli::args::Json;
use crate::cli::render;
use crate::cli::{Context, Failure};
use crate::ipc::{self, Watching};
use crate::model::status::{AgentState, Status};
use clap::Args;
use live::of_caller;

/// `goroam status`
#[derive(Debug, Clone, Copy, Args)]
pub struct StatusArgs {
    /// Follow each change until interrupted
    #[arg(long)]
    pub watch: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Shows the present state, from the agent or from the last turn.
pub(in crate::cli) async fn run(context: &Context, args: StatusArgs) -> Result<u8, Failure> {
    let json = args.format.json;
    if args.watch {
        return watch(context, json).await;
    }
    let status = of_caller(context, ask(context).await?);
    context.show(json, &status, render::status)?;
    Ok(EXIT_DONE)
}

async fn ask(context: &Context) -> Result<Status, Failure> {
    let paths = context.paths()?;
    match ipc::ask(&paths, Command::Status).await {
        Ok(Reply::Status(status)) => Ok(Status {
            agent: AgentState::Running,
            ..*status
        }),
        Ok(Reply::Turn(report)) => Ok(report.status),
        Ok(Reply::Failed { error, exit }) => Err(Failure::said(error, exit)),
        Err(Error::NoAgent) => {
            let session = Session::open(context.config.clone(), context.env.clone())?;
            Ok(session.status())
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows a screen on a terminal, and otherwise one line for each change.
async fn watch(context: &Context, json: bool) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let mut watching = ipc::watch(&paths).await?;
    let mut told = String::new();
    let mut status = next(context, &mut watching).await?;
    if !json && context.out.is_screen(&context.env) {
        return live::run(context, watching, status).await;
    }
    loop {
        let page = context.page.later();
        if json {
            context.out.json_line(&status)?;
        } else {
            let line = render::status_line(&status, &page);
            if line != told {
                context.out.text(&line)?;
                told = line;
            }
        }
        status = next(context, &mut watching).await?;
    }
}

async fn next(context: &Context, watching: &mut Watching) -> Result<Status, Failure> {
    let Some(status) = watching.next().await? else {
        let message = "the agent has ended; start one with `goroam agent`";
        return Err(Failure::said(message, Error::NoAgent.exit_code()));
    };
    Ok(of_caller(context, status))
}
