//! OCRA: a response to a challenge (RFC 6287). Suites are read strictly; what the RFC does not know is refused.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::Digest as _;

use super::{Algorithm, hotp};
use crate::domain::secret::SecretBytes;

/// Octets of the question in the data that is signed (RFC 6287 section 5.1).
const QUESTION_OCTETS: usize = 128;

/// How a question is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Letters and digits: signed as they are.
    Alphanumeric,
    /// Decimal digits: signed as the number that they are.
    Numeric,
    /// Hexadecimal digits: signed as the octets that they are.
    Hexadecimal,
}

/// An OCRA suite: everything that both sides agree on beforehand (RFC 6287 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    text: String,
    algorithm: Algorithm,
    /// 4 to 10; 0 for the whole HMAC in hexadecimal.
    digits: u8,
    counter: bool,
    format: Format,
    /// Characters of one side's question: 4 to 64.
    length: u8,
    pin: Option<Algorithm>,
    /// Octets of the session information: 1 to 512.
    session: Option<u16>,
    /// Seconds of a time step.
    step: Option<u32>,
}

/// Why a text is no suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASuite {
    /// Not three parts with colons between them, or another version than 1.
    #[error("is not of the form OCRA-1:HOTP-…:…")]
    Shape,
    /// Not HOTP with SHA1, SHA256 or SHA512.
    #[error("names a hash function other than SHA1, SHA256 and SHA512")]
    Hash,
    /// Neither 0 nor 4 to 10 digits.
    #[error("asks for a number of digits other than 4 to 10 (or 0)")]
    Digits,
    /// No question, or one that is not A, N or H with a length from 04 to 64.
    #[error("has no question of the form QA, QN or QH with a length from 04 to 64")]
    Question,
    /// A PIN that is not hashed with SHA1, SHA256 or SHA512.
    #[error("names a hash of the PIN other than SHA1, SHA256 and SHA512")]
    Pin,
    /// Session information with a length outside 001 to 512.
    #[error("has session information of a length outside 001 to 512")]
    Session,
    /// A time step outside 1S to 59S, 1M to 59M, 0H to 48H.
    #[error("has a time step outside 1S to 59S, 1M to 59M and 0H to 48H")]
    Time,
    /// Something that is not known, named twice, or not in the order C, Q, P, S, T.
    #[error("has a part that is not known or not in its place")]
    Order,
}

/// What a response is computed from, besides the key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Input<'a> {
    /// The counter, where the suite names one.
    pub counter: u64,
    /// The question; both sides' ones, one after the other, where each asks the other.
    pub question: &'a str,
    /// The PIN as it is typed, where the suite names one.
    pub pin: &'a str,
    /// The session information, where the suite names some.
    pub session: &'a [u8],
    /// The number of the time step, where the suite names one; see [`Suite::step_at`].
    pub step: u64,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoResponse {
    /// The question is empty, too long, or has characters that its format does not have.
    #[error("the question does not fit the suite")]
    Question,
    /// The session information is longer than the suite says.
    #[error("the session information is longer than the suite says")]
    Session,
}

impl FromStr for Suite {
    type Err = NotASuite;

