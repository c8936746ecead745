//! `goroam history`

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::Json;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render::page::{Page, duration};
use crate::cli::render::style::{BOLD, DIM, paint};
use crate::cli::render::text::{Sheet, clean, width};
use crate::model::Truth;
use crate::model::status::Drift;
use crate::policy::Trace;
use crate::state::entry::Outcome;
use crate::state::{Entry, Journal, JournalError, Memory};
use clap::Args;
use serde::Serialize;

/// `goroam history`
#[derive(Debug, Clone, Copy, Args)]
pub struct History {
    /// Number of turns, counted from the end
    #[arg(short = 'n', long = "last", value_name = "N", default_value = "20")]
    pub most: usize,
    /// Check that every line still follows from the line before it
    #[arg(long)]
    pub verify: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// The JSON form of `--verify`.
#[derive(Serialize)]
struct Verified {
    whole: bool,
    turns: Option<usize>,
    error: Option<String>,
}

/// Prints the last turns, or whether the journal is intact.
pub(in crate::cli) fn run(context: &Context, args: History) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let journal = paths.journal();
    if args.verify {
        let mark = Memory::load(&paths.memory()).mark();
        let verified = Journal::verify_after(&journal, &mark);
        return verify(context, verified, args.format.json);
    }
    let (entries, unreadable) = Journal::last(&journal, args.most).map_err(failed)?;
    if unreadable > 0 {
        tracing::warn!("{}: {unreadable} lines cannot be read", journal.display());
    }
    if args.format.json {
        context.out.raw(array(&entries)?.as_bytes())?;
    } else if args.most > 0 && entries.is_empty() {
        context
            .out
            .text("The journal is empty: no turn was taken yet.\n")?;
    } else {
        context.out.text(&history(&entries, &context.page))?;
    }
    Ok(EXIT_DONE)
}

fn verify(
    context: &Context,
    verified: Result<usize, JournalError>,
    json: bool,
) -> Result<u8, Failure> {
    if let Err(error @ JournalError::File { .. }) = verified {
        return Err(failed(error));
    }
    if json {
        let whole = verified.is_ok();
        context.out.json(&Verified {
            whole,
            error: verified.as_ref().err().map(ToString::to_string),
            turns: verified.ok(),
        })?;
        return Ok(if whole { EXIT_DONE } else { EXIT_FAILED });
    }
    let turns = verified.map_err(|error| {
        let changed = if matches!(error, JournalError::Unknown { .. }) {
            ""
        } else {
            "; something other than goroam changed the journal"
        };
        Failure::said(format!("{error}{changed}"), EXIT_FAILED)
    })?;
    let turns = match turns {
        1 => "1 turn".to_owned(),
        turns => format!("{turns} turns, each linked to the one before"),
    };
    context
        .out
        .text(&format!("✓ the journal is intact: {turns}\n"))?;
    Ok(EXIT_DONE)
}

fn failed(error: JournalError) -> Failure {
    Failure::Goroam(Error::State {
        what: "the journal".to_owned(),
        source: Box::new(error),
    })
}

/// Formats a JSON array with one turn per line, for `jq` and for `grep`.
fn array(entries: &[Entry]) -> Result<String, std::io::Error> {
    let lines = entries.iter().map(serde_json::to_string);
    let lines = lines.collect::<Result<Vec<String>, _>>()?.join(",\n");
    if lines.is_empty() {
        return Ok("[]\n".to_owned());
    }
    Ok(format!("[\n{lines}\n]\n"))
}

/// Formats one line for each turn, below the day if that is not today.
pub(in crate::cli) fn history(entries: &[Entry], page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let mut day = page.day(page.now);
    for entry in entries {
        let own = page.day(entry.at);
        if own != day {
            sheet.line(&paint(BOLD, &own));
            day = own;
        }
        let clock = page.clock(entry.at);
        let lead = format!("{} ", paint(DIM, &clock));
        let hang = width(&clock) + 1;
        sheet.entry(&lead, hang, &switch(entry), hang);
    }
    sheet.finish()
}

