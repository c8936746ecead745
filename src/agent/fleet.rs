//! The policy of a fleet: fetched from its store, judged, and kept in the state directory.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::clock;
use super::error::Error;
use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;
use crate::model::mask::mask;
use crate::model::status::{FleetRefusal, FleetStatus};
use crate::model::{Host, Limits};
use crate::paths::Paths;
use crate::policy::PolicyFinding;
use crate::policy::file::{PolicyLocation, fleet_settings, has_fleet, header, parse_layers};
use crate::policy::fleet::{
    FetchEnd, FleetSettings, FleetState, Judge, Judged, MOST_BODY, MOST_SIGNATURE, Offer,
    PolicyHeader, Refusal, Refused, StoreTag, pair_url, previous_url,
};
use crate::policy::layers::{Layer, LayerKind};
use crate::probe::{Fetched, Fetcher};
use crate::state::file;

/// Two policies, their signature and what goes with them, as JSON.
const MOST_STATE: u64 = 4 << 20;
/// A store may lead to another one this many times.
const MOST_REDIRECTS: usize = 5;
/// How long another process may hold the lock: it fetches.
const PATIENCE: Duration = Duration::from_secs(30);
const PACE: Duration = Duration::from_millis(50);

/// For each file. No decision waits for it.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(10),
    patience: Duration::ZERO,
    total: Duration::from_secs(30),
    retries: 0,
};

/// The fleet that this machine belongs to, and the policy that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetLayer {
    /// `[fleet]`.
    pub settings: FleetSettings,
    /// What the newest policy says of itself; `None`: none was fetched yet.
    pub newest: Option<PolicyHeader>,
    /// The text in force: the newest policy, or the one before.
    pub text: Option<String>,
}

/// How an update ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum FleetUpdate {
    /// There is a new policy.
    New {
        /// Its version.
        version: u64,
    },
    /// The store still has the policy that is held.
    Unchanged,
    /// What the store has is refused.
    Refused {
        /// The kind of refusal.
        code: &'static str,
        /// Why, and what to do.
        reason: String,
    },
    /// No store has answered, or only with errors.
    Failed {
        /// Why, for each of them.
        reason: String,
        /// How long they ask to be left alone.
        #[serde(skip)]
        retry_after: Option<Duration>,
    },
}

impl FleetUpdate {
    /// Returns what it means for the next fetch.
    pub(super) fn end(&self) -> FetchEnd {
        match self {
            FleetUpdate::Refused { code, .. } if *code == Refusal::Signature.code() => {
                FetchEnd::Mismatch
            }
            FleetUpdate::New { .. } | FleetUpdate::Unchanged | FleetUpdate::Refused { .. } => {
                FetchEnd::Answered
            }
            FleetUpdate::Failed { retry_after, .. } => FetchEnd::Failed {
                retry_after: *retry_after,
            },
        }
    }
}

