//! What can be permitted: one [`Module`] for each page of the console and chapter of the management API, one [`Deed`] for each
//! kind of thing that is done there (R-012).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The two parts of the console (R-011).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Applications, policies, settings, logs.
    Access,
    /// People, tokens, templates, tasks, reports.
    Tokens,
}

/// A page of the console with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the page that `title` names")]
pub enum Module {
    Dashboard,
    Applications,
    AccessPolicies,
    SelfProvisioning,
    Rollout,
    Funnel,
    Explain,
    Preflight,
    Settings,
    Branding,
    Messages,
    Alerts,
    AccessLog,
    AuditLog,
    ApiKeys,
    Users,
    AccountCare,
    Groups,
    Tokens,
    TokenStates,
    TokenCare,
    HelpDeskCodes,
    Platforms,
    TokenTemplates,
    ServerSidePin,
    UserPolicies,
    Provisioning,
    ProvisioningRules,
    EnrollmentHistory,
    Reports,
    Operators,
}

impl Module {
    /// Every module, in the order of the menu.
    pub const ALL: [Self; 31] = [
        Self::Dashboard,
        Self::Applications,
        Self::AccessPolicies,
        Self::SelfProvisioning,
        Self::Rollout,
        Self::Funnel,
        Self::Explain,
        Self::Preflight,
        Self::Settings,
        Self::Branding,
        Self::Messages,
        Self::Alerts,
        Self::AccessLog,
        Self::AuditLog,
        Self::ApiKeys,
        Self::Users,
        Self::AccountCare,
        Self::Groups,
        Self::Tokens,
        Self::TokenStates,
        Self::TokenCare,
        Self::HelpDeskCodes,
        Self::Platforms,
        Self::TokenTemplates,
        Self::ServerSidePin,
        Self::UserPolicies,
        Self::Provisioning,
        Self::ProvisioningRules,
        Self::EnrollmentHistory,
        Self::Reports,
        Self::Operators,
    ];

    /// The permission to do this here.
    #[must_use]
    pub const fn needs(self, deed: Deed) -> Permission {
        Permission { module: self, deed }
    }

    /// The part of the console that it belongs to.
    #[must_use]
    pub const fn part(self) -> Part {
        if (self as u8) < (Self::Users as u8) { Part::Access } else { Part::Tokens }
    }

    /// Its name for operators.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Dashboard => "Dashboard",
            Self::Applications => "Applications",
            Self::AccessPolicies => "Access policies",
            Self::SelfProvisioning => "Self-provisioning",
            Self::Rollout => "Rollout",
            Self::Funnel => "Funnel",
            Self::Explain => "Explain a login",
            Self::Preflight => "Preflight",
            Self::Settings => "Settings",
            Self::Branding => "Branding",
            Self::Messages => "Messages",
            Self::Alerts => "Alerts",
            Self::AccessLog => "Access logs",
            Self::AuditLog => "Audit log",
            Self::ApiKeys => "API keys",
            Self::Users => "Users",
            Self::AccountCare => "Unlocking and ending sessions",
            Self::Groups => "Groups",
            Self::Tokens => "Tokens",
            Self::TokenStates => "Suspending and revoking tokens",
            Self::TokenCare => "PINs, names and clocks of tokens",
            Self::HelpDeskCodes => "One-time passes and temporary codes",
            Self::Platforms => "Software token & push OTP settings",
            Self::TokenTemplates => "Token templates",
            Self::ServerSidePin => "Server-side PIN policy",
            Self::UserPolicies => "User policies",
            Self::Provisioning => "Provisioning tasks",
            Self::ProvisioningRules => "Provisioning rules",
            Self::EnrollmentHistory => "Enrollment history",
            Self::Reports => "Reports",
            Self::Operators => "Operators and roles",
        }
    }
}

/// A kind of thing that is done (R-012).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// See it.
    Access,
    /// Change what is there.
    Edit,
    /// Remove what is there.
    Delete,
    /// Make something new.
    Add,
    /// Bring files in.
    Import,
    /// Take files out.
    Export,
    /// See who changed it when.
    ViewLog,
}

impl Deed {
    /// Every deed.
    pub const ALL: [Self; 7] =
        [Self::Access, Self::Edit, Self::Delete, Self::Add, Self::Import, Self::Export, Self::ViewLog];

    /// Its name for operators.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Access => "Access",
            Self::Edit => "Edit",
            Self::Delete => "Delete",
            Self::Add => "Add",
            Self::Import => "Import",
            Self::Export => "Export",
            Self::ViewLog => "View log",
        }
    }
}

/// One deed in one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission {
    /// Where.
    pub module: Module,
    /// What.
    pub deed: Deed,
}

/// What a role may do. Whatever is not in it is not allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<Module, BTreeSet<Deed>>);

impl Permissions {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self(Module::ALL.into_iter().map(|module| (module, Deed::ALL.into_iter().collect())).collect())
    }

    /// These.
    #[must_use]
    pub fn of(list: &[(Module, &[Deed])]) -> Self {
        list.iter().flat_map(|(module, deeds)| deeds.iter().map(|deed| module.needs(*deed))).collect()
    }

    /// Whether this is permitted. Whoever may not see something may do nothing else there either.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        let deeds = self.0.get(&permission.module);
        deeds.is_some_and(|deeds| deeds.contains(&Deed::Access) && deeds.contains(&permission.deed))
    }

    /// Whether all of it is in `other`, too.
    #[must_use]
    pub fn within(&self, other: &Self) -> bool {
        self.iter()
            .all(|permission| other.0.get(&permission.module).is_some_and(|deeds| deeds.contains(&permission.deed)))
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        self.0.iter().flat_map(|(module, deeds)| deeds.iter().map(|deed| module.needs(*deed)))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        let mut all: BTreeMap<Module, BTreeSet<Deed>> = BTreeMap::new();
        for Permission { module, deed } in permissions {
            all.entry(module).or_default().insert(deed);
        }
        Self(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-011, R-012.
    #[test]
    fn modules_are_listed_once_and_lie_in_two_parts() {
        let listed: BTreeSet<Module> = Module::ALL.into_iter().collect();
        assert_eq!(listed.len(), Module::ALL.len());
        assert!(Module::ALL.is_sorted(), "the menu has the order of the modules");
        assert_eq!((Module::ApiKeys.part(), Module::Users.part()), (Part::Access, Part::Tokens));
        let text = serde_json::to_string(&Permissions::of(&[(Module::Users, &[Deed::Access])])).expect("JSON");
        assert_eq!(text, r#"{"users":["access"]}"#);
        assert!(serde_json::from_str::<Permissions>(r#"{"everything":["access"]}"#).is_err());
    }

    #[test]
    fn whoever_may_not_see_it_may_do_nothing_there() {
        let blind = Permissions::of(&[(Module::Users, &[Deed::Edit])]);
        assert!(!blind.may(Module::Users.needs(Deed::Edit)) && !blind.may(Module::Users.needs(Deed::Access)));
    }
}
