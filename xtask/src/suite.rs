//! `cargo xtask test`: runs everything that can fail, and prints one line at the end with the
//! failures.

use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use crate::binaries::{self, Binary};
use crate::cross;
use crate::lab;
use crate::options::Options;
use crate::report::Report;
use crate::run::{self, Result};

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

/// How many test binaries run at a time, except those of the lab: they spend more time on clocks
/// and servers than on computing.
const LANES: usize = 2;

/// The value for tests that need no packages.
const NO_PACKAGES: &str = "none: this test uses none";

/// Runs the suite.
pub fn suite(options: &Options) -> Result {
    let start = Instant::now();
    let filter = options.get("--filter");
    let mut report = Report::default();
    let done = if options.has("--wine") {
        other_systems(filter, &mut report)
    } else {
        let done = all(options.has("--quick"), filter, &mut report);
        if cfg!(target_os = "linux")
            && let Err(why) = lab::lock().and_then(|alone| lab::tear_down(&alone))
        {
            println!("the lab was not taken down cleanly:\n{why}");
        }
        done
    };
    report.close();
    done?;
    let total = &report.total;
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

fn all(quick: bool, filter: Option<&str>, report: &mut Report) -> Result {
    println!(
        "preparing the lab{}",
        if quick { " (without networks)" } else { "" }
    );
    // Compiling waits for the processor, the lab for downloads, so they run at the same time. The
    // lab and Wine do not: both use apt, which serves one at a time.
    let (preparing, crossed, binaries) = std::thread::scope(|scope| {
        let preparing = scope.spawn(|| prepare(quick));
        if filter.is_none() {
            checked("rustfmt", &FMT, report);
        }
        let binaries = report.step("building the tests", |_| binaries::build());
        let (preparing, crossed) = preparing
            .join()
            .unwrap_or_else(|_| (Report::default(), Err("preparing it panicked".to_owned())));
        (preparing, crossed, binaries)
    });
    report.add(preparing);
    let binaries = binaries?;
    let crossed = crossed.inspect_err(|why| println!("cross: {why}")).is_ok();
    let is_lab = |binary: &Binary| binary.name.starts_with("tests/lab_");
    // These tests use programs and packages that are being built in the meantime.
    let is_late = |binary: &Binary| {
        ["tests/wine", "tests/packaging"]
            .iter()
            .any(|start| binary.name.starts_with(start))
    };
    let (labs, others): (Vec<_>, Vec<_>) = binaries.into_iter().partition(is_lab);
    let (late, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_late);
    // A single test is not worth minutes of checking and building for another system. An existing
    // build for Windows is kept up to date.
    let crossed = crossed && (filter.is_none() || cross::goroam_exe().exists());
    let of_packages = |binary: &Binary| binary.name.contains("packag");
    let mut users = late.iter().chain(&labs);
    let packed = users.any(|each| of_packages(each) && each.has_test(filter));
    let (packaged, labs): (Vec<_>, Vec<_>) = labs.into_iter().partition(of_packages);
    // Optimising a release and checking one crate keep one processor busy each, so both happen at
    // the same time. The lab's tests mostly wait for networks, so Wine's tests run beside them.
    std::thread::scope(|scope| {
        let (tell, packages) = mpsc::channel();
        let checks = scope.spawn(move || {
            let mut report = Report::default();
            check(filter, crossed, &mut report);
            report
        });
        let built = scope.spawn(move || {
            let mut report = Report::default();
            let built = build(quick, crossed, packed, &tell, &mut report);
            (report, built)
        });
        let late = &late;
        let beside = scope.spawn(move || {
            let (mut report, built) = joined(built)?;
            report.step("tests under Wine and of packages", |report| {
                let late = late.iter().chain(&built.windows);
                side_by_side(late, filter, &built.packages, report)
            })?;
            Ok::<_, String>(report)
        });
        report.step("tests", |report| {
            side_by_side(others.iter(), filter, NO_PACKAGES, report)?;
            doc_tests(filter, report)
        })?;
        report.step("tests in the lab", |report| {
            in_the_lab(&labs, quick, filter, NO_PACKAGES, report)
        })?;
        let packages = packages.recv();
        let packages = packages.map_err(|_| "building the packages panicked".to_owned())?;
        report.step("tests of packages in the lab", |report| {
            in_the_lab(&packaged, quick, filter, &packages, report)
        })?;
        report.add(joined(checks)?);
        report.add(joined(beside)??);
        Ok(())
    })
}

/// Waits for a thread of the suite.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> Result<T> {
    let done = thread.join();
    done.map_err(|_| "compiling beside the tests panicked".to_owned())
}

/// Runs binaries that need the lab, one at a time: there is one lab.
fn in_the_lab(
    binaries: &[Binary],
    quick: bool,
    filter: Option<&str>,
    packages: &str,
    report: &mut Report,
) -> Result {
    for binary in binaries {
        if quick {
            println!("  --      {:44} not run: --quick", binary.name);
        } else {
            report.run(binary, filter, packages)?;
        }
    }
    Ok(())
}

