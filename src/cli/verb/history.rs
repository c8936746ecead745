//! `goroam history`

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{Json, Moment, parse_moment};
use crate::cli::render::{BOLD, DIM, Page, Sheet, clean, paint};
use crate::cli::{Context, Failure};
use crate::model::plural;
use crate::state::entry::Outcome;
use crate::state::{Anchor, Entry, Journal, JournalError, Memory};
use clap::Args;
use serde::Serialize;
use std::path::Path;

/// `goroam history`
#[derive(Debug, Clone, Args)]
pub struct History {
    /// Number of turns, counted from the end [default: 20, or all of --since and --until]
    #[arg(short = 'n', long = "last", value_name = "N")]
    pub most: Option<usize>,
    /// Only turns since then: a day, a time, or how long ago
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    pub since: Option<Moment>,
    /// Only turns before that moment
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    pub until: Option<Moment>,
    /// Print CSV: what was in force since when
    #[arg(long, conflicts_with_all = ["json", "verify"])]
    pub csv: bool,
    /// Check that every line still follows from the line before it
    #[arg(long)]
    pub verify: bool,
    /// Also check that this line is still there, which --verify once printed as the end
    #[arg(long, value_name = "TURN:HASH", requires = "verify")]
    pub anchor: Option<Anchor>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// The number of turns if no other is asked for.
const MOST: usize = 20;

/// The JSON form of `--verify`.
#[derive(Serialize)]
struct Verified {
    whole: bool,
    turns: Option<usize>,
    error: Option<String>,
    /// The newest line, to be kept elsewhere.
    anchor: Option<String>,
    /// How many turns came after the given anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<usize>,
}

/// Prints the last turns, or whether the journal is intact.
pub(in crate::cli) fn run(context: &Context, args: &History) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let journal = paths.journal();
    if args.verify {
        return verify(context, &journal, &Memory::load(&paths.memory()), args);
    }
    let is_bounded = args.since.is_some() || args.until.is_some();
    let most = args
        .most
        .unwrap_or(if is_bounded { usize::MAX } else { MOST });
    let mut entries = read_journal(&journal, if is_bounded { usize::MAX } else { most })?;
    let [since, until] = [args.since, args.until].map(|one| one.map(|one| one.at(&context.page)));
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(Failure::usage(format_args!(
            "--until is earlier than --since; swap the two"
        )));
    }
    entries.retain(|entry| {
        since.is_none_or(|since| entry.at >= since) && until.is_none_or(|until| entry.at < until)
    });
    entries.drain(..entries.len().saturating_sub(most));
    if args.csv {
        context.out.raw(csv(&entries)?.as_bytes())?;
    } else if args.format.json {
        context.out.raw(array(&entries)?.as_bytes())?;
    } else if most > 0 && entries.is_empty() {
        context.out.text(if is_bounded {
            "No turn was taken in that time.\n"
        } else {
            "The journal is empty: no turn was taken yet.\n"
        })?;
    } else {
        context.out.text(&history(&entries, &context.page))?;
    }
    Ok(EXIT_DONE)
}

/// Reads the last turns; says how many lines cannot be read.
pub(super) fn read_journal(journal: &Path, most: usize) -> Result<Vec<Entry>, Failure> {
    let (entries, unreadable) = Journal::last(journal, most).map_err(failed)?;
    if entries.is_empty() && unreadable > 0 {
        let path = journal.display();
        return Err(Failure::failed(format_args!(
            "{path}: none of its lines can be read: it is damaged, or not a journal of goroam"
        )));
    }
    if unreadable > 0 {
        let lines = plural(unreadable, "line");
        tracing::warn!("{}: {lines} cannot be read", journal.display());
    }
    Ok(entries)
}

fn verify(
    context: &Context,
    journal: &Path,
    memory: &Memory,
    args: &History,
) -> Result<u8, Failure> {
    let after = args.anchor.as_ref();
    let after = after.map(|anchor| Journal::verify_since(journal, anchor));
    let (after, verified) = match after.transpose() {
        Ok(after) => (after, Journal::verify_after(journal, &memory.mark())),
        Err(error) => (None, Err(error)),
    };
    if let Err(error @ JournalError::File { .. }) = verified {
        return Err(failed(error));
    }
    let end = Journal::anchor(journal).map_err(failed)?;
    let end = end.map(|end| end.to_string());
    if args.format.json {
        let whole = verified.is_ok();
        context.out.json(&Verified {
            whole,
            error: verified.as_ref().err().map(ToString::to_string),
            turns: verified.ok(),
            anchor: end,
            after,
        })?;
        return Ok(if whole { EXIT_DONE } else { EXIT_FAILED });
    }
    let turns = verified.map_err(|error| {
        let is_open = matches!(
            error,
            JournalError::Unknown { .. } | JournalError::Older { .. }
        );
        let changed = match is_open {
            true => "",
            false => "; something other than goroam changed the journal",
        };
        Failure::failed(format_args!("{error}{changed}"))
    })?;
    let turns = match turns {
        0 => "no turn was taken yet".to_owned(),
        1 => "1 turn".to_owned(),
        turns => format!("{turns} turns, each linked to the one before"),
    };
    let mut text = format!("✓ the journal is intact: {turns}\n");
    if let Some(after) = after {
        let after = plural(after, "turn");
        text.push_str(&format!(
            "✓ the line of the anchor is there, and {after} after it\n"
        ));
    }
    if let Some(end) = end {
        text.push_str(&format!(
            "its end, to keep elsewhere for --anchor:\n{end}\n"
        ));
    }
    context.out.text(&text)?;
    Ok(EXIT_DONE)
}

