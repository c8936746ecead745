//! The variables that the installing shell has and the service manager has not: they decide which
//! files go reads, and how it connects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::gocmd;
use crate::model::mask::has_credentials;

/// Variables that choose go's env file, its module cache, the certificates it trusts, the passwords
/// it reads and goroam's policy.
const FILES: [&str; 9] = [
    "GOENV",
    "GOMODCACHE",
    "GOPATH",
    "GOROAM_CONFIG",
    "NETRC",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
];

/// Variables that choose the go command's proxies (golang.org/x/net/http/httpproxy). The probes
/// must use the same ones.
const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The variables for the service, and the messages for the user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// The variables for the drop-in, sorted by name.
    pub(super) vars: Vec<(String, String)>,
    /// The messages, one line each.
    pub(super) told: Vec<String>,
}

/// Compares the two environments. `policy` is the policy that was named explicitly.
pub(super) fn compare(
    shell: &Environment,
    manager: &BTreeMap<String, String>,
    policy: Option<&Path>,
) -> Surroundings {
    let mut found = Surroundings::default();
    let mut vars: BTreeMap<String, String> = BTreeMap::new();
    for name in FILES.iter().chain(&PROXIES) {
        let Some(value) = shell.get(name) else {
            continue;
        };
        if manager.get(*name).map(String::as_str) == Some(value) {
            continue;
        }
        let relative = FILES.contains(name)
            && value != "off"
            && std::env::split_paths(value).any(|path| path.is_relative());
        if PROXIES.contains(name) && has_credentials(value) {
            found.told.push(format!(
                "{name} of this shell holds a password, so the service does not get it; \
                 without it, it cannot go out that way. A proxy without one can be set in \
                 ~/.config/environment.d/"
            ));
        } else if relative || value.chars().any(char::is_control) {
            found.told.push(format!(
                "{name} of this shell is not an absolute path, so the service does not get it"
            ));
        } else {
            vars.insert((*name).to_owned(), value.to_owned());
        }
    }
    if let Some(policy) = policy.and_then(Path::to_str) {
        vars.insert("GOROAM_CONFIG".to_owned(), policy.to_owned());
    }
    vars.extend(path_to_go(shell, manager).map(|path| ("PATH".to_owned(), path)));
    found.vars = vars.into_iter().collect();
    found
}

/// Returns a PATH for the service with the directory of go in front, if only this shell's PATH
/// leads to go.
fn path_to_go(shell: &Environment, manager: &BTreeMap<String, String>) -> Option<String> {
    let its: Environment = manager.iter().collect();
    if !gocmd::candidates(&its).is_empty() {
        return None;
    }
    let go = gocmd::candidates(shell).into_iter().next()?;
    let own = its.get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
    let folders: Vec<PathBuf> = std::iter::once(go.parent()?.to_owned())
        .chain(std::env::split_paths(own))
        .collect();
    std::env::join_paths(folders).ok()?.into_string().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::compare;
    use crate::environment::Environment;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn given(shell: &[(&str, &str)], manager: &[(&str, &str)]) -> BTreeMap<String, String> {
        let shell: Environment = shell.iter().copied().collect();
        // PATH is ignored: only some machines have go in a usual place.
        let mut found = compare(&shell, &vars(manager), None).vars;
        found.retain(|(name, _)| name != "PATH");
        found.into_iter().collect()
    }

    #[test]
    fn the_service_is_given_what_it_lacks_and_no_more() {
        let shell = [
            ("GOENV", "/home/me/work/goenv"),
            ("XDG_CONFIG_HOME", "/home/me/cfg"),
            ("HTTPS_PROXY", "http://proxy.corp:3128"),
            ("GOPROXY", "https://proxy.corp"),
            ("EDITOR", "vi"),
        ];
        let expected = vars(&[
            ("GOENV", "/home/me/work/goenv"),
            ("HTTPS_PROXY", "http://proxy.corp:3128"),
        ]);
        let manager = [("XDG_CONFIG_HOME", "/home/me/cfg"), ("GOENV", "/other")];
        assert_eq!(given(&shell, &manager), expected);
    }

    #[test]
    fn no_password_is_written_into_a_unit() {
        let shell: Environment = [("https_proxy", "http://me:s3cret@proxy:3128")]
            .into_iter()
            .collect();
        let found = compare(&shell, &vars(&[]), None);
        assert!(!found.vars.iter().any(|(_, value)| value.contains("s3cret")));
        assert!(found.told[0].starts_with("https_proxy"), "{:?}", found.told);
        assert!(!found.told[0].contains("s3cret"));
    }

    #[test]
    fn a_policy_named_by_hand_is_the_services_too() {
        let found = compare(
            &Environment::default(),
            &vars(&[]),
            Some(Path::new("/etc/goroam/team.toml")),
        );
        assert!(found.vars.contains(&(
            "GOROAM_CONFIG".to_owned(),
            "/etc/goroam/team.toml".to_owned()
        )));
    }

    #[test]
    fn go_that_only_this_shell_knows_is_found_by_the_service() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let go = folder.path().join("go");
        std::fs::write(&go, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&go, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().display().to_string();
        let shell: Environment = [("PATH", path.as_str())].into_iter().collect();
        let manager = vars(&[("PATH", "/nowhere")]);
        let found = compare(&shell, &manager, None).vars;
        let expected = ("PATH".to_owned(), format!("{path}:/nowhere"));
        let elsewhere = !crate::gocmd::candidates(&manager.iter().collect()).is_empty();
        assert_eq!(found.contains(&expected), !elsewhere, "{found:?}");
        // Compared again with the PATH that has go: nothing to add.
        let found = compare(&shell, &vars(&[("PATH", &path)]), None).vars;
        assert_eq!(found, []);
    }
}
