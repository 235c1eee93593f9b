//! Applications, changed one at a time.

use vestibule::domain::application::{Application, ApplicationDraft, AssignedTo, Chosen, Everyone, Protocol};
use vestibule::domain::ids::SigningKeyId;
use vestibule::domain::oidc_client::OidcClientDraft;
use vestibule::domain::policy::access::Method;
use vestibule::domain::policy::draft::{PolicyDraft, Required};
use vestibule::domain::secret::ExposeSecret as _;
use vestibule::domain::service_provider::ServiceProviderDraft;
use vestibule::flow::administration::applications::{self, mark};
use vestibule::flow::administration::configuration::{self, Despite, Saved, Unsaved};
use vestibule::flow::administration::policies;

use crate::story::authorize;
use crate::visitor::Visitor;
use crate::world::{BOTH, World};

fn keys<T: std::fmt::Debug>(saved: Saved<T>) -> Vec<String> {
    match saved {
        Err(Unsaved::Wrong(faults)) => faults.into_iter().map(|fault| fault.key).collect(),
        other => panic!("{other:?}"),
    }
}

fn everyone() -> Option<AssignedTo> {
    Some(AssignedTo::Everyone(Everyone::Everyone))
}

/// an application is typed or read from metadata, is inactive until somebody says otherwise, is
/// given a secret that is shown once, and goes with what names it only when that is meant.
#[actix_web::test]
async fn applications_are_changed_one_at_a_time() {
    for on in BOTH {
        let world = World::new(on).await;
        let (desk, code, reads) = (world.desk("olga"), "acme".parse().unwrap(), world.site.reads_metadata);
        let (nothing, mean) = (Despite::Nothing, Despite::BrokenCases);
        let config = || async { configuration::current(&desk, &code).await.unwrap() };
        let named = |name: &'static str| async move {
            config().await.applications.into_iter().find(|it| it.name == name).unwrap()
        };
        let wrong = ApplicationDraft {
            name: "notes".to_owned(),
            launch_url: Some("javascript:alert(1)".to_owned()),
            assigned_to: Some(AssignedTo::Chosen(Chosen {
                groups: vec!["nobody".to_owned()],
                users: vec!["eve".to_owned()],
            })),
            oidc: Some(OidcClientDraft {
                redirect_uris: vec!["http://rp.example/cb".to_owned()],
                ..OidcClientDraft::default()
            }),
            ..ApplicationDraft::default()
        };
        let found = keys(applications::create(&desk, &code, &wrong, reads, nothing).await);
        assert_eq!(found, ["launch_url", "assigned_to", "assigned_to", "name", "oidc.redirect_uris"], "{on:?}");

        // An OpenID Connect application: identifier and secret are made, and it is not there for anybody yet.
        let oidc =
            OidcClientDraft { redirect_uris: vec!["https://rp.example/cb".to_owned()], ..OidcClientDraft::default() };
        let draft = ApplicationDraft { name: "Blog".to_owned(), oidc: Some(oidc), ..ApplicationDraft::default() };
        let made = applications::create(&desk, &code, &draft, reads, nothing).await.unwrap();
        let secret = made.secret.unwrap();
        assert!(secret.expose_secret().len() >= 40, "{on:?}");
        let Protocol::Oidc(client) = &made.application.protocol else { panic!("{on:?}") };
        let asks = authorize(&world, "").replace("client_id=notes", &format!("client_id={}", client.client_id));
        let asks = asks.replace("http%3A%2F%2F127.0.0.1%3A9000%2Fcallback", "https%3A%2F%2Frp.example%2Fcb");
        let mut visitor = Visitor::new(&world.url);
        assert_eq!(visitor.get(&asks).await.status, 400, "{on:?}: it is not active");
        let blog = named("Blog").await;
        let without = ApplicationDraft { assigned_to: everyone(), ..draft.clone() };
        let refused = keys(applications::change(&desk, &code, (blog.id, mark(&blog)), &without, reads, nothing).await);
        assert_eq!(refused, ["oidc.client_id"], "{on:?}: the identifier is part of the form");
        let mut draft = draft;
        draft.oidc.as_mut().unwrap().client_id.clone_from(&client.client_id);
        let nobody = ApplicationDraft { assigned_to: Some(AssignedTo::Chosen(Chosen::default())), ..draft.clone() };
        applications::change(&desk, &code, (blog.id, mark(&blog)), &nobody, reads, nothing).await.unwrap();
        let blog = named("Blog").await;
        let refused = keys(applications::activate(&desk, &code, (blog.id, mark(&blog)), true, nothing).await);
        assert_eq!(refused, ["active"], "{on:?}: R-484");
        let draft = ApplicationDraft { assigned_to: everyone(), ..draft };
        applications::change(&desk, &code, (blog.id, mark(&blog)), &draft, reads, nothing).await.unwrap();
        let second = applications::change(&desk, &code, (blog.id, mark(&blog)), &draft, reads, nothing).await;
        assert!(matches!(second, Err(Unsaved::ChangedMeanwhile)), "{on:?}: {second:?}");
        let blog = named("Blog").await;
        let blog = applications::activate(&desk, &code, (blog.id, mark(&blog)), true, nothing).await.unwrap();
        let mut visitor = Visitor::new(&world.url);
        let seen = visitor.get(&asks).await;
        assert!(seen.status == 200 && seen.body.contains("Blog"), "{on:?}: {}", seen.body);
        let before = |application: &Application| match &application.protocol {
            Protocol::Oidc(client) => client.secrets.clone(),
            _ => Vec::new(),
        };
        let replaced = applications::replace_secret(&desk, &code, (blog.id, mark(&blog)), false).await.unwrap();
        assert_ne!(replaced.secret.unwrap().expose_secret(), secret.expose_secret(), "{on:?}");
        assert_eq!(before(&replaced.application).len(), 2, "{on:?}: the one before stays valid for a day (R-516)");

        // A SAML application from its metadata.
        let metadata = "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://crm.example\">\
            <SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
            <AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" index=\"0\" \
            Location=\"https://crm.example/acs\"/></SPSSODescriptor></EntityDescriptor>";
        let saml = |metadata: &str| ApplicationDraft {
            name: "CRM".to_owned(),
            active: Some(true),
            saml: Some(ServiceProviderDraft { metadata: Some(metadata.to_owned()), ..ServiceProviderDraft::default() }),
            ..ApplicationDraft::default()
        };
        let broken = keys(applications::create(&desk, &code, &saml("<nothing/>"), reads, nothing).await);
        assert_eq!(broken, ["saml.metadata"], "{on:?}");
        // Held to a key that is none of ours, or not one for SAML, it would be answered with any.
        let oidc_key =
            world.text("SELECT id AS t FROM signing_key WHERE purpose = 'oidc' AND algorithm = 'RS256'").await;
        let saml_key =
            world.text("SELECT id AS t FROM signing_key WHERE purpose = 'saml' AND algorithm = 'RS256'").await;
        for key in [SigningKeyId::from_bits(7), oidc_key.parse().unwrap()] {
            let mut held = saml(metadata);
            held.saml.as_mut().unwrap().signing_key = Some(key);
            let Err(Unsaved::Wrong(faults)) = applications::create(&desk, &code, &held, reads, nothing).await else {
                panic!("{on:?}: {key} was taken")
            };
            assert_eq!((faults.len(), faults[0].key.as_str()), (1, "saml.signing_key"), "{on:?}");
            let words = &faults[0].words;
            assert!(
                words.contains(&key.to_string()) && words.contains(&format!("{saml_key} (RS256, current)")),
                "{words}"
            );
        }
        let crm = applications::create(&desk, &code, &saml(metadata), reads, nothing).await.unwrap().application;
        let Protocol::Saml(provider) = &crm.protocol else { panic!("{on:?}") };
        assert_eq!(
            (provider.entity_id.as_str(), provider.acs[0].url.as_str()),
            ("https://crm.example", "https://crm.example/acs")
        );
        let again = keys(
            applications::create(
                &desk,
                &code,
                &ApplicationDraft { name: "CRM 2".to_owned(), ..saml(metadata) },
                reads,
                nothing,
            )
            .await,
        );
        assert_eq!(again, ["saml.entity_id"], "{on:?}: the entity ID is taken");
        // What is there is typed again and stays what it is.
        let typed =
            desk.house.db.read(async |connection| applications::draft_of(connection, &config().await, &crm).await);
        let typed = typed.await.unwrap();
        let same = applications::change(&desk, &code, (crm.id, mark(&crm)), &typed, reads, nothing).await.unwrap();
        assert_eq!(same, crm, "{on:?}");

        // Policies and a test case name it; it goes with them when that is meant.
        let policy = |name: &str, all: &[&str]| PolicyDraft {
            name: Some(name.to_owned()),
            applications: all.iter().map(|it| (*it).to_owned()).collect(),
            require: vec![Required::Plain(Method::Password)],
            ..PolicyDraft::default()
        };
        policies::create(&desk, &code, &policy("CRM only", &["CRM"]), nothing).await.unwrap();
        policies::create(&desk, &code, &policy("Both", &["CRM", "Wiki"]), nothing).await.unwrap();
        world.apply("[[tenant]]\ncode = \"acme\"\n[[tenant.test_case]]\nname = \"CRM\"\nuser = \"ada\"\napplication = \"CRM\"\nrequire = [\"password\"]\n").await;
        let removed = applications::remove(&desk, &code, (crm.id, mark(&crm)), false, nothing).await;
        let Err(Unsaved::InUse(uses)) = removed else { panic!("{on:?}: {removed:?}") };
        assert_eq!(uses, ["the policy \"CRM only\"", "the policy \"Both\"", "the test case \"CRM\""], "{on:?}");
        applications::remove(&desk, &code, (crm.id, mark(&crm)), true, mean).await.unwrap();
        let after = config().await;
        let left: Vec<&str> = after.policies.exceptions.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(left, ["Both"], "{on:?}: without an application the other would concern all of them");
        assert_eq!(after.policies.exceptions[0].applications.len(), 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM policy_test_case").await, 0, "{on:?}");
        let portal = named("Portal").await;
        let never = applications::remove(&desk, &code, (portal.id, mark(&portal)), true, mean).await;
        assert!(matches!(never, Err(Unsaved::Never(_))), "{on:?}: {never:?}");

        let detail = world.text("SELECT detail AS t FROM audit_event WHERE action = 'application_removed'").await;
        let told: serde_json::Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(
            (&told["old"]["saml"]["entity_id"], &told["new"]),
            (&"https://crm.example".into(), &serde_json::Value::Null)
        );
        let all = world.column("SELECT detail AS it FROM audit_event").await;
        assert!(all.iter().all(|detail| !detail.contains(secret.expose_secret())), "{on:?}: no secret is written down");
        // An inactive application survives an export.
        let blog = named("Blog").await;
        applications::activate(&desk, &code, (blog.id, mark(&blog)), false, nothing).await.unwrap();
        let export = world.command(&["export"]);
        assert!(export.contains("active = false"), "{on:?}: {export}");
        world.stop().await;
    }
}
