//! Credentials do not leave the place where they are written: a URL's `user:password@` is
//! taken out of everything that goroam says.

use std::ops::Range;

/// The text with every URL's userinfo replaced by `***`. All of it, not only the password:
/// tokens are often written in the place of the user's name.
pub fn redact(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in userinfos(text) {
        shown.push_str(&text[from..range.start]);
        shown.push_str("***");
        from = range.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// The text with every byte of every URL's userinfo replaced by `*`: the length stays, so that
/// byte ranges in the text still fit. For showing the lines of a policy.
pub fn mask(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in userinfos(text) {
        shown.push_str(&text[from..range.start]);
        shown.extend(std::iter::repeat_n('*', range.len()));
        from = range.end;
    }
    shown.push_str(&text[from..]);
    shown
}

/// Does it hold a URL with a user name or a password?
pub fn has_credentials(text: &str) -> bool {
    !userinfos(text).is_empty()
}

/// Where userinfos stand, in order, without overlap.
fn userinfos(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("://") {
        let start = at + next + "://".len();
        let authority = &text[start..end_of_authority(text, start)];
        if let Some(i) = authority.rfind('@') {
            found.push(start..start + i);
        }
        at = start;
    }
    // Without a scheme (`user:password@host`), as GOPROXY allows.
    let mut start = 0;
    for token in text.split(|c: char| ends_value(c) || matches!(c, ',' | '|')) {
        let authority = &token[..end_of_authority(token, 0)];
        if let Some((userinfo, _)) = authority.rsplit_once('@')
            && userinfo.contains(':')
        {
            found.push(start..start + userinfo.len());
        }
        // Every separator of the split is one byte or a white space of known length.
        start += token.len();
        start += text[start..].chars().next().map_or(0, char::len_utf8);
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn end_of_authority(text: &str, start: usize) -> usize {
    text[start..]
        .find(|c: char| matches!(c, '/' | '?' | '#') || ends_value(c))
        .map_or(text.len(), |i| start + i)
}

fn ends_value(c: char) -> bool {
    matches!(c, '"' | '\'') || c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_is_taken_out_of_every_url() {
        for (text, shown) in [
            ("https://joe:s3cret@host/x", "https://***@host/x"),
            ("https://token@host", "https://***@host"),
            (
                "https://a,https://u:p@b|direct",
                "https://a,https://***@b|direct",
            ),
            ("u:p@host.example/x", "***@host.example/x"),
            ("https://host/@v/list", "https://host/@v/list"),
            ("git.corp.example/a@v1.0.0", "git.corp.example/a@v1.0.0"),
            ("https://u:p@ss@host", "https://***@host"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn a_mask_keeps_every_byte_in_its_place() {
        let text = "goproxy = \"https://jö:s3cret@host/x\" # u:p@h";
        let masked = mask(text);
        assert_eq!(masked.len(), text.len());
        assert!(!masked.contains("s3cret"), "{masked}");
        assert_eq!(masked.find("@host"), text.find("@host"));
    }
}
