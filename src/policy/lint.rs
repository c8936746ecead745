//! Findings about values that parse, but do not do what they look like.
