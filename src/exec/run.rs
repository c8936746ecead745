//! Goes from step to step.
//!
//! The relay serves the proxies and the mirror in one run of the command. A further step repeats the
//! *whole* command, a Makefile or a script as well as a go: what it did before it failed is done
//! twice, and what it has printed on standard output stays there. So it is repeated only if go itself
//! says that the network failed, or if go was stuck in the network.

use serde::Serialize;
use std::ffi::OsString;
use std::io;

use super::attempt::{EndedCommand, HowToRun, OpenOutput, attempt};
use super::classify::{Blamed, Class, Classified, CommandOutput, Exit, classify};
use super::relayed::ExecRelay;
use super::report::AttemptReport;
use super::signals::{ExecSignals, SignalEvent};
use super::stall::{StallLimits, Stuck, WaitsFor};
use super::tiers::{FrozenSettings, LocalSources, TierPlan, database, elements};
use super::usable::{at_hand, vendor_lacks};
use crate::environment::Environment;
use crate::model::Tier;

/// The exit codes for a command that does not exist and for one that cannot be run, as in every
/// shell.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;
const FAILED: i32 = 1;
/// `EXIT_MISMATCH` of the command line.
const MISMATCH: i32 = 6;
/// Signals that end goroam as they ended the command, so that the parent process sees what it would
/// have seen without goroam: SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM.
const SHARED: [i32; 5] = [1, 2, 3, 13, 15];

/// What to run, and how.
#[derive(Debug)]
pub struct ExecPlan {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The command's environment.
    pub env: Environment,
    /// The relay that serves the steps that are relayed.
    pub relay: Option<ExecRelay>,
    /// The steps, in order, including those that cannot be taken.
    pub plans: Vec<TierPlan>,
    /// go's variables at the start, and what this machine has that a step could use.
    pub facts: (FrozenSettings, LocalSources),
    /// When the command counts as stuck.
    pub limits: StallLimits,
}

/// What the user sees while the command runs.
#[derive(Debug)]
pub enum ExecEvent<'a> {
    /// A step failed; the next one follows at once.
    Left(&'a AttemptReport, Tier),
    /// The command is stuck, but no further step could do better: goroam keeps waiting.
    Patient(&'a Stuck, &'a [(Tier, String)]),
}

/// The result. In serialised form it is the last line of `--summary json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExecSummary {
    /// The last step; under the relay, the worst that served.
    pub tier: Tier,
    /// The exit code of `goroam exec`.
    pub exit: i32,
    /// All attempts, in order.
    pub attempts: Vec<AttemptReport>,
    /// Steps that could not be taken, and why.
    #[serde(skip)]
    pub left_out: Vec<(Tier, String)>,
    /// The signal that goroam should end by, as the command did.
    #[serde(skip)]
    pub signal: Option<i32>,
}

/// Runs the command, step by step. The caller must leave the open outputs behind at the very end.
pub async fn run(
    course: &ExecPlan,
    signals: &mut ExecSignals,
    news: &mut dyn FnMut(&ExecEvent<'_>),
) -> (ExecSummary, Vec<OpenOutput>) {
    let mut steps = Vec::new();
    let mut left_out = Vec::new();
    for plan in &course.plans {
        match &plan.how {
            Ok(env) => steps.push(Step::new(plan, env)),
            Err(why) => left_out.push((plan.tier, why.clone())),
        }
    }
    let mut summary = ExecSummary {
        tier: steps.first().map_or(Tier::Off, |step| step.tier),
        exit: FAILED,
        attempts: Vec::new(),
        left_out,
        signal: None,
    };
    let mut leftovers = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        summary.tier = step.tier;
        // A signal may have come while go was asked for its settings, or between two steps.
        if let Err(signal) = undisturbed(signals, tokio::task::yield_now()).await {
            summary.interrupted(signal);
            break;
        }
        let further = steps.get(at + 1..).unwrap_or_default();
        let mut may_end = |stuck: &Stuck| {
            let lacks = lacks(course, further, &summary.left_out);
            if let Some(lacks) = &lacks {
                news(&ExecEvent::Patient(stuck, lacks));
            }
            lacks.is_none()
        };
        let relay = course.relay.as_ref().filter(|_| step.is_relayed);
        let how = HowToRun {
            command: &course.command,
            own: &course.env,
            env: step.env,
            limits: course.limits,
            relay,
        };
        let ended = match attempt(&how, signals, &mut may_end).await {
            Ok((ended, leftover)) => {
                leftovers.push(leftover);
                ended
            }
            Err(error) => {
                summary.not_started(step.tier, &error);
                break;
            }
        };
        let seen = step.named(see(&ended, &step.proxies), &course.env);
        let (seen, hop) = relay.map_or((seen.clone(), None), |relay| relay.explain(seen));
        let attempt = AttemptReport {
            tier: step.tier,
            hop,
            requests: 0,
            stale: 0,
            class: seen.class,
            exit: code(ended.exit),
            ms: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
            line: seen.line.clone(),
            seen: Some(seen),
            stuck: ended.stuck,
        };
        let class = attempt.class;
        let attempts = match relay {
            Some(relay) => relay.attempts(attempt, elsewhere(course, &ended.stderr)),
            None => vec![attempt],
        };
        if let Some(relay) = relay.filter(|_| class.is_of_the_network()) {
            summary.left_out.extend(relay.lacks(&attempts));
        }
        summary.ended(&ended, attempts);
        // Nothing but a failure of the network is tried again: a person has to look at the others.
        if ended.interrupted || !class.is_of_the_network() {
            break;
        }
        if let (Some(last), Some(next)) = (summary.attempts.last(), further.first()) {
            news(&ExecEvent::Left(last, next.tier));
        }
    }
    (summary, leftovers)
}

