//! Examines a project: go.mod, go.work, go.sum and vendor of a directory, and go's own opinion of
//! the whole. Builds, downloads and writes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::facts::{DoctorFacts, Scope};
use super::file_url;
use super::files::{self, Disk, Files as _};
use super::finding::{Code, DoctorFinding, Severity};
use super::gather::short;
use super::values::flag;
use crate::environment::Environment;
use crate::gocmd::job::{Job, offline};
use crate::gocmd::{EnvText, GoCommand};
use crate::gomod::go_mod::{self, GoMod};
use crate::gomod::go_sum::{self, Flaw, FlawKind};
use crate::gomod::{At, Newcomer, Replace, go_version, go_work, is_conflict_marker};
use crate::vendoring::{self, VendorCode};
use Severity::{Error, Note, Warning};

/// Maximum number of parent directories that are searched for a go.mod.
const MOST_ABOVE: usize = 64;
/// Maximum number of modules of one workspace that are read.
const MOST_MODULES: usize = 200;
/// Maximum number of faults of one go.sum that are reported.
const MOST_FLAWS: usize = 12;
/// Time limit; `go list -m` takes 20 ms.
const LIMIT: Duration = Duration::from_secs(10);
/// Maximum number of lines of go's output that are shown, and of characters.
const MOST_LINES: usize = 3;
const MOST_CHARS: usize = 300;
/// The first go whose directives goroam does not know.
const UNKNOWN_GO: &str = "1.28";

/// Examines the project that contains a directory, if there is one.
pub(super) async fn look(
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
        read: Vec::new(),
    };
    let main = look.project(folder);
    // A go that stops at its settings gives no information about the project, and the setting at
    // which it stops already has its own finding.
    let is_stopped = |stop: &super::facts::Stop| stop.scope == Scope::Every;
    let is_stopped = look.facts.stops.iter().any(is_stopped);
    let is_known = look.found.iter().any(|one| one.severity == Error);
    if let (Some(main), Some(go)) = (main, go)
        && !is_stopped
        && !is_known
        && let Some(words) = ask(look.facts, env, folder, go).await
    {
        let says = format!("go refuses {main}: {words}");
        let fix = "change that; until then no go command works in this project";
        look.add(code_of(&main), Error, &main, says, "", fix);
    }
    let found = look.found;
    facts.findings.extend(found);
}

struct Look<'l> {
    facts: &'l mut DoctorFacts,
    env: &'l Environment,
    home: &'l Path,
    found: Vec<DoctorFinding>,
    /// Each go.mod and go.work, with its place.
    read: Vec<(String, GoMod)>,
}

/// Returns the code for a fault of a whole file.
fn code_of(place: &str) -> Code {
    match name_of(place) {
        "go.mod" | "go.work" => Code::GomodInvalid,
        "modules.txt" => Code::VendorOutdated,
        _ => Code::GosumInvalid,
    }
}

fn name_of(place: &str) -> &str {
    place.rsplit(['/', '\\']).next().unwrap_or(place)
}

