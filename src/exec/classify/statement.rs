//! Judges a run: finds go's statements in its output, and chooses the one that decides.

use super::form::{self, Lead};
use super::json::JsonWords;
use super::outcome::{Class, Classified, CommandOutput, Exit, GoStatement};
use super::own::{self, OwnLine, WrittenBy};
use super::{sums, words};

/// Judges one run.
///
/// - Exit 0 is [`Class::Ok`], whatever was printed.
/// - Of several statements (downloads run in parallel) the gravest counts; see [`Class`].
/// - A network failure takes precedence over compile errors: the build may succeed with the modules
///   of the next step.
/// - A mismatch takes precedence over everything, even if goroam ended the run.
pub fn classify(said: &CommandOutput<'_>) -> Classified {
    if said.exit == Exit::Code(0) && said.killed.is_none() {
        return Classified::plain(Class::Ok, String::new());
    }
    // If several are equal, this takes the first.
    let gravest = findings(said).into_iter().min_by_key(|found| found.class);
    match (gravest, said.killed) {
        (Some(finding), None) => sums::with_hashes(finding),
        (Some(finding), Some(_)) if finding.class == Class::Mismatch => sums::with_hashes(finding),
        (_, Some(why)) => Classified::plain(Class::Stalled, form::shown(why)),
        (None, None) => Classified::plain(Class::Code, telling(said)),
    }
}

/// Returns the line that shows best why code failed: the first complaint with a place, otherwise
/// the last line that is not noise.
fn telling(said: &CommandOutput<'_>) -> String {
    let text = form::cleaned(said.stderr) + "\n" + &form::cleaned(said.build_output);
    let lines = || {
        text.lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !form::is_noise(line))
    };
    let placed = lines().find(|line| form::placed(line).is_some());
    let best = placed.or_else(|| lines().next_back());
    form::shown(best.unwrap_or_default())
}

/// Finds all statements of go about a failure of the network, of the content, or of the settings.
fn findings(said: &CommandOutput<'_>) -> Vec<GoStatement> {
    let mut findings = Vec::new();
    let stderr = own::lines(said.stderr);
    // A script may have sent a JSON stream to standard error.
    let mut json = JsonWords::default();
    let streamed: String = stderr
        .iter()
        .filter_map(|line| json.next(&line.own))
        .collect();
    in_text(&stderr, said, &mut findings);
    for text in [said.build_output, &streamed] {
        in_text(&own::lines(text), said, &mut findings);
    }
    findings
}

fn in_text(text: &[OwnLine], said: &CommandOutput<'_>, findings: &mut Vec<GoStatement>) {
    let own: Vec<&str> = text.iter().map(|line| line.own.as_str()).collect();
    let all: Vec<&str> = text.iter().map(|line| line.all.as_str()).collect();
    // `SECURITY ERROR` belongs to the mismatch before it, if that message is complete.
    let mut after_mismatch = false;
    for (at, line) in text.iter().enumerate() {
        let unsure = match line.writer {
            WrittenBy::Own => false,
            WrittenBy::Unsure => true,
            WrittenBy::Server => continue,
        };
        let lines = if unsure { &all } else { &own };
        let first = lines.get(at).copied().unwrap_or_default();
        let behind = lines.get(at + 1..).unwrap_or_default();
        let before = lines.get(..at).unwrap_or_default();
        let Some((lead, rest)) = form::lead(first).or_else(|| bare(first, before, behind)) else {
            after_mismatch &= first.is_empty() || first.starts_with('\t');
            continue;
        };
        if lead == Lead::Security && after_mismatch {
            continue;
        }
        // go prints any note: if the note is a web page, it is recognised here.
        let raw = all.get(at + 1..).unwrap_or_default();
        let found = judge(lead, first, rest, behind, raw, said);
        let grave = |found: &GoStatement| found.class == Class::Mismatch;
        let found = found.filter(|f| !unsure || grave(f) && sums::is_whole(first, behind));
        after_mismatch = found.as_ref().is_some_and(grave);
        findings.extend(found.map(|found| GoStatement {
            text: match found.text.strip_prefix(&line.own) {
                Some(more) if !unsure => [&line.all, more].concat(),
                _ => found.text,
            },
            ..found
        }));
    }
}

