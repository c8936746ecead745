//! A proxy that hangs is given up in time, a git that hangs is ended, and what only takes its time
//! is left alone. Real go, servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::exec_project::Project;
use crate::go;

/// What a limit may be exceeded by on a busy machine; tests/lab_exec holds it to two seconds.
const SLACK: Duration = Duration::from_secs(5);
const INFO: &str = r#"{"Version":"v1.1.0","Time":"2024-01-01T00:00:00Z"}"#;
const MOD: &str = "module example.com/m\n";

/// Serves each connection on a thread of its own; its address.
fn serve(answer: fn(TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}")
}

/// Reads a request; what it asks for.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    Some(head.split(' ').nth(1)?.to_owned())
}

fn answer(stream: &mut TcpStream, body: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    drop(stream.write_all((head + body).as_bytes()));
}

/// Until the other end has had enough.
fn hold(mut stream: TcpStream) {
    drop(stream.read_to_end(&mut Vec::new()));
}

/// A project that needs a module.
struct Desk(Project);

impl Desk {
    fn new(version: &str) -> Option<Desk> {
        let program = "package main\n\nfunc main() {}\n";
        let project = Project::new(version, "example.com/m v1.1.0", program)?;
        for module in [
            "example.com/m/@v/v1.1.0",
            "example.com/m/@v/v1.1.1",
            "github.com/some/thing/@v/v1.0.0",
        ] {
            for (end, body) in [("info", INFO), ("mod", MOD), ("zip", "")] {
                project.user.write(&format!("mirror/{module}.{end}"), body);
            }
        }
        // A vendor folder that could do better, so that a go that hangs is ended.
        let listed = "# example.com/m v1.1.0\n## explicit\n";
        project.user.write("w/vendor/modules.txt", listed);
        Some(Desk(project))
    }

    /// `goroam exec ARGS -- COMMAND`, through a shell.
    fn exec(&self, proxy: &str, args: &str, script: &str) -> Command {
        let mirror = self.0.user.path("mirror");
        let args = format!("--summary json --mirror {} {args}", mirror.display());
        self.0.exec(proxy, &args, &["sh", "-c", script])
    }

    /// Its summary, and how long it took.
    #[track_caller]
    fn ends(&self, proxy: &str, args: &str, script: &str) -> (Value, Duration) {
        let mirror = self.0.user.path("mirror");
        let args = format!("--mirror {} {args}", mirror.display());
        let told = self.0.told(proxy, &args, &["sh", "-c", script]);
        (told.summary, told.took)
    }
}

const DOWNLOAD: &str = "exec go mod download example.com/m@v1.1.0";

#[test]
fn a_proxy_that_hangs_is_given_up_within_its_limit() {
    let limits = "--tiers proxy,mirror --connect 1s --first-byte 1s --stall 2s";
    type Mode = (&'static str, fn(TcpStream), u64);
    let modes: [Mode; 4] = [
        ("accepts and says nothing", hold, 1),
        (
            "headers, then silence",
            |mut stream| {
                request(&mut stream);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"));
                hold(stream);
            },
            2,
        ),
        (
            "a body that stops half-way",
            |mut stream| {
                request(&mut stream);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"Ver"));
                hold(stream);
            },
            2,
        ),
        (
            "the second request on a connection",
            |mut stream| {
                request(&mut stream);
                answer(&mut stream, INFO);
                hold(stream);
            },
            1,
        ),
    ];
    for version in [go::VERSIONS[0], go::VERSIONS[2]] {
        for (what, mode, limit) in modes {
            let Some(desk) = Desk::new(version) else {
                return;
            };
            let (summary, took) = desk.ends(&serve(mode), limits, DOWNLOAD);
            let attempt = &summary["attempts"][0];
            assert_eq!(attempt["class"], "stalled", "{version}, {what}: {summary}");
            assert_eq!(
                summary["attempts"][1]["tier"], "mirror",
                "{version}, {what}: {summary}"
            );
            let limit = Duration::from_secs(limit);
            assert!(
                took >= limit && took < limit + SLACK,
                "{version}, {what}: {took:?}"
            );
        }
    }
}

/// A proxy with a cold cache: four seconds to the first byte.
fn slow(mut stream: TcpStream) {
    while let Some(path) = request(&mut stream) {
        std::thread::sleep(Duration::from_secs(4));
        let body = if path.ends_with(".info") { INFO } else { MOD };
        answer(&mut stream, body);
    }
}

