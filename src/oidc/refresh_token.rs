//! Refresh tokens: sealed references to a grant and to one generation of its tokens.
//!
//! Nothing of them is stored: the database only says which generation is good (T-50). So no backup holds one, and a
//! token that was changed in one bit is no token (T-54).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::ids::{GrantId, Id, TenantId};
use crate::keys::derived::TokenSealer;

/// Lets secret scanners and people recognise a leaked one.
const PREFIX: &str = "vrt_";
/// Another layout would get another number.
const FORMAT: u8 = 2;
/// Format, grant, generation, key.
const LENGTH: usize = 1 + 16 + 8 + 32;
/// In characters, with the 28 octets that sealing adds.
const TEXT_LENGTH: usize = PREFIX.len() + ((LENGTH + 28) * 4).div_ceil(3);

/// What a refresh token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant that it was issued for.
    pub grant: GrantId,
    /// Which of the grant's refresh tokens it is.
    pub generation: i64,
    /// The key that must be proven with it, of a public client that uses DPoP (RFC 9449, 5).
    pub jkt: Option<[u8; 32]>,
}

impl RefreshToken {
    /// The token as it is given to the application.
    #[must_use]
    pub fn seal(self, tenant: TenantId, sealer: &TokenSealer) -> String {
        let mut content = Vec::with_capacity(LENGTH);
        content.push(FORMAT);
        content.extend(self.grant.to_bytes());
        content.extend(self.generation.to_be_bytes());
        content.extend(self.jkt.unwrap_or_default());
        let mut text = String::with_capacity(TEXT_LENGTH);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(sealer.seal(&tenant.to_bytes(), &content), &mut text);
        text
    }

    /// Reads a token of `tenant`; `None` for everything else. Whether it is still good is asked of the database.
    #[must_use]
    pub fn open(text: &str, tenant: TenantId, sealer: &TokenSealer) -> Option<Self> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let content: [u8; LENGTH] = sealer.open(&tenant.to_bytes(), &sealed)?.try_into().ok()?;
        let (format, rest) = content.split_first()?;
        let (grant, rest) = rest.split_first_chunk::<16>()?;
        let grant = Id::from_bits(u128::from_be_bytes(*grant));
        let (generation, jkt) = rest.split_first_chunk::<8>()?;
        let generation = i64::from_be_bytes(*generation);
        let jkt: [u8; 32] = jkt.try_into().ok()?;
        (*format == FORMAT).then_some(Self { grant, generation, jkt: (jkt != [0; 32]).then_some(jkt) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::SecretBytes;
    use crate::keys::derived::DerivedKeys;
    use proptest::prelude::*;

    const TENANT: TenantId = TenantId::from_bits(1);

    proptest! {
        /// T-54, T-56: any edit, truncation or extension is refused, and so is another tenant's or another kind of token.
        #[test]
        fn no_other_text_is_a_token(at in 0usize..TEXT_LENGTH, other in "[A-Za-z0-9_=-]", cut in 0usize..TEXT_LENGTH) {
            let keys = DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]));
            let token = RefreshToken { grant: GrantId::from_bits(2), generation: 7, jkt: Some([3; 32]) };
            let text = token.seal(TENANT, &keys.refresh_tokens);
            prop_assert_eq!(text.len(), TEXT_LENGTH);
            let open = |text: &str| RefreshToken::open(text, TENANT, &keys.refresh_tokens);
            prop_assert_eq!(open(&text), Some(token));
            prop_assert_eq!(RefreshToken::open(&text, TenantId::from_bits(2), &keys.refresh_tokens), None);
            prop_assert_eq!(RefreshToken::open(&text, TENANT, &keys.access_tokens), None);
            let mut edited = text.clone();
            edited.replace_range(at..=at, &other);
            prop_assume!(edited != text);
            prop_assert_eq!(open(&edited), None);
            prop_assert_eq!(open(&text[..cut]), None);
            prop_assert_eq!(open(&format!("{text}A")), None);
        }
    }
}
