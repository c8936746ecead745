//! Projects as they are written, against what go reads of them.

use super::*;
use crate::gomod::{go_mod, go_sum, go_work, modules_txt};

fn builder() -> Builder {
    Builder {
        version: "1.24.11".to_owned(),
        toolchain: "auto".to_owned(),
        system: "linux-amd64".to_owned(),
    }
}

fn project(go_mod: &str, go_sum: &str) -> Project {
    Project {
        mains: vec![go_mod::parse(go_mod)],
        sums: go_sum::parse(go_sum).unwrap(),
        ..Project::default()
    }
}

/// `PATH VERSION: go.mod` by line.
fn look(mods: &'static [(&'static str, &'static str)]) -> impl Fn(Source<'_>) -> Option<GoMod> {
    move |source| {
        let name = match source {
            Source::Module(module) => module.to_string(),
            Source::Folder(path) => path.to_owned(),
        };
        let found = mods.iter().find(|(of, _)| *of == name);
        found.map(|(_, text)| go_mod::parse(text))
    }
}

fn names(modules: &BTreeMap<ModuleVersion, String>) -> Vec<String> {
    modules.keys().map(ToString::to_string).collect()
}

const SUMS: &str = "a v1.0.0 h1:a\na v1.0.0/go.mod h1:a\nb v1.0.0/go.mod h1:b\n\
    b v1.1.0 h1:b\nb v1.1.0/go.mod h1:b\nb v1.2.0 h1:old\nb v1.2.0/go.mod h1:old\n\
    c v1.0.0/go.mod h1:c\nx v1.5.0 h1:x\nx v1.5.0/go.mod h1:x\n";

#[test]
fn the_build_list_counts_and_not_every_line_of_go_sum() {
    let project = project(
        "module m\ngo 1.16\nrequire a v1.0.0\nrequire b v1.0.0\n",
        SUMS,
    );
    let mods = look(&[
        ("a@v1.0.0", "module a\ngo 1.16\nrequire b v1.1.0\n"),
        ("b@v1.0.0", "module b\n"),
        ("b@v1.1.0", "module b\nrequire c v1.0.0\n"),
    ]);
    let need = need(&project, &builder(), &mods);
    // c was never used (no zip line); b v1.2.0 is what an earlier go.mod had.
    assert_eq!(names(&need.zips), ["a@v1.0.0", "b@v1.1.0"]);
    assert_eq!(
        names(&need.mods),
        ["a@v1.0.0", "b@v1.0.0", "b@v1.1.0", "c@v1.0.0"]
    );
    assert_eq!(need.troubles, [""; 0]);
}

#[test]
fn a_pruned_graph_ends_behind_the_requirements_of_the_new() {
    let text = "module m\ngo 1.17\nrequire a v1.0.0\n";
    let mods = look(&[
        ("a@v1.0.0", "module a\ngo 1.17\nrequire b v1.1.0\n"),
        ("b@v1.1.0", "module b\nrequire c v1.0.0\n"),
    ]);
    let new = need(&project(text, SUMS), &builder(), &mods);
    assert_eq!(names(&new.mods), ["a@v1.0.0"]);
    // Since 1.17 go.mod names all that packages come from: b is for somebody else's tests.
    assert_eq!(names(&new.zips), ["a@v1.0.0"]);
    let old = need(
        &project(&text.replace("1.17", "1.16"), SUMS),
        &builder(),
        &mods,
    );
    assert_eq!(names(&old.mods), ["a@v1.0.0", "b@v1.1.0", "c@v1.0.0"]);
}

#[test]
fn replaced_and_excluded_modules_are_what_they_are_replaced_by() {
    let text = "module m\ngo 1.16\nrequire a v1.0.0\nrequire b v1.0.0\nrequire l v1.0.0\n\
        replace b => x v1.5.0\nreplace l => ../l\nexclude c v1.0.0\n";
    let mods = look(&[
        ("a@v1.0.0", "module a\n"),
        ("x@v1.5.0", "module b\nrequire c v1.0.0\n"),
        ("../l", "module l\nrequire b v1.1.0\n"),
    ]);
    let need = need(&project(text, SUMS), &builder(), &mods);
    assert_eq!(names(&need.zips), ["a@v1.0.0", "x@v1.5.0"]);
    assert_eq!(names(&need.mods), ["a@v1.0.0", "x@v1.5.0"]);
    assert_eq!(need.troubles, [""; 0]);
}

