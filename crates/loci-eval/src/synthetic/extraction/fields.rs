//! What a device summary states: fields, the sentences that state them, and how their values are drawn.

use loci_context::random::Random;

use super::super::draw::{Form, Fresh, between};

/// A field of a summary.
pub(super) struct Field {
    /// As it stands in the question: `What is the … of the device?`
    pub(super) asked: &'static str,
    /// Sentences that state it, each as what stands before its value and what stands behind.
    pub(super) said: &'static [(&'static str, &'static str)],
    /// Draws a value.
    draw: fn(&mut Random, &mut Fresh) -> String,
}

impl Field {
    /// A value that no field of the same summary has.
    pub(super) fn value(&self, random: &mut Random, fresh: &mut Fresh) -> String {
        let mut value = (self.draw)(random, fresh);
        // Lists are longer than the number of fields that draw from one.
        while !fresh.take(&value) {
            value = (self.draw)(random, fresh);
        }
        value
    }
}

/// Two devices, two numbers and two firms stand in each summary, so that it takes more than the form of a value to know it.
pub(super) const FIELDS: &[Field] = &[
    Field {
        asked: "trade name",
        said: &[
            ("The device is sold under the trade name ", ". "),
            ("The submission concerns a device with the trade name ", ". "),
            ("In the labelling the trade name is given as ", ". "),
        ],
        draw: device,
    },
    Field {
        asked: "applicant",
        said: &[
            ("This summary was submitted by ", ", the applicant. "),
            ("The applicant for this notification is ", ". "),
            ("Responsibility as applicant lies with ", ". "),
        ],
        draw: firm,
    },
    Field {
        asked: "K-number",
        said: &[
            ("The notification itself was filed under ", ". "),
            ("The agency assigned the number ", " to this submission. "),
            ("The present file carries the K-number ", ". "),
        ],
        draw: notification,
    },
    Field {
        asked: "product code",
        said: &[
            ("It is listed with the product code ", ". "),
            ("The classification database gives it the product code ", ". "),
            ("Under the classification the product code reads ", ". "),
        ],
        draw: code,
    },
    Field {
        asked: "predicate device",
        said: &[
            ("Substantial equivalence is claimed to ", ", the predicate device. "),
            ("As predicate device the applicant names ", ". "),
            ("Performance was set beside that of the predicate, ", ", throughout. "),
        ],
        draw: device,
    },
    Field {
        asked: "K-number of the predicate",
        said: &[
            ("The predicate had been cleared earlier as ", ". "),
            ("For the predicate the K-number is ", ". "),
            ("Clearance of the predicate is on record under ", ". "),
        ],
        draw: notification,
    },
    Field {
        asked: "analyte",
        said: &[
            ("What is measured is ", " in the sample. "),
            ("The analyte is ", ". "),
            ("The test determines ", ", its only analyte. "),
        ],
        draw: |random, _| random.one_of(ANALYTES).to_owned(),
    },
    Field {
        asked: "type of test",
        said: &[
            ("By its type the test is listed as ", ". "),
            ("The method is classified as ", ". "),
            ("The type of test is given as ", ". "),
        ],
        draw: |random, _| random.one_of(TESTS).to_owned(),
    },
    Field {
        asked: "specimen",
        said: &[
            ("Operators apply ", " as the specimen. "),
            ("The specimen to be used is ", ". "),
            ("It has been validated with ", " and with no other specimen. "),
        ],
        draw: |random, _| random.one_of(SPECIMENS).to_owned(),
    },
    Field {
        asked: "regulation",
        said: &[
            ("The device falls under ", " of the regulations. "),
            ("The regulation that applies is ", ". "),
            ("It is regulated by ", ". "),
        ],
        draw: |random, _| format!("21 CFR {}.{}", between(random, 860, 899), between(random, 1000, 9899)),
    },
    Field {
        asked: "review panel",
        said: &[
            ("The review was assigned to the panel for ", ". "),
            ("The panel in charge is that of ", ". "),
            ("For advice the reviewers turned to the panel of ", ". "),
        ],
        draw: |random, _| random.one_of(PANELS).to_owned(),
    },
    Field {
        asked: "date of preparation",
        said: &[
            ("The text was prepared on ", " by the applicant's staff. "),
            ("This document is dated ", ". "),
            ("Its date of preparation is ", ". "),
        ],
        draw: |random, _| {
            let (month, day) = (random.one_of(MONTHS), between(random, 1, 28));
            format!("{month} {day}, {}", between(random, 1998, 2021))
        },
    },
    Field {
        asked: "contact person",
        said: &[
            ("Questions may be directed to ", ", the contact person. "),
            ("The contact person is ", ". "),
            ("Correspondence is handled by ", " as contact person. "),
        ],
        draw: |random, _| format!("{} {}", random.one_of(FIRST_NAMES), random.one_of(FAMILY_NAMES)),
    },
    Field {
        asked: "measuring range",
        said: &[
            ("Results are reported over the measuring range of ", ". "),
            ("The measuring range extends over ", ". "),
            ("Linearity was shown over the whole measuring range, ", ". "),
        ],
        draw: |random, _| {
            let unit = random.one_of(&["mg/dL", "ng/mL", "mIU/L", "mmol/L", "pg/mL"]);
            format!("{} to {} {unit}", between(random, 2, 49), between(random, 110, 990))
        },
    },
];

