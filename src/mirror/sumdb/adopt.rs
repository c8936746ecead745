//! Taking one head for the newest: everything that is kept, and everything that is new, is
//! proven in its tree, and only then written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::{BringError, Forked, ProofError};
use super::folder::{MAX_TILE, cut, read};
use super::heads::{Lookup, SignedHead};
use super::ledger::{format_ledger, ordered};
use super::proofs::Proofs;
use super::route::{Asked, Sources};
use super::write::put;
use crate::gomod::ModuleVersion;
use crate::gomod::sum::tile::lines_hash;
use crate::gomod::sum::tile::{Tile, edge, prove_prefix, prove_record};
use crate::gomod::sum::{ProvenTree, TreeHead};

/// What somebody says of a module; its signature is right, the rest is not proven yet.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) module: ModuleVersion,
    pub(super) lookup: Lookup,
    /// Who says so.
    pub(super) place: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Adopted {
    pub(super) tiles: usize,
    pub(super) lookups: usize,
}

impl Proofs {
    /// Proves `answers`, all that is stored and all heads in the newest head of all, and stores
    /// it. `seen` are heads that go has seen, so they must stay provable; of an answer's own head
    /// it is only asked that it does not exclude the others.
    pub(super) async fn adopt(
        &self,
        sources: &Sources<'_>,
        answers: &[Answer],
        seen: &[SignedHead],
    ) -> Result<Adopted, BringError> {
        let mut kept = self.stored_heads()?;
        kept.extend_from_slice(seen);
        let mut all = kept.clone();
        all.extend(answers.iter().map(|answer| answer.lookup.head.clone()));
        let all = ordered(all);
        let Some(newest) = all.last().cloned() else {
            return Ok(Adopted::default());
        };
        kept.push(newest.clone());
        let kept = ordered(kept);
        for pair in all.windows(2) {
            if let [older, newer] = pair
                && older.head.size == newer.head.size
            {
                return Err(self.forked(older, newer));
            }
        }
        let stored = self.stored(newest.head)?;
        let mut ids = BTreeSet::from_iter(stored.iter().map(|(_, lookup)| lookup.id));
        ids.extend(answers.iter().map(|answer| answer.lookup.id));
        let tree = self
            .prove_all(sources, &newest, &all, &ids, answers)
            .await?;

        for older in &all {
            if tree.prefix(older.head.size) != Some(older.head.root) {
                return Err(self.forked(older, &newest));
            }
        }
        for answer in answers {
            check(&tree, answer)?;
        }
        let held = |lookup: &Lookup| tree.record(lookup.id) == Some(lines_hash(&lookup.lines));
        // What was changed on the disk stays as it is, for `verify` to find.
        let mut lookups =
            BTreeMap::from_iter(stored.into_iter().filter(|(_, lookup)| held(lookup)));
        for answer in answers {
            let path = self.folder.lookup_path(&answer.module);
            lookups.insert(path.map_err(ProofError::from)?, answer.lookup.clone());
        }
        let adopted = self.store(&tree, &newest, &kept, &lookups)?;
        self.now_knows(kept);
        Ok(adopted)
    }

    /// Every stored lookup that is signed and within this tree.
    fn stored(&self, head: TreeHead) -> Result<Vec<(PathBuf, Lookup)>, ProofError> {
        let mut stored = Vec::new();
        for (module, path) in self.lookups()? {
            if module.is_some()
                && let Ok(Some(lookup)) = self.lookup(&path)
                && lookup.id < head.size
            {
                stored.push((path, lookup));
            }
        }
        Ok(stored)
    }

    /// The newest tree, with all tiles that prove these records and heads.
    async fn prove_all(
        &self,
        sources: &Sources<'_>,
        newest: &SignedHead,
        heads: &[SignedHead],
        ids: &BTreeSet<u64>,
        answers: &[Answer],
    ) -> Result<ProvenTree, BringError> {
        let size = newest.head.size;
        if let Some(answer) = answers.iter().find(|answer| answer.lookup.id >= size) {
            let id = answer.lookup.id;
            return Err(wrong(
                answer,
                format!("its record {id} is beyond the tree of {size} records that is signed"),
            ));
        }
        let mut tree = self.edge_of(sources, newest).await?;
        let mut needed = BTreeSet::new();
        for head in heads {
            needed.extend(prove_prefix(head.head.size, size).unwrap_or_default());
        }
        for id in ids {
            needed.extend(prove_record(*id, size).unwrap_or_default());
        }
        needed.retain(|tile| tree.tile(tile.level, tile.index).is_none());
        // What proves a tile is on the level above.
        for level in (0..8).rev() {
            let mut wanted: Vec<Tile> = needed
                .iter()
                .copied()
                .filter(|tile| tile.level == level)
                .collect();
            wanted.retain(|tile| !take_local(sources, &mut tree, *tile));
            let paths: Vec<String> = wanted.iter().map(|tile| tile.path()).collect();
            let asked = sources.ask_all(&paths, MAX_TILE).await;
            for (tile, asked) in wanted.iter().zip(asked) {
                let reason = match asked {
                    Asked::Found(data) => match tree.add(*tile, data) {
                        Ok(()) => continue,
                        Err(error) => error.to_string(),
                    },
                    Asked::Absent(why) | Asked::Failed(why) => why,
                };
                let what = purpose(*tile, newest.head, heads);
                return Err(self.no_tile(tile.path(), what, reason));
            }
        }
        Ok(tree)
    }

