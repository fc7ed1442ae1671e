//! Documents that were written once and are asked for again.
//!
//! A whole catalogue fits because it is kept packed (zstd); what is asked for often lies unpacked, or packed as clients
//! like it, beside. Both have a limit in bytes, whatever the catalogue's size and however many ask. Nothing here knows
//! when a document is out of date: whoever takes one compares what it was made from.

use std::{io, sync::Arc};

use bytes::Bytes;
use octroi_proto::Instant;
use quick_cache::{Weighter, sync::Cache};

use super::Coding;

/// A document as it was written.
#[derive(Debug)]
pub struct Document<S> {
    /// What it was made from.
    pub state: S,
    /// When what it says last changed.
    pub modified: Instant,
    /// Its entity tag: weak, since every coding of it has the same.
    pub tag: String,
    packed: Bytes,
    length: usize,
}

/// Documents of a catalogue, by `K`, made from `S`.
#[derive(Debug)]
pub struct Shelf<K, S> {
    documents: Cache<K, Arc<Document<S>>, Weight>,
    bodies: Cache<(String, Coding), Bytes, Weight>,
}

#[derive(Debug, Clone)]
struct Weight;

impl<K, S> Weighter<K, Arc<Document<S>>> for Weight {
    fn weight(&self, _: &K, document: &Arc<Document<S>>) -> u64 {
        document.packed.len() as u64 + OVERHEAD
    }
}

impl Weighter<(String, Coding), Bytes> for Weight {
    fn weight(&self, _: &(String, Coding), body: &Bytes) -> u64 {
        body.len() as u64 + OVERHEAD
    }
}

impl<S> Document<S> {
    /// Packs a document.
    ///
    /// # Errors
    /// zstd's.
    pub fn new(written: &[u8], tag: String, modified: Instant, state: S) -> io::Result<Self> {
        let packed = zstd::bulk::compress(written, PACKING)?.into();
        Ok(Self { state, modified, tag, packed, length: written.len() })
    }
}

impl<K: std::hash::Hash + Eq + Clone, S> Shelf<K, S> {
    /// A shelf for so many bytes.
    pub fn new(bytes: u64) -> Self {
        let half = bytes / 2;
        Self {
            documents: Cache::with_weighter(EXPECTED, half, Weight),
            bodies: Cache::with_weighter(EXPECTED, half, Weight),
        }
    }

    /// The document under this key, as it was put.
    pub fn get(&self, key: &K) -> Option<Arc<Document<S>>> {
        self.documents.get(key)
    }

    /// Puts a document in the place of what was there.
    pub fn put(&self, key: K, document: Document<S>) -> Arc<Document<S>> {
        let document = Arc::new(document);
        self.documents.insert(key, Arc::clone(&document));
        document
    }

    /// A document's body in this coding.
    ///
    /// # Errors
    /// The codings'.
    pub fn body(&self, document: &Document<S>, coding: Coding) -> io::Result<Bytes> {
        if coding == Coding::Zstd {
            return Ok(document.packed.clone());
        }
        let key = (document.tag.clone(), coding);
        if let Some(body) = self.bodies.get(&key) {
            return Ok(body);
        }
        let written = zstd::bulk::decompress(&document.packed, document.length)?;
        let body: Bytes = match coding {
            Coding::Identity | Coding::Zstd => written.into(),
            Coding::Gzip => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                io::Write::write_all(&mut packer, &written)?;
                packer.finish()?.into()
            }
        };
        self.bodies.insert(key, body.clone());
        Ok(body)
    }
}

/// zstd's own default is 3; on RDF, level 1 packs nearly as well in half the time.
const PACKING: i32 = 1;
/// Items that a shelf makes room for from the start.
const EXPECTED: usize = 1_000;
/// What an item costs besides its bytes.
const OVERHEAD: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document<u64> {
        Document::new(text.as_bytes(), format!("W/\"{}\"", text.len()), Instant::UNIX_EPOCH, 1).unwrap()
    }

    #[test]
    fn every_coding_is_of_the_same_document() {
        let shelf: Shelf<u32, u64> = Shelf::new(1 << 20);
        let text = "dcat:Dataset ".repeat(1_000);
        let document = shelf.put(1, document(&text));
        for _ in 0..2 {
            assert_eq!(shelf.body(&document, Coding::Identity).unwrap(), text);
            let packed = shelf.body(&document, Coding::Zstd).unwrap();
            assert_eq!(zstd::bulk::decompress(&packed, text.len()).unwrap(), text.as_bytes());
            let gzipped = shelf.body(&document, Coding::Gzip).unwrap();
            let mut read = String::new();
            io::Read::read_to_string(&mut flate2::read::GzDecoder::new(gzipped.as_ref()), &mut read).unwrap();
            assert_eq!(read, text);
        }
        assert_eq!(shelf.get(&1).unwrap().state, 1);
    }

    #[test]
    fn a_shelf_holds_no_more_than_its_bytes() {
        let shelf: Shelf<u32, u64> = Shelf::new(64 << 10);
        for number in 0..1_000 {
            let noise: Vec<u8> = (0..2_000_u32).map(|at| (at.wrapping_mul(number + 7) >> 3).to_le_bytes()[0]).collect();
            let document = Document::new(&noise, format!("W/\"{number}\""), Instant::UNIX_EPOCH, 1).unwrap();
            let document = shelf.put(number, document);
            shelf.body(&document, Coding::Identity).unwrap();
        }
        assert!(shelf.documents.weight() <= 32 << 10 && shelf.bodies.weight() <= 32 << 10);
    }
}
