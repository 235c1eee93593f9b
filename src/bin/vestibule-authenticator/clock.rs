//! `clock`: whether the device's clock is good enough for its passcodes.

use vestibule::clock::Clock;
use vestibule::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};

use super::store::Entry;
use super::words::{Said, said};
use super::{Failure, complaint, failed, say};

/// What to say of a clock that is off by so many seconds, positive if it is ahead; nothing if that is less than a time step,
/// or if passcodes do not depend on it.
pub fn warning(off: i64, template: &TokenTemplate) -> Option<Said> {
    let by_the_clock = template.synchronization == Synchronization::Time && template.mode == Mode::QuickLog;
    if !by_the_clock || off.abs() <= i64::from(template.time_step_seconds) {
        return None;
    }
    let seconds = off.unsigned_abs();
    Some(match (seconds < 120, off > 0) {
        (true, true) => said("app-clock-seconds-ahead", [("seconds", seconds.into())]),
        (true, false) => said("app-clock-seconds-behind", [("seconds", seconds.into())]),
        (false, true) => said("app-clock-minutes-ahead", [("minutes", (seconds / 60).into())]),
        (false, false) => said("app-clock-minutes-behind", [("minutes", (seconds / 60).into())]),
    })
}

/// Asks the server what time it is.
pub fn run(entry: &Entry, json: bool) -> Result<(), Failure> {
    if !entry.server.starts_with("http") {
        return Err(complaint("app-clock-no-server", []));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let theirs = runtime.block_on(server_time(&entry.server))?;
    let off = Clock::System.now().seconds() - theirs;
    let warning = warning(off, &entry.template);
    let words = warning.clone().unwrap_or_else(|| said("app-clock-good", []));
    say(json, &serde_json::json!({ "seconds_ahead": off, "good": warning.is_none() }), &words);
    Ok(())
}

/// What the server says of itself (docs/activation-protocol.md, section 2).
#[derive(serde::Deserialize)]
struct Info {
    server_time: i64,
}

/// What the server's clock shows, in seconds since 1970.
async fn server_time(server: &str) -> Result<i64, Failure> {
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(20)).build().map_err(failed)?;
    let answer = client.get(format!("{server}/api/authenticator/v1/info")).send().await;
    let answer = answer.map_err(|error| {
        complaint("app-no-connection", [("address", server.into()), ("error", error.to_string().into())])
    })?;
    let info: Result<Info, _> = answer.json().await;
    let silent = |error: reqwest::Error| {
        complaint("app-clock-silent", [("server", server.into()), ("error", error.to_string().into())])
    };
    Ok(info.map_err(silent)?.server_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// more than one time step, and only where the clock matters.
    #[test]
    fn a_clock_is_off_by_more_than_a_time_step() {
        let app = TokenTemplate::app();
        let warning = |off, template: &TokenTemplate| warning(off, template).map(|words| words.to_string());
        assert_eq!((warning(30, &app), warning(-30, &app)), (None, None));
        assert!(warning(31, &app).is_some_and(|words| words.contains("31 seconds ahead")));
        assert!(warning(-31, &app).is_some_and(|words| words.contains("31 seconds behind")));
        assert!(warning(600, &app).is_some_and(|words| words.contains("about 10 minutes ahead")));
        assert!(warning(-600, &app).is_some_and(|words| words.contains("about 10 minutes behind")));
        let event = TokenTemplate { synchronization: Synchronization::Event, ..app.clone() };
        let challenge = TokenTemplate { mode: Mode::ChallengeResponse, ..app };
        assert_eq!((warning(600, &event), warning(600, &challenge)), (None, None));
    }
}
