//! What was wrong with what a person entered, as a value: pages turn it into words (part D1).

use crate::domain::authenticator::pin::Broken;

/// Something a person entered was not accepted. The same page is shown again with the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// No user name was given.
    NameEmpty,
    /// User name or password is not right; which of them is never said.
    PasswordWrong,
    /// The next attempt must wait.
    Wait {
        /// Seconds to wait, at least 1.
        seconds: u64,
    },
    /// The passcode was not accepted: wrong, reused and out of window read alike.
    PasscodeWrong,
    /// No passcode was given.
    PasscodeEmpty,
    /// The passcode has another length.
    PasscodeLength {
        /// The right number of characters.
        expected: u32,
    },
    /// Right but far off: the following passcode is needed too.
    PasscodeNext,
    /// A passcode without the PIN that belongs beside it.
    PinMissing,
    /// A new PIN and its repetition differ.
    PinMismatch,
    /// A new PIN breaks these rules.
    PinRules(Broken),
    /// Not accepted; it belongs to another time, because the clock of the device is off.
    ClockOff {
        /// By about so many minutes, at least 1.
        minutes: u64,
        /// Whether the device's clock is ahead; it is behind otherwise.
        ahead: bool,
    },
    /// No response to the challenge was given.
    ResponseEmpty,
    /// The response was not accepted; the page shows a new challenge.
    ResponseWrong,
    /// The challenge that was answered is too old or was replaced; the page shows a new one.
    ChallengeExpired,
    /// There have been too many new challenges in this login.
    ChallengeLimit,
    /// The mailed code is not right.
    CodeWrong {
        /// Tries that are left for this code.
        left: u32,
    },
    /// No mailed code was given.
    CodeEmpty,
    /// The mailed code is too old, already used or replaced: a new one is needed.
    CodeExpired,
    /// Another mail can be sent only later.
    CodeCooldown {
        /// Seconds to wait, at least 1.
        seconds: u64,
    },
    /// The recovery code, temporary code or pass is not one that works.
    RecoveryCodeWrong,
    /// None was given.
    RecoveryCodeEmpty,
    /// The chosen platform is not allowed.
    PlatformNotAllowed,
    /// The device has not finished yet.
    StillWaiting,
}

impl Complaint {
    /// Whether what was typed is wrong, so that its field is marked; whoever must wait may have typed nothing at all.
    #[must_use]
    pub const fn is_of_the_field(self) -> bool {
        !matches!(self, Self::Wait { .. } | Self::CodeCooldown { .. })
    }
}
