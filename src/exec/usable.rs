//! Finds what a step can use: go's settings in the command's directory, and what this machine has.
//! A go that waits for a version control server is ended only if a further step could work;
//! otherwise it waits as it would without goroam.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::tiers::{FrozenSettings, LocalSources, NAMES};
use crate::bounded;
use crate::environment::Environment;
use crate::gocmd::GoCommand;
use crate::gocmd::run::{self, RunError};
use crate::gomod::go_sum::{self, GoSumLine};
use crate::gomod::{ModuleVersion, go_mod, go_work, modules_txt};
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

/// Where the modules came from if go has asked for none: a vendor folder that go uses of itself, or
/// the module cache.
pub(super) fn at_hand(frozen: &FrozenSettings, around: &LocalSources) -> Tier {
    let is_vendored = match frozen.workspace {
        Some(_) => around.vendored_workspace,
        None => around.vendored_module,
    };
    let flags = frozen.get("GOFLAGS");
    match is_vendored && (!flags.contains("-mod=") || flags.contains("-mod=vendor")) {
        true => Tier::Vendor,
        false => Tier::Cache,
    }
}

/// Returns why the vendor folder cannot build what the command builds, in a user's words; `None` if
/// it could.
pub(super) fn vendor_lacks(frozen: &FrozenSettings, command: &[OsString]) -> Option<String> {
    let module = frozen.module.as_deref();
    let module = module.filter(|_| frozen.workspace.is_none());
    if let Some(module) = named(command).first() {
        return Some(format!("it does not provide {module}"));
    }
    let listed = modules_txt::parse(&read(&module?.join("vendor/modules.txt"))?);
    let required = go_mod::parse(&read(&module?.join("go.mod"))?);
    let mut wanted = required.require.iter().map(|require| &require.module);
    let missing = wanted.find(|module| listed.get(module).is_none())?;
    Some(format!("it lacks {missing}"))
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

/// The hashes of the project: of its module, or of all modules of its workspace.
pub(super) fn go_sums(frozen: &FrozenSettings) -> Vec<GoSumLine> {
    let mut files: Vec<PathBuf> = frozen.module.iter().map(|of| of.join("go.sum")).collect();
    if let Some(workspace) = &frozen.workspace {
        let work = go_work::parse(&read(&workspace.join("go.work")).unwrap_or_default());
        let members = work.r#use.iter();
        files.extend(members.map(|of| workspace.join(&of.value).join("go.sum")));
        files.push(workspace.join("go.work.sum"));
    }
    let texts = files.iter().filter_map(|file| read(file));
    // go itself reports a file that it cannot read.
    let lines = texts.filter_map(|text| go_sum::parse(&text).ok());
    lines.flatten().collect()
}

/// Reads a file of the project; `None` if it cannot be read.
fn read(path: &Path) -> Option<String> {
    let bytes = bounded::read(path, MOST).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

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

        fn frozen(&self, is_workspace: bool) -> FrozenSettings {
            FrozenSettings {
                module: Some(self.0.path().join("w")),
                workspace: is_workspace.then(|| self.0.path().to_owned()),
                ..FrozenSettings::default()
            }
        }
    }

    #[test]
    fn a_vendor_folder_holds_what_it_lists() {
        let text = "module w\n\nrequire (\n\ta.test/A v1.0.0\n\tb.test/b v1.0.0\n\tc.test/c v1.0.0\n)\n\nreplace c.test/c => ../c\n";
        let listed = "# a.test/A v1.0.0\n## explicit\na.test/A\n# b.test/b v1.0.0\n## explicit\n# c.test/c v1.0.0 => ../c\n## explicit\n";
        let lacks = |listed: &str, command: &str| {
            let desk = Desk::new(&[("w/go.mod", text), ("w/vendor/modules.txt", listed)]);
            let command: Vec<OsString> = command.split('|').map(OsString::from).collect();
            vendor_lacks(&desk.frozen(false), &command)
        };
        assert_eq!(lacks(listed, "go|build"), None);
        assert!(lacks(listed, "go|install|d.test/d@latest").is_some());
        assert!(lacks("", "go|build").is_some());
    }

    #[test]
    fn the_hashes_are_those_of_the_module_or_of_the_whole_workspace() {
        let desk = Desk::new(&[
            ("go.work", "go 1.21\n\nuse (\n\t./w\n\t./v\n)\n"),
            ("go.work.sum", "a.test/a v1.0.0 h1:a\n"),
            ("w/go.sum", "b.test/b v1.0.0 h1:b\n"),
            ("v/go.sum", "c.test/c v1.0.0 h1:c\n"),
        ]);
        let paths = |is_workspace| {
            let lines = go_sums(&desk.frozen(is_workspace)).into_iter();
            let mut paths: Vec<_> = lines.map(|line| line.module.path).collect();
            paths.sort();
            paths.dedup();
            paths
        };
        assert_eq!(paths(false), ["b.test/b"]);
        assert_eq!(paths(true), ["a.test/a", "b.test/b", "c.test/c"]);
    }
}
