//! GOPRIVATE, GONOPROXY, GONOSUMDB and GOINSECURE: comma lists of glob path prefixes, as
//! `golang.org/x/mod/module.MatchPrefixPatterns` and Go's `path.Match` read them. Also finds
//! patterns that cannot match any module path: go ignores them silently, and sends private names to
//! the public proxy and the checksum database.

use std::collections::BTreeSet;
use std::fmt;

use super::lookalike::{self, Lookalike};
use super::mask::{blot, mask};

/// The word for "no module" where an empty value would mean the default. It has no dot, so it can
/// match nothing; that is its purpose.
pub const NOTHING: &str = "none";

/// A comma list of glob patterns that match prefixes of module paths, element by element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patterns {
    globs: Vec<String>,
}

impl Patterns {
    /// Splits the list and drops empty elements. Like go, it does not trim white space.
    pub fn parse(list: &str) -> Patterns {
        let globs = list
            .split(',')
            .map(|glob| glob.strip_suffix('/').unwrap_or(glob))
            .filter(|glob| !glob.is_empty())
            .map(str::to_owned)
            .collect();
        Patterns { globs }
    }

    /// Returns the patterns, as written.
    pub fn globs(&self) -> &[String] {
        &self.globs
    }

    /// Reports whether the pattern matches the prefix of the path that has as many elements as it.
    pub fn matches(&self, path: &str) -> bool {
        self.globs.iter().any(|glob| {
            let slashes = glob.matches('/').count();
            let prefix = match path.match_indices('/').nth(slashes) {
                Some((end, _)) => &path[..end],
                None => path,
            };
            prefix.matches('/').count() == slashes && glob_match(glob, prefix).unwrap_or(false)
        })
    }

    /// Returns the first pattern that Go's `path.Match` calls malformed: it silently matches
    /// nothing.
    pub fn malformed(&self) -> Option<&str> {
        let mut globs = self.globs.iter().map(String::as_str);
        globs.find(|glob| tokens(glob).is_err())
    }

    /// Reports whether the list can match a module path.
    pub fn can_match(&self) -> bool {
        let mut globs = self.globs.iter();
        globs.any(|glob| glob != NOTHING && !matches_nothing(glob))
    }
}

/// The pattern is not well-formed (`path.ErrBadPattern`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

/// Go's `path.Match`: `*` and `?` do not cross `/`, `[a-z]` and `[^a-z]` are classes, `\` escapes.
///
/// # Errors
/// If the pattern is malformed anywhere, even after the position where the match ended.
pub fn glob_match(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let tokens = tokens(pattern)?;
    // The possible numbers of tokens that have matched so far.
    let mut reached = BTreeSet::from([0]);
    let pass_stars = |reached: &mut BTreeSet<usize>| {
        for (at, token) in tokens.iter().enumerate() {
            if matches!(token, Token::Star) && reached.contains(&at) {
                reached.insert(at + 1);
            }
        }
    };
    pass_stars(&mut reached);
    for c in name.chars() {
        let next = reached.iter().filter_map(|at| {
            let token = tokens.get(*at).filter(|token| token.takes(c))?;
            Some(at + usize::from(!matches!(token, Token::Star)))
        });
        reached = next.collect();
        pass_stars(&mut reached);
    }
    Ok(reached.contains(&tokens.len()))
}

/// One token of a pattern.
#[derive(Debug)]
enum Token {
    Star,
    Any,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Literal(char),
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Star | Token::Any => c != '/',
            Token::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| *low <= c && c <= *high) != *negated
            }
            Token::Literal(literal) => *literal == c,
        }
    }
}

/// Splits a pattern into tokens.
fn tokens(pattern: &str) -> Result<Vec<Token>, BadPattern> {
    let mut rest = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' => Token::Literal(rest.next().ok_or(BadPattern)?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.next_if_eq(&']').is_none() {
                    let low = class_char(&mut rest)?;
                    let high = match rest.next_if_eq(&'-') {
                        Some(_) => class_char(&mut rest)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                Token::Class { negated, ranges }
            }
            c => Token::Literal(c),
        });
    }
    Ok(tokens)
}

/// Returns the next character of a class. A class that is not closed is malformed, whatever it
/// holds.
fn class_char(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
    let c = match rest.next() {
        None | Some('-' | ']') => return Err(BadPattern),
        Some('\\') => rest.next().ok_or(BadPattern)?,
        Some(c) => c,
    };
    rest.peek().map(|_| c).ok_or(BadPattern)
}

