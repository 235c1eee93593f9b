//! Keys to this API.

use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, created, done, ok};
use super::operators::time;
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::ids::ApiKeyId;
use crate::domain::operator::{Deed, Module, Role};
use crate::domain::secret::ExposeSecret as _;
use crate::flow::administration::operators::{self, KeyDraft};
use crate::http::guard::Program;
use crate::storage::Connection;
use crate::storage::operators::{self as stored, ApiKey};

/// A key; its secret is known to nobody but its program (T-58).
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ApiKey")]
struct KeyView {
    /// Its identifier.
    id: String,
    /// What it is for.
    name: String,
    /// `operator`, `help_desk`, `auditor`, or the identifier of an own role.
    role: String,
    /// When it was made.
    created_at: String,
    /// By whom, as they were called then.
    created_by: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was used last, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

/// A key that is to be made.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct KeyWanted {
    /// What it is for, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// `operator`, `help_desk`, `auditor`, or the identifier of an own role; not more than the key that makes it.
    #[schemars(with = "String")]
    role: Role,
    /// Days until it ends, 1 to 3650; absent: it works until it is revoked.
    #[schemars(range(min = 1, max = 3650))]
    days: Option<u64>,
}

/// A key that was made, with what is shown only now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct KeyMade {
    /// Its identifier.
    id: String,
    /// The key itself; it is not shown again.
    key: String,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::ApiKeys.needs(deed);
    api.get("api-keys", needs(Deed::Access), "All keys", list).gives::<Page<KeyView>>(200);
    api.route(Method::POST, "api-keys", needs(Deed::Add), "Make a key", make)
        .takes::<KeyWanted>()
        .gives::<KeyMade>(201);
    api.route(Method::DELETE, "api-keys/{key}", needs(Deed::Delete), "Revoke a key", revoke).gives_nothing();
}

fn view(key: &ApiKey) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: key.name.clone(),
        role: key.role.to_string(),
        created_at: key.created_at.rfc3339(),
        created_by: key.created_by.clone(),
        expires_at: time(key.expires_at),
        last_used_at: time(key.last_used_at),
        revoked_at: time(key.revoked_at),
    }
}

async fn list(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let keys = program.call.site.house.db.look(async |connection| stored::keys(connection, tenant).await).await?;
    Ok(ok(&Page { items: keys.iter().map(view).collect(), next: None }))
}

async fn make(program: Program, Body(wanted): Body<KeyWanted>) -> Answer {
    let name = wanted.name.trim().to_owned();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Problem::field("name", "1 to 100 characters"));
    }
    if wanted.days.is_some_and(|days| !(1..=3650).contains(&days)) {
        return Err(Problem::field("days", "from 1 to 3650"));
    }
    let life = wanted.days.map(|days| std::time::Duration::from_secs(days * 86_400));
    let expires_at = life.map(|life| program.now().plus(life));
    let draft = KeyDraft { name, role: wanted.role, expires_at, made_by: program.key.name.clone() };
    let (desk, tenant, held) = (program.desk(), program.call.realm.tenant(), &program.permissions);
    let work = async |connection: &mut Connection| operators::make_key(&desk, connection, tenant, held, &draft).await;
    let (key, id) = desk.house.db.write(work).await??;
    Ok(created(&KeyMade { id: id.to_string(), key: key.expose_secret().to_owned() }))
}

async fn revoke(program: Program, Named(id): Named<ApiKeyId>) -> Answer {
    let (desk, tenant, held) = (program.desk(), program.call.realm.tenant(), &program.permissions);
    let work = async |connection: &mut Connection| operators::revoke_key(&desk, connection, tenant, held, id).await;
    desk.house.db.write(work).await??;
    Ok(done())
}
