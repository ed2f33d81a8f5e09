use super::*;
use crate::sizes::Words;

fn examples(spec: &str, lengths: &[usize], depths: &[f64]) -> (&'static dyn Task, Vec<Example>) {
    let (task, values) = crate::registry::parse(spec).unwrap();
    let request = Request { lengths, depths, n: 2, ..Request::new(&values, &Words) };
    (task, task.examples(&request).unwrap())
}

fn places_of(made: &Example, texts: &[String]) -> Vec<usize> {
    texts.iter().map(|text| made.context.find(&format!("\"{text}\"")).unwrap()).collect()
}

#[test]
fn every_form_is_solved_by_looking_up() {
    for spec in [
        "thread-single:keys=short",
        "thread-multi:keys=short,needles=12",
        "thread-multi:needles=5,placement=clustered",
        "thread-conditional:keys=short,needles=9",
        "thread-conditional:needles=4,placement=clustered",
        "thread:links=1",
        "thread:links=20,direction=random,keys=short",
        "thread-multi-thread:threads=5,links=4,direction=backward",
        "thread-branched:branches=4,links=5,direction=backward",
        "thread-branched:branches=1,links=1",
        "thread-branched:links=2,keys=short",
    ] {
        crate::synthetic::tests::solved(spec, &[900, 2000]);
    }
}

#[test]
fn threads_run_in_their_direction_and_break_without_a_link() {
    for (direction, forward) in [("forward", true), ("backward", false)] {
        let (task, made) = examples(&format!("thread:links=6,direction={direction}"), &[1000], &[]);
        let mut made = made.into_iter().next().unwrap();
        let pairs: BTreeMap<String, String> = read_json(&made.context)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let mut keys = vec![made.turns[0].data["asked"][0].as_str().unwrap().to_owned()];
        while let Some(next) = pairs.get(keys.last().unwrap()) {
            keys.push(next.clone());
        }
        assert_eq!(keys.pop(), made.turns[0].gold.first().cloned());
        let stand: Vec<usize> =
            keys.iter().map(|key| made.context.find(&format!("\"{key}\": ")).unwrap()).collect();
        assert!(stand.len() == 6 && stand.windows(2).all(|two| (two[0] < two[1]) == forward));
        let link = format!("\"{}\": ", keys[3]);
        made.context = made.context.replace(&link, "\"gone\": ");
        assert_eq!(task.score(&made.turns[0], &task.read(&made).unwrap()[0]).score, 0.0);
    }
}

#[test]
fn one_needle_and_clusters_stand_at_their_depth() {
    let (_, made) = examples("thread-single", &[2000], &[0.0, 0.5, 1.0]);
    for made in made {
        let pairs = read_json(&made.context);
        let at = pairs.iter().position(|(_, value)| *value == made.turns[0].gold[0]).unwrap();
        assert_eq!(at, index_at(made.turns[0].depth.unwrap(), pairs.len()));
    }
    let (_, made) = examples("thread-multi:placement=clustered,needles=4", &[2000], &[1.0]);
    let mut stand = places_of(&made[0], &made[0].turns[0].gold);
    stand.sort_unstable();
    assert!(stand[3] - stand[0] < 400 && made[0].context.len() - stand[3] < 100);
}

#[test]
fn values_are_searched_for_and_asked_keys_do_not_count() {
    let turn = |gold: &[&str], data| Turn {
        gold: gold.iter().map(|text| (*text).to_owned()).collect(),
        data,
        ..Turn::default()
    };
    let one = turn(&["cd34"], json!({"asked": ["ab12"]}));
    let score = THREAD_SINGLE.score(&one, "The value of 'ab12' is cd34; not ef56.");
    assert_eq!((score.score, score.also["last"]), (1.0, 0.0));
    let list = turn(&["ab12", "cd34"], json!({"asked": [], "list": true}));
    assert_eq!(THREAD_MULTI.score(&list, "[cd34, ab12]").score, 0.0);
    assert_eq!(THREAD_MULTI.score(&list, "[ab12, ef56]").score, 0.5);
    let any = turn(&["ab12", "cd34"], json!({"list": true, "any_order": true}));
    let score = THREAD_CONDITIONAL.score(&any, "cd34 ab12 ef56");
    assert_eq!((score.score, score.also["all"]), (1.0, 0.0));
    assert_eq!(THREAD_CONDITIONAL.score(&any, "cd34 ab12").also["all"], 1.0);
}
