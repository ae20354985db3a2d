//! Settings from the environment.

use super::draft::{Draft, Form};
use crate::domain::{did_you_mean, plain_fault};
use serde::Deserialize;
use serde_json::{Map, Value};

const PREFIX: &str = "PORTCULLIS_";
/// Read by the tests, not by the server.
const NOT_OURS: [&str; 2] = ["PORTCULLIS_REQUIRE", "PORTCULLIS_SOAK"];

/// Reads every `PORTCULLIS_*` variable; the faults name the variables.
pub(super) fn read(variables: impl Iterator<Item = (String, Result<String, String>)>) -> (Draft, Vec<String>) {
    let known: Vec<(String, Vec<&str>, Form)> =
        Draft::keys().into_iter().map(|(path, form)| (variable(&path), path, form)).collect();
    let mut draft = Draft::default();
    let mut faults = Vec::new();
    for (name, value) in variables.filter(|(name, _)| name.starts_with(PREFIX) && !NOT_OURS.contains(&name.as_str())) {
        let found = match known.iter().find(|(variable, _, _)| *variable == name) {
            Some((_, path, form)) => value.and_then(|value| one(path, *form, &value)),
            None => Err(unknown(&name, known.iter().map(|(variable, _, _)| variable.as_str()))),
        };
        match found {
            Ok(more) => draft = more.or(draft),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    (draft, faults)
}

/// The variable of a setting.
pub(super) fn variable(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join("_").to_uppercase())
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    match did_you_mean(name, known) {
        Some(near) => format!("no such setting; did you mean {near}?"),
        None => "no such setting".into(),
    }
}

fn one(path: &[&str], form: Form, text: &str) -> Result<Draft, String> {
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let value = match form {
        Form::Text => Value::from(text),
        Form::Number => Value::from(text.trim().parse::<u32>().map_err(|_| format!("`{text}` is not a whole number"))?),
        Form::Flag => Value::from(text.trim().parse::<bool>().map_err(|_| format!("`{text}` is neither true nor false"))?),
        Form::List => parts().map(Value::from).collect(),
        Form::Map => Value::Object(parts().map(pair).collect::<Result<Map<_, _>, _>>()?),
    };
    let nested = path.iter().rev().fold(value, |inner, key| Value::Object(Map::from_iter([((*key).to_owned(), inner)])));
    Draft::deserialize(nested).map_err(|error| plain_fault(&error.to_string()).message)
}

fn pair(part: &str) -> Result<(String, Value), String> {
    let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not name=value"))?;
    Ok((name.trim().to_owned(), Value::from(value.trim())))
}
