//! `/etc/resolv.conf` is read as go reads it: the same file, once by goroam and once by a program
//! of the real go, whose resolver says which servers it asks for which names.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use goroam::watch::survey;

use crate::go;
use crate::watch_namespace::in_namespace;

/// Notes the address and the name of each query, and answers none.
const PROGRAM: &str = r#"package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

type noted struct{ net.Conn }

func (noted) Write(query []byte) (int, error) {
	var labels []string
	for at := 14; at < len(query) && query[at] != 0; at += 1 + int(query[at]) {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
	}
	fmt.Println("name", strings.Join(labels, "."))
	return 0, errors.New("noted")
}
func (noted) Close() error                { return nil }
func (noted) SetDeadline(time.Time) error { return nil }

func main() {
	resolver := net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		fmt.Println("server", address)
		return noted{}, nil
	}}
	resolver.LookupHost(context.Background(), "probe")
}
"#;

#[test]
fn every_line_means_what_it_means_to_go() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.go"), PROGRAM).unwrap();
    std::fs::write(folder.path().join("go.mod"), "module ask\n\ngo 1.21\n").unwrap();
    let built = Command::new(go)
        .args(["build", "-o", "ask", "."])
        .current_dir(folder.path())
        .envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", ""), ("GOWORK", "off")])
        .env("GOCACHE", folder.path().join("cache"))
        .env("GOENV", "off")
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let long = format!("nameserver 10.0.0.1\nsearch {}.test\n", "x".repeat(60));
    let rows = [
        "nameserver 10.0.0.1\nsearch corp.example\n",
        "nameserver 10.0.0.1\nsearch corp.example\ndomain\n",
        "nameserver 10.0.0.1\ndomain corp.example\ndomain\t\n",
        "nameserver 10.0.0.1\nsearch corp.example\nsearch\nsearch b.test\n",
        "nameserver 10.0.0.1\nsearch corp.example\nsearch\n",
        "nameserver 10.0.0.1\ndomain a.test b.test\n",
        "nameserver 10.0.0.1\nsearch a.test\ndomain b.test\n",
        "nameserver 10.0.0.1\ndomain b.test\nsearch a.test c.test\n",
        "nameserver 10.0.0.1\nsearch . a.test.\n",
        "nameserver 10.0.0.1\nsearch a.test\nsearch .\n",
        "nameserver\t10.0.0.1\r\nsearch\tcorp.example\r\n",
        "; search no.test\n# nameserver 10.9.9.9\nnameserver 10.0.0.1 # this\nsearch a.test # b.test\n",
        " # nameserver 10.9.9.9\n\tnameserver 10.0.0.1\n search a.test\n",
        "#search a.test\n;search b.test\nnameserver 10.0.0.1\n",
        "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
        "nameserver x\nnameserver 10.0.0.1\nnameserver dns.test\nnameserver 10.0.0.2\nnameserver\n\
         nameserver 10.0.0.3\n",
        "nameserver fe80::1%lo\nnameserver 2001:db8::53\nnameserver 10.0.0.1%lo\n",
        "nameserver fe80::1%\nnameserver 010.0.0.1\nnameserver 10.0.0.1:53\nnameserver [::1]\n\
         nameserver 10.0.0.2\n",
        "Nameserver 10.9.9.9\nNAMESERVER 10.9.9.9\nnameserver 10.0.0.1\nSearch a.test\n",
        "options ndots:1 timeout:1 attempts:1\nnameserver 10.0.0.1\nsearch a.test\n",
        "nameserver 10.0.0.1\x0c\nnameserver 10.0.0.2\x0b\nnameserver 10.0.0.3\n",
        "nameserver 10.0.0.1\nsearch a.test",
        "\n\nnameserver 10.0.0.1\n\n\nsearch  a.test\t\tb.test  \n",
        "sortlist 10.0.0.0\nlookup file bind\nnameserver 10.0.0.1\nsearch a.test\n",
        long.as_str(),
    ];
    let rows = rows.map(str::to_owned);
    in_namespace(async move |namespace| {
        hostname("box");
        let conf = namespace.folder.path().join("resolv.conf");
        for row in rows {
            std::fs::write(&conf, &row).unwrap();
            let dns = survey().unwrap().dns;
            let servers = dns.servers.iter().map(ToString::to_string).collect();
            let ours = (servers, dns.search.into_iter().collect());
            assert_eq!(ours, ask_go(&folder.path().join("ask")), "{row:?}");
        }
    });
}

/// Without a domain: go would search that.
fn hostname(name: &str) {
    // SAFETY: only this thread, which was made for the test, gets another host name; `name`
    // outlives the call.
    unsafe {
        assert_eq!(libc::unshare(libc::CLONE_NEWUTS), 0);
        assert_eq!(libc::sethostname(name.as_ptr().cast(), name.len()), 0);
    }
}

/// The servers and the domains that go asks.
fn ask_go(program: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let out = Command::new(program).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let (mut servers, mut search) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        match line.split_once(' ').unwrap() {
            ("server", address) => {
                let address = address.strip_suffix(":53").unwrap();
                let address = address.trim_matches(['[', ']']);
                let (address, _zone) = address.split_once('%').unwrap_or((address, ""));
                servers.insert(address.to_owned());
            }
            (_, "probe") => {}
            (_, name) => {
                search.insert(name.strip_prefix("probe.").unwrap().to_owned());
            }
        }
    }
    (servers, search)
}
