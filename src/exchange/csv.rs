//! Tables with a head (RFC 4180): reading those of others, and writing such that no spreadsheet calculates with what
//! strangers chose (T-73).

use std::borrow::Cow;

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::{Spot, Unreadable};

/// The largest file, in octets: two million lines of a list of people.
pub const LARGEST: usize = 256 * 1024 * 1024;
/// The longest field, in octets.
const LONGEST_FIELD: usize = 4096;
/// The most columns.
const MOST_COLUMNS: usize = 100;
/// The longest line, in octets.
const LONGEST_LINE: usize = 256 * 1024;

/// A column that a kind of table may have, with the other names by which it goes.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Our name.
    pub name: &'static str,
    /// Other people's names, in small letters, words joined by `_`.
    pub others: &'static [&'static str],
}

/// A table that was read.
#[derive(Debug)]
pub struct Table {
    /// Names of the columns, as [`folded`].
    head: Vec<String>,
    rows: Vec<Row>,
}

/// One line of a table.
#[derive(Debug)]
pub struct Row {
    /// Where it stands.
    pub spot: Spot,
    /// All fields, one behind the other.
    text: String,
    /// Where each ends.
    ends: Box<[usize]>,
    fault: Option<&'static str>,
}

/// A name of a column as it is compared: small letters, words joined by `_`.
#[must_use]
pub fn folded(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || matches!(c, '_' | '-' | '.')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_lowercase()
}

impl Table {
    /// Reads a table whose first line names the columns. Commas, semicolons or tabs stand between the fields, whichever
    /// the first line has most of; the text is UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    /// If it is too large, is not UTF-8, has no head, or has a column twice.
    pub fn read(octets: &[u8]) -> Result<Self, Unreadable> {
        let table = Self::without_head(octets)?;
        let Table { mut rows, .. } = table;
        if rows.is_empty() {
            return Err(Unreadable("the file is empty; its first line must name the columns".to_owned()));
        }
        let first = rows.remove(0);
        let head: Vec<String> = first.cells().map(folded).collect();
        for (at, name) in head.iter().enumerate() {
            if head.iter().take(at).any(|other| other == name) {
                return Err(Unreadable(format!("the column \"{name}\" is there twice")));
            }
        }
        let columns = head.len();
        for row in &mut rows {
            if row.len() != columns && row.fault.is_none() {
                row.fault = Some("has another number of fields than the first line");
            }
        }
        Ok(Self { head, rows })
    }

    /// Reads a table without names of columns.
    ///
    /// # Errors
    /// If it is too large, is not UTF-8 or has far too many columns.
    pub fn without_head(octets: &[u8]) -> Result<Self, Unreadable> {
        if octets.len() > LARGEST {
            return Err(Unreadable(format!("the file is larger than {} MiB; split it", LARGEST / 1024 / 1024)));
        }
        let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
        if let Err(error) = std::str::from_utf8(octets) {
            let before = octets.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|octet| *octet == b'\n').count();
            return Err(Unreadable(format!("line {line} is not UTF-8; save the file as \"CSV UTF-8\"")));
        }
        let mut reader = ReaderBuilder::new().delimiter(delimiter(octets)).build();
        let mut rows = Vec::new();
        let (mut fields, mut ends) = (vec![0; LONGEST_LINE], vec![0; MOST_COLUMNS]);
        let (mut rest, mut line) = (octets, 1);
        loop {
            // Where the record begins, behind what ended the one before and empty lines.
            let empty = rest.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
            line += lines_in(rest.get(..empty).unwrap_or_default());
            rest = rest.get(empty..).unwrap_or_default();
            let (done, read, written, count) = reader.read_record(rest, &mut fields, &mut ends);
            // At the end of the file, the last record is closed by an empty input.
            let (done, written, count) = match done {
                ReadRecordResult::InputEmpty => {
                    let open = (fields.get_mut(written..), ends.get_mut(count..));
                    let (Some(fields), Some(ends)) = open else { return Err(Unreadable(too_long(line))) };
                    let (done, _, more, others) = reader.read_record(&[], fields, ends);
                    (done, written + more, count + others)
                }
                done => (done, written, count),
            };
            match done {
                ReadRecordResult::Record => {}
                ReadRecordResult::End => break,
                ReadRecordResult::OutputEndsFull => {
                    return Err(Unreadable(format!("line {line} has more than {MOST_COLUMNS} columns")));
                }
                ReadRecordResult::OutputFull | ReadRecordResult::InputEmpty => return Err(Unreadable(too_long(line))),
            }
            let (text, ends) = (fields.get(..written).unwrap_or_default(), ends.get(..count).unwrap_or_default());
            // Fields are cut at ASCII characters out of what is UTF-8.
            let text = String::from_utf8(text.to_vec()).map_err(|_| Unreadable(format!("line {line} is not UTF-8")))?;
            let row = Row { spot: Spot::Line(line), text, ends: ends.into(), fault: None };
            // What a spreadsheet leaves of lines that somebody emptied.
            if row.cells().any(|cell| !cell.is_empty()) {
                let fault = row.cells().find_map(fault_of);
                rows.push(Row { fault, ..row });
            }
            line += lines_in(rest.get(..read).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
        }
        Ok(Self { head: Vec::new(), rows })
    }

