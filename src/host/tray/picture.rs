//! The icons, drawn by rule at whatever size a screen asks for: there is no picture file that
//! could be lost, and nothing is scaled. Pure.
//!
//! Each state has a silhouette or a sign of its own, so that nobody needs to see colours; each
//! colour stands out from a light and from a dark task bar (3:1, WCAG 2.2, 1.4.11), since a
//! program is not told in time which of the two it is.

use super::face::Icon;

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// The sign within a filled shape.
const WHITE: Rgb = [0xff, 0xff, 0xff];
/// Points looked at along each side of a pixel.
const FINENESS: u32 = 8;

/// The colour of a state's shape.
pub fn color(icon: Icon) -> Rgb {
    match icon {
        // Go's own blue, darkened until it can be seen on white.
        Icon::Good => [0x00, 0x8c, 0xb0],
        Icon::Offline => [0x6b, 0x7f, 0x94],
        Icon::Attention => [0xd9, 0x63, 0x0d],
        Icon::Paused => [0x8b, 0x6b, 0xc9],
        Icon::Stopped => [0x87, 0x83, 0x7f],
    }
}

/// `size` × `size` pixels from the top left: red, green, blue, opacity; not premultiplied.
pub fn rgba(icon: Icon, size: u32) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(size as usize * size as usize * 4);
    for y in 0..size {
        for x in 0..size {
            pixels.extend(pixel(icon, size, x, y));
        }
    }
    pixels
}

/// The same as Windows keeps one image of an icon (`BITMAPINFOHEADER`, then rows from the bottom:
/// blue, green, red, opacity; then a mask, which nobody reads where there is opacity).
pub fn dib(icon: Icon, size: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The height counts the mask too.
    for word in [40, size, size * 2] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(32_u16.to_le_bytes());
    bytes.extend([0; 24]);
    for y in (0..size).rev() {
        for x in 0..size {
            let [red, green, blue, opacity] = pixel(icon, size, x, y);
            bytes.extend([blue, green, red, opacity]);
        }
    }
    // One bit a pixel, each row filled up to four bytes.
    let row = size.div_ceil(32) as usize * 4;
    bytes.resize(bytes.len() + row * size as usize, 0);
    bytes
}

fn pixel(icon: Icon, size: u32, x: u32, y: u32) -> [u8; 4] {
    let (mut shape, mut sign) = (0, 0);
    for sample in 0..FINENESS * FINENESS {
        let at = |place: u32, part: u32| {
            let middle = f64::from(place) + (f64::from(part) + 0.5) / f64::from(FINENESS);
            middle * 16.0 / f64::from(size)
        };
        match ink(icon, at(x, sample % FINENESS), at(y, sample / FINENESS)) {
            Ink::None => {}
            Ink::Shape => shape += 1,
            Ink::Sign => sign += 1,
        }
    }
    let inked = shape + sign;
    if inked == 0 {
        return [0; 4];
    }
    let own = color(icon);
    let mix = |channel: usize| {
        let sum = u32::from(own[channel]) * shape + u32::from(WHITE[channel]) * sign;
        ((sum + inked / 2) / inked) as u8
    };
    let all = FINENESS * FINENESS;
    [
        mix(0),
        mix(1),
        mix(2),
        ((inked * 255 + all / 2) / all) as u8,
    ]
}

enum Ink {
    None,
    Shape,
    Sign,
}

/// What is at a point of a square of 16 units, from the top left. The edges lie on whole units
/// where they can, which are pixels at the usual size.
fn ink(icon: Icon, x: f64, y: f64) -> Ink {
    let middle = (x - 8.0).hypot(y - 8.0);
    let (shape, sign) = match icon {
        // A disc with a tick.
        Icon::Good => {
            let down = segment(x, y, (4.4, 8.4), (7.0, 11.0));
            let up = segment(x, y, (7.0, 11.0), (11.8, 5.4));
            (middle <= 7.6, down.min(up) <= 1.1)
        }
        // An empty circle, struck through.
        Icon::Offline => {
            let ring = (5.3..=7.6).contains(&middle);
            let stroke = segment(x, y, (3.6, 12.4), (12.4, 3.6)) <= 1.1;
            (ring || stroke, false)
        }
        // A triangle with an exclamation mark.
        Icon::Attention => {
            let stem = (7.0..=9.0).contains(&x) && (5.4..=9.8).contains(&y);
            let dot = (7.0..=9.0).contains(&x) && (11.0..=13.0).contains(&y);
            let body = triangle(x, y, [(8.0, 2.2), (14.4, 13.8), (1.6, 13.8)]) <= 1.2;
            (body, stem || dot)
        }
        // A disc with two bars.
        Icon::Paused => {
            let bars = (5.0..=7.0).contains(&x) || (9.0..=11.0).contains(&x);
            (middle <= 7.6, bars && (5.0..=11.0).contains(&y))
        }
        // A square with a square in it.
        Icon::Stopped => {
            let within = |half: f64, round: f64| {
                let beyond = |at: f64| ((at - 8.0).abs() - (half - round)).max(0.0);
                beyond(x).hypot(beyond(y)) <= round
            };
            (within(7.0, 2.5), within(3.0, 0.4))
        }
    };
    match (shape, sign) {
        (true, true) => Ink::Sign,
        (true, false) => Ink::Shape,
        (false, _) => Ink::None,
    }
}

