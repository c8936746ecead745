//! What `go mod download MODULE@VERSION` does with a chain, from what each hop answers
//! (`modfetch/proxy.go:TryProxies`, `modfetch/sumdb.go:initBase`). Pure.

use std::time::Duration;

use serde::Serialize;

use crate::gomod::ModuleVersion;
use crate::gomod::sum::note::LookupRecord;
use crate::model::{HopKind, Separator};
use crate::relay::rules::hop::HopClass;

/// What go asks a chain for. For each of them it walks the chain from its start again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChainFile {
    /// `@v/VERSION.info`.
    Info,
    /// The checksum database: which hop relays it, and the record of the module.
    SumDb,
    /// `@v/VERSION.mod`.
    Mod,
    /// `@v/VERSION.zip`.
    Zip,
    /// `@v/list`, which `go mod download` of a version does not ask for, and an update does.
    List,
}

/// The kinds of answers that go tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// The file.
    Good,
    /// 404, 410, or a file that is not there.
    Absent,
    /// Any other failure.
    Failed,
    /// A go.mod that the checksum database contradicts: as a failure, but worse.
    Mismatch,
    /// 200 with content that go refuses after it has left the chain: no separator helps.
    Wrong,
    /// Nothing, or not to the end: go has no time limit and waits for ever.
    Silent,
    /// Not asked, and not known.
    #[default]
    Unknown,
}

/// One answer of one hop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HopAnswer {
    /// What go makes of it.
    pub kind: AnswerKind,
    /// How long go waits for it, unless it is [`AnswerKind::Silent`].
    pub wait: Duration,
    /// For people: why it is not good.
    pub why: String,
    /// The `h1:` hash of a good go.mod or zip, or the record of a good look-up; empty: not known.
    pub content: String,
}

/// The answers of one hop.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HopAnswers {
    /// To `@v/VERSION.info`.
    pub info: HopAnswer,
    /// To `@v/VERSION.mod`.
    pub go_mod: HopAnswer,
    /// To `@v/VERSION.zip`.
    pub zip: HopAnswer,
    /// To `@v/list`.
    pub list: HopAnswer,
    /// To `sumdb/NAME/supported`.
    pub supported: HopAnswer,
    /// To `sumdb/NAME/lookup/MODULE@VERSION`.
    pub lookup: HopAnswer,
}

/// A hop with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedHop {
    /// Where it leads.
    pub kind: HopKind,
    /// The separator after it.
    pub then: Option<Separator>,
    /// Its operator; `None` for `direct` and `off`.
    pub class: Option<HopClass>,
    /// What it answers; nothing is known of `direct`.
    pub answers: HopAnswers,
}

/// How go checks a module that no go.sum knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumCheck {
    /// Whether the hops are asked first. They are not if GOSUMDB has a URL.
    pub through_chain: bool,
    /// What the database itself answers to the look-up.
    pub own: HopAnswer,
}

/// How a walk along the chain, or the whole download, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainOutcome {
    /// A hop serves it.
    Served,
    /// Each hop says that it has no such thing.
    NotFound,
    /// go stops with an error.
    Failed,
    /// go refuses the content.
    WrongContent,
    /// go waits for ever.
    Hangs,
    /// go turns to version control.
    Direct,
    /// The chain ends with `off`.
    Off,
    /// It depends on a hop that may not be asked.
    Unknown,
}

/// go's way along the chain for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileWalk {
    /// The file.
    pub file: ChainFile,
    /// How the walk ends.
    pub outcome: ChainOutcome,
    /// The hop at which it ends; `None`: behind the last one.
    pub at: Option<usize>,
    /// How many hops are asked: the first ones of the chain.
    pub asked: usize,
}

/// What go does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The hops, with go's judgement of what they answer.
    pub hops: Vec<AskedHop>,
    /// The walks, in order. The last one decides.
    pub walks: Vec<FileWalk>,
    /// The walk for the list of versions, which is not part of the download.
    pub list: FileWalk,
}

