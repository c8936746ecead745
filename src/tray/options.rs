//! What `goroam-tray` is started with.

use std::ffi::OsString;
use std::path::PathBuf;

/// `goroam-tray --help`
pub(super) const HELP: &str = "\
goroam in the notification area or menu bar: which profile holds, and why

Usage: goroam-tray [--config FILE]

Options:
  --config FILE  the policy file [env: GOROAM_CONFIG]
  --help         this
  --version      the version

It shows what the agent does and asks it to do things; it starts at login if
that is ticked in its menu. In a terminal, `goroam status` says the same.
";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Show the icon.
    Tray {
        /// `--config`.
        config: Option<PathBuf>,
    },
    /// Print this and end.
    Print(String),
    /// Complain and end.
    Wrong(String),
}

/// `args` with the program's own name first.
pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Wanted {
    let mut config = None;
    let mut args = args.into_iter().skip(1);
    while let Some(arg) = args.next() {
        // Made of what it looks like, a path would be another one.
        let Some(text) = arg.to_str() else {
            return Wanted::Wrong(format!("{arg:?} is not known; see --help"));
        };
        match text {
            "--help" | "-h" => return Wanted::Print(HELP.to_owned()),
            "--version" | "-V" => {
                return Wanted::Print(format!("goroam-tray {}\n", env!("CARGO_PKG_VERSION")));
            }
            "--config" => match args.next() {
                Some(file) if !file.is_empty() => config = Some(PathBuf::from(file)),
                Some(_) | None => return Wanted::Wrong("--config needs a file".to_owned()),
            },
            other => {
                let Some(file) = other.strip_prefix("--config=") else {
                    return Wanted::Wrong(format!("{other:?} is not known; see --help"));
                };
                if file.is_empty() {
                    return Wanted::Wrong("--config needs a file".to_owned());
                }
                config = Some(PathBuf::from(file));
            }
        }
    }
    Wanted::Tray { config }
}

#[cfg(test)]
mod tests {
    use super::{HELP, Wanted, parse};

    #[test]
    fn arguments_are_few_and_a_wrong_one_is_named() {
        let wanted = |line: &str| parse(line.split(' ').map(Into::into));
        let tray = |config: Option<&str>| Wanted::Tray {
            config: config.map(Into::into),
        };
        let wrong = |text: &str| Wanted::Wrong(text.to_owned());
        for (line, want) in [
            ("goroam-tray", tray(None)),
            ("goroam-tray --config a.toml", tray(Some("a.toml"))),
            ("goroam-tray --config=a.toml", tray(Some("a.toml"))),
            ("goroam-tray --config", wrong("--config needs a file")),
            ("goroam-tray --config=", wrong("--config needs a file")),
            ("goroam-tray x", wrong("\"x\" is not known; see --help")),
            (
                "goroam-tray x --help",
                wrong("\"x\" is not known; see --help"),
            ),
            ("goroam-tray --help", Wanted::Print(HELP.to_owned())),
        ] {
            assert_eq!(wanted(line), want, "{line}");
        }
        assert!(HELP.lines().all(|line| line.len() <= 80));
    }
}
