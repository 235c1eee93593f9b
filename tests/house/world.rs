//! A running service with everything around it: a database, a mail server, a clock in the test's hands.

use std::time::Duration;

use actix_web::web::Data;
use vestibule::app::{Nature, Schema, Service};
use vestibule::apply::plan::Prune;
use vestibule::apply::run::{Run, text};
use vestibule::clock::{Clock, Entropy, TestClock};
use vestibule::config::Settings;
use vestibule::demo::smtp::{self, Mail, Mailbox};
use vestibule::domain::audit::Actor;
use vestibule::domain::timestamp::Timestamp;
use vestibule::flow::administration::Desk;
use vestibule::http::Site;
use vestibule::storage::Db;
use vestibule::storage::statement::{Record, Statement};

use crate::mariadb;

/// Which database a story runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    MariaDb,
}

pub const BOTH: [On; 2] = [On::Sqlite, On::MariaDb];

/// The service.
pub struct World {
    /// Where it is, such as `http://127.0.0.1:4711`.
    pub url: String,
    pub site: Data<Site>,
    pub mail: Mailbox,
    pub clock: TestClock,
    pub database: String,
    folder: tempfile::TempDir,
    handle: actix_web::dev::ServerHandle,
    mail_at: std::net::SocketAddr,
}

impl World {
    /// A service with the tenant `acme`, see [`ACME`].
    pub async fn new(on: On) -> Self {
        let world = Self::empty(on).await;
        world.apply(ACME).await;
        world
    }

    /// A service with the tenant `acme` at the time that programs outside the test see, too.
    pub async fn at_this_time(on: On) -> Self {
        let world = Self::empty_at(on, Clock::System.now().seconds()).await;
        world.apply(ACME).await;
        world
    }

    pub async fn empty(on: On) -> Self {
        Self::empty_at(on, 1_800_000_000).await
    }

    /// A service on the database that the example `crowd` has made in a folder.
    pub async fn of_crowd(made: &std::path::Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(made.join("kek"), folder.path().join("kek")).unwrap();
        let database = format!("sqlite://{}", made.join("crowd.db").display());
        let clock = TestClock::at(Timestamp::from_seconds(Clock::System.now().seconds()));
        let (mail_at, mail) = smtp::start().await.unwrap();
        let (url, site, handle) = serve(&folder, &database, mail_at, &clock).await;
        Self { url, site, mail, clock, database, folder, handle, mail_at }
    }

    /// A service with the tenant `acme` on the database of this address.
    pub async fn of_database(database: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(Timestamp::from_seconds(1_800_000_000));
        let (mail_at, mail) = smtp::start().await.unwrap();
        let (url, site, handle) = serve(&folder, &database, mail_at, &clock).await;
        let world = Self { url, site, mail, clock, database, folder, handle, mail_at };
        world.apply(ACME).await;
        world
    }

    async fn empty_at(on: On, seconds: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match on {
            On::Sqlite => format!("sqlite://{}", folder.path().join("house.db").display()),
            On::MariaDb => mariadb::database(),
        };
        let clock = TestClock::at(Timestamp::from_seconds(seconds));
        let (mail_at, mail) = smtp::start().await.unwrap();
        let (url, site, handle) = serve(&folder, &database, mail_at, &clock).await;
        Self { url, site, mail, clock, database, folder, handle, mail_at }
    }

    /// Where the database and the key file of this world are.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A second instance on the same database, with the same clock.
    pub async fn second(&self) -> (String, Data<Site>) {
        let (url, site, _) = serve(&self.folder, &self.database, self.mail_at, &self.clock).await;
        (url, site)
    }

    /// Applies a file, or says what is wrong with it.
    pub async fn try_apply(&self, file: &str) -> Result<(), String> {
        let desk = Desk {
            house: &self.site.house,
            actor: Actor::Shell("test".to_owned()),
            address: String::new(),
            now: self.clock_now(),
        };
        let applied = text(&desk, ("test.toml", file), std::path::Path::new("."), Run::Real, Prune::Keep).await;
        self.site.house.forget_realms();
        applied.map(|_| ()).map_err(|error| format!("{error:#}"))
    }

    /// Behind the service's back: one statement with one value.
    pub async fn execute(&self, statement: &'static str, value: &str) {
        let db = Db::connect(&self.database).await.unwrap();
        db.write(async |connection| Statement::new(statement).bind(value).run(connection).await).await.unwrap();
        db.close().await;
    }

    /// The number `n` that a question gives.
    pub async fn number(&self, question: &'static str) -> i64 {
        self.peek(Statement::new(question)).await[0].number("n").unwrap().unwrap()
    }

