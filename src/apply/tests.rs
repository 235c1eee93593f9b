//! Apply files against a real database in a file of its own.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::apply::export;
use crate::clock::{Clock, Entropy};
use crate::domain::audit::Actor;
use crate::domain::secret::{ExposeSecret as _, SecretBytes, SecretString};
use crate::domain::user::Status;
use crate::egress::Egress;
use crate::flow::administration::{accounts, people, reseal, restore};
use crate::flow::{House, HouseSettings};
use crate::keys::password::{HashingSettings, PasswordHasher};
use crate::keys::sealing::{Place, Sealer};
use crate::storage::statement::Statement;
use crate::storage::{Db, tokens, users};

const ACME: &str = r#"
[[tenant]]
code = "acme"
name = "Acme Corporation"
default_language = "en"
help_contact = "help@acme.test"

[[tenant.group]]
name = "pilot"

[[tenant.user]]
username = "ada"
email = "ada@acme.test"
first_name = "Ada"
last_name = "Lovelace"
phone = "+44 20 7946-0018"
phone_verified = true
password = "correct horse battery staple"
groups = ["Pilot"]
language = "de"

[[tenant.user.token]]
type = "oath_app"
secret_base32 = "JBSW Y3DP EHPK 3PXP jbsw y3dp ehpk 3pxp"
algorithm = "SHA1"
digits = 6
period_seconds = 30

[[tenant.user]]
username = "grace"

[[tenant.application]]
name = "Notes"
assigned_to = { groups = ["pilot"], users = ["grace"] }
[tenant.application.oidc]
client_id = "notes"
client_secret = "a secret of Notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]
post_logout_redirect_uris = []
token_endpoint_auth_method = "client_secret_basic"
refresh_tokens = true
refresh_token_idle_seconds = 3600
backchannel_logout_uri = "https://notes.acme.test/bcl"
frontchannel_logout_uri = "https://notes.acme.test/fcl"
consent = "ask"
userinfo_signed_response_alg = "ES256"
subject_type = "pairwise"
sector_identifier = "acme.test"
resources = ["https://orders.acme.test/"]
client_credentials = true
device_authorization = true
require_pushed_authorization_requests = true
dpop_bound_access_tokens = true
scopes = ["openid", "profile", "email", "phone", "groups", "offline_access"]

[[tenant.resource]]
identifier = "https://orders.acme.test/"
access_token = "opaque"
scopes = ["read"]
introspected_by = ["notes"]

[[tenant.application]]
name = "Wiki"
assigned_to = "everyone"
[tenant.application.saml]
entity_id = "https://wiki.acme.test"
acs_urls = [{ url = "https://wiki.acme.test/b", index = 2 }, { url = "https://wiki.acme.test/a", index = 1 }]
name_id_format = "persistent"
attributes = [ { name = "mail", source = "email" } ]

[tenant.global_policy]
require = ["password", { method = "otp", frequency = "every_attempt" }]
[[tenant.access_policy]]
name = "Wiki from the office needs a password only"
applications = ["Wiki"]
networks = ["10.0.0.0/8"]
decision = "grant"
require = ["password"]

[tenant.self_provisioning]
target_users = "members_of"
groups = ["pilot"]
windows_link = "store"
store_product_id = "9NBLGGH4ABCD"

[tenant.platforms.command_line]
allowed = true
[tenant.platforms.oath_app]
allowed = true

[tenant.token_template.app]
length = 8
pin_type = "user_selected"
"#;

struct Fixture {
    house: House,
    folder: tempfile::TempDir,
    key: SecretString,
}

/// The house over the database in `folder`, with these key-encryption keys.
async fn opened(folder: &tempfile::TempDir, keys: &SecretString) -> crate::flow::Result<House> {
    let url = format!("sqlite://{}", folder.path().join("v.db").display());
    let db = Db::connect(&url).await?;
    db.migrate().await?;
    let entropy = Entropy::System;
    let sealer = Arc::new(Sealer::parse(keys).expect("keys"));
    let quick = HashingSettings { memory_kib: 64, passes: 1, ..HashingSettings::default() };
    let passwords = PasswordHasher::new(quick, &entropy).expect("settings");
    let egress = Egress::new(Vec::new());
    House::open(db, sealer, passwords, Clock::System, entropy, egress, HouseSettings::default()).await
}

