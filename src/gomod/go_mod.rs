//! go.mod (`golang.org/x/mod/modfile`), read as tolerantly as `ParseLax` and more: parts that go
//! refuses are kept too, with their line and go's reason.

use super::directive::{self, At, Fault, Replace, Statement, is_conflict_marker, statements};
use super::semver::ModuleVersion;

/// `gover.DefaultGoModVersion`: the version of a go.mod without a `go` line.
const DEFAULT_GO: &str = "1.16";
/// `gover.DefaultGoWorkVersion`: the version of a go.work without a `go` line.
const DEFAULT_WORK: &str = "1.18";

/// The directives that may be written as a block, and those that may not.
pub(super) type Directives = (&'static [&'static str], &'static [&'static str]);
const DIRECTIVES: Directives = (
    &[
        "module", "godebug", "require", "exclude", "replace", "retract", "tool", "ignore",
    ],
    &["go", "toolchain"],
);

/// A go.mod, or a go.work: that has `use` and some of the same directives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoMod {
    /// `module PATH`.
    pub module: Option<At<String>>,
    /// `go 1.21`.
    pub go: Option<At<String>>,
    /// `toolchain go1.21.3`, or `default`.
    pub toolchain: Option<At<String>>,
    /// `godebug KEY=VALUE`.
    pub godebug: Vec<At<(String, String)>>,
    /// `require`. A branch or a commit instead of a version is a fault: the next go command that may
    /// write go.mod resolves it, and go refuses it until then.
    pub require: Vec<Require>,
    /// `exclude`.
    pub exclude: Vec<At<ModuleVersion>>,
    /// `replace`; those that go refuses have an error.
    pub replace: Vec<Replace>,
    /// `retract`.
    pub retract: Vec<At<Retract>>,
    /// `tool PACKAGE`.
    pub tool: Vec<At<String>>,
    /// `ignore DIRECTORY`.
    pub ignore: Vec<At<String>>,
    /// `use DIRECTORY`, as written: with `/` on every system, relative to go.work or absolute.
    pub r#use: Vec<At<String>>,
    /// Whether it is a go.work.
    pub is_work: bool,
    /// Directives that no supported go knows. Go refuses them in a main module and ignores them in
    /// a dependency.
    pub unknown: Vec<At<String>>,
    /// Everything in it that go refuses, in the order of the lines.
    pub faults: Vec<Fault>,
}

/// `require PATH VERSION [// indirect]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// The required module.
    pub module: ModuleVersion,
    /// Whether its comment says `// indirect`.
    pub indirect: bool,
    /// The line's number, from 1.
    pub line: usize,
}

/// Versions that their author withdrew: from `low` to `high`, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retract {
    /// The lowest version.
    pub low: String,
    /// The highest version.
    pub high: String,
}

/// A directive that older go commands refuse in a main module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newcomer {
    /// The line's number, from 1.
    pub line: usize,
    /// `toolchain`, `tool` …
    pub verb: &'static str,
    /// The first go that accepts it: `1.21`.
    pub since: &'static str,
}

impl GoMod {
    /// Returns the go version that it requires, or else the default.
    pub fn go_version(&self) -> &str {
        let default = if self.is_work {
            DEFAULT_WORK
        } else {
            DEFAULT_GO
        };
        self.go.as_ref().map_or(default, |go| &go.value)
    }

    /// Returns the replacement that go uses for this version: a line for this version has priority
    /// over a line for all versions.
    pub fn replacement(&self, module: &ModuleVersion) -> Option<&Replace> {
        let of = |version: &str| {
            // Of several equal lines the last one counts (`modload.toReplaceMap`).
            self.replace.iter().rev().find(|replace| {
                replace.error.is_none()
                    && replace.old.path == module.path
                    && replace.old.version == version
            })
        };
        of(&module.version).or_else(|| of(""))
    }

