//! What must never be seen: the token, and what an answer or a mistaken URL holds; not in the log
//! at `trace`, not in an error, not in the self metrics.

use crate::support::adapter::{Adapter, Setup, TOKEN, config, external, page_signal, scrape};
use crate::support::adapter::{prometheus, query_signal};
use crate::support::web::{Behaviour, Web, refusing};

/// Part of everything that is nobody's business here.
const HIDDEN: &str = "hidden-0123";

async fn everything_said(adapter: &Adapter, names: &[&str]) -> String {
    let mut said = String::new();
    for name in names {
        let answer = adapter.external(name).await.map(|it| it.body);
        said.push_str(&answer.unwrap_or_else(|error| error));
    }
    let explained = names.iter().flat_map(|name| {
        let path = format!("/debug/explain/inference/{name}?last=60");
        [format!("{path}&format=text"), path]
    });
    let pages = ["/metrics", "/readyz?verbose", "/livez", "/debug/explain"];
    for path in pages.map(str::to_owned).into_iter().chain(explained) {
        let answer = adapter.observe(&path).await.map(|it| it.body);
        said.push_str(&answer.unwrap_or_else(|error| error));
    }
    said + &adapter.log()
}

#[tokio::test]
async fn no_secret_shows_in_the_log_in_an_error_or_in_the_metrics() {
    let web = Web::start().await;
    web.show("/page", "q 6\n");
    web.set(&format!("/prom-{HIDDEN}"), Behaviour::Prometheus(6.0));
    let elsewhere = web.url(&format!("/page?key={HIDDEN}"));
    for (path, behaviour) in [
        ("/hang", Behaviour::Hang),
        ("/close", Behaviour::CloseMidBody),
        ("/redirect", Behaviour::Redirect(elsewhere)),
        ("/error", Behaviour::Answer(500, HIDDEN.as_bytes().to_vec())),
        ("/garbage", Behaviour::Answer(200, HIDDEN.as_bytes().to_vec())),
    ] {
        web.set(&format!("{path}-{HIDDEN}"), behaviour);
    }
    let refusing = refusing();
    let away = format!("http://{}/away-{HIDDEN}", refusing.address);
    let nowhere = format!("http://no-such-host.invalid/nowhere-{HIDDEN}");
    let in_the_url = "http://user:hidden-0123@127.0.0.1:9/".to_owned();
    let mut sources = vec![
        scrape("page", &web.url("/page")),
        prometheus("prom", &web.url(&format!("/prom-{HIDDEN}"))),
        scrape("away", &away),
        scrape("nowhere", &nowhere),
        scrape("password", &in_the_url),
        scrape("key", &web.url(&format!("/page?key={HIDDEN}"))),
    ];
    let bad = ["hang", "close", "redirect", "error", "garbage"];
    sources.extend(bad.iter().map(|it| scrape(it, &web.url(&format!("/{it}-{HIDDEN}")))));
    let refused = [&bad[..], &["away", "nowhere"]].concat();
    let broken = ["password", "key"];
    let pages = [&refused[..], &broken, &["page"]].concat();
    let mut policies = vec![external("prom", "200ms", &query_signal("prom", "q"))];
    policies.extend(pages.iter().map(|it| external(it, "200ms", &page_signal(it))));
    let setup = Setup::new(&config(&sources, &policies)).log_filter("trace");
    let adapter = setup.start().await;
    adapter.serves("page", "6").await;
    adapter.serves("prom", "6").await;
    for name in &refused {
        adapter.refuses(name, &["no sample yet: source "]).await;
    }
    for name in broken {
        adapter.refuses(name, &["is not valid", name]).await;
    }
    for wrong in [HIDDEN, "hidden-0123-hidden-0123"] {
        let answer = adapter.get_with("/apis", wrong).await;
        assert_eq!(answer.map(|it| it.code), Ok(401));
    }
    // An edit that cannot be used is told in the log; not this.
    adapter.replace("foresail.yaml", &config(&sources, &policies).replace("policies", "polices"));
    adapter.logs(&["ERROR", "`polices`"]).await;

    let names = [&pages[..], &["prom"]].concat();
    let said = everything_said(&adapter, &names).await;
    for part in ["foresail_source_reads_total", "from source prom", "oldestAgeSeconds"] {
        assert!(said.contains(part), "{part} was not said");
    }
    for secret in [TOKEN, HIDDEN] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "shows {secret}");
    }
}
