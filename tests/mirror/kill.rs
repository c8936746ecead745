//! `goroam mirror add`, killed at any point: what go could build it still can, and the next one
//! completes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use goroam::mirror::{Layout, VersionFile};

use crate::mirror_scene::{Scene, json};
use crate::project::{self, User, answer};

/// How long the suite kills, unless `GOROAM_KILLS` says how often.
const SPAN: Duration = Duration::from_secs(25);
/// So many adds at least must be killed before their end.
const FEWEST: u32 = 5;
/// After so many kills the mirror starts empty again, so that each stage of filling it is met.
const ROUND: u32 = 10;

/// Pseudo-random, and the same in each run that starts from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }
}

#[test]
fn a_thousand_kills_lose_nothing() {
    let Some(scene) = Scene::set() else { return };
    let project = small_project(&scene);
    // What the cache holds is there in a moment, so the kills meet the storing, not go.
    let started = Instant::now();
    scene.goroam(&project, "add --from .", 0);
    let whole = started.elapsed();
    let warm = Instant::now();
    std::fs::remove_dir_all(scene.mirror()).unwrap();
    scene.goroam(&project, "add --from .", 0);
    let span = warm.elapsed();
    let wanted = std::env::var("GOROAM_KILLS")
        .ok()
        .map(|n| n.parse::<u32>().unwrap());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut kills, mut met, mut late) = (0, [0_u32; 4], 0);
    let micros = u64::try_from(span.as_micros()).unwrap();
    let mut windows = [micros, micros / 8];
    let begin = Instant::now();
    // However slow the machine is, some have to come in time.
    let enough = |kills: u32, late: u32| match wanted {
        Some(wanted) => kills >= wanted,
        None => begin.elapsed() > SPAN && kills - late >= FEWEST,
    };
    while !enough(kills, late) {
        if kills % ROUND == 0 {
            std::fs::remove_dir_all(scene.mirror()).unwrap();
        }
        let before = versions(&scene.mirror());
        // Every other one falls into the storing, which is the shorter part.
        let stores = kills % 2 == 0;
        let window = &mut windows[usize::from(stores)];
        let after = Duration::from_micros(dice.below(*window));
        let ended = kill_after(&scene, &project, stores, after);
        // The machine is now slow, now quick: three of four are to come in time.
        *window = if ended {
            *window * 3 / 4
        } else {
            *window * 11 / 10
        }
        .max(500);
        kills += 1;
        late += u32::from(ended);
        let after = versions(&scene.mirror());
        met[stage(&scene.mirror(), after.len(), ended)] += 1;
        for version in &before {
            assert!(
                after.contains(version),
                "kill {kills} lost {}",
                version.display()
            );
        }
        whole_versions(&scene);
        // A whole check by go itself and by `mirror verify` costs a second: now and then.
        if kills % ROUND == 0 {
            complete(&scene, &project, kills);
        }
    }
    complete(&scene, &project, kills);
    println!(
        "{kills} kills in {:.0} s ({late} came too late); they met: no version yet {}, some {}, \
         all but the lists {}, all {}; one add takes {} ms, with go's downloads {} ms",
        begin.elapsed().as_secs_f64(),
        met[0],
        met[1],
        met[2],
        met[3],
        span.as_millis(),
        whole.as_millis()
    );
}

/// Ten small modules: what takes time is what is done with them, not their size.
fn small_project(scene: &Scene) -> PathBuf {
    let folder = scene.path("small");
    std::fs::create_dir_all(&folder).unwrap();
    let (mut requires, mut imports) = (String::new(), String::new());
    for (module, package) in project::DIRECT {
        let path = module.split(' ').next().unwrap();
        if path.starts_with("github.com/") && !path.ends_with("testify") {
            requires += &format!("\t{module}\n");
            imports += &format!("\t_ \"{path}{package}\"\n");
        }
    }
    let go_mod = format!("module example.test/small\n\ngo 1.21\n\nrequire (\n{requires})\n");
    std::fs::write(folder.join("go.mod"), go_mod).unwrap();
    let text = format!("package small\n\nimport (\n{imports})\n");
    std::fs::write(folder.join("small.go"), text).unwrap();
    scene.user.go(&scene.go, &folder, "mod tidy -e").unwrap();
    folder
}

