//! Writes and reads the text of the unit and of its drop-in.

use crate::bounded;
use std::path::{Path, PathBuf};

/// The unit's name.
pub(super) const UNIT: &str = "goroam.service";
/// The first line of each file that `goroam service install` writes. A file with this line may be
/// replaced and removed.
const MARK: &str = "# Written by `goroam service install`, which replaces it without a question.";

const SHIPPED: &str = include_str!("../../../systemd/goroam.service");
const EXEC: &str = "ExecStart=";
/// The longest unit that is read, in bytes.
pub(super) const MOST_UNIT: u64 = 1 << 20;

/// Builds the shipped unit with this program; `None` if a unit cannot express its path.
pub(super) fn unit(program: &Path) -> Option<String> {
    let program = quoted(program.to_str()?)?;
    let mut text = format!("{MARK}\n");
    for line in SHIPPED.lines() {
        if line.starts_with(EXEC) {
            text.push_str(&format!("{EXEC}{program} agent"))
        } else {
            text.push_str(line)
        }
        text.push('\n');
    }
    Some(text)
}

/// Builds a drop-in with these variables; `None` if a unit cannot express one of them.
pub(super) fn drop_in(vars: &[(String, String)]) -> Option<String> {
    let mut text = format!(
        "{MARK}\n# What the shell that installed it had, and the service manager had not.\n[Service]\n"
    );
    for (name, value) in vars {
        let word = quoted(&format!("{name}={value}"))?;
        text.push_str(&format!("Environment={word}\n"));
    }
    Some(text)
}

/// The writer of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The file does not exist.
    Nobody,
    /// `goroam service install`.
    Goroam,
    /// Anyone else. This includes a dangling link and bytes that are not text.
    User,
}

/// Returns the writer of the file.
pub(super) fn owner(path: &Path) -> Owner {
    if path.symlink_metadata().is_err() {
        return Owner::Nobody;
    }
    let ours = |bytes: Vec<u8>| bytes.split(|byte| *byte == b'\n').next() == Some(MARK.as_bytes());
    if bounded::read(path, MOST_UNIT).is_ok_and(ours) {
        Owner::Goroam
    } else {
        Owner::User
    }
}

/// Returns the program that a unit starts. Specifiers other than `%%` and `%h` are not supported.
pub(super) fn program(text: &str, home: &Path) -> Option<PathBuf> {
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(EXEC))?;
    let line = line.trim_start_matches(['-', '@', ':', '+', '!']);
    let word = first_word(line)?;
    let word = word.replace("%h", home.to_str()?).replace("%%", "%");
    Some(PathBuf::from(word))
}

/// Quotes a word so that systemd takes it literally: systemd.syntax(7), systemd.unit(5).
fn quoted(word: &str) -> Option<String> {
    if word.chars().any(char::is_control) {
        return None;
    }
    let word = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if word.chars().all(plain) {
        Some(word)
    } else {
        Some(format!("\"{word}\""))
    }
}

fn first_word(line: &str) -> Option<String> {
    let mut chars = line.trim_start().chars().peekable();
    let quote = chars.next_if(|c| matches!(c, '"' | '\''));
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if Some(c) == quote => break,
            ' ' | '\t' if quote.is_none() => break,
            c => word.push(c),
        }
    }
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Owner, drop_in, owner, program, unit};

    #[test]
    fn a_program_with_any_name_is_the_one_that_is_started() {
        for name in [
            "/usr/bin/goroam",
            "/home/Zoë Ö/my programs/goroam",
            "/odd/100% \"sure\"\\goroam",
            "/odd/it's $HOME/goroam",
        ] {
            let text = unit(Path::new(name)).unwrap();
            assert_eq!(
                program(&text, Path::new("/home/me")),
                Some(PathBuf::from(name))
            );
        }
        assert_eq!(unit(Path::new("/two\nExecStartPre=/bin/evil")), None);
        let own = program("ExecStart=-%h/bin/goroam agent", Path::new("/home/me"));
        assert_eq!(own, Some(PathBuf::from("/home/me/bin/goroam")));
    }

    #[test]
    fn what_goroam_has_not_written_is_the_users_whatever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.service");
        assert_eq!(owner(&path), Owner::Nobody);
        std::fs::write(&path, unit(Path::new("/usr/bin/goroam")).unwrap()).unwrap();
        assert_eq!(owner(&path), Owner::Goroam);
        for own in [b"[Service]\n".as_slice(), b"# Zo\xeb\n", b""] {
            std::fs::write(&path, own).unwrap();
            assert_eq!(owner(&path), Owner::User, "{own:?}");
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nowhere/goroam.service", &path).unwrap();
        assert_eq!(owner(&path), Owner::User);
    }

    #[test]
    fn a_variable_cannot_become_a_setting() {
        let var = |value: &str| vec![("GOENV".to_owned(), value.to_owned())];
        assert_eq!(drop_in(&var("/x\n[Service]\nExecStart=/bin/evil")), None);
        let text = drop_in(&var("/a b/100%")).unwrap();
        assert!(
            text.ends_with("\nEnvironment=\"GOENV=/a b/100%%\"\n"),
            "{text}"
        );
    }
}
