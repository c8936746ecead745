//! What a step can use: go's settings in the command's directory, and what lies on this machine.
//! A go that waits for a slow server is ended only for a further step that could hold; without
//! one it waits as it would without goroam.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::tiers::{FrozenSettings, LocalSources, NAMES};
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::GoCommand;
use crate::gocmd::run::{self, RunError};
use crate::gomod::go_sum::{self, Hashed};
use crate::gomod::sum::{escape_path, escape_version};
use crate::gomod::{ModuleVersion, go_mod, modules_txt};
use crate::model::Tier;

/// Bytes of a go.mod, go.sum or modules.txt that are read.
const MOST: u64 = 16 << 20;

/// Asks go, once for all names and once for GOTOOLCHAIN (which must be asked alone). No toolchain
/// is loaded for it, whatever the folder's go.mod says.
///
/// # Errors
/// When go cannot be run or says no.
pub async fn freeze(
    go: &GoCommand,
    env: &Environment,
    folder: &Path,
) -> Result<FrozenSettings, RunError> {
    let mut names = NAMES.to_vec();
    names.extend(["GOMOD", "GOWORK"]);
    let mut values = run::values_in(go, env, folder, &names).await?;
    let folder_of = |file: Option<String>| {
        let file = PathBuf::from(file.filter(|file| file != "off")?);
        // Outside of a module, GOMOD is the null device.
        file.is_file()
            .then(|| file.parent().map(Path::to_owned))
            .flatten()
    };
    let (major, minor, _) = go.version.number;
    Ok(FrozenSettings {
        module: folder_of(values.remove("GOMOD")),
        workspace: folder_of(values.remove("GOWORK")),
        values,
        version: (major, minor),
    })
}

/// Looks at what lies on this machine. `mirror`: where it would be.
pub fn around(frozen: &FrozenSettings, mirror: Option<PathBuf>) -> LocalSources {
    let cache = Path::new(frozen.get("GOMODCACHE"))
        .join("cache")
        .join("download");
    let vendored = |folder: &Option<PathBuf>| {
        folder
            .as_ref()
            .is_some_and(|folder| folder.join("vendor").join("modules.txt").is_file())
    };
    LocalSources {
        mirror: mirror.filter(|mirror| mirror.is_dir()),
        cache: (cache.is_absolute() && cache.is_dir()).then_some(cache),
        vendored_module: vendored(&frozen.module),
        vendored_workspace: vendored(&frozen.workspace),
    }
}

/// Why the step cannot build what the command builds, in a user's words; `None` if it could.
/// `said` is what the command has said so far.
pub(super) fn cannot_hold(
    tier: Tier,
    frozen: &FrozenSettings,
    around: &LocalSources,
    command: &[OsString],
    said: &str,
) -> Option<String> {
    match tier {
        Tier::Mirror => mirror_lacks(frozen, around, command, said),
        Tier::Vendor => vendor_lacks(frozen, command),
        Tier::Proxy | Tier::Direct | Tier::Off => None,
    }
}

fn mirror_lacks(
    frozen: &FrozenSettings,
    around: &LocalSources,
    command: &[OsString],
    said: &str,
) -> Option<String> {
    let trees: Vec<&PathBuf> = [&around.mirror, &around.cache]
        .into_iter()
        .flatten()
        .collect();
    let has = |module: &ModuleVersion, ends: &[&str]| {
        let file = file(module);
        file.is_some_and(|file| {
            ends.iter().all(|end| {
                let name = [&file, *end].concat();
                trees.iter().any(|tree| tree.join(&name).is_file())
            })
        })
    };
    let lacks = |module: &ModuleVersion| Some(format!("it lacks {module}"));
    // What go is fetching at the moment is among these.
    let announced = announced(said);
    if !announced.is_empty() {
        let missing = announced.iter().find(|module| !has(module, &[".zip"]));
        return missing.and_then(lacks);
    }
    let named = named(command);
    if !named.is_empty() {
        let missing = named
            .iter()
            .find(|module| !trees.iter().any(|tree| provides(tree, module)));
        return missing.and_then(lacks);
    }
    if let Some(module) = frozen
        .module
        .as_ref()
        .filter(|_| frozen.workspace.is_none())
    {
        let required = required(module);
        let missing = required
            .iter()
            .find(|(module, zip)| !has(module, if *zip { &[".mod", ".zip"] } else { &[".mod"] }));
        if !required.is_empty() {
            return missing.and_then(|(module, _)| lacks(module));
        }
    }
    let filled = |tree: &PathBuf| fs::read_dir(tree).is_ok_and(|mut all| all.next().is_some());
    if around.mirror.as_ref().is_some_and(filled) {
        None
    } else {
        Some("there is no mirror".to_owned())
    }
}

