//! Answers that can only repeat given texts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use loci_models::sampling::{Constraint, SamplingError, TokenSet};
use loci_models::tokenizer::{Part, SpecialTokens, Tokenizer};

use super::Grammar;
use crate::error::EngineError;

/// A list of texts from which an answer is made: each is written whole, token by token as the tokenizer cuts it, and none
/// twice. The answer may end behind any of them, and before the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotes {
    /// What may be written.
    pub texts: Vec<String>,
    /// Stands in front of each, such as `- `.
    pub before: String,
    /// Stands behind each, such as a line break.
    pub behind: String,
    /// Most texts of an answer.
    pub most: usize,
}

/// The texts as a tree of tokens.
#[derive(Debug)]
struct Tree {
    /// Node 0 is the root.
    nodes: Vec<Node>,
    /// Size of the vocabulary.
    size: usize,
    most: usize,
}

#[derive(Debug, Default)]
struct Node {
    next: BTreeMap<u32, usize>,
    /// A text ends here.
    ends: bool,
    /// Texts that end here or below.
    texts: u32,
}

/// Follows an answer through the tree.
#[derive(Clone, Debug)]
struct Follow {
    tree: Arc<Tree>,
    at: usize,
    /// Nodes from the root to here.
    path: Vec<usize>,
    /// Of each node, texts at it or below it that were written.
    used: Vec<u32>,
    written: usize,
}

/// What an answer of `quotes` is held to.
pub(super) fn grammar(tokenizer: &Tokenizer, quotes: &Quotes) -> Result<Grammar, EngineError> {
    let mut nodes = vec![Node::default()];
    let mut known = HashSet::new();
    for text in &quotes.texts {
        let whole = format!("{}{text}{}", quotes.before, quotes.behind);
        let parts = [Part { text: &whole, special: SpecialTokens::AsText }];
        let tokens: Vec<u32> =
            tokenizer.encode_parts(&parts, false)?.into_iter().map(|token| token.id).collect();
        if !tokens.is_empty() && known.insert(tokens.clone()) {
            add(&mut nodes, &tokens);
        }
    }
    let tree = Arc::new(Tree { nodes, size: tokenizer.vocab_size(), most: quotes.most });
    Ok(Grammar::new(move || {
        let used = vec![0; tree.nodes.len()];
        Ok(Box::new(Follow { tree: Arc::clone(&tree), at: 0, path: vec![0], used, written: 0 }))
    }))
}

fn add(nodes: &mut Vec<Node>, tokens: &[u32]) {
    let mut at = 0;
    for token in tokens {
        let new = nodes.len();
        let Some(node) = nodes.get_mut(at) else { return };
        node.texts += 1;
        at = *node.next.entry(*token).or_insert(new);
        if at == new {
            nodes.push(Node::default());
        }
    }
    if let Some(last) = nodes.get_mut(at) {
        last.texts += 1;
        last.ends = true;
    }
}

impl Follow {
    /// Whether anything below `node` is not written yet.
    fn is_open(&self, node: usize) -> bool {
        let texts = self.tree.nodes.get(node).map_or(0, |node| node.texts);
        self.written < self.tree.most && self.used.get(node).is_some_and(|used| *used < texts)
    }

    fn next(&self) -> impl Iterator<Item = (u32, usize)> {
        let next = self.tree.nodes.get(self.at).map(|node| &node.next);
        next.into_iter()
            .flatten()
            .map(|(token, node)| (*token, *node))
            .filter(|(_, node)| self.is_open(*node))
    }
}

impl Constraint for Follow {
    fn allowed(&mut self) -> Result<TokenSet, SamplingError> {
        let mut set = TokenSet::new(self.tree.size);
        self.next().for_each(|(token, _)| set.insert(token));
        Ok(set)
    }

    fn accept(&mut self, token: u32) -> Result<(), SamplingError> {
        let found = self.next().find(|(next, _)| *next == token);
        let Some((_, node)) = found else {
            return Err(SamplingError::Constraint {
                message: format!("token {token} continues none of the texts that may be quoted"),
            });
        };
        self.at = node;
        self.path.push(node);
        // A text that another one begins with ends the quote: which of the two is meant shows behind its last token, and
        // `behind` makes them differ.
        if self.tree.nodes.get(node).is_some_and(|node| node.ends) {
            for node in self.path.drain(..) {
                if let Some(used) = self.used.get_mut(node) {
                    *used += 1;
                }
            }
            self.path.push(0);
            self.at = 0;
            self.written += 1;
        }
        Ok(())
    }

    fn may_end(&mut self) -> Result<bool, SamplingError> {
        Ok(self.at == 0)
    }

    fn is_complete(&self) -> bool {
        self.at == 0 && !self.is_open(0)
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(texts: &[&[u32]], most: usize) -> Follow {
        let mut nodes = vec![Node::default()];
        texts.iter().for_each(|text| add(&mut nodes, text));
        let used = vec![0; nodes.len()];
        Follow { tree: Arc::new(Tree { nodes, size: 10, most }), at: 0, path: vec![0], used, written: 0 }
    }

    fn allowed(follow: &mut Follow) -> Vec<u32> {
        let set = follow.allowed().unwrap();
        (0..10).filter(|id| set.contains(*id)).collect()
    }

    #[test]
    fn texts_are_written_whole_and_once() {
        let mut follow = follow(&[&[1, 2, 9], &[1, 3, 9], &[4, 9]], 9);
        assert_eq!(allowed(&mut follow), [1, 4]);
        assert!(follow.may_end().unwrap() && !follow.is_complete());
        follow.accept(1).unwrap();
        assert!(!follow.may_end().unwrap());
        assert_eq!(allowed(&mut follow), [2, 3]);
        assert!(follow.accept(4).is_err());
        follow.accept(3).unwrap();
        follow.accept(9).unwrap();
        assert!(follow.may_end().unwrap());
        follow.accept(1).unwrap();
        assert_eq!(allowed(&mut follow), [2], "the other one was written");
        follow.accept(2).unwrap();
        follow.accept(9).unwrap();
        assert_eq!(allowed(&mut follow), [4]);
        let mut copy = follow.fork();
        for token in [4, 9] {
            follow.accept(token).unwrap();
        }
        assert!(follow.is_complete() && allowed(&mut follow).is_empty());
        assert!(!copy.is_complete() && copy.accept(4).is_ok());
    }

    #[test]
    fn there_is_a_most_number_of_texts() {
        let mut follow = follow(&[&[1, 9], &[2, 9]], 1);
        follow.accept(2).unwrap();
        follow.accept(9).unwrap();
        assert!(follow.is_complete());
        assert!(super::tests::follow(&[], 3).is_complete(), "nothing to quote: the answer is empty");
    }
}
