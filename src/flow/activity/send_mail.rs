//! Send a mail after the commit: one recipient, plain text.

use crate::domain::is_email_address;
use crate::expr::{Template, Typed};
use crate::flow::FlowError;
use crate::flow::effects::Outgoing;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;
use crate::model::LogLevel;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    to: &Typed,
    subject: &Template,
    body: &Template,
) -> Result<(), FlowError> {
    run.heed_feedback()?;
    let to = run.value(frame, to)?;
    let subject = text::one_line(&run.text(frame, subject)?, 200);
    let body = text::lines(&run.text(frame, body)?);
    let Some(to) = to.as_text() else {
        let line = format!("{}: no mail, because there is no address", frame.flow.name);
        run.context.effects.line("system.Mail", LogLevel::Warning, line);
        return Ok(());
    };
    if !is_email_address(to) {
        return Err(FlowError::Raised("There is no valid e-mail address to write to".into()));
    }
    run.context.effects.mail(Outgoing { to: to.to_owned(), subject, text: body })
}
