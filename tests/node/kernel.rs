//! A kernel of a notebook server, driven as JupyterLab's page does it: HTTP and a
//! websocket, through a port that kubectl forwards.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// How long a cell may run.
const PATIENCE: Duration = Duration::from_secs(180);

/// A notebook server.
pub struct Server {
    port: u16,
    token: String,
}

impl Server {
    /// The one behind this port, whose token stands in the address that it gave its owner.
    pub fn new(port: u16, address: &str) -> Self {
        let token = address.trim().rsplit_once("token=").expect("an address with a token").1;
        Self { port, token: token.to_owned() }
    }

    /// Status and body of a request, with the token or without.
    pub async fn ask(&self, method: &str, path: &str, with_token: bool) -> (u16, Value) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the forwarded port");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        let mut request = http::Request::builder().method(method).uri(path).header("host", self.host());
        if with_token {
            request = request.header("authorization", format!("token {}", self.token));
        }
        let request = request
            .header("content-type", "application/json")
            .body(Full::<&[u8]>::from(&b"{}"[..]))
            .expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Runs a cell in a new kernel; what it printed.
    pub async fn run(&self, code: &str) -> String {
        let (status, kernel) = self.ask("POST", "/api/kernels", true).await;
        assert_eq!(status, 201, "{kernel}");
        let id = kernel["id"].as_str().expect("a kernel").to_owned();
        let printed = tokio::time::timeout(PATIENCE, self.execute(&id, code)).await.expect("the cell ends in time");
        let (status, _) = self.ask("DELETE", &format!("/api/kernels/{id}"), true).await;
        assert_eq!(status, 204);
        printed
    }

    async fn execute(&self, kernel: &str, code: &str) -> String {
        let address = format!("ws://{}/api/kernels/{kernel}/channels?session_id=test", self.host());
        let mut request = address.into_client_request().expect("an address");
        let header = format!("token {}", self.token).parse().expect("a header");
        request.headers_mut().insert("authorization", header);
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("the forwarded port");
        let (mut channel, _) = tokio_tungstenite::client_async(request, stream).await.expect("a websocket");
        let asked = json!({
            "header": {"msg_id": "cell", "msg_type": "execute_request", "session": "test", "username": "ana", "version": "5.3"},
            "parent_header": {}, "metadata": {}, "channel": "shell",
            "content": {"code": code, "silent": false, "store_history": false, "user_expressions": {}, "allow_stdin": false},
        });
        channel.send(Message::text(asked.to_string())).await.expect("the cell is sent");
        let mut printed = String::new();
        while let Some(message) = channel.next().await {
            let Message::Text(text) = message.expect("the websocket stays open") else { continue };
            let said: Value = serde_json::from_str(&text).expect("JSON");
            let content = &said["content"];
            match said["msg_type"].as_str() {
                _ if said["parent_header"]["msg_id"] != "cell" => {}
                Some("stream") if content["name"] == "stdout" => {
                    printed += content["text"].as_str().unwrap_or_default();
                }
                Some("error") => panic!("{}: {}\n{printed}", content["ename"], content["evalue"]),
                Some("status") if content["execution_state"] == "idle" => break,
                _ => {}
            }
        }
        printed
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}
