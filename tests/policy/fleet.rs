//! What a machine makes of a signed policy. The signatures are minisign's own.

use std::path::Path;

use goroam::policy::file::{PolicyLocation, fleet_settings, parse_layers};
use goroam::policy::fleet::{FleetSettings, FleetState, Judge, Judged, Offer, Refusal, Refused};
use goroam::policy::layers::{Layer, LayerKind};
use jiff::Timestamp;

use crate::minisign::MinisignKey;

const NOW: &str = "2026-12-01T12:00:00Z";
const HEAD: &str = "version = 1\n\n[policy]\nid = \"corp\"\n";
const DATES: &str = "issued = 2026-11-29T10:00:00Z\nexpires = 2027-01-15T00:00:00Z\n";
const PROFILE: &str = "\n[[profile]]\nname = \"public\"\nfleet = true\n\n[profile.env]\n\
                       GOPROXY = \"https://proxy.golang.org,direct\"\n";

fn policy(version: u64) -> String {
    with(version, "", PROFILE)
}

/// A policy of this version, with more lines in `[policy]` and these profiles.
fn with(version: u64, more: &str, rest: &str) -> String {
    format!("{HEAD}version = {version}\n{DATES}{more}{rest}")
}

struct Machine {
    settings: FleetSettings,
    state: FleetState,
    now: Timestamp,
}

impl Machine {
    fn following(keys: &[&MinisignKey]) -> Machine {
        let keys: Vec<String> = keys.iter().map(|key| format!("{:?}", key.public)).collect();
        let text = format!(
            "[fleet]\nurl = \"https://policy.example/policy.toml\"\nkeys = [{}]\n",
            keys.join(", ")
        );
        Machine {
            settings: fleet_settings(&text).unwrap(),
            state: FleetState {
                machine: "00ff".to_owned(),
                ..FleetState::default()
            },
            now: NOW.parse().unwrap(),
        }
    }

    fn judge(&self) -> Judge<'_> {
        Judge {
            settings: &self.settings,
            state: &self.state,
            now: self.now,
            goroam: "0.1.0",
            location: PolicyLocation {
                folder: Path::new("/"),
                home: None,
            },
        }
    }

    fn offer(&mut self, body: &str, signature: &str) -> Result<Judged, Refused> {
        let body = body.as_bytes();
        let judged = self.judge().judge(Offer { body, signature });
        if let Ok(Judged::New(state)) = &judged {
            self.state = *state.clone();
        }
        judged
    }

    fn offer_by(&mut self, key: &MinisignKey, body: &str) -> Result<Judged, Refused> {
        self.offer(body, &key.sign(body.as_bytes()))
    }

    /// Takes a policy that must be right.
    fn takes(&mut self, key: &MinisignKey, body: &str) {
        let judged = self.offer_by(key, body);
        assert!(matches!(judged, Ok(Judged::New(_))), "{judged:?}");
        let held = self.judge().held();
        assert_eq!(held.unwrap().unwrap().0, body);
    }

    /// Refuses a policy, and keeps what it has.
    fn refuses(&mut self, key: &MinisignKey, body: &str, why: Refusal) -> String {
        let before = self.state.clone();
        let refused = self.offer_by(key, body).unwrap_err();
        assert_eq!(refused.why, why, "{refused}");
        assert_eq!(self.state, before);
        refused.reason
    }
}

macro_rules! key {
    () => {
        match MinisignKey::new() {
            Some(key) => key,
            None => {
                println!("skipped: there is no minisign");
                return;
            }
        }
    };
}

