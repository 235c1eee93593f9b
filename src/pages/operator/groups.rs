//! Groups (T5): listed, made, called otherwise, removed; who is in them is on the page of users.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::applications::configured;
use super::shell::{FieldFault, Shell};
use super::sure;
use super::users::id_of;
use crate::domain::group::uses_of_group;
use crate::domain::ids::GroupId;
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::groups::{self as desk_of_groups, Refused};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::Connection;
use crate::storage::groups::{self, Listed};

const PAGE: u32 = 100;
const DONE: [(&str, &str); 3] = [
    ("made", "The group was made."),
    ("renamed", "The group has another name now; everything that is configured with it stays."),
    ("removed", "The group was removed."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Groups.needs(deed);
    table.get("groups", needs(Deed::Access), list);
    table.post("groups", needs(Deed::Add), make);
    table.get("groups/{group}", needs(Deed::Access), show);
    table.post("groups/{group}", needs(Deed::Edit), rename);
    table.post("groups/{group}/remove", needs(Deed::Delete), remove);
}

#[derive(Template)]
#[template(path = "operator/groups.html")]
struct GroupsPage {
    shell: Shell,
    name: String,
    groups: Vec<Listed>,
    next: String,
    may_add: bool,
    typed: String,
}

async fn groups_page(seat: &Seat, shell: Shell, query: &str, typed: &str) -> Answer {
    let (mut name, mut after) = (String::new(), None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "name" => name = value.chars().take(200).collect(),
            "after" if !value.is_empty() => after = Some(value.into_owned()),
            _ => {}
        }
    }
    let tenant = seat.call.realm.tenant();
    let start = name.trim_end_matches('*');
    let search =
        async |connection: &mut Connection| groups::search(connection, tenant, start, after.as_deref(), PAGE).await;
    let (found, next) = seat.call.site.house.db.look(search).await?;
    let next = next.map(|next| {
        form_urlencoded::Serializer::new(String::new()).append_pair("name", &name).append_pair("after", &next).finish()
    });
    let page = GroupsPage {
        shell,
        groups: found,
        next: next.unwrap_or_default(),
        may_add: seat.may(Module::Groups, Deed::Add),
        typed: typed.to_owned(),
        name,
    };
    page::page(&page)
}

/// `GET …/operator/groups`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::of(&seat, Module::Groups).with_done(request.query_string(), &DONE);
    groups_page(&seat, shell, request.query_string(), "").await
}

/// What is wrong with a name, or with the change.
fn words(refused: &Refused) -> String {
    match refused {
        Refused::Name(fault) => format!("The name {fault}."),
        Refused::Taken => "There is a group of this name already.".to_owned(),
        Refused::Overtaken => "Somebody else changed the group meanwhile: look at it again.".to_owned(),
        Refused::InUse(_) => "The group is in use: what refers to it is named below.".to_owned(),
    }
}

/// `POST …/operator/groups`.
async fn make(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    match desk_of_groups::create(&seat.desk(), &seat.call.realm.config, form.text("new_name")).await? {
        Ok(_) => Ok(page::see(&seat.path("groups?done=made"))),
        Err(refused) => {
            let fault = FieldFault::new("new_name", words(&refused));
            let shell = Shell::of(&seat, Module::Groups).with_faults(vec![fault]);
            groups_page(&seat, shell, "", form.text("new_name")).await
        }
    }
}

#[derive(Template)]
#[template(path = "operator/group.html")]
struct GroupPage {
    shell: Shell,
    group: Listed,
    typed: String,
    references: Vec<String>,
    may_edit: bool,
    may_remove: bool,
}

async fn group(seat: &Seat, path: web::Path<(String, String)>) -> Result<Listed, Fault> {
    let (tenant, id) = (seat.call.realm.tenant(), id_of::<GroupId>(path)?);
    let question = async |connection: &mut Connection| groups::one(tenant, id).ask(connection).await;
    seat.call.site.house.db.look(question).await?.ok_or(Fault::NotFound)
}

/// What refers to a group, also where it is switched off: it could be switched on again.
async fn uses(seat: &Seat, group: &Listed) -> Result<Vec<String>, Fault> {
    Ok(uses_of_group(&configured(seat).await?, group.group.id))
}

async fn group_page(seat: &Seat, shell: Shell, group: Listed, typed: &str) -> Answer {
    let page = GroupPage {
        references: uses(seat, &group).await?,
        typed: typed.to_owned(),
        may_edit: seat.may(Module::Groups, Deed::Edit),
        may_remove: seat.may(Module::Groups, Deed::Delete),
        shell,
        group,
    };
    page::page(&page)
}

fn shell(seat: &Seat, group: &Listed) -> Shell {
    Shell::titled(seat, Module::Groups, &format!("Group {}", group.group.name))
}

/// `GET …/operator/groups/{group}`.
async fn show(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let group = group(&seat, path).await?;
    let shell = shell(&seat, &group).with_done(request.query_string(), &DONE);
    let name = group.group.name.clone();
    group_page(&seat, shell, group, &name).await
}

/// The group as the form has seen it.
fn as_seen(group: &Listed, form: &Form) -> Listed {
    Listed { version: form.text("version").parse().unwrap_or(-1), ..group.clone() }
}

/// `POST …/operator/groups/{group}`.
async fn rename(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let group = group(&seat, path).await?;
    let seen = as_seen(&group, &form);
    match desk_of_groups::rename(&seat.desk(), &seat.call.realm.config, &seen, form.text("new_name")).await? {
        Ok(_) => Ok(page::see(&seat.path(&format!("groups/{}?done=renamed", group.group.id)))),
        Err(refused) => {
            let shell = shell(&seat, &group).with_faults(vec![FieldFault::new("new_name", words(&refused))]);
            group_page(&seat, shell, group, form.text("new_name")).await
        }
    }
}

/// The page that asks before a group goes that nothing refers to.
fn ask_first(seat: &Seat, group: &Listed, form: &Form) -> Answer {
    let who = match group.members {
        0 => "Nobody is in it.".to_owned(),
        1 => "One person is in it, and is in it no more. The account stays.".to_owned(),
        many => format!("{many} people are in it, and are in it no more. Their accounts stay."),
    };
    let gone = "Who was in it is not kept; made again, it is another group. Nothing that is configured refers to it.";
    let shell = Shell::titled(seat, Module::Groups, &format!("Remove the group {}?", group.group.name));
    let page = seat.path(&format!("groups/{}", group.group.id));
    sure::ask(shell, form, (vec![who, gone.to_owned()], "Yes, remove"), (format!("{page}/remove"), page))
}

/// `POST …/operator/groups/{group}/remove`: not while something refers to it.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let group = group(&seat, path).await?;
    let uses = uses(&seat, &group).await?;
    if uses.is_empty() && !sure::said(&form) {
        return ask_first(&seat, &group, &form);
    }
    let seen = as_seen(&group, &form);
    let removed = if uses.is_empty() {
        desk_of_groups::remove(&seat.desk(), seat.call.realm.code(), &seen).await?
    } else {
        Err(Refused::InUse(uses))
    };
    match removed {
        Ok(()) => Ok(page::see(&seat.path("groups?done=removed"))),
        Err(refused) => {
            let shell = shell(&seat, &group).with_complaint(words(&refused));
            let name = group.group.name.clone();
            group_page(&seat, shell, group, &name).await
        }
    }
}
