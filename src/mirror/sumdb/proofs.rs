//! What a mirror keeps of one checksum database, and what it proves with no network.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::layout::Layout;
use super::error::ProofError;
use super::folder::{Folder, MAX_LOOKUP, read};
use super::heads::{Lookup, SignedHead};
use super::ledger::{ordered, read_ledger};
use super::local::{began_as, holds, open_tree};
use crate::gomod::ModuleVersion;
use crate::gomod::sum::tile::lines_hash;
use crate::gomod::sum::{ProvenTree, TreeHead, check_key};
use crate::model::{SumDb, VerifierKey};

/// What the database says of one module version: `h1:…`, as in go.sum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// Of its zip.
    pub zip: Option<String>,
    /// Of its go.mod.
    pub go_mod: Option<String>,
}

/// One database's folder in a mirror. Threads may share it; tiles are read once.
#[derive(Debug)]
pub struct Proofs {
    pub(super) key: VerifierKey,
    /// The URL in GOSUMDB.
    pub(super) url: Option<String>,
    /// The mirror.
    pub(super) layout: Layout,
    /// What go reads.
    pub(super) folder: Folder,
    /// What only goroam reads.
    pub(super) own: PathBuf,
    known: Mutex<Known>,
}

/// What was read so far.
#[derive(Debug)]
struct Known {
    /// Every head that was shown to go, the newest last.
    heads: Vec<SignedHead>,
    /// The newest one's tree, by as many tiles as were needed yet.
    tree: Option<ProvenTree>,
}

