//! Patterns of GOPRIVATE, GONOPROXY, GONOSUMDB, GOINSECURE and GOVCS that can match no module
//! path there can be: go passes them over without a word, and private names go to the public
//! proxy and the checksum database.
//!
//! Decided by `golang.org/x/mod/module.CheckPath`, which says what a path may hold: no character
//! sequence that it accepts matches the pattern. Only then the reason is looked for.

use std::fmt;

use super::lookalike::{self, Lookalike};
use super::mask::{blot, mask};
use super::pattern::{Token, tokens};

/// The word for "no module" where an empty value would mean the default. Without a dot it can
/// match nothing, and that is what it is for.
pub const NOTHING: &str = "none";

/// Why a pattern matches no module path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternFault {
    /// The pattern: byte offset and length within the list.
    pub at: (usize, usize),
    /// The pattern as written, but for credentials.
    pub pattern: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// `path.Match` calls it malformed: a `[` without its `]`, a `\` at the end.
    Malformed,
    /// `https://` or the like before the host.
    Scheme,
    /// White space, at an end or within. `true`: a control character, such as a carriage return.
    Space(bool),
    /// A character that looks like another; its place is within the pattern.
    LookAlike(Lookalike),
    /// Quotation marks, which go takes for a part of the host.
    Quote(char),
    /// Something other than `,` between two patterns.
    Separator(char),
    /// `git@`, or a version.
    At,
    /// A port, or `host:path` as git writes it.
    Colon,
    /// `.corp.example`, which is how NO_PROXY writes a domain.
    LeadingDot,
    /// `git.corp.example/...`, which is how packages are named.
    Ellipsis,
    /// Nothing between two slashes, or before the first.
    EmptyElement,
    /// Capital letters in the host.
    UpperCase,
    /// A host without a dot.
    NoDot,
    /// A character that no module path holds.
    Character(char),
    /// Something else.
    Other,
}

/// Every pattern of a list that can match no module path. Credentials are hidden before the list
/// is split, since a password may hold a comma.
pub fn faults(list: &str) -> Vec<PatternFault> {
    let list = blot(list);
    let mut found = Vec::new();
    let mut start = 0;
    for part in list.split(',') {
        let glob = part.strip_suffix('/').unwrap_or(part);
        if !glob.is_empty()
            && glob != NOTHING
            && let Some(why) = fault(glob)
        {
            found.push(PatternFault {
                at: (start, part.len()),
                pattern: part.to_owned(),
                why,
            });
        }
        start += part.len() + 1;
    }
    found
}

/// Why a single pattern, without a comma and without the one slash at its end that go takes off,
/// can match no module path; `None`: it can.
pub fn fault(glob: &str) -> Option<Why> {
    let Ok(tokens) = tokens(glob) else {
        return Some(match odd_character(glob) {
            Some(why @ (Why::LookAlike(_) | Why::Scheme)) => why,
            _ => Why::Malformed,
        });
    };
    (!can_match(&tokens)).then(|| reason(glob))
}

/// How far a path has come that a pattern is about to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// At the start of the host, or of a later element.
    Start { host: bool },
    /// Within the host.
    Host { dotted: bool, last_is_dot: bool },
    /// Within a later element.
    Element { last_is_dot: bool },
}

impl Reached {
    const ALL: [Reached; 8] = [
        Reached::Start { host: true },
        Reached::Start { host: false },
        Reached::Host {
            dotted: false,
            last_is_dot: false,
        },
        Reached::Host {
            dotted: true,
            last_is_dot: false,
        },
        Reached::Host {
            dotted: true,
            last_is_dot: true,
        },
        Reached::Element { last_is_dot: false },
        Reached::Element { last_is_dot: true },
        // A host that ends with a dot has one, so this one is never reached.
        Reached::Host {
            dotted: false,
            last_is_dot: true,
        },
    ];

    fn index(self) -> usize {
        Reached::ALL
            .iter()
            .position(|one| *one == self)
            .unwrap_or_default()
    }

    /// May the path end here?
    fn is_whole(self) -> bool {
        matches!(
            self,
            Reached::Host {
                dotted: true,
                last_is_dot: false
            } | Reached::Element { last_is_dot: false }
        )
    }

