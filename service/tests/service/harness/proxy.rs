//! A line between a client and a server that lets so many bytes through and then holds everything back, so
//! that a test stops a process exactly in the middle of what it sends.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A line that holds after a number of bytes.
pub(crate) struct Line {
    pub(crate) port: u16,
    held: Arc<(Mutex<bool>, Condvar)>,
    passed: Arc<AtomicUsize>,
}

impl Line {
    /// Leads to a port of this machine; bytes of all connections count together, towards the server only.
    pub(crate) fn to(port: u16, holds_after: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own_port = listener.local_addr().expect("an address").port();
        let held = Arc::new((Mutex::new(false), Condvar::new()));
        let passed = Arc::new(AtomicUsize::new(0));
        let (held_inside, passed_inside) = (Arc::clone(&held), Arc::clone(&passed));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    return;
                };
                let (held, passed) = (Arc::clone(&held_inside), Arc::clone(&passed_inside));
                let (from, to) = (
                    client.try_clone().expect("a socket"),
                    server.try_clone().expect("a socket"),
                );
                thread::spawn(move || carry(from, to, &passed, holds_after, &held));
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &server, &mut &client);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self {
            port: own_port,
            held,
            passed,
        }
    }

    /// Waits until the line holds; false when it never did.
    pub(crate) fn wait_until_held(&self) -> bool {
        let (held, changed) = &*self.held;
        let guard = held.lock().expect("a lock");
        // A large import takes ten seconds in a build without optimisation, and more on a busy machine.
        let patience = std::time::Duration::from_secs(60);
        let (guard, _) = changed
            .wait_timeout_while(guard, patience, |held| !*held)
            .expect("a lock");
        *guard
    }

    /// Bytes that reached the server.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }
}

fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    passed: &AtomicUsize,
    holds_after: usize,
    held: &(Mutex<bool>, Condvar),
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count) = from.read(&mut buffer)
        && count > 0
    {
        if passed.load(Ordering::SeqCst) + count > holds_after {
            *held.0.lock().expect("a lock") = true;
            held.1.notify_all();
            // Keeps the connection open: the client waits for an answer that does not come.
            let mut rest = Vec::new();
            let _ = from.read_to_end(&mut rest);
            return;
        }
        passed.fetch_add(count, Ordering::SeqCst);
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
