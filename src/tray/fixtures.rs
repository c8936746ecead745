//! Statuses to draw, and a menu as text.

use crate::model::Tier;
use crate::model::observation::{Phases, Verdict};
use crate::model::status::{AgentState, Drift, NetworkStatus, RouteStatus, Status, TargetStatus};
use crate::tray::face::{Item, Surroundings};

/// 11:16 in the office.
pub(super) fn around() -> Surroundings {
    Surroundings {
        starts_at_login: Some(true),
        can_start: false,
        now: "2026-11-22T11:16:00+00:00[+00:00]".parse().unwrap(),
    }
}

pub(super) fn office() -> Status {
    Status {
        profile: Some("office".to_owned()),
        since: "2026-11-22T09:12:00Z".parse().ok(),
        agent: AgentState::Running,
        why: Some("corp proven by its key".to_owned()),
        targets: vec![
            target("corp", Verdict::Up, "TLS pinned, v1.4.0 hash right"),
            target(
                "proxy",
                Verdict::Portal,
                "302 to http://blocked.corp.example/",
            ),
        ],
        network: NetworkStatus {
            default_routes: vec![RouteStatus {
                link: "wlan0".to_owned(),
                gateway: Some("10.20.0.1".to_owned()),
                metric: 600,
            }],
            ..NetworkStatus::default()
        },
        tier: Some(Tier::Proxy),
        profiles: ["office", "home", "offline"].map(str::to_owned).into(),
        notify: true,
        ..Status::default()
    }
}

/// A login page answers for everybody.
pub(super) fn hotel() -> Status {
    let reason = "302 to http://login.hotel.example/?from=proxy";
    Status {
        profile: Some("offline".to_owned()),
        why: Some("nothing answers".to_owned()),
        targets: vec![
            target(
                "corp",
                Verdict::Portal,
                "certificate is for hotel.example, not corp",
            ),
            target("proxy", Verdict::Portal, reason),
        ],
        tier: Some(Tier::Mirror),
        ..office()
    }
}

/// The cable is out.
pub(super) fn train() -> Status {
    Status {
        profile: Some("offline".to_owned()),
        why: Some("no packet can leave the machine".to_owned()),
        targets: vec![target("corp", Verdict::Down, "no way out")],
        network: NetworkStatus::default(),
        tier: Some(Tier::Mirror),
        ..office()
    }
}

pub(super) fn drift(found: Option<&str>) -> Drift {
    Drift {
        name: "GOPROXY".to_owned(),
        wrote: Some("off".to_owned()),
        found: found.map(str::to_owned),
        ended: Vec::new(),
    }
}

pub(super) fn target(name: &str, verdict: Verdict, reason: &str) -> TargetStatus {
    TargetStatus {
        name: name.to_owned(),
        up: Some(verdict == Verdict::Up),
        verdict: Some(verdict),
        local: false,
        reason: reason.to_owned(),
        ms: Phases::default(),
        history: Vec::new(),
    }
}

/// As somebody sees it: `[✓]` before what is ticked, texts in brackets, menus indented; without
/// the spaces before the first line.
pub(super) fn drawn(items: &[Item]) -> String {
    let mut out = String::new();
    draw(items, "", &mut out);
    out.trim_start().to_owned()
}

fn draw(items: &[Item], indent: &str, out: &mut String) {
    let tick = |checked| if checked { "✓ " } else { "  " };
    for item in items {
        match item {
            Item::Separator => *out += &format!("{indent}  ----\n"),
            Item::Text(text) => *out += &format!("{indent}  ({text})\n"),
            Item::Choice { label, checked, .. } => {
                *out += &format!("{indent}{}{label}\n", tick(*checked));
            }
            Item::Submenu {
                label,
                checked,
                items,
            } => {
                *out += &format!("{indent}{}{label} ▸\n", tick(*checked));
                draw(items, &format!("{indent}    "), out);
            }
        }
    }
}
