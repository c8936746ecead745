//! Formula, manifests, PKGBUILD and flake: each read by the language it is written in, and none
//! of them can name another version, address or hash than the release has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::skip;
use crate::support::{
    self,
    dist::{dist, has, root, said},
};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// As Cargo.toml has it.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The recipes as they are filled when all archives are there, and the hash of each archive. No
/// Windows program is built for this: what it is packed into has a hash like any other.
struct Filled {
    folder: tempfile::TempDir,
    sums: BTreeMap<String, String>,
}

impl Filled {
    fn new() -> Result<Filled, String> {
        let folder = tempfile::tempdir().unwrap();
        let program = dist()?.join("goroam");
        let stand_in = folder.path().join("stand-in.exe");
        std::fs::write(&stand_in, "MZ, but no more").unwrap();
        let mut xtask = support::dist::xtask(&["--source", "--tar", "--windows"], folder.path());
        xtask.arg("--bin").arg(program).arg("--exe").arg(stand_in);
        said(&mut xtask);
        let text = std::fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        let lines = text.lines().map(|line| line.split_once("  ").unwrap());
        let sums = lines
            .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
            .collect();
        Ok(Filled { folder, sums })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("recipes").join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Fails unless this address is that of a file of the release, and the hash that file's.
    #[track_caller]
    fn names(&self, url: &str, sha256: &str) {
        let below = format!("{REPOSITORY}/releases/download/v{VERSION}/");
        let file = url.strip_prefix(&below).unwrap_or_else(|| panic!("{url}"));
        assert_eq!(
            self.sums.get(file).map(String::as_str),
            Some(sha256),
            "{url}"
        );
    }
}

#[test]
fn the_recipes_name_the_files_of_the_release_by_their_hashes() {
    let filled = match Filled::new() {
        Ok(filled) if has("ruby") => filled,
        Ok(_) => skip!("there is no ruby on this machine"),
        Err(why) => skip!("{why}"),
    };
    homebrew(&filled);
    scoop(&filled);
    winget(&filled);
    aur(&filled);
}

/// Evaluated by ruby, with a stand-in for Homebrew's words.
fn homebrew(filled: &Filled) {
    let path = filled.path("homebrew/goroam.rb");
    said(Command::new("ruby").arg("-wc").arg(&path));
    let script = r#"
        require "json"
        class Formula
          def self.method_missing(name, *args) = ($said ||= {})[name] = args.first
          def self.test(&block) = $said[:test] = !block.nil?
        end
        load ARGV[0]
        $said[:methods] = Goroam.instance_methods(false).sort
        puts JSON.generate($said)
    "#;
    let said = said(Command::new("ruby").args(["-e", script]).arg(&path));
    let formula: Value = serde_json::from_str(&said).unwrap();
    filled.names(
        formula["url"].as_str().unwrap(),
        formula["sha256"].as_str().unwrap(),
    );
    assert_eq!(formula["homepage"], REPOSITORY);
    assert_eq!(
        formula["methods"],
        serde_json::json!(["caveats", "install"])
    );
    assert_eq!(formula["test"], true);
}

fn scoop(filled: &Filled) {
    let manifest: Value = serde_json::from_str(&filled.text("scoop/goroam.json")).unwrap();
    assert_eq!(manifest["version"], VERSION);
    let x64 = &manifest["architecture"]["64bit"];
    filled.names(x64["url"].as_str().unwrap(), x64["hash"].as_str().unwrap());
    // What it will fetch for the next version is what it fetches for this one.
    let auto = manifest["autoupdate"]["architecture"]["64bit"].to_string();
    let auto: Value = serde_json::from_str(&auto.replace("$version", VERSION)).unwrap();
    assert_eq!(auto["url"], x64["url"]);
    assert_eq!(auto["extract_dir"], x64["extract_dir"]);
    let inside = zip_names(filled);
    for program in manifest["bin"].as_array().unwrap() {
        let folder = x64["extract_dir"].as_str().unwrap();
        let path = format!("{folder}/{}", program.as_str().unwrap());
        assert!(inside.contains(&path), "{path}: {inside:?}");
    }
}

fn winget(filled: &Filled) {
    let yaml = |name: &str| -> Value {
        let script =
            r#"require "yaml"; require "json"; puts JSON.generate(YAML.safe_load(STDIN.read))"#;
        let mut ruby = Command::new("ruby");
        let file = std::fs::File::open(filled.path(&format!("winget/goroam.goroam{name}.yaml")));
        serde_json::from_str(&said(ruby.args(["-e", script]).stdin(file.unwrap()))).unwrap()
    };
    let (version, installer, locale) = (yaml(""), yaml(".installer"), yaml(".locale.en-US"));
    for (file, kind) in [
        (&version, "version"),
        (&installer, "installer"),
        (&locale, "defaultLocale"),
    ] {
        assert_eq!(file["PackageIdentifier"], "goroam.goroam");
        assert_eq!(file["PackageVersion"], VERSION);
        assert_eq!(file["ManifestType"], kind);
        assert_eq!(file["ManifestVersion"], "1.6.0");
    }
    assert_eq!(version["DefaultLocale"], locale["PackageLocale"]);
    let only = &installer["Installers"][0];
    let hash = only["InstallerSha256"].as_str().unwrap();
    filled.names(only["InstallerUrl"].as_str().unwrap(), &hash.to_lowercase());
    let inside = zip_names(filled);
    for program in installer["NestedInstallerFiles"].as_array().unwrap() {
        let path = program["RelativeFilePath"]
            .as_str()
            .unwrap()
            .replace('\\', "/");
        assert!(inside.contains(&path), "{path}: {inside:?}");
    }
}

/// What is in the Windows archive.
fn zip_names(filled: &Filled) -> Vec<String> {
    let zip = support::dist::only(filled.folder.path(), "goroam-", "-windows.zip");
    let listed = said(Command::new("unzip").arg("-Z1").arg(zip));
    listed.lines().map(ToOwned::to_owned).collect()
}

/// Read by bash, as makepkg does.
fn aur(filled: &Filled) {
    let path = filled.path("aur/PKGBUILD");
    let script = r#"
        source "$1"
        printf '%s\n' "$pkgver" "$source" "$sha256sums" "$pkgdesc"
        declare -F prepare build package >/dev/null
    "#;
    let told = said(Command::new("bash").args(["-euc", script, "-"]).arg(&path));
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], VERSION);
    filled.names(lines[1], lines[2]);
    let info = filled.text("aur/.SRCINFO");
    let value = |key: &str| {
        let mut lines = info
            .lines()
            .filter_map(|line| line.trim().split_once(" = "));
        lines.find_map(|(name, value)| (name == key).then_some(value))
    };
    let found = [
        value("pkgver"),
        value("source"),
        value("sha256sums"),
        value("pkgdesc"),
    ];
    assert_eq!(found.map(Option::unwrap), lines[..]);
    package_of_pkgbuild(&path);
}

