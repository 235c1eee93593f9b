//! Reports that are mailed again and again, and how long is kept what was made of them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::exchange::csv::Written;
use vestibule::flow::administration::schedules;
use vestibule::flow::audit_trail;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::story::{after_password, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

const DAY: u64 = 86_400;

fn csv(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Written::new(columns);
    rows.iter().for_each(|row| table.row(row.iter().map(String::as_str)));
    table.text()
}

/// Makes what is due, by two instances at the same moment; the job of the service may have been faster than both.
async fn make_due(world: &World) {
    let (house, now) = (&world.site.house, world.clock_now());
    let both = [schedules::make_due(house, csv, now), schedules::make_due(house, csv, now)];
    for made in futures_util::future::join_all(both).await {
        made.unwrap();
    }
}

async fn login(world: &World) {
    world.advance(31);
    let code = passcode_of_linus(world);
    let mut visitor = Visitor::new(&world.url);
    let page = after_password(world, &mut visitor, "linus", "has a token already").await;
    visitor.press(&page, "continue", &[("code", &code)]).await;
}

/// a report that is set up at the console is mailed once to whoever may see it, as a link to the page that shows exactly what
/// it is about; nothing of that stands in the mail. What is wrong is told beside its field.
#[actix_web::test]
async fn a_report_is_mailed_once_as_a_link() {
    for on in BOTH {
        let world = staffed(on).await;
        login(&world).await;
        let (mut oona, log) = at_console(&world, "oona", "access-log?result=success").await;
        assert!(log.body.contains("report-schedules/new?report=access_log&amp;result=success"), "{on:?}: {}", log.body);
        let new = oona.get(&console(&world, "report-schedules/new?report=access_log&result=success")).await;
        let wrong = oona.press(&new, "save-schedule", &[("name", ""), ("hour", "x"), ("receivers", "hedy")]).await;
        for words in ["Name: is empty.", "Hour: must be from 0 to 23.", "&quot;hedy&quot; may not see this report"] {
            let told = wrong.body.replace("&#34;", "&quot;");
            assert!(told.contains(words), "{on:?} {words}: {}", wrong.body);
        }
        let attached = [("name", "x"), ("hour", "6"), ("every", "day"), ("receivers", "audra"), ("attach", "yes")];
        let wrong = oona.press(&wrong, "save-schedule", &attached).await;
        assert!(wrong.body.contains("Attachment: is not allowed here"), "{on:?}: {}", wrong.body);
        let good = [
            ("name", "Successes"),
            ("hour", "6"),
            ("every", "day"),
            ("receivers", "audra"),
            ("filters-result", "success"),
        ];
        let saved = oona.press(&wrong, "save-schedule", &good).await;
        assert!(
            saved.body.contains("Saved.") && saved.body.contains("2027-01-16 06:00:00 UTC"),
            "{on:?}: {}",
            saved.body
        );

        make_due(&world).await;
        assert_eq!(world.events("report_mailed").await, 0, "{on:?}: it is not due");
        world.advance(DAY);
        make_due(&world).await;
        make_due(&world).await;
        assert_eq!(world.letters("audra@acme.test", "Successes").await, 1, "{on:?}");
        assert_eq!(
            (world.events("report_mailed").await, world.number("SELECT COUNT(*) AS n FROM report_run").await),
            (1, 1)
        );
        let mail = world.mail.to("audra@acme.test").pop().unwrap();
        let text = mail.text();
        let link = text.lines().find(|line| line.contains("/operator/access-log?")).unwrap().to_owned();
        assert!(link.contains("result=success") && link.contains("from=2027-01-15T00"), "{on:?}: {link}");
        let whole = String::from_utf8_lossy(&mail.message).into_owned();
        assert!(!text.contains("linus") && !whole.contains("attachment"), "{on:?}: {whole}");
        let (mut audra, _) = at_console(&world, "audra", "dashboard").await;
        let seen = audra.get(&link).await;
        assert!(seen.title() == "Access logs" && seen.body.contains("linus"), "{on:?}: {}", seen.body);
        let list = audra.get(&console(&world, "report-schedules")).await;
        assert!(list.body.contains("Successes") && !list.has_action("new-schedule"), "{on:?}: {}", list.body);
        // Several days without the service make one report, about the last of them.
        world.advance(5 * DAY);
        make_due(&world).await;
        assert_eq!(world.events("report_mailed").await, 2, "{on:?}");
        world.stop().await;
    }
}

/// before a report is not mailed any more the console asks, and says who gets it; whoever goes back has changed nothing, and
/// somebody who has the page of before cannot remove what it became.
#[actix_web::test]
async fn a_report_by_mail_goes_after_a_question() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, new) = at_console(&world, "oona", "report-schedules/new?report=access_log").await;
        let good = [("name", "Nightly"), ("hour", "6"), ("every", "day"), ("receivers", "audra")];
        oona.press(&new, "save-schedule", &good).await;
        let id = world.text("SELECT id AS t FROM report_schedule WHERE name = 'Nightly'").await;
        let page = console(&world, &format!("report-schedules/{id}"));
        let stale = oona.get(&page).await;
        let weekly = [("name", "Weekly"), ("hour", "6"), ("every", "week"), ("receivers", "audra")];
        oona.press(&stale, "save-schedule", &weekly).await;
        let question = oona.press(&stale, "remove-schedule", &[]).await;
        let refused = oona.press(&question, "sure", &[]).await;
        assert!(refused.body.contains("somebody else changed this meanwhile"), "{on:?}: R-040: {}", refused.body);

        let seen = oona.get(&page).await;
        let question = oona.press(&seen, "remove-schedule", &[]).await;
        assert_eq!(question.title(), "Remove the report by mail Weekly?", "{on:?}: asked first: {}", question.body);
        assert!(question.body.contains("It goes to: audra."), "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert_eq!(back.title(), "Report by mail: Weekly", "{on:?}: and is still there: {}", back.body);
        assert_eq!(world.events("report_schedule_removed").await, 0, "{on:?}");
        let gone = oona.press(&question, "sure", &[]).await;
        assert!(gone.body.contains("The report is not mailed any more"), "{on:?}: {}", gone.body);
        assert_eq!(world.events("report_schedule_removed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// R-570, T-73: with the consent of the virtual server the table is attached, safe for spreadsheets; whoever may not see the report
/// any more gets none; it is paused when whoever set it up may not see it any more, and goes on when somebody else saves it.
#[actix_web::test]
async fn a_report_ends_with_the_permission() {
    for on in BOTH {
        let world = staffed(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.logs]\nreport_attachments = true\n").await;
        let admin = key(&world, Role::Operator).await;
        let (_, made) =
            call(&world, &admin, Method::POST, "api-keys", Some(json!({ "name": "reports", "role": "operator" })))
                .await;
        let (program, id) = (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
        let draft = json!({
            "name": "=Everything", "report": "audit_log", "every": "day", "hour": 0, "attach": true,
            "filters": { "by": "operators" }, "receivers": ["audra", "oona"],
        });
        let (status, schedule) = call(&world, &program, Method::POST, "report-schedules", Some(draft.clone())).await;
        assert_eq!((status, &schedule["next_at"]), (201, &json!("2027-01-16T00:00:00Z")), "{on:?}: {schedule}");
        let path = format!("report-schedules/{}", schedule["id"].as_str().unwrap());
        for (member, value) in [
            ("report", json!("weather")),
            ("hour", json!(24)),
            ("receivers", json!(["nobody"])),
            ("filters", json!({ "x": "y" })),
        ] {
            let mut wrong = draft.clone();
            wrong[member] = value;
            let (status, body) = call(&world, &program, Method::POST, "report-schedules", Some(wrong)).await;
            assert!(status == 422 && body.to_string().contains(member), "{on:?} {member}: {body}");
        }
        let (status, body) = call(&world, &program, Method::POST, "report-schedules", Some(draft.clone())).await;
        assert!(status == 422 && body.to_string().contains("another report's"), "{on:?}: {body}");

        world.advance(DAY);
        make_due(&world).await;
        assert_eq!(world.letters("oona@acme.test", "=Everything").await, 1, "{on:?}");
        assert_eq!(world.letters("audra@acme.test", "=Everything").await, 1, "{on:?}");
        let mail = world.mail.to("audra@acme.test").pop().unwrap();
        let parsed = mail_parser::MessageParser::default().parse(&mail.message).unwrap();
        let table = parsed.attachment(0).unwrap().text_contents().unwrap().to_owned();
        assert!(table.contains("api_key_created") && table.starts_with("time,by,actor"), "{on:?}: {table}");

        // An auditor becomes somebody of the help desk: the next report goes to one operator less.
        world.command(&["operator", "remove", "audra"]);
        world.command(&["operator", "add", "audra", "--role", "Help desk"]);
        world.advance(DAY);
        make_due(&world).await;
        for _ in 0..200 {
            if world.mail.to("oona@acme.test").iter().filter(|mail| mail.subject().contains("=Everything")).count() == 2
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.letters("oona@acme.test", "=Everything").await, 2, "{on:?}");
        assert_eq!(world.letters("audra@acme.test", "=Everything").await, 1, "{on:?}: audra may not see it any more");

        // The key that set it up is revoked.
        let (status, _) = call(&world, &admin, Method::DELETE, &format!("api-keys/{id}"), None).await;
        assert_eq!(status, 204, "{on:?}");
        world.advance(DAY);
        make_due(&world).await;
        let (_, tag, shown) = call_with(&world, &admin, Method::GET, &path, None, None).await;
        assert!(shown["paused"].as_str().unwrap().contains("may not see it any more"), "{on:?}: {shown}");
        assert_eq!(
            (world.events("report_schedule_paused").await, world.events("report_mailed").await),
            (1, 2),
            "{on:?}"
        );
        let mut again = draft.clone();
        again["receivers"] = json!(["oona"]);
        assert_eq!(
            call_with(&world, &admin, Method::PUT, &path, Some(again.clone()), Some("\"0\"")).await.0,
            412,
            "R-040"
        );
        let (status, tag, shown) = call_with(&world, &admin, Method::PUT, &path, Some(again), Some(&tag)).await;
        assert!(status == 200 && shown.get("paused").is_none(), "{on:?}: {shown}");
        world.advance(DAY);
        make_due(&world).await;
        assert_eq!(world.events("report_mailed").await, 3, "{on:?}");
        assert_eq!(call_with(&world, &admin, Method::DELETE, &path, None, Some(&tag)).await.0, 204, "{on:?}");
        world.advance(DAY);
        make_due(&world).await;
        assert_eq!(world.events("report_mailed").await, 3, "{on:?}: it ended");
        world.stop().await;
    }
}

/// a report of what operators did counts its span, and not what came between its end and the mail.
#[actix_web::test]
async fn a_report_of_operators_ends_with_its_span() {
    for on in BOTH {
        let world = staffed(on).await;
        let admin = key(&world, Role::Operator).await;
        let draft = json!({
            "name": "Deeds", "report": "operator_activity", "every": "day", "hour": 6, "receivers": ["oona"],
        });
        let (status, body) = call(&world, &admin, Method::POST, "report-schedules", Some(draft)).await;
        assert_eq!((status, &body["next_at"]), (201, &json!("2027-01-16T06:00:00Z")), "{on:?}: {body}");
        let deeds = "SELECT action AS it FROM audit_event WHERE actor_kind IN ('operator', 'api_key', 'shell') \
             GROUP BY actor_kind, actor, actor_name, action";
        let first = world.column(deeds).await.len();
        // It is some minutes past eight when it begins, so an hour past midnight is this far away.
        world.advance(17 * 3600);
        let (status, body) = call(&world, &admin, Method::POST, "groups", Some(json!({ "name": "Navy" }))).await;
        assert_eq!(status, 201, "{on:?}: {body}");
        let mut told = Vec::new();
        for wait in [5 * 3600, DAY] {
            world.advance(3);
            world.seal().await;
            world.advance(wait);
            make_due(&world).await;
            let (_, runs) = call(&world, &admin, Method::GET, "report-runs", None).await;
            told.push(runs["items"][0]["rows"].as_u64().unwrap());
        }
        assert_eq!(told, [first as u64, 1], "{on:?}");
        world.stop().await;
    }
}

/// what is kept of reports is removed after as many days as the virtual server says, 1 to 1826 and 365 if it says nothing; what
/// they told of stays.
#[actix_web::test]
async fn reports_are_removed_and_their_source_stays() {
    let world = staffed(On::Sqlite).await;
    let admin = key(&world, Role::Operator).await;
    for (days, status) in [(0, 422), (1827, 422), (1826, 200), (1, 200)] {
        let (_, tag, section) = call_with(&world, &admin, Method::GET, "settings/logs", None, None).await;
        assert!(days != 0 || section["report_days"] == 365, "{section}");
        let values = json!({ "report_days": days });
        let (found, _, body) =
            call_with(&world, &admin, Method::PATCH, "settings/logs", Some(values), Some(&tag)).await;
        assert_eq!(found, status, "{days}: {body}");
    }
    login(&world).await;
    for report in ["access_log", "token_counts", "operator_activity", "enrollment_history"] {
        let draft = json!({ "name": report, "report": report, "receivers": ["oona"] });
        let (status, body) = call(&world, &admin, Method::POST, "report-schedules", Some(draft)).await;
        assert_eq!(status, 201, "{body}");
    }
    world.advance(DAY);
    make_due(&world).await;
    let (_, runs) = call(&world, &admin, Method::GET, "report-runs?limit=3", None).await;
    let next = runs["next"].as_str().unwrap();
    let (_, rest) = call(&world, &admin, Method::GET, &format!("report-runs?limit=3&after={next}"), None).await;
    assert_eq!((runs["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (3, 1), "{runs}");
    let rows: Vec<&Value> = runs["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap()).collect();
    assert!(rows.iter().all(|run| run["receivers"] == 1), "{rows:?}");
    let access = world.number("SELECT COUNT(*) AS n FROM access_log").await;
    audit_trail::purge_all(&world.site.house, world.clock_now()).await.unwrap();
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM report_run").await, 4, "a day is not over");
    world.advance(DAY + 1);
    audit_trail::purge_all(&world.site.house, world.clock_now()).await.unwrap();
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM report_run").await, 0);
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM access_log").await, access, "the source stays");
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM report_schedule").await, 4, "and so do the schedules");
    world.stop().await;
}
