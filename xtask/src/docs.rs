//! `cargo xtask docs`: what is made of `docs/policy.md` and stays in the repository, so that every
//! recipe can install it: the manual page goroam.toml(5), and the schema for editors, which a test
//! of goroam writes.

use crate::run::{self, Result};

/// The manual page.
pub const PAGE: &str = "docs/goroam.toml.5";
/// The schema.
pub const SCHEMA: &str = "docs/goroam.schema.json";

/// Writes both.
pub fn docs() -> Result {
    let page = page(&read("docs/policy.md")?);
    let file = run::root().join(PAGE);
    std::fs::write(&file, page).map_err(|err| format!("{}: {err}", file.display()))?;
    let mut test = run::cargo();
    test.args(["test", "--quiet", "--features", "tray", "--test", "policy"]);
    test.args(["schema::the_file_has"])
        .env("GOROAM_WRITE_SCHEMA", "1");
    run::show(&mut test)?;
    println!("{PAGE} and {SCHEMA} are written");
    Ok(())
}

fn read(name: &str) -> Result<String> {
    let file = run::root().join(name);
    let text = std::fs::read_to_string(&file);
    let text = text.map_err(|err| format!("{}: {err}", file.display()))?;
    Ok(text.replace("\r\n", "\n"))
}

const BEGIN: &str = r#".\" Made of docs/policy.md by `cargo xtask docs`.
.TH GOROAM.TOML 5 "" "goroam" "File Formats"
.SH NAME
goroam.toml \- the policy of goroam: which go settings hold on which network
.SH DESCRIPTION
"#;

const END: &str = r#".SH FILES
.TP
.I ~/.config/goroam/goroam.toml
On macOS in
.IR "~/Library/Application Support/goroam" ,
on Windows in
.IR %AppData%\egoroam\econfig .
.TP
.I /usr/share/doc/goroam/goroam.schema.json
Its JSON Schema, for editors;
.B goroam init
names it in the first line of a policy.
.SH "SEE ALSO"
.BR goroam (1),
.BR goroam\-check (1),
.BR goroam\-init (1),
.BR goroam\-why (1)
"#;

/// Makes a manual page of the docs' markdown: headings, paragraphs, lists, tables, code.
fn page(markdown: &str) -> String {
    let mut out = BEGIN.to_owned();
    let mut header: Option<Vec<String>> = None;
    let mut paragraph = String::new();
    let mut lines = markdown
        .lines()
        .skip(1)
        .filter(|line| !line.starts_with("*["));
    while let Some(line) = lines.next() {
        let is_text = !line.is_empty() && !line.starts_with(['|', '#', '`']);
        let is_code = line.starts_with("    ") || line.starts_with("```");
        if paragraph.is_empty() && !is_code && is_text || !paragraph.is_empty() && is_text {
            if let Some(item) = line.strip_prefix("- ") {
                flush(&mut out, &mut paragraph);
                paragraph = format!(".IP \\(bu 2\n{}", item.trim());
            } else {
                let gap = if paragraph.is_empty() { ".PP\n" } else { " " };
                paragraph += &format!("{gap}{}", line.trim());
            }
            continue;
        }
        // A line of text may begin with code.
        if line.starts_with('`') && !is_code {
            let gap = if paragraph.is_empty() { ".PP\n" } else { " " };
            paragraph += &format!("{gap}{line}");
            continue;
        }
        flush(&mut out, &mut paragraph);
        if !line.starts_with('|') {
            header = None;
        }
        if let Some(heading) = line.strip_prefix("### ") {
            out += &format!(".SS \"{}\"\n", escaped(&heading.replace('`', "")));
        } else if let Some(heading) = line.strip_prefix("## ") {
            // The name of a table stays as it is written.
            let heading = match heading.strip_prefix('`') {
                Some(table) => table.replace('`', ""),
                None => heading.to_uppercase(),
            };
            out += &format!(".SH \"{}\"\n", escaped(&heading));
        } else if line.starts_with("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            out += &literal(&code);
        } else if line.starts_with("    ") {
            out += &literal(&[line.trim()]);
        } else if line.starts_with('|') && !line.starts_with("|---") {
            let cells = cells(line);
            match &header {
                None => header = Some(cells),
                Some(header) => out += &row(header, &cells),
            }
        }
    }
    flush(&mut out, &mut paragraph);
    out + END
}

