//! `file://` URLs, as go reads them.

/// A path as what follows `file://` (`cmd/go/internal/web/url.go:urlFromFilePath`): on Windows the
/// server of a share is the URL's host.
pub fn path(path: &str) -> String {
    let share = path.strip_prefix(r"\\?\UNC\").or_else(|| {
        path.strip_prefix(r"\\")
            .filter(|rest| !rest.starts_with(['?', '.']))
    });
    // With `\\?\` Windows takes a long path as it stands; go knows how to do that by itself.
    let path = share.unwrap_or_else(|| path.strip_prefix(r"\\?\").unwrap_or(path));
    let drive = path.as_bytes().get(1) == Some(&b':');
    let mut url = String::with_capacity(path.len() + 1);
    if drive {
        url.push('/');
    }
    for c in path.chars() {
        match c {
            '\\' if drive || share.is_some() => url.push('/'),
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
            (r"C:\Users\me", "file:///C:/Users/me"),
            (r"\\?\C:\a folder", "file:///C:/a folder"),
            (r"\\server\share\m", "file://server/share/m"),
            (r"\\?\UNC\server\share\m", "file://server/share/m"),
        ] {
            assert_eq!(of_folder(Path::new(folder)), url);
        }
    }
}
