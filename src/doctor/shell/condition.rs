//! `test`, `[ … ]`, `[[ … ]]` and patterns, where they can be told.

use std::path::Path;

use super::super::files::Files;
use super::word::Word;
use crate::model::pattern::glob_match;

/// `None`: that cannot be told.
pub(super) type Truth = Option<bool>;

/// All of them.
pub(super) fn both(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// What the words of a `test` come to.
pub(super) fn test(words: &[Word], files: &dyn Files) -> Truth {
    match words {
        [not, rest @ ..] if not.is("!") && rest.len() < 4 => test(rest, files).map(|is| !is),
        [one] => one.known().map(|text| !text.is_empty()),
        [operator, operand] => {
            let value = operand.known()?;
            let path = Path::new(value);
            match operator.known()? {
                "-n" => Some(!value.is_empty()),
                "-z" => Some(value.is_empty()),
                _ if !path.is_absolute() => None,
                "-f" => Some(files.is_file(path)),
                "-d" => Some(files.is_folder(path)),
                // May it be read? Tried when it is.
                "-e" | "-r" | "-s" | "-a" => Some(files.is_file(path) || files.is_folder(path)),
                _ => None,
            }
        }
        [one, operator, other] => match operator.known()? {
            "=" | "==" => fits(other, one.known()?),
            "!=" => fits(other, one.known()?).map(|is| !is),
            _ => None,
        },
        _ => None,
    }
}

/// Does a pattern of `*`, `?` and letters fit the whole text? zsh's own are not tried.
pub(super) fn fits(pattern: &Word, text: &str) -> Truth {
    let known = pattern.known()?;
    if known == text || !known.contains(['*', '?', '[', '(', '\\']) {
        return Some(known == text);
    }
    // Here `*` takes a slash as well.
    let [known, text] = [known, text].map(|text| text.replace('/', "\n"));
    let tried = !known.contains(['[', '(', '\\']);
    glob_match(&known, &text).ok().filter(|_| tried)
}

/// Does one of a `case` arm's patterns fit?
pub(super) fn fits_one(patterns: &[Word], subject: Option<&str>) -> Truth {
    let fits = |pattern| subject.and_then(|subject| fits(pattern, subject));
    let all: Vec<Truth> = patterns.iter().map(fits).collect();
    let decided = all.contains(&Some(true)) || !all.contains(&None);
    decided.then(|| all.contains(&Some(true)))
}
