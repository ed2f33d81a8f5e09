use super::super::history::History;
use super::super::readers::FirstItem;
use super::*;

fn asking() -> Asking<'static> {
    Asking { k: 5, by: By::Words, encoder: None, seed: 7 }
}

fn histories(questions: usize) -> Vec<History> {
    compile(&Plan { sessions: 40, questions, most_words: None, seed: 7 }).unwrap()
}

/// Knows everything, and says what it was given.
struct Oracle<'h> {
    histories: &'h [History],
    given: Vec<&'static str>,
}

impl Reader for Oracle<'_> {
    fn name(&self) -> String {
        "oracle".to_owned()
    }

    fn reads_chats(&self) -> bool {
        true
    }

    fn answer(
        &mut self,
        question: &str,
        at: loci_memory::Time,
        given: Given<'_>,
    ) -> Result<Reply, EvalError> {
        self.given.push(match given {
            Given::Nothing => "nothing",
            Given::Chats(history) => {
                assert!(history.sessions.iter().all(|session| session.at <= history.snapshot));
                "chats"
            }
            Given::Items(recall) => {
                assert!(recall.found.len() <= 5 && recall.at == at);
                "items"
            }
        });
        let asked = self.histories.iter().flat_map(|history| &history.questions);
        let mut gold = asked
            .filter(|asked| asked.text == question || asked.again == question)
            .map(|asked| asked.gold.join(", "));
        Ok(Reply { text: gold.next_back().unwrap_or_default(), confidence: Some(1.0), ..Reply::default() })
    }
}

fn answered(histories: &[History], reader: Box<dyn Reader + '_>) -> Answering {
    let folder = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    let answering = answer(histories, &mut [reader], &asking(), folder.path(), &mut |done, total| {
        steps.push((done, total))
    })
    .unwrap();
    let last = steps.last().copied().unwrap();
    assert_eq!((last.0, steps.len()), (last.1, last.1), "every step is told");
    answering
}

fn of(answering: &Answering, setting: Setting, topics: Option<bool>) -> &Arm {
    answering.arms.iter().find(|arm| (arm.setting, arm.topics) == (setting, topics)).unwrap()
}

fn share(arm: &Arm, asks: Asks) -> f64 {
    let own: Vec<&Answered> = arm.answers.iter().filter(|answer| answer.asks == asks.name()).collect();
    own.iter().filter(|answer| answer.right).count() as f64 / own.len() as f64
}

#[test]
fn a_reader_that_knows_everything_is_right_in_every_setting() {
    let histories = histories(12);
    let answering = answered(&histories, Box::new(Oracle { histories: &histories, given: Vec::new() }));
    assert_eq!(answering.arms.len(), 8);
    for arm in &answering.arms {
        assert_eq!(arm.answers.len(), 12, "{}", arm.named());
        for answer in &arm.answers {
            assert!(
                answer.right && answer.right_again != Some(false) && !answer.out_of_date,
                "{} {answer:?}",
                arm.named()
            );
            assert_eq!(answer.right_again.is_some(), answer.asks == "conflict");
            assert_eq!(answer.order, (answer.asks == "order").then_some(1.0));
            assert_eq!(answer.replayed.is_some(), arm.topics.is_some());
            assert_eq!(answer.age.is_none(), answer.asks == "unanswerable");
        }
    }
}

#[test]
fn settings_are_apart_by_what_they_can_know() {
    let histories = histories(60);
    let answering = answered(&histories, Box::new(FirstItem { refuses: true }));
    // It reads no chats.
    assert_eq!(answering.arms.len(), 7);
    let po = of(&answering, Setting::Po, None);
    assert!(po.answers.iter().all(|answer| answer.refused));
    let [frozen, live] = [Setting::SrOff, Setting::Online].map(|setting| of(&answering, setting, Some(true)));
    let plain = of(&answering, Setting::Online, Some(false));
    // What was told after the snapshot nobody can know from the frozen store.
    for (answer, question) in
        frozen.answers.iter().zip(histories.iter().flat_map(|history| &history.questions))
    {
        let history = histories.iter().find(|history| history.questions.contains(question)).unwrap();
        let later = history.newest_evidence(question).is_some_and(|session| session.at > history.snapshot);
        assert!(!later || !answer.right || question.asks == Asks::Conflict, "{answer:?}");
    }
    assert!(share(live, Asks::Update) > share(frozen, Asks::Update), "live knows what was told last");
    assert!(share(live, Asks::Update) > share(plain, Asks::Update), "topics let the newer value win");
    assert!(share(live, Asks::Conflict) >= share(plain, Asks::Conflict));
    assert!(share(live, Asks::Told) > 0.5);
    let noisy = of(&answering, Setting::OnlineNoise, Some(true));
    let noise = noisy.answers.iter().flat_map(|answer| answer.replayed.iter().flatten());
    assert!(noise.clone().any(|item| item.session.starts_with("noise-")) && noise.clone().count() > 0);
}

#[test]
fn the_same_seed_answers_the_same() {
    let histories = histories(12);
    let of = |answering: Answering| -> Vec<(String, bool)> {
        answering
            .arms
            .into_iter()
            .flat_map(|arm| arm.answers)
            .map(|answer| (answer.answer, answer.right))
            .collect()
    };
    assert_eq!(
        of(answered(&histories, Box::new(FirstItem { refuses: true }))),
        of(answered(&histories, Box::new(FirstItem { refuses: true })))
    );
}

#[test]
fn what_the_store_takes_down_is_counted_by_chat() {
    let histories = histories(24);
    let taken = taken_down(&histories);
    assert_eq!(taken.chats.len(), 80);
    let (right, all, made) =
        taken.chats.iter().fold((0, 0, 0), |sum, chat| (sum.0 + chat.0, sum.1 + chat.1, sum.2 + chat.2));
    assert!(0 < right && right <= made && right <= all, "{right} {all} {made}");
    // Events were told on their day, a day later or some days later.
    assert!(
        taken.days_off.iter().all(|days| (0.0..=6.0).contains(days))
            && taken.days_off.iter().any(|days| *days > 0.0)
    );
    assert!(taken.window > 150.0);
}

#[test]
fn nobody_to_answer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(answer(&histories(12), &mut [], &asking(), folder.path(), &mut |_, _| {}).is_err());
}
