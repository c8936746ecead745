//! Does `goroam doctor` say what the shell does? Each start-up file here is carried out by the
//! real shell and read by doctor: they must agree on what is exported.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use crate::cli::User;

/// Variables that both are asked about. The policy of the test manages them.
const NAMES: [&str; 3] = ["GOPROXY", "GOSUMDB", "GOPRIVATE"];
const POLICY: &str = "version = 1\n[[profile]]\nname = \"p\"\n\
    env = { GOPROXY = \"direct\", GOSUMDB = \"sum.golang.org\", GOPRIVATE = \"x.example\" }\n";

/// What a shell exports: `GOPROXY=off`.
type Exports = BTreeSet<String>;

/// A way to start a shell, and what doctor calls it.
struct Way {
    program: &'static str,
    args: &'static [&'static str],
    reaches: &'static str,
}

const TERMINAL: Way = Way {
    program: "bash",
    args: &["-ic"],
    reaches: "bash terminals",
};
const LOGIN: Way = Way {
    program: "bash",
    args: &["-lic"],
    reaches: "bash login shells",
};
const ZSH: Way = Way {
    program: "zsh",
    args: &["-lic"],
    reaches: "zsh shells",
};
const FISH: Way = Way {
    program: "fish",
    args: &["-ic"],
    reaches: "fish shells",
};

impl Way {
    /// `None`, with a line that says so, where there is no such shell.
    fn exports(&self, user: &User) -> Option<Exports> {
        let exists = Command::new(self.program)
            .args(["-c", ":"])
            .stdin(Stdio::null())
            .status();
        if !exists.is_ok_and(|status| status.success()) {
            println!("skipped: no {} here", self.program);
            return None;
        }
        let mut command = user.run(self.program).command();
        command.args(self.args).arg("env -0");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let wanted = |entry: &&str| {
            let (name, value) = entry.split_once('=').unwrap_or_default();
            // go takes an empty one for unset.
            NAMES.contains(&name) && !value.is_empty()
        };
        // What a start-up file prints stands before the first variable.
        let entries = text
            .split('\0')
            .map(|entry| entry.rsplit('\n').next().unwrap());
        Some(entries.filter(wanted).map(str::to_owned).collect())
    }

    /// What doctor says for certain, and what it says may be (`GOPROXY=?`: any value).
    fn said(&self, user: &User) -> (Exports, Exports) {
        let mut command = user.goroam("doctor --json").command();
        let output = command.output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let (mut certain, mut may) = (Exports::new(), Exports::new());
        for one in json["seen"].as_array().unwrap() {
            let reaches = one["reaches"].as_array().unwrap();
            if !reaches.iter().any(|reach| reach == self.reaches) {
                continue;
            }
            let name = one["name"].as_str().unwrap();
            let value = one["value"].as_str().unwrap_or("?");
            let export = format!("{name}={value}");
            if one["certain"] == true && value != "?" {
                certain.insert(export);
            } else {
                may.insert(export);
            }
        }
        (certain, may)
    }

    /// Runs the real shell and doctor on these files. Where `sure`, doctor must know it all;
    /// else it may say "may".
    #[track_caller]
    fn agree(&self, files: &[(&str, &str)], sure: bool) -> bool {
        let user = User::new();
        user.write(".config/goroam/goroam.toml", POLICY);
        for (name, text) in files {
            user.write(name, text);
        }
        let Some(real) = self.exports(&user) else {
            return false;
        };
        let (certain, may) = self.said(&user);
        let home = user.path("").display().to_string();
        let shown = format!(
            "{} {files:?} in {home}\nreal: {real:?}\ncertain: {certain:?}\nmay: {may:?}",
            self.program
        );
        if sure {
            assert_eq!(certain, real, "{shown}");
            assert!(may.is_empty(), "{shown}");
        } else {
            assert!(certain.is_subset(&real), "{shown}");
            for export in real.difference(&certain) {
                let (name, _) = export.split_once('=').unwrap();
                let known = may.contains(export) || may.contains(&format!("{name}=?"));
                assert!(known, "{shown}");
            }
        }
        true
    }

