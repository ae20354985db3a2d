//! Where requests begin and end on a connection, read strictly.
//!
//! Guarantees: bytes go on to the HTTP parser only while they form requests that can be read in one way: lines end
//! in CR LF, no line is folded, no control character, one `Host`, one length. The parser behind it reads a lone LF
//! as a line end; a proxy in front may not, and then the two disagree about what a header is.
//! Deliberately not here: what a request means. The parser and the gate decide that.

/// Bytes of a request line and its headers.
const MOST_HEAD: usize = 32 * 1024;

/// What reads along.
#[derive(Debug, Default)]
pub struct Framing {
    state: State,
    head: Head,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Within a request line or headers.
    #[default]
    Head,
    /// So many bytes of a body are still to come.
    Body(u64),
    /// Nothing goes on any more.
    Closed,
}

/// What is known of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    line: Vec<u8>,
    seen: usize,
    has_request_line: bool,
    hosts: u8,
    length: Option<u64>,
    is_coded: bool,
}

/// The head cannot be read in one way only.
struct Ambiguous;

impl Framing {
    /// How many of these bytes go on. After a fault the last of them is made a NUL, which every parser refuses, so
    /// that the answer is a plain 400 in its turn.
    // SECURITY: request smuggling and header injection by line ends that two parsers read differently, and by two
    // lengths (CWE-444; `what_two_parsers_could_read_differently_is_refused`).
    pub fn pass(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get_mut(at) {
            match self.state {
                State::Closed => return at,
                State::Body(left) => {
                    let rest = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
                    let step = left.min(rest);
                    at += usize::try_from(step).unwrap_or(usize::MAX);
                    self.state = if step == left { State::Head } else { State::Body(left - step) };
                }
                State::Head => {
                    at += 1;
                    match self.head.take(*byte) {
                        Ok(None) => {}
                        Ok(Some(next)) => {
                            self.state = next;
                            self.head = Head::default();
                        }
                        Err(Ambiguous) => {
                            *byte = 0;
                            self.state = State::Closed;
                        }
                    }
                }
            }
        }
        at
    }

    /// Whether a head has begun and not ended.
    pub fn is_within_head(&self) -> bool {
        self.state == State::Head && self.head.seen > 0
    }
    /// Whether a body has begun and not ended.
    pub fn is_within_body(&self) -> bool {
        matches!(self.state, State::Body(_))
    }
    /// Whether nothing goes on any more.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }
}

impl Head {
    /// Takes a byte; what comes after the head, when this was its last.
    fn take(&mut self, byte: u8) -> Result<Option<State>, Ambiguous> {
        self.seen += 1;
        let after_return = self.line.last() == Some(&b'\r');
        match byte {
            _ if self.seen > MOST_HEAD => Err(Ambiguous),
            b'\n' if after_return => {
                self.line.pop();
                let line = std::mem::take(&mut self.line);
                let next = self.end_line(&line);
                self.line = line;
                self.line.clear();
                next
            }
            b'\n' => Err(Ambiguous),
            _ if after_return => Err(Ambiguous),
            b'\r' | b'\t' | 0x20..=0x7e | 0x80.. => {
                self.line.push(byte);
                Ok(None)
            }
            _ => Err(Ambiguous),
        }
    }

    fn end_line(&mut self, line: &[u8]) -> Result<Option<State>, Ambiguous> {
        match line {
            // An empty line before a request: some clients send one after a body.
            [] if !self.has_request_line => Ok(None),
            [] => self.end().map(Some),
            _ if !self.has_request_line => {
                self.has_request_line = true;
                if is_request_line(line) { Ok(None) } else { Err(Ambiguous) }
            }
            // A folded line.
            [b' ' | b'\t', ..] => Err(Ambiguous),
            _ => self.header(line).map(|()| None),
        }
    }

    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Ambiguous)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Ambiguous)?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(Ambiguous);
        }
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
            if self.hosts > 1 {
                return Err(Ambiguous);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            if self.length.replace(length.ok_or(Ambiguous)?).is_some() {
                return Err(Ambiguous);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_coded || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
            }
            self.is_coded = true;
        }
        Ok(())
    }

    /// What comes after the head. A body in chunks is never read: the gate answers 411, and nothing more goes on.
    fn end(&self) -> Result<State, Ambiguous> {
        match (self.is_coded, self.length) {
            (true, Some(_)) => Err(Ambiguous),
            (true, None) => Ok(State::Closed),
            (false, None | Some(0)) => Ok(State::Head),
            (false, Some(length)) => Ok(State::Body(length)),
        }
    }
}

/// `METHOD target HTTP/1.1`, with one space each.
fn is_request_line(line: &[u8]) -> bool {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let named = !method.is_empty() && method != b"CONNECT" && method.iter().copied().all(is_token);
    let plain = !target.is_empty() && target.iter().all(|byte| byte.is_ascii_graphic());
    named && plain && matches!(version, b"HTTP/1.1" | b"HTTP/1.0")
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on of a text, given in pieces of a size.
    fn passed(text: &str, piece: usize) -> Vec<u8> {
        let mut framing = Framing::default();
        let mut out = Vec::new();
        for part in text.as_bytes().chunks(piece) {
            let mut part = part.to_vec();
            let count = framing.pass(&mut part);
            out.extend_from_slice(&part[..count]);
        }
        out
    }

    #[test]
    fn whole_requests_pass_one_after_another_in_pieces_of_any_size() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\nPOST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na=\n\r\n\0\x01bc\
                    \r\nGET /z HTTP/1.0\r\nA:\r\nB:\t \tv\u{e9} \r\n\r\n";
        for piece in [1, 2, 3, 7, 64, 10_000] {
            assert_eq!(passed(text, piece), text.as_bytes(), "in pieces of {piece}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let faults = [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\n: a\r\n\r\n",
            "GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET /\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length:\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\nx",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\nx",
        ];
        for text in faults {
            for piece in [1, 5, 1_000] {
                let passed = passed(text, piece);
                assert_eq!(passed.last(), Some(&0), "{text:?} in pieces of {piece}");
                assert_eq!(passed.iter().filter(|byte| **byte == 0).count(), 1, "{text:?}");
            }
        }
    }

    #[test]
    fn after_a_fault_or_a_body_in_chunks_nothing_goes_on() {
        let smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
        let fault = format!("GET / HTTP/1.1\nHost: a\r\n\r\n{smuggled}");
        assert_eq!(passed(&fault, 1_000), b"GET / HTTP/1.1\0");
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(passed(&format!("{head}0\r\n\r\n{smuggled}"), 3), head.as_bytes());
    }

    #[test]
    fn a_body_is_counted_to_its_last_byte() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\n";
        let passed = passed(text, 1_000);
        assert_eq!(passed.last(), Some(&0), "the line feed after the body begins another head, badly");
    }

    #[test]
    fn a_head_without_end_is_cut_off() {
        let mut framing = Framing::default();
        let mut line = b"GET / HTTP/1.1\r\nX: ".to_vec();
        line.resize(MOST_HEAD + 5, b'x');
        assert_eq!(framing.pass(&mut line), MOST_HEAD + 1);
        assert!(framing.is_closed() && line[MOST_HEAD] == 0);
        let mut many = Framing::default();
        let mut empty = b"\r\n".repeat(MOST_HEAD);
        many.pass(&mut empty);
        assert!(many.is_closed(), "empty lines before a request are not for ever");
    }
}
