//! The applications of an apply file.

use std::collections::HashMap;
use std::path::Path;

use crate::config::document::Document;
use crate::domain::application::{Application, ApplicationDraft, Common, Known as Names, Protocol};
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{self, key_of};
use crate::domain::oidc_client::{OidcClient, OidcClientDraft};
use crate::domain::resource::Resource;
use crate::domain::service_provider::{Described, ServiceProvider, ServiceProviderDraft};
use crate::domain::signing_key::StoredSigningKey;
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::Desk;
use crate::flow::administration::applications::{self as shared, Place};
use crate::saml::described;

/// The largest metadata file that is read.
const LARGEST_METADATA: u64 = shared::LARGEST_METADATA as u64;

/// What applications refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) groups: &'a name::Names<GroupId>,
    pub(super) users: &'a name::Names<UserId>,
    pub(super) resources: &'a [Resource],
    pub(super) keys: &'a [StoredSigningKey],
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
    typed: &[ApplicationDraft],
    config: &TenantConfig,
    known: Known<'_>,
) -> Vec<Application> {
    let mut wanted: Vec<Application> = Vec::new();
    for (index, entry) in typed.iter().enumerate() {
        let place = format!("{path}.application[{index}]");
        let before = config.applications.iter().find(|other| key_of(&other.name) == key_of(&entry.name));
        let mut faults = Faults::default();
        let names = Names { groups: known.groups, users: known.users };
        let Common { name, active, launch_url, assignment } = entry.common(before, names, &mut faults);
        document.faults(&place, faults.0);
        if name.is_empty() {
            continue;
        }
        if wanted.iter().any(|other| key_of(&other.name) == key_of(&name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
            continue;
        }
        let Some(protocol) = protocol(desk, document, &place, entry, before, config, known) else { continue };
        if wanted.iter().any(|other| other.protocol.key() == protocol.key()) {
            document.fault(&place, format!("has the same identifier as another application: {}", protocol.key()));
        }
        let id = before.map_or_else(|| desk.house.entropy.id(), |before| before.id);
        wanted.push(Application { id, name, active, launch_url, assignment, protocol });
    }
    wanted
}

fn protocol(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    entry: &ApplicationDraft,
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
            let before = before.and_then(|protocol| if let Protocol::Saml(it) = protocol { Some(&**it) } else { None });
            let mut provider = provider(desk, document, &format!("{place}.saml"), draft, before, known)?;
            if let Some(before) = before {
                provider.keep_end_of(before, desk.now);
            }
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
    let mut draft = draft.clone();
    let from_file = draft.jwks_file.take();
    if let Some(name) = &from_file {
        let key = format!("{place}.jwks_file");
        if draft.jwks.is_some() {
            document.fault(&key, "must not be given together with jwks");
            return None;
        }
        match read(&known.folder.join(name)) {
            Ok(text) => draft.jwks = Some(text),
            Err(error) => {
                document.fault(&key, format!("{name} cannot be read: {error}"));
                return None;
            }
        }
    }
    let (house, tenant, resources) = (desk.house, config.tenant.id, known.resources);
    match shared::client(Place { house, tenant, resources, now: desk.now }, &draft, before) {
        Ok(client) => Some(client),
        Err(faults) => {
            let moved = |fault: Fault| match fault.key.as_str() {
                "jwks" if from_file.is_some() => Fault::new("jwks_file", fault.words),
                _ => fault,
            };
            document.faults(place, faults.into_iter().map(moved));
            None
        }
    }
}

fn provider(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    place: &str,
    draft: &ServiceProviderDraft,
    before: Option<&ServiceProvider>,
    known: Known<'_>,
) -> Option<ServiceProvider> {
    let described = metadata(desk, document, place, draft, known)?;
    match shared::provider(draft, described.as_ref(), before, Some(known.keys)) {
        Ok(provider) => Some(provider),
        Err(faults) => {
            document.faults(place, faults);
            None
        }
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
    let described = text
        .and_then(|text| described::read_metadata(&text, entity_id, draft.metadata_certificate.as_deref(), desk.now));
    match described {
        Ok(described) => Some(Some(described)),
        Err(words) => {
            document.fault(&format!("{place}.{key}"), words);
            None
        }
    }
}

/// The metadata at every address that the file names, or why it is not there.
pub(super) async fn fetched(desk: &Desk<'_>, typed: &[ApplicationDraft]) -> HashMap<String, Result<String, String>> {
    let urls = typed.iter().filter_map(|entry| entry.saml.as_ref()?.metadata_url.clone());
    let calls = urls.map(async |url| {
        let text = shared::fetch(&desk.house.egress, &url).await;
        (url, text)
    });
    futures_util::future::join_all(calls).await.into_iter().collect()
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > LARGEST_METADATA {
        return Err(std::io::Error::other("it is larger than 4 MiB"));
    }
    std::fs::read_to_string(path)
}
