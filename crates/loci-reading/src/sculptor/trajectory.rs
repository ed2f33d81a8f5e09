//! From a recorded run with tools to training samples.
//!
//! Edits rewrite what the model has read, so the final text does not hold the states in which earlier completions were
//! written. Conditional collection and incremental loss (Li et al., Sculptor, 2025) emit a sample before each edit and one
//! at the end, and let each completion count in the first sample that holds it: every completion is trained once, behind just
//! the text that stood there when it was written. Without this, the paper reports, training ends in repeated tool calls.

use loci_models::template::Message;

/// A completion and what followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the model wrote.
    pub completion: Message,
    /// Results of its calls, in their order; of the last step they are in no sample.
    pub results: Vec<Message>,
    /// Where its calls changed what is visible: everything visible behind them, this completion and its results included.
    pub edited: Option<Vec<Message>>,
}

/// What a model is trained on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The prompt as it was visible to the last completion, that completion, and its results if it was not the last step.
    pub messages: Vec<Message>,
    /// Where completion 0, 1, … stands among the messages.
    pub completions: Vec<usize>,
    /// Whether completion 0, 1, … has loss 1, or else 0.
    pub loss: Vec<bool>,
}

/// Why a recorded run cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrajectory {
    /// An edit changes the number of messages, which no tool does.
    #[error(
        "after step {step} {found} messages are visible, and {expected} were said; record what is visible behind the \
         step's completion and results"
    )]
    Messages {
        /// Number of the step, from 0.
        step: usize,
        /// Messages in its `edited`.
        found: usize,
        /// Messages up to its results.
        expected: usize,
    },
}

/// The samples of a run that began with `prompt`: none for no steps.
///
/// In the paper edits concern the prompt alone. Tools that also cut what the model said rewrite earlier completions; those
/// have been trained as they were written, and stand rewritten and without loss in later samples (ours).
///
/// # Errors
/// [`BadTrajectory`] where an edit changes the number of messages.
pub fn samples(prompt: &[Message], steps: &[Step]) -> Result<Vec<Sample>, BadTrajectory> {
    let mut samples = Vec::new();
    let mut visible = prompt.to_vec();
    let mut completions = Vec::with_capacity(steps.len());
    // Completions before this one have been trained.
    let mut trained = 0;
    for (number, step) in steps.iter().enumerate() {
        let last = number + 1 == steps.len();
        completions.push(visible.len());
        visible.push(step.completion.clone());
        if !last {
            visible.extend(step.results.iter().cloned());
        }
        if last || step.edited.is_some() {
            let loss = (0..=number).map(|completion| completion >= trained).collect();
            samples.push(Sample { messages: visible.clone(), completions: completions.clone(), loss });
            trained = number + 1;
        }
        if let Some(edited) = step.edited.as_ref().filter(|_| !last) {
            if edited.len() != visible.len() {
                return Err(BadTrajectory::Messages {
                    step: number,
                    found: edited.len(),
                    expected: visible.len(),
                });
            }
            visible.clone_from(edited);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A run whose steps edit or do not; each edit writes its number into the prompt.
    fn recorded(edits: &[bool]) -> (Vec<Message>, Vec<Step>) {
        let prompt = vec![Message::new("user", "Q0")];
        let mut visible = prompt.clone();
        let mut steps = Vec::new();
        for (number, edits) in edits.iter().enumerate() {
            let completion = Message::new("assistant", format!("C{number}"));
            let results = vec![Message::new("tool", format!("T{number}"))];
            visible.push(completion.clone());
            visible.extend(results.clone());
            let edited = edits.then(|| {
                visible[0] = Message::new("user", format!("Q{}", number + 1));
                visible.clone()
            });
            steps.push(Step { completion, results, edited });
        }
        (prompt, steps)
    }

    fn said(sample: &Sample) -> String {
        let said: Vec<&str> = sample.messages.iter().map(|message| message.content.as_str()).collect();
        let loss: String = sample.loss.iter().map(|loss| if *loss { '1' } else { '0' }).collect();
        format!("{} | {loss}", said.join(" "))
    }

    #[test]
    fn runs_by_hand() {
        let of = |edits: &[bool]| {
            let (prompt, steps) = recorded(edits);
            samples(&prompt, &steps).unwrap().iter().map(said).collect::<Vec<_>>()
        };
        assert!(of(&[]).is_empty());
        assert_eq!(of(&[false]), ["Q0 C0 | 1"]);
        assert_eq!(of(&[true]), ["Q0 C0 | 1"], "nothing follows the edit");
        // Search, cut, search, fold, answer.
        assert_eq!(
            of(&[false, true, false, true, false]),
            [
                "Q0 C0 T0 C1 T1 | 11",
                "Q2 C0 T0 C1 T1 C2 T2 C3 T3 | 0011",
                "Q4 C0 T0 C1 T1 C2 T2 C3 T3 C4 | 00001",
            ]
        );
        assert_eq!(of(&[true, true]), ["Q0 C0 T0 | 1", "Q1 C0 T0 C1 | 01"]);
    }

    #[test]
    fn an_edit_keeps_the_number_of_messages() {
        let (prompt, mut steps) = recorded(&[true, false]);
        steps[0].edited = Some(prompt.clone());
        let error = samples(&prompt, &steps).unwrap_err();
        assert_eq!(error, BadTrajectory::Messages { step: 0, found: 1, expected: 3 });
        assert!(error.to_string().contains("step 0"));
    }

    proptest! {
        #[test]
        fn every_completion_is_trained_once_and_in_its_state(edits in prop::collection::vec(any::<bool>(), 1..24)) {
            let (prompt, steps) = recorded(&edits);
            let samples = samples(&prompt, &steps).unwrap();
            let mut times = vec![0; edits.len()];
            for sample in &samples {
                prop_assert_eq!(sample.loss.len(), sample.completions.len());
                for (number, (place, loss)) in sample.completions.iter().zip(&sample.loss).enumerate() {
                    prop_assert_eq!(&sample.messages[*place], &steps[number].completion);
                    if *loss {
                        times[number] += 1;
                        // The prompt is the one before this completion: that of the last edit.
                        let state = edits[..number].iter().rposition(|edits| *edits).map_or(0, |edit| edit + 1);
                        prop_assert_eq!(&sample.messages[0].content, &format!("Q{state}"));
                    }
                }
            }
            prop_assert!(times.iter().all(|times| *times == 1));
            let edited = edits[..edits.len() - 1].iter().filter(|edits| **edits).count();
            prop_assert_eq!(samples.len(), edited + 1);
        }
    }
}
