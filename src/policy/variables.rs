//! Go's variables: which of them `go env -w` accepts, and which values make go fail later.

use super::finding::{PolicyFinding, nearest, shown};

/// `internal/cfg.KnownEnv` of Go 1.19 to 1.27, without the variables that cannot be written.
pub const WRITABLE: &str = "\
    AR CC CGO_CFLAGS CGO_CFLAGS_ALLOW CGO_CFLAGS_DISALLOW CGO_CPPFLAGS CGO_CPPFLAGS_ALLOW \
    CGO_CPPFLAGS_DISALLOW CGO_CXXFLAGS CGO_CXXFLAGS_ALLOW CGO_CXXFLAGS_DISALLOW CGO_ENABLED \
    CGO_FFLAGS CGO_FFLAGS_ALLOW CGO_FFLAGS_DISALLOW CGO_LDFLAGS CGO_LDFLAGS_ALLOW \
    CGO_LDFLAGS_DISALLOW CXX FC GCCGO GO111MODULE GO386 GOAMD64 GOARCH GOARM GOARM64 GOAUTH \
    GOBIN GOCACHE GOCACHEPROG GOEXPERIMENT GOFIPS140 GOFLAGS GOINSECURE GOMIPS GOMIPS64 \
    GOMODCACHE GONOPROXY GONOSUMDB GOOS GOPATH GOPPC64 GOPRIVATE GOPROXY GORISCV64 GOSUMDB \
    GOTMPDIR GOTOOLCHAIN GOVCS GOWASM GO_EXTLINK_ENABLED PKG_CONFIG";

/// `envcmd/env.go:checkEnvWrite`: "cannot be modified".
const FIXED: &str = "\
    GOEXE GOGCCFLAGS GOHOSTARCH GOHOSTOS GOMOD GOROOT GOTELEMETRY GOTELEMETRYDIR GOTOOLDIR \
    GOVERSION GOWORK";

/// `envcmd/env.go:checkEnvWrite`: "can only be set using the OS environment".
const OS_ONLY: [&str; 2] = ["GOENV", "GODEBUG"];

fn is_in(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|one| one == name)
}

/// Returns why `go env -w` would not accept a variable of this name.
pub(super) fn name_fault(name: &str) -> Option<PolicyFinding> {
    if is_in(WRITABLE, name) {
        return None;
    }
    let fixed = |why: &str| {
        let message = format!("{} {why}", shown(name));
        Some(PolicyFinding::fault("fixed-variable", message))
    };
    if is_in(FIXED, name) {
        return fixed("cannot be modified: go works it out for itself");
    }
    if OS_ONLY.contains(&name) {
        return fixed("can only be set using the OS environment, not by `go env -w`");
    }
    let message = format!("unknown go command variable {}", shown(name));
    let help = match name.to_ascii_uppercase().as_str() {
        "GONOSUMCHECK" => {
            "nothing reads it; GONOSUMDB names the modules that are not looked up".to_owned()
        }
        "HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY" | "ALL_PROXY" => {
            "go reads it from the OS environment only, so no policy can switch it".to_owned()
        }
        _ => match nearest(name, WRITABLE.split_whitespace()) {
            Some(near) => format!("did you mean {near}?"),
            None => "`go help environment` lists them".to_owned(),
        },
    };
    Some(PolicyFinding::fault("unknown-variable", message).help(help))
}

/// Returns a placeholder for `${NAME}` while a policy is checked: a value of the right form.
/// `None`: the name may not be used.
pub(super) fn stand_in(name: &str) -> Option<&'static str> {
    let path_like = PATH_LIKE.iter().find(|(known, _)| *known == name);
    path_like.map(|(_, value)| *value).or(match name {
        "GOPROXY" => Some("https://proxy.golang.org,direct"),
        "GOSUMDB" => Some("sum.golang.org"),
        "GOTOOLCHAIN" => Some("auto"),
        "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => Some("git.corp.example"),
        _ => (is_in(WRITABLE, name) || is_in(FIXED, name)).then_some(""),
    })
}

/// Directories, files and names of systems: none of them can be a list of hosts or a database.
const PATH_LIKE: [(&str, &str); 15] = [
    ("HOME", "/home/user"),
    ("MIRROR", "/home/user/.local/share/goroam/mirror"),
    ("GOPATH", "/home/user/go"),
    ("GOMODCACHE", "/home/user/go/pkg/mod"),
    ("GOBIN", "/home/user/go/bin"),
    ("GOCACHE", "/home/user/.cache/go-build"),
    ("GOTMPDIR", "/tmp"),
    ("GOROOT", "/usr/local/go"),
    ("GOTOOLDIR", "/usr/local/go/pkg/tool/linux_amd64"),
    ("GOENV", "/home/user/.config/go/env"),
    ("GOOS", "linux"),
    ("GOHOSTOS", "linux"),
    ("GOARCH", "amd64"),
    ("GOHOSTARCH", "amd64"),
    ("GOVERSION", "go1.27.3"),
];

/// Reports whether the variable's value can be neither a list of hosts nor a database.
pub(super) fn is_path_like(name: &str) -> bool {
    PATH_LIKE.iter().any(|(known, _)| *known == name)
}

/// Returns the name that a wrong `${NAME}` probably means.
pub(super) fn nearest_name(name: &str) -> Option<&'static str> {
    let more = ["HOME", "MIRROR", "GOROOT", "GOVERSION"];
    nearest(name, WRITABLE.split_whitespace().chain(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_go_env_takes_pass() {
        for name in ["GOPROXY", "GOAUTH", "CC", "GOFIPS140"] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        for (name, code, words) in [
            ("GOROOT", "fixed-variable", "cannot be modified"),
            ("GOENV", "fixed-variable", "OS environment"),
            ("GOPROXXY", "unknown-variable", "GOPROXY"),
            ("goproxy", "unknown-variable", "GOPROXY"),
            ("GONOSUMCHECK", "unknown-variable", "GONOSUMDB"),
            ("HTTP_PROXY", "unknown-variable", "OS environment"),
            ("PATH", "unknown-variable", "go help environment"),
            ("", "unknown-variable", "go help environment"),
        ] {
            let fault = name_fault(name).unwrap();
            assert_eq!(fault.code, code, "{name}");
            let said = format!("{} {}", fault.message, fault.help.unwrap_or_default());
            assert!(said.contains(words), "{name}: {said}");
        }
    }
}
