//! Claims about a person: who they are to this application, and what the application may know.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::domain::ids::{TenantId, UserId};
use crate::domain::oidc_client::{OidcClient, Scope, SubjectType};
use crate::domain::release::{self, Person, Rule, Source};
use crate::keys::derived::KeyedHash;

/// The `sub` by which this client knows `user`: stable for ever, never used for another person.
///
/// The same identifier for all (`public`) or another one for each sector (`pairwise`, OIDC Core 8.1).
#[must_use]
pub fn subject(client: &OidcClient, tenant: TenantId, user: UserId, pairwise: &KeyedHash) -> String {
    match client.subject_type {
        SubjectType::Public => user.to_string(),
        SubjectType::Pairwise => {
            let digest = pairwise.of(&[b"oidc", &tenant.to_bytes(), client.sector().as_bytes(), &user.to_bytes()]);
            data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase()
        }
    }
}

/// The claims that each scope stands for (OIDC Core 5.4), besides the values of `email_verified` and
/// `phone_number_verified`.
const STANDARD: [(Scope, &str, Source); 10] = [
    (Scope::Profile, "name", Source::DisplayName),
    (Scope::Profile, "given_name", Source::FirstName),
    (Scope::Profile, "family_name", Source::LastName),
    (Scope::Profile, "preferred_username", Source::Username),
    (Scope::Profile, "locale", Source::Language),
    (Scope::Email, "email", Source::Email),
    (Scope::Email, "email_verified", Source::Email),
    (Scope::Phone, "phone_number", Source::Phone),
    (Scope::Phone, "phone_number_verified", Source::Phone),
    (Scope::Groups, "groups", Source::Groups),
];

/// The scope that a claim belongs to.
#[must_use]
pub fn scope_of(claim: &str) -> Option<Scope> {
    STANDARD.iter().find(|(_, name, _)| *name == claim).map(|(scope, _, _)| *scope)
}

/// The names of all claims that can be given, as announced.
#[must_use]
pub fn supported() -> Vec<&'static str> {
    let protocol =
        ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash", "authenticator"];
    protocol.into_iter().chain(STANDARD.into_iter().map(|(_, name, _)| name)).collect()
}

/// What the client is told about `person`: the claims of the granted `scopes` and those `requested` one by one, whose
/// scope the client may have at this moment, and its own ones. Nothing that has no value (USER-09).
#[must_use]
pub fn about(
    person: &Person<'_>,
    client: &OidcClient,
    scopes: &BTreeSet<Scope>,
    requested: &BTreeSet<String>,
) -> Map<String, Value> {
    let mut claims = Map::new();
    for (scope, name, source) in &STANDARD {
        let asked = scopes.contains(scope) || requested.contains(*name);
        if asked && client.scopes.contains(scope) {
            insert(&mut claims, name, source, person);
        }
    }
    // The address was given by the organization or proven by a code; there is no other kind here.
    if let Some(verified) = claims.get_mut("email_verified") {
        *verified = Value::Bool(true);
    }
    // A telephone number is proven where the organization says so; we never call one.
    if let Some(verified) = claims.get_mut("phone_number_verified") {
        *verified = Value::Bool(person.phone_verified);
    }
    for Rule { name, source } in &client.claims {
        insert(&mut claims, name, source, person);
    }
    claims
}

/// The claims `requested` one by one, for the ID Token: in the code flow the scopes' claims come from
/// UserInfo (OIDC Core 5.4), so only what was asked for by name is put there.
#[must_use]
pub fn by_name(person: &Person<'_>, client: &OidcClient, requested: &BTreeSet<String>) -> Map<String, Value> {
    let mut claims = about(person, client, &BTreeSet::new(), requested);
    claims.retain(|name, _| requested.contains(name));
    claims
}

