//! Authentication contexts: what a service provider wants to be done, and what was done, in SAML's words.

use serde::{Deserialize, Serialize};

use crate::domain::policy::access::Method;

/// Password over TLS.
pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
/// Password and one-time passcode.
pub const MULTI_FACTOR: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract";
/// The same, as research and education name it.
pub const REFEDS: &str = "https://refeds.org/profile/mfa";
/// A passcode of an authenticator that counts time.
pub const TIME_SYNC: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken";
/// Password alone, in older requests.
const PLAIN_PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
/// By some means.
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// A class that we can reach. The order of [`CLASSES`] is ours to deem (core 3.3.2.2.1): the strongest first, and
/// of equally strong ones the name that we use unless another one is asked for.
struct Class {
    name: &'static str,
    strength: u8,
    needs: &'static [Method],
}

const CLASSES: [Class; 6] = [
    Class { name: MULTI_FACTOR, strength: 3, needs: &[Method::Password, Method::Otp] },
    Class { name: REFEDS, strength: 3, needs: &[Method::Password, Method::Otp] },
    Class { name: TIME_SYNC, strength: 2, needs: &[Method::Otp] },
    Class { name: PASSWORD, strength: 1, needs: &[Method::Password] },
    Class { name: PLAIN_PASSWORD, strength: 1, needs: &[Method::Password] },
    Class { name: UNSPECIFIED, strength: 0, needs: &[] },
];

fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

/// Whether we know the class, and so may reach it.
#[must_use]
pub fn is_known(name: &str) -> bool {
    class(name).is_some()
}

/// What was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// The password.
    pub password: bool,
    /// A one-time passcode.
    pub otp: bool,
    /// Whether the passcode came from an authenticator that counts time, not events or challenges.
    pub by_time: bool,
}

impl Done {
    /// Whether this may be said of it: never more than was proven (T-43).
    fn is(self, class: &Class) -> bool {
        let proven = |method: &Method| match method {
            Method::Password => self.password,
            Method::Otp => self.otp,
        };
        class.needs.iter().all(proven) && (class.name != TIME_SYNC || self.by_time)
    }

    /// Our own name for it.
    #[must_use]
    fn own(self) -> &'static Class {
        let [.., weakest] = &CLASSES;
        CLASSES.iter().find(|class| self.is(class)).unwrap_or(weakest)
    }
}

/// How the wanted classes are to be understood (core 3.3.2.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// One of them.
    #[default]
    Exact,
    /// One of them or something stronger.
    Minimum,
    /// Something stronger than all of them.
    Better,
    /// Nothing stronger than the strongest of them.
    Maximum,
}

impl Comparison {
    /// The comparison with this name; `exact` if none is given.
    #[must_use]
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("exact") => Some(Self::Exact),
            Some("minimum") => Some(Self::Minimum),
            Some("better") => Some(Self::Better),
            Some("maximum") => Some(Self::Maximum),
            Some(_) => None,
        }
    }
}

/// A RequestedAuthnContext that we may be able to meet. Without classes: anything will do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wanted {
    comparison: Comparison,
    classes: Vec<String>,
}

impl Wanted {
    /// What is wanted; `None` if it is nothing that we can reach. `classes` are in the order of the request.
    #[must_use]
    pub fn new(comparison: Comparison, classes: &[&str]) -> Option<Self> {
        let mut known: Vec<String> = Vec::new();
        for name in classes.iter().filter(|name| is_known(name)) {
            // Each once: they are stored with the login, and there could be thousands.
            if !known.iter().any(|other| other == name) {
                known.push((*name).to_owned());
            }
        }
        let wanted = Self { comparison, classes: known };
        let all_known = classes.iter().all(|name| is_known(name));
        let reachable = match comparison {
            Comparison::Exact | Comparison::Minimum | Comparison::Maximum => !wanted.classes.is_empty(),
            // Nobody can say that something is stronger than what he does not know.
            Comparison::Better => !wanted.classes.is_empty() && all_known && wanted.strongest() < 3,
        };
        reachable.then_some(wanted)
    }

