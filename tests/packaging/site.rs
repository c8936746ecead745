//! The docs as a site: every link in the pages, and in the site that is made of them, leads to a
//! file and a heading that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::support::dist::{root, said};
use crate::support::skip;

/// Resolves `link` from a page. `None`: it leads elsewhere (`https:`, `mailto:`).
fn target(page: &Path, link: &str) -> Option<(PathBuf, Option<String>)> {
    let scheme = link.split(['/', '#', '?']).next().unwrap_or_default();
    if scheme.contains(':') {
        return None;
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(unescaped(anchor))),
        None => (link, None),
    };
    let path = unescaped(path);
    let joined = match path.as_str() {
        "" => page.to_owned(),
        path => page.parent().unwrap().join(path),
    };
    let mut clean = PathBuf::new();
    for part in joined.components() {
        if part == Component::ParentDir {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    Some((clean, anchor))
}

/// Decodes `%E4%B8%AD`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Checks the links of all pages: `pages` has each page's links and anchors.
fn faults(pages: &BTreeMap<PathBuf, (Vec<String>, BTreeSet<String>)>) -> (usize, Vec<String>) {
    let (mut checked, mut faults) = (0, Vec::new());
    for (page, (links, _)) in pages {
        for link in links {
            let Some((file, anchor)) = target(page, link) else {
                continue;
            };
            checked += 1;
            let known = pages.get(&file);
            let is_there = known.is_some() || file.exists();
            let has = |anchor: &String| known.is_none_or(|(_, anchors)| anchors.contains(anchor));
            if !is_there || !anchor.as_ref().is_none_or(has) {
                faults.push(format!("{}: {link}", page.display()));
            }
        }
    }
    (checked, faults)
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let text = heading.trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The links and the anchors of a page in markdown. Code has neither.
fn markdown(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    let mut is_code = false;
    // A link's text may be broken between two lines, but not its address.
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence || line.starts_with("    ") {
            continue;
        }
        if let Some(heading) = line.strip_prefix('#') {
            let slug = slug(heading.trim_start_matches('#'));
            let mut anchor = slug.clone();
            // GitHub numbers headings that occur again.
            for number in 1.. {
                if anchors.insert(anchor) {
                    break;
                }
                anchor = format!("{slug}-{number}");
            }
        }
        let parts = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let found = parts.split("](").skip(1);
        links.extend(found.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
    }
    (links, anchors)
}

#[test]
fn every_link_in_the_pages_leads_to_a_page_and_a_heading() {
    let mut listed = Command::new("git");
    let listed = listed.current_dir(root()).args(["ls-files", "*.md"]);
    let pages = said(listed)
        .lines()
        .map(|name| root().join(name))
        .collect::<Vec<_>>();
    let read = |page: PathBuf| {
        let text = std::fs::read_to_string(&page).unwrap();
        (page, markdown(&text))
    };
    let (checked, faults) = faults(&pages.into_iter().map(read).collect());
    assert_eq!(faults, [""; 0]);
    assert!(checked > 100, "{checked}");
}

/// The links and the anchors of a page in HTML, as mdBook writes it.
fn html(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let values = |name: &str| -> Vec<String> {
        let start = format!(" {name}=\"");
        let found = text.split(start.as_str()).skip(1);
        found
            .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
            .collect()
    };
    let links = [values("href"), values("src")].concat();
    (links, values("id").into_iter().collect())
}

fn find(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, pages);
        } else if path.extension().is_some_and(|end| end == "html") {
            pages.push(path);
        }
    }
}

#[test]
fn every_link_of_the_site_works_and_each_page_says_its_language() {
    if !cfg!(target_arch = "x86_64") {
        skip!("there is no mdBook to download for this machine");
    }
    let temp = tempfile::tempdir().unwrap();
    let site = temp.path().join("site");
    let mut xtask = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    xtask.current_dir(root());
    xtask.args([
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--",
        "site",
        "--out",
    ]);
    said(xtask.arg(&site));
    let mut names = Vec::new();
    find(&site, &mut names);
    // A server shows this one below any path.
    names.retain(|name| !name.ends_with("404.html"));
    let read = |page: PathBuf| {
        let text = std::fs::read_to_string(&page).unwrap();
        let name = page.strip_prefix(&site).unwrap().to_string_lossy();
        let is_chinese = name.contains("zh-CN");
        let language = if is_chinese { "zh-CN" } else { "en" };
        let tag = format!("<html lang=\"{language}\"");
        assert!(text.contains(&tag), "{name}");
        (page, html(&text))
    };
    let pages: BTreeMap<_, _> = names.into_iter().map(read).collect();
    for page in ["index.html", "docs/policy.html", "docs/zh-CN/policy.html"] {
        assert!(pages.contains_key(&site.join(page)), "{page}");
    }
    let (checked, faults) = faults(&pages);
    assert_eq!(faults, [""; 0]);
    assert!(checked > 1000, "{checked}");
}
