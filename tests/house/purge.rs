//! What has expired is removed with what hangs on it, and nothing else is (R-604, K20).

use std::time::Duration;

use vestibule::flow::federation;

use crate::door_saml::{posted, redirect, request};
use crate::relying_party::{Rp, SECRET, application, linus, log_in};
use crate::story::{PASSWORD, after_password};
use crate::visitor::Visitor;
use crate::world::{BOTH, World};

const DAY: u64 = 86_400;

/// How many rows there are of logins, what was proven in them, sessions, their applications, grants, their refresh tokens, known
/// browsers.
async fn counted(world: &World) -> [i64; 7] {
    let mut counts = [0; 7];
    for (count, question) in counts.iter_mut().zip([
        "SELECT COUNT(*) AS n FROM login",
        "SELECT COUNT(*) AS n FROM evidence",
        "SELECT COUNT(*) AS n FROM sso_session",
        "SELECT COUNT(*) AS n FROM session_participant",
        "SELECT COUNT(*) AS n FROM oidc_grant",
        "SELECT COUNT(*) AS n FROM oidc_family",
        "SELECT COUNT(*) AS n FROM known_browser",
    ]) {
        *count = world.number(question).await;
    }
    counts
}

async fn purged(world: &World, days: u64) -> [i64; 7] {
    let owner = world.site.house.entropy.id();
    if days > 0 {
        // A clock that has leapt is believed a day later.
        world.advance((days - 1) * DAY);
        vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
        world.advance(DAY);
    }
    // Twice: what is removed already is no fault.
    for _ in 0..2 {
        vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
    }
    counted(world).await
}

/// R-604, K20.
#[actix_web::test]
async fn what_has_expired_goes_with_what_hangs_on_it() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\n"))).await;
        // One after the other, hours apart, so that there is more than one step to go; each leaves something behind.
        for _ in 0..3 {
            let mut linus = linus(&world).await;
            Rp::new(&world, "app").tokens(&mut linus, "openid offline_access", "").await;
            let wiki = linus.get(&redirect(&world, &request(&world, "", ""))).await;
            assert!(posted(&wiki).1.contains("<saml:Assertion"), "{on:?}: {}", wiki.body);
            after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
            world.advance(3 * 3600);
        }
        let before = counted(&world).await;
        assert!(before.iter().all(|rows| *rows >= 3), "{on:?}: {before:?}");
        let [logins, proven, sessions, participants, grants, families, browsers] = before;
        assert_eq!(purged(&world, 0).await, before, "{on:?}: nothing has expired yet");
        let later = purged(&world, 3).await;
        assert_eq!(later, [0, 0, sessions, participants, grants, families, browsers], "{on:?}: {logins} {proven}");
        let later = purged(&world, 30).await;
        assert_eq!(
            (later[2], later[3], later[6]),
            (0, 0, browsers),
            "{on:?}: sessions and their applications: {later:?}"
        );
        let later = purged(&world, 400).await;
        assert_eq!(later, [0; 7], "{on:?}");
        world.stop().await;
    }
}

/// RFC 7523 3, RFC 9449 11.1, R-500: what counts once is remembered a little longer than it counts here. Another instance, whose
/// clock is half a minute behind, still takes it.
#[actix_web::test]
async fn what_counts_once_is_remembered_for_slower_clocks() {
    for on in BOTH {
        let world = World::new(on).await;
        let (house, tenant, owner) = (&world.site.house, world.tenant().await, world.site.house.entropy.id());
        let until = world.clock_now().plus(Duration::from_secs(60));
        let again = async || federation::first_use(house, tenant, &[b"assertion"], until).await.unwrap();
        assert!(again().await, "{on:?}");
        world.advance(60 + 30);
        vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
        assert!(!again().await, "{on:?}");
        world.advance(120);
        vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM used_identifier").await, 0, "{on:?}: but not for ever");
        world.stop().await;
    }
}

