use proptest::prelude::*;

use super::*;
use crate::domain::ids::PolicyId;
use crate::domain::login::wishes::Freshness;
use crate::domain::policy::access::Requirement;

const DAY: u64 = 86_400;
const PILOT: GroupId = GroupId::from_bits(1);
const SALES: GroupId = GroupId::from_bits(2);

fn day(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).plus(Duration::from_secs(number * DAY))
}

fn wave(number: u128, starts: u64, groups: &[GroupId]) -> Wave {
    Wave {
        id: WaveId::from_bits(number),
        name: format!("wave {number}"),
        starts_at: day(starts),
        groups: groups.to_vec(),
        percent: 100,
        most_per_day: 0,
        postponements: None,
        deadline: None,
    }
}

fn staging(wave: Vec<Wave>) -> Staging {
    Staging { rollout: Mode::Waves, wave, brake: Brake::default() }
}

fn standing(now: Timestamp) -> Standing<'static> {
    Standing {
        now,
        person: UserId::from_bits(7),
        groups: &[PILOT],
        place: None,
        pause: None,
        full: false,
        enrolling: false,
        granted: false,
    }
}

fn place() -> Place {
    Place { asked_at: day(1), begun: false, postponed: 0, postponed_until: None }
}

const ASKED: Turn = Turn::Asked { wave: Some(WaveId::from_bits(1)), later: None };
const DUE: Turn = Turn::Due { wave: WaveId::from_bits(1) };

fn decision(methods: &[Method]) -> Decision {
    Decision {
        policy: PolicyId::from_bits(1),
        policy_name: "Global".to_owned(),
        scenario: None,
        verdict: Verdict::Grant(methods.iter().map(|method| Requirement::once_per_session(*method)).collect()),
        unassigned: false,
        spared: None,
        trace: vec![],
    }
}

/// R-080, T-01: whom observing and waves can spare the passcode at all: each line takes one thing away.
#[test]
fn the_table_of_who_may_be_spared() {
    let both = decision(&[Method::Password, Method::Otp]);
    let (none, named) =
        (Wishes::default(), Wishes { methods: vec![Method::Password, Method::Otp], ..Wishes::default() });
    let preferred = Wishes { otherwise: vec![vec![Method::Otp]], ..Wishes::default() };
    let fresh = Wishes { freshness: Freshness::ThisLogin, ..Wishes::default() };
    let otp_only = decision(&[Method::Otp]);
    let password_only = decision(&[Method::Password]);
    let denied = Decision { verdict: Verdict::Deny, ..both.clone() };
    let base = Claim {
        origin: Origin::Oidc,
        wishes: &none,
        decision: &both,
        tokens: Tokens::None,
        ever_enrolled: false,
        targeted: true,
        password_proven: true,
    };
    for (claim, may) in [
        (base, true),
        (Claim { origin: Origin::Saml, ..base }, true),
        (Claim { origin: Origin::Portal, ..base }, true),
        (Claim { wishes: &fresh, ..base }, true),
        (Claim { origin: Origin::Mail, ..base }, false),
        (Claim { wishes: &named, ..base }, false),
        (Claim { wishes: &preferred, ..base }, false),
        (Claim { decision: &otp_only, ..base }, false),
        (Claim { decision: &password_only, ..base }, false),
        (Claim { decision: &denied, ..base }, false),
        (Claim { tokens: Tokens::Usable, ..base }, false),
        (Claim { tokens: Tokens::Blocked, ..base }, false),
        (Claim { ever_enrolled: true, ..base }, false),
        (Claim { targeted: false, ..base }, false),
        (Claim { password_proven: false, ..base }, false),
    ] {
        assert_eq!(may_be_spared(&claim), may, "{claim:?}");
    }
}

/// Nobody gets in with nothing: what is left is never empty, and what else the policy asks for stays.
#[test]
fn sparing_takes_the_passcode_and_nothing_else() {
    let spared = decision(&[Method::Password, Method::Otp]).sparing(Spared::Observed);
    assert_eq!(spared.verdict, decision(&[Method::Password]).verdict);
    assert_eq!(spared.spared, Some(Spared::Observed));
    assert!(spared.trace.iter().any(|line| line.contains("otp_observed")), "{:?}", spared.trace);
    let only = decision(&[Method::Otp]).sparing(Spared::Observed);
    assert_eq!((only.verdict.requires(Method::Otp), only.spared), (true, None));
    let denied = Decision { verdict: Verdict::Deny, ..decision(&[]) }.sparing(Spared::Observed);
    assert_eq!((denied.verdict, denied.spared), (Verdict::Deny, None));
}

#[test]
fn names_are_stable_r_568() {
    for spared in Spared::ALL {
        assert_eq!(Spared::named(spared.reason()), Some(spared));
    }
    for mode in Mode::ALL {
        assert_eq!(serde_json::to_value(mode).expect("a word"), mode.id());
    }
}

