//! `goroam init`

use std::io;
use std::path::Path;

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{Init, TemplateName};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::gocmd::{EnvFile, LocateError};
use crate::policy::templates::Template;
use crate::state::file::write_new;

/// Writes a template where the policy is looked for. What is there already stays.
pub(in crate::cli) fn run(context: &Context, args: Init) -> Result<u8, Failure> {
    let template = match args.template {
        TemplateName::Default => Template::Default,
        TemplateName::Corporate => Template::Corporate,
        TemplateName::Classic => Template::Classic,
    };
    let text = template.text();
    if args.stdout {
        context.out.raw(text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    let paths = context.paths()?;
    // Whose home it is could not change the file afterwards.
    if !paths.policy_named
        && let Err(error @ LocateError::ForeignHome { .. }) = EnvFile::locate(&context.env)
    {
        return Err(Error::from(error).into());
    }
    let path = paths.policy;
    let shown = path.display();
    if !write_new(&path, text.as_bytes()).map_err(|error| cannot(&path, &error))? {
        let message = format!(
            "{shown} is there already and stays as it is; `goroam check` reads it, \
             `goroam init --stdout` prints the template"
        );
        return Err(Failure::said(message, EXIT_FAILED));
    }
    let next = "  edit it, then: goroam check; goroam once";
    context.out.text(&format!("{shown}\n{next}\n"))?;
    Ok(EXIT_DONE)
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{}: cannot be written: {error}", path.display());
    Failure::said(message, EXIT_FAILED)
}
