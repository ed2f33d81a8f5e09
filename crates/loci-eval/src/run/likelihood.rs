//! How likely a model finds what follows, and how far its predictions are from another's.

use loci_engine::divergence::{first, kl};
use loci_engine::{Account, EngineError, LanguageModel, Rating};

use super::{Record, Seat, Subject};
use crate::example::Turn;
use crate::statistics::mean;

/// The subject that the others' predictions are compared with, and what it predicted for the question at hand: its text is
/// read once, whoever comes first.
pub(super) struct Reference<'a> {
    index: usize,
    subject: &'a Subject,
    held: Option<(usize, Rating, Account)>,
}

impl<'a> Reference<'a> {
    /// Number `index` of `subjects`, for one example.
    pub(super) fn of(subjects: &'a [Subject], index: usize) -> Option<Self> {
        Some(Self { index, subject: subjects.get(index)?, held: None })
    }

    /// Everything that its predictions depend on, besides the prompts.
    pub(super) fn recipe(&self) -> &'a str {
        &self.subject.recipe
    }

    /// What it predicts for question `number`.
    fn rated(
        &mut self,
        seat: &Seat<'_>,
        number: usize,
        turn: &Turn,
    ) -> Result<&(usize, Rating, Account), EngineError> {
        let held = match self.held.take().filter(|(held, ..)| *held == number) {
            Some(held) => held,
            None => {
                let (rating, account) = rated(seat, (self.subject.open)()?.as_mut(), number, turn)?;
                (number, rating, account)
            }
        };
        Ok(self.held.insert(held))
    }
}

fn rated(
    seat: &Seat<'_>,
    model: &mut dyn LanguageModel,
    number: usize,
    turn: &Turn,
) -> Result<(Rating, Account), EngineError> {
    let gold = turn.gold.first().map_or("", String::as_str);
    let compares = seat.manner.reference.is_some();
    let (ratings, account) =
        seat.with_input(number, turn, |input, control| model.rate(input, &[gold], compares, control))?;
    Ok((ratings.into_iter().next().unwrap_or_default(), account))
}

/// Judges subject number `index` on one question: the score is the geometric mean of the probabilities of the right tokens.
pub(super) fn judge(
    seat: &Seat<'_>,
    model: &mut dyn LanguageModel,
    (index, reference): (usize, &mut Option<Reference<'_>>),
    (number, turn): (usize, &Turn),
    record: &mut Record,
) -> Result<Account, EngineError> {
    let itself = reference.as_ref().is_some_and(|reference| reference.index == index);
    let held = reference.as_mut().map(|reference| reference.rated(seat, number, turn)).transpose()?;
    let own;
    let (rating, account) = match held.filter(|_| itself) {
        Some((_, rating, account)) => (rating, account),
        None => {
            own = rated(seat, model, number, turn)?;
            (&own.0, &own.1)
        }
    };
    let nll = -rating.log_probability / rating.tokens.max(1) as f64;
    record.score = Some((-nll).exp());
    record.also.insert("nll".to_owned(), nll);
    record.also.insert("perplexity".to_owned(), nll.exp());
    let compared = held.and_then(|(_, other, _)| divergence(&other.distributions, &rating.distributions));
    if let Some((kl, same_first)) = compared {
        record.also.insert("kl".to_owned(), kl);
        record.also.insert("same first".to_owned(), same_first);
    }
    Ok(account.clone())
}

/// Mean `KL(p || q)` in nats a token, and how often both find the same token the most probable; `None` unless both are about
/// the same tokens.
fn divergence(p: &[Vec<f64>], q: &[Vec<f64>]) -> Option<(f64, f64)> {
    let same_tokens = p.len() == q.len() && p.iter().zip(q).all(|(p, q)| p.len() == q.len());
    let far: Vec<f64> = p.iter().zip(q).map(|(p, q)| kl(p, q)).collect();
    let same: Vec<f64> = p.iter().zip(q).map(|(p, q)| f64::from(u8::from(first(p) == first(q)))).collect();
    Some((mean(&far)?, mean(&same)?)).filter(|_| same_tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_needs_the_same_tokens() {
        let half = vec![0.5_f64.ln(), 0.5_f64.ln()];
        let quarter = vec![0.25_f64.ln(), 0.75_f64.ln()];
        let (far, same) =
            divergence(&[half.clone(), half.clone()], &[quarter.clone(), half.clone()]).unwrap();
        // (1/2 ln 2 + 1/2 ln 2/3) / 2; of equal shares the later is taken as first.
        assert!((far - 0.071_920_5).abs() < 1e-6 && same == 1.0, "{far} {same}");
        let one = [half.clone()];
        assert!(divergence(&one, &[half.clone(), half]).is_none());
        assert!(divergence(&one, &[vec![0.0]]).is_none());
        assert!(divergence(&[], &[]).is_none());
    }
}