/// The tokens of acme, with their secrets.
async fn secrets(house: &House) -> Vec<(tokens::Token, SecretBytes)> {
    let code = "acme".parse().expect("a code");
    let tenant = house.realm(&code).await.expect("keys open").expect("is there").tenant();
    let all = house.db.read(async |connection| tokens::all(connection, tenant).await).await.expect("reads");
    all.into_iter()
        .map(|token| {
            let place = Place::new(tenant, "token", "secret_sealed", token.id);
            let secret = house.sealer.open(place, token.secret_sealed.as_deref().expect("sealed")).expect("opens");
            (token, secret)
        })
        .collect()
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = Sealer::new_key(&Entropy::System);
        Self { house: opened(&folder, &key).await.expect("opens"), folder, key }
    }

    async fn apply_with(&self, file: &str, run: Run, prune: Prune) -> anyhow::Result<Vec<String>> {
        let now = self.house.clock.now();
        let desk = Desk { house: &self.house, actor: Actor::Shell("test".to_owned()), address: String::new(), now };
        let reports = text(&desk, ("acme.toml", file), Path::new(""), run, prune).await?;
        Ok(reports.into_iter().flat_map(|report| report.changes).collect())
    }

    async fn apply(&self, file: &str) -> Vec<String> {
        self.apply_with(file, Run::Real, Prune::Keep).await.expect("applies")
    }

    async fn faults(&self, file: &str) -> String {
        self.apply_with(file, Run::Real, Prune::Keep).await.expect_err("faults").to_string()
    }
}

#[tokio::test]
async fn a_file_applied_twice_changes_nothing_the_second_time() {
    let house = Fixture::new().await;
    let dry = house.apply_with(ACME, Run::Dry, Prune::Keep).await.expect("a plan");
    assert!(dry.iter().any(|line| line == "create tenant acme"), "{dry:#?}");
    let first = house.apply(ACME).await;
    assert!(first.iter().any(|line| line == "create user ada"), "{first:#?}");
    assert_eq!(house.apply(ACME).await, Vec::<String>::new());
    assert_eq!(house.apply_with(ACME, Run::Real, Prune::Remove).await.expect("applies"), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_applied_is_there_and_its_export_applies_without_a_change() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let code = "acme".parse().expect("a code");
    let house = &fixture.house;
    let realm = house.realm(&code).await.expect("reads").expect("is there");
    assert_eq!(realm.oidc_keys.algorithms().len(), 3);
    assert!(realm.saml_keys.algorithms().len() == 2 && realm.certificates.len() == 2, "R-486");
    assert_eq!(realm.config.applications.len(), 3, "Notes, Wiki and the portal");
    assert_eq!(
        (realm.config.settings.token_templates.app.length, realm.config.settings.token_templates.app.version),
        (8, 2)
    );
    let tenant = realm.tenant();
    let (ada, tokens) = house
        .db
        .read(async |connection| {
            let ada = users::named(connection, tenant, "ADA").await?.expect("is there");
            let tokens = tokens::of_user(tenant, ada.id).ask(connection).await?;
            Ok((ada, tokens))
        })
        .await
        .expect("reads");
    assert!(ada.first_enrolled_at.is_some(), "T-01: who brought a token is not enrolling for the first time");
    assert_eq!((tokens.len(), tokens[0].enrolled_by.id(), tokens[0].last_position), (1, "import", -1));

    let export = export::tenant(&house.db, &code).await.expect("reads").expect("is there");
    for secret in ["correct horse", "argon2", "a secret of Notes", "JBSW", "digest"] {
        assert!(!export.contains(secret), "{secret} in\n{export}");
    }
    assert!(export.contains("phone = \"+442079460018\"\nphone_verified = true"), "{export}");
    let changes = fixture.apply_with(&export, Run::Real, Prune::Remove).await;
    assert_eq!(changes.expect("applies"), Vec::<String>::new(), "{export}");
}

/// INV-11.
#[tokio::test]
async fn only_what_differs_is_changed_and_sessions_end_where_they_must() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let changed = ACME
        .replace("correct horse battery staple", "incorrect horse battery staple")
        .replace("ada@acme.test", "countess@acme.test")
        .replace("a secret of Notes", "another secret of Notes")
        .replace("10.0.0.0/8", "10.1.0.0/16")
        .replace("length = 8", "length = 6");
    let changes = fixture.apply(&changed).await;
    assert_eq!(
        changes,
        [
            "change tenant: token_template",
            "change user ada: email",
            "change user ada: password",
            "change application Notes",
            "change access policies: change \"Wiki from the office needs a password only\"",
        ]
    );
    assert_eq!(fixture.apply(&changed).await, Vec::<String>::new());
}

