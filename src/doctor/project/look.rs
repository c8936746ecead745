//! Reads the files of the project, and asks go whether it accepts them. Nothing is built,
//! downloaded or written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::facts::{DoctorFacts, Scope};
use super::super::file_url;
use super::super::files::{self, Disk, Files as _};
use super::super::finding::{DoctorFinding, Severity};
use super::super::gather::short;
use super::super::values::flag;
use super::findings::{self, Toolchains};
use crate::environment::Environment;
use crate::gocmd::job::{Job, without_requests};
use crate::gocmd::{EnvText, GoCommand};
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::{At, Fault, Newcomer, Replace, go_version, is_conflict_marker, refusals};
use crate::gomod::{go_sum, go_work};
use crate::vendoring::{self, VendorCode};

/// Directories above a directory that may hold its go.mod.
const MOST_ABOVE: usize = 64;
/// Modules of one workspace that are looked at.
const MOST_MODULES: usize = 200;
/// Flaws of one go.sum that are reported.
const MOST_FLAWS: usize = 12;
/// `go list -m` takes 20 ms.
const LIMIT: Duration = Duration::from_secs(10);
/// Lines of go's output that are shown.
const MOST_LINES: usize = 3;
/// Characters of these lines.
const MOST_CHARS: usize = 300;

/// Looks at the project that contains a directory, if one does.
pub(in super::super) async fn look(
    facts: &mut DoctorFacts,
    env: &Environment,
    folder: &Path,
    go: Option<&GoCommand>,
) {
    let home = env.home().unwrap_or_default();
    let mut look = Look {
        facts,
        env,
        home: &home,
        found: Vec::new(),
    };
    let main = look.project(folder);
    let mut found = look.found;
    // A go that stops at its settings says nothing about the project, and what it stops at first
    // has a finding of its own already.
    let is_stopped = facts.stops.iter().any(|stop| stop.scope == Scope::Every);
    let is_known = found.iter().any(|one| one.severity == Severity::Error);
    if let (Some(main), Some(go)) = (main, go)
        && !is_stopped
        && !is_known
        && let Some(words) = ask(facts, env, folder, go).await
    {
        found.push(findings::refused(&main, &words));
    }
    facts.findings.extend(found);
}

struct Look<'l> {
    facts: &'l mut DoctorFacts,
    env: &'l Environment,
    home: &'l Path,
    found: Vec<DoctorFinding>,
}

/// A go.mod or go.work, as far as they have things in common.
struct ModuleFile<'f> {
    path: &'f Path,
    faults: &'f [Fault],
    unknown: &'f [At<String>],
    newcomers: Vec<Newcomer>,
    replace: &'f [Replace],
    /// The `go` and `toolchain` lines.
    wanted: [&'f Option<At<String>>; 2],
}

/// Directives of one file that not every go knows: its place, known ones, unknown ones.
type Directives = (String, Vec<Newcomer>, Vec<At<String>>);

