//! Judges the files of one stored module version: in a mirror, in `cache/download` of the module
//! cache, which has the same layout, or on the way from one to the other. Pure: takes what was
//! read, returns what is wrong.
//!
//! The checksum database has priority over a project's go.sum, and go.sum over the hash that was
//! noted when the file was stored.

use super::ModuleVersion;
use super::form;
use super::go_sum::Hashed;
use super::sum::hash_go_mod;

/// One of a version's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionFile {
    /// `.info`: the version and its time, as JSON.
    Info,
    /// `.mod`: the go.mod of the version.
    Mod,
    /// `.zip`: the files of the version.
    Zip,
    /// `.ziphash`: the zip's `h1:` at the time it was stored. go never requests it from a proxy.
    ZipHash,
}

impl VersionFile {
    /// All four.
    pub const ALL: [VersionFile; 4] = [
        VersionFile::Info,
        VersionFile::Mod,
        VersionFile::Zip,
        VersionFile::ZipHash,
    ];

    /// Returns the text after the version in the file's name.
    pub fn end(self) -> &'static str {
        match self {
            VersionFile::Info => ".info",
            VersionFile::Mod => ".mod",
            VersionFile::Zip => ".zip",
            VersionFile::ZipHash => ".ziphash",
        }
    }
}

/// What the checksum database states about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAnswer {
    /// The hashes that it has recorded.
    Sums {
        /// The database's name.
        by: String,
        /// The hash of the zip.
        zip: Option<String>,
        /// The hash of go.mod.
        go_mod: Option<String>,
    },
    /// It is not asked, with the reason: GOSUMDB=off, or GONOSUMDB names the module.
    NotAsked(String),
    /// It should prove the version, but its answer is not stored here, with the reason.
    Absent(String),
    /// The stored answer proves nothing, with the reason: it is forged or damaged.
    False(String),
}

impl DatabaseAnswer {
    /// Returns what it states about a file.
    fn stated(&self, of: Hashed) -> Option<(Source, &String)> {
        let DatabaseAnswer::Sums { by, zip, go_mod } = self else {
            return None;
        };
        let sum = match of {
            Hashed::Zip => zip,
            Hashed::GoMod => go_mod,
        };
        Some((Source::Database(by.clone()), sum.as_ref()?))
    }
}

/// A line of a go.sum about this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The file of the version.
    pub of: Hashed,
    /// `h1:…`
    pub hash: String,
    /// The place of the line: `/src/go.sum:3`.
    pub by: String,
    /// Whether go wrote it after the database had confirmed it.
    pub sure: bool,
}

/// The source of a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The checksum database of this name.
    Database(String),
    /// The line of a go.sum at this place.
    GoSum(String),
    /// The version's `.ziphash`.
    ZipHash,
    /// The hash of `.mod`, noted when it was stored.
    NotedMod,
    /// The version's zip.
    Zip,
}

/// How a hash compares with what the database and go.sum state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// It is the stated one.
    Same,
    /// A different hash is stated.
    Differs {
        /// The source that states it.
        by: Source,
        /// The expected hash.
        expected: String,
        /// Whether this is beyond doubt.
        sure: bool,
    },
    /// Neither of them knows the file.
    Unknown,
}

/// Compares a file's hash with what the database states, or, if it states nothing, with go.sum.
pub fn compare(answer: &DatabaseAnswer, claims: &[Claim], of: Hashed, hash: &str) -> Comparison {
    match with_database(answer, of, hash) {
        Comparison::Unknown => with_go_sum(claims, of, hash),
        known @ (Comparison::Same | Comparison::Differs { .. }) => known,
    }
}

fn with_database(answer: &DatabaseAnswer, of: Hashed, hash: &str) -> Comparison {
    match answer.stated(of) {
        None => Comparison::Unknown,
        Some((_, sum)) if sum == hash => Comparison::Same,
        Some((by, sum)) => Comparison::Differs {
            by,
            expected: sum.clone(),
            sure: true,
        },
    }
}

