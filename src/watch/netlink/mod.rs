//! What goroam needs of Linux' rtnetlink: four kinds of message, read with bounds. A message
//! comes from the kernel only, yet nothing in here may panic on any bytes.
//!
//! May import: model. `netlink-packet-route` would do it too, at the price of a third copy of
//! the slowest crate in the tree.

pub(crate) mod dump;
pub(super) mod link;
pub(crate) mod message;
pub(super) mod route;
pub(super) mod rule;
