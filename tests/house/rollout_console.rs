//! The rollout and the funnel at the console and through the management API.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::gates::set;
use crate::story::{PASSWORD, after_password};
use crate::visitor::Visitor;
use crate::world::BOTH;

/// issue 6, part 3: waves are typed, looked at in numbers and then saved; faults are told at their fields, and what
/// was typed stays; two operators cannot overwrite each other.
#[actix_web::test]
async fn waves_are_typed_looked_at_and_saved() {
    for on in BOTH {
        let world = staffed(on).await;
        let changed = world.events("tenant_changed").await;
        let (mut oona, seen) = at_console(&world, "oona", "rollout").await;
        assert_eq!(seen.title(), "Rollout", "{on:?}: {}", seen.body);
        assert!(seen.body.contains("All target users are asked"), "{on:?}");
        let seen = oona.get(&seen.link("edit")).await;
        let seen = oona.press(&seen, "add-wave", &[("rollout", "waves")]).await;
        // Whoever presses Enter in a field presses the first button of the form: that must not be the one that removes a wave.
        let by_enter = seen.find_value("form[action$='rollout/edit'] button");
        assert_eq!(by_enter.as_deref(), Some("effect"), "{on:?}: {}", seen.body);
        let other = seen.clone();
        let typed = [
            ("rollout", "waves"),
            ("wave-0-name", "Pilot"),
            ("wave-0-starts-at", "soon"),
            ("wave-0-groups", "pilot\nnobody"),
            ("wave-0-percent", "many"),
            ("wave-0-most-per-day", "5"),
            ("wave-0-postponements", "2"),
            ("failed-percent", "25"),
            ("help-desk-percent", "20"),
            ("at-least", "10"),
            ("window-minutes", "240"),
        ];
        let wrong = oona.press(&seen, "effect", &typed).await;
        for said in ["is not a time with its zone", "there is no group \"nobody\"", "is not a number"] {
            assert!(wrong.body.contains(&said.replace('"', "&#34;")), "{on:?}: {said}: {}", wrong.body);
        }
        assert!(
            wrong.body.contains("nobody</textarea>") && wrong.body.contains("value=\"many\""),
            "{on:?}: typed stays"
        );
        assert!(!wrong.has_action("save"), "{on:?}: nothing to save");
        let mut typed = typed.to_vec();
        typed[2].1 = "2027-01-15T07:00";
        typed[3].1 = "pilot";
        typed[4].1 = "100";
        let effect = oona.press(&wrong, "effect", &typed).await;
        assert!(effect.body.contains("What this would do"), "{on:?}: {}", effect.body);
        assert!(
            effect.body.contains("2 target users: 1 has an authenticator, 1 would be asked"),
            "{on:?}: {}",
            effect.body
        );
        assert!(effect.body.contains("<li>Notes: always"), "{on:?}: {}", effect.body);
        assert_eq!(world.events("tenant_changed").await, changed, "{on:?}: nothing is saved yet");
        let saved = oona.press(&effect, "save", &typed).await;
        assert!(saved.body.contains("The rollout was saved"), "{on:?}: {}", saved.body);
        assert!(saved.body.contains(">Pilot</th>") && saved.body.contains("asking"), "{on:?}: {}", saved.body);
        let newest =
            "SELECT detail AS t FROM audit_event WHERE action = 'tenant_changed' ORDER BY at DESC, id DESC LIMIT 1";
        let detail = world.text(newest).await;
        assert!(detail.contains("\"old\":") && detail.contains("Pilot"), "R-037: {detail}");
        let stored = oona.get(&console(&world, "rollout/edit")).await;
        assert!(stored.body.contains("value=\"2027-01-15T07:00\""), "{on:?}: {}", stored.body);
        // Whoever has an older page does not overwrite that.
        let effect = oona.press(&other, "effect", &typed).await;
        let (address, mut fields) = effect.form("save");
        fields.retain(|(name, _)| name != "version" && typed.iter().all(|(typed, _)| typed != name));
        fields.push(("version".to_owned(), "1".to_owned()));
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let late = oona.post(&address, &fields).await;
        assert!(late.body.contains("somebody else changed this meanwhile"), "{on:?}: {}", late.body);
        assert_eq!(world.events("tenant_changed").await, changed + 1, "{on:?}");
        // It applies from the next login on.
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        assert!(seen.has_action("later"), "{on:?}: {}", seen.body);
        ada.press(&seen, "later", &[]).await;
        let seen = oona.get(&console(&world, "rollout")).await;
        assert!(seen.body.contains("1 of 5"), "{on:?}: {}", seen.body);
        // Pause and resume by hand.
        let seen = oona.press(&seen, "pause", &[]).await;
        assert!(
            seen.body.contains("nobody new is asked") && seen.body.contains("by an operator"),
            "{on:?}: {}",
            seen.body
        );
        let seen = oona.press(&seen, "resume", &[]).await;
        assert!(seen.body.contains("The wave goes on"), "{on:?}: {}", seen.body);
        assert_eq!((world.events("rollout_paused").await, world.events("rollout_resumed").await), (1, 1), "{on:?}");
        // That whoever was asked is let in without an authenticator is asked first.
        let question = oona.press(&seen, "pause-everybody", &[]).await;
        assert_eq!(question.title(), "Let in everybody whom Pilot asked?", "{on:?}: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.has_action("pause") && back.has_action("pause-everybody"), "{on:?}: {}", back.body);
        assert_eq!(world.events("rollout_paused").await, 1, "{on:?}: nothing is done before");
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("whoever was asked is let in as before"), "{on:?}: {}", seen.body);
        assert!(!seen.has_action("pause-everybody") && seen.has_action("resume"), "{on:?}: {}", seen.body);
        let seen = oona.press(&seen, "resume", &[]).await;
        assert!(seen.body.contains("The wave goes on"), "{on:?}: {}", seen.body);
        let paused = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'rollout_paused' \
            AND detail LIKE '%\"new\":{\"everybody\":true}%'";
        assert_eq!((world.events("rollout_paused").await, world.number(paused).await), (2, 1), "{on:?}");
        let actor = world.text("SELECT MAX(actor_kind) AS t FROM audit_event WHERE action = 'rollout_paused'").await;
        assert_eq!(actor, "operator", "{on:?}");
        // The funnel, with its picture, its table and its files.
        let seen = oona.get(&console(&world, "funnel?by=group&days=7")).await;
        assert!(seen.body.contains("<svg class=\"funnel\""), "{on:?}: {}", seen.body);
        assert_eq!(seen.find("#steps-table tbody tr td").as_deref(), Some("1"), "{on:?}");
        let file = oona.get(&seen.link("export-parts")).await;
        assert!(
            file.body.starts_with("group,asked,offered,started,completed,failed,second_day,members,enrolled,untouched")
        );
        assert!(file.body.contains("pilot,1,1,0,0,0,0,2,1,0"), "{on:?}: {}", file.body);
        let file = oona.get(&seen.link("export-steps")).await;
        assert!(file.body.contains("asked,1,1000,0,,"), "{on:?}: {}", file.body);
        // an auditor reads the funnel and changes nothing.
        let (mut audra, seen) = at_console(&world, "audra", "funnel").await;
        assert_eq!((seen.status, seen.title()), (200, "Funnel".to_owned()), "{on:?}");
        assert_eq!(audra.get(&console(&world, "rollout")).await.status, 403, "{on:?}");
        world.stop().await;
    }
}

