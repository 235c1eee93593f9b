//! A virtual server's own words for mails and texts of pages: at the console, through the management API, in what is sent and
//! shown.

use reqwest::Method;
use serde_json::json;
use vestibule::domain::operator::Role;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::story::{authorize, to_platforms};
use crate::visitor::Visitor;
use crate::world::BOTH;

const BODY: &str =
    "Dear {name} ({account}),\n\nyour code for {application}:\n\n{code}\n\nIt works for {minutes} minutes.";

/// AC-39: an operator writes a mail anew, sees it, tries it, and it is what people get; a text of a page as
/// well; ours is used again by one button.
#[actix_web::test]
async fn an_operator_writes_mails_and_texts() {
    for on in BOTH {
        let world = staffed(on).await;
        let (mut oona, seen) = at_console(&world, "oona", "messages").await;
        assert!(seen.body.contains("Mail: Verification code") && seen.body.contains("Mail: Self-enrollment"), "{on:?}");
        assert!(seen.body.contains("data-next"), "{on:?}: there are more");
        let found = oona.get(&console(&world, "messages?language=de&search=Passwort&kind=page")).await;
        assert!(found.body.contains("page.") && !found.body.contains("Mail: "), "{on:?}: {}", found.body);
        let address = console(&world, "messages/en/mail.verification_code");
        let seen = oona.get(&address).await;
        assert!(
            seen.body.contains("Hello {name}") && seen.body.contains("{application}"),
            "{on:?}: ours: {}",
            seen.body
        );
        // Faults stand at their fields, and nothing is lost.
        for (subject, body, told) in [
            ("Code", "Nothing", "must have {code}"),
            ("Code", "{code} {colour}", "unknown tag {colour}"),
            ("", "{code}", "must have 1 to 150 characters"),
            ("Code", "{code} {{7777*7777}}", "brace"),
            ("Code", "{code} https://elsewhere.example", "must have no address"),
        ] {
            let refused = oona.press(&seen, "save", &[("subject", subject), ("body", body)]).await;
            assert!(
                refused.body.contains("Nothing was changed") && refused.body.contains(told),
                "{on:?}: {}",
                refused.body
            );
            assert!(!refused.body.contains("60481729"), "{on:?}: AC-39");
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM message").await, 0, "{on:?}");
        // Enter in the field of the address presses the first button, which must not store the words.
        let by_enter = seen.find("form[aria-label=Text] button");
        assert_eq!(by_enter.as_deref(), Some("Show a preview"), "{on:?}: {}", seen.body);
        let words = [("subject", "Acme: your code, {name}"), ("body", BODY)];
        let looked = oona.press(&seen, "look", &words).await;
        let preview = looked.find("[data-preview]").unwrap_or_default();
        assert!(preview.contains("Dear Ada Lovelace (ada),") && preview.contains("314159"), "{on:?}: {preview}");
        // a mail to try, and what the mail server said.
        let tried =
            oona.press(&seen, "try", &[&words[..], &[("address", "oona@acme.test"), ("try", "yes")]].concat()).await;
        assert!(tried.find("[data-mail]").unwrap_or_default().contains("took the mail"), "{on:?}: {}", tried.body);
        let mail = world.mail("oona@acme.test", 1).await;
        assert_eq!(mail.subject(), "Acme: your code, Ada Lovelace", "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM message").await, 0, "{on:?}: nothing was stored");
        let saved = oona.press(&seen, "save", &words).await;
        assert!(saved.body.contains("Saved. It is used from now on."), "{on:?}: {}", saved.body);
        let late = oona.press(&seen, "save", &words).await;
        assert!(late.body.contains("somebody else changed this meanwhile"), "{on:?}: R-040: {}", late.body);
        assert_eq!(world.events("message_changed").await, 1, "{on:?}");
        // A text of a page.
        let text = oona.get(&console(&world, "messages/en/page.username-label")).await;
        let text = oona.press(&text, "save", &[("body", "Your Acme number")]).await;
        assert!(text.body.contains("Saved."), "{on:?}: {}", text.body);
        let listed = oona.get(&console(&world, "messages?language=en&own=yes")).await;
        assert!(listed.body.contains("Your Acme number") && listed.body.contains("yours"), "{on:?}: {}", listed.body);
        // What people get.
        world.advance(3);
        let mut ada = Visitor::new(&world.url);
        let page = ada.get(&authorize(&world, "")).await;
        assert!(page.body.contains("Your Acme number"), "{on:?}: {}", page.body);
        let mut german = Visitor::new(&world.url);
        german.language = Some("de");
        let german = german.get(&authorize(&world, "")).await;
        assert!(!german.body.contains("Your Acme number"), "{on:?}: in its language only");
        let mut ada = Visitor::new(&world.url);
        to_platforms(&world, &mut ada).await;
        let code = world.code("ada@acme.test", 0).await;
        let mail = world.mail("ada@acme.test", 1).await;
        assert!(mail.subject().starts_with("Acme: your code, Ada"), "{on:?}: {}", mail.subject());
        let told = mail.text();
        assert!(
            told.contains("(ada),") && told.contains("your code for Notes:") && told.contains(&code),
            "{on:?}: {told}"
        );
        // Ours again.
        let seen = oona.get(&address).await;
        let question = oona.press(&seen, "restore", &[]).await;
        assert!(question.title().starts_with("Use our words again for"), "{on:?}: it is asked: {}", question.body);
        let back = oona.get(&question.link("back")).await;
        assert!(back.has_action("restore"), "{on:?}: R-586: and is still there: {}", back.body);
        let seen = oona.press(&question, "sure", &[]).await;
        assert!(seen.body.contains("Our own text is used again."), "{on:?}: {}", seen.body);
        assert!(!seen.has_action("restore"), "{on:?}");
        assert_eq!(world.events("message_restored").await, 1, "{on:?}");
        for nowhere in ["messages/tlh/mail.test", "messages/en/mail.nothing", "messages/en/page.mail-greeting"] {
            assert_eq!(oona.get(&console(&world, nowhere)).await.status, 404, "{on:?}: {nowhere}");
        }
        world.stop().await;
    }
}

