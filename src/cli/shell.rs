//! The shells that goroam writes code for, and how each quotes a value.

use clap::ValueEnum;

/// A shell that goroam writes code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// And `sh`, `dash`, `ksh`.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
    /// PowerShell.
    #[value(alias = "powershell")]
    Pwsh,
    /// Nushell.
    Nu,
}

impl Shell {
    /// Returns the shell of a start-up file by its name.
    pub(in crate::cli) fn named(name: &str) -> Shell {
        Shell::from_str(name, false).unwrap_or(Shell::Bash)
    }

    /// Returns the line that exports a variable.
    pub(in crate::cli) fn export(self, name: &str, value: &str) -> String {
        let value = self.quote(value);
        match self {
            Shell::Bash | Shell::Zsh => format!("export {name}={value}\n"),
            Shell::Fish => format!("set -gx {name} {value}\n"),
            Shell::Pwsh => format!("$env:{name} = {value}\n"),
            Shell::Nu => format!("$env.{name} = {value}\n"),
        }
    }

    /// Returns a literal of exactly this value.
    pub(in crate::cli) fn quote(self, value: &str) -> String {
        match self {
            Shell::Bash | Shell::Zsh => format!("'{}'", value.replace('\'', r"'\''")),
            Shell::Fish => format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
            // PowerShell also ends a string at a typographic quotation mark; two of them are one.
            Shell::Pwsh => {
                let is_quote = |c: &char| "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(*c);
                let twice = |c: char| std::iter::once(c).chain(Some(c).filter(is_quote));
                format!("'{}'", value.chars().flat_map(twice).collect::<String>())
            }
            Shell::Nu => format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Shell;

    #[test]
    fn each_shell_has_its_own_quotation_marks() {
        let odd = "a'b\u{2019}c\\d\"e$f `g`";
        assert_eq!(Shell::Bash.quote(odd), "'a'\\''b\u{2019}c\\d\"e$f `g`'");
        assert_eq!(Shell::Fish.quote(odd), "'a\\'b\u{2019}c\\\\d\"e$f `g`'");
        assert_eq!(
            Shell::Pwsh.quote(odd),
            "'a''b\u{2019}\u{2019}c\\d\"e$f `g`'"
        );
        assert_eq!(Shell::Nu.quote(odd), "\"a'b\u{2019}c\\\\d\\\"e$f `g`\"");
    }
}
