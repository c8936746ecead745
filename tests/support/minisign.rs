//! Keys and signatures by the real `minisign` tool.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A key pair in a directory of its own.
pub struct MinisignKey {
    folder: tempfile::TempDir,
    /// The public key, as `[fleet] keys` has it.
    pub public: String,
    /// Its number.
    pub id: String,
}

impl MinisignKey {
    /// Makes a key without a password; `None`: there is no `minisign` here.
    pub fn new() -> Option<MinisignKey> {
        let folder = tempfile::tempdir().unwrap();
        let mut tool = Command::new("minisign");
        tool.args(["-G", "-W", "-p"])
            .arg(folder.path().join("key.pub"));
        tool.arg("-s").arg(folder.path().join("key.sec"));
        let made = tool.output().ok()?;
        assert!(made.status.success(), "{made:?}");
        let text = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
        let mut lines = text.lines();
        let id = lines.next().unwrap().rsplit(' ').next().unwrap();
        Some(MinisignKey {
            id: id.to_owned(),
            public: lines.next().unwrap().to_owned(),
            folder,
        })
    }

    /// The file with the secret key.
    pub fn secret(&self) -> PathBuf {
        self.folder.path().join("key.sec")
    }

    /// Signs bytes, and returns the content of the `.minisig` file.
    pub fn sign(&self, body: &[u8]) -> String {
        self.sign_with(body, &[])
    }

    /// The same, with other options of the tool.
    pub fn sign_with(&self, body: &[u8], options: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, body).unwrap();
        self.sign_file(&file, options);
        std::fs::read_to_string(folder.path().join("policy.toml.minisig")).unwrap()
    }

    /// Signs a file in its place.
    pub fn sign_file(&self, file: &Path, options: &[&str]) {
        let mut tool = Command::new("minisign");
        tool.arg("-S").args(options).arg("-s").arg(self.secret());
        let signed = tool.arg("-m").arg(file).output().unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    /// Reports whether the tool finds the signature beside the file right.
    pub fn verifies(&self, file: &Path) -> bool {
        let mut tool = Command::new("minisign");
        let tool = tool.args(["-V", "-q", "-P", &self.public, "-m"]).arg(file);
        tool.status().unwrap().success()
    }
}
