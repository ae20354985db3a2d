#!/usr/bin/env python3
"""Writes the demo data of the app: `python3 apps/people/seed/generate.py`.

The same program writes the same files every time: the only source of chance is a seeded generator.
One CSV a file, read in the order of the file names. `key` names a row; a cell of an association holds
the key of its target, which may stand further down or in a later file (Department.head does);
`demo:<key>` is the account of that demo user. A date is ISO or relative (`@today-30`), so that
the demo stays fresh; a moment is ISO or relative (`@now-3d`).

Leave that is relative to today spans whole weeks, since then it holds five working days a week
whatever weekday today is; older leave has fixed dates and is counted exactly.
"""
import csv
import random
from datetime import date, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
chance = random.Random(20240229)

FIRST = """Aaliyah Abel Ada Adrian Agnes Ahmed Aisha Alberto Alice Amara Amir Ana Andrei Anika Anton Aria Asha Astrid Ayumi
Beatriz Benedikt Bilal Birgit Bruno Camille Carmen Cedric Chidi Chloe Clara Conor Dagmar Dalia Daniel Darius Deepa Diego
Dina Dmitri Edith Eduardo Elena Elif Elias Emeka Emil Esther Eva Farah Felix Fiona Florian Francesca Freya Gabriel Gita
Goran Grace Gustav Hana Hassan Hedda Henrik Hiroshi Ibrahim Ida Ines Irene Isaac Ivan Ivy Jakub Jasmin Javier Jens Joana
Jonas Josefine Juma Kamal Karim Katarina Kenji Kiran Kofi Lars Laila Lea Leon Linh Lorenzo Lucia Ludo Magnus Maja Malik
Marek Margit Mariam Marta Mateo Mei Mila Milan Minh Mira Mohan Naomi Nikos Nina Nora Noor Olga Oluwaseun Omar Oskar Paula
Pavel Petra Pia Priya Rafael Rashid Renata Rina Robin Ruben Ruth Sadia Samir Sana Sander Selma Simon Sofia Stefan Sven
Tadeusz Tamar Tariq Teresa Thandiwe Theo Tilda Tuan Ursula Vera Victor Vikram Wanda Wei Willem Xenia Yara Yasmin Youssef
Yuki Zainab Zofia Zoltan""".split()
LAST = """Abara Abbott Achterberg Adeyemi Aguilar Ahlgren Akhtar Albrecht Almeida Amsel Andrade Antonov Aoki Arslan Aydin Bailey
Bakker Banerjee Baptista Barros Bauer Becker Bello Berg Bianco Blomqvist Bondarenko Borg Bouchard Brandt Brennan Byrne Cabral
Calder Campos Castellan Chandra Chen Chowdhury Conti Costa Crane Dahl Dang Darzi Das Davies Delacroix Demir Desai Diallo Dias
Dobrev Doyle Drummond Dufour Duarte Eberhart Eide Ekström Eriksen Escobar Fabian Farouk Fischer Fitzgerald Flores Fontaine
Forsyth Friel Fuchs Gallo Garnier Georgiou Gomes Grabowski Greve Gruber Gupta Haddad Hakim Halloran Hansen Hartmann Hassan
Hayashi Hellström Herrera Hoang Holm Horvat Hughes Huang Ibarra Ismail Ito Ivanova Jansen Jensen Joshi Juhász Kamara Kang
Kapoor Karlsson Kaya Keller Khan Kim Klein Kovač Kowalski Kumar Laine Lam Larsen Laurent Leclerc Lehmann Leroy Lim Lopes
Lund MacLeod Madsen Mahmoud Malik Marchetti Markovic Mbeki Mendes Mensah Meyer Molnar Moreau Moreno Murphy Mwangi Nair
Nakamura Navarro Nguyen Nielsen Novak Nowak Nyberg Obi Okoye Olsen Ortega Osei Ozturk Paavola Pappas Park Pereira Petrov Pham
Pillai Pinto Popescu Quinn Rahman Ramirez Rao Reyes Ricci Rossi Roth Russo Sahin Salazar Santos Sato Schneider Schulz Sharma
Silva Singh Sinclair Sokolov Solberg Sorensen Stein Suzuki Szabo Takahashi Tanaka Teixeira Thapa Thomsen Toth Tran Turan
Ueda Vargas Vasquez Vermeer Virtanen Vogt Volkov Wagner Walsh Wang Weber Weiss Whelan Wolff Yamamoto Yilmaz Yusuf Zanetti
Zhang Ziegler""".split()
CITIES = """Bristol Bath Cardiff Gloucester Swindon Oxford Reading Newport Exeter Taunton Cheltenham Worcester Salisbury
Southampton Birmingham London Manchester Leeds""".split()

