//! `goroam mirror add`: downloads modules with go, verifies them and stores them in the mirror.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::go::{Go, Mode, explain, own_module};
use super::layout::{Layout, VersionFile};
use super::project;
use super::proof::{self, Records};
use super::stage::{AddedVersion, How, Taken, ZipCame, may_store, take};
use super::store::Store;
use super::wants::{AddError, Failed, Wants, refuse_foreign, took};
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::ModuleVersion;
use crate::gomod::form::{MOST_MOD, MOST_ZIP_HASH};
use crate::gomod::go_version::TOOLCHAIN;
use crate::gomod::stored::{StoredMod, StoredVersion, StoredZip};
use crate::gomod::sum::{escape_path, hash_go_mod};
use crate::gomod::zip::ModZip;
use crate::meter::Meter;
use crate::model::quoted;
use crate::pool;

/// Number of versions that are stored at once: a kill loses no more work than these.
const BATCH: usize = 64;

/// What to add to the mirror.
#[derive(Debug, Clone, Default)]
pub struct Add {
    /// `PATH`, `PATH@VERSION`, `PATH@QUERY`.
    pub modules: Vec<String>,
    /// Projects: a directory, a go.mod or a go.work.
    pub from: Vec<PathBuf>,
    /// Also add what the tests of dependencies need.
    pub tests: bool,
    /// Also add the toolchains that the projects name, and those that go asks for meanwhile.
    pub toolchain: bool,
    /// Use only what the module cache holds.
    pub offline: bool,
}

/// A progress message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Another goroam writes to the mirror; this one waits.
    Waits,
    /// go runs for this project or module.
    Asks(&'a str),
    /// goroam asks the checksum database about this many versions.
    Proves(usize),
    /// From here on, goroam verifies and stores what go downloaded.
    Stores,
}

