//! The chain that goroam would write in place of another one. Pure.

use super::predict::{AnswerKind, AskedHop};
use crate::model::{Chain, Hop, HopKind, Separator};
use crate::relay::rules::hop::HopClass;

/// Rewrites a chain so that it is quick here and sends no name to a hop that should not get it. A
/// public hop is followed by `|`, a private one by `,`, so that its outage sends no name on. Hops
/// that do not work are left out, except those that may keep names from the next one: private
/// hops, and unknown ones before a `,`.
pub fn safe_form(hops: &[AskedHop]) -> Chain {
    let stays = |hop: &&AskedHop| match hop.class {
        Some(HopClass::Public | HopClass::Local) => works(hop),
        Some(HopClass::Gatekeeper) => works(hop) || hop.then != Some(Separator::Pipe),
        Some(HopClass::Private) | None => true,
    };
    let stay: Vec<&AskedHop> = hops.iter().filter(stays).collect();
    let followed = stay.iter().map(|hop| Some(*hop)).skip(1).chain([None]);
    let mut safe: Vec<Hop> = stay
        .iter()
        .zip(followed)
        .map(|(hop, next)| Hop {
            kind: hop.kind.clone(),
            then: next.map(|next| match (hop.class, &next.kind) {
                (Some(HopClass::Public), HopKind::Proxy(_) | HopKind::File(_)) => Separator::Pipe,
                (Some(HopClass::Private), _) => Separator::Comma,
                _ => hop.then.unwrap_or(Separator::Comma),
            }),
            at: (0, 0),
        })
        .collect();
    if safe.is_empty() {
        safe.push(Hop {
            kind: HopKind::Off,
            then: None,
            at: (0, 0),
        });
    }
    Chain {
        hops: safe,
        ignored: None,
    }
}

fn works(hop: &AskedHop) -> bool {
    let answers = [&hop.answers.info, &hop.answers.go_mod, &hop.answers.zip];
    answers.iter().all(|answer| {
        use AnswerKind::{Failed, Mismatch, Silent, Wrong};
        let broken = [Failed, Mismatch, Wrong, Silent];
        !broken.contains(&answer.kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{HopAnswer, HopAnswers};

    /// Classes by the first letter of the host; `dead` in it: it does not work.
    fn safe(chain: &str) -> String {
        let chain = Chain::parse(chain).unwrap();
        let asked = chain.hops.into_iter().map(|hop| {
            let (class, is_dead) = match &hop.kind {
                HopKind::Proxy(url) => (
                    Some(match url.get(8..9) {
                        Some("p") => HopClass::Private,
                        Some("w") => HopClass::Public,
                        _ => HopClass::Gatekeeper,
                    }),
                    url.contains("dead"),
                ),
                HopKind::File(_) => (Some(HopClass::Local), false),
                HopKind::Direct | HopKind::Off => (None, false),
            };
            let mut answers = HopAnswers::default();
            if is_dead {
                answers.info = HopAnswer {
                    kind: AnswerKind::Silent,
                    ..HopAnswer::default()
                };
            }
            AskedHop {
                kind: hop.kind,
                then: hop.then,
                class,
                answers,
            }
        });
        let asked: Vec<AskedHop> = asked.collect();
        let text = safe_form(&asked).to_string();
        text.replace("https://", "").replace(".test", "")
    }

    #[test]
    fn what_is_dead_is_left_out_unless_it_guards() {
        for (chain, want) in [
            ("w1.test,w2.test,direct", "w1|w2,direct"),
            ("wdead.test,w2.test,direct", "w2,direct"),
            ("wdead.test|direct", "direct"),
            ("wdead.test", "off"),
            ("p.test|w.test,off", "p,w,off"),
            ("pdead.test,w.test", "pdead,w"),
            ("pdead.test|w.test", "pdead,w"),
            ("udead.test,w.test", "udead,w"),
            ("udead.test|w.test", "w"),
            ("u.test|w.test|direct", "u|w|direct"),
            ("file:///srv/m,w.test", "file:///srv/m,w"),
        ] {
            assert_eq!(safe(chain), want, "{chain}");
        }
    }
}
