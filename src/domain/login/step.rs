//! What is still lacking: the heart of the house, as one pure function.
//!
//! The order of the questions is the order of the answers' secrecy: the password is judged before
//! anything is said about locks, tokens or enrollment (part B1, ordering rule), so that a stranger
//! learns nothing but "the name or the password is wrong".

use crate::domain::authenticator::server_pin::Due;
use crate::domain::enrollment;
use crate::domain::lockout::Lock;
use crate::domain::login::addition::Addition;
use crate::domain::login::evidence::Evidence;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::{Ending, Refusal};
use crate::domain::login::{Login, Stage};
use crate::domain::policy::access::{Decision, Method, Requirement, Verdict};
use crate::domain::policy::platform::Platform;
use crate::domain::policy::provisioning::{self, Offer};
use crate::domain::reservation::Closed;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;

/// The account that the login is about, as far as the next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// No name has been given yet.
    NotNamed,
    /// A name was given that has no account. It walks the same way as a known one.
    Unknown {
        /// The lock of the name: unknown names are counted like known ones.
        lock: Lock,
    },
    /// A name was given that has an account.
    Known {
        /// Whether it may be used.
        status: Status,
        /// Whether it is locked after failed attempts.
        lock: Lock,
        /// Whether nothing security-relevant changed since it was named (T-11).
        unchanged: bool,
    },
}

/// What authenticators the person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// None that counts: never enrolled, or all revoked.
    None,
    /// At least one is active.
    Usable,
    /// Only suspended or locked ones.
    Blocked,
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The login itself.
    pub login: &'a Login,
    /// The account it is about.
    pub account: Account,
    /// What the access policies say for this person, application and address.
    pub decision: &'a Decision,
    /// What has been proven.
    pub evidence: Evidence,
    /// What authenticators there are.
    pub tokens: Tokens,
    /// Why the server-side PIN that was proven in this login must be changed, if it must.
    pub new_pin: Option<Due>,
    /// Whether enrollment is offered to this person.
    pub offer: Offer,
    /// How far the open enrollment of this login is, if there is one.
    pub enrollment: Option<enrollment::Progress>,
    /// Whether new recovery codes of this login are still to be kept.
    pub sheet: bool,
    /// Where a link from a mail began: whether it still works.
    pub link: Result<(), Closed>,
    /// Why another token is to be enrolled by somebody who has proven one in this login.
    pub addition: Option<Addition>,
}

/// What the browser shows or does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask for the user name.
    Identify,
    /// Ask for the password.
    Password,
    /// Ask for a passcode of an authenticator that exists.
    Passcode,
    /// Ask for a new server-side PIN; a fresh passcode with it is asked for after that.
    NewPin(Due),
    /// Explain that an authenticator is needed and offer to add one.
    Offer,
    /// Explain which gate is closed and ask for the help desk's pass.
    Pass(provisioning::Refusal),
    /// Explain why another authenticator is to be added, and offer to do so.
    Addition(Addition),
    /// Ask for the code that was mailed.
    EmailCode,
    /// Ask where the authenticator shall live.
    ChoosePlatform,
    /// Show how to install the app.
    Install(Platform),
    /// Show the activation and wait for the device.
    Activate(Platform),
    /// Ask for the first passcode of the new authenticator.
    FirstPasscode(Platform),
    /// Show the recovery codes that came with the new authenticator.
    RecoveryCodes,
    /// Everything required was proven: complete the login.
    Complete,
    /// Completed: the door answers.
    Granted,
    /// No access, and why.
    Refused(Refusal),
    /// The link from the mail does not work any more (A9).
    LinkClosed(Closed),
    /// The login has been open for too long.
    Expired,
    /// The login ended; it cannot be continued.
    Ended(Ending),
    /// The door has answered already.
    Answered,
}

/// What this login must prove: the policy's requirements and what the application wishes beyond them, in every way that it
/// would take, most wanted first. There is always one.
pub fn ways<'a>(login: &'a Login, decision: &'a Decision) -> impl Iterator<Item = Vec<Requirement>> + 'a {
    login.wishes.ways().map(|methods| {
        let mut requirements = decision.verdict.requirements().to_vec();
        for method in methods {
            if !decision.verdict.requires(*method) {
                requirements.push(Requirement::once_per_session(*method));
            }
        }
        requirements.sort_by_key(|requirement| requirement.method);
        requirements
    })
}

