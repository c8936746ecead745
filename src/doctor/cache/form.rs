//! Has a file a form that go can read? Pure: bytes in, what is wrong out; `None`: nothing that
//! could be proven.

use crate::gomod::sum::{LookupRecord, Note, NoteError, TreeHead};
use crate::gomod::{RevInfo, go_mod};
use crate::model::VerifierKey;

/// go takes such files for absent (`modfetch/cache.go:oldVgoPrefix`).
const OLD_VGO: &[u8] = b"//vgo 0.0.";
/// `h1:` and the base64 of 32 bytes (`modfetch/fetch.go:isValidSum`).
const SUM_LENGTH: usize = 47;

/// A module's go.mod, as go reads it in a dependency. Which path it names does not matter: a fork
/// that stands in for another module names that one.
pub(super) fn go_mod(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(OLD_VGO) {
        return None;
    }
    if let Some(ill) = foreign(bytes) {
        return Some(ill.to_owned());
    }
    let fault = go_mod::dependency(bytes).err()?;
    Some(match bytes.trim_ascii_start().first() {
        Some(b'{' | b'[') => "holds JSON".to_owned(),
        _ if fault.message == go_mod::NO_MODULE => "has no module line".to_owned(),
        _ => format!("is refused by go: {fault}"),
    })
}

/// A version's `.info`: `{"Version":"v1.0.0","Time":"…"}`.
pub(super) fn info(bytes: &[u8], path: &str, version: &str) -> Option<String> {
    if let Some(ill) = foreign(bytes) {
        return Some(ill.to_owned());
    }
    let info = match RevInfo::decode(bytes) {
        Ok(info) => info,
        Err(error) => return Some(error.to_string()),
    };
    match info.version.as_str() {
        "" => Some("names no version".to_owned()),
        named if named == version => None,
        // Where the path does not fit the version, go asks and is told another name
        // (`modfetch/proxy.go:Stat`).
        _ if !fits(path, version) => None,
        named => {
            let named: String = named.chars().take(100).collect();
            Some(format!("names another version, {named}"))
        }
    }
}

/// `.ziphash`: the `h1:` of the zip beside it.
pub(super) fn zip_hash(bytes: &[u8]) -> Option<&'static str> {
    let sum = bytes.trim_ascii();
    if let Some(ill) = foreign(bytes) {
        return Some(ill);
    }
    let plain = sum.len() == SUM_LENGTH && sum.starts_with(b"h1:");
    (!plain).then_some("holds no h1 hash")
}

/// `list`: versions, one a line. go writes it from the names of the files beside it; what else
/// stands in it is left alone.
pub(super) fn list(bytes: &[u8]) -> Option<&'static str> {
    // No version yet, no line.
    if bytes.is_empty() {
        return None;
    }
    foreign(bytes)
}

/// What a checksum database said of a version (`x/mod/sumdb/client.go:Lookup`). An empty file
/// is one that go is about to write.
pub(super) fn lookup(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return None;
    }
    let wrong = LookupRecord::parse(bytes).is_err();
    wrong.then(|| foreign(bytes).unwrap_or("holds no record of a checksum database"))
}

/// `$GOPATH/pkg/sumdb/NAME/latest`: the tree head that was seen last. An empty one is a first
/// one. Without the database's key only the form is looked at. One that another key has signed
/// is no broken one: a database of the same name may be meant.
pub(super) fn latest(bytes: &[u8], key: Option<&VerifierKey>) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let read = || -> Result<TreeHead, NoteError> {
        let note = Note::parse(bytes)?;
        let text = match key {
            Some(key) => note.verify(key)?,
            None => note.unverified_text(),
        };
        TreeHead::parse(text)
    };
    let error = match read() {
        Ok(_) | Err(NoteError::Unverified(_) | NoteError::DamagedKey(_)) => return None,
        Err(error) => error,
    };
    Some(match foreign(bytes) {
        Some(ill) => ill.to_owned(),
        None => format!("is no tree head: {error}"),
    })
}

