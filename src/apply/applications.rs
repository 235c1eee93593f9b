//! The applications of an apply file.

use std::collections::HashMap;
use std::path::Path;

use super::file::{self, AssignedTo};
use super::plan::find_all;
use crate::config::document::Document;
use crate::domain::application::{Application, Assignment, Protocol};
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{Names, checked, key_of};
use crate::domain::oidc_client::{ClientAuthentication, OidcClient, OidcClientDraft, OidcClientFault};
use crate::domain::resource::Resource;
use crate::domain::service_provider::draft::bare;
use crate::domain::service_provider::{Described, ServiceProvider, ServiceProviderDraft};
use crate::domain::tenant::TenantConfig;
use crate::egress::Egress;
use crate::flow::administration::Desk;
use crate::keys::jose::KeySet;
use crate::keys::x509::Certificate;
use crate::oidc::client::secret_digest;
use crate::saml::{described, encrypt};

/// The largest metadata file that is read.
const LARGEST_METADATA: u64 = 4 * 1024 * 1024;

/// What applications refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) groups: &'a Names<GroupId>,
    pub(super) users: &'a Names<UserId>,
    pub(super) resources: &'a [Resource],
    /// Where files are that the apply file names.
    pub(super) folder: &'a Path,
    /// What was found at the addresses that it names.
    pub(super) fetched: &'a HashMap<String, Result<String, String>>,
}

/// The applications that the file wants.
pub(super) fn wanted(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &[file::Application],
    config: &TenantConfig,
    known: Known<'_>,
) -> Vec<Application> {
    let mut wanted: Vec<Application> = Vec::new();
    for (index, entry) in typed.iter().enumerate() {
        let place = format!("{path}.application[{index}]");
        let name = match checked(&entry.name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                document.fault(&format!("{place}.name"), error.to_string());
                continue;
            }
        };
        if wanted.iter().any(|other| key_of(&other.name) == key_of(&name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
            continue;
        }
        let before = config.applications.iter().find(|other| key_of(&other.name) == key_of(&name));
        let launch_url = launch_url(document, &place, entry);
        let assignment = assignment(document, &place, entry, before, known);
        let Some(protocol) = protocol(desk, document, &place, entry, before, config, known) else { continue };
        if wanted.iter().any(|other| other.protocol.key() == protocol.key()) {
            document.fault(&place, format!("has the same identifier as another application: {}", protocol.key()));
        }
        let id = before.map_or_else(|| desk.house.entropy.id(), |before| before.id);
        wanted.push(Application { id, name, launch_url, assignment, protocol });
    }
    wanted
}

fn launch_url(document: &mut Document<'_>, place: &str, entry: &file::Application) -> Option<String> {
    let address = entry.launch_url.clone()?;
    let good = url::Url::parse(&address).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    if !good {
        document.fault(&format!("{place}.launch_url"), "must be an absolute https or http address");
    }
    Some(address)
}

fn assignment(
    document: &mut Document<'_>,
    place: &str,
    entry: &file::Application,
    before: Option<&Application>,
    known: Known<'_>,
) -> Assignment {
    match &entry.assigned_to {
        None => before.map_or(Assignment::Everyone, |before| before.assignment.clone()),
        Some(AssignedTo::Everyone(file::Everyone::Everyone)) => Assignment::Everyone,
        Some(AssignedTo::Chosen(chosen)) => {
            let key = format!("{place}.assigned_to");
            Assignment::Chosen {
                groups: find_all(document, known.groups, &key, "group", &chosen.groups),
                users: find_all(document, known.users, &key, "user", &chosen.users),
            }
        }
    }
}

fn protocol(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    entry: &file::Application,
    before: Option<&Application>,
    config: &TenantConfig,
    known: Known<'_>,
) -> Option<Protocol> {
    let before = before.map(|before| &before.protocol);
    match (&entry.oidc, &entry.saml, before) {
        (Some(draft), None, _) => {
            let before =
                before.and_then(|protocol| if let Protocol::Oidc(client) = protocol { Some(client) } else { None });
            let client =
                client(desk, document, &format!("{place}.oidc"), draft, before.map(|client| &**client), config, known)?;
            Some(Protocol::Oidc(Box::new(client)))
        }
        (None, Some(draft), _) => {
            let provider = provider(desk, document, &format!("{place}.saml"), draft, known)?;
            Some(Protocol::Saml(Box::new(provider)))
        }
        (None, None, Some(Protocol::Portal)) => Some(Protocol::Portal),
        (None, None, _) => {
            document.fault(place, "needs a table [tenant.application.oidc] or [tenant.application.saml]");
            None
        }
        (Some(_), Some(_), _) => {
            document.fault(place, "must not have both [tenant.application.oidc] and [tenant.application.saml]");
            None
        }
    }
}