/// `package()` itself, on stand-ins for what `build()` makes: every path in it must be right.
fn package_of_pkgbuild(path: &Path) {
    let temp = tempfile::tempdir().unwrap();
    let sources = temp.path().join(format!("goroam-{VERSION}"));
    for name in [
        "target/release/goroam",
        "man/goroam.1",
        "goroam.bash",
        "goroam.zsh",
        "goroam.fish",
    ] {
        let file = sources.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, name).unwrap();
    }
    for name in [
        "LICENSE-MIT",
        "README.md",
        "README.zh-CN.md",
        "CHANGELOG.md",
        "docs/goroam.toml.5",
        "docs/goroam.schema.json",
        "docs/policy.md",
        "docs/pictures/why.svg",
        "docs/zh-CN/policy.md",
        "systemd/goroam.service",
    ] {
        std::fs::create_dir_all(sources.join(name).parent().unwrap()).unwrap();
        std::fs::copy(root().join(name), sources.join(name)).unwrap();
    }
    let script = r#"source "$1"; cd "$2"; pkgdir=$2/pkg; package"#;
    said(
        Command::new("bash")
            .args(["-euc", script, "-"])
            .arg(path)
            .arg(temp.path()),
    );
    let program = temp.path().join("pkg/usr/bin/goroam");
    assert_eq!(
        std::fs::read_to_string(program).unwrap(),
        "target/release/goroam"
    );
    let unit = temp.path().join("pkg/usr/lib/systemd/user/goroam.service");
    assert!(
        std::fs::read_to_string(unit)
            .unwrap()
            .contains("\nExecStart=/usr/bin/goroam agent")
    );
}

