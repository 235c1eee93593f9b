//! Writes an apply file of what is there, without passwords, client secrets and OTP secrets.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::{Table, Value};

use super::current::Current;
use crate::domain::application::{Application, Assignment, Protocol};
use crate::domain::ids::{ApplicationId, GroupId, UserId};
use crate::domain::message::Message;
use crate::domain::oidc_client::OidcClient;
use crate::domain::operator::{Operator, OwnRole};
use crate::domain::policy::access::{AccessPolicy, Condition, Frequency, Requirement, Verdict};
use crate::domain::policy::platform::Platform;
use crate::domain::policy::staging::Wave;
use crate::domain::policy::test_case::{Says, TestCase};
use crate::domain::provisioning_rule::ProvisioningRule;
use crate::domain::service_provider::{AcsUrl, ServiceProvider};
use crate::domain::tenant::{Status, TenantCode};
use crate::domain::user;
use crate::storage::Db;

const HEAD: &str = "# Written by `vestibule export`. Passwords, client secrets and the secrets of authenticators are not part of\n\
    # it: `vestibule apply` keeps the stored ones.\n\n";

#[derive(Serialize)]
struct File {
    tenant: Vec<Tenant>,
}

#[derive(Serialize)]
struct Tenant {
    code: String,
    name: String,
    default_language: String,
    help_contact: String,
    enabled: bool,
    self_provisioning: Table,
    platforms: BTreeMap<&'static str, Value>,
    token_template: BTreeMap<&'static str, Table>,
    server_side_pin: Table,
    tokens: Table,
    email_code: Table,
    login: Table,
    lockout: Table,
    session: Table,
    windows: Table,
    alerts: Table,
    enrollment_mail: Table,
    logs: Table,
    branding: Table,
    group: Vec<Table>,
    user: Vec<Table>,
    resource: Vec<Table>,
    provisioning_rule: Vec<Table>,
    role: Vec<Table>,
    operator: Vec<Table>,
    application: Vec<Table>,
    global_policy: Table,
    access_policy: Vec<Table>,
    test_case: Vec<Table>,
    message: Vec<Table>,
}

/// The apply file of a virtual server, if there is one with this code.
///
/// # Errors
/// If the database fails.
pub async fn tenant(db: &Db, code: &TenantCode) -> anyhow::Result<Option<String>> {
    let current = db.read(async |connection| Current::of(connection, code).await).await?;
    let Some(current) = current else { return Ok(None) };
    let file = File { tenant: vec![written(&current)] };
    Ok(Some(format!("{HEAD}{}", toml::to_string(&file)?)))
}

/// A wave of the rollout, with names and times that can be read.
fn wave(names: &Names<'_>, wave: &Wave) -> Value {
    let mut entry = table(wave);
    entry.remove("id");
    set(&mut entry, "starts_at", wave.starts_at.rfc3339());
    if let Some(deadline) = wave.deadline {
        set(&mut entry, "deadline", deadline.rfc3339());
    }
    set_list(&mut entry, "groups", wave.groups.iter().filter_map(|id| names.group(*id)));
    Value::Table(entry)
}

/// Names instead of identifiers.
struct Names<'a> {
    current: &'a Current,
}

impl Names<'_> {
    fn group(&self, id: GroupId) -> Option<Value> {
        self.current.config.group_name(id).map(Value::from)
    }

    fn user(&self, id: UserId) -> Option<Value> {
        let mut people = self.current.people.values();
        people.find(|user| user.id == id).map(|user| Value::from(user.username.as_str()))
    }

    fn application(&self, id: ApplicationId) -> Option<Value> {
        self.current.config.application(id).map(|application| Value::from(application.name.as_str()))
    }
}

fn role(role: &OwnRole) -> Table {
    let name = ("name".to_owned(), Value::from(role.name.as_str()));
    Table::from_iter([name, ("permissions".to_owned(), Value::Table(table(&role.permissions)))])
}

