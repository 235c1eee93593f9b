//! Self-provisioning (A2, A4, A5): who is offered to enroll at the login, and why somebody is not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rollout::{Earlier, Gates};
use super::staging::Staging;
use crate::domain::ids::GroupId;
use crate::domain::name::key_of;
use crate::domain::timestamp::Timestamp;

/// Whom self-provisioning is offered to: exactly one of four values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TargetUsers {
    /// All users: the default of a new virtual server.
    #[default]
    All,
    /// Members of these groups only.
    MembersOf,
    /// All users except members of these groups.
    AllExcept,
    /// No users: the default of a virtual server that is older than the feature.
    #[serde(rename = "none")]
    NoUsers,
}

impl TargetUsers {
    /// Its word in the apply file.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::MembersOf => "members_of",
            Self::AllExcept => "all_except",
            Self::NoUsers => "none",
        }
    }
}

/// What the Windows page links to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum WindowsLink {
    /// Nothing: the user opens the app that is already installed (R-067, the default by R-075).
    #[default]
    None,
    /// The product page in the Microsoft Store.
    Store,
    /// The operator's installer.
    Installer,
}

/// The self-provisioning settings of a virtual server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelfProvisioning {
    /// Whom it is offered to.
    pub target_users: TargetUsers,
    /// The groups of the two values that need them; kept, not evaluated, for the others.
    pub groups: Vec<GroupId>,
    /// A user name: this person is offered it whatever the target users and the rollout say, so that operators see the pages
    /// before anybody else does.
    pub preview_user: Option<String>,
    /// What the Windows page links to.
    pub windows_link: WindowsLink,
    /// The Store's 12-character product identifier.
    pub store_product_id: Option<String>,
    /// The installer's https address.
    pub installer_url: Option<String>,
    /// The installer's SHA-256 in hexadecimal, shown next to the link (R-071, T-77).
    pub installer_sha256: Option<String>,
    /// Whether enrollment needs the password even where the login does not (R-088, security finding 3).
    /// Switching this off lets whoever reads a mailbox enroll.
    pub require_password: bool,
    /// For how long after a change of the account's mail address nothing is enrolled, in seconds, 0 (not at all) to 30
    /// days: whoever talks a help desk into another address has to wait while the old one is told.
    pub wait_after_address_change_seconds: u32,
    /// Whether people get recovery codes with an authenticator that they enroll.
    pub recovery_codes: bool,
    /// What keeps a stolen password from enrolling (T-01).
    #[serde(flatten)]
    pub gates: Gates,
    /// Who of the target users is asked when.
    #[serde(flatten)]
    pub staging: Staging,
    /// The target users of earlier settings, for as long as a window may depend on them. Written by the service, see
    /// [`SelfProvisioning::after`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

/// The longest wait after a change of address, in seconds: 30 days.
pub const LONGEST_WAIT: u32 = 30 * 86_400;

impl Default for SelfProvisioning {
    fn default() -> Self {
        Self {
            target_users: TargetUsers::All,
            groups: Vec::new(),
            preview_user: None,
            windows_link: WindowsLink::None,
            store_product_id: None,
            installer_url: None,
            installer_sha256: None,
            require_password: true,
            wait_after_address_change_seconds: 0,
            recovery_codes: false,
            gates: Gates::default(),
            staging: Staging::default(),
            earlier: Vec::new(),
        }
    }
}

impl TargetUsers {
    /// Whether a member of `groups` is among them, where `listed` are the groups of the setting.
    #[must_use]
    pub fn includes(self, listed: &[GroupId], groups: &[GroupId]) -> bool {
        let named = || groups.iter().any(|group| listed.contains(group));
        match self {
            Self::All => true,
            Self::MembersOf => named(),
            Self::AllExcept => !named(),
            Self::NoUsers => false,
        }
    }
}

impl SelfProvisioning {
    /// What a virtual server has that is older than self-provisioning: nobody is offered anything until an operator says so.
    #[must_use]
    pub fn of_before() -> Self {
        Self { target_users: TargetUsers::NoUsers, ..Self::default() }
    }

    /// Whether an address that was changed at `changed_at` is too new to enroll with.
    #[must_use]
    pub fn must_wait(&self, changed_at: Option<Timestamp>, now: Timestamp) -> bool {
        let wait = Duration::from_secs(u64::from(self.wait_after_address_change_seconds));
        changed_at.is_some_and(|at| now < at.plus(wait))
    }

