//! One checksum database in a mirror, and what it proves without a network.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::layout::Layout;
use super::folder::{Folder, MAX_LOOKUP, MAX_TILE, read};
use super::heads::{Forked, Lookup, ProofError, SignedHead, ordered, read_ledger};
use crate::gomod::ModuleVersion;
use crate::gomod::stored::DatabaseAnswer;
use crate::gomod::sum::tile::{edge, lines_hash, prove_prefix, prove_record, way_down};
use crate::gomod::sum::{Inconsistent, NoteError, ProvenTree, Tile, TreeHead, check_key};
use crate::model::{SumDb, VerifierKey};

/// The database's hashes of one module version: `h1:…`, as in go.sum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// Of its zip.
    pub zip: Option<String>,
    /// Of its go.mod.
    pub go_mod: Option<String>,
}

/// One database's directory in a mirror. Threads may share it; tiles are read once.
#[derive(Debug)]
pub struct Proofs {
    pub(super) key: VerifierKey,
    /// The URL in GOSUMDB.
    pub(super) url: Option<String>,
    /// The mirror.
    pub(super) layout: Layout,
    /// The files that go reads.
    pub(super) folder: Folder,
    /// The files that only goroam reads.
    pub(super) own: PathBuf,
    known: Mutex<Known>,
}

/// What has been read so far.
#[derive(Debug, Default)]
struct Known {
    /// Every head that go has seen, the newest last.
    heads: Vec<SignedHead>,
    /// The newest head's tree, with the tiles that were needed so far.
    tree: Option<FolderTree>,
}

/// The result of verifying everything that is stored.
#[derive(Debug, Default)]
pub struct Report {
    /// The newest head.
    pub head: Option<SignedHead>,
    /// Number of lookups that are proven.
    pub lookups: usize,
    /// Number of tiles that are proven.
    pub tiles: usize,
    /// Faulty files, and why.
    pub faults: Vec<(PathBuf, ProofError)>,
}

impl Report {
    fn broken(&mut self, path: &Path, why: &str) {
        let error = ProofError::unreadable(path, why);
        self.faults.push((path.to_owned(), error));
    }
}