/// the same by the management API and by an apply file, and an export gives it back.
#[actix_web::test]
async fn programs_and_files_can_do_it_too() {
    for on in BOTH {
        let world = staffed(on).await;
        let all = key(&world, Role::Operator).await;
        let path = "messages/en/mail.enrollment";
        let (status, tag, seen) = call_with(&world, &all, Method::GET, path, None, None).await;
        assert_eq!((status, tag.as_str(), &seen["own"]), (200, "\"0\"", &json!(false)), "{on:?}: {seen}");
        assert!(seen["tags"].as_array().unwrap().iter().any(|tag| tag["tag"] == "stop_date"), "{on:?}: {seen}");
        let put = |body, tag: &'static str| call_with(&world, &all, Method::PUT, path, Some(body), Some(tag));
        let (status, _, body) = put(json!({ "subject": "Hi", "body": "Without" }), "\"0\"").await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("body")), "{on:?}: R-588: {body}");
        let words = json!({ "subject": "Hi {name}", "body": "Until {stop_date}, {stop_time}:\n\n{link}" });
        let (status, tag, body) = put(words.clone(), "\"0\"").await;
        assert_eq!((status, &body["own"]), (200, &json!(true)), "{on:?}: {body}");
        let (status, _, _) = put(words.clone(), "\"0\"").await;
        assert_eq!(status, 412, "{on:?}");
        // The same words again change nothing, and their tag stays; no tag comes twice, whatever was in between.
        let with = |method, words: Option<serde_json::Value>, tag: String| {
            let (world, all) = (&world, &all);
            async move { call_with(world, all, method, path, words, Some(&tag)).await }
        };
        let (status, same, _) = with(Method::PUT, Some(words.clone()), tag.clone()).await;
        assert_eq!((status, &same, world.events("message_changed").await), (200, &tag, 1), "{on:?}");
        assert_eq!(with(Method::DELETE, None, tag.clone()).await.0, 204, "{on:?}");
        let (status, anew, _) = with(Method::PUT, Some(words.clone()), "\"0\"".to_owned()).await;
        assert!(status == 200 && anew != tag, "{on:?}: {tag} {anew}");
        assert_eq!(with(Method::DELETE, None, tag).await.0, 412, "{on:?}: it is not what was read");
        let preview = format!("{path}/preview");
        let (status, seen) = call(&world, &all, Method::POST, &preview, Some(words.clone())).await;
        assert_eq!(status, 200, "{on:?}: {seen}");
        assert!(seen["text"].as_str().unwrap().contains("Until 2027-01-15, 08:00:"), "{on:?}: {seen}");
        let trial = json!({ "to": "linus@acme.test", "words": null });
        let (status, seen) = call(&world, &all, Method::POST, &format!("{path}/test"), Some(trial)).await;
        assert_eq!((status, &seen["taken"]), (200, &json!(true)), "{on:?}: {seen}");
        assert_eq!(world.mail("linus@acme.test", 1).await.subject(), "Hi Ada Lovelace", "{on:?}");
        let (_, listed) = call(&world, &all, Method::GET, "messages?own=true&language=en", None).await;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{on:?}: {listed}");
        let (_, first) = call(&world, &all, Method::GET, "messages?limit=200", None).await;
        let next = format!("messages?limit=200&after={}", first["next"].as_str().unwrap());
        let (_, second) = call(&world, &all, Method::GET, &next, None).await;
        assert_ne!(first["items"][0], second["items"][0], "{on:?}");
        // By file.
        let wrong = "[[tenant]]\ncode = \"acme\"\n[[tenant.message]]\nname = \"mail.test\"\nlanguage = \"en\"\nsubject = \"x\"\n\
                     body = \"{code}\"\n[[tenant.message]]\nname = \"page.nothing\"\nlanguage = \"en\"\nbody = \"x\"\n";
        let said = world.apply_says(wrong).await;
        assert!(
            said.contains("unknown tag {code}") && said.contains("\"page.nothing\" is no text of ours"),
            "{on:?}: {said}"
        );
        let file = "[[tenant]]\ncode = \"acme\"\n[[tenant.message]]\nname = \"page.language-apply\"\nlanguage = \"de\"\n\
                    body = \"Los\"\n";
        world.apply(file).await;
        let exported = world.command(&["export"]);
        assert!(
            exported.contains("body = \"Los\"") && exported.contains("name = \"mail.enrollment\""),
            "{on:?}: {exported}"
        );
        let again = world.apply_says(file).await;
        assert!(!again.contains("set message"), "{on:?}: nothing to do: {again}");
        assert_eq!(with(Method::DELETE, None, anew).await.0, 204, "{on:?}");
        world.stop().await;
    }
}
