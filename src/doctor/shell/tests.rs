//! A big table of lines as people write them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::files::Table;
use super::{Dialect, Export, Startup, starts};
use crate::environment::Environment;

/// What the file exports as GOPROXY: `value@line`, `(may)` behind it, `?` for an unknown value.
pub(super) fn seen(start: &str, name: &str, files: &[(&str, &str)]) -> String {
    let files: Vec<(String, &str)> = files
        .iter()
        .map(|(path, text)| match path.strip_prefix("~/") {
            Some(rest) => (format!("/home/me/{rest}"), *text),
            None => ((*path).to_owned(), *text),
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let table = Table::of(&files);
    let names: BTreeSet<String> = [name.to_owned()].into();
    let all = starts(
        &table,
        &Environment::default(),
        Path::new("/home/me"),
        &names,
    );
    let start = all.iter().find(|one| one.reaches == start).unwrap();
    let one = |export: &Export| {
        format!(
            "{}@{}:{}{}",
            export.value.as_deref().unwrap_or("?"),
            export.file.file_name().unwrap().to_str().unwrap(),
            export.line,
            if export.certain { "" } else { " (may)" }
        )
    };
    let all: Vec<String> = start.exports.iter().map(one).collect();
    all.join(", ")
        .replace(".bashrc:", "")
        .replace("config.fish:", "")
}

pub(super) fn bash(text: &str) -> String {
    seen("bash terminals", "GOPROXY", &[("~/.bashrc", text)])
}

#[test]
fn bash_lines_as_people_write_them() {
    let table: &[(&str, &str)] = &[
        ("export GOPROXY=off", "off@1"),
        ("\n\nexport GOPROXY=off # closed", "off@3"),
        ("GOPROXY=off; export GOPROXY", "off@1"),
        ("GOPROXY=off\nexport GOPROXY", "off@1"),
        ("export GOPROXY\nGOPROXY=off", "off@2"),
        ("declare -x GOPROXY=off", "off@1"),
        ("GOPROXY=on; : ${GOPROXY:=off}; export GOPROXY", "on@1"),
        (": ${GOPROXY:-off}\nexport GOPROXY", ""),
        ("typeset -gx GOPROXY='off'", "off@1"),
        (
            "export GOSUMDB=x GOPROXY=\"https://a,direct\"",
            "https://a,direct@1",
        ),
        ("export GOPROXY=https://a\\,direct", "https://a,direct@1"),
        (
            "export GOPROXY='https://a'\\\n',direct'",
            "https://a,direct@1",
        ),
        ("export \\\n  GOPROXY=off", "off@1"),
        ("  export\tGOPROXY=$'off'", "off@1"),
        ("export \"GOPROXY=off\"", "off@1"),
        ("builtin export GOPROXY=off", "off@1"),
        ("set -a\nGOPROXY=off\nset +a", "off@2"),
        ("set -euao pipefail; GOPROXY=off", "off@1"),
        (
            "P=https://a\nexport GOPROXY=$P,direct",
            "https://a,direct@2",
        ),
        ("export GOPROXY=${GOPROXY:-off}", "off@1"),
        (
            "export GOPROXY=\"file://$HOME/mod\"",
            "file:///home/me/mod@1",
        ),
        ("export GOPROXY=~/mod", "/home/me/mod@1"),
        ("export GOPROXY=$(cat ~/.proxy)", "?@1"),
        ("export GOPROXY=`cat x`", "?@1"),
        ("export GOPROXY=$CORP_PROXY", "?@1"),
        ("GOPROXY+=,direct; export GOPROXY", "?@1"),
        ("{ export GOPROXY=off; }", "off@1"),
        ("export GOPROXY=a\nexport GOPROXY=b", "b@2"),
        ("eval 'export GOPROXY=off'", "off@1"),
        ("true && export GOPROXY=off", "off@1"),
        ("export GOPROXY=off || true", "off@1"),
        ("[ -n \"$BASH_VERSION\" ] && export GOPROXY=off", "off@1"),
        ("if [ -n \"$PS1\" ]; then\n export GOPROXY=off\nfi", "off@2"),
        (
            "case $- in *i*) ;; *) return;; esac\nexport GOPROXY=off",
            "off@2",
        ),
        ("[[ $- != *i* ]] && return\nexport GOPROXY=off", "off@2"),
        ("for p in a b; do export GOPROXY=$p; done", "b@1"),
        (
            "cat <<'X'\nexport GOPROXY=no\nX\nexport GOPROXY=off",
            "off@4",
        ),
        ("x=1 # '\nexport GOPROXY=off", "off@2"),
        (
            "alias ll='ls -l'\nfoo() { bar; }\nexport GOPROXY=off",
            "off@3",
        ),
        ("export GOPROXY=https://j:p#w@h # x", "https://j:p#w@h@1"),
        ("export PATH=$PATH:/go/bin GOPROXY=off", "off@1"),
        // under a condition
        ("if work; then export GOPROXY=off; fi", "off@1 (may)"),
        ("work && export GOPROXY=off", "off@1 (may)"),
        ("work || export GOPROXY=off", "off@1 (may)"),
        ("go version && export GOPROXY=off", "off@1 (may)"),
        ("[[ -n x && -n y ]] && export GOPROXY=off", "off@1 (may)"),
        (
            "case $(hostname) in\n corp*) export GOPROXY=off ;;\nesac",
            "off@2 (may)",
        ),
        (
            "if work; then\nexport GOPROXY=a\nelse\nexport GOPROXY=b\nfi",
            "a@2 (may), b@4 (may)",
        ),
        (
            "export GOPROXY=a\nwork && export GOPROXY=b",
            "a@1 (may), b@2 (may)",
        ),
        ("export GOPROXY=off\nwork && unset GOPROXY", "off@1 (may)"),
        ("while read x; do export GOPROXY=$x; done < f", "?@1 (may)"),
        ("if work; then P=a; export GOPROXY=$P; fi", "a@1 (may)"),
        ("work && return\nexport GOPROXY=off", "off@2"),
        ("[ -f ~/work ] && export GOPROXY=off", ""),
        // nothing
        ("# export GOPROXY=off", ""),
        ("export MYGOPROXY=off", ""),
        ("export GOPROXY_OLD=off", ""),
        ("export GOPROXY", ""),
        ("export GOPROXY=", ""),
        ("export GOPROXY=''", ""),
        ("GOPROXY=off", ""),
        ("export GOPROXY=\"$GOPROXY\"", ""),
        ("export GOPROXY=off\nunset GOPROXY", ""),
        ("export GOPROXY=off\nexport -n GOPROXY", ""),
        ("export GOPROXY=off\nexport GOPROXY=", ""),
        ("GOPROXY=off go build", ""),
        ("env GOPROXY=off go build", ""),
        ("alias g='export GOPROXY=off'", ""),
        ("echo export GOPROXY=off", ""),
        ("echo 'export\nexport GOPROXY=off'", ""),
        ("cat <<EOF\nexport GOPROXY=off\nEOF", ""),
        ("cat <<-EOF > x\n\texport GOPROXY=off\n\tEOF", ""),
        ("proxy() {\n  export GOPROXY=off\n}", ""),
        ("function proxy { export GOPROXY=off; }", ""),
        ("function proxy() { export GOPROXY=off; }", ""),
        ("proxy () ( export GOPROXY=off )", ""),
        ("( export GOPROXY=off )", ""),
        ("export GOPROXY=off | cat", ""),
        ("export GOPROXY=off &", ""),
        ("false && export GOPROXY=off", ""),
        ("return\nexport GOPROXY=off", ""),
        ("[ -z \"$PS1\" ] && export GOPROXY=off", ""),
        ("readonly GOPROXY=off", ""),
        ("declare GOPROXY=off", ""),
        ("export -f GOPROXY", ""),
        (": ${GOPROXY:=off}", ""),
        // not seen: docs/doctor.md says so
        (": ${GOPROXY:=off}\nexport GOPROXY", ""),
        (": \"${GOPROXY:=off}\"; export GOPROXY", ""),
    ];
    for (text, expected) in table {
        assert_eq!(&bash(text), expected, "{text}");
    }
}

#[test]
fn files_that_are_read_by_files_are_followed() {
    let rc = |text: &'static str, files: &[(&'static str, &'static str)]| {
        let mut all = vec![("~/.bashrc", text)];
        all.extend(files);
        seen("bash terminals", "GOPROXY", &all)
    };
    let aliases = ("~/.bash_aliases", "\nexport GOPROXY=off");
    let line = ".bash_aliases:2".replace(".bashrc:", "");
    for text in [
        ". ~/.bash_aliases",
        "source ~/.bash_aliases",
        "source \"$HOME/.bash_aliases\"",
        "if [ -f ~/.bash_aliases ]; then\n. ~/.bash_aliases\nfi",
        "[[ -r ~/.bash_aliases ]] && . ~/.bash_aliases",
        "test -e ~/.bash_aliases && . ~/.bash_aliases || true",
        "for f in ~/.bash_al*; do [ -r \"$f\" ] && . \"$f\"; done",
    ] {
        assert_eq!(rc(text, &[aliases]), format!("off@{line}"), "{text}");
    }
    assert_eq!(
        rc("work && . ~/.bash_aliases", &[aliases]),
        format!("off@{line} (may)")
    );
    assert_eq!(rc("# . ~/.bash_aliases", &[aliases]), "");
    assert_eq!(rc(". ~/.bash_aliases\nunset GOPROXY", &[aliases]), "");
    // A circle ends.
    let circle = ("~/.bash_aliases", ". ~/.bashrc\nexport GOPROXY=off");
    assert_eq!(rc(". ~/.bash_aliases", &[circle]), "off@.bash_aliases:2");
}

#[test]
fn each_way_to_start_reads_its_own_files() {
    let files = [
        ("~/.profile", "export GOPROXY=profile"),
        ("~/.bashrc", "export GOPROXY=rc"),
        ("~/.zshenv", "export ZDOTDIR=~/.z"),
        ("~/.z/.zshrc", "typeset -x GOPROXY=zsh"),
        ("~/.zshrc", "export GOPROXY=not-read"),
        ("~/.config/fish/conf.d/a.fish", "set -gx GOPROXY fish"),
    ];
    let of = |start| seen(start, "GOPROXY", &files);
    assert_eq!(of("bash terminals"), "rc@1");
    assert_eq!(of("bash login shells"), "profile@.profile:1");
    assert_eq!(of("programs of the desktop"), "profile@.profile:1");
    assert_eq!(of("zsh shells"), "zsh@.zshrc:1");
    assert_eq!(of("fish shells"), "fish@a.fish:1");
}

#[test]
fn fish_lines_as_people_write_them() {
    let table: &[(&str, &str)] = &[
        ("set -gx GOPROXY off", "off@1"),
        ("set -x GOPROXY off # closed", "off@1"),
        (
            "set --global --export GOPROXY 'https://a,direct'",
            "https://a,direct@1",
        ),
        ("set -Ux GOPROXY \"off\"", "off@1"),
        ("set -g GOPROXY off\nset -gx GOPROXY $GOPROXY", "off@2"),
        ("export GOPROXY=off", "off@1"),
        ("set -gx GOPROXY \\\n off", "off@1"),
        ("set -gx GOPROXY $HOME/mod", "/home/me/mod@1"),
        ("set -gx GOPROXY (cat x)", "?@1"),
        ("set -gx GOFLAGS a; set -gx GOPROXY off", "off@1"),
        (
            "if status is-interactive\n set -gx GOPROXY off\nend",
            "off@2",
        ),
        ("status is-interactive; and set -gx GOPROXY off", "off@1"),
        ("status --is-interactive && set -gx GOPROXY off", "off@1"),
        ("set -q GOPROXY; or set -gx GOPROXY off", "off@1"),
        ("for p in a b\n set -gx GOPROXY $p\nend", "b@2"),
        ("begin; set -gx GOPROXY off; end", "off@1"),
        ("if work\n set -gx GOPROXY off\nend", "off@2 (may)"),
        ("work; and set -gx GOPROXY off", "off@1 (may)"),
        (
            "switch (hostname)\ncase corp\n set -gx GOPROXY off\nend",
            "off@3 (may)",
        ),
        ("if test -d /corp\n set -gx GOPROXY off\nend", ""),
        (
            "if not test -d /corp\n set -gx GOPROXY off\nelse\nset -gx GOPROXY no\nend",
            "off@2",
        ),
        ("# set -gx GOPROXY off", ""),
        ("set -g GOPROXY off", ""),
        ("set -gx GOPROXY", ""),
        ("set -gx GOPROXY off\nset -e GOPROXY", ""),
        ("function f\n set -gx GOPROXY off\nend", ""),
        ("echo set -gx GOPROXY off", ""),
        ("GOPROXY=off go build", ""),
        ("set -gx MYGOPROXY off", ""),
    ];
    for (text, expected) in table {
        let found = seen(
            "fish shells",
            "GOPROXY",
            &[("~/.config/fish/config.fish", text)],
        );
        assert_eq!(&found, expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_noted_and_the_rest_goes_on() {
    let table = Table::of(&[
        ("/h/.bashrc", ". /h/locked\n. /h/none\nexport GOPROXY=off"),
        ("/h/locked", "(unreadable)"),
    ]);
    let mut startup = Startup::new(&table, Dialect::Bash);
    assert!(startup.file(Path::new("/h/.bashrc")));
    assert_eq!(startup.variables.value("GOPROXY"), Some("off"));
    assert_eq!(startup.unread.len(), 1);
    assert_eq!(startup.unread[0].0, PathBuf::from("/h/locked"));
}

proptest::proptest! {
    /// Whatever a file holds: no panic, no endless loop, no deep stack.
    #[test]
    fn no_text_is_too_odd(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "export GOPROXY=x", "if", "then", "fi", "do", "done", "case", "esac", "in", "{", "}",
                "(", ")", "((", "))", "[[", "]]", ";", ";;", "&&", "||", "|", "&", "\n", " ", "'",
                "\"", "\\", "$", "${", "$(", "`", "<<X", "<", ">", "#", "function", "f()", "for",
                "while", "end", "switch", "begin", "set -gx GOPROXY", "eval", ". ", "~", "*", "é",
                "GOPROXY=", "$GOPROXY", "return", "!", "unset GOPROXY", "else", "elif", "and", "not",
            ]),
            0..60,
        ),
    ) {
        let text = words.concat();
        let spaced = words.join(" ");
        for text in [text.as_str(), spaced.as_str()] {
            let table = Table::of(&[("/f", text)]);
            for dialect in [Dialect::Bash, Dialect::Zsh, Dialect::Fish] {
                Startup::new(&table, dialect).file(Path::new("/f"));
            }
        }
    }
}

#[test]
fn depth_is_bounded() {
    for word in [
        "(",
        "{ ",
        "if ",
        "$(",
        "${a:-",
        "f() ",
        "function f ",
        "case x in (a) ",
        "begin;",
        "! ",
        "\"${a:-",
    ] {
        let text = word.repeat(20_000);
        let table = Table::of(&[("/f", &text)]);
        for dialect in [Dialect::Bash, Dialect::Fish] {
            Startup::new(&table, dialect).file(Path::new("/f"));
        }
    }
}

#[test]
fn loops_in_loops_and_files_in_files_come_to_an_end() {
    let loops = "for a in 1 2 3 4 5 6 7 8 9 0; do ".repeat(20) + "x; " + &"done; ".repeat(20);
    let under_a_condition = format!("if work; then {loops} fi");
    let reads = ". /big\n".repeat(20_000);
    let big = "x=1 #\n".repeat(100_000);
    let table = Table::of(&[
        ("/loops", &loops),
        ("/may", &under_a_condition),
        ("/reads", &reads),
        ("/big", &big),
    ]);
    let began = std::time::Instant::now();
    for file in ["/loops", "/may", "/reads"] {
        Startup::new(&table, Dialect::Bash).file(Path::new(file));
    }
    // Without bounds it would be years.
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}

#[cfg(target_os = "linux")]
#[test]
fn lines_for_another_system_are_not_this_ones() {
    for (text, found) in [
        (
            "case \"$(uname)\" in Darwin) export GOPROXY=mac;; Linux) export GOPROXY=lin;; esac",
            "lin@1",
        ),
        (
            "if [[ `uname -s` == Darwin ]]; then\nexport GOPROXY=mac\nfi",
            "",
        ),
        ("[ \"$(uname -s)\" = Linux ] && export GOPROXY=lin", "lin@1"),
        (
            "case $OSTYPE in darwin*) export GOPROXY=mac;; linux*) export GOPROXY=lin;; esac",
            "lin@1",
        ),
        (
            "if [ \"$(uname -m)\" = arm64 ]; then export GOPROXY=arm; fi",
            "arm@1 (may)",
        ),
    ] {
        assert_eq!(bash(text), found, "{text}");
    }
}

#[test]
fn a_file_of_somebody_else_cannot_exhaust_the_stack_or_the_memory() {
    for text in [
        format!("[[ {}x ]]", "x || ".repeat(200_000)),
        format!("[[ {}x ]]", "! ".repeat(200_000)),
        format!("test {}x", "x && ".repeat(200_000)),
        format!("{}x", "command ".repeat(130_000)),
        format!("{}x", "builtin ".repeat(130_000)),
        format!(
            "if x; then {}{}",
            "{ ".repeat(200_000),
            "done\n".repeat(100_000)
        ),
    ] {
        let text = format!("export GOPROXY=off\n{text}\n");
        assert_eq!(bash(&text), "off@1");
    }
    assert_eq!(bash("command builtin export GOPROXY=off"), "off@1");
    let copies: String = (0..45_000).map(|i| format!("b{i}=$a\n")).collect();
    let text = format!("a={}\n{copies}", "x".repeat(60_000));
    let table = Table::of(&[("/f", &text)]);
    let mut startup = Startup::new(&table, Dialect::Bash);
    startup.file(Path::new("/f"));
    assert!(startup.variables.bytes < 10 << 20);
}

#[test]
fn a_folder_that_nobody_has_moved_is_the_usual_one() {
    let text = "export GOENV=\"${XDG_CONFIG_HOME:-$HOME/.config}/go/env\"";
    assert_eq!(
        seen("bash terminals", "GOENV", &[("~/.bashrc", text)]),
        "/home/me/.config/go/env@1"
    );
}

#[test]
fn what_a_function_does_is_a_may_where_the_file_calls_it() {
    let switch = "go_proxy() {\n case \"$1\" in\n on) export GOPROXY=\"$2\";;\n off) unset GOPROXY;;\n esac\n}\n";
    let with = |call: &str| bash(&format!("{switch}{call}"));
    assert_eq!(with(""), "");
    assert_eq!(with("go_proxy on https://a"), "?@3 (may)");
    assert_eq!(with("[ -n \"$CORP\" ] && go_proxy on x"), "?@3 (may)");
    for (text, expected) in [
        ("function f { export GOPROXY=off; }\nf", "off@1 (may)"),
        ("function f { export GOPROXY=off; }\n# f\nff", ""),
        ("f () { export GOPROXY=off; }\nalias x=f", ""),
        ("f() { return; }\nf\nexport GOPROXY=off", "off@3"),
        ("f() ( export GOPROXY=off )\nf", ""),
        ("f() { local -x GOPROXY=off; }\nf", ""),
        ("f() { f; f; }\nf\nexport GOPROXY=off", "off@3"),
        ("$(f() { export GOPROXY=off; }; f)", ""),
    ] {
        assert_eq!(bash(text), expected, "{text}");
    }
}

#[test]
fn nothing_that_people_write_hides_what_follows() {
    for text in [
        "f() { mkdir -p \"${1}\" && cd \"${1}\"; }",
        "f() { echo \"${10}${1:-it}${@}\"; }",
        "x=\"${2}:${3}\"",
        "[[ ( -n $x || -n $y ) && $z ]] && :",
        "[[ $a < $b ]] && :",
        "echo }",
        "a=( ${b## #} )",
        "a=(\n x # it's\n)",
    ] {
        assert_eq!(
            bash(&format!("{text}; export GOPROXY=off")),
            "off@1".replace('1', &text.lines().count().to_string()),
            "{text}"
        );
    }
    for text in [
        "take() { mkdir -p $1 && cd $1 }",
        "[[ $1 == x ]] && { print x }",
        "[[ ${a[1]} = <-> ]] && :",
        "a=( ${${(f)\"$(<x)\"}[2,-1]## #} )",
        "sleep 1 &|",
        "case $x in (a|b)*) : ;; (c) : ;; esac",
        "{ : } always { : }",
        "function { : }",
        "x=$(( (#HOST) % 6 ))",
    ] {
        let files = [("~/.zshrc", &*format!("{text}\nexport GOPROXY=off"))];
        assert_eq!(
            seen("zsh shells", "GOPROXY", &files),
            "off@.zshrc:2",
            "{text}"
        );
    }
}

#[test]
fn what_only_looks_like_an_end_or_an_option_is_none() {
    for (text, expected) in [
        ("x=$(\n# don't\ntrue)\nexport GOPROXY=off\n# it's", "off@4"),
        ("(\n# don't\n)\nexport GOPROXY=off\n# it's", "off@4"),
        ("x=$(echo $# ${#x} a#'b)')\nexport GOPROXY=off", "off@2"),
        ("set -- -a\nGOPROXY=off", ""),
        ("set -a -- x\nGOPROXY=off", "off@2"),
    ] {
        assert_eq!(bash(text), expected, "{text}");
    }
}