    fn strengths(&self) -> impl Iterator<Item = u8> + '_ {
        self.classes.iter().filter_map(|name| class(name)).map(|class| class.strength)
    }

    fn strongest(&self) -> u8 {
        self.strengths().max().unwrap_or(0)
    }

    /// The ways to meet it, beyond what the access policies ask: the one that is wanted most first. The classes of a
    /// request are in the order of preference (core 3.3.2.2.1); where a person cannot go the first way, the next is tried.
    #[must_use]
    pub fn ways(&self) -> Vec<Vec<Method>> {
        let named = || self.classes.iter().filter_map(|name| class(name));
        let wanted: Vec<&Class> = match self.comparison {
            Comparison::Exact => named().collect(),
            // What is stronger will do as well; of that, the weakest first.
            Comparison::Minimum => {
                let least = self.strengths().min().unwrap_or(0);
                named().chain(CLASSES.iter().rev().filter(|class| class.strength > least)).collect()
            }
            // Of what is stronger than the password, only both together says so with every kind of authenticator.
            Comparison::Better if self.strongest() == 0 => CLASSES.iter().rev().filter(|it| it.strength > 0).collect(),
            Comparison::Better => CLASSES.iter().filter(|class| class.strength == 3).collect(),
            // As strong as possible.
            Comparison::Maximum if self.classes.is_empty() => Vec::new(),
            Comparison::Maximum => CLASSES.iter().filter(|class| class.strength <= self.strongest()).collect(),
        };
        let mut ways: Vec<Vec<Method>> = Vec::new();
        for class in wanted {
            if !ways.iter().any(|way| way == class.needs) {
                ways.push(class.needs.to_vec());
            }
        }
        ways
    }

    /// What is claimed of what was done; `None` if that is not what was wanted.
    #[must_use]
    pub fn claimed(&self, done: Done) -> Option<&str> {
        let own = done.own();
        if self.classes.is_empty() {
            return Some(own.name);
        }
        let first_met = || self.classes.iter().find(|name| class(name).is_some_and(|class| done.is(class)));
        match self.comparison {
            Comparison::Exact => first_met().map(String::as_str),
            Comparison::Minimum => {
                let enough = self.strengths().min().is_some_and(|least| own.strength >= least);
                first_met().map(String::as_str).filter(|name| *name != UNSPECIFIED).or(enough.then_some(own.name))
            }
            Comparison::Better => (own.strength > self.strongest()).then_some(own.name),
            Comparison::Maximum => {
                let most = self.strongest();
                CLASSES.iter().find(|class| class.strength <= most && done.is(class)).map(|class| class.name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Done = Done { password: true, otp: false, by_time: false };
    const BOTH: Done = Done { password: true, otp: true, by_time: true };
    const EVENT: Done = Done { password: true, otp: true, by_time: false };
    const PASSCODE: Done = Done { password: false, otp: true, by_time: true };

    fn wanted(comparison: Comparison, classes: &[&str]) -> Option<Wanted> {
        Wanted::new(comparison, classes)
    }

    /// R-492, T-43.
    #[test]
    fn never_more_is_claimed_than_was_proven() {
        let anything = Wanted::default();
        assert_eq!(anything.claimed(ONE), Some(PASSWORD));
        assert_eq!(anything.claimed(BOTH), Some(MULTI_FACTOR));
        assert_eq!(anything.claimed(PASSCODE), Some(TIME_SYNC));
        assert_eq!(anything.claimed(Done { otp: true, ..Done::default() }), Some(UNSPECIFIED), "it counts events");
        let exact = |classes: &[&str], done| {
            wanted(Comparison::Exact, classes).expect("known").claimed(done).map(str::to_owned)
        };
        assert_eq!(exact(&[REFEDS, PASSWORD], BOTH).as_deref(), Some(REFEDS));
        assert_eq!(exact(&[REFEDS, PASSWORD], ONE).as_deref(), Some(PASSWORD));
        assert_eq!(exact(&[PASSWORD], BOTH).as_deref(), Some(PASSWORD));
        assert_eq!(exact(&[REFEDS], ONE), None);
        assert_eq!(exact(&[TIME_SYNC], EVENT), None);
        assert_eq!(exact(&[UNSPECIFIED], BOTH).as_deref(), Some(UNSPECIFIED));
    }

    /// all four comparisons of core 3.3.2.2.1.
    #[test]
    fn every_comparison_is_understood() {
        use Comparison::{Better, Exact, Maximum, Minimum};
        let unknown = "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI";
        for (comparison, classes, done, claimed) in [
            (Minimum, &[PASSWORD][..], ONE, Some(PASSWORD)),
            (Minimum, &[PASSWORD], BOTH, Some(PASSWORD)),
            (Minimum, &[PASSWORD], PASSCODE, Some(TIME_SYNC)),
            (Minimum, &[TIME_SYNC], EVENT, Some(MULTI_FACTOR)),
            (Minimum, &[REFEDS], ONE, None),
            (Minimum, &[unknown, PASSWORD], ONE, Some(PASSWORD)),
            (Minimum, &[UNSPECIFIED], BOTH, Some(MULTI_FACTOR)),
            (Better, &[PASSWORD], ONE, None),
            (Better, &[PASSWORD], BOTH, Some(MULTI_FACTOR)),
            (Better, &[UNSPECIFIED], ONE, Some(PASSWORD)),
            (Maximum, &[PASSWORD], BOTH, Some(PASSWORD)),
            (Maximum, &[REFEDS], BOTH, Some(MULTI_FACTOR)),
            (Maximum, &[PASSWORD], PASSCODE, Some(UNSPECIFIED)),
        ] {
            let wanted = wanted(comparison, classes).expect("reachable");
            assert_eq!(wanted.claimed(done), claimed, "{comparison:?} {classes:?} {done:?}");
        }
        for (comparison, classes) in [
            (Exact, &[unknown][..]),
            (Minimum, &[unknown]),
            (Maximum, &[unknown]),
            (Better, &[REFEDS]),
            (Better, &[unknown, PASSWORD]),
            (Exact, &[]),
        ] {
            assert_eq!(wanted(comparison, classes), None, "{comparison:?} {classes:?}");
        }
        assert_eq!(Comparison::named(Some("Exact")), None);
    }
    /// every comparison names its ways in the order in which they are wanted (core 3.3.2.2.1).
    #[test]
    fn what_cannot_be_reached_has_another_way_if_one_is_listed() {
        use Comparison::{Better, Exact, Maximum, Minimum};
        const UNKNOWN: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI";
        const P: Method = Method::Password;
        const O: Method = Method::Otp;
        let ways: [(_, &[&str], &[&[Method]]); 18] = [
            (Exact, &[REFEDS, PASSWORD], &[&[P, O], &[P]]),
            (Exact, &[PASSWORD, REFEDS], &[&[P], &[P, O]]),
            (Exact, &[REFEDS, MULTI_FACTOR], &[&[P, O]]),
            (Exact, &[TIME_SYNC], &[&[O]]),
            (Exact, &[UNKNOWN, TIME_SYNC, UNSPECIFIED], &[&[O], &[]]),
            (Minimum, &[REFEDS], &[&[P, O]]),
            (Minimum, &[REFEDS, PASSWORD], &[&[P, O], &[P], &[O]]),
            (Minimum, &[PASSWORD], &[&[P], &[O], &[P, O]]),
            (Minimum, &[TIME_SYNC], &[&[O], &[P, O]]),
            (Minimum, &[UNSPECIFIED], &[&[], &[P], &[O], &[P, O]]),
            (Better, &[UNSPECIFIED], &[&[P], &[O], &[P, O]]),
            (Better, &[PASSWORD], &[&[P, O]]),
            (Better, &[TIME_SYNC, PASSWORD], &[&[P, O]]),
            (Maximum, &[REFEDS], &[&[P, O], &[O], &[P], &[]]),
            (Maximum, &[PASSWORD, TIME_SYNC], &[&[O], &[P], &[]]),
            (Maximum, &[PASSWORD], &[&[P], &[]]),
            (Maximum, &[UNSPECIFIED], &[&[]]),
            (Maximum, &[UNKNOWN, PASSWORD], &[&[P], &[]]),
        ];
        for (comparison, classes, expected) in ways {
            let wanted = wanted(comparison, classes).expect("reachable");
            assert_eq!(wanted.ways(), expected, "{comparison:?} {classes:?}");
            // Whoever goes one of the ways, with an authenticator that counts time, gets what was wanted.
            for way in expected {
                let done = Done { password: way.contains(&P), otp: way.contains(&O), by_time: true };
                assert!(wanted.claimed(done).is_some(), "{comparison:?} {classes:?} {way:?}");
            }
        }
        assert_eq!(Wanted::default().ways(), Vec::<Vec<Method>>::new());
    }
}
