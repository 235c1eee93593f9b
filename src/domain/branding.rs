//! How the pages of a virtual server look: title, colours and pictures. Text and cards stay ours, so that every message
//! can be read whatever is chosen; what is chosen must keep a contrast of 4.5 to 1 (WCAG 2.2, 1.4.3).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The least contrast of text (WCAG 2.2, 1.4.3).
pub const READABLE: f64 = 4.5;
/// The longest title, in characters.
pub const LONGEST_TITLE: usize = 80;

/// A colour of the sRGB space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// A text that is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a colour such as #2447b8")]
pub struct NotAColour;

impl Colour {
    /// The colour of these parts.
    #[must_use]
    pub const fn of(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Its relative luminance, 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(self.red) + 0.7152 * part(self.green) + 0.0722 * part(self.blue)
    }

    /// The contrast to another colour, 1 to 21 (WCAG 2.2).
    #[must_use]
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// A share of another colour mixed into it; `share` in percent.
    #[must_use]
    pub fn mixed(self, other: Self, share: u8) -> Self {
        let share = u16::from(share.min(100));
        let mix = |a: u8, b: u8| u8::try_from((u16::from(a) * (100 - share) + u16::from(b) * share) / 100).unwrap_or(a);
        Self::of(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }
}

impl FromStr for Colour {
    type Err = NotAColour;
    fn from_str(text: &str) -> Result<Self, NotAColour> {
        let digits = text.trim().strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(NotAColour)?;
        let part = |from: usize| {
            let digits = digits.get(from..from + 2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
            digits.and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or(NotAColour)
        };
        Ok(Self::of(part(0)?, part(2)?, part(4)?))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl TryFrom<String> for Colour {
    type Error = NotAColour;
    fn try_from(text: String) -> Result<Self, NotAColour> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

/// What our own style says of a theme: what colours are held against.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// The ground of the page.
    pub ground: Colour,
    /// The card on it.
    pub card: Colour,
    /// Text.
    pub text: Colour,
    /// Text of less weight.
    pub soft: Colour,
    /// Buttons and links.
    pub accent: Colour,
}

/// The light theme, as `static/vestibule.css` has it.
pub const LIGHT: Theme = Theme {
    ground: Colour::of(0xee, 0xf1, 0xf8),
    card: Colour::of(0xff, 0xff, 0xff),
    text: Colour::of(0x17, 0x1c, 0x2b),
    soft: Colour::of(0x4d, 0x56, 0x6d),
    accent: Colour::of(0x24, 0x47, 0xb8),
};
/// The dark theme, as `static/vestibule.css` has it.
pub const DARK: Theme = Theme {
    ground: Colour::of(0x0f, 0x13, 0x20),
    card: Colour::of(0x19, 0x1f, 0x30),
    text: Colour::of(0xee, 0xf1, 0xfa),
    soft: Colour::of(0xb3, 0xbb, 0xd0),
    accent: Colour::of(0x9d, 0xb4, 0xff),
};

/// A picture of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// Beside the title.
    Logo,
    /// Above the card.
    Banner,
    /// Behind everything.
    Background,
}

impl Picture {
    /// Every picture.
    pub const ALL: [Self; 3] = [Self::Logo, Self::Banner, Self::Background];

    /// Its name in addresses.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Logo => "logo",
            Self::Banner => "banner",
            Self::Background => "background",
        }
    }

    /// The picture with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|picture| picture.id() == id)
    }

