//! `goroam use`: stays with a profile or a mirror, or lists what there is to choose from.

use std::time::Duration;

use clap::Args;

use super::take_turn::take_turn;
use crate::agent::error::EXIT_DONE;
use crate::agent::{Choices, Command, ProfileChoice, Session};
use crate::cli::args::{Json, parse_span};
use crate::cli::render::{BAD, BOLD, DIM, GOOD, Page, Sheet, clean, pad, paint, width};
use crate::cli::{Context, Failure};

/// `goroam use`
#[derive(Debug, Clone, Args)]
pub struct Use {
    /// A profile, a mirror (cn, io, aliyun, google, direct, off) or its URL [default:
    /// list them]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Choose by the network again after this time (30min, 2h, 1day)
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time, requires = "name")]
    pub within: Option<Duration>,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Longer than a profile stays chosen by hand: a larger value is a wrong unit.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = parse_span(text)?;
    if time < Duration::from_secs(1) || time > LONGEST {
        return Err("it must be between 1s and 366 days".to_owned());
    }
    Ok(time)
}

/// Pins a profile or a mirror, or lists what there is.
pub(in crate::cli) async fn run(context: &Context, args: &Use) -> Result<u8, Failure> {
    let Some(name) = &args.name else {
        let session = Session::open(context.config.clone(), context.env.clone())?;
        let choices = session.choices().await?;
        context.show(args.format.json, &choices, list)?;
        return Ok(EXIT_DONE);
    };
    let until = args.within.map(|time| context.page.now.checked_add(time));
    let until = until.transpose();
    let until = until.map_err(|error| Failure::usage(format_args!("--for: {error}")))?;
    let command = Command::Use {
        profile: name.clone(),
        until,
    };
    take_turn(context, command, args.format.json).await
}

/// Formats each profile with what it would set, then the mirrors.
fn list(choices: &Choices, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for profile in &choices.profiles {
        choice(&mut sheet, profile, choices);
    }
    let pinned = choices.pinned.as_ref();
    if let Some((pinned, goproxy)) = pinned.and_then(|one| Some((one, one.goproxy.as_ref()?))) {
        let lead = format!(
            "{} {}  ",
            paint(BOLD, "▸"),
            paint(BOLD, &clean(&pinned.name))
        );
        sheet.hanging(&lead, &format!("in force, {}", clean(&pinned.by_hand())), 4);
        sheet.line(&format!("    GOPROXY  {}", clean(goproxy)));
    }
    sheet.gap();
    sheet.paragraph("Mirrors, for GOPROXY alone; all else stays as it is:");
    let mirrors = choices.mirrors.iter();
    let mirrors = mirrors.map(|mirror| (mirror.name, mirror.goproxy));
    for (name, goproxy) in mirrors.chain([("URL", "URL,direct")]) {
        sheet.line(&format!("  {}  {goproxy}", pad(name, MIRROR_COLUMNS)));
    }
    sheet.gap();
    sheet.paragraph(
        "goroam takes the first profile that holds. `goroam use NAME` stays with one, with \
         `--for 2h` for two hours; `goroam auto` goes by the network again.",
    );
    sheet.finish()
}

/// The longest name of a mirror, "aliyun".
const MIRROR_COLUMNS: usize = 6;

fn choice(sheet: &mut Sheet, profile: &ProfileChoice, choices: &Choices) {
    let (symbol, style, holds) = match profile.holds {
        Some(true) => ("✓", GOOD, "holds"),
        Some(false) => ("✗", BAD, "does not hold"),
        None => ("·", DIM, "not known whether it holds"),
    };
    let mut told = vec![holds];
    if choices.profile.as_ref() == Some(&profile.name) {
        let is_pinned = choices
            .pinned
            .as_ref()
            .is_some_and(|one| one.name == profile.name);
        told.push(if is_pinned {
            "in force by hand"
        } else {
            "in force"
        });
    }
    let name = paint(BOLD, &clean(&profile.name));
    let lead = format!("{} {name}  ", paint(style, symbol));
    sheet.hanging(&lead, &told.join(", "), 4);
    let columns = profile
        .env
        .keys()
        .map(|name| width(name))
        .max()
        .unwrap_or(0);
    for (name, value) in &profile.env {
        let value = match value.as_str() {
            "" => "(empty)".to_owned(),
            value => clean(value),
        };
        // Not wrapped, so that the value can be copied.
        sheet.line(&format!("    {}  {value}", pad(&clean(name), columns)));
    }
    if !profile.loosens.is_empty() {
        let how = clean(&profile.loosens.join("; "));
        sheet.entry("    ", &format!("! weakens verification: {how}"));
    }
}

#[cfg(test)]
mod times {
    use super::parse_time;

    #[test]
    fn a_time_is_between_a_second_and_a_year() {
        assert_eq!(parse_time("1h 30min").map(|t| t.as_secs()), Ok(5400));
        for bad in ["0s", "500ms", "2", "soon", "2years", "-1h", ""] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