#[test]
fn only_the_bytes_that_a_listed_key_has_signed_are_taken() {
    let (key, stranger) = (key!(), key!());
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(1));
    let refused = |machine: &mut Machine, body: &str, signature: &str| {
        let refused = machine.offer(body, signature).unwrap_err();
        assert_eq!(refused.why, Refusal::Signature, "{refused}");
    };
    let next = policy(2);
    refused(&mut machine, &next, &stranger.sign(next.as_bytes()));
    refused(&mut machine, &next, &key.sign(policy(3).as_bytes()));
    // Over the bytes themselves, as minisign signed before 0.10.
    refused(
        &mut machine,
        &next,
        &key.sign_with(next.as_bytes(), &["-l"]),
    );
    let good = key.sign(next.as_bytes());
    for broken in [
        "",
        "a\nb\nc\nd\n",
        &good[..good.len() / 2],
        &good.replace("trusted", "x"),
    ] {
        refused(&mut machine, &next, broken);
    }
    // Comments that are not signed, and lines behind, are up to the store: they make no news.
    let held = machine.state.newest.clone().unwrap();
    for other in [
        held.signature
            .replace("untrusted comment: ", "untrusted comment: \u{1b}[31m"),
        held.signature.clone() + "more\n",
        held.signature.replace('\n', "\r\n"),
    ] {
        assert_ne!(other, held.signature);
        assert_eq!(machine.offer(&held.text, &other), Ok(Judged::Same));
    }
    // Nothing is parsed before the signature is right: this would be no TOML.
    refused(&mut machine, "\u{0}[[[", &good);
    machine.takes(&key, &next);
    let long = "#".repeat(256 << 10) + &policy(3);
    machine.refuses(&key, &long, Refusal::TooLong);
}

#[test]
fn an_older_policy_is_refused_and_another_one_of_the_same_version_too() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(41));
    let newest = policy(42);
    let signature = key.sign(newest.as_bytes());
    let taken = machine.offer(&newest, &signature);
    assert!(matches!(taken, Ok(Judged::New(_))), "{taken:?}");
    let reason = machine.refuses(&key, &policy(41), Refusal::RolledBack);
    assert!(
        reason.contains("version 41") && reason.contains("version 42"),
        "{reason}"
    );
    machine.refuses(
        &key,
        &with(42, "", &format!("{PROFILE}# other\n")),
        Refusal::Twins,
    );
    machine.refuses(&key, &policy(43).replace("corp", "other"), Refusal::OtherId);
    assert_eq!(machine.offer(&newest, &signature), Ok(Judged::Same));
}

#[test]
fn what_a_policy_must_say_of_itself() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    for missing in ["id", "version = 1\ni", "issued", "expires"] {
        let body = policy(1).replacen(&format!("\n{missing}"), "\n#", 1);
        assert_ne!(body, policy(1), "{missing}");
        machine.refuses(
            &key,
            &body.replacen("\n#ssued", "\nissued", 1),
            Refusal::Header,
        );
    }
    machine.refuses(
        &key,
        &with(1, "min_goroam = \"0.2\"\nnews = 1\n", PROFILE),
        Refusal::NeedsNewer,
    );
    machine.refuses(&key, &with(1, "news = 1\n", PROFILE), Refusal::Policy);
    machine.takes(&key, &with(1, "min_goroam = \"0.1\"\n", PROFILE));
}

#[test]
fn a_policy_that_has_expired_is_not_taken_and_one_in_force_stays() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(1));
    let header = |machine: &Machine| machine.judge().held().unwrap().unwrap().1;
    assert_eq!(header(&machine).age_warning(machine.now), None);
    machine.now = "2027-01-10T00:00:00Z".parse().unwrap();
    let warning = header(&machine).age_warning(machine.now).unwrap();
    assert!(warning.starts_with("expires at 2027-01-15"), "{warning}");
    machine.now = "2027-01-16T00:00:00Z".parse().unwrap();
    let warning = header(&machine).age_warning(machine.now).unwrap();
    assert!(warning.starts_with("expired at"), "{warning}");
    assert_eq!(machine.offer_by(&key, &policy(1)), Ok(Judged::Same));
    machine.refuses(&key, &policy(2), Refusal::Expired);
    // A clock that is days behind the policy knows nothing of its end.
    let past = "issued = 2028-01-01T00:00:00Z\nexpires = 2028-02-01T00:00:00Z\n";
    machine.takes(&key, &policy(3).replace(DATES, past));
    assert_eq!(header(&machine).age_warning(machine.now), None);
}

