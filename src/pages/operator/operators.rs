//! Operators and roles (T15): who operates the virtual server, and what each role permits.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::saved::refused;
use super::shell::{FieldFault, Shell, time};
use super::{kept, step_up, sure};
use crate::domain::ids::{RoleId, UserId};
use crate::domain::operator::{Deed, Module, OwnRole, Permissions, Refused, Role};
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::operators;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::{operators as stored, users};

/// The page of operators, below `/operator/`.
const PAGE: &str = "operators";

/// What is said after a change.
const DONE: [(&str, &str); 5] = [
    ("added", "The operator was added."),
    ("changed", "The operator has another role now."),
    ("removed", "The account is not an operator any more; it was not deleted."),
    ("role", "The role was saved."),
    ("role-removed", "The role was removed."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Operators.needs(deed);
    table.get("operators", needs(Deed::Access), show);
    table.post("operators", needs(Deed::Add), add);
    table.post("operators/{user}/role", needs(Deed::Edit), change);
    table.post("operators/{user}/remove", needs(Deed::Delete), remove);
    table.get("roles/new", needs(Deed::Add), new_role);
    table.post("roles/new", needs(Deed::Add), make_role);
    table.get("roles/{role}", needs(Deed::Access), show_role);
    table.post("roles/{role}", needs(Deed::Edit), change_role);
    table.post("roles/{role}/remove", needs(Deed::Delete), remove_role);
}

struct RoleChoice {
    id: String,
    name: String,
}

struct OperatorEntry {
    user: UserId,
    username: String,
    role: Role,
    role_name: String,
    since: String,
}

impl OperatorEntry {
    fn has(&self, choice: &RoleChoice) -> bool {
        self.role.to_string() == choice.id
    }
}

struct RoleEntry {
    id: String,
    name: String,
    built_in: bool,
    holders: usize,
}

#[derive(Template)]
#[template(path = "operator/operators.html")]
struct OperatorsPage {
    shell: Shell,
    operators: Vec<OperatorEntry>,
    roles: Vec<RoleEntry>,
    /// The roles that this operator may give.
    choices: Vec<RoleChoice>,
    may_add: bool,
    may_edit: bool,
    may_remove: bool,
    /// The user name that was typed.
    typed: String,
    /// The role that was chosen for it; empty for none.
    chosen: String,
}

fn choices(seat: &Seat) -> Vec<RoleChoice> {
    let config = &seat.call.realm.config;
    let own = config.roles.iter().map(|role| Role::Own(role.id));
    let all = Role::BUILT_IN.into_iter().chain(own);
    let mine = |role: &Role| config.permissions(*role).is_some_and(|its| its.within(&seat.seated.permissions));
    all.filter(mine).map(|role| RoleChoice { id: role.to_string(), name: config.role_name(role).to_owned() }).collect()
}

fn operators_page(seat: &Seat, shell: Shell, typed: &str) -> OperatorsPage {
    let config = &seat.call.realm.config;
    let holders = |role: Role| config.operators.iter().filter(|operator| operator.role == role).count();
    let own = config.roles.iter().map(|role| Role::Own(role.id));
    OperatorsPage {
        operators: config
            .operators
            .iter()
            .map(|operator| OperatorEntry {
                user: operator.user,
                username: operator.username.clone(),
                role: operator.role,
                role_name: config.role_name(operator.role).to_owned(),
                since: time(operator.since),
            })
            .collect(),
        roles: Role::BUILT_IN
            .into_iter()
            .chain(own)
            .map(|role| RoleEntry {
                id: role.to_string(),
                name: config.role_name(role).to_owned(),
                built_in: role.built_in_name().is_some(),
                holders: holders(role),
            })
            .collect(),
        choices: choices(seat),
        may_add: seat.may(Module::Operators, Deed::Add),
        may_edit: seat.may(Module::Operators, Deed::Edit),
        may_remove: seat.may(Module::Operators, Deed::Delete),
        typed: typed.to_owned(),
        chosen: String::new(),
        shell,
    }
}

/// `GET …/operator/operators`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::of(&seat, Module::Operators).with_done(request.query_string(), &DONE);
    let kept = kept::form_of(&seat, &request);
    let text = |name: &str| kept.as_ref().map_or_else(String::new, |form| form.text(name).to_owned());
    let shell = kept::told(shell, kept.as_ref());
    page::page(&OperatorsPage { chosen: text("role"), ..operators_page(&seat, shell, &text("username")) })
}

