//! Charts, drawn on the server: bars as SVG that says what it shows, without scripts and styles of its own. A table with the same
//! numbers stands beside each: a picture alone tells nothing to whoever does not see it.
//!
//! A page has `charts: Vec<Chart>` and its template `{% for chart in charts %}{% include "operator/chart.html" %}{% endfor %}`.

/// Width of the drawing, in units of SVG; it is scaled to the page.
const WIDTH: f64 = 720.0;
/// Height of a drawing with upright bars.
const HEIGHT: f64 = 220.0;
/// Room for the numbers at the left, and for the names below.
const LEFT: f64 = 52.0;
/// See [`LEFT`].
const BELOW: f64 = 26.0;
/// Room for the names of lying bars.
const NAMES: f64 = 190.0;
/// Height of a lying bar with its room.
const ROW: f64 = 30.0;

/// A bar, or a part of a stacked one.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Left.
    pub x: String,
    /// Top.
    pub y: String,
    /// Width.
    pub width: String,
    /// Height.
    pub height: String,
    /// Which series, from 0: its colour.
    pub series: usize,
    /// What it stands for, told when it is pointed at.
    pub told: String,
}

/// A text beside the bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Left, or where it ends or has its middle, as `anchor` says.
    pub x: String,
    /// The base line.
    pub y: String,
    /// `start`, `middle` or `end`.
    pub anchor: &'static str,
    /// The text.
    pub text: String,
}

/// A chart with its table.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Its identifier on the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// The same in a sentence, with the numbers that matter.
    pub summary: String,
    /// Height of the drawing.
    pub height: String,
    /// The bars.
    pub bars: Vec<Bar>,
    /// Lines across, by their height.
    pub lines: Vec<String>,
    /// Numbers and names.
    pub marks: Vec<Mark>,
    /// The names of the series, in the order of their colours.
    pub legend: Vec<String>,
    /// The head of the table: what a row is, and the series.
    pub head: Vec<String>,
    /// The table: a name, and the numbers as text.
    pub rows: Vec<(String, Vec<String>)>,
}

/// A number of the drawing.
fn unit(number: f64) -> String {
    format!("{number:.1}")
}

