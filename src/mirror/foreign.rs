//! Which folders are no place for a mirror.

use std::path::{Path, PathBuf};

use super::error::AddError;

/// A module cache is go's own, and a folder with other things in it is somebody's.
pub(super) fn refuse_foreign(root: &Path, cache: &Path) -> Result<(), AddError> {
    let refuse = |why: &str| AddError::Refused {
        root: root.to_owned(),
        why: why.to_owned(),
    };
    let (real_root, real_cache) = (real(root), real(cache));
    if real_root.starts_with(&real_cache) || real_cache.starts_with(&real_root) {
        return Err(refuse(
            "it is go's module cache, or around it; a mirror needs a folder of its own",
        ));
    }
    let mut entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(AddError::file(root, error)),
    };
    if entries.next().is_some() && !root.join(".goroam").is_dir() {
        return Err(refuse(
            "it holds other things; name an empty folder or one that does not exist. To make a \
             mirror of it all the same, make the folder .goroam in it",
        ));
    }
    Ok(())
}

/// With its links resolved, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let there = path
        .ancestors()
        .find_map(|above| Some((above, dunce::canonicalize(above).ok()?)));
    match there {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => real,
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn no_mirror_is_made_in_or_around_the_module_cache_by_whatever_name() {
        let top = tempfile::tempdir().unwrap();
        let cache = top.path().join("go/pkg/mod");
        std::fs::create_dir_all(cache.join("cache/download")).unwrap();
        std::os::unix::fs::symlink(&cache, top.path().join("link")).unwrap();
        for root in [
            "go/pkg/mod",
            "go/pkg/mod/mirror",
            "go/pkg/mod/cache/download",
            "go",
            "link/new/mirror",
        ] {
            let refused = refuse_foreign(&top.path().join(root), &cache);
            assert!(
                matches!(&refused, Err(AddError::Refused { why, .. }) if why.contains("module cache")),
                "{root}: {refused:?}"
            );
        }
        for root in ["mirror", "go/pkg/mod2", "go/pkg/mirror/new"] {
            assert!(
                refuse_foreign(&top.path().join(root), &cache).is_ok(),
                "{root}"
            );
        }
        std::fs::create_dir_all(top.path().join("full/of")).unwrap();
        let refused = refuse_foreign(&top.path().join("full"), &cache);
        assert!(
            matches!(refused, Err(AddError::Refused { .. })),
            "{refused:?}"
        );
    }
}
