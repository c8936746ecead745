//! Finds what a step can use: go's settings in the command's directory, and what this machine has.
//! A go that waits for a slow server is ended only if a further step could work; otherwise it waits
//! as it would without goroam.

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

/// How many bytes of a go.mod, go.sum or modules.txt are read.
const MOST: u64 = 16 << 20;

/// Asks go, once for all names and once for GOTOOLCHAIN (which must be asked alone). go downloads
/// no toolchain for this, whatever the directory's go.mod says.
///
/// # Errors
/// When go cannot be run or fails.
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
        // Outside a module, GOMOD is the null device.
        Some(file.parent().filter(|_| file.is_file())?.to_owned())
    };
    let (major, minor, _) = go.version.number;
    Ok(FrozenSettings {
        module: folder_of(values.remove("GOMOD")),
        workspace: folder_of(values.remove("GOWORK")),
        values,
        version: (major, minor),
    })
}

/// Looks at what this machine has. `mirror`: where the mirror would be.
pub fn around(frozen: &FrozenSettings, mirror: Option<PathBuf>) -> LocalSources {
    let cache = Path::new(frozen.get("GOMODCACHE"))
        .join("cache")
        .join("download");
    let vendored = |folder: &Option<PathBuf>| {
        let list = folder
            .as_ref()
            .map(|folder| folder.join("vendor/modules.txt"));
        list.is_some_and(|list| list.is_file())
    };
    LocalSources {
        mirror: mirror.filter(|mirror| mirror.is_dir()),
        cache: (cache.is_absolute() && cache.is_dir()).then_some(cache),
        vendored_module: vendored(&frozen.module),
        vendored_workspace: vendored(&frozen.workspace),
    }
}

/// Returns why the step cannot build what the command builds, in a user's words; `None` if it
/// could. `said` is what the command has printed so far.
pub(super) fn cannot_hold(
    tier: Tier,
    frozen: &FrozenSettings,
    around: &LocalSources,
    command: &[OsString],
    said: &str,
) -> Option<String> {
    let module = frozen.module.as_deref();
    let module = module.filter(|_| frozen.workspace.is_none());
    match tier {
        Tier::Mirror => mirror_lacks(module, around, command, said),
        Tier::Vendor => vendor_lacks(module, command),
        Tier::Proxy | Tier::Direct | Tier::Off => None,
    }
}

fn mirror_lacks(
    module: Option<&Path>,
    around: &LocalSources,
    command: &[OsString],
    said: &str,
) -> Option<String> {
    let trees: Vec<&PathBuf> = around.mirror.iter().chain(&around.cache).collect();
    let has = |module: &ModuleVersion, end: &str| {
        let file = file(module).map(|file| file + end);
        file.is_some_and(|file| trees.iter().any(|tree| tree.join(&file).is_file()))
    };
    // The module that go is fetching at the moment is among the announced ones.
    let (announced, named) = (announced(said), named(command));
    let required = module.map(required).unwrap_or_default();
    let missing = if !announced.is_empty() {
        announced.into_iter().find(|module| !has(module, ".zip"))
    } else if !named.is_empty() {
        let mut named = named.into_iter();
        named.find(|module| !trees.iter().any(|tree| provides(tree, module)))
    } else if !required.is_empty() {
        let mut required = required.into_iter();
        let lacks =
            |(module, zip): &(_, bool)| !has(module, ".mod") || *zip && !has(module, ".zip");
        required.find(lacks).map(|(module, _)| module)
    } else {
        let filled = |tree: &PathBuf| fs::read_dir(tree).is_ok_and(|mut all| all.next().is_some());
        let is_filled = around.mirror.as_ref().is_some_and(filled);
        return (!is_filled).then(|| "there is no mirror".to_owned());
    };
    missing.map(|module| format!("it lacks {module}"))
}

fn vendor_lacks(module: Option<&Path>, command: &[OsString]) -> Option<String> {
    if let Some(module) = named(command).first() {
        return Some(format!("it does not provide {module}"));
    }
    let listed = modules_txt::parse(&read(&module?.join("vendor/modules.txt"))?);
    let required = go_mod::parse(&read(&module?.join("go.mod"))?);
    let mut wanted = required.require.iter().map(|require| &require.module);
    let missing = wanted.find(|module| listed.get(module).is_none())?;
    Some(format!("it lacks {missing}"))
}

/// Returns the module's path and version as a file name without its extension, below a tree.
fn file(module: &ModuleVersion) -> Option<String> {
    let (path, version) = (escape_path(&module.path), escape_version(&module.version));
    Some(format!("{}/@v/{}", path.ok()?, version.ok()?))
}

/// Returns the modules of `go: downloading M V`, including toolchains.
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

/// Returns the modules that the command itself names: `PATH@VERSION`, also within a script of one
/// argument.
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

/// Reports whether the tree has the module, or one that could contain this package. Any version
/// satisfies a query like `latest`.
fn provides(tree: &Path, wanted: &ModuleVersion) -> bool {
    let version = &*wanted.version;
    let is_version = version.starts_with('v') && version.matches('.').count() >= 2;
    let mut paths = std::iter::successors(Some(&*wanted.path), |path| {
        path.rsplit_once('/').map(|(above, _)| above)
    });
    paths.any(|path| {
        if is_version {
            let file = file(&ModuleVersion::new(path, version));
            file.is_some_and(|file| tree.join(file + ".mod").is_file())
        } else {
            escape_path(path).is_ok_and(|path| tree.join(path).join("@v").is_dir())
        }
    })
}

/// Returns what a module requires, and whether its go.sum also has the hash of the zip.
fn required(folder: &Path) -> Vec<(ModuleVersion, bool)> {
    let parsed = go_mod::parse(&read(&folder.join("go.mod")).unwrap_or_default());
    let sums = read(&folder.join("go.sum")).and_then(|text| go_sum::parse(&text).ok());
    let sums = sums.unwrap_or_default();
    let has_zip = |module: &ModuleVersion| {
        let mut lines = sums.iter().filter(|line| line.of == Hashed::Zip);
        lines.any(|line| line.module == *module)
    };
    let wanted = parsed.require.iter().filter_map(|require| {
        let module = match parsed.replacement(&require.module) {
            Some(replace) if replace.is_local() => return None,
            Some(replace) => &replace.new,
            None => &require.module,
        };
        Some((module.clone(), has_zip(module)))
    });
    wanted.collect()
}

/// Reads a file of the project; `None` if it cannot be read.
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
        // The module that go is fetching, and the modules that the command names, are checked
        // first.
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
        // Without a module, only the mirror's existence is known.
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
