//! `goroam service`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_NO_AGENT};
use crate::agent::{self, Command, Error, Reply, Session};
use crate::cli::args::{Json, Logs, Service, ServiceVerb, Uninstall};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::{self, ServiceView};
use crate::ipc;
use crate::paths::Paths;
use crate::service::{self, ServiceError, Site, Step, Wish, carry_out};

/// Installs it, removes it, starts it, stops it, or tells of it.
pub(in crate::cli) async fn run(context: &Context, args: &Service) -> Result<u8, Failure> {
    let site = Site::find(context.paths()?, context.env.clone())?;
    match &args.verb {
        ServiceVerb::Install => install(context, &site).await,
        ServiceVerb::Uninstall(args) => uninstall(context, &site, *args).await,
        ServiceVerb::Start => grant(context, &site, Wish::Start).await,
        ServiceVerb::Stop => grant(context, &site, Wish::Stop).await,
        ServiceVerb::Restart => grant(context, &site, Wish::Restart).await,
        ServiceVerb::Status(Json { json }) => status(context, &site, *json).await,
        ServiceVerb::Logs(args) => logs(&site, *args),
    }
}

async fn grant(context: &Context, site: &Site, wish: Wish) -> Result<u8, Failure> {
    let steps = service::plan(wish, site)?;
    do_all(context, site, &steps).await?;
    Ok(EXIT_DONE)
}

async fn install(context: &Context, site: &Site) -> Result<u8, Failure> {
    let steps = service::plan(Wish::Install, site)?;
    do_all(context, site, &steps).await?;
    let said = match steps.iter().any(|step| !matches!(step, Step::Tell { .. })) {
        true => "goroam runs, and will after every login; see: goroam status\n",
        false => "goroam is installed and runs already; nothing to do\n",
    };
    context.out.text(said)?;
    Ok(EXIT_DONE)
}

/// One by one, so that what was done is told though the next one fails.
async fn do_all(context: &Context, site: &Site, steps: &[Step]) -> Result<(), Failure> {
    for step in steps {
        for done in carry_out(std::slice::from_ref(step), site).await? {
            context
                .out
                .text(&render::service_step(&done, &context.page))?;
        }
    }
    Ok(())
}

async fn uninstall(context: &Context, site: &Site, args: Uninstall) -> Result<u8, Failure> {
    let removed = remove(context, site).await;
    // Without a service manager, or with one that fails, the go env file is put back all the same.
    if removed.is_err() && !args.restore {
        return removed.map(|()| EXIT_DONE);
    }
    let has_set_something = agent::has_set_something(&site.paths);
    if has_set_something {
        if args.restore || asks_for_it()? {
            put_back(context, site).await?;
        } else {
            let said = "what goroam has set stays in the go env file; to have it as it was \
                        before: goroam restore";
            context
                .out
                .text(&render::service_step(said, &context.page))?;
        }
    } else if args.restore {
        // Perhaps the service kept it elsewhere: with an XDG_STATE_HOME that this shell lacks.
        let baseline = site.short(&site.paths.baseline());
        let said = format!("nothing to put back: there is no {baseline}");
        context
            .out
            .text(&render::service_step(&said, &context.page))?;
    }
    removed?;
    if args.purge {
        // Without its lock a second one could begin beside it.
        let asked = ipc::ask(&site.paths, Command::Status).await;
        if matches!(asked, Ok(_) | Err(Error::AgentSilent { .. })) {
            let message = "an agent that the service did not start still runs, so journal and \
                           memory stay; end it and say this again";
            return Err(Failure::said(message, EXIT_FAILED));
        }
        do_all(context, site, &purge(&site.paths, &site.home)).await?;
    }
    let policy = &site.paths.policy;
    if policy.exists() && !site.paths.policy_named {
        let said = format!("your policy stays: {}", site.short(policy));
        context
            .out
            .text(&render::service_step(&said, &context.page))?;
    }
    Ok(EXIT_DONE)
}

async fn remove(context: &Context, site: &Site) -> Result<(), Failure> {
    let steps = service::plan(Wish::Uninstall, site)?;
    do_all(context, site, &steps).await
}

