//! The go toolchains that projects name, as modules.

use crate::gomod::ModuleVersion;
use crate::gomod::go_mod::GoMod;

/// The module that toolchains come as (`cmd/go/internal/modfetch/toolchain.go`).
pub(super) const MODULE: &str = "golang.org/toolchain";

/// The toolchain that a go.mod asks for, for this system: its `toolchain` line, else its `go`
/// line where that names a release. `go 1.22` alone is a language version, of which there is no
/// toolchain to be had; before 1.21 there were none as modules.
pub(super) fn wanted(go_mod: &GoMod, os: &str, arch: &str) -> Option<ModuleVersion> {
    let named = go_mod.toolchain.as_ref().map(|line| line.value.as_str());
    let named = named.filter(|name| *name != "default");
    let name = match named {
        Some(name) => name.strip_prefix("go")?,
        None => go_mod.go.as_ref()?.value.as_str(),
    };
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    let minor = name.strip_prefix("1.")?;
    let digits = minor
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(minor.len());
    let number: u32 = minor.get(..digits)?.parse().ok()?;
    let is_release = digits < minor.len();
    if !plain || number < 21 || !is_release {
        return None;
    }
    let version = format!("v0.0.1-go{name}.{os}-{arch}");
    Some(ModuleVersion::new(MODULE, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::go_mod::parse;

    #[test]
    fn the_toolchain_line_goes_before_the_go_line() {
        let of = |text: &str| {
            let text = format!("module a.test/b\n{text}\n");
            let wanted = wanted(&parse(&text), "linux", "amd64");
            wanted.map(|module| module.version)
        };
        for (text, want) in [
            (
                "go 1.24.3\ntoolchain go1.24.11",
                Some("v0.0.1-go1.24.11.linux-amd64"),
            ),
            ("go 1.24.3", Some("v0.0.1-go1.24.3.linux-amd64")),
            ("go 1.25rc1", Some("v0.0.1-go1.25rc1.linux-amd64")),
            (
                "go 1.24.3\ntoolchain default",
                Some("v0.0.1-go1.24.3.linux-amd64"),
            ),
            ("go 1.22", None),
            ("go 1.20.5", None),
            ("go 1.24.3\ntoolchain go1.24.3-corp", None),
            ("", None),
        ] {
            assert_eq!(of(text).as_deref(), want, "{text:?}");
        }
    }
}
