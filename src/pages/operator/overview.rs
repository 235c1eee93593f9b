//! What stands first on the dashboard: alerts, how far the rollout is, and what failed. Of each an operator sees what they could
//! see on its own page; among many people nothing is counted over everybody for this page alone.

use std::collections::HashSet;

use super::alerts::about;
use super::menu;
use super::rollout::{state_of, words};
use super::shell::time;
use crate::domain::alert::{Alert, Kind};
use crate::domain::ids::UserId;
use crate::domain::operator::{Deed, Module};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::rollout::{self, Effect};
use crate::flow::administration::tally::{Pace, Reply};
use crate::flow::certificates::{self, Dated};
use crate::flow::preflight::MAIL_LATE;
use crate::http::Fault;
use crate::http::guard::Seat;
use crate::storage::rollout_effect::People;
use crate::storage::{Connection, alerts, outbox, rollout_pauses, users};

/// So many alerts are counted.
const MOST: usize = 100;
/// So many alerts and certificates are named: the pages that tell of all of them are one step away.
const NAMED: usize = 3;

/// What stands first on the dashboard.
pub struct Overview {
    /// `None` if the role may not see alerts.
    pub alerts: Option<AlertsSeen>,
    /// `None` if the role may not see the rollout.
    pub rollout: Option<RolloutSeen>,
    /// What fails, and what does not.
    pub troubles: Vec<Trouble>,
}

/// The alerts of a span of time.
pub struct AlertsSeen {
    /// How many there were, such as "3" or "More than 100".
    pub number: String,
    /// The newest of all.
    pub newest: Vec<AlertLine>,
}

/// An alert.
pub struct AlertLine {
    /// When it was.
    pub at: String,
    /// What it is.
    pub kind: &'static str,
    /// Whom and what it is about.
    pub about: String,
    /// Where something can be done, below `/operator/`.
    pub page: String,
}

/// How far the rollout is.
pub struct RolloutSeen {
    /// How it goes on.
    pub mode: &'static str,
    /// When people were counted; empty while they are counted for the first time.
    pub counted_at: String,
    /// How many were looked at until now, while they are counted for the first time.
    pub looked_at: u64,
    /// All target users.
    pub all: Share,
    /// The waves.
    pub waves: Vec<WaveSeen>,
}

/// How far people are.
pub struct Share {
    /// Target users whose account may be used.
    pub targeted: u64,
    /// Of these: have an authenticator.
    pub enrolled: u64,
    /// Of these: have none.
    pub waiting: u64,
    /// How many of a hundred have one.
    pub percent: u64,
}

/// A wave.
pub struct WaveSeen {
    /// Its name.
    pub name: String,
    /// The word of its state.
    pub state: &'static str,
    /// The class of that.
    pub class: &'static str,
    /// How far its people are.
    pub share: Share,
}

/// Something that fails, or does not.
pub struct Trouble {
    /// What it is.
    pub what: &'static str,
    /// The word of its state; empty if that is not for us to say.
    pub state: &'static str,
    /// The class of that.
    pub class: &'static str,
    /// How it is.
    pub words: String,
    /// Where more is told: the words of a link, and its address below `/operator/`; none that the role may not see.
    pub links: Vec<(&'static str, &'static str)>,
}

impl Overview {
    /// What this operator may see. Alerts are counted from `since` on; `refused` are logins that failed and were denied.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn of(seat: &Seat, since: Timestamp, refused: (i64, i64)) -> Result<Self, Fault> {
        let may = |module: Module| seat.may(module, Deed::Access);
        let alerts = if may(Module::Alerts) { Some(alerts_of(seat, since).await?) } else { None };
        let rollout = if may(Module::Rollout) { Some(rollout_of(seat).await?) } else { None };
        let mut troubles = vec![logins(seat, refused)];
        if may(Module::Preflight) {
            troubles.extend(mail_and_certificates(seat).await?);
        }
        Ok(Self { alerts, rollout, troubles })
    }
}

async fn alerts_of(seat: &Seat, since: Timestamp) -> Result<AlertsSeen, Fault> {
    let tenant = seat.call.realm.tenant();
    let most = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
    let look = async |connection: &mut Connection| {
        let newest = alerts::newest(tenant, most).ask(connection).await?;
        let mut there = HashSet::new();
        for user in newest.iter().take(NAMED).filter_map(|written| written.alert.user) {
            there.extend(users::with_id(connection, tenant, user).await?.map(|user| user.id));
        }
        Ok((newest, there))
    };
    let (newest, there) = seat.call.site.house.db.look(look).await?;
    let within = newest.iter().filter(|written| written.alert.at >= since).count();
    let line = |alert: &Alert| AlertLine {
        at: time(alert.at),
        kind: alert.kind.title(),
        about: about(alert),
        page: page_of(seat, alert, &there),
    };
    Ok(AlertsSeen {
        number: if within > MOST { format!("More than {MOST}") } else { within.to_string() },
        newest: newest.iter().take(NAMED).map(|written| line(&written.alert)).collect(),
    })
}

