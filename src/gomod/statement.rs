//! The grammar that go.mod and go.work share: words, strings, `//` comments, blocks
//! (`golang.org/x/mod/modfile/read.go`). No token goes over the end of a line, so that a line
//! which go cannot read costs that line only.

/// A value and the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// What is written.
    pub value: T,
    /// Its line's number, from 1.
    pub line: usize,
}

/// What go refuses a file for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Fault {
    /// The line's number, from 1.
    pub line: usize,
    /// Why, in go's words.
    pub message: String,
}

impl Fault {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Fault {
        Fault {
            line,
            message: message.into(),
        }
    }
}

/// What git leaves of a conflict.
pub fn is_conflict_marker(line: &str) -> bool {
    let marks = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
    marks.iter().any(|mark| line.starts_with(mark))
}

/// What any go refuses a go.mod or go.work for, in the order of the lines: its faults, and git's
/// marks among the directives that are not known. Others of these may be a newer go's.
pub fn refusals(faults: &[Fault], unknown: &[At<String>]) -> Vec<Fault> {
    let marks = unknown
        .iter()
        .filter(|verb| is_conflict_marker(&verb.value));
    let marks = marks.map(|verb| {
        let message = format!("unknown directive: {}", verb.value);
        Fault::new(verb.line, message)
    });
    let mut all: Vec<Fault> = faults.iter().cloned().chain(marks).collect();
    all.sort_by_key(|fault| fault.line);
    all
}

/// One directive: a separate line, or a line of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// `require`, `go` …
    pub(super) verb: String,
    /// What follows it, as written (quotes included).
    pub(super) words: Vec<String>,
    /// Its number, from 1.
    pub(super) line: usize,
    /// The comment behind it, without `//`.
    pub(super) comment: Option<String>,
}

/// A file, taken apart.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// In their order.
    pub(super) all: Vec<Statement>,
    /// Blocks whose name is not in `blocks`; `ParseLax` ignores them.
    pub(super) unknown: Vec<At<String>>,
    /// Lines that do not follow the grammar.
    pub(super) faults: Vec<Fault>,
}

/// Where a line stands.
enum Place {
    Top,
    /// Inside a block of this name, which began at this line; the lines of `None` are ignored.
    Block(Option<String>, usize),
}

/// Takes a file apart; `blocks` are the directives that may be written as a block.
pub(super) fn statements(text: &str, blocks: &[&str]) -> Statements {
    let mut out = Statements::default();
    let mut place = Place::Top;
    for (number, text) in text.split('\n').enumerate() {
        let line = number + 1;
        let (mut words, comment) = match tokens(text) {
            Ok(read) => read,
            Err(message) => {
                out.faults.push(Fault::new(line, message));
                continue;
            }
        };
        if words.is_empty() {
            continue;
        }
        match &place {
            Place::Top => {
                if words.len() > 1 && words.last().is_some_and(|word| word == "(") {
                    words.pop();
                    let name = words.join(" ");
                    let known = blocks.contains(&name.as_str());
                    if !known {
                        out.unknown.push(At {
                            value: name.clone(),
                            line,
                        });
                    }
                    place = Place::Block(known.then_some(name), line);
                    continue;
                }
                if words.len() > 2 && words.ends_with(&["(".to_owned(), ")".to_owned()]) {
                    continue;
                }
                let verb = words.remove(0);
                out.all.push(Statement {
                    verb,
                    words,
                    line,
                    comment,
                });
            }
            Place::Block(..) if words[0] == ")" => {
                if words.len() > 1 {
                    let message = "syntax error (expected newline after closing paren)";
                    out.faults.push(Fault::new(line, message));
                }
                place = Place::Top;
            }
            Place::Block(None, _) => {}
            Place::Block(Some(verb), _) => {
                let verb = verb.clone();
                out.all.push(Statement {
                    verb,
                    words,
                    line,
                    comment,
                });
            }
        }
    }
    if let Place::Block(_, line) = place {
        out.faults
            .push(Fault::new(line, "syntax error (unterminated block)"));
    }
    out
}

/// The words of one line, and the comment behind them.
fn tokens(line: &str) -> Result<(Vec<String>, Option<String>), String> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r']);
        if let Some(comment) = rest.strip_prefix("//") {
            return Ok((words, Some(comment.trim().to_owned())));
        }
        let Some(first) = rest.chars().next() else {
            return Ok((words, None));
        };
        let len = match first {
            '(' | ')' | '[' | ']' | '{' | '}' | ',' => 1,
            '"' | '`' => string(rest, first).ok_or("unexpected newline in string")?,
            _ => word(rest)?,
        };
        let (token, behind) = rest.split_at(len);
        words.push(token.to_owned());
        rest = behind;
    }
}

/// How long a string is that starts here, with its quotes.
fn string(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

/// How long a word is that starts here (`isIdent`).
fn word(text: &str) -> Result<usize, String> {
    for (at, c) in text.char_indices() {
        if text[at..].starts_with("/*") {
            return Err("mod files must use // comments (not /* */ comments)".to_owned());
        }
        let ends = matches!(c, ' ' | '(' | ')' | '[' | ']' | '{' | '}' | ',')
            || c.is_whitespace()
            || is_invisible(c)
            || text[at..].starts_with("//");
        if ends && at == 0 {
            return Err(format!("unexpected input character {c:?}"));
        }
        if ends {
            return Ok(at);
        }
    }
    Ok(text.len())
}

/// What Go's `unicode.IsPrint` rejects, except white space: control and format characters and
/// those for private use, among them the byte order mark.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
            | '\u{f0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Vec<String>, usize)> {
        let all = statements(text, &["require"]).all;
        all.into_iter().map(|s| (s.verb, s.words, s.line)).collect()
    }

    fn one(verb: &str, words: &[&str], line: usize) -> (String, Vec<String>, usize) {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        (verb.to_owned(), words, line)
    }

    #[test]
    fn lines_and_blocks_are_the_same() {
        let text = "// top\r\nmodule \"a b\" // why\r\n\r\nrequire (\r\n\tx v1 // indirect\r\n\t// alone\r\n\ty v2\r\n)\r\nrequire ()\r\nretract [v1,v2]//end";
        assert_eq!(
            read(text),
            [
                one("module", &["\"a b\""], 2),
                one("require", &["x", "v1"], 5),
                one("require", &["y", "v2"], 7),
                one("retract", &["[", "v1", ",", "v2", "]"], 10),
            ]
        );
        let all = statements(text, &["require"]).all;
        assert_eq!(all[1].comment.as_deref(), Some("indirect"));
    }

    #[test]
    fn a_line_that_go_cannot_read_costs_that_line_only() {
        let read = statements(
            "module a\n\"open\n/* no */\nnew (\n x\n)\nrequire (\nx v1\n) y\nrequire (\nz v1",
            &["require"],
        );
        let verbs: Vec<_> = read.all.iter().map(|s| s.words.join(" ")).collect();
        assert_eq!(verbs, ["a", "x v1", "z v1"]);
        let faults: Vec<_> = read.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 2: unexpected newline in string",
                "line 3: mod files must use // comments (not /* */ comments)",
                "line 9: syntax error (expected newline after closing paren)",
                "line 10: syntax error (unterminated block)",
            ]
        );
        assert_eq!(
            read.unknown,
            [At {
                value: "new".to_owned(),
                line: 4
            }]
        );
    }
}
