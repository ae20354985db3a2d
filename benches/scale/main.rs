//! How cost grows with the model: the program over apps of 10 to 200 entities, on SQLite and on PostgreSQL.
//!
//! `cargo bench --bench scale` generates the apps, starts the program over each as a process of its own, and writes what
//! it measured to `docs/scale`, as values (`values.csv`) and as curves, and the tables into docs/PERFORMANCE.md. What was
//! measured before of other builds, models and databases stays. After `--`:
//!
//! - `--models 10x5,200x30/300/0.3,people`: entities x roles / combinations / density, or the app that ships
//! - `--databases sqlite,postgresql`
//! - `--before PROGRAM`: another build to measure in the same run, in the column "before"
//! - `--after PROGRAM`: this instead of the program as it is built; `none` measures `--before` only
//! - `--seconds N`: how long 32 clients work; `--patience N`: how many seconds a start may take
//! - `--to DIR`: a folder for values, curves and `tables.md`, instead of the documentation

// A benchmark that cannot go on ends with a message, and nobody depends on it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "../browser.rs"]
#[allow(dead_code, reason = "another benchmark uses the rest")]
mod browser;
mod clicks;
/// The clusters of PostgreSQL that tests use too.
#[path = "../../src/db/testing/cluster.rs"]
#[allow(dead_code, reason = "some of it is for tests only")]
mod cluster;
mod curves;
mod load;
mod measure;
mod model;
mod objects;
mod proc;
mod results;
mod site;
/// The apps that tests use too.
#[path = "../../tests/it/support/synthetic/mod.rs"]
#[allow(dead_code, reason = "some of it is for tests only")]
mod synthetic;

use measure::Times;
use model::Model;
use results::{FAILED, Results, Value};
use site::Kind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const MODELS: &str = "10x5,40x10,100x20,200x30/300/0.3,people";
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PERFORMANCE.md");
const BEGIN: &str = "<!-- growth: made by cargo bench --bench scale -->\n";
const END: &str = "<!-- growth: end -->\n";

/// What is asked for.
struct Asked {
    models: Vec<Model>,
    kinds: Vec<Kind>,
    /// The name of a build, and its program.
    builds: Vec<(&'static str, PathBuf)>,
    times: Times,
    to: Option<PathBuf>,
}

impl Asked {
    fn read(arguments: Vec<String>) -> Result<Self, String> {
        let (mut models, mut kinds) = (MODELS.to_owned(), "sqlite,postgresql".to_owned());
        let (mut before, mut after) = (None, Some(PathBuf::from(env!("CARGO_BIN_EXE_portcullis"))));
        let mut times = Times { load: 15, patience: Duration::from_secs(300) };
        let mut to = None;
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} wants a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: a number of seconds"));
            match name.as_str() {
                "--models" => models = value,
                "--databases" => kinds = value,
                "--before" => before = Some(PathBuf::from(value)),
                "--after" => after = (value != "none").then(|| PathBuf::from(value)),
                "--seconds" => times.load = number()?,
                "--patience" => times.patience = Duration::from_secs(number()?),
                "--to" => to = Some(PathBuf::from(value)),
                _ => return Err(format!("{name}: there is no such argument")),
            }
        }
        let model = |name: &str| Model::named(name).ok_or(format!("{name}: a model is people, 40x10 or 200x30/300/0.3"));
        let kind = |name: &str| match name {
            "sqlite" => Ok(Kind::Sqlite),
            "postgresql" => Ok(Kind::Postgresql),
            _ => Err(format!("{name}: the databases are sqlite and postgresql")),
        };
        let builds = [("before", before), ("after", after)].into_iter().filter_map(|(name, program)| Some((name, program?)));
        let program = |(name, program): (&'static str, PathBuf)| match program.canonicalize() {
            Ok(program) => Ok((name, program)),
            Err(error) => Err(format!("{}: {error}", program.display())),
        };
        Ok(Self {
            models: models.split(',').map(model).collect::<Result<_, _>>()?,
            kinds: kinds.split(',').map(kind).collect::<Result<_, _>>()?,
            builds: builds.map(program).collect::<Result<_, _>>()?,
            times,
            to,
        })
    }

    fn folder(&self) -> PathBuf {
        self.to.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scale"))
    }

    /// Measures all of it, and writes each part as soon as it is known.
    fn run(&self) -> Result<(), String> {
        let folder = self.folder();
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = folder.join("values.csv");
        let mut results = Results::read(&file);
        for (build, program) in &self.builds {
            for kind in &self.kinds {
                for model in &self.models {
                    println!("{} {build} on {} …", model.name, kind.name());
                    // If one model fails, the error is reported and the next one is still measured.
                    let measure = AssertUnwindSafe(|| measure::run(program, model, *kind, self.times));
                    let measured = catch_unwind(measure).unwrap_or_else(|_| Err("it went wrong while it was used".into()));
                    results.put(values(model, *kind, build, measured));
                    results.write(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                }
            }
        }
        println!("\n{}", results.tables());
        let curves = curves::draw(&results, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        self.document(&results.tables(), &curves)
    }

    /// Writes the tables into the documentation, or beside the values.
    fn document(&self, tables: &str, curves: &[String]) -> Result<(), String> {
        let pictures = |at: &str| curves.iter().map(|curve| format!("![{curve}]({at}{curve})\n")).collect::<String>();
        let (file, text) = match &self.to {
            Some(folder) => (folder.join("tables.md"), format!("{tables}\n{}", pictures(""))),
            None => {
                let file = PathBuf::from(DOCUMENT);
                let text = std::fs::read_to_string(&file).map_err(|error| format!("{DOCUMENT}: {error}"))?;
                let (head, rest) = text.split_once(BEGIN).ok_or("the document has no place for the tables")?;
                let (_, tail) = rest.split_once(END).ok_or("the place for the tables has no end")?;
                (file, format!("{head}{BEGIN}{tables}\n{}{END}{tail}", pictures("scale/")))
            }
        };
        std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))
    }
}

fn values(model: &Model, kind: Kind, build: &str, measured: Result<measure::Figures, String>) -> Vec<Value> {
    let value = |figure: &str, value: String| Value {
        model: model.name.clone(),
        entities: model.entities,
        database: kind.name().into(),
        build: build.into(),
        figure: figure.into(),
        value,
    };
    match measured {
        Ok(figures) => figures.into_iter().map(|(figure, number)| value(figure, format!("{number:.3}"))).collect(),
        Err(why) => {
            println!("{}: {why}", model.name);
            vec![value(FAILED, why)]
        }
    }
}

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, only to see that it starts.
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(at) = arguments.iter().position(|argument| argument == "--bench") else { return ExitCode::SUCCESS };
    arguments.remove(at);
    match Asked::read(arguments).and_then(|asked| asked.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("scale: {why}");
            ExitCode::FAILURE
        }
    }
}
