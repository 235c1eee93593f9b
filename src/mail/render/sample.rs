//! Letters that are sent to nobody: for previews, test mails and our own words with tags.

use std::time::Duration;

use crate::domain::alert;
use crate::domain::ids::LinkId;
use crate::domain::letter::{Envelope, Invitation, Letter};
use crate::domain::message::MailKind;
use crate::domain::policy::platform::Platform;
use crate::domain::provisioning_task::TokenType;
use crate::domain::timestamp::Timestamp;
use crate::i18n::Language;

/// What a sample says.
#[derive(Debug, Clone)]
pub struct Values {
    /// The receiver's name.
    pub name: String,
    account: String,
    organization: String,
    help: String,
    application: String,
    device: String,
    serial: String,
    report: String,
    detail: String,
    address: String,
    code: String,
    secret: String,
    minutes: u64,
    left: u64,
}

/// Values that could be real ones.
#[must_use]
pub fn plausible(organization: &str, help: &str) -> Values {
    let text = str::to_owned;
    Values {
        name: text("Ada Lovelace"),
        account: text("ada"),
        organization: text(organization),
        help: text(help),
        application: text("Notes"),
        device: text("Ada's phone"),
        serial: text("VEABCDEFGHIJ"),
        report: text("Failed logins"),
        detail: text("three times within a minute"),
        address: text("192.0.2.7"),
        code: text("314159"),
        secret: text("abcd2345efgh"),
        minutes: 10,
        left: 9,
    }
}

/// Values that stand nowhere else in a letter, so that they can be found in it.
pub(super) fn unmistakable() -> Values {
    let text = str::to_owned;
    Values {
        name: text("⟦name⟧"),
        account: text("⟦account⟧"),
        organization: text("⟦organization⟧"),
        help: text("⟦help⟧"),
        application: text("⟦application⟧"),
        device: text("⟦device⟧"),
        serial: text("⟦serial⟧"),
        report: text("⟦report⟧"),
        detail: text("⟦detail⟧"),
        address: text("⟦address⟧"),
        code: text("⟦code⟧"),
        secret: text("QQQQWWWWZZZZ"),
        minutes: 971_359,
        left: 864_209,
    }
}

/// A letter of this kind.
#[must_use]
pub fn envelope(kind: &MailKind, language: Language, values: &Values) -> Envelope {
    let Values {
        name,
        account,
        organization,
        help,
        application,
        device,
        serial,
        report,
        detail,
        address,
        code,
        secret,
        ..
    } = values.clone();
    let at = Timestamp::from_seconds(1_800_000_000);
    let invitation = Invitation {
        link: LinkId::from_bits(1),
        secret,
        until: at,
        token_type: TokenType::App,
        again: false,
        activation: None,
    };
    let letter = match kind.id {
        "verification_code" => {
            Letter::VerificationCode { code, application, valid_minutes: values.minutes, in_subject: false }
        }
        "enrolled" => {
            Letter::Enrolled { device, platform: Platform::Ios, serial, at, address, undo: "c2FtcGxl".to_owned() }
        }
        "removed_on_device" => Letter::RemovedOnDevice { device, serial, at, address },
        "removed_in_portal" => Letter::RemovedInPortal { device, serial, at, address },
        "lost_in_portal" => Letter::LostInPortal { device, serial, at, address },
        "alerts_gathered" => Letter::AlertsGathered {
            kind: alert::Kind::ALL[0],
            count: values.left,
            from: at,
            until: at.plus(Duration::from_secs(3540)),
            people: vec![account.clone()],
        },
        "report" => Letter::Report {
            name: report,
            page: "reports".to_owned(),
            from: at,
            until: at.plus(Duration::from_secs(86_400)),
            rows: values.left,
            table: None,
            too_long: false,
        },
        "enrollment" => Letter::Enrollment(invitation),
        "enrollment_reminder" => Letter::EnrollmentReminder(invitation),
        "account_locked" => Letter::AccountLocked { until: Some(at), hidden: false },
        "account_unlocked" => Letter::AccountUnlocked,
        "passcode_reused" => Letter::PasscodeReused { application, at, address },
        "address_changed" => Letter::AddressChanged { at },
        "recovery_codes_made" => Letter::RecoveryCodesMade { at, address },
        "recovery_code_used" => Letter::RecoveryCodeUsed { at, address, left: values.left },
        "help_desk_code" => Letter::HelpDeskCode { at },
        "alert" => Letter::Alert {
            kind: alert::Kind::ALL[0],
            at,
            person: account.clone(),
            serial,
            application,
            address,
            detail,
        },
        _ => Letter::Test,
    };
    Envelope {
        to: String::new(),
        name,
        account,
        language: language.tag().to_owned(),
        tenant_code: "acme".to_owned(),
        organization,
        help_contact: help,
        letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::MAILS;

    /// every kind of mail that can have own words is a kind of letter.
    #[test]
    fn every_kind_has_its_letter() {
        for kind in &MAILS {
            assert_eq!(envelope(kind, Language::English, &plausible("Acme", "")).letter.kind(), kind.id);
        }
    }
}
