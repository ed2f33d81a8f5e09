//! Filters of items as conditions of SQL.

use postgres::types::ToSql;

use crate::rows::{Filter, ScopeRow};

/// A value of a statement.
type Value = Box<dyn ToSql + Sync>;

fn text(text: &Option<String>) -> Option<Value> {
    text.clone().map(|text| Box::new(text) as Value)
}

/// What stands behind the table in a query for the items of a scope that pass `filter`, and its values.
pub(super) fn conditions(scope: ScopeRow, filter: &Filter) -> (String, Vec<Value>) {
    let mut sql = "WHERE scope = $1".to_owned();
    let mut values: Vec<Value> = vec![Box::new(scope.0)];
    let mut few = false;
    // Each condition names its value `$$`.
    let mut also = |condition: &str, value: Option<Value>, finds_few: bool| {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&condition.replace("$$", &format!("${}", values.len())));
            few |= finds_few;
        }
    };
    // As the indexes have them.
    let hashed =
        |name: &str| format!(" AND {name} = $$ AND hashtextextended({name}, 0) = hashtextextended($$, 0)");
    // Ids are hexadecimal: those that begin so lie side by side.
    also(" AND id >= $$", text(&filter.id), true);
    also(" AND id < $$::text || 'g'", text(&filter.id), true);
    also(" AND kind = $$", filter.kind.map(|kind| Box::new(kind.name()) as Value), false);
    also(&hashed("session"), text(&filter.session), true);
    also(&hashed("topic"), text(&filter.topic), true);
    also(" AND same = $$", filter.same_as.map(|hash| Box::new(hash.to_vec()) as Value), true);
    also(" AND learned <= $$", filter.learned_by.map(|time| Box::new(time.millis()) as Value), false);
    if let Some(states) = &filter.states {
        // Words of our own, no text from outside.
        let list: Vec<String> = states.iter().map(|state| format!("'{}'", state.name())).collect();
        sql.push_str(&format!(" AND state = ANY (ARRAY[{}]::text[])", list.join(", ")));
    }
    // Few are sorted; a walk through all in their order would seem cheaper to the planner, and is not.
    sql.push_str(if few { " ORDER BY row + 0" } else { " ORDER BY row" });
    if let Some(most) = filter.newest {
        sql.push_str(&format!(" DESC LIMIT {most}"));
    }
    (sql, values)
}
