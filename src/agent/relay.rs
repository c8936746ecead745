//! The agent's relay: started and ended with the agent; each turn gives it the new chain.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::warn;

use super::gofacts::GoFacts;
use super::handover;
use super::supervisor::Supervisor;
use crate::environment::Environment;
use crate::gocmd::run::values_in;
use crate::model::mask::mask;
use crate::model::status::RelayStatus;
use crate::model::{Chain, Observation, Patterns, go_url};
use crate::paths::Paths;
use crate::policy::{Policy, RelaySettings};
use crate::relay::passed::{KEEP_LIMIT, PassedStore};
use crate::relay::rules::chain::{FormKind, KnownProxies, RelayChain};
use crate::relay::rules::hop::HopLimits;
use crate::relay::setup::{RelayIdentity, VARIABLES};
use crate::relay::stats::Incident;
use crate::relay::{RelayEngine, RelayServer, RelaySetup, ServerEnd, Watchdog};

/// What the relay does under a decision: the chain of the profile, and how GOPROXY names the relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relayed {
    goproxy: String,
    form: FormKind,
}

impl Relayed {
    /// Returns the value for GOPROXY, with the relay in it if the chain has a proxy.
    pub(super) fn of(policy: &Policy, url: &str, goproxy: String) -> (String, Option<Relayed>) {
        let Ok(chain) = Chain::parse(&goproxy) else {
            return (goproxy, None);
        };
        let known = KnownProxies::of(policy.targets.values());
        let limits = HopLimits::default();
        let chain = RelayChain::new(&chain, &known, Patterns::parse(""), limits);
        let mirror = policy.mirror.path.as_deref().filter(|path| path.is_dir());
        let mirror = mirror.map(go_url::of_folder);
        match chain.form(url, &goproxy, mirror.as_deref()) {
            None => (goproxy, None),
            Some(form) => {
                let kind = form.kind;
                let relayed = Relayed {
                    goproxy,
                    form: kind,
                };
                (form.goproxy, Some(relayed))
            }
        }
    }

    /// The chain of the profile.
    pub(super) fn goproxy(&self) -> &str {
        &self.goproxy
    }
}

/// What a turn gives to the relay.
#[derive(Debug)]
pub(super) struct RelayInput<'a> {
    pub(super) relayed: Option<&'a Relayed>,
    pub(super) go: Option<&'a GoFacts>,
    pub(super) env: &'a Environment,
    pub(super) policy: &'a Policy,
    pub(super) seen: &'a BTreeMap<String, Observation>,
    pub(super) paths: &'a Paths,
    pub(super) keep_in: Option<KeepIn>,
}

/// Opens the mirror in a directory, which may grow to a size in bytes, for a relay. The mirror is
/// not part of the agent.
pub type KeepIn = fn(&Path, u64, &Environment) -> Arc<dyn PassedStore>;

/// The relay of an agent, if the policy enables it.
#[derive(Debug, Default)]
pub(super) struct RelayControl {
    running: Option<AgentRelay>,
    /// Why it does not run although the policy enables it.
    pub(super) trouble: Option<String>,
    /// The listener that an earlier agent has left.
    inherited: Option<TcpListener>,
}

impl RelayControl {
    /// Goes on with the listener that an earlier agent has left, if there is one.
    pub(super) fn new(inherited: Option<TcpListener>) -> RelayControl {
        RelayControl {
            inherited,
            ..RelayControl::default()
        }
    }

    /// Finishes what is under way, and returns the listener for the program that replaces this one.
    pub(super) async fn hand_over(&mut self) -> Option<TcpListener> {
        let listener = self.running.take()?.hand_over().await;
        handover::keep_open(&listener).is_ok().then_some(listener)
    }

