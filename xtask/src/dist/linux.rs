//! The files that every Linux package installs.

use std::path::Path;
use std::process::Command;

use crate::docs;
use crate::run::{self, Result};

use super::release::{self, Release};
use super::tree::{self, Tree};
use super::{ICON, ICON_SIZES};

/// How the repository's unit starts the program. `goroam service install` replaces this path with
/// its own program's; a package keeps it.
const START: &str = "ExecStart=/usr/bin/goroam ";

/// Where `goroam init` looks for the schema, below the prefix of its program. Not in
/// `share/goroam`: with the prefix `~/.local` that is the user's data directory.
const SCHEMA: &str = "share/doc/goroam/goroam.schema.json";

/// One system package. Both packages have the repository's documents, and their own licences.
pub struct Package<'a> {
    /// The name of the package, and of the program in it.
    pub name: &'static str,
    pub program: &'a [u8],
    /// The notices of the crates that are linked into it.
    pub notices: &'a str,
    pub content: &'a Content,
}

impl Package<'_> {
    /// Returns all files except documents; `zsh` is the directory in which that system's zsh looks.
    pub fn tree(&self, release: &Release, zsh: &str) -> Result<Tree> {
        let mut tree = Tree::default();
        tree.program(format!("usr/bin/{}", self.name), self.program);
        if self.name == "goroam" {
            self.content.system(&mut tree, zsh)?;
        } else {
            let page = release.template("tray/goroam-tray.1")?;
            let page = page.replace("@DATE@", &release.date("%Y-%m-%d")?);
            let path = "usr/share/man/man1/goroam-tray.1.gz";
            tree.file(path, tree::gzip(page.as_bytes())?);
            let entry = release.template("tray/goroam-tray.desktop")?;
            tree.file("usr/share/applications/goroam-tray.desktop", entry);
            for (size, bytes) in icons()? {
                let ending = if size == "scalable" { "svg" } else { "png" };
                let path = format!("usr/share/icons/hicolor/{size}/apps/goroam.{ending}");
                tree.file(path, bytes);
            }
        }
        Ok(tree)
    }
}

/// The content of `goroam`, without paths.
pub struct Content {
    pub program: Vec<u8>,
    /// File name (`goroam-why.1`) and text of each manual page.
    pub pages: Vec<(String, Vec<u8>)>,
    pub bash: Vec<u8>,
    pub zsh: Vec<u8>,
    pub fish: Vec<u8>,
    pub unit: String,
    pub notices: String,
    pub changelog: String,
    /// Path (`README.md`, `docs/zh-CN/exec.md`) and text of each page, sorted.
    pub docs: Vec<(String, String)>,
    /// For editors.
    pub schema: String,
    pub mit: String,
    pub apache: String,
}

impl Content {
    /// Gets pages and completions from a program that runs on this machine, which may be the one to
    /// pack; the rest comes from the repository.
    pub fn of([native, program]: [&Path; 2], notices: String) -> Result<Content> {
        let root = run::root();
        let text = |name: &str| release::read(&root.join(name));
        let completions = |shell: &str| {
            run::output(Command::new(native).args(["completions", shell])).map(String::into_bytes)
        };
        Ok(Content {
            program: std::fs::read(program)
                .map_err(|err| format!("{}: {err}", program.display()))?,
            pages: pages(native)?,
            bash: completions("bash")?,
            zsh: completions("zsh")?,
            fish: completions("fish")?,
            unit: packaged_unit(&text("systemd/goroam.service")?)?,
            notices,
            changelog: text("CHANGELOG.md")?,
            docs: documents()?,
            schema: text(docs::SCHEMA)?,
            mit: text("LICENSE-MIT")?,
            apache: text("LICENSE-APACHE")?,
        })
    }

    fn system(&self, tree: &mut Tree, zsh: &str) -> Result {
        for (name, page) in &self.pages {
            let path = format!("usr/share/man/{}/{name}.gz", section(name));
            tree.file(path, tree::gzip(page)?);
        }
        tree.file(format!("usr/{SCHEMA}"), self.schema.clone());
        self.completions(tree, "usr/share", zsh);
        tree.file("usr/lib/systemd/user/goroam.service", self.unit.clone());
        Ok(())
    }

