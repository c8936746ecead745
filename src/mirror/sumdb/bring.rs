//! Fetches the proofs of modules: from go's own cache, else from the network, else from another
//! mirror. One head becomes the newest; everything that is stored and everything that is new is
//! proven in its tree, and written only then. The caller holds the mirror's lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::layout::Layout;
use super::folder::{MAX_LOOKUP, MAX_TILE, cut, lookup_path, put, read};
use super::heads::{Forked, Lookup, ProofError, SignedHead, format_ledger, ordered};
use super::proofs::Proofs;
use super::route::{Asked, Route, Sources};
use crate::gomod::ModuleVersion;
use crate::gomod::form::is_web_page;
use crate::gomod::sum::tile::{Tile, edge, lines_hash, prove_prefix, prove_record};
use crate::gomod::sum::{ProvenTree, TreeHead};
use crate::model::SumDb;

/// The result of a fetch.
#[derive(Debug, Default)]
pub struct Brought {
    /// The newest head after the fetch.
    pub head: Option<SignedHead>,
    /// Modules that were not proven before and are now, in the order of the request.
    pub proven: Vec<ModuleVersion>,
    /// Modules that the database says it does not know (404, 410), and where it said so. A private
    /// module belongs in GONOSUMDB.
    pub unknown: Vec<(ModuleVersion, String)>,
    /// Modules without a correct answer, and why.
    pub failed: Vec<(ModuleVersion, String)>,
    /// Why a go that has seen a newer tree than this mirror cannot verify everything here without a
    /// network; `None` if it can, or if nothing is known about what go has seen.
    pub behind: Option<String>,
    /// Number of files that were written below `tile/` and `lookup/`.
    pub written: usize,
}

/// A source's answer about a module; its signature is verified, the rest is not proven yet.
struct Answer {
    module: ModuleVersion,
    lookup: Lookup,
    /// The source.
    place: String,
}

impl Proofs {
    /// Fetches the lookups of these modules, and everything that proves them in one newest tree;
    /// stores only what is proven. Does not fetch what is already proven. If the route names a
    /// GOPATH or a module cache, the mirror also keeps up with what go has seen there.
    ///
    /// # Errors
    /// When nothing could be fetched at all, or an answer is wrong. Then nothing has changed.
    pub async fn bring(
        &self,
        route: &Route,
        wanted: &[ModuleVersion],
    ) -> Result<Brought, ProofError> {
        self.now_knows(self.stored_heads()?);
        let mut brought = Brought::default();
        let mut missing = Vec::new();
        let mut met = BTreeSet::new();
        for module in wanted.iter().filter(|module| met.insert(*module)) {
            match self.prove(module) {
                Ok(_) => {}
                Err(error @ (ProofError::Forked { .. } | ProofError::Unusable(_))) => {
                    return Err(error);
                }
                // Damaged lookups are fetched again as well.
                Err(_) => missing.push(module.clone()),
            }
        }
        // Each lookup of a cache has a head; most of these heads are equal.
        let seen = ordered(self.seen(route, wanted, &mut brought));
        let is_behind = self.covers_all(&seen).is_err();
        if !missing.is_empty() || is_behind || self.is_unfinished()? {
            let sources = Sources::new(self, route);
            let tried = self.try_from(&sources, &missing, &seen, true, &mut brought);
            match tried.await {
                Ok(()) => {}
                Err(error) if missing.is_empty() && !matches!(error, ProofError::Forked { .. }) => {
                    brought.behind = Some(error.to_string());
                }
                // go's cache may be older, or wrong: everything is then fetched from the network.
                Err(error @ (ProofError::Wrong(_) | ProofError::Tile(_))) => {
                    if sources.reach().await.is_err() {
                        return Err(error);
                    }
                    brought.unknown.clear();
                    brought.failed.clear();
                    self.try_from(&sources, &missing, &seen, false, &mut brought)
                        .await?;
                }
                Err(error) => return Err(error),
            }
        }
        brought.head = self.head();
        Ok(brought)
    }

