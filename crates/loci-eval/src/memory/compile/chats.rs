//! The chats themselves: talk about a subject, with or without something that is told in it.

use loci_memory::Time;

use super::super::history::{Said, Session, Stated};
use super::super::told::{ASKING, REPLIES, SUBJECTS};
use super::{Carried, Compiler, filled};

impl Compiler<'_> {
    /// A chat that no question needs: about a subject, or with a fact that nobody asks for.
    pub(super) fn other_chat(&mut self, with_fact: bool) {
        let at = self.moment(0.0, 1.0);
        // Where facts run out, the rest is talk.
        let stated = match with_fact.then(|| self.fact()).flatten() {
            Some(fact) => {
                let (values, way) = self.drawn(fact.0, 1);
                self.state(fact, way, values.first().copied().unwrap_or(""), at)
            }
            None => Stated {
                topic: None,
                sentence: String::new(),
                value: String::new(),
                at: Time::from_millis(at),
            },
        };
        self.carry(at, "user", stated, None);
    }

    /// Two rounds about a subject; what is carried stands in one of the four messages.
    pub(super) fn chat(&mut self, id: String, carried: &Carried) -> Session {
        let subject = self.random.one_of(SUBJECTS);
        let asking = self.random.some_of(ASKING, 2);
        let replies = self.random.some_of(REPLIES, 2);
        let round = self.random.below(2).unwrap_or(0);
        let mut said = Vec::with_capacity(4);
        for turn in 0..2 {
            for (speaker, texts) in [("user", &asking), ("assistant", &replies)] {
                let talk = filled(texts.get(turn).copied().unwrap_or(""), &[("s", subject)]);
                let here = round == turn && speaker == carried.speaker && !carried.stated.sentence.is_empty();
                let text = if here { format!("{} {talk}", carried.stated.sentence) } else { talk };
                said.push(Said {
                    speaker: speaker.to_owned(),
                    text,
                    evidence: here && !carried.needed_by.is_empty() && speaker == "user",
                    stated: here.then(|| carried.stated.clone()),
                });
            }
        }
        Session { id, at: Time::from_millis(carried.at), said }
    }
}
