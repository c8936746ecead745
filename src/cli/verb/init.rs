//! `goroam init`

use std::io::{self, Write};
use std::path::Path;

use crate::agent::Error;
use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{Init, TemplateName};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::gocmd::{EnvFile, LocateError};
use crate::policy::templates::Template;

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
    if !write_new(&path, text).map_err(|error| cannot(&path, &error))? {
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

/// All of it or nothing, and never in the place of a file (or a link) that is there: then
/// `Ok(false)`.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    make_folder(folder)?;
    // Made 0600, which no umask makes writable for others: goroam would refuse that.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(true),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(refused) => Err(refused.error),
    }
}

/// 0700, as the XDG base directory specification has it for missing folders.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{}: cannot be written: {error}", path.display());
    Failure::said(message, EXIT_FAILED)
}
