//! The index of words: what it holds of a passage, and how it is asked.

use std::collections::BTreeMap;
use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::directory::{Directory, MmapDirectory};
use tantivy::merge_policy::LogMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer};
use tantivy::{
    DocAddress, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TantivyDocument,
    TantivyError, Term,
};

use super::Hit;
use crate::tokens::words;

/// The name of our tokenizer in files.
const TOKENIZER: &str = "loci-words";

/// Bytes that the index takes while it is written, before it goes to disk as a segment.
const WRITER_BYTES: usize = 64 << 20;

/// The share of removed passages above which a segment is written anew. Until then they still count in how rare a word is.
const MOST_REMOVED: f32 = 0.2;

/// The fields of a passage. All are stored: a hit is shown without its file.
#[derive(Clone, Copy, Debug)]
struct Fields {
    file: Field,
    start: Field,
    end: Field,
    line: Field,
    text: Field,
}

/// A passage to be indexed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage<'a> {
    pub(super) file: &'a str,
    /// Bytes in the file's text.
    pub(super) start: usize,
    pub(super) end: usize,
    /// From 1.
    pub(super) line: usize,
    pub(super) text: &'a str,
}

/// An index of words that was opened, as it was then.
pub(super) struct Words {
    index: tantivy::Index,
    reader: IndexReader,
    fields: Fields,
    /// The hash of what the last commit has written, when this was opened.
    stamp: Option<blake3::Hash>,
}

/// Writes to an index of words.
pub(super) struct Writer {
    writer: IndexWriter,
    fields: Fields,
}

impl Words {
    /// An empty index in `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self, TantivyError> {
        let (schema, _) = schema();
        let directory = MmapDirectory::open(folder)?;
        Self::of(tantivy::Index::create(directory, schema, IndexSettings::default())?, None)
    }

    /// The index in `folder`, checked as a whole, and the payload of its last commit.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(super) fn open(folder: &Path) -> Result<(Self, Option<String>), String> {
        let damaged = |error: TantivyError| format!("it is damaged, or of another version ({error})");
        let stamp = stamp(folder);
        let directory = MmapDirectory::open(folder).map_err(|error| damaged(error.into()))?;
        let index = tantivy::Index::open(directory).map_err(damaged)?;
        let metas = index.load_metas().map_err(damaged)?;
        if index.schema() != schema().0 {
            return Err("it is of another version of Loci".to_owned());
        }
        for path in metas.list_segment_files() {
            let there = index.directory().exists(&path).map_err(|error| damaged(error.into()))?;
            if there && !index.directory().validate_checksum(&path).map_err(|error| damaged(error.into()))? {
                return Err(format!("its file {} is damaged", path.display()));
            }
        }
        Ok((Self::of(index, stamp).map_err(damaged)?, metas.payload))
    }

    fn of(index: tantivy::Index, stamp: Option<blake3::Hash>) -> Result<Self, TantivyError> {
        index.tokenizers().register(TOKENIZER, TextAnalyzer::from(OurWords));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { index, reader, fields: schema().1, stamp })
    }

    /// Whether nobody has written to `folder`, where it lies, since it was opened.
    pub(super) fn is_newest(&self, folder: &Path) -> bool {
        self.stamp.is_some() && self.stamp == stamp(folder)
    }

    /// Passages that are in it.
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.reader.searcher().num_docs()).unwrap_or(usize::MAX)
    }

    /// Begins to write. One thread does it, so that the same files always make the same index.
    pub(super) fn writer(&self) -> Result<Writer, TantivyError> {
        let writer = self.index.writer_with_num_threads(1, WRITER_BYTES)?;
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(MOST_REMOVED);
        writer.set_merge_policy(Box::new(policy));
        Ok(Writer { writer, fields: self.fields })
    }

    /// The passages that have words of `query`, best first, each with its score and place: BM25 with k1 1.2 and b 0.75, a
    /// repeated word of the query counting each time. At least `top` of them if there are so many, and all that are as good as
    /// the last of these.
    pub(super) fn rank(&self, query: &str, top: usize) -> Result<Vec<(f64, DocAddress)>, TantivyError> {
        let mut counts: BTreeMap<String, u16> = BTreeMap::new();
        for word in words(query) {
            let count = counts.entry(word).or_default();
            *count = count.saturating_add(1);
        }
        let one = |(word, count): (&String, &u16)| -> (Occur, Box<dyn Query>) {
            let term = Term::from_field_text(self.fields.text, word);
            let term = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
            (Occur::Should, Box::new(BoostQuery::new(term, f32::from(*count))))
        };
        let query = BooleanQuery::new(counts.iter().map(one).collect());
        let (all, searcher) = (self.len(), self.reader.searcher());
        let mut limit = top.saturating_add(1).min(all);
        // The collector does not take 0.
        while limit > 0 && top > 0 {
            let mut found = searcher.search(&query, &TopDocs::with_limit(limit).order_by_score())?;
            // Which of equal ones it leaves out depends on where they lie in the index: so it may leave out none of them.
            let worst = found.get(top - 1).map(|(score, _)| *score);
            let whole = found.len() < limit || limit == all;
            if whole || found.last().map(|(score, _)| *score) < worst {
                found.retain(|(score, _)| worst.is_none_or(|worst| *score >= worst));
                return Ok(found.into_iter().map(|(score, address)| (f64::from(score), address)).collect());
            }
            limit = limit.saturating_mul(2).min(all);
        }
        Ok(Vec::new())
    }

    /// The passage at `address`.
    pub(super) fn hit(&self, address: DocAddress, score: f64) -> Result<Hit, TantivyError> {
        Ok(self.read(&self.reader.searcher().doc(address)?, score))
    }

    /// Calls `see` with every passage and its place.
    pub(super) fn each(&self, mut see: impl FnMut(DocAddress, Hit)) -> Result<(), TantivyError> {
        let searcher: Searcher = self.reader.searcher();
        for (segment, reader) in (0_u32..).zip(searcher.segment_readers()) {
            // Passages are read in the order in which they lie, so one block is enough.
            let store = reader.get_store_reader(1)?;
            for document in reader.doc_ids_alive() {
                see(DocAddress::new(segment, document), self.read(&store.get(document)?, 0.0));
            }
        }
        Ok(())
    }

    /// The texts of all files that stand in it, also of passages that were removed and whose bytes are still there; the
    /// passages of a file one behind the other.
    pub(super) fn texts(&self) -> Result<Vec<String>, TantivyError> {
        let mut passages = Vec::new();
        for reader in self.reader.searcher().segment_readers() {
            let store = reader.get_store_reader(1)?;
            for document in 0..reader.max_doc() {
                passages.push(self.read(&store.get(document)?, 0.0));
            }
        }
        passages.sort_by(|one, other| (&one.file, one.start).cmp(&(&other.file, other.start)));
        let of_files = passages.chunk_by(|one, other| one.file == other.file);
        let text = |hits: &[Hit]| hits.iter().map(|hit| hit.text.as_str()).collect::<Vec<_>>().join(" ");
        Ok(of_files.map(text).collect())
    }

    fn read(&self, document: &TantivyDocument, score: f64) -> Hit {
        let text = |field| {
            let value = document.get_first(field);
            value.and_then(|value| value.as_str().map(ToOwned::to_owned)).unwrap_or_default()
        };
        let number = |field| {
            let value = document.get_first(field).and_then(|value| value.as_u64());
            value.and_then(|value| usize::try_from(value).ok()).unwrap_or(0)
        };
        Hit {
            file: text(self.fields.file),
            start: number(self.fields.start),
            end: number(self.fields.end),
            line: number(self.fields.line),
            score,
            text: text(self.fields.text),
        }
    }
}

