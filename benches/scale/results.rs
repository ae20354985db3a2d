//! What was measured: kept in a file of values, printed as tables, held against what is aimed at.

use std::fmt::Write;
use std::path::Path;

/// What a row of the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub model: String,
    pub entities: usize,
    pub database: String,
    /// `before` or `after`.
    pub build: String,
    pub figure: String,
    /// A number, or why there is none.
    pub value: String,
}

/// A figure: its name in the file and in tables, and how many digits it is printed with.
pub struct Figure {
    pub id: &'static str,
    pub title: &'static str,
    digits: usize,
}

const fn figure(id: &'static str, title: &'static str, digits: usize) -> Figure {
    Figure { id, title, digits }
}

/// Why a model could not be measured.
pub const FAILED: &str = "failed";

pub const FIGURES: [Figure; 25] = [
    figure("first_start_s", "first start, s", 2),
    figure("first_start_cpu_s", "first start, CPU s", 2),
    figure("first_settled_cpu_s", "first start until settled, CPU s", 2),
    figure("second_start_s", "second start, s", 2),
    figure("second_start_cpu_s", "second start, CPU s", 2),
    figure("second_settled_cpu_s", "second start until settled, CPU s", 2),
    figure("resident_ready_mib", "MiB at ready", 0),
    figure("resident_settled_mib", "MiB settled", 0),
    figure("resident_clients_mib", "MiB under 32 clients", 0),
    figure("shown_per_s", "pages/s of 32 clients", 0),
    figure("backend_mib", "MiB of the largest backend", 0),
    figure("backend_private_mib", "of which private", 0),
    figure("objects", "objects stored", 0),
    figure("text_kib", "KiB of their text", 0),
    figure("roles", "roles", 0),
    figure("policies", "policies", 0),
    figure("relations", "relations", 0),
    figure("combination_s", "new combination and next click, s", 2),
    figure("combination_most_s", "the slowest, s", 2),
    figure("list_us", "list, CPU µs", 0),
    figure("list_ratio", "× 10x5", 2),
    figure("form_us", "form, CPU µs", 0),
    figure("form_ratio", "× 10x5", 2),
    figure("create_us", "create, CPU µs", 0),
    figure("create_ratio", "× 10x5", 2),
];

/// What is aimed at: model, database, figure, limit.
const AIMS: [(&str, &str, &str, f64); 22] = [
    ("200x30/300/0.3", "SQLite", "second_start_s", 1.0),
    ("200x30/300/0.3", "SQLite", "first_start_cpu_s", 4.0),
    ("200x30/300/0.3", "SQLite", "resident_settled_mib", 100.0),
    ("200x30/300/0.3", "SQLite", "resident_clients_mib", 200.0),
    ("200x30/300/0.3", "SQLite", "combination_s", 0.3),
    ("200x30/300/0.3", "SQLite", "list_ratio", 1.15),
    ("200x30/300/0.3", "SQLite", "form_ratio", 1.15),
    ("200x30/300/0.3", "SQLite", "create_ratio", 1.15),
    ("200x30/300/0.3", "PostgreSQL", "second_start_s", 2.0),
    ("200x30/300/0.3", "PostgreSQL", "first_start_cpu_s", 15.0),
    ("200x30/300/0.3", "PostgreSQL", "resident_settled_mib", 120.0),
    ("200x30/300/0.3", "PostgreSQL", "backend_mib", 40.0),
    ("200x30/300/0.3", "PostgreSQL", "combination_s", 0.5),
    ("200x30/300/0.3", "PostgreSQL", "list_ratio", 1.15),
    ("200x30/300/0.3", "PostgreSQL", "form_ratio", 1.15),
    ("200x30/300/0.3", "PostgreSQL", "create_ratio", 1.15),
    ("people", "SQLite", "second_start_s", 0.2),
    ("people", "SQLite", "resident_ready_mib", 45.0),
    ("people", "SQLite", "resident_clients_mib", 100.0),
    ("people", "PostgreSQL", "second_start_s", 1.0),
    ("people", "PostgreSQL", "resident_ready_mib", 60.0),
    ("people", "PostgreSQL", "resident_clients_mib", 110.0),
];

/// All values that are known.
#[derive(Default)]
pub struct Results {
    values: Vec<Value>,
}

