//! Whether a rollout can begin, looked at beforehand.

use std::time::Duration;

use vestibule::domain::ids::{CorrelationId, MailId, TenantId};
use vestibule::domain::preflight::{Finding, Light};
use vestibule::flow::preflight;
use vestibule::http::Look;
use vestibule::storage::outbox::{self, NewMail};
use vestibule::storage::tenants;

use crate::world::{BOTH, On, World};

async fn found(world: &World) -> Vec<Finding> {
    let house = &world.site.house;
    let code = "acme".parse().unwrap();
    let config = house.db.read(async |connection| tenants::config(connection, &code).await).await.unwrap().unwrap();
    preflight::of_tenant(house, &config, world.clock_now()).await.unwrap()
}

fn of<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
    findings.iter().find(|finding| finding.what == what).unwrap_or_else(|| panic!("{what}: {findings:?}"))
}

/// empty groups, people without an address and no platform are found before people find them.
#[actix_web::test]
async fn what_would_stop_people_is_found_before() {
    for on in BOTH {
        let world = World::new(on).await;
        let good = found(&world).await;
        assert!(good.iter().all(|finding| finding.light == Light::Green), "{on:?}: {good:?}");
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"later\"\n[[tenant.user]]\n\
                 username = \"nora\"\ngroups = [\"pilot\"]\n[[tenant.user]]\nusername = \"olaf\"\n\
                 [tenant.self_provisioning]\ngroups = [\"pilot\", \"later\"]\n\
                 [tenant.global_policy]\nrequire = [\"otp\"]\n",
            )
            .await;
        let bad = found(&world).await;
        let groups = of(&bad, "groups");
        assert_eq!(
            (groups.light, groups.found.as_str()),
            (Light::Amber, "nobody is in later (used by self-provisioning)")
        );
        let addresses = of(&bad, "addresses");
        assert_eq!(addresses.light, Light::Amber, "{on:?}");
        assert!(addresses.found.contains("nora") && !addresses.found.contains("olaf"), "{on:?}: {addresses:?}");
        assert_eq!(of(&bad, "password").light, Light::Green, "{on:?}: enrollment demands it");
        world.stop().await;
    }
}

/// T-56: a virtual server is told of its own mail that waits, and not of that of others.
#[actix_web::test]
async fn mail_of_others_that_waits_is_not_told() {
    for on in BOTH {
        let world = World::new(on).await;
        let (db, now, minute) = (&world.site.house.db, world.clock_now(), Duration::from_secs(60));
        for (tenant, bits, light) in [(TenantId::from_bits(7), 1, Light::Green), (world.tenant().await, 2, Light::Red)]
        {
            let mail = NewMail {
                id: MailId::from_bits(bits),
                tenant,
                kind: "verification_code",
                login: None,
                domain: "acme.test".to_owned(),
                body_sealed: vec![1],
                useful_until: now.plus(minute * 60),
                created_at: now.minus(minute * 10),
            };
            // An instance has it all the time, so that ours does not.
            db.write(async |connection| {
                outbox::put(connection, &mail).await?;
                outbox::lease(connection, tenant, mail.id, CorrelationId::from_bits(1), now, minute * 60).await
            })
            .await
            .unwrap();
            assert_eq!(of(&found(&world).await, "outbox").light, light, "{on:?}");
        }
        world.stop().await;
    }
}

/// the service calls itself by its public address, and a test mail really arrives, with the server's answer.
#[actix_web::test]
async fn the_surroundings_are_looked_at() {
    let world = World::new(On::Sqlite).await;
    let around = world.site.look(Look::Surroundings).await;
    for what in ["public_address", "ios_association", "android_association", "mail_server", "clock"] {
        assert_eq!(of(&around, what).light, Light::Green, "{around:?}");
    }
    let sent = world.site.look(Look::TestMail { to: "ops@acme.test".to_owned(), letter: None }).await;
    assert!(sent[0].light == Light::Green && sent[0].found.contains("250"), "{sent:?}");
    assert!(world.mail("ops@acme.test", 1).await.text().contains("If you can read it, its mail arrives"));
    for to in ["nobody", "a@b.test, c@d.test", "a@b.test\r\nBcc: c@d.test"] {
        let sent = world.site.look(Look::TestMail { to: to.to_owned(), letter: None }).await;
        assert_eq!(sent[0].light, Light::Red, "{sent:?}");
    }
    assert_eq!(world.mail.to("c@d.test").len(), 0);
    world.stop().await;
    // At the shell: a program of its own, with a mail server that is not there.
    let world = World::new(On::MariaDb).await;
    let (good, said) = world.tried_with(&["check", "--mail-to", "ops@acme.test"], "");
    for line in ["ok    database: reachable", "FAIL  mail server: ", "FAIL  test mail: "] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!good && said.contains("acme: groups"), "a mail server that is away hides nothing else: {said}");
    let away =
        world.shell(&["check"]).env("VESTIBULE__DATABASE__URL", "mysql://nobody@127.0.0.1:1/nothing").output().unwrap();
    let said = String::from_utf8_lossy(&away.stdout).into_owned();
    assert!(!away.status.success() && said.contains("virtual servers were not looked at"), "{said}");
    let folder = format!("file://{}", world.folder().join("mail").display());
    let run =
        world.shell(&["check", "--json", "--mail-to", "ops@acme.test"]).env("VESTIBULE__MAIL__URL", folder).output();
    let run = run.unwrap();
    let all: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let light = |what: &str| all.as_array().unwrap().iter().find(|it| it["what"] == what).unwrap()["light"].clone();
    assert!(run.status.success(), "{all}");
    assert_eq!((light("test_mail"), light("groups")), ("green".into(), "green".into()), "{all}");
    assert_eq!(light("public_address"), "amber", "loopback is not called: {all}");
    world.stop().await;
}
