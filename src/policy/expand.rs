//! `${NAME}` in a value of `env`: go's own variables, HOME and the mirror.

use crate::model::file_url::path as url_path;

/// Replaces every `${NAME}` by what `lookup` says of the name. A `$` that no `{` follows stands
/// for itself. Right behind `file://` a path is written as a URL wants it: `C:\go` becomes
/// `/C:/go`, and what would end the URL or the list is percent-encoded.
///
/// # Errors
/// When a `${` is not closed, or `lookup` knows nothing of a name; in words for a message.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            return Err("`${` is not closed with `}`".to_owned());
        };
        match lookup(name) {
            Some(value) if expanded.ends_with("file://") => expanded.push_str(&url_path(&value)),
            Some(value) => expanded.push_str(&value),
            None => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
                return Err(format!("`${{{shown}}}` stands for nothing"));
            }
        }
        rest = behind;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The names in every `${NAME}` of a text, in order: what `lookup` will be asked for.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::{expand, references};

    #[test]
    fn names_are_replaced_and_faults_are_named() {
        let lookup = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        for (text, want) in [
            ("file://${HOME}/m,off", Ok("file:///home/me/m,off")),
            ("${HOME}${HOME}", Ok("/home/me/home/me")),
            ("a$b $ {HOME}", Ok("a$b $ {HOME}")),
            ("${HOME", Err("`${` is not closed with `}`")),
            ("${}", Err("`${}` stands for nothing")),
            ("${PATH}", Err("`${PATH}` stands for nothing")),
        ] {
            let got = expand(text, &lookup);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{text}");
        }
    }

    #[test]
    fn references_are_what_is_looked_up() {
        let text = "file://${HOME}/a,${GOMODCACHE}$x ${open";
        assert_eq!(references(text).collect::<Vec<_>>(), ["HOME", "GOMODCACHE"]);
    }

    #[test]
    fn what_was_put_in_is_not_expanded_again() {
        let lookup = |_: &str| Some("${HOME}".to_owned());
        assert_eq!(expand("${HOME}", &lookup).as_deref(), Ok("${HOME}"));
    }

    #[test]
    fn a_path_behind_file_becomes_the_path_of_a_url() {
        for (path, url) in [
            ("/home/me/go", "file:///home/me/go/m,off"),
            ("/a,b|c%d/x", "file:///a%2Cb%7Cc%25d/x/m,off"),
            ("C:\\Users\\me", "file:///C:/Users/me/m,off"),
        ] {
            let lookup = |_: &str| Some(path.to_owned());
            assert_eq!(
                expand("file://${GOMODCACHE}/m,off", &lookup).as_deref(),
                Ok(url)
            );
        }
    }
}
