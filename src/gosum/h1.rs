//! The `h1:` hash of go.sum (`golang.org/x/mod/sumdb/dirhash.Hash1`).