/// What came of a change: on to the page with its `done`, or the page with what is wrong.
fn came_of(seat: &Seat, changed: Result<(), Refused>, done: &str, field: &str, typed: &str) -> Answer {
    match changed {
        Ok(()) => {
            seat.call.site.house.forget_realms();
            Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))))
        }
        Err(refused) => {
            let shell = Shell::of(seat, Module::Operators);
            let shell = if field.is_empty() {
                shell.with_complaint(format!("Nothing was changed: {refused}."))
            } else {
                shell.with_faults(vec![FieldFault::new(field, format!("{refused}."))])
            };
            page::page(&operators_page(seat, shell, typed))
        }
    }
}

/// Gives the account `user` this role, or none.
async fn set(seat: &Seat, user: UserId, role: Option<Role>) -> Result<Result<(), Refused>, Fault> {
    let (desk, tenant, held) = (seat.desk(), seat.call.realm.tenant(), &seat.seated.permissions);
    let work = async |connection: &mut crate::storage::Connection| {
        operators::set_operator(&desk, connection, tenant, held, user, role).await
    };
    Ok(desk.house.db.write(work).await?)
}

/// `POST …/operator/operators`: makes an account an operator.
async fn add(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    if let Some(first) = kept::step_up_with(&seat, &request, PAGE, (&form, &["username", "role"][..])).await? {
        return Ok(first);
    }
    let typed = form.text("username").trim().to_owned();
    let tenant = seat.call.realm.tenant();
    let found = seat.call.site.house.db.look(async |connection| users::named(connection, tenant, &typed).await);
    let (Some(user), Ok(role)) = (found.await?, form.text("role").parse()) else {
        let shell = Shell::of(&seat, Module::Operators);
        let fault = FieldFault::new("username", "There is no account with this user name.");
        return page::page(&operators_page(&seat, shell.with_faults(vec![fault]), &typed));
    };
    if seat.call.realm.config.permissions_of(user.id).is_some() {
        let shell = Shell::of(&seat, Module::Operators);
        let fault = FieldFault::new("username", "This account is an operator already: change its role below.");
        return page::page(&operators_page(&seat, shell.with_faults(vec![fault]), &typed));
    }
    came_of(&seat, set(&seat, user.id, Some(role)).await?, "added", "username", &typed)
}

/// `POST …/operator/operators/{user}/role`.
async fn change(seat: Seat, request: HttpRequest, path: web::Path<(String, UserId)>, form: Form) -> Answer {
    seat.check(&form)?;
    if let Some(first) = step_up(&seat, &request, PAGE).await? {
        return Ok(first);
    }
    let role = form.text("role").parse().map_err(|_| Fault::NotFound)?;
    came_of(&seat, set(&seat, path.into_inner().1, Some(role)).await?, "changed", "", "")
}

/// `POST …/operator/operators/{user}/remove`.
async fn remove(seat: Seat, request: HttpRequest, path: web::Path<(String, UserId)>, form: Form) -> Answer {
    seat.check(&form)?;
    if let Some(first) = step_up(&seat, &request, PAGE).await? {
        return Ok(first);
    }
    let id = path.into_inner().1;
    let named = seat.call.realm.config.operators.iter().find(|operator| operator.user == id);
    if let (Some(operator), false) = (named, sure::said(&form)) {
        let name = &operator.username;
        let title = format!("Remove {name} as an operator?");
        let stays = "The account and its authenticators stay.";
        let mut lines = vec![format!("{name} cannot enter this console any more. {stays}")];
        if seat.seated.operator.user == id {
            let you = "This is you: you leave the console at once, and only another operator can let you in again.";
            lines.push(you.to_owned());
        }
        let shell = Shell::titled(&seat, Module::Operators, &title);
        let places = (seat.path(&format!("operators/{id}/remove")), seat.path(PAGE));
        return sure::ask(shell, &form, (lines, "Yes, remove"), places);
    }
    came_of(&seat, set(&seat, id, None).await?, "removed", "", "")
}