/// Off by default: nothing in older settings, and everybody is asked.
#[test]
fn without_a_rollout_everybody_is_asked() {
    let old: Staging = serde_json::from_str("{}").expect("older settings");
    assert_eq!((old.is_on(), old.turn(standing(day(0))).0), (false, Turn::PLAIN));
}

#[test]
fn the_decision_table_of_turns() {
    let one = |wave| staging(vec![wave]);
    let plain = one(wave(1, 1, &[PILOT]));
    let counted = one(Wave { postponements: Some(2), deadline: Some(day(9)), ..wave(1, 1, &[PILOT]) });
    let later = |left, until| Turn::Asked { wave: Some(WaveId::from_bits(1)), later: Some(Later { left, until }) };
    let pause = |at| Some(Pause { at: day(at), everybody: false });
    let everybody = Some(Pause { at: day(2), everybody: true });
    let spared = Turn::Spared;
    let observing = Staging { rollout: Mode::Observe, ..plain.clone() };
    let at = |number| standing(day(number));
    let asked = |number| Standing { place: Some(place()), ..at(number) };
    let put_off = |postponed, until| Some(Place { postponed, postponed_until: Some(day(until)), ..place() });
    for (number, (settings, standing, turn)) in [
        (&observing, at(3), spared(Spared::Observed)),
        (&observing, Standing { enrolling: true, ..at(3) }, Turn::PLAIN),
        (&plain, Standing { groups: &[SALES], ..at(3) }, spared(Spared::NoWave)),
        (&plain, at(0), spared(Spared::BeforeWave)),
        (&plain, at(1), DUE),
        (&plain, Standing { granted: true, ..at(1) }, spared(Spared::BeforeWave)),
        (&plain, Standing { full: true, ..at(1) }, spared(Spared::DayFull)),
        (&plain, Standing { pause: pause(1), ..at(2) }, spared(Spared::Paused)),
        (&plain, asked(2), ASKED),
        // The cap is for new people; whoever was asked is no new one.
        (&plain, Standing { full: true, ..asked(2) }, ASKED),
        // A pause takes nothing back that was demanded, unless an operator says so.
        (&plain, Standing { pause: pause(2), ..asked(3) }, ASKED),
        (&plain, Standing { pause: everybody, ..asked(3) }, spared(Spared::Paused)),
        (&plain, Standing { pause: everybody, enrolling: true, ..asked(3) }, ASKED),
        (&counted, asked(2), later(Some(2), Some(day(9)))),
        (&counted, Standing { pause: pause(2), ..asked(3) }, spared(Spared::Paused)),
        (
            &counted,
            Standing { pause: pause(2), place: Some(Place { begun: true, ..place() }), ..at(3) },
            later(Some(2), Some(day(9))),
        ),
        (&counted, Standing { place: put_off(1, 3), ..at(2) }, spared(Spared::Postponed)),
        (&counted, Standing { place: put_off(1, 3), ..at(3) }, later(Some(1), Some(day(9)))),
        (&counted, Standing { place: put_off(2, 3), ..at(3) }, ASKED),
        (&counted, Standing { place: put_off(2, 3), pause: pause(3), ..at(4) }, ASKED),
        (&counted, asked(9), ASKED),
        (&counted, Standing { place: put_off(1, 10), ..at(9) }, ASKED),
        (&counted, Standing { pause: pause(8), ..asked(10) }, spared(Spared::Paused)),
        (&counted, Standing { pause: pause(9), ..asked(10) }, ASKED),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(settings.turn(standing).0, turn, "line {number}: {standing:?}");
    }
}

#[test]
fn the_first_wave_that_somebody_belongs_to_counts() {
    let settings = staging(vec![wave(1, 5, &[PILOT]), wave(2, 1, &[])]);
    let of = |groups: &'static [GroupId]| settings.turn(Standing { groups, ..standing(day(2)) }).0;
    assert_eq!(of(&[PILOT]), Turn::Spared(Spared::BeforeWave), "not before the own wave has begun");
    assert_eq!(of(&[SALES]), Turn::Due { wave: WaveId::from_bits(2) });
}

#[test]
fn a_wave_without_number_and_date_cannot_be_put_off() {
    let plain = wave(1, 1, &[]);
    assert_eq!(plain.later(0, day(1)), None);
    assert_eq!(Wave { postponements: Some(0), deadline: Some(day(9)), ..plain.clone() }.later(0, day(1)), None);
    let dated = Wave { deadline: Some(day(2)), ..plain };
    assert_eq!(dated.later(99, day(1)), Some(Later { left: None, until: Some(day(2)) }));
    assert_eq!(dated.postponed_until(day(1)), day(1).plus(POSTPONED_FOR));
    assert_eq!(dated.postponed_until(day(2).minus(Duration::from_secs(60))), day(2), "never past the deadline");
}

