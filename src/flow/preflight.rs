//! Looks whether a rollout can begin: everything about one virtual server that can be looked at without changing anything.

use std::time::Duration;

use super::administration::Desk;
use super::{House, certificates, test_cases};
use crate::clock::Clock;
use crate::domain::audit::Action;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::oidc_client::OidcClient;
use crate::domain::preflight::{Finding, Light, groups_in_use, of_config};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::egress::EgressError;
use crate::storage::{self, Connection, outbox, preflight, test_cases as stored, users};

/// How many accounts without a mail address are looked at.
const MOST: i64 = 1000;
/// The database's clock may differ by this much; passcodes begin to fail at half a time step.
pub const CLOCK_OFF_SECONDS: i64 = 5;
/// A waiting mail that is older than this is told of: people wait ten minutes at most for a code.
pub const MAIL_LATE: Duration = Duration::from_secs(5 * 60);
/// How many authenticators must have been used before their clocks say something about ours.
const ENOUGH: usize = 20;
/// How long before it ends the secret of an application that is being replaced is told of, in seconds.
const SECRET_ENDS: u64 = 24 * 60 * 60;

/// Looks at a virtual server.
///
/// # Errors
/// If the database fails.
pub async fn of_tenant(house: &House, config: &TenantConfig, now: Timestamp) -> storage::Result<Vec<Finding>> {
    let mut findings = of_config(config);
    let question = async |connection: &mut Connection| {
        let groups = empty_groups(connection, config).await?;
        let people = without_address(connection, config).await?;
        let mail = late_mail(connection, config.tenant.id, now).await?;
        let cases = cases(house, connection, config, now).await?;
        let drift = drift(connection, config.tenant.id).await?;
        let certificates = ending(connection, config, now).await?;
        Ok([groups, people, mail, cases, drift, certificates])
    };
    findings.extend(house.db.look(question).await?.into_iter().flatten());
    findings.push(secrets(config, now));
    Ok(findings)
}

async fn empty_groups(connection: &mut Connection, config: &TenantConfig) -> storage::Result<Option<Finding>> {
    let mut empty = Vec::new();
    for (group, uses) in groups_in_use(config) {
        if preflight::has_no_member(config.tenant.id, group).ask(connection).await? {
            let name = config.group_name(group).unwrap_or_default();
            empty.push(format!("{name} (used by {})", uses.join(", ")));
        }
    }
    Ok(Some(if empty.is_empty() {
        Finding::green("groups", "every group that something refers to has members")
    } else {
        Finding::amber(
            "groups",
            format!("nobody is in {}", empty.join("; ")),
            "put people into it, or name another group",
        )
    }))
}

/// whoever has no address cannot start.
async fn without_address(connection: &mut Connection, config: &TenantConfig) -> storage::Result<Option<Finding>> {
    let settings = &config.settings.self_provisioning;
    let tenant = config.tenant.id;
    let found: Vec<(UserId, String)> = preflight::without_address(tenant, MOST).ask(connection).await?;
    let all = i64::try_from(found.len()).unwrap_or(MOST) < MOST;
    let mut targets = Vec::new();
    for (id, name) in found {
        let groups = users::groups_of(connection, tenant, id).await?;
        if settings.targets(&groups) {
            targets.push(name);
        }
    }
    if targets.is_empty() {
        let words = if all {
            "everybody whom self-provisioning is offered to has a mail address"
        } else {
            "nobody among the first 1000 accounts without a mail address is offered self-provisioning"
        };
        return Ok(Some(Finding::green("addresses", words)));
    }
    let some: Vec<&str> = targets.iter().take(5).map(String::as_str).collect();
    let more = if targets.len() > some.len() { ", …" } else { "" };
    let least = if all { "" } else { "at least " };
    Ok(Some(Finding::amber(
        "addresses",
        format!("{least}{} of the target users have no mail address: {}{more}", targets.len(), some.join(", ")),
        "give them one, or enroll them at the help desk",
    )))
}

/// Its own mail only: that of others is none of the business of its operators, and nothing that they can mend.
async fn late_mail(connection: &mut Connection, tenant: TenantId, now: Timestamp) -> storage::Result<Option<Finding>> {
    let oldest = outbox::oldest_waiting_of(tenant).ask(connection).await?;
    let waited = oldest.map_or(Duration::ZERO, |at| now.since(at));
    Ok(Some(if waited < MAIL_LATE {
        Finding::green("outbox", "no mail waits for long")
    } else {
        let found = format!("the oldest mail has waited for {} minutes", waited.as_secs() / 60);
        Finding::red("outbox", found, "the log says what the mail server answers; mend that, and the mails leave")
    }))
}

async fn cases(
    house: &House,
    connection: &mut Connection,
    config: &TenantConfig,
    now: Timestamp,
) -> storage::Result<Option<Finding>> {
    let cases = stored::all(config.tenant.id).ask(connection).await?;
    if cases.is_empty() {
        return Ok(None);
    }
    let outcomes = test_cases::judge(house, connection, &cases, None, config, now).await?;
    let failing = outcomes.iter().filter(|outcome| !outcome.holds);
    let failing: Vec<String> = failing.map(|it| format!("\"{}\": {}", it.name, it.differs.join(", "))).collect();
    Ok(Some(if failing.is_empty() {
        Finding::green("test_cases", format!("all {} hold", cases.len()))
    } else {
        Finding::amber("test_cases", failing.join("; "), "mend the policies, or change what the case expects")
    }))
}

