//! Provisioning rules (T13): who gets an authenticator by entering a group.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::codes;
use super::shell::{FieldFault, Shell};
use super::sure;
use super::users::{Choice, group_choices, id_of};
use crate::domain::ids::{GroupId, RuleId};
use crate::domain::operator::{Deed, Module};
use crate::domain::provisioning_rule::ProvisioningRule;
use crate::domain::provisioning_task::TokenType;
use crate::flow::administration::rules::{self, Refused};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::{Connection, rule_members};

const DONE: [(&str, &str); 2] =
    [("saved", "The rule was saved."), ("removed", "The rule was removed; what it has issued stays.")];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::ProvisioningRules.needs(deed);
    table.get("provisioning-rules", needs(Deed::Access), list);
    table.get("provisioning-rules/new", needs(Deed::Add), new);
    table.post("provisioning-rules/new", needs(Deed::Add), make);
    table.get("provisioning-rules/{rule}", needs(Deed::Access), show);
    table.post("provisioning-rules/{rule}", needs(Deed::Edit), change);
    table.post("provisioning-rules/{rule}/remove", needs(Deed::Delete), remove);
}

struct Entry {
    id: RuleId,
    name: String,
    enabled: bool,
    kind: &'static str,
    groups: String,
    duplicates: bool,
    revokes: bool,
    counts: String,
}

#[derive(Template)]
#[template(path = "operator/provisioning_rules.html")]
struct RulesPage {
    shell: Shell,
    rules: Vec<Entry>,
    may_add: bool,
}

/// `GET …/operator/provisioning-rules`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let config = &seat.call.realm.config;
    let question = async |connection: &mut Connection| rule_members::counts(config.tenant.id).ask(connection).await;
    let counted = seat.call.site.house.db.look(question).await?;
    let counts = |rule: RuleId| {
        let its = counted.iter().filter(|(id, ..)| *id == rule);
        let words: Vec<String> =
            its.map(|(_, outcome, number)| format!("{number} {}", outcome.id().replace('_', " "))).collect();
        if words.is_empty() { "–".to_owned() } else { words.join(", ") }
    };
    let entry = |rule: &ProvisioningRule| Entry {
        id: rule.id,
        name: rule.name.clone(),
        enabled: rule.enabled,
        kind: codes::token_type(rule.token_type),
        groups: config.group_names(&rule.groups).collect::<Vec<_>>().join(", "),
        duplicates: rule.issue_duplicates,
        revokes: rule.auto_revoke,
        counts: counts(rule.id),
    };
    let page = RulesPage {
        shell: Shell::of(&seat, Module::ProvisioningRules).with_done(request.query_string(), &DONE),
        rules: config.settings.provisioning_rules.iter().map(entry).collect(),
        may_add: seat.may(Module::ProvisioningRules, Deed::Add),
    };
    page::page(&page)
}

#[derive(Template)]
#[template(path = "operator/provisioning_rule.html")]
struct RulePage {
    shell: Shell,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Where it is removed; empty if it cannot be.
    remove: String,
    version: i64,
    rule: ProvisioningRule,
    oath: bool,
    groups: Vec<Choice>,
}

fn rule_page(seat: &Seat, shell: Shell, rule: ProvisioningRule, new: bool, version: i64) -> Answer {
    let may = |deed| seat.may(Module::ProvisioningRules, deed);
    let chosen: BTreeSet<String> = rule.groups.iter().map(ToString::to_string).collect();
    let mut groups = group_choices(seat, "");
    for group in &mut groups {
        group.chosen = chosen.contains(&group.id);
    }
    let address = if new { "provisioning-rules/new".to_owned() } else { format!("provisioning-rules/{}", rule.id) };
    let page = RulePage {
        save: if may(if new { Deed::Add } else { Deed::Edit }) { seat.path(&address) } else { String::new() },
        remove: if !new && may(Deed::Delete) { seat.path(&format!("{address}/remove")) } else { String::new() },
        oath: rule.token_type == TokenType::OathApp,
        version,
        rule,
        groups,
        shell,
    };
    page::page(&page)
}

fn blank(seat: &Seat) -> ProvisioningRule {
    ProvisioningRule {
        id: seat.call.site.house.entropy.id(),
        name: String::new(),
        enabled: true,
        token_type: TokenType::App,
        groups: Vec::new(),
        issue_duplicates: false,
        auto_revoke: false,
    }
}

/// `GET …/operator/provisioning-rules/new`.
async fn new(seat: Seat) -> Answer {
    let shell = Shell::titled(&seat, Module::ProvisioningRules, "New provisioning rule");
    let rule = blank(&seat);
    rule_page(&seat, shell, rule, true, seat.call.realm.config.version)
}