    /// A tree by its edge: the tiles together make its root, so that nobody can tell which one
    /// is wrong if they do not. First by what is on this machine, then by the network alone.
    async fn edge_of(
        &self,
        sources: &Sources<'_>,
        newest: &SignedHead,
    ) -> Result<ProvenTree, BringError> {
        let edge = edge(newest.head.size);
        let mut local: Vec<Option<Vec<u8>>> = vec![None; edge.len()];
        // Each folder's own tiles fit together, if any do.
        for first in 0..sources.folders.len() {
            let (others, own) = sources.folders.split_at(first);
            let here = |tile: &Tile| {
                let mut folders = own.iter().chain(others);
                folders.find_map(|folder| folder.tile(*tile).ok().flatten())
            };
            local = edge.iter().map(here).collect();
            let whole: Option<Vec<Vec<u8>>> = local.iter().cloned().collect();
            if let Some(tree) = whole.and_then(|whole| ProvenTree::new(newest.head, whole).ok()) {
                return Ok(tree);
            }
        }
        let nothing = vec![None; edge.len()];
        let mut last = (edge.first().copied(), "its root is none".to_owned());
        for known in [&local, &nothing] {
            let mut data = Vec::with_capacity(edge.len());
            for (tile, known) in edge.iter().zip(known) {
                let got = match known {
                    Some(known) => Ok(known.clone()),
                    None => self.partial(sources, *tile).await,
                };
                match got {
                    Ok(got) => data.push(got),
                    Err(reason) => {
                        last = (Some(*tile), reason);
                        break;
                    }
                }
            }
            if data.len() == edge.len() {
                match ProvenTree::new(newest.head, data) {
                    Ok(tree) => return Ok(tree),
                    Err(error) => last.1 = error.to_string(),
                }
            }
        }
        let (tile, reason) = last;
        let path = tile.map_or_else(String::new, Tile::path);
        Err(self.no_tile(
            path,
            format!("the tree of {} records", newest.head.size),
            reason,
        ))
    }

    /// A tile that is not full, from the network: by its own name, else cut from the full one
    /// (`client.go:readTile`).
    async fn partial(&self, sources: &Sources<'_>, tile: Tile) -> Result<Vec<u8>, String> {
        let asked = |path: String| async move {
            let mut asked = sources.ask_all(&[path], MAX_TILE).await;
            asked.pop()
        };
        let reason = match asked(tile.path()).await {
            Some(Asked::Found(data)) => return Ok(data),
            Some(Asked::Absent(why) | Asked::Failed(why)) => why,
            None => String::new(),
        };
        match asked(tile.full().path()).await {
            Some(Asked::Found(data)) => Ok(cut(data, tile)),
            Some(Asked::Absent(_) | Asked::Failed(_)) | None => Err(reason),
        }
    }

    /// Tiles before heads, heads before lookups: see the room's own words.
    fn store(
        &self,
        tree: &ProvenTree,
        newest: &SignedHead,
        kept: &[SignedHead],
        lookups: &BTreeMap<PathBuf, Lookup>,
    ) -> Result<Adopted, BringError> {
        let ids = lookups.values().map(|lookup| lookup.id);
        let mut files = Vec::new();
        for tile in needed(tree.head().size, kept, ids) {
            let data = tree.tile(tile.level, tile.index);
            let data = data.and_then(|(_, data)| data.get(..tile.length()));
            let path = self.folder.path(&tile.path());
            // prove_all has taken every one of them.
            if let Some(data) = data.filter(|data| !holds(&path, data)) {
                files.push((path, data.to_owned()));
            }
        }
        put(&self.own, &files)?;
        let tiles = files.len();
        let ledger = format_ledger(kept);
        if !holds(&self.ledger(), &ledger) {
            put(&self.own, &[(self.ledger(), ledger)])?;
        }
        // Go asks here for a module only where this file is; one that is there before its first
        // lookup does no harm.
        let supported = self.folder.path("supported");
        if !supported.exists() && !lookups.is_empty() {
            put(&self.own, &[(supported, Vec::new())])?;
        }
        let files: Vec<_> = lookups
            .iter()
            .map(|(path, lookup)| (path.clone(), lookup.with_head(newest)))
            .filter(|(path, answer)| !holds(path, answer))
            .collect();
        put(&self.own, &files)?;
        Ok(Adopted {
            tiles,
            lookups: files.len(),
        })
    }

