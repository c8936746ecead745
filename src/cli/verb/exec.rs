//! `goroam exec`

use crate::agent::error::EXIT_FAILED;
use crate::agent::{ProjectHere, Session, current_folder, user_env};
use crate::cli::args::{parse_limit, parse_span};
use crate::cli::render::{BAD, GOOD, ODD, clean, duration, paint};
use crate::cli::verb::relay::kept_in;
use crate::cli::{Context, Failure};
use crate::environment::Environment;
use crate::exec::stall::StallLimits;
use crate::exec::tiers::{TIER, plan};
use crate::exec::{
    self, AttemptReport, Blame, BlameReason, Blamed, Class, ExecEvent, ExecPlan, ExecRelay,
    ExecSignals, ExecSummary, FrozenSettings, LocalSources, RelayTerms, TierPlan, usable,
};
use crate::gocmd::find;
use crate::model::{RelayLimits, Tier, plural};
use crate::policy::Policy;
use crate::relay::rules::chain::KnownProxies;
use crate::relay::rules::hop::HopLimits;
use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// `goroam exec`
#[derive(Debug, Clone, Args)]
pub struct Exec {
    /// Sources to try, in this order
    #[arg(
        long,
        value_name = "STEP,…",
        value_enum,
        value_delimiter = ',',
        default_value = "proxy,mirror,vendor"
    )]
    pub tiers: Vec<Step>,
    /// Time limit for a connection [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub connect: Option<Duration>,
    /// Time limit for the first byte [default: 3s; 60s where no other proxy can answer]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub first_byte: Option<Duration>,
    /// Give up a download that has been silent for this time [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub stall: Option<Duration>,
    /// Total time to wait for busy servers (503, 429) that no other can stand in for
    #[arg(long, value_name = "TIME", value_parser = parse_span, default_value = "60s")]
    pub retry_budget: Duration,
    /// Form of the summary at the end
    #[arg(long, value_name = "FORM", value_enum, default_value = "text")]
    pub summary: SummaryForm,
    /// Mirror directory [env: GOROAM_MIRROR] [default: the policy's or goroam's own]
    #[arg(long = "mirror", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub place: Option<PathBuf>,
    /// Command with its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// A step of `goroam exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Step {
    /// The proxies that `go env` names.
    Proxy,
    /// The mirror and the module cache, no network.
    Mirror,
    /// The project's vendor directory.
    Vendor,
}

/// What `goroam exec` says at the end, as its last line on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryForm {
    /// One line if more than one source was tried.
    Text,
    /// One line of JSON, always.
    Json,
    /// Nothing.
    None,
}

/// Time limit for the first byte of what git, hg and ssh ask for.
const GIT_FIRST_BYTE: Duration = Duration::from_secs(8);
/// Time limit for silence within a file: a build waits rather than fails.
const STALL: Duration = Duration::from_secs(30);

/// Runs the command. Its exit code is returned, unless a step was stuck or a checksum did not
/// match.
pub(in crate::cli) async fn run(context: &Context, args: Exec) -> Result<u8, Failure> {
    // From here on signals are meant for the command.
    let mut signals = ExecSignals::listen()
        .map_err(|error| Failure::failed(format_args!("cannot listen to signals: {error}")))?;
    let paths = context.paths().ok();
    let policy = paths
        .as_ref()
        .and_then(|paths| crate::agent::load_policy(paths, &context.env).ok());
    let policy = policy.map(|loaded| loaded.policy);
    let env = env_here(context, policy.as_ref());
    let (plans, facts, relay) = plans(context, &args, policy.as_ref(), &env).await?;
    let course = ExecPlan {
        plans,
        facts,
        relay,
        command: args.command,
        env,
        limits: StallLimits {
            connect: args.connect.unwrap_or(HopLimits::default().connect),
            first_byte: args.first_byte.unwrap_or(GIT_FIRST_BYTE),
            stall: args.stall.unwrap_or(STALL),
        },
    };
    let mut news = |news: &ExecEvent<'_>| say(&exec_news(news));
    let (summary, leftovers) = exec::run(&course, &mut signals, &mut news).await;
    if let Some(relay) = &course.relay {
        relay.finish().await;
    }
    let mut text = String::new();
    // No JSON field contains what a person has to do.
    if args.summary == SummaryForm::Text
        || (args.summary == SummaryForm::Json && summary.is_for_a_person())
    {
        text = exec_summary(&summary, &course.command);
    }
    if args.summary == SummaryForm::Json {
        // The values are only numbers and strings: this cannot fail.
        text += &serde_json::to_string(&summary).unwrap_or_default();
        text.push('\n');
    }
    // First the remaining output of background processes, then the final message.
    leftovers
        .into_iter()
        .for_each(exec::OpenOutput::leave_behind);
    say(&text);
    #[cfg(unix)]
    if let Some(signal) = summary.signal {
        exec::die_by(signal);
    }
    // Windows has exit codes of 32 bits; scripts there only test for zero.
    Ok(u8::try_from(summary.exit).unwrap_or(EXIT_FAILED))
}

