//! Files for other package managers (a formula, manifests, a PKGBUILD), filled in with the hashes
//! of the release's files.

use crate::run::Result;

use super::release::{self, Release};

/// The template below `packaging/`, the name of the result (the names are those that each tool
/// requires), and the archive that it refers to.
const RECIPES: [(&str, &str, Archive); 7] = [
    ("aur/PKGBUILD.in", "aur/PKGBUILD", SOURCE),
    ("aur/SRCINFO.in", "aur/.SRCINFO", SOURCE),
    ("homebrew/goroam.rb.in", "homebrew/goroam.rb", SOURCE),
    ("scoop/goroam.json.in", "scoop/goroam.json", WINDOWS),
    (
        "winget/version.yaml.in",
        "winget/goroam.goroam.yaml",
        WINDOWS,
    ),
    (
        "winget/installer.yaml.in",
        "winget/goroam.goroam.installer.yaml",
        WINDOWS,
    ),
    (
        "winget/locale.en-US.yaml.in",
        "winget/goroam.goroam.locale.en-US.yaml",
        WINDOWS,
    ),
];

/// An archive of a release: its name in templates, and the end of its file name.
type Archive = (&'static str, &'static str);
const SOURCE: Archive = ("SOURCE", ".tar.gz");
const WINDOWS: Archive = ("WINDOWS", "-x86_64-windows.zip");

/// Writes the recipes whose archive exists; prints those that it leaves out.
pub fn write(release: &Release, sums: &str) -> Result {
    for (template, name, (called, end)) in RECIPES {
        let archive = format!("goroam-{}{end}", release.version);
        let file = release.out.join("recipes").join(name);
        let Some(sum) = sum(sums, &archive) else {
            // An older recipe would refer to a file that no longer exists.
            let _ = std::fs::remove_file(&file);
            println!("left out: recipes/{name}: there is no {archive}");
            continue;
        };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|err| format!("{}: {err}", folder.display()))?;
        }
        let text = release
            .template(template)?
            .replace(&format!("@{called}@"), &archive)
            .replace(&format!("@{called}_SHA256@"), sum);
        if let Some(line) = text.lines().find(|line| unfilled(line)) {
            return Err(format!("packaging/{template}: not filled: {line}"));
        }
        release::write(&file, text.as_bytes())?;
    }
    Ok(())
}

/// Reports whether a placeholder is left: `@LIKE_THIS@`.
fn unfilled(line: &str) -> bool {
    let mut parts = line.split('@').skip(1).peekable();
    while let Some(part) = parts.next() {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if parts.peek().is_some() && !part.is_empty() && part.chars().all(is_name) {
            return true;
        }
    }
    false
}

/// Returns the hash of a file from the output of sha256sum.
fn sum<'a>(sums: &'a str, file: &str) -> Option<&'a str> {
    let mut lines = sums.lines().filter_map(|line| line.split_once("  "));
    lines.find_map(|(sum, name)| (name == file).then_some(sum))
}

#[cfg(test)]
mod tests {
    use super::{sum, unfilled};

    #[test]
    fn a_file_has_its_own_hash_and_no_others() {
        let sums = "aa  goroam-1.2.3.tar.gz\nbb  goroam-1.2.3-x86_64-linux.tar.gz\n";
        assert_eq!(sum(sums, "goroam-1.2.3.tar.gz"), Some("aa"));
        assert_eq!(sum(sums, "goroam-1.2.4.tar.gz"), None);
    }

    #[test]
    fn a_placeholder_that_nobody_fills_is_seen() {
        assert!(unfilled("sha256 \"@SOURCE_SHA@\""));
        assert!(!unfilled(
            "Maintainer: me <me@example.org> or you@example.org"
        ));
    }
}