#[test]
fn a_slow_proxy_is_waited_for_where_nothing_else_has_the_file() {
    let script = "exec go list -m example.com/m@v1.1.0";
    for args in ["--tiers proxy", "--mirror other"] {
        let Some(desk) = Desk::new(go::VERSIONS[2]) else {
            return;
        };
        desk.0.user.write("w/other/a.test/x/@v/v1.0.0.zip", "");
        let told = desk.0.told(&serve(slow), args, &["sh", "-c", script]);
        let attempts = told.summary["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{}", told.said);
        assert_eq!(attempts[0]["class"], "ok", "{}", told.said);
    }
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let (summary, _) = desk.ends(&serve(slow), "--first-byte 1s", script);
    assert_eq!(summary["attempts"][0]["class"], "stalled", "{summary}");
    assert_eq!(summary["tier"], "mirror", "{summary}");
}

#[test]
fn a_tls_server_that_never_shakes_hands_has_the_limit_of_a_connection() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let proxy = serve(hold).replace("http:", "https:");
    let (summary, took) = desk.ends(&proxy, "--tiers proxy,mirror --connect 1s", DOWNLOAD);
    assert_eq!(summary["attempts"][0]["class"], "timeout", "{summary}");
    assert!(took < Duration::from_secs(1) + SLACK, "{took:?}");
}

#[test]
fn a_hang_below_make_and_a_pipe_is_found_too() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let makefile = "all:\n\t@go mod download example.com/m@v1.1.0 2>&1 | tee log\n";
    desk.0.user.write("w/Makefile", makefile);
    let (summary, took) = desk.ends(&serve(hold), "--tiers proxy,mirror --first-byte 1s", "make");
    assert_eq!(summary["attempts"][0]["class"], "stalled", "{summary}");
    assert!(took < Duration::from_secs(1) + SLACK, "{took:?}");
}

/// A vendored project whose git hangs; `None`, and said so, where there is no git.
fn with_git_that_hangs() -> Option<Desk> {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: there is no git here");
        return None;
    }
    let desk = Desk::new(go::VERSIONS[2])?;
    let host = serve(hold).replace("http://", "");
    desk.0.user.write(
        ".gitconfig",
        format!("[url \"http://{host}/\"]\n\tinsteadOf = https://github.com/\n"),
    );
    Some(desk)
}

const GIT_LIMIT: &str = "--tiers proxy,vendor --first-byte 1s";

#[test]
fn a_go_whose_git_hangs_is_ended_if_the_vendor_folder_could_do_better() {
    let Some(desk) = with_git_that_hangs() else {
        return;
    };
    // The command itself does not name the module, so the vendor folder may hold it.
    let script = "[ $GOROAM_TIER = vendor ] || exec go mod download github.com/some/thing@v1.0.0\n";
    desk.0.user.write("w/script", script);
    let (summary, took) = desk.ends("direct", GIT_LIMIT, ". ./script");
    assert_eq!(summary["attempts"][0]["class"], "stalled", "{summary}");
    assert_eq!(summary["attempts"][0]["tier"], "direct", "{summary}");
    assert_eq!(summary["tier"], "vendor", "{summary}");
    assert!(took < Duration::from_secs(1) + SLACK, "{took:?}");
}

#[test]
fn the_whole_group_is_gone_before_the_next_step() {
    let Some(desk) = with_git_that_hangs() else {
        return;
    };
    // In the first step go hangs, beside somebody who does not end when asked to; the second
    // step looks for both. A dead one that nobody has collected (in a container without an
    // init) is gone: it holds no lock.
    let script = "if [ $GOROAM_TIER = proxy ]; then \
           (trap '' TERM; sh -c 'echo $PPID' >>pids; exec tail -f /dev/null) & \
           go mod download github.com/some/thing@v1.0.0 & echo $! >>pids; wait; \
         else \
           for pid in $(cat pids); do grep -h '^State:.[^ZX]' /proc/$pid/status 2>/dev/null; done; \
           wc -l <pids; \
         fi";
    desk.0.user.write("w/script", script);
    let done = desk
        .exec("direct", GIT_LIMIT, ". ./script")
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said, "2\n", "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.status.code(), Some(0));
}

/// Serves the module as it is, over connections that are kept open.
fn good(mut stream: TcpStream) {
    while let Some(path) = request(&mut stream) {
        if path.ends_with(".info") {
            answer(&mut stream, INFO);
        } else if path.ends_with(".mod") {
            answer(&mut stream, MOD);
        } else {
            drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
        }
    }
}