/// The requirements that were met, of the most wanted way; `None` if those of no way were.
#[must_use]
pub fn met(login: &Login, decision: &Decision, evidence: Evidence, now: Timestamp) -> Option<Vec<Requirement>> {
    let meets = |requirement: &Requirement| is_met(login, *requirement, &evidence, now);
    ways(login, decision).find(|requirements| requirements.iter().all(meets))
}

/// Whether `requirement` is met. A recovery code stands in for a passcode where the policy asks for one; an application that
/// names a level means it, and what it is told is never more than was proven.
#[must_use]
pub fn is_met(login: &Login, requirement: Requirement, evidence: &Evidence, now: Timestamp) -> bool {
    let named = login.wishes.methods.contains(&Method::Otp);
    evidence.meets(requirement, login.wishes.freshness, now)
        || (requirement.method == Method::Otp && !named && evidence.stand_in().is_some())
}

/// What an application is told of that was proven. A stand-in keeps an earlier passcode out of it wherever it could stand in,
/// see [`is_met`].
#[must_use]
pub fn counted(login: &Login, evidence: Evidence, now: Timestamp) -> Evidence {
    let stands_in = evidence.stand_in().is_some() && !login.wishes.methods.contains(&Method::Otp);
    evidence.counted(login.wishes.freshness, stands_in, now)
}

/// The first thing that is lacking.
#[must_use]
pub fn next_step(facts: &Facts<'_>) -> Step {
    match facts.login.stage {
        Stage::Open => {}
        Stage::Granted { .. } => return if facts.login.expired(facts.now) { Step::Expired } else { Step::Granted },
        Stage::Answered => return Step::Answered,
        Stage::Ended(ending) => return Step::Ended(ending),
    }
    if facts.login.expired(facts.now) {
        return Step::Expired;
    }
    if facts.login.origin == Origin::Mail {
        return mail_step(facts);
    }
    // The first way that this person can go. Where no page may be shown, that is one that lies behind them already.
    let passable = |step: &Step| match step {
        Step::Refused(Refusal::AuthenticatorsBlocked | Refusal::NotOffered(_)) => false,
        step => !facts.login.wishes.silent || *step == Step::Complete,
    };
    let mut steps = ways(facts.login, facts.decision).map(|requirements| step_towards(facts, &requirements));
    let first = steps.next().unwrap_or(Step::Refused(Refusal::Denied));
    if passable(&first) { first } else { steps.find(passable).unwrap_or(first) }
}

/// The first thing that is lacking for these requirements.
fn step_towards(facts: &Facts<'_>, requirements: &[Requirement]) -> Step {
    let lacking = |method| {
        requirements.iter().any(|requirement| {
            requirement.method == method && !is_met(facts.login, *requirement, &facts.evidence, facts.now)
        })
    };
    if let Some(step) = account_step(facts, requirements, lacking(Method::Password)) {
        return step;
    }
    if facts.decision.verdict == Verdict::Deny {
        return Step::Refused(if facts.decision.unassigned { Refusal::Unassigned } else { Refusal::Denied });
    }
    if lacking(Method::Otp) || replaces(facts) {
        return otp_step(facts);
    }
    if facts.sheet {
        return Step::RecoveryCodes;
    }
    facts.addition.map_or(Step::Complete, |addition| addition_step(facts, addition))
}

/// The questions of somebody who has proven a token in this login and enrolls another one. The mailbox would prove less.
fn addition_step(facts: &Facts<'_>, addition: Addition) -> Step {
    facts.enrollment.map_or(Step::Addition(addition), platform_step)
}

/// Whether the person, let in by a recovery code, wants another authenticator as well.
fn replaces(facts: &Facts<'_>) -> bool {
    let enrolled = facts.evidence.otp.is_some_and(|proof| proof.here);
    facts.evidence.recovery.is_some() && facts.enrollment.is_some() && facts.offer == Offer::Offered && !enrolled
}

