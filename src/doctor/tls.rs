//! One handshake, looked at: which certificates come, whether a sender that verifies would go on. A shell: it owns a socket.
//!
//! Must not know: HTTP, what is found from it.

use super::seen::{Certificate, TlsLook, TlsTrouble};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpStream;
use x509_cert::{
    der::{Decode, Encode},
    name::Name,
};

/// Why authorities cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read authorities from {path}: {what}")]
pub struct AuthorityError {
    path: String,
    what: String,
}

/// The public authorities, and those of a file.
///
/// # Errors
/// [`AuthorityError`] when the file cannot be read or holds none.
pub fn authorities(file: Option<&Path>) -> Result<RootCertStore, AuthorityError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = file else { return Ok(roots) };
    let wrong = |what: String| AuthorityError { path: path.display().to_string(), what };
    let mut added = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(wrong("there is no certificate in it; it is to be PEM".to_owned()));
    }
    Ok(roots)
}

/// A configuration that verifies as any careful client does.
pub fn verifying(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

/// Looks at the handshake. `None` when there is no connection to shake hands on: the first request says why.
pub async fn look(host: &str, port: u16, roots: RootCertStore, timeout: Duration) -> Option<TlsLook> {
    let host = host.trim_matches(['[', ']']);
    let stream = tokio::time::timeout(timeout, TcpStream::connect((host, port))).await.ok()?.ok()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let kept = Arc::new(Kept::new(roots)?);
    let mut config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&kept) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    config.enable_sni = true;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let shaken = match tokio::time::timeout(timeout, connector.connect(name, stream)).await {
        Ok(shaken) => shaken,
        Err(_) => {
            let words = format!("no handshake within {} ms", timeout.as_millis());
            return Some(TlsLook { trouble: Some(TlsTrouble::Broken), words, ..TlsLook::default() });
        }
    };
    let (chain, verdict) = kept.seen.lock().ok().and_then(|mut seen| seen.take()).unwrap_or_default();
    let certificates: Vec<Certificate> = chain.iter().filter_map(|der| certificate(der)).collect();
    let version = shaken.as_ref().ok().and_then(|stream| stream.get_ref().1.protocol_version());
    let version =
        version.and_then(|version| version.as_str()).map(|text| text.replace("TLSv", "TLS ").replace('_', "."));
    let (trouble, words) = match (&shaken, &verdict) {
        (Ok(_), None) => (None, "verified".to_owned()),
        (Ok(_), Some(error)) => (Some(of_verdict(error, &certificates)), error.to_string()),
        (Err(error), _) => (Some(of_handshake(error)), format!("no handshake: {error}")),
    };
    Some(TlsLook { version, certificates, trouble, words })
}

fn of_verdict(error: &Error, chain: &[Certificate]) -> TlsTrouble {
    let Error::InvalidCertificate(why) = error else { return TlsTrouble::Broken };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsTrouble::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsTrouble::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsTrouble::WrongName,
        // Which of both it is only the certificates tell.
        _ => match chain {
            [own] if own.is_self_signed() => TlsTrouble::SelfSigned,
            [_] => TlsTrouble::IncompleteChain,
            [..] => TlsTrouble::UnknownAuthority,
        },
    }
}

fn of_handshake(error: &std::io::Error) -> TlsTrouble {
    let text = error.to_string().to_lowercase();
    let too_old =
        ["protocolversion", "protocol version", "tls12notoffered", "serverdoesnotsupporttls12or13", "handshakefailure"];
    let squeezed = text.replace([' ', '_'], "");
    match too_old.iter().any(|word| squeezed.contains(&word.replace(' ', ""))) {
        true => TlsTrouble::TooOld,
        false => TlsTrouble::Broken,
    }
}

fn certificate(der: &CertificateDer<'_>) -> Option<Certificate> {
    let parsed = x509_cert::Certificate::from_der(der.as_ref()).ok()?;
    let tbs = &parsed.tbs_certificate;
    let seconds = |time: &x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Some(Certificate {
        subject: named(&tbs.subject),
        issuer: named(&tbs.issuer),
        not_before: seconds(&tbs.validity.not_before),
        not_after: seconds(&tbs.validity.not_after),
    })
}

/// A name as people write it; one without words by its bytes, so that two are not taken for the same.
fn named(name: &Name) -> String {
    let text: String = name.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    if text.is_empty() { hex::encode(name.to_der().unwrap_or_default()) } else { text }
}

/// What was presented, and what a verifier says of it.
type Presented = (Vec<CertificateDer<'static>>, Option<Error>);

/// Verifies, keeps what was presented, and lets the handshake go on: nothing but this look is sent over it.
#[derive(Debug)]
struct Kept {
    inner: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Presented>>,
}

impl Kept {
    fn new(roots: RootCertStore) -> Option<Self> {
        let inner = WebPkiServerVerifier::builder(Arc::new(roots)).build().ok()?;
        Some(Self { inner, seen: Mutex::new(None) })
    }
}

impl ServerCertVerifier for Kept {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now).err();
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some((chain, verdict));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
