//! Which files of a database's folder a set of modules needs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::adopt::needed;
use super::error::ProofError;
use super::proofs::Proofs;
use crate::gomod::ModuleVersion;

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
