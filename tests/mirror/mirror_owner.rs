//! Somebody with a mirror of real modules, proven by a real checksum database.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::go;
use crate::project::{User, World, fingerprint};

/// The world, the mirror, and its owner, who is in an aeroplane by now.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) owner: User,
    pub(crate) go: PathBuf,
}

/// A command that has run.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Scene {
    /// With these modules in the mirror; none: what the project needs.
    pub(crate) fn set(modules: &str) -> Option<Scene> {
        let world = World::start()?;
        let go = go::go(go::VERSIONS[2])?;
        let folder = tempfile::tempdir().unwrap();
        let user = world.user(&folder.path().join("home"));
        let mut scene = Scene {
            owner: user.clone(),
            world,
            folder,
            go,
        };
        let (at, what) = match modules {
            "" => (scene.world.project(&scene.path("project")), "--from ."),
            modules => (scene.folder.path().to_owned(), modules),
        };
        let done = scene.goroam(&scene.mirror(), &at, &["add ", what].concat());
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
        scene.owner = user.away(&scene.mirror());
        Some(scene)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn mirror(&self) -> PathBuf {
        self.path("mirror")
    }

    /// A file in the mirror.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.mirror().join(name)
    }

    pub(crate) fn goroam(&self, mirror: &Path, folder: &Path, args: &str) -> Done {
        self.goroam_as(&self.owner, mirror, folder, args, &[])
    }

    pub(crate) fn goroam_as(
        &self,
        user: &User,
        mirror: &Path,
        folder: &Path,
        args: &str,
        env: &[(&str, &str)],
    ) -> Done {
        let mut command = user.goroam_command(&self.go, folder);
        command.args(["mirror", "--mirror"]).arg(mirror);
        command.args(args.split(' ')).envs(env.iter().copied());
        let output = command.output().unwrap();
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `goroam mirror ARGS` of the scene's mirror; must end so.
    #[track_caller]
    pub(crate) fn mirror_does(&self, args: &str, code: i32) -> Done {
        let done = self.goroam(&self.mirror(), self.folder.path(), args);
        assert_eq!(done.code, code, "{args}: {}{}", done.out, done.err);
        done
    }

    /// `goroam mirror verify ARGS --json`, which must end so.
    #[track_caller]
    pub(crate) fn verify(&self, args: &str, code: i32) -> Value {
        let done = self.mirror_does(format!("verify --json {args}").trim(), code);
        done.json()
    }

    /// What `verify` finds: `FILE KIND`, the file below the mirror.
    #[track_caller]
    pub(crate) fn found(&self, args: &str, code: i32) -> Vec<String> {
        findings(&self.verify(args, code), &self.mirror())
    }
}

/// `FILE KIND` of each finding.
pub(crate) fn findings(said: &Value, mirror: &Path) -> Vec<String> {
    let bad = said["bad"].as_array().unwrap().iter();
    bad.map(|one| {
        let file = Path::new(one["file"].as_str().unwrap());
        let file = file.strip_prefix(mirror).unwrap_or(file).display();
        format!("{file} {}", one["kind"].as_str().unwrap())
    })
    .collect()
}

impl Done {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

impl Scene {
    #[track_caller]
    pub(crate) fn export(&self, to: &Path) -> serde_json::Value {
        self.mirror_does(&format!("export {} --json", to.display()), 0)
            .json()
    }

    /// Into another mirror.
    pub(crate) fn import(&self, archive: &Path, into: &Path) -> Done {
        let args = format!("import {} --json", archive.display());
        self.goroam(into, self.folder.path(), &args)
    }
}

/// All files of a mirror but goroam's own.
pub(crate) fn content(mirror: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    if !mirror.exists() {
        return Vec::new();
    }
    let all = fingerprint(mirror).into_iter();
    let below = all.map(|(path, bytes)| (path.strip_prefix(mirror).unwrap().to_owned(), bytes));
    below
        .filter(|(path, _)| !path.starts_with(".goroam"))
        .collect()
}