/// R-585, issue 6, part 9: programs do the same, with versions and problems that name each field.
#[actix_web::test]
async fn programs_steer_the_rollout_as_well() {
    for on in BOTH {
        let world = staffed(on).await;
        let operator = key(&world, Role::Operator).await;
        let get = async |path: &str| call(&world, &operator, Method::GET, path, None).await;
        let (status, draft) = get("rollout/settings").await;
        assert_eq!((status, draft["rollout"].as_str()), (200, Some("everybody")), "{on:?}: {draft}");
        let wanted = json!({ "rollout": "waves", "waves": [{ "name": "Pilot", "starts_at": "2027-01-15T07:00:00Z",
            "groups": ["PILOT"], "most_per_day": 5 }] });
        let (status, effect) = call(&world, &operator, Method::POST, "rollout/effect", Some(wanted.clone())).await;
        assert_eq!((status, effect["waves"][0]["people"]["asked"].as_u64()), (200, Some(1)), "{on:?}: {effect}");
        let put = async |body: &Value, version: Option<&str>| {
            let body = Some(body.clone());
            let (status, _, told) = call_with(&world, &operator, Method::PUT, "rollout/settings", body, version).await;
            (status, told)
        };
        assert_eq!(put(&wanted, None).await.0, 428, "{on:?}");
        assert_eq!(put(&wanted, Some("\"0\"")).await.0, 412, "{on:?}");
        let (_, version, _) = call_with(&world, &operator, Method::GET, "rollout/settings", None, None).await;
        let wrong = json!({ "rollout": "waves", "waves": [{ "name": "", "starts_at": "soon", "percent": 0 }] });
        let (status, problem) = put(&wrong, Some(&version)).await;
        let fields: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(status, 422, "{on:?}: {problem}");
        assert_eq!(fields, ["waves[0].name", "waves[0].starts_at", "waves[0].percent"], "{on:?}: {problem}");
        assert_eq!(put(&wanted, Some(&version)).await.0, 204, "{on:?}");
        let (_, state) = get("rollout").await;
        let wave = &state["waves"][0];
        assert_eq!(
            (wave["state"].as_str(), wave["groups"][0].as_str()),
            (Some("runs"), Some("pilot")),
            "{on:?}: {state}"
        );
        let pause = format!("rollout/waves/{}/pause", wave["id"].as_str().unwrap());
        let resume = pause.replace("pause", "resume");
        assert_eq!(call(&world, &operator, Method::POST, &pause, Some(json!({}))).await.0, 204, "{on:?}");
        assert_eq!(get("rollout").await.1["waves"][0]["pause"]["reason"], "by_hand", "{on:?}");
        assert_eq!(call(&world, &operator, Method::POST, &resume, None).await.0, 204, "{on:?}");
        let nobody = "rollout/waves/aaaaaaaaaaaaaaaaaaaaaaaaaa/pause";
        assert_eq!(call(&world, &operator, Method::POST, nobody, Some(json!({}))).await.0, 404, "{on:?}");
        let (status, funnel) = get("funnel?by=platform&days=7").await;
        assert_eq!((status, funnel["steps"].as_array().unwrap().len()), (200, 9), "{on:?}: {funnel}");
        assert_eq!((get("funnel?by=shoe-size").await.0, get("funnel?days=0").await.0), (400, 400), "{on:?}");
        // A wave that is named by its identifier is the same one under another name.
        let (_, mut draft) = get("rollout/settings").await;
        draft["waves"][0]["name"] = json!("First");
        let (_, version, _) = call_with(&world, &operator, Method::GET, "rollout/settings", None, None).await;
        assert_eq!(put(&draft, Some(&version)).await.0, 204, "{on:?}");
        assert_eq!(get("rollout").await.1["waves"][0]["id"], wave["id"], "{on:?}");
        world.stop().await;
    }
}