    /// Its name for operators.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Logo => "Logo",
            Self::Banner => "Banner",
            Self::Background => "Background",
        }
    }

    /// What it must be like, for operators.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Logo => "JPEG, PNG or GIF, at most 300 pixels wide and 1 MB. Stands beside the title.",
            Self::Banner => "JPEG, PNG or GIF, at most 75 pixels high and 1 MB. Stands above the card.",
            Self::Background => "JPEG, PNG or GIF, at least 1368 by 768 pixels, at most 4096 by 4096 and 2 MB.",
        }
    }

    /// The longest file, in octets.
    #[must_use]
    pub const fn longest(self) -> usize {
        match self {
            Self::Logo | Self::Banner => 1024 * 1024,
            Self::Background => 2 * 1024 * 1024,
        }
    }

    /// What is wrong with its size in pixels; `None` if nothing is.
    #[must_use]
    pub fn size_fault(self, width: u32, height: u32) -> Option<String> {
        let allowed = match self {
            Self::Logo => width <= 300 && height <= 300,
            Self::Banner => width <= 2000 && height <= 75,
            Self::Background => width >= 1368 && height >= 768 && width <= 4096 && height <= 4096,
        };
        let rule = match self {
            Self::Logo => "must be at most 300 pixels wide and 300 high",
            Self::Banner => "must be at most 75 pixels high and 2000 wide",
            Self::Background => "must be at least 1368 by 768 pixels and at most 4096 by 4096",
        };
        (!allowed).then(|| format!("{rule}; this one is {width} by {height}"))
    }
}

/// What is known of a picture that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// The first half of the SHA-256 of what is served, in hexadecimal.
    pub digest: String,
    /// Its media type: `image/png` or `image/jpeg`.
    pub kind: String,
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
}

/// How the pages of a virtual server look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Branding {
    /// Stands beside the logo and in the title of the window; empty: the organization's name.
    pub title: String,
    /// Buttons and links.
    #[serde(with = "maybe")]
    pub accent: Option<Colour>,
    /// The ground of the page.
    #[serde(with = "maybe")]
    pub ground: Option<Colour>,
    /// Buttons and links in the dark theme; if it is not set, made of `accent`.
    #[serde(with = "maybe")]
    pub accent_dark: Option<Colour>,
    /// The ground of the page in the dark theme.
    #[serde(with = "maybe")]
    pub ground_dark: Option<Colour>,
    /// The pictures that are stored. They are changed on their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pictures: BTreeMap<Picture, Stored>,
}

/// A colour that may not be set: an empty text.
mod maybe {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Colour;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(colour: &Option<Colour>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&colour.map(|colour| colour.to_string()).unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Colour>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let text = text.trim();
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
    }
}

/// The colours of one theme, with what follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours {
    /// Buttons and links.
    pub accent: Colour,
    /// The words on a button.
    pub accent_text: Colour,
    /// The ground of what is marked.
    pub accent_soft: Colour,
    /// The ground of the page.
    pub ground: Colour,
}

impl Branding {
    /// What it cannot be.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.title.chars().count() > LONGEST_TITLE || self.title.chars().any(char::is_control) {
            faults.push(("title", format!("must have at most {LONGEST_TITLE} characters and no control characters")));
        }
        for (key, colour, theme) in [("accent", self.accent, LIGHT), ("accent_dark", self.accent_dark, DARK)] {
            let against =
                [("the card", theme.card), ("what is marked", theme.card.mixed(colour.unwrap_or(theme.accent), 12))];
            faults.extend(colour.and_then(|colour| too_low(colour, &against)).map(|words| (key, words)));
        }
        for (key, colour, theme) in [("ground", self.ground, LIGHT), ("ground_dark", self.ground_dark, DARK)] {
            let against = [("text", theme.text), ("text of less weight", theme.soft)];
            faults.extend(colour.and_then(|colour| too_low(colour, &against)).map(|words| (key, words)));
        }
        faults
    }

    /// The colours of the light theme.
    #[must_use]
    pub fn light(&self) -> Colours {
        colours(self.accent.unwrap_or(LIGHT.accent), self.ground.unwrap_or(LIGHT.ground), &LIGHT)
    }

    /// The colours of the dark theme. An accent that is set for the light one is lightened until it can be read.
    #[must_use]
    pub fn dark(&self) -> Colours {
        let lightened = self.accent.map(|accent| {
            let white = Colour::of(255, 255, 255);
            let mixed = (0..=100).step_by(5).map(|share| accent.mixed(white, share));
            let readable =
                |colour: &Colour| too_low(*colour, &[("", DARK.card), ("", DARK.card.mixed(*colour, 12))]).is_none();
            mixed.into_iter().find(readable).unwrap_or(DARK.accent)
        });
        let accent = self.accent_dark.or(lightened).unwrap_or(DARK.accent);
        colours(accent, self.ground_dark.unwrap_or(DARK.ground), &DARK)
    }

    /// Whether anything at all differs from how we look.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self { title: self.title.clone(), ..Self::default() }
    }
}

