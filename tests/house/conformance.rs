//! What storage promises is the same on every engine: each test runs on SQLite and on MariaDB.

use std::time::Duration;

use vestibule::clock::Entropy;
use vestibule::domain::ids::{CorrelationId, GroupId, MailId, TenantId, UserId};
use vestibule::domain::lockout::{Failures, LockoutSettings};
use vestibule::domain::secret::SecretBytes;
use vestibule::domain::user::{Status, User};
use vestibule::keys::sealing::{Place, Sealer};
use vestibule::storage::outbox::{self, NewMail};
use vestibule::storage::statement::Statement;
use vestibule::storage::{Db, Error, failures, identifiers, leases, throttle, users};

use crate::mariadb::{self, Gate};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

fn person(tenant: TenantId, bits: u128, username: &str) -> User {
    User {
        id: UserId::from_bits(bits),
        tenant,
        username: username.to_owned(),
        email: None,
        phone: None,
        first_name: "Zoë 🦉 ".to_owned(),
        last_name: "O'Brien \\ \"x\"; DROP TABLE login".to_owned(),
        language: None,
        status: Status::Enabled,
        security_version: i64::MAX - 1,
        first_enrolled_at: None,
        may_enroll_again: None,
        alias: None,
    }
}

/// R-598, AC-08, T-03: texts come back as they were, nothing is folded but what we fold ourselves, and a name is there
/// once.
#[actix_web::test]
async fn texts_and_names_mean_the_same_on_every_engine() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now, tenant) = (&world.site.house.db, world.clock_now(), world.tenant().await);
        let zoe = person(tenant, 7, "Zoë");
        db.write(async |connection| users::insert(connection, &zoe, now).await).await.unwrap();
        let found = async |name: &str| {
            let name = name.to_owned();
            db.read(async |connection| users::named(connection, tenant, &name).await).await.unwrap()
        };
        assert_eq!(found("zoë").await, Some(zoe.clone()), "{on:?}: every field, blanks and signs too");
        assert_eq!(found("ZOË").await.map(|user| user.id), Some(zoe.id), "{on:?}: case is folded");
        for other in ["zoe", "zoë\u{301}", "zo\u{eb}1", "z%", "zo_"] {
            assert_eq!(found(other).await, None, "{on:?}: {other}");
        }
        // The same name once more is refused, and nothing of that transaction stays.
        let (stranger, twin) = (person(tenant, 8, "stranger"), person(tenant, 9, "ZOË"));
        let both = db.write(async |connection| {
            users::insert(connection, &stranger, now).await?;
            users::insert(connection, &twin, now).await
        });
        assert!(both.await.is_err_and(|error| error.is_duplicate()), "{on:?}");
        assert_eq!(found("stranger").await, None, "{on:?}: all or nothing");
        world.stop().await;
    }
}

/// T-10: who is in many groups is in all of them; MySQL cuts a list of its own making at 1024 octets unless told otherwise.
#[actix_web::test]
async fn somebody_may_be_in_very_many_groups() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, tenant) = (&world.site.house.db, world.tenant().await);
        let ada = db.read(async |connection| users::named(connection, tenant, "ada").await).await.unwrap().unwrap().id;
        let groups: Vec<GroupId> = (1..=500).map(GroupId::from_bits).collect();
        let set = async |connection: &mut _| users::set_groups(connection, tenant, ada, &groups).await;
        db.write(set).await.unwrap();
        let member = db.read(async |connection| users::member(tenant, ada).ask(connection).await).await.unwrap();
        assert_eq!(member.unwrap().groups.len(), 500, "{on:?}");
        world.stop().await;
    }
}

/// INV-10, R-604: what may happen once says so by the rows it changed, also where nothing changes in a row.
#[actix_web::test]
async fn conditions_tell_whether_they_were_met() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now, tenant) = (&world.site.house.db, world.clock_now(), world.tenant().await);
        let (one, two) = (CorrelationId::from_bits(1), CorrelationId::from_bits(2));
        let hour = Duration::from_secs(3600);
        let take = async |owner, at| {
            db.write(async |connection| leases::acquire(connection, "conformance", owner, at, hour).await)
                .await
                .unwrap()
        };
        assert!(take(one, now).await, "{on:?}: it was free");
        assert!(!take(two, now).await, "{on:?}: it is taken");
        // MySQL counts changed rows by default, not those that matched: taking it again must still be a yes.
        assert!(take(one, now).await && take(one, now).await, "{on:?}: its owner keeps it");
        assert!(take(two, now.plus(hour)).await, "{on:?}: it ran out");
        db.write(async |connection| leases::release(connection, "conformance", two).await).await.unwrap();
        assert!(take(one, now).await, "{on:?}: it was given back");

        let use_it = async |subject: &'static str| {
            let used = async |connection: &mut _| identifiers::first_use(connection, tenant, subject, now).await;
            db.write(used).await.unwrap()
        };
        assert!(use_it("a").await && !use_it("a").await && use_it("A").await, "{on:?}: octets are compared");

        let settings = LockoutSettings::default();
        let before = Failures::default();
        let after = before.after_failure(settings, now);
        let replace = async |before: Failures, after: Failures| {
            let work =
                async |connection: &mut _| failures::replace(connection, tenant, "somebody", before, after).await;
            db.write(work).await.unwrap()
        };
        assert!(replace(before, after).await, "{on:?}: the first");
        assert!(!replace(before, after).await, "{on:?}: somebody was faster");
        let next = after.after_failure(settings, now);
        assert!(replace(after, next).await && !replace(after, next).await, "{on:?}");
        for expected in 1..=3 {
            let hit = async |connection: &mut _| throttle::hit(connection, tenant, "x", now).await;
            assert_eq!(db.write(hit).await.unwrap(), expected, "{on:?}");
        }
        world.stop().await;
    }
}

