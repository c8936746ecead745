//! Looks at the files of each version. What is well is read once; only where something is ill
//! is more read, to prove it and to see what of the version is still good.

use std::io;
use std::path::{Path, PathBuf};

use super::part::{Finding, Part};
use super::place::Place;
use super::records::{Records, Word};
use super::stamp::Piece;
use super::walk::{Module, Version};
use super::{lock, tree};
use crate::doctor::finding::Code;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{self, MOST_MOD};
use crate::gomod::go_sum::Hashed;
use crate::gomod::sum::hash_go_mod;
use crate::gomod::zip::{ModZip, ZipError};

/// go takes a `.mod` that begins so for absent (`modfetch/cache.go:oldVgoPrefix`).
const OLD_VGO: &[u8] = b"//vgo 0.0.";
/// The longest of the other small files, in bytes; with an `Origin` an `.info` has some 400.
const MOST_SMALL: u64 = 1 << 20;
/// The longest `list`, in bytes.
const MOST_LIST: u64 = 16 << 20;

/// Judges one module after the other.
#[derive(Debug)]
pub(super) struct Judge<'j> {
    pub(super) place: &'j Place,
    pub(super) records: &'j Records,
    /// Every zip is to be hashed.
    pub(super) hash: bool,
}

impl Judge<'_> {
    /// All versions of a module.
    pub(super) fn module(&self, module: &Module) -> Part {
        let mut part = Part::default();
        let (versions, list) = match module.versions() {
            Ok(files) => files,
            Err(error) => {
                part.unread(&module.folder, &error);
                return part;
            }
        };
        part.versions = versions.len();
        if let Some(path) = list {
            self.list(&mut part, &path);
        }
        for (version, files) in versions {
            let mut look = Look {
                judge: self,
                part: &mut part,
                module: ModuleVersion::new(&module.path, version),
                lock: module.folder.join(format!("{}.lock", files.escaped)),
                files,
            };
            look.go_mod();
            look.info();
            look.zip();
            look.unpacked();
        }
        part
    }

    fn list(&self, part: &mut Part, path: &Path) {
        let Some(bytes) = part.read(path, MOST_LIST) else {
            return;
        };
        // go writes it from the names of the files beside it. No version yet, no line.
        let Some(ill) = form::foreign(&bytes).filter(|_| !bytes.is_empty()) else {
            return;
        };
        part.add(Finding {
            code: Code::CacheList,
            module: None,
            place: path,
            says: ill,
            why: "go only writes it, but whoever takes this cache for a proxy (file://) is told \
                  no versions."
                .to_owned(),
            mend: "go writes it again with the next version that it fetches".to_owned(),
            removes: vec![Piece::of(path.to_owned(), Some(&bytes))],
            lock: None,
            bounds: &self.place.cache,
        });
    }
}

/// One version.
struct Look<'l> {
    judge: &'l Judge<'l>,
    part: &'l mut Part,
    module: ModuleVersion,
    files: Version,
    lock: PathBuf,
}

