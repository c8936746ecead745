//! Formats with `NAME=value` lines: environment.d, /etc/environment, `~/.pam_environment`, the
//! output of `show-environment`, `/proc/PID/environ`.

use std::collections::BTreeSet;

use super::setting::{Book, Setting};

/// Reads environment.d(5). This is also close to how pam_env(8) reads /etc/environment, which may
/// have `export` before the name.
pub(crate) fn assignments(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.trim().to_owned();
        if line.starts_with(['#', ';']) {
            continue;
        }
        while line.ends_with('\\')
            && let Some((_, next)) = lines.next()
        {
            line.pop();
            line.push_str(next.trim_end());
        }
        let line = line.strip_prefix("export ").unwrap_or(&line).trim_start();
        if let Some((name, value)) = line.split_once('=') {
            book.set(name.trim_end(), unquoted(value.trim()), number + 1, true);
        }
    }
    book.found
}

/// The forms in which these files refer to the user's home.
const HOMES: [&str; 3] = ["${HOME}", "$HOME", "@{HOME}"];

/// Replaces references to the home by its path.
pub(crate) fn with_home(value: &str, home: &str) -> String {
    let mut value = value.to_owned();
    for name in HOMES {
        value = value.replace(name, home);
    }
    value
}

/// Removes quotes around the value. `None`: it holds a reference to anything but the home.
fn unquoted(value: &str) -> Option<String> {
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let value = inner.unwrap_or(value);
    (!with_home(value, "").contains('$')).then(|| value.to_owned())
}

/// Reads `~/.pam_environment`: `NAME DEFAULT=value OVERRIDE=value`, or the plain form.
pub(crate) fn pam(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        let Some((name, rest)) = line.split_once(char::is_whitespace) else {
            if let Some((name, value)) = line.split_once('=') {
                book.set(name, unquoted(value), number + 1, true);
            }
            continue;
        };
        let part = |key: &str| {
            let (_, value) = rest.split_once(key)?;
            let word = match value.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => value.split_whitespace().next(),
            };
            Some(word.unwrap_or_default())
        };
        if let Some(value) = part("OVERRIDE=").or_else(|| part("DEFAULT=")) {
            book.set(name, unquoted(value), number + 1, true);
        }
    }
    book.found
}

/// Reads the output of `systemctl --user show-environment`: values with special characters are in
/// `$'…'`.
pub(crate) fn shown(text: &str, names: &BTreeSet<String>) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let inner = value.strip_prefix("$'");
        let inner = inner.and_then(|value| value.strip_suffix('\''));
        pair(
            name,
            &inner.map_or_else(|| value.to_owned(), unescaped),
            names,
        )
    });
    pairs.collect()
}

/// Returns the variable if it is one of the names and not empty.
fn pair(name: &str, value: &str, names: &BTreeSet<String>) -> Option<(String, String)> {
    let is_wanted = names.contains(name) && !value.is_empty();
    is_wanted.then(|| (name.to_owned(), value.to_owned()))
}

fn unescaped(text: &str) -> String {
    let mut is_escape = false;
    let kept = text.chars().filter(|c| {
        is_escape = *c == '\\' && !is_escape;
        !is_escape
    });
    kept.collect()
}

/// Reads fish's universal variables: `SETUVAR --export GOPROXY:https\x3a//a\x2cdirect`. Joins the
/// elements of a list with spaces, as fish exports them.
pub(crate) fn fish_variables(text: &str, names: &BTreeSet<String>) -> Vec<Setting> {
    let mut book = Book::new(names);
    for (number, line) in text.lines().enumerate() {
        let rest = line.strip_prefix("SETUVAR --export ");
        let rest = rest.map(|rest| rest.strip_prefix("--path ").unwrap_or(rest));
        if let Some((name, value)) = rest.and_then(|rest| rest.split_once(':'))
            && let Some(value) = without_escapes(value)
        {
            // U+001E separates the elements of a list.
            book.set(name, Some(value.replace('\u{1e}', " ")), number + 1, true);
        }
    }
    book.found
}

/// Decodes `\x3a`, `\u20ac`, `\\`.
fn without_escapes(value: &str) -> Option<String> {
    let mut text = Vec::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let (byte, digits) = match byte {
            b'\\' => match bytes.next()? {
                b'x' => (b'x', 2),
                b'u' => (b'u', 4),
                byte => (byte, 0),
            },
            byte => (byte, 0),
        };
        if digits == 0 {
            text.push(byte);
            continue;
        }
        let digits: Vec<u8> = bytes.by_ref().take(digits).collect();
        let number = u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
        match byte {
            b'x' => text.push(u8::try_from(number).ok()?),
            _ => {
                text.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut [0; 4]).as_bytes())
            }
        }
    }
    String::from_utf8(text).ok()
}