/// Where something can be done about an alert: the page of the person, or of what it is about; else the list of alerts. Whoever is
/// not among those who are `there` any more has no page.
fn page_of(seat: &Seat, alert: &Alert, there: &HashSet<UserId>) -> String {
    let open = |module: Module| menu::page(module).filter(|_| seat.may(module, Deed::Access));
    if let Some(user) = alert.user.filter(|user| there.contains(user))
        && let Some(users) = open(Module::Users)
    {
        return format!("{users}/{user}");
    }
    let page = match alert.kind {
        Kind::RolloutPaused => open(Module::Rollout),
        Kind::MailFailure | Kind::CertificateExpiring => open(Module::Preflight),
        Kind::AuditChainBroken => open(Module::AuditLog),
        Kind::OperatorChanged => open(Module::Operators),
        _ => None,
    };
    page.unwrap_or("alerts#list").to_owned()
}

fn share(people: People) -> Share {
    Share {
        targeted: people.targeted,
        enrolled: people.with_authenticator,
        waiting: people.asked,
        percent: (people.with_authenticator * 100).checked_div(people.targeted).unwrap_or(0),
    }
}

async fn rollout_of(seat: &Seat) -> Result<RolloutSeen, Fault> {
    let (house, config, now) = (&seat.call.site.house, &seat.call.realm.config, seat.call.visit.now);
    let (tenant, settings) = (config.tenant.id, &config.settings.self_provisioning);
    let reply: Reply<Effect> = rollout::effect(house, config, settings, Pace::Glance).await?;
    let looked_at = reply.looked_at();
    let mode = words(settings.staging.rollout.id());
    let Some((at, effect)) = reply.value() else {
        let all = share(People::default());
        return Ok(RolloutSeen { mode, counted_at: String::new(), looked_at, all, waves: Vec::new() });
    };
    let paused = house.db.look(async |connection| rollout_pauses::all(tenant).ask(connection).await).await?;
    let waves = settings.staging.wave.iter().zip(&effect.waves).map(|(wave, (name, people))| {
        let word = if paused.iter().any(|pause| pause.wave == wave.id) {
            "paused"
        } else if now < wave.starts_at {
            "waits"
        } else {
            "runs"
        };
        let (class, state) = state_of(word);
        WaveSeen { name: name.clone(), state, class, share: share(*people) }
    });
    Ok(RolloutSeen { mode, counted_at: time(at), looked_at, all: share(effect.all), waves: waves.collect() })
}

/// Logins that were refused: some always are, so nobody is told that something must be done.
fn logins(seat: &Seat, (failed, denied): (i64, i64)) -> Trouble {
    let links =
        [("Those that failed", "access-log?result=failure"), ("Those that were denied", "access-log?result=denied")];
    let some = links.into_iter().zip([failed, denied]).filter(|(_, number)| *number > 0).map(|(link, _)| link);
    Trouble {
        what: "Logins",
        state: "",
        class: "",
        words: format!("{failed} failed, {denied} denied"),
        links: if seat.may(Module::AccessLog, Deed::Access) { some.collect() } else { Vec::new() },
    }
}

/// Mail that waits for long, and certificates that run out, as the preflight page tells it.
async fn mail_and_certificates(seat: &Seat) -> Result<[Trouble; 2], Fault> {
    let (config, now) = (&seat.call.realm.config, seat.call.visit.now);
    let before = now.minus(MAIL_LATE);
    let look = async |connection: &mut Connection| {
        let oldest = outbox::oldest_waiting_of(config.tenant.id).ask(connection).await?;
        Ok((oldest, certificates::of_tenant(connection, config, now).await?))
    };
    let (oldest, dated) = seat.call.site.house.db.look(look).await?;
    let since = oldest.filter(|since| *since < before);
    let ending: Vec<Dated> = dated.into_iter().filter(|it| it.is_ending(now)).collect();
    let trouble = |what: &'static str, bad: bool, words: String| Trouble {
        what,
        state: if bad { "look" } else { "fine" },
        class: if bad { "bad" } else { "good" },
        words,
        links: if bad { vec![("Preflight", "preflight")] } else { Vec::new() },
    };
    let waits = since.map_or_else(|| "none waits for long".to_owned(), |at| format!("mail waits since {}", time(at)));
    let bad = !ending.is_empty();
    Ok([trouble("Mail", since.is_some(), waits), trouble("Certificates", bad, soonest(ending, now))])
}

/// The certificates that run out first, in words, and how many more do.
fn soonest(mut ending: Vec<Dated>, now: Timestamp) -> String {
    ending.sort_by_key(|it| it.not_after);
    let mut words: Vec<String> = ending.iter().take(NAMED).map(|it| it.words(now)).collect();
    match ending.len().saturating_sub(NAMED) {
        _ if ending.is_empty() => words.push("none ends soon".to_owned()),
        0 => {}
        more => words.push(format!("and {more} more")),
    }
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// the first page names the certificates that are the most pressing, and not a thousand of them.
    #[test]
    fn the_certificates_that_run_out_first_are_named() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let dated = |days: i64| {
            let what = format!("the signing certificate of App {days}");
            Dated { what, not_after: Timestamp::from_seconds(1_800_000_000 + days * 86_400) }
        };
        assert_eq!(soonest(Vec::new(), now), "none ends soon");
        assert_eq!(soonest(vec![dated(1)], now), "the signing certificate of App 1 expires on 2027-01-16");
        let many = soonest((-1..=9).rev().map(dated).collect(), now);
        assert!(many.starts_with("the signing certificate of App -1 expired on 2027-01-14; "), "{many}");
        assert!(many.ends_with("App 1 expires on 2027-01-16; and 8 more"), "{many}");
    }
}
