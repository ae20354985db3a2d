//! Reading a form, within limits.
//!
//! A form has its place in a budget before a byte of it is read, and keeps it while it is worked on.

use super::{Client, Credit, Facts, Full, Gate, Place};
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;
use std::pin::pin;
use std::time::Duration;
use tokio::time::sleep;

/// Why a form was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Too many bytes or fields.
    TooLarge,
    /// Not a form.
    NotAForm,
    /// It did not arrive whole, or too slowly.
    Interrupted,
    /// Too much is being read at this moment.
    Busy,
    /// Too much of this client's is being read at this moment.
    Greedy,
}

/// A form that was read.
#[derive(Debug)]
pub struct Form {
    /// Its fields in order.
    pub fields: Vec<(String, String)>,
    /// What it weighs in the budget, for as long as it is kept.
    pub place: Option<Place>,
}

/// A form has to be whole in this time, or so many bytes of it have to come in each such span, up to the longest.
const SPAN: Duration = Duration::from_secs(5);
const LEAST: usize = 64 * 1024;
const LONGEST: Duration = Duration::from_secs(30);

/// Reads a form. Accepts only `application/x-www-form-urlencoded`. `sender` is who sends it, as far as is known.
// SECURITY: many large forms that never end take no more memory than their budget, and a client no more than its
// share; who is too slow is cut off (`tests/it/pressure.rs`).
pub async fn form(gate: &Gate, request: &HttpRequest, payload: Payload, sender: Client) -> Result<Form, BodyError> {
    let length = declared(request)?;
    if length == 0 {
        return Ok(Form { fields: Vec::new(), place: None });
    }
    let whole = usize::try_from(length).ok().filter(|whole| *whole <= gate.most_body).ok_or(BodyError::TooLarge)?;
    let network = request.extensions().get::<Facts>().map(|facts| Client::network(facts.address));
    let clients: Vec<Client> = network.into_iter().chain([sender].into_iter().filter(|_| network != Some(sender))).collect();
    let place = gate.bodies.take(&clients, length).map_err(|full| match full {
        Full::All => BodyError::Busy,
        Full::Client => BodyError::Greedy,
    })?;
    if let Some(credit) = request.conn_data::<Credit>() {
        credit.grant();
    }
    let bytes = read(gate, payload, whole).await?;
    let fields = fields(gate, request, bytes)?;
    Ok(Form { fields, place: Some(place) })
}

/// How long the body says it is. One in chunks does not say; the gate has refused it.
fn declared(request: &HttpRequest) -> Result<u64, BodyError> {
    match request.headers().get(header::CONTENT_LENGTH) {
        None => Ok(0),
        Some(value) => value.to_str().ok().and_then(|text| text.trim().parse().ok()).ok_or(BodyError::NotAForm),
    }
}

async fn read(gate: &Gate, mut payload: Payload, length: usize) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::with_capacity(length.min(gate.most_body));
    let (mut end, mut span, mut came) = (pin!(sleep(LONGEST)), pin!(sleep(SPAN)), 0);
    loop {
        let chunk = tokio::select! {
            biased;
            () = &mut end => return Err(BodyError::Interrupted),
            () = &mut span => {
                if came < LEAST {
                    return Err(BodyError::Interrupted);
                }
                came = 0;
                span.set(sleep(SPAN));
                continue;
            }
            chunk = payload.next() => chunk,
        };
        let Some(chunk) = chunk else { return Ok(bytes) };
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => BodyError::TooLarge,
            _ => BodyError::Interrupted,
        })?;
        if bytes.len() + chunk.len() > gate.most_body {
            return Err(BodyError::TooLarge);
        }
        came += chunk.len();
        bytes.extend_from_slice(&chunk);
    }
}

fn fields(gate: &Gate, request: &HttpRequest, bytes: Vec<u8>) -> Result<Vec<(String, String)>, BodyError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(BodyError::NotAForm);
    }
    let text = String::from_utf8(bytes).map_err(|_| BodyError::NotAForm)?;
    let pairs = decode(&text).ok_or(BodyError::NotAForm)?;
    if pairs.len() > gate.most_fields || pairs.iter().any(|(name, value)| name.len() > 200 || value.len() > gate.most_field) {
        return Err(BodyError::TooLarge);
    }
    Ok(pairs)
}

/// Decodes `a=b&c=d`; `None` when an escape is broken, or decodes to something that is not UTF-8.
pub fn decode(text: &str) -> Option<Vec<(String, String)>> {
    let part = |text: &str| {
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'+' => out.push(b' '),
                b'%' => {
                    let (high, low) = (bytes.next()?, bytes.next()?);
                    let digit = |b: u8| char::from(b).to_digit(16);
                    out.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                }
                other => out.push(other),
            }
        }
        // Browsers send line ends as CR LF; the model knows line feeds.
        String::from_utf8(out).ok().map(|text| text.replace("\r\n", "\n"))
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((part(name)?, part(value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_form_is_decoded_once_and_broken_escapes_are_refused() {
        let one = |text: &str| {
            decode(text).map(|pairs| pairs.into_iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(";"))
        };
        assert_eq!(one("a=1&b=x+y%26z&c").as_deref(), Some("a=1;b=x y&z;c="));
        assert_eq!(one("a=%252e").as_deref(), Some("a=%2e"), "decoded once only (ASVS 1.1.1)");
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff%fe"] {
            assert_eq!(one(broken), None, "{broken}");
        }
    }
}