fn flush(out: &mut String, paragraph: &mut String) {
    // A manual page has no pictures.
    let paragraph = std::mem::take(paragraph);
    let paragraph = paragraph.split_once('\n');
    if let Some((begin, text)) = paragraph.filter(|(_, text)| !text.starts_with("![")) {
        let last = out.lines().last().unwrap_or_default();
        if begin != ".PP" || !last.starts_with(".S") {
            *out += &format!("{begin}\n");
        }
        *out += &format!("{}\n", inline(text));
    }
}

fn literal(code: &[&str]) -> String {
    let mut out = ".PP\n.RS 4\n.nf\n".to_owned();
    for line in code {
        // A line that begins with a dot or a quote would be a request.
        out += &format!("\\&{}\n", escaped(line));
    }
    out + ".fi\n.RE\n"
}

fn cells(row: &str) -> Vec<String> {
    let row = row.replace("\\|", "\u{1}");
    let cells = row.trim_matches('|').split('|');
    cells
        .map(|cell| cell.trim().replace('\u{1}', "|"))
        .collect()
}

/// A row of a table: its first cell, and below it the others, those between with their heading.
fn row(header: &[String], cells: &[String]) -> String {
    let between = cells.iter().zip(header).skip(1).rev().skip(1).rev();
    let between = between.filter(|(cell, _)| !cell.is_empty());
    let mut text: Vec<String> = between.map(|(cell, of)| format!("{of}: {cell};")).collect();
    if let [_, .., last] = cells {
        text.push(last.clone());
    }
    let first = cells.first().map_or("", String::as_str);
    format!(".TP\n{}\n{}\n", inline(first), inline(&text.join(" ")))
}

/// Text with code, bold words and links, of which the words stay.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out += &format!("\\fB{}\\fR", escaped(part));
            continue;
        }
        let mut part = part;
        while let Some(at) = part.find("](") {
            let (before, link) = part.split_at(at);
            let behind = link.split_once(')').map_or("", |(_, behind)| behind);
            out += &words(before);
            part = behind;
        }
        out += &words(part);
    }
    // Never a request.
    if out.starts_with(['.', '\'']) {
        format!("\\&{out}")
    } else {
        out
    }
}

fn words(text: &str) -> String {
    let text = escaped(text).replace('[', "");
    let mut parts = text.split("**");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.enumerate().fold(first, |out, (at, part)| {
        format!("{out}{}{part}", if at % 2 == 0 { "\\fB" } else { "\\fR" })
    })
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    text.replace('"', "\\(dq")
        .replace('~', "\\(ti")
        .replace('^', "\\(ha")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_page_is_what_the_docs_say_now() {
        let now = read(PAGE).unwrap();
        let made = page(&read("docs/policy.md").unwrap());
        assert!(now == made, "{PAGE} is old: run `cargo xtask docs`");
        for key in ["recheck", "[[profile]]", "at_least", "loosens\\-unproven"] {
            assert!(made.contains(key), "{key}");
        }
    }

    #[test]
    fn text_code_links_and_tables_become_what_man_reads() {
        assert_eq!(
            page(
                "# T\n\nSee [the\ndocs](x.md) of `a-b`,\n`c`.\n\n## `[x]`\n\n| key | default | meaning |\n|---|---|---|\n| `k` | `1` | a \\| b |\n| `l` | | no |\n\n- one\n  more\n- **two**\n\n```toml\n.x = \"\\\\\"\n```\n"
            ),
            format!(
                "{BEGIN}See the docs of \\fBa\\-b\\fR, \\fBc\\fR.\n.SH \"[x]\"\n\
                 .TP\n\\fBk\\fR\ndefault: \\fB1\\fR; a | b\n.TP\n\\fBl\\fR\nno\n\
                 .IP \\(bu 2\none more\n.IP \\(bu 2\n\\fBtwo\\fR\n\
                 .PP\n.RS 4\n.nf\n\\&.x = \\(dq\\e\\e\\(dq\n.fi\n.RE\n{END}"
            )
        );
    }
}