    /// Starts or ends it as the policy says. Returns its URL.
    pub(super) fn settle(&mut self, settings: &RelaySettings, paths: &Paths) -> Option<String> {
        if let Some(relay) = &self.running
            && settings.enabled
            && relay.settings == *settings
        {
            return Some(relay.url.clone());
        }
        self.trouble = None;
        if let Some(relay) = self.running.take() {
            // The turn that follows takes its URL out of GOPROXY; what is under way is finished.
            tokio::spawn(relay.end());
        }
        if !settings.enabled {
            self.inherited = None;
            return None;
        }
        let inherited = self.inherited.take();
        let fits = |listener: &TcpListener| {
            let port = listener.local_addr().map(|address| address.port());
            port.is_ok_and(|port| settings.port == 0 || settings.port == port)
        };
        match AgentRelay::start(paths, settings, inherited.filter(fits)) {
            Ok(relay) => self.running = Some(relay),
            Err(error) => {
                let trouble = format!("the relay cannot start: {error}");
                warn!("{trouble}");
                self.trouble = Some(trouble);
            }
        }
        self.running.as_ref().map(|relay| relay.url.clone())
    }

    /// Hands the result of a turn to it.
    pub(super) async fn follow(&mut self, now: RelayInput<'_>, is_new_network: bool) {
        if let Some(relay) = &mut self.running {
            relay.follow(&now, is_new_network).await;
        }
    }

    /// The incidents since the last call, as soon as there are any.
    pub(super) async fn incidents(&mut self) -> Vec<Incident> {
        let Some(relay) = &mut self.running else {
            return pending().await;
        };
        loop {
            let noticed = relay.engine.stats().noticed();
            noticed.notified().await;
            let stats = relay.engine.stats();
            let total = stats.incidents().total();
            let new = total.saturating_sub(relay.told);
            if new > 0 {
                relay.told = total;
                let new = usize::try_from(new).unwrap_or(usize::MAX);
                return stats.incidents().latest().take(new).cloned().collect();
            }
        }
    }

    /// What status shows.
    pub(super) fn status(&self, relayed: Option<&Relayed>) -> Option<RelayStatus> {
        Some(self.running.as_ref()?.status(relayed))
    }

    /// Reports whether it needs a chain before it can answer anything.
    pub(super) fn is_waiting(&self) -> bool {
        let engine = self.running.as_ref().map(|relay| &relay.engine);
        engine.is_some_and(|engine| engine.is_waiting())
    }

    /// Reports whether it runs.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Finishes what is under way, and ends it. If the supervisor keeps the listener, new
    /// connections wait for the next agent.
    pub(super) async fn end(&mut self, supervisor: &mut dyn Supervisor) {
        let Some(relay) = self.running.take() else {
            return;
        };
        if supervisor.keep(&relay.listener) {
            drop(relay.hand_over().await);
        } else {
            relay.end().await;
        }
    }
}

#[derive(Debug)]
struct AgentRelay {
    engine: Arc<RelayEngine>,
    settings: RelaySettings,
    url: String,
    /// go's variables that the engine works with now.
    values: BTreeMap<String, String>,
    /// The mirror that keeps what passes.
    mirror: Option<PathBuf>,
    stop: oneshot::Sender<ServerEnd>,
    /// The same port, for a program that replaces this one.
    listener: TcpListener,
    task: JoinHandle<()>,
    /// Held as long as it serves.
    _watchdog: Watchdog,
    /// Incidents that are in the journal.
    told: u64,
}

