//! The pictures on the pages of a virtual server. Title and colours are a section of the settings.

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Unsaved, save};
use crate::domain::audit::Action;
use crate::domain::branding::{Picture, Stored};
use crate::domain::fault::Fault;
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::storage::{Connection, pictures, tenants};

/// Sets a picture, or takes it away. `octets` are what the picture reader made: never what was sent.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn set_picture(
    desk: &Desk<'_>,
    code: &TenantCode,
    picture: Picture,
    made: Option<(Stored, Vec<u8>)>,
) -> Saved<Option<Stored>> {
    if let Some((stored, _)) = &made
        && let Some(words) = picture.size_fault(stored.width, stored.height)
    {
        return Err(Fault::new("file", words).into());
    }
    let draft = |before: &TenantConfig| {
        let mut after = before.clone();
        let pictures = &mut after.settings.branding.pictures;
        match &made {
            Some((stored, _)) => pictures.insert(picture, stored.clone()),
            None => pictures.remove(&picture),
        };
        Ok((after, made.as_ref().map(|(stored, _)| stored.clone())))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, _: &Option<Stored>| {
        let tenant = before.tenant.id;
        let old = before.settings.branding.pictures.get(&picture);
        if old.is_none() && made.is_none() {
            return Ok(());
        }
        // The version that was judged has been taken a moment ago, in this transaction.
        if !tenants::update(connection, &after.tenant, &after.settings, before.version + 1, desk.now).await? {
            return Err(crate::storage::Error::Contended);
        }
        match &made {
            Some((stored, octets)) => pictures::put(connection, tenant, picture, (stored, octets), desk.now).await?,
            None => pictures::remove(connection, tenant, picture).await?,
        }
        let detail = json!({ "old": old, "new": made.as_ref().map(|(stored, _)| stored) });
        desk.record(connection, tenant, Action::PictureChanged, ("picture", picture.id().to_owned()), detail).await
    };
    save(desk, code, Despite::BrokenCases, draft, store).await
}

/// Media type and octets of a picture that is stored.
///
/// # Errors
/// [`Unsaved::Gone`] if it is another one by now; if the database fails.
pub async fn picture(desk: &Desk<'_>, config: &TenantConfig, picture: Picture) -> Saved<(String, Vec<u8>)> {
    let stored = config.settings.branding.pictures.get(&picture).ok_or(Unsaved::Gone)?;
    let question = pictures::octets(config.tenant.id, picture, &stored.digest);
    desk.house.db.look(async |connection| question.ask(connection).await).await?.ok_or(Unsaved::Gone)
}
