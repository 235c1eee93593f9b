//! The applications of an apply file.

use std::path::Path;

use super::file::{self, AssignedTo};
use super::plan::Names;
use crate::config::document::Document;
use crate::domain::application::{Application, Assignment, Protocol};
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{checked, key_of};
use crate::domain::oidc_client::{OidcClient, OidcClientDraft, OidcClientFault};
use crate::domain::service_provider::{Described, ServiceProvider, ServiceProviderDraft};
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::Desk;
use crate::oidc::token_request::secret_digest;
use crate::saml::metadata;

/// How long a client secret that was replaced stays valid, so that the application can be changed over without an
/// outage.
const GRACE: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The largest metadata file that is read.
const LARGEST_METADATA: u64 = 1024 * 1024;

/// What applications refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) groups: &'a Names<GroupId>,
    pub(super) users: &'a Names<UserId>,
    /// Where files are that the apply file names.
    pub(super) folder: &'a Path,
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
                groups: known.groups.find_all(document, &key, "group", &chosen.groups),
                users: known.users.find_all(document, &key, "user", &chosen.users),
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
                client(desk, document, &format!("{place}.oidc"), draft, before.map(|client| &**client), config)?;
            Some(Protocol::Oidc(Box::new(client)))
        }
        (None, Some(draft), _) => {
            let provider = provider(document, &format!("{place}.saml"), draft, known.folder)?;
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
    // Digests are bound to the client identifier: with another one, the stored secrets are of no use.
    let before = before.filter(|before| before.client_id == client.client_id && !client.is_public());
    if let Some(before) = before {
        let given = std::mem::replace(&mut client.secrets, before.secrets.clone());
        if let Some(given) =
            given.first().filter(|given| before.secrets.first().map(|it| it.digest) != Some(given.digest))
        {
            client.replace_secret(given.digest, GRACE, desk.now);
        }
    }
    if !client.is_complete() {
        document.fault(
            &format!("{place}.client_secret"),
            "is missing; for a public client, say token_endpoint_auth_method = \"none\"",
        );
    }
    Some(client)
}

const fn key_of_fault(fault: &OidcClientFault) -> &'static str {
    match fault {
        OidcClientFault::ClientId => "client_id",
        OidcClientFault::ClientSecret | OidcClientFault::SecretOfPublicClient => "client_secret",
        OidcClientFault::NoRedirectUri | OidcClientFault::Sector => "redirect_uris",
        OidcClientFault::Address { field, .. } => field,
        OidcClientFault::PublicWithoutPkce => "require_pkce",
        OidcClientFault::RefreshTokens => "refresh_tokens",
        OidcClientFault::Claim(_) => "claims",
    }
}

fn provider(
    document: &mut Document<'_>,
    place: &str,
    draft: &ServiceProviderDraft,
    folder: &Path,
) -> Option<ServiceProvider> {
    let described = described(document, place, draft, folder)?;
    match draft.check(described.as_ref()) {
        Ok(provider) => Some(provider),
        Err(faults) => {
            for fault in faults {
                document.fault(&format!("{place}.{}", fault.key), fault.words);
            }
            None
        }
    }
}

/// What the metadata says, if there is any; `None` outside if it cannot be read.
fn described(
    document: &mut Document<'_>,
    place: &str,
    draft: &ServiceProviderDraft,
    folder: &Path,
) -> Option<Option<Described>> {
    let (key, text) = match (&draft.metadata_file, &draft.metadata) {
        (None, None) => return Some(None),
        (Some(_), Some(_)) => {
            document.fault(&format!("{place}.metadata_file"), "must not be given together with metadata");
            return None;
        }
        (None, Some(text)) => ("metadata", text.clone()),
        (Some(name), None) => match read(&folder.join(name)) {
            Ok(text) => ("metadata_file", text),
            Err(error) => {
                document.fault(&format!("{place}.metadata_file"), format!("{name} cannot be read: {error}"));
                return None;
            }
        },
    };
    match metadata::described(&text) {
        Ok(described) => Some(Some(described)),
        Err(words) => {
            document.fault(&format!("{place}.{key}"), words.to_string());
            None
        }
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST_METADATA {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    std::fs::read_to_string(path)
}
