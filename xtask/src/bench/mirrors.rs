//! Compares `goroam probe --speed` with the usual way to find the fastest mirror (that of chsrc):
//! download one file from each with curl, whatever comes, and take the highest speed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::lab;
use crate::run::{self, Result};

/// What both download: the file that `fastest` and `probe --speed` measure with by default.
const MODULE: &str = "gopkg.in/yaml.v3@v3.0.1";
const ZIP: &str = "/gopkg.in/yaml.v3/@v/v3.0.1.zip";
/// The mirrors whose content is right, as faultd's modes: bytes per second, as on a slow line. The
/// first one is the fastest.
const RIGHT: [(&str, &str); 2] = [("quick", "drip:60000+zip"), ("slow", "drip:30000+zip")];
/// The one that is not, in faultd's words, and what that is.
const FAULTY: [(&str, &str); 5] = [
    ("503", "answers 503 at once"),
    ("portal200", "sends a login page"),
    ("portal302", "redirects to a login page"),
    ("badzip", "sends another zip"),
    ("trunczip", "cuts the zip off"),
];

/// Prints for each fault which of three mirrors each way picks.
pub fn mirrors(goroam: &Path, runs: u64) -> Result {
    for missing in lab::prepare(false) {
        eprintln!("lab: {missing}");
    }
    let alone = lab::lock()?;
    run::output(lab::script("faultd").arg("start"))?;
    let measured = table(goroam, runs);
    run::output(lab::script("faultd").arg("stop"))?;
    drop(alone);
    measured
}

fn table(goroam: &Path, runs: u64) -> Result {
    let home = tempfile::tempdir().map_err(|err| err.to_string())?;
    let sum = zip_sum(home.path())?;
    println!(
        "| of three mirrors one | curl, the highest speed | right in | goroam probe --speed | right in |\n\
         | --- | --- | ---: | --- | ---: |"
    );
    for (mode, shown) in FAULTY {
        let all = [("faulty", mode)].into_iter().chain(RIGHT);
        let all: Vec<(&str, String)> = all
            .map(|(name, mode)| (name, format!("http://127.0.0.1:9100/_m/{mode}")))
            .collect();
        let policy = home.path().join("policy.toml");
        fs::write(&policy, policy_of(&all, &sum)).map_err(|err| err.to_string())?;
        eprintln!("mirrors: {runs} runs, one {shown}");
        let usual = picks(runs, || by_curl(&all))?;
        let own = picks(runs, || by_goroam(goroam, home.path(), &policy))?;
        println!("| {shown} | {usual} | {own} |");
    }
    println!();
    Ok(())
}

/// The last pick with the time that it took, and how often the right one was picked.
fn picks(runs: u64, mut pick: impl FnMut() -> Result<String>) -> Result<String> {
    let mut right = 0;
    let mut last = String::new();
    for _ in 0..runs {
        let start = Instant::now();
        let name = pick()?;
        let took = start.elapsed().as_secs_f64();
        right += u64::from(name == RIGHT[0].0);
        last = format!("the {name} one, {took:.1} s");
    }
    Ok(format!("{last} | {right} of {runs}"))
}

fn by_curl(all: &[(&str, String)]) -> Result<String> {
    let mut best = (String::new(), f64::MIN);
    for (name, url) in all {
        let mut curl = Command::new("curl");
        curl.args(["-qsL", "-o", "/dev/null", "-m", "8"])
            .args(["-w", "%{http_code} %{speed_download}"])
            .arg(format!("{url}{ZIP}"));
        // It fails for a file that ends early, and prints the speed all the same.
        let output = curl.output().map_err(|err| format!("curl: {err}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let speed = text
            .split_once(' ')
            .and_then(|(_, speed)| speed.parse().ok());
        let speed: f64 = speed.ok_or_else(|| format!("curl printed {text:?}"))?;
        if speed > best.1 {
            best = ((*name).to_owned(), speed);
        }
    }
    Ok(best.0)
}

fn by_goroam(goroam: &Path, home: &Path, policy: &Path) -> Result<String> {
    let mut command = Command::new(goroam);
    command
        .args(["probe", "--speed", "--json"])
        .env_clear()
        .env("HOME", home)
        .env("GOROAM_CONFIG", policy);
    let text = run::output(&mut command)?;
    let first = text.split_once("\"name\": \"");
    let name = first.and_then(|(_, rest)| rest.split_once('"'));
    let (name, _) = name.ok_or_else(|| format!("goroam printed {text}"))?;
    Ok(name.to_owned())
}

fn policy_of(all: &[(&str, String)], sum: &str) -> String {
    let mut policy = "version = 1\n".to_owned();
    for (name, url) in all {
        policy += &format!(
            "[target.{name}]\ngoproxy = \"{url}\"\nmodule = \"{MODULE}\"\nzip_sum = \"{sum}\"\n"
        );
    }
    policy + "[[profile]]\nname = \"rest\"\nenv = { GOPROXY = \"direct\" }\n"
}

/// The hash of the lab's zip, which is not the true module's: the lab has Debian's files.
fn zip_sum(home: &Path) -> Result<String> {
    let go = run::output(lab::script("go").arg("1.27.3"))?;
    let tree = lab::dir().join("tree/public");
    let mut command = Command::new(go.trim());
    command
        .args(["mod", "download", "-json", MODULE])
        .current_dir(home)
        .env("HOME", home)
        .env("GOFLAGS", "-modcacherw")
        .env("GOENV", "off")
        .env("GOSUMDB", "off")
        .env("GOMODCACHE", home.join("mod"))
        .env("GOPROXY", format!("file://{}", tree.display()));
    let text = run::output(&mut command)?;
    let sum = text.split_once("\"Sum\": \"");
    let sum = sum.and_then(|(_, rest)| rest.split_once('"'));
    let (sum, _) = sum.ok_or_else(|| format!("go printed {text}"))?;
    Ok(sum.to_owned())
}
