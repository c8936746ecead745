//! Against the lab's real parts: nginx as the proxy, golang.org/x/mod's own checksum database,
//! and faultd where a server has to misbehave. They run on fixed loopback ports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use goroam::gomod::zip::h1_of;
use goroam::model::{Observation, Proof, SumDb, Target, TargetKind, Verdict};
use goroam::probe::{ProbeOptions, Prober};

use crate::server::{environment, page, target};

/// The lab's servers are one of a kind: tests that start or switch them take turns.
static LAB: Mutex<()> = Mutex::new(());

fn lab(command: &str, args: &[&str]) -> Result<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(command);
    let output = Command::new(path)
        .args(args)
        .output()
        .map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said + &String::from_utf8_lossy(&output.stderr))
    }
}

/// Starts it, or says why this machine cannot.
fn started() -> bool {
    for part in ["modules", "proxy"] {
        if let Err(why) = lab("can", &[part]) {
            println!("skipped: {why}");
            return false;
        }
    }
    lab("proxy", &["start"]).unwrap();
    lab("faultd", &["start"]).unwrap();
    true
}

fn ca(name: &str) -> PathBuf {
    let root = std::env::var("LAB").unwrap_or_else(|_| "/var/tmp/goroam-lab".to_owned());
    Path::new(&root).join("ca").join(name)
}

/// A probe that trusts the lab's public CA by SSL_CERT_FILE.
fn probe(vars: &[(&str, &str)], target: &Target) -> Observation {
    probe_with(vars, target, ProbeOptions::FIRST)
}

fn probe_with(vars: &[(&str, &str)], target: &Target, care: ProbeOptions) -> Observation {
    let dir = tempfile::tempdir().unwrap();
    let roots = ca("lab.pem");
    let all: Vec<(&str, &str)> = [("SSL_CERT_FILE", roots.to_str().unwrap())]
        .into_iter()
        .chain(vars.iter().copied())
        .collect();
    let prober = Prober::new(&environment(dir.path(), &all));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(prober.probe_with(target, care))
}

fn ask(url: &str, module: &str, version: &str) -> Target {
    target(TargetKind::GoProxy {
        url: url.to_owned(),
        module: module.to_owned(),
        version: version.to_owned(),
        sum: None,
        zip_sum: None,
    })
}

#[test]
fn nginx_is_up_where_the_real_go_command_finds_it_up() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let toml = ("github.com/BurntSushi/toml", "v1.2.0");
    let seen = probe(&[], &ask("http://127.0.0.1:8080", toml.0, toml.1));
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::None),
        "{}",
        seen.reason
    );
    let seen = probe(&[], &ask("https://127.0.0.1:8443/", toml.0, toml.1));
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Tls),
        "{}",
        seen.reason
    );

    let hello = ("git.corp.test/team/hello", "v1.0.0");
    let seen = probe(&[], &ask("http://127.0.0.1:8080", hello.0, hello.1));
    assert_eq!(
        seen.reason,
        "has no git.corp.test/team/hello@v1.0.0 (404 Not Found)"
    );
    let mut corp = ask("https://127.0.0.1:8444", hello.0, hello.1);
    let seen = probe(&[], &corp);
    assert_eq!(
        seen.verdict,
        Verdict::Wrong,
        "its CA is not trusted: {}",
        seen.reason
    );
    corp.ca = vec![ca("corp-ca.pem")];
    let seen = probe(&[], &corp);
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Tls),
        "{}",
        seen.reason
    );

    let login = ask("https://127.0.0.1:8443/auth", hello.0, hello.1);
    let seen = probe(&[], &login);
    assert!(
        seen.reason
            .starts_with("wants credentials: add `machine 127.0.0.1:8443 …`")
    );
    let dir = tempfile::tempdir().unwrap();
    let netrc = dir.path().join("netrc");
    std::fs::write(&netrc, "machine 127.0.0.1:8443 login lab password s3cret\n").unwrap();
    let seen = probe(&[("NETRC", netrc.to_str().unwrap())], &login);
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
}

#[test]
fn the_real_checksum_database_verifies_directly_and_through_nginx() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let sumdb = |value: &str, via: Option<&str>| {
        target(TargetKind::SumDb {
            db: SumDb::parse(value).unwrap(),
            via: via.map(str::to_owned),
        })
    };
    let seen = probe(&[], &sumdb(&lab("sumdb", &["env"]).unwrap(), None));
    assert_eq!(
        (seen.verdict, seen.proof),
        (Verdict::Up, Proof::Signed),
        "{}",
        seen.reason
    );
    assert!(
        seen.reason.ends_with("signed by lab.sum.test"),
        "{}",
        seen.reason
    );

    let key = lab("sumdb", &["key", "sum.golang.org"]).unwrap();
    for proxy in ["http://127.0.0.1:8080", "https://127.0.0.1:8443"] {
        let seen = probe(&[], &sumdb(&key, Some(proxy)));
        assert_eq!(
            (seen.verdict, seen.proof),
            (Verdict::Up, Proof::Signed),
            "{}",
            seen.reason
        );
    }
    // The lab signs for sum.golang.org with a key of its own: the true key must not accept it.
    let seen = probe(&[], &sumdb("sum.golang.org", Some("http://127.0.0.1:8080")));
    assert_eq!(seen.verdict, Verdict::Wrong);
    assert_eq!(seen.reason, "not signed by sum.golang.org's key");
}

