//! `goroam history`

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::Json;
use crate::cli::render::{BOLD, DIM, Page, Sheet, clean, paint};
use crate::cli::{Context, Failure};
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
        Failure::failed(format_args!("{error}{changed}"))
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
        sheet.entry(&lead, &clean(&entry.summary()));
    }
    sheet.finish()
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
