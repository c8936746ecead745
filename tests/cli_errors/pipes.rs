//! Files that are none: whoever opens a pipe waits until somebody writes into it, which would
//! stop an agent for good.

use crate::bench::Bench;

/// Ends what hangs, so that the test fails.
const LIMIT: &str = "set -- 60 \"$GOROAM\" \"$@\"; GOROAM=timeout\n";

#[test]
fn a_netrc_that_is_a_pipe_stops_nobody() {
    let Some(bench) = Bench::new() else { return };
    // Some password managers serve it so.
    let pipe = [LIMIT, "mkfifo \"$HOME/.netrc\""].concat();
    bench.after(&pipe, "once").exits(0);
    let mut agent = bench.agent(bench.goroam("agent"), "watching the network");
    bench.goroam("status").exits(0);
    agent.kill();
}

#[test]
fn a_pipe_among_a_projects_files_stops_nobody() {
    let Some(bench) = Bench::new() else { return };
    bench
        .user
        .write("app/go.mod", "module app.test\n\ngo 1.21\n");
    let pipes = "mkdir app/vendor; mkfifo app/go.sum app/vendor/modules.txt app/go.work";
    // go itself would wait there, so the project is not ready.
    bench
        .after(&[LIMIT, pipes].concat(), "ready app")
        .exits(1)
        .says("is a named pipe");
}
