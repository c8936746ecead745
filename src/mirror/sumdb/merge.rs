//! Taking over what another mirror has of the same database.

use std::collections::BTreeSet;

use super::super::layout::Layout;
use super::bring::Brought;
use super::error::BringError;
use super::proofs::Proofs;
use super::route::{Route, Sources};
use super::write::Turn;
use crate::gomod::ModuleVersion;
use crate::model::SumDb;

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
