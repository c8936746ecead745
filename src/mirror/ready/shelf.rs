//! The sources that `ready` uses to examine projects: the go command; the files in the module cache
//! and in the mirror; and their proofs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::judge::Held;
use super::need::Builder;
use crate::agent::Error;
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::{ApplyError, GoCommand, find, run};
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::sum::hash_go_mod;
use crate::mirror::layout::{Layout, Tree, VersionFile};
use crate::mirror::sumdb::{Proofs, Route};
use crate::model::SumDb;
use crate::policy::goflags_words;

/// The module cache and the mirror, and the go.mods read from them.
#[derive(Debug)]
pub struct Shelf {
    /// GOMODCACHE.
    modcache: PathBuf,
    cache: Layout,
    mirror: Layout,
    texts: RefCell<BTreeMap<ModuleVersion, Option<Rc<str>>>>,
}

impl Shelf {
    /// Uses the module cache and the mirror in these directories; neither need exist.
    pub fn new(modcache: &Path, mirror: &Path) -> Shelf {
        Shelf {
            modcache: modcache.to_owned(),
            cache: Layout::new(modcache.join("cache").join("download")),
            mirror: Layout::new(mirror),
            texts: RefCell::default(),
        }
    }

    /// Forgets the go.mods that were read: there may be more now.
    pub fn forget(&self) {
        self.texts.borrow_mut().clear();
    }

    /// The download directory of the module cache.
    pub fn cache(&self) -> &Layout {
        &self.cache
    }

    /// Returns where the module cache has a module completely unpacked, and that path below
    /// GOMODCACHE (`modfetch.DownloadDir`).
    pub fn unpacked(&self, module: &ModuleVersion) -> Option<(PathBuf, String)> {
        let below = module.escaped().ok()?.to_string();
        let folder = self.modcache.join(&below);
        let zip = self.cache.file(module, VersionFile::Zip).ok()?;
        // This file exists while go unpacks, and stays if go is interrupted.
        let is_partial = zip.with_extension("partial").exists();
        (folder.is_dir() && !is_partial).then_some((folder, below))
    }

    /// The mirror.
    pub fn mirror(&self) -> &Layout {
        &self.mirror
    }

    /// Reports whether the zip is there, by its name and the hash stored with it. Only `goroam
    /// mirror verify` and go itself hash the whole zip.
    pub(super) fn zip(&self, module: &ModuleVersion, sum: Option<&str>) -> Held {
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
        // Without `.info` the version is incomplete: `mirror add` writes that file last.
        let in_mirror = [VersionFile::Info, VersionFile::Zip];
        let in_mirror = in_mirror
            .iter()
            .all(|file| there(&self.mirror, *file).is_some());
        match there(&self.cache, VersionFile::Zip) {
            Some(_) if fits(&self.cache) => Held::Here,
            Some(_) => Held::Other,
            None if in_mirror && fits(&self.mirror) => Held::Here,
            None => Held::Absent,
        }
    }

    /// Reports whether the go.mod is there, with this hash. If the module cache has another one, go
    /// does not look further; if the mirror has another one, go rejects it in the same way.
    pub(super) fn go_mod(&self, module: &ModuleVersion, sum: &str) -> Held {
        match self.text(module) {
            Some(text) if hash_go_mod(text.as_bytes()) == sum => Held::Here,
            Some(_) => Held::Other,
            None => Held::Absent,
        }
    }

    /// Returns a go.mod's text, whatever its hash.
    pub fn text(&self, module: &ModuleVersion) -> Option<Rc<str>> {
        let mut texts = self.texts.borrow_mut();
        let text = texts.entry(module.clone()).or_insert_with(|| {
            [&self.cache, &self.mirror].into_iter().find_map(|tree| {
                let path = tree.file(module, VersionFile::Mod).ok()?;
                read(&path, MOST_MOD).map(Rc::from)
            })
        });
        text.clone()
    }

    /// Reports whether a toolchain is unpacked in the module cache. Then go does not fetch it.
    pub fn is_unpacked(&self, toolchain: &ModuleVersion) -> bool {
        let folder = format!("toolchain@{}", toolchain.version);
        let bin = self.modcache.join("golang.org").join(folder).join("bin");
        ["go", "go.exe"].iter().any(|name| bin.join(name).is_file())
    }

    /// Returns the size in bytes of all zips in the mirror; walks the tree.
    pub fn mirror_bytes(&self) -> u64 {
        tally(self.mirror.root()).1
    }
}

/// Returns how many modules a mirror holds, and the bytes of their zips. Does not follow links.
pub fn tally(mirror: &Path) -> (usize, u64) {
    let tree = Tree::read(&Layout::new(mirror)).unwrap_or_default();
    let zips = tree.modules.values().map(|module| {
        let zips = module
            .versions
            .values()
            .filter_map(|files| files.get(&VersionFile::Zip));
        (zips.clone().count(), zips.sum::<u64>())
    });
    zips.filter(|(count, _)| *count > 0)
        .fold((0, 0), |(modules, all), (_, bytes)| {
            (modules + 1, all + bytes)
        })
}

/// Reads a file; `None` if it is not text or longer than this.
pub(super) fn read(path: &Path, most: u64) -> Option<String> {
    String::from_utf8(bounded::read(path, most).ok()?).ok()
}

