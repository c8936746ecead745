//! Sizes as people write them.

pub(super) use crate::model::text::parse_size;