    /// The real shell exports what doctor does not see; nor does doctor say what is not so.
    #[track_caller]
    fn misses(&self, file: &str, text: &str) {
        let user = User::new();
        user.write(".config/goroam/goroam.toml", POLICY);
        user.write(file, text);
        let Some(real) = self.exports(&user) else {
            return;
        };
        assert_eq!(self.said(&user), (Exports::new(), Exports::new()), "{text}");
        assert!(!real.is_empty(), "{text}");
    }
}

/// Lines that bash and zsh take alike, and of which doctor knows everything.
const SURE: &[&str] = &[
    "export GOPROXY=off",
    "GOPROXY=off; export GOPROXY",
    "export GOPROXY\nGOPROXY=off",
    "GOPROXY=off\nexport GOPROXY GOSUMDB=off",
    "declare -x GOPROXY=off",
    "typeset -x GOPROXY='https://a,direct'",
    "export GOPROXY=\"https://a|direct\" GOSUMDB=off",
    "export GOPROXY=https://a\\,direct",
    "export GOPROXY=https://a,\\\ndirect",
    "export GOPROXY='it''s' # not '",
    "export GOPROXY=\"a\\\"b\\$c\\\\d\\e\"",
    "export GOPROXY='a\\b'",
    "export GOPROXY=$'a\\'b'",
    "export GOPROXY=a#b",
    "export GOPROXY=a # b",
    "P=https://p; export GOPROXY=$P,direct GOSUMDB=${P}x",
    "export GOPROXY=${GOPROXY:-off}",
    "export GOPROXY=a; export GOPROXY=${GOPROXY:-off}",
    "export GOPROXY=\"file://$HOME/mod\"",
    "export GOPROXY=~/mod",
    "set -a\nGOPROXY=off\nset +a\nGOSUMDB=off",
    "{ export GOPROXY=off; }",
    "export GOPROXY=a\nunset GOPROXY",
    "export GOPROXY=a\nunset GOPROXY\nexport GOPROXY=b",
    "export GOPROXY=a\nexport GOPROXY=",
    "GOPROXY=a\nunset GOPROXY\nexport GOPROXY",
    "# export GOPROXY=off",
    "export MYGOPROXY=off GOPROXY_OLD=off",
    "GOPROXY=off",
    "GOPROXY=off true",
    "env GOPROXY=off true",
    "(export GOPROXY=off)",
    "export GOPROXY=off | cat",
    "cat > /dev/null <<EOF\nexport GOPROXY=off\nEOF",
    "cat > /dev/null <<'EOF'\nexport GOPROXY=off\nit's\nEOF\nexport GOSUMDB=off",
    "cat > /dev/null <<-\"X Y\"\n\texport GOPROXY=off\n\tX Y\nexport GOSUMDB=off",
    "cat > /dev/null <<A; export GOPROXY=off\nexport GOPROXY=no\nA",
    "cat <<< 'export GOPROXY=off' > /dev/null",
    "proxy() { export GOPROXY=off; }",
    "proxy() {\n  export GOPROXY=off\n}\nexport GOSUMDB=off",
    "function proxy { export GOPROXY=off; }\nexport GOSUMDB=off",
    "alias p='export GOPROXY=off'\nexport GOSUMDB=off",
    "echo 'export GOPROXY=off' > /dev/null",
    "echo \"\nexport GOPROXY=off\n\" > /dev/null",
    "return\nexport GOPROXY=off",
    "x=(a b)\nexport GOPROXY=off",
    "x=$((1 + 2)); export GOPROXY=off",
    "export GOPROXY=off 2>/dev/null >&2",
    "until true; do export GOPROXY=no; done; export GOPROXY=off",
    ". ~/more",
    "source \"$HOME/more\"",
    ". ~/more\nunset GOPRIVATE",
];

