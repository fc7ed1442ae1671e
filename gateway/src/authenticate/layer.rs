//! The station itself: no request goes on without a [`Caller`], and none is answered without one.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use futures::future::BoxFuture;
use http::{Request, Response, header};
use tower::{Layer, Service};

use super::{AuthenticationError, Authenticator, Directory};
use crate::{
    answer::{Problem, Protocol},
    listen::Peer,
};

/// Puts a [`super::Caller`] into the extensions of every request, or refuses it.
#[derive(Debug)]
pub struct AuthenticateLayer<D>(Arc<Authenticator<D>>);

impl<D> AuthenticateLayer<D> {
    /// By this authenticator.
    pub fn new(authenticator: Arc<Authenticator<D>>) -> Self {
        Self(authenticator)
    }
}

impl<D> Clone for AuthenticateLayer<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S, D> Layer<S> for AuthenticateLayer<D> {
    type Service = Authenticate<S, D>;

    fn layer(&self, inner: S) -> Authenticate<S, D> {
        Authenticate { authenticator: Arc::clone(&self.0), inner }
    }
}

/// A service behind an [`AuthenticateLayer`].
#[derive(Debug)]
pub struct Authenticate<S, D> {
    authenticator: Arc<Authenticator<D>>,
    inner: S,
}

impl<S: Clone, D> Clone for Authenticate<S, D> {
    fn clone(&self) -> Self {
        Self { authenticator: Arc::clone(&self.authenticator), inner: self.inner.clone() }
    }
}

impl<S, D> Service<Request<Body>> for Authenticate<S, D>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    D: Directory,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The clone takes the place of the service that was made ready.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let authenticator = Arc::clone(&self.authenticator);
        Box::pin(async move {
            let caller = match request.extensions().get::<Peer>() {
                Some(peer) => authenticator.authenticate(peer, request.headers()).await,
                None => Err(AuthenticationError::NoPeer),
            };
            match caller {
                Ok(caller) => {
                    // Nobody behind this station has a use for the token's text.
                    request.headers_mut().remove(header::AUTHORIZATION);
                    request.extensions_mut().insert(caller);
                    inner.call(request).await
                }
                Err(error) => {
                    authenticator.turned_away();
                    note(&error);
                    Ok(Problem::from(error).respond(Protocol::of(request.headers())))
                }
            }
        })
    }
}

fn note(error: &AuthenticationError) {
    metrics::counter!("octroi_authentication_refused_total", "reason" => error.word()).increment(1);
    match error {
        AuthenticationError::Directory(cause) => {
            tracing::error!(reason = error.word(), cause = ?cause, "cannot authenticate");
        }
        AuthenticationError::NoPeer => tracing::error!(reason = error.word(), "cannot authenticate"),
        AuthenticationError::Presented(_)
        | AuthenticationError::Token(_)
        | AuthenticationError::UnknownCertificate
        | AuthenticationError::CertificateTime
        | AuthenticationError::UnknownSubject
        | AuthenticationError::Waiting
        | AuthenticationError::Revoked
        | AuthenticationError::OrganisationRevoked => tracing::debug!(reason = error.word(), "caller refused"),
    }
}
