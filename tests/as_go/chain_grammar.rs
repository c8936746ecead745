//! The grammars of GOPROXY, GOSUMDB, GOPRIVATE and of names, against the real go command: what
//! goroam accepts go accepts, and what goroam refuses fails every request of go.
//!
//! Every go runs in a network namespace of its own without any link, so nothing leaves.

use std::path::{Path, PathBuf};
use std::process::Command;

use goroam::model::pattern::faults;
use goroam::model::{Chain, Patterns, SumDb};
use goroam::policy::file::{PolicyLocation, parse};

const NEW: &str = "1.27.3";
const OLD: &str = "1.21.13";

/// A go command in a bare world.
struct Go {
    version: &'static str,
    path: PathBuf,
    home: tempfile::TempDir,
}

impl Go {
    /// `None`, said aloud, where there is no such go or no right to make a namespace.
    fn find(version: &'static str) -> Option<Go> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/go");
        let output = Command::new("bash").arg(script).arg(version).output();
        let path = match output {
            Ok(output) if output.status.success() => {
                PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
            }
            _ => {
                println!("skipped: no go {version} in the lab");
                return None;
            }
        };
        let private = Command::new("unshare").args(["-n", "true"]).status();
        if !private.is_ok_and(|status| status.success()) {
            println!("skipped: no right to make a network namespace (run as root)");
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        Some(Go {
            version,
            path,
            home,
        })
    }

    /// Runs go; its exit code's success and its standard error.
    fn run(&self, args: &[&str], env: &[(&str, &str)]) -> (bool, String) {
        let output = Command::new("unshare")
            .args(["-n", "--"])
            .arg(&self.path)
            .args(args)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home.path())
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw")
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), stderr)
    }
}

/// What go says of a GOPROXY value that it can do nothing with, whatever the network is.
const REFUSALS: [&str; 8] = [
    "GOPROXY list is not the empty string, but contains no entries",
    "invalid proxy URL",
    "invalid file:// proxy URL",
    ": parse \"",
    "no Host in request URL",
    "refusing to pass credentials to insecure URL",
    "invalid port",
    "invalid URL port",
];

/// What go says when it has gone out to ask.
const ATTEMPTS: [&str; 6] = [
    "dial tcp",
    "module lookup disabled by GOPROXY=off",
    "no such file or directory",
    "unrecognized import path",
    "not a directory",
    "server misbehaving",
];

/// Values of GOPROXY, and whether go can do anything with them.
const PROXIES: [(&str, bool); 84] = [
    ("https://p.test", true),
    ("https://p.test,direct", true),
    ("https://p.test|direct", true),
    (" https://p.test , direct ", true),
    ("https://p.test,,direct", true),
    ("https://p.test|,direct", true),
    (",https://p.test", true),
    ("direct", true),
    ("off", true),
    ("off,https://%zz", true),
    ("direct,https://%zz", true),
    ("direct|foo", true),
    ("p.test", true),
    ("p.test/x", true),
    ("p.test:8080", true),
    ("p.test:8080/x,direct", true),
    ("127.0.0.1:8443/x", true),
    ("localhost:3000", true),
    ("./proxy", true),
    ("a/b", true),
    ("https://p.test/", true),
    ("https://p.test//", true),
    ("https://p.test/x?y=z", true),
    ("https://p.test/x?%zz", true),
    ("https://p.test/x#y", true),
    ("https://p.test/a%2Cb", true),
    ("https://p.test/a b", true),
    ("HTTPS://p.test", true),
    ("http://p.test", true),
    ("http://[::1]:1/x", true),
    ("https://[fe80::1%25lo]/x", true),
    ("https://joe:secret@p.test", true),
    ("https://joe@p.test", true),
    ("https://jo%20e:se%40cret@p.test", true),
    ("https://p.test:", true),
    ("https://p.test:443", true),
    ("https://p_q.test", true),
    ("https://p.test;https:", true),
    ("https://ü.test", true),
    ("https://%C3%BC.test", true),
    ("file:///srv/m", true),
    ("file:///srv/m/", true),
    ("file:////srv/m", true),
    ("FILE:///srv/m", true),
    ("file:///srv/a b", true),
    ("file:///srv/a%20b", true),
    ("file:///srv/m,off", true),
    ("file:///srv/m#", true),
    ("file://", true),
    (",", false),
    ("|", false),
    (" ", false),
    (" , | ", false),
    ("foo", false),
    ("Direct", false),
    ("OFF", false),
    ("none", false),
    ("noproxy", false),
    ("localhost", false),
    ("*", false),
    ("/srv/mirror", false),
    ("//p.test/x", false),
    ("ftp://p.test/x", false),
    ("file://tmp/x", false),
    ("file://localhost/x", false),
    ("file:/x", false),
    ("file:///x?y", false),
    ("file:///x?", false),
    ("file:///x#y", false),
    ("file://~/x", false),
    ("file:///x%zz", false),
    ("http:/p.test/x", false),
    ("https://", false),
    ("https:///x", false),
    ("https://?x.y", false),
    ("://p.test", false),
    ("1http://p.test", false),
    ("https://p.test/%zz", false),
    ("https://ok.test,https://%zz", false),
    ("https://ok.test|foo|direct", false),
    ("https://p.test/x#%zz", false),
    ("http://joe:secret@p.test", false),
    ("https://p .test", false),
    ("https://p.test:x", false),
];

