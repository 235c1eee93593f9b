//! TOML as people type it: read so that every fault is found in one go, each with its place.
//!
//! A deserializer stops at the first fault. Here the entry that it names is taken out and the rest is read
//! again, until nothing is left to complain about; so an operator mends a file once, not once per fault.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// More faults than this are not worth reading.
const MOST: usize = 100;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File and line, or the environment variable.
    pub place: String,
    /// The key, such as `http.listen`; empty for a fault of the file as a whole.
    pub key: String,
    /// What is wrong with it, and what is allowed.
    pub words: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.words),
            key => write!(f, "{}: {key}: {}", self.place, self.words),
        }
    }
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Where a stretch of the document came from.
#[derive(Debug)]
struct Source<'a> {
    name: String,
    start: usize,
    /// The text, to count lines in; none for an environment variable, which has no lines.
    text: Option<&'a str>,
}

/// A document, possibly put together from several sources, with the faults found so far.
#[derive(Debug)]
pub struct Document<'a> {
    table: DeTable<'a>,
    sources: Vec<Source<'a>>,
    end: usize,
    /// With the offset of each, to report them in the order in which they stand.
    faults: Vec<(usize, Fault)>,
}

impl<'a> Document<'a> {
    /// Reads `text`, which faults call `name`.
    #[must_use]
    pub fn parse(name: &str, text: &'a str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let source = Source { name: name.to_owned(), start: 0, text: Some(text) };
        let mut document =
            Self { table: table.into_inner(), sources: vec![source], end: text.len() + 1, faults: Vec::new() };
        for error in errors.into_iter().take(MOST) {
            let start = error.span().map_or(0, |span| span.start);
            document.push(start, "", error.message().replace('\n', "; "));
        }
        document
    }

    /// Lays `upper` over this document, key by key in each section. Later faults name the source they are in.
    pub fn overlay(&mut self, upper: Document<'a>) {
        let by = self.end;
        for (section, entries) in shifted(upper.table, by) {
            match (self.table.get_mut(section.get_ref().as_ref()).map(Spanned::get_mut), entries.into_inner()) {
                (Some(DeValue::Table(lower)), DeValue::Table(upper)) => {
                    for (key, value) in upper {
                        // The key is replaced too: it carries the place that faults name.
                        lower.remove(key.get_ref().as_ref());
                        lower.insert(key, value);
                    }
                }
                (_, entries) => {
                    let span = section.span();
                    self.table.insert(section, Spanned::new(span, entries));
                }
            }
        }
        self.sources.extend(upper.sources.into_iter().map(|source| Source { start: source.start + by, ..source }));
        self.end += upper.end;
        self.faults.extend(upper.faults.into_iter().map(|(offset, fault)| (offset + by, fault)));
    }

    /// Lays one environment variable over this document: `section.key = value`.
    pub fn overlay_variable(&mut self, name: &str, section: String, key: String, value: DeValue<'a>) {
        let span = self.end..self.end + 1;
        self.sources.push(Source { name: format!("environment variable {name}"), start: span.start, text: None });
        self.end += 1;
        let entry: (Spanned<DeString<'a>>, _) =
            (Spanned::new(span.clone(), key.into()), Spanned::new(span.clone(), value));
        match self.table.get_mut(section.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(entries)) => {
                entries.remove(entry.0.get_ref().as_ref());
                entries.insert(entry.0, entry.1);
            }
            _ => {
                let table = DeValue::Table(std::iter::once(entry).collect());
                self.table.insert(Spanned::new(span.clone(), section.into()), Spanned::new(span, table));
            }
        }
    }

    /// The value at `path`, such as `http.listen` or `tenant[0].user[2].email`.
    #[must_use]
    pub fn value(&self, path: &str) -> Option<&DeValue<'a>> {
        self.entry(path).map(|(value, _)| value.get_ref())
    }

    /// Reads the document as a `T`. What does not fit is left out and becomes a fault, so the value is for
    /// finding more faults until [`Document::finish`] says that there are none.
    pub fn read<T: Deserialize<'a> + Default>(&mut self) -> T {
        let mut table = self.table.clone();
        while self.faults.len() < MOST {
            let whole = Spanned::new(0..self.end, table.clone());
            let error = match T::deserialize(toml::Deserializer::from(whole)) {
                Ok(value) => return value,
                Err(error) => error,
            };
            let span = error.span().unwrap_or(0..0);
            let removed = remove(&mut table, &span);
            self.push(span.start, removed.as_deref().unwrap_or_default(), error.message().replace('\n', "; "));
            if removed.is_none() {
                break;
            }
        }
        T::default()
    }

    /// Adds what is wrong with the part at `place`.
    pub fn faults(&mut self, place: &str, faults: impl IntoIterator<Item = crate::domain::fault::Fault>) {
        for fault in faults {
            self.fault(&format!("{place}.{}", fault.key), fault.words);
        }
    }

    /// Notes that the value at `path` is wrong.
    pub fn fault(&mut self, path: &str, words: impl Into<String>) {
        let start = self.entry(path).map(|(_, start)| start).or_else(|| {
            // A key that is missing is reported at the table that should have it.
            let (parent, _) = path.rsplit_once('.')?;
            self.entry(parent).map(|(_, start)| start)
        });
        self.push(start.unwrap_or(self.end), path, words.into());
    }

    /// Says whether nothing was wrong.
    ///
    /// # Errors
    /// Everything that was wrong, in the order of the document.
    pub fn finish(mut self) -> Result<(), Faults> {
        self.faults.sort_by_key(|(offset, _)| *offset);
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Faults(self.faults.into_iter().map(|(_, fault)| fault).collect()))
        }
    }

    fn push(&mut self, offset: usize, path: &str, words: String) {
        let fault = Fault { place: self.place(offset), key: shown(path), words };
        if !self.faults.iter().any(|(_, known)| *known == fault) {
            self.faults.push((offset, fault));
        }
    }

    fn place(&self, offset: usize) -> String {
        let Some(source) = self.sources.iter().rev().find(|source| source.start <= offset) else {
            return String::new();
        };
        let Some(text) = source.text else { return source.name.clone() };
        let before = text.as_bytes().iter().take(offset - source.start);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        format!("{}, line {line}", source.name)
    }

    /// The value at `path` and where its key stands.
    fn entry(&self, path: &str) -> Option<(&Spanned<DeValue<'a>>, usize)> {
        let mut found: Option<(&Spanned<DeValue<'a>>, usize)> = None;
        for step in path.split('.') {
            let (name, index) = match step.split_once('[') {
                Some((name, rest)) => (name, Some(rest.trim_end_matches(']').parse::<usize>().ok()?)),
                None => (step, None),
            };
            let table = found.map_or(Some(&self.table), |(value, _)| value.get_ref().as_table())?;
            let (key, mut value) = table.get_key_value(name)?;
            let mut start = key.span().start;
            if let Some(index) = index {
                value = value.get_ref().as_array()?.get(index)?;
                start = value.span().start;
            }
            found = Some((value, start));
        }
        found
    }
}

