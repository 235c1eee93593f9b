//! The chain over the audit trail (part 7): tampering is named, in the database and in exports, without us.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use vestibule::domain::audit::chain::{Fault, Found, Line, Wrong};
use vestibule::domain::audit::{Action, Actor, Event};
use vestibule::flow::administration::Desk;
use vestibule::flow::audit_trail::{self, Pace};
use vestibule::storage::audit;

use crate::story::after_password;
use crate::visitor::Visitor;
use crate::world::{ACME, BOTH, On, World};

async fn verdict(world: &World) -> Result<Found, Fault> {
    let (house, tenant) = (&world.site.house, world.tenant().await);
    audit_trail::verify(house, tenant, &BTreeMap::new(), Pace::Quick, world.clock_now()).await.unwrap()
}

/// Seals everything and signs it.
async fn sealed(world: &World) -> i64 {
    world.advance(3);
    let (house, tenant, now) = (&world.site.house, world.tenant().await, world.clock_now());
    world.seal().await;
    assert!(audit_trail::sign(house, tenant, now).await.unwrap());
    world.number("SELECT MAX(number) AS n FROM audit_link").await
}

fn told(verdict: Result<Found, Fault>) -> Result<i64, (i64, Wrong)> {
    verdict.map(|found| found.last).map_err(|fault| (fault.number, fault.wrong))
}

