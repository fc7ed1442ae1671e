//! Takes connections in, as many as there are seats for, and lets them finish when told to stop.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Front, connection, seats::Seats};

/// Serves a listener until `stop`; then takes no more connections, lets requests in flight finish for up to
/// `limits.drain_seconds`, and returns.
pub async fn serve(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    let seats = Seats::new(front.limits.connections.as_usize(), front.limits.connections_per_address.as_usize());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(accepted) => admit(accepted, &front, &seats, &stop, &mut connections),
                Err(error) => pause(&front, &error).await,
            },
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(front.limits.drain_seconds.get(), all_ended).await.is_err() {
        tracing::warn!(listener = front.name, left = connections.len(), "connections cut: drain time is over");
        connections.shutdown().await;
    }
}

fn admit(
    (stream, from): (TcpStream, SocketAddr),
    front: &Arc<Front>,
    seats: &Seats,
    stop: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    match seats.take(from.ip()) {
        Ok(seat) => {
            // Small answers are not held back to be sent together; a socket that refuses is as good.
            let _ = stream.set_nodelay(true);
            metrics::counter!("octroi_connections_total", "listener" => front.name).increment(1);
            connections.spawn(connection::serve(Arc::clone(front), stream, from.ip(), seat, stop.clone()));
        }
        Err(full) => {
            metrics::counter!("octroi_connections_refused_total", "listener" => front.name, "reason" => full.word())
                .increment(1);
        }
    }
}

/// A peer that was gone before it was taken in is nothing; out of descriptors, waiting is what helps.
async fn pause(front: &Front, error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::error!(listener = front.name, %error, "cannot accept connections");
        sleep(Duration::from_millis(100)).await;
    }
}

#[cfg(test)]
mod tests;
