//! Applications, one change at a time (A2 of part D3): OpenID Connect relying parties and SAML service providers, typed or read
//! from metadata; and the checks that files, pages and programs share.

use std::collections::HashMap;

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Unsaved, current, mark_of, save};
use super::policies::names;
use crate::domain::application::{Application, ApplicationDraft, Assignment, Known, Protocol};
use crate::domain::audit::Action;
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{ApplicationId, TenantId, UserId};
use crate::domain::name::{Names, key_of};
use crate::domain::oidc_client::{ClientAuthentication, OidcClient, OidcClientDraft, OidcClientFault, SecretDigest};
use crate::domain::policy::draft::PolicyDraft;
use crate::domain::resource::Resource;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::service_provider::{Described, ServiceProvider, ServiceProviderDraft};
use crate::domain::signing_key::{KeyPurpose, StoredSigningKey};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::timestamp::Timestamp;
use crate::egress::Egress;
use crate::flow::{House, registration};
use crate::keys::jose::KeySet;
use crate::keys::x509::{self, Certificate};
use crate::storage::{self, Connection, signing_keys, tenants, test_cases, users};

/// The largest metadata that is read, in octets.
pub const LARGEST_METADATA: usize = 4 * 1024 * 1024;
/// The most applications: the configuration of a virtual server is one value in memory.
pub const MOST: usize = 2000;

/// Reads metadata: the text, which of several service providers, the certificate of its signer if it must be signed, and
/// the time. XML is another floor's; the roof gives it.
pub type ReadsMetadata = fn(&str, Option<&str>, Option<&str>, Timestamp) -> Result<Described, String>;

/// The mark of an application as it is now, see [`mark_of`].
#[must_use]
pub fn mark(application: &Application) -> i64 {
    let Application { id, name, active, launch_url, assignment, protocol } = application;
    mark_of(&(id, name, active, launch_url, assignment, protocol))
}

/// The digest under which a client secret is stored.
#[must_use]
pub fn digest(house: &House, tenant: TenantId, client_id: &str, secret: &SecretString) -> SecretDigest {
    let hash = &house.derived.client_secrets;
    SecretDigest(hash.of(&[&tenant.to_bytes(), client_id.as_bytes(), secret.expose_secret().as_bytes()]))
}

/// What a relying party is held against.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The house.
    pub house: &'a House,
    /// The virtual server.
    pub tenant: TenantId,
    /// The APIs that there are.
    pub resources: &'a [Resource],
    /// The time.
    pub now: Timestamp,
}

/// Checks a relying party. The stored secrets of `before` stay; another one that is given takes the place of the newest.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn client(
    place: Place<'_>,
    draft: &OidcClientDraft,
    before: Option<&OidcClient>,
) -> Result<OidcClient, Vec<Fault>> {
    let digested = draft.check(|id, secret| digest(place.house, place.tenant, id, secret));
    let mut client = digested.map_err(|faults| faults.iter().map(told).collect::<Vec<_>>())?;
    let mut faults = Faults::default();
    client.jwks = draft.jwks.as_ref().and_then(|text| match KeySet::parse(text) {
        // Stored in one line, so that the same keys in another layout are no change.
        Ok(_) => serde_json::from_str::<serde_json::Value>(text).ok().map(|set| set.to_string()),
        Err(fault) => {
            faults.add("jwks", fault.to_string());
            None
        }
    });
    for resource in &client.resources {
        if !place.resources.iter().any(|known| known.identifier == *resource) {
            faults.add("resources", format!("there is no resource \"{resource}\""));
        }
    }
    if client.jwks.is_some() && client.jwks_uri.is_some() {
        faults.add("jwks_uri", "must not be given together with jwks or jwks_file");
    }
    if client.require_signed_request_object && client.jwks.is_none() && client.jwks_uri.is_none() {
        faults.add("require_signed_request_object", "needs jwks_file: there is no key to check with");
    }
    // Digests are bound to the client identifier: with another one, the stored secrets are of no use.
    let before = before.filter(|before| before.client_id == client.client_id && client.authentication.has_secret());
    if let Some(before) = before {
        let given = std::mem::replace(&mut client.secrets, before.secrets.clone());
        if let Some(given) =
            given.first().filter(|given| before.secrets.first().map(|it| it.digest) != Some(given.digest))
        {
            client.replace_secret(given.digest, OidcClient::SECRET_GRACE, place.now);
        }
    }
    if !client.is_complete() {
        let (key, words) = match client.authentication {
            ClientAuthentication::PrivateKeyJwt => ("jwks_file", "is missing, or the key set cannot be used"),
            _ => ("client_secret", "is missing; for a public client, say token_endpoint_auth_method = \"none\""),
        };
        faults.add(key, words);
    }
    if faults.0.is_empty() { Ok(client) } else { Err(faults.0) }
}

