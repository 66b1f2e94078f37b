//! Certificates as they go wrong, made for each test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use time::{Duration, OffsetDateTime};

/// What a server presents, and the authority that may be trusted.
pub(super) struct Chain {
    presented: Vec<CertificateDer<'static>>,
    key: KeyPair,
    authority: String,
}

impl Chain {
    pub(super) fn server(&self) -> rustls::ServerConfig {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(self.presented.clone(), key)
            .expect("a server")
    }

    /// The authority as a file.
    pub(super) fn file(&self, folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("authority.pem");
        std::fs::write(&path, &self.authority).expect("written");
        path
    }
}

fn params(name: &str, days: (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(days.0);
    params.not_after = now + Duration::days(days.1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(super) fn self_signed() -> Chain {
    let key = KeyPair::generate().expect("a key");
    let own = params("127.0.0.1", (-1, 90)).self_signed(&key).expect("signed");
    Chain { presented: vec![own.der().clone()], key, authority: own.pem() }
}

/// Root, intermediate and the server's own: for this name, valid on these days, with the intermediate or without.
pub(super) fn chain(name: &str, days: (i64, i64), whole: bool) -> Chain {
    let key = || KeyPair::generate().expect("a key");
    let root_key = key();
    let root = authority("Root of the test").self_signed(&root_key).expect("signed");
    let root_issuer = Issuer::new(authority("Root of the test"), root_key);
    let middle_key = key();
    let middle = authority("Intermediate of the test").signed_by(&middle_key, &root_issuer).expect("signed");
    let middle_issuer = Issuer::new(authority("Intermediate of the test"), middle_key);
    let own_key = key();
    let own = params(name, days).signed_by(&own_key, &middle_issuer).expect("signed");
    let mut presented = vec![own.der().clone()];
    if whole {
        presented.push(middle.der().clone());
    }
    Chain { presented, key: own_key, authority: root.pem() }
}
