//! `@v/list` and `@latest`: do they name what is there?

use std::collections::BTreeSet;

use super::gather::bounded;
use super::report::{Finding, Kind};
use crate::gomod::form::{MOST_INFO, info_version};
use crate::mirror::index;
use crate::mirror::layout::Layout;
use crate::mirror::tree::Module;

/// Bytes. The longest known has some 10,000 versions.
const MOST_LIST: u64 = 4 << 20;

/// What a module's `list` names, if it can be read.
pub(super) fn listed(layout: &Layout, module: &str) -> Result<BTreeSet<String>, String> {
    let path = layout.list(module).unwrap_or_default();
    match bounded(&path, MOST_LIST) {
        Err(why) => Err(why),
        Ok(bytes) => match String::from_utf8(bytes) {
            // go takes the first word of each line (modfetch/proxy.go:Versions).
            Ok(text) => {
                let words = text.lines().map(|line| line.split_whitespace().next());
                Ok(BTreeSet::from_iter(words.flatten().map(str::to_owned)))
            }
            Err(_) => Err("is no text".to_owned()),
        },
    }
}

/// `listed`: `None` when there is no `list`; `pinned`: what `@latest` is to say.
pub(super) fn check(
    layout: &Layout,
    path: &str,
    module: &Module,
    listed: Option<&Result<BTreeSet<String>, String>>,
    pinned: Option<&str>,
) -> Vec<Finding> {
    let mut bad = Vec::new();
    let mut says = |file, kind, what: String| {
        bad.push(Finding {
            of: path.to_owned(),
            file,
            kind,
            what,
            expected: None,
            by: None,
            found: None,
            help: format!("`goroam mirror add {path}@VERSION` of any version writes it anew"),
        });
    };
    let list = layout.list(path).unwrap_or_default();
    let whole: Vec<String> = module
        .versions
        .iter()
        .filter(|(_, files)| files.zip.is_some() && files.info.is_some())
        .map(|(version, _)| version.version.clone())
        .collect();
    let wanted = index::listed(&whole, pinned);
    let there = BTreeSet::from_iter(whole.iter().map(String::as_str));
    let shown = BTreeSet::from_iter(wanted.iter().copied());
    match listed {
        None if !wanted.is_empty() => {
            says(
                list,
                Kind::Missing,
                "is missing: go finds no version by itself".to_owned(),
            );
        }
        None => {}
        Some(Err(why)) => says(list, Kind::Unreadable, why.clone()),
        Some(Ok(names)) => {
            for name in names {
                let why = if !there.contains(name.as_str()) {
                    "which is not there"
                } else if pinned.is_some() && !shown.contains(name.as_str()) {
                    "which the pin hides"
                } else {
                    continue;
                };
                let name: String = name.chars().take(80).collect();
                says(list.clone(), Kind::Wrong, format!("names {name:?}, {why}"));
            }
            for version in wanted.iter().filter(|version| !names.contains(**version)) {
                says(
                    list.clone(),
                    Kind::Wrong,
                    format!("does not name {version}"),
                );
            }
        }
    }
    let newest = index::latest(&whole, pinned);
    if module.latest {
        let latest = layout.latest(path).unwrap_or_default();
        match bounded(&latest, MOST_INFO) {
            Err(why) => says(latest, Kind::Unreadable, why),
            Ok(bytes) => match info_version(&bytes) {
                Ok(named) if Some(named.as_str()) == newest => {}
                Ok(named) => {
                    let name: String = named.chars().take(80).collect();
                    let instead = newest.unwrap_or("nothing");
                    says(
                        latest,
                        Kind::Wrong,
                        format!("names {name:?} instead of {instead:?}"),
                    );
                }
                Err(error) => {
                    says(latest, Kind::Wrong, error);
                }
            },
        }
    }
    bad
}
