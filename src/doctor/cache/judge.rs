//! Judges the files of each version. Intact versions are read once; one with a flaw is read again
//! under go's lock, to its end, to prove the flaw and to see what of the version is still good.

use std::io;
use std::path::{Path, PathBuf};

use super::place::Place;
use super::records::Records;
use super::report::{Broken, Outcome};
use super::stamp::Piece;
use super::walk::{Module, Version};
use super::{lock, tree};
use crate::bounded::{if_any, read_no_link};
use crate::doctor::finding::Code;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{self, MOST_MOD};
use crate::gomod::go_sum::Hashed;
use crate::gomod::stored::{
    self, Comparison, FileFault, Flaw, Source, StoredMod, StoredVersion, StoredZip, VersionFile,
};
use crate::gomod::zip::ModZip;
use crate::mirror::verify::{read_zip, zip_fault};

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
            let look = Look {
                judge: self,
                part: &mut part,
                module: &ModuleVersion::new(&module.path, version),
                lock: module.folder.join(format!("{}.lock", files.escaped)),
                files,
            };
            look.version();
        }
        part
    }

    fn list(&self, part: &mut Part, path: &Path) {
        let Some(bytes) = part.read(path, MOST_LIST) else {
            return;
        };
        // go writes it from the names of the files beside it. No version yet, no line.
        let Some(fault) = form::foreign(&bytes).filter(|_| !bytes.is_empty()) else {
            return;
        };
        part.add(Finding {
            code: Code::CacheList,
            module: None,
            place: path,
            says: fault,
            why: "go only writes it, but a go command that uses this cache as a proxy (file://) \
                  finds no versions."
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
    module: &'l ModuleVersion,
    files: Version,
    lock: PathBuf,
}

/// What was read of a version, with the small files as they were.
struct Seen<'s> {
    stored: StoredVersion<'s>,
    go_mod: Option<Vec<u8>>,
    flaws: Vec<Flaw>,
}

impl<'l> Look<'l> {
    fn version(mut self) {
        let seen = self.read(self.judge.hash);
        if self.judge.hash && self.files.zip.is_some() {
            self.part.hashed += 1;
        }
        let mut has_zip_flaw = false;
        if !seen.flaws.is_empty() {
            // go may have been about to write them: looked at again while it does not.
            let _held = lock::existing(&self.lock);
            let seen = self.read(true);
            let is_zip = |flaw: &Flaw| {
                let is_unread = matches!(flaw.fault, FileFault::Unreadable(_));
                flaw.file == VersionFile::Zip && !is_unread
            };
            has_zip_flaw = seen.flaws.iter().any(is_zip);
            for flaw in &seen.flaws {
                match flaw.file {
                    VersionFile::Mod => self.mod_flaw(&seen, &flaw.fault),
                    VersionFile::Info => self.info_flaw(&seen, &flaw.fault),
                    VersionFile::Zip => self.zip_flaw(&seen, &flaw.fault),
                    // What is to become of the zip decides that of its note, too.
                    VersionFile::ZipHash if has_zip_flaw => {}
                    VersionFile::ZipHash => {
                        has_zip_flaw = true;
                        self.zip_hash_flaw(&seen, &flaw.fault);
                    }
                }
            }
        }
        // Looked at with the zips alone, since it takes as long again.
        if self.judge.hash && !has_zip_flaw {
            self.unpacked();
        }
    }

    /// Reads the files, the zip to its end only where it is to be hashed.
    fn read(&mut self, hash: bool) -> Seen<'l> {
        let module = self.module;
        let part = &mut *self.part;
        let mut small = |path: &Option<PathBuf>, most| part.read(path.as_ref()?, most);
        let go_mod = small(&self.files.go_mod, MOST_MOD);
        let go_mod = go_mod.filter(|bytes| !bytes.starts_with(OLD_VGO));
        let info = small(&self.files.info, MOST_SMALL);
        let zip_hash = small(&self.files.zip_hash, MOST_SMALL);
        let open = |path: &PathBuf| {
            if hash {
                return read_zip(module, path);
            }
            ModZip::open(path)
                .and_then(|zip| zip.belongs_to(&module.path, &module.version))
                .map(|()| StoredZip::default())
                .map_err(zip_fault)
        };
        let zip = self.files.zip.as_ref().map(open);
        let stored_mod = go_mod.as_deref().map(StoredMod::of);
        let noted = zip_hash
            .as_ref()
            .and_then(|bytes| form::zip_hash(bytes).ok());
        let h1 = match &zip {
            Some(Ok(StoredZip { h1: Some(h1), .. })) => Some(h1),
            _ => noted.as_ref(),
        };
        let records = self.judge.records;
        let mod_hash = stored_mod.as_ref().map(|stored| stored.hash.as_str());
        let stored = StoredVersion {
            module,
            info: info.map(Ok),
            noted_mod: None,
            zip_hash: zip_hash.map(Ok),
            answer: records.answer(module, h1.map(String::as_str), mod_hash),
            claims: records.claims(module),
            go_mod: stored_mod.map(Ok),
            zip,
        };
        let judgement = stored::judge(&stored);
        let form_is_good = matches!(&stored.go_mod, Some(Ok(stored)) if stored.form.is_ok());
        let counts = |flaw: &Flaw| match &flaw.fault {
            // That the database has not been asked is no fault of the cache.
            FileFault::Unproven(_) | FileFault::Forged(_) => false,
            FileFault::Differs { by, sure, .. } => match (by, flaw.file) {
                // A wrong line of a go.sum is not either.
                (Source::GoSum(_), VersionFile::Mod) => !judgement.mod_is_proven,
                (Source::GoSum(_), VersionFile::Zip) => !judgement.zip_is_proven,
                // Without a zip the tree could tell, but go asks neither.
                (Source::GoSum(_), VersionFile::ZipHash) => *sure || self.files.zip.is_some(),
                // The zip may hold another one, or none.
                (Source::Zip, VersionFile::Mod) => !form_is_good,
                _ => true,
            },
            FileFault::Broken { .. } | FileFault::Unreadable(_) => true,
        };
        Seen {
            flaws: judgement
                .flaws
                .iter()
                .filter(|flaw| counts(flaw))
                .cloned()
                .collect(),
            stored,
            go_mod,
        }
    }

    fn mod_flaw(&mut self, seen: &Seen<'_>, fault: &FileFault) {
        let (Some(path), Some(bytes)) = (self.files.go_mod.clone(), &seen.go_mod) else {
            return;
        };
        let Some(Ok(stored)) = &seen.stored.go_mod else {
            return;
        };
        let mut removes = vec![Piece::of(path.clone(), Some(bytes))];
        if let Err(form) = &stored.form {
            let mut says = form.clone();
            let in_zip = match &seen.stored.zip {
                Some(Ok(zip)) => zip.go_mod.as_ref(),
                Some(Err(_)) | None => None,
            };
            // Then its author published it so, and removing it brings it again.
            if in_zip == Some(&stored.hash) {
                says.push_str(", as the go.mod in its zip does");
                let why = "go fails with “parsing go.mod” in every project that needs it: it was \
                           published so. Another version, or a fork by `replace`, is the way out.";
                self.add(Code::CacheMod, &path, &says, why, Vec::new());
                if let Some(broken) = self.part.broken.last_mut() {
                    broken.because = Some("it is what was published".to_owned());
                }
                return;
            }
            let lines = self.judge.records.lines_with(self.module, &stored.hash);
            for line in lines.iter().flatten() {
                says.push_str(&format!("; {line} has its hash"));
            }
            removes.extend(lines);
            let why = "go fails with “parsing go.mod: missing module line”, or with “checksum \
                       mismatch” where go.sum knows better, in every project that needs it and \
                       on any network.";
            return self.add(Code::CacheMod, &path, &says, why, removes);
        }
        if let FileFault::Differs { by, sure, .. } = fault {
            let why = "go fails with “verifying go.mod: checksum mismatch … SECURITY ERROR”.";
            removes.retain(|_| *sure);
            self.add(Code::CacheMod, &path, &other_hash(by), why, removes);
        }
    }

    fn info_flaw(&mut self, seen: &Seen<'_>, fault: &FileFault) {
        let (Some(path), Some(Ok(bytes))) = (self.files.info.clone(), &seen.stored.info) else {
            return;
        };
        let FileFault::Broken { why: says, .. } = fault else {
            return;
        };
        let why = if says.starts_with("names") {
            "go takes this version for the one that is named there."
        } else {
            "go asks for it again where there is a network and fails where there is none, as does \
             every go command that uses this cache as a proxy (file://)."
        };
        let removes = vec![Piece::of(path.clone(), Some(bytes))];
        self.add(Code::CacheInfo, &path, says, why, removes);
    }

    /// The zip, which go believes without another look, as it does its `.ziphash`.
    fn zip_flaw(&mut self, seen: &Seen<'_>, fault: &FileFault) {
        let Some(path) = self.files.zip.clone() else {
            return;
        };
        match fault {
            FileFault::Unreadable(why) => self.part.unread(&path, why),
            FileFault::Broken { why, .. } => self.zip_goes(seen, &path, why),
            FileFault::Differs {
                by: Source::ZipHash,
                expected,
                found,
                ..
            } => {
                let says = format!("hashes to {found}, but was {expected} when it was stored");
                if self.tree_hash().as_ref() != Some(found) {
                    return self.zip_goes(seen, &path, &says);
                }
                // Zip and tree against the note: one of the two sides was changed, and both are
                // whole.
                let why = "go builds what is there, and `go mod verify` fails.";
                self.add(Code::CacheZip, &path, &says, why, Vec::new());
            }
            FileFault::Differs { by, sure: true, .. } => {
                self.zip_goes(seen, &path, &other_hash(by));
            }
            FileFault::Differs { by, .. } => {
                let why = "go fails with “checksum mismatch … SECURITY ERROR” in that project.";
                self.add(Code::CacheZip, &path, &other_hash(by), why, Vec::new());
            }
            FileFault::Unproven(_) | FileFault::Forged(_) => {}
        }
    }

    /// Only the note goes: go hashes the zip again, or fetches it.
    fn zip_hash_flaw(&mut self, seen: &Seen<'_>, fault: &FileFault) {
        let says = match fault {
            FileFault::Broken { why, .. } => why.clone(),
            FileFault::Differs {
                by: Source::Zip,
                expected,
                found,
                ..
            } => format!("has {found}, but the zip hashes to {expected}"),
            FileFault::Differs { by, sure: true, .. } => other_hash(by),
            FileFault::Differs { .. }
            | FileFault::Unreadable(_)
            | FileFault::Unproven(_)
            | FileFault::Forged(_) => return,
        };
        let Some((path, piece)) = self.note(seen) else {
            return;
        };
        let mut removes = vec![piece];
        // Without a zip the tree is all there is of the version.
        if self.files.zip.is_none() {
            removes.extend(self.bad_tree(None));
        }
        let why = "go fails with “unexpected ziphash” or “checksum mismatch”, or hashes the zip \
                   again: which of these depends on its version.";
        self.add(Code::CacheZiphash, &path, &says, why, removes);
    }

    /// The zip goes, and what rests on it: the note, and the tree unless it is proven good.
    fn zip_goes(&mut self, seen: &Seen<'_>, path: &Path, says: &str) {
        let mut removes = Vec::new();
        let noted = match &seen.stored.zip_hash {
            Some(Ok(bytes)) => form::zip_hash(bytes).ok(),
            Some(Err(_)) | None => None,
        };
        let tree = self.bad_tree(noted.as_deref());
        let tree_is_good = tree.is_none() && self.tree().is_some();
        // A tree that is what the note says needs the note, or go would take it for a half one.
        let keeps_note = tree_is_good && noted.is_some();
        if let Some((_, note)) = self.note(seen).filter(|_| !keeps_note) {
            removes.push(note);
        }
        removes.extend(tree);
        removes.push(Piece::of(path.to_owned(), None));
        let why = if keeps_note {
            "go does not look at it as long as the tree that was unpacked from it is there, \
             which is still good and stays; a go command that uses this cache as a proxy \
             (file://) gets it as it is."
        } else {
            "go fails with “zip: not a valid zip file”, which names no module, or with \
             “checksum mismatch”; or it builds what nobody published."
        };
        self.add(Code::CacheZip, path, says, why, removes);
    }

    /// The tree that go builds from: what `go mod verify` calls modified, after a power cut or
    /// by an editor.
    fn unpacked(&mut self) {
        let Some(path) = self.tree() else {
            return;
        };
        if self.tree_is_good(&path) {
            return;
        }
        // go may have been at it.
        let held = lock::existing(&self.lock);
        if held.is_some() && self.tree_is_good(&path) {
            return;
        }
        // Whether the note is the right one is for the zip or the records to say.
        let Some(noted) = self.noted() else { return };
        let zip = self.files.zip.as_ref();
        let h1 = zip.and_then(|zip| read_zip(self.module, zip).ok()?.h1);
        let sure = match self.compare(&noted) {
            Comparison::Same => true,
            Comparison::Unknown => h1 == Some(noted),
            Comparison::Differs { .. } => false,
        };
        let removes = sure.then(|| Piece::of(path.clone(), None));
        let says = "is not what was unpacked there";
        let why = "go builds what is there, and `go mod verify` says “dir has been modified”.";
        let removes = removes.into_iter().collect();
        self.add(Code::CacheTree, &path, says, why, removes);
    }

    /// A tree that go does not use, or about which nothing is known here, is no fault.
    fn tree_is_good(&mut self, path: &Path) -> bool {
        let partial = self.lock.with_extension("partial");
        let Some(noted) = self.noted().filter(|_| !partial.exists()) else {
            return true;
        };
        match tree::h1(path, &self.module.path, &self.module.version) {
            Ok(hash) => hash == noted,
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
    fn bad_tree(&self, noted: Option<&str>) -> Option<io::Result<Piece>> {
        let path = self.tree()?;
        let hash = tree::h1(&path, &self.module.path, &self.module.version).ok()?;
        let wrong = match self.compare(&hash) {
            Comparison::Same => false,
            Comparison::Differs { sure: true, .. } => true,
            Comparison::Differs { .. } | Comparison::Unknown => {
                noted.is_some_and(|noted| noted != hash)
            }
        };
        wrong.then(|| Piece::of(path, None))
    }

    fn tree(&self) -> Option<PathBuf> {
        tree::find(self.judge.place, &self.module.path, &self.files.escaped)
    }

    fn tree_hash(&self) -> Option<String> {
        tree::h1(&self.tree()?, &self.module.path, &self.module.version).ok()
    }

    /// The `.ziphash` as it was read.
    fn note(&self, seen: &Seen<'_>) -> Option<(PathBuf, io::Result<Piece>)> {
        let path = self.files.zip_hash.clone()?;
        let bytes = seen.stored.zip_hash.as_ref()?.as_ref().ok()?;
        Some((path.clone(), Piece::of(path, Some(bytes))))
    }

    /// What `.ziphash` says now.
    fn noted(&mut self) -> Option<String> {
        let bytes = self.part.read(self.files.zip_hash.as_ref()?, MOST_SMALL)?;
        form::zip_hash(&bytes).ok()
    }

    /// How the hash of a zip, or of the tree that was unpacked from it, compares with the records.
    fn compare(&self, hash: &str) -> Comparison {
        let records = self.judge.records;
        let answer = records.answer(self.module, Some(hash), None);
        let claims = records.claims(self.module);
        stored::compare(&answer, &claims, Hashed::Zip, hash)
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

fn other_hash(by: &Source) -> String {
    let by = match by {
        Source::Database(by) | Source::GoSum(by) => by,
        Source::ZipHash | Source::NotedMod | Source::Zip => "the file beside it",
    };
    format!("does not match the hash recorded by {by}")
}

/// What became of one module.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) versions: usize,
    pub(super) hashed: usize,
    pub(super) broken: Vec<Broken>,
    pub(super) unread: Vec<(String, String)>,
}

/// What is put into a [`Broken`].
pub(super) struct Finding<'f> {
    pub(super) code: Code,
    pub(super) module: Option<String>,
    pub(super) place: &'f Path,
    pub(super) says: &'f str,
    pub(super) why: String,
    pub(super) mend: String,
    pub(super) removes: Vec<io::Result<Piece>>,
    pub(super) lock: Option<PathBuf>,
    pub(super) bounds: &'f Path,
}

impl Part {
    /// What is broken.
    pub(super) fn add(&mut self, finding: Finding<'_>) {
        let name = finding.place.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let says = match &finding.module {
            Some(module) => format!("{name} of {module} {}", finding.says),
            None => format!("{} {}", finding.place.display(), finding.says),
        };
        let mut removes = Vec::new();
        for piece in finding.removes {
            match piece {
                Ok(piece) => removes.push(piece),
                Err(error) => return self.unread(finding.place, &error),
            }
        }
        let undecided = removes.is_empty();
        self.broken.push(Broken {
            code: finding.code,
            module: finding.module,
            place: finding.place.display().to_string(),
            says,
            why: finding.why,
            mend: finding.mend,
            removes,
            outcome: if undecided {
                Outcome::Kept
            } else {
                Outcome::Found
            },
            because: undecided.then(|| {
                "nothing here tells which is right; run it in a project whose go.sum has it"
                    .to_owned()
            }),
            lock: finding.lock,
            bounds: finding.bounds.to_owned(),
        });
    }

    /// All of a file; what cannot be read is noted.
    pub(super) fn read(&mut self, path: &Path, most: u64) -> Option<Vec<u8>> {
        match if_any(read_no_link(path, most)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unread(path, &error);
                None
            }
        }
    }

    /// What could not be looked at.
    pub(super) fn unread(&mut self, path: &Path, error: &dyn std::fmt::Display) {
        let entry = (path.display().to_string(), error.to_string());
        if !self.unread.contains(&entry) {
            self.unread.push(entry);
        }
    }
}
