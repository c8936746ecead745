//! The text of a go env file, as the go command reads it (`cfg.go:readEnvFile`).

use std::collections::BTreeSet;
use std::fmt;

use super::mask::mask;

/// The text of the file, as go reads it: the last line of a name wins; no quoting, no trimming.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EnvText(pub Vec<u8>);

impl EnvText {
    /// Returns the value that go would use; `Some("")` for a name that is written without a value.
    /// A value that is not UTF-8 counts as absent: go cannot have written it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings()
            .filter(|(key, _)| *key == name.as_bytes())
            .last()
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Returns every name that has a line.
    pub fn names(&self) -> BTreeSet<&str> {
        let names = self.settings();
        BTreeSet::from_iter(names.filter_map(|(key, _)| std::str::from_utf8(key).ok()))
    }

    /// Returns the lines that go reads as settings: those with a `=` that begin with `A` to `Z`. A
    /// `\r` before the end is part of the value; a BOM hides the first line.
    fn settings(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.split(|b| *b == b'\n').filter_map(|line| {
            let equals = line.iter().position(|b| *b == b'=')?;
            let (key, value) = line.split_at_checked(equals)?;
            let first = key.first()?;
            first
                .is_ascii_uppercase()
                .then(|| (key, value.get(1..).unwrap_or_default()))
        })
    }
}

impl fmt::Debug for EnvText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnvText")
            .field(&mask(&String::from_utf8_lossy(&self.0)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::EnvText;

    fn text(bytes: &[u8]) -> EnvText {
        EnvText(bytes.to_vec())
    }

    #[test]
    fn the_last_line_of_a_name_wins() {
        let text = text(b"GOPROXY=a\nGOSUMDB=x\nGOPROXY=b=c\n");
        assert_eq!(text.get("GOPROXY"), Some("b=c"));
        assert_eq!(
            text.names().into_iter().collect::<Vec<_>>(),
            ["GOPROXY", "GOSUMDB"]
        );
    }

    #[test]
    fn nothing_is_trimmed_or_unquoted() {
        let text = text(b"GOPROXY=\"off\"\r\n GOSUMDB=x\nGOFLAGS = y\nGOPRIVATE=");
        assert_eq!(text.get("GOPROXY"), Some("\"off\"\r"));
        assert_eq!(text.get("GOSUMDB"), None);
        assert_eq!(text.get("GOFLAGS"), None);
        assert_eq!(text.get("GOFLAGS "), Some(" y"));
        assert_eq!(text.get("GOPRIVATE"), Some(""));
    }

    #[test]
    fn comments_lower_case_and_a_bom_hide_a_line() {
        let text = text(b"\xef\xbb\xbfGOPROXY=a\n#GOSUMDB=b\ngoflags=c\n=d\nGOOS\n");
        assert_eq!(text.names().len(), 0);
    }

    #[test]
    fn debug_output_holds_no_password() {
        let shown = format!("{:?}", text(b"GOPROXY=https://joe:s3cret@h\n"));
        assert!(
            !shown.contains("s3cret") && shown.contains("joe"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn every_name_has_a_value_whatever_the_bytes(
            bytes in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'='), Just(b'A'), Just(b'\r'), any::<u8>()],
                0..60,
            )
        ) {
            let text = EnvText(bytes);
            let readable = std::str::from_utf8(&text.0).is_ok();
            for name in text.names() {
                prop_assert!(text.get(name).is_some() || !readable);
                prop_assert!(name.starts_with(|c: char| c.is_ascii_uppercase()));
            }
        }
    }
}
