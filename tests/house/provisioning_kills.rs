//! Enrollment by mail while the service is killed again and again (K11 to K14): the real program, the real databases.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::abuse::Device;
use crate::process::Service;
use crate::visitor::Visitor;
use crate::world::BOTH;

/// How often the service is killed while a device enrolls, on each database.
const ROUNDS: usize = 10;

/// A device enrolls by mail; somewhere on its way the service is killed and started again, once or twice. Whatever the
/// moment: the device repeats what was not answered, is given the same answer, and there is one authenticator, which the
/// task knows, never two and never half a one.
/// K11, K12, K13, K14, R-196, R-598.
#[actix_web::test]
async fn a_killed_service_leaves_no_half_authenticator() {
    let mut rng = StdRng::seed_from_u64(5);
    for on in BOTH {
        let service = Service::new(on);
        let mut file =
            "[[tenant]]\ncode = \"acme\"\nname = \"Acme\"\n[tenant.platforms.command_line]\nallowed = true\n"
                .to_owned();
        for number in 0..ROUNDS {
            file += &format!("[[tenant.user]]\nusername = \"u{number}\"\nemail = \"u{number}@acme.test\"\n");
        }
        service.apply(&file);
        for number in 0..ROUNDS {
            service.run(&["provision", "create", "--user", &format!("u{number}")]);
        }
        let mut running = service.start().await;
        for number in 0..ROUNDS {
            let link = service.link_to(&format!("u{number}@acme.test")).await;
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
                    running.end();
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
async fn string_of(service: &Service, (page, code): &(String, String)) -> String {
    let mut visitor = Visitor::new(&service.url());
    let seen = visitor.get(page).await;
    let seen = visitor.press(&seen, "start", &[("code", code)]).await;
    let seen = visitor.press(&seen, "platform-command_line", &[]).await;
    seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{}", seen.body))
}