/// Starts an add and kills it after a while, counted from its start or from when it begins to
/// store; `true`: it had ended by itself.
fn kill_after(scene: &Scene, project: &Path, stores: bool, after: Duration) -> bool {
    let mut command = scene.user.goroam_command(&scene.go, project);
    let mirror = scene.mirror();
    command
        .args(["mirror", "add", "--from", ".", "--mirror"])
        .arg(mirror);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let note = scene.mirror().join(".goroam/unlisted");
    while stores && !note.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

/// How far it had come, for the report.
fn stage(mirror: &Path, versions: usize, ended: bool) -> usize {
    match (versions, ended) {
        (0, _) => 0,
        (_, true) => 3,
        _ if mirror.join(".goroam/unlisted").exists() => 2,
        _ => 1,
    }
}

/// Every `.info` in it.
fn versions(mirror: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut folders = vec![mirror.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != ".goroam") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "info") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// What has an `.info` has a whole go.mod; a zip has its hash beside it and is the good one.
fn whole_versions(scene: &Scene) {
    let (mirror, cache) = (&scene.mirror(), scene.user.cache());
    for info in versions(mirror) {
        let text = std::fs::read_to_string(&info).unwrap();
        json(&text);
        let go_mod = std::fs::read_to_string(info.with_extension("mod")).unwrap();
        assert!(go_mod.starts_with("module "), "{}", info.display());
        let zip = info.with_extension("zip");
        if zip.exists() {
            assert!(info.with_extension("ziphash").exists());
            let good = cache.join(zip.strip_prefix(mirror).unwrap());
            let same = std::fs::read(&zip).unwrap() == std::fs::read(good).unwrap();
            assert!(same, "{}", zip.display());
        }
    }
}

/// The next add completes: nothing unfinished is left, `mirror verify` finds nothing, and the
/// project builds from the mirror alone.
fn complete(scene: &Scene, project: &Path, kills: u32) {
    scene.goroam(project, "add --from .", 0);
    let left = std::fs::read_dir(scene.mirror().join(".goroam/new"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "after {kills} kills");
    assert!(!scene.mirror().join(".goroam/unlisted").exists());
    whole_versions(scene);
    let key = scene.world.key();
    let args = ["mirror", "verify", "--mirror"];
    let mut verify = scene.user.goroam_command(&scene.go, project);
    let output = verify
        .env("GOSUMDB", key)
        .args(args)
        .arg(scene.mirror())
        .output()
        .unwrap();
    answer(output).unwrap();
    let away = scene.user.away(&scene.mirror()).at(&scene.path("away"));
    let modules = away.home.join("go");
    if modules.exists() {
        std::fs::remove_dir_all(modules).unwrap();
    }
    away.go(&scene.go, project, "build ./...").unwrap();
}

#[test]
fn a_mirror_that_is_being_filled_always_serves_what_it_had() {
    let Some(scene) = Scene::set() else { return };
    let (project, home) = (scene.project(), scene.path("home"));
    scene.goroam(&home, "add github.com/google/uuid@v1.3.0", 0);
    let query = |away: &User, args: &str| away.go(&scene.go, &away.home, args);
    let mut filling: Vec<_> = (0..2)
        .map(|_| {
            let mut command = scene.user.goroam_command(&scene.go, &project);
            command
                .args(["mirror", "add", "--from", ".", "--mirror"])
                .arg(scene.mirror());
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut looks = 0;
    while filling
        .iter_mut()
        .any(|one| one.try_wait().unwrap().is_none())
    {
        let away = scene.away(&format!("away-{looks}"));
        query(&away, "mod download github.com/google/uuid@v1.3.0").unwrap();
        let latest = query(&away, "list -m github.com/google/uuid@latest").unwrap();
        assert_eq!(latest.trim(), "github.com/google/uuid v1.3.0");
        looks += 1;
    }
    println!("looked {looks} times while two were adding");
    for mut one in filling {
        assert!(one.wait().unwrap().success());
    }
    assert!(looks > 0);
    let layout = Layout::new(scene.mirror());
    let module = goroam::gomod::ModuleVersion::new("golang.org/x/text", "v0.7.0");
    assert!(layout.file(&module, VersionFile::Info).unwrap().is_file());
}
