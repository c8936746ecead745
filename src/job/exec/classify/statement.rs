//! go's statements in a text, and what each one says.

use super::super::class::Class;
use super::form::{self, Lead};
use super::said::Said;
use super::{line, settings, sums, vcs, words};

/// Statements that are judged at most: the network's own come at the end of a run.
const MOST: usize = 10_000;

/// One statement of go's that says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) class: Class,
    /// The whole statement, its first line with its prefix.
    pub(super) text: String,
    pub(super) url: Option<String>,
    pub(super) module: Option<String>,
    pub(super) version: Option<String>,
}

/// All that go said that is a failure of the network, of what came, or of the settings.
pub(super) fn findings(said: &Said<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in [said.stderr, said.build_output] {
        let text = line::cleaned(text);
        let lines: Vec<&str> = text.lines().map(line::unwrapped).collect();
        for (at, first) in lines.iter().enumerate().take(MOST) {
            if let Some((lead, rest)) = form::lead(first) {
                let behind = lines.get(at + 1..).unwrap_or_default();
                findings.extend(judge(lead, first, rest, behind, said));
            }
        }
    }
    sums::same_hash_for_different_modules(&mut findings);
    findings
}

fn judge(lead: Lead, first: &str, rest: &str, behind: &[&str], said: &Said<'_>) -> Option<Finding> {
    let more = continuation(behind);
    let body = joined(rest, more);
    let whole = joined(first, more);
    let (class, url, before) = match lead {
        Lead::Verifying | Lead::Security => (sums::own_block(rest, behind)?, None, body.as_str()),
        _ => says(lead, &body, behind, said)?,
    };
    let (module, version) = about(before);
    Some(Finding {
        class,
        text: whole,
        url,
        module,
        version,
    })
}

/// The class, the URL and the text before the place that tells.
fn says<'a>(
    lead: Lead,
    body: &'a str,
    behind: &[&str],
    said: &Said<'_>,
) -> Option<(Class, Option<String>, &'a str)> {
    // What a server writes is no statement of go's (web/api.go:HTTPError.Error).
    let body = body
        .split_once("\n\tserver response:")
        .map_or(body, |(own, _)| own);
    let before = |part: &str| body.get(..body.len() - part.len()).unwrap_or_default();
    for part in form::parts(body) {
        if let Some((url, error)) = form::request(part) {
            let ours = lead == Lead::Go || form::is_of_modules(url, said.proxies);
            return ours.then(|| (words::of(error), Some(url.to_owned()), before(part)));
        }
        if let Some(class) = vcs::of(part) {
            return Some((class, None, before(part)));
        }
    }
    for part in form::parts(body) {
        let known = sums::of(part, behind)
            .or_else(|| settings::of(part, said.proxies))
            .or_else(|| words::bare(part));
        // The compiler and vet say anything at a place, but nothing of a module's version.
        let goes_own =
            lead == Lead::Go || about(before(part)).0.is_some() || words::is_of_a_zip(part);
        if let Some(class) = known.filter(|_| goes_own) {
            return Some((class, settings::base_of(part), before(part)));
        }
    }
    None
}

/// The lines that belong to a statement: those that begin with a tab.
fn continuation<'a, 'b>(behind: &'b [&'a str]) -> &'b [&'a str] {
    let end = behind
        .iter()
        .position(|line| !line.starts_with('\t'))
        .unwrap_or(behind.len());
    behind.get(..end.min(40)).unwrap_or_default()
}

fn joined(first: &str, more: &[&str]) -> String {
    let mut text = first.to_owned();
    for line in more {
        text.push('\n');
        text.push_str(line);
    }
    text
}

/// The module and version that are named last before the place that tells.
fn about(before: &str) -> (Option<String>, Option<String>) {
    let mut found = (None, None);
    for part in form::parts(before) {
        let word = part.split([':', '\n']).next().unwrap_or_default();
        let word = word.strip_prefix("verifying ").unwrap_or(word).trim_end();
        if let Some((module, version)) = form::versioned(word) {
            found = (Some(module.to_owned()), Some(version.to_owned()));
        } else if let Some(module) = word.strip_prefix("module ")
            && !module.contains(' ')
        {
            found = (Some(module.to_owned()), None);
        }
    }
    found
}
