//! People, groups, tokens and enrollment by mail at the console and through the management API (T1 to T5, T11 to T13, T17).

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::flow::administration::jobs;

use crate::console::{at_console, call, call_with, console, key, staffed, step_up};
use crate::story::{after_password, passcode_of_linus};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// The identifier of an account, by its name.
async fn id_of(world: &World, name: &str) -> String {
    let tenant = world.tenant().await;
    let found = async |connection: &mut _| vestibule::storage::users::named(connection, tenant, name).await;
    world.site.house.db.read(found).await.unwrap().unwrap_or_else(|| panic!("{name}")).id.to_string()
}

/// The hidden field of the forms of a page.
fn csrf(seen: &Seen) -> String {
    let page = scraper::Html::parse_document(&seen.body);
    let field = scraper::Selector::parse("input[name=csrf]").unwrap();
    page.select(&field).next().unwrap().attr("value").unwrap().to_owned()
}

/// Posts to a page of the console with the hidden field of `seen`.
async fn post(world: &World, visitor: &mut Visitor, seen: &Seen, page: &str, fields: &[(&str, &str)]) -> Seen {
    let mut all = vec![("csrf".to_owned(), csrf(seen))];
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    visitor.post(&console(world, page), &all).await
}

/// The page of a job once it is over; the service works on it, and so does this.
async fn over(world: &World, visitor: &mut Visitor, seen: Seen) -> Seen {
    let mut seen = seen;
    let page = scraper::Html::parse_document(&seen.body);
    let link = scraper::Selector::parse("[data-action=look-again]").unwrap();
    let again = page.select(&link).next().map(|link| link.attr("href").unwrap().to_owned());
    drop(page);
    while seen.find("[data-job-state]").is_some_and(|state| state == "running") {
        jobs::round(&world.site.house).await.unwrap();
        seen = visitor.get(again.as_ref().unwrap()).await;
    }
    seen
}

/// T1, T2, R-576 to: people from their making to their end, at the console.
#[actix_web::test]
async fn people_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "users?username=a").await;
        assert!(seen.body.contains("ada") && seen.body.contains("audra") && !seen.body.contains("linus"), "{on:?}");
        let seen = oona.get(&console(&world, "users?email=*@acme.test&authenticators=none&sort=last_name")).await;
        assert!(seen.body.contains("ada") && !seen.body.contains(">linus<"), "{on:?}: {}", seen.body);

        // Faults keep what was typed.
        let seen = oona.get(&console(&world, "users/new")).await;
        let typed = [("username", "ADA"), ("first_name", "Grace"), ("last_name", ""), ("email", "nobody")];
        let seen = oona.press(&seen, "make-user", &typed).await;
        assert!(seen.body.contains("Email is not a mail address") && seen.body.contains("value=\"Grace\""), "{on:?}");
        let typed = [("username", "ADA"), ("first_name", "Grace"), ("last_name", "Hopper"), ("email", "g@acme.test")];
        let seen = oona.press(&seen, "make-user", &typed).await;
        assert!(seen.body.contains("there is an account with this user ID"), "{on:?}: R-577: {}", seen.body);
        assert!(seen.find("#password-fault").is_none(), "{on:?}: none was typed");
        let typed = [&typed[..], &[("password", "nanoseconds")]].concat();
        let seen = oona.press(&seen, "make-user", &typed).await;
        let again = seen.find("#password-fault");
        assert_eq!(again.as_deref(), Some("Type the password again."), "{on:?}: R-576: {}", seen.body);
        let typed = [
            ("username", "grace"),
            ("first_name", "Grace"),
            ("last_name", "Hopper"),
            ("email", "grace@acme.test"),
            ("password", "nanoseconds"),
        ];
        let seen = oona.press(&seen, "make-user", &typed).await;
        assert_eq!(seen.title(), "User grace", "{on:?}: {}", seen.body);
        let grace = id_of(&world, "grace").await;

        // Two people look at the same page: the second change is refused, and what was typed stays.
        let stale = seen.clone();
        let typed = |email: &'static str| {
            [("username", "grace"), ("first_name", "Grace"), ("last_name", "Hopper"), ("email", email)]
        };
        let seen = oona.press(&seen, "save-user", &typed("hopper@acme.test")).await;
        assert!(seen.body.contains("The account was saved"), "{on:?}: {}", seen.body);
        world.mail("grace@acme.test", 1).await;
        let late = oona.press(&stale, "save-user", &typed("late@acme.test")).await;
        assert!(late.body.contains("changed the account meanwhile") && late.body.contains("late@acme.test"), "{on:?}");
        let late = oona.press(&stale, "disable", &[]).await;
        assert!(late.body.contains("changed the account meanwhile"), "{on:?}: R-040");

        let seen = oona.press(&seen, "disable", &[]).await;
        assert_eq!(seen.find("[data-account-state]").as_deref(), Some("disabled"), "{on:?}");
        let seen = oona.press(&seen, "enable", &[]).await;
        assert_eq!(seen.find("[data-account-state]").as_deref(), Some("enabled"), "{on:?}");
        let seen = oona.press(&seen, "set-password", &[("password", "a new one")]).await;
        assert!(seen.body.contains("The password was changed"), "{on:?}");

        // what is kept is exported, and then erased, with a passcode that is fresh.
        let seen_data = oona.press(&seen, "export-data", &[]).await;
        let data: Value = serde_json::from_str(&seen_data.body).unwrap();
        assert_eq!(data["account"]["email"], "hopper@acme.test", "{on:?}");
        assert!(!seen_data.body.contains("argon2"), "{on:?}: T-58");
        world.advance(400);
        let asked = oona.press(&seen, "erase", &[("confirm", "grace")]).await;
        let seen = step_up(&world, &mut oona, &asked, "oona").await;
        assert!(seen.body.contains("Nothing was done yet"), "{on:?}: R-021: {}", seen.body);
        let wrong = oona.press(&seen, "erase", &[("confirm", "ada")]).await;
        assert!(wrong.body.contains("Type the user ID"), "{on:?}");
        let seen = oona.press(&wrong, "erase", &[("confirm", "grace")]).await;
        assert!(seen.body.contains("The person was erased"), "{on:?}: {}", seen.body);
        assert_eq!(oona.get(&console(&world, &format!("users/{grace}"))).await.status, 404, "{on:?}");
        let named = "SELECT COUNT(*) AS n FROM audit_event WHERE detail LIKE '%hopper%' OR detail LIKE '%Hopper%'";
        assert_eq!(world.number(named).await, 0, "{on:?}: R-603");
        world.stop().await;
    }
}