/// R-562, T-61, AC-52: whatever is done to rows behind the service's back, the verifier names the first bad one.
#[actix_web::test]
async fn tampering_in_the_database_is_named() {
    for on in BOTH {
        let world = World::new(on).await;
        let last = sealed(&world).await;
        assert!(last > 10, "{on:?}: {last}");
        assert_eq!(told(verdict(&world).await), Ok(last), "{on:?}");

        // Edited, and put back.
        world.execute(EDIT, "198.51.100.1").await;
        assert_eq!(told(verdict(&world).await), Err((3, Wrong::Edited)), "{on:?}");
        world.execute(EDIT, "").await;
        assert_eq!(told(verdict(&world).await), Ok(last), "{on:?}");

        // Put into another order: two links change places.
        for (from, to) in SWAP {
            world.execute(from, to).await;
        }
        assert_eq!(told(verdict(&world).await), Err((3, Wrong::Unlinked)), "{on:?}");
        for (from, to) in SWAP {
            world.execute(from, to).await;
        }
        assert_eq!(told(verdict(&world).await), Ok(last), "{on:?}");

        // Inserted, with a time that is long gone.
        world.advance(7 * 3600);
        world.execute(INSERT, "aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
        let fault = verdict(&world).await.unwrap_err();
        assert_eq!(
            (fault.event.as_deref(), fault.wrong),
            (Some("aaaaaaaaaaaaaaaaaaaaaaaaaa"), Wrong::Inserted),
            "{on:?}"
        );
        world.execute("DELETE FROM audit_event WHERE id = ?", "aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
        assert_eq!(told(verdict(&world).await), Ok(last), "{on:?}");

        // The end is cut off, and the chain made to look as if it had always ended there.
        world.execute("DELETE FROM audit_checkpoint WHERE number > ?", "0").await;
        world.execute(CUT, "1").await;
        assert_eq!(told(verdict(&world).await), Err((last, Wrong::CutOff)), "{on:?}");

        // Deleted, with its link and without.
        world
            .execute("DELETE FROM audit_event WHERE id = (SELECT event_id FROM audit_link WHERE number = ?)", "5")
            .await;
        assert_eq!(told(verdict(&world).await), Err((5, Wrong::Missing)), "{on:?}");
        world.execute("DELETE FROM audit_link WHERE number = ?", "4").await;
        assert_eq!(told(verdict(&world).await), Err((4, Wrong::Gap { found: 5 })), "{on:?}");
        world.stop().await;
    }
}

const EDIT: &str = "UPDATE audit_event SET address = ? WHERE id = (SELECT event_id FROM audit_link WHERE number = 3)";
const SWAP: [(&str, &str); 3] = [
    ("UPDATE audit_link SET number = -3 WHERE number = ?", "3"),
    ("UPDATE audit_link SET number = 3 WHERE number = ?", "4"),
    ("UPDATE audit_link SET number = 4 WHERE number = ?", "-3"),
];
const INSERT: &str = "INSERT INTO audit_event (tenant_id, id, at, actor_kind, actor, actor_name, address, action, object, \
     object_id, correlation_id, detail) SELECT tenant_id, ?, at, actor_kind, actor, actor_name, address, action, object, \
     object_id, correlation_id, detail FROM audit_event WHERE action = 'tenant_created'";
const CUT: &str =
    "DELETE FROM audit_link WHERE number > (SELECT n FROM (SELECT number - ? AS n FROM audit_chain) AS before_last)";

/// T-61: whoever can write the whole database but has no key rewrites the chain so that it fits itself, and is found.
#[actix_web::test]
async fn a_chain_that_is_rewritten_does_not_fit_the_signed_checkpoints() {
    for on in BOTH {
        let world = World::new(on).await;
        let last = sealed(&world).await;
        let export = exported(&world, &[]);
        world.execute(EDIT, "198.51.100.1").await;
        // Everything is sealed anew, as the service itself would do it.
        for table in [
            "DELETE FROM audit_link WHERE number > ?",
            "DELETE FROM audit_mark WHERE at > ?",
            "DELETE FROM audit_chain WHERE number > ?",
        ] {
            world.execute(table, "-1").await;
        }
        assert_eq!(told(verdict(&world).await), Err((last, Wrong::Rewritten { since: 0 })), "{on:?}");
        // Without the checkpoints nobody can tell from the database alone, but whoever kept an export can.
        world.execute("DELETE FROM audit_checkpoint WHERE number > ?", "0").await;
        assert!(verdict(&world).await.is_ok(), "{on:?}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kept.jsonl");
        std::fs::write(&file, export.join("\n")).unwrap();
        let run = world.tried(&["audit", "verify", "--tenant", "acme", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.code() == Some(1) && said.contains(&format!("row {last}")), "{on:?}: {said}");
        assert!(said.contains("written anew"), "{on:?}: {said}");
        world.stop().await;
    }
}

/// The lines of an export.
fn exported(world: &World, more: &[&str]) -> Vec<String> {
    let printed = world.command(&[&["audit", "export", "--tenant", "acme"], more].concat());
    printed.lines().map(str::to_owned).collect()
}

/// Runs the verifier where nothing of the service is known.
fn verified(file: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args([&["audit", "verify", file.to_str().unwrap()], more].concat())
        .env_clear()
        .current_dir(file.parent().unwrap())
        .output()
        .unwrap()
}

/// R-562, T-61, AC-52: an export is checked offline, and every way of tampering is told with the first bad row.
#[actix_web::test]
async fn tampering_with_an_export_is_named_offline() {
    for on in BOTH {
        let world = World::new(on).await;
        let last = sealed(&world).await;
        let lines = exported(&world, &[]);
        assert_eq!(i64::try_from(lines.len()).unwrap(), last + 3, "{on:?}: head, events, a checkpoint, the end");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let verdict = |lines: &[String], more: &[&str]| {
            std::fs::write(&file, lines.join("\n")).unwrap();
            let run = verified(&file, more);
            (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
        };
        let (code, said) = verdict(&lines, &[]);
        assert!(code == Some(0) && said.contains(&format!("whole; rows 1 to {last}, {last} events")), "{on:?}: {said}");
        // The line of row n is lines[n].
        let bad = |change: &dyn Fn(&mut Vec<String>), words: &str| {
            let mut changed = lines.clone();
            change(&mut changed);
            let (code, said) = verdict(&changed, &[]);
            assert!(code == Some(1) && said.contains(words), "{on:?}: wanted {words:?}: {said}");
        };
        bad(&|lines| lines[4] = lines[4].replace("\"shell\"", "\"system\""), "row 4");
        bad(&|lines| lines[4] = lines[4].replace("\"shell\"", "\"system\""), "was changed after it was sealed");
        bad(&|lines| drop(lines.remove(4)), "row 4: is missing here; row 5 stands in its place");
        bad(&|lines| lines.swap(4, 5), "row 4: is missing here; row 5");
        bad(&|lines| lines.insert(5, lines[4].clone()), "row 4");
        bad(&|lines| lines.insert(5, lines[4].replace("\"number\":4,", "\"number\":5,")), "row 5");
        bad(&|lines| lines.truncate(5), "row 5: the chain ends before it");
        bad(&|lines| lines[4] = "{}".to_owned(), "row 4: the line that should hold it is no line of an export");
        bad(&|lines| drop(lines.remove(0)), "lacks the first line");
        let checkpoint = lines.iter().position(|line| line.starts_with("{\"kind\":\"checkpoint\"")).unwrap();
        bad(&|lines| drop(lines.remove(checkpoint)), "the chain ends before it");
        bad(
            &|lines| lines[checkpoint] = lines[checkpoint].replace("\"jwt\":\"ey", "\"jwt\":\"eY"),
            "is signed by none",
        );

        // Somebody signs all of it with a key of their own: whoever kept ours is not fooled.
        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, world.command(&["audit", "keys", "--tenant", "acme"])).unwrap();
        let (code, _) = verdict(&lines, &["--keys", keys.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{on:?}");
        let other = World::new(On::Sqlite).await;
        std::fs::write(&keys, other.command(&["audit", "keys", "--tenant", "acme"])).unwrap();
        let (code, said) = verdict(&lines, &["--keys", keys.to_str().unwrap()]);
        assert!(code == Some(1) && said.contains("is signed by none"), "{on:?}: {said}");
        other.stop().await;
        assert_eq!(world.events("audit_exported").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// an export of a part begins and ends at signed checkpoints, and is checked like the whole.
#[actix_web::test]
async fn a_part_of_the_trail_is_whole_too() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let first = sealed(&world).await;
        world.advance(60);
        let from = world.clock_now().rfc3339();
        world.apply(&ACME.replace("Acme Corporation", "Acme Company")).await;
        let second = sealed(&world).await;
        world.advance(60);
        let to = world.clock_now().rfc3339();
        world.advance(60);
        world.apply(&ACME.replace("Acme Corporation", "Acme again")).await;
        sealed(&world).await;
        let lines = exported(&world, &["--from", &from, "--to", &to]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("part.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let run = verified(&file, &[]);
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{on:?}: {said}");
        let words = format!("rows {} to {second}, {} events", first + 1, second - first);
        assert!(said.contains(&words), "{on:?}: wanted {words:?}: {said}");
        world.stop().await;
    }
}

/// what was there before there was a chain is chained, too; events that come late are, and are told.
#[actix_web::test]
async fn late_events_are_sealed_and_told() {
    for on in BOTH {
        let world = World::new(on).await;
        let last = sealed(&world).await;
        world.advance(3600);
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let at = world.clock_now().minus(Duration::from_secs(3602));
        let event = Event::new(at, tenant, Actor::System, Action::TenantChanged);
        house.db.write(async |connection| audit::record(connection, house.new_id(at), &event).await).await.unwrap();
        for _ in 0..100 {
            audit_trail::seal_late(house, world.clock_now(), Duration::from_secs(4000)).await.unwrap();
            if world.number("SELECT MAX(number) AS n FROM audit_link").await == last + 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = verdict(&world).await.unwrap();
        assert_eq!((found.last, found.late), (last + 1, 1), "{on:?}");
        world.stop().await;
    }
}

/// what is too old goes up to a signed checkpoint, and what is left is still whole, in the database and exported.
#[actix_web::test]
async fn the_trail_is_cut_at_a_checkpoint() {
    for on in BOTH {
        let world = World::new(on).await;
        let first = sealed(&world).await;
        world.advance(35 * 86_400);
        world
            .apply(&format!(
                "{}\n[tenant.logs]\naudit_days = 30\naccess_days = 30\n",
                ACME.replace("Acme Corporation", "Acme Company")
            ))
            .await;
        sealed(&world).await;
        let house = &world.site.house;
        assert_eq!(
            audit_trail::purge_all(house, world.clock_now()).await.unwrap(),
            u64::try_from(first).unwrap(),
            "{on:?}"
        );
        assert_eq!(audit_trail::purge_all(house, world.clock_now()).await.unwrap(), 0, "{on:?}");
        let last = sealed(&world).await;
        let found = verdict(&world).await.unwrap();
        assert_eq!((found.first, found.last), (first + 1, last), "{on:?}");
        assert_eq!(world.events("audit_purged").await, 1, "{on:?}");
        assert_eq!(world.events("tenant_created").await, 0, "{on:?}");
        let marks = "SELECT COUNT(*) AS n FROM audit_mark LEFT JOIN audit_event ON audit_event.id = audit_mark.event_id \
                     WHERE audit_event.id IS NULL";
        assert_eq!(world.number(marks).await, 0, "{on:?}");
        let lines = exported(&world, &[]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rest.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let run = verified(&file, &[]);
        assert!(run.status.success(), "{on:?}: {}", String::from_utf8_lossy(&run.stdout));
        // Whoever forges the place where it was cut has no signature for it.
        world.execute("UPDATE audit_checkpoint SET jwt = 'e30.e30.e30' WHERE number = ?", &first.to_string()).await;
        assert_eq!(told(verdict(&world).await), Err((first, Wrong::BadSignature)), "{on:?}");
        world.stop().await;
    }
}

/// somebody's personal data leaves the trail, and the chain stays whole.
#[actix_web::test]
async fn personal_data_is_removed_without_breaking_the_chain() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
        sealed(&world).await;
        let about = "SELECT COUNT(*) AS n FROM audit_event WHERE address <> ''";
        assert!(world.number(about).await > 1, "{on:?}");
        let id = world.text("SELECT id AS t FROM user_account WHERE username = 'ada'").await;
        let (tenant, now) = (world.tenant().await, world.clock_now());
        let names = ["ada".to_owned(), "ada@acme.test".to_owned(), "Lovelace".to_owned()];
        let desk =
            Desk { house: &world.site.house, actor: Actor::Shell("tester".to_owned()), address: String::new(), now };
        let rows = audit_trail::pseudonymize(&desk, tenant, id.parse().unwrap(), &names).await.unwrap();
        assert!(rows > 2, "{on:?}: {rows}");
        assert_eq!(world.number(about).await, 0, "{on:?}");
        let left = "SELECT COUNT(*) AS n FROM audit_event WHERE LOWER(detail) LIKE '%\"ada\"%' OR LOWER(detail) LIKE '%lovelace%'";
        assert_eq!(world.number(left).await, 0, "{on:?}");
        sealed(&world).await;
        let found = verdict(&world).await.unwrap();
        assert_eq!(found.removed, rows, "{on:?}");
        // What was removed may not be filled with something else.
        world.execute("UPDATE audit_event SET address = '198.51.100.9' WHERE action = ?", "password_accepted").await;
        assert_eq!(verdict(&world).await.unwrap_err().wrong, Wrong::Edited, "{on:?}");
        world.stop().await;
    }
}

/// somebody is erased long after the part that is exported; the part has the notes that explain what is missing, and
/// is whole. Without them it is not, and neither is an event that is changed.
#[actix_web::test]
async fn a_part_from_before_an_erasure_is_whole() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        sealed(&world).await;
        world.advance(60);
        let from = world.clock_now().rfc3339();
        let mut ada = Visitor::new(&world.url);
        after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
        sealed(&world).await;
        world.advance(60);
        let to = world.clock_now().rfc3339();
        world.apply(&ACME.replace("Acme Corporation", "Acme Company")).await;
        sealed(&world).await;
        world.advance(120 * 86_400);
        let id = world.text("SELECT id AS t FROM user_account WHERE username = 'ada'").await;
        let names = ["ada".to_owned(), "ada@acme.test".to_owned(), "Lovelace".to_owned()];
        let tenant = world.tenant().await;
        let removed = audit_trail::pseudonymize(&world.desk("tester"), tenant, id.parse().unwrap(), &names).await;
        assert!(removed.unwrap() > 2, "{on:?}");
        sealed(&world).await;
        world.apply(&ACME.replace("Acme Corporation", "Acme again")).await;
        let last = sealed(&world).await;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("part.jsonl");
        let verdict = |lines: &[String]| {
            std::fs::write(&file, lines.join("\n")).unwrap();
            let run = verified(&file, &[]);
            (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned())
        };
        let lines = exported(&world, &["--from", &from, "--to", &to]);
        let (code, said) = verdict(&lines);
        assert_eq!(code, Some(0), "{on:?}: {said}");
        let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
        assert_eq!((count("audit_pseudonymized"), count("tenant_changed")), (1, 0), "{on:?}: {lines:?}");
        assert!(
            count("\"number\":") < usize::try_from(last).unwrap(),
            "{on:?}: it ends where nothing is to be explained"
        );
        let changed: Vec<String> =
            lines.iter().map(|line| line.replace("\"password_accepted\"", "\"password_rejected\"")).collect();
        let (code, said) = verdict(&changed);
        assert!(code == Some(1) && said.contains("changed after it was sealed"), "{on:?}: {said}");
        world.stop().await;
    }
}

/// a purge that is interrupted in its midst leaves a chain that is whole, in the database and exported; the next
/// purge removes the rest.
#[actix_web::test]
async fn an_interrupted_purge_leaves_a_whole_chain() {
    for on in BOTH {
        let world = World::new(on).await;
        let (house, tenant, now) = (&world.site.house, world.tenant().await, world.clock_now());
        let event = Event::new(now, tenant, Actor::System, Action::TenantChanged);
        let many = async |connection: &mut vestibule::storage::Connection| {
            for _ in 0..600 {
                audit::record(connection, house.new_id(now), &event).await?;
            }
            Ok(())
        };
        house.db.write(many).await.unwrap();
        let first = sealed(&world).await;
        world.advance(35 * 86_400);
        world.apply(&ACME.replace("Acme Corporation", "Acme Company")).await;
        sealed(&world).await;
        let left = async || world.number("SELECT COUNT(*) AS n FROM audit_link WHERE number < 600").await;
        let some_are_gone = async {
            while left().await == 599 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            done = audit_trail::purge(house, tenant, 30, world.clock_now()) => panic!("{on:?}: {done:?}"),
            () = some_are_gone => {}
        }
        assert!((1..599).contains(&left().await), "{on:?}: the purge was not in its midst");
        let found = verdict(&world).await.unwrap();
        assert_eq!(found.first, first + 1, "{on:?}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rest.jsonl");
        // The shell has the time of today, which is long ago here.
        let (mut lines, code) = (Vec::new(), "acme".parse().unwrap());
        let mut write = |line: &Line| {
            lines.push(serde_json::to_string(line)?);
            Ok(())
        };
        let desk = world.desk("tester");
        audit_trail::export(&desk, (tenant, &code), (None, None), &mut write).await.unwrap();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let run = verified(&file, &[]);
        assert!(run.status.success(), "{on:?}: {}", String::from_utf8_lossy(&run.stdout));

        assert!(audit_trail::purge(house, tenant, 30, world.clock_now()).await.unwrap() > 0, "{on:?}");
        assert_eq!((left().await, world.events("audit_purged").await), (0, 1), "{on:?}");
        assert_eq!(verdict(&world).await.unwrap().first, first + 1, "{on:?}");
        world.stop().await;
    }
}

/// every chain is checked from its beginning once a day by one instance, and not with every look at what came late.
#[actix_web::test]
async fn every_chain_is_checked_once_a_day() {
    for on in BOTH {
        let world = World::new(on).await;
        let owner = world.site.house.entropy.id();
        for (hours, checks) in [(0, 1), (1, 1), (22, 1), (2, 2), (1, 2)] {
            world.advance(hours * 3600);
            vestibule::app::audit::look_once(&world.site, owner).await.unwrap();
            let begun = world.number("SELECT fence AS n FROM lease WHERE name = 'audit check'").await;
            assert_eq!(begun, checks, "{on:?}: {hours} hours later");
        }
        world.stop().await;
    }
}
