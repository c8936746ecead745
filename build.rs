//! Gives goroam-tray.exe its icon, its version and its manifest (packaging/windows): a COFF
//! object with a `.rsrc` section, which every linker for Windows takes. Written here, for a
//! resource compiler (windres, rc.exe) is not wherever Rust builds for Windows.
//!
//! On Linux it leaves a table out of the release's programs.

// This is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

#[path = "packaging/windows/resource.rs"]
mod resource;

use std::io;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/windows");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    if var("CARGO_CFG_TARGET_OS") == "linux" && var("PROFILE") == "release" {
        // The index for unwinding, 100 KB: with `panic = "abort"` nobody unwinds, and without
        // symbols nobody could read a backtrace. GNU's linker, LLVM's and mold all know it.
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
    if var("CARGO_CFG_TARGET_OS") != "windows" || var("CARGO_FEATURE_TRAY").is_empty() {
        return Ok(());
    }
    let Some(machine) = resource::Machine::of(&var("CARGO_CFG_TARGET_ARCH")) else {
        return Ok(());
    };
    let folder = PathBuf::from("packaging/windows");
    let number = |name: &str| var(name).parse::<u16>().unwrap_or(0);
    let resources = resource::resources(&resource::Parts {
        icons: &std::fs::read(folder.join("goroam.ico"))?,
        manifest: &std::fs::read(folder.join("goroam-tray.manifest"))?,
        version: [
            number("CARGO_PKG_VERSION_MAJOR"),
            number("CARGO_PKG_VERSION_MINOR"),
            number("CARGO_PKG_VERSION_PATCH"),
        ],
        version_text: &var("CARGO_PKG_VERSION"),
    });
    let object = PathBuf::from(var("OUT_DIR")).join("goroam-tray.rsrc.o");
    std::fs::write(&object, resource::object(machine, &resources))?;
    println!("cargo::rustc-link-arg-bin=goroam-tray={}", object.display());
    Ok(())
}
