//! `goroam history`

use serde::Serialize;

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::History;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::state::{Entry, Journal, JournalError, Memory};

/// The JSON form of `--verify`.
#[derive(Serialize)]
struct Verified {
    whole: bool,
    turns: Option<usize>,
    error: Option<String>,
}

/// The last turns, or whether the journal is whole.
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
        context
            .out
            .text(&render::history(&entries, &context.page))?;
    }
    Ok(EXIT_DONE)
}

fn verify(
    context: &Context,
    verified: Result<usize, JournalError>,
    json: bool,
) -> Result<u8, Failure> {
    let (turns, error) = match verified {
        Ok(turns) => (Some(turns), None),
        Err(
            error @ (JournalError::Broken { .. }
            | JournalError::Missing { .. }
            | JournalError::Unknown { .. }),
        ) => (None, Some(error)),
        Err(error @ JournalError::File { .. }) => return Err(failed(error)),
    };
    if json {
        context.out.json(&Verified {
            whole: error.is_none(),
            turns,
            error: error.as_ref().map(ToString::to_string),
        })?;
        return Ok(if error.is_none() {
            EXIT_DONE
        } else {
            EXIT_FAILED
        });
    }
    match error {
        Some(error @ JournalError::Unknown { .. }) => {
            Err(Failure::said(error.to_string(), EXIT_FAILED))
        }
        Some(error) => Err(Failure::said(
            format!("{error}; the journal was changed by somebody else than goroam"),
            EXIT_FAILED,
        )),
        None => {
            let turns = match turns.unwrap_or_default() {
                1 => "1 turn".to_owned(),
                turns => format!("{turns} turns, each bound to the one before it"),
            };
            context
                .out
                .text(&format!("✓ the journal is whole: {turns}\n"))?;
            Ok(EXIT_DONE)
        }
    }
}

fn failed(error: JournalError) -> Failure {
    Failure::Goroam(Error::State {
        what: "the journal".to_owned(),
        source: Box::new(error),
    })
}

/// A JSON array with one turn a line: for `jq` and for `grep`.
fn array(entries: &[Entry]) -> Result<String, std::io::Error> {
    let lines: Result<Vec<String>, serde_json::Error> =
        entries.iter().map(serde_json::to_string).collect();
    Ok(match lines?.as_slice() {
        [] => "[]\n".to_owned(),
        lines => format!("[\n{}\n]\n", lines.join(",\n")),
    })
}
