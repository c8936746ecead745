//! Signed notes and tree heads (`golang.org/x/mod/sumdb/note`, `…/tlog`).
