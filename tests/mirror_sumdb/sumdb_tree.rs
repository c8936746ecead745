//! A checksum database of any size, made here: a tree as RFC 6962 has it, written down without
//! anything of goroam's, and a server for it that may be told to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use goroam::gomod::sum;
use goroam::model::SumDb;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::server::{Reply, Seen, Server, status};

type Hash = [u8; 32];

pub(crate) struct Database {
    pub(crate) name: String,
    pair: Ed25519KeyPair,
    /// The hashes of all complete subtrees, by level; the records' own are level 0.
    levels: Vec<Vec<Hash>>,
    /// The records that somebody may look up: their numbers and texts.
    known: HashMap<String, (u64, String)>,
}

impl Database {
    pub(crate) fn new(name: &str, seed: u8) -> Database {
        Database {
            name: name.to_owned(),
            pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            levels: vec![Vec::new()],
            known: HashMap::new(),
        }
    }

    /// GOSUMDB without a URL.
    pub(crate) fn key(&self) -> String {
        let key = [&[1], self.pair.public_key().as_ref()].concat();
        format!("{}+{:08x}+{}", self.name, self.hash(), STANDARD.encode(key))
    }

    pub(crate) fn gosumdb(&self) -> SumDb {
        SumDb::parse(&self.key()).unwrap()
    }

    pub(crate) fn size(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// Records that nobody asks for, until there are so many.
    pub(crate) fn grow_to(&mut self, size: u64, what: &str) {
        while self.size() < size {
            let text = format!("{what}{}.test/m v1.0.0 h1:x=\n", self.size());
            self.add(&text);
        }
    }

    /// `lines` are go.sum's, with the last newline.
    pub(crate) fn publish(&mut self, escaped: &str, lines: &str) {
        let id = self.size();
        self.add(lines);
        self.known
            .insert(escaped.to_owned(), (id, lines.to_owned()));
    }

    fn add(&mut self, text: &str) {
        let mut hash = sha(&[&[0], text.as_bytes()]);
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            let [.., left, right] = hashes.as_slice() else {
                return;
            };
            if hashes.len() % 2 == 1 {
                return;
            }
            hash = sha(&[&[1], left, right]);
        }
    }

    /// RFC 6962, 2.1, over the records from `from` to `to`.
    fn root(&self, from: u64, to: u64) -> Hash {
        let count = to - from;
        if count == 0 {
            return sha(&[]);
        }
        if count.is_power_of_two() && from.is_multiple_of(count) {
            let level = count.trailing_zeros() as usize;
            return self.levels[level][(from / count) as usize];
        }
        let left = count.next_power_of_two() / 2;
        sha(&[
            &[1],
            &self.root(from, from + left),
            &self.root(from + left, to),
        ])
    }

    pub(crate) fn note(&self, size: u64) -> String {
        let root = STANDARD.encode(self.root(0, size));
        let text = format!("go.sum database tree\n{size}\n{root}\n");
        let bytes = [
            self.hash().to_be_bytes().as_slice(),
            self.pair.sign(text.as_bytes()).as_ref(),
        ]
        .concat();
        format!(
            "{text}\n\u{2014} {} {}\n",
            self.name,
            STANDARD.encode(bytes)
        )
    }

    /// The answer to a lookup in the tree of that size.
    pub(crate) fn lookup(&self, escaped: &str, size: u64) -> Option<String> {
        let (id, lines) = self.known.get(escaped)?;
        Some(format!("{id}\n{lines}\n{}", self.note(size)))
    }

    /// `tile/8/…`, if the tree is large enough.
    pub(crate) fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let (level, rest) = path.strip_prefix("tile/8/")?.split_once('/')?;
        let level: usize = level.parse().ok()?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, 256),
        };
        let digits = number.replace(['x', '/'], "");
        let first = digits.parse::<usize>().ok()? * 256;
        let hashes = self.levels.get(level * 8)?.get(first..first + width)?;
        Some(hashes.concat())
    }

    fn hash(&self) -> u32 {
        let public = self.pair.public_key().as_ref().try_into().unwrap();
        sum::key_hash(&self.name, &public)
    }
}

fn sha(parts: &[&[u8]]) -> Hash {
    let all = parts.concat();
    digest(&SHA256, &all).as_ref().try_into().unwrap()
}

/// What a server does in the place of what it should.
type Fault = Box<dyn Fn(&str) -> Option<Reply> + Send>;

/// A database and its server: directly below `/`, as a proxy's below `/sumdb/NAME/`.
pub(crate) struct Served {
    pub(crate) database: Arc<Mutex<Database>>,
    pub(crate) server: Server,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Served {
    pub(crate) async fn start(database: Database) -> Served {
        let database = Arc::new(Mutex::new(database));
        let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
        let (db, faults) = (Arc::clone(&database), Arc::clone(&fault));
        let server = Server::http(move |seen| reply(&db.lock().unwrap(), &faults, seen)).await;
        Served {
            database,
            server,
            fault,
        }
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Database) -> T) -> T {
        change(&mut self.database.lock().unwrap())
    }

    pub(crate) fn misbehave(&self, fault: impl Fn(&str) -> Option<Reply> + Send + 'static) {
        *self.fault.lock().unwrap() = Some(Box::new(fault));
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.server
            .seen()
            .into_iter()
            .map(|seen| seen.line)
            .collect()
    }
}

fn reply(database: &Database, fault: &Mutex<Option<Fault>>, seen: &Seen) -> Reply {
    let path = seen.line.strip_prefix("GET /").unwrap_or_default();
    let below = format!("sumdb/{}/", database.name);
    let path = path.strip_prefix(&below).unwrap_or(path);
    if let Some(reply) = fault.lock().unwrap().as_ref().and_then(|fault| fault(path)) {
        return reply;
    }
    let size = database.size();
    let body = match path.split_once('/') {
        None if path == "supported" => Some(Vec::new()),
        Some(("lookup", module)) => database.lookup(module, size).map(String::into_bytes),
        Some(("tile", _)) => database.tile(path),
        Some(_) | None => None,
    };
    match body {
        Some(body) => bytes(&body),
        None => status("404 Not Found"),
    }
}

/// 200 with these.
pub(crate) fn bytes(body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}
