//! Mozilla's public suffix list: whether `*.nsw.edu.au` or `*.ngrok.io` belongs to one owner.
//!
//! The list is kept as text (155 KB). The crate `psl` compiles it into code, which takes 745 KB of a
//! program that may have 8 MB; it is the oracle of the test.

/// The rules, sorted by their first word, after a header that ends with an empty line.
const LIST: &str = include_str!("public_suffixes.txt");

/// A domain's public suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicSuffix {
    /// Its length in bytes.
    pub(super) length: usize,
    /// Of a hoster, whose customers own the names below it; otherwise of a registry.
    pub(super) is_private: bool,
}

/// Returns the public suffix of a domain in lower case, by the algorithm of
/// <https://publicsuffix.org/list/>: the longest rule counts, an exception before all others, and
/// without a rule the last label. `None`: the domain is empty.
pub(super) fn public_suffix(domain: &str) -> Option<PublicSuffix> {
    let mut name = domain;
    loop {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        if let Some(parent) = parent
            && let Some(is_private) = rule("!", name)
        {
            let length = parent.len();
            return Some(PublicSuffix { length, is_private });
        }
        let own = rule("", name).or_else(|| rule("*.", parent?));
        if let Some(is_private) = own {
            let length = name.len();
            return Some(PublicSuffix { length, is_private });
        }
        match parent {
            Some(parent) => name = parent,
            None => {
                let length = name.len();
                let is_private = false;
                return (length > 0).then_some(PublicSuffix { length, is_private });
            }
        }
    }
}

/// Looks for the rule of this prefix and name; returns whether it is a hoster's.
fn rule(prefix: &str, name: &str) -> Option<bool> {
    let (_, mut rules) = LIST.split_once("\n\n")?;
    let wanted = || prefix.bytes().chain(name.bytes());
    while !rules.is_empty() {
        // The line in the middle.
        let middle = rules.len() / 2;
        let start = rules.get(..middle)?.rfind('\n').map_or(0, |at| at + 1);
        let end = middle + rules.get(middle..)?.find('\n')?;
        let line = rules.get(start..end)?;
        let (rule, kind) = line.split_once(' ').unwrap_or((line, ""));
        match wanted().cmp(rule.bytes()) {
            std::cmp::Ordering::Equal => return Some(kind == "p"),
            std::cmp::Ordering::Less => rules = rules.get(..start)?,
            std::cmp::Ordering::Greater => rules = rules.get(end + 1..)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_psl(domain: &str) -> Option<PublicSuffix> {
        let suffix = psl::suffix(domain.as_bytes())?;
        Some(PublicSuffix {
            length: suffix.as_bytes().len(),
            is_private: suffix.typ() == Some(psl::Type::Private),
        })
    }

    #[test]
    fn the_list_is_sorted_and_every_rule_is_found() {
        let (_, rules) = LIST.split_once("\n\n").unwrap();
        let words = || rules.lines().map(|line| line.split(' ').next().unwrap());
        assert!(words().is_sorted(), "a lookup needs the order of the bytes");
        assert!(words().count() > 10_000);
        for word in words() {
            assert!(rule("", word).is_some(), "{word}");
        }
    }

    #[test]
    fn the_crate_with_the_same_list_agrees() {
        let (_, rules) = LIST.split_once("\n\n").unwrap();
        let mut others = 0;
        for line in rules.lines() {
            let rule = line.split(' ').next().unwrap();
            let name = rule.trim_start_matches('!').replace("*.", "any.");
            for domain in [
                name.clone(),
                format!("one.{name}"),
                format!("two.one.{name}"),
            ] {
                others += usize::from(public_suffix(&domain) != by_psl(&domain));
            }
        }
        // The crate's list is some weeks older or newer.
        assert!(others < 30, "{others} differ");
    }

    #[test]
    fn names_without_a_rule_end_with_their_last_label() {
        for domain in ["localhost", "corp.test", "a.b.corp.internal", ""] {
            assert_eq!(public_suffix(domain), by_psl(domain), "{domain}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_it_panic(domain in "(?s).{0,60}") {
            public_suffix(&domain);
        }
    }
}
