//! Is a file what its name says? A login page answers 200 for everything, and a module cache
//! keeps what it was given. Pure.

use crate::gomod::RevInfo;

use crate::gomod::go_mod;

/// Bytes; go's own limit (`modfetch/codehost.MaxGoMod`).
pub(super) const MOST_MOD: u64 = 16 << 20;
/// Bytes. One with an Origin has 400.
pub(super) const MOST_INFO: u64 = 64 << 10;

/// A `.info` is JSON that names its version (`modfetch.RevInfo`).
pub(super) fn check_info(bytes: &[u8], version: &str) -> Result<(), String> {
    if is_page(bytes) {
        return Err("its .info is a web page".to_owned());
    }
    match RevInfo::decode(bytes) {
        Ok(info) if info.version == version => Ok(()),
        Ok(info) => Err(format!(
            "its .info is of another version: {:?}",
            info.version.chars().take(80).collect::<String>()
        )),
        Err(error) => Err(format!("its .info {error}")),
    }
}

/// A go.mod is one that go reads in a dependency. Which path it names is not looked at: a fork
/// that `replace` names may keep the name of what it was forked from.
pub(super) fn check_mod(bytes: &[u8]) -> Result<(), String> {
    if is_page(bytes) {
        return Err("its go.mod is a web page".to_owned());
    }
    match go_mod::dependency(bytes) {
        Ok(_) => Ok(()),
        Err(fault) if fault.message == go_mod::NO_MODULE => {
            Err("its go.mod has no module line".to_owned())
        }
        Err(fault) => Err(format!("its go.mod is refused by go: {fault}")),
    }
}

/// Does it begin as HTML or XML does? Neither a go.mod nor JSON can begin so.
pub(super) fn is_page(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_page_is_neither() {
        let page = b"\xef\xbb\xbf\n<!DOCTYPE html><html>\nmodule a.test/b\n</html>";
        assert_eq!(check_mod(page).unwrap_err(), "its go.mod is a web page");
        assert_eq!(
            check_info(page, "v1").unwrap_err(),
            "its .info is a web page"
        );
    }

    #[test]
    fn a_go_mod_names_its_module_and_an_info_its_version() {
        for good in [
            "module a.test/b\n",
            "// x\r\nmodule \"a.test/b\"\r\n",
            "module (\n a.test/b\n)\n",
        ] {
            assert_eq!(check_mod(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            "go 1.21\n",
            "// module a.test/b\n",
            "module\n",
            "module // x\n",
            "modulex y\n",
        ] {
            assert!(check_mod(bad.as_bytes()).is_err(), "{bad:?}");
        }
        // As go: bytes that are no UTF-8 are letters.
        assert_eq!(check_mod(b"// caf\xe9\nmodule a.test/b\n"), Ok(()));
        let open = check_mod(b"module a.test/b\nrequire (\n").unwrap_err();
        assert!(open.contains("line 2"), "{open}");
        let info = br#"{"Version":"v1.0.0","Time":"2024-05-06T07:08:09Z","Origin":{}}"#;
        assert_eq!(check_info(info, "v1.0.0"), Ok(()));
        assert!(check_info(info, "v1.0.1").unwrap_err().contains("v1.0.0"));
        for bad in [
            "",
            "{}",
            "[]",
            "{\"Version\":1}",
            "{\"Version\":\"v1.0.0\",\"Time\":\"today\"}",
            "{\"Version\":\"v1.0.0\"} x",
        ] {
            assert!(check_info(bad.as_bytes(), "v1.0.0").is_err(), "{bad:?}");
        }
    }
}