/// T-57, T-62, R-015: the help desk helps people, and cannot become an operator; codes are shown once, and to nobody else.
#[actix_web::test]
async fn the_help_desk_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        world
            .apply("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\nhelp_desk_pass = \"opens_gates\"\n")
            .await;
        let (ada, oona) = (id_of(&world, "ada").await, id_of(&world, "oona").await);
        // A stranger locks the account, and whoever looks for locked ones finds it until it is unlocked.
        let mut thief = Visitor::new(&world.url);
        let mut page = after_password(&world, &mut thief, "ada", "wrong").await;
        for _ in 0..3 {
            world.advance(31);
            page = thief.press(&page, "continue", &[("password", "wrong")]).await;
        }
        let (mut hedy, seen) = at_console(&world, "hedy", "users?account=locked").await;
        assert!(seen.body.contains(&ada) && !seen.body.contains("linus"), "{on:?}: R-578: {}", seen.body);
        let seen = hedy.get(&console(&world, &format!("users/{ada}"))).await;
        assert_eq!(seen.find("[data-account-state]").as_deref(), Some("locked"), "{on:?}");
        assert!(
            !seen.has_action("save-user") && !seen.has_action("erase") && !seen.has_action("set-password"),
            "{on:?}"
        );
        let seen = hedy.press(&seen, "unlock", &[]).await;
        assert!(seen.body.contains("The account is unlocked"), "{on:?}: {}", seen.body);
        assert_eq!(seen.find("[data-account-state]").as_deref(), Some("enabled"), "{on:?}");
        if seen.has_action("make-codes") {
            let made = hedy.press(&seen, "make-codes", &[("count", "2"), ("hours", "1")]).await;
            let shown = made.find("[data-shown-once]").unwrap();
            assert_eq!(made.body.matches("data-shown-once").count(), 2, "{on:?}");
            let again = hedy.get(&console(&world, &format!("users/{ada}"))).await;
            assert!(!again.body.contains(&shown), "{on:?}: T-62");
            assert_eq!(
                world.number("SELECT COUNT(*) AS n FROM help_desk_code WHERE state = 'open'").await,
                2,
                "{on:?}"
            );
            let wrong = hedy.press(&again, "make-codes", &[("count", "99"), ("hours", "1")]).await;
            assert!(wrong.body.contains("Number of codes: 1 to 20"), "{on:?}");
        }
        // Whoever may do more than she is none of her business.
        let seen = hedy.get(&console(&world, &format!("users/{oona}"))).await;
        assert!(seen.body.contains("operator with more permissions") && !seen.has_action("unlock"), "{on:?}");
        let page = hedy.get(&console(&world, "users")).await;
        for what in ["unlock", "codes", "pass", "sessions/end", "reopen", "enroll-again"] {
            let fields = [("count", "1"), ("hours", "1"), ("again", "allow")];
            let tried = post(&world, &mut hedy, &page, &format!("users/{oona}/{what}"), &fields).await;
            assert_eq!(tried.status, 403, "{on:?}: {what}: T-57");
        }
        let job = post(&world, &mut hedy, &page, "users/selection/unlock", &[("user", &oona), ("user", &ada)]).await;
        let job = over(&world, &mut hedy, job).await;
        assert!(job.body.contains("rejected") && job.body.contains("more permissions"), "{on:?}: {}", job.body);
        assert!(job.body.contains("unlocked"), "{on:?}");
        world.stop().await;
    }
}

/// T-01, R-084, R-359: whose authenticator was revoked as lost is not said to be free to enroll; the page of the person tells it and
/// what helps, leads to the explanation, and that leads back.
#[actix_web::test]
async fn whoever_lost_an_authenticator_is_helped_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        let (ada, linus) = (id_of(&world, "ada").await, id_of(&world, "linus").await);
        let of_linus =
            "SELECT serial AS t FROM token WHERE user_id IN (SELECT id FROM user_account WHERE username = 'linus')";
        let serial = world.text(of_linus).await;
        let (mut oona, seen) = at_console(&world, "oona", &format!("users/{linus}")).await;
        assert!(seen.find("[data-closed]").is_none(), "{on:?}: {}", seen.body);
        // What follows from each word is told before it is chosen.
        let page = oona.get(&console(&world, &format!("tokens/{serial}"))).await;
        let lost = page.find("#disposition option[value=lost]");
        assert_eq!(lost.as_deref(), Some("lost: the next one takes the help desk"), "{on:?}: {}", page.body);
        let lost = [("disposition", "lost"), ("sure", "yes")];
        post(&world, &mut oona, &seen, &format!("tokens/{serial}/revoke"), &lost).await;
        let seen = oona.get(&console(&world, &format!("users/{linus}"))).await;
        assert!(
            seen.find("[data-closed]").is_some_and(|it| it.contains("takes the help desk")),
            "{on:?}: {}",
            seen.body
        );
        let tried = oona.press(&seen, "reopen", &[]).await;
        for words in ["Enrollment is not open", "Send an enrollment mail"] {
            assert!(tried.body.contains(words) && !tried.body.contains("open again."), "{on:?}: {}", tried.body);
        }
        // The person is named already, and where to is chosen.
        let asked = oona.get(&seen.link("explain")).await;
        assert_eq!((asked.title().as_str(), asked.status), ("Explain a login", 200), "{on:?}: {}", asked.body);
        assert_eq!(asked.find_value("#user").as_deref(), Some("linus"), "{on:?}");
        assert!(!asked.body.contains("Please look at"), "{on:?}: nothing is wrong yet: {}", asked.body);
        let told = oona.get(&console(&world, "explain?user=linus&application=Notes&address=192.0.2.7")).await;
        assert!(told.body.contains("<code>recovery_needed</code>"), "{on:?}: {}", told.body);
        let seen = oona.get(&told.link("person")).await;
        assert_eq!(seen.title(), "User linus", "{on:?}");
        // Somebody has looked at him, and lets him enroll; or takes that back.
        let seen = oona.press(&seen, "allow-enrollment", &[]).await;
        assert!(seen.body.contains("The person may enroll at the login again."), "{on:?}: {}", seen.body);
        assert!(seen.find("[data-closed]").is_none(), "{on:?}: {}", seen.body);
        let told = oona.get(&console(&world, "explain?user=linus&application=Notes&address=192.0.2.7")).await;
        assert!(!told.body.contains("<code>recovery_needed</code>"), "{on:?}: {}", told.body);
        let seen = oona.press(&seen, "forbid-enrollment", &[]).await;
        assert!(seen.find("[data-closed]").is_some(), "{on:?}: {}", seen.body);
        let written = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'user_changed' AND actor_kind = 'operator' \
                       AND detail LIKE '%may_enroll_again%'";
        assert_eq!(world.number(written).await, 3, "{on:?}: R-561: with the revocation and what was said of it");
        let unsaid = post(&world, &mut oona, &seen, &format!("users/{linus}/enroll-again"), &[]).await;
        assert!(
            unsaid.find(".complaint").is_some_and(|it| it.contains("Nothing was changed")),
            "{on:?}: {}",
            unsaid.body
        );
        // Nobody has revoked anything of ada's.
        let seen = oona.get(&console(&world, &format!("users/{ada}"))).await;
        let seen = oona.press(&seen, "reopen", &[]).await;
        assert!(seen.body.contains("Enrollment is open again."), "{on:?}: {}", seen.body);
        // A pass that is not there is not confirmed, and that is no success.
        let seen = post(&world, &mut oona, &seen, &format!("users/{ada}/pass/confirm"), &[]).await;
        assert!(
            seen.find(".complaint").is_some_and(|it| it.contains("Nothing was confirmed")),
            "{on:?}: {}",
            seen.body
        );
        // T-62: where a pass takes two operators, one alone is offered nothing that one alone is refused.
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\nhelp_desk_pass = \"opens_gates\"\n\
                 help_desk_pass_confirmed = true\n",
            )
            .await;
        let seen = oona.get(&console(&world, &format!("users/{linus}"))).await;
        assert!(seen.find("[data-closed]").is_some(), "{on:?}: {}", seen.body);
        assert!(seen.has_action("make-pass") && !seen.has_action("allow-enrollment"), "{on:?}: {}", seen.body);
        let tried = oona.press(&seen, "reopen", &[]).await;
        assert!(tried.body.contains("(Provision) or give a one-time pass."), "{on:?}: {}", tried.body);
        let refused = [("again", "allow")];
        let refused = post(&world, &mut oona, &seen, &format!("users/{linus}/enroll-again"), &refused).await;
        assert!(refused.body.contains("Nothing was changed: two operators are needed"), "{on:?}: {}", refused.body);
        world.stop().await;
    }
}

