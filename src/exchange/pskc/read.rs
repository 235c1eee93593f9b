//! Reading key containers.
//!
//! Elements are known by their local names, in whatever namespace: nothing is signed here that two readers could read
//! differently, and many write the parts of other standards (XML Encryption, PKCS #5) without their namespaces.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::cipher::{Aes, DERIVATIONS, Derivation, Mac, Protection};
use super::{HOTP, OCRA, PSKC, PSKC_DRAFT, TOTP};
use crate::domain::oath::Algorithm;
use crate::domain::oath::alphabet::Alphabet;
use crate::domain::secret::{SecretBytes, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::exchange::oath_csv::named_algorithm;
use crate::exchange::token::{Described, Method, checked_secret, checked_serial, kept};
use crate::exchange::{Read, Rejected, Spot, Unreadable};
use crate::xml::{Element, Limits, without_comments};

/// What a container holds.
#[derive(Debug)]
pub struct Container {
    /// Its tokens, each with its place.
    pub tokens: Vec<Read<Described>>,
    /// What an operator should know of the whole.
    pub notes: Vec<String>,
}

/// Reads a container. Nothing is decrypted before its MAC is compared.
///
/// # Errors
/// If it is no container, is larger than we take, or cannot be opened with what is given: then nothing of it may be taken.
pub fn read(octets: &[u8], protection: Option<&Protection>, now: Timestamp) -> Result<Container, Unreadable> {
    let text = std::str::from_utf8(octets).map_err(|_| Unreadable("the file is not UTF-8".to_owned()))?;
    let mut reading = Reading { protection, now, keys: None, tokens: Vec::new(), ended: 0, fault: None };
    let bare = if text.contains("<!--") { without_comments(text) } else { text.to_owned() };
    let root = Element::parse_apart(bare.as_bytes(), Limits::KEYS, &mut |root, child| reading.child(root, child))
        .map_err(|error| Unreadable(error.to_string()))?;
    if let Some(fault) = reading.fault {
        return Err(fault);
    }
    is_container(&root)?;
    if reading.tokens.is_empty() {
        return Err(Unreadable("the container holds no key".to_owned()));
    }
    let mut notes = Vec::new();
    if root.count("Signature") > 0 {
        notes.push("the container is signed; its signature was not looked at".to_owned());
    }
    if reading.ended > 0 {
        let count = reading.ended;
        notes.push(format!("{count} tokens end at a date of their maker's; revoke them then, they are not stopped"));
    }
    let wrong = |token: &Read<Described>| token.as_ref().is_err_and(|rejected| rejected.reason == MAC_WRONG);
    if reading.tokens.iter().all(wrong) {
        notes.push("every MAC is wrong: most likely the key or the password is".to_owned());
    }
    Ok(Container { tokens: reading.tokens, notes })
}

const MAC_WRONG: &str = "has a wrong MAC: it was altered, or the key or the password is wrong";

fn is_container(root: &Element) -> Result<(), Unreadable> {
    if root.name == "KeyContainer" && (root.namespace == PSKC || root.namespace == PSKC_DRAFT) {
        Ok(())
    } else {
        Err(Unreadable("the file is no key container of RFC 6030".to_owned()))
    }
}

struct Reading<'a> {
    protection: Option<&'a Protection>,
    now: Timestamp,
    keys: Option<Keys>,
    tokens: Vec<Read<Described>>,
    /// How many tokens have a date at which they end.
    ended: usize,
    fault: Option<Unreadable>,
}

