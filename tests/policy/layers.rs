//! Several policies that are read as one: what merges, what replaces, what is locked, and where
//! each part stands.

use std::path::{Path, PathBuf};

use goroam::policy::file::{Parsed, parse_kept, parse_layers};
use goroam::policy::layers::{Layer, LayerKind, PolicyText};
use goroam::policy::{Policy, PolicyFinding, Severity};
use proptest::prelude::*;

const MACHINE: &str = "/etc/goroam/goroam.toml";
const FLEET: &str = "/home/me/.local/state/goroam/fleet.toml";
const USER: &str = "/home/me/.config/goroam/goroam.toml";

fn layers<'a>(texts: &[(LayerKind, &'a str)]) -> Vec<Layer<'a>> {
    let layer = |(kind, text): &(LayerKind, &'a str)| Layer {
        kind: *kind,
        path: Path::new(match kind {
            LayerKind::BuiltIn => "",
            LayerKind::Machine => MACHINE,
            LayerKind::Fleet => FLEET,
            LayerKind::User => USER,
        }),
        text,
    };
    texts.iter().map(layer).collect()
}

fn read(texts: &[(LayerKind, &str)]) -> Parsed {
    parse_layers(&layers(texts), Some(Path::new("/home/me")))
}

fn of_both(machine: &str, user: &str) -> Parsed {
    read(&[(LayerKind::Machine, machine), (LayerKind::User, user)])
}

#[track_caller]
fn valid(parsed: &Parsed) -> &Policy {
    parsed
        .policy
        .as_ref()
        .unwrap_or_else(|| panic!("{:#?}", parsed.findings))
}

/// Code and place of each finding, the place as `FILE:LINE`.
fn found(parsed: &Parsed) -> Vec<(&'static str, String)> {
    let place = |finding: &PolicyFinding| {
        let label = finding.primary.as_ref();
        label.map_or(String::new(), |label| parsed.source.place(label.span.start))
    };
    let findings = parsed.findings.iter();
    findings.map(|one| (one.code, place(one))).collect()
}

fn names(policy: &Policy) -> Vec<&str> {
    let names = policy.profiles.iter().map(|one| one.name.as_str());
    names.collect()
}