/// Returns the requested steps, and the relay that serves some of them. Without a go command, its
/// settings cannot be frozen, and the command runs unchanged.
async fn plans(
    context: &Context,
    args: &Exec,
    policy: Option<&Policy>,
    env: &Environment,
) -> Result<Planned, Failure> {
    let mut wanted: Vec<Tier> = Vec::new();
    for step in &args.tiers {
        let tier = match step {
            Step::Proxy => Tier::Proxy,
            Step::Mirror => Tier::Mirror,
            Step::Vendor => Tier::Vendor,
        };
        if wanted.contains(&tier) {
            return Err(Failure::usage(format_args!(
                "--tiers: {tier} is listed twice"
            )));
        }
        wanted.push(tier);
    }
    let Some(mut frozen) = frozen(env).await else {
        let plans = wanted.into_iter().map(without_go).collect();
        return Ok((plans, Default::default(), None));
    };
    // With the agent's relay in between, all proxies would be one unknown proxy.
    let goproxy = frozen.get("GOPROXY");
    let behind = Session::behind_relay(context.config.clone(), env, goproxy).await;
    if let Some(chain) = behind {
        frozen.values.insert("GOPROXY".to_owned(), chain);
    }
    let mirror = context.mirror(args.place.clone());
    let around = usable::around(&frozen, mirror);
    let terms = terms(context, args, policy, env);
    let relay = ExecRelay::start(env, (&frozen, &around), &wanted, terms).await;
    let relay = relay.unwrap_or_else(|error| {
        let text = format!("no relay ({error}): go asks the proxies itself, without falling back");
        say(&said(ODD, &text));
        None
    });
    let variables = relay.as_ref().map(ExecRelay::variables);
    let plans = plan(&frozen, &around, &wanted, variables.as_deref());
    Ok((plans, (frozen, around), relay))
}

type Planned = (
    Vec<TierPlan>,
    (FrozenSettings, LocalSources),
    Option<ExecRelay>,
);

/// Returns the environment with the values of the policy's project for this directory.
fn env_here(context: &Context, policy: Option<&Policy>) -> Environment {
    let env = user_env(context.env.clone());
    let found = current_folder(&env).ok().zip(policy);
    let Some(here) = found.and_then(|(folder, policy)| ProjectHere::find(policy, &env, &folder))
    else {
        return env;
    };
    if let Some(refusal) = here.refusal() {
        say(&said(ODD, &clean(&refusal)));
    }
    here.laid_over(&env)
}

fn terms(context: &Context, args: &Exec, policy: Option<&Policy>, env: &Environment) -> RelayTerms {
    let paths = context.paths().ok();
    let given = RelayLimits {
        connect: args.connect,
        first_byte: args.first_byte,
        stall: args.stall,
        retries: None,
    };
    let keep = policy.and_then(|policy| kept_in(policy, env));
    let known = policy.map(|policy| KnownProxies::of(policy.targets.values()));
    let usual = HopLimits {
        stall: STALL,
        ..HopLimits::default()
    };
    RelayTerms {
        known: known.unwrap_or_default().with_limits(given),
        limits: usual.with(given),
        patience: args.retry_budget,
        // Without a home directory, the directory for temporary files is what there is.
        spool: paths.map_or_else(std::env::temp_dir, |paths| paths.relay_spool()),
        keep,
    }
}

