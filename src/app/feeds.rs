//! Metadata of service providers that is fetched again and again, so that nobody has to tell us of a new certificate
//! (R-483, T-39, T-52).

use anyhow::Context as _;

use crate::domain::application::{Application, Protocol};
use crate::domain::service_provider::ServiceProvider;
use crate::domain::tenant::TenantCode;
use crate::flow::administration::applications::fetch;
use crate::flow::administration::{Desk, tenants as administration};
use crate::flow::round::Round;
use crate::keys::x509::Certificate;
use crate::saml::{described, encrypt};
use crate::storage::{self, tenants};

/// Fetches every feed of every virtual server, and stores what has changed. What is wrong with one keeps no other from
/// being looked at; it goes to the log, and the registration stays as it was.
///
/// # Errors
/// If the database fails.
pub async fn refresh(desk: &Desk<'_>) -> anyhow::Result<()> {
    let codes = desk.house.db.look(async |connection| tenants::codes(connection).await).await?;
    let mut round = Round::default();
    for code in codes {
        round.of(&code, refresh_of(desk, &code).await);
    }
    round.end(())
}

async fn refresh_of(desk: &Desk<'_>, code: &TenantCode) -> anyhow::Result<()> {
    let found = desk.house.db.look(async |connection| tenants::config(connection, code).await).await?;
    let Some(config) = found else { return Ok(()) };
    let mut version = config.version;
    for application in &config.applications {
        let Protocol::Saml(provider) = &application.protocol else { continue };
        if provider.feed.is_none() {
            continue;
        }
        match newer(desk, provider).await {
            Ok(Some(newer)) => {
                let changed = Application { protocol: Protocol::Saml(Box::new(newer)), ..application.clone() };
                if store(desk, code, version, &changed).await? {
                    version += 1;
                    tracing::info!(tenant = %code, application = application.name, "newer metadata counts from now on");
                }
            }
            Ok(None) => {}
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(tenant = %code, application = application.name, error, "metadata was not taken");
            }
        }
    }
    Ok(())
}

/// The service provider as its feed describes it now; `None` if that is what is known.
async fn newer(desk: &Desk<'_>, provider: &ServiceProvider) -> anyhow::Result<Option<ServiceProvider>> {
    let Some(feed) = &provider.feed else { return Ok(None) };
    let text = fetch(&desk.house.egress, &feed.url).await.map_err(anyhow::Error::msg).context(feed.url.clone())?;
    let described = described::signed(&text, &feed.certificate, Some(&provider.entity_id), desk.now)?;
    let newer = provider.refreshed(&described, desk.now).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", faults.join("; "))
    })?;
    anyhow::ensure!(
        newer.certificates.iter().all(|certificate| Certificate::of_base64(certificate).is_some()),
        "a certificate in it cannot be read"
    );
    if let Some(encryption) = &newer.encryption {
        encrypt::key_of(&encryption.certificate).context("the certificate for encryption")?;
    }
    Ok((newer != *provider).then_some(newer))
}

/// Says whether it was stored, which makes the version of the virtual server the next one. An operator who changes something at
/// this moment is right; the next look finds what is left to do.
async fn store(desk: &Desk<'_>, code: &TenantCode, version: i64, application: &Application) -> anyhow::Result<bool> {
    let stored = desk.house.db.write(async |connection| {
        let Some(config) = tenants::config(connection, code).await?.filter(|config| config.version >= version) else {
            return Ok(false);
        };
        let tenant = config.tenant.id;
        if config.application(application.id).is_none_or(|known| known.protocol.key() != application.protocol.key()) {
            return Ok(false);
        }
        // Taken before anything is written: whoever changes it at this moment is waited for, and not undone.
        if !tenants::take_version(connection, tenant, version, desk.now).await? {
            return Err(storage::Error::Contended);
        }
        administration::put_application(desk, connection, tenant, application, false).await?;
        Ok(true)
    });
    let stored = match stored.await {
        Err(storage::Error::Contended) => false,
        stored => stored?,
    };
    if stored {
        desk.house.forget_realms();
    }
    Ok(stored)
}
