//! Writing an archive.

use std::collections::BTreeSet;

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::ArchiveError;
use super::manifest::{self, Database, Manifest, Version};
use super::tar::Writer;
use crate::bounded;
use crate::gomod::ModuleVersion;
use crate::meter::Meter;
use crate::mirror::layout::{Layout, VersionFile};
use crate::mirror::verify::{Asked, Prover, Report, verify};

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// The archive.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub archive: PathBuf,
    /// Versions in it.
    pub versions: u64,
    /// Of which only go.mod.
    pub go_mod_only: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// What is needed and not in the mirror.
    pub missing: Vec<String>,
    /// What was looked at; what is wrong was left out.
    pub verified: Report,
}

/// Verifies the mirror and writes what is sound to a new file: all of it, or of these versions
/// those that are there.
///
/// # Errors
/// When nothing was written: the file is there, or there is nothing to put into it.
pub fn export(
    layout: &Layout,
    archive: &Path,
    only: Option<&BTreeSet<ModuleVersion>>,
    prover: &Prover,
    meter: &Meter,
) -> Result<Exported, ArchiveError> {
    // Before any work is done; it is not replaced later either.
    if archive.symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists(archive.to_owned()));
    }
    let report = verify(layout, &Asked::default(), prover, meter)
        .map_err(|error| ArchiveError::io(layout.root(), error))?;
    let wanted = |module: &&ModuleVersion| only.is_none_or(|only| only.contains(*module));
    let modules: Vec<ModuleVersion> = report.sound.keys().filter(wanted).cloned().collect();
    if modules.is_empty() {
        let why = format!(
            "{} holds no sound version that is asked for",
            layout.root().display()
        );
        return Err(ArchiveError::Nothing(why));
    }
    let folder = match archive.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |error| ArchiveError::io(archive, error);
    let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    #[cfg(unix)]
    {
        // What is in it is public, and is to be carried about.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode).map_err(failed)?;
    }
    let mut exported = Exported {
        archive: archive.to_owned(),
        versions: 0,
        go_mod_only: 0,
        bytes: 0,
        missing: only
            .into_iter()
            .flatten()
            .filter(|module| !report.sound.contains_key(module))
            .map(ToString::to_string)
            .collect(),
        verified: report,
    };
    let mut buffered = BufWriter::with_capacity(128 << 10, file.as_file());
    let mut source = Source {
        layout,
        prover,
        meter,
        writer: Writer::new(&mut buffered),
    };
    source.write(&modules, &mut exported)?;
    source.writer.finish().map_err(failed)?;
    let inner = buffered
        .into_inner()
        .map_err(|error| failed(error.into()))?;
    inner.sync_all().map_err(failed)?;
    exported.bytes = inner.metadata().map_err(failed)?.len();
    match file.persist_noclobber(archive) {
        Ok(_) => Ok(exported),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(ArchiveError::Exists(archive.to_owned()))
        }
        Err(error) => Err(failed(error.error)),
    }
}

struct Source<'a, 'w> {
    layout: &'a Layout,
    prover: &'a Prover,
    meter: &'a Meter,
    writer: Writer<'w>,
}

impl Source<'_, '_> {
    fn write(
        &mut self,
        modules: &[ModuleVersion],
        exported: &mut Exported,
    ) -> Result<(), ArchiveError> {
        let mut versions = Vec::new();
        for module in modules {
            let Some(hashes) = exported.verified.sound.get(module) else {
                continue;
            };
            match hashes.zip {
                Some(_) => exported.versions += 1,
                None => exported.go_mod_only += 1,
            }
            versions.push(Version {
                module: module.path.clone(),
                version: module.version.clone(),
                zip: hashes.zip.clone(),
                go_mod: hashes.go_mod.clone(),
                info: hashes.info,
            });
        }
        let mut databases = Vec::new();
        let mut proofs = BTreeSet::new();
        if let Some(kept) = self.prover.proofs()
            && let Some(head) = kept.head()
        {
            proofs = kept.files_of(modules)?;
            databases.push(Database {
                name: kept.name().to_owned(),
                head: head.note,
            });
        }
        let manifest = Manifest::new(versions, databases);
        let mut bytes = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| ArchiveError::io(self.layout.root(), error.into()))?;
        bytes.push(b'\n');
        self.writer
            .file(manifest::NAME, bytes.len() as u64, &mut bytes.as_slice())
            .map_err(|error| ArchiveError::io(self.layout.root(), error))?;
        for file in proofs.iter().filter(|file| file.is_file()) {
            self.file(file)?;
        }
        for version in &manifest.versions {
            for part in version.parts() {
                let path = self.layout.file(&version.of(), part);
                self.file(&path.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::io(path, error);
        let name = path
            .strip_prefix(self.layout.root())
            .ok()
            .and_then(Path::to_str);
        let name = name.unwrap_or_default().replace('\\', "/");
        let mut file = bounded::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        self.meter.expect(1, size);
        self.writer.file(&name, size, &mut file).map_err(failed)?;
        self.meter.did(1, size);
        Ok(())
    }
}

impl Version {
    /// Its files, in the order in which they are put in their places.
    pub(super) fn parts(&self) -> impl Iterator<Item = VersionFile> {
        let parts = [
            self.zip.as_ref().map(|_| VersionFile::Zip),
            Some(VersionFile::Mod),
            self.info.then_some(VersionFile::Info),
        ];
        parts.into_iter().flatten()
    }
}