fn vendor_lacks(frozen: &FrozenSettings, command: &[OsString]) -> Option<String> {
    if let Some(module) = named(command).first() {
        return Some(format!("it does not provide {module}"));
    }
    let module = frozen
        .module
        .as_ref()
        .filter(|_| frozen.workspace.is_none())?;
    let listed = modules_txt::parse(&read(&module.join("vendor").join("modules.txt"))?);
    let required = go_mod::parse(&read(&module.join("go.mod"))?);
    let mut wanted = required.require.iter().map(|require| &require.module);
    let missing = wanted.find(|module| listed.get(module).is_none())?;
    Some(format!("it lacks {missing}"))
}

/// The module's path and version as a file's name without its end, below a tree.
fn file(module: &ModuleVersion) -> Option<String> {
    let (path, version) = (escape_path(&module.path), escape_version(&module.version));
    Some(format!("{}/@v/{}", path.ok()?, version.ok()?))
}

/// The modules of `go: downloading M V`, toolchains among them.
fn announced(said: &str) -> Vec<ModuleVersion> {
    let one = |line: &str| {
        let (path, version) = line.strip_prefix("go: downloading ")?.split_once(' ')?;
        let version = version.trim_end();
        // `go: downloading go1.27.3 (linux/amd64)`
        let platform = version
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'));
        Some(match platform {
            Some(platform) => {
                let version = format!("v0.0.1-{path}.{}", platform.replace('/', "-"));
                ModuleVersion::new("golang.org/toolchain", version)
            }
            None => ModuleVersion::new(path, version),
        })
    };
    said.lines().filter_map(one).collect()
}

/// What the command itself names: `PATH@VERSION`, also within a script of one argument.
fn named(command: &[OsString]) -> Vec<ModuleVersion> {
    let words = command.iter().filter_map(|arg| arg.to_str());
    let words = words.flat_map(str::split_whitespace);
    let one = |word: &str| {
        let (path, version) = word.split_once('@')?;
        let host = path.split('/').next()?;
        let fits = path.contains('/') && host.contains('.') && !version.contains(['@', '/', ':']);
        fits.then(|| ModuleVersion::new(path, version))
    };
    words.filter_map(one).collect()
}

/// Does the tree have the module, or one that this package could be in? A query such as `latest`
/// is answered by any version.
fn provides(tree: &Path, wanted: &ModuleVersion) -> bool {
    let is_version = wanted.version.starts_with('v') && wanted.version.matches('.').count() >= 2;
    let mut path = wanted.path.as_str();
    loop {
        let Ok(escaped) = escape_path(path) else {
            return false;
        };
        let folder = tree.join(&escaped).join("@v");
        let found = if is_version {
            file(&ModuleVersion::new(path, &*wanted.version))
                .is_some_and(|file| tree.join(file + ".mod").is_file())
        } else {
            folder.is_dir()
        };
        match path.rsplit_once('/') {
            _ if found => return true,
            Some((parent, _)) => path = parent,
            None => return false,
        }
    }
}

/// What a module requires, and whether its go.sum names the zip of it, too.
fn required(folder: &Path) -> Vec<(ModuleVersion, bool)> {
    let Some(text) = read(&folder.join("go.mod")) else {
        return Vec::new();
    };
    let parsed = go_mod::parse(&text);
    let sums = read(&folder.join("go.sum")).and_then(|text| go_sum::parse(&text).ok());
    let sums = sums.unwrap_or_default();
    let with = |module: ModuleVersion| {
        let zip = sums
            .iter()
            .any(|line| line.module == module && line.of == Hashed::Zip);
        (module, zip)
    };
    let wanted =
        parsed
            .require
            .iter()
            .filter_map(|require| match parsed.replacement(&require.module) {
                Some(replace) if replace.is_local() => None,
                Some(replace) => Some(replace.new.clone()),
                None => Some(require.module.clone()),
            });
    wanted.map(with).collect()
}

