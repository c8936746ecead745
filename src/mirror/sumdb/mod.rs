//! The checksum database in the mirror: its lookups, and the tiles that prove them, so that GOSUMDB
//! stays on without a network.
//!
//! ```text
//! ROOT/sumdb/NAME/supported                  empty: go then asks here, and nowhere else
//! ROOT/sumdb/NAME/lookup/ESCAPED@VERSION     ID, go.sum lines, signed tree head
//! ROOT/sumdb/NAME/tile/8/LEVEL/NNN[.p/WIDTH]
//! ROOT/.goroam/sumdb/NAME/{heads,forks/…}    every head that go has ever seen
//! ```
//!
//! All lookups have the same tree head, the newest. The tiles prove every record in that tree, and
//! prove that the tree contains every head in `heads` as an earlier state. So go can continue from
//! any head it saw last. go first reads the edge of the tree of the head it saw last
//! (`sumdb.Client.initWork`), so the edges of all these trees are there, too.
//!
//! goroam writes tiles, then `heads`, then lookups, then `supported`, each file atomically. A
//! lookup with an older head stays valid until it is replaced, since nothing that proves it is
//! removed. So a kill at any point leaves files that go can use.
//!
//! Nothing is stored before it is proven: the signature with the key in GOSUMDB, the record in the
//! newest tree, every older head in the newest tree.
//!
//! May import: gomod, model, environment, probe (its Fetcher), layout, store.

mod bring;
mod folder;
mod heads;
mod proofs;
mod route;

pub use bring::Brought;
pub use heads::{ProofError, SignedHead};
pub use proofs::{Proofs, Report, Sums};
pub use route::Route;