/// T5, R-580, R-041: groups, and that what is in use stays; what is not goes after a question.
#[actix_web::test]
async fn groups_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "groups").await;
        let seen = oona.press(&seen, "make-group", &[("new_name", "Pilot")]).await;
        assert!(seen.body.contains("There is a group of this name already"), "{on:?}: {}", seen.body);
        let seen = oona.press(&seen, "make-group", &[("new_name", "Second wave")]).await;
        assert!(seen.body.contains("The group was made"), "{on:?}");
        let config = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let id = |name: &str| config.config.groups.iter().find(|group| group.name == name).unwrap().id.to_string();
        let (pilot, second) = (id("pilot"), id("Second wave"));
        let page = oona.get(&console(&world, &format!("groups/{pilot}"))).await;
        assert!(page.body.contains("<li>self-provisioning</li>"), "{on:?}: {}", page.body);
        let refused = oona.press(&page, "remove-group", &[]).await;
        assert!(refused.body.contains("The group is in use"), "{on:?}: {}", refused.body);
        let renamed = oona.press(&page, "rename-group", &[("new_name", "Vanguard")]).await;
        assert_eq!(renamed.title(), "Group Vanguard", "{on:?}: {}", renamed.body);
        let late = oona.press(&page, "rename-group", &[("new_name", "Late")]).await;
        assert!(late.body.contains("changed the group meanwhile"), "{on:?}: R-040");

        // Many people enter it at once, from the list.
        let (ada, linus) = (id_of(&world, "ada").await, id_of(&world, "linus").await);
        let list = oona.get(&console(&world, "users")).await;
        let fields = [("user", ada.as_str()), ("user", &linus), ("to_group", &second)];
        let job = post(&world, &mut oona, &list, "users/selection/enter", &fields).await;
        let job = over(&world, &mut oona, job).await;
        assert_eq!(job.body.matches("<td>added</td>").count(), 2, "{on:?}: {}", job.body);
        let found = oona.get(&console(&world, &format!("users?group={second}"))).await;
        assert!(
            found.body.contains("ada") && found.body.contains("linus") && !found.body.contains("barbara"),
            "{on:?}"
        );
        let page = oona.get(&console(&world, &format!("groups/{second}"))).await;
        let question = oona.press(&page, "remove-group", &[]).await;
        assert_eq!(question.title(), "Remove the group Second wave?", "{on:?}: it is asked first: {}", question.body);
        assert!(question.body.contains("2 people are in it"), "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert_eq!((back.title().as_str(), world.events("group_removed").await), ("Group Second wave", 0), "{on:?}");
        let removed = oona.press(&question, "sure", &[]).await;
        assert!(removed.body.contains("The group was removed"), "{on:?}");
        world.stop().await;
    }
}

/// T17, R-579: a file is handed in, looked at dry, and stored; each line has its result.
#[actix_web::test]
async fn a_file_of_people_is_handed_in() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "import").await;
        let token = csrf(&seen);
        let table = "username,email,groups\nada,ada@acme.test,pilot\nnewton,newton@acme.test,physics\nbad,nobody,\n";
        for (really, created, people) in [("no", "would be created", 6), ("yes", "created", 7)] {
            let body = format!(
                "--X\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--X\r\nContent-Disposition: form-data; \
                 name=\"really\"\r\n\r\n{really}\r\n--X\r\nContent-Disposition: form-data; name=\"groups\"\r\n\r\ncreate\r\n\
                 --X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\nContent-Type: \
                 text/csv\r\n\r\n{table}\r\n--X--\r\n"
            );
            let seen = oona.upload(&console(&world, "import"), "multipart/form-data; boundary=X", body).await;
            let seen = over(&world, &mut oona, seen).await;
            assert!(
                seen.body.contains("<td>unchanged</td>") && seen.body.contains(&format!("<td>{created}</td>")),
                "{on:?}"
            );
            assert!(seen.body.contains("the address is not a mail address"), "{on:?}: {}", seen.body);
            assert_eq!(world.number("SELECT COUNT(*) AS n FROM user_account").await, people, "{on:?}");
        }
        // What cannot be read is told at once.
        let fields = [("text", "shoe size\n42"), ("existing", "keep"), ("groups", "create"), ("really", "yes")];
        let seen = post(&world, &mut oona, &seen, "import", &fields).await;
        assert!(seen.body.contains("The file cannot be read"), "{on:?}: {}", seen.body);
        // What was chosen stays: with the next file, accounts would otherwise become what it says.
        for chosen in ["#keep[checked]", "#create[checked]", "#really[checked]"] {
            assert!(seen.find(chosen).is_some(), "{on:?}: {chosen}: {}", seen.body);
        }
        world.stop().await;
    }
}

