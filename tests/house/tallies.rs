//! What is counted over everybody: among many people a job counts it, and pages are there at once all the same.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::domain::policy::provisioning::SelfProvisioning;
use vestibule::domain::timestamp::Timestamp;
use vestibule::flow::administration::tally;
use vestibule::storage::parts::{self, Part};
use vestibule::storage::rollout_funnel::{By, Filter};
use vestibule::storage::statement::Statement;
use vestibule::storage::{rollout_attempts as attempts, rollout_effect, rollout_funnel, rollout_observed, tallies};

use crate::console::{at_console, call, console, key, staffed};
use crate::crowd;
use crate::world::{BOTH, On, World};

/// More people than are counted while somebody waits.
const MANY: usize = 3600;

/// Counts what is to be counted, as the job does.
async fn count(world: &World) {
    let owner = world.site.house.entropy.id();
    // The job of the service may have it, or be at it.
    let db = &world.site.house.db;
    loop {
        tally::round(&world.site.house, owner).await.unwrap();
        let begun =
            async |connection: &mut _| vestibule::storage::tallies::begun().ask(connection).await.map(|all| all.len());
        if db.read(begun).await.unwrap() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// the effect among many people comes after a moment, with its time, and is what counting everybody at once gives; the page
/// of the rollout has its buttons meanwhile. Programs are told to ask again.
#[actix_web::test]
async fn among_many_people_a_job_counts() {
    for on in BOTH {
        let world = staffed(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\ntarget_users = \"all\"\n").await;
        let (tenant, db) = (world.tenant().await, &world.site.house.db);
        crowd::fill(db, tenant, (MANY, 0), world.clock_now(), |_| {}).await.unwrap();
        world.site.house.forget_realms();
        let key = key(&world, Role::Operator).await;
        let draft = json!({ "rollout": "waves", "waves": [
            { "name": "A tenth", "starts_at": "2027-02-01T08:00:00Z", "groups": ["crowd: a tenth"] },
            { "name": "Half of the rest", "starts_at": "2027-02-01T08:00:00Z", "percent": 50 } ] });
        let ask = async || call(&world, &key, Method::POST, "rollout/effect", Some(draft.clone())).await;
        // The job of the service may be as quick as whoever asks.
        let (status, first) = ask().await;
        assert!(status == 202 && first["looked_at"].is_u64(), "{on:?}: {status} {first}");
        count(&world).await;
        let (status, effect) = ask().await;
        assert_eq!(status, 200, "{on:?}: {effect}");
        assert!(effect["counted_at"].is_string(), "{on:?}: {effect}");
        // As the command says, which counts everybody at once.
        let told: Value = serde_json::from_str(&world.command(&["rollout", "effect", "--json"])).unwrap();
        assert_eq!(effect["all"], told["all"], "{on:?}: the target users are the same");
        assert!(effect["all"]["targeted"].as_u64().unwrap() > 3000, "{on:?}: {effect}");
        assert_eq!(effect["waves"][0]["people"]["targeted"], 360, "{on:?}: {effect}");
        let people = |wave: &Value| wave["people"]["targeted"].as_u64().unwrap();
        let sum: u64 = effect["waves"].as_array().unwrap().iter().map(people).sum();
        assert_eq!(sum + effect["in_no_wave"]["targeted"].as_u64().unwrap(), effect["all"]["targeted"], "{on:?}");

        let (mut oona, seen) = at_console(&world, "oona", "rollout").await;
        assert!(seen.has_action("edit") && seen.has_action("count"), "{on:?}: {}", seen.body);
        count(&world).await;
        let seen = oona.get(&console(&world, "rollout")).await;
        assert!(seen.body.contains("People as they were"), "{on:?}: {}", seen.body);
        let seen = oona.press(&seen, "count", &[]).await;
        assert!(seen.body.contains("are being counted anew"), "{on:?}: {}", seen.body);
        count(&world).await;
        // For the first page that operators see nobody is counted anew while there is an answer of the last hour.
        let counted_at = "SELECT MAX(counted_at) AS n FROM tally";
        let counted = world.number(counted_at).await;
        world.advance(600);
        let seen = oona.get(&console(&world, "dashboard")).await;
        assert!(seen.find("#rollout-now").is_some() && seen.body.contains("Counted "), "{on:?}: {}", seen.body);
        count(&world).await;
        assert_eq!(world.number(counted_at).await, counted, "{on:?}");
        let seen = oona.get(&console(&world, "funnel?by=group")).await;
        assert!(
            seen.body.contains("they are being counted") || seen.body.contains("Counted "),
            "{on:?}: {}",
            seen.body
        );
        count(&world).await;
        let seen = oona.get(&console(&world, "funnel?by=group")).await;
        assert!(seen.body.contains("Counted ") && seen.find("#parts-table").is_some(), "{on:?}: {}", seen.body);
        // Nobody asks any more: it is forgotten.
        world.advance(2 * 86_400);
        vestibule::app::jobs::purge_once(&world.site, world.site.house.entropy.id()).await.unwrap();
        world.advance(600);
        vestibule::app::jobs::purge_once(&world.site, world.site.house.entropy.id()).await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM tally").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// "Fast": each part of a count is found by the keys of its people, on both engines.
#[actix_web::test]
async fn a_part_is_found_by_its_people() {
    for on in BOTH {
        let world = World::new(on).await;
        let (tenant, db) = (world.tenant().await, &world.site.house.db);
        let (part, now) = (Part::whole(), Timestamp::from_seconds(1_800_000_000));
        let filter = Filter { since: Some(now), ..Filter::default() };
        let of = (tenant, &part);
        // So many that reading all of them is dear.
        crowd::fill(db, tenant, (2000, 0), now, |_| {}).await.unwrap();
        let rows = async |connection: &mut vestibule::storage::Connection| {
            for at in 0..2000 {
                let (user, engine) = (crowd::person_id(at), connection.engine());
                let login = vestibule::domain::ids::LoginId::from_bits(at as u128);
                let key = attempts::Key { tenant, user, login };
                let asked = attempts::Asked { key, at: now, wave: None, language: "en", obstacle: None };
                let observed = rollout_observed::Observed {
                    user,
                    at: now,
                    application: vestibule::domain::ids::ApplicationId::from_bits(1),
                    policy: String::new(),
                    spared: vestibule::domain::policy::staging::Spared::NoWave,
                    obstacle: String::new(),
                };
                let mut all = attempts::asked(engine, &asked);
                all.push(rollout_observed::insertion(engine, tenant, &observed));
                vestibule::storage::statement::run_all(connection, all).await?;
            }
            Ok(())
        };
        db.write(rows).await.unwrap();
        if on == On::MariaDb {
            // As the server does by itself after a while.
            let analyze = Statement::new("ANALYZE TABLE user_account, group_member, rollout_attempt, rollout_observed");
            db.read(async |connection| analyze.rows(connection).await).await.unwrap();
        }
        let part = db.read(async |connection| parts::next(connection, tenant, None, 50).await).await.unwrap();
        let of = if part.last { of } else { (tenant, &part) };
        for (statement, tables) in [
            (rollout_effect::statement(tenant, &SelfProvisioning::default(), of.1), &["user_account"][..]),
            (rollout_funnel::reached_statement(of, (By::Wave, &filter), now), &["a"]),
            (rollout_funnel::members_statement(of), &["u", "m", "a"]),
            (rollout_observed::explained(of, now), &["rollout_observed"]),
        ] {
            let plan = plan(db, on, statement).await;
            for line in &plan {
                let read_whole = match on {
                    On::Sqlite => tables.iter().any(|table| *line == format!("SCAN {table}")),
                    On::MariaDb => tables.iter().any(|table| line.starts_with(&format!("{table} ALL"))),
                };
                assert!(!read_whole, "{on:?}: {plan:#?}");
            }
            if on == On::Sqlite {
                let keys = ["id>? AND id<?", "user_id>? AND user_id<?"];
                assert!(plan.iter().any(|line| keys.iter().any(|key| line.contains(key))), "{plan:#?}");
            }
        }
        world.stop().await;
    }
}

async fn plan(db: &vestibule::storage::Db, on: On, statement: Statement) -> Vec<String> {
    let statement = statement.explained(on == On::Sqlite);
    let rows = db.read(async |connection| statement.rows(connection).await).await.unwrap();
    let words = |row: &vestibule::storage::statement::Record| {
        let words = ["detail", "table", "type", "key"].map(|column| row.text(column).ok().flatten());
        let rows = row.number("rows").ok().flatten().map(|rows| rows.to_string());
        let words = words.into_iter().flatten().map(str::to_owned).chain(rows);
        words.collect::<Vec<_>>().join(" ")
    };
    rows.iter().map(words).collect()
}

/// what cannot be counted for one virtual server keeps no other waiting.
#[actix_web::test]
async fn a_count_that_fails_keeps_no_other_waiting() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"beta\"\nname = \"Beta\"\n").await;
        let (acme, db) = (world.tenant().await, &world.site.house.db);
        let beta = world.site.house.realm(&"beta".parse().unwrap()).await.unwrap().unwrap().tenant();
        world.execute("UPDATE tenant SET settings = '{' WHERE code = ?", "beta").await;
        let text = serde_json::to_string(&tally::Question::Progress).unwrap();
        for tenant in [beta, acme] {
            let begin = async |connection: &mut vestibule::storage::Connection| {
                let engine = connection.engine();
                tallies::beginning(engine, (tenant, "x"), &text, world.clock_now()).run(connection).await
            };
            db.write(begin).await.unwrap();
            world.advance(1);
        }
        let waits = std::time::Instant::now();
        while world.number("SELECT COUNT(*) AS n FROM tally WHERE answer IS NOT NULL").await == 0 {
            assert!(waits.elapsed().as_secs() < 20, "{on:?}: nobody counts for acme");
            let _ = tally::round(&world.site.house, world.site.house.entropy.id()).await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM tally WHERE begun_at > 0").await, 1, "{on:?}");
        world.stop().await;
    }
}
