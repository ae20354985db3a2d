//! One build of the program over one model on one database.

use super::clicks::{self, Click, Side};
use super::load;
use super::model::Model;
use super::objects::Objects;
use super::site::{Kind, Running, Site};
use std::path::Path;
use std::time::Duration;

/// What pages cost is compared with this model.
const REFERENCE: &str = "10x5";
/// How many people are given a combination that nobody held.
const COMBINATIONS: usize = 5;

/// How long parts may take.
#[derive(Clone, Copy)]
pub struct Times {
    /// Seconds that 32 clients work.
    pub load: u64,
    /// How long a start may take.
    pub patience: Duration,
}

/// Names of figures with their values.
pub type Figures = Vec<(&'static str, f64)>;

/// Measures all of it.
pub fn run(program: &Path, model: &Model, kind: Kind, times: Times) -> Result<Figures, String> {
    let site = Site::new(program, model.folder(), kind, times.patience)?;
    let mut figures = first(&site)?;
    let running = site.start()?;
    figures.extend([
        ("second_start_s", running.started.wall),
        ("second_start_cpu_s", running.started.cpu),
        ("resident_ready_mib", running.started.resident),
    ]);
    let settled = settled(&running);
    figures.extend([("second_settled_cpu_s", running.started.cpu + settled), ("resident_settled_mib", running.resident())]);
    if model.made.is_some() {
        figures.extend(costs(&running, program, kind, times)?);
    }
    let most = load::run(&running, &model.readers(), times.load);
    figures.extend([("resident_clients_mib", most.resident), ("shown_per_s", most.shown as f64 / times.load.max(1) as f64)]);
    figures.extend(most.backend.map(|backend| ("backend_mib", backend)));
    figures.extend(most.backend_private.map(|private| ("backend_private_mib", private)));
    if let Some(app) = &model.made {
        let took = clicks::combine(app, &running, COMBINATIONS);
        figures.extend(took.iter().copied().reduce(f64::max).map(|most| ("combination_most_s", most)));
        figures.extend((!took.is_empty()).then(|| ("combination_s", clicks::median(took))));
    }
    running.stop()?;
    figures.extend(stored(&site));
    Ok(figures)
}

/// The first start, into an empty database, until nothing is done any more.
fn first(site: &Site) -> Result<Figures, String> {
    let running = site.start()?;
    let started = running.started;
    let settled = settled(&running);
    running.stop()?;
    Ok(vec![("first_start_s", started.wall), ("first_start_cpu_s", started.cpu), ("first_settled_cpu_s", started.cpu + settled)])
}

/// CPU seconds from now until nothing is done any more.
fn settled(running: &Running<'_>) -> f64 {
    let before = running.cpu();
    running.settle();
    running.cpu() - before
}

/// What pages cost here, and as multiples of what they cost at a server of the same build over the smallest model, which
/// has been started again over the same rows too.
fn costs(running: &Running<'_>, program: &Path, kind: Kind, times: Times) -> Result<Figures, String> {
    let small = Model::named(REFERENCE).ok_or("there is no smallest model")?;
    let site = Site::new(program, small.folder(), kind, times.patience)?;
    first(&site)?;
    let reference = site.start()?;
    settled(&reference);
    let (mut base, mut own) = (Side::new(&reference), Side::new(running));
    let mut figures = Vec::new();
    for click in Click::ALL {
        let cost = clicks::compare(&mut base, &mut own, click);
        let (micros, ratio) = match click {
            Click::List => ("list_us", "list_ratio"),
            Click::Form => ("form_us", "form_ratio"),
            Click::Create => ("create_us", "create_ratio"),
        };
        figures.extend([(micros, cost.micros), (ratio, cost.ratio)]);
    }
    drop((base, own));
    reference.stop()?;
    Ok(figures)
}

fn stored(site: &Site) -> Figures {
    let objects = Objects::of(site);
    let mut figures = vec![("objects", objects.count), ("text_kib", objects.text)];
    let more = [("roles", objects.roles), ("policies", objects.policies), ("relations", objects.relations)];
    figures.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
    figures
}