/// T3, T4, R-346, R-347, R-354 to: authenticators, one and many.
#[actix_web::test]
async fn tokens_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "tokens?user=linus").await;
        assert!(seen.body.contains("oath_app"), "{on:?}");
        let counted = oona.get(&console(&world, "tokens/snapshot")).await;
        assert!(counted.body.contains("oath_app") && counted.body.contains("suspended"), "{on:?}: R-356");
        let serial = world
            .text(
                "SELECT serial AS t FROM token WHERE user_id IN (SELECT id FROM user_account WHERE username = 'linus')",
            )
            .await;
        let seen = oona.get(&console(&world, &format!("tokens/{serial}"))).await;
        assert!(seen.body.contains("Template version") && seen.body.contains("Enrolled by"), "{on:?}: R-355");
        assert!(!seen.body.contains("JBSWY3DP"), "{on:?}: T-62");
        let seen = oona.press(&seen, "rename", &[("name", "Old phone")]).await;
        assert!(seen.body.contains("Old phone"), "{on:?}");
        let first = passcode_of_linus(&world);
        world.advance(30);
        let second = passcode_of_linus(&world);
        let seen = oona.press(&seen, "synchronize", &[("first", &first), ("second", &second)]).await;
        assert!(seen.body.contains("The authenticator is synchronized"), "{on:?}: {}", seen.body);
        let stale = seen.clone();
        // The button that stops it says so itself; the page posts where it leads.
        let seen = post(&world, &mut oona, &seen, &format!("tokens/{serial}/suspend"), &[("reason", "lost?")]).await;
        assert_eq!(seen.find("[data-token-state]").as_deref(), Some("suspended"), "{on:?}: {}", seen.body);
        let late = post(&world, &mut oona, &stale, &format!("tokens/{serial}/suspend"), &[]).await;
        assert!(late.body.contains("is suspended; that cannot be done to it"), "{on:?}: R-040: {}", late.body);
        let seen = post(&world, &mut oona, &seen, &format!("tokens/{serial}/reactivate"), &[]).await;
        assert_eq!(seen.find("[data-token-state]").as_deref(), Some("active"), "{on:?}");

        // Revoking many wants a fresh passcode.
        let id = world
            .text("SELECT id AS t FROM token WHERE user_id IN (SELECT id FROM user_account WHERE username = 'linus')")
            .await;
        world.advance(400);
        let list = oona.get(&console(&world, "tokens")).await;
        let fields = [("token", id.as_str()), ("disposition", "lost"), ("reason", "gone")];
        let asked = post(&world, &mut oona, &list, "tokens/selection/revoke", &fields).await;
        let seen = step_up(&world, &mut oona, &asked, "oona").await;
        assert_eq!(seen.title(), "Tokens", "{on:?}: R-021: {}", seen.body);
        let question = post(&world, &mut oona, &seen, "tokens/selection/revoke", &fields).await;
        assert_eq!(question.title(), "Revoke one authenticator?", "{on:?}: it is asked first: {}", question.body);
        // So it is before an operator is removed, who may be oneself.
        let own = format!("operators/{}/remove", id_of(&world, "oona").await);
        let own = post(&world, &mut oona, &seen, &own, &[]).await;
        assert!(own.title().starts_with("Remove oona") && own.body.contains("This is you"), "{on:?}: {}", own.body);
        assert_eq!(oona.get(&own.link("back")).await.title(), "Operators and roles", "{on:?}: nothing was done yet");
        let job = oona.press(&question, "sure", &[]).await;
        let job = over(&world, &mut oona, job).await;
        assert!(job.body.contains("<td>revoked</td>"), "{on:?}: {}", job.body);
        let results = oona.get(&format!("{}/results.csv", job.url.split('?').next().unwrap())).await;
        assert!(results.body.starts_with("number,name,result,detail"), "{on:?}: {}", results.body);
        // whoever has left the page of a job finds it again, from each list that begins jobs.
        for list in ["tokens", "users", "provisioning"] {
            let list = oona.get(&console(&world, list)).await;
            let jobs = oona.get(&list.link("jobs")).await;
            let here = job.url.split('?').next().unwrap().rsplit('/').next().unwrap();
            assert!(jobs.title() == "Jobs" && jobs.body.contains(here), "{on:?}: {}", jobs.body);
        }
        world.stop().await;
    }
}