# key, code, name, location, parent, people
DEPARTMENTS = [
    ("d-company", "AI", "Aldermoor Instruments", "Bristol", "", 6),
    ("d-operations", "OP", "Operations", "Bristol", "d-company", 8),
    ("d-manufacturing", "OP-MF", "Manufacturing", "Newport", "d-operations", 72),
    ("d-logistics", "OP-LG", "Logistics", "Newport", "d-operations", 34),
    ("d-technology", "TE", "Technology", "Bristol", "d-company", 7),
    ("d-software", "TE-SW", "Software", "Bristol", "d-technology", 52),
    ("d-hardware", "TE-HW", "Hardware", "Bristol", "d-technology", 34),
    ("d-research", "TE-RS", "Research", "Bath", "d-technology", 16),
    ("d-commercial", "CO", "Commercial", "London", "d-company", 6),
    ("d-sales", "CO-SA", "Sales", "London", "d-commercial", 30),
    ("d-care", "CO-CC", "Customer Care", "Cardiff", "d-commercial", 26),
    ("d-corporate", "CS", "Corporate Services", "Bristol", "d-company", 5),
    ("d-people", "CS-HR", "Human Resources", "Bristol", "d-corporate", 10),
    ("d-finance", "CS-FI", "Finance", "Bristol", "d-corporate", 14),
]
PARENT = {key: parent for key, _, _, _, parent, _ in DEPARTMENTS}

# department: (title of the head, pay of the head, [(title, least pay, most pay)])
JOBS = {
    "d-company": ("Chief executive", 212000, [("General counsel", 118000, 132000), ("Executive assistant", 41000, 48000), ("Internal auditor", 62000, 71000)]),
    "d-operations": ("Director of operations", 141000, [("Production planner", 46000, 56000), ("Quality lead", 58000, 67000), ("Safety officer", 47000, 54000)]),
    "d-manufacturing": ("Head of manufacturing", 88000, [("Assembler", 28500, 34000), ("Calibration technician", 33500, 41000), ("Machine setter", 34000, 42000), ("Shift leader", 41000, 48500), ("Maintenance engineer", 43000, 52000)]),
    "d-logistics": ("Head of logistics", 79000, [("Warehouse operative", 27000, 31500), ("Dispatcher", 33000, 39000), ("Buyer", 38000, 47500), ("Customs specialist", 39000, 46000)]),
    "d-technology": ("Director of technology", 146000, [("Enterprise architect", 92000, 105000), ("Product manager", 74000, 88000), ("Programme manager", 69000, 82000)]),
    "d-software": ("Head of software", 104000, [("Software engineer", 52000, 71000), ("Senior software engineer", 70000, 89000), ("Test engineer", 48000, 63000), ("Site reliability engineer", 63000, 82000), ("Interaction designer", 49000, 64000)]),
    "d-hardware": ("Head of hardware", 99000, [("Electronics engineer", 50000, 68000), ("Mechanical engineer", 48000, 65000), ("Firmware engineer", 55000, 74000), ("Laboratory technician", 36000, 45000)]),
    "d-research": ("Head of research", 101000, [("Research scientist", 58000, 77000), ("Senior scientist", 76000, 92000), ("Data analyst", 47000, 60000)]),
    "d-commercial": ("Commercial director", 133000, [("Market analyst", 48000, 58000), ("Brand manager", 55000, 66000), ("Event planner", 39000, 46000)]),
    "d-sales": ("Head of sales", 92000, [("Account manager", 47000, 66000), ("Sales engineer", 53000, 69000), ("Tender specialist", 42000, 51000)]),
    "d-care": ("Head of customer care", 76000, [("Support agent", 29000, 35500), ("Technical support", 36000, 45500), ("Service planner", 34000, 41000)]),
    "d-corporate": ("Director of corporate services", 128000, [("Facilities manager", 52000, 61000), ("Data protection officer", 66000, 75000)]),
    "d-people": ("Head of human resources", 91000, [("HR partner", 51000, 62000), ("Recruiter", 43000, 53000), ("Payroll specialist", 41000, 49000)]),
    "d-finance": ("Head of finance", 97000, [("Accountant", 44000, 56000), ("Controller", 59000, 73000), ("Credit clerk", 32000, 38000)]),
}

# The demo users and where they work: department, title, first name, last name, clearance, first day, pay
PEOPLE_OF_THE_DEMO = {
    "tomas": ("d-technology", "Director of technology", "Tomas", "Lindqvist", 3, date(2013, 9, 2), 146000),
    "nadia": ("d-software", "Software engineer", "Nadia", "Okafor", 1, date(2021, 3, 1), 61500),
    "rosa": ("d-people", "Recruiter", "Rosa", "Ferreira", 2, date(2019, 6, 3), 49800),
    "helen": ("d-people", "HR partner", "Helen", "Marsh", 4, date(2012, 1, 9), 61200),
}


def rel(days):
    return f"@today{days:+d}" if days else "@today"


def ago(days):
    return f"@now-{max(days, 0)}d"


def moment(day):
    return f"{day.isoformat()}T{chance.randint(8, 16):02d}:{chance.choice((5, 12, 20, 34, 41, 57)):02d}:00Z"


def workdays(first, last):
    return sum((first + timedelta(days=n)).weekday() < 5 for n in range((last - first).days + 1))


def ascii_name(text):
    table = str.maketrans({"ö": "o", "á": "a", "č": "c", "é": "e", "ü": "u"})
    return text.lower().translate(table).replace("'", "")


used_names = {("Tomas", "Lindqvist"), ("Nadia", "Okafor"), ("Rosa", "Ferreira"), ("Helen", "Marsh"), ("Carlo", "Bianchi"),
              ("Arun", "Mehta"), ("Greta", "Vogel")}


def fresh_name():
    while True:
        name = (chance.choice(FIRST), chance.choice(LAST))
        if name not in used_names:
            used_names.add(name)
            return name


