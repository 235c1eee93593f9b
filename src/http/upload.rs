//! Forms with a file (RFC 7578): read as strictly as they are written by browsers.

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;

use super::{Fault, Form};

/// The longest form with its file, in octets: some hundred thousand lines of a list of people.
pub const LONGEST: usize = 32 * 1024 * 1024;
/// The most parts.
const MOST_PARTS: usize = 100;

/// A form that may bring a file.
#[derive(Debug)]
pub struct Upload {
    /// Its other fields.
    pub form: Form,
    /// The contents of the file; empty if none was chosen.
    pub file: Vec<u8>,
    /// What the file is called by whoever sent it; for people only.
    pub file_name: String,
}

impl FromRequest for Upload {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let payload = web::Payload::from_request(request, payload).into_inner();
        Box::pin(async move {
            let body = whole(payload.map_err(|_| Fault::NotAForm)?).await?;
            match boundary(&kind) {
                Some(boundary) => read(&body, &boundary).ok_or(Fault::NotAForm),
                // A form without a file, or no form at all: then it lacks what a page of ours would have put into it.
                None => Ok(Self { form: Form::parse(&body), file: Vec::new(), file_name: String::new() }),
            }
        })
    }
}

/// A body as a whole, if it is not longer than [`LONGEST`].
///
/// # Errors
/// [`Fault::TooLarge`], or [`Fault::NotAForm`] if it breaks off.
pub async fn whole(mut payload: web::Payload) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Fault::NotAForm)?;
        if body.len() + chunk.len() > LONGEST {
            return Err(Fault::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The boundary that a `Content-Type` names.
fn boundary(kind: &str) -> Option<String> {
    let (kind, parameters) = kind.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|one| {
        let (name, value) = one.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
    })?;
    // RFC 2046 5.1.1.
    (1..=70).contains(&value.len()).then_some(value)
}

/// Reads the parts; `None` if they are not written as they must be.
fn read(body: &[u8], boundary: &str) -> Option<Upload> {
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(delimiter.get(2..)?.as_bytes())?;
    let (mut fields, mut file, mut file_name) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..MOST_PARTS {
        if rest.starts_with(b"--") {
            return Some(Upload { form: Form::of(fields), file, file_name });
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let head_ends = find(rest, b"\r\n\r\n")?;
        let (head, after) = (rest.get(..head_ends)?, rest.get(head_ends + 4..)?);
        let ends = find(after, delimiter.as_bytes())?;
        let content = after.get(..ends)?;
        rest = after.get(ends + delimiter.len()..)?;
        let (name, file_part) = disposition(std::str::from_utf8(head).ok()?)?;
        match file_part {
            Some(called) => {
                file = content.to_vec();
                file_name = called;
            }
            None => fields.push((name, String::from_utf8(content.to_vec()).ok()?)),
        }
    }
    None
}

/// Name and file name of a part.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let parameter = |wanted: &str| {
        let start = line.find(&format!("; {wanted}=\""))? + wanted.len() + 4;
        let value = line.get(start..)?.split('"').next()?;
        // Browsers write these three so (HTML, multipart/form-data encoding algorithm).
        Some(value.replace("%22", "\"").replace("%0D", "").replace("%0A", ""))
    };
    let called = parameter("filename").map(|name| name.chars().filter(|c| !c.is_control()).take(200).collect());
    Some((parameter("name")?, called))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = "--X\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n--X\r\nContent-Disposition: \
        form-data; name=\"file\"; filename=\"p.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n1,2\r\n\r\n--X--\r\n";

    /// RFC 7578.
    #[test]
    fn a_file_and_its_fields_are_read() {
        let read = read(BODY.as_bytes(), "X").expect("a form");
        assert_eq!(
            (read.form.text("csrf"), read.file.as_slice(), read.file_name.as_str()),
            ("abc", b"a,b\r\n1,2\r\n".as_slice(), "p.csv")
        );
        assert_eq!(boundary("multipart/form-data; boundary=X").as_deref(), Some("X"));
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").as_deref(), Some("a b"));
        for bad in [
            "multipart/form-data",
            "multipart/mixed; boundary=X",
            "text/plain; boundary=X",
            "multipart/form-data; boundary=",
        ] {
            assert_eq!(boundary(bad), None, "{bad}");
        }
        for cut in 1..BODY.len() - 4 {
            assert!(super::read(&BODY.as_bytes()[..cut], "X").is_none(), "{cut}");
        }
    }

    proptest! {
        /// Whatever is sent, nothing breaks.
        #[test]
        fn anything_may_be_sent(body in "(--X|\r\n|Content-Disposition: form-data; name=\"|\"|a|; filename=\"|:){0,40}") {
            let _ = read(body.as_bytes(), "X");
        }
    }
}
