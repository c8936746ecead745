//! The module files of a project (a module or a workspace), and whether vendor/modules.txt agrees
//! with them. The rules and the words are go's (`modload.checkVendorConsistency`, go 1.14 to 1.27).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::go_mod::GoMod;
use super::go_sum::{self, Hashed};
use super::go_version::at_least;
use super::modules_txt::{ListedModule, ModulesTxt};
use super::{ModuleVersion, is_directory};

/// The content of a project's module files.
#[derive(Debug, Clone, Default)]
pub struct ProjectFiles {
    /// The directory that holds go.work, or the only go.mod. vendor/ is there, too.
    pub root: PathBuf,
    /// go.work, of a workspace.
    pub work: Option<GoMod>,
    /// The main module, or those of the workspace: the directory of each, and its go.mod.
    pub mains: Vec<(PathBuf, GoMod)>,
    /// The `h1:` hashes of each file of a version, in the order of the lines of all go.sum files.
    pub sums: BTreeMap<(ModuleVersion, Hashed), Vec<String>>,
    /// The files that go would refuse, with the reason.
    pub unreadable: Vec<(String, String)>,
}

impl ProjectFiles {
    /// Returns the file whose `go` and `toolchain` lines apply.
    pub fn main_file(&self) -> Option<&GoMod> {
        self.work.as_ref().or(Some(&self.mains.first()?.1))
    }

    /// Returns the `go` line that applies to vendor/, if there is one.
    pub fn go(&self) -> Option<&str> {
        let line = self.main_file()?.go.as_ref()?;
        Some(&line.value)
    }

    /// Reports whether the path is that of a main module.
    pub fn is_main(&self, path: &str) -> bool {
        let mut names = self
            .mains
            .iter()
            .filter_map(|(_, main)| main.module.as_ref());
        names.any(|module| module.value == path)
    }

    /// Adds the lines of a go.sum.
    ///
    /// # Errors
    /// The first line that go refuses.
    pub fn add_sums(&mut self, text: &str) -> Result<(), go_sum::GoSumError> {
        let lines = go_sum::parse(text)?.into_iter();
        // go ignores hashes of kinds that it does not know.
        for line in lines.filter(|line| line.hash.starts_with("h1:")) {
            let sums = self.sums.entry((line.module, line.of)).or_default();
            sums.push(line.hash);
        }
        Ok(())
    }

    /// Returns the modules that a go.mod requires.
    pub fn required(&self) -> impl Iterator<Item = &ModuleVersion> {
        let all = self.mains.iter().flat_map(|(_, go_mod)| &go_mod.require);
        all.map(|required| &required.module)
    }

    /// Returns a module's replacement in go, and the file that contains it. A directory is relative
    /// to the one that holds vendor/ (`modload.replacementFrom`,
    /// `modload.canonicalizeReplacePath`).
    pub fn replacement(&self, module: &ModuleVersion) -> Option<(ModuleVersion, &'static str)> {
        if module.version.is_empty() && self.is_main(&module.path) {
            return None;
        }
        let by_work = self.work.as_ref().and_then(|work| work.replacement(module));
        if let Some(replace) = by_work {
            return Some((replace.new.clone(), "go.work"));
        }
        self.mains.iter().find_map(|(folder, go_mod)| {
            let new = &go_mod.replacement(module)?.new;
            let is_absolute = is_directory(&new.path) && !new.path.starts_with('.');
            if self.work.is_none() || !new.version.is_empty() || is_absolute {
                return Some((new.clone(), "go.mod"));
            }
            let folder = plain(&folder.join(new.path.replace('\\', "/")));
            let seen = relative(&folder, &self.root).unwrap_or_else(|| new.path.clone());
            Some((ModuleVersion::new(seen, ""), "go.mod"))
        })
    }
}

/// Returns the directories of a workspace's modules: relative to go.work (`.`, `./a`, `../b`), and
/// absolute.
pub fn members(work: &GoMod, root: &Path) -> Vec<(String, PathBuf)> {
    let member = |used: &str| {
        let used = used.replace('\\', "/");
        let folder = plain(&root.join(&used));
        (relative(&folder, root).unwrap_or(used), folder)
    };
    work.r#use.iter().map(|used| member(&used.value)).collect()
}

