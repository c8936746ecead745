//! GOTOOLCHAIN's grammar.

use super::variables::Fault;

/// `cmd/go/internal/toolchain.Select`.
pub(super) fn gotoolchain(value: &str) -> Result<(), Fault> {
    let (least, suffix) = match value.split_once('+') {
        Some((least, suffix)) => (least, Some(suffix)),
        None => (value, None),
    };
    let known = match suffix {
        None => matches!(least, "" | "auto" | "path" | "local") || is_toolchain(least),
        Some("auto" | "path") => least == "local" || is_toolchain(least),
        Some(_) => false,
    };
    if known {
        return Ok(());
    }
    Err(Fault::new(
        "bad-gotoolchain",
        "invalid GOTOOLCHAIN: every go command would refuse to run",
    )
    .help("one of auto, path, local, go1.24.0, or a version with +auto or +path"))
}

/// `gover.FromToolchain` and `gover.Parse`: `go1.24`, `go1.24.3`, `go1.24rc1`, with `-suffix`.
fn is_toolchain(name: &str) -> bool {
    let Some(version) = name
        .strip_prefix("go1")
        .filter(|_| !name.contains(['/', '\\']))
    else {
        return false;
    };
    let version = version.split([' ', '\t', '-']).next().unwrap_or_default();
    let Some(minor) = version.strip_prefix('.') else {
        return version.is_empty();
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let number = |text: &str| {
        !text.is_empty() && digits(text) == text.len() && (text == "0" || !text.starts_with('0'))
    };
    let (minor, rest) = minor.split_at(digits(minor));
    if !number(minor) {
        return false;
    }
    if let Some(patch) = rest.strip_prefix('.') {
        return number(patch);
    }
    let pre = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
    rest.is_empty() || (pre.len() < rest.len() && (pre.is_empty() || number(pre)))
}

/// Does it name a go from before 1.16? Where there is no go.mod `go get` verifies nothing there,
/// and before 1.13 none does.
pub(super) fn verifies_less(value: &str) -> bool {
    let name = value.split('+').next().unwrap_or_default();
    let Some(rest) = name.strip_prefix("go1").filter(|_| is_toolchain(name)) else {
        return false;
    };
    let digits = |c: char| !c.is_ascii_digit();
    let minor = rest.strip_prefix('.').unwrap_or_default();
    let minor = minor.split(digits).next().unwrap_or_default();
    minor.is_empty() || minor.parse::<u32>().is_ok_and(|minor| minor < 16)
}
