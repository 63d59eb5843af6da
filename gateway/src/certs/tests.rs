use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Parser;
use x509_parser::prelude::*;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: CertsCommand,
}

/// Runs a command line on a directory.
fn certs(dir: &Path, line: &str) -> Result<String, CertsError> {
    let words = ["certs"].into_iter().chain(line.split(' ')).chain(["--dir", dir.to_str().unwrap()]);
    run(&Line::try_parse_from(words).unwrap().command)
}

fn pem(dir: &Path, name: &str) -> Pem {
    parse_x509_pem(&std::fs::read(dir.join(name)).unwrap()).unwrap().1
}

#[track_caller]
fn check_refused(dir: &Path, line: &str, expected: &[&str]) {
    let error = certs(dir, line).unwrap_err().to_string();
    for part in expected {
        assert!(error.contains(part), "{part:?} not in: {error}");
    }
}

/// Whether the authority's list holds a certificate's serial number.
fn is_listed(dir: &Path, certificate: &str) -> bool {
    let (list, certificate) = (pem(dir, "crl.pem"), pem(dir, certificate));
    let (_, list) = parse_x509_crl(&list.contents).unwrap();
    let serial = certificate.parse_x509().unwrap().raw_serial().to_vec();
    list.iter_revoked_certificates().any(|revoked| revoked.raw_serial() == serial)
}

fn list_number(dir: &Path) -> u64 {
    let (list, authority) = (pem(dir, "crl.pem"), pem(dir, "ca.pem"));
    let (_, list) = parse_x509_crl(&list.contents).unwrap();
    list.verify_signature(authority.parse_x509().unwrap().public_key()).unwrap();
    list.crl_number().unwrap().to_string().parse().unwrap()
}

#[test]
fn the_chain_holds_and_each_certificate_is_for_its_use_only() {
    let dir = tempfile::tempdir().unwrap();
    let said = certs(dir.path(), "init --name gateway.example.org --name 192.0.2.7").unwrap();
    for part in ["[mqtt.tls]", "listen = \"0.0.0.0:8883\"", "certificate", "server.key", "client_ca", "crl"] {
        assert!(said.contains(part), "{part:?} not in: {said}");
    }
    let said = certs(dir.path(), "issue AC-1 a_b.C").unwrap();
    assert!(said.contains("mosquitto_pub") && said.contains("a_b.C.pem"), "{said}");
    let authority = pem(dir.path(), "ca.pem");
    let authority = authority.parse_x509().unwrap();
    authority.verify_signature(None).unwrap();
    assert!(authority.is_ca());
    for (file, names, server) in [
        ("server.pem", "DNSName(gateway.example.org) IPAddress(c0:00:02:07) DNSName(localhost)", true),
        ("AC-1.pem", "URI(urn:fettle:device:AC-1)", false),
        ("a_b.C.pem", "URI(urn:fettle:device:a_b.C)", false),
    ] {
        let certificate = pem(dir.path(), file);
        let certificate = certificate.parse_x509().unwrap();
        certificate.verify_signature(Some(authority.public_key())).unwrap();
        assert_eq!(certificate.issuer(), authority.subject(), "{file}");
        assert!(certificate.validity().is_valid() && !certificate.is_ca(), "{file}");
        let purpose = certificate.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((purpose.server_auth, purpose.client_auth), (server, !server), "{file}");
        let alternative = certificate.subject_alternative_name().unwrap().unwrap().value;
        let found: Vec<_> = alternative.general_names.iter().map(ToString::to_string).collect();
        assert!(found.join(" ").starts_with(names), "{file}: {found:?}");
    }
    let key = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["ca.key", "server.key", "AC-1.key", "a_b.C.key"].map(key), [0o600; 4]);
}

#[test]
fn a_revoked_certificate_is_on_the_list_and_the_list_grows() {
    let dir = tempfile::tempdir().unwrap();
    certs(dir.path(), "init").unwrap();
    certs(dir.path(), "issue AC-1 AC-2").unwrap();
    assert_eq!((list_number(dir.path()), is_listed(dir.path(), "AC-1.pem")), (1, false));
    certs(dir.path(), "revoke AC-1").unwrap();
    assert_eq!(list_number(dir.path()), 2);
    assert!(is_listed(dir.path(), "AC-1.pem") && !is_listed(dir.path(), "AC-2.pem"));

    // Both of a device's certificates are revoked, and a new one is not.
    let first = pem(dir.path(), "AC-2.pem").contents;
    certs(dir.path(), "issue --again AC-2").unwrap();
    assert_ne!(pem(dir.path(), "AC-2.pem").contents, first);
    assert!(certs(dir.path(), "revoke AC-2").unwrap().contains("AC-2: 2 revoked"));
    assert!(certs(dir.path(), "revoke AC-2").unwrap().contains("before"));
    certs(dir.path(), "issue AC-2").unwrap();
    assert!(!is_listed(dir.path(), "AC-2.pem"));
    assert_eq!(list_number(dir.path()), 4);
}

