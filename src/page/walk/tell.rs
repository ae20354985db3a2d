//! Evaluation during a walk: expressions and templates over what the reader may see.

use super::super::facts::{Cells, Reading};
use super::super::paths::{Step, step};
use super::super::show::{CellView, Speech};
use super::super::told::Told;
use super::{Scope, This, Walk};
use crate::access::{Cell, Rows};
use crate::domain::text::isolated;
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use crate::expr::{Environment, EvalError, Part, Template, Typed, evaluate};
use crate::model::Widget;
use crate::page::PageError;
use std::collections::BTreeMap;

impl Walk<'_, '_> {
    /// Whether a widget is to be shown; a condition that cannot be decided does not hold.
    pub(in crate::page) fn visible(&mut self, widget: &Widget, scope: &Scope) -> Result<bool, PageError> {
        match &widget.visible {
            Some(_) if self.is_unguarded() => Ok(true),
            Some(condition) => self.holds(condition, scope),
            None => Ok(true),
        }
    }

    /// Whether a condition holds over what the reader may see.
    pub(in crate::page) fn holds(&mut self, condition: &Typed, scope: &Scope) -> Result<bool, PageError> {
        let value = self.value(condition, scope)?;
        Ok(value.peek().as_ref().is_ok_and(Value::holds))
    }

    /// The value of an expression over what the reader may see.
    pub(in crate::page) fn value(&mut self, typed: &Typed, scope: &Scope) -> Result<Told<Result<Value, EvalError>>, PageError> {
        self.tell(scope, |reading, environment| evaluate(typed, environment, reading))
    }

    /// Makes something from the facts.
    pub(in crate::page) fn tell<T>(
        &mut self,
        scope: &Scope,
        make: impl Fn(&mut Reading<'_>, &Environment<'_>) -> T,
    ) -> Result<Told<T>, PageError> {
        let environment = Environment {
            this: scope.this.as_ref().map(|this| this.id),
            user: self.context.reader.user,
            roles: &self.roles,
            now: self.context.reader.now,
            variables: &self.variables,
        };
        self.facts.tell(self.context, &mut self.permits, |reading| make(reading, &environment))
    }

    /// The text of a template; `None` when a part of it is withheld.
    pub(in crate::page) fn text(&mut self, template: &Template, scope: &Scope) -> Result<Told<Option<String>>, PageError> {
        let model = self.model.clone();
        let language = self.context.reader.language.clone();
        let speech = Speech { model: &model, language: &language };
        self.tell(scope, |reading, environment| {
            let mut out = String::new();
            for part in &template.parts {
                match part {
                    Part::Text(text) => out.push_str(model.translate(&language, text)),
                    Part::Value(typed) => {
                        let value = evaluate(typed, environment, reading).ok()?;
                        let text = speech.text(&typed.kind, &value);
                        // What stands among other words neither reorders nor hides them.
                        out.push_str(&if template.parts.len() > 1 { isolated(&text) } else { text.as_str().into() });
                    }
                }
            }
            Some(out)
        })
    }

    /// The text of a template where no lock can stand.
    pub(in crate::page) fn plain(&mut self, template: &Template, scope: &Scope) -> Result<Told<String>, PageError> {
        let withheld = self.say("Withheld");
        Ok(self.text(template, scope)?.map(|text| text.unwrap_or(withheld)))
    }

    /// The text of a template as a cell.
    pub(in crate::page) fn text_cell(&mut self, template: &Template, scope: &Scope) -> Result<Told<CellView>, PageError> {
        let text = self.text(template, scope)?;
        Ok(text.map(|text| {
            self.speak(|speech| match text {
                Some(text) => speech.value(&Kind::Text, &Value::text(text)),
                None => speech.withheld(&Kind::Text),
            })
        }))
    }

    /// The value of an expression as a cell.
    pub(in crate::page) fn value_cell(&mut self, typed: &Typed, scope: &Scope) -> Result<Told<CellView>, PageError> {
        let value = self.value(typed, scope)?;
        Ok(value.map(|value| {
            self.speak(|speech| match value {
                Ok(value) => speech.value(&typed.kind, &value),
                Err(_) => speech.withheld(&typed.kind),
            })
        }))
    }

    /// A member of the current object, as the reader may have it.
    pub(in crate::page) fn member(&mut self, this: &This, path: &[Name], scope: &Scope) -> Result<Told<Cell>, PageError> {
        let model = self.model.clone();
        self.tell(scope, |reading, _| {
            let mut at = (this.entity.clone(), this.id);
            let Some((last, way)) = path.split_last() else { return Cell::Withheld };
            for name in way {
                match (reading.shown(&at.0, at.1, name), step(&model, &at.0, name)) {
                    (
                        Cell::Shown(Value::Object(id)),
                        Some(Step::ToOne(target) | Step::Inverse { owner: target, many: false, .. }),
                    ) => at = (target, id),
                    (Cell::Shown(Value::Empty), _) => return Cell::Shown(Value::Empty),
                    _ => return Cell::Withheld,
                }
            }
            reading.shown(&at.0, at.1, last)
        })
    }

    /// Adds what the caller typed or the model set for an object that is not stored.
    pub(in crate::page) fn assume(&mut self, entity: &QName, id: ObjectId, values: &Told<BTreeMap<Name, Value>>) {
        self.facts.learn(values.derive(|values| {
            let mut cells = Cells::default();
            values.iter().for_each(|(name, value)| cells.put(entity, id, name, Cell::Shown(value.clone())));
            cells
        }));
    }

    /// Makes something in the reader's language.
    pub(in crate::page) fn speak<T>(&self, make: impl FnOnce(Speech<'_>) -> T) -> T {
        make(Speech { model: &self.model, language: &self.context.reader.language })
    }
    /// A fixed text in the reader's language.
    pub(in crate::page) fn say(&self, text: &str) -> String {
        self.model.translate(&self.context.reader.language, text).to_owned()
    }
    /// The same for a text that may not be there.
    pub(in crate::page) fn say_some(&self, text: Option<&str>) -> Option<String> {
        text.filter(|text| !text.is_empty()).map(|text| self.say(text))
    }

    /// Rows of released data as something to show.
    pub(in crate::page) fn rows_cell(&self, rows: &Told<Rows>, row: usize, column: usize, kind: &Kind) -> Told<CellView> {
        rows.derive(|rows| {
            let cell = rows.rows.get(row).and_then(|row| row.cells.get(column));
            self.speak(|speech| cell.map_or_else(|| speech.withheld(kind), |cell| speech.cell(kind, cell)))
        })
    }
}
