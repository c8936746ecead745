//! How go connects to servers from this shell, and what differs from the user's intention: proxy
//! variables that go reads differently, a GOAUTH that makes go stop, certificates that go does not
//! trust.

use super::facts::DoctorFacts;
use super::finding::{Code, DoctorFinding, Severity};
use crate::environment::Environment;
use crate::gocmd::GoVersion;
use crate::model::observation::DISTRUSTED;
use crate::model::{GoProxy, GoRelease, TargetKind, lookalike};
use crate::policy::Policy;
use crate::probe::{goauth_trouble, remedy, unknown_to_go};

/// Checks the variables of this shell and the CA files of the policy, without the network. Returns
/// the targets whose CA go does not trust.
pub(super) fn look(
    facts: &mut DoctorFacts,
    env: &Environment,
    policy: Option<&Policy>,
) -> Vec<String> {
    let release = release(facts);
    for (upper, lower) in [("HTTP_PROXY", "http_proxy"), ("HTTPS_PROXY", "https_proxy")] {
        let mut names = [upper, lower].into_iter();
        let Some((name, value)) = names.find_map(|name| Some((name, env.get(name)?))) else {
            continue;
        };
        let what = match GoProxy::parse(value, release) {
            Ok(proxy) => proxy.remark(),
            Err(error) => Some(format!(
                "go cannot read it ({error}), ignores it and asks directly"
            )),
        };
        if let Some(what) = what {
            let says = format!("{name} in this shell: {what}");
            let fix = "write it as http://HOST:PORT; in a name or password write % as %25, @ as \
                       %40, / as %2F, : as %3A, # as %23, ^ as %5E and a space as %20";
            let finding = DoctorFinding::new(Code::ProxyMisread, Severity::Warning, says, "", fix);
            facts.findings.push(finding.about(name).at("this shell"));
        }
    }
    let mut distrusted = Vec::new();
    let targets = policy.iter().flat_map(|policy| policy.targets.values());
    for target in targets {
        let is_go = matches!(
            target.kind,
            TargetKind::GoProxy { .. } | TargetKind::SumDb { .. }
        );
        let unknown = unknown_to_go(env, &target.ca);
        if !is_go || unknown.is_empty() {
            continue;
        }
        let files = unknown.iter().map(|path| path.display().to_string());
        let files = files.collect::<Vec<String>>().join(", ");
        let says = format!(
            "go does not trust the CA of target {}: {files}",
            target.name
        );
        // go's own roots verified the certificate when the agent last saw it.
        let mut seen = facts.status.iter().flat_map(|status| &status.targets);
        let proven = seen.any(|seen| {
            seen.name == target.name && seen.up == Some(true) && !seen.reason.contains(DISTRUSTED)
        });
        let severity = if proven {
            Severity::Note
        } else {
            Severity::Warning
        };
        let why = "The policy's `ca` applies to goroam's own probes; go has no such setting.";
        let fix = remedy(env, &unknown);
        let finding = DoctorFinding::new(Code::CaUnknownToGo, severity, says, why, fix);
        facts.findings.push(finding);
        distrusted.push(target.name.clone());
    }
    distrusted
}

/// Returns the release of the first go on PATH, which this shell runs.
fn release(facts: &DoctorFacts) -> GoRelease {
    let first = facts.go_commands.first();
    let version = first.and_then(|(_, version)| GoVersion::parse(&format!("go{version}")));
    version.map_or_else(GoRelease::default, |version| GoRelease {
        number: version.number,
    })
}

/// Checks GOAUTH of this shell, or else of the go env file.
pub(super) fn goauth(facts: &mut DoctorFacts, env: &Environment) {
    if !release(facts).has_goauth() {
        return;
    }
    let (value, place) = match (env.get("GOAUTH"), facts.line("GOAUTH")) {
        (Some(value), _) => (value, "this shell"),
        (None, Some(line)) => (line.value.as_str(), line.place.as_str()),
        (None, None) => return,
    };
    let refused = goauth_trouble(value);
    let severity = if refused.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mark = lookalike::find(value).map(|mark| mark.to_string());
    let stops = |why| format!("it {why}, so every go command that asks a server over https stops");
    let what: Vec<String> = mark.into_iter().chain(refused.map(stops)).collect();
    if !what.is_empty() {
        let says = format!("GOAUTH in {place}: {}", what.join("; "));
        let fix = "write it as `go help goauth` says";
        let finding = DoctorFinding::new(Code::GoauthInvalid, severity, says, "", fix);
        let finding = finding.about("GOAUTH").at(place);
        facts.findings.push(finding);
    }
}
