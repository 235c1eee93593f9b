//! What operators read: access log, authentication log, audit log, enrollment history, dashboard and reports, as pages, files and
//! through the management API (A7, A8, T14).

use std::io::Write as _;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::ids::{GroupId, UserId};
use vestibule::domain::operator::Role;
use vestibule::storage::statement::insert_all;
use vestibule::storage::{enrollment_history, roster};

use crate::alerts::attempt;
use crate::browser::{Chromium, DESKTOP, PHONE};
use crate::console::{acme_with_operators, at_console, call, console, key, staffed};
use crate::gates::enroll_from_offer;
use crate::story::{after_password, oathtool, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{On, World};

/// A user name that a spreadsheet would run.
const FORMULA: &str = "=cmd|' /C calc'!A0";

/// `acme` with operators, and with somebody whose name is a formula, in the pilot.
fn file() -> String {
    acme_with_operators()
        + &format!(
            "\n[[tenant.user]]\nusername = \"{FORMULA}\"\nemail = \"formula@acme.test\"\npassword = \"calculates everything\"\n\
             groups = [\"pilot\"]\n"
        )
}

/// Ada begins once and leaves, then enrolls; somebody else gives a wrong code and leaves; Linus is wrong twice.
async fn lived_in(on: On) -> World {
    let world = World::empty(on).await;
    world.apply(&file()).await;
    let mut left = Visitor::new(&world.url);
    let seen = after_password(&world, &mut left, "ada", "correct horse battery staple").await;
    left.press(&seen, "add-authenticator", &[]).await;
    world.code("ada@acme.test", 0).await;
    world.advance(90);
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
    enroll_from_offer(&world, &mut ada, &seen).await;
    world.advance(60);
    let mut other = Visitor::new(&world.url);
    let seen = after_password(&world, &mut other, FORMULA, "calculates everything").await;
    let seen = other.press(&seen, "add-authenticator", &[]).await;
    world.code("formula@acme.test", 0).await;
    other.press(&seen, "continue", &[("code", "000000")]).await;
    let mut linus = Visitor::new(&world.url);
    after_password(&world, &mut linus, "linus", "wrong").await;
    let seen = after_password(&world, &mut Visitor::new(&world.url), "linus", "has a token already").await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    // Long enough for whoever left to count as gone, and for everything to be sealed.
    world.advance(2 * 3600);
    world.seal().await;
    world
}

/// What Python's reader of tables makes of a file: a list of objects.
fn read_by_python(text: &str) -> Value {
    let program =
        "import csv,json,sys,io\nprint(json.dumps(list(csv.DictReader(io.StringIO(sys.stdin.read(),newline='')))))";
    let mut python =
        Command::new("python3").args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
}

/// The rows of a list in the API.
async fn listed(world: &World, key: &str, path: &str) -> Vec<Value> {
    let (status, body) = call(world, key, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    body["items"].as_array().unwrap().clone()
}

/// each log through the API, narrowed by its filters.
#[actix_web::test]
async fn every_log_is_told_and_narrowed() {
    for on in crate::world::BOTH {
        let world = lived_in(on).await;
        let key = key(&world, Role::Auditor).await;

        // the one that was finished, the one that was overtaken, and the one that failed.
        let all = listed(&world, &key, "enrollment-history").await;
        let told = |row: &Value| {
            let part = |id: &str| row[id].as_str().unwrap().to_owned();
            (part("user"), part("result"), part("step"), part("reason"))
        };
        let text = |user: &str, result: &str, step: &str, reason: &str| {
            (user.to_owned(), result.to_owned(), step.to_owned(), reason.to_owned())
        };
        let wanted = [
            text(FORMULA, "failed", "started", "code_rejected"),
            text("ada", "completed", "completed", ""),
            text("ada", "superseded", "started", "superseded"),
        ];
        assert_eq!(all.iter().map(told).collect::<Vec<_>>(), wanted, "{on:?}: {all:?}");
        let ada = &all[1];
        assert_eq!(
            (&ada["method"], &ada["platform"], &ada["application"], &ada["name"], &ada["address"]),
            (
                &json!("self_provisioning"),
                &json!("oath_app"),
                &json!("Notes"),
                &json!("Ada Lovelace"),
                &json!("127.0.0.1")
            ),
            "{on:?}: {ada}"
        );
        assert!(ada["serial"].as_str().unwrap().starts_with("VE"), "{on:?}: {ada}");
        for (filter, count) in [
            ("user=ada", 2),
            ("user=ADA&result=completed", 1),
            ("result=failed", 1),
            ("group=pilot", 3),
            ("group=nobody", 0),
            ("platform=oath_app", 1),
            ("method=portal", 0),
            ("from=2020-01-01&to=2020-02-01", 0),
            ("from=2020-01-01", 3),
        ] {
            let found = listed(&world, &key, &format!("enrollment-history?{filter}")).await;
            assert_eq!(found.len(), count, "{on:?}: {filter}: {found:?}");
        }
        // In a large group members are sought another way, and the same are found.
        let small = enrollment_history::SMALL;
        let tenant = world.tenant().await;
        let pilot: GroupId = world.text("SELECT id AS t FROM user_group WHERE name = 'pilot'").await.parse().unwrap();
        let many = (0..=small).map(|number| roster::membership(tenant, pilot, UserId::from_bits(number as u128)));
        let many: Vec<_> = many.collect();
        let (db, work) = (&world.site.house.db, async |connection: &mut _| insert_all(connection, many.clone()).await);
        db.write(work).await.unwrap();
        assert_eq!(listed(&world, &key, "enrollment-history?group=pilot").await, all, "{on:?}");
        // One by one, every page leads to the next.
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("enrollment-history?limit=1{after}");
            let (_, page) = call(&world, &key, Method::GET, &path, None).await;
            found.extend(page["items"].as_array().unwrap().clone());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(found, all, "{on:?}");

        // what was shown, how it ended, with the serial number where there is one.
        let failed = listed(&world, &key, "authentication-log?user=linus&result=failure").await;
        let none = listed(&world, &key, "authentication-log?result=failure&credential=password").await;
        assert_eq!((failed.len(), none.len()), (0, 1), "{on:?}: a stranger gave it: {failed:?} {none:?}");
        assert_eq!(none[0]["action"], "password_rejected", "{on:?}");
        let good = listed(&world, &key, "authentication-log?user=linus&result=success").await;
        assert_eq!((good.len(), &good[0]["credential"]), (1, &json!("password")), "{on:?}: {good:?}");
        let codes = listed(&world, &key, "authentication-log?credential=passcode&user=oona").await;
        assert!(codes[0]["serial"].as_str().unwrap().len() > 4, "{on:?}: {codes:?}");

        // one entry for each attempt that ended.
        let good = listed(&world, &key, "access-log?user=ada&result=success").await;
        assert_eq!(good.len(), 1, "{on:?}: {good:?}");
        let login = good[0]["correlation"].as_str().unwrap().to_owned();
        assert_eq!(
            (&good[0]["application"], &good[0]["type"], &good[0]["policy"], &good[0]["credentials"]),
            (&json!("Notes"), &json!("oidc"), &json!("Global policy"), &json!("password otp")),
            "{on:?}: {good:?}"
        );
        // everything of one login is found by its correlation.
        let events = listed(&world, &key, &format!("audit-log?correlation={login}")).await;
        let actions: Vec<&str> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
        for action in ["login_started", "password_accepted", "code_verified", "token_enrolled", "login_completed"] {
            assert!(actions.contains(&action), "{on:?}: {action}: {actions:?}");
        }

        // what operators changed, by action, by object, by who.
        for (filter, least) in [
            ("by=operators&action=api_key_created", 1),
            ("action=application_created", 3),
            ("object=application", 3),
            ("subject=oona", 3),
            ("by=operators&from=2020-01-01&to=2020-02-01", 0),
        ] {
            let found = listed(&world, &key, &format!("audit-log?{filter}")).await;
            assert!(found.len() >= least && (least > 0 || found.is_empty()), "{on:?}: {filter}: {found:?}");
        }
        let made = &listed(&world, &key, "audit-log?action=api_key_created").await[0];
        assert_eq!((&made["by"], &made["actor"]), (&json!("operator"), &json!("oona")), "{on:?}: {made}");

        // What cannot be understood is said, and nothing is guessed.
        for wrong in ["access-log?result=maybe", "audit-log?from=yesterday", "audit-log?rusult=x", "audit-log?after=x"]
        {
            let (status, body) = call(&world, &key, Method::GET, wrong, None).await;
            assert_eq!((status, &body["code"]), (400, &json!("malformed")), "{on:?}: {wrong}: {body}");
        }
        let (_, activity) = call(&world, &key, Method::GET, "activity?span=week", None).await;
        let sum = |what: &str| {
            activity["steps"].as_array().unwrap().iter().map(|step| step[what].as_i64().unwrap()).sum::<i64>()
        };
        assert!(sum("succeeded") >= 2 && sum("enrolled") == 1, "{on:?}: {activity}");
        world.stop().await;
    }
}

/// T-73, AC-52, R-559: files for spreadsheets hold text and nothing to run; other people's readers find every value; and it is
/// written down that somebody took them.
#[actix_web::test]
async fn exports_are_safe_and_whole() {
    for on in crate::world::BOTH {
        let world = lived_in(on).await;
        let (mut oona, _) = at_console(&world, "oona", "enrollment-history").await;
        for page in ["enrollment-history", "access-log", "authentication-log", "audit-log"] {
            // Events of one moment have no order among each other.
            world.advance(1);
            let csv = oona.get(&console(&world, &format!("{page}/export/csv"))).await;
            world.advance(1);
            assert_eq!(csv.status, 200, "{on:?}: {page}: {}", csv.body);
            assert!(csv.headers["content-disposition"].to_str().unwrap().contains("attachment"), "{on:?}");
            world.advance(1);
            let json = oona.get(&console(&world, &format!("{page}/export/json"))).await;
            let (read, told) = (read_by_python(&csv.body), serde_json::from_str::<Value>(&json.body).unwrap());
            let (read, told) = (read.as_array().unwrap(), told.as_array().unwrap());
            // Taking one file is an event, which stands in the next.
            let told = if page == "audit-log" { &told[told.len() - read.len()..] } else { told };
            assert_eq!(read.len(), told.len(), "{on:?}: {page}");
            for (read, told) in read.iter().zip(told) {
                for (column, value) in told.as_object().unwrap() {
                    let (cell, value) = (read[column].as_str().unwrap(), value.as_str().unwrap());
                    assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{on:?}: {page}: {cell}");
                    assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), value, "{on:?}: {page}: {column}");
                }
            }
        }
        let history = oona.get(&console(&world, "enrollment-history/export/csv?result=failed")).await;
        assert!(history.body.contains(&format!("'{FORMULA}")) && history.body.lines().count() == 2, "{}", history.body);
        assert!(world.events("audit_exported").await >= 9, "{on:?}");
        let tokens = oona.get(&console(&world, "reports/tokens/csv")).await;
        assert!(tokens.body.contains("oath_app,active,5"), "{on:?}: {}", tokens.body);
        world.stop().await;
    }
}

