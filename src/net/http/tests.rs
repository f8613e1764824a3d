//! Services that are slow, broken or hostile.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::pii::Pii;

/// Serves one connection after another, each by the next of `answers`; returns the address. What was asked comes out of
/// the channel.
pub(in super::super) fn service(answers: Vec<fn(&mut TcpStream)>) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/path", listener.local_addr().unwrap());
    let (asked, requests) = std::sync::mpsc::sync_channel(16);
    std::thread::Builder::new()
        .spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = asked.send(request_of(&mut stream));
                answer(&mut stream);
            }
        })
        .unwrap();
    (address, requests)
}

/// Head and body, as far as Content-Length goes.
fn request_of(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(count) => got.extend_from_slice(&buffer[..count]),
        }
    }
}

fn say(stream: &mut TcpStream, status: &str, body: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
}

fn request(url: &str) -> Request {
    let (headers, body, timeout) = (Vec::new(), None, Duration::from_secs(20));
    Request { method: "GET", url: Pii::new(url.to_owned()), headers, body, timeout, retry: 0 }
}

#[tokio::test]
async fn a_body_and_headers_are_sent_and_json_comes_back() {
    let (url, asked) = service(vec![|stream| say(stream, "200 OK", "{\"ok\":true}")]);
    let headers = vec![("X-Channel".to_owned(), Pii::new("voice".to_owned()))];
    let body = Some(Pii::new("{\"a\":1}".to_owned()));
    let sent = fetch(Request { method: "POST", headers, body, ..request(&url) }).await;
    assert_eq!(sent, Ok(serde_json::json!({"ok": true})));
    let asked = asked.recv().unwrap();
    assert!(asked.starts_with("POST /path HTTP/1.1\r\n") && asked.ends_with("{\"a\":1}"), "{asked}");
    assert!(asked.to_lowercase().contains("x-channel: voice") && asked.contains("application/json"), "{asked}");
}

#[tokio::test]
async fn a_service_that_stumbles_is_asked_again_and_one_that_refuses_is_not() {
    let (url, asked) = service(vec![
        |stream| say(stream, "503 Later", ""),
        |stream| drop(stream.shutdown(std::net::Shutdown::Both)),
        |stream| say(stream, "200 OK", "7"),
    ]);
    assert_eq!(fetch(Request { retry: 2, ..request(&url) }).await, Ok(serde_json::json!(7)));
    assert_eq!(asked.iter().count(), 3);
    let (url, asked) = service(vec![|stream| say(stream, "404 None", ""), |stream| say(stream, "200 OK", "7")]);
    let refused = fetch(Request { retry: 2, ..request(&url) }).await;
    assert_eq!(refused, Err("the address answered with status 404".to_owned()));
    assert!(asked.recv().is_ok() && asked.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let (url, _asked) = service(vec![|stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        let chunk = vec![b'1'; 1 << 16];
        // Until the other side has had enough, which is far before the end.
        for _ in 0..160_000 {
            if stream.write_all(&chunk).is_err() {
                return;
            }
        }
    }]);
    let error = fetch(request(&url)).await.unwrap_err();
    assert!(error.contains("at most 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up() {
    fn waits_for_the_caller_to_leave(stream: &mut TcpStream) {
        let _ = stream.read(&mut [0; 1]);
    }
    fn dribbles(stream: &mut TcpStream) {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1");
        let _ = stream.read(&mut [0; 1]);
    }
    for answer in [waits_for_the_caller_to_leave, dribbles] {
        let (url, _asked) = service(vec![answer]);
        let error = fetch(Request { timeout: Duration::from_millis(300), ..request(&url) }).await.unwrap_err();
        assert_eq!(error, "no answer within 300 ms");
    }
}

#[tokio::test]
async fn what_is_no_json_and_what_leads_elsewhere_is_refused() {
    let (url, _asked) = service(vec![|stream| say(stream, "200 OK", "<html>"), |stream| {
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    }]);
    assert_eq!(fetch(request(&url)).await, Err("the answer is not JSON: line 1".to_owned()));
    let elsewhere = fetch(request(&url)).await;
    assert!(elsewhere == Ok(serde_json::Value::Null) || elsewhere.is_err(), "{elsewhere:?}");
    assert!(fetch(request("http://[")).await.is_err());
}
