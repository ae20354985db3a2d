//! How much was generated and is stored in a database.

use super::site::{Database, Site};
use diesel::prelude::*;
use diesel::sql_types::Double;
use diesel::sqlite::SqliteConnection;

/// Counts of a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct Objects {
    /// Views, triggers, functions of triggers and policies.
    pub count: f64,
    /// KiB of their text.
    pub text: f64,
    /// On PostgreSQL only.
    pub roles: Option<f64>,
    pub policies: Option<f64>,
    /// Tables, indexes, sequences and views.
    pub relations: Option<f64>,
}

const OURS: &str = "(SELECT oid FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema')";

impl Objects {
    /// Counts what is stored at a site; the server has ended.
    pub fn of(site: &Site) -> Self {
        match &site.database {
            Some(database) => Self::of_postgresql(database),
            None => Self::of_sqlite(&site.file().display().to_string()),
        }
    }

    fn of_sqlite(file: &str) -> Self {
        #[derive(QueryableByName)]
        struct Found {
            #[diesel(sql_type = Double)]
            count: f64,
            #[diesel(sql_type = Double)]
            text: f64,
        }
        const STORED: &str = "SELECT CAST(count(*) AS REAL) AS count, CAST(coalesce(sum(length(sql)), 0) AS REAL) AS text \
            FROM sqlite_master WHERE type IN ('view', 'trigger')";
        let found = SqliteConnection::establish(file).and_then(|mut conn| {
            diesel::sql_query(STORED).get_result::<Found>(&mut conn).map_err(ConnectionError::CouldntSetupConfiguration)
        });
        let found = found.unwrap_or_else(|error| panic!("{file}: {error}"));
        Self { count: found.count, text: found.text / 1_024.0, ..Self::default() }
    }

    fn of_postgresql(database: &Database) -> Self {
        let count = |sql: &str| database.number(&format!("SELECT count(*) FROM {sql}"));
        let text = |text: &str, from: &str| database.number(&format!("SELECT coalesce(sum(length({text})), 0) FROM {from}"));
        let views = format!("pg_class WHERE relkind = 'v' AND relnamespace IN {OURS}");
        let functions = format!("pg_proc WHERE pronamespace IN {OURS}");
        let triggers = "pg_trigger WHERE NOT tgisinternal";
        let policies = count("pg_policy");
        let all = count(&views) + count(&functions) + count(triggers) + policies;
        let texts = [
            text("pg_get_viewdef(oid)", &views),
            text("prosrc", &functions),
            text("pg_get_triggerdef(oid)", triggers),
            text("concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))", "pg_policy"),
        ];
        Self {
            count: all,
            text: texts.iter().sum::<f64>() / 1_024.0,
            roles: Some(count("pg_roles WHERE rolname LIKE 'pc\\_%'")),
            policies: Some(policies),
            relations: Some(count(&format!("pg_class WHERE relnamespace IN {OURS}"))),
        }
    }
}