/// The questions about the account and its password; `None` when all are answered.
fn account_step(facts: &Facts<'_>, requirements: &[Requirement], password_lacking: bool) -> Option<Step> {
    // A denial has no requirements, but is told only to somebody who proved to be that person.
    // What the application wishes is a requirement too, so it is the verdict that counts: whoever asks for a passcode in the name
    // of an application would be told who may not use it (R-093, AC-32).
    let denied = facts.decision.verdict == Verdict::Deny || requirements.is_empty();
    let denial_unproven = denied && facts.evidence.password.is_none();
    // A lock is told to somebody who has given a password, right or wrong: not to whoever types a name.
    let knocks = (password_lacking || denial_unproven) && facts.evidence.knocked.is_none();
    match facts.account {
        Account::NotNamed => Some(Step::Identify),
        Account::Unknown { lock } => Some(match lock.refusal(facts.now) {
            Some(_) if knocks => Step::Password,
            Some(refusal) => Step::Refused(refusal),
            // An account that does not exist has no passcode either: the page asks, and no answer is right.
            None if password_lacking || denial_unproven => Step::Password,
            None => Step::Passcode,
        }),
        Account::Known { status, lock, unchanged } => {
            if let Some(refusal) = lock.refusal(facts.now) {
                return Some(if knocks { Step::Password } else { Step::Refused(refusal) });
            }
            if password_lacking || denial_unproven {
                return Some(Step::Password);
            }
            if !unchanged {
                return Some(Step::Ended(Ending::AccountChanged));
            }
            // Where a passcode is all that is asked for, a stranger who types a name sees what one that does not exist shows.
            match status {
                Status::Disabled if !facts.evidence.of_anybody() => Some(Step::Passcode),
                Status::Disabled => Some(Step::Refused(Refusal::Disabled)),
                Status::Enabled => None,
            }
        }
    }
}

/// The questions about authenticators, once the password is proven where one is asked for.
fn otp_step(facts: &Facts<'_>) -> Step {
    // Whoever has lost the authenticator gets another one when somebody vouches for it; the mailbox alone never does.
    let recovering = facts.evidence.pass.is_some() || (facts.evidence.recovery.is_some() && facts.enrollment.is_some());
    match (facts.tokens, facts.offer) {
        (Tokens::Usable | Tokens::Blocked, Offer::Offered) if recovering => enrollment_step(facts),
        (Tokens::Usable | Tokens::Blocked, Offer::AfterPassword) if recovering => Step::Password,
        (Tokens::Usable, _) => facts.new_pin.map_or(Step::Passcode, Step::NewPin),
        (Tokens::Blocked, _) => Step::Refused(Refusal::AuthenticatorsBlocked),
        (Tokens::None, Offer::AfterPassword) => Step::Password,
        (Tokens::None, Offer::Gated(gate)) => Step::Pass(gate),
        (Tokens::None, Offer::Refused(refusal)) => Step::Refused(Refusal::NotOffered(refusal)),
        (Tokens::None, Offer::Offered) => enrollment_step(facts),
    }
}

/// The questions of an enrollment that a mail began. It never leads to access: nothing is proven by a link.
fn mail_step(facts: &Facts<'_>) -> Step {
    match facts.account {
        Account::Known { status: Status::Disabled, .. } => return Step::Refused(Refusal::Disabled),
        Account::Known { unchanged: true, lock: Lock::Operator, .. } => {
            return Step::Refused(Refusal::LockedByOperator);
        }
        Account::Known { unchanged: true, .. } => {}
        Account::Known { .. } | Account::Unknown { .. } | Account::NotNamed => {
            return Step::Ended(Ending::AccountChanged);
        }
    }
    match (facts.link, facts.enrollment) {
        (Err(closed), _) => Step::LinkClosed(closed),
        (Ok(()), Some(progress)) => platform_step(progress),
        // It was cancelled: another browser has begun anew.
        (Ok(()), None) => Step::Expired,
    }
}

/// The questions of an enrollment; facts, not flags (R-114: no step can be skipped).
fn enrollment_step(facts: &Facts<'_>) -> Step {
    let Some(progress) = facts.enrollment else { return Step::Offer };
    if !enrollment::mailbox_proven(facts.evidence.mailbox, facts.now) {
        return Step::EmailCode;
    }
    platform_step(progress)
}