    /// The lines behind the head.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The number of the column that is known by this name, or one of its others.
    #[must_use]
    pub fn column(&self, column: Column) -> Option<usize> {
        let known = |name: &String| name == column.name || column.others.contains(&name.as_str());
        self.head.iter().position(known)
    }

    /// The number of the column with exactly this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<usize> {
        let name = folded(name);
        self.head.iter().position(|known| *known == name)
    }

    /// The names of columns that are none of `columns`.
    #[must_use]
    pub fn unknown(&self, columns: &[Column]) -> Vec<&str> {
        let known = |name: &str| columns.iter().any(|it| it.name == name || it.others.contains(&name));
        self.head.iter().map(String::as_str).filter(|name| !known(name)).collect()
    }
}

impl Row {
    /// What stands in the column with this number; nothing if there is no such column or it is empty. What [`safe`] put in
    /// front is taken away.
    #[must_use]
    pub fn cell(&self, column: Option<usize>) -> Option<&str> {
        let column = column?;
        let begin = if column == 0 { 0 } else { *self.ends.get(column - 1)? };
        let cell = self.text.get(begin..*self.ends.get(column)?)?;
        // What was put in front stands at the very beginning.
        Some(plain(cell).trim()).filter(|cell| !cell.is_empty())
    }

    /// Its fields, blanks around them left out.
    fn cells(&self) -> impl Iterator<Item = &str> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(self.ends.iter()).map(|(begin, end)| self.text.get(begin..*end).unwrap_or_default().trim())
    }

    /// How many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What is wrong with the line as such.
    #[must_use]
    pub const fn fault(&self) -> Option<&'static str> {
        self.fault
    }
}

fn lines_in(octets: &[u8]) -> u64 {
    octets.iter().filter(|octet| **octet == b'\n').map(|_| 1).sum()
}

fn too_long(line: u64) -> String {
    format!("line {line} is longer than {} KiB; is a quotation mark missing?", LONGEST_LINE / 1024)
}

/// What is wrong with a field whatever stands in its column.
fn fault_of(cell: &str) -> Option<&'static str> {
    if cell.len() > LONGEST_FIELD {
        Some("has a field of more than 4096 octets")
    } else if cell.contains('\0') {
        Some("has a field with a NUL character")
    } else {
        None
    }
}

/// What stands between the fields, judged by the first line.
fn delimiter(octets: &[u8]) -> u8 {
    let line = octets.split(|octet| matches!(octet, b'\n' | b'\r')).next().unwrap_or_default();
    let count = |mark: u8| line.iter().filter(|octet| **octet == mark).count();
    // The first of the most frequent: a comma wherever there is a choice.
    let mut best = b',';
    for mark in [b';', b'\t'] {
        if count(mark) > count(best) {
            best = mark;
        }
    }
    best
}

/// Whether a spreadsheet would take the text for something to calculate (T-73): it begins with a sign of a formula, also
/// in full width and behind blanks, or with a character that ends a field for some.
fn is_risky(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n', '\0'])
        || text.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

/// The text as it may stand in a table that a spreadsheet opens: with an apostrophe in front, which says "text" there,
/// where it would be a formula otherwise. [`plain`] gives the text back.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    if is_risky(text) || text.strip_prefix('\'').is_some_and(|rest| is_risky(rest) || rest.starts_with('\'')) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What was made [`safe`], as it was.
#[must_use]
pub fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_risky(rest) || rest.starts_with('\'') => rest,
        _ => cell,
    }
}

