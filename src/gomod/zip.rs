//! A module's zip: its entries, and the hash that go.sum has for it.
//!
//! It is read piece by piece, so that a zip of any size needs only a few buffers, and it is not
//! trusted: a name that leads elsewhere, a false size and a wrong checksum are errors. Some things
//! that go refuses on unpacking (`golang.org/x/mod/zip`) are not checked here: names that only
//! Windows refuses, names that differ only in case, a second go.mod, a LICENSE of over 16 MiB.
//! Nothing here unpacks to disk.

mod content;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rawzip::{CompressionMethod, FileReader, ZipArchive};

pub use self::content::Entry;
use self::content::{Content, Inflater, source};
use super::sum::{Summing, hash_sums};
use crate::bounded;

/// The size of each buffer in bytes.
const BUFFER: usize = 128 << 10;

/// Maximum bytes of the zip, and also of all its unpacked content (`x/mod/zip.MaxZipFile`).
pub const MOST: u64 = 500 << 20;

/// Maximum number of files; the largest module known has some 30,000. This many of the shortest
/// entries take about 100 MB of memory.
const MOST_ENTRIES: usize = 1 << 20;

/// Maximum bytes of all names together.
const MOST_NAMES: usize = 128 << 20;

/// Maximum bytes of go.mod (`x/mod/zip.MaxGoMod`).
const MOST_GO_MOD: u64 = 16 << 20;

/// Why a zip cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct ZipError {
    /// The zip.
    pub path: PathBuf,
    /// Whether it cannot be read, which proves nothing about its content.
    pub is_unreadable: bool,
    /// What is wrong; it begins with the file in the zip, or with `no module zip`.
    pub why: String,
}

impl ZipError {
    fn new(path: &Path, is_unreadable: bool, why: String) -> ZipError {
        ZipError {
            path: path.to_owned(),
            is_unreadable,
            why,
        }
    }

    fn unreadable(path: &Path, error: &io::Error) -> ZipError {
        ZipError::new(path, true, error.to_string())
    }

    fn bad(path: &Path, why: impl std::fmt::Display) -> ZipError {
        ZipError::new(path, false, format!("not a module zip: {why}"))
    }

    fn entry(path: &Path, name: &str, why: impl std::fmt::Display) -> ZipError {
        let name: String = name.chars().take(200).collect();
        ZipError::new(path, false, format!("{name:?}: {why}"))
    }
}

/// A zip whose directory has been read and is valid.
#[derive(Debug)]
pub struct ModZip {
    path: PathBuf,
    file: FileReader,
    /// Sorted by name, bytewise.
    entries: Vec<Entry>,
}

impl ModZip {
    /// Reads the directory of the zip. Entries that are directories (`name/`) are included, as go
    /// hashes them.
    ///
    /// # Errors
    /// If it is not a zip, or has names or sizes that go would not accept.
    pub fn open(path: &Path) -> Result<ModZip, ZipError> {
        let file = bounded::open(path).map_err(|error| ZipError::unreadable(path, &error))?;
        ModZip::of(file.into(), path)
    }

