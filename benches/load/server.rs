//! The processes that are measured: the service, the database server beside it, a bare web server. And how much of
//! the processor and of the memory they take, as the kernel counts it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

/// Ticks of the kernel's clock in a second: `USER_HZ`, the same on every Linux that runs this.
const TICKS: f64 = 100.0;
/// How long a start may take.
const LONGEST_START: Duration = Duration::from_secs(60);
/// How long an end may take.
const LONGEST_END: Duration = Duration::from_secs(60);

/// The database behind the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    MariaDb,
}

impl Database {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::MariaDb => "MariaDB",
        }
    }
}

/// A child process that ends with its owner.
#[derive(Debug)]
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Memory of a process in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub pss: f64,
    pub rss: f64,
}

/// The service with all that it needs, in a temporary folder.
#[derive(Debug)]
pub struct Server {
    pub url: String,
    folder: tempfile::TempDir,
    address: SocketAddr,
    mail: SocketAddr,
    program: PathBuf,
    mariadb: Option<MariaDb>,
    running: Option<Guard>,
}

impl Server {
    /// A service that is not running yet, with its own empty database; `program` is its program, if it is not the one
    /// that was built along with this bench.
    pub fn new(database: Database, mail: SocketAddr, program: Option<&Path>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vestibule-bench").tempdir()?;
        let mariadb = match database {
            Database::Sqlite => None,
            Database::MariaDb => Some(MariaDb::start()?),
        };
        let address = free_address()?;
        let program = std::path::absolute(program.unwrap_or(Path::new(env!("CARGO_BIN_EXE_vestibule"))))?;
        let url = format!("http://{address}");
        Ok(Self { url, folder, address, mail, program, mariadb, running: None })
    }

    /// Applies a file, as an operator would.
    pub fn apply(&self, text: &str) -> Result<()> {
        let path = self.folder.path().join("bench.toml");
        std::fs::write(&path, text)?;
        let out = self.command().arg("apply").arg(&path).output()?;
        ensure!(out.status.success(), "apply: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    }

    /// Starts the service; says how long it took until it was ready.
    pub fn start(&mut self) -> Result<Duration> {
        let log = std::fs::File::create(self.folder.path().join("log"))?;
        let mut command = self.command();
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let begun = Instant::now();
        let child = Guard(command.spawn()?);
        while !is_ready(self.address, "/readyz") {
            if begun.elapsed() > LONGEST_START {
                bail!("the service does not start: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = begun.elapsed();
        self.running = Some(child);
        Ok(took)
    }

    /// Ends the service at once; its database stays.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Ends the service as an operator does, by SIGTERM, and waits for it: a program that was built to see what it does
    /// (`scripts/release`) writes that down only then.
    pub fn end(mut self) -> Result<()> {
        let Guard(child) = self.running.as_mut().context("the service does not run")?;
        ensure!(
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?.success(),
            "no SIGTERM was sent"
        );
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "the service ended with {status}: {}", self.log());
                return Ok(());
            }
            ensure!(begun.elapsed() < LONGEST_END, "the service does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Processor seconds that the service and its database server have taken.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let service = cpu_seconds(self.pid()?)?;
        let database = self.mariadb.as_ref().map_or(Ok(0.0), |mariadb| cpu_seconds(mariadb.child.0.id()))?;
        Ok(service + database)
    }

    /// The service's memory now.
    pub fn memory(&self) -> Result<Memory> {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()?))?;
        let mib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).map(|kib| kib / 1024.0)
        };
        Ok(Memory { pss: mib("Pss:").context("no Pss")?, rss: mib("Rss:").context("no Rss")? })
    }

    /// The size of its program in MiB.
    pub fn program_mib(&self) -> Result<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a size in MiB with one digit behind the point")]
        let octets = std::fs::metadata(&self.program)?.len() as f64;
        Ok(octets / 1024.0 / 1024.0)
    }

    fn pid(&self) -> Result<u32> {
        Ok(self.running.as_ref().context("the service does not run")?.0.id())
    }

    /// What the service wrote to its log: warnings and errors are of interest after a failed row.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        let database = match &self.mariadb {
            None => format!("sqlite://{}", place("vestibule.db")),
            Some(mariadb) => mariadb.url(),
        };
        // Everything else is the default, as shipped: log level info, one worker for each core.
        command
            .env("VESTIBULE__HTTP__LISTEN", self.address.to_string())
            .env("VESTIBULE__HTTP__PUBLIC_URL", &self.url)
            .env("VESTIBULE__DATABASE__URL", database)
            .env("VESTIBULE__MAIL__URL", format!("smtp://{}", self.mail))
            .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", place("kek"));
        command
    }
}

/// A MariaDB server in a folder of its own, as durable as its default.
#[derive(Debug)]
struct MariaDb {
    port: u16,
    child: Guard,
    _folder: tempfile::TempDir,
}

impl MariaDb {
    fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vestibule-bench-mariadb").tempdir()?;
        let (data, socket) = (folder.path().join("data"), folder.path().join("socket"));
        let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
        let install = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--user={user}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("mariadb-server is installed by ./test")?;
        ensure!(install.success(), "mariadb-install-db failed");
        let port = free_address()?.port();
        let child = Command::new("mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=1"])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--user={user}"))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("mariadb-server is installed by ./test")?;
        let server = Self { port, child: Guard(child), _folder: folder };
        let begun = Instant::now();
        while !said(&socket, "SELECT 1") {
            ensure!(begun.elapsed() < LONGEST_START, "MariaDB does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        let set_up = "CREATE DATABASE bench CHARACTER SET utf8mb4; \
                      CREATE USER 'house'@'127.0.0.1' IDENTIFIED BY 'house'; GRANT ALL ON *.* TO 'house'@'127.0.0.1'";
        ensure!(said(&socket, set_up), "MariaDB cannot be set up");
        Ok(server)
    }

    fn url(&self) -> String {
        format!("mysql://house:house@127.0.0.1:{}/bench", self.port)
    }
}

fn said(socket: &Path, statement: &str) -> bool {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--user=root", "-e", statement]).arg(format!("--socket={}", socket.display()));
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What the bare web server says: as much as a discovery document.
pub const HELLO: [u8; 1400] = [b'x'; 1400];

/// A web server of nothing but the framework: this very program in another process.
#[derive(Debug)]
pub struct Hello {
    pub url: String,
    child: Guard,
}

impl Hello {
    pub fn start() -> Result<Self> {
        let address = free_address()?;
        let child = Command::new(std::env::current_exe()?).args(["--hello", &address.to_string()]).spawn()?;
        let child = Guard(child);
        let begun = Instant::now();
        while !is_ready(address, "/") {
            ensure!(begun.elapsed() < LONGEST_START, "the bare web server does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { url: format!("http://{address}"), child })
    }

    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.0.id())
    }

    /// What that other process does.
    pub fn serve(address: &str) -> Result<()> {
        let hello = async || actix_web::HttpResponse::Ok().body(&HELLO[..]);
        let factory = move || actix_web::App::new().route("/", actix_web::web::get().to(hello));
        let server = async { actix_web::HttpServer::new(factory).bind(address)?.run().await };
        Ok(actix_web::rt::System::new().block_on(server)?)
    }
}

/// User and system time of a process and its threads, dead ones among them (proc(5), fields 14 and 15).
fn cpu_seconds(pid: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("/proc/…/stat has no name")?;
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/…/stat has no times")?;
    Ok((user + system) / TICKS)
}

/// A port that is free now; nobody else on this machine asks for one in the next moment.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn is_ready(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}
