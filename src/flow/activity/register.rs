//! Ask for an account: a visitor's only way in. Nothing is stored; after the run a link is mailed
//! that carries the object.

use crate::access::{Denied, Feedback, Ground, Layer, Reason};
use crate::domain::{Name, is_email_address};
use crate::expr::Typed;
use crate::flow::FlowError;
use crate::flow::effects::RegistrationRequest;
use crate::flow::frame::Frame;
use crate::flow::run::Interpreter;
use crate::flow::text;

pub(super) fn carry_out(
    run: &mut Interpreter<'_, '_>,
    frame: &mut Frame,
    email: &Typed,
    name: &Typed,
    data: &Name,
) -> Result<(), FlowError> {
    run.heed_feedback()?;
    let data = frame.object(data)?;
    let email = run.value(frame, email)?.as_text().unwrap_or_default().trim().to_owned();
    let name = text::one_line(run.value(frame, name)?.as_text().unwrap_or_default(), 200);
    if run.context.account.is_some() || run.model.registration.is_none() {
        let reason = Reason::Other(Ground::Registration, "only visitors register, and only where the app lets them".into());
        return Err(Denied::new(Layer::ActionAccess, reason).into());
    }
    if !run.context.effects.registrations.is_empty() {
        return Err(FlowError::Exhausted("it registers more than one person"));
    }
    if !is_email_address(&email) {
        let message = "Please give a valid e-mail address".to_owned();
        return Err(FlowError::Feedback(vec![Feedback { object: Some(data), member: None, message }]));
    }
    run.context.effects.registrations.push(RegistrationRequest { email, name, data });
    Ok(())
}
