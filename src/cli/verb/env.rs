//! `goroam env`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::agent::error::EXIT_DONE;
use crate::agent::{ProjectHere, Session, ValueInUse, ValueSource, current_folder};
use crate::cli::args::Json;
use crate::cli::render::{DIM, Page, Sheet, clean, paint, width};
use crate::cli::shell::Shell;
use crate::cli::{Context, Failure};
use crate::policy::finding::nearest;

/// `goroam env`
#[derive(Debug, Clone, Args)]
pub struct Env {
    /// Only the values of these, one on each line
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Directory in which go would run [default: this one]
    #[arg(short = 'C', long = "project", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Lines that set the values in a shell, with credentials
    #[arg(long, value_name = "SHELL", value_enum, conflicts_with = "json")]
    pub shell: Option<Shell>,
    /// The chain itself instead of this machine's relay, for containers
    #[arg(long)]
    pub no_relay: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Prints what go uses, and why.
pub(in crate::cli) async fn run(context: &Context, args: &Env) -> Result<u8, Failure> {
    let folder = match &args.project {
        Some(folder) => std::path::absolute(folder),
        None => current_folder(&context.env),
    };
    let folder = folder.map_err(|error| Failure::failed(format!("the directory: {error}")))?;
    if !folder.is_dir() {
        let message = format!("{} is not a directory", folder.display());
        return Err(Failure::usage(message));
    }
    let mut session = Session::open(context.config.clone(), context.env.clone())?;
    let names = &args.names;
    let project = session.project_in(&folder);
    if let Some(refusal) = project.as_ref().and_then(ProjectHere::refusal) {
        drop(writeln!(anstream::stderr(), "goroam: {}", clean(&refusal)));
    }
    let here = (folder.as_path(), project.as_ref());
    let mut values = session.in_use(here, names, args.no_relay).await?;
    if let Some(unknown) = names.iter().find(|name| !values.contains_key(*name)) {
        let near = nearest(unknown, values.keys().map(String::as_str));
        let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
        let message = format!("go knows no variable {unknown:?}{hint}");
        return Err(Failure::usage(message));
    }
    if !names.is_empty() {
        values.retain(|name, _| names.contains(name));
    }
    if let Some(shell) = args.shell {
        // go finds these files by itself.
        let is_file = |name: &str| matches!(name, "GOMOD" | "GOWORK");
        let is_set = |(name, one): &(&String, &ValueInUse)| match one.source {
            _ if !names.is_empty() => true,
            ValueSource::Environment | ValueSource::File => true,
            ValueSource::Project => !is_file(name),
            ValueSource::Default => false,
        };
        let set = values.iter().filter(is_set);
        let lines = set.map(|(name, one)| shell.export(name, &one.value));
        // As they are: the value may have bytes that a terminal would take as colours.
        context.out.raw(lines.collect::<String>().as_bytes())?;
    } else if args.format.json || names.is_empty() {
        let masked = values.into_iter().map(|(name, one)| (name, one.masked()));
        context.show(args.format.json, &masked.collect(), listed)?;
    } else {
        let of = |name: &String| {
            values
                .get(name)
                .map_or(String::new(), |one| format!("{}\n", one.value))
        };
        let values: String = names.iter().map(of).collect();
        context.out.raw(values.as_bytes())?;
    }
    Ok(EXIT_DONE)
}

/// `NAME='value'  # why`, as `go env` prints it on Unix.
fn listed(values: &BTreeMap<String, ValueInUse>, page: &Page) -> String {
    let mut sheet = Sheet::new(page.columns);
    for (name, one) in values {
        let line = format!("{name}={}", Shell::Bash.quote(&clean(&one.value)));
        let hidden = one.hides.as_ref().map(|hidden| format!(", {hidden}"));
        let why = clean(&format!("{}{}", one.why, hidden.unwrap_or_default()));
        if width(&line) + width("  # ") + width(&why) <= page.columns {
            sheet.line(&format!("{line}  {}", paint(DIM, &format!("# {why}"))));
        } else {
            sheet.line(&line);
            sheet.styled(&paint(DIM, "    # "), &why, DIM);
        }
    }
    sheet.finish()
}
