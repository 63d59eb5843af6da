//! The status page: one static file that polls the API.

/// What the page may do: run its own script and style, and talk to its own origin.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

const HTML: &str = include_str!("page/status.html");

/// Marks the page's own script and style; nothing else on it may run.
const NONCE: &str = "{{nonce}}";

pub(super) fn page() -> Page {
    let nonce = crate::auth::hex(&rand::random::<[u8; 16]>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Page { html: HTML.replace(NONCE, &nonce), policy }
}
