use std::time::Duration;

use firmware_proto::ScaledTime;
use tempfile::TempDir;

use super::*;
use crate::store::views::sample;

const ADMIN: &str = "sam";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A registry on an empty store, and a second look at that store.
struct Setting {
    registry: Registry,
    store: Store,
    _dir: TempDir,
}

impl Setting {
    async fn new() -> Self {
        let (store, _dir) = sample::empty().await;
        let registry = Registry::load(&store, Clock::new(ScaledTime::REAL)).await.unwrap();
        Self { registry, store, _dir }
    }

    async fn register(&self, id: &str, secret: Secret) {
        self.registry.register(&device(id), &particulars(), secret, ADMIN).await.unwrap();
    }

    async fn claim(&self, device: Option<&str>, valid: Duration) -> String {
        let new = NewClaim { particulars: particulars(), device: device.map(self::device), valid };
        self.registry.add_claim(&new, ADMIN).await.unwrap().claim
    }

    async fn login(&self, username: &str, password: &str) -> Result<Identity, Denied> {
        let (registry, username, password) = (self.registry.clone(), username.to_owned(), password.to_owned());
        tokio::task::spawn_blocking(move || authenticate(&registry, &username, &password, None)).await.unwrap()
    }

    /// What a gateway knows that starts now.
    async fn restarted(&self) -> Self {
        let registry = Registry::load(&self.store, Clock::new(ScaledTime::REAL)).await.unwrap();
        Self { registry, store: self.store.clone(), _dir: tempfile::tempdir().unwrap() }
    }

    async fn stored(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql).fetch_all(self.store.read()).await.unwrap()
    }
}

fn authenticate(
    registry: &Registry,
    username: &str,
    password: &str,
    certificate: Option<&ClientCertificate>,
) -> Result<Identity, Denied> {
    let peer = ([127, 0, 0, 1], 9).into();
    let credentials =
        Credentials { client_id: "AC-1", username: Some(username), password: Some(password), certificate, peer };
    registry.authenticate(&credentials)
}

fn device(id: &str) -> DeviceId {
    id.parse().unwrap()
}

fn particulars() -> Particulars {
    Particulars {
        tenant: "home".parse().unwrap(),
        r#type: "split-ac".into(),
        model: "AC-35".into(),
        area: "north".into(),
        lat: 52.5,
        lon: 13.4,
    }
}

fn is_device(login: &Result<Identity, Denied>, id: &str) -> bool {
    matches!(login, Ok(Identity::Device(address)) if address.to_string() == format!("home/{id}"))
}