/// INV-9: a transaction that fails half way leaves nothing, whoever reads at the same moment sees all of it or nothing.
#[actix_web::test]
async fn a_transaction_is_whole_or_not_there() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now, tenant) = (&world.site.house.db, world.clock_now(), world.tenant().await);
        let failing = db.write(async |connection| {
            throttle::hit(connection, tenant, "half", now).await?;
            Err::<(), _>(Error::Broken { table: "t", column: "c", row: "r".to_owned() })
        });
        assert!(failing.await.is_err());
        let hits =
            async || db.read(async |connection| throttle::hits(connection, tenant, "half", now).await).await.unwrap();
        assert_eq!(hits().await, 0, "{on:?}");
        // Sixteen at once, none lost, none busy (K, "four or more clients at once never meet a busy database").
        let hit = async |connection: &mut _| throttle::hit(connection, tenant, "half", now).await;
        let all = futures_util::future::join_all((0..16).map(|_| db.write(hit))).await;
        let mut counts: Vec<i64> = all.into_iter().map(Result::unwrap).collect();
        counts.sort_unstable();
        assert_eq!(counts, (1..=16).collect::<Vec<_>>(), "{on:?}: each saw a count of its own");
        assert_eq!(hits().await, 16, "{on:?}");
        world.stop().await;
    }
}

/// R-597, security.md 5.2 F1 and 5.11: while the database is away, whoever logs in is told to come again in a moment, what needs no
/// database is answered, and no load balancer sends more; the first who comes when it is back is served.
#[actix_web::test]
async fn a_database_that_is_away_for_a_while_is_waited_for() {
    let gate = Gate::new();
    let world = World::of_database(gate.to(&mariadb::database())).await;
    let (login, keys) = (format!("{}/", world.base()), format!("{}/oidc/jwks", world.base()));
    let ready = format!("{}/readyz", world.url);
    let mut ada = Visitor::new(&world.url);
    for address in [&login, &keys, &ready] {
        assert_eq!(ada.get(address).await.status, 200, "{address}");
    }
    gate.close();
    // What is in memory is old by now.
    world.advance(10);
    let away = ada.get(&login).await;
    assert_eq!((away.status, away.headers["retry-after"].to_str().unwrap()), (503, "5"), "{}", away.body);
    assert_eq!(ada.get(&keys).await.status, 200);
    assert_eq!(ada.get(&ready).await.status, 503);
    gate.open();
    for address in [&login, &keys, &ready] {
        assert_eq!(ada.get(address).await.status, 200, "{address}");
    }
    world.stop().await;
}

/// What an operator changes counts everywhere within two seconds, also where the machine's clock was ahead and is set back.
#[actix_web::test]
async fn a_clock_that_is_set_back_keeps_no_old_configuration() {
    let world = World::new(On::Sqlite).await;
    let (_, other) = world.second().await;
    let code = "acme".parse().unwrap();
    let name = async || other.house.realm(&code).await.unwrap().unwrap().config.tenant.name.clone();
    assert_eq!(name().await, "Acme Corporation");
    world.clock.set_back(Duration::from_secs(86_400));
    world.apply("[[tenant]]\ncode = \"acme\"\nname = \"Acme Limited\"\n").await;
    assert_eq!(name().await, "Acme Limited");
    world.stop().await;
}

/// R-595: a program that was ended in the middle of a step of the schema starts again, and finishes it.
#[actix_web::test]
async fn a_step_of_the_schema_that_was_not_finished_is_run_again() {
    let world = World::new(On::MariaDb).await;
    // What stands there while a step runs: MariaDB keeps it, because it commits with each change of a table.
    mariadb::run_in(&world.database, "UPDATE _sqlx_migrations SET success = FALSE ORDER BY version DESC LIMIT 1");
    let db = Db::connect(&world.database).await.unwrap();
    db.migrate().await.unwrap();
    let (known, applied) = db.migrations().await.unwrap();
    assert_eq!(known, applied);
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM _sqlx_migrations WHERE success = FALSE").await, 0);
    db.close().await;
    world.stop().await;
}