/// old and new values side by side; filters keep what was typed; a broken chain is told in red.
#[actix_web::test]
async fn the_pages_tell_it_and_a_broken_chain_is_red() {
    for on in crate::world::BOTH {
        let world = lived_in(on).await;
        world.apply(&file().replace("http://127.0.0.1:9000/callback", "http://127.0.0.1:9000/other")).await;
        let (mut oona, seen) = at_console(&world, "oona", "audit-log?action=application_changed").await;
        assert_eq!(seen.title(), "Audit log", "{on:?}: {}", seen.body);
        assert!(seen.body.contains("value=\"application_changed\""), "{on:?}: {}", seen.body);
        let link = seen.body.split("audit-log/event/").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let event = oona.get(&console(&world, &format!("audit-log/event/{link}"))).await;
        let before = event.find("pre[aria-label=Before]").unwrap();
        let after = event.find("pre[aria-label=After]").unwrap();
        assert!(before.contains("/callback") && !before.contains("/other"), "{on:?}: {before}");
        assert!(after.contains("/other") && !after.contains("client_secret"), "{on:?}: {after}");
        let wrong = oona.get(&console(&world, "audit-log?from=yesterday")).await;
        assert!(wrong.status == 422 && wrong.body.contains("value=\"yesterday\""), "{on:?}: {}", wrong.body);
        // T14: what is wrong with the filter, and nothing else.
        assert!(wrong.body.contains("Please look at:"), "{on:?}: {}", wrong.body);
        for beside in ["Nothing was changed", "There are none"] {
            assert!(!wrong.body.contains(beside), "{on:?}: {beside}: {}", wrong.body);
        }
        let gone = oona.get(&console(&world, "audit-log/event/1.nothing")).await;
        assert_eq!(gone.status, 404, "{on:?}");

        let seen = oona.get(&console(&world, "audit-log")).await;
        let seen = oona.press(&seen, "check-chain", &[]).await;
        assert!(
            seen.body.contains("The whole chain was checked") && seen.body.contains(">whole<"),
            "{on:?}: {}",
            seen.body
        );
        let edit = "UPDATE audit_event SET address = ? WHERE id = (SELECT event_id FROM audit_link WHERE number = 3)";
        world.execute(edit, "198.51.100.1").await;
        let seen = oona.press(&seen, "check-chain", &[]).await;
        let banner = seen.find(".complaint[role=alert]").unwrap();
        assert!(banner.contains("tampered with") && banner.contains("row 3"), "{on:?}: {banner}");
        let dashboard = oona.get(&console(&world, "dashboard?span=week")).await;
        assert!(dashboard.body.contains("tampered with"), "{on:?}: {}", dashboard.body);
        assert!(dashboard.body.contains("<svg viewBox=\"0 0 720"), "{on:?}");
        // One report at a time: the first where none is named, or none of ours.
        for (query, shown) in [
            ("", "<td>oath_app</td>"),
            ("?report=nonsense", "<td>oath_app</td>"),
            ("?report=logins", "<th scope=\"col\">succeeded</th>"),
            ("?report=operators", "<td>operator_created</td>"),
        ] {
            let seen = oona.get(&console(&world, &format!("reports{query}"))).await;
            assert!(seen.body.contains(shown), "{on:?}: {query}: {}", seen.body);
            assert_eq!(seen.body.matches("aria-current=\"page\"").count(), 2, "{on:?}: the menu's and the report's");
        }
        // reasons and steps are told in words, and the stable word, which filters and files have, stands beside them.
        let seen = oona.get(&console(&world, "access-log?result=success")).await;
        assert!(seen.body.contains("access was granted <code>granted</code>"), "{on:?}: {}", seen.body);
        let seen = oona.get(&console(&world, "enrollment-history?result=completed")).await;
        assert!(seen.body.contains("finished <code>completed</code>"), "{on:?}: {}", seen.body);
        // T-57: the help desk reads the enrollment history and none of the logs.
        let (mut hedy, seen) = at_console(&world, "hedy", "enrollment-history").await;
        assert!(seen.title() == "Enrollment history" && !seen.body.contains("export/csv"), "{on:?}: {}", seen.body);
        assert_eq!(hedy.get(&console(&world, "audit-log")).await.title(), "Not allowed", "{on:?}");
        world.stop().await;
    }
}