    /// Whether a member of `groups` is among the target users.
    #[must_use]
    pub fn targets(&self, groups: &[GroupId]) -> bool {
        self.target_users.includes(&self.groups, groups)
    }

    /// Whether the person with this name tries the pages out before others are asked.
    #[must_use]
    pub fn previews(&self, username: &str) -> bool {
        self.preview_user.as_deref().is_some_and(|name| key_of(name) == key_of(username))
    }

    /// Checks the settings as a whole and gives every fault as `(key, sentence's end)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if matches!(self.target_users, TargetUsers::MembersOf | TargetUsers::AllExcept) && self.groups.is_empty() {
            faults.push(("groups", "is empty, but target_users names groups"));
        }
        if self.preview_user.as_deref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 200) {
            faults.push(("preview_user", "must be a user name of 1 to 200 characters"));
        }
        if self.windows_link == WindowsLink::Store && self.store_product_id.is_none() {
            faults.push(("store_product_id", "is missing, but windows_link is \"store\""));
        }
        if self.store_product_id.as_deref().is_some_and(|id| !is_product_id(id)) {
            faults.push(("store_product_id", "is not a Store product: 12 letters and digits are expected"));
        }
        if self.windows_link == WindowsLink::Installer && self.installer_url.is_none() {
            faults.push(("installer_url", "is missing, but windows_link is \"installer\""));
        }
        if self.installer_url.as_deref().is_some_and(|address| !is_https(address)) {
            faults.push(("installer_url", "must be an absolute https address without credentials"));
        }
        if self.installer_sha256.as_deref().is_some_and(|sum| !is_sha256(sum)) {
            faults.push(("installer_sha256", "must be 64 hexadecimal digits"));
        }
        if self.wait_after_address_change_seconds > LONGEST_WAIT {
            faults.push(("wait_after_address_change_seconds", "must be from 0 to 2592000, which is 30 days"));
        }
        faults.extend(self.gates.faults());
        faults
    }
}

impl SelfProvisioning {
    /// What is allowed and still looks wrong, as `(key, sentence's end)`.
    #[must_use]
    pub fn warnings(&self) -> Vec<(&'static str, &'static str)> {
        let ends = |address: &str| {
            let path = url::Url::parse(address).map(|url| url.path().to_ascii_lowercase()).unwrap_or_default();
            path.ends_with(".exe") || path.ends_with(".msi")
        };
        if self.installer_url.as_deref().is_some_and(|address| !ends(address)) {
            vec![("installer_url", "does not end in .exe or .msi; is it the installer itself?")]
        } else {
            Vec::new()
        }
    }
}

fn is_product_id(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_sha256(sum: &str) -> bool {
    sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_https(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    })
}

/// What is known about a person whose login needs an OTP. The password step lies behind.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the decision table R-078")]
pub struct Facts<'a> {
    /// The groups the person is in.
    pub groups: &'a [GroupId],
    /// An operator on the way to the console: they enroll whatever the rollout says, or a company could not begin one.
    pub operator: bool,
    /// The person who tries the pages out.
    pub previewed: bool,
    /// At least one platform is allowed.
    pub any_platform: bool,
    /// The directory has a mail address.
    pub has_email: bool,
    /// Ten failed codes in 24 hours locked enrollment.
    pub enrollment_locked: bool,
    /// The mail address was changed too short a while ago.
    pub address_is_new: bool,
    /// The password has been proven in this login or session.
    pub password_proven: bool,
    /// The account can prove a password at all.
    pub has_password: bool,
    /// The gate that is closed, see [`SelfProvisioning::closed_gate`].
    pub gate: Option<Refusal>,
}

/// Whether enrollment is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is.
    Offered,
    /// It will be, once the password has been proven.
    AfterPassword,
    /// A gate is closed that an operator's pass opens.
    Gated(Refusal),
    /// It is not.
    Refused(Refusal),
}

