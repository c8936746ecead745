//! The icons as pixels, drawn in code: any size, no files, identical on every system.
//!
//! Each state has its own shape, so that no user needs colours to distinguish them. The colours are
//! of medium brightness, so that they contrast with a light and with a dark bar.

use super::face::Icon;

/// Samples per pixel along each side: edges are smooth, and 16 × 16 is still sharp.
const SAMPLES: u32 = 4;
/// Larger than any system requests.
const MOST: u32 = 512;

type Colour = [u8; 3];
const GREEN: Colour = [0x2e, 0x8b, 0x57];
const GREY: Colour = [0x80, 0x80, 0x80];
const ORANGE: Colour = [0xd0, 0x6a, 0x00];
const BLUE: Colour = [0x3a, 0x7b, 0xd5];
const WHITE: Colour = [0xff, 0xff, 0xff];

/// Draws `size` × `size` pixels (at most 512), row by row from the top, four bytes each: red,
/// green, blue, alpha; not premultiplied.
pub fn rgba(icon: Icon, size: u32) -> Vec<u8> {
    let size = size.min(MOST);
    let mut out = Vec::with_capacity((size * size * 4) as usize);
    for y in 0..size {
        for x in 0..size {
            out.extend(pixel(icon, x, y, size));
        }
    }
    out
}

/// Returns the mean of the pixel's samples.
fn pixel(icon: Icon, x: u32, y: u32, size: u32) -> [u8; 4] {
    let mut sum = [0_u32; 3];
    let mut hits = 0;
    for point in 0..SAMPLES * SAMPLES {
        let at = |pixel: u32, part: u32| {
            let fine = (pixel * SAMPLES + part) as f32 + 0.5;
            fine / (size * SAMPLES) as f32 * 2.0 - 1.0
        };
        let (x, y) = (at(x, point % SAMPLES), at(y, point / SAMPLES));
        if let Some(colour) = point_of(icon, x, y) {
            hits += 1;
            for (sum, part) in sum.iter_mut().zip(colour) {
                *sum += u32::from(part);
            }
        }
    }
    let mean = |sum: u32| sum.checked_div(hits).map_or(0, |mean| mean.min(255) as u8);
    let alpha = (hits * 255 / (SAMPLES * SAMPLES)).min(255) as u8;
    [mean(sum[0]), mean(sum[1]), mean(sum[2]), alpha]
}

/// Returns the colour at a point between -1 and 1, y downwards; `None`: transparent.
fn point_of(icon: Icon, x: f32, y: f32) -> Option<Colour> {
    let distance = x.hypot(y);
    match icon {
        // A disc with a tick.
        Icon::Good => {
            let tick = stroke(x, y, [-0.45, 0.05], [-0.12, 0.4], 0.15)
                || stroke(x, y, [-0.12, 0.4], [0.5, -0.35], 0.15);
            (distance <= 0.95).then_some(if tick { WHITE } else { GREEN })
        }
        // A ring with a bar across it: no connection.
        Icon::Offline => {
            let ring = (0.68..=0.95).contains(&distance);
            let bar = distance <= 0.8 && (x - y).abs() <= 0.2;
            (ring || bar).then_some(GREY)
        }
        // A warning triangle with an exclamation mark.
        Icon::Attention => {
            let inside = (-0.9..=0.85).contains(&y) && x.abs() <= (y + 0.9) * 0.5 + 0.08;
            let mark = x.abs() <= 0.13 && ((-0.35..=0.3).contains(&y) || (0.45..=0.7).contains(&y));
            inside.then_some(if mark { WHITE } else { ORANGE })
        }
        // Two bars, the usual pause symbol of players.
        Icon::Paused => {
            let bars = (0.2..=0.7).contains(&x.abs()) && y.abs() <= 0.85;
            bars.then_some(BLUE)
        }
        // An empty square, the usual stop symbol of players.
        Icon::Stopped => {
            let side = x.abs().max(y.abs());
            (0.5..=0.8).contains(&side).then_some(GREY)
        }
    }
}

