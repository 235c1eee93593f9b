//! The funnel: how far people come on their way to an authenticator, where they stop, and how long each step takes; as page
//! and as CSV (R-044, T-73).

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::shell::{Shell, time};
use crate::domain::funnel::{Bar, spoken};
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::exchange::csv::Written;
use crate::flow::administration::rollout::{self, Funnel};
use crate::flow::administration::rollout_told::{SliceTold, parts_table, table as steps_table};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, page};
use crate::i18n::Language;
use crate::storage::Connection;
use crate::storage::rollout_funnel::{By, Filter};

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
    table.get("funnel/steps.csv", Module::Funnel.needs(Deed::Export), steps);
    table.get("funnel/parts.csv", Module::Funnel.needs(Deed::Export), parts);
}

/// What was asked for, as it stands in the address.
#[derive(Debug, Clone)]
struct Asked {
    by: By,
    days: u32,
    wave: String,
    group: String,
    platform: String,
    language: String,
    filter: Filter,
}

impl Asked {
    fn of(seat: &Seat, request: &HttpRequest) -> Self {
        let mut asked = Self {
            by: By::Wave,
            days: 30,
            wave: String::new(),
            group: String::new(),
            platform: String::new(),
            language: String::new(),
            filter: Filter::default(),
        };
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            match &*name {
                "by" => asked.by = By::named(&value).unwrap_or(By::Wave),
                "days" => asked.days = value.parse().ok().filter(|days| (1..=400).contains(days)).unwrap_or(30),
                "wave" => asked.wave = value.into_owned(),
                "group" => asked.group = value.into_owned(),
                "platform" => asked.platform = value.into_owned(),
                "language" => asked.language = value.into_owned(),
                _ => {}
            }
        }
        let config = &seat.call.realm.config;
        let staging = &config.settings.self_provisioning.staging;
        let wave = staging.wave.iter().find(|wave| wave.id.to_string() == asked.wave);
        let group = config.groups.iter().find(|group| key_of(&group.name) == key_of(&asked.group));
        let since = seat.call.visit.now.minus(Duration::from_secs(u64::from(asked.days) * 86_400));
        asked.filter = Filter {
            since: Some(since),
            group: group.map(|group| group.id),
            platform: Some(asked.platform.clone()).filter(|text| !text.is_empty()),
            language: Some(asked.language.clone()).filter(|text| !text.is_empty()),
            wave: wave.map(|wave| wave.id),
        };
        // What is not there is not looked for.
        if wave.is_none() {
            asked.wave.clear();
        }
        if group.is_none() {
            asked.group.clear();
        }
        asked
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

async fn counted(seat: &Seat, asked: &Asked) -> Result<Funnel, Fault> {
    let (config, now) = (&seat.call.realm.config, seat.call.visit.now);
    let look =
        async |connection: &mut Connection| rollout::funnel(connection, config, (asked.by, &asked.filter), now).await;
    Ok(seat.call.site.house.db.read(look).await?)
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

#[derive(Template)]
#[template(path = "operator/funnel.html")]
struct FunnelPage {
    shell: Shell,
    counted_at: String,
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

/// `GET …/operator/funnel`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let asked = Asked::of(&seat, &request);
    let funnel = counted(&seat, &asked).await?;
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
        counted_at: time(seat.call.visit.now),
        query: asked.query(),
        may_export: seat.may(Module::Funnel, Deed::Export),
        height: u64::try_from(bars.len()).unwrap_or(0) * ROW,
        width: WIDTH,
        bars,
        failed: funnel.reached.failed,
        by: asked.by.id(),
        heading: named(asked.by),
        parts: funnel.slices.iter().map(SliceTold::from).collect(),
        bys: By::ALL.into_iter().map(|by| choice(by.id(), named(by), asked.by.id())).collect(),
        days: DAYS.into_iter().map(|number| choice(number.to_string(), format!("{number} days"), &days)).collect(),
        waves: config
            .settings
            .self_provisioning
            .staging
            .wave
            .iter()
            .map(|wave| choice(wave.id.to_string(), wave.name.clone(), &asked.wave))
            .collect(),
        groups: config.groups.iter().map(|group| choice(&group.name, &group.name, &asked.group)).collect(),
        platforms: Platform::ALL.into_iter().map(|it| choice(it.id(), it.id(), &asked.platform)).collect(),
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
    let funnel = counted(&seat, &Asked::of(&seat, &request)).await?;
    Ok(csv(&steps_table(&funnel), "funnel-steps.csv"))
}

/// `GET …/operator/funnel/parts.csv`.
async fn parts(seat: Seat, request: HttpRequest) -> Answer {
    let asked = Asked::of(&seat, &request);
    let funnel = counted(&seat, &asked).await?;
    Ok(csv(&parts_table(&funnel, asked.by.id()), "funnel-parts.csv"))
}
