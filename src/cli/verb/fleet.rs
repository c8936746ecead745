//! `goroam fleet …`

mod args;
mod shared;
mod sign;

use std::path::Path;

use serde::Serialize;

pub use args::{Fleet, FleetVerb, Sign, VerifyPolicy};
use shared::{Verified, beside, complain, exit_of, location, place, read};

use crate::agent::error::{EXIT_DONE, EXIT_FAILED, EXIT_REFUSED};
use crate::agent::{Command, FleetLayer, FleetUpdate, fleet_of, fleet_settings};
use crate::cli::render::{Mark, Page, Sheet, clean, fleet};
use crate::cli::{Context, Failure};
use crate::ipc;
use crate::model::mask::mask;
use crate::model::status::FleetStatus;
use crate::policy::file::header;
use crate::policy::fleet::{
    FleetKey, FleetSettings, FleetState, Judge, MOST_BODY, MOST_SIGNATURE, Offer, Refusal, Refused,
};

/// The JSON form of `update`.
#[derive(Debug, Serialize)]
struct Updated {
    #[serde(flatten)]
    update: FleetUpdate,
    fleet: Option<FleetStatus>,
}

/// Runs a verb of the fleet.
pub(in crate::cli) async fn run(context: &Context, args: Fleet) -> Result<u8, Failure> {
    match args.verb {
        FleetVerb::Update(format) => update(context, format.json).await,
        FleetVerb::Status(format) => status(context, format.json),
        FleetVerb::Verify(args) => verify(context, &args),
        FleetVerb::Sign(args) => sign::run(context, &args),
    }
}

fn no_fleet() -> Failure {
    Failure::usage(
        "this machine belongs to no fleet: name one in the machine's or your own policy file, \
         [fleet] url = …, keys = […]",
    )
}

async fn update(context: &Context, json: bool) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let settings = fleet_settings(&paths)?.ok_or_else(no_fleet)?;
    let update = FleetLayer::update(settings, paths.clone(), context.env.clone()).await?;
    let is_heard = match update {
        // An agent that does not answer reads it at its next start.
        FleetUpdate::New { .. } => ipc::ask(&paths, Command::Reload).await.is_ok(),
        FleetUpdate::Unchanged | FleetUpdate::Refused { .. } | FleetUpdate::Failed { .. } => false,
    };
    let fleet = fleet_of(&paths, &context.env)?.map(|fleet| fleet.status(&paths));
    let updated = Updated { update, fleet };
    context.show(json, &updated, |updated, page| {
        text_of(updated, is_heard, page)
    })?;
    Ok(match updated.update {
        FleetUpdate::New { .. } | FleetUpdate::Unchanged => EXIT_DONE,
        FleetUpdate::Failed { .. } => EXIT_FAILED,
        FleetUpdate::Refused { .. } => EXIT_REFUSED,
    })
}

fn text_of(updated: &Updated, is_heard: bool, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    let now = updated.fleet.as_ref().map(|now| fleet(now, page));
    let now = now.unwrap_or_default();
    let is_held = updated.fleet.as_ref().is_some_and(|now| now.id.is_some());
    let stays = match is_held {
        true => format!("still in force: {now}"),
        false => "no policy of the fleet is in force yet".to_owned(),
    };
    match &updated.update {
        FleetUpdate::New { .. } => {
            let next = match is_heard {
                true => "the agent applies it",
                false => "`goroam once` applies it",
            };
            sheet.marked(Mark::Good, &format!("new: {now}; {next}"));
        }
        FleetUpdate::Unchanged => sheet.marked(Mark::Good, &format!("up to date: {now}")),
        FleetUpdate::Refused { reason, .. } => {
            sheet.marked(Mark::Bad, &format!("refused: {}", clean(reason)));
            sheet.entry("  ", &stays);
        }
        FleetUpdate::Failed { reason, .. } => {
            sheet.marked(Mark::Bad, &format!("not fetched: {}", clean(reason)));
            sheet.entry("  ", &stays);
        }
    }
    sheet.finish()
}

