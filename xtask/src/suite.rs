//! `cargo xtask test`: everything that can fail, and one line at the end that says what did.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cross;
use crate::lab;
use crate::options::Options;
use crate::run::{self, Result};
use crate::tally::Tally;

/// Longer than any test binary takes when nothing hangs.
const LIMIT: Duration = Duration::from_secs(600);

const FMT: [&str; 3] = ["fmt", "--all", "--check"];
const CLIPPY: [&str; 9] = [
    "clippy",
    "--quiet",
    "--workspace",
    "--features",
    "goroam/tray",
    "--all-targets",
    "--",
    "-D",
    "warnings",
];

/// A built test binary.
struct Binary {
    /// `tests/architecture.rs`, or `xtask/src/main.rs (unit tests)`.
    name: String,
    path: PathBuf,
    package: PathBuf,
    /// Built for Windows.
    wine: bool,
}

/// Runs all of it.
pub fn suite(options: &Options) -> Result {
    let start = Instant::now();
    let filter = options.get("--filter");
    let tested = if options.has("--wine") {
        other_systems(filter)
    } else {
        let tested = all(options.has("--quick"), filter);
        if cfg!(target_os = "linux")
            && let Err(why) = lab::lock().and_then(|alone| lab::tear_down(&alone))
        {
            println!("the lab was not taken down cleanly:\n{why}");
        }
        tested
    };
    let total = tested?;
    for (test, why) in &total.skipped {
        println!("skipped: {test}: {why}");
    }
    let (passed, failed, skipped) = (total.passed, total.failed, total.skipped.len());
    let seconds = start.elapsed().as_secs();
    println!("{passed} passed, {failed} failed, {skipped} skipped in {seconds} s");
    let strict = cfg!(target_os = "linux")
        && std::env::var("CI").is_ok_and(|ci| ci == "true")
        && run::is_root();
    if failed > 0 {
        Err("not all is well".to_owned())
    } else if strict && skipped > 0 {
        Err("CI=true on Linux as root: no test may be skipped".to_owned())
    } else if passed == 0 {
        Err("no test ran".to_owned())
    } else {
        Ok(())
    }
}

fn all(quick: bool, filter: Option<&str>) -> Result<Tally> {
    let mut total = Tally::default();
    println!(
        "preparing the lab{}",
        if quick { " (without networks)" } else { "" }
    );
    // Compiling waits for the processor, the lab for downloads: both at once. Not the lab and
    // Wine: both ask apt, which serves one at a time.
    let (prepared, crossed, binaries) = std::thread::scope(|scope| {
        let preparing = scope.spawn(|| (lab::prepare(!quick), (!quick).then(cross::prepare)));
        if filter.is_none() {
            total.failed +=
                usize::from(!checked("rustfmt", &FMT)) + usize::from(!checked("clippy", &CLIPPY));
        }
        let binaries = build();
        let panicked = || "preparing it panicked".to_owned();
        let (prepared, crossed) = preparing
            .join()
            .unwrap_or_else(|_| (vec![panicked()], Some(Err(panicked()))));
        let crossed = crossed.unwrap_or_else(|| Err("not with --quick".to_owned()));
        (prepared, crossed, binaries)
    });
    let mut binaries = binaries?;
    for missing in prepared {
        println!("lab: {missing}");
    }
    match crossed {
        // What one test asks for is not worth minutes of checking; the programs are kept up to
        // date for it where they have been built before.
        Ok(()) if filter.is_some() && !cross::goroam_exe().exists() => {}
        Ok(()) => binaries.extend(crossed_binaries(filter, &mut total)),
        Err(why) => println!("cross: {why}"),
    }
    let (labs, others): (Vec<_>, Vec<_>) = binaries
        .into_iter()
        .partition(|binary| binary.name.contains("tests/lab_"));
    let (packaging, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|binary| binary.name.contains("tests/packaging_"));
    // The release build takes minutes; the other tests wait for clocks more than they compute.
    let packages = std::thread::scope(|scope| {
        let users = packaging
            .iter()
            .chain(&labs)
            .filter(|each| each.name.contains("packag"));
        // What one test asks for is not worth minutes of building for another.
        let wanted = users.into_iter().any(|binary| has_test(binary, filter));
        let packages = scope.spawn(move || packages(quick, wanted));
        for binary in &others {
            total.add(run_one(binary, filter, false)?);
        }
        total.add(doc_tests(filter)?);
        let packages = packages
            .join()
            .unwrap_or_else(|_| Err("it panicked".to_owned()));
        Ok::<_, String>(packages)
    })?;
    if let Err(why) = &packages {
        println!("FAILED: {why}");
        total.failed += 1;
    }
    let packages = packages.unwrap_or_else(|_| "none: they could not be made".to_owned());
    for binary in &packaging {
        total.add(run_with(binary, filter, false, &packages)?);
    }
    for binary in &labs {
        if quick {
            println!("  --      {:44} not run: --quick", binary.name);
        } else {
            total.add(run_with(binary, filter, true, &packages)?);
        }
    }
    Ok(total)
}