    fn from_str(text: &str) -> Result<Self, NotASuite> {
        let mut parts = text.split(':');
        let (Some("OCRA-1"), Some(function), Some(data), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotASuite::Shape);
        };
        let function = function.strip_prefix("HOTP-").ok_or(NotASuite::Hash)?;
        let (hash, digits) = function.rsplit_once('-').ok_or(NotASuite::Digits)?;
        let mut suite = Self {
            text: text.to_owned(),
            algorithm: algorithm(hash).ok_or(NotASuite::Hash)?,
            digits: number(digits, 1..=2).filter(|n| matches!(n, 0 | 4..=10)).ok_or(NotASuite::Digits)? as u8,
            counter: false,
            format: Format::Numeric,
            length: 0,
            pin: None,
            session: None,
            step: None,
        };
        // Where the part before stands in the order C, Q, P, S, T.
        let mut before = 0;
        for part in data.split('-') {
            let mut letters = part.chars();
            let place = match letters.next() {
                Some('C') => 1,
                Some('Q') => 2,
                Some('P') => 3,
                Some('S') => 4,
                Some('T') => 5,
                _ => return Err(NotASuite::Order),
            };
            if place <= before {
                return Err(NotASuite::Order);
            }
            before = place;
            suite.take(place, letters.as_str())?;
        }
        if suite.length == 0 { Err(NotASuite::Question) } else { Ok(suite) }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Suite {
    /// The suite of a challenge-response token with passcodes of 6 or 8 digits.
    #[must_use]
    pub fn of_token(algorithm: Algorithm, digits: u8) -> Self {
        let digits = digits.clamp(6, 8);
        Self {
            text: format!("OCRA-1:HOTP-{}-{digits}:QN08", algorithm.name()),
            algorithm,
            digits,
            counter: false,
            format: Format::Numeric,
            length: 8,
            pin: None,
            session: None,
            step: None,
        }
    }

    /// One part of the data, without its letter.
    fn take(&mut self, place: u8, rest: &str) -> Result<(), NotASuite> {
        match place {
            1 if rest.is_empty() => self.counter = true,
            2 => {
                self.format = match rest.chars().next() {
                    Some('A') => Format::Alphanumeric,
                    Some('N') => Format::Numeric,
                    Some('H') => Format::Hexadecimal,
                    _ => return Err(NotASuite::Question),
                };
                let length = rest.get(1..).and_then(|digits| number(digits, 2..=2));
                self.length = length.filter(|n| (4..=64).contains(n)).ok_or(NotASuite::Question)? as u8;
            }
            3 => self.pin = Some(algorithm(rest).ok_or(NotASuite::Pin)?),
            4 => {
                let length = number(rest, 3..=3).filter(|n| (1..=512).contains(n)).ok_or(NotASuite::Session)?;
                self.session = Some(length);
            }
            5 => {
                let unit = rest.chars().last().filter(char::is_ascii).ok_or(NotASuite::Time)?;
                let count = rest.get(..rest.len() - 1).and_then(|digits| number(digits, 1..=2));
                let count = u32::from(count.ok_or(NotASuite::Time)?);
                self.step = Some(match (unit, count) {
                    ('S', 1..=59) => count,
                    ('M', 1..=59) => count * 60,
                    ('H', 0..=48) => count * 3600,
                    _ => return Err(NotASuite::Time),
                });
            }
            _ => return Err(NotASuite::Order),
        }
        Ok(())
    }

    /// The number of the time step at `seconds` since 1970; 0 where the suite has no time or steps of no length.
    #[must_use]
    pub fn step_at(&self, seconds: u64) -> u64 {
        self.step.filter(|step| *step > 0).map_or(0, |step| seconds / u64::from(step))
    }

    /// The response (RFC 6287 section 5.2).
    ///
    /// # Errors
    /// If question or session information do not fit the suite.
    pub fn response(&self, key: &SecretBytes, input: Input<'_>) -> Result<String, NoResponse> {
        let mut data = self.text.as_bytes().to_vec();
        data.push(0);
        if self.counter {
            data.extend(input.counter.to_be_bytes());
        }
        data.extend(self.question(input.question)?);
        match self.pin {
            None => {}
            Some(Algorithm::Sha1) => data.extend(sha1::Sha1::digest(input.pin)),
            Some(Algorithm::Sha256) => data.extend(sha2::Sha256::digest(input.pin)),
            Some(Algorithm::Sha512) => data.extend(sha2::Sha512::digest(input.pin)),
        }
        if let Some(length) = self.session {
            let zeros = usize::from(length).checked_sub(input.session.len()).ok_or(NoResponse::Session)?;
            data.extend(std::iter::repeat_n(0, zeros));
            data.extend(input.session);
        }
        if self.step.is_some() {
            data.extend(input.step.to_be_bytes());
        }
        let digest = hotp::digest(key, self.algorithm, &data);
        if self.digits == 0 {
            return Ok(HEXLOWER.encode(&digest));
        }
        let number = u64::from(hotp::truncated(&digest)) % 10_u64.pow(u32::from(self.digits));
        Ok(format!("{number:0width$}", width = usize::from(self.digits)))
    }

    /// The question as it is signed: left-aligned, with zeros behind it.
    fn question(&self, question: &str) -> Result<Vec<u8>, NoResponse> {
        // Both sides' questions stand in it where each asks the other (section 7.2).
        if question.is_empty() || question.len() > 2 * usize::from(self.length) {
            return Err(NoResponse::Question);
        }
        let mut octets = match self.format {
            Format::Alphanumeric if question.bytes().all(|b| b.is_ascii_alphanumeric()) => question.as_bytes().to_vec(),
            Format::Numeric => left_aligned(&hexadecimal(question).ok_or(NoResponse::Question)?)?,
            Format::Hexadecimal => left_aligned(question)?,
            Format::Alphanumeric => return Err(NoResponse::Question),
        };
        octets.resize(QUESTION_OCTETS, 0);
        Ok(octets)
    }
}

/// Hexadecimal digits as octets; an odd one at the end is the upper half of an octet.
fn left_aligned(digits: &str) -> Result<Vec<u8>, NoResponse> {
    let even = if digits.len().is_multiple_of(2) { digits.to_owned() } else { format!("{digits}0") };
    HEXLOWER_PERMISSIVE.decode(even.as_bytes()).map_err(|_| NoResponse::Question)
}

/// A decimal number of any length in hexadecimal, without zeros in front.
fn hexadecimal(decimal: &str) -> Option<String> {
    // Nibbles, the lowest first.
    let mut nibbles = vec![0_u8];
    for digit in decimal.chars() {
        let mut carry = digit.to_digit(10)?;
        for nibble in &mut nibbles {
            let value = u32::from(*nibble) * 10 + carry;
            *nibble = (value & 0x0f) as u8;
            carry = value >> 4;
        }
        if carry > 0 {
            nibbles.push(carry as u8);
        }
    }
    nibbles
        .iter()
        .rev()
        .skip_while(|nibble| **nibble == 0)
        .map(|n| char::from_digit(u32::from(*n), 16))
        .collect::<Option<String>>()
        .map(|text| if text.is_empty() { "0".to_owned() } else { text })
}

fn algorithm(name: &str) -> Option<Algorithm> {
    [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|algorithm| algorithm.name() == name)
}

/// A number of this many digits and nothing else.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u16> {
    (digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octets: usize) -> SecretBytes {
        SecretBytes::new(b"1234567890".iter().copied().cycle().take(octets).collect())
    }

