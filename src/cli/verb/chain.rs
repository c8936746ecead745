//! `goroam chain`

use std::time::Duration;

use crate::agent::command::Command;
use crate::agent::error::EXIT_DONE;
use crate::agent::{Error, load_policy};
use crate::chain::{
    self, AnswerKind, AskedHop, ChainFile, ChainOutcome, ChainQuestion, FileWalk, Prediction,
};
use crate::cli::args::Json;
use crate::cli::render::{BOLD, Mark, Page, Sheet, clean, paint};
use crate::cli::verb::take_turn::report_of;
use crate::cli::{Context, Failure};
use crate::gocmd::{ApplyError, find, run as gorun};
use crate::gomod::{ModuleVersion, semver};
use crate::model::plan::PlanStep;
use crate::model::{Chain, HopKind, Patterns, Separator, SumDb, mask};
use crate::relay::rules::chain::KnownProxies;
use crate::relay::rules::hop::HopClass;
use crate::relay::setup::RelayIdentity;
use clap::Args;
use serde::Serialize;

/// `goroam chain`
#[derive(Debug, Clone, Args)]
pub struct ChainArgs {
    /// GOPROXY value [default: what `go env GOPROXY` prints]
    #[arg(value_name = "VALUE")]
    pub value: Option<String>,
    /// Module to ask for [default: github.com/pkg/errors@v0.9.1]
    #[arg(long, value_name = "MODULE@VERSION", value_parser = parse_module)]
    pub module: Option<ModuleVersion>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

fn parse_module(text: &str) -> Result<ModuleVersion, String> {
    let (path, version) = text.split_once('@').unwrap_or((text, ""));
    if !semver::is_canonical(version) {
        return Err("write it with an exact version: example.com/hello@v1.2.3".to_owned());
    }
    let module = ModuleVersion::new(path, version);
    match module.escaped() {
        Ok(_) => Ok(module),
        Err(error) => Err(error.to_string()),
    }
}

/// What go would do, for scripts.
#[derive(Debug, Serialize)]
struct ChainReport {
    module: String,
    /// The GOPROXY value, credentials removed.
    value: String,
    /// Whether go reads this value; not so if GONOPROXY matches the module.
    uses_chain: bool,
    is_private: bool,
    hops: Vec<HopReport>,
    outcome: ChainOutcome,
    served_by: Option<String>,
    /// How long go waits in all; `None`: for ever.
    wait_ms: Option<u64>,
    requests: Vec<RequestReport>,
    #[serde(skip)]
    lists_as_it_serves: bool,
    private_names: Vec<PrivateName>,
    suggested: String,
    /// Whether the policy's decision is the suggestion.
    #[serde(skip)]
    by_policy: bool,
}

#[derive(Debug, Serialize)]
struct HopReport {
    url: String,
    separator: Option<&'static str>,
    class: &'static str,
    /// Whether go asks it for anything.
    asked: bool,
    moves_on: bool,
    wait_ms: Option<u64>,
    /// What it answers to each request that reaches it.
    answers: Vec<AnswerReport>,
}

#[derive(Debug, Serialize)]
struct AnswerReport {
    file: ChainFile,
    answer: AnswerKind,
    why: String,
    wait_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RequestReport {
    file: ChainFile,
    outcome: ChainOutcome,
    served_by: Option<String>,
}

/// Where go sends the names that match a pattern.
#[derive(Debug, Serialize)]
struct PrivateName {
    pattern: String,
    reaches: Vec<String>,
}

/// Predicts what go does. That a chain does not work is a result, not a failure.
pub(in crate::cli) async fn run(context: &Context, args: ChainArgs) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let loaded = load_policy(&paths, &context.env)?;
    let policy = &loaded.policy;
    let go = find::find(policy.agent.go.as_deref(), &context.env);
    let go = go.await.map_err(Error::from)?;
    let names = ["GOPROXY", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOSUMDB"];
    let values = gorun::values(&go, &context.env, &names).await;
    let mut values = values.map_err(|error| Error::from(ApplyError::Go(error)))?;
    let mut of_go = |name: &str| values.remove(name).unwrap_or_default();
    let current = of_go("GOPROXY");
    // go takes an empty GOPROXY for none.
    let given = args.value.clone().filter(|value| !value.is_empty());
    let value = given.unwrap_or_else(|| current.clone());
    let chain = Chain::parse(&value).map_err(|error| {
        Failure::usage(format_args!(
            "go fails each request with this GOPROXY: {error}"
        ))
    })?;

    let sample = || ModuleVersion::new(chain::SAMPLE.0, chain::SAMPLE.1);
    let module = args.module.unwrap_or_else(sample);
    let lists = [of_go("GOPRIVATE"), of_go("GONOPROXY"), of_go("GONOSUMDB")];
    let [private, no_proxy, no_sums] = lists.each_ref().map(|list| Patterns::parse(list));
    let is_private = [&private, &no_proxy, &no_sums]
        .iter()
        .any(|list| list.matches(&module.path))
        && module != sample();
    let uses_chain = !no_proxy.matches(&module.path);
    let sumdb = if no_sums.matches(&module.path) {
        SumDb::Off
    } else {
        SumDb::parse(&of_go("GOSUMDB"))
            .map_err(|error| Failure::usage(format_args!("{error}; see `go help environment`")))?
    };
    let question = ChainQuestion::new(&module, is_private, &sumdb);
    let mut known = KnownProxies::of(policy.targets.values());
    // The agent's relay sends private names to private proxies only.
    let relay = RelayIdentity::read(&paths.relay_token());
    let url =
        |relay: RelayIdentity| Some(format!("http://127.0.0.1:{}/{}", relay.port?, relay.token));
    known.private.extend(relay.and_then(url));
    let (hops, sums) = chain::ask(&context.env, &chain, &known, question).await;

    let prediction = if uses_chain {
        chain::predict(&module, hops, sums.as_ref())
    } else {
        Prediction::direct(hops)
    };
    let hops = &prediction.hops;
    // Where goroam may not write (GOENV=off), the policy decides nothing.
    let decided = match args.value.is_none() && loaded.path.is_some() {
        true => decided(context, &current).await.ok(),
        false => None,
    };
    let by_policy = decided.is_some();
    let suggested = decided.unwrap_or_else(|| chain::safe_form(hops).to_string());
    let report = ChainReport {
        private_names: private_names(hops, &private, &no_proxy),
        suggested: mask(&suggested),
        by_policy,
        uses_chain,
        is_private,
        ..ChainReport::of(&module, &value, &prediction)
    };
    context.show(args.format.json, &report, text)?;
    Ok(EXIT_DONE)
}

/// Returns the value that the policy decides on here.
async fn decided(context: &Context, current: &str) -> Result<String, Failure> {
    let turn = report_of(context, Command::Once { dry_run: true }).await?;
    let set = turn.plan.steps.into_iter().find_map(|step| match step {
        PlanStep::Set { name, value } if name == "GOPROXY" => Some(value),
        PlanStep::Set { .. } | PlanStep::Unset { .. } | PlanStep::Leave { .. } => None,
    });
    Ok(set.unwrap_or_else(|| current.to_owned()))
}

/// Where the names of each private pattern go: past the proxies, or along the chain.
fn private_names(hops: &[AskedHop], private: &Patterns, no_proxy: &Patterns) -> Vec<PrivateName> {
    let direct = |pattern: &String| PrivateName {
        pattern: pattern.clone(),
        reaches: vec!["direct".to_owned()],
    };
    let reached = hops.iter().take(chain::private_reach(hops));
    let reached = reached.filter(|hop| hop.kind != HopKind::Off);
    let reaches: Vec<String> = reached.map(|hop| shown(&hop.kind)).collect();
    let through = private.globs().iter().filter(|pattern| {
        // Without a pattern of its own, GONOPROXY is GOPRIVATE.
        !no_proxy.globs().contains(pattern) && !no_proxy.matches(pattern)
    });
    let through = through.map(|pattern| PrivateName {
        pattern: pattern.clone(),
        reaches: reaches.clone(),
    });
    let past = no_proxy.globs().iter().filter(|one| *one != "none");
    past.map(direct).chain(through).collect()
}

fn shown(kind: &HopKind) -> String {
    match kind {
        HopKind::Proxy(url) | HopKind::File(url) => mask(url),
        HopKind::Direct => "direct".to_owned(),
        HopKind::Off => "off".to_owned(),
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl ChainReport {
    fn of(module: &ModuleVersion, value: &str, prediction: &Prediction) -> ChainReport {
        let hops = &prediction.hops;
        let name = |at: usize| hops.get(at).map(|hop| shown(&hop.kind));
        let wait: Option<Duration> = (0..hops.len()).map(|at| prediction.wait(at)).sum();
        let request = |walk: &FileWalk| RequestReport {
            file: walk.file,
            outcome: walk.outcome,
            served_by: walk.server().and_then(name),
        };
        let walks = prediction.walks.iter().chain([&prediction.list]);
        ChainReport {
            module: module.to_string(),
            value: mask(value),
            uses_chain: true,
            is_private: false,
            hops: hops
                .iter()
                .enumerate()
                .map(|(at, hop)| HopReport::of(at, hop, prediction))
                .collect(),
            outcome: prediction.outcome(),
            served_by: prediction.server().and_then(name),
            wait_ms: wait.map(ms),
            requests: walks.map(request).collect(),
            lists_as_it_serves: prediction.lists_as_it_serves(),
            private_names: Vec::new(),
            suggested: String::new(),
            by_policy: false,
        }
    }
}

impl HopReport {
    fn of(at: usize, hop: &AskedHop, prediction: &Prediction) -> HopReport {
        let answers = prediction.answers(at).into_iter();
        let list = hop.answers.list.clone();
        let list = (prediction.list.asked > at).then_some((ChainFile::List, &list));
        HopReport {
            url: shown(&hop.kind),
            separator: hop.then.map(|then| match then {
                Separator::Comma => ",",
                Separator::Pipe => "|",
            }),
            class: match (&hop.kind, hop.class) {
                (HopKind::Direct, _) => "direct",
                (HopKind::Off, _) => "off",
                (_, Some(HopClass::Local)) => "local",
                (_, Some(HopClass::Public)) => "public",
                (_, Some(HopClass::Private)) => "private",
                (_, Some(HopClass::Gatekeeper) | None) => "unknown",
            },
            asked: prediction.is_asked(at),
            moves_on: prediction.moves_on(at),
            wait_ms: prediction.wait(at).map(ms),
            answers: answers
                .chain(list)
                .map(|(file, answer)| AnswerReport {
                    file,
                    answer: answer.kind,
                    why: answer.why.clone(),
                    wait_ms: (answer.kind != AnswerKind::Silent).then(|| ms(answer.wait)),
                })
                .collect(),
        }
    }

    /// What go meets at this hop, and what it does then.
    fn told(&self) -> (Mark, String) {
        if !self.asked {
            return (Mark::Note, "go does not get this far.".to_owned());
        }
        match self.class {
            "direct" => return (Mark::Odd, "go turns to version control.".to_owned()),
            "off" => return (Mark::Bad, "go stops: nothing more is tried.".to_owned()),
            _ => {}
        }
        // A proxy need not relay a checksum database.
        let counts = |one: &&AnswerReport| {
            one.answer != AnswerKind::Good
                && one.file != ChainFile::List
                && (one.file, one.answer) != (ChainFile::SumDb, AnswerKind::Absent)
        };
        let bad = || self.answers.iter().filter(counts);
        let of_module = bad().find(|one| one.file != ChainFile::SumDb);
        let Some(worst) = of_module.or_else(|| bad().next()) else {
            let took = self.wait_ms.unwrap_or_default();
            return (Mark::Good, format!("serves it in {}.", in_words(took)));
        };
        let each = match worst.wait_ms {
            Some(long @ 10_000..) => format!(", after {} for each request", in_words(long)),
            Some(_) | None => String::new(),
        };
        let is_last = self.separator.is_none();
        let (mark, then) = match worst.answer {
            AnswerKind::Silent => (
                Mark::Bad,
                "go waits for ever: it has no time limit for an answer".to_owned(),
            ),
            AnswerKind::Wrong => (
                Mark::Bad,
                "go refuses the content and stops, whatever follows".to_owned(),
            ),
            AnswerKind::Unknown => (Mark::Note, "what follows is not known".to_owned()),
            AnswerKind::Absent if self.moves_on => (Mark::Note, "go moves on".to_owned()),
            AnswerKind::Good | AnswerKind::Absent | AnswerKind::Failed | AnswerKind::Mismatch => {
                if self.moves_on {
                    (Mark::Odd, format!("go moves on{each}"))
                } else if is_last {
                    (Mark::Bad, format!("go stops{each}: it is the last"))
                } else {
                    let only = "it moves on after 404 and 410 only (`,`)";
                    (Mark::Bad, format!("go stops{each}: {only}"))
                }
            }
        };
        (mark, format!("{}; {then}.", clean(&worst.why)))
    }
}

/// `<1 ms`, `38 ms`, `90 s`.
fn in_words(ms: u64) -> String {
    match ms {
        0 => "<1 ms".to_owned(),
        1..10_000 => format!("{ms} ms"),
        10_000.. => format!("{} s", ms / 1000),
    }
}

/// Formats the hops, what follows from them, and the other chain.
fn text(report: &ChainReport, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for hop in &report.hops {
        let (mark, told) = hop.told();
        let class = match hop.class {
            "direct" | "off" => "",
            class => class,
        };
        let separator = hop.separator.unwrap_or_default();
        let url = paint(BOLD, &format!("{}{separator}", clean(&hop.url)));
        sheet.line(&format!("{} {url}  {class}", mark.painted()));
        sheet.entry("    ", &told);
    }
    sheet.paragraph(&format!(
        "`go mod download {}` {}.",
        clean(&report.module),
        end(report)
    ));
    let list = report.requests.last().filter(|_| report.uses_chain);
    if let Some(list) = list.filter(|_| !report.lists_as_it_serves) {
        let by = list.served_by.as_deref().map(clean).unwrap_or_default();
        let module = report.module.split('@').next().unwrap_or_default();
        sheet.paragraph(&format!(
            "The list of versions, with which `go get {}@latest` begins: go {}.",
            clean(module),
            ends(list.outcome, &by, "")
        ));
    }
    for name in &report.private_names {
        let reaches: Vec<String> = name.reaches.iter().map(|url| clean(url)).collect();
        let pattern = clean(&name.pattern);
        sheet.paragraph(&match reaches.as_slice() {
            [one] if one == "direct" => format!("Names of {pattern} go past all proxies."),
            all => format!(
                "go asks {} here for names of {pattern}.",
                all.join(", then ")
            ),
        });
    }
    let who = match report.by_policy {
        true => "The policy",
        false => "goroam",
    };
    if report.suggested == report.value {
        sheet.paragraph(&format!("{who} would write the same chain."));
    } else {
        sheet.paragraph(&format!("{who} would write {}", clean(&report.suggested)));
    }
    sheet.finish()
}

fn end(report: &ChainReport) -> String {
    let by = report.served_by.as_deref().map(clean).unwrap_or_default();
    let after = match report.wait_ms {
        Some(long @ 1000..) => format!(" after {}", in_words(long)),
        Some(_) | None => String::new(),
    };
    if report.outcome == ChainOutcome::Direct && !report.uses_chain {
        return "asks no proxy: GONOPROXY matches the module".to_owned();
    }
    ends(report.outcome, &by, &after)
}

fn ends(outcome: ChainOutcome, by: &str, after: &str) -> String {
    match outcome {
        ChainOutcome::Served => format!("gets it from {by}{after}"),
        ChainOutcome::NotFound => format!("fails{after}: no hop has it"),
        ChainOutcome::Failed => format!("fails{after}"),
        ChainOutcome::WrongContent => format!("fails{after}: the content is wrong"),
        ChainOutcome::Hangs => "hangs for ever".to_owned(),
        ChainOutcome::Direct => format!("turns to version control{after}"),
        ChainOutcome::Off => format!("fails{after}: module lookup disabled by GOPROXY=off"),
        ChainOutcome::Unknown => "depends on a hop that is not asked for private names".to_owned(),
    }
}
