//! Files that are odd, hostile, or only look like something else.

use std::path::Path;

use super::super::files::Table;
use super::tests::{bash, seen};
use super::{Dialect, Startup};

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
