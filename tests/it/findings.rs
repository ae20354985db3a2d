//! What the checker says of broken models, word for word: code, place, excerpt, hint.

use crate::support::{golden, project};
use portcullis::model::{Files, Severity, load};
use std::collections::BTreeSet;

/// Name of the case, file, what is replaced (`""`: the file's beginning), by what.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("unknown key", "lending/pages/Books.yaml", "layout: app", "layuot: app"),
    ("unknown widget", "lending/pages/Books.yaml", "- heading:", "- headnig:"),
    ("yaml that is none", "lending/pages/Books.yaml", "roles: [Member, Desk]", "roles: [Member, Desk"),
    ("a file of no module", "texts/de.yaml", "", ""),
    ("a misspelt entity", "lending/pages/Books.yaml", "{entity: Book,", "{entity: Bokk,"),
    ("a misspelt member in a column", "lending/pages/Books.yaml", "{show: year,", "{show: yaer,"),
    (
        "a misspelt member in a rule",
        "lending/domain.yaml",
        "this.account == user\"\n      - doc: \"The desk",
        "this.acount == user\"\n      - doc: \"The desk",
    ),
    ("a comparison of different kinds", "lending/domain.yaml", "this.due >= this.lentOn", "this.due >= this.renewals"),
    (
        "an unknown value of an enumeration",
        "lending/domain.yaml",
        "this.condition != 'Withdrawn'\"}\n      - {doc: The desk keeps",
        "this.condition != 'Withdrawm'\"}\n      - {doc: The desk keeps",
    ),
    ("a wildcard", "lending/domain.yaml", "read: [name, born]}\n      - {doc: The desk", "read: ['*']}\n      - {doc: The desk"),
    (
        "a rule for an unknown role",
        "lending/domain.yaml",
        "roles: [Member, Desk], read: [name, born]",
        "roles: [Membr, Desk], read: [name, born]",
    ),
    ("a rule for nobody", "lending/domain.yaml", "roles: [Member, Desk], read: [name, born]", "roles: [], read: [name, born]"),
    (
        "a member that may be written and not read",
        "lending/domain.yaml",
        "read: [number, amount, settled, loan], where",
        "read: [number, amount, settled, loan], write: [reason], where",
    ),
    (
        "a server-kept member that is written",
        "lending/domain.yaml",
        "write: [shelf, condition, book]",
        "write: [shelf, condition, book, barcode]",
    ),
    (
        "a member granted to nobody",
        "lending/domain.yaml",
        "      pages: {type: integer, min: \"1\", label: Pages}",
        "      pages: {type: integer, min: \"1\", label: Pages}\n      weight: {type: integer}",
    ),
    ("a bad name", "lending/domain.yaml", "      giver:", "      Giver:"),
    ("a member named as the server's own", "lending/domain.yaml", "      giver:", "      version:"),
    ("an unknown type", "lending/domain.yaml", "born: {type: integer,", "born: {type: intger,"),
    ("a length where none belongs", "lending/domain.yaml", "born: {type: integer,", "born: {type: integer, length: 5,"),
    ("a decimal with too many digits", "lending/domain.yaml", "precision: 10, scale: 2", "precision: 30, scale: 2"),
    (
        "an enumeration that is not named",
        "lending/domain.yaml",
        "{type: enumeration, of: Condition, required",
        "{type: enumeration, required",
    ),
    ("a broken pattern", "lending/domain.yaml", "[0-9-]{10,17}", "[0-9-{10,17}"),
    ("a bound that is none", "lending/domain.yaml", "min: \"-800\"", "min: \"soon\""),
    (
        "a required association that is cleared",
        "lending/domain.yaml",
        "book: {to: Book, required: true, inverse: copies, onDelete: cascade",
        "book: {to: Book, required: true, inverse: copies, onDelete: clear",
    ),
    ("an inverse that is taken", "lending/domain.yaml", "inverse: donations", "inverse: copies"),
    (
        "a choice in the order of what only memory computes",
        "lending/domain.yaml",
        "calculated: \"this.firstName + ' ' + this.lastName\"",
        "calculated: \"this.firstName + text(length(this.lastName))\"",
    ),
    (
        "a default with more digits than are kept",
        "lending/domain.yaml",
        "price: {type: decimal, precision: 8, scale: 2, min: \"0\"",
        "price: {type: decimal, precision: 8, scale: 2, default: \"0.125\", min: \"0\"",
    ),
    (
        "calculated in a circle",
        "lending/domain.yaml",
        "calculated: \"this.firstName + ' ' + this.lastName\"",
        "calculated: \"this.fullName + '!'\"",
    ),
    (
        "ranges of texts",
        "lending/domain.yaml",
        "    display: due\n",
        "    display: due\n    exclude: {same: [copy], overlap: [shelf, due]}\n",
    ),
    (
        "a range of one member only",
        "lending/domain.yaml",
        "    unique: [[book, reader]]\n",
        "    unique: [[book, reader]]\n    exclude: {overlap: [placedOn, placedOn]}\n",
    ),
    (
        "ranges with one end",
        "lending/domain.yaml",
        "    display: due\n",
        "    display: due\n    exclude: [{overlap: [lentOn]}]\n",
    ),
    (
        "the same of what is calculated",
        "lending/domain.yaml",
        "    display: due\n",
        "    display: due\n    exclude: [{same: [late], overlap: [lentOn, due]}]\n",
    ),
    (
        "the same of a long text and of many",
        "lending/domain.yaml",
        "    unique: [[isbn]]\n",
        "    unique: [[isbn]]\n    exclude: [{same: [summary, authors], overlap: [isbn, title]}]\n",
    ),
    ("ranges in memory", "lending/domain.yaml", "  Joining:\n", "  Joining:\n    exclude: {overlap: [birthDate, birthDate]}\n"),
    (
        "an unknown member in ranges",
        "lending/domain.yaml",
        "    display: due\n",
        "    display: due\n    exclude: {same: [coppy], overlap: [lentOn, due], member: nowhere}\n",
    ),
    ("a tree that is none", "lending/domain.yaml", "    display: title\n", "    display: title\n    tree: authors\n"),
    (
        "a rule that the database cannot compute",
        "lending/domain.yaml",
        "where: \"!exists(this.books)\"",
        "where: \"this.born / 2 > 3\"",
    ),
    (
        "a comparison that needs too many digits",
        "lending/domain.yaml",
        "where: \"!exists(this.books)\"",
        "where: \"this.born > 0.00001\"",
    ),
    (
        "a handler for another entity",
        "lending/domain.yaml",
        "{on: after create, run: ClearReservation}",
        "{on: after create, run: Lend}",
    ),
    (
        "a handler of an unknown event",
        "lending/domain.yaml",
        "{on: after create, run: ClearReservation}",
        "{on: after midnight, run: ClearReservation}",
    ),
    (
        "a visitor who would reach stored data",
        "lending/domain.yaml",
        "roles: [Member, Desk], read: [name, born]",
        "roles: [Member, Desk, Guest], read: [name, born]",
    ),
    ("a public page over stored data", "lending/pages/Books.yaml", "roles: [Member, Desk]", "roles: [Member, Desk, Guest]"),
    ("a page whose role lacks a member", "lending/pages/Books.yaml", "{show: pages,", "{show: price,"),
    ("a page for nobody", "lending/pages/Books.yaml", "roles: [Member, Desk]", "roles: []"),
    (
        "a column that leads to an object",
        "lending/pages/Books.yaml",
        "{show: year, title: Year, align: right}",
        "{text: \"{this.authors}\", title: Authors}",
    ),
    ("a column with nothing to show", "lending/pages/Books.yaml", "{show: year, title: Year, align: right}", "{title: Year}"),
    ("a search for numbers", "lending/pages/Books.yaml", "search: [title, isbn]", "search: [title, year]"),
    ("a page that is not there", "lending/pages/Books.yaml", "page: BookDetail", "page: BookDetails"),
    ("an argument that is missing", "lending/pages/Books.yaml", "with: {Book: this}", "with: {}"),
    ("a template that is not closed", "lending/pages/Books.yaml", "heading: {text: Books,", "heading: {text: \"{this.title\","),
    (
        "an object shown where there is none",
        "lending/pages/Books.yaml",
        "heading: {text: Books,",
        "heading: {text: \"{this.title}\",",
    ),
    (
        "more of the user than a page may show",
        "lending/pages/Books.yaml",
        "heading: {text: Books,",
        "heading: {text: \"{if(user.active, 'a', 'b')}\",",
    ),
    (
        "an input outside a data view",
        "lending/pages/Books.yaml",
        "- heading: {text: Books, level: 2}",
        "- input: {member: title}",
    ),
    (
        "a button that does two things",
        "lending/pages/JoinForm.yaml",
        "caption: Cancel, cancel: {}",
        "caption: Cancel, cancel: {}, delete: {}",
    ),
    ("saving what is not stored", "lending/pages/JoinForm.yaml", "caption: Cancel, cancel: {}", "caption: Save, save: {}"),
    ("an unknown variable", "lending/microflows/Lend.yaml", "if: \"$Form.reader.blocked\"", "if: \"$Frm.reader.blocked\""),
    ("a flow that does not always end", "lending/microflows/Lend.yaml", "  - end: {value: $Loan}\n", ""),
    ("a value where none is given back", "lending/microflows/Renew.yaml", "do:\n", "do:\n  - end: {value: \"1\"}\n"),
    ("an aggregate of nothing", "lending/microflows/Lend.yaml", "function: count}", "function: sum}"),
    (
        "a retrieve from nowhere",
        "lending/microflows/Lend.yaml",
        "{as: Open, entity: Loan, where: \"this.reader == $Form.reader && this.returnedOn == empty\"}",
        "{as: Open}",
    ),
    ("an elevation that is not switched on", "lending/microflows/PublishCatalogue.yaml", "applyEntityAccess: false\n", ""),
    ("an unknown snapshot", "lending/microflows/PublishCatalogue.yaml", "snapshot: PublicCatalogue", "snapshot: PublicCatalog"),
    (
        "a flow that acts on whatever an object has become",
        "lending/microflows/WaiveFine.yaml",
        "roles: [Head]",
        "roles: [Head]\nanyVersion: true",
    ),
    ("a flow nobody can run", "lending/microflows/WaiveFine.yaml", "roles: [Head]", "roles: []"),
    (
        "an association of an object in memory with another side",
        "lending/domain.yaml",
        "copy: {to: Copy, required: true, label: Copy}\n      reader: {to: Reader, required: true, label: Reader}",
        "copy: {to: Copy, inverse: forms}\n      reader: {to: Reader}",
    ),
    (
        "a call for a value that is not given",
        "lending/microflows/Lend.yaml",
        "  - showPage: {page: DeskHome, with: {}}\n",
        "  - call: {microflow: ClearReservation, with: {Loan: $Loan}, as: Nothing}\n",
    ),
    ("a column that leads to several objects", "lending/pages/Books.yaml", "{show: year,", "{show: authors,"),
    ("a grid of nothing", "lending/pages/Books.yaml", "{entity: Book, sort: [title]}", "{sort: [title]}"),
    ("a variable without a kind", "lending/microflows/Renew.yaml", "do:\n", "do:\n  - set: {variable: Nothing, value: empty}\n"),
    ("a snippet with nothing in it", "empty snippet", "", ""),
    ("a snippet without its object", "snippet", "", ""),
    (
        "two anonymous roles",
        "app.yaml",
        "Reader: {moduleRoles: [lending.Member],",
        "Reader: {anonymous: true, moduleRoles: [lending.Member],",
    ),
    ("a role that assigns an unknown role", "app.yaml", "mayAssign: [Reader, Librarian]", "mayAssign: [Reader, Librarien]"),
    ("a guardrail about an unknown member", "app.yaml", "lending.Reader.birthDate", "lending.Reader.birthday"),
    ("nobody administers users", "app.yaml", "  users: [Director]\n", ""),
    ("visitors who administer", "app.yaml", "  users: [Director]", "  users: [Guest]"),
    ("a registration that expires never", "app.yaml", "expires: 12h", "expires: never"),
    (
        "a menu item that needs an object",
        "app.yaml",
        "page: lending.Fines, icon: receipt",
        "page: lending.BookDetail, icon: receipt",
    ),
    ("an unknown icon", "app.yaml", "icon: receipt", "icon: reciept"),
    ("a language without texts", "app.yaml", "languages: [en, de]", "languages: [en, de, fr]"),
    ("a module without a folder", "app.yaml", "modules: [lending]", "modules: [lending, billing]"),
    (
        "a constant that is both",
        "lending/module.yaml",
        "{type: integer, value: \"21\"}",
        "{type: integer, value: \"21\", secret: DAYS}",
    ),
    (
        "a constant with too many digits",
        "lending/module.yaml",
        "{type: integer, value: \"21\"}",
        "{type: decimal, value: \"0.0000000000000000001\"}",
    ),
    ("a constant of another kind", "lending/module.yaml", "{type: integer, value: \"21\"}", "{type: integer, value: soon}"),
    ("an event that runs never", "lending/module.yaml", "{daily: \"06:30\",", "{daily: \"26:30\","),
    ("an event with both times", "lending/module.yaml", "{daily: \"06:30\",", "{daily: \"06:30\", every: 5m,"),
    ("an event with nobody's rights", "lending/module.yaml", "run: RemindOverdue", "run: NewEdition"),
    ("a key that stands twice", "lending/pages/Books.yaml", "layout: app", "layout: app\nlayout: plain"),
    ("a text that is missing", "lending/pages/Books.yaml", "heading: {text: Books, level: 2}", "heading: {text: , level: 2}"),
    ("a list where a mapping belongs", "lending/pages/Books.yaml", "heading: {text: Books, level: 2}", "heading: [Books, 2]"),
    ("a key that is missing", "lending/pages/Books.yaml", "heading: {text: Books, level: 2}", "heading: {level: 2}"),
    ("a number that is none", "lending/pages/BookEdit.yaml", "rows: 5", "rows: many"),
    (
        "a flow whose only role is denied its write",
        "app.yaml",
        "  - {deny: delete, of: [lending.Loan],",
        "  - {deny: write, of: [lending.Fine.reason], userRoles: [Director], doc: Nobody explains}\n  - {deny: delete, of: [lending.Loan],",
    ),
    (
        "a flow that reads what nobody granted it",
        "lending/microflows/WaiveFine.yaml",
        "  - closePage: {}",
        "  - log: {node: lending.Fines, level: info, text: \"{$Fine.loan.reader.account.email}\"}\n  - closePage: {}",
    ),
    (
        "a mail to an address that nobody granted",
        "lending/microflows/TakeBack.yaml",
        "  - showPage: {page: DeskHome",
        "  - sendMail: {to: $Loan.reader.account.email, subject: Thank you, text: It is back}\n  - showPage: {page: DeskHome",
    ),
    (
        "an event that reads what its elevation does not name",
        "lending/microflows/RemindOverdue.yaml",
        "read: [firstName, email], doc: To write",
        "read: [firstName], doc: To write",
    ),
    (
        "a registration that is never completed",
        "lending/microflows/CompleteJoining.yaml",
        "read: [firstName, lastName, email, street, birthDate], doc: What",
        "read: [firstName, lastName, email, birthDate], doc: What",
    ),
    (
        "a change that leaves the rule that grants it",
        "lending/microflows/WaiveFine.yaml",
        "where: \"!this.settled || this.reason != empty\"",
        "where: \"!this.settled\"",
    ),
    ("a start page that needs an object", "app.yaml", "home: lending.MyLoans", "home: lending.BookDetail"),
    ("a start page that is shut", "app.yaml", "home: lending.MyLoans", "home: lending.DeskHome"),
    (
        "a rule that contradicts itself",
        "lending/domain.yaml",
        "where: \"!exists(this.books)\"",
        "where: \"this.name == 'A' && this.name == 'B'\"",
    ),
    (
        "a rule that is always true",
        "lending/domain.yaml",
        "where: \"!exists(this.books)\"",
        "where: \"this.born > 3 || this.born <= 3 || this.born == empty\"",
    ),
    (
        "a part that can never be true",
        "lending/pages/MyLoans.yaml",
        "visible: \"this.renewals < 2\"",
        "visible: \"this.renewals < 2 || this.renewals > 5 && this.renewals < 6\"",
    ),
    ("a page that nothing leads to", "lost page", "", ""),
    ("more associations than a database joins", "wide grid", "", ""),
    ("an input for several objects", "lending/pages/BookEdit.yaml", "input: {member: title}", "input: {member: authors}"),
    ("a reference to several objects", "lending/pages/BookEdit.yaml", "input: {member: title}", "reference: {member: authors}"),
    (
        "an input for the other side of an association",
        "lending/pages/BookEdit.yaml",
        "input: {member: title}",
        "input: {member: copies}",
    ),
    (
        "a misspelt predicate",
        "lending/domain.yaml",
        "  Author:\n",
        "  Author:\n    predicates: {isKnown: \"this.born != empty\", isOld: \"isKnow(this) && this.born < 1900\"}\n",
    ),
    (
        "predicates in a circle",
        "lending/domain.yaml",
        "  Author:\n",
        "  Author:\n    predicates: {isKnown: \"isOld(this)\", isOld: \"isKnown(this)\"}\n",
    ),
    (
        "a predicate that is named as a function",
        "lending/domain.yaml",
        "  Author:\n",
        "  Author:\n    predicates: {exists: \"this.born != empty\"}\n",
    ),
    (
        "a predicate of a list",
        "lending/domain.yaml",
        "  Author:\n",
        "  Author:\n    predicates: {isOld: \"this.born < 1900\", isSeries: \"exists(this.books[exists(item.authors) && isOld(item.authors)])\"}\n",
    ),
    ("a snapshot of stored objects", "lending/module.yaml", "entity: CatalogueEntry", "entity: Book"),
];

