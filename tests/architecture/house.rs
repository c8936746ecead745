//! The sources of one crate as modules: which file a path leads to, through the faces
//! (`mod.rs`) that hand names on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::{self, Named, Token};

/// One file under `src/`.
pub(crate) struct SourceFile {
    /// As a person would name it: `src/watch/survey.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// `["watch", "survey"]`; empty for `lib.rs`.
    pub(crate) module: Vec<String>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) paths: Vec<Named>,
}

/// All files of one crate.
pub(crate) struct House {
    pub(crate) files: Vec<SourceFile>,
    by_module: BTreeMap<Vec<String>, usize>,
}

impl House {
    /// From `(path, text)` pairs; paths start with `src/`.
    pub(crate) fn of(sources: Vec<(String, String)>) -> House {
        let mut files: Vec<SourceFile> = sources
            .into_iter()
            .map(|(path, text)| {
                let tokens = source::tokens(&text);
                let paths = source::paths(&tokens);
                SourceFile {
                    module: module_of(&path),
                    path,
                    text,
                    tokens,
                    paths,
                }
            })
            .collect();
        let test_only: BTreeSet<Vec<String>> = files
            .iter()
            .flat_map(|f| {
                source::test_modules(&f.tokens)
                    .into_iter()
                    .map(|name| child(&f.module, &name))
            })
            .collect();
        for file in files
            .iter_mut()
            .filter(|f| test_only.iter().any(|m| f.module.starts_with(m)))
        {
            file.tokens.iter_mut().for_each(|token| token.test = true);
            file.paths.iter_mut().for_each(|named| named.test = true);
        }
        let by_module = files
            .iter()
            .enumerate()
            .map(|(i, f)| (f.module.clone(), i))
            .collect();
        House { files, by_module }
    }

    /// Every `.rs` file under `root/src`, except `main.rs` and those in `bin`, which are crates of
    /// their own.
    pub(crate) fn read(root: &Path) -> House {
        let mut sources = Vec::new();
        collect(root, &root.join("src"), &mut sources);
        sources.retain(|(path, _)| path != "src/main.rs" && !path.starts_with("src/bin/"));
        assert!(sources.len() > 10, "no sources under {}", root.display());
        House::of(sources)
    }

    /// The path from the crate's root, or `None` for one that leads into another crate.
    pub(crate) fn absolute(&self, file: &SourceFile, named: &Named) -> Option<Vec<String>> {
        let mut here = file.module.clone();
        here.extend(named.inside.iter().cloned());
        let mut rest = named.segments.as_slice();
        match rest.first()?.as_str() {
            "crate" => (here, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    here.pop()?;
                    rest = &rest[1..];
                }
            }
            name if self.by_module.contains_key(&child(&here, name)) => {}
            _ => return None,
        }
        here.extend(rest.iter().cloned());
        Some(here)
    }

    /// The file that an absolute path ends in.
    pub(crate) fn file_at(&self, path: &[String]) -> Option<usize> {
        let mut path = path.to_vec();
        // A face may hand on what another face handed to it; eight is more than anybody nests.
        for _ in 0..8 {
            let known = (0..=path.len())
                .rev()
                .find(|&n| self.by_module.contains_key(&path[..n]))?;
            let index = self.by_module[&path[..known]];
            let Some(name) = path.get(known) else {
                return Some(index);
            };
            let file = &self.files[index];
            let handed_on = file
                .paths
                .iter()
                .find(|n| n.is_pub && &n.alias == name)
                .and_then(|n| self.absolute(file, n));
            match handed_on {
                Some(next) if next != path => path = next,
                _ => return Some(index),
            }
        }
        None
    }
}

fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if module
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib"))
    {
        module.pop();
    }
    module
}

fn child(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// Adds `(path from root, text)` of every `.rs` file below `folder`.
pub(crate) fn collect(root: &Path, folder: &Path, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            out.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