#[expect(clippy::cast_precision_loss, reason = "it is drawn to a tenth of a unit")]
fn float(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a chart has some dozen bars")]
fn place(number: usize) -> f64 {
    number as f64
}

/// A round number not below `most`, for the top of the scale.
fn top(most: i64) -> i64 {
    let mut size: i64 = 1;
    loop {
        for step in [1, 2, 5] {
            let top = size.saturating_mul(step);
            if top >= most {
                return top.max(1);
            }
        }
        size = size.saturating_mul(10);
        if size == i64::MAX {
            return size;
        }
    }
}

impl Chart {
    /// Upright bars, one for each name, its series one above the other: for what goes on over time. `values` has a list for each
    /// series with a number for each name.
    #[must_use]
    pub fn stacked(
        (id, title, what): (&'static str, &str, &str),
        names: &[String],
        series: &[&str],
        values: &[Vec<i64>],
    ) -> Self {
        let number =
            |line: usize, at: usize| values.get(line).and_then(|line| line.get(at)).copied().unwrap_or(0).max(0);
        let total = |at: usize| (0..series.len()).map(|line| number(line, at)).sum::<i64>();
        let most = top((0..names.len()).map(total).max().unwrap_or(0));
        let (room, base) = (WIDTH - LEFT, HEIGHT - BELOW);
        let scale = (base - 10.0) / float(most);
        let step = room / place(names.len().max(1));
        let mut chart = Self::empty(id, title, HEIGHT);
        // Half of one is nothing, which is there already.
        for part in (0..=2).filter(|part| most > 1 || *part != 1) {
            let value = most * part / 2;
            let y = base - float(value) * scale;
            chart.lines.push(unit(y));
            chart.marks.push(Mark { x: unit(LEFT - 8.0), y: unit(y + 4.0), anchor: "end", text: value.to_string() });
        }
        // As many names as there is room for.
        let each = names.len().div_ceil(12).max(1);
        for (at, name) in names.iter().enumerate() {
            let x = LEFT + step * place(at);
            let mut bottom = base;
            for (line, label) in series.iter().enumerate() {
                let value = number(line, at);
                if value == 0 {
                    continue;
                }
                let height = float(value) * scale;
                bottom -= height;
                chart.bars.push(Bar {
                    x: unit(x + step * 0.12),
                    y: unit(bottom),
                    width: unit(step * 0.76),
                    height: unit(height),
                    series: line,
                    told: format!("{name}, {label}: {value}"),
                });
            }
            if at % each == 0 {
                let x = unit(x + step / 2.0);
                chart.marks.push(Mark { x, y: unit(HEIGHT - 8.0), anchor: "middle", text: name.clone() });
            }
        }
        let sums: Vec<String> = series
            .iter()
            .enumerate()
            .map(|(line, label)| format!("{} {label}", (0..names.len()).map(|at| number(line, at)).sum::<i64>()))
            .collect();
        chart.summary = format!("{title}: {}.", sums.join(", "));
        chart.legend = series.iter().map(|label| (*label).to_owned()).collect();
        chart.head = std::iter::once(what).chain(series.iter().copied()).map(str::to_owned).collect();
        chart.rows = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.clone(), (0..series.len()).map(|line| number(line, at).to_string()).collect()))
            .collect();
        chart
    }

    /// Lying bars, one for each name, the longest as wide as the drawing: for steps of which each has fewer than the one before.
    /// Each has a note, such as a share of the first, which stands behind its number.
    #[must_use]
    pub fn lying((id, title, what): (&'static str, &str, &str), counted: &str, rows: &[(String, i64, String)]) -> Self {
        let most = rows.iter().map(|(_, number, _)| *number).max().unwrap_or(0).max(1);
        let room = WIDTH - NAMES - 130.0;
        let mut chart = Self::empty(id, title, ROW * place(rows.len().max(1)));
        for (at, (name, number, note)) in rows.iter().enumerate() {
            let y = ROW * place(at);
            let width = room * float((*number).max(0)) / float(most);
            let text = if note.is_empty() { number.to_string() } else { format!("{number} ({note})") };
            chart.bars.push(Bar {
                x: unit(NAMES),
                y: unit(y + 4.0),
                width: unit(width),
                height: unit(ROW - 8.0),
                series: 0,
                told: format!("{name}: {text}"),
            });
            let y = unit(y + ROW / 2.0 + 5.0);
            chart.marks.push(Mark { x: unit(NAMES - 10.0), y: y.clone(), anchor: "end", text: name.clone() });
            chart.marks.push(Mark { x: unit(NAMES + width + 8.0), y, anchor: "start", text });
        }
        let told: Vec<String> = rows.iter().map(|(name, number, _)| format!("{name} {number}")).collect();
        chart.summary = format!("{title}: {}.", told.join(", "));
        chart.head = vec![what.to_owned(), counted.to_owned(), "Note".to_owned()];
        chart.rows =
            rows.iter().map(|(name, number, note)| (name.clone(), vec![number.to_string(), note.clone()])).collect();
        chart
    }

    fn empty(id: &'static str, title: &str, height: f64) -> Self {
        Self {
            id,
            title: title.to_owned(),
            summary: String::new(),
            height: unit(height),
            bars: Vec::new(),
            lines: Vec::new(),
            marks: Vec::new(),
            legend: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what is drawn is what the table says, and the scale holds all of it.
    #[test]
    fn bars_are_as_high_as_their_numbers() {
        let names = ["Mon".to_owned(), "Tue".to_owned()];
        let chart = Chart::stacked(("c", "Logins", "Day"), &names, &["good", "bad"], &[vec![10, 0], vec![5, 30]]);
        assert_eq!(chart.rows[0], ("Mon".to_owned(), vec!["10".to_owned(), "5".to_owned()]));
        assert_eq!(chart.bars.len(), 3, "nothing is drawn for nothing");
        let height = |bar: &Bar| bar.height.parse::<f64>().expect("a number");
        assert!((height(&chart.bars[0]) - 2.0 * height(&chart.bars[1])).abs() < 0.2);
        assert!(chart.bars.iter().all(|bar| bar.y.parse::<f64>().expect("a number") >= 9.9));
        assert_eq!(chart.summary, "Logins: 10 good, 35 bad.");
        assert_eq!([0, 1, 3, 6, 11, 99].map(top), [1, 1, 5, 10, 20, 100]);
        let one = Chart::stacked(("c", "Locked", "Day"), &names, &["locked"], &[vec![1, 0]]);
        let numbers: Vec<&str> = one.marks.iter().filter(|mark| mark.anchor == "end").map(|mark| &*mark.text).collect();
        assert_eq!(numbers, ["0", "1"], "no number stands twice");
        let none = Chart::stacked(("c", "Nothing", "Day"), &[], &["good"], &[]);
        assert!(none.bars.is_empty() && none.rows.is_empty());
    }

    #[test]
    fn lying_bars_shrink_with_their_numbers() {
        let rows = [("offered".to_owned(), 40, String::new()), ("started".to_owned(), 10, "25 %".to_owned())];
        let chart = Chart::lying(("f", "Funnel", "Step"), "People", &rows);
        let widths: Vec<f64> = chart.bars.iter().map(|bar| bar.width.parse().expect("a number")).collect();
        assert!((widths[0] - 4.0 * widths[1]).abs() < 0.3, "{widths:?}");
        assert!(chart.marks.iter().any(|mark| mark.text == "10 (25 %)"));
    }
}
