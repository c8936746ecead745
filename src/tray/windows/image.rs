//! An icon's image as Windows keeps it, for `CreateIconFromResourceEx`.

use crate::tray::face::Icon;
use crate::tray::icon::rgba;

/// `BITMAPINFOHEADER`, then rows from the bottom (blue, green, red, opacity), then a mask, which
/// nobody reads where there is opacity.
pub(super) fn dib(icon: Icon, size: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The height counts the mask too.
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
    // One bit a pixel, each row filled up to four bytes.
    let row = size.div_ceil(32) as usize * 4;
    bytes.resize(bytes.len() + row * size as usize, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::dib;

    /// The program's own icon: what Explorer and Task Manager show.
    fn ico() -> Vec<u8> {
        const SIZES: [u32; 7] = [16, 20, 24, 32, 40, 48, 64];
        let mut file = Vec::new();
        for word in [0, 1, SIZES.len() as u16] {
            file.extend(word.to_le_bytes());
        }
        let images = SIZES.map(|size| dib(Icon::Good, size));
        let mut at = 6 + 16 * SIZES.len();
        for (size, image) in SIZES.into_iter().zip(&images) {
            file.extend([size as u8, size as u8, 0, 0, 1, 0, 32, 0]);
            file.extend((image.len() as u32).to_le_bytes());
            file.extend((at as u32).to_le_bytes());
            at += image.len();
        }
        file.extend(images.concat());
        file
    }

    /// To draw it anew: remove the file and run this.
    #[test]
    fn the_programs_icon_is_the_one_of_the_tray() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/windows/goroam.ico");
        let drawn = ico();
        if !std::path::Path::new(path).exists() {
            std::fs::write(path, &drawn).unwrap();
        }
        assert!(
            std::fs::read(path).unwrap() == drawn,
            "{path} is another icon"
        );
    }
    use crate::tray::face::Icon;
    use crate::tray::icon::rgba;

    #[test]
    fn windows_gets_it_upside_down_with_a_mask() {
        let (rgba, dib) = (rgba(Icon::Attention, 20), dib(Icon::Attention, 20));
        // The header, four bytes a pixel, a mask whose rows are filled up to four bytes.
        assert_eq!(dib.len(), 40 + 20 * 20 * 4 + 4 * 20);
        assert_eq!(dib[8..12], 40_u32.to_le_bytes());
        // The fifteenth row of the one is the sixth of the other; red and blue change places.
        let (row, other) = (&rgba[14 * 80..15 * 80], &dib[40 + 5 * 80..40 + 6 * 80]);
        let swapped: Vec<u8> = other
            .chunks(4)
            .flat_map(|p| [p[2], p[1], p[0], p[3]])
            .collect();
        assert_eq!(row, swapped);
        assert!(row.iter().any(|byte| *byte != 0));
    }
}
