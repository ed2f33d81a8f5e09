use super::super::panels::TakenDown;
use super::*;

fn answers(right: &[bool]) -> Vec<Answered> {
    let one = |(number, right): (usize, &bool)| Answered {
        question: format!("q{number:02}"),
        asks: if number % 2 == 0 { "told" } else { "update" },
        right: *right,
        position: Some(number as f64 / 6.0),
        replayed: Some(Vec::new()),
        ..Answered::default()
    };
    right.iter().enumerate().map(one).collect()
}

fn made() -> MemoryReport {
    let arm = |setting, topics, right: &[bool]| Arm {
        reader: "r".to_owned(),
        setting,
        topics,
        left_out: 0,
        answers: answers(right),
    };
    let arms = vec![
        arm(Setting::Po, None, &[false; 6]),
        arm(Setting::SrOff, Some(false), &[true, false, false, false, true, true]),
        arm(Setting::Online, Some(false), &[true, true, false, true, true, true]),
        arm(Setting::OnlineNoise, Some(false), &[true, false, false, false, true, true]),
    ];
    report(Card::default(), Answering { arms, taken: TakenDown::default() }, 5)
}

#[test]
fn settings_stand_side_by_side_with_paired_tests() {
    let report = made();
    let right = |setting: &str, asks: &str| {
        report.settings.iter().find(|row| (row.setting.as_str(), row.asks) == (setting, asks)).unwrap().right
    };
    assert_eq!((right("online", "all").n, right("online", "all").mean), (6, 5.0 / 6.0));
    assert_eq!((right("online", "told").mean, right("sr-off", "update").mean), (2.0 / 3.0, 1.0 / 3.0));
    let pair = |setting: &str, against: &str| {
        report
            .comparisons
            .iter()
            .find(|pair| (pair.setting.as_str(), pair.against.as_str()) == (setting, against))
            .unwrap()
    };
    assert_eq!(report.comparisons.len(), 3);
    // Three right against none: two of eight ways to sign them are as far.
    assert_eq!((pair("sr-off", "po").difference, pair("sr-off", "po").p), (0.5, 0.25));
    assert_eq!((pair("online", "po").p, pair("online", "po").p_holm), (0.0625, 0.1875));
}

#[test]
fn cards_have_five_blocks_for_every_setting_that_replays() {
    let report = made();
    assert_eq!(
        report.results.iter().map(|blocks| blocks.setting.as_str()).collect::<Vec<_>>(),
        ["sr-off", "online"]
    );
    let online = &report.results[1];
    assert_eq!((online.correctness[0].value, online.p_holm_against_po), (Some(5.0 / 6.0), Some(0.1875)));
    // Thirds of the history: 1, 1/2, 1.
    assert_eq!(online.position_robustness[0].value, Some(0.5));
    for block in [&online.faithfulness, &online.timeliness, &online.refusal] {
        assert!(!block.is_empty());
    }
    let noise = |setting: &str| {
        let panels = report.panels.iter().find(|panels| panels.setting == setting).unwrap();
        panels.figures.iter().find(|figure| figure.name == "Noise-robust").unwrap().value
    };
    assert_eq!((noise("online"), noise("sr-off")), (Some(0.5), None));
}

#[test]
fn the_table_shows_what_was_not_measured_as_that() {
    let report = made();
    let table = memory_table(&report);
    for shown in ["sr-off", "online", "P1 write and time", "P5 cost", "Procedure-F1", "not measured", "Holm"]
    {
        assert!(table.contains(shown), "{shown}: {table}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["panels"][0]["figures"][1]["value"].is_null());
}