impl FleetLayer {
    /// Returns the fleet that these texts name, as if nothing were held.
    pub(super) fn named(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Option<FleetLayer> {
        // One with mistakes is not passed over: another file may name another fleet.
        let mut texts = texts.into_iter();
        let settings = fleet_settings(texts.find(|text| has_fleet(text.as_ref()))?.as_ref())?;
        Some(FleetLayer {
            settings,
            newest: None,
            text: None,
        })
    }

    /// Returns the fleet that the files of this machine name: the machine's file, or the user's if
    /// that one names none. What is held is verified again.
    ///
    /// # Errors
    /// When another program has changed what is held.
    pub fn find(
        paths: &Paths,
        env: &Environment,
        texts: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Option<FleetLayer>, Error> {
        let Some(mut fleet) = FleetLayer::named(texts) else {
            return Ok(None);
        };
        let (state, lost) = read(paths)?;
        let home = env.home();
        let judge = judge(paths, &fleet.settings, &state, home.as_deref());
        let refused = |why: String| Error::PolicyFile {
            path: paths.fleet(),
            why: format!("{why}; run `goroam fleet update`"),
            unsafe_mode: true,
        };
        if let Some(why) = lost {
            return Err(refused(why));
        }
        let held = judge.held();
        let held = held.map_err(|why| refused(format!("the fleet's policy is refused: {why}")))?;
        let (text, newest) = held.unzip();
        (fleet.text, fleet.newest) = (text.map(str::to_owned), newest);
        Ok(Some(fleet))
    }

    /// Returns the status; the state directory says when it was fetched.
    pub fn status(&self, paths: &Paths) -> FleetStatus {
        let (state, _) = read(paths).unwrap_or_default();
        let newest = self.newest.clone().unwrap_or_default();
        let applied = self.text.as_deref().map(header);
        let now = clock::now();
        let warning = match &state.refused {
            Some(refused) => Some(format!("refused: {}", refused.reason)),
            None => newest.age_warning(now),
        };
        FleetStatus {
            id: newest.id,
            version: newest.version,
            applied: applied.and_then(|applied| applied.version),
            issued: newest.issued,
            expires: newest.expires,
            expired: newest.expires.is_some_and(|expires| expires <= now),
            fetched_at: state.fetched_at,
            refused: state.refused,
            warning,
        }
    }

    /// Fetches the policy now, and keeps it if it is right.
    ///
    /// # Errors
    /// When the state directory cannot be read or written.
    pub async fn update(
        settings: FleetSettings,
        paths: Paths,
        env: Environment,
    ) -> Result<FleetUpdate, Error> {
        let _lock = lock(&paths).await?;
        let (mut state, _) = read(&paths)?;
        if state.machine.is_empty() {
            state.machine = clock::random_id();
        }
        let home = env.home();
        let fetcher = Fetcher::new(&env);
        let mut refused: Option<Refused> = None;
        let (mut failures, mut retry_after) = (Vec::new(), None);
        for url in &settings.urls {
            let judge = judge(&paths, &settings, &state, home.as_deref());
            let (judged, etag) = match offered(&fetcher, url, judge).await {
                Ok(answer) => answer,
                Err(Fault::Refused(why)) => {
                    refused.get_or_insert(why);
                    continue;
                }
                Err(Fault::Failed(why, wait)) => {
                    failures.push(why);
                    retry_after = retry_after.max(wait);
                    continue;
                }
            };
            if let Judged::New(new) = &judged
                && let Some(reason) = clash(&paths, home.as_deref(), new)
            {
                let why = Refusal::Policy;
                refused.get_or_insert(Refused { why, reason });
                continue;
            }
            let mut update = FleetUpdate::Unchanged;
            if let Judged::New(new) = judged {
                state = *new;
                let newest = state.newest.as_ref().map(|pair| header(&pair.text));
                let version = newest.and_then(|newest| newest.version);
                let version = version.unwrap_or_default();
                update = FleetUpdate::New { version };
            }
            if let Some(etag) = etag {
                let url = sha256_hex(url.as_str().as_bytes());
                state.tag = Some(StoreTag { url, etag });
            }
            state.fetched_at = Some(clock::now());
            state.refused = None;
            save(&paths, &state)?;
            return Ok(update);
        }
        if let Some(refused) = refused {
            let code = refused.why.code();
            let reason = mask(&refused.reason);
            state.refused = Some(FleetRefusal {
                at: clock::now(),
                code: code.to_owned(),
                reason: reason.clone(),
            });
            save(&paths, &state)?;
            return Ok(FleetUpdate::Refused { code, reason });
        }
        let reason = failures.join("; ");
        Ok(FleetUpdate::Failed {
            reason,
            retry_after,
        })
    }
}

enum Fault {
    Refused(Refused),
    Failed(String, Option<Duration>),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        Fault::Refused(refused)
    }
}

fn judge<'a>(
    paths: &'a Paths,
    settings: &'a FleetSettings,
    state: &'a FleetState,
    home: Option<&'a Path>,
) -> Judge<'a> {
    Judge {
        settings,
        state,
        now: clock::now(),
        goroam: env!("CARGO_PKG_VERSION"),
        location: PolicyLocation {
            folder: &paths.state,
            home,
        },
    }
}

/// Says why the policy that would be in force does not fit the machine's file; `None`: it fits, or that
/// file has errors by itself.
fn clash(paths: &Paths, home: Option<&Path>, new: &FleetState) -> Option<String> {
    // Whose file it is does not matter here: it can only make this stricter.
    let machine = file::read(&paths.machine_policy, MOST_BODY as u64).ok()??;
    let machine = String::from_utf8(machine).ok()?;
    let fleet = paths.fleet_text();
    let layer = |kind, path, text| Layer { kind, path, text };
    let layers = [
        layer(LayerKind::Machine, &*paths.machine_policy, &*machine),
        layer(LayerKind::Fleet, &fleet, new.in_force()?),
    ];
    let error = |layers: &[Layer<'_>]| {
        let findings = parse_layers(layers, home).findings;
        findings.into_iter().find(PolicyFinding::is_error)
    };
    let finding = error(&layers[..1]).is_none().then(|| error(&layers))??;
    let why = finding.message;
    Some(format!("it does not fit the machine's file: {why}"))
}