    /// After one more character; `None`: no module path holds it here.
    fn then(self, c: char) -> Option<Reached> {
        if c == '/' {
            return self.is_whole().then_some(Reached::Start { host: false });
        }
        let in_host = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let in_element = in_host || c.is_ascii_uppercase() || c == '_' || c == '~';
        let dot = c == '.';
        match self {
            Reached::Start { host: true } => {
                (in_host && !dot && c != '-').then_some(Reached::Host {
                    dotted: false,
                    last_is_dot: false,
                })
            }
            Reached::Start { host: false } => {
                (in_element && !dot).then_some(Reached::Element { last_is_dot: false })
            }
            Reached::Host { dotted, .. } => in_host.then_some(Reached::Host {
                dotted: dotted || dot,
                last_is_dot: dot,
            }),
            Reached::Element { .. } => in_element.then_some(Reached::Element { last_is_dot: dot }),
        }
    }
}

/// Is there a path that `module.CheckPath` accepts (but for its rules on versions and on names
/// that Windows reserves) and that the pattern matches? A walk over all that can be reached, one
/// token at a time: linear in the pattern.
fn can_match(tokens: &[Token]) -> bool {
    let mut reached = [false; Reached::ALL.len()];
    reached[Reached::Start { host: true }.index()] = true;
    for token in tokens {
        let from = |set: &[bool; Reached::ALL.len()], matches: &dyn Fn(char) -> bool| {
            let mut next = [false; Reached::ALL.len()];
            for (state, _) in Reached::ALL.iter().zip(set).filter(|(_, on)| **on) {
                for c in ALPHABET.chars().filter(|c| matches(*c)) {
                    if let Some(then) = state.then(c) {
                        next[then.index()] = true;
                    }
                }
            }
            next
        };
        reached = match token {
            Token::Literal(c) => from(&reached, &|one| one == *c),
            Token::Any => from(&reached, &|one| one != '/'),
            Token::Class { negated, ranges } => from(&reached, &|one| {
                ranges.iter().any(|(low, high)| *low <= one && one <= *high) != *negated
            }),
            Token::Star => {
                // Any number of characters: until nothing new is reached.
                let mut all = reached;
                loop {
                    let more = from(&all, &|one| one != '/');
                    let mut grew = false;
                    for (one, more) in all.iter_mut().zip(more) {
                        grew |= more && !*one;
                        *one |= more;
                    }
                    if !grew {
                        break all;
                    }
                }
            }
        };
    }
    Reached::ALL
        .iter()
        .zip(reached)
        .any(|(state, on)| on && state.is_whole())
}

/// Every character that a module path may hold.
const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz0123456789-./_~ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fn reason(glob: &str) -> Why {
    if let Some(why) = odd_character(glob) {
        return why;
    }
    let host = glob.split('/').next().unwrap_or_default();
    if glob.split('/').any(str::is_empty) {
        Why::EmptyElement
    } else if glob.split('/').any(|element| element == "...") {
        Why::Ellipsis
    } else if host.starts_with('.') {
        Why::LeadingDot
    } else if host.contains(|c: char| c.is_ascii_uppercase()) {
        Why::UpperCase
    } else if !host.contains(['.', '*', '?', '[']) {
        Why::NoDot
    } else {
        Why::Other
    }
}

/// The first of the usual slips that a single character shows.
fn odd_character(glob: &str) -> Option<Why> {
    if let Some(found) = lookalike::find(glob) {
        return Some(Why::LookAlike(found));
    }
    if glob.contains("://") {
        return Some(Why::Scheme);
    }
    let has = |c: &char| glob.contains(*c);
    if let Some(c) = ['"', '\'', '`'].iter().find(|c| has(c)) {
        return Some(Why::Quote(*c));
    }
    if let Some(c) = [';', '|'].iter().find(|c| has(c)) {
        return Some(Why::Separator(*c));
    }
    if glob.contains(char::is_whitespace) || glob.contains(char::is_control) {
        let control = |c: char| c.is_control() && c != '\t';
        return Some(Why::Space(glob.contains(control)));
    }
    if has(&'@') {
        return Some(Why::At);
    }
    if has(&':') {
        return Some(Why::Colon);
    }
    let known = |c: char| ALPHABET.contains(c) || "*?[]\\^".contains(c);
    glob.chars().find(|c| !known(*c)).map(Why::Character)
}

