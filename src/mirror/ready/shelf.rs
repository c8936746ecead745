//! What is there: in the module cache, or in the mirror.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::sum::{escape_path, escape_version, hash_go_mod};
use crate::mirror::{Layout, VersionFile};

/// How it is with one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Held {
    /// It is there, and what go.sum wants.
    Here,
    /// It is nowhere.
    #[default]
    Absent,
    /// The module cache, which go asks first, holds another content.
    Other,
}

/// The two trees, and what was read of them.
#[derive(Debug)]
pub struct Shelf {
    /// GOMODCACHE.
    modcache: PathBuf,
    cache: Layout,
    mirror: Layout,
    texts: RefCell<BTreeMap<ModuleVersion, (Held, Option<String>)>>,
}

impl Shelf {
    /// The module cache and the mirror in these folders; neither need be there.
    pub fn new(modcache: &Path, mirror: &Path) -> Shelf {
        Shelf {
            modcache: modcache.to_owned(),
            cache: Layout::new(modcache.join("cache").join("download")),
            mirror: Layout::new(mirror),
            texts: RefCell::default(),
        }
    }

    /// The same trees, with nothing read yet.
    pub fn anew(&self) -> Shelf {
        Shelf {
            modcache: self.modcache.clone(),
            cache: self.cache.clone(),
            mirror: self.mirror.clone(),
            texts: RefCell::default(),
        }
    }

    /// The download folder of the module cache.
    pub fn cache(&self) -> &Layout {
        &self.cache
    }

    /// Where the module cache has a module unpacked, whole, and that place below GOMODCACHE
    /// (`modfetch.DownloadDir`).
    pub fn unpacked(&self, module: &ModuleVersion) -> Option<(PathBuf, String)> {
        let path = escape_path(&module.path).ok()?;
        let version = escape_version(&module.version).ok()?;
        let below = format!("{path}@{version}");
        let folder = self.modcache.join(&below);
        let zip = self.cache.file(module, VersionFile::Zip).ok()?;
        // It stands there while go unpacks, and stays when that was cut off.
        let is_partial = zip.with_extension("partial").exists();
        (folder.is_dir() && !is_partial).then_some((folder, below))
    }

    /// The mirror.
    pub fn mirror(&self) -> &Layout {
        &self.mirror
    }

    /// Is the zip there? By its name and the hash that was noted when it was stored: the whole
    /// of it is hashed by `goroam mirror verify` and by go itself.
    pub fn zip(&self, module: &ModuleVersion, sum: Option<&str>) -> Held {
        let there = |tree: &Layout, file: VersionFile| {
            let path = tree.file(module, file).ok()?;
            fs::metadata(&path).ok()?.is_file().then_some(path)
        };
        let noted = |tree: &Layout| {
            let path = there(tree, VersionFile::ZipHash)?;
            let text = read(&path, MOST_ZIP_HASH)?;
            Some(text.trim().to_owned())
        };
        let fits = |tree: &Layout| match (noted(tree), sum) {
            (Some(noted), Some(sum)) => noted == sum,
            _ => true,
        };
        if there(&self.cache, VersionFile::Zip).is_some() {
            return if fits(&self.cache) {
                Held::Here
            } else {
                Held::Other
            };
        }
        // Without `.info` a version is not there yet: it is what `mirror add` writes last.
        let whole = there(&self.mirror, VersionFile::Info).is_some();
        match there(&self.mirror, VersionFile::Zip) {
            Some(_) if whole && fits(&self.mirror) => Held::Here,
            _ => Held::Absent,
        }
    }

    /// Is the go.mod there, with this hash?
    pub fn go_mod(&self, module: &ModuleVersion, sum: &str) -> Held {
        self.with_mod(module, |held, text| match (held, text) {
            (Held::Here, Some(text)) if hash_go_mod(text.as_bytes()) == sum => Held::Here,
            // In the module cache it would be in the way; in the mirror go passes no judgement
            // but its own, and refuses it just so.
            (Held::Here, Some(_)) => Held::Other,
            _ => Held::Absent,
        })
    }

    /// A go.mod's text, whatever its hash.
    pub fn text(&self, module: &ModuleVersion) -> Option<String> {
        self.with_mod(module, |_, text| text.map(str::to_owned))
    }

