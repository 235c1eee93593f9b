//! The platform matrix (A3): on which target platforms tokens may be enrolled, and where push is on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A target platform: an operating system on a kind of device, or another kind of authenticator.
///
/// The texts `ios`, `android`, … are what apply files, forms and the device API write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// iPhone and iPad.
    Ios,
    /// Android phones and tablets.
    Android,
    /// Windows 10 Mobile: kept for parity, not allowed by default.
    WindowsMobile,
    /// Windows 10 and later desktops and tablets, Windows Server 2019 and later.
    Windows,
    /// The authenticator web app.
    Web,
    /// The command-line authenticator.
    CommandLine,
    /// Any standard TOTP app, by an `otpauth://` QR code.
    OathApp,
}

/// Where the user says the authenticator shall live; the first choice of the chooser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A phone or tablet.
    Phone,
    /// The computer in front of the user.
    Computer,
}

impl Platform {
    /// Every platform, in the order of the matrix.
    pub const ALL: [Self; 7] =
        [Self::Ios, Self::Android, Self::WindowsMobile, Self::Windows, Self::Web, Self::CommandLine, Self::OathApp];

    /// The name in files, forms and the device API.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::WindowsMobile => "windows_mobile",
            Self::Windows => "windows",
            Self::Web => "web",
            Self::CommandLine => "command_line",
            Self::OathApp => "oath_app",
        }
    }

    /// The key of one of its texts: `name`, `hint` or `lead`.
    #[must_use]
    pub fn text(self, what: &str) -> String {
        format!("platform-{}-{what}", self.id().replace('_', "-"))
    }

    /// Where authenticators of this platform live.
    #[must_use]
    pub const fn place(self) -> Place {
        match self {
            Self::Ios | Self::Android | Self::WindowsMobile | Self::OathApp => Place::Phone,
            Self::Windows | Self::Web | Self::CommandLine => Place::Computer,
        }
    }

    /// The platform of the device that a browser says it runs on, as far as its name tells. It only helps to
    /// find the button: whatever a browser calls itself, every allowed platform can be chosen.
    #[must_use]
    pub fn of_user_agent(agent: &str) -> Option<Self> {
        let has = |word: &str| agent.contains(word);
        if has("Windows Phone") {
            Some(Self::WindowsMobile)
        } else if has("iPhone") || has("iPad") {
            Some(Self::Ios)
        } else if has("Android") {
            Some(Self::Android)
        } else if has("Windows NT") {
            Some(Self::Windows)
        } else {
            None
        }
    }

    /// Whether the activation protocol is spoken; standard apps scan an `otpauth://` URI instead.
    #[must_use]
    pub const fn speaks_our_protocol(self) -> bool {
        !matches!(self, Self::OathApp)
    }

    /// Whether the page first shows how to install the app, and only then the activation.
    #[must_use]
    pub const fn installs_first(self) -> bool {
        matches!(self, Self::Android)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a platform: use ios, android, windows_mobile, windows, web, command_line or oath_app")]
pub struct NotAPlatform;

impl FromStr for Platform {
    type Err = NotAPlatform;
    fn from_str(text: &str) -> Result<Self, NotAPlatform> {
        Self::ALL.into_iter().find(|platform| platform.id() == text).ok_or(NotAPlatform)
    }
}

/// One row of the matrix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Tokens may be enrolled on it. Clearing this does not touch tokens that exist.
    pub allowed: bool,
    /// Push requests may be sent to it; never set where `allowed` is not.
    pub push: bool,
    /// The oldest operating system that may activate, compared number by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_os: Option<String>,
}

/// The platform matrix of a virtual server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlatformMatrix(BTreeMap<Platform, Rule>);

impl Default for PlatformMatrix {
    /// A new virtual server: phones with push, Windows without, the rest not allowed.
    fn default() -> Self {
        let rule = |allowed, push, minimum: &str| Rule { allowed, push, minimum_os: Some(minimum.to_owned()) };
        Self(BTreeMap::from([
            (Platform::Ios, rule(true, true, "14")),
            (Platform::Android, rule(true, true, "8")),
            (Platform::Windows, rule(true, false, "10.0.16299")),
        ]))
    }
}