#[test]
fn days_begin_when_the_wave_did() {
    let wave = wave(1, 1, &[]);
    let days = [(day(1), 0), (day(2).minus(Duration::from_secs(1)), 0), (day(2), 1), (day(0), -1)];
    assert!(days.into_iter().all(|(at, number)| wave.day(at) == number));
}

#[test]
fn the_brake_wants_a_share_and_a_number() {
    let brake = Brake { failed_percent: 25, help_desk_percent: 20, at_least: 5, window_minutes: 60 };
    for (trouble, pulled) in [
        (Trouble::default(), None),
        (Trouble { asked: 4, failed: 4, ..Trouble::default() }, None),
        (Trouble { asked: 5, failed: 5, ..Trouble::default() }, Some(Pulled::Failed(100))),
        (Trouble { asked: 30, failed: 5, completed: 15, ..Trouble::default() }, Some(Pulled::Failed(25))),
        (Trouble { asked: 30, failed: 5, completed: 16, ..Trouble::default() }, None),
        (Trouble { asked: 25, helped: 5, completed: 20, ..Trouble::default() }, Some(Pulled::Helped(20))),
        (Trouble { asked: 26, helped: 5, completed: 20, ..Trouble::default() }, None),
    ] {
        assert_eq!(brake.pulled(trouble), pulled, "{trouble:?}");
    }
    let off = Brake { failed_percent: 0, help_desk_percent: 0, ..brake };
    assert_eq!(off.pulled(Trouble { asked: 9, failed: 9, helped: 9, completed: 0 }), None);
}

#[test]
fn faults_name_their_key() {
    let broken = Staging {
        wave: vec![
            Wave { percent: 0, most_per_day: MOST_PER_DAY + 1, ..wave(1, 1, &[]) },
            Wave { postponements: Some(101), deadline: Some(day(2)), name: "WAVE 1".to_owned(), ..wave(2, 2, &[]) },
        ],
        brake: Brake { failed_percent: 101, help_desk_percent: 101, at_least: 0, window_minutes: 9 },
        ..staging(vec![])
    };
    let keys: Vec<String> = broken.faults().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [
            "wave[0].percent",
            "wave[0].most_per_day",
            "wave[1].name",
            "wave[1].postponements",
            "wave[1].deadline",
            "brake.failed_percent",
            "brake.help_desk_percent",
            "brake.at_least",
            "brake.window_minutes"
        ]
    );
    assert_eq!(staging(vec![]).faults().len(), 1, "waves without waves");
    assert!(Staging::default().faults().is_empty());
}

proptest! {
    /// Raising a share keeps everybody who was in it, and a share is about as large as it says.
    #[test]
    fn a_larger_share_keeps_the_smaller(bits: u128, smaller in 1u8..100, more in 0u8..100) {
        let share = |percent| Wave { percent, ..wave(1, 1, &[]) };
        let larger = smaller.saturating_add(more).min(100);
        let person = UserId::from_bits(bits);
        if share(smaller).includes(person, &[]) {
            prop_assert!(share(larger).includes(person, &[]));
        }
        prop_assert!(share(100).includes(person, &[]));
    }

    /// Whatever the waves say: who is spared was not demanded anything before, and nobody is asked before the wave began.
    #[test]
    fn no_pause_opens_what_was_demanded(
        number in 0u64..20, asked in 1u64..20, paused in 0u64..20, postponed in 0u32..4, until in 0u64..20,
        begun: bool, full: bool, most in proptest::option::of(0u32..4), deadline in proptest::option::of(2u64..20),
    ) {
        let wave = Wave { postponements: most, deadline: deadline.map(day), ..wave(1, 1, &[]) };
        let place = Place { asked_at: day(asked), begun, postponed, postponed_until: Some(day(until)) };
        let settings = staging(vec![wave.clone()]);
        let calm = Standing { place: Some(place), full, ..standing(day(number)) };
        let paused_at = Pause { at: day(paused), everybody: false };
        let (now, then) = (settings.turn(Standing { pause: Some(paused_at), ..calm }).0, settings.turn(calm).0);
        if number < 1 {
            prop_assert!(now.spared().is_some() && then.spared().is_some());
        } else if begun || wave.later(postponed, day(paused)).is_none() {
            prop_assert_eq!(now, then, "what was demanded before the pause is demanded in it");
        }
    }
}

#[test]
fn a_share_is_as_large_as_it_says() {
    let share = Wave { percent: 10, ..wave(1, 1, &[]) };
    let spread = |number: u128| UserId::from_bits(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let inside = (0..20_000).filter(|number| share.includes(spread(*number), &[])).count();
    assert!((1_800..2_200).contains(&inside), "{inside}");
}
