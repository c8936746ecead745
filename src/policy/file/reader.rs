//! TOML values with their places, and the faults found in them so far.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::mask;
use crate::policy::finding::{self, PolicyFinding, Severity, nearest};

/// More findings than this help nobody.
pub(super) const MOST_FINDINGS: usize = 100;

/// A value of the document and its place.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// A string of the document and its place.
#[derive(Debug, Clone)]
pub(super) struct Text<'d> {
    /// The string, escapes resolved.
    pub value: &'d str,
    /// Its place, quotes included.
    pub span: Range<usize>,
}

/// A table of the document, its place, and how messages call it.
#[derive(Debug, Clone)]
pub(super) struct Table<'d, 'i> {
    /// Its keys and values.
    pub map: &'d DeTable<'i>,
    /// The header or the braces.
    pub span: Range<usize>,
    /// `[agent]`, `this condition`, ….
    pub what: String,
}

impl<'d, 'i> Table<'d, 'i> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'d Node<'i>> {
        self.map.get(key)
    }

    /// The place of a key.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.map.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Keys with their places, and values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Text<'d>, &'d Node<'i>)> {
        self.map.iter().map(|(key, value)| {
            let text = Text {
                value: key.get_ref().as_ref(),
                span: key.span(),
            };
            (text, value)
        })
    }
}

/// Reads values and collects findings.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    /// The policy's text.
    pub text: &'t str,
    /// What was found so far.
    pub findings: Vec<PolicyFinding>,
    /// The files of certificates that were named so far.
    pub certificates: Vec<Certificate>,
    /// How many of them are errors.
    errors: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Reader<'t> {
        Reader {
            text,
            findings: Vec::new(),
            certificates: Vec::new(),
            errors: 0,
        }
    }

    /// Notes a finding.
    pub(super) fn report(&mut self, finding: PolicyFinding) {
        self.errors += usize::from(finding.severity == Severity::Error);
        self.findings.push(finding);
    }

    /// Are there more errors than will be shown? What follows may then be skipped: the policy is
    /// refused in any case, and a hostile file has room for a hundred thousand.
    pub(super) fn is_full(&self) -> bool {
        self.errors > MOST_FINDINGS
    }

    /// Notes every key of the table that is not one of `known`.
    pub(super) fn only(&mut self, table: &Table<'_, '_>, known: &[&str]) {
        for (key, _) in table.entries() {
            if !known.contains(&key.value) {
                self.unknown_key(&key, &table.what, known);
            }
        }
    }

    /// Notes one unknown key.
    pub(super) fn unknown_key(&mut self, key: &Text<'_>, place: &str, known: &[&str]) {
        let message = format!("unknown key {} in {place}", quoted(key.value));
        let finding = PolicyFinding::error("unknown-key", message, key.span.clone());
        self.report(match self.suggest(key.value, known) {
            Some(near) => finding
                .label(format!("did you mean `{near}`?"))
                .help(format!("write `{near}`")),
            None => finding
                .label("not known here")
                .help(format!("known here: {}", known.join(", "))),
        });
    }

    /// The known word that is probably meant.
    pub(super) fn suggest<'a>(&self, word: &str, known: &[&'a str]) -> Option<&'a str> {
        if self.is_full() {
            return None;
        }
        nearest(word, known.iter().copied())
    }

    /// The value as a table.
    pub(super) fn table<'d, 'i>(
        &mut self,
        node: &'d Node<'i>,
        what: impl Into<String>,
        example: &str,
    ) -> Option<Table<'d, 'i>> {
        let what = what.into();
        let Some(map) = node.get_ref().as_table() else {
            self.wrong_type(node, &what, "a table", example);
            return None;
        };
        Some(Table {
            map,
            span: node.span(),
            what,
        })
    }

    /// The value as a string.
    pub(super) fn string<'d>(
        &mut self,
        node: &'d Node<'_>,
        key: &str,
        example: &str,
    ) -> Option<Text<'d>> {
        let Some(value) = node.get_ref().as_str() else {
            self.wrong_type(node, &format!("`{key}`"), "a string", example);
            return None;
        };
        Some(Text {
            value,
            span: node.span(),
        })
    }

    /// The value as a list of strings; one string stands for a list of one.
    pub(super) fn strings<'d>(
        &mut self,
        node: &'d Node<'_>,
        key: &str,
        example: &str,
    ) -> Vec<Text<'d>> {
        let Some(items) = node.get_ref().as_array() else {
            return self.string(node, key, example).into_iter().collect();
        };
        items
            .iter()
            .filter_map(|item| self.string(item, key, example))
            .collect()
    }

    /// The value as true or false.
    pub(super) fn boolean(&mut self, node: &Node<'_>, key: &str) -> Option<bool> {
        let value = node.get_ref().as_bool();
        if value.is_none() {
            self.wrong_type(
                node,
                &format!("`{key}`"),
                "true or false",
                &format!("{key} = true"),
            );
        }
        value
    }

    /// The value as a whole number within bounds.
    pub(super) fn number(
        &mut self,
        node: &Node<'_>,
        key: &str,
        bounds: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let example = format!("{key} = {}", bounds.start());
        let Some(integer) = node.get_ref().as_integer() else {
            self.wrong_type(node, &format!("`{key}`"), "a whole number", &example);
            return None;
        };
        let value = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value.filter(|value| bounds.contains(value));
        if value.is_none() {
            let message = format!(
                "`{key}` must be between {} and {}",
                bounds.start(),
                bounds.end()
            );
            self.report(PolicyFinding::error("out-of-range", message, node.span()));
        }
        value
    }

    /// Notes a value of the wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node<'_>, what: &str, wanted: &str, example: &str) {
        let found = match node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let finding = PolicyFinding::error(
            "wrong-type",
            format!("{what} must be {wanted}"),
            node.span(),
        );
        self.report(
            finding
                .label(format!("this is {found}"))
                .help(format!("for example: {example}")),
        );
    }

    /// The place of a part of a string: byte offset and length within its value. The whole
    /// string where escapes make the two differ.
    pub(super) fn part(&self, text: &Text<'_>, at: (usize, usize)) -> Range<usize> {
        finding::part(self.text, text.value, &text.span, at)
    }
}

