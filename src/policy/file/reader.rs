//! TOML values with their places, and the faults found in them so far.

use std::cell::{Cell, RefCell};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::finding::{PolicyFinding, nearest, part, quoted};
use crate::policy::layers::{LayerKind, PolicyText};

/// More findings than this do not help the user.
pub(super) const MOST_FINDINGS: usize = 100;

/// Collects the findings about a text.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The texts of all layers.
    pub source: &'a PolicyText,
    /// The user's home directory.
    pub home: Option<&'a Path>,
    /// The names of the targets that are defined, with or without a fault, and their places.
    pub names: Vec<(String, Range<usize>)>,
    /// The findings so far.
    pub findings: RefCell<Vec<PolicyFinding>>,
    /// The certificate files that were named so far.
    pub certificates: RefCell<Vec<Certificate>>,
    /// The number of findings that are errors.
    pub errors: Cell<usize>,
}

impl<'a> Reader<'a> {
    /// Begins to read. `names`: the targets that are defined.
    pub(super) fn of(
        source: &'a PolicyText,
        home: Option<&'a Path>,
        names: Vec<(String, Range<usize>)>,
    ) -> Reader<'a> {
        Reader {
            source,
            home,
            names,
            findings: RefCell::default(),
            certificates: RefCell::default(),
            errors: Cell::default(),
        }
    }

    /// Returns the directory of the file that a place is in.
    pub(super) fn folder(&self, at: usize) -> &Path {
        let folder = self.source.part(at).and_then(|part| part.path.parent());
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new("."))
    }

    /// Returns whose layer a place is in.
    pub(super) fn kind(&self, at: &Range<usize>) -> LayerKind {
        self.source.kind(at.start)
    }

    /// Records a finding.
    pub(super) fn report(&self, finding: PolicyFinding) {
        let error = usize::from(finding.is_error());
        self.errors.set(self.errors.get() + error);
        self.findings.borrow_mut().push(finding);
    }

    /// Records why a value is not used.
    pub(super) fn refuse<T>(&self, finding: PolicyFinding) -> Option<T> {
        self.report(finding);
        None
    }

    /// Reports whether there are more errors than will be shown. The caller may then skip the rest:
    /// the policy is refused in any case, and a hostile file has room for a hundred thousand
    /// errors.
    pub(super) fn is_full(&self) -> bool {
        self.errors.get() > MOST_FINDINGS
    }

    /// Returns the known word that is probably meant.
    pub(super) fn suggest<'k>(&self, word: &str, known: &[&'k str]) -> Option<&'k str> {
        if self.is_full() {
            return None;
        }
        nearest(word, known.iter().copied())
    }
}

/// A string of the document and its place.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub reader: &'a Reader<'a>,
    /// The string, with escapes resolved.
    pub value: &'a str,
    /// Its place, including the quotes.
    pub span: Range<usize>,
}

impl<'a> Text<'a> {
    /// Creates an error about it.
    pub(super) fn error(&self, code: &'static str, message: impl Into<String>) -> PolicyFinding {
        PolicyFinding::error(code, message, self.span.clone())
    }

    /// Records an error about it, with advice.
    pub(super) fn refuse<T>(
        &self,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.reader.refuse(self.error(code, message).help(help))
    }

    /// Returns the place of a part of it, given as byte offset and length. If escapes make the text
    /// differ from the value, it returns the place of the whole string.
    pub(super) fn part(&self, at: (usize, usize)) -> Range<usize> {
        part(&self.reader.source.text, self.value, &self.span, at)
    }

    /// Parses the string.
    pub(super) fn parse<T: FromStr>(
        &self,
        code: &'static str,
        wanted: &str,
        example: &str,
    ) -> Option<T> {
        self.value.parse().ok().or_else(|| {
            let message = format!("{} is not {wanted}", quoted(self.value));
            self.refuse(code, message, format!("for example: {example}"))
        })
    }
}

/// A value of the document, with its key and an example of a valid value for messages.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    pub reader: &'a Reader<'a>,
    pub node: &'a Spanned<DeValue<'a>>,
    pub key: &'a str,
    pub example: String,
}

impl<'a> Value<'a> {
    pub(super) fn span(&self) -> Range<usize> {
        self.node.span()
    }

    /// Creates an error about it.
    pub(super) fn error(&self, code: &'static str, message: impl Into<String>) -> PolicyFinding {
        PolicyFinding::error(code, message, self.span())
    }

    /// Records an error about it, with the example as advice.
    pub(super) fn refuse<T>(&self, code: &'static str, message: impl Into<String>) -> Option<T> {
        let help = format!("for example: {}", self.example);
        self.reader.refuse(self.error(code, message).help(help))
    }

