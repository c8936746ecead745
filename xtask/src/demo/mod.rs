//! `cargo xtask demo`: goroam on a laptop that is carried through the lab's networks, in the
//! caller's terminal; or recorded, as the film and the pictures of the documentation.

pub mod cast;
mod film;
mod first_day;
mod laptop;
mod pictures;
mod pty;
mod svg;

use std::fs;
use std::path::PathBuf;

use crate::options::Options;
use crate::run::{self, Result};
use laptop::Laptop;

pub const FLAGS: [&str; 3] = ["--record", "--check", "--locked"];
pub const VALUED: [&str; 2] = ["--only", "--bin"];

const PARTS: [&str; 3] = ["film", "pictures", "first-day"];

/// Shows the demo, makes the documentation's pictures, or compares these with what goroam shows now.
pub fn demo(options: &Options) -> Result {
    let only = options.get("--only");
    if let Some(part) = only.filter(|part| !PARTS.contains(part)) {
        return Err(format!("--only {part}: one of {}", PARTS.join(", ")));
    }
    let wants = |part: &str| only.is_none_or(|only| only == part);
    let (records, checks) = (options.has("--record"), options.has("--check"));
    if !records && !checks && pty::own_size().is_none() {
        return Err("the demo needs a terminal; --record makes the pictures without one".into());
    }
    let mut laptop = Laptop::new(options)?;
    if !records && !checks {
        return film::live(&mut laptop);
    }
    let parts: [(&str, Make); 3] = [
        ("film", if checks { film::check } else { film::make }),
        ("pictures", pictures::make),
        ("first-day", first_day::make),
    ];
    for (part, make) in parts.into_iter().filter(|(part, _)| wants(part)) {
        eprintln!("{part}");
        laptop.forget()?;
        for made in make(&mut laptop)? {
            if checks {
                made.compare()?;
            } else {
                made.write()?;
            }
        }
    }
    Ok(())
}

/// Makes files of the documentation on a laptop in an empty home.
type Make = fn(&mut Laptop) -> Result<Vec<Made>>;

/// A file of the documentation.
pub struct Made {
    /// Its path in the repository.
    name: String,
    text: String,
    /// Returns the words that are compared.
    words: fn(&str) -> Vec<String>,
}

impl Made {
    fn path(&self) -> PathBuf {
        run::root().join(&self.name)
    }

    fn write(&self) -> Result {
        let path = self.path();
        let folder = path.parent().unwrap_or(&path);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, &self.text));
        written.map_err(|err| format!("{}: {err}", path.display()))?;
        eprintln!("  {} ({} KB)", self.name, self.text.len() / 1000);
        Ok(())
    }

    /// Fails if the file that is there says something else.
    fn compare(&self) -> Result {
        let there = fs::read_to_string(self.path());
        let there = there.map_err(|err| format!("{}: {err}", self.name))?;
        let (there, now) = ((self.words)(&there), (self.words)(&self.text));
        if there == now {
            return Ok(());
        }
        let word = there.iter().zip(&now).position(|(there, now)| there != now);
        let word = word.unwrap_or(there.len().min(now.len()));
        let shown = |words: &[String]| {
            let words = words.iter().skip(word.saturating_sub(8)).take(24);
            words.map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        Err(format!(
            "{} is not what goroam shows today; `cargo xtask demo --record` makes it again\n  \
             there: … {}\n  today: … {}",
            self.name,
            shown(&there),
            shown(&now),
        ))
    }
}

/// Returns the words of a text without what differs from run to run: times and counts, the lines'
/// breaks, and the keys that each lab makes for itself.
pub fn masked(text: &str) -> Vec<String> {
    text.split_whitespace().map(masked_word).collect()
}

fn masked_word(word: &str) -> String {
    if let Some((before, _)) = word.split_once("sha256/") {
        return format!("{before}sha256/…");
    }
    let mut masked = String::new();
    // `<1 ms` and `12 ms` are both a time.
    for char in word.trim_start_matches('<').chars() {
        if !char.is_ascii_digit() {
            masked.push(char);
        } else if !masked.ends_with('0') {
            masked.push('0');
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn two_runs_differ_in_times_and_in_the_space_for_them_only() {
        let one = masked("  proxy   ✓ up   <1 ms  since 14:01 (7 s)");
        assert_eq!(one, masked("  proxy   ✓ up  123 ms  since 9:59 (12 s)"));
        assert_ne!(one, masked("  proxy   ✗ down  1 ms  since 14:01 (7 s)"));
    }
}
