//! The status page: one file without anything from elsewhere, which polls the API.

use std::sync::LazyLock;

/// The page and what it may do: run its own script and style, and talk to its own origin.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// In the order in which one part uses another.
const SCRIPT: &str = concat!(
    "(() => {\n'use strict';\n",
    include_str!("page/words.js"),
    include_str!("page/dom.js"),
    include_str!("page/lists.js"),
    include_str!("page/chart.js"),
    include_str!("page/panel.js"),
    include_str!("page/main.js"),
    "})();"
);

static HTML: LazyLock<String> = LazyLock::new(|| {
    include_str!("page/status.html").replace("{{style}}", include_str!("page/status.css")).replace("{{script}}", SCRIPT)
});

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