impl Results {
    /// Reads the file of values; what is not there yet is empty.
    pub fn read(file: &Path) -> Self {
        let Ok(mut reader) = csv::Reader::from_path(file) else { return Self::default() };
        let one = |record: csv::StringRecord| {
            let field = |at: usize| record.get(at).unwrap_or_default().to_owned();
            let (model, database, build, figure, value) = (field(0), field(2), field(3), field(4), field(5));
            Value { model, entities: field(1).parse().unwrap_or(0), database, build, figure, value }
        };
        Self { values: reader.records().map_while(Result::ok).map(one).collect() }
    }

    /// Takes what was measured of a build of the program over a model and a database in place of what was known of it.
    pub fn put(&mut self, measured: Vec<Value>) {
        let Some(first) = measured.first().cloned() else { return };
        let same = |one: &Value| (&one.model, &one.database, &one.build) == (&first.model, &first.database, &first.build);
        self.values.retain(|one| !same(one));
        self.values.extend(measured);
        let place = |one: &Value| FIGURES.iter().position(|figure| figure.id == one.figure);
        self.values.sort_by_key(|one| {
            (
                one.entities == 0,
                one.entities,
                one.model.clone(),
                one.database != "SQLite",
                one.build != "before",
                place(one),
                one.figure.clone(),
            )
        });
    }

    pub fn write(&self, file: &Path) -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_path(file)?;
        writer.write_record(["model", "entities", "database", "build", "figure", "value"])?;
        for one in &self.values {
            let entities = one.entities.to_string();
            writer.write_record([&one.model, &entities, &one.database, &one.build, &one.figure, &one.value])?;
        }
        writer.flush().map_err(Into::into)
    }

    fn text(&self, model: &str, database: &str, build: &str, figure: &str) -> Option<&str> {
        let of = |one: &&Value| (&*one.model, &*one.database, &*one.build, &*one.figure) == (model, database, build, figure);
        self.values.iter().find(of).map(|one| one.value.as_str())
    }

    /// A number that is known.
    pub fn number(&self, model: &str, database: &str, build: &str, figure: &str) -> Option<f64> {
        self.text(model, database, build, figure)?.parse().ok()
    }

    /// Model, entities, database and build of all that is known, in order.
    pub fn measured(&self) -> Vec<(&str, usize, &str, &str)> {
        let mut all: Vec<_> = self.values.iter().map(|one| (&*one.model, one.entities, &*one.database, &*one.build)).collect();
        all.dedup();
        all
    }

    /// The tables, as they stand in the documentation.
    pub fn tables(&self) -> String {
        let mut out = String::new();
        for database in ["SQLite", "PostgreSQL"] {
            let runs: Vec<_> = self.measured().into_iter().filter(|run| run.2 == database).collect();
            if !runs.is_empty() {
                let _ = write!(out, "{database}:\n\n{}\n", self.table(&runs));
            }
        }
        out + &self.aims()
    }

    /// A line for each figure, a column for each model and build: there are more figures than models.
    fn table(&self, runs: &[(&str, usize, &str, &str)]) -> String {
        let mut out = String::from("| |");
        runs.iter().for_each(|(model, _, _, build)| out.push_str(&format!(" {model} {build} |")));
        out.push_str(&format!("\n| --- |{}\n", " ---: |".repeat(runs.len())));
        for figure in &FIGURES {
            let cells = runs.iter().map(|(model, _, database, build)| self.number(model, database, build, figure.id));
            let cells: Vec<String> = cells.map(|value| figure.printed(value)).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let _ = writeln!(out, "| {} | {} |", figure.title, cells.join(" | "));
            }
        }
        for (model, _, database, build) in runs {
            if let Some(why) = self.text(model, database, build, FAILED) {
                let _ = writeln!(out, "\n{model} {build}: {why}.");
            }
        }
        out
    }

    /// What is aimed at beside what was measured.
    fn aims(&self) -> String {
        let mut out = String::from("What is aimed at:\n\n| model | database | | aim | before | after |\n");
        out.push_str("| --- | --- | --- | ---: | ---: | ---: |\n");
        for (model, database, id, limit) in AIMS {
            let Some(figure) = FIGURES.iter().find(|figure| figure.id == id) else { continue };
            let of = |build| figure.printed(self.number(model, database, build, id));
            let title =
                if id.ends_with("_ratio") { format!("{} × 10x5", id.trim_end_matches("_ratio")) } else { figure.title.into() };
            let _ = writeln!(out, "| {model} | {database} | {title} | ≤ {limit} | {} | {} |", of("before"), of("after"));
        }
        out
    }
}

impl Figure {
    fn printed(&self, value: Option<f64>) -> String {
        value.map_or_else(String::new, |value| format!("{value:.*}", self.digits))
    }
}