    /// Adds the lookups of another mirror (an archive that was unpacked beside this one), with
    /// everything that proves them. The newer of the two heads becomes the head of all lookups. The
    /// tiles of both mirrors, else those of the route, prove that it contains the older one.
    ///
    /// # Errors
    /// When the other mirror's directory proves nothing, when the older head cannot be proven in
    /// the newer one ([`ProofError::Tile`]), or when the two contradict each other. Then nothing
    /// has changed.
    pub async fn merge(&self, other: &Layout, mut route: Route) -> Result<Brought, ProofError> {
        let db = SumDb::Database {
            key: self.key.clone(),
            url: None,
            text: String::new(),
        };
        let other = Proofs::open(other, &db)?;
        self.now_knows(self.stored_heads()?);
        route.folders.insert(0, other.folder.root.clone());
        let mut answers = Vec::new();
        let mut met = BTreeSet::new();
        for (module, path) in other.lookups()? {
            let (Some(module), Some(lookup)) = (module, other.lookup(&path)?) else {
                continue;
            };
            // Verified as a whole first: the other mirror must prove its lookups without this one.
            other.prove_lookup(&module, &path, &lookup)?;
            if met.insert(module.clone()) && self.prove(&module).is_err() {
                let place = path.display().to_string();
                answers.push(Answer {
                    module,
                    lookup,
                    place,
                });
            }
        }
        let mut brought = Brought::default();
        let sources = Sources::new(self, &route);
        let heads = other.stored_heads()?;
        self.adopt(&sources, answers, &heads, &mut brought).await?;
        brought.head = self.head();
        Ok(brought)
    }

    async fn try_from(
        &self,
        sources: &Sources<'_>,
        missing: &[ModuleVersion],
        seen: &[SignedHead],
        from_cache: bool,
        brought: &mut Brought,
    ) -> Result<(), ProofError> {
        let mut answers = Vec::new();
        let (mut to_ask, mut paths) = (Vec::new(), Vec::new());
        for module in missing {
            match self.cached(sources, module).filter(|_| from_cache) {
                Some(answer) => answers.push(answer),
                None => {
                    paths.push(lookup_path(module)?);
                    to_ask.push(module.clone());
                }
            }
        }
        let asked = sources.ask_all(paths, MAX_LOOKUP).await;
        for (module, asked) in to_ask.into_iter().zip(asked) {
            match asked {
                Asked::Found(bytes) => {
                    answers.push(self.signed(&module, &bytes, "the checksum database")?);
                }
                Asked::Absent(why) => brought.unknown.push((module, why)),
                Asked::Failed(why) => brought.failed.push((module, why)),
            }
        }
        if answers.is_empty()
            && !missing.is_empty()
            && let Err(reason) = sources.reach().await
        {
            let name = self.name();
            let why = format!("the checksum database {name} cannot be asked: {reason}");
            return Err(ProofError::Unreachable(why));
        }
        self.adopt(sources, answers, seen, brought).await
    }

    /// Returns the signed answer about a module from a directory outside the mirror, if there is
    /// one.
    fn cached(&self, sources: &Sources<'_>, module: &ModuleVersion) -> Option<Answer> {
        sources.folders.iter().skip(1).find_map(|folder| {
            let path = folder.lookup_path(module).ok()?;
            let bytes = read(&path, MAX_LOOKUP).ok()??;
            let answer = self.signed(module, &bytes, &path.display().to_string());
            answer.ok()
        })
    }

    /// Parses an answer about a module; `None` if it is not signed.
    fn signed(
        &self,
        module: &ModuleVersion,
        bytes: &[u8],
        place: &str,
    ) -> Result<Answer, ProofError> {
        let lookup = Lookup::open(bytes, &self.key, None).map_err(|error| {
            let page = is_web_page(bytes);
            let page = page.then_some(" (an HTML page: a login page?)");
            wrong(
                place,
                module,
                &format!("{error}{}", page.unwrap_or_default()),
            )
        })?;
        if lookup.sums(&module.path, &module.version) == (None, None) {
            return Err(wrong(place, module, "it holds no hash of that module"));
        }
        Ok(Answer {
            module: module.clone(),
            lookup,
            place: place.to_owned(),
        })
    }

    /// Returns the last head that go saw, or why it cannot be read; `None` if the route names no
    /// GOPATH, or go has not seen one.
    pub fn last_seen(&self, route: &Route) -> Option<Result<SignedHead, String>> {
        let (path, bytes) = route.last_seen(self.name())?;
        let bytes = bytes.map_err(|error| error.to_string());
        let head = bytes.and_then(|bytes| self.read_head(&bytes).map_err(|e| e.to_string()));
        Some(head.map_err(|why| format!("{}: {why}", path.display())))
    }

