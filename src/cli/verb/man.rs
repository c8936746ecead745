//! `goroam man`

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::agent::error::EXIT_DONE;
use crate::cli::{Context, Failure};

/// `goroam man`
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Directory for goroam.1 and a page per verb [default: print goroam.1]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
}

/// Prints the manual page, or writes one for each verb.
pub(in crate::cli) fn run(
    context: &Context,
    grammar: clap::Command,
    args: &Man,
) -> Result<u8, Failure> {
    // `goroam help` gets no page: it shows the others.
    let mut command = grammar.disable_help_subcommand(true);
    command.build();
    let Some(folder) = &args.folder else {
        context.out.raw(page(command)?.as_bytes())?;
        return Ok(EXIT_DONE);
    };
    write_all(&command, folder).map_err(|error| {
        Failure::failed(format_args!(
            "{}: cannot be written: {error}",
            folder.display()
        ))
    })?;
    let told = "goroam.1 and a page for each verb are in";
    context
        .out
        .text(&format!("{told} {}\n", folder.display()))?;
    Ok(EXIT_DONE)
}

fn write_all(command: &clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        std::fs::write(folder.join(format!("{name}.1")), page(command.clone())?)?;
    }
    Ok(())
}

/// Formats a page in roff. clap_mangen puts everything after a command's help into one section
/// called EXTRA and lets troff fill its lines; man-pages(7) has names for these sections.
fn page(command: clap::Command) -> io::Result<String> {
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command).render(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some((before, extra)) = text.split_once(".SH EXTRA\nExamples:\n") else {
        return Ok(text.into_owned());
    };
    let (extra, after) = match extra.split_once("\n.SH ") {
        Some((extra, after)) => (extra, format!(".SH {after}")),
        None => (extra.trim_end(), String::new()),
    };
    let codes = "\n.fi\n.SH \"EXIT STATUS\"\n.nf\n";
    let extra = extra.replacen("\n\nExit codes:\n", codes, 1);
    Ok(format!("{before}.SH EXAMPLES\n.nf\n{extra}\n.fi\n{after}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::page;
    use crate::cli::args::Cli;

    #[test]
    fn examples_and_exit_codes_have_the_sections_that_readers_look_for() {
        let mut command = Cli::command();
        command.build();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            if command.get_name() == "help" {
                continue;
            }
            let page = page(command.clone()).unwrap();
            let name = command.get_name();
            assert!(
                page.contains("\n.SH EXAMPLES\n.nf\n  goroam"),
                "{name}: {page}"
            );
            assert!(
                page.contains("\n.SH \"EXIT STATUS\"\n.nf\n  0 done"),
                "{name}: {page}"
            );
            assert!(!page.contains("EXTRA"), "{name}: {page}");
            assert_eq!(
                page.matches("\n.nf\n").count(),
                page.matches("\n.fi\n").count()
            );
        }
    }
}
