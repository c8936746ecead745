//! Judges the files of each version. Intact versions are read once. A version with a flaw is read
//! again to the end, under go's lock, to prove the flaw and to find which of its files are still
//! good.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::lock;
use super::place::Place;
use super::records::Records;
use super::report::{Broken, CacheReport, Piece};
use crate::bounded;
use crate::doctor::finding::Code;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{self, MOST_MOD};
use crate::gomod::go_sum::Hashed;
use crate::gomod::stored::{
    self, Comparison, FileFault, Flaw, Source, StoredMod, StoredVersion, StoredZip, VersionFile,
};
use crate::gomod::sum::{Summing, hash_sums};
use crate::gomod::zip::ModZip;
use crate::mirror::verify::{read_zip, zip_fault};
use crate::mirror::{Files, FilesBelow, Module};

/// go treats a `.mod` with this prefix as missing (`modfetch/cache.go:oldVgoPrefix`).
const OLD_VGO: &[u8] = b"//vgo 0.0.";
/// Maximum size of the other small files in bytes; an `.info` with an `Origin` has some 400.
const MOST_SMALL: u64 = 1 << 20;
/// Maximum size of a `list` in bytes.
const MOST_LIST: u64 = 16 << 20;
/// Size of a buffer in bytes.
const BUFFER: usize = 64 << 10;

/// Judges modules one by one.
#[derive(Debug)]
pub(super) struct Judge<'j> {
    pub(super) place: &'j Place,
    pub(super) records: &'j Records<'j>,
    /// Whether to hash every zip.
    pub(super) hash: bool,
}

impl Judge<'_> {
    /// Judges the `list` and all versions of a module.
    pub(super) fn module(&self, path: &str, module: &Module) -> CacheReport {
        let mut report = CacheReport {
            versions: module.versions.len(),
            ..CacheReport::default()
        };
        let list = self.place.layout.list(path).ok().filter(|_| module.list);
        // go writes the list from the names of the files beside it. Without a version it has no
        // line.
        if let Some(path) = list
            && let Some(bytes) = report.read(&path, MOST_LIST)
            && let Some(fault) = form::foreign(&bytes).filter(|_| !bytes.is_empty())
        {
            let why = "go only writes it, but a go command that uses this cache as a proxy \
                       (file://) finds no versions.";
            let broken = Broken {
                mend: "go writes it again with the next version that it fetches".to_owned(),
                ..Broken::new(Code::CacheList, &path, fault, why, &self.place.cache)
            };
            report.add(broken, vec![Piece::of(path, Some(&bytes))]);
        }
        for (module, files) in &module.versions {
            let Ok(info) = self.place.layout.file(module, VersionFile::Info) else {
                continue;
            };
            let look = Look {
                judge: self,
                report: &mut report,
                module,
                files,
                lock: info.with_extension("lock"),
            };
            look.version();
        }
        report
    }
}

/// One version.
struct Look<'l> {
    judge: &'l Judge<'l>,
    report: &'l mut CacheReport,
    module: &'l ModuleVersion,
    files: &'l Files,
    lock: PathBuf,
}

/// What was read of a version, with the content of its small files.
struct Seen<'s> {
    stored: StoredVersion<'s>,
    go_mod: Option<Vec<u8>>,
    /// The hash in `.ziphash`.
    noted: Option<String>,
    flaws: Vec<Flaw>,
}

impl<'l> Look<'l> {
    fn version(mut self) {
        let hash = self.judge.hash;
        let mut seen = self.read(hash);
        self.report.hashed += usize::from(hash && self.path(VersionFile::Zip).is_some());
        let mut has_zip_flaw = false;
        if !seen.flaws.is_empty() {
            // go may have been writing them: they are read again while go's lock is held.
            let _held = lock::file(&self.lock).ok();
            seen = self.read(true);
            let is_zip = |flaw: &Flaw| {
                let is_unread = matches!(flaw.fault, FileFault::Unreadable(_));
                flaw.file == VersionFile::Zip && !is_unread
            };
            has_zip_flaw = seen.flaws.iter().any(is_zip);
            for flaw in &seen.flaws {
                // The finding about the zip also covers its `.ziphash`.
                let is_note = flaw.file == VersionFile::ZipHash;
                if !is_note || !has_zip_flaw {
                    self.flaw(&seen, flaw.file, &flaw.fault);
                }
                has_zip_flaw |= is_note;
            }
        }
        // Only examined when zips are hashed, since it takes as long again.
        if hash && !has_zip_flaw {
            self.unpacked();
        }
    }

