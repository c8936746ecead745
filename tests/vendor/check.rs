//! `goroam vendor check` on what real go commands vendor, and on each kind of damage to it.

use std::fs;

use crate::vendored::{self, Shop, Vendored};

const KIT: &str = "vendor/example.test/Kit";

#[test]
fn what_each_go_vendors_is_good() {
    for version in ["1.21.13", "1.24.11", "1.27.3"] {
        for go in ["1.13", "1.16", "1.17", "1.21"] {
            let Some(shop) = Shop::new(version) else {
                return;
            };
            let project = shop.usual("app", go);
            let report = project.json(&["check"]);
            assert_eq!(report["good"], true, "go {version}, `go {go}`: {report:#}");
            assert_eq!(report["verified"], 1);
            let notes: Vec<_> = report["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|f| f["code"].clone())
                .collect();
            // Before 1.14 go does not use vendor/. Embeds of tests, which are vendored where the
            // `go` line is old, are nothing to tell.
            assert!(notes.iter().all(|code| code == "not-used"), "{notes:?}");
            assert_eq!(notes.iter().any(|code| code == "not-used"), go == "1.13");
            let said = project.goroam(&["check"], 0);
            assert!(
                said.contains("vendor/ matches the verified modules"),
                "{said}"
            );
        }
    }
}

#[test]
fn each_kind_of_damage_is_found_and_named() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    let file = |name: &str| format!("{KIT}/{name}");
    type Damage = fn(&Vendored<'_>);
    let cases: [(&str, Damage, i32, String); 16] = [
        (
            "an edited file",
            |p| p.append(&format!("{KIT}/kit.go"), "// x\n"),
            6,
            format!("altered {}", file("kit.go")),
        ),
        (
            "a file that is gone",
            |p| fs::remove_file(p.path(&format!("{KIT}/sys/sys_other.go"))).unwrap(),
            6,
            format!("file-missing {}", file("sys/sys_other.go")),
        ),
        (
            "an embedded file that is gone",
            |p| fs::remove_file(p.path(&format!("{KIT}/files/tree/.hidden"))).unwrap(),
            6,
            format!("file-missing {}", file("files/tree/.hidden")),
        ),
        (
            "a licence that is gone",
            |p| fs::remove_file(p.path(&format!("{KIT}/deep/NOTICE.txt"))).unwrap(),
            6,
            format!("file-missing {}", file("deep/NOTICE.txt")),
        ),
        (
            "a file more",
            |p| p.write(&format!("{KIT}/evil.go"), "package kit\n"),
            6,
            format!("not-in-module {}", file("evil.go")),
        ),
        (
            "a package more",
            |p| p.write("vendor/example.org/x/x.go", "package x\n"),
            6,
            "not-in-module vendor/example.org/x/x.go".to_owned(),
        ),
        (
            "a link",
            |p| std::os::unix::fs::symlink("kit.go", p.path(&format!("{KIT}/link.go"))).unwrap(),
            6,
            format!("link {}", file("link.go")),
        ),
        (
            "CR LF",
            |p| {
                p.write(
                    &format!("{KIT}/kit.go"),
                    p.read(&format!("{KIT}/kit.go")).replace('\n', "\r\n"),
                )
            },
            6,
            format!("line-ends {}", file("kit.go")),
        ),
        (
            "a package without files",
            |p| fs::remove_dir_all(p.path(&format!("{KIT}/sys"))).unwrap(),
            1,
            format!("package-missing {}", file("sys")),
        ),
        (
            "another version in go.mod",
            |p| p.write("go.mod", p.read("go.mod").replace("v1.0.0", "v1.1.0")),
            1,
            "inconsistent vendor/modules.txt".to_owned(),
        ),
        (
            "no modules.txt",
            |p| fs::remove_file(p.path("vendor/modules.txt")).unwrap(),
            1,
            "no-modules-txt -".to_owned(),
        ),
        (
            "no vendor/",
            |p| fs::remove_dir_all(p.path("vendor")).unwrap(),
            1,
            "no-vendor -".to_owned(),
        ),
        (
            "a lost go.sum",
            |p| fs::remove_file(p.path("go.sum")).unwrap(),
            1,
            "no-sum example.test/Kit@v1.0.0".to_owned(),
        ),
        (
            "a go.sum in conflict",
            |p| p.append("go.sum", "<<<<<<< HEAD\n"),
            1,
            "unreadable go.sum".to_owned(),
        ),
        (
            "another hash in go.sum",
            |p| {
                p.write(
                    "go.sum",
                    p.read("go.sum").replace("v1.0.0 h1:", "v1.0.0 h1:AAAA"),
                )
            },
            6,
            "zip-mismatch example.test/Kit@v1.0.0".to_owned(),
        ),
        (
            "a broken go.mod",
            |p| p.append("go.mod", "require (\n"),
            1,
            "unreadable go.mod".to_owned(),
        ),
    ];
    for (name, damage, exit, wanted) in cases {
        damage(&project);
        let found = project.findings();
        assert!(found.contains(&wanted), "{name}: {found:?}");
        let said = project.goroam(&["check"], exit);
        assert!(said.contains('→'), "{name}: no way out in {said}");
        project.git(&["reset", "-q", "--hard"]);
        project.git(&["clean", "-fdqx"]);
        assert_eq!(project.findings(), [""; 0], "after {name}");
    }
}

#[test]
fn go_itself_refuses_what_is_inconsistent_and_says_the_same() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    shop.module("example.test/fork", "v1.0.1", "1.17", &vendored::KIT);
    let project = shop.usual("app", "1.21");
    let clean = project.read("go.mod");
    let changes = [
        clean.replace("v1.0.0", "v1.1.0"),
        format!("{clean}\nrequire example.test/other v1.0.0\n"),
        format!("{clean}\nreplace example.test/Kit => example.test/fork v1.0.1\n"),
        format!("{clean}\nreplace example.test/Kit v1.0.0 => ./local\n"),
        format!("{clean}\nreplace example.test/unused => ../unused\n"),
        clean.replace("require example.test/Kit v1.0.0", ""),
    ];
    for text in changes {
        project.write("go.mod", &text);
        let mut go = project.command(
            &std::path::PathBuf::from(project.go(&["env", "GOROOT"]).trim()).join("bin/go"),
        );
        let out = go.args(["list", "-mod=vendor", "./..."]).output().unwrap();
        let go_says = String::from_utf8_lossy(&out.stderr).into_owned();
        let wanted: Vec<&str> = go_says
            .lines()
            .filter_map(|line| line.strip_prefix('\t'))
            .filter(|line| line.contains(": is "))
            .collect();
        assert!(!wanted.is_empty(), "{go_says}");
        let report = project.json(&["check"]);
        let mut found: Vec<String> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| f["code"] == "inconsistent")
            .map(|f| {
                format!(
                    "{}: {}",
                    f["module"].as_str().unwrap(),
                    f["what"].as_str().unwrap()
                )
            })
            .collect();
        let mut wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn replaced_modules_are_compared_with_what_replaces_them() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    shop.module("example.test/fork", "v1.0.1", "1.17", &vendored::KIT);
    let go_mod = "module example.test/app\n\ngo 1.21\n\nrequire (\n\texample.test/Kit v1.0.0\n\texample.test/near v0.0.0\n)\n\n\
                  replace example.test/Kit => example.test/fork v1.0.1\n\nreplace example.test/near => ./near\n";
    let main = vendored::MAIN.replace("\"fmt\"\n", "\"fmt\"\n\t_ \"example.test/near\"\n");
    let project = shop.project(
        "app",
        &[
            ("go.mod", go_mod),
            ("main.go", &main),
            ("near/go.mod", "module example.test/near\n\ngo 1.20\n"),
            (
                "near/near.go",
                "package near\n\nimport _ \"embed\"\n\n//go:embed data\nvar X string\n",
            ),
            ("near/data", "x"),
            ("near/big/unrelated.go", "package unrelated\n"),
        ],
    );
    project.go(&["mod", "tidy"]);
    project.go(&["mod", "vendor"]);
    let report = project.json(&["check"]);
    assert_eq!(
        (
            report["good"].clone(),
            report["verified"].clone(),
            report["local"].clone()
        ),
        (true.into(), 1.into(), 1.into()),
        "{report:#}"
    );
    project.write("near/near.go", "package near\n");
    assert_eq!(
        project.findings(),
        ["out-of-date vendor/example.test/near/near.go"]
    );
    project.goroam(&["check"], 1);
    fs::rename(project.path("near"), project.path("gone")).unwrap();
    assert_eq!(project.findings(), ["no-folder example.test/near@v0.0.0"]);
    fs::rename(project.path("gone"), project.path("near")).unwrap();
    project.append(&format!("{KIT}/kit.go"), "// x\n");
    project.goroam(&["check"], 6);
}

