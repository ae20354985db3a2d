//! Growth curves, drawn from the values as SVG.
//!
//! Written by hand: a picture is two axes and a few lines, and what libraries for plotting draw has fixed colours, so it
//! is not readable on light and on dark pages. These have a background and colours for each.

use super::results::Results;
use std::fmt::Write;
use std::path::Path;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
/// The field between the axes.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 470.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 300.0;
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}\
    .page{fill:#fff}.grid{stroke:#d8dee4}.axis{stroke:#59636e}.line{fill:none;stroke-width:2}.before{stroke-dasharray:6 4}\
    .sqlite{stroke:#0969da}.postgresql{stroke:#bc4c00}circle.sqlite{fill:#0969da}circle.postgresql{fill:#bc4c00}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#9198a1}\
    .sqlite{stroke:#4493f8}.postgresql{stroke:#f0883e}circle.sqlite{fill:#4493f8}circle.postgresql{fill:#f0883e}}";

/// A picture: its file, what it shows, and the figure.
const CURVES: [(&str, &str, &str); 6] = [
    ("first-start", "First start, CPU seconds of server and database", "first_start_cpu_s"),
    ("second-start", "Second start, seconds", "second_start_s"),
    ("memory", "Memory of the server when settled, MiB", "resident_settled_mib"),
    ("objects", "Views, triggers, functions and policies stored", "objects"),
    ("combination", "New combination of roles and next click, seconds", "combination_s"),
    ("list", "A list, CPU as a multiple of 10 entities and 5 roles", "list_ratio"),
];

/// A model on the axis, and what was measured of it.
struct Point {
    model: String,
    entities: f64,
    value: f64,
}

struct Line {
    database: String,
    build: String,
    points: Vec<Point>,
}

/// Draws every curve of which there are two points at least; gives the names of the files.
pub fn draw(results: &Results, folder: &Path) -> std::io::Result<Vec<String>> {
    let mut drawn = Vec::new();
    for (file, title, figure) in CURVES {
        let lines = lines(results, figure);
        let name = format!("{file}.svg");
        if lines.iter().any(|line| line.points.len() > 1) {
            std::fs::write(folder.join(&name), picture(title, &lines))?;
            drawn.push(name);
        }
    }
    Ok(drawn)
}

fn lines(results: &Results, figure: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (model, entities, database, build) in results.measured().into_iter().filter(|run| run.1 > 0) {
        // On an axis of powers there is no place for nothing.
        let Some(value) = results.number(model, database, build, figure).filter(|value| *value > 0.0) else { continue };
        let point = Point { model: model.to_owned(), entities: entities as f64, value };
        match lines.iter_mut().find(|line| line.database == database && line.build == build) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { database: database.into(), build: build.into(), points: vec![point] }),
        }
    }
    lines
}

/// An axis on which equal factors are equally far apart.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn at(&self, value: f64) -> f64 {
        let share = (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        self.from + share * (self.to - self.from)
    }
}

fn picture(title: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let range = |of: fn(&Point) -> f64| {
        all().map(of).fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)))
    };
    let ((fewest, most), (low, high)) = (range(|point| point.entities), range(|point| point.value));
    let across = Scale { low: fewest / 1.1, high: most * 1.1, from: LEFT, to: RIGHT };
    let up = Scale { low: low / 1.3, high: high * 1.3, from: BOTTOM, to: TOP };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"26\">{title}</text>\n"
    );
    for tick in ticks(up.low, up.high) {
        let y = up.at(tick);
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>", LEFT - 8.0, y + 4.0);
    }
    let _ = writeln!(out, "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>");
    let mut models: Vec<(&str, f64)> = all().map(|point| (point.model.as_str(), point.entities)).collect();
    models.sort_by(|one, other| one.1.total_cmp(&other.1).then(one.0.cmp(other.0)));
    models.dedup();
    for (number, (model, entities)) in models.into_iter().enumerate() {
        // Every other one lower, so that long names do not meet.
        let (x, y) = (across.at(entities), BOTTOM + 18.0 + 16.0 * (number % 2) as f64);
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{model}</text>");
    }
    for (number, line) in lines.iter().enumerate() {
        out.push_str(&curve(line, number, &across, &up));
    }
    let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{}\">entities x roles / combinations / density</text>", HEIGHT - 8.0);
    out + "</svg>\n"
}

/// A line with its points, and what it is at the right.
fn curve(line: &Line, number: usize, across: &Scale, up: &Scale) -> String {
    let class = format!("{} {}", line.database.to_lowercase(), line.build);
    let mut out = String::new();
    let mut path = String::new();
    for point in &line.points {
        let (x, y) = (across.at(point.entities), up.at(point.value));
        let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { "L" });
        let title = format!("{} {}: {}", line.database, point.model, point.value);
        let _ = writeln!(out, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"><title>{title}</title></circle>");
    }
    let y = TOP + 10.0 + 22.0 * number as f64;
    let (from, to) = (RIGHT + 16.0, RIGHT + 44.0);
    let _ = writeln!(out, "<path class=\"line {class}\" d=\"{path}\"/>");
    let _ = writeln!(out, "<path class=\"line {class}\" d=\"M{from} {y}H{to}\"/>");
    let _ = writeln!(out, "<text x=\"{}\" y=\"{}\">{}, {}</text>", to + 6.0, y + 4.0, line.database, line.build);
    out
}

/// Round numbers between two: 1, 2 and 5 of each power of ten.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    // Divided, not multiplied: a hundredth then has two digits and no more.
    let power = |power: i32, one: f64| if power < 0 { one / 10_f64.powi(-power) } else { one * 10_f64.powi(power) };
    let all = powers.clone().flat_map(|at| [1.0, 2.0, 5.0].map(|one| power(at, one)));
    let within: Vec<f64> = all.filter(|tick| (low..=high).contains(tick)).collect();
    match within.len() > 7 {
        true => powers.map(|at| power(at, 1.0)).filter(|tick| (low..=high).contains(tick)).collect(),
        false => within,
    }
}
