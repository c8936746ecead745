//! `goroam man`

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::agent::error::EXIT_DONE;
use crate::cli::args::EXIT_CODES;
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

/// Writes the page of a command, and those of its verbs.
fn write_all(command: &clap::Command, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = command.get_display_name().unwrap_or(command.get_name());
    std::fs::write(folder.join(format!("{name}.1")), page(command.clone())?)?;
    let mut verbs = command.get_subcommands();
    verbs.try_for_each(|verb| write_all(verb, folder))
}

/// Sections of goroam(1), as man-pages(7) orders them: after EXIT STATUS.
const MORE: &str = r#".SH ENVIRONMENT
.TP
.B GOROAM_CONFIG
The policy file, if \fB\-\-config\fR does not name one.
.TP
.B GOROAM_MIRROR
The directory of the mirror, if \fB\-\-mirror\fR does not name one.
.TP
.B GOROAM_LOG
What to log on standard error: \fBgoroam=debug\fR.
.TP
.BR NO_COLOR ", " CLICOLOR_FORCE ", " COLUMNS
No colours; colours in a pipe, too; the width of text.
.TP
.BR XDG_CONFIG_HOME ", " XDG_STATE_HOME ", " XDG_DATA_HOME ", " XDG_RUNTIME_DIR
Directories of the files below, on Linux.
.TP
.BR GOENV ", " GOAUTH ", " NETRC ", " HTTPS_PROXY ", " HTTP_PROXY ", " NO_PROXY ", " SSL_CERT_FILE ", " SSL_CERT_DIR
As go reads them.
.TP
.BR GOROAM_TIER ", " GOROAM_PROFILE
Set by \fBgoroam exec\fR for its command, and by \fBgoroam hook\fR for the prompt.
.SH FILES
.TP
.I ~/.config/goroam/goroam.toml
The policy, see
.BR goroam.toml (5).
On macOS in
.IR "~/Library/Application Support/goroam" ,
on Windows in
.IR %AppData%\egoroam\econfig .
.TP
.I ~/.local/state/goroam/
State, journal, the go env file as it was before goroam, and
.IR panic.log .
On macOS beside the policy, on Windows in
.IR %LocalAppData%\egoroam\edata .
.TP
.I ~/.local/share/goroam/mirror/
The mirror of modules; on other systems beside the state.
.TP
.I $XDG_RUNTIME_DIR/goroam/
Socket and lock of the agent.
.TP
.I ~/.config/go/env
What
.B go env \-w
writes, and goroam manages; GOENV names another one.
"#;

/// Formats a page in roff. clap_mangen puts everything after a command's help into one section
/// called EXTRA and lets troff fill its lines; man-pages(7) has names for these sections. It has no
/// SEE ALSO, and its first line has the source in the place of the date.
fn page(command: clap::Command) -> io::Result<String> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let name = name.to_owned();
    let see_also = see_also(&name, &command);
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command).render(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Two breaks with an empty line between them are one empty line.
    let text = text.replace(".br\n\n.br\n", ".sp\n").replace(" \n", "\n");
    let title = format!(
        ".TH {} 1 \"\" \"goroam {}\" \"User Commands\"",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    );
    let lines = text.lines();
    let lines = lines.map(|line| {
        if line.starts_with(".TH ") {
            &title
        } else {
            line
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    let more = if name == "goroam" { MORE } else { "" };
    let more = format!("{more}.SH \"SEE ALSO\"\n{see_also}\n");
    let end = |after: &str| match after.split_once(".SH VERSION") {
        Some((before, version)) => format!("{before}{more}.SH VERSION{version}"),
        None => format!("{after}{more}"),
    };
    let Some((before, extra)) = text.split_once(".SH EXTRA\nExamples:\n") else {
        return Ok(end(&text));
    };
    let (extra, after) = match extra.split_once("\n.SH ") {
        Some((extra, after)) => (extra, format!(".SH {after}")),
        None => (extra.trim_end(), String::new()),
    };
    // The help of one verb has only its own codes.
    let (examples, own) = extra.split_once("\n\nExit codes:\n").unwrap_or((extra, ""));
    let own = own.strip_prefix(EXIT_CODES).unwrap_or(own);
    Ok(format!(
        "{before}.SH EXAMPLES\n.nf\n{examples}\n.fi\n.SH \"EXIT STATUS\"\n.nf\n{EXIT_CODES}\n{own}\n.fi\n{}",
        end(&after)
    ))
}

/// Returns the pages that belong to a page: that of the command above, those of its verbs, that of
/// the policy.
fn see_also(name: &str, command: &clap::Command) -> String {
    let verbs = command.get_subcommands();
    let verbs = verbs.map(|verb| {
        verb.get_display_name()
            .unwrap_or(verb.get_name())
            .to_owned()
    });
    let mut pages = Vec::from_iter(name.rsplit_once('-').map(|(above, _)| above.to_owned()));
    pages.extend(verbs);
    let mut pages: Vec<String> = pages.iter().map(|page| format!(".BR {page} (1)")).collect();
    pages.push(".BR goroam.toml (5)".to_owned());
    pages.join(" ,\n").replace('-', "\\-")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::page;
    use crate::cli::args::Cli;

    /// The pages of a command and of all verbs below it.
    fn pages(command: &clap::Command, found: &mut Vec<(String, String)>) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        found.push((name.to_owned(), page(command.clone()).unwrap()));
        command
            .get_subcommands()
            .for_each(|verb| pages(verb, found));
    }

    #[test]
    fn every_page_has_the_sections_that_readers_look_for() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut found = Vec::new();
        pages(&command, &mut found);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        for (name, page) in &found {
            let above = name
                .rsplit_once('-')
                .map_or("goroam-once", |(above, _)| above);
            let above = above.replace('-', "\\-");
            for part in [
                "\n.SH EXAMPLES\n.nf\n  goroam",
                "\n.SH \"EXIT STATUS\"\n.nf\n  0 done",
                &format!("\n.SH \"SEE ALSO\"\n.BR {above} ("),
            ] {
                assert!(page.contains(part), "{name}: no {part:?} in {page}");
            }
            assert!(!page.contains("EXTRA"), "{name}: {page}");
            assert_eq!(
                page.matches("\n.nf\n").count(),
                page.matches("\n.fi\n").count()
            );
            let others = page
                .lines()
                .filter_map(|line| line.strip_prefix(".BR goroam"));
            for other in others.filter(|other| other.contains(" (1)")) {
                let other = other.split(" (").next().unwrap().replace("\\-", "-");
                assert!(
                    names.contains(&&*format!("goroam{other}")),
                    "{name}: {other}"
                );
            }
        }
        assert!(names.contains(&"goroam-mirror-add"), "{names:?}");
        for section in ["ENVIRONMENT", "FILES"] {
            assert!(
                found[0].1.contains(&format!("\n.SH {section}\n")),
                "{section}"
            );
        }
    }
}
