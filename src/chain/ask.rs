//! Asks each hop of a chain what go would ask it, within limits that go does not have.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use url::Url;

use super::predict::{AnswerKind, AskedHop, HopAnswer, HopAnswers, SumCheck};
use crate::bounded;
use crate::environment::Environment;
use crate::gomod::sum::hash_go_mod;
use crate::gomod::sum::note::LookupRecord;
use crate::gomod::zip::ModZip;
use crate::gomod::{ModuleVersion, form};
use crate::model::{Chain, Hop, HopKind, Limits, Patterns, Phase, SumDb, VerifierKey, mask};
use crate::probe::{Fetcher, fetch};
use crate::relay::rules::chain::{KnownProxies, RelayChain};
use crate::relay::rules::hop::{HopClass, HopLimits};

/// A module that public proxies have, small and without dependencies.
pub const SAMPLE: (&str, &str) = ("github.com/pkg/errors", "v0.9.1");

/// The limits of each request.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    first_byte: Duration::from_secs(5),
    patience: Duration::ZERO,
    total: Duration::from_secs(10),
    retries: 0,
};
/// How long go itself waits: `net.Resolver` (twice 5 s for one server), `net.Dialer` and the TLS
/// handshake of `net/http.DefaultTransport`.
const GO_DNS: Duration = Duration::from_secs(10);
const GO_CONNECT: Duration = Duration::from_secs(30);
const GO_TLS: Duration = Duration::from_secs(10);

/// The largest `.info`, go.mod and record that are read; go has no limit.
const MOST_TEXT: usize = 1 << 20;
/// The largest zip that is read. The content of a larger one is not judged.
const MOST_ZIP: usize = 8 << 20;

/// What go is to download.
#[derive(Debug, Clone, Copy)]
pub struct ChainQuestion<'a> {
    /// The module.
    pub module: &'a ModuleVersion,
    /// Whether its name must reach private hops only.
    pub is_private: bool,
    /// The database that go checks it with; `None`: it does not.
    pub sumdb: Option<(&'a VerifierKey, Option<&'a str>)>,
}

impl<'a> ChainQuestion<'a> {
    /// A question about this module. `sumdb`: GOSUMDB, if it applies to the module.
    pub fn new(module: &'a ModuleVersion, is_private: bool, sumdb: &'a SumDb) -> Self {
        let sumdb = match sumdb {
            SumDb::Database { key, url, .. } if !is_private => Some((key, url.as_deref())),
            SumDb::Database { .. } | SumDb::Off => None,
        };
        ChainQuestion {
            module,
            is_private,
            sumdb,
        }
    }
}

/// Asks all hops at once, then the checksum database if go would. `known`: what the
/// policy says about the hops.
pub async fn ask(
    env: &Environment,
    chain: &Chain,
    known: &KnownProxies,
    question: ChainQuestion<'_>,
) -> (Vec<AskedHop>, Option<SumCheck>) {
    let fetcher = Fetcher::keeping(env, chain.hops.len() + 1);
    let relayed = RelayChain::new(chain, known, Patterns::default(), HopLimits::default());
    // A relay has every hop of a chain but its end.
    let classes = relayed.hops.iter().map(|hop| Some(hop.class));
    let classes = classes.chain(std::iter::repeat(None));
    let asked = chain.hops.iter().zip(classes).map(|(hop, class)| {
        let fetcher = &fetcher;
        async move {
            AskedHop {
                kind: hop.kind.clone(),
                then: hop.then,
                class,
                answers: ask_hop(fetcher, hop, class, question).await,
            }
        }
    });
    let hops = join_all(asked).await;
    let Some((key, url)) = question.sumdb else {
        return (hops, None);
    };
    let mut sums = SumCheck {
        through_chain: url.is_none(),
        own: HopAnswer::default(),
    };
    if sums.needs_own(&hops) {
        let base = match url {
            Some(url) => url.to_owned(),
            None => format!("https://{}", key.name),
        };
        let mut source = HopSource::new(&fetcher, &base);
        sums.own = source.look_up("", question.module, key).await;
    }
    (hops, Some(sums))
}

