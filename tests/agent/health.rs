//! Turns as traces, and metrics: in a real OpenTelemetry collector, and in Prometheus.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::go;
use crate::resident::{Desk, Program, wait_until};

pub(crate) const SECRET: &str = "s3cret-0123456789";

/// The first profile holds while something listens at a port.
const POLICY: &str = r#"version = 1
[agent]
recheck = "off"
fall = 1
[telemetry]
otlp = "http://127.0.0.1:COLLECTOR/base"
headers = { authorization = "Bearer SECRET" }
[target.local]
listening = "127.0.0.1:LOCAL"
[[profile]]
name = "here"
when = { up = "local" }
env = { GOPROXY = "direct" }
[[profile]]
name = "away"
env = { GOPROXY = "off" }
"#;

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) struct Scene {
    pub(crate) desk: Desk,
    local: u16,
}

impl Scene {
    /// `base`: the path of the collector's URL.
    pub(crate) fn new(collector: u16, base: &str) -> Option<Scene> {
        let local = free_port();
        let policy = POLICY
            .replace("COLLECTOR/base", &format!("{collector}{base}"))
            .replace("LOCAL", &local.to_string())
            .replace("SECRET", SECRET);
        let desk = Desk::new(go::go(go::VERSIONS[2])?, &policy);
        Some(Scene { desk, local })
    }

    /// Makes the first profile hold.
    pub(crate) fn listen(&self) -> TcpListener {
        TcpListener::bind(("127.0.0.1", self.local)).unwrap()
    }

    pub(crate) fn once(&self) {
        self.desk.goroam("once").exits(0);
    }

    /// The journal's lines as they are.
    fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.desk.state("journal.jsonl")).unwrap();
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// Waits until `[telemetry]` in the status is as wanted.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait_until(what, || {
            let telemetry = self.desk.status()["telemetry"].clone();
            let is_so = is(&telemetry);
            is_so
                .then_some(telemetry.clone())
                .ok_or_else(|| telemetry.to_string())
        })
    }

    /// No file and no output has the secret, but for the policy and its copy.
    fn keeps_the_secret(&self, agent_log: &str) {
        assert!(!agent_log.contains(SECRET), "{agent_log}");
        for words in [
            "status --json",
            "status",
            "history --json",
            "metrics",
            "why",
            "check --layers",
            "check --layers --json",
        ] {
            let said = self.desk.goroam(words).exits(0).all();
            assert!(!said.contains(SECRET), "{words}: {said}");
        }
        for entry in std::fs::read_dir(self.desk.state("")).unwrap().flatten() {
            let is_copy = entry.file_name() == "policy.last.json";
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert!(is_copy || !text.contains(SECRET), "{:?}", entry.path());
        }
    }
}

/// A request as a server saw it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A server that answers every request with the same bytes; without any, it never answers.
pub(crate) struct Sink {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Mutex<String>>,
}

pub(crate) const ACCEPTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\
                       Connection: close\r\n\r\n{\"partialSuccess\":{}}";

impl Sink {
    pub(crate) fn start(port: u16, answer: &str) -> Sink {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let sink = Sink {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(answer.to_owned())),
        };
        let (seen, answer) = (Arc::clone(&sink.seen), Arc::clone(&sink.answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &seen, &answer));
            }
        });
        sink
    }

    pub(crate) fn answers(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, answer: &Mutex<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().ok())?
    });
    let mut body = vec![0; length?];
    reader.read_exact(&mut body).ok()?;
    seen.lock().unwrap().push(Seen { head, body });
    let answer = answer.lock().unwrap().clone();
    if answer.is_empty() {
        // Until the client gives up.
        let _ = reader.read(&mut [0]);
    }
    stream.write_all(answer.as_bytes()).ok()
}

/// What a script of the lab prints; `None`, with a line that says so, where it cannot.
fn of_lab(script: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lab")
        .join(script);
    let out = Command::new(path).output().unwrap();
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        println!("skipped: no {script} here: {}", said.trim());
        return None;
    }
    Some(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()))
}

/// A collector: it prints each span, and passes the metrics on to a server of the test.
struct Collector {
    _program: Program,
    port: u16,
    printed: PathBuf,
    metrics: Sink,
}

