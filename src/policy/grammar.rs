//! Checks values of go's variables against the grammars that go applies only when it is too late:
//! `go env -w` writes invalid values silently, and the next build fails.

use std::path::Path;

use super::finding::PolicyFinding;
use super::{goflags, govcs};
use crate::gomod::go_version;
use crate::gomod::sum::check_key;
use crate::model::lookalike::{self, Lookalike};
use crate::model::pattern::{PatternFault, faults};
use crate::model::{Chain, SumDb};

/// A fault of a value; its place, if it has one, is within the value. A mild fault is one that go
/// accepts, although the value does not do what it seems to do.
type Fault = PolicyFinding;

/// Most bytes of one value. Every go command reads it again.
pub(in crate::policy) const LONGEST_VALUE: usize = 8 << 10;

/// Returns the faults of a value, wherever it is written (`${…}` expanded): those that make go
/// fail, and those that go silently ignores.
pub fn check_value(name: &str, value: &str) -> Vec<Fault> {
    if let Some(i) = value.find(['\n', '\r', '\u{b}', '\0']) {
        let message = format!("{name} cannot hold a line break or NUL: `go env -w` refuses it");
        return vec![Fault::fault("bad-value", message).at((i, 1))];
    }
    let mut faults = look_alikes(name, value);
    match name {
        "GOPROXY" => faults.extend(goproxy(value)),
        "GOSUMDB" => faults.extend(gosumdb(value)),
        "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => return patterns(name, value),
        "GOFLAGS" => faults.extend(goflags::goflags(value)),
        "GOVCS" if faults.is_empty() => return govcs::check(value),
        "GOTOOLCHAIN" => faults.extend(gotoolchain(value)),
        "GO111MODULE" if !matches!(value, "" | "auto" | "on" | "off") => {
            let fault = Fault::fault("bad-value", "invalid GO111MODULE value");
            faults.push(fault.help("one of auto, on, off"));
        }
        "GOCACHE" if value == "off" => {}
        "GOPATH" | "GOMODCACHE" | "GOTMPDIR" | "GOBIN" | "GOCACHE" => {
            faults.extend(relative(name, value));
        }
        "CC" | "CXX" => faults.extend(compiler(name, value)),
        _ => {}
    }
    faults
}

/// Checks a GOPROXY list.
fn goproxy(value: &str) -> Option<Fault> {
    if value.is_empty() {
        return Some(empty(
            "GOPROXY",
            "GOPROXY list is not the empty string, but contains no entries",
        ));
    }
    let error = Chain::parse(value).err()?;
    let element = value.get(error.at.0..error.at.0 + error.at.1).unwrap_or("");
    let fault = Fault::fault("bad-goproxy", error.message.clone()).at(error.at);
    Some(match element {
        "Direct" | "DIRECT" => fault.help("write `direct`, in lower case"),
        "Off" | "OFF" | "none" => fault.help("write `off`"),
        _ if element.starts_with('/') => {
            fault.help(format!("a folder is written as a URL: file://{element}"))
        }
        _ if element.starts_with("file:") => {
            fault.help("the only form is file:///absolute/path: no host, no `~`, no query")
        }
        _ => fault.help("one bad entry before `direct` or `off` fails every request"),
    })
}

/// Checks a GOSUMDB value.
fn gosumdb(value: &str) -> Option<Fault> {
    if value.is_empty() {
        return Some(empty("GOSUMDB", "missing GOSUMDB"));
    }
    let (message, help) = match SumDb::parse(value) {
        Ok(SumDb::Database { key, .. }) if check_key(&key).is_err() => (
            "invalid GOSUMDB: invalid verifier hash".to_owned(),
            "copy the key again: its hash does not belong to its name and key",
        ),
        Ok(_) => return None,
        Err(error) if matches!(value, "OFF" | "Off") => (error.0, "write `off`, in lower case"),
        Err(error) => (
            error.0,
            "a database is `sum.golang.org`, or its verifier key `name+hash+base64`, and perhaps a URL",
        ),
    };
    Some(Fault::fault("bad-gosumdb", message).help(help))
}

