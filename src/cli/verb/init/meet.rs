//! Meets the company's proxy: its name, its certificate, its content, and the checksum database
//! behind it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::dialogue::marked;
use super::found::Found;
use super::{NO_PRIVATE, Wizard};
use crate::bounded;
use crate::cli::Failure;
use crate::cli::render::Mark;
use crate::model::target::{DEFAULT_MODULE, DEFAULT_SUM};
use crate::model::{Limits, Observation, Phase, Pin, RelayLimits, SumDb, Target, TargetKind};
use crate::policy::templates::Company;
use crate::probe::{Introduction, introduce};

/// More than any bundle of certificates has, in bytes.
const MOST_PEM: u64 = 16 << 20;

impl Wizard<'_> {
    /// Probes the proxy, with a CA file if it needs one. Also reports whether GOPRIVATE is a guess.
    /// `None`: the name does not exist, and the user takes it back.
    pub(super) async fn meet(
        &mut self,
        found: &Found,
        address: Address,
    ) -> Result<Option<(Company, bool, Observation)>, Failure> {
        let (private, guessed) = self.private(found, &address.host)?;
        let mut company = Company {
            url: address.url,
            host: address.host,
            sumdb: found.sumdb().map(str::to_owned),
            private,
            ..Company::default()
        };
        if company.is_in_the_clear() {
            self.dialogue.remark(
                "http: anyone who controls the network can answer in its place, so nothing that \
                 it says proves anything; `goroam check` will warn. Better ask it over https",
            )?;
        }
        let refuse = |why| Failure::usage(format_args!("--ca: {why}"));
        let ca = self.args.ca.as_deref().map(|path| self.ca_file(path));
        let mut ca = ca.transpose().map_err(refuse)?;
        self.dialogue
            .say(&format!("  asking {} …\n", company.url))?;
        let mut met = self.probe_proxy(&company.url, ca.as_deref()).await;
        if is_unknown(&met) && !self.keeps_unknown(&met).await? {
            return Ok(None);
        }
        if self.dialogue.asks && met.untrusted && ca.is_none() {
            self.dialogue.remark(&format!(
                "{}: its certificate is not signed by a trusted CA",
                met.observation.reason
            ))?;
        }
        while self.dialogue.asks && met.untrusted && ca.is_none() {
            let question = "Its CA's certificate, a PEM file [the system's roots alone]";
            let read = |text: &str| match text.trim() {
                "" => Ok(None),
                path => self.ca_file(Path::new(path)).map(Some),
            };
            let Some(path) = self.dialogue.ask(question, read).await? else {
                break;
            };
            let again = self.probe_proxy(&company.url, Some(&path)).await;
            if again.untrusted {
                let refusal = marked(Mark::Odd, "that CA did not sign it either");
                self.dialogue.say(&refusal)?;
            } else {
                (ca, met) = (Some(path), again);
            }
        }
        company.ca = ca.map(|path| path.to_string_lossy().into_owned());
        company.lacks_default = met.lacks_module;
        company.pin = met.key.clone().filter(|_| is_itself(&met));
        self.tell(&company, &met)?;
        if is_itself(&met) {
            self.meet_database(&mut company).await?;
        }
        if guessed {
            self.dialogue.remark(&format!(
                "GOPRIVATE = {} is a guess from the proxy's name; `--private` or an editor can do \
                 better",
                company.private
            ))?;
        }
        if company.private.is_empty() && self.args.private.is_none() {
            self.dialogue.remark(NO_PRIVATE)?;
        }
        Ok(Some((company, guessed, met.observation)))
    }

    /// Asks whether to use a name that does not exist here: it may be a typo, or known only inside.
    async fn keeps_unknown(&mut self, met: &Introduction) -> Result<bool, Failure> {
        let reason = &met.observation.reason;
        if self.args.yes {
            return Ok(true);
        }
        if !self.dialogue.asks {
            return Err(Failure::usage(format_args!(
                "--proxy: {reason}. Correct the name; if it is right and only known elsewhere, \
                 confirm it with --yes (--no-service leaves the start at login out)"
            )));
        }
        self.dialogue.remark(reason)?;
        self.dialogue
            .confirms("Is the name right, and only known elsewhere")
            .await
    }

    /// Asks the checksum database as go will: through the proxy, else itself.
    async fn meet_database(&mut self, company: &mut Company) -> io::Result<()> {
        let db = SumDb::parse(company.sumdb.as_deref().unwrap_or("sum.golang.org"));
        let Ok(db @ SumDb::Database { .. }) = db else {
            return Ok(());
        };
        let name = db.name().to_owned();
        let has_url = matches!(&db, SumDb::Database { url: Some(_), .. });
        let ca = company.ca.as_deref().map(Path::new);
        let mut ways = Vec::new();
        // With a URL of its own go never asks a proxy (`modfetch/sumdb.go:initBase`).
        for via in [Some(&company.url).filter(|_| !has_url), None] {
            if via.is_none() && ways.is_empty() && !has_url {
                continue;
            }
            let kind = TargetKind::SumDb {
                db: db.clone(),
                via: via.cloned(),
            };
            let seen = self
                .probe(kind, ca.filter(|_| via.is_some()))
                .await
                .observation;
            if seen.is_up() {
                company.passes_sumdb = via.is_some();
                let way = if via.is_some() {
                    "through the proxy"
                } else {
                    "itself"
                };
                return self
                    .dialogue
                    .good(&format!("{name} answers {way}: {}", seen.reason));
            }
            ways.push(seen.reason);
        }
        self.dialogue.remark(&format!(
            "the checksum database {name} does not answer ({}): public modules that no go.sum \
             lists fail here, as in `go get`. The proxy should pass on {}/sumdb/{name}/",
            ways.join("; "),
            company.url
        ))
    }

    fn tell(&mut self, company: &Company, met: &Introduction) -> io::Result<()> {
        let (seen, dialogue) = (&met.observation, &mut self.dialogue);
        if seen.is_up() {
            dialogue.good(&format!("it is a module proxy: {}", seen.reason))?;
        } else if met.lacks_module {
            dialogue.remark(&format!(
                "it {}; name a module that it has in the policy, or it never counts as up",
                seen.reason
            ))?;
        } else if met.untrusted {
            dialogue.remark(&format!(
                "{}: {}. No CA that is trusted here has signed it: name the company's with --ca \
                 FILE (PEM), or it never counts as up",
                seen.verdict, seen.reason
            ))?;
        } else {
            dialogue.remark(&format!(
                "{}: {}. The policy is right all the same, for when it answers",
                seen.verdict, seen.reason
            ))?;
        }
        if let Some(caveat) = &seen.caveat {
            dialogue.remark(caveat)?;
        }
        if let Some(Pin(key)) = &company.pin {
            dialogue.good(&format!("its key is sha256/{}", STANDARD.encode(key)))?;
        }
        Ok(())
    }

    async fn probe_proxy(&self, url: &str, ca: Option<&Path>) -> Introduction {
        let kind = TargetKind::GoProxy {
            url: url.to_owned(),
            module: DEFAULT_MODULE.0.to_owned(),
            version: DEFAULT_MODULE.1.to_owned(),
            sum: Some(DEFAULT_SUM.to_owned()),
            zip_sum: None,
        };
        self.probe(kind, ca).await
    }

    async fn probe(&self, kind: TargetKind, ca: Option<&Path>) -> Introduction {
        let target = Target {
            name: "company".to_owned(),
            kind,
            limits: Limits {
                // The user waits, and can ask again.
                retries: 0,
                patience: Duration::from_secs(30),
                ..Limits::default()
            },
            relay: RelayLimits::default(),
            private: true,
            ca: ca.map(Path::to_owned).into_iter().collect(),
            pins: Vec::new(),
        };
        introduce(&self.context.env, &target).await
    }

    /// Returns an absolute path to a file that contains a certificate.
    fn ca_file(&self, path: &Path) -> Result<PathBuf, String> {
        let path = match (path.strip_prefix("~"), self.context.env.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        let shown = path.display();
        if path.to_str().is_none_or(|text| text.contains("${")) {
            return Err(format!("{shown}: a policy cannot hold such a name"));
        }
        let text = bounded::read(&path, MOST_PEM).map_err(|error| format!("{shown}: {error}"))?;
        let begin = b"-----BEGIN CERTIFICATE-----";
        if text.windows(begin.len()).any(|part| part == begin) {
            return Ok(path);
        }
        let why = "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
        Err(format!("{shown}: {why}"))
    }
}

/// Reports whether no server has the name: it may be mistyped.
fn is_unknown(met: &Introduction) -> bool {
    met.observation.definite && met.observation.failed == Some(Phase::Dns)
}

/// Reports whether the proxy is genuine. It may still lack the module or require credentials.
fn is_itself(met: &Introduction) -> bool {
    let seen = &met.observation;
    seen.is_up() || (seen.definite && seen.failed == Some(Phase::Content) && met.lacks_module)
}