    fn with_mod<T>(&self, module: &ModuleVersion, then: impl Fn(Held, Option<&str>) -> T) -> T {
        let mut texts = self.texts.borrow_mut();
        let (held, text) = texts.entry(module.clone()).or_insert_with(|| {
            let trees = [&self.cache, &self.mirror];
            let text = trees.into_iter().find_map(|tree| {
                let path = tree.file(module, VersionFile::Mod).ok()?;
                read(&path, MOST_MOD)
            });
            let held = if text.is_some() {
                Held::Here
            } else {
                Held::Absent
            };
            (held, text)
        });
        then(*held, text.as_deref())
    }

    /// Is a toolchain unpacked in the module cache? Then go asks nobody for it.
    pub fn is_unpacked(&self, toolchain: &ModuleVersion) -> bool {
        let folder = format!("toolchain@{}", toolchain.version);
        let bin = self.modcache.join("golang.org").join(folder).join("bin");
        ["go", "go.exe"].iter().any(|name| bin.join(name).is_file())
    }

    /// Bytes of all zips in the mirror; walks it.
    pub fn mirror_bytes(&self) -> u64 {
        tally(self.mirror.root()).1
    }
}

/// How many modules a mirror holds, and bytes of their zips. Follows no links.
pub fn tally(mirror: &Path) -> (usize, u64) {
    let (mut modules, mut bytes) = (0, 0);
    let mut open = vec![(mirror.to_owned(), 0)];
    let mut left = MOST_ENTRIES;
    while let Some((folder, depth)) = open.pop() {
        let is_versions = folder.file_name().is_some_and(|name| name == "@v");
        let mut any = false;
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            left -= 1;
            if left == 0 {
                return (modules, bytes);
            }
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let name = entry.file_name();
            let own = depth == 0 && (name == "sumdb" || name == ".goroam");
            if kind.is_dir() && !own && depth < DEEPEST {
                open.push((entry.path(), depth + 1));
            }
            let is_zip = entry.path().extension().is_some_and(|end| end == "zip");
            if kind.is_file() && is_versions && is_zip {
                any = true;
                bytes += entry.metadata().map_or(0, |meta| meta.len());
            }
        }
        modules += usize::from(any);
    }
    (modules, bytes)
}

/// Entries of a mirror that are looked at.
const MOST_ENTRIES: usize = 2_000_000;
/// No module path has more elements.
const DEEPEST: usize = 24;

/// A text file, if it is one and no longer than this.
pub(super) fn read(path: &Path, most: u64) -> Option<String> {
    String::from_utf8(bounded::read(path, most).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_zip_is_there_when_its_hash_is_the_right_one() {
        let home = tempfile::tempdir().unwrap();
        let (cache, mirror) = (home.path().join("mod"), home.path().join("mirror"));
        let shelf = Shelf::new(&cache, &mirror);
        let module = ModuleVersion::new("a.test/B", "v1.0.0");
        let held = |sum| shelf.zip(&module, Some(sum));
        assert_eq!(held("h1:x"), Held::Absent);
        let of = |tree: &Layout, file| tree.file(&module, file).unwrap();
        put(of(&shelf.mirror, VersionFile::Zip), "zip");
        assert_eq!(
            held("h1:x"),
            Held::Absent,
            "the mirror has not got all of it yet"
        );
        put(of(&shelf.mirror, VersionFile::Info), "{}");
        assert_eq!(held("h1:x"), Held::Here);
        put(of(&shelf.mirror, VersionFile::ZipHash), "h1:x\n");
        assert_eq!((held("h1:x"), held("h1:y")), (Held::Here, Held::Absent));
        put(of(&shelf.cache, VersionFile::Zip), "zip");
        put(of(&shelf.cache, VersionFile::ZipHash), "h1:y");
        // go looks into its cache first, and refuses what it finds there.
        assert_eq!((held("h1:x"), held("h1:y")), (Held::Other, Held::Here));
        assert_eq!(tally(&mirror), (1, 3));
    }

    #[test]
    fn a_go_mod_is_there_when_its_content_is_the_right_one() {
        let home = tempfile::tempdir().unwrap();
        let shelf = || Shelf::new(&home.path().join("mod"), &home.path().join("mirror"));
        let module = ModuleVersion::new("a.test/b", "v1.0.0");
        let sum = hash_go_mod(b"module a.test/b\n");
        assert_eq!(shelf().go_mod(&module, &sum), Held::Absent);
        let path = shelf().cache.file(&module, VersionFile::Mod).unwrap();
        put(path.clone(), "module a.test/b\n");
        assert_eq!(shelf().go_mod(&module, &sum), Held::Here);
        put(path, "<html>Please log in</html>\n");
        assert_eq!(shelf().go_mod(&module, &sum), Held::Other);
    }
}