/// A server that sends the same in small pieces: so many bytes every 250 ms.
fn in_pieces(mut stream: TcpStream, bytes: usize) {
    while let Some(path) = request(&mut stream) {
        let body = match path.ends_with(".info") {
            true => format!("{INFO}{}", " ".repeat(12 * bytes)),
            false => format!("{MOD}{}", "\n".repeat(bytes)),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        drop(stream.write_all(head.as_bytes()));
        for piece in body.as_bytes().chunks(bytes) {
            std::thread::sleep(Duration::from_millis(250));
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    }
}

const SHORT: &str = "--tiers proxy,vendor --connect 1s --first-byte 1s --stall 1s";

#[test]
fn a_slow_link_is_progress_and_a_trickle_is_none() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let script = "exec go list -m example.com/m@v1.1.0";
    let slow = serve(|stream| in_pieces(stream, 2000));
    let (summary, took) = desk.ends(&slow, SHORT, script);
    assert_eq!(summary["attempts"][0]["class"], "ok", "{summary}");
    assert!(took > Duration::from_secs(3), "{took:?}");
    // By itself it would end after eleven minutes.
    let trickle = serve(|stream| in_pieces(stream, 20));
    let limits = "--tiers proxy,mirror --stall 3s";
    let (summary, took) = desk.ends(&trickle, limits, "exec go list -m example.com/m@v1.1.1");
    assert_eq!(summary["attempts"][0]["class"], "stalled", "{summary}");
    assert!(took < Duration::from_secs(3) + SLACK, "{took:?}");
}

#[test]
fn what_takes_its_time_by_itself_is_left_alone() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let slow = "package main\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n\n\
                func TestSlow(t *testing.T) { time.Sleep(4 * time.Second) }\n";
    desk.0.user.write("w/w_test.go", slow);
    desk.0.user.write(
        "w/serve/serve.go",
        "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(4 * time.Second) }\n",
    );
    desk.0
        .user
        .write("w/gen.go", "package main\n\n//go:generate sleep 4\n");
    desk.0
        .user
        .write("w/Makefile", "all:\n\t@go version; sleep 4\n");
    // go asks for a connection (which hangs or is kept) beside something that works.
    let proxy = serve(good);
    let scripts = [
        "go test .",
        "go run ./serve",
        "go generate",
        "make",
        "sleep 4",
        "GOPROXY=$GOOD go list -m example.com/m@v1.1.0; sleep 4",
        // Two at once, one of them stuck for as long as the other one works.
        "GOPROXY=$HANG timeout 4 go list -m example.com/m@v1.1.0 & sleep 5",
    ];
    let run = &|script: &str| {
        let begun = Instant::now();
        let mut command = desk.exec(&proxy, SHORT, script);
        let done = command
            .env("GOOD", &proxy)
            .env("HANG", serve(hold))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains("\"class\":\"ok\""), "{script}: {said}");
        assert!(begun.elapsed() > Duration::from_secs(4), "{script}");
    };
    std::thread::scope(|scope| {
        for script in scripts {
            scope.spawn(move || run(script));
        }
    });
}

#[test]
fn a_go_that_waits_for_its_reader_or_a_lock_with_idle_connections_is_left_alone() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let proxy = serve(good);
    // More than a pipe holds, so that go waits for the reader.
    let format = "{{printf \"%99999s\" .Path}}";
    let go = format!("go list -m -f '{format}' example.com/m@v1.1.0");
    // Past the relay, so that the connections are go's own.
    let list = format!("GOPROXY={proxy} {go} | (sleep 4; wc -c)");
    let begun = Instant::now();
    let (summary, _) = desk.ends(&proxy, SHORT, &list);
    assert_eq!(summary["attempts"][0]["class"], "ok", "{summary}");
    assert!(begun.elapsed() > Duration::from_secs(4));
    // The `sleep` there is at work by itself. Here go is the only one who waits.
    let (mut out, reader) = {
        let (out, write) = std::io::pipe().unwrap();
        (out, write)
    };
    let script = format!("GOPROXY={proxy} exec {go}");
    let mut child = desk
        .exec(&proxy, SHORT, &script)
        .stdout(reader)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(4));
    std::thread::spawn(move || drop(out.read_to_end(&mut Vec::new())));
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    assert!(said.contains("\"class\":\"ok\""), "{said}");
}

#[test]
fn go_dies_with_us_when_we_are_killed_outright() {
    let Some(desk) = Desk::new(go::VERSIONS[2]) else {
        return;
    };
    let exec = desk.exec(&serve(hold), "--tiers proxy", DOWNLOAD);
    let add = desk.0.user.goroam("mirror add example.com/m@v1.1.0");
    let mut add = add.command();
    let variables = exec.get_envs().filter(|(name, _)| *name != "GOFLAGS");
    add.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    for command in [exec, add] {
        go_ends_with(command);
    }
}

fn go_ends_with(mut command: Command) {
    command.process_group(0).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let own = child.id();
    let go_of = |parent: u32| {
        let out = Command::new("pgrep")
            // Not the `go env` that comes before.
            .args(["-P", &parent.to_string(), "-f", "mod download"])
            .output()
            .unwrap();
        String::from_utf8(out.stdout)
            .unwrap()
            .trim()
            .parse::<u32>()
            .ok()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let go = loop {
        if let Some(go) = go_of(own) {
            break go;
        }
        assert!(Instant::now() < deadline);
    };
    std::thread::sleep(Duration::from_millis(500));
    child.kill().unwrap();
    child.wait().unwrap();
    let stat = PathBuf::from(format!("/proc/{go}/stat"));
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "go lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}