/// Reports whether the point is within `half` of the line between two points.
fn stroke(x: f32, y: f32, from: [f32; 2], to: [f32; 2], half: f32) -> bool {
    let along = [to[0] - from[0], to[1] - from[1]];
    let length = along[0] * along[0] + along[1] * along[1];
    let part = ((x - from[0]) * along[0] + (y - from[1]) * along[1]) / length;
    let part = part.clamp(0.0, 1.0);
    let near = [from[0] + part * along[0], from[1] + part * along[1]];
    (x - near[0]).hypot(y - near[1]) <= half
}

#[cfg(test)]
mod tests {
    use super::{GREEN, GREY, rgba};
    use crate::tray::face::Icon;

    /// Renders the icon as a person sees it on a bar of this brightness (0 black, 1 white), without
    /// colours.
    fn brightness(icon: Icon, size: u32, bar: f32) -> Vec<f32> {
        let linear = |part: u8| (f32::from(part) / 255.0).powf(2.2);
        rgba(icon, size)
            .chunks(4)
            .map(|p| {
                let own = 0.2126 * linear(p[0]) + 0.7152 * linear(p[1]) + 0.0722 * linear(p[2]);
                let alpha = f32::from(p[3]) / 255.0;
                own * alpha + bar * (1.0 - alpha)
            })
            .collect()
    }

    /// Computes the contrast as WCAG 2 defines it; icons need at least 3.
    fn contrast(one: f32, other: f32) -> f32 {
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_size_has_as_many_bytes_as_it_should_and_a_huge_one_is_bounded() {
        for size in [0, 1, 16, 22, 32, 64] {
            assert_eq!(rgba(Icon::Good, size).len() as u32, size * size * 4);
        }
        assert_eq!(rgba(Icon::Good, u32::MAX).len(), 512 * 512 * 4);
    }

    #[test]
    fn each_stands_out_from_a_light_bar_and_from_a_dark_one() {
        for icon in Icon::ALL {
            for bar in [0.0, 1.0] {
                let seen = brightness(icon, 16, bar);
                let out = seen.iter().filter(|b| contrast(**b, bar) >= 3.0).count();
                assert!(out >= 60, "{icon:?} on {bar}: {out} of 256 pixels");
            }
        }
    }

    #[test]
    fn shapes_differ_without_any_colour_even_when_small() {
        for bar in [0.0, 1.0] {
            for (n, one) in Icon::ALL.into_iter().enumerate() {
                for other in Icon::ALL.into_iter().skip(n + 1) {
                    let (a, b) = (brightness(one, 16, bar), brightness(other, 16, bar));
                    let differ = a.iter().zip(&b).filter(|(a, b)| contrast(**a, **b) >= 2.0);
                    let differ = differ.count();
                    assert!(differ >= 50, "{one:?} and {other:?} on {bar}: {differ}");
                }
            }
        }
    }

    #[test]
    fn corners_are_see_through_and_the_middle_is_what_it_should_be() {
        let at = |icon, x: usize, y: usize| {
            let pixels = rgba(icon, 32);
            let start = (y * 32 + x) * 4;
            <[u8; 4]>::try_from(&pixels[start..start + 4]).unwrap()
        };
        for icon in Icon::ALL {
            assert_eq!(at(icon, 0, 0)[3], 0, "{icon:?}");
        }
        let [r, g, b] = GREEN;
        assert_eq!(at(Icon::Good, 16, 5), [r, g, b, 255], "no tick up there");
        let [r, g, b] = GREY;
        assert_eq!(at(Icon::Offline, 16, 16), [r, g, b, 255], "the bar");
        assert_eq!(at(Icon::Stopped, 16, 16)[3], 0, "an empty square");
        assert_eq!(at(Icon::Paused, 16, 16)[3], 0, "between the bars");
    }
}