impl Proofs {
    /// Opens this database in the mirror. The mirror may have nothing of it yet.
    ///
    /// # Errors
    /// When GOSUMDB is off, its key is damaged, or goroam's own list of heads cannot be read.
    pub fn open(layout: &Layout, db: &SumDb) -> Result<Proofs, ProofError> {
        let SumDb::Database { key, url, .. } = db else {
            return Err(ProofError::Off);
        };
        check_key(key).map_err(|error| ProofError::Unusable(format!("GOSUMDB: {error}")))?;
        let is_plain = |part: &str| !part.is_empty() && part.bytes().any(|b| b != b'.');
        if !key.name.split('/').all(is_plain) || key.name.contains(['\\', '\0']) {
            let name = &key.name;
            let why = format!("the checksum database's name {name:?} cannot be a folder's");
            return Err(ProofError::Unusable(why));
        }
        let mut own = layout.own().join("sumdb");
        own.extend(key.name.split('/'));
        let proofs = Proofs {
            key: key.clone(),
            url: url.clone(),
            layout: layout.clone(),
            folder: Folder::new(layout.sumdb(&key.name)),
            own,
            known: Mutex::default(),
        };
        let heads = proofs.stored_heads()?;
        proofs.now_knows(heads);
        Ok(proofs)
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// The newest stored tree head; `None` if there is none.
    pub fn head(&self) -> Option<SignedHead> {
        self.known().heads.last().cloned()
    }

    /// Parses a signed note, for example the one in `$GOPATH/pkg/sumdb/NAME/latest`.
    ///
    /// # Errors
    /// When this database has not signed it.
    pub fn read_head(&self, note: &[u8]) -> Result<SignedHead, NoteError> {
        SignedHead::open(note, &self.key)
    }

    /// Returns the database's hashes of a module, if its lookup is stored and proven by stored
    /// files: signed by the key, and in the newest stored tree. Uses no network.
    ///
    /// # Errors
    /// What is missing or wrong. [`ProofError::Absent`] when there is no lookup.
    pub fn prove(&self, module: &ModuleVersion) -> Result<Sums, ProofError> {
        let path = self.folder.lookup_path(module)?;
        let lookup = self.lookup(&path)?.ok_or_else(|| {
            let path = path.display();
            ProofError::Absent(format!(
                "{path} is not there: {module} is not proven by this mirror"
            ))
        })?;
        self.prove_lookup(module, &path, &lookup)
    }

    /// Returns the same as one source for the hashes of a version.
    ///
    /// # Errors
    /// As [`Proofs::prove`].
    pub fn answer(&self, module: &ModuleVersion) -> Result<DatabaseAnswer, ProofError> {
        let Sums { zip, go_mod } = self.prove(module)?;
        let by = self.name().to_owned();
        Ok(DatabaseAnswer::Sums { by, zip, go_mod })
    }

    pub(super) fn prove_lookup(
        &self,
        module: &ModuleVersion,
        path: &Path,
        lookup: &Lookup,
    ) -> Result<Sums, ProofError> {
        let (zip, go_mod) = lookup.sums(&module.path, &module.version);
        if zip.is_none() && go_mod.is_none() {
            let why = format!("{} says nothing about {module}", path.display());
            return Err(ProofError::False(why));
        }
        let own = &lookup.head;
        let mut known = self.known();
        // Another process may have added heads in the meantime.
        let newest = match known.heads.last() {
            Some(newest) if newest.head.size >= own.head.size => newest.clone(),
            Some(_) | None => own.clone(),
        };
        let tree = match known.tree.take() {
            Some(tree) if tree.tree.head() == newest.head => tree,
            Some(_) | None => FolderTree::open(&self.folder, newest.head)?,
        };
        let tree = known.tree.insert(tree);
        tree.must_hold(lookup, path)?;
        if own.head != newest.head {
            tree.began_as(&newest, own)?;
            FolderTree::open(&self.folder, own.head)?.must_hold(lookup, path)?;
        }
        Ok(Sums { zip, go_mod })
    }

    /// Checks that a go command that has last seen this head (in `$GOPATH/pkg/sumdb/NAME/latest`)
    /// could verify everything that is stored, without a network.
    ///
    /// # Errors
    /// Why not: usually [`ProofError::NoTile`], when it has seen a newer tree than this mirror.
    pub fn covers(&self, seen: &TreeHead) -> Result<(), ProofError> {
        // client.go:initWork checks go's own head against its own tree, so it needs that tree's
        // edge.
        let mut newest = SignedHead {
            head: *seen,
            note: format!("(the tree of {} records that go saw last)\n", seen.size),
        };
        let mut tree = FolderTree::open(&self.folder, *seen)?;
        for (module, path) in self.lookups()? {
            let Some(lookup) = self.lookup(&path)?.filter(|_| module.is_some()) else {
                continue;
            };
            let own = &lookup.head;
            if own.head.size > newest.head.size {
                let mut newer = FolderTree::open(&self.folder, own.head)?;
                newer.began_as(own, &newest)?;
                (newest, tree) = (own.clone(), newer);
            } else if own.head != newest.head {
                tree.began_as(&newest, own)?;
            }
            tree.must_hold(&lookup, &path)?;
        }
        Ok(())
    }

    /// Checks the same for several last seen heads, sorted with the smallest tree first. Reads all
    /// lookups once, for the largest tree; every other tree must be provable as an earlier state of
    /// it.
    pub(super) fn covers_all(&self, seen: &[SignedHead]) -> Result<(), ProofError> {
        let Some((largest, smaller)) = seen.split_last() else {
            return Ok(());
        };
        self.covers(&largest.head)?;
        let newest = match self.head() {
            Some(own) if own.head.size > largest.head.size => own,
            Some(_) | None => largest.clone(),
        };
        let mut tree = FolderTree::open(&self.folder, newest.head)?;
        for one in smaller {
            FolderTree::open(&self.folder, one.head)?;
            tree.began_as(&newest, one)?;
        }
        Ok(())
    }

    /// Proves every stored lookup, head and tile, without a network. Tiles that belong to no stored
    /// tree do no harm: a killed run may leave them.
    ///
    /// # Errors
    /// When the directory itself cannot be read. The report lists faults in its files.
    pub fn verify(&self) -> Result<Report, ProofError> {
        let heads = self.stored_heads()?;
        self.now_knows(heads.clone());
        let mut report = Report {
            head: heads.last().cloned(),
            ..Report::default()
        };
        let lookups = self.lookups()?;
        for (module, path) in &lookups {
            let Some(module) = module else {
                report.broken(path, "is not named after a module, as lookups are");
                continue;
            };
            let prove = |lookup| self.prove_lookup(module, path, &lookup);
            match self
                .lookup(path)
                .and_then(|found| found.map(prove).transpose())
            {
                Ok(proven) => report.lookups += usize::from(proven.is_some()),
                Err(error) => report.faults.push((path.clone(), error)),
            }
        }
        let supported = self.folder.path("supported");
        if !lookups.is_empty() && !supported.is_file() {
            report.broken(&supported, "is not there, so go will not ask here");
        }
        let Some(newest) = heads.last() else {
            return Ok(report);
        };
        let mut tree = match FolderTree::open(&self.folder, newest.head) {
            Ok(tree) => tree,
            Err(error) => {
                report.faults.push((self.folder.root.clone(), error));
                return Ok(report);
            }
        };
        for older in &heads {
            // go could follow from this head to the newest; it starts by reading this tree's edge.
            let proven = tree
                .began_as(newest, older)
                .and_then(|()| FolderTree::open(&self.folder, older.head));
            report
                .faults
                .extend(proven.err().map(|error| (self.ledger(), error)));
        }
        let tiles = self.folder.tiles();
        for (tile, path) in tiles.map_err(|error| self.unreadable("tile", error))? {
            let Some(tile) = tile else {
                report.broken(&path, "is not named as tiles are");
                continue;
            };
            let data = match read(&path, MAX_TILE) {
                Ok(Some(data)) => data,
                Ok(None) => continue,
                Err(error) => {
                    report.broken(&path, &error.to_string());
                    continue;
                }
            };
            if data.len() != tile.length() {
                let why = format!("has {} bytes instead of {}", data.len(), tile.length());
                report.broken(&path, &why);
                continue;
            }
            match tree.right(tile) {
                Some(right) if right == data => report.tiles += 1,
                Some(_) => {
                    let size = newest.head.size;
                    let wrong = Inconsistent::Tile { tile, size };
                    let error = inconsistent(&self.folder, &wrong);
                    report.faults.push((path, error));
                }
                None => {}
            }
        }
        Ok(report)
    }

    /// Returns every file below `lookup/`.
    pub(super) fn lookups(&self) -> Result<Vec<(Option<ModuleVersion>, PathBuf)>, ProofError> {
        let found = self.folder.lookups();
        found.map_err(|error| self.unreadable("lookup", error))
    }

    /// Returns a lookup that is stored and signed, but not yet proven.
    pub(super) fn lookup(&self, path: &Path) -> Result<Option<Lookup>, ProofError> {
        let answer = read(path, MAX_LOOKUP).map_err(|error| ProofError::unreadable(path, error))?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        // Usually all lookups have the one newest head, which is already verified.
        let lookup = Lookup::open(&answer, &self.key, self.head().as_ref());
        lookup
            .map(Some)
            .map_err(|error| ProofError::False(format!("{}: {error}", path.display())))
    }

    /// Reads the ledger from the disk. A tree without a ledger (made by another tool) has the heads
    /// of its lookups.
    pub(super) fn stored_heads(&self) -> Result<Vec<SignedHead>, ProofError> {
        let heads = read_ledger(&self.ledger(), &self.key)?;
        if !heads.is_empty() {
            return Ok(heads);
        }
        let lookups = self.lookups()?;
        let heads = lookups
            .iter()
            .filter_map(|(_, path)| Some(self.lookup(path).ok()??.head));
        Ok(ordered(heads.collect()))
    }

    /// The path of the ledger.
    pub(super) fn ledger(&self) -> PathBuf {
        self.own.join("heads")
    }

    pub(super) fn now_knows(&self, heads: Vec<SignedHead>) {
        *self.known() = Known { heads, tree: None };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Data that a panicking thread left is proven as well.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self, below: &str, error: std::io::Error) -> ProofError {
        ProofError::unreadable(&self.folder.path(below), error)
    }
}

/// A tree, proven by the files in a directory.
#[derive(Debug)]
struct FolderTree {
    folder: Folder,
    tree: ProvenTree,
}

impl FolderTree {
    /// Opens a tree by the tiles at its edge, as go does first.
    fn open(folder: &Folder, head: TreeHead) -> Result<FolderTree, ProofError> {
        let tiles = edge(head.size)
            .into_iter()
            .map(|tile| tile_in(folder, tile));
        let tree = ProvenTree::new(head, tiles.collect::<Result<_, _>>()?);
        Ok(FolderTree {
            folder: folder.clone(),
            tree: tree.map_err(|error| inconsistent(folder, &error))?,
        })
    }

