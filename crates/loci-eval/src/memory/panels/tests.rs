use super::super::judged::Replayed;
use super::*;

fn one(question: &str, asks: Asks, right: bool) -> Answered {
    Answered { question: question.to_owned(), asks: asks.name(), right, claims: 1, ..Answered::default() }
}

fn item(session: &str, evidence: bool, supports: bool) -> Replayed {
    Replayed { session: session.to_owned(), evidence, supports }
}

fn figure(figures: &[Figure], name: &str) -> Figure {
    figures.iter().find(|figure| figure.name == name).unwrap_or_else(|| panic!("{name}")).clone()
}

fn value(figures: &[Figure], name: &str) -> Option<f64> {
    figure(figures, name).value
}

#[test]
fn every_panel_has_its_figures_and_none_is_0_for_want_of_anything() {
    let figures = panels(&[], None, &TakenDown::default(), 5);
    let names: Vec<(&str, &str)> =
        figures.iter().map(|figure| (figure.panel.get(..2).unwrap(), figure.name)).collect();
    let wanted = [
        ("P1", "Event-F1 Procedure-F1 TAE"),
        ("P2", "RSF ASR@k UCR Step-Order Tool-Attribution"),
        ("P3", "Abstention Coverage Freshness-Hit Out-of-Date-Use CCR AURC"),
        ("P4", "Slope@T Half-life Spurious-Replay Noise-robust"),
    ];
    for (panel, of) in wanted {
        for name in of.split(' ') {
            assert!(names.contains(&(panel, name)), "{panel} {name}");
        }
    }
    for figure in &figures {
        assert!(figure.value.is_none() && figure.form.starts_with("not measured: "), "{figure:?}");
    }
}

#[test]
fn what_is_written_by_hand() {
    let taken = TakenDown {
        // 3 of 4 taken down were made, 3 of 6 made were taken down: precision 3/4, recall 1/2, F1 3/5.
        chats: vec![(1, 2, 2), (2, 2, 4)],
        days_off: vec![0.0, 6.0],
        window: 24.0,
        maker: "by hand",
    };
    let figures = panels(&[], None, &taken, 5);
    assert!((value(&figures, "Event-F1").unwrap() - 0.6).abs() < 1e-12);
    assert!((value(&figures, "TAE").unwrap() - 0.125).abs() < 1e-12);
    assert!(figure(&figures, "Procedure-F1").form.contains("procedures"));
}

#[test]
fn replay_by_hand() {
    let answers = [
        Answered {
            evidence: 2,
            replayed: Some(vec![item("a", true, true), item("b", true, false), item("a", true, true)]),
            claims: 2,
            unsupported: 1,
            ..one("1", Asks::Update, true)
        },
        Answered {
            evidence: 2,
            replayed: Some(vec![item("a", true, true), item("c", false, true)]),
            claims: 2,
            ..one("2", Asks::Update, false)
        },
        Answered {
            evidence: 1,
            refused: true,
            replayed: Some(Vec::new()),
            claims: 0,
            ..one("3", Asks::Told, false)
        },
        Answered {
            evidence: 3,
            replayed: Some(Vec::new()),
            order: Some(2.0 / 3.0),
            claims: 0,
            ..one("4", Asks::Order, false)
        },
        Answered {
            replayed: Some(vec![item("c", false, true)]),
            refused: true,
            claims: 0,
            ..one("5", Asks::Unanswerable, true)
        },
        Answered {
            replayed: Some(vec![item("c", false, false)]),
            refused: true,
            claims: 0,
            ..one("6", Asks::Unanswerable, true)
        },
    ];
    let figures = panels(&answers, None, &TakenDown::default(), 5);
    // Three answers were given, one of them with a sentence that nothing supports; that is one of four sentences.
    assert_eq!((value(&figures, "RSF"), value(&figures, "UCR")), (Some(2.0 / 3.0), Some(0.25)));
    // Of the four questions with evidence one has all of it.
    assert_eq!((value(&figures, "ASR@k"), figure(&figures, "ASR@k").n), (Some(0.25), 4));
    assert_eq!(value(&figures, "Step-Order"), Some(2.0 / 3.0));
    assert_eq!((value(&figures, "Spurious-Replay"), figure(&figures, "Spurious-Replay").n), (Some(0.5), 2));
}

#[test]
fn inhibition_by_hand() {
    let conflict = |name: &str, right: bool, again: bool| Answered {
        right_again: Some(again),
        ..one(name, Asks::Conflict, right)
    };
    let answers = [
        Answered { confidence: Some(0.9), ..one("a", Asks::Update, true) },
        Answered { confidence: Some(0.5), out_of_date: true, ..one("b", Asks::Update, false) },
        Answered { confidence: Some(0.1), ..one("c", Asks::Update, true) },
        Answered { refused: true, confidence: Some(1.0), ..one("d", Asks::Told, false) },
        Answered { refused: true, ..one("e", Asks::Unanswerable, true) },
        one("f", Asks::Unanswerable, false),
        conflict("g", true, true),
        conflict("h", true, false),
    ];
    let figures = panels(&answers, None, &TakenDown::default(), 5);
    assert_eq!(
        (value(&figures, "Freshness-Hit"), value(&figures, "Out-of-Date-Use")),
        (Some(2.0 / 3.0), Some(1.0 / 3.0))
    );
    assert_eq!((value(&figures, "Abstention"), value(&figures, "Coverage")), (Some(0.5), Some(5.0 / 6.0)));
    assert_eq!(value(&figures, "CCR"), Some(0.5));
    // Errors among the first, the first two, all three: 0, 1/2, 1/3.
    assert!((value(&figures, "AURC").unwrap() - (0.5 + 1.0 / 3.0) / 3.0).abs() < 1e-12);
    let freshness = figure(&figures, "Freshness-Hit").interval.unwrap();
    assert!(freshness.0 < 2.0 / 3.0 && 2.0 / 3.0 < freshness.1);
}

#[test]
fn a_long_run_by_hand() {
    let aged = |age: usize, right: bool| Answered { age: Some(age), ..one("q", Asks::Told, right) };
    let falling: Vec<Answered> = (0..40)
        .map(|age| {
            aged(age, age < 10 || (age < 20 && age % 2 == 0) || (age < 30 && age % 4 == 0) || age % 8 == 0)
        })
        .collect();
    let figures = panels(&falling, Some(&falling[..20]), &TakenDown::default(), 5);
    assert!(figure(&figures, "Slope@T").interval.unwrap().1 < 0.0);
    let half = value(&figures, "Half-life").unwrap();
    assert!((8.0..13.0).contains(&half), "{half}");
    assert_eq!(value(&figures, "Noise-robust"), Some(0.75));
    let level: Vec<Answered> = (0..8).map(|age| aged(age, true)).collect();
    let figures = panels(&level, None, &TakenDown::default(), 5);
    assert_eq!((value(&figures, "Slope@T"), value(&figures, "Half-life")), (Some(0.0), Some(f64::INFINITY)));
}

#[test]
fn cost_by_hand() {
    let spent = Answered {
        recall_s: 0.002,
        seconds: 0.5,
        prompt_tokens: Some(300),
        answer_tokens: Some(7),
        replayed: Some(Vec::new()),
        ..one("q", Asks::Told, true)
    };
    let figures = panels(&[spent.clone(), spent], None, &TakenDown::default(), 5);
    let values =
        ["Recall ms", "Answer ms", "Prompt tokens", "Answer tokens"].map(|name| value(&figures, name));
    assert_eq!(values, [Some(2.0), Some(500.0), Some(300.0), Some(7.0)]);
}
