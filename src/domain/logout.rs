//! Single logout: who is told that sessions have ended, one after another, and whom the end is reported to.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ApplicationId, SessionId, UserId};
use crate::domain::service_provider::NameIdFormat;

/// A service provider that heard of a session, and by what name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The service provider.
    pub application: ApplicationId,
    /// The kind of name that it got for the person.
    pub format: NameIdFormat,
    /// The name; empty if it is too long to be kept.
    pub name: String,
}

/// Stops that a browser goes through by bare redirects, one after another. Each is two redirects for it at least, and after
/// twenty it gives up; a page in between begins anew.
const MOST_BARE: usize = 4;

/// How far one service provider is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It has not answered yet.
    Waiting,
    /// It has ended its sessions.
    Done,
    /// It could not be told, or did not do it.
    Failed,
}

/// A service provider that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Which.
    pub application: ApplicationId,
    /// About whom.
    pub user: UserId,
    /// By what kind of name.
    pub format: NameIdFormat,
    /// By which name; empty if it was not kept.
    #[serde(default)]
    pub name: String,
    /// The sessions that have ended.
    pub sessions: Vec<SessionId>,
    /// How far it is.
    pub told: Told,
}

/// Whose request the logout is, if it was not the person at our own portal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The service provider.
    pub application: ApplicationId,
    /// What it called its request.
    pub request: String,
    /// Goes back unchanged.
    pub relay_state: Option<String>,
    /// Whether the browser brought its request, or an answer to one of ours, in a form.
    #[serde(default)]
    pub by_form: bool,
}

/// A logout on its way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Logout {
    /// Whom the end is reported to.
    pub asker: Option<Asker>,
    /// Where the browser goes at the end, if nobody is answered: a registered address of the relying party that asked.
    #[serde(default)]
    pub then: Option<String>,
    /// Who is told.
    pub stops: Vec<Stop>,
    /// Whether somebody who heard of a session takes no logout messages at all.
    pub untold: bool,
    /// Whether those that can be told from server to server have been.
    pub servers_told: bool,
    /// How many were settled by that, without the browser.
    #[serde(default)]
    pub by_servers: usize,
}

impl Logout {
    /// Remembers that `participant` heard of a session of `user`; `offered` says whether it can be told of its end.
    pub fn heard(&mut self, participant: Participant, user: UserId, session: SessionId, offered: bool) {
        if !offered {
            self.untold = true;
            return;
        }
        let Participant { application, format, name } = participant;
        // One request has one name in it, and another session may have another one.
        let same = |stop: &&mut Stop| {
            let about = (stop.application, stop.user, stop.format, stop.name.as_str());
            !name.is_empty() && about == (application, user, format, name.as_str())
        };
        match self.stops.iter_mut().find(same) {
            Some(stop) => stop.sessions.push(session),
            None => {
                let (sessions, told) = (vec![session], Told::Waiting);
                self.stops.push(Stop { application, user, format, name, sessions, told });
            }
        }
    }

    /// The next one that is to be told, with its number.
    #[must_use]
    pub fn next(&self) -> Option<(usize, &Stop)> {
        self.stops.iter().enumerate().find(|(_, stop)| stop.told == Told::Waiting)
    }

    /// Writes down what became of number `at`. Says whether that is new.
    pub fn settle(&mut self, at: usize, done: bool) -> bool {
        match self.stops.get_mut(at).filter(|stop| stop.told == Told::Waiting) {
            Some(stop) => {
                stop.told = if done { Told::Done } else { Told::Failed };
                true
            }
            None => false,
        }
    }

    /// Writes down that those were told that can be told from server to server.
    pub fn servers_are_told(&mut self) {
        self.servers_told = true;
        self.by_servers = self.settled();
    }

    fn settled(&self) -> usize {
        self.stops.iter().filter(|stop| stop.told != Told::Waiting).count()
    }

    /// Whether the browser should meet a page before it goes on.
    #[must_use]
    pub fn wants_a_page(&self) -> bool {
        let gone = self.settled().saturating_sub(self.by_servers);
        gone > 0 && gone.is_multiple_of(MOST_BARE)
    }

    /// Whether somebody who heard of a session may still hold one (core 3.7.3.2).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.untold || self.stops.iter().any(|stop| stop.told != Told::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R-497, T-45.
    #[test]
    fn each_is_told_once_and_whoever_is_not_makes_it_partial() {
        let (wiki, shop) = (ApplicationId::from_bits(1), ApplicationId::from_bits(2));
        let (user, first, second) = (UserId::from_bits(1), SessionId::from_bits(1), SessionId::from_bits(2));
        let named = |application, format, name: &str| Participant { application, format, name: name.to_owned() };
        let persistent = |application| named(application, NameIdFormat::Persistent, "p");
        let mut logout = Logout::default();
        assert!(!logout.is_partial(), "nobody is to be told");
        logout.heard(persistent(wiki), user, first, true);
        logout.heard(persistent(wiki), user, second, true);
        logout.heard(named(wiki, NameIdFormat::Transient, "t1"), user, first, true);
        assert_eq!(logout.stops.len(), 2);
        let mut apart = logout.clone();
        apart.heard(named(wiki, NameIdFormat::Transient, "t2"), user, second, true);
        apart.heard(named(wiki, NameIdFormat::Unspecified, ""), user, first, true);
        apart.heard(named(wiki, NameIdFormat::Unspecified, ""), user, second, true);
        assert_eq!(apart.stops.len(), 5, "each name has its own request");
        assert_eq!(logout.next().map(|(at, stop)| (at, stop.sessions.len())), Some((0, 2)));
        assert!(logout.is_partial(), "not yet");
        assert!(logout.settle(0, true) && !logout.settle(0, false), "an answer counts once");
        assert_eq!(logout.next().map(|(at, _)| at), Some(1));
        assert!(!logout.settle(7, true));
        assert!(logout.settle(1, true) && !logout.is_partial() && logout.next().is_none());
        logout.heard(persistent(shop), user, first, false);
        assert!(logout.is_partial() && logout.next().is_none(), "it cannot be told");
    }

    /// browsers follow twenty redirects.
    #[test]
    fn a_long_way_has_a_page_after_every_fourth_stop_of_the_browser() {
        let mut logout = Logout::default();
        for bits in 1..=11 {
            let wiki = ApplicationId::from_bits(bits);
            let participant = Participant { application: wiki, format: NameIdFormat::Persistent, name: "p".to_owned() };
            logout.heard(participant, UserId::from_bits(1), SessionId::from_bits(1), true);
        }
        logout.settle(0, true);
        logout.settle(1, false);
        logout.servers_are_told();
        let mut pages = vec![logout.wants_a_page()];
        for at in 2..11 {
            logout.settle(at, true);
            pages.push(logout.wants_a_page());
        }
        let with_one: Vec<usize> = (0..pages.len()).filter(|gone| pages[*gone]).collect();
        assert_eq!(with_one, [4, 8]);
    }
}
