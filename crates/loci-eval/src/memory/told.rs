//! What users of generated histories tell: facts about things, and events.

/// A kind of fact. `{t}` is the thing, `{v}` the value.
pub(super) struct Relation {
    pub(super) name: &'static str,
    pub(super) things: &'static [&'static str],
    pub(super) values: &'static [&'static str],
    /// Ways to tell it, first and again.
    pub(super) told: &'static [&'static str],
    /// Ways to ask for it: they share the thing with what was told, and few other words.
    pub(super) asked: [&'static str; 2],
    /// What an assistant says that has it wrong.
    pub(super) claimed: &'static str,
}

const PEOPLE: &[&str] = &[
    "sister",
    "brother",
    "aunt",
    "cousin",
    "landlord",
    "godmother",
    "nephew",
    "grandfather",
    "stepson",
    "flatmate",
];

/// No value holds another one.
pub(super) const RELATIONS: &[Relation] = &[
    Relation {
        name: "name",
        things: &["parrot", "hamster", "tortoise", "greyhound", "goldfish", "rabbit", "kitten", "pony"],
        values: &[
            "Kiko", "Bramble", "Sultan", "Mopsy", "Figaro", "Nimbus", "Pepper", "Tallulah", "Wotan", "Zelda",
        ],
        told: &[
            "We settled on a name for my {t} at last: {v}.",
            "From now on my {t} goes by {v}.",
            "My {t} listens to {v} now, which took some practice.",
        ],
        asked: ["What is my {t} called?", "Which name does my {t} have?"],
        claimed: "A {t} by the name of {v} must be good company.",
    },
    Relation {
        name: "home",
        things: PEOPLE,
        values: &[
            "Lisbon", "Ghent", "Turku", "Galway", "Bergen", "Ravenna", "Graz", "Odense", "Leipzig", "Tartu",
            "Bilbao",
        ],
        told: &[
            "My {t} has just moved to {v} and likes it there.",
            "I had a card from my {t}, who is at home in {v} these days.",
            "My {t} found a flat in {v} at last.",
        ],
        asked: ["Where does my {t} live?", "In which town has my {t} settled?"],
        claimed: "Your {t} in {v} will surely be glad of a visit.",
    },
    Relation {
        name: "instrument",
        things: PEOPLE,
        values: &[
            "oboe",
            "cello",
            "accordion",
            "mandolin",
            "trombone",
            "harp",
            "clarinet",
            "zither",
            "marimba",
        ],
        told: &[
            "My {t} took up the {v} and practises every evening.",
            "These days my {t} plays the {v}.",
            "My {t} bought a {v} and wants to learn it properly.",
        ],
        asked: ["What instrument does my {t} play?", "What does my {t} make music with?"],
        claimed: "As your {t} plays the {v}, a concert would make a fine present.",
    },
    Relation {
        name: "price",
        things: &[
            "bicycle",
            "sofa",
            "camera",
            "kettle",
            "tent",
            "sewing machine",
            "typewriter",
            "rowing boat",
        ],
        values: &["217", "348", "459", "583", "624", "795", "866", "932", "1074", "1390"],
        told: &[
            "The shop wants {v} euros for the {t} that I have my eye on.",
            "They have put the {t} that I want at {v} euros.",
            "For the {t} of my dreams I would have to pay {v} euros.",
        ],
        asked: ["How much does the {t} cost that I would like to buy?", "What is the price of the {t}?"],
        claimed: "With the {t} at {v} euros it is worth waiting for the sales.",
    },
    Relation {
        name: "place",
        things: &[
            "passport",
            "spare key",
            "toolbox",
            "photo album",
            "first-aid kit",
            "binoculars",
            "sleeping bag",
            "violin case",
        ],
        values: &[
            "blue drawer",
            "attic trunk",
            "hall cupboard",
            "garage cabinet",
            "wicker basket",
            "desk tray",
            "cellar rack",
            "linen chest",
        ],
        told: &[
            "I have put my {t} into the {v} so that I do not lose it.",
            "My {t} lies in the {v} now.",
            "After tidying up, the {v} is where my {t} belongs.",
        ],
        asked: ["Where do I keep my {t}?", "Where should I look for my {t}?"],
        claimed: "If your {t} is in the {v}, it is easy to reach.",
    },
    Relation {
        name: "food",
        things: PEOPLE,
        values: &["walnuts", "shrimp", "celery", "mustard", "strawberries", "lentils", "sesame", "rye bread"],
        told: &[
            "The doctor says that my {t} must stay away from {v}.",
            "My {t} cannot eat {v} any more.",
            "It turns out that {v} make my {t} ill.",
        ],
        asked: ["What should I not cook for my {t}?", "Which food does my {t} not tolerate?"],
        claimed: "A menu without {v} will suit your {t}.",
    },
    Relation {
        name: "day",
        things: &[
            "choir",
            "pottery class",
            "book club",
            "swimming lesson",
            "chess evening",
            "language course",
            "yoga group",
        ],
        values: &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
        told: &[
            "My {t} has been moved to {v}.",
            "They hold my {t} each {v} now.",
            "For my {t} we have agreed on {v}.",
        ],
        asked: ["On which day of the week is my {t}?", "Which evening do I need to keep free for my {t}?"],
        claimed: "With your {t} on {v} the weekend is yours.",
    },
    Relation {
        name: "colour",
        things: &[
            "kitchen",
            "hallway",
            "garden fence",
            "front door",
            "bathroom",
            "shed",
            "balcony",
            "summer house",
        ],
        values: &[
            "turquoise",
            "ochre",
            "crimson",
            "lavender",
            "ivory",
            "emerald",
            "charcoal",
            "apricot",
            "maroon",
        ],
        told: &[
            "We have painted the {t} {v}.",
            "The {t} is {v} now, and it looks well.",
            "In the end we chose {v} for the {t}.",
        ],
        asked: ["Which colour does our {t} have?", "What paint did we use for the {t}?"],
        claimed: "A {t} in {v} goes well with wood.",
    },
];