/// Predicts `go mod download` of this module with an empty cache and without a go.sum. `sums`:
/// `None` if go does not check this module.
pub fn predict(
    module: &ModuleVersion,
    mut hops: Vec<AskedHop>,
    sums: Option<&SumCheck>,
) -> Prediction {
    let mut walks = vec![walk(ChainFile::Info, &hops, |answers| answers.info.kind)];
    if let Some(sums) = sums.filter(|_| is_served(&walks)) {
        let (looked_up, answer) = sums.look_up(&hops);
        for hop in &mut hops {
            judge(&mut hop.answers, module, looked_up.outcome, &answer);
        }
        walks.push(looked_up);
    }
    let has_info = walks.iter().any(|walk| walk.server().is_some());
    if has_info {
        let go_mod = walk(ChainFile::Mod, &hops, |answers| answers.go_mod.kind);
        // The database is asked when a first go.mod has come.
        let asked = hops.iter().take(go_mod.asked);
        let mut come = asked.filter(|hop| !hop.answers.go_mod.content.is_empty());
        if come.next().is_none() {
            walks.truncate(1);
        }
        walks.push(go_mod);
    }
    if walks.len() > 1 && is_served(&walks) {
        walks.push(walk(ChainFile::Zip, &hops, |answers| answers.zip.kind));
    }
    let list = walk(ChainFile::List, &hops, |answers| answers.list.kind);
    Prediction { hops, walks, list }
}

fn is_served(walks: &[FileWalk]) -> bool {
    walks.last().is_some_and(|walk| walk.server().is_some())
}

/// What go makes of a go.mod and a zip after the look-up. It compares a go.mod before it leaves the
/// chain, and a zip after it.
fn judge(
    answers: &mut HopAnswers,
    module: &ModuleVersion,
    looked_up: ChainOutcome,
    answer: &HopAnswer,
) {
    let record = LookupRecord::parse(answer.content.as_bytes()).ok();
    let holds = |of: &str, hash: &str| {
        let line = format!("{} {}{of} {hash}", module.path, module.version);
        record.as_ref().is_some_and(|record| record.holds(&line))
    };
    let HopAnswers { go_mod, zip, .. } = answers;
    let database = || format!("the checksum database: {}", answer.why);
    if go_mod.kind == AnswerKind::Good {
        match looked_up {
            ChainOutcome::Served if holds("/go.mod", &go_mod.content) => {}
            ChainOutcome::Served => go_mod.fail(
                AnswerKind::Mismatch,
                "its go.mod is not the one that the checksum database knows",
            ),
            ChainOutcome::Hangs => go_mod.fail(AnswerKind::Silent, database()),
            ChainOutcome::Unknown => go_mod.fail(AnswerKind::Unknown, database()),
            ChainOutcome::NotFound
            | ChainOutcome::Failed
            | ChainOutcome::WrongContent
            | ChainOutcome::Direct
            | ChainOutcome::Off => go_mod.fail(AnswerKind::Failed, database()),
        }
    }
    let is_known = zip.kind == AnswerKind::Good && !zip.content.is_empty();
    if is_known && looked_up == ChainOutcome::Served && !holds("", &zip.content) {
        zip.fail(
            AnswerKind::Wrong,
            "its zip is not the one that the checksum database knows",
        );
    }
}

/// Returns the hops that get a private name on this network, although none is sent now: the
/// ones that go walks to until a private or unknown hop answers at all.
pub fn private_reach(hops: &[AskedHop]) -> usize {
    let kinds: Vec<AskedHop> = hops
        .iter()
        .map(|hop| {
            let mut hop = hop.clone();
            let kind = &mut hop.answers.info.kind;
            if matches!(kind, AnswerKind::Good | AnswerKind::Absent) {
                *kind = match hop.class {
                    Some(HopClass::Public) => AnswerKind::Absent,
                    Some(_) | None => AnswerKind::Good,
                };
            }
            hop
        })
        .collect();
    walk(ChainFile::Info, &kinds, |answers| answers.info.kind).asked
}

