//! Reading a form, within limits.

use super::Gate;
use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Payload;
use futures_util::StreamExt;
use std::time::Duration;

/// Why a form was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Too many bytes or fields.
    TooLarge,
    /// Not a form.
    NotAForm,
    /// It did not arrive whole.
    Interrupted,
}

/// A client has this long to send a form (slow senders must not hold a place for ever).
const PATIENCE: Duration = Duration::from_secs(30);

/// The fields of a form in order. Accepts only `application/x-www-form-urlencoded`.
pub async fn form(gate: &Gate, request: &HttpRequest, payload: Payload) -> Result<Vec<(String, String)>, BodyError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = match tokio::time::timeout(PATIENCE, read(gate, payload)).await {
        Ok(bytes) => bytes?,
        Err(_) => return Err(BodyError::Interrupted),
    };
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
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

async fn read(gate: &Gate, mut payload: Payload) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => BodyError::TooLarge,
            _ => BodyError::Interrupted,
        })?;
        if bytes.len() + chunk.len() > gate.most_body {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
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
