//! The grammar that go.mod and go.work share: words, strings, `//` comments, blocks
//! (`golang.org/x/mod/modfile/read.go`). No token crosses the end of a line, so a line that go
//! cannot read affects that line only.
//!
//! Also the parts that go.mod and go.work share: strings, versions, `go`, `toolchain`, `replace`
//! (`golang.org/x/mod/modfile/rule.go`).

use super::semver::{self, ModuleVersion};

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    /// The value as written.
    pub value: T,
    /// Its line's number, from 1.
    pub line: usize,
}

/// A reason why go refuses a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Fault {
    /// The line's number, from 1.
    pub line: usize,
    /// The reason, in go's words.
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

/// Reports whether the line is a conflict marker of git.
pub fn is_conflict_marker(line: &str) -> bool {
    let marks = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"];
    marks.iter().any(|mark| line.starts_with(mark))
}

/// One directive: a separate line, or a line of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// `require`, `go` …
    pub(super) verb: String,
    /// The words after it, as written (quotes included).
    pub(super) words: Vec<String>,
    /// The line's number, from 1.
    pub(super) line: usize,
    /// The comment after it, without `//`.
    pub(super) comment: Option<String>,
}

/// A parsed file.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// The directives, in their order.
    pub(super) all: Vec<Statement>,
    /// Blocks whose name is not in `blocks`; `ParseLax` ignores them.
    pub(super) unknown: Vec<At<String>>,
    /// Lines that do not follow the grammar.
    pub(super) faults: Vec<Fault>,
}

/// Splits a file into directives; `blocks` are the directives that may be written as a block.
pub(super) fn statements(text: &str, blocks: &[&str]) -> Statements {
    let mut out = Statements::default();
    // The block that contains the present line: its name, and the line where it began.
    let mut block: Option<(String, usize)> = None;
    for (number, text) in text.split('\n').enumerate() {
        let line = number + 1;
        let (mut words, comment) = match tokens(text) {
            Ok(read) => read,
            Err(message) => {
                out.faults.push(Fault::new(line, message));
                continue;
            }
        };
        let verb = match (&block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [close, more @ ..]) if close == ")" => {
                if !more.is_empty() {
                    let message = "syntax error (expected newline after closing paren)";
                    out.faults.push(Fault::new(line, message));
                }
                block = None;
                continue;
            }
            (Some((name, _)), _) if !blocks.contains(&name.as_str()) => continue,
            (Some((name, _)), _) => name.clone(),
            (None, [name @ .., open]) if !name.is_empty() && open == "(" => {
                let value = name.join(" ");
                if !blocks.contains(&value.as_str()) {
                    out.unknown.push(At {
                        value: value.clone(),
                        line,
                    });
                }
                block = Some((value, line));
                continue;
            }
            (None, [_, .., open, close]) if open == "(" && close == ")" => continue,
            (None, _) => words.remove(0),
        };
        out.all.push(Statement {
            verb,
            words,
            line,
            comment,
        });
    }
    if let Some((_, line)) = block {
        out.faults
            .push(Fault::new(line, "syntax error (unterminated block)"));
    }
    out
}

/// Returns the words of one line, and the comment after them.
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

/// Returns the length of a string that starts here, with its quotes.
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

/// Returns the length of a word that starts here (`isIdent`).
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

/// Reports characters that Go's `unicode.IsPrint` rejects, except white space: control and format
/// characters and those for private use, among them the byte order mark.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}'
            | '\u{f0000}'..='\u{10ffff}')
}

/// `replace OLD [VERSION] => NEW [VERSION]`. A line that go refuses is included, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// The replaced module; the version is empty if all versions are replaced.
    pub old: ModuleVersion,
    /// The replacement: a module and its version, or a directory (as written) and no version.
    pub new: ModuleVersion,
    /// The line's number, from 1.
    pub line: usize,
    /// Why go refuses it, in go's words. Then `old` and `new` hold only what could be parsed.
    pub error: Option<String>,
}

impl Replace {
    /// Reports whether the replacement is a directory on this machine.
    pub fn is_local(&self) -> bool {
        is_directory(&self.new.path)
    }
}

/// Reports whether this is a directory and not a module path (`modfile.IsDirectoryPath`). Windows'
/// spellings count on every system.
pub fn is_directory(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let dots = [".", ".."].iter().any(|dots| {
        let rest = path.strip_prefix(dots);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
    });
    dots || drive || path.starts_with(['/', '\\'])
}

/// Returns the one word of `verb WORD` as written; otherwise fails with go's complaint, `usage`.
fn one<'a>(statement: &'a Statement, usage: &str) -> Result<&'a str, String> {
    match statement.words.as_slice() {
        [word] => Ok(word),
        _ => Err(usage.to_owned()),
    }
}

/// Does the same, without the word's quotes.
pub(super) fn only(statement: &Statement, usage: &str) -> Result<String, String> {
    unquote(one(statement, usage)?)
}

/// Parses `go VERSION`.
pub(super) fn go(statement: &Statement) -> Result<String, String> {
    let version = one(statement, "go directive expects exactly one argument")?;
    if super::go_version::is_directive(version) {
        return Ok(version.to_owned());
    }
    Err(format!(
        "invalid go version '{version}': must match format 1.23.0"
    ))
}

