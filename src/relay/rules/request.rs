//! What go asks a module proxy for: the paths of `go help goproxy` and of golang.org/x/mod/sumdb.

use crate::gomod::sum::escape::{unescape_path, unescape_version};

/// A path longer than this is refused: go's own limits for module paths and versions are far
/// below it (`module.CheckPath`, and file names in the module cache).
const LONGEST_PATH: usize = 4096;

/// One request, as far as a relay must understand it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProxyRequest {
    /// Something about one module.
    Module {
        /// The module's path, unescaped: `github.com/BurntSushi/toml`.
        module: String,
        /// Which of its files.
        file: ModuleFile,
    },
    /// `/sumdb/NAME/REST`: a checksum database, relayed.
    SumDb {
        /// The database's name.
        name: String,
        /// What is asked of it: `supported`, `lookup/…`, `tile/…`.
        rest: SumDbFile,
    },
}

/// A file that a proxy serves about a module.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModuleFile {
    /// `@v/list`.
    List,
    /// `@latest`.
    Latest,
    /// `@v/VERSION.info`; the version may also be a branch or a commit, which a proxy resolves.
    Info(String),
    /// `@v/VERSION.mod`.
    Mod(String),
    /// `@v/VERSION.zip`.
    Zip(String),
}

/// A file of a checksum database (`golang.org/x/mod/sumdb.ServerPaths`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SumDbFile {
    /// `supported`: does this proxy relay the database?
    Supported,
    /// `latest`: the newest signed tree head. go itself never asks a proxy for it.
    Latest,
    /// `lookup/MODULE@VERSION`, unescaped.
    Lookup(String, String),
    /// `tile/…`, as written; it holds digits, `x`, `.p` and `data` only.
    Tile(String),
}

impl ProxyRequest {
    /// Reads a request's path, still percent-encoded, without the token in front of it and
    /// without a query. `None`: not a path of the protocol; nothing else is ever served or passed on.
    pub fn parse(path: &str) -> Option<ProxyRequest> {
        if path.len() > LONGEST_PATH {
            return None;
        }
        let path = percent_decode(path)?;
        let path = path.strip_prefix('/')?;
        if let Some(rest) = path.strip_prefix("sumdb/") {
            let (name, rest) = rest.split_once('/')?;
            let name = is_host(name).then(|| name.to_owned())?;
            let rest = SumDbFile::parse(rest)?;
            return Some(ProxyRequest::SumDb { name, rest });
        }
        if let Some(module) = path.strip_suffix("/@latest") {
            let module = unescape_path(module).ok()?;
            let file = ModuleFile::Latest;
            return Some(ProxyRequest::Module { module, file });
        }
        let (module, file) = path.rsplit_once("/@v/")?;
        let module = unescape_path(module).ok()?;
        let file = ModuleFile::parse(file)?;
        Some(ProxyRequest::Module { module, file })
    }
}

/// Requests that a proxy may answer differently: its lists may come while its zips do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestSort {
    /// Which versions there are.
    Versions,
    /// `.info`
    Info,
    /// `.mod`
    Mod,
    /// `.zip`
    Zip,
    /// Of a checksum database.
    Database,
}

impl RequestSort {
    /// How many there are.
    pub const COUNT: usize = 5;
}

impl ProxyRequest {
    /// Its sort.
    pub fn sort(&self) -> RequestSort {
        match self {
            ProxyRequest::Module { file, .. } => match file {
                ModuleFile::List | ModuleFile::Latest => RequestSort::Versions,
                ModuleFile::Info(_) => RequestSort::Info,
                ModuleFile::Mod(_) => RequestSort::Mod,
                ModuleFile::Zip(_) => RequestSort::Zip,
            },
            ProxyRequest::SumDb { .. } => RequestSort::Database,
        }
    }

    /// Does it ask for one version, and not which versions there are?
    pub fn is_exact(&self) -> bool {
        let ProxyRequest::Module { file, .. } = self else {
            return true;
        };
        !matches!(file, ModuleFile::List | ModuleFile::Latest)
    }
}

impl ModuleFile {
    fn parse(name: &str) -> Option<ModuleFile> {
        if name == "list" {
            return Some(ModuleFile::List);
        }
        let (version, kind) = name.rsplit_once('.')?;
        let version = unescape_version(version).ok()?;
        match kind {
            "info" => Some(ModuleFile::Info(version)),
            "mod" => Some(ModuleFile::Mod(version)),
            "zip" => Some(ModuleFile::Zip(version)),
            _ => None,
        }
    }

    /// Does its content never change once it was published, so that a hash can prove it?
    pub fn is_immutable(&self) -> bool {
        match self {
            ModuleFile::Mod(_) | ModuleFile::Zip(_) => true,
            ModuleFile::List | ModuleFile::Latest | ModuleFile::Info(_) => false,
        }
    }
}

