//! goroam.exe under Wine: a Windows of its own for each test, with a user in it.
//!
//! ```text
//! let Some(wine) = Wine::get() else { return };
//! wine.goroam("check").exits(0);
//! wine.write("AppData/Roaming/go/env", "GOPROXY=direct\r\n");
//! ```
//!
//! The programs are those of `cargo xtask cross build win --features tray --bins`, which
//! `cargo xtask test` keeps up to date; the prefix is a copy, made of links, of the one that
//! `cargo xtask cross setup` made. Wine shares the host's network.

#![allow(dead_code, unused_imports, missing_docs, unreachable_pub)]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout)]

#[path = "wine_program.rs"]
mod program;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use program::{Done, Run, Running};

/// The go commands that the set-up fetches.
pub const GO_VERSIONS: [&str; 2] = ["1.27.3", "1.21.13"];

/// A Windows. Everything in it ends with it.
pub struct Wine {
    folder: tempfile::TempDir,
    user: String,
    root: PathBuf,
    vars: Vec<(OsString, OsString)>,
    /// A command of this machine that runs others: `ip netns exec NAME`.
    through: Vec<String>,
}

impl Wine {
    /// A fresh one; `None`, with a line that says why, where there is none to be had.
    pub fn get() -> Option<Wine> {
        Wine::of_user("dev")
    }

    /// A fresh one whose user has this name.
    pub fn of_user(user: &str) -> Option<Wine> {
        match Wine::make(user) {
            Ok(wine) => Some(wine),
            Err(why) => {
                println!("skipped: {why}");
                None
            }
        }
    }

    fn make(user: &str) -> Result<Wine, String> {
        let root = root();
        let template = root.join("wine");
        if !template.join("system.reg").exists() || !root.join("go-win").exists() {
            return Err("no Wine: cargo xtask cross setup".to_owned());
        }
        let built = built();
        let programs = ["goroam.exe", "goroam-tray.exe"].map(|name| built.join(name));
        if let Some(missing) = programs.iter().find(|program| !program.exists()) {
            let missing = missing.display();
            return Err(format!(
                "no {missing}: cargo xtask cross build win --features tray --bins"
            ));
        }
        // Links need the template's own file system.
        let prefixes = root.join("prefixes");
        std::fs::create_dir_all(&prefixes).unwrap();
        let folder = tempfile::Builder::new()
            .prefix("p")
            .tempdir_in(&prefixes)
            .unwrap();
        let wine = Wine {
            folder,
            user: user.to_owned(),
            root,
            vars: Vec::new(),
            through: Vec::new(),
        };
        wine.furnish(&template);
        for program in &programs {
            let name = program.file_name().unwrap();
            let there = wine.drive().join("Program Files/goroam").join(name);
            std::fs::create_dir_all(there.parent().unwrap()).unwrap();
            std::fs::copy(program, there).unwrap();
        }
        // Else it ends with the last program, and a program that starts just then finds none.
        let server = wine.host("wineserver").arg("-p60").status();
        assert!(server.is_ok_and(|status| status.success()), "no wineserver");
        Ok(wine)
    }

    /// The registry is copied, with the user's name in it; the system's files are links.
    fn furnish(&self, template: &Path) {
        let prefix = self.prefix();
        std::fs::create_dir_all(prefix.join("dosdevices")).unwrap();
        std::os::unix::fs::symlink("../drive_c", prefix.join("dosdevices/c:")).unwrap();
        std::os::unix::fs::symlink("/", prefix.join("dosdevices/z:")).unwrap();
        for name in ["windows", "Program Files", "ProgramData"] {
            let from = template.join("drive_c").join(name);
            if from.exists() {
                link_tree(&from, &self.drive().join(name));
            }
        }
        let owner = owner_of(template);
        for name in ["system.reg", "user.reg", "userdef.reg", ".update-timestamp"] {
            let text = std::fs::read_to_string(template.join(name)).unwrap();
            let text = text.replace(
                &format!(r"C:\\users\\{}\\", in_registry(&owner)),
                &format!(r"C:\\users\\{}\\", in_registry(&self.user)),
            );
            std::fs::write(prefix.join(name), text).unwrap();
        }
        for name in ["AppData/Roaming", "AppData/Local", "Temp"] {
            std::fs::create_dir_all(self.home().join(name)).unwrap();
        }
    }

    /// The prefix, as Wine calls it.
    pub fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    /// `C:\`, as this machine sees it.
    pub fn drive(&self) -> PathBuf {
        self.prefix().join("drive_c")
    }

    /// `%USERPROFILE%`, as this machine sees it.
    pub fn home(&self) -> PathBuf {
        self.drive().join("users").join(&self.user)
    }

    /// `%AppData%`, as this machine sees it.
    pub fn roaming(&self) -> PathBuf {
        self.home().join("AppData/Roaming")
    }

    /// `%LocalAppData%`, as this machine sees it.
    pub fn local(&self) -> PathBuf {
        self.home().join("AppData/Local")
    }

    /// Where goroam looks for the policy.
    pub fn policy(&self) -> PathBuf {
        self.roaming().join("goroam/config/goroam.toml")
    }

    /// Where the go command keeps what `go env -w` writes.
    pub fn go_env(&self) -> PathBuf {
        self.roaming().join("go/env")
    }

    /// Writes a file in the user's home.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// What a program in here calls a file of this machine: `C:\…`, or `Z:\…` outside.
    pub fn windows(&self, path: &Path) -> String {
        let (drive, rest) = match path.strip_prefix(self.drive()) {
            Ok(rest) => ("C:", rest),
            Err(_) => ("Z:", path.strip_prefix("/").unwrap()),
        };
        let names = rest.iter().map(|name| name.to_str().unwrap());
        [drive]
            .into_iter()
            .chain(names)
            .collect::<Vec<_>>()
            .join("\\")
    }