fn operator(current: &Current, operator: &Operator) -> Table {
    let values = [("username", operator.username.as_str()), ("role", current.config.role_name(operator.role))];
    values.into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

fn written(current: &Current) -> Tenant {
    let names = Names { current };
    let (tenant, settings) = (&current.config.tenant, &current.config.settings);
    let mut self_provisioning = table(&settings.self_provisioning);
    // Written by the service.
    self_provisioning.remove("earlier");
    set_list(
        &mut self_provisioning,
        "groups",
        settings.self_provisioning.groups.iter().filter_map(|id| names.group(*id)),
    );
    let waves: Vec<Value> = settings.self_provisioning.staging.wave.iter().map(|one| wave(&names, one)).collect();
    self_provisioning.remove("wave");
    if !waves.is_empty() {
        self_provisioning.insert("wave".to_owned(), Value::Array(waves));
    }
    let template = |template| {
        let mut template = table(template);
        // Counted by the service.
        template.remove("version");
        template
    };
    let templates = &settings.token_templates;
    let mut people: Vec<_> = current.people.values().collect();
    people.sort_by(|a, b| a.username.cmp(&b.username));
    let groups = current
        .config
        .groups
        .iter()
        .map(|group| Table::from_iter([("name".to_owned(), Value::from(group.name.as_str()))]));
    Tenant {
        code: tenant.code.to_string(),
        name: tenant.name.clone(),
        default_language: tenant.default_language.clone(),
        help_contact: settings.help_contact.clone(),
        enabled: tenant.status == Status::Enabled,
        self_provisioning,
        platforms: Platform::ALL
            .into_iter()
            .map(|it| (it.id(), Value::Table(table(&settings.platforms.rule(it)))))
            .collect(),
        token_template: BTreeMap::from([
            ("app", template(&templates.app)),
            ("oath_app", template(&templates.oath_app)),
            ("oath", template(&templates.oath)),
        ]),
        server_side_pin: table(&settings.server_side_pin),
        tokens: table(&settings.tokens),
        email_code: table(&settings.email_code),
        login: table(&settings.login),
        lockout: table(&settings.lockout),
        session: table(&settings.session),
        windows: table(&settings.windows),
        alerts: table(&settings.alerts),
        enrollment_mail: table(&settings.enrollment_mail),
        logs: table(&settings.logs),
        branding: {
            let mut entry = table(&settings.branding);
            entry.remove("pictures");
            entry
        },
        group: groups.collect(),
        user: people.into_iter().map(|person| user(&names, person)).collect(),
        resource: settings.resources.iter().map(table).collect(),
        provisioning_rule: settings.provisioning_rules.iter().map(|rule| rule_entry(&names, rule)).collect(),
        role: current.config.roles.iter().map(role).collect(),
        operator: current.config.operators.iter().map(|it| operator(current, it)).collect(),
        application: current.config.applications.iter().map(|it| application(&names, it)).collect(),
        global_policy: policy(&names, &current.config.policies.global, false),
        access_policy: current.config.policies.exceptions.iter().map(|it| policy(&names, it, true)).collect(),
        test_case: current.test_cases.iter().filter_map(|case| test_case(&names, case)).collect(),
        message: current.config.messages.iter().map(message).collect(),
    }
}

fn message(message: &Message) -> Table {
    let mut entry = table(&message.words);
    set(&mut entry, "name", message.name.as_str());
    set(&mut entry, "language", message.language.as_str());
    entry
}

/// A case whose person and application are there.
fn test_case(names: &Names<'_>, case: &TestCase) -> Option<Table> {
    let Says { user, application, address, expects } = &case.says;
    let mut entry = table(expects);
    set(&mut entry, "name", case.name.as_str());
    set(&mut entry, "user", names.user(*user)?);
    set(&mut entry, "application", names.application(*application)?);
    set(&mut entry, "address", address.to_string());
    Some(entry)
}

fn rule_entry(names: &Names<'_>, rule: &ProvisioningRule) -> Table {
    let mut entry = table(rule);
    // Names find them again.
    entry.remove("id");
    set_list(&mut entry, "groups", rule.groups.iter().filter_map(|id| names.group(*id)));
    entry
}

/// A settings document as a table; what is not set is left out.
fn table(value: &impl Serialize) -> Table {
    Table::try_from(value).unwrap_or_default()
}

fn set(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

/// Sets a list, unless it is empty.
fn set_list(table: &mut Table, key: &str, values: impl Iterator<Item = Value>) {
    let values: Vec<Value> = values.collect();
    table.remove(key);
    if !values.is_empty() {
        set(table, key, values);
    }
}

fn user(names: &Names<'_>, person: &user::User) -> Table {
    let mut entry = Table::new();
    set(&mut entry, "username", person.username.as_str());
    let texts = [
        ("email", person.email.as_deref()),
        ("alias", person.alias.as_deref()),
        ("phone", person.phone.as_ref().map(|phone| phone.number.as_str())),
        ("first_name", Some(person.first_name.as_str())),
        ("last_name", Some(person.last_name.as_str())),
        ("language", person.language.as_deref()),
    ];
    for (key, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            set(&mut entry, key, text);
        }
    }
    if person.phone.as_ref().is_some_and(|phone| phone.verified) {
        set(&mut entry, "phone_verified", true);
    }
    if person.status == user::Status::Disabled {
        set(&mut entry, "enabled", false);
    }
    let mut groups: Vec<GroupId> = names.current.memberships.get(&person.id).into_iter().flatten().copied().collect();
    groups.sort_unstable();
    let groups: Vec<Value> = groups.into_iter().filter_map(|id| names.group(id)).collect();
    set(&mut entry, "groups", groups);
    entry
}

fn application(names: &Names<'_>, application: &Application) -> Table {
    let mut entry = Table::new();
    set(&mut entry, "name", application.name.as_str());
    if !application.active {
        set(&mut entry, "active", false);
    }
    match &application.assignment {
        Assignment::Everyone => set(&mut entry, "assigned_to", "everyone"),
        Assignment::Chosen { groups, users } => {
            let mut chosen = Table::new();
            set(&mut chosen, "groups", groups.iter().filter_map(|id| names.group(*id)).collect::<Vec<_>>());
            set(&mut chosen, "users", users.iter().filter_map(|id| names.user(*id)).collect::<Vec<_>>());
            set(&mut entry, "assigned_to", chosen);
        }
    }
    if let Some(address) = &application.launch_url {
        set(&mut entry, "launch_url", address.as_str());
    }
    match &application.protocol {
        Protocol::Oidc(client) => set(&mut entry, "oidc", oidc(client)),
        Protocol::Saml(provider) => set(&mut entry, "saml", saml(provider)),
        Protocol::Portal | Protocol::Console => {}
    }
    entry
}

fn oidc(client: &OidcClient) -> Table {
    let mut entry = Table::new();
    set(&mut entry, "client_id", client.client_id.as_str());
    set_list(&mut entry, "redirect_uris", client.redirect_uris.iter().map(|uri| uri.as_str().into()));
    let after = client.post_logout_redirect_uris.iter().map(|uri| uri.as_str().into());
    set_list(&mut entry, "post_logout_redirect_uris", after);
    if let Some(address) = &client.backchannel_logout_uri {
        set(&mut entry, "backchannel_logout_uri", address.as_str());
    }
    if let Some(address) = &client.frontchannel_logout_uri {
        set(&mut entry, "frontchannel_logout_uri", address.as_str());
    }
    set(&mut entry, "token_endpoint_auth_method", client.authentication.name());
    set_list(&mut entry, "scopes", client.scopes.iter().map(|scope| scope.name().into()));
    rules(&mut entry, "claims", &client.claims);
    set(&mut entry, "id_token_signed_response_alg", client.id_token_algorithm.name());
    set(&mut entry, "require_pkce", client.require_pkce);
    entry.extend(Value::try_from(client.subject_type).map(|value| ("subject_type".to_owned(), value)));
    entry.extend(Value::try_from(client.consent).map(|value| ("consent".to_owned(), value)));
    if let Some(algorithm) = client.userinfo_algorithm {
        set(&mut entry, "userinfo_signed_response_alg", algorithm.name());
    }
    if let Some(sector) = &client.sector_identifier {
        set(&mut entry, "sector_identifier", sector.as_str());
    }
    set_list(&mut entry, "resources", client.resources.iter().map(|resource| resource.as_str().into()));
    for (key, set_to) in [
        ("client_credentials", client.client_credentials),
        ("device_authorization", client.device_authorization),
        ("require_pushed_authorization_requests", client.require_pushed_authorization_requests),
        ("require_signed_request_object", client.require_signed_request_object),
        ("dpop_bound_access_tokens", client.dpop_bound_access_tokens),
    ] {
        if set_to {
            set(&mut entry, key, true);
        }
    }
    if let Some(address) = &client.jwks_uri {
        set(&mut entry, "jwks_uri", address.as_str());
    }
    if let Some(keys) = &client.jwks {
        set(&mut entry, "jwks", keys.as_str());
    }
    if let Some(rules) = client.refresh {
        set(&mut entry, "refresh_tokens", true);
        set(&mut entry, "refresh_token_grace_seconds", i64::from(rules.grace_seconds));
        set(&mut entry, "refresh_token_idle_seconds", i64::from(rules.idle_seconds));
        set(&mut entry, "refresh_token_longest_seconds", i64::from(rules.longest_seconds));
    }
    entry
}

fn saml(provider: &ServiceProvider) -> Table {
    let mut entry = Table::new();
    set(&mut entry, "entity_id", provider.entity_id.as_str());
    let acs = AcsUrl::of_all(&provider.acs);
    set_list(&mut entry, "acs_urls", acs.iter().filter_map(|one| Value::try_from(one).ok()));
    set_word(&mut entry, "name_id_format", provider.name_id_format);
    let others = provider.other_name_id_formats.iter().filter_map(|format| Value::try_from(format).ok());
    set_list(&mut entry, "other_name_id_formats", others);
    if let Some(source) = &provider.name_id_source {
        set_word(&mut entry, "name_id_source", source);
    }
    rules(&mut entry, "attributes", &provider.attributes);
    set_list(&mut entry, "certificates", provider.certificates.iter().map(|text| text.as_str().into()));
    set(&mut entry, "require_signed_requests", provider.require_signed_requests);
    set_word(&mut entry, "signed", provider.signed);
    set_word(&mut entry, "algorithm", provider.algorithm);
    if let Some(key) = provider.signing_key {
        set_word(&mut entry, "signing_key", key);
    }
    if let Some(encryption) = &provider.encryption {
        set(&mut entry, "encryption_certificate", encryption.certificate.as_str());
        set_word(&mut entry, "encryption_content", encryption.content);
        set_word(&mut entry, "encryption_key_transport", encryption.transport);
    }
    if let Some(front) = &provider.logout.front {
        set(&mut entry, "logout_url", front.url.as_str());
        set_word(&mut entry, "logout_binding", front.binding);
        if let Some(url) = &front.response_url {
            set(&mut entry, "logout_response_url", url.as_str());
        }
    }
    if let Some(url) = &provider.logout.soap {
        set(&mut entry, "logout_soap_url", url.as_str());
    }
    if let Some(feed) = &provider.feed {
        set(&mut entry, "metadata_url", feed.url.as_str());
        set(&mut entry, "metadata_certificate", feed.certificate.as_str());
        // What is fetched again is not written down: then it would not be fetched any more.
        let fetched = [
            (feed.follows.acs, "acs_urls"),
            (feed.follows.certificates, "certificates"),
            (feed.follows.encryption, "encryption_certificate"),
            (feed.follows.content, "encryption_content"),
            (feed.follows.transport, "encryption_key_transport"),
            (feed.follows.logout, "logout_url"),
            (feed.follows.logout, "logout_binding"),
            (feed.follows.logout, "logout_response_url"),
            (feed.follows.soap, "logout_soap_url"),
        ];
        for (_, key) in fetched.iter().filter(|(follows, _)| *follows) {
            entry.remove(*key);
        }
        set(&mut entry, "encrypt_assertions", provider.encryption.is_some());
    }
    set(&mut entry, "idp_initiated", provider.idp_initiated);
    if let Some(state) = &provider.relay_state {
        set(&mut entry, "relay_state", state.as_str());
    }
    entry
}

/// Sets a value that is written as one word.
fn set_word(entry: &mut Table, key: &str, value: impl Serialize) {
    entry.extend(Value::try_from(value).map(|value| (key.to_owned(), value)));
}

fn rules<T: Serialize>(entry: &mut Table, key: &str, rules: &[T]) {
    set_list(entry, key, rules.iter().map(|rule| Value::Table(table(rule))));
}

fn policy(names: &Names<'_>, policy: &AccessPolicy, ranked: bool) -> Table {
    let mut entry = Table::new();
    if ranked {
        set(&mut entry, "name", policy.name.as_str());
    }
    set_list(&mut entry, "applications", policy.applications.iter().filter_map(|id| names.application(*id)));
    set_list(&mut entry, "groups", policy.groups.iter().filter_map(|id| names.group(*id)));
    set_list(&mut entry, "networks", policy.networks.iter().map(|network| network.to_string().into()));
    verdict(&mut entry, &policy.verdict);
    let scenarios = policy.scenarios.iter().map(|scenario| {
        let mut entry = Table::new();
        set(&mut entry, "name", scenario.name.as_str());
        for condition in &scenario.conditions {
            let (key, networks) = match condition {
                Condition::InsideNetworks(networks) => ("inside_networks", networks),
                Condition::OutsideNetworks(networks) => ("outside_networks", networks),
            };
            set_list(&mut entry, key, networks.iter().map(|network| network.to_string().into()));
        }
        verdict(&mut entry, &scenario.verdict);
        Value::Table(entry)
    });
    set_list(&mut entry, "scenario", scenarios);
    entry
}

fn verdict(entry: &mut Table, verdict: &Verdict) {
    match verdict {
        Verdict::Deny => set(entry, "decision", "deny"),
        Verdict::Grant(requirements) => {
            set(entry, "decision", "grant");
            set_list(entry, "require", requirements.iter().filter_map(required));
        }
    }
}

fn required(requirement: &Requirement) -> Option<Value> {
    let method = Value::try_from(requirement.method).ok()?;
    let mut often = Table::new();
    match requirement.frequency {
        Frequency::OncePerSession => return Some(method),
        Frequency::EveryAttempt => set(&mut often, "frequency", "every_attempt"),
        Frequency::Every { seconds } => set(&mut often, "every_seconds", i64::from(seconds)),
    }
    set(&mut often, "method", method);
    Some(Value::Table(often))
}