/// A name as messages show it: bounded, without credentials (somebody may have put a URL in
/// its place), and without what could steer a terminal.
pub(super) fn quoted(name: &str) -> String {
    let name = mask(name);
    let mut shown: String = name.chars().take(60).flat_map(escape_control).collect();
    if name.chars().nth(60).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn escape_control(c: char) -> impl Iterator<Item = char> {
    let escaped: Box<dyn Iterator<Item = char>> = if c.is_control() {
        Box::new(c.escape_default())
    } else {
        Box::new(std::iter::once(c))
    };
    escaped
}

/// A file of certificates that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file.
    pub path: PathBuf,
    /// Where the policy names it: byte offsets.
    pub span: Range<usize>,
}

impl Certificate {
    /// The finding that says why it is of no use here.
    pub fn unusable(&self, why: &str) -> PolicyFinding {
        let message = format!("{} {why}", self.path.display());
        PolicyFinding::warning("unusable-ca", message, self.span.clone())
            .label("without it the target cannot be up")
            .help("a relative path starts at the policy's folder; put the PEM file there")
    }

    /// The finding that says that go on this machine does not know it.
    pub fn unknown_to_go(&self) -> PolicyFinding {
        let message = format!(
            "{} is not among the roots that go trusts on this machine",
            self.path.display()
        );
        PolicyFinding::note("ca-unknown-to-go", message, self.span.clone())
            .label("this counts for goroam's probes only")
            .help(
                "go fails with x509 where this CA alone vouches for the server: add it to the \
                 system's trust store (on Debian: update-ca-certificates), or set SSL_CERT_FILE \
                 where go runs",
            )
    }
}
