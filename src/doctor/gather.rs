//! Looks at every place, and judges none. Everything is bounded; what cannot be read is noted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::facts::{Facts, Kind, Sighting};
use super::files::Files;
use super::format::{self, Setting};
use super::places::{self, Folders};
use super::shell::{self, Dialect, Export, Startup};
use crate::environment::Environment;
use crate::model::mask;

/// Looks at the files.
pub(super) fn files(
    facts: &mut Facts,
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
    facts: &'l mut Facts,
    files: &'l dyn Files,
    home: &'l Path,
    names: &'l BTreeSet<String>,
}

impl Look<'_> {
    fn this_shell(&mut self, env: &Environment) {
        self.facts.looked.push("this shell".to_owned());
        for name in self.names {
            if let Some(value) = env.get(name) {
                self.facts.seen.push(Sighting {
                    name: name.clone(),
                    value: Some(mask(value)),
                    place: "this shell".to_owned(),
                    kind: Kind::Here,
                    certain: true,
                    reaches: Vec::new(),
                    foreign: false,
                });
            }
        }
    }

    fn shells(&mut self, env: &Environment) {
        let login = env.path("SHELL");
        let login = login
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        let mut read = BTreeSet::new();
        for start in shell::starts(self.files, env, self.home, self.names) {
            read.extend(start.read);
            for (path, why) in start.unread {
                self.unread(&path, why);
            }
            let foreign =
                login.is_some_and(|login| !start.shell.is_empty() && login != start.shell);
            let by = |look: &Look<'_>, export: Export| Sighting {
                name: export.name,
                value: export.value.as_deref().map(mask),
                place: format!("{}:{}", look.short(&export.file), export.line),
                kind: Kind::Shell,
                certain: export.certain,
                reaches: vec![start.reaches.to_owned()],
                foreign,
            };
            for export in start.exports {
                let seen = by(self, export);
                merge(&mut self.facts.seen, seen);
            }
            for written in start.written {
                if self.names.contains(&written.name) {
                    let seen = by(self, written);
                    merge(&mut self.facts.rewrites, seen);
                }
            }
        }
        for path in read {
            let path = self.short(&path);
            self.facts.looked.push(path);
        }
    }

    /// Universal variables of fish are in every fish shell, whatever its files say.
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
                self.add(Sighting {
                    name,
                    value: Some(mask(&value)),
                    place,
                    kind: Kind::Shell,
                    certain: true,
                    reaches: vec!["fish shells".to_owned()],
                    foreign,
                });
            }
        }
    }

    /// The nearest .envrc, as direnv takes it, and the next one where it says `source_up`.
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
            self.unread(&path, why);
        }
        let looked = self.short(path);
        self.facts.looked.push(looked);
        let reaches = vec![format!("shells with direnv in {}", {
            self.short(path.parent().unwrap_or(path))
        })];
        for export in startup.exports(self.names) {
            let place = format!("{}:{}", self.short(&export.file), export.line);
            self.add(Sighting {
                name: export.name,
                value: export.value.as_deref().map(mask),
                place,
                kind: Kind::Folder,
                // Only where direnv is there, and allowed to.
                certain: false,
                reaches: reaches.clone(),
                foreign: false,
            });
        }
        let reads_dotenv = self.read(path).is_some_and(|text| {
            text.lines()
                .any(|line| line.trim_start().starts_with("dotenv"))
        });
        if reads_dotenv {
            let path = path.with_file_name(".env");
            if let Some(text) = self.read(&path) {
                for setting in format::assignments(&text, self.names) {
                    self.setting(&path, Kind::Folder, "", &setting);
                }
            }
        }
    }

    fn place(&mut self, place: &places::Place) {
        let Some(text) = self.read(&place.path) else {
            return;
        };
        for mut setting in (place.reader)(&text, self.names) {
            if place.kind == Kind::Login {
                let home = self.home.to_string_lossy();
                let value = setting.value.as_deref();
                setting.value = value.map(|value| format::with_home(value, &home));
            }
            self.setting(&place.path, place.kind, place.owner, &setting);
        }
    }

    fn setting(&mut self, path: &Path, kind: Kind, owner: &str, setting: &Setting) {
        let mut place = format!("{}:{}", self.short(path), setting.line);
        if !setting.key.is_empty() && kind == Kind::Editor {
            place.push_str(&format!(" ({})", setting.key));
        }
        let reaches = match kind {
            Kind::Login => "every login",
            Kind::Editor if setting.key.contains("terminal") => "terminals of the editor",
            Kind::Editor => "the editor",
            Kind::Shell => "shells that read it",
            Kind::Folder if owner == "mise" => "shells with mise",
            Kind::Folder | Kind::Manager | Kind::Registry | Kind::Here | Kind::Process => {
                "shells in this folder"
            }
        };
        self.add(Sighting {
            name: setting.name.clone(),
            value: setting.value.as_deref().map(mask),
            place,
            kind,
            certain: setting.certain && kind != Kind::Folder,
            reaches: vec![reaches.to_owned()],
            foreign: false,
        });
    }

    /// One line that several ways to start come by is one sighting.
    fn add(&mut self, new: Sighting) {
        merge(&mut self.facts.seen, new);
    }

    fn read(&mut self, path: &Path) -> Option<String> {
        match self.files.read(path) {
            Ok(text) => {
                if text.is_some() {
                    let path = self.short(path);
                    if !self.facts.looked.contains(&path) {
                        self.facts.looked.push(path);
                    }
                }
                text
            }
            Err(error) => {
                self.unread(path, error.to_string());
                None
            }
        }
    }

    fn unread(&mut self, path: &Path, why: String) {
        let path = self.short(path);
        if !self.facts.unread.iter().any(|(known, _)| *known == path) {
            self.facts.unread.push((path, why));
        }
    }

    fn short(&self, path: &Path) -> String {
        short(path, self.home)
    }
}

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