struct ModuleRow {
    title: &'static str,
    id: String,
    /// For each deed: whether it is in the role, and whether this operator could give it.
    deeds: Vec<(&'static str, String, bool, bool)>,
}

#[derive(Template)]
#[template(path = "operator/role.html")]
struct RolePage {
    shell: Shell,
    name: String,
    /// The mark of the role as it was read; 0 for a new one.
    version: i64,
    deeds: Vec<&'static str>,
    rows: Vec<ModuleRow>,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Where it is removed; empty if it cannot be.
    remove: String,
    built_in: bool,
}

/// A word of the apply file and the API: the name in JSON.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn rows(seat: &Seat, permissions: &Permissions) -> Vec<ModuleRow> {
    let row = |module: Module| {
        let cell = |deed: Deed| {
            let one: Permissions = std::iter::once(module.needs(deed)).collect();
            (deed.title(), word(deed), one.within(permissions), one.within(&seat.seated.permissions))
        };
        ModuleRow { title: module.title(), id: word(module), deeds: Deed::ALL.into_iter().map(cell).collect() }
    };
    Module::ALL.into_iter().map(row).collect()
}

/// The permissions whose boxes are ticked: `<module>.<deed>`.
fn ticked(form: &Form) -> Permissions {
    let find = |text: &str| {
        let (module, deed) = text.split_once('.')?;
        let module = Module::ALL.into_iter().find(|one| word(one) == module)?;
        Some(module.needs(Deed::ALL.into_iter().find(|one| word(one) == deed)?))
    };
    form.all("permission").filter_map(find).collect()
}

/// The letter of a deed in [`folded`].
const fn letter(deed: Deed) -> char {
    match deed {
        Deed::Access => 'a',
        Deed::Edit => 'e',
        Deed::Delete => 'd',
        Deed::Add => 'n',
        Deed::Import => 'i',
        Deed::Export => 'x',
        Deed::ViewLog => 'v',
    }
}

/// Permissions in few octets, such as `users.ae-tokens.a`: with a field for each box that is ticked, the address that keeps a form
/// over a passcode would hold a third of the largest role only.
fn folded(permissions: &Permissions) -> String {
    let page = |module: Module| {
        let here = permissions.iter().filter(|one| one.module == module);
        let deeds: String = here.map(|one| letter(one.deed)).collect();
        if deeds.is_empty() { None } else { Some(format!("{}.{deeds}", word(module))) }
    };
    Module::ALL.into_iter().filter_map(page).collect::<Vec<_>>().join("-")
}

/// What [`folded`] made.
fn unfolded(text: &str) -> Permissions {
    let mut permissions = Vec::new();
    for part in text.split('-') {
        let (page, deeds) = part.split_once('.').unwrap_or_default();
        if let Some(module) = Module::ALL.into_iter().find(|one| word(one) == page) {
            let named = Deed::ALL.into_iter().filter(|deed| deeds.contains(letter(*deed)));
            permissions.extend(named.map(|deed| module.needs(deed)));
        }
    }
    permissions.into_iter().collect()
}