/// Runs binaries that are independent of each other.
fn side_by_side<'a>(
    binaries: impl Iterator<Item = &'a Binary> + Send,
    filter: Option<&str>,
    packages: &str,
    report: &mut Report,
) -> Result {
    let queue = Mutex::new(binaries);
    let next = || queue.lock().ok()?.next();
    let lane = || {
        let mut report = Report::default();
        while let Some(binary) = next() {
            report.run(binary, filter, packages)?;
        }
        Ok(report)
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        for lane in lanes {
            let ran = lane.join();
            report.add(ran.unwrap_or_else(|_| Err("running the tests panicked".to_owned()))?);
        }
        Ok(())
    })
}

/// Prepares the lab and the tools for other systems; reports whether the latter are available.
fn prepare(quick: bool) -> (Report, Result) {
    let mut report = Report::default();
    let missing = report.step("preparing the lab (beside the build)", |_| {
        lab::prepare(!quick)
    });
    for missing in missing {
        println!("lab: {missing}");
    }
    if quick {
        return (report, Err("not with --quick".to_owned()));
    }
    let crossed = report.step("preparing Wine and the cross tools (the same)", |_| {
        cross::prepare()
    });
    (report, crossed)
}

/// The results of building that takes place during the first tests.
struct Built {
    /// The test binaries for Windows.
    windows: Vec<Binary>,
    /// The directory with a release's packages, or why there is none.
    packages: String,
}

/// Builds what the late tests use; sends the packages' directory as soon as they are there.
fn build(
    quick: bool,
    crossed: bool,
    packed: bool,
    tell: &mpsc::Sender<String>,
    report: &mut Report,
) -> Built {
    // The tests should have the machine's full speed.
    run::step_back();
    let packages = packages(quick, packed, report);
    let _ = tell.send(packages.clone());
    let windows = if crossed { windows(report) } else { Vec::new() };
    Built { windows, packages }
}

/// Runs clippy for each system, unless one test was requested.
fn check(filter: Option<&str>, crossed: bool, report: &mut Report) {
    run::step_back();
    if filter.is_some() {
        return;
    }
    // First, since building for Windows waits for it.
    if crossed {
        cross_checks(report);
    }
    checked("clippy", &CLIPPY, report);
}

/// Runs the checks and tests for Windows and macOS.
fn other_systems(filter: Option<&str>, report: &mut Report) -> Result {
    cross::prepare()?;
    let mut binaries = binaries::build()?;
    binaries.retain(|binary| binary.name.starts_with("tests/wine"));
    if filter.is_none() {
        cross_checks(report);
    }
    binaries.extend(windows(report));
    side_by_side(binaries.iter(), filter, NO_PACKAGES, report)
}

fn cross_checks(report: &mut Report) {
    for (name, mut command) in cross::checks() {
        let passed = report.check(&format!("cross: {name}"), &mut command);
        report.total.passed += usize::from(passed);
    }
}

/// Builds for Windows; returns the test binaries.
fn windows(report: &mut Report) -> Vec<Binary> {
    match report.step("building for Windows", |_| cross::build_for_wine()) {
        Ok(text) => binaries::listed(&text),
        Err(why) => {
            report.failed("building for Windows", "cargo xtask test --wine", &why);
            Vec::new()
        }
    }
}

/// Runs `cargo fmt` or `cargo clippy`; if this toolchain does not have it, skips it and says so.
fn checked(component: &str, args: &[&str], report: &mut Report) {
    let program = if component == "clippy" {
        "clippy-driver"
    } else {
        component
    };
    if run::output(Command::new(program).arg("--version")).is_err() {
        let added = run::output(Command::new("rustup").args(["component", "add", component]));
        if added.is_err() {
            println!("not run: this toolchain has no {component} and rustup cannot add it");
            return;
        }
    }
    report.check(component, run::cargo().args(args));
}

/// Builds a release's packages for the tests that read them; returns the directory, or why there is
/// none.
fn packages(quick: bool, wanted: bool, report: &mut Report) -> String {
    if !wanted {
        return "none: no test asks for them".to_owned();
    }
    if quick {
        return "none: --quick".to_owned();
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return "none: they are made on Linux, x86_64".to_owned();
    }
    let xtask = match std::env::current_exe() {
        Ok(xtask) => xtask,
        Err(err) => {
            report.failed("packages", "cargo xtask dist", &err.to_string());
            return "none: they could not be made".to_owned();
        }
    };
    let mut dist = Command::new(&xtask);
    dist.args(["dist", "--deb", "--rpm", "--tar", "--source"]);
    if !report.check("packages", &mut dist) {
        return "none: they could not be made".to_owned();
    }
    let folder = run::target_dir().join("dist");
    // The steps of a release, but for the time that the optimiser takes.
    let mut crossed = Command::new(&xtask);
    crossed.args(["dist", "--deb", "--rpm", "--tar", "--targets", "arm,musl"]);
    crossed
        .args(["--profile", "quick", "--bin"])
        .arg(folder.join("goroam"));
    crossed.arg("--out").arg(folder.join("quick"));
    report.check("packages for other processors and musl", &mut crossed);
    folder.display().to_string()
}

fn doc_tests(filter: Option<&str>, report: &mut Report) -> Result {
    let args = ["test", "--workspace", "--features", "goroam/tray", "--doc"];
    let mut command = run::cargo();
    command
        .args(args)
        .args(["--color", "never", "--"])
        .args(filter)
        .arg("--show-output");
    report.tests("documentation", &mut command, |_| {
        format!("cargo {}", args.join(" "))
    })
}
