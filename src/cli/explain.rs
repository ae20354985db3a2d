//! `explain`: why somebody may, or may not, do something: the decision with its reasons as a tree.
//!
//! The command line is the operator's, who may read the whole database anyway: every value is shown. With `--as` the
//! tree is told as that person may know it.

use super::say::complain;
use super::serve::{Flags, failed};
use crate::access::explain::{Case, Explanation, Op, Person, Question, Wanted};
use crate::access::{Authority, Grants, Part};
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::Conn;
use crate::domain::{Name, ObjectId, QName};
use crate::identity::{self, Account, AccountId};
use crate::model::{self, Files, Model};
use crate::server::{Use, open_database};
use crate::store::{self, Statements};
use clap::{Args, ValueEnum};
use std::process::ExitCode;
use std::sync::Arc;

/// Whoever the server's own work is done for: nobody, with no roles.
const JOB: &str = "job";

/// What is done to an object.
#[derive(Clone, Copy, ValueEnum)]
enum Operation {
    Read,
    Write,
    Create,
    Delete,
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For tools.
    Json,
}

#[derive(Args)]
#[group(id = "about", multiple = false, args = ["entity", "page", "part"])]
pub(super) struct Explain {
    /// Whose decision: e-mail address or number of an account, `visitor`, or `job`
    #[arg(long)]
    user: String,
    /// An operation on this entity (`hr.Employee`)
    #[arg(long)]
    entity: Option<String>,
    /// The object: its number, or a handle from an address
    // A handle may begin with a hyphen.
    #[arg(long, requires = "entity", allow_hyphen_values = true)]
    id: Option<String>,
    /// One member of it
    #[arg(long, requires = "entity")]
    member: Option<String>,
    /// What is done
    #[arg(long, value_enum, default_value = "read", requires = "entity")]
    op: Operation,
    /// Opening this page
    #[arg(long)]
    page: Option<String>,
    /// Running this microflow; with `--entity` an operation that it wants, with its elevation
    #[arg(long, required_unless_present = "about", conflicts_with_all = ["page", "part"])]
    microflow: Option<String>,
    /// Using this part of the administration
    #[arg(long)]
    part: Option<String>,
    /// Told as this person may know it: e-mail address or number of an account
    #[arg(long = "as", value_name = "USER")]
    told_to: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    flags: Flags,
}

/// Somebody with their present roles.
struct Found {
    named: String,
    user: Option<ObjectId>,
    grants: Grants,
}

impl Explain {
    pub(super) fn run(self) -> ExitCode {
        match self.work() {
            Ok(text) => super::out(&text),
            Err(code) => code,
        }
    }

    fn work(&self) -> Result<String, ExitCode> {
        let settings = self.flags.settings()?;
        let files = Files::read(&settings.app).map_err(complain)?;
        let (model, findings) = model::load(&files);
        let model = Arc::new(model.ok_or_else(|| complain(findings.human()))?);
        let keys = || Keys::load_file(&settings.secret_file).map_err(|error| error.to_string());
        let question = self.question(&model, keys).map_err(complain)?;
        let statements = Statements::new(&model).map_err(complain)?;
        let (db, _hold) = open_database(&settings, Use::Look).map_err(|error| failed(&error))?;
        let told = db.read(|conn| Ok::<_, crate::db::DbError>(self.told(conn, &model, &statements, &question)));
        told.map_err(complain)?.map_err(complain)
    }

    fn told(&self, conn: &mut Conn, model: &Arc<Model>, statements: &Statements, question: &Question) -> Result<String, String> {
        let subject = find(conn, model, &self.user)?;
        let asker = self.told_to.as_deref().map(|who| find(conn, model, who)).transpose()?;
        let person = |found: &'_ Found| (found.user, found.grants.rights().clone());
        let (wanting, asking) = (person(&subject), asker.as_ref().map(person));
        let case = Case {
            model,
            subject: Person { rights: &wanting.1, user: wanting.0 },
            asker: asking.as_ref().map(|(user, rights)| Person { rights, user: *user }),
            now: Clock::system().now(),
        };
        let found = store::explain(conn, statements, &case, question);
        let told_to = match &asker {
            Some(asker) => format!("as {} may know it", asker.named),
            None => "to the operator, who sees every value".to_owned(),
        };
        self.printed(&found, &subject.named, &told_to)
    }

