//! What a version's files mean, set against those who say what they should be. Pure.

use super::report::{Finding, Hashes, Kind, Unproven};
use crate::gomod::ModuleVersion;
use crate::gomod::form;
use crate::mirror::layout::{File, Layout};

/// What the checksum database says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It is proven to have these hashes.
    Sums {
        /// The database's name.
        by: String,
        /// Of the zip.
        zip: Option<String>,
        /// Of go.mod.
        go_mod: Option<String>,
    },
    /// It is not asked: GOSUMDB=off, or GONOSUMDB names the module.
    NotAsked(String),
    /// It is asked, and the mirror does not hold its answer.
    Absent(String),
    /// What the mirror holds proves nothing: forged, or damaged.
    False(String),
}

/// A file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// What it is.
    Is(T),
    /// Why it could not be read.
    Cannot(String),
}

/// A whole zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZipSeen {
    pub(super) h1: String,
    /// The hash of the go.mod in it.
    pub(super) go_mod: Option<String>,
}

/// Everything about one version. `None`: not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) info: Option<Read<Vec<u8>>>,
    /// Its hash; is it a go.mod at all?
    pub(super) go_mod: Option<Read<(String, Result<(), String>)>>,
    /// The hash of `.mod` when it was stored; noted where the zip holds another go.mod.
    pub(super) noted_mod: Option<String>,
    pub(super) ziphash: Option<Read<Vec<u8>>>,
    /// Or what is wrong with it.
    pub(super) zip: Option<Read<Result<ZipSeen, String>>>,
    pub(super) proof: Proof,
}

/// What a version comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Verdict {
    pub(super) bad: Vec<Finding>,
    pub(super) unproven: Option<Unproven>,
    pub(super) proven: bool,
    /// When nothing is wrong with it.
    pub(super) sound: Option<(ModuleVersion, Hashes)>,
}

/// `listed`: the module's `list` names it, so go takes it to be there as a whole.
pub(super) fn judge(layout: &Layout, module: &ModuleVersion, seen: &Seen, listed: bool) -> Verdict {
    let mut case = Case {
        layout,
        module,
        bad: Vec::new(),
    };
    case.missing(seen, listed);
    case.info(seen);
    let zip_is_proven = case.zip(seen);
    let go_mod_is_proven = case.go_mod(seen);
    let mut verdict = Verdict {
        bad: case.bad,
        ..Verdict::default()
    };
    if verdict.bad.is_empty() {
        verdict.sound = hashes(seen).map(|hashes| (module.clone(), hashes));
    }
    match &seen.proof {
        Proof::Sums { .. } => verdict.proven = zip_is_proven && go_mod_is_proven,
        Proof::NotAsked(why) => {
            verdict.unproven = Some(Unproven {
                module: module.path.clone(),
                version: module.version.clone(),
                why: why.clone(),
            });
        }
        Proof::Absent(_) | Proof::False(_) => {}
    }
    verdict
}

fn hashes(seen: &Seen) -> Option<Hashes> {
    let Some(Read::Is((go_mod, _))) = &seen.go_mod else {
        return None;
    };
    let zip = match &seen.zip {
        None => None,
        Some(Read::Is(Ok(zip))) => Some(zip.h1.clone()),
        Some(_) => return None,
    };
    Some(Hashes {
        zip,
        go_mod: go_mod.clone(),
        info: seen.info.is_some(),
    })
}

struct Case<'a> {
    layout: &'a Layout,
    module: &'a ModuleVersion,
    bad: Vec<Finding>,
}

