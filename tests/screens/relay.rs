//! `goroam relay`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{screen, screen_with_go};

#[test]
fn help_and_why_it_does_not_start() {
    let user = User::new();
    assert_snapshot!(screen(&user, "relay -h"), @r"
    $ goroam relay -h
    Serve a local module proxy that fails over by itself

    Usage: goroam relay [OPTIONS]

    Options:
          --listen <ADDRESS>   Address to listen on; only 127.0.0.1 [default:
                               127.0.0.1:0]
          --chain <VALUE>      Chain to walk, as in GOPROXY [default: that of `go
                               env`]
          --connect <TIME>     Time limit for a connection [default: 3s]
          --first-byte <TIME>  Time limit for the first byte [default: 3s; 60s where
                               no other proxy can answer]
          --stall <TIME>       Give up a download that has been silent for this time
                               [default: 10s]
          --retries <NUMBER>   Further attempts after a fast failure [default: 2]
          --deadline <TIME>    Time limit for one request [default: 10m]
      -h, --help               Print help (see more with '--help')

    Options of every verb:
          --config <FILE>  Policy file [env: GOROAM_CONFIG] [default: goroam.toml in
                           the config directory]
          --color <WHEN>   When to use colours; NO_COLOR and CLICOLOR_FORCE also
                           count [default: auto] [possible values: auto, always,
                           never]
      -v, --verbose...     Log more to standard error (or GOROAM_LOG=goroam=debug)

    Examples:
      goroam relay
      goroam relay --listen 127.0.0.1:7777
      goroam relay --chain 'https://proxy.golang.org,https://goproxy.io'
    [exit 0]
    ");
    assert_snapshot!(screen(&user, "relay --listen 0.0.0.0:8080"), @r"
    $ goroam relay --listen 0.0.0.0:8080
    error: invalid value '0.0.0.0:8080' for '--listen <ADDRESS>': a relay has the credentials of this user, so it listens on 127.0.0.1 only

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "relay --listen 8080"), @r"
    $ goroam relay --listen 8080
    error: invalid value '8080' for '--listen <ADDRESS>': write it as 127.0.0.1:PORT

    For more information, try '--help'.
    [exit 2]
    ");
    assert_snapshot!(screen(&user, "relay --retries 100"), @r"
    $ goroam relay --retries 100
    error: invalid value '100' for '--retries <NUMBER>': 100 is not in 0..=10

    For more information, try '--help'.
    [exit 2]
    ");
    let Some(bad) = screen_with_go(&user, "relay --chain ftp://proxy.example") else {
        return;
    };
    assert_snapshot!(bad, @r"
    $ goroam relay --chain ftp://proxy.example
    goroam: the chain ftp://proxy.example: invalid proxy URL scheme (must be https, http, file): ftp://proxy.example
    [exit 2]
    ");
    assert_snapshot!(screen_with_go(&user, "relay --chain direct").unwrap(), @r"
    $ goroam relay --chain direct
    goroam: the chain names no proxy that a relay could ask; give one with --chain
    [exit 2]
    ");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = format!("relay --chain https://proxy.golang.org --listen 127.0.0.1:{port}");
    let taken = screen_with_go(&user, &words).unwrap();
    assert_snapshot!(taken.replace(&port, "PORT"), @r"
    $ goroam relay --chain https://proxy.golang.org --listen 127.0.0.1:PORT
    goroam: cannot listen on 127.0.0.1:PORT: Address already in use (os error 98)
    [exit 1]
    ");
}