impl Look<'_> {
    /// The place of the file that decides: go.work, else go.mod. `None`: there is no project.
    fn project(&mut self, folder: &Path) -> Option<String> {
        let value = |name: &str| {
            let set = self.env.get(name).filter(|value| !value.is_empty());
            set.or(self.facts.line(name).map(|line| line.value.as_str()))
        };
        let work = go_work::find(value("GOWORK"), folder, |path| Disk.is_there(path));
        let mut above = folder.ancestors().take(MOST_ABOVE);
        let module = above.find(|folder| Disk.is_there(&folder.join("go.mod")));
        let module = module.map(|folder| folder.join("go.mod"));
        for (name, found) in [("go.work", work.as_ref()), ("go.mod", module.as_ref())] {
            let found = found.and_then(|path| path.parent());
            let nearer = folder.ancestors().take(MOST_ABOVE);
            for above in nearer.take_while(|folder| Some(*folder) != found) {
                let path = above.join(name);
                // A directory of that name may well hold projects.
                if !folder.starts_with(&path) {
                    self.not_a_file(&path);
                }
            }
        }
        if work.is_none() && module.is_none() && self.found.is_empty() {
            return None;
        }
        let main = work.as_ref().or(module.as_ref());
        let main = main.map(|path| short(path, self.home)).unwrap_or_default();
        let mut wanted = Vec::new();
        let mut directives: Vec<Directives> = Vec::new();
        let mut modules: Vec<PathBuf> = module.into_iter().collect();
        if let Some(path) = work
            && let Some(text) = self.text(&path)
        {
            let work = go_work::parse(&text);
            let folder = path.parent().unwrap_or(&path);
            let file = ModuleFile {
                path: &path,
                faults: &work.faults,
                unknown: &work.unknown,
                newcomers: work.newcomers(),
                replace: &work.replace,
                wanted: [&work.go, &work.toolchain],
            };
            directives.push(self.module_file(file, &mut wanted, &|_| true));
            let sums = folder.join("go.work.sum");
            if let Some(text) = self.text(&sums) {
                let flaws = go_sum::flaws(&text, MOST_FLAWS);
                self.found
                    .extend(findings::sums(&short(&sums, self.home), &flaws));
            }
            let used = work.r#use.iter().take(MOST_MODULES);
            let go_mod = |one: &At<String>| folder.join(&one.value).join("go.mod");
            let used: Vec<PathBuf> = used.map(|one| go_mod(one).components().collect()).collect();
            let real = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let all = work.r#use.len() <= MOST_MODULES;
            if let Some(module) = modules.first().filter(|_| all)
                && !used.iter().any(|one| real(one) == real(module))
            {
                let (module, work) = (short(module, self.home), short(&path, self.home));
                self.found.push(findings::unused(&module, &work));
            }
            modules = used;
        }
        for path in modules {
            let Some(text) = self.text(&path) else {
                continue;
            };
            let module = go_mod::parse(&text);
            let is_required = |old: &str| module.require.iter().any(|one| one.module.path == old);
            let file = ModuleFile {
                path: &path,
                faults: &module.faults,
                unknown: &module.unknown,
                newcomers: module.newcomers(),
                replace: &module.replace,
                wanted: [&module.go, &module.toolchain],
            };
            directives.push(self.module_file(file, &mut wanted, &is_required));
            self.sums(&path, &module);
        }
        if let Some(toolchains) = self.toolchains(wanted) {
            for (place, newcomers, unknown) in &directives {
                let found = toolchains.directives(place, newcomers, unknown);
                self.found.extend(found);
            }
            self.found.extend(toolchains.newer());
        }
        self.vendor_list(folder);
        self.vendor(folder);
        Some(main)
    }

    /// Reports what any go refuses in a file. Adds the versions that it requires to `wanted`.
    fn module_file(
        &mut self,
        file: ModuleFile<'_>,
        wanted: &mut Vec<(String, String)>,
        is_required: &dyn Fn(&str) -> bool,
    ) -> Directives {
        let place = short(file.path, self.home);
        let folder = file.path.parent().unwrap_or(file.path);
        let replaces = file.replace.iter();
        let replaces = replaces.filter_map(|one| replace(&place, folder, one, is_required));
        let replaces: Vec<DoctorFinding> = replaces.collect();
        // One finding for a line: that of the replacement says what to write.
        let faults = refusals(file.faults, file.unknown).into_iter();
        let faults = faults.map(|fault| findings::fault(&place, fault.line, &fault.message));
        let is_replace =
            |one: &DoctorFinding| replaces.iter().any(|known| known.place == one.place);
        self.found.extend(faults.filter(|one| !is_replace(one)));
        self.found.extend(replaces);
        let lines = file.wanted.into_iter().flatten();
        wanted.extend(lines.filter(|line| line.value != "default").map(|line| {
            let version = go_version::of_toolchain(&line.value).unwrap_or(&line.value);
            (version.to_owned(), format!("{place}:{}", line.line))
        }));
        (place, file.newcomers, file.unknown.to_vec())
    }

    fn sums(&mut self, module_file: &Path, module: &GoMod) {
        let path = module_file.with_file_name("go.sum");
        let place = short(&path, self.home);
        if let Some(text) = self.text(&path) {
            let flaws = go_sum::flaws(&text, MOST_FLAWS);
            self.found.extend(findings::sums(&place, &flaws));
            return;
        }
        let is_local = |one: &go_mod::Require| {
            module.replace.iter().any(|replace| {
                let local = replace.is_local() || file_url::is_url(&replace.new.path);
                local && replace.old.path == one.module.path
            })
        };
        // vendor/ needs none; directories of this machine have no hash.
        let vendored = Disk.is_file(&path.with_file_name("vendor").join("modules.txt"));
        let unread = path.symlink_metadata().is_ok();
        if !vendored && !unread && !module.require.iter().all(is_local) {
            let module = short(module_file, self.home);
            self.found.push(findings::no_sums(&module, &place));
        }
    }

    /// Conflict markers in vendor/modules.txt; `vendor check` reports everything else about it.
    fn vendor_list(&mut self, folder: &Path) {
        let mut above = folder.ancestors().take(MOST_ABOVE);
        let path = above
            .find(|folder| Disk.is_folder(&folder.join("vendor")))
            .map(|folder| folder.join("vendor/modules.txt"));
        if let Some(path) = path
            && let Some(text) = self.text(&path)
            && let Some(at) = text.lines().position(is_conflict_marker)
        {
            let place = format!("{}:{}", short(&path, self.home), at + 1);
            self.found.push(findings::conflict_in_list(&place));
        }
    }

    /// The newest version of `wanted`, and the go command on PATH.
    fn toolchains(&self, wanted: Vec<(String, String)>) -> Option<Toolchains> {
        let (path, has) = self.facts.go_commands.first()?;
        let shipped = || {
            let real = dunce::canonicalize(path).ok()?;
            let text = Disk.read(&real.parent()?.parent()?.join("go.env"));
            let text = EnvText(text.ok()??.into_bytes());
            text.get("GOTOOLCHAIN").map(str::to_owned)
        };
        let line = self.facts.line("GOTOOLCHAIN");
        let (toolchain, permit) = match (self.env.get("GOTOOLCHAIN"), line) {
            (Some(set), _) => (set.to_owned(), "unset GOTOOLCHAIN in this shell"),
            (None, Some(line)) => (line.value.clone(), "run `go env -u GOTOOLCHAIN`"),
            // Of $GOROOT/go.env, which is the distribution's.
            (None, None) => (
                shipped().unwrap_or_default(),
                "run `go env -w GOTOOLCHAIN=auto`",
            ),
        };
        Some(Toolchains {
            has: has.strip_prefix("go").unwrap_or(has).to_owned(),
            wanted: wanted
                .into_iter()
                .max_by(|one, other| go_version::compare(&one.0, &other.0)),
            toolchain,
            permit,
        })
    }

    /// What `goroam vendor check` says without a zip to compare with, which is as fast as reading
    /// modules.txt.
    fn vendor(&mut self, folder: &Path) {
        let Ok(project) = vendoring::VendorProject::find(folder, self.env) else {
            return;
        };
        if !Disk.is_folder(&project.root.join("vendor")) {
            return;
        }
        let Ok(report) = vendoring::check(&project, &vendoring::Shelves::default()) else {
            return;
        };
        let refused = [
            VendorCode::NoModulesTxt,
            VendorCode::Inconsistent,
            VendorCode::PackageMissing,
        ];
        let mut all = report.findings.iter();
        if let Some(bad) = all.find(|finding| refused.contains(&finding.code)) {
            self.found
                .push(findings::vendor(&bad.what, &bad.mend, true));
            return;
        }
        // go does not report these, and builds what was there before.
        let mut all = report.findings.iter();
        if let Some(old) = all.find(|finding| finding.code == VendorCode::OutOfDate) {
            let what = format!("{}: {}", old.file.as_deref().unwrap_or_default(), old.what);
            self.found.push(findings::vendor(&what, &old.mend, false));
        }
    }

    /// Reports what has the name of a module file and is not a file.
    fn not_a_file(&mut self, path: &Path) {
        if let Some(what) = Disk.no_file(path) {
            let place = short(path, self.home);
            self.found.push(findings::not_a_file(&place, what));
        }
    }

    /// The text of a file of the project. Reports an encoding that go cannot read.
    fn text(&mut self, path: &Path) -> Option<String> {
        let place = short(path, self.home);
        match Disk.bytes(path) {
            Ok(Some(bytes)) => {
                self.found.extend(findings::encoded(&place, &bytes));
                self.facts.looked.push(place);
                Some(files::text(&bytes))
            }
            Ok(None) => {
                self.not_a_file(path);
                None
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                let found = findings::not_regular(&place, &error.to_string());
                self.found.push(found);
                None
            }
            Err(error) => {
                self.facts.unread(&place, &error.to_string());
                None
            }
        }
    }
}

