//! Static files: part of the program, fingerprinted, compressed once at start, never changing.
//!
//! A file's address carries a digest of its content, so browsers may keep it for ever. Nothing is
//! read from a folder at run time in a release build, so no path of a request can reach one.

use aws_lc_rs::digest::{SHA256, digest};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Embedded;

/// One static file.
pub struct Asset {
    /// What it is.
    pub content_type: &'static str,
    /// Its bytes.
    pub plain: Cow<'static, [u8]>,
    /// Its bytes compressed, where that makes it smaller.
    pub gzip: Option<Vec<u8>>,
    /// Digest of its content: its version and entity tag.
    pub fingerprint: String,
}

/// An answer for a static file.
pub struct Answer<'a> {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Content-Encoding`, when compressed.
    pub encoding: Option<&'static str>,
    /// `Cache-Control`.
    pub cache: &'static str,
    /// `ETag`.
    pub tag: String,
    /// The body.
    pub body: &'a [u8],
}

/// All static files.
pub struct Assets {
    files: HashMap<String, Asset>,
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "public, no-cache";

impl Assets {
    /// Loads, digests and compresses all files.
    pub fn load() -> std::io::Result<Self> {
        let mut files = HashMap::new();
        for path in Embedded::iter().filter(|path| !path.ends_with(".md")) {
            if let Some(file) = Embedded::get(&path) {
                files.insert(path.to_string(), Asset::of(&path, file.data)?);
            }
        }
        Ok(Self { files })
    }

    /// The address of a file, with its fingerprint; without one when there is no such file.
    pub fn url(&self, path: &str) -> String {
        match self.files.get(path) {
            Some(asset) => format!("/static/{path}?v={}", asset.fingerprint),
            None => format!("/static/{path}"),
        }
    }

    /// The file at a path below `/static/`.
    pub fn file(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }

    /// The answer for a path below `/static/`, the version that was asked for, and whether the
    /// client takes gzip. Only the right version may be kept for ever.
    pub fn answer(&self, path: &str, version: Option<&str>, gzip: bool) -> Option<Answer<'_>> {
        let asset = self.files.get(path)?;
        let compressed = asset.gzip.as_deref().filter(|_| gzip);
        Some(Answer {
            content_type: asset.content_type,
            encoding: compressed.map(|_| "gzip"),
            cache: if version == Some(asset.fingerprint.as_str()) { FOR_EVER } else { ASK_AGAIN },
            tag: format!("\"{}{}\"", asset.fingerprint, if compressed.is_some() { "-gz" } else { "" }),
            body: compressed.unwrap_or(&asset.plain),
        })
    }

    /// The paths of all files.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

impl Asset {
    fn of(path: &str, plain: Cow<'static, [u8]>) -> std::io::Result<Self> {
        let hash = digest(&SHA256, &plain);
        let fingerprint = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let content_type = content_type(path);
        let gzip = if content_type.starts_with("font/") { None } else { compressed(&plain)? };
        Ok(Self { content_type, plain, gzip, fingerprint })
    }
}

fn compressed(plain: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    let packed = encoder.finish()?;
    Ok((packed.len() < plain.len()).then_some(packed))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_file_may_be_kept_for_ever_only_under_its_fingerprint() {
        let assets = Assets::load().unwrap();
        let url = assets.url("app.css");
        let (path, version) = url.split_once("?v=").unwrap();
        assert_eq!(path, "/static/app.css");
        let right = assets.answer("app.css", Some(version), false).unwrap();
        assert_eq!((right.cache, right.content_type, right.encoding), (FOR_EVER, "text/css; charset=utf-8", None));
        for version in [None, Some("0000000000000000"), Some("")] {
            assert_eq!(assets.answer("app.css", version, false).unwrap().cache, ASK_AGAIN);
        }
    }

    #[test]
    fn what_is_compressed_unpacks_to_the_same_bytes() {
        let assets = Assets::load().unwrap();
        for path in assets.paths() {
            let asset = assets.file(path).unwrap();
            assert_ne!(asset.content_type, "application/octet-stream", "{path}");
            let Some(gzip) = &asset.gzip else { continue };
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut back).unwrap();
            assert_eq!(back, asset.plain.as_ref(), "{path}");
            assert!(assets.answer(path, None, true).unwrap().body.len() < asset.plain.len(), "{path}");
        }
    }

    #[test]
    fn no_path_leads_out_of_the_files() {
        let assets = Assets::load().unwrap();
        for path in
            ["../Cargo.toml", "/etc/passwd", "vendor/../../Cargo.toml", "", ".", "vendor", "app.css/", "APP.CSS", "README.md"]
        {
            assert!(assets.answer(path, None, true).is_none(), "{path}");
        }
    }
}
