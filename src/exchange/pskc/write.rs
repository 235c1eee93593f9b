//! Writing key containers, encrypted and with MACs: plain ones are not written.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cipher::{Aes, BLOCK, Derivation, Mac, Protection, WRITTEN_ITERATIONS};
use super::{HMAC_SHA1, HOTP, OCRA, PBKDF2, PSKC, TOTP};
use crate::clock::Entropy;
use crate::domain::oath::Algorithm;
use crate::domain::oath::alphabet::Alphabet;
use crate::exchange::token::{Described, Method};

/// A container of `tokens`, in the order given. What RFC 6030 makes everybody understand protects it: AES in CBC mode, of
/// 128 bits under a password and of the length of a pre-shared key, each value with a MAC by HMAC-SHA-1 under a key of its
/// own, and PBKDF2 with HMAC-SHA-1 (sections 6.1 and 6.2).
///
/// # Errors
/// If the key has not 16, 24 or 32 octets, or the cryptographic library fails.
pub fn write(tokens: &[Described], protection: &Protection, entropy: &Entropy) -> Result<String, String> {
    let (key, head) = match protection {
        Protection::Key(key) => {
            (key.clone(), "<EncryptionKey><ds:KeyName>pre-shared key</ds:KeyName></EncryptionKey>".to_owned())
        }
        Protection::Password(password) => {
            let derivation = Derivation {
                salt: entropy.bytes::<16>().to_vec(),
                iterations: WRITTEN_ITERATIONS,
                length: Some(16),
                mac: Mac::Sha1,
            };
            (derivation.key(password, 16)?, derived(&derivation))
        }
    };
    let aes = Aes::of_key(&key).ok_or("the key has not 128, 192 or 256 bits")?;
    let seal = |plain: &[u8]| aes.encrypt(&key, entropy.bytes::<BLOCK>(), plain);
    let mac_key = entropy.secret(20);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KeyContainer Version=\"1.0\" xmlns=\"{PSKC}\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" \
         xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" \
         xmlns:pkcs5=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#\">\n{head}\n\
         <MACMethod Algorithm=\"{HMAC_SHA1}\"><MACKey>{}</MACKey></MACMethod>\n",
        value(aes, &seal(mac_key.expose())?)
    );
    for token in tokens {
        let secret = seal(token.secret.expose())?;
        let mac = Mac::Sha1.of(&mac_key, &secret)?;
        package(&mut out, token, &secret_data(aes, &secret, &mac));
    }
    out.push_str("</KeyContainer>\n");
    Ok(out)
}

/// Section 6.2: how the key comes of the password.
fn derived(derivation: &Derivation) -> String {
    format!(
        "<EncryptionKey><xenc11:DerivedKey><xenc11:KeyDerivationMethod Algorithm=\"{PBKDF2}\"><pkcs5:PBKDF2-params>\
         <Salt><Specified>{}</Specified></Salt><IterationCount>{}</IterationCount><KeyLength>16</KeyLength>\
         </pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod>\
         <xenc11:MasterKeyName>password</xenc11:MasterKeyName></xenc11:DerivedKey></EncryptionKey>",
        STANDARD.encode(&derivation.salt),
        derivation.iterations
    )
}

fn value(aes: Aes, sealed: &[u8]) -> String {
    format!(
        "<xenc:EncryptionMethod Algorithm=\"{}\"/><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue>\
         </xenc:CipherData>",
        aes.uri,
        STANDARD.encode(sealed)
    )
}

fn secret_data(aes: Aes, sealed: &[u8], mac: &[u8]) -> String {
    let mac = STANDARD.encode(mac);
    format!("<Secret><EncryptedValue>{}</EncryptedValue><ValueMAC>{mac}</ValueMAC></Secret>", value(aes, sealed))
}

fn package(out: &mut String, token: &Described, secret: &str) {
    let serial = escaped(&token.serial);
    let (uri, suite, data) = match &token.method {
        Method::Event { counter } => (HOTP, hash(token.algorithm), plain("Counter", *counter)),
        Method::Time { step_seconds, drift_steps } => {
            let mut data = plain("Time", 0) + &plain("TimeInterval", i64::from(*step_seconds));
            if *drift_steps != 0 {
                data.push_str(&plain("TimeDrift", *drift_steps));
            }
            (TOTP, hash(token.algorithm), data)
        }
        Method::Challenge { suite, counter } => (OCRA, Some(suite.as_str()), plain("Counter", *counter)),
    };
    let encoding = match token.alphabet {
        Alphabet::Decimal => "DECIMAL",
        Alphabet::Hexadecimal => "HEXADECIMAL",
        Alphabet::Base32 => "ALPHANUMERIC",
        Alphabet::Base64 => "BASE64",
    };
    let suite = suite.map(|suite| format!("<Suite>{}</Suite>", escaped(suite))).unwrap_or_default();
    // Only names that are registered may stand there (section 4.3.1); what we kept of others does not.
    let maker = token.manufacturer.as_deref().filter(|maker| maker.starts_with("oath.") || maker.starts_with("iana."));
    let maker = maker.map(|maker| format!("<Manufacturer>{}</Manufacturer>", escaped(maker))).unwrap_or_default();
    let model = token.model.as_deref().map(|model| format!("<Model>{}</Model>", escaped(model))).unwrap_or_default();
    let user = token.user.as_deref().map(|user| format!("<UserId>UID={}</UserId>", escaped(&of_name(user))));
    let _ = writeln!(
        out,
        "<KeyPackage><DeviceInfo>{maker}<SerialNo>{serial}</SerialNo>{model}</DeviceInfo>\
         <Key Id=\"{serial}\" Algorithm=\"{uri}\"><AlgorithmParameters>{suite}\
         <ResponseFormat Length=\"{}\" Encoding=\"{encoding}\"/></AlgorithmParameters>\
         <Data>{secret}{data}</Data>{}</Key></KeyPackage>",
        token.length,
        user.unwrap_or_default()
    );
}

fn plain(name: &str, number: i64) -> String {
    format!("<{name}><PlainValue>{number}</PlainValue></{name}>")
}

/// The suite of a hash function; SHA-1 goes without saying.
const fn hash(algorithm: Algorithm) -> Option<&'static str> {
    match algorithm {
        Algorithm::Sha1 => None,
        Algorithm::Sha256 => Some("HMAC-SHA256"),
        Algorithm::Sha512 => Some("HMAC-SHA512"),
    }
}

/// A value in a distinguished name (RFC 4514 section 2.4).
fn of_name(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for sign in value.chars() {
        if ",+\"\\<>;=#".contains(sign) {
            out.push('\\');
        }
        out.push(sign);
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            sign if sign.is_control() => {}
            sign => out.push(sign),
        }
    }
    out
}
