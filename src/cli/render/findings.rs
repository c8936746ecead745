//! Prints the findings of every verb, and those of a policy with the lines that they concern.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::Style;
use serde::Serialize;

use super::page::Page;
use super::style::{BOLD, Mark, paint};
use super::text::{Sheet, clean, wrap};
use crate::agent::summary;
use crate::model::mask::blot_policy;
use crate::policy::layers::{Part, PolicyText};
use crate::policy::{Label, PolicyFinding, Severity};

/// Most findings shown: a person fixes some and runs the command again.
pub(in crate::cli) const MOST_FINDINGS: usize = 50;

/// A finding of any verb.
#[derive(Debug)]
pub(in crate::cli) struct Shown<'a> {
    /// The severity.
    pub mark: Mark,
    /// The problem, in one sentence.
    pub says: String,
    /// Its code, for scripts.
    pub code: Option<String>,
    /// The lines below the finding: a word or an empty string, and a text that is indented after
    /// it.
    pub details: Vec<(&'a str, String)>,
    /// What to do.
    pub help: &'a str,
}

impl Shown<'_> {
    /// Prints the finding: the sentence with its code, the details, what to do.
    pub(in crate::cli) fn print(&self, sheet: &mut Sheet) {
        let mut says = clean(&self.says);
        if let Some(code) = &self.code {
            says.push_str(&format!(" [{code}]"));
        }
        let style = match self.mark {
            Mark::Good => Style::new(),
            Mark::Bad | Mark::Odd | Mark::Note => BOLD,
        };
        sheet.styled(&format!("{} ", self.mark.painted()), &says, style);
        for (word, text) in &self.details {
            sheet.entry(&format!("  {word}"), &clean(text));
        }
        if !self.help.is_empty() {
            sheet.entry("  → ", &clean(self.help));
        }
    }
}

/// A place in a text, counted as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Converts a byte offset. An offset beyond the end, or within a character, becomes the nearest
    /// place before it.
    pub(in crate::cli) fn of(text: &str, offset: usize) -> Position {
        let before = text.get(..floor(text, offset)).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
            column: 1 + before.get(start..).unwrap_or_default().chars().count(),
        }
    }
}

/// Formats all findings, each with its lines, and the number of each kind.
pub(in crate::cli) fn findings(
    source: &PolicyText,
    findings: &[PolicyFinding],
    page: &Page,
) -> String {
    let renderer = Renderer::styled()
        .decor_style(DecorStyle::Unicode)
        .term_width(page.columns);
    // The lines are shown unchanged except for passwords; every byte keeps its place.
    let text = &blot_policy(&source.text).replace("\r\n", " \n");
    let file = |part: &Part| {
        let text = text.get(part.range.clone()).unwrap_or_default();
        (clean(&part.name()), part.range.start, text)
    };
    let files = Vec::from_iter(source.parts.iter().map(file));
    let mut out = String::new();
    for finding in findings.iter().take(MOST_FINDINGS) {
        let group = group(&files, finding, page.columns);
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    if findings.len() > MOST_FINDINGS {
        out.push_str(&format!("… and {} more\n", findings.len() - MOST_FINDINGS));
    }
    out.push_str(&paint(BOLD, &summary(findings)));
    out.push('\n');
    out
}

/// The name of a file, where it begins in the whole text, and its text.
type File<'a> = (String, usize, &'a str);

fn group<'a>(files: &'a [File<'a>], finding: &'a PolicyFinding, columns: usize) -> Group<'a> {
    let (level, word) = match finding.severity {
        Severity::Error => (Level::ERROR, "error"),
        Severity::Warning => (Level::WARNING, "warning"),
        Severity::Note => (Level::NOTE, "note"),
    };
    let lead = word.len() + finding.code.len() + "[]: ".len();
    let title = broken(&finding.message, columns, lead);
    let mut group = Group::with_title(level.primary_title(title).id(finding.code));
    let file_of = |label: &Label| {
        let begins = |file: &&File<'_>| file.1 <= label.span.start;
        files.iter().rev().find(begins)
    };
    let primary = finding.primary.as_ref();
    let own = match primary {
        Some(primary) => file_of(primary),
        None => files.last(),
    };
    let others = files.iter().filter(|file| Some(*file) != own);
    for file in own.into_iter().chain(others) {
        let at = |label: &&Label| file_of(label) == Some(file);
        let mut related = finding.related.iter().filter(at).peekable();
        match primary.filter(at) {
            None if Some(file) == own => {
                group = group.element(annotate_snippets::Origin::path(&file.0));
            }
            None if related.peek().is_none() => {}
            primary => group = group.element(snippet(file, primary, related)),
        }
    }
    if let Some(help) = &finding.help {
        // The text starts after the line numbers, which have at most four digits, and "╰ help: ".
        group = group.element(Level::HELP.message(broken(help, columns, 13)));
    }
    group
}

/// Breaks a text into lines of the page, after a lead under which the renderer aligns all lines.
fn broken(text: &str, columns: usize, lead: usize) -> String {
    let room = columns.saturating_sub(lead).max(20);
    wrap(&clean(text), room, room).join("\n")
}

/// Shows the lines of all places in one file.
fn snippet<'a>(
    (path, start, text): &'a File<'a>,
    primary: Option<&'a Label>,
    related: impl Iterator<Item = &'a Label>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotation = |kind: AnnotationKind, label: &'a Label| {
        let annotation = kind.span(within(text, &label.span, *start));
        match label.text.as_str() {
            "" => annotation,
            remark => annotation.label(clean(remark)),
        }
    };
    let primary = primary.map(|label| annotation(AnnotationKind::Primary, label));
    Snippet::source(*text)
        .path(path)
        .annotations(primary)
        .annotations(related.map(|label| annotation(AnnotationKind::Context, label)))
}

