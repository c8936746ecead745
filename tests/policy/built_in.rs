//! The policies that goroam comes with: what they set, whatever answers.

use std::collections::BTreeMap;

use goroam::environment::Environment;
use goroam::model::{Observation, Snapshot, Verdict};
use goroam::policy::templates::{Company, Template};
use goroam::policy::{DecisionFacts, FastestFacts, Gaps, Policy, TargetState, decide};

use crate::policies::read;

/// Returns the profile, GOPROXY and GOSUMDB where these targets are up and all others are down.
fn chosen(policy: &Policy, up: &[&str], by_hand: Option<&str>) -> [String; 3] {
    let state = |name: &String| {
        let up = up.contains(&name.as_str());
        let verdict = if up { Verdict::Up } else { Verdict::Down };
        let observation = Observation {
            target: name.clone(),
            verdict,
            ..Observation::default()
        };
        (name.clone(), TargetState { observation, up })
    };
    let seen: BTreeMap<String, TargetState> = policy.targets.keys().map(state).collect();
    let facts = DecisionFacts {
        snapshot: &Snapshot::default(),
        seen: &seen,
        env: &Environment::default(),
        fastest: &FastestFacts::default(),
        gaps: Gaps::default(),
    };
    let decision = decide(policy, facts, by_hand).unwrap();
    let value = |name: &str| decision.env[name].clone();
    [decision.profile.clone(), value("GOPROXY"), value("GOSUMDB")]
}

const CACHE: &str = "file://${GOMODCACHE}/cache/download,off";

#[test]
fn each_way_to_modules_and_to_the_checksum_database_is_found() {
    let policy = read(Template::Default.text()).policy.unwrap();
    let names = [
        "proxy",
        "sum",
        "cn",
        "io",
        "aliyun",
        "sum-cn",
        "sum-via-cn",
        "sum-via-io",
    ];
    let mut asked: Vec<&str> = policy.targets.keys().map(String::as_str).collect();
    asked.retain(|name| *name != "mirror");
    assert_eq!(asked.len(), names.len(), "{asked:?}");
    for some in 0..1_u32 << names.len() {
        let up = names
            .iter()
            .enumerate()
            .filter(|(at, _)| some >> at & 1 == 1);
        let up = Vec::from_iter(up.map(|(_, name)| *name));
        let is_up = |name: &str| up.contains(&name);
        let mirrors = [
            ("cn", "https://goproxy.cn,direct"),
            ("io", "https://goproxy.io,direct"),
            ("aliyun", "https://mirrors.aliyun.com/goproxy,direct"),
        ];
        let mirror = mirrors.iter().find(|(name, _)| is_up(name));
        let wanted = match mirror {
            _ if is_up("proxy") && is_up("sum") => [
                "public",
                "https://proxy.golang.org,direct",
                "sum.golang.org",
            ],
            // Whichever it is, go asks the other host of the database itself.
            Some((_, chain)) if is_up("sum-cn") => ["restricted", chain, "sum.golang.google.cn"],
            // Here go asks the database through the proxy.
            _ if is_up("cn") && is_up("sum-via-cn") => {
                ["restricted", mirrors[0].1, "sum.golang.org"]
            }
            _ if is_up("io") && is_up("sum-via-io") => {
                ["restricted", mirrors[1].1, "sum.golang.org"]
            }
            _ => ["offline", CACHE, "sum.golang.org"],
        };
        assert_eq!(chosen(&policy, &up, None), wanted, "{up:?}");
        // By hand it takes the way that works here, and is the first one where none does.
        let by_hand = chosen(&policy, &up, Some("restricted"));
        let [_, database @ ..] = match mirror {
            _ if wanted[0] == "restricted" => wanted,
            _ if is_up("sum-cn") && mirror.is_some() => [
                "",
                mirror.map_or("", |(_, chain)| chain),
                "sum.golang.google.cn",
            ],
            _ if is_up("cn") && is_up("sum-via-cn") => ["", mirrors[0].1, "sum.golang.org"],
            _ if is_up("io") && is_up("sum-via-io") => ["", mirrors[1].1, "sum.golang.org"],
            Some((_, chain)) => ["", chain, "sum.golang.google.cn"],
            None => ["", mirrors[0].1, "sum.golang.google.cn"],
        };
        let [goproxy, gosumdb] = database;
        assert_eq!(by_hand, ["restricted", goproxy, gosumdb], "{up:?}");
    }
}

#[test]
fn a_company_s_policy_has_the_mirrors_in_china_if_its_private_modules_are_known() {
    let mut company = Company {
        url: "https://goproxy.corp.example".to_owned(),
        host: "goproxy.corp.example".to_owned(),
        private: "git.corp.example".to_owned(),
        ..Company::default()
    };
    let known = read(&company.text());
    assert_eq!(known.findings, []);
    let known = known.policy.unwrap();
    let corporate = read(Template::Corporate.text()).policy.unwrap();
    for (policy, office) in [(&known, "company"), (&corporate, "corp")] {
        for (up, goproxy, gosumdb) in [
            (
                ["io", "sum-cn"],
                "https://goproxy.io,direct",
                "sum.golang.google.cn",
            ),
            (
                ["cn", "sum-via-cn"],
                "https://goproxy.cn,direct",
                "sum.golang.org",
            ),
            (
                ["io", "sum-via-io"],
                "https://goproxy.io,direct",
                "sum.golang.org",
            ),
        ] {
            assert_eq!(chosen(policy, &up, None), ["restricted", goproxy, gosumdb]);
        }
        for profile in &policy.profiles {
            assert!(profile.env.contains_key("GOPRIVATE"), "{}", profile.name);
        }
        assert_eq!(chosen(policy, &["io"], None)[0], "offline");
        let inside = ["aliyun", "sum-cn", office];
        assert_eq!(chosen(policy, &inside, None)[0], "office");
    }

    company.private.clear();
    let unknown = read(&company.text()).policy.unwrap();
    assert_eq!(chosen(&unknown, &["io", "sum-cn"], None)[0], "offline");
}
