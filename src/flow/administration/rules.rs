//! Provisioning rules at work: who enters a group gets a mail, who leaves it loses what the rule gave.
//!
//! A person is looked at in the transaction that changes the account or its groups, and everybody by a job, for groups
//! that change and rules that are new.

use std::sync::Arc;

use serde_json::json;

use super::provisioning::{self, Order};
use super::{Desk, tenants as virtual_servers};
use crate::domain::audit::Action;
use crate::domain::authenticator::lifecycle::{Disposition, Move};
use crate::domain::ids::{RuleId, TenantId, UserId};
use crate::domain::name::{NotAName, checked, key_of};
use crate::domain::provisioning_rule::{Facts, Outcome, ProvisioningRule, Verdict, decide};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::user::{Member, Status};
use crate::flow::Realm;
use crate::flow::lifecycle::{self, By, Ending};
use crate::storage::rule_members::{self, RuleMember};
use crate::storage::{self, Connection, reservations, tenants, tokens, users};

/// People whom the job looks at in one transaction.
const BATCH: i64 = 200;

/// Looks at one person whose account or groups have changed, in the transaction of the change.
///
/// # Errors
/// If the database fails.
pub async fn look(desk: &Desk<'_>, connection: &mut Connection, tenant: TenantId, user: UserId) -> storage::Result<()> {
    // Most virtual servers have no rules: that is known without reading everything that is configured.
    let settings = tenants::settings_of(tenant).ask(connection).await?;
    if settings.is_none_or(|settings| settings.provisioning_rules.is_empty()) {
        return Ok(());
    }
    let Some(code) = tenants::code_of(tenant).ask(connection).await? else { return Ok(()) };
    let Some(config) = tenants::config(connection, &code).await? else { return Ok(()) };
    for rule in &config.settings.provisioning_rules {
        apply(desk, connection, &config, rule, user).await?;
    }
    desk.house.mail_waits.notify_one();
    Ok(())
}

/// Why a rule is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// That is no name.
    Name(NotAName),
    /// Another rule is called so.
    Taken,
    /// It names no group.
    NoGroup,
    /// It names a group that is not there.
    UnknownGroup,
    /// There is no such rule.
    Unknown,
    /// Somebody else changed what is configured meanwhile.
    Overtaken,
}

/// Stores a rule, new or changed, provided that what is configured is still what was `seen`: its version.
///
/// # Errors
/// If the database fails.
pub async fn put(
    desk: &Desk<'_>,
    code: &TenantCode,
    seen: i64,
    rule: &ProvisioningRule,
) -> storage::Result<Result<(), Refused>> {
    let name = match checked(&rule.name) {
        Ok(name) => name.to_owned(),
        Err(fault) => return Ok(Err(Refused::Name(fault))),
    };
    let rule = ProvisioningRule { name, ..rule.clone() };
    store(desk, code, seen, |before| {
        let mut rules = before.settings.provisioning_rules.clone();
        if rules.iter().any(|other| other.id != rule.id && key_of(&other.name) == key_of(&rule.name)) {
            return Err(Refused::Taken);
        }
        if rule.groups.is_empty() {
            return Err(Refused::NoGroup);
        }
        if rule.groups.iter().any(|group| before.group_name(*group).is_none()) {
            return Err(Refused::UnknownGroup);
        }
        match rules.iter_mut().find(|other| other.id == rule.id) {
            Some(before) => *before = rule.clone(),
            None => rules.push(rule.clone()),
        }
        Ok(rules)
    })
    .await
}

/// Removes a rule, on the same condition; what it has issued stays.
///
/// # Errors
/// If the database fails.
pub async fn remove(
    desk: &Desk<'_>,
    code: &TenantCode,
    seen: i64,
    rule: RuleId,
) -> storage::Result<Result<(), Refused>> {
    store(desk, code, seen, |before| {
        let mut rules = before.settings.provisioning_rules.clone();
        rules.retain(|other| other.id != rule);
        if rules.len() == before.settings.provisioning_rules.len() { Err(Refused::Unknown) } else { Ok(rules) }
    })
    .await
}