impl Collector {
    fn start(folder: &Path) -> Option<Collector> {
        let program = of_lab("collector")?;
        let (port, grpc) = (free_port(), free_port());
        let metrics = Sink::start(0, ACCEPTS);
        let printed = folder.join("collector.out");
        let here = |port: u16| format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command
            .args(["start", "--debug-log", "traces", "--debug-log-verbosity"])
            .args(["detailed", "--exporter", "otlp"])
            .args([
                "--otlp-exporter-protocol",
                "http",
                "--otlp-exporter-endpoint",
            ])
            .arg(format!("http://{}", here(metrics.port)))
            .args(["--otlp-http-endpoint", &here(port)])
            .args(["--otlp-grpc-endpoint", &here(grpc)])
            .arg("--pid-file")
            .arg(folder.join("collector.pid"))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&printed).unwrap())
            .stderr(Stdio::null());
        let program = Program(command.spawn().unwrap());
        wait_until("a collector that listens", || {
            let open = TcpStream::connect(("127.0.0.1", port));
            open.map(drop).map_err(|error| error.to_string())
        });
        Some(Collector {
            _program: program,
            port,
            printed,
            metrics,
        })
    }

    /// The turns that it has: trace id, number, profile and the hash of the journal's line.
    fn turns(&self) -> Vec<[String; 4]> {
        let text = std::fs::read_to_string(&self.printed).unwrap();
        let field = |span: &str, name: &str| {
            let mut lines = span.lines().map(str::trim);
            let found = lines.find_map(|line| line.trim_start_matches("-> ").strip_prefix(name));
            let value = found.unwrap_or_default().trim_start_matches([' ', ':']);
            let inner = value.split_once('(').map(|(_, rest)| rest);
            inner.unwrap_or(value).trim_end_matches(')').to_owned()
        };
        let spans = text.split("\nSpan #").skip(1);
        let turns = spans.filter(|span| field(span, "Name  ") == "goroam.turn");
        let names = [
            "Trace ID ",
            "goroam.turn.number",
            "goroam.profile:",
            "goroam.journal.hash",
        ];
        turns
            .map(|turn| names.map(|name| field(turn, name)))
            .collect()
    }

    /// The sum of the values of each counter in the newest metrics that it passed on, which need
    /// not come last.
    fn totals(&self) -> BTreeMap<String, u64> {
        let seen = self.metrics.seen();
        let metrics = seen.iter().filter(|one| one.head.contains("/v1/metrics"));
        let all = metrics.flat_map(|one| counters(&unpacked(&one.body)));
        let newest = all.max_by_key(|totals| totals.get("goroam.turns").copied());
        newest.unwrap_or_default()
    }
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(body).unwrap();
    gzip.wait_with_output().unwrap().stdout
}

/// The fields of a protobuf message: number and content; fixed numbers as eight bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                varint(&mut bytes);
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (content, rest) = bytes.split_at(length);
        fields.push((key >> 3, content));
        bytes = rest;
    }
    fields
}

/// The counters and the counts of the histograms of each export in an `ExportMetricsServiceRequest`
/// (opentelemetry/proto/metrics/v1/metrics.proto).
fn counters(request: &[u8]) -> Vec<BTreeMap<String, u64>> {
    let resources = all(request, 1);
    resources.map(counters_of).collect()
}

/// The contents of one field.
fn all(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    let all = fields(message).into_iter();
    all.filter(move |(field, _)| *field == number)
        .map(|(_, content)| content)
}

fn counters_of(resource: &[u8]) -> BTreeMap<String, u64> {
    let mut totals = BTreeMap::new();
    for metric in all(resource, 2).flat_map(|scope| all(scope, 2)) {
        let name = String::from_utf8(all(metric, 1).next().unwrap().to_vec()).unwrap();
        for (data, value) in [(7, 6), (9, 4)] {
            for point in all(metric, data).flat_map(|data| all(data, 1)) {
                // proto3 leaves a zero out.
                let value = all(point, value).next();
                let value = value.map(|value| u64::from_le_bytes(value.try_into().unwrap()));
                *totals.entry(name.clone()).or_default() += value.unwrap_or_default();
            }
        }
    }
    totals
}

