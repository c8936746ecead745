//! The environment of the moment, as real go commands tell it in real folders.

use std::path::Path;

use goroam::exec::usable::{around, freeze};

use crate::go::{self, Home, VERSIONS, command};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A module that wants a go of the future makes even `go env` load it, from a proxy that may be
/// dead: not this one.
#[tokio::test]
async fn a_folder_that_wants_another_toolchain_is_asked_without_loading_it() {
    for version in VERSIONS {
        let home = Home::with(&[
            ("GOFLAGS", "-mod=mod -tags=x"),
            ("GOPROXY", "http://127.0.0.1:1"),
        ]);
        let Some(go) = command(version, &home.env).await else {
            return;
        };
        write(
            &home.file.path,
            "GOTOOLCHAIN=go1.98.0+auto\nGOPRIVATE=corp.example\nGOPROXY=https://other.example\n",
        );
        let folder = home.folder.path().join("w/inner");
        write(&folder.join("x.go"), "package x\n");
        write(
            &home.folder.path().join("w/go.mod"),
            "module a.test/w\n\ngo 1.99.0\n",
        );
        let frozen = freeze(&go, &home.env, &folder).await.unwrap();
        assert_eq!(frozen.get("GOTOOLCHAIN"), "go1.98.0+auto", "{version}");
        assert_eq!(frozen.get("GOPROXY"), "http://127.0.0.1:1");
        assert_eq!(frozen.get("GOFLAGS"), "-mod=mod -tags=x");
        assert_eq!(frozen.get("GOPRIVATE"), "corp.example");
        assert_eq!(
            frozen.get("GONOPROXY"),
            "corp.example",
            "GOPRIVATE is its default"
        );
        let module = dunce::canonicalize(home.folder.path().join("w")).unwrap();
        assert_eq!(frozen.module.as_deref(), Some(module.as_path()));
        assert_eq!(frozen.workspace, None);
        assert_eq!(format!("1.{}", frozen.version.1), version[..4]);
        assert!(!home.folder.path().join("go/pkg/mod").exists(), "{version}");
    }
}

#[tokio::test]
async fn what_lies_around_is_the_workspaces_and_the_modules() {
    let home = Home::with(&[]);
    let Some(go) = go::newest(&home.env).await else {
        return;
    };
    let root = home.folder.path();
    let mirror = root.join("mirror");
    let outside = freeze(&go, &home.env, root).await.unwrap();
    assert_eq!((&outside.module, &outside.workspace), (&None, &None));
    let nothing = around(&outside, Some(mirror.clone()));
    assert_eq!((nothing.mirror, nothing.cache), (None, None));

    write(&root.join("ws/go.work"), "go 1.22\n\nuse ./a\n");
    write(&root.join("ws/a/go.mod"), "module a.test/a\n\ngo 1.22\n");
    write(&root.join("ws/a/vendor/modules.txt"), "");
    write(&root.join("go/pkg/mod/cache/download/x"), "");
    std::fs::create_dir(&mirror).unwrap();
    let inside = freeze(&go, &home.env, &root.join("ws/a")).await.unwrap();
    assert!(inside.workspace.is_some() && inside.module.is_some());
    let there = around(&inside, Some(mirror.clone()));
    assert!(there.vendored_module && !there.vendored_workspace);
    assert_eq!(there.mirror.as_deref(), Some(mirror.as_path()));
    assert!(there.cache.is_some());

    let off: goroam::environment::Environment =
        home.env.iter().chain([("GOWORK", "off")]).collect();
    let alone = freeze(&go, &off, &root.join("ws/a")).await.unwrap();
    assert_eq!(alone.workspace, None);
}
