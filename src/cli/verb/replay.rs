//! `goroam replay`

use crate::agent::error::EXIT_DONE;
use crate::agent::{ReplayResult, ReplayedTurn, load_policy, replay};
use crate::cli::args::{Json, Moment, parse_moment};
use crate::cli::render::{BOLD, DIM, Page, Sheet, clean, paint};
use crate::cli::verb::history::read_journal;
use crate::cli::verb::test::usable;
use crate::cli::{Context, Failure};
use crate::model::{Target, plural};
use crate::policy::Policy;
use clap::{Args, ValueHint};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// `goroam replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// Journal to read [default: your own]
    #[arg(value_name = "JOURNAL", value_hint = ValueHint::FilePath)]
    pub journal: Option<PathBuf>,
    /// Policy to decide with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub policy: PathBuf,
    /// Policy of the time when the journal was written [default: the active policy]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub was: Option<PathBuf>,
    /// Only turns since then: a day, a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    pub since: Option<Moment>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// The JSON form.
#[derive(Debug, Serialize)]
struct Report {
    turns: Vec<ReplayedTurn>,
    same: usize,
    differ: usize,
    unknown: usize,
    skipped: usize,
    shortened: usize,
    /// The targets that are not what they were.
    other_targets: BTreeSet<String>,
}

/// Decides the turns of a journal with another policy.
pub(in crate::cli) fn run(context: &Context, args: &Replay) -> Result<u8, Failure> {
    let own = || Ok::<_, Failure>(context.paths()?.journal());
    let journal = args.journal.clone().map_or_else(own, Ok)?;
    if args.journal.is_some() && !journal.is_file() {
        let path = journal.display();
        return Err(Failure::usage(format_args!(
            "{path}: there is no such journal"
        )));
    }
    let settled = |mut policy: Policy| -> Result<Policy, Failure> {
        let mirror = context.mirror_of(None, &policy)?;
        policy.settle_mirror(mirror);
        Ok(policy)
    };
    let policy = settled(usable(context, &args.policy)?)?;
    let was = match &args.was {
        Some(file) => settled(usable(context, file)?)?,
        None => load_policy(&context.paths()?, &context.env)?.policy,
    };
    let is_other = |target: &&Target| was.targets.get(&target.name) != Some(target);
    let others = policy.targets.values().filter(is_other);
    let others = BTreeSet::from_iter(others.map(|target| target.name.clone()));
    let mut entries = read_journal(&journal, usize::MAX)?;
    if let Some(since) = args.since {
        let since = since.at(&context.page);
        entries.retain(|entry| entry.at >= since);
    }
    let report = Report::of(replay(&entries, &policy, &others), others);
    context.show(args.format.json, &report, text)?;
    Ok(EXIT_DONE)
}

impl Report {
    fn of(turns: Vec<ReplayedTurn>, other_targets: BTreeSet<String>) -> Report {
        let count =
            |is: &dyn Fn(&ReplayedTurn) -> bool| turns.iter().filter(|turn| is(turn)).count();
        Report {
            same: count(&|turn| turn.result == ReplayResult::Same),
            differ: count(&|turn| matches!(turn.result, ReplayResult::Differs { .. })),
            unknown: count(&|turn| matches!(turn.result, ReplayResult::Unknown { .. })),
            skipped: count(&|turn| matches!(turn.result, ReplayResult::Skipped { .. })),
            shortened: count(&|turn| turn.shortened),
            turns,
            other_targets,
        }
    }
}

/// Formats the turns that would differ, what the others need, and the numbers.
fn text(report: &Report, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let mut open: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for turn in &report.turns {
        match &turn.result {
            ReplayResult::Differs { profile, values } => {
                let was = clean(turn.was.as_deref().unwrap_or("-"));
                let what = match was == clean(profile) {
                    true => format!("{was}, with other values"),
                    false => format!("{} instead of {was}", clean(profile)),
                };
                let (number, when) = (turn.turn, page.moment(turn.at));
                let lead = paint(BOLD, &format!("turn {number}"));
                sheet.entry(
                    &format!("{lead} "),
                    &format!("{what}; {}, {when}", clean(&turn.cause)),
                );
                for (name, value) in values {
                    let shown = |value: &Option<String>| {
                        value.as_deref().map_or("not set".to_owned(), clean)
                    };
                    let now = format!("{}, was {}", shown(&value.now), shown(&value.was));
                    sheet.entry(&format!("  {} ", paint(DIM, &clean(name))), &now);
                }
            }
            ReplayResult::Unknown { needs } => {
                open.entry(needs.join(", ")).or_default().push(turn.turn);
            }
            ReplayResult::Same | ReplayResult::Skipped { .. } => {}
        }
    }
    for (needs, turns) in &open {
        let says = format!("{} (needs {})", list(turns), clean(needs));
        sheet.entry("not known: ", &says);
    }
    let decided = report.turns.len() - report.skipped;
    let mut says = format!(
        "{}: {} the same, {} would differ, {} not known",
        plural(decided, "turn"),
        report.same,
        report.differ,
        report.unknown
    );
    if report.skipped > 0 {
        says.push_str(&format!(
            "; {} without a decision of its own",
            plural(report.skipped, "turn")
        ));
    }
    sheet.paragraph(&says);
    if report.shortened > 0 {
        let turns = plural(report.shortened, "turn");
        sheet.paragraph(&format!(
            "The journal holds only a part of the network of {turns}."
        ));
    }
    if !report.other_targets.is_empty() {
        let names = Vec::from_iter(report.other_targets.iter().map(|name| clean(name)));
        let names = names.join(", ");
        sheet.paragraph(&format!("Not what they were, so not known: {names}."));
    }
    sheet.finish()
}

/// Formats numbers of turns: "turns 3, 4, 5, 6, 7 and 12 more".
fn list(turns: &[u64]) -> String {
    const MOST: usize = 5;
    let named = Vec::from_iter(turns.iter().take(MOST).map(u64::to_string)).join(", ");
    let s = if turns.len() == 1 { "" } else { "s" };
    match turns.len().saturating_sub(MOST) {
        0 => format!("turn{s} {named}"),
        more => format!("turn{s} {named} and {more} more"),
    }
}
