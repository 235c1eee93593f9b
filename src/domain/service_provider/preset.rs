//! What common applications want to hear, as their makers describe it. A preset is where an operator begins:
//! whatever stands beside it in the apply file counts more.

use serde::{Deserialize, Serialize};

use super::{Attribute, NameFormat, NameIdFormat, Signed};
use crate::domain::release::Source;

/// A common application, or a common vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Amazon Web Services; the roles are for the operator to add.
    Aws,
    /// Atlassian Cloud.
    Atlassian,
    /// The names of AD FS, which many applications for it know.
    AdFs,
    /// eduPerson and inetOrgPerson by their object identifiers: research and education, Shibboleth.
    EduPerson,
    /// GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Google Workspace.
    GoogleWorkspace,
    /// Grafana Enterprise.
    Grafana,
    /// Nextcloud.
    Nextcloud,
    /// Salesforce.
    Salesforce,
    /// Slack.
    Slack,
    /// Zoom.
    Zoom,
}

/// What a preset stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wants {
    /// See [`super::ServiceProvider::name_id_format`].
    pub name_id_format: NameIdFormat,
    /// See [`super::ServiceProvider::name_id_source`].
    pub name_id_source: Option<Source>,
    /// See [`super::ServiceProvider::attributes`].
    pub attributes: Vec<Attribute>,
    /// See [`super::ServiceProvider::signed`].
    pub signed: Signed,
}

const CLAIM: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 12] = [
        Self::Aws,
        Self::Atlassian,
        Self::AdFs,
        Self::EduPerson,
        Self::Github,
        Self::Gitlab,
        Self::GoogleWorkspace,
        Self::Grafana,
        Self::Nextcloud,
        Self::Salesforce,
        Self::Slack,
        Self::Zoom,
    ];

    /// What it stands for.
    #[must_use]
    pub fn wants(self) -> Wants {
        use NameIdFormat::{Email, Persistent, Unspecified};
        use Source::{DisplayName, FirstName, Groups, LastName, Username};
        let claims = |extra: &[(&str, Source)]| {
            let mut claims =
                named(&[("emailaddress", Source::Email), ("givenname", FirstName), ("surname", LastName)], CLAIM);
            claims.extend(named(extra, CLAIM));
            claims
        };
        match self {
            Self::Aws => plain(
                Persistent,
                named(&[("RoleSessionName", Source::Email)], "https://aws.amazon.com/SAML/Attributes/"),
            ),
            Self::Atlassian => plain(Email, claims(&[])),
            Self::AdFs => {
                let mut attributes = claims(&[("upn", Username), ("name", DisplayName)]);
                attributes.extend(named(&[("Group", Groups)], "http://schemas.xmlsoap.org/claims/"));
                plain(Unspecified, attributes)
            }
            Self::EduPerson => plain(Persistent, edu_person()),
            Self::Github => plain(
                Persistent,
                named(&[("username", Username), ("full_name", DisplayName), ("emails", Source::Email)], ""),
            ),
            Self::Gitlab => plain(
                Persistent,
                named(
                    &[
                        ("email", Source::Email),
                        ("first_name", FirstName),
                        ("last_name", LastName),
                        ("username", Username),
                        ("groups", Groups),
                    ],
                    "",
                ),
            ),
            Self::GoogleWorkspace => plain(Email, Vec::new()),
            Self::Grafana => plain(
                Unspecified,
                named(
                    &[("login", Username), ("email", Source::Email), ("displayName", DisplayName), ("groups", Groups)],
                    "",
                ),
            ),
            Self::Nextcloud => plain(
                Unspecified,
                named(
                    &[("uid", Username), ("displayName", DisplayName), ("email", Source::Email), ("groups", Groups)],
                    "",
                ),
            ),
            Self::Salesforce => Wants {
                name_id_source: Some(Source::Email),
                ..plain(
                    Unspecified,
                    named(
                        &[
                            ("User.Username", Source::Email),
                            ("User.Email", Source::Email),
                            ("User.FirstName", FirstName),
                            ("User.LastName", LastName),
                        ],
                        "",
                    ),
                )
            },
            Self::Slack => Wants {
                signed: Signed::Both,
                ..plain(
                    Persistent,
                    named(
                        &[
                            ("User.Email", Source::Email),
                            ("User.Username", Username),
                            ("first_name", FirstName),
                            ("last_name", LastName),
                        ],
                        "",
                    ),
                )
            },
            Self::Zoom => {
                plain(Email, named(&[("email", Source::Email), ("firstName", FirstName), ("lastName", LastName)], ""))
            }
        }
    }
}

fn plain(name_id_format: NameIdFormat, attributes: Vec<Attribute>) -> Wants {
    Wants { name_id_format, name_id_source: None, attributes, signed: Signed::default() }
}

fn named(sources: &[(&str, Source)], prefix: &str) -> Vec<Attribute> {
    let attribute = |(name, source): &(&str, Source)| Attribute {
        name: format!("{prefix}{name}"),
        source: source.clone(),
        name_format: None,
        friendly_name: None,
    };
    sources.iter().map(attribute).collect()
}

fn edu_person() -> Vec<Attribute> {
    let attribute = |(oid, friendly, source): (&str, &str, Source)| Attribute {
        name: format!("urn:oid:{oid}"),
        source,
        name_format: Some(NameFormat::Uri),
        friendly_name: Some(friendly.to_owned()),
    };
    [
        ("0.9.2342.19200300.100.1.1", "uid", Source::Username),
        ("0.9.2342.19200300.100.1.3", "mail", Source::Email),
        ("2.5.4.42", "givenName", Source::FirstName),
        ("2.5.4.4", "sn", Source::LastName),
        ("2.16.840.1.113730.3.1.241", "displayName", Source::DisplayName),
        ("2.16.840.1.113730.3.1.39", "preferredLanguage", Source::Language),
        ("1.3.6.1.4.1.5923.1.5.1.1", "isMemberOf", Source::Groups),
    ]
    .into_iter()
    .map(attribute)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn no_preset_names_an_attribute_twice() {
        for preset in Preset::ALL {
            let wants = preset.wants();
            for attribute in &wants.attributes {
                let same = wants.attributes.iter().filter(|other| other.name == attribute.name).count();
                assert_eq!(same, 1, "{preset:?} {}", attribute.name);
            }
        }
    }
}
