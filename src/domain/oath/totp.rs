//! TOTP: a passcode for a time step (RFC 6238 section 4), with T0 = 0 and 64-bit steps.

use crate::domain::timestamp::Timestamp;

/// The time step at `now`, for steps of `step_seconds`. Zero before 1970.
#[must_use]
pub fn step_at(now: Timestamp, step_seconds: u32) -> i64 {
    now.seconds().max(0) / i64::from(step_seconds.max(1))
}

/// How many seconds the passcode at `now` is still shown.
#[must_use]
pub fn seconds_left(now: Timestamp, step_seconds: u32) -> u32 {
    let step = i64::from(step_seconds.max(1));
    u32::try_from(step - now.seconds().max(0) % step).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{Algorithm, hotp};
    use super::*;
    use crate::domain::secret::SecretBytes;

    fn secret(length: usize) -> SecretBytes {
        SecretBytes::new(b"1234567890".iter().copied().cycle().take(length).collect())
    }

    ///
    #[test]
    fn rfc_6238_appendix_b() {
        for (seconds, sha1, sha256, sha512) in [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ] {
            let step = step_at(Timestamp::from_seconds(seconds), 30).unsigned_abs();
            assert_eq!(hotp::passcode(&secret(20), Algorithm::Sha1, 8, step), sha1);
            assert_eq!(hotp::passcode(&secret(32), Algorithm::Sha256, 8, step), sha256);
            assert_eq!(hotp::passcode(&secret(64), Algorithm::Sha512, 8, step), sha512);
        }
    }

    ///
    #[test]
    fn another_library_agrees() {
        use totp_rs::{Algorithm as Theirs, Builder};
        for seconds in [0_i64, 29, 30, 1_795_508_100, 4_102_444_800] {
            let ours = hotp::passcode(
                &secret(20),
                Algorithm::Sha256,
                6,
                step_at(Timestamp::from_seconds(seconds), 30).unsigned_abs(),
            );
            let theirs = Builder::new()
                .with_algorithm(Theirs::SHA256)
                .with_digits(6)
                .with_step_duration(30)
                .with_secret(*b"12345678901234567890")
                .build()
                .expect("a TOTP");
            assert_eq!(ours, theirs.generate(seconds.unsigned_abs()).to_string());
        }
    }

    #[test]
    fn the_time_left_counts_down_to_one() {
        let at = |seconds| seconds_left(Timestamp::from_seconds(seconds), 30);
        assert_eq!((at(0), at(1), at(29), at(30)), (30, 29, 1, 30));
    }
}