/// `TryProxies`.
fn walk(file: ChainFile, hops: &[AskedHop], kind: impl Fn(&HopAnswers) -> AnswerKind) -> FileWalk {
    let mut failed = None;
    for (at, hop) in hops.iter().enumerate() {
        let end = match &hop.kind {
            HopKind::Direct => Some(ChainOutcome::Direct),
            // An earlier error is reported, not this end.
            HopKind::Off => failed.or(Some(ChainOutcome::Off)),
            HopKind::Proxy(_) | HopKind::File(_) => match kind(&hop.answers) {
                AnswerKind::Good => Some(ChainOutcome::Served),
                AnswerKind::Wrong => Some(ChainOutcome::WrongContent),
                AnswerKind::Silent => Some(ChainOutcome::Hangs),
                AnswerKind::Unknown => Some(ChainOutcome::Unknown),
                AnswerKind::Absent => None,
                kind @ (AnswerKind::Failed | AnswerKind::Mismatch) => {
                    failed = Some(if kind == AnswerKind::Mismatch {
                        ChainOutcome::WrongContent
                    } else {
                        ChainOutcome::Failed
                    });
                    failed.filter(|_| hop.then == Some(Separator::Comma))
                }
            },
        };
        if let Some(outcome) = end {
            return FileWalk {
                file,
                outcome,
                at: Some(at),
                asked: at + 1,
            };
        }
    }
    FileWalk {
        file,
        outcome: failed.unwrap_or(ChainOutcome::NotFound),
        at: None,
        asked: hops.len(),
    }
}

impl SumCheck {
    /// Does go ask the database itself: does no hop relay it?
    pub fn needs_own(&self, hops: &[AskedHop]) -> bool {
        let has_info = walk(ChainFile::Info, hops, |answers| answers.info.kind);
        let ends = [
            ChainOutcome::NotFound,
            ChainOutcome::Direct,
            ChainOutcome::Off,
        ];
        has_info.server().is_some() && ends.contains(&self.find(hops).outcome)
    }

    /// `initBase`: the first hop that relays the database is asked, and only it.
    fn find(&self, hops: &[AskedHop]) -> FileWalk {
        let hops = if self.through_chain { hops } else { &[] };
        walk(ChainFile::SumDb, hops, |answers| answers.supported.kind)
    }

    /// Returns the answer that decides as well.
    fn look_up(&self, hops: &[AskedHop]) -> (FileWalk, HopAnswer) {
        let mut walk = self.find(hops);
        let at = walk.at.and_then(|at| hops.get(at));
        let failed = |hop: &AskedHop| hop.answers.supported.clone();
        let answer = match walk.outcome {
            ChainOutcome::Served => at.map(|hop| hop.answers.lookup.clone()),
            ChainOutcome::NotFound | ChainOutcome::Direct | ChainOutcome::Off => {
                Some(self.own.clone())
            }
            ChainOutcome::Failed
            | ChainOutcome::WrongContent
            | ChainOutcome::Hangs
            | ChainOutcome::Unknown => return (walk, at.map(failed).unwrap_or_default()),
        };
        let answer = answer.unwrap_or_default();
        walk.outcome = match answer.kind {
            AnswerKind::Good => ChainOutcome::Served,
            AnswerKind::Silent => ChainOutcome::Hangs,
            AnswerKind::Unknown => ChainOutcome::Unknown,
            AnswerKind::Absent | AnswerKind::Failed | AnswerKind::Mismatch | AnswerKind::Wrong => {
                ChainOutcome::Failed
            }
        };
        (walk, answer)
    }
}

impl FileWalk {
    /// The hop that serves the file.
    pub fn server(&self) -> Option<usize> {
        self.at.filter(|_| self.outcome == ChainOutcome::Served)
    }
}

impl Prediction {
    /// For a module that GONOPROXY matches: go passes all hops by.
    pub fn direct(hops: Vec<AskedHop>) -> Prediction {
        let walk = FileWalk {
            file: ChainFile::Info,
            outcome: ChainOutcome::Direct,
            at: None,
            asked: 0,
        };
        let list = FileWalk {
            file: ChainFile::List,
            ..walk
        };
        let walks = vec![walk];
        Prediction { hops, walks, list }
    }

    /// How the download ends.
    pub fn outcome(&self) -> ChainOutcome {
        let last = self.walks.last();
        last.map_or(ChainOutcome::Unknown, |walk| walk.outcome)
    }

    /// The hop that serves the zip.
    pub fn server(&self) -> Option<usize> {
        self.walks.last()?.server()
    }

    /// Does go ask this hop for any file?
    pub fn is_asked(&self, hop: usize) -> bool {
        self.walks.iter().any(|walk| walk.asked > hop)
    }

    /// Does go ask the hop behind this one for any file?
    pub fn moves_on(&self, hop: usize) -> bool {
        self.is_asked(hop + 1)
    }