#[tokio::test]
async fn a_token_is_stored_by_sha_256_and_a_password_by_argon2id() {
    let setting = Setting::new().await;
    setting.register("AC-1", Secret::of_token(TOKEN)).await;
    let password = setting.registry.password("correct horse".into()).await.unwrap();
    setting.register("AC-2", password).await;
    let stored = setting.stored("SELECT secret FROM device ORDER BY id").await;
    assert_eq!(stored[0], crate::auth::token_hash(TOKEN));
    assert!(stored[1].starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", stored[1]);
    for setting in [setting.restarted().await, setting] {
        assert!(is_device(&setting.login("AC-1", TOKEN).await, "AC-1"));
        assert!(is_device(&setting.login("AC-2", "correct horse").await, "AC-2"));
        for (id, wrong) in
            [("AC-1", "correct horse"), ("AC-1", ""), ("AC-2", TOKEN), ("AC-2", ""), ("AC-2", &stored[1])]
        {
            assert_eq!(setting.login(id, wrong).await, Err(Denied::BadCredentials(id.into())), "{id} {wrong}");
        }
        assert_eq!(setting.login("AC-3", TOKEN).await, Err(Denied::UnknownDevice("AC-3".into())));
    }
}

#[test]
fn a_secret_is_not_printed() {
    let printed = format!("{:?} {:?}", Secret::of_token(TOKEN), Secret::stored("$argon2id$x".into()));
    assert_eq!(printed, "Token(…) Password(…)");
}

#[tokio::test]
async fn a_device_registers_itself_and_may_repeat_its_login() {
    let setting = Setting::new().await;
    let claim = setting.claim(None, Duration::from_secs(60)).await;
    let first = format!("claim:{claim}:{TOKEN}");
    assert!(is_device(&setting.login("AC-1", &first).await, "AC-1"));
    for setting in [setting.restarted().await, setting] {
        // The CONNACK was lost; and ever after.
        assert!(is_device(&setting.login("AC-1", &first).await, "AC-1"));
        assert!(is_device(&setting.login("AC-1", TOKEN).await, "AC-1"));
        let other_token = first.replace('f', "e");
        assert_eq!(setting.login("AC-1", &other_token).await, Err(Denied::BadCredentials("AC-1".into())));
        let stolen = setting.login("AC-2", &first).await.unwrap_err();
        assert!(stolen.to_string().contains("used by AC-1"), "{stolen}");
        assert_eq!(setting.registry.len(), 1);
        let audit = setting.stored("SELECT detail FROM audit WHERE what = 'device'").await;
        assert!(audit[0].starts_with("registered by claim") && audit[0].ends_with("of sam"), "{audit:?}");
        let kept = setting.stored("SELECT sha256 || secret FROM claim JOIN device ON used_by = device.id").await;
        assert!(!kept[0].contains(&claim) && !kept[0].contains(TOKEN), "{kept:?}");
    }
}

#[tokio::test]
async fn a_claim_that_does_not_fit_registers_nobody() {
    let setting = Setting::new().await;
    let claim = setting.claim(Some("AC-1"), Duration::from_secs(60)).await;
    let expired = setting.claim(None, Duration::ZERO).await;
    for (id, password, expected) in [
        ("AC-2", format!("claim:{claim}:{TOKEN}"), "is for AC-1"),
        ("AC-2", format!("claim:{expired}:{TOKEN}"), "has expired"),
        ("AC-1", format!("claim:{claim}:short"), "5 characters, must have 32 to 256"),
        ("AC-1", format!("claim:{claim}:{}", "x".repeat(257)), "257 characters"),
        ("AC-1", format!("claim:{claim}:{}", " ".repeat(32)), "no blanks"),
        ("AC-1", format!("claim:{TOKEN}:{TOKEN}"), "wrong or missing password"),
        ("AC-1", format!("claim::{TOKEN}"), "wrong or missing password"),
        ("AC-1", format!("claim:{claim}"), "neither a registered device"),
        ("AC/1", format!("claim:{claim}:{TOKEN}"), "neither a registered device"),
    ] {
        let denied = setting.login(id, &password).await.unwrap_err().to_string();
        assert!(denied.contains(expected), "{expected:?} not in: {denied}");
    }
    assert!(setting.registry.is_empty());
    assert!(is_device(&setting.login("AC-1", &format!("claim:{claim}:{TOKEN}")).await, "AC-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_race_for_one_claim_and_one_wins() {
    let setting = Setting::new().await;
    let claim = setting.claim(None, Duration::from_secs(60)).await;
    let password = format!("claim:{claim}:{TOKEN}");
    let ids: Vec<String> = (0..16).map(|n| format!("AC-{n}")).collect();
    let logins = futures::future::join_all(ids.iter().map(|id| setting.login(id, &password))).await;
    assert_eq!(logins.iter().filter(|login| login.is_ok()).count(), 1, "{logins:?}");
    assert_eq!(setting.stored("SELECT id FROM device").await.len(), 1);
    // One device that does it twice at once is let in twice.
    let claim = setting.claim(None, Duration::from_secs(60)).await;
    let password = format!("claim:{claim}:{TOKEN}");
    let logins = futures::future::join_all((0..8).map(|_| setting.login("RF-1", &password))).await;
    assert!(logins.iter().all(|login| is_device(login, "RF-1")), "{logins:?}");
}

#[tokio::test]
async fn a_withdrawn_claim_is_void_and_a_used_one_cannot_be_withdrawn() {
    let setting = Setting::new().await;
    let new = NewClaim { particulars: particulars(), device: None, valid: Duration::from_secs(60) };
    let (one, two) = (setting.registry.add_claim(&new, ADMIN).await, setting.registry.add_claim(&new, ADMIN).await);
    let (one, two) = (one.unwrap(), two.unwrap());
    setting.registry.withdraw_claim(&one.id, ADMIN).await.unwrap();
    assert!(setting.login("AC-1", &format!("claim:{}:{TOKEN}", one.claim)).await.is_err());
    assert!(setting.login("AC-1", &format!("claim:{}:{TOKEN}", two.claim)).await.is_ok());
    assert!(matches!(setting.registry.withdraw_claim(&two.id, ADMIN).await, Err(RegistryError::Unknown(_))));
    let new = NewClaim { device: Some(device("AC-1")), ..new };
    assert!(matches!(setting.registry.add_claim(&new, ADMIN).await, Err(RegistryError::Taken(_))));
}

#[tokio::test]
async fn a_blocked_device_is_kept_out_until_it_is_unblocked() {
    let setting = Setting::new().await;
    setting.register("AC-1", Secret::of_token(TOKEN)).await;
    let revocations = setting.registry.revocations();
    for _ in 0..2 {
        setting.registry.block(&device("AC-1"), true, ADMIN).await.unwrap();
    }
    assert_eq!(revocations.next().await, Revoked::Device(device("AC-1")));
    for setting in [&setting.restarted().await, &setting] {
        let denied = setting.login("AC-1", TOKEN).await.unwrap_err();
        assert!(matches!(&denied, Denied::Forbidden { who, .. } if who == "AC-1"), "{denied}");
        // Who does not know the token does not learn that it is blocked.
        assert_eq!(setting.login("AC-1", "x").await, Err(Denied::BadCredentials("AC-1".into())));
    }
    setting.registry.block(&device("AC-1"), false, ADMIN).await.unwrap();
    assert!(is_device(&setting.login("AC-1", TOKEN).await, "AC-1"));
    let audit = setting.stored("SELECT detail FROM audit ORDER BY entry").await;
    assert_eq!(audit, ["registered", "blocked", "unblocked"]);
    assert!(matches!(setting.registry.block(&device("AC-2"), true, ADMIN).await, Err(RegistryError::Unknown(_))));
    assert!(futures::FutureExt::now_or_never(revocations.next()).is_none(), "unblocked is no revocation");
}

#[tokio::test]
async fn new_credentials_replace_the_old_and_end_the_connection() {
    let setting = Setting::new().await;
    setting.register("AC-1", Secret::of_token(TOKEN)).await;
    setting.registry.replace_secret(&device("AC-1"), Secret::of_token("another"), ADMIN).await.unwrap();
    assert_eq!(setting.registry.revocations().next().await, Revoked::Device(device("AC-1")));
    assert!(setting.login("AC-1", TOKEN).await.is_err());
    assert!(is_device(&setting.login("AC-1", "another").await, "AC-1"));
}

#[tokio::test]
async fn an_account_has_its_filters_and_a_name_of_its_own() {
    let setting = Setting::new().await;
    let filters = vec!["ag/v1/home/#".to_owned()];
    let put = |name: &'static str| setting.registry.put_account(name, filters.clone(), Secret::of_token(TOKEN), ADMIN);
    put("dashboard").await.unwrap();
    for setting in [&setting.restarted().await, &setting] {
        let expected = Identity::Service { name: "dashboard".into(), filters: filters.clone() };
        assert_eq!(setting.login("dashboard", TOKEN).await, Ok(expected));
        assert!(setting.login("dashboard", "x").await.is_err());
    }
    setting.register("AC-1", Secret::of_token(TOKEN)).await;
    assert!(matches!(put("AC-1").await, Err(RegistryError::Taken(text)) if text.contains("id of a device")));
    let taken = setting.registry.register(&device("dashboard"), &particulars(), Secret::of_token(TOKEN), ADMIN).await;
    assert!(matches!(taken, Err(RegistryError::Taken(text)) if text.contains("name of a service account")));
    let claim = setting.claim(None, Duration::from_secs(60)).await;
    assert!(setting.login("dashboard", &format!("claim:{claim}:{TOKEN}")).await.is_err());

    put("dashboard").await.unwrap();
    assert_eq!(setting.registry.revocations().next().await, Revoked::Account("dashboard".into()));
    setting.registry.remove_account("dashboard", ADMIN).await.unwrap();
    assert_eq!(setting.registry.revocations().next().await, Revoked::Account("dashboard".into()));
    assert_eq!(setting.login("dashboard", TOKEN).await, Err(Denied::UnknownDevice("dashboard".into())));
    assert!(matches!(setting.registry.remove_account("dashboard", ADMIN).await, Err(RegistryError::Unknown(_))));
}

/// The client id is `AC-1` throughout.
#[tokio::test]
async fn a_certificate_stands_for_whom_it_names() {
    let setting = Setting::new().await;
    for id in ["AC-1", "AC-2"] {
        setting.register(id, Secret::of_token(TOKEN)).await;
    }
    let filters = vec!["fettle/v1/#".to_owned()];
    setting.registry.put_account("dashboard", filters, Secret::of_token(TOKEN), ADMIN).await.unwrap();
    let check = |names: &[&str], username: &str, expected: &str| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = ClientCertificate { names, serial: "4A".into() };
        let shown = match authenticate(&setting.registry, username, "", Some(&certificate)) {
            Ok(Identity::Device(address)) => address.to_string(),
            Ok(Identity::Service { name, .. }) => name,
            Err(denied) => denied.to_string(),
        };
        assert!(shown.contains(expected), "{:?} as {username:?}: {expected:?} not in {shown:?}", certificate.names);
    };
    check(&["urn:fettle:device:AC-1"], "", "home/AC-1");
    check(&["urn:fettle:device:AC-1"], "AC-1", "home/AC-1");
    check(&["AC-1"], "", "home/AC-1");
    check(&["AC-2", "AC-1"], "", "home/AC-1");
    check(&["something.example.org", "AC-1"], "AC-1", "home/AC-1");
    check(&["urn:fettle:device:AC-1"], "AC-2", "so must be the user name");
    // The front refuses the client id then.
    check(&["urn:fettle:device:AC-2"], "AC-2", "home/AC-2");
    check(&["urn:fettle:device:AC-2"], "", "home/AC-2");
    check(&["urn:fettle:device:AC-9"], "AC-1", "\"AC-9\" is neither");
    check(&["urn:fettle:device:dashboard"], "", "\"dashboard\" is neither");
    check(&["urn:fettle:service:AC-1"], "", "\"AC-1\" is neither");
    check(&[], "AC-1", "is neither");
    check(&["urn:fettle:service:dashboard"], "", "dashboard");
    check(&["dashboard"], "dashboard", "dashboard");
    check(&["dashboard"], "AC-1", "so must be the user name");
    setting.registry.block(&device("AC-1"), true, ADMIN).await.unwrap();
    check(&["urn:fettle:device:AC-1"], "", "is blocked");
}
