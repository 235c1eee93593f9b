//! Tables of OATH tokens, as makers of hardware tokens and other servers write them.
//!
//! Two forms are understood. With names of columns, as Microsoft Entra takes them (`upn, serial number, secret key, time
//! interval, manufacturer, model`), and whatever else of the columns below is there; the secret is base32, or hexadecimal
//! in a column that says so. And without, as privacyIDEA takes them: serial number, secret (hexadecimal), type, length,
//! time step.

use std::sync::LazyLock;

use data_encoding::{BASE32_NOPAD_NOCASE, BASE64, HEXLOWER_PERMISSIVE};

use super::csv::{Column, Row, Table};
use super::token::{Described, Method, checked_secret, checked_serial, kept};
use super::{Read, Rejected, Unreadable};
use crate::domain::oath::Algorithm;
use crate::domain::oath::alphabet::Alphabet;
use crate::domain::secret::SecretBytes;

const SERIAL: Column = Column {
    name: "serial",
    others: &["serial_number", "serialnumber", "serialno", "serial_no", "token_serial", "id"],
};
const BASE32_SECRET: Column =
    Column { name: "secret", others: &["secret_key", "secretkey", "seed", "key", "secret_base32", "seed_base32"] };
const HEX_SECRET: Column =
    Column { name: "secret_hex", others: &["seed_hex", "key_hex", "secret_key_hex", "hex_secret", "hex_seed"] };
const BASE64_SECRET: Column = Column { name: "secret_base64", others: &["seed_base64", "key_base64"] };
const USER: Column = Column {
    name: "username",
    others: &["upn", "user", "user_name", "user_id", "userid", "user_principal_name", "owner"],
};
const TYPE: Column = Column { name: "type", others: &["token_type", "tokentype", "method"] };
const LENGTH: Column = Column {
    name: "digits",
    others: &["length", "otp_length", "otplen", "otp_len", "passcode_length", "response_length"],
};
const STEP: Column = Column {
    name: "period",
    others: &["time_interval", "timeinterval", "interval", "time_step", "timestep", "period_seconds", "step"],
};
const ALGORITHM: Column = Column { name: "algorithm", others: &["hash", "hash_algorithm", "hashlib"] };
const COUNTER: Column = Column { name: "counter", others: &["event_counter", "next_counter"] };
const ENCODING: Column = Column { name: "encoding", others: &["alphabet", "response_encoding", "response_format"] };
const SUITE: Column = Column { name: "suite", others: &["ocra_suite", "ocrasuite"] };
const MANUFACTURER: Column = Column { name: "manufacturer", others: &["maker", "vendor", "issuer"] };
const MODEL: Column = Column { name: "model", others: &["description"] };
const KNOWN: [Column; 14] = [
    SERIAL,
    BASE32_SECRET,
    HEX_SECRET,
    BASE64_SECRET,
    USER,
    TYPE,
    LENGTH,
    STEP,
    ALGORITHM,
    COUNTER,
    ENCODING,
    SUITE,
    MANUFACTURER,
    MODEL,
];

/// Where things stand in the lines.
struct Layout {
    serial: Option<usize>,
    base32: Option<usize>,
    hex: Option<usize>,
    base64: Option<usize>,
    user: Option<usize>,
    kind: Option<usize>,
    length: Option<usize>,
    step: Option<usize>,
    algorithm: Option<usize>,
    counter: Option<usize>,
    encoding: Option<usize>,
    suite: Option<usize>,
    manufacturer: Option<usize>,
    model: Option<usize>,
    /// Lines may be shorter than the longest.
    ragged: bool,
}

/// The tokens of a table. `user` names the column with user names, if it goes by a name that is not known here.
///
/// # Errors
/// If it is no table of tokens at all.
pub fn read(octets: &[u8], user: Option<&str>) -> Result<Vec<Read<Described>>, Unreadable> {
    let bare = Table::without_head(octets)?;
    let first = bare.rows().first().ok_or_else(|| Unreadable("the file is empty".to_owned()))?;
    // A line that holds a secret in its second field is no head.
    let headless = first.cell(Some(1)).is_some_and(|cell| cell.len() >= 20 && hexadecimal(cell).is_some());
    let (table, layout) = if headless { (bare, positional(user)?) } else { named(Table::read(octets)?, user)? };
    Ok(table.rows().iter().map(|row| token(row, &layout)).collect())
}

