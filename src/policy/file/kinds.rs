//! What a target asks: one key for each kind, with its value.

use std::net::{IpAddr, SocketAddr};

use super::Place;
use super::reader::{Node, Reader, Table, Text, quoted};
use super::values::{credentials, expand_path, look_alikes, module, proxy_url, sum, web_url};
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{SumDb, TargetKind};
use crate::policy::finding::Finding;
use crate::policy::grammar::hash_is_right;
use crate::policy::profile::MIRROR;

/// The keys that say what a target is, each with an example.
pub(super) const KINDS: [(&str, &str); 7] = [
    ("goproxy", "goproxy = \"https://proxy.golang.org\""),
    ("sumdb", "sumdb = \"sum.golang.org\""),
    ("https", "https = \"https://github.com\""),
    ("icmp", "icmp = \"10.20.0.1\""),
    ("tcp", "tcp = \"git.corp.example:22\""),
    ("listening", "listening = \"127.0.0.1:3000\""),
    ("mirror", "mirror = \"~/go-mirror\""),
];

/// Reads the value of the key that says what a target is, and the keys that go with it.
pub(super) fn read(
    reader: &mut Reader<'_>,
    kind: &str,
    node: &Node<'_>,
    table: &Table<'_, '_>,
    place: Place<'_>,
) -> Option<TargetKind> {
    let example = KINDS
        .iter()
        .find(|(name, _)| *name == kind)
        .map_or("", |(_, example)| *example);
    let text = reader.string(node, kind, example);
    match kind {
        "goproxy" => goproxy(reader, text, table),
        "sumdb" => sumdb(reader, text, table),
        "https" => https(reader, text, table),
        "icmp" => {
            let address =
                parsed::<IpAddr>(reader, &text?, "bad-address", "an IP address", example)?;
            Some(TargetKind::Icmp { address })
        }
        "tcp" => tcp(reader, &text?, example),
        "listening" => {
            let wanted = "an IP address and a port";
            let address = parsed::<SocketAddr>(reader, &text?, "bad-address", wanted, example)?;
            Some(TargetKind::Listening { address })
        }
        _ => {
            let text = text?;
            let path = match text.value {
                MIRROR => MIRROR.into(),
                _ => expand_path(reader, &text, place)?,
            };
            Some(TargetKind::Mirror { path })
        }
    }
}

fn goproxy(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let url = text.and_then(|text| proxy_url(reader, &text, "goproxy"));
    let asked = table.get("module").map(|node| {
        let text = reader.string(
            node,
            "module",
            "module = \"git.corp.example/team/hello@v1.0.0\"",
        )?;
        module(reader, &text)
    });
    let given = table.get("sum").map(|node| {
        let text = reader.string(node, "sum", "sum = \"h1:…\"")?;
        let hash = sum(reader, &text)?;
        if asked.is_none() && hash != DEFAULT_SUM {
            reader.report(
                Finding::error(
                    "sum-without-module",
                    "`sum` without `module` speaks of golang.org/x/text@v0.3.0, whose hash is another",
                    text.span,
                )
                .help("add the module that this hash belongs to: module = \"path@version\""),
            );
            return None;
        }
        Some(hash)
    });
    let default = (DEFAULT_MODULE.0.to_owned(), DEFAULT_MODULE.1.to_owned());
    // What was given and not understood must not become what is there by default.
    let (module, version) = asked.unwrap_or_else(|| Some(default.clone()))?;
    let known = (module == default.0 && version == default.1).then(|| DEFAULT_SUM.to_owned());
    let sum = match given {
        Some(sum) => Some(sum?),
        None => known,
    };
    Some(TargetKind::GoProxy {
        url: url?,
        module,
        version,
        sum,
    })
}

