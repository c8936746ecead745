//! Reads the present state: proxies and checksums in `go env`, and the network.

use crate::environment::Environment;
use crate::gocmd::{EnvFile, EnvText};
use crate::model::status::NetworkStatus;
use crate::model::{Chain, HopKind, Patterns, SumDb, mask, public_code};
use crate::paths::Paths;
use crate::state::Baseline;
use crate::watch::survey;

/// The variables that goroam sets, or needs to know.
const NAMES: [&str; 6] = [
    "GOPROXY",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOINSECURE",
];

/// A variable that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    /// May contain a password.
    pub(super) value: String,
    /// The environment, which overrides the file, or the go env file (as it was before goroam).
    pub(super) origin: &'static str,
}

/// The present state.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) variables: Vec<Variable>,
    pub(super) network: Option<NetworkStatus>,
}

impl Found {
    /// Reads the state. A value that cannot be read counts as missing.
    pub(super) fn look(env: &Environment, paths: &Paths) -> Found {
        let baseline = Baseline::load(&paths.baseline()).ok().flatten();
        let file = EnvFile::locate(env).ok();
        let text = file.and_then(|file| file.read().ok().flatten());
        let text = text.unwrap_or_default();
        let find = |name| variable(env, baseline.as_ref(), &text, name);
        Found {
            variables: NAMES.into_iter().filter_map(find).collect(),
            network: survey().ok().map(|snapshot| NetworkStatus::from(&snapshot)),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut variables = self.variables.iter();
        variables
            .find(|variable| variable.name == name)
            .map(|variable| variable.value.as_str())
    }

    /// Returns the first proxy of GOPROXY, of any owner, as it was written.
    pub(super) fn proxy(&self) -> Option<String> {
        let chain = Chain::parse(self.value("GOPROXY")?).ok()?;
        chain.hops.into_iter().find_map(|hop| match hop.kind {
            HopKind::Proxy(url) => Some(url),
            HopKind::File(_) | HopKind::Direct | HopKind::Off => None,
        })
    }

    /// Returns the modules that are set as private. A list that includes public code does not
    /// count.
    pub(super) fn private(&self) -> Option<&str> {
        ["GOPRIVATE", "GONOSUMDB"]
            .into_iter()
            .filter_map(|name| self.value(name))
            .find(|list| {
                let patterns = Patterns::parse(list);
                !patterns.globs().is_empty()
                    && patterns.public().next().is_none()
                    && patterns.malformed().is_none()
            })
    }

    /// Returns a checksum database other than the public one.
    pub(super) fn sumdb(&self) -> Option<&str> {
        let value = self.value("GOSUMDB")?;
        let own = value.trim() != "sum.golang.org" && mask(value) == value;
        let right = matches!(SumDb::parse(value), Ok(SumDb::Database { .. }));
        (own && right).then_some(value)
    }

    /// Returns what weakens verification at present. A policy of `init` does not take it over.
    pub(super) fn weakens(&self) -> Vec<String> {
        let public = |name: &str| {
            self.value(name)
                .is_some_and(|list| Patterns::parse(list).public().next().is_some())
        };
        let mut weak = Vec::new();
        for (name, is_weak) in [
            ("GOSUMDB", self.value("GOSUMDB") == Some("off")),
            ("GOINSECURE", self.value("GOINSECURE").is_some()),
            ("GOPRIVATE", public("GOPRIVATE")),
            ("GONOSUMDB", public("GONOSUMDB")),
        ] {
            if let Some(value) = self.value(name).filter(|_| is_weak) {
                let setting = format!("{name}={}", mask(value));
                weak.push(format!(
                    "{setting} weakens verification and is not taken over"
                ));
            }
        }
        weak
    }
}

/// Returns the part after the first label of a host, if one owner can have it. The domain that the
/// network announces is not used: it would let a network choose what is not verified.
pub(super) fn domain_of(host: &str) -> Option<&str> {
    let (_, domain) = host.split_once('.')?;
    // `*.github.io` would exclude other people's modules from verification, and the domain of a
    // rented proxy is not where its tenant's modules are.
    let is_shared = public_code::is_shared(domain) || public_code::is_everybodys(domain);
    let labels_are_whole = domain.split('.').all(|label| !label.is_empty());
    (labels_are_whole && !is_shared).then_some(domain)
}

fn variable(
    env: &Environment,
    baseline: Option<&Baseline>,
    text: &EnvText,
    name: &'static str,
) -> Option<Variable> {
    // A value that goroam has written itself is not the user's choice.
    let in_file = || match baseline.and_then(|baseline| baseline.values.get(name)) {
        Some(before) => before.as_deref(),
        None => text.get(name),
    };
    let (value, origin) = match env.get(name) {
        Some(value) => (value, "environment, which wins"),
        None => (in_file().filter(|value| !value.is_empty())?, "go env file"),
    };
    Some(Variable {
        name,
        value: value.to_owned(),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::{Found, Variable, domain_of};

    fn found(variables: &[(&'static str, &str)]) -> Found {
        let variable = |(name, value): &(&'static str, &str)| Variable {
            name,
            value: (*value).to_owned(),
            origin: "go env file",
        };
        Found {
            variables: variables.iter().map(variable).collect(),
            network: None,
        }
    }

    #[test]
    fn a_domain_is_guessed_only_where_somebody_can_own_it() {
        assert_eq!(domain_of("goproxy.acme.com"), Some("acme.com"));
        assert_eq!(domain_of("go.eu.corp.example"), Some("eu.corp.example"));
        assert_eq!(domain_of("go.corp.co.uk"), Some("corp.co.uk"));
        assert_eq!(domain_of("go.mygithub.io"), Some("mygithub.io"));
        for host in [
            "goproxy.io",
            "goproxy.co.uk",
            "10.20.0.1",
            "localhost",
            "a..b",
            "::1",
            "goproxy.github.io",
            "acme.jfrog.io",
            "us-central1-go.pkg.dev",
            "goproxy-x.a.run.app",
            "goproxy.k8s.io",
            "goproxy.nsw.edu.au",
            "go.me.ngrok.io",
        ] {
            assert_eq!(domain_of(host), None, "{host}");
        }
    }

    #[test]
    fn what_takes_in_everything_is_not_taken_over() {
        let here = found(&[
            ("GOPRIVATE", "*"),
            ("GONOSUMDB", "git.corp.example"),
            ("GOSUMDB", "off"),
            ("GOINSECURE", "git.corp.example"),
        ]);
        assert_eq!(here.private(), Some("git.corp.example"));
        assert_eq!(here.sumdb(), None);
        let weak = here.weakens().join("\n");
        for name in ["GOPRIVATE=*", "GOSUMDB=off", "GOINSECURE="] {
            assert!(weak.contains(name), "{weak}");
        }
        assert!(!weak.contains("GONOSUMDB"), "{weak}");
    }

    #[test]
    fn the_first_proxy_is_found_behind_whatever_stands_before_it() {
        let proxy = |value| found(&[("GOPROXY", value)]).proxy();
        let corp = Some("https://goproxy.corp.example/x".to_owned());
        assert_eq!(proxy("https://goproxy.corp.example/x,direct"), corp);
        assert_eq!(proxy("file:///m,goproxy.corp.example/x|off"), corp);
        assert_eq!(proxy("direct"), None);
        assert_eq!(proxy("off,https://never"), None);
    }
}