/// Checks `go VERSION` of a dependency.
pub(super) fn lax_go(statement: &Statement) -> Result<(), String> {
    match statement.words.as_slice() {
        [version] if super::go_version::is_lax_directive(version) => Ok(()),
        _ => go(statement).map(|_| ()),
    }
}

/// Parses `toolchain NAME`.
pub(super) fn toolchain(statement: &Statement) -> Result<String, String> {
    let name = one(
        statement,
        "toolchain directive expects exactly one argument",
    )?;
    let rest = name.strip_prefix("go1");
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) || name == "default" {
        return Ok(name.to_owned());
    }
    Err(format!(
        "invalid toolchain version '{name}': must match format go1.23.0 or default"
    ))
}

/// Parses `godebug KEY=VALUE`.
pub(super) fn godebug(statement: &Statement) -> Result<(String, String), String> {
    let usage = "usage: godebug key=value";
    let word = one(statement, usage)?;
    let pair = word
        .split_once('=')
        .filter(|_| !word.contains(['"', '`', ',']));
    let (key, value) = pair.ok_or(usage)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Parses `require` and `exclude`.
pub(super) fn module_version(statement: &Statement) -> Result<ModuleVersion, String> {
    let verb = &statement.verb;
    let [path, version] = statement.words.as_slice() else {
        return Err(format!("usage: {verb} module/path v1.2.3"));
    };
    let path = unquote(path)?;
    let version = versioned(verb, &path, version)?;
    Ok(ModuleVersion { path, version })
}

/// `parseReplace`.
pub(super) fn replace(statement: &Statement) -> Replace {
    let words = &statement.words;
    let arrow = words
        .iter()
        .position(|word| word == "=>")
        .unwrap_or(words.len());
    let word = |at: usize| words.get(at).map_or("", |word| word.as_str());
    let loose = |at: usize| unquote(word(at)).unwrap_or_else(|_| word(at).to_owned());
    let mut out = Replace {
        old: ModuleVersion::new(loose(0), if arrow == 2 { word(1) } else { "" }),
        new: ModuleVersion::new(loose(arrow + 1), word(arrow + 2)),
        line: statement.line,
        error: None,
    };
    out.error = checked(&mut out, words, arrow).err();
    // In `file:///srv/x` a comment begins at `//`. A message about the line needs all of the text.
    if let (true, Some(cut)) = (out.new.path.ends_with(':'), &statement.comment) {
        let rest = cut.split_whitespace().next().unwrap_or_default();
        out.new.path.push_str("//");
        out.new.path.push_str(rest);
    }
    out
}

fn checked(out: &mut Replace, words: &[String], arrow: usize) -> Result<(), String> {
    if !(1..=2).contains(&arrow) || !(arrow + 2..=arrow + 3).contains(&words.len()) {
        return Err("usage: replace module/path [v1.2.3] => other/module v1.4 or replace module/path [v1.2.3] => ../local/directory".to_owned());
    }
    unquote(&words[0])?;
    if path_major(&out.old.path).is_none() {
        return Err(format!("replace {}: invalid module path", out.old.path));
    }
    if arrow == 2 {
        out.old.version = versioned("replace", &out.old.path, &words[1])?;
    }
    unquote(&words[arrow + 1])?;
    let new = out.new.path.clone();
    let Some(version) = words.get(arrow + 2) else {
        if !is_directory(&new) {
            return Err(if new.contains('@') {
                "replacement module must match format 'path version', not 'path@version'"
            } else {
                "replacement module without version must be directory path (rooted or starting with . or ..)"
            }
            .to_owned());
        }
        return Ok(());
    };
    out.new.version = canonical("replace", &new, version)?;
    if is_directory(&new) {
        return Err(format!(
            "replacement module directory path {new:?} cannot have version"
        ));
    }
    Ok(())
}

/// Parses a version that must match its path's `/vN`.
fn versioned(verb: &str, path: &str, word: &str) -> Result<String, String> {
    let version = canonical(verb, path, word)?;
    let major = path_major(path).ok_or("invalid module path")?;
    match misfit(&version, major) {
        Some(why) => Err(format!("{verb} {path}: {why}")),
        None => Ok(version),
    }
}

/// `modfile.parseVersion` without a fixer: `v1.2` becomes `v1.2.0`.
fn canonical(verb: &str, path: &str, word: &str) -> Result<String, String> {
    let version = unquote(word).and_then(|version| {
        let canonical = semver::canonical(&version);
        canonical.ok_or_else(|| "must be of the form v1.2.3".to_owned())
    });
    version.map_err(|why| format!("{verb} {path}: version {word:?} invalid: {why}"))
}

/// Returns the `/v2` or `.v2` at the end of a path, or nothing; `None` if go refuses the path
/// (`module.SplitPathVersion`).
pub(super) fn path_major(path: &str) -> Option<&str> {
    if path.starts_with("gopkg.in/") {
        let short = path.strip_suffix("-unstable").unwrap_or(path);
        let stem = short.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &short[stem.len()..];
        let fits = stem.ends_with(".v") && (!number.starts_with('0') || number == "0");
        return (fits && !number.is_empty()).then(|| &path[stem.len() - 2..]);
    }
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &path[stem.len()..];
    if number.is_empty() || !stem.ends_with("/v") {
        return Some("");
    }
    let refused = number.contains('.') || number.starts_with('0') || number == "1";
    (!refused).then(|| &path[stem.len() - 2..])
}

/// `module.CheckPathMajor`.
pub(super) fn misfit(version: &str, path_major: &str) -> Option<String> {
    let wanted = path_major.strip_suffix("-unstable").unwrap_or(path_major);
    if wanted == ".v1" && version.starts_with("v0.0.0-") {
        return None;
    }
    let major = version.split('.').next().unwrap_or_default();
    let wanted = match wanted.get(1..) {
        None if matches!(major, "v0" | "v1") || version.ends_with("+incompatible") => return None,
        None => "v0 or v1",
        Some(wanted) if wanted == major => return None,
        Some(wanted) => wanted,
    };
    Some(format!(
        "version {version:?} invalid: should be {wanted}, not {major}"
    ))
}

/// `modfile.parseString`: a bare word, or one in double quotes.
pub(super) fn unquote(word: &str) -> Result<String, String> {
    if !word.starts_with('"') {
        if word.contains(['"', '\'', '`']) {
            return Err("invalid quoted string: unquoted string cannot contain quote".to_owned());
        }
        return Ok(word.to_owned());
    }
    word.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(unescape)
        .ok_or_else(|| "invalid quoted string: invalid syntax".to_owned())
}

/// Resolves the escapes of `strconv.Unquote`.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        out.push(match c {
            '"' => return None,
            '\\' => match rest.next()? {
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                c @ ('\\' | '"') => c,
                'x' => code(&mut rest, 0, 16, 2)?,
                'u' => code(&mut rest, 0, 16, 4)?,
                'U' => code(&mut rest, 0, 16, 8)?,
                c @ '0'..='7' => code(&mut rest, c.to_digit(8)?, 8, 2)?,
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// Parses a character that is written as a number; `first` is its first digit, `digits` the number
/// of further digits.
fn code(rest: &mut std::str::Chars<'_>, first: u32, radix: u32, digits: u32) -> Option<char> {
    let mut digit = |code: u32, _| {
        let digit = rest.next()?.to_digit(radix)?;
        code.checked_mul(radix)?.checked_add(digit)
    };
    let code = (0..digits).try_fold(first, &mut digit)?;
    // A single byte above ASCII would be an incomplete character; no module path holds one.
    char::from_u32(code).filter(|c| digits > 2 || c.is_ascii())
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

#[cfg(test)]
mod directive_tests {
    use super::*;

    #[test]
    fn folders_are_told_from_modules_in_every_system_s_spelling() {
        for path in [
            ".", "..", "./x", "../x", ".\\x", "/x", "\\x", "C:\\x", "c:x", "..\\x",
        ] {
            assert!(is_directory(path), "{path}");
        }
        for path in ["", ".x", "..x", "example.com/x", "file:///x", "x/../y"] {
            assert!(!is_directory(path), "{path}");
        }
    }

    #[test]
    fn a_version_fits_its_path() {
        for (path, version, fits) in [
            ("a.test/b", "v1.0.0", true),
            ("a.test/b", "v2.0.0", false),
            ("a.test/b", "v2.0.0+incompatible", true),
            ("a.test/b/v2", "v2.1.0", true),
            ("a.test/b/v2", "v3.1.0", false),
            ("a.test/b/v1", "v1.0.0", false),
            ("a.test/b/v1.2", "v1.0.0", false),
            ("gopkg.in/yaml.v2", "v2.2.1", true),
            ("gopkg.in/yaml.v3", "v2.2.1", false),
            (
                "gopkg.in/check.v1",
                "v0.0.0-20161208181325-20d25e280405",
                true,
            ),
            ("gopkg.in/x.v2-unstable", "v2.0.0", true),
            ("gopkg.in/x", "v1.0.0", false),
            ("v2", "v1.0.0", true),
        ] {
            assert_eq!(
                versioned("require", path, version).is_ok(),
                fits,
                "{path} {version}"
            );
        }
        assert_eq!(versioned("require", "a", "v1.2").unwrap(), "v1.2.0");
        assert_eq!(
            versioned("require", "a", "master").err().as_deref(),
            Some("require a: version \"master\" invalid: must be of the form v1.2.3")
        );
    }

    #[test]
    fn strings_are_unquoted_as_go_does() {
        for (word, value) in [
            ("a", Some("a")),
            ("\"a b\"", Some("a b")),
            (r#""\x41\102\u00e9\t""#, Some("AB\u{e9}\t")),
            ("`a`", None),
            ("'a'", None),
            (r#""\q""#, None),
            (r#""\U00110000""#, None),
            (r#""\xff""#, None),
            (r#"""#, None),
        ] {
            assert_eq!(unquote(word).ok().as_deref(), value, "{word}");
        }
    }
}
