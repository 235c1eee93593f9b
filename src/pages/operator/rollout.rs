//! The rollout: waves with their state and progress, pause and resume, what was observed, and the settings with their effect
//! in numbers before they are saved.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::labels::sentence;
use super::saved::despite;
use super::shell::{FieldFault, Shell};
use super::sure;
use crate::domain::fault::Fault as Wrong;
use crate::domain::ids::WaveId;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::staging::{MOST_WAVES, Mode, Wave};
use crate::flow::administration::rollout;
use crate::flow::administration::rollout_told::{
    BrakeDraft, CountTold, EffectTold, PeopleTold, RolloutDraft, RolloutTold, WaveDraft, WaveTold,
};
use crate::flow::administration::tally::Pace;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::Connection;

/// The pages, below `/operator/`.
const PAGE: &str = "rollout";
const EDIT: &str = "rollout/edit";

/// What is said after a change.
const DONE: [(&str, &str); 6] = [
    ("counting", "People are being counted anew."),
    ("saved", "The rollout was saved. It applies from the next login on."),
    ("paused", "The wave is paused: nobody new is asked."),
    ("let-in", "The wave is paused: nobody new is asked, and whoever was asked is let in as before."),
    ("resumed", "The wave goes on."),
    ("unchanged", "Nothing was changed: it was so already."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Rollout.needs(deed);
    table.get(PAGE, needs(Deed::Access), show);
    table.get(EDIT, needs(Deed::Edit), edit);
    table.post(EDIT, needs(Deed::Edit), post);
    table.post("rollout/count", needs(Deed::Access), count);
    table.post("rollout/waves/{wave}/pause", needs(Deed::Edit), pause);
    table.post("rollout/waves/{wave}/resume", needs(Deed::Edit), resume);
}

#[derive(Template)]
#[template(path = "operator/rollout.html")]
struct StatePage {
    shell: Shell,
    told: RolloutTold,
    mode: &'static str,
    counted_at: String,
    looked_at: u64,
    /// Lists of what was observed, with their headings.
    observed: Vec<(&'static str, &'static str, Vec<CountTold>)>,
    may_edit: bool,
}

impl StatePage {
    /// How much of a wave's people have an authenticator, in percent.
    fn share(people: Option<&PeopleTold>) -> u64 {
        let people = people.copied().unwrap_or(PeopleTold::NOBODY);
        (people.with_authenticator * 100).checked_div(people.targeted).unwrap_or(0)
    }

    /// A number, or that it is not known yet.
    fn number(number: &Option<u64>) -> String {
        number.map_or_else(|| "…".to_owned(), |number| number.to_string())
    }

    fn state(wave: &WaveTold) -> (&'static str, &'static str) {
        state_of(&wave.state)
    }

    fn reason(wave: &WaveTold) -> String {
        let Some(pause) = &wave.pause else { return String::new() };
        let percent = pause.numbers.get("percent").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let why = match pause.reason.as_str() {
            "enrollments_failed" => format!("by itself: {percent} % of enrollments failed"),
            "help_desk_needed" => format!("by itself: the help desk had to help {percent} % of the people"),
            _ => "by an operator".to_owned(),
        };
        let everybody = if pause.everybody { " People who were asked already are let in as before." } else { "" };
        format!("Paused since {} {why}.{everybody}", spaced(&pause.since))
    }

    /// Whether whoever was asked is let in as before.
    fn lets_in(wave: &WaveTold) -> bool {
        wave.pause.as_ref().is_some_and(|pause| pause.everybody)
    }

    fn when(text: &str) -> String {
        spaced(text)
    }
}

/// A time of the API as tables show it.
fn spaced(text: &str) -> String {
    text.trim_end_matches('Z').replace('T', " ") + " UTC"
}

/// The class of the state of a wave, and what it is called.
pub(super) fn state_of(word: &str) -> (&'static str, &'static str) {
    match word {
        "paused" => ("bad", "paused"),
        "runs" => ("good", "asking"),
        _ => ("", "waiting"),
    }
}

/// How a rollout goes on, in words.
pub(super) fn words(mode: &str) -> &'static str {
    match mode {
        "observe" => "Only observed: nobody is asked, and everybody who would be is written down",
        "waves" => "Wave by wave",
        _ => "All target users are asked",
    }
}

