//! Texts in a menu, a tooltip or a notification: text from a policy or a network is first made
//! harmless and short.

use crate::model::text::is_direction_mark;

/// Cleans text from outside: one line of at most `most` characters, without control characters and
/// without characters that change the direction of writing (a menu would show the words after them
/// in another order).
pub(super) fn clean(text: &str, most: usize) -> String {
    let harmless = text.chars().map(|c| match c {
        c if c.is_control() => ' ',
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_direction_mark(c) => '\u{fffd}',
        c => c,
    });
    // The length is limited before further work: a trouble may quote a whole file.
    let bounded: String = harmless.take(most.saturating_mul(4)).collect();
    let words: Vec<&str> = bounded.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= most && text.chars().count() <= most.saturating_mul(4) {
        return line;
    }
    let mut cut: String = line.chars().take(most.saturating_sub(1)).collect();
    cut.truncate(cut.trim_end().len());
    cut.push('…');
    cut
}

/// Cuts a text to at most `units` UTF-16 units, between two characters, with "…" for the missing
/// part.
pub(super) fn cut_utf16(text: &str, units: usize) -> String {
    if text.encode_utf16().count() <= units {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = units.saturating_sub(1);
    for c in text.chars() {
        if c.len_utf16() > left {
            break;
        }
        left -= c.len_utf16();
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::{clean, cut_utf16};

    #[test]
    fn a_strangers_text_is_one_short_harmless_line() {
        for (text, most, want) in [
            ("office", 20, "office"),
            ("a\nb\tc\u{7}\u{1b}[2J", 20, "a b c [2J"),
            ("safe\u{202e}gpj.exe", 20, "safe\u{fffd}gpj.exe"),
            ("a\u{200f}\u{2028}b", 20, "a b"),
            ("مكتب 🏢 office", 20, "مكتب 🏢 office"),
            ("one two three", 9, "one two…"),
            ("one two three", 8, "one two…"),
            ("🏢🏢🏢🏢", 3, "🏢🏢…"),
            ("", 5, ""),
        ] {
            assert_eq!(clean(text, most), want, "{text:?}");
        }
        assert_eq!(clean(&"x".repeat(1 << 20), 10), "xxxxxxxxx…");
        assert_eq!(clean(&" ".repeat(1 << 20), 10), "…");
    }

    #[test]
    fn a_tooltip_is_cut_between_characters() {
        assert_eq!(cut_utf16("office", 6), "office");
        assert_eq!(cut_utf16("offices", 6), "offic…");
        // Each house is two units; half of one would not be a character.
        assert_eq!(cut_utf16("🏢🏢🏢", 5), "🏢🏢…");
        assert_eq!(cut_utf16("🏢🏢🏢", 4), "🏢…");
    }
}
