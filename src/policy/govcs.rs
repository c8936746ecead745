//! GOVCS, as `cmd/go/internal/vcs.parseGOVCS` reads it: which version control programs go may run
//! for which modules. The first rule that matches applies; `private:all,public:git|hg` follows all
//! rules.

use super::finding::{PolicyFinding, shown};
use crate::model::Patterns;
use crate::model::mask::blot;
use crate::model::pattern::faults as pattern_faults;

/// The programs that go knows (`vcs.vcsList`), and the words for all of them and for none.
const KNOWN: [&str; 7] = ["git", "hg", "svn", "bzr", "fossil", "all", "off"];

/// The programs that go does not run for public code by default: they were never reviewed for
/// attacks by a hostile server (`go help vcs`).
const BEYOND: [&str; 4] = ["svn", "bzr", "fossil", "all"];

/// One rule: the paths it matches, and the programs it allows for them.
struct Rule<'a> {
    /// Byte offset and length within the value.
    at: (usize, usize),
    pattern: &'a str,
    allowed: Vec<&'a str>,
}

/// Reports whether the value lets go run more for public code than go's default does.
pub(super) fn loosens(value: &str) -> bool {
    let Ok(rules) = parse(value) else {
        return false; // go then runs nothing at all
    };
    for rule in rules {
        let beyond = rule.allowed.iter().any(|name| BEYOND.contains(name));
        match rule.pattern {
            "private" => {}
            "public" => return beyond,
            pattern => {
                if beyond && Patterns::parse(pattern).public().next().is_some() {
                    return true;
                }
                if pattern == "*" {
                    return false; // go reaches no rule after it
                }
            }
        }
    }
    false
}

/// Checks a value; its credentials are hidden before it is split.
pub(super) fn check(value: &str) -> Vec<PolicyFinding> {
    let value = blot(value);
    let rules = match parse(&value) {
        Ok(rules) => rules,
        Err(fault) => return vec![*fault],
    };
    let mut faults = Vec::new();
    for Rule {
        at,
        pattern,
        allowed,
    } in rules
    {
        if !matches!(pattern, "private" | "public") {
            faults.extend(pattern_faults(pattern).into_iter().map(|wrong| {
                let fault = PolicyFinding::fault("bad-pattern", wrong.to_string());
                fault.at(at).help(wrong.help).mild()
            }));
        }
        if let Some(unknown) = allowed.iter().find(|name| !KNOWN.contains(name)) {
            let message = format!("go knows no version control `{}`", shown(unknown));
            let help = format!("one or more of {}, with `|` between", KNOWN.join(", "));
            let fault = PolicyFinding::fault("bad-govcs", message);
            faults.push(fault.at(at).help(help).mild());
        }
    }
    faults
}

fn parse(value: &str) -> Result<Vec<Rule<'_>>, Box<PolicyFinding>> {
    let mut rules: Vec<Rule<'_>> = Vec::new();
    if value.trim().is_empty() {
        return Ok(rules);
    }
    let mut start = 0;
    for part in value.split(',') {
        let item = part.trim();
        let at = (start + (part.len() - part.trim_start().len()), item.len());
        start += part.len() + 1;
        let (pattern, list) = item.split_once(':').unwrap_or((item, ""));
        let (pattern, list) = (pattern.trim(), list.trim());
        let allowed: Vec<&str> = list.split('|').map(str::trim).collect();
        let mut elements = pattern.split('/');
        let wrong = match item {
            "" => "empty entry",
            _ if !item.contains(':') => "missing colon",
            _ if pattern.is_empty() => "empty pattern",
            _ if list.is_empty() => "empty list",
            _ if matches!(elements.next(), Some("." | "..")) => "relative pattern",
            _ if rules.iter().any(|rule| rule.pattern == pattern) => "duplicate pattern",
            _ if allowed.contains(&"") => "empty name",
            _ => {
                rules.push(Rule {
                    at,
                    pattern,
                    allowed,
                });
                continue;
            }
        };
        let message = format!("{wrong} in GOVCS: go runs no version control then");
        let fault = PolicyFinding::fault("bad-govcs", message).at(at);
        let help = "for example: GOVCS = \"git.corp.example:git,public:off\"";
        return Err(Box::new(fault.help(help)));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_git_and_hg_for_public_code_loosens() {
        for (value, loose) in [
            ("*:all", true),
            ("public:all", true),
            ("public:git|svn", true),
            (" public : git | bzr ", true),
            ("*:git|fossil", true),
            ("github.com:all", true),
            ("*.com:svn", true),
            ("github.com/*:all", true),
            ("github.com/:all", true),
            ("*//:all", false),
            ("git.corp.example:off,*:all", true),
            ("private:off,public:all", true),
            ("", false),
            ("*:git", false),
            ("*:off", false),
            ("*:git|hg", false),
            ("private:all,public:git|hg", false),
            ("public:off", false),
            ("git.corp.example:all", false),
            ("*.corp.example:svn", false),
            ("github.com/acme:all", false),
            ("public:git,*:all", false),
            ("*:git,github.com:all", false),
            ("*:all,", false),
            ("*", false),
        ] {
            assert_eq!(loosens(value), loose, "{value}");
        }
    }

    #[test]
    fn slips_are_named_and_right_values_are_not() {
        for (value, code) in [
            ("", ""),
            ("public:git|hg,private:all", ""),
            ("git.corp.example:svn,public:off", ""),
            ("*:all", ""),
            ("git", "bad-govcs"),
            ("a.b:git,", "bad-govcs"),
            (":git", "bad-govcs"),
            ("a.b:", "bad-govcs"),
            ("a.b:git,a.b:hg", "bad-govcs"),
            ("./x:git", "bad-govcs"),
            ("a.b:git||hg", "bad-govcs"),
            ("a.b:got", "bad-govcs"),
            ("a.b:8443:git", "bad-govcs"),
            (".corp.example:git", "bad-pattern"),
            ("\"a.b\":git", "bad-pattern"),
        ] {
            let codes: Vec<&str> = check(value).iter().map(|fault| fault.code).collect();
            let want: Vec<&str> = [code].into_iter().filter(|code| !code.is_empty()).collect();
            assert_eq!(codes, want, "{value}");
        }
    }
}
