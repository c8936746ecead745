use std::io::Write as _;
use std::path::PathBuf;

use proptest::prelude::*;
use zlib_rs::{Deflate, DeflateFlush};

use super::*;
use crate::gomod::sum::hash_files;

/// A zip whose parts can be told to lie.
#[derive(Clone)]
struct File {
    name: Vec<u8>,
    content: Vec<u8>,
    deflate: bool,
    descriptor: bool,
    /// What the headers say of size and checksum, where that is not the truth.
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
/// field (4.5.3), and the directory's end is said in 64 bits.
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
    // 64 MiB of zeros in 64 KiB, said to be 1,000 bytes: no more than a buffer is unpacked.
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
        assert!(said.contains("no module zip"), "{said}");
    }
    for length in 0..whole.len() {
        let (_folder, path) = written(&whole[..length]);
        assert!(h1_of(&path).is_err(), "cut at {length}");
    }
    let folder = tempfile::tempdir().unwrap();
    let said = h1_of(folder.path()).unwrap_err();
    assert!(matches!(said, ZipError::Io { .. }), "{said}");
    let said = h1_of(&folder.path().join("none")).unwrap_err();
    assert!(matches!(said, ZipError::Io { .. }), "{said}");
}

#[test]
#[cfg(unix)]
fn a_named_pipe_is_no_zip() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v1.0.0.zip");
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a C string that lives on; mkfifo keeps nothing of it.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    assert!(h1_of(&path).unwrap_err().to_string().contains("not a file"));
}

proptest! {
    /// Whatever an attacker writes: an error or a hash, and no more memory than bounds allow.
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
