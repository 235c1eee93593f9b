//! The funnel of enrollment: how many people reach each step, where they stop, and how long each step takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A step on the way to an authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// An authenticator was asked for.
    Asked,
    /// Enrollment was offered: nothing stood in the way.
    Offered,
    /// The person pressed the button.
    Started,
    /// The mailbox was proven.
    Mail,
    /// A platform was chosen.
    Platform,
    /// The app is there: said to be installed, or it claimed the activation.
    App,
    /// The device confirmed its keys, or the standard app's first passcode came.
    Activated,
    /// The first passcode was right.
    Passcode,
    /// The person logged in with it on another day.
    Returned,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Asked,
        Self::Offered,
        Self::Started,
        Self::Mail,
        Self::Platform,
        Self::App,
        Self::Activated,
        Self::Passcode,
        Self::Returned,
    ];

    /// The stable name in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Offered => "offered",
            Self::Started => "started",
            Self::Mail => "mail_proven",
            Self::Platform => "platform_chosen",
            Self::App => "app_ready",
            Self::Activated => "activated",
            Self::Passcode => "first_passcode",
            Self::Returned => "second_day",
        }
    }

    /// In words, for operators.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Asked => "Asked for an authenticator",
            Self::Offered => "Enrollment offered",
            Self::Started => "Started",
            Self::Mail => "Mailbox proven",
            Self::Platform => "Platform chosen",
            Self::App => "App installed or connected",
            Self::Activated => "Activated",
            Self::Passcode => "First passcode",
            Self::Returned => "Second login on another day",
        }
    }

    /// The step before it.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        let place = Self::ALL.iter().position(|stage| *stage == self)?;
        Self::ALL.get(place.checked_sub(1)?).copied()
    }
}

/// How many people came how far. A person with several attempts counts once, with the furthest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reached {
    /// By step, in the order of [`Stage::ALL`].
    pub people: [u64; 9],
    /// Started and failed: not finished in time, ended, locked, or the mail was refused.
    pub failed: u64,
}

impl Reached {
    /// Both together: of different people.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (mine, theirs) in self.people.iter_mut().zip(other.people) {
            *mine += theirs;
        }
        self.failed += other.failed;
        self
    }

    /// How many reached a step.
    #[must_use]
    pub fn at(&self, stage: Stage) -> u64 {
        Stage::ALL.iter().zip(self.people).find(|(known, _)| **known == stage).map_or(0, |(_, people)| people)
    }
}

/// One step of the funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// The step.
    pub stage: Stage,
    /// People who reached it.
    pub people: u64,
    /// Of those who were asked, in tenths of a percent.
    pub share: u64,
    /// People who reached the step before and not this one.
    pub stopped: u64,
    /// How long it took from the step before, in whole seconds: half of the people were quicker.
    pub median_seconds: Option<u64>,
    /// Nineteen of twenty people were quicker.
    pub p95_seconds: Option<u64>,
}

/// Times from one step to the next: whole seconds, and how many people took so long; ascending.
pub type Times = Vec<(u64, u64)>;

/// The time within which `percent` of the people were: the nearest rank.
#[must_use]
pub fn percentile(times: &[(u64, u64)], percent: u64) -> Option<u64> {
    let all: u64 = times.iter().map(|(_, people)| people).sum();
    let rank = (all * percent).div_ceil(100).max(1);
    let mut seen = 0;
    times.iter().find_map(|(seconds, people)| {
        seen += people;
        (seen >= rank).then_some(*seconds)
    })
}

/// A part of a whole in tenths of a percent, rounded; of nothing it is nothing.
#[must_use]
pub const fn per_mille(part: u64, whole: u64) -> u64 {
    match (part * 1000 + whole / 2).checked_div(whole) {
        Some(share) => share,
        None => 0,
    }
}

/// The steps with their shares and times; `times` are those from [`Stage::before`] to each step.
#[must_use]
pub fn bars(reached: &Reached, times: &[(Stage, Times)]) -> Vec<Bar> {
    let asked = reached.at(Stage::Asked);
    let of = |stage: Stage| {
        let times = times.iter().find(|(known, _)| *known == stage).map(|(_, times)| times.as_slice());
        let percentile = |percent| times.and_then(|times| percentile(times, percent));
        let people = reached.at(stage);
        Bar {
            stage,
            people,
            share: per_mille(people, asked),
            stopped: stage.before().map_or(0, |before| reached.at(before).saturating_sub(people)),
            median_seconds: percentile(50),
            p95_seconds: percentile(95),
        }
    };
    Stage::ALL.into_iter().map(of).collect()
}

/// A time as people read it.
#[must_use]
pub fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    ///
    #[test]
    fn shares_and_stops_come_from_the_counts() {
        let reached = Reached { people: [200, 190, 100, 90, 90, 80, 75, 70, 30], failed: 12 };
        let times = vec![(Stage::Mail, vec![(10, 50), (60, 30), (600, 20)])];
        let bars = bars(&reached, &times);
        let of = |stage: Stage| bars.iter().find(|bar| bar.stage == stage).expect("each step").clone();
        assert_eq!((of(Stage::Started).share, of(Stage::Started).stopped), (500, 90));
        assert_eq!((of(Stage::Asked).stopped, of(Stage::Platform).stopped), (0, 0));
        assert_eq!((of(Stage::Mail).median_seconds, of(Stage::Mail).p95_seconds), (Some(10), Some(600)));
        assert_eq!(of(Stage::App).median_seconds, None);
    }

    #[test]
    fn nobody_is_no_share_of_nobody() {
        let bars = bars(&Reached::default(), &[]);
        assert!(bars.iter().all(|bar| (bar.people, bar.share, bar.stopped) == (0, 0, 0)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn times_are_said_in_words() {
        let said = [5, 119, 150, 7_260, 200_000].map(|seconds| spoken(Duration::from_secs(seconds)));
        assert_eq!(said, ["5 s", "119 s", "2 min 30 s", "2 h 1 min", "2 days"]);
    }

    proptest! {
        /// Counted times give the same as all of them in a row.
        #[test]
        fn percentiles_are_those_of_a_sorted_list(mut all in proptest::collection::vec(0u64..50, 1..200), percent in 1u64..=100) {
            all.sort_unstable();
            let mut times: Times = Vec::new();
            for seconds in &all {
                match times.last_mut() {
                    Some((last, people)) if last == seconds => *people += 1,
                    _ => times.push((*seconds, 1)),
                }
            }
            let rank = (all.len() * usize::try_from(percent).expect("small")).div_ceil(100).max(1);
            prop_assert_eq!(percentile(&times, percent), all.get(rank - 1).copied());
        }
    }
}
