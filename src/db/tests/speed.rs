//! What a change of rights costs. Run alone: `cargo test --release --lib db::tests::speed -- --ignored --nocapture`.

use super::standing::{employee, fill, params, sql, standing};
use crate::clock::Clock;
use crate::db::sql::fetch;
use crate::db::testing::each;
use crate::db::{Conn, Db, DbError, Purpose};
use crate::domain::Kind;

const ROUNDS: u32 = 2_000;

#[test]
#[ignore = "measures"]
fn what_a_change_of_rights_costs() {
    each(|db| {
        fill(db);
        let set = standing(employee(), 1);
        let asked = sql("SELECT m_name FROM {r} WHERE id = 1");
        let plain = sql("SELECT name FROM hr_employee WHERE id = 1");
        let read = |conn: &mut Conn| fetch(conn, &asked, &params(), &[Kind::Text]).map(drop);
        let system = |conn: &mut Conn| fetch(conn, &plain, &params(), &[Kind::Text]).map(drop);
        let bare = timed(db, false, |conn| system(conn));
        let within = timed(db, false, |conn| conn.within(&set, Purpose::Read, read));
        let switch = timed(db, false, |conn| conn.within(&set, Purpose::Read, |_| Ok::<_, DbError>(())));
        let nothing = timed(db, true, |_| Ok(()));
        let begun = timed(db, true, |conn| conn.within(&set, Purpose::Read, |_| Ok::<_, DbError>(())));
        println!(
            "{:?}: a statement of the system {bare:.1} us, of a set {within:.1} us, the switch alone {switch:.1} us",
            db.dialect()
        );
        println!("{:?}: a read transaction {nothing:.1} us, with one change of rights {begun:.1} us", db.dialect());
    });
}

/// Microseconds of one round, each in a transaction of its own or all in one.
fn timed(db: &Db, apart: bool, work: impl Fn(&mut Conn) -> Result<(), DbError>) -> f64 {
    let clock = Clock::system();
    let many = |rounds: u32| {
        let once = |conn: &mut Conn| (0..rounds).try_for_each(|_| work(conn));
        if apart { (0..rounds).for_each(|_| db.read(|conn| work(conn)).unwrap()) } else { db.read(once).unwrap() }
    };
    many(50);
    let start = clock.instant();
    many(ROUNDS);
    (clock.instant() - start).as_secs_f64() * 1e6 / f64::from(ROUNDS)
}