    /// The responses to these inputs, one after the other.
    fn responses<'a>(suite: &str, octets: usize, inputs: impl IntoIterator<Item = Input<'a>>) -> Vec<String> {
        let suite: Suite = suite.parse().expect(suite);
        inputs.into_iter().map(|input| suite.response(&key(octets), input).expect("a response")).collect()
    }

    fn asked(question: &str) -> Input<'_> {
        Input { question, pin: "1234", step: 0x0132_d0b6, ..Input::default() }
    }

    const REPEATED: [&str; 10] = [
        "00000000", "11111111", "22222222", "33333333", "44444444", "55555555", "66666666", "77777777", "88888888",
        "99999999",
    ];

    /// R-310, G3: RFC 6287 appendix C.1.
    #[test]
    fn one_way_challenges() {
        assert_eq!(
            responses("OCRA-1:HOTP-SHA1-6:QN08", 20, REPEATED.map(asked)),
            ["237653", "243178", "653583", "740991", "608993", "388898", "816933", "224598", "750600", "294470"]
        );
        let counted = (0..10).map(|counter| Input { counter, ..asked("12345678") });
        assert_eq!(
            responses("OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1", 32, counted),
            [
                "65347737", "86775851", "78192410", "71565254", "10104329", "65983500", "70069104", "91771096",
                "75011558", "08522129"
            ]
        );
        assert_eq!(
            responses("OCRA-1:HOTP-SHA256-8:QN08-PSHA1", 32, REPEATED.iter().take(5).map(|q| asked(q))),
            ["83238735", "01501458", "17957585", "86776967", "86807031"]
        );
        let both = (0..).zip(REPEATED).map(|(counter, question)| Input { counter, ..asked(question) });
        assert_eq!(
            responses("OCRA-1:HOTP-SHA512-8:C-QN08", 64, both),
            [
                "07016083", "63947962", "70123924", "25341727", "33203315", "34205738", "44343969", "51946085",
                "20403879", "31409299"
            ]
        );
        assert_eq!(
            responses("OCRA-1:HOTP-SHA512-8:QN08-T1M", 64, REPEATED.iter().take(5).map(|q| asked(q))),
            ["95209754", "55907591", "22048402", "24218844", "36209546"]
        );
    }

    /// R-310, G3: RFC 6287 appendix C.2, each side asks the other.
    #[test]
    fn mutual_challenges() {
        let pairs =
            |first: &str, second: &str| -> Vec<String> { (0..5).map(|i| format!("{first}{i}{second}{i}")).collect() };
        let (server, client) = (pairs("CLI2222", "SRV1111"), pairs("SRV1111", "CLI2222"));
        for (suite, octets, questions, expected) in [
            ("OCRA-1:HOTP-SHA256-8:QA08", 32, &server, ["28247970", "01984843", "65387857", "03351211", "83412541"]),
            ("OCRA-1:HOTP-SHA256-8:QA08", 32, &client, ["15510767", "90175646", "33777207", "95285278", "28934924"]),
            ("OCRA-1:HOTP-SHA512-8:QA08", 64, &server, ["79496648", "76831980", "12250499", "90856481", "12761449"]),
            (
                "OCRA-1:HOTP-SHA512-8:QA08-PSHA1",
                64,
                &client,
                ["18806276", "70020315", "01600026", "18951020", "32528969"],
            ),
        ] {
            assert_eq!(responses(suite, octets, questions.iter().map(|q| asked(q))), expected, "{suite}");
        }
    }

    /// R-310, G3: RFC 6287 appendix C.3, signatures.
    #[test]
    fn signatures() {
        let plain: Vec<String> = (0..5).map(|i| format!("SIG1{i}000")).collect();
        let timed: Vec<String> = (0..5).map(|i| format!("SIG1{i}00000")).collect();
        assert_eq!(
            responses("OCRA-1:HOTP-SHA256-8:QA08", 32, plain.iter().map(|q| asked(q))),
            ["53095496", "04110475", "31331128", "76028668", "46554205"]
        );
        assert_eq!(
            responses("OCRA-1:HOTP-SHA512-8:QA10-T1M", 64, timed.iter().map(|q| asked(q))),
            ["77537423", "31970405", "10235557", "95213541", "65360607"]
        );
    }

    /// the suites of our own tokens, which the RFC has no vectors for; two other programs computed these, too.
    #[test]
    fn the_suites_of_our_tokens() {
        for (digits, expected) in [(6, ["256794", "489309", "621177"]), (8, ["63523896", "82158731", "70885282"])] {
            let suite = Suite::of_token(Algorithm::Sha256, digits);
            assert_eq!(suite.to_string().parse(), Ok(suite.clone()));
            let inputs = ["00000000", "11111111", "12345678"].map(asked);
            assert_eq!(responses(&suite.to_string(), 32, inputs), expected);
        }
        let imported = Suite::of_token(Algorithm::Sha1, 6);
        assert_eq!(imported.response(&key(20), asked("00000000")).as_deref(), Ok("237653"));
    }

    /// G3: what is refused, and why.
    #[test]
    fn suites_of_others_are_refused() {
        for (suite, fault) in [
            ("", NotASuite::Shape),
            ("OCRA-2:HOTP-SHA1-6:QN08", NotASuite::Shape),
            ("OCRA-1:HOTP-SHA1-6", NotASuite::Shape),
            ("OCRA-1:HOTP-SHA1-6:QN08:QN08", NotASuite::Shape),
            ("OCRA-1:TOTP-SHA1-6:QN08", NotASuite::Hash),
            ("OCRA-1:HOTP-MD5-6:QN08", NotASuite::Hash),
            ("OCRA-1:HOTP-SHA224-6:QN08", NotASuite::Hash),
            ("OCRA-1:HOTP-sha1-6:QN08", NotASuite::Hash),
            ("OCRA-1:HOTP-SHA1:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-1:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-2:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-3:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-11:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-+6:QN08", NotASuite::Digits),
            ("OCRA-1:HOTP-SHA1-6:", NotASuite::Order),
            ("OCRA-1:HOTP-SHA1-6:C", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:QB08", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:QN03", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:QN65", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:QN8", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:Qü08", NotASuite::Question),
            ("OCRA-1:HOTP-SHA1-6:QN08-PMD5", NotASuite::Pin),
            ("OCRA-1:HOTP-SHA1-6:QN08-S000", NotASuite::Session),
            ("OCRA-1:HOTP-SHA1-6:QN08-S513", NotASuite::Session),
            ("OCRA-1:HOTP-SHA1-6:QN08-S64", NotASuite::Session),
            ("OCRA-1:HOTP-SHA1-6:QN08-T0S", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T60S", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T0M", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T60M", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T49H", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T1D", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-T1ü", NotASuite::Time),
            ("OCRA-1:HOTP-SHA1-6:QN08-C", NotASuite::Order),
            ("OCRA-1:HOTP-SHA1-6:C-C-QN08", NotASuite::Order),
            ("OCRA-1:HOTP-SHA1-6:C1-QN08", NotASuite::Order),
            ("OCRA-1:HOTP-SHA1-6:QN08-X", NotASuite::Order),
        ] {
            assert_eq!(suite.parse::<Suite>(), Err(fault), "{suite}");
        }
        for suite in ["OCRA-1:HOTP-SHA1-0:QH64-S512-T48H", "OCRA-1:HOTP-SHA512-10:C-QA04-PSHA512-S001-T59S"] {
            assert_eq!(suite.parse::<Suite>().map(|suite| suite.to_string()).as_deref(), Ok(suite));
        }
    }

    /// numbers of any length, and what does not fit the suite.
    #[test]
    fn questions_are_written_as_the_rfc_says() {
        for (decimal, hex) in [
            ("0", "0"),
            ("00000000", "0"),
            ("12345678", "bc614e"),
            ("99999999", "5f5e0ff"),
            ("340282366920938463463374607431768211456", "100000000000000000000000000000000"),
        ] {
            assert_eq!(hexadecimal(decimal).as_deref(), Some(hex));
        }
        let suite: Suite = "OCRA-1:HOTP-SHA1-6:QH04-S003".parse().expect("a suite");
        let same = |a: Input<'_>, b: Input<'_>| suite.response(&key(20), a) == suite.response(&key(20), b);
        // Half an octet is its upper half; hexadecimal has no case; session information has its zeros in front.
        assert!(same(asked("abc"), asked("ABC0")) && !same(asked("abc"), asked("0abc")));
        let with = |session| Input { session, ..asked("abcd") };
        assert!(same(with(b"x"), with(b"\0\0x")) && !same(with(b"x"), with(b"x\0\0")));
        assert_eq!(suite.response(&key(20), with(b"long")), Err(NoResponse::Session));
        for question in ["", "xyz", "123456789", "ü"] {
            assert_eq!(suite.response(&key(20), asked(question)), Err(NoResponse::Question), "{question}");
        }
        let numeric = Suite::of_token(Algorithm::Sha1, 6);
        assert_eq!(numeric.response(&key(20), asked("1234567a")), Err(NoResponse::Question));
        let letters: Suite = "OCRA-1:HOTP-SHA1-0:QA08".parse().expect("a suite");
        assert_eq!(letters.response(&key(20), asked("a b")), Err(NoResponse::Question));
        assert_eq!(letters.response(&key(20), asked("abcd")).map(|whole| whole.len()), Ok(40));
    }

    /// Steps of time: minutes, and none where there is nothing to divide by.
    #[test]
    fn time_steps() {
        let of = |suite: &str| suite.parse::<Suite>().expect("a suite").step_at(0x0132_d0b6 * 60 + 59);
        assert_eq!(of("OCRA-1:HOTP-SHA512-8:QN08-T1M"), 0x0132_d0b6);
        assert_eq!((of("OCRA-1:HOTP-SHA512-8:QN08-T0H"), of("OCRA-1:HOTP-SHA512-8:QN08")), (0, 0));
    }

    proptest::proptest! {
        /// Whatever is typed as a suite or a question is refused or understood, never a panic.
        #[test]
        fn nothing_typed_breaks_it(suite in "OCRA-1:HOTP-SHA(1|256|512)-[0-9]{1,2}:[CQPSTANH0-9-]{0,20}", any in ".*", question in ".{0,70}") {
            let _ = any.parse::<Suite>();
            if let Ok(suite) = suite.parse::<Suite>() {
                let _ = suite.response(&key(20), asked(&question));
            }
        }
    }
}
