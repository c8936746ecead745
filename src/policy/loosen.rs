//! The loosening rule: what weakens verification must hang on a fact that cannot be forged.
//! Decided from the policy alone, whatever the network says.

use std::collections::BTreeMap;

use super::expand::{chains, resolve};
use super::finding::{Places, PolicyFinding, ProfilePlace, shown};
use super::grammar::verifies_less;
use super::profile::{Condition, EnvValue, Policy, Profile, is_proven, references};
use super::variables::is_path_like;
use super::{goflags, govcs};
use crate::model::pattern_scope::public_as_shown;
use crate::model::{HopKind, Host, Patterns, Target};

/// One way in which a profile weakens verification.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Loosening {
    /// The variable that does it.
    variable: String,
    /// How, in a short phrase.
    phrase: String,
}

/// Notes on every profile how it loosens, and finds those that anybody on the network could
/// switch on.
pub(super) fn check(policy: &mut Policy, places: &Places) -> Vec<PolicyFinding> {
    let mut findings = Vec::new();
    let targets = &policy.targets;
    for (profile, place) in policy.profiles.iter_mut().zip(&places.profiles) {
        let loosenings = loosenings(profile, targets);
        profile.loosens = loosenings
            .iter()
            .map(|loosening| loosening.phrase.clone())
            .collect();
        // A condition with a fault was reported, and proves neither the one nor the other.
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
    findings
}

/// Is a hop plain http, to another machine?
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

fn loosenings(profile: &Profile, targets: &BTreeMap<String, Target>) -> Vec<Loosening> {
    let mut found = Vec::new();
    for (variable, value) in &profile.env {
        let mut note = |phrase: String| {
            let loosening = Loosening {
                variable: variable.clone(),
                phrase,
            };
            if !found.contains(&loosening) {
                found.push(loosening);
            }
        };
        if let Some(name) = undecidable(variable, value, profile) {
            note(format!("{variable} is whatever {name} holds"));
        }
        if variable == "GOPROXY" {
            for possible in chains(&profile.env, targets) {
                for hop in &possible.chain.hops {
                    if let HopKind::Proxy(url) = &hop.kind
                        && is_plain_http(url)
                    {
                        note(format!("plain http hop {}", shown(url)));
                    }
                }
            }
            continue;
        }
        let EnvValue::Text(text) = value else {
            continue;
        };
        let expanded = resolve(text, &profile.env);
        match variable.as_str() {
            "GOSUMDB" if expanded == "off" => note("GOSUMDB=off".to_owned()),
            // Of one's own host, too: what comes over plain http can be anybody's.
            "GOINSECURE" if Patterns::parse(&expanded).can_match() => {
                note(format!("GOINSECURE={}", shown(text)));
            }
            "GOFLAGS" if goflags::loosens(&expanded) => note("GOFLAGS=-insecure".to_owned()),
            "GONOSUMDB" | "GOPRIVATE" => {
                let public = public_as_shown(&expanded);
                if !public.is_empty() {
                    let list = shown(&public.join(","));
                    note(format!("{variable} takes in public code: {list}"));
                }
            }
            "GOVCS" if govcs::loosens(&expanded) => note(format!("GOVCS={}", shown(text))),
            // `go get` outside of modules knows no go.sum; Go 1.22 took it away. `auto` does so
            // wherever there is no go.mod.
            "GO111MODULE" if matches!(expanded.as_str(), "off" | "auto") => {
                note(format!("GO111MODULE={expanded}"));
            }
            "GOTOOLCHAIN" if verifies_less(&expanded) => {
                note(format!("GOTOOLCHAIN={}", shown(text)));
            }
            // What go refuses in `#cgo` lines of other people's modules otherwise, since it makes
            // the compiler run a program of theirs.
            name if is_cgo_allow(name) && !expanded.is_empty() => {
                note(format!("{name}={}", shown(text)));
            }
            _ => {}
        }
    }
    found
}

fn is_cgo_allow(name: &str) -> bool {
    name.starts_with("CGO_") && name.ends_with("_ALLOW")
}

/// A reference that leaves open, until it is applied, whether the variable loosens.
fn undecidable<'a>(variable: &str, value: &'a EnvValue, profile: &Profile) -> Option<&'a str> {
    const DECISIVE: [&str; 9] = [
        "GO111MODULE",
        "GOFLAGS",
        "GOINSECURE",
        "GONOSUMDB",
        "GOPRIVATE",
        "GOPROXY",
        "GOSUMDB",
        "GOTOOLCHAIN",
        "GOVCS",
    ];
    if !DECISIVE.contains(&variable) && !is_cgo_allow(variable) {
        return None;
    }
    let text = match value {
        EnvValue::Text(text) => text,
        EnvValue::Fastest { then, .. } => then.as_ref()?,
    };
    references(text).find(|name| !adds_nothing(name, profile, 0))
}

