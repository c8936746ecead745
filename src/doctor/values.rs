//! Judges the values of go's variables: those that go refuses, those that do harm, those that have
//! no effect, and those that change the meaning of goroam's settings. Pure.

use std::path::Path;

use super::facts::{DoctorFacts, Scope, Stop};
use super::file_url;
use super::finding::{Code, DoctorFinding, Severity};
use crate::model::Chain;
use crate::model::lookalike;
use crate::model::pattern;
use crate::model::public_code::public_as_shown;
use Severity::{Error, Note, Warning};

/// Variables that are judged here, whether the policy manages them or not.
pub(super) const NAMES: &str = "GOENV GOFLAGS GOROOT GO111MODULE GOTOOLCHAIN GOPROXY GOPRIVATE \
                                GONOPROXY GOINSECURE GONOSUMDB GONOSUMCHECK GONOVERIFY";

/// A variable and its value in one place.
pub(super) struct Value<'f> {
    pub(super) facts: &'f DoctorFacts,
    pub(super) name: &'f str,
    /// `None`: known only at run time.
    pub(super) value: Option<&'f str>,
    pub(super) place: &'f str,
    /// Whether it is a line of the go env file; otherwise it is from the OS environment.
    pub(super) in_file: bool,
}

impl Value<'_> {
    /// Returns faults of the value that do not depend on its place. If `fix` is empty, the value
    /// must be removed.
    pub(super) fn faults(&self) -> Vec<DoctorFinding> {
        let Some(value) = self.value else {
            return Vec::new();
        };
        let mut found: Vec<DoctorFinding> = self.stops().map(|stop| self.refused(stop)).collect();
        found.extend(match self.name {
            "GOPROXY" => self.proxy(value),
            "GONOSUMDB" | "GOPRIVATE" => self.public_code(value),
            // Names of GONOSUMDB in drafts, and in advice from the time before Go 1.13.
            "GONOSUMCHECK" | "GONOVERIFY" => {
                let says = self.says("has no effect: no go command reads that variable");
                let why = "GOPRIVATE or GONOSUMDB names modules that go does not look up in the \
                           checksum database.";
                Some(self.finding(Code::NothingReads, Note, says, why, ""))
            }
            _ => None,
        });
        // Patterns that cannot match a module path: go ignores them silently.
        let (severity, why) = match self.name {
            "GOPRIVATE" | "GONOPROXY" => {
                let why = "go then asks the public proxy for the private modules.";
                (Error, why)
            }
            "GONOSUMDB" => {
                let why = "go then asks the checksum database about the private modules.";
                (Error, why)
            }
            "GOINSECURE" => (Warning, "go then refuses plain http from these hosts."),
            _ => return found,
        };
        found.extend(pattern::faults(value).into_iter().map(|fault| {
            let says = format!("{} in {}: {fault}", self.name, self.place);
            self.finding(Code::PatternMatchesNothing, severity, says, why, fault.help)
        }));
        found
    }

    /// Returns the value's effects on goroam's settings, and on every project. If `fix` is empty,
    /// the value must be removed.
    pub(super) fn meanings(&self, says: &str) -> Vec<DoctorFinding> {
        let finding = |code, severity, why: &str, fix: &str| {
            vec![self.finding(code, severity, says, why, fix)]
        };
        if self.name == "GOFLAGS" {
            return self.goflags(says);
        }
        if self.name == "XDG_CONFIG_HOME" {
            let elsewhere = self
                .value
                .filter(|value| !self.in_file && !value.is_empty());
            let found = elsewhere.and_then(|value| self.config_home(value, says));
            return found.into_iter().collect();
        }
        // A value that makes go stop already has its own finding.
        if self.stops().next().is_some() {
            return Vec::new();
        }
        let own = self.facts.env_file.as_deref();
        match (self.name, self.value) {
            ("GOENV" | "GODEBUG", _) if self.in_file => {
                let why = "go reads that variable from the OS environment only.";
                let fix = "delete that line; set the variable where the shell starts";
                finding(Code::NothingReads, Note, why, fix)
            }
            // The value names the file that goroam writes.
            ("GOENV", Some(value)) if own == Some(value) => Vec::new(),
            ("GOENV", Some("off")) => {
                let why =
                    "go then reads no go env file, so nothing that goroam writes has an effect.";
                finding(Code::GoenvElsewhere, Error, why, "")
            }
            ("GOENV", value) => {
                // An unknown value may name that same file.
                let (severity, reads) = match value {
                    Some(_) => (Error, "reads"),
                    None => (Warning, "may read"),
                };
                let own = own.unwrap_or("the file that goroam writes");
                let why = format!("go then {reads} that file instead of {own}.");
                finding(Code::GoenvElsewhere, severity, &why, "")
            }
            ("GO111MODULE", Some("off")) => {
                let why =
                    "go then uses no modules, so GOPROXY and similar variables have no effect.";
                finding(Code::ModulesOff, Warning, why, "")
            }
            ("GOROOT", _) => {
                let why = "A go command of another version will use the wrong tools; without \
                           GOROOT go finds its own.";
                let fix = if self.in_file { "delete that line" } else { "" };
                finding(Code::GorootSet, Note, why, fix)
            }
            ("GOTOOLCHAIN", _) if !self.in_file => {
                let why =
                    "It decides whether go downloads newer versions of itself through GOPROXY.";
                finding(Code::ToolchainSet, Note, why, "")
            }
            _ => Vec::new(),
        }
    }

    fn finding(
        &self,
        code: Code,
        severity: Severity,
        says: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> DoctorFinding {
        let finding = DoctorFinding::new(code, severity, says, why, fix);
        finding.about(self.name).at(self.place)
    }

    /// Example: `GOPROXY=off in ~/.bashrc:12 does this`.
    fn says(&self, what: &str) -> String {
        let value = self.value.unwrap_or("?");
        format!("{}={value} in {} {what}", self.name, self.place)
    }

    /// Returns what makes go stop in this value.
    fn stops(&self) -> impl Iterator<Item = &Stop> {
        let is_here = |stop: &&Stop| stop.in_file == self.in_file && stop.name == self.name;
        let stops = self.facts.stops.iter().filter(is_here);
        stops.filter(|stop| self.in_file || self.value == Some(stop.value.as_str()))
    }

    /// Reports a value that makes go stop.
    fn refused(&self, stop: &Stop) -> DoctorFinding {
        let name = self.name;
        let (what, severity) = match stop.scope {
            Scope::Every => ("every go command", Error),
            Scope::Build => ("every build", Error),
            Scope::Download => ("every download", Error),
            Scope::Install => ("`go install`", Warning),
            Scope::Offline => ("every go command without a network", Warning),
        };
        let says = self.says(&format!("stops {what}"));
        let says = match &stop.part {
            Some(part) => format!("{part} in {says}"),
            None => says,
        };
        let fix = match (stop.in_file, &stop.undo, stop.scope) {
            (false, ..) => String::new(),
            (true, Some(undo), _) if undo.starts_with("go env -u") => format!("run `{undo}`"),
            (true, Some(undo), _) => {
                format!(
                    "delete that line, or run `{undo}` (`go env -u {name}` alone stops as well)"
                )
            }
            (true, None, Scope::Every) => {
                format!("delete that line; `go env -u {name}` does not remove it")
            }
            (true, None, _) => format!("run `go env -u {name}`"),
        };
        let why = match form(name) {
            _ if stop.is_seen => format!("{}.", stop.says),
            "" => format!("go says: {}.", stop.says),
            form => format!("go says: {}. {form}", stop.says),
        };
        self.finding(Code::ValueRefused, severity, says, why, fix)
    }

    fn goflags(&self, says: &str) -> Vec<DoctorFinding> {
        let mut found = Vec::new();
        let (severity, fix) = if self.in_file {
            let fix = "run `go env -u GOFLAGS`; give the flag to single commands";
            (Warning, fix)
        } else {
            (Note, "")
        };
        let flags = self.value.unwrap_or_default();
        if flag(flags, "insecure").is_some() {
            let why = "-insecure has no effect any more, and `go get` refuses it: use GOINSECURE \
                       instead.";
            found.push(self.finding(Code::GoflagsInsecure, Note, says, why, fix));
        }
        if flag(flags, "mod").is_some() {
            let why = "-mod then applies to every module. -mod=vendor fails without a complete \
                       vendor directory, and makes `go install m@v` and `go run m@v` fail \
                       everywhere; -mod=mod and -mod=readonly ignore vendor and need the network; \
                       -mod=mod changes go.mod and fails in a workspace.";
            found.push(self.finding(Code::GoflagsMod, severity, says, why, fix));
        }
        found
    }

    /// Reports another directory for `os.UserConfigDir`: go then reads another go env file.
    fn config_home(&self, value: &str, says: &str) -> Option<DoctorFinding> {
        let folder = Path::new(value);
        let file = folder.join("go/env");
        let own = self.facts.env_file.as_deref();
        // macOS and Windows have their own directories.
        let is_unused = cfg!(windows) || cfg!(target_vendor = "apple");
        if is_unused || own.is_some_and(|own| Path::new(own) == file) {
            return None;
        }
        let own = own.unwrap_or("the file that goroam writes");
        let why = if folder.is_absolute() {
            format!(
                "go then reads {} instead of {own}, so what goroam writes has no effect. Set \
                 XDG_CONFIG_HOME for the agent as well, or set GOENV={own}.",
                file.display()
            )
        } else {
            format!("It is relative: go refuses that and reads no go env file, not even {own}.")
        };
        // GOENV names a file directly, so the directory does not matter.
        let has_goenv = self.facts.seen.iter().any(|one| one.name == "GOENV");
        let severity = if has_goenv { Warning } else { Error };
        Some(self.finding(Code::GoenvElsewhere, severity, says, why, ""))
    }

    /// Reports patterns that exclude public code from verification.
    fn public_code(&self, value: &str) -> Option<DoctorFinding> {
        let public = public_as_shown(value);
        if public.is_empty() {
            return None;
        }
        let what = if public.iter().any(|glob| is_all(glob)) {
            "disables the checksum database for every module".to_owned()
        } else {
            let public = public.join(",");
            format!("excludes public code from the checksum database: {public}")
        };
        let why = "go then accepts a module that no go.sum lists from any server: a login page or \
                   a changed module can enter the module cache.";
        let fix = "list the private modules only: GOPRIVATE=git.example.com/*";
        Some(self.finding(Code::GonosumdbAll, Warning, self.says(&what), why, fix))
    }

    fn proxy(&self, value: &str) -> Option<DoctorFinding> {
        let place = self.place;
        let parts = || value.split([',', '|']).map(str::trim);
        let is_build_cache = |part: &&str| self.facts.build_caches.iter().any(|one| one == part);
        if let Some(part) = parts().find(is_build_cache) {
            let says = format!("GOPROXY in {place} names a go build cache, {part}");
            let why = "That is GOCACHE, which holds compiled objects and no modules. go finds \
                       nothing there.";
            let fix = match self.facts.module_cache.as_deref().and_then(right_form) {
                Some(form) => {
                    format!("the module cache works as a proxy: write {form} in place of {part}")
                }
                None => "name the module cache's download directory in its place".to_owned(),
            };
            return Some(self.finding(Code::GoproxyBuildCache, Error, says, why, fix));
        }
        // go adds https:// before a text that has a slash and no scheme.
        let starts = ["~", "$", "./", "../"];
        let is_host = |part: &&str| starts.iter().any(|start| part.starts_with(start));
        let (part, what) = match (Chain::parse(value), parts().find(is_host)) {
            (Err(error), _) => {
                let (start, length) = error.at;
                let part = value.get(start..start + length).unwrap_or(value);
                let says = format!("go refuses GOPROXY in {place}: {}", error.message);
                (part, says)
            }
            (Ok(_), Some(part)) => {
                let says =
                    format!("GOPROXY in {place}: go takes {part} for a host, https://{part}");
                (part, says)
            }
            (Ok(_), None) => {
                let mark = lookalike::in_list(value).into_iter().next()?;
                let says = format!("GOPROXY in {place}: {mark}");
                let why = "go takes it as a part of the host's name, and no such host exists.";
                return Some(self.finding(Code::GoproxyInvalid, Error, says, why, mark.help()));
            }
        };
        let fix = right_form(part).map(|form| format!("write {form} in place of {part}"));
        let why = "Every download fails with it, whatever else the list names.";
        let fix = fix.unwrap_or_default();
        Some(self.finding(Code::GoproxyInvalid, Error, what, why, fix))
    }
}