/// Why a pattern matches no module path: a sentence that begins with the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFault {
    /// The pattern: byte offset and length within the list.
    pub at: (usize, usize),
    /// A character that looks like another one; its offset is within the pattern.
    pub look_alike: Option<Lookalike>,
    what: String,
    /// Advice for the user.
    pub help: String,
}

impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Returns every pattern of a list that cannot match a module path. Credentials are hidden before
/// the list is split, because a password may hold a comma.
pub fn faults(list: &str) -> Vec<PatternFault> {
    let list = blot(list);
    let mut found = Vec::new();
    let mut start = 0;
    for part in list.split(',') {
        let glob = part.strip_suffix('/').unwrap_or(part);
        if !glob.is_empty() && glob != NOTHING && matches_nothing(glob) {
            let (why, help) = reason(glob, part);
            found.push(PatternFault {
                at: (start, part.len()),
                look_alike: lookalike::find(glob),
                what: format!("{} matches no module path: {why}", shown(part)),
                help,
            });
        }
        start += part.len() + 1;
    }
    found
}

/// Reports whether the pattern matches no module path. `golang.org/x/mod/module.CheckPath` defines
/// what a path may hold; its rules on versions and on names that Windows reserves are ignored here.
/// The pattern is taken without the one slash at its end, which go removes. The function tracks
/// every state that a path can be in, one token at a time; the cost is linear in the pattern.
pub(super) fn matches_nothing(glob: &str) -> bool {
    let Ok(tokens) = tokens(glob) else {
        return true;
    };
    let mut reached = BTreeSet::from([Reached {
        in_host: true,
        dotted: false,
        last: Last::Slash,
    }]);
    for token in tokens {
        let taken: Vec<char> = ALPHABET.chars().filter(|c| token.takes(*c)).collect();
        let behind = |from: &BTreeSet<Reached>| -> BTreeSet<Reached> {
            let each = from
                .iter()
                .flat_map(|one| taken.iter().filter_map(|c| one.then(*c)));
            each.collect()
        };
        if !matches!(token, Token::Star) {
            reached = behind(&reached);
            continue;
        }
        // Any number of characters: repeat until no new state is reached.
        let mut before = 0;
        while reached.len() > before {
            before = reached.len();
            reached.extend(behind(&reached));
        }
    }
    !reached.iter().any(|one| one.is_whole())
}

/// The state of a path while the pattern is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reached {
    in_host: bool,
    /// Whether the host has a dot.
    dotted: bool,
    last: Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Last {
    /// A slash, or nothing yet: an element begins.
    Slash,
    Dot,
    Other,
}

impl Reached {
    /// Reports whether the path may end here.
    fn is_whole(self) -> bool {
        self.last == Last::Other && (self.dotted || !self.in_host)
    }

    /// Returns the state after one more character; `None`: no module path holds that character
    /// here.
    fn then(self, c: char) -> Option<Reached> {
        if c == '/' {
            return self.is_whole().then_some(Reached {
                in_host: false,
                dotted: false,
                last: Last::Slash,
            });
        }
        let begins = self.last == Last::Slash;
        let fits = match c {
            '.' => !begins,
            '-' => !(begins && self.in_host),
            'A'..='Z' | '_' | '~' => !self.in_host,
            _ => ALPHABET.contains(c),
        };
        fits.then_some(Reached {
            in_host: self.in_host,
            dotted: self.in_host && (self.dotted || c == '.'),
            last: if c == '.' { Last::Dot } else { Last::Other },
        })
    }
}

