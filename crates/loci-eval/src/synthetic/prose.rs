//! Prose to hide things in: plain sentences about people of a small town, from templates and lists of words.
//!
//! It has no digits, quotes or colons, so that nothing in it looks like what the tasks hide.

use std::collections::BTreeSet;

use loci_context::random::Random;

const PEOPLE: &[&str] = &[
    "Agnes",
    "Bertram",
    "Clara",
    "Dorian",
    "Edith",
    "Florian",
    "Greta",
    "Hubert",
    "Ingrid",
    "Jasper",
    "Kirsten",
    "Leopold",
    "Mirella",
    "Norbert",
    "Ottilie",
    "Percival",
    "Quentin",
    "Rosalind",
    "Sebald",
    "Theresa",
    "Ulrich",
    "Valerie",
    "Wendel",
    "Xenia",
    "Yvette",
    "Zacharias",
    "the baker",
    "the ferryman",
    "the schoolmistress",
    "the old gardener",
    "the clockmaker",
    "the young doctor",
    "the postman",
    "the miller",
    "the librarian",
    "the bookbinder",
    "the innkeeper",
    "the carpenter",
    "the bell ringer",
    "the tailor",
];
const PLACES: &[&str] = &[
    "by the mill pond",
    "at the edge of the wood",
    "in the market hall",
    "behind the church",
    "on the stone bridge",
    "near the harbour wall",
    "under the chestnut trees",
    "in the back room of the inn",
    "along the towpath",
    "at the railway halt",
    "in the reading room",
    "on the common",
    "beside the old quarry",
    "in the orchard",
    "at the top of the lane",
    "outside the post office",
    "on the schoolhouse steps",
    "in the boat shed",
    "between the hedges",
    "at the ford",
];
const TIMES: &[&str] = &[
    "in the early morning",
    "after supper",
    "before the rain came",
    "toward evening",
    "on a still afternoon",
    "once the shops had closed",
    "while the bells were ringing",
    "late in the autumn",
    "on market day",
    "a little after noon",
    "when the frost had gone",
    "in the first week of spring",
    "at the end of a long day",
    "just as the lamps were lit",
    "during the harvest",
    "before anyone else was awake",
    "all through the winter",
    "on the longest day of the year",
];
const QUALITIES: &[&str] = &[
    "worn",
    "heavy",
    "painted",
    "forgotten",
    "borrowed",
    "handsome",
    "crooked",
    "half-finished",
    "dusty",
    "polished",
    "narrow",
    "foreign",
    "old-fashioned",
    "battered",
    "curious",
    "plain",
    "splendid",
    "faded",
    "patched",
    "noisy",
    "homemade",
    "broken",
    "neatly tied",
    "second-hand",
    "oversized",
    "delicate",
    "muddy",
    "carved",
    "brightly dyed",
    "well-kept",
];
const THINGS: &[&str] = &[
    "ledger",
    "wheelbarrow",
    "lantern",
    "accordion",
    "barometer",
    "weathervane",
    "tea chest",
    "fishing net",
    "grandfather clock",
    "sewing machine",
    "rain barrel",
    "rocking chair",
    "bird cage",
    "pair of boots",
    "sketchbook",
    "hay cart",
    "copper kettle",
    "signboard",
    "walking stick",
    "bundle of letters",
    "cello",
    "telescope",
    "map of the coast",
    "garden gate",
    "oil painting",
    "cider press",
    "coat with brass buttons",
    "rowing boat",
    "tin trunk",
    "loaf tin",
];
const DOINGS: &[&str] = &[
    "mended",
    "sold",
    "carried away",
    "looked for",
    "described",
    "admired",
    "cleaned",
    "traded",
    "mislaid",
    "repainted",
    "gave away",
    "laughed about",
    "wrote about",
    "measured",
    "covered up",
    "put back",
    "took apart",
    "argued over",
    "wrapped up",
    "kept an eye on",
    "dreamed of",
    "lent out",
    "photographed",
    "paid too much for",
];
const FEELINGS: &[&str] = &[
    "without any hurry",
    "with great care",
    "in a bad temper",
    "for no clear reason",
    "and said nothing of it",
    "as if it were a feast day",
    "to the surprise of the whole street",
    "with more patience than skill",
    "and went home content",
    "though it cost a whole week",
    "much as the grandparents had done",
    "against all good advice",
    "and nobody thought it strange",
    "with a song under the breath",
    "because the evening was long",
    "and was thanked for it later",
];
const WEATHER: &[&str] = &[
    "A thin mist",
    "The smell of bread",
    "A cold wind",
    "The sound of hammering",
    "A soft light",
    "The last of the snow",
    "Wood smoke",
    "The cry of geese",
    "A warm drizzle",
    "The noise of the fair",
    "A great silence",
    "Dust from the road",
];
const TOPICS: &[&str] = &[
    "the price of wool",
    "the new bell",
    "a cousin overseas",
    "the state of the roads",
    "a wedding in the next valley",
    "the choir",
    "the flood of their childhood",
    "how to keep bees",
    "the missing cat",
    "the harvest dance",
    "a play that nobody had seen",
    "the best way to bake pears",
    "the railway that was never built",
    "the schoolteacher's hat",
    "an old quarrel about a fence",
    "the shape of the clouds",
];
const TEMPLATES: &[&str] = &[
    "{p} {v} the {a} {t} {l} {d}",
    "{d}, {p} {v} a {t} that everyone called {a}, {f}",
    "{p} and {q} talked about {o} {l} {d}",
    "{w} lay over the houses {d}, and {p} waited {l}",
    "It was {p} who {v} the {a} {t}, {f}",
    "Nobody {l} remembered why {p} had kept the {a} {t}",
    "{w} reached the yard, and {q} forgot {o} for a while",
    "{d}, the {a} {t} stood {l} where {p} had left it",
    "According to {q}, {p} {v} the {t} {f}",
    "{p} asked {q} about {o}, but the answer came {d}",
    "There was a {a} {t} {l}, which {p} {v} {f}",
    "{q} believed that {o} mattered more than any {a} {t}",
    "For years {p} had {v} every {t} that was found {l}",
    "{p} promised to bring the {t} {l}, and {q} brought the {a} one instead",
    "Whenever {o} was mentioned, {p} walked {l} and looked at the {a} {t}",
    "{d}, {q} and {p} carried a {a} {t} home, {f}",
    "The {t} {l} was {a}, and {p} was proud of it",
    "What {p} liked best {d} was to sit {l} and think about {o}",
    "Some said that {p} {v} the {t} {d}, others that {q} did",
    "{w} made {p} think of {o} and of a {a} {t}",
    "Children played {l} while {q} {v} the {a} {t}",
    "{p} spoke so long about {o} that {q} fell asleep {l}",
    "In the end the {a} {t} that {p} {v} went to {q}",
    "{p} had learned about {o} from {q} {d}",
];

