//! Proving by what lies in a folder: the trees, and what stands in them.

use super::error::{Forked, ProofError};
use super::folder::Folder;
use super::heads::SignedHead;
use crate::gomod::sum::tile::{Tile, edge, prove_prefix, prove_record};
use crate::gomod::sum::{ProvenTree, TreeHead};

/// A tree by the tiles at its edge, as go begins with it.
pub(super) fn open_tree(folder: &Folder, head: TreeHead) -> Result<ProvenTree, ProofError> {
    let data: Result<Vec<_>, _> = edge(head.size)
        .into_iter()
        .map(|tile| tile_in(folder, tile))
        .collect();
    ProvenTree::new(head, data?).map_err(|error| inconsistent(folder, error))
}

/// Is this the hash of record `id`? `None`: the tree has no such record.
pub(super) fn holds(
    folder: &Folder,
    tree: &mut ProvenTree,
    id: u64,
    hash: [u8; 32],
) -> Result<bool, ProofError> {
    let Some(tiles) = prove_record(id, tree.head().size) else {
        return Ok(false);
    };
    extend(folder, tree, &tiles)?;
    Ok(tree.record(id) == Some(hash))
}

/// Is the older tree how this one began?
pub(super) fn began_as(
    folder: &Folder,
    tree: &mut ProvenTree,
    newer: &SignedHead,
    older: &SignedHead,
) -> Result<(), ProofError> {
    let tiles = prove_prefix(older.head.size, tree.head().size).unwrap_or_default();
    extend(folder, tree, &tiles)?;
    if tree.prefix(older.head.size) == Some(older.head.root) {
        return Ok(());
    }
    Err(ProofError::Forked(Box::new(Forked {
        older: older.clone(),
        newer: newer.clone(),
    })))
}

/// Takes these tiles (each behind that which proves it) from the folder into the tree.
pub(super) fn extend(
    folder: &Folder,
    tree: &mut ProvenTree,
    tiles: &[Tile],
) -> Result<(), ProofError> {
    for tile in tiles {
        if tree.tile(tile.level, tile.index).is_none() {
            let data = tile_in(folder, *tile)?;
            tree.add(*tile, data)
                .map_err(|error| inconsistent(folder, error))?;
        }
    }
    Ok(())
}

fn tile_in(folder: &Folder, tile: Tile) -> Result<Vec<u8>, ProofError> {
    let path = || folder.path(&tile.path());
    match folder.tile(tile) {
        Ok(Some(data)) => Ok(data),
        Ok(None) => Err(ProofError::NoTile { path: path() }),
        Err(error) => Err(ProofError::Unreadable {
            path: path(),
            error,
        }),
    }
}

fn inconsistent(folder: &Folder, error: crate::gomod::sum::Inconsistent) -> ProofError {
    ProofError::Inconsistent {
        folder: folder.root.clone(),
        error,
    }
}
