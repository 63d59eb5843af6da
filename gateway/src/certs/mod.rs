//! `gateway certs`: a small certificate authority in a directory, for mutual TLS without further tools.
//!
//! `init` makes the authority and a server certificate, `issue` one for each device, `revoke` puts them on the
//! revocation list, `renew` replaces the server certificate before it ends. The files are PEM, so that any other
//! authority can take this one's place. Not here: who may connect with a certificate (the registry), and TLS itself
//! (crate `broker`).
//!
//! A certificate stands for one id, as common name and as one URI, `urn:fettle:device:ID` or
//! `urn:fettle:service:NAME`. Not as DNS name: ids tell upper from lower case and may hold `_`, host names do
//! neither, and no id can then be taken for a host.

mod authority;
mod files;
mod record;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, value_parser};
use firmware_proto::DeviceId;
use jiff::Timestamp;
use thiserror::Error;

use authority::{Authority, Holder};

/// Before the id in a device certificate's URI.
pub const DEVICE_URN: &str = "urn:fettle:device:";

/// Before the name in a service account certificate's URI.
pub const SERVICE_URN: &str = "urn:fettle:service:";

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    /// Make a new authority, and with it a server certificate and an empty revocation list.
    ///
    /// Prints the lines for gateway.toml. ca.key signs everything: keep it where only its owner reads it.
    Init(Init),
    /// Issue certificates to devices or service accounts.
    ///
    /// Each gets ID.pem and ID.key, which go to the device together with ca.pem. A device is let in with its
    /// certificate once it is registered by the same id, and with that id as MQTT client id.
    Issue(Issue),
    /// Revoke all certificates of an id; a running gateway reads the new list by itself.
    Revoke(Revoke),
    /// Issue a new server certificate for the key that is there; devices notice nothing.
    Renew(Renew),
}

/// Where the authority is.
#[derive(Debug, Args)]
pub struct Place {
    /// Directory of the authority.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// How long the certificate is valid, in days. At most until the authority ends, 20 years after init.
    #[arg(long, value_name = "N", default_value_t = 825, value_parser = value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// What `init` makes.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    place: Place,
    /// Host name or address by which devices reach the gateway, besides localhost, 127.0.0.1 and ::1. May be
    /// given several times.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
}

/// To whom `issue` issues.
#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    place: Place,
    /// Device ids, as they are registered.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// They are names of service accounts.
    #[arg(long)]
    service: bool,
    /// Also if one has a certificate that is valid: the old one stays valid until it ends or is revoked.
    #[arg(long)]
    again: bool,
}

/// Whose certificates `revoke` revokes.
#[derive(Debug, Args)]
pub struct Revoke {
    /// Directory of the authority.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// Device id or account name.
    #[arg(value_name = "ID")]
    id: String,
}

/// What `renew` renews.
#[derive(Debug, Args)]
pub struct Renew {
    #[command(flatten)]
    place: Place,
    /// Other names than those of the last server certificate; as in init.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
}

/// Why nothing was issued or revoked.
#[derive(Debug, Error)]
pub enum CertsError {
    /// A file cannot be read or written.
    #[error("{path} cannot be {action}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// `read`, `written`, `made` or `locked`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// `init` where something is.
    #[error(
        "{0} exists: there is an authority already; choose another --dir, or renew its server certificate with `gateway certs renew`"
    )]
    Exists(PathBuf),
    /// Another command where nothing is.
    #[error("{0} does not exist: there is no authority here; choose its --dir, or make one with `gateway certs init`")]
    NoAuthority(PathBuf),
    /// A file of the authority is not what it was.
    #[error("{path} is not as gateway certs wrote it: {reason}; restore the directory from a copy")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Not an id of a device.
    #[error("{id:?} is no id: {reason}")]
    Id {
        /// As given.
        id: String,
        /// What would be right.
        reason: String,
    },
    /// Not a host name.
    #[error("--name {0:?} is neither an IP address nor a host name; use for example gateway.example.org or 192.0.2.7")]
    Host(String),
    /// A second certificate.
    #[error(
        "{id} has a certificate that is valid until {expires}; revoke it first, or issue a second one with --again"
    )]
    HasOne {
        /// Whose.
        id: String,
        /// Its end.
        expires: Timestamp,
    },
    /// Nothing to revoke.
    #[error("no certificate was issued to {id:?}; {record} lists all")]
    NotIssued {
        /// To whom.
        id: String,
        /// Where all are listed.
        record: PathBuf,
    },
    /// The cryptography failed.
    #[error("a certificate cannot be made: {0}")]
    Sign(#[from] rcgen::Error),
}

