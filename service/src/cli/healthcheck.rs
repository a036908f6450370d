//! Asks a service on this machine whether it lives. The image has no other client to ask with.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::routes::LIVENESS;

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks once.
///
/// # Errors
/// When nobody answers in time, or not with 200.
pub fn run(address: SocketAddr) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    write!(
        connection,
        "GET {LIVENESS} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    const WANTED: &[u8] = b"HTTP/1.1 200 ";
    let mut status = [0; WANTED.len()];
    connection.read_exact(&mut status)?;
    if status == WANTED {
        Ok(())
    } else {
        Err(io::Error::other("the service does not answer with 200"))
    }
}
