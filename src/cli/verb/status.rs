//! `goroam status`

use std::time::Duration;

use crate::agent::error::EXIT_DONE;
use crate::agent::{Command, Error, Reply, Session};
use crate::cli::args;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, Page};
use crate::gocmd::shadows;
use crate::ipc::{self, Watching};
use crate::model::status::{AgentState, Status};

/// On a terminal "2 h 04 min" grows old.
const REDRAW: Duration = Duration::from_secs(60);

/// What is true now, from the agent or from what the last turn left.
pub(in crate::cli) async fn run(context: &Context, args: args::Status) -> Result<u8, Failure> {
    let json = args.format.json;
    if args.watch {
        return watch(context, json).await;
    }
    let status = of_caller(context, ask(context).await?);
    if json {
        context.out.json(&status)?;
    } else {
        context.out.text(&render::status(&status, &context.page))?;
    }
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

/// Which variables are shadowed depends on the shell that asks, not on the agent's.
fn of_caller(context: &Context, mut status: Status) -> Status {
    status.shadowed = shadows(&context.env, &status.lines());
    status
}

async fn watch(context: &Context, json: bool) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let mut watching = ipc::watch(&paths).await?;
    let mut told = String::new();
    let mut status = next(context, &mut watching).await?;
    loop {
        let page = context.page.later();
        if json {
            context.out.json_line(&status)?;
        } else if context.out.is_terminal() {
            context.out.redraw(&render::status(&status, &page))?;
        } else {
            let line = render::status_line(&status, &page);
            if line != told {
                context.out.text(&line)?;
                told = line;
            }
        }
        status = if context.out.is_terminal() && !json {
            next_redrawing(context, &mut watching, &status).await?
        } else {
            next(context, &mut watching).await?
        };
    }
}

async fn next(context: &Context, watching: &mut Watching) -> Result<Status, Failure> {
    let Some(status) = watching.next().await? else {
        let message = "the agent has ended; start one with `goroam agent`";
        return Err(Failure::said(message, Error::NoAgent.exit_code()));
    };
    Ok(of_caller(context, status))
}

/// Waits for the next status and keeps the times on the screen fresh meanwhile.
async fn next_redrawing(
    context: &Context,
    watching: &mut Watching,
    shown: &Status,
) -> Result<Status, Failure> {
    // Not started anew each minute: an answer that has half arrived would be lost.
    let mut coming = std::pin::pin!(next(context, watching));
    loop {
        match tokio::time::timeout(REDRAW, coming.as_mut()).await {
            Ok(status) => return status,
            Err(_) => {
                let page: Page = context.page.later();
                context.out.redraw(&render::status(shown, &page))?;
            }
        }
    }
}