impl Look<'_> {
    fn add(
        &mut self,
        code: Code,
        severity: Severity,
        place: &str,
        says: String,
        why: &str,
        fix: impl Into<String>,
    ) {
        let finding = DoctorFinding::new(code, severity, says, why, fix);
        self.found.push(finding.at(place));
    }

    fn short(&self, path: &Path) -> String {
        short(path, self.home)
    }

    /// Returns the place of the main file: go.work, or else go.mod. `None`: there is no project.
    fn project(&mut self, folder: &Path) -> Option<String> {
        let value = |name: &str| {
            let set = self.env.get(name).filter(|value| !value.is_empty());
            set.or(self.facts.line(name).map(|line| line.value.as_str()))
        };
        let work = go_work::find(value("GOWORK"), folder, |path| Disk.is_there(path));
        let above = || folder.ancestors().take(MOST_ABOVE);
        let module = above().map(|folder| folder.join("go.mod"));
        let module = { module }.find(|path| Disk.is_there(path));
        for (name, found) in [("go.work", work.as_ref()), ("go.mod", module.as_ref())] {
            let found = found.and_then(|path| path.parent());
            for above in above().take_while(|folder| Some(*folder) != found) {
                let path = above.join(name);
                // A directory of that name may contain projects.
                if !folder.starts_with(&path) {
                    self.not_a_file(&path);
                }
            }
        }
        let Some(main) = work.as_ref().or(module.as_ref()) else {
            return (!self.found.is_empty()).then(String::new);
        };
        let main = self.short(main);
        let modules = match work {
            Some(work) => self.workspace(&work, module),
            None => module.into_iter().collect(),
        };
        for path in modules {
            if let Some(text) = self.text(&path) {
                let module = go_mod::parse(&text);
                self.module_file(&path, &module);
                self.sums_of(&path, &module);
                self.read.push((self.short(&path), module));
            }
        }
        self.versions();
        // `vendor check` reports everything else about the list.
        let vendor = above().map(|folder| folder.join("vendor"));
        let list = { vendor }.find(|folder| Disk.is_folder(folder));
        if let Some(path) = list.map(|folder| folder.join("modules.txt"))
            && let Some(text) = self.text(&path)
            && let Some(at) = text.lines().position(is_conflict_marker)
        {
            let place = format!("{}:{}", self.short(&path), at + 1);
            let says = format!("{place} is a conflict marker of git");
            let why = "go stops with “inconsistent vendoring”, or builds one side of the merge.";
            let fix = "run `go mod vendor` (`go work vendor` in a workspace), which writes the \
                       file again";
            self.add(Code::VendorOutdated, Error, &place, says, why, fix);
        }
        self.vendor(folder);
        Some(main)
    }

    /// Reads a go.work and returns the go.mod files of the modules that it uses. `module`: the
    /// go.mod of the directory.
    fn workspace(&mut self, path: &Path, module: Option<PathBuf>) -> Vec<PathBuf> {
        let Some(text) = self.text(path) else {
            return module.into_iter().collect();
        };
        let work = go_work::parse(&text);
        self.module_file(path, &work);
        let folder = path.parent().unwrap_or(path);
        let sums = folder.join("go.work.sum");
        if let Some(text) = self.text(&sums) {
            self.sums(&self.short(&sums), &text);
        }
        let used = work.r#use.iter().take(MOST_MODULES);
        let go_mod = |one: &At<String>| folder.join(&one.value).join("go.mod");
        let used: Vec<PathBuf> = used.map(|one| go_mod(one).components().collect()).collect();
        let real = |path: &Path| dunce::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if let Some(module) = module.filter(|_| work.r#use.len() <= MOST_MODULES)
            && !used.iter().any(|one| real(one) == real(&module))
        {
            let (module, work) = (self.short(&module), self.short(path));
            let says = format!("{module} is a module that {work} does not use");
            let why = "go stops in its directory with “current directory is contained in a module \
                       that is not one of the workspace modules”.";
            let fix = "run `go work use .` there, or set GOWORK=off for it";
            self.add(Code::GomodInvalid, Warning, &module, says, why, fix);
        }
        self.read.push((self.short(path), work));
        used
    }

    /// Reports what every go refuses in a go.mod or go.work.
    fn module_file(&mut self, path: &Path, file: &GoMod) {
        let place = self.short(path);
        let start = self.found.len();
        for replace in &file.replace {
            let mut required = file.require.iter();
            let is_required = required.any(|one| one.module.path == replace.old.path);
            let place = format!("{place}:{}", replace.line);
            self.replace(&place, path, replace, file.is_work || is_required);
        }
        for fault in file.refusals() {
            let place = format!("{place}:{}", fault.line);
            // One finding for each line: the finding about the replacement says what to write.
            let mut replaces = self.found.iter().skip(start);
            if !replaces.any(|known| known.place.as_ref() == Some(&place)) {
                let says = format!("go refuses {place}: {}", fault.message);
                let fix = "fix that line; until then no go command works in this module";
                self.add(Code::GomodInvalid, Error, &place, says, "", fix);
            }
        }
    }

    /// Reports a faulty `replace` by a directory.
    fn replace(&mut self, place: &str, file: &Path, replace: &Replace, is_required: bool) {
        let from = file.parent().unwrap_or(file);
        let (old, new) = (&replace.old.path, replace.new.path.as_str());
        if file_url::is_url(new) {
            let is_module = |folder: &String| Disk.is_file(&from.join(folder).join("go.mod"));
            let folder = file_url::folder_of(new);
            let folder = folder.or_else(|| file_url::guesses(new).into_iter().find(is_module));
            let says = format!("{place} replaces {old} with a URL, {new}");
            let why = "go takes a directory there, not a URL: every command fails with “errors \
                       parsing go.mod”.";
            let fix = match folder {
                Some(folder) => {
                    let form = file_url::form(&folder, from);
                    format!("write `replace {old} => {form}` there, without a version after it")
                }
                None => "write the directory: ./…, ../…, or an absolute path".to_owned(),
            };
            return self.add(Code::ReplaceUrl, Error, place, says, why, fix);
        }
        if !cfg!(windows) && replace.new.version.is_empty() && new.contains('\\') {
            let says = format!("go refuses {place}: {new} is a Windows path");
            let why = "go says “replacement directory appears to be Windows path”.";
            let fix = if new.starts_with('.') {
                let form = file_url::form(&new.replace('\\', "/"), from);
                format!("write `replace {old} => {form}` there, which every system reads")
            } else {
                "write where that directory is on this system: ./…, ../…, or /…".to_owned()
            };
            return self.add(Code::GomodInvalid, Error, place, says, why, fix);
        }
        let folder = from.join(new);
        if replace.error.is_some() || !replace.is_local() || Disk.is_file(&folder.join("go.mod")) {
            return;
        }
        let (what, fix) = if Disk.is_folder(&folder) {
            let fix = "run `go mod init` there, or delete the line";
            ("has no go.mod", fix)
        } else {
            let fix = "put the module there, or delete the line";
            ("does not exist", fix)
        };
        let (severity, why) = if is_required {
            let why =
                "go stops: “replacement directory … does not exist”, or cannot read its go.mod.";
            (Error, why)
        } else {
            let why = "go.mod does not require it, so go stops only where another module does.";
            (Warning, why)
        };
        let says = format!("{place} replaces {old} with {new}, which {what}");
        self.add(Code::ReplaceMissing, severity, place, says, why, fix);
    }

    /// Checks the go.sum beside a go.mod.
    fn sums_of(&mut self, module_file: &Path, module: &GoMod) {
        let path = module_file.with_file_name("go.sum");
        let place = self.short(&path);
        if let Some(text) = self.text(&path) {
            return self.sums(&place, &text);
        }
        let is_local = |one: &go_mod::Require| {
            module.replace.iter().any(|replace| {
                let local = replace.is_local() || file_url::is_url(&replace.new.path);
                local && replace.old.path == one.module.path
            })
        };
        // vendor/ needs no go.sum; directories of this machine have no hash.
        let vendored = Disk.is_file(&path.with_file_name("vendor").join("modules.txt"));
        let unread = path.symlink_metadata().is_ok();
        if !vendored && !unread && !module.require.iter().all(is_local) {
            let module = self.short(module_file);
            let says = format!("{module} requires modules, but {place} is missing");
            let why = "go stops with “missing go.sum entry”, and cannot verify anything offline.";
            let fix = "get it from git, or run `go mod tidy` on a network that you trust";
            self.add(Code::GosumMissing, Warning, &module, says, why, fix);
        }
    }

    /// Reports faults of a go.sum. git's conflict markers belong together and are one finding.
    fn sums(&mut self, place: &str, text: &str) {
        let mut marked = false;
        for Flaw { line, what } in go_sum::flaws(text, MOST_FLAWS) {
            let mut fix = "delete that line; `go mod tidy` adds what is missing".to_owned();
            let (says, why) = match what {
                FlawKind::Conflict if marked => continue,
                FlawKind::Conflict => {
                    marked = true;
                    fix = "delete the markers and keep the lines of both sides; `go mod tidy` \
                           deletes those that are not needed"
                        .to_owned();
                    let says = "is a conflict marker of git".to_owned();
                    (says, "go stops with “malformed go.sum”.")
                }
                FlawKind::Fields(_) => {
                    let says = "is not a valid line of a go.sum".to_owned();
                    let why = "go stops with “malformed go.sum: wrong number of fields”.";
                    (says, why)
                }
                FlawKind::NoHash(name) => {
                    let says = format!("has no complete hash of {name}");
                    let why = "go compares with it and stops with “checksum mismatch”.";
                    (says, why)
                }
                FlawKind::Differs(first, name) => {
                    fix = format!(
                        "delete both lines and run `go mod tidy` on a network that you trust; then \
                         compare: the other hash belongs to a changed {name}"
                    );
                    let says = format!("has another hash of {name} than line {first}");
                    let why = "go compares with the first line only, and stops with “checksum \
                               mismatch” where that is the wrong one. A merge that keeps the \
                               lines of both sides does that.";
                    (says, why)
                }
            };
            let place = format!("{place}:{line}");
            let says = format!("{place} {says}");
            self.add(Code::GosumInvalid, Error, &place, says, why, fix);
        }
    }

    /// Compares the versions and directives that the project requires with the go command on PATH.
    fn versions(&mut self) {
        let Some((path, has)) = self.facts.go_commands.first() else {
            return;
        };
        let has = has.strip_prefix("go").unwrap_or(has).to_owned();
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
            // The value is from $GOROOT/go.env, which belongs to the distribution.
            (None, None) => {
                let permit = "run `go env -w GOTOOLCHAIN=auto`";
                (shipped().unwrap_or_default(), permit)
            }
        };
        // Before 1.21 a go line did not cause a download.
        let fetches = go_version::at_least(&has, "1.21");
        let may_fetch = matches!(toolchain.as_str(), "" | "auto") || toolchain.ends_with("+auto");
        let read = std::mem::take(&mut self.read);
        let wanted = read.iter().flat_map(|(place, file)| {
            let lines = [&file.go, &file.toolchain].into_iter().flatten();
            let lines = lines.filter(|line| line.value != "default");
            lines.map(move |line| {
                let version = go_version::of_toolchain(&line.value).unwrap_or(&line.value);
                (version, format!("{place}:{}", line.line))
            })
        });
        let wanted = wanted.max_by(|one, other| go_version::compare(one.0, other.0));
        // The version of the go that will read the project.
        let newer = wanted.filter(|(wanted, _)| fetches && !go_version::at_least(&has, wanted));
        let reads = newer.as_ref().map_or(has.as_str(), |(wanted, _)| wanted);
        for (place, file) in &read {
            for Newcomer { line, verb, since } in file.newcomers() {
                if go_version::at_least(reads, since) {
                    continue;
                }
                let place = format!("{place}:{line}");
                let says =
                    format!("go {reads} refuses {place}: {verb} in that form needs go {since}");
                let why = "go stops with “unknown directive”, “unknown block type” or “invalid go \
                           version”.";
                let fix = if fetches && may_fetch {
                    format!(
                        "write `go {since}.0` in the go line, so that go downloads such a version, \
                         or delete the line"
                    )
                } else {
                    format!("install go {since} or newer, or delete the line")
                };
                self.add(Code::GomodInvalid, Error, &place, says, why, fix);
            }
            // git's markers are already reported as faults of the file.
            let unknown = file.unknown.iter().filter(|one| {
                !is_conflict_marker(&one.value) && !go_version::at_least(reads, UNKNOWN_GO)
            });
            for At { line, value, .. } in unknown {
                let place = format!("{place}:{line}");
                let says = format!("go {reads} refuses {place}: unknown directive {value}");
                let why = "No go command works in this module until then.";
                let fix = "delete the line, or write what was meant";
                self.add(Code::GomodInvalid, Error, &place, says, why, fix);
            }
        }
        let Some((version, place)) = newer else {
            return;
        };
        let says = format!("{place} requires go {version}, but PATH has go {has}");
        if may_fetch {
            let why = "go downloads the newer one through GOPROXY, which fails without a network.";
            let fix = "download it before you go offline: `goroam mirror add --from . --toolchain`";
            self.add(Code::ToolchainFetched, Note, &place, says, why, fix);
        } else {
            let why =
                format!("With GOTOOLCHAIN={toolchain} go stops and downloads no other version.");
            let fix = format!("install go {version}, or {permit} so that go can download it");
            self.add(Code::GoTooOld, Error, &place, says, &why, fix);
        }
    }

    /// Reports what `goroam vendor check` finds without the zips, which is as fast as reading
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
        let is_refused = |code: VendorCode| {
            let first = matches!(code, VendorCode::NoModulesTxt | VendorCode::Inconsistent);
            first || code == VendorCode::PackageMissing
        };
        let all = &report.findings;
        let (severity, what, why, fix) = if let Some(bad) =
            all.iter().find(|one| is_refused(one.code))
        {
            let why = "go refuses to build with it. `goroam vendor check` lists everything.";
            (Error, bad.what.clone(), why, &bad.mend)
        } else if let Some(old) = all.iter().find(|one| one.code == VendorCode::OutOfDate) {
            let what = format!("{}: {}", old.file.as_deref().unwrap_or_default(), old.what);
            let why = "go builds what vendor/ has without a warning. `goroam vendor check` lists \
                       everything.";
            (Warning, what, why, &old.mend)
        } else {
            return;
        };
        let finding = DoctorFinding::new(Code::VendorOutdated, severity, what, why, fix);
        self.found.push(finding);
    }

    /// Reports a path that has the name of a file but is not one: a directory, a broken link.
    fn not_a_file(&mut self, path: &Path) {
        let Some(what) = Disk.no_file(path) else {
            return;
        };
        let place = self.short(path);
        let fix = "put the file itself there";
        let (severity, why, fix) = match name_of(&place) {
            "go.mod" => {
                let why = "go ignores it: it takes the go.mod of a directory above, or finds no \
                           module.";
                (Error, why, fix)
            }
            "go.work" => {
                let why = "go ignores it and builds without that workspace.";
                (Warning, why, "put the file itself there, or delete it")
            }
            "modules.txt" => {
                let why = "go needs that list of what vendor holds, and stops with “inconsistent \
                           vendoring”.";
                let fix = "run `go mod vendor` (`go work vendor` in a workspace)";
                (Error, why, fix)
            }
            _ => {
                let why = "go finds no checksum there and cannot write one: it stops where it \
                           needs one.";
                (Error, why, fix)
            }
        };
        let says = format!("{place} {what}");
        self.add(code_of(&place), severity, &place, says, why, fix);
    }

    /// Returns the text of a file of the project. Reports an encoding that go cannot read.
    fn text(&mut self, path: &Path) -> Option<String> {
        let place = self.short(path);
        match Disk.bytes(path) {
            Ok(Some(bytes)) => {
                self.encoding(&place, &bytes);
                self.facts.looked.push(place);
                return Some(files::text(&bytes));
            }
            Ok(None) => self.not_a_file(path),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                let says = format!("{place} {error}");
                let why = "go waits endlessly for a pipe, or stops there.";
                let fix = "put the file itself there";
                self.add(code_of(&place), Error, &place, says, why, fix);
            }
            Err(error) => self.facts.unread(&place, &error.to_string()),
        }
        None
    }

    /// Reports an encoding that editors on Windows or PowerShell's `>` write.
    fn encoding(&mut self, place: &str, bytes: &[u8]) {
        let name = name_of(place);
        let start = bytes.get(..512).unwrap_or(bytes);
        let is_wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let (says, command) = if bytes.starts_with(b"\xef\xbb\xbf") {
            let says = "begins with a byte order mark, which go takes for a part of the text";
            (says, "tail -c +4")
        } else if is_wide || start.contains(&0) {
            (
                "is UTF-16, and go reads only UTF-8",
                "iconv -f UTF-16 -t UTF-8",
            )
        } else {
            return;
        };
        let mut fix = "save it as UTF-8 without a byte order mark".to_owned();
        if !cfg!(windows) {
            fix.push_str(&format!(
                ": `{command} {name} >{name}.new && mv {name}.new {name}`"
            ));
        }
        let why = match name {
            "go.mod" | "go.work" => "go stops with “unexpected input character”.",
            "modules.txt" => "go stops with “inconsistent vendoring”.",
            _ => "go finds no checksum in it, or stops with “malformed go.sum”.",
        };
        let says = format!("{place} {says}");
        self.add(code_of(place), Error, place, says, why, fix);
    }
}

