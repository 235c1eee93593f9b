//! A person's account in one virtual server: who it is and whether it may be used.

use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::name::{checked, key_of};
use crate::domain::timestamp::Timestamp;

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The account's identifier, stable for ever; `sub` and persistent name identifiers derive from it.
    pub id: UserId,
    /// The virtual server that the account belongs to.
    pub tenant: TenantId,
    /// As typed by the operator; compared by [`crate::domain::name::key_of`].
    pub username: String,
    /// Where verification codes go. `None` stops self-provisioning.
    pub email: Option<String>,
    /// A second name for the login, which is nobody else's user name or alias; most have none.
    pub alias: Option<String>,
    /// The telephone number, which is told to applications and used for nothing else.
    pub phone: Option<Phone>,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Preferred language tag, if the person or an operator chose one.
    pub language: Option<String>,
    /// Whether the account may be used at all.
    pub status: Status,
    /// Counts security-relevant changes (password, address, status, tokens). A login that began under
    /// another number is ended (T-11, INV-11).
    pub security_version: i64,
    /// When a token was first enrolled, kept for ever: who had one before is recovering, not enrolling (T-01).
    pub first_enrolled_at: Option<Timestamp>,
    /// What an operator said when a token was taken away: whether the person may enroll again by self-provisioning. `None`
    /// while nobody has said anything (R-084, T-01).
    pub may_enroll_again: Option<bool>,
}

impl User {
    /// An account that is nobody's yet: enabled, without a name, an address or an authenticator.
    #[must_use]
    pub const fn blank(id: UserId, tenant: TenantId) -> Self {
        Self {
            id,
            tenant,
            username: String::new(),
            email: None,
            alias: None,
            phone: None,
            first_name: String::new(),
            last_name: String::new(),
            language: None,
            status: Status::Enabled,
            security_version: 1,
            first_enrolled_at: None,
            may_enroll_again: None,
        }
    }

    /// What an operator set otherwise in `after`, by the names of the apply file.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<&'static str> {
        let all = [
            ("username", self.username != after.username),
            ("email", self.email != after.email),
            ("alias", self.alias != after.alias),
            ("phone", self.phone != after.phone),
            ("first_name", self.first_name != after.first_name),
            ("last_name", self.last_name != after.last_name),
            ("language", self.language != after.language),
            ("enabled", self.status != after.status),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Given and family name, or the user name where both are empty.
    #[must_use]
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        let name = name.trim();
        if name.is_empty() { self.username.clone() } else { name.to_owned() }
    }

    /// The address as far as a page may show it: first character and domain.
    #[must_use]
    pub fn masked_email(&self) -> Option<String> {
        self.email.as_deref().map(masked)
    }
}

/// A telephone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// As [`checked_phone`] gives it.
    pub number: String,
    /// Whether the organization says that it has proven that the number is the person's.
    pub verified: bool,
}

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It may.
    Enabled,
    /// It may not log in and not enroll; its data is kept.
    Disabled,
}

/// A user together with the groups that policies ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub user: User,
    /// Every group that the account is in, internal and synchronized alike.
    pub groups: Vec<GroupId>,
}

/// `jane@example.org` as `j…@example.org`.
fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}…@{domain}")
}

/// Checks an address and gives the form that is stored: one `@`, no white space or control
/// characters, at most 254 octets, the domain in lower case ASCII (IDNA).
///
/// # Errors
/// A sentence's end that says what is wrong.
pub fn checked_email(address: &str) -> Result<String, &'static str> {
    let address = address.trim();
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Err("is not a mail address: it has no @");
    };
    if local.is_empty() || domain.is_empty() || !local.is_ascii() || local.contains('@') {
        return Err("is not a mail address: there must be one ASCII name before one @ and a domain after it");
    }
    // These would end or start a header or an SMTP command (T-26).
    if local.chars().any(|c| c.is_ascii_control() || " ()<>[]:;,\\\"".contains(c)) {
        return Err("is not a mail address: the part before @ has a character that is not allowed");
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| "is not a mail address: the domain is not valid")?;
    let stored = format!("{local}@{domain}");
    if stored.len() > 254 {
        return Err("is not a mail address: it is longer than 254 octets");
    }
    Ok(stored)
}

