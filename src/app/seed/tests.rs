use super::*;
use crate::clock::Clock;
use crate::crypto::Keys;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::testing::{each, sqlite};
use crate::domain::{Kind, Value};
use crate::identity::password::HashSettings;
use crate::identity::{DemoMode, Identity, IdentitySettings};
use crate::model::{self, Files, Model};
use crate::store;
use chrono::NaiveDateTime;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

const APP: &str = r#"
app: shop
title: Shop
level: prototype
language: en
languages: [en]
modules: [shop]
userRoles:
  Clerk: {moduleRoles: [shop.Desk]}
administration: {users: [Clerk]}
demoUsers:
  - {key: ada, name: Ada, email: ada@shop.example, userRoles: [Clerk]}
"#;
const DOMAIN: &str = r#"
enumerations:
  Size: {Small: {}, Large: {}}
entities:
  Item:
    store: [created, changed, owner]
    attributes:
      number: {type: autonumber}
      name: {type: string, length: 10, required: true}
      price: {type: decimal, precision: 8, scale: 2, min: "0"}
      size: {type: enumeration, of: Size, default: "'Small'"}
      sold: {type: boolean}
      day: {type: date}
      moment: {type: datetime}
      twice: {type: decimal, calculated: "this.price + this.price"}
    associations:
      next: {to: Item, onDelete: clear}
      twin: {to: Item, kind: one-to-one, required: true, onDelete: refuse}
      tags: {to: Tag, kind: many-to-many}
      keeper: {to: system.User, onDelete: clear}
  Tag:
    attributes:
      name: {type: string, required: true}
    associations:
      above: {to: Tag, onDelete: clear}
    tree: above
    unique: [[name]]
  Form:
    persistable: false
    attributes:
      text: {type: string}
"#;

fn now() -> NaiveDateTime {
    "2026-03-10T12:00:00".parse().unwrap()
}

fn people(db: &Db, model: &Model) -> Demo {
    let hash = HashSettings { memory_kib: 64, passes: 1, lanes: 1 };
    let settings = IdentitySettings { hash, ..IdentitySettings::default() };
    let identity = Identity::new(Keys::ephemeral(), Clock::fixed(now()), "test", settings).unwrap();
    let mode = DemoMode::on("127.0.0.1:8080".parse().unwrap()).unwrap();
    let users = db.write(|conn| identity.ensure_demo_users(conn, mode, &Demo::users_of(model))).unwrap();
    Demo { mode, users }
}

/// A database in the shape of a model, and all that seeding needs.
struct Shop {
    model: Arc<Model>,
    demo: Demo,
    folder: tempfile::TempDir,
}

impl Shop {
    fn new(db: &Db, files: &[(&str, &str)]) -> Self {
        let model = [("app.yaml", APP), ("shop/module.yaml", "roles: {Desk: Sells}\n"), ("shop/domain.yaml", DOMAIN)];
        let (model, findings) = model::load(&Files::of(model));
        let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
        store::apply(db, &store::Statements::new(&model).unwrap(), &BTreeSet::new(), now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("seed")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join("seed").join(name), text).unwrap();
        }
        Self { demo: people(db, &model), model, folder }
    }

    fn load(&self, db: &Db) -> Result<Seeded, SeedError> {
        load(self.folder.path(), &self.model, db, &self.demo, &Clock::fixed(now()))
    }

    fn faults(db: &Db, files: &[(&str, &str)]) -> Vec<String> {
        let shop = Self::new(db, files);
        let Err(SeedError::Faults(faults)) = shop.load(db) else { panic!("faults were expected") };
        assert_eq!(count(db, "SELECT count(*) FROM shop_item"), 0);
        assert_eq!(count(db, "SELECT count(*) FROM shop_tag"), 0);
        faults.iter().map(ToString::to_string).collect()
    }
}

fn rows(db: &Db, text: &'static str, kinds: &[Kind]) -> Vec<Vec<String>> {
    let mut sql = Sql::new();
    sql.raw(text);
    let found = db.read(|conn| fetch(conn, &sql, &Params::new(None, now(), now().date()), kinds)).unwrap();
    found.into_iter().map(|row| row.iter().map(Value::canonical).collect()).collect()
}

fn count(db: &Db, text: &'static str) -> i64 {
    rows(db, text, &[Kind::INTEGER])[0][0].parse().unwrap()
}