/// How far a point is from a line between two others.
fn segment(x: f64, y: f64, from: (f64, f64), to: (f64, f64)) -> f64 {
    let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
    let (x, y) = (x - from.0, y - from.1);
    let part = (x * along_x + y * along_y) / (along_x * along_x + along_y * along_y);
    let part = part.clamp(0.0, 1.0);
    (x - part * along_x).hypot(y - part * along_y)
}

/// How far a point is from a triangle, 0 within; the corners go round clockwise.
fn triangle(x: f64, y: f64, corners: [(f64, f64); 3]) -> f64 {
    let [a, b, c] = corners;
    let sides = [(a, b), (b, c), (c, a)];
    let within = sides
        .iter()
        .all(|(from, to)| (to.0 - from.0) * (y - from.1) - (to.1 - from.1) * (x - from.0) >= 0.0);
    if within {
        return 0.0;
    }
    let distances = sides.iter().map(|(from, to)| segment(x, y, *from, *to));
    distances.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::{Rgb, color, dib, rgba};
    use crate::host::tray::face::Icon;

    const ALL: [Icon; 5] = [
        Icon::Good,
        Icon::Offline,
        Icon::Attention,
        Icon::Paused,
        Icon::Stopped,
    ];
    /// Windows 11's task bars.
    const BARS: [Rgb; 2] = [[0xf3, 0xf3, 0xf3], [0x1c, 0x1c, 0x1c]];

    /// WCAG 2.2, "relative luminance".
    fn luminance(rgb: Rgb) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(rgb[0]) + 0.7152 * part(rgb[1]) + 0.0722 * part(rgb[2])
    }

    fn contrast(one: Rgb, other: Rgb) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_icon_stands_out_from_a_light_and_from_a_dark_task_bar() {
        for icon in ALL {
            for bar in BARS {
                let ratio = contrast(color(icon), bar);
                assert!(ratio >= 3.0, "{icon:?} on {bar:02x?}: {ratio:.2}");
            }
        }
    }

    /// Light and dark in a grid of 16: what is left of an icon for one who sees no colours.
    fn marks(icon: Icon, size: u32) -> Vec<u8> {
        let pixels = rgba(icon, size);
        let (pixels, _) = pixels.as_chunks::<4>();
        let mark = |&[red, green, blue, opacity]: &[u8; 4]| match opacity {
            0..128 => 0,
            _ if [red, green, blue].iter().all(|part| *part > 200) => 2,
            _ => 1,
        };
        pixels.iter().map(mark).collect()
    }

    #[test]
    fn the_states_differ_without_their_colours_at_the_smallest_size() {
        for (at, one) in ALL.iter().enumerate() {
            for other in &ALL[at + 1..] {
                let (a, b) = (marks(*one, 16), marks(*other, 16));
                let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
                assert!(
                    differ >= 16,
                    "{one:?}, {other:?}: {differ} pixels of 256 differ"
                );
            }
        }
    }

    #[test]
    fn a_picture_fills_its_square_and_no_more() {
        for icon in ALL {
            for size in [16, 20, 24, 32, 48] {
                let seen = marks(icon, size);
                assert_eq!(seen.len(), (size * size) as usize);
                let inked = seen.iter().filter(|mark| **mark > 0).count() * 100 / seen.len();
                assert!(
                    (30..90).contains(&inked),
                    "{icon:?} at {size}: {inked} % inked"
                );
            }
        }
    }

    #[test]
    fn windows_gets_it_upside_down_with_a_mask() {
        let (rgba, dib) = (rgba(Icon::Attention, 20), dib(Icon::Attention, 20));
        // The header, four bytes a pixel, a mask whose rows are filled up to four bytes.
        assert_eq!(dib.len(), 40 + 20 * 20 * 4 + 4 * 20);
        assert_eq!(dib[8..12], 40_u32.to_le_bytes());
        // The eleventh row of the one is the tenth of the other; red and blue change places.
        let (row, other) = (&rgba[10 * 80..11 * 80], &dib[40 + 9 * 80..40 + 10 * 80]);
        let swapped: Vec<u8> = other
            .chunks(4)
            .flat_map(|p| [p[2], p[1], p[0], p[3]])
            .collect();
        assert_eq!(row, swapped);
        assert!(row.iter().any(|byte| *byte != 0));
    }
}
