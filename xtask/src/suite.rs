//! `cargo xtask test`: runs everything that can fail, and prints one line at the end with the
//! failures.

use std::process::Command;
use std::sync::Mutex;
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
    // The lab's tests mostly wait for networks, so Wine's tests run at the same time.
    let (packaged, labs): (Vec<_>, Vec<_>) = labs.into_iter().partition(of_packages);
    let (compiled, packages) = std::thread::scope(|scope| {
        let late = &late;
        let beside = scope.spawn(move || {
            let mut report = Report::default();
            let compiled = compile(quick, filter, crossed, packed, &mut report);
            let ran = report.step("tests under Wine and of packages", |report| {
                let late = late.iter().chain(&compiled.windows);
                side_by_side(late, filter, &compiled.packages, report)
            });
            (report, ran.map(|()| compiled.packages))
        });
        report.step("tests", |report| {
            side_by_side(others.iter(), filter, NO_PACKAGES, report)?;
            doc_tests(filter, report)
        })?;
        report.step("tests in the lab", |report| {
            in_the_lab(&labs, quick, filter, NO_PACKAGES, report)
        })?;
        let beside = beside.join();
        beside.map_err(|_| "compiling beside the tests panicked".to_owned())
    })?;
    report.add(compiled);
    report.step("tests of packages in the lab", |report| {
        in_the_lab(&packaged, quick, filter, &packages?, report)
    })
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

/// The results of compiling that takes place during the first tests.
struct Compiled {
    /// The test binaries for Windows.
    windows: Vec<Binary>,
    /// The directory with a release's packages, or why there is none.
    packages: String,
}

fn compile(
    quick: bool,
    filter: Option<&str>,
    crossed: bool,
    packed: bool,
    report: &mut Report,
) -> Compiled {
    // The tests should have the machine's full speed.
    run::step_back();
    if filter.is_none() {
        checked("clippy", &CLIPPY, report);
    }
    let windows = if crossed {
        crossed_binaries(filter, report)
    } else {
        Vec::new()
    };
    let packages = packages(quick, packed, report);
    Compiled { windows, packages }
}

/// Runs the checks and tests for Windows and macOS.
fn other_systems(filter: Option<&str>, report: &mut Report) -> Result {
    cross::prepare()?;
    let mut binaries = binaries::build()?;
    binaries.retain(|binary| binary.name.starts_with("tests/wine"));
    binaries.extend(crossed_binaries(filter, report));
    side_by_side(binaries.iter(), filter, NO_PACKAGES, report)
}

/// Checks for both other systems, unless one test was requested, and builds for Windows; returns
/// the test binaries.
fn crossed_binaries(filter: Option<&str>, report: &mut Report) -> Vec<Binary> {
    if filter.is_none() {
        for (name, mut command) in cross::checks() {
            let passed = report.check(&format!("cross: {name}"), &mut command);
            report.total.passed += usize::from(passed);
        }
    }
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
