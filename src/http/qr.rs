//! QR codes as inline SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code that readers need (ISO/IEC 18004: four).
const QUIET: usize = 4;

/// `text` as an SVG element, described by `label` to whoever cannot see it. Black on white in every theme:
/// some readers do not understand the reverse.
///
/// Returns nothing if the text is longer than a QR code holds, about 2,300 octets.
#[must_use]
pub fn svg(text: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, colors) = (code.width(), code.to_colors());
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (at, color) in colors.iter().enumerate() {
        if *color == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            // Writing to a string does not fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    let label = askama::filters::escape(label, askama::filters::Html).ok()?.to_string();
    Some(format!(
        "<svg data-qr class=\"qr\" role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_reads_it() {
        let text = "https://login.example.com/t/acme/activate#1.AAECAwQFBgcICQoLDA0ODw";
        let drawn = svg(text, "Activation \"code\"").expect("a short text");
        assert!(drawn.contains("aria-label=\"Activation &#34;code&#34;\""), "{}", &drawn[..200]);
        let code = QrCode::with_error_correction_level(text, EcLevel::M).expect("a code");
        let side = code.width() + 2 * QUIET;
        let mut image = image::GrayImage::from_pixel(side as u32 * 4, side as u32 * 4, image::Luma([255]));
        let (_, dark) = drawn.split_once("fill=\"#000\" d=\"").expect("the dark modules");
        for dark in dark.split('M').skip(1) {
            let mut numbers = dark.split(['h', ' ']).map(|n| n.parse::<u32>());
            if let (Some(Ok(x)), Some(Ok(y))) = (numbers.next(), numbers.next()) {
                for pixel in 0..16 {
                    image.put_pixel(x * 4 + pixel % 4, y * 4 + pixel / 4, image::Luma([0]));
                }
            }
        }
        let mut prepared = rqrr::PreparedImage::prepare(image);
        let grids = prepared.detect_grids();
        assert_eq!(grids.len(), 1);
        assert_eq!(grids[0].decode().expect("readable").1, text);
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(svg(&"x".repeat(4000), "x").is_none());
    }
}
