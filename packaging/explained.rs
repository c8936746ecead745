//! Takes what `goroam explain` says out of the docs, so that it is written once: the page of
//! symptoms, and the tables of codes. One line for each entry, with tabs between codes, symptom,
//! page and meaning; then its commands, one a line after `$ `.

use std::io::{Error, Result};

/// The page of symptoms.
pub(crate) const SYMPTOMS: &str = "docs/troubleshooting.md";
/// The pages with tables of codes, the heading above them, and what shows such a finding.
pub(crate) const TABLES: [(&str, &str, &str); 2] = [
    ("docs/doctor.md", "Codes", "goroam doctor"),
    ("docs/policy.md", "Findings", "goroam check"),
];

/// Returns the entries of the page of symptoms.
///
/// # Errors
/// If a section has no line with its code, or no meaning.
pub(crate) fn symptoms(page: &str) -> Result<String> {
    let mut out = String::new();
    for section in page.split("\n## ").skip(1) {
        let (heading, body) = section.split_once('\n').unwrap_or((section, ""));
        let (mut codes, mut meaning, mut commands) = (Vec::new(), Vec::new(), String::new());
        let mut fence = None;
        for line in body.lines() {
            match (fence, line.strip_prefix("```")) {
                (None, Some(kind)) => fence = Some(kind),
                (Some(_), Some(_)) => fence = None,
                (Some("console"), None) => commands += &format!("{line}\n"),
                (Some(_), None) => {}
                (None, None) => match line.strip_prefix("Code: ") {
                    Some(list) => codes = quoted(list),
                    None => meaning.push(line),
                },
            }
        }
        let meaning = plain(&meaning.join(" "));
        if codes.is_empty() || meaning.is_empty() {
            return Err(Error::other(format!(
                "{SYMPTOMS}: {heading}: no code or no text"
            )));
        }
        let (codes, anchor) = (codes.join(" "), anchor(heading));
        out += &format!("={codes}\t{heading}\t{SYMPTOMS}#{anchor}\t{meaning}\n{commands}");
    }
    Ok(out)
}

/// Returns the entries of a page's tables of codes: a row has codes, a meaning and, in some tables,
/// what to do.
pub(crate) fn table(page: &str, (path, heading, shows): (&str, &str, &str)) -> String {
    let rows = page
        .split(&format!("\n## {heading}\n"))
        .nth(1)
        .unwrap_or_default();
    let rows = rows.lines().take_while(|line| !line.starts_with("## "));
    let mut out = String::new();
    for row in rows.filter_map(|row| row.strip_prefix("| `")) {
        let row = format!("`{row}").replace("\\|", "\u{1}");
        let mut cells = row.trim_end_matches(" |").split(" | ");
        let codes = quoted(cells.next().unwrap_or_default()).join(" ");
        let cells: Vec<String> = cells.map(|cell| sentence(&plain(cell))).collect();
        let meaning = cells.join(" ").replace('\u{1}', "|");
        let anchor = anchor(heading);
        out += &format!("={codes}\t\t{path}#{anchor}\t{meaning}\n$ {shows}\n");
    }
    out
}

/// Returns what is between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Removes links and repeated space.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("](") {
        let (before, words) = before.rsplit_once('[').unwrap_or((before, ""));
        out += &format!("{before}{words}");
        rest = link.split_once(')').map_or("", |(_, behind)| behind);
    }
    out += rest;
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Makes a sentence of a cell.
fn sentence(cell: &str) -> String {
    let mut chars = cell.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    let end = if cell.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.unwrap_or_default(), chars.as_str())
}

/// Returns a heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
