//! What each section of the settings is made of: the words of the console, and the ranges of numbers, once.

use std::ops::RangeInclusive;

use super::Section;

/// A value of a section.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its key in the apply file and the management API.
    pub key: &'static str,
    /// Its label.
    pub label: &'static str,
    /// What it means and what follows from it.
    pub note: &'static str,
    /// What it can be.
    pub kind: Kind,
}

/// What a value can be.
#[derive(Debug, Clone)]
pub enum Kind {
    /// On or off.
    Flag,
    /// A whole number from a range.
    Number(RangeInclusive<i64>),
    /// One of these.
    Choice(&'static [Choice]),
}

/// A value to choose: its word in the apply file, and what people read.
pub type Choice = (&'static str, &'static str);

const fn flag(key: &'static str, label: &'static str, note: &'static str) -> Field {
    Field { key, label, note, kind: Kind::Flag }
}

const fn number(key: &'static str, label: &'static str, note: &'static str, least: i64, most: i64) -> Field {
    Field { key, label, note, kind: Kind::Number(least..=most) }
}

const fn choice(key: &'static str, label: &'static str, note: &'static str, of: &'static [Choice]) -> Field {
    Field { key, label, note, kind: Kind::Choice(of) }
}

/// The fields of a section, in the order of its page; none for sections that have a page of their own making.
#[must_use]
pub fn fields(section: Section) -> Vec<Field> {
    match section {
        Section::SelfProvisioning | Section::Platforms | Section::Alerts | Section::Branding => Vec::new(),
        Section::Template(_) => template(),
        Section::ServerSidePin => server_side_pin(),
        Section::Login => vec![
            flag("username", "Users may type their user name", "Off, it is looked at no more when somebody logs in."),
            flag("alias", "Users may type their alias", "The second name that an account may have."),
            flag(
                "email",
                "Users may type their mail address",
                "One that several accounts have finds none of them. A user name goes before an address that is written alike.",
            ),
        ],
        Section::Lockout => lockout(),
        Section::Tokens => vec![
            number("max_per_user", "Tokens of one user at most", "Reserved ones count, too.", 1, 10),
            flag(
                "add_in_portal",
                "Users may add another authenticator in the portal",
                "With a passcode of one they have.",
            ),
            flag(
                "replace_in_portal",
                "Users may replace an authenticator in the portal",
                "The old one is revoked after the new one works.",
            ),
            flag(
                "renewal_may_wait",
                "Renewals may wait until tomorrow",
                "For users who are asked to enroll with a newer template.",
            ),
        ],
        Section::Session => vec![
            number("idle_seconds", "Seconds without access until a session ends", "3600 is an hour.", 60, 28_800),
            number("longest_seconds", "Seconds that a session lasts at most", "28800 is eight hours.", 60, 86_400),
        ],
        Section::EmailCode => vec![
            choice(
                "format",
                "Characters",
                "",
                &[("digits", "Digits"), ("alphanumeric", "Capital letters and digits that cannot be mistaken")],
            ),
            number("length", "Length", "", 6, 8),
            number("lifetime_seconds", "Seconds that a code works", "", 120, 600),
            flag(
                "in_subject",
                "The subject of the mail may show the code",
                "Lock screens of phones show subjects to whoever looks.",
            ),
        ],
        Section::Windows => vec![
            number("time_steps", "Time steps to either side, accepted at once", "", 0, 3),
            number("outer_time_steps", "Time steps to either side, accepted with a second passcode", "", 0, 100),
            number(
                "event_look_ahead",
                "Presses ahead, accepted at once",
                "A template's own window overrides it.",
                1,
                25,
            ),
            number("outer_event_look_ahead", "Presses ahead, accepted with a second passcode", "", 1, 250),
            flag("ignore_case", "Small letters are taken for capital ones", "In hexadecimal and base32 passcodes."),
        ],
        Section::Logs => vec![
            number(
                "audit_days",
                "Days that the audit trail is kept",
                "It is cut at a signed checkpoint, so that the rest can still be verified.",
                30,
                3650,
            ),
            number("access_days", "Days that access logs are kept", "", 7, 3650),
            number(
                "report_days",
                "Days that reports are kept",
                "The list of reports that were mailed; what they tell of is kept as long as the logs are.",
                1,
                1826,
            ),
            flag(
                "report_attachments",
                "Tables may be attached to mails with reports",
                "Otherwise a mail has a link to the console, and nothing of what is behind it leaves the service.",
            ),
        ],
        Section::EnrollmentMail => vec![
            number("days", "Days until a task stops", "Unless the operator says otherwise.", 1, 90),
            number("reminder_days", "Days before the stop date on which users are reminded", "0: never.", 0, 30),
            number("attempts", "Failed attempts that lock one user's enrollment", "", 3, 100),
            flag(
                "activation_codes_in_mail",
                "Mails show the activation string itself",
                "Whoever reads the mailbox gets the authenticator: NIST SP 800-63B does not accept that.",
            ),
        ],
    }
}

fn template() -> Vec<Field> {
    vec![
        choice(
            "mode",
            "Mode",
            "",
            &[("quick_log", "QuickLog: a passcode without a challenge"), ("challenge_response", "Challenge-response")],
        ),
        number("length", "Passcode length", "6 or 8.", 6, 8),
        choice("synchronization", "Synchronization", "", &[("time", "Time-based"), ("event", "Event-based")]),
        number("time_step_seconds", "Passcode change interval, seconds", "20 to 120 in steps of 10.", 20, 120),
        number("event_window", "Unused passcodes that may be skipped", "", 1, 25),
        choice("algorithm", "Hash function", "", &[("SHA1", "SHA-1"), ("SHA256", "SHA-256"), ("SHA512", "SHA-512")]),
        choice(
            "pin_type",
            "PIN type",
            "",
            &[
                ("none", "No PIN"),
                ("user_selected", "User-selected PIN, checked by the app"),
                ("server_side", "Server-side PIN, typed with the passcode"),
            ],
        ),
        number("pin_min_length", "Minimum PIN length", "", 4, 8),
        flag("allow_trivial_pins", "Allow trivial PINs", "Plain sequences and one repeated character."),
        choice(
            "pin_complexity",
            "PIN complexity",
            "",
            &[("decimal", "Decimal"), ("strong_alphanumeric", "Strong alphanumeric")],
        ),
        number("max_pin_attempts", "Maximum PIN attempts", "One more locks the token for good.", 1, 10),
        flag("allow_biometric_pin", "Allow biometric PIN", "The device's fingerprint or face stands in for the PIN."),
    ]
}

fn server_side_pin() -> Vec<Field> {
    vec![
        flag("change_on_first_use", "PIN change on first use", "The initial PIN is replaced at the first login."),
        flag("force_random", "Force random initial PIN", "Operators cannot choose one."),
        choice(
            "order",
            "Where the PIN is typed",
            "",
            &[("prepend", "Before the passcode"), ("append", "After the passcode")],
        ),
        number("min_length", "Minimum length", "", 3, 15),
        number("max_length", "Maximum length", "Not less than the minimum.", 4, 16),
        number("generated_length", "Length of generated PINs", "From the minimum to the maximum.", 3, 16),
        number("change_every_days", "Days after which a PIN must be changed", "0: never.", 0, 3650),
        choice(
            "complexity",
            "Complexity",
            "",
            &[("decimal", "Decimal"), ("alphanumeric", "Alphanumeric"), ("strong_alphanumeric", "Strong alphanumeric")],
        ),
        flag("allow_trivial_pins", "Allow trivial PINs", "Plain sequences and one repeated character."),
        number("history", "Earlier PINs that cannot be chosen again", "", 1, 10),
    ]
}

fn lockout() -> Vec<Field> {
    vec![
        number(
            "threshold",
            "Failures that are forgiven",
            "One more locks the account. 0 switches locking by count off; more than 6 is unwise.",
            0,
            100,
        ),
        number("lock_seconds", "Seconds that a lock lasts", "900 is a quarter of an hour.", 1, 2_592_000),
        flag("until_operator", "Only an operator unlocks", "The number of seconds is not looked at then."),
        flag("count_passwords", "Wrong passwords count", ""),
        flag("count_passcodes", "Wrong passcodes count", ""),
        flag("count_pins", "Wrong server-side PINs count", ""),
        flag("count_recovery_codes", "Wrong recovery codes, temporary codes and passes count", ""),
        flag("alert_on_lock", "Mail to the user when the account locks", ""),
        flag("alert_on_unlock", "Mail to the user at the first success after a lock", ""),
    ]
}

/// The range of a number, where it has one.
pub(super) fn range(table: &str, key: &str) -> Option<RangeInclusive<i64>> {
    // A length of 20 to 120 in steps of 10 and the like have words of their own.
    let own = [
        ("token_template", "time_step_seconds"),
        ("token_template", "event_window"),
        ("token_template", "pin_min_length"),
        ("token_template", "max_pin_attempts"),
    ];
    if own.contains(&(table, key)) {
        return None;
    }
    // Alerts have a page of their own making.
    if (table, key) == ("alerts", "most_per_hour") {
        return Some(1..=100);
    }
    let section = Section::ALL.into_iter().find(|section| section.table() == table)?;
    fields(section).into_iter().find(|field| field.key == key).and_then(|field| match field.kind {
        Kind::Number(range) => Some(range),
        Kind::Flag | Kind::Choice(_) => None,
    })
}