fn client(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    draft: &OidcClientDraft,
    before: Option<&OidcClient>,
    config: &TenantConfig,
    known: Known<'_>,
) -> Option<OidcClient> {
    let hash = &desk.house.derived.client_secrets;
    let mut client = match draft.check(|id, secret| secret_digest(hash, config.tenant.id, id, secret)) {
        Ok(client) => client,
        Err(faults) => {
            for fault in faults {
                let (key, words) = (key_of_fault(&fault), fault.to_string());
                // The sentence begins with the key, which stands in front of it anyway.
                let words = words.strip_prefix(key).map_or(words.as_str(), |rest| rest.trim_start_matches([':', ' ']));
                document.fault(&format!("{place}.{key}"), words);
            }
            return None;
        }
    };
    client.jwks = keys(document, place, draft, known.folder);
    for resource in &client.resources {
        if !known.resources.iter().any(|known| known.identifier == *resource) {
            document.fault(&format!("{place}.resources"), format!("there is no resource \"{resource}\""));
        }
    }
    if client.jwks.is_some() && client.jwks_uri.is_some() {
        document.fault(&format!("{place}.jwks_uri"), "must not be given together with jwks or jwks_file");
    }
    if client.require_signed_request_object && client.jwks.is_none() && client.jwks_uri.is_none() {
        document
            .fault(&format!("{place}.require_signed_request_object"), "needs jwks_file: there is no key to check with");
    }
    // Digests are bound to the client identifier: with another one, the stored secrets are of no use.
    let before = before.filter(|before| before.client_id == client.client_id && client.authentication.has_secret());
    if let Some(before) = before {
        let given = std::mem::replace(&mut client.secrets, before.secrets.clone());
        if let Some(given) =
            given.first().filter(|given| before.secrets.first().map(|it| it.digest) != Some(given.digest))
        {
            client.replace_secret(given.digest, OidcClient::SECRET_GRACE, desk.now);
        }
    }
    if !client.is_complete() {
        let (key, words) = match client.authentication {
            ClientAuthentication::PrivateKeyJwt => ("jwks_file", "is missing, or the key set cannot be used"),
            _ => ("client_secret", "is missing; for a public client, say token_endpoint_auth_method = \"none\""),
        };
        document.fault(&format!("{place}.{key}"), words);
    }
    Some(client)
}

/// The client's public keys, from the file or the text that the draft names.
fn keys(document: &mut Document<'_>, place: &str, draft: &OidcClientDraft, folder: &Path) -> Option<String> {
    let (key, text) = match (&draft.jwks_file, &draft.jwks) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            document.fault(&format!("{place}.jwks_file"), "must not be given together with jwks");
            return None;
        }
        (None, Some(text)) => ("jwks", text.clone()),
        (Some(name), None) => match read(&folder.join(name)) {
            Ok(text) => ("jwks_file", text),
            Err(error) => {
                document.fault(&format!("{place}.jwks_file"), format!("{name} cannot be read: {error}"));
                return None;
            }
        },
    };
    match KeySet::parse(&text) {
        // Stored in one line, so that the same keys in another layout are no change.
        Ok(_) => serde_json::from_str::<serde_json::Value>(&text).ok().map(|set| set.to_string()),
        Err(fault) => {
            document.fault(&format!("{place}.{key}"), fault.to_string());
            None
        }
    }
}

