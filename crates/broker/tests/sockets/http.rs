//! HTTP beside the WebSocket: what each path answers, and requests that are no good.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Answer, Broker, Raw, ask, quote, trade};

#[tokio::test]
async fn the_sample_key_of_the_standard_gets_its_answer() {
    let broker = Broker::start().await;
    for (offered, chosen) in [
        ("", None),
        ("tickwire.v1.json", Some("tickwire.v1.json")),
        ("other, tickwire.v1.msgpack, tickwire.v1.json", Some("tickwire.v1.msgpack")),
    ] {
        let mut raw = Raw::begin(broker.address()).await;
        raw.send(Raw::handshake(offered).as_bytes()).await;
        let answer = raw.accepted().await;
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.header("sec-websocket-protocol"), chosen);
        assert_eq!(answer.header("sec-websocket-extensions"), None);
        assert!(answer.header("upgrade").unwrap().eq_ignore_ascii_case("websocket"));
        assert!(answer.header("connection").unwrap().eq_ignore_ascii_case("upgrade"));
    }
}

async fn answer_to(broker: &Broker, request: &str) -> Answer {
    let request = request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    ask(broker.address(), request.as_bytes()).await
}

#[tokio::test]
async fn an_unknown_subprotocol_gets_400_with_ours() {
    let broker = Broker::start().await;
    for offered in ["mqtt", "tickwire.v9.json, soap"] {
        let mut raw = Raw::begin(broker.address()).await;
        raw.send(Raw::handshake(offered).as_bytes()).await;
        let answer = raw.answer().await;
        answer.assert_status(400);
        assert!(answer.body.contains("tickwire.v1.json"), "{answer:?}");
        assert!(answer.body.contains("tickwire.v1.msgpack"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_none_is_told_what_it_misses() {
    let broker = Broker::start().await;
    let answer = broker.get("/ws").await;
    answer.assert_status(426);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    let whole = Raw::handshake("");
    for (without, status) in [
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
        ("Sec-WebSocket-Version: 13\r\n", 426),
        ("Upgrade: websocket\r\n", 426),
        ("Connection: Upgrade\r\n", 426),
        ("Host: x\r\n", 400),
    ] {
        let mut raw = Raw::begin(broker.address()).await;
        raw.send(whole.replace(without, "").as_bytes()).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, status, "without {without}: {answer:?}");
    }
    let mut raw = Raw::begin(broker.address()).await;
    raw.send(whole.replace("GET", "POST").as_bytes()).await;
    raw.answer().await.assert_status(405);
}

#[tokio::test]
async fn healthz_says_ok() {
    let broker = Broker::start().await;
    let answer = broker.get("/healthz").await;
    answer.assert_status(200);
    assert_eq!(answer.json()["status"], "ok");
}

#[tokio::test]
async fn topics_lists_what_a_pattern_matches() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    let epoch = client.ask(json!({"op": "publish", "topic": "quote.x.A", "data": quote(1)})).await;
    let with_native =
        json!({"op": "publish", "topic": "quote.x.A", "data": quote(2), "native": "aUSD"});
    client.ask(with_native).await;
    for bad in [json!(""), json!(7), json!("x".repeat(129))] {
        let command = json!({"op": "publish", "topic": "a.b", "data": 1, "native": bad});
        client.refused(command, "bad_command").await;
    }
    client.publish("quote.y.B", quote(1)).await;
    client.publish("chat.a+b", json!(1)).await;
    for (query, expected) in [
        // The best of all venues is published by the broker.
        ("", vec!["chat.a+b", "nbbo.A", "nbbo.B", "quote.x.A", "quote.y.B"]),
        ("?pattern=%3E", vec!["chat.a+b", "nbbo.A", "nbbo.B", "quote.x.A", "quote.y.B"]),
        ("?pattern=quote.*.*", vec!["quote.x.A", "quote.y.B"]),
        ("?pattern=quote.x.A", vec!["quote.x.A"]),
        ("?pattern=chat.a+b", vec!["chat.a+b"]),
        ("?pattern=*.x.%3e", vec!["quote.x.A"]),
        ("?pattern=none.*", vec![]),
    ] {
        let answer = broker.get(&format!("/topics{query}")).await;
        answer.assert_status(200);
        let listed = answer.json();
        let names: Vec<_> =
            listed["topics"].as_array().unwrap().iter().map(|topic| &topic["topic"]).collect();
        assert_eq!(names, expected, "{query}");
    }
    let topic = &broker.get("/topics?pattern=quote.x.A").await.json()["topics"][0];
    assert_eq!((&topic["seq"], &topic["kind"]), (&json!(2), &json!("quote")));
    assert_eq!((&topic["epoch"], &topic["native"]), (&epoch["epoch"], &json!("aUSD")));
    for bad in ["x*", "a..b", "%FF", "a%20b"] {
        let answer = broker.get(&format!("/topics?pattern={bad}")).await;
        answer.assert_status(400);
        assert_eq!(answer.json()["error"]["code"], "bad_topic");
    }
}

#[tokio::test]
async fn posted_events_are_published_and_bad_lines_reported() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["chat.*", "trade.x.A"]).await;
    let answer = broker.post("/publish", r#"{"topic":"chat.a","data":{"n":1}}"#).await;
    answer.assert_status(200);
    assert_eq!(answer.json(), json!({"published": 1, "errors": []}));
    assert_eq!(client.expect("event").await["data"], json!({"n": 1}));

    let pretty = "{\n  \"topic\": \"chat.a\",\n  \"data\": 18446744073709551615\n}\n";
    broker.post("/publish", pretty).await.assert_status(200);
    assert_eq!(client.expect("event").await["data"], u64::MAX);

    let mut lines: Vec<String> =
        (0..600).map(|n| json!({"topic": "chat.b", "data": n}).to_string()).collect();
    lines[2] = "no JSON".to_owned();
    lines[5] = json!({"topic": "trade.x.A", "data": {"price": "1"}}).to_string();
    lines[6] = json!({"topic": "trade.x.A", "data": trade(7)}).to_string();
    lines[7] = json!({"topic": "chat.*", "data": 1}).to_string();
    lines[8] = json!({"topic": "chat.b"}).to_string();
    lines[9] = String::new();
    let answer = broker.post("/publish", &lines.join("\n")).await;
    answer.assert_status(422);
    let report = answer.json();
    assert_eq!(report["published"], 595);
    let errors: Vec<_> = report["errors"].as_array().unwrap().iter().collect();
    let found: Vec<_> = errors.iter().map(|error| json!([error["line"], error["code"]])).collect();
    let expected = json!([[3, "bad_json"], [6, "bad_data"], [8, "bad_topic"], [9, "bad_command"]]);
    assert_eq!(json!(found), expected);
    assert!(errors.iter().all(|error| error["message"].is_string()));
    // The lines of one topic are in order; between topics there is none.
    let mut numbers = Vec::new();
    for _ in 0..595 {
        let event = client.expect("event").await;
        match event["topic"].as_str() {
            Some("chat.b") => numbers.push(event["data"].as_u64().unwrap()),
            topic => assert_eq!(topic, Some("trade.x.A")),
        }
    }
    let good = (0..600).filter(|n| !matches!(n, 2 | 5..=9));
    assert_eq!(numbers, good.collect::<Vec<u64>>());
    client.assert_silence().await;
}

#[tokio::test]
async fn a_body_too_large_gets_413_and_an_endless_one_too() {
    let broker = Broker::with(|config| config.http.body_bytes = 10_000).await;
    let answer = broker.post("/publish", &" ".repeat(10_001)).await;
    answer.assert_status(413);
    let told = "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n";
    ask(broker.address(), told.as_bytes()).await.assert_status(413);
    let chunk = [&b"fa0\r\n"[..], &[b' '; 4000], b"\r\n"].concat();
    let head = b"POST /publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = [&head[..], &chunk.repeat(1000)].concat();
    ask(broker.address(), &endless).await.assert_status(413);
    let empty = broker.post("/publish", "").await;
    empty.assert_status(400);
}

#[tokio::test]
async fn requests_that_never_end_are_ended() {
    let broker = Broker::with(|config| {
        config.http.header_timeout = Duration::from_millis(100);
        config.http.body_timeout = Duration::from_millis(100);
    })
    .await;
    for begun in ["", "G", "GET /healthz HTTP/1.1\r\n", "GET /ws HTTP/1.1\r\nUpgrade: websoc"] {
        let mut raw = Raw::begin(broker.address()).await;
        raw.send(begun.as_bytes()).await;
        raw.assert_end().await;
    }
    let mut raw = Raw::begin(broker.address()).await;
    raw.send(b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{").await;
    raw.answer().await.assert_status(408);
    // The head has its own bound, whoever hurries.
    let mut raw = Raw::begin(broker.address()).await;
    raw.send_in_vain(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000)).as_bytes()).await;
    raw.answer().await.assert_status(431);
    // A client that waits before it speaks WebSocket is not bound by any of that.
    let mut client = broker.client().await;
    let mut raw = Raw::begin(broker.address()).await;
    raw.assert_end().await;
    client.assert_silence().await;
}

#[tokio::test]
async fn wrong_methods_get_405_with_allow_and_unknown_paths_404() {
    let broker = Broker::start().await;
    for (method, path, allow) in [
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/topics", "GET, HEAD"),
        ("PUT", "/metrics", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("GET", "/publish", "POST"),
        ("PUT", "/publish", "POST"),
        ("PUT", "/ws", "GET"),
    ] {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let answer = answer_to(&broker, &request).await;
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
    let answer = broker.get("/nothing/here").await;
    answer.assert_status(404);
    assert!(answer.body.contains("/publish"), "{answer:?}");
    answer_to(&broker, "NO SENSE\r\n\r\n").await.assert_status(400);
}

#[tokio::test]
async fn metrics_have_their_names_and_types() {
    let broker = Broker::start().await;
    let mut client = broker.client().await;
    client.subscribe(&["chat.a"]).await;
    client.publish("chat.a", json!(1)).await;
    client.expect("event").await;
    let answer = broker.get("/metrics").await;
    answer.assert_status(200);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    assert!(answer.body.ends_with("# EOF\n"));
    for (name, kind) in [
        ("tickwire_ledger_published_total", "counter"),
        ("tickwire_ledger_delivered_total", "counter"),
        ("tickwire_ledger_merged_total", "counter"),
        ("tickwire_ledger_dropped_total", "counter"),
        ("tickwire_ledger_pending", "gauge"),
        ("tickwire_connections", "gauge"),
        ("tickwire_subscriptions", "gauge"),
        ("tickwire_topics", "gauge"),
        ("tickwire_history_bytes", "gauge"),
    ] {
        let family = format!("# TYPE {} {kind}", name.strip_suffix("_total").unwrap_or(name));
        let typed =
            answer.body.contains(&family) || answer.body.contains(&format!("# TYPE {name}"));
        assert!(typed, "{name}: {answer:?}");
        assert!(answer.body.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    let ledger = broker.ledger().await;
    assert_eq!((ledger.published, ledger.delivered), (1, 1), "{ledger:?}");
}

#[tokio::test]
async fn the_page_needs_nothing_from_anywhere_else() {
    let broker = Broker::start().await;
    let answer = broker.get("/").await;
    answer.assert_status(200);
    assert!(answer.header("content-type").unwrap().starts_with("text/html"));
    for foreign in ["http://", "https://", " src=", "@import", "url(", "integrity="] {
        assert!(!answer.body.contains(foreign), "{foreign}");
    }
    assert!(answer.body.contains("new WebSocket("));
    assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
}