/// R-598: an instance that took a lease while its clock was wrong, and was ended since, does not keep the others from the job until
/// that time comes.
#[actix_web::test]
async fn a_lease_of_a_wrong_clock_binds_nobody() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now) = (&world.site.house.db, world.clock_now());
        let (one, two) = (CorrelationId::from_bits(1), CorrelationId::from_bits(2));
        let minute = Duration::from_secs(60);
        let take = async |owner, at| {
            db.write(async |connection| leases::acquire(connection, "conformance", owner, at, minute).await)
                .await
                .unwrap()
        };
        assert!(take(one, now.plus(minute * 50)).await, "{on:?}");
        assert!(!take(two, now).await, "{on:?}: clocks may differ");
        assert!(take(one, now.plus(minute * 60 * 24 * 365 * 70)).await, "{on:?}");
        assert!(take(two, now).await, "{on:?}: nobody waits for seventy years");
        assert!(!take(one, now).await, "{on:?}: and it is a lease like any other");
        world.stop().await;
    }
}

/// R-595, R-597, security.md 5.7: instances that run go on while the schema becomes that of the next version; none starts on it.
#[actix_web::test]
async fn instances_of_the_version_before_stay_ready() {
    for on in BOTH {
        let world = World::new(on).await;
        let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, ?, TRUE, '', 0)";
        world.execute(later, "of the next version").await;
        let ready = Visitor::new(&world.url).get(&format!("{}/readyz", world.url)).await;
        assert_eq!(ready.status, 200, "{on:?}: {}", ready.body);
        let db = Db::connect(&world.database).await.unwrap();
        assert!(db.migrate().await.is_err(), "{on:?}");
        db.close().await;
        world.stop().await;
    }
}

/// R-597: while a mail server is away, old mails are tried seldom and new ones soon; how long mail waits is told by the oldest all the
/// same.
#[actix_web::test]
async fn how_long_mail_waits_is_told_by_the_oldest() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now, tenant) = (&world.site.house.db, world.clock_now(), world.tenant().await);
        let mail = |bits, after| NewMail {
            id: MailId::from_bits(bits),
            tenant,
            kind: "verification_code",
            login: None,
            domain: "acme.test".to_owned(),
            body_sealed: vec![1],
            useful_until: now.plus(Duration::from_secs(86_400)),
            created_at: now.plus(Duration::from_secs(after)),
        };
        let (old, new, owner) = (mail(1, 0), mail(2, 60), CorrelationId::from_bits(1));
        let minute = Duration::from_secs(60);
        let waiting = async |connection: &mut _| outbox::oldest_waiting(connection).await;
        assert_eq!(db.read(waiting).await.unwrap(), None, "{on:?}");
        db.write(async |connection| {
            outbox::put(connection, &old).await?;
            outbox::lease(connection, tenant, old.id, owner, now, minute).await?;
            outbox::retry(connection, tenant, old.id, owner, "not today", now.plus(minute * 5)).await?;
            outbox::put(connection, &new).await
        })
        .await
        .unwrap();
        assert_eq!(db.read(waiting).await.unwrap(), Some(now), "{on:?}");
        world.stop().await;
    }
}

/// R-600, K23, security.md 5.7: while key-encryption keys are rolled over, or instances replaced, one that does not know the new key,
/// or the letters of the next version, leaves a mail to those that do.
#[actix_web::test]
async fn a_mail_of_another_instance_is_not_lost() {
    let world = World::new(On::Sqlite).await;
    let (db, now, tenant) = (&world.site.house.db, world.clock_now(), world.tenant().await);
    let other = Sealer::parse(&Sealer::new_key(&Entropy::System)).unwrap();
    let (one, two) = (MailId::from_bits(1), MailId::from_bits(2));
    let letter = SecretBytes::new(b"{\"letter\":\"of the next version\"}".to_vec());
    let place = |id| Place::new(tenant, "outbox", "body_sealed", id);
    let sealed = [(one, other.seal(place(one), &letter)), (two, world.site.house.sealer.seal(place(two), &letter))];
    for (id, body_sealed) in sealed {
        let mail = NewMail {
            id,
            tenant,
            kind: "enrolled",
            login: None,
            domain: "acme.test".to_owned(),
            body_sealed,
            useful_until: now.plus(Duration::from_secs(86_400)),
            created_at: now,
        };
        db.write(async |connection| outbox::put(connection, &mail).await).await.unwrap();
    }
    world.site.house.mail_waits.notify_one();
    let tried = "SELECT COUNT(*) AS n FROM outbox WHERE error IS NOT NULL";
    for _ in 0..200 {
        if world.number(tried).await == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.number(tried).await, 2);
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM outbox WHERE state = 'waiting'").await, 2);
    world.stop().await;
}

/// R-598: work that is rolled back gives its connection back, too: when many lose to each other, a server has enough to do.
#[actix_web::test]
async fn work_that_is_rolled_back_keeps_its_connection() {
    let db = Db::connect(&mariadb::database()).await.unwrap();
    let number = async || {
        let question = Statement::new("SELECT CAST(CONNECTION_ID() AS SIGNED) AS n");
        let row = db.read(async |connection| question.only(connection).await).await.unwrap();
        row.number("n").unwrap().unwrap()
    };
    let before = number().await;
    assert!(db.write(async |_| Err::<(), _>(Error::Nothing)).await.is_err());
    assert_eq!(number().await, before);
    db.close().await;
}