    /// Keeps both notes, and says so.
    fn forked(&self, older: &SignedHead, newer: &SignedHead) -> BringError {
        let fork = Box::new(Forked {
            older: older.clone(),
            newer: newer.clone(),
        });
        let name = format!("{}-{}", older.head.size, newer.head.size);
        let evidence = self.own.join("forks").join(name);
        let text = format!("older:\n{}\nnewer:\n{}", older.note, newer.note);
        match put(&self.own, &[(evidence.clone(), text.into_bytes())]) {
            Ok(()) => BringError::Forked { fork, evidence },
            // What was found out matters more than that it could not be written down.
            Err(_) => BringError::Proof(ProofError::Forked(fork)),
        }
    }

    fn no_tile(&self, path: String, what: String, reason: String) -> BringError {
        BringError::Tile {
            name: self.name().to_owned(),
            path,
            what,
            reason,
        }
    }
}

/// Every tile file that go may ask for: those of the newest tree that prove records and heads,
/// and the edges of the older trees, which are the beginnings of its tiles.
pub(super) fn needed(
    size: u64,
    kept: &[SignedHead],
    ids: impl Iterator<Item = u64>,
) -> BTreeSet<Tile> {
    let mut tiles = BTreeSet::from_iter(edge(size));
    for id in ids {
        tiles.extend(prove_record(id, size).unwrap_or_default());
    }
    for head in kept {
        tiles.extend(prove_prefix(head.head.size, size).unwrap_or_default());
        // A full one serves for every narrower one (`client.go:readTile`).
        let is_open =
            |tile: &Tile| Tile::at(tile.level, tile.index, size).is_some_and(|now| !now.is_full());
        tiles.extend(edge(head.head.size).into_iter().filter(is_open));
    }
    tiles
}

/// Takes a tile from a folder, if one has the right one.
fn take_local(sources: &Sources<'_>, tree: &mut ProvenTree, tile: Tile) -> bool {
    let mut folders = sources.folders.iter();
    folders.any(|folder| {
        let data = folder.tile(tile).ok().flatten();
        data.is_some_and(|data| tree.add(tile, data).is_ok())
    })
}

/// Is the answer's record what the tree holds?
fn check(tree: &ProvenTree, answer: &Answer) -> Result<(), BringError> {
    let lookup = &answer.lookup;
    if tree.record(lookup.id) == Some(lines_hash(&lookup.lines)) {
        return Ok(());
    }
    let size = tree.head().size;
    Err(wrong(
        answer,
        format!(
            "its record {} is not what the signed tree of {size} records holds",
            lookup.id
        ),
    ))
}

fn wrong(answer: &Answer, reason: String) -> BringError {
    BringError::Wrong {
        module: answer.module.clone(),
        place: answer.place.clone(),
        reason,
    }
}

/// What a tile that is missing would have proven.
fn purpose(tile: Tile, newest: TreeHead, heads: &[SignedHead]) -> String {
    let size = newest.size;
    let proves = |head: &&SignedHead| {
        prove_prefix(head.head.size, size).is_some_and(|tiles| tiles.contains(&tile))
    };
    match heads.iter().find(proves) {
        Some(older) => format!(
            "that the tree of {size} records began as that of {}",
            older.head.size
        ),
        None => format!("what stands in the tree of {size} records"),
    }
}

/// Does the file hold just this?
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let most = bytes.len() as u64;
    read(path, most).is_ok_and(|now| now.is_some_and(|now| now == bytes))
}

impl Proofs {
    /// Every file of this database that the mirror needs to prove these modules, from whatever
    /// head that was ever shown to go: absolute paths, goroam's own list of heads among them.
    /// Modules without a lookup are passed over. All else in
    /// [`Layout::sumdb`](super::super::Layout::sumdb) may go: lookups first, then tiles.
    ///
    /// # Errors
    /// When a lookup cannot be read or is not signed.
    pub fn files_of(&self, modules: &[ModuleVersion]) -> Result<BTreeSet<PathBuf>, ProofError> {
        let heads = self.stored_heads()?;
        let mut files = BTreeSet::new();
        let Some(newest) = heads.last() else {
            return Ok(files);
        };
        let mut lookups = Vec::new();
        for module in modules {
            let path = self.folder.lookup_path(module)?;
            if let Some(lookup) = self.lookup(&path)? {
                lookups.push(lookup);
                files.insert(path);
            }
        }
        let mut place = |tile: crate::gomod::sum::Tile| {
            let path = self.folder.path(&tile.path());
            let full = self.folder.path(&tile.full().path());
            // As go looks: the full one, where there is none of this width.
            let cut = !tile.is_full() && !path.exists() && full.exists();
            files.insert(if cut { full } else { path });
        };
        let ids = || lookups.iter().map(|lookup| lookup.id);
        for tile in needed(newest.head.size, &heads, ids()) {
            place(tile);
        }
        // After a kill some lookups may still have an older head.
        for own in BTreeSet::from_iter(lookups.iter().map(|lookup| lookup.head.head.size)) {
            if own != newest.head.size {
                let older = ids().filter(|id| *id < own);
                needed(own, &[], older).into_iter().for_each(&mut place);
            }
        }
        files.insert(self.folder.path("supported"));
        files.insert(self.ledger());
        Ok(files)
    }
}
