//! A relay whose loop is stuck.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use crate::go::VERSIONS;
use crate::scene::local;

/// The limit is 10 s; the machine may have other things to do.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn a_relay_that_waits_for_the_reader_of_its_log_ends_and_go_need_not_wait() {
    let Some(client) = local(VERSIONS[2]) else {
        return;
    };
    // Nobody reads the log; once the pipe is full, to write one more line takes for ever.
    let (_reader, log) = std::io::pipe().unwrap();
    let mut relay = client.relay_with_log("file:///nowhere", log);
    let port = relay.port();
    let connect = || TcpStream::connect(("127.0.0.1", port));
    let mut streams = Vec::new();
    let mut silent = loop {
        let mut stream = connect().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        stream.write_all(b"no request\r\n\r\n").unwrap();
        // Refused, and said so in the log.
        if stream.read(&mut [0; 1024]).is_err() {
            break stream;
        }
        streams.push(stream);
        assert!(streams.len() < 4000, "its log is never full");
    };
    let begun = Instant::now();
    silent.set_read_timeout(Some(LONGEST)).unwrap();
    let end = silent.read(&mut [0; 1024]);
    println!(
        "stuck, and ended after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    assert!(begun.elapsed() < LONGEST, "{end:?}");
    assert_eq!(relay.child.wait().unwrap().signal(), Some(libc::SIGALRM));
    assert!(connect().is_err());
}
