//! What `goroam use` takes besides the policy's own profiles: a mirror, by its name or URL. It
//! replaces GOPROXY alone, so it is a profile over another one, and the rules of a policy apply.

use serde::Serialize;

use super::expand::resolve;
use super::finding::shown;
use super::grammar::{LONGEST_VALUE, check_value};
use super::lint::module_of;
use super::loosen;
use super::profile::{Condition, EnvValue, Policy, Profile};
use crate::model::host::canonical_url;
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Chain, HopKind, Host, Limits, Patterns, RelayLimits, Target, TargetKind};

/// A name for a GOPROXY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NamedMirror {
    /// The name.
    pub name: &'static str,
    /// The GOPROXY that it stands for.
    pub goproxy: &'static str,
}

const fn named(name: &'static str, goproxy: &'static str) -> NamedMirror {
    NamedMirror { name, goproxy }
}

/// The mirrors that have a name.
pub const MIRRORS: [NamedMirror; 6] = [
    named("cn", "https://goproxy.cn,direct"),
    named("io", "https://goproxy.io,direct"),
    named("aliyun", "https://mirrors.aliyun.com/goproxy,direct"),
    named("google", "https://proxy.golang.org,direct"),
    named("direct", "direct"),
    named("off", "off"),
];

/// Returns the GOPROXY of a mirror; `None`: the text is neither the name of one nor a URL.
pub fn goproxy_of(text: &str) -> Option<String> {
    if let Some(mirror) = MIRRORS.iter().find(|mirror| mirror.name == text) {
        return Some(mirror.goproxy.to_owned());
    }
    text.contains("://").then(|| format!("{text},direct"))
}

/// Returns a target that probes a mirror's GOPROXY (`goproxy_of`) with the default module. A target
/// of the policy at the same URL gives its settings: a CA, pins, its own module.
///
/// # Errors
/// When that names no proxy and no directory.
pub fn target_of(policy: &Policy, name: &str, goproxy: &str) -> Result<Target, MirrorFault> {
    let invalid = |why: &str| Err(MirrorFault::Invalid(why.to_owned()));
    let chain = check_url(goproxy)?;
    let kind = match chain.hops.into_iter().next().map(|hop| hop.kind) {
        Some(HopKind::Proxy(url)) => {
            let of_policy = |target: &&Target| {
                let own = target.goproxy_url().map(canonical_url);
                own.is_some_and(|own| own == canonical_url(&url))
            };
            if let Some(own) = policy.targets.values().find(of_policy) {
                return Ok(Target {
                    name: name.to_owned(),
                    ..own.clone()
                });
            }
            let (module, version) = DEFAULT_MODULE;
            TargetKind::GoProxy {
                url: url.trim_end_matches('/').to_owned(),
                module: module.to_owned(),
                version: version.to_owned(),
                sum: Some(DEFAULT_SUM.to_owned()),
                zip_sum: None,
            }
        }
        Some(HopKind::File(url)) => match url::Url::parse(&url).map(|url| url.to_file_path()) {
            Ok(Ok(path)) => TargetKind::Mirror { path },
            _ => return invalid("its path names no directory of this machine"),
        },
        Some(HopKind::Direct | HopKind::Off) | None => {
            return invalid("it is not a proxy, so there is no server to probe");
        }
    };
    Ok(Target {
        name: name.to_owned(),
        kind,
        limits: Limits::default(),
        relay: RelayLimits::default(),
        private: false,
        ca: Vec::new(),
        pins: Vec::new(),
    })
}

/// Why a mirror cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorFault {
    /// Its URL is not valid.
    Invalid(String),
    /// It would let private names out, or weaken verification.
    Unsafe(String),
}

/// Lays a GOPROXY over a variant of the profile `base`: a profile that no network chooses.
/// `standing` returns the values that go will have for the other variables.
///
/// # Errors
/// When the rules for a policy refuse it.
pub fn lay_over(
    policy: &Policy,
    name: &str,
    goproxy: &str,
    (base, variant): (&str, usize),
    standing: &dyn Fn(&str) -> Option<String>,
) -> Result<Profile, MirrorFault> {
    let found = policy.profile(base, variant);
    let base = found.filter(|found| found.over.is_none()).ok_or_else(|| {
        MirrorFault::Unsafe(format!("the policy has no profile {base:?} any more"))
    })?;
    if let Some(place) = policy.locked.get("GOPROXY") {
        return Err(MirrorFault::Unsafe(format!(
            "GOPROXY is locked by {place}; `goroam use PROFILE` takes one of the profiles"
        )));
    }
    let chain = check_url(goproxy)?;
    let mut profile = Profile {
        name: name.to_owned(),
        when: Condition::Any(Vec::new()),
        keep_ready: false,
        over: Some(base.name.clone()),
        ..base.clone()
    };
    let value = EnvValue::Text(goproxy.to_owned());
    profile.env.insert("GOPROXY".to_owned(), value);
    profile.loosens = loosen::phrases(&profile, &policy.targets);
    let fetches = chain.hops.iter().any(|hop| hop.kind != HopKind::Off);
    if fetches && profile.is_loose() && !profile.accept_unauthenticated {
        return Err(MirrorFault::Unsafe(format!(
            "nothing proves what would come, with {} (over the profile {})",
            profile.loosens.join(", "),
            base.name
        )));
    }
    chain_leak(policy, &chain, standing).map_or(Ok(profile), |why| Err(MirrorFault::Unsafe(why)))
}

