//! What a status comes to: one icon, and the lines that somebody should look at.

use super::face::Icon;
use super::words::clean;
use crate::model::status::{Status, TargetStatus};
use crate::model::{Tier, Verdict};

/// A line in a menu: about what fits beside an icon without the menu filling the screen.
pub(super) const MENU_CHARACTERS: usize = 72;
/// The name of a profile within other words.
pub(super) const NAME_CHARACTERS: usize = 40;

/// The icon; `None`: no agent answers.
pub(super) fn icon(status: Option<&Status>) -> Icon {
    let Some(status) = status else {
        return Icon::Stopped;
    };
    if status.paused {
        Icon::Paused
    } else if !notes(status).is_empty() {
        Icon::Attention
    } else if is_offline(status) {
        Icon::Offline
    } else {
        Icon::Good
    }
}

/// What somebody should look at, one line each, not yet bounded. Not variables that shadow
/// ours: the agent's own environment says nothing of the user's shell.
pub(super) fn notes(status: &Status) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(portal(status).map(portal_note));
    notes.extend(status.drift.iter().map(|drift| match &drift.found {
        Some(found) => format!("{} was set to {found} by somebody else", drift.name),
        None => format!("{} was removed by somebody else", drift.name),
    }));
    notes.extend(status.weakened.iter().map(|what| weakened_note(what)));
    notes.extend(troubles(status).map(str::to_owned));
    notes
}

/// Troubles, but for the line that says that it is paused: that is no trouble.
pub(super) fn troubles(status: &Status) -> impl Iterator<Item = &str> {
    let said = |line: &&str| !(status.paused && line.starts_with("paused;"));
    status.troubles.iter().map(String::as_str).filter(said)
}

/// The target in whose place a login page answers, if that is what keeps us from the network.
/// Where modules come over the network, a page in front of one target is only a blocked site.
pub(super) fn portal(status: &Status) -> Option<&TargetStatus> {
    let captive =
        !is_anything_up(status) || !matches!(status.tier, Some(Tier::Proxy | Tier::Direct));
    let is_portal = |target: &&TargetStatus| target.verdict == Some(Verdict::Portal);
    let mut portals = status.targets.iter().filter(is_portal);
    let named = portals
        .clone()
        .find(|target| page(&target.reason).is_some());
    named.or_else(|| portals.next()).filter(|_| captive)
}

/// What to do about it comes first: a menu has room for some seventy characters.
pub(super) fn portal_note(target: &TargetStatus) -> String {
    match page(&target.reason) {
        Some(page) => format!("open {page} in a browser: a login page answers for everybody"),
        None => format!(
            "look for a login page in a browser: something answers in the place of {}: {}",
            target.name, target.reason
        ),
    }
}

/// "verification is weakened: GONOSUMDB"
pub(super) fn weakened_note(what: &str) -> String {
    format!("verification is weakened: {what}")
}

/// Scheme and host (with its port) of the first URL in a reason: "http://login.hotel.example/" of
/// "302 to http://login.hotel.example/x".
fn page(reason: &str) -> Option<String> {
    let at = reason.find("http://").or_else(|| reason.find("https://"))?;
    let (scheme, rest) = reason.get(at..)?.split_once("://")?;
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']'));
    let host = rest.split(ends).next().unwrap_or_default();
    (!host.is_empty()).then(|| format!("{scheme}://{}/", clean(host, NAME_CHARACTERS)))
}

/// Nothing comes over the network: no target is up, and there is no way out or no hop left.
fn is_offline(status: &Status) -> bool {
    !is_anything_up(status)
        && (status.network.default_routes.is_empty()
            || matches!(status.tier, Some(Tier::Mirror | Tier::Off)))
}

fn is_anything_up(status: &Status) -> bool {
    let mut remote = status.targets.iter().filter(|target| !target.local);
    remote.any(|target| target.up == Some(true))
}