/// Fetches what one store has, and judges it. Also returns its entity tag.
async fn offered(
    fetcher: &Fetcher,
    url: &Url,
    judge: Judge<'_>,
) -> Result<(Judged, Option<String>), Fault> {
    // What another program has changed is fetched again.
    let is_held = matches!(judge.held(), Ok(Some(_)));
    let tag = judge.state.tag.as_ref();
    let tag = tag.filter(|tag| is_held && tag.url == sha256_hex(url.as_str().as_bytes()));
    let has = tag.map(|tag| tag.etag.as_str());
    let fetched = get(fetcher, url, MOST_BODY, has).await?;
    if fetched.status == 304 && has.is_some() {
        return Ok((Judged::Same, has.map(str::to_owned)));
    }
    let body = whole(url, fetched)?;
    let beside = pair_url(url);
    let signature = get(fetcher, &beside, MOST_SIGNATURE, None).await?;
    let signature = whole(&beside, signature)?;
    let offer = Offer {
        body: &body.body,
        signature: &String::from_utf8_lossy(&signature.body),
    };
    let judged = match judge.judge(offer)? {
        Judged::NeedsPrevious { version } => {
            let url = previous_url(url, version);
            let previous = get(fetcher, &url, MOST_BODY, None).await?;
            let previous = whole(&url, previous)?;
            judge.judge_with(offer, &previous.body)?
        }
        judged @ (Judged::Same | Judged::New(_)) => judged,
    };
    Ok((judged, body.etag))
}

/// Fetches one file. Follows redirects to https; a store on this machine may also lead to itself.
async fn get(
    fetcher: &Fetcher,
    url: &Url,
    most: usize,
    has: Option<&str>,
) -> Result<Fetched, Fault> {
    let failed = |why: String| Fault::Failed(format!("{}: {why}", shown(url)), None);
    let mut at = url.clone();
    for _ in 0..=MOST_REDIRECTS {
        let fetched = fetcher.get_changed(at.as_str(), LIMITS, most, has).await;
        let fetched = fetched.map_err(|error| failed(error.to_string()))?;
        let Some(next) = fetched.led_to.clone() else {
            return Ok(fetched);
        };
        let is_here = next.host_str().is_some_and(Host::is_this_machine);
        let is_same = next.scheme() == "http" && url.scheme() == "http";
        if next.scheme() != "https" && !(is_same && is_here) {
            let to = shown(&next);
            return Err(failed(format!("it leads to {to}, which is not https")));
        }
        at = next;
    }
    Err(failed("it leads from one place to another".to_owned()))
}

/// Returns an answer that is a file.
fn whole(url: &Url, fetched: Fetched) -> Result<Fetched, Fault> {
    let failed = |why: &str| {
        let why = format!("{}: {why}", shown(url));
        Fault::Failed(why, fetched.retry_after)
    };
    match fetched.status {
        200 if fetched.html => Err(failed("a web page answers in its place")),
        200 if fetched.cut => Err(failed("it is longer than a fleet's policy may be")),
        200 => Ok(fetched),
        status => Err(failed(&format!("the store answers {status}"))),
    }
}

/// A URL for people: without credentials.
fn shown(url: &Url) -> String {
    mask(url.as_str())
}

/// Reads what is held; a new machine holds nothing. If the record of it is lost, returns what the
/// text in force still says, and the fault.
fn read(paths: &Paths) -> Result<(FleetState, Option<String>), Error> {
    let read = |path: &Path| {
        let failed = Error::state(format!("cannot read {}", path.display()));
        file::read(path, MOST_STATE).map_err(failed)
    };
    let fault = match read(&paths.fleet())? {
        Some(bytes) => match serde_json::from_slice(&bytes) {
            Ok(state) => return Ok((state, None)),
            Err(error) => format!("is damaged ({error})"),
        },
        None => "is gone".to_owned(),
    };
    let text = read(&paths.fleet_text())?;
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    match text.as_deref().and_then(FleetState::recovered) {
        Some(state) => Ok((state, Some(fault))),
        None => Ok((FleetState::default(), None)),
    }
}

/// Keeps the text in force, for people, and then the record of it: that one counts.
fn save(paths: &Paths, state: &FleetState) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(state).map_err(std::io::Error::from);
    let text = state.in_force().cloned().unwrap_or_default();
    for (path, bytes) in [
        (paths.fleet_text(), Ok(text.into_bytes())),
        (paths.fleet(), bytes),
    ] {
        bytes
            .and_then(|bytes| file::replace(&path, &bytes))
            .map_err(Error::state(format!("cannot write {}", path.display())))?;
    }
    Ok(())
}

/// Waits until no other process fetches the policy.
async fn lock(paths: &Paths) -> Result<File, Error> {
    let path = paths.state.join("fleet.lock");
    let failed = |error| Error::state(format!("cannot lock {}", path.display()))(error);
    file::private_folder(&paths.state).map_err(failed)?;
    let lock = file::open_lock(&path).map_err(failed)?;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(std::fs::TryLockError::WouldBlock) if tokio::time::Instant::now() < end => {
                tokio::time::sleep(PACE).await;
            }
            Err(error) => {
                let error = std::io::Error::from(error);
                // Without locks two processes may fetch it twice; that does no harm.
                if file::has_no_locks(&error) {
                    return Ok(lock);
                }
                return Err(failed(error));
            }
        }
    }
}
