//! The funnel: how far people come on their way to an authenticator, where they stop, and how long each step takes; as page
//! and as CSV (R-044, T-73).

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::codes;
use super::shell::{Shell, time};
use crate::domain::funnel::{Bar, Reached, spoken};
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::exchange::csv::Written;
use crate::flow::administration::rollout::{self, Funnel};
use crate::flow::administration::rollout_told::{SliceTold, parts_table, table as steps_table};
use crate::flow::administration::tally::{Asked, Pace, Reply};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::i18n::Language;
use crate::storage::rollout_funnel::By;

/// The page, below `/operator/`.
const PAGE: &str = "funnel";
/// The days that can be chosen.
const DAYS: [u32; 5] = [1, 7, 30, 90, 400];
/// The picture: its width, the height of a bar, and the space that bars have.
const WIDTH: u64 = 640;
const ROW: u64 = 44;
const BAR: u64 = 400;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    table.get(PAGE, Module::Funnel.needs(Deed::Access), show);
    table.post("funnel/count", Module::Funnel.needs(Deed::Access), count);
    table.get("funnel/steps.csv", Module::Funnel.needs(Deed::Export), steps);
    table.get("funnel/parts.csv", Module::Funnel.needs(Deed::Export), parts);
}

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone)]
struct Typed {
    by: By,
    days: u32,
    wave: String,
    group: String,
    platform: String,
    language: String,
    asked: Asked,
}

