//! What modules.txt says and go believes unseen: each line that was tampered with is named.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::vendored::{self, Shop, Vendored};

const LIST: &str = "vendor/modules.txt";
const KIT: &str = "vendor/example.test/Kit";

/// Requires Kit, a module without a go line, and one that a folder replaces; all vendored and
/// committed.
fn project(shop: &Shop) -> Vendored<'_> {
    shop.module(
        "example.test/one",
        "v1.0.0",
        "1.18",
        &[("one.go", "package one\n")],
    );
    let go_mod = "module example.test/app\n\ngo 1.21\n\nrequire (\n\texample.test/Kit v1.0.0\n\texample.test/near v0.0.0\n\
                  \texample.test/one v1.0.0\n)\n\nreplace example.test/near => ./near\n";
    let main = vendored::MAIN.replace(
        "\"fmt\"\n",
        "\"fmt\"\n\t_ \"example.test/near\"\n\t_ \"example.test/one\"\n",
    );
    let project = shop.project(
        "app",
        &[
            ("go.mod", go_mod),
            ("main.go", &main),
            ("near/go.mod", "module example.test/near\n"),
            ("near/near.go", "package near\n"),
        ],
    );
    project.go(&["mod", "tidy"]);
    project.go(&["mod", "vendor"]);
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "vendored"]);
    assert_eq!(project.json(&["check"])["findings"], serde_json::json!([]));
    project
}

#[test]
fn each_line_that_is_not_so_is_named() {
    for version in ["1.21.13", "1.24.11", "1.27.3"] {
        let Some(shop) = Shop::new(version) else {
            return;
        };
        let project = project(&shop);
        let clean = project.read(LIST);
        let misstated = |module: &str| format!("misstated {module} {LIST}");
        for (old, new, wanted) in [
            ("go 1.18", "go 1.22", misstated("example.test/one@v1.0.0")),
            ("; go 1.17", "", misstated("example.test/Kit@v1.0.0")),
            (
                "v0.0.0 => ./near\n## explicit\n",
                "v0.0.0 => ./near\n## explicit; go 1.22\n",
                format!("out-of-date example.test/near@v0.0.0 {LIST}"),
            ),
            (
                "v0.0.0 => ./near",
                "v0.0.0",
                misstated("example.test/near@v0.0.0"),
            ),
            (
                "v0.0.0 => ./near",
                "v0.0.0 => ./main.go",
                misstated("example.test/near@v0.0.0"),
            ),
            (
                "# example.test/Kit",
                "# example.test/zero v1.0.0\n## explicit; go 1.17\n# example.test/Kit",
                misstated("example.test/zero@v1.0.0"),
            ),
            (
                "# example.test/Kit",
                "# example.test/zero v1.0.0\nexample.test/zero\n# example.test/Kit",
                format!("inconsistent example.test/zero@v1.0.0 {LIST}"),
            ),
            (
                "example.test/Kit/sys\n",
                "",
                format!("package-unlisted example.test/Kit@v1.0.0 {KIT}/sys/sys.go"),
            ),
        ] {
            assert!(clean.contains(old), "no {old:?} in {clean}");
            project.write(LIST, clean.replacen(old, new, 1));
            let found = named(&project);
            assert!(found.contains(&wanted), "{old:?} => {new:?}: {found:?}");
            project.goroam(&["check"], 1);
        }
        project.write(LIST, clean);
        assert_eq!(named(&project), [""; 0]);
    }
}

/// `CODE MODULE FILE` of each finding.
fn named(project: &Vendored<'_>) -> Vec<String> {
    let report = project.json(&["check"]);
    let all = report["findings"].as_array().unwrap().iter();
    let word = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    all.map(|f| [word(&f["code"]), word(&f["module"]), word(&f["file"])].join(" "))
        .collect()
}

#[test]
fn a_package_of_the_module_that_nobody_listed_is_no_good_tree() {
    let Some(shop) = Shop::new("1.27.3") else {
        return;
    };
    let project = project(&shop);
    // Byte for byte what the module holds, and yet not what vendoring brings.
    project.write(&format!("{KIT}/internal/in.go"), "package internal\n");
    let wanted = format!("package-unlisted example.test/Kit@v1.0.0 {KIT}/internal/in.go");
    assert_eq!(named(&project), [wanted]);
    project.goroam(&["check"], 1);
}

#[test]
fn a_link_in_the_place_of_modules_txt_and_modes_are_told() {
    let Some(shop) = Shop::new("1.24.11") else {
        return;
    };
    let project = project(&shop);
    let mode = |name: &str, mode| {
        fs::set_permissions(project.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&format!("{KIT}/kit.go"), 0o755);
    assert_eq!(named(&project), [format!("executable - {KIT}/kit.go")]);
    project.goroam(&["check"], 0);
    // A file system where every file may be executed says nothing.
    mode(LIST, 0o755);
    assert_eq!(named(&project), [""; 0]);
    fs::rename(project.path(LIST), project.path("list")).unwrap();
    symlink("../list", project.path(LIST)).unwrap();
    assert_eq!(project.findings(), [format!("link {LIST}")]);
    project.goroam(&["check"], 6);
}
