//! goroam.exe and a real go.exe, under Wine.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "support/wine.rs"]
mod wine;

use wine::Wine;

#[test]
fn the_policy_that_init_writes_passes_the_check() {
    let Some(wine) = Wine::get() else { return };
    let wine = wine.with_go("1.27.3");
    wine.goroam("init")
        .exits(0)
        .says(r"C:\users\dev\AppData\Roaming\goroam\config\goroam.toml");
    wine.goroam("check").exits(0);
    assert!(wine.policy().exists());
    wine.goroam("init").exits(1).complains("is there already");
}