/// A path as people read it: without the numbers of list entries, which the line tells better.
fn shown(path: &str) -> String {
    path.split('.').map(|step| step.split('[').next().unwrap_or(step)).collect::<Vec<_>>().join(".")
}

/// `table` with every span moved by `by`.
fn shifted<'a>(table: DeTable<'a>, by: usize) -> DeTable<'a> {
    let moved = |span: Range<usize>| span.start + by..span.end + by;
    table
        .into_iter()
        .map(|(key, value)| {
            let key_span = moved(key.span());
            let value_span = moved(value.span());
            let inner = match value.into_inner() {
                DeValue::Table(inner) => DeValue::Table(shifted(inner, by)),
                // Faults inside a list are reported with the list's own place.
                other => other,
            };
            (Spanned::new(key_span, key.into_inner()), Spanned::new(value_span, inner))
        })
        .collect()
}

/// Takes the innermost entry that `span` is in out of `table`. Says its path.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let holds = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end && outer.start < outer.end;
    let names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
    for name in &names {
        let inner = match table.get_mut(name.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => remove(inner, span).map(|path| format!("{name}.{path}")),
            Some(DeValue::Array(list)) => {
                list.iter_mut().enumerate().find_map(|(index, entry)| match entry.get_mut() {
                    DeValue::Table(inner) => remove(inner, span).map(|path| format!("{name}[{index}].{path}")),
                    _ => None,
                })
            }
            _ => None,
        };
        if inner.is_some() {
            return inner;
        }
    }
    let found = table.iter().find(|(key, value)| holds(&key.span()) || holds(&value.span()));
    let name = found.map(|(key, _)| key.get_ref().to_string())?;
    table.remove(name.as_str());
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Typed {
        http: Http,
        item: Vec<Http>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Http {
        port: u16,
        names: Vec<String>,
    }

    fn faults(text: &str) -> Vec<String> {
        let mut document = Document::parse("a.toml", text);
        let _: Typed = document.read();
        document.finish().err().map(|faults| faults.0.iter().map(Fault::to_string).collect()).unwrap_or_default()
    }

    /// all faults at once, each with key, line and what is allowed.
    ///
    #[test]
    fn every_fault_is_found_in_one_go() {
        let found =
            faults("[http]\nport = \"x\"\nprot = 1\nnames = [1]\n[[item]]\nport = 1\n[[item]]\nport = 70000\n[oops]\n");
        assert_eq!(found.len(), 5, "{found:#?}");
        for expected in [
            "a.toml, line 2: http.port: invalid type: string \"x\", expected u16",
            "a.toml, line 3: http.prot: unknown field `prot`, expected `port` or `names`",
            "a.toml, line 4: http.names: invalid type: integer `1`, expected a string",
            "a.toml, line 9: oops: unknown field `oops`, expected `http` or `item`",
        ] {
            assert!(found.iter().any(|fault| fault == expected), "{expected}: {found:#?}");
        }
        assert!(found.iter().any(|fault| fault.starts_with("a.toml, line 8: item.port: ")), "{found:#?}");
        assert!(faults("[http]\nport = 1\n").is_empty());
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let found = faults("[http]\nport = = 1\n");
        assert!(found.iter().any(|fault| fault.starts_with("a.toml, line 2: ")), "{found:#?}");
    }

    #[test]
    fn a_fault_of_ours_names_line_or_variable() {
        let mut document = Document::parse("default", "[http]\nport = 1\nnames = []\n");
        document.overlay(Document::parse("b.toml", "# mine\n[http]\nport = 2\n"));
        document.overlay_variable("VESTIBULE__HTTP__NAMES", "http".into(), "names".into(), DeValue::String("x".into()));
        document.fault("http.port", "is odd");
        document.fault("http.names", "is odd");
        document.fault("http.missing", "is missing");
        let faults = document.finish().expect_err("three");
        assert_eq!(
            faults.to_string(),
            "default, line 1: http.missing: is missing\nb.toml, line 3: http.port: is odd\n\
             environment variable VESTIBULE__HTTP__NAMES: http.names: is odd"
        );
    }
}
