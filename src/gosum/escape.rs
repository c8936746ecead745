//! Escaping of module paths and versions (`golang.org/x/mod/module.EscapePath`).
