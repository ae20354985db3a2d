//! A database elsewhere is reached by verified TLS: real handshakes with a PostgreSQL of the test's own, under a name that
//! is not this machine's (ASVS 12.3.2, 12.3.4).
//!
//! The URL says nothing of TLS; what is tested is what happens by default.

use crate::support::process::{Process, portcullis};
use crate::support::project;
use crate::support::server::cluster::{Cluster, available};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const NAME: &str = "db.example";

/// A certificate authority in a folder.
struct Authority(TempDir);

impl Authority {
    /// A new one; nothing without the program that makes certificates, which comes with Debian's root certificates.
    fn new() -> Option<Self> {
        let authority = Self(TempDir::new().unwrap());
        let make =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=Test";
        authority.openssl(make).then_some(authority)
    }

    fn openssl(&self, arguments: &str) -> bool {
        let run = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output();
        run.inspect_err(|error| eprintln!("openssl: {error}")).is_ok_and(|run| run.status.success())
    }

    fn root(&self) -> std::path::PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The certificate and key for a host, valid for so many days from now.
    fn certificate(&self, host: &str, days: i32) -> (String, String) {
        let request = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout host.key -out host.csr -subj /CN=host";
        assert!(self.openssl(request));
        std::fs::write(self.0.path().join("names"), format!("subjectAltName=DNS:{host}\n")).unwrap();
        let sign =
            format!("x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out host.pem -days {days} -extfile names");
        assert!(self.openssl(&sign));
        let text = |file: &str| std::fs::read_to_string(self.0.path().join(file)).unwrap();
        (text("host.pem"), text("host.key"))
    }
}

/// Gives the server a certificate, in the form in which it demands to have the key.
fn install(cluster: &Cluster, (certificate, key): (String, String)) {
    for (file, text) in [("server.crt", certificate), ("server.key", key)] {
        // As a program of the server, so that the file is its own and nobody else reads it.
        let lines = format!("SELECT unnest(string_to_array(trim('{text}', E'\\n'), E'\\n'))");
        cluster.sql("postgres", &format!("COPY ({lines}) TO PROGRAM 'umask 077 && cat >{file}'")).unwrap();
    }
    cluster.sql("postgres", "ALTER SYSTEM SET ssl = on").unwrap();
    cluster.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    cluster.down().unwrap();
    cluster.up().unwrap();
}

/// The same database under a name that is not this machine's.
fn elsewhere(url: &str) -> String {
    format!("{}?hostaddr=127.0.0.1", url.replacen("127.0.0.1", NAME, 1))
}

/// A command that trusts this root and no other.
fn trusting(root: &Path, data: &Path, urls: &(String, String), arguments: &[&str]) -> Command {
    let mut command = portcullis(arguments);
    command
        .current_dir(data)
        .env("SSL_CERT_FILE", root)
        .env_remove("SSL_CERT_DIR")
        .env("PORTCULLIS_APP", project("tests/apps/library"))
        .env("PORTCULLIS_DATA", data)
        .env("PORTCULLIS_DATABASE", elsewhere(&urls.0))
        .env("PORTCULLIS_LISTEN", "127.0.0.1:0");
    command
}

#[test]
fn a_database_elsewhere_is_served_over_verified_tls_and_an_impostor_is_told_nothing() {
    let Some(authority) = available(Authority::new()) else { return };
    let Some(cluster) = available(Cluster::start()) else { return };
    let (urls, data) = (cluster.served_database(), TempDir::new().unwrap());
    let stranger = Authority::new().unwrap();
    let command = |arguments: &[&str], root: &Path| {
        let mut command = trusting(root, data.path(), &urls, arguments);
        command.env("PORTCULLIS_DATABASE_OWNER", elsewhere(&urls.1));
        command
    };
    let refused = |root: &Path, why: &str, case: &str| {
        let run = command(&["migrate", "--apply"], root).output().unwrap();
        let told = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(!run.status.success() && told.contains(why), "{case}: {told}");
    };

    refused(&authority.root(), "TLS", "a server that has no TLS is not spoken to in the clear");
    install(&cluster, authority.certificate("other.example", 2));
    refused(&authority.root(), "certificate", "a certificate for another name");
    install(&cluster, authority.certificate(NAME, -1));
    refused(&authority.root(), "certificate", "a certificate that has run out");
    install(&cluster, stranger.certificate(NAME, 2));
    refused(&authority.root(), "certificate", "a certificate of somebody unknown");
    let name = urls.0.rsplit('/').next().unwrap();
    assert_eq!(cluster.sql(name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap().trim(), "0");

    install(&cluster, authority.certificate(NAME, 2));
    refused(&stranger.root(), "certificate", "a good certificate that this machine does not trust");
    let run = command(&["migrate", "--apply"], &authority.root()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let node = Process::start(&mut trusting(&authority.root(), data.path(), &urls, &["demo"]));
    let over = "SELECT bool_and(ssl)::text || count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                WHERE application_name = 'portcullis' AND datname = current_database()";
    let told = cluster.sql(name, over).unwrap();
    let count = told.trim().strip_prefix("true").unwrap_or_else(|| panic!("{told}"));
    assert!(count.parse::<u32>().unwrap() >= 2, "the node's own lines are looked at: {told}");
    let page = crate::support::actor::Actor::new(node.address).get("/sign-in");
    assert!(page.status == 200 && page.body.contains("Sign in"), "{}", page.body);
    node.kill();
}
