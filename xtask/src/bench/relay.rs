//! Measures `goroam relay` beside nginx on the same tree, with one load generator. They run in turn,
//! several times, so that other load on the machine affects both.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::scene::User;
use super::{builds, crowd, idle, stats};
use crate::lab;
use crate::run::{self, Result};

/// nginx of `tests/lab/proxy`, which serves the public tree.
const NGINX: &str = "http://127.0.0.1:8080";
/// Connections at a time.
const CONNECTIONS: usize = 8;
/// How long one round of throughput takes.
const ROUND: Duration = Duration::from_secs(3);
/// Requests of one round of latency.
const REQUESTS: usize = 1000;
/// After the last connection a server may still tidy up.
const LATE: Duration = Duration::from_secs(5);

/// Where requests are sent.
struct Base {
    address: String,
    prefix: String,
}

impl Base {
    fn of(url: &str) -> Base {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let (address, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("/{prefix}")
        };
        Base {
            address: address.to_owned(),
            prefix,
        }
    }
}

/// Prints throughput from a mirror, what a pass-through costs, and what an idle relay costs.
pub fn relay(goroam: &Path, runs: u64, seconds: u64) -> Result {
    for missing in lab::prepare(false) {
        eprintln!("lab: {missing}");
    }
    let alone = lab::lock()?;
    run::output(lab::script("proxy").arg("start"))?;
    let tree = lab::dir().join("tree/public");
    let all = files(&tree)?;
    let nginx = Base::of(NGINX);
    let (user, other) = (User::alone()?, User::alone()?);
    let mirror = user.relay(goroam, &format!("file://{}", tree.display()), "")?;
    let through = other.relay(goroam, NGINX, "")?;
    let (of_mirror, of_through) = (Base::of(&mirror.url), Base::of(&through.url));

    eprintln!("relay: {runs} rounds of throughput and of latency");
    let ours = || throughput(&of_mirror, &all);
    let yardstick = || throughput(&nginx, &all);
    let (ours, yardstick) = in_turn(runs, ours, yardstick)?;
    let small = first(&all, ".mod")?;
    let ours_small = || latency(&of_through, small);
    let yardstick_small = || latency(&nginx, small);
    let (slower, direct) = in_turn(runs, ours_small, yardstick_small)?;

    eprintln!("relay: idle for {seconds} s");
    std::thread::sleep(LATE);
    let before = idle::switches(&mirror.proc())?;
    std::thread::sleep(Duration::from_secs(seconds));
    let after = idle::switches(&mirror.proc())?;
    let status = fs::read_to_string(mirror.proc().join("status")).map_err(|err| err.to_string())?;

    println!("| goroam relay | | nginx | |\n| --- | ---: | ---: | ---: |");
    println!(
        "| mirror, {CONNECTIONS} connections | {ours:.0} MB/s | {yardstick:.0} MB/s | ratio {:.2} |",
        ours / yardstick
    );
    println!(
        "| a go.mod passed through, median | {slower:.2} ms | {direct:.2} ms | + {:.2} ms |",
        slower - direct
    );
    let woken = after.0.saturating_sub(before.0);
    println!("| wake-ups, idle for {seconds} s | {woken} | | |");
    let field = |name| idle::field(&status, name).unwrap_or("?");
    println!("| VmRSS | {} kB | | |", field("VmRSS:"));
    println!("| VmHWM | {} kB | | |\n", field("VmHWM:"));
    run::output(lab::script("proxy").arg("stop"))?;
    drop((mirror, through));
    crowd::crowd(goroam, &user)?;
    builds::builds(goroam, runs)?;
    drop(alone);
    Ok(())
}

/// The medians of two measurements that alternate.
fn in_turn(
    runs: u64,
    one: impl Fn() -> Result<f64>,
    other: impl Fn() -> Result<f64>,
) -> Result<(f64, f64)> {
    let mut values = (Vec::new(), Vec::new());
    for _ in 0..runs {
        values.0.push(one()?);
        values.1.push(other()?);
    }
    let median = |values: &[f64]| stats::median(values).ok_or("no round");
    Ok((median(&values.0)?, median(&values.1)?))
}

