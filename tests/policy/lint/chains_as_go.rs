//! Chains, walked by two releases of go: where an entry has the module and go does not come to
//! it, `check` says so, and what goroam takes a chain to be is what go makes of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use goroam::model::{Chain, HopKind, Separator};
use serde_json::json;

use super::codes;
use crate::go;

/// Entries by a letter. Proxies: O and P have the module, N answers 404, G 410, E 500, F 403, R
/// refuses. Mirrors: M has the module, K is empty, J is not there. D: direct, X: off.
const CHAINS: [&str; 52] = [
    "O", "N", "E", "X", "D", "M", "K", "J", "N,O", "N|O", "E,O", "E|O", "F,O", "F|O", "G,O", "R,O",
    "R|O", "E,M", "E|M", "R,M,D", "E,,O", "E|,O", "E,|O", ",O", "|O", "N,,,O", "D,O", "X,O", "D|O",
    "X|O", "N,X", "E|X", "E,X,O", "K,O", "K|O", "J,O", "M,O", "O,M", "N,N,O", "O,O", "E|E|P",
    "N,K,O", "K,N|O", "E|K,O", "N,E|O", "E,N|O", "K,E,M", "N|E,M", "O;M", "N, O", "D ,O", "N|D,P",
];

#[test]
fn what_go_does_not_come_to_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mirror = folder.path().join("full/example.test/m/@v");
    std::fs::create_dir_all(&mirror).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::write(mirror.join("v1.0.0.info"), INFO).unwrap();
    for version in ["1.21.13", "1.27.3"] {
        let Some(go) = go::go(version) else { continue };
        for chain in CHAINS {
            let value = |server: &str| spelled(chain, server, folder.path());
            let asked = value(&format!("http://127.0.0.1:{port}"));
            let found = finds(&go, &asked, folder.path());
            if let Ok(parsed) = Chain::parse(&asked)
                && !chain.contains(';')
            {
                assert_eq!(
                    walked(&parsed, folder.path()),
                    found,
                    "go {version}: {chain}"
                );
            }
            let policy = format!(
                "version = 1\n[[profile]]\nname = \"x\"\nenv = {{ GOPROXY = {} }}\n",
                json!(value("https://proxy.test"))
            );
            let said = codes(&policy);
            let tells = said.iter().any(|code| {
                [
                    "ignored-hops",
                    "mirror-behind-comma",
                    "proxy-behind-comma",
                    "several-in-one",
                ]
                .contains(code)
            });
            let has_it = chain.contains(['O', 'P', 'M']);
            assert!(found || !has_it || tells, "go {version}: {chain}: {said:?}");
            let has_empty = chain.split([',', '|']).any(str::is_empty);
            assert_eq!(
                said.contains(&"empty-entry"),
                has_empty,
                "{chain}: {said:?}"
            );
        }
    }
}

const INFO: &str = r#"{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z"}"#;

fn spelled(chain: &str, server: &str, folder: &Path) -> String {
    let folder = folder.display();
    let entry = |letter: char| match letter {
        'D' => "direct".to_owned(),
        'X' => "off".to_owned(),
        'R' => server.replace("127.0.0.1", "127.0.0.2") + "/R",
        'M' => format!("file://{folder}/full"),
        'K' => format!("file://{folder}/empty"),
        'J' => format!("file://{folder}/nowhere"),
        'A'..='Z' => format!("{server}/{letter}"),
        other => other.to_string(),
    };
    chain.chars().map(entry).collect()
}

/// Does this go find the module by the chain?
fn finds(go: &Path, chain: &str, folder: &Path) -> bool {
    let home = tempfile::tempdir_in(folder).unwrap();
    let out = Command::new(go)
        .args(["list", "-m", "example.test/m@v1.0.0"])
        .current_dir(home.path())
        .env_clear()
        .envs([
            ("GOENV", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOSUMDB", "off"),
        ])
        .envs([("GOVCS", "*:off"), ("GOFLAGS", "-modcacherw")])
        .envs([("HTTP_PROXY", ""), ("PATH", "/usr/bin:/bin")])
        .env("HOME", home.path())
        .env("GOPROXY", chain)
        .output()
        .unwrap();
    out.status.success()
}

/// The same by what goroam takes the chain to be.
fn walked(chain: &Chain, folder: &Path) -> bool {
    for hop in &chain.hops {
        let (has_it, is_missing) = match &hop.kind {
            HopKind::Proxy(url) => {
                let letter = url.chars().next_back();
                (
                    matches!(letter, Some('O' | 'P')),
                    matches!(letter, Some('N' | 'G')),
                )
            }
            HopKind::File(url) => {
                let has_it = url.starts_with(&format!("file://{}/full", folder.display()));
                (has_it, !has_it)
            }
            HopKind::Direct | HopKind::Off => return false,
        };
        if has_it {
            return true;
        }
        if hop.then != Some(Separator::Pipe) && !is_missing {
            return false;
        }
    }
    false
}

fn serve(mut stream: TcpStream) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let mut rest = String::new();
    while reader.read_line(&mut rest).is_ok_and(|read| read > 2) {
        rest.clear();
    }
    let path = line.split(' ').nth(1).unwrap_or_default();
    let status = match path.get(1..2) {
        Some("O" | "P") if path.ends_with(".info") && !path.contains(';') => "200 OK",
        Some("G") => "410 Gone",
        Some("E") => "500 Internal Server Error",
        Some("F") => "403 Forbidden",
        _ => "404 Not Found",
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{INFO}",
        INFO.len()
    );
}
