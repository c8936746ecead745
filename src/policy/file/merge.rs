//! Makes one document of the documents of several layers. A table such as `[agent]` is merged key
//! by key, `[target]` by name; the profiles and projects of a higher layer come first.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A target that a higher layer replaces.
#[derive(Debug)]
pub(super) struct Replaced<'a> {
    /// Its name, with its place in the lower layer.
    pub name: Spanned<DeString<'a>>,
    /// What the lower layer says of it.
    pub node: Spanned<DeValue<'a>>,
    /// The place of its name in the higher layer.
    pub by: Range<usize>,
}

/// Merges the documents, the lowest first. Also returns the targets that were replaced.
pub(super) fn merge<'a>(
    documents: impl Iterator<Item = DeTable<'a>>,
) -> (DeTable<'a>, Vec<Replaced<'a>>) {
    let mut merged = DeTable::new();
    let mut replaced = Vec::new();
    for (key, higher) in documents.flatten() {
        let Some((_, lower)) = merged.remove_entry(key.get_ref().as_ref()) else {
            merged.insert(key, higher);
            continue;
        };
        let fits = |value: &DeValue<'_>| match key.get_ref().as_ref() {
            "version" => true,
            "profile" | "project" => value.is_array(),
            _ => value.is_table(),
        };
        let (lower_span, span) = (lower.span(), higher.span());
        let node = match (lower.into_inner(), higher.into_inner()) {
            (DeValue::Array(lower), DeValue::Array(mut higher)) => {
                for item in lower {
                    higher.push(item);
                }
                Spanned::new(span, DeValue::Array(higher))
            }
            (DeValue::Table(mut lower), DeValue::Table(higher)) => {
                let is_target = key.get_ref() == "target";
                // What one collector may have is not for another one.
                if key.get_ref() == "telemetry" && higher.contains_key("otlp") {
                    lower.remove("headers");
                    lower.remove("hosts");
                }
                for (name, value) in higher {
                    let before = lower.remove_entry(name.get_ref().as_ref());
                    if let Some((before, node)) = before.filter(|_| is_target) {
                        let by = name.span();
                        replaced.push(Replaced {
                            name: before,
                            node,
                            by,
                        });
                    }
                    lower.insert(name, value);
                }
                Spanned::new(span, DeValue::Table(lower))
            }
            // A value of the wrong type stays, so that it is reported.
            (lower, _) if !fits(&lower) => Spanned::new(lower_span, lower),
            (_, higher) => Spanned::new(span, higher),
        };
        merged.insert(key, node);
    }
    (merged, replaced)
}
