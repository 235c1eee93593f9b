//! What an application is told about a person: the one place that both protocols ask.
//!
//! A claim of OpenID Connect and an attribute of SAML are made of the same things: fields of the
//! user, the groups, or a constant. Whoever adds a [`Source`] is led by the compiler to [`values`],
//! and both protocols have it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;

/// Where the value of a claim or an attribute comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The user name.
    Username,
    /// The mail address.
    Email,
    /// The telephone number in the form of E.164.
    Phone,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The name as shown to others.
    DisplayName,
    /// The language that the user chose or was given, as a BCP 47 tag.
    Language,
    /// The names of all groups; the only source with several values.
    Groups,
    /// Since when the person has the authenticator that gave the passcode, as a time in RFC 3339. An application that
    /// distrusts what is new can tell by it (T-01).
    AuthenticatorEnrolledAt,
    /// How old that authenticator is, in whole seconds.
    AuthenticatorAge,
    /// How it became the person's: `mailbox` if the person enrolled it alone, proving password and mailbox, `operator` if
    /// it was brought along from another system.
    AuthenticatorBoundBy,
    /// The same text for everybody.
    Constant(String),
}

/// The plain sources by the word that stands for them in an apply file.
const WORDS: [(&str, Source); 11] = [
    ("username", Source::Username),
    ("email", Source::Email),
    ("phone", Source::Phone),
    ("first_name", Source::FirstName),
    ("last_name", Source::LastName),
    ("display_name", Source::DisplayName),
    ("language", Source::Language),
    ("groups", Source::Groups),
    ("authenticator_enrolled_at", Source::AuthenticatorEnrolledAt),
    ("authenticator_age", Source::AuthenticatorAge),
    ("authenticator_bound_by", Source::AuthenticatorBoundBy),
];

impl Source {
    /// Whether the application gets a list, even of one: otherwise it could not tell one group from a text.
    #[must_use]
    pub const fn is_many(&self) -> bool {
        matches!(self, Self::Groups)
    }

    /// Whether its value is known only at the moment of a login, about the authenticator that was used.
    #[must_use]
    pub const fn is_of_authenticator(&self) -> bool {
        matches!(self, Self::AuthenticatorEnrolledAt | Self::AuthenticatorAge | Self::AuthenticatorBoundBy)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(text) => write!(f, "constant({text})"),
            plain => f.write_str(WORDS.iter().find(|(_, source)| source == plain).map_or("", |(word, _)| word)),
        }
    }
}

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no source: username, email, phone, first_name, last_name, display_name, language, groups, \
     authenticator_enrolled_at, authenticator_age, authenticator_bound_by or constant(…) is"
)]
pub struct UnknownSource(String);

impl FromStr for Source {
    type Err = UnknownSource;
    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        if let Some(constant) = text.strip_prefix("constant(").and_then(|rest| rest.strip_suffix(')')) {
            return Ok(Self::Constant(constant.to_owned()));
        }
        let known = WORDS.iter().find(|(word, _)| *word == text);
        known.map(|(_, source)| source.clone()).ok_or_else(|| UnknownSource(text.to_owned()))
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One claim or attribute that an application gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The name under which the application gets it.
    pub name: String,
    /// What it is made of.
    #[schemars(with = "String")]
    pub source: Source,
}

/// What is known of a person when something is released.
#[derive(Debug, Clone, Copy, Default)]
pub struct Person<'a> {
    /// The user name.
    pub username: &'a str,
    /// The mail address, if there is one.
    pub email: Option<&'a str>,
    /// The telephone number, if there is one.
    pub phone: Option<&'a str>,
    /// Whether it was proven to be the person's.
    pub phone_verified: bool,
    /// The first name, if known.
    pub first_name: Option<&'a str>,
    /// The last name, if known.
    pub last_name: Option<&'a str>,
    /// The name as shown to others, if one was given; otherwise it is made of the other two.
    pub display_name: Option<&'a str>,
    /// The language, if known.
    pub language: Option<&'a str>,
    /// The names of the user's groups.
    pub groups: &'a [String],
    /// The authenticator that gave the passcode of the login, if one did.
    pub authenticator: Option<Authenticator>,
}

