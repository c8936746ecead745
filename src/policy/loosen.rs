//! The loosening rule: a profile that weakens verification must depend on a fact that cannot be
//! forged. Decided from the policy alone, independent of the network.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::{chains, resolve};
use super::finding::{Places, PolicyFinding, ProfilePlace, shown};
use super::grammar::verifies_less;
use super::profile::{Condition, EnvValue, Policy, Profile, ProjectPlace, is_proven, references};
use super::variables::is_path_like;
use super::{goflags, govcs};
use crate::model::public_code::public_as_shown;
use crate::model::{HopKind, Host, Patterns, Target};

/// How the value of a variable can weaken verification.
struct Rule {
    variable: &'static str,
    /// Describes the effect of the value as it will be applied: `None` if it has none, and an empty
    /// phrase if the value explains itself.
    weakens: fn(&str) -> Option<String>,
    /// What anyone on the network could do if nothing proves the condition.
    danger: &'static str,
    /// What to do other than proving the condition.
    keep: &'static str,
}

/// Returns an empty phrase if it weakens.
fn does(weakens: bool) -> Option<String> {
    weakens.then(String::new)
}

fn takes_in_public(list: &str) -> Option<String> {
    let public = public_as_shown(list);
    let phrase = || format!(" takes in public code: {}", shown(&public.join(",")));
    (!public.is_empty()).then(phrase)
}

const RULES: [Rule; 9] = [
    // Its chains are checked hop by hop.
    Rule {
        variable: "GOPROXY",
        weakens: |_| None,
        danger: "make go ask a proxy over plain http",
        keep: "ask it over https",
    },
    Rule {
        variable: "GOSUMDB",
        weakens: |value| does(value == "off"),
        danger: "switch checksum verification off",
        keep: "keep sum.golang.org",
    },
    // This also holds for one's own host: content over plain http can come from anyone.
    Rule {
        variable: "GOINSECURE",
        weakens: |value| does(Patterns::parse(value).can_match()),
        danger: "make go fetch over plain http",
        keep: "leave GOINSECURE out",
    },
    Rule {
        variable: "GOFLAGS",
        weakens: |value| goflags::loosens(value).then(|| "=-insecure".to_owned()),
        danger: "make a go before 1.17 verify nothing",
        keep: "leave -insecure out",
    },
    Rule {
        variable: "GONOSUMDB",
        weakens: takes_in_public,
        danger: "exempt public modules from verification",
        keep: "name your own hosts only",
    },
    Rule {
        variable: "GOPRIVATE",
        weakens: takes_in_public,
        danger: "exempt public modules from verification",
        keep: "name your own hosts only",
    },
    Rule {
        variable: "GOVCS",
        weakens: |value| does(govcs::loosens(value)),
        danger: "let go run svn, bzr or fossil on public code",
        keep: "leave all but git and hg out",
    },
    // `go get` outside of modules does not use go.sum; Go 1.22 removed it. `auto` means the same
    // wherever there is no go.mod.
    Rule {
        variable: "GO111MODULE",
        weakens: |value| does(matches!(value, "off" | "auto")),
        danger: "make a go before 1.22 verify nothing",
        keep: "write GO111MODULE = \"on\", or leave it out",
    },
    Rule {
        variable: "GOTOOLCHAIN",
        weakens: |value| does(verifies_less(value)),
        danger: "switch to a go that verifies less",
        keep: "name a newer go",
    },
];

/// Flags that go otherwise refuses in `#cgo` lines of other people's modules, because they make the
/// compiler run one of their programs: `CGO_CFLAGS_ALLOW` and similar variables.
const CGO_ALLOW: Rule = Rule {
    variable: "",
    weakens: |value| does(!value.is_empty()),
    danger: "let modules pass any flag to the compiler",
    keep: "set the variable for the one build that needs it",
};

fn rule(variable: &str) -> Option<&'static Rule> {
    if variable.starts_with("CGO_") && variable.ends_with("_ALLOW") {
        return Some(&CGO_ALLOW);
    }
    RULES.iter().find(|rule| rule.variable == variable)
}

/// One way in which a profile weakens verification.
struct Loosening {
    /// The variable that does it.
    variable: String,
    rule: &'static Rule,
    /// How, in a short phrase.
    phrase: String,
}

/// Records in every profile how it loosens, and finds those that anyone on the network could
/// activate.
pub(super) fn check(policy: &mut Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    let targets = &policy.targets;
    for (profile, place) in policy.profiles.iter_mut().zip(&places.profiles) {
        let loosenings = loosenings(&profile.env, targets);
        profile.loosens = phrases_of(&loosenings);
        // A condition with a fault was reported before; it proves nothing in either direction.
        if !place.when_understood {
            continue;
        }
        let proven = is_proven(&profile.when, targets);
        if profile.accept_unauthenticated {
            findings.extend(accepted(profile, place, proven));
        } else if !proven {
            for loosening in &loosenings {
                findings.push(unproven(profile, place, loosening, targets));
            }
        }
    }
    for (project, place) in policy.projects.iter_mut().zip(&places.projects) {
        let loosenings = loosenings(&project.rules.env, targets);
        project.rules.loosens = phrases_of(&loosenings);
        let is_match = matches!(project.place, ProjectPlace::Match(_));
        if project.rules.accept_unauthenticated && !(is_match && project.rules.is_loose()) {
            findings.extend(accepted(&project.rules, place, false));
        } else {
            let unproven = |loosening| unproven_here(place, loosening, is_match);
            findings.extend(loosenings.iter().map(unproven));
        }
    }
    findings
}