    /// Does the same with an open file; `path` is for messages only.
    ///
    /// # Errors
    /// If it is not a zip, or has names or sizes that go would not accept.
    pub fn of(file: FileReader, path: &Path) -> Result<ModZip, ZipError> {
        let file = file.into_inner();
        let unreadable = |error| ZipError::unreadable(path, &error);
        let bad = |error: rawzip::Error| ZipError::bad(path, error);
        let length = file.metadata().map_err(unreadable)?.len();
        if length > MOST {
            let why = format!("{length} bytes, which is more than {MOST}");
            return Err(ZipError::bad(path, why));
        }
        let mut buffer = vec![0; BUFFER];
        let archive = ZipArchive::from_file(file, &mut buffer).map_err(bad)?;
        let promised = archive.entries_hint();
        let mut entries = Vec::new();
        let (mut total, mut letters) = (0u64, 0usize);
        let mut headers = archive.entries(&mut buffer);
        while let Some(header) = headers.next_entry().map_err(bad)? {
            let name = header.file_path();
            letters += name.as_ref().len();
            if entries.len() >= MOST_ENTRIES || letters > MOST_NAMES {
                return Err(ZipError::bad(path, "more files than any module has"));
            }
            let entry = entry(&header).map_err(|why| {
                ZipError::entry(path, &String::from_utf8_lossy(name.as_ref()), why)
            })?;
            total = total.saturating_add(entry.size);
            if total > MOST {
                let why = format!("more than {MOST} bytes when unpacked");
                return Err(ZipError::bad(path, why));
            }
            entries.push(entry);
        }
        // The end record of the directory has 16 bits for it, and go compares no more (archive/zip,
        // Reader.init).
        if promised & 0xffff != entries.len() as u64 & 0xffff {
            let why = format!("{promised} files promised, but {} there", entries.len());
            return Err(ZipError::bad(path, why));
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        let mut pairs = entries.iter().zip(entries.iter().skip(1));
        if let Some((twice, _)) = pairs.find(|(one, other)| one.name == other.name) {
            return Err(ZipError::entry(path, &twice.name, "is there twice"));
        }
        Ok(ModZip {
            path: path.to_owned(),
            file: archive.into_inner(),
            entries,
        })
    }

    /// Returns the entries, in the order of the names' bytes. The sizes are as stated in the zip;
    /// reading enforces them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry with this full name (`MODULE@VERSION/relative/path`).
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name));
        self.entries.get(at.ok()?)
    }

    /// Checks that every file in it is below `MODULE@VERSION/`, as go requires.
    ///
    /// # Errors
    /// The first file that is not.
    pub fn belongs_to(&self, module: &str, version: &str) -> Result<(), ZipError> {
        let below = format!("{module}@{version}/");
        let other = self.entries.iter().find(|e| !e.name.starts_with(&below));
        other.map_or(Ok(()), |other| {
            let why = format!("is not below {below}");
            Err(ZipError::entry(&self.path, &other.name, why))
        })
    }

    /// Returns the whole content of one file.
    ///
    /// # Errors
    /// If there is no such file, it is longer than `most` bytes, or it does not match what the zip
    /// states.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, ZipError> {
        let Some(entry) = self.entry(name) else {
            return Err(ZipError::entry(&self.path, name, "is not in the zip"));
        };
        if entry.size > most {
            let why = format!("{} bytes, which is more than {most}", entry.size);
            return Err(ZipError::entry(&self.path, name, why));
        }
        let mut bytes = Vec::new();
        // Large zips hold small files; the rest of a large buffer would be read in vain.
        let room = usize::try_from(entry.packed).unwrap_or(BUFFER);
        let mut source = source(&self.file, room.saturating_add(512).min(BUFFER));
        Content::new(&mut source, &mut Inflater::default(), entry)
            .and_then(|mut content| content.read_to_end(&mut bytes))
            .map_err(|error| self.failed(name, &error))?;
        Ok(bytes)
    }

    /// Calls `each` for every file, in the order of their position in the zip. Content that `each`
    /// does not read to its end is not checked.
    ///
    /// # Errors
    /// The error of `each`, or that a file does not match what the zip states.
    pub fn for_each(
        &self,
        each: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), ZipError> {
        let mut source = source(&self.file, BUFFER);
        let mut inflater = Inflater::default();
        for entry in self.in_order() {
            Content::new(&mut source, &mut inflater, entry)
                .and_then(|mut content| each(entry, &mut content))
                .map_err(|error| self.failed(&entry.name, &error))?;
        }
        Ok(())
    }

    /// Returns the hash that go.sum has for it (`dirhash.HashZip`). Every file is read to its end.
    ///
    /// # Errors
    /// If a file does not match what the zip states.
    pub fn h1(&self) -> Result<String, ZipError> {
        let mut sums = Vec::with_capacity(self.entries.len());
        let mut buffer = vec![0; BUFFER];
        self.for_each(&mut |_, content| {
            let mut summing = Summing::default();
            loop {
                match content.read(&mut buffer)? {
                    0 => break,
                    length => summing.update(buffer.get(..length).unwrap_or_default()),
                }
            }
            sums.push(summing.finish());
            Ok(())
        })?;
        let names = self.in_order().into_iter().map(|entry| entry.name.as_str());
        hash_sums(names.zip(sums).collect()).map_err(|error| ZipError::bad(&self.path, error))
    }

    /// Returns the entries by their position in the file, so that it is read from start to end.
    fn in_order(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn failed(&self, name: &str, error: &io::Error) -> ZipError {
        // An error of the system has a number; an error in the content of the zip has none.
        match error.raw_os_error() {
            Some(_) => ZipError::unreadable(&self.path, error),
            None => ZipError::entry(&self.path, name, error),
        }
    }
}