const BASE: &str = "version = 1
[agent]
recheck = \"5m\"
fall = 3
[target.corp]
goproxy = \"https://goproxy.corp.example\"
[target.sum]
sumdb = \"sum.golang.org\"
[[profile]]
name = \"office\"
when = { up = \"corp\" }
env = { GOPROXY = \"https://goproxy.corp.example\", GOSUMDB = \"sum.golang.org\" }
[[profile]]
name = \"outside\"
when = { up = \"sum\" }
[[profile]]
name = \"offline\"
";

#[test]
fn a_user_without_profiles_takes_those_of_the_machine_and_changes_single_settings() {
    let user =
        "version = 1\n[agent]\nfall = 1\n[target.corp]\ngoproxy = \"https://mine.example\"\n";
    let both = of_both(BASE, user);
    let policy = valid(&both);
    assert_eq!(both.findings, []);
    assert_eq!(names(policy), ["office", "outside", "offline"]);
    assert_eq!(policy.agent.fall, 1);
    assert_eq!(policy.agent.recheck.unwrap().as_secs(), 300);
    assert_eq!(
        policy.targets["corp"].goproxy_url(),
        Some("https://mine.example")
    );
    let place = |at: usize| both.source.place(at);
    let places = &both.places;
    assert_eq!(
        place(places.settings["agent.fall"].start),
        format!("{USER}:3")
    );
    assert_eq!(
        place(places.settings["agent.recheck"].start),
        format!("{MACHINE}:3")
    );
    assert_eq!(place(places.targets["corp"].start), format!("{USER}:4"));
    assert_eq!(place(places.targets["sum"].start), format!("{MACHINE}:7"));
    let office = &places.profiles[0];
    assert_eq!(place(office.name.start), format!("{MACHINE}:10"));
    assert_eq!(place(office.env["GOSUMDB"].start), format!("{MACHINE}:12"));
}

#[test]
fn profiles_and_projects_are_tried_in_the_order_user_fleet_machine() {
    let of = |name: &str, last: &str| {
        format!(
            "version = 1\n[[profile]]\nname = \"{name}\"\nwhen = {{ online = true }}\n{last}\
             [[project]]\ndir = \"/{name}\"\n"
        )
    };
    let last = "[[profile]]\nname = \"last\"\n";
    let all = read(&[
        (LayerKind::Machine, &of("machine", last)),
        (LayerKind::Fleet, &of("fleet", "")),
        (LayerKind::User, &of("user", "")),
    ]);
    let policy = valid(&all);
    assert_eq!(names(policy), ["user", "fleet", "machine", "last"]);
    let projects = policy.projects.iter().map(|one| one.rules.name.as_str());
    assert_eq!(Vec::from_iter(projects), ["/user", "/fleet", "/machine"]);
    // Conditions that are the same in another layer are no mistake.
    assert_eq!(all.findings, []);
}

#[test]
fn the_built_in_policy_is_below_those_that_have_no_profile() {
    let user =
        "version = 1\n[agent]\nfall = 1\n[target.proxy]\ngoproxy = \"https://mine.example\"\n";
    let own = read(&[(LayerKind::User, user)]);
    let policy = valid(&own);
    let none = read(&[]);
    assert_eq!(names(policy), names(valid(&none)));
    assert_eq!(
        policy.targets["proxy"].goproxy_url(),
        Some("https://mine.example")
    );
    assert_eq!(policy.targets.len(), valid(&none).targets.len());
    let kinds = |parsed: &Parsed| Vec::from_iter(parsed.source.parts.iter().map(|one| one.kind));
    assert_eq!(kinds(&own), [LayerKind::User, LayerKind::BuiltIn]);
    assert_eq!(kinds(&none), [LayerKind::BuiltIn]);
    // With a profile anywhere, it is not there at all.
    let both = of_both(BASE, user);
    assert_eq!(kinds(&both), [LayerKind::Machine, LayerKind::User]);
}

#[test]
fn a_users_profile_that_always_holds_is_warned_of_with_the_names_it_hides() {
    let user = "version = 1\n[[profile]]\nname = \"mine\"\n";
    let both = of_both(BASE, user);
    assert_eq!(
        names(valid(&both)),
        ["mine", "office", "outside", "offline"]
    );
    assert_eq!(found(&both), [("hides-layers", format!("{USER}:3"))]);
    let message = &both.findings[0].message;
    assert!(
        message.ends_with("`office`, `outside`, `offline`"),
        "{message}"
    );
    // A fleet hides the machine's on purpose: they hold until the fleet's has come.
    let fleet = read(&[(LayerKind::Machine, BASE), (LayerKind::Fleet, user)]);
    assert_eq!(valid(&fleet).profiles.len(), 4);
    assert_eq!(fleet.findings, []);
}

#[test]
fn a_profile_replaces_those_of_the_same_name_in_lower_layers() {
    let user = "version = 1
[[profile]]
name = \"office\"
when = { subnet = \"10.0.0.0/8\" }
[[profile]]
name = \"office\"
when = { up = \"corp\" }
";
    let both = of_both(BASE, user);
    assert_eq!(
        names(valid(&both)),
        ["office", "office", "outside", "offline"]
    );
    assert_eq!(
        found(&both),
        [("replaced-profile", format!("{MACHINE}:10"))]
    );
    assert_eq!(both.findings[0].severity, Severity::Note);
}

#[test]
fn each_fault_is_found_in_its_own_file_at_its_own_line() {
    for (machine, user, code, place) in [
        ("# none\n", BASE, "empty-policy", ""),
        (BASE, " \n", "empty-policy", ""),
        (
            BASE,
            "[agent]\nfall = 1\n",
            "missing-version",
            &*format!("{USER}:1"),
        ),
        (
            "[agent]\nfall = 1\n",
            BASE,
            "missing-version",
            &format!("{MACHINE}:1"),
        ),
        (
            BASE,
            "version = 1\n[agent]\nfal = 1\n",
            "unknown-key",
            &format!("{USER}:3"),
        ),
        (
            BASE,
            "version = 1\nagent = 3\n",
            "wrong-type",
            &format!("{USER}:2"),
        ),
        (
            "version = 1\nagent = 3\n",
            BASE,
            "wrong-type",
            &format!("{MACHINE}:2"),
        ),
        (
            BASE,
            "version = 1\n\n[agent\n",
            "syntax",
            &format!("{USER}:3"),
        ),
        (
            "version = 1\n[[profile]]\nname = \"a\"\nwhen = { up = \"corp\" }\n[[profile]]\nname = \"z\"\n",
            BASE,
            "unknown-target",
            &format!("{MACHINE}:4"),
        ),
        (
            "version = 1\n[[profile]]\nname = \"a\"\nwhen = { online = true }\n",
            "\u{feff}version = 1\n[[profile]]\nname = \"b\"\nwhen = { online = false }\n",
            "no-catch-all",
            &format!("{MACHINE}:4"),
        ),
        (
            BASE,
            "version = 1\n[target.corp]\ngoproxy = \"https://u:secret@mine.example\"\n[target.x]\n",
            "no-kind",
            &format!("{USER}:4"),
        ),
    ] {
        let both = of_both(machine, user);
        let errors = both.findings.iter().zip(found(&both));
        let errors = errors.filter(|(one, _)| one.severity == Severity::Error);
        let errors = Vec::from_iter(errors.map(|(_, found)| found));
        assert_eq!(errors, [(code, place.to_owned())], "{machine}\n---\n{user}");
        assert_eq!(both.policy, None);
    }
}

#[test]
fn a_relative_path_starts_at_the_folder_of_its_own_layer() {
    let machine = "version = 1\n[target.corp]\ngoproxy = \"https://a.example\"\nca = \"ca.pem\"\n";
    let user = "version = 1\n[target.mine]\ngoproxy = \"https://b.example\"\nca = [\"ca.pem\"]\n\
                [mirror]\npath = \"~/m\"\n";
    let both = of_both(machine, user);
    let policy = valid(&both);
    let ca = |name: &str| policy.targets[name].ca.clone();
    assert_eq!(ca("corp"), [PathBuf::from("/etc/goroam/ca.pem")]);
    assert_eq!(
        ca("mine"),
        [PathBuf::from("/home/me/.config/goroam/ca.pem")]
    );
    assert_eq!(policy.mirror.path, Some("/home/me/m".into()));
}

const LOCKED: &str = "[policy]\nlocked = [\"GOSUMDB\", \"GONOSUMDB\", \"GOPROXY\"]\n";

#[test]
fn a_higher_layer_that_sets_a_locked_variable_is_an_error_that_names_both_files() {
    let machine = format!("{BASE}{LOCKED}");
    for (body, variable, line) in [
        (
            "[[profile]]\nname = \"a\"\nenv = { GOSUMDB = \"sum.golang.org\" }\n",
            "GOSUMDB",
            4,
        ),
        (
            "[[profile]]\nname = \"a\"\n[profile.env]\nGOPROXY.fastest = [\"corp\"]\n",
            "GOPROXY",
            5,
        ),
        (
            "[[project]]\ndir = \"~/x\"\nenv = { GOPROXY = \"off\" }\n",
            "GOPROXY",
            4,
        ),
        // go takes GOPRIVATE where GONOSUMDB is unset.
        (
            "[[profile]]\nname = \"a\"\nenv = { GOPRIVATE = \"a.example\" }\n",
            "GONOSUMDB",
            4,
        ),
    ] {
        let both = of_both(&machine, &format!("version = 1\n{body}"));
        let locked = both
            .findings
            .iter()
            .find(|one| one.code == "locked")
            .unwrap();
        let at = locked.primary.as_ref().unwrap().span.start;
        assert_eq!(both.source.place(at), format!("{USER}:{line}"), "{body}");
        let lock = locked.related[0].span.clone();
        assert_eq!(&both.source.text[lock.clone()], format!("\"{variable}\""));
        assert_eq!(both.source.place(lock.start), format!("{MACHINE}:19"));
        let says = format!("{variable} is locked by {MACHINE}:19");
        assert!(locked.message.starts_with(&says), "{}", locked.message);
        assert_eq!(both.policy, None, "{body}");
    }
    // What is not locked may be set, and the layer itself may set what it locks.
    let flags = "version = 1\n[[profile]]\nname = \"a\"\nenv = { GOFLAGS = \"-v\" }\nwhen = { online = true }\n";
    let both = of_both(&machine, flags);
    let places = Vec::from_iter(&valid(&both).locked);
    assert_eq!(places.len(), 3);
    assert_eq!(places[2], (&"GOSUMDB".to_owned(), &format!("{MACHINE}:19")));
    // A lock of the user binds no lower layer.
    let user = format!("version = 1\n{LOCKED}");
    assert_eq!(of_both(BASE, &user).findings, []);
}

#[test]
fn a_value_that_gets_around_a_locked_variable_is_an_error_too() {
    let user = |env: &str| {
        format!(
            "version = 1\n[target.mine]\ngoproxy = \"https://mine.example\"\n\
             [[profile]]\nname = \"mine\"\nwhen = {{ up = \"mine\" }}\n[profile.env]\n{env}\n"
        )
    };
    for (lock, env, says) in [
        ("GOSUMDB", "GONOSUMDB = \"*\"", "takes in public code: *"),
        (
            "GOSUMDB",
            "GOPRIVATE = \"github.com\"",
            "takes in public code",
        ),
        (
            "GOSUMDB",
            "GONOSUMDB = \"${GOPRIVATE}\"",
            "whatever GOPRIVATE holds",
        ),
        ("GOSUMDB", "GOFLAGS = \"-v -insecure\"", "GOFLAGS=-insecure"),
        ("GOSUMDB", "GO111MODULE = \"off\"", "GO111MODULE=off"),
        (
            "GONOSUMDB",
            "GOTOOLCHAIN = \"go1.12\"",
            "GOTOOLCHAIN=go1.12",
        ),
        ("GOINSECURE", "GOFLAGS = \"-insecure\"", "GOFLAGS=-insecure"),
        (
            "GOPROXY",
            "GONOPROXY = \"*\"",
            "GONOPROXY takes in public code: *",
        ),
        (
            "GOPROXY",
            "GOPRIVATE = \"golang.org\"",
            "takes in public code",
        ),
        // go takes GOPRIVATE only where these are unset.
        (
            "GOPRIVATE",
            "GONOPROXY = \"none\"",
            "where GONOPROXY is unset",
        ),
        (
            "GOPRIVATE",
            "GONOSUMDB = \"none\"",
            "where GONOSUMDB is unset",
        ),
    ] {
        let machine = format!("{BASE}[policy]\nlocked = [{lock:?}]\n");
        let both = of_both(&machine, &user(env));
        let error = both.findings.iter().find(|one| one.code == "locked");
        let error = error.unwrap_or_else(|| panic!("{lock} {env}: {:?}", found(&both)));
        assert!(
            error
                .message
                .starts_with(&format!("{lock} is locked by {MACHINE}:19"))
        );
        assert!(error.message.contains(says), "{}", error.message);
        let at = error.primary.as_ref().unwrap().span.start;
        assert_eq!(both.source.place(at), format!("{USER}:8"), "{env}");
        // The layer that locks may do it, with a proof.
        assert!(
            !found(&of_both(BASE, &user(env)))
                .iter()
                .any(|(code, _)| *code == "locked")
        );
    }
    // One's own hosts, and flags that verify as much, are free.
    let machine = format!("{BASE}[policy]\nlocked = [\"GOSUMDB\", \"GOPROXY\"]\n");
    for env in [
        "GOPRIVATE = \"git.corp.example\"",
        "GONOPROXY = \"none\"",
        "GOFLAGS = \"-v\"",
    ] {
        valid(&of_both(&machine, &user(env)));
    }
    let project = "version = 1\n[[project]]\ndir = \"/src\"\naccept_unauthenticated = true\n\
                   env = { GONOSUMDB = \"*\" }\n";
    let codes = found(&of_both(&machine, project));
    assert!(
        codes.contains(&("locked", format!("{USER}:5"))),
        "{codes:?}"
    );
}

#[test]
fn a_target_that_a_locked_value_uses_cannot_be_replaced() {
    let fastest = BASE.replace(
        "GOPROXY = \"https://goproxy.corp.example\"",
        "GOPROXY = { fastest = [\"corp\"] }",
    );
    let lock = "[policy]\nlocked = [\"GOPROXY\"]\n";
    let user = "version = 1\n[target.corp]\ngoproxy = \"https://mine.example\"\n";
    for base in [BASE, &fastest] {
        let both = of_both(&format!("{base}{lock}"), user);
        assert_eq!(found(&both), [("locked", format!("{USER}:2"))], "{base}");
        let places = both.findings[0].related.iter();
        let places = Vec::from_iter(places.map(|one| both.source.place(one.span.start)));
        assert_eq!(places, [format!("{MACHINE}:19"), format!("{MACHINE}:5")]);
    }
    // A target that no locked value uses, and a new one, may be.
    let free = "version = 1\n[target.sum]\nsumdb = \"sum.golang.google.cn\"\n";
    valid(&of_both(&format!("{BASE}{lock}"), free));
    valid(&of_both(BASE, user));
}

#[test]
fn the_names_in_locked_are_checked() {
    for (list, code) in [
        ("[\"GOSUMBD\"]", "unknown-variable"),
        ("[3]", "wrong-type"),
        ("\"GOSUMDB\"", "wrong-type"),
    ] {
        let text = format!("{BASE}[policy]\nlocked = {list}\n");
        let parsed = read(&[(LayerKind::Machine, &text)]);
        assert_eq!(found(&parsed), [(code, format!("{MACHINE}:19"))], "{list}");
    }
}

#[test]
fn the_last_good_layers_lose_what_weakens_verification_together_with_its_place() {
    let user = "version = 1
[[profile]]
name = \"loose\"
when = { subnet = \"10.0.0.0/8\" }
env = { GOSUMDB = \"off\" }
[[profile]]
name = \"mine\"
when = { online = true }
";
    let both = layers(&[(LayerKind::Machine, BASE), (LayerKind::User, user)]);
    let (kept, left_out) = parse_kept(&both, None).unwrap();
    assert_eq!(left_out, ["loose"]);
    let policy = valid(&kept);
    assert_eq!(names(policy), ["mine", "office", "outside", "offline"]);
    for (profile, place) in policy.profiles.iter().zip(&kept.places.profiles) {
        let text = &kept.source.text[place.name.clone()];
        assert_eq!(text, format!("\"{}\"", profile.name));
    }
}

/// One section of a policy, with what it may stand beside.
fn sections() -> [&'static str; 8] {
    [
        "[agent]\nfall = 4\n",
        "[probe]\nconnect = \"1s\"\n",
        "[mirror]\nmax_size = \"1GB\"\n",
        "[relay]\nenabled = true\n",
        "[target.a]\nicmp = \"10.0.0.1\"\n",
        "[target.b]\nicmp = \"10.0.0.2\"\n",
        "[target.c]\ntcp = \"ü.example:1\"\n",
        "[policy]\nlocked = [\"GOFLAGS\"]\n",
    ]
}

proptest! {
    /// However the sections are spread over the layers, the policy is the one of a single file, and
    /// every place is one in the file that has the section.
    #[test]
    fn where_a_section_stands_does_not_matter(spread in prop::array::uniform8(0_usize..3)) {
        let kinds = [LayerKind::Machine, LayerKind::Fleet, LayerKind::User];
        let mut texts = kinds.map(|_| "version = 1\n".to_owned());
        let mut one = texts[0].clone();
        for (section, layer) in sections().into_iter().zip(spread) {
            texts[layer].push_str(section);
            one.push_str(section);
        }
        let spread: Vec<(LayerKind, &str)> =
            kinds.into_iter().zip(texts.iter().map(String::as_str)).collect();
        let (many, one) = (read(&spread), read(&[(LayerKind::User, &one)]));
        let (mut policy, single) = (valid(&many).clone(), valid(&one));
        // Only the place of the lock differs.
        policy.locked.clone_from(&single.locked);
        prop_assert_eq!(&policy, single);
        for (key, span) in &many.places.settings {
            let other = &one.places.settings[key];
            prop_assert_eq!(&many.source.text[span.clone()], &one.source.text[other.clone()]);
        }
        for (name, span) in &many.places.targets {
            prop_assert_eq!(&many.source.text[span.clone()], name);
            let (part, line) = many.source.line(span.start).unwrap();
            let line = many.source.text_of(part).lines().nth(line - 1).unwrap();
            prop_assert_eq!(line, format!("[target.{name}]"));
        }
    }

    /// Whatever two texts are put together: every place is in one of them, at the same line.
    #[test]
    fn every_place_is_in_one_file(
        texts in prop::array::uniform2(prop::collection::vec(prop::sample::select(vec![
            "version = 1\n", "[agent]\n", "fall = ", "\"é\"\n", "[[profile]]\nname = \"a\"\n", "[target.",
            "x]\n", "\r\n", "= {", "env = { GOPROXY = \"htp\" }\n", "\u{feff}",
        ]), 1..12)),
    ) {
        let texts = texts.map(|parts| parts.concat());
        let both = of_both(&texts[0], &texts[1]);
        for finding in &both.findings {
            for label in finding.primary.iter().chain(&finding.related) {
                let whole = &both.source;
                prop_assert!(whole.text.get(label.span.clone()).is_some(), "{:?}", label);
                let Some((part, line)) = whole.line(label.span.start) else {
                    return Err(TestCaseError::fail(format!("{label:?}")));
                };
                let own = PolicyText::of(&[Layer { kind: part.kind, path: &part.path, text: whole.text_of(part) }]);
                let (_, alone) = own.line(label.span.start - part.range.start).unwrap();
                prop_assert_eq!(line, alone);
            }
        }
    }
}