/// An unchanged command may use the network, so it can only be the first step.
fn without_go(tier: Tier) -> TierPlan {
    let how = match tier {
        Tier::Proxy => Ok(vec![(TIER.to_owned(), tier.to_string())]),
        Tier::Mirror | Tier::Vendor | Tier::Direct | Tier::Cache | Tier::Off => {
            Err("the settings of go cannot be read, so none can be set".to_owned())
        }
    };
    TierPlan {
        tier,
        is_relayed: false,
        how,
    }
}

async fn frozen(env: &Environment) -> Option<FrozenSettings> {
    let folder = std::env::current_dir().ok()?;
    let go = find::find(None, env).await;
    let go = go.inspect_err(|error| tracing::debug!(%error, "no go, so nothing is frozen"));
    let frozen = usable::freeze(&go.ok()?, env, &folder).await;
    let frozen = frozen.inspect_err(|error| {
        tracing::warn!(%error, "the settings of go cannot be read, so there is one step only");
    });
    frozen.ok()
}

/// Prints on standard error, on a separate line. If standard error is closed, the message is lost.
fn say(text: &str) {
    if text.is_empty() {
        return;
    }
    let mut err = anstream::stderr().lock();
    if exec::line_is_open() {
        drop(err.write_all(b"\n"));
    }
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}

/// Formats an event: a step was left, or goes on.
fn exec_news(news: &ExecEvent<'_>) -> String {
    let text = match news {
        ExecEvent::Left(attempt, next) => {
            format!("{}; continuing with the {next}", what(attempt))
        }
        ExecEvent::Patient(stuck, lacks) => {
            let text = format!("{stuck}; go is left running, since no other step could do better");
            if lacks.is_empty() {
                text
            } else {
                format!("{text} ({})", reasons(lacks))
            }
        }
    };
    said(ODD, &text)
}

/// Formats the summary: the step that helped, or the steps that were tried. Empty if the first step
/// succeeded.
fn exec_summary(summary: &ExecSummary, command: &[OsString]) -> String {
    let Some((last, before)) = summary.attempts.split_last() else {
        // A signal arrived before the first step.
        if summary.signal.is_some() || summary.left_out.is_empty() {
            return String::new();
        }
        return said(
            BAD,
            &format!("no step is possible: {}", reasons(&summary.left_out)),
        );
    };
    if last.ms == 0 && matches!(summary.exit, 126 | 127) && last.seen.is_none() {
        let name = command.first().map(|name| name.to_string_lossy());
        let name = clean(&name.unwrap_or_default());
        return said(BAD, &format!("{name}: {}", last.line));
    }
    if last.class == Class::Mismatch {
        return mismatch(last);
    }
    if last.class.is_of_the_network() {
        let all = summary.attempts.iter();
        let all = all.filter(|attempt| attempt.class != Class::Ok);
        let mut all: Vec<String> = all.map(tried).collect();
        all.extend(summary.left_out.iter().map(reason));
        let all = all.join("; ");
        return said(BAD, &format!("{}; no step is left: {all}", what(last)));
    }
    // Hops that merely lack a file are not reported, unless the mirror had to stand in for them.
    let stands_in = last.tier != Tier::Proxy;
    let is_news = |attempt: &&AttemptReport| {
        attempt.class != Class::Ok && (attempt.class != Class::NotFound || stands_in)
    };
    let news: Vec<&AttemptReport> = before.iter().filter(is_news).collect();
    if news.is_empty() {
        return String::new();
    }
    let from = match (&last.hop, last.tier) {
        (Some(hop), Tier::Proxy) => clean(hop),
        (_, Tier::Cache) => "the module cache".to_owned(),
        (_, Tier::Direct) => "version control".to_owned(),
        (_, tier) => format!("the {tier}"),
    };
    let from = match last.stale {
        0 => from,
        _ => format!("{from}, whose lists of versions may be old"),
    };
    // The failures of this run have not been reported yet.
    if last.class == Class::Ok && news.iter().all(|attempt| attempt.exit == last.exit) {
        let failed: Vec<String> = news.into_iter().map(what).collect();
        return said(GOOD, &format!("{}; built from {from}", failed.join("; ")));
    }
    let tried = news.into_iter().map(tried).collect::<Vec<_>>().join("; ");
    let (style, did) = if last.class == Class::Ok {
        (GOOD, "built from")
    } else {
        (BAD, "failed by itself on")
    };
    said(style, &format!("{did} {from} ({tried})"))
}