    /// Returns the heads that go has seen on this machine: the last one, and those of the requested
    /// modules in its cache, which it reads before it asks the mirror.
    fn seen(
        &self,
        route: &Route,
        wanted: &[ModuleVersion],
        brought: &mut Brought,
    ) -> Vec<SignedHead> {
        let mut seen = Vec::new();
        match self.last_seen(route) {
            None => {}
            Some(Ok(head)) => seen.push(head),
            Some(Err(why)) => {
                brought.behind = Some(format!("{why}; go cannot use it either: delete it"));
            }
        }
        if let Some(cache) = route.cache(self.name()) {
            let paths = wanted.iter().filter_map(|one| cache.lookup_path(one).ok());
            let lookups = paths.filter_map(|path| self.lookup(&path).ok().flatten());
            seen.extend(lookups.map(|lookup| lookup.head));
        }
        seen
    }

    /// Reports whether an earlier run was killed before every lookup had the newest head.
    fn is_unfinished(&self) -> Result<bool, ProofError> {
        let Some(newest) = self.head() else {
            return Ok(false);
        };
        let old = |path| matches!(self.lookup(path), Ok(Some(old)) if old.head != newest);
        Ok(self.lookups()?.iter().any(|(_, path)| old(path)))
    }

    /// Proves `answers`, everything that is stored and all heads in the newest head of all, and
    /// stores the result. `seen` are heads that go has seen, so they must stay provable; an
    /// answer's own head must only not contradict the others.
    async fn adopt(
        &self,
        sources: &Sources<'_>,
        answers: Vec<Answer>,
        seen: &[SignedHead],
        brought: &mut Brought,
    ) -> Result<(), ProofError> {
        let mut kept = self.stored_heads()?;
        kept.extend_from_slice(seen);
        let mut all = kept.clone();
        all.extend(answers.iter().map(|answer| answer.lookup.head.clone()));
        let all = ordered(all);
        let Some(newest) = all.last().cloned() else {
            return Ok(());
        };
        kept.push(newest.clone());
        let kept = ordered(kept);
        for (older, newer) in all.iter().zip(all.iter().skip(1)) {
            if older.head.size == newer.head.size {
                return Err(self.forked(older, newer));
            }
        }
        let size = newest.head.size;
        if let Some(answer) = answers.iter().find(|answer| answer.lookup.id >= size) {
            let id = answer.lookup.id;
            let why =
                format!("its record {id} is beyond the tree of {size} records that is signed");
            return Err(wrong(&answer.place, &answer.module, &why));
        }
        // Every stored lookup that is signed and lies within this tree.
        let mut lookups = BTreeMap::new();
        for (module, path) in self.lookups()? {
            if module.is_some()
                && let Ok(Some(lookup)) = self.lookup(&path)
                && lookup.id < size
            {
                lookups.insert(path, lookup);
            }
        }
        let stored = lookups.values().map(|lookup| lookup.id);
        let ids = stored.chain(answers.iter().map(|answer| answer.lookup.id));
        let ids = BTreeSet::from_iter(ids);
        let tree = self.prove_all(sources, newest.head, &all, &ids).await?;

        for older in &all {
            if tree.prefix(older.head.size) != Some(older.head.root) {
                return Err(self.forked(older, &newest));
            }
        }
        let held = |lookup: &Lookup| tree.record(lookup.id) == Some(lines_hash(&lookup.lines));
        if let Some(answer) = answers.iter().find(|answer| !held(&answer.lookup)) {
            let id = answer.lookup.id;
            let why =
                format!("its record {id} is not what the signed tree of {size} records holds");
            return Err(wrong(&answer.place, &answer.module, &why));
        }
        // A file that was changed on the disk stays as it is, so that `verify` finds it.
        lookups.retain(|_, lookup| held(lookup));
        for answer in answers {
            lookups.insert(self.folder.lookup_path(&answer.module)?, answer.lookup);
            brought.proven.push(answer.module);
        }
        brought.written = self.store(&tree, &newest, &kept, &lookups)?;
        self.now_knows(kept);
        Ok(())
    }

