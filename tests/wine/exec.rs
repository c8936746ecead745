//! `goroam exec` on Windows, under Wine: a go that hangs is ended, what works by itself is not,
//! and nothing outlives whoever has started it.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wine::{Done, Wine, wait_for};
use crate::wine_helper::{count, helper};

const MODULE: &str = "example.com/hello@v1.0.0";

/// A proxy that accepts and says nothing: its URL, and its connections as they come.
fn silent() -> (String, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if tell.send(stream).is_err() {
                return;
            }
        }
    });
    (url, told)
}

/// Somebody with go, whose proxy says nothing, and with the module in the mirror.
fn user() -> Option<(Wine, Receiver<TcpStream>)> {
    let mut wine = Wine::get()?.with_go("1.27.3");
    wine.make_module("tree");
    wine.set("GONOSUMDB", "example.com");
    wine.set("GOFLAGS", "-modcacherw");
    wine.set("GOROAM_MIRROR", r"C:\mirror");
    let add = wine.goroam("mirror add").arg(MODULE);
    add.env("GOPROXY", "file:///C:/tree").exits(0);
    let (url, connections) = silent();
    wine.set("GOPROXY", url);
    wine.set("GOMODCACHE", r"C:\empty");
    Some((wine, connections))
}

#[track_caller]
fn summary(done: &Done) -> Value {
    let line = done.stderr.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(line.expect(&done.stderr)).expect(&done.stderr)
}

#[track_caller]
fn wait_until_no_go_is_left(wine: &Wine) {
    wait_for("no go that is left", || match count(wine, "go.exe") {
        0 => Ok(()),
        gos => Err(gos.to_string()),
    });
}

#[test]
fn a_silent_proxy_is_passed_over_in_time_and_the_mirror_saves_the_build() {
    let Some((wine, connections)) = user() else {
        return;
    };
    // Below another program, as make or a script would have it.
    let done = wine
        .goroam("exec --summary json --stall 2s -- cmd /d /c go mod download")
        .arg(MODULE)
        .exits(0);
    let last = summary(&done);
    assert_eq!(last["tier"], "mirror", "{last:#}");
    let first = &last["attempts"][0];
    assert_eq!(first["class"], "stalled", "{last:#}");
    assert!(connections.try_recv().is_ok(), "nobody has asked the proxy");
    let took = Duration::from_millis(first["ms"].as_u64().unwrap());
    // The limit for a first byte; afterwards the same go gets the module from the mirror.
    assert!(took >= Duration::from_secs(3), "{took:?}");
    let line = first["line"].as_str().unwrap();
    assert!(line.starts_with("no answer from 127.0.0.1:"), "{last:#}");
    assert_eq!(count(&wine, "go.exe"), 0);
    let brought = "empty/example.com/hello@v1.0.0/hello.go";
    assert!(wine.drive().join(brought).exists(), "{last:#}");
}

#[test]
fn what_takes_its_time_by_itself_is_left_alone_beside_a_silent_proxy() {
    let Some((wine, connections)) = user() else {
        return;
    };
    helper(&wine, "sid").exits(0);
    let line = format!("start /b go mod download {MODULE} & helper sleep 4000");
    wine.write("work.bat", format!("@{line}\r\n"));
    let begun = Instant::now();
    let done = wine
        .goroam(r"exec --summary json --stall 1s -- cmd /d /c C:\users\dev\work.bat")
        .env("PATHEXT", ".EXE")
        .exits(0);
    let last = summary(&done);
    assert_eq!(last["exit"], 0, "{last:#}");
    // One run: the proxy was silent, and the mirror served the same go.
    let attempts = last["attempts"].as_array().unwrap();
    assert!(
        attempts.iter().all(|one| one["ms"] == attempts[0]["ms"]),
        "{last:#}"
    );
    assert!(begun.elapsed() > Duration::from_secs(4));
    let _connection = connections.try_recv().expect("nobody has asked the proxy");
    wait_until_no_go_is_left(&wine);
}

#[test]
fn a_go_ends_with_the_goroam_that_is_killed_while_it_runs() {
    let Some((wine, connections)) = user() else {
        return;
    };
    wine.write(
        "w/go.mod",
        "module w.test\r\n\r\ngo 1.20\r\n\r\nrequire example.com/hello v1.0.0\r\n",
    );
    wine.write("w/go.sum", SUMS);
    wine.write(
        "w/w.go",
        "package w\r\n\r\nimport _ \"example.com/hello\"\r\n",
    );
    let other = r"C:\other mirror";
    for words in [
        format!("exec -- go mod download {MODULE}"),
        r"ready --fetch C:\users\dev\w".to_owned(),
        format!("mirror add {MODULE}"),
    ] {
        let running = wine.goroam(&words).env("GOROAM_MIRROR", other).start();
        let _connection = wait_for("a go that hangs", || {
            connections.try_recv().map_err(|_| running.said())
        });
        assert!(count(&wine, "go.exe") > 0, "{words}");
        wine.run("taskkill").args("/F /IM goroam.exe").exits(0);
        running.wait();
        wait_until_no_go_is_left(&wine);
    }
}

/// Of that module, as go itself writes them.
const SUMS: &str = "\
example.com/hello v1.0.0 h1:gOYS3MJvgd0FjqUNN/ViHaRIKZ2Nr8wg35QIUjncoJI=\nexample.com/hello v1.0.0/go.mod h1:/e89k18/YPK2tKb/SZ+fXRKQE7ccT7r6I4hbIHESRTc=\n";

#[test]
fn ctrl_c_ends_both_and_no_further_step_follows() {
    let Some((wine, connections)) = user() else {
        return;
    };
    helper(&wine, "sid").exits(0);
    let line = format!(r"C:\Program Files\goroam\goroam.exe exec -- go mod download {MODULE}");
    let pressed = wine.in_terminal(&format!(r"'C:\helper.exe' press 'C:\mark' '{line}'"));
    let pressed = pressed.start();
    let _connection = wait_for("a go that hangs", || {
        connections.try_recv().map_err(|_| pressed.said())
    });
    assert_eq!(count(&wine, "go.exe"), 1);
    std::fs::write(wine.drive().join("mark"), "").unwrap();
    let done = pressed.wait();
    assert!(!done.stdout.contains("mirror"), "{}", done.all());
    wait_until_no_go_is_left(&wine);
    assert!(!wine.drive().join("empty/example.com").exists());
}
