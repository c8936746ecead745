//! What cannot work whatever the network does, and the answers that go names without a URL.

use super::outcome::Class;

/// How go begins to say that no module was found for an import (modload/import.go:ImportMissingError).
/// With nothing behind the package, all places that were asked have answered that they have none.
pub(super) const SEARCHED: &str = "cannot find module providing package ";

/// What a part of one of go's statements says, by how it begins.
pub(super) fn of(text: &str, proxies: &[String]) -> Option<Class> {
    if let Some(rest) = text.strip_prefix("invalid response from proxy \"") {
        return Some(answered(rest));
    }
    if text.starts_with("module lookup disabled by GOPROXY=off") {
        return Some(behind_others(proxies));
    }
    if let Some(package) = text.strip_prefix(SEARCHED) {
        let package = package.lines().next().unwrap_or_default();
        return (!package.contains([' ', ':'])).then_some(Class::NotFound);
    }
    if let Some((_, error)) = parse_error(text) {
        // A URL that is none is GOPROXY's or GOSUMDB's.
        return (!error.is_empty()).then_some(Class::Config);
    }
    if not_go_mod(text) {
        return Some(Class::Corrupt);
    }
    if is_no_folder(text) {
        return Some(Class::Config);
    }
    if text.ends_with("executable file not found in $PATH") || text.ends_with("not found in %PATH%")
    {
        return Some(Class::Config);
    }
    BEGIN
        .iter()
        .find(|(begin, _)| text.starts_with(begin))
        .map(|(_, class)| *class)
}

/// Is it one of go's sentences, and no other program's?
pub(super) fn is_known(text: &str) -> bool {
    of(text, &[]).is_some()
}

/// The base that `invalid response from proxy "P"` names.
pub(super) fn base_of(text: &str) -> Option<String> {
    let rest = text.strip_prefix("invalid response from proxy \"")?;
    rest.split_once('"').map(|(base, _)| base.to_owned())
}

/// net/url's `parse "U": ERR`.
fn parse_error(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("parse \"")?.split_once("\": ")
}

/// What came as a go.mod is none (modload/modfile.go:rawGoModSummary). What is wrong with a
/// go.mod that is one follows on further lines.
fn not_go_mod(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("parsing go.mod: ") else {
        return false;
    };
    rest.starts_with("missing module line") || rest.contains("unexpected input character")
}

/// A file proxy below something that is not a directory.
fn is_no_folder(text: &str) -> bool {
    text.strip_prefix("open ").is_some_and(|rest| {
        rest.ends_with(": not a directory") && (rest.contains("/@v/") || rest.contains("/@latest"))
    })
}

/// encoding/json about an `.info` that is none: `<` is how every HTML page begins.
fn answered(rest: &str) -> Class {
    if rest.contains("invalid character '<' looking for beginning of value") {
        Class::Portal
    } else {
        Class::Corrupt
    }
}

/// `off` is reached when all before it said that there is no such thing
/// (modfetch/proxy.go:TryProxies); alone it is a setting.
fn behind_others(proxies: &[String]) -> Class {
    match proxies {
        [_, .., last] if last == "off" => Class::NotFound,
        _ => Class::Config,
    }
}

/// By file of cmd/go/internal, where nothing else is said of golang.org/x/mod or net.
const BEGIN: [(&str, Class); 43] = [
    // modfetch/proxy.go
    ("invalid proxy URL", Class::Config),
    ("invalid file:// proxy URL", Class::Config),
    ("GOPROXY list is not the empty string", Class::Config),
    ("proxy returned info for version ", Class::Corrupt),
    ("downloaded zip file too large", Class::Corrupt),
    // modfetch/repo.go, codehost
    ("disabled by GOPRIVATE/GONOPROXY", Class::Config),
    ("path does not match GOPRIVATE/GONOPROXY", Class::Config),
    ("unknown revision ", Class::NotFound),
    ("no matching versions for query ", Class::NotFound),
    // modfetch/cache.go: no place to put anything
    ("module cache not found", Class::Config),
    ("GOMODCACHE entry is relative", Class::Config),
    ("GOPATH entry is relative", Class::Config),
    ("could not create module cache", Class::Config),
    ("build cache is required", Class::Config),
    // modfetch/sumdb.go, x/mod/sumdb/note
    ("missing GOSUMDB", Class::Config),
    ("invalid GOSUMDB", Class::Config),
    ("invalid sumdb name", Class::Config),
    ("checksum database disabled by GOSUMDB=off", Class::Config),
    ("malformed verifier id", Class::Config),
    ("could not locate sumdb file", Class::Config),
    // web/http.go
    ("insecure URL: ", Class::Config),
    ("unsupported scheme: ", Class::Config),
    (
        "refusing to pass credentials to insecure URL",
        Class::Config,
    ),
    ("network disabled by cmdgonetlimit", Class::Config),
    ("file URL ", Class::Config),
    ("non-file URL", Class::Config),
    // net/http/transport.go, x/net/http/httpproxy
    ("refusing to use HTTP_PROXY value in CGI", Class::Config),
    ("invalid proxy address ", Class::Config),
    // vcs/vcs.go
    ("GOVCS disallows using ", Class::Config),
    ("empty entry in GOVCS", Class::Config),
    ("malformed entry in GOVCS", Class::Config),
    ("empty VCS ", Class::Config),
    ("empty pattern in GOVCS", Class::Config),
    ("unreachable pattern in GOVCS", Class::Config),
    // No scheme answered; go does not say why.
    ("no secure protocol found", Class::Unreachable),
    ("no protocol found", Class::Unreachable),
    ("no go-import meta tag", Class::NotFound),
    // auth/auth.go
    ("GOAUTH", Class::Config),
    ("unknown GOAUTH", Class::Config),
    // base/goflags.go
    ("parsing $GOFLAGS", Class::Config),
    // toolchain/select.go
    ("invalid GOTOOLCHAIN ", Class::Config),
    ("no releases found for go", Class::NotFound),
    ("toolchain not available", Class::NotFound),
];
