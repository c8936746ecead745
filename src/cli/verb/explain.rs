//! `goroam explain`

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use serde::Serialize;
use zlib_rs::{Inflate, InflateFlush};

use crate::agent::error::EXIT_DONE;
use crate::cli::args::Json;
use crate::cli::render::{BOLD, DIM, Page, Sheet, clean, pad, paint, width};
use crate::cli::{Context, Failure};
use crate::exec::{BlameReason, Blamed, Class, Classified, CommandOutput, Exit, classify};

/// `goroam explain`
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// What go or goroam printed, or a code; without it or with `-`, standard input
    #[arg(value_name = "TEXT|CODE")]
    pub text: Vec<String>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// What the build took out of the docs (packaging/explained.rs): the length, then zlib.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/explained.z"));
/// A build that prints more has said what is wrong before, in bytes.
const MOST_INPUT: u64 = 4 << 20;

/// One symptom or code. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    /// Its codes: more than one if the same answer holds for several.
    codes: Vec<&'a str>,
    /// What go prints, with each wording in backticks; empty for a code of a finding.
    symptom: &'a str,
    /// What it means.
    meaning: &'a str,
    /// What to type, as in the docs: `$ COMMAND   # what it does`.
    commands: Vec<&'a str>,
    /// The page of the docs.
    page: &'a str,
    /// The line of the text that it explains.
    line: Option<String>,
}

/// Explains a text or a code, or lists the symptoms.
pub(in crate::cli) fn run(context: &Context, args: &Explain) -> Result<u8, Failure> {
    let text = match args.text.as_slice() {
        [] if io::stdin().is_terminal() => String::new(),
        [] => standard_input()?,
        [dash] if dash == "-" => standard_input()?,
        words => words.join(" "),
    };
    let docs = unpacked().ok_or_else(|| Failure::failed("the packed docs cannot be read"))?;
    let mut entries: Vec<Entry<'_>> = docs.split("\n=").filter_map(entry).collect();
    if text.trim().is_empty() {
        context.show(args.format.json, &entries, list)?;
        return Ok(EXIT_DONE);
    }
    let Some((code, line)) = recognised(text.trim(), &entries) else {
        return Err(Failure::failed(
            "no failure that goroam knows is in this text: if go printed it, it is about the \
             code, not about the network; `goroam explain` without text lists what it knows",
        ));
    };
    let at = entries
        .iter()
        .position(|entry| entry.codes.contains(&code.as_str()));
    let Some(at) = at else {
        return Err(Failure::failed(format_args!(
            "goroam knows no entry {code}"
        )));
    };
    let mut found = entries.swap_remove(at);
    found.line = line;
    context.show(args.format.json, &found, explained)?;
    Ok(EXIT_DONE)
}

fn standard_input() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MOST_INPUT)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unpacked() -> Option<String> {
    let (length, packed) = PACKED.split_first_chunk()?;
    let mut text = vec![0; usize::try_from(u32::from_le_bytes(*length)).ok()?];
    let mut inflate = Inflate::new(true, 15);
    inflate
        .decompress(packed, &mut text, InflateFlush::Finish)
        .ok()?;
    String::from_utf8(text).ok()
}

fn entry(text: &str) -> Option<Entry<'_>> {
    let mut lines = text.lines();
    let mut fields = lines.next()?.trim_start_matches('=').split('\t');
    Some(Entry {
        codes: fields.next()?.split(' ').collect(),
        symptom: fields.next()?,
        page: fields.next()?,
        meaning: fields.next()?,
        commands: lines.collect(),
        line: None,
    })
}

