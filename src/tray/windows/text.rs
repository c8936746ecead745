//! Converts texts and icons to the formats of Windows.

use crate::tray::face::Icon;
use crate::tray::icon::rgba;
use crate::tray::words::cut_utf16;

/// Converts a text and adds a final zero. A zero within the text would end it, so it becomes a
/// space.
pub(super) fn wide(text: &str) -> Vec<u16> {
    let text = text.encode_utf16().map(|unit| match unit {
        0 => u16::from(b' '),
        unit => unit,
    });
    text.chain([0]).collect()
}

/// Puts a text into a field of fixed length, with a final zero. A text that is too long is cut.
pub(super) fn fill(field: &mut [u16], text: &str) {
    let text = wide(&cut_utf16(text, field.len().saturating_sub(1)));
    field.fill(0);
    field[..text.len()].copy_from_slice(&text);
}

/// Makes a menu label literal: an `&` would underline the next letter, a tab would move the text
/// after it to the right, and a menu has no newlines.
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

/// Builds an icon's image for `CreateIconFromResourceEx`: `BITMAPINFOHEADER`, then rows from the
/// bottom (blue, green, red, opacity), then a mask, which is ignored because the image has opacity.
pub(super) fn dib(icon: Icon, size: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The height includes the mask.
    for word in [40, size, size * 2] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(32_u16.to_le_bytes());
    bytes.extend([0; 24]);
    let pixels = rgba(icon, size);
    for row in pixels.rchunks(size as usize * 4) {
        for pixel in row.chunks(4) {
            let &[red, green, blue, opacity] = pixel else {
                continue;
            };
            bytes.extend([blue, green, red, opacity]);
        }
    }
    // One bit for each pixel; each row is padded to four bytes.
    let row = size.div_ceil(32) as usize * 4;
    bytes.resize(bytes.len() + row * size as usize, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{dib, fill, label, wide};
    use crate::tray::face::Icon;
    use crate::tray::icon::rgba;

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
            (4, "a\0c", "a c"),
        ] {
            assert_eq!(filled(length, text), want, "{text:?} into {length}");
        }
    }

    #[test]
    fn a_character_of_two_units_is_kept_whole_or_left_out() {
        // Each hare is two units.
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
    }

    #[test]
    fn windows_gets_it_upside_down_with_a_mask() {
        let (rgba, dib) = (rgba(Icon::Attention, 20), dib(Icon::Attention, 20));
        // The header, four bytes for each pixel, and a mask whose rows are padded to four bytes.
        assert_eq!(dib.len(), 40 + 20 * 20 * 4 + 4 * 20);
        assert_eq!(dib[8..12], 40_u32.to_le_bytes());
        // The fifteenth row of one is the sixth of the other; red and blue are exchanged.
        let (row, other) = (&rgba[14 * 80..15 * 80], &dib[40 + 5 * 80..40 + 6 * 80]);
        let swapped: Vec<u8> = other
            .chunks(4)
            .flat_map(|p| [p[2], p[1], p[0], p[3]])
            .collect();
        assert_eq!(row, swapped);
        assert!(row.iter().any(|byte| *byte != 0));
    }
}
