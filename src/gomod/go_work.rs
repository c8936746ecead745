//! go.work (`golang.org/x/mod/modfile/work.go`), read as tolerantly as go.mod.

use std::path::{Path, PathBuf};

use super::go_mod::{Directives, GoMod, parse_as};

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

/// Reads a go.work. Never fails: see [`GoMod::faults`]. A `replace` in it has priority over those of
/// the modules.
pub fn parse(text: &str) -> GoMod {
    let directives: Directives = (&["godebug", "use", "replace"], &["go", "toolchain"]);
    GoMod {
        is_work: true,
        ..parse_as(text, directives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::ModuleVersion;

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
