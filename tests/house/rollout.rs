//! The rollout: observing without asking, waves with a daily cap, putting it off, and the brake.

use vestibule::domain::timestamp::Timestamp;

use crate::gates::{enroll_from_offer, set};
use crate::story::{PASSWORD, after_password, authorize, claims_of, code_of, redeem};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, World};

const DAY: u64 = 86_400;
const OFFER: &str = "Add an authenticator";

/// So many hours after now, as an apply file writes it.
fn in_hours(world: &World, hours: i64) -> String {
    Timestamp::from_seconds(world.clock_now().seconds() + hours * 3600).rfc3339()
}

/// Settings of a rollout with one wave for the pilot group, and more keys of it.
async fn wave(world: &World, starts_at: &str, keys: &str) {
    set(
        world,
        &format!(
            "rollout = \"waves\"\n[[tenant.self_provisioning.wave]]\nname = \"Pilot\"\ngroups = [\"pilot\"]\n\
             starts_at = {starts_at}\n{keys}"
        ),
    )
    .await;
}

/// The page after somebody's password, in a new browser.
async fn log_in(world: &World, name: &str, password: &str) -> (Visitor, Seen) {
    let mut visitor = Visitor::new(&world.url);
    let seen = after_password(world, &mut visitor, name, password).await;
    (visitor, seen)
}

/// What the newest entry of the access log says: reason and methods.
async fn newest_access(world: &World) -> (String, String) {
    let reason = "SELECT reason AS t FROM access_log ORDER BY at DESC, id DESC LIMIT 1";
    let methods = "SELECT methods AS t FROM access_log ORDER BY at DESC, id DESC LIMIT 1";
    (world.text(reason).await, world.text(methods).await)
}

/// Issue 6, part 3: observed people go on as before the rollout, what is told of them is what was proven, and it is written
/// down once a day what would have happened.
///
#[actix_web::test]
async fn who_is_observed_is_let_in_and_written_down() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, seen) = log_in(&world, "ada", PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{on:?}: as ever");
        set(&world, "rollout = \"observe\"").await;
        let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
        let (status, tokens) = redeem(&world, &code_of(&seen).0).await;
        assert_eq!(status, 200, "{on:?}: {tokens}");
        let claims = claims_of(&tokens);
        assert_eq!(claims["acr"], "urn:vestibule:acr:password", "{on:?}");
        assert_eq!(claims["amr"], serde_json::json!(["pwd"]), "{on:?}");
        assert_eq!(newest_access(&world).await, ("otp_observed".to_owned(), "password".to_owned()), "{on:?}");
        let completed = "SELECT detail AS t FROM audit_event WHERE action = 'login_completed'";
        assert!(world.text(completed).await.contains("\"spared\":\"otp_observed\""), "{on:?}");
        // Single sign-on goes on as before, too, without a page.
        let seen = ada.get(&authorize(&world, "&prompt=none")).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {:?}", seen.leaves_to);
        assert_eq!(newest_access(&world).await.0, "otp_observed", "{on:?}");
        // Once a day.
        log_in(&world, "ada", PASSWORD).await;
        let rows = "SELECT COUNT(*) AS n FROM rollout_observed";
        assert_eq!(world.number(rows).await, 1, "{on:?}");
        world.advance(DAY);
        log_in(&world, "ada", PASSWORD).await;
        assert_eq!(world.number(rows).await, 2, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM rollout_observed WHERE obstacle = ''").await, 2, "{on:?}");
        assert!(world.mail.to("ada@acme.test").is_empty(), "{on:?}: nobody is asked");
        // What would have stopped the enrollment.
        world.advance(1);
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"grace\"\npassword = \"no mail at all, ever\"\n\
                 groups = [\"pilot\"]\n",
            )
            .await;
        let (_, seen) = log_in(&world, "grace", "no mail at all, ever").await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        let obstacle = "SELECT obstacle AS t FROM rollout_observed ORDER BY at DESC LIMIT 1";
        assert_eq!(world.text(obstacle).await, "no_email", "{on:?}");
        let policy = "SELECT policy AS t FROM rollout_observed ORDER BY at DESC LIMIT 1";
        assert_eq!(world.text(policy).await, "Global policy", "{on:?}");
        world.stop().await;
    }
}

