//! Encrypted connections: rustls between the client and its socket. Certificates are always checked.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use postgres::Socket;
use postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use crate::error::MemoryError;

/// Encrypts connections.
#[derive(Clone)]
pub(super) struct Encrypt(Arc<ClientConfig>);

impl Encrypt {
    /// Believes the well-known certificates, or those in the file `own` alone.
    ///
    /// # Errors
    /// [`MemoryError::File`] and [`MemoryError::Invalid`] where the file cannot be read or has no certificate.
    pub(super) fn new(own: Option<&Path>) -> Result<Self, MemoryError> {
        let mut roots = RootCertStore::empty();
        match own {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let bytes = std::fs::read(path)
                    .map_err(|source| MemoryError::File { path: path.to_owned(), source })?;
                let wrong = || MemoryError::Invalid(format!("{}: no certificates in PEM", path.display()));
                for certificate in CertificateDer::pem_slice_iter(&bytes) {
                    roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
                }
                if roots.is_empty() {
                    return Err(wrong());
                }
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| MemoryError::Invalid(format!("TLS cannot be set up: {error}")))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }
}

impl MakeTlsConnect<Socket> for Encrypt {
    type Stream = Encrypted;
    type TlsConnect = To;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<To, Self::Error> {
        // Sockets in the file system have no name, and no TLS.
        let name = if host.is_empty() { "localhost" } else { host };
        Ok(To { connector: self.0.clone().into(), name: ServerName::try_from(name)?.to_owned() })
    }
}

/// A server to be connected to.
pub(super) struct To {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for To {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { Ok(Encrypted(self.connector.connect(self.name, socket).await?)) })
    }
}

/// An encrypted connection.
pub(super) struct Encrypted(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, to)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
