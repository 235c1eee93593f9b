//! A small model of what a passcode may do (position, window, drift, resynchronization, locks) against the real code on
//! real databases, one random step after the other.
//!
//! The model is written from the requirements and knows nothing of the code. A
//! million steps: see CONTRIBUTING.md. `VESTIBULE_MODEL_STEPS` and `VESTIBULE_MODEL_SEED` change what is walked.

use std::time::{Duration, Instant};

use vestibule::clock::Entropy;
use vestibule::domain::audit::Actor;
use vestibule::domain::authenticator::lifecycle::Move;
use vestibule::domain::ids::LoginId;
use vestibule::domain::login::complaint::Complaint;
use vestibule::domain::login::origin::Origin;
use vestibule::domain::login::wishes::Wishes;
use vestibule::domain::oath::{Algorithm, hotp};
use vestibule::domain::secret::{SecretBytes, SecretString};
use vestibule::flow::administration::{Desk, people};
use vestibule::flow::lifecycle::{self, By, Ending};
use vestibule::flow::login::{self, NewLogin};
use vestibule::flow::second_factor::{self, Entered};
use vestibule::flow::{Browser, Error, Realm, Visit};
use vestibule::storage::tokens::{self, State, Token};
use vestibule::storage::users;

use crate::world::{On, World};

const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const STEP: i64 = 30;
/// Steps with the same settings and the same person.
const EPOCH: u64 = 500;

/// What the operators set.
#[derive(Debug, Clone, Copy)]
struct Windows {
    inner_time: i64,
    outer_time: i64,
    inner_event: i64,
    outer_event: i64,
    threshold: i64,
}

/// What a step is expected to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Accepted,
    Next,
    Refused,
    Wait,
    Locked,
}

/// What is known of the counter of failed attempts of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Attempts {
    count: i64,
    total: i64,
    last: i64,
    until: Option<i64>,
}

impl Attempts {
    fn locked(&self, now: i64) -> bool {
        self.total >= 100 || self.until.is_some_and(|until| now < until)
    }

    /// 0, 0, 1, 2, 4, 8 … 30 seconds after the second failure (B1).
    fn waits(&self, now: i64) -> bool {
        let pause = match self.count {
            ..=2 => 0,
            more => 2_i64.pow(u32::try_from((more - 3).min(10)).unwrap()).min(30),
        };
        now < self.last + pause
    }

    fn fail(&mut self, threshold: i64, now: i64) {
        // Counting begins anew after a lock (B6).
        self.count = if self.until.is_some_and(|until| until <= now) { 1 } else { self.count + 1 };
        self.total += 1;
        self.last = now;
        self.until = (threshold > 0 && self.count > threshold).then_some(now + 900);
    }
}

/// One person with one token, as the requirements have it.
#[derive(Debug, Clone)]
struct Model {
    timed: bool,
    last: i64,
    drift: i64,
    /// Wrong passcodes of the token in a row.
    failed: i64,
    stopped: bool,
    name: Attempts,
    /// The position that was right but far off in this login.
    pending: Option<i64>,
}

impl Model {
    fn new(timed: bool) -> Self {
        let name = Attempts::default();
        Self { timed, last: -1, drift: 0, failed: 0, stopped: false, name, pending: None }
    }

    /// Where passcodes are looked for, and where they are taken at once.
    fn reach(&self, windows: Windows, now: i64) -> ((i64, i64), (i64, i64)) {
        if self.timed {
            let middle = now / STEP + self.drift.clamp(-100, 100);
            let outer = windows.outer_time.max(windows.inner_time);
            return ((middle - outer, middle + outer), (middle - windows.inner_time, middle + windows.inner_time));
        }
        // An imported token has no template of the virtual server: its own window counts.
        let (next, inner) = (self.last + 1, windows.inner_event);
        ((next - 10, next + windows.outer_event.max(inner)), (next, next + inner - 1))
    }