/// whoever opens the console sees at once whether there were alerts, how far the rollout is, and what fails; of
/// mail only that of the own virtual server. Nobody sees there what their role may not see on its own page.
#[actix_web::test]
async fn the_dashboard_says_what_is_to_be_done() {
    const WAITING: &str = "INSERT INTO outbox (tenant_id, id, kind, domain, state, tries, next_try_at, useful_until, leased_until, \
                           created_at) SELECT id, 'aaaaaaaaaaaaaaaaaaaaaaaaaa', 'code', ?, 'waiting', 1, 9000000000000000, \
                           9000000000000000, 0, 1799990000000000 FROM tenant WHERE code = 'acme'";
    const ELSEWHERE: &str = "INSERT INTO outbox (tenant_id, id, kind, domain, state, tries, next_try_at, useful_until, leased_until, \
                             created_at) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaa', 'aaaaaaaaaaaaaaaaaaaaaaaaaa', 'code', ?, 'waiting', \
                             1, 9000000000000000, 9000000000000000, 0, 1799990000000000)";
    for on in crate::world::BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "dashboard").await;
        assert!(seen.body.contains("<strong>2</strong> <span>target users"), "{on:?}: {}", seen.body);
        assert!(seen.body.contains("<strong>1</strong> <span>enrolled (50 %)"), "{on:?}: {}", seen.body);
        assert!(seen.body.contains("<strong>1</strong> <span>without an authenticator"), "{on:?}: {}", seen.body);
        assert!(seen.body.contains("none waits for long") && seen.body.contains("none ends soon"), "{on:?}");
        assert!(!seen.body.contains(">Pilot</th>"), "{on:?}: there are no waves");

        let code = passcode_of_linus(&world);
        for _ in 0..4 {
            attempt(&world, &code).await;
            world.advance(1);
        }
        let reuse = "A passcode was tried a second time";
        let all = world.number("SELECT COUNT(*) AS n FROM alert").await;
        let dashboard = console(&world, "dashboard");
        let seen = oona.get(&dashboard).await;
        assert!(
            seen.body.contains(&format!("<p>{all} in the last 24 hours. The newest:</p>")),
            "{on:?}: {}",
            seen.body
        );
        let page = scraper::Html::parse_document(&seen.body);
        let links = scraper::Selector::parse("section[aria-labelledby=alerts-now] li a").unwrap();
        assert!(all >= 3 && page.select(&links).count() == 3, "{on:?}: the newest three of {all}: {}", seen.body);
        let linus = world.text("SELECT id AS t FROM user_account WHERE username = 'linus'").await;
        let newest = seen.find_link("section[aria-labelledby=alerts-now] li a").unwrap_or_default();
        assert!(newest.ends_with(&format!("/operator/users/{linus}")), "{on:?}: {newest}");
        assert!(seen.body.contains(&format!("{reuse}</a>: linus, ")), "{on:?}: {}", seen.body);

        let wave = "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\nrollout = \"waves\"\n\
                    [[tenant.self_provisioning.wave]]\nname = \"Pilot\"\ngroups = [\"pilot\"]\n\
                    starts_at = 2027-01-01T07:00:00Z\n";
        world.apply(wave).await;
        let seen = oona.get(&dashboard).await;
        let state = seen.find("section[aria-labelledby=rollout-now] tbody .state");
        assert_eq!(state.as_deref(), Some("asking"), "{on:?}: {}", seen.body);
        assert!(seen.body.contains(">Pilot</th>") && seen.body.contains(" 50 %</td>"), "{on:?}: {}", seen.body);
        world.execute(ELSEWHERE, "other.test").await;
        assert!(oona.get(&dashboard).await.body.contains("none waits for long"), "{on:?}: not another's mail");
        world.execute(WAITING, "acme.test").await;
        let seen = oona.get(&dashboard).await;
        assert!(seen.body.contains("mail waits since 2027-01-15 05:13:20 UTC"), "{on:?}: {}", seen.body);
        // Whose account was removed has no page any more that could be led to.
        world.command(&["user", "delete", "linus", "--yes"]);
        let seen = oona.get(&dashboard).await;
        assert!(seen.body.contains(&format!("{reuse}</a>: linus, ")), "{on:?}: {}", seen.body);
        let newest = seen.find_link("section[aria-labelledby=alerts-now] li a").unwrap_or_default();
        assert!(newest.ends_with("/operator/alerts#list"), "{on:?}: {newest}");

        let (_, seen) = at_console(&world, "audra", "dashboard").await;
        assert!(seen.find("#failed-now").is_some() && seen.body.contains(" denied"), "{on:?}: {}", seen.body);
        for hidden in ["#alerts-now", "#rollout-now"] {
            assert!(seen.find(hidden).is_none(), "{on:?}: T-57: {hidden}: {}", seen.body);
        }
        assert!(!seen.body.contains("mail waits") && !seen.body.contains("linus"), "{on:?}: T-57: {}", seen.body);
        world.stop().await;
    }
}

