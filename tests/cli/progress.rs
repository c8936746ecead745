//! The progress line of long work, in a real terminal.

use crate::cli::User;
use crate::company::Company;
use crate::company::server::Reply;
use crate::go;
use crate::tmux::Terminal;

#[test]
fn mirror_add_counts_from_the_start() {
    let Some(go) = go::go(go::VERSIONS[2]) else {
        return;
    };
    // A network that brings nothing; one of two modules was there before.
    let (user, silent) = (User::new(), Company::answering(|_| Reply::Hang));
    let (go_mod, mut go_sum) = ("module m.test\n\ngo 1.21\n\nrequire (\n", String::new());
    let mut go_mod = go_mod.to_owned();
    for module in ["a.test/x", "b.test/y"] {
        let hash = "h1:g61tztE5qeGQ89tm6NTjjM9VPIm088od1l6aSorWRWg=";
        go_mod += &format!("\t{module} v1.0.0\n");
        go_sum += &format!("{module} v1.0.0 {hash}\n{module} v1.0.0/go.mod {hash}\n");
    }
    user.write("w/go.mod", go_mod + ")\n");
    user.write("w/go.sum", go_sum);
    user.write("go/pkg/mod/cache/download/a.test/x/@v/v1.0.0.zip", "PK");
    let path = format!("{}:/usr/bin:/bin", go.parent().unwrap().display());
    let (home, url, ca) = (user.path(""), silent.url(), silent.ca());
    let vars = [
        ("HOME", home.to_str().unwrap()),
        ("PATH", path.as_str()),
        ("GOPROXY", url.as_str()),
        ("GOSUMDB", "off"),
        ("SSL_CERT_FILE", ca.as_str()),
    ];
    let Some(terminal) = Terminal::open(80, 24, &vars) else {
        return;
    };
    let goroam = env!("CARGO_BIN_EXE_goroam");
    terminal.enter(&format!("cd; {goroam} mirror add --from w"));
    terminal.shows("goroam: asking go what w needs");
    terminal.shows("downloading [==========..........] 1 of 2");
    user.write("go/pkg/mod/cache/download/b.test/y/@v/v1.0.0.zip", "PK");
    terminal.shows("downloading [====================] 2 of 2");
    terminal.press(&["C-c"]);
}
