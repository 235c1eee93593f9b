//! Parameters of a request, from a query or a form body: each at most once, in valid UTF-8.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Longest query or body that is looked at, in octets. A state of a few thousand characters and a
/// claims parameter fit many times over.
pub const LONGEST: usize = 32 * 1024;

/// The parameters of one request, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// Why octets are no parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There is too much of it.
    #[error("the request is longer than {LONGEST} octets")]
    TooLong,
    /// A name or a value is not UTF-8 when decoded; nothing sensible could be sent back.
    #[error("the request is not UTF-8")]
    NotUtf8,
    /// A parameter that the protocol knows came more than once (RFC 6749, 3.1).
    #[error("the parameter {0} is given more than once")]
    Twice(&'static str),
}

impl Parameters {
    /// Decodes `application/x-www-form-urlencoded` octets.
    ///
    /// # Errors
    /// [`ParameterError::TooLong`] or [`ParameterError::NotUtf8`].
    pub fn parse(encoded: &[u8]) -> Result<Self, ParameterError> {
        if encoded.len() > LONGEST {
            return Err(ParameterError::TooLong);
        }
        let pairs = encoded.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = match pair.iter().position(|octet| *octet == b'=') {
                Some(at) => pair
                    .split_at_checked(at)
                    .map_or((pair, &[][..]), |(name, rest)| (name, rest.get(1..).unwrap_or_default())),
                None => (pair, &[][..]),
            };
            Ok((
                form_decoded(name).ok_or(ParameterError::NotUtf8)?,
                form_decoded(value).ok_or(ParameterError::NotUtf8)?,
            ))
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// These parameters, which came in another way than in a form.
    #[must_use]
    pub const fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The values of `name`, which may come several times (RFC 8707, 2).
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(other, value)| other == name && !value.is_empty());
        values.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of `name`. A parameter without a value counts as not given (RFC 6749, 3.1).
    ///
    /// # Errors
    /// [`ParameterError::Twice`] if it came more than once, even with the same value.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>, ParameterError> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(ParameterError::Twice(name));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }
}

/// Decodes one name or value: `+` is a blank, `%41` an `A`, a `%` that starts nothing stays itself.
/// `None` if the result is not UTF-8.
#[must_use]
pub fn form_decoded(encoded: &[u8]) -> Option<String> {
    let blanks: Cow<'_, [u8]> = if encoded.contains(&b'+') {
        encoded.iter().map(|octet| if *octet == b'+' { b' ' } else { *octet }).collect::<Vec<_>>().into()
    } else {
        encoded.into()
    };
    percent_decode(&blanks).decode_utf8().ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_parameter_is_given_once_or_not_at_all_auth_13() {
        let parameters = Parameters::parse(b"a=1&b=&c&d=x%20y+z&%65=%C3%A4&f=%%&g=1&g=1&&=x&h=a=b").expect("UTF-8");
        assert_eq!(parameters.one("a"), Ok(Some("1")));
        assert_eq!(parameters.one("b"), Ok(None));
        assert_eq!(parameters.one("c"), Ok(None));
        assert_eq!(parameters.one("d"), Ok(Some("x y z")));
        assert_eq!(parameters.one("e"), Ok(Some("ä")));
        assert_eq!(parameters.one("f"), Ok(Some("%%")));
        assert_eq!(parameters.one("g"), Err(ParameterError::Twice("g")));
        assert_eq!(parameters.one("h"), Ok(Some("a=b")));
        assert_eq!(parameters.one("missing"), Ok(None));
        assert_eq!(Parameters::parse(b"state=%00%ff"), Err(ParameterError::NotUtf8), "AUTH-44");
        assert_eq!(Parameters::parse(&vec![b'a'; LONGEST + 1]), Err(ParameterError::TooLong));
    }

    proptest! {
        /// Reading agrees with the writer of another crate, and no octets make it panic.
        #[test]
        fn what_others_encode_is_read_as_meant(value in ".{0,40}", noise in proptest::collection::vec(any::<u8>(), 0..60)) {
            let encoded = form_urlencoded::Serializer::new(String::new()).append_pair("state", &value).finish();
            let parameters = Parameters::parse(encoded.as_bytes()).expect("UTF-8");
            prop_assert_eq!(parameters.one("state").expect("once").unwrap_or_default(), value);
            let _ = Parameters::parse(&noise);
        }
    }
}