#[tokio::test]
async fn prune_removes_what_is_not_named_any_more_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let small =
        "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"pilot\"\n[[tenant.user]]\nusername = \"ada\"\n";
    assert_eq!(fixture.apply(small).await, Vec::<String>::new());
    let changes = fixture.apply_with(small, Run::Real, Prune::Remove).await.expect("applies");
    assert_eq!(
        changes,
        [
            "change access policies: remove \"Wiki from the office needs a password only\"",
            "remove user grace",
            "remove application Notes",
            "remove application Wiki",
        ]
    );
    let none = small.replace("[[tenant.group]]\nname = \"pilot\"\n", "");
    let refused = fixture.apply_with(&none, Run::Real, Prune::Remove).await.expect_err("refused").to_string();
    assert!(refused.contains("group \"pilot\" is not named any more, but settings refer to it"), "{refused}");
    let watched = format!(
        "{small}[[tenant.role]]\nname = \"Watch\"\npermissions = {{ rollout = [\"access\"] }}\n\
         [[tenant.operator]]\nusername = \"ada\"\nrole = \"Watch\"\n"
    );
    fixture.apply(&watched).await;
    let refused = fixture.apply_with(small, Run::Real, Prune::Remove).await.expect_err("refused").to_string();
    assert!(refused.contains("\"Watch\" is not named and would be removed, but ada has it"), "{refused}");
}

/// R-040, R-584, INV-11: what was planned minutes ago changes no account that somebody else changed since: it would be enabled
/// again, with the security version that it had. Sessions that were ended meanwhile stay ended, too.
#[tokio::test]
async fn an_account_that_was_disabled_since_the_plan_was_made_stays_disabled() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let (house, file) =
        (&fixture.house, "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"ada\"\nlast_name = \"King\"\n");
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: house.clock.now() };
    let tenant = house.realm(&"acme".parse().expect("a code")).await.expect("reads").expect("is there").tenant();
    let named = async |connection: &mut storage::Connection| users::named(connection, tenant, "ada").await;
    let ada = async || house.db.read(named).await.expect("reads").expect("is there");
    let planned =
        async || plans_of(&desk, "a.toml", file, Path::new(""), Prune::Keep).await.expect("reads").expect("good");
    let (plans, before) = (planned().await, ada().await);
    let disabled = house
        .db
        .write(async |connection| accounts::set_status(&desk, connection, (&before, None), Status::Disabled).await);
    assert_eq!(disabled.await.expect("is stored"), Ok(true));
    let refused = carry_out(&desk, plans, Run::Real).await.expect_err("is refused");
    assert!(format!("{refused:#}").contains("somebody else changed it at the same moment"), "{refused:#}");
    let after = ada().await;
    assert_eq!((after.status, after.last_name.as_str()), (Status::Disabled, "Lovelace"));
    let plans = planned().await;
    let ended = house.db.write(async |connection| people::end_sessions(&desk, connection, &after).await);
    ended.await.expect("is stored");
    carry_out(&desk, plans, Run::Real).await.expect("applies");
    let last = ada().await;
    assert_eq!((last.status, last.last_name.as_str()), (Status::Disabled, "King"));
    assert_eq!(last.security_version, after.security_version + 1);
}

