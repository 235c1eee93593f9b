//! Files of other systems: tokens and people in and out (part 7 of A17 and A31), at the shell and with other people's
//! programs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use vestibule::domain::oath::alphabet::Alphabet;
use vestibule::domain::oath::{Algorithm, hotp, totp};
use vestibule::domain::secret::SecretBytes;
use vestibule::flow::administration::Desk;
use vestibule::flow::administration::token_exports::{self, Refusal};

use crate::story::{after_password, code_of};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

const KEY: &str = "12345678901234567890123456789012";
/// The secret in the examples of RFC 6030.
const SECRET: &[u8] = b"12345678901234567890";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for files, and the shell beside a running service.
struct Shell<'a> {
    world: &'a World,
    folder: tempfile::TempDir,
}

impl<'a> Shell<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Runs a command with something on standard input.
    fn run(&self, arguments: &[&str], typed: &str) -> Output {
        let mut child = self
            .world
            .shell(arguments)
            // Where the kernel does not know who logged in, and whoever runs this is root, the trail needs a name.
            .env("LOGNAME", "tester")
            .env("VESTIBULE__TELEMETRY__LEVEL", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever refuses its arguments does not read.
        drop(child.stdin.take().unwrap().write_all(typed.as_bytes()));
        child.wait_with_output().unwrap()
    }

    /// What a command prints that has nothing to complain of.
    fn good(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments, "");
        let told = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success(), "{arguments:?}: {told}{}", String::from_utf8_lossy(&run.stderr));
        told
    }

    /// What a command prints, whatever it thinks of it.
    fn told(&self, arguments: &[&str]) -> (bool, String) {
        let run = self.run(arguments, "");
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        (run.status.success(), format!("{out}{err}"))
    }
}

fn corpus(name: &str) -> String {
    root().join("tests/corpus/import").join(name).display().to_string()
}

/// a maker's container goes into the inventory or to people; each record that is not taken has a line; the second
/// time nothing is taken; nothing is stored by a dry run.
#[actix_web::test]
async fn tokens_come_from_containers() {
    for on in BOTH {
        let world = World::new(on).await;
        let shell = Shell::new(&world);
        let key = shell.file("key", KEY);
        let import = ["token", "import", &corpus("pre-shared.pskc.xml"), "--key-file", &key];
        let dry = shell.good(&[&import[..], &["--dry-run"]].concat());
        assert!(dry.contains("1 into the inventory") && dry.contains("nothing was changed"), "{on:?}: {dry}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE kind = 'oath'").await, 0, "{on:?}");
        assert!(shell.good(&import).contains("1 into the inventory, 0 to people, 0 rejected"), "{on:?}");
        let (good, again) = shell.told(&import);
        assert!(!good && again.contains("record 1 (987654321): is there already"), "{on:?}: {again}");

        let run = shell.run(&["token", "import", &corpus("password.pskc.xml"), "--password-stdin"], "wrong\n");
        let told = String::from_utf8_lossy(&run.stderr).into_owned() + &String::from_utf8_lossy(&run.stdout);
        assert!(!run.status.success() && told.contains("password is wrong"), "{on:?}: {told}");

        // One is of somebody who has an account; another record has the serial number of the one above.
        let plain = corpus("plain.pskc.xml");
        let (good, json) = shell.told(&["token", "import", &plain, "--assign-column", "--json"]);
        let report: Value = serde_json::from_str(&json).unwrap();
        assert!(!good && report["assigned"] == 1 && report["rejected"] == 1, "{on:?}: {report}");
        assert_eq!(report["results"][0]["record"], "record 1", "{on:?}");
        assert_eq!(world.events("token_imported").await, 3, "{on:?}: one of the apply file, two of ours");
        world.stop().await;
    }
}

