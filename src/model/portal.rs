//! A login page, or another stranger, that answers in the place of the whole network, and the way
//! out of it.

use super::chain::Tier;
use super::observation::Verdict;
use super::status::{AgentState, TargetStatus};

/// What answers in the place of a target. All of it is a stranger's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portal<'a> {
    target: &'a str,
    reason: &'a str,
    url: Option<&'a str>,
}

impl<'a> Portal<'a> {
    /// Finds the portal that blocks the network; `tier` says where modules come from. While they
    /// arrive over the network, a page in front of one target is only a blocked site.
    pub fn among(targets: &'a [TargetStatus], tier: Option<Tier>) -> Option<Portal<'a>> {
        let mut remote = targets.iter().filter(|target| !target.local);
        let is_any_up = remote.any(|target| target.up == Some(true));
        if is_any_up && matches!(tier, Some(Tier::Proxy | Tier::Direct)) {
            return None;
        }
        let portals = targets
            .iter()
            .filter(|target| target.verdict == Some(Verdict::Portal));
        // The one that names its page says most.
        let target = portals.min_by_key(|target| target.portal_url.is_none())?;
        Some(Portal {
            target: &target.name,
            reason: &target.reason,
            url: target.portal_url.as_deref(),
        })
    }

    /// Says where to log in, and who looks again afterwards.
    pub fn way_out(&self, agent: AgentState) -> String {
        self.sentence(self.url.map(str::to_owned), agent)
    }

    /// Says the same with only the first part of the page's address, where there is little room.
    pub fn way_out_in_short(&self, agent: AgentState) -> String {
        let site = |url: &str| {
            let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            format!("{scheme}://{host}/")
        };
        self.sentence(self.url.map(site), agent)
    }

    fn sentence(&self, page: Option<String>, agent: AgentState) -> String {
        let again = match agent {
            AgentState::Running => "goroam looks again by itself",
            AgentState::Stopped => "then run `goroam once`",
        };
        match page {
            Some(page) => format!("open {page} in a browser and log in; {again}"),
            None => format!(
                "log in to this network in a browser, or ask who intercepts TLS here; {again} \
                 ({}: {})",
                self.target, self.reason
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AgentState, Portal, TargetStatus, Tier, Verdict};

    fn target(name: &str, verdict: Verdict, url: Option<&str>) -> TargetStatus {
        TargetStatus {
            up: Some(verdict == Verdict::Up),
            verdict: Some(verdict),
            reason: "200, but HTML".to_owned(),
            portal_url: url.map(str::to_owned),
            ..TargetStatus::new(name, None)
        }
    }

    #[test]
    fn the_page_that_is_named_is_where_to_log_in() {
        let page = "https://login.hotel.example:8080/a?mac=1";
        let mut seen = [
            target("corp", Verdict::Portal, None),
            target("proxy", Verdict::Portal, Some(page)),
        ];
        let portal = Portal::among(&seen, Some(Tier::Mirror)).unwrap();
        assert_eq!(
            portal.way_out(AgentState::Running),
            format!("open {page} in a browser and log in; goroam looks again by itself")
        );
        assert_eq!(
            portal.way_out_in_short(AgentState::Stopped),
            "open https://login.hotel.example:8080/ in a browser and log in; then run `goroam once`"
        );
        seen[1].portal_url = None;
        let portal = Portal::among(&seen, None).unwrap();
        assert_eq!(
            portal.way_out(AgentState::Running),
            "log in to this network in a browser, or ask who intercepts TLS here; goroam looks \
             again by itself (corp: 200, but HTML)"
        );
    }

    #[test]
    fn a_blocked_site_is_not_a_portal_while_modules_arrive() {
        let mut seen = [
            target("corp", Verdict::Up, None),
            target("proxy", Verdict::Portal, Some("http://blocked.example/")),
        ];
        assert_eq!(Portal::among(&seen, Some(Tier::Proxy)), None);
        // What is on this machine says nothing about the network.
        seen[0].local = true;
        assert!(Portal::among(&seen, Some(Tier::Proxy)).is_some());
        assert_eq!(Portal::among(&seen[..1], None), None);
    }
}