/// Formats a turn in one sentence: "home → office in 38 ms: default route moved to wlan0; up corp".
fn switch(entry: &Entry) -> String {
    let changes = entry.changes.iter().filter(|change| change.major);
    let changes = changes.map(|change| clean(&change.what));
    let mut reasons: Vec<String> = entry.drift.iter().map(drift).chain(changes).collect();
    if reasons.is_empty() {
        reasons.push(clean(&entry.cause));
    }
    reasons.truncate(3);
    if let Some(decision) = &entry.decision
        && entry.from.as_deref() != Some(decision.profile.as_str())
    {
        let mut considered = decision.considered.iter();
        let chosen = considered.find(|considered| considered.profile == decision.profile);
        if decision.pinned {
            reasons.push("chosen by hand".to_owned());
        } else if let Some(trace) = chosen.and_then(|considered| considered.trace.as_ref()) {
            reasons.extend(proof(trace));
        }
    }
    format!(
        "{}{}: {}",
        profiles(entry),
        ending(entry),
        reasons.join("; ")
    )
}

/// Formats a drift: "GOPROXY was set by hand to direct", or by another program; and the
/// consequence.
fn drift(drift: &Drift) -> String {
    let name = clean(&drift.name);
    match &drift.found {
        Some(value) => format!("{name} was set by hand to {}", clean(value)),
        None => format!("{name} was removed by hand"),
    }
}

fn profiles(entry: &Entry) -> String {
    let to = entry.decision.as_ref().map(|decision| &decision.profile);
    match (&entry.outcome, &entry.from, to) {
        (Outcome::Restored { .. }, Some(from), _) => format!("{} → put back", clean(from)),
        (Outcome::Restored { .. }, None, _) => "put back".to_owned(),
        (_, Some(from), Some(to)) if from == to => format!("{} stays", clean(to)),
        (_, Some(from), Some(to)) => format!("{} → {}", clean(from), clean(to)),
        (_, None, Some(to)) => format!("→ {}", clean(to)),
        // No decision was needed.
        (_, Some(from), None) if !entry.drift.is_empty() => format!("{} stays", clean(from)),
        (_, Some(from), None) => format!("{} stays, undecided", clean(from)),
        (_, None, None) => "undecided".to_owned(),
    }
}

fn ending(entry: &Entry) -> String {
    match &entry.outcome {
        Outcome::Written { .. } | Outcome::Restored { .. } => match entry.ms.get("all") {
            Some(ms) => format!(" in {}", duration(*ms)),
            None => String::new(),
        },
        Outcome::Unchanged => String::new(),
        Outcome::DryRun => " (dry run)".to_owned(),
        Outcome::Failed { error } => format!(", not written ({})", clean(error)),
    }
}

/// Returns the first true condition with evidence, which is the reason for the choice.
fn proof(trace: &Trace) -> Option<String> {
    if trace.value != Truth::True {
        return None;
    }
    if trace.parts.is_empty() && !trace.evidence.is_empty() {
        let (what, evidence) = (clean(&trace.what), clean(&trace.evidence));
        return Some(format!("{what} ({evidence})"));
    }
    trace.parts.iter().find_map(proof)
}

#[cfg(test)]
mod tests {
    use super::history;
    use crate::cli::render::fixtures::{diary, page, plain, too_wide};

    #[test]
    fn a_switch_reads_as_one_line_of_a_diary() {
        let text = history(&diary(), &page());
        assert_eq!(
            plain(&text),
            "\
2026-11-21
18:40:00 office stays, not written (go env file is read-only): recheck
2026-11-22
09:12:03 home → office in 38 ms: default route moved to wlan0 via 10.20.0.1; up
         corp (TLS to goproxy.corp.example, key sha256/3f9c… is pinned)
"
        );
        assert_eq!(too_wide(&text), None);
    }
}