impl AgentRelay {
    /// Listens, on the port of last time if it is free. Requests wait for the first chain.
    fn start(
        paths: &Paths,
        settings: &RelaySettings,
        inherited: Option<TcpListener>,
    ) -> io::Result<AgentRelay> {
        let file = paths.relay_token();
        let mut identity = RelayIdentity::kept(&file)?;
        let listener = match inherited {
            Some(listener) => listener,
            None => listen(settings.port, identity.port)?,
        };
        listener.set_nonblocking(true)?;
        let spare = listener.try_clone()?;
        let port = Some(listener.local_addr()?.port());
        if identity.port != port {
            identity.port = port;
            identity.keep(&file)?;
        }
        let engine = Arc::new(RelayEngine::waiting());
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let server = RelayServer::on(listener, identity.token, Arc::clone(&engine))?;
        let url = server.url();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            // An agent that ends without a word ends the relay too.
            stopped.await.unwrap_or(ServerEnd::Close)
        }));
        Ok(AgentRelay {
            engine,
            settings: settings.clone(),
            url,
            values: BTreeMap::new(),
            mirror: None,
            stop,
            listener: spare,
            task,
            _watchdog: Watchdog::start(),
            told: 0,
        })
    }

    /// Uses the chain of the decision in force. What is known of the proxies is kept as long as
    /// neither the chain nor the network changes.
    async fn follow(&mut self, now: &RelayInput<'_>, is_new_network: bool) {
        let (Some(relayed), Some(go)) = (now.relayed, now.go) else {
            return;
        };
        let asked = values_in(&go.command, now.env, Path::new("/"), &VARIABLES).await;
        let mut values = match asked {
            Ok(values) => values,
            Err(error) => {
                warn!("the relay keeps its chain: {error}");
                return;
            }
        };
        values.insert("GOPROXY".to_owned(), relayed.goproxy.clone());
        let mirror = now.policy.mirror.path.clone();
        let mirror = mirror.filter(|_| self.settings.keep);
        if is_new_network || values != self.values || mirror != self.mirror {
            self.mirror = mirror;
            if let Some(setup) = self.setup(now, &values) {
                self.engine.switch(now.env, setup);
            }
            self.values = values;
        }
        for (name, target) in &now.policy.targets {
            if let (Some(url), Some(seen)) = (target.goproxy_url(), now.seen.get(name)) {
                self.engine.probed(url, seen.is_up());
            }
        }
    }

    fn setup(&self, now: &RelayInput<'_>, values: &BTreeMap<String, String>) -> Option<RelaySetup> {
        let value = |name: &str| values.get(name).map_or("", String::as_str);
        let known = KnownProxies::of(now.policy.targets.values());
        let limits = HopLimits::default().with(self.settings.limits);
        let spool = now.paths.relay_spool();
        let setup = RelaySetup::of_go_env(value, &known, limits, spool);
        // The plan has parsed the same value.
        let mut setup = setup.ok()?;
        setup.deadline = self.settings.deadline;
        if let (Some(mirror), Some(keep_in)) = (&self.mirror, now.keep_in) {
            setup.keep_in(mirror, keep_in(mirror, self.settings.max_size, now.env));
        }
        Some(setup)
    }

    fn status(&self, relayed: Option<&Relayed>) -> RelayStatus {
        let stats = self.engine.stats();
        RelayStatus {
            url: mask(&self.url),
            form: relayed.map(|relayed| relayed.form.to_string()),
            chain: relayed.map(|relayed| mask(&relayed.goproxy)),
            requests: stats.requests(),
            fail_overs: stats.fail_overs(),
            incidents: stats.incidents().total(),
            stale: stats.stale(),
            kept: stats.kept_versions(),
            not_kept: stats.not_kept().map(mask),
        }
    }

    /// Finishes what is under way, and ends.
    async fn end(self) {
        drop(self.listener);
        let _ = self.stop.send(ServerEnd::Close);
        let _ = self.task.await;
        self.engine.finish_keeping(KEEP_LIMIT).await;
    }

    /// Finishes what is under way; new connections wait for the program that gets the listener.
    async fn hand_over(self) -> TcpListener {
        let _ = self.stop.send(ServerEnd::HandOver);
        let _ = self.task.await;
        self.engine.finish_keeping(KEEP_LIMIT).await;
        self.listener
    }
}

fn listen(wanted: u16, last: Option<u16>) -> io::Result<TcpListener> {
    let on = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match (wanted, last) {
        (0, Some(last)) => on(last).or_else(|_| on(0)),
        (wanted, _) => on(wanted),
    }
}

/// Reports whether a GOPROXY value leads to this user's relay.
pub(super) fn is_url_of(goproxy: &str, paths: &Paths) -> bool {
    let identity = RelayIdentity::read(&paths.relay_token());
    identity.is_some_and(|identity| {
        goproxy.starts_with("http://127.0.0.1:") && goproxy.contains(&identity.token)
    })
}
