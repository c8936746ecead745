//! Texts as Windows takes them.

/// With a zero at its end. A zero within would cut it off.
pub(super) fn wide(text: &str) -> Vec<u16> {
    let text = text.encode_utf16().map(|unit| match unit {
        0 => u16::from(b' '),
        unit => unit,
    });
    text.chain([0]).collect()
}

/// Puts a text into a field of fixed length, with a zero at its end. One that is too long ends in
/// "…", and no character is cut in two.
pub(super) fn fill(field: &mut [u16], text: &str) {
    field.fill(0);
    let room = field.len().saturating_sub(1);
    let whole = wide(text);
    if whole.len() <= field.len() {
        field[..whole.len()].copy_from_slice(&whole);
        return;
    }
    let mut used = 0;
    for character in text.chars() {
        let length = character.len_utf16();
        if used + length + 1 > room {
            break;
        }
        let character = if character == '\0' { ' ' } else { character };
        character.encode_utf16(&mut field[used..used + length]);
        used += length;
    }
    if used < room {
        field[used] = 0x2026;
    }
}

/// A menu's words as they are: an `&` would underline the next letter, a tab would push what
/// follows to the right, and a newline has no place there.
pub(super) fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&&"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// With the ends of lines that Windows' own fields need.
pub(super) fn crlf(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::{crlf, fill, label, wide};

    fn filled(length: usize, text: &str) -> String {
        let mut field = vec![7; length];
        fill(&mut field, text);
        let end = field.iter().position(|unit| *unit == 0).unwrap();
        assert!(field[end..].iter().all(|unit| *unit == 0));
        String::from_utf16(&field[..end]).unwrap()
    }

    #[test]
    fn a_text_that_fits_is_whole_and_a_longer_one_ends_in_dots() {
        for (length, text, want) in [
            (6, "", ""),
            (6, "home", "home"),
            (6, "homes", "homes"),
            (6, "homely", "home…"),
            (2, "homely", "…"),
            (1, "homely", ""),
            (4, "a\0c", "a c"),
        ] {
            assert_eq!(filled(length, text), want, "{text:?} into {length}");
        }
    }

    #[test]
    fn a_character_of_two_units_is_kept_whole_or_left_out() {
        // Each of the hares is two units.
        for (length, want) in [
            (3, "…"),
            (4, "🐇…"),
            (5, "🐇…"),
            (6, "🐇🐇…"),
            (7, "🐇🐇🐇"),
        ] {
            assert_eq!(filled(length, "🐇🐇🐇"), want, "{length}");
        }
    }

    #[test]
    fn a_profile_with_an_ampersand_is_shown_as_it_is_called() {
        assert_eq!(label("r&d\tlab\n"), "r&&d lab ");
        assert_eq!(wide("a\0"), [97, 32, 0]);
        assert_eq!(crlf("one\ntwo\r\nthree\n"), "one\r\ntwo\r\nthree");
    }
}