/// R-040: whoever is disabled by somebody who looked the account up a moment ago keeps what was changed since.
#[tokio::test]
async fn a_status_is_given_to_the_account_as_it_stands() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let house = &fixture.house;
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: house.clock.now() };
    let tenant = house.realm(&"acme".parse().expect("a code")).await.expect("reads").expect("is there").tenant();
    let named = async |connection: &mut storage::Connection| users::named(connection, tenant, "ada").await;
    let ada = async || house.db.read(named).await.expect("reads").expect("is there");
    let before = ada().await;
    let ada_king = "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"ada\"\nlast_name = \"King\"\n";
    fixture.apply(&format!("{ada_king}email = \"countess@acme.test\"\n")).await;
    let work = async |connection: &mut storage::Connection| {
        accounts::set_status(&desk, connection, (&before, None), Status::Disabled).await
    };
    assert_eq!(house.db.write(work).await.expect("is stored"), Ok(true));
    let after = ada().await;
    assert_eq!((after.status, after.last_name.as_str()), (Status::Disabled, "King"));
    assert_eq!(after.email.as_deref(), Some("countess@acme.test"));
}

/// AC-51, D4: no file leaves nobody who may do everything: not by disabling, not by pruning; but one that puts somebody else in the
/// place does so in whatever order it says it.
#[tokio::test]
async fn a_file_leaves_somebody_who_may_do_everything() {
    let fixture = Fixture::new().await;
    let boss = "[[tenant.operator]]\nusername = \"grace\"\nrole = \"Operator\"\n";
    fixture.apply(&format!("{ACME}{boss}")).await;
    let acme = "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"pilot\"\n";
    let user = |name: &str, enabled| format!("[[tenant.user]]\nusername = \"{name}\"\nenabled = {enabled}\n");
    let words = "somebody who can log in must keep the role `Operator`";
    let disabled = fixture.faults(&format!("{acme}{}", user("grace", false))).await;
    assert!(disabled.contains(&format!("line 7: tenant.user.enabled: {words}")), "{disabled}");
    let pruned = format!("{acme}{}", user("ada", true));
    let pruned = fixture.apply_with(&pruned, Run::Real, Prune::Remove).await.expect_err("faults").to_string();
    assert!(pruned.contains(&format!("line 1: tenant.operator: {words}")), "{pruned}");
    let idle = format!("{acme}{}{}", user("ada", false), boss.replace("grace", "ada"));
    let idle = fixture.apply_with(&idle, Run::Real, Prune::Remove).await.expect_err("faults").to_string();
    assert!(idle.contains(words), "{idle}");
    // Grace goes and Ada comes, in one file.
    let role = |name: &str, role: &str| format!("[[tenant.operator]]\nusername = \"{name}\"\nrole = \"{role}\"\n");
    let (grace, ada) = (role("grace", "Auditor"), role("ada", "Operator"));
    let changed = fixture.apply(&format!("{acme}{}{grace}{ada}", user("grace", false))).await;
    assert_eq!(
        changed,
        ["make ada an operator: Operator", "make grace an operator: Auditor", "change user grace: enabled"]
    );
    // Grace is an operator again, and cannot log in: Ada stays.
    fixture.apply(&format!("{acme}{}", role("grace", "Operator"))).await;
    let last = fixture.faults(&format!("{acme}{}", user("ada", false))).await;
    assert!(last.contains(words), "{last}");
    let changed = fixture.apply(&format!("{acme}{}{}", user("ada", false), user("grace", true))).await;
    assert_eq!(changed, ["change user grace: enabled", "change user ada: enabled"]);
}

