//! `goroam init`

use std::io::{self, Write};
use std::path::Path;

use crate::agent::error::{EXIT_DONE, EXIT_FAILED};
use crate::cli::args::{Init, TemplateName};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::policy::templates::Template;

/// Writes a template where the policy is looked for. What is there already stays.
pub(in crate::cli) fn run(context: &Context, args: Init) -> Result<u8, Failure> {
    let text = match args.template {
        TemplateName::Default => Template::Default.text(),
        TemplateName::Corporate => Template::Corporate.text(),
        TemplateName::Classic => Template::Classic.text(),
    };
    if args.stdout {
        context.out.raw(text.as_bytes())?;
        return Ok(EXIT_DONE);
    }
    let path = context.paths()?.policy;
    write_new(&path, text).map_err(|error| refusal(&path, &error))?;
    context.out.text(&format!(
        "{}\n  edit it, then: goroam check; goroam once\n",
        path.display()
    ))?;
    Ok(EXIT_DONE)
}

/// All of it or nothing, and never in the place of a file (or a link) that is there.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    make_folder(folder)?;
    // Made 0600, which no umask makes writable for others: goroam would refuse that.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(&path)?;
    Ok(())
}

/// 0700, as the XDG base directory specification has it for missing folders.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn refusal(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let message = if error.kind() == io::ErrorKind::AlreadyExists {
        format!(
            "{path} is there already and stays as it is; `goroam check` reads it, \
             `goroam init --stdout` prints the template"
        )
    } else {
        format!("{path}: cannot be written: {error}")
    };
    Failure::said(message, EXIT_FAILED)
}