#[test]
fn every_fault_has_its_verdict() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let fault = |mode: &str| {
        let url = format!("http://127.0.0.1:9100/_m/{mode}");
        let mut target = ask(&url, "git.corp.test/team/hello", "v1.0.0");
        // Short only where they are waited for: the others have their time on a busy machine.
        if ["hang", "slow:2", "drip:20"].contains(&mode) {
            target.limits.first_byte = Duration::from_millis(300);
            target.limits.total = Duration::from_millis(900);
        }
        probe(&[], &target)
    };
    for (mode, verdict, reason) in [
        (
            "ok",
            Verdict::Up,
            "git.corp.test/team/hello@v1.0.0, go.mod names it",
        ),
        (
            "hang",
            Verdict::Down,
            "no answer from 127.0.0.1:9100 in 300 ms",
        ),
        (
            "slow:2",
            Verdict::Down,
            "no answer from 127.0.0.1:9100 in 300 ms",
        ),
        (
            "close",
            Verdict::Down,
            "127.0.0.1:9100 closed the connection without an answer",
        ),
        ("reset", Verdict::Down, "127.0.0.1:9100 "),
        (
            "404",
            Verdict::Down,
            "has no git.corp.test/team/hello@v1.0.0 (404 Not Found)",
        ),
        (
            "410",
            Verdict::Down,
            "has no git.corp.test/team/hello@v1.0.0 (410 Gone)",
        ),
        (
            "401",
            Verdict::Down,
            "wants credentials, which go sends over https only",
        ),
        ("503:9", Verdict::Down, "answers 503 Service Unavailable"),
        ("429:9", Verdict::Down, "answers 429 Too Many Requests"),
        (
            "511",
            Verdict::Portal,
            "511: the network wants a login first",
        ),
        (
            "portal200",
            Verdict::Portal,
            "200, but HTML where version info was asked",
        ),
        (
            "badjson",
            Verdict::Wrong,
            "200, but its version info is not JSON",
        ),
        (
            "huge:64",
            Verdict::Wrong,
            "sends more than 4096 KiB where version info was asked, and a probe reads no more",
        ),
    ] {
        let seen = fault(mode);
        assert_eq!(seen.verdict, verdict, "{mode}: {}", seen.reason);
        assert!(seen.reason.starts_with(reason), "{mode}: {}", seen.reason);
    }
    // Its login page is on the same host: only the page itself tells.
    assert_eq!(fault("portal302").verdict, Verdict::Portal);
    let drip = fault("drip:20");
    assert_eq!(drip.verdict, Verdict::Down, "{}", drip.reason);
}

/// Measures a mirror that serves the lab's tree with this fault.
fn measure(mode: &str) -> Observation {
    let (module, version) = ("git.corp.test/team/hello", "v1.0.0");
    let zip = ca("..").join(format!("tree/corp/{module}/@v/{version}.zip"));
    let mut target = ask(&format!("http://127.0.0.1:9100/_m/{mode}"), module, version);
    target.limits.first_byte = Duration::from_secs(10);
    target.limits.total = match mode {
        "stall" => Duration::from_secs(2),
        _ => Duration::from_secs(20),
    };
    if let TargetKind::GoProxy { zip_sum, .. } = &mut target.kind {
        *zip_sum = Some(h1_of(&zip).unwrap());
    }
    let care = ProbeOptions {
        zip: false,
        patience: None,
        speed: true,
    };
    probe_with(&[], &target, care)
}

#[test]
fn a_mirror_with_a_slow_body_loses_against_one_with_a_slow_first_byte() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let speed = |mode: &str| {
        let seen = measure(mode);
        seen.speed.unwrap_or_else(|| panic!("{mode}: {seen:?}"))
    };
    let (body, first_byte) = (speed("drip:20000"), speed("slow:1"));
    assert!(first_byte.first_byte >= 1000.0, "{first_byte:?}");
    // 20 kB/s, or less on a machine that is busy with other tests.
    assert!(body.bytes_per_second < 40_000.0, "{body:?}");
    assert!(
        first_byte.expected_ms() * 2.0 < body.expected_ms(),
        "{body:?} {first_byte:?}"
    );
}