impl Look<'_> {
    fn go_mod(&mut self) {
        let Some(path) = self.files.go_mod.clone() else {
            return;
        };
        let Some(bytes) = self.part.read(&path, MOST_MOD) else {
            return;
        };
        if bytes.starts_with(OLD_VGO) {
            return;
        }
        let ill = form::go_mod(&bytes).err();
        let records = self.judge.records;
        if ill.is_none() && !records.know(&self.module) {
            return;
        }
        let hash = hash_go_mod(&bytes);
        let mut removes = vec![Piece::of(path.clone(), Some(&bytes))];
        if let Some(ill) = ill {
            // Whatever it looks like, it may be what its author published.
            if records.of_database(&self.module, Hashed::GoMod, &hash) == Word::Right {
                return;
            }
            let mut says = ill;
            // Then it is what its author published, and removing it brings it again.
            if self
                .published_go_mod()
                .is_some_and(|published| published == bytes)
            {
                says.push_str(", as the go.mod in its zip does");
                let why = "go fails with “parsing go.mod” in every project that needs it: it was \
                           published so. Another version, or a fork by `replace`, is the way out.";
                self.add(Code::CacheMod, &path, &says, why, Vec::new());
                if let Some(broken) = self.part.broken.last_mut() {
                    broken.because = Some("it is what was published".to_owned());
                }
                return;
            }
            let lines = records.lines_with(&self.module, &hash);
            for line in lines.iter().flatten() {
                says.push_str(&format!("; {line} has its hash"));
            }
            removes.extend(lines);
            let why = "go fails with “parsing go.mod: missing module line”, or with “checksum \
                       mismatch” where go.sum knows better, in every project that needs it and \
                       on any network.";
            return self.add(Code::CacheMod, &path, &says, why, removes);
        }
        let word = records.word(&self.module, Hashed::GoMod, &hash);
        let Word::Wrong { who, hash, sure } = word else {
            return;
        };
        let published = self.published_go_mod();
        let sure = match &published {
            Some(published) if *published == bytes => false,
            Some(published) if hash_go_mod(published) == hash => true,
            Some(_) | None => sure,
        };
        let says = format!("is another one than {who} has");
        let why = "go fails with “verifying go.mod: checksum mismatch … SECURITY ERROR”.";
        removes.retain(|_| sure);
        self.add(Code::CacheMod, &path, &says, why, removes);
    }

    /// The go.mod in the version's zip, which is the same one (but for modules that have none).
    fn published_go_mod(&self) -> Option<Vec<u8>> {
        let zip = self.open(self.files.zip.as_ref()?).ok()?;
        zip.read(&format!("{}/go.mod", self.module), MOST_MOD).ok()
    }

    fn info(&mut self) {
        let Some(path) = self.files.info.clone() else {
            return;
        };
        let Some(bytes) = self.part.read(&path, MOST_SMALL) else {
            return;
        };
        let Err(ill) = form::info(&bytes, &self.module) else {
            return;
        };
        let why = if ill.starts_with("names") {
            "go takes this version for the one that is named there."
        } else {
            "go asks for it again where there is a network, fails where there is none, and \
                 so does whoever takes this cache for a proxy (file://)."
        };
        let removes = vec![Piece::of(path.clone(), Some(&bytes))];
        self.add(Code::CacheInfo, &path, &ill, why, removes);
    }

    /// The zip and its `.ziphash`, which are believed without another look by go.
    fn zip(&mut self) {
        if self.zip_is_well() {
            return;
        }
        // go may have been about to write them: looked at again when nobody is.
        let held = lock::existing(&self.lock);
        if held.is_some() && self.zip_is_well() {
            return;
        }
        self.zip_is_ill();
    }

    /// Nothing to find, as far as it can be told without proof.
    fn zip_is_well(&mut self) -> bool {
        let noted = self.noted();
        if let Some(Noted { ill: Some(_), .. }) = &noted {
            return false;
        }
        let word = match &noted {
            Some(noted) if self.judge.records.know(&self.module) => self.word(&noted.hash),
            Some(_) | None => Word::Unknown,
        };
        if matches!(word, Word::Wrong { .. }) {
            return false;
        }
        let Some(path) = self.files.zip.clone() else {
            return true;
        };
        match self.open(&path) {
            Ok(zip) if self.judge.hash => {
                self.part.hashed += 1;
                match zip.h1() {
                    Ok(h1) => noted.is_none_or(|noted| noted.hash == h1) && self.is_right(&h1),
                    Err(ZipError::Io { .. }) => true,
                    Err(_) => false,
                }
            }
            Ok(_) => true,
            Err(ZipError::Io { error, .. }) => {
                // What cannot be read is not proven bad.
                self.part.unread(&path, &error);
                true
            }
            Err(_) => false,
        }
    }

    /// Proves what is wrong, and says what has to go.
    fn zip_is_ill(&mut self) {
        let noted = self.noted();
        let Some(path) = self.files.zip.clone() else {
            self.zip_hash_is_ill(noted, None);
            return;
        };
        let h1 = match self.open(&path).and_then(|zip| zip.h1()) {
            Ok(h1) => h1,
            Err(ZipError::Io { error, .. }) => return self.part.unread(&path, &error),
            Err(error) => {
                let says = match &error {
                    ZipError::Bad { why, .. } => format!("is no module zip: {why}"),
                    ZipError::Entry { name, why, .. } => format!("is damaged at {name}: {why}"),
                    ZipError::Io { .. } => return,
                };
                return self.zip_goes(&path, &says, noted);
            }
        };
        if let Word::Wrong { who, sure, .. } = self.word(&h1) {
            let says = format!("is another one than {who} has");
            if sure {
                return self.zip_goes(&path, &says, noted);
            }
            let why = "go fails with “checksum mismatch … SECURITY ERROR” in that project.";
            return self.add(Code::CacheZip, &path, &says, why, Vec::new());
        }
        let agrees = noted.as_ref().is_some_and(|noted| noted.hash == h1);
        if agrees {
            return;
        }
        let proven = self.word(&h1) == Word::Right;
        let well_formed = noted.as_ref().filter(|noted| noted.ill.is_none());
        let hash = well_formed.map(|noted| noted.hash.clone());
        let Some(hash) = hash.filter(|_| !proven) else {
            return self.zip_hash_is_ill(noted, Some(&h1));
        };
        let says = format!("hashes to {h1}, but was {hash} when it was stored");
        if self.tree_hash().as_ref() != Some(&h1) {
            return self.zip_goes(&path, &says, noted);
        }
        // Zip and tree against the note: one of the two sides was changed, and both are whole.
        let why = "go builds what is there, and `go mod verify` fails.";
        self.add(Code::CacheZip, &path, &says, why, Vec::new());
    }

    /// Only the note goes: go hashes the zip again, or fetches it.
    fn zip_hash_is_ill(&mut self, noted: Option<Noted>, h1: Option<&str>) {
        let (Some(noted), Some(path)) = (noted, self.files.zip_hash.clone()) else {
            return;
        };
        let says = match (&noted.ill, h1, self.word(&noted.hash)) {
            (Some(ill), _, _) => (*ill).to_owned(),
            (None, Some(h1), _) => format!("has {}, but the zip hashes to {h1}", noted.hash),
            (
                None,
                None,
                Word::Wrong {
                    who, sure: true, ..
                },
            ) => format!("is another one than {who} has"),
            // Without a zip the tree could tell, but go asks neither.
            (None, None, _) => return,
        };
        let mut removes = vec![noted.piece];
        // Without a zip the tree is all there is of the version.
        if h1.is_none() {
            removes.extend(self.bad_tree(None));
        }
        let why = "go fails with “unexpected ziphash” or “checksum mismatch”, or hashes the zip \
                   again: which of these depends on its version.";
        self.add(Code::CacheZiphash, &path, &says, why, removes);
    }

    /// The zip goes, and what rests on it: the note, and the tree unless it is proven good.
    fn zip_goes(&mut self, path: &Path, says: &str, noted: Option<Noted>) {
        let mut removes = Vec::new();
        let tree = self.bad_tree(noted.as_ref());
        let tree_is_good = tree.is_none() && self.tree().is_some();
        // A tree that is what the note says needs the note, or go would take it for a half one.
        let keeps_note = tree_is_good && noted.as_ref().is_some_and(|noted| noted.ill.is_none());
        if let Some(noted) = noted.filter(|_| !keeps_note) {
            removes.push(noted.piece);
        }
        removes.extend(tree);
        removes.push(Piece::of(path.to_owned(), None));
        let why = if keeps_note {
            "go does not look at it as long as the tree that was unpacked from it is there, \
                 which is still good and stays; whoever takes this cache for a proxy (file://) \
                 gets it as it is."
        } else {
            "go fails with “zip: not a valid zip file”, which names no module, or with \
                 “checksum mismatch”; or it builds what nobody published."
        };
        self.add(Code::CacheZip, path, says, why, removes);
    }

    /// The tree that go builds from: what `go mod verify` calls modified, after a power cut or
    /// by an editor. Looked at with the zips alone, since it takes as long again.
    fn unpacked(&mut self) {
        let (Some(path), true) = (self.tree(), self.judge.hash) else {
            return;
        };
        if self.tree_is_well(&path) {
            return;
        }
        // go may have been at it.
        let held = lock::existing(&self.lock);
        if held.is_some() && self.tree_is_well(&path) {
            return;
        }
        // Whether the note is the right one is for the zip or the records to say.
        let Some(noted) = self.noted() else { return };
        let zip = self.files.zip.clone();
        let zip = zip.and_then(|zip| self.open(&zip).ok()?.h1().ok());
        let word = self.word(&noted.hash);
        let sure = word == Word::Right || word == Word::Unknown && zip == Some(noted.hash);
        let removes = sure.then(|| Piece::of(path.clone(), None));
        let says = "is not what was unpacked there";
        let why = "go builds what is there, and `go mod verify` says “dir has been modified”.";
        let removes = removes.into_iter().collect();
        self.add(Code::CacheTree, &path, says, why, removes);
    }

    /// One that go takes for none, or of which nothing is known here, is no fault.
    fn tree_is_well(&mut self, path: &Path) -> bool {
        let partial = self.lock.with_extension("partial");
        let name = self.module.to_string();
        let told = self.part.broken.iter().any(|broken| {
            broken.module.as_ref() == Some(&name)
                && matches!(broken.code, Code::CacheZip | Code::CacheZiphash)
        });
        let noted = self.noted().filter(|noted| noted.ill.is_none());
        let (Some(noted), false) = (noted, told || partial.exists()) else {
            return true;
        };
        match tree::h1(path, &self.module.path, &self.module.version) {
            Ok(hash) => hash == noted.hash,
            // A link, or a name that no module holds.
            Err(error) if error.kind() == io::ErrorKind::Other => false,
            Err(error) => {
                self.part.unread(path, &error);
                true
            }
        }
    }

    /// The tree, where it is not what the records or a note of good form say. One of which
    /// nothing is known stays: without a note go unpacks it again.
    fn bad_tree(&self, noted: Option<&Noted>) -> Option<io::Result<Piece>> {
        let path = self.tree()?;
        let hash = tree::h1(&path, &self.module.path, &self.module.version).ok()?;
        let by_note = noted.filter(|noted| noted.ill.is_none());
        let wrong = match self.word(&hash) {
            Word::Right => false,
            Word::Wrong { sure: true, .. } => true,
            Word::Wrong { .. } | Word::Unknown => by_note.is_some_and(|noted| noted.hash != hash),
        };
        wrong.then(|| Piece::of(path, None))
    }

    fn tree(&self) -> Option<PathBuf> {
        tree::find(self.judge.place, &self.module.path, &self.files.escaped)
    }

    fn tree_hash(&self) -> Option<String> {
        tree::h1(&self.tree()?, &self.module.path, &self.module.version).ok()
    }

    fn open(&self, path: &Path) -> Result<ModZip, ZipError> {
        let zip = ModZip::open(path)?;
        zip.belongs_to(&self.module.path, &self.module.version)?;
        Ok(zip)
    }

    fn noted(&mut self) -> Option<Noted> {
        let path = self.files.zip_hash.clone()?;
        let bytes = self.part.read(&path, MOST_SMALL)?;
        Some(Noted {
            ill: form::zip_hash(&bytes).err(),
            hash: String::from_utf8_lossy(bytes.trim_ascii()).into_owned(),
            piece: Piece::of(path, Some(&bytes)),
        })
    }

    fn word(&self, hash: &str) -> Word {
        self.judge.records.word(&self.module, Hashed::Zip, hash)
    }

    fn is_right(&self, hash: &str) -> bool {
        !matches!(self.word(hash), Word::Wrong { .. })
    }

    fn add(
        &mut self,
        code: Code,
        place: &Path,
        says: &str,
        why: &str,
        removes: Vec<io::Result<Piece>>,
    ) {
        self.part.add(Finding {
            code,
            module: Some(self.module.to_string()),
            place,
            says,
            why: why.to_owned(),
            mend: format!("go mod download {}", self.module),
            removes,
            lock: Some(self.lock.clone()),
            bounds: &self.judge.place.cache,
        });
    }
}

/// What `.ziphash` says.
#[derive(Debug)]
struct Noted {
    ill: Option<&'static str>,
    hash: String,
    piece: io::Result<Piece>,
}
