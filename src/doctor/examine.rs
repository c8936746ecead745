//! Examines everything in one order: goroam's own state, then what overrides it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::facts::{DoctorFacts, ServiceFacts};
use super::files::Disk;
use super::{gather, managers, network, own, programs, project, stops, values};
use crate::agent::{Error, hooked, user_env};
use crate::environment::Environment;
use crate::paths::Paths;

/// What doctor examines.
#[derive(Debug)]
pub struct DoctorInput {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// The caller's environment.
    pub env: Environment,
    /// The caller's directory.
    pub folder: PathBuf,
    /// The project's directory, or one in it.
    pub project: PathBuf,
    /// The state of the service; `None`: unknown.
    pub service: Option<ServiceFacts>,
}

/// Examines everything. Changes nothing.
///
/// # Errors
/// When the home directory is unknown.
pub async fn examine(input: &DoctorInput) -> Result<DoctorFacts, Error> {
    // What the hook has exported for a project overrides nothing by mistake.
    let env = &user_env(input.env.clone());
    let paths = Paths::find(input.config.clone(), env)?;
    let home = env.home().unwrap_or_default();
    let mut facts = DoctorFacts {
        home: home.clone(),
        hooked: hooked(env),
        ..DoctorFacts::default()
    };
    own::look(&mut facts, input.config.clone(), env, &paths).await;
    let names = [values::NAMES, stops::NAMES]
        .into_iter()
        .flat_map(|names| names.split(' '));
    let names = names.map(str::to_owned);
    let names: BTreeSet<String> = names.chain(facts.written.keys().cloned()).collect();
    let loaded = crate::agent::load_policy(&paths, env).ok();
    let policy = loaded.as_ref().map(|loaded| &loaded.policy);
    let go = own::go(&mut facts, env, policy).await;
    let distrusted = network::look(&mut facts, env, policy);
    own::report(&mut facts, &distrusted, input.service.as_ref());
    gather::files(&mut facts, &Disk, env, &home, &input.folder, &names);
    managers::look(&mut facts, env, &names).await;
    programs::look(&mut facts, &home, &names);
    stops::look(&mut facts, env, go.as_ref()).await;
    project::look(&mut facts, env, &input.project, go.as_ref()).await;
    network::goauth(&mut facts, env);
    own::relay(&mut facts, env, policy);
    Ok(facts)
}
