//! The ways in which the lab fails, and what `goroam exec` must make of each.

use crate::support::Lab;

/// Which of its limits a fault makes `goroam exec` wait for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    None,
    Connect,
    FirstByte,
    Stall,
    /// The server takes so many seconds in all, and gets them.
    Slow(u64),
}

/// One way.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// Where the laptop is.
    pub(crate) place: &'static str,
    pub(crate) set: fn(&Lab),
    /// Does the bare go command build all the same?
    pub(crate) bare_builds: bool,
    /// What the proxy's failure is taken for: one of these.
    pub(crate) classes: &'static [&'static str],
    /// The worst step that served, and the exit code.
    pub(crate) tier: &'static str,
    pub(crate) exit: i32,
    pub(crate) limit: Limit,
}

const fn saved(
    name: &'static str,
    place: &'static str,
    set: fn(&Lab),
    classes: &'static [&'static str],
    limit: Limit,
) -> Fault {
    Fault {
        name,
        place,
        set,
        bare_builds: false,
        classes,
        tier: "mirror",
        exit: 0,
        limit,
    }
}

/// The proxy that all at home use.
fn proxy(lab: &Lab, mode: &str) {
    lab.fault("home", "proxy.golang.org", mode);
}

fn cert(lab: &Lab, cert: &str) {
    lab.fault_with("home", "proxy.golang.org", "ok", cert);
}

fn office(lab: &Lab, mode: &str) {
    lab.net(&["office-mode", mode]);
}

fn hotspot(lab: &Lab, mode: &str) {
    lab.net(&["hotspot-mode", mode]);
}

const PAGE: &[&str] = &["portal"];