#[test]
fn a_mirror_whose_zip_fails_has_no_speed_and_one_whose_zip_is_wrong_is_not_up() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    for mode in ["trunczip", "stall"] {
        let seen = measure(mode);
        assert_eq!(
            (seen.verdict, seen.speed),
            (Verdict::Up, None),
            "{mode}: {}",
            seen.reason
        );
    }
    for mode in ["503", "404", "reset"] {
        let seen = measure(mode);
        assert_eq!(
            (seen.verdict, seen.speed),
            (Verdict::Down, None),
            "{mode}: {}",
            seen.reason
        );
    }
    for mode in ["badzip", "halfzip"] {
        let seen = measure(mode);
        assert_eq!(
            (seen.verdict, seen.speed),
            (Verdict::Wrong, None),
            "{mode}: {}",
            seen.reason
        );
        let start = "zip of git.corp.test/team/hello@v1.0.0: ";
        assert!(seen.reason.starts_with(start), "{mode}: {}", seen.reason);
    }
}

#[test]
fn every_certificate_has_its_verdict() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    for (port, verdict, reason) in [
        (9443, Verdict::Up, "200 OK"),
        (
            9444,
            Verdict::Wrong,
            "certificate of 127.0.0.1:9444 ended on 2020-02-01",
        ),
        (
            9445,
            Verdict::Portal,
            "certificate is for somewhere-else.test, not 127.0.0.1:9445",
        ),
        (9446, Verdict::Wrong, "certificate of 127.0.0.1:9446 is "),
    ] {
        let seen = probe(&[], &page(format!("https://127.0.0.1:{port}/")));
        assert_eq!(seen.verdict, verdict, "{port}: {}", seen.reason);
        assert!(seen.reason.starts_with(reason), "{port}: {}", seen.reason);
    }
}

#[test]
fn the_labs_trees_are_mirrors() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let path = ca("..").join("tree/public");
    let seen = probe(&[], &target(TargetKind::Mirror { path }));
    assert_eq!(seen.verdict, Verdict::Up, "{}", seen.reason);
}

#[test]
fn of_proxies_that_are_measured_the_right_ones_come_first_and_what_is_wrong_last() {
    let _turn = LAB.lock().unwrap();
    if !started() {
        return;
    }
    let root = std::env::var("LAB").unwrap_or_else(|_| "/var/tmp/goroam-lab".to_owned());
    let zip = "tree/public/gopkg.in/yaml.v3/@v/v3.0.1.zip";
    let sum = h1_of(&Path::new(&root).join(zip)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut policy = "version = 1\n".to_owned();
    let faults = |mode: &str| format!("http://127.0.0.1:9100/_m/{mode}");
    for (name, url) in [
        ("page", faults("portal200")),
        ("other", faults("badzip")),
        ("cut", faults("trunczip")),
        ("fails", faults("503")),
        ("drips", faults("drip:100000+zip")),
        ("late", faults("slow:0.3+zip")),
        ("nginx", "http://127.0.0.1:8080".to_owned()),
    ] {
        policy += &format!(
            "[target.{name}]\ngoproxy = \"{url}\"\nmodule = \"gopkg.in/yaml.v3@v3.0.1\"\n\
             zip_sum = \"{sum}\"\n"
        );
    }
    policy += "[[profile]]\nname = \"rest\"\nenv = { GOPROXY = \"direct\" }\n";
    let file = home.path().join("policy.toml");
    std::fs::write(&file, policy).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let goroam = |words: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_goroam"))
            .args(words.split_whitespace())
            .env_clear()
            .envs([("HOME", home.path()), ("GOROAM_CONFIG", &file)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let order = |words: &str| {
        let json: serde_json::Value = serde_json::from_str(&goroam(words)).unwrap();
        let targets = json["targets"].as_array().unwrap().iter();
        let row = |target: &serde_json::Value| {
            let speed = target["speed"]["expected_ms"].as_f64();
            format!(
                "{} {}{}",
                target["name"].as_str().unwrap(),
                target["verdict"].as_str().unwrap(),
                if speed.is_some() { " measured" } else { "" }
            )
        };
        targets.map(row).collect::<Vec<_>>()
    };
    assert_eq!(
        order("probe --speed --json"),
        [
            "nginx up measured",
            "late up measured",
            "drips up measured",
            "cut up",
            "fails down",
            "other wrong",
            "page portal",
        ]
    );
    // A URL of the policy is asked as the policy says.
    let text = goroam("probe late http://127.0.0.1:8080/");
    let rows: Vec<&str> = text.lines().skip(1).collect();
    assert!(rows[0].ends_with("http://127.0.0.1:8080/"), "{text}");
    assert!(rows[1].ends_with(" late"), "{text}");
    assert!(
        rows[2].starts_with("http://127.0.0.1:8080/ is the fastest"),
        "{text}"
    );
}