/// Checks what a person typed as one hop and `direct`, as a policy's targets are checked.
fn check_url(goproxy: &str) -> Result<Chain, MirrorFault> {
    let invalid = |why: String| Err(MirrorFault::Invalid(why));
    if goproxy.len() > LONGEST_VALUE {
        let length = goproxy.len();
        return invalid(format!(
            "it has {length} bytes; {LONGEST_VALUE} is the most"
        ));
    }
    if let Some(fault) = check_value("GOPROXY", goproxy).into_iter().next() {
        return invalid(fault.message);
    }
    let chain = match Chain::parse(goproxy) {
        Ok(chain) => chain,
        Err(error) => return invalid(error.message),
    };
    let typed = goproxy.strip_suffix(",direct").unwrap_or(goproxy);
    let rest = typed.split_once("://").map_or("", |(_, rest)| rest);
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '|' | ';');
    if typed.contains(ends) || rest.contains("://") {
        return invalid("one URL, not a list; a list belongs in a profile's GOPROXY".to_owned());
    }
    Ok(chain)
}

/// Says which private names the chain's proxies would be asked for; `None`: none. go asks them for
/// all modules but those of GONOPROXY, or of GOPRIVATE if GONOPROXY is not set.
pub(super) fn chain_leak(
    policy: &Policy,
    chain: &Chain,
    standing: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let url = shown(stranger(policy, chain)?);
    let set = |name| standing(name).filter(|value| !value.is_empty());
    let (listed, own) = (set("GOPRIVATE"), set("GONOPROXY"));
    let kept = own.clone().or_else(|| listed.clone()).unwrap_or_default();
    let kept = Patterns::parse(&kept);
    let listed = Patterns::parse(&listed.unwrap_or_default());
    if let Some(glob) = exposed_glob(&listed, &kept) {
        return Some(format!(
            "{url} would be asked for private modules: GOPRIVATE names {}, and GONOPROXY={} \
             sends them to the proxy",
            shown(glob),
            shown(&own.unwrap_or_default())
        ));
    }
    let target = exposed_target(private(policy), &kept)?;
    Some(format!(
        "{url} would be asked for the modules of {:?}, which is private; name your own hosts in \
         GOPRIVATE",
        target.name
    ))
}

pub(super) fn private(policy: &Policy) -> impl Iterator<Item = &Target> {
    policy.targets.values().filter(|target| target.private)
}

/// Returns the first proxy of the chain that is neither private nor on this machine.
pub(super) fn stranger<'c>(policy: &Policy, chain: &'c Chain) -> Option<&'c str> {
    let is_foreign = |url: &&String| {
        let own = private(policy).filter_map(|target| target.goproxy_url());
        let mut own = own.map(canonical_url);
        let parsed = url::Url::parse(url).ok();
        let host = parsed.as_ref().and_then(url::Url::host_str);
        !own.any(|own| own == canonical_url(url)) && !host.is_some_and(Host::is_this_machine)
    };
    let mut proxies = chain.hops.iter().filter_map(|hop| match &hop.kind {
        HopKind::Proxy(url) => Some(url),
        HopKind::File(_) | HopKind::Direct | HopKind::Off => None,
    });
    proxies.find(is_foreign).map(String::as_str)
}

/// Returns the first of these private patterns that is not kept.
pub(super) fn exposed_glob<'l>(listed: &'l Patterns, kept: &Patterns) -> Option<&'l str> {
    let keeps = |glob: &String| {
        // A pattern is kept by the same pattern only: what it matches is open.
        let is_open = glob.contains(['*', '?', '[']);
        kept.globs().contains(glob) || (!is_open && kept.matches(glob))
    };
    let glob = listed.globs().iter().find(|glob| !keeps(glob));
    glob.map(String::as_str)
}

/// Returns the first of these private targets whose modules are not kept, as far as they are known.
pub(super) fn exposed_target<'t>(
    mut targets: impl Iterator<Item = &'t Target>,
    kept: &Patterns,
) -> Option<&'t Target> {
    targets.find(|target| match module_of(target) {
        Some(module) => !kept.matches(module),
        None => kept.globs().is_empty(),
    })
}

impl Profile {
    /// Returns the value that it sets for a variable, as far as the policy alone says.
    pub fn sets(&self, variable: &str) -> Option<String> {
        match self.env.get(variable)? {
            EnvValue::Text(text) => Some(resolve(text, &self.env)),
            EnvValue::Fastest { .. } => None,
        }
    }
}
