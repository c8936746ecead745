//! `goroam doctor --cache`: what is broken in a real module cache is named and removed, and
//! never anything else.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use goroam::doctor::{CacheReport, CacheWish, Outcome, examine_cache, mend_cache};
use goroam::environment::Environment;
use goroam::meter::Meter;

use crate::modcache::{Home, all, gone};

const VERSIONS: [&str; 3] = ["1.21.13", "1.24.11", "1.27.3"];
const PAGE: &[u8] = b"<!DOCTYPE html><html><body>please log in</body></html>\n";

/// Looks at the cache of this home.
fn examine(home: &Home, hash: bool) -> CacheReport {
    let path = home.path("").display().to_string();
    let env: Environment = [("HOME", path.as_str()), ("GOSUMDB", "off")]
        .into_iter()
        .collect();
    let wish = CacheWish {
        env,
        project: home.path("app"),
        hash,
    };
    examine_cache(&wish, &Meter::default()).unwrap()
}

pub(crate) fn doctor(home: &Home, args: &[&str]) -> Output {
    let mut command = home.command(Path::new(env!("CARGO_BIN_EXE_goroam")));
    command.args(["doctor", "--cache"]).args(args);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_cache_that_go_has_filled_has_nothing_broken_in_it() {
    for version in VERSIONS {
        let Some(home) = Home::new(version) else {
            return;
        };
        let home = home.filled();
        // What is odd, and is no harm.
        home.write("go/pkg/mod/cache/download/a.test/b/@v/v1.0.0.lock", "");
        home.write(
            "go/pkg/mod/cache/download/a.test/b/@v/v1.0.0.zip123.tmp",
            PAGE,
        );
        home.write("go/pkg/mod/cache/download/a.test/b/@v/v1.0.0.partial", "");
        home.write("go/pkg/mod/cache/download/a.test/b/@v/v1.0.mod", PAGE);
        home.write("go/pkg/mod/cache/download/not a module/@v/v1.0.0.mod", PAGE);
        home.write(
            "go/pkg/mod/cache/download/a.test/fork/@v/v1.0.0.mod",
            "module other.test/m\n",
        );
        home.write(
            "go/pkg/mod/cache/download/a.test/old/@v/v1.0.0.mod",
            "//vgo 0.0.3\n",
        );
        home.write("go/pkg/sumdb/sum.test/latest", "");
        std::fs::remove_file(home.cached("github.com/google/uuid/@v/v1.3.0.zip")).unwrap();
        let before = home.files();
        for args in [&["--fix"][..], &["--fix", "--hash"], &["--json"]] {
            let done = doctor(&home, args);
            assert_eq!(done.status.code(), Some(0), "{}", all(&done));
        }
        assert!(gone(&before, &home.files()).is_empty());
        let said = stdout(&doctor(&home, &["--hash"]));
        assert!(said.starts_with("✓ nothing broken was found; "), "{said}");
    }
}

/// The kinds of damage to a file of this name; what is to go with it is counted elsewhere.
fn damage(path: &Path, kind: usize) {
    let bytes = std::fs::read(path).unwrap();
    let end = path.extension().unwrap_or_default().to_str().unwrap();
    let half = bytes[..bytes.len() / 2].to_vec();
    let zeros = vec![0; bytes.len()];
    let flipped = || {
        let mut bytes = bytes.clone();
        // More than a local header, which nobody reads.
        let middle = bytes.len() / 3;
        for byte in &mut bytes[middle..middle + 300] {
            *byte ^= 0x55;
        }
        bytes
    };
    let other: Vec<u8> = match (end, kind % 6) {
        // `list`, which may well be empty.
        ("", _) | (_, 0) => PAGE.to_vec(),
        (_, 1) => zeros,
        ("zip" | "info" | "ziphash", 2) => half,
        ("zip", 3) => flipped(),
        ("info", 3) => b"{\"Version\":\"v9.9.9\"}".to_vec(),
        ("mod" | "info", 4) => b"{\"error\":\"please log in\"}".to_vec(),
        ("mod", 5) => b"go 1.21\n\nrequire a.test/b v1.0.0\n".to_vec(),
        _ => Vec::new(),
    };
    // As a careless tool would: in its place, whatever its mode.
    drop(std::fs::remove_file(path));
    std::fs::write(path, other).unwrap();
}

/// A sequence of numbers that looks like none, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

#[test]
fn of_a_damaged_cache_just_the_damage_is_removed_and_go_builds_again() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let home = home.filled();
    // A link that leads out of the cache, to something that looks broken.
    home.write("outside/@v/v1.0.0.mod", PAGE);
    std::fs::create_dir_all(home.cached("linked.test")).unwrap();
    std::os::unix::fs::symlink(home.path("outside"), home.cached("linked.test/m")).unwrap();
    let good = home.files();
    let wanted = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let ends = [".info", ".mod", ".zip", ".ziphash"];
        let is_cached = path.starts_with(home.cached(""));
        is_cached && (name == "list" || ends.iter().any(|end| name.ends_with(end)))
    };
    let victims: Vec<&PathBuf> = good.keys().filter(wanted).collect();
    assert!(victims.len() > 40, "{victims:?}");
    let mut dice = Dice(7);
    for round in 0..24 {
        let mut hit: BTreeMap<&PathBuf, usize> = BTreeMap::new();
        for _ in 0..=dice.roll(6) {
            hit.insert(victims[dice.roll(victims.len())], dice.roll(6));
        }
        for (path, kind) in &hit {
            damage(path, *kind);
        }
        let damaged = home.files();
        let mut report = examine(&home, true);
        assert_eq!(home.files(), damaged, "looking changes nothing");
        mend_cache(&mut report);
        let kept: Vec<_> = report
            .broken
            .iter()
            .filter(|one| one.outcome != Outcome::Removed)
            .collect();
        assert!(kept.is_empty(), "round {round}: {kept:?}");
        let expected: Vec<PathBuf> = hit.into_keys().cloned().collect();
        let mut gone = gone(&damaged, &home.files());
        // A zip and its note can both be hit: then the tree is all that is left, and good.
        gone.sort();
        assert_eq!(gone, expected, "round {round}: {:?}", report.broken);
        assert!(examine(&home, true).is_well());
        if round % 20 == 0 {
            home.builds();
        }
        let now = home.files();
        for (path, bytes) in &good {
            if now.get(path) != Some(bytes) {
                drop(std::fs::remove_file(path));
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
    home.builds();
}

#[test]
fn a_page_that_go_has_kept_as_a_go_mod_is_removed_with_what_go_sum_has_of_it() {
    for version in VERSIONS {
        let Some(home) = Home::new(version) else {
            return;
        };
        let proxy = Portal::start(|path| path.ends_with(".mod").then(|| PAGE.to_vec()));
        let poisoned = home.go_from(&proxy.url(), &["mod", "download"]);
        assert!(!poisoned.status.success(), "{}", all(&poisoned));
        let build = home.go(&["build", "./..."]);
        let said = String::from_utf8_lossy(&build.stderr).into_owned();
        assert!(said.contains("missing module line"), "go {version}: {said}");
        let sums = std::fs::read_to_string(home.path("app/go.sum")).unwrap_or_default();

        let named = doctor(&home, &[]);
        assert_eq!(named.status.code(), Some(1), "{}", all(&named));
        let text = stdout(&named);
        assert!(
            text.contains("holds an HTML page") && text.contains("[cache-mod]"),
            "{text}"
        );
        let fixed = doctor(&home, &["--fix", "--json"]);
        assert_eq!(
            fixed.status.code(),
            Some(0),
            "go {version}, {sums}: {}",
            all(&fixed)
        );
        home.builds();
        assert_eq!(doctor(&home, &["--hash"]).status.code(), Some(0));
    }
}

/// A server that gives some paths an answer of its own, and all others 404. `None` for a path
/// with "hang" in its answer: nothing more comes.
struct Portal {
    address: std::net::SocketAddr,
}

impl Portal {
    fn start(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Portal {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = std::sync::Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let answer = std::sync::Arc::clone(&answer);
                std::thread::spawn(move || serve(stream.unwrap(), &*answer));
            }
        });
        Portal { address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(mut stream: std::net::TcpStream, answer: &dyn Fn(&str) -> Option<Vec<u8>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend(&piece[..length]),
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match answer(path) {
        Some(body) if body == b"hang" => {
            // Until the other side has had enough.
            drop(stream.read(&mut piece));
            return;
        }
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", b"not found".to_vec()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    drop(stream.write_all(&[head.as_bytes(), &body].concat()));
}

#[test]
fn what_a_go_that_runs_is_working_on_is_left_alone() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let module = "github.com/google/uuid/@v/v1.3.0";
    let bad = home.write(&format!("go/pkg/mod/cache/download/{module}.ziphash"), PAGE);
    let tree = home.modules();
    let proxy = Portal::start(move |path| match path.ends_with(".zip") {
        true => Some(b"hang".to_vec()),
        false => std::fs::read(tree.join(path.trim_start_matches('/'))).ok(),
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
    let go = std::process::Command::new(script)
        .arg("1.27.3")
        .output()
        .unwrap();
    let go = PathBuf::from(stdout(&go).trim());
    let mut hung = home
        .command(&go)
        .env("GOPROXY", proxy.url())
        .args(["mod", "download", "github.com/google/uuid@v1.3.0"])
        .spawn()
        .unwrap();
    let lock = home.cached(&format!("{module}.lock"));
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let held = std::fs::File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
        if held {
            break;
        }
        assert!(Instant::now() < end, "go takes no lock");
        std::thread::yield_now();
    }
    let refused = doctor(&home, &["--fix"]);
    assert_eq!(refused.status.code(), Some(1), "{}", all(&refused));
    assert!(
        stdout(&refused).contains("another go command works on it"),
        "{}",
        all(&refused)
    );
    assert!(bad.exists());
    hung.kill().unwrap();
    hung.wait().unwrap();
    let done = doctor(&home, &["--fix"]);
    assert_eq!(done.status.code(), Some(0), "{}", all(&done));
    assert!(!bad.exists());
    home.builds();
}

#[test]
fn builds_that_run_meanwhile_do_not_notice() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let home = home.filled();
    let victim = home.cached("golang.org/x/mod/@v/v0.7.0.mod");
    std::fs::create_dir_all(victim.parent().unwrap()).unwrap();
    std::thread::scope(|scope| {
        let builds = scope.spawn(|| {
            for _ in 0..6 {
                home.builds();
            }
        });
        let mut rounds = 0;
        while !builds.is_finished() {
            std::fs::write(&victim, PAGE).unwrap();
            let mut report = examine(&home, false);
            mend_cache(&mut report);
            assert!(report.is_well(), "{:?}", report.broken);
            assert!(!victim.exists());
            rounds += 1;
        }
        assert!(rounds > 3, "{rounds}");
    });
}

#[test]
fn a_bad_zip_takes_its_bad_tree_along_though_go_has_made_that_read_only() {
    let Some(home) = Home::new("1.24.11") else {
        return;
    };
    let home = home.filled();
    let zip = home.cached("github.com/pkg/errors/@v/v0.9.1.zip");
    let tree = home.path("go/pkg/mod/github.com/pkg/errors@v0.9.1");
    std::fs::write(&zip, PAGE).unwrap();
    let changed = tree.join("errors.go");
    let mode = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&changed, 0o644);
    std::fs::write(&changed, "package errors\n").unwrap();
    mode(&changed, 0o444);
    // Another user may not reach what was built: it may lie below a closed home.
    let program = home.path("goroam");
    std::fs::copy(env!("CARGO_BIN_EXE_goroam"), &program).unwrap();
    let mut command = home.command(&program);
    // SAFETY: geteuid takes nothing and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Nothing is read-only to root.
        let chown = std::process::Command::new("chown")
            .args(["-R", "65534"])
            .arg(home.path(""))
            .status();
        assert!(chown.unwrap().success());
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        mode(&home.path(""), 0o755);
    }
    let done = command
        .args(["doctor", "--cache", "--fix"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", all(&done));
    assert!(!zip.exists() && !zip.with_extension("ziphash").exists() && !tree.exists());
    let left = std::fs::read_dir(tree.parent().unwrap()).unwrap();
    assert_eq!(left.count(), 0, "nothing is left lying");
    home.builds();
}

#[test]
fn five_thousand_versions_are_looked_at_in_a_moment() {
    let Some(home) = Home::new("1.27.3") else {
        return;
    };
    let home = home.filled();
    let hash = b"h1:FEBLx1zS214owpjy7qsBeixbURkuhQAwrK5UwLGTwt4=";
    for module in 0..500 {
        for minor in 0..10 {
            let at = |end: &str| {
                format!("go/pkg/mod/cache/download/a.test/m{module}/@v/v1.{minor}.0.{end}")
            };
            home.write(&at("mod"), format!("module a.test/m{module}\n"));
            home.write(&at("info"), format!("{{\"Version\":\"v1.{minor}.0\"}}"));
            home.write(&at("ziphash"), hash);
        }
    }
    let start = Instant::now();
    let report = examine(&home, false);
    let took = start.elapsed();
    assert!(report.is_well() && report.versions > 5_000, "{report:?}");
    println!("{} versions in {took:?}", report.versions);
    // A debug build on a busy machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
}
