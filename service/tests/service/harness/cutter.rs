//! A line between a client and a Redis that lets so many commands through and then is cut, so that a test ends a process
//! exactly between two of its steps.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::Notify;

#[path = "../../load/protocol.rs"]
#[allow(dead_code, reason = "drills read answers as well")]
mod protocol;

/// Whether a command is one that is meant.
pub(crate) type IsMeant = fn(&[u8]) -> bool;

/// How long answers are held back at most.
const HELD_FOR: Duration = Duration::from_secs(15);

/// How long a server takes to answer at most.
const ANSWERED: Duration = Duration::from_secs(1);

/// What all connections of a line share.
struct Shared {
    /// Answers are held back from the first of these commands until the second.
    hold: Option<(IsMeant, IsMeant)>,
    is_held: Mutex<bool>,
    let_go: Condvar,
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
        Self::new(port, most, None)
    }

    /// Is never cut, but holds all answers back from one command until another one has come.
    pub(crate) fn holding(port: u16, from: IsMeant, until: IsMeant) -> Self {
        Self::new(port, usize::MAX, Some((from, until)))
    }

    fn new(port: u16, most: usize, hold: Option<(IsMeant, IsMeant)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own_port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            hold,
            is_held: Mutex::new(false),
            let_go: Condvar::new(),
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
        let (from, to) = (copy(server), copy(client));
        let shared = Arc::clone(self);
        thread::spawn(move || shared.carry_answers(from, to));
    }

    fn carry_answers(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            let was_held = self.wait();
            let mut answers = buffer[..count].to_vec();
            // The answer to the command that ended it comes with those that were held.
            if was_held
                && from.set_read_timeout(Some(ANSWERED)).is_ok()
                && let Ok(more) = from.read(&mut buffer)
            {
                answers.extend_from_slice(&buffer[..more]);
            }
            let _ = from.set_read_timeout(None);
            if to.write_all(&answers).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Waits while answers are held back; tells whether they were.
    fn wait(&self) -> bool {
        let held = self.is_held.lock().expect("a lock");
        let was_held = *held;
        let held = self.let_go.wait_timeout_while(held, HELD_FOR, |held| *held);
        drop(held.expect("a lock"));
        was_held
    }

    /// Begins to hold answers back, or ends it.
    fn look(&self, command: &[u8]) {
        let Some((from, until)) = self.hold else {
            return;
        };
        let mut held = self.is_held.lock().expect("a lock");
        *held = if *held { !until(command) } else { from(command) };
        self.let_go.notify_all();
    }

    /// Carries commands one by one.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let (mut buffer, mut waiting) = (vec![0; 16 << 10], Vec::new());
        while let Ok(count) = from.read(&mut buffer)
            && count > 0
        {
            waiting.extend_from_slice(&buffer[..count]);
            while let Some((_, length)) = protocol::command(&waiting) {
                if self.passed.fetch_add(1, Ordering::SeqCst) >= self.most.load(Ordering::SeqCst) {
                    for stream in self.open.lock().expect("a lock").drain(..) {
                        let _ = stream.shutdown(Shutdown::Both);
                    }
                    self.cut.notify_one();
                    return;
                }
                let rest = waiting.split_off(length);
                self.look(&waiting);
                if to.write_all(&waiting).is_err() {
                    return;
                }
                waiting = rest;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}
