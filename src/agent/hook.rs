//! What a shell's hook may do with the variables that the shell exports.

use super::drift;
use super::session::Session;
use crate::environment::Environment;
use crate::gocmd::EnvText;
use crate::model::Patterns;
use crate::model::status::Status;

/// The variables that a hook may unset. GOPRIVATE and the GONO… variables are never among them:
/// without their exports private names could reach a public proxy.
pub const HOOKED: [&str; 2] = ["GOPROXY", "GOSUMDB"];

/// What an exported variable stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportVerdict {
    /// The profile in force does not set the variable: the export is the value to use.
    Stands,
    /// It hides the value of the profile in force.
    Hides,
    /// The same, but other exports rely on it: without it go would show private names to servers
    /// that do not see them now.
    Shields,
}

impl Session {
    /// Judges the export of one of [`HOOKED`] in this process's environment.
    pub fn judge_export(&self, name: &str) -> ExportVerdict {
        let profile = self.memory.in_force(&self.loaded.policy);
        let is_set = profile.is_some_and(|profile| profile.env.contains_key(name));
        let (Ok(file), true) = (self.file(), is_set) else {
            return ExportVerdict::Stands;
        };
        let present = self.present();
        let by_hand = drift::find(&self.memory, &file, &present);
        if by_hand.contains_key(name) || !present.values.contains_key(name) {
            return ExportVerdict::Stands;
        }
        let text = EnvText(present.bytes.unwrap_or_default());
        match keeps_private(name, &self.env, &text) {
            true => ExportVerdict::Hides,
            false => ExportVerdict::Shields,
        }
    }

    /// Returns the number of the last turn, for a hook to compare.
    pub fn turn(&self) -> u64 {
        self.memory.turn
    }

    /// Returns the status as the last turn has left it: nothing is looked at but the go env file.
    pub fn remembered(&self) -> Status {
        self.status_of(&self.memory.snapshot, &self.present())
    }
}

/// Reports whether go, once it uses the file's value of this variable, treats as private all that
/// the file and the exports call private. An exported list replaces the file's list.
pub fn keeps_private(name: &str, env: &Environment, file: &EnvText) -> bool {
    let own = if name == "GOPROXY" {
        "GONOPROXY"
    } else {
        "GONOSUMDB"
    };
    let set = |value: &&str| !value.is_empty();
    let of_env = |name: &str| env.get(name);
    let of_file = |name: &str| file.get(name).filter(set);
    let used = of_env(own).or_else(|| of_file(own));
    let used = used
        .or_else(|| of_env("GOPRIVATE"))
        .or_else(|| of_file("GOPRIVATE"));
    let used = Patterns::parse(used.unwrap_or_default());
    let filed = of_file(own).or_else(|| of_file("GOPRIVATE"));
    let mut named = [filed, of_env("GOPRIVATE")].into_iter().flatten();
    // A chain without any server can show nothing to anyone.
    let mut hops = file
        .get(name)
        .unwrap_or_default()
        .split([',', '|'])
        .map(str::trim);
    let is_local = name == "GOPROXY" && hops.all(|hop| hop == "off" || hop.starts_with("file:"));
    is_local
        || named.all(|list| {
            let list = Patterns::parse(list);
            list.globs().iter().all(|glob| used.globs().contains(glob))
        })
}

#[cfg(test)]
mod tests {
    use super::keeps_private;
    use crate::gocmd::EnvText;

    fn may_unset(name: &str, env: &[(&str, &str)], file: &str) -> bool {
        let file = EnvText(file.replace(' ', "\n").into_bytes());
        keeps_private(name, &env.iter().copied().collect(), &file)
    }

    #[test]
    fn an_export_stays_where_another_one_would_show_private_names() {
        let public = "GOPROXY=https://proxy.golang.org GOPRIVATE=a.test,b.test";
        for (env, may) in [
            (&[][..], true),
            (&[("GOPRIVATE", "b.test,a.test,c.test")], true),
            (&[("GOPRIVATE", "c.test")], false),
            (&[("GONOPROXY", "none")], false),
            (&[("GONOPROXY", "a.test,b.test")], true),
            (
                &[("GONOPROXY", "a.test,b.test"), ("GOPRIVATE", "c.test")],
                false,
            ),
            (&[("GONOSUMDB", "none")], true),
        ] {
            assert_eq!(may_unset("GOPROXY", env, public), may, "{env:?}");
        }
        assert!(!may_unset("GOSUMDB", &[("GONOSUMDB", "none")], public));
        // The company's proxy was exported together with GONOPROXY=none.
        let env = [("GOPRIVATE", "corp.test"), ("GONOPROXY", "none")];
        assert!(!may_unset(
            "GOPROXY",
            &env,
            "GOPROXY=https://proxy.golang.org"
        ));
        assert!(may_unset(
            "GOPROXY",
            &env,
            "GOPROXY=file:///m,off GONOPROXY=none"
        ));
    }
}
