//! Goes from step to step.
//!
//! A step repeats the *whole* command, a Makefile or a script as well as a go. What the command did
//! before it failed is done twice, and what it has printed on standard output stays there. So it is
//! repeated only if go itself says that the network failed, or if go was stuck in the network.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use serde::Serialize;

use super::attempt::{EndedCommand, OpenOutput, attempt};
use super::classify::{Blamed, Class, Classified, CommandOutput, Exit, classify};
use super::reprobe::{Reprobed, reprobe, suspicion};
use super::signals::{ExecSignals, SignalEvent};
use super::stall::{StallLimits, Stuck, WaitsFor};
use super::tiers::{FrozenSettings, LocalSources, TierPlan, database, elements};
use super::usable::cannot_hold;
use crate::environment::Environment;
use crate::model::Tier;

/// The exit codes for a command that does not exist and for one that cannot be run, as in every
/// shell.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;
const FAILED: i32 = 1;
/// `EXIT_MISMATCH` of the command line.
const MISMATCH: i32 = 6;
/// The limits of the second look at a server that has just been asked.
const LOOK: crate::model::Limits = crate::model::Limits {
    connect: Duration::from_secs(3),
    first_byte: Duration::from_secs(3),
    patience: Duration::ZERO,
    total: Duration::from_secs(5),
    retries: 0,
};
/// Signals that end goroam as they ended the command, so that the parent process sees what it would
/// have seen without goroam: SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM.
const SHARED: [i32; 5] = [1, 2, 3, 13, 15];

/// The first wait for a busy server that does not say how long to wait; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// What to run, and how.
#[derive(Debug)]
pub struct ExecPlan {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Our environment, for the second look.
    pub env: Environment,
    /// The steps, in order, including those that cannot be taken.
    pub plans: Vec<TierPlan>,
    /// go's variables at the start, and what this machine has that a step could use.
    pub facts: (FrozenSettings, LocalSources),
    /// When the command counts as stuck.
    pub limits: StallLimits,
    /// The total time to wait for busy servers.
    pub retry_budget: Duration,
}

/// What the user sees while the command runs.
#[derive(Debug)]
pub enum ExecEvent<'a> {
    /// A step failed; the next one follows at once.
    Left(&'a AttemptReport, Tier),
    /// A server is busy; the same step follows after this time.
    Waits(&'a AttemptReport, Duration),
    /// The command is stuck, but no further step could do better: goroam keeps waiting.
    Patient(&'a Stuck, &'a [(Tier, String)]),
}

/// One run of the command on one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptReport {
    /// The step.
    pub tier: Tier,
    /// The result of this run.
    pub class: Class,
    /// Its exit code; 128 and the signal's number if it ended by one.
    pub exit: i32,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The line that shows what was wrong; empty if nothing was.
    pub line: String,
    /// The classification of go's messages.
    #[serde(skip)]
    pub seen: Option<Classified>,
    /// Why goroam ended it, if it did.
    #[serde(skip)]
    pub stuck: Option<Stuck>,
    /// What shows that there is a login page.
    #[serde(skip)]
    pub portal: Option<String>,
}