/// Why enrollment is not offered; each has its own page text (part D1, U8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not among the target users: an administrator must send an enrollment mail.
    NotTargeted,
    /// No platform is allowed.
    NoPlatform,
    /// No mail address in the directory.
    NoEmail,
    /// Locked after too many failed codes.
    Locked,
    /// The mail address was changed too short a while ago.
    AddressIsNew,
    /// The account has no password, and enrollment demands one (security finding 3).
    NoPassword,
    /// A gate: there was an authenticator, and an operator said that the person needs help for another (AC-03).
    RecoveryNeeded,
    /// A gate: nobody has logged in with the account for too long (AC-02).
    Dormant,
    /// A gate: the person came into the rollout too long ago (T-01).
    WindowClosed,
    /// A gate: not from here (T-01).
    UnknownNetwork,
    /// A gate: nobody enrolls without an operator's pass (T-01).
    PassNeeded,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 11] = [
        Self::NotTargeted,
        Self::NoPlatform,
        Self::NoEmail,
        Self::Locked,
        Self::AddressIsNew,
        Self::NoPassword,
        Self::RecoveryNeeded,
        Self::Dormant,
        Self::WindowClosed,
        Self::UnknownNetwork,
        Self::PassNeeded,
    ];

    /// Whether this is a gate: the person could enroll if an operator vouched for it.
    #[must_use]
    pub const fn is_a_gate(self) -> bool {
        match self {
            Self::RecoveryNeeded | Self::Dormant | Self::WindowClosed | Self::UnknownNetwork | Self::PassNeeded => true,
            Self::NotTargeted
            | Self::NoPlatform
            | Self::NoEmail
            | Self::Locked
            | Self::AddressIsNew
            | Self::NoPassword => false,
        }
    }

    /// A stable name for the trace and the logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotTargeted => "not_targeted",
            Self::NoPlatform => "no_platform",
            Self::NoEmail => "no_email",
            Self::Locked => "enrollment_locked",
            Self::AddressIsNew => "address_is_new",
            Self::NoPassword => "no_password",
            Self::RecoveryNeeded => "recovery_needed",
            Self::Dormant => "dormant",
            Self::WindowClosed => "window_closed",
            Self::UnknownNetwork => "unknown_network",
            Self::PassNeeded => "pass_needed",
        }
    }
}

