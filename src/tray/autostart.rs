//! Starts the tray at login on a Linux desktop: `autostart/goroam-tray.desktop`, as the XDG Desktop
//! Application Autostart Specification defines it.

use std::io;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::state::file::replace;

const NAME: &str = "autostart/goroam-tray.desktop";

/// The locations of the entries, and the program to start.
#[derive(Debug, Clone)]
pub(super) struct Autostart {
    own: PathBuf,
    system: Vec<PathBuf>,
    program: PathBuf,
    config: Option<PathBuf>,
}

impl Autostart {
    /// Finds the entries of this user; `None` without a home. `config`: the policy that the tray
    /// was given.
    pub(super) fn find(
        env: &Environment,
        program: PathBuf,
        config: Option<PathBuf>,
    ) -> Option<Autostart> {
        let own = match env
            .path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
        {
            Some(folder) => folder,
            None => env.home()?.join(".config"),
        };
        let system = env.get("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg");
        let system = std::env::split_paths(system).filter(|path| path.is_absolute());
        Some(Autostart {
            own: own.join(NAME),
            system: system.map(|folder| folder.join(NAME)).collect(),
            program,
            config,
        })
    }

    /// Reports whether the desktop starts the tray. The user's own entry overrides the system's.
    pub(super) fn is_on(&self) -> bool {
        let mut files = std::iter::once(&self.own).chain(&self.system);
        let first = files.find_map(|path| crate::bounded::read_text(path, 1 << 20).ok());
        first.is_some_and(|text| !is_switched_off(&text))
    }

    /// Enables or disables it.
    ///
    /// # Errors
    /// When the entry cannot be written or removed, or when an entry cannot hold the program's
    /// name.
    pub(super) fn set(&self, wanted: bool) -> io::Result<()> {
        let of_system = self.system.iter().any(|path| path.exists());
        match (wanted, of_system) {
            (true, _) => self.write(&self.entry()?),
            // Without an entry of the user, the system's would apply.
            (false, true) => self.write("[Desktop Entry]\nType=Application\nHidden=true\n"),
            (false, false) => match std::fs::remove_file(&self.own) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let folder = self.own.parent().unwrap_or(Path::new("/"));
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        replace(&self.own, text.as_bytes())
    }

    fn entry(&self) -> io::Result<String> {
        let mut exec = quoted(&self.program)?;
        if let Some(config) = &self.config {
            exec = format!("{exec} --config {}", quoted(config)?);
        }
        Ok(format!(
            "[Desktop Entry]\n\
             Type=Application\n\
             Name=goroam\n\
             Comment=Keeps go env right on whatever network the machine is on\n\
             Exec={exec}\n\
             Terminal=false\n\
             X-GNOME-Autostart-enabled=true\n"
        ))
    }
}

fn is_switched_off(text: &str) -> bool {
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.any(|(key, value)| {
        matches!(
            (key.trim(), value.trim()),
            ("Hidden", "true") | ("X-GNOME-Autostart-enabled", "false")
        )
    })
}

/// Quotes an argument in `Exec`: first by the Desktop Entry Specification's rules for arguments,
/// then by its rules for strings, which double each backslash. `%` would begin a field code.
fn quoted(path: &Path) -> io::Result<String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(char::is_control));
    let Some(text) = text else {
        let why = format!("{} cannot stand in a desktop entry", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    };
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\\\\\"),
            '"' | '`' | '$' => {
                out.push_str("\\\\");
                out.push(c);
            }
            '%' => out.push_str("%%"),
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use super::{Autostart, quoted};

    fn autostart(root: &Path, config: Option<&str>) -> Autostart {
        let env = [
            ("HOME", root.join("home")),
            ("XDG_CONFIG_DIRS", root.join("etc")),
        ];
        let env = env
            .into_iter()
            .map(|(name, path)| (name, path.display().to_string()));
        let program = PathBuf::from("/opt/go roam/goroam-tray");
        Autostart::find(&env.collect(), program, config.map(PathBuf::from)).unwrap()
    }

    #[test]
    fn it_is_switched_on_and_off_and_nothing_stays() {
        let root = tempfile::tempdir().unwrap();
        let entry = root
            .path()
            .join("home/.config/autostart/goroam-tray.desktop");
        let own = autostart(root.path(), Some("/home/me/50%.toml"));
        assert!(!own.is_on());
        own.set(false).unwrap();
        own.set(true).unwrap();
        assert!(own.is_on());
        let text = std::fs::read_to_string(&entry).unwrap();
        let exec = "Exec=\"/opt/go roam/goroam-tray\" --config \"/home/me/50%%.toml\"\n";
        assert!(text.contains(exec), "{text}");
        assert_eq!(std::fs::metadata(&entry).unwrap().mode() & 0o777, 0o600);
        own.set(false).unwrap();
        assert!(!own.is_on());
        assert_eq!(
            std::fs::read_dir(entry.parent().unwrap()).unwrap().count(),
            0
        );
    }

    #[test]
    fn an_entry_of_the_system_is_hidden_by_an_own_one() {
        let root = tempfile::tempdir().unwrap();
        let system = root.path().join("etc/autostart");
        std::fs::create_dir_all(&system).unwrap();
        std::fs::write(system.join("goroam-tray.desktop"), "[Desktop Entry]\n").unwrap();
        let own = autostart(root.path(), None);
        assert!(own.is_on());
        own.set(false).unwrap();
        assert!(!own.is_on());
        own.set(true).unwrap();
        assert!(own.is_on());
    }

    #[test]
    fn odd_paths_are_quoted_as_the_specification_has_it() {
        for (path, want) in [
            ("/a b", r#""/a b""#),
            ("/50%", r#""/50%%""#),
            ("/$HOME`x`", r#""/\\$HOME\\`x\\`""#),
            (r#"/a"b"#, r#""/a\\"b""#),
            (r"/a\b", r#""/a\\\\b""#),
        ] {
            assert_eq!(quoted(Path::new(path)).unwrap(), want);
        }
        assert!(quoted(Path::new("/a\nExec=evil")).is_err());
    }
}
