//! Pictures that operators bring: what is served is made anew of their pixels, so that nothing else of the file gets out: no
//! scripts (SVG is not read at all), no places where a photo was taken, no file that is two things at once.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use crate::domain::branding::Picture;

/// The most memory that reading a picture may take, in octets: what 4096 by 4096 pixels need.
const MOST_MEMORY: u64 = 80 * 1024 * 1024;
/// The longest side that is read at all, in pixels.
const LONGEST_SIDE: u32 = 4096;
/// The quality of JPEG.
const QUALITY: u8 = 85;

/// A picture as it is served.
#[derive(Debug)]
pub struct Made {
    /// `image/png` or `image/jpeg`.
    pub kind: &'static str,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The file.
    pub octets: Vec<u8>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing was sent.
    #[error("is missing: choose a file")]
    Missing,
    /// The file is too long.
    #[error("is too long: at most {0} octets")]
    TooLong(usize),
    /// It is something else.
    #[error("must be a JPEG, PNG or GIF picture; SVG is not accepted, because it can carry scripts")]
    Kind,
    /// It is of a size that is not allowed.
    #[error("{0}")]
    Size(String),
    /// It breaks off or contradicts itself.
    #[error("cannot be read as a picture: it is damaged")]
    Damaged,
}

/// Reads a picture and makes the file that is served. Takes the processor for up to a second: not for the thread of a request.
///
/// # Errors
/// [`Unreadable`].
pub fn made(picture: Picture, file: &[u8]) -> Result<Made, Unreadable> {
    if file.is_empty() {
        return Err(Unreadable::Missing);
    }
    if file.len() > picture.longest() {
        return Err(Unreadable::TooLong(picture.longest()));
    }
    // What it is, is told by its first octets, never by its name.
    let format = image::guess_format(file).map_err(|_| Unreadable::Kind)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif) {
        return Err(Unreadable::Kind);
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    let (width, height) = decoder.dimensions();
    let turned = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let swaps = matches!(
        turned,
        image::metadata::Orientation::Rotate90
            | image::metadata::Orientation::Rotate270
            | image::metadata::Orientation::Rotate90FlipH
            | image::metadata::Orientation::Rotate270FlipH
    );
    let (shown_width, shown_height) = if swaps { (height, width) } else { (width, height) };
    if let Some(words) = picture.size_fault(shown_width, shown_height) {
        return Err(Unreadable::Size(words));
    }
    let mut pixels = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))?;
    pixels.apply_orientation(turned);
    let mut octets = Vec::new();
    // A photo stays one: as PNG it would be many times as long. Everything else may let the ground through.
    let kind = if format == ImageFormat::Jpeg {
        let encoder = JpegEncoder::new_with_quality(&mut octets, QUALITY);
        pixels.to_rgb8().write_with_encoder(encoder).map_err(|_| Unreadable::Damaged)?;
        "image/jpeg"
    } else {
        let plain = DynamicImage::ImageRgba8(pixels.to_rgba8());
        plain.write_to(&mut Cursor::new(&mut octets), ImageFormat::Png).map_err(|_| Unreadable::Damaged)?;
        "image/png"
    };
    // Few kinds of PNG grow when they are written anew, and then by little; nobody's page is to load many megabytes.
    if octets.len() > picture.longest() * 4 {
        return Err(Unreadable::TooLong(picture.longest()));
    }
    Ok(Made { kind, width: shown_width, height: shown_height, octets })
}

fn refused(error: &image::ImageError) -> Unreadable {
    match error {
        image::ImageError::Limits(_) => {
            Unreadable::Size(format!("must be at most {LONGEST_SIDE} by {LONGEST_SIDE} pixels"))
        }
        image::ImageError::Unsupported(_) => Unreadable::Kind,
        _ => Unreadable::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let pixel = |x, y| image::Rgb([u8::try_from(x % 256).unwrap_or(0), u8::try_from(y % 256).unwrap_or(0), 90]);
        let picture = DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, pixel));
        let mut octets = Vec::new();
        picture.write_to(&mut Cursor::new(&mut octets), format).expect("memory is enough");
        octets
    }

    ///
    #[test]
    fn pictures_have_their_kinds_and_sizes() {
        use ImageFormat::{Gif, Jpeg, Png};
        for (picture, width, height, format, good) in [
            (Picture::Logo, 300, 100, Png, true),
            (Picture::Logo, 301, 100, Png, false),
            (Picture::Logo, 40, 40, Gif, true),
            (Picture::Banner, 1200, 75, Jpeg, true),
            (Picture::Banner, 1200, 76, Jpeg, false),
            (Picture::Background, 1368, 768, Jpeg, true),
            (Picture::Background, 1367, 768, Jpeg, false),
            (Picture::Background, 5000, 800, Jpeg, false),
        ] {
            let made = made(picture, &drawn(width, height, format));
            assert_eq!(made.is_ok(), good, "{picture:?} {width}x{height} {format:?}: {made:?}");
            if let Ok(made) = made {
                assert_eq!((made.width, made.height), (width, height));
                let kind = if format == Jpeg { "image/jpeg" } else { "image/png" };
                assert_eq!(made.kind, kind);
                assert!(image::load_from_memory(&made.octets).is_ok());
            }
        }
        for (file, expected) in [
            (&b""[..], Unreadable::Missing),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>", Unreadable::Kind),
            (b"RIFF\0\0\0\0WEBPVP8 ", Unreadable::Kind),
            (b"%PDF-1.7", Unreadable::Kind),
            (b"\x89PNG\r\n\x1a\n", Unreadable::Damaged),
        ] {
            assert_eq!(made(Picture::Logo, file).err(), Some(expected), "{file:?}");
        }
        let long = vec![0_u8; Picture::Logo.longest() + 1];
        assert_eq!(made(Picture::Logo, &long).err(), Some(Unreadable::TooLong(1024 * 1024)));
    }

    /// what stands in the file beside the picture does not get out.
    #[test]
    fn nothing_but_pixels_is_kept() {
        let mut file = drawn(40, 40, ImageFormat::Png);
        file.extend_from_slice(b"<script>alert(document.domain)</script>");
        let made = made(Picture::Logo, &file).expect("a picture");
        assert!(!made.octets.windows(7).any(|window| window == b"<script"));
    }

    /// A small file that claims to be enormous costs nothing.
    #[test]
    fn a_bomb_is_refused_by_its_head() {
        let mut file = drawn(40, 40, ImageFormat::Png);
        // Width and height stand at 16 to 23 of the file, big-endian; the checksum after them is made anew.
        file[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let begun = std::time::Instant::now();
        assert!(made(Picture::Background, &file).is_err());
        assert!(begun.elapsed().as_secs() < 5, "it was not unpacked");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever is sent, nothing breaks.
        #[test]
        fn damaged_files_break_nothing(at in 0usize..2000, octet: u8, format in 0usize..3) {
            let format = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif][format];
            let mut file = drawn(60, 60, format);
            let at = at % file.len();
            file[at] = octet;
            let _ = made(Picture::Logo, &file);
        }
    }
}