/// A complaint of go with nothing before it: `go build PACKAGE` prints archive/zip's error in this
/// form (load.PackageError without a place). It directly follows go's own lines; what another
/// program prints is followed by its `exit status`.
fn bare<'a>(first: &'a str, before: &[&str], behind: &[&str]) -> Option<(Lead, &'a str)> {
    let own = |text: &str| words::is_of_a_zip(text) || words::is_setting(text);
    let is_next = |line: &&str| line.starts_with("go: downloading ") || own(line);
    if !own(first) || !before.last().is_some_and(is_next) {
        return None;
    }
    let ran = behind.iter().any(|line| line.starts_with("exit status "));
    (!ran).then_some((Lead::Module, first))
}

fn judge(
    lead: Lead,
    first: &str,
    rest: &str,
    behind: &[&str],
    raw: &[&str],
    said: &CommandOutput<'_>,
) -> Option<GoStatement> {
    let more = continuation(behind);
    let body = joined(rest, more);
    let (class, url, before) = match lead {
        Lead::Verifying | Lead::Security => (sums::own_block(rest, behind)?, None, rest),
        Lead::Go | Lead::Place | Lead::Import | Lead::Chain | Lead::Module => {
            says(lead, &body, raw, said)?
        }
    };
    let (module, version) = about(before);
    Some(GoStatement {
        class,
        text: joined(first, more),
        url,
        module,
        version,
    })
}

/// Returns the class, the URL, and the text before the place that decides.
fn says<'a>(
    lead: Lead,
    body: &'a str,
    behind: &[&str],
    said: &CommandOutput<'_>,
) -> Option<(Class, Option<String>, &'a str)> {
    // What a server writes is not a statement of go (web/api.go:HTTPError.Error; the notes are
    // indented when they come out of JSON).
    let quoted = ["\n\tserver response:", "\n\tnote:", "\n\ttree:"];
    let end = quoted.iter().filter_map(|words| body.find(words)).min();
    let body = body.get(..end.unwrap_or(body.len())).unwrap_or_default();
    let (body, output) = body.split_at(words::vcs_output(body).unwrap_or(body.len()));
    let before = |part: &str| body.get(..body.len() - part.len()).unwrap_or_default();
    // The compiler and vet print any text at a place, but never a module's version. Other programs
    // write a person's address or an account on a machine in this form; go prints a query only
    // after `go: `.
    let is_named = |before: &str| match about(before) {
        (module, None) => module.is_some(),
        (_, Some(version)) => form::is_version(&version),
    };
    let is_search = |before: &str| before.starts_with(words::SEARCHED);
    let goes_own = |before: &str| lead == Lead::Go || is_named(before) || is_search(before);
    for part in form::parts(body) {
        let before = before(part);
        if let Some((url, error)) = form::request(part) {
            // A redirect can lead to any URL.
            let own = goes_own(before) || form::is_of_modules(url, said.proxies);
            let class = words::at_request(part, error);
            return own.then(|| (class, Some(url.to_owned()), before));
        }
        // A linter may end its line with `error: connection refused`.
        let own = || goes_own(before) || words::is_vcs_run(body);
        if let Some((class, url)) = words::of_vcs(part).filter(|_| own()) {
            return Some((class, url, before));
        }
    }
    if let Some((class, url)) = words::in_vcs_output(output) {
        let own = words::is_vcs_run(body) || goes_own(body);
        return own.then_some((class, url, body));
    }
    for part in form::parts(body) {
        let before = before(part);
        // Only go prints these sentences.
        if let Some(class) = words::setting(part, said.proxies) {
            let at_start = before.is_empty() || lead == Lead::Chain;
            let own = goes_own(before) || at_start || words::is_vcs_run(body);
            return own.then(|| (class, words::base_of(part), before));
        }
        let at_start = before.is_empty() || lead == Lead::Chain;
        let own = goes_own(before) || words::is_of_a_zip(part) && at_start;
        let class = sums::of(part, behind).or_else(|| words::bare(part));
        if let Some(class) = class.filter(|_| own) {
            return Some((class, None, before));
        }
    }
    None
}

/// Returns the lines that belong to a statement: those that begin with a tab.
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

/// Returns the module and version that are named last before the place that decides.
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
