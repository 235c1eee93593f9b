//! Enrollment by mail while the service is killed again and again (K11 to K14): the real program, the real databases.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vestibule::demo::smtp::Mail;
use vestibule::storage::Db;
use vestibule::storage::statement::Statement;

use crate::abuse::Device;
use crate::browser::{Running, answers, free_port};
use crate::mariadb;
use crate::provisioning::link_in;
use crate::visitor::Visitor;
use crate::world::{BOTH, On};

/// How often the service is killed while a device enrolls, on each database.
const ROUNDS: usize = 10;

struct Service<'a> {
    folder: &'a Path,
    database: String,
    port: u16,
}

impl Service<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .env("VESTIBULE__DATABASE__URL", &self.database)
            .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", file("kek"))
            .env("VESTIBULE__MAIL__URL", format!("file://{}", file("mail")))
            .env("VESTIBULE__HTTP__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("VESTIBULE__HTTP__PUBLIC_URL", self.url())
            .env("VESTIBULE__PASSWORDS__MEMORY_KIB", "64")
            .env("VESTIBULE__TELEMETRY__LEVEL", "error");
        command
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn start(&self) -> Running {
        let child: Child = self.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running(child);
        answers(&format!("{}/healthz", self.url())).await;
        running
    }

    fn run(&self, arguments: &[&str]) -> String {
        let run = self.command(arguments).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    async fn number(&self, question: &'static str) -> i64 {
        let db = Db::connect(&self.database).await.unwrap();
        let rows = db.read(async |connection| Statement::new(question).rows(connection).await).await.unwrap();
        db.close().await;
        rows[0].number("n").unwrap().unwrap()
    }

    /// The newest mail with a link to this address.
    async fn mail(&self, address: &str) -> (String, String) {
        for _ in 0..200 {
            for file in std::fs::read_dir(self.folder.join("mail")).into_iter().flatten() {
                let message = std::fs::read(file.unwrap().path()).unwrap_or_default();
                let is_for = String::from_utf8_lossy(&message).contains(address);
                let parsed = Mail { to: address.to_owned(), message };
                if is_for && parsed.text().contains("/enroll/") {
                    return link_in(&parsed.text());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no mail to {address}");
    }
}

/// A device enrolls by mail; somewhere on its way the service is killed and started again, once or twice. Whatever the
/// moment: the device repeats what was not answered, is given the same answer, and there is one authenticator, which the
/// task knows, never two and never half a one.
/// K11, K12, K13, K14, R-196, R-598.
#[actix_web::test]
async fn a_killed_service_leaves_no_half_authenticator() {
    let mut rng = StdRng::seed_from_u64(5);
    for on in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let database = match on {
            On::Sqlite => format!("sqlite://{}", folder.path().join("v.db").display()),
            On::MariaDb => mariadb::database(),
        };
        let service = Service { folder: folder.path(), database, port: free_port() };
        let mut file =
            "[[tenant]]\ncode = \"acme\"\nname = \"Acme\"\n[tenant.platforms.command_line]\nallowed = true\n"
                .to_owned();
        for number in 0..ROUNDS {
            file += &format!("[[tenant.user]]\nusername = \"u{number}\"\nemail = \"u{number}@acme.test\"\n");
        }
        std::fs::write(folder.path().join("acme.toml"), file).unwrap();
        service.run(&["apply", &folder.path().join("acme.toml").display().to_string()]);
        for number in 0..ROUNDS {
            service.run(&["provision", "create", "--user", &format!("u{number}")]);
        }
        let mut running = service.start().await;
        for number in 0..ROUNDS {
            let link = service.mail(&format!("u{number}@acme.test")).await;
            let device = Device::new(&string_of(&service, &link).await, "command_line");
            let enrolls = async {
                let (status, claimed) = device.claim().await;
                assert_eq!(status, 200, "{on:?}, round {number}, K11, K13: {claimed}");
                let (status, _) = device.confirm(&claimed).await;
                assert_eq!(status, 200, "{on:?}, round {number}, K12, K14");
            };
            let kills = async {
                // Somewhere between the first request and the last answer, and now and then before or after both.
                for _ in 0..rng.random_range(1..=2) {
                    tokio::time::sleep(Duration::from_millis(rng.random_range(0..60))).await;
                    let _ = running.0.kill();
                    let _ = running.0.wait();
                    running = service.start().await;
                }
            };
            tokio::join!(enrolls, kills);
            let expected = i64::try_from(number).unwrap() + 1;
            assert_eq!(service.number("SELECT COUNT(*) AS n FROM token").await, expected, "{on:?}: one for each");
            let taken = service
                .number("SELECT COUNT(*) AS n FROM reservation JOIN token ON token.id = reservation.token_id AND token.user_id = reservation.user_id")
                .await;
            assert_eq!(taken, expected, "{on:?}: and the task knows it (K12)");
        }
        let open = service.number("SELECT COUNT(*) AS n FROM enrollment WHERE state = 'open'").await;
        assert_eq!(open, 0, "{on:?}: nothing half is left");
    }
}

/// Opens the link and takes the activation string of the page.
async fn string_of(service: &Service<'_>, (page, code): &(String, String)) -> String {
    let mut visitor = Visitor::new(&service.url());
    let seen = visitor.get(page).await;
    let seen = visitor.press(&seen, "start", &[("code", code)]).await;
    let seen = visitor.press(&seen, "platform-command_line", &[]).await;
    seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{}", seen.body))
}