/// Returns go's message if it stops at the project itself: a workspace that names a missing module,
/// two modules of one name, an inconsistent vendor directory.
async fn ask(
    facts: &DoctorFacts,
    env: &Environment,
    folder: &Path,
    go: &GoCommand,
) -> Option<String> {
    let mut set = offline(env, "off").to_vec();
    // The version that the project requires may be in the module cache.
    set.push(("GOTOOLCHAIN", env.get("GOTOOLCHAIN").unwrap_or("").into()));
    let job = Job {
        go,
        env,
        folder,
        set,
    };
    let written = facts.line("GOFLAGS").map(|line| line.value.as_str());
    let flags = env.get("GOFLAGS").or(written).unwrap_or_default();
    // With -mod=mod, go would write.
    let args: &[&str] = if flag(flags, "mod") == Some("mod") {
        &["list", "-m", "-mod=readonly"]
    } else {
        &["list", "-m"]
    };
    let ran = job.run_for(args, LIMIT).await.ok()?;
    let needs_network = ["GOPROXY=off", "cmdgonetlimit", "go: download"];
    if ran.success || needs_network.iter().any(|one| ran.err.contains(one)) {
        return None;
    }
    let lines = ran
        .err
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let shown = lines.take(MOST_LINES).collect::<Vec<&str>>().join(" ");
    let shown = shown.strip_prefix("go: ").unwrap_or(&shown).chars();
    let shown: String = shown.filter(|c| !c.is_control()).take(MOST_CHARS).collect();
    Some(shown).filter(|shown| !shown.is_empty())
}