/// Issue 6, part 3: observing opens nothing else. Whoever has or had an authenticator needs it, whoever is not among the
/// target users is refused as before, an application that asks for two factors gets them, and a policy that asks for a
/// passcode alone is not answered with nothing.
///
#[actix_web::test]
async fn observing_weakens_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        set(&world, "rollout = \"observe\"").await;
        let (_, seen) = log_in(&world, "linus", "has a token already").await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}: has a token");
        let (_, seen) = log_in(&world, "barbara", "not in the rollout").await;
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}: not a target user");
        let mut ada = Visitor::new(&world.url);
        let seen = ada.get(&authorize(&world, "&acr_values=urn:vestibule:acr:mfa")).await;
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(seen.title(), OFFER, "{on:?}: the application asks for two factors");
        // The console never does with less, however new the operator is.
        world.command(&["operator", "add", "ada"]);
        world.site.house.forget_realms();
        let mut operator = Visitor::new(&world.url);
        let seen = operator.get(&format!("{}/operator/", world.base())).await;
        let seen = operator.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = operator.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!((seen.title(), seen.has_action("later")), (OFFER.to_owned(), false), "{on:?}: R-018");
        let serials = "SELECT serial AS t FROM token WHERE state = 'active'";
        let serial = world.text(serials).await;
        let suspended = world.tried(&["token", "suspend", &serial]);
        assert!(suspended.status.success(), "{on:?}: {}", String::from_utf8_lossy(&suspended.stderr));
        let (_, seen) = log_in(&world, "linus", "has a token already").await;
        assert!(seen.leaves_to.is_none() && seen.title() != OFFER, "{on:?}: suspended: {}", seen.title());
        world.command(&["token", "revoke", &serial, "--disposition", "faulty", "--allow-enrollment"]);
        let (_, seen) = log_in(&world, "linus", "has a token already").await;
        assert_eq!(seen.title(), OFFER, "{on:?}: who had a token is not let in without one");
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"otp\"]\n").await;
        let mut ada = Visitor::new(&world.url);
        let seen = ada.get(&authorize(&world, "")).await;
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: R-088");
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(seen.title(), OFFER, "{on:?}: a policy without a password");
        world.stop().await;
    }
}