/// What is needed to examine any project.
#[derive(Debug)]
pub struct ReadyTools {
    /// The go command itself.
    pub go: GoCommand,
    /// The go settings that change what a project needs.
    pub settings: String,
    /// The file that GOFLAGS names as a replacement for go.mod.
    pub modfile: Option<PathBuf>,
    /// The go command as the project sees it.
    pub builder: Builder,
    /// What is there.
    pub shelf: Shelf,
    /// The checksum database.
    pub database: ProofStore,
    /// The environment, to find toolchains in PATH.
    pub env: Environment,
}

impl ReadyTools {
    /// Returns the go.mod that go uses to build the module in this directory, and its go.sum.
    pub(super) fn module_files(&self, folder: &Path) -> (PathBuf, PathBuf) {
        match &self.modfile {
            // go replaces the extension by `.sum`.
            Some(file) => (folder.join(file), folder.join(file.with_extension("sum"))),
            None => (folder.join("go.mod"), folder.join("go.sum")),
        }
    }
}

/// The checksum database as the user's go sees it.
#[derive(Debug, Clone, Default)]
pub struct ProofStore {
    /// GOSUMDB.
    pub gosumdb: String,
    /// GOPATH: go keeps the last tree head it saw in the first directory of this list.
    pub gopath: String,
}

impl ProofStore {
    /// Checks that the mirror proves this module.
    ///
    /// # Errors
    /// Why not.
    pub fn proves(&self, mirror: &Layout, module: &ModuleVersion) -> Result<(), String> {
        let proofs = self.open(mirror)?;
        let proven = proofs.prove(module).map_err(|error| error.to_string())?;
        if proven.zip.is_none() {
            return Err(format!("{} has no hash for its zip", proofs.name()));
        }
        self.covers(&proofs)
    }

    /// Checks that go would accept the mirror's proofs; go knows how large the database's tree was
    /// when it last asked. `Ok` if the mirror has no proofs, or go has not seen a tree head.
    ///
    /// # Errors
    /// Why not.
    pub fn follows(&self, mirror: &Layout) -> Result<(), String> {
        let Ok(proofs) = self.open(mirror) else {
            return Ok(());
        };
        match proofs.head() {
            Some(_) => self.covers(&proofs),
            None => Ok(()),
        }
    }

    fn open(&self, mirror: &Layout) -> Result<Proofs, String> {
        let db = SumDb::parse(&self.gosumdb).map_err(|error| error.0)?;
        if db == SumDb::Off {
            // modfetch/toolchain.go: "checksum database disabled" is final for a toolchain.
            return Err("GOSUMDB is off, and go takes no toolchain then".to_owned());
        }
        Proofs::open(mirror, &db).map_err(|error| error.to_string())
    }

    fn covers(&self, proofs: &Proofs) -> Result<(), String> {
        let route = Route::offline().with_last_seen(self.gopath.as_ref());
        let Some(seen) = proofs.last_seen(&route) else {
            return Ok(());
        };
        proofs
            .covers(&seen?.head)
            .map_err(|error| error.to_string())
    }
}

/// Finds the go command (`wish`, if given) and reads its settings.
///
/// # Errors
/// When there is no go, or it does not answer.
pub async fn tools(
    wish: Option<&Path>,
    env: &Environment,
    mirror: &Path,
) -> Result<ReadyTools, Error> {
    let names = "GOPATH GOMODCACHE GOTOOLCHAIN GOSUMDB GOHOSTOS GOHOSTARCH GOFLAGS GOOS GOARCH \
                 GO111MODULE GOEXPERIMENT GOPRIVATE GONOSUMDB CGO_ENABLED";
    let names: Vec<&str> = names.split(' ').collect();
    let go = Box::pin(find::find(wish, env)).await?;
    let said = Box::pin(run::values(&go, env, &names)).await;
    let mut said = said.map_err(ApplyError::Go)?;
    let settings = names
        .iter()
        .map(|name| said.get(*name).map_or("", String::as_str));
    let settings = settings.collect::<Vec<&str>>().join("\n");
    let mut value = |name: &str| said.remove(name).unwrap_or_default();
    // goroam removes GOFLAGS from the environment of its own go calls, so go prints only the value
    // of the go env file.
    let written = value("GOFLAGS");
    let set = env.get("GOFLAGS").filter(|flags| !flags.is_empty());
    let flags = set.map_or(written, str::to_owned);
    let words = goflags_words(&flags).unwrap_or_default().into_iter();
    let mut named = words.filter_map(|word| word.trim_start_matches('-').strip_prefix("modfile="));
    let modfile = named.next_back().map(PathBuf::from);
    let system = format!("{}-{}", value("GOHOSTOS"), value("GOHOSTARCH"));
    Ok(ReadyTools {
        settings,
        modfile,
        builder: Builder {
            version: go.version.text.clone(),
            toolchain: value("GOTOOLCHAIN"),
            system,
        },
        shelf: Shelf::new(Path::new(&value("GOMODCACHE")), mirror),
        database: ProofStore {
            gosumdb: value("GOSUMDB"),
            gopath: value("GOPATH"),
        },
        env: env.clone(),
        go,
    })
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
            "the mirror does not have all of it yet"
        );
        put(of(&shelf.mirror, VersionFile::Info), "{}");
        assert_eq!(held("h1:x"), Held::Here);
        put(of(&shelf.mirror, VersionFile::ZipHash), "h1:x\n");
        assert_eq!((held("h1:x"), held("h1:y")), (Held::Here, Held::Absent));
        put(of(&shelf.cache, VersionFile::Zip), "zip");
        put(of(&shelf.cache, VersionFile::ZipHash), "h1:y");
        // go reads its cache first, and rejects the other content there.
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
