//! Tables as files: CSV, safe for spreadsheets (T-73), or JSON. They are written while they are read, so that a million rows
//! take no more memory than ten, and others are served between two pages.

use std::collections::BTreeMap;
use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use futures_util::stream::try_unfold;

use crate::exchange::csv::Written;
use crate::storage;

/// What a table is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For spreadsheets.
    Csv,
    /// A list of objects, for programs.
    Json,
}

/// The media types of [`Kind`].
pub const KINDS: &[&str] = &["text/csv", "application/json"];

impl Kind {
    /// The kind that an address names.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Some rows of a table, and where it goes on.
pub type Rows = (Vec<Vec<String>>, Option<String>);

fn head(kind: Kind, name: &str) -> actix_web::HttpResponseBuilder {
    let media = match kind {
        Kind::Csv => "text/csv; charset=utf-8; header=present",
        Kind::Json => "application/json",
    };
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, media));
    let disposition = format!("attachment; filename=\"{name}.{}\"", kind.ending());
    answer.insert_header((CONTENT_DISPOSITION, disposition));
    answer
}

/// A part of the text of a table.
struct Part {
    /// Whether nothing was written before it.
    first: bool,
    /// Whether a row was written before it.
    after_row: bool,
    /// Whether nothing comes after it.
    last: bool,
}

fn text(kind: Kind, columns: &[&str], rows: &[Vec<String>], part: &Part) -> String {
    match kind {
        Kind::Csv => {
            let mut table = if part.first { Written::new(columns) } else { Written::more() };
            for row in rows {
                table.row(row.iter().map(String::as_str));
            }
            table.text()
        }
        Kind::Json => {
            let mut text = String::from(if part.first { "[" } else { "" });
            let mut comma = part.after_row;
            for row in rows {
                let object: BTreeMap<&str, &String> = columns.iter().copied().zip(row).collect();
                text.push_str(if comma { ",\n" } else { "" });
                text.push_str(&serde_json::to_string(&object).unwrap_or_default());
                comma = true;
            }
            text.push_str(if part.last { "]" } else { "" });
            text
        }
    }
}

/// A table that is there.
#[must_use]
pub fn whole(kind: Kind, name: &str, columns: &[&str], rows: &[Vec<String>]) -> HttpResponse {
    head(kind, name).body(text(kind, columns, rows, &Part { first: true, after_row: false, last: true }))
}

/// A table that is read page by page: `page` gives the rows after a place. If the database fails in between, the file breaks off,
/// and whoever loads it sees that.
pub fn streamed<F, Answer>(kind: Kind, name: &str, columns: &'static [&'static str], page: F) -> HttpResponse
where
    F: Fn(Option<String>) -> Answer + 'static,
    Answer: Future<Output = storage::Result<Rows>> + 'static,
{
    struct Place {
        after: Option<String>,
        first: bool,
        after_row: bool,
    }
    let page = Rc::new(page);
    let begin = Place { after: None, first: true, after_row: false };
    let stream = try_unfold(Some(begin), move |place| {
        let page = Rc::clone(&page);
        async move {
            let Some(Place { after, first, after_row }) = place else { return Ok(None) };
            let read = page(after).await;
            let (rows, next) = read.inspect_err(|error| tracing::warn!(%error, "a file breaks off"))?;
            let written = text(kind, columns, &rows, &Part { first, after_row, last: next.is_none() });
            let then =
                next.map(|next| Place { after: Some(next), first: false, after_row: after_row || !rows.is_empty() });
            tokio::task::yield_now().await;
            Ok::<_, storage::Error>(Some((Bytes::from(written), then)))
        }
    });
    head(kind, name).streaming(stream)
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    const COLUMNS: &[&str] = &["name", "number"];

    async fn read(kind: Kind, pages: Vec<Vec<Vec<String>>>) -> String {
        let answer = streamed(kind, "t", COLUMNS, move |after| {
            let at = after.map_or(0, |after| after.parse::<usize>().unwrap_or(0));
            let rows = pages.get(at).cloned().unwrap_or_default();
            let next = (at + 1 < pages.len()).then(|| (at + 1).to_string());
            async move { Ok((rows, next)) }
        });
        String::from_utf8(to_bytes(answer.into_body()).await.unwrap_or_default().to_vec()).unwrap_or_default()
    }

    /// T-73: however a table is cut into pages, the file is the same, and no cell of it is a formula.
    #[actix_web::test]
    async fn pages_are_one_file() {
        let row = |name: &str, number: &str| vec![name.to_owned(), number.to_owned()];
        let (a, b) = (row("=1+1", "1"), row("b", "2"));
        for pages in [vec![vec![a.clone(), b.clone()]], vec![vec![], vec![a.clone()], vec![], vec![b.clone()], vec![]]]
        {
            assert_eq!(read(Kind::Csv, pages.clone()).await, "name,number\n'=1+1,1\nb,2\n");
            let json: serde_json::Value = serde_json::from_str(&read(Kind::Json, pages).await).expect("JSON");
            assert_eq!(json, serde_json::json!([{ "name": "=1+1", "number": "1" }, { "name": "b", "number": "2" }]));
        }
        assert_eq!(read(Kind::Json, vec![vec![]]).await, "[]");
    }
}