/// Returns where the modules came from if the relay has served none.
fn elsewhere(course: &ExecPlan, stderr: &str) -> Tier {
    let is_download = |line: &str| line.starts_with("go: downloading ");
    if stderr.lines().any(is_download) {
        return Tier::Direct;
    }
    let (frozen, around) = &course.facts;
    at_hand(frozen, around)
}

/// Returns why no further step could work; `None` if one could.
fn lacks(
    course: &ExecPlan,
    further: &[Step<'_>],
    left_out: &[(Tier, String)],
) -> Option<Vec<(Tier, String)>> {
    let lacks = further.iter().map(|step| {
        let is_vendor = step.tier == Tier::Vendor;
        let lacks = || vendor_lacks(&course.facts.0, &course.command);
        let why = is_vendor.then(lacks)??;
        Some((step.tier, why))
    });
    lacks.chain(left_out.iter().cloned().map(Some)).collect()
}

/// A step that can be taken.
struct Step<'a> {
    tier: Tier,
    is_relayed: bool,
    env: &'a [(String, String)],
    /// The elements of its GOPROXY.
    proxies: Vec<String>,
    /// The URL of the checksum database of its GOSUMDB.
    sumdb: Option<String>,
}

impl Step<'_> {
    fn new<'a>(plan: &TierPlan, env: &'a [(String, String)]) -> Step<'a> {
        let value = |name: &str| {
            let found = env.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.as_str())
        };
        let proxies = value("GOPROXY").map_or(Vec::new(), elements);
        Step {
            // A chain without a proxy asks none.
            tier: match proxies.as_slice() {
                [only] if plan.tier == Tier::Proxy && only == "direct" => Tier::Direct,
                _ => plan.tier,
            },
            is_relayed: plan.is_relayed,
            env,
            proxies,
            sumdb: value("GOSUMDB").and_then(database),
        }
    }

    /// If go's message does not name the HTTP proxy or the checksum database, takes the name from
    /// the variables.
    fn named(&self, mut seen: Classified, env: &Environment) -> Classified {
        match &mut seen.blame.who {
            Some(Blamed::HttpProxy(address @ None)) => {
                let url = seen.url.as_deref();
                let names = if url.is_none_or(|url| url.starts_with("https:")) {
                    ["HTTPS_PROXY", "https_proxy"]
                } else {
                    ["HTTP_PROXY", "http_proxy"]
                };
                let value = names.iter().find_map(|name| env.get(name));
                *address = value.and_then(|value| {
                    let (_, rest) = value.split_once("://").unwrap_or(("", value));
                    let authority = rest.split('/').next()?;
                    authority.rsplit('@').next().map(str::to_owned)
                });
            }
            Some(Blamed::Database(name @ None)) => {
                let url = self.sumdb.as_deref();
                *name = url.and_then(|url| url.split("://").nth(1).map(str::to_owned));
            }
            Some(Blamed::HttpProxy(_) | Blamed::Database(_) | Blamed::Host(_)) | None => {}
        }
        seen
    }
}