/// A29: every page of logs and reports in a browser, light on a desk and dark on a telephone: axe-core finds nothing.
#[actix_web::test]
async fn logs_and_reports_are_well_made() {
    for eyes in [DESKTOP, PHONE] {
        let world = World::at_this_time(On::Sqlite).await;
        world.apply(&file()).await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
        enroll_from_offer(&world, &mut ada, &seen).await;
        world.advance(61);
        world.apply(&file().replace("http://127.0.0.1:9000/callback", "http://127.0.0.1:9000/other")).await;
        let (_, password, secret, _) = crate::console::OPERATORS[0];
        let mut browser = Chromium::new(eyes).await;
        browser.go(&console(&world, "dashboard")).await;
        browser.fill("[autocomplete=username]", "oona").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", password).await;
        browser.press("continue").await;
        browser.fill("#code", &oathtool(&world, secret, "--totp=sha1", "6")).await;
        browser.press("continue").await;
        browser.wait(".chart").await;
        for (page, sign) in [
            ("dashboard?span=month", ".chart"),
            ("access-log", "table"),
            ("authentication-log", "table"),
            ("audit-log", "table"),
            ("audit-log?from=yesterday", ".fault"),
            ("enrollment-history", "table"),
            ("reports", "table"),
        ] {
            browser.go(&console(&world, page)).await;
            browser.wait(sign).await;
            browser.is_well_made().await;
            browser.look(page.split('?').next().unwrap()).await;
        }
        browser.go(&console(&world, "audit-log?action=application_changed")).await;
        browser.wait("td a").await.click().await.unwrap();
        browser.wait("pre[aria-label=Before]").await;
        browser.is_well_made().await;
        browser.look("audit-event").await;
        browser.close().await;
        world.stop().await;
    }
}
