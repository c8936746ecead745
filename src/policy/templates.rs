//! The built-in policies; `goroam init` writes them to a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::Pin;
use crate::policy::loosen::is_plain_http;

/// A policy to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Public proxies, an alternative where those are blocked, and offline. Used unchanged if there
    /// is no policy file.
    Default,
    /// An intranet with its own proxy, with placeholders to replace.
    Corporate,
    /// Two of three public hosts decide, as in the first tools that switched GOPROXY.
    Classic,
}

impl Template {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Template; 3] = [Template::Default, Template::Corporate, Template::Classic];

    /// Returns the template with this name.
    pub fn parse(name: &str) -> Option<Template> {
        Template::ALL
            .into_iter()
            .find(|template| template.as_str() == name)
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Template::Default => "default",
            Template::Corporate => "corporate",
            Template::Classic => "classic",
        }
    }

    /// Returns its text, commented, usable as a `goroam.toml`.
    pub fn text(self) -> &'static str {
        match self {
            Template::Default => include_str!("templates/default.toml"),
            Template::Corporate => include_str!("templates/corporate.toml"),
            Template::Classic => include_str!("templates/classic.toml"),
        }
    }
}

/// What is known about a company's proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// Its URL, without credentials and without a slash at the end.
    pub url: String,
    /// Its host, for the comments.
    pub host: String,
    /// The path of a PEM file, absolute: trusted for it in addition to the system's roots.
    pub ca: Option<String>,
    /// The pin of its key; `None`: not known, or it has none.
    pub pin: Option<Pin>,
    /// The value of GOPRIVATE; empty: not known.
    pub private: String,
    /// The value of GOSUMDB with this proxy; `None`: Go's own database.
    pub sumdb: Option<String>,
    /// Whether it lacks the module that is requested by default.
    pub lacks_default: bool,
    /// Whether it passes the checksum database on.
    pub passes_sumdb: bool,
}

impl Company {
    /// Reports whether it is requested over plain http, from another machine.
    pub fn is_in_the_clear(&self) -> bool {
        is_plain_http(&self.url)
    }

    /// Returns the policy's text, commented, usable as a `goroam.toml`. A line of the template that
    /// starts with `@` is there only for some companies (`@sum+ca`: if both hold), and has at most
    /// one placeholder.
    pub fn text(&self) -> String {
        let sumdb = self.sumdb.as_deref().unwrap_or("sum.golang.org");
        // A database with a URL of its own is not requested through the mirror, which holds its
        // proofs. If the proxy has no database, the other profiles use Go's own.
        let by_name = sumdb.split_whitespace().next();
        let by_name = by_name.filter(|name| *name != "off");
        let values = [
            ("{host}", comment(&self.host)),
            ("{url}", quoted(&self.url)),
            ("{ca}", quoted(self.ca.as_deref().unwrap_or_default())),
            (
                "{pin}",
                self.pin
                    .as_ref()
                    .map_or_else(String::new, |pin| STANDARD.encode(pin.0)),
            ),
            ("{sumdb}", quoted(sumdb)),
            ("{mirrored}", quoted(by_name.unwrap_or("sum.golang.org"))),
            (
                "{private}",
                match self.private.as_str() {
                    "" => "#: GOPRIVATE = \"git.corp.example\"".to_owned(),
                    list => format!("GOPRIVATE = {}", quoted(list)),
                },
            ),
        ];
        let mut out = String::new();
        for line in include_str!("templates/company.toml").lines() {
            let optional = line.strip_prefix('@');
            let optional = optional.map(|line| line.split_once(' ').unwrap_or((line, "")));
            let (marks, line) = optional.unwrap_or(("", line));
            let is_there = marks.split('+').all(|mark| match mark {
                "ca" => self.ca.is_some(),
                // Without GOPRIVATE go would ask these proxies for the company's modules, too: their
                // names must not go to yet more hosts. So where they are not known, it is left out.
                "private" => !self.private.is_empty(),
                "pin" => self.pin.is_some(),
                "lacks" => self.lacks_default,
                "has" => !self.lacks_default,
                "clear" => self.is_in_the_clear(),
                "sum" => self.passes_sumdb,
                "nosum" => !self.passes_sumdb,
                _ => true,
            });
            if is_there {
                let value = values.iter().find(|(name, _)| line.contains(name));
                out.push_str(
                    &value.map_or(line.to_owned(), |(name, value)| line.replace(name, value)),
                );
                out.push('\n');
            }
        }
        out
    }
}

