//! vendor/modules.txt, read as go reads it (`modload.readVendorList`): lines that go does not
//! understand are ignored.

use super::semver;
use super::semver::ModuleVersion;

/// A vendor/modules.txt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModulesTxt {
    /// `## workspace` in its first line: `go work vendor` wrote the file.
    pub workspace: bool,
    /// The modules, in the order of their first lines. A module that is listed twice (with its
    /// packages, and as a replacement at the end) is one module.
    pub modules: Vec<ListedModule>,
}

/// A module of modules.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModule {
    /// Path and version. No version: every version is replaced.
    pub module: ModuleVersion,
    /// The module after `=>`. No version: a directory.
    pub replacement: Option<ModuleVersion>,
    /// `## explicit`: a go.mod of the project requires it.
    pub explicit: bool,
    /// `## go 1.17`: the go version of its go.mod.
    pub go: Option<String>,
    /// Its packages that are vendored.
    pub packages: Vec<String>,
    /// The number of its first line, from 1.
    pub line: usize,
}

impl ModulesTxt {
    /// Returns a module by path and version.
    pub fn get(&self, module: &ModuleVersion) -> Option<&ListedModule> {
        self.modules.iter().find(|listed| listed.module == *module)
    }

    /// Returns the modules that packages come from (`modload.vendorList`).
    pub fn providers(&self) -> impl Iterator<Item = &ListedModule> {
        self.modules
            .iter()
            .filter(|listed| !listed.packages.is_empty())
    }
}

/// Reads a modules.txt. Like go, it never fails.
pub fn parse(text: &str) -> ModulesTxt {
    let mut out = ModulesTxt {
        workspace: text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("## "))
            .is_some_and(|notes| notes.split(';').any(|note| note.trim() == "workspace")),
        modules: Vec::new(),
    };
    // The module that the present lines belong to.
    let mut at: Option<usize> = None;
    for (number, line) in text.split('\n').enumerate() {
        if line.starts_with("# ") {
            if let Some(header) = header(line) {
                at = header.map(|(module, replacement)| {
                    note_module(&mut out, module, replacement, number + 1)
                });
            }
            continue;
        }
        let Some(listed) = at.and_then(|at| out.modules.get_mut(at)) else {
            continue;
        };
        if let Some(notes) = line.strip_prefix("## ") {
            for note in notes.split(';').map(str::trim) {
                listed.explicit |= note == "explicit";
                if let Some(version) = note.strip_prefix("go ") {
                    listed.go = Some(version.to_owned());
                }
            }
            continue;
        }
        let mut words = line.split_whitespace();
        if let (Some(package), None) = (words.next(), words.next())
            && is_import_path(package)
            && !listed.packages.iter().any(|known| known == package)
        {
            listed.packages.push(package.to_owned());
        }
    }
    out
}

type Header = (ModuleVersion, Option<ModuleVersion>);

/// Parses a line with `# `. `None`: too short, so it does not end the module before it;
/// `Some(None)`: not a module that go understands, so the lines after it are ignored.
fn header(line: &str) -> Option<Option<Header>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (path, rest) = match words.as_slice() {
        [_, path, rest @ ..] if !rest.is_empty() => (*path, rest),
        _ => return None,
    };
    let (version, rest) = match rest {
        [version, rest @ ..] if is_version(version) => (*version, rest),
        ["=>", ..] => ("", rest),
        _ => return Some(None),
    };
    let replacement = match rest {
        ["=>", folder] => Some(ModuleVersion::new(*folder, "")),
        ["=>", path, version] if is_version(version) => Some(ModuleVersion::new(*path, *version)),
        _ => None,
    };
    Some(Some((ModuleVersion::new(path, version), replacement)))
}

fn note_module(
    out: &mut ModulesTxt,
    module: ModuleVersion,
    replacement: Option<ModuleVersion>,
    line: usize,
) -> usize {
    let known = out.modules.iter().position(|one| one.module == module);
    let at = known.unwrap_or(out.modules.len());
    if known.is_none() {
        out.modules.push(ListedModule {
            module,
            replacement: None,
            explicit: false,
            go: None,
            packages: Vec::new(),
            line,
        });
    }
    if let Some(listed) = out.modules.get_mut(at) {
        listed.replacement = replacement.or(listed.replacement.take());
    }
    at
}

