//! The test binaries: builds them, finds them in cargo's output, runs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use crate::cross;
use crate::lab;
use crate::run::{self, Result};

/// The integration tests that make and remove thousands of files, mostly module caches. They get
/// a `/tmp` in memory: ext4 looks at every file that was removed in the last seconds before it
/// makes the next one, which took a quarter of their time.
const MANY_FILES: [&str; 3] = ["as_go", "doctor", "mirror"];

/// The shell words that run a program with a `/tmp` of its own.
const OWN_TMP: &str = r#"mount -t tmpfs -o mode=1777 tmpfs /tmp && exec "$0" "$@""#;

/// A built test binary.
pub struct Binary {
    /// `tests/mirror/main.rs`, or `xtask/src/main.rs (unit tests)`.
    pub name: String,
    path: PathBuf,
    package: PathBuf,
    /// It is built for Windows.
    wine: bool,
}

/// Builds every test binary of the workspace.
pub fn build() -> Result<Vec<Binary>> {
    let args = [
        "test",
        "--workspace",
        "--features",
        "goroam/tray",
        "--no-run",
        "--color",
        "never",
    ];
    println!("$ cargo {}", args.join(" "));
    let (status, text) = run::transcript(run::cargo().args(args), Duration::from_secs(3600))?;
    if !status.is_some_and(|status| status.success()) {
        return Err(format!("the tests do not build:\n{text}"));
    }
    let binaries = listed(&text);
    if binaries.is_empty() {
        return Err(format!("cargo named no test binary:\n{text}"));
    }
    Ok(binaries)
}

/// Returns the binaries that cargo's output lists.
pub fn listed(text: &str) -> Vec<Binary> {
    text.lines().filter_map(executable).collect()
}

impl Binary {
    /// Reports whether it has a test whose name contains the filter.
    pub fn has_test(&self, filter: Option<&str>) -> bool {
        let Some(filter) = filter else { return true };
        run::output(Command::new(&self.path).args([filter, "--list"]))
            .is_ok_and(|names| names.contains(": test"))
    }

    /// Makes the command that runs it as `cargo test` would. `packages` is the directory with a
    /// release's packages, or why there are none.
    pub fn command(&self, filter: Option<&str>, packages: &str) -> Command {
        let mut command = if self.wine {
            cross::under_wine(&self.path)
        } else if self.makes_many_files() && can_have_own_tmp() {
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", OWN_TMP]);
            command.arg(&self.path);
            command
        } else {
            Command::new(&self.path)
        };
        command
            .args(filter)
            .args(["--show-output", "--color", "never"]);
        // Its tests share the machine's one lab.
        if self.name.starts_with("tests/lab_") {
            command.arg("--test-threads=1");
        }
        // Some tests find their files through these variables.
        command
            .current_dir(&self.package)
            .env("CARGO_MANIFEST_DIR", &self.package)
            .env("GOROAM_DIST", packages);
        command.envs(lab::path_with_go().map(|path| ("PATH", path)));
        command
    }

    fn makes_many_files(&self) -> bool {
        let mut many = MANY_FILES.iter();
        many.any(|name| self.name == format!("tests/{name}/main.rs"))
    }

    /// Returns the command that runs it again, or one test of it.
    pub fn again(&self, test: Option<&str>) -> String {
        if self.wine {
            // A test's full name works as a filter.
            let filter = test.map(|test| format!(" --filter {test}"));
            return format!("cargo xtask test --wine{}", filter.unwrap_or_default());
        }
        let source = self.name.trim_end_matches(" (unit tests)");
        let group = source.trim_end_matches("/main.rs");
        let stem = Path::new(group).file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        let part = match source {
            "xtask/src/main.rs" => "--package xtask".to_owned(),
            "src/lib.rs" => "--features tray --lib".to_owned(),
            "src/main.rs" => "--features tray --bin goroam".to_owned(),
            _ if source.starts_with("src/") => format!("--features tray --bin {stem}"),
            _ => format!("--features tray --test {stem}"),
        };
        let exact = test.map(|test| format!(" -- --exact {test}"));
        format!("cargo test {part}{}", exact.unwrap_or_default())
    }
}

/// Reports whether a test can have a `/tmp` in memory: as root on Linux, where nothing that it uses
/// lies below the disk's `/tmp`.
fn can_have_own_tmp() -> bool {
    static CAN: LazyLock<bool> = LazyLock::new(|| {
        let used = [run::root(), run::target_dir(), lab::dir()];
        cfg!(target_os = "linux")
            && !used.iter().any(|folder| folder.starts_with("/tmp"))
            && run::output(Command::new("unshare").args(["--mount", "sh", "-c", OWN_TMP, "true"]))
                .is_ok()
    });
    *CAN
}