/// Stores the rules that `draft` makes of what is configured. That is read here: what this instance remembers may be older than
/// what was seen at another one, and would be stored with the rules.
async fn store(
    desk: &Desk<'_>,
    code: &TenantCode,
    seen: i64,
    draft: impl Fn(&TenantConfig) -> Result<Vec<ProvisioningRule>, Refused>,
) -> storage::Result<Result<(), Refused>> {
    let work = async |connection: &mut Connection| {
        let Some(before) = tenants::config(connection, code).await?.filter(|config| config.version == seen) else {
            return Ok(Err(Refused::Overtaken));
        };
        let mut after = before.clone();
        match draft(&before) {
            Ok(rules) => after.settings.provisioning_rules = rules,
            Err(refused) => return Ok(Err(refused)),
        }
        virtual_servers::change(desk, connection, &before, &after).await.map(Ok)
    };
    let done = desk.house.db.write(work).await?;
    desk.house.forget_realms();
    Ok(done)
}

/// Looks at everybody, in steps of `BATCH` people. Says how many mails were written.
///
/// # Errors
/// If the database fails.
pub async fn look_at_all(desk: &Desk<'_>, realm: &Arc<Realm>) -> storage::Result<usize> {
    let (db, config, tenant) = (&desk.house.db, &realm.config, realm.tenant());
    let rules = &config.settings.provisioning_rules;
    db.write(async |connection| forget_rules(connection, tenant, rules).await).await?;
    let mut sent = 0;
    for rule in rules.iter().filter(|rule| rule.enabled) {
        for group in &rule.groups {
            loop {
                let mut changed = 0;
                let entered = db
                    .look(async |connection| rule_members::candidates(connection, tenant, rule.id, *group, BATCH).await)
                    .await?;
                for user in &entered {
                    let done = db.write(async |connection| apply(desk, connection, config, rule, *user).await).await?;
                    changed += usize::from(done != Verdict::Nothing);
                    sent += usize::from(done == Verdict::Provision);
                }
                if entered.is_empty() || changed == 0 {
                    break;
                }
            }
        }
        loop {
            let left = db
                .look(async |connection| rule_members::departed(connection, tenant, rule.id, &rule.groups, BATCH).await)
                .await?;
            let mut changed = 0;
            for user in &left {
                let done = db.write(async |connection| apply(desk, connection, config, rule, *user).await).await?;
                changed += usize::from(done == Verdict::Leave);
            }
            if changed == 0 {
                break;
            }
        }
    }
    if sent > 0 {
        desk.house.mail_waits.notify_one();
    }
    Ok(sent)
}

/// Forgets what rules have done that are gone; what they have issued stays.
async fn forget_rules(
    connection: &mut Connection,
    tenant: TenantId,
    rules: &[ProvisioningRule],
) -> storage::Result<()> {
    for rule in rule_members::rules(connection, tenant).await? {
        if rules.iter().all(|known| known.id != rule) {
            rule_members::forget_rule(connection, tenant, rule).await?;
        }
    }
    Ok(())
}

/// Applies one rule to one person. Says what was done.
async fn apply(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    rule: &ProvisioningRule,
    user: UserId,
) -> storage::Result<Verdict> {
    let tenant = config.tenant.id;
    // Two instances may look at the same person at the same moment.
    users::hold(connection, tenant, user).await?;
    let before = rule_members::of(connection, tenant, rule.id, user).await?;
    let member = users::member(tenant, user).ask(connection).await?;
    let facts = facts(connection, rule, member.as_ref(), before.map(|before| before.outcome)).await?;
    let verdict = decide(rule, facts);
    let noted = |outcome, reservation| RuleMember { rule: rule.id, user, outcome, reservation };
    match (verdict, member) {
        (Verdict::Nothing, _) => {}
        (Verdict::Note(outcome), _) => {
            if !note(connection, tenant, before, noted(outcome, None), desk).await? {
                return Ok(Verdict::Nothing);
            }
        }
        (Verdict::Provision, Some(member)) => {
            let order = order(desk, config, rule);
            let created = provisioning::create(desk, connection, config, &order, &[member.user], None).await?;
            let Some(place) = created.people.first() else {
                // As many as somebody may have: that is looked at again when the person enters anew.
                note(connection, tenant, before, noted(Outcome::HasOne, None), desk).await?;
                return Ok(Verdict::Note(Outcome::HasOne));
            };
            if !note(connection, tenant, before, noted(Outcome::Provisioned, Some(place.id)), desk).await? {
                return Err(storage::Error::Contended);
            }
        }
        (Verdict::Provision, None) => return Ok(Verdict::Nothing),
        (Verdict::Leave, _) => {
            if rule_members::forget(connection, tenant, rule.id, user).await?
                && rule.auto_revoke
                && let Some(before) = before
            {
                revoke(desk, connection, tenant, rule, before).await?;
            }
        }
    }
    Ok(verdict)
}