/// Writes a table, every field [`safe`].
#[derive(Debug)]
pub struct Written(String);

impl Written {
    /// A table with these columns.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.row(head.iter().copied());
        table
    }

    /// More lines of a table whose head was written before.
    #[must_use]
    pub const fn more() -> Self {
        Self(String::new())
    }

    /// One more line.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            let cell = safe(cell);
            if cell.contains([',', ';', '"', '\n', '\r', '\t']) || cell.trim() != cell {
                self.0.push('"');
                self.0.push_str(&cell.replace('"', "\"\""));
                self.0.push('"');
            } else {
                self.0.push_str(&cell);
            }
        }
        self.0.push('\n');
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        for text in [
            "User Name,E-Mail\r\nada,a@b.c\r\n\r\nbob,\"x,\"\"y\"\"\"\r\n",
            "\u{feff}user_name;e_mail\nada;a@b.c\n;\nbob;\"x,\"\"y\"\"\"",
        ] {
            let table = Table::read(text.as_bytes()).expect("a table");
            let (user, mail) = (table.named("user-name"), table.column(Column { name: "email", others: &["e_mail"] }));
            assert!(user.is_some() && mail.is_some());
            let cells: Vec<_> = table.rows().iter().map(|row| (row.spot, row.cell(user), row.cell(mail))).collect();
            let [(first, Some("ada"), Some("a@b.c")), (Spot::Line(4), Some("bob"), Some("x,\"y\""))] = cells[..] else {
                panic!("{cells:?}")
            };
            assert_eq!(first, Spot::Line(2));
        }
    }

    #[test]
    fn what_is_no_table_is_told() {
        let wrong = |octets: &[u8]| Table::read(octets).expect_err("is none").0;
        assert!(wrong(b"").contains("empty"));
        assert!(wrong(b"a,b\nc,\xff\n").contains("line 2 is not UTF-8"));
        assert!(wrong(b"a,A\n1,2").contains("twice"));
        assert!(wrong(&b"a,".repeat(101)).contains("100 columns"));
        let table = Table::read(b"a,b\n1\n1,2,3\n").expect("a table");
        assert!(table.rows().iter().all(|row| row.fault().is_some_and(|words| words.contains("number of fields"))));
        let long = format!("a\n{}\n", "x".repeat(5000));
        assert!(Table::read(long.as_bytes()).expect("a table").rows()[0].fault().is_some());
    }

    /// T-73, AC-52.
    #[test]
    fn formulas_are_text() {
        for (text, cell) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\n=1", "'\n=1"),
            ("\0", "'\0"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("\u{ff20}x", "'\u{ff20}x"),
            ("  =1", "'  =1"),
            ("'=1", "''=1"),
            ("ada", "ada"),
            ("'ada", "'ada"),
            ("", ""),
        ] {
            assert_eq!(safe(text), cell, "{text:?}");
            assert_eq!(plain(cell), text, "{text:?}");
        }
        let mut written = Written::new(&["user"]);
        written.row(["=cmd|' /C calc'!A0"]);
        written.row(["a,\"b\"\nc"]);
        assert_eq!(written.text(), "user\n'=cmd|' /C calc'!A0\n\"a,\"\"b\"\"\nc\"\n");
    }

    proptest! {
        /// T-73: whatever stands in a table is no formula in a spreadsheet, and comes back as it was.
        #[test]
        fn what_is_written_is_read_again(text in "\\PC{0,40}", sign in "['=+@\u{ff1d} -]{0,3}") {
            let text = format!("{sign}{text}");
            let cell = safe(&text);
            prop_assert!(!is_risky(&cell));
            prop_assert_eq!(plain(&cell), text.as_str());
            let mut written = Written::new(&["name", "other"]);
            written.row([text.as_str(), "x"]);
            let table = Table::read(written.text().as_bytes()).expect("a table");
            let row = &table.rows()[0];
            // Blanks around a field are not part of it.
            prop_assert_eq!(row.cell(table.named("name")).unwrap_or_default().trim(), text.trim());
        }

        /// Whatever is read, nothing breaks.
        #[test]
        fn anything_may_be_tried(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(table) = Table::read(&octets) {
                for row in table.rows() {
                    let _ = row.cell(Some(0));
                }
            }
        }
    }
}