/// Every character that a module path may hold.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789-./_~ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Returns what is wrong with a pattern, and what to do about it. `part` still has the slash at its
/// end.
fn reason(glob: &str, part: &str) -> (String, String) {
    let both = |why: &str, help: &str| (why.to_owned(), help.to_owned());
    let elements = || glob.split('/');
    let host = elements().next().unwrap_or_default();
    let has = |c: &char| glob.contains(*c);
    let known = |c: char| ALPHABET.contains(c) || "*?[]\\^".contains(c);
    if let Some(found) = lookalike::find(glob) {
        (found.to_string(), found.help())
    } else if glob.contains("://") {
        both(
            "none begins with a scheme",
            "write the host alone, as in git.corp.example",
        )
    } else if tokens(glob).is_err() {
        both(
            "the pattern is malformed",
            "`[` needs its `]`, and `\\` something behind it",
        )
    } else if let Some(c) = ['"', '\'', '`'].iter().find(|c| has(c)) {
        both(
            &format!("go takes {c} for a part of the host"),
            "take the quotation marks out",
        )
    } else if let Some(c) = [';', '|'].iter().find(|c| has(c)) {
        both(
            &format!("only `,` separates patterns, not `{c}`"),
            "write `,` between the patterns",
        )
    } else if glob.contains(|c: char| c.is_control() && c != '\t') {
        both(
            "it holds a control character",
            "take the control character out",
        )
    } else if glob.contains(char::is_whitespace) {
        let help = match part.trim().contains(char::is_whitespace) {
            true => "write `,` between the patterns, and no spaces",
            false => "take the space out",
        };
        both("go does not trim the white space in it", help)
    } else if has(&'@') {
        both(
            "none holds `@`",
            "write host/path alone, as in git.corp.example/team",
        )
    } else if has(&':') {
        both(
            "none holds a port or `:`",
            "leave the port out: the pattern is held against module paths",
        )
    } else if let Some(c) = glob.chars().find(|c| !known(*c)) {
        both(
            &format!("none holds {}", shown(&c.to_string())),
            HOST_OR_PATH,
        )
    } else if elements().any(str::is_empty) {
        both(
            "it has an empty part next to a `/`",
            "write host/path, with one `/` between the parts",
        )
    } else if elements().any(|element| element == "...") {
        both(
            "`...` is not a wildcard here",
            "leave `/...` out: a pattern covers all that is below it",
        )
    } else if host.starts_with('.') {
        let help = match part.trim_start_matches('.') {
            "" => "take it out".to_owned(),
            rest => format!(
                "write {} for the hosts below it",
                shown(&format!("*.{rest}"))
            ),
        };
        both("none begins with a dot", &help)
    } else if host.contains(|c: char| c.is_ascii_uppercase()) {
        let rest = part.get(host.len()..).unwrap_or_default();
        let meant = shown(&format!("{}{rest}", host.to_ascii_lowercase()));
        both("hosts in them are in lower case", &format!("write {meant}"))
    } else if !host.contains(['.', '*', '?', '[']) {
        let bare = shown(part.trim_matches(['.', '/']));
        let help = format!(
            "write the whole host, as in {}.corp.example; `none` matches nothing",
            bare.trim_matches('`')
        );
        both("the host in them has a dot", &help)
    } else {
        both("no host and path is like this", HOST_OR_PATH)
    }
}

const HOST_OR_PATH: &str = "a pattern is a host, or a host and a path: git.corp.example/team";

