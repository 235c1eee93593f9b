//! Whom a key makes its program, and what it may do.

use actix_web::HttpResponse;
use serde::Serialize;

use super::Api;
use super::io::ok;
use crate::domain::operator::Permissions;
use crate::http::guard::{Needs, Program};

/// A key, for the program that shows it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Me {
    /// The code of the virtual server.
    tenant: String,
    /// The identifier of the key.
    key: String,
    /// What the key is for.
    name: String,
    /// The name of its role.
    role: String,
    /// What it may do: for each module its deeds.
    #[schemars(with = "std::collections::BTreeMap<String, Vec<String>>")]
    permissions: Permissions,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    api.get("me", Needs::Any, "The key that is shown, and what it may do", me).gives::<Me>(200);
}

async fn me(program: Program) -> HttpResponse {
    let config = &program.call.realm.config;
    ok(&Me {
        tenant: config.tenant.code.to_string(),
        key: program.key.id.to_string(),
        name: program.key.name.clone(),
        role: config.role_name(program.key.role).to_owned(),
        permissions: program.permissions.clone(),
        expires_at: program.key.expires_at.map(crate::domain::timestamp::Timestamp::rfc3339),
    })
}