/// What an obstacle or a reason is called.
fn called(item: &str) -> &str {
    match item {
        "" => "nothing: they could enroll",
        "no_email" => "no mail address",
        "no_platform" => "no platform is allowed",
        "no_password" => "no password",
        "enrollment_locked" => "enrollment is locked",
        "address_is_new" => "the mail address is too new",
        "dormant" => "not used for too long",
        "window_closed" => "the time to enroll is over",
        "unknown_network" => "not from that network",
        "pass_needed" | "recovery_needed" => "the help desk must help",
        "otp_observed" => "only observed",
        "otp_no_wave" => "in no wave",
        "otp_before_wave" => "the wave has not begun",
        "otp_day_full" => "enough people that day",
        "otp_paused" => "the wave is paused",
        "otp_postponed" => "put off",
        other => other,
    }
}

/// `GET …/operator/rollout`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::of(&seat, Module::Rollout).with_done(request.query_string(), &DONE);
    state_page(&seat, shell).await
}

async fn state_page(seat: &Seat, shell: Shell) -> Answer {
    let (config, now) = (&seat.call.realm.config, seat.call.visit.now);
    let state = rollout::state(&seat.call.site.house, config, Pace::AtOnce).await?;
    let told = RolloutTold::of(&state, config, now);
    let named = |list: &[CountTold]| -> Vec<CountTold> {
        list.iter().map(|one| CountTold { item: called(&one.item).to_owned(), people: one.people }).collect()
    };
    let observed = told.observed.as_ref().map_or_else(Vec::new, |observed| {
        vec![
            ("applications", "Application", observed.applications.clone()),
            ("policies", "Policy that asked", observed.policies.clone()),
            ("reasons", "Why they were not asked", named(&observed.reasons)),
            ("obstacles", "What would have stopped them", named(&observed.obstacles)),
            ("days", "Day", observed.days.clone()),
        ]
    });
    page::page(&StatePage {
        mode: words(&told.rollout),
        counted_at: told.counted_at.as_deref().map(spaced).unwrap_or_default(),
        looked_at: state.looked_at,
        observed,
        may_edit: seat.may(Module::Rollout, Deed::Edit),
        told,
        shell,
    })
}

/// `POST …/operator/rollout/count`: everything anew.
async fn count(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    rollout::count_again(&seat.call.site.house, &seat.call.realm.config).await?;
    Ok(page::see(&format!("{}?done=counting", seat.path(PAGE))))
}

fn wave(seat: &Seat, id: WaveId) -> Result<Wave, Fault> {
    let staging = &seat.call.realm.config.settings.self_provisioning.staging;
    staging.with_id(id).cloned().ok_or(Fault::NotFound)
}

/// The page that asks before people are let in without an authenticator who were asked for one.
fn ask_first(seat: &Seat, wave: &Wave, form: &Form) -> Answer {
    let lines = [
        "Nobody new is asked for an authenticator, as with a pause.",
        "Besides, whoever was asked and has none yet is let in with what else the policy asks for, until the wave is resumed.",
        "So is a stranger who knows the password of one of them: no passcode of theirs would be asked for.",
        "People who have or had an authenticator, and applications that ask for two factors, are not affected.",
    ];
    let shell = Shell::titled(seat, Module::Rollout, &format!("Let in everybody whom {} asked?", wave.name));
    let places = (seat.path(&format!("rollout/waves/{}/pause", wave.id)), seat.path(PAGE));
    sure::ask(shell, form, (lines.map(str::to_owned).into(), "Yes, pause and let them in"), places)
}

/// `POST …/operator/rollout/waves/{wave}/pause`. A pause alone is done at once: something goes wrong, and every minute counts.
async fn pause(seat: Seat, path: web::Path<(String, WaveId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (wave, everybody) = (wave(&seat, path.into_inner().1)?, form.text("everybody") == "yes");
    if everybody && !sure::said(&form) {
        return ask_first(&seat, &wave, &form);
    }
    let (desk, tenant) = (seat.desk(), seat.call.realm.tenant());
    let work = async |connection: &mut Connection| rollout::pause(&desk, connection, tenant, &wave, everybody).await;
    let done = match (desk.house.db.write(work).await?, everybody) {
        (true, true) => "let-in",
        (true, false) => "paused",
        (false, _) => "unchanged",
    };
    Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))))
}

/// `POST …/operator/rollout/waves/{wave}/resume`.
async fn resume(seat: Seat, path: web::Path<(String, WaveId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let wave = wave(&seat, path.into_inner().1)?;
    let (desk, tenant) = (seat.desk(), seat.call.realm.tenant());
    let work = async |connection: &mut Connection| rollout::resume(&desk, connection, tenant, &wave).await;
    let done = if desk.house.db.write(work).await? { "resumed" } else { "unchanged" };
    Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))))
}