const TAGS: (&str, &str) = ("02-shop.Tag.csv", "key,name\nt1,Red\nt2,\"Blue, dark\"\n");

#[test]
fn references_may_point_forward_and_to_themselves_and_dates_are_relative() {
    each(|db| {
        let items = "key,name,price,day,moment,next,twin,tags,keeper\n\
                     i1,First,1.50,@today-30,@now-3d,i2,i1,t1 t2,demo:ada\n\
                     i2,Second,,@today+1,@now+10m,,i2,,\n";
        let shop = Shop::new(db, &[("01-shop.Item.csv", items), TAGS]);
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(4));
        let (text, size) = (Kind::Text, Kind::Text);
        let kinds = [Kind::INTEGER, text, Kind::Date, Kind::DateTime, size, Kind::Boolean];
        let found = rows(db, "SELECT number, name, day, moment, size, sold FROM shop_item ORDER BY id", &kinds);
        assert_eq!(found[0], ["1", "First", "2026-02-08", "2026-03-07T12:00:00.000Z", "Small", "false"]);
        assert_eq!(found[1], ["2", "Second", "2026-03-11", "2026-03-10T12:10:00.000Z", "Small", "false"]);
        let pairs = "SELECT a.name, b.name, c.name FROM shop_item a JOIN shop_item c ON c.id = a.twin_id \
                     LEFT JOIN shop_item b ON b.id = a.next_id ORDER BY a.id";
        let names = [Kind::Text, Kind::Text, Kind::Text];
        assert_eq!(rows(db, pairs, &names), [["First", "Second", "First"], ["Second", "", "Second"]]);
        let tags = "SELECT t.name FROM shop_item__tags l JOIN shop_tag t ON t.id = l.target_id ORDER BY t.id";
        assert_eq!(rows(db, tags, &[Kind::Text]), [["Red"], ["Blue, dark"]]);
        let kept = "SELECT i.created, i.changed, a.email FROM shop_item i LEFT JOIN account a ON a.id = i.owner_id ORDER BY i.id";
        let kept = rows(db, kept, &[Kind::DateTime, Kind::DateTime, Kind::Text]);
        assert_eq!(kept[0], ["2026-02-08T08:00:00.000Z", "2026-03-07T12:00:00.000Z", "ada@shop.example"]);
        assert_eq!(kept[1], ["2026-03-10T12:00:00.000Z", "2026-03-10T12:00:00.000Z", ""]);
        assert_eq!(count(db, "SELECT next FROM autonumber WHERE entity_member = 'shop.Item.number'"), 3);
    });
}

#[test]
fn a_database_with_any_row_stays_as_it_is() {
    each(|db| {
        let shop = Shop::new(db, &[TAGS]);
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(2));
        std::fs::write(shop.folder.path().join("seed/01-shop.Item.csv"), "not even\na seed").unwrap();
        assert_eq!(shop.load(db).unwrap(), Seeded::AlreadyThere);
        assert_eq!(count(db, "SELECT count(*) FROM shop_tag"), 2);
    });
}

#[test]
fn an_app_without_seed_has_no_rows() {
    sqlite(|db| {
        let shop = Shop::new(db, &[]);
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(0));
        std::fs::remove_dir(shop.folder.path().join("seed")).unwrap();
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(0));
    });
}

