//! The policies that goroam carries with it; `goroam init` writes them out.

mod company;

pub use company::Company;

/// A policy to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Public proxies, a second way where those are blocked, and offline. Used as it is when
    /// there is no policy file.
    Default,
    /// An intranet with a proxy of its own, by placeholders to be replaced.
    Corporate,
    /// Two of three public hosts decide, as the first switchers of GOPROXY did it.
    Classic,
}

impl Template {
    /// All of them, in the order in which messages list them.
    pub const ALL: [Template; 3] = [Template::Default, Template::Corporate, Template::Classic];

    /// The template with this name.
    pub fn parse(name: &str) -> Option<Template> {
        Template::ALL
            .into_iter()
            .find(|template| template.as_str() == name)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Template::Default => "default",
            Template::Corporate => "corporate",
            Template::Classic => "classic",
        }
    }

    /// Its text, commented, ready to be a `goroam.toml`.
    pub fn text(self) -> &'static str {
        match self {
            Template::Default => include_str!("templates/default.toml"),
            Template::Corporate => include_str!("templates/corporate.toml"),
            Template::Classic => include_str!("templates/classic.toml"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::{Parsed, Place, parse};

    fn parsed(template: Template) -> Parsed {
        let place = Place {
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
        // Every commented-out setting parses once its `#` is taken away.
        let text: Vec<String> = Template::Corporate
            .text()
            .lines()
            .map(|line| match line.strip_prefix("#: ") {
                Some(setting) => setting.to_owned(),
                None => line.to_owned(),
            })
            .collect();
        let place = Place {
            folder: Path::new("/etc"),
            home: None,
        };
        let parsed = parse(&text.join("\n"), place);
        assert!(text.join("\n") != Template::Corporate.text());
        assert!(parsed.policy.is_some(), "{:?}", parsed.findings);
    }
}
