//! The go toolchains that projects name, as modules, and what go says where it is too old.

use super::said::{Downloaded, downloaded};
use super::wants::Failed;
use crate::gocmd::job::Ran;
use crate::gomod::go_mod::GoMod;
use crate::gomod::go_version::{at_least, compare, of_toolchain, toolchain_for};

/// The module that toolchains come as (`cmd/go/internal/modfetch/toolchain.go`).
pub(super) const MODULE: &str = "golang.org/toolchain";
/// Since this version there are toolchains as modules, and go can be told to use one.
pub(super) const FIRST: &str = "1.21";

/// The toolchain that a go.mod asks for: its `toolchain` line or its `go` line, whichever is
/// newer. A `go` line that names a language only counts where this go, of version `own`, is
/// older than that.
pub(super) fn wanted(go_mod: &GoMod, own: &str) -> Option<String> {
    let line = go_mod.go.as_ref().map(|line| line.value.as_str());
    let line = line.map(|line| (line, toolchain_for(line)));
    let line = line.filter(|(line, name)| {
        let is_release = name.strip_prefix("go") == Some(*line);
        is_release || compare(line, own).is_gt()
    });
    let named = go_mod.toolchain.as_ref().map(|line| line.value.as_str());
    let named = named.and_then(|name| Some((of_toolchain(name)?, name.to_owned())));
    let all = [line, named].into_iter().flatten();
    let (version, name) = all.max_by(|one, other| compare(one.0, other.0))?;
    // A toolchain of one's own, `go1.24.3-corp`, is not to be had as a module.
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    (plain && at_least(version, FIRST)).then_some(name)
}

/// The toolchain that go says it would have to be, being too old for some go.mod.
pub(super) fn demanded(ran: &Ran) -> Option<String> {
    let told = downloaded(&ran.out).into_iter();
    let told = told.filter_map(|Downloaded { error, .. }| error);
    let all: Vec<String> = told.chain([ran.err.clone()]).collect();
    let versions = all.iter().flat_map(|said| requirements(said));
    versions
        .max_by(|one, other| compare(one, other))
        .map(toolchain_for)
}

/// The versions in `requires go >= 1.25 (running go 1.24.11; GOTOOLCHAIN=local)`
/// (`gover.TooNewError`).
fn requirements(said: &str) -> impl Iterator<Item = &str> {
    let parts = said.split("requires go >= ").skip(1);
    parts.filter_map(|part| {
        let (version, rest) = part.split_once(' ')?;
        let is_this = rest.trim_start().starts_with("(running go ");
        (is_this && at_least(version, FIRST)).then_some(version)
    })
}

/// Puts the way out in the place of a setting that is goroam's and not the user's.
pub(super) fn explain(failed: &mut Failed, has_asked: bool) {
    let Some(version) = requirements(&failed.why).last() else {
        return;
    };
    let name = toolchain_for(version);
    failed.why = failed.why.replace("; GOTOOLCHAIN=local)", ")");
    if !has_asked {
        failed.why += &format!(
            "\nadd --toolchain: it brings {name} too, and has that read the go.mod files; or use a newer go"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gomod::go_mod::parse;

    #[test]
    fn the_newer_of_both_lines_counts() {
        let of = |text: &str| wanted(&parse(&format!("module a.test/b\n{text}\n")), "1.23.1");
        for (text, want) in [
            ("go 1.24.3\ntoolchain go1.24.11", Some("go1.24.11")),
            ("go 1.24.3\ntoolchain go1.23.1", Some("go1.24.3")),
            ("go 1.24.3", Some("go1.24.3")),
            ("go 1.22.3", Some("go1.22.3")),
            ("go 1.25rc1", Some("go1.25rc1")),
            ("go 1.24.3\ntoolchain default", Some("go1.24.3")),
            ("go 1.24", Some("go1.24.0")),
            ("go 1.22", None),
            ("go 1.22\ntoolchain go1.22.5", Some("go1.22.5")),
            ("go 1.20.5", None),
            ("go 1.24.3\ntoolchain go1.24.4-corp", None),
            ("", None),
        ] {
            assert_eq!(of(text).as_deref(), want, "{text:?}");
        }
    }

    fn ran(out: &str, err: &str) -> Ran {
        Ran {
            success: false,
            out: out.as_bytes().to_vec(),
            err: err.to_owned(),
        }
    }

    #[test]
    fn what_go_demands_is_read_where_go_says_it() {
        let err = "go: go.mod requires go >= 1.24.11 (running go 1.21.13; GOTOOLCHAIN=local)\n";
        assert_eq!(demanded(&ran("", err)).as_deref(), Some("go1.24.11"));
        let out = r#"{"Path":"a.test/b","Error":"a.test/b@v1 requires go \u003e= 1.25 (running go 1.24.11; GOTOOLCHAIN=local)"}"#;
        assert_eq!(demanded(&ran(out, err)).as_deref(), Some("go1.25.0"));
        for other in [
            "go: module . listed in go.work file requires go >= 1.25, but go.work lists go 1.21",
            "a test that requires go >= 1.25 and fails",
            "requires go >= ",
            "requires go >= x (running go 1.21)",
        ] {
            assert_eq!(demanded(&ran("", other)), None, "{other}");
        }
    }

    #[test]
    fn who_is_too_old_is_told_the_way_out() {
        let failed = |asked| {
            let mut failed = Failed {
                module: "/p/go.mod".to_owned(),
                version: String::new(),
                why: "/p/go.mod requires go >= 1.25 (running go 1.21.13; GOTOOLCHAIN=local)"
                    .to_owned(),
                mismatch: false,
            };
            explain(&mut failed, asked);
            failed.why
        };
        let said = "/p/go.mod requires go >= 1.25 (running go 1.21.13)";
        assert_eq!(failed(true), said);
        let more = failed(false);
        let more = more.strip_prefix(said).unwrap();
        assert!(
            more.contains("--toolchain") && more.contains("go1.25.0"),
            "{more}"
        );
    }
}
