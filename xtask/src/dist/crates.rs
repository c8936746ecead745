//! The crates that are linked into the program, from cargo's tree, lock file and metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::run::{self, Result};

use super::release;

/// A crate whose code is in the program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    pub name: String,
    pub version: String,
    /// The licence, as an SPDX expression.
    pub licence: String,
    /// The URL of its repository, as its authors give it; may be empty.
    pub repository: String,
    /// The checksum of the crate's file in the registry, in hex; `None`: the crate belongs to this
    /// repository.
    pub sha256: Option<String>,
    /// The directory of its sources on this machine.
    pub folder: PathBuf,
    /// The crates that it uses directly, as `name version`.
    pub uses: BTreeSet<String>,
}

impl Crate {
    /// Returns `name version`, which is unique.
    pub fn id(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// Returns every crate that is linked for this target, goroam itself first, the others by name.
/// Crates of build scripts and procedural macros are left out: their code is not in the program.
pub fn linked(target: &str, features: &str) -> Result<Vec<Crate>> {
    let mut tree = run::cargo();
    tree.args([
        "tree",
        "--locked",
        "--package",
        "goroam",
        "--target",
        target,
    ]);
    tree.args(["--features", features, "--edges", "normal,no-proc-macro"]);
    tree.args([
        "--prefix",
        "depth",
        "--format",
        "|{p}|{l}|{r}|",
        "--charset",
        "ascii",
    ]);
    let mut crates = read_tree(&run::output(&mut tree)?)?;
    let lock = release::read(&run::root().join("Cargo.lock"))?;
    let (sums, folders) = (checksums(&lock), folders()?);
    for each in crates.values_mut() {
        each.sha256 = sums.get(&each.id()).cloned();
        each.folder = match &each.sha256 {
            None => run::root(),
            Some(_) => folders
                .iter()
                .find(|folder| folder.ends_with(format!("{}-{}", each.name, each.version)))
                .cloned()
                .ok_or_else(|| format!("cargo metadata has no folder of {}", each.id()))?,
        };
    }
    let own = crates
        .iter()
        .find_map(|(id, each)| (each.name == "goroam").then(|| id.clone()))
        .ok_or("cargo tree does not name goroam")?;
    let own = crates.remove(&own);
    Ok(own.into_iter().chain(crates.into_values()).collect())
}

/// Returns the directories into which the registries' crates are extracted.
pub fn sources() -> Result<BTreeSet<PathBuf>> {
    let folders = folders()?;
    let registries = folders.iter().filter_map(|folder| folder.parent());
    Ok(registries.map(Path::to_owned).collect())
}

/// Returns the source directories of every crate in Cargo.lock, except this repository's own.
fn folders() -> Result<Vec<PathBuf>> {
    let mut metadata = run::cargo();
    metadata.args([
        "metadata",
        "--locked",
        "--all-features",
        "--format-version",
        "1",
    ]);
    let text = run::output(&mut metadata)?;
    Ok(manifests(&text)
        .iter()
        .filter(|manifest| !manifest.starts_with(run::root()))
        .filter_map(|manifest| manifest.parent().map(Path::to_owned))
        .collect())
}

/// Returns the values of `"manifest_path":"…"` in cargo's metadata. Only packages have such a key,
/// and cargo itself creates no path with a quote or a backslash.
fn manifests(json: &str) -> Vec<PathBuf> {
    json.split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| Some(PathBuf::from(rest.split_once('"')?.0)))
        .collect()
}

/// Parses lines like `2|bytes v1.12.2|MIT|https://github.com/tokio-rs/bytes| (*)`, where the number
/// is the depth and the star means that what is below was shown before.
fn read_tree(text: &str) -> Result<BTreeMap<String, Crate>> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in text.lines() {
        let parsed = (|| {
            let mut fields = line.split('|');
            let depth: usize = fields.next()?.parse().ok()?;
            let mut package = fields.next()?.split(' ');
            let name = package.next()?.to_owned();
            let version = package.next()?.strip_prefix('v')?.to_owned();
            let licence = fields.next()?.replace(" / ", "/").replace('/', " OR ");
            Some((depth, name, version, licence, fields.next()?.to_owned()))
        })();
        let (depth, name, version, licence, repository) =
            parsed.ok_or_else(|| format!("cargo tree: not understood: {line}"))?;
        let each = Crate {
            name,
            version,
            licence,
            repository,
            sha256: None,
            folder: PathBuf::new(),
            uses: BTreeSet::new(),
        };
        let id = each.id();
        above.truncate(depth);
        if let Some(user) = above.last().and_then(|user| crates.get_mut(user)) {
            user.uses.insert(id.clone());
        }
        above.push(id.clone());
        crates.entry(id).or_insert(each);
    }
    Ok(crates)
}

/// Returns `name version` and the checksum of each package in Cargo.lock, which only cargo writes.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    lock.split("[[package]]")
        .filter_map(|package| {
            let value = |key: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(key))?;
                line.strip_prefix(" = \"")?.strip_suffix('"')
            };
            let id = format!("{} {}", value("name")?, value("version")?);
            Some((id, value("checksum")?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_says_who_uses_whom() {
        let text = "0|goroam v0.1.0 (/home/me/goroam)|MIT OR Apache-2.0||\n\
                    1|walkdir v2.5.0|Unlicense/MIT|https://r.example/walkdir|\n\
                    2|same-file v1.0.6|Unlicense/MIT||\n\
                    1|same-file v1.0.6|Unlicense/MIT|| (*)\n";
        let crates = read_tree(text).unwrap();
        assert_eq!(crates.len(), 3);
        let walkdir = &crates["walkdir 2.5.0"];
        assert_eq!(walkdir.licence, "Unlicense OR MIT");
        assert_eq!(walkdir.repository, "https://r.example/walkdir");
        assert!(walkdir.uses.contains("same-file 1.0.6"));
        assert_eq!(crates["goroam 0.1.0"].uses.len(), 2);
        assert!(read_tree("nonsense\n").is_err());
    }

    #[test]
    fn checksums_and_folders_are_read_as_cargo_writes_them() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \
                    \"registry+x\"\nchecksum = \"00ff\"\n\n[[package]]\nname = \"own\"\nversion = \
                    \"0.1.0\"\n";
        let sums = checksums(lock);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums["a 1.0.0"], "00ff");
        let json = r#"{"packages":[{"name":"a","manifest_path":"/r/a-1.0.0/Cargo.toml"}]}"#;
        assert_eq!(manifests(json), [PathBuf::from("/r/a-1.0.0/Cargo.toml")]);
    }
}