fn sumdb(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let via = table.get("via").map(|node| {
        let text = reader.string(node, "via", "via = \"https://goproxy.cn\"")?;
        proxy_url(reader, &text, "via")
    });
    let text = text?;
    credentials(reader, &text);
    look_alikes(reader, &text, "sumdb");
    let bad = |message: String| {
        Finding::error("bad-sumdb", message, text.span.clone())
            .help("for example: sumdb = \"sum.golang.org\", or a verifier key `name+hash+base64`")
    };
    let db = match SumDb::parse(text.value) {
        Ok(SumDb::Off) => {
            reader.report(bad("`off` is no database that could be asked".to_owned()));
            return None;
        }
        Ok(SumDb::Database { ref key, .. }) if !hash_is_right(key) => {
            reader.report(bad("invalid verifier hash: the key is not whole".to_owned()));
            return None;
        }
        Ok(db) => db,
        Err(error) => {
            reader.report(bad(error.0.replace("GOSUMDB", "sumdb")));
            return None;
        }
    };
    if let (SumDb::Database { url: Some(_), .. }, Some(span)) = (&db, table.key_span("via")) {
        reader.report(
            Finding::error(
                "sumdb-url-and-via",
                "a database with a URL of its own is never asked through a proxy",
                span,
            )
            .help("take out `via`, or the URL"),
        );
        return None;
    }
    match via {
        Some(via) => Some(TargetKind::SumDb {
            db,
            via: Some(via?),
        }),
        None => Some(TargetKind::SumDb { db, via: None }),
    }
}

fn https(
    reader: &mut Reader<'_>,
    text: Option<Text<'_>>,
    table: &Table<'_, '_>,
) -> Option<TargetKind> {
    let url = text.and_then(|text| web_url(reader, &text));
    let mut status = Vec::new();
    if let Some(node) = table.get("status") {
        let items: Vec<&Node<'_>> = match node.get_ref().as_array() {
            Some(items) => items.iter().collect(),
            None => vec![node],
        };
        if items.is_empty() {
            reader.report(
                Finding::error(
                    "out-of-range",
                    "an empty list of statuses accepts nothing",
                    node.span(),
                )
                .help("leave `status` out for any 2xx or 3xx"),
            );
        }
        for item in items {
            let number = reader.number(item, "status", 100..=599)?;
            status.push(u16::try_from(number).ok()?);
        }
    }
    let body = match table.get("body") {
        Some(node) => {
            let text = reader.string(node, "body", "body = \"text it must hold\"")?;
            Some(text.value.to_owned())
        }
        None => None,
    };
    Some(TargetKind::Https {
        url: url?,
        status,
        body,
    })
}

fn tcp(reader: &mut Reader<'_>, text: &Text<'_>, example: &str) -> Option<TargetKind> {
    look_alikes(reader, text, "tcp");
    let parts = text.value.rsplit_once(':').and_then(|(host, port)| {
        let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
        let bare = match host.strip_prefix('[') {
            Some(v6) => v6
                .strip_suffix(']')
                .filter(|v6| v6.parse::<IpAddr>().is_ok())?,
            None => host,
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || b >= 0x80;
        let usable = bare != host || (!host.is_empty() && host.bytes().all(name));
        usable.then(|| (bare.to_owned(), port))
    });
    if parts.is_none() {
        reader.report(
            Finding::error(
                "bad-address",
                format!("{} is no host with a port", quoted(text.value)),
                text.span.clone(),
            )
            .help(format!("for example: {example}")),
        );
    }
    let (host, port) = parts?;
    Some(TargetKind::Tcp { host, port })
}

/// A value that parses by itself.
pub(super) fn parsed<T: std::str::FromStr>(
    reader: &mut Reader<'_>,
    text: &Text<'_>,
    code: &'static str,
    wanted: &str,
    example: &str,
) -> Option<T> {
    let value = text.value.parse().ok();
    if value.is_none() {
        let message = format!("{} is not {wanted}", quoted(text.value));
        reader.report(
            Finding::error(code, message, text.span.clone())
                .help(format!("for example: {example}")),
        );
    }
    value
}