/// Removes `.` and `..` from the path by its text alone, as go does.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// Returns the path relative to `root`: `./a/b` or `../b`; `None` if it is on another drive.
pub fn relative(path: &Path, root: &Path) -> Option<String> {
    let shared = root.ancestors().find(|above| path.starts_with(above))?;
    let ups = root.strip_prefix(shared).ok()?.components().count();
    let mut parts = vec![if ups == 0 { "." } else { ".." }.to_owned()];
    parts.extend(std::iter::repeat_n("..".to_owned(), ups.saturating_sub(1)));
    let below = path.strip_prefix(shared).ok()?.iter();
    parts.extend(below.map(|part| part.to_string_lossy().into_owned()));
    Some(parts.join("/"))
}

/// Returns the modules because of which go would refuse to build, and why in go's words. In go's
/// order.
pub fn disagreements(txt: &ModulesTxt, project: &ProjectFiles) -> Vec<(ModuleVersion, String)> {
    let mut out: Vec<(ModuleVersion, String)> = Vec::new();
    let is_module = project.work.is_none();
    let is_since = |version| project.go().is_some_and(|go| at_least(go, version));
    // Before 1.14 modules.txt did not have enough information (a go.mod without a `go` line is even
    // older).
    let before_114 = is_module && !is_since("1.14");
    let required: BTreeSet<&ModuleVersion> = project.required().collect();
    for module in project.required() {
        if txt.get(module).is_some_and(|listed| listed.explicit) {
            continue;
        }
        let mut vendored = txt.providers().filter(|l| l.module.path == module.path);
        let what = if !before_114 {
            "is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt"
                .to_owned()
        } else if let Some(other) = vendored.find(|l| l.module.version != module.version) {
            format!(
                "is explicitly required in go.mod, but vendor/modules.txt indicates {}",
                other.module
            )
        } else {
            continue;
        };
        out.push((module.clone(), what));
    }
    let mut seen = BTreeSet::new();
    let replaces = project.mains.iter().flat_map(|(_, main)| &main.replace);
    let replaces = replaces.chain(project.work.iter().flat_map(|work| &work.replace));
    for replace in replaces.filter(|replace| replace.error.is_none()) {
        let old = &replace.old;
        let listed = txt.get(old);
        let marked = listed.and_then(|listed| listed.replacement.as_ref());
        let wanted = project.replacement(old);
        if !seen.insert(old) || wanted.as_ref().map(|(new, _)| new) == marked {
            continue;
        }
        let provides = listed.is_some_and(|listed| !listed.packages.is_empty());
        let what = match (wanted, marked) {
            (_, None) if before_114 && (old.version.is_empty() || !provides) => continue,
            (wanted, None) => format!(
                "is replaced in {}, but not marked as replaced in vendor/modules.txt",
                wanted.map_or("go.mod", |(_, file)| file)
            ),
            (wanted, Some(marked)) => {
                let (by, file) = wanted.map_or((String::new(), "go.mod"), |(new, file)| {
                    (describe(&new), file)
                });
                format!(
                    "is replaced by {by} in {file}, but marked as replaced by {} in vendor/modules.txt",
                    describe(marked)
                )
            }
        };
        out.push((old.clone(), what));
    }
    // `modload.readModGraph`: a pruned go.mod names every module that provides packages.
    let is_pruned = is_module && is_since("1.17");
    let unrequired = |l: &&ListedModule| !required.contains(&l.module);
    let providers = || txt.providers().filter(unrequired);
    for listed in providers().filter(|listed| listed.explicit) {
        let article = if is_module { "" } else { "a " };
        out.push((
            listed.module.clone(),
            format!("is marked as explicit in vendor/modules.txt, but not explicitly required in {article}go.mod"),
        ));
    }
    for listed in providers().filter(|listed| is_pruned && !listed.explicit) {
        let what = "is vendored, but not explicitly required in go.mod";
        out.push((listed.module.clone(), what.to_owned()));
    }
    let marked = txt.modules.iter().filter(|l| l.replacement.is_some());
    for listed in marked.filter(|l| project.replacement(&l.module).is_none()) {
        let place = if is_module { "go.mod" } else { "the workspace" };
        let what =
            format!("is marked as replaced in vendor/modules.txt, but not replaced in {place}");
        out.push((listed.module.clone(), what));
    }
    out
}