/// Returns the span within a file, limited to its text and to whole characters.
fn within(text: &str, span: &Range<usize>, file: usize) -> Range<usize> {
    let start = floor(text, span.start.saturating_sub(file));
    start..floor(text, span.end.saturating_sub(file)).max(start)
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Position, findings};
    use crate::cli::render::fixtures::{page, plain, too_wide};
    use crate::policy::PolicyFinding;
    use crate::policy::layers::{Layer, LayerKind, PolicyText};

    const POLICY: &str = "\
version = 1

[[profile]]
name = \"corp\"
when = { subnet = \"10.0.0.0/8\" }
env = { GOPROXY = \"direct\", GOSUMDB = \"off\" }
";

    fn source(path: &str, text: &str) -> PolicyText {
        let (kind, path) = (LayerKind::User, Path::new(path));
        PolicyText::of(&[Layer { kind, path, text }])
    }

    fn at(text: &str) -> std::ops::Range<usize> {
        let start = POLICY.find(text).unwrap();
        start..start + text.len()
    }

    fn loosens() -> PolicyFinding {
        PolicyFinding::error(
            "loosens-unproven",
            "anyone could switch checksum verification off",
            at("\"off\""),
        )
        .label("nothing may make this weaker")
        .related(
            at("subnet"),
            "a subnet proves nothing: any access point can hand it out",
        )
        .help("add a fact that cannot be forged: { up = \"corp\" } with a pin")
    }

    const SHOWN: &str = "\
error[loosens-unproven]: anyone could switch checksum verification off
  ╭▸ corporate.toml:6:39
  │
5 │ when = { subnet = \"10.0.0.0/8\" }
  │          ────── a subnet proves nothing: any access point can hand it out
6 │ env = { GOPROXY = \"direct\", GOSUMDB = \"off\" }
  │                                       ━━━━━ nothing may make this weaker
  │
  ╰ help: add a fact that cannot be forged: { up = \"corp\" } with a pin

warning[no-targets]: nothing is ever probed
 ─▸ corporate.toml

1 error, 1 warning
";

    #[test]
    fn long_texts_are_broken_and_line_ends_of_windows_are_not_shown() {
        let words = "a word and another ".repeat(8);
        let finding =
            PolicyFinding::error("loosens-unproven", words.clone(), at("subnet")).help(words);
        let policy = POLICY.replace('\n', "\r\n");
        let text = plain(&findings(&source("p.toml", &policy), &[finding], &page()));
        assert_eq!(too_wide(&text), None, "{text}");
        assert!(!text.contains(['\r', '␍']), "{text}");
    }

    #[test]
    fn an_error_shows_its_line_its_relatives_and_the_way_out() {
        let missing = PolicyFinding {
            primary: None,
            ..PolicyFinding::warning("no-targets", "nothing is ever probed", 0..0)
        };
        let text = findings(
            &source("corporate.toml", POLICY),
            &[loosens(), missing],
            &page(),
        );
        assert_eq!(plain(&text), SHOWN);
        assert_eq!(too_wide(&text), None);
    }

    #[test]
    fn a_span_beyond_the_text_or_within_a_character_does_no_harm() {
        let text = "name = \"ö\"\r\n";
        for span in [0..0, 9..10, 9..900, 900..901, 12..12] {
            let finding = PolicyFinding::error("odd", "odd", span.clone());
            let shown = plain(&findings(&source("p", text), &[finding], &page()));
            assert!(shown.contains("error[odd]: odd"), "{span:?}: {shown}");
        }
        assert!(
            findings(
                &source("p", ""),
                &[PolicyFinding::error("odd", "odd", 0..0)],
                &page()
            )
            .contains("odd")
        );
    }

    #[test]
    fn positions_count_characters_from_one() {
        let text = "a\nöb";
        let place = |offset| {
            let Position { line, column } = Position::of(text, offset);
            (line, column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(2), (2, 1));
        assert_eq!(place(3), (2, 1), "within the ö");
        assert_eq!(place(4), (2, 2));
        assert_eq!(place(99), (2, 3));
    }

    #[test]
    fn a_thousand_findings_are_not_all_shown() {
        let many = vec![loosens(); 1000];
        let text = plain(&findings(&source("p", POLICY), &many, &page()));
        assert_eq!(text.matches("error[loosens-unproven]").count(), 50);
        assert!(text.ends_with("… and 950 more\n1000 errors\n"), "{text}");
    }

    proptest::proptest! {
        /// The renderer must not panic with any text and any places. It comes from another crate,
        /// and a panic would hide the very finding that the user needs.
        #[test]
        fn no_text_and_no_span_makes_the_renderer_panic(
            text in "[a-z =\"\\[\\]\t\r\n\u{e9}\u{4e16}\u{1f600}\u{200d}\u{1b}]{0,60}",
            spans in proptest::collection::vec((0_usize..80, 0_usize..80), 1..5),
        ) {
            let mut spans = spans.into_iter().map(|(a, b)| a.min(b)..a.max(b));
            let first = spans.next().unwrap_or_default();
            let finding = spans.fold(PolicyFinding::error("c", "m", first).label("l"), |f, span| {
                f.related(span, "r")
            });
            let shown = plain(&findings(&source("p", &text), &[finding], &page()));
            proptest::prop_assert!(shown.starts_with("error[c]: m\n"), "{}", shown);
            proptest::prop_assert!(!shown.contains('\x1b'), "{}", shown);
        }
    }
}
