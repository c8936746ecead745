//! The policy in force: the user's, or the built-in one.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::clock::{self, is_there};
use super::error::Error;
use super::fleet::FleetLayer;
use crate::environment::Environment;
use crate::gomod::sum::sha256_hex;
use crate::model::status::LastGood;
use crate::model::tally;
use crate::paths::{Paths, exact, from_exact};
use crate::policy::file::{parse_kept, parse_layers};
use crate::policy::fleet::FleetSettings;
use crate::policy::layers::{Layer, LayerKind, Part, PolicyText};
use crate::policy::{Places, Policy, PolicyFinding, Severity};
use crate::state::file;
use crate::{bounded, trust};

/// A policy that has been read, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The user's file, or else the highest layer that there is; `None`: the built-in default.
    pub path: Option<PathBuf>,
    /// The texts of its layers.
    pub source: PolicyText,
    /// Where its parts are.
    pub places: Places,
    /// Warnings.
    pub warnings: Vec<PolicyFinding>,
    /// The fleet that this machine belongs to.
    pub fleet: Option<FleetLayer>,
}

impl Loaded {
    /// Describes the origin, for people.
    pub fn origin(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "the built-in policy".to_owned(),
        }
    }

    /// Returns the files that people write.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = self.source.parts.iter().filter(|part| part.is_file());
        files.map(|part| part.path.as_path())
    }

    /// Returns the first of these files that is not a layer of this policy, as an error: it may be
    /// missing by mistake, or for a moment. goroam does not give up its rules for private names and
    /// checksums because of that.
    pub(super) fn without<'a>(&self, mut files: impl Iterator<Item = &'a Path>) -> Option<Error> {
        let gone = files.find(|file| self.files().all(|own| own != *file))?;
        Some(Error::PolicyFile {
            path: gone.to_owned(),
            why: match self.path {
                None => {
                    "is gone; put it back, write one with `goroam init`, or let `goroam once` \
                     take the built-in policy"
                }
                Some(_) => "is gone; put it back, or let `goroam once` continue without it",
            }
            .to_owned(),
            unsafe_mode: false,
        })
    }
}

/// The text of one layer, and its file.
#[derive(Debug, Clone)]
pub struct PolicyLayer {
    /// Whose it is.
    pub kind: LayerKind,
    /// Its file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Reads the policy of the machine and of the user, and what lies between. Without both it is the
/// built-in default.
///
/// # Errors
/// When a file cannot be read, others may write to it, or the whole has errors.
pub fn load_policy(paths: &Paths, env: &Environment) -> Result<Loaded, Error> {
    let (layers, fleet) = gather(paths, env)?;
    let mut loaded = check(&layers, env)?;
    loaded.fleet = fleet;
    settle(&mut loaded, paths, env);
    Ok(loaded)
}

/// Reads the text of every layer, the lowest first.
///
/// # Errors
/// When a file cannot be read, or others may write to it.
pub fn read_layers(paths: &Paths, env: &Environment) -> Result<Vec<PolicyLayer>, Error> {
    Ok(gather(paths, env)?.0)
}

/// Does the same, and returns the fleet that the machine's or the user's file names.
fn gather(
    paths: &Paths,
    env: &Environment,
) -> Result<(Vec<PolicyLayer>, Option<FleetLayer>), Error> {
    let read = |kind, path: &Path| {
        let text = read_safe(path, kind == LayerKind::Machine)?;
        let path = path.to_owned();
        Ok::<_, Error>(PolicyLayer { kind, path, text })
    };
    let mut layers = Vec::new();
    // A dangling link, or a directory that may not be searched, does not mean that there is none.
    if is_there(&paths.machine_policy) && paths.machine_policy != paths.policy {
        layers.push(read(LayerKind::Machine, &paths.machine_policy)?);
    }
    let mut own = None;
    if paths.policy_named || is_there(&paths.policy) {
        own = Some(read(LayerKind::User, &paths.policy)?);
    }
    let texts = layers.iter().chain(&own).map(|layer| &layer.text);
    let fleet = FleetLayer::find(paths, env, texts)?;
    let held = fleet.as_ref().and_then(|fleet| fleet.text.as_ref());
    layers.extend(held.map(|text| PolicyLayer {
        kind: LayerKind::Fleet,
        path: paths.fleet_text(),
        text: text.clone(),
    }));
    layers.extend(own);
    Ok((layers, fleet))
}

/// Returns the fleet that the files of this machine name now, whatever else is in them.
///
/// # Errors
/// When a file cannot be read, or others may write to it.
pub fn fleet_settings(paths: &Paths) -> Result<Option<FleetSettings>, Error> {
    let fleet = FleetLayer::named(own_texts(paths)?);
    Ok(fleet.map(|fleet| fleet.settings))
}

/// Returns that fleet and what is held of its policy.
///
/// # Errors
/// As [`FleetLayer::find`].
pub fn fleet_of(paths: &Paths, env: &Environment) -> Result<Option<FleetLayer>, Error> {
    FleetLayer::find(paths, env, own_texts(paths)?)
}

/// Returns the texts that may name a fleet, the machine's first.
fn own_texts(paths: &Paths) -> Result<Vec<String>, Error> {
    let files = [(&paths.machine_policy, true), (&paths.policy, false)].into_iter();
    let files = files.filter(|(path, _)| is_there(path));
    files
        .map(|(path, of_machine)| read_safe(path, of_machine))
        .collect()
}

/// Lends the layers to the reader of policies.
pub fn lent(layers: &[PolicyLayer]) -> Vec<Layer<'_>> {
    let layers = layers.iter().map(|layer| Layer {
        kind: layer.kind,
        path: &layer.path,
        text: &layer.text,
    });
    layers.collect()
}

