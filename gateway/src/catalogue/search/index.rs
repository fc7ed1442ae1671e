//! The index in its folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use octroi_proto::{DatasetId, Instant};
use serde_json::{Value as Json, json};
use tantivy::{
    DateTime, Index, IndexReader, IndexWriter, Order as Direction, ReloadPolicy, TantivyDocument, TantivyError, Term,
    aggregation::{AggContextParams, AggregationCollector, AggregationLimitsGuard, agg_req::Aggregations},
    collector::{Count, TopDocs},
    query::{AllQuery, BooleanQuery, BoostQuery, Occur, Query, QueryParser, QueryParserError, TermQuery, TermSetQuery},
    query_grammar::{UserInputAst, UserInputLeaf, parse_query},
    schema::{
        DateOptions, DateTimePrecision, FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema,
        TextFieldIndexing, TextOptions, Value as _,
    },
    tokenizer::{AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer},
};

use super::{Entry, Facet, Found, InvalidQuery, Order, OrderField, Question, Whose};

/// The index, open: one writes, many read.
pub struct SearchIndex {
    fields: Fields,
    index: Index,
    reader: IndexReader,
    writer: Mutex<Writer>,
}

struct Writer {
    tantivy: IndexWriter,
    applied: Option<u64>,
}

/// Why the index does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenSearchError {
    /// The folder.
    #[error("the search index in `{path}` cannot be made: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// tantivy's.
    #[error("the search index does not open: {0}")]
    Index(#[from] TantivyError),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The question's own fault.
    #[error(transparent)]
    Query(#[from] InvalidQuery),
    /// tantivy's.
    #[error("the search index cannot be read or written: {0}")]
    Index(#[from] TantivyError),
    /// What it holds is not what was put into it.
    #[error("the search index is damaged: stop the gateway, delete the folder, and start it again")]
    Damaged,
}

#[derive(Debug, Clone, Copy)]
struct Fields {
    id: Field,
    name: Field,
    everybodys: Field,
    title: Field,
    title_en: Field,
    title_string: Field,
    notes: Field,
    notes_en: Field,
    tags: Field,
    tags_text: Field,
    organization: Field,
    publisher: Field,
    groups: Field,
    license: Field,
    format: Field,
    level: Field,
    created: Field,
    modified: Field,
    /// What CKAN's clients ask for and every dataset here is.
    constants: [Field; 3],
}

impl Fields {
    fn new() -> (Self, Schema) {
        let mut schema = Schema::builder();
        let text = |language: &str| {
            let indexing = TextFieldIndexing::default()
                .set_tokenizer(language)
                .set_index_option(IndexRecordOption::WithFreqsAndPositions);
            TextOptions::default().set_indexing_options(indexing)
        };
        let words = STRING | FAST;
        let date = DateOptions::from(INDEXED).set_fast().set_precision(DateTimePrecision::Seconds);
        let fields = Self {
            id: schema.add_text_field("id", STRING | STORED | FAST),
            name: schema.add_text_field("name", STRING),
            everybodys: schema.add_bool_field("everybodys", INDEXED),
            title: schema.add_text_field("title", text(FRENCH)),
            title_en: schema.add_text_field("title_en", text(ENGLISH)),
            title_string: schema.add_text_field("title_string", words.clone()),
            notes: schema.add_text_field("notes", text(FRENCH)),
            notes_en: schema.add_text_field("notes_en", text(ENGLISH)),
            tags: schema.add_text_field("tags", words.clone()),
            tags_text: schema.add_text_field("tags_text", text(FRENCH)),
            organization: schema.add_text_field("organization", words.clone()),
            publisher: schema.add_text_field("publisher", text(FRENCH)),
            groups: schema.add_text_field("groups", words.clone()),
            license: schema.add_text_field("license_id", words.clone()),
            format: schema.add_text_field("res_format", words.clone()),
            level: schema.add_text_field("level", words.clone()),
            created: schema.add_date_field("metadata_created", date.clone()),
            modified: schema.add_date_field("metadata_modified", date),
            constants: ["type", "dataset_type", "state"].map(|name| schema.add_text_field(name, STRING)),
        };
        (fields, schema.build())
    }

    fn document(&self, entry: &Entry) -> TantivyDocument {
        let mut document = TantivyDocument::default();
        document.add_text(self.id, entry.id.as_str());
        document.add_text(self.name, entry.id.as_str());
        document.add_bool(self.everybodys, entry.everybodys);
        document.add_text(self.title_string, &entry.title);
        for title in &entry.titles {
            document.add_text(self.title, title);
            document.add_text(self.title_en, title);
        }
        for notes in &entry.notes {
            document.add_text(self.notes, notes);
            document.add_text(self.notes_en, notes);
        }
        for tag in &entry.tags {
            document.add_text(self.tags, tag);
            document.add_text(self.tags_text, tag);
        }
        document.add_text(self.organization, &entry.organization);
        document.add_text(self.publisher, &entry.publisher);
        entry.groups.iter().for_each(|group| document.add_text(self.groups, group));
        document.add_text(self.license, entry.license);
        entry.formats.iter().for_each(|format| document.add_text(self.format, format));
        document.add_text(self.level, entry.level);
        document.add_date(self.created, date(entry.created));
        document.add_date(self.modified, date(entry.modified));
        for (field, word) in self.constants.into_iter().zip(["dataset", "dataset", "active"]) {
            document.add_text(field, word);
        }
        document
    }
}

impl SearchIndex {
    /// Opens the index in this folder, or begins one; one of another version, or damaged, is begun anew.
    ///
    /// # Errors
    /// [`OpenSearchError`].
    pub fn open(folder: &Path) -> Result<Self, OpenSearchError> {
        let failed = |source| OpenSearchError::Folder { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        Self::open_in(folder).or_else(|error| {
            tracing::warn!(%error, "the search index is made anew");
            fs::remove_dir_all(folder).map_err(failed)?;
            fs::create_dir_all(folder).map_err(failed)?;
            Self::open_in(folder).map_err(OpenSearchError::from)
        })
    }

    fn open_in(folder: &Path) -> Result<Self, TantivyError> {
        let (fields, schema) = Fields::new();
        let directory = tantivy::directory::MmapDirectory::open(folder)?;
        let index = Index::open_or_create(directory, schema)?;
        register(&index);
        let tantivy = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let applied = index.load_metas()?.payload.and_then(|payload| payload.parse().ok());
        Ok(Self { fields, index, reader, writer: Mutex::new(Writer { tantivy, applied }) })
    }

    /// The last change of the register that it shows; none while it is empty.
    pub fn applied(&self) -> Option<u64> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).applied
    }

    /// Puts datasets in the place of what there was of them; then it shows the register up to `applied`.
    ///
    /// # Errors
    /// [`SearchError`]; then it shows what it showed.
    pub fn replace(&self, entries: &[Entry], applied: u64) -> Result<(), SearchError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            writer.tantivy.delete_term(Term::from_field_text(self.fields.id, entry.id.as_str()));
            writer.tantivy.add_document(self.fields.document(entry))?;
        }
        let mut commit = writer.tantivy.prepare_commit()?;
        commit.set_payload(&applied.to_string());
        commit.commit()?;
        writer.applied = Some(applied);
        self.reader.reload()?;
        Ok(())
    }

    /// What matches.
    ///
    /// # Errors
    /// [`SearchError::Query`] if the question cannot be understood.
    pub fn find(&self, question: &Question) -> Result<Found, SearchError> {
        let query = self.query(question)?;
        let searcher = self.reader.searcher();
        let (total, facets) = if question.facets.is_empty() {
            (searcher.search(&query, &Count)?, Vec::new())
        } else {
            let (total, counted) = searcher.search(&query, &(Count, self.aggregation(question)?))?;
            let counted = serde_json::to_value(counted).map_err(|_| SearchError::Damaged)?;
            (total, question.facets.iter().map(|facet| (*facet, buckets(&counted, *facet))).collect())
        };
        let rows = question.rows.min(Question::MOST_ROWS);
        if rows == 0 || question.start >= total {
            return Ok(Found { total, datasets: Vec::new(), facets });
        }
        let places = self.places(&searcher, &query, question, rows)?;
        let id = |place| -> Result<DatasetId, SearchError> {
            let document: TantivyDocument = searcher.doc(place)?;
            let id = document.get_first(self.fields.id).and_then(|value| value.as_str());
            id.and_then(|id| id.parse().ok()).ok_or(SearchError::Damaged)
        };
        let datasets = places.into_iter().map(id).collect::<Result<_, _>>()?;
        Ok(Found { total, datasets, facets })
    }

    fn places(
        &self,
        searcher: &tantivy::Searcher,
        query: &dyn Query,
        question: &Question,
        rows: usize,
    ) -> Result<Vec<tantivy::DocAddress>, TantivyError> {
        let top = TopDocs::with_limit(rows).and_offset(question.start);
        let direction = |descending| if descending { Direction::Desc } else { Direction::Asc };
        Ok(match question.order {
            Order::Relevance => places(searcher.search(query, &top.order_by_score())?),
            Order::By { field: OrderField::Id, descending } => {
                places(searcher.search(query, &top.order_by_string_fast_field("id", direction(descending)))?)
            }
            Order::By { field: OrderField::Title, descending } => {
                places(searcher.search(query, &top.order_by_string_fast_field("title_string", direction(descending)))?)
            }
            Order::By { field: field @ (OrderField::Created | OrderField::Modified), descending } => {
                let name = if field == OrderField::Created { "metadata_created" } else { "metadata_modified" };
                let by = top.order_by_fast_field::<DateTime>(name, direction(descending));
                places(searcher.search(query, &by)?)
            }
        })
    }

    /// Words and filters, of those whose datasets are looked at.
    fn query(&self, question: &Question) -> Result<BooleanQuery, SearchError> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, self.words(&question.words)?)];
        for filter in &question.filters {
            // A filter decides, and weighs nothing.
            clauses.push((Occur::Must, Box::new(BoostQuery::new(self.words(filter)?, 0.0))));
        }
        clauses.push((Occur::Must, Box::new(BoostQuery::new(self.whose(&question.whose), 0.0))));
        Ok(BooleanQuery::new(clauses))
    }

    fn whose(&self, whose: &Whose) -> Box<dyn Query> {
        let everybodys = |yes| -> Box<dyn Query> {
            let term = Term::from_field_bool(self.fields.everybodys, yes);
            Box::new(TermQuery::new(term, IndexRecordOption::Basic))
        };
        match whose {
            Whose::Everybodys => everybodys(true),
            Whose::Others => everybodys(false),
            Whose::EverybodysAnd(these) => {
                let ids = these.iter().map(|id| Term::from_field_text(self.fields.id, id.as_str()));
                Box::new(BooleanQuery::union(vec![everybodys(true), Box::new(TermSetQuery::new(ids))]))
            }
        }
    }

    fn words(&self, text: &str) -> Result<Box<dyn Query>, InvalidQuery> {
        let text = text.trim();
        if text.len() > MOST_CHARACTERS || depth(text) > MOST_DEPTH {
            return Err(InvalidQuery::TooLong);
        }
        if matches!(text, "" | "*:*" | "*") {
            return Ok(Box::new(AllQuery));
        }
        // Solr's way to say all, within more.
        let parsed = parse_query(&text.replace("*:*", "*")).map_err(|_| InvalidQuery::Syntax)?;
        self.parser().build_query_from_user_input_ast(positive(parsed)).map_err(|error| invalid(&error))
    }

    fn parser(&self) -> QueryParser {
        let Fields { id, title, title_en, notes, notes_en, tags_text, publisher, .. } = self.fields;
        let searched = vec![id, title, title_en, notes, notes_en, tags_text, publisher];
        let mut parser = QueryParser::for_index(&self.index, searched);
        parser.set_conjunction_by_default();
        for (field, boost) in [(title, 4.0), (title_en, 4.0), (tags_text, 2.0), (id, 4.0)] {
            parser.set_field_boost(field, boost);
        }
        parser
    }

    fn aggregation(&self, question: &Question) -> Result<AggregationCollector, SearchError> {
        let size = question.values.clamp(1, Question::MOST_VALUES);
        let of = |facet: &Facet| (facet.name().to_owned(), json!({ "terms": { "field": facet.name(), "size": size } }));
        let wanted: Json = Json::Object(question.facets.iter().map(of).collect());
        let wanted: Aggregations = serde_json::from_value(wanted).map_err(|_| SearchError::Damaged)?;
        let limits = AggregationLimitsGuard::new(Some(AGGREGATION_BYTES), None);
        Ok(AggregationCollector::from_aggs(wanted, AggContextParams::new(limits, self.index.tokenizers().clone())))
    }
}

