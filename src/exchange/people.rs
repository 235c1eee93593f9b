//! Tables of people: accounts with their groups.

use super::csv::{Column, Row, Table};
use super::{Read, Rejected, Spot, Unreadable};
use crate::domain::name::checked;
use crate::domain::user::{Status, checked_alias, checked_email};

/// The columns, in the order in which they are written.
pub const COLUMNS: [&str; 9] =
    ["username", "email", "first_name", "last_name", "language", "enabled", "groups", "alias", "password_hash"];

const USERNAME: Column = Column {
    name: "username",
    others: &["user_name", "user", "upn", "user_id", "userid", "login", "user_principal_name"],
};
const EMAIL: Column = Column { name: "email", others: &["mail", "e_mail", "email_address"] };
const ALIAS: Column = Column { name: "alias", others: &["login_alias"] };
const FIRST_NAME: Column = Column { name: "first_name", others: &["firstname", "given_name", "givenname"] };
const LAST_NAME: Column = Column { name: "last_name", others: &["lastname", "family_name", "surname", "sn"] };
const LANGUAGE: Column = Column { name: "language", others: &["preferred_language", "locale"] };
const ENABLED: Column = Column { name: "enabled", others: &["active", "account_enabled"] };
const GROUPS: Column = Column { name: "groups", others: &["group", "member_of", "memberof"] };
const PASSWORD_HASH: Column = Column { name: "password_hash", others: &[] };
const KNOWN: [Column; 9] = [USERNAME, EMAIL, ALIAS, FIRST_NAME, LAST_NAME, LANGUAGE, ENABLED, GROUPS, PASSWORD_HASH];

/// Names of groups in one field stand between these.
const BETWEEN: [char; 2] = [';', '|'];

/// A person as the table describes one. What is not said is left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Where it stands.
    pub spot: Spot,
    /// The user name.
    pub username: String,
    /// The address.
    pub email: Option<String>,
    /// The second name for the login.
    pub alias: Option<String>,
    /// The given name.
    pub first_name: Option<String>,
    /// The family name.
    pub last_name: Option<String>,
    /// The preferred language, as it was typed.
    pub language: Option<String>,
    /// Whether the account may be used.
    pub status: Option<Status>,
    /// Names of all groups that the person is in afterwards.
    pub groups: Option<Vec<String>>,
    /// The hash of the password, as it was typed.
    pub password_hash: Option<String>,
}

/// The people of a table.
///
/// # Errors
/// If it is no table of people at all.
pub fn read(octets: &[u8]) -> Result<Vec<Read<Described>>, Unreadable> {
    let table = Table::read(octets)?;
    let username = table.column(USERNAME);
    if username.is_none() {
        return Err(Unreadable("no column \"username\" is named in the first line".to_owned()));
    }
    if table.named("password").is_some() {
        let words = "passwords do not belong into a table: leave the column \"password\" out, and give hashes in \
                     \"password_hash\" or none";
        return Err(Unreadable(words.to_owned()));
    }
    if let Some(name) = table.unknown(&KNOWN).first() {
        let known = COLUMNS.join(", ");
        return Err(Unreadable(format!("the column \"{name}\" is not known; known are {known}")));
    }
    Ok(table.rows().iter().map(|row| person(row, &table, username)).collect())
}

fn person(row: &Row, table: &Table, username: Option<usize>) -> Read<Described> {
    let name = row.cell(username).unwrap_or_default();
    let refused = |reason: String| Rejected::new(row.spot, name, reason);
    if let Some(fault) = row.fault() {
        return Err(refused(fault.to_owned()));
    }
    let username = checked(name).map_err(|error| refused(format!("the user name {error}")))?.to_owned();
    let cell = |column: Column| row.cell(table.column(column));
    let named = |column: Column, what: &str| match cell(column).map(checked) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(error)) => Err(refused(format!("the {what} {error}"))),
    };
    let email = cell(EMAIL).map(checked_email).transpose().map_err(|words| refused(format!("the address {words}")))?;
    let alias = checked_alias(cell(ALIAS).unwrap_or_default(), &username)
        .map_err(|words| refused(format!("the alias {words}")))?;
    let status = match cell(ENABLED).map(str::to_lowercase).as_deref() {
        None => None,
        Some("yes" | "true" | "1" | "enabled") => Some(Status::Enabled),
        Some("no" | "false" | "0" | "disabled") => Some(Status::Disabled),
        Some(_) => return Err(refused("\"enabled\" is neither \"yes\" nor \"no\"".to_owned())),
    };
    let groups = match cell(GROUPS) {
        None => None,
        Some(listed) => {
            let names = listed.split(BETWEEN).map(str::trim).filter(|name| !name.is_empty());
            let checked: Result<Vec<String>, _> = names.map(|name| checked(name).map(str::to_owned)).collect();
            Some(checked.map_err(|error| refused(format!("the name of a group {error}")))?)
        }
    };
    Ok(Described {
        spot: row.spot,
        username,
        email,
        alias,
        first_name: named(FIRST_NAME, "first name")?,
        last_name: named(LAST_NAME, "last name")?,
        language: cell(LANGUAGE).map(str::to_owned),
        status,
        groups,
        password_hash: cell(PASSWORD_HASH).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    ///
    #[test]
    fn people_are_read_and_what_is_not_said_stays_open() {
        let text = "username,email,given name,enabled,groups\nada,Ada@ACME.test,Ada,yes,Sales; Board\nbob,,,no,\n";
        let people = read(text.as_bytes()).expect("a table");
        let ada = people[0].as_ref().expect("a person");
        assert_eq!((ada.email.as_deref(), ada.first_name.as_deref()), (Some("Ada@acme.test"), Some("Ada")));
        assert_eq!(ada.groups.as_deref(), Some(&["Sales".to_owned(), "Board".to_owned()][..]));
        let bob = people[1].as_ref().expect("a person");
        assert_eq!((bob.status, &bob.email, &bob.groups), (Some(Status::Disabled), &None, &None));
    }

    /// R-579, T-26.
    #[test]
    fn every_fault_is_told_with_its_line() {
        let text =
            "username,email,enabled,groups\n,a@b.test,,\nada,nobody,,\nbob,,perhaps,\ncleo,,,\"a;b\u{7}\"\ndan,\n";
        let reasons: Vec<String> = read(text.as_bytes())
            .expect("a table")
            .into_iter()
            .map(|it| it.expect_err("a fault").to_string())
            .collect();
        for (line, words) in reasons.iter().zip([
            "line 2: the user name is empty",
            "line 3 (ada): the address is not a mail address",
            "line 4 (bob): \"enabled\" is neither",
            "line 5 (cleo): the name of a group has a control character",
            "line 6 (dan): has another number of fields",
        ]) {
            assert!(line.starts_with(words), "{line}");
        }
        for (text, words) in [
            ("name\nx", "no column \"username\""),
            ("username,password\nx,y", "passwords do not belong"),
            ("username,shoe size\nx,y", "\"shoe_size\" is not known"),
        ] {
            assert!(read(text.as_bytes()).expect_err(text).0.contains(words), "{text}");
        }
    }

    proptest! {
        /// Whatever is read, nothing breaks.
        #[test]
        fn anything_may_be_tried(lines in "[a-z0-9,;|\"\n@= \u{0}\u{7f}ä]{0,200}") {
            let _ = read(format!("username,email,enabled,groups\n{lines}").as_bytes());
        }
    }
}
