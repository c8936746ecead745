//! Translates `file:` URLs into directories in the form that go.mod uses. Pure.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::gomod::project::relative;

/// Maximum number of `..` in a relative form; beyond that an absolute form is clearer.
const MOST_UP: usize = 3;

/// Reports whether a text is a `file:` URL.
pub(super) fn is_url(text: &str) -> bool {
    text.get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("file:"))
}

/// Returns the directory of a `file:` URL, with forward slashes: `/srv/x`, `C:/x`.
pub(super) fn folder_of(url: &str) -> Option<String> {
    let rest = url.get(5..)?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => match rest.strip_prefix("localhost/") {
            Some(path) => format!("/{path}"),
            None if has_host(rest) => match cfg!(windows) {
                // A share on another machine.
                true => format!("//{rest}"),
                false => return None,
            },
            None => rest.to_owned(),
        },
        None => rest.to_owned(),
    };
    let path = percent_decoded(&path)?.replace('\\', "/");
    let bytes = path.strip_prefix('/').unwrap_or(&path).as_bytes();
    let is_drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let path = if is_drive {
        path.strip_prefix('/').unwrap_or(&path)
    } else {
        &path
    };
    let plain = path.trim_end_matches('/');
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// Returns what `file://HOST/…` may mean on Unix, where it names no directory: an absolute path
/// without its slash, or a relative one.
pub(super) fn guesses(url: &str) -> Vec<String> {
    let rest = url.get(5..).and_then(|rest| rest.strip_prefix("//"));
    let rest = rest.filter(|rest| has_host(rest)).and_then(percent_decoded);
    rest.map_or_else(Vec::new, |rest| {
        let rest = rest.trim_end_matches('/');
        vec![format!("/{rest}"), format!("./{rest}")]
    })
}

/// Returns true for `server/share`; false for `/path`, `./path`, `~/path`, `C:/path`.
fn has_host(rest: &str) -> bool {
    let host = rest.split(['/', '\\']).next().unwrap_or_default();
    !host.is_empty() && !host.starts_with(['.', '~', '$']) && !host.contains([':', '%'])
}

/// Returns what to write after `=>` in a go.mod of the directory `from`: a relative path if it is
/// near, since that works on every machine; quoted if go would otherwise see two words.
pub(super) fn form(folder: &str, from: &Path) -> String {
    let path = PathBuf::from(folder);
    let relative = near(&path, from).unwrap_or_else(|| {
        let known = folder.starts_with(['/', '.']) || folder.get(1..2) == Some(":");
        if known {
            folder.to_owned()
        } else {
            format!("./{folder}")
        }
    });
    if relative.contains([' ', '\t', '"', '(', ')', ',']) || relative.contains("//") {
        format!("\"{}\"", relative.replace('"', "\\\""))
    } else {
        relative
    }
}

/// Returns the relative form of a near directory.
fn near(path: &Path, from: &Path) -> Option<String> {
    let form = relative(path, from)?;
    let up = form.split('/').filter(|part| *part == "..").count();
    let is_named = |part: &Component<'_>| matches!(part, Component::Normal(_));
    let deep = from.components().filter(is_named).count();
    (path.is_absolute() && up <= MOST_UP && up < deep).then_some(form)
}

fn percent_decoded(text: &str) -> Option<String> {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    // Each `%` must begin an escape, which has three characters.
    let is_right = bytes.len() + 2 * text.matches('%').count() == text.len();
    String::from_utf8(bytes).ok().filter(|_| is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_the_folder_that_it_means() {
        for (url, folder) in [
            ("file:///srv/x", Some("/srv/x")),
            ("FILE:///srv/x/", Some("/srv/x")),
            ("file://localhost/srv/x", Some("/srv/x")),
            ("file:/srv/x", Some("/srv/x")),
            ("file:///C:/work/x", Some("C:/work/x")),
            ("file://C:\\work\\x", Some("C:/work/x")),
            ("file:///srv/my%20x", Some("/srv/my x")),
            ("file://../x", Some("../x")),
            ("file:x", Some("x")),
            ("file:///srv/%zz", None),
            ("file://", None),
        ] {
            assert_eq!(folder_of(url).as_deref(), folder, "{url}");
            assert!(is_url(url));
        }
        let share = cfg!(windows).then_some("//server/share/x");
        assert_eq!(folder_of("file://server/share/x").as_deref(), share);
        assert_eq!(guesses("file://srv/my%20x/"), ["/srv/my x", "./srv/my x"]);
        assert_eq!(guesses("file:///srv/x"), [""; 0]);
        assert!(!is_url("./file:/x") && !is_url("x"));
    }

    #[test]
    fn what_is_near_is_named_from_here() {
        for (folder, from, want) in [
            ("/srv/app/x", "/srv/app", "./x"),
            ("/srv/x", "/srv/app", "../x"),
            ("/srv/app", "/srv/app/a/b", "../.."),
            ("/other/x", "/srv/app", "/other/x"),
            ("/srv/x", "/srv/a/b/c/d", "/srv/x"),
            ("../x", "/srv/app", "../x"),
            ("x", "/srv/app", "./x"),
            ("C:/my work/x", "/srv/app", "\"C:/my work/x\""),
            ("C:/x", "/srv/app", "C:/x"),
        ] {
            if cfg!(windows) && folder.starts_with('/') {
                continue;
            }
            assert_eq!(form(folder, Path::new(from)), want, "{folder} from {from}");
        }
    }
}
