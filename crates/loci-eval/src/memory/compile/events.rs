//! Events: like ones on days of their own, asked for by their days or by their order.

use loci_memory::Time;

use super::super::history::{Asks, Stated};
use super::super::told::Happening;
use super::{Compiler, DAY, filled};
use crate::synthetic::listed;

/// Like events told in one history: what a question about days has to be told apart from.
const LIKE_EVENTS: usize = 4;
/// Events whose order is asked for.
const ORDERED: usize = 3;

/// An event of a kind, on a day, told in the chat of this number.
#[derive(Clone)]
pub(super) struct Event {
    kind: &'static Happening,
    value: &'static str,
    at: i64,
    carried: usize,
}

impl Compiler<'_> {
    /// So many events of a kind, in as many parts of the time.
    fn events(&mut self, count: usize) -> Vec<Event> {
        let Some(kind) = self.happenings.pop() else { return Vec::new() };
        let values = self.random.some_of(kind.values, count);
        let mut events = Vec::with_capacity(count);
        for (place, value) in values.into_iter().enumerate() {
            // The last third of a part stays free, so that neighbours are weeks apart.
            let part = 0.96 / count as f64;
            let from = part * place as f64;
            let told_at = self.moment(from, from + part * 0.66);
            let ago = match self.random.below(4) {
                Some(0) => 1,
                Some(1) => 3 + self.random.below(4).unwrap_or(0) as i64,
                _ => 0,
            };
            let when = match ago {
                0 => "Today".to_owned(),
                1 => "Yesterday".to_owned(),
                days => format!("{days} days ago"),
            };
            let at = told_at - ago * DAY;
            let stated = Stated {
                topic: None,
                sentence: filled(self.random.one_of(kind.told), &[("w", &when), ("v", value)]),
                value: value.to_owned(),
                at: Time::from_millis(at),
            };
            let carried = self.carry(told_at, "user", stated, None);
            events.push(Event { kind, value, at, carried });
        }
        events
    }

    pub(super) fn temporal(&mut self) {
        if self.waiting.is_empty() {
            let events = self.events(LIKE_EVENTS);
            let like =
                |event: &Event| events.iter().filter(|other| other.value != event.value).cloned().collect();
            let waiting: Vec<(Event, Vec<Event>)> =
                events.iter().map(|event| (event.clone(), like(event))).collect();
            self.waiting = self.random.some_of(&waiting, waiting.len());
        }
        let Some((event, others)) = self.waiting.pop() else { return };
        let when = self.days(&event, &others);
        let number = self.questions.len();
        if let Some(carried) = self.carried.get_mut(event.carried) {
            carried.needed_by.push(number);
        }
        let rivals: Vec<&str> = others.iter().map(|other| other.value).collect();
        let text = event.kind.asked.map(|asked| filled(asked, &[("w", &when)]));
        self.ask(Asks::Temporal, text, &[event.value], &[], &rivals);
    }

    /// Names the days of an event as seen from the question: the month, if no other is of it, or weeks.
    fn days(&mut self, event: &Event, others: &[Event]) -> String {
        let date = |at: i64| Time::from_millis(at).date();
        let month = |at: i64| (date(at).year(), date(at).month());
        let alone = others.iter().all(|other| month(other.at) != month(event.at));
        let now = date(self.asked_at);
        let days = (Time::of_date(now).millis() - Time::of_date(date(event.at)).millis()) / DAY;
        // The month of the question, and one of a year ago, would be taken for another.
        let clear = days < 300 && month(event.at) != (now.year(), now.month());
        if days < 14 || (alone && clear && self.random.unit() < 0.5) {
            return match days {
                0..14 => format!("{days} days ago"),
                _ => date(event.at).strftime("in %B").to_string(),
            };
        }
        format!("{} weeks ago", (days as f64 / 7.0).round())
    }

    pub(super) fn order(&mut self) {
        let mut events = self.events(ORDERED);
        events.sort_by_key(|event| event.at);
        let Some(kind) = events.first().map(|event| event.kind) else { return };
        let number = self.questions.len();
        for event in &events {
            if let Some(carried) = self.carried.get_mut(event.carried) {
                carried.needed_by.push(number);
            }
        }
        let gold: Vec<&str> = events.iter().map(|event| event.value).collect();
        let shown = self.random.some_of(&gold, gold.len());
        let text = kind.order.map(|order| filled(order, &[("l", &listed(&shown))]));
        self.ask(Asks::Order, text, &gold, &[], &[]);
    }
}