/// The result. In serialised form it is the last line of `--summary json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExecSummary {
    /// The last step.
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
            Ok(env) => steps.push(Step::new(plan.tier, env)),
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
    let mut patience = RetryBudget::new(course.retry_budget);
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        summary.tier = step.tier;
        // A signal may have come while go was asked for its settings, or between two steps.
        if let Err(signal) = undisturbed(signals, tokio::task::yield_now()).await {
            summary.interrupted(signal);
            break;
        }
        let further = steps.get(at + 1..).unwrap_or_default();
        let mut may_end = |stuck: &Stuck, said: &str| {
            let lacks = lacks(course, further, &summary.left_out, said);
            if let Some(lacks) = &lacks {
                news(&ExecEvent::Patient(stuck, lacks));
            }
            lacks.is_none()
        };
        let (command, limits) = (&course.command, course.limits);
        let ended = match attempt(command, step.env, limits, signals, &mut may_end).await {
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
        let asked = suspicion(&seen, &step.proxies, step.sumdb.as_deref());
        let looked = if asked.is_empty() || ended.interrupted {
            Ok(Reprobed::default())
        } else {
            undisturbed(signals, reprobe(&course.env, &asked, LOOK)).await
        };
        let (looked, disturbed) = match looked {
            Ok(looked) => (looked, None),
            Err(signal) => (Reprobed::default(), Some(signal)),
        };
        let attempt = AttemptReport {
            tier: step.tier,
            // The second look does not change the class: it does not show what go was given.
            class: seen.class,
            exit: code(ended.exit),
            ms: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
            line: seen.line.clone(),
            seen: Some(seen),
            stuck: ended.stuck,
            portal: looked.portal,
        };
        let next = next(attempt.class, looked.retry_after, ended.took, &mut patience);
        let attempt = summary.ended(&ended, attempt);
        if let Some(signal) = disturbed {
            summary.interrupted(signal);
        }
        if ended.interrupted || disturbed.is_some() {
            break;
        }
        match next {
            NextStep::End => break,
            NextStep::Again(wait) => {
                news(&ExecEvent::Waits(&attempt, wait));
                if let Err(signal) = undisturbed(signals, tokio::time::sleep(wait)).await {
                    summary.interrupted(signal);
                    break;
                }
            }
            NextStep::Step => {
                at += 1;
                patience.on_a_new_step();
                if let Some(step) = steps.get(at) {
                    news(&ExecEvent::Left(&attempt, step.tier));
                }
            }
        }
    }
    (summary, leftovers)
}

/// Returns why no further step could work; `None` if one could.
fn lacks(
    course: &ExecPlan,
    further: &[Step<'_>],
    left_out: &[(Tier, String)],
    said: &str,
) -> Option<Vec<(Tier, String)>> {
    let (frozen, around) = &course.facts;
    let lacks = further.iter().map(|step| {
        let why = cannot_hold(step.tier, frozen, around, &course.command, said)?;
        Some((step.tier, why))
    });
    lacks.chain(left_out.iter().cloned().map(Some)).collect()
}

/// A step that can be taken.
struct Step<'a> {
    tier: Tier,
    env: &'a [(String, String)],
    /// The elements of its GOPROXY.
    proxies: Vec<String>,
    /// The URL of the checksum database of its GOSUMDB.
    sumdb: Option<String>,
}

