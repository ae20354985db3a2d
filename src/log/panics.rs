//! A panic is logged like everything else.

use super::{Level, Logs};
use serde_json::Value;
use std::any::Any;
use std::panic::PanicHookInfo;

/// The node of panics.
const NODE: &str = "portcullis.panic";

/// Logs every panic of the process, in place of the runtime's own message of several lines.
pub(super) fn hook(logs: Logs) {
    std::panic::set_hook(Box::new(move |panic| {
        let fields = vec![("place".to_owned(), Value::from(place(panic))), ("thread".to_owned(), Value::from(thread()))];
        logs.push(NODE, Level::Critical, said(panic.payload()), None, fields);
    }));
}

fn place(panic: &PanicHookInfo<'_>) -> String {
    panic.location().map(ToString::to_string).unwrap_or_default()
}

fn thread() -> String {
    std::thread::current().name().unwrap_or("unnamed").to_owned()
}

fn said(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}
