//! `goroam test`

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::Json;
use crate::cli::scenarios::{examine, refused};
use crate::cli::verb::check;
use crate::cli::{Context, Failure};
use crate::policy::Policy;

/// `goroam test`
#[derive(Debug, Clone, Args)]
pub struct Test {
    /// Policy file to test
    #[arg(value_name = "POLICY", value_hint = ValueHint::FilePath)]
    pub policy: PathBuf,
    /// Files of scenarios, or directories with such files (*.toml)
    #[arg(required = true, value_name = "SCENARIOS", value_hint = ValueHint::AnyPath)]
    pub scenarios: Vec<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Tests a policy, and shows which scenarios differ.
pub(in crate::cli) fn run(context: &Context, args: &Test) -> Result<u8, Failure> {
    let policy = usable(context, &args.policy)?;
    let tested = examine(&policy, &args.scenarios)?;
    context.show(args.format.json, &tested.report(), |_, page| {
        tested.text(page)
    })?;
    Ok(if tested.all_pass() {
        EXIT_DONE
    } else {
        EXIT_FAILED
    })
}

/// Reads a policy that is not in force.
///
/// # Errors
/// If it cannot be read, or has errors (exit code 2).
pub(super) fn usable(context: &Context, path: &Path) -> Result<Policy, Failure> {
    let (_, parsed) = check::read(context, Some(path))?;
    let Some(policy) = parsed.policy else {
        return Err(refused(parsed.source, parsed.findings));
    };
    Ok(policy)
}