/// Returns a pattern as messages may show it: bounded, without a password, and without characters
/// that could control a terminal.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let masked = mask(text);
    let mut out = String::from("`");
    for c in masked.chars().take(MOST) {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if masked.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out.push('`');
    out
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

    #[test]
    fn what_can_match_no_path_is_found_with_its_reason_and_a_way_out() {
        for (pattern, reason, help) in [
            (
                "https://git.corp.example",
                "begins with a scheme",
                "the host alone",
            ),
            ("git.corp.example:8443", "a port", "leave the port out"),
            ("ssh://git@git.corp.example", "a scheme", "the host alone"),
            (
                "git@git.corp.example:team/*",
                "holds `@`",
                "host/path alone",
            ),
            (
                "git.corp.example/team@v1.0.0",
                "holds `@`",
                "host/path alone",
            ),
            ("\"git.corp.example\"", "takes \" for", "quotation marks"),
            ("'git.corp.example'", "takes ' for", "quotation marks"),
            ("\"git.corp.example", "takes \" for", "quotation marks"),
            (
                ".corp.example",
                "begins with a dot",
                "write `*.corp.example`",
            ),
            ("git.corp.example;lab.example", "only `,`", "write `,`"),
            ("git.corp.example|lab.example", "only `,`", "write `,`"),
            (" git.corp.example", "white space", "take the space out"),
            ("git.corp.example ", "white space", "take the space out"),
            ("a.b c.d", "white space", "write `,` between"),
            ("\tgit.corp.example", "white space", "take the space out"),
            (
                "git.corp.example\r",
                "control character",
                "take the control",
            ),
            ("git.corp.example/...", "not a wildcard", "leave `/...` out"),
            ("/git.corp.example", "empty part", "one `/`"),
            ("git.corp.example//", "empty part", "one `/`"),
            ("git.corp.example//team", "empty part", "one `/`"),
            ("GitHub.com/Acme", "lower case", "write `github.com/Acme`"),
            ("Git.corp.example", "lower case", "write `git.corp.example`"),
            ("corp", "has a dot", "write the whole host"),
            ("localhost", "has a dot", "write the whole host"),
            ("corp/*", "has a dot", "write the whole host"),
            ("git.corp.example.", "no host and path", "host and a path"),
            ("-git.corp.example", "no host and path", "host and a path"),
            (
                "git.corp.example/.git",
                "no host and path",
                "host and a path",
            ),
            ("git.corp.example/a+b", "holds `+`", "host and a path"),
            ("!git.corp.example", "holds `!`", "host and a path"),
            (
                "git_lab.corp.example",
                "no host and path",
                "host and a path",
            ),
            ("git.corp.example/{a,b", "holds `{`", "host and a path"),
            ("bücher.example", "holds `ü`", "host and a path"),
            ("git。corp.example", "(U+3002) is not `.`", "write `.`"),
            (
                "git.corp.example，lab.example",
                "(U+FF0C) is not `,`",
                "write `,`",
            ),
            (
                "git.corp.example\u{a0}",
                "U+00A0 looks like a space",
                "the space",
            ),
            (
                "\u{feff}git.corp.example",
                "U+FEFF in it cannot",
                "take it out",
            ),
            ("[", "malformed", "needs its `]`"),
            ("git.corp.example/[a-", "malformed", "needs its `]`"),
            ("git.corp.example\\", "malformed", "behind it"),
            ("[A-Z]*", "lower case", "write `[a-z]*`"),
            ("[ ]?*", "white space", "no spaces"),
            ("*.", "no host and path", "host and a path"),
        ] {
            let list = pattern.split(',').next().unwrap_or_default();
            let found = faults(list);
            let [fault] = found.as_slice() else {
                panic!("{pattern}: {found:?}");
            };
            assert!(fault.to_string().contains(reason), "{pattern}: {fault}");
            assert!(fault.help.contains(help), "{pattern}: {}", fault.help);
            let (at, length) = fault.at;
            assert_eq!(&list[at..at + length], list);
        }
    }

    #[test]
    fn right_patterns_are_not_touched() {
        for list in [
            "",
            "none",
            "git.corp.example",
            "git.corp.example/",
            "*.corp.example,git.corp.example",
            "git.corp.example/team/*",
            "github.com/acme",
            "github.com/BurntSushi/*",
            "git.sr.ht/~user",
            "*",
            "**",
            "*.*",
            "*/*",
            "[a-z]*",
            "[^A-Z]*.example",
            "git?.corp.example",
            "git[0-9].corp.example/x_y",
            "\\git.corp.example",
            "10.0.0.1/team",
            "1password.example",
            "*corp",
            "git*",
            ",,git.corp.example,",
            "xn--bcher-kva.example",
            "gopkg.in/yaml.v3",
        ] {
            assert_eq!(faults(list), [], "{list}");
        }
    }

    #[test]
    fn each_bad_pattern_of_a_list_is_pointed_at() {
        let list = "git.corp.example,.corp.example, a.b/";
        let at: Vec<&str> = faults(list)
            .iter()
            .map(|fault| &list[fault.at.0..fault.at.0 + fault.at.1])
            .collect();
        assert_eq!(at, [".corp.example", " a.b/"]);
    }

    #[test]
    fn messages_hold_no_password_and_nothing_that_steers_a_terminal() {
        let list = format!(
            "https://joe:s3cret@git.corp.example\u{1b}[2J{}",
            "x".repeat(100)
        );
        let said = faults(&list)[0].to_string();
        assert!(
            !said.contains("s3cret") && !said.contains('\u{1b}'),
            "{said}"
        );
        assert!(said.len() < 120, "{said}");
    }

    proptest::proptest! {
        /// A pattern that is reported to match nothing matches no path at all.
        #[test]
        fn no_path_is_matched_by_a_pattern_with_a_fault(
            glob in "[a-c.*?/\\\\:A~_-]{0,4}(\\[\\^?[a-cA-C./]{1,2}\\])?[a-c.*?/ -]{0,4}",
            path in "[a-c0]{1,2}(\\.[a-c-]{1,2}){1,2}(/[a-cA~_]{1,3}){0,3}",
        ) {
            if !faults(&glob).is_empty() {
                proptest::prop_assert!(!Patterns::parse(&glob).matches(&path), "{} {}", glob, path);
            }
        }

        #[test]
        fn no_list_makes_it_panic(list in "\\PC{0,60}") {
            for fault in faults(&list) {
                let (at, length) = fault.at;
                proptest::prop_assert!(list.get(at..at + length).is_some());
                let _ = fault.to_string();
            }
        }
    }

    #[test]
    fn a_long_pattern_is_judged_at_once() {
        let glob = format!("{}:", "*a".repeat(4000));
        assert!(matches_nothing(&glob));
    }
}
