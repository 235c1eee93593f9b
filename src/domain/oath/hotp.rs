//! HOTP: a passcode for a counter (RFC 4226 section 5).

use hmac::Hmac;

use super::Algorithm;
use crate::domain::secret::SecretBytes;

/// The passcode for `counter`, with leading zeros. `digits` is 6 to 8 (R-207; RFC 4226 R4).
#[must_use]
pub fn passcode(secret: &SecretBytes, algorithm: Algorithm, digits: u8, counter: u64) -> String {
    let digits = u32::from(digits.clamp(6, 8));
    let number = truncated(&digest(secret, algorithm, &counter.to_be_bytes())) % 10_u32.pow(digits);
    format!("{number:0width$}", width = digits as usize)
}

/// The whole HMAC of `data`, as long as the hash function makes it.
pub(super) fn digest(secret: &SecretBytes, algorithm: Algorithm, data: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Sha1 => mac::<Hmac<sha1::Sha1>>(secret, data),
        Algorithm::Sha256 => mac::<Hmac<sha2::Sha256>>(secret, data),
        Algorithm::Sha512 => mac::<Hmac<sha2::Sha512>>(secret, data),
    }
}

fn mac<M: hmac::Mac + hmac::KeyInit>(secret: &SecretBytes, data: &[u8]) -> Vec<u8> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// Dynamic truncation (RFC 4226 section 5.3): 31 bits at the offset that the last four bits name.
pub(super) fn truncated(digest: &[u8]) -> u32 {
    let offset = usize::from(digest.last().copied().unwrap_or_default() & 0x0f);
    let four = digest.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    u32::from_be_bytes(four) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn rfc_4226_appendix_d() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        let expected =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (counter, code) in (0..).zip(expected) {
            assert_eq!(passcode(&secret, Algorithm::Sha1, 6, counter), code);
        }
    }

    #[test]
    fn rfc_4226_section_5_4_truncation() {
        let digest = data_encoding::HEXLOWER.decode(b"1f8698690e02ca16618550ef7f19da8e945b555a").expect("hex");
        assert_eq!(truncated(&digest), 0x50ef_7f19);
    }

    #[test]
    fn the_key_uri_example_g7() {
        let secret = SecretBytes::new(vec![0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x21, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(passcode(&secret, Algorithm::Sha1, 6, 0), "282760");
        assert_eq!(passcode(&secret, Algorithm::Sha1, 6, 1), "996554");
    }
}