impl PatternFault {
    /// What to do about it.
    pub fn help(&self) -> String {
        let host = || {
            let bare = self.pattern.trim_matches(|c: char| {
                c.is_whitespace() || c.is_control() || ['"', '\'', '`', '.', '/'].contains(&c)
            });
            shown(bare)
        };
        match self.why {
            Why::Malformed => "`[` needs its `]`, and `\\` something behind it".to_owned(),
            Why::Scheme => "write the host alone, as in git.corp.example".to_owned(),
            Why::Space(true) => "take the control character out".to_owned(),
            Why::Space(false) if self.pattern.trim().contains(char::is_whitespace) => {
                "write `,` between the patterns, and no spaces".to_owned()
            }
            Why::Space(false) => "take the space out".to_owned(),
            Why::LookAlike(found) => found.help(),
            Why::Quote(_) => "take the quotation marks out".to_owned(),
            Why::Separator(_) => "write `,` between the patterns".to_owned(),
            Why::At => "write host/path alone, as in git.corp.example/team".to_owned(),
            Why::Colon => "leave the port out: the pattern is held against module paths".to_owned(),
            Why::LeadingDot => match self.pattern.trim_start_matches('.') {
                "" => "take it out".to_owned(),
                rest => format!(
                    "write {} for the hosts below it",
                    shown(&format!("*.{rest}"))
                ),
            },
            Why::Ellipsis => "leave `/...` out: a pattern covers all that is below it".to_owned(),
            Why::EmptyElement => "write host/path, with one `/` between the parts".to_owned(),
            Why::UpperCase => {
                let (host, rest) = self.pattern.split_once('/').unwrap_or((&self.pattern, ""));
                let slash = if self.pattern.contains('/') { "/" } else { "" };
                let meant = format!("{}{slash}{rest}", host.to_ascii_lowercase());
                format!("write {}", shown(&meant))
            }
            Why::NoDot => format!(
                "write the whole host, as in {}.corp.example; `none` matches nothing",
                host().trim_matches('`')
            ),
            Why::Character(_) | Why::Other => {
                "a pattern is a host, or a host and a path: git.corp.example/team".to_owned()
            }
        }
    }
}

/// What is wrong, in a sentence that begins with the pattern.
impl fmt::Display for PatternFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = shown(&self.pattern);
        write!(f, "{pattern} matches no module path: ")?;
        match self.why {
            Why::Malformed => f.write_str("the pattern is malformed"),
            Why::Scheme => f.write_str("none begins with a scheme"),
            Why::Space(true) => f.write_str("it holds a control character"),
            Why::Space(false) => f.write_str("go does not trim the white space in it"),
            Why::LookAlike(found) => write!(f, "{found}"),
            Why::Quote(c) => write!(f, "go takes {c} for a part of the host"),
            Why::Separator(c) => write!(f, "only `,` separates patterns, not `{c}`"),
            Why::At => f.write_str("none holds `@`"),
            Why::Colon => f.write_str("none holds a port or `:`"),
            Why::LeadingDot => f.write_str("none begins with a dot"),
            Why::Ellipsis => f.write_str("`...` is not a wildcard here"),
            Why::EmptyElement => f.write_str("it has an empty part next to a `/`"),
            Why::UpperCase => f.write_str("hosts in them are in lower case"),
            Why::NoDot => f.write_str("the host in them has a dot"),
            Why::Character(c) => write!(f, "none holds {}", shown(&c.to_string())),
            Why::Other => f.write_str("no host and path is like this"),
        }
    }
}

/// A pattern as messages may show it: bounded, without a password, and without what could steer
/// a terminal.
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
    use crate::model::Patterns;

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
            assert!(fault.help().contains(help), "{pattern}: {}", fault.help());
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
        /// What is said to match nothing matches no path, whatever it is.
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
                let _ = (fault.to_string(), fault.help());
            }
        }
    }

    #[test]
    fn a_long_pattern_is_judged_at_once() {
        let glob = format!("{}:", "*a".repeat(4000));
        assert_eq!(fault(&glob), Some(Why::Colon));
    }
}