/// Reads the content of `/proc/PID/environ`.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn environ(bytes: &[u8], names: &BTreeSet<String>) -> Vec<(String, String)> {
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|entry| {
        let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
        pair(name, value, names)
    });
    pairs.collect()
}

/// Reads the output of `reg query KEY`: `    GOPROXY    REG_SZ    https://…`.
pub(crate) fn registry(text: &str, names: &BTreeSet<String>) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| {
        let line = line.trim();
        let kind = ["REG_SZ", "REG_EXPAND_SZ"]
            .into_iter()
            .find(|kind| line.contains(&format!(" {kind} ")))?;
        let (name, value) = line.split_once(kind)?;
        let name = name.trim();
        let name = names.iter().find(|one| one.eq_ignore_ascii_case(name))?;
        pair(name, value.trim(), names)
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{assignments, environ, fish_variables, pam, registry, shown};
    use crate::doctor::format::setting::Setting;

    fn names() -> BTreeSet<String> {
        ["GOPROXY".to_owned()].into()
    }

    fn brief(found: Vec<Setting>) -> Vec<(Option<String>, usize)> {
        found.into_iter().map(|one| (one.value, one.line)).collect()
    }

    #[test]
    fn lines_of_environment_d() {
        for (text, expected) in [
            ("GOPROXY=off", vec![(Some("off"), 1)]),
            (
                "\n GOPROXY = \"https://a,direct\"\n",
                vec![(Some("https://a,direct"), 2)],
            ),
            ("GOPROXY=a\nGOPROXY='b'", vec![(Some("b"), 2)]),
            ("export GOPROXY=off", vec![(Some("off"), 1)]),
            (
                "GOPROXY=https://a,\\\ndirect",
                vec![(Some("https://a,direct"), 1)],
            ),
            ("GOPROXY=${CORP}", vec![(None, 1)]),
            ("#GOPROXY=off\n;GOPROXY=off", vec![]),
            ("MYGOPROXY=off\nGOPROXY", vec![]),
            ("GOPROXY=off\nGOPROXY=", vec![]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(value, line)| (value.map(str::to_owned), line))
                .collect();
            assert_eq!(brief(assignments(text, &names())), expected, "{text}");
        }
    }

    #[test]
    fn universal_variables_are_read_as_fish_writes_them() {
        let found = |text: &str| brief(fish_variables(text, &names()));
        let one = |value: &str| vec![(Some(value.to_owned()), 1)];
        let line = r"SETUVAR --export GOPROXY:https\x3a//a\x20b\x2cdirect";
        assert_eq!(found(line), one("https://a b,direct"));
        assert_eq!(found(r"SETUVAR --export --path GOPROXY:a\x1eb"), one("a b"));
        assert_eq!(found(r"SETUVAR --export GOPROXY:\u20ac"), one("€"));
        for line in [
            "SETUVAR GOPROXY:off",
            "# SETUVAR --export GOPROXY:off",
            r"SETUVAR --export GOPROXY:\x",
            r"SETUVAR --export GOPROXY:\xzz",
            "SETUVAR --export GOPROXY",
            "",
        ] {
            assert_eq!(found(line), [], "{line}");
        }
    }

    #[test]
    fn pam_has_two_forms() {
        let off = vec![(Some("off".to_owned()), 1)];
        for text in [
            "GOPROXY=off",
            "GOPROXY DEFAULT=off",
            "GOPROXY\tDEFAULT=x OVERRIDE=\"off\"",
        ] {
            assert_eq!(brief(pam(text, &names())), off, "{text}");
        }
        assert_eq!(brief(pam("# GOPROXY DEFAULT=off", &names())), []);
    }

    #[test]
    fn what_managers_and_processes_and_the_registry_say() {
        let one = |value: &str| vec![("GOPROXY".to_owned(), value.to_owned())];
        assert_eq!(shown("A=b\nGOPROXY=off\n", &names()), one("off"));
        assert_eq!(shown(r"GOPROXY=$'a|b\'c'", &names()), one("a|b'c"));
        assert_eq!(
            environ(b"A=b\0GOPROXY=off\0GOSUMDB=\0", &names()),
            one("off")
        );
        assert_eq!(environ(b"GOPROXY=\0MYGOPROXY=x\0\xff=\0", &names()), []);
        let said = "\r\nHKEY_CURRENT_USER\\Environment\r\n    GoProxy    REG_SZ    https://a,direct\r\n    Path    REG_EXPAND_SZ    C:\\x\r\n";
        assert_eq!(registry(said, &names()), one("https://a,direct"));
    }
}
