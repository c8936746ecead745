//! fish's universal variables, which outlive every shell.

/// A line of `fish_variables`: `SETUVAR --export GOPROXY:https\x3a//a\x2cdirect`. The name and
/// the value of an exported one, a list's elements joined with spaces as fish exports them.
pub(crate) fn universal(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("SETUVAR --export ")?;
    let rest = rest.strip_prefix("--path ").unwrap_or(rest);
    let (name, value) = rest.split_once(':')?;
    let mut text = Vec::new();
    let mut bytes = value.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next()? {
            b'x' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                text.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b'u' => {
                let digits: Vec<u8> = bytes.by_ref().take(4).collect();
                let number = u32::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
                let mut utf8 = [0; 4];
                text.extend(char::from_u32(number)?.encode_utf8(&mut utf8).bytes());
            }
            b'n' => text.push(b'\n'),
            byte => text.push(byte),
        }
    }
    // Elements of a list are parted by U+001E.
    let text = String::from_utf8(text).ok()?.replace('\u{1e}', " ");
    Some((name.to_owned(), text))
}

#[cfg(test)]
mod tests {
    use super::universal;

    #[test]
    fn universal_variables_are_read_as_fish_writes_them() {
        let line = r"SETUVAR --export GOPROXY:https\x3a//a\x20b\x2cdirect";
        let found = universal(line);
        let expected = ("GOPROXY".to_owned(), "https://a b,direct".to_owned());
        assert_eq!(found, Some(expected));
        let list = universal(r"SETUVAR --export GOFLAGS:a\x1eb");
        assert_eq!(list.map(|(_, value)| value), Some("a b".to_owned()));
        for line in [
            "SETUVAR GOPROXY:off",
            "# SETUVAR --export GOPROXY:off",
            r"SETUVAR --export GOPROXY:\x",
            r"SETUVAR --export GOPROXY:\xzz",
            "SETUVAR --export GOPROXY",
            "",
        ] {
            assert_eq!(universal(line), None, "{line}");
        }
    }
}