/// Adds the requested modules to the mirror.
///
/// # Errors
/// When nothing could be done at all. The returned value lists failures of single versions.
pub async fn add(
    root: &Path,
    wish: Option<&Path>,
    env: &Environment,
    what: &Add,
    meter: &Meter,
    notice: &mut dyn FnMut(Notice<'_>),
) -> Result<Added, AddError> {
    let queries = what.modules.iter().map(|text| query(text));
    let queries: Vec<String> = queries.collect::<Result<_, _>>()?;
    let go = Box::pin(Go::find(wish, env, what.offline, what.toolchain, meter)).await?;
    refuse_foreign(root, Path::new(go.value("GOMODCACHE")))?;
    let mut wants = Wants::default();
    for named in &what.from {
        notice(Notice::Asks(&named.display().to_string()));
        let project = project::project(&go, named)?;
        if what.toolchain {
            let names = project::toolchains(&go, &project)?;
            Box::pin(go.bring(&names, &mut wants)).await?;
        }
        Box::pin(project::want(&go, &project, what.tests, &mut wants)).await?;
    }
    if !queries.is_empty() {
        Box::pin(want_modules(&go, &queries, &mut wants, notice)).await?;
    }
    wants.join(go.demanded());
    for failed in &mut wants.failed {
        explain(failed, what.toolchain);
    }
    // If go reports a mismatch, an attacker may have sent the data: nothing of the same download is
    // stored, not even what looks good.
    if wants.failed.iter().any(|failed| failed.mismatch) {
        return Ok(Added::without(root, wants.failed).summed());
    }
    let zips = &wants.zips;
    wants.mods.retain(|module| !zips.contains(module));
    let mut store = Store::open(Layout::new(root), &mut || notice(Notice::Waits))
        .map_err(|error| AddError::file(root, &error))?;
    let cache = Layout::new(go.cache());
    // go.sum also lists go.mods that this project never reads: of those, only the cached ones are
    // stored.
    wants.mods.retain(|module| {
        let file = cache.file(module, VersionFile::Mod);
        file.is_ok_and(|file| file.is_file())
    });
    let wanted: Vec<&ModuleVersion> = wants.zips.iter().chain(&wants.mods).collect();
    notice(Notice::Proves(wanted.len()));
    let records = Box::pin(proof::records(&go, &store.layout, &wanted)).await;
    if let Some(why) = &records.fork {
        return Err(AddError::Forked(why.clone()));
    }
    notice(Notice::Stores);
    let mut work = Work {
        meter,
        cache,
        wants: &wants,
        records: &records,
        done: Added::without(root, wants.failed.clone()),
    };
    work.bring(&mut store)
        .map_err(|error| AddError::file(root, &error))?;
    let mut done = work.done.summed();
    if what.offline && !done.failed.is_empty() {
        done.fetch = Some(fetch(what));
    }
    Ok(done)
}

/// Returns the same command without `--offline`.
fn fetch(what: &Add) -> String {
    let mut words = vec!["goroam mirror add".to_owned()];
    words.extend(what.modules.iter().cloned());
    for from in &what.from {
        words.push("--from".to_owned());
        words.push(quoted(&from.display().to_string()));
    }
    for (is_asked, word) in [(what.tests, "--tests"), (what.toolchain, "--toolchain")] {
        words.extend(is_asked.then(|| word.to_owned()));
    }
    words.join(" ")
}

/// Turns `PATH` into `PATH@latest`.
fn query(text: &str) -> Result<String, AddError> {
    let (path, version) = text.split_once('@').unwrap_or((text, "latest"));
    escape_path(path).map_err(|error| AddError::Usage(error.to_string()))?;
    if version.is_empty() || version.contains(char::is_whitespace) || version.starts_with('-') {
        return Err(AddError::Usage(format!(
            "{text}: no version behind the @; write {path}@v1.2.3 or {path}@latest"
        )));
    }
    Ok(format!("{path}@{version}"))
}

/// Resolves named modules one by one with what each needs: two of them may need different versions.
async fn want_modules(
    go: &Go<'_>,
    queries: &[String],
    wants: &mut Wants,
    notice: &mut dyn FnMut(Notice<'_>),
) -> Result<(), AddError> {
    let folder = own_module("")?;
    notice(Notice::Asks(&queries.join(" ")));
    let mut args = vec!["mod", "download", "-json"];
    args.extend(queries.iter().map(String::as_str));
    let ran = go.run(folder.path(), Mode::Module, &args).await?;
    for module in took(&ran, &queries.join(" "), wants) {
        if module.path == TOOLCHAIN {
            continue;
        }
        let name = module.to_string();
        notice(Notice::Asks(&name));
        let folder = own_module(&format!("\nrequire {} {}\n", module.path, module.version))?;
        project::want_copy(go, folder.path(), &name, wants).await?;
    }
    Ok(())
}

/// The second half: stores modules from the cache in the mirror.
struct Work<'a> {
    meter: &'a Meter,
    cache: Layout,
    wants: &'a Wants,
    records: &'a Records,
    done: Added,
}

impl Work<'_> {
    fn bring(&mut self, store: &mut Store) -> std::io::Result<()> {
        let zips = self.wants.zips.iter().map(|module| (module, true));
        let mods = self.wants.mods.iter().map(|module| (module, false));
        let items: Vec<(&ModuleVersion, bool)> = zips.chain(mods).collect();
        let mut modules = BTreeSet::new();
        self.meter.restart();
        self.meter.expect(items.len() as u64, 0);
        for batch in items.chunks(BATCH) {
            let mut fresh = batch.to_vec();
            fresh.retain(|(module, zip)| !self.is_present(store, module, *zip));
            self.meter.did((batch.len() - fresh.len()) as u64, 0);
            self.store(store, &fresh)?;
            modules.extend(batch.iter().map(|(module, _)| module.path.as_str()));
        }
        store.index(&modules)
    }

    /// Stores a batch of versions that the mirror does not have yet.
    fn store(
        &mut self,
        store: &mut Store,
        items: &[(&ModuleVersion, bool)],
    ) -> std::io::Result<()> {
        let spooled = items.iter();
        let spooled = spooled.map(|(module, zip)| (*module, zip.then(|| store.spool.name())));
        let taken = pool::map(
            &spooled.collect::<Vec<_>>(),
            pool::processors(),
            |(module, spool)| {
                let (answer, claims) = (self.records.of(module), self.wants.claims(module));
                let taken = take(&self.cache, module, spool.clone(), answer, claims);
                let zip = taken.as_ref().ok().and_then(|taken| taken.added.zip);
                self.meter.did(1, zip.map_or(0, |zip| zip.zip_bytes));
                taken
            },
        );
        let mut staged = Vec::new();
        for taken in taken {
            match taken {
                Ok(Taken { staged: one, added }) => {
                    match added.zip {
                        None => self.done.totals.go_mods += 1,
                        Some(_) => self.done.added.push(added),
                    }
                    staged.push(one);
                }
                Err(failed) => self.done.failed.push(failed),
            }
        }
        store.place(&staged)
    }

    /// Reports whether the mirror has the version, with the hashes that go.sum lists. A stored
    /// version with another hash is a mismatch and stays as it is.
    fn is_present(&mut self, store: &Store, module: &ModuleVersion, zip: bool) -> bool {
        let path = |part| store.layout.file(module, part).unwrap_or_default();
        let Ok(go_mod) = bounded::read(&path(VersionFile::Mod), MOST_MOD) else {
            return false;
        };
        let mut stored = StoredVersion {
            go_mod: Some(Ok(StoredMod {
                hash: hash_go_mod(&go_mod),
                form: Ok(()),
            })),
            claims: self.wants.claims(module),
            ..StoredVersion::of(module, self.records.of(module))
        };
        let has_info = path(VersionFile::Info).is_file();
        if zip {
            let noted = bounded::read(&path(VersionFile::ZipHash), MOST_ZIP_HASH);
            // `verify` checks the zip's bytes. A truncated zip counts as absent and is stored
            // again.
            let whole = ModZip::open(&path(VersionFile::Zip))
                .is_ok_and(|zip| zip.belongs_to(&module.path, &module.version).is_ok());
            let (true, true, Ok(noted)) = (has_info, whole, noted) else {
                return false;
            };
            stored.zip = Some(Ok(StoredZip {
                h1: Some(String::from_utf8_lossy(&noted).trim().to_owned()),
                go_mod: None,
            }));
        } else if !has_info {
            let cached = self.cache.file(module, VersionFile::Info);
            if cached.is_ok_and(|info| info.is_file()) {
                return false;
            }
        }
        match may_store(&stored, |_| PathBuf::new()) {
            Ok(present) if zip => self.done.present.push(present),
            Ok(_) => {}
            Err(failed) => self.done.failed.push(failed),
        }
        true
    }
}