/// T11 to T13, R-181, R-185, R-186, R-191 to R-193: mails are sent by a job, tasks are moved and removed, rules are kept.
#[actix_web::test]
async fn enrollment_by_mail_at_the_console() {
    for on in BOTH {
        let world = staffed(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"silent\"\nfirst_name = \"No\"\nlast_name = \"Mail\"\n").await;
        let (ada, silent) = (id_of(&world, "ada").await, id_of(&world, "silent").await);
        let (mut oona, seen) = at_console(&world, "oona", "users").await;
        let seen = post(&world, &mut oona, &seen, "provision/selection", &[("user", &ada), ("user", &silent)]).await;
        assert!(seen.body.contains("No mail can be sent to") && seen.body.contains("silent"), "{on:?}: {}", seen.body);
        let wrong = oona.press(&seen, "provision", &[("names", "stranger"), ("days", "1000")]).await;
        assert!(wrong.body.contains("There is no account called stranger") && wrong.body.contains("1 to 90"), "{on:?}");
        let fields = [
            ("user", ada.as_str()),
            ("user", &silent),
            ("days", "5"),
            ("comment", "first wave"),
            ("token_type", "app"),
        ];
        let job = post(&world, &mut oona, &seen, "provision", &fields).await;
        let job = over(&world, &mut oona, job).await;
        assert!(
            job.body.contains("<td>sent</td>") && job.body.contains("has no email address"),
            "{on:?}: {}",
            job.body
        );
        world.mail("ada@acme.test", 1).await;
        let tasks = oona.get(&console(&world, "provisioning")).await;
        assert!(tasks.body.contains("first wave") && tasks.body.contains("oona"), "{on:?}: {}", tasks.body);
        let number = world.number("SELECT number AS n FROM provisioning_task").await;
        let seen = oona.get(&console(&world, &format!("provisioning/{number}"))).await;
        let wrong = oona.press(&seen, "set-stop", &[("stop", "yesterday")]).await;
        assert!(wrong.body.contains("Stop date: a day"), "{on:?}");
        let far = world.clock_now().plus(std::time::Duration::from_secs(20 * 86_400)).rfc3339();
        let seen = oona.press(&seen, "set-stop", &[("stop", &far[..10])]).await;
        assert!(
            seen.body.contains("The stop date was moved") && seen.body.contains(&far[..10]),
            "{on:?}: {}",
            seen.body
        );
        let job = post(&world, &mut oona, &seen, &format!("provisioning/{number}/resend"), &[("user", &ada)]).await;
        let job = over(&world, &mut oona, job).await;
        assert!(job.body.contains("<td>sent</td>"), "{on:?}: {}", job.body);
        world.mail("ada@acme.test", 2).await;
        let task = oona.get(&console(&world, &format!("provisioning/{number}"))).await;
        let question = oona.press(&task, "remove-task", &[]).await;
        let asked = format!("Remove the provisioning task {number}?");
        assert_eq!(question.title(), asked, "{on:?}: it is asked first: {}", question.body);
        assert!(question.body.contains("One person in it is still to enroll"), "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.has_action("remove-task"), "{on:?}: and is still there: {}", back.body);
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(
            seen.body.contains("The task was removed") && !seen.body.contains("first wave"),
            "{on:?}: {}",
            seen.body
        );

        // A rule sends mails to whoever is in its groups or enters them, which is said before it is saved.
        let seen = oona.get(&console(&world, "provisioning-rules/new")).await;
        assert!(seen.body.contains("gets a mail soon after the rule is saved"), "{on:?}: {}", seen.body);
        let wrong = oona.press(&seen, "save-rule", &[("name", "Newcomers"), ("enabled", "yes")]).await;
        assert!(wrong.body.contains("Choose at least one group") && wrong.body.contains("Newcomers"), "{on:?}");
        let config = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let pilot = config.config.groups[0].id.to_string();
        let fields = [("name", "Newcomers"), ("enabled", "yes"), ("groups", pilot.as_str())];
        let seen = oona.press(&wrong, "save-rule", &fields).await;
        assert!(seen.body.contains("The rule was saved") && seen.body.contains("Newcomers"), "{on:?}: {}", seen.body);
        let late = oona.press(&wrong, "save-rule", &[("name", "Others"), ("enabled", "yes"), ("groups", &pilot)]).await;
        assert!(late.body.contains("changed the settings meanwhile"), "{on:?}: R-040: {}", late.body);
        let rule = oona.get(&seen.find_link("th a").unwrap()).await;
        let question = oona.press(&rule, "remove-rule", &[]).await;
        assert_eq!(question.title(), "Remove the provisioning rule Newcomers?", "{on:?}: {}", question.body);
        assert!(question.body.contains("gets no mail by it any more: pilot."), "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert_eq!(back.title(), "Provisioning rule Newcomers", "{on:?}: and is still there: {}", back.body);
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(
            seen.body.contains("The rule was removed") && !seen.body.contains("Newcomers"),
            "{on:?}: {}",
            seen.body
        );
        world.stop().await;
    }
}

/// a place in a task and the codes of a person are taken away after a question only.
#[actix_web::test]
async fn what_helps_a_person_is_taken_away_after_a_question() {
    for on in BOTH {
        let world = staffed(on).await;
        let ada = id_of(&world, "ada").await;
        let (mut oona, seen) = at_console(&world, "oona", "users").await;
        let fields = [("user", ada.as_str()), ("days", "5"), ("token_type", "app")];
        let job = post(&world, &mut oona, &seen, "provision", &fields).await;
        over(&world, &mut oona, job).await;
        let number = world.number("SELECT number AS n FROM provisioning_task").await;
        let person = oona.get(&console(&world, &format!("users/{ada}"))).await;
        let question = oona.press(&person, "withdraw", &[]).await;
        let asked = format!("Take ada out of the provisioning task {number}?");
        assert_eq!(question.title(), asked, "{on:?}: it is asked first: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.has_action("withdraw"), "{on:?}: and the place is still there: {}", back.body);
        assert_eq!(world.events("reservation_removed").await, 0, "{on:?}");
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("was taken out of the task") && !seen.has_action("withdraw"), "{on:?}");
        assert_eq!(world.events("reservation_removed").await, 1, "{on:?}");

        let open = "SELECT COUNT(*) AS n FROM help_desk_code WHERE state = 'open'";
        let seen = oona.press(&seen, "make-codes", &[("count", "2"), ("hours", "1")]).await;
        let question = oona.press(&seen, "void-codes", &[]).await;
        assert_eq!(question.title(), "Void every code and pass of ada?", "{on:?}: {}", question.body);
        assert_eq!(world.number(open).await, 2, "{on:?}: it is asked first");
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("Every recovery code, temporary code and pass is void."), "{on:?}: {}", seen.body);
        assert_eq!((world.number(open).await, world.events("recovery_codes_voided").await), (0, 1), "{on:?}");
        world.stop().await;
    }
}

/// what the pages do, programs do; versions as entity tags, jobs with results.
#[actix_web::test]
async fn people_through_the_api() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let get = async |path: &str| call(&world, &key, Method::GET, path, None).await;
        let (status, page) = get("users?username=*a&limit=2").await;
        assert_eq!((status, page["items"].as_array().unwrap().len()), (200, 2), "{on:?}: {page}");
        let next = page["next"].as_str().unwrap().to_owned();
        let (_, page) = get(&format!("users?username=*a&limit=2&after={next}")).await;
        assert_eq!(page["items"][0]["username"], "barbara", "{on:?}: {page}");
        for bad in [
            "users?account=asleep",
            "users?sort=age",
            "users?limit=0",
            "users?shoe=42",
            "jobs?after=x",
            "tokens?state=x",
        ] {
            let (status, body) = get(bad).await;
            assert_eq!((status, &body["code"]), (400, &json!("malformed")), "{on:?}: {bad}: {body}");
        }

        let new =
            json!({ "username": "grace", "email": "grace@acme.test", "first_name": "Grace", "last_name": "Hopper" });
        let (status, made) = call(&world, &key, Method::POST, "users", Some(new.clone())).await;
        assert_eq!((status, &made["account"]), (201, &json!("enabled")), "{on:?}: {made}");
        let (status, taken) = call(&world, &key, Method::POST, "users", Some(new)).await;
        assert_eq!((status, &taken["errors"][0]["field"]), (422, &json!("username")), "{on:?}: {taken}");
        let path = format!("users/{}", made["id"].as_str().unwrap());
        let (_, tag, _) = call_with(&world, &key, Method::GET, &path, None, None).await;
        let draft =
            json!({ "username": "grace", "email": "hopper@acme.test", "first_name": "Grace", "last_name": "Hopper" });
        let put =
            async |tag: Option<&str>| call_with(&world, &key, Method::PUT, &path, Some(draft.clone()), tag).await.0;
        assert_eq!((put(None).await, put(Some(&tag)).await, put(Some(&tag)).await), (428, 200, 412), "{on:?}: R-040");

        let (status, group) = call(&world, &key, Method::POST, "groups", Some(json!({ "name": "Navy" }))).await;
        assert_eq!(status, 201, "{on:?}: {group}");
        let (ada, linus) = (id_of(&world, "ada").await, id_of(&world, "linus").await);
        let wanted = json!({ "users": [ada, linus, "aaaaaaaaaaaaaaaaaaaaaaaaaa"], "group": group["id"] });
        let (status, begun) = call(&world, &key, Method::POST, "user-jobs/enter", Some(wanted)).await;
        assert_eq!(status, 202, "{on:?}: {begun}");
        let job = begun["job"].as_str().unwrap().to_owned();
        loop {
            jobs::round(&world.site.house).await.unwrap();
            let (_, seen) = get(&format!("jobs/{job}")).await;
            if seen["state"] == "done" {
                assert_eq!((&seen["done"], &seen["failed"]), (&json!(3), &json!(1)), "{on:?}: {seen}");
                break;
            }
        }
        let (_, results) = get(&format!("jobs/{job}/results")).await;
        assert_eq!(results["items"][0]["result"], "added", "{on:?}: {results}");
        let path = format!("groups/{}", group["id"].as_str().unwrap());
        let (_, tag, seen) = call_with(&world, &key, Method::GET, &path, None, None).await;
        assert_eq!(seen["members"], 2, "{on:?}: {seen}");
        assert_eq!(call_with(&world, &key, Method::DELETE, &path, None, Some(&tag)).await.0, 204, "{on:?}");
        let (_, pilots) = get("groups?name=pilot").await;
        let pilot = format!("groups/{}", pilots["items"][0]["id"].as_str().unwrap());
        let (_, tag, _) = call_with(&world, &key, Method::GET, &pilot, None, None).await;
        let (status, _, used) = call_with(&world, &key, Method::DELETE, &pilot, None, Some(&tag)).await;
        assert_eq!((status, &used["code"]), (409, &json!("group.in_use")), "{on:?}: {used}");

        // Tokens, and that nothing secret is told (T-58).
        let (_, counts) = get("tokens/counts").await;
        assert!(counts["items"].as_array().unwrap().iter().any(|one| one["state"] == "active"), "{on:?}: {counts}");
        let (_, owned) = get("tokens?user=linus").await;
        let serial = owned["items"][0]["serial"].as_str().unwrap().to_owned();
        let (_, token) = get(&format!("tokens/{serial}")).await;
        assert!(
            token["details"]["template_version"].is_number() && !token.to_string().contains("secret"),
            "{on:?}: {token}"
        );
        let revoke = json!({ "reason": "lost", "disposition": "lost" });
        let path = format!("tokens/{serial}/revoke");
        let (status, token) = call(&world, &key, Method::POST, &path, Some(revoke.clone())).await;
        assert_eq!((status, &token["state"]), (200, &json!("revoked")), "{on:?}: {token}");
        let (status, again) = call(&world, &key, Method::POST, &path, Some(revoke)).await;
        assert_eq!((status, &again["code"]), (409, &json!("token.refused")), "{on:?}: {again}");

        // Erasing, and who is protected from it (AC-51).
        let path = format!("users/{}", made["id"].as_str().unwrap());
        assert_eq!(call(&world, &key, Method::DELETE, &path, None).await.0, 204, "{on:?}");
        assert_eq!(get(&path).await.0, 404, "{on:?}");
        let oona = format!("users/{}", id_of(&world, "oona").await);
        let (status, last) = call(&world, &key, Method::DELETE, &oona, None).await;
        assert_eq!((status, &last["code"]), (409, &json!("user.protected")), "{on:?}: {last}");
        world.stop().await;
    }
}