impl PlatformMatrix {
    /// The row of `platform`; a row that was never set is not allowed.
    #[must_use]
    pub fn rule(&self, platform: Platform) -> Rule {
        self.0.get(&platform).cloned().unwrap_or_default()
    }

    /// Sets a row. Push without `allowed` is dropped, as the screen prevents it.
    pub fn set(&mut self, platform: Platform, rule: Rule) {
        self.0.insert(platform, Rule { push: rule.push && rule.allowed, ..rule });
    }

    /// The platforms that a user may choose, in the order of the matrix.
    #[must_use]
    pub fn allowed(&self) -> Vec<Platform> {
        Platform::ALL.into_iter().filter(|platform| self.rule(*platform).allowed).collect()
    }

    /// Whether `version`, as a device reports it, is new enough for `platform`.
    ///
    /// A version that has no number at all counts as too old where a minimum is set.
    #[must_use]
    pub fn new_enough(&self, platform: Platform, version: &str) -> bool {
        match self.rule(platform).minimum_os {
            None => true,
            Some(minimum) => {
                let version = numbers(version);
                !version.is_empty() && version >= numbers(&minimum)
            }
        }
    }
}

/// The numbers of a dotted version: `10.0.16299` and `Windows 10.0.16299` are the same, and so are `14` and `14.0`.
fn numbers(version: &str) -> Vec<u64> {
    let dotted = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or("");
    let mut numbers: Vec<u64> = dotted.split('.').map_while(|part| part.parse().ok()).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_new_virtual_server_allows_phones_and_windows() {
        let matrix = PlatformMatrix::default();
        assert_eq!(matrix.allowed(), [Platform::Ios, Platform::Android, Platform::Windows]);
        assert!(matrix.rule(Platform::Ios).push && !matrix.rule(Platform::Windows).push);
        assert!(!matrix.rule(Platform::CommandLine).allowed, "R-059: further rows default to not allowed");
    }

    ///
    #[test]
    fn push_needs_an_allowed_row() {
        let mut matrix = PlatformMatrix::default();
        matrix.set(Platform::Web, Rule { allowed: false, push: true, minimum_os: None });
        assert!(!matrix.rule(Platform::Web).push);
    }

    ///
    #[test]
    fn an_old_system_is_refused_by_number_not_by_letter() {
        let matrix = PlatformMatrix::default();
        for (platform, version, enough) in [
            (Platform::Ios, "14", true),
            (Platform::Ios, "9.3", false),
            (Platform::Ios, "18.1.1", true),
            (Platform::Android, "10", true),
            (Platform::Android, "7.1", false),
            (Platform::Windows, "Windows 10.0.16299", true),
            (Platform::Windows, "10.0.9999", false),
            (Platform::Ios, "", false),
            (Platform::CommandLine, "", true),
        ] {
            assert_eq!(matrix.new_enough(platform, version), enough, "{platform} {version}");
        }
        // Some systems say 14 and mean 14.0.
        for (minimum, version, enough) in [
            ("14.0", "14", true),
            ("14", "14.0.0", true),
            ("14.0", "14.1", true),
            ("14.0.1", "14", false),
            ("14.0", "13.9", false),
            ("14.0", "", false),
            ("10", "10.0.0", true),
        ] {
            let mut matrix = PlatformMatrix::default();
            matrix.set(Platform::Web, Rule { allowed: true, push: false, minimum_os: Some(minimum.to_owned()) });
            assert_eq!(matrix.new_enough(Platform::Web, version), enough, "{minimum} {version}");
        }
    }

    #[test]
    fn every_platform_has_one_name() {
        for platform in Platform::ALL {
            assert_eq!(platform.id().parse(), Ok(platform));
        }
        assert_eq!("IOS".parse::<Platform>(), Err(NotAPlatform));
    }
}