#[tokio::test]
async fn all_faults_of_a_file_come_at_once_with_their_lines() {
    let fixture = Fixture::new().await;
    let found = fixture
        .faults(
            r#"[[tenant]]
code = "acme"
[[tenant.group]]
name = "pilot"
nmae = "pilot"
[[tenant.user]]
username = "ada"
email = "ada"
language = "tlh"
groups = ["crew"]
password_hash = "$2b$10$abc"
[[tenant.user.token]]
type = "app"
secret_base32 = "1"
digits = 7
[[tenant.application]]
name = "Notes"
assigned_to = "somebody"
[tenant.application.oidc]
client_id = "notes"
redirect_uris = ["http://notes.acme.test/"]
refresh_token_grace_seconds = 61
[[tenant.application]]
name = "Wiki"
[tenant.global_policy]
require = []
[tenant.self_provisioning]
target_users = "some"
windows_link = "installer"
[tenant.platforms.palm]
allowed = true
[tenant.platforms.web]
push = true
[tenant.token_template.app]
time_step_seconds = 31
[tenant.lockout]
threshold = "many"
"#,
        )
        .await;
    for expected in [
        "line 1: tenant.name: is missing",
        "line 5: tenant.group.nmae: unknown field `nmae`, expected `name`",
        "line 8: tenant.user.email: is not a mail address",
        "line 9: tenant.user.language: is not a language of ours: use en, de,",
        "line 10: tenant.user.groups: there is no group \"crew\"",
        "line 11: tenant.user.password_hash: must be an Argon2id hash",
        "line 13: tenant.user.token.type: must be \"oath_app\"",
        "line 14: tenant.user.token.secret_base32: must be base32 of 10 to 64 octets",
        "line 15: tenant.user.token.digits: must be 6 or 8",
        "line 18: tenant.application.assigned_to: must be \"everyone\" or { groups",
        "line 21: tenant.application.oidc.redirect_uris: \"http://notes.acme.test/\": an address begins with https://",
        "line 22: tenant.application.oidc.refresh_token_grace_seconds: must be from 0 to 60",
        "tenant.application: needs a table [tenant.application.oidc] or [tenant.application.saml]",
        "line 26: tenant.global_policy.require: must name at least one of \"password\", \"otp\"",
        "line 28: tenant.self_provisioning.target_users: unknown variant `some`, expected one of `all`, `members_of`",
        "tenant.self_provisioning.installer_url: is missing",
        "tenant.platforms.palm: is not a platform",
        "line 33: tenant.platforms.web.push: needs allowed = true",
        "line 35: tenant.token_template.app.time_step_seconds: must be 20 to 120 in steps of 10",
        "line 37: tenant.lockout.threshold: must be from 0 to 100",
    ] {
        assert!(found.contains(expected), "{expected}\n{found}");
    }
    let code = "acme".parse().expect("a code");
    assert!(fixture.house.realm(&code).await.expect("reads").is_none(), "nothing was changed");
}

/// The number that a question has as its answer.
async fn counted(house: &House, question: &'static str) -> Option<i64> {
    let found = house.db.read(async |connection| Statement::new(question).rows(connection).await).await;
    found.expect("reads").first().and_then(|row| row.number("n").ok()?)
}

/// R-600, K23, R-561: and the trail tells of it, once for each kind of secret.
#[tokio::test]
async fn the_key_encryption_key_is_rotated_without_losing_a_secret() {
    let fixture = Fixture::new().await;
    fixture.apply(ACME).await;
    let before = secrets(&fixture.house).await;
    let new = Sealer::new_key(&Entropy::System);
    let both = SecretString::from(format!("{}\n{}", new.expose_secret(), fixture.key.expose_secret()));
    assert!(opened(&fixture.folder, &new).await.is_err(), "the new key alone opens nothing yet");

    let house = opened(&fixture.folder, &both).await.expect("opens under both");
    let desk =
        Desk { house: &house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: house.clock.now() };
    // The root, six signing keys and one authenticator.
    assert_eq!(reseal::all(&desk).await.expect("moves"), 8);
    assert_eq!(reseal::all(&desk).await.expect("again"), 0, "K23: it may be run again and again");
    let told = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'key_rotated' AND object = 'key_encryption_key' \
                AND actor_kind = 'shell'";
    assert_eq!(counted(&house, told).await, Some(3), "the root, the signing keys and the authenticator");

    let house = opened(&fixture.folder, &new).await.expect("the old key is not needed any more");
    let after = secrets(&house).await;
    assert_eq!(before.len(), after.len());
    assert!(before.iter().zip(&after).all(|((_, old), (_, new))| new.same_as(old.expose())));
    assert!(opened(&fixture.folder, &fixture.key).await.is_err(), "the old key opens nothing any more");
}

