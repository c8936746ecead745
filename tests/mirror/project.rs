//! A project of real modules, a module proxy that has them, and a real checksum database of
//! its own: what a build from a mirror is tried with. Needs no network lab, so tests that use it
//! run side by side.
//!
//! ```text
//! let Some(world) = World::start() else { return };          // prints why it is skipped
//! let project = world.project(&folder);                      // 26 modules, go.mod, go.sum, a test
//! let user = world.user(&home);                              // an empty home
//! user.go(&go, &project, "build ./...")                      // with network: proxy and database
//! user.away(&mirror).go(&go, &project, "test ./...")         // in an aeroplane: the mirror alone
//! ```

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The checksum database's name.
pub(crate) const SUMDB: &str = "sum.lab.test";
/// Modules that the project requires, each with a package of it.
pub(crate) const DIRECT: [(&str, &str); 25] = [
    ("git.corp.test/Team/Tools v0.3.0", ""),
    ("git.corp.test/team/hello v1.1.0", ""),
    ("github.com/BurntSushi/toml v1.2.0", ""),
    ("github.com/Masterminds/semver/v3 v3.2.0", ""),
    ("github.com/cespare/xxhash/v2 v2.1.1", ""),
    ("github.com/davecgh/go-spew v1.1.1", "/spew"),
    ("github.com/fatih/color v1.7.0", ""),
    ("github.com/google/go-cmp v0.5.9", "/cmp"),
    ("github.com/google/uuid v1.3.0", ""),
    ("github.com/kr/pretty v0.3.0", ""),
    ("github.com/kr/text v0.2.0", ""),
    ("github.com/mattn/go-colorable v0.1.13", ""),
    ("github.com/mattn/go-isatty v0.0.17", ""),
    ("github.com/pkg/errors v0.9.1", ""),
    ("github.com/pmezard/go-difflib v1.0.0", "/difflib"),
    ("github.com/stretchr/objx v0.5.0", ""),
    ("golang.org/x/mod v0.7.0", "/semver"),
    ("golang.org/x/net v0.7.0", "/idna"),
    ("golang.org/x/sync v0.1.0", "/errgroup"),
    ("golang.org/x/sys v0.3.0", "/unix"),
    ("golang.org/x/term v0.3.0", ""),
    ("golang.org/x/text v0.7.0", "/language"),
    (
        "golang.org/x/xerrors v0.0.0-20200804000000-5ec99f800000",
        "",
    ),
    ("gopkg.in/yaml.v3 v3.0.1", ""),
    ("github.com/stretchr/testify v1.8.1", "/assert"),
];

/// The proxy's tree and the database.
pub(crate) struct World {
    /// The proxy: a tree of modules, public and private ones.
    pub(crate) tree: PathBuf,
    database: Child,
    state: tempfile::TempDir,
    port: u16,
}

