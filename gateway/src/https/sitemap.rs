//! `/robots.txt` and `/sitemap.xml`: where search engines are to look.

use std::{io, num::NonZeroU64};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;
use octroi_proto::{DatasetId, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::Caller,
    authorise,
    catalogue::sitemap::{self, MOST_IN_FILE, Sitemap},
    gateway::Gateway,
    registry::PAGE,
};

pub(super) fn routes() -> Router<Gateway> {
    let start = Router::new().route("/robots.txt", get(robots)).route("/sitemap.xml", get(whole));
    (1..=MOST_FILES).filter_map(NonZeroU64::new).fold(start, |routes, number| {
        routes.route(&format!("/sitemap-{number}.xml"), get(move |state, caller| file(state, caller, number)))
    })
}

async fn robots(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    Ok(([(header::CONTENT_TYPE, sitemap::TEXT)], sitemap::robots(&gateway.site)).into_response())
}

async fn whole(State(gateway): State<Gateway>, caller: Caller) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let state = gateway.registry.feed().or_internal()?;
    match Sitemap::of(state.positions) {
        Sitemap::Whole => Ok(datasets(gateway, NonZeroU64::MIN)),
        Sitemap::Index(files) => {
            let mut written = Vec::new();
            // When which file changed would take reading all of them: search engines look into each.
            let files = (0..files.get().min(MOST_FILES)).map(|_| None);
            sitemap::index(&gateway.site, files, &mut written).or_internal()?;
            Ok(([(header::CONTENT_TYPE, sitemap::XML)], written).into_response())
        }
    }
}

async fn file(State(gateway): State<Gateway>, caller: Caller, number: NonZeroU64) -> Result<Response, Refusal> {
    gateway.permit::<authorise::Probe>(&caller, &())?;
    let positions = gateway.registry.feed().or_internal()?.positions;
    if sitemap::first_place(number) >= positions {
        return Err(Refusal::NotFound);
    }
    Ok(datasets(gateway, number))
}

/// One file, sent as it is written.
fn datasets(gateway: Gateway, number: NonZeroU64) -> Response {
    let (sender, parts) = mpsc::channel(PARTS);
    tokio::task::spawn_blocking(move || {
        let mut out = io::BufWriter::with_capacity(PART_BYTES, Parts(sender.clone()));
        let listed = Listed::new(&gateway, number);
        let mut failed = None;
        let found = listed.map_while(|it| it.map_err(|refusal| failed = Some(refusal)).ok());
        let written = sitemap::datasets(&gateway.site, found, &mut out).and_then(|()| io::Write::flush(&mut out));
        // A reader that went away needs no word; one that is there must not take a part for the whole.
        if let (Ok(()), Some(refusal)) = (written, failed) {
            sender.blocking_send(Err(refusal)).ok();
        }
    });
    ([(header::CONTENT_TYPE, sitemap::XML)], Body::from_stream(ReceiverStream::new(parts))).into_response()
}

/// Datasets of one file that everybody may know of, with the time of their last change.
struct Listed<'a> {
    gateway: &'a Gateway,
    places: std::ops::Range<u64>,
    read: std::vec::IntoIter<crate::registry::Listing>,
}

impl<'a> Listed<'a> {
    fn new(gateway: &'a Gateway, number: NonZeroU64) -> Self {
        let first = sitemap::first_place(number);
        Self { gateway, places: first..first.saturating_add(MOST_IN_FILE), read: Vec::new().into_iter() }
    }

    fn read_on(&mut self) -> Result<(), Refusal> {
        let left = usize::try_from(self.places.end.saturating_sub(self.places.start)).unwrap_or(PAGE);
        let listings = self.gateway.registry.listings(self.places.start, left.min(PAGE)).or_internal()?;
        // Positions have no gaps.
        self.places.start += listings.len() as u64;
        self.read = listings.into_iter();
        Ok(())
    }
}

impl Iterator for Listed<'_> {
    type Item = Result<(DatasetId, Instant), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(listing) = self.read.next() else {
                match self.read_on() {
                    Ok(()) => {}
                    Err(refusal) => return Some(Err(refusal)),
                }
                if self.read.as_slice().is_empty() {
                    return None;
                }
                continue;
            };
            match self.gateway.everybodys(&listing, 0) {
                Ok(None) => {}
                Ok(Some(_)) => return Some(Ok((listing.dataset, listing.changed))),
                Err(refusal) => return Some(Err(refusal)),
            }
        }
    }
}

/// Writes into a body, waiting for whoever reads it.
struct Parts(mpsc::Sender<Result<Bytes, Refusal>>);

impl io::Write for Parts {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(part)));
        sent.map(|()| part.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Files that are served: three million datasets.
const MOST_FILES: u64 = 64;
/// Bytes of a part, and parts that wait for a slow reader.
const PART_BYTES: usize = 64 << 10;
const PARTS: usize = 4;