impl std::fmt::Debug for SearchIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchIndex").finish_non_exhaustive()
    }
}

fn places<T>(found: Vec<(T, tantivy::DocAddress)>) -> Vec<tantivy::DocAddress> {
    found.into_iter().map(|(_, place)| place).collect()
}

/// The counts of one facet, as tantivy's answer has them (its format is Elasticsearch's).
fn buckets(counted: &Json, facet: Facet) -> Vec<(String, u64)> {
    let buckets = counted.get(facet.name()).and_then(|it| it.get("buckets")).and_then(Json::as_array);
    let bucket = |bucket: &Json| Some((bucket.get("key")?.as_str()?.to_owned(), bucket.get("doc_count")?.as_u64()?));
    buckets.into_iter().flatten().filter_map(bucket).collect()
}

fn invalid(error: &QueryParserError) -> InvalidQuery {
    match error {
        QueryParserError::FieldDoesNotExist(_)
        | QueryParserError::FieldNotIndexed(_)
        | QueryParserError::FieldDoesNotHavePositionsIndexed(_) => InvalidQuery::Field,
        QueryParserError::ExpectedInt(_)
        | QueryParserError::ExpectedBase64(_)
        | QueryParserError::ExpectedFloat(_)
        | QueryParserError::ExpectedBool(_)
        | QueryParserError::DateFormatError(_)
        | QueryParserError::FacetFormatError(_)
        | QueryParserError::IpFormatError(_) => InvalidQuery::Value,
        QueryParserError::SyntaxError(_)
        | QueryParserError::UnsupportedQuery(_)
        | QueryParserError::AllButQueryForbidden
        | QueryParserError::NoDefaultFieldDeclared
        | QueryParserError::PhrasePrefixRequiresAtLeastTwoTerms { .. }
        | QueryParserError::UnknownTokenizer { .. }
        | QueryParserError::RangeMustNotHavePhrase => InvalidQuery::Syntax,
    }
}

