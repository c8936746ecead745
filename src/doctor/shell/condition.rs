//! `test`, `[ … ]`, `[[ … ]]` and patterns, where they can be told.

use std::path::Path;

use super::super::files::Files;
use super::blocks::Truth;
use super::word::Word;

/// Words of a `test` that are looked at: each operator is a step down the stack.
const MOST_WORDS: usize = 128;

/// What the words of a `test` come to.
pub(super) fn test(words: &[Word], files: &dyn Files) -> Truth {
    if words.len() > MOST_WORDS {
        return None;
    }
    // `||` binds less than `&&`, and both less than `!`; only `[[` has them.
    for (operator, wins) in [("||", true), ("&&", false)] {
        if let Some(at) = words.iter().position(|word| word.is(operator)) {
            let (one, other) = (words.get(..at)?, words.get(at + 1..)?);
            return match (test(one, files), test(other, files)) {
                (Some(is), _) | (_, Some(is)) if is == wins => Some(wins),
                (Some(_), Some(_)) => Some(!wins),
                _ => None,
            };
        }
    }
    match words {
        [not, rest @ ..] if not.is("!") => test(rest, files).map(|is| !is),
        [one] => one.known().map(|text| !text.is_empty()),
        [operator, operand] => {
            let value = operand.known()?;
            let path = Path::new(value);
            match operator.known()? {
                "-n" => Some(!value.is_empty()),
                "-z" => Some(value.is_empty()),
                "-f" if path.is_absolute() => Some(files.is_file(path)),
                "-d" if path.is_absolute() => Some(files.is_folder(path)),
                // May it be read? Tried when it is.
                "-e" | "-r" | "-s" | "-a" if path.is_absolute() => {
                    Some(files.is_file(path) || files.is_folder(path))
                }
                _ => None,
            }
        }
        [one, operator, other] => {
            let (text, other_text) = (one.known()?, other.known()?);
            let same = match other.pattern {
                true => fits(other, text)?,
                false => text == other_text,
            };
            match operator.known()? {
                _ if other_text.contains('[') => None,
                "=" | "==" => Some(same),
                "!=" => Some(!same),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Does a pattern fit? `[a-z]` and zsh's own are not tried.
pub(super) fn fits(pattern: &Word, text: &str) -> Truth {
    let pattern = pattern.known()?;
    (!pattern.contains(['[', '('])).then(|| glob(pattern, text))
}

/// Does a pattern of `*`, `?` and letters fit the whole text?
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(c), _) if *c == '?' || c == letter => {
                p += 1;
                t += 1;
            }
            (_, Some((at, taken))) => {
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
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
