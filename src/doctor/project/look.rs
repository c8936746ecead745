//! Reads the project's files, and the lines of the go env file. Judges none.

use std::path::{Path, PathBuf};

use super::super::cache::download_folder;
use super::super::facts::Facts;
use super::super::files::Files;
use super::super::gather::short;
use super::local;
use super::seen::{Encoding, Line, ModuleFile, Project, Stand, Sums, Wants};
use crate::environment::Environment;
use crate::gocmd::{EnvFile, EnvText};
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::{At, Fault, Replace, is_conflict_marker, refusals};
use crate::gomod::{go_sum, go_work};
use crate::model::mask;
use crate::vendoring::{self, VendorCode};

/// Folders above a folder that may hold its go.mod.
const MOST_ABOVE: usize = 64;
/// Modules of one workspace that are looked at.
const MOST_MODULES: usize = 200;
/// Flaws of one go.sum that are told.
const MOST_FLAWS: usize = 12;

/// Looks at the project that a folder lies in, if it lies in one, and at the go env file.
pub(in super::super) fn look(
    facts: &mut Facts,
    files: &dyn Files,
    env: &Environment,
    folder: &Path,
) {
    let home = env.home().unwrap_or_default();
    let mut look = Look {
        facts,
        files,
        env,
        home: &home,
    };
    look.env_file();
    look.build_caches();
    look.project(folder);
}

struct Look<'l> {
    facts: &'l mut Facts,
    files: &'l dyn Files,
    env: &'l Environment,
    home: &'l Path,
}