impl Reading<'_> {
    /// Takes a child of the container.
    fn child(&mut self, root: &Element, child: Element) -> Option<Element> {
        if child.name != "KeyPackage" {
            // A few octets and a shape are all that is needed of it.
            return (child.name != "Extension").then_some(child);
        }
        if self.fault.is_some() {
            return None;
        }
        if self.keys.is_none() {
            match is_container(root).and_then(|()| Keys::of(root, self.protection).map_err(Unreadable)) {
                Ok(keys) => self.keys = Some(keys),
                Err(fault) => {
                    self.fault = Some(fault);
                    return None;
                }
            }
        }
        let spot = Spot::Record(self.tokens.len() + 1);
        let name = name_of(&child);
        if let Some(keys) = &self.keys {
            let read = self.token(keys, &child, (spot, &name));
            if read.as_ref().is_ok_and(|(_, ends)| *ends) {
                self.ended += 1;
            }
            self.tokens.push(read.map(|(token, _)| token).map_err(|reason| Rejected::new(spot, &name, reason)));
        }
        None
    }

    /// The token of a package, and whether it has a date at which it ends.
    fn token(&self, keys: &Keys, package: &Element, (spot, name): (Spot, &str)) -> Result<(Described, bool), String> {
        let key = only(package, "Key")?.ok_or("has no key")?;
        let serial = checked_serial(name)?;
        let device = only(package, "DeviceInfo")?;
        let mut ends = false;
        for dated in device.into_iter().chain(only(key, "Policy")?) {
            ends |= self.is_valid(dated)?;
        }
        if let Some(policy) = only(key, "Policy")? {
            allowed(policy)?;
        }
        let data = only(key, "Data")?.ok_or("has no data")?;
        let kind = kind_of(key.attribute("Algorithm").unwrap_or_default())?;
        let parameters = match only(key, "AlgorithmParameters")? {
            Some(parameters) => Parameters::of(parameters)?,
            None => Parameters::default(),
        };
        let (method, algorithm) = self.method(keys, &kind, &parameters, data)?;
        let secret = match only(data, "Secret")? {
            Some(secret) => checked_secret(keys.octets(secret)?)?,
            None => return Err("has no secret".to_owned()),
        };
        let user = match only(key, "UserId")? {
            Some(user) => Some(user),
            None => device.map(|device| only(device, "UserId")).transpose()?.flatten(),
        };
        let told =
            |name: &str| device.and_then(|device| only(device, name).ok().flatten()).and_then(|it| kept(&it.text));
        let token = Described {
            spot,
            serial,
            user: user.and_then(|user| user_name(&user.text)),
            method,
            algorithm,
            length: parameters.length.unwrap_or(6),
            alphabet: parameters.alphabet,
            secret,
            manufacturer: told("Manufacturer"),
            model: told("Model"),
        };
        Ok((token, ends))
    }

    /// Checks the dates of a device or a policy (sections 4.3.1 and 5). Says whether there is one at which it ends.
    fn is_valid(&self, dated: &Element) -> Result<bool, String> {
        if let Some(start) = date(dated, "StartDate")?
            && start > self.now
        {
            return Err(format!("may not be used before {}", start.rfc3339()));
        }
        match date(dated, "ExpiryDate")? {
            Some(end) if end <= self.now => Err(format!("has expired on {}", end.rfc3339())),
            Some(_) => Ok(true),
            None => Ok(false),
        }
    }

    fn method(
        &self,
        keys: &Keys,
        kind: &Kind,
        parameters: &Parameters,
        data: &Element,
    ) -> Result<(Method, Algorithm), String> {
        let number = |name: &str| keys.number(data, name);
        let suite = parameters.suite.as_deref();
        let hash = || match suite {
            None => Ok(Algorithm::Sha1),
            Some(suite) => named_algorithm(suite).ok_or("has a suite that is no hash function we know"),
        };
        let counter = || match number("Counter")?.unwrap_or(0) {
            counter if counter < 0 => Err("has a negative counter".to_owned()),
            counter => Ok(counter),
        };
        match kind {
            Kind::Hotp => Ok((Method::Event { counter: counter()? }, hash()?)),
            Kind::Totp => {
                if number("Time")?.is_some_and(|from| from != 0) {
                    return Err("counts its time from another moment than 1970".to_owned());
                }
                let step = number("TimeInterval")?.unwrap_or(30);
                let step_seconds = u32::try_from(step).map_err(|_| "has a time step that is no number of seconds")?;
                let drift_steps = number("TimeDrift")?.unwrap_or(0);
                if drift_steps.abs() > 1000 {
                    return Err("has a clock that is more than 1000 steps off".to_owned());
                }
                Ok((Method::Time { step_seconds, drift_steps }, hash()?))
            }
            Kind::Ocra(in_name) => {
                let suite = suite.or(in_name.as_deref()).ok_or("is for OCRA and has no suite")?;
                Ok((Method::Challenge { suite: suite.to_owned(), counter: counter()? }, Algorithm::Sha1))
            }
        }
    }
}

