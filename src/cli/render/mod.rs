//! Formats values as text for people. Pure: a value and a [`Page`] in, text with ANSI styles out;
//! printing removes the styles if they are not wanted. A symbol and a word carry the meaning; a
//! colour only repeats it. Text from the network or from a file never reaches a terminal with its
//! control characters.

mod findings;
mod found;
mod glyphs;
mod live;
mod page;
mod progress;
mod status;
mod style;
mod text;

pub(super) use crate::model::text::duration;
pub(super) use findings::{MOST_FINDINGS, Position, Shown, findings};
pub(super) use found::{Found, found};
pub(super) use glyphs::glyphs;
pub(super) use live::{Size, View, live};
pub(super) use page::Page;
pub(super) use progress::{Progress, size};
pub(super) use status::{fleet, network, notes, segment, status, status_line};
pub(super) use style::{BAD, BOLD, DIM, GOOD, Mark, ODD, paint};
pub(super) use text::{Sheet, clean, pad, width, width_of_painted};

/// Values for the tests of this room.
#[cfg(test)]
pub(super) mod fixtures {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::Page;
    use crate::agent::{TurnReport, WhyReport};
    use crate::model::plan::{Plan, PlanStep};
    use crate::model::status::{
        AgentState, LinkStatus, NetworkStatus, RouteStatus, Status, TargetStatus,
    };
    use crate::model::{
        Change, NetworkId, Observation, Phase, Phases, Proof, Resolver, Snapshot, Truth, Verdict,
    };
    use crate::policy::Decision;
    use crate::policy::{Considered, Trace};
    use crate::state::entry::{Entry, Outcome};

    /// Eighty columns, at a quarter past eleven.
    pub(in crate::cli) fn page() -> Page {
        Page {
            columns: 80,
            now: at("11:16:00"),
            zone: TimeZone::UTC,
        }
    }

    /// Returns a time on the day of [`page`].
    pub(in crate::cli) fn at(clock: &str) -> Timestamp {
        format!("2026-11-22T{clock}Z").parse().unwrap()
    }

    /// Removes the styles.
    pub(in crate::cli) fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    /// Returns the first line with more than 80 columns.
    pub(in crate::cli) fn too_wide(text: &str) -> Option<String> {
        let text = plain(text);
        text.lines()
            .find(|line| line.chars().count() > 80)
            .map(str::to_owned)
    }

    fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    /// An observation of a target.
    pub(in crate::cli) fn seen(
        target: &str,
        verdict: Verdict,
        reason: &str,
        ms: [f64; 4],
    ) -> Observation {
        let ms = ms.map(|ms| (ms >= 0.0).then_some(ms));
        Observation {
            target: target.to_owned(),
            verdict,
            reason: reason.to_owned(),
            failed: (verdict != Verdict::Up).then_some(Phase::Content),
            phases: Phases {
                dns: ms[0],
                connect: ms[1],
                tls: ms[2],
                first_byte: ms[3],
                total: Some(ms.into_iter().flatten().sum()),
            },
            proof: Proof::Tls,
            definite: true,
            tries: 1,
            began_ms: None,
            silent: false,
            portal_url: None,
            caveat: None,
            speed: None,
        }
    }

    /// A status in an office.
    pub(in crate::cli) fn office() -> Status {
        let up = seen(
            "corp",
            Verdict::Up,
            "TLS pinned, v1.4.0 hash right",
            [1.0, 2.0, 6.0, 3.0],
        );
        let down = seen(
            "proxy",
            Verdict::Down,
            "10.20.0.1 answers “no route” (blocked here)",
            [3000.0, -1.0, -1.0, -1.0],
        );
        let was = [
            ("GOPROXY", Some("proxy.golang.org,direct")),
            ("GOPRIVATE", None),
            ("GOSUMDB", Some("sum.golang.org")),
        ];
        Status {
            profile: Some("office".to_owned()),
            since: Some(at("09:12:00")),
            agent: AgentState::Running,
            applied: owned(&[
                ("GOPROXY", "https://goproxy.corp.example"),
                ("GOSUMDB", "sum.golang.org"),
                ("GOPRIVATE", "git.corp.example"),
            ]),
            targets: vec![
                TargetStatus::new("corp", Some(&up)),
                TargetStatus::new("proxy", Some(&down)),
                TargetStatus::new("sum", None),
            ],
            network: NetworkStatus {
                identity: Some(NetworkId("wlan0 via 10.20.0.1".to_owned())),
                links: vec![LinkStatus {
                    name: "wlan0".to_owned(),
                    kind: "wifi".to_owned(),
                    running: true,
                    addresses: vec!["10.20.0.50/16".to_owned()],
                    ssid: Some("corp".to_owned()),
                    more_addresses: 0,
                }],
                default_routes: vec![RouteStatus {
                    link: "wlan0".to_owned(),
                    gateway: Some("10.20.0.1".to_owned()),
                    metric: 600,
                }],
                more_default_routes: 0,
                dns: Resolver {
                    servers: vec!["10.20.0.53".parse().unwrap()],
                    search: vec!["corp.example".to_owned()],
                },
            },
            switched_ms: Some(38.2),
            why: Some("corp proven by its key".to_owned()),
            was: was
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
                .into_iter()
                .collect(),
            turn: Some(481),
            ..Status::default()
        }
    }

