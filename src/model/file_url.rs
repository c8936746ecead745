//! `file://` URLs, as go reads them.

/// A path as the path of a `file://` URL (`cmd/go/internal/web/url.go:urlFromFilePath`).
pub fn path(path: &str) -> String {
    let windows = path.as_bytes().get(1) == Some(&b':');
    let mut url = String::with_capacity(path.len() + 1);
    if windows {
        url.push('/');
    }
    for c in path.chars() {
        match c {
            '\\' if windows => url.push('/'),
            '%' | ',' | '|' | '?' | '#' => url.push_str(&format!("%{:02X}", u32::from(c))),
            _ => url.push(c),
        }
    }
    url
}

/// A folder as an element of GOPROXY. A `$` is encoded too, so that no `${NAME}` is seen in it.
pub fn of_folder(folder: &std::path::Path) -> String {
    let path = path(&folder.to_string_lossy()).replace('$', "%24");
    format!("file://{}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::of_folder;

    #[test]
    fn a_folder_is_one_element_whatever_its_name() {
        for (folder, url) in [
            ("/home/me/mirror/", "file:///home/me/mirror"),
            ("/a,b/${HOME}|c", "file:///a%2Cb/%24{HOME}%7Cc"),
            ("C:\\Users\\me", "file:///C:/Users/me"),
        ] {
            assert_eq!(of_folder(Path::new(folder)), url);
        }
    }
}