fn see(ended: &EndedCommand, proxies: &[String]) -> Classified {
    let killed = ended.stuck.map(|stuck| stuck.to_string());
    let mut seen = classify(&CommandOutput {
        stderr: &ended.stderr,
        build_output: &ended.build_output,
        exit: ended.exit,
        proxies,
        killed: killed.as_deref(),
    });
    // A server that floods the kept output must not hide go's own message.
    if ended.lost_mismatch && !matches!(seen.class, Class::Ok | Class::Code) {
        let line = "more checksum mismatches were reported than could be kept".to_owned();
        seen = Classified::plain(Class::Mismatch, line);
    }
    if let Some(stuck) = ended.stuck.filter(|_| seen.class == Class::Stalled) {
        seen.class = match stuck.what {
            WaitsFor::Connection => Class::Timeout,
            WaitsFor::Name => Class::Dns,
            WaitsFor::Answer | WaitsFor::Rest | WaitsFor::More => Class::Stalled,
        };
    }
    seen
}

/// Runs the future unless a signal asks to end first; then returns the signal.
async fn undisturbed<T>(
    signals: &mut ExecSignals,
    work: impl Future<Output = T>,
) -> Result<T, i32> {
    let disturbed = async {
        loop {
            if let SignalEvent::Pass { signal, ends: true } = signals.next().await {
                return signal;
            }
        }
    };
    tokio::select! {
        biased;
        signal = disturbed => Err(signal),
        done = work => Ok(done),
    }
}

impl ExecSummary {
    /// The class of the last attempt.
    pub fn class(&self) -> Class {
        self.attempts
            .last()
            .map_or(Class::Config, |last| last.class)
    }

    /// Reports whether a person has to fix something: no step could be taken, or the last one
    /// failed for another reason than the code.
    pub fn is_for_a_person(&self) -> bool {
        self.signal.is_none() && !matches!(self.class(), Class::Ok | Class::Code)
    }

    /// Records a run, with the exit code to use if it is the last.
    fn ended(&mut self, ended: &EndedCommand, attempts: Vec<AttemptReport>) {
        self.attempts.extend(attempts);
        let Some(last) = self.attempts.last() else {
            return;
        };
        self.tier = last.tier;
        // The signal that ended a stuck command was sent by goroam.
        self.exit = match ended.stuck {
            _ if last.class == Class::Mismatch => MISMATCH,
            Some(_) => FAILED,
            None => last.exit,
        };
        self.signal = match ended.exit {
            Exit::Signal(signal) if ended.stuck.is_none() && SHARED.contains(&signal) => {
                Some(signal)
            }
            Exit::Signal(_) | Exit::Code(_) => None,
        };
    }

    fn interrupted(&mut self, signal: i32) {
        if cfg!(unix) {
            self.exit = code(Exit::Signal(signal));
            self.signal = Some(signal);
        }
    }

    fn not_started(&mut self, tier: Tier, error: &io::Error) {
        self.exit = if error.kind() == io::ErrorKind::NotFound {
            NOT_FOUND
        } else {
            NOT_EXECUTABLE
        };
        self.attempts.push(AttemptReport {
            tier,
            hop: None,
            requests: 0,
            stale: 0,
            class: Class::Code,
            exit: self.exit,
            ms: 0,
            line: error.to_string(),
            seen: None,
            stuck: None,
        });
    }
}

/// As in a shell: 128 and the signal's number.
fn code(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_one_line_with_these_names() {
        let attempt = AttemptReport {
            tier: Tier::Proxy,
            hop: Some("p.test".to_owned()),
            requests: 3,
            stale: 0,
            class: Class::NotFound,
            exit: 1,
            ms: 12,
            line: "go: \"x\"\nlost".to_owned(),
            seen: None,
            stuck: None,
        };
        let summary = ExecSummary {
            tier: Tier::Mirror,
            exit: 0,
            attempts: vec![attempt],
            left_out: vec![(Tier::Vendor, "none".to_owned())],
            signal: Some(2),
        };
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            r#"{"tier":"mirror","exit":0,"attempts":[{"tier":"proxy","hop":"p.test","requests":3,"class":"not-found","exit":1,"ms":12,"line":"go: \"x\"\nlost"}]}"#
        );
    }
}
