//! The arguments of each program of the control plane: files, port, flags.
//! Everything listens on loopback, but the API server of a real node; nothing that
//! tests do not use listens at all. It starts nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::process::Command;

use crate::control_plane::User;
use crate::programs::hex;
use crate::{Error, Programs, cluster, repository};

/// The accounts that every control plane has: file name, user, group.
const USERS: [(&str, &str, &str); 7] = [
    ("admin", "admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kwok", "harness:kwok", "system:masters"),
    ("node", "harness:node", "system:masters"),
    ("kubelet", "system:node:node-1", "system:nodes"),
    ("kube-proxy", "system:kube-proxy", ""),
];

/// An address that is reserved for documentation: the API server publishes it in
/// the Endpoints of `kubernetes`, which may not hold a loopback address.
const ADVERTISED: &str = "192.0.2.1";

/// The names of the accounts that every control plane has.
fn users() -> impl Iterator<Item = &'static str> {
    USERS.iter().map(|(name, _, _)| *name)
}

/// The paths of a control plane.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// On loopback, beside simulated nodes.
    Loopback,
    /// On a real node, which has this address.
    Node(Ipv4Addr),
}

/// One program with its flags, and the name that its log and its process have.
pub(crate) type CommandLine = (&'static str, PathBuf, Vec<String>);

/// Ports that were free a moment ago.
pub(crate) struct Ports {
    pub api: u16,
    etcd: u16,
    peer: u16,
}

impl Ports {
    pub(crate) fn free() -> Result<Self, Error> {
        let [api, etcd, peer] = free_ports()?;
        Ok(Self { api, etcd, peer })
    }

    /// The usual ports, if they are free.
    pub(crate) fn usual() -> Self {
        Self { api: 6443, etcd: 2379, peer: 2380 }
    }
}

/// Ports that were free a moment ago, all different.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let find = || -> std::io::Result<Vec<u16>> {
        // All are held until the last is found, so that no two are the same.
        let held = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
        held.iter().map(|listener| listener.local_addr().map(|address| address.port())).collect()
    };
    let ports = find().map_err(Error::file("find a free port on", "127.0.0.1"))?;
    ports.try_into().map_err(|_| Error::Supervisor("too few ports".into()))
}

/// The folder of one control plane, and the secrets in it.
pub(crate) struct Files {
    directory: PathBuf,
    place: Place,
    tokens: BTreeMap<&'static str, String>,
}

impl Files {
    /// Writes certificates, tokens and the audit policy.
    pub(crate) async fn write(
        directory: &Path,
        place: Place,
        programs: &Programs,
        people: &[User],
    ) -> Result<Self, Error> {
        let mut command = Command::new(&programs.supervise);
        command.arg("certificates").arg(directory);
        if let Place::Node(address) = place {
            command.arg(address.to_string());
        }
        cluster::run(command, None).await?;
        let files = Self { directory: directory.to_path_buf(), place, tokens: random_tokens()? };
        cluster::write(&files.path("tokens.csv"), &files.token_file(people))?;
        cluster::write(&files.path("audit-policy.yaml"), &audit_policy().to_string())?;
        Ok(files)
    }