fn broken(file: &str, old: &str, new: &str) -> Files {
    let mut files = Files::read(&project("tests/apps/library")).unwrap();
    if file.starts_with("texts/") {
        files.0.insert("lendng/domain.yaml".into(), "entities: {}\n".into());
        return files;
    }
    if file == "empty snippet" {
        files.0.insert("lending/snippets/Nothing.yaml".into(), "content: []\n".into());
        return files;
    }
    if file == "lost page" {
        files.0.insert("lending/pages/Lost.yaml".into(), "title: Lost\nroles: [Desk]\ncontent: []\n".into());
        return files;
    }
    if file == "wide grid" {
        return wide(files);
    }
    if file == "snippet" {
        files.0.insert(
            "lending/snippets/Card.yaml".into(),
            "entity: Book\ncontent:\n  - heading: {text: \"{this.title}\"}\n".into(),
        );
        return replaced(files, "lending/pages/Books.yaml", "- heading: {text: Books, level: 2}", "- snippet: {name: Card}");
    }
    replaced(files, file, old, new)
}

/// A grid that shows a member of each of 64 associations.
fn wide(mut files: Files) -> Files {
    let all: Vec<String> = (1..=64).map(|n| format!("other{n}")).collect();
    let owned: String = all.iter().map(|name| format!("      {name}: {{to: Author}}\n")).collect();
    let entity = format!(
        "  Wide:\n    associations:\n{owned}    access:\n      - {{roles: [Desk], read: [{}]}}\n\n  Author:\n",
        all.join(", ")
    );
    files = replaced(files, "lending/domain.yaml", "  Author:\n", &entity);
    let columns: String = all.iter().map(|name| format!("        - {{show: {name}.name}}\n")).collect();
    let grid = format!("  - dataGrid:\n      source: {{entity: Wide}}\n      columns:\n{columns}");
    let page = files.0.get_mut("lending/pages/DeskHome.yaml").unwrap();
    page.push_str(&grid);
    files
}