fn typed(form: &Form, before: &ProvisioningRule) -> ProvisioningRule {
    ProvisioningRule {
        id: before.id,
        name: form.text("name").to_owned(),
        enabled: form.text("enabled") == "yes",
        token_type: TokenType::named(form.text("token_type")).unwrap_or_default(),
        groups: form.all("groups").filter_map(|id| id.parse::<GroupId>().ok()).collect(),
        issue_duplicates: form.text("issue_duplicates") == "yes",
        auto_revoke: form.text("auto_revoke") == "yes",
    }
}

/// The version of what is configured that the form has seen.
fn seen(form: &Form) -> i64 {
    form.text("version").parse().unwrap_or(-1)
}

async fn put(seat: &Seat, rule: ProvisioningRule, form: &Form, new: bool, title: &str) -> Answer {
    let seen = seen(form);
    let (field, message) = match rules::put(&seat.desk(), seat.call.realm.code(), seen, &rule).await? {
        Ok(()) => return Ok(page::see(&seat.path("provisioning-rules?done=saved"))),
        Err(Refused::Name(fault)) => ("name", format!("The name {fault}.")),
        Err(Refused::Taken) => ("name", "There is a rule of this name already.".to_owned()),
        Err(Refused::NoGroup | Refused::UnknownGroup) => ("groups", "Choose at least one group.".to_owned()),
        Err(Refused::Unknown) => return Err(Fault::NotFound),
        Err(Refused::Overtaken) => {
            let words = "Somebody else changed the settings meanwhile. Nothing was saved: look at it again, then save.";
            let shell = Shell::titled(seat, Module::ProvisioningRules, title).with_complaint(words);
            return rule_page(seat, shell, rule, new, seat.call.realm.config.version);
        }
    };
    let shell = Shell::titled(seat, Module::ProvisioningRules, title);
    rule_page(seat, shell.with_faults(vec![FieldFault::new(field, message)]), rule, new, seen)
}

/// `POST …/operator/provisioning-rules/new`.
async fn make(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let rule = typed(&form, &blank(&seat));
    put(&seat, rule, &form, true, "New provisioning rule").await
}

fn rule(seat: &Seat, path: web::Path<(String, String)>) -> Result<ProvisioningRule, Fault> {
    let id = id_of::<RuleId>(path)?;
    let rules = &seat.call.realm.config.settings.provisioning_rules;
    rules.iter().find(|rule| rule.id == id).cloned().ok_or(Fault::NotFound)
}

/// `GET …/operator/provisioning-rules/{rule}`.
async fn show(seat: Seat, path: web::Path<(String, String)>) -> Answer {
    let rule = rule(&seat, path)?;
    let shell = Shell::titled(&seat, Module::ProvisioningRules, &format!("Provisioning rule {}", rule.name));
    rule_page(&seat, shell, rule, false, seat.call.realm.config.version)
}

/// `POST …/operator/provisioning-rules/{rule}`.
async fn change(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = rule(&seat, path)?;
    let title = format!("Provisioning rule {}", before.name);
    put(&seat, typed(&form, &before), &form, false, &title).await
}

/// The page that asks before a rule goes.
fn ask_first(seat: &Seat, rule: &ProvisioningRule, form: &Form) -> Answer {
    let config = &seat.call.realm.config;
    let groups = config.group_names(&rule.groups).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!("Whoever enters one of its groups gets no mail by it any more: {groups}."),
        "What it has issued stays, and mails that were sent work until they stop.".to_owned(),
    ];
    if rule.auto_revoke {
        lines.push("Whoever leaves its groups from then on keeps what it has issued.".to_owned());
    }
    let again =
        "Made again, it is another rule: whoever is in its groups then is looked at anew, and may get a mail again.";
    lines.push(again.to_owned());
    let title = format!("Remove the provisioning rule {}?", rule.name);
    let page = seat.path(&format!("provisioning-rules/{}", rule.id));
    let shell = Shell::titled(seat, Module::ProvisioningRules, &title);
    sure::ask(shell, form, (lines, "Yes, remove"), (format!("{page}/remove"), page))
}

/// `POST …/operator/provisioning-rules/{rule}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = rule(&seat, path)?;
    if !sure::said(&form) {
        return ask_first(&seat, &before, &form);
    }
    match rules::remove(&seat.desk(), seat.call.realm.code(), seen(&form), before.id).await? {
        Ok(()) => Ok(page::see(&seat.path("provisioning-rules?done=removed"))),
        Err(_) => {
            let words = "Somebody else changed the settings meanwhile. Nothing was removed: look at it again.";
            let title = format!("Provisioning rule {}", before.name);
            let shell = Shell::titled(&seat, Module::ProvisioningRules, &title).with_complaint(words);
            rule_page(&seat, shell, before, false, seat.call.realm.config.version)
        }
    }
}