fn device(random: &mut Random, _: &mut Fresh) -> String {
    format!("{} {}", random.one_of(COINED), between(random, 110, 989))
}

fn firm(random: &mut Random, _: &mut Fresh) -> String {
    format!("{} {}", random.one_of(FIRMS), random.one_of(TRADES))
}

fn notification(random: &mut Random, fresh: &mut Fresh) -> String {
    format!("K{}", fresh.draw(random, Form::Number(6)))
}

/// Three capitals without a vowel, one of them rare: such a code is no part of a word.
fn code(random: &mut Random, _: &mut Fresh) -> String {
    let mut letter = |of: &str| of.chars().nth(random.below(of.len()).unwrap_or(0)).unwrap_or('X');
    [letter("BCDFGHKLMNPRT"), letter("JQXZ"), letter("BCDFGHKLMNPRT")].iter().collect()
}

const COINED: &[&str] = &[
    "Velmara", "Ostrex", "Kelvio", "Torvane", "Brissel", "Quilmar", "Ardento", "Fenolux", "Glaviq",
    "Hystera", "Jorvik", "Lumequa", "Moravel", "Nexalto", "Pervade", "Rustiga", "Solvane", "Tamberin",
];
const FIRMS: &[&str] = &[
    "Harlowe",
    "Westermark",
    "Dunbrook",
    "Castellane",
    "Ingersby",
    "Pellworth",
    "Rookwood",
    "Stavanger",
    "Thornquist",
    "Umberfield",
    "Valdossa",
    "Wexcombe",
];
const TRADES: &[&str] = &["Diagnostics", "Biosciences", "Instruments", "Laboratories", "Medical Systems"];
/// Of these lists no entry holds another one, so that naming the wrong one is never right.
const ANALYTES: &[&str] = &[
    "glucose",
    "ferritin",
    "troponin I",
    "thyrotropin",
    "lactate",
    "procalcitonin",
    "creatinine",
    "uric acid",
    "total cholesterol",
    "hemoglobin A1c",
    "C-reactive protein",
    "parathyroid hormone",
    "vitamin B12",
    "ammonia",
    "digoxin",
    "theophylline",
];
const TESTS: &[&str] = &[
    "quantitative chemiluminescent immunoassay",
    "qualitative lateral flow strip",
    "semi-quantitative color comparison",
    "kinetic enzymatic assay",
    "turbidimetric agglutination assay",
    "real-time amplification assay",
    "amperometric biosensor",
    "fluorescence polarization assay",
    "ion-selective electrode measurement",
];
const SPECIMENS: &[&str] = &[
    "capillary whole blood",
    "citrated plasma",
    "serum",
    "first-morning urine",
    "a nasopharyngeal swab",
    "saliva",
    "cerebrospinal fluid",
    "a dried blood spot",
    "stool",
    "arterial blood",
];
const PANELS: &[&str] = &[
    "clinical chemistry",
    "hematology",
    "immunology",
    "microbiology",
    "toxicology",
    "pathology",
    "medical genetics",
    "cardiovascular devices",
    "general hospital devices",
];
const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const FIRST_NAMES: &[&str] = &[
    "Adela",
    "Bastian",
    "Corinne",
    "Desmond",
    "Elspeth",
    "Fergus",
    "Gwendolyn",
    "Horatio",
    "Isolde",
    "Jerome",
    "Katinka",
    "Lionel",
];
const FAMILY_NAMES: &[&str] = &[
    "Abernathy",
    "Bellweather",
    "Crabtree",
    "Dovecote",
    "Eastlake",
    "Featherstone",
    "Goodspeed",
    "Hollingberry",
    "Ironside",
    "Kettlewell",
    "Larkspur",
    "Merriweather",
];