#[test]
fn a_policy_that_weakens_verification_needs_the_machines_consent() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(1));
    let off = format!("{PROFILE}GOSUMDB = \"off\"\n");
    let proven = "\n[target.corp]\ngoproxy = \"https://goproxy.corp.example\"\n";
    let when = "\n[[profile]]\nname = \"office\"\nwhen = { up = \"corp\" }\n\n[profile.env]\n";
    let office = |value: &str| format!("{proven}{when}{value}\n{PROFILE}");
    machine.refuses(&key, &with(2, "", &off), Refusal::Policy);
    for value in [
        "GOSUMDB = \"off\"",
        "GONOSUMDB = \"*\"",
        "GOINSECURE = \"git.corp.example\"",
        "GOFLAGS = \"-insecure\"",
        "GOPROXY = \"http://goproxy.corp.example\"",
    ] {
        let reason = machine.refuses(&key, &with(2, "", &office(value)), Refusal::Weaker);
        assert!(reason.contains("office"), "{reason}");
    }
    // Nor does a fleet decide which programs run.
    for value in [
        "GOFLAGS = \"'-toolexec=sh -c id'\"",
        "GOFLAGS = \"-v --exec=/bin/id\"",
        "GOFLAGS = \"-ldflags=-extld=/bin/id\"",
        "GOAUTH = \"netrc; /bin/id\"",
        "GOCACHEPROG = \"/bin/id\"",
        "CC = \"sh -c id\"",
        "CGO_CFLAGS = \"-wrapper sh,-c,id\"",
    ] {
        let reason = machine.refuses(&key, &with(2, "", &office(value)), Refusal::Weaker);
        assert!(
            reason.contains("profile office: GO") || reason.contains("profile office: C"),
            "{reason}"
        );
    }
    let agent = format!("\n[agent]\ngo = \"/bin/id\"\n{PROFILE}");
    machine.refuses(&key, &with(2, "", &agent), Refusal::Weaker);
    let free = "GOAUTH = \"netrc; git /src\"\nGOFLAGS = \"-trimpath -ldflags=-s\"\nCGO_ENABLED = \"0\"\nCC = \"\"\n\
                GOSUMDB = \"sum.golang.org https://sum.corp.example\"";
    let own = "GOSUMDB = \"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\"";
    let mut other = Machine::following(&[&key]);
    other.takes(&key, &with(2, "", &office(free)));
    // A company's own database: everything is still verified, with the key that is in the policy.
    other.takes(&key, &with(3, "", &office(own)));
    let plain = office("GOFLAGS = \"-trimpath\"").replace("https://goproxy", "http://goproxy");
    machine.refuses(&key, &with(2, "", &plain), Refusal::Weaker);
    let project = format!(
        "{PROFILE}\n[[project]]\ndir = \"/src\"\naccept_unauthenticated = true\nenv = {{ GOSUMDB = \"off\" }}\n"
    );
    machine.refuses(&key, &with(2, "", &project), Refusal::Weaker);
    let office = with(2, "", &office("GOSUMDB = \"off\""));
    machine.settings.allow_weaker = true;
    machine.takes(&key, &office);
    // The consent is taken back: what is held is judged again.
    machine.settings.allow_weaker = false;
    assert_eq!(machine.judge().held().unwrap_err().why, Refusal::Weaker);
}

#[test]
fn a_leaked_key_is_retired_by_another_one_and_its_versions_no_longer_count() {
    let (first, second) = (key!(), key!());
    let mut machine = Machine::following(&[&first, &second]);
    machine.takes(&first, &policy(7));
    // The thief signs a version that no right policy will ever reach.
    machine.takes(&first, &policy(9_000_000_000));
    machine.refuses(&second, &policy(8), Refusal::RolledBack);
    let retires = |key: &MinisignKey| format!("retire_keys = [{:?}]\n", key.id);
    machine.refuses(
        &first,
        &with(9_000_000_001, &retires(&first), PROFILE),
        Refusal::Header,
    );
    machine.takes(&second, &with(8, &retires(&first), PROFILE));
    machine.refuses(&first, &policy(9_000_000_002), Refusal::Retired);
    // It stays retired, although a later policy does not say so.
    machine.takes(&second, &policy(9));
    machine.refuses(&first, &policy(10), Refusal::Retired);
    machine.refuses(&second, &policy(8), Refusal::RolledBack);
}