/// Returns how a profile weakens verification.
pub(super) fn phrases(profile: &Profile, targets: &BTreeMap<String, Target>) -> Vec<String> {
    phrases_of(&loosenings(&profile.env, targets))
}

/// Returns how values that something other than a profile has set weaken verification.
pub fn weakened_by<'a>(values: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let env = values.map(|(name, value)| (name.to_owned(), EnvValue::Text(value.to_owned())));
    phrases_of(&loosenings(&env.collect(), &BTreeMap::new()))
}

/// Returns how each variable of a profile weakens verification, or goes around the proxy for public
/// code.
pub(super) fn by_variable(
    profile: &Profile,
    targets: &BTreeMap<String, Target>,
) -> BTreeMap<String, String> {
    let loosenings = loosenings(&profile.env, targets).into_iter();
    let mut phrases: BTreeMap<_, _> = loosenings.map(|one| (one.variable, one.phrase)).collect();
    if let Some(EnvValue::Text(text)) = profile.env.get("GONOPROXY")
        && let Some(how) = takes_in_public(&resolve(text, &profile.env))
    {
        phrases.insert("GONOPROXY".to_owned(), format!("GONOPROXY{how}"));
    }
    phrases
}

fn phrases_of(loosenings: &[Loosening]) -> Vec<String> {
    loosenings.iter().map(|one| one.phrase.clone()).collect()
}

