//! Which versions are pinned: `ROOT/.goroam/pins.json`, module to version.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::layout::Layout;
use super::lock::Lock;
use crate::bounded;
use crate::state::file::replace_readable;

/// Bytes; ten thousand pins.
const MOST: u64 = 1 << 20;

/// Module to version.
pub type Pins = BTreeMap<String, String>;

/// The pins of a mirror; none where there is no file.
///
/// # Errors
/// When the file cannot be read or is none of goroam's.
pub fn pins(layout: &Layout) -> io::Result<Pins> {
    let path = path(layout);
    let bytes = match bounded::read_named(&path, MOST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pins::new()),
        Err(error) => return Err(error),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = format!("{}: {error}; mend it or remove it", path.display());
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

/// Keeps them.
pub(super) fn keep(layout: &Layout, _lock: &Lock, pins: &Pins) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(pins)?;
    bytes.push(b'\n');
    replace_readable(&path(layout), &bytes).map(|_| ())
}

fn path(layout: &Layout) -> PathBuf {
    layout.own().join("pins.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::lock::lock;

    #[test]
    fn pins_are_kept_and_a_broken_file_is_named() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        assert_eq!(pins(&layout).unwrap(), Pins::new());
        let lock = lock(&layout, &mut || {}).unwrap();
        let some: Pins = [("a.test/b".to_owned(), "v1.0.0".to_owned())].into();
        keep(&layout, &lock, &some).unwrap();
        assert_eq!(pins(&layout).unwrap(), some);
        std::fs::write(path(&layout), "{").unwrap();
        let said = pins(&layout).unwrap_err().to_string();
        assert!(said.contains("pins.json"), "{said}");
    }
}