/// R-599, R-561: and the trail tells of it. R-604: nor is forgotten when something was removed by its age last, by which a clock in the
/// wrong year is noticed.
#[tokio::test]
async fn a_restored_copy_accepts_no_passcode_that_may_have_been_used() {
    let fixture = Fixture::new().await;
    let event = ACME.replace(
        "period_seconds = 30",
        "period_seconds = 30\n[[tenant.user.token]]\ntype = \"oath_app\"\n\
        secret_base32 = \"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ\"\ncounter = 7",
    );
    fixture.apply(&event).await;
    let house = &fixture.house;
    let now = house.clock.now();
    let left = [
        "INSERT INTO ocra_challenge (tenant_id, owner_id, challenge, asked, used, expires_at) SELECT id, id, '12345678', 0, 0, 0 \
         FROM tenant",
        "INSERT INTO help_desk_code (tenant_id, user_id, code_hash, kind, state, created_by, created_at, expires_at) \
         SELECT tenant_id, id, 'x', 'pass', 'open', 'x', 0, 0 FROM user_account",
        "INSERT INTO recovery_sheet (tenant_id, id, user_id, codes_sealed, expires_at) SELECT id, id, id, x'00', 0 FROM tenant",
        "INSERT INTO job (tenant_id, id, kind, actor_kind, actor, actor_name, address, state, options, total, position, done, \
         failed, created_at) SELECT id, id, 'people', 'shell', 'x', 'x', '', 'running', '{}', 1, 0, 0, 0, 0 FROM tenant",
        "INSERT INTO job_row (tenant_id, job_id, number, name, input, detail) SELECT id, id, 1, 'x', '{}', '' FROM tenant",
        "INSERT INTO token_export (tenant_id, id, scope, asked_by, asked_at, approved_by, expires_at) \
         SELECT id, id, '{}', 'x', 0, 'y', 9000000000000000 FROM tenant",
        "INSERT INTO webhook_delivery (tenant_id, webhook_id, id, kind, body, state, tries, next_try_at, created_at) \
         SELECT id, id, id, 'x', '{}', 'waiting', 0, 0, 0 FROM tenant",
        "INSERT INTO lease (name, owner, fence, leased_until) VALUES ('purge', 'x', 1, 0), ('retention', 'x', 1, 0), \
         ('purge in doubt', 'x', 1, 0), ('rotation', 'x', 1, 9000000000000000)",
    ];
    for statement in left {
        let made = house.db.write(async |connection| Statement::new(statement).run(connection).await).await;
        assert!(made.expect("is made") > 0, "{statement}");
    }
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now };
    let suspended = restore::settle(&desk).await.expect("settles");
    for (question, expected) in [
        ("SELECT COUNT(*) AS n FROM ocra_challenge", 0),
        ("SELECT COUNT(*) AS n FROM help_desk_code WHERE state <> 'void'", 0),
        ("SELECT COUNT(*) AS n FROM recovery_sheet", 0),
        ("SELECT COUNT(*) AS n FROM user_account WHERE security_version < 2", 0),
        ("SELECT COUNT(*) AS n FROM job WHERE state <> 'stopped' OR ended_at IS NULL", 0),
        ("SELECT COUNT(*) AS n FROM job_row WHERE input IS NOT NULL", 0),
        ("SELECT COUNT(*) AS n FROM token_export WHERE expires_at > 0", 0),
        ("SELECT COUNT(*) AS n FROM webhook_delivery WHERE state <> 'failed' OR body <> ''", 0),
        ("SELECT COUNT(*) AS n FROM lease WHERE name IN ('purge', 'retention')", 2),
        ("SELECT COUNT(*) AS n FROM lease WHERE name NOT IN ('purge', 'retention')", 0),
        ("SELECT COUNT(*) AS n FROM audit_event WHERE action = 'database_restored' AND actor_kind = 'shell'", 1),
        ("SELECT COUNT(*) AS n FROM audit_event WHERE action = 'token_suspended' AND actor_kind = 'shell'", 1),
    ] {
        assert_eq!(counted(house, question).await, Some(expected), "{question}");
    }
    assert_eq!(suspended, 1, "what an event-based token has shown since cannot be known");
    let all = secrets(house).await;
    let (time, _) = all.iter().find(|(token, _)| token.state == tokens::State::Active).expect("the other one");
    assert!(time.last_position >= now.seconds() / 30, "the passcode that is shown now counts as used");
    assert!(time.last_position <= now.seconds() / 30 + 1, "and works again a minute later");
    let (event, _) = all.iter().find(|(token, _)| token.state == tokens::State::Suspended).expect("one");
    assert_eq!(event.last_position, 6, "counter = 7 is the next that is accepted");
}