impl Look<'_> {
    fn env_file(&mut self) {
        let Ok(file) = EnvFile::locate(self.env) else {
            return;
        };
        let Ok(Some(text)) = file.read() else { return };
        let place = short(&file.path, self.home);
        for (number, line) in text.0.split(|b| *b == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            if let Some(why) = passed_over(&line) {
                let shown: String = mask(&line).chars().filter(|c| !c.is_control()).collect();
                let shown = shown.trim_start_matches('\u{feff}').trim().to_owned();
                let at = format!("{place}:{}", number + 1);
                self.facts.ignored.push((at, shown, why.to_owned()));
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            // The last line of a name is the one that counts.
            self.facts.lines.retain(|line| line.name != name);
            self.facts.lines.push(Line {
                name: name.to_owned(),
                value: mask(value),
                place: format!("{place}:{}", number + 1),
            });
        }
    }

    /// Folders that GOPROXY names and that hold compiled objects, not modules.
    fn build_caches(&mut self) {
        let own = self.env.path("GOCACHE");
        let lines = self
            .facts
            .lines
            .iter()
            .map(|line| (&line.name, &line.value));
        let seen = self.facts.seen.iter();
        let seen = seen.filter_map(|one| Some((&one.name, one.value.as_ref()?)));
        let values = lines.chain(seen).filter(|(name, _)| *name == "GOPROXY");
        let mut found = Vec::new();
        for part in values.flat_map(|(_, value)| value.split([',', '|'])) {
            let part = part.trim();
            let Some(folder) = local::is_url(part)
                .then(|| local::folder_of(part))
                .flatten()
            else {
                continue;
            };
            let path = PathBuf::from(&folder);
            let real = dunce::canonicalize(&path).unwrap_or_else(|_| path.clone());
            // cache/cache.go:Open keeps both of them there.
            let marked = ["trim.txt", "README"];
            let looks = marked
                .iter()
                .all(|name| self.files.is_file(&real.join(name)));
            let named = path.ends_with("go-build") || real.ends_with("go-build");
            if named || looks || own.as_ref() == Some(&path) {
                found.push(part.to_owned());
            }
        }
        self.facts.build_caches = found;
        let download = download_folder(self.env);
        self.facts.module_cache = download.map(|path| path.display().to_string());
    }

    fn project(&mut self, folder: &Path) {
        let above = |name: &str| {
            let mut above = folder.ancestors().take(MOST_ABOVE);
            above.find(|folder| self.files.is_there(&folder.join(name)))
        };
        let written = self.facts.lines.iter().find(|line| line.name == "GOWORK");
        let set = self.env.get("GOWORK").filter(|value| !value.is_empty());
        let set = set.or(written.map(|line| line.value.as_str()));
        let work = go_work::find(set, folder, |path| self.files.is_there(path));
        let module = above("go.mod").map(|folder| folder.join("go.mod"));
        let mut project = Project::default();
        for (name, found) in [("go.work", work.as_ref()), ("go.mod", module.as_ref())] {
            let found = found.and_then(|path| path.parent());
            let nearer = folder.ancestors().take(MOST_ABOVE);
            for above in nearer.take_while(|folder| Some(*folder) != found) {
                let path = above.join(name);
                // A folder of that name may well hold projects.
                if !folder.starts_with(&path) {
                    self.passed_over(&mut project, &path);
                }
            }
        }
        if work.is_none() && module.is_none() && project.passed_over.is_empty() {
            return;
        }
        let main = work.as_ref().or(module.as_ref());
        project.main = main.map(|path| short(path, self.home)).unwrap_or_default();
        let mut wants: Vec<(String, String)> = Vec::new();
        let mut modules: Vec<PathBuf> = module.into_iter().collect();
        if let Some(path) = work
            && let Some(text) = self.text(&mut project, &path)
        {
            let work = go_work::parse(&text);
            let mut file = self.file(&path);
            file.faults = faults(&work.faults, &work.unknown);
            file.newcomers = work.newcomers();
            file.unknown = unknown(&work.unknown);
            let sums = file.folder.join("go.work.sum");
            if let Some(text) = self.text(&mut project, &sums) {
                let found = go_sum::flaws(&text, MOST_FLAWS);
                project.work_sums = Some((short(&sums, self.home), found));
            }
            self.replaces(&mut file, &work.replace, &|_| true);
            let lines = [&work.go, &work.toolchain];
            wants.extend(asked(&file.place, lines.into_iter().flatten()));
            let used = work.r#use.iter().take(MOST_MODULES);
            let used = used.map(|folder| {
                file.folder
                    .join(&folder.value)
                    .join("go.mod")
                    .components()
                    .collect()
            });
            let used: Vec<PathBuf> = used.collect();
            let real = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let all = work.r#use.len() <= MOST_MODULES;
            if let Some(module) = modules.first().filter(|_| all)
                && !used.iter().any(|one| real(one) == real(module))
            {
                project.unused = Some((short(module, self.home), file.place.clone()));
            }
            modules = used;
            project.files.push(file);
        }
        for path in modules {
            let Some(text) = self.text(&mut project, &path) else {
                continue;
            };
            let module = go_mod::parse(&text);
            let mut file = self.file(&path);
            file.faults = faults(&module.faults, &module.unknown);
            file.newcomers = module.newcomers();
            file.unknown = unknown(&module.unknown);
            let is_required = |old: &str| module.require.iter().any(|one| one.module.path == old);
            self.replaces(&mut file, &module.replace, &is_required);
            file.sums = self.sums(&mut project, &file.folder, &module);
            let lines = [&module.go, &module.toolchain];
            wants.extend(asked(&file.place, lines.into_iter().flatten()));
            project.files.push(file);
        }
        project.has = self.facts.house.go_commands.first().map(|(_, version)| {
            let version = version.strip_prefix("go").unwrap_or(version);
            version.to_owned()
        });
        project.wants = self.newest(wants);
        self.list(&mut project, folder);
        project.vendor = self.vendor(folder);
        self.facts.project = Some(project);
    }

    fn file(&self, path: &Path) -> ModuleFile {
        ModuleFile {
            place: short(path, self.home),
            folder: path.parent().unwrap_or(path).to_owned(),
            ..ModuleFile::default()
        }
    }

    fn replaces(&self, file: &mut ModuleFile, all: &[Replace], is_required: &dyn Fn(&str) -> bool) {
        for replace in all {
            let (old, new) = (replace.old.path.clone(), replace.new.path.clone());
            if local::is_url(&new) {
                // One finding for the line, with the way out.
                file.faults.retain(|(line, _)| *line != replace.line);
                let is_module =
                    |folder: &String| self.files.is_file(&file.folder.join(folder).join("go.mod"));
                let folder = local::folder_of(&new);
                let folder = folder.or_else(|| local::guesses(&new).into_iter().find(is_module));
                file.urls.push((replace.line, old, new, folder));
                continue;
            }
            if !cfg!(windows) && replace.new.version.is_empty() && new.contains('\\') {
                file.faults.retain(|(line, _)| *line != replace.line);
                file.windows.push((replace.line, old, new));
                continue;
            }
            if replace.error.is_some() || !replace.is_local() {
                continue;
            }
            let folder = file.folder.join(&new);
            let stand = match (
                self.files.is_file(&folder.join("go.mod")),
                self.files.is_folder(&folder),
            ) {
                (true, _) => continue,
                (false, true) => Stand::NoModule,
                (false, false) => Stand::Nothing,
            };
            let required = is_required(&old);
            file.missing.push((replace.line, old, new, stand, required));
        }
    }

    fn sums(&mut self, project: &mut Project, folder: &Path, module: &GoMod) -> Sums {
        let path = folder.join("go.sum");
        let Some(text) = self.text(project, &path) else {
            let is_local = |one: &go_mod::Require| {
                let mut replaces = module.replace.iter();
                replaces.any(|replace| {
                    let local = replace.is_local() || local::is_url(&replace.new.path);
                    local && replace.old.path == one.module.path
                })
            };
            // vendor/ needs none; folders of this machine have no hash.
            let vendored = self.files.is_file(&folder.join("vendor/modules.txt"));
            let unread = path.symlink_metadata().is_ok();
            return if vendored || unread || module.require.iter().all(is_local) {
                Sums::Fine
            } else {
                Sums::Missing
            };
        };
        let flaws = go_sum::flaws(&text, MOST_FLAWS);
        if flaws.is_empty() {
            Sums::Fine
        } else {
            Sums::Flawed(flaws)
        }
    }

    /// vendor/modules.txt, as far as `vendor check` does not say it better.
    fn list(&mut self, project: &mut Project, folder: &Path) {
        let mut above = folder.ancestors().take(MOST_ABOVE);
        let path = above
            .find(|folder| self.files.is_folder(&folder.join("vendor")))
            .map(|folder| folder.join("vendor/modules.txt"));
        let Some(path) = path else { return };
        let Some(text) = self.text(project, &path) else {
            return;
        };
        let torn = text.lines().position(is_conflict_marker);
        project.torn_list = torn.map(|at| format!("{}:{}", short(&path, self.home), at + 1));
    }

    /// The newest version that is asked for, with the go command that there is.
    fn newest(&self, wants: Vec<(String, String)>) -> Option<Wants> {
        let newest = |a: &(String, String), b: &(String, String)| {
            crate::gomod::go_version::compare(&a.0, &b.0)
        };
        let (version, place) = wants.into_iter().max_by(newest)?;
        let (path, has) = self.facts.house.go_commands.first()?.clone();
        let value = |text: &EnvText| text.get("GOTOOLCHAIN").map(str::to_owned);
        let shipped = || {
            let real = dunce::canonicalize(path).ok()?;
            let text = self.files.read(&real.parent()?.parent()?.join("go.env"));
            value(&EnvText(text.ok()??.into_bytes()))
        };
        let lines = &self.facts.lines;
        let written = lines.iter().find(|line| line.name == "GOTOOLCHAIN");
        let set = self.env.get("GOTOOLCHAIN").map(str::to_owned);
        let (toolchain, permit) = match (set, written) {
            (Some(set), _) => (set, "unset GOTOOLCHAIN in this shell".to_owned()),
            (None, Some(line)) => (line.value.clone(), "run `go env -u GOTOOLCHAIN`".to_owned()),
            // Of $GOROOT/go.env, which is the distribution's.
            (None, None) => (
                shipped().unwrap_or_default(),
                "run `go env -w GOTOOLCHAIN=auto`".to_owned(),
            ),
        };
        Some(Wants {
            version,
            place,
            has,
            toolchain,
            permit,
        })
    }

    /// What `goroam vendor check` says, without a zip to compare with: as fast as modules.txt.
    fn vendor(&mut self, folder: &Path) -> Option<(String, String, bool)> {
        let project = vendoring::VendorProject::find(folder, self.env).ok()?;
        if !self.files.is_folder(&project.root.join("vendor")) {
            return None;
        }
        let report = vendoring::check(&project, &vendoring::Shelves::default()).ok()?;
        let find = |codes: &[VendorCode]| {
            let mut all = report.findings.iter();
            all.find(|finding| codes.contains(&finding.code)).cloned()
        };
        let refused = [
            VendorCode::NoModulesTxt,
            VendorCode::Inconsistent,
            VendorCode::PackageMissing,
        ];
        if let Some(bad) = find(&refused) {
            return Some((bad.what, bad.mend, true));
        }
        // Of these go says nothing, and builds what was there before.
        let old = find(&[VendorCode::OutOfDate])?;
        let what = format!("{}: {}", old.file.unwrap_or_default(), old.what);
        Some((what, old.mend, false))
    }

    /// What has the name of a module file and is none.
    fn passed_over(&self, project: &mut Project, path: &Path) {
        if let Some(what) = self.files.no_file(path) {
            let shown = short(path, self.home);
            project.passed_over.push((shown, what));
        }
    }

    /// The text of a file of the project; how it is encoded is noted, where go cannot read it so.
    fn text(&mut self, project: &mut Project, path: &Path) -> Option<String> {
        let shown = short(path, self.home);
        match self.files.bytes(path) {
            Ok(Some(bytes)) => {
                self.facts.looked.push(shown.clone());
                if let Some(encoding) = Encoding::of(&bytes) {
                    project.encoded.push((shown, encoding));
                }
                Some(super::super::files::text(&bytes))
            }
            Ok(None) => {
                self.passed_over(project, path);
                None
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                project.odd.push((shown, error.to_string()));
                None
            }
            Err(error) => {
                self.facts.unread.push((shown, error.to_string()));
                None
            }
        }
    }
}