impl<'a> Person<'a> {
    /// What is known of a user who is in `groups`; `authenticator` is the one of the login in which something was granted.
    #[must_use]
    pub fn of(user: &'a User, groups: &'a [String], authenticator: Option<Authenticator>) -> Self {
        let given = |text: &'a str| (!text.is_empty()).then_some(text);
        Self {
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
}

/// The authenticator of a login, at the moment when an application is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticator {
    /// Since when the person has it.
    pub enrolled_at: Timestamp,
    /// Whether the person enrolled it alone, proving no more than password and mailbox.
    pub by_mailbox: bool,
    /// The time of the answer.
    pub now: Timestamp,
}

impl Authenticator {
    /// How old it is, in whole seconds; never negative.
    #[must_use]
    pub fn age_seconds(self) -> u64 {
        self.now.since(self.enrolled_at).as_secs()
    }

    /// How it became the person's, in a word: `mailbox` or `operator`.
    #[must_use]
    pub const fn bound_by(self) -> &'static str {
        if self.by_mailbox { "mailbox" } else { "operator" }
    }
}

impl Person<'_> {
    /// The name as shown to others: the given one, else first and last name, else none.
    #[must_use]
    pub fn shown_name(&self) -> Option<String> {
        let given = self.display_name.filter(|name| !name.is_empty()).map(str::to_owned);
        given.or_else(|| {
            let parts: Vec<&str> =
                [self.first_name, self.last_name].into_iter().flatten().filter(|s| !s.is_empty()).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    }
}

/// The values of `source` for `person`; none if nothing is known, never an empty text.
#[must_use]
pub fn values(source: &Source, person: &Person<'_>) -> Vec<String> {
    let one = |value: Option<&str>| value.map(str::to_owned).into_iter().collect::<Vec<_>>();
    let mut values = match source {
        Source::Username => one(Some(person.username)),
        Source::Email => one(person.email),
        Source::Phone => one(person.phone),
        Source::FirstName => one(person.first_name),
        Source::LastName => one(person.last_name),
        Source::DisplayName => person.shown_name().into_iter().collect(),
        Source::Language => one(person.language),
        Source::Groups => person.groups.to_vec(),
        Source::AuthenticatorEnrolledAt => {
            let second = |at: Timestamp| Timestamp::from_seconds(at.seconds()).rfc3339();
            person.authenticator.map(|authenticator| second(authenticator.enrolled_at)).into_iter().collect()
        }
        Source::AuthenticatorAge => person.authenticator.map(|it| it.age_seconds().to_string()).into_iter().collect(),
        Source::AuthenticatorBoundBy => one(person.authenticator.map(Authenticator::bound_by)),
        Source::Constant(text) => one(Some(text)),
    };
    values.retain(|value| !value.is_empty());
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn sources_are_words_and_survive_them() {
        for text in [
            "username",
            "email",
            "phone",
            "first_name",
            "last_name",
            "display_name",
            "language",
            "groups",
            "authenticator_enrolled_at",
            "authenticator_age",
            "authenticator_bound_by",
            "constant(a(b))",
            "constant()",
        ] {
            assert_eq!(text.parse::<Source>().expect("a source").to_string(), text);
        }
        for text in ["", "Email", "password", "constant(", "constant", "group"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_released_r_494_user_09() {
        let groups = ["pilot".to_owned(), "staff".to_owned()];
        let ada = Person {
            username: "ada",
            first_name: Some("Ada"),
            last_name: Some(""),
            groups: &groups,
            ..Person::default()
        };
        assert_eq!(values(&Source::Username, &ada), ["ada"]);
        assert_eq!(values(&Source::Groups, &ada), ["pilot", "staff"]);
        assert_eq!(values(&Source::DisplayName, &ada), ["Ada"]);
        assert_eq!(values(&Source::Constant("eu".to_owned()), &ada), ["eu"]);
        let authenticator = Authenticator {
            enrolled_at: Timestamp::from_seconds(1000),
            by_mailbox: true,
            now: Timestamp::from_seconds(1090),
        };
        let now = Person { authenticator: Some(authenticator), ..ada };
        assert_eq!(values(&Source::AuthenticatorAge, &now), ["90"]);
        assert_eq!(values(&Source::AuthenticatorBoundBy, &now), ["mailbox"]);
        assert_eq!(values(&Source::AuthenticatorEnrolledAt, &now), ["1970-01-01T00:16:40Z"]);
        for source in [
            Source::AuthenticatorAge,
            Source::Email,
            Source::LastName,
            Source::Language,
            Source::Constant(String::new()),
        ] {
            assert!(values(&source, &ada).is_empty(), "{source}");
        }
    }
}