fn failed(error: JournalError) -> Failure {
    Failure::Goroam(Error::State {
        what: "the journal".to_owned(),
        source: Box::new(error),
    })
}

/// Formats CSV (RFC 4180): for each turn when it was, what was in force from then on, and what was
/// done.
fn csv(entries: &[Entry]) -> Result<String, std::io::Error> {
    let mut text =
        String::from("turn,time,cause,before,profile,chosen,values,outcome,detail,set_by_hand\r\n");
    for entry in entries {
        let done = !matches!(entry.outcome, Outcome::Failed { .. });
        let decision = entry.decision.as_ref().filter(|_| done);
        let profile = match (&entry.outcome, decision) {
            (Outcome::Restored { .. }, _) => None,
            (_, Some(decision)) => Some(&decision.profile),
            (_, None) => entry.from.as_ref(),
        };
        let chosen = decision.map(|decision| match decision {
            decision if decision.pinned => "by hand",
            decision if decision.provisional => "provisionally",
            _ => "by the network",
        });
        let values = decision.map(|decision| serde_json::to_string(&decision.env));
        let (outcome, detail) = match &entry.outcome {
            Outcome::Written { changed } => ("written", changed.join(" ")),
            Outcome::Restored { changed } => ("restored", changed.join(" ")),
            Outcome::Unchanged => ("unchanged", String::new()),
            Outcome::DryRun => ("dry run", String::new()),
            Outcome::Failed { error, .. } => ("failed", error.clone()),
        };
        let by_hand = entry.drift.iter().map(|drift| drift.name.as_str());
        let cells = [
            entry.turn.to_string(),
            entry.at.to_string(),
            entry.cause.clone(),
            entry.from.clone().unwrap_or_default(),
            profile.cloned().unwrap_or_default(),
            chosen.unwrap_or_default().to_owned(),
            values.transpose()?.unwrap_or_default(),
            outcome.to_owned(),
            detail,
            Vec::from_iter(by_hand).join(" "),
        ];
        text.push_str(&cells.map(|cell| csv_cell(&cell)).join(","));
        text.push_str("\r\n");
    }
    Ok(text)
}

/// Formats one cell. A spreadsheet would take a text that begins like a formula for one and run it:
/// it begins with an apostrophe.
fn csv_cell(text: &str) -> String {
    let mut cell = clean(text);
    if cell
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
    {
        cell.insert(0, '\'');
    }
    if cell.contains([',', '"', '\'', ';']) || cell.trim() != cell {
        cell = format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
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
        sheet.entry(&lead, &clean(&entry.summary()));
    }
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::{csv, csv_cell, history};
    use crate::cli::render::fixtures::{diary, page, plain, too_wide};

    #[test]
    fn no_cell_is_taken_for_a_formula_or_for_two() {
        for (text, cell) in [
            ("office", "office"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            (" =1", "\"' =1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM", "\"'@SUM\""),
            ("\t=1", "\"' =1\""),
            ("a\r\n=1", "a\u{fffd} =1"),
            ("\u{1b}[31m", "\u{fffd}[31m"),
        ] {
            assert_eq!(csv_cell(text), cell, "{text:?}");
        }
    }

    #[test]
    fn a_row_says_what_was_in_force_and_what_was_done() {
        let text = csv(&diary()).unwrap();
        let rows = Vec::from_iter(text.split("\r\n"));
        assert_eq!(rows.len(), 4);
        assert_eq!(
            rows[1],
            "480,2026-11-21T18:40:00Z,recheck,office,office,,,failed,go env file is read-only,"
        );
        assert!(
            rows[2].starts_with("481,2026-11-22T09:12:03Z,network,home,office,by the network,"),
            "{}",
            rows[2]
        );
    }

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