/// Why go passes over a line that looks like a setting (`cfg.readEnvFile`); `None`: it does not.
fn passed_over(line: &str) -> Option<&'static str> {
    if line.starts_with(|c: char| c.is_ascii_uppercase()) {
        // `GOPROXY = off` sets a variable that is called "GOPROXY ".
        let (name, _) = line.split_once('=')?;
        return name
            .ends_with([' ', '\t'])
            .then_some("Before = stands a blank, which go takes for a part of the name.");
    }
    let bare = line.trim_start_matches('\u{feff}').trim_start();
    if line.contains('\0') {
        return line
            .contains('=')
            .then_some("It is UTF-16; go reads UTF-8 alone.");
    }
    let setting = bare.strip_prefix("export ").unwrap_or(bare);
    let (name, _) = setting.split_once('=')?;
    let is_name = name.to_ascii_uppercase().starts_with("GO")
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_name {
        return None;
    }
    Some(if line.starts_with('\u{feff}') {
        "Before it stands a byte order mark, with which Windows' editors begin a file."
    } else {
        "go takes lines alone that begin with the variable's name, in capital letters."
    })
}

fn faults(faults: &[Fault], unknown: &[At<String>]) -> Vec<(usize, String)> {
    let all = refusals(faults, unknown).into_iter();
    all.map(|fault| (fault.line, fault.message)).collect()
}

/// What no go known here reads; git's marks are told by [`faults`].
fn unknown(all: &[At<String>]) -> Vec<(usize, String)> {
    let all = all.iter().filter(|one| !is_conflict_marker(&one.value));
    all.map(|one| (one.line, one.value.clone())).collect()
}

/// Versions that `go` and `toolchain` lines name, with their places.
fn asked<'a>(place: &str, lines: impl Iterator<Item = &'a At<String>>) -> Vec<(String, String)> {
    let version = |text: &str| {
        let version = crate::gomod::go_version::of_toolchain(text);
        version.unwrap_or(text).to_owned()
    };
    let lines = lines.filter(|line| line.value != "default");
    lines
        .map(|line| (version(&line.value), format!("{place}:{}", line.line)))
        .collect()
}