/// What of it is about Windows and macOS.
fn other_systems(filter: Option<&str>) -> Result<Tally> {
    let mut total = Tally::default();
    cross::prepare()?;
    let mut binaries = build()?;
    binaries.retain(|binary| binary.name.contains("tests/wine_"));
    binaries.extend(crossed_binaries(filter, &mut total));
    for binary in &binaries {
        total.add(run_one(binary, filter, false)?);
    }
    Ok(total)
}

/// Checks for both other systems, unless one test was asked for, and builds for Windows; the
/// test binaries.
fn crossed_binaries(filter: Option<&str>, total: &mut Tally) -> Vec<Binary> {
    if filter.is_none() {
        let failed = cross::check_all();
        total.failed += failed;
        total.passed += cross::CHECKS.len() - failed;
    }
    match cross::build_for_wine() {
        Ok(text) => text.lines().filter_map(executable).collect(),
        Err(why) => {
            println!("FAILED: {why}");
            total.failed += 1;
            Vec::new()
        }
    }
}

/// `cargo fmt` or `cargo clippy`; true also where this toolchain has none, which is said.
fn checked(component: &str, args: &[&str]) -> bool {
    let program = if component == "clippy" {
        "clippy-driver"
    } else {
        component
    };
    if run::output(Command::new(program).arg("--version")).is_err() {
        let added = run::output(Command::new("rustup").args(["component", "add", component]));
        if added.is_err() {
            println!("not run: this toolchain has no {component} and rustup cannot add it");
            return true;
        }
    }
    match run::show(run::cargo().args(args)) {
        Ok(()) => true,
        Err(why) => {
            println!("FAILED: {why}");
            false
        }
    }
}

/// Builds every test binary of the workspace.
fn build() -> Result<Vec<Binary>> {
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
    let binaries: Vec<Binary> = text.lines().filter_map(executable).collect();
    if binaries.is_empty() {
        return Err(format!("cargo named no test binary:\n{text}"));
    }
    Ok(binaries)
}

/// From cargo's line `  Executable unittests src/lib.rs (target/debug/deps/goroam-0123abcd)`.
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
    // Windows' own cargo writes the other slash.
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

/// Has it a test whose name holds this?
fn has_test(binary: &Binary, filter: Option<&str>) -> bool {
    let Some(filter) = filter else { return true };
    run::output(Command::new(&binary.path).args([filter, "--list"]))
        .is_ok_and(|names| names.contains(": test"))
}

/// The packages of a release for the tests that look into them: the folder, or why there is none.
fn packages(quick: bool, wanted: bool) -> Result<String> {
    let release = run::target_dir().join("dist");
    if !wanted {
        return Ok("none: no test asks for them".to_owned());
    }
    if quick {
        return Ok("none: --quick".to_owned());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Ok("none: they are made on Linux, x86_64".to_owned());
    }
    let xtask = std::env::current_exe().map_err(|err| err.to_string())?;
    let mut dist = Command::new(xtask);
    dist.args(["dist", "--deb", "--rpm", "--tar", "--source"]);
    let (status, text) = run::transcript(&mut dist, Duration::from_secs(3600))?;
    if status.is_some_and(|status| status.success()) {
        Ok(release.display().to_string())
    } else {
        Err(format!("cargo xtask dist:\n{text}"))
    }
}