fn status(context: &Context, json: bool) -> Result<u8, Failure> {
    let paths = context.paths()?;
    let layer = fleet_of(&paths, &context.env)?.ok_or_else(no_fleet)?;
    context.show(json, &layer.status(&paths), |status, page| {
        let mut sheet = Sheet::new(page.columns);
        sheet.row("policy", 9, &fleet(status, page));
        let moments = [("issued", status.issued), ("expires", status.expires)];
        for (name, moment) in moments {
            if let Some(moment) = moment {
                sheet.row(name, 9, &page.moment(moment));
            }
        }
        let keys = Vec::from_iter(layer.settings.keys.iter().map(|key| key.id.as_str()));
        sheet.row("keys", 9, &keys.join(", "));
        for url in &layer.settings.urls {
            sheet.row("url", 9, &clean(&mask(url.as_str())));
        }
        if let Some(warning) = &status.warning {
            sheet.marked(Mark::Odd, &clean(warning));
        }
        sheet.finish()
    })?;
    Ok(EXIT_DONE)
}

fn verify(context: &Context, args: &VerifyPolicy) -> Result<u8, Failure> {
    let keys = match args.keys.as_slice() {
        [] => {
            let settings = fleet_settings(&context.paths()?)?;
            settings.ok_or_else(no_fleet)?.keys
        }
        keys => keys
            .iter()
            .map(|key| read_key(key))
            .collect::<Result<_, _>>()?,
    };
    let body = read(&args.file, MOST_BODY)?;
    let signature = read(&beside(&args.file), MOST_SIGNATURE)?;
    let signature = String::from_utf8_lossy(&signature);
    let offer = Offer {
        body: &body,
        signature: &signature,
    };
    judged(context, args, keys, offer)?;
    let header = header(&String::from_utf8_lossy(&body));
    Verified::of(&args.file, header, &signature).show(context, args.format.json, "verified")
}

/// Judges a pair as a new machine with these keys does.
fn judged(
    context: &Context,
    args: &VerifyPolicy,
    keys: Vec<FleetKey>,
    offer: Offer<'_>,
) -> Result<(), Failure> {
    let settings = FleetSettings {
        urls: Vec::new(),
        keys,
        refresh: std::time::Duration::ZERO,
        allow_weaker: args.allow_weaker,
    };
    let (absolute, home) = place(context, &args.file);
    let judge = Judge {
        settings: &settings,
        state: &FleetState::default(),
        now: context.page.now,
        goroam: env!("CARGO_PKG_VERSION"),
        location: location(&absolute, home.as_deref()),
    };
    let refused = |refused| refusal(context, &args.file, offer.body, &refused);
    judge.judge(offer).map(drop).map_err(refused)
}

/// Prints the errors of a refused policy, and returns the failure.
fn refusal(context: &Context, file: &Path, body: &[u8], refused: &Refused) -> Failure {
    let name = file.display().to_string();
    let text = String::from_utf8_lossy(body);
    if refused.why == Refusal::Policy {
        complain(context, file, &text);
    }
    let exit = exit_of(refused.why);
    Failure::said(format!("{name} is refused: {}", refused.reason), exit)
}

/// Reads a key: the text itself, or a `.pub` file.
fn read_key(text: &str) -> Result<FleetKey, Failure> {
    if let Some(key) = FleetKey::parse(text) {
        return Ok(key);
    }
    let path = Path::new(text);
    let content = read(path, MOST_SIGNATURE)?;
    let content = String::from_utf8_lossy(&content);
    let key = content
        .lines()
        .rev()
        .find_map(|line| FleetKey::parse(line.trim()));
    key.ok_or_else(|| {
        let message =
            format!("{text} has no key of minisign; name the .pub file, or its second line");
        Failure::usage(message)
    })
}
