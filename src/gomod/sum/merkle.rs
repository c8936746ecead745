//! The hashes of a checksum database's tree (`golang.org/x/mod/sumdb/tlog/tlog.go`, RFC 6962,
//! section 2.1), by the coordinates of its complete subtrees.

use ring::digest::{Context, SHA256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The root of a tree without records: the hash of nothing.
pub const EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// A complete subtree: the `index`th one of `2^level` records. Level 0 are the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The logarithm of how many records it holds; below 63.
    pub level: u32,
    /// Its number on this level, from the left.
    pub index: u64,
}

/// `tlog.RecordHash`: of a record's text, which ends with a newline.
pub fn record_hash(text: &[u8]) -> Hash {
    sum(&[&[0], text])
}

/// The same, of the lines as [`LookupRecord`](super::LookupRecord) has them: without the last
/// newline.
pub fn lines_hash(lines: &str) -> Hash {
    sum(&[&[0], lines.as_bytes(), b"\n"])
}

/// `tlog.NodeHash`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sum(&[&[1], left, right])
}

/// The fewest complete subtrees that together hold the first `size` records, from the left,
/// which is the largest first (`tlog.subTreeIndex(0, size)`).
pub fn subtrees(size: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut before = 0_u64;
    for level in (0..u64::BITS).rev().filter(|bit| size >> bit & 1 == 1) {
        nodes.push(Node {
            level,
            index: before >> level,
        });
        before |= 1 << level;
    }
    nodes
}

/// The root over these subtrees (`tlog.subTreeHash`), as [`subtrees`] has ordered them.
pub fn root(hashes: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    hashes
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or(EMPTY)
}

/// The hash over the hashes of a complete subtree's leaves (`tlog.tileHash`): a power of two of
/// them. `None` for anything else.
pub fn leaves_hash(leaves: &[u8]) -> Option<Hash> {
    if leaves.len() <= size_of::<Hash>() {
        return leaves.try_into().ok();
    }
    if !leaves.len().is_power_of_two() {
        return None;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    Some(node_hash(&leaves_hash(left)?, &leaves_hash(right)?))
}

fn sum(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = EMPTY;
    // Both have 32 bytes.
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