#[test]
fn the_collectors_record_equals_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let Some(collector) = Collector::start(folder.path()) else {
        return;
    };
    let Some(scene) = Scene::new(collector.port, "") else {
        return;
    };
    let desk = &scene.desk;
    let agent = desk.agent();
    scene.once();
    let listener = scene.listen();
    scene.once();
    desk.wait_for("GOPROXY", Some("direct"));
    desk.goroam("use away").exits(0);
    desk.goroam("auto").exits(0);
    desk.go("env -w GOPROXY=https://joe:hidden@corp.test");
    wait_until("the drift is in the journal", || {
        let last = scene.journal().pop().unwrap();
        (last["cause"] == "drift")
            .then_some(())
            .ok_or(last.to_string())
    });
    drop(listener);
    scene.once();
    // A turn that fails.
    let path = ".config/goroam/goroam.toml";
    let policy = std::fs::read_to_string(desk.user.path(path)).unwrap();
    let broken = policy.replace("fall = 1", "fall = 1\ngo = \"/missing/go\"");
    desk.user.write(path, broken);
    desk.goroam("once").exits(3);

    let journal = scene.journal();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let expected = journal.iter().map(|line| {
        let profile = text(&line["decision"]["profile"]);
        let number = line["turn"].to_string();
        [text(&line["trace"]), number, profile, text(&line["hash"])]
    });
    let mut expected: Vec<[String; 4]> = expected.collect();
    expected.sort();
    wait_until("the collector has all turns", || {
        let mut turns = collector.turns();
        turns.sort();
        (turns == expected)
            .then_some(())
            .ok_or(format!("{turns:#?} instead of {expected:#?}"))
    });
    let count = |is: &dyn Fn(&Value) -> bool| journal.iter().filter(|line| is(line)).count() as u64;
    let is_switch = |line: &Value| {
        line["decision"]["profile"].is_string() && line["decision"]["profile"] != line["from"]
    };
    let probes = |is_up: bool| {
        let all = journal.iter().flat_map(|line| line["report"].as_array());
        let asked = all.flatten().filter(|seen| seen["began_ms"].is_number());
        asked
            .filter(|seen| (seen["verdict"] == "up") == is_up)
            .count() as u64
    };
    let totals = wait_until("the collector has all counts", || {
        let totals = collector.totals();
        let has_all = totals.get("goroam.turns") == Some(&(journal.len() as u64));
        has_all
            .then_some(totals.clone())
            .ok_or(format!("{totals:?} of {}", journal.len()))
    });
    for (name, want) in [
        ("goroam.switches", count(&is_switch)),
        ("goroam.switch.duration", count(&is_switch)),
        (
            "goroam.turn.failures",
            count(&|line| line["outcome"]["is"] == "failed"),
        ),
        ("goroam.probe.duration", probes(true)),
        ("goroam.probe.failures", probes(false)),
        ("goroam.export.dropped", 0),
    ] {
        assert_eq!(totals.get(name), Some(&want), "{name}: {totals:?}");
    }
    assert!(count(&is_switch) >= 4 && totals["goroam.turn.failures"] >= 1);
    assert!(totals["goroam.drift.changes"] >= 1, "{totals:?}");

    let status = scene.wait_for("all is sent", |telemetry| telemetry["queued"] == 0);
    assert_eq!(status["failed"], Value::Null, "{status}");
    assert_eq!(desk.status()["trace"], journal.last().unwrap()["trace"]);
    // The kind of the failure is with its turn.
    let failed = scene.journal().pop().unwrap();
    assert_eq!(failed["outcome"]["type"], "go_command", "{failed}");
    let printed = std::fs::read_to_string(&collector.printed).unwrap();
    assert!(printed.contains("-> error.type: Str(go_command)"));
    // `goroam metrics` counts the same.
    let metrics = desk.goroam("metrics").exits(0).stdout();
    let line = format!("goroam_switches_total {}\n", totals["goroam.switches"]);
    assert!(metrics.contains(&line), "{metrics}");
    let mut help = metrics.lines().filter(|line| line.starts_with("# HELP"));
    assert!(help.all(|line| line.ends_with('.')), "{metrics}");
    // Nothing names a host, a user or a link.
    let printed = std::fs::read_to_string(&collector.printed).unwrap();
    let home = desk.user.path("");
    for private in [
        home.to_str().unwrap(),
        "corp.test",
        "hidden",
        "127.0.0.1:",
        "eth0",
    ] {
        let spans = printed.split("ResourceSpans").skip(1);
        let named = spans.filter(|span| span.contains(private)).count();
        assert_eq!(named, 0, "{private}");
    }
    scene.keeps_the_secret(&agent.log());
}