/// Checks a GOTOOLCHAIN value (`cmd/go/internal/toolchain.Select`).
fn gotoolchain(value: &str) -> Option<Fault> {
    let known = match value.split_once('+') {
        None => matches!(value, "" | "auto" | "path" | "local") || toolchain(value).is_some(),
        Some((least, "auto" | "path")) => least == "local" || toolchain(least).is_some(),
        Some(_) => false,
    };
    let message = "invalid GOTOOLCHAIN: every go command would refuse to run";
    let help = "one of auto, path, local, go1.24.0, or a version with +auto or +path";
    (!known).then(|| Fault::fault("bad-gotoolchain", message).help(help))
}

/// Returns the version in the name of a toolchain.
fn toolchain(name: &str) -> Option<&str> {
    go_version::of_toolchain(name).filter(|_| name.starts_with("go1"))
}

/// Reports whether GOTOOLCHAIN names a go from before 1.16. There, `go get` verifies nothing if
/// there is no go.mod; before 1.13 it never does.
pub(super) fn verifies_less(value: &str) -> bool {
    let name = value.split('+').next().unwrap_or_default();
    toolchain(name).is_some_and(|version| !go_version::at_least(version, "1.16"))
}

/// Finds patterns that silently match nothing.
pub(super) fn patterns(name: &str, value: &str) -> Vec<Fault> {
    let fault = |found: PatternFault| {
        let fault = if let Some(mark) = found.look_alike {
            let (at, length) = mark.place();
            Fault::fault("look-alike", format!("{name}: {mark}")).at((found.at.0 + at, length))
        } else {
            Fault::fault("bad-pattern", found.to_string()).at(found.at)
        };
        fault.help(found.help).mild()
    };
    faults(value).into_iter().map(fault).collect()
}

/// Finds lookalike characters, for example from an input method: go reads them as letters.
fn look_alikes(name: &str, value: &str) -> Vec<Fault> {
    let found = match name {
        "GOPROXY" => lookalike::in_list(value),
        "GOSUMDB" | "GOVCS" | "GOTOOLCHAIN" | "GOAUTH" => lookalike::all(value).collect(),
        "GOFLAGS" => goflags::look_alikes(value),
        _ => Vec::new(),
    };
    let fault = |mark: Lookalike| {
        Fault::fault("look-alike", format!("{name}: {mark}"))
            .at(mark.place())
            .help(mark.help())
            .mild()
    };
    found.into_iter().map(fault).take(MOST_MARKS).collect()
}

/// The maximum number of lookalikes reported for one value; more would say nothing new.
pub(super) const MOST_MARKS: usize = 5;

fn relative(name: &str, value: &str) -> Option<Fault> {
    if value.is_empty() || value.starts_with('/') || Path::new(value).is_absolute() {
        return None;
    }
    let fault = Fault::fault("bad-value", format!("{name} must be an absolute path"));
    Some(fault.help("`${HOME}` is the user's home directory; go does not know `~`"))
}

/// `envcmd/env.go:checkEnvWrite`: a relative path with a separator would mean another program in
/// each directory.
fn compiler(name: &str, value: &str) -> Option<Fault> {
    let bad = |why: &str| Some(Fault::fault("bad-value", format!("{name} {why}")));
    match goflags::words(value).as_deref() {
        None => bad("holds a quote that is not closed"),
        Some([]) if !value.is_empty() => bad("cannot hold spaces only"),
        Some([program, ..]) if program.contains(std::path::is_separator) => relative(name, program),
        Some(_) => None,
    }
}