/// A wave as it was typed: every field stays what it was, right or wrong.
#[derive(Debug, Clone, Default)]
struct Typed {
    id: String,
    name: String,
    starts_at: String,
    groups: String,
    percent: String,
    most_per_day: String,
    postponements: String,
    deadline: String,
}

impl Typed {
    fn of(draft: &WaveDraft) -> Self {
        Self {
            id: draft.id.clone().unwrap_or_default(),
            name: draft.name.clone(),
            starts_at: local(&draft.starts_at),
            groups: draft.groups.join("\n"),
            percent: draft.percent.to_string(),
            most_per_day: draft.most_per_day.to_string(),
            postponements: draft.postponements.map(|number| number.to_string()).unwrap_or_default(),
            deadline: draft.deadline.as_deref().map(local).unwrap_or_default(),
        }
    }

    fn read(form: &Form, number: usize) -> Self {
        let text = |name: &str| form.text(&format!("wave-{number}-{name}")).trim().to_owned();
        Self {
            id: text("id"),
            name: text("name"),
            starts_at: text("starts-at"),
            groups: text("groups"),
            percent: text("percent"),
            most_per_day: text("most-per-day"),
            postponements: text("postponements"),
            deadline: text("deadline"),
        }
    }
}

/// A time as a browser's field for dates and times has it; the field is labelled UTC.
fn local(rfc3339: &str) -> String {
    let local = rfc3339.trim_end_matches('Z');
    local.strip_suffix(":00").unwrap_or(local).to_owned()
}

/// The other way; whatever is no such time stays what it is, and is told to be none.
fn utc(local: &str) -> String {
    match local.matches(':').count() {
        1 => format!("{local}:00Z"),
        2 if !local.ends_with('Z') => format!("{local}Z"),
        _ => local.to_owned(),
    }
}

#[derive(Template)]
#[template(path = "operator/rollout_edit.html")]
struct EditPage {
    shell: Shell,
    version: i64,
    mode: String,
    modes: Vec<(&'static str, &'static str)>,
    waves: Vec<Typed>,
    brake: [String; 4],
    may_add: bool,
    /// What the settings would do; nothing before it was asked for.
    effect: Option<EffectTold>,
    /// How many people were looked at, while that is being counted.
    looked_at: Option<u64>,
}

impl EditPage {
    fn fault(&self, number: &usize, field: &str) -> String {
        self.shell.fault(&format!("wave-{number}-{field}")).to_owned()
    }
}

fn edit_page(shell: Shell, version: i64, mode: &str, waves: Vec<Typed>, brake: [String; 4]) -> EditPage {
    EditPage {
        shell,
        version,
        mode: mode.to_owned(),
        modes: Mode::ALL.into_iter().map(|mode| (mode.id(), words(mode.id()))).collect(),
        may_add: waves.len() < MOST_WAVES,
        waves,
        brake,
        effect: None,
        looked_at: None,
    }
}

fn numbers(brake: BrakeDraft) -> [String; 4] {
    let BrakeDraft { failed_percent, help_desk_percent, at_least, window_minutes } = brake;
    [failed_percent.to_string(), help_desk_percent.to_string(), at_least.to_string(), window_minutes.to_string()]
}

/// `GET …/operator/rollout/edit`.
async fn edit(seat: Seat) -> Answer {
    let config = &seat.call.realm.config;
    let draft = RolloutDraft::of(config);
    let shell = Shell::titled(&seat, Module::Rollout, "Edit the rollout");
    let waves = draft.waves.iter().map(Typed::of).collect();
    page::page(&edit_page(shell, rollout::mark(config), &draft.rollout, waves, numbers(draft.brake)))
}

/// What a form says, and what cannot be read in it.
struct Read {
    draft: RolloutDraft,
    faults: Vec<FieldFault>,
}

fn number<T: std::str::FromStr>(text: &str, or: T, field: String, faults: &mut Vec<FieldFault>) -> T {
    if text.is_empty() {
        return or;
    }
    text.parse().unwrap_or_else(|_| {
        faults.push(FieldFault::new(field, format!("\"{text}\" is not a number that can stand here.")));
        or
    })
}