/// What only excludes is all but that, as Solr has it; tantivy takes it for nothing.
fn positive(ast: UserInputAst) -> UserInputAst {
    match ast {
        UserInputAst::Clause(children) => {
            let mut children: Vec<_> = children.into_iter().map(|(occur, child)| (occur, positive(child))).collect();
            if !children.is_empty() && children.iter().all(|(occur, _)| *occur == Some(Occur::MustNot)) {
                children.push((Some(Occur::Must), UserInputLeaf::All.into()));
            }
            UserInputAst::Clause(children)
        }
        UserInputAst::Boost(child, by) => UserInputAst::Boost(Box::new(positive(*child)), by),
        leaf @ UserInputAst::Leaf(_) => leaf,
    }
}

/// How deep parentheses lie in each other: what a parser that calls itself must be spared.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn date(at: Instant) -> DateTime {
    DateTime::from_timestamp_secs(at.as_second())
}

/// Folded before they are stemmed, so that words without their accents have the same stem.
fn register(index: &Index) {
    for (name, language) in [(FRENCH, Language::French), (ENGLISH, Language::English)] {
        let analyzer = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(LONGEST_WORD))
            .filter(LowerCaser)
            .filter(AsciiFoldingFilter)
            .filter(Stemmer::new(language))
            .build();
        index.tokenizers().register(name, analyzer);
    }
}

const FRENCH: &str = "octroi_fr";
const ENGLISH: &str = "octroi_en";
/// Bytes of a word beyond which it is not searched.
const LONGEST_WORD: usize = 80;
/// What tantivy's writer may hold before it writes a segment; it takes no less.
const WRITER_BYTES: usize = 32 << 20;
/// What one search may use to count by facets.
const AGGREGATION_BYTES: u64 = 64 << 20;
const MOST_CHARACTERS: usize = 2_000;
const MOST_DEPTH: usize = 16;