#[test]
fn without_a_zip_it_is_said_what_brings_it_and_a_mirror_will_do() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = shop.usual("app", "1.21");
    fs::rename(shop.path("cache"), shop.path("elsewhere")).unwrap();
    let said = project.goroam(&["check"], 1);
    assert!(
        said.contains("[no-zip]") && said.contains("`go mod download example.test/Kit@v1.0.0`"),
        "{said}"
    );
    let proxy = shop.path("proxy");
    let mirror = proxy.to_str().unwrap();
    project.goroam(&["check", "--mirror", mirror], 0);
    // A zip that is another one is not believed.
    let zip = proxy.join("example.test/!kit/@v/v1.0.0.zip");
    fs::copy(proxy.join("example.test/!kit/@v/v1.1.0.zip"), &zip).unwrap();
    let said = project.goroam(&["check", "--mirror", mirror], 1);
    let said: Vec<&str> = said.split_whitespace().collect();
    let said = said.join(" ");
    assert!(
        said.contains("is not below example.test/Kit@v1.0.0/"),
        "{said}"
    );
    fs::write(&zip, "no zip").unwrap();
    project.goroam(&["check", "--mirror", mirror], 1);
}

#[test]
fn a_workspace_s_vendor_is_checked_as_a_whole() {
    for version in ["1.22.10", "1.24.11", "1.27.3"] {
        let Some(shop) = Shop::new(version) else {
            return;
        };
        shop.module(
            "example.test/one",
            "v1.0.0",
            "1.17",
            &[("one.go", "package one\n")],
        );
        let project = shop.project("work", &[
            ("go.work", "go 1.22\n\nuse (\n\t./a\n\t./deep/b\n)\n"),
            ("a/go.mod", "module example.test/a\n\ngo 1.21\n\nrequire example.test/Kit v1.0.0\n"),
            ("a/a.go", vendored::MAIN),
            ("deep/b/go.mod", "module example.test/b\n\ngo 1.21\n\nrequire (\n\texample.test/Kit v1.0.0\n\texample.test/one v1.0.0\n\texample.test/near v0.0.0\n)\n\nreplace example.test/near => ../near\n"),
            ("deep/b/b.go", "package b\n\nimport (\n\t_ \"example.test/Kit\"\n\t_ \"example.test/near\"\n\t_ \"example.test/one\"\n)\n"),
            ("deep/near/go.mod", "module example.test/near\n"),
            ("deep/near/near.go", "package near\n"),
        ]);
        for member in ["a", "deep/b"] {
            let member = project.within(member);
            let mut tidy = member.command(std::path::Path::new(&format!(
                "{}/bin/go",
                project.go(&["env", "GOROOT"]).trim()
            )));
            assert!(
                tidy.args(["mod", "tidy"])
                    .env("GOWORK", "off")
                    .status()
                    .unwrap()
                    .success()
            );
        }
        project.go(&["work", "vendor"]);
        let report = project.within("deep/b").json(&["check"]);
        assert_eq!(report["good"], true, "go {version}: {report:#}");
        assert_eq!(
            (
                report["kind"].clone(),
                report["verified"].clone(),
                report["local"].clone()
            ),
            ("workspace".into(), 2.into(), 1.into())
        );
        project.append("vendor/example.test/one/one.go", "// x\n");
        assert_eq!(
            project.findings(),
            ["altered vendor/example.test/one/one.go"]
        );
        project.goroam(&["check"], 6);
        // In a member alone, go would not use it.
        let mut alone = project.within("a").goroam_command(&["check"]);
        alone.env("GOWORK", "off");
        let said = project.ran(alone, &["check"], 1);
        assert!(said.contains("[no-vendor]"), "{said}");
    }
}

