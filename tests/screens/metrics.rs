//! `goroam metrics`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen};

#[test]
fn before_the_first_turn_the_counts_are_zero() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let text = screen(&user, "metrics");
    let lines = text.lines().filter(|line| {
        line.starts_with('[') || line.contains("goroam_switches") || line.contains("policy_refused")
    });
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    # HELP goroam_switches_total Turns that chose another profile.
    # TYPE goroam_switches_total counter
    goroam_switches_total 0
    # HELP goroam_policy_refused Whether the policy is refused, and the last good one in force.
    # TYPE goroam_policy_refused gauge
    goroam_policy_refused 0
    [exit 0]
    ");
}