impl World {
    /// Starts the database; `None`, with a `skipped:` line, where go or the modules cannot be had.
    pub(crate) fn start() -> Option<World> {
        let lab = std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/sumdb");
        let why = match Command::new(script)
            .arg("build")
            .stdin(Stdio::null())
            .output()
        {
            Ok(said) if said.status.success() => None,
            Ok(said) => Some(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            println!("skipped: tests/lab/sumdb build: {why}");
            return None;
        }
        World::serve(&lab, &lab.join("tree/corp"))
    }

    fn serve(lab: &Path, tree: &Path) -> Option<World> {
        let state = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let database = Command::new(lab.join("bin/sumdb"))
            .arg("-state")
            .arg(state.path())
            .args(["-listen", &format!("127.0.0.1:{port}")])
            .arg(format!("{SUMDB}={}", tree.display()))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(state.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let said = || std::fs::read_to_string(state.path().join("log"));
            assert!(Instant::now() < end, "no checksum database: {:?}", said());
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(World {
            tree: tree.to_owned(),
            database,
            state,
            port,
        })
    }

    /// The same world with other modules: what is in `tree` is what the database knows.
    pub(crate) fn with_tree(tree: &Path) -> Option<World> {
        let first = World::start()?;
        let lab = first.tree.parent()?.parent()?.to_owned();
        drop(first);
        World::serve(&lab, tree)
    }

    /// The verifier key: GOSUMDB where the proxy (or a mirror) passes the database on.
    pub(crate) fn key(&self) -> String {
        let key = std::fs::read_to_string(self.state.path().join(format!("{SUMDB}.vkey")));
        key.unwrap().trim().to_owned()
    }

    /// GOSUMDB with the database's URL.
    pub(crate) fn gosumdb(&self) -> String {
        format!("{} http://127.0.0.1:{}/{SUMDB}", self.key(), self.port)
    }

    /// What was asked of the database so far.
    pub(crate) fn asked(&self) -> String {
        std::fs::read_to_string(self.state.path().join("log")).unwrap_or_default()
    }

    /// Somebody with an empty home there, who is on the network.
    pub(crate) fn user(&self, home: &Path) -> User {
        std::fs::create_dir_all(home).unwrap();
        User {
            home: home.to_owned(),
            goproxy: format!("file://{}", self.tree.display()),
            gosumdb: self.gosumdb(),
            key: self.key(),
            away: false,
        }
    }

    /// A project with go.mod, go.sum, a program, a package with a test, in this folder.
    pub(crate) fn project(&self, folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        let (mut requires, mut imports) = (String::new(), String::new());
        for (module, package) in DIRECT {
            let path = module.split(' ').next().unwrap();
            requires += &format!("\t{module}\n");
            if path != "github.com/stretchr/testify" {
                imports += &format!("\t_ \"{path}{package}\"\n");
            }
        }
        let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
        write(
            "go.mod",
            format!("module example.test/app\n\ngo 1.21\n\nrequire (\n{requires})\n"),
        );
        write(
            "main.go",
            format!("package main\n\nimport (\n{imports})\n\nfunc main() {{}}\n"),
        );
        write(
            "inner/inner.go",
            "package inner\n\n// N is a number.\nconst N = 1\n".to_owned(),
        );
        write(
            "inner/inner_test.go",
            "package inner\n\nimport (\n\t\"testing\"\n\n\t\"github.com/stretchr/testify/assert\"\n)\n\n\
             func TestN(t *testing.T) { assert.Equal(t, 1, N) }\n"
                .to_owned(),
        );
        let go = super::go::go("1.21.13").unwrap();
        let home = tempfile::tempdir().unwrap();
        // Debian's golang.org/x/sys has no files for other systems, which tidy looks for.
        self.user(home.path())
            .go(&go, folder, "mod tidy -e")
            .unwrap();
        folder.to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.database.kill();
        let _ = self.database.wait();
    }
}

/// Somebody with a home of their own, and go's settings.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) home: PathBuf,
    pub(crate) goproxy: String,
    pub(crate) gosumdb: String,
    key: String,
    away: bool,
}

impl User {
    /// The same person in an aeroplane, with a mirror and nothing else.
    pub(crate) fn away(&self, mirror: &Path) -> User {
        User {
            goproxy: format!("file://{},off", mirror.display()),
            gosumdb: self.key.clone(),
            away: true,
            ..self.clone()
        }
    }

    /// The same settings in another, empty home.
    pub(crate) fn at(&self, home: &Path) -> User {
        std::fs::create_dir_all(home).unwrap();
        User {
            home: home.to_owned(),
            ..self.clone()
        }
    }

    /// `$GOMODCACHE/cache/download`.
    pub(crate) fn cache(&self) -> PathBuf {
        self.home.join("go/pkg/mod/cache/download")
    }

    /// A command in this person's environment and nothing else. In the aeroplane it runs in an
    /// empty network namespace where that is possible, and go is told to ask nobody in any case.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let mut command = if self.away && can_unshare() {
            let mut command = Command::new("unshare");
            command
                .args(["--net", "--map-root-user", "--"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(folder)
            .env_clear()
            // Where a line breaks depends on how long the paths in it are.
            .env("COLUMNS", "200")
            .env("PATH", path)
            .env("HOME", &self.home)
            // The build cache holds no modules. Without this each test compiles net/http again.
            .env("GOCACHE", gocache())
            .env("GOENV", "off")
            .env("GOFLAGS", "-modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", &self.goproxy)
            .env("GOSUMDB", &self.gosumdb)
            .stdin(Stdio::null());
        if self.away {
            command.env("GODEBUG", "cmdgonetlimit=0");
        }
        command
    }

    /// `go ARGS…`, words separated by spaces: its standard output, or both outputs if it fails.
    pub(crate) fn go(&self, go: &Path, folder: &Path, args: &str) -> Result<String, String> {
        let mut command = self.command(go, folder);
        answer(command.args(args.split(' ')).output().unwrap())
    }

    /// `goroam ARGS…` with this go in PATH.
    pub(crate) fn goroam(&self, go: &Path, folder: &Path, args: &str) -> Output {
        self.goroam_command(go, folder)
            .args(args.split(' '))
            .output()
            .unwrap()
    }

    pub(crate) fn goroam_command(&self, go: &Path, folder: &Path) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_goroam")), folder);
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = go.parent().unwrap().display();
        command.env("PATH", format!("{bin}:{path}"));
        command
    }
}

/// Standard output, or what it complained about.
pub(crate) fn answer(output: Output) -> Result<String, String> {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(out);
    }
    Err(format!(
        "{}\n{out}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn gocache() -> PathBuf {
    let lab = std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from);
    lab.join("gocache")
}

fn can_unshare() -> bool {
    static CAN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *CAN.get_or_init(|| {
        let mut command = Command::new("unshare");
        command.args(["--net", "--map-root-user", "--", "true"]);
        command.output().is_ok_and(|output| output.status.success())
    })
}

/// Is every file there the same as before? For trees that must not be touched.
pub(crate) fn fingerprint(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                all.push((path, content));
            }
        }
    }
    all.sort();
    all
}
