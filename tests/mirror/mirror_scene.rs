//! What the tests of the mirror start from: somebody on the network with an empty home, a
//! project, and a mirror that is not there yet.

use std::path::{Path, PathBuf};

use super::go;
use super::project::{User, World, answer};

/// Somebody on the network, with a project, and an empty mirror.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) user: User,
    pub(crate) go: PathBuf,
}

impl Scene {
    pub(crate) fn set() -> Option<Scene> {
        let world = World::start()?;
        let go = go::go(go::VERSIONS[2])?;
        let folder = tempfile::tempdir().unwrap();
        let user = world.user(&folder.path().join("home"));
        Some(Scene {
            world,
            folder,
            user,
            go,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn mirror(&self) -> PathBuf {
        self.path("mirror")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.world.project(&self.path("project"))
    }

    /// `goroam mirror ARGS… --mirror MIRROR` there; its output as JSON where it is `--json`.
    #[track_caller]
    pub(crate) fn goroam(&self, folder: &Path, args: &str, exit: i32) -> String {
        self.as_user(&self.user, folder, args, exit)
    }

    #[track_caller]
    pub(crate) fn as_user(&self, user: &User, folder: &Path, args: &str, exit: i32) -> String {
        let args = format!("mirror {args} --mirror {}", self.mirror().display());
        let output = user.goroam(&self.go, folder, &args);
        let all = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(exit), "goroam {args}: {all}");
        all
    }

    /// In an aeroplane, with an empty home.
    pub(crate) fn away(&self, home: &str) -> User {
        self.user.away(&self.mirror()).at(&self.path(home))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.mirror().join(name)
    }
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Adds a file to a zip, as somebody would who wants to change what is built.
pub(crate) fn tamper(zip: &Path) {
    let script = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1],'a'); \
                  n=z.namelist()[0].split('/'); \
                  p=z.namelist()[0][:z.namelist()[0].index('@')]; \
                  v=z.namelist()[0][len(p):].split('/')[0]; \
                  z.writestr(p+v+'/evil.go','package evil\\n'); z.close()";
    // A zip in the mirror may be the cache's own: a new file, as an attacker's would be.
    let copy = zip.with_extension("evil");
    std::fs::copy(zip, &copy).unwrap();
    let done = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&copy)
        .output();
    answer(done.unwrap()).unwrap();
    std::fs::rename(&copy, zip).unwrap();
}