/// A kind of event. `{v}` is what it was, `{w}` the day of it (Today, Yesterday, Three days ago) or the days asked for.
pub(super) struct Happening {
    pub(super) values: &'static [&'static str],
    pub(super) told: &'static [&'static str],
    pub(super) asked: [&'static str; 2],
    /// `{l}` is the list.
    pub(super) order: [&'static str; 2],
}

pub(super) const HAPPENINGS: &[Happening] = &[
    Happening {
        values: &[
            "The Salt Road",
            "Winter Ferries",
            "A Field of Clocks",
            "The Glass Pilot",
            "Seven Harbours",
            "Low Tide Letters",
        ],
        told: &["{w} I finished reading {v}.", "{w} I got to the last page of {v}."],
        asked: ["Which book did I finish {w}?", "What was I done reading {w}?"],
        order: ["In which order did I finish {l}?", "Which came first, second and third when I read {l}?"],
    },
    Happening {
        values: &[
            "the Tramway Museum",
            "the Museum of Salt",
            "the Harbour Gallery",
            "the Herring House",
            "the Old Observatory",
            "the Paper Mill Collection",
        ],
        told: &["{w} I visited {v}.", "{w} I spent the whole morning at {v}."],
        asked: ["Which museum did I visit {w}?", "What collection was I at {w}?"],
        order: ["In which order did I visit {l}?", "Which came first, second and third when I went to {l}?"],
    },
    Happening {
        values: &[
            "saffron risotto",
            "beetroot dumplings",
            "lemon trout",
            "chestnut soup",
            "plum strudel",
            "fennel pie",
        ],
        told: &["{w} I cooked {v} for the first time.", "{w} there was {v} at my place, made by me."],
        asked: ["Which dish did I cook {w}?", "What did I make for dinner {w}?"],
        order: ["In which order did I cook {l}?", "Which came first, second and third of my dishes {l}?"],
    },
    Happening {
        values: &[
            "Lake Orvane",
            "the Mere of Tolm",
            "Lake Sibbert",
            "the Quarry Pond",
            "Lake Hestrand",
            "the Upper Tarn",
        ],
        told: &["{w} I walked all around {v}.", "{w} I went along the shore of {v} from end to end."],
        asked: ["Around which water did I walk {w}?", "Which shore was I walking along {w}?"],
        order: [
            "In which order did I walk around {l}?",
            "Which came first, second and third of my walks at {l}?",
        ],
    },
    Happening {
        values: &[
            "Night Over Corfe",
            "The Lamplighter",
            "Paper Moons",
            "Eleven Bridges",
            "The Quiet Orchard",
            "Snow on Friday",
        ],
        told: &["{w} I watched {v} at the cinema.", "{w} I sat through {v}, in the front row."],
        asked: ["Which film did I watch {w}?", "What did I see at the cinema {w}?"],
        order: ["In which order did I watch {l}?", "Which came first, second and third when I saw {l}?"],
    },
    Happening {
        values: &[
            "the Alder Quartet",
            "Mira Holt",
            "the Brass Foundry",
            "the Vesper Choir",
            "Jonas Rill",
            "the Tin Orchestra",
        ],
        told: &["{w} I heard {v} in concert.", "{w} I was at the town hall to listen to {v}."],
        asked: ["Whom did I hear in concert {w}?", "Who played when I was at the town hall {w}?"],
        order: [
            "In which order did I hear {l}?",
            "Which came first, second and third when I heard {l} play?",
        ],
    },
];

/// What else people chat about.
pub(super) const SUBJECTS: &[&str] = &[
    "tides",
    "sourdough",
    "spreadsheets",
    "medieval maps",
    "compost",
    "night trains",
    "crossword puzzles",
    "volcanoes",
    "bee keeping",
    "typefaces",
    "glaciers",
    "chess openings",
    "lighthouses",
    "watercolours",
    "tax forms",
    "bird migration",
    "haiku",
    "knots",
    "solar panels",
    "rain gauges",
];
pub(super) const ASKING: &[&str] = &[
    "Can you explain how {s} work, in plain words?",
    "I keep reading about {s}; where would a beginner start?",
    "What is the most common mistake people make with {s}?",
    "Could you give me three ideas for a short talk on {s}?",
    "How did people deal with {s} a hundred years ago?",
    "I wonder whether {s} are worth the trouble, what do you think?",
    "Please summarise what matters about {s}.",
    "We were talking about {s} over lunch, and nobody knew much.",
];
pub(super) const REPLIES: &[&str] = &[
    "Gladly. With {s} it helps to begin with the simplest case and to add one thing at a time.",
    "There is more than one view of {s}; the short answer is that it depends on the purpose.",
    "Most introductions to {s} begin with examples, and so would I.",
    "People who know {s} well advise patience and a notebook.",
    "Let me put it this way: {s} reward those who look twice.",
    "A good first step with {s} is to watch somebody who has done it before.",
];