    /// Returns the newest tree, with all tiles that prove these records and heads.
    async fn prove_all(
        &self,
        sources: &Sources<'_>,
        newest: TreeHead,
        heads: &[SignedHead],
        ids: &BTreeSet<u64>,
    ) -> Result<ProvenTree, ProofError> {
        let size = newest.size;
        let mut tree = self.edge_of(sources, newest).await?;
        let mut needed = BTreeSet::new();
        for head in heads {
            needed.extend(prove_prefix(head.head.size, size).unwrap_or_default());
        }
        for id in ids {
            needed.extend(prove_record(*id, size).unwrap_or_default());
        }
        needed.retain(|tile| tree.tile(tile.level, tile.index).is_none());
        // A tile is proven by the tile on the level above it.
        for level in (0..8).rev() {
            let mut wanted: Vec<Tile> = needed.iter().copied().collect();
            wanted.retain(|tile| tile.level == level && !take_local(sources, &mut tree, *tile));
            let paths = wanted.iter().map(|tile| tile.path()).collect();
            let asked = sources.ask_all(paths, MAX_TILE).await;
            for (tile, asked) in wanted.iter().zip(asked) {
                let added = asked
                    .found()
                    .and_then(|data| tree.add(*tile, data).map_err(|error| error.to_string()));
                if let Err(reason) = added {
                    let what = purpose(*tile, size, heads);
                    return Err(self.no_tile(Some(*tile), &what, &reason));
                }
            }
        }
        Ok(tree)
    }

    /// Returns a tree from its edge. The tiles together make its root, so if they do not match, it
    /// is unknown which one is wrong. Tries the tiles on this machine, then those of the network.
    async fn edge_of(
        &self,
        sources: &Sources<'_>,
        newest: TreeHead,
    ) -> Result<ProvenTree, ProofError> {
        let edge = edge(newest.size);
        // The tiles of one directory fit together, if any do.
        for first in 0..sources.folders.len() {
            let (others, own) = sources.folders.split_at(first);
            let here = |tile: &Tile| {
                let mut folders = own.iter().chain(others);
                folders.find_map(|folder| folder.tile(*tile).ok().flatten())
            };
            let whole: Option<Vec<Vec<u8>>> = edge.iter().map(here).collect();
            if let Some(tree) = whole.and_then(|whole| ProvenTree::new(newest, whole).ok()) {
                return Ok(tree);
            }
        }
        let what = format!("the tree of {} records", newest.size);
        let mut data = Vec::with_capacity(edge.len());
        for tile in &edge {
            let got = partial(sources, *tile).await;
            data.push(got.map_err(|reason| self.no_tile(Some(*tile), &what, &reason))?);
        }
        ProvenTree::new(newest, data)
            .map_err(|error| self.no_tile(edge.first().copied(), &what, &error.to_string()))
    }

    /// Writes tiles before heads, and heads before lookups: the comment of the module `sumdb` says
    /// why. Returns how many files of tiles and lookups were written.
    fn store(
        &self,
        tree: &ProvenTree,
        newest: &SignedHead,
        kept: &[SignedHead],
        lookups: &BTreeMap<PathBuf, Lookup>,
    ) -> Result<usize, ProofError> {
        let ids = lookups.values().map(|lookup| lookup.id);
        let mut tiles = Vec::new();
        for tile in needed(tree.head().size, kept, ids) {
            let data = tree.tile(tile.level, tile.index);
            // prove_all has added every one of them.
            if let Some(data) = data.and_then(|(_, data)| data.get(..tile.length())) {
                tiles.push((self.folder.path(&tile.path()), data.to_owned()));
            }
        }
        let written = put(&self.own, tiles)?;
        put(&self.own, vec![(self.ledger(), format_ledger(kept))])?;
        // go asks here for a module only if this file exists; the file does no harm before the
        // first lookup.
        let supported = self.folder.path("supported");
        if !supported.exists() && !lookups.is_empty() {
            put(&self.own, vec![(supported, Vec::new())])?;
        }
        let lookups = lookups.iter();
        let files = lookups.map(|(path, lookup)| (path.clone(), lookup.with_head(newest)));
        Ok(written + put(&self.own, files.collect())?)
    }

    /// Stores both notes as evidence and returns the error.
    fn forked(&self, older: &SignedHead, newer: &SignedHead) -> ProofError {
        let name = format!("{}-{}", older.head.size, newer.head.size);
        let evidence = self.own.join("forks").join(name);
        let text = format!("older:\n{}\nnewer:\n{}", older.note, newer.note);
        let kept = put(&self.own, vec![(evidence.clone(), text.into_bytes())]);
        let (older, newer) = (older.clone(), newer.clone());
        ProofError::Forked {
            fork: Box::new(Forked { older, newer }),
            // The fork is reported even if the evidence could not be written.
            evidence: kept.is_ok().then_some(evidence),
        }
    }

