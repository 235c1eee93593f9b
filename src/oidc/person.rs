//! A person as claims are made of it.

use crate::domain::release::{Authenticator, Person};
use crate::domain::user::{Member, User};
use crate::flow::Realm;

/// The names of a person's groups.
pub(super) fn groups(realm: &Realm, member: &Member) -> Vec<String> {
    member.groups.iter().filter_map(|id| realm.config.group_name(*id)).map(str::to_owned).collect()
}

/// What is known of a person; `authenticator` is the one of the login in which it was granted.
pub(super) fn of<'a>(user: &'a User, groups: &'a [String], authenticator: Option<Authenticator>) -> Person<'a> {
    let given = |text: &'a str| (!text.is_empty()).then_some(text);
    Person {
        username: &user.username,
        email: user.email.as_deref(),
        phone: user.phone.as_ref().map(|phone| phone.number.as_str()),
        phone_verified: user.phone.as_ref().is_some_and(|phone| phone.verified),
        first_name: given(&user.first_name),
        last_name: given(&user.last_name),
        display_name: None,
        language: user.language.as_deref(),
        groups,
        authenticator,
    }
}
