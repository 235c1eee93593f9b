//! The cases that policies are held against: made, changed and removed.

use serde_json::json;

use super::Desk;
use super::configuration::{Saved, Unsaved};
use super::policies::names;
use crate::domain::audit::Action;
use crate::domain::fault::Fault;
use crate::domain::ids::{ApplicationId, TenantId, TestCaseId, UserId};
use crate::domain::name::Names;
use crate::domain::policy::test_case::{Known, MOST, Says, TestCase, TestCaseDraft};
use crate::domain::tenant::TenantConfig;
use crate::storage::{self, Connection, test_cases, users};

/// A case as it would be typed.
///
/// # Errors
/// If the database fails.
pub async fn draft_of(
    connection: &mut Connection,
    config: &TenantConfig,
    case: &TestCase,
) -> storage::Result<TestCaseDraft> {
    let user = users::with_id(connection, config.tenant.id, case.says.user).await?;
    let Says { application, address, expects, .. } = &case.says;
    Ok(TestCaseDraft {
        name: case.name.clone(),
        user: user.map(|user| user.username).unwrap_or_default(),
        application: config.application(*application).map(|it| it.name.clone()).unwrap_or_default(),
        address: Some(address.to_string()),
        decision: expects.decision,
        require: expects.require.clone(),
        enrollment: expects.enrollment,
    })
}

async fn read(
    connection: &mut Connection,
    config: &TenantConfig,
    draft: &TestCaseDraft,
) -> storage::Result<Result<(String, Says), Vec<Fault>>> {
    let user = users::named(connection, config.tenant.id, &draft.user).await?;
    let users: Names<UserId> = user.iter().map(|user| (user.username.as_str(), user.id)).collect();
    let applications: Names<ApplicationId> = names(config).1;
    Ok(draft.check(Known { users: &users, applications: &applications }))
}

/// Adds a case.
///
/// # Errors
/// [`Unsaved`].
pub async fn create(desk: &Desk<'_>, config: &TenantConfig, draft: &TestCaseDraft) -> Saved<TestCase> {
    let (tenant, id) = (config.tenant.id, desk.house.entropy.id());
    let made = desk.house.db.write(async |connection| {
        let (name, says) = match read(connection, config, draft).await? {
            Ok(read) => read,
            Err(faults) => return Ok(Err(Unsaved::Wrong(faults))),
        };
        if test_cases::all(tenant).ask(connection).await?.len() >= MOST {
            return Ok(Err(Unsaved::Never("there are 200 test cases already")));
        }
        let case = TestCase { id, name, says, version: 1 };
        put_new(desk, connection, tenant, &case, draft).await?;
        Ok(Ok(case))
    });
    taken(made.await, draft)
}

/// Stores a new case that was checked.
///
/// # Errors
/// If the database fails or the name is taken.
pub async fn put_new(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    case: &TestCase,
    draft: &TestCaseDraft,
) -> storage::Result<()> {
    test_cases::insertion(tenant, case, desk.now).run(connection).await?;
    let detail = json!({ "name": case.name, "old": null, "new": draft });
    record(desk, connection, tenant, Action::TestCaseCreated, case.id, detail).await
}

/// Changes a case that is still of `version`.
///
/// # Errors
/// [`Unsaved`].
pub async fn change(
    desk: &Desk<'_>,
    config: &TenantConfig,
    (id, version): (TestCaseId, i64),
    draft: &TestCaseDraft,
) -> Saved<TestCase> {
    let changed = desk.house.db.write(async |connection| {
        let (name, says) = match read(connection, config, draft).await? {
            Ok(read) => read,
            Err(faults) => return Ok(Err(Unsaved::Wrong(faults))),
        };
        let case = TestCase { id, name, says, version };
        if test_cases::with_id(config.tenant.id, id).ask(connection).await?.is_none() {
            return Ok(Err(Unsaved::Gone));
        }
        if !put(desk, connection, config, &case, draft).await? {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        Ok(Ok(TestCase { version: version + 1, ..case }))
    });
    taken(changed.await, draft)
}

/// Stores a case that was checked in the place of what it was in `case.version`. Says `false` if it is not that any more.
///
/// # Errors
/// If the database fails or the name is taken.
pub async fn put(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    case: &TestCase,
    draft: &TestCaseDraft,
) -> storage::Result<bool> {
    let tenant = config.tenant.id;
    let before = match test_cases::with_id(tenant, case.id).ask(connection).await? {
        Some(before) => Some(draft_of(connection, config, &before).await?),
        None => None,
    };
    if !test_cases::update(connection, tenant, case, desk.now).await? {
        return Ok(false);
    }
    let detail = json!({ "name": case.name, "old": before, "new": draft });
    record(desk, connection, tenant, Action::TestCaseChanged, case.id, detail).await?;
    Ok(true)
}

/// Removes a case of which one version was seen.
///
/// # Errors
/// [`Unsaved`].
pub async fn remove(desk: &Desk<'_>, config: &TenantConfig, (id, version): (TestCaseId, i64)) -> Saved<()> {
    let removed = desk.house.db.write(async |connection| {
        let Some(case) = test_cases::with_id(config.tenant.id, id).ask(connection).await? else {
            return Ok(Err(Unsaved::Gone));
        };
        let removed = take_away(desk, connection, config, &TestCase { version, ..case }).await?;
        Ok(if removed { Ok(()) } else { Err(Unsaved::ChangedMeanwhile) })
    });
    removed.await?
}

/// Removes a case in the transaction of `connection`. Says `false` if it is not what it was in `case.version` any more.
///
/// # Errors
/// If the database fails.
pub async fn take_away(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    case: &TestCase,
) -> storage::Result<bool> {
    let tenant = config.tenant.id;
    let draft = draft_of(connection, config, case).await?;
    if !test_cases::remove(connection, tenant, case.id, case.version).await? {
        return Ok(false);
    }
    let detail = json!({ "name": case.name, "old": draft, "new": null });
    record(desk, connection, tenant, Action::TestCaseRemoved, case.id, detail).await?;
    Ok(true)
}

fn taken<T>(result: storage::Result<Saved<T>>, draft: &TestCaseDraft) -> Saved<T> {
    match result {
        Err(error) if error.is_duplicate() => {
            Err(Fault::new("name", format!("\"{}\" is another case's", draft.name)).into())
        }
        other => other?,
    }
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    action: Action,
    id: TestCaseId,
    detail: serde_json::Value,
) -> storage::Result<()> {
    desk.record(connection, tenant, action, ("test_case", id.to_string()), detail).await
}
