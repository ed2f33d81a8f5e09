//! Addresses of memories in Postgres: `postgres://user@host/database`, with options behind a question mark.

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use postgres::Config;
use postgres::config::{Host, SslMode};

use crate::error::MemoryError;

/// The schema that holds a memory unless another is named.
const SCHEMA: &str = "loci";

/// How long a server is waited for that does not answer, unless the address says.
const CONNECT: Duration = Duration::from_secs(10);

/// How vectors are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// All of a scope are compared.
    Exact,
    /// By pgvector's graph of near vectors, which misses some.
    Hnsw,
}

/// Where a memory lies, and how it is reached.
#[derive(Clone)]
pub(super) struct Address {
    /// What the server is told.
    pub(super) config: Config,
    /// The schema of the memory's tables.
    pub(super) schema: String,
    /// How vectors are searched.
    pub(super) search: Search,
    /// A file with certificates to believe instead of the well-known ones.
    pub(super) certificates: Option<PathBuf>,
}

impl Address {
    /// Takes an address apart: what is for the client, and the options that are ours (`schema`, `vectors`, `sslrootcert`).
    /// `password` is used where the address has none.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] for one that cannot be understood. It never repeats the address, which may hold a password.
    pub(super) fn parse(text: &str, password: Option<&str>) -> Result<Self, MemoryError> {
        let invalid = |why: String| {
            Err(MemoryError::Invalid(format!(
                "the address of the memory cannot be understood: {why}; write it as postgres://user@host/database"
            )))
        };
        let (base, options) = text.split_once('?').unwrap_or((text, ""));
        let (mut schema, mut search, mut certificates) = (SCHEMA.to_owned(), Search::Exact, None);
        let mut others = Vec::new();
        for option in options.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("schema", name)) => schema = name.to_owned(),
                Some(("vectors", "exact")) => search = Search::Exact,
                Some(("vectors", "hnsw")) => search = Search::Hnsw,
                Some(("vectors", other)) => {
                    return invalid(format!("vectors={other} is neither exact nor hnsw"));
                }
                Some(("sslrootcert", path)) => certificates = Some(PathBuf::from(path)),
                // Certificates are checked whenever there is TLS: what the others ask for beyond it is done anyway.
                Some(("sslmode", "verify-ca" | "verify-full")) => others.push("sslmode=require"),
                _ => others.push(option),
            }
        }
        let plain =
            |c: char, first: bool| c.is_ascii_lowercase() || c == '_' || (!first && c.is_ascii_digit());
        let name = schema.char_indices().all(|(at, c)| plain(c, at == 0));
        if !name || schema.is_empty() || schema.len() > 63 || schema.starts_with("pg_") {
            return invalid(format!(
                "schema={schema} is no name of a schema: small letters, digits and _, 63 at most, not beginning with pg_"
            ));
        }
        let rest = match others.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", others.join("&")),
        };
        let mut config = match Config::from_str(&rest) {
            Ok(config) => config,
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                return invalid(cause.unwrap_or_else(|| error.to_string()));
            }
        };
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return invalid("it names no host".to_owned());
        }
        if config.get_password().is_none()
            && let Some(password) = password
        {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        config.application_name("loci");
        Ok(Self { config, schema, search, certificates })
    }

    /// The address for people: never with the password.
    pub(super) fn shown(&self) -> String {
        let mut shown = "postgres://".to_owned();
        if let Some(user) = self.config.get_user() {
            let _infallible = write!(shown, "{user}@");
        }
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .enumerate()
            .map(|(at, host)| {
                let host = match host {
                    Host::Tcp(name) => name.clone(),
                    #[cfg(unix)]
                    Host::Unix(path) => path.display().to_string().replace('/', "%2F"),
                };
                match self.config.get_ports().get(at).or(self.config.get_ports().first()) {
                    Some(port) if *port != 5432 => format!("{host}:{port}"),
                    _ => host,
                }
            })
            .collect();
        let _infallible =
            write!(shown, "{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default());
        if self.schema != SCHEMA {
            let _infallible = write!(shown, "?schema={}", self.schema);
        }
        shown
    }

    /// Whether a connection may be encrypted.
    pub(super) fn may_encrypt(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_and_shown_without_its_password() {
        let address = Address::parse(
            "postgres://anna:s3cret@db.example:6000/notes?schema=a_1&vectors=hnsw&sslmode=verify-full&sslrootcert=/ca.pem",
            Some("other"),
        )
        .unwrap();
        assert_eq!(address.shown(), "postgres://anna@db.example:6000/notes?schema=a_1");
        assert_eq!((address.schema.as_str(), address.search), ("a_1", Search::Hnsw));
        assert_eq!(address.certificates, Some(PathBuf::from("/ca.pem")));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(address.config.get_password(), Some(&b"s3cret"[..]));
        let socket = Address::parse("postgresql://me@%2Frun%2Fpg/x?sslmode=disable", Some("pw")).unwrap();
        assert_eq!(socket.shown(), "postgres://me@%2Frun%2Fpg/x");
        assert!(socket.config.get_password() == Some(&b"pw"[..]) && !socket.may_encrypt());
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for (wrong, why) in [
            ("postgres://a:s3cret@h/x?schema=A", "no name of a schema"),
            ("postgres://a:s3cret@h/x?schema=pg_x", "no name of a schema"),
            ("postgres://a:s3cret@h/x?schema=", "no name of a schema"),
            ("postgres://a:s3cret@h/x?vectors=ivf", "neither exact nor hnsw"),
            ("postgres://a:s3cret@h/x?nonsense=1", "nonsense"),
            ("postgres://a:s3cret@h/x?sslmode=maybe", "sslmode"),
            ("postgres://a:s3cret@h:port/x", "port"),
            ("postgres:///x", "no host"),
        ] {
            let said = Address::parse(wrong, None).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(why) && !said.contains("s3cret"), "{wrong}: {said}");
        }
    }
}