fn told(fault: &OidcClientFault) -> Fault {
    let key = match fault {
        OidcClientFault::ClientId => "client_id",
        OidcClientFault::ClientSecret | OidcClientFault::SecretWithoutUse => "client_secret",
        OidcClientFault::NoRedirectUri | OidcClientFault::Sector => "redirect_uris",
        OidcClientFault::Address { field, .. } | OidcClientFault::NotCallable(field) => field,
        OidcClientFault::PublicForItself => "client_credentials",
        OidcClientFault::SectorIdentifier => "sector_identifier",
        OidcClientFault::PublicWithoutPkce => "require_pkce",
        OidcClientFault::Seconds { key, .. } => key,
        OidcClientFault::Claim(_) => "claims",
    };
    let words = fault.to_string();
    // The sentence begins with the key, which stands in front of it anyway.
    let words = words.strip_prefix(key).map_or(words.as_str(), |rest| rest.trim_start_matches([':', ' ']));
    Fault::new(key, words)
}

/// Checks a service provider; `described` is what its metadata says, if it has any, and `before` what it was. `keys` are those of
/// the virtual server, where it is to be looked whether the key that signs for it is one of them.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn provider(
    draft: &ServiceProviderDraft,
    described: Option<&Described>,
    before: Option<&ServiceProvider>,
    keys: Option<&[StoredSigningKey]>,
) -> Result<ServiceProvider, Vec<Fault>> {
    let checked = match before.filter(|_| described.is_some()) {
        Some(before) => draft.clone().no_less_safe_than(before).check(described),
        None => draft.check(described),
    };
    let provider =
        checked.map_err(|faults| faults.into_iter().map(|it| Fault::new(it.key, it.words)).collect::<Vec<_>>())?;
    let mut faults = Faults::default();
    // A certificate that cannot be read would refuse every request, and every answer, when people want to log in.
    for (index, certificate) in provider.certificates.iter().enumerate() {
        if Certificate::of_base64(certificate).is_none() {
            faults.add("certificates", format!("number {} is not a certificate", index + 1));
        }
    }
    if let Some(feed) = &provider.feed
        && Certificate::of_base64(&feed.certificate).is_none()
    {
        faults.add("metadata_certificate", "is not a certificate");
    }
    if let Some(encryption) = &provider.encryption
        && x509::encryption_key(&encryption.certificate).is_none()
    {
        faults.add("encryption_certificate", "is not a certificate with an RSA key of at least 2048 bits");
    }
    if let (Some(id), Some(keys)) = (provider.signing_key, keys) {
        // Another key would sign for it, and whoever wrote this thinks that it is safe from the next rotation.
        let ours: Vec<&StoredSigningKey> = keys.iter().filter(|key| key.purpose == KeyPurpose::Saml).collect();
        if !ours.iter().any(|key| key.id == id) {
            let name = |key: &&StoredSigningKey| format!("{} ({}, {})", key.id, key.algorithm.name(), key.stage.name());
            let listed: Vec<String> = ours.iter().map(name).collect();
            let known = if listed.is_empty() { "there is none yet".to_owned() } else { listed.join(", ") };
            faults.add("signing_key", format!("\"{id}\" is no SAML key of this virtual server; its keys: {known}"));
        }
    }
    if faults.0.is_empty() { Ok(provider) } else { Err(faults.0) }
}

/// The metadata at an address.
///
/// # Errors
/// Why it cannot be had, in words.
pub async fn fetch(egress: &Egress, url: &str) -> Result<String, String> {
    egress.document(url, LARGEST_METADATA).await.map_err(|error| format!("is not fetched: {error}"))
}

/// An application that was stored.
#[derive(Debug)]
pub struct Stored {
    /// What it is now.
    pub application: Application,
    /// The secret that was made for it; it is shown once.
    pub secret: Option<SecretString>,
}

