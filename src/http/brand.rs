//! How a virtual server wants its pages to look: a style sheet made of its colours, and its pictures. Both have their
//! content in their address, so that browsers may keep them for ever.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use crate::domain::branding::{Branding, Colours, DARK, LIGHT, Picture, Theme};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::urls::branding_path;

/// The name of the style sheet in its address.
pub const STYLE: &str = "brand.css";

/// What a page needs of it.
#[derive(Debug, Clone)]
pub struct Brand {
    /// The path of the style sheet.
    pub style: String,
    /// The logo, in the place of ours.
    pub logo: Option<Shown>,
    /// Above the card.
    pub banner: Option<Shown>,
}

/// A picture on a page.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its path.
    pub path: String,
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
}

impl Brand {
    /// That of a virtual server; `None` if its pages look like ours.
    #[must_use]
    pub fn of(config: &TenantConfig) -> Option<Self> {
        let (branding, code) = (&config.settings.branding, &config.tenant.code);
        if branding.is_plain() {
            return None;
        }
        let digest = digest(style(code, branding).as_bytes());
        Some(Self {
            style: branding_path(code, &digest, STYLE),
            logo: shown(code, branding, Picture::Logo),
            banner: shown(code, branding, Picture::Banner),
        })
    }
}

/// A picture, as a page shows it.
#[must_use]
pub fn shown(code: &TenantCode, branding: &Branding, picture: Picture) -> Option<Shown> {
    let stored = branding.pictures.get(&picture)?;
    let path = branding_path(code, &stored.digest, picture.id());
    Some(Shown { path, width: stored.width, height: stored.height })
}

/// What tells two contents apart in an address: the first half of their SHA-256, in hexadecimal.
#[must_use]
pub fn digest(octets: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
    HEXLOWER.encode(digest.as_ref().get(..16).unwrap_or_default())
}

/// The style sheet. Colours and our own addresses are all that comes into it: nothing that somebody typed (T-22).
#[must_use]
pub fn style(code: &TenantCode, branding: &Branding) -> String {
    let (light, dark) = (variables(&branding.light()), variables(&branding.dark()));
    let mut style = format!(":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n");
    if let Some(background) = shown(code, branding, Picture::Background) {
        // What stands beside the card gets a ground of its own: nobody knows what the picture is like there.
        let _ = write!(
            style,
            "body {{ background: var(--ground) url(\"{}\") center / cover fixed; }}\n\
             .brand, .foot {{ background: var(--card); border-radius: .75rem; padding: .6rem .9rem; }}\n",
            background.path
        );
    }
    style
}

/// The style sheet of a sample of both themes, side by side, for whoever chooses colours.
#[must_use]
pub fn sample(branding: &Branding) -> String {
    let rest = |theme: &Theme| format!("--card: {}; --text: {};", theme.card, theme.text);
    let (light, dark) = (variables(&branding.light()), variables(&branding.dark()));
    format!(".sample.light {{ {light} {} }}\n.sample.dark {{ {dark} {} }}\n", rest(&LIGHT), rest(&DARK))
}

fn variables(colours: &Colours) -> String {
    let Colours { accent, accent_text, accent_soft, ground } = colours;
    format!("--accent: {accent}; --accent-text: {accent_text}; --accent-soft: {accent_soft}; --ground: {ground};")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// another colour is another address, so that no browser shows the old one.
    #[test]
    fn the_address_changes_with_the_content() {
        let code: TenantCode = "acme".parse().expect("a code");
        let plain = style(&code, &Branding::default());
        let purple = Branding { accent: "#7a1f5c".parse().ok(), ..Branding::default() };
        assert_ne!(digest(plain.as_bytes()), digest(style(&code, &purple).as_bytes()));
        assert!(style(&code, &purple).contains("--accent: #7a1f5c;"));
        assert!(purple.dark().accent != purple.light().accent, "it is lightened for the dark theme");
    }
}
