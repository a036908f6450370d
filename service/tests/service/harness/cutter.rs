//! A line between a client and a Redis that lets so many commands through and then is cut, so that a test ends a process
//! exactly between two of its steps.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::sync::Notify;

/// What all connections of a line share.
struct Shared {
    passed: AtomicUsize,
    most: AtomicUsize,
    cut: Notify,
    open: Mutex<Vec<TcpStream>>,
}

/// A line that is cut before the command after a number of them; those of all connections count together.
pub(crate) struct Cutter {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl Cutter {
    /// Leads to a port of this machine.
    pub(crate) fn to(port: u16, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own_port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            passed: AtomicUsize::new(0),
            most: AtomicUsize::new(most),
            cut: Notify::new(),
            open: Mutex::default(),
        });
        let inside = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Nobody there: it may come back.
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                inside.join(&client, &server);
            }
        });
        Self {
            port: own_port,
            shared,
        }
    }

    /// Lets through whatever comes from now on.
    pub(crate) fn mend(&self) {
        self.shared.most.store(usize::MAX, Ordering::SeqCst);
    }

    /// Waits until the line is cut.
    pub(crate) async fn is_cut(&self) {
        self.shared.cut.notified().await;
    }
}

impl Shared {
    fn join(self: &Arc<Self>, client: &TcpStream, server: &TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a socket");
        let (from, to) = (copy(client), copy(server));
        self.open
            .lock()
            .expect("a lock")
            .extend([copy(client), copy(server)]);
        let shared = Arc::clone(self);
        thread::spawn(move || shared.carry(from, to));
        let (mut from, mut to) = (copy(server), copy(client));
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }

    /// Carries commands one by one.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let (mut buffer, mut waiting) = (vec![0; 16 << 10], Vec::new());
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            waiting.extend_from_slice(&buffer[..count]);
            while let Some(length) = command(&waiting) {
                if self.passed.fetch_add(1, Ordering::SeqCst) >= self.most.load(Ordering::SeqCst) {
                    for stream in self.open.lock().expect("a lock").drain(..) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    self.cut.notify_one();
                    return;
                }
                let rest = waiting.split_off(length);
                if to.write_all(&waiting).is_err() {
                    return;
                }
                waiting = rest;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// How long the first command is: an array of strings, each after its length. `None` until it is whole.
fn command(bytes: &[u8]) -> Option<usize> {
    let mut position = 0;
    let mut number = |mark: u8, also: usize| {
        let line = &bytes[position..];
        let end = line.windows(2).position(|pair| pair == b"\r\n")?;
        assert_eq!(line[0], mark, "a client sends arrays of strings");
        let text = std::str::from_utf8(&line[1..end]).expect("digits");
        let number: usize = text.parse().expect("a number");
        let skipped = if also > 0 { number + also } else { 0 };
        position += end + 2 + skipped;
        (position <= bytes.len()).then_some((number, position))
    };
    let (strings, mut end) = number(b'*', 0)?;
    for _ in 0..strings {
        (_, end) = number(b'$', 2)?;
    }
    Some(end)
}