/// a rollout that would break a test case is not saved unless it is meant; with what somebody else changed beside it, it is.
#[actix_web::test]
async fn a_rollout_is_held_against_the_test_cases() {
    for on in BOTH {
        let world = staffed(on).await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.test_case]]\nname = \"Ada enrolls\"\nuser = \"ada\"\n\
                 application = \"Notes\"\nrequire = [\"password\", \"otp\"]\nenrollment = true\n",
            )
            .await;
        let (mut oona, _) = at_console(&world, "oona", "rollout").await;
        let form = oona.get(&console(&world, "rollout/edit")).await;
        let mut typed = vec![("rollout", "observe"), ("failed-percent", "25"), ("help-desk-percent", "20")];
        typed.extend([("at-least", "10"), ("window-minutes", "240")]);
        let effect = oona.press(&form, "effect", &typed).await;
        // A group more is nothing that the rollout says.
        world.apply("[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"sales\"\n").await;
        let asked = oona.press(&effect, "effect", &typed).await;
        let asked = oona.press(&asked, "save", &typed).await;
        assert!(asked.body.contains("Ada enrolls") && asked.body.contains("Nothing was saved yet"), "{}", asked.body);
        assert_eq!(world.events("tenant_changed").await, 1, "{on:?}");
        let key = key(&world, Role::Operator).await;
        let draft = json!({ "rollout": "observe", "waves": [], "brake": { "failed_percent": 25, "help_desk_percent": 20,
            "at_least": 10, "window_minutes": 240 } });
        let path = "rollout/settings";
        let (_, tag, _) = call_with(&world, &key, Method::GET, path, None, None).await;
        let (status, _, body) = call_with(&world, &key, Method::PUT, path, Some(draft.clone()), Some(&tag)).await;
        assert_eq!((status, &body["code"]), (409, &json!("test_cases.broken")), "{on:?}: {body}");
        let mut meant = typed.clone();
        meant.push(("anyway", "yes"));
        let asked = oona.press(&asked, "effect", &typed).await;
        let saved = oona.press(&asked, "save", &meant).await;
        assert!(saved.body.contains("The rollout was saved"), "{on:?}: {}", saved.body);
        let path = format!("{path}?anyway=true");
        let (status, _, body) = call_with(&world, &key, Method::PUT, &path, Some(draft), Some(&tag)).await;
        assert_eq!((status, &body["code"]), (412, &json!("changed_meanwhile")), "{on:?}: R-040: {body}");
        let entries = json!({ "target_users": "all" });
        let path = "settings/self_provisioning/effect";
        let (status, effect) = call(&world, &key, Method::POST, path, Some(entries)).await;
        assert_eq!((status, &effect["all"]["targeted"]), (200, &json!(6)), "{on:?}: R-039: {effect}");
        world.stop().await;
    }
}