    /// Checks that the tree contains this lookup's record.
    fn must_hold(&mut self, lookup: &Lookup, path: &Path) -> Result<(), ProofError> {
        let size = self.tree.head().size;
        if let Some(tiles) = prove_record(lookup.id, size) {
            self.extend(&tiles)?;
        }
        if self.tree.record(lookup.id) == Some(lines_hash(&lookup.lines)) {
            return Ok(());
        }
        let path = path.display();
        Err(ProofError::False(format!(
            "{path}: its record is not in the tree of {size} records that is signed"
        )))
    }

    /// Checks that the older tree is an earlier state of this one.
    fn began_as(&mut self, newer: &SignedHead, older: &SignedHead) -> Result<(), ProofError> {
        let tiles = prove_prefix(older.head.size, self.tree.head().size).unwrap_or_default();
        self.extend(&tiles)?;
        if self.tree.prefix(older.head.size) == Some(older.head.root) {
            return Ok(());
        }
        let (older, newer) = (older.clone(), newer.clone());
        Err(ProofError::Forked {
            fork: Box::new(Forked { older, newer }),
            evidence: None,
        })
    }

    /// Adds these tiles (each after the one that proves it).
    fn extend(&mut self, tiles: &[Tile]) -> Result<(), ProofError> {
        for tile in tiles {
            if self.tree.tile(tile.level, tile.index).is_none() {
                let data = tile_in(&self.folder, *tile)?;
                let added = self.tree.add(*tile, data);
                added.map_err(|error| inconsistent(&self.folder, &error))?;
            }
        }
        Ok(())
    }