/// The paths of all files of a tree that a proxy serves.
fn files(tree: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_served = [".zip", ".mod", ".info"].iter();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if is_served.clone().any(|end| name.ends_with(end)) {
                let below = path.strip_prefix(tree).unwrap_or(&path);
                found.push(format!("/{}", below.display()));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn first<'a>(all: &'a [String], end: &str) -> Result<&'a str> {
    let found = all.iter().find(|path| path.ends_with(end));
    found
        .map(String::as_str)
        .ok_or_else(|| format!("the lab has no {end}"))
}

/// Megabytes a second of all files, one after another on each connection.
fn throughput(base: &Base, all: &[String]) -> Result<f64> {
    let start = Instant::now();
    let bytes = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..CONNECTIONS)
            .map(|lane| {
                scope.spawn(move || {
                    let mut client = Client::connect(base)?;
                    let mut bytes = 0;
                    for path in all.iter().cycle().skip(lane * all.len() / CONNECTIONS) {
                        bytes += client.get(path)?;
                        if start.elapsed() >= ROUND {
                            break;
                        }
                    }
                    Ok(bytes)
                })
            })
            .collect();
        let ended = lanes.into_iter().map(|lane| {
            let ended: Result<u64> = lane.join().map_err(|_| "a client panicked".to_owned())?;
            ended
        });
        ended.sum::<Result<u64>>()
    })?;
    Ok(bytes as f64 / 1e6 / start.elapsed().as_secs_f64())
}

/// The median time of one request, in milliseconds.
fn latency(base: &Base, path: &str) -> Result<f64> {
    let mut client = Client::connect(base)?;
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let start = Instant::now();
        client.get(path)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    stats::median(&times).ok_or_else(|| "no request".to_owned())
}

/// One connection.
struct Client<'a> {
    base: &'a Base,
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
    /// The server ends the connection: nginx does after a thousand requests.
    is_over: bool,
}

impl<'a> Client<'a> {
    fn connect(base: &'a Base) -> Result<Client<'a>> {
        let failed = |err: std::io::Error| format!("{}: {err}", base.address);
        let stream = TcpStream::connect(&base.address).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Client {
            base,
            stream: BufReader::with_capacity(256 << 10, stream),
            body: Vec::new(),
            is_over: false,
        })
    }

    /// The length of a file, which is read and thrown away.
    fn get(&mut self, path: &str) -> Result<u64> {
        if self.is_over {
            *self = Client::connect(self.base)?;
        }
        let Base { address, prefix } = self.base;
        let path = path.replace('!', "%21");
        let head = format!("GET {prefix}{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        self.exchange(&head)
            .map_err(|err| format!("{address}{path}: {err}"))
    }

    fn exchange(&mut self, head: &str) -> std::io::Result<u64> {
        self.stream.get_mut().write_all(head.as_bytes())?;
        let (mut length, mut line) = (0, String::new());
        let mut is_first = true;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if std::mem::take(&mut is_first) && !line.starts_with("HTTP/1.1 200 ") {
                return Err(std::io::Error::other(line));
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            self.is_over |= lower.trim() == "connection: close";
            if line.trim().is_empty() {
                break;
            }
        }
        self.body.clear();
        let read = (&mut self.stream)
            .take(length)
            .read_to_end(&mut self.body)?;
        match u64::try_from(read) {
            Ok(read) if read == length => Ok(length),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Base;

    #[test]
    fn a_url_is_an_address_and_a_prefix() {
        let base = Base::of("http://127.0.0.1:80/token");
        assert_eq!(
            (base.address.as_str(), base.prefix.as_str()),
            ("127.0.0.1:80", "/token")
        );
        assert_eq!(Base::of("http://127.0.0.1:80").prefix, "");
    }
}
