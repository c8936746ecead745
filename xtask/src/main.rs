//! The tasks of this repository: `cargo xtask --help`. Uses little more than std, so that it builds
//! in seconds.

mod bench;
mod binaries;
mod cross;
#[cfg(target_os = "linux")]
mod demo;
mod dist;
mod docs;
mod first_run;
mod gotool;
mod lab;
mod oldest_rust;
mod options;
mod packages;
mod report;
mod run;
mod site;
mod suite;
mod tally;

use std::process::ExitCode;

use options::Options;

const HELP: &str = "\
cargo xtask TASK [OPTIONS]

  try                    one real turn on this machine: finds go (or installs it), builds
                         goroam, runs `goroam once` with your own settings, says how to undo it
  test                   installs what the tests need, runs fmt, clippy and every test
      --quick              without the network lab
      --wine               only what is about Windows and macOS
      --filter NAME        only tests whose name holds NAME; no fmt, no clippy
  bench                  release build, measured in the network lab: markdown on stdout
      --runs N             rounds through the networks for each agent      (default 3; mirror, relay 5)
      --seconds N          length of the idle measurement                  (default 60; relay 15)
      --only PART          switch, idle, size, cli, or mirror or relay, which need no network lab,
                           or soak: builds through relays while proxies fail and relays are killed
      --minutes N          length of the soak                              (default 30)
      --megabytes N        zips for the mirror to verify; six times as much of disk  (default 2000)
      --bin FILE           measure this goroam instead, e.g. an older release
  demo                   one laptop carried through the lab's networks in 40 s, with `goroam
                         status --watch` in this terminal; your own files are not touched
      --record             without a terminal: the film, the pictures and the first day's
                           transcripts of the documentation, from real runs
      --check              makes these again and compares them, but for times and numbers
      --only PART          film, pictures or first-day
      --bin FILE           this goroam instead of a new build
      --locked             the caller holds the lab's lock
  dist                   packages, archives, checksums and lists of what is in them, from the
                         last commit, into target/dist: all that this machine can make
      --deb --rpm --tar --tray --source --source-packages --windows --all     only these, or all
      --out DIR            another folder
      --bin FILE           pack this program instead of building it
      --targets LIST       of the Linux files: native, arm, musl, arm-musl, joined by commas
      --profile quick      builds that cost a tenth of the time, for tests
      --verify             builds it all twice, in two folders, and compares
  docs                   writes docs/goroam.toml.5 and docs/goroam.schema.json, of docs/policy.md
  site                   the docs as a site, in both languages, into target/site (mdBook)
      --out DIR            another directory
  oldest-rust            compiles goroam with older and older versions of Rust (by rustup): the
                         oldest that works must be the one that Cargo.toml promises
      --check              only with the promised one
  workflows              zizmor reads .github: no finding
      --dir DIR            another directory
  cross setup            what type-checking for Windows and macOS needs    (Debian, 1-2 min)
  cross check            clippy for both, with and without the tray: no warning
  cross check|clippy|build|test [TARGETS [CARGO ARGUMENTS]]
                         TARGETS: win, mac, mac-intel, joined by commas    (default win,mac)

The tests and the bench need Linux, root and Debian's packages; elsewhere a test says
`skipped: why`. With CI=true on Linux as root no test may be skipped.
";

fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty()
        || args
            .iter()
            .any(|arg| matches!(arg.as_str(), "-h" | "--help" | "help"))
    {
        print!("{HELP}");
        return ExitCode::from(if args.is_empty() { 2 } else { 0 });
    }
    let task = args.remove(0);
    let done = match task.as_str() {
        "try" => Options::of(args, &[], &[]).and_then(|_| first_run::first_run()),
        "test" => {
            if let Some(code) = run::again_without_space(&task, &args) {
                return code;
            }
            Options::of(args, &["--quick", "--wine"], &["--filter"]).and_then(|o| suite::suite(&o))
        }
        "bench" => Options::of(
            args,
            &[],
            &[
                "--runs",
                "--seconds",
                "--minutes",
                "--megabytes",
                "--only",
                "--bin",
            ],
        )
        .and_then(|o| bench::bench(&o)),
        "dist" => Options::of(args, &dist::FLAGS, &dist::VALUED).and_then(|o| dist::dist(&o)),
        "site" => Options::of(args, &[], &["--out"]).and_then(|o| site::site(o.get("--out"))),
        "oldest-rust" => Options::of(args, &["--check"], &[])
            .and_then(|o| oldest_rust::oldest_rust(o.has("--check"))),
        "workflows" => Options::of(args, &[], &["--dir"])
            .and_then(|o| site::workflows(o.get("--dir").unwrap_or(".github"))),
        "docs" => Options::of(args, &[], &[]).and_then(|_| docs::docs()),
        #[cfg(target_os = "linux")]
        "demo" => Options::of(args, &demo::FLAGS, &demo::VALUED).and_then(|o| demo::demo(&o)),
        "cross" => cross::cross(&args),
        other => Err(format!("no such task: {other}; see `cargo xtask --help`")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
