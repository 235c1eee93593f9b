//! Groups.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Query, created, done, if_match, ok, versioned};
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::group::uses_of_group;
use crate::domain::ids::GroupId;
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::groups::{self as desk_of_groups, Refused};
use crate::http::guard::Program;
use crate::storage::Connection;
use crate::storage::groups::{self, Listed};

/// A group.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Group")]
struct GroupView {
    /// Its identifier; what is configured refers to it.
    id: String,
    /// Its name.
    name: String,
    /// How many are in it.
    members: i64,
    /// What is configured with it: not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<Vec<String>>,
}

/// A group that is to be made or called otherwise.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct GroupDraft {
    /// Its name, unique.
    #[schemars(length(min = 1, max = 200))]
    name: String,
}

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The beginning of the name.
    name: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Groups.needs(deed);
    api.get("groups", needs(Deed::Access), "Groups, by name", list).query::<Search>().gives::<Page<GroupView>>(200);
    api.route(Method::POST, "groups", needs(Deed::Add), "Make a group", make)
        .takes::<GroupDraft>()
        .gives::<GroupView>(201);
    api.get("groups/{group}", needs(Deed::Access), "One group", show).gives::<GroupView>(200).versioned();
    api.route(Method::PUT, "groups/{group}", needs(Deed::Edit), "Give a group another name", rename)
        .takes::<GroupDraft>()
        .gives::<GroupView>(200)
        .versioned();
    api.route(Method::DELETE, "groups/{group}", needs(Deed::Delete), "Remove a group that nothing refers to", remove)
        .gives_nothing()
        .versioned();
}

fn view(listed: &Listed, references: Option<Vec<String>>) -> GroupView {
    GroupView { id: listed.group.id.to_string(), name: listed.group.name.clone(), members: listed.members, references }
}

async fn list(program: Program, Query(search): Query<Search>) -> Answer {
    let paging = super::io::Paging { after: search.after, limit: search.limit };
    let (limit, tenant) = (u32::from(paging.limit()?), program.call.realm.tenant());
    let start = search.name.unwrap_or_default();
    let question = async |connection: &mut Connection| {
        groups::search(connection, tenant, &start, paging.after.as_deref(), limit).await
    };
    let (found, next) = program.call.site.house.db.look(question).await?;
    Ok(ok(&Page { items: found.iter().map(|one| view(one, None)).collect(), next }))
}

async fn group(program: &Program, id: GroupId) -> Result<Listed, Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| groups::one(tenant, id).ask(connection).await;
    program.call.site.house.db.look(question).await?.ok_or_else(Problem::not_found)
}

async fn whole(program: &Program, id: GroupId) -> Result<(i64, GroupView), Problem> {
    let group = group(program, id).await?;
    let references = uses_of_group(&program.call.realm.config, id);
    Ok((group.version, view(&group, Some(references))))
}

async fn show(program: Program, Named(id): Named<GroupId>) -> Answer {
    let (version, view) = whole(&program, id).await?;
    Ok(versioned(version, &view))
}

fn refusal(refused: &Refused) -> Problem {
    match refused {
        Refused::Name(fault) => Problem::field("name", fault.to_string()),
        Refused::Taken => Problem::field("name", "is taken: there is a group of this name"),
        Refused::Overtaken => Problem::changed_meanwhile(),
        Refused::InUse(references) => {
            let words = format!("the group is in use: {}", references.join(", "));
            Problem::new(409, "group.in_use", words)
        }
    }
}

async fn make(program: Program, Body(draft): Body<GroupDraft>) -> Answer {
    let made = desk_of_groups::create(&program.desk(), &program.call.realm.config, &draft.name).await?;
    let made = made.map_err(|refused| refusal(&refused))?;
    Ok(created(&view(&group(&program, made.id).await?, None)))
}

async fn rename(
    program: Program,
    request: HttpRequest,
    Named(id): Named<GroupId>,
    Body(draft): Body<GroupDraft>,
) -> Answer {
    let seen = Listed { version: if_match(&request)?, ..group(&program, id).await? };
    let done = desk_of_groups::rename(&program.desk(), &program.call.realm.config, &seen, &draft.name).await?;
    done.map_err(|refused| refusal(&refused))?;
    let (version, view) = whole(&program, id).await?;
    Ok(versioned(version, &view))
}

async fn remove(program: Program, request: HttpRequest, Named(id): Named<GroupId>) -> Answer {
    let seen = Listed { version: if_match(&request)?, ..group(&program, id).await? };
    let removed = desk_of_groups::remove(&program.desk(), program.call.realm.code(), &seen).await?;
    removed.map_err(|refused| refusal(&refused))?;
    Ok(done())
}
