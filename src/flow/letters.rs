//! Letters that use cases send, in the transaction of what they tell of.

use std::time::Duration;

use super::case::Case;
use super::{House, Realm, Visit};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::storage::{self, Connection};

/// How long a notice is worth being sent.
pub(super) const NOTICE: Duration = Duration::from_secs(3 * 86_400);

/// Puts a notice to the person of a login into the outbox. Whoever has no address gets none.
pub(super) async fn send(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    letter: Letter,
) -> storage::Result<()> {
    let Some(member) = &case.member else { return Ok(()) };
    let visit = &speaking(visit, case);
    send_until(connection, house, realm, visit, &member.user, None, letter, visit.now.plus(NOTICE)).await
}

/// The visit in the language of the login's person, in the order in which its pages choose theirs. A form comes
/// before any page has looked whose login it is. The person's own language needs no proof here: the letter goes to nobody else.
pub(super) fn speaking(visit: &Visit, case: &Case) -> Visit {
    let login = case.login();
    let of_user = case.member.as_ref().and_then(|member| member.user.language.as_ref());
    let chosen = login.language.as_ref().or(of_user).or(login.wishes.languages.first());
    match chosen {
        Some(language) if !visit.chosen => Visit { language: language.clone(), ..visit.clone() },
        _ => visit.clone(),
    }
}

/// The visit in the language of whoever is logged in at the portal, in the order in which its pages choose theirs.
pub(super) fn at_portal(visit: &Visit, user: &User) -> Visit {
    match &user.language {
        Some(language) if !visit.chosen => Visit { language: language.clone(), ..visit.clone() },
        _ => visit.clone(),
    }
}

/// Puts a letter that is useful until `until` into the outbox; a page of `login` may wait for it.
#[expect(clippy::too_many_arguments, reason = "each is a field of the one envelope that is written here")]
pub(super) async fn send_until(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: &User,
    login: Option<crate::domain::ids::LoginId>,
    letter: Letter,
    until: Timestamp,
) -> storage::Result<()> {
    let Some(email) = &user.email else { return Ok(()) };
    let envelope = Envelope {
        to: email.clone(),
        name: user.display_name(),
        account: user.username.clone(),
        language: visit.language.clone(),
        tenant_code: realm.code().to_string(),
        organization: realm.config.tenant.name.clone(),
        help_contact: realm.config.settings.help_contact.clone(),
        letter,
    };
    house.post(connection, realm.tenant(), login, &envelope, visit.now, until).await.map(drop)
}
