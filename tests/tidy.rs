//! The house stays in order: what `ARCHITECTURE.md` says of modules is read off the source.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which modules of ours a module may use, besides its own. The doors are peers; what stands on the roof
/// (app, apply, config, demo, telemetry, main, bin) may use everything.
const FLOORS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("egress", &[]),
    ("urls", &["domain"]),
    ("i18n", &["domain"]),
    ("xml", &[]),
    ("exchange", &["domain", "clock", "xml"]),
    ("storage", &["domain", "clock"]),
    ("keys", &["domain", "clock", "storage"]),
    ("mail", &["domain", "clock", "storage", "keys", "urls", "i18n"]),
    ("flow", &["domain", "clock", "egress", "storage", "keys"]),
    ("http", &["domain", "clock", "egress", "urls", "i18n", "exchange", "storage", "keys", "flow"]),
    ("pages", &["domain", "clock", "urls", "i18n", "exchange", "storage", "keys", "mail", "flow", "http"]),
    ("oidc", &["domain", "clock", "urls", "i18n", "storage", "keys", "flow", "http"]),
    ("saml", &["domain", "clock", "egress", "urls", "i18n", "xml", "storage", "keys", "flow", "http"]),
    ("api", &["domain", "clock", "urls", "i18n", "exchange", "storage", "keys", "mail", "flow", "http"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The source of a module without its comments.
fn source(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn arrows_only_point_down() {
    let src = root().join("src");
    let (mut faults, mut arrows) = (Vec::new(), 0);
    for (module, allowed) in FLOORS {
        let mut own = vec![src.join(format!("{module}.rs"))];
        own.retain(|path| path.exists());
        if src.join(module).is_dir() {
            own.extend(files(&src.join(module), ".rs"));
        }
        assert!(!own.is_empty(), "{module} is in the table and not in src/");
        for path in own {
            let text = source(&path);
            // `crate::name` and `crate::{name, …}`.
            let mut used = BTreeSet::new();
            for rest in text.split("crate::").skip(1) {
                let names = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or(rest);
                let single = names.len() == rest.len();
                for name in names.split(',').take(if single { 1 } else { usize::MAX }) {
                    let name: String =
                        name.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                    used.insert(name);
                }
            }
            for name in used.iter().filter(|name| FLOORS.iter().any(|(known, _)| known == name)) {
                arrows += 1;
                if name != module && !allowed.contains(&name.as_str()) {
                    faults.push(format!("{}: {module} may not use {name}", path.display()));
                }
            }
            for roof in ["app", "apply", "config", "demo", "telemetry"] {
                if used.contains(roof) {
                    faults.push(format!("{}: {module} may not use {roof}", path.display()));
                }
            }
        }
    }
    assert!(arrows > 200, "the source was read: {arrows}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_domain_knows_no_network_and_no_disk() {
    for path in files(&root().join("src/domain"), ".rs") {
        let text = source(&path);
        for word in [
            "actix",
            "sqlx",
            "lettre",
            "askama",
            "tokio",
            "reqwest",
            "std::fs",
            "std::net::Tcp",
            "SystemTime::now",
            "Instant::now",
        ] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn sql_stands_in_storage_only() {
    for path in files(&root().join("src"), ".rs") {
        if path.starts_with(root().join("src/storage")) || path.starts_with(root().join("src/storage.rs")) {
            continue;
        }
        let text = source(&path);
        assert!(!text.contains("sqlx::query"), "{}", path.display());
    }
}

/// Whoever looks through a list, counts or reports must not have the one connection of SQLite that writes: nobody could log in
/// meanwhile. Those floors ask `Db::look`; `Db::read` is for the few microseconds of a login.
#[test]
fn lists_never_keep_anybody_from_logging_in() {
    let src = root().join("src");
    let mut faults = Vec::new();
    for floor in ["pages/operator", "api/management", "app", "flow/administration", "flow/audit_trail"] {
        let mut found = files(&src.join(floor), ".rs");
        found.extend([src.join(format!("{floor}.rs"))].into_iter().filter(|path| path.exists()));
        assert!(!found.is_empty(), "there is no {floor} any more");
        for path in found {
            let text: String = source(&path).split_whitespace().collect();
            if text.contains("db.read(") {
                faults.push(path.strip_prefix(&src).unwrap().display().to_string());
            }
        }
    }
    assert!(faults.is_empty(), "these ask `db.read` where `db.look` is meant: {}", faults.join(", "));
}

#[test]
fn both_engines_have_the_same_migrations() {
    let names = |engine: &str| -> Vec<String> {
        let found = files(&root().join("migrations").join(engine), ".sql");
        found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(names("sqlite"), names("mysql"));
    // Two branches that each add the next number meet here, not in a database.
    let numbers: BTreeSet<String> = names("sqlite").iter().map(|name| name.chars().take(4).collect()).collect();
    assert_eq!(numbers.len(), names("sqlite").len(), "each migration has a number of its own");
    assert!(!numbers.is_empty());
}

/// No inline script or style: the content security policy forbids both, and a page would silently lose them.
/// T-22.
#[test]
fn pages_have_no_inline_script_or_style() {
    for path in files(&root().join("templates"), ".html") {
        let letter = path.starts_with(root().join("templates/mail"));
        let text = fs::read_to_string(&path).unwrap();
        for word in [" onclick=", " onload=", " onsubmit=", " onchange=", "javascript:", "<style"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        // Mail programs know nothing else than styles in attributes; nothing is loaded by them.
        assert!(letter || !text.contains(" style="), "{}", path.display());
        for tag in text.split("<script").skip(1) {
            let tag = tag.split('>').next().unwrap();
            let from_us =
                [" src=\"{{ frame.asset(", " src=\"{{ shell.frame.asset("].iter().any(|src| tag.contains(src));
            assert!(from_us, "{}: an inline script: {tag}", path.display());
        }
        // The QR code is drawn by us; nothing else reaches a page unescaped.
        assert!(!text.replace("{{ qr|safe }}", "").contains("|safe"), "{}: unescaped text", path.display());
    }
}

/// The numbers of requirements are for whoever works on this, not for people who use it: no text of ours names one.
#[test]
fn no_text_names_a_requirement() {
    let number = |line: &str| {
        let named = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        line.split("R-").skip(1).any(named) && !line.trim_start().starts_with("#[")
    };
    let mut faults = Vec::new();
    for path in files(&root().join("src"), ".rs") {
        if path.ends_with("tests.rs") {
            continue;
        }
        // What stands beside the code is a comment, and what comes after it is tests.
        let text = source(&path);
        let text = text.split("#[cfg(test)]").next().unwrap();
        let code = text.lines().map(|line| line.split(" // ").next().unwrap());
        faults.extend(code.filter(|line| number(line)).map(|line| format!("{}: {line}", path.display())));
    }
    for (folder, ending) in [("templates", ".html"), ("templates", ".txt"), ("locales", ".ftl"), ("static", ".js")] {
        for path in files(&root().join(folder), ending) {
            let text = fs::read_to_string(&path).unwrap();
            let told = text.lines().filter(|line| !line.trim_start().starts_with(['#', '/', '*']) && number(line));
            faults.extend(told.map(|line| format!("{}: {line}", path.display())));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// no page, text or picture of ours wears the names and looks of others. Where people install an app from, and which system
/// they have, is called by its name.
#[test]
fn nothing_of_ours_looks_like_others() {
    let mut looked = 0;
    for (folder, endings) in [
        ("templates", ["html", "txt"]),
        ("locales", ["ftl", "ftl"]),
        ("static", ["css", "svg"]),
        ("static", ["js", "svg"]),
    ] {
        for path in files(&root().join(folder), "")
            .into_iter()
            .filter(|path| endings.iter().any(|it| path.extension().is_some_and(|own| own == *it)))
        {
            looked += 1;
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            for name in ["thales", "safenet", "mobilepass", "gemalto", "authenticator by", "duo mobile", "okta"] {
                assert!(!text.contains(name), "{}: {name}", path.display());
            }
            // The stores, and a font that people of China have.
            let named = text
                .replace("google play", "")
                .replace("app store", "")
                .replace("microsoft store", "")
                .replace("microsoft yahei", "");
            for name in ["google", "apple", "microsoft", "fluent ui", "material-design", "sf pro"] {
                assert!(!named.contains(name), "{}: {name}", path.display());
            }
        }
    }
    assert!(looked > 100, "files were read: {looked}");
    // Pictures that are not drawn by us would have to lie somewhere.
    for path in files(&root().join("static"), "") {
        let ending = path.extension().unwrap().to_string_lossy().into_owned();
        assert!(["css", "js", "svg"].contains(&ending.as_str()), "{}: a picture?", path.display());
    }
}

/// Papers that the README leads to exist.
#[test]
fn links_between_papers_lead_somewhere() {
    let mut links = 0;
    let mut papers = files(&root().join("docs"), ".md");
    papers.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
            .map(|name| root().join(name)),
    );
    for paper in papers {
        let text = fs::read_to_string(&paper).unwrap_or_else(|error| panic!("{}: {error}", paper.display()));
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            assert!(paper.parent().unwrap().join(target).exists(), "{}: {target}", paper.display());
        }
    }
    assert!(links > 5, "links were read: {links}");
}