    /// A turn that leaves the office network.
    pub(in crate::cli) fn to_offline() -> TurnReport {
        let set = |name: &str, value: &str| PlanStep::Set {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        TurnReport {
            status: Status {
                profile: Some("offline".to_owned()),
                why: Some("nothing answers; wlan0 is down".to_owned()),
                ..Status::default()
            },
            changed: ["GONOPROXY", "GOPRIVATE", "GOPROXY"]
                .map(str::to_owned)
                .to_vec(),
            decision: Some(why_office().decision),
            from: Some("intranet".to_owned()),
            plan: Plan {
                steps: vec![
                    set("GONOPROXY", "none"),
                    PlanStep::Unset {
                        name: "GOPRIVATE".to_owned(),
                    },
                    set("GOPROXY", "file:///home/me/go/pkg/mod/cache/download,off"),
                    PlanStep::Leave {
                        name: "GOSUMDB".to_owned(),
                        why: "is right already".to_owned(),
                    },
                ],
            },
            outcome: Outcome::Written {
                changed: ["GONOPROXY", "GOPRIVATE", "GOPROXY"]
                    .map(str::to_owned)
                    .to_vec(),
            },
            took: [("all".to_owned(), 41.4)].into(),
        }
    }

    fn leaf(what: &str, value: Truth, evidence: &str) -> Trace {
        Trace {
            what: what.to_owned(),
            value,
            evidence: evidence.to_owned(),
            parts: Vec::new(),
        }
    }

    fn group(what: &str, value: Truth, parts: Vec<Trace>) -> Trace {
        Trace {
            parts,
            ..leaf(what, value, "")
        }
    }

    /// The reasons for choosing the office.
    pub(in crate::cli) fn why_office() -> WhyReport {
        let any = group(
            "any",
            Truth::True,
            vec![
                leaf("subnet 10.0.0.0/8", Truth::True, "wlan0 has 10.20.0.50"),
                leaf("search_domain corp.example", Truth::Unknown, "not needed"),
            ],
        );
        let evidence = "TLS to goproxy.corp.example, key sha256/3f9c… is pinned";
        let all = group(
            "all",
            Truth::True,
            vec![leaf("up corp", Truth::True, evidence), any],
        );
        let considered = |profile: &str, trace: Option<Trace>| Considered {
            profile: profile.to_owned(),
            trace,
        };
        WhyReport {
            way_out: None,
            sources: None,
            from: Some("module proxy goproxy.corp.example".to_owned()),
            decision: Decision {
                profile: "office".to_owned(),
                variant: 0,
                provisional: false,
                pinned: false,
                over: None,
                fastest: None,
                env: owned(&[("GOPROXY", "https://goproxy.corp.example")]),
                considered: vec![
                    considered(
                        "lab",
                        Some(leaf("interface lab*", Truth::False, "no running link is")),
                    ),
                    considered("office", Some(all)),
                    considered("public", None),
                    considered("offline", None),
                ],
                loosens: Vec::new(),
                accept_unauthenticated: false,
                not_waited_for: vec!["proxy".to_owned(), "sum".to_owned()],
            },
            report: Vec::new(),
            changes: vec!["default route moved to wlan0 via 10.20.0.1".to_owned()],
            turn: Some(481),
            at: Some(at("09:12:03")),
            decided_ms: Some(31.0),
            tier: Some(crate::model::Tier::Proxy),
            summary: "corp proven by its key".to_owned(),
        }
    }

    /// The observations behind a hotel's login page.
    pub(in crate::cli) fn hotel() -> Vec<Observation> {
        let mut seen = vec![
            seen(
                "corp",
                Verdict::Up,
                "git.corp.example/team/hello@v1.0.0",
                [1.2, 2.0, 6.0, 3.0],
            ),
            seen(
                "proxy",
                Verdict::Portal,
                "302 to http://login.hotel.example/",
                [1.0, 2.0, 4.0, 2.0],
            ),
            seen(
                "cn",
                Verdict::Wrong,
                "200, but HTML where go.mod was asked",
                [0.3, 3.0, 7.0, 4.0],
            ),
            seen(
                "sum",
                Verdict::Down,
                "no answer from DNS 10.8.0.2 in 3 s",
                [3000.0, -1.0, -1.0, -1.0],
            ),
        ];
        seen[1].portal_url = Some("http://login.hotel.example/".to_owned());
        seen
    }

    /// The journal of an evening and a morning.
    pub(in crate::cli) fn diary() -> Vec<Entry> {
        let evening = Entry {
            trace: String::new(),
            turn: 480,
            at: "2026-11-21T18:40:00Z".parse().unwrap(),
            cause: "recheck".to_owned(),
            changes: Vec::new(),
            drift: Vec::new(),
            snapshot: Snapshot::default(),
            left_out: None,
            report: Vec::new(),
            counts_as_before: Default::default(),
            incidents: Vec::new(),
            fleet: None,
            decision: Some(why_office().decision),
            from: Some("office".to_owned()),
            plan: Plan::default(),
            outcome: Outcome::Failed {
                error: "go env file is read-only".to_owned(),
                kind: String::new(),
            },
            ms: BTreeMap::new(),
        };
        let morning = Entry {
            turn: 481,
            at: at("09:12:03"),
            cause: "network".to_owned(),
            changes: vec![
                Change {
                    what: "default route moved to wlan0 via 10.20.0.1".to_owned(),
                    major: true,
                },
                Change {
                    what: "eth0: MTU 1500".to_owned(),
                    major: false,
                },
            ],
            from: Some("home".to_owned()),
            outcome: Outcome::Written {
                changed: vec!["GOPROXY".to_owned()],
            },
            ms: [("all".to_owned(), 38.2)].into(),
            ..evening.clone()
        };
        vec![evening, morning]
    }
}