/// What a package calls itself: its device's serial number or, without one, its key's identifier.
fn name_of(package: &Element) -> String {
    let within = |parent: &Element, name: &str| only(parent, name).ok().flatten().map(|it| it.text.trim().to_owned());
    let device = only(package, "DeviceInfo").ok().flatten();
    let serial = device.and_then(|device| within(device, "SerialNo")).filter(|serial| !serial.is_empty());
    let key = || only(package, "Key").ok().flatten()?.attribute("Id").map(str::to_owned);
    serial.or_else(key).unwrap_or_default()
}

/// The one child with this local name, if there is one.
fn only<'a>(parent: &'a Element, name: &str) -> Result<Option<&'a Element>, String> {
    let mut found = parent.children.iter().filter(|child| child.name == name);
    let first = found.next();
    if found.next().is_some() { Err(format!("has more than one {name}")) } else { Ok(first) }
}

fn base64(value: &Element) -> Option<Vec<u8>> {
    // Whatever stands in the middle of a value was put there: the rest of it is another value.
    if !value.children.is_empty() {
        return None;
    }
    let bare: String = value.text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(bare).ok()
}

/// A date of XML Schema, which may lack its time zone: then it is UTC (RFC 6030 section 4.1 wants one).
fn date(parent: &Element, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(element) = only(parent, name)? else { return Ok(None) };
    let text = element.text.trim();
    let parsed =
        OffsetDateTime::parse(text, &Rfc3339).or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339));
    let at = parsed.map_err(|_| format!("has a {name} that is no date"))?;
    Ok(Some(Timestamp::from_seconds(at.unix_timestamp())))
}

/// The user name in a `UserId`, which may be a distinguished name (section 4.3.7, RFC 4514): its `UID`, or else its `CN`.
fn user_name(text: &str) -> Option<String> {
    let text = text.trim();
    let mut parts: Vec<(String, Option<String>)> = vec![(String::new(), None)];
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        let (key, value) = parts.last_mut()?;
        match (sign, value) {
            ('\\', Some(value)) => value.extend(signs.next()),
            ('=', None) => parts.last_mut()?.1 = Some(String::new()),
            (',' | '+', Some(_)) => parts.push((String::new(), None)),
            (sign, Some(value)) => value.push(sign),
            (sign, None) => key.push(sign),
        }
    }
    let named = |name: &str| {
        let part = parts.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
        part.1.as_ref().map(|value| value.trim().to_owned())
    };
    let name = named("UID").or_else(|| named("CN")).unwrap_or_else(|| text.to_owned());
    Some(name).filter(|name| !name.is_empty())
}

enum Kind {
    Hotp,
    Totp,
    /// With the suite, where it stands in the name of the algorithm.
    Ocra(Option<String>),
}

fn kind_of(uri: &str) -> Result<Kind, String> {
    // As registered (section 12.4), and as drafts had it.
    let bases = [":", "#"].map(|mark| format!("{PSKC}{mark}"));
    let draft = "http://www.ietf.org/keyprov/pskc#";
    // Some write the bare name.
    let bare = (!uri.contains(['/', '#']) && !uri.starts_with("urn:")).then_some(uri);
    let name = bases.iter().map(String::as_str).chain([draft]).find_map(|base| uri.strip_prefix(base)).or(bare);
    match name.map(str::to_lowercase).as_deref() {
        _ if uri == HOTP || uri == TOTP || uri == OCRA => Ok(match uri {
            HOTP => Kind::Hotp,
            TOTP => Kind::Totp,
            _ => Kind::Ocra(None),
        }),
        Some("hotp") => Ok(Kind::Hotp),
        Some("totp") => Ok(Kind::Totp),
        Some("ocra" | "ocra-1") => Ok(Kind::Ocra(None)),
        Some(suite) if suite.starts_with("ocra-1:") => Ok(Kind::Ocra(name.map(str::to_owned))),
        _ if uri.is_empty() => Err("does not say what its key is for".to_owned()),
        _ => Err("is for another algorithm than HOTP, TOTP or OCRA".to_owned()),
    }
}

