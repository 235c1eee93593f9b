//! What the forms call their fields. An apply file and the management API say `oidc.redirect_uris`; whoever looks for the field on a
//! page needs to read "Redirect addresses" there.

use crate::domain::fault::Fault as Wrong;
use crate::domain::operator::Module;

/// Keys without the numbers of their places, and the labels of their fields.
type Labels = &'static [(&'static str, &'static str)];

const APPLICATIONS: Labels = &[
    ("name", "Name"),
    ("launch_url", "Address that the portal opens"),
    ("assigned_to", "Who may use it"),
    ("active", "Activate"),
    ("oidc", "OpenID Connect"),
    ("oidc.client_id", "Client ID"),
    ("oidc.client_secret", "Secret"),
    ("oidc.redirect_uris", "Redirect addresses"),
    ("oidc.post_logout_redirect_uris", "Addresses after logging out"),
    ("oidc.backchannel_logout_uri", "Back-channel logout address"),
    ("oidc.frontchannel_logout_uri", "Front-channel logout address"),
    ("oidc.token_endpoint_auth_method", "How it proves itself"),
    ("oidc.require_pkce", "Requests without PKCE are refused"),
    ("oidc.jwks", "Its public keys (JWKS)"),
    ("oidc.jwks_file", "Its public keys (JWKS)"),
    ("oidc.jwks_uri", "Or the address where it publishes them"),
    ("saml", "SAML"),
    ("saml.metadata", "Its metadata"),
    ("saml.metadata_url", "Address of its metadata"),
    ("saml.metadata_certificate", "Certificate of the signer of the metadata"),
    ("saml.entity_id", "Entity ID"),
    ("saml.acs_urls", "Assertion consumer services (HTTP-POST)"),
    ("saml.attributes", "Attributes"),
    ("saml.certificates", "Certificates that its requests are checked with"),
    ("saml.require_signed_requests", "Requests that are not signed"),
    ("saml.encrypt_assertions", "Assertions"),
    ("saml.encryption_certificate", "Certificate that assertions are encrypted to"),
    ("saml.logout_url", "Single logout address"),
    ("saml.logout_response_url", "Another address for answers to logout"),
    ("saml.relay_state", "RelayState that it then gets"),
];

const POLICIES: Labels = &[
    ("name", "Name"),
    ("applications", "Applications"),
    ("groups", "Groups"),
    ("networks", "Networks that people come from"),
    ("require", "What it says"),
    ("scenario.name", "Name"),
    ("scenario.inside_networks", "Applies inside these networks"),
    ("scenario.outside_networks", "Applies outside these networks"),
    ("scenario.require", "What it says"),
];

const SELF_PROVISIONING: Labels = &[
    ("target_users", "Target Users"),
    ("groups", "Group names"),
    ("preview_user", "User who tries it out"),
    ("windows_link", "Windows installation link"),
    ("store_product_id", "Product ID"),
    ("installer_url", "Address of the installer"),
    ("installer_sha256", "SHA-256 of the installer"),
    ("require_password", "The password is proven first"),
    ("recovery_codes", "Recovery codes"),
    ("wait_after_address_change_seconds", "Seconds to wait after a change of the mail address"),
];

const CASES: Labels = &[
    ("name", "Name"),
    ("user", "User name"),
    ("application", "Application"),
    ("address", "Address"),
    ("require", "Expected"),
    ("enrollment", "Enrollment, for somebody without an authenticator"),
];

const ROLLOUT: Labels = &[
    ("rollout", "How it goes on"),
    ("wave", "How it goes on"),
    ("waves.id", "Name"),
    ("waves.name", "Name"),
    ("waves.starts_at", "Begins (UTC)"),
    ("waves.groups", "Groups"),
    ("waves.percent", "Share of them, in percent"),
    ("waves.most_per_day", "New people in a day"),
    ("waves.postponements", "How often somebody may put it off"),
    ("waves.deadline", "Until when it may be put off (UTC)"),
    ("brake.failed_percent", "Failed enrollments among those that came to an end, in percent"),
    ("brake.help_desk_percent", "People whom the help desk had to help among those who were asked, in percent"),
    ("brake.at_least", "Never with fewer people than"),
    ("brake.window_minutes", "Looks back so many minutes"),
];

const BRANDING: Labels = &[
    ("title", "Title"),
    ("accent", "Colour of buttons and links"),
    ("ground", "Colour of the ground"),
    ("accent_dark", "Colour of buttons and links in the dark theme"),
    ("ground_dark", "Colour of the ground in the dark theme"),
];

const ORGANIZATION: Labels =
    &[("name", "Name"), ("default_language", "Language"), ("help_contact", "How people reach the help desk")];

const MESSAGES: Labels = &[("subject", "Subject"), ("body", "Text")];

const WEBHOOKS: Labels = &[("name", "Name"), ("url", "Address"), ("kinds", "What it hears of")];

/// Lists whose entries are parts of a form with a number each.
const NUMBERED: Labels = &[("scenario", "Scenario"), ("waves", "Wave")];

/// What is said in the words of the apply file and has others on a form.
const PHRASES: Labels = &[
    ("jwks or jwks_file", "“Its public keys (JWKS)”"),
    ("metadata_url, metadata_file or metadata", "“Address of its metadata” or “Its metadata”"),
    ("say token_endpoint_auth_method = \"none\"", "choose “Not at all: a public client”"),
    ("\"password\", \"otp\"", "Password, Passcode"),
    ("is empty, but rollout is \"waves\"", "wave by wave needs a wave"),
    ("windows_link is \"store\"", "the link leads to the Store"),
    ("windows_link is \"installer\"", "the link leads to an installer"),
];