    /// The text `t` of the first row that a question gives.
    pub async fn text(&self, question: &'static str) -> String {
        self.peek(Statement::new(question)).await[0].text("t").unwrap().unwrap().to_owned()
    }

    /// What the database says, asked by somebody else than the service.
    async fn peek(&self, question: Statement) -> Vec<Record> {
        let db = Db::connect(&self.database).await.unwrap();
        let rows = db.read(async |connection| question.rows(connection).await).await.unwrap();
        db.close().await;
        rows
    }

    /// A command as a program of its own on the same database.
    pub fn shell(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .env("VESTIBULE__DATABASE__URL", &self.database)
            .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", self.folder.path().join("kek"));
        command
    }

    /// What a help desk command prints, run as a program of its own on the same database.
    pub fn command(&self, arguments: &[&str]) -> String {
        self.command_with(arguments, "")
    }

    /// The same, with something on its standard input.
    pub fn command_with(&self, arguments: &[&str], input: &str) -> String {
        let run = self.run(arguments, input);
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    /// What a help desk command says that is refused.
    pub fn refused(&self, arguments: &[&str]) -> String {
        self.refused_command(arguments, "")
    }

    /// What a help desk command that is refused says.
    pub fn refused_command(&self, arguments: &[&str], input: &str) -> String {
        let run = self.run(arguments, input);
        assert_eq!(run.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&run.stdout));
        String::from_utf8(run.stderr).unwrap()
    }

    /// What becomes of a help desk command.
    pub fn tried(&self, arguments: &[&str]) -> std::process::Output {
        self.run(arguments, "")
    }

    fn run(&self, arguments: &[&str], input: &str) -> std::process::Output {
        use std::io::Write as _;
        let mut child = self
            .shell(arguments)
            // Where the kernel does not know who logged in, and whoever runs this is root, the trail needs a name.
            .env("LOGNAME", "tester")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may have ended already.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// The same, whether it goes well or not; and what was said.
    pub fn tried_with(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let run = self.run(arguments, input);
        (run.status.success(), String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned())
    }

    /// The desk of an operator. At the shell the kernel says who somebody is, so a test cannot be two people there.
    pub fn desk(&self, operator: &str) -> Desk<'_> {
        Desk {
            house: &self.site.house,
            actor: Actor::Shell(operator.to_owned()),
            address: String::new(),
            now: self.clock_now(),
        }
    }

    pub async fn apply(&self, file: &str) {
        let desk = self.desk("test");
        text(&desk, ("test.toml", file), std::path::Path::new("."), Run::Real, Prune::Keep).await.unwrap();
        self.site.house.forget_realms();
    }

    /// What applying a file says: its changes, or what is wrong with it.
    pub async fn apply_says(&self, file: &str) -> String {
        let desk = self.desk("test");
        let applied = text(&desk, ("test.toml", file), std::path::Path::new("."), Run::Real, Prune::Keep).await;
        self.site.house.forget_realms();
        match applied {
            Ok(reports) => reports.into_iter().flat_map(|report| report.changes).collect::<Vec<_>>().join("\n"),
            Err(error) => format!("{error:#}"),
        }
    }

    pub fn clock_now(&self) -> Timestamp {
        self.site.house.clock.now()
    }