const fn key_of_fault(fault: &OidcClientFault) -> &'static str {
    match fault {
        OidcClientFault::ClientId => "client_id",
        OidcClientFault::ClientSecret | OidcClientFault::SecretWithoutUse => "client_secret",
        OidcClientFault::NoRedirectUri | OidcClientFault::Sector => "redirect_uris",
        OidcClientFault::Address { field, .. } | OidcClientFault::NotCallable(field) => field,
        OidcClientFault::PublicForItself => "client_credentials",
        OidcClientFault::SectorIdentifier => "sector_identifier",
        OidcClientFault::PublicWithoutPkce => "require_pkce",
        OidcClientFault::Seconds { key, .. } => key,
        OidcClientFault::Claim(_) => "claims",
    }
}

fn provider(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    draft: &ServiceProviderDraft,
    known: Known<'_>,
) -> Option<ServiceProvider> {
    let described = metadata(desk, document, place, draft, known)?;
    match draft.check(described.as_ref()) {
        Ok(provider) => {
            check_certificates(document, place, &provider);
            Some(provider)
        }
        Err(faults) => {
            for fault in faults {
                document.fault(&format!("{place}.{}", fault.key), fault.words);
            }
            None
        }
    }
}

/// A certificate that cannot be read would refuse every request, and every answer, when people want to log in.
fn check_certificates(document: &mut Document<'_>, place: &str, provider: &ServiceProvider) {
    for (index, certificate) in provider.certificates.iter().enumerate() {
        if Certificate::of_base64(certificate).is_none() {
            document.fault(&format!("{place}.certificates"), format!("number {} is not a certificate", index + 1));
        }
    }
    if let Some(feed) = &provider.feed
        && Certificate::of_base64(&feed.certificate).is_none()
    {
        document.fault(&format!("{place}.metadata_certificate"), "is not a certificate");
    }
    if let Some(encryption) = &provider.encryption
        && let Err(error) = encrypt::key_of(&encryption.certificate)
    {
        document.fault(&format!("{place}.encryption_certificate"), error.to_string());
    }
}

/// What the metadata says, if there is any; `None` outside if it cannot be read.
fn metadata(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    draft: &ServiceProviderDraft,
    known: Known<'_>,
) -> Option<Option<Described>> {
    let (key, text) = match (&draft.metadata_file, &draft.metadata, &draft.metadata_url) {
        (None, None, None) => return Some(None),
        (None, Some(text), None) => ("metadata", Ok(text.clone())),
        (Some(name), None, None) => {
            let read = read(&known.folder.join(name));
            ("metadata_file", read.map_err(|error| format!("{name} cannot be read: {error}")))
        }
        (None, None, Some(url)) => {
            ("metadata_url", known.fetched.get(url).cloned().unwrap_or_else(|| Err("was not fetched".to_owned())))
        }
        _ => {
            let key = if draft.metadata_url.is_some() { "metadata_url" } else { "metadata_file" };
            document.fault(&format!("{place}.{key}"), "must not be given together with other metadata");
            return None;
        }
    };
    let entity_id = draft.entity_id.as_deref();
    let described = text.and_then(|text| {
        let read = match &draft.metadata_certificate {
            Some(certificate) => described::signed(&text, &bare(certificate), entity_id, desk.now),
            None => described::described(&text, entity_id, desk.now),
        };
        read.map_err(|error| error.to_string())
    });
    match described {
        Ok(described) => Some(Some(described)),
        Err(words) => {
            document.fault(&format!("{place}.{key}"), words);
            None
        }
    }
}

/// The metadata at every address that the file names, or why it is not there.
pub(super) async fn fetched(desk: &Desk<'_>, typed: &[file::Application]) -> HashMap<String, Result<String, String>> {
    let urls = typed.iter().filter_map(|entry| entry.saml.as_ref()?.metadata_url.clone());
    let calls = urls.map(async |url| {
        let text = fetch(&desk.house.egress, &url).await;
        (url, text)
    });
    futures_util::future::join_all(calls).await.into_iter().collect()
}

/// The metadata at an address.
///
/// # Errors
/// Why it cannot be had, in words.
pub(crate) async fn fetch(egress: &Egress, url: &str) -> Result<String, String> {
    let largest = usize::try_from(LARGEST_METADATA).unwrap_or(usize::MAX);
    egress.document(url, largest).await.map_err(|error| format!("is not fetched: {error}"))
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST_METADATA {
        return Err(std::io::Error::other("it is larger than 4 MiB"));
    }
    std::fs::read_to_string(path)
}
