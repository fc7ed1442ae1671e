//! A kind of zone, from the moment its making begins.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::AbortHandle};

/// What makes one kind of zone: absent, being made, or there. Making it is tried again for as long as it fails.
#[derive(Debug)]
pub struct Offer<T>(Option<(watch::Receiver<State<T>>, Maker)>);

#[derive(Debug)]
enum State<T> {
    Making,
    Failed,
    There(Arc<T>),
}

/// The task that makes it, ended with the offer.
#[derive(Debug)]
struct Maker(AbortHandle);

impl Drop for Maker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Why there is no such zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is not offered here.
    Absent,
    /// It was tried and failed, as the log says.
    Failed,
}

impl<T: Send + Sync + 'static> Offer<T> {
    /// This kind is not offered.
    pub fn none() -> Self {
        Self(None)
    }

    /// Begins to make it; on the runtime that this is called on. `name` is what the log calls it.
    pub fn making<F, E>(name: &'static str, make: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, E>> + Send,
        E: std::error::Error,
    {
        Self::making_every(BETWEEN_TRIALS, name, make)
    }

    fn making_every<F, E>(pause: Duration, name: &'static str, make: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, E>> + Send,
        E: std::error::Error,
    {
        let (tell, told) = watch::channel(State::Making);
        let maker = tokio::spawn(async move {
            let mut said = String::new();
            loop {
                let made = make().await.map_err(|error| {
                    let why = causes(&error);
                    // The same once more is no news.
                    if why != said {
                        tracing::error!(backend = name, "zone-host: no zones: {why}");
                        said = why;
                    }
                });
                if let Ok(made) = made {
                    tracing::info!(backend = name, "zone-host: zones can be made");
                    tell.send_replace(State::There(Arc::new(made)));
                    return tell.closed().await;
                }
                tell.send_replace(State::Failed);
                tokio::time::sleep(pause).await;
            }
        });
        Self(Some((told, Maker(maker.abort_handle()))))
    }

    /// It, once it is known whether it could be made.
    pub(super) async fn decided(&self) -> Option<Arc<T>> {
        self.there().await.ok()
    }

    /// It, once it is made.
    pub(super) async fn there(&self) -> Result<Arc<T>, Missing> {
        let Some((told, _)) = &self.0 else { return Err(Missing::Absent) };
        let mut told = told.clone();
        let state = told.wait_for(|state| !matches!(state, State::Making)).await.map_err(|_| Missing::Failed)?;
        match &*state {
            State::There(made) => Ok(Arc::clone(made)),
            State::Making | State::Failed => Err(Missing::Failed),
        }
    }
}

/// An error with what it comes from.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

const BETWEEN_TRIALS: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn what_fails_is_tried_again() {
        let tries = Arc::new(AtomicUsize::new(0));
        let make = {
            let tries = Arc::clone(&tries);
            move || {
                let tried = tries.fetch_add(1, Ordering::SeqCst);
                async move { if tried < 2 { Err(io::Error::other("not yet")) } else { Ok(7) } }
            }
        };
        let offer = Offer::making_every(Duration::from_millis(50), "test", make);
        assert_eq!(offer.there().await, Err(Missing::Failed));
        assert!(offer.decided().await.is_none());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(offer.there().await, Ok(Arc::new(7)));
        assert_eq!(offer.decided().await, Some(Arc::new(7)));
        assert_eq!(Offer::<u8>::none().there().await, Err(Missing::Absent));
    }
}