    /// Returns the value as a table that messages call `what`.
    pub(super) fn table(&self, what: impl Into<String>) -> Option<Section<'a>> {
        let (reader, what) = (self.reader, what.into());
        match self.node.get_ref().as_table() {
            Some(map) => Some(Section {
                reader,
                map,
                span: self.span(),
                what,
            }),
            None => self.wrong_type(&what, "a table"),
        }
    }

    pub(super) fn string(&self) -> Option<Text<'a>> {
        let Some(value) = self.node.get_ref().as_str() else {
            return self.wrong_type(&format!("`{}`", self.key), "a string");
        };
        Some(Text {
            reader: self.reader,
            value,
            span: self.span(),
        })
    }

    /// Returns the values of a list.
    pub(super) fn list(&self, of: &str) -> Option<Vec<Value<'a>>> {
        self.items()
            .or_else(|| self.wrong_type(&format!("`{}`", self.key), of))
    }

    /// Returns the values of a list; any other value is treated as a list of one.
    pub(super) fn one_or_more(&self) -> Vec<Value<'a>> {
        self.items().unwrap_or_else(|| vec![self.clone()])
    }

    fn items(&self) -> Option<Vec<Value<'a>>> {
        let items = self.node.get_ref().as_array()?.iter();
        let value = |node| Value {
            node,
            ..self.clone()
        };
        Some(items.map(value).collect())
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.node.get_ref().as_bool();
        value.or_else(|| self.wrong_type(&format!("`{}`", self.key), "true or false"))
    }

    /// Returns the value as a whole number within bounds.
    pub(super) fn number(&self, bounds: RangeInclusive<u32>) -> Option<u32> {
        let (key, least, most) = (self.key, bounds.start(), bounds.end());
        let Some(integer) = self.node.get_ref().as_integer() else {
            return self.wrong_type(&format!("`{key}`"), "a whole number");
        };
        let value = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        value.filter(|value| bounds.contains(value)).or_else(|| {
            let message = format!("`{key}` must be between {least} and {most}");
            self.reader.refuse(self.error("out-of-range", message))
        })
    }

    /// Records that the value is of the wrong type.
    pub(super) fn wrong_type<T>(&self, what: &str, wanted: &str) -> Option<T> {
        let found = match self.node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let finding = self.error("wrong-type", format!("{what} must be {wanted}"));
        let help = format!("for example: {}", self.example);
        self.reader
            .refuse(finding.label(format!("this is {found}")).help(help))
    }
}

/// A table of the document.
#[derive(Debug, Clone)]
pub(super) struct Section<'a> {
    pub reader: &'a Reader<'a>,
    /// Its keys and values.
    pub map: &'a DeTable<'a>,
    /// The place of its header or its braces.
    pub span: Range<usize>,
    /// Its name in messages: `[agent]`, `this condition`, ….
    pub what: String,
}

impl<'a> Section<'a> {
    /// Returns the value of a key, with an example of a valid value.
    pub(super) fn get(&self, key: &'a str, example: impl Into<String>) -> Option<Value<'a>> {
        Some(Value {
            reader: self.reader,
            node: self.map.get(key)?,
            key,
            example: example.into(),
        })
    }

    /// Returns the place of a key.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.map.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Returns the place of a key's value.
    pub(super) fn key_value_span(&self, key: &str) -> Option<Range<usize>> {
        self.map.get(key).map(Spanned::span)
    }

    /// Returns its keys with their places.
    pub(super) fn keys(&self) -> impl Iterator<Item = Text<'a>> {
        let reader = self.reader;
        self.map.keys().map(move |key| Text {
            reader,
            value: key.get_ref().as_ref(),
            span: key.span(),
        })
    }

    /// Reports every key that is not one of `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.keys().filter(|key| !known.contains(&key.value)) {
            self.unknown_key(&key, known);
        }
    }

    /// Reports one unknown key.
    pub(super) fn unknown_key(&self, key: &Text<'_>, known: &[&str]) {
        let message = format!("unknown key {} in {}", quoted(key.value), self.what);
        let finding = key.error("unknown-key", message);
        self.reader
            .report(match self.reader.suggest(key.value, known) {
                Some(near) => finding
                    .label(format!("did you mean `{near}`?"))
                    .help(format!("write `{near}`")),
                None => finding
                    .label("not known here")
                    .help(format!("known here: {}", known.join(", "))),
            });
    }

    pub(super) fn string(&self, key: &'a str, example: impl Into<String>) -> Option<Text<'a>> {
        self.get(key, example)?.string()
    }

    pub(super) fn boolean(&self, key: &'a str) -> Option<bool> {
        self.get(key, format!("{key} = true"))?.boolean()
    }

    pub(super) fn number(&self, key: &'a str, bounds: RangeInclusive<u32>) -> Option<u32> {
        self.get(key, format!("{key} = {}", bounds.start()))?
            .number(bounds)
    }
}

/// A certificate file that the policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file.
    pub path: PathBuf,
    /// Where the policy names it: byte offsets.
    pub span: Range<usize>,
}

impl Certificate {
    /// Creates the finding that says why it cannot be used here.
    pub fn unusable(&self, why: &str) -> PolicyFinding {
        let message = format!("{} {why}", self.path.display());
        PolicyFinding::warning("unusable-ca", message, self.span.clone())
            .label("without it the target cannot be up")
            .help("a relative path starts at the policy's folder; put the PEM file there")
    }

    /// Creates the finding that says that go on this machine does not trust it.
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