async fn ask_hop(
    fetcher: &Fetcher,
    hop: &Hop,
    class: Option<HopClass>,
    question: ChainQuestion<'_>,
) -> HopAnswers {
    let (HopKind::Proxy(url) | HopKind::File(url)) = &hop.kind else {
        return HopAnswers::default();
    };
    let may_see = matches!(class, Some(HopClass::Private | HopClass::Local));
    let is_hidden = question.is_private && !may_see;
    let sample = ModuleVersion::new(SAMPLE.0, SAMPLE.1);
    let module = if is_hidden { &sample } else { question.module };
    // A list that is slow says nothing about the files.
    let [mut source, mut lister] = [(); 2].map(|()| HopSource::new(fetcher, url));
    let (mut answers, list) = join(source.files(module), lister.list(module)).await;
    answers.list = list;
    if is_hidden {
        let HopAnswers {
            info,
            go_mod,
            zip,
            list,
            ..
        } = &mut answers;
        for answer in [info, go_mod, zip, list] {
            in_place_of_private(answer, class);
        }
        return answers;
    }
    if let Some((key, None)) = question.sumdb {
        let below = format!("sumdb/{}/", key.name);
        answers.supported = source.get(&format!("{below}supported"), MOST_TEXT).await.0;
        if answers.supported.kind == AnswerKind::Good {
            answers.lookup = source.look_up(&below, question.module, key).await;
        }
    }
    answers
}

/// What a hop that may not see a private name would answer to it, from its answer for a public one.
fn in_place_of_private(answer: &mut HopAnswer, class: Option<HopClass>) {
    if !matches!(answer.kind, AnswerKind::Good | AnswerKind::Absent) {
        return;
    }
    let (kind, why) = match class {
        Some(HopClass::Public) => (
            AnswerKind::Absent,
            "would get the private name, and has no such module (not asked)",
        ),
        _ => (
            AnswerKind::Unknown,
            "not asked: the policy does not say that it may get private names",
        ),
    };
    answer.kind = kind;
    why.clone_into(&mut answer.why);
    answer.content.clear();
}

/// One hop while it is asked, one request after another.
struct HopSource<'a> {
    fetcher: &'a Fetcher,
    base: &'a str,
    /// Its directory, if it is one.
    tree: Option<PathBuf>,
    /// What it answers to everything: it cannot be reached, or is silent.
    dead: Option<HopAnswer>,
}