fn read(form: &Form, waves: &[Typed]) -> Read {
    let mut faults = Vec::new();
    let mut drafts = Vec::with_capacity(waves.len());
    for (at, typed) in waves.iter().enumerate() {
        let field = |name: &str| format!("wave-{at}-{name}");
        let postponements = (!typed.postponements.is_empty())
            .then(|| number(&typed.postponements, 0, field("postponements"), &mut faults));
        drafts.push(WaveDraft {
            id: Some(typed.id.clone()).filter(|id| !id.is_empty()),
            name: typed.name.clone(),
            starts_at: utc(&typed.starts_at),
            groups: typed.groups.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            percent: number(&typed.percent, 100, field("percent"), &mut faults),
            most_per_day: number(&typed.most_per_day, 0, field("most-per-day"), &mut faults),
            postponements,
            deadline: Some(utc(&typed.deadline)).filter(|text| !text.is_empty()),
        });
    }
    let before = BrakeDraft::default();
    let brake = BrakeDraft {
        failed_percent: number(form.text("failed-percent").trim(), 0, "failed-percent".to_owned(), &mut faults),
        help_desk_percent: number(
            form.text("help-desk-percent").trim(),
            0,
            "help-desk-percent".to_owned(),
            &mut faults,
        ),
        at_least: number(form.text("at-least").trim(), before.at_least, "at-least".to_owned(), &mut faults),
        window_minutes: number(
            form.text("window-minutes").trim(),
            before.window_minutes,
            "window-minutes".to_owned(),
            &mut faults,
        ),
    };
    Read { draft: RolloutDraft { rollout: form.text("rollout").to_owned(), waves: drafts, brake }, faults }
}

/// The field of the form that a fault of a draft belongs to: `waves[1].starts_at` is `wave-1-starts-at`.
fn field_of(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key).replace('_', "-");
    let place = key.strip_prefix("waves[").and_then(|rest| rest.split(']').next());
    match place {
        Some(place) => format!("wave-{place}-{}", if name == "id" { "name" } else { &name }),
        None if key == "rollout" || key == "wave" => "rollout-everybody".to_owned(),
        None => name,
    }
}

/// `POST …/operator/rollout/edit`: another wave, one less, the effect in numbers, or save.
async fn post(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let count = form.text("count").parse::<usize>().unwrap_or(0).min(MOST_WAVES + 1);
    let mut waves: Vec<Typed> = (0..count).map(|number| Typed::read(&form, number)).collect();
    let (action, place) = form.text("do").split_once('-').unwrap_or((form.text("do"), ""));
    let place = place.parse::<usize>().ok().filter(|place| *place < waves.len());
    let brake = ["failed-percent", "help-desk-percent", "at-least", "window-minutes"]
        .map(|name| form.text(name).trim().to_owned());
    let version = form.text("version").parse().unwrap_or(0);
    let shell = Shell::titled(&seat, Module::Rollout, "Edit the rollout");
    let again = |shell: Shell, waves: Vec<Typed>| edit_page(shell, version, form.text("rollout"), waves, brake.clone());
    match (action, place) {
        ("add", _) => {
            waves.push(Typed { percent: "100".to_owned(), ..Typed::default() });
            waves.truncate(MOST_WAVES);
            return page::page(&again(shell, waves));
        }
        ("remove", Some(place)) => {
            waves.remove(place);
            return page::page(&again(shell, waves));
        }
        ("up", Some(place)) if place > 0 => {
            waves.swap(place, place - 1);
            return page::page(&again(shell, waves));
        }
        _ => {}
    }
    let Read { draft, mut faults } = read(&form, &waves);
    let config = &seat.call.realm.config;
    let settings = draft.settings(config, &seat.call.site.house.entropy);
    let staging = match settings {
        Ok(staging) if faults.is_empty() => staging,
        Ok(_) => return page::page(&again(shell.with_faults(faults), waves)),
        Err(wrong) => {
            for (key, words) in wrong {
                let field = field_of(&key);
                // What could not be read is told once.
                if !faults.iter().any(|fault| fault.field == field) {
                    faults.push(FieldFault::new(field, sentence(Module::Rollout, &Wrong::new(key, words))));
                }
            }
            return page::page(&again(shell.with_faults(faults), waves));
        }
    };
    if action == "save" {
        let (desk, code) = (seat.desk(), seat.call.realm.code());
        return match rollout::save(&desk, code, version, &staging, despite(&form)).await {
            Ok(_) => Ok(page::see(&format!("{}?done=saved", seat.path(PAGE)))),
            Err(unsaved) => page::page(&again(shell.refusing(unsaved)?, waves)),
        };
    }
    let mut provisioning = config.settings.self_provisioning.clone();
    provisioning.staging = staging;
    let effect = rollout::effect(&seat.call.site.house, config, &provisioning, Pace::AtOnce).await?;
    let looked_at = effect.is_counting().then(|| effect.looked_at());
    let effect = effect.value().map(|(_, effect)| EffectTold::from(&effect));
    let looked_at = looked_at.filter(|_| effect.is_none());
    page::page(&EditPage { effect, looked_at, ..again(shell, waves) })
}
