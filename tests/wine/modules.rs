//! The mirror and `goroam exec` on Windows: goroam.exe and a real go.exe, under Wine.

use crate::wine::Wine;

const MODULE: &str = "example.com/hello@v1.0.0";

/// Somebody with go, whose proxy is that tree; no checksum database knows the module.
fn user() -> Option<Wine> {
    let mut wine = Wine::get()?.with_go("1.27.3");
    wine.make_module("tree");
    wine.set("GOPROXY", "file:///C:/tree");
    wine.set("GONOSUMDB", "example.com");
    wine.set("GOFLAGS", "-modcacherw");
    wine.set("GOROAM_MIRROR", r"C:\mirror");
    Some(wine)
}

#[test]
fn modules_come_into_the_mirror_and_what_is_damaged_is_found() {
    let Some(wine) = user() else { return };
    let added = wine.goroam("mirror add --json").arg(MODULE).exits(0).json();
    assert_eq!(
        added["added"][0]["module"], "example.com/hello",
        "{added:#}"
    );
    wine.goroam("mirror add").arg(MODULE).exits(0);
    wine.goroam("mirror list")
        .exits(0)
        .says("example.com/hello");
    wine.goroam("mirror verify").exits(0);
    wine.goroam("mirror pin example.com/hello v1.0.0").exits(0);

    let go_mod = wine.drive().join("mirror/example.com/hello/@v/v1.0.0.mod");
    std::fs::remove_file(&go_mod).unwrap();
    std::fs::write(&go_mod, "module example.com/hello\n\ngo 1.19\n").unwrap();
    wine.goroam("mirror verify").exits(6).says("v1.0.0.mod");
}

#[test]
fn a_dead_proxy_leads_to_the_mirror_and_a_failure_of_its_own_does_not() {
    let Some(wine) = user() else { return };
    wine.goroam("mirror add").arg(MODULE).exits(0);
    let saved = wine
        .goroam("exec --summary json -- go mod download")
        .arg(MODULE)
        .env("GOPROXY", "http://127.0.0.1:1")
        .env("GOMODCACHE", r"C:\empty")
        .exits(0);
    let last: serde_json::Value =
        serde_json::from_str(saved.stderr.lines().last().unwrap()).expect(&saved.stderr);
    assert_eq!(last["tier"], "mirror", "{last:#}");
    assert_eq!(last["attempts"][0]["class"], "refused", "{last:#}");
    assert!(
        wine.drive()
            .join("empty/example.com/hello@v1.0.0/hello.go")
            .exists()
    );

    let own = wine.goroam("exec --summary json -- go frobnicate").exits(2);
    let last: serde_json::Value =
        serde_json::from_str(own.stderr.lines().last().unwrap()).expect(&own.stderr);
    assert_eq!(last["attempts"].as_array().unwrap().len(), 1, "{last:#}");
    assert_eq!(last["attempts"][0]["class"], "code", "{last:#}");
}