/// Parses cargo's line `  Executable unittests src/lib.rs (target/debug/deps/goroam-0123abcd)`.
fn executable(line: &str) -> Option<Binary> {
    let (name, path) = line
        .trim_start()
        .strip_prefix("Executable ")?
        .split_once(" (")?;
    let path = run::root().join(path.strip_suffix(')')?);
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let is_xtask = stem.starts_with("xtask-");
    let package = if is_xtask {
        run::root().join("xtask")
    } else {
        run::root()
    };
    let exe = path.extension().is_some_and(|extension| extension == "exe");
    let wine = exe && !cfg!(windows);
    // On Windows cargo writes backslashes.
    let name = name.replace('\\', "/");
    let name = match name.strip_prefix("unittests ") {
        Some(source) => format!(
            "{}{source} (unit tests)",
            if is_xtask { "xtask/" } else { "" }
        ),
        None => name,
    };
    Some(Binary {
        name: format!("{name}{}", if wine { ", Windows" } else { "" }),
        path,
        package,
        wine,
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{MANY_FILES, OWN_TMP, can_have_own_tmp, executable};
    use crate::run;

    #[test]
    fn tests_of_many_files_have_a_tmp_in_memory_where_that_is_possible() {
        for name in MANY_FILES {
            let line = format!("  Executable tests/{name}/main.rs (target/debug/deps/{name}-1a)");
            assert!(executable(&line).unwrap().makes_many_files(), "{name}");
            assert!(run::root().join(format!("tests/{name}/main.rs")).exists());
        }
        if can_have_own_tmp() {
            let mut kind = Command::new("unshare");
            kind.args(["--mount", "sh", "-c", OWN_TMP]);
            let kind = run::output(kind.args(["stat", "-f", "-c", "%T", "/tmp"]));
            assert_eq!(kind.unwrap().trim(), "tmpfs");
        }
    }

    #[test]
    fn cargos_lines_name_the_binaries() {
        let lab =
            executable("  Executable tests/lab_go/main.rs (target/debug/deps/lab_go-1a)").unwrap();
        assert_eq!(lab.name, "tests/lab_go/main.rs");
        assert!(lab.path.ends_with("target/debug/deps/lab_go-1a"));
        let unit =
            executable("  Executable unittests src/main.rs (target/debug/deps/xtask-2b)").unwrap();
        assert_eq!(unit.name, "xtask/src/main.rs (unit tests)");
        assert!(unit.package.ends_with("xtask"));
        let windows = "  Executable tests/policy/main.rs (target/cross/x/debug/deps/policy-3c.exe)";
        let windows = executable(windows).unwrap();
        // Wine is used only on other systems.
        let suffix = if cfg!(windows) { "" } else { ", Windows" };
        assert_eq!(windows.name, format!("tests/policy/main.rs{suffix}"));
        assert_eq!(windows.wine, !cfg!(windows));
        assert!(!unit.wine);
        let slash = executable(r"  Executable tests\lab_go\main.rs (target\debug\deps\lab_go-4d)");
        assert_eq!(slash.unwrap().name, "tests/lab_go/main.rs");
        assert!(executable("   Compiling goroam v0.1.0 (/home/me/goroam)").is_none());
    }
    #[test]
    fn a_failure_is_followed_by_what_runs_it_alone() {
        let of = |line: &str| executable(line).unwrap();
        let lab = of("  Executable tests/lab_go/main.rs (target/debug/deps/lab_go-1a)");
        assert_eq!(
            lab.again(Some("a::b")),
            "cargo test --features tray --test lab_go -- --exact a::b"
        );
        let alone = of("  Executable tests/watch_idle.rs (target/debug/deps/watch_idle-1a)");
        assert_eq!(
            alone.again(None),
            "cargo test --features tray --test watch_idle"
        );
        let unit = of("  Executable unittests src/main.rs (target/debug/deps/xtask-2b)");
        assert_eq!(unit.again(None), "cargo test --package xtask");
        let tray = of("  Executable unittests src/bin/goroam-tray.rs (target/debug/deps/gt-2c)");
        assert_eq!(
            tray.again(None),
            "cargo test --features tray --bin goroam-tray"
        );
        let library = of("  Executable unittests src/lib.rs (target/debug/deps/goroam-2d)");
        assert_eq!(library.again(None), "cargo test --features tray --lib");
    }

    #[test]
    #[cfg(not(windows))]
    fn what_failed_under_wine_is_run_there_again() {
        let line = "  Executable tests/policy/main.rs (target/cross/x/debug/deps/policy-3c.exe)";
        assert_eq!(
            executable(line).unwrap().again(Some("a")),
            "cargo xtask test --wine --filter a"
        );
    }
}
