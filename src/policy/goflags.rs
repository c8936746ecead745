//! GOFLAGS, as `cmd/go/internal/base.InitGOFLAGS` reads it.

use super::finding::PolicyFinding;
use crate::model::lookalike::{self, Lookalike};

/// Checks a value of GOFLAGS.
pub(super) fn goflags(value: &str) -> Vec<PolicyFinding> {
    let mut faults = Vec::new();
    let Ok(words) = split_quoted(value) else {
        return vec![PolicyFinding::fault(
            "bad-goflags",
            "GOFLAGS holds a quote that is not closed",
        )];
    };
    for (at, word) in words {
        let place = (at, word.len());
        let Some(flag) =
            flag(word).filter(|flag| !flag.is_empty() && !flag.starts_with(['-', '=']))
        else {
            let message = "every word of GOFLAGS must be a flag: go refuses to run otherwise";
            let fault = PolicyFinding::fault("bad-goflags", message).at(place);
            faults.push(fault.help("write a flag and its value as one word: -flag=value"));
            continue;
        };
        let fault = match flag {
            "mod=vendor" => PolicyFinding::fault(
                "goflags-mod-vendor",
                "-mod=vendor for every project breaks those without a vendor folder, and `go install m@v` everywhere",
            )
            .help("go uses a vendor directory without it; for one command: goroam exec --tiers vendor -- go build ./..."),
            "mod=mod" => PolicyFinding::fault(
                "goflags-mod-mod",
                "-mod=mod for every project passes vendor folders over, and fails in workspaces",
            )
            .mild(),
            flag if is_insecure(flag) => {
                PolicyFinding::fault("nothing-reads", "nothing reads -insecure since go 1.17")
                    .help("take it out; a proxy's own certificate authority belongs into the system's store")
                    .mild()
            }
            _ => continue,
        };
        faults.push(fault.at(place));
    }
    faults
}

/// Returns the text after the one or two dashes of a flag.
fn flag(word: &str) -> Option<&str> {
    word.strip_prefix("--").or_else(|| word.strip_prefix('-'))
}

/// Finds punctuation marks that look like ASCII ones. Values that go passes to the compiler and the
/// linker, and names of files, may contain them.
pub(super) fn look_alikes(value: &str) -> Vec<Lookalike> {
    const HANDED_ON: [&str; 9] = [
        "asmflags",
        "exec",
        "gccgoflags",
        "gcflags",
        "ldflags",
        "modfile",
        "overlay",
        "pkgdir",
        "toolexec",
    ];
    let mut found: Vec<Lookalike> = lookalike::all(value).collect();
    for (at, word) in split_quoted(value).unwrap_or_default() {
        let (name, text) = word.split_once('=').unwrap_or((word, ""));
        let behind = at + word.len() - text.len()..at + word.len();
        if HANDED_ON.contains(&name.trim_start_matches('-')) {
            found.retain(|mark| !behind.contains(&mark.at));
        }
    }
    found
}

/// Reports whether the value holds `-insecure`, which disabled certificate and checksum
/// verification up to go 1.16.
pub(super) fn loosens(value: &str) -> bool {
    let words = split_quoted(value).unwrap_or_default();
    words
        .iter()
        .any(|(_, word)| flag(word).is_some_and(is_insecure))
}

/// Reports whether one of the flags has go run a program.
pub(super) fn runs_a_program(value: &str) -> bool {
    let words = split_quoted(value).unwrap_or_default();
    words.iter().any(|(_, word)| {
        let name = flag(word).and_then(|flag| flag.split('=').next());
        matches!(name, Some("exec" | "toolexec" | "vettool"))
            // The linker's flags may name the linker.
            || word.contains("-extld") || word.contains("-extar")
    })
}

fn is_insecure(flag: &str) -> bool {
    let (name, value) = flag.split_once('=').unwrap_or((flag, "true"));
    // `strconv.ParseBool`.
    name == "insecure" && !matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False")
}

/// Returns GOFLAGS without its `-mod=…`, for a caller that adds another one. Words that hold a
/// space are quoted as they were. `None` if a quote is not closed: go would refuse to run.
pub fn without_mod(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    for (at, word) in split_quoted(value).ok()? {
        if flag(word).is_some_and(|flag| flag == "mod" || flag.starts_with("mod=")) {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        let quote = at
            .checked_sub(1)
            .and_then(|before| value.as_bytes().get(before))
            .filter(|byte| matches!(byte, b'"' | b'\''));
        let quote = quote.map(|byte| char::from(*byte));
        out.extend(quote);
        out.push_str(word);
        out.extend(quote);
    }
    Some(out)
}

/// Returns the flags of a value without their quotes; `None` if a quote is not closed.
pub fn words(value: &str) -> Option<Vec<&str>> {
    let words = split_quoted(value).ok()?;
    Some(words.into_iter().map(|(_, word)| word).collect())
}

/// `cmd/internal/quoted.Split`: words with their offsets; quotes count at the start of a word.
fn split_quoted(value: &str) -> Result<Vec<(usize, &str)>, ()> {
    let mut words = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let at = value.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        let (word, behind, from) = if matches!(first, '"' | '\'') {
            let (word, behind) = rest[1..].split_once(first).ok_or(())?;
            (word, behind, at + 1)
        } else {
            let end = rest.find([' ', '\t', '\n', '\r']).unwrap_or(rest.len());
            (&rest[..end], &rest[end..], at)
        };
        words.push((from, word));
        rest = behind;
    }
}
