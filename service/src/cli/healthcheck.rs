//! Asks a service on this machine whether it lives. The image has no other client to ask with.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::routes::LIVENESS;

const PATIENCE: Duration = Duration::from_secs(2);

/// Asks once, over TLS where the service is set to speak it.
///
/// # Errors
/// When nobody answers in time, or not with 200.
pub fn run(address: SocketAddr, tls: bool) -> io::Result<()> {
    let connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    if !tls {
        return ask(connection, address);
    }
    let provider = Arc::new(default_provider());
    let settings = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let session = ClientConnection::new(Arc::new(settings), name).map_err(io::Error::other)?;
    ask(StreamOwned::new(session, connection), address)
}

fn ask(mut connection: impl Read + Write, address: SocketAddr) -> io::Result<()> {
    write!(
        connection,
        "GET {LIVENESS} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    connection.flush()?;
    const WANTED: &[u8] = b"HTTP/1.1 200 ";
    let mut status = [0; WANTED.len()];
    connection.read_exact(&mut status)?;
    if status == WANTED {
        Ok(())
    } else {
        Err(io::Error::other("the service does not answer with 200"))
    }
}

/// Takes whatever certificate there is. It names the address that buyers know and never this machine, and nothing
/// secret is said: the question is only whether anybody answers.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
