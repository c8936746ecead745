//! A module's zip: what is in it, and the hash that go.sum has for it.
