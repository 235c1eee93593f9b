//! The stable words of logs, explanations and tokens in words of people. The stable word stands beside them: filters, files and
//! the management API have it.

use super::self_provisioning::row_of;
use crate::domain::authenticator::lifecycle::{Disposition, EnrolledBy, Kind};
use crate::domain::policy::platform::Platform;
use crate::domain::provisioning_task::TokenType;

/// Stable words, and what they mean.
type Codes = &'static [(&'static str, &'static str)];

/// As docs/audit.md publishes them.
const REASONS: Codes = &[
    ("granted", "access was granted"),
    ("cancelled", "the person cancelled"),
    ("too_many_codes", "too many mailed codes were wrong; the login was closed"),
    ("account_changed", "password, address, status or tokens of the account changed meanwhile"),
    ("enrolled", "an authenticator was enrolled by mail; that was all that was wanted"),
    ("denied", "the policy denies it"),
    ("unassigned", "the application is not assigned to this person"),
    ("disabled", "the account is disabled"),
    ("locked", "too many failed attempts; waiting helps"),
    ("locked_by_operator", "locked until an operator acts"),
    ("authenticators_blocked", "all authenticators of the person are suspended or locked"),
    ("not_targeted", "an authenticator is needed, and the person is not among the target users of self-provisioning"),
    ("no_platform", "an authenticator is needed, and no platform is allowed"),
    ("no_email", "an authenticator is needed, and the account has no mail address"),
    ("enrollment_locked", "enrollment is locked after too many wrong codes"),
    ("address_is_new", "the mail address was changed too short a while ago"),
    ("no_password", "the account has no password, and enrollment demands one"),
    ("recovery_needed", "there was an authenticator, and an operator said that the person needs help for another"),
    ("dormant", "nobody has logged in with the account for too long"),
    ("window_closed", "the person came into the rollout too long ago"),
    ("unknown_network", "enrollment is not offered from this network"),
    ("pass_needed", "nobody enrolls without a pass of an operator"),
    ("another_person", "the application asked for one person, and another one logged in"),
    ("no_name_identifier", "the person has no name identifier of the kind that the application gets (SAML)"),
    ("declined", "the person did not want the application or the device to have it"),
    (
        "context_not_reached",
        "what was proven is not the authentication context (SAML) or the essential acr (OpenID Connect) that the application \
         asked for",
    ),
    ("code_rejected", "the last mailed code that was typed was wrong"),
    ("code_expired", "the last mailed code that was typed was too old, used or replaced"),
    ("code_exhausted", "five mailed codes were wrong; the login was ended"),
    ("platform_refused", "a platform was asked for that is not allowed"),
    ("activation_limit", "too many activations in an hour or a day"),
    ("passcode_rejected", "the first passcode of the new authenticator was wrong"),
    ("user_switched", "somebody else logged in in the same window"),
    ("superseded", "another enrollment of the person was finished first"),
    ("reservation_closed", "the place in the provisioning task ended"),
    ("account_removed", "the account was removed"),
];

/// Why a passcode was spared, as docs/rollout.md publishes it: the person …
const SPARED: Codes = &[
    ("otp_observed", "no passcode was asked for: the person is only observed"),
    ("otp_no_wave", "no passcode was asked for: the person is in none of the waves"),
    ("otp_before_wave", "no passcode was asked for: the person is in a wave that has not begun"),
    ("otp_day_full", "no passcode was asked for: the person comes another day, enough people were asked"),
    ("otp_paused", "no passcode was asked for: the person is in a wave that is paused"),
    ("otp_postponed", "no passcode was asked for: the person put it off"),
];

/// What an explanation says besides.
const FOUND: Codes = &[
    ("no_passcode_required", "no passcode is asked for"),
    ("has_authenticator", "the person has an authenticator"),
    ("after_password", "it would be offered once the password is proven"),
];

const CREDENTIALS: Codes = &[
    ("password", "password"),
    ("passcode", "passcode"),
    ("pin", "PIN"),
    ("recovery_code", "recovery code"),
    ("temporary_code", "temporary code"),
    ("pass", "one-time pass"),
    ("mailed_code", "mailed code"),
];

const METHODS: Codes =
    &[("self_provisioning", "at the login"), ("email_link", "by the link of a mail"), ("portal", "in the portal")];

const STEPS: Codes = &[
    ("started", "begun"),
    ("mailbox_proven", "the mailbox is proven"),
    ("platform_chosen", "a platform is chosen"),
    ("app_installed", "the app is installed"),
    ("secret_shown", "the QR code was shown"),
    ("activated", "the device has its keys"),
    ("completed", "finished"),
];