/// Returns a TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Makes the text fit for a comment, which ends with its line.
fn comment(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod company_tests {
    use std::path::Path;

    use super::Company;
    use crate::model::Pin;
    use crate::policy::file::{Parsed, PolicyLocation, parse};

    fn company() -> Company {
        Company {
            url: "https://goproxy.corp.example".to_owned(),
            host: "goproxy.corp.example".to_owned(),
            ca: Some("/etc/corp \"old\"\\ca.pem".to_owned()),
            pin: Some(Pin([7; 32])),
            private: "*.corp.example,github.com/corp".to_owned(),
            sumdb: None,
            lacks_default: false,
            passes_sumdb: false,
        }
    }

    fn parsed(text: &str) -> Parsed {
        let place = PolicyLocation {
            folder: Path::new("/home/me/.config/goroam"),
            home: Some(Path::new("/home/me")),
        };
        parse(text, place)
    }

    fn codes(company: &Company) -> Vec<&'static str> {
        let parsed = parsed(&company.text());
        assert!(parsed.policy.is_some(), "{:?}", parsed.findings);
        parsed.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn whatever_is_known_it_is_a_policy_without_any_finding() {
        let without_sum = company();
        assert_eq!(codes(&without_sum), [""; 0]);
        let all = Company {
            passes_sumdb: true,
            ..without_sum
        };
        assert_eq!(codes(&all), [""; 0]);
        let bare = Company {
            ca: None,
            pin: None,
            private: String::new(),
            lacks_default: true,
            ..all.clone()
        };
        assert_eq!(codes(&bare), [""; 0]);
        let near = Company {
            url: "http://127.0.0.1:3000".to_owned(),
            ..bare.clone()
        };
        assert_eq!(codes(&near), [""; 0]);
        for line in all.text().lines().filter(|line| line.starts_with('#')) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn what_is_known_stands_in_it() {
        let policy = parsed(&company().text()).policy.unwrap();
        let target = &policy.targets["company"];
        assert!(target.private);
        assert_eq!(target.pins, [Pin([7; 32])]);
        assert_eq!(target.ca, [Path::new("/etc/corp \"old\"\\ca.pem")]);
        assert_eq!(target.goproxy_url(), Some("https://goproxy.corp.example"));
        assert!(!policy.profiles.iter().any(|profile| profile.is_loose()));
    }

    #[test]
    fn plain_http_is_accepted_in_so_many_words_only() {
        let clear = Company {
            url: "http://goproxy.corp.example:8081".to_owned(),
            ca: None,
            pin: None,
            ..company()
        };
        assert_eq!(codes(&clear), ["loosens-accepted"]);
        let with_sum = Company {
            passes_sumdb: true,
            ..clear.clone()
        };
        assert_eq!(codes(&with_sum), ["loosens-accepted"; 2]);
        assert!(clear.text().contains("THE RISK"));
    }

    #[test]
    fn its_settings_can_be_taken_up() {
        let text = Company {
            private: String::new(),
            ..company()
        }
        .text();
        let taken = text.replace("#: ", "");
        assert_ne!(text, taken);
        let parsed = parsed(&taken);
        assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::{Parsed, PolicyLocation, parse};

    fn parsed(template: Template) -> Parsed {
        let place = PolicyLocation {
            folder: Path::new("/home/me/.config/goroam"),
            home: Some(Path::new("/home/me")),
        };
        parse(template.text(), place)
    }

    fn codes(template: Template) -> Vec<&'static str> {
        parsed(template)
            .findings
            .into_iter()
            .map(|finding| finding.code)
            .collect()
    }

    #[test]
    fn every_template_is_a_policy() {
        for template in Template::ALL {
            assert!(
                parsed(template).policy.is_some(),
                "{:?}",
                parsed(template).findings
            );
            assert_eq!(Template::parse(template.as_str()), Some(template));
            for line in template.text().lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        assert_eq!(Template::parse("nothing"), None);
    }

    #[test]
    fn default_and_corporate_are_without_any_finding() {
        assert_eq!(codes(Template::Default), [""; 0]);
        assert_eq!(codes(Template::Corporate), [""; 0]);
    }

    #[test]
    fn classic_says_what_it_risks() {
        assert_eq!(codes(Template::Classic), ["loosens-accepted"]);
    }

    #[test]
    fn only_classic_weakens_verification() {
        for template in Template::ALL {
            let policy = parsed(template).policy.unwrap();
            let loose = policy.profiles.iter().any(|profile| profile.is_loose());
            assert_eq!(loose, template == Template::Classic, "{template:?}");
        }
    }

    #[test]
    fn corporate_stays_clean_when_its_comments_are_taken_up() {
        // Every commented-out setting parses after its `#` is removed.
        let text: Vec<String> = Template::Corporate
            .text()
            .lines()
            .map(|line| match line.strip_prefix("#: ") {
                Some(setting) => setting.to_owned(),
                None => line.to_owned(),
            })
            .collect();
        let place = PolicyLocation {
            folder: Path::new("/etc"),
            home: None,
        };
        let parsed = parse(&text.join("\n"), place);
        assert!(text.join("\n") != Template::Corporate.text());
        assert!(parsed.policy.is_some(), "{:?}", parsed.findings);
    }
}
