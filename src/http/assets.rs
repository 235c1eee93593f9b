//! Files that pages need: style, scripts, pictures. Compiled in, named by their content, cached for ever.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use data_encoding::HEXLOWER;

use super::{Fault, head};

/// One file.
struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

/// `(name, content type, content)`: one line for each file in `static/`.
const FILES: [Asset; 6] = [
    Asset {
        name: "vestibule.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/vestibule.css"),
    },
    Asset {
        name: "vestibule.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/vestibule.js"),
    },
    Asset {
        name: "submit.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/submit.js"),
    },
    Asset { name: "operator.css", kind: "text/css; charset=utf-8", bytes: include_bytes!("../../static/operator.css") },
    Asset {
        name: "operator.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/operator.js"),
    },
    Asset { name: "vestibule.svg", kind: "image/svg+xml", bytes: include_bytes!("../../static/vestibule.svg") },
];

/// The paths of the files, in their order: the first half of the content's SHA-256 makes a path change with it.
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let path = |asset: &Asset| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, asset.bytes);
        let short = HEXLOWER.encode(digest.as_ref()).chars().take(16).collect::<String>();
        format!("/static/{short}/{}", asset.name)
    };
    FILES.iter().map(path).collect()
});

/// The path of the file `name`; empty, and loud in the log, if there is none.
#[must_use]
pub fn path(name: &str) -> &'static str {
    let found = FILES.iter().zip(PATHS.iter()).find(|(asset, _)| asset.name == name);
    if found.is_none() {
        tracing::error!(name, "a page asks for a file that does not exist");
    }
    found.map_or("", |(_, path)| path.as_str())
}

/// `GET /static/…`.
///
/// # Errors
/// [`Fault::NotFound`], also for an earlier version of a file that exists.
pub async fn file(request: actix_web::HttpRequest) -> super::Answer {
    let found = FILES.iter().zip(PATHS.iter()).find(|(_, path)| path.as_str() == request.path());
    let (asset, _) = found.ok_or(Fault::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.bytes))
}

/// Registers the route.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/static/{hash}/{name}", head::readable().to(file));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_path_of_its_own() {
        for asset in &FILES {
            assert!(path(asset.name).ends_with(asset.name));
        }
        let mut paths = PATHS.clone();
        paths.dedup();
        assert_eq!(paths.len(), FILES.len());
    }
}