#[test]
fn a_new_server_certificate_has_the_old_key_and_names() {
    let dir = tempfile::tempdir().unwrap();
    certs(dir.path(), "init --name gateway.example.org").unwrap();
    let (old, key) = (pem(dir.path(), "server.pem"), std::fs::read(dir.path().join("server.key")).unwrap());
    certs(dir.path(), "renew --days 30").unwrap();
    let new = pem(dir.path(), "server.pem");
    let (old, new) = (old.parse_x509().unwrap(), new.parse_x509().unwrap());
    assert_eq!(old.public_key().raw, new.public_key().raw);
    assert_eq!(old.subject_alternative_name().unwrap(), new.subject_alternative_name().unwrap());
    assert_ne!(old.raw_serial(), new.raw_serial());
    assert_eq!(key, std::fs::read(dir.path().join("server.key")).unwrap());
    certs(dir.path(), "renew --name other.example.org").unwrap();
    let text = format!("{:?}", pem(dir.path(), "server.pem").parse_x509().unwrap().subject_alternative_name());
    assert!(text.contains("other.example.org") && text.contains("localhost") && !text.contains("gateway"), "{text}");
}

#[test]
fn accounts_get_certificates_of_their_own_kind() {
    let dir = tempfile::tempdir().unwrap();
    certs(dir.path(), "init").unwrap();
    certs(dir.path(), "issue --service dashboard").unwrap();
    let text = format!("{:?}", pem(dir.path(), "dashboard.pem").parse_x509().unwrap().subject_alternative_name());
    assert!(text.contains("urn:fettle:service:dashboard"), "{text}");
}

#[test]
fn wrong_input_changes_nothing_and_says_what_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    check_refused(dir, "issue AC-1", &["ca.pem", "certs init"]);
    check_refused(&dir.join("nowhere"), "revoke AC-1", &["nowhere", "certs init"]);
    for name in ["a_b.example.org", "a-.example.org", "a..b", "300.1.1.1", "ä.example.org"] {
        check_refused(dir, &format!("init --name {name}"), &[name, "gateway.example.org"]);
    }
    certs(dir, "init").unwrap();
    let authority = std::fs::read(dir.join("ca.key")).unwrap();
    check_refused(dir, "init", &["ca.pem exists", "--dir", "renew"]);
    assert_eq!(authority, std::fs::read(dir.join("ca.key")).unwrap());

    certs(dir, "issue AC-1").unwrap();
    check_refused(dir, "issue AC-2 AC-1", &["AC-1", "valid until", "--again"]);
    assert!(!dir.join("AC-2.pem").exists());
    check_refused(dir, "issue AC-3 AC-3", &["AC-3", "valid until"]);
    check_refused(dir, "issue a/b", &["a/b", "letters"]);
    check_refused(dir, "issue Server", &["Server.pem", "another id"]);
    check_refused(dir, "revoke AC-9", &["AC-9", "issued.toml"]);
    for days in ["0", "3651", "ten"] {
        assert!(Line::try_parse_from(["certs", "issue", "AC-9", "--days", days]).is_err());
    }

    std::fs::write(dir.join("issued.toml"), "crl_number = 1\nnonsense = 2\n").unwrap();
    check_refused(dir, "issue AC-9", &["issued.toml", "line 2", "nonsense", "restore"]);
    std::fs::write(dir.join("ca.key"), "no key").unwrap();
    check_refused(dir, "issue AC-9", &["ca.key", "restore"]);
}

#[test]
fn nothing_outlives_its_authority() {
    let dir = tempfile::tempdir().unwrap();
    certs(dir.path(), "init").unwrap();
    let file = dir.path().join(record::FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    let line = text.lines().find(|line| line.starts_with("authority_ends")).unwrap();
    let soon = Timestamp::now() + jiff::SignedDuration::from_hours(24);
    std::fs::write(&file, text.replace(line, &format!("authority_ends = \"{soon}\""))).unwrap();
    assert!(certs(dir.path(), "issue AC-1 --days 30").unwrap().contains(&soon.to_string()[..16]));
}
