//! GOPRIVATE, GONOPROXY, GONOSUMDB and GOINSECURE: comma lists of glob path prefixes, as
//! `golang.org/x/mod/module.MatchPrefixPatterns` and Go's `path.Match` read them.

/// A comma list of glob patterns that match prefixes of module paths, element by element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patterns {
    globs: Vec<String>,
}

impl Patterns {
    /// Splits the list; empty elements vanish. No white space is trimmed, as go does not either.
    pub fn parse(list: &str) -> Patterns {
        let globs = list
            .split(',')
            .map(|glob| glob.strip_suffix('/').unwrap_or(glob))
            .filter(|glob| !glob.is_empty())
            .map(str::to_owned)
            .collect();
        Patterns { globs }
    }

    /// The patterns, as written.
    pub fn globs(&self) -> &[String] {
        &self.globs
    }

    /// Does a prefix of the path with as many elements as the pattern match it?
    pub fn matches(&self, path: &str) -> bool {
        self.globs.iter().any(|glob| {
            let elements = glob.matches('/').count() + 1;
            let mut slashes = path.match_indices('/').map(|(i, _)| i);
            let prefix = match slashes.nth(elements - 1) {
                Some(end) => &path[..end],
                None if path.matches('/').count() + 1 < elements => return false,
                None => path,
            };
            glob_match(glob, prefix).unwrap_or(false)
        })
    }

    /// The first pattern that Go's `path.Match` calls malformed: it matches nothing, in silence.
    pub fn malformed(&self) -> Option<&str> {
        self.globs
            .iter()
            .find(|glob| glob_match(glob, "").is_err())
            .map(String::as_str)
    }
}

/// The pattern is not well-formed (`path.ErrBadPattern`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

/// Go's `path.Match`: `*` and `?` do not cross `/`, `[a-z]` and `[^a-z]` are classes, `\` escapes.
///
/// # Errors
/// When the pattern is malformed anywhere, whether or not the match got that far.
pub fn glob_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    check(&pattern)?;
    Ok(run(&pattern, &name))
}

/// One token of a pattern.
#[derive(Debug)]
pub(super) enum Token {
    Star,
    Any,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Literal(char),
}

/// The pattern's first token, and how many characters of the pattern it takes.
fn token(pattern: &[char]) -> Result<(Token, usize), BadPattern> {
    match pattern {
        ['*', ..] => Ok((Token::Star, 1)),
        ['?', ..] => Ok((Token::Any, 1)),
        ['\\', c, ..] => Ok((Token::Literal(*c), 2)),
        ['\\'] => Err(BadPattern),
        ['[', ..] => class(pattern),
        [c, ..] => Ok((Token::Literal(*c), 1)),
        [] => Err(BadPattern),
    }
}

fn class(pattern: &[char]) -> Result<(Token, usize), BadPattern> {
    let mut i = 1;
    let negated = pattern.get(i) == Some(&'^');
    i += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        if pattern.get(i) == Some(&']') && !ranges.is_empty() {
            return Ok((Token::Class { negated, ranges }, i + 1));
        }
        let (low, next) = class_char(pattern, i)?;
        i = next;
        let mut high = low;
        if pattern.get(i) == Some(&'-') {
            (high, i) = class_char(pattern, i + 1)?;
        }
        ranges.push((low, high));
    }
}

fn class_char(pattern: &[char], i: usize) -> Result<(char, usize), BadPattern> {
    let (c, next) = match pattern.get(i) {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => (*pattern.get(i + 1).ok_or(BadPattern)?, i + 2),
        Some(c) => (*c, i + 1),
    };
    // A class that is not closed is malformed, whatever it holds.
    if next >= pattern.len() {
        Err(BadPattern)
    } else {
        Ok((c, next))
    }
}

/// All tokens of a pattern.
///
/// # Errors
/// When the pattern is malformed.
pub(super) fn tokens(pattern: &str) -> Result<Vec<Token>, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut rest = pattern.as_slice();
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let (token, taken) = token(rest)?;
        tokens.push(token);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(tokens)
}

fn check(mut pattern: &[char]) -> Result<(), BadPattern> {
    while !pattern.is_empty() {
        let (_, taken) = token(pattern)?;
        pattern = &pattern[taken..];
    }
    Ok(())
}

/// Matches a checked pattern, with one point to go back to: the last star.
fn run(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && n == name.len() {
            return true;
        }
        let step = pattern.get(p..).and_then(|rest| token(rest).ok());
        let matched = match (&step, name.get(n)) {
            (Some((Token::Star, taken)), _) => {
                back = Some((p, n));
                p += taken;
                continue;
            }
            (Some((Token::Any, _)), Some(c)) => *c != '/',
            (Some((Token::Literal(want), _)), Some(c)) => want == c,
            (Some((Token::Class { negated, ranges }, _)), Some(c)) => {
                ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated
            }
            (_, None) | (None, _) => false,
        };
        if let (true, Some((_, taken))) = (matched, &step) {
            p += taken;
            n += 1;
            continue;
        }
        match back {
            Some((star, from)) if from < name.len() && name[from] != '/' => {
                back = Some((star, from + 1));
                p = star + 1;
                n = from + 1;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_many_elements_as_it_has() {
        for (list, path, matches) in [
            ("git.corp.example", "git.corp.example/team/hello", true),
            ("git.corp.example/", "git.corp.example/team/hello", true),
            ("*.corp.example", "git.corp.example/team", true),
            ("*.corp.example", "corp.example/team", false),
            ("corp.example", "git.corp.example/team", false),
            ("github.com/team/*", "github.com/team/x/v2", true),
            ("github.com/team/*", "github.com/team", false),
            (",,a.b,", "a.b/c", true),
            (" a.b", "a.b/c", false),
            ("[", "a.b/c", false),
            ("", "a.b/c", false),
        ] {
            assert_eq!(
                Patterns::parse(list).matches(path),
                matches,
                "{list} {path}"
            );
        }
    }

    #[test]
    fn globs_are_those_of_path_match() {
        for (glob, name, want) in [
            ("a*b", "axxb", Ok(true)),
            ("a*b", "ax/b", Ok(false)),
            ("a?c", "a/c", Ok(false)),
            ("[a-c]x", "bx", Ok(true)),
            ("[^a-c]x", "bx", Ok(false)),
            ("a\\*", "a*", Ok(true)),
            ("*x*y*", "aaxbbycc", Ok(true)),
            ("*x*y", "aaxbbycc", Ok(false)),
            ("[]a]", "]", Err(BadPattern)),
            ("[a-]", "a", Err(BadPattern)),
            ("[-a]", "a", Err(BadPattern)),
            ("a[", "zzz", Err(BadPattern)),
            ("a\\", "zzz", Err(BadPattern)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(glob_match(glob, name), want, "{glob} {name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_makes_it_panic(list in "\\PC{0,40}", path in "\\PC{0,40}") {
            let patterns = Patterns::parse(&list);
            patterns.matches(&path);
            if patterns.malformed().is_some() {
                proptest::prop_assert!(list.contains(['[', '\\']));
            }
        }

        #[test]
        fn a_hard_pattern_is_quick(stars in 1usize..40) {
            let glob = "*a".repeat(stars);
            let name = "a".repeat(2000);
            let glob = format!("{glob}b");
            proptest::prop_assert_eq!(glob_match(&glob, &name), Ok(false));
        }
    }
}
