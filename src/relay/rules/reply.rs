//! What go gets from the relay, and in which words. go prints a body only if it is `text/plain`, and
//! then at most eight lines and 648 bytes, up to the first blank line
//! (`cmd/go/internal/web/api.go`, `HTTPError`).

use super::course::Verdict;
use super::hop::{Failure, FailureKind, RelayHop};
use crate::model::chain::Separator;

/// Lines and bytes that go prints at most.
const MOST_LINES: usize = 8;
const MOST_BYTES: usize = 640;
/// Characters of one line; go prefixes each with a tab. Of a longer one (a redirect's URL) both ends
/// are kept: the proxy's name and the reason.
const LONGEST_LINE: usize = 76;
const LINE_START: usize = 50;

/// A response without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status: 404, 403 or 502.
    pub status: u16,
    /// A short text for people.
    pub text: String,
}

impl Refusal {
    /// A response with one line of text.
    pub fn new(status: u16, text: &str) -> Refusal {
        Refusal {
            status,
            text: lines([text.to_owned()]),
        }
    }

    /// What go gets for a verdict; `None` if a hop served the file.
    pub fn of(verdict: &Verdict, hops: &[RelayHop]) -> Option<Refusal> {
        match verdict {
            Verdict::Serve(_) => None,
            Verdict::NotFound => Some(Refusal::new(404, "not found: no proxy of the chain has it")),
            Verdict::NoHop => Some(Refusal::new(
                403,
                "goroam sends private module paths only to private proxies, and this chain has none",
            )),
            Verdict::Failed(failures) => {
                let name = |hop: usize| hops.get(hop).map_or("?", |hop| hop.name.as_str());
                let each = failures.iter().map(|(hop, failure)| match name(*hop) {
                    // "connection refused by proxy.example"
                    name if failure.why.contains(name) => failure.why.clone(),
                    name => format!("{name}: {}", failure.why),
                });
                Some(Refusal {
                    status: 502,
                    text: lines(each.chain(kept_back(failures, hops))),
                })
            }
        }
    }
}

/// Why the hops behind the last one that failed were not asked: people expect that they are.
fn kept_back(failures: &[(usize, Failure)], hops: &[RelayHop]) -> Option<String> {
    let (last, failure) = failures.iter().max_by_key(|(hop, _)| *hop)?;
    let hop = hops.get(*last)?;
    let next = hops.get(last + 1).filter(|next| !next.is_own)?;
    let is_answer = failure.kind == FailureKind::Refused;
    let stops = hop.then == Some(Separator::Comma) && (is_answer || !hop.outage_moves_on());
    let (hop, next) = (&hop.name, &next.name);
    stops.then(|| format!("the comma after {hop} keeps {next} from being asked"))
}

/// Joins lines so that go prints all of them: bounded, printable, none empty.
fn lines(each: impl IntoIterator<Item = String>) -> String {
    let mut text = String::new();
    for line in each.into_iter().take(MOST_LINES) {
        let printable = line.chars().map(|c| if c.is_control() { ' ' } else { c });
        let line = shortened(printable.collect());
        if line.trim().is_empty() {
            continue;
        }
        if text.len() + line.len() + 1 > MOST_BYTES {
            break;
        }
        text.push_str(line.trim());
        text.push('\n');
    }
    text
}

fn shortened(line: String) -> String {
    let Some(too_long) = line.chars().count().checked_sub(LONGEST_LINE + 1) else {
        return line;
    };
    let (start, end) = (line.chars().take(LINE_START), line.chars());
    let end = end.skip(LINE_START + too_long + 2);
    start.chain(['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chain::HopKind;
    use crate::relay::rules::hop::{HopClass, HopLimits};

    fn hop(name: &str) -> RelayHop {
        RelayHop {
            name: name.to_owned(),
            kind: HopKind::Proxy(format!("https://{name}")),
            class: HopClass::Public,
            is_own: false,
            sees_private: false,
            then: Some(Separator::Comma),
            limits: HopLimits::default(),
        }
    }

    #[test]
    fn whoever_waits_for_the_next_proxy_is_told_why_it_is_not_asked() {
        let text = |hops: &[RelayHop], failed: usize, kind| {
            let failed = vec![(failed, Failure::new(kind, "is broken"))];
            Refusal::of(&Verdict::Failed(failed), hops).unwrap().text
        };
        let mut hops = [hop("a.test"), hop("b.test"), hop("c.test")];
        let kept = "b.test: is broken\nthe comma after b.test keeps c.test from being asked\n";
        assert_eq!(text(&hops, 1, FailureKind::Fast), "b.test: is broken\n");
        assert_eq!(text(&hops, 1, FailureKind::Refused), kept);
        hops[1].class = HopClass::Gatekeeper;
        assert_eq!(text(&hops, 1, FailureKind::Fast), kept);
        assert_eq!(text(&hops, 2, FailureKind::Fast), "c.test: is broken\n");
        // The mirror of exec is asked in any case.
        hops[2].is_own = true;
        assert_eq!(text(&hops, 1, FailureKind::Fast), "b.test: is broken\n");
    }

    #[test]
    fn go_prints_every_line_of_a_502() {
        let hops: Vec<RelayHop> = (0..12).map(|n| hop(&format!("proxy{n}.example"))).collect();
        let failure = |n: usize| {
            let why = format!("\x1b[31mbroken\r\n\r\n {}end", "long ".repeat(n * 10));
            Failure::new(FailureKind::Fast, why)
        };
        let failures = (0..12).map(|n| (n, failure(n))).collect();
        let refusal = Refusal::of(&Verdict::Failed(failures), &hops).unwrap();
        assert_eq!(refusal.status, 502);
        assert!(refusal.text.len() <= 648, "{}", refusal.text.len());
        let lines: Vec<&str> = refusal.text.lines().collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(lines[0], "proxy0.example:  [31mbroken     end");
        assert!(lines.iter().all(|line| line.ends_with("end")), "{lines:?}");
        for line in lines {
            assert!(!line.trim().is_empty() && line.chars().count() < 80);
            assert!(!line.chars().any(char::is_control));
        }
    }
}
