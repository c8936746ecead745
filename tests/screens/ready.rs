//! `goroam ready`

use insta::assert_snapshot;

use crate::cli::User;
use crate::{POLICY, screen, screen_with_go};

#[test]
fn what_is_missing_and_the_command_that_fetches_it() {
    let user = User::new();
    user.write(".config/goroam/goroam.toml", POLICY);
    user.write("done/go.mod", "module example.test/done\n\ngo 1.21\n");
    let needs = "module example.test/app\n\ngo 1.21\n\nrequire example.test/b v1.0.0\n";
    user.write("app/go.mod", needs);
    let Some(ready) = screen_with_go(&user, "ready app done") else {
        return;
    };
    assert_snapshot!(ready, @r"
    $ goroam ready app done
    ✗ ~/app: offline-ready 0 %
      go.sum does not name example.test/b@v1.0.0: run `go mod tidy` first
    ✓ ~/done: offline-ready 100 %: 0 modules
    offline-ready 0 %: 1 of 2 projects
    [exit 1]
    ");
    assert_snapshot!(screen(&user, "ready --forget"), @r"
    $ goroam ready --forget
    forgot 2 projects
    [exit 0]
    ");
}