fn run_one(binary: &Binary, filter: Option<&str>, alone: bool) -> Result<Tally> {
    run_with(binary, filter, alone, "none: this test uses none")
}

fn run_with(binary: &Binary, filter: Option<&str>, alone: bool, packages: &str) -> Result<Tally> {
    let mut command = if binary.wine {
        cross::under_wine(&binary.path)
    } else {
        Command::new(&binary.path)
    };
    command
        .args(filter)
        .args(["--show-output", "--color", "never"]);
    if alone {
        command.arg("--test-threads=1");
    }
    // As `cargo test` would: some tests find their files by these.
    command
        .current_dir(&binary.package)
        .env("CARGO_MANIFEST_DIR", &binary.package)
        .env("GOROAM_DIST", packages);
    report(&binary.name, &mut command)
}

fn doc_tests(filter: Option<&str>) -> Result<Tally> {
    let mut command = run::cargo();
    command
        .args(["test", "--workspace", "--features", "goroam/tray"])
        .args(["--doc", "--color", "never", "--"])
        .args(filter)
        .arg("--show-output");
    report("documentation", &mut command)
}

/// Runs it, prints its line, and everything that it said when something failed.
fn report(name: &str, command: &mut Command) -> Result<Tally> {
    if std::io::stdout().is_terminal() {
        print!("  ...     {name:44}\r");
        let _ = std::io::stdout().flush();
    }
    let start = Instant::now();
    let (status, text) = run::transcript(command, LIMIT)?;
    let mut tally = Tally::of(name, &text);
    let why = match status {
        None => Some(format!("killed after {} s", LIMIT.as_secs())),
        Some(status) if !tally.complete => Some(format!("ended without a result: {status}")),
        Some(status) if !status.success() && tally.failed == 0 => Some(status.to_string()),
        Some(_) if cross::has_crashed(&text) => Some("something is missing in Wine".to_owned()),
        Some(_) => None,
    };
    if why.is_some() {
        tally.failed += 1;
    }
    let word = if tally.failed == 0 { "ok" } else { "FAILED" };
    let counts = format!(
        "{} passed, {} failed, {} skipped",
        tally.passed,
        tally.failed,
        tally.skipped.len()
    );
    println!(
        "  {word:7} {name:44} {counts}, {:.1} s",
        start.elapsed().as_secs_f64()
    );
    if tally.failed > 0 {
        println!("{text}\n{}", why.unwrap_or_default());
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn cargos_lines_name_the_binaries() {
        let lab = executable("  Executable tests/lab_switch.rs (target/debug/deps/lab_switch-1a)")
            .unwrap();
        assert_eq!(lab.name, "tests/lab_switch.rs");
        assert!(lab.path.ends_with("target/debug/deps/lab_switch-1a"));
        let unit =
            executable("  Executable unittests src/main.rs (target/debug/deps/xtask-2b)").unwrap();
        assert_eq!(unit.name, "xtask/src/main.rs (unit tests)");
        assert!(unit.package.ends_with("xtask"));
        let windows = "  Executable tests/decide.rs (target/cross/x/debug/deps/decide-3c.exe)";
        let windows = executable(windows).unwrap();
        // Wine is for other systems.
        let suffix = if cfg!(windows) { "" } else { ", Windows" };
        assert_eq!(windows.name, format!("tests/decide.rs{suffix}"));
        assert_eq!(windows.wine, !cfg!(windows));
        assert!(!unit.wine);
        let slash = executable(r"  Executable tests\lab_tun.rs (target\debug\deps\lab_tun-4d)");
        assert_eq!(slash.unwrap().name, "tests/lab_tun.rs");
        assert!(executable("   Compiling goroam v0.1.0 (/home/me/goroam)").is_none());
    }
}
