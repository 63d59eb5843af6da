//! A connection's byte stream with its buffers and its clock.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use super::Limits;
use super::refusal::Reason;
use super::registry::Eviction;
use super::stream::Stream;
use super::wire::{Code, WireError, Writer};

/// What one read brings at most. 4 KiB: twenty messages of 200 B.
const READ_BYTES: usize = 4 * 1024;

/// An output buffer that has grown beyond this is given up when it is empty.
const KEEP_BYTES: usize = 16 * 1024;

/// How long a client that was sent away has to read why, and how much of what it still sends is passed over. 500 ms
/// and 64 KiB: to close at once with something unread would take our last words from it.
const LAST_WORDS: Duration = Duration::from_millis(500);
const LAST_BYTES: usize = 64 * 1024;

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// By a DISCONNECT: no will.
    Disconnected,
    /// By a DISCONNECT that asks for the will.
    DisconnectedWithWill,
    /// Without one.
    Lost,
    /// By us, for what the client did.
    Refused(Reason, String),
    /// By us, for what others did.
    Evicted(Eviction),
    /// With the front.
    Shutdown,
    /// Because nothing can be acknowledged any more.
    JournalStopped,
}

impl End {
    pub fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Refused(reason, detail.into())
    }

    /// What the client is told, if it is there to hear.
    fn last_words(&self) -> Option<(Code, &str)> {
        match self {
            Self::Disconnected | Self::DisconnectedWithWill | Self::Lost => None,
            Self::Refused(Reason::WriteTimeout, _) => None,
            Self::Refused(reason, detail) => Some((reason.code(), detail)),
            Self::Evicted(Eviction::Revoked) => Some((Code::Administrative, "no longer let in")),
            Self::Evicted(_) => Some((Code::TakenOver, "a newer connection has this id")),
            Self::Shutdown => Some((Code::ShuttingDown, "")),
            Self::JournalStopped => Some((Code::Unspecified, "")),
        }
    }
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TooLarge(bytes) => Self::refused(Reason::TooLarge, format!("a packet of {bytes} bytes")),
            WireError::Malformed(detail) => Self::refused(Reason::Malformed, detail),
            WireError::Filters(filters) => Self::refused(Reason::FilterCount, format!("{filters} filters in a packet")),
            WireError::Version(level) => {
                Self::refused(Reason::Version, format!("protocol level {level}, neither 4 nor 5"))
            }
        }
    }
}

pub(super) struct Socket {
    stream: Stream,
    pub peer: SocketAddr,
    pub input: BytesMut,
    pub output: BytesMut,
    write_timeout: Duration,
    /// Silence that is tolerated; set after CONNECT.
    allowed_silence: Duration,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Socket {
    pub fn new(stream: Stream, peer: SocketAddr, limits: &Limits) -> Self {
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

    /// Sets the silence that is tolerated from now on.
    pub fn allow_silence(&mut self, silence: Duration) {
        self.allowed_silence = silence;
        self.heard();
        self.timer.as_mut().reset(self.heard_at + silence);
    }

    /// A whole packet has come in, or we were not reading.
    pub fn heard(&mut self) {
        self.heard_at = Instant::now();
    }

    /// Reads more bytes into `input`; ends when the client has been silent for too long. Cancel-safe.
    pub async fn read(&mut self) -> Result<(), End> {
        if self.input.is_empty() {
            // An idle connection holds no buffer.
            self.input = BytesMut::new();
        }
        let Self { stream, input, timer, heard_at, allowed_silence, .. } = self;
        loop {
            tokio::select! {
                biased;
                read = read_more(stream, input) => return ended_or_more(read),
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
        let (stream, output) = (&mut self.stream, &self.output);
        let write = async {
            stream.write_all(output).await?;
            stream.flush().await
        };
        match timeout(self.write_timeout, write).await {
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

    /// Says why, where the protocol has words for it, and that nothing more comes.
    pub async fn say_goodbye(&mut self, writer: Writer, end: &End) {
        if let Some((code, reason)) = end.last_words() {
            writer.goodbye(&mut self.output, code, reason);
            // The peer may be gone already.
            let _ = timeout(LAST_WORDS, self.flush()).await;
        }
        let _ = timeout(LAST_WORDS, self.stream.shutdown()).await;
    }

    /// Gives the peer time to read our last words; dropping the stream closes it.
    pub async fn linger(mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        let mut passed_over = 0;
        while passed_over < LAST_BYTES {
            self.input.clear();
            match timeout_at(deadline, read_more(&mut self.stream, &mut self.input)).await {
                Ok(Ok(read)) if read > 0 => passed_over += read,
                _ => return,
            }
        }
    }
}

/// Reads what is there, at least one byte unless the stream has ended. The bytes come by way of the stack, so that
/// memory is taken when they are here and not for the wait.
async fn read_more(stream: &mut Stream, input: &mut BytesMut) -> std::io::Result<usize> {
    poll_fn(|cx| {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
        input.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}

fn ended_or_more(read: std::io::Result<usize>) -> Result<(), End> {
    match read {
        Ok(0) | Err(_) => Err(End::Lost),
        Ok(_) => Ok(()),
    }
}
