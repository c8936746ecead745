//! Which go command? PATH first, then the usual places, then the SDK managers'.

use std::path::{Path, PathBuf};

use super::command::GoCommand;
use super::places;
use super::real::{self, Real};
use crate::environment::Environment;

/// Why there is no usable go command. Exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is none.
    #[error(
        "no go command found. Looked in {looked}. Install Go from go.dev/dl or set `go = \"/path/to/go\"` in [agent]"
    )]
    None {
        /// Where it was looked for.
        looked: String,
    },
    /// The one that the policy names is not usable.
    #[error("{path}: {why}; `go` in [agent] names it")]
    Named {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is older than `go env -w` (1.13).
    #[error("{path} is go {version}, which has no `go env -w`; goroam needs go 1.13 or later")]
    TooOld {
        /// The path.
        path: PathBuf,
        /// Its version.
        version: String,
    },
}

/// Finds the go command to use: `wish` (from `[agent] go`) or nothing else; without a wish,
/// the first usable one of PATH, the usual places and the SDK managers. No process is started
/// where the first candidate lies in a GOROOT.
///
/// # Errors
/// See [`FindError`].
pub async fn find(wish: Option<&Path>, env: &Environment) -> Result<GoCommand, FindError> {
    if let Some(path) = wish {
        return named(path, env).await;
    }
    let places = places::all(env);
    let mut passed: Vec<(PathBuf, String)> = Vec::new();
    let mut too_old = None;
    for candidate in &places.candidates {
        match real::resolve(candidate, env).await {
            Ok(real) if real.version.is_usable() => {
                let others = others(&[&real.path, candidate], &places.candidates);
                tracing::debug!(path = %real.path.display(), version = %real.version, ?others, "uses this go command");
                return Ok(command(real, others));
            }
            Ok(real) => {
                too_old.get_or_insert(FindError::TooOld {
                    path: candidate.clone(),
                    version: real.version.text,
                });
            }
            Err(why) => {
                tracing::debug!(path = %candidate.display(), why, "passed over a go command");
                passed.push((candidate.clone(), why));
            }
        }
    }
    Err(too_old.unwrap_or_else(|| FindError::None {
        looked: with_broken(&places.looked, &passed),
    }))
}

async fn named(path: &Path, env: &Environment) -> Result<GoCommand, FindError> {
    let refuse = |why: String| FindError::Named {
        path: path.to_owned(),
        why,
    };
    if !path.is_absolute() {
        return Err(refuse("is not an absolute path".to_owned()));
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refuse("does not exist".to_owned()));
        }
        Err(error) => return Err(refuse(format!("cannot be looked at: {error}"))),
        Ok(meta) if meta.is_dir() => return Err(refuse("is a folder".to_owned())),
        Ok(_) if !places::is_executable(path) => {
            return Err(refuse("is not executable".to_owned()));
        }
        Ok(_) => {}
    }
    let real = real::resolve(path, env).await.map_err(refuse)?;
    if !real.version.is_usable() {
        return Err(FindError::TooOld {
            path: path.to_owned(),
            version: real.version.text,
        });
    }
    Ok(command(real, Vec::new()))
}

fn command(real: Real, others: Vec<PathBuf>) -> GoCommand {
    GoCommand {
        path: real.path,
        version: real.version,
        goroot: real.goroot,
        others,
    }
}

/// The candidates that are other files than the one taken, each once.
fn others(taken: &[&Path], candidates: &[PathBuf]) -> Vec<PathBuf> {
    let canonical = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut seen: Vec<PathBuf> = taken.iter().map(|path| canonical(path)).collect();
    let mut others = Vec::new();
    for candidate in candidates {
        let real = canonical(candidate);
        if !seen.contains(&real) {
            seen.push(real);
            others.push(candidate.clone());
        }
    }
    others
}

fn with_broken(looked: &str, passed: &[(PathBuf, String)]) -> String {
    if passed.is_empty() {
        return looked.to_owned();
    }
    let broken: Vec<String> = passed
        .iter()
        .map(|(path, why)| format!("{} ({why})", path.display()))
        .collect();
    format!("{looked}; does not work: {}", broken.join(", "))
}
