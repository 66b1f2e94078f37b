//! Reaching a PostgreSQL by its URL: TLS wherever the host is not this machine, and no part of the URL in any message.
//!
//! Must not know: any other module, what is asked there.

use postgres::{
    Client, NoTls,
    config::{Config, Host, SslMode},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// The settings that a URL names.
///
/// # Errors
/// In words, without any part of the URL: the parser's own may hold a part of the password.
pub(crate) fn config(url: &str) -> Result<Config, String> {
    let mut config: Config = url.parse().map_err(|_| {
        let like = "postgresql://user:password@host:5432/database?sslmode=require";
        format!(
            "the URL of the database does not read; it should look like {like} (special characters as %40), \
             and `sslmode` is disable, prefer or require"
        )
    })?;
    config.application_name("hookdrill");
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    // A peer that has vanished without a word is noticed in seconds.
    config.tcp_user_timeout(Duration::from_secs(15)).keepalives_idle(Duration::from_secs(15));
    Ok(config)
}

/// Connects, with TLS where the URL or the host ask for it.
///
/// # Errors
/// In words, without the URL.
pub(crate) fn connect(url: &str, root_certificates: Option<&Path>) -> Result<Client, String> {
    let mut config = config(url)?;
    let over_tls = match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Require => true,
        // Nobody listens between two processes of one machine; over a network nothing is sent in the clear unasked.
        _ => !is_local(&config),
    };
    let connected = if over_tls {
        config.ssl_mode(SslMode::Require);
        config.connect(MakeRustlsConnect::new(tls(root_certificates)?))
    } else {
        config.ssl_mode(SslMode::Disable);
        config.connect(NoTls)
    };
    connected.map_err(|error| unreachable(&error, over_tls))
}

/// The password of a URL, as it is and as it is escaped there.
pub(crate) fn passwords(url: &str) -> Vec<String> {
    let escaped =
        url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).and_then(|(user, _)| user.split_once(':'));
    let parsed: Option<Config> = url.parse().ok();
    let plain = parsed.as_ref().and_then(Config::get_password).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    plain.into_iter().chain(escaped.map(|(_, password)| password.to_owned())).collect()
}

/// Hosts of a URL that are not this machine.
pub(crate) fn far_hosts(config: &Config) -> Vec<String> {
    let named = config.get_hosts().iter().filter_map(|host| match host {
        Host::Tcp(name) => (!is_loopback(name)).then(|| name.clone()),
        #[cfg(unix)]
        Host::Unix(_) => None,
    });
    let addresses = config.get_hostaddrs().iter().filter(|ip| !ip.is_loopback()).map(ToString::to_string);
    named.chain(addresses).collect()
}

/// Whether every host of the URL is this machine.
pub(crate) fn is_local(config: &Config) -> bool {
    far_hosts(config).is_empty()
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn tls(root_certificates: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match root_certificates {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unread = |why: String| format!("read certificates from {}: {why}", path.display());
            let found = CertificateDer::pem_file_iter(path).map_err(|error| unread(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| unread(error.to_string()))?;
                roots.add(certificate).map_err(|error| unread(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unread("it holds none".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no connection, without the URL.
fn unreachable(error: &postgres::Error, tls: bool) -> String {
    let hint = if tls { " (over TLS; `sslmode=disable` in the URL goes without)" } else { "" };
    format!("cannot connect to PostgreSQL{hint}: {}", said(error))
}

/// What a server or a connection says, without the text of a statement.
pub(crate) fn said(error: &postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{}: {}", db.code().code(), db.message());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The client runs an event loop of its own; neither opening nor closing one is allowed on a thread that drives another.
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear_unasked() {
        for (url, local) in [
            ("postgres://u@localhost/d", true),
            ("postgres://u@127.0.0.1/d", true),
            ("postgres://u@[::1]/d", true),
            ("postgres://u@%2Frun%2Fpostgresql/d", true),
            ("postgres://u@db.example.com/d", false),
            ("postgres://u@localhost,db.example.com/d", false),
            ("host=localhost hostaddr=10.0.0.1 user=u", false),
        ] {
            assert_eq!(is_local(&config(url).expect(url)), local, "{url}");
        }
    }
}
