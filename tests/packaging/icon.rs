//! The icon: one drawing, and its sizes made from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::dist::{has, root, said};
use crate::support::skip;

/// The sizes that desktops look for; Windows' file has those that Explorer shows.
const SIZES: [u32; 7] = [16, 24, 32, 48, 64, 128, 256];
const WINDOWS: [u32; 6] = [16, 24, 32, 48, 64, 256];

fn folder() -> PathBuf {
    root().join("packaging/icon")
}

fn png(size: u32) -> PathBuf {
    folder().join(format!("goroam-{size}.png"))
}

/// Draws the icon in this size.
fn draw(size: u32, to: &Path) {
    let size = size.to_string();
    let mut draw = Command::new("rsvg-convert");
    draw.args(["-w", &size, "-h", &size]);
    said(draw.arg(folder().join("goroam.svg")).arg("-o").arg(to));
}

/// Four bytes for each pixel.
fn pixels(picture: &str) -> Vec<u8> {
    let mut convert = Command::new("convert");
    let done = convert.args([picture, "-depth", "8", "rgba:-"]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{picture}: {done:?}");
    done.stdout
}

/// Fails unless both pictures look the same: another version of the tool may round otherwise.
#[track_caller]
fn same(size: u32, one: &str, other: &str) {
    let (one, other) = (pixels(one), pixels(other));
    assert_eq!(one.len(), (size * size * 4) as usize);
    assert_eq!(one.len(), other.len());
    let differ: u64 = one
        .iter()
        .zip(&other)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    let mean = differ as f64 / one.len() as f64;
    assert!(mean < 2.0, "{size}: {mean}");
}

/// To make a size or Windows' file again, remove it and run this test.
#[test]
fn each_size_of_the_icon_is_made_from_the_drawing() {
    if !has("rsvg-convert") || !has("convert") {
        skip!("there is no rsvg-convert or no convert on this machine");
    }
    let temp = tempfile::tempdir().unwrap();
    let drawn = temp.path().join("drawn.png");
    for size in SIZES {
        if !png(size).exists() {
            draw(size, &png(size));
        }
        draw(size, &drawn);
        let file = png(size);
        same(size, file.to_str().unwrap(), drawn.to_str().unwrap());
    }
    let ico = root().join("packaging/windows/goroam.ico");
    if !ico.exists() {
        said(Command::new("convert").args(WINDOWS.map(png)).arg(&ico));
    }
    for (index, size) in WINDOWS.into_iter().enumerate() {
        let image = format!("{}[{index}]", ico.display());
        same(size, &image, png(size).to_str().unwrap());
    }
}
