//! Checks the form of the small files of a module version: `.mod`, `.info` and `.ziphash`. Pure:
//! takes bytes and returns what is wrong with them, as the rest of a sentence that starts with the
//! file.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::directive::{misfit, path_major};
use super::go_mod;
use super::semver::ModuleVersion;

/// The longest `.mod`, in bytes; go's own limit (`modfetch/codehost.MaxGoMod`).
pub const MOST_MOD: u64 = 16 << 20;
/// The longest `.info`, in bytes. One with an `Origin` has about 400.
pub const MOST_INFO: u64 = 64 << 10;
/// The longest `.ziphash`, in bytes.
pub const MOST_ZIP_HASH: u64 = 1 << 10;

/// `h1:` and the base64 of 32 bytes (`modfetch/fetch.go:isValidSum`).
const SUM_LENGTH: usize = 47;

/// Checks that a module's go.mod is one that go can read in a dependency. The path that it names
/// does not matter: a fork that `replace` names may keep the name of the original.
///
/// # Errors
/// What is wrong with it.
pub fn go_mod(bytes: &[u8]) -> Result<(), String> {
    // go ignores lines that it does not know, so a web page may hold a module line.
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

/// Checks that a version's `.info` is JSON that names the version:
/// `{"Version":"v1.2.0","Time":"…"}`.
///
/// # Errors
/// What is wrong with it.
pub fn info(bytes: &[u8], module: &ModuleVersion) -> Result<(), String> {
    let named = info_version(bytes).map_err(|error| foreign(bytes).map_or(error, str::to_owned))?;
    if named.is_empty() {
        return Err("names no version".to_owned());
    }
    // If the path does not fit the version, go accepts an answer with another name
    // (`modfetch/proxy.go:Stat`).
    if named == module.version || !fits(&module.path, &module.version) {
        return Ok(());
    }
    let named: String = named.chars().take(80).collect();
    Err(format!("names another version, {named:?}"))
}

/// `module.Check`: reports whether a version of this major belongs to a module of this path.
fn fits(path: &str, version: &str) -> bool {
    path_major(path).is_some_and(|major| misfit(version, major).is_none())
}

/// Checks that a `.ziphash` holds the `h1:` of the zip beside it, and returns it.
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

/// Recognises content that no file of go's has: empty, a web page, or zero bytes.
pub fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.trim_ascii().is_empty() {
        return Some("is empty");
    }
    if is_web_page(bytes) {
        return Some("holds an HTML page");
    }
    // After a power loss a file system may keep the length without the bytes.
    bytes.contains(&0).then_some("holds zero bytes")
}

/// Reports whether the content is a web page instead of a Go file (a login page answers 200 to
/// every request): the bytes begin as HTML or XML does. No go.mod, JSON, list, hash or signed note
/// begins so. A server may declare any file as `text/html`, so only the bytes count.
pub fn is_web_page(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"<")
}

/// encoding/json fails beyond this depth of nested arrays and objects.
const MAX_DEPTH: usize = 10_000;

/// The fields of `codehost.Origin`, all of them strings.
const ORIGIN: &str = "VCS URL Subdir Hash TagPrefix TagSum Ref RepoSum";

/// Returns the version that an `.info` or `@latest` names (`modfetch.RevInfo`), decoded as the go
/// command does it; empty if it names none. encoding/json ignores the case of names, uses the last
/// of several, replaces bytes that are not UTF-8, and does not read fields that it does not know.
///
/// # Errors
/// Why go cannot decode it: `invalid response from proxy`.
pub fn info_version(body: &[u8]) -> Result<String, String> {
    let body = String::from_utf8_lossy(body);
    let document: Option<&RawValue> = serde_json::from_str(&body).ok();
    let document = document
        .map(RawValue::get)
        .filter(|json| depth(json) <= MAX_DEPTH);
    let document = document.ok_or("is not JSON")?;
    let mut version = String::new();
    let Some(members) = members(document) else {
        let is_null = document == "null";
        return if is_null {
            Ok(version)
        } else {
            Err("is not a JSON object".to_owned())
        };
    };
    for (name, value) in members {
        if is_named(&name, "Version") {
            if let Some(named) = string("Version", value)? {
                version = named;
            }
        } else if is_named(&name, "Time") {
            if value != "null" && !is_time(value) {
                return Err("has a field Time that is not a time as in RFC 3339".to_owned());
            }
        } else if is_named(&name, "Origin") && value != "null" {
            let Some(members) = self::members(value) else {
                return Err("has a field Origin that is not an object".to_owned());
            };
            for (name, value) in members {
                if let Some(field) = ORIGIN.split(' ').find(|field| is_named(&name, field)) {
                    string(&format!("Origin.{field}"), value)?;
                }
            }
        }
    }
    Ok(version)
}

/// Returns how deeply arrays and objects are nested in this JSON.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Returns the members of a JSON object, in order and as written; `None`: it is not an object.
fn members(json: &str) -> Option<Vec<(String, &str)>> {
    struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

    impl<'de> Deserialize<'de> for Members<'de> {
        fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Members<'de>, D::Error> {
            struct Read;

            impl<'de> Visitor<'de> for Read {
                type Value = Members<'de>;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<Members<'de>, A::Error> {
                    let mut all = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        all.push(member);
                    }
                    Ok(Members(all))
                }
            }

            input.deserialize_map(Read)
        }
    }

    let Members(all) = serde_json::from_str(json).ok()?;
    Some(
        all.into_iter()
            .map(|(name, value)| (unquoted(name.get()), value.get()))
            .collect(),
    )
}