/// Formats a module with its version, if it has one.
pub fn describe(module: &ModuleVersion) -> String {
    if module.version.is_empty() {
        module.path.clone()
    } else {
        module.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::{go_mod, go_work, modules_txt};

    fn main(folder: &str, text: &str) -> (PathBuf, GoMod) {
        (Path::new("/w").join(folder), go_mod::parse(text))
    }

    fn project(work: Option<&str>, mains: &[(PathBuf, GoMod)]) -> ProjectFiles {
        ProjectFiles {
            root: "/w".into(),
            work: work.map(go_work::parse),
            mains: mains.to_vec(),
            ..ProjectFiles::default()
        }
    }

    fn said(txt: &str, work: Option<&str>, mains: &[(PathBuf, GoMod)]) -> Vec<String> {
        let all = disagreements(&modules_txt::parse(txt), &project(work, mains));
        all.iter()
            .map(|(module, what)| format!("{} {what}", describe(module)))
            .collect()
    }

    #[test]
    fn before_go_1_14_only_a_wrong_version_counts() {
        let txt = "# a.b/c v1.1.0\na.b/c\n";
        let old = main(
            "",
            "module x.y/z\ngo 1.13\nrequire a.b/c v1.0.0\nreplace a.b/d => ./d\n",
        );
        let wanted = [
            "a.b/c@v1.0.0 is explicitly required in go.mod, but vendor/modules.txt indicates a.b/c@v1.1.0",
        ];
        assert_eq!(said(txt, None, &[old]), wanted);
        // A go.mod without a go line is even older (`modload.indexModFile`).
        let none = main("", "module x.y/z\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[none]), [""; 0]);
        let new = main("", "module x.y/z\ngo 1.14\nrequire a.b/c v1.1.0\n");
        assert_eq!(said(txt, None, &[new]).len(), 1);
    }

    #[test]
    fn a_workspace_is_as_explicit_as_any_of_its_modules() {
        let txt = "## workspace\n# a.b/c v1.0.0\n## explicit\na.b/c\n# a.b/d v1.0.0 => ./two/d\n## explicit\na.b/d\n# a.b/d => ./two/d\n";
        let work = "go 1.22\nuse (\n./one\n./two\n)\n";
        let mains = [
            main("one", "module x.y/one\ngo 1.21\nrequire a.b/c v1.0.0\n"),
            main(
                "two",
                "module x.y/two\ngo 1.21\nrequire a.b/d v1.0.0\nreplace a.b/d => ./d\n",
            ),
        ];
        assert_eq!(said(txt, Some(work), &mains), [""; 0]);
        // go.work's own replacement has precedence over a module's.
        let other = "go 1.22\nuse ./one\nreplace a.b/d => ../d\n";
        assert_eq!(
            said(txt, Some(other), &mains),
            [
                "a.b/d is replaced by ../d in go.work, but marked as replaced by ./two/d in vendor/modules.txt"
            ]
        );
        assert_eq!(
            said(txt, Some(work), &mains[..1]),
            [
                "a.b/d@v1.0.0 is marked as explicit in vendor/modules.txt, but not explicitly required in a go.mod",
                "a.b/d@v1.0.0 is marked as replaced in vendor/modules.txt, but not replaced in the workspace",
                "a.b/d is marked as replaced in vendor/modules.txt, but not replaced in the workspace",
            ]
        );
    }

    #[test]
    fn a_module_s_folder_is_seen_from_go_work() {
        let seen = |path: &str, folder: &str| {
            let text = format!("module x.y/two\nreplace a.b/d => {path}\n");
            let project = project(Some("go 1.22\n"), &[main(folder, &text)]);
            let (new, _) = project.replacement(&ModuleVersion::new("a.b/d", "v1.0.0"))?;
            Some(new.path)
        };
        assert_eq!(seen("./d", "two").as_deref(), Some("./two/d"));
        assert_eq!(seen("../d", "two").as_deref(), Some("./d"));
        assert_eq!(seen("../../d", "two").as_deref(), Some("../d"));
        assert_eq!(seen("..", "two").as_deref(), Some("."));
        assert_eq!(seen("/d", "two").as_deref(), Some("/d"));
    }
}