/// The draft with what stands elsewhere: people by name, and the metadata that it names.
struct Gathered {
    draft: ApplicationDraft,
    users: Names<UserId>,
    described: Option<Described>,
    /// The virtual server's signing keys, where the draft names one.
    keys: Vec<StoredSigningKey>,
}

async fn gather(desk: &Desk<'_>, tenant: TenantId, draft: &ApplicationDraft, reads: ReadsMetadata) -> Saved<Gathered> {
    let mut faults = Faults::default();
    if let Some(oidc) = &draft.oidc
        && oidc.jwks_file.is_some()
    {
        faults.add("oidc.jwks_file", "is for apply files; give the key set itself as jwks");
    }
    let mut described = None;
    if let Some(saml) = &draft.saml {
        let text = match (&saml.metadata_file, &saml.metadata, &saml.metadata_url) {
            (None, None, None) => None,
            (None, Some(text), None) if text.len() <= LARGEST_METADATA => Some(("metadata", Ok(text.clone()))),
            (None, Some(_), None) => Some(("metadata", Err("is larger than 4 MiB".to_owned()))),
            (None, None, Some(url)) => Some(("metadata_url", fetch(&desk.house.egress, url).await)),
            (Some(_), None, None) => {
                Some(("metadata_file", Err("is for apply files; give the text itself as metadata".to_owned())))
            }
            _ => Some(("metadata_url", Err("must not be given together with other metadata".to_owned()))),
        };
        if let Some((key, text)) = text {
            let (entity_id, signer) = (saml.entity_id.as_deref(), saml.metadata_certificate.as_deref());
            match text.and_then(|text| reads(&text, entity_id, signer, desk.now)) {
                Ok(read) => described = Some(read),
                Err(words) => faults.add(format!("saml.{key}"), words),
            }
        }
    }
    if !faults.0.is_empty() {
        return Err(Unsaved::Wrong(faults.0));
    }
    let named = match &draft.assigned_to {
        Some(crate::domain::application::AssignedTo::Chosen(chosen)) => chosen.users.as_slice(),
        _ => &[],
    };
    let question = async |connection: &mut Connection| {
        let mut known = Names::default();
        for name in named {
            if let Some(user) = users::named(connection, tenant, name).await? {
                known.add(&user.username, user.id);
            }
        }
        let keys = match &draft.saml {
            Some(saml) if saml.signing_key.is_some() => signing_keys::of_tenant(connection, tenant).await?,
            _ => Vec::new(),
        };
        Ok((known, keys))
    };
    let (users, keys) = desk.house.db.look(question).await?;
    Ok(Gathered { draft: draft.clone(), users, described, keys })
}