#[test]
fn every_fault_is_told_at_once_with_its_place() {
    sqlite(|db| {
        let items = "key,name,price,size,sold,day,moment,next,twin,tags,keeper,created\n\
                     i1,Much too long,-1,Huge,perhaps,@today-x,@now-3,nobody,,t1 t9 t1,demo:eve,\n\
                     i1,A,,,true,,,,i1,,,\n\
                     i 2,A,,,true,,,,i1,,,\n\
                     i3,,1.234,,true,2026-02-30,@today,,i1,,ada,2026-01-01T00:00Z\n\
                     i4,A\n";
        let found = Shop::faults(db, &[("01-shop.Item.csv", items), TAGS]);
        let expected = [
            "seed/01-shop.Item.csv:2:sold: `perhaps` is no boolean",
            "seed/01-shop.Item.csv:2:day: `@today-x` is no date; write @today, @today-30 or @today+3",
            "seed/01-shop.Item.csv:2:moment: `@now-3` is no datetime; write @now, @now-3d, @now-5h or @now+10m",
            "seed/01-shop.Item.csv:2:keeper: there is no demo user `eve`",
            "seed/01-shop.Item.csv:2:name: Name has more than 10 characters",
            "seed/01-shop.Item.csv:2:price: Price must be at least 0.00",
            "seed/01-shop.Item.csv:2:size: Size is not enumeration shop.Size",
            "seed/01-shop.Item.csv:2:twin: Twin is required",
            "seed/01-shop.Item.csv:3:key: `i1` is the key of another row",
            "seed/01-shop.Item.csv:4:key: a key is a word of at most 100 bytes that does not begin with demo:",
            "seed/01-shop.Item.csv:5:price: `1.234` is no decimal of at most 8 digits, 2 of them after the point",
            "seed/01-shop.Item.csv:5:day: `2026-02-30` is no date",
            "seed/01-shop.Item.csv:5:moment: `@today` is no datetime; write @now, @now-3d, @now-5h or @now+10m",
            "seed/01-shop.Item.csv:5:keeper: `ada` is no account; write demo:<key>",
            "seed/01-shop.Item.csv:5:name: Name is required",
            "seed/01-shop.Item.csv:6: the row has 2 cells in place of 12",
            "seed/01-shop.Item.csv:2:next: no row of shop.Item has the key `nobody`",
            "seed/01-shop.Item.csv:2:tags: no row of shop.Tag has the key `t9`",
            "seed/01-shop.Item.csv:2:tags: `t1` is there twice",
        ];
        for line in expected {
            assert!(found.iter().any(|fault| fault == line), "missing: {line}\n{found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:#?}");
    });
}

#[test]
fn a_file_that_is_none_of_the_model_is_refused() {
    for (name, text, expected) in [
        ("tags.csv", "key\n", "seed/tags.csv: a seed file is called NN-<module>.<Entity>.csv"),
        ("01-shop.Itm.csv", "key\n", "seed/01-shop.Itm.csv: there is no entity shop.Itm; did you mean shop.Item?"),
        ("01-shop.Form.csv", "key\n", "seed/01-shop.Form.csv: shop.Form is not persistable"),
        ("01-system.User.csv", "key\n", "seed/01-system.User.csv: accounts come from demoUsers in app.yaml"),
        ("01-shop.Tag.csv", "", "seed/01-shop.Tag.csv: the file is empty; its first line names the columns"),
        ("01-shop.Tag.csv", "name,key\n", "seed/01-shop.Tag.csv:1:name: the first column is `key`, and no other one is"),
        ("01-shop.Tag.csv", "key,name,name\n", "seed/01-shop.Tag.csv:1:name: the column is there twice"),
        ("01-shop.Tag.csv", "key,nam\n", "seed/01-shop.Tag.csv:1:nam: shop.Tag has no such member; did you mean name?"),
        ("01-shop.Item.csv", "key,twice\n", "seed/01-shop.Item.csv:1:twice: a calculated member is never stored"),
        ("01-shop.Item.csv", "key,version\n", "seed/01-shop.Item.csv:1:version: shop.Item has no such member"),
    ] {
        sqlite(|db| assert_eq!(Shop::faults(db, &[(name, text)])[0], expected));
    }
}

#[test]
fn hostile_bytes_are_refused_and_a_text_is_only_ever_a_text() {
    sqlite(|db| {
        let shop = Shop::new(db, &[]);
        let file = shop.folder.path().join("seed/01-shop.Tag.csv");
        for bytes in [&b"key,name\nt1,a\0b\n"[..], b"key,name\nt1,\xff\xfe\n", b"\xff\xfe\n", b"key,name\nt1,\"open\n\x1b[2J\n"] {
            std::fs::write(&file, bytes).unwrap();
            assert!(matches!(shop.load(db), Err(SeedError::Faults(_))), "{bytes:?}");
        }
        std::fs::write(&file, format!("key,name\n{}", "t,x\n".repeat(5_000))).unwrap();
        let Err(SeedError::Faults(faults)) = shop.load(db) else { panic!("faults were expected") };
        assert_eq!(faults.len(), 100);
        std::fs::write(&file, "key,name\nt1,\"'); DROP TABLE shop_tag; --\"\nt2,@today-1\nt3,#7\n").unwrap();
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(3));
        let names = rows(db, "SELECT name FROM shop_tag ORDER BY id", &[Kind::Text]);
        assert_eq!(names, [["'); DROP TABLE shop_tag; --"], ["@today-1"], ["#7"]]);
    });
}