/// a hardware token from a table works in the login of the person it was given to, and its passcode counts
/// once.
#[actix_web::test]
async fn an_imported_token_opens_a_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let shell = Shell::new(&world);
        let table = shell.file(
            "tokens.csv",
            "upn,serial number,secret key,time interval,manufacturer,model\n\
             barbara,hw-1,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,60,Maker,Key\n\
             nobody,hw-2,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,60,Maker,Key\n\
             ada,HW-1,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,60,Maker,Key\n\
             ada,hw-4,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,45,Maker,Key\n",
        );
        let (good, told) = shell.told(&["token", "import", &table, "--assign-column"]);
        for words in [
            "line 3 (HW-2): is for somebody who has no account here",
            "line 4 (HW-1): has the serial number of line 2",
            "line 5 (HW-4): has a time step in seconds that must be",
            "0 into the inventory, 1 to people, 3 rejected",
        ] {
            assert!(!good && told.contains(words), "{on:?}: {words}: {told}");
        }
        let mut barbara = Visitor::new(&world.url);
        let seen = after_password(&world, &mut barbara, "barbara", "not in the rollout").await;
        let step = u64::try_from(totp::step_at(world.clock_now(), 60)).unwrap();
        let code = hotp::passcode(&SecretBytes::new(SECRET.to_vec()), Algorithm::Sha1, 6, step);
        let done = barbara.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&done).0.is_empty(), "{on:?}: {}", done.body);
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "barbara", "not in the rollout").await;
        let refused = again.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!refused.complaint().is_empty(), "{on:?}: a passcode counts once");
        world.stop().await;
    }
}

/// RFC 6030 section 4.3.4.2: passcodes in other characters than digits come with tables and containers, work in
/// a login, and go out again as what they are; what nobody can type is rejected with its reason, and the report says that no
/// standard tells how such passcodes come about.
#[actix_web::test]
async fn imported_passcodes_are_written_as_the_file_says() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.tokens]\nmax_per_user = 3\n").await;
        let shell = Shell::new(&world);
        let table = shell.file(
            "tokens.csv",
            "serial,secret,username,type,digits,counter,encoding\n\
             HEX1,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,barbara,hotp,8,0,hexadecimal\n\
             B32,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,barbara,hotp,8,0,base32\n\
             B64,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,barbara,hotp,8,0,base64\n\
             DEC,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,,hotp,8,0,\n\
             ODD,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ,,hotp,8,0,morse\n",
        );
        let (good, told) = shell.told(&["token", "import", &table, "--assign-column"]);
        for words in [
            "line 6 (ODD): has an encoding that is not decimal, hexadecimal, base32 (alphanumeric) or base64",
            "note: 3 have passcodes that are no decimal digits",
            "1 into the inventory, 3 to people, 1 rejected",
        ] {
            assert!(!good && told.contains(words), "{on:?}: {words}: {told}");
        }
        let secret = SecretBytes::new(SECRET.to_vec());
        for alphabet in [Alphabet::Hexadecimal, Alphabet::Base32, Alphabet::Base64] {
            let mut barbara = Visitor::new(&world.url);
            let seen = after_password(&world, &mut barbara, "barbara", "not in the rollout").await;
            let code = alphabet.passcode(&secret, Algorithm::Sha1, 8, 0);
            let done = barbara.press(&seen, "continue", &[("code", &code)]).await;
            assert!(!code_of(&done).0.is_empty(), "{on:?} {alphabet:?} {code}: {}", done.body);
        }
        // Out and in again.
        let listed = shell.good(&["token", "export", "--kind", "oath"]);
        assert!(listed.lines().any(|line| line.starts_with("HEX1,") && line.ends_with(",hexadecimal")), "{listed}");
        let (id, key) =
            (request_of(&shell.good(&["token", "export", "--secrets", "--kind", "oath"])), shell.file("key", KEY));
        let (tenant, second, number) = (world.tenant().await, world.desk("second"), id.parse().unwrap());
        let work = async |connection: &mut _| token_exports::approve(&second, connection, tenant, number).await;
        world.site.house.db.write(work).await.unwrap().unwrap();
        let out = shell.path("out.xml");
        let carry_out =
            ["token", "export", "--secrets", "--request", &id, "--output", &out, "--key-file", &key, "--json"];
        let done: Value = serde_json::from_str(&shell.good(&carry_out)).unwrap();
        assert_eq!(done["tokens"], 4, "{on:?}: {done}");
        let people: Value = serde_json::from_str(&shell.good(&["user", "export", "--json"])).unwrap();
        assert_eq!(people.as_array().map(Vec::len), Some(3), "{on:?}: {people}");
        let written = shell.read("out.xml");
        for named in ["HEXADECIMAL", "ALPHANUMERIC", "BASE64", "DECIMAL"] {
            assert!(written.contains(&format!("Encoding=\"{named}\"")), "{on:?} {named}: {written}");
        }
        world.execute("DELETE FROM token WHERE kind = ?", "oath").await;
        shell.good(&["token", "import", &out, "--key-file", &key]);
        let templates = "SELECT template AS it FROM token WHERE kind = 'oath'";
        let kept = world.column(templates).await.join("\n");
        for alphabet in ["hexadecimal", "base32", "base64"] {
            assert!(kept.contains(&format!("\"alphabet\":\"{alphabet}\"")), "{on:?} {alphabet}: {kept}");
        }
        world.stop().await;
    }
}

