//! `migrate`, `audit`, `account`, `secret`, `settings`: what an operator does beside running the server.

use super::say::{self, complain};
use super::serve::{Flags, failed};
use crate::app::{Round, compare_layers};
use crate::audit;
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::Dialect;
use crate::domain::Name;
use crate::identity::{Actor, Identity, IdentitySettings, NewAccount};
use crate::model::{self, Files, Model};
use crate::server::{Use, open_database};
use crate::store::{self, Plan, Statements};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

/// So many lines of a kind are shown unless all are asked for.
const MOST_LINES: usize = 20;

fn load(folder: &std::path::Path) -> Result<Model, ExitCode> {
    let files = Files::read(folder).map_err(complain)?;
    let (model, findings) = model::load(&files);
    model.ok_or_else(|| complain(findings.human()))
}

/// Brings the database in step with the model.
#[derive(Args)]
#[group(required = true, multiple = false, id = "what", args = ["plan", "apply"])]
pub(super) struct Migrate {
    /// Show what would be done
    #[arg(long)]
    plan: bool,
    /// Do it, in one transaction
    #[arg(long)]
    apply: bool,
    /// Show every statement too
    #[arg(long)]
    verbose: bool,
    /// Accept that these stored values are lost (entity or member, as the plan names them)
    #[arg(long, value_name = "NAME")]
    accept_loss: Vec<String>,
    #[command(flatten)]
    flags: Flags,
}

impl Migrate {
    pub(super) fn run(self) -> ExitCode {
        match self.work() {
            Ok(code) | Err(code) => code,
        }
    }

