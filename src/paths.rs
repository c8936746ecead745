//! Where goroam keeps what: looked up once, then passed down.

use std::path::PathBuf;

use crate::environment::Environment;

/// The folders and files of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The policy file: `--config`, else `$GOROAM_CONFIG`, else in the user's config folder.
    pub policy: PathBuf,
    /// Was it named by the user? Then it must exist.
    pub policy_named: bool,
    /// State, journal and baseline; private to the user.
    pub state: PathBuf,
    /// What is large and can be had again: the module mirror.
    pub data: PathBuf,
    /// The socket and the lock of the running agent; private to the user.
    pub runtime: PathBuf,
}

/// There is no home folder, so there is nowhere to keep anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHome {
    /// It is not named.
    #[error(
        "HOME is not set, so goroam does not know whose settings to keep; run it as the user whose `go env` it is to manage, with HOME set"
    )]
    Unset,
    /// It would be another folder wherever goroam is started.
    #[error("HOME={} is relative, so goroam does not know whose settings to keep; set it to an absolute path", .0.display())]
    Relative(PathBuf),
}

impl Paths {
    /// Finds them by the rules of each system: XDG on Linux, `~/Library` on macOS,
    /// `%AppData%` and `%LocalAppData%` on Windows. Nothing is made.
    ///
    /// # Errors
    /// When the user has no home folder.
    pub fn find(config: Option<PathBuf>, env: &Environment) -> Result<Paths, NoHome> {
        let home = env.home().ok_or(NoHome::Unset)?;
        if home.is_relative() {
            return Err(NoHome::Relative(home));
        }
        let dirs = directories::ProjectDirs::from("", "", "goroam").ok_or(NoHome::Unset)?;
        let named = config.or_else(|| env.path("GOROAM_CONFIG"));
        // The agent changes its folder, and says the path to others.
        let named = named.map(|path| std::path::absolute(&path).unwrap_or(path));
        let state = dirs
            .state_dir()
            .unwrap_or_else(|| dirs.data_local_dir())
            .to_owned();
        let runtime = dirs
            .runtime_dir()
            .map_or_else(|| state.join("run"), |dir| dir.to_owned());
        Ok(Paths {
            policy_named: named.is_some(),
            policy: named.unwrap_or_else(|| dirs.config_dir().join("goroam.toml")),
            state,
            data: dirs.data_local_dir().to_owned(),
            runtime,
        })
    }

    /// The audit journal.
    pub fn journal(&self) -> PathBuf {
        self.state.join("journal.jsonl")
    }

    /// What goroam remembers between runs.
    pub fn memory(&self) -> PathBuf {
        self.state.join("state.json")
    }

    /// What the go env file held before goroam's first write.
    pub fn baseline(&self) -> PathBuf {
        self.state.join("baseline.json")
    }

    /// The log of an agent that has neither a terminal nor a service manager: one in a tray.
    pub fn log(&self) -> PathBuf {
        self.state.join("goroam.log")
    }

    /// The module mirror, unless another one is named.
    pub fn mirror(&self) -> PathBuf {
        self.data.join("mirror")
    }

    /// The folder of the mirror: `--mirror`, else `$GOROAM_MIRROR`, else the policy's, else
    /// goroam's own. Absolute, since it becomes a `file://` URL. It need not exist.
    pub fn mirror_at(
        &self,
        flag: Option<PathBuf>,
        policy: Option<PathBuf>,
        env: &Environment,
    ) -> PathBuf {
        let named = flag.or_else(|| env.path("GOROAM_MIRROR")).or(policy);
        let place = named.unwrap_or_else(|| self.mirror());
        std::path::absolute(&place).unwrap_or(place)
    }

    /// The projects that `goroam ready` remembers.
    pub fn projects(&self) -> PathBuf {
        self.state.join("projects.json")
    }

    /// What came of the agent's last `goroam ready --fetch`.
    pub fn readiness(&self) -> PathBuf {
        self.state.join("ready.json")
    }

    /// The agent's socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    /// Held by the one agent of this user.
    pub fn agent_lock(&self) -> PathBuf {
        self.runtime.join("agent.lock")
    }
}