/// R-579, T-73, AC-52: people come from a table, once and for all; what goes out is no formula and comes in again.
#[actix_web::test]
async fn people_come_from_tables() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let shell = Shell::new(&world);
        let hash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
        let table = shell.file(
            "people.csv",
            &format!(
                "username,email,first_name,last_name,language,enabled,groups,password_hash\n\
                 \"'=cmd|' /C calc'!A0\",x@acme.test,,,,,,\n\
                 Ada,new@acme.test,,Byron,,,pilot;board,\n\
                 carol,carol@acme.test,Carol,C,de,no,board,\"{hash}\"\n\
                 dave,nobody,,,,,,\n\
                 erin,,,,xx,,,\n\
                 frank,,,,,,,secret\n\
                 ADA,,,,,,,\n"
            ),
        );
        let (good, told) = shell.told(&["user", "import", &table]);
        for words in [
            "line 3 (Ada): rejected: there is no group \"board\"; --groups create makes it",
            "line 4 (carol): rejected: there is no group \"board\"",
            "line 5 (dave): rejected: the address is not a mail address",
            "line 6 (erin): rejected: the language",
            "line 7 (frank): rejected: the password's hash",
            "1 created, 0 changed, 1 unchanged, 0 kept, 5 rejected",
        ] {
            assert!(!good && told.contains(words), "{on:?}: {words}: {told}");
        }
        let (_, dry) = shell.told(&["user", "import", &table, "--groups", "create", "--dry-run"]);
        assert!(dry.contains("line 4 (carol): created") && dry.contains("group board: created"), "{on:?}: {dry}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM user_group").await, 1, "{on:?}");
        let (_, told) = shell.told(&["user", "import", &table, "--groups", "create"]);
        assert!(told.contains("line 3 (Ada): changed: email, last_name, groups"), "{on:?}: {told}");
        assert!(told.contains("line 8 (ADA): rejected: stands in line 3 already"), "{on:?}: {told}");
        // the old address hears of it. The command's clock is the machine's, which has gone on.
        world.advance(120);
        world.mail("ada@acme.test", 1).await;
        assert_eq!(world.events("user_created").await, 5, "{on:?}: three of the file, two of the table");
        let (_, again) = shell.told(&["user", "import", &table, "--quiet"]);
        assert!(again.contains("0 created, 0 changed, 3 unchanged, 0 kept, 4 rejected"), "{on:?}: {again}");
        assert!(!again.contains("(carol)"), "{on:?} --quiet: {again}");

        let out = shell.path("out.csv");
        shell.good(&["user", "export", "--output", &out]);
        let text = shell.read("out.csv");
        assert!(text.contains("\n'=cmd|' /C calc'!A0,x@acme.test,"), "{on:?} T-73: {text}");
        assert!(text.contains("\ncarol,carol@acme.test,Carol,C,de,no,board,\n") && !text.contains("argon2"), "{text}");
        assert!(!shell.told(&["user", "export", "--output", &out]).0, "{on:?}: no file is overwritten");
        let again = shell.good(&["user", "import", &out, "--json"]);
        let report: Value = serde_json::from_str(&again).unwrap();
        assert!(report["unchanged"] == 5 && report["changed"] == 0 && report["created"] == 0, "{on:?}: {report}");
        let all: Value = serde_json::from_str(&shell.good(&["user", "export", "--format", "json"])).unwrap();
        assert!(all.as_array().unwrap().iter().any(|it| it["username"] == "=cmd|' /C calc'!A0"), "{on:?}: {all}");
        world.stop().await;
    }
}

