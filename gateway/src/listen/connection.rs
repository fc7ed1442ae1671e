//! One connection: its handshake, its requests, its end.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Door, Front, InvalidCertificate, Peer, PeerCertificate,
    seats::Seat,
    vitals::{Verdict, Vitals},
};

/// Why a connection ended before its first request.
#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error("took too long")]
    TooLong,
    #[error("is not TLS")]
    NotTls,
    #[error(transparent)]
    Failed(#[from] io::Error),
    #[error(transparent)]
    Certificate(#[from] InvalidCertificate),
}

impl HandshakeError {
    /// The word in metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::TooLong => "handshake_too_long",
            Self::NotTls => "not_tls",
            Self::Failed(_) => "handshake_failed",
            Self::Certificate(_) => "certificate_unreadable",
        }
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(front: Arc<Front>, stream: TcpStream, address: IpAddr, _seat: Seat, stop: CancellationToken) {
    let served = match front.door.clone() {
        Door::Plain => {
            let peer = Peer { address, certificate: None, server_name: None };
            // TLS agrees on HTTP/2 by ALPN; here there is nothing to agree by.
            converse(Arc::clone(&front), stream, peer, false, stop).await;
            Ok(())
        }
        Door::Tls(config) => {
            let acceptor = TlsAcceptor::from(config);
            let entering = timeout(front.limits.handshake_seconds.get(), handshake(acceptor, stream, address));
            let entered = tokio::select! {
                entered = entering => entered,
                () = stop.cancelled() => return,
            };
            match entered {
                Ok(Ok(entered)) => {
                    converse(Arc::clone(&front), entered.stream, entered.peer, entered.http2, stop).await;
                    Ok(())
                }
                Ok(Err(error)) => Err(error),
                Err(_) => Err(HandshakeError::TooLong),
            }
        }
    };
    if let Err(error) = served {
        metrics::counter!("octroi_connections_refused_total", "listener" => front.name, "reason" => error.word())
            .increment(1);
        tracing::debug!(listener = front.name, %address, %error, "no handshake");
    }
}

struct Entered {
    stream: tokio_rustls::server::TlsStream<TcpStream>,
    peer: Peer,
    http2: bool,
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, address: IpAddr) -> Result<Entered, HandshakeError> {
    // A TLS record of a handshake begins with 22. Whatever else begins is told nothing, not even an alert.
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 || first != [22] {
        return Err(HandshakeError::NotTls);
    }
    let stream = acceptor.accept(stream).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let peer = Peer {
        address,
        certificate: certificate.map(PeerCertificate::of).transpose()?,
        server_name: session.server_name().map(Arc::from),
    };
    let http2 = session.alpn_protocol() == Some(b"h2");
    Ok(Entered { stream, peer, http2 })
}

async fn converse<I>(front: Arc<Front>, stream: I, peer: Peer, http2: bool, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let vitals = Vitals::new();
    let idle = front.limits.idle_seconds.get();
    let builder = protocol(&front, http2);
    let service = {
        let (front, vitals) = (Arc::clone(&front), Arc::clone(&vitals));
        service_fn(move |request| Arc::clone(&front).answer(request, peer.clone(), Arc::clone(&vitals)))
    };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut pulse = tokio::time::interval((idle / 4).max(Duration::from_millis(250)));
    let mut told_to_end = false;
    let mut dismissed = 0_u8;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(listener = front.name, %error, "connection ended");
                }
                return;
            }
            () = stop.cancelled(), if !told_to_end => {
                connection.as_mut().graceful_shutdown();
                told_to_end = true;
            }
            _ = pulse.tick() => match vitals.judge(idle) {
                Verdict::Alive => {}
                Verdict::Stalled => {
                    metrics::counter!("octroi_connections_stalled_total", "listener" => front.name).increment(1);
                    return;
                }
                // First politely; a peer that does not let go is let go of.
                Verdict::Idle if dismissed >= PATIENCE => return,
                Verdict::Idle => {
                    connection.as_mut().graceful_shutdown();
                    dismissed += 1;
                }
            },
        }
    }
}

fn protocol(front: &Front, http2: bool) -> Builder<TokioExecutor> {
    let limits = &front.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_seconds.get())
        .max_buf_size(limits.header_bytes.as_usize());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes.get()).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.concurrent_streams.as_u32())
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .max_send_buf_size(SEND_BUFFER)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(limits.idle_seconds.get() / 2)
        .keep_alive_timeout(limits.idle_seconds.get() / 2);
    // What ALPN agreed on, and nothing else: no guessing from the first bytes.
    if http2 { builder.http2_only() } else { builder.http1_only() }
}

/// Streams that may be reset before they are answered, against reset floods.
const RESETS: usize = 64;
/// Memory per HTTP/2 stream for what is yet to be sent.
const SEND_BUFFER: usize = 256 * 1024;
/// What a caller may send ahead on one stream, and on all streams of a connection.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Pulses that an idle connection gets to end by itself.
const PATIENCE: u8 = 4;