fn with_go_sum(claims: &[Claim], of: Hashed, hash: &str) -> Comparison {
    // go ignores hashes of kinds that it does not know.
    let about = |claim: &&Claim| claim.of == of && claim.hash.starts_with("h1:");
    let claims = || claims.iter().filter(about);
    if claims().any(|claim| claim.hash == hash) {
        return Comparison::Same;
    }
    claims()
        .next()
        .map_or(Comparison::Unknown, |claim| Comparison::Differs {
            by: Source::GoSum(claim.by.clone()),
            expected: claim.hash.clone(),
            sure: claim.sure,
        })
}

/// What was read of a version. `None`: the file does not exist, or is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion<'a> {
    /// The version.
    pub module: &'a ModuleVersion,
    /// `.info`, or why it cannot be read.
    pub info: Option<Result<Vec<u8>, String>>,
    /// `.mod`, or why it cannot be read.
    pub go_mod: Option<Result<StoredMod, String>>,
    /// The hash of `.mod`, if it was noted when it was stored.
    pub noted_mod: Option<String>,
    /// `.ziphash`, or why it cannot be read.
    pub zip_hash: Option<Result<Vec<u8>, String>>,
    /// The zip, or what is wrong with it.
    pub zip: Option<Result<StoredZip, FileFault>>,
    /// The answer of the checksum database.
    pub answer: DatabaseAnswer,
    /// The lines of the project's go.sum.
    pub claims: Vec<Claim>,
}

impl StoredVersion<'_> {
    /// Creates a version of which nothing was read yet.
    pub fn of(module: &ModuleVersion, answer: DatabaseAnswer) -> StoredVersion<'_> {
        StoredVersion {
            module,
            info: None,
            go_mod: None,
            noted_mod: None,
            zip_hash: None,
            zip: None,
            answer,
            claims: Vec::new(),
        }
    }
}

/// A `.mod` that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMod {
    /// Its hash, as go.sum has it.
    pub hash: String,
    /// What is wrong with its form, from [`form::go_mod`].
    pub form: Result<(), String>,
}

impl StoredMod {
    /// Creates it from these bytes.
    pub fn of(bytes: &[u8]) -> StoredMod {
        StoredMod {
            hash: hash_go_mod(bytes),
            form: form::go_mod(bytes),
        }
    }
}

/// A zip that can be opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredZip {
    /// Its hash; `None`: it was not read to its end.
    pub h1: Option<String>,
    /// The hash of the go.mod in it.
    pub go_mod: Option<String>,
}

/// A fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The file.
    pub file: VersionFile,
    /// The fault.
    pub fault: FileFault,
}

/// The kinds of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFault {
    /// It cannot be read.
    Unreadable(String),
    /// go could not use it.
    Broken {
        /// The rest of a sentence that starts with the file.
        why: String,
        /// For a zip: the source of the expected hash, and the hash.
        expected: Option<(Source, String)>,
    },
    /// It has a different hash than the stated one.
    Differs {
        /// The source that states it.
        by: Source,
        /// The expected hash.
        expected: String,
        /// The actual hash.
        found: String,
        /// Whether this is beyond doubt.
        sure: bool,
    },
    /// The database should prove the file, and does not.
    Unproven(String),
    /// The proof is forged or damaged.
    Forged(String),
}

impl FileFault {
    /// go could not use it for this reason.
    pub fn broken(why: impl Into<String>) -> FileFault {
        let (why, expected) = (why.into(), None);
        FileFault::Broken { why, expected }
    }
}

/// The result for a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judgement {
    /// The faults, by file.
    pub flaws: Vec<Flaw>,
    /// Whether the database proves the zip, or there is no zip.
    pub zip_is_proven: bool,
    /// Whether the database proves the go.mod.
    pub mod_is_proven: bool,
}