    /// Seals every event of `acme`, up to the hand of the clock.
    pub async fn seal(&self) {
        let (house, tenant, now) = (&self.site.house, self.tenant().await, self.clock_now());
        for _ in 0..200 {
            vestibule::flow::audit_trail::seal_until(house, tenant, now, now).await.unwrap();
            let open = "SELECT (SELECT COUNT(*) FROM audit_event WHERE tenant_id = tenant.id) \
                - (SELECT COUNT(*) FROM audit_link WHERE tenant_id = tenant.id) AS n FROM tenant WHERE code = 'acme'";
            if self.number(open).await == 0 {
                return;
            }
            // The service does it, too, and one of the two gives way.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("events are not sealed");
    }

    /// The tenant `acme`, as the database knows it.
    pub async fn tenant(&self) -> vestibule::domain::ids::TenantId {
        self.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap().tenant()
    }

    /// Turns the clock to the time that programs outside the test see: what they have written is not in the future then.
    pub fn catch_up(&self) {
        self.clock.advance(Clock::System.now().since(self.clock_now()) + Duration::from_secs(1));
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The column `it` of every row that `question` finds.
    pub async fn column(&self, question: &'static str) -> Vec<String> {
        let rows = self.peek(Statement::new(question)).await;
        rows.iter().map(|row| row.text("it").unwrap().unwrap().to_owned()).collect()
    }

    /// How many audit events of one kind there are.
    pub async fn events(&self, action: &str) -> i64 {
        let question = Statement::new("SELECT COUNT(*) AS events FROM audit_event WHERE action = ?").bind(action);
        self.peek(question).await[0].number("events").unwrap().unwrap()
    }

    pub fn base(&self) -> String {
        format!("{}/t/acme", self.url)
    }

    /// Waits for the `number`-th mail to `address`.
    pub async fn mail(&self, address: &str, number: usize) -> Mail {
        for _ in 0..200 {
            if let Some(mail) = self.mail.to(address).get(number - 1) {
                return mail.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no mail number {number} to {address}");
    }

    /// The codes that were mailed to `address` so far, oldest first; other letters may come in between, and late.
    pub fn codes(&self, address: &str) -> Vec<String> {
        self.mail.to(address).iter().filter_map(|mail| mail.code()).collect()
    }

    /// Waits for the code that is mailed to `address` after `before` others.
    pub async fn code(&self, address: &str, before: usize) -> String {
        for _ in 0..200 {
            if let Some(code) = self.codes(address).get(before) {
                return code.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no code number {} to {address}", before + 1);
    }

    /// Waits for a letter to `address` whose subject says this, and gives how many there are.
    pub async fn letters(&self, address: &str, subject: &str) -> usize {
        let told = || self.mail.to(address).iter().filter(|mail| mail.subject().contains(subject)).count();
        for _ in 0..200 {
            if told() > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        told()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn serve(
    folder: &tempfile::TempDir,
    database: &str,
    mail: std::net::SocketAddr,
    clock: &TestClock,
) -> (String, Data<Site>, actix_web::dev::ServerHandle) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let variables = [
        ("VESTIBULE__HTTP__PUBLIC_URL", url.clone()),
        ("VESTIBULE__HTTP__WORKERS", "2".to_owned()),
        ("VESTIBULE__HTTP__DRAIN_SECONDS", "0".to_owned()),
        // Where tests listen for calls of ours; [::1] stays refused (T-52).
        ("VESTIBULE__EGRESS__ALLOW", "127.0.0.1/32".to_owned()),
        ("VESTIBULE__DATABASE__URL", database.to_owned()),
        // Applications that are called from here run in the tests.
        ("VESTIBULE__EGRESS__ALLOW", "127.0.0.0/8".to_owned()),
        ("VESTIBULE__MAIL__URL", format!("smtp://{mail}")),
        ("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", folder.path().join("kek").display().to_string()),
        // Tests hash hundreds of passwords; how strong the hashes are is tested elsewhere.
        ("VESTIBULE__PASSWORDS__MEMORY_KIB", "64".to_owned()),
        ("VESTIBULE__PASSWORDS__PASSES", "1".to_owned()),
    ];
    let settings = Settings::load(None, variables.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let nature = Nature { clock: Clock::Test(clock.clone()), entropy: Entropy::System };
    // A thread with a runtime of its own, like a process: it ends when it is told to or with the program, and a
    // test that fails does not tear it down in the middle of something.
    let (ready, started) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let service = Service::start(&settings, listener, Schema::Migrate, nature).await.unwrap();
            let _ = ready.send((service.site.clone(), service.handle()));
            service.run().await.unwrap();
        });
    });
    let (site, handle) = started.await.unwrap();
    (url, site, handle)
}

/// The tenant of most stories.
pub const ACME: &str = r#"
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
password = "correct horse battery staple"
groups = ["pilot"]

[[tenant.user]]
username = "barbara"
email = "barbara@acme.test"
password = "not in the rollout"

[[tenant.user]]
username = "linus"
email = "linus@acme.test"
password = "has a token already"
groups = ["pilot"]
[[tenant.user.token]]
type = "oath_app"
secret_base32 = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
algorithm = "SHA1"
digits = 6
period_seconds = 30

[[tenant.application]]
name = "Notes"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "notes"
client_secret = "a secret of notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]

[[tenant.application]]
name = "Wiki"
[tenant.application.saml]
entity_id = "https://wiki.example.com/sp"
acs_urls = ["https://wiki.example.com/acs"]
name_id_format = "persistent"
attributes = [{ name = "mail", source = "email" }, { name = "uid", source = "username" }]

[tenant.global_policy]
require = ["password", "otp"]

[tenant.self_provisioning]
target_users = "members_of"
groups = ["pilot"]

[tenant.platforms.ios]
allowed = true
[tenant.platforms.android]
allowed = true
[tenant.platforms.windows]
allowed = true
[tenant.platforms.command_line]
allowed = true
[tenant.platforms.oath_app]
allowed = true
"#;