/// What is wrong with a `replace` by a directory.
fn replace(
    place: &str,
    from: &Path,
    replace: &Replace,
    is_required: &dyn Fn(&str) -> bool,
) -> Option<DoctorFinding> {
    let new = replace.new.path.as_str();
    if file_url::is_url(new) {
        let is_module = |folder: &String| Disk.is_file(&from.join(folder).join("go.mod"));
        let folder = file_url::folder_of(new);
        let folder = folder.or_else(|| file_url::guesses(new).into_iter().find(is_module));
        return Some(findings::url(place, replace, from, folder.as_deref()));
    }
    if !cfg!(windows) && replace.new.version.is_empty() && new.contains('\\') {
        return Some(findings::windows_path(place, replace, from));
    }
    let folder = from.join(new);
    if replace.error.is_some() || !replace.is_local() || Disk.is_file(&folder.join("go.mod")) {
        return None;
    }
    let is_folder = Disk.is_folder(&folder);
    let is_required = is_required(&replace.old.path);
    Some(findings::not_a_module(
        place,
        replace,
        is_folder,
        is_required,
    ))
}

/// What go says where it stops at the project itself: a workspace that names a missing module, two
/// modules of one name, a vendor directory that does not fit.
async fn ask(
    facts: &DoctorFacts,
    env: &Environment,
    folder: &Path,
    go: &GoCommand,
) -> Option<String> {
    let job = Job {
        go,
        env,
        folder,
        set: vec![
            ("GOPROXY", "off".into()),
            ("GONOPROXY", "none".into()),
            ("GOVCS", "*:off".into()),
            ("GODEBUG", without_requests(env)),
            // The version that the project requires may be in the module cache.
            ("GOTOOLCHAIN", env.get("GOTOOLCHAIN").unwrap_or("").into()),
        ],
    };
    let written = facts.line("GOFLAGS").map(|line| line.value.as_str());
    let flags = env.get("GOFLAGS").or(written).unwrap_or_default();
    // With -mod=mod it would write.
    let args: &[&str] = if flag(flags, "mod") == Some("mod") {
        &["list", "-m", "-mod=readonly"]
    } else {
        &["list", "-m"]
    };
    let ran = job.run_for(args, LIMIT).await.ok()?;
    if ran.success { None } else { words(&ran.err) }
}

/// What go says, in one line; `None`: that it needs the network.
fn words(said: &str) -> Option<String> {
    let needs_network = ["GOPROXY=off", "cmdgonetlimit", "go: download"];
    if needs_network.iter().any(|one| said.contains(one)) {
        return None;
    }
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let shown = lines.take(MOST_LINES).collect::<Vec<&str>>().join(" ");
    let shown = shown.strip_prefix("go: ").unwrap_or(&shown).chars();
    let shown: String = shown.filter(|c| !c.is_control()).take(MOST_CHARS).collect();
    Some(shown).filter(|shown| !shown.is_empty())
}
