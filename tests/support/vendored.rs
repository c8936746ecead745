//! Projects with a vendor/, made by a real go from a real file proxy, in a real git repository.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    reason = "a test says what is wrong by panicking; not every test file uses every helper"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Modules to vendor, a module cache, a home, and one go.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    pub(crate) go: PathBuf,
}

/// A file and its text.
pub(crate) type File<'a> = (&'a str, &'a str);

/// A module with everything that vendoring treats in its own way.
pub(crate) const KIT: [File<'_>; 23] = [
    ("LICENSE", "free\n"),
    ("README.md", "kit\n"),
    (
        "kit.go",
        "// Package kit is a kit.\npackage kit\n\n// Name of it.\nconst Name = \"kit\"\n",
    ),
    ("kit_test.go", "package kit\n"),
    ("deep/NOTICE.txt", "deep\n"),
    ("deep/other.go", "package deep\n"),
    (
        "deep/er/er.go",
        "package er\n\nimport _ \"embed\"\n\n// Data is embedded.\n//\n//go:embed data.txt\nvar Data string\n",
    ),
    ("deep/er/data.txt", "data\n"),
    (
        "deep/er/er_test.go",
        "package er\n\nimport _ \"embed\"\n\n//go:embed testdata/only.txt\nvar only string\n",
    ),
    ("deep/er/testdata/only.txt", "only\n"),
    (
        "files/files.go",
        "package files\n\nimport \"embed\"\n\n//go:embed all:tree \"tree two\" *.tmpl\nvar FS embed.FS\n",
    ),
    ("files/page.tmpl", "<p>\r\n</p>\r\n"),
    ("files/tree/.hidden", "hidden\n"),
    ("files/tree/sub/leaf.go", "package leaf\n"),
    ("files/tree two/x", "x\n"),
    ("files/unrelated/x", "not embedded\n"),
    (
        "sys/sys.go",
        "package sys\n\n// On which one.\nvar On = on\n",
    ),
    ("sys/sys_linux.go", "package sys\n\nconst on = \"linux\"\n"),
    (
        "sys/sys_other.go",
        "//go:build !linux\n\npackage sys\n\nconst on = \"other\"\n",
    ),
    (
        "sys/gen.go",
        "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
    ),
    ("sys/c.h", "int one(void);\n"),
    (
        "sys/c_cgo.go",
        "//go:build cgo && never\n\npackage sys\n\n// #include \"c.h\"\nimport \"C\"\n",
    ),
    ("internal/in.go", "package internal\n"),
];

/// What uses it.
pub(crate) const MAIN: &str = "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.test/Kit\"\n\t\"example.test/Kit/deep/er\"\n\t\"example.test/Kit/files\"\n\t\"example.test/Kit/sys\"\n)\n\nfunc main() {\n\tfmt.Println(kit.Name, er.Data, files.FS, sys.On)\n}\n";

impl Shop {
    /// With one version of go; `None`, with a line that says so, where it cannot be had.
    pub(crate) fn new(version: &str) -> Option<Shop> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
        let out = Command::new(script).arg(version).output().unwrap();
        if !out.status.success() {
            println!(
                "skipped: no go {version}: {}",
                String::from_utf8_lossy(&out.stderr).trim()
            );
            return None;
        }
        let shop = Shop {
            folder: tempfile::tempdir().unwrap(),
            go: PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()),
        };
        shop.module("example.test/Kit", "v1.0.0", "1.17", &KIT);
        let mut second: Vec<File<'_>> = KIT.to_vec();
        second[2].1 = "package kit\n\n// Name of it.\nconst Name = \"kit two\"\n";
        second.push((
            "deep/er/more.go",
            "package er\n\n// More.\nconst More = 1\n",
        ));
        shop.module("example.test/Kit", "v1.1.0", "1.17", &second);
        Some(shop)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a version of a module into the file proxy.
    pub(crate) fn module(&self, module: &str, version: &str, go: &str, files: &[File<'_>]) {
        let escaped: String = module
            .chars()
            .flat_map(|c| {
                c.is_ascii_uppercase()
                    .then_some('!')
                    .into_iter()
                    .chain([c.to_ascii_lowercase()])
            })
            .collect();
        let folder = self.path("proxy").join(escaped).join("@v");
        fs::create_dir_all(&folder).unwrap();
        let go_mod = format!("module {module}\n\ngo {go}\n");
        let mut zip = rawzip::ZipArchiveWriter::new(Vec::new());
        for (name, text) in files.iter().copied().chain([("go.mod", go_mod.as_str())]) {
            let path = format!("{module}@{version}/{name}");
            let (mut entry, config) = zip.new_file(&path).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            writer.write_all(text.as_bytes()).unwrap();
            let (_, end) = writer.finish().unwrap();
            entry.finish(end).unwrap();
        }
        fs::write(folder.join(format!("{version}.zip")), zip.finish().unwrap()).unwrap();
        fs::write(folder.join(format!("{version}.mod")), &go_mod).unwrap();
        let info = format!("{{\"Version\":\"{version}\",\"Time\":\"2024-05-06T07:08:09Z\"}}");
        fs::write(folder.join(format!("{version}.info")), info).unwrap();
        let mut list = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.join("list"))
            .unwrap();
        writeln!(list, "{version}").unwrap();
    }

    /// A folder with these files, in a git repository of its own.
    pub(crate) fn project(&self, name: &str, files: &[File<'_>]) -> Vendored<'_> {
        let project = Vendored {
            shop: self,
            folder: self.path(name),
        };
        for (path, text) in files {
            project.write(path, text);
        }
        project.git(&["init", "-q", "-b", "main"]);
        project.git(&["config", "user.name", "Tester"]);
        project.git(&["config", "user.email", "tester@example.test"]);
        project
    }

    /// The usual one: requires Kit at this version, has it vendored and committed.
    pub(crate) fn usual(&self, name: &str, go: &str) -> Vendored<'_> {
        let go_mod =
            format!("module example.test/app\n\ngo {go}\n\nrequire example.test/Kit v1.0.0\n");
        let project = self.project(name, &[("go.mod", &go_mod), ("main.go", MAIN)]);
        project.go(&["mod", "tidy"]);
        project.go(&["mod", "vendor"]);
        project.git(&["add", "-A"]);
        project.git(&["commit", "-q", "-m", "vendored"]);
        project
    }

    fn environment(&self, command: &mut Command) {
        let proxy = format!("file://{},off", self.path("proxy").display());
        command
            .env_clear()
            // Where a line breaks depends on how long the paths in it are.
            .env("COLUMNS", "200")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("GOENV", "off")
            .env("GOCACHE", lab().join("gocache"))
            .env("GOMODCACHE", self.path("cache"))
            .env("GOFLAGS", "-modcacherw")
            .env("GOPROXY", proxy)
            .env("GOSUMDB", "off")
            .env("GONOPROXY", "none")
            .env("GOTOOLCHAIN", "local")
            .env("CGO_ENABLED", "0");
    }
}