    /// Writes a kubeconfig for every account; returns how the API server is reached.
    pub(crate) fn write_kubeconfigs(&self, ports: &Ports) -> Result<serde_json::Value, Error> {
        let host = match self.place {
            Place::Loopback => Ipv4Addr::LOCALHOST,
            Place::Node(address) => address,
        };
        let server = format!("https://{host}:{}", ports.api);
        let address = json!({"server": server, "certificate-authority": self.path("ca.crt")});
        for user in users() {
            let content = cluster::kubeconfig(user, &address, self.token(user));
            cluster::write(&self.path(&format!("{user}.kubeconfig")), &content)?;
        }
        Ok(address)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn token(&self, user: &str) -> &str {
        self.tokens.get(user).map_or("", String::as_str)
    }

    fn token_file(&self, people: &[User]) -> String {
        let mut lines = String::new();
        for (name, user, group) in USERS {
            let _ = writeln!(lines, "{},{user},{name},\"{group}\"", self.token(name));
        }
        for User { token, name, groups } in people {
            let _ = writeln!(lines, "{token},{name},{name},\"{}\"", groups.join(","));
        }
        lines
    }

    /// The programs in the order in which they start, each with its flags.
    pub(crate) fn command_lines(&self, programs: &Programs, ports: &Ports) -> Vec<CommandLine> {
        let mut all = vec![
            ("etcd", programs.etcd.clone(), self.etcd(ports)),
            ("kube-apiserver", programs.kube_apiserver.clone(), self.kube_apiserver(ports)),
            ("kube-controller-manager", programs.kube_controller_manager.clone(), self.kube_controller_manager()),
            ("kube-scheduler", programs.kube_scheduler.clone(), self.kube_scheduler()),
        ];
        if let (Place::Loopback, Some(kwok)) = (self.place, &programs.kwok) {
            all.push(("kwok", kwok.clone(), self.kwok()));
        }
        all
    }

    fn etcd(&self, ports: &Ports) -> Vec<String> {
        let (client, peer) = (format!("http://127.0.0.1:{}", ports.etcd), format!("http://127.0.0.1:{}", ports.peer));
        vec![
            format!("--data-dir={}", self.path("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data is thrown away; a crash of the machine may take it.
            "--unsafe-no-fsync=true".into(),
            "--log-level=warn".into(),
        ]
    }

    fn kube_apiserver(&self, ports: &Ports) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.path(name).display());
        let mut flags = match self.place {
            Place::Loopback => vec![
                "--bind-address=127.0.0.1".into(),
                format!("--advertise-address={ADVERTISED}"),
                "--authorization-mode=RBAC".into(),
            ],
            Place::Node(address) => vec![
                "--bind-address=0.0.0.0".into(),
                format!("--advertise-address={address}"),
                "--authorization-mode=Node,RBAC".into(),
                "--enable-admission-plugins=NodeRestriction".into(),
                // The node's name does not resolve: without this no logs, no exec, no port-forward.
                "--kubelet-preferred-address-types=InternalIP".into(),
                file("kubelet-client-certificate", "kubelet-client.crt"),
                file("kubelet-client-key", "kubelet-client.key"),
            ],
        };
        flags.extend([
            format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
            format!("--secure-port={}", ports.api),
            file("tls-cert-file", "apiserver.crt"),
            file("tls-private-key-file", "apiserver.key"),
            file("service-account-key-file", "service-account.key"),
            file("service-account-signing-key-file", "service-account.key"),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            "--allow-privileged=true".into(),
            file("token-auth-file", "tokens.csv"),
            file("audit-policy-file", "audit-policy.yaml"),
            file("audit-log-path", "audit.log"),
            // One file, never rotated: marks are offsets in it.
            "--audit-log-maxsize=100000".into(),
        ]);
        flags
    }

    fn kube_controller_manager(&self) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.path(name).display());
        let mut flags = self.kubeconfigs("controller-manager");
        flags.extend([
            file("service-account-private-key-file", "service-account.key"),
            file("root-ca-file", "ca.crt"),
            "--use-service-account-credentials=true".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            // The default of 20 requests a second would slow down every test.
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=1000".into(),
        ]);
        flags
    }

    fn kube_scheduler(&self) -> Vec<String> {
        let mut flags = self.kubeconfigs("scheduler");
        flags.extend([
            "--authentication-tolerate-lookup-failure=true".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
            "--kube-api-qps=1000".into(),
            "--kube-api-burst=1000".into(),
        ]);
        flags
    }

    fn kubeconfigs(&self, user: &str) -> Vec<String> {
        let path = self.path(&format!("{user}.kubeconfig"));
        ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"]
            .map(|flag| format!("--{flag}={}", path.display()))
            .into()
    }

    fn kwok(&self) -> Vec<String> {
        let stages = repository().join("tests/control-plane/stages");
        let mut flags = vec![
            format!("--kubeconfig={}", self.path("kwok.kubeconfig").display()),
            "--manage-all-nodes=true".into(),
            "--node-ip=127.0.0.1".into(),
            "--node-lease-duration-seconds=40".into(),
            "--cidr=198.18.0.0/15".into(),
        ];
        for name in ["node", "pod", "volume"] {
            flags.push(format!("--config={}", stages.join(format!("{name}.yaml")).display()));
        }
        flags
    }
}

/// Every request of everybody but the control plane itself, without bodies.
fn audit_policy() -> serde_json::Value {
    let own = [
        "system:kube-controller-manager",
        "system:kube-scheduler",
        "system:kube-proxy",
        "system:apiserver",
        "harness:kwok",
        "harness:node",
    ];
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "users": own},
            {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
            {"level": "Metadata"},
        ],
    })
}

/// A token for each account.
fn random_tokens() -> Result<BTreeMap<&'static str, String>, Error> {
    users().map(|user| Ok((user, random_token()?))).collect()
}

/// A random token.
fn random_token() -> Result<String, Error> {
    let mut bytes = [0; 16];
    let source = "/dev/urandom";
    let mut device = File::open(source).map_err(Error::file("open", source))?;
    device.read_exact(&mut bytes).map_err(Error::file("read", source))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ() {
        let [first, second, third] = free_ports().unwrap();
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn tokens_differ_and_groups_are_quoted() {
        let files = Files { directory: "/x".into(), place: Place::Loopback, tokens: random_tokens().unwrap() };
        assert_ne!(files.token("admin"), files.token("kwok"));
        let text = files.token_file(&[User::new("secret", "ana@example.com", &["a", "b"])]);
        assert!(text.ends_with("secret,ana@example.com,ana@example.com,\"a,b\"\n"), "{text}");
    }

    #[test]
    fn everything_listens_on_loopback() {
        let files = Files { directory: "/x".into(), place: Place::Loopback, tokens: BTreeMap::new() };
        let ports = Ports { api: 1, etcd: 2, peer: 3 };
        for flag in files.etcd(&ports).iter().filter(|flag| flag.contains("listen")) {
            assert!(flag.contains("//127.0.0.1:"), "{flag}");
        }
        assert!(files.kube_apiserver(&ports).contains(&"--bind-address=127.0.0.1".to_owned()));
        assert!(files.kube_controller_manager().contains(&"--secure-port=0".to_owned()));
        assert!(files.kube_scheduler().contains(&"--secure-port=0".to_owned()));
    }
}
