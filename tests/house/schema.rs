//! Schemathesis, which others wrote, calls the management API with whatever its description allows and forbids.

use std::process::Command;

use vestibule::domain::operator::Role;

use crate::console::{key, staffed};
use crate::world::On;

/// Calls the API at `base`; so many examples of each operation.
fn run(base: &str, key: &str, examples: &str, folder: &std::path::Path) -> (bool, String) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/schema/venv/bin/schemathesis");
    let ran = Command::new(program)
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/schemathesis.toml")])
        .args(["run", &format!("{base}/api/management/v1/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(["--max-examples", examples, "--seed", "1", "--phases", "examples,coverage,fuzzing"])
        // On a machine that is busy with something else, the slowest of thousands takes longer than its ten seconds.
        .args(["--request-timeout", "60"])
        // What is drawn at random names nothing here, and no state that was read: such calls are refused, and rightly.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .args(["--no-color", "--generation-database", "none"])
        .current_dir(folder)
        .output()
        .expect("scripts/prepare test fetches Schemathesis");
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// R-605, T-75: no call makes a 5xx, every answer is one that the description names, and what it forbids is refused.
#[actix_web::test]
async fn the_management_api_keeps_to_its_description() {
    let world = staffed(On::Sqlite).await;
    let key = key(&world, Role::Operator).await;
    let examples = std::env::var("VESTIBULE_SCHEMA_EXAMPLES").unwrap_or_else(|_| "8".to_owned());
    let (base, folder) = (world.base(), world.folder().to_owned());
    let ran = tokio::task::spawn_blocking(move || run(&base, &key, &examples, &folder));
    let (good, told) = ran.await.unwrap();
    assert!(good, "{told}");
    world.stop().await;
}
