//! TLS to an engine: certificates from files, as `docker` lays them out. The server's certificate is always checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Files that may be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TlsFiles {
    /// Who signs servers; the machine's own authorities without it.
    ca: Option<PathBuf>,
    /// Who we are.
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsFiles {
    /// `ca.pem`, `cert.pem` and `key.pem` of a folder.
    pub(super) fn of_folder(folder: &Path) -> Self {
        let file = |name: &str| Some(folder.join(name));
        Self { ca: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem") }
    }

    /// Reads them. A file that is not there counts as not given; a bad one is an error that names it.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let there = |file: &Option<PathBuf>| file.clone().filter(|file| file.exists());
        let mut roots = RootCertStore::empty();
        if let Some(ca) = there(&self.ca) {
            for certificate in certificates(&ca)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", ca.display()))?;
            }
        } else {
            for certificate in rustls_native_certs::load_native_certs().certs {
                // What the machine trusts and this library cannot read does not count.
                let _ = roots.add(certificate);
            }
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        let config = match (there(&self.cert), there(&self.key)) {
            (Some(cert), Some(key)) => {
                let private =
                    PrivateKeyDer::from_pem_file(&key).map_err(|error| format!("{}: {error}", key.display()))?;
                builder
                    .with_client_auth_cert(certificates(&cert)?, private)
                    .map_err(|error| format!("{} and {}: {error}", cert.display(), key.display()))?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(one), None) | (None, Some(one)) => {
                return Err(format!("{} is there without the other of cert.pem and key.pem", one.display()));
            }
        };
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let found = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    if found.is_empty() { Err(failed(&"no certificate in it")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles::of_folder(folder.path());
        files.config().unwrap();
        std::fs::write(folder.path().join("ca.pem"), "nonsense").unwrap();
        assert!(files.config().unwrap_err().contains("ca.pem: no certificate in it"));
        std::fs::remove_file(folder.path().join("ca.pem")).unwrap();
        std::fs::write(folder.path().join("cert.pem"), "").unwrap();
        assert!(files.config().unwrap_err().contains("cert.pem is there without the other"));
    }
}