struct Parameters {
    suite: Option<String>,
    length: Option<u8>,
    alphabet: Alphabet,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { suite: None, length: None, alphabet: Alphabet::Decimal }
    }
}

impl Parameters {
    /// Section 4.3.4.
    fn of(parameters: &Element) -> Result<Self, String> {
        let suite =
            only(parameters, "Suite")?.map(|suite| suite.text.trim().to_owned()).filter(|suite| !suite.is_empty());
        let Some(format) = only(parameters, "ResponseFormat")? else { return Ok(Self { suite, ..Self::default() }) };
        // Section 4.3.4.2. Which letters and digits a token shows, it does not say: those of base32 look like nothing else.
        let alphabet = match format.attribute("Encoding").unwrap_or("DECIMAL").to_uppercase().as_str() {
            "DECIMAL" => Alphabet::Decimal,
            "HEXADECIMAL" => Alphabet::Hexadecimal,
            "ALPHANUMERIC" => Alphabet::Base32,
            "BASE64" => Alphabet::Base64,
            "BINARY" => return Err("has passcodes of octets (BINARY), which nobody can type".to_owned()),
            other => {
                let name: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(format!("has passcodes in an encoding that RFC 6030 does not know: {name}"));
            }
        };
        if matches!(format.attribute("CheckDigits").or_else(|| format.attribute("CheckDigit")), Some("true" | "1")) {
            return Err("has passcodes with a check digit".to_owned());
        }
        let length = match format.attribute("Length") {
            None => None,
            Some(text) => Some(text.trim().parse::<u8>().map_err(|_| "has passcodes of a length that is no number")?),
        };
        Ok(Self { suite, length, alphabet })
    }
}

/// Whether a policy lets the key be used here. Whoever does not understand a policy must not use the key (section 5).
fn allowed(policy: &Element) -> Result<(), String> {
    let mut usages = Vec::new();
    for part in &policy.children {
        match part.name.as_str() {
            "StartDate" | "ExpiryDate" => {}
            "KeyUsage" => usages.push(part.text.trim()),
            // What the device asks for stays in the device; what is typed with the passcode would have to be known here.
            "PINPolicy" => match part.attribute("PINUsageMode") {
                None | Some("Local") => {}
                Some(_) => {
                    return Err("wants a PIN that is part of the passcode, and does not bring it along".to_owned());
                }
            },
            "NumberOfTransactions" => return Err("may be used a limited number of times only".to_owned()),
            other => {
                let name: String = other.chars().take(40).collect();
                return Err(format!("has a policy that is not understood: {name}"));
            }
        }
    }
    if usages.is_empty() || usages.iter().any(|usage| matches!(*usage, "OTP" | "CR")) {
        Ok(())
    } else {
        Err(format!("has a key for other purposes than passcodes: {}", usages.join(", ")))
    }
}

/// What opens the values of a container.
struct Keys {
    master: Master,
    mac: Option<(Mac, SecretBytes)>,
}

enum Master {
    /// Nothing was given; then values must be plain.
    None,
    Key(SecretBytes),
    /// Derived when it is known how long it must be, once for each length.
    Password(SecretString, Derivation, RefCell<Vec<SecretBytes>>),
}

