//! Somebody's module cache, filled by a real go from the lab's trees of modules: files, so that
//! no server is needed.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what is wrong by panicking, and why it is skipped by printing"
)]
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home with a project and its own module cache.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    go: PathBuf,
    lab: PathBuf,
}

/// The module of each import, at versions that the lab has.
const REQUIRED: &str = "module example.com/app\n\ngo 1.21\n\nrequire (\n\
    \tgithub.com/BurntSushi/toml v1.2.1\n\
    \tgithub.com/google/go-cmp v0.5.9\n\
    \tgithub.com/google/uuid v1.3.0\n\
    \tgithub.com/pkg/errors v0.9.1\n\
    \tgithub.com/stretchr/testify v1.8.1\n\
    \tgolang.org/x/sync v0.1.0\n)\n";
const MAIN: &str = "package app\n\nimport (\n\
    \t_ \"github.com/BurntSushi/toml\"\n\
    \t_ \"github.com/google/go-cmp/cmp\"\n\
    \t_ \"github.com/google/uuid\"\n\
    \t_ \"github.com/pkg/errors\"\n\
    \t_ \"github.com/stretchr/testify/assert\"\n\
    \t_ \"golang.org/x/sync/errgroup\"\n)\n";

impl Home {
    /// With a project in `app`, and nothing in the cache; `None`, with a line that says so,
    /// where there is no such go or no module.
    pub(crate) fn new(version: &str) -> Option<Home> {
        let script = |name: &str| {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/lab")
                .join(name)
        };
        let said = |name: &str, args: &[&str]| match Command::new(script(name)).args(args).output()
        {
            Ok(out) if out.status.success() => {
                Some(String::from_utf8_lossy(&out.stdout).trim().to_owned())
            }
            Ok(out) => {
                let why = String::from_utf8_lossy(&out.stderr).into_owned();
                println!("skipped: tests/lab/{name}: {}", why.trim());
                None
            }
            Err(error) => {
                println!("skipped: tests/lab/{name} cannot be run: {error}");
                None
            }
        };
        let go = PathBuf::from(said("go", &[version])?);
        said("mods", &[])?;
        let lab = std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from);
        let home = Home {
            folder: tempfile::tempdir().unwrap(),
            go,
            lab,
        };
        home.write("app/go.mod", REQUIRED);
        home.write("app/app.go", MAIN);
        Some(home)
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        dunce::canonicalize(self.folder.path()).unwrap().join(name)
    }

    /// The folder that the go command lies in.
    pub(crate) fn go_folder(&self) -> &Path {
        self.go.parent().unwrap()
    }

    /// A file of `cache/download`.
    pub(crate) fn cached(&self, name: &str) -> PathBuf {
        self.path("go/pkg/mod/cache/download").join(name)
    }

    /// The lab's tree of modules, as a proxy has it.
    pub(crate) fn modules(&self) -> PathBuf {
        self.lab.join("tree/public")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `go …` in the project, with the lab's modules as proxy and GOSUMDB=off.
    pub(crate) fn go(&self, args: &[&str]) -> Output {
        self.go_from(&format!("file://{}", self.modules().display()), args)
    }

    /// The same with another proxy.
    pub(crate) fn go_from(&self, proxy: &str, args: &[&str]) -> Output {
        self.command(&self.go)
            .env("GOPROXY", proxy)
            .args(args)
            .output()
            .unwrap()
    }

    /// Any command, in the project, in an environment with nothing else.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("app"))
            .env_clear()
            // Where a line breaks depends on how long the paths in it are.
            .env("COLUMNS", "200")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path(""))
            .env("GOCACHE", self.lab.join("gocache"))
            .env("GOSUMDB", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=mod")
            .stdin(Stdio::null());
        command
    }

    /// Everything that the project needs is in the cache, and unpacked; its go.sum is whole.
    pub(crate) fn filled(self) -> Home {
        for args in [["mod", "download", "-json"], ["build", "-v", "./..."]] {
            let done = self.go(args.as_slice());
            assert!(done.status.success(), "{}", all(&done));
        }
        self
    }

    /// Does the project build, with a good proxy at hand?
    #[track_caller]
    pub(crate) fn builds(&self) {
        let done = self.go(&["build", "./..."]);
        assert!(done.status.success(), "{}", all(&done));
    }

    /// Every file and link of the cache, with its bytes, by its path.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path("go")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = entry.path();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_symlink() {
                    let to = std::fs::read_link(&path).unwrap();
                    found.insert(path, to.to_string_lossy().into_owned().into_bytes());
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    found.insert(path, bytes);
                }
            }
        }
        found
    }
}

impl Drop for Home {
    /// go makes its folders read-only.
    fn drop(&mut self) {
        let mut chmod = Command::new("chmod");
        drop(chmod.args(["-R", "u+w"]).arg(self.folder.path()).status());
    }
}

/// Both outputs.
pub(crate) fn all(output: &Output) -> String {
    format!(
        "{:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The files that were there and are gone, without the locks that go and goroam make.
pub(crate) fn gone(
    before: &BTreeMap<PathBuf, Vec<u8>>,
    after: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    for (path, bytes) in after {
        let is_lock = path.extension().is_some_and(|end| end == "lock");
        assert!(
            is_lock || before.get(path) == Some(bytes),
            "changed or new: {}",
            path.display()
        );
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    gone.cloned().collect()
}