/// A file of the project; nothing where it is not to be read.
fn read(path: &Path) -> Option<String> {
    let bytes = bounded::read(path, MOST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Desk(tempfile::TempDir);

    impl Desk {
        fn new(files: &[(&str, &str)]) -> Desk {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Desk(dir)
        }

        fn why(&self, tier: Tier, command: &str, said: &str) -> Option<String> {
            let at = |name: &str| Some(self.0.path().join(name)).filter(|path| path.is_dir());
            let frozen = FrozenSettings {
                module: at("w"),
                ..FrozenSettings::default()
            };
            let around = LocalSources {
                mirror: at("mirror"),
                cache: at("cache"),
                ..LocalSources::default()
            };
            let command: Vec<OsString> = command.split('|').map(OsString::from).collect();
            cannot_hold(tier, &frozen, &around, &command, said)
        }
    }

    const MOD: &str = "module w\n\nrequire (\n\ta.test/A v1.0.0\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n)\n\nreplace c.test/c => ../c\n";

    #[test]
    fn a_mirror_holds_what_it_has() {
        let mut files = vec![
            ("w/go.mod", MOD),
            ("w/go.sum", "a.test/A v1.0.0 h1:x\n"),
            ("mirror/a.test/!a/@v/v1.0.0.mod", ""),
            ("cache/b.test/b/@v/v1.0.0.mod", ""),
        ];
        let build = |desk: &Desk| desk.why(Tier::Mirror, "go|build", "");
        let lacks = Some("it lacks a.test/A@v1.0.0".to_owned());
        assert_eq!(build(&Desk::new(&files)), lacks, "the zip");
        files.push(("mirror/a.test/!a/@v/v1.0.0.zip", ""));
        let desk = Desk::new(&files);
        assert_eq!(build(&desk), None);
        // What go is fetching, and what the command names, is asked for first.
        for (command, said, holds) in [
            ("go|build", "go: downloading a.test/A v1.0.0\n", true),
            ("go|build", "go: downloading b.test/b v1.0.0\n", false),
            (
                "go|build",
                "go: downloading go1.99.0 (linux/amd64)\n",
                false,
            ),
            ("go|mod|download|a.test/A@v1.0.0", "", true),
            ("go|mod|download|a.test/A@v1.0.1", "", false),
            ("go|install|a.test/A/cmd/x@latest", "", true),
            ("sh|-c|go install d.test/d/cmd/x@latest && y", "", false),
            ("ssh|joe@a.test", "", true),
        ] {
            let why = desk.why(Tier::Mirror, command, said);
            assert_eq!(why.is_none(), holds, "{command} {said} {why:?}");
        }
        // Without a module nothing is known but that there is a mirror.
        assert!(build(&Desk::new(&files[2..])).is_none());
        assert!(build(&Desk::new(&files[3..4])).is_some());
    }

    #[test]
    fn a_vendor_folder_holds_what_it_lists() {
        let listed = "# a.test/A v1.0.0\n## explicit\na.test/A\n# b.test/b v1.0.0\n## explicit\n# c.test/c v1.0.0 => ../c\n## explicit\n";
        let whole = [("w/go.mod", MOD), ("w/vendor/modules.txt", listed)];
        let desk = Desk::new(&whole);
        assert_eq!(desk.why(Tier::Vendor, "go|build", ""), None);
        let other = desk.why(Tier::Vendor, "go|install|d.test/d@latest", "");
        assert!(other.is_some());
        let empty = [("w/go.mod", MOD), ("w/vendor/modules.txt", "")];
        assert!(
            Desk::new(&empty)
                .why(Tier::Vendor, "go|build", "")
                .is_some()
        );
    }
}