#[test]
fn a_collector_that_misbehaves_delays_no_switch_and_loses_no_turn() {
    let port = free_port();
    let Some(scene) = Scene::new(port, "/base/") else {
        return;
    };
    let desk = &scene.desk;
    let agent = desk.agent();
    let failed = |why: &'static str| {
        scene.wait_for(why, |telemetry| {
            let failed = telemetry["failed"].as_str();
            failed.is_some_and(|failed| failed.contains(why))
        })
    };
    failed("refused");

    // It accepts the request, and then says nothing.
    let sink = Sink::start(port, "");
    scene.once();
    let _listener = scene.listen();
    let began = Instant::now();
    scene.once();
    assert_eq!(desk.line("GOPROXY").as_deref(), Some("direct"));
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    failed("no answer in 3 s");

    for (answer, why) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>log in",
            "a page",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
            "redirects (HTTP 302)",
        ),
        ("HTTP/1.1 504 Late\r\nContent-Length: 0\r\n\r\n", "HTTP 504"),
        ("\x16\x03junk\r\n\r\n", "not in HTTP"),
    ] {
        sink.answers(answer);
        scene.once();
        failed(why);
    }
    let waiting = scene.journal().len() as u64;
    let status = scene.wait_for("nothing is lost", |telemetry| {
        telemetry["queued"] == waiting
    });
    assert_eq!(status["dropped"], 0, "{status}");
    let said = desk.goroam("status").exits(0).stdout();
    assert!(said.contains("telemetry not sent: "), "{said}");

    // It is right again: one request has everything, in order.
    let before = sink.seen().len();
    sink.answers(ACCEPTS);
    scene.once();
    scene.wait_for("all is sent", |telemetry| {
        telemetry["queued"] == 0 && telemetry["failed"].is_null()
    });
    let seen = sink.seen().split_off(before);
    let paths: Vec<&str> = seen
        .iter()
        .map(|one| one.head.lines().next().unwrap())
        .collect();
    let post = |kind| format!("POST /base/v1/{kind} HTTP/1.1");
    assert_eq!(paths, [post("traces"), post("metrics")]);
    let bearer = format!("authorization: Bearer {SECRET}\r\n");
    assert!(
        seen.iter()
            .all(|one| one.head.to_lowercase().contains(&bearer.to_lowercase()))
    );
    let spans = &seen[0].json()["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let spans = spans.as_array().unwrap().iter();
    let turns = spans.filter(|span| span["name"] == "goroam.turn");
    let traces: Vec<&Value> = turns.map(|span| &span["traceId"]).collect();
    let journal = scene.journal();
    assert_eq!(
        traces,
        journal
            .iter()
            .map(|line| &line["trace"])
            .collect::<Vec<_>>()
    );
    assert!(!sink.seen().iter().any(|one| one.head.contains("elsewhere")));

    // What it refuses is dropped and counted.
    sink.answers("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
    scene.once();
    scene.wait_for("it is dropped", |telemetry| {
        telemetry["dropped"] == 1 && telemetry["queued"] == 0
    });
    // It asks for a pause, and gets it; a kill loses nothing that waits.
    sink.answers("HTTP/1.1 503 No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n");
    scene.once();
    failed("HTTP 503");
    let before = sink.seen().len();
    scene.once();
    scene.wait_for("both wait", |telemetry| telemetry["queued"] == 2);
    assert_eq!(sink.seen().len(), before);
    scene.keeps_the_secret(&agent.log());
    agent.signal("-KILL");
    drop(agent);
    assert_eq!(desk.status()["telemetry"]["queued"], 2);
    sink.answers(ACCEPTS);
    // Without an agent, the command sends it.
    scene.once();
    assert_eq!(desk.status()["telemetry"]["queued"], 0);
    let body = String::from_utf8(sink.seen()[before].body.clone()).unwrap();
    for line in scene.journal().iter().rev().take(3) {
        assert!(body.contains(line["trace"].as_str().unwrap()), "{body}");
    }
}

#[test]
fn a_policy_with_a_mistake_beside_the_secret_header_does_not_show_it() {
    let Some(scene) = Scene::new(free_port(), "") else {
        return;
    };
    let path = ".config/goroam/goroam.toml";
    let policy = std::fs::read_to_string(scene.desk.user.path(path)).unwrap();
    let mistake = policy.replace(
        "headers = { ",
        "headers = { \"no name\" = \"x\", host = \"y\", ",
    );
    scene.desk.user.write(path, mistake);
    for words in ["check", "check --layers", "check --json", "once", "agent"] {
        let said = scene.desk.goroam(words).exits(2).all();
        assert!(!said.contains(SECRET), "{words}: {said}");
        assert!(said.contains("header"), "{words}: {said}");
    }
    // The word itself is wrong.
    scene
        .desk
        .user
        .write(path, policy.replace("headers", "header"));
    for words in ["check", "check --layers", "once"] {
        let said = scene.desk.goroam(words).exits(2).all();
        assert!(said.contains("unknown key `header`"), "{words}: {said}");
        assert!(!said.contains(SECRET), "{words}: {said}");
    }
    let remote = policy.replace("http://127.0.0.1", "http://192.168.1.9");
    scene.desk.user.write(path, remote);
    let said = scene.desk.goroam("check").exits(2).all();
    assert!(said.contains("needs https"), "{said}");
}

/// The body of an answer to GET.
fn get(port: u16, path: &str) -> Result<String, String> {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().map_err(|error| error.to_string())
}

#[test]
fn prometheus_has_the_metrics_of_the_text_file() {
    let Some(bin) = of_lab("prometheus") else {
        return;
    };
    let Some(scene) = Scene::new(free_port(), "") else {
        return;
    };
    let desk = &scene.desk;
    let path = ".config/goroam/goroam.toml";
    let policy = std::fs::read_to_string(desk.user.path(path)).unwrap();
    let folder = desk.user.path("metrics");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("goroam.prom");
    let metrics = format!(
        "[metrics]\ntextfile = \"{}\"\n[target.local]",
        file.display()
    );
    let policy = policy.replace("[target.local]", &metrics);
    desk.user.write(
        path,
        policy.replace("otlp = \"http://127.0.0.1", "otlp = \"off\" # "),
    );
    scene.once();
    let listener = scene.listen();
    scene.once();
    drop(listener);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\ngoroam_switches_total 2\n"), "{text}");
    let mut promtool = Command::new(bin.join("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );

    let (exporter, server) = (free_port(), free_port());
    let run = |name: &str, args: &[String]| {
        let mut command = Command::new(bin.join(name));
        let quiet = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Program(quiet.stderr(Stdio::null()).spawn().unwrap())
    };
    let _exporter = run(
        "prometheus-node-exporter",
        &[
            "--collector.disable-defaults".to_owned(),
            "--collector.textfile".to_owned(),
            format!("--collector.textfile.directory={}", folder.display()),
            format!("--web.listen-address=127.0.0.1:{exporter}"),
        ],
    );
    desk.user.write(
        "prometheus.yml",
        format!(
            "scrape_configs:\n- job_name: node\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  \
             static_configs:\n  - targets: ['127.0.0.1:{exporter}']\n"
        ),
    );
    let _server = run(
        "prometheus",
        &[
            format!(
                "--config.file={}",
                desk.user.path("prometheus.yml").display()
            ),
            format!("--storage.tsdb.path={}", desk.user.path("tsdb").display()),
            format!("--web.listen-address=127.0.0.1:{server}"),
        ],
    );
    for (query, value) in [
        ("goroam_switches_total", "\"2\""),
        ("goroam_profile%7Bprofile=%22here%22%7D", "\"1\""),
        ("goroam_switch_duration_seconds_count", "\"2\""),
        ("node_textfile_scrape_error", "\"0\""),
    ] {
        wait_until(query, || {
            let answer = get(server, &format!("/api/v1/query?query={query}"))?;
            answer.contains(value).then_some(()).ok_or(answer)
        });
    }
    // A file that cannot be written is a problem that the status names.
    std::fs::remove_dir_all(&folder).unwrap();
    let said = desk.goroam("once").exits(0).all();
    assert!(said.contains("cannot write the metrics to"), "{said}");
}