/// By ourselves: the agent has ended, and one that runs without the service is asked.
async fn put_back(context: &Context, site: &Site) -> Result<(), Failure> {
    match ipc::ask(&site.paths, Command::Restore).await {
        Ok(_) => {}
        Err(Error::NoAgent) => {
            let (config, env) = (context.config.clone(), context.env.clone());
            Session::open_to_restore(config, env)?.restore().await?;
        }
        Err(error) => return Err(error.into()),
    }
    let said = "put the go env file back to what it was before goroam";
    context
        .out
        .text(&render::service_step(said, &context.page))?;
    Ok(())
}

/// Nobody is asked who could not answer.
fn asks_for_it() -> io::Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(false);
    }
    let mut err = io::stderr().lock();
    write!(
        err,
        "Put `go env` back to what it was before goroam, too? [y/N] "
    )?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}

/// `agent-….lock`, one for each go env file that there was an agent for.
fn agent_locks(paths: &Paths) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&paths.state).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    let is_lock = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("agent-") && name.ends_with(".lock"))
    };
    paths.filter(is_lock).collect()
}

/// goroam's own files by their names, and the folders if nothing else is in them.
fn purge(paths: &Paths, home: &Path) -> Vec<Step> {
    let locks = ["turn.lock", "journal.lock"].map(|name| paths.state.join(name));
    let older = paths.journal().with_extension("1.jsonl");
    // Of a tray: its lock beside the state on Windows, its log and the one before.
    let old_log = paths.state.join("goroam.log.1");
    let tray = [paths.agent_lock(), paths.log(), old_log];
    let own = [paths.journal(), older, paths.memory()].into_iter();
    let kept = [
        paths.last_good(),
        paths.projects(),
        paths.asked(),
        paths.readiness(),
    ];
    // What could not be read was put aside.
    let broken = [paths.memory(), paths.baseline()].map(|path| path.with_extension("json.broken"));
    let files = own
        .chain(kept)
        .chain(broken)
        .chain(tray)
        .chain(locks)
        .chain(agent_locks(paths));
    let remove = files.map(|path| Step::Remove { path });
    let mut folders: Vec<PathBuf> = vec![paths.state.join("run"), paths.state.clone()];
    // ~/.local/state/goroam, ~/.local/state and ~/.local, never the home; on Windows
    // %LocalAppData%\goroam, but not %LocalAppData%, which Windows cannot do without.
    let above = if cfg!(windows) { 1 } else { 2 };
    folders.extend(
        paths
            .state
            .ancestors()
            .skip(1)
            .take(above)
            // Where XDG_STATE_HOME lies right in it.
            .filter(|folder| *folder != home)
            .map(PathBuf::from),
    );
    remove
        .chain(folders.into_iter().map(|path| Step::RemoveEmpty { path }))
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
        lingers: service::lingers(),
    };
    if json {
        context.out.json(&view)?;
    } else {
        context.out.text(&render::service(&view, &context.page))?;
    }
    Ok(match state.installed.is_some() && answers {
        true => EXIT_DONE,
        false => EXIT_NO_AGENT,
    })
}

fn logs(site: &Site, args: Logs) -> Result<u8, Failure> {
    let logs = service::Logs {
        lines: args.lines,
        follow: args.follow,
    };
    let Step::Run { program, args, .. } = service::logs(site, &logs)? else {
        let message = "this system's log cannot be shown here";
        return Err(Failure::said(message, EXIT_FAILED));
    };
    // Lines go where ours go, and Ctrl-C ends it as it ends us.
    let status = std::process::Command::new(&program).args(&args).status();
    match status {
        Ok(status) if status.success() => Ok(EXIT_DONE),
        Ok(_) => {
            let message = "the log cannot be read; where the journal is not kept for each user, \
                           only members of the group systemd-journal may";
            Err(Failure::said(message, EXIT_FAILED))
        }
        Err(error) => {
            let message = format!("{}: {error}", program.to_string_lossy());
            Err(Failure::said(message, EXIT_FAILED))
        }
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
            ServiceError::NoManager { .. }
            | ServiceError::NotInstalled
            | ServiceError::Refused { .. }
            | ServiceError::File { .. } => Failure::said(error.to_string(), exit),
        }
    }
}