/// Reads an application; name and protocol identifier must be nobody else's.
fn read(
    desk: &Desk<'_>,
    config: &TenantConfig,
    gathered: &Gathered,
    id: ApplicationId,
    before: Option<&Application>,
) -> Saved<Application> {
    let mut faults = Faults::default();
    let (groups, _) = names(config);
    let draft = &gathered.draft;
    let common = draft.common(before, Known { groups: &groups, users: &gathered.users }, &mut faults);
    let others = || config.applications.iter().chain([&config.console]).filter(|other| other.id != id);
    if others().any(|other| key_of(&other.name) == key_of(&common.name)) {
        faults.add("name", format!("\"{}\" is another application's", common.name));
    }
    let place =
        Place { house: desk.house, tenant: config.tenant.id, resources: &config.settings.resources, now: desk.now };
    let protocol = match (&draft.oidc, &draft.saml, before.map(|before| &before.protocol)) {
        (None, None, Some(Protocol::Portal)) => Some(Protocol::Portal),
        (Some(oidc), None, None | Some(Protocol::Oidc(_))) => {
            let known = match before.map(|before| &before.protocol) {
                Some(Protocol::Oidc(client)) => Some(&**client),
                _ => None,
            };
            match client(place, oidc, known) {
                Ok(client) => Some(Protocol::Oidc(Box::new(client))),
                Err(wrong) => {
                    faults.add_all("oidc", wrong);
                    None
                }
            }
        }
        (None, Some(saml), None | Some(Protocol::Saml(_))) => {
            let known = match before.map(|before| &before.protocol) {
                Some(Protocol::Saml(known)) => Some(&**known),
                _ => None,
            };
            // The console has no field for it: what stands there keeps nobody from changing something else.
            let stays = known.is_some_and(|known| known.signing_key == saml.signing_key);
            let keys = (!stays).then_some(gathered.keys.as_slice());
            match provider(saml, gathered.described.as_ref(), known, keys) {
                Ok(provider) => Some(Protocol::Saml(Box::new(provider))),
                Err(wrong) => {
                    faults.add_all("saml", wrong);
                    None
                }
            }
        }
        (None, None, _) => {
            faults.add("oidc", "is missing: an application speaks OpenID Connect (oidc) or SAML (saml)");
            None
        }
        (Some(_), Some(_), _) => {
            faults.add("saml", "must not be given together with oidc");
            None
        }
        (_, _, Some(_)) => {
            faults.add("oidc", "cannot take the place of another protocol; make another application");
            None
        }
    };
    if let Some(protocol) = &protocol {
        let field = if draft.oidc.is_some() { "oidc.client_id" } else { "saml.entity_id" };
        if others().any(|other| other.protocol.key() == protocol.key()) {
            faults.add(field, "is another application's");
        }
    }
    match protocol {
        Some(protocol) if faults.0.is_empty() => {
            let crate::domain::application::Common { name, active, launch_url, assignment } = common;
            let application = Application { id, name, active, launch_url, assignment, protocol };
            unassigned(&application)?;
            Ok(application)
        }
        _ => Err(Unsaved::Wrong(faults.0)),
    }
}

/// An application that nobody may use is not activated.
fn unassigned(application: &Application) -> Saved<()> {
    match &application.assignment {
        Assignment::Chosen { groups, users } if application.active && groups.is_empty() && users.is_empty() => {
            Err(Fault::new("active", "needs somebody whom it is assigned to").into())
        }
        _ => Ok(()),
    }
}

/// Adds an application. One that proves itself by a secret and has none gets one. It is inactive unless the draft says
/// otherwise.
///
/// # Errors
/// [`Unsaved`].
pub async fn create(
    desk: &Desk<'_>,
    code: &TenantCode,
    draft: &ApplicationDraft,
    reads: ReadsMetadata,
    despite: Despite,
) -> Saved<Stored> {
    let config = current(desk, code).await?;
    let mut draft = draft.clone();
    draft.active = Some(draft.active.unwrap_or(false));
    let mut secret = None;
    if let Some(oidc) = &mut draft.oidc {
        if oidc.client_id.trim().is_empty() {
            oidc.client_id = desk.house.entropy.id::<crate::domain::ids::of::Application>().to_string();
        }
        if oidc.token_endpoint_auth_method.has_secret() && oidc.client_secret.is_none() {
            let made = registration::new_secret(desk.house);
            oidc.client_secret = Some(made.clone());
            secret = Some(made);
        }
    }
    let gathered = gather(desk, config.tenant.id, &draft, reads).await?;
    let id: ApplicationId = desk.house.entropy.id();
    let change = |config: &TenantConfig| {
        if config.applications.len() >= MOST {
            return Err(Unsaved::Never("there are 2000 applications already"));
        }
        let application = read(desk, config, &gathered, id, None)?;
        let mut after = config.clone();
        after.applications.push(application.clone());
        Ok((after, application))
    };
    let store = async |connection: &mut Connection, _: &TenantConfig, after: &TenantConfig, new: &Application| {
        let shown = shown(connection, after, Some(new)).await?;
        tenants::add_application(connection, after.tenant.id, new, desk.now).await?;
        record(desk, connection, after, Action::ApplicationCreated, new, json!({ "old": null, "new": shown })).await
    };
    let application = save(desk, code, despite, change, store).await.map_err(taken)?;
    Ok(Stored { application, secret })
}

/// Changes an application that still has the `mark` that was read. Its secrets stay, unless the draft has another one.
///
/// # Errors
/// [`Unsaved`].
pub async fn change(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (ApplicationId, i64),
    draft: &ApplicationDraft,
    reads: ReadsMetadata,
    despite: Despite,
) -> Saved<Application> {
    let config = current(desk, code).await?;
    let gathered = gather(desk, config.tenant.id, draft, reads).await?;
    let change = |config: &TenantConfig| {
        let before = unchanged(config, id, mark)?;
        let application = read(desk, config, &gathered, id, Some(before))?;
        Ok((with(config, &application), application))
    };
    put(desk, code, despite, change).await
}