impl<'a> HopSource<'a> {
    fn new(fetcher: &'a Fetcher, base: &'a str) -> HopSource<'a> {
        let url = Url::parse(base).ok().filter(|url| url.scheme() == "file");
        HopSource {
            fetcher,
            base,
            tree: url.and_then(|url| url.to_file_path().ok()),
            dead: None,
        }
    }

    /// Asks for the three files of a version.
    async fn files(&mut self, module: &ModuleVersion) -> HopAnswers {
        let Ok(escaped) = module.escaped() else {
            return HopAnswers::default();
        };
        let stem = format!("{}/@v/{}", escaped.path, escaped.version);
        let (mut info, body) = self.get(&format!("{stem}.info"), MOST_TEXT).await;
        if let Err(fault) = form::info(&body, module)
            && info.kind == AnswerKind::Good
        {
            info.fail(AnswerKind::Failed, format!("its version info {fault}"));
        }
        let (mut go_mod, body) = self.get(&format!("{stem}.mod"), MOST_TEXT).await;
        if go_mod.kind == AnswerKind::Good {
            go_mod.content = hash_go_mod(&body);
        }
        let (mut zip, body) = self.get(&format!("{stem}.zip"), MOST_ZIP).await;
        if zip.kind == AnswerKind::Good && body.len() < MOST_ZIP {
            match hash_zip(&body, module) {
                Ok(hash) => zip.content = hash,
                Err(why) => zip.fail(AnswerKind::Wrong, why),
            }
        }
        HopAnswers {
            info,
            go_mod,
            zip,
            ..HopAnswers::default()
        }
    }

    /// Asks for the list of versions. go takes any text for one.
    async fn list(&mut self, module: &ModuleVersion) -> HopAnswer {
        let Ok(escaped) = module.escaped() else {
            return HopAnswer::default();
        };
        let path = format!("{}/@v/list", escaped.path);
        self.get(&path, MOST_TEXT).await.0
    }

    /// Asks for the record of a version, and checks who signed it.
    async fn look_up(
        &mut self,
        below: &str,
        module: &ModuleVersion,
        key: &VerifierKey,
    ) -> HopAnswer {
        let Ok(escaped) = module.escaped() else {
            return HopAnswer::default();
        };
        let path = format!("{below}lookup/{}@{}", escaped.path, escaped.version);
        let (mut answer, body) = self.get(&path, MOST_TEXT).await;
        if answer.kind == AnswerKind::Good {
            let record = LookupRecord::parse(&body);
            match record.and_then(|record| record.tree.verify(key).map(drop)) {
                Ok(()) => answer.content = String::from_utf8_lossy(&body).into_owned(),
                Err(error) => answer.fail(AnswerKind::Failed, format!("its record: {error}")),
            }
        }
        answer
    }

    /// Asks for one file.
    async fn get(&mut self, path: &str, most: usize) -> (HopAnswer, Vec<u8>) {
        if let Some(dead) = &self.dead {
            return (dead.clone(), Vec::new());
        }
        let start = Instant::now();
        let (mut answer, body) = match &self.tree {
            Some(tree) => read(tree.join(path), most).await,
            None => self.fetch(path, most).await,
        };
        if answer.wait.is_zero() {
            answer.wait = start.elapsed();
        } else {
            self.dead = Some(answer.clone());
        }
        if answer.kind == AnswerKind::Silent {
            self.dead = Some(answer.clone());
        }
        (answer, body)
    }

    async fn fetch(&self, path: &str, most: usize) -> (HopAnswer, Vec<u8>) {
        let mut answer = HopAnswer::default();
        let fetched = match fetch::url_below(self.base, path) {
            Ok(url) => self.fetcher.get(url.as_str(), LIMITS, most).await,
            Err(error) => Err(error),
        };
        match fetched {
            Ok(fetched) if fetched.status == 200 => {
                answer.kind = AnswerKind::Good;
                return (answer, fetched.body);
            }
            Ok(fetched) => answer.fail(
                match fetched.status {
                    404 | 410 => AnswerKind::Absent,
                    _ => AnswerKind::Failed,
                },
                format!("answers {}", fetched.status),
            ),
            Err(error) => {
                let (kind, wait) = match error.phase {
                    _ if !error.timed_out => (AnswerKind::Failed, Duration::ZERO),
                    Phase::Dns => (AnswerKind::Failed, GO_DNS),
                    Phase::Connect => (AnswerKind::Failed, GO_CONNECT),
                    Phase::Tls => (AnswerKind::Failed, GO_TLS),
                    Phase::FirstByte | Phase::Body | Phase::Content => {
                        (AnswerKind::Silent, Duration::ZERO)
                    }
                };
                answer.wait = wait;
                answer.fail(kind, error.reason);
            }
        }
        (answer, Vec::new())
    }
}

/// Reads a file of a tree. A directory on a network that is gone blocks for ever.
async fn read(path: PathBuf, most: usize) -> (HopAnswer, Vec<u8>) {
    let mut answer = HopAnswer::default();
    let shown = mask(&path.display().to_string());
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let read = tokio::task::spawn_blocking(move || bounded::read(&path, limit));
    match tokio::time::timeout(LIMITS.total, read).await {
        Err(_) => answer.fail(
            AnswerKind::Silent,
            format!("{shown} cannot be read in time"),
        ),
        Ok(Ok(Ok(bytes))) => {
            answer.kind = AnswerKind::Good;
            return (answer, bytes);
        }
        Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::NotFound => {
            answer.fail(AnswerKind::Absent, "has no such file");
        }
        Ok(Ok(Err(error))) => answer.fail(AnswerKind::Failed, format!("{shown}: {error}")),
        Ok(Err(error)) => answer.fail(AnswerKind::Failed, error.to_string()),
    }
    (answer, Vec::new())
}

/// Returns the hash of a zip, or why go refuses it.
fn hash_zip(bytes: &[u8], module: &ModuleVersion) -> Result<String, String> {
    let stored = || -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        Ok(file)
    };
    // Without a place for the copy the zip is not judged.
    let Ok(file) = stored() else {
        return Ok(String::new());
    };
    let hash = |path: &Path| {
        let zip = ModZip::open(path)?;
        zip.belongs_to(&module.path, &module.version)?;
        zip.h1()
    };
    hash(file.path()).map_err(|error| format!("its zip is {}", error.why))
}
