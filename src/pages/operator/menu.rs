//! The menu of the console: two parts, and in them the pages that a role may see.

use crate::domain::operator::{Deed, Module, Part, Permissions};

/// The page of a module, below `/operator/`; `None` for what is done on the pages of others.
#[must_use]
pub const fn page(module: Module) -> Option<&'static str> {
    match module {
        Module::SelfProvisioning => Some("self-provisioning"),
        Module::Settings => Some("settings"),
        Module::Branding => Some("branding"),
        Module::Messages => Some("messages"),
        Module::Alerts => Some("alerts"),
        Module::Platforms => Some("platforms"),
        Module::TokenTemplates => Some("token-templates"),
        Module::ServerSidePin => Some("server-side-pin"),
        Module::UserPolicies => Some("user-policies"),
        Module::Applications => Some("applications"),
        Module::AccessPolicies => Some("policies"),
        Module::Explain => Some("explain"),
        Module::Preflight => Some("preflight"),
        Module::Dashboard => Some("dashboard"),
        Module::AccessLog => Some("access-log"),
        Module::AuditLog => Some("audit-log"),
        Module::EnrollmentHistory => Some("enrollment-history"),
        Module::Reports => Some("reports"),
        Module::ApiKeys => Some("api-keys"),
        Module::Operators => Some("operators"),
        Module::Users => Some("users"),
        Module::Groups => Some("groups"),
        Module::Tokens => Some("tokens"),
        Module::Provisioning => Some("provisioning"),
        Module::ProvisioningRules => Some("provisioning-rules"),
        Module::Rollout => Some("rollout"),
        Module::Funnel => Some("funnel"),
        _ => None,
    }
}

/// A part of the menu.
#[derive(Debug)]
pub struct MenuPart {
    /// Its heading.
    pub title: &'static str,
    /// Its pages.
    pub entries: Vec<Entry>,
}

/// A page in the menu.
#[derive(Debug)]
pub struct Entry {
    /// Its title.
    pub title: &'static str,
    /// Its address below `/operator/`.
    pub path: &'static str,
    /// Whether it is the one that is shown.
    pub current: bool,
}

/// The menu of somebody with these permissions, who looks at a page of `current`.
#[must_use]
pub fn menu(permissions: &Permissions, current: Module) -> Vec<MenuPart> {
    let parts = [(Part::Access, "Access management"), (Part::Tokens, "Token management")];
    let parts = parts.into_iter().map(|(part, title)| MenuPart {
        title,
        entries: Module::ALL
            .into_iter()
            .filter(|module| module.part() == part && permissions.may(module.needs(Deed::Access)))
            .filter_map(|module| {
                let current = module == current;
                page(module).map(|path| Entry { title: module.title(), path, current })
            })
            .collect(),
    });
    parts.filter(|part| !part.entries.is_empty()).collect()
}

/// Where somebody with these permissions begins.
#[must_use]
pub fn first(permissions: &Permissions) -> Option<&'static str> {
    let seen = Module::ALL.into_iter().filter(|module| permissions.may(module.needs(Deed::Access)));
    seen.filter_map(page).next()
}