fn said(style: anstyle::Style, text: &str) -> String {
    format!("{} {text}\n", paint(style.bold(), "goroam:"))
}

fn tried(attempt: &AttemptReport) -> String {
    let (tier, class) = (attempt.tier, attempt.class);
    match &attempt.hop {
        Some(hop) => {
            let requests = plural(usize::try_from(attempt.requests).unwrap_or(0), "request");
            format!("{}: {class} ({requests})", clean(hop))
        }
        None => {
            let took = duration(Duration::from_millis(attempt.ms).as_secs_f64() * 1000.0);
            format!("{tier}: {class} after {took}")
        }
    }
}

fn reasons(steps: &[(Tier, String)]) -> String {
    steps.iter().map(reason).collect::<Vec<_>>().join("; ")
}

fn reason((tier, why): &(Tier, String)) -> String {
    format!("{tier}: {}", clean(why))
}

/// Formats what happened, and what a person can fix.
fn what(attempt: &AttemptReport) -> String {
    let seen = attempt.seen.as_ref();
    let blame = seen.map_or_else(Blame::default, |seen| seen.blame.clone());
    let who = who(attempt, &blame);
    let class = attempt.class;
    let what = match class {
        // The relay knows exactly what the server did.
        _ if attempt.hop.is_some() && !has_advice(class) => clean(&attempt.line),
        Class::Timeout => format!("{who} does not answer"),
        Class::Refused => format!("{who} refuses the connection"),
        Class::Dns => format!("the name of {who} cannot be looked up"),
        Class::Reset => format!("{who} cut the connection"),
        Class::Unreachable => format!("{who} is unreachable"),
        Class::Auth => auth(&who, &blame),
        Class::Busy => format!("{who} is busy"),
        Class::Server => format!("{who} is broken"),
        Class::Client => format!("{who} rejects the request"),
        Class::NotFound => format!("{who} does not have it"),
        Class::Tls => tls(&who, &blame),
        Class::Portal => format!("a login page answers for {who} (log in with a browser)"),
        Class::Corrupt => format!("what {who} sent is broken"),
        Class::Stalled => format!("{who} stopped sending, so go was stopped"),
        Class::Config => "go's settings cannot work".to_owned(),
        Class::Ok | Class::Code | Class::Mismatch => "it ended".to_owned(),
    };
    let more = match (class, &attempt.stuck) {
        (Class::Config, _) => format!("config: {}", clean(&attempt.line)),
        (_, Some(stuck)) => format!("{class}: {stuck}"),
        (_, None) => class.to_string(),
    };
    format!("{what} ({more})")
}

/// Is there more to say than what the server did?
fn has_advice(class: Class) -> bool {
    matches!(class, Class::Auth | Class::NotFound | Class::Portal)
}

/// Formats an authorization failure: no credentials, not enough rights, or an unrelated rule.
fn auth(who: &str, blame: &Blame) -> String {
    let quoted = |words: &String| format!(": \u{201c}{}\u{201d}", clean(words));
    let words = blame.said.as_ref().map(quoted).unwrap_or_default();
    if blame.why == Some(BlameReason::Forbidden) {
        format!(
            "{who} refuses it with 403 (a rule of a filter, or credentials that do not suffice){words}"
        )
    } else if is_through(blame) {
        format!("{who} wants credentials (in HTTPS_PROXY, HTTP_PROXY){words}")
    } else {
        format!("{who} wants other credentials (see netrc, GOAUTH){words}")
    }
}

fn is_through(blame: &Blame) -> bool {
    matches!(blame.who, Some(Blamed::HttpProxy(_)))
}

/// No goroam was built before this day, so a clock that shows an earlier time is wrong.
const MADE: &str = "2026-01-01";

