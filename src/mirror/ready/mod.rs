//! Is a project ready for a place without a network?
//!
//! ```text
//! find (I/O) → folders → examine (I/O): Project → need (pure) → Need
//!                                       Shelf → Have → judge (pure) → Verdict
//! ask: where nothing is missing, go says whether it would build it
//! ```
//!
//! What go.sum names is what counts: it names what some build of the project once read, and go
//! takes nothing else without the checksum database.
//!
//! May import: the rest of the mirror, and everything below.

mod ask;
mod bring;
mod examine;
mod find;
mod judge;
mod need;
mod remember;
mod shelf;
mod tools;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::agent::Error;
use crate::environment::Environment;
use crate::gocmd::{ApplyError, find as go_find, run};
use crate::policy::goflags_words;

pub use bring::{Bringer, Unbrought, step_back};
pub use examine::examine;
pub use find::projects;
pub use judge::{Have, Missing, Toolchain, Verdict, What, judge, percent};
pub use need::{Builder, Need, Project, Source, need};
pub use remember::{Answers, forget, note, remember, remembered};
pub use shelf::{Held, Shelf, tally};
pub use tools::{ProofStore, ReadyTools};

/// One project's verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Examined {
    /// Its folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub project: PathBuf,
    /// How ready it is.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why `--fetch` could not bring what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// All of them.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The mirror's folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// Of what all projects need.
    pub percent: u8,
    /// Everything is there.
    pub ready: bool,
    /// One by one.
    pub projects: Vec<Examined>,
    /// What fetches all that is missing: the words of one command.
    pub command: Vec<String>,
    /// Why go would not take the mirror's proofs for what no go.sum names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proofs: Option<String>,
}

impl Report {
    /// Puts them together.
    pub fn new(mirror: PathBuf, projects: Vec<Examined>, proofs: Option<String>) -> Report {
        let sum = |of: fn(&Verdict) -> usize| -> usize {
            projects.iter().map(|one| of(&one.verdict)).sum()
        };
        let ready = projects.iter().all(|one| one.verdict.is_ready());
        let percent = percent(sum(|one| one.here), sum(|one| one.needed), ready);
        Report {
            command: command(&projects),
            mirror,
            percent,
            ready,
            projects,
            proofs,
        }
    }
}

/// `goroam mirror add --from DIR …`; nothing where nothing would help.
fn command(projects: &[Examined]) -> Vec<String> {
    let lacks = projects
        .iter()
        .filter(|one| !one.verdict.missing.is_empty());
    let mut words: Vec<String> = Vec::new();
    let mut toolchain = false;
    for one in lacks {
        words.push("--from".to_owned());
        words.push(one.project.display().to_string());
        toolchain |= needs_toolchain(&one.verdict);
    }
    if words.is_empty() {
        return words;
    }
    words.extend(toolchain.then(|| "--toolchain".to_owned()));
    let mut all = ["goroam", "mirror", "add"].map(str::to_owned).to_vec();
    all.append(&mut words);
    all
}

/// Is a toolchain, or what proves one, among what is missing?
pub fn needs_toolchain(verdict: &Verdict) -> bool {
    let mut missing = verdict.missing.iter();
    missing.any(|one| matches!(one.what, What::Toolchain | What::Proof))
}

/// The go command (`wish`, or the one that is found) and what it says of itself.
///
/// # Errors
/// When there is no go, or it does not answer.
pub async fn tools(
    wish: Option<&Path>,
    env: &Environment,
    mirror: &Path,
) -> Result<ReadyTools, Error> {
    const NAMES: [&str; 14] = [
        "GOPATH",
        "GOMODCACHE",
        "GOTOOLCHAIN",
        "GOSUMDB",
        "GOHOSTOS",
        "GOHOSTARCH",
        "GOFLAGS",
        "GOOS",
        "GOARCH",
        "GO111MODULE",
        "GOEXPERIMENT",
        "GOPRIVATE",
        "GONOSUMDB",
        "CGO_ENABLED",
    ];
    let go = Box::pin(go_find::find(wish, env)).await?;
    let said = Box::pin(run::values(&go, env, &NAMES)).await;
    let mut said = said.map_err(ApplyError::Go)?;
    let settings = NAMES.map(|name| said.get(name).map_or("", String::as_str));
    let settings = settings.join("\n");
    let mut value = |name: &str| said.remove(name).unwrap_or_default();
    // Of its own calls goroam takes GOFLAGS away, so only the go env file's is said.
    let written = value("GOFLAGS");
    let set = env.get("GOFLAGS").filter(|flags| !flags.is_empty());
    let flags = set.map_or(written, str::to_owned);
    let words = goflags_words(&flags).unwrap_or_default().into_iter();
    let mut named = words.filter_map(|word| word.trim_start_matches('-').strip_prefix("modfile="));
    let modfile = named.next_back().map(PathBuf::from);
    let system = format!("{}-{}", value("GOHOSTOS"), value("GOHOSTARCH"));
    Ok(ReadyTools {
        settings,
        modfile,
        builder: Builder {
            version: go.version.text.clone(),
            toolchain: value("GOTOOLCHAIN"),
            system,
        },
        shelf: Shelf::new(Path::new(&value("GOMODCACHE")), mirror),
        database: ProofStore {
            gosumdb: value("GOSUMDB"),
            gopath: value("GOPATH"),
        },
        env: env.clone(),
        go,
    })
}
