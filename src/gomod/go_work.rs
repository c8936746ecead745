//! go.work (`golang.org/x/mod/modfile/work.go`), read as tolerantly as go.mod.

use std::path::{Path, PathBuf};

use super::directive::{self, At, Fault, Newcomer, Replace, Statement, statements};
use super::go_mod::{once, push, replacement};
use super::semver::ModuleVersion;

/// `gover.DefaultGoWorkVersion`: the version of a go.work without a `go` line.
pub const DEFAULT_GO: &str = "1.18";

/// Finds the go.work that go uses in a directory (`modload.FindGoWork`): the one that GOWORK names,
/// else the nearest one in the directory or above it. `gowork` is the value of GOWORK, if it is
/// set.
pub fn find(
    gowork: Option<&str>,
    folder: &Path,
    is_file: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    match gowork {
        Some("off") => None,
        None | Some("" | "auto") => {
            let mut files = folder.ancestors().map(|folder| folder.join("go.work"));
            files.find(|file| is_file(file))
        }
        Some(path) => Some(PathBuf::from(path)),
    }
}

/// A go.work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoWork {
    /// `go 1.21`.
    pub go: Option<At<String>>,
    /// `toolchain go1.21.3`, or `default`.
    pub toolchain: Option<At<String>>,
    /// `godebug KEY=VALUE`.
    pub godebug: Vec<At<(String, String)>>,
    /// `use DIRECTORY`, as written: with `/` on every system, relative to go.work or absolute.
    pub r#use: Vec<At<String>>,
    /// `replace`; it has priority over those of the modules. Those that go refuses have an error.
    pub replace: Vec<Replace>,
    /// Directives that no supported go knows; go refuses them.
    pub unknown: Vec<At<String>>,
    /// Everything in it that go refuses, in the order of the lines.
    pub faults: Vec<Fault>,
}

impl GoWork {
    /// Returns the go version that the workspace requires; [`DEFAULT_GO`] if it does not say.
    pub fn go_version(&self) -> &str {
        self.go.as_ref().map_or(DEFAULT_GO, |go| &go.value)
    }

    /// Returns what older go commands refuse in it.
    pub fn newcomers(&self) -> Vec<Newcomer> {
        directive::newcomers(self.go.as_ref(), self.toolchain.as_ref(), &self.godebug)
    }

    /// Returns the replacement that go uses for this version: a line for this version has priority
    /// over a line for all versions.
    pub fn replacement(&self, module: &ModuleVersion) -> Option<&Replace> {
        replacement(&self.replace, module)
    }
}

/// Reads a go.work. Never fails: see [`GoWork::faults`].
pub fn parse(text: &str) -> GoWork {
    let read = statements(text, &["godebug", "use", "replace"]);
    let mut out = GoWork {
        unknown: read.unknown,
        faults: read.faults,
        ..GoWork::default()
    };
    for statement in &read.all {
        if let Err(message) = add(&mut out, statement) {
            out.faults.push(Fault::new(statement.line, message));
        }
    }
    out.faults.sort_by_key(|fault| fault.line);
    out
}

fn add(out: &mut GoWork, statement: &Statement) -> Result<(), String> {
    let line = statement.line;
    match statement.verb.as_str() {
        "go" => once(&mut out.go, statement, directive::go),
        "toolchain" => once(&mut out.toolchain, statement, directive::toolchain),
        "godebug" => push(&mut out.godebug, line, directive::godebug(statement)),
        "use" => {
            let folder = directive::only(statement, "usage: use local/dir");
            push(&mut out.r#use, line, folder)
        }
        "replace" => {
            let replace = directive::replace(statement);
            let error = replace.error.clone();
            out.replace.push(replace);
            error.map_or(Ok(()), Err)
        }
        verb => push(&mut out.unknown, line, Ok(verb.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_takes_the_go_work_that_gowork_names_or_the_nearest() {
        let there = [Path::new("/a/go.work"), Path::new("/a/b/c/go.work")];
        let find =
            |gowork, folder: &str| find(gowork, Path::new(folder), |file| there.contains(&file));
        for unset in [None, Some(""), Some("auto")] {
            assert_eq!(find(unset, "/a/b"), Some("/a/go.work".into()));
            assert_eq!(find(unset, "/a/b/c"), Some("/a/b/c/go.work".into()));
            assert_eq!(find(unset, "/b"), None);
        }
        assert_eq!(find(Some("off"), "/a"), None);
        assert_eq!(find(Some("/x/y.work"), "/a"), Some("/x/y.work".into()));
    }

    #[test]
    fn a_workspace_is_read() {
        let read = parse(
            "go 1.22\r\n\r\nuse (\r\n\t./a\r\n\t\"./b c\" // b\r\n)\r\nuse ../d\r\n\
             replace x.test/y => ./y\r\nreplace x.test/z => file:///z\r\nrequire x v1\r\n",
        );
        let used: Vec<_> = read
            .r#use
            .iter()
            .map(|one| (one.value.as_str(), one.line))
            .collect();
        assert_eq!(used, [("./a", 4), ("./b c", 5), ("../d", 7)]);
        assert_eq!(read.go_version(), "1.22");
        let module = ModuleVersion::new("x.test/y", "v1.0.0");
        assert_eq!(read.replacement(&module).unwrap().new.path, "./y");
        assert_eq!(read.faults.len(), 1, "{:?}", read.faults);
        assert_eq!(read.unknown[0].value, "require");
        assert_eq!(parse("").go_version(), "1.18");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,200}") {
            parse(&text);
        }
    }
}