    /// Does go get the list of versions as it gets the version itself?
    pub fn lists_as_it_serves(&self) -> bool {
        let first = self.walks.first();
        first.is_some_and(|info| (info.outcome, info.at) == (self.list.outcome, self.list.at))
    }

    /// The answers that go gets from this hop in a download, by file.
    pub fn answers(&self, at: usize) -> Vec<(ChainFile, &HopAnswer)> {
        let Some(HopAnswers {
            info,
            go_mod,
            zip,
            list,
            supported,
            lookup,
        }) = self.hops.get(at).map(|hop| &hop.answers)
        else {
            return Vec::new();
        };
        let asked = self.walks.iter().filter(|walk| walk.asked > at);
        let got = asked.flat_map(|walk| match walk.file {
            ChainFile::Info => vec![(walk.file, info)],
            ChainFile::Mod => vec![(walk.file, go_mod)],
            ChainFile::Zip => vec![(walk.file, zip)],
            ChainFile::List => vec![(walk.file, list)],
            ChainFile::SumDb if supported.kind == AnswerKind::Good => {
                vec![(walk.file, supported), (walk.file, lookup)]
            }
            ChainFile::SumDb => vec![(walk.file, supported)],
        });
        got.collect()
    }

    /// How long go waits for this hop; `None`: for ever.
    pub fn wait(&self, at: usize) -> Option<Duration> {
        let waits = self.answers(at).into_iter().map(|(_, answer)| {
            let ends = answer.kind != AnswerKind::Silent;
            ends.then_some(answer.wait)
        });
        waits.sum()
    }
}

