//! From an unprivileged process to listeners that answer, and back.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    AssembleError, Foundation, House, ServeError, Unprivileged,
    child::{self, Child, Children, Role},
    signals::Signals,
};
use crate::{
    listen::{self, Door, Front, Names, Pace, loopback, tls::Identity},
    settings::Settings,
};

pub(super) async fn live<A, F>(
    unprivileged: &Unprivileged,
    foundation: Foundation,
    children: Vec<Child>,
    assemble: A,
) -> Result<(), ServeError>
where
    A: FnOnce(Foundation) -> F,
    F: Future<Output = Result<House, AssembleError>>,
{
    let mut signals = Signals::take()?;
    let mut children = Children::watch(children)?;
    let sockets = children.sockets();
    let stop = CancellationToken::new();
    let ended = tokio::select! {
        lived = open(unprivileged, foundation, sockets, stop.clone(), assemble) => lived,
        error = children.ended() => Err(error.into()),
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before it was ready");
            children.end().await;
            return Ok(());
        }
    };
    let (open, close) = match ended {
        Ok(opened) => opened,
        Err(error) => {
            children.end().await;
            return Err(error);
        }
    };
    let outcome = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "draining");
            Ok(())
        }
        error = children.ended() => {
            tracing::error!(%error, "draining");
            Err(error.into())
        }
    };
    open.drain(&stop, &mut signals).await;
    close.await;
    children.end().await;
    tracing::info!("stopped");
    outcome
}

/// Listeners that answer.
struct Open {
    ready: watch::Sender<bool>,
    serving: JoinSet<()>,
}

impl Open {
    /// Takes no more connections, and waits for those there are; a second signal ends the waiting.
    async fn drain(mut self, stop: &CancellationToken, signals: &mut Signals) {
        self.ready.send_replace(false);
        stop.cancel();
        let finished = async { while self.serving.join_next().await.is_some() {} };
        tokio::select! {
            () = finished => {}
            signal = signals.next() => tracing::warn!(signal, "told again to stop: requests in flight are cut"),
        }
        self.serving.shutdown().await;
    }
}

async fn open<A, F>(
    unprivileged: &Unprivileged,
    foundation: Foundation,
    awaited: Vec<(Role, PathBuf)>,
    stop: CancellationToken,
    assemble: A,
) -> Result<(Open, futures::future::BoxFuture<'static, ()>), ServeError>
where
    A: FnOnce(Foundation) -> F,
    F: Future<Output = Result<House, AssembleError>>,
{
    let recorder = loopback::install_recorder()?;
    let settings = Arc::clone(&foundation.settings);
    let identity = Identity::load(&settings, Arc::clone(&foundation.clock))?;
    let (public_door, api_door) = (identity.public(settings.listen.public.tls12)?, identity.api()?);
    drop(identity);
    for (role, socket) in awaited {
        child::listening(role, &socket, child::START).await?;
    }
    let house = assemble(foundation).await.map_err(ServeError::Assemble)?;
    let (ready, readiness) = watch::channel(false);
    let sockets = Sockets::bind(unprivileged, &settings).await?;
    let line = sockets.addresses()?;
    let limits = &settings.limits;
    let front = |name, door, names: Names, pace, routes| {
        Arc::new(Front { name, door, names, limits: limits.clone(), pace, routes })
    };
    let pace = Some(Arc::new(Pace::new(limits.requests_per_second.as_u32())));
    let names = |names: &[_]| Names::new(names.iter().cloned());
    let public = front("public", Door::Tls(public_door), names(&settings.listen.public.names), pace, house.public);
    let api = front("api", Door::Tls(api_door), names(&settings.listen.api.names), None, house.api);
    let routes = loopback::routes(readiness, recorder);
    let local = front("loopback", Door::Plain, loopback::names(), None, routes);
    let mut serving = JoinSet::new();
    serving.spawn(listen::serve(sockets.public, public, stop.clone()));
    serving.spawn(listen::serve(sockets.api, api, stop.clone()));
    serving.spawn(listen::serve(sockets.loopback, local, stop));
    ready.send_replace(true);
    let [public, api, loopback] = line;
    tracing::info!(%public, %api, %loopback, "ready");
    Ok((Open { ready, serving }, house.close))
}

struct Sockets {
    public: TcpListener,
    api: TcpListener,
    loopback: TcpListener,
}

impl Sockets {
    async fn bind(unprivileged: &Unprivileged, settings: &Settings) -> Result<Self, ServeError> {
        let listen = &settings.listen;
        Ok(Self {
            public: bind(unprivileged, "listen.public.address", listen.public.address).await?,
            api: bind(unprivileged, "listen.api.address", listen.api.address).await?,
            loopback: bind(unprivileged, "listen.loopback.address", listen.loopback.address.get()).await?,
        })
    }

    fn addresses(&self) -> std::io::Result<[SocketAddr; 3]> {
        Ok([self.public.local_addr()?, self.api.local_addr()?, self.loopback.local_addr()?])
    }
}

async fn bind(_: &Unprivileged, key: &'static str, address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|cause| ServeError::Bind { address, key, cause })
}