/// Returns the code of what is in the text, and the line that shows it: the text is a code; go
/// itself says it; a wording of a symptom occurs; goroam names a code in brackets.
fn recognised(text: &str, entries: &[Entry<'_>]) -> Option<(String, Option<String>)> {
    let codes = entries.iter().flat_map(|entry| &entry.codes).copied();
    let codes: BTreeSet<&str> = codes.collect();
    let bare = text.trim_matches(['[', ']', '(', ')', '`']);
    if codes.contains(bare) {
        return Some((bare.to_owned(), None));
    }
    let seen = classify(&CommandOutput {
        stderr: text,
        build_output: "",
        exit: Exit::Code(1),
        proxies: &[],
        killed: None,
    });
    if let Some(code) = code_of(&seen) {
        return Some((code, Some(seen.line)));
    }
    let named = text.split(['[', '(']).skip(1).find_map(|rest| {
        let word = rest.split([']', ')', ':']).next()?;
        codes.get(word).copied()
    });
    if let Some(code) = named {
        return Some((code.to_owned(), None));
    }
    let wordings = entries.iter().flat_map(|entry| {
        let words = entry.symptom.split('`').skip(1).step_by(2);
        // What follows differs: a name, a version.
        words.map(move |words| (words.split('…').next().unwrap_or_default().trim(), entry))
    });
    let (_, entry) = wordings
        .filter(|(words, _)| text.contains(words))
        .max_by_key(|(words, _)| words.len())?;
    Some(((*entry.codes.first()?).to_owned(), None))
}

/// Returns the code of what `exec` would say; `None`: go says nothing about the network.
fn code_of(seen: &Classified) -> Option<String> {
    let reason = seen.blame.why.as_ref().map(|why| match why {
        BlameReason::NotYet(_) => "not-yet",
        BlameReason::Expired(_) => "expired",
        BlameReason::PlainHttp => "plain-http",
        BlameReason::OtherName => "other-name",
        BlameReason::UnknownCa => "unknown-ca",
        BlameReason::HostKey => "host-key",
        BlameReason::Forbidden => "forbidden",
    });
    let code = match (seen.class, &seen.blame.who, reason) {
        (Class::Ok | Class::Code, ..) => return None,
        (Class::NotFound, Some(Blamed::Database(_)), _) => "database-not-found",
        (Class::Mismatch | Class::Portal | Class::Corrupt | Class::Config, ..) => {
            return Some(seen.class.to_string());
        }
        (_, Some(Blamed::HttpProxy(_)), _) => "http-proxy",
        (_, _, Some(reason)) => reason,
        (_, Some(Blamed::Database(_)), None) => "database",
        _ => return Some(seen.class.to_string()),
    };
    Some(code.to_owned())
}

fn explained(entry: &Entry<'_>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let codes = format!("[{}]", entry.codes.join("] ["));
    sheet.styled("", format!("{} {codes}", entry.symptom).trim(), BOLD);
    if let Some(line) = &entry.line {
        sheet.entry("  in: ", &clean(line));
    }
    sheet.entry("  ", entry.meaning);
    sheet.gap();
    for command in &entry.commands {
        match command.split_once("  #") {
            Some((command, what)) => {
                let lead = format!("  {} # ", pad(command.trim_end(), 35));
                let fits = width(&lead) + 20 < page.columns;
                let hang = if fits { width(&lead) } else { 6 };
                sheet.hanging(&lead, what.trim(), hang);
            }
            None => sheet.line(&format!("  {command}")),
        }
    }
    sheet.gap();
    sheet.line(&paint(DIM, entry.page));
    sheet.finish()
}

fn list(entries: &Vec<Entry<'_>>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for entry in entries.iter().filter(|entry| !entry.symptom.is_empty()) {
        sheet.row(
            entry.codes.first().copied().unwrap_or_default(),
            18,
            entry.symptom,
        );
    }
    sheet.gap();
    sheet.paragraph(
        "Also every code of `goroam doctor` and `goroam check`. `goroam explain CODE` says what \
         it means and what to type.",
    );
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCS: &str = include_str!("../../../docs/troubleshooting.md");
    const RECORDED: [&str; 2] = [
        include_str!("../../../tests/data/go-errors.tsv"),
        include_str!("../../../tests/data/go-errors-more.tsv"),
    ];

    fn found(text: &str, entries: &[Entry<'_>]) -> Option<String> {
        recognised(text, entries).map(|(code, _)| code)
    }

    #[test]
    fn every_message_on_the_page_leads_to_the_entry_that_it_stands_in() {
        let docs = unpacked().unwrap();
        let entries: Vec<Entry<'_>> = docs.split("\n=").filter_map(entry).collect();
        let mut messages = 0;
        for section in DOCS.split("\n## ").skip(1) {
            let code = section.split("\nCode: `").nth(1).unwrap();
            let code = code.split('`').next().unwrap();
            let of_code = |entry: &&Entry<'_>| entry.codes[0] == code;
            let own = entries.iter().find(of_code).unwrap();
            assert!(!own.commands.is_empty() && DOCS.contains(own.commands[0]));
            for message in section.split("```text\n").skip(1) {
                let message = message.split("```").next().unwrap();
                assert_eq!(found(message, &entries).as_deref(), Some(code), "{message}");
                messages += 1;
            }
        }
        assert!(messages > 25, "{messages}");
    }

    #[test]
    fn whatever_a_real_go_said_of_the_network_has_an_entry() {
        let docs = unpacked().unwrap();
        let entries: Vec<Entry<'_>> = docs.split("\n=").filter_map(entry).collect();
        let mut seen = std::collections::BTreeSet::new();
        for row in RECORDED.iter().flat_map(|records| records.lines()) {
            for field in row.split('\t') {
                let text = field.replace("\\n", "\n").replace("\\t", "\t");
                let class = classify(&CommandOutput {
                    stderr: &text,
                    build_output: "",
                    exit: Exit::Code(1),
                    proxies: &[],
                    killed: None,
                });
                if let Some(code) = code_of(&class) {
                    let known = entries.iter().any(|entry| entry.codes.contains(&&*code));
                    assert!(known, "{code}: {text}");
                    seen.insert(code);
                }
            }
        }
        // All but `stalled`, of which go says nothing.
        assert_eq!(seen.len(), 25, "{seen:?}");
    }

    #[test]
    fn the_symptoms_are_words_of_a_real_go() {
        // Not recorded, but in go's source: modfetch/coderepo.go, envcmd/env.go.
        let known = [
            "unknown revision",
            "does not override conflicting OS environment variable",
        ];
        let records = RECORDED.join("\n").replace("\\n", "\n");
        for heading in DOCS.lines().filter_map(|line| line.strip_prefix("## ")) {
            let wordings = heading.split('`').skip(1).step_by(2);
            for part in wordings.flat_map(|wording| wording.split('…')) {
                let part = part.trim_matches([' ', ',', ':']);
                assert!(records.contains(part) || known.contains(&part), "{part}");
            }
        }
    }

    #[test]
    fn a_code_is_found_by_itself_and_in_what_goroam_prints() {
        let docs = unpacked().unwrap();
        let entries: Vec<Entry<'_>> = docs.split("\n=").filter_map(entry).collect();
        for (text, code) in [
            ("shadowed-by-shell", Some("shadowed-by-shell")),
            ("[loosens-unproven]", Some("loosens-unproven")),
            (
                "goroam: p.corp.example is busy (busy); built from the mirror",
                Some("busy"),
            ),
            (
                "✗ GOPROXY=x in ~/.bashrc:3 [shadowed-by-shell]",
                Some("shadowed-by-shell"),
            ),
            ("dial tcp: lookup x: no such host", Some("dns")),
            ("bad/x.go:3:19: too many return values", None),
            ("(of course)", None),
        ] {
            assert_eq!(found(text, &entries).as_deref(), code, "{text}");
        }
        for table in ["docs/doctor.md#codes", "docs/policy.md#findings"] {
            let rows = entries.iter().filter(|entry| entry.page == table).count();
            assert!(rows > 50, "{table}: {rows}");
        }
    }
}
