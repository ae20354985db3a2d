//! An answer before it becomes HTTP.

/// What the session cookie does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SessionAct {
    /// Stays as it is.
    #[default]
    Keep,
    /// Holds this token from now on.
    Begin(String),
    /// Goes.
    End,
}

/// The body.
#[derive(Clone, Debug)]
pub enum Body {
    /// A page.
    Html(String),
    /// Plain text.
    Text(String),
    /// Another address, to be fetched with GET.
    Redirect(String),
    /// A page or plain text, compressed with gzip.
    Packed {
        /// `Content-Type`.
        kind: &'static str,
        /// What is sent.
        bytes: Vec<u8>,
    },
}

impl Body {
    /// `Content-Type` of a page.
    pub const HTML: &'static str = "text/html; charset=utf-8";
    /// `Content-Type` of plain text.
    pub const TEXT: &'static str = "text/plain; charset=utf-8";
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// What the session cookie does.
    pub session: SessionAct,
    /// Cookies to set: name, value (empty removes it), seconds to live (`None`: until the browser closes).
    pub cookies: Vec<(&'static str, String, Option<i64>)>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
    /// It holds a secret that stays the same from answer to answer, so its length must not tell how well it compresses.
    pub uncompressed: bool,
}

impl Reply {
    /// A page.
    pub fn html(status: u16, html: String) -> Self {
        Self {
            status,
            body: Body::Html(html),
            session: SessionAct::Keep,
            cookies: Vec::new(),
            retry_after: None,
            uncompressed: false,
        }
    }
    /// Plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self { body: Body::Text(text.into()), ..Self::html(status, String::new()) }
    }
    /// Go on there.
    pub fn redirect(to: impl Into<String>) -> Self {
        Self { body: Body::Redirect(to.into()), ..Self::html(303, String::new()) }
    }
    /// Adds a cookie.
    #[must_use]
    pub fn cookie(mut self, name: &'static str, value: impl Into<String>, lives: Option<i64>) -> Self {
        self.cookies.push((name, value.into(), lives));
        self
    }
    /// Keeps it as it is on its way: see [`Reply::uncompressed`].
    #[must_use]
    pub fn not_compressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }
    /// Sets what the session cookie does.
    #[must_use]
    pub fn session(mut self, act: SessionAct) -> Self {
        self.session = act;
        self
    }
}
