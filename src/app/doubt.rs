//! Whether the time can be believed, before anything is removed because it is old: what a clock that was wrong took away does not
//! come back when it is set right.

use std::time::Duration;

use crate::clock::Clock;
use crate::domain::ids::CorrelationId;
use crate::domain::timestamp::Timestamp;
use crate::http::Site;
use crate::storage::leases::{self, Belief};
use crate::storage::{self, Connection};

/// The database's clock may differ by this much: instances whose clocks differ by more do not work together either.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The time by which `job` removes what is old: now, or an earlier one. `None` if it had better wait; the log says why. The lease of
/// this name tells when it was done last, and is to be taken for the time that is believed.
///
/// # Errors
/// If the database fails.
pub(super) async fn believed(
    site: &Site,
    job: &'static str,
    owner: CorrelationId,
) -> storage::Result<Option<Timestamp>> {
    let house = &site.house;
    let now = house.clock.now();
    // A test's clock is not compared. With SQLite the other one is ours.
    if let Clock::System = house.clock {
        let seconds_off = now.seconds() - house.db.clock_seconds().await?;
        if seconds_off.unsigned_abs() > CLOCKS_DIFFER.as_secs() {
            tracing::warn!(job, seconds_off, "nothing is removed: this machine's clock and the database's differ");
            return Ok(None);
        }
    }
    let asked = async |connection: &mut Connection| leases::belief(connection, job, owner, now).await;
    let until = match house.db.write_soon(asked).await? {
        Belief::Now => return Ok(Some(now)),
        Belief::AtLeast(then) => {
            tracing::info!(
                job,
                now = now.rfc3339(),
                then = then.rfc3339(),
                "only what was old then is removed: the clock was not right for a whole day since this was done last, or the service \
                 did not run for so long"
            );
            return Ok(Some(then));
        }
        Belief::From(until) => until,
    };
    tracing::warn!(
        job,
        now = now.rfc3339(),
        until = until.rfc3339(),
        "nothing is removed until then: the clock shows more than a day after this was done last, and may be wrong; set it right \
         if it is"
    );
    Ok(None)
}