#[test]
fn what_go_sum_does_not_name_is_a_trouble_that_no_download_mends() {
    let need = need(
        &project(
            "module m\ngo 1.21\nrequire n v1.0.0\nrequire a v1.0.0\n",
            SUMS,
        ),
        &builder(),
        &|_| None,
    );
    assert_eq!(
        need.troubles,
        ["go.sum does not name n@v1.0.0: run `go mod tidy` first"]
    );
    assert_eq!(names(&need.zips), ["a@v1.0.0"]);
}

#[test]
fn a_project_without_go_sum_is_one_trouble_and_not_one_for_each_module() {
    let text = "module m\ngo 1.21\nrequire n v1.0.0\nrequire a v1.0.0\nrequire b v1.0.0\n";
    let need = need(&project(text, ""), &builder(), &|_| None);
    assert_eq!(
        need.troubles,
        ["go.sum does not name n@v1.0.0 and 2 more: run `go mod tidy` first"]
    );
}

#[test]
fn a_toolchain_is_needed_when_the_project_asks_for_a_newer_one() {
    let wanted = |lines: &str, version: &str, mode: &str| {
        let builder = Builder {
            version: version.to_owned(),
            toolchain: mode.to_owned(),
            ..builder()
        };
        let need = need(
            &project(&format!("module m\n{lines}\n"), ""),
            &builder,
            &|_| None,
        );
        let name = need.toolchain.map(|(module, _)| module.version);
        (name.unwrap_or_default(), need.troubles.len())
    };
    let version = |name: &str| (format!("v0.0.1-{name}.linux-amd64"), 0);
    let none = (String::new(), 0);
    assert_eq!(wanted("go 1.24", "1.24.11", "auto"), none);
    assert_eq!(wanted("go 1.27", "1.24.11", "auto"), version("go1.27.0"));
    assert_eq!(
        wanted("go 1.27.3", "1.24.11", "local+auto"),
        version("go1.27.3")
    );
    assert_eq!(
        wanted("go 1.22\ntoolchain go1.27.3", "1.24.11", "auto"),
        version("go1.27.3")
    );
    assert_eq!(
        wanted("go 1.27.3\ntoolchain go1.26.0", "1.24.11", "auto"),
        version("go1.27.3")
    );
    assert_eq!(
        wanted("go 1.22\ntoolchain default", "1.24.11", "auto"),
        none
    );
    assert_eq!(wanted("go 1.27.3", "1.24.11", "local"), (String::new(), 1));
    assert_eq!(wanted("go 1.27.3", "1.24.11", "path"), (String::new(), 1));
    assert_eq!(wanted("go 1.27.3", "1.19.8", "auto"), none);
}

#[test]
fn a_consistent_vendor_folder_needs_nothing() {
    let text = "module m\ngo 1.21\nrequire a v1.0.0\nreplace a => ../a\n";
    let txt = "# a v1.0.0 => ../a\n## explicit; go 1.17\na\n# a => ../a\n";
    let with = |text: &str, txt: &str| {
        let mut project = project(text, SUMS);
        project.vendor = Some(modules_txt::parse(txt));
        need(&project, &builder(), &|_| None)
    };
    assert!(with(text, txt).vendored);
    assert!(with(text, txt).zips.is_empty());
    assert!(!with(&text.replace("v1.0.0", "v1.0.1"), txt).vendored);
    assert!(!with(&text.replace("../a", "../b"), txt).vendored);
    assert!(!with(&text.replace("1.21", "1.13"), txt).vendored);
    assert!(!with(text, &txt.replace("## explicit; go 1.17\n", "")).vendored);
    assert!(!with("module m\ngo 1.21\n", txt).vendored);
}

#[test]
fn a_workspace_needs_what_its_modules_need() {
    let mut project = project(
        "module m\ngo 1.21\nrequire a v1.0.0\nrequire n v0.0.0\n",
        SUMS,
    );
    project
        .mains
        .push(go_mod::parse("module n\ngo 1.21\nrequire b v1.1.0\n"));
    project.work = Some(go_work::parse(
        "go 1.21\nuse ./m\nuse ./n\nreplace a => ../a\n",
    ));
    let need = need(&project, &builder(), &|_| None);
    assert_eq!(names(&need.zips), ["b@v1.1.0"]);
    assert_eq!(need.troubles, [""; 0]);
}
