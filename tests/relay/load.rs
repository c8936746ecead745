//! Many clients at once, large files, long use, and a relay that is killed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::go::VERSIONS;
use crate::scene::{Relay, Scene, get, local, real_lab, wait_until};

/// A value of `/proc/PID/status`, in KiB or as it is.
fn status(relay: &Relay, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.child.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(relay: &Relay) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", relay.child.id()))
        .unwrap()
        .count()
}

fn head(relay: &Relay, path: &str) -> String {
    let (port, token) = (relay.port(), relay.token());
    format!("GET /{token}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
}

/// Opens a connection and sends a request on it.
fn ask(relay: &Relay, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(head(relay, path).as_bytes()).unwrap();
    stream
}

/// Reads a response to its end: its first line, and how long its body is.
fn read(mut stream: TcpStream) -> (String, usize) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let length = std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
    let line = String::from_utf8_lossy(&head)
        .lines()
        .next()
        .unwrap()
        .to_owned();
    (line, usize::try_from(length).unwrap())
}

/// A proxy that sends one body for every path, and counts.
struct Upstream {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Upstream {
    fn new(body: Vec<u8>, after: Duration) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (body, count) = (Arc::new(body), Arc::clone(&requests));
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (body, count) = (Arc::clone(&body), Arc::clone(&count));
                std::thread::spawn(move || serve(stream.unwrap(), &body, &count, after));
            }
        });
        Upstream { url, requests }
    }
}

fn serve(mut stream: TcpStream, body: &[u8], count: &AtomicUsize, after: Duration) {
    stream.set_nodelay(true).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(after);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all(answer.as_bytes()).is_err() || stream.write_all(body).is_err() {
            return;
        }
    }
}

/// A zip of one stored file of so many zero bytes (APPNOTE.TXT, 4.3).
pub(crate) fn zip(length: u32) -> Vec<u8> {
    let name = b"m.test@v1.0.0/zeros";
    let crc = !(0..length).fold(!0_u32, |crc, _| TABLE[(crc & 0xff) as usize] ^ (crc >> 8));
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend(crc.to_le_bytes());
    common.extend(length.to_le_bytes());
    common.extend(length.to_le_bytes());
    common.extend([name.len() as u8, 0, 0, 0]);
    let mut all = [b"PK\x03\x04", common.as_slice(), name].concat();
    all.resize(all.len() + length as usize, 0);
    let directory = all.len() as u32;
    all.extend([b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 14], name].concat());
    let size = all.len() as u32 - directory;
    all.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    all.extend([size.to_le_bytes(), directory.to_le_bytes()].concat());
    all.extend([0, 0]);
    all
}

/// Of CRC-32: what each byte does.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// As many descriptors as the system allows, for this process and the relay that it starts.
fn allow_many_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls read or write this one structure.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max.min(20_000);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

