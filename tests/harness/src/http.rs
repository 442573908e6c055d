//! As much HTTP as a probe on loopback needs; no client library for one GET.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks for a path: status and body.
pub(crate) async fn get(address: &str, path: &str) -> std::io::Result<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(parse_answer(&String::from_utf8_lossy(&answer)))
    };
    tokio::time::timeout(Duration::from_secs(5), exchange).await?
}

fn parse_answer(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { join_chunks(body) } else { body.to_owned() })
}

fn join_chunks(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Some(chunk) = usize::from_str_radix(size.trim(), 16).ok().and_then(|size| rest.get(..size)) else {
            break;
        };
        if chunk.is_empty() {
            break;
        }
        whole.push_str(chunk);
        body = rest[chunk.len()..].trim_start_matches("\r\n");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::parse_answer;

    #[test]
    fn reads_an_answer() {
        assert_eq!(parse_answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"), (200, "ok".into()));
        let chunked = "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n4\r\n yet\r\n0\r\n\r\n";
        assert_eq!(parse_answer(chunked), (503, "not yet".into()));
        assert_eq!(parse_answer(""), (0, String::new()));
    }
}
