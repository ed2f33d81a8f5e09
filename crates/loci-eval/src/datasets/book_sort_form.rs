//! Lengths and wording of the questions about books.

use super::book_sort::{ID, SET};
use super::common::root;
use super::files::{Record, records};
use crate::error::EvalError;
use crate::task::Request;

/// Lengths in words.
pub(super) struct Size {
    pub(super) excerpt: usize,
    pub(super) segment: usize,
    /// Edges of the four bins of distance: above the one, up to the next.
    pub(super) edges: [usize; 5],
}

impl Size {
    pub(super) fn new(request: &Request<'_>) -> Result<Self, EvalError> {
        let (excerpt, segment) = (request.values.size("excerpt"), request.values.size("segment"));
        let edges = if excerpt < 5000 {
            [segment, excerpt / 4, excerpt / 3, excerpt / 2, excerpt * 4 / 5]
        } else {
            [segment, 1000, excerpt / 4, excerpt / 2, excerpt * 4 / 5]
        };
        if !edges.is_sorted_by(|low, high| low < high) {
            return Err(EvalError::Unmakeable {
                task: ID,
                message: format!(
                    "excerpt={excerpt} is too short for segment={segment}: distances would be {edges:?}; the \
                     excerpt needs more than 4 segments"
                ),
            });
        }
        Ok(Self { excerpt, segment, edges })
    }
}

/// What is put around excerpt and segments.
pub(super) struct Wording {
    pub(super) before: String,
    pub(super) after: String,
    pub(super) answer: String,
}

impl Wording {
    pub(super) fn new(request: &Request<'_>) -> Result<Self, EvalError> {
        let number = request.values.size("prompt");
        let Some(index) = number.checked_sub(1) else {
            return Ok(Self {
                before: "Read this excerpt from <booktitle>.\n\n<excerpt>\n\n".to_owned(),
                after: "Here are two segments of <booktitle>.\n\n<segments>\n\nWhich of the two came first in the \
                        book, A or B?"
                    .to_owned(),
                answer: "Answer: Segment".to_owned(),
            });
        };
        let all = records(&SET.path(root(request)?, &["prompts.jsonl"])?)?;
        let count = all.len();
        let record: &Record = all.get(index).ok_or_else(|| EvalError::Unmakeable {
            task: ID,
            message: format!("prompt={number}, but prompts.jsonl has {count}; use 0 to {count}"),
        })?;
        let system = record.text_or_empty("system_prompt")?;
        Ok(Self {
            before: format!("{system}\n\n{}\n\n", record.text("pre_excerpt")?),
            after: record.text("post_excerpt")?.to_owned(),
            answer: record.text("model_answer_prefix")?.to_owned(),
        })
    }

    pub(super) fn filled(template: &str, title: &str) -> String {
        let labels = template.replace("<label_list[0]>", "A").replace("<label_list[1]>", "B");
        labels.replace("<tasktype>", "first").replace("<booktitle>", title)
    }
}
