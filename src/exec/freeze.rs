//! The environment of the moment: what go's variables say in the command's folder.

use std::path::{Path, PathBuf};

use super::tiers::{Around, Frozen, NAMES};
use crate::environment::Environment;
use crate::gocmd::GoCommand;
use crate::gocmd::run::{self, RunError};

/// Asks go, once for all names and once for GOTOOLCHAIN (which must be asked alone). No toolchain
/// is loaded for it, whatever the folder's go.mod says.
///
/// # Errors
/// When go cannot be run or says no.
pub async fn freeze(go: &GoCommand, env: &Environment, folder: &Path) -> Result<Frozen, RunError> {
    let mut names = NAMES.to_vec();
    names.extend(["GOMOD", "GOWORK"]);
    let mut values = run::values_in(go, env, folder, &names).await?;
    let folder_of = |file: Option<String>| {
        let file = PathBuf::from(file.filter(|file| file != "off")?);
        // Outside of a module, GOMOD is the null device.
        file.is_file()
            .then(|| file.parent().map(Path::to_owned))
            .flatten()
    };
    let (major, minor, _) = go.version.number;
    Ok(Frozen {
        module: folder_of(values.remove("GOMOD")),
        workspace: folder_of(values.remove("GOWORK")),
        values,
        version: (major, minor),
    })
}

/// Looks at what lies on this machine. `mirror`: where it would be.
pub fn around(frozen: &Frozen, mirror: Option<PathBuf>) -> Around {
    let cache = Path::new(frozen.get("GOMODCACHE"))
        .join("cache")
        .join("download");
    let vendored = |folder: &Option<PathBuf>| {
        folder
            .as_ref()
            .is_some_and(|folder| folder.join("vendor").join("modules.txt").is_file())
    };
    Around {
        mirror: mirror.filter(|mirror| mirror.is_dir()),
        cache: (cache.is_absolute() && cache.is_dir()).then_some(cache),
        vendored_module: vendored(&frozen.module),
        vendored_workspace: vendored(&frozen.workspace),
    }
}