/// What the devices of people say of our clock: where most of them are off to the same side, it is we who are.
async fn drift(connection: &mut Connection, tenant: TenantId) -> storage::Result<Option<Finding>> {
    let mut steps = preflight::drifts(tenant, MOST).ask(connection).await?;
    if steps.len() < ENOUGH {
        return Ok(None);
    }
    steps.sort_unstable();
    let median = steps.get(steps.len() / 2).copied().unwrap_or(0);
    let found = format!("the clocks of {} authenticators are off by {median} time steps (median)", steps.len());
    Ok(Some(if median == 0 {
        Finding::green("devices_clock", found)
    } else {
        Finding::amber("devices_clock", found, "it is rather this machine's clock: see that it is synchronized (NTP)")
    }))
}

/// Certificates that have run out stop every login of their application.
async fn ending(
    connection: &mut Connection,
    config: &TenantConfig,
    now: Timestamp,
) -> storage::Result<Option<Finding>> {
    let all = certificates::of_tenant(connection, config, now).await?;
    let ending: Vec<String> = all.iter().filter(|it| it.is_ending(now)).map(|it| it.words(now)).collect();
    let expired = all.iter().any(|it| it.not_after <= now);
    let to_do = "rotate our own (vestibule keys rotate), and ask service providers for new metadata";
    Ok(Some(match (ending.is_empty(), expired) {
        (true, _) => Finding::green("saml_certificates", format!("{}, none of them ends soon", all.len())),
        (false, true) => Finding::red("saml_certificates", ending.join("; "), to_do),
        (false, false) => Finding::amber("saml_certificates", ending.join("; "), to_do),
    }))
}

/// A secret that was replaced ends after a day: whoever has not changed over by then is shut out.
fn secrets(config: &TenantConfig, now: Timestamp) -> Finding {
    let soon = now.plus(Duration::from_secs(SECRET_ENDS));
    let mut ending = Vec::new();
    for application in &config.applications {
        let crate::domain::application::Protocol::Oidc(client) = &application.protocol else { continue };
        let client: &OidcClient = client;
        let ends = client.secrets.iter().filter_map(|secret| secret.expires_at);
        for end in ends.filter(|end| *end > now && *end <= soon) {
            ending.push(format!("{} at {}", application.name, end.rfc3339()));
        }
    }
    if ending.is_empty() {
        return Finding::green("client_secrets", "no secret of an application ends soon");
    }
    let found = format!("a secret that was replaced ends: {}", ending.join(", "));
    Finding::amber("client_secrets", found, "see that the application uses the new secret by then")
}

/// Writes down that an operator sent a test mail: to which domain, and whether the mail server took it.
///
/// # Errors
/// If the database fails.
pub async fn mail_tested(
    desk: &Desk<'_>,
    tenant: TenantId,
    to: &str,
    finding: Option<&Finding>,
) -> storage::Result<()> {
    let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
    let taken = finding.is_some_and(|finding| finding.light == Light::Green);
    let event = desk.event(tenant, Action::MailTested);
    let event = event.with(serde_json::json!({ "domain": domain, "taken": taken }));
    desk.house.db.write(async |connection| desk.house.record(connection, event.clone()).await).await
}

/// Compares this machine's clock with the database server's: there is no other that could be had honestly.
pub async fn clock(house: &House) -> Finding {
    if house.db.engine() == storage::Engine::Sqlite {
        return Finding::green(
            "clock",
            "the database is in this process, so there is no other clock to compare with; see that NTP runs here",
        );
    }
    let Clock::System = house.clock else {
        return Finding::green("clock", "a test's clock is not compared");
    };
    match house.db.clock_seconds().await {
        Err(error) => Finding::red("clock", error.to_string(), "see that the database answers"),
        Ok(theirs) => {
            let off = theirs - house.clock.now().seconds();
            if off.abs() <= CLOCK_OFF_SECONDS {
                Finding::green("clock", format!("the database server's clock is {off} seconds from ours"))
            } else {
                Finding::red(
                    "clock",
                    format!("the database server's clock is {off} seconds from ours"),
                    "synchronize both (NTP): passcodes depend on the time",
                )
            }
        }
    }
}

/// Calls the service by its public address, as a browser would: `address` must answer with a text in which `expected` stands.
pub async fn reachable(house: &House, what: &'static str, address: &str, expected: &str) -> Finding {
    match house.egress.document(address, 64 * 1024).await {
        Ok(text) if text.contains(expected) => Finding::green(what, format!("{address} answers as it should")),
        Ok(_) => Finding::red(
            what,
            format!("{address} answers with something else"),
            "see that the proxy before this service passes this address on, unchanged",
        ),
        Err(EgressError::Refused(why)) => Finding::amber(
            what,
            format!("{address} was not called: {why}"),
            "open it in a browser, or name its network in [egress] allow",
        ),
        Err(error) => Finding::red(
            what,
            format!("{address}: {error}"),
            "see that the service runs, and that this machine reaches its own public address (DNS, proxy, certificate)",
        ),
    }
}
