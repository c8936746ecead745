//! The go toolchains that projects name, as modules.

/// The module that toolchains come as (`cmd/go/internal/gover`, `toolchain.go`).
pub(super) const MODULE: &str = "golang.org/toolchain";
