//! What go.mod and go.work have in common: strings, versions, `go`, `toolchain`, `replace`
//! (`golang.org/x/mod/modfile/rule.go`).

use super::semver;
use super::semver::ModuleVersion;
use super::statement::At;
use super::statement::Statement;

/// `replace OLD [VERSION] => NEW [VERSION]`. One that go refuses is here too, with why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replace {
    /// What is replaced; the version is empty where all of them are.
    pub old: ModuleVersion,
    /// By what: a module and its version, or a folder (as written) and no version.
    pub new: ModuleVersion,
    /// The line's number, from 1.
    pub line: usize,
    /// Why go refuses it, in go's words. Then `old` and `new` are only what was to be made out.
    pub error: Option<String>,
}

impl Replace {
    /// Is it by a folder on this machine?
    pub fn is_local(&self) -> bool {
        is_directory(&self.new.path)
    }
}

/// Is this a folder and no module path (`modfile.IsDirectoryPath`)? Windows' spellings count
/// on every system.
pub fn is_directory(path: &str) -> bool {
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let dots = [".", ".."].iter().any(|dots| {
        let rest = path.strip_prefix(dots);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
    });
    dots || drive || path.starts_with(['/', '\\'])
}

/// The one word of `verb WORD`, `usage` being go's complaint otherwise.
pub(super) fn only(statement: &Statement, usage: &str) -> Result<String, String> {
    match statement.words.as_slice() {
        [word] => unquote(word),
        _ => Err(usage.to_owned()),
    }
}

/// `go VERSION`.
pub(super) fn go(statement: &Statement) -> Result<String, String> {
    let [version] = statement.words.as_slice() else {
        return Err("go directive expects exactly one argument".to_owned());
    };
    if super::go_version::is_directive(version) {
        return Ok(version.clone());
    }
    Err(format!(
        "invalid go version '{version}': must match format 1.23.0"
    ))
}

/// `go VERSION` of a dependency, where go takes what begins with a version
/// (`modfile.laxGoVersionRE`): `v1.15`, `1.15.x`.
pub(super) fn lax_go(statement: &Statement) -> Result<(), String> {
    let strict = match go(statement) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let [version] = statement.words.as_slice() else {
        return Err(strict);
    };
    let version = version.strip_prefix('v').unwrap_or(version);
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (major, rest) = version.split_at(digits(version));
    let minor = rest.strip_prefix('.').unwrap_or_default();
    let number = &minor[..digits(minor)];
    let fits = !major.is_empty()
        && !major.starts_with('0')
        && !number.is_empty()
        && (number == "0" || !number.starts_with('0'))
        && minor.len() > number.len();
    if fits { Ok(()) } else { Err(strict) }
}

/// A directive that older go commands refuse in a main module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newcomer {
    /// The line's number, from 1.
    pub line: usize,
    /// `toolchain`, `tool` …
    pub verb: &'static str,
    /// The first go that takes it: `1.21`.
    pub since: &'static str,
}

/// Those that go.mod and go.work have in common.
pub(super) fn newcomers(
    go: Option<&At<String>>,
    toolchain: Option<&At<String>>,
    godebug: &[At<(String, String)>],
) -> Vec<Newcomer> {
    let mut all = Vec::new();
    // `go 1.21.0`, `go 1.21rc1`: before 1.21 a version had two numbers.
    let long = go.filter(|go| {
        go.value.matches('.').count() > 1 || go.value.contains(|c: char| c.is_ascii_lowercase())
    });
    for (line, verb, since) in [(long, "go", "1.21"), (toolchain, "toolchain", "1.21")]
        .into_iter()
        .filter_map(|(at, verb, since)| Some((at?.line, verb, since)))
        .chain(godebug.iter().map(|at| (at.line, "godebug", "1.23")))
    {
        all.push(Newcomer { line, verb, since });
    }
    all
}

/// `toolchain NAME`.
pub(super) fn toolchain(statement: &Statement) -> Result<String, String> {
    let [name] = statement.words.as_slice() else {
        return Err("toolchain directive expects exactly one argument".to_owned());
    };
    let known = name
        .strip_prefix("go1")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if known || name == "default" {
        return Ok(name.clone());
    }
    Err(format!(
        "invalid toolchain version '{name}': must match format go1.23.0 or default"
    ))
}

