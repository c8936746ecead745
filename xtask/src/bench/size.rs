//! Measures the size of the program.

use std::path::Path;

use crate::run::Result;

/// Prints the size of the release binary.
pub fn size(goroam: &Path) -> Result {
    let bytes = std::fs::metadata(goroam)
        .map_err(|err| format!("{}: {err}", goroam.display()))?
        .len();
    println!("| binary (release, stripped) | |\n| --- | ---: |");
    let mb = bytes as f64 / 1e6;
    println!("| size | {mb:.2} MB ({bytes} bytes) |\n");
    Ok(())
}