/// The questions about the device.
const fn platform_step(progress: enrollment::Progress) -> Step {
    match progress.platform {
        None => Step::ChoosePlatform,
        Some(platform) if progress.activated => Step::FirstPasscode(platform),
        Some(platform) if platform.installs_first() && !progress.installed => Step::Install(platform),
        Some(platform) => Step::Activate(platform),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::enrollment::Progress;
    use crate::domain::ids::{ApplicationId, CorrelationId, LoginId, PolicyId, SessionId, TenantId, UserId};
    use crate::domain::login::evidence::Proof;
    use crate::domain::login::wishes::{Freshness, Wishes};

    const NOW: Timestamp = Timestamp::from_seconds(100_000);

    fn login() -> Login {
        Login {
            id: LoginId::from_bits(1),
            tenant: TenantId::from_bits(1),
            origin: Origin::Oidc,
            application: ApplicationId::from_bits(1),
            wishes: Wishes::default(),
            request: String::new(),
            stage: Stage::Open,
            user: Some(UserId::from_bits(1)),
            named: Some("ada".to_owned()),
            security_version: 1,
            language: None,
            correlation: CorrelationId::from_bits(1),
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(600)),
            absolute_expires_at: NOW.plus(Duration::from_secs(3600)),
        }
    }

    fn decision(verdict: Verdict) -> Decision {
        Decision {
            policy: PolicyId::from_bits(1),
            policy_name: "Global".to_owned(),
            scenario: None,
            verdict,
            unassigned: false,
            spared: None,
            trace: vec![],
        }
    }

    fn both() -> Verdict {
        Verdict::Grant([Method::Password, Method::Otp].map(Requirement::once_per_session).to_vec())
    }

    fn only(method: Method) -> Verdict {
        Verdict::Grant(vec![Requirement::once_per_session(method)])
    }

    const KNOWN: Account = Account::Known { status: Status::Enabled, lock: Lock::Open, unchanged: true };
    const PROVEN: Option<Proof> = Some(Proof { at: NOW, here: true });

    /// A person who has proven the password, needs an OTP and has no token, among the target users.
    fn new_user<'a>(login: &'a Login, decision: &'a Decision) -> Facts<'a> {
        Facts {
            now: NOW,
            login,
            account: KNOWN,
            decision,
            evidence: Evidence { password: PROVEN, ..Evidence::default() },
            tokens: Tokens::None,
            new_pin: None,
            offer: Offer::Offered,
            enrollment: None,
            sheet: false,
            link: Ok(()),
            addition: None,
        }
    }

    /// U22: a link leads to an authenticator and never to access.
    #[test]
    fn a_link_from_a_mail_never_leads_to_access() {
        let login = Login { origin: Origin::Mail, ..login() };
        let decision = decision(both());
        let progress = |platform, activated| Some(Progress { platform, installed: false, activated });
        let proven = Evidence { password: PROVEN, otp: PROVEN, mailbox: Some(NOW), ..Evidence::default() };
        let base = Facts { enrollment: progress(None, false), ..new_user(&login, &decision) };
        let changed = Account::Known { status: Status::Enabled, lock: Lock::Open, unchanged: false };
        let disabled = Account::Known { status: Status::Disabled, lock: Lock::Open, unchanged: false };
        let operator = Account::Known { status: Status::Enabled, lock: Lock::Operator, unchanged: true };
        let stranger = Account::Known {
            status: Status::Enabled,
            lock: Lock::Until(NOW.plus(Duration::from_secs(60))),
            unchanged: true,
        };
        for (facts, step) in [
            (base, Step::ChoosePlatform),
            (Facts { enrollment: progress(Some(Platform::Ios), false), ..base }, Step::Activate(Platform::Ios)),
            // Whoever locks an account by wrong passwords must not keep its owner from enrolling (T-17).
            (Facts { account: stranger, ..base }, Step::ChoosePlatform),
            (Facts { account: changed, ..base }, Step::Ended(Ending::AccountChanged)),
            (Facts { account: Account::NotNamed, ..base }, Step::Ended(Ending::AccountChanged)),
            (Facts { account: disabled, ..base }, Step::Refused(Refusal::Disabled)),
            (Facts { account: operator, ..base }, Step::Refused(Refusal::LockedByOperator)),
            (Facts { enrollment: None, ..base }, Step::Expired),
        ] {
            assert_eq!(next_step(&facts), step, "{facts:?}");
        }
        for tokens in [Tokens::None, Tokens::Usable, Tokens::Blocked] {
            let facts = Facts { tokens, evidence: proven, ..base };
            assert_eq!(next_step(&facts), Step::ChoosePlatform, "what was proven counts for nothing here");
        }
        for closed in Closed::ALL {
            assert_eq!(next_step(&Facts { link: Err(closed), ..base }), Step::LinkClosed(closed));
        }
    }

    /// T-09: another token is enrolled after an older one was proven, never instead of proving it; and without
    /// the mailbox.
    #[test]
    fn the_way_to_another_token() {
        use crate::domain::ids::TokenId;
        let (login, decision) = (login(), decision(both()));
        let renewal = Addition::Renewal { of: TokenId::from_bits(1), may_wait: true };
        let proven = Evidence { password: PROVEN, otp: PROVEN, ..Evidence::default() };
        let base =
            Facts { tokens: Tokens::Usable, evidence: proven, addition: Some(renewal), ..new_user(&login, &decision) };
        let progress = |platform, activated| Some(Progress { platform, installed: false, activated });
        for (facts, step) in [
            (Facts { evidence: Evidence { otp: None, ..proven }, ..base }, Step::Passcode),
            (Facts { evidence: Evidence::default(), ..base }, Step::Password),
            (base, Step::Addition(renewal)),
            (Facts { enrollment: progress(None, false), ..base }, Step::ChoosePlatform),
            (Facts { enrollment: progress(Some(Platform::Ios), false), ..base }, Step::Activate(Platform::Ios)),
            (Facts { enrollment: progress(Some(Platform::Ios), true), ..base }, Step::FirstPasscode(Platform::Ios)),
            (Facts { addition: None, ..base }, Step::Complete),
        ] {
            assert_eq!(next_step(&facts), step, "{facts:?}");
        }
    }

    /// a new PIN comes after password and passcode with the old one, and before the passcode that counts.
    #[test]
    fn a_pin_that_is_due_is_changed_before_the_passcode_counts() {
        let (login, decision) = (login(), decision(both()));
        let base = Facts { tokens: Tokens::Usable, new_pin: Some(Due::FirstUse), ..new_user(&login, &decision) };
        assert_eq!(next_step(&base), Step::NewPin(Due::FirstUse));
        assert_eq!(next_step(&Facts { evidence: Evidence::default(), ..base }), Step::Password);
        assert_eq!(next_step(&Facts { new_pin: None, ..base }), Step::Passcode);
        let blocked = Facts { tokens: Tokens::Blocked, ..base };
        assert_eq!(next_step(&blocked), Step::Refused(Refusal::AuthenticatorsBlocked));
        let proven = Evidence { otp: PROVEN, ..base.evidence };
        assert_eq!(next_step(&Facts { evidence: proven, ..base }), Step::Complete, "another authenticator did it");
    }

    ///
    #[test]
    fn the_way_of_a_new_user() {
        let (login, decision) = (login(), decision(both()));
        let base = new_user(&login, &decision);
        let mailbox = Evidence { mailbox: Some(NOW), ..base.evidence };
        let progress = |platform, installed, activated| Some(Progress { platform, installed, activated });
        let android = Some(Platform::Android);
        for (facts, step) in [
            (Facts { account: Account::NotNamed, evidence: Evidence::default(), ..base }, Step::Identify),
            (Facts { evidence: Evidence::default(), ..base }, Step::Password),
            (base, Step::Offer),
            (Facts { enrollment: progress(None, false, false), ..base }, Step::EmailCode),
            (Facts { enrollment: progress(None, false, false), evidence: mailbox, ..base }, Step::ChoosePlatform),
            (
                Facts { enrollment: progress(android, false, false), evidence: mailbox, ..base },
                Step::Install(Platform::Android),
            ),
            (
                Facts { enrollment: progress(android, true, false), evidence: mailbox, ..base },
                Step::Activate(Platform::Android),
            ),
            (
                Facts { enrollment: progress(Some(Platform::Ios), false, false), evidence: mailbox, ..base },
                Step::Activate(Platform::Ios),
            ),
            (
                Facts { enrollment: progress(android, true, true), evidence: mailbox, ..base },
                Step::FirstPasscode(Platform::Android),
            ),
            // A mailbox that was proven too long ago must be proven again (B5).
            (
                Facts {
                    enrollment: progress(android, true, true),
                    evidence: Evidence { mailbox: Some(NOW.minus(Duration::from_secs(1200))), ..base.evidence },
                    ..base
                },
                Step::EmailCode,
            ),
            (Facts { evidence: Evidence { otp: PROVEN, ..mailbox }, tokens: Tokens::Usable, ..base }, Step::Complete),
        ] {
            assert_eq!(next_step(&facts), step, "{facts:?}");
        }
    }

    /// T-09.
    #[test]
    fn whoever_has_a_token_is_never_offered_another() {
        let (login, decision) = (login(), decision(both()));
        let base = new_user(&login, &decision);
        let open = Some(Progress { platform: None, installed: false, activated: false });
        assert_eq!(next_step(&Facts { tokens: Tokens::Usable, enrollment: open, ..base }), Step::Passcode);
        assert_eq!(
            next_step(&Facts { tokens: Tokens::Blocked, enrollment: open, ..base }),
            Step::Refused(Refusal::AuthenticatorsBlocked)
        );
    }

    #[test]
    fn nothing_is_told_before_the_password_is_right_b1_ordering_rule() {
        let login = login();
        let denied = decision(Verdict::Deny);
        let needed = decision(both());
        let disabled = Account::Known { status: Status::Disabled, lock: Lock::Open, unchanged: false };
        for (account, decision) in [(KNOWN, &denied), (disabled, &needed), (disabled, &denied)] {
            for tokens in [Tokens::None, Tokens::Usable, Tokens::Blocked] {
                for offer in [Offer::Offered, Offer::Refused(provisioning::Refusal::NoEmail)] {
                    let facts =
                        Facts { account, tokens, offer, evidence: Evidence::default(), ..new_user(&login, decision) };
                    assert_eq!(next_step(&facts), Step::Password, "{facts:?}");
                }
            }
        }
        // Nor does an application's wish make a difference: the request is anybody's to write.
        let wishes = Wishes { methods: vec![Method::Otp], ..Wishes::default() };
        let wishing = Login { wishes, ..login.clone() };
        for (account, decision) in [(KNOWN, &denied), (disabled, &needed), (disabled, &denied)] {
            let facts = Facts { account, evidence: Evidence::default(), ..new_user(&wishing, decision) };
            assert_eq!(next_step(&facts), Step::Password, "{facts:?}");
        }
        let facts = Facts { account: disabled, ..new_user(&login, &needed) };
        assert_eq!(next_step(&facts), Step::Ended(Ending::AccountChanged));
        // Where a passcode is all that is asked for, nobody learns either from a name who is disabled.
        let passcode = decision(only(Method::Otp));
        let unchanged = Account::Known { status: Status::Disabled, lock: Lock::Open, unchanged: true };
        for tokens in [Tokens::None, Tokens::Usable, Tokens::Blocked] {
            let facts =
                Facts { account: unchanged, tokens, evidence: Evidence::default(), ..new_user(&login, &passcode) };
            assert_eq!(next_step(&facts), Step::Passcode, "{facts:?}");
            let proven = Evidence { otp: PROVEN, ..Evidence::default() };
            assert_eq!(next_step(&Facts { evidence: proven, ..facts }), Step::Refused(Refusal::Disabled));
        }
    }

    /// AC-02, AC-03, T-01, T-09: a closed gate asks for a pass; a pass replaces an authenticator that is lost, a mailbox does
    /// not.
    #[test]
    fn a_gate_is_opened_by_a_pass_and_by_nothing_else() {
        let (login, decision) = (login(), decision(both()));
        let base = new_user(&login, &decision);
        let dormant = provisioning::Refusal::Dormant;
        let open = Some(Progress { platform: None, installed: false, activated: false });
        for tokens in [Tokens::Usable, Tokens::Blocked] {
            for evidence in [base.evidence, Evidence { mailbox: Some(NOW), ..base.evidence }] {
                let facts = Facts { tokens, evidence, enrollment: open, ..base };
                let expected = match tokens {
                    Tokens::Usable => Step::Passcode,
                    _ => Step::Refused(Refusal::AuthenticatorsBlocked),
                };
                assert_eq!(next_step(&facts), expected);
            }
            let passed = Evidence { pass: Some(NOW), ..base.evidence };
            assert_eq!(next_step(&Facts { tokens, evidence: passed, ..base }), Step::Offer);
            let facts = Facts { tokens, evidence: passed, enrollment: open, ..base };
            assert_eq!(next_step(&facts), Step::EmailCode);
            let refused = Offer::Refused(provisioning::Refusal::NoEmail);
            assert_ne!(next_step(&Facts { offer: refused, ..facts }), Step::EmailCode);
        }
        assert_eq!(next_step(&Facts { offer: Offer::Gated(dormant), ..base }), Step::Pass(dormant));
        let refused = Step::Refused(Refusal::NotOffered(dormant));
        assert_eq!(next_step(&Facts { offer: Offer::Refused(dormant), ..base }), refused);
    }

    /// A recovery code lets in where the policy asks for a passcode, leads to another authenticator where that is wanted,
    /// and is not what an application means that names a level.
    #[test]
    fn what_a_recovery_code_is_good_for() {
        let (login, decision) = (login(), decision(both()));
        let base = new_user(&login, &decision);
        let evidence = Evidence { recovery: PROVEN, ..base.evidence };
        let open = Some(Progress { platform: None, installed: false, activated: false });
        for tokens in [Tokens::Usable, Tokens::None] {
            let facts = Facts { tokens, evidence, ..base };
            assert_eq!(next_step(&facts), Step::Complete);
            assert_eq!(next_step(&Facts { enrollment: open, ..facts }), Step::EmailCode);
            let enrolled = Evidence { otp: PROVEN, ..evidence };
            assert_eq!(next_step(&Facts { evidence: enrolled, enrollment: open, ..facts }), Step::Complete);
            assert_eq!(next_step(&Facts { evidence: enrolled, sheet: true, ..facts }), Step::RecoveryCodes);
        }
        let wishes = Wishes { methods: vec![Method::Password, Method::Otp], ..Wishes::default() };
        let named = Login { wishes, ..login.clone() };
        let facts = Facts { login: &named, tokens: Tokens::Usable, evidence, ..base };
        assert_eq!(next_step(&facts), Step::Passcode);
        assert_eq!(next_step(&Facts { enrollment: open, ..facts }), Step::EmailCode);
        let password_lacking =
            Facts { evidence: Evidence { password: None, ..evidence }, tokens: Tokens::Usable, ..base };
        assert_eq!(next_step(&password_lacking), Step::Password, "it stands in for the passcode only");
    }

    ///
    #[test]
    fn a_denied_login_never_shows_self_provisioning() {
        let login = login();
        let denied = decision(Verdict::Deny);
        assert_eq!(next_step(&new_user(&login, &denied)), Step::Refused(Refusal::Denied));
        let unassigned = Decision { unassigned: true, ..denied };
        assert_eq!(next_step(&new_user(&login, &unassigned)), Step::Refused(Refusal::Unassigned));
        let password_only = decision(only(Method::Password));
        assert_eq!(next_step(&new_user(&login, &password_only)), Step::Complete);
    }

    ///
    #[test]
    fn a_policy_without_a_password_still_asks_for_it_before_enrollment() {
        let (login, decision) = (login(), decision(only(Method::Otp)));
        let base = Facts { evidence: Evidence::default(), ..new_user(&login, &decision) };
        assert_eq!(next_step(&Facts { offer: Offer::AfterPassword, ..base }), Step::Password);
        assert_eq!(next_step(&Facts { tokens: Tokens::Usable, ..base }), Step::Passcode);
        assert_eq!(next_step(&Facts { account: Account::Unknown { lock: Lock::Open }, ..base }), Step::Passcode);
    }

    ///
    #[test]
    fn a_lock_is_told_to_known_and_unknown_names_alike() {
        let (login, decision) = (login(), decision(both()));
        let until = Lock::Until(NOW.plus(Duration::from_secs(60)));
        for account in
            [Account::Unknown { lock: until }, Account::Known { status: Status::Enabled, lock: until, unchanged: true }]
        {
            let facts = Facts { account, evidence: Evidence::default(), ..new_user(&login, &decision) };
            assert_eq!(next_step(&facts), Step::Password, "R-332: a name alone is told nothing");
            let knocked = Evidence { knocked: Some(NOW), ..Evidence::default() };
            assert_eq!(next_step(&Facts { evidence: knocked, ..facts }), Step::Refused(Refusal::Locked));
            let otp_only = self::decision(only(Method::Otp));
            assert_eq!(next_step(&Facts { decision: &otp_only, ..facts }), Step::Refused(Refusal::Locked));
        }
    }

    ///
    #[test]
    fn wishes_add_methods_and_freshness_but_never_take_away() {
        let password_only = decision(only(Method::Password));
        let stepped_up = Login { wishes: Wishes { methods: vec![Method::Otp], ..Wishes::default() }, ..login() };
        let facts = Facts { tokens: Tokens::Usable, ..new_user(&stepped_up, &password_only) };
        assert_eq!(next_step(&facts), Step::Passcode);
        let fresh = Login { wishes: Wishes { freshness: Freshness::ThisLogin, ..Wishes::default() }, ..login() };
        let earlier = Some(Proof { at: NOW.minus(Duration::from_secs(5)), here: false });
        let facts = new_user(&fresh, &password_only);
        let facts = Facts { evidence: Evidence { password: earlier, ..facts.evidence }, ..facts };
        assert_eq!(next_step(&facts), Step::Password);
    }

    /// whoever cannot go the way that is wanted most goes another one that will do; and only then.
    #[test]
    fn another_way_is_taken_where_the_first_is_closed() {
        let wishes = Wishes {
            methods: vec![Method::Password, Method::Otp],
            otherwise: vec![vec![Method::Password]],
            ..Wishes::default()
        };
        let password_only = decision(only(Method::Password));
        let wished = Login { wishes: wishes.clone(), ..login() };
        let base = new_user(&wished, &password_only);
        let closed = Facts { offer: Offer::Refused(provisioning::Refusal::NoEmail), ..base };
        let blocked = Facts { tokens: Tokens::Blocked, ..base };
        assert_eq!(next_step(&base), Step::Offer, "an authenticator can be had");
        assert_eq!(next_step(&Facts { tokens: Tokens::Usable, ..base }), Step::Passcode);
        assert_eq!((next_step(&closed), next_step(&blocked)), (Step::Complete, Step::Complete));
        assert_eq!(next_step(&Facts { evidence: Evidence::default(), ..closed }), Step::Password);
        // What the policy demands is not given up for it.
        let demanded = decision(both());
        let refused = Step::Refused(Refusal::NotOffered(provisioning::Refusal::NoEmail));
        assert_eq!(next_step(&Facts { decision: &demanded, ..closed }), refused);
        assert_eq!(next_step(&Facts { decision: &decision(Verdict::Deny), ..closed }), Step::Refused(Refusal::Denied));
        // Without a page, what was proven before is enough, if one of the ways says so.
        let silent = Login { wishes: Wishes { silent: true, ..wishes }, ..login() };
        let silent = Facts { login: &silent, tokens: Tokens::Usable, ..base };
        assert_eq!(next_step(&silent), Step::Complete);
        assert_eq!(next_step(&Facts { evidence: Evidence::default(), ..silent }), Step::Password);
        assert_eq!(met(&wished, &demanded, base.evidence, NOW), None);
        let of = |evidence| met(&wished, &password_only, evidence, NOW).map(|found| found.len());
        assert_eq!(of(base.evidence), Some(1));
        assert_eq!(of(Evidence { otp: PROVEN, ..base.evidence }), Some(2));
    }

    #[test]
    fn the_end_is_the_end_b1() {
        let decision = decision(both());
        for (stage, step) in [
            (Stage::Answered, Step::Answered),
            (Stage::Granted { session: SessionId::from_bits(1) }, Step::Granted),
            (Stage::Ended(Ending::Cancelled), Step::Ended(Ending::Cancelled)),
        ] {
            let login = Login { stage, ..login() };
            assert_eq!(next_step(&new_user(&login, &decision)), step);
        }
        let old = Login { expires_at: NOW, ..login() };
        assert_eq!(next_step(&new_user(&old, &decision)), Step::Expired);
    }
}
