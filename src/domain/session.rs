//! Single sign-on sessions (A24): what a browser has proven, for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{SessionId, TenantId, TokenId, UserId};
use crate::domain::login::evidence::{Evidence, Proof};
use crate::domain::timestamp::Timestamp;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionSettings {
    /// Without an access attempt; from 60 seconds to 8 hours.
    pub idle_seconds: u32,
    /// In total; from 60 seconds to 24 hours.
    pub longest_seconds: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle_seconds: 3600, longest_seconds: 8 * 3600 }
    }
}

/// Nobody writes it down when a session ends by its age. Its end is told for this long all the same.
const GRACE: Duration = Duration::from_secs(60 * 60);

impl SessionSettings {
    /// Sessions that began earlier are over by their age since long. Those that are idle are not meant: an application goes on with
    /// its own session and is never seen here, so it is to be told when somebody locks the person out.
    #[must_use]
    pub fn earliest(self, now: Timestamp) -> Timestamp {
        now.minus(Duration::from_secs(u64::from(self.longest_seconds))).minus(GRACE)
    }
}

/// A single sign-on session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier: `sid`, and what each SessionIndex is made of; never the cookie's value.
    pub id: SessionId,
    /// The virtual server.
    pub tenant: TenantId,
    /// The person.
    pub user: UserId,
    /// The account's security version when the session was last strengthened (T-11).
    pub security_version: i64,
    /// When the password was proven.
    pub password_at: Option<Timestamp>,
    /// When a passcode was proven.
    pub otp_at: Option<Timestamp>,
    /// The authenticator that gave it.
    pub token: Option<TokenId>,
    /// When the session began.
    pub started_at: Timestamp,
    /// The last access attempt.
    pub last_seen_at: Timestamp,
    /// When it was ended by logout, an operator or a change of the account.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether the session still counts at `now`, for an account with this security version.
    #[must_use]
    pub fn alive(&self, settings: SessionSettings, security_version: i64, now: Timestamp) -> bool {
        let idle = Duration::from_secs(u64::from(settings.idle_seconds));
        let longest = Duration::from_secs(u64::from(settings.longest_seconds));
        self.ended_at.is_none()
            && self.security_version == security_version
            && now < self.last_seen_at.plus(idle)
            && now < self.started_at.plus(longest)
    }

    /// Whether the session is over by its age since long, see [`SessionSettings::earliest`].
    #[must_use]
    pub fn is_long_over(&self, earliest: Timestamp) -> bool {
        self.started_at < earliest
    }

    /// Whether an access attempt at `now` must be written down to keep the session from ending idle. Attempts
    /// within a minute of each other, or a twentieth of a short idle time, count as one: a person who opens ten
    /// applications in the morning is seen once.
    #[must_use]
    pub fn touch_due(&self, settings: SessionSettings, now: Timestamp) -> bool {
        let grain = Duration::from_secs(u64::from((settings.idle_seconds / 20).min(60)));
        now >= self.last_seen_at.plus(grain)
    }

    /// What it proves for a login that begins now.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let earlier = |at: Option<Timestamp>| at.map(|at| Proof { at, here: false });
        Evidence {
            password: earlier(self.password_at),
            otp: earlier(self.otp_at),
            token: self.token,
            ..Evidence::default()
        }
    }
}

/// What people call the browser that names itself `agent`, and the system that it runs on, such as `Firefox, Windows`. It only
/// helps them to know their own again: a browser may call itself whatever it likes. What tells of neither is shown as it is.
#[must_use]
pub fn browser_called(agent: &str) -> String {
    // The first that fits: most browsers name others as well, to be taken for them.
    const BROWSERS: [(&str, &str); 10] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("FxiOS/", "Firefox"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chromium/", "Chromium"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Windows", "Windows"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find =
        |names: &[(&str, &'static str)]| names.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name);
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_browser_is_called_what_people_call_it() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36";
        assert_eq!(browser_called(chrome), "Chrome, Windows");
        assert_eq!(browser_called(&format!("{chrome} Edg/131.0")), "Edge, Windows");
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
        assert_eq!(browser_called(firefox), "Firefox, Linux");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1";
        assert_eq!(browser_called(phone), "Safari, iPhone");
        let android = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36";
        assert_eq!(browser_called(android), "Chrome, Android");
        assert_eq!(browser_called("curl/8.9.1"), "curl");
        assert_eq!(browser_called(&"x".repeat(300)).len(), 60);
        assert_eq!(browser_called(""), "");
    }

    /// INV-11.
    #[test]
    fn a_session_ends_idle_old_ended_or_when_the_account_changed() {
        let at = Timestamp::from_seconds;
        let session = Session {
            id: SessionId::from_bits(1),
            tenant: TenantId::from_bits(1),
            user: UserId::from_bits(1),
            security_version: 7,
            password_at: Some(at(0)),
            otp_at: None,
            token: None,
            started_at: at(0),
            last_seen_at: at(27_000),
            ended_at: None,
        };
        let settings = SessionSettings::default();
        assert!(session.alive(settings, 7, at(28_799)));
        assert!(!session.alive(settings, 7, at(28_800)), "eight hours");
        assert!(!session.alive(settings, 8, at(27_001)), "changed account");
        let idle = Session { last_seen_at: at(0), ..session.clone() };
        assert!(idle.alive(settings, 7, at(3599)) && !idle.alive(settings, 7, at(3600)), "an hour idle");
        // Eight hours after its beginning, and an hour more, however long it has been idle.
        for its in [&session, &idle] {
            assert!(!its.is_long_over(settings.earliest(at(32_400))));
            assert!(its.is_long_over(settings.earliest(at(32_401))));
        }
        assert!(!Session { ended_at: Some(at(5)), ..session }.alive(settings, 7, at(27_001)));
    }

    /// what is written down is never so old that somebody who comes again and again is sent away as idle.
    #[test]
    fn a_session_is_seen_at_most_once_in_a_minute_and_often_enough_for_short_idle_times() {
        let at = Timestamp::from_seconds;
        let session = Session {
            id: SessionId::from_bits(1),
            tenant: TenantId::from_bits(1),
            user: UserId::from_bits(1),
            security_version: 1,
            password_at: None,
            otp_at: None,
            token: None,
            started_at: at(0),
            last_seen_at: at(1000),
            ended_at: None,
        };
        for (idle_seconds, grain) in [(60, 3), (600, 30), (3600, 60), (28_800, 60)] {
            let settings = SessionSettings { idle_seconds, ..SessionSettings::default() };
            assert!(!session.touch_due(settings, at(1000 + grain - 1)), "{idle_seconds}");
            assert!(session.touch_due(settings, at(1000 + grain)), "{idle_seconds}");
        }
    }
}