    /// Somebody types the passcode of `position`, or of none.
    fn typed(&mut self, windows: Windows, position: Option<i64>, now: i64) -> Expected {
        if self.stopped || self.name.locked(now) {
            return Expected::Locked;
        }
        if self.name.waits(now) {
            return Expected::Wait;
        }
        let ((low, high), (inner_low, inner_high)) = self.reach(windows, now);
        let seen = position.filter(|position| (low..=high).contains(position) && *position >= 0);
        match seen {
            Some(position) if position > self.last => {
                let settles = self.pending == Some(position - 1);
                if settles || (inner_low..=inner_high).contains(&position) {
                    self.last = position;
                    self.drift = if self.timed { position - now / STEP } else { 0 };
                    self.failed = 0;
                    self.name = Attempts::default();
                    return Expected::Accepted;
                }
                self.pending = Some(position);
                Expected::Next
            }
            _ => {
                self.pending = None;
                self.name.fail(windows.threshold, now);
                self.failed += 1;
                self.stopped = self.failed >= 100;
                Expected::Refused
            }
        }
    }
}

/// The walk: the world, the model, and the device in somebody's hand.
struct Walk {
    world: World,
    dice: Entropy,
    steps: u64,
}

fn passcode(secret: &SecretBytes, position: i64) -> Option<String> {
    let position = u64::try_from(position).ok()?;
    Some(hotp::passcode(secret, Algorithm::Sha1, 8, position))
}

/// A login that is open, in a browser.
struct Open {
    id: LoginId,
    browser: Browser,
    begun: i64,
}

impl Walk {
    fn now(&self) -> i64 {
        self.world.clock_now().seconds()
    }

    /// A number from `low` to `high`.
    fn between(&self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.dice.below(u64::try_from(high - low + 1).unwrap())).unwrap()
    }

    fn one_in(&self, times: u64) -> bool {
        self.dice.below(times) == 0
    }

    /// Every step has a network of its own, so that the limit of addresses stays out of it.
    fn visit(&self) -> Visit {
        let [a, b, c, d] = u32::try_from(self.steps + 0x0a00_0000).unwrap().to_be_bytes();
        Visit {
            chosen: false,
            now: self.world.clock_now(),
            address: std::net::Ipv4Addr::new(a, b, c, d).into(),
            user_agent: "model".to_owned(),
            language: "en".to_owned(),
            correlation: self.world.site.house.entropy.id(),
        }
    }

    async fn begin(&self, realm: &Realm, name: &str) -> Open {
        let house = &self.world.site.house;
        let application = realm.config.applications.iter().find(|it| it.name == "Notes").unwrap().id;
        let new = NewLogin {
            origin: Origin::Oidc,
            application,
            wishes: Wishes::default(),
            request: "{}".to_owned(),
            once: None,
        };
        let begun =
            patiently(async || login::begin(house, realm, &self.visit(), &Browser::default(), &new).await).await;
        let begun = begun.unwrap();
        let browser = Browser { login: Some(begun.cookie), ..Browser::default() };
        let named =
            patiently(async || login::submit_username(house, realm, &self.visit(), &browser, begun.login, name).await);
        match named.await {
            Ok(_) => {}
            Err(error) => panic!("the name was not taken: {error}"),
        }
        Open { id: begun.login, browser, begun: self.now() }
    }

    async fn submit(&self, realm: &Realm, open: &mut Open, typed: &str) -> Expected {
        let house = &self.world.site.house;
        let entered = Entered { passcode: typed, nonce: "" };
        let posted = patiently(async || {
            second_factor::submit(house, realm, &self.visit(), &open.browser, open.id, entered).await
        });
        match posted.await {
            Ok(posted) => match posted.complaint {
                None => {
                    let cookie: Option<SecretString> = posted.login_cookie;
                    open.browser.login = cookie;
                    let done =
                        patiently(async || login::complete(house, realm, &self.visit(), &open.browser, open.id).await);
                    done.await.unwrap();
                    Expected::Accepted
                }
                Some(Complaint::PasscodeNext) => Expected::Next,
                Some(Complaint::PasscodeWrong) => Expected::Refused,
                Some(Complaint::Wait { .. }) => Expected::Wait,
                Some(other) => panic!("nobody expected {other:?}"),
            },
            Err(Error::WrongMoment) => Expected::Locked,
            Err(error) => panic!("nobody expected {error}"),
        }
    }

    /// The token of a person, whatever its state.
    async fn token(&self, realm: &Realm, name: &str) -> Token {
        let tenant = realm.tenant();
        let found = self.world.site.house.db.read(async |connection| {
            let user = users::named(connection, tenant, name).await?.unwrap();
            tokens::of_user(tenant, user.id).ask(connection).await
        });
        found.await.unwrap().remove(0)
    }

    /// The model and the rows say the same.
    async fn compare(&self, realm: &Realm, name: &str, model: &Model) {
        let tenant = realm.tenant();
        let token = self.token(realm, name).await;
        let state = if model.stopped { State::Locked } else { State::Active };
        assert_eq!(
            (token.last_position, token.drift_steps, token.failed_count, token.state),
            (model.last, model.drift, model.failed, state),
            "step {}: the row of the token",
            self.steps
        );
        let (house, now) = (&self.world.site.house, self.world.clock_now());
        let locked = house.db.read(async |connection| {
            let user = users::named(connection, tenant, name).await?.unwrap();
            people::is_locked(house, connection, &user, now).await
        });
        assert_eq!(locked.await.unwrap(), model.name.locked(now.seconds()), "step {}: {:?}", self.steps, model.name);
    }

    /// An operator lets the person and the token go on.
    async fn help(&self, realm: &Realm, name: &str, model: &mut Model) {
        let house = &self.world.site.house;
        let desk = Desk {
            house,
            actor: Actor::Shell("model".to_owned()),
            address: String::new(),
            now: self.world.clock_now(),
        };
        let token = self.token(realm, name).await;
        let done = house.db.write(async |connection| {
            let user = users::named(connection, realm.tenant(), name).await?.unwrap();
            people::unlock(&desk, connection, &user).await?;
            if token.state == State::Locked {
                let by = By::desk(&desk);
                let moved =
                    lifecycle::carry_out(connection, house, &by, &token, (Move::Unlock, "operator"), Ending::All)
                        .await?;
                assert!(moved.done(), "{moved:?}");
            }
            Ok(())
        });
        done.await.unwrap();
        model.name = Attempts::default();
        if model.stopped {
            (model.stopped, model.failed) = (false, 0);
        }
    }
}