impl SumDbFile {
    fn parse(rest: &str) -> Option<SumDbFile> {
        if let Some(asked) = rest.strip_prefix("lookup/") {
            let (module, version) = asked.rsplit_once('@')?;
            let (module, version) = (unescape_path(module).ok()?, unescape_version(version).ok()?);
            return Some(SumDbFile::Lookup(module, version));
        }
        if let Some(tile) = rest.strip_prefix("tile/") {
            let is_plain = |part: &str| {
                let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                let number = part.strip_prefix('x').unwrap_or(part);
                let number = number.strip_suffix(".p").unwrap_or(number);
                part == "data" || (!number.is_empty() && digits(number))
            };
            return (tile.split('/').count() > 2 && tile.split('/').all(is_plain))
                .then(|| SumDbFile::Tile(tile.to_owned()));
        }
        match rest {
            "supported" => Some(SumDbFile::Supported),
            "latest" => Some(SumDbFile::Latest),
            _ => None,
        }
    }
}

/// A database's name is a host, perhaps with a path (`sum.golang.org`); no element of dots alone.
fn is_host(name: &str) -> bool {
    name.contains('.')
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// `%21` → `!`. go escapes nothing else, and what decodes to a separator, a control byte or
/// something outside of ASCII is in no path of the protocol.
fn percent_decode(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, after) = (rest.get(..at)?, rest.get(at + 1..)?);
        let byte = u8::from_str_radix(after.get(..2)?, 16).ok()?;
        let plain = byte.is_ascii_graphic() && !matches!(byte, b'/' | b'%' | b'\\');
        let signed = after.starts_with(['+', '-']);
        out.push_str(before);
        out.push((plain && !signed).then_some(char::from(byte))?);
        rest = after.get(2..)?;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(module: &str, file: ModuleFile) -> Option<ProxyRequest> {
        let module = module.to_owned();
        Some(ProxyRequest::Module { module, file })
    }

    #[test]
    fn the_requests_of_go_are_read() {
        let toml = "github.com/BurntSushi/toml";
        let rc = || "v1.0.0-RC1".to_owned();
        for (path, want) in [
            (
                "/github.com/!burnt!sushi/toml/@v/list",
                module(toml, ModuleFile::List),
            ),
            (
                "/github.com/%21burnt%21sushi/toml/@latest",
                module(toml, ModuleFile::Latest),
            ),
            (
                "/github.com/!burnt!sushi/toml/@v/v1.0.0-!r!c1.info",
                module(toml, ModuleFile::Info(rc())),
            ),
            (
                "/github.com/%21burnt%21sushi/toml/@v/v1.0.0-%21r%21c1.zip",
                module(toml, ModuleFile::Zip(rc())),
            ),
            (
                "/example.com/@v/main.info",
                module("example.com", ModuleFile::Info("main".into())),
            ),
        ] {
            assert_eq!(ProxyRequest::parse(path), want, "{path}");
        }
        let sumdb = |rest| {
            let name = "sum.golang.org".to_owned();
            Some(ProxyRequest::SumDb { name, rest })
        };
        for (path, want) in [
            ("/sumdb/sum.golang.org/supported", SumDbFile::Supported),
            (
                "/sumdb/sum.golang.org/lookup/rsc.io/quote@v1.5.2",
                SumDbFile::Lookup("rsc.io/quote".into(), "v1.5.2".into()),
            ),
            (
                "/sumdb/sum.golang.org/tile/8/0/x005/427.p/152",
                SumDbFile::Tile("8/0/x005/427.p/152".into()),
            ),
        ] {
            assert_eq!(ProxyRequest::parse(path), sumdb(want), "{path}");
        }
    }

    #[test]
    fn nothing_outside_of_the_protocol_is_a_request() {
        for path in [
            "",
            "/",
            "/favicon.ico",
            "/../../etc/passwd",
            "/example.com/m/@v/../../../etc/passwd.zip",
            "/example.com/m/@v/%2e%2e%2fpasswd.zip",
            "/example.com%2fm/@v/list",
            "/example.com/m/@v/v1.0.0.exe",
            "/example.com/../m/@v/list",
            "/Example.com/m/@v/list",
            "/http://other.example/@v/list",
            "//example.com/m/@v/list",
            "/example.com/m/@v/%+1list",
            "/example.com/m/@v/list%0d%0aX:1",
            "/sumdb/sum.golang.org/tile/8/0/../../x",
            "/sumdb/../lookup/a.b@v1.0.0",
            "/sumdb/sum.golang.org/lookup/../x@v1",
            "/sumdb/sum.golang.org/",
        ] {
            assert_eq!(ProxyRequest::parse(path), None, "{path}");
        }
        assert_eq!(
            ProxyRequest::parse(&format!("/{}/@v/list", "a.b/".repeat(2000))),
            None
        );
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic_or_leave_the_tree(path in "[a-z!%./@2efv0-9x\\PC]{0,60}") {
            if let Some(request) = ProxyRequest::parse(&path) {
                let text = format!("{request:?}");
                assert!(!text.contains("..") || !text.contains("/../"), "{text}");
            }
        }
    }
}