impl Step<'_> {
    fn new(tier: Tier, env: &[(String, String)]) -> Step<'_> {
        let value = |name: &str| {
            let found = env.iter().find(|(own, _)| own == name);
            found.map(|(_, value)| value.as_str())
        };
        Step {
            tier,
            env,
            proxies: value("GOPROXY").map_or(Vec::new(), elements),
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

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NextStep {
    /// The command succeeded, or another step would not help.
    End,
    /// The same step after this time.
    Again(Duration),
    /// The next step at once.
    Step,
}

/// The time that remains to wait for busy servers.
#[derive(Debug, Clone, Copy)]
struct RetryBudget {
    /// What remains of `--retry-budget`.
    left: Duration,
    wait: Duration,
    /// The command has been run again because of a busy server.
    again: bool,
}

impl RetryBudget {
    fn new(budget: Duration) -> RetryBudget {
        RetryBudget {
            left: budget,
            wait: FIRST_WAIT,
            again: false,
        }
    }

    /// Resets the wait for a new step: it uses another server.
    fn on_a_new_step(&mut self) {
        self.wait = FIRST_WAIT;
        self.again = false;
    }

    /// Returns how long to wait. `asked`: the value of Retry-After. `ran`: how long the run took;
    /// the first run would have taken that time anyway.
    fn wait(&mut self, asked: Option<Duration>, ran: Duration) -> Option<Duration> {
        if std::mem::replace(&mut self.again, true) {
            self.left = self.left.saturating_sub(ran);
        }
        // A server that says 0 must not be asked in a tight loop.
        let wait = asked.map_or(self.wait, |asked| asked.max(FIRST_WAIT));
        self.left = self.left.checked_sub(wait)?;
        self.wait *= 2;
        Some(wait)
    }
}

/// Decides what to do after this attempt.
fn next(
    class: Class,
    asked: Option<Duration>,
    ran: Duration,
    patience: &mut RetryBudget,
) -> NextStep {
    if class == Class::Busy {
        let wait = patience.wait(asked, ran);
        wait.map_or(NextStep::Step, NextStep::Again)
    } else if class.is_of_the_network() {
        NextStep::Step
    } else {
        // Never uses another source, and never retries: a person has to look at it.
        NextStep::End
    }
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

    /// Records an attempt, with the exit code to use if it is the last.
    fn ended(&mut self, ended: &EndedCommand, attempt: AttemptReport) -> AttemptReport {
        // The signal that ended a stuck command was sent by goroam.
        self.exit = match ended.stuck {
            _ if attempt.class == Class::Mismatch => MISMATCH,
            Some(_) => FAILED,
            None => attempt.exit,
        };
        self.signal = match ended.exit {
            Exit::Signal(signal) if ended.stuck.is_none() && SHARED.contains(&signal) => {
                Some(signal)
            }
            Exit::Signal(_) | Exit::Code(_) => None,
        };
        self.attempts.push(attempt.clone());
        attempt
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
            class: Class::Code,
            exit: self.exit,
            ms: 0,
            line: error.to_string(),
            seen: None,
            stuck: None,
            portal: None,
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
            class: Class::NotFound,
            exit: 1,
            ms: 12,
            line: "go: \"x\"\nlost".to_owned(),
            seen: None,
            stuck: None,
            portal: None,
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
            r#"{"tier":"mirror","exit":0,"attempts":[{"tier":"proxy","class":"not-found","exit":1,"ms":12,"line":"go: \"x\"\nlost"}]}"#
        );
    }

    #[test]
    fn a_busy_server_is_waited_for_within_the_budget() {
        let mut patience = RetryBudget::new(Duration::from_secs(8));
        let mut ask = |asked| next(Class::Busy, asked, Duration::ZERO, &mut patience);
        let second = Duration::from_secs(1);
        assert_eq!(ask(None), NextStep::Again(second));
        assert_eq!(ask(None), NextStep::Again(2 * second));
        assert_eq!(ask(Some(Duration::ZERO)), NextStep::Again(second));
        assert_eq!(ask(Some(5 * second)), NextStep::Step, "only 4 s are left");
        let mut none = RetryBudget::new(Duration::ZERO);
        assert_eq!(next(Class::Busy, None, second, &mut none), NextStep::Step);
        let mut patience = RetryBudget::new(60 * second);
        next(Class::Busy, None, second, &mut patience);
        patience.on_a_new_step();
        let again = next(Class::Busy, None, second, &mut patience);
        assert_eq!(again, NextStep::Again(second));
    }

    #[test]
    fn the_runs_for_a_busy_server_count_but_the_first() {
        let second = Duration::from_secs(1);
        let mut patience = RetryBudget::new(10 * second);
        let mut ask = |ran| next(Class::Busy, Some(second), ran, &mut patience);
        assert_eq!(ask(100 * second), NextStep::Again(second), "9 s are left");
        assert_eq!(ask(5 * second), NextStep::Again(second), "3 s are left");
        assert_eq!(ask(5 * second), NextStep::Step);
    }

    #[test]
    fn what_is_wrong_with_the_code_or_a_checksum_ends_it() {
        let mut patience = RetryBudget::new(Duration::from_secs(60));
        for class in [Class::Ok, Class::Code, Class::Mismatch] {
            let next = next(class, None, Duration::ZERO, &mut patience);
            assert_eq!(next, NextStep::End);
        }
        for class in [Class::Timeout, Class::Stalled, Class::Auth, Class::Portal] {
            let next = next(class, None, Duration::ZERO, &mut patience);
            assert_eq!(next, NextStep::Step);
        }
    }
}