#[test]
fn what_another_program_changed_on_the_disk_is_refused() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    assert_eq!(machine.judge().held(), Ok(None));
    machine.takes(&key, &policy(1));
    let old = machine.state.newest.clone();
    machine.takes(&key, &policy(2));
    let right = machine.state.clone();
    machine.state.newest.as_mut().unwrap().text.push(' ');
    assert_eq!(machine.judge().held().unwrap_err().why, Refusal::Signature);
    machine.state = right.clone();
    machine.state.newest = old;
    assert_eq!(machine.judge().held().unwrap_err().why, Refusal::RolledBack);
    machine.state = right;
    machine.state.retired.insert(key.id.clone());
    assert_eq!(machine.judge().held().unwrap_err().why, Refusal::Retired);
}

#[test]
fn a_version_was_seen_although_the_record_of_it_is_lost() {
    let key = key!();
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(5));
    machine.state.highest.clear();
    machine.refuses(&key, &policy(4), Refusal::RolledBack);
    // Only the text in force is left.
    let retires = format!("retire_keys = [\"{:016X}\"]\n", 7);
    let text = with(6, &retires, PROFILE);
    machine.state = FleetState::recovered(&text).unwrap();
    assert_eq!(machine.judge().held(), Ok(None));
    assert_eq!(Vec::from_iter(&machine.state.retired), ["7"]);
    machine.refuses(&key, &policy(5), Refusal::RolledBack);
    machine.refuses(&key, &policy(7).replace("corp", "other"), Refusal::OtherId);
    machine.refuses(&key, &policy(6), Refusal::Twins);
    machine.takes(&key, &text);
    assert_eq!(FleetState::recovered(""), None);
}

#[test]
fn the_versions_of_a_key_that_the_machine_no_longer_lists_do_not_count() {
    let (leaked, next) = (key!(), key!());
    let mut machine = Machine::following(&[&leaked]);
    machine.takes(&leaked, &policy(9_000_000_000));
    let reason = machine.refuses(&leaked, &policy(8), Refusal::RolledBack);
    assert!(reason.contains("retire the key"), "{reason}");
    machine.settings.keys = Machine::following(&[&next]).settings.keys;
    machine.takes(&next, &policy(8));
    machine.refuses(&next, &policy(7), Refusal::RolledBack);
}

#[test]
fn a_fleet_says_nothing_of_its_store_and_proves_nothing_for_the_machines_profiles() {
    let codes = |machine: &str, fleet: &str, user: &str| -> Vec<&'static str> {
        let texts = [
            (LayerKind::Machine, "/etc/goroam/goroam.toml", machine),
            (LayerKind::Fleet, "/state/fleet.toml", fleet),
            (LayerKind::User, "/home/me/goroam.toml", user),
        ];
        let layers = texts.map(|(kind, path, text)| Layer {
            kind,
            path: Path::new(path),
            text,
        });
        let findings = parse_layers(&layers, None).findings;
        findings.iter().map(|finding| finding.code).collect()
    };
    let store = "[fleet]\nurl = \"https://p.example/p.toml\"\n\
                 keys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\n";
    let (fleet, plain) = (policy(1), "version = 1\n");
    let machine = format!("{plain}{store}");
    assert_eq!(codes(&machine, &fleet, plain), [""; 0]);
    assert_eq!(codes(plain, &fleet, &machine), [""; 0]);
    assert_eq!(codes(&machine, &fleet, &machine), ["fleet-place"]);
    assert_eq!(
        codes(plain, &format!("{fleet}{store}"), plain),
        ["fleet-place"]
    );
    // Only the machine's file allows a weaker policy, and that names of hosts are sent.
    let weaker = format!("{machine}allow_weaker = true\n");
    assert_eq!(codes(&weaker, &fleet, plain), [""; 0]);
    assert_eq!(codes(plain, &fleet, &weaker), ["fleet-place"]);
    let hosts = "[telemetry]\nhosts = true\n";
    assert_eq!(codes(&format!("{plain}{hosts}"), &fleet, plain), [""; 0]);
    assert_eq!(
        codes(plain, &format!("{fleet}{hosts}"), plain),
        ["fleet-place"]
    );
    // The machine trusts what its own proxy proves.
    let target = "[target.corp]\ngoproxy = \"https://goproxy.corp.example\"\n";
    let loose =
        "[[profile]]\nname = \"lab\"\nwhen = { up = \"corp\" }\nenv = { GOSUMDB = \"off\" }\n";
    let machine = format!("{plain}{target}{loose}");
    let is_refused = |fleet: &str| codes(&machine, fleet, plain).contains(&"fleet-place");
    let other = target.replace("goproxy.corp", "proxy.elsewhere");
    assert!(!is_refused(&fleet) && is_refused(&format!("{fleet}{other}")));
}