/// Judges the files of a version.
pub fn judge(version: &StoredVersion<'_>) -> Judgement {
    let mut out = Judgement::default();
    match version.info.as_ref().map(|read| read.as_ref()) {
        None => {}
        Some(Err(why)) => out.add(VersionFile::Info, FileFault::Unreadable(why.clone())),
        Some(Ok(bytes)) => {
            let form = form::info(bytes, version.module);
            form.unwrap_or_else(|why| out.broken(VersionFile::Info, why));
        }
    }
    out.zip_is_proven = out.zip(version);
    out.mod_is_proven = out.go_mod(version);
    out
}

impl Judgement {
    fn add(&mut self, file: VersionFile, fault: FileFault) {
        self.flaws.push(Flaw { file, fault });
    }

    fn broken(&mut self, file: VersionFile, why: impl Into<String>) {
        self.add(file, FileFault::broken(why));
    }

    /// Records a comparison as a flaw of this file, if it is one.
    fn differs(&mut self, file: VersionFile, compared: Comparison, found: &str) -> bool {
        let Comparison::Differs { by, expected, sure } = compared else {
            return false;
        };
        let found = found.to_owned();
        let fault = FileFault::Differs {
            by,
            expected,
            found,
            sure,
        };
        self.add(file, fault);
        true
    }

    /// Judges the zip and its `.ziphash`, and reports whether the zip is proven.
    fn zip(&mut self, version: &StoredVersion<'_>) -> bool {
        let noted = self.noted(version);
        let (answer, claims) = (&version.answer, &version.claims);
        let is_unreadable = matches!(version.zip, Some(Err(FileFault::Unreadable(_))));
        if version.zip.is_some() && !is_unreadable {
            self.unproven(VersionFile::Zip, answer, Hashed::Zip);
        }
        let h1 = match &version.zip {
            Some(Err(fault)) => {
                let mut fault = fault.clone();
                if let FileFault::Broken { expected, .. } = &mut fault {
                    let noted = noted.map(|noted| (Source::ZipHash, noted));
                    let sum = answer.stated(Hashed::Zip);
                    *expected = sum.map(|(by, sum)| (by, sum.clone())).or(noted);
                }
                self.add(VersionFile::Zip, fault);
                return false;
            }
            Some(Ok(StoredZip { h1: Some(h1), .. })) => h1,
            // go uses the noted hash as the zip's hash.
            None | Some(Ok(_)) => {
                if let Some(noted) = noted {
                    let compared = compare(answer, claims, Hashed::Zip, &noted);
                    self.differs(VersionFile::ZipHash, compared, &noted);
                }
                return version.zip.is_none();
            }
        };
        let by_database = with_database(answer, Hashed::Zip, h1);
        let proven = by_database == Comparison::Same;
        if self.differs(VersionFile::Zip, by_database, h1) {
            return false;
        }
        let by_go_sum = with_go_sum(claims, Hashed::Zip, h1);
        let vouched = proven || by_go_sum == Comparison::Same;
        if self.differs(VersionFile::Zip, by_go_sum, h1) && !proven {
            return false;
        }
        if let Some(noted) = noted.filter(|noted| noted != h1) {
            // The confirmed hash is right, so the noted one is wrong.
            let (file, by, expected, found) = if vouched {
                (VersionFile::ZipHash, Source::Zip, h1, &noted)
            } else {
                (VersionFile::Zip, Source::ZipHash, &noted, h1)
            };
            let (expected, sure) = (expected.clone(), vouched);
            self.differs(file, Comparison::Differs { by, expected, sure }, found);
        }
        proven
    }

    /// Returns the hash in `.ziphash`, if it holds one.
    fn noted(&mut self, version: &StoredVersion<'_>) -> Option<String> {
        match version.zip_hash.as_ref()? {
            Err(why) => self.add(VersionFile::ZipHash, FileFault::Unreadable(why.clone())),
            Ok(bytes) => match form::zip_hash(bytes) {
                Ok(hash) => return Some(hash),
                Err(why) => self.broken(VersionFile::ZipHash, why),
            },
        }
        None
    }

