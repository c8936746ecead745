//! The part of tar that goroam's archives use: regular files, one after another (POSIX.1-2017, pax,
//! "ustar Interchange Format"; long names are in an extended header).
//!
//! goroam does not use the crate `tar`: an import must read strictly, with a limit for everything.
//! That crate accepts links, directories and extended headers of any length, and adds 40 KB to the
//! program.

use std::io::{self, Read, Write};

const BLOCK: usize = 512;
/// Maximum length in bytes of a name in a header; a longer one is in an extended header before it.
const MOST_NAME: usize = 100;
/// Maximum size in bytes of an extended header: one of its records is a path.
const MOST_EXTENDED: u64 = 16 << 10;
/// The largest size that eleven octal digits can express; no file here needs more.
const MOST_SIZE: u64 = 0o77_777_777_777;

/// Writes an archive.
pub(super) struct Writer<'w> {
    out: &'w mut dyn Write,
}

impl<'w> Writer<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Writer<'w> {
        Writer { out }
    }

    /// Writes one file of exactly `size` bytes.
    pub(super) fn file(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut short = name;
        if name.len() > MOST_NAME {
            let record = record("path", name);
            short = "goroam-long-name";
            self.header(short, record.len() as u64, b'x')?;
            self.content(record.len() as u64, &mut record.as_bytes())?;
        }
        self.header(short, size, b'0')?;
        self.content(size, content)
    }

    /// Writes the end of the archive.
    pub(super) fn finish(self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])
    }

    fn header(&mut self, name: &str, size: u64, kind: u8) -> io::Result<()> {
        if size > MOST_SIZE {
            return Err(io::Error::other("too large for a tar file"));
        }
        let mut block = [0; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(field) = block.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
        };
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(108, b"0000000\x000000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        // The modification time is 0: the same modules make the same archive.
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum = checksum(&block);
        if let Some(field) = block.get_mut(148..156) {
            field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        self.out.write_all(&block)
    }

    fn content(&mut self, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let copied = io::copy(&mut content.take(size), self.out)?;
        if copied < size {
            return Err(io::Error::other("became shorter while it was read"));
        }
        let rest = (size % BLOCK as u64) as usize;
        let padding = [0; BLOCK];
        let padding = padding.get(rest..).filter(|_| rest > 0);
        self.out.write_all(padding.unwrap_or_default())
    }
}

/// Formats `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length += 1;
    }
    format!("{length} {key}={value}\n")
}

/// Sums all bytes; the bytes of the checksum field count as spaces.
fn checksum(block: &[u8; BLOCK]) -> u32 {
    let bytes = block.iter().enumerate();
    let counted = bytes.map(|(at, b)| if (148..156).contains(&at) { b' ' } else { *b });
    counted.map(u32::from).sum()
}

/// Reads an archive, file by file.
pub(super) struct Reader<'r> {
    input: &'r mut dyn Read,
    /// Bytes of the current file that are still unread.
    left: u64,
    padding: u64,
}

impl<'r> Reader<'r> {
    pub(super) fn new(input: &'r mut dyn Read) -> Reader<'r> {
        Reader {
            input,
            left: 0,
            padding: 0,
        }
    }

    /// Advances to the next file and returns its name and size, or `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(String, u64)>> {
        let mut long = None;
        loop {
            let rest = self.left + self.padding;
            if io::copy(&mut (&mut *self.input).take(rest), &mut io::sink())? < rest {
                return Err(bad("ends within a file"));
            }
            (self.left, self.padding) = (0, 0);
            let mut block = [0; BLOCK];
            self.input.read_exact(&mut block).map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    bad("ends too soon: it is truncated, or not a tar file")
                } else {
                    error
                }
            })?;
            if block == [0; BLOCK] {
                return Ok(None);
            }
            let field = |from: usize, to: usize| {
                let bytes = block.get(from..to).unwrap_or_default();
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                bytes.get(..end).unwrap_or_default()
            };
            if octal(field(148, 156)) != Some(u64::from(checksum(&block)))
                || field(257, 262) != b"ustar"
            {
                return Err(bad("is not a tar file, or is damaged"));
            }
            let size = octal(field(124, 136)).ok_or_else(|| bad("has a file of no size"))?;
            let text = |bytes: &[u8]| {
                let text = String::from_utf8(bytes.to_vec());
                text.map_err(|_| bad("has a name that is not UTF-8"))
            };
            self.padding = size.next_multiple_of(BLOCK as u64) - size;
            self.left = size;
            match block.get(156) {
                Some(b'x') if size <= MOST_EXTENDED && long.is_none() => {
                    let mut records = Vec::new();
                    self.read_to_end(&mut records)?;
                    long = path_of(&records).map(text).transpose()?;
                }
                Some(b'0' | 0) => {
                    let mut name = text(field(345, 500))?;
                    if !name.is_empty() {
                        name.push('/');
                    }
                    name.push_str(&text(field(0, 100))?);
                    return Ok(Some((long.unwrap_or(name), size)));
                }
                _ => {
                    let name: String = text(field(0, 100))?.chars().take(100).collect();
                    return Err(bad(&format!("{name:?} is not a regular file")));
                }
            }
        }
    }
}