    /// Returns what a tile of this tree must contain; `None` if the stored files do not show it.
    fn right(&mut self, tile: Tile) -> Option<Vec<u8>> {
        let size = self.tree.head().size;
        let now = Tile::at(tile.level, tile.index, size).filter(|now| now.width >= tile.width)?;
        if now.is_full() {
            let way = way_down(now.node(), size)?;
            // A tile can be judged only if every tile above it is correct; then the one above holds
            // its hash.
            self.extend(&way).ok()?;
            match self.extend(&[now]) {
                Ok(()) => {}
                Err(ProofError::NoTile(_)) => return None,
                // Either the judged tile is wrong, or the full one that starts with it.
                Err(_) => return Some(Vec::new()),
            }
        }
        let (_, data) = self.tree.tile(now.level, now.index)?;
        data.get(..tile.length()).map(<[u8]>::to_vec)
    }
}

fn tile_in(folder: &Folder, tile: Tile) -> Result<Vec<u8>, ProofError> {
    let path = || folder.path(&tile.path());
    match folder.tile(tile) {
        Ok(Some(data)) => Ok(data),
        Ok(None) => Err(ProofError::NoTile(format!(
            "{} is not there",
            path().display()
        ))),
        Err(error) => Err(ProofError::unreadable(&path(), error)),
    }
}

fn inconsistent(folder: &Folder, error: &Inconsistent) -> ProofError {
    ProofError::False(format!("{}: {error}", folder.root.display()))
}
