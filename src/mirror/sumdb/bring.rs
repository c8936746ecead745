//! Bringing what proves modules: from go's own cache, else from the network.

use std::collections::BTreeSet;

use super::super::layout::Layout;
use super::adopt::Answer;
use super::error::{BringError, ProofError};
use super::folder::{MAX_LOOKUP, lookup_path, read};
use super::heads::{Lookup, SignedHead};
use super::ledger::ordered;
use super::proofs::Proofs;
use super::route::{Asked, Route, Sources};
use super::write::Turn;
use crate::gomod::ModuleVersion;
use crate::gomod::form::is_web_page;
use crate::model::SumDb;

/// What was brought.
#[derive(Debug, Default)]
pub struct Brought {
    /// The newest head now.
    pub head: Option<SignedHead>,
    /// Modules that were not proven before and are now, in the order in which they were wanted.
    pub proven: Vec<ModuleVersion>,
    /// Modules that the database says it does not know (404, 410), and where it said so. A
    /// private one belongs into GONOSUMDB.
    pub unknown: Vec<(ModuleVersion, String)>,
    /// Modules of which no right answer came, and why.
    pub failed: Vec<(ModuleVersion, String)>,
    /// Why a go that has seen a newer tree than this mirror cannot verify everything here with
    /// no network; `None` if it can, or if nothing is known of what go has seen.
    pub behind: Option<String>,
    /// Files that were written below `tile/` and `lookup/`.
    pub written: usize,
}

impl Proofs {
    /// Brings the lookups of these modules, and everything that proves them in one newest tree;
    /// stores nothing that is not proven. What is proven already is not asked for again. Where
    /// the route names a GOPATH or a module cache, the mirror also keeps up with what go has
    /// seen there. Blocks nobody: one goroam at a time changes the folder, the others wait.
    ///
    /// # Errors
    /// When nothing could be brought at all, or what came is wrong. Then nothing has changed.
    pub async fn bring(
        &self,
        route: &Route,
        wanted: &[ModuleVersion],
    ) -> Result<Brought, BringError> {
        let _turn = Turn::wait(&self.own).await?;
        self.now_knows(self.stored_heads()?);
        let mut brought = Brought::default();
        let mut missing = Vec::new();
        let mut met = BTreeSet::new();
        for module in wanted {
            if !met.insert(module) {
                continue;
            }
            match self.prove(module) {
                Ok(_) => {}
                Err(error @ (ProofError::Forked(_) | ProofError::Escape(_))) => {
                    return Err(error.into());
                }
                // Damaged ones are brought anew as well.
                Err(_) => missing.push(module.clone()),
            }
        }
        // A cache has a head in each lookup, most of them the same.
        let seen = ordered(self.seen(route, wanted, &mut brought));
        let is_behind = self.covers_all(&seen).is_err();
        if missing.is_empty() && !is_behind && !self.is_unfinished()? {
            brought.head = self.head();
            return Ok(brought);
        }
        let sources = Sources::new(self, route);
        let wrong_cache = match self
            .go_on(&sources, &missing, &seen, true, &mut brought)
            .await
        {
            Ok(()) => None,
            Err(error) if missing.is_empty() && !is_grave(&error) => {
                brought.behind = Some(error.to_string());
                None
            }
            // What go's cache holds may be older, or wrong; the network is asked for all of it.
            Err(error @ (BringError::Wrong { .. } | BringError::Tile { .. })) => Some(error),
            Err(error) => return Err(error),
        };
        if let Some(error) = wrong_cache {
            if sources.reach().await.is_err() {
                return Err(error);
            }
            brought.unknown.clear();
            brought.failed.clear();
            self.go_on(&sources, &missing, &seen, false, &mut brought)
                .await?;
        }
        brought.head = self.head();
        Ok(brought)
    }

    async fn go_on(
        &self,
        sources: &Sources<'_>,
        missing: &[ModuleVersion],
        seen: &[SignedHead],
        from_cache: bool,
        brought: &mut Brought,
    ) -> Result<(), BringError> {
        let mut answers = Vec::new();
        let mut to_ask = Vec::new();
        for module in missing {
            match self.cached(sources, module).filter(|_| from_cache) {
                Some(answer) => answers.push(answer),
                None => to_ask.push(module),
            }
        }
        self.ask(sources, &to_ask, &mut answers, brought).await?;
        let nothing = answers.is_empty() && !missing.is_empty();
        if let (true, Err(reason)) = (nothing, sources.reach().await) {
            return Err(BringError::Unreachable {
                name: self.name().to_owned(),
                reason,
            });
        }
        let adopted = self.adopt(sources, &answers, seen).await?;
        brought.written = adopted.tiles + adopted.lookups;
        brought.proven = answers.into_iter().map(|answer| answer.module).collect();
        Ok(())
    }

