//! `vestibule user …`.

use serde_json::{Value, json};

use super::arguments::{Named, OfTenant, Part, Shape, User as Asked};
use super::{Place, Said, told};
use crate::app::exchange;
use crate::app::recovery;
use crate::config::Settings;
use crate::domain::authenticator::lifecycle::State;
use crate::domain::user::{Status, User, checked_alias};
use crate::flow::administration::people;
use crate::flow::lifecycle;
use crate::storage::tokens::{self, Listed};
use crate::storage::{self, Connection, users};

/// Carries out a command.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn run(settings: &Settings, asked: Asked) -> anyhow::Result<Said> {
    match asked {
        Asked::List { name, part, tenant, shape } => list(settings, name, part, &tenant, shape).await,
        Asked::Show(named) => show(settings, &named).await,
        Asked::Unlock(named) => change(settings, &named, Change::Unlock).await,
        Asked::Enable(named) => change(settings, &named, Change::Enable).await,
        Asked::Disable(named) => change(settings, &named, Change::Disable).await,
        Asked::Delete { named, yes: true } => change(settings, &named, Change::Delete).await,
        Asked::Delete { named, yes: false } => anyhow::bail!(
            "{} would be removed for ever, with every authenticator; say --yes if that is meant",
            named.username
        ),
        Asked::Explain { address, named } => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::explain(settings, tenant, name, address).await?, &named))
        }
        Asked::TemporaryCode { hours, count, named } => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::temporary(settings, tenant, name, (hours, count)).await?, &named))
        }
        Asked::ReopenEnrollment(named) => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::reopen(settings, tenant, name).await?, &named))
        }
        Asked::Pass(named) => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::pass(settings, tenant, name).await?, &named))
        }
        Asked::ConfirmPass(named) => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::confirm_pass(settings, tenant, name).await?, &named))
        }
        Asked::VoidCodes(named) => {
            let (tenant, name) = parts(&named);
            Ok(printed(recovery::void(settings, tenant, name).await?, &named))
        }
        Asked::Enrollment { named, again } => {
            let allowed = match again.as_str() {
                "allow" => Some(true),
                "forbid" => Some(false),
                _ => None,
            };
            change(settings, &named, Change::Enrollment(allowed)).await
        }
        Asked::Alias { named, alias, none: _ } => set_alias(settings, &named, alias.as_deref()).await,
        Asked::Import(asked) => exchange::import_people(settings, &asked).await,
        Asked::Export(asked) => exchange::export_people(settings, &asked).await,
    }
}

fn parts(named: &Named) -> (Option<&str>, &str) {
    (named.tenant.tenant.as_deref(), named.username.as_str())
}

/// What is said for somebody who cannot enroll, or whose authenticator is gone.
fn printed(said: recovery::Said, named: &Named) -> Said {
    Said::lines(said.printed(named.shape.json))
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Unlock,
    Enable,
    Disable,
    Delete,
    Enrollment(Option<bool>),
}

impl Change {
    const fn done(self) -> &'static str {
        match self {
            Self::Unlock => "is unlocked",
            Self::Enable => "is enabled",
            Self::Disable => "is disabled; open logins and sessions have ended",
            Self::Delete => "is removed; every authenticator is revoked",
            Self::Enrollment(Some(true)) => "may enroll an authenticator at the login again",
            Self::Enrollment(Some(false)) => "may not enroll an authenticator at the login again",
            Self::Enrollment(None) => "may enroll an authenticator at the login as the rules of the virtual server say",
        }
    }
}

async fn change(settings: &Settings, named: &Named, change: Change) -> anyhow::Result<Said> {
    let place = Place::of(settings, named.tenant.tenant.as_deref()).await?;
    let user = place.user(&named.username).await?;
    let desk = place.desk();
    let work = async |connection: &mut Connection| -> storage::Result<Result<(), &'static str>> {
        match change {
            Change::Unlock => people::unlock(&desk, connection, &user).await.map(Ok),
            Change::Enable => people::set_status(&desk, connection, &user, Status::Enabled).await,
            Change::Disable => people::set_status(&desk, connection, &user, Status::Disabled).await,
            Change::Delete => people::remove(&desk, connection, place.tenant, user.id).await,
            Change::Enrollment(allowed) => {
                let (by, whose) = (place.by(), (place.tenant, user.id));
                lifecycle::set_may_enroll_again(connection, desk.house, &by, whose, allowed).await.map(Ok)
            }
        }
    };
    if let Err(why) = place.site.house.db.write(work).await? {
        anyhow::bail!("{} {why}", user.username);
    }
    if named.shape.json {
        let whole = json!({ "username": user.username, "done": change.done() });
        return Ok(Said::lines(told::printed(&whole)));
    }
    Ok(Said::line(format!("{} {}", user.username, change.done())))
}

