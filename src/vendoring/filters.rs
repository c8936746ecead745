//! The filters that a repository's own configuration names: programs that git would run to read
//! or write a file of the work tree (`gitattributes(5)`, filter).
//!
//! Whoever made the repository (an archive with its `.git`, a folder that others may write to)
//! chose them, so goroam runs none of them unasked. Filters in the user's and the system's
//! configuration are the user's own: they run, as LFS does after `git lfs install`.

use std::collections::{BTreeMap, BTreeSet};

/// What keeps git from running the repository's own filters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Guard {
    /// Configuration that goes before the repository's own.
    pub(super) settings: Vec<(String, String)>,
    /// The names of the filters that are not run as the repository would have it.
    pub(super) filters: BTreeSet<String>,
}

impl Guard {
    /// From `git config --list -z` of the repository's own scopes, and of the user's and the system's.
    pub(super) fn of(repository: &[u8], users: &[u8]) -> Guard {
        let users: BTreeMap<String, String> = entries(users).collect();
        let mut guard = Guard::default();
        for (key, value) in entries(repository) {
            let Some((filter, what)) = filter(&key) else {
                continue;
            };
            let neutral = if what == "required" { "false" } else { "" };
            let own = users.get(&key).map_or(neutral, String::as_str);
            if own != value {
                guard.filters.insert(filter.to_owned());
                guard.settings.push((key.clone(), own.to_owned()));
            }
        }
        guard
    }

    /// Why nothing can be done, by what `git check-attr -z filter` says of files: the content of
    /// one goes through such a filter.
    pub(super) fn forbids(&self, attributes: &[u8]) -> Option<String> {
        let out = pieces(attributes);
        let mut lines = out.chunks_exact(3);
        let line = lines.find(|line| self.filters.contains(&line[2]))?;
        Some(refusal(&line[0], &line[2]))
    }
}

/// Why nothing is done where a file goes through such a filter, and the way out.
fn refusal(path: &str, filter: &str) -> String {
    let cure = match filter {
        "lfs" => "`git lfs install`".to_owned(),
        _ => format!("`git config --global filter.{filter}.clean …` (and `.smudge`)"),
    };
    format!(
        "{path} goes through the filter {filter:?}, which the repository's own configuration names, and goroam does not run the programs that a repository names; if you trust it, make it yours: {cure}"
    )
}

fn pieces(list: &[u8]) -> Vec<String> {
    let pieces = list.split(|&b| b == 0).filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| String::from_utf8_lossy(piece).into_owned())
        .collect()
}

/// `KEY LF VALUE NUL` each; a key alone means true.
fn entries(list: &[u8]) -> impl Iterator<Item = (String, String)> {
    pieces(list)
        .into_iter()
        .map(|entry| match entry.split_once('\n') {
            Some((key, value)) => (key.to_owned(), value.to_owned()),
            None => (entry, "true".to_owned()),
        })
}

/// The name and the last part of a key `filter.NAME.PART`; NAME may have dots.
fn filter(key: &str) -> Option<(&str, &str)> {
    let (name, part) = key.strip_prefix("filter.")?.rsplit_once('.')?;
    let runs = ["clean", "smudge", "process", "required"];
    runs.contains(&part).then_some((name, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_s_filters_give_way_to_the_user_s_own_or_to_none() {
        let local = b"core.bare\nfalse\0filter.a.b.clean\nevil\0filter.a.b.required\0\
            filter.lfs.clean\nevil\0filter.lfs.smudge\nlfs smudge\0filter.x.other\ny\0";
        let users = b"filter.lfs.clean\nlfs clean\0filter.lfs.smudge\nlfs smudge\0";
        let guard = Guard::of(local, users);
        let settings: Vec<(&str, &str)> = guard
            .settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            settings,
            [
                ("filter.a.b.clean", ""),
                ("filter.a.b.required", "false"),
                ("filter.lfs.clean", "lfs clean"),
            ]
        );
        assert_eq!(guard.filters.len(), 2);
        assert_eq!(Guard::of(users, users), Guard::default());
    }
}
