//! The real program as a process of its own, which can be killed, on the real databases.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use vestibule::demo::smtp::Mail;
use vestibule::storage::Db;
use vestibule::storage::statement::Statement;

use crate::browser::{Running, answers, free_port};
use crate::mariadb;
use crate::provisioning::link_in;
use crate::world::On;

/// Everything that outlives the process: database, keys, mails.
pub struct Service {
    pub database: String,
    folder: tempfile::TempDir,
    port: u16,
    /// Where others see it; a proxy may stand in between.
    public: u16,
}

impl Service {
    pub fn new(on: On) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match on {
            On::Sqlite => format!("sqlite://{}", folder.path().join("v.db").display()),
            On::MariaDb => mariadb::database(),
        };
        let port = free_port();
        Self { database, folder, port, public: port }
    }

    /// The same with something at `public` that hands on what comes.
    pub fn behind(on: On, public: u16) -> Self {
        Self { public, ..Self::new(on) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .env("VESTIBULE__DATABASE__URL", &self.database)
            .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", file("kek"))
            .env("VESTIBULE__MAIL__URL", format!("file://{}", file("mail")))
            .env("VESTIBULE__HTTP__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("VESTIBULE__HTTP__PUBLIC_URL", self.url())
            .env("VESTIBULE__PASSWORDS__MEMORY_KIB", "64")
            .env("VESTIBULE__PASSWORDS__PASSES", "1")
            .env("VESTIBULE__TELEMETRY__LEVEL", "error");
        command
    }

    /// Where it is for everybody.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.public)
    }

    /// The port on which it really listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it answers.
    pub async fn start(&self) -> Running {
        let child: Child = self.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let running = Running(child);
        answers(&format!("http://127.0.0.1:{}/healthz", self.port)).await;
        running
    }

    /// What a command prints that must go well.
    pub fn run(&self, arguments: &[&str]) -> String {
        let run = self.command(arguments).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
        String::from_utf8(run.stdout).unwrap()
    }

    /// Applies a file.
    pub fn apply(&self, file: &str) {
        let path = self.folder.path().join("acme.toml");
        std::fs::write(&path, file).unwrap();
        self.run(&["apply", &path.display().to_string()]);
    }

    /// The number `n` that a question gives.
    pub async fn number(&self, question: &'static str) -> i64 {
        let db = Db::connect(&self.database).await.unwrap();
        let rows = db.read(async |connection| Statement::new(question).rows(connection).await).await.unwrap();
        db.close().await;
        rows[0].number("n").unwrap().unwrap()
    }

    /// The mails to this address so far.
    fn mails(&self, address: &str) -> Vec<Mail> {
        let mut mails = Vec::new();
        for file in std::fs::read_dir(self.folder.path().join("mail")).into_iter().flatten() {
            let message = std::fs::read(file.unwrap().path()).unwrap_or_default();
            if String::from_utf8_lossy(&message).contains(address) {
                mails.push(Mail { to: address.to_owned(), message });
            }
        }
        mails
    }

    /// Waits for a mail to this address in which `find` finds something.
    async fn mailed<T>(&self, address: &str, find: impl Fn(&Mail) -> Option<T>) -> T {
        for _ in 0..200 {
            if let Some(found) = self.mails(address).iter().find_map(&find) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no such mail to {address}");
    }

    /// The page and the code in a mail to this address from which somebody enrolls.
    pub async fn link_to(&self, address: &str) -> (String, String) {
        self.mailed(address, |mail| mail.text().contains("/enroll/").then(|| link_in(&mail.text()))).await
    }

    /// The code in a mail to this address.
    pub async fn code_to(&self, address: &str) -> String {
        self.mailed(address, Mail::code).await
    }
}
