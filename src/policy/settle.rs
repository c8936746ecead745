//! When to take a turn, and when to trust a bad one.
