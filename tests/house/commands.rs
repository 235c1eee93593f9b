//! The `vestibule` command as a shell sees it: what it prints, where, and with which exit code (contract, Commands).

use std::path::Path;
use std::process::{Command, Output};

const ACME: &str = r#"
[[tenant]]
code = "acme"
name = "Acme Corporation"
[[tenant.user]]
username = "ada"
email = "ada@acme.test"
password = "correct horse battery staple"
[[tenant.user.token]]
type = "oath_app"
secret_base32 = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"#;

fn vestibule(folder: &Path, arguments: &[&str]) -> Output {
    started(PROGRAM, folder, arguments)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_vestibule");

/// What came of a program that has the configuration of `folder`.
fn started(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    let file = |name: &str| folder.join(name).display().to_string();
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("VESTIBULE__DATABASE__URL", format!("sqlite://{}", file("v.db")))
        .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", file("kek"))
        .env("VESTIBULE__MAIL__URL", format!("file://{}", file("mail")))
        .env("VESTIBULE__PASSWORDS__MEMORY_KIB", "64")
        .env("VESTIBULE__TELEMETRY__LEVEL", "error")
        .output()
        .expect("the program starts")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code and standard error of a command that must fail.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = vestibule(folder, arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn tenants_are_code_and_applying_them_twice_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    let checks = printed(&vestibule(path, &["check"]));
    assert!(checks.lines().all(|line| line.starts_with("ok ")), "{checks}");
    let shown = printed(&vestibule(path, &["apply", "acme.toml", "--dry-run"]));
    assert!(shown.contains("acme: create user ada") && shown.contains("nothing was changed"), "{shown}");
    let made = printed(&vestibule(path, &["apply", "acme.toml"]));
    assert!(made.contains("acme: create tenant acme"), "{made}");
    assert_eq!(printed(&vestibule(path, &["apply", "acme.toml"])), "acme: nothing to change\n");

    let export = printed(&vestibule(path, &["export", "--tenant", "acme"]));
    std::fs::write(path.join("export.toml"), export).expect("written");
    assert_eq!(printed(&vestibule(path, &["apply", "export.toml", "--prune"])), "acme: nothing to change\n");
}

/// R-331, R-347.
#[test]
fn the_help_desk_acts_from_the_shell() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    assert!(printed(&vestibule(path, &["user", "list"])).starts_with("ada\tenabled\tada@acme.test\t1 active"));
    let tokens = printed(&vestibule(path, &["token", "list", "--user", "ADA"]));
    let serial = tokens.split('\t').next().expect("a serial number").to_owned();
    for (arguments, words) in [
        (["user", "unlock", "ada"], "ada is unlocked"),
        (["user", "disable", "ada"], "ada is disabled"),
        (["user", "enable", "ada"], "ada is enabled"),
        (["token", "suspend", &serial], "is suspended"),
        (["token", "resume", &serial], "works again"),
        (["token", "revoke", &serial], "is revoked"),
    ] {
        let line = printed(&vestibule(path, &arguments));
        assert!(line.contains(words) && line.lines().count() == 1, "{arguments:?}: {line}");
    }
    let (code, line) = refused(path, &["token", "resume", &serial]);
    assert!(code == Some(1) && line.contains("is revoked"), "what is ended stays ended (INV-10): {line}");
    // A revoked token is not imported again: its secret may be the reason why it was revoked.
    assert_eq!(printed(&vestibule(path, &["apply", "acme.toml"])), "acme: nothing to change\n");
}

/// R-599, R-600.
#[test]
fn keys_rotate_and_a_copy_is_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    let steps = printed(&vestibule(path, &["keys", "rotate"]));
    assert_eq!(steps.lines().filter(|line| line.contains("published the next key")).count(), 6, "{steps}");
    printed(&vestibule(path, &["backup", "copy.db"]));
    assert_eq!(refused(path, &["backup", "copy.db"]).0, Some(1), "no copy is overwritten");

    let old = std::fs::read_to_string(path.join("kek")).expect("a key");
    std::fs::write(path.join("kek"), format!("{}\n{old}", "A".repeat(43) + "=")).expect("written");
    assert!(printed(&vestibule(path, &["keys", "rotate", "sealing"])).contains("14 secrets were sealed anew"));
    std::fs::write(path.join("kek"), "A".repeat(43) + "=").expect("written");
    assert!(printed(&vestibule(path, &["check"])).contains("opens what is stored"));

    let (code, line) = refused(path, &["restore", "copy.db", "--replace"]);
    assert!(code == Some(1) && line.contains("key-encryption key"), "the copy is under the old key: {line}");
    std::fs::write(path.join("kek"), format!("{}\n{old}", "A".repeat(43) + "=")).expect("written");
    assert_eq!(refused(path, &["restore", "copy.db"]).0, Some(1), "no database is replaced unasked");
    assert!(printed(&vestibule(path, &["restore", "copy.db", "--replace"])).contains("is in place"));
    assert!(printed(&vestibule(path, &["restore", "--loaded"])).contains("has ended"));
    for wrong in [&["restore"][..], &["restore", "copy.db", "--loaded"], &["restore", "--loaded", "--replace"]] {
        assert_eq!(refused(path, wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(printed(&vestibule(path, &["apply", "acme.toml"])), "acme: nothing to change\n");
}

/// R-599, R-595: a copy that this program cannot use, or not make safe, never takes the place of the database that is there.
#[test]
fn a_copy_of_a_newer_program_replaces_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    printed(&vestibule(path, &["backup", "copy.db"]));
    let copy = rusqlite::Connection::open(path.join("copy.db")).expect("opens");
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, x'00', 0)";
    copy.execute(later, []).expect("written");
    copy.close().expect("closes");
    let (code, line) = refused(path, &["restore", "copy.db", "--replace"]);
    assert!(code == Some(1) && line.contains("newer version") && line.contains("was not put in place"), "{line}");
    assert_eq!(printed(&vestibule(path, &["apply", "acme.toml"])), "acme: nothing to change\n", "ours is still there");
    let left = std::fs::read_dir(path).expect("a folder").flatten().map(|file| file.file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// R-599: half a copy, because the disk was full, never looks like a copy.
#[test]
fn half_a_copy_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    // No file may become longer than a hundred blocks, which is what a full disk looks like.
    let script = "trap '' XFSZ; ulimit -f 100; exec \"$0\" backup copy.db";
    let full = started("/bin/sh", path, &["-c", script, PROGRAM]);
    let said = String::from_utf8_lossy(&full.stderr).into_owned();
    assert!(full.status.code() == Some(1) && said.contains("copy.db was not written"), "{said}");
    let copies = || {
        let files = std::fs::read_dir(path).expect("a folder").flatten().map(|file| file.file_name());
        files.filter(|name| name.to_string_lossy().starts_with("copy")).collect::<Vec<_>>()
    };
    assert!(copies().is_empty(), "{:?}", copies());
    printed(&vestibule(path, &["backup", "copy.db"]));
    assert_eq!(copies(), ["copy.db"]);
}

/// R-600: where the key of a database is missing, nobody is given a new one, which opens nothing and looks like the old one.
#[test]
fn a_key_that_is_missing_is_not_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    printed(&vestibule(path, &["backup", "copy.db"]));
    std::fs::remove_file(path.join("kek")).expect("removed");
    let checked = vestibule(path, &["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && said.contains("FAIL  key-encryption key: "), "{said}");
    for command in [&["apply", "acme.toml"][..], &["keys", "rotate"], &["restore", "copy.db", "--replace"]] {
        let (code, line) = refused(path, command);
        assert!(code == Some(1) && line.contains("is missing; put the one there"), "{command:?}: {line}");
    }
    assert!(!path.join("kek").exists());
}

/// R-595: a dry run changes nothing, the schema included: on MySQL there would be no way back.
#[test]
fn a_dry_run_migrates_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::fs::write(path.join("acme.toml"), ACME).expect("written");
    printed(&vestibule(path, &["apply", "acme.toml"]));
    let steps = |change: &str| -> i64 {
        let database = rusqlite::Connection::open(path.join("v.db")).expect("opens");
        database.execute_batch(change).expect("done");
        database.query_row("SELECT COUNT(*) FROM _sqlx_migrations", [], |row| row.get(0)).expect("a count")
    };
    // As an older version left it.
    let older = steps("DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)");
    for asking in [&["apply", "acme.toml", "--dry-run"][..], &["export"], &["keys", "list"]] {
        let (code, line) = refused(path, asking);
        assert!(code == Some(1) && line.contains("run `vestibule migrate` first"), "{asking:?}: {line}");
    }
    assert_eq!(steps(""), older);
}

/// security.md 5.6: the first signal lets finish what runs, the second does not.
#[test]
fn who_is_told_to_stop_twice_stops_at_once() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let mut service = Command::new(PROGRAM)
        .arg("serve")
        .env_clear()
        .env("VESTIBULE__DATABASE__URL", format!("sqlite://{}", file("v.db")))
        .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", file("kek"))
        .env("VESTIBULE__MAIL__URL", format!("file://{}", file("mail")))
        .env("VESTIBULE__HTTP__LISTEN", "127.0.0.1:0")
        .env("VESTIBULE__HTTP__DRAIN_SECONDS", "300")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(service.stderr.take().expect("a log")).lines().map_while(Result::ok);
    let process = service.id().to_string();
    for said in ["ready", "told to stop"] {
        assert!(lines.any(|line| line.contains(said)), "it says that it is {said}");
        let told = Command::new("kill").args(["-TERM", &process]).status().expect("there is a shell");
        assert!(told.success());
    }
    assert!(lines.any(|line| line.contains("a second time")), "it does not wait");
    assert_eq!(service.wait().expect("ends").code(), Some(1));
}

#[test]
fn errors_are_one_line_and_wrong_usage_is_exit_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    for wrong in [
        &["serv"][..],
        &["apply"],
        &[],
        &["token", "suspend"],
        &["keys", "rotate", "all"],
        &["serve", "--port", "1"],
        &["keys", "rotate", "sealing", "--emergency"],
    ] {
        let (code, line) = refused(path, wrong);
        assert_eq!((code, line.lines().count()), (Some(2), 1), "{wrong:?}: {line}");
        assert!(line.contains("--help"), "it says what to do: {line}");
    }
    for failing in [&["apply", "missing.toml"][..], &["user", "unlock", "ada"], &["export", "--tenant", "nobody"]] {
        printed(&vestibule(path, &["migrate"]));
        let (code, line) = refused(path, failing);
        assert_eq!((code, line.lines().count()), (Some(1), 1), "{failing:?}: {line}");
    }
    for help in [&["--help"][..], &["apply", "--help"], &["keys", "rotate", "--help"], &["--version"]] {
        assert!(!printed(&vestibule(path, help)).is_empty());
    }
}