/// Go 1.21 takes these, and looks up a name that cannot be.
const NEWLY_REFUSED: [(&str, bool); 4] = [
    ("http:127.0.0.1:8080", false),
    ("https://[nonsense]/x", false),
    ("https://[127.0.0.1]/x", false),
    ("https://a:b:80/x", false),
];

#[test]
fn chains_are_accepted_and_refused_as_go_does() {
    for version in [NEW, OLD] {
        let Some(go) = Go::find(version) else {
            continue;
        };
        let newly = NEWLY_REFUSED.iter().filter(|_| version == NEW);
        let mut wrong = Vec::new();
        for (value, accepted) in PROXIES.iter().chain(newly) {
            let (ok, said) = go.run(
                &["mod", "download", "example.test/m@v1.1.0"],
                &[("GOPROXY", value), ("GOSUMDB", "off"), ("GOENV", "off")],
            );
            assert!(!ok, "{value}: nothing can be downloaded here");
            let refused = REFUSALS.iter().any(|text| said.contains(text));
            let attempted = ATTEMPTS.iter().any(|text| said.contains(text));
            let ours = Chain::parse(value);
            if !(refused || attempted) || refused == *accepted || ours.is_ok() != *accepted {
                wrong.push(format!("go {}: {value:?}: {ours:?}\n  {said}", go.version));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn patterns_match_as_in_go() {
    const PATHS: [&str; 5] = [
        "git.corp.test/team/hello",
        "corp.test/a",
        "corp.test",
        "a1.test/x-y/z_z",
        "1a.test/x/v2",
    ];
    const LISTS: [&str; 26] = [
        "*",
        "**",
        "?*",
        "*.*",
        "*/*",
        "*/*/*",
        "*.test",
        "*.corp.test",
        "corp.test",
        "corp.test/",
        "corp.test//",
        "git.corp.test/team",
        "git.corp.test/*/hello",
        "git.*/team",
        ",,corp.test,",
        " corp.test",
        "corp.test ",
        "[a-z]*",
        "[^a-f]*",
        "[0-9]*",
        "a[0-9].test",
        "\\a1.test",
        "[",
        "[a-]*",
        "*.test,[",
        "none",
    ];
    let Some(go) = Go::find(NEW) else {
        return;
    };
    let mut wrong = Vec::new();
    for list in LISTS {
        for path in PATHS {
            let module = format!("{path}@v1.0.0");
            let (_, said) = go.run(
                &["mod", "download", &module],
                &[
                    ("GOPROXY", "off"),
                    ("GOPRIVATE", list),
                    ("GOSUMDB", "off"),
                    ("GOENV", "off"),
                ],
            );
            // What GOPRIVATE covers goes to version control, even past `off`.
            let covered = !said.contains("module lookup disabled by GOPROXY=off");
            if Patterns::parse(list).matches(path) != covered {
                wrong.push(format!("{list:?} {path}: go says {covered}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each slip with the module that its writer wanted to keep private.
const SLIPS: [(&str, &str); 24] = [
    ("https://git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test:8443", "git.corp.test/team/m"),
    ("git@git.corp.test:team/*", "git.corp.test/team/m"),
    ("ssh://git@git.corp.test/team", "git.corp.test/team/m"),
    ("git.corp.test;lab.test", "git.corp.test/team/m"),
    ("git.corp.test|lab.test", "git.corp.test/team/m"),
    ("\"git.corp.test\"", "git.corp.test/team/m"),
    ("'git.corp.test'", "git.corp.test/team/m"),
    (".corp.test", "git.corp.test/team/m"),
    (" git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test\r", "git.corp.test/team/m"),
    ("Git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test/...", "git.corp.test/team/m"),
    ("git.corp.test//team", "git.corp.test/team/m"),
    ("/git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test/team@v1.0.0", "git.corp.test/team/m"),
    ("git.corp.test.", "git.corp.test/team/m"),
    ("git.corp.test，lab.test", "git.corp.test/team/m"),
    ("git。corp.test", "git.corp.test/team/m"),
    ("git.corp.test\u{a0}", "git.corp.test/team/m"),
    ("corp", "corp/m"),
    ("a_b.test", "a_b.test/m"),
    ("git.corp.test/a+b", "git.corp.test/a+b"),
    ("bücher.test", "bücher.test/m"),
];

/// Right ones, with a module that they keep private.
const RIGHT: [(&str, &str); 10] = [
    ("git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test/", "git.corp.test/team/m"),
    ("*.corp.test,git.corp.test", "git.corp.test/team/m"),
    ("git.corp.test/team/*", "git.corp.test/team/m"),
    ("git?.corp.test", "git1.corp.test/m"),
    ("git.corp.test/~me", "git.corp.test/~me/m"),
    ("git.corp.test/Team", "git.corp.test/Team/m"),
    ("10.0.0.1", "10.0.0.1/m"),
    ("*", "git.corp.test/team/m"),
    ("[a-z]*/team", "git.corp.test/team/m"),
];

#[test]
fn patterns_that_match_nothing_keep_nothing_private_in_go() {
    for version in [NEW, OLD] {
        let Some(go) = Go::find(version) else {
            continue;
        };
        let mut wrong = Vec::new();
        let rows = SLIPS.iter().map(|row| (row, true));
        for ((list, path), slip) in rows.chain(RIGHT.iter().map(|row| (row, false))) {
            let module = format!("{path}@v1.0.0");
            let (_, said) = go.run(
                &["mod", "download", &module],
                &[
                    ("GOPROXY", "off"),
                    ("GOPRIVATE", list),
                    ("GOSUMDB", "off"),
                    ("GOENV", "off"),
                ],
            );
            let covered = !said.contains("module lookup disabled by GOPROXY=off")
                && !said.contains("malformed module path")
                && !said.contains("malformed import path");
            let found = !faults(list).is_empty();
            if covered == slip || found != slip {
                wrong.push(format!("go {version}: {list:?} {path}: {found} {said}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn databases_are_accepted_and_refused_as_go_does() {
    const KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let values = [
        "sum.golang.org".to_owned(),
        "sum.golang.google.cn".to_owned(),
        KEY.to_owned(),
        format!("  {KEY}  https://sum.test/x "),
        "sum.golang.org https://sum.test".to_owned(),
        "off".to_owned(),
        "OFF".to_owned(),
        "off ".to_owned(),
        " ".to_owned(),
        "sum.test".to_owned(),
        " sum.golang.google.cn".to_owned(),
        "sum.golang.org a b".to_owned(),
        "sum.golang.org https://%zz".to_owned(),
        KEY.replace("033de0ae", "33de0ae"),
        KEY.replace("033de0ae", "+33de0ae"),
        KEY.replace("OuAn8", "OuAn"),
        KEY.replace("+Ac4", "+Bc4"),
    ];
    let Some(go) = Go::find(NEW) else {
        return;
    };
    let mirror = go.home.path().join("mirror/example.test/m/@v");
    std::fs::create_dir_all(&mirror).unwrap();
    std::fs::write(mirror.join("v1.1.0.info"), "{\"Version\":\"v1.1.0\"}").unwrap();
    std::fs::write(mirror.join("v1.1.0.mod"), "module example.test/m\n").unwrap();
    let proxy = format!("file://{}", go.home.path().join("mirror").display());
    for value in values {
        let (_, said) = go.run(
            &["mod", "download", "example.test/m@v1.1.0"],
            &[("GOPROXY", &proxy), ("GOSUMDB", &value), ("GOENV", "off")],
        );
        let refused = said.contains("GOSUMDB: ")
            || said.contains("missing GOSUMDB")
            || said.contains("invalid GOSUMDB")
            || said.contains("invalid sumdb name");
        let attempted = said.contains("dial tcp") || said.contains("v1.1.0.zip");
        assert!(refused || attempted, "{value:?}: {said}");
        // Keys with a wrong hash are found by the policy, which can compute it.
        let text =
            format!("version = 1\n[[profile]]\nname = \"a\"\n[profile.env]\nGOSUMDB = {value:?}\n");
        let place = PolicyLocation {
            folder: Path::new("/"),
            home: None,
        };
        let ours = parse(&text, place)
            .findings
            .iter()
            .any(|finding| finding.code == "bad-gosumdb");
        assert_eq!(ours, refused, "{value:?}: {said}");
        assert!(SumDb::parse(&value).is_err() <= refused, "{value:?}");
    }
}

#[test]
fn names_are_accepted_and_refused_as_go_env_does() {
    const NAMES: [&str; 30] = [
        "AR",
        "CC",
        "CGO_CFLAGS",
        "CXX",
        "FC",
        "GCCGO",
        "GO111MODULE",
        "GOAMD64",
        "GOAUTH",
        "GOBIN",
        "GOCACHEPROG",
        "GOFIPS140",
        "GOFLAGS",
        "GOINSECURE",
        "GONOPROXY",
        "GONOSUMDB",
        "GOPRIVATE",
        "GOPROXY",
        "GORISCV64",
        "GOSUMDB",
        "GOTOOLCHAIN",
        "GOVCS",
        "GOENV",
        "GODEBUG",
        "GOROOT",
        "GOWORK",
        "GOTELEMETRY",
        "GONOSUMCHECK",
        "HTTP_PROXY",
        "goproxy",
    ];
    let Some(go) = Go::find(NEW) else {
        return;
    };
    for name in NAMES {
        let (ok, said) = go.run(&["env", "-w", &format!("{name}=")], &[]);
        let text = format!("version = 1\n[[profile]]\nname = \"a\"\nenv = {{ {name} = \"\" }}\n");
        let place = PolicyLocation {
            folder: Path::new("/"),
            home: None,
        };
        let refused = parse(&text, place)
            .findings
            .iter()
            .any(|finding| matches!(finding.code, "unknown-variable" | "fixed-variable"));
        assert_eq!(refused, !ok, "{name}: {said}");
    }
}