/// Sets the mirror's directory from the policy and the environment.
fn settle(loaded: &mut Loaded, paths: &Paths, env: &Environment) {
    let named = loaded.policy.mirror.path.take();
    let folder = paths.mirror_at(None, named, env);
    loaded.policy.settle_mirror(folder);
}

/// Returns the built-in default.
pub(crate) fn built_in(env: &Environment) -> Result<Loaded, Error> {
    check(&[], env)
}

fn check(layers: &[PolicyLayer], env: &Environment) -> Result<Loaded, Error> {
    let parsed = parse_layers(&lent(layers), env.home().as_deref());
    let Some(policy) = parsed.policy else {
        return Err(Error::Policy {
            path: parsed.source.path_of(&parsed.findings),
            summary: format!("{}; see `goroam check`", summary(&parsed.findings)),
            findings: parsed.findings,
            texts: Box::new(parsed.source),
        });
    };
    let mut warnings = parsed.findings;
    warnings.retain(|finding| finding.severity == Severity::Warning);
    Ok(Loaded {
        policy,
        path: path_of(layers),
        source: parsed.source,
        places: parsed.places,
        warnings,
        fleet: None,
    })
}

/// Returns the file that the origin of a policy is called by.
fn path_of(layers: &[PolicyLayer]) -> Option<PathBuf> {
    let mut files = layers.iter().rev();
    let named = files.find(|layer| layer.kind != LayerKind::Fleet);
    Some(named.or(layers.last())?.path.clone())
}

/// "2 errors, 1 warning".
pub fn summary(findings: &[PolicyFinding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    tally(&[
        (count(Severity::Error), "error"),
        (count(Severity::Warning), "warning"),
        (count(Severity::Note), "note"),
    ])
}

/// More than any policy needs: a larger file is not a policy.
pub const POLICY_LIMIT: u64 = 1024 * 1024;

/// Reads the text of a policy file. Refuses, as ssh does, a file that others may write to or
/// replace: the writer of the policy decides where modules come from.
///
/// # Errors
/// [`Error::PolicyFile`], when it cannot be read, is too big or not UTF-8, or is not safe.
pub fn read_policy_text(path: &Path) -> Result<String, Error> {
    read_safe(path, false)
}

fn read_safe(path: &Path, of_machine: bool) -> Result<String, Error> {
    let text = read(path, of_machine)?;
    trust::way(path).map_err(|why| Error::PolicyFile {
        path: path.to_owned(),
        why: why.to_string(),
        unsafe_mode: true,
    })?;
    Ok(text)
}

/// Reads a policy that is only checked and not used, in any directory.
///
/// # Errors
/// [`Error::PolicyFile`], when it cannot be read, is too big or not UTF-8, or others may write to
/// it.
pub fn read_policy_to_check(path: &Path) -> Result<String, Error> {
    read(path, false)
}

fn read(path: &Path, of_machine: bool) -> Result<String, Error> {
    let failed = |why: String, unsafe_mode: bool| Error::PolicyFile {
        path: path.to_owned(),
        why,
        unsafe_mode,
    };
    let cannot = |error: io::Error| {
        let why = match (error.kind(), std::fs::read_link(path)) {
            (io::ErrorKind::NotFound, Ok(target)) => {
                format!("is a link to {}, which does not exist", target.display())
            }
            (io::ErrorKind::NotFound, Err(_)) => {
                "does not exist; `goroam init` writes one".to_owned()
            }
            (io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput, _) => error.to_string(),
            (io::ErrorKind::FileTooLarge, _) => {
                let limit = POLICY_LIMIT / 1024;
                format!("exceeds the {limit} KiB limit for a policy file")
            }
            (_, _) => format!("cannot be read: {error}"),
        };
        failed(why, false)
    };
    let file = bounded::open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    let judged = match of_machine {
        true => trust::of_machine(path, &file, &meta),
        false => trust::file(path, &meta),
    };
    if let Err(why) = judged {
        return Err(failed(why.to_string(), true));
    }
    let bytes = bounded::read_open(&file, POLICY_LIMIT).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(offset);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        let why = format!("is not UTF-8 (byte {offset}, line {line}); save it as UTF-8");
        failed(why, false)
    })
}

