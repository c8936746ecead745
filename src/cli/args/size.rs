//! Sizes as people write them.

pub(super) use crate::model::size::parse_size;