/// Decides whether a person without a token is offered to enroll, and explains it line by line.
#[must_use]
pub fn decide(settings: &SelfProvisioning, facts: Facts<'_>) -> (Offer, Vec<String>) {
    let mut trace = Vec::new();
    if facts.previewed {
        trace.push("named to try the pages out (preview_user): target users and waves do not count".to_owned());
    }
    let offer = if !facts.password_proven && settings.require_password {
        trace.push("enrollment needs a proven password, and none has been proven yet".to_owned());
        if facts.has_password { Offer::AfterPassword } else { Offer::Refused(Refusal::NoPassword) }
    } else if !facts.operator && !facts.previewed && !settings.targets(facts.groups) {
        trace.push(format!("not among the target users (target_users = \"{}\")", settings.target_users.id()));
        Offer::Refused(Refusal::NotTargeted)
    } else if !facts.any_platform {
        trace.push("no platform is allowed".to_owned());
        Offer::Refused(Refusal::NoPlatform)
    } else if !facts.has_email {
        trace.push("the account has no mail address".to_owned());
        Offer::Refused(Refusal::NoEmail)
    } else if facts.enrollment_locked {
        trace.push("enrollment is locked after too many failed codes".to_owned());
        Offer::Refused(Refusal::Locked)
    } else if facts.address_is_new {
        trace.push("the mail address was changed too short a while ago".to_owned());
        Offer::Refused(Refusal::AddressIsNew)
    } else if let Some(gate) = facts.gate {
        let opens = settings.gates.take_passes();
        trace.push(format!("the gate {} is closed{}", gate.reason(), if opens { "; a pass opens it" } else { "" }));
        if opens { Offer::Gated(gate) } else { Offer::Refused(gate) }
    } else {
        trace.push("among the target users, with a mail address and an allowed platform: offered".to_owned());
        Offer::Offered
    };
    (offer, trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PILOT: GroupId = GroupId::from_bits(1);
    const SALES: GroupId = GroupId::from_bits(2);

    fn settings(target_users: TargetUsers) -> SelfProvisioning {
        SelfProvisioning { target_users, groups: vec![PILOT], ..SelfProvisioning::default() }
    }

    fn willing(groups: &[GroupId]) -> Facts<'_> {
        Facts {
            operator: false,
            previewed: false,
            groups,
            any_platform: true,
            has_email: true,
            enrollment_locked: false,
            address_is_new: false,
            password_proven: true,
            has_password: true,
            gate: None,
        }
    }

    ///
    #[test]
    fn target_users_are_called_as_in_the_apply_file() {
        for each in [TargetUsers::All, TargetUsers::MembersOf, TargetUsers::AllExcept, TargetUsers::NoUsers] {
            assert_eq!(serde_json::to_value(each).expect("a word"), each.id());
        }
    }

    ///
    #[test]
    fn the_four_values_of_target_users() {
        for (value, nobody, pilot, both, sales) in [
            (TargetUsers::All, true, true, true, true),
            (TargetUsers::MembersOf, false, true, true, false),
            (TargetUsers::AllExcept, true, false, false, true),
            (TargetUsers::NoUsers, false, false, false, false),
        ] {
            let settings = settings(value);
            let offered: Vec<bool> = [&[][..], &[PILOT], &[SALES, PILOT], &[SALES]]
                .into_iter()
                .map(|groups| decide(&settings, willing(groups)).0 == Offer::Offered)
                .collect();
            assert_eq!(offered, [nobody, pilot, both, sales], "{value:?}");
        }
    }

    /// off by default, and over when it is over.
    #[test]
    fn an_address_is_new_for_as_long_as_the_settings_say() {
        let (at, settings) = (Timestamp::from_seconds(1_000), settings(TargetUsers::All));
        assert!(!settings.must_wait(Some(at), at), "the default is not to wait");
        let settings = SelfProvisioning { wait_after_address_change_seconds: 60, ..settings };
        let waits = [0, 59, 60].map(|later| settings.must_wait(Some(at), Timestamp::from_seconds(1_000 + later)));
        assert_eq!(waits, [true, true, false]);
        assert!(!settings.must_wait(None, at));
    }

    ///
    #[test]
    fn each_lacking_thing_has_its_own_refusal() {
        let all = settings(TargetUsers::All);
        let ok = willing(&[]);
        for (facts, refusal) in [
            (Facts { any_platform: false, ..ok }, Refusal::NoPlatform),
            (Facts { has_email: false, ..ok }, Refusal::NoEmail),
            (Facts { enrollment_locked: true, ..ok }, Refusal::Locked),
            (Facts { address_is_new: true, ..ok }, Refusal::AddressIsNew),
            (Facts { password_proven: false, has_password: false, ..ok }, Refusal::NoPassword),
        ] {
            assert_eq!(decide(&all, facts).0, Offer::Refused(refusal));
        }
        assert_eq!(decide(&settings(TargetUsers::NoUsers), ok).0, Offer::Refused(Refusal::NotTargeted));
    }

    ///
    #[test]
    fn nothing_is_said_about_tokens_before_the_password() {
        let unproven = Facts { password_proven: false, has_email: false, any_platform: false, ..willing(&[]) };
        assert_eq!(decide(&settings(TargetUsers::NoUsers), unproven).0, Offer::AfterPassword);
        let risky = SelfProvisioning { require_password: false, ..settings(TargetUsers::All) };
        assert_eq!(decide(&risky, Facts { password_proven: false, ..willing(&[]) }).0, Offer::Offered);
    }

    ///
    #[test]
    fn an_address_that_does_not_look_like_an_installer_is_said() {
        for (address, warned) in [
            ("https://example.com/setup.exe", false),
            ("https://example.com/Setup.MSI?version=2", false),
            ("https://example.com/download", true),
            ("https://example.com/setup.exe/", true),
        ] {
            let settings = SelfProvisioning { installer_url: Some(address.to_owned()), ..settings(TargetUsers::All) };
            assert_eq!(!settings.warnings().is_empty(), warned, "{address}");
            assert!(settings.faults().is_empty(), "{address}");
        }
        assert!(SelfProvisioning::default().warnings().is_empty());
    }

    ///
    #[test]
    fn faults_name_their_key() {
        let broken = SelfProvisioning {
            target_users: TargetUsers::MembersOf,
            groups: vec![],
            windows_link: WindowsLink::Installer,
            store_product_id: Some("short".to_owned()),
            installer_url: Some("http://user@example.test/setup.exe".to_owned()),
            installer_sha256: Some("12".to_owned()),
            require_password: true,
            wait_after_address_change_seconds: LONGEST_WAIT + 1,
            ..SelfProvisioning::default()
        };
        let keys: Vec<_> = broken.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            ["groups", "store_product_id", "installer_url", "installer_sha256", "wait_after_address_change_seconds"]
        );
        assert!(SelfProvisioning::default().faults().is_empty());
    }
}