/// The size of a 1 MiB policy as a JSON string.
const MOST_BYTES: u64 = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct KeptPolicy {
    /// The user's policy file, whether it is one of the layers or not.
    path: String,
    /// The texts of the layers, one after another, each with a line end behind it.
    text: String,
    /// The layers; empty in a file of an earlier goroam: the user's file is the only one.
    #[serde(default)]
    layers: Vec<KeptLayer>,
    /// SHA-256 of the text, in hexadecimal.
    sha256: String,
    /// When it was last found good.
    at: Timestamp,
    /// The version of goroam that found it good.
    version: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptLayer {
    kind: LayerKind,
    path: String,
    /// Its bytes in the text.
    range: Range<usize>,
}

impl KeptPolicy {
    /// Returns the layers; `None`: another program has changed the file.
    fn layers(&self) -> Option<Vec<PolicyLayer>> {
        let layer = |kind, path: PathBuf, text: &str| PolicyLayer {
            kind,
            path,
            text: text.to_owned(),
        };
        if self.sha256 != sha256_hex(self.text.as_bytes()) {
            return None;
        }
        if self.layers.is_empty() {
            let path = PathBuf::from(&self.path);
            return Some(vec![layer(LayerKind::User, path, &self.text)]);
        }
        let own = |one: &KeptLayer| {
            let text = self.text.get(one.range.clone())?;
            Some(layer(one.kind, from_exact(&one.path), text))
        };
        self.layers.iter().map(own).collect()
    }
}

/// Keeps a policy that was just found good. The built-in policy is not kept; when it is used
/// instead of a file, the policy kept for that file is removed.
pub(super) fn keep_last_good(paths: &Paths, loaded: &Loaded) {
    if loaded.path.is_none() {
        // Usually there is none to remove.
        let _ = std::fs::remove_file(paths.last_good());
        return;
    }
    let layer = |part: &Part| KeptLayer {
        kind: part.kind,
        path: exact(&part.path),
        range: part.range.clone(),
    };
    let parts = loaded.source.parts.iter();
    let parts = parts.filter(|part| part.kind != LayerKind::BuiltIn);
    let layers = Vec::from_iter(parts.map(layer));
    let text = &loaded.source.text;
    let sha256 = sha256_hex(text.as_bytes());
    let path = paths.policy.display().to_string();
    let version = env!("CARGO_PKG_VERSION");
    let is_same = |kept: KeptPolicy| {
        kept.path == path
            && kept.sha256 == sha256
            && kept.layers == layers
            && kept.version == version
    };
    if read_kept(paths).is_some_and(is_same) {
        return;
    }
    let kept = KeptPolicy {
        path,
        text: text.clone(),
        layers,
        sha256,
        at: clock::now(),
        version: version.to_owned(),
    };
    let saved = serde_json::to_vec_pretty(&kept)
        .map_err(std::io::Error::from)
        .and_then(|bytes| file::replace(&paths.last_good(), &bytes));
    if let Err(error) = saved {
        tracing::warn!("{}: {error}", paths.last_good().display());
    }
}

/// Returns what is missing of the files of the last good policy.
pub(super) fn gone(paths: &Paths, loaded: &Loaded) -> Option<Error> {
    let kept = read_kept(paths).filter(|kept| kept.path == paths.policy.display().to_string())?;
    let files = kept.layers()?;
    let files = files.iter().filter(|layer| layer.kind != LayerKind::Fleet);
    loaded.without(files.map(|layer| layer.path.as_path()))
}

/// Returns the last good policy in place of one that is refused or missing, and the message for the
/// user. Profiles that weaken verification in a way that is refused now are left out.
pub(super) fn last_good(
    paths: &Paths,
    env: &Environment,
    refused: &Error,
) -> Option<(Loaded, LastGood)> {
    let kept = read_kept(paths)?;
    // A policy of another file, or one that was changed, is not the last good policy of this file.
    if kept.path != paths.policy.display().to_string() {
        return None;
    }
    let layers = kept.layers()?;
    let (parsed, left_out) = parse_kept(&lent(&layers), env.home().as_deref())?;
    let mut loaded = Loaded {
        policy: parsed.policy?,
        path: path_of(&layers),
        source: parsed.source,
        places: parsed.places,
        warnings: Vec::new(),
        fleet: None,
    };
    // What is held may be what is refused: it is fetched again.
    let texts = layers.iter().filter(|layer| layer.kind != LayerKind::Fleet);
    loaded.fleet = FleetLayer::named(texts.map(|layer| &layer.text));
    settle(&mut loaded, paths, env);
    let last_good = LastGood {
        at: kept.at,
        sha256: kept.sha256,
        refused: refused.to_string(),
        left_out,
    };
    Some((loaded, last_good))
}

fn read_kept(paths: &Paths) -> Option<KeptPolicy> {
    let bytes = file::read(&paths.last_good(), MOST_BYTES).ok()??;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{POLICY_LIMIT, read_policy_text};
    use crate::agent::Error;

    fn refused(bytes: &[u8], mode: u32) -> (String, u8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error: Error = read_policy_text(&path).unwrap_err();
        (error.to_string(), error.exit_code())
    }

    #[test]
    fn a_policy_that_others_may_write_to_is_refused() {
        for mode in [0o664, 0o646, 0o666] {
            let (message, exit) = refused(b"version = 1\n", mode);
            assert!(message.contains("chmod go-w"), "{message}");
            assert_eq!(exit, 4);
        }
    }

    #[test]
    fn a_policy_that_others_may_replace_is_refused_wherever_the_open_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let inner = root.join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let path = inner.join("goroam.toml");
        std::fs::write(&path, "version = 1\n").unwrap();
        let mode = |path: &std::path::Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&path, 0o600);
        for open in [&inner, &root.join("a")] {
            for (bits, is_open) in [
                (0o755, false),
                (0o777, true),
                (0o733, true),
                (0o1777, false),
            ] {
                mode(open, bits);
                let read = read_policy_text(&path);
                assert_eq!(read.is_err(), is_open, "{} {bits:o}", open.display());
                let Err(error) = read else { continue };
                let named = format!("{} may be written to by others", open.display());
                assert!(error.to_string().contains(&named), "{error}");
                assert_eq!(error.exit_code(), 4);
            }
            mode(open, 0o755);
        }
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_named_with_byte_and_line() {
        let (message, exit) = refused(b"version = 1\n# \xff\n", 0o600);
        assert!(message.contains("byte 14, line 2"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_file_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goroam.toml");
        std::fs::write(&path, vec![b'#'; POLICY_LIMIT as usize]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_policy_text(&path).unwrap().len() as u64, POLICY_LIMIT);
        let (message, exit) = refused(&vec![b'#'; POLICY_LIMIT as usize + 1], 0o600);
        assert!(message.contains("exceeds the 1024 KiB limit"), "{message}");
        assert_eq!(exit, 2);
    }

    #[test]
    fn a_folder_and_a_pipe_are_no_policies_and_nobody_waits_for_the_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_policy_text(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is a folder"), "{error}");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let error = read_policy_text(&pipe).unwrap_err().to_string();
        assert!(error.contains("is a named pipe"), "{error}");
    }
}