/// Lines of which doctor does not know everything, but must not miss anything.
const MAY: &[&str] = &[
    "true && export GOPROXY=off || export GOPROXY=no",
    "false || export GOPROXY=off",
    "! false && export GOPROXY=off",
    "if true; then export GOPROXY=off; else export GOPROXY=no; fi",
    "if false; then\n export GOPROXY=no\nelif true; then\n export GOPROXY=off\nfi",
    "if [ -n \"$HOME\" ]; then export GOPROXY=off; fi",
    "[ -d ~/nowhere ] && export GOPROXY=no\n:",
    "[ ! -d ~/nowhere ] && export GOPROXY=off",
    "if [[ -f ~/nowhere ]]; then export GOPROXY=no; fi",
    "for p in a b c; do export GOPROXY=$p; done",
    "case $- in *i*) export GOPROXY=off;; *) export GOPROXY=no;; esac",
    "case x in a|x) export GOPROXY=off ;; *) export GOPROXY=no ;; esac",
    "if [ -r ~/more ]; then . ~/more; fi",
    "[ -f ~/none ] && . ~/none\n[ -s ~/more ] && . ~/more",
    "for f in ~/d/*.sh; do [ -r \"$f\" ] && . \"$f\"; done",
    "for f in ~/d/*; do\n  if [ -f $f ]; then source $f; fi\ndone\nunset f",
    "export GOPROXY=$(echo off)",
    "export GOPROXY=`echo off`",
    "if hostname > /dev/null; then export GOPROXY=off; fi",
    "command -v cat > /dev/null && export GOPROXY=off",
    "export GOPROXY=a\n[ $(id -u) = 77777 ] || export GOPROXY=b",
    "if [ \"$UID\" -ge 0 ]; then export GOPROXY=off; else export GOPROXY=no; fi",
    "case $(echo x) in x) export GOPROXY=off ;; esac",
    "p() { export GOPROXY=off; }; export GOSUMDB=off",
    "GOPROXY=a; GOPROXY+=,direct; export GOPROXY",
    "export GOPROXY=${NOBODY:-off}",
    "export GOPROXY=${HOME##*/}",
    "i=0; while [ $i -lt 2 ]; do i=$((i + 1)); export GOPROXY=$i; done",
    "export GOPROXY=off\nhostname > /dev/null && unset GOPROXY",
    "hostname > /dev/null || return\nexport GOPROXY=off",
    "eval \"$(echo true)\"; export GOPROXY=off",
    "[[ -n x && ! -d /nowhere ]] && export GOSUMDB=x",
    "[[ -z x || -d /nowhere ]] || export GOSUMDB=x",
    "[[ a == b || c == c ]] && export GOSUMDB=$HOME; export GOPROXY=off",
    "while false; do export GOPROXY=off; done\nexport GOSUMDB=off",
];

/// Lines that set what doctor does not see, as docs/doctor.md says.
const UNSEEN: &[&str] = &[
    "p() { export GOPROXY=off; }\np",
    "eval 'export GOPROXY=off'",
    "eval \"GOPROXY=off; export GOPROXY\"",
    ": ${GOPROXY:=off}; export GOPROXY",
    "p() { export GOPROXY=off; }; f=p; $f",
    "A=GOPROXY; eval \"export $(echo $A)=off\"",
];

fn table(way: &Way, file: &str, lines: &[&str], sure: bool) {
    let more = [
        ("more", "export GOPRIVATE=more\nGOSUMDB=off"),
        ("d/one.sh", "export GOPROXY=one"),
        ("d/two.sh", "export GOSUMDB=two"),
    ];
    for text in lines {
        let mut files = vec![(file, *text)];
        files.extend(more);
        if !way.agree(&files, sure) {
            return;
        }
    }
}