/// A machine that has too much to do keeps a writer waiting for longer than the service does: then nothing was done, and it
/// is done again.
async fn patiently<T>(work: impl AsyncFn() -> vestibule::flow::Result<T>) -> vestibule::flow::Result<T> {
    for _ in 0..20 {
        match work().await {
            Err(Error::Storage(vestibule::storage::Error::Busy)) => {}
            done => return done,
        }
    }
    work().await
}

/// How many steps, and the seed.
fn wanted(on: On) -> (u64, u64) {
    let of = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => otherwise,
    };
    let steps = if on == On::Sqlite { 10_000 } else { 5_000 };
    (of("VESTIBULE_MODEL_STEPS", steps), of("VESTIBULE_MODEL_SEED", 1))
}

/// The settings of an epoch.
async fn settle(walk: &Walk) -> Windows {
    let windows = Windows {
        inner_time: walk.between(0, 3),
        outer_time: walk.between(0, 20),
        inner_event: walk.between(1, 25),
        outer_event: walk.between(10, 100),
        threshold: walk.between(0, 5),
    };
    let file = format!(
        "[[tenant]]\ncode = \"acme\"\n[tenant.windows]\ntime_steps = {}\nouter_time_steps = {}\nevent_look_ahead = {}\n\
         outer_event_look_ahead = {}\n[tenant.lockout]\nthreshold = {}\nalert_on_lock = false\nalert_on_unlock = false\n",
        windows.inner_time, windows.outer_time, windows.inner_event, windows.outer_event, windows.threshold
    );
    walk.world.apply(&file).await;
    windows
}