impl Proofs {
    /// What this mirror keeps of this database. There may be nothing yet.
    ///
    /// # Errors
    /// When GOSUMDB is off, its key is damaged, or goroam's own list of heads cannot be read.
    pub fn open(layout: &Layout, db: &SumDb) -> Result<Proofs, ProofError> {
        let SumDb::Database { key, url, .. } = db else {
            return Err(ProofError::Off);
        };
        check_key(key).map_err(ProofError::Key)?;
        let is_plain = |part: &str| !part.is_empty() && part.bytes().any(|b| b != b'.');
        if !key.name.split('/').all(is_plain) || key.name.contains(['\\', '\0']) {
            return Err(ProofError::Name(key.name.clone()));
        }
        let mut own = layout.own().join("sumdb");
        own.extend(key.name.split('/'));
        let proofs = Proofs {
            key: key.clone(),
            url: url.clone(),
            layout: layout.clone(),
            folder: Folder::new(layout.sumdb(&key.name)),
            own,
            known: Mutex::new(Known {
                heads: Vec::new(),
                tree: None,
            }),
        };
        let heads = proofs.stored_heads()?;
        proofs.now_knows(heads);
        Ok(proofs)
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// The newest tree head that is kept here; `None` while there is none.
    pub fn head(&self) -> Option<SignedHead> {
        self.known().heads.last().cloned()
    }

    /// Takes a note for what it is: such as the one in `$GOPATH/pkg/sumdb/NAME/latest`.
    ///
    /// # Errors
    /// When this database has not signed it.
    pub fn read_head(&self, note: &[u8]) -> Result<SignedHead, crate::gomod::sum::NoteError> {
        SignedHead::open(note, &self.key)
    }

    /// The hashes that the database gives a module, if its lookup is here and proven by what is
    /// here: signed by the key, and in the newest tree that is kept. Asks no network.
    ///
    /// # Errors
    /// What is missing or wrong. [`ProofError::Absent`] when there is no lookup.
    pub fn prove(&self, module: &ModuleVersion) -> Result<Sums, ProofError> {
        let path = self.folder.lookup_path(module)?;
        let lookup = self.lookup(&path)?.ok_or_else(|| ProofError::Absent {
            module: module.clone(),
            path: path.clone(),
        })?;
        self.prove_lookup(module, &path, &lookup)
    }

    pub(super) fn prove_lookup(
        &self,
        module: &ModuleVersion,
        path: &Path,
        lookup: &Lookup,
    ) -> Result<Sums, ProofError> {
        let (zip, go_mod) = lookup.sums(&module.path, &module.version);
        if zip.is_none() && go_mod.is_none() {
            return Err(ProofError::OtherModule {
                module: module.clone(),
                path: path.to_owned(),
            });
        }
        let hash = lines_hash(&lookup.lines);
        let own = &lookup.head;
        let mut known = self.known();
        // Another process may have gone on since this one looked.
        let newest = match known.heads.last() {
            Some(newest) if newest.head.size >= own.head.size => newest.clone(),
            Some(_) | None => own.clone(),
        };
        let tree = known.tree_of(&self.folder, newest.head)?;
        let mut held = holds(&self.folder, tree, lookup.id, hash)?;
        if own.head != newest.head {
            began_as(&self.folder, tree, &newest, own)?;
            let mut older = open_tree(&self.folder, own.head)?;
            held &= holds(&self.folder, &mut older, lookup.id, hash)?;
        }
        if held {
            return Ok(Sums { zip, go_mod });
        }
        Err(ProofError::NotInTree {
            path: path.to_owned(),
            size: own.head.size,
        })
    }

    /// Could a go command that has last seen this head (in `$GOPATH/pkg/sumdb/NAME/latest`)
    /// verify everything that is here, with no network?
    ///
    /// # Errors
    /// Why not: as a rule [`ProofError::NoTile`], when it has seen a newer tree than this mirror.
    pub fn covers(&self, seen: &TreeHead) -> Result<(), ProofError> {
        let seen = SignedHead {
            head: *seen,
            note: format!("(the tree of {} records that go saw last)\n", seen.size),
        };
        // client.go:initWork checks go's own head against itself, so it needs that tree's edge.
        let mut newest = seen.clone();
        let mut tree = open_tree(&self.folder, seen.head)?;
        for (module, path) in self.lookups()? {
            let Some(lookup) = self.lookup(&path)? else {
                continue;
            };
            if module.is_none() {
                continue;
            }
            let own = &lookup.head;
            if own.head.size > newest.head.size {
                let mut newer = open_tree(&self.folder, own.head)?;
                began_as(&self.folder, &mut newer, own, &newest)?;
                (newest, tree) = (own.clone(), newer);
            } else if own.head != newest.head {
                began_as(&self.folder, &mut tree, &newest, own)?;
            }
            if !holds(
                &self.folder,
                &mut tree,
                lookup.id,
                lines_hash(&lookup.lines),
            )? {
                return Err(ProofError::NotInTree {
                    path,
                    size: newest.head.size,
                });
            }
        }
        Ok(())
    }

    /// The same of go commands that have last seen one of these, the smallest tree first. All
    /// lookups are gone through once, for the largest; from each other one it must be possible to
    /// get there.
    pub(super) fn covers_all(&self, seen: &[SignedHead]) -> Result<(), ProofError> {
        let Some((largest, smaller)) = seen.split_last() else {
            return Ok(());
        };
        self.covers(&largest.head)?;
        let newest = match self.head() {
            Some(own) if own.head.size > largest.head.size => own,
            Some(_) | None => largest.clone(),
        };
        let mut tree = open_tree(&self.folder, newest.head)?;
        for one in smaller {
            open_tree(&self.folder, one.head)?;
            began_as(&self.folder, &mut tree, &newest, one)?;
        }
        Ok(())
    }

    /// Every file below `lookup/`.
    pub(super) fn lookups(&self) -> Result<Vec<(Option<ModuleVersion>, PathBuf)>, ProofError> {
        let found = self.folder.lookups();
        found.map_err(|error| self.unreadable("lookup", error))
    }

    /// A lookup that is here and signed, but not yet proven.
    pub(super) fn lookup(&self, path: &Path) -> Result<Option<Lookup>, ProofError> {
        let answer = read(path, MAX_LOOKUP).map_err(|error| ProofError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        // As a rule all lookups have the one newest head, which is verified already.
        let lookup = Lookup::open(&answer, &self.key, self.head().as_ref());
        lookup.map(Some).map_err(|error| ProofError::Note {
            path: path.to_owned(),
            error,
        })
    }

    /// The ledger on the disk. A tree without one (made by other means) has its lookups' heads.
    pub(super) fn stored_heads(&self) -> Result<Vec<SignedHead>, ProofError> {
        let heads = read_ledger(&self.ledger(), &self.key)?;
        if !heads.is_empty() {
            return Ok(heads);
        }
        let lookups = self.lookups()?;
        let of_lookups = lookups
            .iter()
            .filter_map(|(_, path)| Some(self.lookup(path).ok()??.head))
            .collect();
        Ok(ordered(of_lookups))
    }

    /// Where the ledger is.
    pub(super) fn ledger(&self) -> PathBuf {
        self.own.join("heads")
    }

    pub(super) fn now_knows(&self, heads: Vec<SignedHead>) {
        *self.known() = Known { heads, tree: None };
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // What a panicking thread left is proven all the same.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self, below: &str, error: std::io::Error) -> ProofError {
        ProofError::Unreadable {
            path: self.folder.path(below),
            error,
        }
    }
}

impl Known {
    fn tree_of(&mut self, folder: &Folder, head: TreeHead) -> Result<&mut ProvenTree, ProofError> {
        let tree = match self.tree.take() {
            Some(tree) if tree.head() == head => tree,
            Some(_) | None => open_tree(folder, head)?,
        };
        Ok(self.tree.insert(tree))
    }
}