    /// Returns the reasons why every go refuses it, in the order of the lines: the faults, and git's
    /// conflict markers among the unknown directives. The other unknown directives may belong to a
    /// newer go.
    pub fn refusals(&self) -> Vec<Fault> {
        let mut all = self.faults.clone();
        let markers = self.unknown.iter();
        let markers = markers.filter(|verb| is_conflict_marker(&verb.value));
        all.extend(
            markers.map(|verb| Fault::new(verb.line, format!("unknown directive: {}", verb.value))),
        );
        all.sort_by_key(|fault| fault.line);
        all
    }

    /// Returns what older go commands refuse in it: line, directive, and the first go that accepts
    /// it.
    pub fn newcomers(&self) -> Vec<Newcomer> {
        fn since<'a, T: 'a>(
            lines: impl IntoIterator<Item = &'a At<T>>,
            verb: &'static str,
            since: &'static str,
        ) -> impl Iterator<Item = Newcomer> {
            let lines = lines.into_iter().map(|at| at.line);
            lines.map(move |line| Newcomer { line, verb, since })
        }
        // `go 1.21.0`, `go 1.21rc1`: before 1.21 a version had two numbers.
        let long = self.go.as_ref().filter(|go| {
            go.value.matches('.').count() > 1 || go.value.contains(|c: char| c.is_ascii_lowercase())
        });
        let mut all: Vec<Newcomer> = since(long, "go", "1.21").collect();
        all.extend(since(&self.toolchain, "toolchain", "1.21"));
        all.extend(since(&self.godebug, "godebug", "1.23"));
        all.extend(since(&self.tool, "tool", "1.24"));
        all.extend(since(&self.ignore, "ignore", "1.25"));
        all.extend(since(&self.retract, "retract", "1.16"));
        all.sort_by_key(|one| one.line);
        all
    }
}

/// Reads a go.mod. Never fails: see [`GoMod::faults`].
pub fn parse(text: &str) -> GoMod {
    parse_as(text, DIRECTIVES)
}

/// Reads a file that may have these directives.
pub(super) fn parse_as(text: &str, (blocks, lines): Directives) -> GoMod {
    let read = statements(text, blocks);
    let mut out = GoMod {
        unknown: read.unknown,
        faults: read.faults,
        ..GoMod::default()
    };
    for statement in &read.all {
        let verb = statement.verb.as_str();
        if !blocks.contains(&verb) && !lines.contains(&verb) {
            let (value, line) = (verb.to_owned(), statement.line);
            out.unknown.push(At { value, line });
        } else if let Err(message) = add(&mut out, statement) {
            out.faults.push(Fault::new(statement.line, message));
        }
    }
    out.faults.sort_by_key(|fault| fault.line);
    out
}