/// What `mirror add` did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Added {
    /// The mirror's directory.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// Versions that were not there before.
    pub added: Vec<AddedVersion>,
    /// Versions that were there before.
    pub present: Vec<AddedVersion>,
    /// What could not be added, and why.
    pub failed: Vec<Failed>,
    /// After an offline run: the command that adds what is missing. It needs a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch: Option<String>,
    /// Totals.
    pub totals: Totals,
}

/// Totals, in versions and bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// New versions.
    pub added: usize,
    /// Versions that were there before.
    pub present: usize,
    /// Failures.
    pub failed: usize,
    /// New go.mods that only module graphs need.
    pub go_mods: usize,
    /// Bytes of the new zips.
    pub bytes: u64,
    /// Of these, bytes stored by hard link.
    pub linked_bytes: u64,
    /// Of these, bytes stored by reflink.
    pub reflinked_bytes: u64,
    /// Of these, bytes stored by copy.
    pub copied_bytes: u64,
    /// Versions, new or there before, that no checksum database proves.
    pub unproven: usize,
    /// Of these, the versions whose proof go will ask for and the mirror lacks.
    pub without_proof: usize,
}

impl Added {
    /// Returns an empty result that has only these failures.
    fn without(root: &Path, failed: Vec<Failed>) -> Added {
        Added {
            mirror: root.to_owned(),
            failed,
            ..Added::default()
        }
    }

    /// Computes the totals.
    pub(super) fn summed(mut self) -> Added {
        let totals = &mut self.totals;
        totals.added = self.added.len();
        totals.present = self.present.len();
        totals.failed = self.failed.len();
        for ZipCame { zip_bytes, how } in self.added.iter().filter_map(|one| one.zip) {
            totals.bytes += zip_bytes;
            *match how {
                How::Link => &mut totals.linked_bytes,
                How::Reflink => &mut totals.reflinked_bytes,
                How::Copy => &mut totals.copied_bytes,
            } += zip_bytes;
        }
        for one in self.added.iter().chain(&self.present) {
            let by = one.proven_by.as_str();
            totals.unproven += usize::from(by == "go" || by == "go.sum");
            totals.without_proof += usize::from(one.without_proof.is_some());
        }
        self
    }
}
