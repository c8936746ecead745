//! What `goroam ready` calls ready does build and test with real go, no network and an empty
//! module cache, from exactly what it asked for; and what it calls not ready does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use goroam::gomod::sum::{escape_path, escape_version, unescape_path};
use serde_json::Value;

use crate::go;

const MAIN: &str = r#"package main

import (
	"fmt"

	"github.com/BurntSushi/toml"
	"github.com/fatih/color"
	"github.com/google/uuid"
	"github.com/spf13/pflag"
	"golang.org/x/text/language"
	"gopkg.in/yaml.v3"
)

func Greeting() string {
	var v map[string]any
	_ = yaml.Unmarshal([]byte("a: 1"), &v)
	_, _ = toml.Decode("a = 1", &v)
	return fmt.Sprint(language.English, len(v), color.NoColor || true, pflag.Parsed(), len(uuid.Nil))
}

func main() { fmt.Println(Greeting()) }
"#;

const TEST: &str = r#"package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestGreeting(t *testing.T) { assert.Equal(t, "en 1 true false 16", Greeting()) }
"#;

/// The lab's tree of real modules; `None`, with a line that says so, where there is none.
fn tree() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/mods");
    let made = Command::new(&script).output();
    if !made.as_ref().is_ok_and(|out| out.status.success()) {
        println!(
            "skipped: {} makes no modules here: {made:?}",
            script.display()
        );
        return None;
    }
    Some(lab().join("tree/public"))
}

fn lab() -> PathBuf {
    std::env::var_os("LAB").map_or("/var/tmp/goroam-lab".into(), PathBuf::from)
}

/// A user with a project, a go and an empty mirror.
struct Desk {
    home: tempfile::TempDir,
    go: PathBuf,
}

