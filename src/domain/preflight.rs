//! Whether everything is right before a rollout begins: findings in red, amber and green, each with what to do; and those
//! that follow from the configuration of a virtual server alone.

use serde::Serialize;

use crate::domain::group::uses_of_group;
use crate::domain::ids::GroupId;
use crate::domain::policy::access::{AccessPolicy, Method, Verdict};
use crate::domain::policy::provisioning::{TargetUsers, WindowsLink};
use crate::domain::tenant::TenantConfig;

/// How good it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// As it should be.
    Green,
    /// It works, and should be looked at; or nothing could be said.
    Amber,
    /// People will be stopped by it, or an attacker will not.
    Red,
}

impl Light {
    /// Its word.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// What was looked at, as a stable name.
    pub what: &'static str,
    /// How good it is.
    pub light: Light,
    /// What was found.
    pub found: String,
    /// What to do; nothing where it is green.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_do: Option<String>,
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn green(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, light: Light::Green, found: found.into(), to_do: None }
    }

    /// To be looked at.
    #[must_use]
    pub fn amber(what: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { what, light: Light::Amber, found: found.into(), to_do: Some(to_do.into()) }
    }

    /// To be mended.
    #[must_use]
    pub fn red(what: &'static str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { what, light: Light::Red, found: found.into(), to_do: Some(to_do.into()) }
    }
}

/// The worst of them; green if there is none.
#[must_use]
pub fn worst(findings: &[Finding]) -> Light {
    findings.iter().map(|finding| finding.light).max().unwrap_or(Light::Green)
}

/// What the configuration of a virtual server says by itself.
#[must_use]
pub fn of_config(config: &TenantConfig) -> Vec<Finding> {
    vec![platforms(config), policies(config), passcodes(config), links(config)]
}

///
fn platforms(config: &TenantConfig) -> Finding {
    let allowed = config.settings.platforms.allowed();
    if config.settings.self_provisioning.target_users == TargetUsers::NoUsers {
        return Finding::green("platforms", "self-provisioning is off (target_users is none)");
    }
    if allowed.is_empty() {
        return Finding::red(
            "platforms",
            "no platform is allowed: enrollment is offered to nobody",
            "allow one under Token Policies > Allowed Targets, or [tenant.platforms.ios] allowed = true",
        );
    }
    let names: Vec<&str> = allowed.iter().map(|platform| platform.id()).collect();
    Finding::green("platforms", format!("allowed: {}", names.join(", ")))
}

/// Every verdict with the name under which it is known.
fn verdicts(config: &TenantConfig) -> Vec<(String, &Verdict)> {
    let all = config.policies.exceptions.iter().chain(std::iter::once(&config.policies.global));
    let of = |policy: &AccessPolicy| policy.name.clone();
    all.flat_map(|policy| {
        let scenarios =
            policy.scenarios.iter().map(move |it| (format!("{}, scenario {}", of(policy), it.name), &it.verdict));
        std::iter::once((of(policy), &policy.verdict)).chain(scenarios)
    })
    .collect()
}

/// with a policy that asks for a passcode and for no password, the mailbox alone lets somebody enroll.
fn policies(config: &TenantConfig) -> Finding {
    let bare = |verdict: &Verdict| verdict.requires(Method::Otp) && !verdict.requires(Method::Password);
    let found: Vec<String> =
        verdicts(config).into_iter().filter(|(_, verdict)| bare(verdict)).map(|(name, _)| name).collect();
    let settings = &config.settings.self_provisioning;
    if found.is_empty() {
        return Finding::green("password", "every policy that asks for a passcode asks for the password first");
    }
    let names = found.join("; ");
    if settings.require_password {
        return Finding::green(
            "password",
            format!("enrollment demands the password where these policies do not: {names}"),
        );
    }
    Finding::red(
        "password",
        format!("without a password, possession of the mailbox alone lets a person enroll: {names}"),
        "add password to what these policies require, or set require_password = true for self-provisioning",
    )
}

fn passcodes(config: &TenantConfig) -> Finding {
    let asking = verdicts(config).iter().filter(|(_, verdict)| verdict.requires(Method::Otp)).count();
    if asking == 0 {
        return Finding::amber(
            "passcodes",
            "no policy asks for a passcode: nobody will be asked for one, and enrollment is offered to nobody",
            "add otp to what a policy requires",
        );
    }
    Finding::green("passcodes", "passcodes are asked for")
}

///
fn links(config: &TenantConfig) -> Finding {
    let settings = &config.settings.self_provisioning;
    let faults: Vec<String> = settings.faults().into_iter().map(|(key, words)| format!("{key} {words}")).collect();
    if !faults.is_empty() {
        let found = faults.join("; ");
        return Finding::red("self_provisioning", found, "mend it under Settings > Self-Provisioning");
    }
    let warnings: Vec<String> = settings.warnings().into_iter().map(|(key, words)| format!("{key} {words}")).collect();
    if !warnings.is_empty() {
        let found = warnings.join("; ");
        return Finding::amber("self_provisioning", found, "open the address yourself, and see what comes");
    }
    let link = match settings.windows_link {
        WindowsLink::None => "the Windows page shows no link",
        WindowsLink::Store => "the Windows page links to the Microsoft Store",
        WindowsLink::Installer => "the Windows page links to an installer",
    };
    Finding::green("self_provisioning", link)
}