fn among(codes: Codes, code: &str) -> Option<&'static str> {
    codes.iter().find(|(known, _)| *known == code).map(|(_, words)| *words)
}

/// What a reason means; `None` for what somebody typed.
#[must_use]
pub fn reason(code: &str) -> Option<&'static str> {
    [REASONS, SPARED, FOUND].into_iter().find_map(|codes| among(codes, code))
}

/// What stands in a column of a log, in words; `None` where it is in words already.
#[must_use]
pub fn meaning(column: &str, code: &str) -> Option<&'static str> {
    match column {
        "reason" => reason(code),
        "credential" => among(CREDENTIALS, code),
        "method" => among(METHODS, code),
        "step" => among(STEPS, code),
        "platform" => Platform::ALL.into_iter().find(|platform| platform.id() == code).map(platform),
        _ => None,
    }
}

/// A reason with its code, or what somebody typed as a reason.
#[must_use]
pub fn told(text: &str) -> String {
    reason(text).map_or_else(|| text.to_owned(), |words| format!("{words} ({text})"))
}

/// What a platform is called.
#[must_use]
pub const fn platform(platform: Platform) -> &'static str {
    row_of(platform).0
}

/// What a kind of tokens is called.
#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::App => "authenticator app",
        Kind::OathApp => "standard TOTP app",
        Kind::Oath => "hardware or imported token",
    }
}

/// What becomes of a revoked token, and what follows for its owner (T-01).
#[must_use]
pub const fn disposition(of: Disposition) -> &'static str {
    match of {
        Disposition::Returned => "returned",
        Disposition::Lost => "lost: the next one takes the help desk",
        Disposition::Faulty => "faulty",
        Disposition::ForCause => "for cause: the next one takes the help desk",
    }
}

/// What is enrolled by a task or a rule.
#[must_use]
pub const fn token_type(of: TokenType) -> &'static str {
    match of {
        TokenType::App => kind(Kind::App),
        TokenType::OathApp => kind(Kind::OathApp),
    }
}

/// How a token came to its owner.
#[must_use]
pub const fn enrolled(by: EnrolledBy) -> &'static str {
    match by {
        EnrolledBy::Itself => "the person, at the login",
        EnrolledBy::Email => "the person, by the link of a mail",
        EnrolledBy::Portal => "the person, in the portal",
        EnrolledBy::Operator => "an operator",
        EnrolledBy::Rule => "a provisioning rule",
        EnrolledBy::Import => "an import",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::authentication::Credential;
    use crate::domain::enrollment::Reached;

    /// what a page says of a reason is what the published list says.
    #[test]
    fn reasons_are_told_as_they_are_published() {
        let paper = include_str!("../../../docs/audit.md").replace('`', "");
        let (_, lists) = paper.split_once("\n## Reasons\n").expect("the lists");
        let mut published = 0;
        for line in lists.lines() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [code, words] = cells[..] else { continue };
            if line.starts_with('|') && code != "reason" && !code.starts_with("---") {
                assert_eq!(reason(code), Some(words), "{code}");
                published += 1;
            }
        }
        // `cancelled` stands in both lists.
        assert_eq!(published, REASONS.len() + 1);
        let paper = include_str!("../../../docs/rollout.md");
        for (code, words) in SPARED {
            let published = paper.lines().find_map(|line| line.strip_prefix(&format!("| `{code}` | "))).expect(code);
            let words = words.replace(',', ":");
            assert!(words.ends_with(published.trim_end_matches(" |")), "{code}: {words}");
        }
    }

    /// every step, credential and platform has words.
    #[test]
    fn what_logs_tell_of_has_words() {
        for (column, code) in Reached::ALL
            .into_iter()
            .map(|step| ("step", step.id()))
            .chain(Credential::ALL.into_iter().map(|one| ("credential", one.id())))
            .chain(Platform::ALL.into_iter().map(|one| ("platform", one.id())))
        {
            assert!(meaning(column, code).is_some(), "{column}: {code}");
        }
        for one in Disposition::ALL {
            let helped = disposition(one).ends_with("takes the help desk");
            assert_eq!(helped, one.may_enroll_again() == Some(false), "{}", one.id());
        }
        assert_eq!(told("lost?"), "lost?", "what somebody typed stays");
        assert_eq!(told("locked"), "too many failed attempts; waiting helps (locked)");
    }
}