/// an operator ends one session of a person or all of them, at the console and through the API, and the browser that
/// had it is asked to log in again.
#[actix_web::test]
async fn sessions_of_people_are_ended() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::HelpDesk).await;
        let hedy_id = id_of(&world, "hedy").await;
        let (mut oona, _) = at_console(&world, "oona", "users").await;
        let page = console(&world, &format!("users/{hedy_id}"));
        let sessions = format!("users/{hedy_id}/sessions");
        let open = async || call(&world, &key, Method::GET, &sessions, None).await.1["items"].as_array().unwrap().len();
        let inside = async |visitor: &mut Visitor| visitor.get(&console(&world, "users")).await.title() != "Log in";
        let (mut first, _) = at_console(&world, "hedy", "users").await;
        let (mut second, _) = at_console(&world, "hedy", "users").await;
        assert!(open().await == 2 && inside(&mut first).await && inside(&mut second).await, "{on:?}");
        let (_, told) = call(&world, &key, Method::GET, &sessions, None).await;
        let newest = told["items"].as_array().unwrap().iter().max_by_key(|one| one["started_at"].as_str()).unwrap();
        let one = format!("sessions/{}", newest["id"].as_str().unwrap());
        assert_eq!(call(&world, &key, Method::DELETE, &one, None).await.0, 204, "{on:?}");
        assert!(inside(&mut first).await && !inside(&mut second).await && open().await == 1, "{on:?}: one of them");
        let seen = oona.get(&page).await;
        let seen = oona.press(&seen, "end-sessions", &[]).await;
        assert!(seen.body.contains("The sessions have ended"), "{on:?}: {}", seen.body);
        assert!(!inside(&mut first).await && open().await == 0, "{on:?}: all of them");
        let (mut third, _) = at_console(&world, "hedy", "users").await;
        assert!(inside(&mut third).await, "{on:?}");
        assert_eq!(call(&world, &key, Method::DELETE, &sessions, None).await.0, 204, "{on:?}");
        assert!(!inside(&mut third).await, "{on:?}");
        assert_eq!(world.events("session_ended").await, 3, "{on:?}");
        world.stop().await;
    }
}

/// AC-36, AC-52, T-22: what people are called is text, wherever it is shown.
#[actix_web::test]
async fn names_are_text() {
    let world = staffed(On::Sqlite).await;
    let bad = "<script>alert(1)</script>";
    world
        .apply(&format!(
            "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"{bad}\"\n[[tenant.user]]\nusername = \"{bad}\"\n\
             email = \"x@acme.test\"\nfirst_name = \"{bad}\"\nlast_name = \"=cmd|' /C calc'!A0\"\ngroups = [\"{bad}\"]\n"
        ))
        .await;
    let id = id_of(&world, bad).await;
    let (mut oona, seen) = at_console(&world, "oona", "users").await;
    let (user, group) =
        (oona.get(&console(&world, &format!("users/{id}"))).await, oona.get(&console(&world, "groups")).await);
    let job = post(&world, &mut oona, &seen, "users/selection/unlock", &[("user", &id)]).await;
    let job = over(&world, &mut oona, job).await;
    for page in [&seen, &user, &group, &job] {
        assert!(page.body.contains("&#60;script&#62;") && !page.body.contains("<script>"), "{}", page.body);
    }
    world.stop().await;
}

/// Keeps the service from working on jobs, so that a story can give them their turns.
pub async fn by_hand(world: &World) {
    let (owner, now) = (world.site.house.entropy.id(), world.clock_now());
    // Longer than any story. One of more than an hour would pass for a wrong clock's, and the service would take it.
    let half_an_hour = std::time::Duration::from_secs(30 * 60);
    let mine = async |connection: &mut _| {
        vestibule::storage::leases::acquire(connection, "jobs", owner, now, half_an_hour).await
    };
    // Nothing is done yet, so nobody has it.
    assert!(world.site.house.db.write(mine).await.unwrap());
}

/// T-57: work goes on by itself, and no longer than whoever began it may do it: a role, an account or a key that is taken away in the
/// middle of it stops it, and it is told why. What was done stays, and the trail has it.
#[actix_web::test]
async fn work_ends_with_the_permission_of_whoever_began_it() {
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let (tenant, db) = (world.tenant().await, &world.site.house.db);
        crate::crowd::fill(db, tenant, (120, 0), world.clock_now(), |_| {}).await.unwrap();
        world.site.house.forget_realms();
        let people: Vec<String> = (0..120).map(|at| crate::crowd::person_id(at).to_string()).collect();
        let everybody: Vec<(&str, &str)> = people.iter().map(|id| ("user", id.as_str())).collect();
        let key = key(&world, Role::Operator).await;
        let (mut oona, _) = at_console(&world, "oona", "users").await;
        for (what, said) in [
            ("role", "the role of whoever began it does not permit it any more"),
            ("operator", "whoever began it is not an operator any more"),
            ("account", "the account of whoever began it may not be used any more"),
            ("key", "the key with which it was begun was revoked or has ended"),
        ] {
            let stopped = world.events("job_cancelled").await;
            let path = if what == "key" {
                let wanted = json!({ "users": people });
                let (status, begun) = call(&world, &key, Method::POST, "user-jobs/unlock", Some(wanted)).await;
                assert_eq!(status, 202, "{on:?}: {begun}");
                format!("jobs/{}", begun["job"].as_str().unwrap())
            } else {
                world.command(&["operator", "add", "hedy", "--role", "Help desk"]);
                world.execute("UPDATE user_account SET status = 'enabled' WHERE username = ?", "hedy").await;
                world.site.house.forget_realms();
                let (mut hedy, seen) = at_console(&world, "hedy", "users").await;
                let job = post(&world, &mut hedy, &seen, "users/selection/unlock", &everybody).await;
                assert_eq!(job.status, 200, "{on:?}: {}", job.body);
                job.url.split("/operator/").nth(1).unwrap().split('?').next().unwrap().to_owned()
            };
            assert_eq!(jobs::round(&world.site.house).await.unwrap(), 50, "{on:?}: {what}: a first turn");
            match what {
                "role" => drop(world.command(&["operator", "add", "hedy", "--role", "Auditor"])),
                "operator" => drop(world.command(&["operator", "remove", "hedy"])),
                "account" => {
                    world.execute("UPDATE user_account SET status = 'disabled' WHERE username = ?", "hedy").await;
                }
                _ => {
                    let (_, keys) = call(&world, &key, Method::GET, "api-keys", None).await;
                    let id = keys["items"][0]["id"].as_str().unwrap().to_owned();
                    let (status, _) = call(&world, &key, Method::DELETE, &format!("api-keys/{id}"), None).await;
                    assert_eq!(status, 204, "{on:?}");
                }
            }
            assert_eq!(jobs::round(&world.site.house).await.unwrap(), 0, "{on:?}: {what}: no second one");
            let seen = oona.get(&console(&world, &path)).await;
            assert_eq!(seen.find("[data-job-state]").as_deref(), Some("stopped"), "{on:?}: {what}: {}", seen.body);
            let told = seen.find("[data-job-error]").unwrap_or_default();
            assert!(told.contains(said), "{on:?}: {what}: {told}");
            assert!(seen.body.contains("50 of 120"), "{on:?}: {what}: what was done stays: {}", seen.body);
            assert_eq!(world.events("job_cancelled").await, stopped + 1, "{on:?}: {what}");
        }
        let left = world.number("SELECT COUNT(*) AS n FROM job_row WHERE input IS NOT NULL").await;
        assert_eq!(left, 0, "{on:?}: what would have been done is forgotten");
        world.stop().await;
    }
}