impl Desk {
    fn new(go: PathBuf) -> Desk {
        let home = tempfile::tempdir().unwrap();
        for folder in ["app", "mirror"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        Desk { home, go }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn command(&self, program: &Path, modcache: &str) -> Command {
        let mut command = Command::new(program);
        let bin = self.go.parent().unwrap().display();
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", format!("{bin}:/usr/bin:/bin"))
            .env("GOMODCACHE", self.at(modcache))
            .env("GOPATH", self.at("gopath"))
            // What is compiled already need not be compiled again; nothing of it is a module.
            .env("GOCACHE", lab().join("gocache"))
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOSUMDB", "off")
            .env("GOFLAGS", "-modcacherw")
            .env("CGO_ENABLED", "0")
            .current_dir(self.at("app"));
        command
    }

    fn go(&self, modcache: &str, goproxy: &str, args: &[&str]) -> Output {
        let mut command = self.command(&self.go, modcache);
        command.env("GOPROXY", goproxy).args(args).output().unwrap()
    }

    /// `goroam ready --json`: its exit code and what it says.
    fn ready(&self, modcache: &str, args: &[&str]) -> (i32, Value) {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_goroam")), modcache);
        command
            .args(["ready", "--json", "--mirror"])
            .arg(self.at("mirror"));
        let out = command.arg(self.at("app")).args(args).output().unwrap();
        let said = serde_json::from_slice(&out.stdout);
        let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
        (out.status.code().unwrap(), said)
    }

    /// Builds and tests with an empty module cache, from the mirror alone.
    fn builds(&self) -> Result<(), String> {
        let _ = fs::remove_dir_all(self.at("empty"));
        let proxy = format!("file://{},off", self.at("mirror").display());
        for args in [["build", "./..."], ["test", "./..."], ["vet", "./..."]] {
            let out = self.go("empty", &proxy, &args);
            if !out.status.success() {
                return Err(String::from_utf8_lossy(&out.stderr).into_owned());
            }
        }
        Ok(())
    }

    /// Walks the module graph with an empty module cache, from the mirror alone.
    fn graph(&self) -> Result<(), String> {
        let _ = fs::remove_dir_all(self.at("empty"));
        let proxy = format!("file://{},off", self.at("mirror").display());
        let out = self.go("empty", &proxy, &["mod", "graph"]);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        out.status.success().then_some(()).ok_or(said)
    }

    /// The modules that packages of build and test come from, as go says.
    fn used(&self) -> BTreeSet<String> {
        let form = "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}";
        let proxy = format!("file://{},off", self.at("mirror").display());
        let out = self.go(
            "empty",
            &proxy,
            &["list", "-deps", "-test", "-f", form, "./..."],
        );
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let said = String::from_utf8(out.stdout).unwrap();
        let lines = said.lines().filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// Copies what is missing, and nothing else, from the tree into the mirror; its zips.
    fn bring(&self, said: &Value, tree: &Path) -> Vec<PathBuf> {
        let mut zips = Vec::new();
        for missing in said["projects"][0]["missing"].as_array().unwrap() {
            let of = |key: &str| missing[key].as_str().unwrap();
            let folder = format!("{}/@v", escape_path(of("module")).unwrap());
            let version = escape_version(of("version")).unwrap();
            let ends: &[&str] = match of("what") {
                "zip" => &["info", "mod", "zip"],
                "go-mod" => &["mod"],
                other => panic!("{other}"),
            };
            fs::create_dir_all(self.at("mirror").join(&folder)).unwrap();
            for end in ends {
                let name = format!("{folder}/{version}.{end}");
                let to = self.at("mirror").join(&name);
                fs::copy(tree.join(&name), &to).unwrap();
                zips.extend((*end == "zip").then_some(to));
            }
        }
        zips
    }
}

fn truth(version: &str, every: bool) {
    let (Some(tree), Some(go)) = (tree(), go::go(version)) else {
        return;
    };
    let desk = Desk::new(go);
    fs::write(desk.at("app/main.go"), MAIN).unwrap();
    fs::write(desk.at("app/main_test.go"), TEST).unwrap();
    let proxy = format!("file://{}", tree.display());
    for args in [&["mod", "init", "app.test"][..], &["mod", "tidy"]] {
        let out = desk.go("first", &proxy, args);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    // What made go.sum is all there.
    let (exit, said) = desk.ready("first", &[]);
    assert_eq!(
        (exit, &said["ready"], &said["percent"]),
        (0, &true.into(), &100.into()),
        "{said:#}"
    );

    // Nothing is there: what it names is brought, in as many steps as the graph is deep.
    let mut zips = Vec::new();
    for step in 0.. {
        assert!(step < 20, "it asks for ever more");
        let (exit, said) = desk.ready("none", &[]);
        if exit == 0 {
            break;
        }
        // A go.mod alone is asked for by who wants the whole graph, not by a build (since 1.17).
        let missing = said["projects"][0]["missing"].as_array().unwrap();
        if missing.iter().any(|one| one["what"] == "zip") {
            assert!(desk.builds().is_err(), "{said:#}");
        } else {
            assert!(desk.graph().is_err(), "{said:#}");
        }
        let command = said["command"].as_array().unwrap();
        assert_eq!(command[..3], ["goroam", "mirror", "add"].map(Value::from));
        // Into the mirror that it was asked about.
        let mirror = desk.at("mirror").display().to_string();
        assert!(
            command.ends_with(&["--mirror".into(), mirror.into()]),
            "{command:?}"
        );
        zips.extend(desk.bring(&said, &tree));
    }
    assert!(zips.len() >= 8, "{zips:?}");
    desk.builds().unwrap();
    desk.graph().unwrap();

    // Of what go.mod names some is for the tests of dependencies (`go mod tidy`), which nobody
    // can tell without reading every package: that counts as needed too.
    let used = desk.used();
    assert!(used.len() >= 8, "{used:?}");
    let is_used = |zip: &&PathBuf| {
        let path = zip
            .strip_prefix(desk.at("mirror"))
            .unwrap()
            .to_str()
            .unwrap();
        let escaped = path.split("/@v/").next().unwrap();
        used.contains(&unescape_path(escaped).unwrap())
    };
    let tried: Vec<&PathBuf> = zips.iter().filter(is_used).collect();
    assert_eq!(tried.len(), used.len(), "{used:?} {zips:?}");
    for zip in tried.into_iter().take(if every { 99 } else { 1 }) {
        let aside = zip.with_extension("aside");
        fs::rename(zip, &aside).unwrap();
        let (exit, said) = desk.ready("none", &[]);
        let missing = said["projects"][0]["missing"].as_array().unwrap().len();
        assert_eq!((exit, missing), (1, 1), "{said:#}");
        let built = desk.builds();
        assert!(built.is_err(), "{} is not needed", zip.display());
        fs::rename(&aside, zip).unwrap();
    }
    println!("go {version}: {} zips", zips.len());
}

#[test]
fn ready_is_what_builds_and_tests_without_a_network_1_21() {
    truth("1.21.13", false);
}

#[test]
fn ready_is_what_builds_and_tests_without_a_network_1_24() {
    truth("1.24.11", false);
}

#[test]
fn ready_is_what_builds_and_tests_without_a_network_and_nothing_less_1_27() {
    truth("1.27.3", true);
}