const fn of(module: Module) -> Labels {
    match module {
        Module::Applications => APPLICATIONS,
        Module::AccessPolicies => POLICIES,
        Module::SelfProvisioning => SELF_PROVISIONING,
        Module::Explain => CASES,
        Module::Rollout => ROLLOUT,
        Module::Branding => BRANDING,
        Module::Settings => ORGANIZATION,
        Module::Messages => MESSAGES,
        Module::Alerts => WEBHOOKS,
        _ => &[],
    }
}

/// A key without the number of its place, and the part of the form that this number means.
fn taken_apart(key: &str) -> (String, Option<String>) {
    let apart = key.split_once('[').and_then(|(list, rest)| rest.split_once(']').map(|(at, rest)| (list, at, rest)));
    let Some((list, at, rest)) = apart else { return (key.to_owned(), None) };
    let part = NUMBERED.iter().find(|(known, _)| *known == list).zip(at.parse::<usize>().ok());
    (format!("{list}{rest}"), part.map(|((_, part), at)| format!("{part} {}", at + 1)))
}

/// What the forms of `module` call the field of `key`; what is on none of them is called as it is in the apply file.
#[must_use]
pub fn label(module: Module, key: &str) -> String {
    let (plain, part) = taken_apart(key);
    let label = match of(module).iter().find(|(known, _)| *known == plain) {
        Some((_, label)) => (*label).to_owned(),
        None => {
            let mut spoken = plain.rsplit('.').next().unwrap_or_default().replace('_', " ");
            if let Some(first) = spoken.get(..1).map(str::to_uppercase) {
                spoken.replace_range(..1, &first);
            }
            spoken
        }
    };
    part.map_or_else(|| label.clone(), |part| format!("{part}, {label}"))
}

/// The words of a fault, in which other fields are called as the forms call them: `called` tells the label of a key.
#[must_use]
pub fn spoken(words: &str, called: impl Fn(&str) -> Option<&'static str>) -> String {
    let said = PHRASES.iter().fold(words.to_owned(), |said, (machine, own)| said.replace(machine, own));
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let label = if bare.contains('_') { called(bare) } else { None };
        label.map_or_else(|| word.to_owned(), |label| word.replacen(bare, &format!("“{label}”"), 1))
    };
    said.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What is wrong with a field of a form of `module`, as a sentence that begins with its label.
#[must_use]
pub fn sentence(module: Module, fault: &Wrong) -> String {
    let called = |name: &str| {
        let known = of(module).iter().find(|(key, _)| key.rsplit('.').next() == Some(name));
        known.map(|(_, label)| *label)
    };
    let words = spoken(&fault.words, called);
    let between = if words.starts_with("or ") { " " } else { ": " };
    let end = if words.ends_with('.') { "" } else { "." };
    format!("{}{between}{words}{end}", label(module, &fault.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D3: a label that is told beside a fault is the one that stands at the field.
    #[test]
    fn labels_are_those_of_the_forms() {
        for (labels, form) in [
            (APPLICATIONS, include_str!("../../../templates/operator/application.html")),
            (POLICIES, include_str!("../../../templates/operator/policy.html")),
            (SELF_PROVISIONING, include_str!("../../../templates/operator/self_provisioning_edit.html")),
            (CASES, include_str!("../../../templates/operator/case.html")),
            (ROLLOUT, include_str!("../../../templates/operator/rollout_edit.html")),
            (MESSAGES, include_str!("../../../templates/operator/message.html")),
            (WEBHOOKS, include_str!("../../../templates/operator/webhook.html")),
        ] {
            for (key, label) in labels {
                assert!(form.contains(&format!(">{label}")), "{key}: {label}");
            }
        }
        for (labels, source) in
            [(BRANDING, include_str!("branding.rs")), (ORGANIZATION, include_str!("organization.rs"))]
        {
            for (key, label) in labels {
                assert!(source.contains(&format!("\"{label}\"")), "{key}: {label}");
            }
        }
    }

    /// D3: whoever reads what is wrong finds the fields on the page, also those that are named in passing.
    #[test]
    fn faults_speak_of_fields_as_the_forms_do() {
        for (module, key, words, said) in [
            (
                Module::Applications,
                "oidc.redirect_uris",
                "needs at least one address",
                "Redirect addresses: needs at least one address.",
            ),
            (
                Module::Applications,
                "saml.logout_response_url",
                "needs logout_url",
                "Another address for answers to logout: needs “Single logout address”.",
            ),
            (
                Module::Applications,
                "saml.metadata_certificate",
                "needs metadata_url, metadata_file or metadata",
                "Certificate of the signer of the metadata: needs “Address of its metadata” or “Its metadata”.",
            ),
            (
                Module::AccessPolicies,
                "scenario[0].inside_networks",
                "is missing: a scenario needs inside_networks or outside_networks",
                "Scenario 1, Applies inside these networks: is missing: a scenario needs “Applies inside these networks” or \
                 “Applies outside these networks”.",
            ),
            (
                Module::Rollout,
                "waves[1].deadline",
                "must be later than starts_at",
                "Wave 2, Until when it may be put off (UTC): must be later than “Begins (UTC)”.",
            ),
            (
                Module::Applications,
                "oidc.sector_identifier",
                "must be a host name",
                "Sector identifier: must be a host name.",
            ),
        ] {
            assert_eq!(sentence(module, &Wrong::new(key, words)), said);
        }
    }
}
