//! A zip, opened: its files, one or all, and its hash.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::content::{Content, Inflater};
use super::directory::{self, Entry};
use super::error::ZipError;
use super::source::{BUFFER, Source};
use crate::gomod::sum::{Summing, hash_sums};

/// A zip whose directory has been read and found in order.
#[derive(Debug)]
pub struct ModZip {
    path: PathBuf,
    file: rawzip::FileReader,
    /// By name, bytewise.
    entries: Vec<Entry>,
}

impl ModZip {
    /// Reads the directory. Entries that are folders (`name/`) are there too, as go hashes them.
    ///
    /// # Errors
    /// When it is no zip, or has names or sizes that go would not take.
    pub fn open(path: &Path) -> Result<ModZip, ZipError> {
        let (file, entries) = directory::read(path)?;
        Ok(ModZip {
            path: path.to_owned(),
            file,
            entries,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it, in the order of the names' bytes. The sizes are what the zip says; reading
    /// holds it to them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this full name (`MODULE@VERSION/relative/path`).
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.name.as_str().cmp(name));
        at.ok().and_then(|at| self.entries.get(at))
    }

    /// Is every file in it below `MODULE@VERSION/`, as go wants it?
    ///
    /// # Errors
    /// The first that is not.
    pub fn belongs_to(&self, module: &str, version: &str) -> Result<(), ZipError> {
        let below = format!("{module}@{version}/");
        let other = self.entries.iter().find(|e| !e.name.starts_with(&below));
        other.map_or(Ok(()), |other| {
            let why = format!("is not below {below}");
            Err(self.failed(&other.name, io::Error::other(why)))
        })
    }

    /// The whole of one file.
    ///
    /// # Errors
    /// When there is no such file, it is longer than `most` bytes, or it is not as the zip says.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, ZipError> {
        let Some(entry) = self.entry(name) else {
            return Err(self.failed(name, io::Error::other("is not in the zip")));
        };
        if entry.size > most {
            let why = format!("{} bytes, which is more than {most}", entry.size);
            return Err(self.failed(name, io::Error::other(why)));
        }
        let mut bytes = Vec::new();
        // Large zips hold small files; the rest of a large buffer would be read for nothing.
        let room = usize::try_from(entry.packed).unwrap_or(BUFFER);
        let mut source = Source::new(&self.file, room.saturating_add(512).min(BUFFER));
        Content::new(&mut source, &mut Inflater::new(), entry)
            .and_then(|mut content| content.read_to_end(&mut bytes))
            .map_err(|error| self.failed(name, error))?;
        Ok(bytes)
    }

    /// Every file, in the order in which they lie in the zip. What `each` does not read to its
    /// end is not checked.
    ///
    /// # Errors
    /// What `each` says, or that a file is not as the zip says.
    pub fn for_each(
        &self,
        each: &mut dyn FnMut(&Entry, &mut dyn Read) -> io::Result<()>,
    ) -> Result<(), ZipError> {
        let mut source = Source::new(&self.file, BUFFER);
        let mut inflater = Inflater::new();
        for entry in self.in_order() {
            Content::new(&mut source, &mut inflater, entry)
                .and_then(|mut content| each(entry, &mut content))
                .map_err(|error| self.failed(&entry.name, error))?;
        }
        Ok(())
    }

    /// The hash that go.sum has for it (`dirhash.HashZip`). Every file is read to its end.
    ///
    /// # Errors
    /// When a file is not as the zip says.
    pub fn h1(&self) -> Result<String, ZipError> {
        let mut sums = Vec::with_capacity(self.entries.len());
        let mut buffer = vec![0; BUFFER];
        let mut each = |_: &Entry, content: &mut dyn Read| {
            let mut summing = Summing::new();
            loop {
                match content.read(&mut buffer)? {
                    0 => break,
                    length => summing.update(buffer.get(..length).unwrap_or_default()),
                }
            }
            sums.push(summing.finish());
            Ok(())
        };
        self.for_each(&mut each)?;
        let names = self.in_order().into_iter().map(|entry| entry.name.as_str());
        hash_sums(names.zip(sums).collect()).map_err(|error| ZipError::Bad {
            path: self.path.clone(),
            why: error.to_string(),
        })
    }

    /// As they lie in the file, so that it is read from its start to its end.
    fn in_order(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    fn failed(&self, name: &str, error: io::Error) -> ZipError {
        // What the system says has a number; what the zip is found out in has none.
        if error.raw_os_error().is_some() {
            let path = self.path.clone();
            return ZipError::Io { path, error };
        }
        ZipError::Entry {
            path: self.path.clone(),
            name: name.chars().take(200).collect(),
            why: error.to_string(),
        }
    }
}

/// The hash that go.sum has for this zip.
///
/// # Errors
/// When it cannot be read or go would not take it.
pub fn h1_of(path: &Path) -> Result<String, ZipError> {
    ModZip::open(path)?.h1()
}