fn add(out: &mut GoMod, statement: &Statement) -> Result<(), String> {
    let line = statement.line;
    match statement.verb.as_str() {
        "module" => once(&mut out.module, statement, |statement| {
            directive::only(statement, "usage: module module/path")
        }),
        "go" => once(&mut out.go, statement, directive::go),
        "toolchain" => once(&mut out.toolchain, statement, directive::toolchain),
        "godebug" => push(&mut out.godebug, line, directive::godebug(statement)),
        "require" => {
            out.require.push(Require {
                module: directive::module_version(statement)?,
                indirect: is_indirect(statement.comment.as_deref()),
                line,
            });
            Ok(())
        }
        "exclude" => {
            let excluded = directive::module_version(statement);
            push(&mut out.exclude, line, excluded)
        }
        "replace" => {
            let replace = directive::replace(statement);
            let error = replace.error.clone();
            out.replace.push(replace);
            error.map_or(Ok(()), Err)
        }
        "retract" => push(&mut out.retract, line, retract(&statement.words)),
        "tool" => {
            let usage = "tool directive expects exactly one argument";
            push(&mut out.tool, line, directive::only(statement, usage))
        }
        "ignore" => push(&mut out.ignore, line, directive::only(statement, IGNORE)),
        _ => {
            let folder = directive::only(statement, "usage: use local/dir");
            push(&mut out.r#use, line, folder)
        }
    }
}

/// go's complaint about `ignore`.
const IGNORE: &str = "ignore directive expects exactly one argument";

/// Returns the path that the go.mod of a dependency names, as go reads it (`modfile.ParseLax`,
/// `modload.goModSummary`): directives that only a main module may have are ignored, and so are
/// unknown ones.
///
/// # Errors
/// Why go refuses it: the first fault, or that it names no module.
pub fn dependency(bytes: &[u8]) -> Result<String, Fault> {
    // go reads bytes that are not UTF-8 as letters.
    let read = statements(&String::from_utf8_lossy(bytes), DIRECTIVES.0);
    if let Some(fault) = read.faults.into_iter().next() {
        return Err(fault);
    }
    let (mut module, mut go) = (None, false);
    for statement in &read.all {
        let failed = |message: String| Fault::new(statement.line, message);
        let repeated = || failed(format!("repeated {} statement", statement.verb));
        match statement.verb.as_str() {
            "module" if module.is_some() => return Err(repeated()),
            "module" => {
                let path = directive::only(statement, "usage: module module/path");
                module = Some(path.map_err(failed)?);
            }
            "go" if go => return Err(repeated()),
            "go" => {
                directive::lax_go(statement).map_err(failed)?;
                go = true;
            }
            "require" => {
                directive::module_version(statement).map_err(failed)?;
            }
            "ignore" => {
                directive::only(statement, IGNORE).map_err(failed)?;
            }
            _ => {}
        }
    }
    module
        .filter(|path| !path.is_empty())
        .ok_or_else(|| Fault::new(1, NO_MODULE))
}

/// go's words for a go.mod that names no module.
pub const NO_MODULE: &str = "missing module line";

/// Sets a directive that may occur only once.
fn once(
    place: &mut Option<At<String>>,
    statement: &Statement,
    read: impl Fn(&Statement) -> Result<String, String>,
) -> Result<(), String> {
    if place.is_some() {
        return Err(format!("repeated {} statement", statement.verb));
    }
    *place = Some(At {
        value: read(statement)?,
        line: statement.line,
    });
    Ok(())
}

/// Adds a directive that may occur several times.
fn push<T>(list: &mut Vec<At<T>>, line: usize, value: Result<T, String>) -> Result<(), String> {
    let value = value?;
    list.push(At { value, line });
    Ok(())
}

/// `modfile.isIndirect`: the word alone, or followed by `;` and more.
fn is_indirect(comment: Option<&str>) -> bool {
    let mut words = comment.unwrap_or_default().split_whitespace();
    matches!(
        (words.next(), words.next()),
        (Some("indirect"), None) | (Some("indirect;"), Some(_))
    )
}

/// `modfile.parseVersionInterval`: `v1.0.0` or `[v1.0.0, v1.2.0]`.
fn retract(words: &[String]) -> Result<Retract, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (low, high) = match words.as_slice() {
        ["[", low, ",", high, "]"] => (*low, *high),
        [one] if !matches!(*one, "[" | "(") => (*one, *one),
        _ => return Err("expected a version or [low, high] after retract".to_owned()),
    };
    let version = |word: &str| {
        let word = directive::unquote(word)?;
        super::semver::canonical(&word)
            .ok_or_else(|| format!("retract: version {word:?} invalid: must be of the form v1.2.3"))
    };
    Ok(Retract {
        low: version(low)?,
        high: version(high)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_directive_is_read() {
        let read = parse(
            "module a.test/m // Deprecated: no\n\ngo 1.24rc1\ntoolchain go1.24.1\n\
             godebug default=go1.21\nrequire (\n\ta.test/b v1.2\n\ta.test/c/v2 v2.0.0 // indirect\n\
             \t\"a.test/d\" v1.0.0 // indirect; why\n)\nexclude a.test/e v1.0.0\n\
             replace a.test/b => ../b\nreplace a.test/c/v2 v2.0.0 => x.test/c/v2 v2.0.1\n\
             retract [v1.0.0, v1.0.5] // bad\nretract v1.1.0\ntool a.test/b/cmd\nignore ./web\nfuture x\n",
        );
        assert_eq!(read.faults, []);
        assert_eq!(read.module.as_ref().unwrap().value, "a.test/m");
        assert_eq!(
            (read.go_version(), read.go.as_ref().unwrap().line),
            ("1.24rc1", 3)
        );
        let required: Vec<_> = read
            .require
            .iter()
            .map(|one| (one.module.to_string(), one.indirect, one.line))
            .collect();
        assert_eq!(
            required,
            [
                ("a.test/b@v1.2.0".to_owned(), false, 7),
                ("a.test/c/v2@v2.0.0".to_owned(), true, 8),
                ("a.test/d@v1.0.0".to_owned(), true, 9),
            ]
        );
        assert!(read.replace[0].is_local() && !read.replace[1].is_local());
        let by = read.replacement(&ModuleVersion::new("a.test/c/v2", "v2.0.0"));
        assert_eq!(by.unwrap().new.to_string(), "x.test/c/v2@v2.0.1");
        assert!(
            read.replacement(&ModuleVersion::new("a.test/c/v2", "v2.0.9"))
                .is_none()
        );
        assert_eq!(read.retract[0].value.high, "v1.0.5");
        assert_eq!(
            read.unknown,
            [At {
                value: "future".to_owned(),
                line: 18
            }]
        );
        assert_eq!(parse("").go_version(), "1.16");
    }

    #[test]
    fn what_go_refuses_is_kept_with_its_line_and_reason() {
        let read = parse(
            "module m\nreplace a.test/b => file:///srv/b\nreplace a.test/c => /srv/c v1.0.0\n\
             replace a.test/d => x.test/d@v1.0.0\nrequire a.test/e master\ngo 1\nmodule n\nreplace x\n",
        );
        let kept: Vec<_> = read
            .replace
            .iter()
            .map(|one| (one.new.path.as_str(), one.line, one.error.is_some()))
            .collect();
        assert_eq!(
            kept,
            [
                ("file:///srv/b", 2, true),
                ("/srv/c", 3, true),
                ("x.test/d@v1.0.0", 4, true),
                ("", 8, true)
            ]
        );
        assert_eq!(read.require, []);
        let faults: Vec<_> = read.faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            faults,
            [
                "line 2: replacement module without version must be directory path (rooted or starting with . or ..)",
                "line 3: replacement module directory path \"/srv/c\" cannot have version",
                "line 4: replacement module must match format 'path version', not 'path@version'",
                "line 5: require a.test/e: version \"master\" invalid: must be of the form v1.2.3",
                "line 6: invalid go version '1': must match format 1.23.0",
                "line 7: repeated module statement",
                "line 8: usage: replace module/path [v1.2.3] => other/module v1.4 or replace module/path [v1.2.3] => ../local/directory",
            ]
        );
        assert!(
            read.replacement(&ModuleVersion::new("a.test/b", "v1.0.0"))
                .is_none()
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,200}") {
            parse(&text);
        }

        #[test]
        fn nothing_that_looks_like_one_makes_it_panic(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "module", "go", "require", "replace", "retract", "=>", "(", ")", "[", "]", ",",
                    "\n", " ", "v1.0.0", "v2", "a.test/b/v2", "gopkg.in/", "gopkg.in/x.v", "/v", ".v",
                    "\"", "\\", "`", "//", "/*", "é", "1.21", "go1", "../x", "C:", "\u{feff}", "-unstable",
                ]),
                0..40,
            )
        ) {
            parse(&words.concat());
        }
    }
}
