//! A command-line parser without dependencies: two kinds of options are enough.

/// Flags and options with a value.
pub struct Options {
    given: Vec<(String, String)>,
}

impl Options {
    /// Parses `args`; anything that is not listed is an error.
    pub fn of(args: Vec<String>, flags: &[&str], valued: &[&str]) -> Result<Options, String> {
        let mut given = Vec::new();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            if valued.contains(&name.as_str()) {
                let value = attached.or_else(|| args.next());
                given.push((
                    name.clone(),
                    value.ok_or_else(|| format!("{name} needs a value"))?,
                ));
            } else if flags.contains(&name.as_str()) && attached.is_none() {
                given.push((name, String::new()));
            } else {
                return Err(format!("unknown option {name}; see `cargo xtask --help`"));
            }
        }
        Ok(Options { given })
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str, default: u64) -> Result<u64, String> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| format!("{name} {text}: not a number above 0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn of(args: &[&str]) -> Result<Options, String> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Options::of(args, &["--quick"], &["--runs"])
    }

    #[test]
    fn a_value_may_be_attached_or_follow_and_the_last_one_counts() {
        assert_eq!(
            of(&["--runs", "3", "--runs=5"])
                .unwrap()
                .number("--runs", 1),
            Ok(5)
        );
        assert!(of(&["--quick"]).unwrap().has("--quick"));
        assert_eq!(of(&[]).unwrap().number("--runs", 7), Ok(7));
    }

    #[test]
    fn what_is_not_known_or_not_complete_is_an_error() {
        for wrong in [&["--runs"][..], &["--fast"], &["--quick=1"], &["x"]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
        assert!(of(&["--runs", "0"]).unwrap().number("--runs", 1).is_err());
    }
}
