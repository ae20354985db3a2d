//! A database of its own beside those that a PostgreSQL server has, gone when dropped.
//!
//! Guarantees: the database that the given address names is connected to and neither read nor changed; the new one
//! has a name that no other has. Its clean-up is best effort: a server that is away keeps it, under that name.

use super::postgres::{PgConn, Target};
use super::{DbError, Roles};
use crate::config::Secret;
use crate::crypto::random_bytes;
use diesel::connection::SimpleConnection;
use std::io::Write;

/// A throw-away database.
pub struct Scratch {
    server: Target,
    name: String,
    url: Secret,
}

impl Scratch {
    /// Makes one on the server of this address; its role must be allowed to.
    pub fn create(url: &Secret) -> Result<Self, DbError> {
        let server = Target::parse(url)?;
        let name: String =
            random_bytes::<6>().iter().fold(String::from("portcullis_attack_"), |name, byte| name + &format!("{byte:02x}"));
        let inside = Secret::new(elsewhere(url.expose(), &name).ok_or_else(|| {
            DbError::Refused("the address must name a server and a database: postgres://user:password@host:port/name".into())
        })?);
        // SECURITY: the name is made of fixed letters and hexadecimal digits, nothing of it comes from outside.
        run(&server, &format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))?;
        Ok(Self { server, name, url: inside })
    }

    /// Its address.
    pub fn url(&self) -> &Secret {
        &self.url
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let prefix = Roles::of(&self.name).prefix().to_owned();
        let gone = run(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).and_then(|()| {
            // Its roles belong to the whole cluster, and own nothing any more.
            run(
                &self.server,
                &format!(
                    "DO $roles$ DECLARE entry record; BEGIN
                    FOR entry IN SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, '{prefix}') LOOP
                        EXECUTE format('DROP ROLE %I', entry.name);
                    END LOOP;
                END $roles$"
                ),
            )
        });
        if let Err(error) = gone {
            // Nobody may be listening any more.
            let _ = writeln!(std::io::stderr(), "of the throw-away database {} something is still there: {error}", self.name);
        }
    }
}

fn run(server: &Target, sql: &str) -> Result<(), DbError> {
    let (mut conn, ..): (PgConn, _, _) = server.connect()?;
    conn.batch_execute(sql).map_err(DbError::from)
}

/// The address of another database on the same server.
fn elsewhere(url: &str, name: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (whole, query) = rest.split_once('?').map_or((rest, None), |(whole, query)| (whole, Some(query)));
    let (host, _) = whole.split_once('/')?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{host}/{name}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, DbTarget, testing::cluster};

    #[test]
    fn only_the_name_of_the_database_is_exchanged() {
        let to = |url: &str| elsewhere(url, "x");
        assert_eq!(to("postgres://u:p@h:5/prod?sslmode=require").as_deref(), Some("postgres://u:p@h:5/x?sslmode=require"));
        assert_eq!(to("postgres://u@%2Ftmp/prod").as_deref(), Some("postgres://u@%2Ftmp/x"));
        assert_eq!(to("postgres://u@h"), None);
    }

    #[test]
    fn a_scratch_database_is_empty_and_gone_when_it_is_dropped() {
        let Some(cluster) = cluster::shared() else { return };
        let url = Secret::new(cluster.database());
        let scratch = Scratch::create(&url).unwrap();
        let target = DbTarget::Postgres(scratch.url().clone());
        assert!(!Db::open(&target, 1).unwrap().is_ready().unwrap());
        drop(scratch);
        assert!(Db::open(&target, 1).is_err());
        assert!(Db::open(&DbTarget::Postgres(url), 1).is_ok());
    }
}
