//! Reads every place that may set a variable. Everything is bounded; unreadable places are noted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::{DoctorFacts, Kind, Sighting};
use super::files::Files;
use super::format::{self, Setting};
use super::places::{self, Folders};
use super::shell::{self, Dialect, Export, Startup};
use crate::environment::Environment;

/// Reads the environment and the files.
pub(super) fn files(
    facts: &mut DoctorFacts,
    files: &dyn Files,
    env: &Environment,
    home: &Path,
    here: &Path,
    names: &BTreeSet<String>,
) {
    let mut look = Look {
        facts,
        files,
        home,
        names,
    };
    look.this_shell(env);
    if !cfg!(windows) {
        look.shells(env);
    }
    let folders = Folders::of(env, home, here);
    look.fish_variables(&folders, env);
    look.direnv(&folders);
    for place in places::all(files, &folders) {
        look.place(&place);
    }
}

struct Look<'l> {
    facts: &'l mut DoctorFacts,
    files: &'l dyn Files,
    home: &'l Path,
    names: &'l BTreeSet<String>,
}

impl Look<'_> {
    fn this_shell(&mut self, env: &Environment) {
        self.facts.looked.push("this shell".to_owned());
        for name in self.names {
            if let Some(value) = env.get(name) {
                let place = "this shell".to_owned();
                let seen = Sighting::new(name.clone(), Some(value), place, Kind::Here);
                self.facts.seen.push(seen);
            }
        }
    }

    fn shells(&mut self, env: &Environment) {
        let login = env.get("SHELL").and_then(|shell| shell.rsplit('/').next());
        let login = login.filter(|name| !name.is_empty());
        let mut read = BTreeSet::new();
        for start in shell::starts(self.files, env, self.home, self.names) {
            read.extend(start.read);
            for (path, why) in start.unread {
                self.unread(&path, &why);
            }
            let foreign =
                login.is_some_and(|login| !start.shell.is_empty() && login != start.shell);
            let seen = |export: Export| Sighting {
                certain: export.certain,
                foreign,
                ..exported(export, Kind::Shell, self.home).reaching(start.reaches)
            };
            for export in start.exports {
                merge(&mut self.facts.seen, seen(export));
            }
            for written in start.written {
                if self.names.contains(&written.name) {
                    merge(&mut self.facts.rewrites, seen(written));
                }
            }
        }
        for path in read {
            self.facts.looked.push(self.short(&path));
        }
    }

    /// Every fish shell has fish's universal variables, whatever its files say.
    fn fish_variables(&mut self, folders: &Folders, env: &Environment) {
        let path = folders.config.join("fish/fish_variables");
        let Some(text) = self.read(&path) else { return };
        let shell = env.get("SHELL").unwrap_or("fish");
        let foreign = !shell.ends_with("fish");
        for (number, line) in text.lines().enumerate() {
            let Some((name, value)) = shell::universal(line) else {
                continue;
            };
            if self.names.contains(&name) && !value.is_empty() {
                let place = format!("{}:{}", self.short(&path), number + 1);
                let seen = Sighting::new(name, Some(&value), place, Kind::Shell);
                let seen = Sighting {
                    foreign,
                    ..seen.reaching("fish shells")
                };
                merge(&mut self.facts.seen, seen);
            }
        }
    }

    /// Reads the nearest .envrc, as direnv does, and the next one where it says `source_up`.
    fn direnv(&mut self, folders: &Folders) {
        let above = folders.above().map(|folder| folder.join(".envrc"));
        let all: Vec<PathBuf> = above.filter(|path| self.files.is_file(path)).collect();
        for path in all {
            self.envrc(&path);
            let goes_up = self.read(&path).is_some_and(|text| {
                let mut lines = text.lines();
                lines.any(|line| line.trim_start().starts_with("source_up"))
            });
            if !goes_up {
                return;
            }
        }
    }

    fn envrc(&mut self, path: &Path) {
        let home = self.home.to_string_lossy();
        let mut startup = Startup::new(self.files, Dialect::Bash).given("HOME", &home);
        startup.file(path);
        for (path, why) in std::mem::take(&mut startup.unread) {
            self.unread(&path, &why);
        }
        self.facts.looked.push(self.short(path));
        let folder = self.short(path.parent().unwrap_or(path));
        let reaches = format!("shells with direnv in {folder}");
        for export in startup.exports(self.names) {
            let seen = Sighting {
                // Only where direnv is installed, and allowed to.
                certain: false,
                ..exported(export, Kind::Folder, self.home).reaching(&reaches)
            };
            merge(&mut self.facts.seen, seen);
        }
        let reads_dotenv = self.read(path).is_some_and(|text| {
            text.lines()
                .any(|line| line.trim_start().starts_with("dotenv"))
        });
        if reads_dotenv {
            let path = path.with_file_name(".env");
            if let Some(text) = self.read(&path) {
                for setting in format::assignments(&text, self.names) {
                    self.setting(&path, Kind::Folder, &setting);
                }
            }
        }
    }

    fn place(&mut self, place: &places::SettingsFile) {
        let Some(text) = self.read(&place.path) else {
            return;
        };
        for mut setting in (place.reader)(&text, self.names) {
            if place.kind == Kind::Login {
                let home = self.home.to_string_lossy();
                let value = setting.value.as_deref();
                setting.value = value.map(|value| format::with_home(value, &home));
            }
            self.setting(&place.path, place.kind, &setting);
        }
    }

    fn setting(&mut self, path: &Path, kind: Kind, setting: &Setting) {
        let mut place = format!("{}:{}", self.short(path), setting.line);
        if !setting.key.is_empty() && kind == Kind::Editor {
            place.push_str(&format!(" ({})", setting.key));
        }
        let reaches = match kind {
            Kind::Login => "every login",
            Kind::Editor if setting.key.contains("terminal") => "terminals of the editor",
            Kind::Editor => "the editor",
            Kind::Shell => "shells that read it",
            Kind::Folder if path.extension().is_some_and(|one| one == "toml") => "shells with mise",
            Kind::Folder | Kind::Manager | Kind::Registry | Kind::Here | Kind::Process => {
                "shells in this folder"
            }
        };
        let name = setting.name.clone();
        let seen = Sighting::new(name, setting.value.as_deref(), place, kind).reaching(reaches);
        let seen = Sighting {
            certain: setting.certain && kind != Kind::Folder,
            ..seen
        };
        merge(&mut self.facts.seen, seen);
    }

    fn read(&mut self, path: &Path) -> Option<String> {
        match self.files.read(path) {
            Ok(text) => {
                if text.is_some() {
                    self.facts.looked(self.short(path));
                }
                text
            }
            Err(error) => {
                self.unread(path, &error.to_string());
                None
            }
        }
    }

    fn unread(&mut self, path: &Path, why: &str) {
        self.facts.unread(&self.short(path), why);
    }

    fn short(&self, path: &Path) -> String {
        short(path, self.home)
    }
}

/// What a start-up file exports.
fn exported(export: Export, kind: Kind, home: &Path) -> Sighting {
    let place = format!("{}:{}", short(&export.file, home), export.line);
    Sighting::new(export.name, export.value.as_deref(), place, kind)
}

/// Adds a sighting; a line that shells read in several ways is one sighting.
fn merge(all: &mut Vec<Sighting>, new: Sighting) {
    let known = all
        .iter_mut()
        .find(|one| one.name == new.name && one.place == new.place && one.value == new.value);
    let Some(known) = known else {
        all.push(new);
        return;
    };
    known.certain |= new.certain;
    known.foreign &= new.foreign;
    for reach in new.reaches {
        if !known.reaches.contains(&reach) {
            known.reaches.push(reach);
        }
    }
}

/// `~/.bashrc`
pub(super) fn short(path: &Path, home: &Path) -> String {
    match path.strip_prefix(home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => PathBuf::from("~").join(rest).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