fn empty(name: &str, words: &str) -> Fault {
    Fault::fault(
        "empty-value",
        format!("an empty {name} does not reset it: go fails with {words:?}"),
    )
    .help("leave the name out, and it goes back to what it was before goroam")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(name: &str, value: &str) -> Vec<&'static str> {
        check_value(name, value)
            .into_iter()
            .map(|fault| fault.code)
            .collect()
    }

    #[test]
    fn values_that_go_takes_pass() {
        for (name, value) in [
            ("GOPROXY", "https://proxy.golang.org,direct"),
            ("GOSUMDB", "sum.golang.org"),
            ("GOSUMDB", "sum.golang.google.cn"),
            ("GOSUMDB", "off"),
            ("GOPRIVATE", "*.corp.example,github.com/team"),
            ("GOPRIVATE", ""),
            ("GOFLAGS", "-modcacherw  '-ldflags=-s -w' --tags=x"),
            ("GOFLAGS", ""),
            ("GOTOOLCHAIN", "auto"),
            ("GOTOOLCHAIN", "local+path"),
            ("GOTOOLCHAIN", "go1.27.3+auto"),
            ("GOTOOLCHAIN", "go1.24rc1"),
            ("GOTOOLCHAIN", "go1.21.0-corp"),
            ("GO111MODULE", "on"),
            ("GOPATH", "/home/me/go"),
            ("GOCACHE", "off"),
        ] {
            assert_eq!(codes(name, value), [""; 0], "{name}={value}");
        }
    }

    #[test]
    fn values_that_go_chokes_on_are_named() {
        let wrong_hash = "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        for (name, value, code) in [
            ("GOPROXY", "", "empty-value"),
            ("GOPROXY", " , ", "bad-goproxy"),
            ("GOPROXY", "https://ok.example,Direct", "bad-goproxy"),
            ("GOPROXY", "a\nb", "bad-value"),
            ("GOSUMDB", "", "empty-value"),
            ("GOSUMDB", "OFF", "bad-gosumdb"),
            ("GOSUMDB", wrong_hash, "bad-gosumdb"),
            ("GOPRIVATE", "a.b,[", "bad-pattern"),
            ("GOPRIVATE", "https://git.corp.example", "bad-pattern"),
            ("GOPRIVATE", "a.b, c.d", "bad-pattern"),
            ("GONOSUMDB", "a.b c.d", "bad-pattern"),
            ("GOFLAGS", "junk", "bad-goflags"),
            ("GOFLAGS", "-x y", "bad-goflags"),
            ("GOFLAGS", "---x", "bad-goflags"),
            ("GOFLAGS", "'-x", "bad-goflags"),
            ("GOFLAGS", "-modcacherw -mod=vendor", "goflags-mod-vendor"),
            ("GOFLAGS", "--mod=mod", "goflags-mod-mod"),
            ("GOFLAGS", "-insecure", "nothing-reads"),
            ("GOFLAGS", "-x --insecure=true", "nothing-reads"),
            ("GOTOOLCHAIN", "garbage", "bad-gotoolchain"),
            ("GOTOOLCHAIN", "go1.27.3+x", "bad-gotoolchain"),
            ("GOTOOLCHAIN", "go1.2.3rc1", "bad-gotoolchain"),
            ("GOTOOLCHAIN", "auto+auto", "bad-gotoolchain"),
            ("GO111MODULE", "yes", "bad-value"),
            ("GOMODCACHE", "~/mod", "bad-value"),
        ] {
            assert_eq!(codes(name, value), [code], "{name}={value}");
        }
    }

    #[test]
    fn a_fault_points_at_its_part() {
        for (name, value, part) in [
            ("GOPROXY", "https://ok.example,Direct", "Direct"),
            ("GOFLAGS", "-modcacherw '-mod=vendor'", "-mod=vendor"),
            ("GOPRIVATE", "a.b, c.d", " c.d"),
        ] {
            let at = check_value(name, value)[0].primary.clone().unwrap().span;
            assert_eq!(&value[at], part);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_makes_it_panic(value in "\\PC{0,60}") {
            for name in [
                "GOPROXY",
                "GOSUMDB",
                "GOPRIVATE",
                "GOFLAGS",
                "GOTOOLCHAIN",
                "GOVCS",
                "GOPATH",
            ] {
                check_value(name, &value);
            }
        }
    }
}
