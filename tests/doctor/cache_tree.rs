//! `goroam doctor --cache --hash`: trees that were unpacked and are not any more what they were.

use std::path::Path;
use std::process::Output;

use crate::cache::doctor;
use crate::modcache::{Home, all, gone};

fn is_well(home: &Home, args: &[&str]) -> bool {
    doctor(home, args).status.success()
}

fn names_the_tree(done: &Output) -> bool {
    String::from_utf8_lossy(&done.stdout).contains("[cache-tree]")
}

#[test]
fn a_tree_that_was_changed_is_what_go_mod_verify_finds_too() {
    for version in ["1.21.13", "1.24.11", "1.27.3"] {
        let Some(home) = Home::new(version) else {
            return;
        };
        let home = home.filled();
        let tree = home.path("go/pkg/mod/github.com/pkg/errors@v0.9.1");
        let good = home.files();
        let kinds: [&dyn Fn(&Path); 5] = [
            // A power cut leaves the length and not the bytes.
            &|tree| {
                let path = tree.join("errors.go");
                let length = std::fs::metadata(&path).unwrap().len();
                overwrite(&path, &vec![0; usize::try_from(length).unwrap()]);
            },
            &|tree| overwrite(&tree.join("errors.go"), b""),
            &|tree| std::fs::remove_file(tree.join("stack.go")).unwrap(),
            &|tree| overwrite(&tree.join("more.go"), b"package errors\n"),
            &|tree| std::os::unix::fs::symlink("errors.go", tree.join("link.go")).unwrap(),
        ];
        // Every kind is the same to every go; each of these builds again afterwards.
        let most = if version == "1.27.3" { 5 } else { 1 };
        for (kind, damage) in kinds.into_iter().enumerate().take(most) {
            writable(&tree);
            damage(&tree);
            let damaged = home.files();
            assert!(is_well(&home, &[]), "only --hash reads trees");
            // While go unpacks it, it is nothing.
            let partial = home.cached("github.com/pkg/errors/@v/v0.9.1.partial");
            std::fs::write(&partial, "").unwrap();
            assert!(is_well(&home, &["--hash"]), "kind {kind}");
            std::fs::remove_file(&partial).unwrap();
            let done = doctor(&home, &["--hash"]);
            assert_eq!(done.status.code(), Some(1), "{}", all(&done));
            assert!(names_the_tree(&done), "{}", all(&done));
            // Without --hash it would not be found.
            assert!(all(&done).contains("`goroam doctor --cache --hash --fix`"));
            let done = doctor(&home, &["--hash", "--fix"]);
            assert_eq!(done.status.code(), Some(0), "{}", all(&done));
            assert!(!tree.exists(), "go {version}, kind {kind}");
            let gone = gone(&damaged, &home.files());
            assert!(gone.iter().all(|path| path.starts_with(&tree)), "{gone:?}");
            home.builds();
            let now = home.files();
            let differs = good
                .iter()
                .find(|(path, bytes)| now.get(*path) != Some(bytes));
            assert_eq!(
                differs.map(|(path, _)| path),
                None,
                "go {version}, kind {kind}"
            );
        }
        // Without a zip, and with no word of anybody's, it stays.
        std::fs::remove_file(home.cached("github.com/pkg/errors/@v/v0.9.1.zip")).unwrap();
        std::fs::remove_file(home.path("app/go.sum")).unwrap();
        writable(&tree);
        overwrite(&tree.join("errors.go"), b"package errors\n");
        let done = doctor(&home, &["--hash", "--fix"]);
        assert_eq!(done.status.code(), Some(1), "{}", all(&done));
        assert!(tree.exists() && names_the_tree(&done), "{}", all(&done));
    }
}

fn overwrite(path: &Path, bytes: &[u8]) {
    drop(std::fs::remove_file(path));
    std::fs::write(path, bytes).unwrap();
}

fn writable(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
