//! A real browser: headless Chromium, driven through ChromeDriver.
//!
//! Each [`Browser`] is a browser process of its own with an empty profile, so each is a person with their own cookies.
//! A shell that waits for the end of this process stops the driver and every browser by process id and removes the
//! profiles; so nothing stays behind, however a test ends.

use super::skip;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long a page may take to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// ChromeDriver, listening on a free port.
pub struct Chromium {
    address: String,
    browser: PathBuf,
    dir: tempfile::TempDir,
    guard: Child,
    people: AtomicU32,
}

/// What a person has decided about their browser.
#[derive(Clone, Copy, Default)]
pub struct Taste {
    /// Scripts are switched off.
    pub no_script: bool,
    /// Dark colours are preferred.
    pub dark: bool,
    /// The window is as wide as a phone.
    pub phone: bool,
}

/// One person's browser, on one server.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    driver: String,
    session: String,
    base: String,
    who: String,
}

/// Looks a program up on the path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A port of this machine that nobody listens on.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A shell that outlives nobody: when its input ends, it stops the driver and whatever names the folder, and removes it.
fn guard(driver: &Path, port: u16, dir: &Path) -> Child {
    let script = r#"
        "$1" --port="$2" >"$3/driver.log" 2>&1 &
        driver=$!
        cat
        kill "$driver"
        for entry in /proc/[0-9]*; do
            if tr '\0' ' ' <"$entry/cmdline" | grep -qF -- "--user-data-dir=$3/"; then kill -9 "${entry#/proc/}"; fi
        done
        wait
        rm -rf "$3"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "guard"]).arg(driver).arg(port.to_string()).arg(dir);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Chromium {
    /// Starts the driver, or counts the test as skipped where there is no Chromium.
    pub fn start() -> Option<Self> {
        let (Some(browser), Some(driver)) = (program("chromium"), program("chromedriver")) else {
            skip::skipped("browser", "Chromium");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("portcullis-chromium-").tempdir().unwrap();
        let port = free_port();
        let guard = guard(&driver, port, dir.path());
        let address = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        while ureq::get(format!("{address}/status")).call().is_err() {
            assert!(begun.elapsed() < PATIENCE, "ChromeDriver does not answer");
            std::thread::yield_now();
        }
        Some(Self { address, browser, dir, guard, people: AtomicU32::new(0) })
    }

    /// Another person's browser, on the server at `base`.
    pub fn person(&self, who: &str, base: &str, taste: Taste) -> Browser {
        let number = self.people.fetch_add(1, Ordering::SeqCst);
        let profile = self.dir.path().join(number.to_string());
        let mut arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--no-first-run".into(),
            "--force-prefers-reduced-motion".into(),
            "--lang=en".into(),
            format!("--user-data-dir={}", profile.display()),
            format!("--window-size={}", if taste.phone { "390,844" } else { "1280,800" }),
        ];
        if taste.dark {
            arguments.push("--blink-settings=preferredColorScheme=0".into());
        }
        let scripts = if taste.no_script { 2 } else { 1 };
        let options = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "binary": self.browser, "args": arguments,
                "prefs": {"profile.managed_default_content_settings.javascript": scripts},
            },
        });
        let Value::Object(options) = options else { unreachable!("it was written as an object") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let client = runtime.block_on(ClientBuilder::new(connector).capabilities(options).connect(&self.address)).unwrap();
        let session = runtime.block_on(client.session_id()).unwrap().unwrap();
        Browser { runtime, client, driver: self.address.clone(), session, base: base.to_owned(), who: who.to_owned() }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

impl Browser {
    fn run<T>(&self, what: &str, command: impl Future<Output = Result<T, CmdError>>) -> T {
        match self.runtime.block_on(command) {
            Ok(value) => value,
            Err(error) => panic!("{}: {what}: {error}\n{}", self.who, self.text()),
        }
    }

    /// Tries until something is there.
    fn until<T>(&self, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(value) = attempt() {
                return value;
            }
            assert!(begun.elapsed() < PATIENCE, "{}: {what}\nat {}\n{}", self.who, self.path(), self.text());
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(40)).await });
        }
    }

    /// Opens an address of the server.
    pub fn open(&self, path: &str) {
        self.run(path, self.client.goto(&format!("{}{path}", self.base)));
    }

    /// The path of the page and its query.
    pub fn path(&self) -> String {
        let url = self.runtime.block_on(self.client.current_url()).map(|url| url.to_string()).unwrap_or_default();
        url.strip_prefix(&self.base).unwrap_or(&url).to_owned()
    }

    /// The words a person sees.
    pub fn text(&self) -> String {
        let read = async { self.client.find(Locator::Css("body")).await?.text().await };
        self.runtime.block_on(read).unwrap_or_default()
    }

    /// Waits until the page says something.
    pub fn sees(&self, words: &str) {
        self.until(&format!("waits for {words:?}"), || self.text().contains(words).then_some(()));
    }

    /// Waits until the page no longer says something.
    pub fn sees_no(&self, words: &str) {
        self.until(&format!("still sees {words:?}"), || (!self.text().contains(words)).then_some(()));
    }

    /// All displayed elements that an XPath finds.
    fn displayed(&self, path: &str) -> Vec<Element> {
        let find = async {
            let mut shown = Vec::new();
            for element in self.client.find_all(Locator::XPath(path)).await? {
                if element.is_displayed().await? {
                    shown.push(element);
                }
            }
            Ok::<_, CmdError>(shown)
        };
        self.runtime.block_on(find).unwrap_or_default()
    }

    /// How many displayed elements an XPath finds.
    pub fn count(&self, path: &str) -> usize {
        self.displayed(path).len()
    }

    /// The texts of the displayed elements that an XPath finds.
    pub fn texts(&self, path: &str) -> Vec<String> {
        self.displayed(path).iter().map(|element| self.runtime.block_on(element.text()).unwrap_or_default()).collect()
    }

    /// An attribute of the elements that an XPath finds, displayed or not.
    pub fn attributes(&self, path: &str, name: &str) -> Vec<String> {
        let read = async {
            let mut values = Vec::new();
            for element in self.client.find_all(Locator::XPath(path)).await? {
                values.extend(element.attr(name).await?);
            }
            Ok::<_, CmdError>(values)
        };
        self.runtime.block_on(read).unwrap_or_default()
    }

    /// Clicks the first displayed element that an XPath finds, as soon as there is one.
    pub fn click_at(&self, path: &str) {
        self.until(&format!("looks for {path}"), || {
            let first = self.displayed(path).into_iter().next()?;
            self.runtime.block_on(first.click()).ok()
        });
    }

    /// Clicks the link or button with exactly these words.
    pub fn click(&self, words: &str) {
        self.click_at(&format!("//*[self::a or self::button or self::summary][normalize-space(.)='{words}']"));
    }

    /// Clicks in the row of a list that has these words.
    pub fn click_in_row(&self, row: &str, words: &str) {
        self.click_at(&format!("//tr[contains(., '{row}')]//*[self::a or self::button][normalize-space(.)='{words}']"));
    }

    /// Opens the row of a list that has these words.
    pub fn open_row(&self, row: &str) {
        self.click_at(&format!("//tr[contains(., '{row}')]//a"));
    }

    fn field(label: &str) -> String {
        format!("//*[@id=//label[starts-with(normalize-space(.), '{label}')]/@for]")
    }

    /// Types into the field with this label.
    pub fn fill(&self, label: &str, value: &str) {
        self.until(&format!("looks for the field {label:?}"), || {
            let field = self.displayed(&Self::field(label)).into_iter().next()?;
            self.runtime
                .block_on(async {
                    field.clear().await?;
                    field.send_keys(value).await
                })
                .ok()
        });
    }

    /// Enters a date (`2026-03-02`): month, day and year, as an English browser asks for them.
    pub fn fill_date(&self, label: &str, date: chrono::NaiveDate) {
        self.fill(label, &date.format("%m%d%Y").to_string());
    }

    /// Chooses from the list with this label.
    pub fn choose(&self, label: &str, option: &str) {
        self.click_at(&format!("{}/option[contains(normalize-space(.), '{option}')]", Self::field(label)));
    }

    /// Ticks the box with this label.
    pub fn tick(&self, label: &str) {
        self.click_at(&Self::field(label));
    }

    /// A picture of the window, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        self.run("a picture", self.client.screenshot())
    }

    /// Makes the window as large as this.
    pub fn resize(&self, width: u32, height: u32) {
        self.run("the size", self.client.set_window_size(width, height));
    }

    /// Runs a script in the page, as a person's developer tools would.
    pub fn script(&self, script: &str) -> Value {
        self.run(script, self.client.execute(script, Vec::new()))
    }

    /// What the browser complained about since it was last asked: refused content, broken scripts. Answers that are
    /// refusals are not complaints.
    pub fn complaints(&self) -> Vec<String> {
        let address = format!("{}/session/{}/se/log", self.driver, self.session);
        let body = json!({"type": "browser"}).to_string();
        let answer =
            ureq::post(address).content_type("application/json").send(body).unwrap().body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let entries = answer["value"].as_array().unwrap().iter();
        let bad =
            entries.filter(|entry| entry["source"] != "network" && (entry["level"] == "SEVERE" || entry["source"] == "security"));
        bad.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Fails if the browser complained about anything.
    pub fn is_content(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{}: the browser complained:\n{}", self.who, complaints.join("\n"));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}