    /// A real go command for Windows, one of [`GO_VERSIONS`]: its path in here.
    pub fn go(&self, version: &str) -> String {
        let go = self.root.join("go-win").join(version).join("go/bin/go.exe");
        assert!(go.exists(), "{}: cargo xtask cross setup", go.display());
        self.windows(&go)
    }

    /// From now on every program has this variable.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.vars.push((name.into(), value.as_ref().to_owned()));
    }

    /// From now on the go command of this version is the first in `PATH`.
    pub fn with_go(mut self, version: &str) -> Wine {
        let go = self.go(version);
        let folder = go.rsplit_once('\\').unwrap().0.to_owned();
        self.set("WINEPATH", folder);
        self.set("GOTOOLCHAIN", "local");
        self
    }

    /// From now on every program runs in this network namespace.
    pub fn in_network(mut self, name: &str) -> Wine {
        self.through = ["ip", "netns", "exec", name].map(str::to_owned).to_vec();
        self
    }

    /// `goroam.exe`, words separated by spaces.
    pub fn goroam(&self, words: &str) -> Run {
        self.run(r"C:\Program Files\goroam\goroam.exe").args(words)
    }

    /// A tree as a proxy or a mirror has it, with one module: example.com/hello v1.0.0, in this
    /// folder of drive C.
    pub fn make_module(&self, folder: &str) {
        let script = r#"
import os, sys, zipfile
d = sys.argv[1] + "/example.com/hello/@v"
os.makedirs(d)
mod = "module example.com/hello\n\ngo 1.20\n"
open(d + "/list", "w").write("v1.0.0\n")
open(d + "/v1.0.0.info", "w").write('{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}')
open(d + "/v1.0.0.mod", "w").write(mod)
with zipfile.ZipFile(d + "/v1.0.0.zip", "w") as z:
    z.writestr("example.com/hello@v1.0.0/go.mod", mod)
    z.writestr("example.com/hello@v1.0.0/hello.go", "package hello\n\nconst Word = 42\n")
"#;
        let mut python = Command::new("python3");
        python.args(["-c", script]).arg(self.drive().join(folder));
        assert!(python.status().unwrap().success());
    }

    /// `go.exe` of PATH, words separated by spaces.
    pub fn run_go(&self, words: &str) -> Run {
        self.run("go.exe").args(words)
    }

    /// Any program in here, in an environment with nothing else.
    pub fn run(&self, program: impl AsRef<OsStr>) -> Run {
        let mut command = self.host("wine");
        command.arg(program);
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        Run {
            command,
            logs: self.folder.path().to_owned(),
        }
    }

    /// The same at a terminal of this machine, which Wine makes a console of.
    pub fn in_terminal(&self, line: &str) -> Run {
        let mut command = self.host("script");
        command.args(["-qec", &format!("wine {line}"), "/dev/null"]);
        command
            .env("TERM", "xterm")
            .envs(self.vars.iter().map(|(name, value)| (name, value)));
        Run {
            command,
            logs: self.folder.path().to_owned(),
        }
    }

    /// A program of this machine that has to do with this Wine: `wineserver`.
    pub fn host(&self, program: &str) -> Command {
        let words = [self.through.as_slice(), &[program.to_owned()]].concat();
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(self.drive())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            // Wine takes the user's name from here, and the encoding of file names.
            .env("USER", &self.user)
            .env("LANG", "C.UTF-8")
            .env("WINEPREFIX", self.prefix())
            .env("WINEDEBUG", "-all")
            .stdin(Stdio::null());
        command
    }

    /// What the registry holds of a key, in reg.exe's words; empty: nothing.
    pub fn registry(&self, key: &str) -> String {
        let done = self.run("reg").arg("query").arg(key).done();
        if done.status.success() {
            done.stdout
        } else {
            String::new()
        }
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // This prefix' server, and with it every program in the prefix.
        let _ = self.host("wineserver").arg("-k").status();
        let _ = self.host("wineserver").arg("-w").status();
    }
}

/// Asks again until there is an answer; fails, naming what was waited for, after a minute.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let last = match ask() {
            Ok(answer) => return answer,
            Err(last) => last,
        };
        assert!(Instant::now() < end, "not in time: {what}; last: {last}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Where `cargo xtask cross setup` puts everything.
fn root() -> PathBuf {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = || {
        let home = || PathBuf::from(var("HOME").unwrap_or_default()).join(".cache");
        let cache = var("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        cache.join("goroam-cross")
    };
    var("CROSS_ROOT").map_or_else(cache, PathBuf::from)
}

/// Where cargo puts the programs.
fn built() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => own.join(folder),
        None => own.join("target"),
    };
    target.join("cross/x86_64-pc-windows-gnu/debug")
}

/// The user whom the template was made for.
fn owner_of(template: &Path) -> String {
    let users = std::fs::read_dir(template.join("drive_c/users")).unwrap();
    let mut users = users.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let user = users.find(|name| name != "Public");
    user.expect("a prefix with a user")
}

/// As Wine's registry files have it: beyond ASCII by number, always of four digits.
fn in_registry(name: &str) -> String {
    let units = name.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\x{unit:04x}"),
    });
    units.collect()
}

/// A program may write into a small one (win.ini); nobody writes into a library.
const SMALL: u64 = 16 << 10;

fn link_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            link_tree(&entry.path(), &there);
        } else if meta.len() < SMALL {
            std::fs::copy(entry.path(), there).unwrap();
        } else {
            std::fs::hard_link(entry.path(), there).unwrap();
        }
    }
}