#[test]
fn doctor_and_bash_agree() {
    table(&TERMINAL, ".bashrc", SURE, true);
    table(&TERMINAL, ".bashrc", MAY, false);
    for text in UNSEEN {
        TERMINAL.misses(".bashrc", text);
    }
}

#[test]
fn doctor_and_zsh_agree() {
    table(&ZSH, ".zshrc", SURE, true);
    table(&ZSH, ".zshrc", MAY, false);
    let only_zsh = [
        "typeset -gx GOPROXY=off",
        "export -U path; export GOPROXY=off",
    ];
    table(&ZSH, ".zshrc", &only_zsh, true);
    let may = ["for f in ~/d/*.sh(N); do source $f; done"];
    table(&ZSH, ".zshrc", &may, false);
    let unseen = [
        // Without the line's end zsh 5.9 does not see that the block is over.
        "if [[ -n $HOME ]] { export GOPROXY=off }\n",
        "for p (a b) { export GOPROXY=$p }",
        "setopt allexport\nGOPROXY=off",
    ];
    for text in unseen.iter().chain(UNSEEN) {
        ZSH.misses(".zshrc", text);
    }
}

#[test]
fn doctor_and_fish_agree() {
    let sure = [
        "set -gx GOPROXY off",
        "set -x GOPROXY 'https://a,direct' # x",
        "set --global --export GOPROXY \"a\\$b\"",
        "set -gx GOPROXY a b",
        "set -gx GOPROXY https://a\\,direct",
        "set -gx GOPROXY \\\n  off",
        "export GOPROXY=off",
        "set -g GOPROXY off",
        "set -g P off; set -gx GOPROXY $P,direct",
        "set -gx GOPROXY off; set -gu GOPROXY",
        "set -gx GOPROXY off\nset -e GOPROXY",
        "set -gx GOPROXY off; set -ge GOPROXY; set -gx GOSUMDB off",
        "set -gx GOPROXY",
        "begin\n  set -gx GOPROXY off\nend",
        "function f\n  set -gx GOPROXY off\nend",
        "function f; set -gx GOPROXY off; end; set -gx GOSUMDB off",
        "function on --on-event x\n if true\n  set -gx GOPROXY off\n end\nend\nset -gx GOSUMDB off",
        "# set -gx GOPROXY off",
        "echo set -gx GOPROXY off >/dev/null",
        "echo 'a\nset -gx GOPROXY off' >/dev/null",
        "set -gx MYGOPROXY off",
        "set -gx GOPROXY off 2>/dev/null",
    ];
    let may = [
        "set -q GOPROXY; or set -gx GOPROXY off",
        "set -q GOPROXY || set -gx GOPROXY off",
        "set -gx GOPROXY a\nset -q GOPROXY; or set -gx GOPROXY b",
        "if status is-interactive\n  set -gx GOPROXY off\nend",
        "status --is-interactive; and set -gx GOPROXY off",
        "if not status is-interactive\n  set -gx GOPROXY no\nelse\n  set -gx GOPROXY off\nend",
        "if test -f ~/more.fish\n  source ~/more.fish\nend",
        "test -d ~/nowhere; and set -gx GOPROXY no",
        "if test -f ~/nowhere; or test -f ~/more.fish\n  set -gx GOPROXY off\nend",
        "for f in ~/d/*.fish\n  source $f\nend",
        "for p in a b; set -gx GOPROXY $p; end",
        "switch x\ncase a\n set -gx GOPROXY no\ncase x y\n set -gx GOPROXY off\ncase '*'\n set -gx GOPROXY no\nend",
        "true; and set -gx GOPROXY off",
        "false; and set -gx GOPROXY off",
        "set -gx GOPROXY (echo off)",
        "set -gx GOPROXY \"$(echo off)\"",
        "if hostname >/dev/null\n set -gx GOPROXY off\nend",
        "command -q cat; and set -gx GOPROXY off",
        "switch (echo x)\ncase x\n set -gx GOPROXY off\nend",
        "while false\n set -gx GOPROXY off\nend\nset -gx GOSUMDB off",
    ];
    for text in [
        "function f; set -gx GOPROXY off; end; f",
        "eval 'set -gx GOPROXY off'",
    ] {
        FISH.misses(".config/fish/config.fish", text);
    }
    let more = [
        ("more.fish", "set -gx GOPRIVATE more"),
        ("d/one.fish", "set -gx GOPROXY one"),
        (".config/fish/conf.d/early.fish", "set -gx GOPRIVATE early"),
    ];
    for (texts, is_sure) in [(&sure[..], true), (&may[..], false)] {
        for text in texts {
            let mut files = vec![(".config/fish/config.fish", *text)];
            files.extend(more);
            if !FISH.agree(&files, is_sure) {
                return;
            }
        }
    }
}

