//! The checksum database in the mirror: its lookups, and the tiles that prove them, so that
//! GOSUMDB stays on where there is no network.
//!
//! ```text
//! ROOT/sumdb/NAME/supported                       empty: go then asks here, and nowhere else
//! ROOT/sumdb/NAME/lookup/ESCAPED@VERSION          ID, go.sum lines, signed tree head
//! ROOT/sumdb/NAME/tile/8/LEVEL/NNN[.p/WIDTH]
//! ROOT/.goroam/sumdb/NAME/{heads,forks/…}    every head that was ever shown to go
//! ```
//!
//! All lookups carry one tree head, the newest. The tiles prove every record in that tree, and
//! every head in `heads` to be how it began: so go can follow from whatever head it saw last.
//! go reads the edge of the tree of its own last head first of all (`sumdb.Client.initWork`),
//! so that is there too, for each head.
//!
//! What is written comes in the order tiles, `heads`, lookups, `supported`, each file at once.
//! A lookup that still has the older head is as good as before until it is replaced, since
//! nothing that proves it goes away. So a kill at any point leaves what go can use.
//!
//! Nothing is stored before it is proven: the signature by the key in GOSUMDB, the record in the
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