    /// Asks the network for lookups.
    async fn ask(
        &self,
        sources: &Sources<'_>,
        modules: &[&ModuleVersion],
        answers: &mut Vec<Answer>,
        brought: &mut Brought,
    ) -> Result<(), BringError> {
        let paths: Result<Vec<_>, _> = modules.iter().map(|module| lookup_path(module)).collect();
        let paths = paths.map_err(ProofError::from)?;
        let asked = sources.ask_all(&paths, MAX_LOOKUP).await;
        for (module, asked) in modules.iter().copied().zip(asked) {
            match asked {
                Asked::Found(bytes) => match self.answer(module, &bytes, "the checksum database") {
                    Ok(answer) => answers.push(answer),
                    Err(error) => return Err(error),
                },
                Asked::Absent(why) => brought.unknown.push((module.clone(), why)),
                Asked::Failed(why) => brought.failed.push((module.clone(), why)),
            }
        }
        Ok(())
    }

    /// What a folder beside the mirror's own says of a module, if that is signed.
    pub(super) fn cached(&self, sources: &Sources<'_>, module: &ModuleVersion) -> Option<Answer> {
        sources.folders.iter().skip(1).find_map(|folder| {
            let path = folder.lookup_path(module).ok()?;
            let bytes = read(&path, MAX_LOOKUP).ok()??;
            self.answer(module, &bytes, &path.display().to_string())
                .ok()
        })
    }

    pub(super) fn answer(
        &self,
        module: &ModuleVersion,
        bytes: &[u8],
        place: &str,
    ) -> Result<Answer, BringError> {
        let wrong = |reason: String| BringError::Wrong {
            module: module.clone(),
            place: place.to_owned(),
            reason,
        };
        let lookup = Lookup::open(bytes, &self.key, None).map_err(|error| {
            let page = if is_web_page(bytes) {
                " (an HTML page: a login page?)"
            } else {
                ""
            };
            wrong(format!("{error}{page}"))
        })?;
        if lookup.sums(&module.path, &module.version) == (None, None) {
            return Err(wrong("it holds no hash of that module".to_owned()));
        }
        Ok(Answer {
            module: module.clone(),
            lookup,
            place: place.to_owned(),
        })
    }

    /// The heads that go has seen on this machine: the last one, and those in its cache of what
    /// is wanted, which it will read before it asks the mirror.
    fn seen(
        &self,
        route: &Route,
        wanted: &[ModuleVersion],
        brought: &mut Brought,
    ) -> Vec<SignedHead> {
        let mut seen = Vec::new();
        if let Some((path, bytes)) = route.last_seen(self.name()) {
            let head = match bytes {
                Ok(bytes) => self.read_head(&bytes).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match head {
                Ok(head) => seen.push(head),
                Err(why) => {
                    brought.behind = Some(format!(
                        "{}: {why}; go cannot use it either: delete it",
                        path.display()
                    ));
                }
            }
        }
        if let Some(cache) = route.cache(self.name()) {
            for module in wanted {
                let path = cache.lookup_path(module).ok();
                let lookup = path.and_then(|path| self.lookup(&path).ok().flatten());
                seen.extend(lookup.map(|lookup| lookup.head));
            }
        }
        seen
    }

    /// Was an earlier turn killed before every lookup had the newest head?
    fn is_unfinished(&self) -> Result<bool, BringError> {
        let Some(newest) = self.head() else {
            return Ok(false);
        };
        let old = |path| matches!(self.lookup(path), Ok(Some(old)) if old.head != newest);
        Ok(self.lookups()?.iter().any(|(_, path)| old(path)))
    }
}

/// More than that something could not be had.
fn is_grave(error: &BringError) -> bool {
    matches!(
        error,
        BringError::Forked { .. } | BringError::Proof(ProofError::Forked(_))
    )
}

impl Proofs {
    /// Takes over the lookups of another mirror (an archive that was unpacked beside this one),
    /// with all that proves them. The newer head of both becomes the head of all; that it
    /// contains the older one is proven by the tiles of both, else by the route's.
    ///
    /// # Errors
    /// When the other's folder proves nothing, when the older head cannot be proven in the newer
    /// one ([`BringError::Tile`]), or when they exclude each other. Then nothing has changed.
    pub async fn merge(&self, other: &Layout, mut route: Route) -> Result<Brought, BringError> {
        let db = SumDb::Database {
            key: self.key.clone(),
            url: None,
            text: String::new(),
        };
        let other = Proofs::open(other, &db)?;
        let _turn = Turn::wait(&self.own).await?;
        self.now_knows(self.stored_heads()?);
        route.folders.insert(0, other.folder.root.clone());
        let sources = Sources::new(self, &route);
        let mut brought = Brought::default();
        let mut answers = Vec::new();
        let mut met: BTreeSet<ModuleVersion> = BTreeSet::new();
        for (module, path) in other.lookups()? {
            let Some(module) = module else { continue };
            let Some(lookup) = other.lookup(&path)? else {
                continue;
            };
            // Whole before it is taken: what it proves there, it must prove by itself.
            other.prove_lookup(&module, &path, &lookup)?;
            if met.insert(module.clone()) && self.prove(&module).is_err() {
                let bytes = lookup.with_head(&lookup.head);
                answers.push(self.answer(&module, &bytes, &path.display().to_string())?);
            }
        }
        let heads = other.stored_heads()?;
        let adopted = self.adopt(&sources, &answers, &heads).await?;
        brought.written = adopted.tiles + adopted.lookups;
        brought.proven = answers.into_iter().map(|answer| answer.module).collect();
        brought.head = self.head();
        Ok(brought)
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
