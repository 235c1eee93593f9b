//! What a refused passcode says about the device's clock, told to whoever has proven the password (see
//! [`crate::domain::oath::doctor`] for what is told and why no more).

use super::case::Case;
use super::house::{text, window_start};
use super::login::event;
use super::server_pin::has_pin;
use super::{House, Realm, Result, Visit};
use crate::domain::audit::Action;
use crate::domain::authenticator::template::{Mode, Synchronization, TokenTemplate};
use crate::domain::ids::TokenId;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::Tokens;
use crate::domain::oath::doctor::{PER_HOUR, Patient, Symptom, examine};
use crate::domain::secret::SecretBytes;
use crate::keys::sealing::Place;
use crate::storage::tokens::{State, summary};
use crate::storage::{Connection, clock_doubts, enrollments, throttle};

/// One authenticator whose clock may be off.
struct Examined {
    token: TokenId,
    serial: String,
    patient: Patient,
}

impl Examined {
    fn new(token: TokenId, serial: &str, template: &TokenTemplate, secret: SecretBytes, last_position: i64) -> Self {
        let patient = Patient {
            secret,
            algorithm: template.algorithm,
            length: template.length,
            alphabet: template.alphabet,
            step_seconds: template.time_step_seconds,
            last_position,
        };
        Self { token, serial: serial.to_owned(), patient }
    }
}

/// Whether passcodes of this template come and go with the time. With a PIN beside them nothing is told: that a passcode is
/// of another time would be told of a wrong PIN, too.
fn by_the_clock(template: &TokenTemplate) -> bool {
    template.synchronization == Synchronization::Time && template.mode == Mode::QuickLog && !has_pin(template)
}

/// What to tell about the clock of the device that a refused passcode came from; nothing for whoever has not proven the
/// password, nor more than a few times an hour.
///
/// # Errors
/// If the database fails or a secret does not open.
pub(super) async fn advise(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    typed: &str,
) -> Result<Option<Complaint>> {
    let Some(user) = case.user().filter(|_| case.evidence.password.is_some()) else { return Ok(None) };
    let patients = patients(house, realm, case).await?;
    if patients.is_empty() {
        return Ok(None);
    }
    let (tenant, login) = (realm.tenant(), case.login().id);
    let subject = text(&house.derived.throttle.of(&[b"clock doctor", &tenant.to_bytes(), &user.to_bytes()]));
    let hour = window_start(visit.now, 3600);
    // Counted durably: whoever could have it forgotten could ask more often.
    let asked = house.db.write(async |connection| throttle::hit(connection, tenant, &subject, hour).await).await?;
    if asked > PER_HOUR {
        return Ok(None);
    }
    let (typed, ignore_case, now) = (typed.to_owned(), realm.config.settings.windows.ignore_case, visit.now);
    // A day has thousands of passcodes: other requests go on meanwhile.
    let examined = tokio::task::spawn_blocking(move || {
        let mut found = None;
        for patient in patients {
            if let Some(symptom) = examine(&patient.patient, &typed, ignore_case, now) {
                found = Some((patient, symptom));
            }
        }
        found
    });
    let found = examined.await.unwrap_or_default();
    let told = house.db.write(async |connection: &mut Connection| {
        let before = clock_doubts::of(tenant, login).ask(connection).await?;
        let shown = found.as_ref().map(|(examined, symptom)| (examined.token, *symptom));
        clock_doubts::remember(connection, tenant, login, shown, now).await?;
        let Some((examined, symptom)) = &found else { return Ok(None) };
        let before = before.filter(|(token, _)| *token == examined.token).map(|(_, symptom)| symptom);
        if !symptom.may_be_told(before, examined.patient.step_seconds) {
            return Ok(None);
        }
        house.record(connection, told_of(case, visit, examined, *symptom)).await?;
        Ok(Some(Complaint::ClockOff { minutes: symptom.minutes(), ahead: symptom.ahead_seconds > 0 }))
    });
    Ok(told.await?)
}

/// Operators find it in the audit trail: a fleet of devices whose clocks run away is worth knowing of.
fn told_of(case: &Case, visit: &Visit, examined: &Examined, symptom: Symptom) -> crate::domain::audit::Event {
    let minutes = i64::try_from(symptom.minutes()).unwrap_or(0) * symptom.ahead_seconds.signum();
    let detail = serde_json::json!({ "serial": examined.serial, "minutes_ahead": minutes });
    event(case, visit, Action::ClockOff).on("token", examined.token).with(detail)
}

/// The authenticators that the passcode may have come from: the active ones or, at the end of an enrollment, the new one.
async fn patients(house: &House, realm: &Realm, case: &Case) -> Result<Vec<Examined>> {
    let tenant = realm.tenant();
    let mut patients = Vec::new();
    for token in case.tokens.iter().filter(|token| token.state == State::Active && by_the_clock(&token.template)) {
        let Some(sealed) = &token.secret_sealed else { continue };
        let secret = house.sealer.open(Place::new(tenant, "token", "secret_sealed", token.id), sealed)?;
        patients.push(Examined::new(token.id, &token.serial, &token.template, secret, token.last_position));
    }
    let (true, Some(enrollment)) = (summary(&case.tokens) == Tokens::None, &case.enrollment) else {
        return Ok(patients);
    };
    let ready = house.db.read(async |connection| enrollments::ready(connection, tenant, enrollment.id).await).await?;
    if let Some(ready) = ready.filter(|ready| by_the_clock(&ready.template)) {
        let place = Place::new(tenant, "enrollment", "secret_sealed", enrollment.id);
        let secret = house.sealer.open(place, &ready.secret_sealed)?;
        patients.push(Examined::new(TokenId::from_bits(0), &ready.serial, &ready.template, secret, -1));
    }
    Ok(patients)
}
