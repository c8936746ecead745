//! `goroam env`

use std::collections::BTreeMap;

use clap::Args;

use crate::agent::Session;
use crate::agent::error::{EXIT_DONE, EXIT_USAGE};
use crate::cli::args::Json;
use crate::cli::{Context, Failure};

/// `goroam env`
#[derive(Debug, Clone, Args)]
pub struct Env {
    /// Only the values of these, one on each line [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// The chain itself instead of this machine's relay, for containers
    #[arg(long)]
    pub no_relay: bool,
    /// How to print.
    #[command(flatten)]
    pub format: Json,
}

/// Prints go's variables that goroam manages, as the go env file has them.
pub(in crate::cli) async fn run(context: &Context, args: &Env) -> Result<u8, Failure> {
    let mut session = Session::open(context.config.clone(), context.env.clone())?;
    let mut values = session.values(args.no_relay).await?;
    if !args.names.is_empty() {
        for name in &args.names {
            if !values.contains_key(name) {
                let known: Vec<&str> = values.keys().map(String::as_str).collect();
                let message = match known.as_slice() {
                    [] => "nothing is managed yet: run `goroam once`".to_owned(),
                    known => format!("{name} is not managed; these are: {}", known.join(", ")),
                };
                return Err(Failure::said(message, EXIT_USAGE));
            }
        }
        values.retain(|name, _| args.names.contains(name));
    }
    if args.format.json {
        context.out.json(&values)?;
    } else if args.names.is_empty() {
        context.out.text(&assignments(&values))?;
    } else {
        let of = |name: &String| values.get(name).map_or(String::new(), |v| format!("{v}\n"));
        context
            .out
            .text(&args.names.iter().map(of).collect::<String>())?;
    }
    Ok(EXIT_DONE)
}

/// `NAME='value'`, as `go env` prints it on Unix; a shell can read it.
fn assignments(values: &BTreeMap<String, String>) -> String {
    let line =
        |(name, value): (&String, &String)| format!("{name}='{}'\n", value.replace('\'', "'\\''"));
    values.iter().map(line).collect()
}