#[test]
fn equal_requests_at_the_same_time_are_one_request_of_the_proxy() {
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    let upstream = Upstream::new(zip(100_000), Duration::from_millis(500));
    let relay = client.relay(&upstream.url, "");
    let path = "/m.test/@v/v1.0.0.zip";
    let all: Vec<_> = (0..50).map(|_| ask(&relay, path)).collect();
    for stream in all {
        let (line, length) = read(stream);
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(length > 100_000, "{length}");
    }
    assert_eq!(upstream.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn a_thousand_clients_at_once_are_all_served() {
    allow_many_descriptors();
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    for number in 0..100 {
        client.user.write(
            &format!("tree/m.test/m{number}/@v/v1.0.0.mod"),
            format!("module m.test/m{number}\n"),
        );
    }
    let relay = client.relay(
        &format!("file://{}", client.user.path("tree").display()),
        "",
    );
    let start = Instant::now();
    let all: Vec<_> = (0..1000)
        .map(|number| ask(&relay, &format!("/m.test/m{}/@v/v1.0.0.mod", number % 100)))
        .collect();
    for stream in all {
        let (line, length) = read(stream);
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(length > 10);
    }
    println!("1,000 clients at once: {:.2?}", start.elapsed());
    assert!(
        status(&relay, "VmHWM:") <= 64 << 10,
        "{} KiB",
        status(&relay, "VmHWM:")
    );
}

#[test]
fn one_client_more_than_it_can_serve_is_told_so_at_once() {
    allow_many_descriptors();
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    client.user.write("tree/m.test/@v/list", "v1.0.0\n");
    let tree = client.user.path("tree");
    let relay = client.relay(&format!("file://{}", tree.display()), "");
    let path = "/m.test/@v/list";
    let mut idle: Vec<TcpStream> = Vec::new();
    while idle.len() < 2048 {
        idle.push(TcpStream::connect(("127.0.0.1", relay.port())).unwrap());
    }
    wait_until("all connections", || descriptors(&relay) > 2048);
    let start = Instant::now();
    let (line, _) = read(ask(&relay, path));
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    drop(idle);
    wait_until("the idle connections to be closed", || {
        descriptors(&relay) < 100
    });
    let (line, _) = read(ask(&relay, path));
    assert_eq!(line, "HTTP/1.1 200 OK");
}

#[test]
fn a_full_disk_is_an_answer_and_the_next_zip_that_fits_is_served() {
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    let state = client.user.path(".local/state/goroam/relay");
    std::fs::create_dir_all(&state).unwrap();
    // In a mount namespace of its own: all places that zips are stored in are small. go itself may
    // be in one of them.
    let small = client.user.path("small");
    std::fs::create_dir(&small).unwrap();
    let (state, small, lab) = (state.display(), small.display(), real_lab());
    let lab = lab.display();
    let small = format!(
        "mount -t tmpfs -o size=3m small {state} && mount -t tmpfs -o size=3m small {small} && \
         mkdir {small}/goroam-lab && mount --bind {lab} {small}/goroam-lab && \
         mount --rbind {small} /var/tmp && export TMPDIR={small}"
    );
    let can = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", &small])
        .output();
    if !can.is_ok_and(|can| can.status.success()) {
        println!("skipped: no mount namespace can be had");
        return;
    }
    let small_zip = Upstream::new(zip(1 << 20), Duration::ZERO);
    let large_zip = Upstream::new(zip(4 << 20), Duration::ZERO);
    for (upstream, expected) in [
        (&large_zip, "HTTP/1.1 502 Bad Gateway"),
        (&small_zip, "HTTP/1.1 200 OK"),
    ] {
        let relay = client.relay_after(&small, &upstream.url);
        for number in 0..3 {
            let answer = get(&relay, &format!("/m.test/m{number}/@v/v1.0.0.zip"));
            assert!(
                answer.starts_with(expected),
                "{}",
                answer.chars().take(300).collect::<String>()
            );
            if expected.contains("502") {
                assert!(answer.contains("No space left on device"), "{answer}");
            }
        }
    }
}

#[test]
fn a_hundred_large_zips_on_their_way_take_little_memory() {
    const LENGTH: u32 = 4 << 20;
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    let upstream = Upstream::new(zip(LENGTH), Duration::ZERO);
    let relay = client.relay(&upstream.url, "--first-byte 60s --stall 60s");
    let start = Instant::now();
    // Nobody reads before all have asked.
    let all: Vec<_> = (0..100)
        .map(|number| ask(&relay, &format!("/m.test/m{number}/@v/v1.0.0.zip")))
        .collect();
    for stream in all {
        let (line, length) = read(stream);
        assert_eq!(line, "HTTP/1.1 200 OK");
        assert!(length > LENGTH as usize);
    }
    let most = status(&relay, "VmHWM:");
    println!(
        "100 zips of 4 MiB at once: {:.2?}, {most} KiB",
        start.elapsed()
    );
    assert!(most <= 64 << 10, "{most} KiB");
}

#[test]
fn two_thousand_requests_leave_no_descriptor_and_no_memory_behind() {
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    let upstream = Upstream::new(b"module m.test\n".to_vec(), Duration::ZERO);
    let relay = client.relay(&upstream.url, "");
    let round = |count: usize| {
        // Twenty on each connection; some that are refused; some whose client leaves at once.
        for number in 0..count / 20 {
            let one = head(&relay, &format!("/m.test/m{number}/@v/v1.0.0.mod"));
            let open = one.replace("Connection: close\r\n", "");
            let refused = open.replace("/m.test/", "/../");
            let many = open.repeat(18) + &refused + &one;
            let mut stream = TcpStream::connect(("127.0.0.1", relay.port())).unwrap();
            stream.write_all(many.as_bytes()).unwrap();
            if number % 10 == 0 {
                continue;
            }
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            assert_eq!(answers.matches("module m.test\n").count(), 19);
        }
    };
    round(400);
    wait_until("connections to be closed", || descriptors(&relay) < 40);
    let (descriptors_before, memory_before) = (descriptors(&relay), status(&relay, "VmRSS:"));
    round(2000);
    wait_until("as many descriptors as before", || {
        descriptors(&relay) <= descriptors_before + 4
    });
    let memory = status(&relay, "VmRSS:");
    assert!(
        memory <= memory_before + 4096,
        "{memory_before} KiB, later {memory} KiB"
    );
}

#[test]
fn after_a_kill_in_the_middle_of_a_build_a_new_relay_has_the_same_url_and_go_ends_right() {
    let Some(scene) = Scene::start() else { return };
    for version in VERSIONS {
        let Some(client) = scene.client(version) else {
            return;
        };
        let slow = scene.bad(&format!("slow:0.0{}", version.len()));
        client.knows(&[&slow], &[]);
        let mut relay = client.relay(&slow, "");
        let url = relay.url.clone();
        let killed = std::thread::scope(|scope| {
            let building = scope.spawn(|| client.go_with(&url, "mod download", &[]));
            wait_until("some requests", || scene.asked(&slow).len() > 8);
            relay.child.kill().unwrap();
            relay.child.wait().unwrap();
            building.join().unwrap()
        });
        assert!(
            !killed.is_right(),
            "it was over before the relay was killed"
        );
        let again = client.relay(&slow, &format!("--listen 127.0.0.1:{}", relay.port()));
        assert_eq!(again.url, url);
        let ran = client.go(&again, "mod download");
        assert!(ran.is_right(), "{version}: {}", ran.said());
        // Nothing is left of what it was storing.
        let spool = client.user.path(".local/state/goroam/relay");
        assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 0);
        assert!(get(&again, "/metrics").contains("goroam_relay_requests_total"));
    }
}
