//! The files of a module that `go mod vendor` copies (`modcmd/vendor.go`; go 1.17 to 1.27 agree,
//! except for the differences described below).

use std::collections::{BTreeMap, BTreeSet};

use super::go_file::{could_be_built, embeds, takes};
use crate::gomod::go_version::at_least;
use crate::gomod::sum::Sum;

/// The hashes of a file's content that a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    /// SHA-256.
    pub(super) sum: Sum,
    /// SHA-256 of the content with every CR LF replaced by LF.
    pub(super) with_lf: Sum,
}

/// A file of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleFile {
    /// Its content.
    pub(super) print: Print,
    /// Whether it could be built on any system. Only evaluated for Go files.
    pub(super) built: bool,
    /// The patterns of the files that it embeds.
    pub(super) embeds: Vec<String>,
}

impl ModuleFile {
    /// Creates the entry of a file from its path and content; `content` is only needed for `.go`
    /// files.
    pub(super) fn new(path: &str, print: Print, content: &[u8]) -> ModuleFile {
        let is_go = path.ends_with(".go");
        ModuleFile {
            print,
            built: !is_go || could_be_built(content),
            embeds: if is_go { embeds(content) } else { Vec::new() },
        }
    }
}

/// A module's files, by their paths in the module.
pub(super) type ModuleFiles = BTreeMap<String, ModuleFile>;

/// `modcmd.metaPrefixes`.
const METADATA: &str =
    "AUTHORS CONTRIBUTORS COPYLEFT COPYING COPYRIGHT LEGAL LICENSE NOTICE PATENTS";

/// Reports whether this is a licence or a similar file, which vendoring also copies from the
/// directories above a package.
pub(super) fn is_metadata(name: &str) -> bool {
    METADATA.split(' ').any(|prefix| name.starts_with(prefix))
}

/// Returns the path relative to a directory above it (or of a package in its module); empty for the
/// directory itself.
pub(super) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// Splits a path into directory and name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Returns the files that vendoring these packages copies. `go` is the `go` line of the main module
/// or the workspace.
pub(super) fn expected<'a>(
    source: &ModuleFiles,
    module: &str,
    packages: impl IntoIterator<Item = &'a String>,
    go: &str,
) -> BTreeSet<String> {
    let mut by_folder: BTreeMap<&str, Vec<(&str, &ModuleFile)>> = BTreeMap::new();
    for (path, file) in source {
        let (folder, name) = split(path);
        by_folder.entry(folder).or_default().push((name, file));
    }
    let in_folder = |folder: &str| by_folder.get(folder).map_or(&[][..], Vec::as_slice);
    let mut out = BTreeSet::new();
    let folders = packages
        .into_iter()
        .filter_map(|package| below(package, module));
    for folder in folders {
        let mut patterns: Vec<&String> = Vec::new();
        for (name, file) in in_folder(folder) {
            if is_source(name, file, go) {
                out.insert(join(folder, name));
            }
            // go/build ignores these files, and therefore what they embed.
            let read = !name.starts_with(['_', '.']) && !name.ends_with("_test.go");
            if read && file.built {
                patterns.extend(&file.embeds);
            }
        }
        let embedded = |path: &&String| {
            let file = below(path, folder).unwrap_or_default();
            patterns.iter().any(|pattern| takes(pattern, file))
        };
        if !patterns.is_empty() {
            out.extend(source.keys().filter(embedded).cloned());
        }
        for above in above(folder).skip(1) {
            let files = in_folder(above).iter();
            let metadata = files.filter(|(name, _)| is_metadata(name));
            out.extend(metadata.map(|(name, _)| join(above, name)));
        }
    }
    out
}

/// Returns this directory of a module and those above it.
pub(super) fn above(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| {
        (!folder.is_empty()).then(|| split(folder).0)
    })
}

/// Reports whether a test of one of these packages embeds it. Vendoring copied files of tests up to
/// `go 1.21` (golang/go#63473), so what they embed is neither required nor reported as left over.
pub(super) fn is_for_tests(
    source: &ModuleFiles,
    module: &str,
    packages: &[String],
    path: &str,
) -> bool {
    let mut folders = packages.iter().filter_map(|p| below(p, module));
    folders.any(|folder| {
        let tests = source
            .iter()
            .filter(|(test, _)| test.ends_with("_test.go") && split(test).0 == folder);
        let mut patterns = tests.flat_map(|(_, file)| &file.embeds);
        below(path, folder).is_some_and(|own| patterns.any(|pattern| takes(pattern, own)))
    })
}

/// `modcmd.matchPotentialSourceFile`.
pub(super) fn is_source(name: &str, file: &ModuleFile, go: &str) -> bool {
    if name.ends_with("_test.go") {
        return false;
    }
    if name == "go.mod" || name == "go.sum" {
        return !at_least(go, "1.17");
    }
    file.built
}

/// Joins a directory of a module and a name.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, &str)]) -> ModuleFiles {
        let print = Print {
            sum: [0; 32],
            with_lf: [0; 32],
        };
        let file = |(path, text): &(&str, &str)| {
            let file = ModuleFile::new(path, print, text.as_bytes());
            ((*path).to_owned(), file)
        };
        files.iter().map(file).collect()
    }

    #[test]
    fn what_vendoring_brings_is_known() {
        let source = source(&[
            ("LICENSE", ""),
            ("README.md", ""),
            ("go.mod", ""),
            ("a/NOTICE.txt", ""),
            ("a/other.go", "package a"),
            (
                "a/b/b.go",
                "package b\nimport _ \"embed\"\n//go:embed data\nvar x string\n",
            ),
            ("a/b/b_windows.go", "package b"),
            ("a/b/b_test.go", "package b"),
            ("a/b/gen.go", "//go:build ignore\n\npackage main"),
            ("a/b/b.c", ""),
            ("a/b/data/one", ""),
            ("a/b/data/.two", ""),
            ("a/b/testdata/x", ""),
        ]);
        let packages = ["m.test/x/a/b".to_owned()];
        let brought: Vec<String> = expected(&source, "m.test/x", &packages, "1.21")
            .into_iter()
            .collect();
        assert_eq!(
            brought,
            [
                "LICENSE",
                "a/NOTICE.txt",
                "a/b/b.c",
                "a/b/b.go",
                "a/b/b_windows.go",
                "a/b/data/one",
            ]
        );
        let root = ["m.test/x".to_owned()];
        assert!(expected(&source, "m.test/x", &root, "1.16").contains("go.mod"));
        assert!(!expected(&source, "m.test/x", &root, "1.17").contains("go.mod"));
    }
}