pub(crate) const FAULTS: &[Fault] = &[
    // Nothing is wrong, or it is slow only: the proxy is used.
    Fault {
        bare_builds: true,
        tier: "proxy",
        ..saved("none", "home", |_| {}, &["ok"], Limit::None)
    },
    Fault {
        bare_builds: true,
        tier: "proxy",
        ..saved(
            "slow",
            "home",
            |lab| proxy(lab, "slow:0.5"),
            &["ok"],
            Limit::Slow(6),
        )
    },
    // go build asks for no .info that it needs.
    Fault {
        bare_builds: true,
        ..saved(
            "badjson",
            "home",
            |lab| proxy(lab, "badjson"),
            &["corrupt"],
            Limit::None,
        )
    },
    // The zip is another one, and the mirror has the right one.
    saved(
        "badzip",
        "home",
        |lab| proxy(lab, "badzip"),
        &["mismatch"],
        Limit::None,
    ),
    saved(
        "hang",
        "home",
        |lab| proxy(lab, "hang"),
        &["stalled", "timeout"],
        Limit::FirstByte,
    ),
    saved(
        "slow-first-byte",
        "home",
        |lab| proxy(lab, "slow:30"),
        &["stalled"],
        Limit::FirstByte,
    ),
    saved(
        "drip",
        "home",
        |lab| proxy(lab, "drip:0.1"),
        &["stalled"],
        Limit::Stall,
    ),
    // One byte at a time, ten a second: always something, and never done.
    saved(
        "trickle",
        "home",
        |lab| proxy(lab, "drip:10"),
        &["stalled"],
        Limit::Stall,
    ),
    saved(
        "reset",
        "home",
        |lab| proxy(lab, "reset"),
        &["reset"],
        Limit::None,
    ),
    saved(
        "close",
        "home",
        |lab| proxy(lab, "close"),
        &["reset"],
        Limit::None,
    ),
    saved(
        "refuse",
        "home",
        |lab| proxy(lab, "refuse"),
        &["refused"],
        Limit::None,
    ),
    saved(
        "401",
        "home",
        |lab| proxy(lab, "401"),
        &["auth"],
        Limit::None,
    ),
    saved(
        "403",
        "home",
        |lab| proxy(lab, "403"),
        &["auth"],
        Limit::None,
    ),
    saved(
        "404",
        "home",
        |lab| proxy(lab, "404"),
        &["not-found"],
        Limit::None,
    ),
    saved(
        "410",
        "home",
        |lab| proxy(lab, "410"),
        &["not-found"],
        Limit::None,
    ),
    saved(
        "418",
        "home",
        |lab| proxy(lab, "418"),
        &["client"],
        Limit::None,
    ),
    saved(
        "429",
        "home",
        |lab| proxy(lab, "429:2"),
        &["busy"],
        Limit::None,
    ),
    saved(
        "500",
        "home",
        |lab| proxy(lab, "500"),
        &["server"],
        Limit::None,
    ),
    saved(
        "502",
        "home",
        |lab| proxy(lab, "502"),
        &["server"],
        Limit::None,
    ),
    saved(
        "503",
        "home",
        |lab| proxy(lab, "503:2"),
        &["busy"],
        Limit::None,
    ),
    saved(
        "503-for-long",
        "home",
        |lab| proxy(lab, "503:600"),
        &["busy"],
        Limit::None,
    ),
    saved(
        "511",
        "home",
        |lab| proxy(lab, "511"),
        &["portal"],
        Limit::None,
    ),
    saved(
        "portal302",
        "home",
        |lab| proxy(lab, "portal302"),
        PAGE,
        Limit::None,
    ),
    saved(
        "portal200",
        "home",
        |lab| proxy(lab, "portal200"),
        PAGE,
        Limit::None,
    ),
    saved(
        "trunczip",
        "home",
        |lab| proxy(lab, "trunczip"),
        &["corrupt"],
        Limit::None,
    ),
    saved(
        "halfzip",
        "home",
        |lab| proxy(lab, "halfzip"),
        &["corrupt"],
        Limit::None,
    ),
    saved(
        "expired",
        "home",
        |lab| cert(lab, "expired"),
        &["tls"],
        Limit::None,
    ),
    saved(
        "wronghost",
        "home",
        |lab| cert(lab, "wronghost"),
        &["tls"],
        Limit::None,
    ),
    saved(
        "selfsigned",
        "home",
        |lab| cert(lab, "selfsigned"),
        &["tls"],
        Limit::None,
    ),
    saved(
        "dns-nxdomain",
        "home",
        |lab| lab.dns("home", "nxdomain"),
        &["dns"],
        Limit::None,
    ),
    saved(
        "dns-refused",
        "home",
        |lab| lab.dns("home", "refused"),
        &["dns"],
        Limit::None,
    ),
    saved(
        "dns-silent",
        "home",
        |lab| lab.dns("home", "silent"),
        &["dns"],
        Limit::Connect,
    ),
    saved(
        "airplane",
        "airplane",
        |_| {},
        &["dns", "unreachable"],
        Limit::None,
    ),
    saved(
        "office-unreachable",
        "office",
        |lab| office(lab, "unreachable"),
        &["unreachable", "timeout"],
        // A Linux router answers one such packet a second (net.ipv4.route.error_cost), so that a
        // first packet goes without an answer and is sent again after one second and three.
        Limit::Slow(5),
    ),
    saved(
        "office-prohibit",
        "office",
        |lab| office(lab, "prohibit"),
        &["unreachable", "timeout"],
        // A Linux router answers one such packet a second (net.ipv4.route.error_cost), so that a
        // first packet goes without an answer and is sent again after one second and three.
        Limit::Slow(5),
    ),
    saved(
        "office-drop",
        "office",
        |lab| office(lab, "drop"),
        &["timeout"],
        Limit::Connect,
    ),
    saved(
        "office-refuse",
        "office",
        |lab| office(lab, "refuse"),
        &["refused"],
        Limit::None,
    ),
    saved(
        "hotspot-portal302",
        "hotspot",
        |lab| hotspot(lab, "portal302"),
        PAGE,
        Limit::None,
    ),
    saved(
        "hotspot-portal200",
        "hotspot",
        |lab| hotspot(lab, "portal200"),
        PAGE,
        Limit::None,
    ),
    saved(
        "hotspot-selfsigned",
        "hotspot",
        |lab| hotspot(lab, "selfsigned"),
        &["tls"],
        Limit::None,
    ),
    saved(
        "hotspot-reset",
        "hotspot",
        |lab| hotspot(lab, "reset"),
        &["reset"],
        Limit::None,
    ),
    saved(
        "hotspot-hang",
        "hotspot",
        |lab| hotspot(lab, "hang"),
        &["stalled", "timeout"],
        Limit::FirstByte,
    ),
];
