//! A proxy between an operator and the API server that can swallow what is sent on
//! connections: they stay open and nothing comes through, as where a load balancer
//! forgot them. New connections get through.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The proxy; it ends with this value.
pub struct Proxy {
    pub port: u16,
    /// How often connections were made to hang.
    hung: watch::Sender<u32>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to this port of the machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let (hung, seen) = watch::channel(0);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, port, seen.clone()));
            }
        });
        Self { port: own, hung, task }
    }

    /// From now on nothing comes through on the connections that there are.
    pub fn hang(&self) {
        self.hung.send_modify(|times| *times += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut near: TcpStream, port: u16, mut hung: watch::Receiver<u32>) {
    let made = *hung.borrow_and_update();
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let hangs = tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
        hangs = hung.wait_for(|times| *times > made) => hangs.is_ok(),
    };
    if hangs {
        // Both ends stay open until the proxy ends.
        let _ = hung.wait_for(|_| false).await;
    }
}