/// Does it; returns what to tell the caller.
///
/// # Errors
/// What is wrong and what would be right; nothing has been issued then.
pub fn run(command: &CertsCommand) -> Result<String, CertsError> {
    match command {
        CertsCommand::Init(init) => self::init(init),
        CertsCommand::Issue(issue) => self::issue(issue),
        CertsCommand::Revoke(revoke) => self::revoke(revoke),
        CertsCommand::Renew(renew) => self::renew(renew),
    }
}

fn init(init: &Init) -> Result<String, CertsError> {
    let Place { dir, days } = &init.place;
    let expires = Authority::create(dir, &init.names, *days)?;
    let file = |name: &str| dir.join(name).display().to_string();
    Ok(format!(
        "made an authority in {}; its server certificate is valid until {expires}\n\n\
         for gateway.toml:\n\n\
         [mqtt.tls]\n\
         listen = \"0.0.0.0:8883\"\n\
         certificate = {:?}\n\
         key = {:?}\n\
         client_ca = {:?}\n\
         crl = {:?}\n\n\
         a certificate for a device: gateway certs issue ID --dir {}\n",
        dir.display(),
        file("server.pem"),
        file("server.key"),
        file("ca.pem"),
        file("crl.pem"),
        dir.display(),
    ))
}

fn issue(issue: &Issue) -> Result<String, CertsError> {
    let ids = issue.ids.iter().map(|id| checked(id)).collect::<Result<Vec<_>, _>>()?;
    let Place { dir, days } = &issue.place;
    let mut authority = Authority::open(dir)?;
    let holder = if issue.service { Holder::Service } else { Holder::Device };
    let issued = authority.issue(&ids, holder, *days, issue.again)?;
    let mut text = String::new();
    for (id, expires) in ids.iter().zip(&issued) {
        let (certificate, key) = (dir.join(format!("{id}.pem")), dir.join(format!("{id}.key")));
        let _ = writeln!(text, "{} and {}, valid until {expires}", certificate.display(), key.display());
    }
    if let (Holder::Device, Some(id)) = (holder, ids.first()) {
        text += &try_it(dir, id);
    }
    Ok(text)
}

/// A command line that uses a device's certificate.
fn try_it(dir: &Path, id: &DeviceId) -> String {
    let file = |name: String| dir.join(name).display().to_string();
    format!(
        "\nto try it, with {id} registered for tenant \"home\":\n\n\
         mosquitto_pub -h localhost -p 8883 --cafile {} \\\n    --cert {} --key {} -i {id} \\\n    \
         -q 1 -t ag/v1/home/{id}/tlm -m '{{\"boot_id\": 1, \"seq\": 1, \"readings\": {{}}}}'\n",
        file("ca.pem".into()),
        file(format!("{id}.pem")),
        file(format!("{id}.key")),
    )
}

fn revoke(revoke: &Revoke) -> Result<String, CertsError> {
    let mut authority = Authority::open(&revoke.dir)?;
    let revoked = authority.revoke(&revoke.id)?;
    let list = revoke.dir.join("crl.pem");
    Ok(match revoked {
        0 => format!("{}: revoked before; {} is signed anew\n", revoke.id, list.display()),
        n => format!("{}: {n} revoked, on {}\n", revoke.id, list.display()),
    })
}

fn renew(renew: &Renew) -> Result<String, CertsError> {
    let Place { dir, days } = &renew.place;
    let expires = Authority::open(dir)?.renew_server(&renew.names, *days)?;
    Ok(format!("{} is valid until {expires}\n", dir.join("server.pem").display()))
}

/// An id that is also the name of its files.
fn checked(id: &str) -> Result<DeviceId, CertsError> {
    let refused = |reason: String| CertsError::Id { id: id.to_owned(), reason };
    if ["ca", "server", "crl"].iter().any(|own| id.eq_ignore_ascii_case(own)) {
        return Err(refused(format!("{id}.pem is a file of the authority itself; use another id")));
    }
    id.parse().map_err(|error: firmware_proto::IdError| refused(error.to_string()))
}