    fn printed(&self, found: &Explanation, user: &str, told_to: &str) -> Result<String, String> {
        if self.format == Format::Text {
            return Ok(format!(
                "{}\n  user        {user}\n  told        {told_to}\n{}",
                found.summary,
                after_first(&found.text())
            ));
        }
        let mut value = serde_json::to_value(found).map_err(|error| error.to_string())?;
        if let Some(fields) = value.as_object_mut() {
            fields.insert("user".into(), user.into());
            fields.insert("told".into(), told_to.into());
        }
        serde_json::to_string_pretty(&value).map_err(|error| error.to_string())
    }

    fn question(&self, model: &Model, keys: impl Fn() -> Result<Keys, String>) -> Result<Question, String> {
        let named = |text: &str| QName::parse(text).ok_or_else(|| format!("`{text}` is not module.Name"));
        if let Some(page) = &self.page {
            return known(named(page)?, |name| model.pages.contains_key(name), "page").map(Question::Open);
        }
        let flow = self.microflow.as_deref().map(named).transpose()?;
        let flow = flow.map(|flow| known(flow, |name| model.microflows.contains_key(name), "microflow")).transpose()?;
        if let (Some(flow), None) = (&flow, &self.entity) {
            // No role is asked of a job.
            return Ok(if self.user == JOB { Question::Call(flow.clone()) } else { Question::Run(flow.clone()) });
        }
        if let Some(part) = &self.part {
            let found = Part::ALL.into_iter().find(|known| known.id() == part);
            return found.map(Question::Administer).ok_or_else(|| format!("there is no part `{part}` of the administration"));
        }
        let entity = named(self.entity.as_deref().unwrap_or_default())?;
        let entity = known(entity, |name| model.entity(name).is_some(), "entity")?;
        let object = self.id.as_deref().map(|text| object(&entity, text, &keys)).transpose()?;
        let op = match self.op {
            Operation::Read => Op::Read,
            Operation::Write => Op::Write,
            Operation::Create => Op::Create,
            Operation::Delete => Op::Delete,
        };
        let wanted = Wanted { op, entity, object, member: self.member.as_deref().map(Name::new) };
        Ok(Question::within(wanted, flow.as_ref()))
    }
}

/// The summary stands above already.
fn after_first(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

fn known(name: QName, is: impl Fn(&QName) -> bool, word: &str) -> Result<QName, String> {
    if is(&name) { Ok(name) } else { Err(format!("the app has no {word} {name}")) }
}

/// A number is a key; anything else has to be a handle of this installation.
fn object(entity: &QName, text: &str, keys: impl Fn() -> Result<Keys, String>) -> Result<ObjectId, String> {
    if let Ok(key) = text.trim_start_matches('#').parse() {
        return Ok(ObjectId(key));
    }
    keys()?.object(entity, text).ok_or_else(|| format!("`{text}` is neither a number nor a handle of {entity}"))
}

fn find(conn: &mut Conn, model: &Arc<Model>, who: &str) -> Result<Found, String> {
    if who == "visitor" {
        let roles = model.anonymous_role().cloned().into_iter().collect();
        return Ok(Found { named: "visitor".into(), user: None, grants: Grants::compile(model, &roles, false) });
    }
    if who == JOB {
        return Ok(Found { named: "job".into(), user: None, grants: Grants::none(model) });
    }
    let account: Option<Account> = match who.parse() {
        Ok(id) => identity::find(conn, AccountId(id)),
        Err(_) => identity::find_by_email(conn, who),
    }
    .map_err(|error| error.to_string())?;
    let account = account.ok_or_else(|| format!("there is no account {who}"))?;
    let roles = identity::roles(conn, account.id).map_err(|error| error.to_string())?;
    let named = format!("{} <{}>", account.name, account.email);
    Ok(Found { named, user: Some(ObjectId(account.id.0)), grants: Grants::compile(model, &roles, true) })
}