fn role_page(
    seat: &Seat,
    shell: Shell,
    (role, version): (Option<Role>, i64),
    name: &str,
    permissions: &Permissions,
) -> RolePage {
    let own = match role {
        Some(Role::Own(id)) => Some(id),
        _ => None,
    };
    let deed = if role.is_some() { Deed::Edit } else { Deed::Add };
    let free = role.is_none() || own.is_some();
    let address = role.map_or_else(|| "roles/new".to_owned(), |role| format!("roles/{role}"));
    RolePage {
        name: name.to_owned(),
        version,
        deeds: Deed::ALL.into_iter().map(Deed::title).collect(),
        rows: rows(seat, permissions),
        save: if free && seat.may(Module::Operators, deed) { seat.path(&address) } else { String::new() },
        remove: if own.is_some() && seat.may(Module::Operators, Deed::Delete) {
            seat.path(&format!("{address}/remove"))
        } else {
            String::new()
        },
        built_in: !free,
        shell,
    }
}

/// `GET …/operator/roles/new`.
async fn new_role(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::titled(&seat, Module::Operators, "New role");
    let Some(form) = kept::form_of(&seat, &request) else {
        return page::page(&role_page(&seat, shell, (None, 0), "", &Permissions::default()));
    };
    kept_role(&seat, shell, None, &form)
}

/// The page of a role with what was typed before a passcode was asked for.
fn kept_role(seat: &Seat, shell: Shell, role: Option<Role>, form: &Form) -> Answer {
    let (shell, version) = (kept::told(shell, Some(form)), form.text("version").parse().unwrap_or(-1));
    page::page(&role_page(seat, shell, (role, version), form.text("name"), &unfolded(form.text("ticks"))))
}

/// `POST …/operator/roles/new`.
async fn make_role(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    let id = seat.call.site.house.entropy.id();
    put(&seat, &request, None, OwnRole { id, name: String::new(), permissions: Permissions::default() }, &form).await
}

/// `GET …/operator/roles/{role}`.
async fn show_role(seat: Seat, request: HttpRequest, path: web::Path<(String, Role)>) -> Answer {
    let (role, config) = (path.into_inner().1, &seat.call.realm.config);
    let permissions = config.permissions(role).ok_or(Fault::NotFound)?;
    let name = config.role_name(role).to_owned();
    let shell = Shell::titled(&seat, Module::Operators, &format!("Role: {name}"));
    let shell = shell.with_done(request.query_string(), &DONE);
    if let Some(form) = kept::form_of(&seat, &request) {
        return kept_role(&seat, shell, Some(role), &form);
    }
    let version = operators::mark(&name, &permissions);
    page::page(&role_page(&seat, shell, (Some(role), version), &name, &permissions))
}

