//! What the help desk is told of tokens and people: lines for eyes, JSON for programs. The names of the members are stable;
//! docs/tokens.md lists them.

use serde_json::{Value, json};

use crate::domain::authenticator::lifecycle::{Disposition, EnrolledBy, LockReason, State};
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::storage::tokens::{Listed, Token};

/// Why a token is locked for whoever looks: its own reason, or that its owner's account is locked.
pub(super) fn lock(token: &Token, account_locked: bool) -> Option<LockReason> {
    let own = (token.state == State::Locked).then(|| token.lock.unwrap_or(LockReason::Attempts));
    own.or_else(|| (account_locked && token.state == State::Active).then_some(LockReason::Account))
}

/// The state as it is shown.
pub(super) fn state(token: &Token, account_locked: bool) -> State {
    if lock(token, account_locked).is_some() { State::Locked } else { token.state }
}

fn time(at: Timestamp) -> String {
    at.rfc3339()
}

/// A token as JSON: what a list shows of it.
pub(super) fn token(listed: &Listed, account_locked: bool) -> Value {
    let token = &listed.token;
    json!({
        "serial": token.serial,
        "type": token.kind.id(),
        "state": state(token, account_locked).id(),
        "locked_by": lock(token, account_locked).map(LockReason::id),
        "user": listed.username,
        "name": token.name,
        "platform": token.platform.map(Platform::id),
        "enrolled_at": time(token.enrolled_at),
        "last_used_at": token.last_used_at.map(time),
        "provisioning": if token.first_used_at.is_some() { "completed" } else { "pending" },
        "template_version": token.template.version,
    })
}

/// Everything about a token, as JSON.
pub(super) fn whole_token(listed: &Listed, account_locked: bool, owner: Option<&User>) -> Value {
    let token = &listed.token;
    let mut whole = self::token(listed, account_locked);
    let rest = json!({
        "state_since": time(token.state_at),
        "state_reason": token.state_reason,
        "disposition": token.disposition.map(Disposition::id),
        "user_status": owner.map(|user| status(user.status)),
        "device": token.device,
        "enrolled_by": token.enrolled_by.id(),
        "enrolled_address": token.enrolled_address,
        "rule": token.rule,
        "task": token.task,
        "first_used_at": token.first_used_at.map(time),
        "failed_count": token.failed_count,
        "drift_steps": token.drift_steps,
        "asked_to_renew": token.renew_before > token.template.version,
        "template": token.template,
    });
    if let (Some(whole), Value::Object(rest)) = (whole.as_object_mut(), rest) {
        whole.extend(rest);
    }
    whole
}

/// A token as a line of a list.
pub(super) fn line(listed: &Listed, account_locked: bool) -> String {
    let token = &listed.token;
    let state = match lock(token, account_locked) {
        Some(reason) => format!("locked ({})", reason.id()),
        None => token.state.to_string(),
    };
    let used = token.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", time(at)));
    let user = listed.username.as_deref().unwrap_or("-");
    let platform = token.platform.map_or(token.kind.id(), Platform::id);
    let way = match token.enrolled_by {
        EnrolledBy::Import => "imported",
        _ => "enrolled",
    };
    format!("{}\t{user}\t{state}\t{platform}\t{way} {}\t{used}", token.serial, time(token.enrolled_at))
}

/// The word for an account's status.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled",
    }
}

/// The lines of an object for eyes: one for each member, nothing for what is lacking.
pub(super) fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    put(&mut lines, "", value);
    lines
}

fn put(lines: &mut Vec<String>, path: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                put(lines, &path, member);
            }
        }
        Value::Array(members) => {
            for (place, member) in members.iter().enumerate() {
                put(lines, &format!("{path}[{place}]"), member);
            }
        }
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => lines.push(format!("{path}\t{text}")),
        other => lines.push(format!("{path}\t{other}")),
    }
}

/// A document as it is printed.
pub(super) fn printed(value: &Value) -> Vec<String> {
    vec![serde_json::to_string_pretty(value).unwrap_or_default()]
}