#[test]
fn a_vendor_that_is_a_link_is_followed_as_go_follows_it() {
    use std::os::unix::fs::symlink;

    for version in ["1.21.13", "1.27.3"] {
        let Some(shop) = Shop::new(version) else {
            return;
        };
        let project = shop.usual("app", "1.21");
        let (here, there) = (project.path("vendor"), shop.path("elsewhere"));
        fs::rename(&here, &there).unwrap();
        symlink(&there, &here).unwrap();
        project.builds();
        assert_eq!(project.findings(), [""; 0], "go {version}");
        project.goroam(&["check"], 0);
        // git would keep the link, not the files.
        let said = project.goroam(&["snapshot", "--commit"], 4);
        assert!(said.contains("vendor is a link"), "{said}");
        // What it leads to is compared.
        let kit = there.join("example.test/Kit/kit.go");
        fs::write(&kit, fs::read_to_string(&kit).unwrap() + "// x\n").unwrap();
        assert_eq!(project.findings(), [format!("altered {KIT}/kit.go")]);
        // A link to a link, a file, itself, nothing.
        fs::write(shop.path("file"), "").unwrap();
        for to in [Some("file"), Some("app/vendor"), Some("nothing"), None] {
            fs::remove_file(&here).unwrap();
            match to {
                Some(to) => symlink(shop.path(to), &here).unwrap(),
                None => {
                    symlink(&there, shop.path("middle")).unwrap();
                    symlink(shop.path("middle"), &here).unwrap();
                }
            }
            let expected = match to {
                Some(_) => "not-a-folder -".to_owned(),
                None => format!("altered {KIT}/kit.go"),
            };
            assert_eq!(project.findings(), [expected], "{to:?}");
        }
        // The advice helps.
        project.go(&["mod", "vendor"]);
        assert_eq!(project.findings(), [""; 0], "go {version}");
    }
}

#[test]
fn the_go_mod_that_go_reads_counts_not_the_one_in_the_zip() {
    for version in ["1.21.13", "1.27.3"] {
        let Some(shop) = Shop::new(version) else {
            return;
        };
        // go takes each by its own line of go.sum, and modules.txt gets the go line of the first.
        let go_mod = shop.path("proxy/example.test/!kit/@v/v1.0.0.mod");
        fs::write(&go_mod, "module example.test/Kit\n\ngo 1.18\n").unwrap();
        let project = shop.usual("app", "1.21");
        project.go(&["mod", "verify"]);
        let txt = project.read("vendor/modules.txt");
        assert!(txt.contains("## explicit; go 1.18"), "{txt}");
        assert_eq!(project.findings(), [""; 0], "go {version}");
        // Another go line than that is found all the same.
        project.write("vendor/modules.txt", txt.replace("go 1.18", "go 1.17"));
        assert_eq!(
            project.findings(),
            ["misstated vendor/modules.txt"],
            "go {version}"
        );
        project.go(&["mod", "vendor"]);
        assert_eq!(project.findings(), [""; 0], "go {version}");
    }
}