/// the list of tokens has no secret; with secrets there are two operators, a container that is encrypted, and one
/// use of an approval.
#[actix_web::test]
async fn secrets_leave_by_two_operators_only() {
    for on in BOTH {
        let world = World::new(on).await;
        let shell = Shell::new(&world);
        let list = shell.good(&["token", "export"]);
        assert!(list.lines().count() == 2 && list.contains(",oath_app,active,linus,"), "{on:?}: {list}");
        assert!(!list.to_lowercase().contains("jbswy3dp") && !list.contains("secret"), "{on:?}: {list}");

        let (db, tenant) = (&world.site.house.db, world.tenant().await);
        let (ada, bob) = (world.desk("ada"), world.desk("bob"));
        let scope = serde_json::json!({});
        let ask = async |desk: &Desk<'_>| {
            let asked = async |connection: &mut _| token_exports::ask(desk, connection, tenant, &scope).await;
            db.write(asked).await.unwrap()
        };
        let id = ask(&ada).await.unwrap();
        let approve = async |desk: &Desk<'_>| {
            let work = async |connection: &mut _| token_exports::approve(desk, connection, tenant, id).await;
            db.write(work).await.unwrap()
        };
        let consume = async |desk: &Desk<'_>| {
            let work = async |connection: &mut _| token_exports::consume(desk, connection, tenant, id).await;
            db.write(work).await.unwrap()
        };
        assert_eq!(ask(&world.desk("")).await, Err(Refusal::Nameless), "{on:?}");
        assert_eq!(consume(&ada).await, Err(Refusal::NotApproved), "{on:?}");
        assert_eq!(approve(&ada).await, Err(Refusal::Own("ada".to_owned())), "{on:?}");
        assert_eq!(
            approve(&world.desk(" ADA ")).await,
            Err(Refusal::Own("ada".to_owned())),
            "{on:?}: another spelling"
        );
        approve(&bob).await.unwrap();
        assert_eq!(approve(&world.desk("carol")).await, Err(Refusal::Approved), "{on:?}");
        assert_eq!(consume(&bob).await, Err(Refusal::Foreign("ada".to_owned())), "{on:?}");
        consume(&ada).await.unwrap();
        assert_eq!(consume(&ada).await, Err(Refusal::Used), "{on:?}: once");
        for action in ["token_export_requested", "token_export_approved", "tokens_exported"] {
            assert_eq!(world.events(action).await, 1, "{on:?}: {action}");
        }
        // An approval runs out after an hour, a request after a day.
        let id = ask(&ada).await.unwrap();
        let approve = async |desk: &Desk<'_>| {
            let work = async |connection: &mut _| token_exports::approve(desk, connection, tenant, id).await;
            db.write(work).await.unwrap()
        };
        approve(&bob).await.unwrap();
        world.advance(3601);
        let late = world.desk("ada");
        let work = async |connection: &mut _| token_exports::consume(&late, connection, tenant, id).await;
        assert_eq!(db.write(work).await.unwrap(), Err(Refusal::Missing), "{on:?}: too late");
        world.stop().await;
    }
}

