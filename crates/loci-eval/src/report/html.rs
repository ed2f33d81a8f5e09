//! The report as one HTML page that needs nothing else.

use super::plots::figures;
use super::tables::{Table, failures, of_all, of_task, untested};
use super::{Report, TaskReport, card};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#24292f;--soft:#57606a;--line:#d0d7de;--page:#fff;--band:#f6f8fa}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--page:#0d1117;--band:#151b23}}\
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:72rem;background:var(--page);\
color:var(--ink);font:16px/1.5 system-ui,sans-serif}h1{font-size:1.7rem;margin:0 0 .3rem}\
h2{font-size:1.25rem;margin:2.6rem 0 .2rem;overflow-wrap:anywhere}p{margin:.2rem 0 1rem;color:var(--soft)}\
.wide{overflow-x:auto;margin:0 0 1.2rem}table{border-collapse:collapse;font-size:.875rem;\
font-variant-numeric:tabular-nums}h3{font-size:.9rem;font-weight:600;margin:1.4rem 0 .3rem}\
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\
thead th{vertical-align:bottom;white-space:normal;min-width:3.2rem}\
.word{text-align:left;white-space:normal}th.word:first-child,td.word:first-child{min-width:min(14rem,40vw)}\
.note{font-size:.875rem;margin-top:-.7rem;max-width:52rem}details{margin:0 0 1.2rem}\
summary{cursor:pointer;font-size:.9rem;font-weight:600;padding:.3rem 0}\
thead th{background:var(--band);font-weight:600}tbody tr:hover{background:var(--band)}\
figure{margin:0 0 1.2rem;background:#fff;border:1px solid var(--line);border-radius:6px;padding:.5rem;overflow-x:auto}\
figure svg{display:block;max-width:100%;height:auto;min-width:40rem}.card td{vertical-align:top}\
.card td:last-child{overflow-wrap:anywhere;min-width:14rem}.card td.word:first-child{min-width:7.5rem}\
nav{margin-bottom:1.5rem}nav a{margin-right:1rem;white-space:nowrap}a{color:inherit}";

/// The report as a page: figures, tables, card. Nothing is fetched from elsewhere.
pub fn html(report: &Report) -> String {
    let (against, correction) = (escaped(&report.card.against), escaped(&report.card.correction));
    let compared = match correction.is_empty() {
        true => String::new(),
        false => format!(" Compared with {against}; p corrected by {correction}."),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Loci evaluation: {title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>Evaluation</h1>\n<p>{models}, seed {seed}.{compared}</p>\n<nav>",
        title = escaped(&report.tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>().join(", ")),
        models = escaped(&report.card.models.join(", ")),
        seed = report.card.seed,
    );
    for (index, task) in report.tasks.iter().enumerate() {
        page.push_str(&format!("<a href=\"#task-{index}\">{}</a>", escaped(&task.id)));
    }
    page.push_str("<a href=\"#card\">card</a></nav>\n<section>\n");
    of_all(report).iter().for_each(|one| page.push_str(&table(one)));
    if let Some(untested) = untested(report) {
        page.push_str(&format!("<p>{}</p>\n", escaped(&untested)));
    }
    page.push_str("</section>\n");
    for (index, task) in report.tasks.iter().enumerate() {
        page.push_str(&section(index, task));
    }
    page.push_str("<section id=\"card\">\n<h2>Card</h2>\n<p>What is needed to run this again, and what it does not show.</p>\n");
    let card = Table { rows: card::rows(&report.card), words: 2, ..Table::default() };
    page.push_str(&table(&card).replacen("<table aria-label=\"\"", "<table class=\"card\"", 1));
    page.push_str("</section>\n</main>\n</body>\n</html>\n");
    page
}

fn section(index: usize, task: &TaskReport) -> String {
    let mut text = format!(
        "<section id=\"task-{index}\">\n<h2>{}</h2>\n<p>{} Diffusion {}, scope {}.</p>\n",
        escaped(&task.task),
        escaped(&task.title),
        task.diffusion.name(),
        task.scope.name()
    );
    for (_, svg) in figures(task) {
        text.push_str(&format!("<figure>{svg}</figure>\n"));
    }
    of_task(task).iter().for_each(|one| text.push_str(&table(one)));
    for failure in failures(task) {
        text.push_str(&format!("<p>{}</p>\n", escaped(&failure)));
    }
    text.push_str("</section>\n");
    text
}

/// A table, folded where it is long.
fn table(one: &Table) -> String {
    let class = |column: usize| if column < one.words { " class=\"word\"" } else { "" };
    let caption = escaped(&one.caption);
    // Above what scrolls, so that it is read whole on a narrow screen.
    let mut text = match one.caption.is_empty() || one.long {
        true => String::new(),
        false => format!("<h3>{caption}</h3>\n"),
    };
    text.push_str(&format!("<div class=\"wide\"><table aria-label=\"{caption}\">"));
    for (index, row) in one.rows.iter().enumerate() {
        let cells = row.iter().enumerate().map(|(column, cell)| match index {
            0 => format!("<th scope=\"col\"{}>{}</th>", class(column), breakable(cell)),
            _ => format!("<td{}>{}</td>", class(column), breakable(cell)),
        });
        let cells: String = cells.collect();
        text.push_str(&match index {
            0 => format!("<thead><tr>{cells}</tr></thead><tbody>\n"),
            _ => format!("<tr>{cells}</tr>\n"),
        });
    }
    text.push_str("</tbody></table></div>\n");
    if !one.note.is_empty() {
        text.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(&one.note)));
    }
    match one.long {
        true => {
            format!("<details><summary>{caption} ({} rows)</summary>\n{text}</details>\n", one.rows.len() - 1)
        }
        false => text,
    }
}

/// Text of a cell, in which a method with many parameters may be broken behind them.
fn breakable(text: &str) -> String {
    escaped(text).replace(',', ",<wbr>").replace(':', ":<wbr>").replace("<wbr> ", " ")
}

/// Text between tags: whatever a model or a file says stays text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