impl Keys {
    /// From the head of a container: section 6, and how its MACs are made (6.1.1).
    fn of(root: &Element, protection: Option<&Protection>) -> Result<Self, String> {
        let encryption = only(root, "EncryptionKey").map_err(whole)?;
        let derived = match encryption {
            Some(encryption) if encryption.count("X509Data") > 0 => {
                return Err(
                    "the container is encrypted for a certificate; ask for one with a key or a password".to_owned()
                );
            }
            Some(encryption) => only(encryption, "DerivedKey").map_err(whole)?,
            None => None,
        };
        let master = match (derived, protection) {
            (Some(derived), Some(Protection::Password(password))) => {
                Master::Password(password.clone(), derivation(derived)?, RefCell::default())
            }
            (Some(_), Some(Protection::Key(_))) => {
                return Err("the container is encrypted with a password, and a key was given".to_owned());
            }
            (Some(_), None) => return Err("the container is encrypted with a password".to_owned()),
            (None, Some(Protection::Key(key))) => Master::Key(key.clone()),
            (None, Some(Protection::Password(_))) if encryption.is_some() => {
                return Err("the container is encrypted with a key, and a password was given".to_owned());
            }
            (None, Some(Protection::Password(_))) => {
                return Err("the container is not encrypted with a password".to_owned());
            }
            (None, None) if encryption.is_some() => return Err("the container is encrypted with a key".to_owned()),
            (None, None) => Master::None,
        };
        let mut keys = Self { master, mac: None };
        if let Some(method) = only(root, "MACMethod").map_err(whole)? {
            keys.mac = keys.mac_of(method).map_err(|words| format!("the container {words}"))?;
        }
        Ok(keys)
    }

    fn mac_of(&self, method: &Element) -> Result<Option<(Mac, SecretBytes)>, String> {
        let mac = Mac::named(method.attribute("Algorithm").unwrap_or_default())?;
        let Some(wrapped) = only(method, "MACKey")? else {
            // Section 6.1.1: without one, the key that encrypts is the one of the MAC, too.
            return match &self.master {
                Master::None => Ok(None),
                Master::Key(key) => Ok(Some((mac, key.clone()))),
                Master::Password(_, derivation, _) => {
                    let aes = derivation.length.unwrap_or(16);
                    Ok(Some((mac, self.master(aes)?)))
                }
            };
        };
        if matches!(self.master, Master::None) {
            return Ok(None);
        }
        let (aes, octets) = encrypted(wrapped)?;
        match aes.decrypt(&self.master(aes.key)?, &octets)? {
            Some(key) if !key.expose().is_empty() => Ok(Some((mac, key))),
            _ => Err("cannot be opened: the key or the password is wrong".to_owned()),
        }
    }

    /// The key of so many octets that decrypts.
    fn master(&self, length: usize) -> Result<SecretBytes, String> {
        match &self.master {
            Master::None => Err("is encrypted, and neither a key nor a password was given".to_owned()),
            Master::Key(key) => Ok(key.clone()),
            Master::Password(password, derivation, made) => {
                if derivation.length.is_some_and(|told| told != length) {
                    return Err("is encrypted with a key of another length than the container derives".to_owned());
                }
                if let Some(key) = made.borrow().iter().find(|key| key.expose().len() == length) {
                    return Ok(key.clone());
                }
                let key = derivation.key(password, length)?;
                made.borrow_mut().push(key.clone());
                Ok(key)
            }
        }
    }

    /// The octets of a value: plain in base64, or encrypted with a right MAC.
    fn octets(&self, value: &Element) -> Result<Vec<u8>, String> {
        match (only(value, "PlainValue")?, only(value, "EncryptedValue")?) {
            (Some(plain), None) => base64(plain).ok_or_else(|| "has a secret that is not base64".to_owned()),
            (None, Some(sealed)) => Ok(self.opened(value, sealed)?.expose().to_vec()),
            (Some(_), Some(_)) => Err("has a value that is both plain and encrypted".to_owned()),
            (None, None) => Err("has a value that is neither plain nor encrypted".to_owned()),
        }
    }

    /// A number: plain in decimal digits, or encrypted, the highest octet first (section 4.2).
    fn number(&self, data: &Element, name: &str) -> Result<Option<i64>, String> {
        let Some(value) = only(data, name)? else { return Ok(None) };
        let wrong = || format!("has a {name} that is no number");
        match (only(value, "PlainValue")?, only(value, "EncryptedValue")?) {
            (Some(plain), None) if plain.children.is_empty() => {
                plain.text.trim().parse().map(Some).map_err(|_| wrong())
            }
            (None, Some(sealed)) => {
                let octets = self.opened(value, sealed)?;
                let octets = octets.expose();
                if octets.is_empty() || octets.len() > 8 || (octets.len() == 8 && octets.first() > Some(&0x7f)) {
                    return Err(wrong());
                }
                Ok(Some(octets.iter().fold(0, |number, octet| (number << 8) | i64::from(*octet))))
            }
            _ => Err(wrong()),
        }
    }

