//! A real MariaDB server for the tests of this run: started once, one database for each test.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A server that ends with the test program.
struct Server {
    socket: PathBuf,
    port: u16,
    _folder: tempfile::TempDir,
    _keeper: Child,
}

/// Stays beside the server and ends it when the test program ends, however it ends: what is static is never dropped, and
/// a program that is killed drops nothing, but its end of the pipe is closed in any case. Then the folder goes, too.
const KEEPER: &str = "trap '' INT; folder=$1; shift; \"$@\" & server=$!; cat >/dev/null; kill $server; wait $server; \
                      rm -rf \"$folder\"";

static SERVER: OnceLock<Server> = OnceLock::new();
static NUMBER: Mutex<u32> = Mutex::new(0);

/// The address of a new, empty database.
pub fn database() -> String {
    let server = SERVER.get_or_init(start);
    let number = {
        let mut number = NUMBER.lock().unwrap();
        *number += 1;
        *number
    };
    let name = format!("house{number}");
    sql(server, &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
    format!("mysql://house:house@127.0.0.1:{}/{name}", server.port)
}

/// Runs statements in the database of this address, as its administrator.
pub fn run_in(database: &str, statements: &str) {
    let server = SERVER.get_or_init(start);
    let name = database.rsplit('/').next().unwrap();
    sql(server, &format!("USE {name}; {statements}"));
}

/// Ends a connection, if it is still there.
pub fn end(id: u64) {
    let server = SERVER.get_or_init(start);
    // Nothing is lost if the server has ended it meanwhile.
    client(server, &format!("KILL {id}"));
}

/// The connections to the database of this address that sleep in the middle of a statement.
pub fn sleeping_in(database: &str) -> Vec<u64> {
    let server = SERVER.get_or_init(start);
    let name = database.rsplit('/').next().unwrap();
    let question = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{name}' AND state = 'User sleep' AND info NOT LIKE \
         '%processlist%'"
    );
    let run = Command::new("mariadb")
        .args(["--no-defaults", "--user=root", &format!("--socket={}", server.socket.display()), "-N", "-e", &question])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().lines().map(|id| id.trim().parse().unwrap()).collect()
}

/// Stands between a service and the server. Closed, it breaks every connection, and no new one comes about.
pub struct Gate {
    port: u16,
    passing: Arc<Mutex<Passing>>,
}

struct Passing {
    open: bool,
    streams: Vec<TcpStream>,
}

impl Gate {
    pub fn new() -> Self {
        let server = SERVER.get_or_init(start).port;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passing = Arc::new(Mutex::new(Passing { open: true, streams: Vec::new() }));
        let its = Arc::clone(&passing);
        std::thread::spawn(move || {
            while let Ok((outside, _)) = listener.accept() {
                let mut passing = its.lock().unwrap();
                if !passing.open {
                    continue;
                }
                let Ok(inside) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                passing.streams.extend([outside.try_clone().unwrap(), inside.try_clone().unwrap()]);
                hand_on(outside.try_clone().unwrap(), inside.try_clone().unwrap());
                hand_on(inside, outside);
            }
        });
        Self { port, passing }
    }

    /// The address of a database behind the gate.
    pub fn to(&self, database: &str) -> String {
        database.replace(&format!(":{}/", SERVER.get_or_init(start).port), &format!(":{}/", self.port))
    }

    pub fn close(&self) {
        let mut passing = self.passing.lock().unwrap();
        passing.open = false;
        for stream in passing.streams.drain(..) {
            // One that has ended already is closed, too.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    pub fn open(&self) {
        self.passing.lock().unwrap().open = true;
    }
}

/// Hands on what comes, until one side ends.
fn hand_on(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
    });
}

fn start() -> Server {
    let folder = tempfile::Builder::new().prefix("house-mariadb").tempdir().unwrap();
    let data = folder.path().join("data");
    let install = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--user={}", user()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("mariadb-server is installed by ./test");
    assert!(install.success(), "mariadb-install-db failed");
    let socket = folder.path().join("socket");
    // A port that is free now; nobody else on this machine asks for one in the next moment.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(folder.path())
        .args([
            "mariadbd",
            "--no-defaults",
            "--bind-address=127.0.0.1",
            "--innodb-flush-log-at-trx-commit=1",
            "--max-connections=500",
        ])
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--socket={}", socket.display()))
        .arg(format!("--port={port}"))
        .arg(format!("--user={}", user()))
        .arg(format!("--pid-file={}", folder.path().join("pid").display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("there is a shell");
    let server = Server { socket, port, _folder: folder, _keeper: keeper };
    let begun = Instant::now();
    while !client(&server, "SELECT 1") {
        assert!(begun.elapsed() < Duration::from_secs(60), "MariaDB does not start");
        std::thread::sleep(Duration::from_millis(100));
    }
    sql(&server, "CREATE USER 'house'@'127.0.0.1' IDENTIFIED BY 'house'; GRANT ALL ON *.* TO 'house'@'127.0.0.1'");
    server
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".to_owned())
}

fn sql(server: &Server, statement: &str) {
    assert!(client(server, statement), "{statement}");
}

fn client(server: &Server, statement: &str) -> bool {
    let socket = format!("--socket={}", server.socket.display());
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--user=root", &socket, "-e", statement]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
