//! `goroam vendor`

use insta::assert_snapshot;

use crate::cli::User;
use crate::screen;

#[test]
fn a_vendor_folder_that_go_could_not_use() {
    let user = User::new();
    user.write("app/go.mod", "module example.test/app\n\ngo 1.21\n");
    assert_snapshot!(screen(&user, "vendor check -C app"), @r"
    $ goroam vendor check -C app
    ! there is no vendor/ beside go.mod [no-vendor]
      → run `go mod vendor` to create it; `goroam vendor rollback` brings a snapshot
        back

    there is no vendor/ that go can use; 0 files, 0 of 0 modules compared with the
    zips that go.sum names
    [exit 1]
    ");
    user.write("app/vendor/stray.go", "package stray\n");
    assert_snapshot!(screen(&user, "vendor check -C app"), @r"
    $ goroam vendor check -C app
    ! vendor/ has no modules.txt, so its content is not known [no-modules-txt]
      → run `go mod vendor` to create both again

    there is no vendor/ that go can use; 0 files, 0 of 0 modules compared with the
    zips that go.sum names
    [exit 1]
    ");
}

#[test]
fn files_that_no_module_holds() {
    let user = User::new();
    let needs = "module example.test/app\n\ngo 1.21\n\nrequire example.test/b v1.0.0\n";
    user.write("app/go.mod", needs);
    let listed = "# example.test/b v1.0.0\n## explicit; go 1.21\nexample.test/b\n";
    user.write("app/vendor/modules.txt", listed);
    user.write("app/vendor/example.test/b/b.go", "package b\n");
    user.write("app/vendor/example.test/c/c.go", "package c\n");
    assert_snapshot!(screen(&user, "vendor check -C app"), @r"
    $ goroam vendor check -C app
    ✗ modules.txt lists no module that it could belong to [not-in-module]
      vendor/example.test/c/c.go
      → inspect it, then remove it

    ! example.test/b@v1.0.0: go.sum has no hash of its zip, so these files cannot be
      verified [no-sum]
      → run `go mod download example.test/b@v1.0.0`: it adds that line once the
        checksum database agrees

    vendor/ does NOT match the verified modules; 2 files, 0 of 1 module compared
    with the zips that go.sum names
    [exit 6]
    ");
}

#[test]
fn snapshots_need_git() {
    let user = User::new();
    user.write("app/go.mod", "module example.test/app\n\ngo 1.21\n");
    assert_snapshot!(screen(&user, "vendor list -C app"), @r"
    $ goroam vendor list -C app
    goroam: ~/app is in no git repository, where snapshots are kept; run `git init`, then commit go.mod, go.sum and vendor/
    [exit 1]
    ");
}