/// Issue 6, part 3: until the wave begins nothing changes; then its people are asked, in sessions that are open, too.
#[actix_web::test]
async fn a_wave_begins_when_its_time_has_come() {
    for on in BOTH {
        let world = World::new(on).await;
        let starts = Timestamp::from_seconds(world.clock_now().seconds() + 600).rfc3339();
        wave(&world, &starts, "").await;
        let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        assert_eq!(newest_access(&world).await.0, "otp_before_wave", "{on:?}");
        let exported = world.command(&["export"]);
        assert!(exported.contains("name = \"Pilot\"") && exported.contains(&starts), "{on:?}: {exported}");
        assert!(!exported.contains("wave_id"), "{exported}");
        world.apply(&exported).await;
        world.advance(600);
        let seen = ada.get(&authorize(&world, "&prompt=none")).await;
        assert!(seen.leaves_to.clone().expect("answered").contains("error=interaction_required"), "{on:?}: R-092");
        let seen = ada.get(&authorize(&world, "")).await;
        assert_eq!(seen.title(), OFFER, "{on:?}");
        assert!(!seen.has_action("later"), "{on:?}: nothing is said of putting it off");
        assert_eq!(world.events("rollout_asked").await, 1, "{on:?}");
        let (mut other, seen) = log_in(&world, "ada", PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{on:?}");
        assert_eq!(world.events("rollout_asked").await, 1, "{on:?}: somebody who was asked is no new one");
        let (seen, _) = enroll_from_offer(&world, &mut other, &seen).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        world.stop().await;
    }
}

/// Issue 6, part 3: a daily cap is exact, whoever logs in at the same moment at whichever instance; the others go on as before
/// until their day.
#[actix_web::test]
async fn the_daily_cap_holds_under_simultaneous_logins_at_two_instances() {
    const PEOPLE: usize = 20;
    const CAP: usize = 7;
    for on in BOTH {
        let world = World::new(on).await;
        let mut file = "[[tenant]]\ncode = \"acme\"\n".to_owned();
        for number in 0..PEOPLE {
            file += &format!(
                "[[tenant.user]]\nusername = \"person{number}\"\nemail = \"person{number}@acme.test\"\n\
                 password = \"{PASSWORD}\"\ngroups = [\"pilot\"]\n"
            );
        }
        world.apply(&file).await;
        wave(&world, &in_hours(&world, -1), &format!("most_per_day = {CAP}\n")).await;
        let (second, _site) = world.second().await;
        let everybody = async |world: &World, second: &str| {
            let logins = (0..PEOPLE).map(|number| {
                let instance = if number % 2 == 0 { world.url.clone() } else { second.to_owned() };
                let address = authorize(world, "").replace(&world.url, &instance);
                tokio::spawn(async move {
                    let mut visitor = Visitor::new(&instance);
                    let seen = visitor.get(&address).await;
                    let seen = visitor.press(&seen, "continue", &[("username", &format!("person{number}"))]).await;
                    visitor.press(&seen, "continue", &[("password", PASSWORD)]).await
                })
            });
            let mut asked = 0;
            for login in logins.collect::<Vec<_>>() {
                let seen = login.await.unwrap();
                if seen.title() == OFFER {
                    asked += 1;
                } else {
                    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
                }
            }
            asked
        };
        for (day, asked) in [(1, CAP), (2, 2 * CAP), (3, PEOPLE)] {
            assert_eq!(everybody(&world, &second).await, asked, "{on:?}, day {day}");
            assert_eq!(
                world.number("SELECT COUNT(*) AS n FROM rollout_place").await,
                i64::try_from(asked).unwrap(),
                "{on:?}"
            );
            assert_eq!(world.events("rollout_asked").await, i64::try_from(asked).unwrap(), "{on:?}");
            world.advance(DAY);
        }
        world.stop().await;
    }
}

/// Issue 6, part 3: people put it off a number of times or until a day; each time counts once, and then it is demanded.
#[actix_web::test]
async fn people_put_it_off_as_often_as_they_may() {
    for on in BOTH {
        let world = World::new(on).await;
        wave(&world, &in_hours(&world, -1), "postponements = 2\n").await;
        let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
        assert!(seen.body.contains("Times left: ") && seen.has_action("later"), "{on:?}: {}", seen.body);
        // T-40: a form without its token, and the same form from two tabs.
        let (address, fields) = seen.form("later");
        let refused = ada.post(&address, &[]).await;
        assert_eq!((refused.status, world.events("enrollment_postponed").await), (403, 0), "{on:?}");
        let mut tab = ada.clone();
        let (one, two) = (ada.post(&address, &fields).await, tab.post(&address, &fields).await);
        assert!(!code_of(&one).0.is_empty() && two.status < 500, "{on:?}");
        assert_eq!(world.number("SELECT postponed AS n FROM rollout_place").await, 1, "{on:?}");
        assert_eq!(world.events("enrollment_postponed").await, 1, "{on:?}");
        assert_eq!(newest_access(&world).await.0, "otp_postponed", "{on:?}");
        // For the rest of the day nobody asks again, in any browser.
        let (_, seen) = log_in(&world, "ada", PASSWORD).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        for (left, shown) in [(true, "1"), (false, "")] {
            world.advance(16 * 3600);
            let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
            assert_eq!((seen.title(), seen.has_action("later")), (OFFER.to_owned(), left), "{on:?} {shown}");
            if left {
                let seen = ada.press(&seen, "later", &[]).await;
                assert!(!code_of(&seen).0.is_empty(), "{on:?}");
            } else {
                // AC-04: posting the form anyway.
                let (address, fields) = seen.form("add-authenticator");
                let refused = ada.post(&address.replace("add-authenticator", "later"), &fields).await;
                assert_eq!(refused.status, 403, "{on:?}: {}", refused.body);
            }
        }
        // A date instead of a number: until then as often as one likes, never past it.
        let deadline = in_hours(&world, 20);
        wave(&world, &in_hours(&world, -100), &format!("deadline = \"{deadline}\"\n")).await;
        let mut german = Visitor::new(&world.url);
        german.language = Some("de");
        let seen = german.get(&authorize(&world, "")).await;
        let seen = german.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = german.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert!(seen.body.contains("aufschieben"), "{on:?}: {}", seen.body);
        let seen = german.press(&seen, "later", &[]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        world.advance(20 * 3600);
        let (_, seen) = log_in(&world, "ada", PASSWORD).await;
        assert_eq!((seen.title(), seen.has_action("later")), (OFFER.to_owned(), false), "{on:?}");
        world.stop().await;
    }
}

/// Issue 6, part 3: a window of enrollment (T-01) runs from the moment at which somebody is asked.
#[actix_web::test]
async fn the_window_of_enrollment_begins_with_the_wave() {
    for on in BOTH {
        let world = World::new(on).await;
        wave(&world, &in_hours(&world, 24 * 30), "").await;
        set(&world, "enrollment_window_days = 14").await;
        world.advance(31 * DAY);
        let (_, seen) = log_in(&world, "ada", PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{on:?}: nobody was asked before");
        world.advance(15 * DAY);
        let (_, seen) = log_in(&world, "ada", PASSWORD).await;
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}: two weeks after that");
        world.stop().await;
    }
}

/// What is wrong in a file is named with its line, all at once.
#[actix_web::test]
async fn faults_of_waves_are_told_with_their_line() {
    let world = World::new(crate::world::On::Sqlite).await;
    let file = "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\nrollout = \"waves\"\n\
                [[tenant.self_provisioning.wave]]\nname = \"A\"\nstarts_at = \"soon\"\ngroups = [\"nobody\"]\n\
                [[tenant.self_provisioning.wave]]\nname = \"a\"\nstarts_at = 2027-02-01T08:00:00Z\npercent = 101\n\
                [[tenant.self_provisioning.wave]]\nname = \"B\"\nstart = 1\n";
    let faults = world.try_apply(file).await.expect_err("faults");
    for expected in [
        "line 7: tenant.self_provisioning.wave.starts_at: is not a time with its zone",
        "line 8: tenant.self_provisioning.wave.groups: there is no group \"nobody\"",
        "line 10: tenant.self_provisioning.wave.name: is given twice",
        "line 12: tenant.self_provisioning.wave.percent: must be from 1 to 100",
        "unknown field `start`",
    ] {
        assert!(faults.contains(expected), "{expected}\n{faults}");
    }
    world.stop().await;
}

/// People who begin to enroll and leave it.
async fn give_up(world: &World, people: std::ops::Range<usize>) {
    for number in people {
        let (mut visitor, seen) = log_in(world, &format!("person{number}"), PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{}", seen.body);
        let seen = visitor.press(&seen, "add-authenticator", &[]).await;
        visitor.press(&seen, "cancel", &[]).await;
    }
}

/// So many more people in the pilot group.
async fn people(world: &World, number: usize) {
    let mut file = "[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\nrecipients = [\"soc@acme.test\"]\n".to_owned();
    for number in 0..number {
        file += &format!(
            "[[tenant.user]]\nusername = \"person{number}\"\nemail = \"person{number}@acme.test\"\n\
             password = \"{PASSWORD}\"\ngroups = [\"pilot\"]\n"
        );
    }
    world.apply(&file).await;
}

/// Issue 6, part 3: too many people who get stuck pause the wave by itself, once, whoever looks; operators are told; nobody new
/// is asked, and who has begun can finish; an operator lets it go on.
#[actix_web::test]
async fn the_brake_pauses_a_wave_and_an_operator_lets_it_go_on() {
    use vestibule::app::rollout::round;
    for on in BOTH {
        let world = World::at_this_time(on).await;
        people(&world, 6).await;
        wave(&world, &in_hours(&world, -1), "[tenant.self_provisioning.brake]\nat_least = 3\nwindow_minutes = 60\n")
            .await;
        let (second, other) = world.second().await;
        let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
        let before = world.codes("ada@acme.test").len();
        let begun = ada.press(&seen, "add-authenticator", &[]).await;
        give_up(&world, 0..2).await;
        assert_eq!(round(&world.site).await.unwrap(), 0, "{on:?}: two are too few");
        give_up(&world, 2..3).await;
        let (one, two) = (round(&world.site).await.unwrap(), round(&other).await.unwrap());
        assert_eq!(one + two, 1, "{on:?}: once");
        assert_eq!(world.events("rollout_paused").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM alert WHERE kind = 'rollout_paused'").await, 1, "{on:?}");
        let letter = world.mail("soc@acme.test", 1).await;
        assert!(letter.text().contains("Too many people in a wave") && letter.text().contains("Pilot"), "{on:?}");
        let shown = world.command(&["rollout", "show"]);
        assert!(shown.contains("wave Pilot: paused") && shown.contains("enrollments_failed"), "{on:?}: {shown}");
        world.advance(1);
        let (_, seen) = log_in(&world, "person5", PASSWORD).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: nobody new is asked");
        assert_eq!(newest_access(&world).await.0, "otp_paused", "{on:?}");
        // T-01: what was demanded before stays demanded: nobody opens an account by failing on purpose.
        let (_, seen) = log_in(&world, "person0", PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{on:?}");
        let (seen, _) = crate::gates::from_mail(&world, &mut ada, &begun, before).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: who has begun can finish");
        // An operator may say otherwise for those who were asked.
        assert!(world.command(&["rollout", "pause", "pilot", "--everybody"]).contains("Pilot: paused"), "{on:?}");
        let (_, seen) = log_in(&world, "person0", PASSWORD).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        world.catch_up();
        assert!(world.command(&["rollout", "resume", "Pilot"]).contains("goes on"), "{on:?}");
        let again = crate::tokens::json(&world, &["rollout", "resume", "pilot"]);
        assert_eq!(again, serde_json::json!({ "wave": "Pilot", "paused": false, "changed": false }), "{on:?}");
        world.catch_up();
        assert_eq!(world.events("rollout_resumed").await, 1, "{on:?}");
        assert_eq!(round(&world.site).await.unwrap(), 0, "{on:?}: what was before does not count again");
        let (_, seen) = log_in(&world, "person5", PASSWORD).await;
        assert_eq!(seen.title(), OFFER, "{on:?}");
        assert!(
            world.refused(&["rollout", "pause", "nobody"]).contains("there is no wave \"nobody\"; there are: Pilot")
        );
        drop(second);
        world.stop().await;
    }
}

/// Issue 6, part 3: people who walk away in the midst of it pull the brake when their hour is over, even if it looks back for less
/// than that, and do not pull it again once an operator has let the wave go on.
#[actix_web::test]
async fn people_who_walk_away_pull_the_brake() {
    use vestibule::app::rollout::round;
    use vestibule::flow::administration::rollout::resume;
    for on in BOTH {
        let world = World::new(on).await;
        people(&world, 4).await;
        wave(&world, &in_hours(&world, -1), "[tenant.self_provisioning.brake]\nat_least = 3\nwindow_minutes = 10\n")
            .await;
        let walk_away = async |number: usize| {
            let (mut visitor, seen) = log_in(&world, &format!("person{number}"), PASSWORD).await;
            assert_eq!(seen.title(), OFFER, "{on:?}: {}", seen.body);
            visitor.press(&seen, "add-authenticator", &[]).await;
        };
        for number in 0..3 {
            walk_away(number).await;
        }
        assert_eq!(round(&world.site).await.unwrap(), 0, "{on:?}: they may still finish");
        world.advance(58 * 60);
        assert_eq!(round(&world.site).await.unwrap(), 0, "{on:?}: they may still finish");
        walk_away(3).await;
        world.advance(3 * 60);
        assert_eq!(round(&world.site).await.unwrap(), 1, "{on:?}");
        assert_eq!(world.text("SELECT reason AS t FROM rollout_pause").await, "enrollments_failed", "{on:?}");

        let desk = world.desk("test");
        let go_on = async |connection: &mut vestibule::storage::Connection| {
            let code = "acme".parse().unwrap();
            let config = vestibule::storage::tenants::config(connection, &code).await?.unwrap();
            let wave = &config.settings.self_provisioning.staging.wave[0];
            resume(&desk, connection, config.tenant.id, wave).await
        };
        assert!(world.site.house.db.write(go_on).await.unwrap(), "{on:?}");
        for _ in 0..3 {
            world.advance(20 * 60);
            assert_eq!(round(&world.site).await.unwrap(), 0, "{on:?}: what was before does not count again");
        }
        world.stop().await;
    }
}

/// Issue 6, part 3: a wave pauses as well when the help desk has to help too many people.
#[actix_web::test]
async fn the_help_desk_pulls_the_brake_as_well() {
    for on in BOTH {
        let world = World::new(on).await;
        people(&world, 3).await;
        wave(&world, &in_hours(&world, -1), "[tenant.self_provisioning.brake]\nat_least = 2\nfailed_percent = 0\n")
            .await;
        for number in 0..3 {
            log_in(&world, &format!("person{number}"), PASSWORD).await;
        }
        // At the shell the time is another one: the desk is the test's.
        let tenant = world.tenant().await;
        for (number, paused) in [(0, 0), (1, 1)] {
            let desk = world.desk("test");
            let name = format!("person{number}");
            let unlock = async |connection: &mut vestibule::storage::Connection| {
                let user = vestibule::storage::users::named(connection, tenant, &name).await?.unwrap();
                vestibule::flow::administration::people::unlock(&desk, connection, &user).await
            };
            world.site.house.db.write(unlock).await.unwrap();
            assert_eq!(vestibule::app::rollout::round(&world.site).await.unwrap(), paused, "{on:?}");
        }
        let reason = "SELECT reason AS t FROM rollout_pause";
        assert_eq!(world.text(reason).await, "help_desk_needed", "{on:?}");
        world.stop().await;
    }
}

/// R-039, issue 6, part 3: before anything is saved, a draft is told in numbers, by wave, with what applications ask; and it
/// changes nothing.
#[actix_web::test]
async fn a_draft_is_told_in_numbers() {
    for on in BOTH {
        let world = World::new(on).await;
        people(&world, 4).await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"sales\"\n\
                 [[tenant.user]]\nusername = \"grace\"\ngroups = [\"sales\"]\n\
                 [[tenant.user]]\nusername = \"gone\"\nenabled = false\ngroups = [\"sales\"]\n\
                 [[tenant.access_policy]]\nname = \"Wiki is open\"\napplications = [\"Wiki\"]\ngroups = [\"sales\"]\n\
                 require = [\"password\"]\n",
            )
            .await;
        let draft = world.folder().join("draft.toml");
        let text = "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\ntarget_users = \"all\"\nrollout = \"waves\"\n\
                    [[tenant.self_provisioning.wave]]\nname = \"Pilot\"\nstarts_at = 2027-02-01T08:00:00Z\ngroups = [\"pilot\"]\n\
                    [[tenant.self_provisioning.wave]]\nname = \"Sales\"\nstarts_at = 2027-02-08T08:00:00Z\n\
                    groups = [\"sales\", \"pilot\"]\n";
        std::fs::write(&draft, text).unwrap();
        let before = world.number("SELECT COUNT(*) AS n FROM audit_event").await;
        let file = draft.display().to_string();
        let told: serde_json::Value =
            serde_json::from_str(&world.command(&["rollout", "effect", &file, "--json"])).unwrap();
        let people = |told: &serde_json::Value| {
            ["targeted", "with_authenticator", "asked", "without_mail", "recovering", "disabled"]
                .map(|key| told[key].as_u64().unwrap())
        };
        // ada, barbara, linus, grace, four people; and one who is gone.
        assert_eq!(people(&told["all"]), [8, 1, 7, 1, 0, 1], "{on:?}: {told}");
        assert_eq!(people(&told["waves"][0]["people"]), [6, 1, 5, 0, 0, 0], "{on:?}: {told}");
        assert_eq!(people(&told["waves"][1]["people"]), [1, 0, 1, 1, 0, 1], "{on:?}: the first wave counts: {told}");
        assert_eq!(people(&told["in_no_wave"]), [1, 0, 1, 0, 0, 0], "{on:?}: barbara: {told}");
        let asks = |name: &str| {
            let all = told["applications"].as_array().unwrap();
            all.iter().find(|it| it["name"] == name).unwrap()["asks"].as_str().unwrap().to_owned()
        };
        assert_eq!((asks("Notes"), asks("Wiki")), ("always".to_owned(), "sometimes".to_owned()), "{on:?}");
        let stored = world.command(&["rollout", "effect"]);
        assert!(stored.contains("6 people: 1 has an authenticator, 5 would be asked"), "{on:?}: {stored}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM audit_event").await, before, "{on:?}: nothing is changed");
        // A share is the same in the database as in a login.
        for percent in [1, 30, 50, 99] {
            let half =
                text.replace("groups = [\"pilot\"]", &format!("percent = {percent}")).replacen("Pilot", "Share", 1);
            std::fs::write(&draft, half).unwrap();
            let told: serde_json::Value =
                serde_json::from_str(&world.command(&["rollout", "effect", &file, "--json"])).unwrap();
            let ids = world.column("SELECT id AS it FROM user_account WHERE status = 'enabled'").await;
            let wave = vestibule::domain::policy::staging::Wave {
                id: vestibule::domain::ids::Id::from_bits(1),
                name: String::new(),
                starts_at: Timestamp::from_seconds(0),
                groups: vec![],
                percent,
                most_per_day: 0,
                postponements: None,
                deadline: None,
            };
            let inside = ids.iter().filter(|id| wave.includes(id.parse().unwrap(), &[])).count();
            assert_eq!(told["waves"][0]["people"]["targeted"], inside, "{on:?}, {percent} %: {told}");
        }
        world.stop().await;
    }
}

/// R-044, issue 6, part 4: how far people come, where they stop, and how long each step takes, by wave, group, platform and
/// language.
#[actix_web::test]
async fn the_funnel_tells_where_people_stop() {
    for on in BOTH {
        let world = World::new(on).await;
        people(&world, 5).await;
        wave(&world, &in_hours(&world, -1), "postponements = 1\n").await;
        // One who only sees the offer, one who puts it off, two who give up, one who has no mail address.
        log_in(&world, "person0", PASSWORD).await;
        let (mut later, seen) = log_in(&world, "person1", PASSWORD).await;
        later.press(&seen, "later", &[]).await;
        give_up(&world, 2..4).await;
        world
            .apply("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"grace\"\npassword = \"no mail at all, ever\"\ngroups = [\"pilot\"]\n")
            .await;
        let (_, seen) = log_in(&world, "grace", "no mail at all, ever").await;
        assert!(seen.has_action("later"), "{on:?}: what cannot be done now may wait, too: {}", seen.body);
        // One who comes to the end, in the time that the clock tells, and comes back another day.
        let (mut ada, seen) = log_in(&world, "ada", PASSWORD).await;
        world.advance(5);
        let before = world.codes("ada@acme.test").len();
        let seen = ada.press(&seen, "add-authenticator", &[]).await;
        world.advance(40);
        let (seen, secret) = crate::gates::from_mail(&world, &mut ada, &seen, before).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        let funnel = async |by: &str, more: &[&str]| -> serde_json::Value {
            let base = ["rollout", "funnel", "--json", "--by", by, "--days", "400"];
            serde_json::from_str(&world.command(&[&base[..], more].concat())).unwrap()
        };
        let told = funnel("wave", &[]).await;
        let steps = |told: &serde_json::Value| -> Vec<u64> {
            told["steps"].as_array().unwrap().iter().map(|step| step["people"].as_u64().unwrap()).collect()
        };
        assert_eq!(steps(&told), [6, 5, 3, 1, 1, 1, 1, 1, 0], "{on:?}: {told}");
        assert_eq!(told["steps"][2]["median_seconds"], 0, "{on:?}: two of three at once");
        assert_eq!(told["steps"][2]["p95_seconds"], 5, "{on:?}");
        assert_eq!(told["steps"][3]["median_seconds"], 40, "{on:?}: {told}");
        assert_eq!(told["steps"][3]["stopped"], 2, "{on:?}");
        assert_eq!(
            (told["failed"].as_u64(), told["parts"][0]["name"].as_str()),
            (Some(2), Some("Pilot")),
            "{on:?}: {told}"
        );
        assert_eq!(told["parts"][0]["completed_per_mille"], 167, "{on:?}");
        let told = funnel("group", &[]).await;
        let part = &told["parts"][0];
        assert_eq!(part["name"], "pilot", "{on:?}: {told}");
        // linus has one already, person4 was never asked.
        let numbers = ["members", "enrolled", "untouched", "offered", "started", "completed", "failed"];
        assert_eq!(numbers.map(|key| part[key].as_u64().unwrap()), [8, 2, 1, 5, 3, 1, 2], "{on:?}: {told}");
        let told = funnel("platform", &["--platform", "oath_app"]).await;
        assert_eq!((steps(&told)[0], told["parts"][0]["name"].as_str()), (1, Some("oath_app")), "{on:?}: {told}");
        let told = funnel("language", &["--language", "de"]).await;
        assert_eq!((steps(&told)[0], told["parts"].as_array().unwrap().len()), (0, 0), "{on:?}: {told}");
        let lines = world.command(&["rollout", "funnel", "--days", "400"]);
        assert!(lines.contains("Mailbox proven") && lines.contains("median 40 s"), "{on:?}: {lines}");
        // Another day.
        world.advance(DAY);
        let (mut again, seen) = log_in(&world, "ada", PASSWORD).await;
        let code = crate::story::oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = again.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        assert_eq!(steps(&funnel("all", &[]).await)[8], 1, "{on:?}");
        world.stop().await;
    }
}