/// `godebug KEY=VALUE`.
pub(super) fn godebug(statement: &Statement) -> Result<(String, String), String> {
    let usage = || "usage: godebug key=value".to_owned();
    let [word] = statement.words.as_slice() else {
        return Err(usage());
    };
    if word.contains(['"', '`', ',']) {
        return Err(usage());
    }
    let (key, value) = word.split_once('=').ok_or_else(usage)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `require` and `exclude`: a module and its version, and why go refuses it.
pub(super) fn module_version(statement: &Statement) -> (ModuleVersion, Option<String>) {
    let verb = &statement.verb;
    let raw = |at: usize| statement.words.get(at).map_or("", |word| word.as_str());
    let kept = ModuleVersion::new(raw(0), raw(1));
    let [path, version] = statement.words.as_slice() else {
        return (kept, Some(format!("usage: {verb} module/path v1.2.3")));
    };
    let path = match unquote(path) {
        Ok(path) => path,
        Err(error) => return (kept, Some(error)),
    };
    let (version, error) = versioned(verb, &path, version);
    (ModuleVersion { path, version }, error)
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
    // In `file:///srv/x` a comment begins at `//`. Whoever explains the line wants all of it.
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
        let (version, error) = versioned("replace", &out.old.path, &words[1]);
        out.old.version = version;
        error.map_or(Ok(()), Err)?;
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
    let (version, error) = canonical("replace", &new, version);
    out.new.version = version;
    error.map_or(Ok(()), Err)?;
    if is_directory(&new) {
        return Err(format!(
            "replacement module directory path {new:?} cannot have version"
        ));
    }
    Ok(())
}

/// A version that must fit its path's `/vN`.
fn versioned(verb: &str, path: &str, word: &str) -> (String, Option<String>) {
    let (version, error) = canonical(verb, path, word);
    if error.is_some() {
        return (version, error);
    }
    let Some(major) = path_major(path) else {
        return (version, Some("invalid module path".to_owned()));
    };
    let error = misfit(&version, major);
    (version, error.map(|why| format!("{verb} {path}: {why}")))
}

/// `modfile.parseVersion` with no fixer: `v1.2` becomes `v1.2.0`.
fn canonical(verb: &str, path: &str, word: &str) -> (String, Option<String>) {
    let bad = |why: &str| format!("{verb} {path}: version {word:?} invalid: {why}");
    match unquote(word) {
        Err(error) => (word.to_owned(), Some(bad(&error))),
        Ok(version) => match semver::canonical(&version) {
            Some(version) => (version, None),
            None => (version, Some(bad("must be of the form v1.2.3"))),
        },
    }
}

/// The `/v2` or `.v2` at the end of a path, or nothing; `None` where go refuses the path
/// (`module.SplitPathVersion`).
fn path_major(path: &str) -> Option<&str> {
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
fn misfit(version: &str, path_major: &str) -> Option<String> {
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

/// The escapes of `strconv.Unquote`.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '"' {
            return None;
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let (radix, first, digits) = match rest.next()? {
            'a' => (0, '\u{7}', 0),
            'b' => (0, '\u{8}', 0),
            'f' => (0, '\u{c}', 0),
            'n' => (0, '\n', 0),
            'r' => (0, '\r', 0),
            't' => (0, '\t', 0),
            'v' => (0, '\u{b}', 0),
            c @ ('\\' | '"') => (0, c, 0),
            'x' => (16, '0', 2),
            'u' => (16, '0', 4),
            'U' => (16, '0', 8),
            c @ '0'..='7' => (8, c, 2),
            _ => return None,
        };
        if radix == 0 {
            out.push(first);
            continue;
        }
        let mut code = first.to_digit(radix)?;
        for _ in 0..digits {
            code = code
                .checked_mul(radix)?
                .checked_add(rest.next()?.to_digit(radix)?)?;
        }
        // A single byte above ASCII would be half a character, which no module path holds.
        let single = digits == 2;
        out.push(char::from_u32(code).filter(|c| !single || c.is_ascii())?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
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
                versioned("require", path, version).1.is_none(),
                fits,
                "{path} {version}"
            );
        }
        assert_eq!(versioned("require", "a", "v1.2").0, "v1.2.0");
        assert_eq!(
            versioned("require", "a", "master").1.as_deref(),
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
