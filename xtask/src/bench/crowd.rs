//! Many clients of the relay at once, and many large zips.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::scene::{Relay, User};
use crate::run::{self, Result};

const CLIENTS: usize = 1000;
const ZIPS: usize = 100;
/// The length of the file in each zip.
const LENGTH: u32 = 100_000_000;
/// Nobody waits longer for a byte.
const SILENCE: Duration = Duration::from_secs(300);

/// Prints how long a thousand clients wait, and what a hundred zips of 100 MB cost.
pub fn crowd(goroam: &Path, user: &User) -> Result {
    // Two of this process for each client: its own, and the other end's of the upstream.
    let own = std::process::id().to_string();
    run::output(Command::new("prlimit").args(["--nofile=8192", "--pid", &own]))?;
    let url = upstream()?;
    let relay = user.relay(goroam, &url, "--first-byte 60s --stall 60s")?;
    eprintln!("relay: {CLIENTS} clients");
    let small = all(&relay, CLIENTS, ".mod")?;
    let first = relay.status("VmHWM:")?;
    drop(relay);
    let relay = user.relay(goroam, &url, "--first-byte 60s --stall 60s")?;
    eprintln!("relay: {ZIPS} zips of {LENGTH} bytes");
    let large = all(&relay, ZIPS, ".zip")?;
    let most = relay.status("VmHWM:")?;
    println!("| goroam relay, at once | seconds | VmHWM |\n| --- | ---: | ---: |");
    println!(
        "| {CLIENTS} clients, one go.mod each | {:.2} | {first} kB |",
        small.as_secs_f64()
    );
    let megabytes = ZIPS * usize::try_from(LENGTH).unwrap_or(0) / 1_000_000;
    println!(
        "| {ZIPS} zips, {megabytes} MB together | {:.1} | {most} kB |\n",
        large.as_secs_f64()
    );
    Ok(())
}

/// All ask before one reads. How long until the last one has its whole file.
fn all(relay: &Relay, clients: usize, end: &str) -> Result<Duration> {
    let failed = |err: std::io::Error| format!("a client: {err}");
    let start = Instant::now();
    let streams: std::io::Result<Vec<TcpStream>> = (0..clients)
        .map(|number| {
            let mut stream = TcpStream::connect(relay.address())?;
            stream.set_read_timeout(Some(SILENCE))?;
            let (_, token) = relay.url.rsplit_once('/').unwrap_or_default();
            write!(
                stream,
                "GET /{token}/m.test/m{number}/@v/v1.0.0{end} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                relay.address()
            )?;
            Ok(stream)
        })
        .collect();
    let streams = streams.map_err(failed)?;
    std::thread::scope(|scope| {
        let readers: Vec<_> = streams
            .into_iter()
            .map(|stream| scope.spawn(move || whole(stream)))
            .collect();
        readers.into_iter().try_for_each(|reader| {
            let read = reader.join().map_err(|_| "a client panicked".to_owned())?;
            read.map_err(failed)
        })
    })?;
    Ok(start.elapsed())
}

/// Reads a response, which must be a 200 with the whole body.
fn whole(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), None);
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(std::io::Error::other(line));
    }
    while !line.trim().is_empty() {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    let read = std::io::copy(&mut stream, &mut std::io::sink())?;
    match Some(read) == length {
        true => Ok(()),
        false => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A proxy that has every module: one go.mod, and one zip. Ends with this process.
fn upstream() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|err| err.to_string())?;
    let address = listener.local_addr().map_err(|err| err.to_string())?;
    let (front, back) = zip();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (front, back) = (front.clone(), back.clone());
            // A client that has had enough ends it.
            std::thread::spawn(move || drop(serve(stream, &front, &back)));
        }
    });
    Ok(format!("http://{address}"))
}

fn serve(mut stream: TcpStream, front: &[u8], back: &[u8]) -> std::io::Result<()> {
    const GO_MOD: &str = "module m.test\n";
    const ZEROS: &[u8] = &[0; 64 << 10];
    let mut requests = BufReader::new(stream.try_clone()?);
    stream.set_nodelay(true)?;
    loop {
        let (mut first, mut line) = (String::new(), String::new());
        if requests.read_line(&mut first)? == 0 {
            return Ok(());
        }
        while line.trim_end() != "" || line.is_empty() {
            line.clear();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        if !first.contains(".zip ") {
            let length = GO_MOD.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{GO_MOD}"
            )?;
            continue;
        }
        let zeros = u64::from(LENGTH);
        let length = u64::try_from(front.len() + back.len()).unwrap_or(0) + zeros;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        )?;
        stream.write_all(front)?;
        let mut left = zeros;
        while left > 0 {
            let piece = left.min(u64::try_from(ZEROS.len()).unwrap_or(left));
            std::io::copy(&mut ZEROS.take(piece), &mut stream)?;
            left -= piece;
        }
        stream.write_all(back)?;
    }
}

/// What comes before and after the bytes of a zip with one stored file of zeros (APPNOTE.TXT, 4.3).
fn zip() -> (Vec<u8>, Vec<u8>) {
    let name = b"m.test@v1.0.0/zeros";
    let crc = !(0..LENGTH).fold(!0_u32, |crc, _| TABLE[(crc & 0xff) as usize] ^ (crc >> 8));
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    for number in [crc, LENGTH, LENGTH] {
        common.extend(number.to_le_bytes());
    }
    common.extend([name.len() as u8, 0, 0, 0]);
    let front = [b"PK\x03\x04", common.as_slice(), name].concat();
    let directory = [b"PK\x01\x02\x14\x00", common.as_slice(), &[0; 14], name].concat();
    let mut back = directory.clone();
    back.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    back.extend((directory.len() as u32).to_le_bytes());
    back.extend((front.len() as u32 + LENGTH).to_le_bytes());
    back.extend([0, 0]);
    (front, back)
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