fn replaced(mut files: Files, file: &str, old: &str, new: &str) -> Files {
    let text = files.0.get_mut(file).unwrap_or_else(|| panic!("{file}"));
    assert!(text.contains(old), "{file} does not hold `{old}`");
    *text = text.replacen(old, new, 1);
    files
}

#[test]
fn every_fault_is_found_at_its_place_with_a_hint() {
    let (_, sound) = load(&Files::read(&project("tests/apps/library")).unwrap());
    let known: BTreeSet<String> = sound.0.iter().map(|finding| finding.human()).collect();
    let (mut out, mut unnoticed) = (String::new(), Vec::new());
    for (name, file, old, new) in CASES {
        let (model, findings) = load(&broken(file, old, new));
        let news: Vec<_> = findings.0.iter().filter(|finding| !known.contains(&finding.human())).collect();
        if news.is_empty() {
            unnoticed.push(*name);
        }
        assert_eq!(model.is_none(), findings.count(Severity::Error) > 0, "{name}");
        out.push_str(&format!("== {name}\n"));
        news.iter().for_each(|finding| out.push_str(&finding.human()));
        out.push('\n');
    }
    assert_eq!(unnoticed, Vec::<&str>::new(), "nothing was found");
    golden::check("findings.txt", &out);
}

/// Every code that the checker can give stands in the golden file, so that a new one needs a case.
#[test]
fn no_finding_is_without_a_case() {
    let text = std::fs::read_to_string(project("tests/golden/findings.txt")).unwrap();
    let shown: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(code, _)| code)).collect();
    let mut missing = BTreeSet::new();
    for file in std::fs::read_dir(project("src/model/check")).unwrap().flatten() {
        let source = std::fs::read_to_string(file.path()).unwrap();
        for call in ["self.error(", "self.warn(", "self.gap(", "self.report(", "self.whole_file(", "self.trouble("] {
            for rest in source.split(call).skip(1) {
                let call = rest.split(';').next().unwrap_or_default();
                let code = call
                    .split('"')
                    .skip(1)
                    .step_by(2)
                    .find(|word| word.len() > 2 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
                missing.extend(code.filter(|code| !shown.contains(code)).map(str::to_owned));
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "codes without a case");
}
