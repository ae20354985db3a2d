//! The templates in one language.
//!
//! They are part of the program. What they call with a fixed text (`t`, `asset`) is written into
//! them once, when they are loaded: a page has a hundred of these, and a call costs a microsecond.

use super::assets::Assets;
use super::cells::{self, Words};
use super::frame::Frames;
use super::reasons::Signs;
use super::render::RenderError;
use std::collections::BTreeMap;
use std::sync::Arc;
use tera::{Kwargs, State, Tera};

#[derive(rust_embed::RustEmbed)]
#[folder = "templates/"]
struct Templates;

/// What renders in one language.
pub(super) struct Spoken {
    pub(super) tera: Tera,
    pub(super) words: Words,
    pub(super) signs: Signs,
    pub(super) frames: Frames,
    /// What stands around the rows of grids.
    pub(super) grids: Frames,
}

/// Paths and texts of all templates of pages.
pub(super) fn files() -> Vec<(String, String)> {
    Templates::iter()
        .filter(|path| path.ends_with(".html"))
        .filter_map(|path| Some((path.to_string(), String::from_utf8_lossy(&Templates::get(&path)?.data).into_owned())))
        .collect()
}

impl Spoken {
    /// Loads templates.
    pub(super) fn new(
        files: &[(String, String)],
        assets: &Arc<Assets>,
        texts: &BTreeMap<String, String>,
    ) -> Result<Self, RenderError> {
        let mut tera = Tera::new();
        tera.set_escape_fn(cells::escape);
        let known = assets.clone();
        tera.register_function("asset", move |given: Kwargs, _: &State<'_>| -> tera::TeraResult<String> {
            Ok(known.url(given.must_get::<&str>("path")?))
        });
        let say = |text: &str| texts.get(text).map_or(text, String::as_str).to_owned();
        let known = texts.clone();
        tera.register_function("t", move |given: Kwargs, _: &State<'_>| -> tera::TeraResult<String> {
            let text = given.must_get::<&str>("text")?;
            Ok(known.get(text).map_or(text, String::as_str).to_owned())
        });
        let written = files.iter().map(|(path, text)| {
            let text = written_out(text, "{{ asset(path=\"", |path| assets.url(path));
            let text = written_out(&text, "{{ t(text=\"", say);
            (path.as_str(), icons_out(&text, &assets.url("icons.svg")))
        });
        tera.add_raw_templates(written.collect::<Vec<_>>())?;
        Ok(Self {
            tera,
            words: Words::new(assets, say),
            signs: Signs::new(say),
            frames: Frames::default(),
            grids: Frames::default(),
        })
    }
}

/// Puts the result of each call that begins like this, with one literal text, in its place.
// SECURITY: a text with a brace stays a call, so a translation is never read as template.
fn written_out(template: &str, call: &str, make: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(template.len());
    let mut parts = template.split(call);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let made = part.split_once("\") }}").map(|(text, rest)| (text, cells::escaped(&make(text)), rest));
        match made {
            Some((text, made, rest)) if !text.contains(['"', '\\']) && !made.contains(['{', '}']) && made.trim() == made => {
                out.push_str(&made);
                out.push_str(rest);
            }
            _ => {
                out.push_str(call);
                out.push_str(part);
            }
        }
    }
    out
}

/// Puts each icon of a literal name in its place, as the component `icon` writes it: a call of a component costs as
/// much as twenty texts.
fn icons_out(template: &str, file: &str) -> String {
    const CALL: &str = "{{ <icon name=\"";
    let mut out = String::with_capacity(template.len() * 2);
    let mut parts = template.split(CALL);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once("\" /> }}") {
            Some((name, rest)) if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
                let parts = ["<svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\"><use href=\"", file, "#", name];
                parts.iter().for_each(|part| out.push_str(part));
                out.push_str("\"></use></svg>");
                out.push_str(rest);
            }
            _ => {
                out.push_str(CALL);
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Spoken, files, icons_out, written_out};
    use crate::web::assets::Assets;
    use std::sync::Arc;

    #[test]
    fn an_icon_is_written_as_its_component_writes_it() {
        let assets = Arc::new(Assets::load().unwrap());
        let spoken = Spoken::new(&files(), &assets, &Default::default()).unwrap();
        let mut tera = spoken.tera;
        // The name in a variable: not written out.
        tera.add_raw_template("one.html", "{% set n = \"log-out\" %}{{ <icon name={n} /> }}").unwrap();
        let component = tera.render("one.html", &tera::Context::new()).unwrap();
        assert_eq!(icons_out("{{ <icon name=\"log-out\" /> }}", &assets.url("icons.svg")), component);
        for other in ["{{ <icon name={n} /> }}", "{{ <icon name=\"x\" class=\"fold\" /> }}", "{{ <icon name=\"a\" ~ \"b\" /> }}"]
        {
            assert_eq!(icons_out(other, "f"), other);
        }
    }

    #[test]
    fn a_fixed_text_is_written_into_the_template_escaped_and_never_as_template() {
        let say = |text: &str| if text == "A" { "a <b>".to_owned() } else { "{{ 7 * 7 }}".to_owned() };
        let template = "<p title=\"{{ t(text=\"A\") }}\">{{ t(text=\"B\") }}{{ t(text=name) }}{{ t(text=\"A\" ~ x) }}";
        let expected = "<p title=\"a &lt;b&gt;\">{{ t(text=\"B\") }}{{ t(text=name) }}{{ t(text=\"A\" ~ x) }}";
        assert_eq!(written_out(template, "{{ t(text=\"", say), expected);
    }
}