    /// Decrypts a value after its MAC, over initialization vector and ciphertext (section 6.1.1), was found right.
    fn opened(&self, value: &Element, sealed: &Element) -> Result<SecretBytes, String> {
        let (aes, octets) = encrypted(sealed)?;
        let master = self.master(aes.key)?;
        let Some((mac, key)) = &self.mac else {
            return Err(
                "is encrypted and the container has no MAC; whatever was changed on its way would pass".to_owned()
            );
        };
        let code = only(value, "ValueMAC")?.ok_or("is encrypted and has no MAC")?;
        let code = base64(code).ok_or("has a MAC that is not base64")?;
        if !mac.fits(key, &octets, &code)? {
            return Err(MAC_WRONG.to_owned());
        }
        aes.decrypt(&master, &octets)?.ok_or_else(|| "does not open: the key or the password is wrong".to_owned())
    }
}

/// A fault of the container, not of one record.
fn whole(words: String) -> String {
    format!("the container {words}")
}

/// The cipher and the octets of an encrypted value (XML Encryption 3.1).
fn encrypted(sealed: &Element) -> Result<(Aes, Vec<u8>), String> {
    let method = only(sealed, "EncryptionMethod")?.and_then(|method| method.attribute("Algorithm"));
    let aes = Aes::named(method.ok_or("has an encrypted value that does not say how it is encrypted")?)?;
    let data = only(sealed, "CipherData")?.ok_or("has an encrypted value without data")?;
    let value = only(data, "CipherValue")?.ok_or("has an encrypted value that is kept elsewhere")?;
    let octets = base64(value).ok_or("has an encrypted value that is not base64")?;
    Ok((aes, octets))
}

/// How the key comes of the password (section 6.2). The rounds have a limit, or a file could keep a machine busy for days.
fn derivation(derived: &Element) -> Result<Derivation, String> {
    let method = only(derived, "KeyDerivationMethod").map_err(whole)?;
    let method = method.ok_or("the container does not say how its key comes of the password")?;
    if !Derivation::is_known(method.attribute("Algorithm").unwrap_or_default()) {
        return Err("the key of the container comes of the password in another way than PBKDF2".to_owned());
    }
    let parameters =
        only(method, "PBKDF2-params").map_err(whole)?.ok_or("the container has no parameters of PBKDF2")?;
    let number = |name: &str| -> Result<Option<u32>, String> {
        let Some(found) = only(parameters, name).map_err(whole)? else { return Ok(None) };
        let wrong = |_| format!("the container has an {name} that is no number");
        found.text.trim().parse().map(Some).map_err(wrong)
    };
    let salt = only(parameters, "Salt").map_err(whole)?;
    let salt = salt.map(|salt| only(salt, "Specified")).transpose().map_err(whole)?.flatten();
    let salt = salt.and_then(base64).filter(|salt| (1..=1024).contains(&salt.len()));
    let iterations = number("IterationCount")?.ok_or("the container does not say how often PBKDF2 is repeated")?;
    if iterations == 0 || iterations > DERIVATIONS {
        return Err(format!("the container wants {iterations} rounds of PBKDF2; 1 to {DERIVATIONS} are carried out"));
    }
    let length = match number("KeyLength")? {
        None => None,
        Some(length @ (16 | 24 | 32)) => usize::try_from(length).ok(),
        // Some count in bits.
        Some(bits @ (128 | 192 | 256)) => usize::try_from(bits / 8).ok(),
        Some(_) => return Err("the container derives a key that is none of AES".to_owned()),
    };
    let prf = only(parameters, "PRF").map_err(whole)?;
    let named = prf.and_then(|prf| prf.attribute("Algorithm").or(Some(prf.text.as_str())));
    let mac = Derivation::prf(named).map_err(|_| "the container uses PBKDF2 with an unknown function".to_owned())?;
    let salt = salt.ok_or("the container has no salt for PBKDF2")?;
    Ok(Derivation { salt, iterations, length, mac })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
