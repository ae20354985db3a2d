//! The apps that are measured.

use super::load::Reader;
use super::synthetic::{Shape, Synthetic, form_of, list_of};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Demo users of the app that ships, and a page that each may open.
const PEOPLE: [(&str, &str); 7] = [
    ("nadia", "/p/hr.MyLeave"),
    ("tomas", "/p/hr.Employees"),
    ("rosa", "/"),
    ("helen", "/p/hr.Employees"),
    ("carlo", "/"),
    ("arun", "/"),
    ("greta", "/"),
];

/// An app with its files.
pub struct Model {
    /// As in the arguments.
    pub name: String,
    pub entities: usize,
    /// How the app was made, if it was.
    pub made: Option<Synthetic>,
    folder: PathBuf,
    _files: Option<TempDir>,
}

impl Model {
    /// `people`, or `ENTITIESxROLES[/COMBINATIONS[/DENSITY]]`.
    pub fn named(name: &str) -> Option<Self> {
        if name == "people" {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/people");
            return Some(Self { name: name.to_owned(), entities: 0, made: None, folder, _files: None });
        }
        let mut parts = name.split('/');
        let (entities, roles) = parts.next()?.split_once('x')?;
        let mut shape = Shape::of(entities.parse().ok()?, roles.parse().ok()?);
        if let Some(combinations) = parts.next() {
            shape.combinations = combinations.parse().ok()?;
        }
        if let Some(density) = parts.next() {
            shape.density = density.parse().ok().filter(|density| (0.0..=1.0).contains(density))?;
        }
        let files = TempDir::new().ok()?;
        let made = Synthetic::of(shape);
        made.write(files.path());
        let folder = files.path().to_owned();
        Some(Self { name: name.to_owned(), entities: shape.entities, made: Some(made), folder, _files: Some(files) })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Different people with pages of theirs, those with combinations first.
    pub fn readers(&self) -> Vec<Reader> {
        let Some(app) = &self.made else {
            let one = |(key, page): &(&str, &str)| Reader { key: (*key).into(), pages: vec!["/".into(), (*page).into()] };
            return PEOPLE.iter().map(one).collect();
        };
        let people = app.combined().iter().chain(&app.people);
        let one = |person: &super::synthetic::Person| {
            let pages = app.reach(&person.roles).into_iter().flat_map(|entity| [list_of(entity), form_of(entity)]);
            Reader { key: person.key.clone(), pages: pages.collect() }
        };
        people.map(one).collect()
    }
}
