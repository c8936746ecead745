//! Where the zips of modules are.

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::gocmd::EnvFile;
use crate::mirror::Layout;

/// Trees in the layout of a proxy that may hold a module's zip; the first good one is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelves {
    /// The module cache's download folder, and the mirror.
    pub layouts: Vec<Layout>,
}

impl Shelves {
    /// The module cache, by go's rules (`cfg.GOMODCACHE`: the variable, the go env file, the
    /// first folder of GOPATH), and this mirror. None of them need exist.
    pub fn find(env: &Environment, mirror: Option<&Path>) -> Shelves {
        let file = EnvFile::locate(env).ok().and_then(|file| file.read().ok()?);
        let value = |name: &str| {
            let written = || file.as_ref().and_then(|file| file.get(name));
            let value = env.get(name).or_else(written);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let gopath = || {
            let list = value("GOPATH")?;
            std::env::split_paths(&list).find(|path| !path.as_os_str().is_empty())
        };
        let cache = value("GOMODCACHE").map(PathBuf::from).or_else(|| {
            let gopath = gopath().or_else(|| Some(env.home()?.join("go")))?;
            Some(gopath.join("pkg").join("mod"))
        });
        let download = cache.map(|cache| cache.join("cache").join("download"));
        let folders = download.into_iter().chain(mirror.map(Path::to_owned));
        Shelves {
            layouts: folders.map(Layout::new).collect(),
        }
    }
}