async fn facts(
    connection: &mut Connection,
    rule: &ProvisioningRule,
    member: Option<&Member>,
    before: Option<Outcome>,
) -> storage::Result<Facts> {
    let Some(member) = member else {
        return Ok(Facts { matches: false, enabled: false, has_address: false, has_one: false, before });
    };
    let has_one = provisioning::has_one(connection, &member.user, rule.token_type).await?
        || provisioning::is_reserved(connection, &member.user, rule.token_type).await?;
    Ok(Facts {
        matches: rule.matches(&member.groups),
        enabled: member.user.status == Status::Enabled,
        has_address: member.user.email.is_some(),
        has_one,
        before,
    })
}

async fn note(
    connection: &mut Connection,
    tenant: TenantId,
    before: Option<RuleMember>,
    new: RuleMember,
    desk: &Desk<'_>,
) -> storage::Result<bool> {
    match before {
        None => rule_members::note(connection, tenant, new, desk.now).await,
        Some(_) => rule_members::replace(connection, tenant, new, desk.now).await,
    }
}

fn order(desk: &Desk<'_>, config: &TenantConfig, rule: &ProvisioningRule) -> Order {
    Order {
        token_type: rule.token_type,
        stop_at: config.settings.enrollment_mail.stop_at(desk.now, None),
        comment: String::new(),
        operator: format!("rule {}", rule.name),
        rule: Some(rule.id),
        // What the rule allows was decided already.
        issue_duplicates: true,
        number: None,
    }
}

/// Ends what a rule has issued to somebody who left its groups.
async fn revoke(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    rule: &ProvisioningRule,
    before: RuleMember,
) -> storage::Result<()> {
    let Some(id) = before.reservation else { return Ok(()) };
    let Some(place) = reservations::with_id(tenant, id).ask(connection).await? else { return Ok(()) };
    provisioning::withdraw(desk, connection, &place, "rule does not match any more").await?;
    let Some(token) = place.token else { return Ok(()) };
    let owned = tokens::of_user(tenant, place.user).ask(connection).await?;
    if let Some(token) = owned.into_iter().find(|owned| owned.id == token) {
        let step = (Move::Revoke(Disposition::Returned), "provisioning rule");
        lifecycle::carry_out(connection, desk.house, &By::desk(desk), &token, step, Ending::All).await?;
        let detail = json!({ "serial": token.serial, "rule": rule.name });
        let object = ("user", place.user.to_string());
        desk.record(connection, tenant, Action::ProvisioningChanged, object, detail).await?;
    }
    Ok(())
}

/// What a rule has done, in numbers, and whom it skips for lack of an address.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The rule.
    pub rule: RuleId,
    /// People who got a mail.
    pub provisioned: usize,
    /// People who had an authenticator already.
    pub had_one: usize,
    /// People without a mail address.
    pub no_address: Vec<UserId>,
}

/// How the rules of a virtual server stand.
///
/// # Errors
/// If the database fails.
pub async fn standing(connection: &mut Connection, config: &TenantConfig) -> storage::Result<Vec<Standing>> {
    let noted = rule_members::all(connection, config.tenant.id).await?;
    let of = |rule: &ProvisioningRule| {
        let count = |outcome| noted.iter().filter(|it| it.rule == rule.id && it.outcome == outcome).count();
        let without = noted.iter().filter(|it| it.rule == rule.id && it.outcome == Outcome::NoAddress);
        Standing {
            rule: rule.id,
            provisioned: count(Outcome::Provisioned),
            had_one: count(Outcome::HasOne),
            no_address: without.map(|it| it.user).collect(),
        }
    };
    Ok(config.settings.provisioning_rules.iter().map(of).collect())
}