fn insert(claims: &mut Map<String, Value>, name: &str, source: &Source, person: &Person<'_>) {
    let mut values = release::values(source, person);
    let value = if source.is_many() {
        if values.is_empty() {
            return;
        }
        Value::from(values)
    } else {
        let Some(value) = values.pop() else { return };
        // In SAML everything is a text; here a number is one.
        match value.parse::<u64>() {
            Ok(number) if *source == Source::AuthenticatorAge => Value::from(number),
            _ => Value::String(value),
        }
    };
    claims.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oidc_client::{OidcClientDraft, SecretDigest};
    use crate::domain::secret::SecretBytes;
    use crate::keys::derived::DerivedKeys;
    use serde_json::json;

    fn client(more: &str) -> OidcClient {
        let text = format!("client_id = \"notes\"\nredirect_uris = [\"https://rp.example/cb\"]\n{more}");
        let draft: OidcClientDraft = toml::from_str(&text).expect("a draft");
        draft.check(|_, _| SecretDigest([0; 32])).expect("a client")
    }

    fn requested(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn claims_follow_scopes_and_have_no_empty_values_r_509_user_09() {
        let groups = ["pilot".to_owned()];
        let ada = Person {
            username: "ada",
            email: Some("ada@acme.test"),
            first_name: Some("Ada"),
            last_name: None,
            groups: &groups,
            ..Person::default()
        };
        let plain = client("");
        let of = |scopes: &[Scope], names: &[&str]| {
            Value::Object(about(&ada, &plain, &scopes.iter().copied().collect(), &requested(names)))
        };
        assert_eq!(of(&[Scope::Openid], &[]), json!({}));
        assert_eq!(
            of(&[Scope::Openid, Scope::Profile], &[]),
            json!({"name": "Ada", "given_name": "Ada", "preferred_username": "ada"})
        );
        assert_eq!(
            of(&[Scope::Email, Scope::Groups], &[]),
            json!({"email": "ada@acme.test", "email_verified": true, "groups": ["pilot"]})
        );
        assert_eq!(of(&[Scope::Openid], &["email", "nonsense", "sub"]), json!({"email": "ada@acme.test"}));
        assert_eq!(Value::Object(by_name(&ada, &plain, &requested(&["groups", "acr"]))), json!({"groups": ["pilot"]}));
        let narrow = client("scopes = [\"openid\"]\nclaims = [{ name = \"region\", source = \"constant(eu)\" }]");
        let told = about(&ada, &narrow, &BTreeSet::from([Scope::Openid]), &requested(&["email"]));
        assert_eq!(Value::Object(told), json!({"region": "eu"}), "a scope that the client may not have stays closed");
        let told = about(&ada, &narrow, &BTreeSet::from([Scope::Email]), &BTreeSet::new());
        assert_eq!(Value::Object(told), json!({"region": "eu"}), "nor what was granted before it was taken away");
        let unknown = Person { username: "bob", ..Person::default() };
        let told = about(&unknown, &plain, &Scope::ALL.into_iter().collect(), &BTreeSet::new());
        assert_eq!(Value::Object(told), json!({"preferred_username": "bob"}));
    }

    ///
    #[test]
    fn pairwise_subjects_differ_by_sector_and_tenant_and_never_change() {
        let keys = DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]));
        let (tenant, user) = (TenantId::from_bits(1), UserId::from_bits(2));
        let public = subject(&client(""), tenant, user, &keys.pairwise);
        assert_eq!(public, user.to_string());
        let pairwise = client("subject_type = \"pairwise\"");
        let first = subject(&pairwise, tenant, user, &keys.pairwise);
        assert_eq!(first, subject(&pairwise, tenant, user, &keys.pairwise));
        assert!(first != public && first.is_ascii() && first.len() <= 255);
        assert_ne!(first, subject(&pairwise, TenantId::from_bits(9), user, &keys.pairwise));
        let mut elsewhere = pairwise;
        elsewhere.redirect_uris =
            vec![crate::domain::redirect_uri::RedirectUri::parse("https://other.example/cb").expect("valid")];
        assert_ne!(first, subject(&elsewhere, tenant, user, &keys.pairwise));
    }
}
