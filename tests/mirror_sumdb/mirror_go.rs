//! Real modules of the lab in a mirror, and a go command that has only that mirror.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use goroam::gomod::ModuleVersion;
use goroam::mirror::Layout;

/// A module of the lab, with the record that a database would have of it.
#[derive(Debug, Clone)]
pub(crate) struct Real {
    pub(crate) module: ModuleVersion,
    /// `ESCAPED@VERSION`.
    pub(crate) escaped: String,
    /// go.sum lines.
    pub(crate) lines: String,
    /// How large its zip is.
    pub(crate) bytes: u64,
}

/// The lab's tree of public modules.
pub(crate) fn tree() -> Option<PathBuf> {
    let lab = std::env::var_os("LAB").map_or_else(|| "/var/tmp/goroam-lab".into(), PathBuf::from);
    let mods = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mods");
    std::fs::create_dir_all(&lab).ok()?;
    // The first one that needs it makes it.
    let lock = std::fs::File::create(lab.join("mods.lock")).unwrap();
    lock.lock().unwrap();
    let made = Command::new(&mods).output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: {} cannot be run here", mods.display());
        return None;
    }
    Some(lab.join("tree/public"))
}

/// That tree, and what go says are its modules' hashes; the smallest module first.
pub(crate) fn reals(go: &Path) -> Option<(PathBuf, Vec<Real>)> {
    let tree = tree()?;
    let mods = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mods");
    let out = Command::new(&mods).arg("--list").output().unwrap();
    let list = String::from_utf8(out.stdout).unwrap();
    let names: Vec<String> = list
        .lines()
        .filter(|line| !line.contains("(corp only)"))
        .map(|line| line.trim().replacen(' ', "@", 1))
        .collect();
    let home = tempfile::tempdir().unwrap();
    let out = command(go, home.path())
        .args(["mod", "download", "-json"])
        .args(&names)
        .env("GOPROXY", format!("file://{}", tree.display()))
        .env("GOSUMDB", "off")
        .output()
        .unwrap();
    let said = serde_json::Deserializer::from_slice(&out.stdout).into_iter::<serde_json::Value>();
    let mut reals: Vec<Real> = said.map(|module| real(&module.unwrap())).collect();
    assert_eq!(reals.len(), names.len());
    // go unpacks each zip, which is no part of what is tested.
    reals.sort_by_key(|real| real.bytes);
    Some((tree, reals))
}

fn real(said: &serde_json::Value) -> Real {
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    let module = ModuleVersion::new(text("Path"), text("Version"));
    let (zip, go_mod) = (text("Sum"), text("GoModSum"));
    let escaped = |text: &str| {
        let lower = |c: char| {
            let mark = if c.is_ascii_uppercase() { "!" } else { "" };
            format!("{mark}{}", c.to_ascii_lowercase())
        };
        text.chars().map(lower).collect::<String>()
    };
    Real {
        escaped: escaped(&module.to_string()),
        lines: format!(
            "{} {} {zip}\n{} {}/go.mod {go_mod}\n",
            module.path, module.version, module.path, module.version
        ),
        module,
        bytes: std::fs::metadata(text("Zip")).unwrap().len(),
    }
}

/// A mirror that holds all of the lab's modules, and no checksum database yet.
pub(crate) fn mirror(tree: &Path) -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tree).unwrap() {
        let entry = entry.unwrap();
        let link = folder.path().join(entry.file_name());
        std::os::unix::fs::symlink(entry.path(), link).unwrap();
    }
    let layout = Layout::new(folder.path());
    (folder, layout)
}

/// Somebody's go, with the mirror and no network.
pub(crate) struct Client {
    go: PathBuf,
    pub(crate) home: tempfile::TempDir,
}

impl Client {
    pub(crate) fn new(go: &Path) -> Client {
        Client {
            go: go.to_owned(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Somebody else who has seen what this one has seen, and has nothing in the cache.
    pub(crate) fn with_cache_cleaned(&self) -> Client {
        let other = Client::new(&self.go);
        let from = self.home.path().join("gopath/pkg/sumdb");
        for name in std::fs::read_dir(from).unwrap() {
            let name = name.unwrap();
            let to = other
                .home
                .path()
                .join("gopath/pkg/sumdb")
                .join(name.file_name());
            std::fs::create_dir_all(&to).unwrap();
            std::fs::copy(name.path().join("latest"), to.join("latest")).unwrap();
        }
        other
    }

    /// `go mod download` of these, in this order.
    pub(crate) fn download(&self, layout: &Layout, key: &str, modules: &[&Real]) -> Output {
        command(&self.go, self.home.path())
            .args(["mod", "download"])
            .args(modules.iter().map(|real| real.module.to_string()))
            .env("GOPROXY", format!("file://{},off", layout.root().display()))
            .env("GONOPROXY", "none")
            .env("GOSUMDB", key)
            .env("GODEBUG", "cmdgonetlimit=0")
            .output()
            .unwrap()
    }

    /// Any go command, with a network.
    pub(crate) fn run(&self, goproxy: &str, gosumdb: &str, args: &[&str]) -> Output {
        command(&self.go, self.home.path())
            .args(args)
            .env("GOPROXY", goproxy)
            .env("GOSUMDB", gosumdb)
            .output()
            .unwrap()
    }

    pub(crate) fn gopath(&self) -> PathBuf {
        self.home.path().join("gopath")
    }

    /// Where it keeps the head that it saw last.
    pub(crate) fn latest(&self, name: &str) -> PathBuf {
        self.gopath().join("pkg/sumdb").join(name).join("latest")
    }

    /// The same; it must succeed.
    pub(crate) fn verifies(&self, layout: &Layout, key: &str, modules: &[&Real]) {
        let out = self.download(layout, key, modules);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{}: {said}", self.go.display());
    }

    /// The same; it must fail and say this.
    pub(crate) fn refuses(&self, layout: &Layout, key: &str, module: &Real, why: &str) {
        let out = self.download(layout, key, &[module]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            !out.status.success() && said.contains(why),
            "{why}: {} {said}",
            out.status
        );
    }
}

fn command(go: &Path, home: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .env_clear()
        // Where a line breaks depends on how long the paths in it are.
        .env("COLUMNS", "200")
        .env("HOME", home)
        .env("PATH", "/usr/bin:/bin")
        .env("GOPATH", home.join("gopath"))
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-modcacherw")
        .current_dir(home);
    command
}

/// A new order, by a seed.
pub(crate) fn shuffled<'a>(reals: &[&'a Real], seed: u64) -> Vec<&'a Real> {
    let mut order: Vec<&Real> = reals.to_vec();
    let mut state = seed | 1;
    for i in (1..order.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (state >> 33) as usize % (i + 1));
    }
    order
}