    /// Returns the tree to extract below any prefix. It has no unit: `goroam service install`
    /// writes one with the program's path.
    pub fn portable(&self) -> Tree {
        let mut tree = Tree::default();
        tree.program("bin/goroam", self.program.clone());
        for (name, page) in &self.pages {
            let path = format!("share/man/{}/{name}", section(name));
            tree.file(path, page.clone());
        }
        tree.file(SCHEMA, self.schema.clone());
        for (name, text) in &self.docs {
            tree.file(format!("share/doc/goroam/{name}"), text.clone());
        }
        self.completions(&mut tree, "share", "site-functions");
        for (name, text) in [
            ("CHANGELOG.md", &self.changelog),
            ("LICENSE-MIT", &self.mit),
            ("LICENSE-APACHE", &self.apache),
            ("THIRD-PARTY.txt", &self.notices),
        ] {
            tree.file(format!("share/doc/goroam/{name}"), text.clone());
        }
        tree
    }

    fn completions(&self, tree: &mut Tree, share: &str, zsh: &str) {
        let bash = format!("{share}/bash-completion/completions/goroam");
        tree.file(bash, self.bash.clone());
        tree.file(format!("{share}/zsh/{zsh}/_goroam"), self.zsh.clone());
        let fish = format!("{share}/fish/vendor_completions.d/goroam.fish");
        tree.file(fish, self.fish.clone());
    }
}

/// Returns the unit for a package: the repository's, which must start the program at the path where
/// the package installs it.
fn packaged_unit(unit: &str) -> Result<String> {
    let starts = unit.lines().filter(|line| line.starts_with("ExecStart="));
    if unit.matches(START).count() == 1 && starts.count() == 1 {
        Ok(unit.to_owned())
    } else {
        Err(format!(
            "systemd/goroam.service: want one line that begins with {START:?}"
        ))
    }
}

/// Returns the directory of a manual page.
fn section(name: &str) -> &'static str {
    if name.ends_with(".5") { "man5" } else { "man1" }
}

/// Returns the icon in each size, with the name of the size's directory in the theme `hicolor`.
fn icons() -> Result<Vec<(String, Vec<u8>)>> {
    let sizes = ICON_SIZES.map(|size| {
        let file = ICON.replace(".svg", &format!("-{size}.png"));
        (format!("{size}x{size}"), file)
    });
    let scalable = ("scalable".to_owned(), ICON.to_owned());
    let read = |(size, file): (String, String)| {
        let bytes = std::fs::read(run::root().join(&file));
        Ok((size, bytes.map_err(|err| format!("{file}: {err}"))?))
    };
    sizes.into_iter().chain([scalable]).map(read).collect()
}

/// Returns the READMEs, and every page, picture and example of the docs.
pub fn documents() -> Result<Vec<(String, String)>> {
    let root = run::root();
    let mut names = vec!["README.md".to_owned(), "README.zh-CN.md".to_owned()];
    for folder in ["docs", "docs/examples", "docs/pictures", "docs/zh-CN"] {
        let listed = std::fs::read_dir(root.join(folder));
        let listed = listed.map_err(|err| format!("{folder}: {err}"))?;
        let found = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let ends = [".md", ".svg", ".toml"];
        let pages = found.filter(|name| ends.iter().any(|end| name.ends_with(end)));
        names.extend(pages.map(|name| format!("{folder}/{name}")));
    }
    names.sort();
    let read = |name: String| Ok((name.clone(), release::read(&root.join(name))?));
    names.into_iter().map(read).collect()
}

/// Returns the manual pages, sorted by name: the program's, and that of the policy.
fn pages(program: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let name = format!("goroam-man-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let read = || -> std::io::Result<Vec<(String, Vec<u8>)>> {
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            pages.push((name.into_owned(), std::fs::read(&path)?));
        }
        let policy = run::root().join(docs::PAGE);
        pages.push(("goroam.toml.5".to_owned(), std::fs::read(policy)?));
        pages.sort();
        Ok(pages)
    };
    let made = run::output(Command::new(program).arg("man").arg(&folder));
    let pages = made.and_then(|_| read().map_err(|err| format!("{}: {err}", folder.display())));
    let _ = std::fs::remove_dir_all(&folder);
    match pages {
        Ok(pages) if pages.iter().any(|(name, _)| name == "goroam.1") => Ok(pages),
        Ok(_) => Err(format!("{}: `man` wrote no goroam.1", program.display())),
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_unit_is_the_repositorys() {
        let unit = release::read(&run::root().join("systemd/goroam.service")).unwrap();
        let packaged = packaged_unit(&unit).unwrap();
        assert!(packaged.contains("\nExecStart=/usr/bin/goroam agent"));
        assert!(!packaged.contains("cargo"));
        assert_eq!(unit.lines().count(), packaged.lines().count());
    }

    #[test]
    fn a_unit_that_starts_otherwise_is_not_packed() {
        assert!(packaged_unit("[Service]\nExecStart=/opt/goroam agent\n").is_err());
        let twice = format!("{START}agent\n{START}agent\n");
        assert!(packaged_unit(&twice).is_err());
    }
}
