//! `goroam mirror pin` and `unpin`: which version `@latest` says.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::AddError;
use super::index::latest;
use super::pins::keep;
use super::prune::open;
use super::store::{Store, versions};

/// What a module's `@latest` says now.
#[derive(Debug, Clone, Serialize)]
pub struct Pinned {
    /// The mirror's folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub mirror: PathBuf,
    /// The module's path.
    pub module: String,
    /// The version that is pinned now.
    pub pinned: Option<String>,
    /// The one that was.
    pub before: Option<String>,
    /// What `@latest` says.
    pub latest: Option<String>,
}

/// Lets `@latest` of the module say this version.
///
/// # Errors
/// When there is no mirror, or it does not hold that version.
pub fn pin(
    root: &Path,
    module: &str,
    version: &str,
    waits: &mut dyn FnMut(),
) -> Result<Pinned, AddError> {
    change(root, module, Some(version), waits)
}

/// Lets `@latest` of the module say its highest version again.
///
/// # Errors
/// When there is no mirror.
pub fn unpin(root: &Path, module: &str, waits: &mut dyn FnMut()) -> Result<Pinned, AddError> {
    change(root, module, None, waits)
}

fn change(
    root: &Path,
    module: &str,
    version: Option<&str>,
    waits: &mut dyn FnMut(),
) -> Result<Pinned, AddError> {
    let failed = |error: io::Error| AddError::file(root, error);
    let mut store = open(root, waits)?;
    let there =
        versions(&store.layout, module).map_err(|error| AddError::Usage(error.to_string()))?;
    if let Some(version) = version
        && !there.iter().any(|one| one == version)
    {
        let why = match there.as_slice() {
            [] => format!("the mirror does not hold {module}"),
            some => format!(
                "the mirror does not hold {module}@{version}; it holds {}",
                some.join(", ")
            ),
        };
        let query = version;
        return Err(AddError::Usage(format!(
            "{why}. `goroam mirror add {module}@{query}` brings it"
        )));
    }
    let before = write(&mut store, module, version).map_err(failed)?;
    Ok(Pinned {
        mirror: root.to_owned(),
        module: module.to_owned(),
        pinned: version.map(str::to_owned),
        before,
        latest: latest(&there, version).map(str::to_owned),
    })
}

/// The note of what is behind comes first, so that a kill leaves no pin that is not told.
fn write(store: &mut Store, module: &str, version: Option<&str>) -> io::Result<Option<String>> {
    store.will_change([module].into_iter())?;
    let before = match version {
        Some(version) => store.pins.insert(module.to_owned(), version.to_owned()),
        None => store.pins.remove(module),
    };
    keep(&store.layout, &store.lock, &store.pins)?;
    store.index(&[module].into())?;
    Ok(before)
}