/// Activates an application, or stops it: then nobody can log in to it.
///
/// # Errors
/// [`Unsaved`].
pub async fn activate(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (ApplicationId, i64),
    active: bool,
    despite: Despite,
) -> Saved<Application> {
    let change = |config: &TenantConfig| {
        let before = unchanged(config, id, mark)?;
        if before.protocol == Protocol::Portal && !active {
            return Err(Unsaved::Never("the user portal cannot be stopped"));
        }
        let application = Application { active, ..before.clone() };
        unassigned(&application)?;
        Ok((with(config, &application), application))
    };
    put(desk, code, despite, change).await
}

/// Gives an application another secret; the one before stays valid for a day, or ends at once.
///
/// # Errors
/// [`Unsaved`].
pub async fn replace_secret(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (ApplicationId, i64),
    at_once: bool,
) -> Saved<Stored> {
    let secret = registration::new_secret(desk.house);
    let grace = if at_once { std::time::Duration::ZERO } else { OidcClient::SECRET_GRACE };
    let change = |config: &TenantConfig| {
        let before = unchanged(config, id, mark)?;
        let Protocol::Oidc(client) = &before.protocol else {
            return Err(Unsaved::Never("only OpenID Connect applications have secrets"));
        };
        if !client.authentication.has_secret() {
            return Err(Unsaved::Never("this application does not prove itself by a secret"));
        }
        let mut client = client.clone();
        client.replace_secret(digest(desk.house, config.tenant.id, &client.client_id, &secret), grace, desk.now);
        let application = Application { protocol: Protocol::Oidc(client), ..before.clone() };
        Ok((with(config, &application), application))
    };
    let store = async |connection: &mut Connection, _: &TenantConfig, after: &TenantConfig, new: &Application| {
        tenants::put_application(connection, after.tenant.id, new, desk.now).await?;
        let detail = json!({ "secret": "replaced", "at_once": at_once });
        record(desk, connection, after, Action::ApplicationChanged, new, detail).await
    };
    let application = save(desk, code, Despite::Nothing, change, store).await?;
    Ok(Stored { application, secret: Some(secret) })
}

/// What refers to an application, one sentence's end each.
///
/// # Errors
/// If the database fails.
pub async fn uses(house: &House, config: &TenantConfig, id: ApplicationId) -> storage::Result<Vec<String>> {
    let policies = config.policies.exceptions.iter().filter(|policy| policy.applications.contains(&id));
    let mut uses: Vec<String> = policies.map(|policy| format!("the policy \"{}\"", policy.name)).collect();
    let cases = house.db.look(async |connection| test_cases::all(config.tenant.id).ask(connection).await).await?;
    let cases = cases.iter().filter(|case| case.says.application == id);
    uses.extend(cases.map(|case| format!("the test case \"{}\"", case.name)));
    Ok(uses)
}

