//! Words as a shell or a person reads them.

use std::fmt::Display;

/// The word as a POSIX shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:\\@+~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// "1 module", "2 modules".
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, word: &str) -> String {
    let s = if count == N::from(1) { "" } else { "s" };
    format!("{count} {word}{s}")
}

/// "2 errors, 1 warning": the counts that are not zero.
pub fn tally(counts: &[(usize, &str)]) -> String {
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = counts.map(|(count, word)| plural(*count, word)).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (word, want) in [
            ("/home/me/src", "/home/me/src"),
            (r"C:\src", r"C:\src"),
            ("my src", "'my src'"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }

    #[test]
    fn one_has_no_s_and_nothing_is_left_out() {
        assert_eq!(plural(1_u64, "module"), "1 module");
        assert_eq!(plural(0_usize, "module"), "0 modules");
        let counts = [(2, "error"), (0, "warning"), (1, "note")];
        assert_eq!(tally(&counts), "2 errors, 1 note");
        assert_eq!(tally(&[]), "");
    }
}
