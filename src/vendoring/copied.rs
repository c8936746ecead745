//! What `go mod vendor` copies of a module (`modcmd/vendor.go`; go 1.17 to 1.27 agree, but for
//! what is said below).

use std::collections::{BTreeMap, BTreeSet};

use super::go_file::could_be_built;
use super::go_file::{Embeds, embeds, takes};
use crate::gomod::go_version::at_least;
use crate::gomod::sum::Sum;

/// A file's content, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    /// SHA-256.
    pub(super) sum: Sum,
    /// SHA-256 with every CR LF as LF.
    pub(super) with_lf: Sum,
}

/// A file of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleFile {
    /// Its content.
    pub(super) print: Print,
    /// Could it be built on any system? Only asked of Go files.
    pub(super) built: bool,
    /// What it embeds.
    pub(super) embeds: Embeds,
}

impl ModuleFile {
    /// Reads a file by its name and content; `content` is only needed for `.go` files.
    pub(super) fn new(name: &str, print: Print, content: &[u8]) -> ModuleFile {
        let is_go = name.ends_with(".go");
        ModuleFile {
            print,
            built: !is_go || could_be_built(content),
            embeds: if is_go {
                embeds(content)
            } else {
                Embeds::default()
            },
        }
    }
}

/// A module's files by their paths in it.
pub(super) type ModuleFiles = BTreeMap<String, ModuleFile>;

/// `modcmd.metaPrefixes`.
const METADATA: [&str; 9] = [
    "AUTHORS",
    "CONTRIBUTORS",
    "COPYLEFT",
    "COPYING",
    "COPYRIGHT",
    "LEGAL",
    "LICENSE",
    "NOTICE",
    "PATENTS",
];

/// Is this a licence or the like, which comes along from the folders above a package?
pub(super) fn is_metadata(name: &str) -> bool {
    METADATA.iter().any(|prefix| name.starts_with(prefix))
}

/// A package's folder in its module; the empty one is the root.
pub(super) fn folder_of<'a>(package: &'a str, module: &str) -> Option<&'a str> {
    let rest = package.strip_prefix(module)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('/')
}

/// The folder and the name in it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The files that vendoring these packages copies. `go` is the `go` line of the main module or
/// the workspace.
pub(super) fn expected(
    source: &ModuleFiles,
    module: &str,
    packages: &[String],
    go: &str,
) -> BTreeSet<String> {
    let mut by_folder: BTreeMap<&str, Vec<(&str, &ModuleFile)>> = BTreeMap::new();
    for (path, file) in source {
        let (folder, name) = split(path);
        by_folder.entry(folder).or_default().push((name, file));
    }
    let in_folder = |folder: &str| by_folder.get(folder).map_or(&[][..], Vec::as_slice);
    let mut out = BTreeSet::new();
    for package in packages {
        let Some(folder) = folder_of(package, module) else {
            continue;
        };
        let mut patterns: Vec<&str> = Vec::new();
        for (name, file) in in_folder(folder) {
            if is_source(name, file, go) {
                out.insert(join(folder, name));
            }
            // go/build passes these over, and with them what they embed.
            let read = !name.starts_with(['_', '.']) && !name.ends_with("_test.go");
            if read && file.built && file.embeds.imported {
                patterns.extend(file.embeds.patterns.iter().map(String::as_str));
            }
        }
        if !patterns.is_empty() {
            let below = source.keys().filter(|path| {
                let file = below(path, folder);
                file.is_some_and(|file| patterns.iter().any(|pattern| takes(pattern, file)))
            });
            out.extend(below.cloned());
        }
        let mut above = folder;
        while !above.is_empty() {
            above = split(above).0;
            let metadata = in_folder(above)
                .iter()
                .filter(|(name, _)| is_metadata(name));
            out.extend(metadata.map(|(name, _)| join(above, name)));
        }
    }
    out
}

/// Does a test of one of these packages embed it? Files of tests counted up to `go 1.21`
/// (golang/go#63473), so what they embed is neither required nor reported as left over.
pub(super) fn is_for_tests(
    source: &ModuleFiles,
    module: &str,
    packages: &[String],
    path: &str,
) -> bool {
    let folders = packages.iter().filter_map(|p| folder_of(p, module));
    folders.into_iter().any(|folder| {
        let Some(own) = below(path, folder) else {
            return false;
        };
        let tests = source.iter().filter(|(name, file)| {
            let (of, name) = split(name);
            of == folder && name.ends_with("_test.go") && file.embeds.imported
        });
        let mut patterns = tests.flat_map(|(_, file)| &file.embeds.patterns);
        patterns.any(|pattern| takes(pattern, own))
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

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() {
        return Some(path);
    }
    path.strip_prefix(folder)?.strip_prefix('/')
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
            let name = split(path).1;
            (
                (*path).to_owned(),
                ModuleFile::new(name, print, text.as_bytes()),
            )
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
