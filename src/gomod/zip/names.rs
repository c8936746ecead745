//! Which names a module's zip may hold.

/// `x/mod/module.CheckFilePath`'s rules on elements and letters, for the whole name: what
/// precedes the file (`MODULE@VERSION/`) keeps them too. A folder ends in a slash.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    let name = name.strip_suffix('/').unwrap_or(name);
    name.split('/').try_for_each(element)
}

fn element(element: &str) -> Result<(), &'static str> {
    if element.is_empty() {
        return Err("a name with an empty element");
    }
    // Also "." and "..", and everything else that is dots alone.
    if element.ends_with('.') {
        return Err("a name with an element that ends in a dot");
    }
    if element.chars().all(is_allowed) {
        Ok(())
    } else {
        Err("a name with a character that go does not allow in file names")
    }
}

/// `module.fileNameOK`; beyond ASCII every letter (Rust's tables know a few more than Go's).
fn is_allowed(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '!' | '#'..='&' | '(' | ')' | '+'..='.' | '=' | '@')
        || matches!(c, '[' | ']' | '^' | '_' | '{' | '}' | '~' | ' ')
}