/// T-57: what was typed by strangers stays text on these pages and in their files.
#[actix_web::test]
async fn names_stay_text_on_pages_and_in_files() {
    let world = staffed(crate::world::On::Sqlite).await;
    let evil = "=HYPERLINK(1)<b>x</b>";
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"{evil}\"\n")).await;
    set(
        &world,
        &format!(
            "rollout = \"waves\"\n[[tenant.self_provisioning.wave]]\nname = \"{evil}\"\nstarts_at = 2027-01-15T07:00:00Z\n\
             groups = [\"pilot\", \"{evil}\"]\n"
        ),
    )
    .await;
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Add an authenticator");
    let (mut oona, seen) = at_console(&world, "oona", "rollout").await;
    assert!(!seen.body.contains("<b>x") && seen.body.contains("HYPERLINK"), "{}", seen.body);
    for page in ["rollout/edit", "funnel?by=wave", "funnel?by=group&group=%3DHYPERLINK(1)%3Cb%3Ex%3C%2Fb%3E"] {
        let seen = oona.get(&console(&world, page)).await;
        assert!(seen.status == 200 && !seen.body.contains("<b>x"), "{page}: {}", seen.body);
    }
    let file = oona.get(&console(&world, "funnel/parts.csv?by=wave")).await;
    assert!(file.body.contains("'=HYPERLINK"), "T-73: {}", file.body);
    // another virtual server's wave is none here; nor is what is no wave at all.
    let (address, mut fields) = oona.get(&console(&world, "rollout")).await.form("pause");
    let id = address.split('/').rev().nth(1).unwrap().to_owned();
    let none = oona.post(&address.replace(&id, "aaaaaaaaaaaaaaaaaaaaaaaaaa"), &fields).await;
    assert_eq!(none.status, 404, "{}", none.body);
    fields.retain(|(name, _)| name != "csrf");
    assert_eq!(oona.post(&address, &fields).await.status, 403, "T-18");
    world.stop().await;
}
