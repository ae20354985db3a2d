//! Portcullis itself, with the bench app.

use portcullis::clock::Clock;
use portcullis::config::{Overrides, Settings};
use portcullis::log::Logs;
use portcullis::server::{self, Mode};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// The model files of the bench app.
pub const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/app");

/// Settings of a server over this data folder.
pub fn settings(listen: SocketAddr, data: &Path) -> anyhow::Result<Settings> {
    let flags = Overrides { listen: Some(listen), data: Some(data.into()), app: Some(APP.into()), file: None };
    Settings::load(&flags).map_err(anyhow::Error::msg)
}

/// Serves, in demo mode so that there are users to sign in as; tells where, and their passwords.
pub fn serve(listen: SocketAddr, data: &Path) -> anyhow::Result<()> {
    let settings = settings(listen, data)?;
    let logs = Logs::start(&settings.log);
    let web = server::assemble(settings, Mode::Demo, Clock::system(), logs)?;
    server::run(web, |web, address| {
        let users = web.app.demo.iter().flat_map(|demo| demo.users.iter());
        let passwords: BTreeMap<&str, &str> = users.map(|one| (one.user.email.as_str(), one.password.as_str())).collect();
        println!("{}", serde_json::json!({"address": address, "passwords": passwords}));
    })?;
    Ok(())
}