#[test]
fn a_row_that_the_database_refuses_is_named_and_nothing_stays() {
    each(|db| {
        let twice = "key,name\nt1,Red\nt2,Red\n";
        let found = Shop::faults(db, &[("01-shop.Tag.csv", twice)]);
        assert_eq!(found, ["seed/01-shop.Tag.csv:3: another row has the same name"]);
    });
}

#[test]
fn relative_steps_of_any_size_do_not_overflow() {
    for (step, fits) in [
        ("-0", true),
        ("+999999", true),
        ("-999999", false),
        ("+1000000", false),
        ("-9999999999999999999", false),
        ("--1", false),
        ("-1d", false),
        ("- 1", false),
        ("-", false),
    ] {
        sqlite(|db| {
            let items = format!("key,name,twin,day,moment\ni1,A,i1,@today{step},@now{step}d\n");
            assert_eq!(Shop::new(db, &[("01-shop.Item.csv", &items)]).load(db).is_ok(), fits, "{step}");
        });
    }
}

#[test]
fn a_huge_file_is_refused_unread_and_a_link_out_of_the_folder_is_not_followed() {
    sqlite(|db| {
        let shop = Shop::new(db, &[]);
        let seed = shop.folder.path().join("seed");
        let file = std::fs::File::create(seed.join("01-shop.Tag.csv")).unwrap();
        file.set_len((16 << 20) + 1).unwrap();
        let Err(SeedError::Faults(faults)) = shop.load(db) else { panic!("faults were expected") };
        assert_eq!(faults[0].to_string(), "seed/01-shop.Tag.csv: the file is larger than 16 MiB");
        std::fs::remove_file(seed.join("01-shop.Tag.csv")).unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("tags"), "key,name\nt1,Red\n").unwrap();
        std::os::unix::fs::symlink(outside.path().join("tags"), seed.join("01-shop.Tag.csv")).unwrap();
        assert_eq!(shop.load(db).unwrap(), Seeded::Rows(0));
    });
}

#[test]
fn the_apps_of_this_project_are_seeded_whole() {
    for (app, least) in [("apps/people", 5_000), ("tests/apps/library", 150)] {
        each(|db| {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(app);
            let (model, findings) = model::load(&Files::read(&folder).unwrap());
            let model = Arc::new(model.unwrap_or_else(|| panic!("{}", findings.human())));
            store::apply(db, &store::Statements::new(&model).unwrap(), &BTreeSet::new(), now()).unwrap();
            let (demo, clock) = (people(db, &model), Clock::fixed(now()));
            let before = (std::time::Instant::now(), db.prepared());
            let seeded = load(&folder, &model, db, &demo, &clock).unwrap_or_else(|error| panic!("{app}:\n{error}"));
            let Seeded::Rows(rows) = seeded else { panic!("{app} was not seeded") };
            println!("{app}: {rows} rows, {} ms, {} prepared", before.0.elapsed().as_millis(), db.prepared() - before.1);
            assert!(rows >= least, "{app}: {rows}");
            assert!(db.prepared() - before.1 < 120, "one prepared statement a file, not one a row");
            assert_eq!(load(&folder, &model, db, &demo, &clock).unwrap(), Seeded::AlreadyThere);
        });
    }
}

#[test]
fn rows_that_close_a_circle_in_a_tree_are_a_fault_of_their_line() {
    each(|db| {
        let tags = "key,name,above\nt1,Red,t2\nt2,Blue,t3\nt3,Green,t1\n";
        assert_eq!(
            Shop::faults(db, &[("02-shop.Tag.csv", tags)]),
            ["seed/02-shop.Tag.csv:3:above: Above can't be the object itself or one below it"]
        );
        let alone = "key,name,above\nt1,Red,t1\n";
        let told = Shop::faults(db, &[("02-shop.Tag.csv", alone)]);
        assert_eq!(told, ["seed/02-shop.Tag.csv:2:above: Above can't be the object itself or one below it"]);
    });
}