impl Case<'_> {
    fn finding(&self, file: File, kind: Kind, what: String) -> Finding {
        Finding {
            of: self.module.to_string(),
            file: self.layout.file(self.module, file).unwrap_or_default(),
            kind,
            what,
            expected: None,
            by: None,
            found: None,
            help: match kind {
                // The files may be right: what is missing is who says so.
                Kind::Unproven => format!("`goroam mirror add {}` brings its proof", self.module),
                Kind::Mismatch | Kind::Missing | Kind::Wrong | Kind::Stray | Kind::Unreadable => {
                    format!(
                        "`goroam mirror add {}` brings it anew; delete the version's files before",
                        self.module
                    )
                }
            },
        }
    }

    fn says(&mut self, file: File, kind: Kind, what: impl Into<String>) {
        let finding = self.finding(file, kind, what.into());
        self.bad.push(finding);
    }

    fn differs(&mut self, file: File, what: &str, expected: &str, by: &str, found: Option<&str>) {
        let finding = Finding {
            expected: Some(expected.to_owned()),
            by: Some(by.to_owned()),
            found: found.map(str::to_owned),
            ..self.finding(file, Kind::Mismatch, what.to_owned())
        };
        self.bad.push(finding);
    }

    /// A version is there as a whole, or only its go.mod is.
    fn missing(&mut self, seen: &Seen, listed: bool) {
        let whole = listed || seen.zip.is_some() || seen.ziphash.is_some();
        let missing = [
            (File::Info, whole && seen.info.is_none()),
            (File::Mod, seen.go_mod.is_none()),
            (File::Zip, whole && seen.zip.is_none()),
        ];
        for (file, _) in missing.into_iter().filter(|(_, is)| *is) {
            self.says(file, Kind::Missing, "is missing: half a version");
        }
    }

    fn info(&mut self, seen: &Seen) {
        match &seen.info {
            None => {}
            Some(Read::Cannot(why)) => self.says(File::Info, Kind::Unreadable, why.as_str()),
            Some(Read::Is(bytes)) => {
                if let Err(why) = form::info(bytes, self.module) {
                    self.says(File::Info, Kind::Wrong, why);
                }
            }
        }
    }

    /// Is the zip what the database says? True also where there is none to be proven.
    fn zip(&mut self, seen: &Seen) -> bool {
        let noted = match &seen.ziphash {
            Some(Read::Is(bytes)) => Some(String::from_utf8_lossy(bytes).trim().to_owned()),
            Some(Read::Cannot(why)) => {
                self.says(File::ZipHash, Kind::Unreadable, why.as_str());
                None
            }
            None => None,
        };
        let zip = match &seen.zip {
            None => return true,
            Some(Read::Cannot(why)) => {
                self.says(File::Zip, Kind::Unreadable, why.as_str());
                return false;
            }
            Some(Read::Is(zip)) => zip,
        };
        let proof = match &seen.proof {
            Proof::Sums {
                by, zip: Some(zip), ..
            } => Some((format!("the checksum database {by}"), zip)),
            Proof::Sums { zip: None, by, .. } => {
                let what = format!("{by} says nothing about the zip");
                self.says(File::Zip, Kind::Unproven, what);
                None
            }
            Proof::Absent(why) => {
                self.says(File::Zip, Kind::Unproven, why.as_str());
                None
            }
            Proof::False(why) => {
                self.says(File::Zip, Kind::Mismatch, why.as_str());
                None
            }
            Proof::NotAsked(_) => None,
        };
        let by_note = "its .ziphash, written when it was stored";
        match zip {
            Err(why) => {
                let what = format!("is no module zip: {why}");
                let noted = noted.as_ref().map(|noted| (by_note.to_owned(), noted));
                match proof.or(noted) {
                    Some((by, expected)) => self.differs(File::Zip, &what, expected, &by, None),
                    None => self.says(File::Zip, Kind::Mismatch, what),
                }
                false
            }
            Ok(zip) => {
                if let Some((by, expected)) = &proof
                    && **expected != zip.h1
                {
                    self.differs(
                        File::Zip,
                        "is not what is proven",
                        expected,
                        by,
                        Some(&zip.h1),
                    );
                    return false;
                }
                match noted {
                    Some(noted) if noted != zip.h1 && proof.is_some() => {
                        let what = "does not say what the zip is";
                        let by = "the zip, which is proven";
                        let noted: String = noted.chars().take(80).collect();
                        self.differs(File::ZipHash, what, &zip.h1, by, Some(&noted));
                    }
                    Some(noted) if noted != zip.h1 => {
                        let noted: String = noted.chars().take(80).collect();
                        let what = "is not what was stored";
                        self.differs(File::Zip, what, &noted, by_note, Some(&zip.h1));
                    }
                    Some(_) | None => {}
                }
                proof.is_some()
            }
        }
    }

    /// The same of go.mod.
    fn go_mod(&mut self, seen: &Seen) -> bool {
        let (h1, sound) = match &seen.go_mod {
            None => return false,
            Some(Read::Cannot(why)) => {
                self.says(File::Mod, Kind::Unreadable, why.as_str());
                return false;
            }
            Some(Read::Is((h1, sound))) => (h1, sound),
        };
        match &seen.proof {
            Proof::Sums { go_mod, by, .. } => {
                match go_mod {
                    Some(go_mod) if go_mod == h1 => return true,
                    Some(go_mod) => {
                        let by = format!("the checksum database {by}");
                        self.differs(File::Mod, "is not what is proven", go_mod, &by, Some(h1));
                    }
                    None => {
                        let what = format!("{by} says nothing about go.mod");
                        self.says(File::Mod, Kind::Unproven, what);
                    }
                }
                return false;
            }
            // Said of the zip already, if there is one.
            Proof::Absent(why) if seen.zip.is_none() => {
                self.says(File::Mod, Kind::Unproven, why.as_str());
            }
            Proof::False(why) if seen.zip.is_none() => {
                self.says(File::Mod, Kind::Mismatch, why.as_str());
            }
            Proof::Absent(_) | Proof::False(_) | Proof::NotAsked(_) => {}
        }
        let in_zip = match &seen.zip {
            Some(Read::Is(Ok(zip))) => zip.go_mod.as_ref(),
            Some(_) | None => None,
        };
        // go takes a `.mod` that is not the zip's go.mod, so what was verified and stored is right.
        // Where the database should prove it and does not, a note proves nothing.
        let noted = match &seen.proof {
            Proof::NotAsked(_) => seen.noted_mod.as_ref(),
            Proof::Sums { .. } | Proof::Absent(_) | Proof::False(_) => None,
        };
        match (noted, in_zip) {
            (Some(noted), _) if noted != h1 => {
                let by = "its hash, noted when it was stored";
                self.differs(File::Mod, "is not what was stored", noted, by, Some(h1));
            }
            (None, Some(in_zip)) if in_zip != h1 => {
                let what = "is not the go.mod that the zip holds";
                self.differs(File::Mod, what, in_zip, "the zip", Some(h1));
            }
            _ => {
                if let Err(why) = sound {
                    self.says(File::Mod, Kind::Wrong, why.as_str());
                }
            }
        }
        false
    }
}
