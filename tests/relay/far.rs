//! A proxy that is far away: verification must not make go wait for one answer after another.

use std::time::Duration;

use crate::go::VERSIONS;
use crate::scene::Scene;

#[test]
fn behind_a_far_proxy_the_relay_takes_little_longer_than_go_alone() {
    let Some(scene) = Scene::start() else {
        return;
    };
    // Each answer takes 200 ms.
    let far = scene.bad("slow:0.2");
    let took = |through_relay: bool| {
        let client = scene.client(VERSIONS[2])?;
        client.knows(&[&far], &[]);
        let relay = client.relay(&far, "");
        let goproxy = if through_relay { &relay.url } else { &far };
        let ran = client.go_with(goproxy, "mod download", &[("GOMAXPROCS", "8")]);
        assert!(ran.is_right(), "{}", ran.said());
        Some(ran.took)
    };
    if let (Some(alone), Some(relayed)) = (took(false), took(true)) {
        println!("{alone:.1?} alone, {relayed:.1?} through the relay");
        assert!(relayed < alone.mul_f64(1.2) + Duration::from_secs(1));
    }
}