/// Sentences without end, as far as possible none twice.
#[derive(Clone, Debug)]
pub(super) struct Prose {
    random: Random,
    said: BTreeSet<String>,
    left_in_paragraph: usize,
}

impl Prose {
    /// The prose that follows from `random`.
    pub(super) const fn new(random: Random) -> Self {
        Self { random, said: BTreeSet::new(), left_in_paragraph: 0 }
    }

    /// One sentence, with its full stop and without white space around it.
    pub(super) fn sentence(&mut self) -> String {
        let mut sentence = self.draw();
        // There are many millions; a few tries are enough until a text is far longer than any model reads.
        for _ in 0..20 {
            if !self.said.contains(&sentence) {
                break;
            }
            sentence = self.draw();
        }
        self.said.insert(sentence.clone());
        sentence
    }

    /// One sentence with the white space behind it: a blank, or a line break where a paragraph ends.
    pub(super) fn next(&mut self) -> String {
        let mut sentence = self.sentence();
        if self.left_in_paragraph == 0 {
            self.left_in_paragraph = 4 + self.random.below(5).unwrap_or(0);
        }
        self.left_in_paragraph -= 1;
        sentence.push(if self.left_in_paragraph == 0 { '\n' } else { ' ' });
        sentence
    }

    fn draw(&mut self) -> String {
        let random = &mut self.random;
        let people = random.some_of(PEOPLE, 2);
        let mut sentence = String::new();
        let mut rest = random.one_of(TEMPLATES);
        while let Some((before, (slot, behind))) =
            rest.split_once('{').and_then(|(before, slot)| Some((before, slot.split_once('}')?)))
        {
            sentence.push_str(before);
            let word = match slot {
                "p" => people.first().copied().unwrap_or(""),
                "q" => people.get(1).copied().unwrap_or(""),
                "l" => random.one_of(PLACES),
                "d" => random.one_of(TIMES),
                "a" => random.one_of(QUALITIES),
                "t" => random.one_of(THINGS),
                "v" => random.one_of(DOINGS),
                "f" => random.one_of(FEELINGS),
                "w" => random.one_of(WEATHER),
                _ => random.one_of(TOPICS),
            };
            let begins = sentence.is_empty();
            sentence.extend(word.chars().enumerate().map(|(at, character)| {
                if at == 0 && begins { character.to_ascii_uppercase() } else { character }
            }));
            rest = behind;
        }
        sentence.push_str(rest);
        sentence.push('.');
        // The article before a vowel.
        sentence.replace(" a o", " an o").replace(" a a", " an a")
    }
}

/// Names of people, no trades.
pub(super) fn names() -> Vec<&'static str> {
    PEOPLE.iter().copied().filter(|name| !name.starts_with("the ")).collect()
}

/// What someone did with something: `mended the worn ledger`.
pub(super) fn deed(random: &mut Random) -> String {
    format!("{} the {} {}", random.one_of(DOINGS), random.one_of(QUALITIES), random.one_of(THINGS))
}

/// Where something happened: `on the common`.
pub(super) fn place(random: &mut Random) -> &'static str {
    random.one_of(PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_sentences_and_none_twice() {
        let mut prose = Prose::new(Random::new(1));
        let sentences: Vec<String> = (0..20_000).map(|_| prose.next()).collect();
        assert_eq!(sentences.iter().collect::<BTreeSet<_>>().len(), sentences.len());
        for sentence in &sentences {
            assert!(sentence.split_whitespace().count() >= 7, "{sentence}");
            assert!(
                sentence.trim_end().ends_with('.') && sentence.starts_with(char::is_uppercase),
                "{sentence}"
            );
            assert!(
                !sentence.contains(['{', '}', ':', '"']) && !sentence.contains(|c: char| c.is_ascii_digit())
            );
        }
    }

    #[test]
    fn the_same_seed_says_the_same() {
        let say = |seed| Prose::new(Random::new(seed)).next();
        assert_eq!(say(4), say(4));
        assert_ne!(say(4), say(5));
    }
}
