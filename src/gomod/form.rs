//! Judges the form of the small files of a module version: `.mod`, `.info` and `.ziphash`. Pure:
//! bytes in; what is wrong with them out, as the rest of a sentence that starts with the file.

use super::go_mod;
use super::rev_info::RevInfo;
use super::semver::ModuleVersion;

/// The longest `.mod`, in bytes; go's own limit (`modfetch/codehost.MaxGoMod`).
pub const MOST_MOD: u64 = 16 << 20;
/// The longest `.info`, in bytes. One with an `Origin` has 400.
pub const MOST_INFO: u64 = 64 << 10;
/// The longest `.ziphash`, in bytes.
pub const MOST_ZIP_HASH: u64 = 1 << 10;

/// `h1:` and the base64 of 32 bytes (`modfetch/fetch.go:isValidSum`).
const SUM_LENGTH: usize = 47;

/// A module's go.mod must be one that go reads in a dependency. Which path it names does not
/// matter: a fork that `replace` names may keep the name of what it was forked from.
///
/// # Errors
/// What is wrong with it.
pub fn go_mod(bytes: &[u8]) -> Result<(), String> {
    // go passes over lines that it does not know, so a page may hold a module line.
    if is_web_page(bytes) {
        return Err("holds an HTML page".to_owned());
    }
    let Err(fault) = go_mod::dependency(bytes) else {
        return Ok(());
    };
    Err(match (foreign(bytes), bytes.trim_ascii_start().first()) {
        (Some(foreign), _) => foreign.to_owned(),
        (None, Some(b'{' | b'[')) => "holds JSON".to_owned(),
        _ if fault.message == go_mod::NO_MODULE => "has no module line".to_owned(),
        _ => format!("is refused by go: {fault}"),
    })
}

/// A version's `.info` must be JSON that names the version: `{"Version":"v1.2.0","Time":"…"}`.
///
/// # Errors
/// What is wrong with it.
pub fn info(bytes: &[u8], module: &ModuleVersion) -> Result<(), String> {
    let info = match RevInfo::decode(bytes) {
        Ok(info) => info,
        Err(error) => return Err(foreign(bytes).map_or(error.to_string(), str::to_owned)),
    };
    match info.version.as_str() {
        "" => Err("names no version".to_owned()),
        named if named == module.version => Ok(()),
        // Where the path does not fit the version, go takes another name for an answer
        // (`modfetch/proxy.go:Stat`).
        _ if !fits(&module.path, &module.version) => Ok(()),
        named => {
            let named: String = named.chars().take(80).collect();
            Err(format!("names another version, {named:?}"))
        }
    }
}

/// A `.ziphash` must hold the `h1:` of the zip beside it.
///
/// # Errors
/// What is wrong with it.
pub fn zip_hash(bytes: &[u8]) -> Result<String, &'static str> {
    if let Some(foreign) = foreign(bytes) {
        return Err(foreign);
    }
    std::str::from_utf8(bytes.trim_ascii())
        .ok()
        .filter(|sum| sum.len() == SUM_LENGTH && sum.starts_with("h1:"))
        .map(str::to_owned)
        .ok_or("holds no h1 hash")
}

/// What no file of go's is: empty, a web page, or full of zeros.
pub fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.trim_ascii().is_empty() {
        return Some("is empty");
    }
    if is_web_page(bytes) {
        return Some("holds an HTML page");
    }
    // A file system that lost power keeps the length and not the bytes.
    bytes.contains(&0).then_some("holds zero bytes")
}

/// Whether a web page is there in the place of a Go file (a login page answers 200 to every request):
/// the bytes begin as HTML or XML does. No go.mod, JSON, list, hash or signed note begins so. A
/// server may call any file `text/html`, so only the bytes count.
pub fn is_web_page(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"<")
}

