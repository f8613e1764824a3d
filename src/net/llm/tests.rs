//! Models that answer well, slowly, brokenly and with malice, by a local fake of the interface.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::super::http::tests::service;
use super::*;
use crate::pii::Pii;

fn question(url: &str, timeout: Duration) -> Request {
    let body = Some(Pii::new("{\"stream\":true}".to_owned()));
    Request { method: "POST", url: Pii::new(url.to_owned()), headers: Vec::new(), body, timeout, retry: 0 }
}

/// All parts of the answer.
async fn answer(reply: fn(&mut TcpStream)) -> Vec<Thought> {
    let (url, _asked) = service(vec![reply]);
    let mut parts = think(question(&url, Duration::from_secs(20)));
    let mut found = Vec::new();
    while let Some(part) = parts.recv().await {
        found.push(part);
    }
    found
}

fn head(stream: &mut TcpStream) {
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
}

fn piece(stream: &mut TcpStream, text: &str) -> bool {
    let data = serde_json::json!({"choices": [{"delta": {"content": text}}]});
    write!(stream, "data: {data}\n\n").is_ok()
}

fn sentence(text: &str) -> Thought {
    Thought::Sentence(text.into())
}

fn failed(parts: &[Thought], why: &str) {
    assert!(matches!(parts.last(), Some(Thought::Failed(what)) if what.contains(why)), "{parts:?}");
}

#[tokio::test]
async fn sentences_leave_as_they_are_whole() {
    let parts = answer(|stream| {
        head(stream);
        for text in ["We are", " open. ", "Until ", "8 p.m. ", "today", "."] {
            piece(stream, text);
        }
        let _ = write!(stream, ": a comment\n\ndata: [DONE]\n\n");
    });
    assert_eq!(parts.await, [sentence("We are open."), sentence("Until 8 p.m. today."), Thought::Done]);
}

#[tokio::test]
async fn an_interface_that_does_not_stream_is_understood() {
    let parts = answer(|stream| {
        let body = r#"{"choices":[{"message":{"content":"One. Two."},"finish_reason":"stop"}]}"#;
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    assert_eq!(parts.await, [sentence("One."), sentence("Two."), Thought::Done]);
}

#[tokio::test]
async fn a_tool_is_asked_for_in_pieces() {
    let parts = answer(|stream| {
        head(stream);
        for function in
            [r#"{"name":"order","arguments":""}"#, r#"{"arguments":"{\"number\":"}"#, r#"{"arguments":"\"7\"}"}"#]
        {
            let _ = write!(
                stream,
                "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":0,\"function\":{function}}}]}}}}]}}\n\n"
            );
        }
        let _ = write!(
            stream,
            "data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
        );
    });
    let args = serde_json::json!({"number": "7"});
    assert_eq!(parts.await, [Thought::Tool { name: "order".into(), args }]);
}

#[tokio::test]
async fn an_answer_that_comes_too_slowly_ends_with_what_came() {
    let (url, _asked) = service(vec![|stream| {
        head(stream);
        piece(stream, "The first. And then");
        let _ = stream.read(&mut [0; 1]);
    }]);
    let mut parts = think(question(&url, Duration::from_millis(400)));
    assert_eq!(parts.recv().await, Some(sentence("The first.")));
    failed(&[parts.recv().await.unwrap()], "took too long");
    let (url, _asked) = service(vec![|stream| drop(stream.read(&mut [0; 1]))]);
    let mut parts = think(question(&url, Duration::from_millis(300)));
    failed(&[parts.recv().await.unwrap()], "no answer within 300 ms");
}

#[tokio::test]
async fn broken_answers_are_failures() {
    let broken: [(fn(&mut TcpStream), &str); 6] = [
        (|stream| drop(write!(stream, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")), "status 500"),
        (|stream| drop(stream.shutdown(std::net::Shutdown::Both)), "cannot be reached"),
        (
            |stream| {
                head(stream);
                let _ = write!(stream, "data: {{\"choices\": [\n\n");
            },
            "not JSON",
        ),
        (
            |stream| {
                head(stream);
                piece(stream, "It breaks off");
            },
            "broke off",
        ),
        (
            |stream| {
                head(stream);
                let _ = write!(stream, "data: {{\"error\":{{\"message\":\"overloaded\"}}}}\n\n");
            },
            "reports an error",
        ),
        (
            |stream| {
                head(stream);
                let calls = r#"[{"index":0,"function":{"name":"x","arguments":"rm -rf"}}]"#;
                let _ = write!(
                    stream,
                    "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":{calls}}}}}]}}\n\ndata: [DONE]\n\n"
                );
            },
            "not JSON",
        ),
    ];
    for (reply, why) in broken {
        failed(&answer(reply).await, why);
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let parts = answer(|stream| {
        head(stream);
        while piece(stream, "Buy now and never hang up. ") {}
    });
    let parts = parts.await;
    assert_eq!(parts.last(), Some(&Thought::Done));
    assert!(parts.len() < 1_000, "{}", parts.len());
    let line = answer(|stream| {
        head(stream);
        let _ = write!(stream, "data: ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    failed(&line.await, "longer than 65536");
    let comments = answer(|stream| {
        head(stream);
        while stream.write_all(b": nothing\n").is_ok() {}
    });
    failed(&comments.await, "broke off");
    let arguments = answer(|stream| {
        head(stream);
        let data = r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"x","arguments":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}]}}]}"#;
        while write!(stream, "{data}\n\n").is_ok() {}
    });
    failed(&arguments.await, "more than 4096");
}
