//! Gives goroam-tray.exe its icon, its version and its manifest (packaging/windows): a COFF
//! object with a `.rsrc` section, which every linker for Windows takes. Written here, for a
//! resource compiler (windres, rc.exe) is not wherever Rust builds for Windows.
//!
//! Packs what `goroam explain` says, from the docs.
//!
//! On Linux it makes the release's programs smaller.

// This is how a build script speaks to cargo.
#![allow(clippy::print_stdout)]

#[path = "packaging/explained.rs"]
mod explained;
#[path = "packaging/windows/resource.rs"]
mod resource;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Leaves the tables for unwinding out, and all else where the linker puts it.
const NO_UNWINDING: &str =
    "SECTIONS { /DISCARD/ : { *(.eh_frame .eh_frame.*) } } INSERT AFTER .text;\n";

/// Is this the LLVM linker that Rust 1.90 and later bring for this system, and use unless told
/// otherwise? A distribution's Rust may be without it.
fn links_with_rusts_own_lld() -> bool {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let target = "x86_64-unknown-linux-gnu";
    let is_default = [var("TARGET"), var("HOST")].iter().all(|is| is == target)
        && var("RUSTC_LINKER").is_empty()
        && !var("CARGO_ENCODED_RUSTFLAGS").contains("link");
    let asked = Command::new(var("RUSTC"))
        .args(["--print", "sysroot"])
        .output();
    let sysroot = asked
        .ok()
        .and_then(|told| String::from_utf8(told.stdout).ok());
    is_default
        && sysroot.is_some_and(|sysroot| {
            let own = format!("lib/rustlib/{target}/bin/gcc-ld/ld.lld");
            Path::new(sysroot.trim()).join(own).exists()
        })
}

/// Writes `explained.z`: the length as four bytes, then zlib.
fn explain() -> io::Result<()> {
    let read = |page: &str| {
        println!("cargo::rerun-if-changed={page}");
        std::fs::read_to_string(page).map(|text| text.replace("\r\n", "\n"))
    };
    let mut text = explained::symptoms(&read(explained::SYMPTOMS)?)?;
    for table in explained::TABLES {
        text += &explained::table(&read(table.0)?, table);
    }
    let mut packed = vec![0; text.len()];
    let mut deflate = zlib_rs::Deflate::new(9, true, 15);
    let done = deflate.compress(text.as_bytes(), &mut packed, zlib_rs::DeflateFlush::Finish);
    if !matches!(done, Ok(zlib_rs::Status::StreamEnd)) {
        return Err(io::Error::other("the docs cannot be packed"));
    }
    packed.truncate(deflate.total_out() as usize);
    let length = (text.len() as u32).to_le_bytes();
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("explained.z"), [&length[..], &packed].concat())
}

fn main() -> io::Result<()> {
    explain()?;
    println!("cargo::rerun-if-changed=packaging/explained.rs");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/windows");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    if var("CARGO_CFG_TARGET_OS") == "linux" && var("PROFILE") == "release" {
        // The index for unwinding, 100 KB: with `panic = "abort"` nothing unwinds, and without
        // symbols a backtrace says nothing. GNU's linker, LLVM's and mold all know this option.
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        if links_with_rusts_own_lld() {
            // Functions with the same code are there once: 180 KB. GNU's linker cannot do it.
            println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
            // The tables that the index points into, 900 KB.
            let script = PathBuf::from(var("OUT_DIR")).join("no-unwinding.ld");
            std::fs::write(&script, NO_UNWINDING)?;
            println!("cargo::rustc-link-arg-bins=-T");
            println!("cargo::rustc-link-arg-bins={}", script.display());
        }
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
