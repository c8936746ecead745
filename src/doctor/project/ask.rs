//! Asks go whether it takes the project's go.mod and go.work for what they are: a workspace that
//! names what is not there, two modules of one name or a vendor folder that does not fit are go's
//! to find. Nothing is built, fetched or written.

use std::path::Path;
use std::time::Duration;

use super::super::facts::{Facts, Scope};
use super::super::finding::Severity;
use super::judge;
use crate::environment::Environment;
use crate::gocmd::GoCommand;
use crate::gocmd::job::{Job, without_requests};

/// `go list -m` takes 20 ms.
const LIMIT: Duration = Duration::from_secs(10);
/// Lines of go's words that are told.
const MOST_LINES: usize = 3;
/// Characters of them.
const MOST: usize = 300;

/// Notes what go says where it stops at the project itself.
pub(in super::super) async fn ask(
    facts: &mut Facts,
    env: &Environment,
    folder: &Path,
    go: Option<&GoCommand>,
) {
    // A go that stops at its settings says nothing of the project.
    let is_stopped = facts.stops.iter().any(|stop| stop.scope == Scope::Every);
    let told = judge(facts).into_iter();
    let is_told = told.into_iter().any(|one| one.severity == Severity::Error);
    let Some(project) = &mut facts.project else {
        return;
    };
    let Some(go) = go.filter(|_| !is_stopped && !is_told) else {
        return;
    };
    let job = Job {
        go,
        env,
        folder,
        set: vec![
            ("GOPROXY", "off".into()),
            ("GONOPROXY", "none".into()),
            ("GOVCS", "*:off".into()),
            ("GODEBUG", without_requests(env)),
            // The one that the project asks for may be in the module cache.
            ("GOTOOLCHAIN", env.get("GOTOOLCHAIN").unwrap_or("").into()),
        ],
    };
    // With -mod=mod it would write.
    let written = facts.lines.iter().find(|line| line.name == "GOFLAGS");
    let flags = env
        .get("GOFLAGS")
        .or(written.map(|line| line.value.as_str()));
    let args: &[&str] = if flags.is_some_and(|flags| flags.contains("-mod=mod")) {
        &["list", "-m", "-mod=readonly"]
    } else {
        &["list", "-m"]
    };
    let ran = job.run_for(args, LIMIT).await;
    let Ok(ran) = ran else { return };
    if !ran.success {
        project.refused = words(&ran.err);
    }
}

/// What go says in one line; `None`: that it lacks what the network has.
fn words(said: &str) -> Option<String> {
    let fetches = ["GOPROXY=off", "cmdgonetlimit", "go: download"];
    if fetches.iter().any(|one| said.contains(one)) {
        return None;
    }
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown: Vec<&str> = lines.take(MOST_LINES).collect();
    let shown = shown.join(" ");
    let shown = shown.strip_prefix("go: ").unwrap_or(&shown);
    (!shown.is_empty()).then(|| {
        shown
            .chars()
            .filter(|c| !c.is_control())
            .take(MOST)
            .collect()
    })
}
