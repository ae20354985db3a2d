//! The effective rights of the running app.

use super::Administrator;
use crate::access::matrix::{LineKind, Matrix};

/// Rows on one page.
const A_PAGE: usize = 100;

/// Which part of the matrix.
#[derive(Clone, Debug, Default)]
pub struct MatrixQuery {
    /// Only rows of this kind.
    pub kind: Option<LineKind>,
    /// Only rows whose object contains this.
    pub text: String,
    /// Only this user role's cells.
    pub role: Option<String>,
    /// The page, from 1.
    pub page: usize,
}

/// A page of the matrix.
pub struct MatrixPage {
    /// Every user role of the model.
    pub roles: Vec<String>,
    /// The role whose cells alone are shown.
    pub selected: Option<String>,
    /// The rows of this page.
    pub matrix: Matrix,
    /// The number of this page, from 1.
    pub page: usize,
    /// Rows before this page.
    pub offset: usize,
    /// Rows in all.
    pub total: usize,
}

impl Administrator<'_> {
    /// A page of the matrix of the model that runs.
    pub fn matrix(&self, query: &MatrixQuery) -> MatrixPage {
        let all = self.live.matrix();
        let mut matrix = all.filtered(query.kind, &query.text);
        let of_role = query.role.as_deref().and_then(|role| matrix.of_role(role));
        let selected = of_role.as_ref().and(query.role.clone());
        if let Some(of_role) = of_role {
            matrix = of_role;
        }
        let total = matrix.rows.len();
        let page = query.page.clamp(1, total.div_ceil(A_PAGE).max(1));
        let offset = (page - 1) * A_PAGE;
        matrix.rows = matrix.rows.into_iter().skip(offset).take(A_PAGE).collect();
        MatrixPage { roles: all.roles.clone(), selected, matrix, page, offset, total }
    }
}
