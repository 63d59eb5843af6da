//! A connection's byte stream with its buffers and its clock.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::Limits;
use super::refusal::Reason;
use super::wire::WireError;

/// Free space to read into. 4 KiB: twenty messages of 200 B in one read, and little for an idle connection to hold.
const READ_BYTES: usize = 4 * 1024;

/// A buffer that has grown beyond this is given up when it is empty.
const KEEP_BYTES: usize = 16 * 1024;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By a DISCONNECT: no will.
    Disconnected,
    /// Without one.
    Lost,
    /// By us, for what the client did.
    Refused(Reason, String),
    /// By a newer connection of the same client.
    TakenOver,
    /// With the front.
    Shutdown,
    /// Because nothing can be acknowledged any more.
    JournalStopped,
}

impl End {
    pub fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Refused(reason, detail.into())
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooLarge(bytes) => Self::refused(Reason::TooLarge, format!("a packet of {bytes} bytes")),
            WireError::Malformed(detail) => Self::refused(Reason::Malformed, detail),
            WireError::Version(level) => Self::refused(Reason::Version, format!("protocol level {level}, not 4")),
        }
    }
}

pub(super) struct Socket<S> {
    stream: S,
    pub peer: SocketAddr,
    pub input: BytesMut,
    pub output: BytesMut,
    write_timeout: Duration,
    /// Silence that is tolerated; set after CONNECT.
    allowed_silence: Duration,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub fn new(stream: S, peer: SocketAddr, limits: &Limits) -> Self {
        let now = Instant::now();
        Self {
            stream,
            peer,
            input: BytesMut::new(),
            output: BytesMut::new(),
            write_timeout: limits.write,
            allowed_silence: limits.idle,
            heard_at: now,
            timer: Box::pin(sleep_until(now + limits.idle)),
        }
    }

    /// Tolerates one and a half times the keepalive (MQTT 3.1.1, 3.1.2.10), capped by the idle limit; 0 means the cap.
    pub fn set_keepalive(&mut self, seconds: u16, idle: Duration) {
        let tolerated = Duration::from_millis(u64::from(seconds) * 1500);
        self.allowed_silence = if seconds == 0 { idle } else { tolerated.min(idle) };
        self.heard();
        self.timer.as_mut().reset(self.heard_at + self.allowed_silence);
    }

    /// A whole packet has come in, or we were not reading.
    pub fn heard(&mut self) {
        self.heard_at = Instant::now();
    }

    /// Reads more bytes into `input`; ends when the client has been silent for too long. Cancel-safe.
    pub async fn read(&mut self) -> Result<(), End> {
        self.make_room();
        let Self { stream, input, timer, heard_at, allowed_silence, .. } = self;
        loop {
            tokio::select! {
                biased;
                read = stream.read_buf(input) => return ended_or_more(read),
                () = timer.as_mut() => {
                    let deadline = *heard_at + *allowed_silence;
                    if Instant::now() >= deadline {
                        return Err(End::refused(Reason::Keepalive, format!("silent for {allowed_silence:?}")));
                    }
                    timer.as_mut().reset(deadline);
                }
            }
        }
    }

    /// Writes all of `output`.
    pub async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        match timeout(self.write_timeout, self.stream.write_all(&self.output)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(End::Lost),
            Err(_) => {
                return Err(End::refused(Reason::WriteTimeout, format!("took nothing for {:?}", self.write_timeout)));
            }
        }
        self.output.clear();
        if self.output.capacity() > KEEP_BYTES {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Tells the peer that nothing more comes. The stream is closed by dropping it.
    pub async fn close(mut self) {
        // The peer may be gone already.
        let _ = timeout(self.write_timeout, self.stream.shutdown()).await;
    }

    fn make_room(&mut self) {
        if self.input.is_empty() && self.input.capacity() > KEEP_BYTES {
            self.input = BytesMut::new();
        }
        self.input.reserve(READ_BYTES);
    }
}

fn ended_or_more(read: std::io::Result<usize>) -> Result<(), End> {
    match read {
        Ok(0) | Err(_) => Err(End::Lost),
        Ok(_) => Ok(()),
    }
}