/// Returns the text of a JSON string. A string with half a surrogate pair stays as it is written:
/// no name and no version holds one.
fn unquoted(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.trim_matches('"').to_owned())
}

/// Parses a field that must be a string; null leaves it unchanged.
fn string(field: &str, json: &str) -> Result<Option<String>, String> {
    match json.as_bytes() {
        [b'"', ..] => Ok(Some(unquoted(json))),
        b"null" => Ok(None),
        _ => Err(format!("has a field {field} that is not a string")),
    }
}

/// Reports whether encoding/json accepts `name` for this field. Two letters of other alphabets fold
/// to ASCII.
fn is_named(name: &str, field: &str) -> bool {
    name.replace('\u{17f}', "s")
        .replace('\u{212a}', "k")
        .eq_ignore_ascii_case(field)
}

/// Reports whether Go can read this as a time (`time.Time.UnmarshalJSON`). Go is more lenient than
/// RFC 3339 (golang/go#54580): it accepts an hour of one digit, a comma before the fraction, an
/// offset of 24:60. It does not know JSON's escapes.
fn is_time(json: &str) -> bool {
    let quoted = json
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    quoted.is_some_and(|text| rfc3339(text.as_bytes()).is_some_and(<[u8]>::is_empty))
}

/// `time.Parse(time.RFC3339, …)`; returns the rest of the text, or `None` if parsing fails.
fn rfc3339(text: &[u8]) -> Option<&[u8]> {
    let (year, text) = number(text, 4)?;
    let (month, text) = number(text.strip_prefix(b"-")?, 2)?;
    let (day, text) = number(text.strip_prefix(b"-")?, 2)?;
    let text = text.strip_prefix(b"T")?;
    let (hour, text) = number(text, 2).or_else(|| number(text, 1))?;
    let (minute, text) = number(text.strip_prefix(b":")?, 2)?;
    let (second, text) = number(text.strip_prefix(b":")?, 2)?;
    jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let text = match text {
        [b'.' | b',', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
            let end = digits.iter().position(|byte| !byte.is_ascii_digit());
            digits.get(end.unwrap_or(digits.len())..)?
        }
        text => text,
    };
    if let [b'+' | b'-', offset @ ..] = text {
        let (hours, text) = number(offset, 2)?;
        let (minutes, text) = number(text.strip_prefix(b":")?, 2)?;
        return (hours <= 24 && minutes <= 60).then_some(text);
    }
    text.strip_prefix(b"Z")
}

/// Parses a number with exactly this many digits.
fn number(text: &[u8], digits: usize) -> Option<(i16, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let is_number = head.iter().all(u8::is_ascii_digit);
    Some((
        str::from_utf8(head)
            .ok()
            .filter(|_| is_number)?
            .parse()
            .ok()?,
        rest,
    ))
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
        // As in go: bytes that are not UTF-8 are letters.
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
        // A proxy answers these with another name, and caches of older go commands keep that name.
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
            ("a.test/b/v1", "v1.0.0", false),
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

    fn version(body: &str) -> Result<String, String> {
        info_version(body.as_bytes())
    }

    // The test tests/as_go/info.rs compares these results with real go commands.
    #[test]
    fn the_reason_names_the_field() {
        let wrong = |body: &str| version(body).unwrap_err();
        assert_eq!(wrong("<html>"), "is not JSON");
        assert_eq!(wrong("[]"), "is not a JSON object");
        assert_eq!(
            wrong(r#"{"time":"2024-01-02 03:04:05Z"}"#),
            "has a field Time that is not a time as in RFC 3339"
        );
        assert_eq!(
            wrong(r#"{"Origin":"x"}"#),
            "has a field Origin that is not an object"
        );
        assert_eq!(
            wrong(r#"{"Origin":{"ref":1}}"#),
            "has a field Origin.Ref that is not a string"
        );
    }

    #[test]
    fn escapes_are_resolved() {
        let body = r#"{"Ver\u017fion":"a\u0062\n\ud83d\ude00x\/"}"#;
        assert_eq!(version(body).unwrap(), "ab\n\u{1f600}x/");
        let bytes = b"{\"VERSION\":\"v\xff1\"}";
        assert_eq!(info_version(bytes).unwrap(), "v\u{fffd}1");
    }

    proptest! {
        #[test]
        fn no_info_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = info_version(&body);
        }

        #[test]
        fn what_serde_takes_for_json_is_json(body in "([\\[\\]{},: ]|\"a\"|\"\\\\u00e9\"|1|-0\\.5e3|true|null|01|\"Version\"){0,12}") {
            // Values of ignored fields are not decoded: a number may be beyond the range of f64.
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&body).is_ok();
            let decoded = info_version(body.as_bytes());
            prop_assert_eq!(is_json, decoded != Err("is not JSON".to_owned()), "{}", body);
        }
    }
}
