//! Tries a go env file or variables with go, in a temporary directory: with its own home and
//! caches, without a network, and without running any other program that they name.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::run::{GoCommand, Output, run_to_end};
use crate::bounded;
use crate::environment::Environment;

/// `go list unsafe` takes 20 ms.
const LIMIT: Duration = Duration::from_secs(10);
/// The longest go env file, in bytes.
const MOST_FILE: u64 = 1 << 20;

/// A variable and its value.
pub type Variable<'a> = (&'a str, &'a str);

/// The command that go runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// `go list unsafe`: any command that reads its settings.
    List,
    /// `go build -n .`: prints what a build would do. It asks the compiler for its version.
    Build,
}

/// A temporary directory with a module in it.
#[derive(Debug)]
pub struct Trial<'g> {
    go: &'g GoCommand,
    folder: tempfile::TempDir,
    base: Vec<(OsString, OsString)>,
}

impl<'g> Trial<'g> {
    /// Creates the directory.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn new(go: &'g GoCommand, env: &Environment) -> io::Result<Trial<'g>> {
        let folder = tempfile::Builder::new().prefix("goroam-trial-").tempdir()?;
        let root = folder.path();
        std::fs::create_dir(root.join("module"))?;
        bounded::create_new(&root.join("env"))?;
        let write = |name: &str, text: &str| {
            io::Write::write_all(&mut bounded::create_new(&root.join(name))?, text.as_bytes())
        };
        write("module/go.mod", "module trial.invalid/m\n\ngo 1.16\n")?;
        write("module/m.go", "package m\n")?;
        // `os.UserConfigDir` of each system: without this, go sometimes starts another process of
        // its own, which maintains its telemetry counters.
        for config in [".config", "Library/Application Support", "config"] {
            let telemetry = root.join(config).join("go/telemetry");
            std::fs::create_dir_all(&telemetry)?;
            io::Write::write_all(&mut bounded::create_new(&telemetry.join("mode"))?, b"off")?;
        }
        let is_of_go = |name: &str| {
            let name = name.to_ascii_uppercase();
            let others = ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"];
            ["GO", "CGO_", "XDG_"]
                .iter()
                .any(|start| name.starts_with(start))
                || others.contains(&name.as_str())
        };
        let kept = env.iter().filter(|(name, _)| !is_of_go(name));
        let mut base: Vec<(OsString, OsString)> = kept
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        for (name, below) in [
            ("HOME", ""),
            ("USERPROFILE", ""),
            ("APPDATA", "config"),
            ("LOCALAPPDATA", "config"),
            ("GOENV", "env"),
            ("GOCACHE", "cache"),
        ] {
            base.push((name.into(), root.join(below).into()));
        }
        base.push(("GOPROXY".into(), "off".into()));
        Ok(Trial { go, folder, base })
    }

    /// Returns go's message if it fails because of this go env file and these variables; `None`: it
    /// does not fail, or not because of them.
    pub async fn stops(
        &self,
        file: &[u8],
        vars: &[Variable<'_>],
        errand: Errand,
    ) -> Option<String> {
        self.put(file).ok()?;
        let args: &[&str] = match errand {
            Errand::List => &["list", "unsafe"],
            Errand::Build => &["build", "-n", "."],
        };
        let output = self.run(args, vars).await.ok()?;
        if output.success {
            return None;
        }
        let said = String::from_utf8_lossy(&output.err);
        let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
        let line = line.trim_start_matches("go: ");
        // It requires a go that is not in this trial's cache, but may be in the user's.
        let fetches = line.starts_with("download");
        (!fetches).then(|| line.chars().take(200).collect())
    }

    /// Reports whether `go env -u NAME`, with these variables, removes NAME from this file.
    pub async fn unsets(&self, file: &[u8], vars: &[Variable<'_>], name: &str) -> bool {
        let run = async {
            self.put(file)?;
            let output = self.run(&["env", "-u", name], vars).await?;
            let left = bounded::read(&self.file(), MOST_FILE)?;
            let start = format!("{name}=");
            let mut lines = left.split(|byte| *byte == b'\n');
            let has = lines.any(|line| line.starts_with(start.as_bytes()));
            Ok::<bool, io::Error>(output.success && !has)
        };
        run.await.unwrap_or(false)
    }

    /// Returns its home directory.
    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("env")
    }

    /// Stores the file for the next trial. go may have written it in the previous one.
    fn put(&self, file: &[u8]) -> io::Result<()> {
        std::fs::remove_file(self.file())?;
        io::Write::write_all(&mut bounded::create_new(&self.file())?, file)
    }

    async fn run(&self, args: &[&str], vars: &[Variable<'_>]) -> io::Result<Output> {
        let mut env = self.base.clone();
        env.extend(
            vars.iter()
                .map(|(name, value)| ((*name).into(), (*value).into())),
        );
        let folder = self.folder.path().join("module");
        run_to_end(&self.go.path, args, env, &folder, LIMIT, false).await
    }
}