impl Writer {
    /// Adds a passage.
    pub(super) fn add(&self, passage: &Passage<'_>) -> Result<(), TantivyError> {
        let mut document = TantivyDocument::new();
        document.add_text(self.fields.file, passage.file);
        document.add_u64(self.fields.start, passage.start as u64);
        document.add_u64(self.fields.end, passage.end as u64);
        document.add_u64(self.fields.line, passage.line as u64);
        document.add_text(self.fields.text, passage.text);
        self.writer.add_document(document).map(|_| ())
    }

    /// Removes the passages of a file that were added so far.
    pub(super) fn remove(&self, file: &str) {
        self.writer.delete_term(Term::from_field_text(self.fields.file, file));
    }

    /// Makes what was added and removed last, all of it or nothing.
    pub(super) fn commit(&mut self, payload: &str) -> Result<(), TantivyError> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(payload);
        commit.commit().map(|_| ())
    }

    /// Ends writing, when segments that are to be joined were.
    pub(super) fn finish(self) -> Result<(), TantivyError> {
        self.writer.wait_merging_threads()
    }
}

/// The hash of the file that every commit, and every joining of segments, replaces.
fn stamp(folder: &Path) -> Option<blake3::Hash> {
    Some(blake3::hash(&std::fs::read(folder.join("meta.json")).ok()?))
}

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    // Counts of words are all that a ranking needs; where they stand in a passage is not asked.
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(true);
    let fields = Fields {
        file: schema.add_text_field("file", STRING | STORED),
        start: schema.add_u64_field("start", STORED),
        end: schema.add_u64_field("end", STORED),
        line: schema.add_u64_field("line", STORED),
        text: schema
            .add_text_field("text", TextOptions::default().set_indexing_options(indexing).set_stored()),
    };
    (schema.build(), fields)
}

/// [`words`] for the index, so that a folder is searched by the same words as a text in memory.
#[derive(Clone, Debug)]
struct OurWords;

/// The words of one text.
struct Stream {
    words: std::vec::IntoIter<String>,
    token: Token,
}

impl Tokenizer for OurWords {
    type TokenStream<'a> = Stream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream {
        // A new token stands before the first position.
        Stream { words: words(text).into_iter(), token: Token::default() }
    }
}

impl TokenStream for Stream {
    fn advance(&mut self) -> bool {
        let Some(word) = self.words.next() else { return false };
        // Offsets stay 0: a word in lower case may be longer than in the text, and nothing here asks where it stands.
        self.token.text = word;
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