/// whoever began a job stops it, under another user name, too; nobody else does, whatever the role permits.
#[actix_web::test]
async fn a_job_is_stopped_by_whoever_began_it() {
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let (mut oona, seen) = at_console(&world, "oona", "users").await;
        let id = id_of(&world, "linus").await;
        let job = post(&world, &mut oona, &seen, "users/selection/unlock", &[("user", &id)]).await;
        assert!(job.has_action("cancel-job"), "{on:?}: {}", job.body);
        let path = job.url.split("/operator/").nth(1).unwrap().split('?').next().unwrap().to_owned();
        let cancel = format!("{path}/cancel");
        let (mut hedy, seen) = at_console(&world, "hedy", "users").await;
        let shown = hedy.get(&console(&world, &path)).await;
        assert!(shown.status == 200 && !shown.has_action("cancel-job"), "{on:?}: {}", shown.body);
        let refused = post(&world, &mut hedy, &seen, &cancel, &[]).await;
        assert_eq!((refused.status, world.events("job_cancelled").await), (403, 0), "{on:?}: {}", refused.body);
        // Somebody else has the name by now that she had.
        world.execute("UPDATE user_account SET username = ? WHERE username = 'oona'", "una").await;
        world.execute("UPDATE user_account SET username = ? WHERE username = 'hedy'", "oona").await;
        world.site.house.forget_realms();
        let refused = post(&world, &mut hedy, &seen, &cancel, &[]).await;
        assert_eq!((refused.status, world.events("job_cancelled").await), (403, 0), "{on:?}: {}", refused.body);
        let shown = oona.get(&console(&world, &path)).await;
        assert!(shown.has_action("cancel-job"), "{on:?}: {}", shown.body);
        let stopped = oona.press(&shown, "cancel-job", &[]).await;
        assert_eq!((stopped.status, world.events("job_cancelled").await), (200, 1), "{on:?}: {}", stopped.body);
        world.stop().await;
    }
}

