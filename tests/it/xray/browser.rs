//! The overlay and the reason of a refusal in a real browser. `UPDATE_PICTURES=1` keeps what it looks like, for the
//! documents.

use crate::support::chromium::{Browser, Chromium, Taste, free_port};
use crate::support::project;
use crate::support::server::Setup;
use portcullis::config::Origin;

fn picture(browser: &Browser, name: &str) {
    let bytes = browser.picture();
    assert!(bytes.len() > 10_000, "{name} shows something");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::write(project(&format!("docs/screenshots/{name}.png")), bytes).unwrap();
    }
}

fn sign_in(browser: &Browser, name: &str) {
    browser.open("/sign-in");
    browser.click_at(&format!("//ul[contains(@class, 'demo-list')]//button[contains(., '{name}')]"));
    browser.sees_no("Demo: sign in with one click");
}

#[test]
fn a_person_looks_through_a_page_and_an_administrator_finds_the_reason_of_a_refusal() {
    let Some(chromium) = Chromium::start() else { return };
    let listen: std::net::SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let origin = Origin::of_listen(listen);
    let base = origin.to_string();
    let setup = Setup::of(project("apps/people")).with(move |settings| {
        settings.listen = listen;
        settings.base_url = origin;
    });
    let _server = setup.run();

    let nadia = chromium.person("Nadia", &base, Taste::default());
    nadia.resize(1280, 900);
    sign_in(&nadia, "Nadia Okafor");
    nadia.open("/p/hr.Employees");
    assert_eq!(nadia.count("//a[contains(@class, 'xray-badge')]"), 0);
    nadia.click("X-ray");
    nadia.sees("320 rows exist, 306 released to you; 14 withheld");
    nadia.sees("Not shown: New employee");
    assert!(nadia.count("//tbody//td[1]/a[contains(@class, 'xray-badge')]") > 10, "each row has its number");
    assert!(nadia.count("//td//a[contains(@class, 'xray-no')]") > 0, "and what is withheld has one");
    picture(&nadia, "xray-employees");
    nadia.fill("Search", "okafor");
    nadia.script("document.querySelector('.grid-tools').requestSubmit()");
    nadia.sees("1–");
    nadia.sees("320 rows exist, 306 released to you; 14 withheld");
    nadia.open("/p/hr.Employees");
    nadia.click_at("//tr[contains(., 'Kenji Aguilar')]//a[@class='row-link']");
    nadia.sees("Why this object is shown");
    nadia.click_at("(//div[contains(@class, 'xray-mark')]/a[contains(@class, 'xray-badge')])[3]");
    nadia.sees("shown, not to be changed here");
    nadia.click_at("(//div[contains(@class, 'xray-mark')]/a[contains(@class, 'xray-no')])[1]");
    nadia.sees("withheld: no rule of yours that reads it holds here");
    let open =
        "return document.activeElement.id === location.hash.slice(1) && document.activeElement.querySelector('details').open";
    let followed = (0..200).any(|_| nadia.script(open) == true);
    assert!(followed, "a number leads the keyboard to its reason");
    picture(&nadia, "xray-detail");
    nadia.is_content();
    nadia.open("/p/hr.PayOverview");
    nadia.sees("Not for you");
    let reference = nadia.texts("//p[@class='reference']/code").remove(0);

    let phone = chromium.person("Rosa", &base, Taste { phone: true, dark: true, no_script: true });
    sign_in(&phone, "Rosa Ferreira");
    phone.open("/p/hr.Employees");
    phone.click_at("//a[@data-menu-toggle]");
    phone.click("X-ray");
    phone.sees("rows exist");
    picture(&phone, "xray-phone");
    phone.is_content();

    let arun = chromium.person("Arun", &base, Taste::default());
    arun.resize(1280, 1060);
    sign_in(&arun, "Arun Mehta");
    arun.open("/admin/audit");
    arun.click("Find a refusal by its reference");
    arun.fill("Reference", &reference);
    arun.click("Find the reason");
    arun.sees("open hr.PayOverview");
    arun.sees("Nadia Okafor");
    arun.sees("give one of the user roles");
    picture(&arun, "why-refused");
    arun.is_content();
}
