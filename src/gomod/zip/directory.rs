//! The directory of a zip, read and found in order.

use std::path::Path;

use rawzip::{CompressionMethod, FileReader, ZipArchive};

use super::error::ZipError;
use super::names;
use super::source::BUFFER;
use crate::bounded;

/// Bytes, of the zip and again of all that is in it (`x/mod/zip.MaxZipFile`).
pub const MOST: u64 = 500 << 20;

/// How many files; the largest module known has some 30,000. So many of the shortest take
/// about 100 MB of memory.
const MOST_ENTRIES: usize = 1 << 20;

/// Bytes of all names together.
const MOST_NAMES: usize = 128 << 20;

/// Bytes of go.mod (`x/mod/zip.MaxGoMod`).
const MOST_GO_MOD: u64 = 16 << 20;

/// One file of a zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its full name, `MODULE@VERSION/relative/path`.
    pub name: String,
    /// Bytes, unpacked, as the zip says.
    pub size: u64,
    /// Where its own header is.
    pub(super) at: u64,
    /// Bytes, packed.
    pub(super) packed: u64,
    pub(super) crc: u32,
    pub(super) method: Method,
    /// Its checksum is said once more behind its bytes.
    pub(super) descriptor: bool,
}

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflate,
}

impl Entry {
    /// A folder, which go sums as an empty file.
    pub fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }
}

/// The file, and its entries by name.
pub(super) fn read(path: &Path) -> Result<(FileReader, Vec<Entry>), ZipError> {
    let io_error = |error| ZipError::Io {
        path: path.to_owned(),
        error,
    };
    let bad = |why: String| ZipError::Bad {
        path: path.to_owned(),
        why,
    };
    let file = bounded::open(path).map_err(io_error)?;
    let length = file.metadata().map_err(io_error)?.len();
    if length > MOST {
        return Err(bad(format!("{length} bytes, which is more than {MOST}")));
    }
    let mut buffer = vec![0; BUFFER];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| from(path, &error))?;
    let promised = archive.entries_hint();
    let mut entries = Vec::new();
    let (mut total, mut letters) = (0u64, 0usize);
    {
        let mut headers = archive.entries(&mut buffer);
        while let Some(header) = headers.next_entry().map_err(|error| from(path, &error))? {
            let name = header.file_path();
            letters += name.as_ref().len();
            if entries.len() >= MOST_ENTRIES || letters > MOST_NAMES {
                return Err(bad("more files than any module has".to_owned()));
            }
            let entry = entry(&header).map_err(|why| ZipError::Entry {
                path: path.to_owned(),
                name: String::from_utf8_lossy(name.as_ref())
                    .chars()
                    .take(200)
                    .collect(),
                why: why.to_owned(),
            })?;
            total = total.saturating_add(entry.size);
            if total > MOST {
                return Err(bad(format!("more than {MOST} bytes when unpacked")));
            }
            entries.push(entry);
        }
    }
    // The directory's end has 16 bits for it, and go compares no more (archive/zip, Reader.init).
    if promised & 0xffff != entries.len() as u64 & 0xffff {
        let why = format!("{promised} files promised, but {} there", entries.len());
        return Err(bad(why));
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let same = entries.windows(2).find(|pair| match pair {
        [one, other] => one.name == other.name,
        _ => false,
    });
    if let Some([twice, ..]) = same {
        return Err(ZipError::Entry {
            path: path.to_owned(),
            name: twice.name.clone(),
            why: "is there twice".to_owned(),
        });
    }
    Ok((archive.into_inner(), entries))
}

fn entry(header: &rawzip::ZipFileHeaderRecord<'_>) -> Result<Entry, &'static str> {
    let path = header.file_path();
    let name = std::str::from_utf8(path.as_ref()).map_err(|_| "a name that is not UTF-8")?;
    names::check(name)?;
    let method = match header.compression_method() {
        CompressionMethod::STORE => Method::Stored,
        CompressionMethod::DEFLATE => Method::Deflate,
        _ => return Err("packed in a way that go does not know"),
    };
    let flags = header.flags();
    let entry = Entry {
        name: name.to_owned(),
        size: header.uncompressed_size_hint(),
        at: header.local_header_offset(),
        packed: header.compressed_size_hint(),
        crc: header.crc32(),
        method,
        descriptor: flags.has_data_descriptor(),
    };
    if flags.is_encrypted() {
        return Err("is encrypted");
    }
    if entry.packed > MOST || entry.at > MOST {
        return Err("lies outside the zip");
    }
    if entry.is_folder() && entry.size > 0 {
        return Err("a folder with content");
    }
    let is_go_mod = name
        .split_once('@')
        .and_then(|(_, rest)| rest.split_once('/'));
    if is_go_mod.is_some_and(|(_, file)| file == "go.mod") && entry.size > MOST_GO_MOD {
        return Err("a go.mod of more than 16 MiB");
    }
    Ok(entry)
}

fn from(path: &Path, error: &rawzip::Error) -> ZipError {
    ZipError::Bad {
        path: path.to_owned(),
        why: error.to_string(),
    }
}
