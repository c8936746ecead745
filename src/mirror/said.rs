//! What the go command says, in the words of those who asked.

use std::path::Path;

use serde::Deserialize;

use super::wants::Wants;
use crate::gocmd::job::Ran;
use crate::gomod::ModuleVersion;

/// An object of `go mod download -json` (`modcmd.ModuleJSON`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Downloaded {
    pub(super) path: String,
    pub(super) version: String,
    pub(super) error: Option<String>,
}

/// The objects that go printed one after another. What comes after a broken one is lost.
pub(super) fn downloaded(out: &[u8]) -> Vec<Downloaded> {
    let objects = serde_json::Deserializer::from_slice(out).into_iter::<Downloaded>();
    objects.map_while(Result::ok).collect()
}

/// go's complaint without the lines that only tell what it does.
pub(super) fn complaint(err: &str) -> String {
    let lines: Vec<&str> = err
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("go: downloading "))
        .collect();
    let said = lines.join("\n");
    let said = said.strip_prefix("go: ").unwrap_or(&said);
    if said.is_empty() {
        return "go said nothing".to_owned();
    }
    said.to_owned()
}

/// go's words with the file that is meant in the place of its copy, which go names by its full
/// path or by one from where it runs, whichever is shorter (`base.ShortPath`).
pub(super) fn meant(said: &str, copy: &Path, name: &str) -> String {
    let mut parts = copy.components().rev().map(|part| part.as_os_str());
    let (file, folder) = (parts.next(), parts.next());
    let (Some(file), Some(folder)) = (file, folder) else {
        return said.to_owned();
    };
    // Nothing else has the temporary folder's name in its path.
    let copy = Path::new(folder).join(file).display().to_string();
    let mut out = String::new();
    let mut rest = said;
    while let Some((before, after)) = rest.split_once(&copy) {
        let start = before.rfind([' ', '\t', '\n', '"']).map_or(0, |at| at + 1);
        out.push_str(before.get(..start).unwrap_or_default());
        out.push_str(name);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What `go mod download -json` brought; these versions.
pub(super) fn took(ran: &Ran, name: &str, wants: &mut Wants) -> Vec<ModuleVersion> {
    let (mut all, mut told) = (Vec::new(), false);
    for one in downloaded(&ran.out) {
        match one.error {
            Some(why) => {
                told = true;
                wants.fail(&one.path, &one.version, &crate::model::mask(&why));
            }
            None => all.push(ModuleVersion::new(one.path, one.version)),
        }
    }
    if !ran.success && !told {
        wants.fail(name, "", &complaint(&ran.err));
    }
    wants.zips.extend(all.iter().cloned());
    all
}

// With paths as Unix has them.
#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn go_s_complaint_names_the_project_s_file_and_not_its_copy() {
        let copy = Path::new("/tmp/.tmpAb/go.mod");
        for (said, want) in [
            (
                "errors parsing /tmp/.tmpAb/go.mod:\n/tmp/.tmpAb/go.mod:7: replacement",
                "errors parsing /src/go.mod:\n/src/go.mod:7: replacement",
            ),
            ("../../.tmpAb/go.mod:7: x", "/src/go.mod:7: x"),
            ("/tmp/.tmpCd/go.mod:7: x", "/tmp/.tmpCd/go.mod:7: x"),
            ("", ""),
        ] {
            assert_eq!(meant(said, copy, "/src/go.mod"), want);
        }
    }
}
