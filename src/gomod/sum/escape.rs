//! Escaping of module paths and versions (`golang.org/x/mod/module.EscapePath`): file systems
//! and URLs may fold case, so an upper-case letter is written as `!` and its lower-case one.

/// A path or version that go would not request from a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed module {what} {text:?}: {why}")]
pub struct EscapeError {
    what: &'static str,
    text: String,
    why: &'static str,
}

impl From<EscapeError> for std::io::Error {
    fn from(error: EscapeError) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::InvalidInput, error)
    }
}

/// `github.com/BurntSushi/toml` → `github.com/!burnt!sushi/toml`.
///
/// # Errors
/// If it is not a module path by `module.CheckPath`'s rules on letters and elements.
pub fn escape_path(path: &str) -> Result<String, EscapeError> {
    check_path(path).map_err(|why| error("path", path, why))?;
    Ok(escape(path))
}

/// `v1.0.0-RC1` → `v1.0.0-!r!c1`.
///
/// # Errors
/// If it holds a character that no version may hold: a slash, a `!`, a character outside ASCII.
pub fn escape_version(version: &str) -> Result<String, EscapeError> {
    check_element(version, is_version_byte).map_err(|why| error("version", version, why))?;
    Ok(escape(version))
}

/// The reverse of [`escape_path`].
///
/// # Errors
/// If it is not the escaped form of any path.
pub fn unescape_path(escaped: &str) -> Result<String, EscapeError> {
    let path = unescape(escaped).map_err(|why| error("path", escaped, why))?;
    check_path(&path).map_err(|why| error("path", escaped, why))?;
    Ok(path)
}

/// The reverse of [`escape_version`].
///
/// # Errors
/// If it is not the escaped form of any version.
pub fn unescape_version(escaped: &str) -> Result<String, EscapeError> {
    let version = unescape(escaped).map_err(|why| error("version", escaped, why))?;
    check_element(&version, is_version_byte).map_err(|why| error("version", escaped, why))?;
    Ok(version)
}

fn error(what: &'static str, text: &str, why: &'static str) -> EscapeError {
    EscapeError {
        what,
        text: text.chars().take(200).collect(),
        why,
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            out.push('!');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn unescape(escaped: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => match chars.next() {
                Some(c @ 'a'..='z') => out.push(c.to_ascii_uppercase()),
                Some(_) | None => return Err("a ! that no lower-case letter follows"),
            },
            'A'..='Z' => return Err("an upper-case letter that is not escaped"),
            other => out.push(other),
        }
    }
    Ok(out)
}

/// `module.CheckPath`: a first element with a dot and no leading dash, then plain elements.
fn check_path(path: &str) -> Result<(), &'static str> {
    let first = path.split('/').next().unwrap_or_default();
    if !first.contains('.') {
        return Err("no dot in its first element");
    }
    if first.starts_with('-') {
        return Err("it begins with a dash");
    }
    let plain = |b: u8| matches!(b, b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z');
    if !first.bytes().all(plain) {
        return Err("its first element is not a host name in lower case");
    }
    path.split('/')
        .try_for_each(|element| check_element(element, is_path_byte))
}

fn check_element(element: &str, allowed: fn(u8) -> bool) -> Result<(), &'static str> {
    if element.is_empty() {
        return Err("an element is empty");
    }
    if element.bytes().all(|b| b == b'.') {
        return Err("an element is only dots");
    }
    if element.ends_with('.') {
        return Err("an element ends with a dot");
    }
    if !element.bytes().all(allowed) {
        return Err("a character that may not stand there");
    }
    Ok(())
}

/// `module.modPathOK`.
fn is_path_byte(b: u8) -> bool {
    matches!(b, b'-' | b'.' | b'_' | b'~') || b.is_ascii_alphanumeric()
}

/// `module.fileNameOK` without `!`, the slash and the space: the bytes that a version may hold.
fn is_version_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"#$%&()+,-.=@[]^_{}~".contains(&b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upper_case_letters_are_written_as_go_writes_them() {
        // module_test.go:escapeTests
        for (path, escaped) in [
            ("ascii.com/abcdefghijklmnopqrstuvwxyz.-~_0123456789", None),
            (
                "github.com/GoogleCloudPlatform/omega",
                Some("github.com/!google!cloud!platform/omega"),
            ),
            ("gopkg.in/yaml.v3", None),
            (
                "git.corp.test/Team/Tools",
                Some("git.corp.test/!team/!tools"),
            ),
        ] {
            assert_eq!(escape_path(path).unwrap(), escaped.unwrap_or(path));
            assert_eq!(unescape_path(escaped.unwrap_or(path)).unwrap(), path);
        }
        assert_eq!(escape_version("v1.0.0-RC1").unwrap(), "v1.0.0-!r!c1");
        assert_eq!(
            unescape_version("v2.0.0+incompatible").unwrap(),
            "v2.0.0+incompatible"
        );
    }

    #[test]
    fn what_is_no_module_path_is_refused() {
        for path in [
            "",
            "/",
            "nodot/x",
            "a.b//c",
            "a.b/c/",
            "/a.b/c",
            "a.b/../c",
            "a.b/c d",
            "a.b/c!d",
            "a.b/\u{e9}",
            "A.b/c",
            "-a.b/c",
            "a.b/c.",
            "a.b/c?x",
            "a.b/c%2f",
        ] {
            assert!(escape_path(path).is_err(), "{path:?}");
        }
        for version in ["", "v1/2", "v1!", "..", "v1.0.0 ", "v\u{e9}"] {
            assert!(escape_version(version).is_err(), "{version:?}");
        }
        for escaped in [
            "github.com/BurntSushi/toml",
            "github.com/!Burnt",
            "a.b/!",
            "a.b/!!a",
        ] {
            assert!(unescape_path(escaped).is_err(), "{escaped:?}");
        }
    }

    proptest! {
        #[test]
        fn unescaping_undoes_escaping(path in "[a-z]{1,8}\\.[a-z]{2,3}(/[A-Za-z0-9_~-]{1,8}){0,4}") {
            prop_assert_eq!(unescape_path(&escape_path(&path).unwrap()).unwrap(), path);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,40}") {
            let _ = (escape_path(&text), unescape_path(&text), escape_version(&text), unescape_version(&text));
        }
    }
}