#[test]
fn a_share_of_the_machines_applies_a_version_and_the_others_stay() {
    let key = key!();
    let before = policy(41);
    let sha256 = goroam::gomod::sum::sha256_hex(before.as_bytes());
    let staged = |percent: u32, version: u64, salt: &str| {
        let rollout = format!(
            "\n[policy.rollout]\npercent = {percent}\nsalt = {salt:?}\n\
             previous = {{ version = 41, sha256 = {sha256:?} }}\n"
        );
        let text = with(version, &rollout, PROFILE);
        (key.sign(text.as_bytes()), text)
    };
    let (tenth, half, other) = (
        staged(10, 42, "a"),
        staged(50, 43, "a"),
        staged(10, 42, "b"),
    );
    let applies = |machine: &str, (signature, text): &(String, String)| {
        let mut one = Machine::following(&[&key]);
        one.state.machine = machine.to_owned();
        let body = text.as_bytes();
        let offer = Offer { body, signature };
        // A new machine does not hold the version before: it has to be fetched.
        let is_in = match one.judge().judge(offer).unwrap() {
            Judged::New(state) => {
                one.state = *state;
                true
            }
            Judged::NeedsPrevious { version: 41 } => {
                let wrong = one.judge().judge_with(offer, b"version = 1").unwrap_err();
                assert_eq!(wrong.why, Refusal::Previous);
                let judged = one.judge().judge_with(offer, before.as_bytes());
                let Ok(Judged::New(state)) = judged else {
                    panic!("{judged:?}");
                };
                one.state = *state;
                false
            }
            judged @ (Judged::Same | Judged::NeedsPrevious { .. }) => panic!("{judged:?}"),
        };
        let wanted = if is_in { text } else { &before };
        assert_eq!(one.judge().held().unwrap().unwrap().0, wanted);
        // The version counts as seen in any case.
        one.refuses(&key, &policy(41), Refusal::RolledBack);
        is_in
    };
    let machines: Vec<String> = (0..60).map(|i| format!("{i:032x}")).collect();
    let chosen = |offer: &(String, String)| -> Vec<&String> {
        machines.iter().filter(|one| applies(one, offer)).collect()
    };
    let (few, more, others) = (chosen(&tenth), chosen(&half), chosen(&other));
    assert!((1..=15).contains(&few.len()), "{few:?}");
    assert!((18..=42).contains(&more.len()), "{more:?}");
    assert!(
        few.iter().all(|one| more.contains(one)),
        "who is in stays in"
    );
    assert_ne!(few, others, "another salt, another tenth");
}

#[test]
fn a_machine_that_stays_behind_twice_already_holds_the_version_before() {
    let key = key!();
    let staged = |version: u64, before: &str| {
        let sha256 = goroam::gomod::sum::sha256_hex(before.as_bytes());
        let before = version - 1;
        let rollout = format!(
            "\n[policy.rollout]\npercent = 0\nsalt = \"a\"\n\
             previous = {{ version = {before}, sha256 = {sha256:?} }}\n"
        );
        with(version, &rollout, PROFILE)
    };
    let mut machine = Machine::following(&[&key]);
    machine.takes(&key, &policy(41));
    let (next, last) = (
        staged(42, &policy(41)),
        staged(43, &staged(42, &policy(41))),
    );
    for (body, in_force) in [(&next, &policy(41)), (&last, &next)] {
        let judged = machine.offer_by(&key, body);
        assert!(matches!(judged, Ok(Judged::New(_))), "{judged:?}");
        assert_eq!(machine.judge().held().unwrap().unwrap().0, in_force);
    }
}