def write(number, entity, header, rows):
    with open(HERE / f"{number:02d}-{entity}.csv", "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(header)
        table.writerows([row.get(name, "") for name in header] for row in rows)


def money(value):
    return f"{value:.2f}"


# --- people ------------------------------------------------------------------------------------
employees, head_of, members = [], {}, {key: [] for key in PARENT}


def add_employee(department, title, pay, first=None, last=None, clearance=1, joined=None, account="", manager=""):
    if first is None:
        first, last = fresh_name()
    number = len(employees) + 1
    joined = joined or date(2006, 1, 2) + timedelta(days=int(chance.triangular(0, 7100, 5200)))
    born = joined.year - (chance.randint(34, 46) if title.startswith(("Head", "Director", "Chief", "Commercial director")) else chance.randint(20, 41))
    employee = {
        "key": f"e{number:03d}", "firstName": first, "lastName": last,
        "email": f"{ascii_name(first)}.{ascii_name(last)}@people.example",
        "phone": f"+44 20 7946 {chance.randint(0, 999):04d}", "jobTitle": title, "pay": pay, "salary": money(pay),
        "nationalId": f"{chance.choice('ABCEHJKLMNPRSTWXYZ')}{chance.choice('ABCEHJKLMNPRSTWXYZ')} {chance.randint(10, 99)} {chance.randint(10, 99)} {chance.randint(10, 99)} {chance.choice('ABCD')}",
        "bankAccount": f"GB{chance.randint(10, 98)}ALDM{chance.randint(10**13, 10**14 - 1)}",
        "birthDate": date(max(born, 1959), chance.randint(1, 12), chance.randint(1, 28)).isoformat(),
        "status": "Active", "joined_on": joined, "joined": joined.isoformat(), "leaves": "", "clearance": clearance,
        "annualLeave": 30 if joined.year < 2015 else 28, "department": department, "manager": manager,
        "account": f"demo:{account}" if account else "",
    }
    employees.append(employee)
    members[department].append(employee)
    return employee


for department, *_ in DEPARTMENTS:
    title, pay, _ = JOBS[department]
    boss = head_of.get(PARENT[department])
    demo = "tomas" if department == "d-technology" else ""
    _, _, first, last, clearance, joined, pay = PEOPLE_OF_THE_DEMO["tomas"] if demo else (None, None, None, None, 3, None, pay)
    clearance = 4 if department in ("d-company", "d-people") else clearance
    head_of[department] = add_employee(department, title, pay, first, last, clearance, joined or date(2007 + chance.randint(0, 11), chance.randint(1, 12), 1),
                                       demo, boss["key"] if boss else "")

for department, _, _, _, _, size in DEPARTMENTS:
    boss = head_of[department]["key"]
    for demo, (where, title, first, last, clearance, joined, pay) in PEOPLE_OF_THE_DEMO.items():
        if where == department and demo != "tomas":
            add_employee(department, title, pay, first, last, clearance, joined, demo, boss)
    while len(members[department]) < size:
        title, least, most = chance.choice(JOBS[department][2])
        pay = round(chance.uniform(least, most) / 100) * 100
        add_employee(department, title, pay, manager=boss, clearance=2 if chance.random() < 0.12 else 1)

by_key = {employee["key"]: employee for employee in employees}
demo_key = {employee["account"][5:]: employee["key"] for employee in employees if employee["account"]}
heads = {employee["key"] for employee in head_of.values()}
plain = [employee for employee in employees if employee["key"] not in heads and not employee["account"]]
settled = [employee for employee in plain if employee["joined_on"] < date(2022, 1, 1)]
shuffled = chance.sample(settled, 29)
for employee in shuffled[:14]:
    gone = date(2024, 2, 1) + timedelta(days=chance.randint(0, 560))
    employee.update(status="Left", leaves=gone.isoformat(), left_on=gone)
for employee in shuffled[14:23]:
    employee.update(status="Notice", leaves=rel(chance.randint(12, 85)))
for employee in shuffled[23:]:
    employee.update(status="Absent")
newcomers = [next(e for e in plain if e["department"] == where and e not in shuffled and e["jobTitle"] == title)
             for where, title in (("d-software", "Site reliability engineer"), ("d-sales", "Account manager"), ("d-people", "HR partner"),
                                  ("d-logistics", "Customs specialist"), ("d-research", "Data analyst"), ("d-finance", "Accountant"))]
newcomers += chance.sample([e for e in plain if e not in shuffled and e not in newcomers], 4)
for employee in newcomers:
    employee.update(joined=rel(-chance.randint(6, 80)), joined_on=None, annualLeave=28)


def chain(employee):
    """The heads who may decide for somebody, nearest first."""
    department, out = employee["department"], []
    while department:
        if head_of[department] is not employee:
            out.append(head_of[department])
        department = PARENT[department]
    return out


# --- changes of pay ------------------------------------------------------------------------------
REVIEWS = ["Yearly review", "Yearly review", "Yearly review", "Yearly review, with thanks for a demanding year",
           "More responsibility in the team", "Adjustment to comparable posts", "Step after completed training", "Market adjustment"]
changes = []
for employee in employees:
    pay, joined, rows = employee["pay"], employee["joined_on"], []
    decided = head_of["d-people"]["key"] if employee["key"] == demo_key["helen"] else demo_key["helen"]
    last_year = 2025 if employee["status"] != "Left" else employee["left_on"].year - 1
    if joined:
        for year in range(last_year, max(joined.year, 2019), -1):
            if chance.random() < 0.42:
                before = round(pay / (1 + chance.choice((1.5, 2.0, 2.5, 3.0, 4.0, 6.0)) / 100) / 50) * 50
                rows.append({"employee": employee["key"], "effective": date(year, 4, 1).isoformat(), "salaryBefore": money(before),
                             "salaryAfter": money(pay), "reason": chance.choice(REVIEWS), "decidedBy": decided})
                pay = before
    carried = joined and joined < date(2019, 1, 1)
    rows.append({"employee": employee["key"], "effective": "2019-01-01" if carried else employee["joined"], "salaryBefore": "", "salaryAfter": money(pay),
                 "reason": "Carried over from the former records" if carried else "First pay at hiring", "decidedBy": "" if carried else decided})
    changes += reversed(rows)
for number, change in enumerate(changes, 1):
    change["key"] = f"s{number:04d}"

# --- leave ---------------------------------------------------------------------------------------
NOTES = ["", "", "", "", "Handover is written down.", "My stand-in knows about it.", "The dates can move by a week if need be.",
         "Family visit, booked already.", "School holidays.", "Moving house.", "I can be reached by phone in an emergency."]
KIND_NOTES = {"Illness": ["", "", "Certificate follows.", "Certificate handed in."], "Study": ["Exam week.", "Evening degree, block seminar."],
              "Parental": ["Birth of our child.", "Second part, as agreed."], "Unpaid": ["Longer journey, as talked about."]}
REFUSALS = ["Two others of the team are away in these days.", "The release falls into this week. Please choose another.", "Stocktaking needs everybody. The week after is fine."]
KINDS = ["Annual"] * 15 + ["Illness"] * 4 + ["Study", "Parental", "Unpaid"]
leave = []


def add_leave(employee, kind, first, last, days, status, decided):
    deciders = chain(employee)
    decision = status in ("Approved", "Refused")
    leave.append({"employee": employee["key"], "kind": kind, "firstDay": first, "lastDay": last, "days": days, "status": status,
                  "note": chance.choice(NOTES if kind == "Annual" else KIND_NOTES[kind]),
                  "answer": chance.choice(REFUSALS) if status == "Refused" else "",
                  "decidedBy": deciders[0]["key"] if decision and deciders else "", "decidedOn": decided if decision else ""})


for employee in employees:
    joined, boss = employee["joined_on"], not chain(employee)
    taken = []
    start = max(joined or date(2030, 1, 1), date(2024, 1, 8))
    end = min(employee.get("left_on", date(2025, 9, 1)), date(2025, 9, 1))
    room = (end - start).days - 25
    if room > 0:
        for _ in range(chance.choice((1, 2, 2, 3))):
            kind = chance.choice(KINDS)
            first = start + timedelta(days=chance.randint(0, room))
            first += timedelta(days=(7 - first.weekday()) % 7 if first.weekday() > 4 else 0)
            last = first + timedelta(days=60 if kind == "Parental" else chance.choice((0, 0, 1, 2, 4, 4, 7, 11)))
            last -= timedelta(days=max(last.weekday() - 4, 0))
            last = max(last, first)
            if any(first <= b and last >= a for a, b in taken) or last >= end:
                continue
            status = "Approved" if boss else chance.choices(("Approved", "Refused", "Withdrawn"), (90, 5, 5))[0]
            taken.append((first, last))
            add_leave(employee, kind, first.isoformat(), last.isoformat(), workdays(first, last), status, moment(first - timedelta(days=chance.randint(5, 40))))
    if employee["status"] == "Left":
        continue
    # Whole weeks around today; each slot is used once, so nothing overlaps. Newcomers have only what lies ahead.
    slots = [(-200, 14), (-140, 7), (-95, 7), (-60, 14), (-24, 7), (-4, 7), (9, 7), (24, 14), (47, 7), (75, 14), (110, 7)]
    if not joined:
        slots = slots[7:]
    if employee["status"] == "Notice":
        slots = slots[:6]
    for offset, length in sorted(chance.sample(slots, min(len(slots), chance.choice((1, 1, 2, 2, 3))))):
        offset += chance.randint(-3, 3) if offset < -30 else 0
        kind = chance.choice(KINDS) if offset < 0 else chance.choice(["Annual"] * 8 + ["Study"])
        kind = "Annual" if kind == "Parental" else kind
        if offset < 5:
            status = "Approved" if boss else chance.choices(("Approved", "Refused", "Withdrawn"), (91, 5, 4))[0]
        else:
            status = "Approved" if boss else chance.choices(("Requested", "Approved", "Refused", "Withdrawn"), (46, 45, 5, 4))[0]
        add_leave(employee, kind, rel(offset), rel(offset + length - 1), length // 7 * 5, status, ago(max(2, 12 - offset)))

nadia = by_key[demo_key["nadia"]]
leave = [row for row in leave if row["employee"] != nadia["key"]]
add_leave(nadia, "Annual", "2025-05-19", "2025-05-30", 10, "Approved", "2025-04-02T09:20:00Z")
add_leave(nadia, "Annual", rel(-130), rel(-124), 5, "Approved", ago(160))
add_leave(nadia, "Illness", rel(-52), rel(-46), 5, "Approved", ago(50))
add_leave(nadia, "Annual", rel(-20), rel(-14), 5, "Refused", ago(40))
add_leave(nadia, "Annual", rel(21), rel(27), 5, "Requested", "")
for number, request in enumerate(leave, 1):
    request["key"] = f"l{number:04d}"

# --- expenses --------------------------------------------------------------------------------------
CUSTOMERS = ["Severn Water", "the city works of Leeds", "Norfolk Heat", "Calder Dairies", "the port authority", "Brightwell Hospital", "Tamar Breweries", "the district heating board"]
TRIPS = ["Visit to {c}", "Installation at {c}", "Workshop with {c}", "Acceptance test at {c}", "Service call at {c}"]
OTHER = ["Trade fair in {t}", "Training in {t}", "Team meeting in {t}", "Tools and small parts", "Books and licences", "Interview travel to {t}"]
RECEIPTS = {
    "Travel": [("Train to {t} and back", 28, 190), ("Taxi from the station", 9, 38), ("Hire car, two days", 80, 210), ("Mileage, private car", 14, 120)],
    "Accommodation": [("Hotel in {t}, one night", 78, 165), ("Hotel in {t}, two nights", 170, 320), ("Guest house in {t}", 62, 110)],
    "Meals": [("Lunch with the customer", 24, 95), ("Dinner on the way", 14, 42), ("Breakfast, not in the room rate", 8, 19)],
    "Training": [("Course fee", 180, 890), ("Textbook", 24, 85), ("Examination fee", 90, 260)],
    "Equipment": [("Torque screwdriver", 45, 160), ("Cable set", 18, 75), ("Safety shoes", 55, 120), ("Portable scope probe", 120, 480)],
    "Other": [("Parking", 4, 24), ("Printing of drawings", 12, 60), ("Postage for samples", 6, 35)],
}
claims, lines = [], []
claimants = [employee for employee in employees if employee["status"] not in ("Left",) and chain(employee)]
weight = {"d-sales": 6, "d-technology": 5, "d-commercial": 5, "d-hardware": 3, "d-care": 2, "d-software": 2, "d-research": 3}


def add_claim(employee, status=None, days=None, shape=None, course=False):
    town, customer = chance.choice(CITIES), chance.choice(CUSTOMERS)
    title = chance.choice(TRIPS + OTHER).format(c=customer, t=town)
    if title.startswith(("Tools", "Books")):
        kinds = ["Equipment"] if title.startswith("Tools") else ["Training", "Other"]
    elif title.startswith("Training"):
        kinds = ["Training", "Travel", "Meals", "Accommodation"]
    else:
        kinds = ["Travel", "Travel", "Accommodation", "Meals", "Meals", "Other"]
    kinds = shape or kinds
    days = days if days is not None else int(chance.triangular(1, 420, 20))
    key, rows = f"c{len(claims) + 1:03d}", []
    for _ in range(chance.choice((1, 2, 2, 3, 3, 4))):
        kind = chance.choice(kinds)
        text, least, most = chance.choice(RECEIPTS[kind])
        amount = round(chance.uniform(least, most), 2)
        rows.append({"claim": key, "spentOn": rel(-days - chance.randint(1, 9)), "kind": kind, "description": text.format(t=town),
                     "amount": money(amount), "receipt": f"R-{chance.randint(1000, 99999)}" if chance.random() < 0.8 else "", "cents": round(amount * 100)})
    if course:
        amount = round(chance.uniform(520, 1480), 2)
        rows.append({"claim": key, "spentOn": rel(-days - 3), "kind": "Training", "description": f"Course in {town}, three days", "amount": money(amount),
                     "receipt": f"R-{chance.randint(1000, 99999)}", "cents": round(amount * 100)})
    large = sum(row["cents"] for row in rows) > 50000
    if status is None:
        status = chance.choices(("Approved", "Refused"), (93, 7))[0] if days > 30 else chance.choices(("Draft", "Submitted", "Approved", "Refused"), (20, 50, 25, 5))[0]
        if status == "Submitted" and large and chance.random() < 0.5:
            status = "FirstApproved"
    above = chain(employee)
    first = above[0]["key"]
    second = next((head["key"] for head in above[1:]), demo_key["helen"])
    if second == employee["key"] or second == first:
        second = demo_key["helen"]
    claim = {"key": key, "title": title, "status": status, "employee": employee["key"],
             "submittedOn": "" if status == "Draft" else ago(days), "decidedOn": ago(max(days - chance.randint(1, 6), 0)) if status in ("Approved", "Refused") else "",
             "refusal": chance.choice(("The receipt for the hotel is missing.", "Meals were part of the event.", "Please order this through purchasing.")) if status == "Refused" else "",
             "firstApprover": first if status in ("Approved", "FirstApproved") else "",
             "secondApprover": second if status == "Approved" and large else ""}
    claims.append(claim)
    lines.extend(rows)


for _ in range(488):
    add_claim(chance.choices(claimants, [weight.get(employee["department"], 1) for employee in claimants])[0])
for _ in range(9):
    add_claim(chance.choice([employee for employee in claimants if employee["status"] == "Active"]), "FirstApproved", chance.randint(3, 16), course=True)
add_claim(nadia, "Approved", 96)
add_claim(nadia, "Submitted", 4, ["Meals", "Other"])
add_claim(nadia, "Draft", 1, ["Travel"])
for name in ("d-software", "d-hardware"):
    for _ in range(3):
        add_claim(chance.choice([e for e in members[name] if e["status"] == "Active" and e["key"] not in heads]), "Submitted", chance.randint(1, 6), course=True)
add_claim(by_key[demo_key["tomas"]], "Submitted", 3)
add_claim(by_key[demo_key["rosa"]], "Draft", 2)
for number, line in enumerate(lines, 1):
    line["key"] = f"x{number:04d}"

# --- vacancies -------------------------------------------------------------------------------------
# title, department, contract, places, status, what the work is, what you bring
VACANCIES = [
    ("Software engineer, meter data", "d-software", "Permanent", 2, "Open", "You build the services that take in readings from two million meters, check them and pass them on.", "Experience with a compiled language and with databases. You like to know why something is slow."),
    ("Senior software engineer, device updates", "d-software", "Permanent", 1, "Open", "You lead the work on updates over the air: signed, resumable, and safe when the battery runs out halfway.", "Several years with embedded or distributed systems. You write down decisions so that others can follow them."),
    ("Test engineer, field gateways", "d-software", "FixedTerm", 1, "Open", "You break our gateways before the weather does, and turn each fault found into a test that stays.", "Scripting, patience, and an eye for what is missing."),
    ("Electronics engineer, ultrasonic sensing", "d-hardware", "Permanent", 1, "Open", "You design the analogue front end of the next flow meter, from the first sketch to the approved product.", "A degree in electronics or the same by experience, and a steady hand at the bench."),
    ("Laboratory technician", "d-hardware", "PartTime", 1, "Open", "You run climate and endurance tests and keep the laboratory in order.", "Training in electronics or mechanics. Twenty-four hours a week, days by agreement."),
    ("Research scientist, leak detection", "d-research", "Permanent", 1, "Open", "You find leaks in noise: models over pressure and flow, tried out together with water companies.", "A doctorate or published work in signal processing, statistics or hydraulics."),
    ("Calibration technician", "d-manufacturing", "Permanent", 3, "Open", "You calibrate meters on our wet benches and sign for every one of them.", "Training in metrology or a technical trade. We teach the benches."),
    ("Shift leader, assembly", "d-manufacturing", "Permanent", 1, "Open", "You lead a shift of fourteen people and answer for safety, quality and the count, in this order.", "Experience on a line and the will to listen."),
    ("Buyer, electronic components", "d-logistics", "Permanent", 1, "Open", "You buy what our boards are made of and know today what will be scarce in spring.", "Commercial training, and English well enough to disagree politely."),
    ("Sales engineer, district heating", "d-sales", "Permanent", 1, "Open", "You advise heating networks between first call and first invoice.", "Technical understanding and pleasure in travelling two days a week."),
    ("Technical support, second line", "d-care", "Permanent", 2, "Open", "You solve what the first line could not, and tell the developers what keeps coming back.", "You explain well, on the phone and in writing."),
    ("Apprentice, mechatronics", "d-manufacturing", "Apprenticeship", 4, "Open", "Three and a half years through all workshops, with a project of your own in each.", "A finished school year ten, and curiosity about how things move."),
    ("Intern, user research", "d-software", "Internship", 1, "Open", "Six months close to the people who read our screens: visit, watch, draw, try again.", "You study design, psychology or something near it."),
    ("Payroll specialist", "d-people", "PartTime", 1, "Draft", "You see that everybody is paid right and on time.", "Experience in payroll and a quiet way with loud numbers."),
    ("Controller, projects", "d-finance", "Permanent", 1, "Draft", "You keep the figures of our development projects honest.", "Some years in controlling, preferably near engineers."),
    ("Firmware engineer, radio", "d-hardware", "Permanent", 1, "Draft", "You make ten years of radio out of one battery.", "Experience with low-power protocols."),
    ("Site reliability engineer", "d-software", "Permanent", 1, "Filled", "You keep the platform up and the pager silent.", "Operations experience and calm."),
    ("Account manager, water", "d-sales", "Permanent", 1, "Filled", "You look after forty water companies.", "Experience in selling to the public sector."),
    ("HR partner", "d-people", "Permanent", 1, "Filled", "You advise two departments in everything that concerns people.", "Knowledge of labour law, and tact."),
    ("Customs specialist", "d-logistics", "FixedTerm", 1, "Filled", "You bring our meters over every border.", "Training in customs."),
    ("Data analyst", "d-research", "Permanent", 1, "Filled", "You ask good questions of bad data.", "Statistics and one language to do it in."),
    ("Accountant, fixed assets", "d-finance", "Permanent", 1, "Filled", "You keep the book of everything that we own.", "Commercial training and order."),
    ("Event planner", "d-commercial", "FixedTerm", 1, "Closed", "You plan our presence at six fairs a year.", "Experience with events and suppliers."),
    ("Warehouse operative, nights", "d-logistics", "PartTime", 2, "Closed", "You load what leaves before six.", "A forklift licence."),
    ("Interaction designer", "d-software", "FixedTerm", 1, "Closed", "You design the reading app for field staff.", "A portfolio that shows the way, not only the result."),
]
LOCATION = {key: location for key, _, _, location, _, _ in DEPARTMENTS}
vacancies = []
rosa, helen = demo_key["rosa"], demo_key["helen"]
recruiters = [rosa] + [e["key"] for e in members["d-people"] if e["jobTitle"] == "Recruiter" and e["status"] == "Active" and e["key"] != rosa][:1]
for number, (title, department, contract, places, status, work, bring) in enumerate(VACANCIES, 1):
    name = next(row[2] for row in DEPARTMENTS if row[0] == department)
    closes = {"Open": rel(chance.choice((18, 25, 32, 40, 54))) if number % 4 else "", "Draft": "", "Filled": rel(-chance.randint(40, 120)), "Closed": rel(-chance.randint(15, 60))}[status]
    vacancies.append({"key": f"v{number:02d}", "title": title, "department": department, "contract": contract, "places": places, "status": status,
                      "location": LOCATION[department], "closes": closes, "recruiter": recruiters[0] if number % 3 else recruiters[-1],
                      "description": f"{work}\n\nYou work in {name}, in {LOCATION[department]}, with up to two days a week from elsewhere where the work allows it.",
                      "requirements": bring})

# --- candidates and applications ---------------------------------------------------------------------
YEARS = ["three", "five", "six", "eight", "ten", "twelve", "more than fifteen"]
FIELDS = ["building services", "a utility company", "medical devices", "a machine shop", "a software house", "public transport", "food production", "a test laboratory", "a family firm", "telecommunications"]
WISHES = ["a product that one can touch", "shorter ways to decide", "a team that reviews its work", "more responsibility", "a place closer to home", "work that saves water", "room to learn"]
PROFILES = ["{y} years in {f}. Looking for {w}.", "I come from {f} and have stayed curious. What I look for is {w}.", "After {y} years in {f} I would like {w}.",
            "Self-taught at first, then {y} years in {f}. I am looking for {w}."]
LETTERS = ["When I read your advertisement I recognised much of what I do today. In {f} I learnt to work carefully under time pressure, and I would like to bring that to you. What draws me is {w}.",
           "A colleague told me about this post. I have spent {y} years in {f}, most of it on problems like the one you describe. I am interested in {w}.",
           "I use one of your meters at home and have wondered for years how it works. Professionally I come from {f}. With you I hope for {w}.",
           "Please find my application for this post. I have {y} years of experience in {f}, can start after two months, and look for {w}.",
           "I would like to change from {f} to a company where the result can be seen. {y} years have taught me what I am good at: finding out what is really the matter. I look for {w}."]


def fill(text):
    out = text.format(y=chance.choice(YEARS), f=chance.choice(FIELDS), w=chance.choice(WISHES))
    return ". ".join(part[:1].upper() + part[1:] for part in out.split(". "))


candidates = []


def add_candidate(first, last, account="", profile=None):
    row = {"key": f"k{len(candidates) + 1:03d}", "firstName": first, "lastName": last, "email": f"{ascii_name(first)}.{ascii_name(last)}@post.example",
           "phone": f"+44 1632 960{chance.randint(0, 999):03d}", "city": chance.choice(CITIES), "profile": fill(profile or chance.choice(PROFILES)),
           "account": f"demo:{account}" if account else ""}
    candidates.append(row)
    return row


carlo = add_candidate("Carlo", "Bianchi", "carlo", "Six years of firmware and test automation in a laboratory. Looking for {w}.")
hired = {}
for vacancy in vacancies:
    if vacancy["status"] == "Filled":
        person = next(e for e in newcomers if e["department"] == vacancy["department"] and e["key"] not in hired.values())
        hired[vacancy["key"]] = person["key"]
        add_candidate(person["firstName"], person["lastName"])
while len(candidates) < 220:
    add_candidate(*fresh_name())

REASONS = ["Experience", "Skills", "Stronger", "Availability", "Filled", "Incomplete"]
REMARKS = ["", "", "Kind on the phone. Keep in mind for a junior post.", "Letter names another company.", "Good, but the other one was better at the bench.", "Does not want to travel after all.", "Could fit in customer care."]
applications, seen = [], set()


def add_application(candidate, vacancy, stage, days, rating=None, reason=""):
    seen.add((candidate["key"], vacancy["key"]))
    decided = stage in ("Hired", "Rejected", "Withdrawn")
    if rating is None and stage != "Received":
        rating = {"Hired": (4, 5), "Interview": (3, 4, 4, 5), "Shortlisted": (3, 4, 4), "Rejected": (1, 2, 2, 3), "Withdrawn": (2, 3, 4)}[stage]
        rating = chance.choice(rating)
    applications.append({"key": f"a{len(applications) + 1:03d}", "candidate": candidate["key"], "vacancy": vacancy["key"], "stage": stage,
                         "motivation": fill(chance.choice(LETTERS)), "appliedOn": ago(days), "rating": rating or "",
                         "rejectReason": (reason or chance.choice(REASONS)) if stage == "Rejected" else "", "rejectNote": chance.choice(REMARKS) if stage == "Rejected" else "",
                         "decidedOn": ago(max(days - chance.randint(4, 25), 0)) if decided else "", "hiredAs": hired.get(vacancy["key"], "") if stage == "Hired" else "",
                         "days": days})


filled = [vacancy for vacancy in vacancies if vacancy["status"] == "Filled"]
for candidate, vacancy in zip(candidates[1:], filled):
    add_application(candidate, vacancy, "Hired", chance.randint(110, 160))
add_application(carlo, vacancies[2], "Shortlisted", 12, 4)
add_application(carlo, vacancies[3], "Received", 3, 3)
add_application(carlo, vacancies[24], "Rejected", 70, 2, "Stronger")
answerable = [vacancy for vacancy in vacancies if vacancy["status"] != "Draft"]
others = candidates[1 + len(filled):]
while len(applications) < 450:
    candidate, vacancy = chance.choice(others), chance.choice(answerable)
    if (candidate["key"], vacancy["key"]) in seen:
        continue
    if vacancy["status"] == "Open":
        stage = chance.choices(("Received", "Shortlisted", "Interview", "Rejected", "Withdrawn"), (44, 17, 11, 22, 6))[0]
        days = chance.randint(1, 18) if stage == "Received" else chance.randint(10, 48)
    else:
        stage = chance.choices(("Rejected", "Withdrawn"), (88, 12))[0]
        days = chance.randint(90, 170)
    add_application(candidate, vacancy, stage, days)

# --- interview notes -----------------------------------------------------------------------------------
NOTE_TEXTS = {
    1: [("First call", "Friendly and well prepared. Asked about the team before asking about holidays. Would start in two months."),
        ("First impression", "Calm, clear, a little nervous at the start. Knows our products from a former employer."),
        ("Video call", "The line was poor, the answers were not. Wants to see the workshop before deciding."),
        ("Visit", "Walked through production with us and asked good questions at every station.")],
    2: [("Technical talk", "Solved the task on paper with one hint. Strong on diagnosis, weaker on documentation."),
        ("Trial task", "Delivered on time and explained the trade-offs without being asked. Tests were thin."),
        ("Assessment of the panel", "Three of four would hire. The doubt is about working alone for longer periods."),
        ("Second talk", "Spoke openly about a project that failed and about the own part in it. Convincing.")],
    3: [("References", "The former lead would take this person back at once. Left on good terms after a reorganisation."),
        ("References", "Dates in the curriculum confirmed. The reference was polite and rather short."),
        ("Notice and commitments", "Bound by a competition clause until the end of the quarter. Legal has looked at it.")],
    4: [("Personal circumstances", "Cares for a parent and needs fixed hours on two afternoons. Asked to keep this among few."),
        ("Background check", "An old matter came up and was settled long ago. No reason against hiring, and no reason to spread it."),
        ("Health", "Told us of an adjustment needed at the workplace. Occupational health is informed.")],
}
vacancy_by_key = {vacancy["key"]: vacancy for vacancy in vacancies}
talked = [a for a in applications if a["stage"] != "Received"]
notes = []


def add_note(application, level):
    department_head = head_of[vacancy_by_key[application["vacancy"]]["department"]]
    authors = {1: [rosa, rosa, department_head["key"]], 2: [rosa, department_head["key"], department_head["key"]],
               3: [department_head["key"], helen], 4: [helen]}[level]
    subject, text = chance.choice(NOTE_TEXTS[level])
    notes.append({"key": f"n{len(notes) + 1:03d}", "application": application["key"], "author": chance.choice(authors), "level": level,
                  "subject": subject, "text": text, "heldOn": rel(-max(application["days"] - chance.randint(2, 9), 0))})


for level in (1, 2, 3, 4):
    add_note(next(a for a in applications if a["candidate"] == carlo["key"] and a["stage"] == "Shortlisted"), level)
while len(notes) < 500:
    application = chance.choice(talked)
    add_note(application, chance.choices((1, 2, 3, 4), (45, 33, 14, 8))[0])

# --- files -----------------------------------------------------------------------------------------
write(1, "hr.Department", ["key", "code", "name", "location", "parent", "head"],
      [{"key": key, "code": code, "name": name, "location": location, "parent": parent, "head": head_of[key]["key"]}
       for key, code, name, location, parent, _ in DEPARTMENTS])
write(2, "hr.Employee", ["key", "firstName", "lastName", "email", "phone", "jobTitle", "salary", "nationalId", "bankAccount", "birthDate",
                         "status", "joined", "leaves", "clearance", "annualLeave", "department", "manager", "account"], employees)
write(3, "hr.SalaryChange", ["key", "employee", "effective", "salaryBefore", "salaryAfter", "reason", "decidedBy"], changes)
write(4, "hr.LeaveRequest", ["key", "employee", "kind", "firstDay", "lastDay", "days", "note", "status", "answer", "decidedBy", "decidedOn"], leave)
write(5, "hr.ExpenseClaim", ["key", "title", "status", "submittedOn", "decidedOn", "refusal", "employee", "firstApprover", "secondApprover"], claims)
write(6, "hr.ExpenseLine", ["key", "claim", "spentOn", "kind", "description", "amount", "receipt"], lines)
write(7, "hiring.Vacancy", ["key", "title", "description", "requirements", "location", "contract", "places", "closes", "status", "department", "recruiter"], vacancies)
write(8, "hiring.Candidate", ["key", "firstName", "lastName", "email", "phone", "city", "profile", "account"], candidates)
write(9, "hiring.Application", ["key", "candidate", "vacancy", "motivation", "appliedOn", "stage", "rating", "rejectReason", "rejectNote", "decidedOn", "hiredAs"], applications)
write(10, "hiring.InterviewNote", ["key", "application", "author", "level", "subject", "text", "heldOn"], notes)

if __name__ == "__main__":
    for name, rows in (("departments", DEPARTMENTS), ("employees", employees), ("changes of pay", changes), ("leave requests", leave), ("claims", claims),
                       ("lines", lines), ("vacancies", vacancies), ("candidates", candidates), ("applications", applications), ("notes", notes)):
        print(f"{len(rows):5d} {name}")