/// Every group that something refers to, with what does; groups that are not there are left out.
#[must_use]
pub fn groups_in_use(config: &TenantConfig) -> Vec<(GroupId, Vec<String>)> {
    config
        .groups
        .iter()
        .map(|group| (group.id, uses_of_group(config, group.id)))
        .filter(|it| !it.1.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::application::{Application, Assignment, Protocol};
    use crate::domain::group::Group;
    use crate::domain::ids::{ApplicationId, PolicyId, TenantId};
    use crate::domain::policy::access::{AccessPolicies, Requirement, Scenario};
    use crate::domain::policy::platform::{Platform, PlatformMatrix, Rule};
    use crate::domain::tenant::{Status, Tenant, TenantSettings};
    use crate::domain::timestamp::Timestamp;

    fn policy(name: &str, methods: &[Method]) -> AccessPolicy {
        AccessPolicy {
            id: PolicyId::from_bits(1),
            name: name.to_owned(),
            applications: vec![],
            groups: vec![],
            networks: vec![],
            scenarios: vec![],
            verdict: Verdict::Grant(methods.iter().map(|it| Requirement::once_per_session(*it)).collect()),
        }
    }

    fn config() -> TenantConfig {
        let tenant = Tenant {
            id: TenantId::from_bits(1),
            code: "acme".parse().expect("a code"),
            name: "Acme".to_owned(),
            status: Status::Enabled,
            default_language: "en".to_owned(),
            created_at: Timestamp::from_seconds(1),
        };
        let pilot = Group { id: GroupId::from_bits(1), name: "pilot".to_owned() };
        let portal = Application {
            id: ApplicationId::from_bits(1),
            name: "Portal".to_owned(),
            active: true,
            launch_url: None,
            assignment: Assignment::Everyone,
            protocol: Protocol::Portal,
        };
        let global = policy("Global policy", &[Method::Password, Method::Otp]);
        let console = Application::console(tenant.id, &[]);
        TenantConfig {
            console,
            operators: vec![],
            roles: vec![],
            messages: std::sync::Arc::default(),
            tenant,
            settings: TenantSettings::default(),
            groups: vec![pilot],
            applications: vec![portal],
            policies: AccessPolicies { exceptions: vec![], global },
            version: 1,
        }
    }

    fn light(config: &TenantConfig, what: &str) -> Light {
        of_config(config).into_iter().find(|finding| finding.what == what).expect("looked at").light
    }

    /// each thing that stops people, or lets too many in, has its light; a new virtual server is
    /// green throughout, and whatever is not green says what to do.
    #[test]
    fn what_stops_people_is_red() {
        let good = config();
        assert_eq!(worst(&of_config(&good)), Light::Green);
        let mut none = good.clone();
        none.settings.platforms = PlatformMatrix::default();
        for platform in Platform::ALL {
            none.settings.platforms.set(platform, Rule::default());
        }
        assert_eq!(light(&none, "platforms"), Light::Red);
        none.settings.self_provisioning.target_users = TargetUsers::NoUsers;
        assert_eq!(light(&none, "platforms"), Light::Green, "it is off anyway");
        let mut bare = good.clone();
        bare.policies.exceptions.push(AccessPolicy {
            scenarios: vec![Scenario {
                name: "Abroad".to_owned(),
                conditions: vec![],
                verdict: policy("", &[Method::Otp]).verdict,
            }],
            ..policy("Wiki", &[Method::Password])
        });
        assert_eq!(light(&bare, "password"), Light::Green, "the password is demanded for enrollment");
        bare.settings.self_provisioning.require_password = false;
        assert_eq!(light(&bare, "password"), Light::Red);
        let mut lax = good.clone();
        lax.policies.global = policy("Global policy", &[Method::Password]);
        assert_eq!(light(&lax, "passcodes"), Light::Amber);
        let mut link = good.clone();
        link.settings.self_provisioning.windows_link = WindowsLink::Installer;
        assert_eq!(light(&link, "self_provisioning"), Light::Red);
        link.settings.self_provisioning.installer_url = Some("https://example.com/download".to_owned());
        assert_eq!(light(&link, "self_provisioning"), Light::Amber);
        for finding in [&none, &bare, &lax, &link].into_iter().flat_map(of_config) {
            assert_eq!(finding.to_do.is_some(), finding.light != Light::Green, "{finding:?}");
        }
    }

    /// whoever removes a group is told of everything that refers to it.
    #[test]
    fn what_refers_to_a_group_is_known() {
        let mut config = config();
        let pilot = GroupId::from_bits(1);
        assert_eq!(groups_in_use(&config), []);
        config.settings.self_provisioning.groups = vec![pilot];
        config.policies.exceptions.push(AccessPolicy { groups: vec![pilot], ..policy("Pilot", &[Method::Otp]) });
        config.applications[0].assignment = Assignment::Chosen { groups: vec![pilot], users: vec![] };
        let uses = ["self-provisioning", "the policy \"Pilot\"", "the application \"Portal\""];
        assert_eq!(groups_in_use(&config), [(pilot, uses.map(str::to_owned).to_vec())]);
    }
}