/// Returns the value of a flag in GOFLAGS, where the last one counts: `vendor` for `-mod=vendor`,
/// empty if it has no value.
pub(super) fn flag<'v>(flags: &'v str, name: &str) -> Option<&'v str> {
    flags.split_whitespace().rev().find_map(|flag| {
        let flag = flag.trim_matches(['"', '\'']).trim_start_matches('-');
        match flag.strip_prefix(name)? {
            "" => Some(""),
            value => value.strip_prefix('='),
        }
    })
}

/// Returns the values that the variable accepts.
fn form(name: &str) -> &'static str {
    match name {
        "GOTOOLCHAIN" => "It takes auto, local, path, or a version as in go1.24.0.",
        "GOPATH" | "GOCACHE" | "GOMODCACHE" | "GOTMPDIR" | "GOBIN" => {
            "It takes an absolute path; the go env file expands neither ~ nor $HOME."
        }
        "GO111MODULE" => "It takes on, off or auto.",
        "GOFLAGS" => {
            "It takes flags that go knows, as -flag=value; quote a whole flag: '-tags=a b'."
        }
        "GOROOT" => "go finds its own without it.",
        "GOWORK" => "It takes off, or the absolute path of an existing go.work.",
        "GOSUMDB" => "It takes off, sum.golang.org, or a database's verifier key.",
        "GOVCS" => "It takes pattern:list pairs, separated by commas, as in *:git.",
        "GOCACHEPROG" => "It takes a program, by its path or in PATH, and its arguments.",
        "GOOS" | "GOARCH" => "`go tool dist list` lists the supported pairs.",
        _ => "",
    }
}

/// Reports whether this pattern matches every module (`module.MatchPrefixPatterns`). `*/*` excludes
/// only paths of one element, which go cannot download.
fn is_all(glob: &str) -> bool {
    let mut elements = glob.trim_end_matches('/').split('/');
    elements.all(|element| !element.is_empty() && element.bytes().all(|b| b == b'*'))
}

/// Returns the `file:///` form of a directory that is written in another form.
fn right_form(part: &str) -> Option<String> {
    let folder = if file_url::is_url(part) {
        file_url::folder_of(part)?
    } else {
        part.to_owned()
    };
    if let Some(rest) = folder.trim_start_matches('/').strip_prefix("~/") {
        return Some(format!(
            "file://$HOME/{rest} (with the path of your home directory in place of $HOME)"
        ));
    }
    if folder.starts_with('/') {
        return Some(format!("file://{}", folder.replace(' ', "%20")));
    }
    let drive = folder.get(1..2) == Some(":");
    drive.then(|| format!("file:///{}", folder.replace('\\', "/")))
}
