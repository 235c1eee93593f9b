//! Templates by kind of token: the values they are shipped with, which keys apply, and what a change changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lifecycle::Kind;
use super::template::{Mode, PinType, Synchronization, TokenTemplate};
use crate::domain::oath::Algorithm;

/// A fault or a warning: the key, and the end of a sentence about it.
pub type Remark = (&'static str, &'static str);

/// The old and the new value of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Before.
    pub old: Value,
    /// After.
    pub new: Value,
}

/// What differs between two templates, key by key; the version is no difference.
#[must_use]
pub fn differences(before: &TokenTemplate, after: &TokenTemplate) -> BTreeMap<String, Changed> {
    let members = |template: &TokenTemplate| match serde_json::to_value(template) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (mut old, new) = (members(before), members(after));
    let mut changed = BTreeMap::new();
    for (key, new) in new {
        let old = old.remove(&key).unwrap_or_default();
        if key != "version" && old != new {
            changed.insert(key, Changed { old, new });
        }
    }
    // What is written only where it is not the default.
    for (key, old) in old {
        changed.insert(key, Changed { old, new: Value::Null });
    }
    changed
}

impl TokenTemplate {
    /// For hardware and other tokens that are imported: what an import does not say.
    #[must_use]
    pub const fn oath() -> Self {
        Self::oath_app()
    }

    /// The values that the template of a kind is shipped with.
    #[must_use]
    pub const fn shipped(kind: Kind) -> Self {
        match kind {
            Kind::App => Self::app(),
            Kind::OathApp => Self::oath_app(),
            Kind::Oath => Self::oath(),
        }
    }

    /// This template with the values of `wanted`, one version later; itself if nothing is different.
    #[must_use]
    pub fn changed_to(&self, wanted: Self) -> Self {
        let same = Self { version: self.version, ..wanted };
        if same == *self { same } else { Self { version: self.version.saturating_add(1), ..same } }
    }

    /// The keys that do not apply to what else is set, and why.
    #[must_use]
    pub fn idle(&self) -> Vec<Remark> {
        let mut idle = Vec::new();
        match (self.mode, self.synchronization) {
            (Mode::ChallengeResponse, _) => {
                for key in ["synchronization", "time_step_seconds", "event_window"] {
                    idle.push((key, "does not apply to responses to a challenge"));
                }
            }
            (Mode::QuickLog, Synchronization::Time) => {
                idle.push(("event_window", "applies to event-based passcodes only"));
            }
            (Mode::QuickLog, Synchronization::Event) => {
                idle.push(("time_step_seconds", "applies to time-based passcodes only"));
            }
        }
        let why = match self.pin_type {
            PinType::UserSelected => return idle,
            PinType::None => "applies to PINs that users select only; there is none",
            PinType::ServerSide => "applies to PINs that users select only; the server-side PIN policy counts",
        };
        let keys =
            ["pin_min_length", "allow_trivial_pins", "pin_complexity", "max_pin_attempts", "allow_biometric_pin"];
        idle.extend(keys.map(|key| (key, why)));
        idle
    }

    /// What cannot be with tokens of this kind, beside [`Self::faults`].
    #[must_use]
    pub fn faults_of(&self, kind: Kind) -> Vec<Remark> {
        let mut faults = Vec::new();
        if kind != Kind::App && self.pin_type == PinType::UserSelected {
            faults.push(("pin_type", "must be \"none\" or \"server_side\": only our own apps ask for a PIN"));
        }
        if kind == Kind::OathApp && self.mode == Mode::ChallengeResponse {
            faults.push(("mode", "must be \"quick_log\": standard apps know no challenges"));
        }
        faults
    }

    /// What is allowed with tokens of this kind and still unwise.
    #[must_use]
    pub fn warnings_of(&self, kind: Kind) -> Vec<Remark> {
        let mut warnings = Vec::new();
        if kind == Kind::OathApp {
            let usual = Self::oath_app();
            if self.algorithm != Algorithm::Sha1 {
                warnings.push((
                    "algorithm",
                    "other than \"SHA1\" is ignored by several standard apps: passcodes will be wrong",
                ));
            }
            if self.length != usual.length {
                warnings.push(("length", "other than 6 is ignored by several standard apps: passcodes will be wrong"));
            }
            if self.time_step_seconds != usual.time_step_seconds {
                warnings.push((
                    "time_step_seconds",
                    "other than 30 is ignored by several standard apps: passcodes will be wrong",
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authenticator::template::PinComplexity;

    fn keys(remarks: &[Remark]) -> Vec<&'static str> {
        remarks.iter().map(|(key, _)| *key).collect()
    }

    const PIN_KEYS: [&str; 5] =
        ["pin_min_length", "allow_trivial_pins", "pin_complexity", "max_pin_attempts", "allow_biometric_pin"];

    ///
    #[test]
    fn what_applies_depends_on_what_else_is_set() {
        let app = TokenTemplate::app();
        let with_pin = TokenTemplate { pin_type: PinType::UserSelected, ..app.clone() };
        assert_eq!(keys(&with_pin.idle()), ["event_window"]);
        let event = TokenTemplate { synchronization: Synchronization::Event, ..with_pin.clone() };
        assert_eq!(keys(&event.idle()), ["time_step_seconds"]);
        let challenge = TokenTemplate { mode: Mode::ChallengeResponse, ..with_pin };
        assert_eq!(keys(&challenge.idle()), ["synchronization", "time_step_seconds", "event_window"]);
        for pin_type in [PinType::None, PinType::ServerSide] {
            let idle = keys(&TokenTemplate { pin_type, ..app.clone() }.idle());
            assert_eq!(idle.first(), Some(&"event_window"));
            assert_eq!(idle.get(1..), Some(&PIN_KEYS[..]), "{pin_type:?}");
        }
    }

    ///
    #[test]
    fn each_kind_refuses_what_it_cannot_do() {
        let pin = TokenTemplate { pin_type: PinType::UserSelected, ..TokenTemplate::app() };
        let challenge = TokenTemplate { mode: Mode::ChallengeResponse, ..TokenTemplate::app() };
        for (kind, with_pin, with_challenge) in [(Kind::App, 0, 0), (Kind::OathApp, 1, 1), (Kind::Oath, 1, 0)] {
            assert_eq!(pin.faults_of(kind).len(), with_pin, "{kind}");
            assert_eq!(challenge.faults_of(kind).len(), with_challenge, "{kind}");
            assert!(TokenTemplate::shipped(kind).faults_of(kind).is_empty(), "{kind}");
            assert!(TokenTemplate::shipped(kind).faults().is_empty(), "{kind}");
            assert!(TokenTemplate::shipped(kind).warnings_of(kind).is_empty(), "{kind}");
        }
    }

    /// the version grows by each change that changes something, and only by that.
    #[test]
    fn the_version_grows_by_each_effective_change() {
        let first = TokenTemplate::app();
        assert_eq!(first.changed_to(TokenTemplate { version: 7, ..first.clone() }), first);
        let second = first.changed_to(TokenTemplate {
            length: 8,
            pin_complexity: PinComplexity::StrongAlphanumeric,
            ..first.clone()
        });
        assert_eq!((second.version, second.length), (2, 8));
        let changed = differences(&first, &second);
        assert_eq!(changed.keys().collect::<Vec<_>>(), ["length", "pin_complexity"]);
        assert_eq!(changed["length"], Changed { old: 6.into(), new: 8.into() });
        let restored = second.changed_to(TokenTemplate::shipped(Kind::App));
        assert_eq!((restored.version, restored.length), (3, 6), "a version is never used twice");
    }
}
