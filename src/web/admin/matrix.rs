//! The effective rights of the running app.

use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::Web;
use super::{Paging, Place, page_number, path, typed};
use crate::access::Part;
use crate::access::matrix::{Line, LineKind};
use crate::app::admin::MatrixQuery;
use serde_json::{Value, json};

const PLACE: Place = Place { part: Part::Matrix, template: "admin/matrix.html" };

impl Web {
    /// `GET /admin/matrix`
    pub(super) fn matrix_page(&self, request: &Request) -> Reply {
        let wanted = request.parameter("kind");
        let query = MatrixQuery {
            kind: LineKind::ALL.into_iter().find(|kind| kind.id() == wanted),
            text: typed(request, "q").unwrap_or_default(),
            role: typed(request, "role"),
            page: usize::try_from(page_number(request)).unwrap_or(1),
        };
        let (shell, found) = self.app.look(&request.ask, Part::Matrix, |admin, _| Ok(admin.matrix(&query)));
        let found = match found {
            Ok(found) => found,
            Err(refusal) => return self.refused(request, &shell, &refusal),
        };
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let kind = query.kind.map(LineKind::id);
        let (selected, shown) = (found.selected.as_deref(), found.matrix.rows.len());
        let paging = Paging {
            path: path(Part::Matrix),
            parameters: vec![("q", &query.text), ("kind", kind.unwrap_or_default()), ("role", selected.unwrap_or_default())],
            page: number(found.page),
            offset: number(found.offset),
            shown,
            total: Some(number(found.total)),
            more: found.offset + shown < found.total,
        };
        let values = json!({
            "user_roles": found.roles, "selected": selected, "kinds": LineKind::ALL.map(LineKind::id), "kind": kind,
            "filter": query.text, "rows": found.matrix.rows.iter().map(row).collect::<Vec<_>>(), "paging": paging.json(),
        });
        self.part(request, &shell, 200, &PLACE, values)
    }
}

fn row(line: &Line) -> Value {
    let cells: Vec<Value> = line.cells.iter().map(|cell| json!({"state": cell.state.id(), "note": cell.note})).collect();
    json!({"kind": line.kind.id(), "object": line.object, "operation": line.operation, "note": line.note, "cells": cells})
}