/// A project.
pub(crate) struct Vendored<'s> {
    pub(crate) shop: &'s Shop,
    pub(crate) folder: PathBuf,
}

impl Vendored<'_> {
    /// The same with another folder as the project's.
    pub(crate) fn within(&self, name: &str) -> Vendored<'_> {
        Vendored {
            shop: self.shop,
            folder: self.folder.join(name),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let old = self.read(name);
        self.write(name, old + text);
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        self.shop.environment(&mut command);
        command.current_dir(&self.folder);
        command
    }

    #[track_caller]
    pub(crate) fn go(&self, args: &[&str]) -> String {
        let mut command = self.command(&self.shop.go);
        succeeded(command.args(args).output().unwrap(), args)
    }

    /// Does it build from vendor/ alone, with nothing else at hand?
    #[track_caller]
    pub(crate) fn builds(&self) {
        let args = ["build", "-o", "/dev/null", "./..."];
        let mut command = self.command(&self.shop.go);
        command
            .env("GOFLAGS", "-mod=vendor")
            .env("GOPROXY", "off")
            .env("GOMODCACHE", self.shop.path("empty"));
        succeeded(command.args(args).output().unwrap(), &args);
    }

    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut command = self.command(Path::new("git"));
        succeeded(command.args(args).output().unwrap(), args)
    }

    pub(crate) fn goroam_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
        command.args(["vendor"]).args(args);
        command
    }

    /// `goroam vendor …` that ends with this exit code: both outputs.
    #[track_caller]
    pub(crate) fn goroam(&self, args: &[&str], exit: i32) -> String {
        self.ran(self.goroam_command(args), args, exit)
    }

    #[track_caller]
    pub(crate) fn ran(&self, mut command: Command, args: &[&str], exit: i32) -> String {
        let out = command.output().unwrap();
        let said = both(&out);
        assert_eq!(
            out.status.code(),
            Some(exit),
            "goroam vendor {args:?}: {said}"
        );
        said
    }

    /// `goroam vendor … --json` as a value.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut command = self.goroam_command(args);
        let out = command.arg("--json").output().unwrap();
        serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", both(&out)))
    }

    /// `CODE FILE` of each finding of a check that is more than a note.
    pub(crate) fn findings(&self) -> Vec<String> {
        let report = self.json(&["check"]);
        let all = report["findings"].as_array().unwrap().iter();
        let bad = all.filter(|finding| finding["weight"] != "note");
        bad.map(|f| {
            let about = f["file"].as_str().or(f["module"].as_str()).unwrap_or("-");
            format!("{} {about}", f["code"].as_str().unwrap())
        })
        .collect()
    }

    /// Every file of vendor/ and the module files: path, content, whether it may be executed.
    pub(crate) fn state(&self) -> Vec<(String, Vec<u8>, bool)> {
        let mut out = Vec::new();
        for name in ["go.mod", "go.sum", "go.work", "go.work.sum", "vendor"] {
            collect(&self.folder, name, &mut out);
        }
        out.sort();
        out
    }
}

fn collect(root: &Path, name: &str, out: &mut Vec<(String, Vec<u8>, bool)>) {
    use std::os::unix::fs::PermissionsExt as _;

    let path = root.join(name);
    let Ok(meta) = fs::symlink_metadata(&path) else {
        return;
    };
    if meta.is_symlink() {
        let to = fs::read_link(&path).unwrap();
        out.push((
            format!("{name} ->"),
            to.to_string_lossy().into_owned().into_bytes(),
            false,
        ));
    } else if meta.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            let below = entry.unwrap().file_name().into_string().unwrap();
            collect(root, &format!("{name}/{below}"), out);
        }
    } else {
        let executable = meta.permissions().mode() & 0o111 != 0;
        out.push((name.to_owned(), fs::read(&path).unwrap(), executable));
    }
}

fn both(out: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&out.stdout) + &text(&out.stderr)
}

#[track_caller]
fn succeeded(out: Output, args: &[&str]) -> String {
    assert!(out.status.success(), "{args:?}: {}", both(&out));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Where the lab is: its build cache is shared by all tests, so that each go compiles its own
/// library once.
fn lab() -> PathBuf {
    std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from)
}
