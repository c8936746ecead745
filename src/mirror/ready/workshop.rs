//! What all projects are looked at with: the go command, what is there, what proves it.

use std::path::{Path, PathBuf};

use super::need::Builder;
use super::proof::Database;
use super::shelf::Shelf;
use crate::environment::Environment;
use crate::gocmd::GoCommand;

/// What all projects are built with.
#[derive(Debug)]
pub struct Workshop {
    /// The go command itself.
    pub go: GoCommand,
    /// What of its settings changes what a project needs.
    pub settings: String,
    /// The file in the place of go.mod that GOFLAGS names.
    pub modfile: Option<PathBuf>,
    /// The go command as the project sees it.
    pub builder: Builder,
    /// What is there.
    pub shelf: Shelf,
    /// The checksum database.
    pub database: Database,
    /// For the toolchains in PATH.
    pub env: Environment,
}

impl Workshop {
    /// The go.mod by which go builds the module in this folder, and its go.sum.
    pub(super) fn module_files(&self, folder: &Path) -> (PathBuf, PathBuf) {
        match &self.modfile {
            // go cuts the ending off and puts `.sum` there.
            Some(file) => (folder.join(file), folder.join(file.with_extension("sum"))),
            None => (folder.join("go.mod"), folder.join("go.sum")),
        }
    }

    /// The same, with nothing known of what is there.
    pub fn anew(&self) -> Workshop {
        Workshop {
            go: self.go.clone(),
            settings: self.settings.clone(),
            modfile: self.modfile.clone(),
            builder: self.builder.clone(),
            shelf: self.shelf.anew(),
            database: self.database.clone(),
            env: self.env.clone(),
        }
    }
}
