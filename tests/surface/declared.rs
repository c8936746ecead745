//! What the source declares: field names of types that are serialised, and words that may be
//! finding codes (string literals, and variants of enums in kebab-case).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(crate) struct Source {
    pub(crate) fields: BTreeSet<String>,
    pub(crate) words: BTreeSet<String>,
}

impl Source {
    pub(crate) fn read() -> Source {
        let mut source = Source {
            fields: BTreeSet::new(),
            words: BTreeSet::new(),
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    source.add(&fs::read_to_string(path).unwrap());
                }
            }
        }
        source
    }

    fn add(&mut self, text: &str) {
        // Tests stand at the end of a file.
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
        let (mut derived, mut within, mut is_enum) = (false, false, false);
        for line in text.lines() {
            let code = line.trim();
            if code.starts_with("//") {
                continue;
            }
            for word in code.split('"').skip(1).step_by(2) {
                self.words.insert(word.to_owned());
            }
            if let Some((_, rest)) = code.split_once("rename = \"") {
                self.fields
                    .extend(rest.split('"').next().map(str::to_owned));
            }
            if code.starts_with("#[derive(") {
                derived = code.contains("Serialize");
            }
            let declares = |what: &str| code.contains(what) && code.ends_with('{');
            if declares("struct ") || declares("enum ") {
                is_enum = declares("enum ");
                within = derived || is_enum;
            } else if line == "}" {
                (within, derived) = (false, false);
            } else if within {
                let name = code.trim_start_matches("pub(in crate::cli) ");
                let name = name.trim_start_matches("pub(crate) ");
                let name = name
                    .trim_start_matches("pub(super) ")
                    .trim_start_matches("pub ");
                let word: String = name
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if is_enum && word.starts_with(|c: char| c.is_uppercase()) {
                    self.words.insert(kebab(&word));
                }
                if derived && name[word.len()..].starts_with(':') {
                    self.fields.insert(word);
                }
            }
        }
    }
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
