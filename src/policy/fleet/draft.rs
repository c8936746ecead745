//! Writes what `goroam fleet sign` knows into a policy's own text: the rest of it, with comments and
//! order, stays as its authors wrote it.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::gomod::sum::sha256_hex;

/// Sets keys of `[policy]` or of `[policy.rollout]`. `values` are TOML; a key that is there keeps
/// its place, and a new one follows the header.
///
/// # Errors
/// When the text has no such header.
pub fn set_keys(text: &str, section: &str, values: &[(&str, String)]) -> Result<String, String> {
    let (document, _) = DeTable::parse_recoverable(text);
    let header = format!("[{section}]");
    let line = lines(text).find(|range| line_of(text, range).starts_with(&header));
    let Some(line) = line else {
        return Err(format!("there is no line {header}"));
    };
    let table = section
        .split('.')
        .try_fold(document.get_ref(), |table, name| {
            table.get(name)?.get_ref().as_table()
        });
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (key, value) in values {
        let there = table.and_then(|table| table.get(*key)).map(Spanned::span);
        edits.push(match there {
            Some(span) => (span, value.clone()),
            None => (line.end..line.end, format!("\n{key} = {value}")),
        });
    }
    // From the end, so that the places before stay right; of new keys the first comes first.
    edits.reverse();
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = text.to_owned();
    for (range, value) in edits {
        if text.get(range.clone()).is_some() {
            text.replace_range(range, &value);
        }
    }
    Ok(text)
}

/// Returns the hash of what a policy says, without `[policy]`: two texts with the same one differ
/// in their headers only.
pub fn content_hash(text: &str) -> String {
    let (document, _) = DeTable::parse_recoverable(text);
    let mut document = document.into_inner();
    document.remove("policy");
    let mut content = String::new();
    write(&DeValue::Table(document), &mut content);
    sha256_hex(content.as_bytes())
}

/// Writes a value in one form, without places, comments and order of keys.
fn write(value: &DeValue<'_>, out: &mut String) {
    match value {
        DeValue::Table(table) => {
            let mut keys = Vec::from_iter(table.iter());
            keys.sort_by(|(one, _), (other, _)| one.get_ref().cmp(other.get_ref()));
            out.push('{');
            for (key, value) in keys {
                out.push_str(&format!("{:?}:", key.get_ref()));
                write(value.get_ref(), out);
            }
            out.push('}');
        }
        DeValue::Array(items) => {
            out.push('[');
            for item in items.iter() {
                write(item.get_ref(), out);
                out.push(',');
            }
            out.push(']');
        }
        DeValue::String(text) => out.push_str(&format!("{text:?}")),
        DeValue::Integer(number) => out.push_str(number.as_str()),
        DeValue::Float(number) => out.push_str(number.as_str()),
        DeValue::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        DeValue::Datetime(moment) => out.push_str(&moment.to_string()),
    }
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let range = start..start + line.trim_end_matches('\r').len();
        start += line.len() + 1;
        range
    })
}

fn line_of<'a>(text: &'a str, range: &Range<usize>) -> &'a str {
    text.get(range.clone()).unwrap_or_default().trim_start()
}

#[cfg(test)]
mod tests {
    use super::{content_hash, set_keys};

    const TEXT: &str = "version = 1\n# who we are\n[policy] # signed\nid = \"corp\"\nversion = 41 # so far\n\n[[profile]]\nname = \"p\"\n";

    #[test]
    fn a_key_that_is_there_keeps_its_place_and_a_new_one_follows_the_header() {
        let values = [
            ("version", "42".to_owned()),
            ("issued", "2026-12-01T00:00:00Z".to_owned()),
        ];
        let text = set_keys(TEXT, "policy", &values).unwrap();
        let header = "[policy] # signed\nissued = 2026-12-01T00:00:00Z\nid = \"corp\"\nversion = 42 # so far\n";
        assert_eq!(
            text,
            TEXT.replace(
                "[policy] # signed\nid = \"corp\"\nversion = 41 # so far\n",
                header
            )
        );
        assert!(set_keys(TEXT, "policy.rollout", &values).is_err());
    }

    #[test]
    fn the_content_is_the_same_whatever_the_header_and_the_comments_are() {
        let other = TEXT.replace("41", "42").replace("# who we are", "");
        assert_eq!(content_hash(TEXT), content_hash(&other));
        assert_ne!(
            content_hash(TEXT),
            content_hash(&TEXT.replace("\"p\"", "\"q\""))
        );
    }
}
