//! A person's account in one virtual server: who it is and whether it may be used.

use crate::domain::ids::{GroupId, TenantId, UserId};
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

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn an_address_is_shown_by_first_character_and_domain() {
        assert_eq!(masked("jane.doe@example.org"), "j…@example.org");
        assert_eq!(masked("é@example.org"), "é…@example.org");
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