#[test]
fn the_flake_takes_version_and_hashes_from_the_repository() {
    if !has("nix-instantiate") {
        skip!("there is no nix on this machine");
    }
    let nix = root().join("packaging/nix");
    let store = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut nix = Command::new("nix-instantiate");
        said(
            nix.env("NIX_REMOTE", store.path())
                .env("HOME", store.path())
                .args(args),
        )
    };
    for file in ["flake.nix", "home.nix", "package.nix"] {
        run(&["--parse", nix.join(file).to_str().unwrap()]);
    }
    // A stand-in for what nixpkgs hands in, so that the expression itself is evaluated.
    let expression = format!(
        r#"let
          lib = {{
            optionalString = is: text: if is then text else "";
            licenses = {{ mit = "MIT"; asl20 = "Apache-2.0"; }};
            platforms.unix = [ "x86_64-linux" ];
          }};
          package = import (/. + "{nix}/package.nix") {{
            inherit lib;
            stdenv = {{ buildPlatform.canExecute = _: true; hostPlatform = {{ }}; }};
            rustPlatform.buildRustPackage = given: given;
            installShellFiles = "installShellFiles";
          }};
          home = import (/. + "{nix}/home.nix") {{ packages.system.default = "/goroam"; }} {{
            config = {{
              services.goroam = {{ enable = true; package = "/goroam"; }};
              xdg.configHome = "/home/me/.config";
              lib.file.mkOutOfStoreSymlink = path: path;
            }};
            lib = {{ mkEnableOption = x: x; mkOption = x: x; types.package = 0; mkIf = is: x: assert is; x; }};
            pkgs = {{ system = "system"; stdenv.isLinux = true; }};
          }};
        in {{
          inherit (package) pname version;
          lock = builtins.pathExists package.cargoLock.lockFile;
          manifest = builtins.pathExists (package.src + "/Cargo.toml");
          unit = home.config.xdg.configFile."systemd/user/goroam.service".text;
        }}"#,
        nix = nix.display()
    );
    let told = run(&["--eval", "--strict", "--json", "--expr", &expression]);
    let flake: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (flake["pname"].as_str(), flake["version"].as_str()),
        (Some("goroam"), Some(VERSION))
    );
    assert_eq!(
        (&flake["lock"], &flake["manifest"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    let unit = flake["unit"].as_str().unwrap();
    assert!(
        unit.contains("\nExecStart=/goroam/bin/goroam agent"),
        "{unit}"
    );
}

#[test]
fn the_repositorys_address_stands_in_one_place() {
    let listed = said(
        Command::new("git")
            .current_dir(root())
            .args(["ls-files", "packaging"]),
    );
    for name in listed.lines().filter(|name| !name.ends_with("README.md")) {
        let bytes = std::fs::read(root().join(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        // Users copy these as they stand: nobody fills them.
        if name.starts_with("packaging/ci/") {
            let others = text.matches("https://github.com/goroam").count();
            assert_eq!(text.matches(REPOSITORY).count(), others, "{name}");
            continue;
        }
        assert!(!text.contains(REPOSITORY), "{name}: write @REPOSITORY@");
    }
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let line = format!("repository = \"{REPOSITORY}\"\n");
    assert_eq!(manifest.matches(&line).count(), 1);
}
