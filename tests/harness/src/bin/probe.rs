//! Tries connections, or waits for them: what the tests of isolation put into pods
//! and network namespaces. It knows addresses only; it resolves no names.
//!
//! `probe listen tcp:8080 udp:5353` answers everybody and says `listening`.
//! `probe connect 2 tcp:10.0.0.1:80 udp:10.0.0.2:53` tries all at once, with two
//! seconds for each, and prints a line for each, in order: `open`, `refused` (it got
//! there, and nobody listens), `silent` (no answer: what a dropped packet looks like),
//! or the system's error.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["listen", ports @ ..] if !ports.is_empty() => listen(ports),
        ["connect", seconds, targets @ ..] => connect(seconds, targets),
        _ => Err("say `listen PROTOCOL:PORT...` or `connect SECONDS PROTOCOL:ADDRESS:PORT...`".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn listen(ports: &[&str]) -> Result<(), String> {
    let mut listening = Vec::new();
    for port in ports {
        let (protocol, number) = port.split_once(':').ok_or_else(|| format!("`{port}` is no PROTOCOL:PORT"))?;
        let address = format!("0.0.0.0:{number}");
        let failed = |error: std::io::Error| format!("cannot listen on {port}: {error}");
        listening.push(match protocol {
            "tcp" => {
                let listener = TcpListener::bind(&address).map_err(failed)?;
                std::thread::spawn(move || answer_streams(&listener))
            }
            "udp" => {
                let socket = UdpSocket::bind(&address).map_err(failed)?;
                std::thread::spawn(move || answer_datagrams(&socket))
            }
            other => return Err(format!("`{other}` is neither tcp nor udp")),
        });
    }
    println!("listening");
    for thread in listening {
        // These threads go on until the process is ended.
        let _ = thread.join();
    }
    Ok(())
}

/// HTTP, so that probes of a kubelet find it well, too.
fn answer_streams(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        std::thread::spawn(move || {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
        });
    }
}

fn answer_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 1024];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], from);
        }
    }
}

fn connect(seconds: &str, targets: &[&str]) -> Result<(), String> {
    let seconds = seconds.parse().map_err(|_| format!("`{seconds}` is no number of seconds"))?;
    let within = Duration::from_secs(seconds);
    let mut tries = Vec::new();
    for target in targets {
        let (protocol, address) = target.split_once(':').unwrap_or_default();
        let address: SocketAddr = address.parse().map_err(|_| format!("`{target}` is no PROTOCOL:ADDRESS:PORT"))?;
        let stream = match protocol {
            "tcp" => true,
            "udp" => false,
            _ => return Err(format!("`{target}` is neither tcp nor udp")),
        };
        tries.push(std::thread::spawn(move || {
            if stream { try_stream(address, within) } else { try_datagram(address, within) }
        }));
    }
    for tried in tries {
        let verdict = match tried.join() {
            Ok(Ok(())) => "open".to_owned(),
            Ok(Err(error)) => verdict(&error),
            Err(_) => return Err("a try panicked".to_owned()),
        };
        println!("{verdict}");
    }
    Ok(())
}

fn try_stream(address: SocketAddr, within: Duration) -> std::io::Result<()> {
    TcpStream::connect_timeout(&address, within).map(drop)
}

/// Of a datagram nothing is known before something comes back.
fn try_datagram(address: SocketAddr, within: Duration) -> std::io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(within))?;
    socket.send(b"probe")?;
    socket.recv(&mut [0; 1024]).map(drop)
}

fn verdict(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "silent".to_owned(),
        _ => error.to_string(),
    }
}