/// What none of these files ever is.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match start.trim_ascii_start().first() {
        None => Some("is empty"),
        Some(b'<') => Some("holds an HTML page"),
        // A file system that was cut off leaves the length and not the bytes.
        Some(_) if bytes.contains(&0) => Some("holds zero bytes"),
        Some(_) => None,
    }
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
    fn a_login_page_is_no_go_mod() {
        for (text, ill) in [
            ("<html>login</html>", "holds an HTML page"),
            ("\n\n<!DOCTYPE html>\nmodule x\n", "holds an HTML page"),
            ("\u{feff}<html>", "holds an HTML page"),
            ("", "is empty"),
            (" \n\n", "is empty"),
            ("module x\0\n", "holds zero bytes"),
            ("{\"error\":\"login\"}", "holds JSON"),
            ("go 1.21\n", "has no module line"),
            ("// module x\n", "has no module line"),
            (
                "module\n",
                "is refused by go: line 1: usage: module module/path",
            ),
            (
                "module // x\n",
                "is refused by go: line 1: usage: module module/path",
            ),
            ("not found: module x\n", "has no module line"),
            ("module\"example.com/m\"\n", "has no module line"),
        ] {
            assert_eq!(
                super::go_mod(text.as_bytes()).as_deref(),
                Some(ill),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_go_takes_is_a_go_mod() {
        for text in [
            "module golang.org/x/text\n",
            "module golang.org/x/text",
            "module golang.org/x/text\r\n\r\ngo 1.17\r\n",
            "// Deprecated: no.\nmodule \"example.com/m\" // x\n",
            "module(\n\texample.com/m\n)\n",
            "\n\n\tmodule\texample.com/other/fork\n",
            "strange directive\nmodule m\nreplace <<<\n",
            "//vgo 0.0.3\n\nmodule x",
            "//vgo 0.0.4\n<html>",
        ] {
            assert_eq!(super::go_mod(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn an_info_is_json_and_names_its_version() {
        let said = |text: &str| info(text.as_bytes(), "a.test/b", "v1.2.0");
        for fine in [
            "{\"Version\":\"v1.2.0\",\"Time\":\"2024-01-02T03:04:05Z\"}",
            "{ \"version\": \"v1.2.0\" }\n",
            "{\"Version\":\"v1.2.0\",\"Origin\":{\"VCS\":\"git\"}}",
        ] {
            assert_eq!(said(fine), None, "{fine}");
        }
        for (text, ill) in [
            ("<html>", "holds an HTML page"),
            ("", "is empty"),
            ("\0\0\0\0", "holds zero bytes"),
            ("{\"Version\":\"v1.2.0\"", "is not JSON"),
            ("not found", "is not JSON"),
            ("[]", "is not a JSON object"),
            ("null", "names no version"),
            ("{}", "names no version"),
            ("{\"Version\":\"v1.2.1\"}", "names another version, v1.2.1"),
        ] {
            assert_eq!(said(text).as_deref(), Some(ill), "{text}");
        }
        // go is told another name of these by the proxy, and older ones kept it so.
        let incompatible = "{\"Version\":\"v2.0.0+incompatible\"}";
        assert_eq!(info(incompatible.as_bytes(), "a.test/b", "v2.0.0"), None);
        assert!(info(incompatible.as_bytes(), "a.test/b/v2", "v2.0.0").is_some());
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
    fn a_ziphash_is_one_hash_and_a_list_is_no_page() {
        let sum = b"h1:NqM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ=";
        assert_eq!(zip_hash(sum), None);
        assert_eq!(zip_hash(&[sum.as_slice(), b"\n"].concat()), None);
        for bad in [
            b"".as_slice(),
            b"\0\0\0",
            b"h1:x",
            b"h2:qM8EUOU14njkJ3fqMW+pc6Ldnwhi/IjpwHt7yyuwOQ==",
        ] {
            assert!(zip_hash(bad).is_some(), "{bad:?}");
        }
        assert_eq!(list(b""), None);
        assert_eq!(list(b"v1.0.0\nv1.1.0\n"), None);
        assert_eq!(list(b"<html>"), Some("holds an HTML page"));
    }

    #[test]
    fn a_tree_head_that_go_cannot_read_is_named() {
        let page = latest(b"<html>", None).unwrap();
        assert_eq!(page, "holds an HTML page");
        assert!(
            latest(b"garbage\n", None)
                .unwrap()
                .contains("malformed note")
        );
        assert_eq!(latest(b"", None), None);
        let root = "nND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=";
        let note = format!("go.sum database tree\n7\n{root}\n\n\u{2014} sum.test AAAAAAAA\n");
        assert_eq!(latest(note.as_bytes(), None), None);
        let key = VerifierKey::parse(crate::model::sumdb::SUM_GOLANG_ORG).unwrap();
        assert_eq!(latest(note.as_bytes(), Some(&key)), None, "another key's");
        let forged = [&0x033d_e0ae_u32.to_be_bytes()[..], &[7; 64]].concat();
        let forged = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, forged);
        let note = format!("go.sum database tree\n7\n{root}\n\n\u{2014} sum.golang.org {forged}\n");
        let said = latest(note.as_bytes(), Some(&key)).unwrap();
        assert!(said.contains("signature"), "{said}");
    }

    proptest! {
        #[test]
        fn nothing_makes_them_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = super::go_mod(&bytes);
            let _ = info(&bytes, "a.test/b", "v1.0.0");
            let _ = zip_hash(&bytes);
            let _ = list(&bytes);
            let _ = lookup(&bytes);
            let _ = latest(&bytes, None);
        }
    }
}
