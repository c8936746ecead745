//! The release of Go that reads a value: the standard library has become stricter over time.

/// A release of Go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoRelease {
    /// Major, minor, patch. A development version counts as newer than all releases.
    pub number: (u32, u32, u32),
}

impl Default for GoRelease {
    /// If the release is not known, the newest is assumed.
    fn default() -> GoRelease {
        GoRelease {
            number: (u32::MAX, 0, 0),
        }
    }
}

/// How `net/url` treats square brackets in a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brackets {
    /// Any text is accepted between them.
    Unchecked,
    /// The text between them must be an IPv6 address; text before the last `[` is dropped
    /// (go.dev/issue/75678).
    Checked,
    /// The same, and no text is accepted before them (go.dev/issue/77578).
    First,
}

/// How `net/url` treats more than one colon in a host without brackets (go.dev/issue/75223).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colons {
    /// The port follows the last one.
    Any,
    /// Refused, except in `postgres://`.
    One,
    /// Refused in `http://` and `https://`.
    OneInHttp,
}

impl GoRelease {
    /// Creates a release from its number.
    pub fn new(major: u32, minor: u32, patch: u32) -> GoRelease {
        GoRelease {
            number: (major, minor, patch),
        }
    }

    /// Reports whether this is the given release or a later one.
    pub fn is_from(self, major: u32, minor: u32, patch: u32) -> bool {
        self.number >= (major, minor, patch)
    }

    /// Reports whether this is a release of that minor version, with at least that patch. Go
    /// backports fixes.
    fn has_fix(self, minor: u32, patch: u32) -> bool {
        let (major, own_minor, own_patch) = self.number;
        major == 1 && own_minor == minor && own_patch >= patch
    }

    /// Returns how `net/url` treats brackets, by its source in 1.21.13, 1.24.11, 1.25.0, 1.25.5,
    /// 1.26.0 to 1.26.2, 1.27.3.
    pub fn brackets(self) -> Brackets {
        if self.is_from(1, 26, 1) || self.has_fix(25, 8) {
            return Brackets::First;
        }
        if self.is_from(1, 25, 2) || self.has_fix(24, 8) {
            Brackets::Checked
        } else {
            Brackets::Unchecked
        }
    }

    /// Returns how `net/url` treats colons, by the same sources.
    pub fn colons(self) -> Colons {
        match self.number {
            number if number >= (1, 26, 2) => Colons::OneInHttp,
            number if number >= (1, 26, 0) => Colons::One,
            _ => Colons::Any,
        }
    }

    /// Reports whether net/http knows `socks5h`.
    pub fn knows_socks5h(self) -> bool {
        self.is_from(1, 24, 0)
    }

    /// Reports whether a proxy variable with any scheme and a host is used unchanged. Older
    /// releases put `http://` before every scheme but `http`, `https` and `socks5`.
    pub fn takes_any_proxy_scheme(self) -> bool {
        self.is_from(1, 24, 0)
    }

    /// Reports whether NO_PROXY matches an address only as an address. In older releases `.3.4`
    /// matched `1.2.3.4` (go.dev/issue/71984).
    pub fn keeps_addresses_apart(self) -> bool {
        self.is_from(1, 24, 1) || self.has_fix(23, 7)
    }

    /// Reports whether it reads GOAUTH.
    pub fn has_goauth(self) -> bool {
        self.is_from(1, 24, 0)
    }

    /// Reports whether GOAUTH looks for credentials at every step of a path, and without a `/` at
    /// its end. 1.24 looks at the whole URL and at the host (`auth.go:loadCredential`).
    pub fn walks_up_for_credentials(self) -> bool {
        self.is_from(1, 25, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixes_that_were_carried_back_are_known() {
        for (number, brackets, colons) in [
            ((1, 21, 13), Brackets::Unchecked, Colons::Any),
            ((1, 24, 7), Brackets::Unchecked, Colons::Any),
            ((1, 24, 11), Brackets::Checked, Colons::Any),
            ((1, 25, 0), Brackets::Unchecked, Colons::Any),
            ((1, 25, 5), Brackets::Checked, Colons::Any),
            ((1, 26, 0), Brackets::Checked, Colons::One),
            ((1, 26, 1), Brackets::First, Colons::One),
            ((1, 26, 2), Brackets::First, Colons::OneInHttp),
            ((1, 27, 3), Brackets::First, Colons::OneInHttp),
        ] {
            let release = GoRelease { number };
            assert_eq!(release.brackets(), brackets, "{number:?}");
            assert_eq!(release.colons(), colons, "{number:?}");
        }
        assert_eq!(GoRelease::default().brackets(), Brackets::First);
    }
}
