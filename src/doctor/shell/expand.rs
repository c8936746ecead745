//! What a word comes to, as far as that can be told.

use std::path::{Path, PathBuf};

use super::evaluate::{MOST_TURNS, Startup};
use super::tree::{Piece, Word};
use super::variable::Value;

impl Startup<'_> {
    /// The value of a variable; `None`: nobody has set it yet.
    pub(super) fn lookup(&self, name: &str) -> Option<Value> {
        let variable = self.variables.get(name)?;
        match &variable.now {
            Some(seen) if variable.certain && variable.may.is_empty() => Some(seen.value.clone()),
            // One place, under a condition: what follows stands under the same one, mostly.
            None if variable.may.len() == 1 => Some(variable.may[0].value.clone()),
            Some(_) => Some(Value::Unknown),
            None => (!variable.may.is_empty()).then_some(Value::Unknown),
        }
    }

    pub(super) fn expand(&self, word: &Word) -> Value {
        let mut text = String::new();
        for piece in &word.pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                // An assignment's value is no pattern, and a pattern that matches nothing
                // stays as it is.
                Piece::Glob(c) => text.push(*c),
                Piece::Unknown => return Value::Unknown,
                Piece::Variable {
                    name, otherwise, ..
                } => match (self.lookup(name), otherwise) {
                    (Some(Value::Known(value)), None) => text.push_str(&value),
                    (Some(Value::Known(value)), Some(_)) if !value.is_empty() => {
                        text.push_str(&value);
                    }
                    // A Go variable that nobody has set is taken for empty: whoever starts the
                    // shell with one has set it elsewhere, and that is found there.
                    (Some(Value::Known(_)), Some(otherwise)) => match self.expand(otherwise) {
                        Value::Known(value) => text.push_str(&value),
                        Value::Unknown => return Value::Unknown,
                    },
                    (None, otherwise) if is_of_go(name) => match otherwise {
                        None => {}
                        Some(otherwise) => match self.expand(otherwise) {
                            Value::Known(value) => text.push_str(&value),
                            Value::Unknown => return Value::Unknown,
                        },
                    },
                    (Some(Value::Unknown) | None, _) => return Value::Unknown,
                },
            }
            if text.len() > 64 * 1024 {
                return Value::Unknown;
            }
        }
        Value::Known(text)
    }

    /// `: ${GOPROXY:=direct}` sets it where nobody has. Only Go's: others are set elsewhere.
    pub(super) fn assign_defaults(&mut self, words: &[Word], line: usize, certain: bool) {
        for piece in words.iter().flat_map(|word| &word.pieces) {
            let Piece::Variable {
                name,
                otherwise: Some(otherwise),
                assigns: true,
            } = piece
            else {
                continue;
            };
            let is_set = !matches!(self.lookup(name), None | Some(Value::Known(_)))
                || self.known(name).is_some_and(|value| !value.is_empty());
            if is_of_go(name) && !is_set {
                let value = self.expand(otherwise);
                self.assign(name, value, line, certain);
            }
        }
    }

    /// The words that a word becomes in a `for`: a pattern in its last part is looked up.
    /// `None`: that cannot be told.
    pub(super) fn expand_paths(&self, word: &Word) -> Option<Vec<String>> {
        let Value::Known(text) = self.expand(word) else {
            return None;
        };
        let has_pattern = word.pieces.iter().any(|p| matches!(p, Piece::Glob(_)));
        if !has_pattern {
            return Some(vec![text]);
        }
        let path = Path::new(&text);
        let pattern = path.file_name()?.to_str()?.to_owned();
        let folder = path.parent()?;
        if folder.to_str()?.contains(['*', '?']) {
            return None;
        }
        let found = self.files.list(folder).into_iter().filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            // A hidden file only where the pattern says so.
            let hidden = |name: &str| name.starts_with('.') && !pattern.starts_with('.');
            name.is_some_and(|name| !hidden(name) && glob(&pattern, name))
        });
        found
            .take(MOST_TURNS)
            .map(|path| path.to_str().map(str::to_owned))
            .collect()
    }

    /// The file that a `source` names. A name alone is looked for on PATH by bash and zsh.
    pub(super) fn path(&self, word: &Word) -> Option<PathBuf> {
        match self.expand(word) {
            Value::Known(text) if Path::new(&text).is_absolute() => Some(PathBuf::from(text)),
            Value::Known(_) | Value::Unknown => None,
        }
    }

    /// Does one of a `case` arm's patterns fit? `None`: that cannot be told.
    pub(super) fn matches_one(&self, text: &str, patterns: &[Word]) -> Option<bool> {
        let mut unknown = false;
        for pattern in patterns {
            match self.expand(pattern) {
                // `[a-z]` and zsh's own patterns are not tried.
                Value::Known(pattern) if pattern.contains(['[', '(']) => unknown = true,
                Value::Known(pattern) if glob(&pattern, text) => return Some(true),
                Value::Known(_) => {}
                Value::Unknown => unknown = true,
            }
        }
        (!unknown).then_some(false)
    }
}

fn is_of_go(name: &str) -> bool {
    name.starts_with("GO")
}

/// Does a pattern of `*`, `?` and letters fit the whole text?
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_pattern_fits_the_whole_text_or_not() {
        for (pattern, text, fits) in [
            ("*i*", "himBHs", true),
            ("*i*", "hmBHs", false),
            ("*.sh", "a.sh", true),
            ("*.sh", "a.zsh", false),
            ("?.sh", "a.sh", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
