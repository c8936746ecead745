//! How go asks servers from this shell, and where that is not what was meant: proxy variables
//! that go reads in another way, GOAUTH at which it ends, certificates that it does not trust.

use super::facts::{Distrusted, Facts, Misread};
use super::finding::{Code, Finding, Severity};
use crate::environment::Environment;
use crate::gocmd::GoVersion;
use crate::model::observation::DISTRUSTED;
use crate::model::{GoProxy, GoRelease, TargetKind, lookalike};
use crate::policy::Policy;
use crate::probe::{goauth_trouble, remedy, unknown_to_go};

/// Looks at the variables of this shell and at the CA files of the policy. Asks no network.
pub(super) fn look(facts: &mut Facts, env: &Environment, policy: Option<&Policy>) {
    let release = release(facts);
    for (upper, lower) in [("HTTP_PROXY", "http_proxy"), ("HTTPS_PROXY", "https_proxy")] {
        let found = [upper, lower]
            .into_iter()
            .find_map(|name| Some((name, env.get(name)?)));
        if let Some((name, value)) = found
            && let Some(says) = misread(value, release)
        {
            facts.misread.push(Misread {
                name: name.to_owned(),
                place: "this shell".to_owned(),
                stops: false,
                says,
            });
        }
    }
    for target in policy
        .into_iter()
        .flat_map(|policy| policy.targets.values())
    {
        let is_gos = matches!(
            target.kind,
            TargetKind::GoProxy { .. } | TargetKind::SumDb { .. }
        );
        let unknown = if is_gos {
            unknown_to_go(env, &target.ca)
        } else {
            Vec::new()
        };
        if !unknown.is_empty() {
            facts.distrusted.push(Distrusted {
                target: target.name.clone(),
                remedy: remedy(env, &unknown),
                files: unknown,
            });
        }
    }
}

/// The first go on PATH is the one that this shell runs.
fn release(facts: &Facts) -> GoRelease {
    let first = facts.house.go_commands.first();
    let version = first.and_then(|(_, version)| GoVersion::parse(&format!("go{version}")));
    version.map_or_else(GoRelease::default, |version| GoRelease {
        number: version.number,
    })
}

fn misread(value: &str, release: GoRelease) -> Option<String> {
    match GoProxy::parse(value, release) {
        Ok(proxy) => proxy.remark(),
        Err(error) => Some(format!(
            "go cannot read it ({error}), passes it over and asks directly"
        )),
    }
}

/// GOAUTH of this shell, else of the go env file, at which go ends.
pub(super) fn goauth(facts: &mut Facts, env: &Environment) {
    if !release(facts).has_goauth() {
        return;
    }
    let line = || {
        let mut lines = facts.lines.iter().rev();
        let line = lines.find(|line| line.name == "GOAUTH")?;
        Some((line.value.clone(), line.place.clone()))
    };
    let here = env
        .get("GOAUTH")
        .map(|value| (value.to_owned(), "this shell".to_owned()));
    let Some((value, place)) = here.or_else(line) else {
        return;
    };
    let why = goauth_trouble(&value);
    let mark = lookalike::find(&value).map(|mark| mark.to_string());
    if why.is_none() && mark.is_none() {
        return;
    }
    let stops = why.is_some();
    let ends = |why| format!("it {why}, so every go command that asks a server over https ends");
    let says: Vec<String> = mark.into_iter().chain(why.map(ends)).collect();
    facts.misread.push(Misread {
        name: "GOAUTH".to_owned(),
        place,
        stops,
        says: says.join("; "),
    });
}

/// What is to be said about it.
pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = facts.misread.iter().map(of_variable).collect();
    found.extend(
        facts
            .distrusted
            .iter()
            .map(|one| of_certificate(facts, one)),
    );
    found
}

fn of_variable(misread: &Misread) -> Finding {
    let Misread {
        name, place, says, ..
    } = misread;
    let severity = if misread.stops {
        Severity::Error
    } else {
        Severity::Warning
    };
    let (code, mend) = match name.as_str() {
        "GOAUTH" => (Code::GoauthInvalid, "write it as `go help goauth` says"),
        _ => (
            Code::ProxyMisread,
            "write it as http://HOST:PORT; in a name or password write % as %25, @ as %40, \
             / as %2F, : as %3A, # as %23, ^ as %5E and a blank as %20",
        ),
    };
    let mut finding = Finding::new(code, severity, format!("{name} in {place}: {says}"), mend);
    finding.name = Some(name.clone());
    finding.place = Some(place.clone());
    finding
}

fn of_certificate(facts: &Facts, one: &Distrusted) -> Finding {
    let files: Vec<String> = one
        .files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let says = format!(
        "go does not trust the CA of target {}: {}",
        one.target,
        files.join(", ")
    );
    // A certificate that go's own roots vouched for, when it was seen last.
    let status = facts.house.status.as_ref();
    let mut targets = status.into_iter().flat_map(|status| &status.targets);
    let proven = targets.any(|seen| {
        seen.name == one.target && seen.up == Some(true) && !seen.reason.contains(DISTRUSTED)
    });
    let severity = if proven {
        Severity::Note
    } else {
        Severity::Warning
    };
    Finding::new(Code::CaUnknownToGo, severity, says, &one.remedy)
        .because("The policy's `ca` counts for goroam's own probes; go has no such setting.")
}

/// Is this trouble of the status told here already?
pub(super) fn tells(facts: &Facts, trouble: &str) -> bool {
    trouble.contains(DISTRUSTED)
        && facts
            .distrusted
            .iter()
            .any(|one| trouble.starts_with(&format!("{}: ", one.target)))
}