fn colours(accent: Colour, ground: Colour, theme: &Theme) -> Colours {
    let (light, dark) = (Colour::of(255, 255, 255), Colour::of(0x0d, 0x14, 0x30));
    let accent_text = if accent.contrast(light) >= accent.contrast(dark) { light } else { dark };
    Colours { accent, accent_text, accent_soft: theme.card.mixed(accent, 12), ground }
}

/// The first of `against` that `colour` cannot be told from well enough.
fn too_low(colour: Colour, against: &[(&str, Colour)]) -> Option<String> {
    let worst = against.iter().find(|(_, other)| colour.contrast(*other) < READABLE)?;
    let contrast = colour.contrast(worst.1);
    Some(format!(
        "has a contrast of {contrast:.1} to 1 to {} ({}); it must be at least {READABLE} to 1",
        worst.0, worst.1
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// WCAG 2.2: black on white is 21 to 1; #767676 on white is the lightest grey that can be read.
    #[test]
    fn contrast_is_that_of_the_standard() {
        let white: Colour = "#ffffff".parse().expect("a colour");
        for (colour, expected) in [("#000000", 21.0), ("#ffffff", 1.0), ("#767676", 4.54), ("#ff0000", 4.0)] {
            let colour: Colour = colour.parse().expect("a colour");
            assert!((colour.contrast(white) - expected).abs() < 0.01, "{colour}: {}", colour.contrast(white));
        }
        for bad in ["", "#fff", "ffffff", "#gggggg", "#+1+1+1", "#ffffff;}", "red", "#ffffffff", "#ÿÿÿ"] {
            assert_eq!(bad.parse::<Colour>(), Err(NotAColour), "{bad}");
        }
    }

    /// colours that could not be read are refused, each at its field.
    #[test]
    fn low_contrast_is_refused() {
        let branding = |accent: &str, ground: &str| Branding {
            accent: accent.parse().ok(),
            ground: ground.parse().ok(),
            ..Branding::default()
        };
        assert_eq!(branding("#7a1f5c", "#f5f0f3").faults(), []);
        let faults = branding("#ffcc00", "#777777").faults();
        let keys: Vec<&str> = faults.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["accent", "ground"]);
        assert!(faults[0].1.contains("to 1 to the card (#ffffff)"), "{}", faults[0].1);
        assert_eq!(Branding { title: "x".repeat(81), ..Branding::default() }.faults().len(), 1);
    }

    #[test]
    fn the_style_sheet_has_our_colours() {
        let style = include_str!("../../static/vestibule.css");
        for (theme, place) in [(LIGHT, 0), (DARK, 1)] {
            let block = style.split(":root {").nth(place + 1).unwrap_or_default();
            for (name, colour) in [
                ("ground", theme.ground),
                ("card", theme.card),
                ("text", theme.text),
                ("soft", theme.soft),
                ("accent", theme.accent),
            ] {
                assert!(block.contains(&format!("--{name}: {colour};")), "{name} of {place}");
            }
        }
    }

    proptest! {
        /// Whatever is accepted can be read in both themes, and so can what follows from it.
        #[test]
        fn what_is_accepted_can_be_read(red: u8, green: u8, blue: u8) {
            let branding = Branding { accent: Some(Colour::of(red, green, blue)), ..Branding::default() };
            prop_assume!(branding.faults().is_empty());
            for (colours, theme) in [(branding.light(), LIGHT), (branding.dark(), DARK)] {
                prop_assert!(colours.accent.contrast(theme.card) >= READABLE);
                prop_assert!(colours.accent.contrast(colours.accent_text) >= READABLE);
                prop_assert!(colours.accent.contrast(colours.accent_soft) >= READABLE);
            }
        }
    }
}
