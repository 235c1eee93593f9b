//! Whether the time can be believed, before anything is removed because it is old: what a clock that was wrong took away does not
//! come back when it is set right.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::ids::CorrelationId;
use crate::http::Site;
use crate::storage::{self, Connection, leases};

/// The database's clock may differ by this much: instances whose clocks differ by more do not work together either.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// Whether `job`, which removes what is old, had better wait; the log says why. The lease of this name tells when it was done last.
///
/// # Errors
/// If the database fails.
pub(super) async fn holds_back(site: &Site, job: &'static str, owner: CorrelationId) -> storage::Result<bool> {
    let house = &site.house;
    let now = house.clock.now();
    // A test's clock is not compared. With SQLite the other one is ours.
    if let Clock::System = house.clock {
        let seconds_off = now.seconds() - house.db.clock_seconds().await?;
        if seconds_off.unsigned_abs() > CLOCKS_DIFFER.as_secs() {
            tracing::warn!(job, seconds_off, "nothing is removed: this machine's clock and the database's differ");
            return Ok(true);
        }
    }
    let asked = async |connection: &mut Connection| leases::in_doubt(connection, job, owner, now).await;
    let Some(until) = house.db.write_soon(asked).await? else { return Ok(false) };
    tracing::warn!(
        job,
        now = now.rfc3339(),
        until = until.rfc3339(),
        "nothing is removed until then: the clock shows more than a day after this was done last, and may be wrong; set it right \
         if it is"
    );
    Ok(true)
}