/// `POST …/operator/roles/{role}`.
async fn change_role(seat: Seat, request: HttpRequest, path: web::Path<(String, RoleId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = path.into_inner().1;
    let before = seat.call.realm.config.roles.iter().find(|role| role.id == id).cloned().ok_or(Fault::NotFound)?;
    put(&seat, &request, Some(Role::Own(id)), before, &form).await
}

async fn put(seat: &Seat, request: &HttpRequest, role: Option<Role>, before: OwnRole, form: &Form) -> Answer {
    let address = role.map_or_else(|| "roles/new".to_owned(), |role| format!("roles/{role}"));
    let name: String = form.text("name").trim().chars().take(100).collect();
    let after = OwnRole { id: before.id, name: name.clone(), permissions: ticked(form) };
    let waits =
        [("name", name.clone()), ("version", form.text("version").to_owned()), ("ticks", folded(&after.permissions))];
    let waits = Form::of(waits.map(|(field, value)| (field.to_owned(), value)).to_vec());
    let fields = (&waits, &["name", "version", "ticks"][..]);
    if let Some(first) = kept::step_up_with(seat, request, &address, fields).await? {
        return Ok(first);
    }
    let title = if role.is_some() { format!("Role: {}", before.name) } else { "New role".to_owned() };
    let shell = Shell::titled(seat, Module::Operators, &title);
    let version = form.text("version").parse().unwrap_or(-1);
    let complaint = if name.is_empty() {
        "Give the role a name.".to_owned()
    } else {
        let (desk, tenant, held) = (seat.desk(), seat.call.realm.tenant(), &seat.seated.permissions);
        let work = async |connection: &mut crate::storage::Connection| {
            operators::put_role(&desk, connection, tenant, held, &after, role.map(|_| version)).await
        };
        match desk.house.db.write(work).await? {
            Ok(()) => return came_of(seat, Ok(()), "role", "", ""),
            Err(Refused::Overtaken) => {
                let (shell, _) = refused(shell, Unsaved::ChangedMeanwhile)?;
                return page::page(&role_page(seat, shell, (role, version), &name, &after.permissions));
            }
            Err(refused) => format!("{refused}."),
        }
    };
    let shell = shell.with_faults(vec![FieldFault::new("name", complaint)]);
    page::page(&role_page(seat, shell, (role, version), &name, &after.permissions))
}

/// What the page says that asks before a role goes, or why it stays: how many operators and keys have it.
async fn before_removal(seat: &Seat, role: Role) -> Result<Result<String, String>, Fault> {
    let (config, tenant) = (&seat.call.realm.config, seat.call.realm.tenant());
    let keys = seat.call.site.house.db.look(async |connection| stored::keys(connection, tenant).await).await?;
    let keys = keys.iter().filter(|key| key.role == role && key.revoked_at.is_none()).count();
    let operators = config.operators.iter().filter(|operator| operator.role == role).count();
    let have = format!("Operators who have this role: {operators}. Keys to the API that have it: {keys}.");
    Ok(if (operators, keys) == (0, 0) {
        Ok(have)
    } else {
        Err(format!("{have} Give these operators another role, and revoke these keys, first."))
    })
}

/// `POST …/operator/roles/{role}/remove`.
async fn remove_role(seat: Seat, request: HttpRequest, path: web::Path<(String, RoleId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = path.into_inner().1;
    let address = format!("roles/{id}");
    if let Some(first) = step_up(&seat, &request, &address).await? {
        return Ok(first);
    }
    let named = seat.call.realm.config.roles.iter().find(|role| role.id == id);
    if let (Some(role), false) = (named, sure::said(&form)) {
        let have = match before_removal(&seat, Role::Own(id)).await? {
            Ok(have) => have,
            Err(why) => {
                let shell = Shell::of(&seat, Module::Operators);
                let shell = shell.with_complaint(format!("Nothing was removed. {why}"));
                return page::page(&operators_page(&seat, shell, ""));
            }
        };
        let gone = "Its permissions are not kept; made again, it is another role.";
        let shell = Shell::titled(&seat, Module::Operators, &format!("Remove the role {}?", role.name));
        let places = (seat.path(&format!("{address}/remove")), seat.path(&address));
        return sure::ask(shell, &form, (vec![have, gone.to_owned()], "Yes, remove"), places);
    }
    let (desk, tenant, held) = (seat.desk(), seat.call.realm.tenant(), &seat.seated.permissions);
    let work = async |connection: &mut crate::storage::Connection| {
        operators::remove_role(&desk, connection, tenant, held, id).await
    };
    let changed = desk.house.db.write(work).await?;
    came_of(&seat, changed, "role-removed", "", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what a role permits is the same after it was kept, and everything that there is fits into an address.
    #[test]
    fn a_role_that_is_kept_is_the_same_afterwards() {
        let some = Permissions::of(&[(Module::Users, &[Deed::Access, Deed::Edit]), (Module::Tokens, &[Deed::ViewLog])]);
        assert_eq!(folded(&some), "users.ae-tokens.v");
        for permissions in [some, Permissions::all(), Permissions::default()] {
            assert_eq!(unfolded(&folded(&permissions)), permissions);
        }
        assert!(folded(&Permissions::all()).len() < 1000);
        assert_eq!(unfolded("users.a-nothing.a-tokens-x.y"), Permissions::of(&[(Module::Users, &[Deed::Access])]));
    }
}