/// The form without names of columns.
fn positional(user: Option<&str>) -> Result<Layout, Unreadable> {
    if let Some(user) = user {
        return Err(Unreadable(format!("the first line names no columns, so there is no column \"{user}\"")));
    }
    Ok(Layout {
        serial: Some(0),
        base32: None,
        hex: Some(1),
        base64: None,
        user: None,
        kind: Some(2),
        length: Some(3),
        step: Some(4),
        algorithm: None,
        counter: None,
        encoding: None,
        suite: None,
        manufacturer: None,
        model: None,
        ragged: true,
    })
}

fn named(table: Table, user: Option<&str>) -> Result<(Table, Layout), Unreadable> {
    let user = match user {
        Some(name) => {
            let found = table.named(name);
            Some(found.ok_or_else(|| Unreadable(format!("there is no column \"{name}\" in the first line")))?)
        }
        None => table.column(USER),
    };
    let layout = Layout {
        serial: table.column(SERIAL),
        base32: table.column(BASE32_SECRET),
        hex: table.column(HEX_SECRET),
        base64: table.column(BASE64_SECRET),
        user,
        kind: table.column(TYPE),
        length: table.column(LENGTH),
        step: table.column(STEP),
        algorithm: table.column(ALGORITHM),
        counter: table.column(COUNTER),
        encoding: table.column(ENCODING),
        suite: table.column(SUITE),
        manufacturer: table.column(MANUFACTURER),
        model: table.column(MODEL),
        ragged: false,
    };
    if layout.serial.is_none() {
        return Err(Unreadable("no column \"serial\" or \"serial number\" is named in the first line".to_owned()));
    }
    if [layout.base32, layout.hex, layout.base64].iter().flatten().count() != 1 {
        let words =
            "exactly one of the columns \"secret\" (base32), \"secret_hex\" and \"secret_base64\" must be there";
        return Err(Unreadable(words.to_owned()));
    }
    // A column that is silently left out may be what makes all tokens wrong.
    let unknown = table.unknown(&KNOWN);
    let unknown: Vec<&str> = unknown.into_iter().filter(|name| table.named(name) != layout.user).collect();
    if let Some(name) = unknown.first() {
        return Err(Unreadable(format!("the column \"{name}\" is not known; take it out of the file")));
    }
    Ok((table, layout))
}

fn token(row: &Row, layout: &Layout) -> Read<Described> {
    let name = row.cell(layout.serial).unwrap_or_default();
    let refused = |reason: String| Rejected::new(row.spot, name, reason);
    if let Some(fault) = row.fault().filter(|fault| !layout.ragged || !fault.contains("number of fields")) {
        return Err(refused(fault.to_owned()));
    }
    let serial = checked_serial(name).map_err(|words| refused(words.to_owned()))?;
    let secret = secret(row, layout).map_err(&refused)?;
    let algorithm = algorithm(row.cell(layout.algorithm)).map_err(&refused)?;
    let alphabet = alphabet(row.cell(layout.encoding)).map_err(&refused)?;
    let length = number(row.cell(layout.length), "digits", 6).map_err(&refused)?;
    let length = u8::try_from(length).map_err(|_| refused(format!("has {length} digits")))?;
    let method = method(row, layout).map_err(&refused)?;
    Ok(Described {
        spot: row.spot,
        serial,
        user: row.cell(layout.user).map(str::to_owned),
        method,
        algorithm,
        length,
        alphabet,
        secret,
        manufacturer: row.cell(layout.manufacturer).and_then(kept),
        model: row.cell(layout.model).and_then(kept),
    })
}

fn secret(row: &Row, layout: &Layout) -> Result<SecretBytes, String> {
    let octets = if let Some(text) = row.cell(layout.base32) {
        base32(text).ok_or("has a secret that is not base32; put hexadecimal ones into a column \"secret_hex\"")?
    } else if let Some(text) = row.cell(layout.hex) {
        hexadecimal(text).ok_or("has a secret that is not hexadecimal")?
    } else if let Some(text) = row.cell(layout.base64) {
        BASE64.decode(text.as_bytes()).map_err(|_| "has a secret that is not base64")?
    } else {
        return Err("has no secret".to_owned());
    };
    checked_secret(octets)
}

/// Base32, with or without padding, blanks and hyphens. Some makers cut secrets where no octet ends: the bits that are
/// left over mean nothing.
fn base32(text: &str) -> Option<Vec<u8>> {
    static LENIENT: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
        let mut specification = BASE32_NOPAD_NOCASE.specification();
        specification.check_trailing_bits = false;
        specification.encoding().expect("it is base32")
    });
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    LENIENT.decode(bare.trim_end_matches('=').as_bytes()).ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let bare: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | ':')).collect();
    let bare = bare.strip_prefix("0x").unwrap_or(&bare);
    HEXLOWER_PERMISSIVE.decode(bare.as_bytes()).ok()
}

