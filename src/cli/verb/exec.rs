//! `goroam exec`

use std::io::Write;

use crate::agent::error::{EXIT_FAILED, EXIT_USAGE};
use crate::cli::args::{self, Step};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::render;
use crate::exec::stall::Limits;
use crate::exec::tiers::{TIER, plan};
use crate::exec::{self, Around, Course, Frozen, News, Signals, Summary, TierPlan, freeze};
use crate::gocmd::find;
use crate::model::Tier;

/// Runs the command; its exit code is ours, unless a step was stuck or a checksum did not match.
pub(in crate::cli) async fn run(context: &Context, args: args::Exec) -> Result<u8, Failure> {
    // From here on a signal is the command's.
    let mut signals = Signals::listen().map_err(|error| {
        Failure::said(format!("cannot listen to signals: {error}"), EXIT_FAILED)
    })?;
    let (plans, facts) = plans(context, &args).await?;
    let course = Course {
        plans,
        facts,
        command: args.command,
        env: context.env.clone(),
        limits: Limits {
            connect: args.connect,
            first_byte: args.first_byte,
            stall: args.stall,
        },
        retry_budget: args.retry_budget,
    };
    let mut news = |news: &News<'_>| say(&render::exec_news(news, &context.page));
    let (summary, leftovers) = exec::run(&course, &mut signals, &mut news).await;
    let told = || render::exec_summary(&summary, &course.command, &context.page);
    let text = match args.summary {
        // What a person has to do stands in no field.
        args::Summary::Json if summary.is_for_a_person() => told() + &json(&summary),
        args::Summary::Json => json(&summary),
        args::Summary::Text => told(),
        args::Summary::None => String::new(),
    };
    // First what still comes from the background, then our last word.
    leftovers.into_iter().for_each(exec::Leftover::leave_behind);
    say(&text);
    #[cfg(unix)]
    if let Some(signal) = summary.signal {
        exec::die_by(signal);
    }
    // Windows has exit codes of 32 bits; a script there asks for zero or not.
    Ok(u8::try_from(summary.exit).unwrap_or(EXIT_FAILED))
}

/// The steps that are asked for. Without a go there are no settings of go's to freeze, and the
/// command runs as it is.
async fn plans(
    context: &Context,
    args: &args::Exec,
) -> Result<(Vec<TierPlan>, (Frozen, Around)), Failure> {
    let mut wanted: Vec<Tier> = Vec::new();
    for step in &args.tiers {
        let tier = match step {
            Step::Proxy => Tier::Proxy,
            Step::Mirror => Tier::Mirror,
            Step::Vendor => Tier::Vendor,
        };
        if wanted.contains(&tier) {
            let message = format!("--tiers: {tier} stands there twice");
            return Err(Failure::said(message, EXIT_USAGE));
        }
        wanted.push(tier);
    }
    let Some(frozen) = frozen(context).await else {
        let plans = wanted.into_iter().map(without_go).collect();
        return Ok((plans, (Frozen::default(), Around::default())));
    };
    let mirror = context.mirror(args.place.clone());
    let around = freeze::around(&frozen, mirror);
    Ok((plan(&frozen, &around, &wanted), (frozen, around)))
}

/// The command as it is may use the network: that is the first step, and no other one.
fn without_go(tier: Tier) -> TierPlan {
    let how = match tier {
        Tier::Proxy => Ok(vec![(TIER.to_owned(), tier.to_string())]),
        Tier::Mirror | Tier::Vendor | Tier::Direct | Tier::Off => {
            Err("the settings of go cannot be read, so none can be set".to_owned())
        }
    };
    TierPlan { tier, how }
}

async fn frozen(context: &Context) -> Option<Frozen> {
    let folder = std::env::current_dir().ok()?;
    let go = match find::find(None, &context.env).await {
        Ok(go) => go,
        Err(error) => {
            tracing::debug!(%error, "no go, so nothing is frozen");
            return None;
        }
    };
    match freeze::freeze(&go, &context.env, &folder).await {
        Ok(frozen) => Some(frozen),
        Err(error) => {
            tracing::warn!(%error, "the settings of go cannot be read, so there is one step only");
            None
        }
    }
}

/// On standard error, on a line of its own. If that is closed there is nobody to tell.
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

fn json(summary: &Summary) -> String {
    // Numbers and strings only: this cannot fail.
    serde_json::to_string(summary).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing would keep it from the network.
    #[test]
    fn without_go_a_command_is_not_run_as_if_it_were_on_the_mirror() {
        let env = vec![(TIER.to_owned(), "proxy".to_owned())];
        assert_eq!(without_go(Tier::Proxy).how, Ok(env));
        for tier in [Tier::Mirror, Tier::Vendor] {
            assert!(without_go(tier).how.is_err());
        }
    }
}