/// `module.Check`: does a version of this major belong to a module of this path?
fn fits(path: &str, version: &str) -> bool {
    let major = version.split(['.', '-', '+']).next().unwrap_or_default();
    if let Some(rest) = path.strip_prefix("gopkg.in/") {
        let rest = rest.strip_suffix("-unstable").unwrap_or(rest);
        let named = rest.rsplit_once('.').map_or("", |(_, major)| major);
        return named == major || named == "v1" && version.starts_with("v0.0.0-");
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    let named = last.strip_prefix('v').filter(|number| {
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        plain && !number.starts_with('0') && *number != "1"
    });
    match named {
        Some(_) => last == major,
        None => matches!(major, "v0" | "v1") || version.ends_with("+incompatible"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_known_by_its_first_sign_and_no_go_file_has_it() {
        for page in [
            "<html>login</html>",
            "<HTML>",
            "<head>",
            "<body>",
            "<!doctype html>",
            "\n\n<!DOCTYPE html>\nmodule x\n",
            "\u{feff} \n<!doctype html>",
            "\u{feff}<html>",
            "\t\r\n<html>",
            "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
        ] {
            assert!(is_web_page(page.as_bytes()), "{page:?}");
        }
        for file in [
            "",
            " \n\n",
            "\u{feff}",
            "module x\n",
            "// <html>\nmodule x\n",
            "{\"Version\":\"v1.0.0\"}",
            "{\"error\":\"<html>\"}",
            "v1.0.0\nv1.1.0\n",
            "h1:T8xJhYeb5wlYBiOAggnHAylDzP7qLamatAT0xkxbQqA=\n",
            "go.sum database tree\n5\n",
            "PK\u{3}\u{4}<html>",
            "not found: module x\n",
            "&lt;html&gt;",
        ] {
            assert!(!is_web_page(file.as_bytes()), "{file:?}");
        }
        assert!(!is_web_page(b"\xe9<html>"));
    }

    #[test]
    fn a_login_page_is_no_go_mod() {
        for (text, fault) in [
            ("<html>login</html>", "holds an HTML page"),
            ("\n\n<!DOCTYPE html>\nmodule x\n", "holds an HTML page"),
            (
                "\u{feff}\n<!DOCTYPE html><html>\nmodule a.test/b\n</html>",
                "holds an HTML page",
            ),
            ("\u{feff}<html>", "holds an HTML page"),
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("module x\0\n", "holds zero bytes"),
            ("{\"error\":\"login\"}", "holds JSON"),
            ("go 1.21\n", "has no module line"),
            ("// module x\n", "has no module line"),
            ("modulex y\n", "has no module line"),
            ("not found: module x\n", "has no module line"),
            ("module\"example.com/m\"\n", "has no module line"),
            (
                "module\n",
                "is refused by go: line 1: usage: module module/path",
            ),
            (
                "module // x\n",
                "is refused by go: line 1: usage: module module/path",
            ),
            (
                "module a.test/b\nrequire (\n",
                "is refused by go: line 2: syntax error (unterminated block)",
            ),
        ] {
            let said = super::go_mod(text.as_bytes());
            assert_eq!(said, Err(fault.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn what_go_takes_is_a_go_mod() {
        for text in [
            "module golang.org/x/text\n",
            "module golang.org/x/text",
            "module golang.org/x/text\r\n\r\ngo 1.17\r\n",
            "// Deprecated: no.\nmodule \"example.com/m\" // x\n",
            "// x\r\nmodule \"a.test/b\"\r\n",
            "module(\n\texample.com/m\n)\n",
            "module (\n a.test/b\n)\n",
            "\n\n\tmodule\texample.com/other/fork\n",
            "strange directive\nmodule m\nreplace <<<\n",
            "//vgo 0.0.3\n\nmodule x",
        ] {
            assert_eq!(super::go_mod(text.as_bytes()), Ok(()), "{text:?}");
        }
        // As go: bytes that are no UTF-8 are letters.
        assert_eq!(super::go_mod(b"// caf\xe9\nmodule a.test/b\n"), Ok(()));
    }

    #[test]
    fn an_info_is_json_and_names_its_version() {
        let said = |text: &str| info(text.as_bytes(), &ModuleVersion::new("a.test/b", "v1.2.0"));
        for good in [
            "{\"Version\":\"v1.2.0\",\"Time\":\"2024-01-02T03:04:05Z\"}",
            "{\"Version\":\"v1.2.0\",\"Time\":\"2024-05-06T07:08:09Z\",\"Origin\":{}}",
            "{ \"version\": \"v1.2.0\" }\n",
            "{\"Version\":\"v1.2.0\",\"Origin\":{\"VCS\":\"git\"}}",
        ] {
            assert_eq!(said(good), Ok(()), "{good}");
        }
        for (text, fault) in [
            ("<html>", "holds an HTML page"),
            ("\u{feff}\n<!DOCTYPE html>", "holds an HTML page"),
            ("", "is empty"),
            ("\0\0\0\0", "holds zero bytes"),
            ("{\"Version\":\"v1.2.0\"", "is not JSON"),
            ("{\"Version\":\"v1.2.0\"} x", "is not JSON"),
            ("not found", "is not JSON"),
            ("[]", "is not a JSON object"),
            ("null", "names no version"),
            ("{}", "names no version"),
            (
                "{\"Version\":1}",
                "has a field Version that is not a string",
            ),
            (
                "{\"Version\":\"v1.2.0\",\"Time\":\"today\"}",
                "has a field Time that is not a time as in RFC 3339",
            ),
            (
                "{\"Version\":\"v1.2.1\"}",
                "names another version, \"v1.2.1\"",
            ),
        ] {
            assert_eq!(said(text), Err(fault.to_owned()), "{text}");
        }
        // A proxy answers these with another name, and caches of older go commands keep it so.
        let incompatible = b"{\"Version\":\"v2.0.0+incompatible\"}";
        let of = |path| info(incompatible, &ModuleVersion::new(path, "v2.0.0"));
        assert_eq!(of("a.test/b"), Ok(()));
        assert!(of("a.test/b/v2").is_err());
    }

    #[test]
    fn which_major_belongs_to_which_path() {
        for (path, version, fine) in [
            ("a.test/b", "v0.1.0", true),
            ("a.test/b", "v1.1.0", true),
            ("a.test/b", "v2.0.0", false),
            ("a.test/b", "v2.0.0+incompatible", true),
            ("a.test/b/v2", "v2.0.0", true),
            ("a.test/b/v2", "v3.0.0", false),
            ("a.test/b/v1", "v1.0.0", true),
            ("gopkg.in/yaml.v3", "v3.0.1", true),
            ("gopkg.in/yaml.v3", "v2.0.1", false),
            ("gopkg.in/x.v1", "v0.0.0-20200102150405-abcdefabcdef", true),
            ("gopkg.in/x.v2-unstable", "v2.0.0", true),
        ] {
            assert_eq!(fits(path, version), fine, "{path}@{version}");
        }
    }

    #[test]
    fn a_ziphash_is_one_hash() {
        let sum = "h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=";
        assert_eq!(zip_hash(sum.as_bytes()).as_deref(), Ok(sum));
        let line = [sum, "\n"].concat();
        assert_eq!(zip_hash(line.as_bytes()).as_deref(), Ok(sum));
        for bad in [
            b"".as_slice(),
            b"\0\0\0",
            b"h1:x",
            b"h2:qM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ==",
        ] {
            assert!(zip_hash(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = super::go_mod(&bytes);
            let _ = info(&bytes, &ModuleVersion::new("a.test/b", "v1.0.0"));
            let _ = zip_hash(&bytes);
            let _ = foreign(&bytes);
        }
    }
}
