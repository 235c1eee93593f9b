//! What follows when an older copy of the database took its place.

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::authenticator::lifecycle::Move;
use crate::flow::lifecycle::{self, By, Ending};
use crate::storage::{self, Connection, audit_chain, restored};

/// Ends what the copy brought back, moves time-based authenticators past the passcodes that may have been used since, and
/// suspends event-based ones, of which that cannot be known. Says how many. The trail of each virtual server tells of it, because
/// what had happened there since the copy was made is gone, events included.
///
/// # Errors
/// If the database fails.
pub async fn settle(desk: &Desk<'_>) -> storage::Result<u64> {
    let (house, by) = (desk.house, By::desk(desk));
    let work = async |connection: &mut Connection| {
        restored::settle(connection, desk.now).await?;
        let mut all = 0;
        for tenant in audit_chain::tenants().ask(connection).await? {
            let mut suspended = 0;
            for token in restored::settle_tokens(connection, tenant, desk.now).await? {
                let step = (Move::Suspend, "restored");
                // Every session has ended already.
                let moved = lifecycle::carry_out(connection, house, &by, &token, step, Ending::ItsOwn).await?;
                suspended += u64::from(moved.done());
            }
            let (object, detail) = (("tenant", tenant.to_string()), json!({ "suspended": suspended }));
            desk.record(connection, tenant, Action::DatabaseRestored, object, detail).await?;
            all += suspended;
        }
        Ok(all)
    };
    house.db.write(work).await
}