    fn work(self) -> Result<ExitCode, ExitCode> {
        let settings = self.flags.settings()?;
        let model = load(&settings.app)?;
        let statements = Statements::new(&Arc::new(model)).map_err(complain)?;
        let wanted = if self.apply { Use::Change } else { Use::Look };
        let (db, _hold) = open_database(&settings, wanted).map_err(|error| failed(&error))?;
        let now = Clock::system().now();
        if self.apply {
            db.restore_guards().map_err(complain)?.iter().for_each(|what| say::line(format_args!("RESTORED {what}")));
        } else {
            db.guard_faults().map_err(complain)?.iter().for_each(|what| say::line(format_args!("DRIFT {what}")));
        }
        let plan = db.read(|conn| store::plan(conn, &statements, now)).map_err(complain)?;
        self.show(&plan, db.dialect());
        if plan.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if self.apply {
            let accepted: BTreeSet<String> = self.accept_loss.into_iter().collect();
            store::apply(&db, &statements, &accepted, now).map_err(complain)?;
            store::prepare_all(&db, &statements, now).map_err(complain)?;
            say::line(format_args!("Applied."));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is lost comes first, then what is in the way, then what is done.
    fn show(&self, plan: &Plan, dialect: Dialect) {
        for loss in &plan.losses {
            say::line(format_args!("LOSES {}: {} (name it with --accept-loss {})", loss.name, loss.what, loss.name));
        }
        for missing in plan.missing() {
            say::line(format_args!(
                "MISSING {missing}: required, but rows exist without a value and there is no constant default"
            ));
        }
        self.some("OVERLAP", plan.overlaps());
        self.some("DRIFT", plan.drift());
        self.some("WARNING", plan.warnings());
        if plan.is_empty() {
            return say::line(format_args!("The database is in step with the model."));
        }
        plan.summary(dialect).iter().for_each(say::line);
        let mut statements = 0_usize;
        for step in plan.all_steps() {
            let all = step.sql(dialect);
            statements = statements.saturating_add(all.len());
            if self.verbose {
                say::line(format_args!("{}", step.what));
                all.iter().for_each(|statement| say::line(format_args!("    {statement};")));
            }
        }
        if !self.verbose {
            say::line(format_args!("{statements} statements; --verbose shows them."));
        }
    }

    /// The first of many lines, or all of them.
    fn some(&self, word: &str, lines: &[String]) {
        let most = if self.verbose { usize::MAX } else { MOST_LINES };
        lines.iter().take(most).for_each(|line| say::line(format_args!("{word} {line}")));
        if let Some(more) = lines.len().checked_sub(most).filter(|more| *more > 0) {
            say::line(format_args!("{word} and {more} more; --verbose shows them"));
        }
    }
}

/// The record of what happened.
#[derive(Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    act: AuditAct,
}

#[derive(Subcommand)]
enum AuditAct {
    /// Check that no record was altered, added or removed
    Verify(Flags),
    /// Check that the layers decide alike about a sample of rows, for every set of roles that is held
    Layers(Flags),
    /// Go on with a trail that does not agree with its anchors, after a backup was restored; this is recorded
    Accept(Flags),
}

impl Audit {
    pub(super) fn run(self) -> ExitCode {
        let done = match self.act {
            AuditAct::Verify(flags) => verify(&flags),
            AuditAct::Layers(flags) => layers(&flags),
            AuditAct::Accept(flags) => accept(&flags),
        };
        match done {
            Ok(code) | Err(code) => code,
        }
    }
}

fn verify(flags: &Flags) -> Result<ExitCode, ExitCode> {
    let settings = flags.settings()?;
    let keys = Keys::load_file(&settings.secret_file).map_err(complain)?;
    let (db, _hold) = open_database(&settings, Use::Look).map_err(|error| failed(&error))?;
    let file = audit::AnchorFile::beside(&settings.secret_file, &settings.node);
    let noted = file.noted(&keys);
    let report = db.read(|conn| audit::verify(conn, &keys, Some(&noted))).map_err(complain)?;
    say::text(&report);
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn accept(flags: &Flags) -> Result<ExitCode, ExitCode> {
    let settings = flags.settings()?;
    let keys = Keys::load_file(&settings.secret_file).map_err(complain)?;
    let (db, _hold) = open_database(&settings, Use::Change).map_err(|error| failed(&error))?;
    let file = audit::AnchorFile::beside(&settings.secret_file, &settings.node);
    let noted = file.noted(&keys);
    let faults = db.read(|conn| audit::anchor_faults(conn, &keys, Some(&noted))).map_err(complain)?;
    if faults.is_empty() {
        say::line("The trail agrees with its anchors.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut event =
        audit::Event::new(audit::EventKind::TrailAccepted, "the trail was accepted as it is").by(None, "command line");
    for (node, fault) in faults {
        say::line(format_args!("node {node}: {fault}"));
        event = event.detail("fault", None, Some(format!("node {node}: {fault}")));
    }
    // Recorded first: what is accepted is a trail that says so.
    db.write(|conn| audit::record(conn, &keys, &settings.node, &Clock::system(), &event)).map_err(complain)?;
    audit::accept_anchors(&db, &keys, &file).map_err(complain)?;
    audit::seal(&db, &keys, audit::Unsealed::Ours).map_err(complain)?;
    file.keep(&db, &keys).map_err(complain)?;
    say::line("Accepted, and recorded.");
    Ok(ExitCode::SUCCESS)
}

fn layers(flags: &Flags) -> Result<ExitCode, ExitCode> {
    let settings = flags.settings()?;
    let model = Arc::new(load(&settings.app)?);
    let keys = Keys::load_file(&settings.secret_file).map_err(complain)?;
    let (db, hold) = open_database(&settings, Use::Look).map_err(|error| failed(&error))?;
    let (statements, clock) = (store::Statements::new(&model).map_err(complain)?, Clock::system());
    let found = compare_layers(&db, &statements, &keys, &clock, Round::ALL).map_err(complain)?;
    say::line(format_args!("{} rows looked at for {} sets of roles", found.rows, found.sets));
    // An SQLite file that a server has open is that server's to write: it finds and records the same.
    let ours = hold.is_some() || db.dialect() == Dialect::Postgres;
    for event in found.incidents().into_iter().filter(|_| ours) {
        db.write(|conn| audit::record(conn, &keys, &settings.node, &clock, &event)).map_err(complain)?;
    }
    audit::seal(&db, &keys, audit::Unsealed::Ours).map_err(complain)?;
    for circle in &found.circles {
        say::line(format_args!("WARNING {circle}"));
    }
    for one in &found.differences {
        say::line(format_args!("{one}"));
    }
    if found.differences.is_empty() {
        say::line(format_args!("The layers decide alike."));
        return Ok(ExitCode::SUCCESS);
    }
    let recorded = if ours { "recorded as incidents" } else { "which the running server records" };
    say::line(format_args!("{} difference(s), {recorded}.", found.differences.len()));
    Ok(ExitCode::FAILURE)
}

/// Accounts.
#[derive(Args)]
pub(super) struct Account {
    #[command(subcommand)]
    act: AccountAct,
}

#[derive(Subcommand)]
enum AccountAct {
    /// Make an account and print the link with which its owner chooses a password
    Create {
        /// The person's address
        #[arg(long)]
        email: String,
        /// The person's name
        #[arg(long)]
        name: String,
        /// A user role; repeat for several
        #[arg(long, required = true)]
        role: Vec<String>,
        #[command(flatten)]
        flags: Flags,
    },
}

impl Account {
    pub(super) fn run(self) -> ExitCode {
        let AccountAct::Create { email, name, role, flags } = self.act;
        match create(&email, &name, &role, &flags) {
            Ok(code) | Err(code) => code,
        }
    }
}

fn create(email: &str, name: &str, roles: &[String], flags: &Flags) -> Result<ExitCode, ExitCode> {
    let settings = flags.settings()?;
    let model = load(&settings.app)?;
    for role in roles {
        if model.user_roles.get(role.as_str()).is_none_or(|found| found.anonymous) {
            let known: Vec<&str> =
                model.user_roles.iter().filter(|(_, found)| !found.anonymous).map(|(name, _)| name.as_str()).collect();
            return Err(complain(format!("there is no user role `{role}` to give; there are {}", known.join(", "))));
        }
    }
    let keys = Keys::load_file(&settings.secret_file).map_err(complain)?;
    let (db, _hold) = open_database(&settings, Use::Change).map_err(|error| failed(&error))?;
    let identity =
        Identity::new(keys.clone(), Clock::system(), &settings.node, IdentitySettings::configured(&settings, &model.title))
            .map_err(complain)?;
    let roles: BTreeSet<Name> = roles.iter().map(Name::new).collect();
    let new = NewAccount { email, name, roles: &roles };
    let (_, token) = db.write(|conn| identity.invite(conn, &Actor::system("command line"), &new)).map_err(complain)?;
    say::line(format_args!("{}/link/invite/{token}", settings.base_url));
    if let Err(error) = audit::seal(&db, &keys, audit::Unsealed::Ours) {
        say::aside(format_args!("portcullis: the record of it is sealed by the next server that starts: {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The installation's root secret.
#[derive(Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    act: SecretAct,
}

#[derive(Subcommand)]
enum SecretAct {
    /// Make the secret file (`secret_file`), readable by its owner only; never replaces one
    Create(Flags),
}

impl Secret {
    pub(super) fn run(self) -> ExitCode {
        let SecretAct::Create(flags) = self.act;
        let settings = match flags.settings() {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        match Keys::load_or_create_file(&settings.secret_file) {
            Ok(_) => {
                say::line(format_args!("{}", settings.secret_file.display()));
                ExitCode::SUCCESS
            }
            Err(error) => complain(error),
        }
    }
}

/// The resolved settings, without secrets.
#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    flags: Flags,
}

impl Show {
    pub(super) fn run(self) -> ExitCode {
        match self.flags.settings() {
            Ok(settings) => {
                say::text(settings.display());
                ExitCode::SUCCESS
            }
            Err(code) => code,
        }
    }
}