/// Is what a reference stands for known well enough: a path or the like, which is no list by
/// itself, or what the profile sets it to?
fn adds_nothing(name: &str, profile: &Profile, depth: usize) -> bool {
    const DEEPEST: usize = 8;
    let is_known = |own: &EnvValue| match own {
        EnvValue::Text(text) => {
            depth < DEEPEST && references(text).all(|name| adds_nothing(name, profile, depth + 1))
        }
        EnvValue::Fastest { .. } => false,
    };
    is_path_like(name) && profile.env.get(name).is_none_or(is_known)
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
            .help("a target that TLS proves makes it safe: { up = \"corp\" }"),
    )
}

fn unproven(
    profile: &Profile,
    place: &ProfilePlace,
    loosening: &Loosening,
    targets: &BTreeMap<String, Target>,
) -> PolicyFinding {
    let span = place.env.get(&loosening.variable).unwrap_or(&place.name);
    let (message, keep) = match loosening.variable.as_str() {
        "GOSUMDB" => (
            "anyone on the network could switch checksum verification off",
            "keep sum.golang.org",
        ),
        "GOPROXY" => (
            "anyone on the network could make go ask a proxy over plain http",
            "ask it over https",
        ),
        "GOINSECURE" => (
            "anyone on the network could make go fetch over plain http",
            "leave GOINSECURE out",
        ),
        "GOFLAGS" => (
            "anyone on the network could make a go before 1.17 verify nothing",
            "leave -insecure out",
        ),
        "GOVCS" => (
            "anyone on the network could let go run svn, bzr or fossil on public code",
            "leave all but git and hg out",
        ),
        "GO111MODULE" => (
            "anyone on the network could make a go before 1.22 verify nothing",
            "write GO111MODULE = \"on\", or leave it out",
        ),
        "GOTOOLCHAIN" => (
            "anyone on the network could switch to a go that verifies less",
            "name a newer go",
        ),
        name if is_cgo_allow(name) => (
            "anyone on the network could let modules pass any flag to the compiler",
            "set the variable for the one build that needs it",
        ),
        _ => (
            "anyone on the network could exempt public modules from verification",
            "name your own hosts only",
        ),
    };
    let mut finding = PolicyFinding::error("loosens-unproven", message, span.clone())
        .label("nothing may make this weaker")
        .help(format!(
            "add a fact that cannot be forged: {{ up = \"{}\" }}, or {keep}",
            example_target(targets)
        ));
    let why = why_unproven(&profile.when, targets);
    finding = match &place.when {
        Some(when) => finding.related(when.clone(), why),
        None => finding.related(place.name.clone(), why),
    };
    finding
}

/// A target that would prove something, for a message.
fn example_target(targets: &BTreeMap<String, Target>) -> &str {
    let best = |private: bool| {
        targets
            .values()
            .find(|target| target.is_authenticated() && target.private == private)
    };
    best(true)
        .or_else(|| best(false))
        .map_or("corp", |target| target.name.as_str())
}

/// What the condition rests on, and who else can make it true.
fn why_unproven(when: &Condition, targets: &BTreeMap<String, Target>) -> String {
    let words = |words: &str| words.to_owned();
    match when {
        Condition::Always => words("without `when` it holds on every network"),
        Condition::Up(name) => match targets.get(name).map(Target::kind_str) {
            Some("goproxy" | "https") => {
                format!("`{name}` is asked over plain http: whoever runs the network can answer")
            }
            Some("sumdb") => format!(
                "`{name}` is asked over plain http: what the database signed can be played again"
            ),
            Some(kind @ ("icmp" | "tcp")) => {
                format!("{kind} proves nothing: any host can answer in `{name}`'s place")
            }
            _ => format!("`{name}` says something of this machine, not of the network"),
        },
        Condition::Down(name) => format!("any network can keep `{name}` from answering"),
        Condition::AtLeast { n, .. } => {
            format!("{n} of these can be up without one that TLS proves")
        }
        Condition::Portal(_) => words("any access point can answer in another's place, or not"),
        Condition::Online(_) => {
            words("a default route proves nothing: any access point hands one out")
        }
        Condition::InterfaceName(_) | Condition::InterfaceKind(_) => {
            words("an interface proves nothing of what it is plugged into")
        }
        Condition::Subnet(_) => words("a subnet proves nothing: any access point can hand it out"),
        Condition::Gateway(_) => {
            words("a gateway's address proves nothing: any router can have it")
        }
        Condition::DnsServer(_) | Condition::SearchDomain(_) => {
            words("DNS settings prove nothing: any access point can hand them out")
        }
        Condition::Ssid(_) => words("a Wi-Fi name proves nothing: any access point can bear it"),
        Condition::Env(_) => words("a variable says nothing of the network that is there now"),
        Condition::All(parts) => match parts.as_slice() {
            [one] => why_unproven(one, targets),
            _ => words("none of these is a fact that cannot be forged"),
        },
        Condition::Any(parts) => {
            let weak = parts.iter().find(|part| !is_proven(part, targets));
            match weak {
                Some(part) => format!("one part is enough, and {}", why_unproven(part, targets)),
                None => words("none of these is a fact that cannot be forged"),
            }
        }
        Condition::Not(_) => words("anybody can bring it about that something does not hold"),
    }
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
            // go asks DNS for these.
            ("http://localhost.:3000", true),
            ("http://0x7f.1", true),
        ] {
            assert_eq!(is_plain_http(url), plain, "{url}");
        }
    }
}