impl Read for Reader<'_> {
    /// Reads from the current file.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let length = most.min(out.len());
        let read = match out.get_mut(..length) {
            Some(out) if length > 0 => self.input.read(out)?,
            _ => return Ok(0),
        };
        if read == 0 {
            return Err(bad("ends within a file"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Returns the value of `path` in an extended header.
fn path_of(mut records: &[u8]) -> Option<&[u8]> {
    let mut path = None;
    while !records.is_empty() {
        let space = records.iter().position(|b| *b == b' ')?;
        let length = str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
        let record: &[u8] = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(value);
        }
        records = records.get(length..)?;
    }
    path
}

/// Parses octal digits with spaces around them.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(field).ok()?.trim_ascii();
    let is_number = digits.len() <= 11 && digits.bytes().all(|b| b.is_ascii_digit());
    u64::from_str_radix(digits, 8).ok().filter(|_| is_number)
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        for (name, content) in files {
            writer
                .file(name, content.len() as u64, &mut &**content)
                .unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    fn files(mut bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = Reader::new(&mut bytes);
        let mut files = Vec::new();
        while let Some((name, size)) = reader.next()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            assert_eq!(content.len() as u64, size);
            files.push((name, content));
        }
        Ok(files)
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_is_read_and_the_system_s_tar_reads_it_too() {
        let deep = format!("a.test/{}{}", "d/".repeat(60), "e".repeat(90));
        let long = "x".repeat(300);
        let some = [
            ("manifest.json", b"{}".as_slice()),
            ("empty", b""),
            (deep.as_str(), &[7; 512]),
            (long.as_str(), &[8; 513]),
            ("last", b"end"),
        ];
        let bytes = archive(&some);
        let named = some.map(|(name, content)| (name.to_owned(), content.to_vec()));
        assert_eq!(files(&bytes).unwrap(), named);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        std::fs::write(&path, &bytes).unwrap();
        let Ok(out) = Command::new("tar").arg("-tf").arg(&path).output() else {
            println!("skipped: no tar here");
            return;
        };
        let names = String::from_utf8(out.stdout).unwrap();
        assert_eq!(
            names.lines().collect::<Vec<_>>(),
            some.map(|(name, _)| name)
        );
    }

    #[test]
    fn an_archive_that_is_cut_or_changed_is_an_error() {
        let bytes = archive(&[("one", &[1; 700]), ("two", b"2")]);
        for length in (0..bytes.len() - BLOCK).step_by(97) {
            assert!(files(&bytes[..length]).is_err(), "cut at {length}");
        }
        let mut changed = bytes.clone();
        changed[3] = b'x';
        assert!(files(&changed).is_err());
        for (kind, what) in [
            (b'2', "link"),
            (b'5', "folder"),
            (b'L', "GNU name"),
            (b'1', "hard link"),
        ] {
            let mut other = bytes.clone();
            other[156] = kind;
            let mut block = [0; BLOCK];
            block.copy_from_slice(&other[..BLOCK]);
            other[148..156].copy_from_slice(format!("{:06o}\0 ", checksum(&block)).as_bytes());
            let said = files(&other).unwrap_err().to_string();
            assert!(said.contains("not a regular file"), "{what}: {said}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..9),
            mends in any::<bool>(),
        ) {
            let long = "x".repeat(300);
            let mut bytes = archive(&[("one", b"1"), (&long, b"2")]);
            for (at, value) in flips {
                let length = bytes.len();
                bytes[at.index(length)] = value;
            }
            if mends {
                for block in bytes.chunks_mut(BLOCK) {
                    let mut copy = [0; BLOCK];
                    copy.copy_from_slice(block);
                    block[148..156].copy_from_slice(format!("{:06o}\0 ", checksum(&copy)).as_bytes());
                }
            }
            let _ = files(&bytes);
        }
    }
}