    /// Returns the path of a file of the version; `None` if it does not exist.
    fn path(&self, file: VersionFile) -> Option<PathBuf> {
        self.files.get(&file)?;
        self.judge.place.layout.file(self.module, file).ok()
    }

    fn small(&mut self, file: VersionFile, most: u64) -> Option<Vec<u8>> {
        self.report.read(&self.path(file)?, most)
    }

    /// Reads the files; reads the zip to the end only if it is to be hashed.
    fn read(&mut self, hash: bool) -> Seen<'l> {
        let module = self.module;
        let go_mod = self.small(VersionFile::Mod, MOST_MOD);
        let go_mod = go_mod.filter(|bytes| !bytes.starts_with(OLD_VGO));
        let info = self.small(VersionFile::Info, MOST_SMALL);
        let zip_hash = self.small(VersionFile::ZipHash, MOST_SMALL);
        let zip = self.path(VersionFile::Zip).map(|path| {
            if hash {
                return read_zip(module, &path);
            }
            ModZip::open(&path)
                .and_then(|zip| zip.belongs_to(&module.path, &module.version))
                .map(|()| StoredZip::default())
                .map_err(zip_fault)
        });
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
        let has_zip = self.files.contains_key(&VersionFile::Zip);
        let counts = |flaw: &Flaw| match &flaw.fault {
            // It is not a fault of the cache if the database has not been asked.
            FileFault::Unproven(_) | FileFault::Forged(_) => false,
            FileFault::Differs { by, sure, .. } => match (by, flaw.file) {
                // A wrong line of a go.sum is not one, either.
                (Source::GoSum(_), VersionFile::Mod) => !judgement.mod_is_proven,
                (Source::GoSum(_), VersionFile::Zip) => !judgement.zip_is_proven,
                // Without a zip the unpacked tree could show which one is wrong, but go checks
                // neither.
                (Source::GoSum(_), VersionFile::ZipHash) => *sure || has_zip,
                // The zip may hold another go.mod, or none.
                (Source::Zip, VersionFile::Mod) => !form_is_good,
                _ => true,
            },
            FileFault::Broken { .. } | FileFault::Unreadable(_) => true,
        };
        let flaws = judgement.flaws.iter().filter(|flaw| counts(flaw));
        Seen {
            flaws: flaws.cloned().collect(),
            stored,
            go_mod,
            noted,
        }
    }

    fn flaw(&mut self, seen: &Seen<'_>, file: VersionFile, fault: &FileFault) {
        let Some(path) = self.path(file) else { return };
        let (mut says, sure) = match fault {
            // Unreadable small files are already in the report.
            FileFault::Unreadable(why) => return self.report.unread(&path, why),
            FileFault::Unproven(_) | FileFault::Forged(_) => return,
            FileFault::Broken { why, .. } => (why.clone(), true),
            FileFault::Differs {
                by: Source::ZipHash,
                expected,
                found,
                ..
            } => {
                let says = format!("hashes to {found}, but was {expected} when it was stored");
                // If zip and tree agree, but not with `.ziphash`, one side was changed, and it is
                // not known which.
                let tree = self.tree().and_then(|tree| self.tree_hash(&tree).ok());
                (says, tree.as_ref() != Some(found))
            }
            FileFault::Differs {
                by: Source::Zip,
                expected,
                found,
                ..
            } if file == VersionFile::ZipHash => {
                let says = format!("has {found}, but the zip hashes to {expected}");
                (says, true)
            }
            FileFault::Differs { by, sure, .. } => {
                let by = match by {
                    Source::Database(by) | Source::GoSum(by) => by,
                    Source::ZipHash | Source::NotedMod | Source::Zip => "the file beside it",
                };
                (format!("does not match the hash recorded by {by}"), *sure)
            }
        };
        let piece = |bytes: &Option<Vec<u8>>| vec![Piece::of(path.clone(), bytes.as_deref())];
        let stored = |read: &Option<Result<Vec<u8>, String>>| read.clone().and_then(Result::ok);
        let (code, why, removes) = match file {
            VersionFile::Mod => {
                let Some(Ok(stored)) = &seen.stored.go_mod else {
                    return;
                };
                let mut removes = piece(&seen.go_mod);
                let why = match &stored.form {
                    Ok(()) => {
                        removes.retain(|_| sure);
                        "go fails with “verifying go.mod: checksum mismatch … SECURITY ERROR”."
                    }
                    Err(form) => {
                        says.clone_from(form);
                        let zip = seen.stored.zip.as_ref().and_then(|zip| zip.as_ref().ok());
                        if zip.and_then(|zip| zip.go_mod.as_ref()) == Some(&stored.hash) {
                            return self.published_so(&path, form);
                        }
                        let lines = self.judge.records.lines_with(self.module, &stored.hash);
                        for line in lines.iter().flatten() {
                            says.push_str(&format!("; {line} has its hash"));
                        }
                        removes.extend(lines);
                        "go fails with “parsing go.mod: missing module line”, or with “checksum \
                         mismatch” where go.sum knows better, in every project that needs it and \
                         on any network."
                    }
                };
                (Code::CacheMod, why, removes)
            }
            VersionFile::Info => {
                let why = if says.starts_with("names") {
                    "go takes this version for the one that is named there."
                } else {
                    "go asks for it again where there is a network and fails where there is none, \
                     as does every go command that uses this cache as a proxy (file://)."
                };
                (Code::CacheInfo, why, piece(&stored(&seen.stored.info)))
            }
            VersionFile::Zip if sure => {
                let (why, removes) = self.without_zip(seen, &path);
                (Code::CacheZip, why, removes)
            }
            VersionFile::Zip => {
                let by = Source::ZipHash;
                let why = if matches!(fault, FileFault::Differs { by: one, .. } if *one == by) {
                    "go builds what is there, and `go mod verify` fails."
                } else {
                    "go fails with “checksum mismatch … SECURITY ERROR” in that project."
                };
                (Code::CacheZip, why, Vec::new())
            }
            VersionFile::ZipHash if !sure => return,
            // Only `.ziphash` is removed: go hashes the zip again, or downloads it.
            VersionFile::ZipHash => {
                let mut removes = piece(&stored(&seen.stored.zip_hash));
                // Without a zip, the tree is the only copy of the version.
                if self.path(VersionFile::Zip).is_none() {
                    removes.extend(self.bad_tree(None));
                }
                let why = "go fails with “unexpected ziphash” or “checksum mismatch”, or hashes \
                           the zip again: which of these depends on its version.";
                (Code::CacheZiphash, why, removes)
            }
        };
        self.add(code, &path, &says, why, removes);
    }

    /// Reports a go.mod that its author published in this form: after a removal, go would download
    /// the same one.
    fn published_so(&mut self, path: &Path, form: &str) {
        let says = format!("{form}, as the go.mod in its zip does");
        let why = "go fails with “parsing go.mod” in every project that needs it: it was published \
                   so. Another version, or a fork by `replace`, is the way out.";
        let mut broken = self.broken(Code::CacheMod, path, &says, why);
        broken.because = Some("it is what was published".to_owned());
        self.report.add(broken, Vec::new());
    }

    /// Returns what is removed together with a zip: its `.ziphash`, and the tree unless it is
    /// proven good.
    fn without_zip(&self, seen: &Seen<'_>, path: &Path) -> (&'static str, Vec<io::Result<Piece>>) {
        let tree = self.bad_tree(seen.noted.as_deref());
        // A tree that matches `.ziphash` needs that file; without it go would consider the tree
        // incomplete.
        let keeps_note = tree.is_none() && self.tree().is_some() && seen.noted.is_some();
        let note = self.path(VersionFile::ZipHash).filter(|_| !keeps_note);
        let bytes = seen
            .stored
            .zip_hash
            .as_ref()
            .and_then(|read| read.as_ref().ok());
        let note = note
            .zip(bytes)
            .map(|(path, bytes)| Piece::of(path, Some(bytes)));
        let zip = Piece::of(path.to_owned(), None);
        let why = if keeps_note {
            "go does not look at it as long as the tree that was unpacked from it is there, which \
             is still good and stays; a go command that uses this cache as a proxy (file://) gets \
             it as it is."
        } else {
            "go fails with “zip: not a valid zip file”, which names no module, or with “checksum \
             mismatch”; or it builds what was never published."
        };
        (why, note.into_iter().chain(tree).chain([zip]).collect())
    }

    /// Judges the tree that go builds from. After a power cut or an editor's change, `go mod
    /// verify` calls it modified.
    fn unpacked(&mut self) {
        let Some(path) = self.tree() else {
            return;
        };
        if self.tree_is_good(&path) {
            return;
        }
        // go may have been writing it.
        let held = lock::file(&self.lock).ok();
        if held.is_some() && self.tree_is_good(&path) {
            return;
        }
        // The zip or the records decide whether `.ziphash` is correct.
        let Some(noted) = self.noted() else { return };
        let zip = self.path(VersionFile::Zip);
        let h1 = zip.and_then(|zip| read_zip(self.module, &zip).ok()?.h1);
        let sure = match self.compare(&noted) {
            Comparison::Same => true,
            Comparison::Unknown => h1 == Some(noted),
            Comparison::Differs { .. } => false,
        };
        let removes = sure.then(|| Piece::of(path.clone(), None));
        let removes = removes.into_iter().collect();
        let says = "is not what was unpacked there";
        let why = "go builds what is there, and `go mod verify` says “dir has been modified”.";
        self.add(Code::CacheTree, &path, says, why, removes);
    }

    /// Reports whether the tree is good. A tree that go does not use, or that cannot be judged, is
    /// not a fault.
    fn tree_is_good(&mut self, path: &Path) -> bool {
        let partial = self.lock.with_extension("partial");
        let Some(noted) = self.noted().filter(|_| !partial.exists()) else {
            return true;
        };
        match self.tree_hash(path) {
            Ok(hash) => hash == noted,
            // A link, or a name that a module cannot contain.
            Err(error) if error.kind() == io::ErrorKind::Other => false,
            Err(error) => {
                self.report.unread(path, &error);
                true
            }
        }
    }

    /// Returns the tree if it contradicts the records or a well-formed `.ziphash`. A tree about
    /// which nothing is known stays: without `.ziphash` go unpacks it again.
    fn bad_tree(&self, noted: Option<&str>) -> Option<io::Result<Piece>> {
        let path = self.tree()?;
        let hash = self.tree_hash(&path).ok()?;
        let wrong = match self.compare(&hash) {
            Comparison::Same => false,
            Comparison::Differs { sure: true, .. } => true,
            Comparison::Differs { .. } | Comparison::Unknown => {
                noted.is_some_and(|noted| noted != hash)
            }
        };
        wrong.then(|| Piece::of(path, None))
    }

    /// Returns the tree that go has unpacked: `$GOMODCACHE/MODULE@VERSION`.
    fn tree(&self) -> Option<PathBuf> {
        let name = self.module.escaped().ok()?.to_string();
        let mut path = self.judge.place.cache.clone();
        path.extend(name.split('/'));
        let meta = std::fs::symlink_metadata(&path).ok()?;
        meta.is_dir().then_some(path)
    }

    /// Returns the `h1:` of the tree's content, as `go mod verify` computes it (`dirhash.HashDir`).
    fn tree_hash(&self, folder: &Path) -> io::Result<String> {
        let mut files = Vec::new();
        for (name, path) in FilesBelow::list(folder, &format!("{}/", self.module), &[]).all()? {
            if !std::fs::symlink_metadata(&path)?.is_file() {
                return Err(io::Error::other("not a file of a module"));
            }
            let mut summing = Summing::default();
            let file = bounded::open_no_link(&path)?;
            io::copy(&mut BufReader::with_capacity(BUFFER, file), &mut summing)?;
            files.push((name, summing.finish()));
        }
        let files = files.iter().map(|(name, sum)| (name.as_str(), *sum));
        hash_sums(files.collect()).map_err(io::Error::other)
    }

    /// Returns the current hash in `.ziphash`.
    fn noted(&mut self) -> Option<String> {
        form::zip_hash(&self.small(VersionFile::ZipHash, MOST_SMALL)?).ok()
    }

    /// Compares the hash of a zip, or of the tree that was unpacked from it, with the records.
    fn compare(&self, hash: &str) -> Comparison {
        let records = self.judge.records;
        let answer = records.answer(self.module, Some(hash), None);
        let claims = records.claims(self.module);
        stored::compare(&answer, &claims, Hashed::Zip, hash)
    }

    fn broken(&self, code: Code, place: &Path, says: &str, why: &str) -> Broken {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        Broken {
            module: Some(self.module.to_string()),
            says: format!("{name} of {} {says}", self.module),
            mend: format!("go mod download {}", self.module),
            lock: Some(self.lock.clone()),
            ..Broken::new(code, place, says, why, &self.judge.place.cache)
        }
    }

    fn add(
        &mut self,
        code: Code,
        place: &Path,
        says: &str,
        why: &str,
        removes: Vec<io::Result<Piece>>,
    ) {
        let broken = self.broken(code, place, says, why);
        self.report.add(broken, removes);
    }
}