impl HopAnswer {
    /// Replaces a good answer.
    pub(super) fn fail(&mut self, kind: AnswerKind, why: impl Into<String>) {
        self.kind = kind;
        self.why = why.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Chain;

    const HASH: &str = "h1:right";

    fn answer(kind: AnswerKind) -> HopAnswer {
        HopAnswer {
            kind,
            wait: Duration::from_secs(30),
            ..HopAnswer::default()
        }
    }

    /// `good`, `404`, `dead` or `hang` for all files; `badzip` and `badmod` for one.
    fn hops(chain: &str) -> Vec<AskedHop> {
        let chain = Chain::parse(chain).unwrap();
        let asked = chain.hops.into_iter().map(|hop| {
            let good = HopAnswer {
                content: HASH.to_owned(),
                ..answer(AnswerKind::Good)
            };
            let all = |answer: HopAnswer| HopAnswers {
                info: answer.clone(),
                go_mod: answer.clone(),
                zip: answer.clone(),
                list: answer.clone(),
                supported: answer.clone(),
                lookup: answer,
            };
            let HopKind::Proxy(url) = &hop.kind else {
                return AskedHop {
                    kind: hop.kind,
                    then: None,
                    class: None,
                    answers: HopAnswers::default(),
                };
            };
            let answers = match url.trim_start_matches("https://").trim_end_matches(".test") {
                "404" => all(answer(AnswerKind::Absent)),
                "dead" => all(answer(AnswerKind::Failed)),
                "hang" => all(answer(AnswerKind::Silent)),
                "badzip" => HopAnswers {
                    zip: answer(AnswerKind::Wrong),
                    ..all(good)
                },
                "deadzip" => HopAnswers {
                    zip: answer(AnswerKind::Failed),
                    ..all(good)
                },
                "badmod" => HopAnswers {
                    go_mod: answer(AnswerKind::Mismatch),
                    ..all(good)
                },
                _ => all(good),
            };
            AskedHop {
                kind: hop.kind,
                then: hop.then,
                class: Some(HopClass::Public),
                answers,
            }
        });
        asked.collect()
    }

    fn module() -> ModuleVersion {
        ModuleVersion::new("a.test/m", "v1.0.0")
    }

    #[test]
    fn go_walks_the_chain_for_each_file_again() {
        use ChainOutcome::*;
        for (chain, outcome, server, seconds) in [
            ("good.test", Served, Some(0), Some(90)),
            ("404.test", NotFound, None, Some(30)),
            ("404.test,good.test", Served, Some(1), Some(180)),
            ("404.test,off", Off, None, Some(30)),
            ("404.test|direct", Direct, None, Some(30)),
            ("dead.test,good.test", Failed, None, Some(30)),
            ("dead.test|good.test", Served, Some(1), Some(180)),
            ("dead.test|404.test", Failed, None, Some(60)),
            ("dead.test|off", Failed, None, Some(30)),
            ("dead.test|direct", Direct, None, Some(30)),
            ("hang.test|good.test", Hangs, None, None),
            ("404.test|hang.test", Hangs, None, None),
            ("good.test|hang.test", Served, Some(0), Some(90)),
            ("badzip.test|good.test", WrongContent, None, Some(90)),
            ("deadzip.test|good.test", Served, Some(1), Some(120)),
            ("deadzip.test,good.test", Failed, None, Some(90)),
            ("badmod.test,good.test", WrongContent, None, Some(60)),
            ("badmod.test|good.test", Served, Some(0), Some(120)),
            ("badmod.test|404.test", WrongContent, None, Some(90)),
        ] {
            let seen = predict(&module(), hops(chain), None);
            let wait: Option<Duration> = (0..seen.hops.len()).map(|at| seen.wait(at)).sum();
            assert_eq!(
                (
                    seen.outcome(),
                    seen.server(),
                    wait.map(|wait| wait.as_secs())
                ),
                (outcome, server, seconds),
                "{chain}"
            );
        }
    }

    #[test]
    fn the_list_of_versions_has_its_own_walk_and_does_not_count_in_the_download() {
        let mut chain = hops("good.test|good.test");
        assert!(predict(&module(), chain.clone(), None).lists_as_it_serves());
        for (kind, outcome, at) in [
            (AnswerKind::Absent, ChainOutcome::Served, Some(1)),
            (AnswerKind::Silent, ChainOutcome::Hangs, Some(0)),
        ] {
            chain[0].answers.list.kind = kind;
            let seen = predict(&module(), chain.clone(), None);
            assert_eq!((seen.list.outcome, seen.list.at), (outcome, at));
            assert!(!seen.lists_as_it_serves());
            let wait: Option<Duration> = (0..2).map(|at| seen.wait(at)).sum();
            assert_eq!((seen.server(), wait.unwrap().as_secs()), (Some(0), 90));
        }
    }

    #[test]
    fn a_hop_moves_on_if_any_file_is_asked_behind_it() {
        let seen = predict(&module(), hops("deadzip.test|good.test|404.test"), None);
        let moves: Vec<bool> = (0..3).map(|at| seen.moves_on(at)).collect();
        assert_eq!(moves, [true, false, false]);
        assert!(!seen.is_asked(2));
    }

    #[test]
    fn the_database_is_found_by_the_same_walk_and_decides_about_each_go_mod() {
        use ChainOutcome::*;
        let own = |kind| SumCheck {
            through_chain: true,
            own: answer(kind),
        };
        let good = own(AnswerKind::Good);
        for (chain, needed) in [
            ("good.test", false),
            ("404.test|direct", false),
            ("dead.test,good.test", false),
        ] {
            assert_eq!(good.needs_own(&hops(chain)), needed, "{chain}");
        }
        let mut relays_not = hops("good.test,404.test");
        relays_not[0].answers.supported.kind = AnswerKind::Absent;
        assert!(good.needs_own(&relays_not));
        for (kind, outcome) in [
            // A record without a line of this module.
            (AnswerKind::Good, WrongContent),
            (AnswerKind::Failed, Failed),
            (AnswerKind::Silent, Hangs),
        ] {
            let seen = predict(&module(), relays_not.clone(), Some(&own(kind)));
            assert_eq!(seen.outcome(), outcome);
        }
        // A hop that says yes to `supported` is asked, whatever follows.
        let mut pinned = hops("good.test|good.test");
        pinned[0].answers.lookup.kind = AnswerKind::Failed;
        let seen = predict(&module(), pinned, Some(&good));
        assert_eq!(seen.outcome(), Failed);
    }

    #[test]
    fn a_private_name_goes_on_until_a_hop_of_its_owner_answers() {
        let mut chain = hops("404.test,good.test,good.test,off");
        assert_eq!(private_reach(&chain), 4);
        chain[1].class = Some(HopClass::Private);
        assert_eq!(private_reach(&chain), 2);
        chain[1].answers.info.kind = AnswerKind::Failed;
        assert_eq!(private_reach(&chain), 2);
        chain[1].then = Some(Separator::Pipe);
        assert_eq!(private_reach(&chain), 4);
    }
}