/// Returns the hash that go.sum has for this zip.
///
/// # Errors
/// If it cannot be read or go would not accept it.
pub fn h1_of(path: &Path) -> Result<String, ZipError> {
    ModZip::open(path)?.h1()
}

fn entry(header: &rawzip::ZipFileHeaderRecord<'_>) -> Result<Entry, &'static str> {
    let path = header.file_path();
    let name = std::str::from_utf8(path.as_ref()).map_err(|_| "a name that is not UTF-8")?;
    check_name(name)?;
    let method = header.compression_method();
    let is_deflated = method == CompressionMethod::DEFLATE;
    if !is_deflated && method != CompressionMethod::STORE {
        return Err("packed in a way that go does not know");
    }
    let flags = header.flags();
    let entry = Entry {
        name: name.to_owned(),
        size: header.uncompressed_size_hint(),
        at: header.local_header_offset(),
        packed: header.compressed_size_hint(),
        crc: header.crc32(),
        is_deflated,
        descriptor: flags.has_data_descriptor(),
    };
    let file = name
        .split_once('@')
        .and_then(|(_, rest)| rest.split_once('/'));
    if flags.is_encrypted() {
        return Err("is encrypted");
    }
    if entry.packed > MOST || entry.at > MOST {
        return Err("lies outside the zip");
    }
    if entry.is_folder() && entry.size > 0 {
        return Err("a folder with content");
    }
    if file.is_some_and(|(_, file)| file == "go.mod") && entry.size > MOST_GO_MOD {
        return Err("a go.mod of more than 16 MiB");
    }
    Ok(entry)
}

/// `x/mod/module.CheckFilePath`'s rules on elements and letters, for the whole name: the part
/// before the file (`MODULE@VERSION/`) follows them too. The name of a directory ends in a slash.
fn check_name(name: &str) -> Result<(), &'static str> {
    for element in name.strip_suffix('/').unwrap_or(name).split('/') {
        if element.is_empty() {
            return Err("a name with an empty element");
        }
        // Also "." and "..", and every other name of dots only.
        if element.ends_with('.') {
            return Err("a name with an element that ends in a dot");
        }
        // `module.fileNameOK`; outside ASCII every letter (Rust's tables know a few more than
        // Go's).
        let is_allowed = |c: char| c.is_alphanumeric() || "!#$%&()+,-.=@[]^_{}~ ".contains(c);
        if !element.chars().all(is_allowed) {
            return Err("a name with a character that go does not allow in file names");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use proptest::prelude::*;
    use zlib_rs::{Deflate, DeflateFlush};

    use super::*;
    use crate::gomod::sum::hash_files;

    /// A zip whose parts can be made to state false values.
    #[derive(Clone)]
    struct File {
        name: Vec<u8>,
        content: Vec<u8>,
        deflate: bool,
        descriptor: bool,
        /// The false size and checksum in the headers, if any.
        size: Option<u32>,
        crc: Option<u32>,
        flags: u16,
        method: Option<u16>,
    }

    fn file(name: &str, content: &[u8]) -> File {
        File {
            name: name.into(),
            content: content.to_vec(),
            deflate: true,
            descriptor: false,
            size: None,
            crc: None,
            flags: 0,
            method: None,
        }
    }

    fn deflate(content: &[u8]) -> Vec<u8> {
        let mut out = vec![0; content.len() + content.len() / 100 + 100];
        let mut deflate = Deflate::new(6, false, 15);
        deflate
            .compress(content, &mut out, DeflateFlush::Finish)
            .unwrap();
        out.truncate(usize::try_from(deflate.total_out()).unwrap());
        out
    }

    /// APPNOTE.TXT 4.3.7, 4.3.9, 4.3.12, 4.3.16; with `zip64` sizes and offsets are in the extra
    /// field (4.5.3), and the directory's end record has 64 bits.
    fn zip(files: &[File], zip64: bool) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for file in files {
            let packed = if file.deflate {
                deflate(&file.content)
            } else {
                file.content.clone()
            };
            let at = out.len() as u32;
            let crc = file.crc.unwrap_or(zlib_rs::crc32::crc32(0, &file.content));
            let size = file.size.unwrap_or(file.content.len() as u32);
            let method = file.method.unwrap_or(if file.deflate { 8 } else { 0 });
            let flags = file.flags | u16::from(file.descriptor) << 3;
            let common = |sizes: [u32; 2], crc: u32, extra: usize| {
                let mut common = Vec::new();
                for word in [20, flags, method, 0, 0] {
                    common.extend(u16::to_le_bytes(word));
                }
                common.extend([crc, sizes[0], sizes[1]].map(u32::to_le_bytes).concat());
                common.extend((file.name.len() as u16).to_le_bytes());
                common.extend((extra as u16).to_le_bytes());
                common
            };
            let sizes = [packed.len() as u32, size];
            out.extend(b"PK\x03\x04");
            let (local, local_crc) = if file.descriptor {
                ([0; 2], 0)
            } else {
                (sizes, crc)
            };
            out.extend(common(local, local_crc, 5));
            out.extend(&file.name);
            out.extend(*b"xx\x01\0!");
            out.extend(&packed);
            if file.descriptor {
                out.extend(b"PK\x07\x08");
                out.extend([crc, sizes[0], sizes[1]].map(u32::to_le_bytes).concat());
            }
            let mut extra = Vec::new();
            if zip64 {
                extra.extend([1u16, 24].map(u16::to_le_bytes).concat());
                for number in [size, sizes[0], at] {
                    extra.extend(u64::from(number).to_le_bytes());
                }
            }
            directory.extend(b"PK\x01\x02\x14\0");
            let said = if zip64 { [u32::MAX; 2] } else { sizes };
            directory.extend(common(said, crc, extra.len()));
            directory.extend([0; 10]);
            directory.extend(if zip64 { u32::MAX } else { at }.to_le_bytes());
            directory.extend(&file.name);
            directory.extend(extra);
        }
        let (start, length) = (out.len() as u64, directory.len() as u64);
        let count = files.len() as u16;
        out.extend(directory);
        if zip64 {
            let at = out.len() as u64;
            out.extend(b"PK\x06\x06");
            out.extend(44u64.to_le_bytes());
            out.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let words = [u64::from(count), u64::from(count), length, start];
            out.extend(words.map(u64::to_le_bytes).concat());
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(at.to_le_bytes());
            out.extend(1u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([count, count].map(u16::to_le_bytes).concat());
        let words = if zip64 {
            [u32::MAX; 2]
        } else {
            [length as u32, start as u32]
        };
        out.extend(words.map(u32::to_le_bytes).concat());
        out.extend([0, 0]);
        out
    }

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v1.0.0.zip");
        std::fs::File::create(&path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
        (folder, path)
    }

    fn why(files: &[File]) -> String {
        let (_folder, path) = written(&zip(files, false));
        h1_of(&path).unwrap_err().to_string()
    }

    #[test]
    fn every_form_of_a_zip_has_the_hash_of_its_files() {
        let long = b"package long // and so on\n".repeat(40_000);
        let contents = [
            ("a.test/b@v1.0.0/go.mod", b"module a.test/b\n".as_slice()),
            ("a.test/b@v1.0.0/long.go", &long),
            ("a.test/b@v1.0.0/empty.go", b""),
            ("a.test/b@v1.0.0/dir/", b""),
            ("a.test/b@v1.0.0/dir/\u{fc} #1.go", b"package b\n"),
        ];
        let want = hash_files(contents).unwrap();
        for form in 0..8 {
            let files: Vec<_> = contents
                .iter()
                .map(|(name, content)| File {
                    deflate: form & 1 > 0,
                    descriptor: form & 2 > 0,
                    ..file(name, content)
                })
                .collect();
            let (_folder, path) = written(&zip(&files, form & 4 > 0));
            let zip = ModZip::open(&path).unwrap();
            assert_eq!(zip.h1().unwrap(), want, "form {form}");
            assert_eq!(zip.entries().len(), 5);
            for (name, content) in contents {
                assert_eq!(zip.read(name, 1 << 30).unwrap(), content, "form {form}");
            }
            let read = zip.read("a.test/b@v1.0.0/long.go", long.len() as u64 - 1);
            assert!(read.unwrap_err().to_string().contains("more than"));
            assert!(zip.read("a.test/b@v1.0.0/none.go", 9).is_err());
            assert!(zip.belongs_to("a.test/b", "v1.0.0").is_ok());
            for (module, version) in [("a.test/b", "v1.0.1"), ("a.test/c", "v1.0.0")] {
                assert!(zip.belongs_to(module, version).is_err());
            }
        }
    }

    #[test]
    fn names_that_go_would_not_unpack_are_refused() {
        for name in [
            "a@v1/../../etc/passwd",
            "a@v1/./x",
            "a@v1//x",
            "/a@v1/x",
            "a@v1/x\\y",
            "a@v1/c:x",
            "a@v1/x\0",
            "a@v1/x\n",
            "a@v1/...",
            "a@v1/x*",
            "",
            "/",
        ] {
            assert!(why(&[file(name, b"x")]).contains("a name"), "{name:?}");
        }
        let latin = File {
            name: b"a@v1/\xfc".to_vec(),
            ..file("", b"x")
        };
        assert!(why(&[latin]).contains("not UTF-8"));
        let twice = [
            file("a@v1/x", b"1"),
            file("a@v1/y", b""),
            file("a@v1/x", b"2"),
        ];
        assert!(why(&twice).contains("\"a@v1/x\": is there twice"));
    }

    #[test]
    fn a_zip_that_lies_is_found_out() {
        let content = b"some content, some content".as_slice();
        let plain = file("a@v1/x", content);
        for deflate in [true, false] {
            for descriptor in [true, false] {
                let plain = File {
                    deflate,
                    descriptor,
                    ..plain.clone()
                };
                let shorter = File {
                    size: Some(content.len() as u32 - 1),
                    ..plain.clone()
                };
                assert!(why(&[shorter]).contains("longer than the zip says"));
                let longer = File {
                    size: Some(content.len() as u32 + 1),
                    ..plain.clone()
                };
                assert!(why(&[longer]).contains("shorter than the zip says"));
                let other = File {
                    crc: Some(7),
                    ..plain.clone()
                };
                assert!(why(&[other]).contains("checksum"));
            }
        }
        let bomb = File {
            size: Some(MOST as u32 + 1),
            ..plain.clone()
        };
        assert!(why(&[bomb]).contains("more than 524288000 bytes when unpacked"));
        let half = File {
            size: Some(MOST as u32 / 2 + 1),
            ..plain.clone()
        };
        let other_half = File {
            name: b"a@v1/y".to_vec(),
            ..half.clone()
        };
        assert!(why(&[half, other_half]).contains("when unpacked"));
        let secret = File {
            flags: 1,
            ..plain.clone()
        };
        assert!(why(&[secret]).contains("encrypted"));
        let bzip2 = File {
            method: Some(12),
            ..plain.clone()
        };
        assert!(why(&[bzip2]).contains("does not know"));
        assert!(why(&[file("a@v1/x/", b"1")]).contains("a folder with content"));
        let mut go_mod = file("a@v1/go.mod", b"");
        go_mod.size = Some((16 << 20) + 1);
        assert!(why(&[go_mod]).contains("16 MiB"));
    }

    #[test]
    fn a_bomb_stops_at_what_it_says_it_is() {
        // 64 MiB of zeros in 64 KiB, declared as 1,000 bytes: no more than a buffer is unpacked.
        let bomb = File {
            size: Some(1000),
            ..file("a@v1/x", &vec![0; 64 << 20])
        };
        let (_folder, path) = written(&zip(&[bomb], false));
        let zip = ModZip::open(&path).unwrap();
        let mut seen = 0;
        let stopped = zip.for_each(&mut |_, content| {
            let mut buffer = [0; 4096];
            loop {
                match content.read(&mut buffer)? {
                    0 => return Ok(()),
                    length => seen += length,
                }
            }
        });
        assert!(stopped.unwrap_err().to_string().contains("longer"));
        assert_eq!(seen, 1000);
    }

    #[test]
    fn what_is_no_zip_is_said_to_be_none() {
        let whole = zip(&[file("a@v1/x", &b"content".repeat(99))], false);
        for bytes in [b"".as_slice(), b"<html>captive</html>", &[0; 4096]] {
            let (_folder, path) = written(bytes);
            let said = h1_of(&path).unwrap_err().to_string();
            assert!(said.contains("not a module zip"), "{said}");
        }
        for length in 0..whole.len() {
            let (_folder, path) = written(&whole[..length]);
            assert!(h1_of(&path).is_err(), "cut at {length}");
        }
        let folder = tempfile::tempdir().unwrap();
        let said = h1_of(folder.path()).unwrap_err();
        assert!(said.is_unreadable, "{said}");
        let said = h1_of(&folder.path().join("none")).unwrap_err();
        assert!(said.is_unreadable, "{said}");
    }

    #[test]
    #[cfg(unix)]
    fn a_named_pipe_is_no_zip() {
        use std::os::unix::ffi::OsStrExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v1.0.0.zip");
        let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the name is a C string that outlives the call; mkfifo does not keep the pointer.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(h1_of(&path).unwrap_err().to_string().contains("not a file"));
    }

    proptest! {
        /// For every input of an attacker: an error or a hash, and no more memory than the limits
        /// allow.
        #[test]
        fn no_bytes_make_it_panic(
            form in 0..8u8,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            cut in any::<prop::sample::Index>(),
            cuts in any::<bool>(),
        ) {
            let files: Vec<_> = [("a@v1/x", 9), ("a@v1/y/", 0), ("a@v1/z", 300)]
                .into_iter()
                .map(|(name, times)| File {
                    deflate: form & 1 > 0,
                    descriptor: form & 2 > 0,
                    ..file(name, &b"content".repeat(times))
                })
                .collect();
            let mut bytes = zip(&files, form & 4 > 0);
            for (at, value) in flips {
                let length = bytes.len();
                bytes[at.index(length)] = value;
            }
            if cuts {
                bytes.truncate(cut.index(bytes.len()));
            }
            let (_folder, path) = written(&bytes);
            if let Ok(zip) = ModZip::open(&path) {
                let _ = zip.h1();
                for entry in zip.entries() {
                    let _ = zip.read(&entry.name, 1 << 20);
                }
            }
        }

        #[test]
        fn noise_is_no_zip(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let (_folder, path) = written(&bytes);
            prop_assert!(h1_of(&path).is_err());
        }
    }
}