#[test]
fn doctor_knows_fish_s_universal_variables_as_fish_writes_them() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    let mut command = user.run("fish").command();
    command
        .arg("-c")
        .arg("set -Ux GOPROXY 'https://a b|c,direct'; set -U GOSUMDB off; set -Ux GOPRIVATE é x");
    if !command.status().is_ok_and(|status| status.success()) {
        println!("skipped: no fish here");
        return;
    }
    let real = FISH.exports(&user).unwrap();
    assert_eq!(real.len(), 2, "{real:?}");
    assert_eq!(FISH.said(&user), (real, Exports::new()));
}

#[test]
fn doctor_and_a_login_shell_agree_on_which_files_are_read() {
    let cases: &[&[(&str, &str)]] = &[
        &[
            (".profile", "export GOPROXY=profile"),
            (".bashrc", "export GOPROXY=rc"),
        ],
        &[
            (".profile", "export GOPROXY=no"),
            (".bash_profile", "export GOPROXY=bp"),
        ],
        &[
            (".bash_login", "export GOPROXY=bl"),
            (".profile", "export GOPROXY=no"),
        ],
        &[
            // As Debian has it in /etc/skel.
            (
                ".profile",
                "if [ -n \"$BASH_VERSION\" ]; then\n    if [ -f \"$HOME/.bashrc\" ]; then\n\t. \"$HOME/.bashrc\"\n    fi\nfi\nif [ -d \"$HOME/bin\" ] ; then\n    PATH=\"$HOME/bin:$PATH\"\nfi",
            ),
            (
                ".bashrc",
                "case $- in\n    *i*) ;;\n      *) return;;\nesac\nHISTCONTROL=ignoreboth\nshopt -s histappend\n[ -x /usr/bin/lesspipe ] && eval \"$(SHELL=/bin/sh lesspipe)\"\nif [ -f ~/.bash_aliases ]; then\n    . ~/.bash_aliases\nfi\nif ! shopt -oq posix; then\n  if [ -f /usr/share/bash-completion/bash_completion ]; then\n    . /usr/share/bash-completion/bash_completion\n  fi\nfi\nexport GOSUMDB=off",
            ),
            (".bash_aliases", "alias ll='ls -l'\nexport GOPROXY=aliases"),
        ],
    ];
    for files in cases {
        if !LOGIN.agree(files, false) {
            return;
        }
    }
    let zsh: &[&[(&str, &str)]] = &[
        &[
            (".zshenv", "export GOPROXY=env"),
            (".zprofile", "export GOSUMDB=p"),
            (".zlogin", "export GOPRIVATE=l"),
        ],
        &[
            (".zshenv", "export GOPROXY=env"),
            (".zshrc", "unset GOPROXY"),
        ],
        &[
            (".zshenv", "ZDOTDIR=~/z"),
            (".zshrc", "export GOPROXY=no"),
            ("z/.zshrc", "export GOPROXY=z"),
        ],
        &[
            (".zshenv", "export ZDOTDIR=$HOME/z"),
            ("z/.zprofile", "export GOPROXY=z"),
        ],
    ];
    for files in zsh {
        if !ZSH.agree(files, true) {
            return;
        }
    }
}
