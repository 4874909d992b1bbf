//! Reads HTTP/1.1 replies to their last byte and keeps nothing of them: ten thousand clients must not cost more than
//! the server that they measure.

use thiserror::Error;

/// Bytes of a response head.
const HEAD: usize = 16 << 10;
const FIELDS: usize = 64;

/// Why a reply could not be read. The connection cannot be used further.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Error {
    /// The head is not HTTP, or is too long.
    #[error("the reply has no head that HTTP/1.1 would allow")]
    Head,
    /// Without a length the end of the body cannot be told.
    #[error("the reply has neither Content-Length nor chunks, so its end cannot be told")]
    NoLength,
    /// A chunk does not begin or end as chunks do.
    #[error("the chunks of the reply are malformed (RFC 9112 7.1)")]
    Chunk,
}

/// A reply that is being read. Feed it with bytes until it is [`Reply::ended`].
#[derive(Debug, Default)]
pub(crate) struct Reply {
    state: State,
    /// HTTP status, once the head was read.
    pub(crate) status: u16,
    /// Bytes of the body so far, without the framing of chunks.
    pub(crate) body: u64,
}

#[derive(Debug)]
enum State {
    /// What came of the head, if it did not come all at once.
    Head(Vec<u8>),
    /// So many bytes of the body are missing.
    Length(u64),
    /// In the line of a chunk's size, or in one of the trailer's.
    Line {
        text: Vec<u8>,
        trailer: bool,
    },
    /// So many bytes of the chunk are missing, its CRLF included.
    Chunk(u64),
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl Reply {
    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes what was received. Nothing may follow a reply that has ended, as nothing more was asked for.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Head(_) => self.head(bytes)?,
                State::Length(missing) => {
                    let taken = bytes.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                    self.body += taken as u64;
                    *missing -= taken as u64;
                    if *missing == 0 {
                        self.state = State::Ended;
                    }
                    &bytes[taken..]
                }
                State::Line { .. } => self.line(bytes)?,
                State::Chunk(missing) => {
                    let taken = bytes.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                    // The last two bytes are CRLF.
                    let data = missing.saturating_sub(2).min(taken as u64);
                    self.body += data;
                    *missing -= taken as u64;
                    if *missing == 0 {
                        self.state = State::Line { text: Vec::new(), trailer: false };
                    }
                    &bytes[taken..]
                }
                State::Ended => return Err(Error::Chunk),
            };
        }
        Ok(())
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Error> {
        let State::Head(kept) = &mut self.state else { return Ok(bytes) };
        let before = kept.len();
        let parsed = if before == 0 {
            parse_head(bytes)?
        } else {
            kept.extend_from_slice(bytes);
            parse_head(kept)?
        };
        match parsed {
            Some(head) => {
                self.status = head.status;
                self.state = head.body;
                Ok(&bytes[head.length - before..])
            }
            None => {
                if before == 0 {
                    kept.extend_from_slice(bytes);
                }
                if kept.len() > HEAD { Err(Error::Head) } else { Ok(&[]) }
            }
        }
    }

    fn line<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Error> {
        let State::Line { text, trailer } = &mut self.state else { return Ok(bytes) };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        text.extend_from_slice(&bytes[..taken]);
        if text.len() > HEAD {
            return Err(Error::Chunk);
        }
        if end.is_some() {
            let line = text.strip_suffix(b"\r\n").ok_or(Error::Chunk)?;
            self.state = match (*trailer, line.is_empty()) {
                (true, true) => State::Ended,
                (true, false) => State::Line { text: Vec::new(), trailer: true },
                (false, _) => match chunk_size(line)? {
                    0 => State::Line { text: Vec::new(), trailer: true },
                    size => State::Chunk(size + 2),
                },
            };
        }
        Ok(&bytes[taken..])
    }
}

struct Head {
    status: u16,
    length: usize,
    body: State,
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Error::Head),
    };
    let field = |name: &str| {
        let found = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let body = if field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        State::Line { text: Vec::new(), trailer: false }
    } else {
        match field("content-length").and_then(|length| length.parse().ok()).ok_or(Error::NoLength)? {
            0 => State::Ended,
            length => State::Length(length),
        }
    };
    Ok(Some(Head { status: response.code.unwrap_or_default(), length, body }))
}

fn chunk_size(line: &[u8]) -> Result<u64, Error> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let text = std::str::from_utf8(digits).map_err(|_| Error::Chunk)?;
    u64::from_str_radix(text, 16).ok().filter(|&size| size < 1 << 40).ok_or(Error::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Reply, Error> {
        let mut reply = Reply::default();
        for piece in pieces {
            assert!(!reply.ended(), "ended too early");
            reply.feed(piece.as_ref())?;
        }
        Ok(reply)
    }

    #[test]
    fn replies_are_read_to_their_last_byte_however_they_are_cut() {
        for (text, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 0),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", 6),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\nA: b\r\n\r\n", 0),
        ] {
            for size in 1..=text.len() {
                let reply = read(text.as_bytes().chunks(size)).unwrap();
                assert_eq!((reply.ended(), reply.status, reply.body), (true, 200, body), "{size}: {text:?}");
            }
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_has_not_ended() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ] {
            assert!(!read([text]).unwrap().ended(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for (text, error) in [
            ("hello there, this is no HTTP\r\n\r\n", Error::Head),
            ("HTTP/1.1 200 OK\r\n\r\n", Error::NoLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", Error::Chunk),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Error::Chunk),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\n", Error::Chunk),
        ] {
            assert_eq!(read([text]).unwrap_err(), error, "{text:?}");
        }
        let endless = [b"HTTP/1.1 200 OK\r\n".as_slice(), &b"A: b\r\n".repeat(1000), &b"x".repeat(20_000)];
        assert_eq!(read(endless).unwrap_err(), Error::Head);
    }
}