    fn unproven(&mut self, file: VersionFile, answer: &DatabaseAnswer, of: Hashed) {
        let fault = match answer {
            DatabaseAnswer::Sums { by, .. } if answer.stated(of).is_none() => {
                let what = match of {
                    Hashed::Zip => "the zip",
                    Hashed::GoMod => "go.mod",
                };
                FileFault::Unproven(format!("{by} says nothing about {what}"))
            }
            DatabaseAnswer::Absent(why) => FileFault::Unproven(why.clone()),
            DatabaseAnswer::False(why) => FileFault::Forged(why.clone()),
            DatabaseAnswer::Sums { .. } | DatabaseAnswer::NotAsked(_) => return,
        };
        self.add(file, fault);
    }

    /// Judges go.mod, and reports whether it is proven.
    fn go_mod(&mut self, version: &StoredVersion<'_>) -> bool {
        let (answer, claims) = (&version.answer, &version.claims);
        let StoredMod { hash, form } = match &version.go_mod {
            None => return false,
            Some(Err(why)) => {
                self.add(VersionFile::Mod, FileFault::Unreadable(why.clone()));
                return false;
            }
            Some(Ok(stored)) => stored,
        };
        let in_zip = match &version.zip {
            Some(Ok(zip)) => zip.go_mod.as_ref(),
            Some(Err(_)) | None => None,
        };
        // The go.mod in the zip is one more source: if it agrees with the file, it is unknown which
        // is wrong; if it agrees with the stated hash, the file is wrong.
        let weighed = |mut compared| {
            if let (Comparison::Differs { expected, sure, .. }, Some(in_zip)) =
                (&mut compared, in_zip)
            {
                *sure = in_zip != hash && (in_zip == expected || *sure);
            }
            compared
        };
        let by_database = weighed(with_database(answer, Hashed::GoMod, hash));
        let by_go_sum = weighed(with_go_sum(claims, Hashed::GoMod, hash));
        if by_database == Comparison::Same {
            // Whatever its form, its author published it like this.
            self.differs(VersionFile::Mod, by_go_sum, hash);
            return true;
        }
        if self.differs(VersionFile::Mod, by_database, hash) {
            return false;
        }
        // If there is a zip, this was already reported for it.
        let has_answer = matches!(answer, DatabaseAnswer::Sums { .. });
        if has_answer || version.zip.is_none() {
            self.unproven(VersionFile::Mod, answer, Hashed::GoMod);
        }
        let vouched = by_go_sum == Comparison::Same;
        if self.differs(VersionFile::Mod, by_go_sum, hash) {
            return false;
        }
        // go accepts a `.mod` that is not the zip's go.mod, so a file that was verified when stored
        // is right. If the database should prove it and does not, a note proves nothing.
        let is_asked = !matches!(answer, DatabaseAnswer::NotAsked(_));
        let noted = version.noted_mod.as_ref().filter(|_| !is_asked);
        let stated = match noted {
            _ if vouched => None,
            Some(noted) => Some((Source::NotedMod, noted)),
            None => in_zip.map(|in_zip| (Source::Zip, in_zip)),
        };
        match stated {
            Some((by, expected)) if expected != hash => {
                let (expected, sure) = (expected.clone(), false);
                let differs = Comparison::Differs { by, expected, sure };
                self.differs(VersionFile::Mod, differs, hash);
            }
            _ => {
                if let Err(why) = form {
                    self.broken(VersionFile::Mod, why.as_str());
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h1(letter: &str) -> String {
        format!("h1:{}=", letter.repeat(43))
    }

    fn sums() -> DatabaseAnswer {
        DatabaseAnswer::Sums {
            by: "sum.test".to_owned(),
            zip: Some(h1("z")),
            go_mod: Some(h1("m")),
        }
    }

    fn not_asked() -> DatabaseAnswer {
        DatabaseAnswer::NotAsked("private".to_owned())
    }

    fn claim(of: Hashed, letter: &str) -> Claim {
        Claim {
            of,
            hash: h1(letter),
            by: "/p/go.sum:1".to_owned(),
            sure: true,
        }
    }

    /// A version in a module cache: the zip hashes to `z`, go.mod to `m`.
    fn good<'m>(module: &'m ModuleVersion, answer: DatabaseAnswer) -> StoredVersion<'m> {
        StoredVersion {
            module,
            info: Some(Ok(br#"{"Version":"v1.0.0"}"#.to_vec())),
            go_mod: Some(Ok(StoredMod {
                hash: h1("m"),
                form: Ok(()),
            })),
            noted_mod: None,
            zip_hash: Some(Ok(h1("z").into_bytes())),
            zip: Some(Ok(StoredZip {
                h1: Some(h1("z")),
                go_mod: Some(h1("m")),
            })),
            answer,
            claims: Vec::new(),
        }
    }

    /// The flaws, as `FILE fault source sure`.
    fn flaws(version: &StoredVersion<'_>) -> Vec<String> {
        let line = |flaw: &Flaw| match &flaw.fault {
            FileFault::Unreadable(why) => format!("{} unreadable: {why}", flaw.file.end()),
            FileFault::Broken { why, .. } => format!("{} {why}", flaw.file.end()),
            FileFault::Differs { by, sure, .. } => {
                let sure = if *sure { "sure" } else { "unsure" };
                format!("{} differs {by:?} {sure}", flaw.file.end())
            }
            FileFault::Unproven(why) => format!("{} unproven: {why}", flaw.file.end()),
            FileFault::Forged(why) => format!("{} forged: {why}", flaw.file.end()),
        };
        judge(version).flaws.iter().map(line).collect()
    }

    fn version() -> ModuleVersion {
        ModuleVersion::new("a.test/b", "v1.0.0")
    }

    #[test]
    fn the_database_counts_for_more_than_go_sum() {
        let claims = [claim(Hashed::Zip, "x")];
        let by = |answer: &DatabaseAnswer, letter| match compare(
            answer,
            &claims,
            Hashed::Zip,
            &h1(letter),
        ) {
            Comparison::Same => "same".to_owned(),
            Comparison::Differs { by, .. } => format!("{by:?}"),
            Comparison::Unknown => "unknown".to_owned(),
        };
        assert_eq!(by(&sums(), "z"), "same");
        assert_eq!(by(&sums(), "x"), "Database(\"sum.test\")");
        assert_eq!(by(&not_asked(), "x"), "same");
        assert_eq!(by(&not_asked(), "z"), "GoSum(\"/p/go.sum:1\")");
        let other_kind = Claim {
            hash: "h2:x".to_owned(),
            ..claim(Hashed::Zip, "x")
        };
        let compared = compare(&not_asked(), &[other_kind], Hashed::Zip, &h1("z"));
        assert_eq!(compared, Comparison::Unknown);
        // One matching line of several is enough.
        let both = [claim(Hashed::Zip, "x"), claim(Hashed::Zip, "z")];
        let compared = compare(&not_asked(), &both, Hashed::Zip, &h1("z"));
        assert_eq!(compared, Comparison::Same);
    }

    #[test]
    fn a_note_is_wrong_where_the_zip_is_vouched_for() {
        let module = version();
        let noted = |answer, claims| StoredVersion {
            zip_hash: Some(Ok(h1("x").into_bytes())),
            claims,
            ..good(&module, answer)
        };
        let wrong_note = [".ziphash differs Zip sure"];
        assert_eq!(flaws(&noted(sums(), Vec::new())), wrong_note);
        let claims = vec![claim(Hashed::Zip, "z")];
        assert_eq!(flaws(&noted(not_asked(), claims)), wrong_note);
        let wrong_zip = [".zip differs ZipHash unsure"];
        assert_eq!(flaws(&noted(not_asked(), Vec::new())), wrong_zip);
        let zeros = StoredVersion {
            zip_hash: Some(Ok(vec![0; 47])),
            ..good(&module, not_asked())
        };
        assert_eq!(flaws(&zeros), [".ziphash holds zero bytes"]);
    }

    #[test]
    fn a_zip_that_is_not_hashed_or_not_there_is_judged_by_its_note() {
        let module = version();
        for zip in [None, Some(Ok(StoredZip::default()))] {
            let noted = |letter: &str| StoredVersion {
                zip: zip.clone(),
                zip_hash: Some(Ok(h1(letter).into_bytes())),
                ..good(&module, sums())
            };
            assert_eq!(flaws(&noted("z")), [""; 0]);
            let wrong = [".ziphash differs Database(\"sum.test\") sure"];
            assert_eq!(flaws(&noted("x")), wrong);
        }
    }

    #[test]
    fn a_go_sum_that_contradicts_a_proven_file_is_named() {
        let module = version();
        let claimed = |answer| StoredVersion {
            claims: vec![claim(Hashed::Zip, "x"), claim(Hashed::GoMod, "x")],
            ..good(&module, answer)
        };
        let judgement = judge(&claimed(sums()));
        assert!(judgement.zip_is_proven && judgement.mod_is_proven);
        for answer in [sums(), not_asked()] {
            let by = "differs GoSum(\"/p/go.sum:1\")";
            let want = [format!(".zip {by} sure"), format!(".mod {by} unsure")];
            assert_eq!(flaws(&claimed(answer)), want);
        }
    }

    #[test]
    fn the_go_mod_in_the_zip_says_which_is_wrong() {
        let module = version();
        let other = |in_zip: Option<&str>, answer| StoredVersion {
            go_mod: Some(Ok(StoredMod {
                hash: h1("x"),
                form: Ok(()),
            })),
            zip: Some(Ok(StoredZip {
                h1: Some(h1("z")),
                go_mod: in_zip.map(h1),
            })),
            ..good(&module, answer)
        };
        let by = ".mod differs Database(\"sum.test\")";
        assert_eq!(flaws(&other(Some("x"), sums())), [format!("{by} unsure")]);
        assert_eq!(flaws(&other(Some("m"), sums())), [format!("{by} sure")]);
        assert_eq!(flaws(&other(None, sums())), [format!("{by} sure")]);
        let unsure = Claim {
            sure: false,
            ..claim(Hashed::GoMod, "m")
        };
        let claimed = StoredVersion {
            claims: vec![unsure],
            ..other(Some("m"), not_asked())
        };
        let by = ".mod differs GoSum(\"/p/go.sum:1\")";
        assert_eq!(flaws(&claimed), [format!("{by} sure")]);
        let unproven = [".mod differs Zip unsure"];
        assert_eq!(flaws(&other(Some("m"), not_asked())), unproven);
        assert_eq!(flaws(&other(None, not_asked())), [""; 0]);
    }

    #[test]
    fn a_page_is_no_go_mod_unless_the_database_has_recorded_it() {
        let module = version();
        let page = |answer, claims| StoredVersion {
            go_mod: Some(Ok(StoredMod {
                hash: h1("m"),
                form: Err("holds an HTML page".to_owned()),
            })),
            claims,
            ..good(&module, answer)
        };
        assert_eq!(flaws(&page(sums(), Vec::new())), [""; 0]);
        let flaw = [".mod holds an HTML page"];
        assert_eq!(flaws(&page(not_asked(), Vec::new())), flaw);
        // go.sum may have been written while a portal answered.
        let claims = vec![claim(Hashed::GoMod, "m")];
        assert_eq!(flaws(&page(not_asked(), claims)), flaw);
    }

    #[test]
    fn what_cannot_be_read_is_not_judged() {
        let module = version();
        let unread = StoredVersion {
            info: Some(Err("denied".to_owned())),
            go_mod: Some(Err("denied".to_owned())),
            zip_hash: Some(Err("denied".to_owned())),
            zip: Some(Err(FileFault::Unreadable("denied".to_owned()))),
            ..good(&module, sums())
        };
        let want = [".info", ".ziphash", ".zip", ".mod"];
        assert_eq!(
            flaws(&unread),
            want.map(|end| format!("{end} unreadable: denied"))
        );
        let broken = StoredVersion {
            zip: Some(Err(FileFault::broken("is not a module zip: x".to_owned()))),
            ..good(&module, not_asked())
        };
        assert_eq!(flaws(&broken), [".zip is not a module zip: x"]);
    }
}