    fn no_tile(&self, tile: Option<Tile>, what: &str, reason: &str) -> ProofError {
        let (path, name) = (tile.map_or_else(String::new, Tile::path), self.name());
        ProofError::Tile(format!(
            "{path} of {name} is needed to prove {what}, and cannot be fetched: {reason}"
        ))
    }

    /// Returns every file of this database that the mirror needs to prove these modules, whatever
    /// head go has ever seen: absolute paths, including goroam's own list of heads. Skips modules
    /// without a lookup. Everything else in [`Layout::sumdb`](super::super::Layout::sumdb) may be
    /// removed: lookups first, then tiles.
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
        let ids = || lookups.iter().map(|lookup| lookup.id);
        let mut tiles = needed(newest.head.size, &heads, ids());
        // After a kill some lookups may still have an older head.
        for own in BTreeSet::from_iter(lookups.iter().map(|lookup| lookup.head.head.size)) {
            if own != newest.head.size {
                tiles.extend(needed(own, &[], ids().filter(|id| *id < own)));
            }
        }
        for tile in tiles {
            let path = self.folder.path(&tile.path());
            let full = self.folder.path(&tile.full().path());
            // As go does: uses the full tile if there is none of this width.
            let cut = !tile.is_full() && !path.exists() && full.exists();
            files.insert(if cut { full } else { path });
        }
        files.insert(self.folder.path("supported"));
        files.insert(self.ledger());
        Ok(files)
    }
}

/// Fetches a tile that is not full from the network: by its own name, else cut from the full one
/// (`client.go:readTile`).
async fn partial(sources: &Sources<'_>, tile: Tile) -> Result<Vec<u8>, String> {
    match sources.ask(&tile.path(), MAX_TILE).await.found() {
        Ok(data) => Ok(data),
        Err(reason) => {
            let full = sources.ask(&tile.full().path(), MAX_TILE).await.found();
            full.map(|data| cut(data, tile)).map_err(|_| reason)
        }
    }
}

/// Returns every tile that go may ask for: those of the newest tree that prove records and heads,
/// and the edges of the older trees, which are the beginnings of its tiles.
fn needed(size: u64, kept: &[SignedHead], ids: impl Iterator<Item = u64>) -> BTreeSet<Tile> {
    let mut tiles = BTreeSet::from_iter(edge(size));
    for id in ids {
        tiles.extend(prove_record(id, size).unwrap_or_default());
    }
    for head in kept {
        tiles.extend(prove_prefix(head.head.size, size).unwrap_or_default());
        // A full tile also serves every request for a narrower one (`client.go:readTile`).
        let is_open =
            |tile: &Tile| Tile::at(tile.level, tile.index, size).is_some_and(|now| !now.is_full());
        tiles.extend(edge(head.head.size).into_iter().filter(is_open));
    }
    tiles
}

/// Takes a tile from a directory, if one has the correct tile.
fn take_local(sources: &Sources<'_>, tree: &mut ProvenTree, tile: Tile) -> bool {
    sources.folders.iter().any(|folder| {
        let data = folder.tile(tile).ok().flatten();
        data.is_some_and(|data| tree.add(tile, data).is_ok())
    })
}

fn wrong(place: &str, module: &ModuleVersion, reason: &str) -> ProofError {
    ProofError::Wrong(format!(
        "{place} gives a wrong answer about {module}: {reason}"
    ))
}

/// Describes what a missing tile would have proven.
fn purpose(tile: Tile, size: u64, heads: &[SignedHead]) -> String {
    let proves = |head: &&SignedHead| {
        prove_prefix(head.head.size, size).is_some_and(|tiles| tiles.contains(&tile))
    };
    match heads.iter().find(proves) {
        Some(older) => {
            let older = older.head.size;
            format!("that the tree of {size} records began as that of {older}")
        }
        None => format!("the content of the tree of {size} records"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_spawned_beside_other_work() {
        fn spawnable<T: Send>(_: T) {}
        fn of(proofs: &Proofs, route: &Route) {
            spawnable(proofs.bring(route, &[]));
            spawnable(proofs.merge(&proofs.layout, Route::offline()));
        }
        let _ = of;
    }
}
