//! Go's variables: which of them `go env -w` takes, and which values go would choke on later.

use super::finding::nearest;

/// What is wrong with a name or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The finding's code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The offending part of the value: byte offset and length.
    pub at: Option<(usize, usize)>,
    /// How to mend it.
    pub help: Option<String>,
    /// Go takes it, but it does not do what it looks like.
    pub mild: bool,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
            at: None,
            help: None,
            mild: false,
        }
    }

    pub(super) fn at(mut self, at: (usize, usize)) -> Fault {
        self.at = Some(at);
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    pub(super) fn mild(mut self) -> Fault {
        self.mild = true;
        self
    }
}

/// `internal/cfg.KnownEnv` of Go 1.19 to 1.27, without what cannot be written.
const WRITABLE: [&str; 53] = [
    "AR",
    "CC",
    "CGO_CFLAGS",
    "CGO_CFLAGS_ALLOW",
    "CGO_CFLAGS_DISALLOW",
    "CGO_CPPFLAGS",
    "CGO_CPPFLAGS_ALLOW",
    "CGO_CPPFLAGS_DISALLOW",
    "CGO_CXXFLAGS",
    "CGO_CXXFLAGS_ALLOW",
    "CGO_CXXFLAGS_DISALLOW",
    "CGO_ENABLED",
    "CGO_FFLAGS",
    "CGO_FFLAGS_ALLOW",
    "CGO_FFLAGS_DISALLOW",
    "CGO_LDFLAGS",
    "CGO_LDFLAGS_ALLOW",
    "CGO_LDFLAGS_DISALLOW",
    "CXX",
    "FC",
    "GCCGO",
    "GO111MODULE",
    "GO386",
    "GOAMD64",
    "GOARCH",
    "GOARM",
    "GOARM64",
    "GOAUTH",
    "GOBIN",
    "GOCACHE",
    "GOCACHEPROG",
    "GOEXPERIMENT",
    "GOFIPS140",
    "GOFLAGS",
    "GOINSECURE",
    "GOMIPS",
    "GOMIPS64",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOOS",
    "GOPATH",
    "GOPPC64",
    "GOPRIVATE",
    "GOPROXY",
    "GORISCV64",
    "GOSUMDB",
    "GOTMPDIR",
    "GOTOOLCHAIN",
    "GOVCS",
    "GOWASM",
    "GO_EXTLINK_ENABLED",
    "PKG_CONFIG",
];

/// `envcmd/env.go:checkEnvWrite`: "cannot be modified".
const FIXED: [&str; 11] = [
    "GOEXE",
    "GOGCCFLAGS",
    "GOHOSTARCH",
    "GOHOSTOS",
    "GOMOD",
    "GOROOT",
    "GOTELEMETRY",
    "GOTELEMETRYDIR",
    "GOTOOLDIR",
    "GOVERSION",
    "GOWORK",
];

/// `envcmd/env.go:checkEnvWrite`: "can only be set using the OS environment".
const OS_ONLY: [&str; 2] = ["GOENV", "GODEBUG"];

/// Would `go env -w` take a variable of this name?
pub(super) fn check_name(name: &str) -> Result<(), Fault> {
    if WRITABLE.contains(&name) {
        return Ok(());
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    if FIXED.contains(&name) {
        return Err(Fault::new(
            "fixed-variable",
            format!("{shown} cannot be modified: go works it out for itself"),
        ));
    }
    if OS_ONLY.contains(&name) {
        return Err(Fault::new(
            "fixed-variable",
            format!("{shown} can only be set using the OS environment, not by `go env -w`"),
        ));
    }
    let fault = Fault::new(
        "unknown-variable",
        format!("unknown go command variable {shown}"),
    );
    let upper = name.to_ascii_uppercase();
    Err(match upper.as_str() {
        "GONOSUMCHECK" => {
            fault.help("nothing reads it; GONOSUMDB names the modules that are not looked up")
        }
        "HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY" | "ALL_PROXY" => {
            fault.help("go reads it from the OS environment only, so no policy can switch it")
        }
        _ => match nearest(name, WRITABLE.into_iter()) {
            Some(near) => fault.help(format!("did you mean {near}?")),
            None => fault.help("`go help environment` lists them"),
        },
    })
}

/// What a `${NAME}` stands for while a policy is checked: something of the right shape.
/// `None`: the name may not be used.
pub(super) fn stand_in(name: &str) -> Option<String> {
    let value = match name {
        "HOME" => "/home/user",
        "MIRROR" => "/home/user/.local/share/goroam/mirror",
        "GOPATH" => "/home/user/go",
        "GOMODCACHE" => "/home/user/go/pkg/mod",
        "GOBIN" => "/home/user/go/bin",
        "GOCACHE" => "/home/user/.cache/go-build",
        "GOTMPDIR" => "/tmp",
        "GOROOT" => "/usr/local/go",
        "GOTOOLDIR" => "/usr/local/go/pkg/tool/linux_amd64",
        "GOENV" => "/home/user/.config/go/env",
        "GOOS" | "GOHOSTOS" => "linux",
        "GOARCH" | "GOHOSTARCH" => "amd64",
        "GOVERSION" => "go1.27.3",
        "GOPROXY" => "https://proxy.golang.org,direct",
        "GOSUMDB" => "sum.golang.org",
        "GOTOOLCHAIN" => "auto",
        "GOPRIVATE" | "GONOPROXY" | "GONOSUMDB" | "GOINSECURE" => "git.corp.example",
        _ if WRITABLE.contains(&name) || FIXED.contains(&name) => "",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Does the variable hold a folder, a file or the name of a system? Those cannot be a list of
/// hosts or a database.
pub(super) fn is_path_like(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "HOME",
        "MIRROR",
        "GOPATH",
        "GOMODCACHE",
        "GOBIN",
        "GOCACHE",
        "GOTMPDIR",
        "GOROOT",
        "GOTOOLDIR",
        "GOENV",
        "GOOS",
        "GOHOSTOS",
        "GOARCH",
        "GOHOSTARCH",
        "GOVERSION",
    ];
    NAMES.contains(&name)
}

/// The name that a wrong `${NAME}` probably means.
pub(super) fn nearest_name(name: &str) -> Option<&'static str> {
    nearest(
        name,
        WRITABLE
            .into_iter()
            .chain(["HOME", "MIRROR", "GOROOT", "GOVERSION"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_go_env_takes_pass() {
        for name in ["GOPROXY", "GOAUTH", "CC", "GOFIPS140"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
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
            let fault = check_name(name).unwrap_err();
            assert_eq!(fault.code, code, "{name}");
            let said = format!("{} {}", fault.message, fault.help.unwrap_or_default());
            assert!(said.contains(words), "{name}: {said}");
        }
    }
}