/// T-17: that a browser was used is written down once a day, and not at every login; it stays one browser.
#[actix_web::test]
async fn a_known_browser_is_remembered_by_the_day() {
    for on in BOTH {
        let world = World::new(on).await;
        let latest = "SELECT MAX(last_used_at) AS n FROM known_browser";
        let mut again = linus(&world).await;
        let first = world.number(latest).await;
        for (hours, later) in [(2, false), (30, true)] {
            // Long enough for the session to be over, so that this is a login.
            world.advance(hours * 3600);
            log_in(&world, &mut again, &format!("{}/", world.base())).await;
            assert_eq!(world.number(latest).await > first, later, "{on:?}: {hours} hours later");
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM known_browser").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// a service that runs for an hour every ten days removes what was old when it ran before. A clock that leaps ahead
/// meanwhile takes nothing away that was not.
#[actix_web::test]
async fn a_service_that_seldom_runs_removes_what_is_old_all_the_same() {
    const LOGINS: &str = "SELECT COUNT(*) AS n FROM login";
    for on in BOTH {
        let world = World::new(on).await;
        let owner = world.site.house.entropy.id();
        let hour = async || {
            for _ in 0..2 {
                vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
                vestibule::app::audit::look_once(&world.site, owner).await.unwrap();
                world.advance(1800);
            }
            world.number(LOGINS).await
        };
        linus(&world).await;
        let each = world.number(LOGINS).await;
        assert_eq!((each > 0, hour().await), (true, each), "{on:?}");
        world.advance(10 * DAY);
        assert_eq!(hour().await, each, "{on:?}: the clock may be wrong");
        world.execute("UPDATE access_log SET at = ?", "0").await;
        linus(&world).await;
        world.advance(10 * DAY);
        assert_eq!(hour().await, each, "{on:?}: what was old ten days ago is gone, and no more");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM access_log WHERE at = 0").await, 0, "{on:?}");
        // In the wrong year: what was old at the run before goes, and not what this clock takes for old.
        linus(&world).await;
        world.advance(500 * DAY);
        assert_eq!(hour().await, each, "{on:?}");
        world.stop().await;
    }
}

/// a machine that begins in the wrong year removes nothing that is not old, neither what has expired nor the logs. Set
/// right, it goes on at once; where it was the service that stood still, a day later.
#[actix_web::test]
async fn a_clock_that_leaps_ahead_takes_nothing_away() {
    const AHEAD: Duration = Duration::from_secs(500 * DAY);
    const ASKED: &str = "SELECT COUNT(*) AS n FROM rollout_attempt";
    const LOGGED: &str = "SELECT COUNT(*) AS n FROM access_log";
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\n"))).await;
        let mut linus = linus(&world).await;
        Rp::new(&world, "app").tokens(&mut linus, "openid offline_access", "").await;
        world
            .execute(
                "INSERT INTO rollout_attempt (tenant_id, user_id, login_id, language, at) \
                 SELECT tenant_id, id, id, 'en', ? FROM user_account WHERE username = 'ada'",
                &world.clock_now().micros().to_string(),
            )
            .await;
        let owner = world.site.house.entropy.id();
        let cared = async || {
            let removed = vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
            vestibule::app::audit::look_once(&world.site, owner).await.unwrap();
            (removed, (world.number(LOGGED).await, world.number(ASKED).await))
        };
        let (_, kept) = cared().await;
        let before = counted(&world).await;
        assert!(kept.0 > 0 && kept.1 > 0 && before[0] > 0, "{on:?}: {kept:?} {before:?}");
        for _ in 0..2 {
            world.clock.advance(AHEAD);
            for _ in 0..2 {
                assert_eq!(cared().await, (0, kept), "{on:?}");
                world.clock.advance(Duration::from_secs(2 * 3600));
            }
            world.clock.set_back(AHEAD);
            let (_, now) = cared().await;
            assert_eq!((counted(&world).await, now), (before, kept), "{on:?}");
        }
        world.clock.advance(AHEAD);
        assert_eq!(cared().await, (0, kept), "{on:?}");
        world.advance(DAY);
        let (removed, kept) = cared().await;
        assert!(removed > 0 && kept == (0, 0), "{on:?}: {removed} {kept:?}");
        world.stop().await;
    }
}
