//! `goroam relay`

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::oneshot;

use crate::agent::Session;
use crate::agent::error::EXIT_DONE;
use crate::cli::args::parse_limit;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::environment::Environment;
use crate::gocmd::{find, run::values_in};
use crate::mirror::keep_in;
use crate::model::{RelayLimits, mask};
use crate::policy::Policy;
use crate::relay::passed::{KEEP_LIMIT, PassedStore};
use crate::relay::rules::chain::KnownProxies;
use crate::relay::rules::hop::HopLimits;
use crate::relay::setup::{RelayIdentity, VARIABLES};
use crate::relay::{RelayEngine, RelayServer, RelaySetup, ServerEnd, Watchdog};
use crate::signals::Signals;
#[cfg(windows)]
use crate::signals::Source;

/// `goroam relay`
#[derive(Debug, Clone, Args)]
pub struct Relay {
    /// Address to listen on; only 127.0.0.1
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen, default_value = "127.0.0.1:0")]
    pub listen: SocketAddrV4,
    /// Chain to walk, as in GOPROXY [default: that of `go env`]
    #[arg(long, value_name = "VALUE")]
    pub chain: Option<String>,
    /// Time limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Time limit for one request
    #[arg(long, value_name = "TIME", value_parser = parse_limit, default_value = "10m")]
    pub deadline: Duration,
}

/// Time limits for each proxy.
#[derive(Debug, Clone, Copy, Args)]
pub struct LimitArgs {
    /// Time limit for a connection [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub connect: Option<Duration>,
    /// Time limit for the first byte [default: 3s; 60s where no other proxy can answer]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub first_byte: Option<Duration>,
    /// Give up a download that has been silent for this time [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub stall: Option<Duration>,
    /// Further attempts after a fast failure [default: 2]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(..=10))]
    pub retries: Option<u32>,
}

impl LimitArgs {
    /// What is given.
    fn given(self) -> RelayLimits {
        RelayLimits {
            connect: self.connect,
            first_byte: self.first_byte,
            stall: self.stall,
            retries: self.retries,
        }
    }
}

/// Serves until it is interrupted.
pub(in crate::cli) async fn run(context: &Context, args: Relay) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let go = find::find(None, &context.env)
        .await
        .map_err(crate::agent::Error::from)?;
    let folder = std::env::current_dir()
        .map_err(|error| Failure::failed(format!("the working directory: {error}")))?;
    let mut values = values_in(&go, &context.env, &folder, &VARIABLES)
        .await
        .map_err(|error| Failure::failed(format!("go env failed: {error}")))?;
    // Of the agent's relay this one wants the chain, not to be one before it.
    let goproxy = values.get("GOPROXY").map_or("", String::as_str);
    let config = context.config.clone();
    // go takes an empty GOPROXY for none.
    let chain = match args.chain.filter(|chain| !chain.is_empty()) {
        Some(chain) => Some(chain),
        None => Session::behind_relay(config, &context.env, goproxy).await,
    };
    if let Some(chain) = chain {
        values.insert("GOPROXY".to_owned(), chain);
    }
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    let policy = crate::agent::load_policy(&paths, &context.env)?.policy;
    let given = args.limits.given();
    let known = KnownProxies::of(policy.targets.values()).with_limits(given);
    let limits = HopLimits::default().with(given);
    let setup = RelaySetup::of_go_env(value, &known, limits, paths.relay_spool());
    let mut setup = setup.map_err(|error| {
        let message = format!("the chain {}: {error}", mask(value("GOPROXY")));
        Failure::usage(message)
    })?;
    setup.deadline = args.deadline;
    if setup.chain.hops.is_empty() {
        let message = "the chain names no proxy that a relay could ask; give one with --chain";
        return Err(Failure::usage(message));
    }
    if let (Some(store), Some(mirror)) = (kept_in(&policy, &context.env), &policy.mirror.path) {
        setup.keep_in(mirror, store);
    }
    let token = kept(&paths.relay_token())?.token;
    let engine = Arc::new(RelayEngine::new(&context.env, setup));
    let server = RelayServer::bind(args.listen.port(), token, Arc::clone(&engine));
    let server = server.await.map_err(|error| {
        let message = format!("cannot listen on {}: {error}", args.listen);
        Failure::failed(message)
    })?;
    let mut signals = interruption()?;
    let _watchdog = Watchdog::start();
    context.out.text(&format!("{}\n", server.url()))?;
    let (stop, stopped) = oneshot::channel();
    let serving = server.run(async { stopped.await.unwrap_or(ServerEnd::Close) });
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => return Ok(EXIT_DONE),
        () = signals.next() => {}
    }
    let _ = stop.send(ServerEnd::Close);
    let ending = async {
        serving.await;
        engine.finish_keeping(KEEP_LIMIT).await;
    };
    // A second signal does not wait for what is under way.
    tokio::select! {
        () = ending => {}
        () = signals.next() => {}
    }
    Ok(EXIT_DONE)
}

/// The mirror that keeps what passes, if the policy says so.
pub(super) fn kept_in(policy: &Policy, env: &Environment) -> Option<Arc<dyn PassedStore>> {
    let mirror = policy.mirror.path.as_deref()?;
    let settings = &policy.relay;
    settings
        .keep
        .then(|| keep_in(mirror, settings.max_size, env))
}

fn kept(file: &Path) -> Result<RelayIdentity, Failure> {
    RelayIdentity::kept(file)
        .map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

/// Listens to Ctrl-C, and to SIGTERM or the end of the console.
fn interruption() -> Result<Signals<()>, Failure> {
    #[cfg(unix)]
    let sources = [libc::SIGINT, libc::SIGTERM];
    #[cfg(windows)]
    let sources = [Source::CtrlC, Source::CtrlBreak, Source::Close];
    Signals::listen(sources.map(|source| (source, ())))
        .map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")))
}

fn parse_listen(text: &str) -> Result<SocketAddrV4, String> {
    let port = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let address: SocketAddr = port
        .as_deref()
        .unwrap_or(text)
        .parse()
        .map_err(|_| "write it as 127.0.0.1:PORT".to_owned())?;
    match address {
        SocketAddr::V4(v4) if *v4.ip() == Ipv4Addr::LOCALHOST => Ok(v4),
        SocketAddr::V4(_) | SocketAddr::V6(_) => Err(
            "a relay has the credentials of this user, so it listens on 127.0.0.1 only".to_owned(),
        ),
    }
}