/// Formats why the certificate is not trusted.
fn tls(who: &str, blame: &Blame) -> String {
    match &blame.why {
        Some(BlameReason::NotYet(Some((now, from)))) => {
            let sure = if now.as_str() < MADE { "is" } else { "may be" };
            let (now, from) = (clean(now), clean(from));
            format!(
                "the clock of this machine {sure} wrong: it says {now}, and the certificate of \
                 {who} is valid from {from} on"
            )
        }
        Some(BlameReason::NotYet(None)) => {
            format!("the certificate of {who} is not valid yet: check the clock of this machine")
        }
        Some(BlameReason::Expired(Some((now, until)))) => {
            let (now, until) = (clean(now), clean(until));
            format!(
                "the certificate of {who} has expired at {until}, if the clock of this machine \
                 is right ({now})"
            )
        }
        Some(BlameReason::Expired(None)) => {
            format!("the certificate of {who} has expired, if the clock of this machine is right")
        }
        Some(BlameReason::PlainHttp) if is_through(blame) => {
            format!("{who} speaks no TLS: its variable wants http:// in the place of https://")
        }
        Some(BlameReason::PlainHttp) => {
            format!("{who} speaks plain http: its URL wants http:// in the place of https://")
        }
        Some(BlameReason::OtherName) => format!("the certificate of {who} is for another name"),
        Some(BlameReason::HostKey) => {
            format!("ssh does not know the key of {who} (known_hosts; ssh-keyscan shows it)")
        }
        Some(BlameReason::UnknownCa) => {
            format!("{who} cannot be trusted (a CA that is missing: SSL_CERT_FILE)")
        }
        Some(BlameReason::Forbidden) | None => format!("there is no TLS with {who} that go trusts"),
    }
}

/// Names the host that failed, or the step.
fn who(attempt: &AttemptReport, blame: &Blame) -> String {
    match &blame.who {
        Some(Blamed::HttpProxy(Some(address))) => {
            let address = clean(address);
            return format!("the HTTP proxy {address} (HTTPS_PROXY, HTTP_PROXY)");
        }
        Some(Blamed::HttpProxy(None)) => {
            return "the HTTP proxy of HTTPS_PROXY or HTTP_PROXY".to_owned();
        }
        Some(Blamed::Database(Some(name))) => {
            return format!("the checksum database {}", clean(name));
        }
        Some(Blamed::Database(None)) => return "the checksum database".to_owned(),
        Some(Blamed::Host(host)) => return clean(host),
        None => {}
    }
    let url = attempt.seen.as_ref().and_then(|seen| seen.url.as_deref());
    let host = url.and_then(|url| {
        let url = url::Url::parse(url).ok()?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    });
    match host {
        Some(host) => clean(&host),
        None if attempt.tier == Tier::Vendor => "the vendor folder".to_owned(),
        None => format!("the {}", attempt.tier),
    }
}

/// Formats a checksum mismatch: what to compare. It is not retried, and no other source is tried.
fn mismatch(attempt: &AttemptReport) -> String {
    let seen = attempt.seen.as_ref();
    let module = seen.and_then(|seen| {
        let version = seen.version.as_deref().unwrap_or_default();
        Some(format!("{}@{version}", seen.module.as_deref()?))
    });
    let module = module.map_or_else(|| "a module".to_owned(), |module| clean(&module));
    let mut text = said(
        BAD,
        &format!("{module} does not match its checksum (mismatch); nothing else is tried"),
    );
    if attempt.hop.is_some() && seen.is_some_and(|seen| seen.hashes.is_none()) {
        text.push_str(&format!("  {}\n", clean(&attempt.line)));
    }
    if let Some(hashes) = seen.and_then(|seen| seen.hashes.as_ref()) {
        let wanted = clean(&hashes.by);
        text.push_str(&format!(
            "  came    {}\n  wanted  {} ({wanted})\n",
            clean(&hashes.downloaded),
            clean(&hashes.wanted)
        ));
    }
    text.push_str(
        "  Compare: the same go.sum line in the project's history, and the download on\n  \
         another network. Do not switch the check off.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the command could use the network.
    #[test]
    fn without_go_a_command_is_not_run_as_if_it_were_on_the_mirror() {
        let env = vec![(TIER.to_owned(), "proxy".to_owned())];
        assert_eq!(without_go(Tier::Proxy).how, Ok(env));
        for tier in [Tier::Mirror, Tier::Vendor] {
            assert!(without_go(tier).how.is_err());
        }
    }
}
