//! Token templates as operators change them (A10): every effective change is a version, with its history and audit event.

use serde_json::json;

use super::{Desk, tenants};
use crate::domain::audit::Action;
use crate::domain::authenticator::kinds::differences;
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::TenantId;
use crate::domain::tenant::{TenantConfig, TokenTemplates};
use crate::storage::tokens::{self, Token};
use crate::storage::{self, Connection, template_changes};

/// Writes down what differs between the templates before and after a change. The versions have been
/// counted up by whoever made the change, see [`TokenTemplate::changed_to`].
///
/// # Errors
/// If the database fails.
pub(super) async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    before: &TokenTemplates,
    after: &TokenTemplates,
) -> storage::Result<()> {
    for kind in Kind::ALL {
        let (old, new) = (before.of_kind(kind), after.of_kind(kind));
        let changed = differences(old, new);
        if changed.is_empty() {
            continue;
        }
        let when = (&desk.actor, desk.now);
        template_changes::insertion(tenant, (kind, new.version), when, &changed).run(&mut *connection).await?;
        let detail = json!({ "type": kind.id(), "version": new.version, "changed": changed });
        desk.record(connection, tenant, Action::TemplateChanged, ("template", kind.id().to_owned()), detail).await?;
    }
    Ok(())
}

/// Gives a template the values it was shipped with. Says its new version, or `None` if it has them already.
///
/// # Errors
/// If the database fails, or somebody else changed the virtual server meanwhile.
pub async fn restore(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    kind: Kind,
) -> storage::Result<Option<u32>> {
    let mut after = config.clone();
    let template = after.settings.token_templates.of_kind_mut(kind);
    let restored = template.changed_to(TokenTemplate::shipped(kind));
    if restored == *template {
        return Ok(None);
    }
    let version = restored.version;
    *template = restored;
    tenants::change(desk, connection, config, &after).await?;
    Ok(Some(version))
}

/// Asks the owners of these tokens to enroll anew while their template's version is lower than `before`; 0 asks for nothing
/// any more. Says how many tokens were changed by this.
///
/// # Errors
/// If the database fails.
pub async fn ask_again(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    tokens: &[Token],
    before: u32,
) -> storage::Result<u64> {
    let mut serials = Vec::new();
    for token in tokens {
        if token.renew_before != before && tokens::ask_again(connection, tenant, token.id, before, desk.now).await? {
            serials.push(token.serial.as_str());
        }
    }
    let changed = u64::try_from(serials.len()).unwrap_or(u64::MAX);
    if changed > 0 {
        let detail = json!({ "before_version": before, "serials": serials });
        let object = ("template", before.to_string());
        desk.record(connection, tenant, Action::RenewalAsked, object, detail).await?;
    }
    Ok(changed)
}
