//! What operators expect of access policies and self-provisioning: cases that are looked at before a change is saved.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{TenantId, TestCaseId};
use crate::domain::name::key_of;
use crate::domain::policy::test_case::TestCase;
use crate::domain::timestamp::Timestamp;

/// All cases of a virtual server, by name.
pub fn all(tenant: TenantId) -> Question<Vec<TestCase>> {
    let statement = Statement::new(
        "SELECT id, name, test_case, version FROM policy_test_case WHERE tenant_id = ? ORDER BY name_key",
    );
    Question::new(statement.shown(tenant), |rows| rows.into_iter().map(test_case).collect())
}

/// The case with this identifier.
pub fn with_id(tenant: TenantId, id: TestCaseId) -> Question<Option<TestCase>> {
    let statement =
        Statement::new("SELECT id, name, test_case, version FROM policy_test_case WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(test_case).transpose())
}

fn test_case(row: Record) -> Result<TestCase> {
    let row = Row::of("policy_test_case", row);
    Ok(TestCase {
        id: row.parsed("id")?,
        name: row.text("name")?,
        says: row.document("test_case")?,
        version: row.integer("version")?,
    })
}

/// The statement that stores a new case. It fails with a duplicate if the name is taken.
pub fn insertion(tenant: TenantId, case: &TestCase, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO policy_test_case (tenant_id, id, name, name_key, test_case, version, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(case.id)
    .bind(&case.name)
    .bind(key_of(&case.name))
    .bind(document(&case.says))
    .bind(case.version)
    .bind(now.micros())
    .bind(now.micros())
}

/// Changes a case, provided that its version is still that of `case`; raises it. Says `false` if somebody changed or removed
/// it meanwhile. It fails with a duplicate if the name is taken.
///
/// # Errors
/// If the database fails.
pub async fn update(connection: &mut Connection, tenant: TenantId, case: &TestCase, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE policy_test_case SET name = ?, name_key = ?, test_case = ?, version = version + 1, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(&case.name)
    .bind(key_of(&case.name))
    .bind(document(&case.says))
    .bind(now.micros())
    .shown(tenant)
    .shown(case.id)
    .bind(case.version)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Removes a case. Says `false` if it is not there any more.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, id: TestCaseId, version: i64) -> Result<bool> {
    let statement = Statement::new("DELETE FROM policy_test_case WHERE tenant_id = ? AND id = ? AND version = ?");
    Ok(statement.shown(tenant).shown(id).bind(version).run(connection).await? == 1)
}