fn is_version(word: &str) -> bool {
    semver::major(word).is_some()
}

/// `module.CheckImportPath`, except for the names that only Windows refuses: such a path never
/// leads out of the directory that it is joined to.
pub fn is_import_path(path: &str) -> bool {
    let element = |element: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~+".contains(&b);
        !element.is_empty()
            && element.bytes().all(known)
            && !element.ends_with('.')
            && !element.bytes().all(|b| b == b'.')
    };
    !path.starts_with('-') && path.split('/').all(element)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of go 1.27 for a project with each kind of line.
    const REAL: &str = "\
# example.com/a v1.2.3 => example.com/fork v1.2.4
## explicit; go 1.17
example.com/a
example.com/a/sub
# example.com/b v0.1.0
## explicit
# example.com/c v0.0.0-20200102150405-abcdefabcdef
## go 1.21
example.com/c/x+y
# example.com/d v1.0.0 => ./local/d
## explicit; go 1.20
example.com/d
# example.com/e => ../e
# example.com/f v1.0.0 => example.com/g v1.1.0
";

    #[test]
    fn every_kind_of_line_is_read() {
        let read = parse(REAL);
        assert!(!read.workspace);
        let seen: Vec<String> = read
            .modules
            .iter()
            .map(|m| {
                let by = m.replacement.as_ref();
                format!(
                    "{}: {} => {} {} {:?} {}",
                    m.line,
                    m.module,
                    by.map(ToString::to_string).unwrap_or_default(),
                    m.explicit,
                    m.go.as_deref().unwrap_or("-"),
                    m.packages.join(" ")
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                "1: example.com/a@v1.2.3 => example.com/fork@v1.2.4 true \"1.17\" example.com/a example.com/a/sub",
                "5: example.com/b@v0.1.0 =>  true \"-\" ",
                "7: example.com/c@v0.0.0-20200102150405-abcdefabcdef =>  false \"1.21\" example.com/c/x+y",
                "10: example.com/d@v1.0.0 => ./local/d@ true \"1.20\" example.com/d",
                "13: example.com/e@ => ../e@ false \"-\" ",
                "14: example.com/f@v1.0.0 => example.com/g@v1.1.0 false \"-\" ",
            ]
        );
        assert_eq!(read.providers().count(), 3);
        assert_eq!(parse(&REAL.replace('\n', "\r\n")), read);
    }

    #[test]
    fn a_workspace_says_so_in_its_first_line_only() {
        assert!(parse("## workspace\n# a.b/c v1.0.0\n").workspace);
        assert!(parse("## x; workspace\r\n").workspace);
        assert!(!parse("# a.b/c v1.0.0\n## workspace\n").workspace);
    }

    #[test]
    fn what_go_does_not_understand_is_passed_over() {
        let read = parse(
            "a.b/orphan\n# a.b/c vendor-1\na.b/c\n# a.b/d v1.0.0 => x y z\na.b/d\na.b/d two\n#\n# x\na.b/d/e\n",
        );
        assert_eq!(read.modules.len(), 1);
        assert_eq!(read.modules[0].packages, ["a.b/d", "a.b/d/e"]);
        assert_eq!(read.modules[0].replacement, None);
    }

    #[test]
    fn a_package_never_leads_out_of_vendor() {
        let read =
            parse("# a.b/c v1.0.0\n../../etc\n/etc\na.b/../../c\n-x\na.b//c\na.b/c/.\na\\b\n");
        assert_eq!(read.modules[0].packages, [""; 0]);
    }

    #[test]
    fn a_module_that_is_listed_twice_is_one() {
        let read = parse("# a.b/c v1.0.0\n## explicit\na.b/c\n# a.b/c v1.0.0 => ../c\n");
        assert_eq!(read.modules.len(), 1);
        assert_eq!(read.modules[0].replacement.as_ref().unwrap().path, "../c");
        assert!(read.modules[0].explicit);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(# |## |=>|v1\\.0\\.0|a\\.b/c|\\.\\.|;|go 1|\\n| ){0,40}") {
            for listed in parse(&text).modules {
                for package in listed.packages {
                    proptest::prop_assert!(!package.split('/').any(|e| e == ".."));
                }
            }
        }
    }
}
