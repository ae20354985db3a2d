//! The activities, one file each. Each takes the run, the frame and its own keys.

mod aggregate;
mod call;
mod change;
mod close_page;
mod create;
mod decide;
mod delete;
mod end;
mod feedback;
mod lock;
mod log;
mod loop_over;
mod message;
mod publish;
mod raise;
mod register;
mod retrieve;
mod retrieve_association;
mod send_mail;
mod set;
mod show_page;

use super::FlowError;
use super::frame::Frame;
use super::run::Interpreter;
use crate::domain::Value;
use crate::model::ActivityKind;

/// What comes after an activity.
#[derive(Debug)]
pub(super) enum Next {
    /// The next one.
    On,
    /// The end of the flow, perhaps with a value.
    End(Option<Value>),
}

/// Carries out one activity.
pub(super) fn carry_out(run: &mut Interpreter<'_, '_>, frame: &mut Frame, kind: &ActivityKind) -> Result<Next, FlowError> {
    use ActivityKind as K;
    let done = match kind {
        K::RetrieveAssociation { output, from, entity, member, many } => {
            retrieve_association::carry_out(run, frame, (output, from, entity, member, *many))
        }
        K::Retrieve { output, entity, condition, sort, first, limit, offset } => {
            let window = retrieve::Window { first: *first, limit: *limit, offset: *offset };
            retrieve::carry_out(run, frame, output, entity, condition.as_ref(), sort, window)
        }
        K::Create { output, entity, set } => create::carry_out(run, frame, output, entity, set),
        K::Change { object, entity, set } => change::carry_out(run, frame, object, entity, set),
        K::Delete { object, entity } => delete::carry_out(run, frame, object, entity),
        K::Lock { object, entity } => lock::carry_out(run, frame, object, entity),
        K::Aggregate { output, list, entity, function, of } => {
            aggregate::carry_out(run, frame, output, (list, entity), *function, of.as_ref())
        }
        K::Set { variable, value } => set::carry_out(run, frame, variable, value),
        K::Decide { condition, then, otherwise } => return decide::carry_out(run, frame, condition, then, otherwise),
        K::Loop { over, element, body } => return loop_over::carry_out(run, frame, over, element, body),
        K::Call { microflow, with, output } => call::carry_out(run, frame, microflow, with, output.as_ref()),
        K::ShowPage(open) => show_page::carry_out(run, frame, open),
        K::ClosePage => {
            close_page::carry_out(run);
            Ok(())
        }
        K::Message { text, tone } => message::carry_out(run, frame, text, *tone),
        K::Feedback { object, member, message } => feedback::carry_out(run, frame, object, member, message),
        K::Log { node, level, text } => log::carry_out(run, frame, node, *level, text),
        K::SendMail { to, subject, text } => send_mail::carry_out(run, frame, to, subject, text),
        K::Publish { snapshot, list } => publish::carry_out(run, frame, snapshot, list),
        K::Register { email, name, data } => register::carry_out(run, frame, email, name, data),
        K::End { value } => return end::carry_out(run, frame, value.as_ref()),
        K::Raise { message } => raise::carry_out(run, frame, message),
    };
    done.map(|()| Next::On)
}
