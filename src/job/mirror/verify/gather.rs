//! Reading one version's files: what they hash to, and what they say.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::path::Path;

use super::judge::{Proof, Read, Seen, ZipSeen};
use crate::gomod::ModuleVersion;
use crate::gosum::hash_go_mod;
use crate::job::mirror::layout::{File, Layout};
use crate::job::mirror::tree::Files;
use crate::job::modzip::{ModZip, ZipError};

/// Bytes; go's own limit (`modfetch/codehost.MaxGoMod`).
const MOST_MOD: u64 = 16 << 20;
/// Bytes. One with an Origin has 400.
pub(super) const MOST_INFO: u64 = 64 << 10;
/// Bytes. A hash has 47.
const MOST_ZIPHASH: u64 = 200;

/// Reads what is there of a version.
pub(super) fn gather(layout: &Layout, module: &ModuleVersion, files: &Files, proof: Proof) -> Seen {
    let path = |file| layout.file(module, file).unwrap_or_default();
    let read = |file, there: Option<u64>, most| there.map(|_| bounded(&path(file), most));
    let go_mod = read(File::Mod, files.go_mod, MOST_MOD);
    Seen {
        info: read(File::Info, files.info, MOST_INFO),
        go_mod: go_mod.map(|read| match read {
            Read::Is(bytes) => Read::Is((hash_go_mod(&bytes), names_itself(&bytes))),
            Read::Cannot(why) => Read::Cannot(why),
        }),
        ziphash: read(File::ZipHash, files.ziphash, MOST_ZIPHASH),
        zip: files.zip.map(|_| zip(module, &path(File::Zip))),
        proof,
    }
}

fn zip(module: &ModuleVersion, path: &Path) -> Read<Result<ZipSeen, String>> {
    let seen = || {
        let zip = ModZip::open(path)?;
        zip.belongs_to(&module.path, &module.version)?;
        let h1 = zip.h1()?;
        let name = [&module.path, "@", &module.version, "/go.mod"].concat();
        let go_mod = match zip.entry(&name) {
            Some(_) => Some(hash_go_mod(&zip.read(&name, MOST_MOD)?)),
            None => None,
        };
        Ok(ZipSeen { h1, go_mod })
    };
    match seen() {
        Ok(seen) => Read::Is(Ok(seen)),
        Err(ZipError::Io { error, .. }) => Read::Cannot(error.to_string()),
        Err(ZipError::Bad { why, .. }) => Read::Is(Err(why)),
        Err(ZipError::Entry { name, why, .. }) => Read::Is(Err(format!("{name:?} {why}"))),
    }
}

/// Has it a `module` line, as every go.mod? A login page has none.
fn names_itself(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| {
        let line = line.trim_ascii_start();
        line.strip_prefix(b"module")
            .and_then(<[u8]>::first)
            .is_some_and(|b| matches!(b, b' ' | b'\t' | b'(' | b'"' | b'`'))
    })
}

/// A regular file of at most so many bytes.
pub(super) fn bounded(path: &Path, most: u64) -> Read<Vec<u8>> {
    let read = || {
        let mut options = OpenOptions::new();
        options.read(true);
        // A named pipe would never end.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
        let file = options.open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a file"));
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > most => {
            Read::Cannot(format!("is longer than {most} bytes"))
        }
        Ok(bytes) => Read::Is(bytes),
        Err(error) => Read::Cannot(error.to_string()),
    }
}
