//! The words every layer shares: names, kinds, values, object identity.
//!
//! Pure and without I/O. A [`Value`] deliberately does **not** implement `Serialize`: data leaves
//! the server only as `access::Released`.

mod address;
mod dates;
mod kind;
pub mod knockout;
mod name;
mod object;
mod spread;
pub mod text;
mod value;
mod wording;

pub use address::is_email_address;
pub use dates::{date_text, datetime_text, push_digits, read_datetime};
pub use kind::{Kind, Number};
pub use name::{Name, QName, did_you_mean};
pub use object::{Member, ObjectId, Origin};
pub use rust_decimal::Decimal;
pub use spread::{ByName, Spread};
pub use value::{DATETIME_FORMAT, UNCOMPUTABLE, Value, parse_value};
pub use wording::{FaultKind, PlainFault, plain_fault, plain_pattern_fault};
