//! A line between a client and a server of HTTP/1.1 at which the server dies at one request: all connections end there, and
//! nobody answers any more, or a successor at once.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// How far the request comes at which it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The server never hears of it.
    Unheard,
    /// The server hears half of it.
    HalfHeard,
    /// The server does it, and the client never hears of that.
    Unanswered,
    /// The server does it, and the client hears half of the answer.
    HalfAnswered,
}

/// When it dies, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    /// Requests before that; those of all connections count together.
    pub(crate) after: usize,
    pub(crate) death: Death,
    /// Whether a successor answers at once.
    pub(crate) has_successor: bool,
}

/// The line.
pub(crate) struct Mortal {
    /// `HOST:PORT`.
    pub(crate) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    fate: Fate,
    requests: AtomicUsize,
    has_died: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Mortal {
    /// Leads to `HOST:PORT`.
    pub(crate) fn to(server: &str, fate: Fate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            fate,
            requests: AtomicUsize::new(0),
            has_died: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let connection = Arc::clone(&inside);
                thread::spawn(move || connection.serve(&client));
            }
        });
        Self { address, shared }
    }

    /// Whether it came to that.
    pub(crate) fn has_died(&self) -> bool {
        self.shared.has_died.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// One connection, whose requests come one after the other.
    fn serve(&self, client: &TcpStream) -> Option<()> {
        let server = TcpStream::connect(&self.server).ok()?;
        {
            let mut open = self.open.lock().expect("a lock");
            // With the lock held: whoever kills sees this connection, or this sees that it is over.
            if self.has_died.load(Ordering::SeqCst) && !self.fate.has_successor {
                return None;
            }
            open.extend([client.try_clone().ok()?, server.try_clone().ok()?]);
        }
        let (mut requests, mut answers) = (BufReader::new(client), BufReader::new(&server));
        while let Some(request) = message(&mut requests, false) {
            let dies = self.requests.fetch_add(1, Ordering::SeqCst) == self.fate.after;
            let death = Some(self.fate.death).filter(|_| dies);
            match death {
                Some(Death::Unheard) => return self.die(),
                Some(Death::HalfHeard) => {
                    (&server).write_all(&request[..request.len() / 2]).ok()?;
                    return self.die();
                }
                _ => (&server).write_all(&request).ok()?,
            }
            let answer = message(&mut answers, request.starts_with(b"HEAD "))?;
            match death {
                Some(Death::Unanswered) => return self.die(),
                Some(Death::HalfAnswered) => {
                    let mut client = client;
                    client.write_all(&answer[..answer.len() / 2]).ok()?;
                    return self.die();
                }
                _ => {
                    let mut client = client;
                    client.write_all(&answer).ok()?;
                }
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        None
    }

    fn die(&self) -> Option<()> {
        let mut open = self.open.lock().expect("a lock");
        self.has_died.store(true, Ordering::SeqCst);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        None
    }
}

/// The next request or answer as a whole; `None` at the end of the connection.
fn message(from: &mut impl BufRead, is_answer_to_head: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut length, mut in_chunks) = (0, false);
    loop {
        let line = line(from, &mut bytes)?.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        } else if let Some(value) = line.strip_prefix("transfer-encoding:") {
            in_chunks = value.trim() == "chunked";
        } else if line.trim().is_empty() {
            break;
        }
    }
    if is_answer_to_head {
        return Some(bytes);
    }
    if !in_chunks {
        more(from, length, &mut bytes)?;
        return Some(bytes);
    }
    loop {
        let size = line(from, &mut bytes)?;
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        // With the end of its line.
        more(from, size + 2, &mut bytes)?;
        if size == 0 {
            return Some(bytes);
        }
    }
}

fn line(from: &mut impl BufRead, to: &mut Vec<u8>) -> Option<String> {
    let begin = to.len();
    from.read_until(b'\n', to).ok().filter(|count| *count > 0)?;
    Some(String::from_utf8_lossy(&to[begin..]).into_owned())
}

fn more(from: &mut impl Read, length: usize, to: &mut Vec<u8>) -> Option<()> {
    let read = from.take(length as u64).read_to_end(to).ok()?;
    (read == length).then_some(())
}