async fn walk(on: On) {
    let (steps, seed) = wanted(on);
    let world = World::new(on).await;
    let people = ["clock", "button"].map(|name| {
        let counter = if name == "button" { "counter = 0\n" } else { "" };
        format!(
            "[[tenant.user]]\nusername = \"{name}\"\n[[tenant.user.token]]\ntype = \"oath_app\"\ndigits = 8\n\
             secret_base32 = \"{SECRET}\"\n{counter}"
        )
    });
    world
        .apply(&format!(
            "[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"otp\"]\n{}",
            people.concat()
        ))
        .await;
    let mut walk = Walk { world, dice: Entropy::seeded(seed), steps: 0 };
    let secret = SecretBytes::new(data_encoding::BASE32_NOPAD.decode(SECRET.as_bytes()).unwrap());
    let mut models = [Model::new(true), Model::new(false)];
    // What the devices show: by how many steps the clock is off, and the counter.
    let mut devices = [0_i64, 0];
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    let started = Instant::now();
    while walk.steps < steps {
        let windows = settle(&walk).await;
        let realm = walk.world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let which = usize::from(walk.one_in(2));
        let name = ["clock", "button"][which];
        // Now and then somebody guesses until everything is locked.
        let guessing = walk.one_in(8);
        // And now and then a clock runs away, farther than drift is remembered.
        let runs_away = walk.one_in(4);
        let model = &mut models[which];
        let mut open = walk.begin(&realm, name).await;
        model.pending = None;
        for _ in 0..EPOCH.min(steps - walk.steps) {
            walk.steps += 1;
            let pause = match walk.dice.below(20) {
                0 => walk.between(300, 1200),
                1..=6 => walk.between(20, 60),
                _ => walk.between(0, 12),
            };
            walk.world.clock.advance(Duration::from_secs(u64::try_from(pause).unwrap()));
            let now = walk.now();
            if walk.one_in(6) || now - open.begun > 500 {
                open = walk.begin(&realm, name).await;
                model.pending = None;
            }
            let away = i64::from(walk.one_in(3)) * walk.between(-14, 14);
            let device = &mut devices[which];
            let position = if which == 0 {
                // A quartz that runs away, slowly, and somebody who sets it.
                *device = if walk.one_in(400) { walk.between(-30, 30) } else { *device + i64::from(walk.one_in(60)) };
                if runs_away {
                    // Just ahead of what was learned, or nobody could follow it that far.
                    *device = (model.drift + walk.between(0, 3)).min(115);
                }
                now / STEP + *device + away
            } else {
                let position = *device + away.min(0);
                *device += 1 + i64::from(walk.one_in(12)) * walk.between(0, 40);
                // An operator would synchronize it by hand; here somebody resets it.
                if *device > model.last + 150 {
                    *device = model.last + 1;
                }
                position
            };
            let position = (!guessing && !walk.one_in(9)).then_some(position).filter(|position| *position >= 0);
            // Two positions with one passcode would need a model of chance; they are left out.
            let ((low, high), _) = model.reach(windows, now);
            let around: Vec<String> = (low..=high).filter_map(|position| passcode(&secret, position)).collect();
            let typed = match position {
                Some(position) => passcode(&secret, position).unwrap(),
                None => format!("{:08}", walk.dice.below(100_000_000)),
            };
            let times = around.iter().filter(|code| **code == typed).count();
            if times > usize::from(position.is_some_and(|position| (low..=high).contains(&position))) {
                continue;
            }
            let before = model.clone();
            let expected = model.typed(windows, position, now);
            let happened = walk.submit(&realm, &mut open, &typed).await;
            assert_eq!(
                happened, expected,
                "{on:?}, seed {seed}, step {}: position {position:?} at {now}, {windows:?}\nbefore {before:#?}",
                walk.steps
            );
            walk.compare(&realm, name, model).await;
            *seen.entry(format!("{expected:?}")).or_default() += 1;
            if expected == Expected::Accepted {
                open = walk.begin(&realm, name).await;
                model.pending = None;
            }
            let hopeless = model.stopped || model.name.total >= 100;
            if hopeless || (expected == Expected::Locked && walk.one_in(6)) {
                walk.help(&realm, name, model).await;
                *seen.entry("Helped".to_owned()).or_default() += 1;
            }
        }
    }
    for what in ["Accepted", "Next", "Refused", "Wait", "Locked", "Helped"] {
        assert!(steps < 2000 || seen.get(what).is_some_and(|times| *times > 0), "{what} never happened: {seen:?}");
    }
    let pace = f64::from(u32::try_from(steps).unwrap()) / started.elapsed().as_secs_f64();
    println!("{on:?}: {steps} steps, seed {seed}, {pace:.0} in a second: {seen:?}");
    walk.world.stop().await;
}

#[actix_web::test]
async fn passcodes_do_what_the_model_says_on_sqlite() {
    walk(On::Sqlite).await;
}

#[actix_web::test]
async fn passcodes_do_what_the_model_says_on_mariadb() {
    walk(On::MariaDb).await;
}
