//! `clock`: whether the device's clock is good enough for its passcodes.

use vestibule::clock::Clock;
use vestibule::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};

use super::store::Entry;
use super::{Failure, failed, say};

/// What to say of a clock that is off by so many seconds, positive if it is ahead; nothing if that is less than a time step,
/// or if passcodes do not depend on it.
pub fn warning(off: i64, template: &TokenTemplate) -> Option<String> {
    let by_the_clock = template.synchronization == Synchronization::Time && template.mode == Mode::QuickLog;
    if !by_the_clock || off.abs() <= i64::from(template.time_step_seconds) {
        return None;
    }
    let way = if off > 0 { "ahead" } else { "behind" };
    let by =
        if off.abs() < 120 { format!("{} seconds", off.abs()) } else { format!("about {} minutes", off.abs() / 60) };
    Some(format!("The clock of this device is {by} {way}; passcodes may be refused. Have it set automatically."))
}

/// Asks the server what time it is.
pub fn run(entry: &Entry, json: bool) -> Result<(), Failure> {
    if !entry.server.starts_with("http") {
        return Err(failed("this authenticator came by an otpauth:// address: its server is not known"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let theirs = runtime.block_on(server_time(&entry.server))?;
    let off = Clock::System.now().seconds() - theirs;
    let warning = warning(off, &entry.template);
    let words = warning.clone().unwrap_or_else(|| "The clock of this device is good enough.".to_owned());
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
    let answer = answer.map_err(|error| failed(format!("no connection to {server} [act.net]: {error}")))?;
    let info: Result<Info, _> = answer.json().await;
    Ok(info.map_err(|error| failed(format!("{server} does not say what time it is: {error}")))?.server_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// more than one time step, and only where the clock matters.
    #[test]
    fn a_clock_is_off_by_more_than_a_time_step() {
        let app = TokenTemplate::app();
        assert_eq!((warning(30, &app), warning(-30, &app)), (None, None));
        assert!(warning(31, &app).is_some_and(|words| words.contains("31 seconds ahead")));
        assert!(warning(-600, &app).is_some_and(|words| words.contains("about 10 minutes behind")));
        let event = TokenTemplate { synchronization: Synchronization::Event, ..app.clone() };
        let challenge = TokenTemplate { mode: Mode::ChallengeResponse, ..app };
        assert_eq!((warning(600, &event), warning(600, &challenge)), (None, None));
    }
}