/// `vestibule user alias`.
async fn set_alias(settings: &Settings, named: &Named, typed: Option<&str>) -> anyhow::Result<Said> {
    let place = Place::of(settings, named.tenant.tenant.as_deref()).await?;
    let user = place.user(&named.username).await?;
    let alias = checked_alias(typed.unwrap_or_default(), &user.username);
    let alias = alias.map_err(|words| anyhow::anyhow!("the alias {words}"))?;
    let desk = place.desk();
    let work = async |connection: &mut Connection| -> storage::Result<Result<(), &'static str>> {
        // Everything else of the account stays as it is by now.
        let Some(before) = users::with_id(connection, place.tenant, user.id).await? else { return Ok(Err("is gone")) };
        let after = User { alias: alias.clone(), ..before.clone() };
        if before == after {
            return Ok(Ok(()));
        }
        people::change(&desk, connection, &place.config, &before, &after).await
    };
    match place.site.house.db.write(work).await {
        Err(error) if error.is_duplicate() => {
            anyhow::bail!("the alias is taken: there is an account with this user name or alias")
        }
        Err(error) => return Err(error.into()),
        Ok(Err(why)) => anyhow::bail!("{} {why}", user.username),
        Ok(Ok(())) => {}
    }
    if named.shape.json {
        return Ok(Said::lines(told::printed(&json!({ "username": user.username, "alias": alias }))));
    }
    Ok(Said::line(match alias {
        Some(alias) => format!("{} has the alias {alias}", user.username),
        None => format!("{} has no alias", user.username),
    }))
}

/// An account as the help desk sees it.
struct Seen {
    user: User,
    locked: bool,
    tokens: Vec<Listed>,
}

impl Seen {
    async fn of(place: &Place, user: User) -> anyhow::Result<Self> {
        let house = &place.site.house;
        let now = house.clock.now();
        let question = async |connection: &mut Connection| {
            let locked = people::is_locked(house, connection, &user, now).await?;
            Ok((locked, tokens::ever_of(place.tenant, user.id).ask(connection).await?))
        };
        let (locked, owned) = house.db.look(question).await?;
        let name = |token| Listed { token, username: Some(user.username.clone()) };
        Ok(Self { locked, tokens: owned.into_iter().map(name).collect(), user })
    }

    const fn status(&self) -> &'static str {
        match self.user.status {
            Status::Disabled => "disabled",
            Status::Enabled if self.locked => "locked",
            Status::Enabled => "enabled",
        }
    }

    fn active(&self) -> usize {
        self.tokens.iter().filter(|listed| listed.token.state == State::Active).count()
    }

    fn json(&self) -> Value {
        let user = &self.user;
        json!({
            "username": user.username,
            "status": self.status(),
            "email": user.email,
            "alias": user.alias,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "language": user.language,
            "active_authenticators": self.active(),
            "first_enrolled_at": user.first_enrolled_at.map(|at| at.rfc3339()),
            "may_enroll_again": user.may_enroll_again,
        })
    }
}

async fn list(
    settings: &Settings,
    name: Option<String>,
    part: Part,
    tenant: &OfTenant,
    shape: Shape,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let start = name.unwrap_or_default();
    let start = start.trim_end_matches('*');
    let limit = if part.all { tokens::LONGEST_PAGE } else { part.limit };
    let (mut seen, mut next) = (Vec::new(), part.after.clone());
    loop {
        let question = async |connection: &mut Connection| {
            users::search(connection, place.tenant, start, next.as_deref(), limit).await
        };
        let (people, more) = place.site.house.db.look(question).await?;
        next = more;
        for user in people {
            seen.push(Seen::of(&place, user).await?);
        }
        if next.is_none() || !part.all {
            break;
        }
    }
    if shape.json {
        let all: Vec<Value> = seen.iter().map(Seen::json).collect();
        return Ok(Said::lines(told::printed(&json!({ "users": all, "next": next }))));
    }
    let lines = seen.iter().map(|seen| {
        let email = seen.user.email.as_deref().unwrap_or("-");
        format!("{}\t{}\t{email}\t{} active authenticators", seen.user.username, seen.status(), seen.active())
    });
    let note = next.map(|place| format!("there is more: --after '{place}'"));
    Ok(Said { notes: note.into_iter().collect(), ..Said::lines(lines.collect()) })
}

async fn show(settings: &Settings, named: &Named) -> anyhow::Result<Said> {
    let place = Place::of(settings, named.tenant.tenant.as_deref()).await?;
    let seen = Seen::of(&place, place.user(&named.username).await?).await?;
    let groups = {
        let question =
            async |connection: &mut Connection| users::groups_of(connection, place.tenant, seen.user.id).await;
        let ids = place.site.house.db.look(question).await?;
        let names = ids.into_iter().filter_map(|id| place.config.group_name(id)).map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    let mut whole = seen.json();
    let all: Vec<Value> = seen.tokens.iter().map(|listed| told::token(listed, seen.locked)).collect();
    if let Some(members) = whole.as_object_mut() {
        members.insert("groups".to_owned(), json!(groups));
        members.insert("tokens".to_owned(), json!(all));
    }
    if named.shape.json {
        return Ok(Said::lines(told::printed(&whole)));
    }
    if let Some(members) = whole.as_object_mut() {
        members.remove("tokens");
    }
    let mut lines = told::lines(&whole);
    lines.extend(seen.tokens.iter().map(|listed| told::line(listed, seen.locked)));
    Ok(Said::lines(lines))
}