impl Typed {
    fn of(seat: &Seat, request: &HttpRequest) -> Self {
        let (mut by, mut days) = (By::Wave, 30);
        let [mut wave, mut group, mut platform, mut language] = [const { String::new() }; 4];
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            match &*name {
                "by" => by = By::named(&value).unwrap_or(By::Wave),
                "days" => days = value.parse().ok().filter(|days| (1..=400).contains(days)).unwrap_or(30),
                "wave" => wave = value.into_owned(),
                "group" => group = value.into_owned(),
                "platform" => platform = value.into_owned(),
                "language" => language = value.into_owned(),
                _ => {}
            }
        }
        let config = &seat.call.realm.config;
        let staging = &config.settings.self_provisioning.staging;
        let found = staging.wave.iter().find(|known| known.id.to_string() == wave).map(|wave| wave.id);
        let members = config.groups.iter().find(|known| key_of(&known.name) == key_of(&group)).map(|group| group.id);
        // What is not there is not looked for; neither is what nobody can have chosen.
        if found.is_none() {
            wave.clear();
        }
        if members.is_none() {
            group.clear();
        }
        if platform.parse::<Platform>().is_err() {
            platform.clear();
        }
        if Language::of_tag(&language).is_none() {
            language.clear();
        }
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let (platform_id, tag) = (some(&platform), some(&language));
        let asked = Asked { by, days, group: members, platform: platform_id, language: tag, wave: found };
        Self { by, days, wave, group, platform, language, asked }
    }

    fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("by", self.by.id()).append_pair("days", &self.days.to_string());
        for (name, value) in
            [("wave", &self.wave), ("group", &self.group), ("platform", &self.platform), ("language", &self.language)]
        {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

async fn counted(seat: &Seat, typed: &Typed, pace: Pace) -> Result<Reply<Funnel>, Fault> {
    let (house, config) = (&seat.call.site.house, &seat.call.realm.config);
    Ok(rollout::funnel(house, config, &typed.asked, pace).await?)
}

/// The funnel for a file: the last answer, or the page that says that it is being counted.
async fn for_file(seat: &Seat, typed: &Typed) -> Result<Result<Funnel, HttpResponse>, Fault> {
    Ok(match counted(seat, typed, Pace::AtOnce).await?.value() {
        Some((_, funnel)) => Ok(funnel),
        None => Err(page::see(&format!("{}?{}", seat.path(PAGE), typed.query()))),
    })
}

/// A bar of the picture.
struct Drawn {
    words: &'static str,
    people: u64,
    share: String,
    stopped: u64,
    median: String,
    p95: String,
    /// Where it stands, and how long it is.
    y: u64,
    width: u64,
}

fn drawn((row, bar): (usize, &Bar)) -> Drawn {
    let time = |seconds: Option<u64>| seconds.map_or_else(|| "–".to_owned(), |it| spoken(Duration::from_secs(it)));
    Drawn {
        words: bar.stage.words(),
        people: bar.people,
        share: format!("{}.{} %", bar.share / 10, bar.share % 10),
        stopped: bar.stopped,
        median: time(bar.median_seconds),
        p95: time(bar.p95_seconds),
        y: u64::try_from(row).unwrap_or(0) * ROW,
        // One pixel says that there is something at all.
        width: if bar.people == 0 { 0 } else { (bar.share * BAR / 1000).max(1) },
    }
}

/// A choice of a list.
struct Choice {
    value: String,
    name: String,
    chosen: bool,
}

fn choice(value: impl Into<String>, name: impl Into<String>, chosen: &str) -> Choice {
    let value = value.into();
    Choice { chosen: value == chosen, name: name.into(), value }
}

/// A part as the page names it.
fn told(by: By, part: SliceTold) -> SliceTold {
    match codes::meaning("platform", &part.name) {
        Some(words) if by == By::Platform => SliceTold { name: words.to_owned(), ..part },
        _ => part,
    }
}

#[derive(Template)]
#[template(path = "operator/funnel.html")]
struct FunnelPage {
    shell: Shell,
    /// When it was counted; empty while it is for the first time.
    counted_at: String,
    looked_at: u64,
    again: bool,
    query: String,
    may_export: bool,
    bars: Vec<Drawn>,
    failed: u64,
    by: &'static str,
    heading: &'static str,
    parts: Vec<SliceTold>,
    bys: Vec<Choice>,
    days: Vec<Choice>,
    waves: Vec<Choice>,
    groups: Vec<Choice>,
    platforms: Vec<Choice>,
    languages: Vec<Choice>,
    width: u64,
    height: u64,
}

/// `POST …/operator/funnel/count`: everything anew.
async fn count(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    let typed = Typed::of(&seat, &request);
    rollout::count_funnel_again(&seat.call.site.house, &seat.call.realm.config, &typed.asked).await?;
    Ok(page::see(&format!("{}?{}", seat.path(PAGE), typed.query())))
}

/// `GET …/operator/funnel`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let asked = Typed::of(&seat, &request);
    let reply = counted(&seat, &asked, Pace::AtOnce).await?;
    let looked_at = reply.looked_at();
    let counted = reply.value();
    let counted_at = counted.as_ref().map_or_else(String::new, |(at, _)| time(*at));
    let nothing = || Funnel {
        at: seat.call.visit.now,
        again: false,
        reached: Reached::default(),
        bars: Vec::new(),
        slices: Vec::new(),
    };
    let funnel = counted.map_or_else(nothing, |(_, funnel)| funnel);
    let config = &seat.call.realm.config;
    let bars: Vec<Drawn> = funnel.bars.iter().enumerate().map(drawn).collect();
    let days = asked.days.to_string();
    let named = |by: By| match by {
        By::Wave => "Wave",
        By::Group => "Group",
        By::Platform => "Platform",
        By::Language => "Language",
        By::Nothing => "Nothing",
    };
    page::page(&FunnelPage {
        shell: Shell::of(&seat, Module::Funnel),
        counted_at,
        looked_at,
        again: funnel.again,
        query: asked.query(),
        may_export: seat.may(Module::Funnel, Deed::Export),
        height: u64::try_from(bars.len()).unwrap_or(0) * ROW,
        width: WIDTH,
        bars,
        failed: funnel.reached.failed,
        by: asked.by.id(),
        heading: named(asked.by),
        parts: funnel.slices.iter().map(|slice| told(asked.by, SliceTold::from(slice))).collect(),
        bys: By::ALL.into_iter().map(|by| choice(by.id(), named(by), asked.by.id())).collect(),
        days: DAYS
            .into_iter()
            .map(|number| {
                let name = if number == 1 { "1 day".to_owned() } else { format!("{number} days") };
                choice(number.to_string(), name, &days)
            })
            .collect(),
        waves: config
            .settings
            .self_provisioning
            .staging
            .wave
            .iter()
            .map(|wave| choice(wave.id.to_string(), wave.name.clone(), &asked.wave))
            .collect(),
        groups: config.groups.iter().map(|group| choice(&group.name, &group.name, &asked.group)).collect(),
        platforms: Platform::ALL.into_iter().map(|it| choice(it.id(), codes::platform(it), &asked.platform)).collect(),
        languages: Language::ALL.into_iter().map(|it| choice(it.tag(), it.tag(), &asked.language)).collect(),
    })
}

fn csv(rows: &[Vec<String>], name: &str) -> HttpResponse {
    let mut rows = rows.iter();
    let head: Vec<&str> = rows.next().into_iter().flatten().map(String::as_str).collect();
    let mut table = Written::new(&head);
    for row in rows {
        table.row(row.iter().map(String::as_str));
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(table.text())
}

/// `GET …/operator/funnel/steps.csv`.
async fn steps(seat: Seat, request: HttpRequest) -> Answer {
    let typed = Typed::of(&seat, &request);
    Ok(match for_file(&seat, &typed).await? {
        Ok(funnel) => csv(&steps_table(&funnel), "funnel-steps.csv"),
        Err(elsewhere) => elsewhere,
    })
}

/// `GET …/operator/funnel/parts.csv`.
async fn parts(seat: Seat, request: HttpRequest) -> Answer {
    let typed = Typed::of(&seat, &request);
    Ok(match for_file(&seat, &typed).await? {
        Ok(funnel) => csv(&parts_table(&funnel, typed.by.id()), "funnel-parts.csv"),
        Err(elsewhere) => elsewhere,
    })
}