/// The number of a request, from what was printed.
fn request_of(told: &str) -> String {
    told.split_whitespace().nth(1).unwrap().trim_end_matches(':').to_owned()
}

/// R-364 at the shell, and other people's program reads it: python-pskc opens ours, and pskctool finds it valid.
#[actix_web::test]
async fn others_read_what_we_export() {
    let world = World::at_this_time(On::Sqlite).await;
    let shell = Shell::new(&world);
    let key = shell.file("key", KEY);
    for how in ["key", "password"] {
        let asked = shell.good(&["token", "export", "--secrets", "--user", "linus"]);
        let id = request_of(&asked);
        let (good, told) = shell.told(&["token", "approve-export", &id]);
        assert!(!good && told.contains("another operator"), "{told}");
        let (tenant, second) = (world.tenant().await, world.desk("second"));
        let number = id.parse().unwrap();
        let approve = async |connection: &mut _| token_exports::approve(&second, connection, tenant, number).await;
        world.site.house.db.write(approve).await.unwrap().unwrap();
        let out = shell.path(&format!("{how}.xml"));
        let (option, typed) = match how {
            "key" => (vec!["--key-file", &key], ""),
            _ => (vec!["--password-stdin"], "correct horse battery staple\n"),
        };
        let arguments = [&["token", "export", "--secrets", "--request", &id, "--output", &out][..], &option].concat();
        let run = shell.run(&arguments, typed);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let valid = Command::new("pskctool").args(["--validate", &out]).output().unwrap();
        assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
        let python = root().join(".cache/venv/bin/python");
        let peer = root().join("tests/foreign/pskc_peer.py");
        let read = Command::new(python).arg(peer).args(["read", how, &out]).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let found: Value = serde_json::from_slice(&read.stdout).unwrap();
        let secret = data_encoding::BASE32_NOPAD.decode(b"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        assert_eq!(found[0]["secret"], data_encoding::HEXLOWER.encode(&secret), "{found}");
        assert!(found[0]["interval"] == 30 && found[0]["length"] == 6 && found[0]["user"] == "UID=linus", "{found}");
        let other = shell.path("again.xml");
        let again = shell.run(&[&arguments[..6], &[other.as_str()][..], &option].concat(), typed);
        assert!(String::from_utf8_lossy(&again.stderr).contains("carried out before"), "an approval is good once");
        assert!(!Path::new(&shell.path("again.xml")).exists(), "nothing is left behind");
    }
    world.stop().await;
}

/// what other people's program writes is read, under a key and under a password.
#[actix_web::test]
async fn we_read_what_others_write() {
    let world = World::new(On::Sqlite).await;
    let python = root().join(".cache/venv/bin/python");
    for (how, typed) in [("key", ""), ("password", "correct horse battery staple\n")] {
        let shell = Shell::new(&world);
        let key = shell.file("key", KEY);
        let out = shell.path("peer.xml");
        let peer = root().join("tests/foreign/pskc_peer.py");
        let written = Command::new(&python).arg(peer).args(["write", how, &out]).output().unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        // The same two tokens both times: by now they are there.
        world.execute("DELETE FROM token WHERE kind = ?", "oath").await;
        let option = if how == "key" { vec!["--key-file", &key] } else { vec!["--password-stdin"] };
        let arguments = [&["token", "import", &out, "--assign-column", "--json"][..], &option].concat();
        let run = shell.run(&arguments, typed);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_default();
        assert!(
            report["assigned"] == 1 && report["inventory"] == 1,
            "{how}: {report} {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    world.stop().await;
}