fn number(cell: Option<&str>, what: &str, absent: i64) -> Result<i64, String> {
    let Some(cell) = cell else { return Ok(absent) };
    let number = cell.parse::<i64>().ok().filter(|number| (0..=i64::from(u32::MAX) * 1000).contains(number));
    number.ok_or_else(|| format!("has {what} that are no number"))
}

fn method(row: &Row, layout: &Layout) -> Result<Method, String> {
    let kind = row.cell(layout.kind).map(str::to_lowercase);
    let suite = row.cell(layout.suite);
    let counter = row.cell(layout.counter);
    match kind.as_deref().map(|kind| kind.trim_start_matches("oath-")) {
        Some("hotp" | "event") => Ok(Method::Event { counter: number(counter, "a counter", 0)? }),
        // A time step says what it is; so does a counter. Most tokens of today have a clock.
        None if suite.is_none() && counter.is_some() && row.cell(layout.step).is_none() => {
            Ok(Method::Event { counter: number(counter, "a counter", 0)? })
        }
        Some("totp" | "time") | None if suite.is_none() => {
            let step = number(row.cell(layout.step), "a period", 30)?;
            let step_seconds = u32::try_from(step).map_err(|_| "has a period that is no number")?;
            Ok(Method::Time { step_seconds, drift_steps: 0 })
        }
        Some("ocra" | "challenge") | None => {
            let suite = suite.ok_or("is of type \"ocra\" and has no suite")?.to_owned();
            Ok(Method::Challenge { suite, counter: number(counter, "a counter", 0)? })
        }
        Some("totp" | "time") => Err("has a suite, and is of type \"totp\"".to_owned()),
        Some(_) => Err("has a type that is not \"totp\", \"hotp\" or \"ocra\"".to_owned()),
    }
}

fn algorithm(cell: Option<&str>) -> Result<Algorithm, String> {
    let Some(cell) = cell else { return Ok(Algorithm::Sha1) };
    named_algorithm(cell).ok_or_else(|| "has an algorithm that is not SHA1, SHA256 or SHA512".to_owned())
}

/// The hash function with this name: `SHA256`, `sha-256`, `HMAC-SHA256`.
pub(super) fn named_algorithm(name: &str) -> Option<Algorithm> {
    let bare: String = name.to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let all = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];
    all.into_iter().find(|algorithm| algorithm.name() == bare.strip_prefix("HMAC").unwrap_or(&bare))
}