/// A form with a file, as browsers send it.
fn with_file(fields: &[(&str, &str)], name: &str, file: &str) -> String {
    let mut body = String::new();
    for (field, value) in fields {
        body += &format!("--X\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
    }
    body + &format!(
        "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/xml\r\n\r\n\
         {file}\r\n--X--\r\n"
    )
}

/// R-363 at the console and for programs: a maker's container is opened with its key or password, looked at and stored; each record
/// that is not taken has its line. No secret lies in the rows of the job in the clear, and none is left there.
#[actix_web::test]
async fn a_container_of_tokens_is_handed_in() {
    let corpus = |name: &str| {
        std::fs::read_to_string(format!("{}/tests/corpus/import/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let (shared, plain, locked) =
        (corpus("pre-shared.pskc.xml"), corpus("plain.pskc.xml"), corpus("password.pskc.xml"));
    let hex = "12345678901234567890123456789012";
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let (mut oona, seen) = at_console(&world, "oona", "tokens/import").await;
        let csrf = csrf(&seen);
        let url = console(&world, "tokens/import");
        let kind = "multipart/form-data; boundary=X";
        // Without the key, with none that is one, and with a wrong password: told at the field.
        for (more, said) in [
            (("key", ""), "The file cannot be read"),
            (("key", "no key"), "128, 192 or 256 bits"),
            (("password", "wrong"), "The file cannot be read"),
        ] {
            let file = if more.0 == "password" { &locked } else { &shared };
            let body = with_file(&[("csrf", &csrf), more], "t.xml", file);
            let seen = oona.upload(&url, kind, body).await;
            assert!(seen.body.contains(said), "{on:?}: {more:?}: {}", seen.body);
        }
        let oath = "SELECT COUNT(*) AS n FROM token WHERE kind = 'oath'";
        for (really, stored, told) in [("no", 0, "<td>would be stocked</td>"), ("yes", 1, "<td>stocked</td>")] {
            let body = with_file(&[("csrf", &csrf), ("key", hex), ("really", really)], "t.xml", &shared);
            let seen = oona.upload(&url, kind, body).await;
            assert!(seen.title().starts_with("Import of tokens"), "{on:?}: {}", seen.body);
            let kept = world.text("SELECT input AS t FROM job_row WHERE input IS NOT NULL").await;
            assert!(kept.contains("987654321") && !kept.contains("3132333435"), "{on:?}: sealed: {kept}");
            assert!(!kept.contains("MTIzNDU2Nzg5MDEyMzQ1Njc4OTA="), "{on:?}: sealed: {kept}");
            let seen = over(&world, &mut oona, seen).await;
            assert!(seen.body.contains(told), "{on:?}: {}", seen.body);
            assert_eq!(world.number(oath).await, stored, "{on:?}");
        }
        let left = world.number("SELECT COUNT(*) AS n FROM job_row WHERE input IS NOT NULL").await;
        assert_eq!(left, 0, "{on:?}");

        // A program hands in another one: a record is there already, the other is somebody's.
        let key = key(&world, Role::Operator).await;
        let (status, wrong) =
            call(&world, &key, Method::POST, "import/tokens", Some(json!({ "file": shared, "key": "x" }))).await;
        assert_eq!((status, &wrong["errors"][0]["field"]), (422, &json!("key")), "{on:?}: {wrong}");
        let wanted = json!({ "file": plain, "assign": true });
        let (status, begun) = call(&world, &key, Method::POST, "import/tokens", Some(wanted)).await;
        assert_eq!(status, 202, "{on:?}: {begun}");
        while jobs::round(&world.site.house).await.unwrap() > 0 {}
        let job = begun["job"].as_str().unwrap();
        let (_, seen) = call(&world, &key, Method::GET, &format!("jobs/{job}"), None).await;
        assert_eq!((&seen["state"], &seen["work"]), (&json!("done"), &json!("import_tokens")), "{on:?}: {seen}");
        let (_, results) = call(&world, &key, Method::GET, &format!("jobs/{job}/results"), None).await;
        let outcomes: Vec<&str> =
            results["items"].as_array().unwrap().iter().map(|one| one["result"].as_str().unwrap()).collect();
        assert!(outcomes.contains(&"failed") && outcomes.contains(&"given"), "{on:?}: {results}");
        assert!(world.events("token_imported").await >= 2, "{on:?}");
        world.stop().await;
    }
}

/// T-73, R-603: lists are taken out as files, as narrow as the page shows them, by whoever may; it stands in the trail, without what
/// was looked for. Programs get the same.
#[actix_web::test]
async fn lists_are_taken_out_as_files() {
    for on in BOTH {
        let world = staffed(on).await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"eve\"\nemail = \"eve@acme.test\"\n\
                 first_name = \"=1+1\"\nlast_name = \"Eve\"\n",
            )
            .await;
        let (tenant, db) = (world.tenant().await, &world.site.house.db);
        crate::crowd::fill(db, tenant, (1200, 0), world.clock_now(), |_| {}).await.unwrap();
        world.site.house.forget_realms();
        let before = world.events("list_exported").await;
        let (mut oona, seen) = at_console(&world, "oona", "users?username=e").await;
        let file = oona.get(&seen.link("export-csv")).await;
        assert!(file.body.starts_with("username,email,first_name,"), "{on:?}: {}", file.body);
        assert!(file.body.contains("\neve,eve@acme.test,'=1+1,Eve,"), "{on:?}: T-73: {}", file.body);
        assert!(!file.body.contains("\nada,"), "{on:?}: narrowed");
        let disposition = file.headers.get("content-disposition").unwrap().to_str().unwrap().to_owned();
        assert!(disposition.contains("users-acme.csv"), "{on:?}: {disposition}");
        // All pages, not one.
        let whole = oona.get(&console(&world, "users/export/csv")).await;
        assert_eq!(whole.body.lines().count(), 1 + 1200 + 7, "{on:?}");
        let tokens = oona.get(&console(&world, "tokens/export/json?state=active")).await;
        let tokens: Value = serde_json::from_str(&tokens.body).unwrap();
        let tokens = tokens.as_array().unwrap();
        assert!(tokens.len() > 900 && tokens.iter().all(|token| token["state"] == "active"), "{on:?}");
        assert_eq!(oona.get(&console(&world, "users/export/xls")).await.status, 404, "{on:?}");
        assert_eq!(world.events("list_exported").await, before + 3, "{on:?}");
        let trail = world.column("SELECT detail AS it FROM audit_event WHERE action = 'list_exported'").await;
        assert!(trail.iter().any(|detail| detail.contains("\"username\"")), "{on:?}: {trail:?}");

        let key = key(&world, Role::Operator).await;
        let (status, file) = call(&world, &key, Method::GET, "users/export/csv?username=e", None).await;
        assert_eq!(status, 200, "{on:?}");
        assert!(file.as_str().unwrap().contains("\neve,eve@acme.test,'=1+1,Eve,"), "{on:?}: {file}");
        let (status, file) = call(&world, &key, Method::GET, "tokens/export/json?state=locked", None).await;
        assert!(status == 200 && file.is_array(), "{on:?}: {file}");
        for path in ["access-log/export/csv?result=success", "audit-log/export/json", "reports/tokens/csv"] {
            assert_eq!(call(&world, &key, Method::GET, path, None).await.0, 200, "{on:?}: {path}");
        }
        for (path, expected) in [
            ("users/export/csv?limit=1", 400),
            ("access-log/export/csv?shoes=1", 400),
            ("audit-log/export/csv?from=soon", 400),
            ("reports/shoes/csv", 404),
            ("tokens/export/xls", 404),
        ] {
            assert_eq!(call(&world, &key, Method::GET, path, None).await.0, expected, "{on:?}: {path}");
        }
        world.stop().await;
    }
}

/// at the console: the secrets of tokens take two operators, a fresh passcode each time, and are encrypted; whoever asks
/// cannot approve, and the file can be taken once. The file opens elsewhere.
#[actix_web::test]
async fn secrets_of_tokens_take_two_operators() {
    for on in BOTH {
        let world = staffed(on).await;
        world.command(&["operator", "add", "hedy", "--role", "Operator"]);
        world.site.house.forget_realms();
        let (mut oona, seen) = at_console(&world, "oona", "tokens/exports").await;
        let seen = oona.press(&seen, "ask-export", &[("user", "nobody")]).await;
        assert!(seen.body.contains("None of these tokens has a secret"), "{on:?}: {}", seen.body);
        let seen = oona.press(&seen, "ask-export", &[("user", "linus"), ("kind", "oath_app")]).await;
        assert!(seen.body.contains("Another operator must approve it"), "{on:?}: {}", seen.body);
        assert!(!seen.has_action("approve-export") && !seen.has_action("take-export"), "{on:?}: {}", seen.body);
        let id = world.text("SELECT id AS t FROM token_export").await;
        let approve = format!("tokens/exports/{id}/approve");
        let own = post(&world, &mut oona, &seen, &approve, &[]).await;
        assert!(own.body.contains("another operator must approve it"), "{on:?}: {}", own.body);
        let early =
            post(&world, &mut oona, &seen, &format!("tokens/exports/{id}/file"), &[("password", "a long one")]).await;
        assert!(early.body.contains("no other operator has approved it"), "{on:?}: {}", early.body);

        let (mut hedy, seen) = at_console(&world, "hedy", "tokens/exports").await;
        let seen = hedy.press(&seen, "approve-export", &[]).await;
        assert!(seen.body.contains("It was approved"), "{on:?}: {}", seen.body);
        let foreign = post(&world, &mut hedy, &seen, &format!("tokens/exports/{id}/file"), &[("password", "p")]).await;
        assert!(foreign.body.contains("asked for it, and must carry it out"), "{on:?}: {}", foreign.body);

        // Not with a passcode of half an hour ago.
        world.advance(1800);
        let seen = oona.get(&console(&world, "tokens/exports")).await;
        let asked = oona.press(&seen, "take-export", &[("password", "a long password")]).await;
        let seen = step_up(&world, &mut oona, &asked, "oona").await;
        assert!(seen.has_action("take-export"), "{on:?}: {}", seen.body);
        let bare = oona.press(&seen, "take-export", &[]).await;
        assert!(bare.body.contains("encrypted only"), "{on:?}: {}", bare.body);
        let file = oona.press(&seen, "take-export", &[("password", "a long password")]).await;
        assert!(file.body.contains("KeyContainer") && !file.body.contains("JBSWY3DP"), "{on:?}: {}", file.body);
        assert_eq!(file.headers.get("cache-control").unwrap(), "no-store", "{on:?}");
        let password = vestibule::domain::secret::SecretString::from("a long password".to_owned());
        let protection = vestibule::exchange::pskc::Protection::Password(password);
        let read = vestibule::exchange::pskc::read(file.body.as_bytes(), Some(&protection), world.clock_now()).unwrap();
        let token = read.tokens[0].as_ref().unwrap();
        assert_eq!(token.user.as_deref(), Some("linus"), "{on:?}");
        let again = post(&world, &mut oona, &seen, &format!("tokens/exports/{id}/file"), &[("password", "p")]).await;
        assert!(again.body.contains("it was carried out before"), "{on:?}: {}", again.body);
        for action in ["token_export_requested", "token_export_approved", "tokens_exported"] {
            assert_eq!(world.events(action).await, 1, "{on:?}: {action}");
        }
        world.stop().await;
    }
}
