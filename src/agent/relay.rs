//! The agent's relay: started and ended with the agent; each turn gives it the new chain.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::warn;

use super::gofacts::GoFacts;
use crate::environment::Environment;
use crate::gocmd::run::values_in;
use crate::model::mask::mask;
use crate::model::status::RelayStatus;
use crate::model::{Chain, Observation, Patterns, go_url};
use crate::paths::Paths;
use crate::policy::{Policy, RelaySettings};
use crate::relay::rules::chain::{FormKind, KnownProxies, RelayChain};
use crate::relay::rules::hop::HopLimits;
use crate::relay::setup::{RelayIdentity, VARIABLES};
use crate::relay::{RelayEngine, RelayServer, RelaySetup};

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
}

/// The relay of an agent, if the policy enables it.
#[derive(Debug, Default)]
pub(super) struct RelayControl {
    running: Option<AgentRelay>,
    /// Why it does not run although the policy enables it.
    pub(super) trouble: Option<String>,
}

impl RelayControl {
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
            return None;
        }
        match AgentRelay::start(paths, settings) {
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

    /// What status shows.
    pub(super) fn status(&self, relayed: Option<&Relayed>) -> Option<RelayStatus> {
        Some(self.running.as_ref()?.status(relayed))
    }

    /// Reports whether it runs.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Finishes what is under way, and ends it.
    pub(super) async fn end(&mut self) {
        if let Some(relay) = self.running.take() {
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
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl AgentRelay {
    /// Listens, on the port of last time if it is free. Requests wait for the first chain.
    fn start(paths: &Paths, settings: &RelaySettings) -> io::Result<AgentRelay> {
        let file = paths.relay_token();
        let mut identity = RelayIdentity::kept(&file)?;
        let listener = listen(settings.port, identity.port)?;
        listener.set_nonblocking(true)?;
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
            let _ = stopped.await;
        }));
        Ok(AgentRelay {
            engine,
            settings: settings.clone(),
            url,
            values: BTreeMap::new(),
            stop,
            task,
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
        if is_new_network || values != self.values {
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
        let usual = HopLimits::default();
        let limits = HopLimits {
            connect: self.settings.connect,
            first_byte: self.settings.first_byte.unwrap_or(usual.first_byte),
            patience: self.settings.first_byte.unwrap_or(usual.patience),
            stall: self.settings.stall,
            retries: self.settings.retries,
        };
        let spool = now.paths.relay_spool();
        let setup = RelaySetup::of_go_env(value, &known, limits, spool);
        // The plan has parsed the same value.
        let mut setup = setup.ok()?;
        setup.deadline = self.settings.deadline;
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
            incidents: u64::try_from(stats.incidents().count()).unwrap_or(u64::MAX),
        }
    }

    /// Finishes what is under way, and ends.
    async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
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
