//! The log: readable lines or JSON on standard error, with dotted fields and without secrets.
//!
//! Secrets cannot reach it by accident: their types do not print (T-74), queries and bodies are never logged,
//! and other people's crates may only warn, whatever level is configured: one of them could otherwise
//! write a header or a mail down.
//!
//! What may tell who somebody is stands in fields whose names begin with `person.`, and in no others; they can be left out
//! . Everything else names people by identifiers, if at all.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer, debug_fn};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// How the names of fields begin that may tell who somebody is.
const PERSONAL: &str = "person.";

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For machines: one JSON object in a line.
    Json,
}

/// A word that is no format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"text\" or \"json\"")]
pub struct NotAFormat;

impl FromStr for Format {
    type Err = NotAFormat;
    fn from_str(text: &str) -> Result<Self, NotAFormat> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NotAFormat),
        }
    }
}

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(tracing::Level);

/// A word that is no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be \"error\", \"warn\", \"info\", \"debug\" or \"trace\"")]
pub struct NotALevel;

impl FromStr for Level {
    type Err = NotALevel;
    fn from_str(text: &str) -> Result<Self, NotALevel> {
        // The library would also take numbers and capitals; one way of writing is enough.
        let known = ["error", "warn", "info", "debug", "trace"].contains(&text);
        text.parse().ok().filter(|_| known).map(Self).ok_or(NotALevel)
    }
}

/// Settings of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelemetrySettings {
    /// How lines look.
    pub format: Format,
    /// How much is written.
    pub level: Level,
    /// Whether fields that may tell who somebody is are written.
    pub personal_data: bool,
}

/// Starts the log. A second call does nothing: tests in one process share it.
pub fn start(settings: TelemetrySettings) {
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    drop(tracing::subscriber::set_global_default(lines(settings, std::io::stderr, ansi)));
}

/// Whatever writes lines of these settings to `writer`.
fn lines<W>(settings: TelemetrySettings, writer: W, ansi: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = settings.level.0.to_string().to_ascii_lowercase();
    let others = if settings.level.0 == tracing::Level::ERROR { "error" } else { "warn" };
    // A request that is no HTTP is an error to that crate; it is a stranger's, and would fill the log.
    let filter = EnvFilter::new(format!("{others},actix_http=off,vestibule={level}"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let personal = settings.personal_data;
    match settings.format {
        Format::Text => {
            let fields =
                debug_fn(move |writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| match field.name() {
                    "message" => write!(writer, "{value:?}"),
                    name if name.starts_with(PERSONAL) && !personal => Ok(()),
                    name => write!(writer, " {name}={value:?}"),
                });
            Box::new(lines.with_ansi(ansi).fmt_fields(fields).finish())
        }
        Format::Json => Box::new(lines.event_format(JsonLines { personal }).finish()),
    }
}

/// One JSON object in a line: time, level, where it is from, and the fields of the event.
struct JsonLines {
    personal: bool,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields { personal: self.personal, found: Map::new() };
        event.record(&mut fields);
        let mut line = fields.found;
        line.insert("timestamp".to_owned(), time.into());
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Gathers the fields of an event.
struct Fields {
    personal: bool,
    found: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        if self.personal || !field.name().starts_with(PERSONAL) {
            self.found.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CorrelationId;
    use crate::http::page::Frame;
    use crate::i18n::{self, Language, Texts};
    use crate::mail::render::ours_for;
    use crate::urls::Urls;

    #[test]
    fn words_of_the_configuration_are_exact() {
        assert_eq!("json".parse(), Ok(Format::Json));
        assert_eq!("JSON".parse::<Format>(), Err(NotAFormat));
        assert!("info".parse::<Level>().is_ok());
        assert!("INFO".parse::<Level>().is_err() && "3".parse::<Level>().is_err());
    }

    /// What was written, for whoever looks.
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics here").extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged while `work` is done.
    fn logged(format: Format, level: &str, personal_data: bool, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let settings = TelemetrySettings { format, level: level.parse().expect("a level"), personal_data };
        let writer = kept.clone();
        tracing::subscriber::with_default(lines(settings, move || writer.clone(), false), work);
        String::from_utf8(kept.0.lock().expect("nobody panics here").clone()).expect("text")
    }

    fn written(format: Format, level: &str, personal_data: bool) -> String {
        logged(format, level, personal_data, || {
            tracing::warn!(tries = 3, person.answer = "550 <ada@acme.test>", "a mail is given up");
            tracing::debug!(rows = 7, "expired rows were removed");
            tracing::warn!(target: "somebody_else", "of another crate");
            tracing::info!(target: "somebody_else", "too much of another crate");
        })
    }

    /// a text that does not exist is an error in the log; neither our own words, as operators see them, nor the frame of a
    /// page without a title ask for one.
    #[test]
    fn nobody_asks_for_a_text_that_does_not_exist() {
        let texts = Texts::default();
        let urls = Urls::new(&"https://login.example.com".parse().expect("an address"));
        let log = logged(Format::Text, "error", false, || {
            for slot in i18n::slot_names().filter_map(|name| i18n::slot(&name)) {
                for language in Language::ALL {
                    drop(ours_for(&texts, &urls, &slot, language));
                }
            }
            drop(Frame::bare(&texts, Language::English, "", CorrelationId::from_bits(1)));
        });
        assert_eq!(log, "");
        let log = logged(Format::Text, "error", false, || drop(texts.plain(Language::English, "no-such-text", &[])));
        assert!(log.contains("a text does not exist key=\"no-such-text\""), "{log}");
    }

    /// structured, with levels; what may tell who somebody is stands in fields of its own and can be left out.
    #[test]
    fn the_log_has_levels_and_personal_fields_that_can_be_left_out() {
        let text = written(Format::Text, "info", true);
        assert!(text.contains("a mail is given up tries=3 person.answer=\"550 <ada@acme.test>\""), "{text}");
        assert!(!text.contains("expired rows") && text.contains("of another crate"), "{text}");
        let quiet = written(Format::Text, "debug", false);
        assert!(
            quiet.contains("a mail is given up tries=3") && !quiet.contains("ada") && !quiet.contains("person."),
            "{quiet}"
        );
        assert!(quiet.contains("expired rows") && !quiet.contains("too much"), "{quiet}");
        let json = written(Format::Json, "info", true);
        let line: Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
        assert_eq!(
            (&line["level"], &line["message"], &line["tries"]),
            (&"WARN".into(), &"a mail is given up".into(), &3.into())
        );
        assert_eq!(line["person.answer"], "550 <ada@acme.test>");
        assert!(line["timestamp"].is_string() && line["target"] == "vestibule::telemetry::tests", "{line}");
        let quiet = written(Format::Json, "info", false);
        assert!(!quiet.contains("person.") && !quiet.contains("ada@") && quiet.lines().count() == 2, "{quiet}");
    }
}