fn alphabet(cell: Option<&str>) -> Result<Alphabet, String> {
    match cell.map(str::to_lowercase).as_deref() {
        None | Some("decimal" | "digits") => Ok(Alphabet::Decimal),
        Some("hexadecimal" | "hex") => Ok(Alphabet::Hexadecimal),
        Some("base32" | "alphanumeric") => Ok(Alphabet::Base32),
        Some("base64") => Ok(Alphabet::Base64),
        Some(_) => Err("has an encoding that is not decimal, hexadecimal, base32 (alphanumeric) or base64".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Spot;
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> Read<Described> {
        read(text.as_bytes(), None).expect("a table").remove(0)
    }

    ///
    #[test]
    fn the_table_that_makers_deliver() {
        let text = "upn,serial number,secret key,time interval,manufacturer,model\n\
            Helga@contoso.com,1234567,2234567abcdef2234567abcdef,60,Contoso,HardwareKey\n";
        let token = one(text).expect("a token");
        assert_eq!((token.serial.as_str(), token.user.as_deref()), ("1234567", Some("Helga@contoso.com")));
        assert_eq!(token.method, Method::Time { step_seconds: 60, drift_steps: 0 });
        assert_eq!((token.length, token.algorithm, token.alphabet), (6, Algorithm::Sha1, Alphabet::Decimal));
        assert_eq!((token.manufacturer.as_deref(), token.model.as_deref()), (Some("Contoso"), Some("HardwareKey")));
    }

    ///
    #[test]
    fn the_table_without_a_head() {
        let key = "3132333435363738393031323334353637383930";
        let text = format!("oath1, {key}\noath2,{key},hotp,8\noath3,{key},totp,6,60\noath4,xyz,totp\n");
        let tokens = read(text.as_bytes(), None).expect("a table");
        let first = tokens[0].as_ref().expect("a token");
        assert!(first.secret.same_as(b"12345678901234567890") && first.serial == "OATH1");
        assert_eq!(tokens[1].as_ref().expect("a token").method, Method::Event { counter: 0 });
        assert_eq!(tokens[2].as_ref().expect("a token").method, Method::Time { step_seconds: 60, drift_steps: 0 });
        let bad = tokens[3].as_ref().expect_err("no secret");
        assert_eq!((bad.spot, bad.name.as_str()), (Spot::Line(4), "oath4"));
        assert!(read(text.as_bytes(), Some("upn")).is_err());
    }

    /// one line for each record that is not taken, and no secret in it.
    #[test]
    fn every_fault_is_told() {
        let head = "serial,secret,type,digits,period,algorithm,counter,encoding,suite";
        let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        for (line, words) in [
            (format!(",{secret},totp,6,30,SHA1,,,"), "no serial number"),
            (format!("<1>,{secret},totp,6,30,SHA1,,,"), "other characters"),
            ("A1,,totp,6,30,SHA1,,,".to_owned(), "no secret"),
            ("A1,01818181,totp,6,30,SHA1,,,".to_owned(), "not base32"),
            ("A1,JBSWY3DP,totp,6,30,SHA1,,,".to_owned(), "5 octets"),
            (format!("A1,{secret},yubikey,6,30,SHA1,,,"), "type"),
            (format!("A1,{secret},totp,six,30,SHA1,,,"), "digits"),
            (format!("A1,{secret},totp,999,30,SHA1,,,"), "999 digits"),
            (format!("A1,{secret},totp,6,-3,SHA1,,,"), "period"),
            (format!("A1,{secret},totp,6,30,MD5,,,"), "algorithm"),
            (format!("A1,{secret},hotp,6,,SHA1,9999999999999999,,"), "counter"),
            (format!("A1,{secret},totp,6,30,SHA1,,morse,"), "encoding"),
            (format!("A1,{secret},ocra,6,30,SHA1,,,"), "no suite"),
            (format!("A1,{secret},totp,6,30,SHA1,,,OCRA-1:HOTP-SHA1-6:QN08"), "has a suite"),
            (format!("A1,{secret},totp"), "number of fields"),
        ] {
            let rejected = one(&format!("{head}\n{line}\n")).expect_err(&line);
            assert!(rejected.reason.contains(words), "{line}: {rejected}");
            assert!(!rejected.to_string().contains(secret), "{rejected}");
        }
        for (text, words) in [
            ("secret\nx", "serial"),
            ("serial\nx", "exactly one"),
            ("serial,secret,secret_hex\nx,y,z", "exactly one"),
            ("serial,secret,pin\nx,y,1234", "\"pin\" is not known"),
            ("", "empty"),
        ] {
            assert!(read(text.as_bytes(), None).expect_err(text).0.contains(words), "{text}");
        }
        let named = "serial,secret,holder\nA1,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,ada\n";
        assert!(read(named.as_bytes(), None).is_err());
        let tokens = read(named.as_bytes(), Some("Holder")).expect("a table");
        assert_eq!(tokens[0].as_ref().expect("a token").user.as_deref(), Some("ada"));
    }

    #[test]
    fn what_a_token_is_may_be_told_by_its_numbers() {
        let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
        let event = one(&format!("serial,secret,counter\nA,{secret},7\n")).expect("a token");
        assert_eq!(event.method, Method::Event { counter: 7 });
        let suite = "OCRA-1:HOTP-SHA256-8:QN08";
        let ocra = one(&format!("serial,secret,suite\nA,{secret},{suite}\n")).expect("a token");
        assert_eq!(ocra.method, Method::Challenge { suite: suite.to_owned(), counter: 0 });
        let hex = one(&format!("serial,secret_hex,algorithm\nA,{},hmac-sha-256\n", "ab".repeat(20))).expect("a token");
        assert!(hex.secret.same_as(&[0xab; 20]) && hex.algorithm == Algorithm::Sha256);
    }

    proptest! {
        /// Whatever is read, nothing breaks.
        #[test]
        fn anything_may_be_tried(
            head in "(serial|secret|secret_hex|type|digits|period|counter|suite|upn|,|;){0,12}",
            lines in "[a-z0-9,;\"\n=A-Z2-7]{0,200}",
        ) {
            let _ = read(format!("{head}\n{lines}").as_bytes(), None);
        }
    }
}