/// Reports whether a hop is plain http, to another machine.
pub(super) fn is_plain_http(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    if !scheme.eq_ignore_ascii_case("http") {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    !Host::is_this_machine(name)
}

type Env = BTreeMap<String, EnvValue>;

fn loosenings(env: &Env, targets: &BTreeMap<String, Target>) -> Vec<Loosening> {
    let mut found: Vec<Loosening> = Vec::new();
    for (variable, value) in env {
        let Some(rule) = rule(variable) else {
            continue;
        };
        let mut phrases = BTreeSet::new();
        let text = match value {
            EnvValue::Text(text) => Some(text),
            EnvValue::Fastest { then, .. } => then.as_ref(),
        };
        if let Some(text) = text {
            // A reference whose value, unknown until it is applied, decides whether the variable
            // loosens.
            let open = references(text).find(|name| !adds_nothing(name, env, 0));
            phrases.extend(open.map(|name| format!("{variable} is whatever {name} holds")));
            phrases.extend((rule.weakens)(&resolve(text, env)).map(|how| match how {
                how if how.is_empty() => format!("{variable}={}", shown(text)),
                how => format!("{variable}{how}"),
            }));
        }
        if variable == "GOPROXY" {
            for possible in chains(env, targets) {
                phrases.extend(
                    possible
                        .chain
                        .hops
                        .iter()
                        .filter_map(|hop| match &hop.kind {
                            HopKind::Proxy(url) if is_plain_http(url) => {
                                Some(format!("plain http hop {}", shown(url)))
                            }
                            HopKind::Proxy(_)
                            | HopKind::File(_)
                            | HopKind::Direct
                            | HopKind::Off => None,
                        }),
                );
            }
        }
        found.extend(phrases.into_iter().map(|phrase| Loosening {
            variable: variable.clone(),
            rule,
            phrase,
        }));
    }
    found
}

/// Reports whether the value of a reference is known well enough: it is a path or similar, which is
/// never a list, or it is what the profile sets.
fn adds_nothing(name: &str, env: &Env, depth: usize) -> bool {
    const DEEPEST: usize = 8;
    let is_known = |own: &EnvValue| match own {
        EnvValue::Text(text) => {
            depth < DEEPEST && references(text).all(|name| adds_nothing(name, env, depth + 1))
        }
        EnvValue::Fastest { .. } => false,
    };
    is_path_like(name) && env.get(name).is_none_or(is_known)
}

fn accepted(profile: &Profile, place: &ProfilePlace, proven: bool) -> Option<PolicyFinding> {
    let span = place.accept.clone()?;
    if profile.loosens.is_empty() || proven {
        let message = "nothing here needs `accept_unauthenticated`";
        let help = "take it out: it would hide the day on which something does";
        return Some(PolicyFinding::warning("accept-unneeded", message, span).help(help));
    }
    let message = format!(
        "anyone on the network could switch this on: {}",
        profile.loosens.join(", ")
    );
    Some(
        PolicyFinding::warning("loosens-accepted", message, span)
            .label("accepted here")
            .help("a target that TLS proves makes it safe, in a profile: { up = \"corp\" }"),
    )
}

fn unproven(
    profile: &Profile,
    place: &ProfilePlace,
    loosening: &Loosening,
    targets: &BTreeMap<String, Target>,
) -> PolicyFinding {
    let Rule { danger, keep, .. } = loosening.rule;
    let span = place.env.get(&loosening.variable).unwrap_or(&place.name);
    let message = format!("anyone on the network could {danger}");
    let target = example_target(targets);
    let help = format!("add a fact that cannot be forged: {{ up = \"{target}\" }}, or {keep}");
    let condition = place.when.as_ref().unwrap_or(&place.name);
    PolicyFinding::error("loosens-unproven", message, span.clone())
        .label("nothing may make this weaker")
        .help(help)
        .related(condition.clone(), why_unproven(&profile.when, targets))
}

/// A project's values hold on every network, so nothing proves them.
fn unproven_here(place: &ProfilePlace, loosening: &Loosening, is_match: bool) -> PolicyFinding {
    let Rule { danger, keep, .. } = loosening.rule;
    let span = place.env.get(&loosening.variable).unwrap_or(&place.name);
    let (message, why, help) = match is_match {
        true => (
            format!("any repository could {danger}"),
            "a module path proves nothing: any go.mod can have it",
            format!("{keep}, or name the directory: dir = \"~/…\""),
        ),
        false => (
            format!("anyone on the network could {danger}"),
            "a directory says nothing of the network",
            format!("{keep}, or accept it: accept_unauthenticated = true"),
        ),
    };
    PolicyFinding::error("loosens-unproven", message, span.clone())
        .label("nothing may make this weaker")
        .help(help)
        .related(place.name.clone(), why)
}

/// Returns a target that would prove something, for a message.
fn example_target(targets: &BTreeMap<String, Target>) -> &str {
    let proven = targets.values().filter(|target| target.is_authenticated());
    let best = proven.min_by_key(|target| !target.private);
    best.map_or("corp", |target| target.name.as_str())
}

/// Returns what the condition depends on, and who else can make it true.
fn why_unproven(when: &Condition, targets: &BTreeMap<String, Target>) -> String {
    let words = match when {
        Condition::Always => "without `when` it holds on every network",
        Condition::Up(name) => {
            return match targets.get(name).map(Target::kind_str) {
                Some("goproxy" | "https") => format!(
                    "`{name}` is asked over plain http: anyone who controls the network can answer"
                ),
                Some("sumdb") => format!(
                    "`{name}` is asked over plain http: what the database signed can be played again"
                ),
                Some(kind @ ("icmp" | "tcp")) => {
                    format!("{kind} proves nothing: any host can answer in `{name}`'s place")
                }
                _ => format!("`{name}` says something of this machine, not of the network"),
            };
        }
        Condition::Down(name) => return format!("any network can keep `{name}` from answering"),
        Condition::AtLeast { n, .. } => {
            return format!("{n} of these can be up without one that TLS proves");
        }
        Condition::Portal(_) => "any access point can answer in another's place, or not",
        Condition::Online(_) => "a default route proves nothing: any access point hands one out",
        Condition::InterfaceName(_) | Condition::InterfaceKind(_) => {
            "an interface proves nothing of what it is plugged into"
        }
        Condition::Subnet(_) => "a subnet proves nothing: any access point can hand it out",
        Condition::Gateway(_) => "a gateway's address proves nothing: any router can have it",
        Condition::DnsServer(_) | Condition::SearchDomain(_) => {
            "DNS settings prove nothing: any access point can hand them out"
        }
        Condition::Ssid(_) => "a Wi-Fi name proves nothing: any access point can bear it",
        Condition::Env(_) => "a variable says nothing of the network that is there now",
        Condition::All(parts) => match parts.as_slice() {
            [one] => return why_unproven(one, targets),
            _ => "none of these is a fact that cannot be forged",
        },
        Condition::Any(parts) => match parts.iter().find(|part| !is_proven(part, targets)) {
            Some(part) => {
                return format!("one part is enough, and {}", why_unproven(part, targets));
            }
            None => "none of these is a fact that cannot be forged",
        },
        Condition::Not(_) => "anyone can cause something not to hold",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_plain_http;

    #[test]
    fn plain_http_is_what_another_machine_could_answer() {
        for (url, plain) in [
            ("http://a.b", true),
            ("HTTP://a.b:80/x", true),
            ("http://10.0.0.1", true),
            ("http://[fe80::1]:3000", true),
            ("http://localhost.example", true),
            ("http://127.0.0.1.example", true),
            ("http://127.0.0.1@a.b", true),
            ("https://a.b", false),
            ("file:///m", false),
            ("http://127.0.0.1:3000", false),
            ("http://127.9.9.9", false),
            ("http://[::1]:3000/x", false),
            ("http://[::ffff:127.0.0.1]", false),
            ("http://LocalHost:3000", false),
            // go looks these up in DNS.
            ("http://localhost.:3000", true),
            ("http://0x7f.1", true),
        ] {
            assert_eq!(is_plain_http(url), plain, "{url}");
        }
    }
}