/// Checks an alias beside the user name of the same account and gives the form that is stored: a name like a user name; `None` for
/// nothing.
///
/// # Errors
/// A sentence's end that says what is wrong.
pub fn checked_alias(typed: &str, username: &str) -> Result<Option<String>, String> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    let alias = checked(typed).map_err(|error| error.to_string())?;
    if key_of(alias) == key_of(username) {
        return Err("is the user name of the same account".to_owned());
    }
    Ok(Some(alias.to_owned()))
}

/// Checks a telephone number and gives the form that is stored and told (OIDC Core 5.1): `+`, 7 to 15 digits of which
/// the first is none (E.164), and where there is one an extension of 1 to 8 digits as RFC 3966 writes it,
/// `+41446681800;ext=12`. Blanks, dots, hyphens and brackets may be typed between the digits.
///
/// # Errors
/// A sentence's end that says what is wrong.
pub fn checked_phone(typed: &str) -> Result<String, &'static str> {
    let (number, extension) = match typed.trim().split_once(";ext=") {
        Some((number, extension)) => (number, Some(extension)),
        None => (typed.trim(), None),
    };
    let number: String = number.chars().filter(|c| !" .-()/\u{a0}".contains(*c)).collect();
    let Some(digits) = number.strip_prefix('+') else {
        return Err("is not an international telephone number: it must begin with + and the code of the country");
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(digits) || !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
        return Err(
            "is not an international telephone number: after the + there must be 7 to 15 digits, the first not 0",
        );
    }
    match extension {
        None => Ok(number),
        Some(extension) if all_digits(extension) && (1..=8).contains(&extension.len()) => {
            Ok(format!("{number};ext={extension}"))
        }
        Some(_) => Err("is not an international telephone number: ;ext= must be followed by 1 to 8 digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn an_address_is_shown_by_first_character_and_domain() {
        assert_eq!(masked("jane.doe@example.org"), "j…@example.org");
        assert_eq!(masked("é@example.org"), "é…@example.org");
    }

    /// R-460, T-26.
    #[test]
    fn an_alias_is_another_name() {
        assert_eq!(checked_alias("  ", "ada"), Ok(None));
        assert_eq!(checked_alias(" Countess ", "ada"), Ok(Some("Countess".to_owned())));
        for bad in ["ADA", "ada ", "a\r\nb", &"a".repeat(201)] {
            assert!(checked_alias(bad, "ada").is_err(), "{bad:?}");
        }
    }

    ///
    #[test]
    fn a_telephone_number_has_one_form() {
        for (typed, stored) in [
            ("+41446681800", "+41446681800"),
            (" +41 (44) 668-18.00 ", "+41446681800"),
            ("+1 604 555 1234;ext=5678", "+16045551234;ext=5678"),
            ("+1234567", "+1234567"),
            ("+123456789012345", "+123456789012345"),
        ] {
            assert_eq!(checked_phone(typed).as_deref(), Ok(stored));
        }
        for bad in [
            "",
            "+",
            "044 668 18 00",
            "0041446681800",
            "+0446681800",
            "+123456",
            "+1234567890123456",
            "+41446681800;ext=",
            "+41446681800;ext=123456789",
            "+41446681800;ext=1;ext=2",
            "+4144668x800",
            "+41446681800\r\n1",
            "++41446681800",
            "+\u{664}1446681800",
            "tel:+41446681800",
        ] {
            assert!(checked_phone(bad).is_err(), "{bad:?}");
        }
    }

    /// T-26.
    #[test]
    fn an_address_is_one_recipient_or_none() {
        assert_eq!(checked_email(" Ada@ACME.test ").as_deref(), Ok("Ada@acme.test"));
        assert_eq!(checked_email("ada@bücher.example").as_deref(), Ok("ada@xn--bcher-kva.example"));
        for bad in [
            "",
            "ada",
            "@acme.test",
            "ada@",
            "a b@acme.test",
            "ada@acme.test\r\nBcc: m@evil.test",
            "a@b@c.test",
            "ada,m@evil.test",
            "<ada@acme.test>",
            "ada@acme .test",
            "ada\u{ff20}evil.test",
        ] {
            assert!(checked_email(bad).is_err(), "{bad:?}");
        }
    }
}
