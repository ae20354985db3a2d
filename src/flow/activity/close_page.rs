//! Close the page that the run was started from.

use crate::flow::run::Interpreter;

pub(super) fn carry_out(run: &mut Interpreter<'_, '_>) {
    run.outcome.close = true;
}
