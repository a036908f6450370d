//! The line between pods and Redis. It carries one command after the other and the answer to each, and stops at the step
//! that it was told of, so that something can be killed exactly there.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::steps::Step;
use crate::protocol::{answer, command};

/// Between two looks whether somebody who has said something already is gone.
const LOOK: Duration = Duration::from_millis(20);

/// On which side of a command to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The server has not seen it.
    Before,
    /// The server has done it, and whoever sent it does not know.
    Unanswered,
}

/// Where to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// Only after this one.
    pub(crate) after: Option<Step>,
    /// At this one,
    pub(crate) at: Step,
    /// so many of them, counted from 1.
    pub(crate) nth: usize,
    pub(crate) side: Side,
}

/// How a command goes on at which the line stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As if nothing had happened.
    GoOn,
    /// Not at all: the connection ends.
    Cut,
}

/// A command at which the line stopped.
pub(crate) struct Held {
    /// How many commands went over the line since it was told where to stop, those of everybody.
    pub(crate) commands: usize,
    release: oneshot::Sender<Verdict>,
}

impl Held {
    pub(crate) fn release(self, verdict: Verdict) {
        let _ = self.release.send(verdict);
    }
}

struct Armed {
    stop: Stop,
    is_after: bool,
    seen: usize,
    commands: usize,
    tell: oneshot::Sender<Held>,
}

/// A line that leads to a server of this machine.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    armed: Arc<Mutex<Option<Armed>>>,
}

impl Line {
    /// Listens where pods reach it.
    pub(crate) async fn to(port: u16, host: IpAddr) -> Self {
        let listener = TcpListener::bind((host, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let armed: Arc<Mutex<Option<Armed>>> = Arc::default();
        let shared = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, Arc::clone(&shared)));
            }
        });
        Self { address, armed }
    }

    /// Stops at that place, once.
    pub(crate) fn arm(&self, stop: Stop) -> oneshot::Receiver<Held> {
        let (tell, told) = oneshot::channel();
        let armed = Armed {
            stop,
            is_after: stop.after.is_none(),
            seen: 0,
            commands: 0,
            tell,
        };
        *self.armed.lock().expect("a lock") = Some(armed);
        told
    }

    /// Stops nowhere any more.
    pub(crate) fn disarm(&self) {
        *self.armed.lock().expect("a lock") = None;
    }
}

/// Until either end is gone.
async fn carry(mut client: TcpStream, port: u16, armed: Arc<Mutex<Option<Armed>>>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    loop {
        let Some((words, length)) = take(&mut client, &mut server, &mut asked, command).await else {
            return;
        };
        let step = Step::of(&words);
        let stop = |side| step.and_then(|step| stops(&armed, step, side));
        note(&armed, step);
        if let Some(held) = stop(Side::Before)
            && held.await != Ok(Verdict::GoOn)
        {
            return;
        }
        let rest = asked.split_off(length);
        if server.write_all(&asked).await.is_err() {
            return;
        }
        asked = rest;
        if words[0].to_ascii_uppercase().ends_with(b"SUBSCRIBE") {
            // From here on the server speaks first.
            if server.write_all(&asked).await.is_ok() {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
            return;
        }
        let whole = |bytes: &[u8]| answer(bytes).map(|length| ((), length));
        let Some(((), length)) = take(&mut server, &mut client, &mut answered, whole).await else {
            return;
        };
        // A script that the server does not know yet has done nothing.
        if !answered.starts_with(b"-")
            && let Some(held) = stop(Side::Unanswered)
            && held.await != Ok(Verdict::GoOn)
        {
            return;
        }
        let rest = answered.split_off(length);
        if client.write_all(&answered).await.is_err() {
            return;
        }
        answered = rest;
    }
}

/// Reads until there is a whole one; `None` when this end is gone, or the other one meanwhile.
async fn take<T>(
    from: &mut TcpStream,
    other: &mut TcpStream,
    waiting: &mut Vec<u8>,
    whole: impl Fn(&[u8]) -> Option<(T, usize)>,
) -> Option<(T, usize)> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if !waiting.is_empty()
            && let Some(found) = whole(waiting)
        {
            return Some(found);
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = is_gone(other) => return None,
        };
        match read {
            Ok(count) if count > 0 => waiting.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
    }
}

/// Waits until the peer has closed; what it sends meanwhile stays where it is.
async fn is_gone(stream: &mut TcpStream) {
    let mut one = [0];
    loop {
        match stream.peek(&mut one).await {
            Ok(0) | Err(_) => return,
            // It has something to say before its turn.
            Ok(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Counts a command before it goes on.
fn note(armed: &Mutex<Option<Armed>>, step: Option<Step>) {
    if let Some(armed) = armed.lock().expect("a lock").as_mut() {
        armed.commands += 1;
        armed.is_after = armed.is_after || (step.is_some() && step == armed.stop.after);
    }
}

/// What to wait for, when it is here that the line is to stop.
fn stops(armed: &Mutex<Option<Armed>>, step: Step, side: Side) -> Option<oneshot::Receiver<Verdict>> {
    let mut guard = armed.lock().expect("a lock");
    let here = guard.as_mut()?;
    if !here.is_after || here.stop.at != step || here.stop.side != side {
        return None;
    }
    here.seen += 1;
    if here.seen < here.stop.nth {
        return None;
    }
    let (release, released) = oneshot::channel();
    let Armed { commands, tell, .. } = guard.take()?;
    tell.send(Held { commands, release }).ok()?;
    Some(released)
}