/// Removes an application that still has the `mark` that was read. Where policies and test cases name it, they are told; with
/// `clean_up` it is taken out of them: a policy that named nothing else goes with it, because without an application it would
/// concern all of them.
///
/// # Errors
/// [`Unsaved`].
pub async fn remove(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (ApplicationId, i64),
    clean_up: bool,
    despite: Despite,
) -> Saved<()> {
    let config = current(desk, code).await?;
    let uses = uses(desk.house, &config, id).await?;
    if !uses.is_empty() && !clean_up {
        unchanged(&config, id, mark)?;
        return Err(Unsaved::InUse(uses));
    }
    let change = |config: &TenantConfig| {
        let before = unchanged(config, id, mark)?.clone();
        if before.protocol == Protocol::Portal {
            return Err(Unsaved::Never("the user portal cannot be removed"));
        }
        let mut after = config.clone();
        after.applications.retain(|application| application.id != id);
        if clean_up {
            after.policies.exceptions.retain(|policy| policy.applications != [id]);
            for policy in &mut after.policies.exceptions {
                policy.applications.retain(|application| *application != id);
            }
        } else if after.policies.exceptions.iter().any(|policy| policy.applications.contains(&id)) {
            // Somebody named it in the meantime.
            return Err(Unsaved::ChangedMeanwhile);
        }
        Ok((after, before))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, old: &Application| {
        let tenant = after.tenant.id;
        for case in test_cases::all(tenant).ask(connection).await? {
            if case.says.application == id {
                super::test_cases::take_away(desk, connection, before, &case).await?;
            }
        }
        if before.policies != after.policies {
            tenants::set_policies(connection, tenant, &after.policies, desk.now).await?;
            clean(desk, connection, before, after).await?;
        }
        let shown = shown(connection, before, Some(old)).await?;
        tenants::remove_application(connection, tenant, id).await?;
        record(desk, connection, after, Action::ApplicationRemoved, old, json!({ "old": shown, "new": null })).await
    };
    save(desk, code, despite, change, store).await.map(drop)
}

/// Writes down what became of each policy that named the application.
async fn clean(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &TenantConfig,
    after: &TenantConfig,
) -> storage::Result<()> {
    for old in &before.policies.exceptions {
        let new = super::policies::find(&after.policies, old.id);
        if new == Some(old) {
            continue;
        }
        let action = if new.is_some() { Action::PolicyChanged } else { Action::PolicyRemoved };
        let new = new.map(|new| PolicyDraft::of(new, after));
        let detail = json!({ "name": old.name, "old": PolicyDraft::of(old, before), "new": new });
        desk.record(connection, after.tenant.id, action, ("policy", old.id.to_string()), detail).await?;
    }
    Ok(())
}

fn unchanged(config: &TenantConfig, id: ApplicationId, mark: i64) -> Saved<&Application> {
    let before = config.application(id).ok_or(Unsaved::Gone)?;
    if self::mark(before) == mark { Ok(before) } else { Err(Unsaved::ChangedMeanwhile) }
}

fn with(config: &TenantConfig, application: &Application) -> TenantConfig {
    let mut after = config.clone();
    for place in after.applications.iter_mut().filter(|place| place.id == application.id) {
        place.clone_from(application);
    }
    after
}

async fn put(
    desk: &Desk<'_>,
    code: &TenantCode,
    despite: Despite,
    change: impl Fn(&TenantConfig) -> Saved<(TenantConfig, Application)>,
) -> Saved<Application> {
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, new: &Application| {
        let old = shown(connection, before, before.application(new.id)).await?;
        let shown = shown(connection, after, Some(new)).await?;
        tenants::put_application(connection, after.tenant.id, new, desk.now).await?;
        record(desk, connection, after, Action::ApplicationChanged, new, json!({ "old": old, "new": shown })).await
    };
    save(desk, code, despite, change, store).await.map_err(taken)
}

/// An application as it would be typed, with the names of its people.
///
/// # Errors
/// If the database fails.
pub async fn draft_of(
    connection: &mut Connection,
    config: &TenantConfig,
    application: &Application,
) -> storage::Result<ApplicationDraft> {
    let mut known: HashMap<UserId, String> = HashMap::new();
    if let Assignment::Chosen { users: chosen, .. } = &application.assignment {
        for id in chosen {
            if let Some(user) = users::with_id(connection, config.tenant.id, *id).await? {
                known.insert(*id, user.username);
            }
        }
    }
    Ok(ApplicationDraft::of(application, config, |id| known.get(&id).cloned()))
}

async fn shown(
    connection: &mut Connection,
    config: &TenantConfig,
    application: Option<&Application>,
) -> storage::Result<Option<ApplicationDraft>> {
    match application {
        Some(application) => draft_of(connection, config, application).await.map(Some),
        None => Ok(None),
    }
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    action: Action,
    application: &Application,
    mut detail: serde_json::Value,
) -> storage::Result<()> {
    if let Some(members) = detail.as_object_mut() {
        members.insert("name".to_owned(), application.name.clone().into());
        members.insert("key".to_owned(), application.protocol.key().into());
    }
    desk.record(connection, config.tenant.id, action, ("application", application.id.to_string()), detail).await
}

fn taken(unsaved: Unsaved) -> Unsaved {
    match unsaved {
        Unsaved::Storage(error) if error.is_duplicate() => {
            Fault::new("name", "or its identifier was taken by another application at the same moment").into()
        }
        other => other,
    }
}
